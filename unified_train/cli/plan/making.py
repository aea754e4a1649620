"""Plans of a recipe, also for vendors that nobody has credentials of yet."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unified_train import Client, UnifiedTrainWarning
from unified_train.cli.vendors import side_by_side
from unified_train.errors import ConfigurationError
from unified_train.plan import Blocker, VendorPlan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unified_train.config import Config
    from unified_train.models import TrainingRequest
    from unified_train.provider import AnyProvider
    from unified_train.recipe import Recipe


@dataclass(frozen=True, slots=True)
class RecipePlan:
    """What a recipe would do at one vendor.

    Attributes:
        training: With it everything begins.
        generation: All pictures, with the model that the training will make; None if the recipe only trains.
    """

    training: VendorPlan
    generation: VendorPlan | None


def plans(
    recipe: Recipe, kinds: Sequence[type[AnyProvider]], config: Config, *, offline: bool, ask_price: bool
) -> list[RecipePlan]:
    """Plan a recipe at several vendors, side by side.

    Raises:
        DatasetError: There is no dataset to plan with.
    """
    request = recipe.training_request()

    def plan(kind: type[AnyProvider]) -> RecipePlan:
        try:
            return _planned(recipe, request, kind, config, offline=offline, ask_price=ask_price)
        except ConfigurationError as error:  # without which there is not even a client
            blocked = VendorPlan(provider=kind.slug, title=kind.title, kind="training", blockers=(_blocker(error),))
            return RecipePlan(blocked, None)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnifiedTrainWarning)  # what they say is in the plans
        return side_by_side(plan, kinds)


def _planned(
    recipe: Recipe, request: TrainingRequest, kind: type[AnyProvider], config: Config, *, offline: bool, ask_price: bool
) -> RecipePlan:
    missing: tuple[Blocker, ...] = ()
    try:
        provider = kind(config.settings(kind))
    except ConfigurationError as error:
        # What would be sent does not depend on credentials: they are added last.
        provider = kind(config.settings(kind, dict.fromkeys(kind.Settings.required, "missing")))
        missing = (_blocker(error),)
    silent = offline or bool(missing)
    with Client(provider, config=config) as client:
        (training,) = client.plan(
            request,
            on_unsupported=recipe.training.on_unsupported,
            offline=silent,
            ask_price=ask_price,
        ).vendors
        generation = None
        if recipe.generation:
            (generation,) = client.plan(
                recipe.generation_requests(),
                model=request,
                on_unsupported=recipe.generation.on_unsupported,
                offline=silent,
            ).vendors
    return RecipePlan(training.model_copy(update={"blockers": (*missing, *training.blockers)}), generation)


def _blocker(error: ConfigurationError) -> Blocker:
    return Blocker(code=type(error).__name__, message=str(error))
