"""What to generate and with which model, put together of recipe and command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from unified_train import GenerationRequest, InvalidOptions, TrainedModel
from unified_train.cli.jobs.lookup import resolved
from unified_train.recipe import Recipe, RecipeGeneration
from unified_train.workflows.starting import model_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unified_train import Client, Job
    from unified_train.checks import OnUnsupported
    from unified_train.journal import Journal


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for on the command line.

    Attributes:
        source: Recipe or reference.
        model: Reference, with a recipe.
        prompts: In the place of the recipe's, if there are some.
        n: In the place of the recipe's.
        seeds: In the place of the recipe's, if there are some.
    """

    source: str
    model: str | None
    prompts: Sequence[str]
    n: int | None
    seeds: Sequence[int]

    @property
    def from_recipe(self) -> bool:
        """Whether the source is a file; a reference has colons, and no suffix of that kind."""
        return self.source.endswith(".toml") or Path(self.source).is_file()

    @property
    def words(self) -> list[str]:
        """The same as it is typed."""
        model = ["--model", self.model] if self.model else []
        number = ["--n", str(self.n)] if self.n else []
        prompts = [word for prompt in self.prompts for word in ("--prompt", prompt)]
        seeds = [word for seed in self.seeds for word in ("--seed", str(seed))]
        return [self.source, *model, *prompts, *number, *seeds]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be generated.

    Attributes:
        requests: One for each prompt and seed.
        on_unsupported: What to do with what the vendor has not.
        recipe: That they are from, if they are.
    """

    requests: Sequence[GenerationRequest]
    on_unsupported: OnUnsupported
    recipe: Recipe | None


def asked_for(wish: Wish) -> Asked:
    """The requests.

    Raises:
        ConfigurationError: The recipe can't be used, or there is no prompt.
    """
    recipe = Recipe.load(wish.source) if wish.from_recipe else None
    table = recipe.generation if recipe else None
    prompts = tuple(wish.prompts) or (table.prompts if table else ())
    if not prompts:
        raise InvalidOptions(f"{wish.source}: has no table [generation]; add prompts there, or give --prompt")
    given = {"prompts": prompts, "seeds": tuple(wish.seeds) or None, "n": wish.n}
    changes = {name: value for name, value in given.items() if value is not None}
    table = RecipeGeneration.model_validate(changes) if table is None else table.model_copy(update=changes)
    return Asked(table.requests(), table.on_unsupported, recipe)


def training_of(wish: Wish, journal: Journal) -> Job:
    """The training that is meant.

    Raises:
        InvalidOptions: None is, or several are, or it is no training.
    """
    named = wish.model if wish.from_recipe else wish.source
    (job,) = resolved(journal, [named or ""])
    if job.kind != "training":
        raise InvalidOptions(f"{job.reference} is no training; name the training whose model is to be used")
    return job


def model_for(client: Client, training: Job, recipe: Recipe | None) -> TrainedModel:
    """The model of a training, asked of the vendor unless it is known; the recipe knows what it is called by.

    Raises:
        InvalidOptions: The training has no model, at least not yet.
    """
    model = model_of(training if training.model is not None else client.poll(training))
    if recipe is None:
        return model
    words = {"trigger": recipe.dataset.trigger, "class_word": recipe.dataset.class_word}
    return model.model_copy(update={name: word for name, word in words.items() if getattr(model, name) is None})
