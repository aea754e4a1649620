"""Configuration: which vendor is spoken to and how, from files, the environment, and arguments.

From the lowest to the highest: the user's file, the project's file, the profile that is chosen, the environment, and
what is passed to a client. See `docs/configuration.md`.
"""

from __future__ import annotations

from unified_train.config.origins import Origin
from unified_train.config.values import Config, Sourced

__all__ = ["Config", "Origin", "Sourced"]
