"""`unified-train plan`: what a recipe would do at a vendor, before anything is sent."""

from __future__ import annotations

from unified_train.cli.plan.command import command as command
