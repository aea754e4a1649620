"""What a comparison asks: of whom, in which words, and with which models; all that is known before anything is paid."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from unified_train import plugins
from unified_train.compare.comparison import Comparison, Entrant, PictureOptions, Training
from unified_train.errors import ConfigurationError, InvalidOptions
from unified_train.models import Job, TrainedModel
from unified_train.redact import HIDDEN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from unified_train.checks import OnUnsupported
    from unified_train.compare.progress import Progress
    from unified_train.errors import UnifiedTrainError
    from unified_train.flow import Workflow
    from unified_train.models import TrainingRequest
    from unified_train.workflows import JobLike, Workflows


@dataclass(frozen=True, slots=True)
class Order:
    """What to compare, and how; attributes as the arguments of `Client.compare`."""

    training: TrainingRequest | None
    prompts: str | Sequence[str]
    out: Path
    seeds: Sequence[int] = (1,)
    options: PictureOptions = field(default_factory=PictureOptions)
    models: Sequence[TrainedModel | JobLike] = ()
    providers: Sequence[str] | None = None
    absent: Mapping[str, UnifiedTrainError] = field(default_factory=dict)
    title: str | None = None
    on_unsupported: OnUnsupported = "error"
    pictures_on_unsupported: OnUnsupported = "drop"
    timeout: float | None = None
    progress: Callable[[Progress], object] | None = None


def models_of(workflows: Workflows, order: Order) -> Workflow[dict[str, TrainedModel]]:
    """The models that exist already, by vendor; what is named by its training is looked up.

    Raises:
        InvalidOptions: There are two of one vendor, or a training has no model.
        ApiError, TransportError: A training can't be looked up.
    """
    found: dict[str, TrainedModel] = {}
    for given in order.models:
        model = given if isinstance(given, TrainedModel) else (yield from _model_of(workflows, given))
        if model.provider in found:
            raise InvalidOptions(f"two models of {model.provider} were given; compare one of each vendor")
        found[model.provider] = model
    return found


def _model_of(workflows: Workflows, given: JobLike) -> Workflow[TrainedModel]:
    # What is known to have a model is not asked for: its vendor may be one that can't be asked just now.
    job = given if isinstance(given, Job) and given.model else (yield from workflows.poll(given))
    if job.model is None:
        state = f"is {job.status}" if job.kind == "training" else "is no training"
        raise InvalidOptions(f"{job.reference} {state}, so it has no model to compare; name a finished training")
    return job.model


def question(workflows: Workflows, order: Order, models: Mapping[str, TrainedModel]) -> Comparison:
    """The comparison before anything has come back; reads the training images.

    Raises:
        InvalidOptions: Something is missing, given twice, or fits nowhere.
        ConfigurationError: The client does not speak to one of the vendors.
        DatasetError: A training image can't be read.
    """
    slugs = list(order.providers if order.providers is not None else {**workflows.conversations, **order.absent})
    strange = next((slug for slug in models if slug not in slugs), None)
    if strange is not None:
        raise InvalidOptions(f"there is a model of {strange}, which is not among the vendors to compare; name it too")
    untrained = next((slug for slug in slugs if slug not in models), None)
    if untrained is not None and order.training is None:
        raise InvalidOptions(f"nothing to compare at {untrained}: give a training request, or a model of it")
    if HIDDEN in json.dumps(order.options.extra):
        raise InvalidOptions("options.extra holds a secret, which a report would not keep; leave it out")
    training = Training.of(order.training) if order.training and untrained is not None else None
    return Comparison(
        title=order.title or (training.name if training else "Comparison"),
        created_at=workflows.clock(),
        training=training,
        prompts=(order.prompts,) if isinstance(order.prompts, str) else tuple(order.prompts),
        seeds=tuple(order.seeds),
        options=order.options,
        entrants=tuple(
            Entrant(provider=slug, title=_title(workflows, order, slug), model=models.get(slug)) for slug in slugs
        ),
    )


def _title(workflows: Workflows, order: Order, slug: str) -> str:
    if slug not in order.absent:
        return workflows.provider(slug).title
    try:
        return plugins.load(slug).title
    except ConfigurationError:
        return slug
