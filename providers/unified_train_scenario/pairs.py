"""Before/after pairs, on which the edit types train (Scenario dossier 3.3)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from unified_train import DatasetError, Effect, InvalidOptions, UnsupportedCapability, UploadedImage
from unified_train_scenario.catalog import needs_pairs
from unified_train_scenario.options import TrainingPair
from unified_train_scenario.wire import PairsAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from unified_train import Dataset, Flow
    from unified_train_scenario.api import Api
    from unified_train_scenario.options import ScenarioTraining
    from unified_train_scenario.wire import PairRecord

LEAST = 2
"""Pairs that a training of an edit type needs (Scenario dossier 3.3)."""


def check_pairs(options: ScenarioTraining, dataset: Dataset, model_type: str) -> None:
    """Raise unless the type has the pairs and sources that it needs, all of them of the dataset.

    Raises:
        UnsupportedCapability: The type takes none.
        InvalidOptions: There are too few pairs, or not one source for each sample prompt.
        DatasetError: A pair names an image that is not in the dataset, or more than one.
    """
    if not needs_pairs(model_type):
        _check_none(options, model_type)
        return
    check_enough(options.pairs, model_type)
    if options.sample_sources and len(options.sample_sources) != len(options.sample_prompts):
        raise InvalidOptions("sample_sources: give one for each of sample_prompts")
    known = Counter(name for image in dataset.images for name in _names(image))
    for name in (name for pair in options.pairs for name in (pair.source, pair.target)):
        if known[name] != 1:
            there = "is more than one image" if known[name] else "is no image"
            raise DatasetError(f"pairs: {name!r} {there} of the dataset; name each by file name or asset id")


def _check_none(options: ScenarioTraining, model_type: str) -> None:
    given = [name for name in ("pairs", "sample_sources") if getattr(options, name)]
    if given:
        raise UnsupportedCapability(
            f"{given[0]}: {model_type} trains on single images and takes none; leave them out, or choose a type with"
            " 'edit' or 'kontext' in its name"
        )


def check_enough(pairs: Sequence[TrainingPair], model_type: str) -> None:
    """Raise if there are fewer pairs than a training needs.

    Raises:
        InvalidOptions: There are.
    """
    if len(pairs) < LEAST:
        raise InvalidOptions(
            f"pairs: {model_type} trains on at least {LEAST} before/after pairs, not {len(pairs)}; give them with"
            " extra={'scenario': {'pairs': [{'source': …, 'target': …, 'instruction': …}, …]}}"
        )


def _names(image: object) -> set[str]:
    """What an image of a dataset can be called by."""
    if isinstance(image, UploadedImage):
        return {image.name, image.id}
    return {str(getattr(image, "name", ""))}


def put_pairs(
    api: Api, model_id: str, pairs: Sequence[TrainingPair], assets: Mapping[str, str]
) -> Flow[tuple[TrainingPair, ...]]:
    """Replace all pairs of a model; the body is a bare array (Scenario dossier 13, trap 16)."""
    body = [_record(pair, assets) for pair in pairs]
    path = f"/models/{model_id}/training-images/pairs"
    response = yield api.put(path, "training.pairs", body, effect=Effect.REPEATABLE, query=api.query())
    answer = PairsAnswer.parse(response)
    if len(answer.pairs) != len(pairs):
        raise response.malformed(f"model {model_id} has {len(answer.pairs)} of {len(pairs)} pairs")
    return as_pairs(answer.pairs)


def _record(pair: TrainingPair, assets: Mapping[str, str]) -> dict[str, Any]:
    record: dict[str, Any] = {"instruction": pair.instruction} if pair.instruction is not None else {}
    return {
        **record,
        "sourceId": assets.get(pair.source, pair.source),
        "targetId": assets.get(pair.target, pair.target),
    }


def as_pairs(records: Sequence[PairRecord]) -> tuple[TrainingPair, ...]:
    """Pairs as the vendor tells them, in the words of this package."""
    return tuple(
        TrainingPair(source=pair.source or "", target=pair.target or "", instruction=pair.instruction)
        for pair in records
    )
