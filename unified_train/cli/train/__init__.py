"""`unified-train train`: one training, as a recipe has it."""

from __future__ import annotations

from unified_train.cli.train.command import command as command
