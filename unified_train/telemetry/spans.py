"""Events as OpenTelemetry spans, span events and a histogram.

Made from our own events and not by the HTTP library, so that it works with any client that is injected, and no signed
URL gets into a trace. Names follow the semantic conventions for HTTP clients where these have one.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from unified_train import __version__
from unified_train.errors import ConfigurationError
from unified_train.events import JobChanged, RequestFinished, RetryScheduled, SubmissionReconciled
from unified_train.telemetry.bare_urls import bare

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from unified_train.events import Event
    from unified_train.models import Job

_SCOPE = "unified_train"
_NANOSECONDS = 1_000_000_000


class OpenTelemetry:
    """An observer that makes spans and metrics: `Client("novita", observer=OpenTelemetry())`.

    Every attempt of a request is a span of kind CLIENT, below whatever span is current where the client is called.
    Every retry, every lost answer that was cleared up and every change of a job is an event on that current span, if
    there is one. When a job ends that was seen before its end, `unified_train.job.duration` records its seconds, from
    when it was first seen.

    Args:
        tracer_provider: The global one if None.
        meter_provider: The global one if None.

    Raises:
        ConfigurationError: The extra `otel` is not installed.
    """

    def __init__(
        self, *, tracer_provider: TracerProvider | None = None, meter_provider: MeterProvider | None = None
    ) -> None:
        try:
            from opentelemetry import metrics, trace
        except ModuleNotFoundError:
            raise ConfigurationError(
                "spans need opentelemetry-api, which is not installed: pip install 'unified-train[otel]'"
            ) from None
        self._trace = trace
        self._tracer = trace.get_tracer(_SCOPE, __version__, tracer_provider)
        self._durations = metrics.get_meter(_SCOPE, __version__, meter_provider).create_histogram(
            "unified_train.job.duration", unit="s", description="From when a job was first seen to its end."
        )

    def __call__(self, event: Event) -> None:
        """Take one event."""
        match event:
            case RequestFinished():
                self._span(event)
            case RetryScheduled():
                self._note("retry", {**_shared(event), "error.type": event.error, "unified_train.delay": event.delay})
            case SubmissionReconciled():
                facts = {"unified_train.key": event.key, "unified_train.outcome": event.outcome}
                self._note("submission.reconciled", {**_shared(event), **facts})
            case JobChanged(job):
                self._note("job.changed", _facts(job))
                self._measure(job)

    def _span(self, event: RequestFinished) -> None:
        """A span for what is already over: it began as many seconds ago as the attempt took."""
        end = time.time_ns()
        span = self._tracer.start_span(
            f"{event.provider} {event.operation}",
            kind=self._trace.SpanKind.CLIENT,
            attributes={**_shared(event), **_attributes(event)},
            start_time=end - int(event.seconds * _NANOSECONDS),
        )
        if event.error is not None:
            span.set_status(self._trace.StatusCode.ERROR)
        span.end(end)

    def _note(self, name: str, facts: dict[str, str | int | float]) -> None:
        self._trace.get_current_span().add_event(f"unified_train.{name}", facts)

    def _measure(self, job: Job) -> None:
        # One that was over when it was first seen took nobody knows how long.
        if not job.finished or len(job.history) < 2:  # noqa: PLR2004 - a beginning and an end
            return
        seconds = (job.history[-1].at - job.history[0].at).total_seconds()
        attributes = {
            "unified_train.provider": job.provider,
            "unified_train.job.kind": job.kind,
            "unified_train.job.status": str(job.status),
        }
        self._durations.record(max(0.0, seconds), attributes)


def _shared(event: RequestFinished | RetryScheduled | SubmissionReconciled) -> dict[str, str | int | float]:
    return {"unified_train.provider": event.provider, "unified_train.operation": event.operation}


def _attributes(event: RequestFinished) -> dict[str, str | int | float]:
    found: dict[str, str | int | float | None] = {
        "unified_train.effect": None if event.effect is None else str(event.effect),
        "unified_train.attempt": event.attempt,
        "http.request.method": event.method,
        "http.request.resend_count": event.attempt - 1 or None,
        "http.response.status_code": event.status,
        "error.type": event.error,
        **_address(bare(event.url)),
    }
    return {name: value for name, value in found.items() if value is not None}


def _address(url: str) -> dict[str, str | int | None]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:  # a port that is none
        return {}
    standard = {"http": 80, "https": 443}.get(parts.scheme)
    return {"url.full": url, "server.address": host, "server.port": port or standard}


def _facts(job: Job) -> dict[str, str | int | float]:
    found = {
        "unified_train.job": job.reference,
        "unified_train.job.status": str(job.status),
        "unified_train.job.raw_status": job.raw_status,
        "unified_train.job.phase": job.phase,
        "unified_train.job.progress": job.progress,
        "unified_train.key": job.key,
    }
    return {name: value for name, value in found.items() if value is not None}
