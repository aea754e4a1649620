"""`unified-train doctor`: whether everything is in order, and what to do where it is not."""

from __future__ import annotations

from unified_train.cli.doctor.command import command as command
