"""Novita: subject and style trainings of Stable Diffusion LoRAs, and generation with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unified_train import hookimpl

if TYPE_CHECKING:
    from unified_train import AnyProvider


@hookimpl
def unified_train_providers() -> list[type[AnyProvider]]:
    """The one provider class of this plugin."""
    from unified_train_novita.provider import Novita

    return [Novita]
