"""Scenario (scenario.com) for unified_train."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unified_train import hookimpl

if TYPE_CHECKING:
    from unified_train import AnyProvider


@hookimpl
def unified_train_providers() -> list[type[AnyProvider]]:
    """Offer the vendor; its module is loaded only when somebody asks."""
    from unified_train_scenario.provider import Scenario

    return [Scenario]
