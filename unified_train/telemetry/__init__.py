"""What happens in a client, told to logs and to OpenTelemetry: both are observers, `Client("novita", observer=…)`."""

from unified_train.telemetry.log_lines import log_events
from unified_train.telemetry.spans import OpenTelemetry

__all__ = ["OpenTelemetry", "log_events"]
