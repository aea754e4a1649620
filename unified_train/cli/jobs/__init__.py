"""`unified-train jobs`: everything that was ever submitted from here, at whatever vendor."""

from __future__ import annotations

from unified_train.cli.jobs.commands import command as command
