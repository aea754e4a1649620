"""`unified-train generate`: pictures of a trained model, brought home."""

from __future__ import annotations

from unified_train.cli.generate.command import command as command
