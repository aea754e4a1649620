"""`unified-train wait`: what `unified-train jobs wait` does, under the name of the verb."""

from __future__ import annotations

from unified_train.cli.jobs.commands import wait as command

__all__ = ["command"]
