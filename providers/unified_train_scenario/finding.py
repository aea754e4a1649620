"""What lost requests made: Scenario takes no idempotency keys, so that its records are searched (dossier 9)."""

from __future__ import annotations

import math
from abc import ABC
from datetime import UTC
from hashlib import sha256
from typing import TYPE_CHECKING, Any, ClassVar

from unified_train import Found, JsonBody
from unified_train_scenario import snapshots
from unified_train_scenario.generating import Seeded
from unified_train_scenario.listing import NEWEST_MODELS, Listing, generation_jobs, models_of
from unified_train_scenario.wire import ModelAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from unified_train import Flow, GenerationRequest, Lost

_MOST_PAGES = 100
"""Of a list; one that is longer leaves open what was not found on these."""
_SEEDS = 2**31
"""Seeds are below it (Scenario dossier 13, trap 33)."""
_PICTURES = ("image", "referenceImages")
"""Inputs that are not compared: a data URL may come back as an asset, and a call that is resumed may upload anew."""
_NEAR = 1e-6
"""Part of a number by which an echo may differ, as after a detour over 32 bits."""
_CREATED = ("id", "name", "type", "status", "createdAt")
_TRAINED = (*_CREATED, "jobId", "trainingProgress")
_ACCEPTED = ("jobId", "jobType", "billing", "createdAt")


class Finding(Listing, ABC):
    """Looks for what lost requests made."""

    # How long a request may travel at the vendor is documented nowhere; a minute is what gateways commonly hold it for.
    acceptance_lag: ClassVar[float] = 60.0
    # Reads may lag behind an accepted training; after about a minute without a match there is none (dossier 9 and 11).
    listing_lag: ClassVar[float] = 60.0

    def find(self, lost: Lost) -> Flow[Sequence[Found] | None]:
        """Models by their names, images and trainings by the model's record, generations by the echo of the inputs."""
        match lost.request.operation:
            case "training.create":
                found = yield from self._found_models(lost)
            case "training.attach":
                found = yield from self._found_images(lost)
            case "training.start":
                found = yield from self._found_trainings(lost)
            case "generation.start":
                found = yield from self._found_generations(lost)
            case _:
                return (yield from super().find(lost))
        return None if found is None else sorted(found, key=lambda one: one.created_at or lost.since)

    def marked(self, request: GenerationRequest, marker: str) -> GenerationRequest:
        """The request with a seed drawn from the marker, if it has none: no other job has the same (dossier 9)."""
        if request.seed is not None:
            return request
        return Seeded.model_validate({**dict(request), "seed": seed_of(marker)})

    def same_job(self, one: str, other: str) -> bool:
        """Whether two trainings are of one model: a list may know of no job yet. Other ids have but one part."""
        return one.partition("/")[0] == other.partition("/")[0]

    def _found_models(self, lost: Lost) -> Flow[list[Found] | None]:
        query = {**NEWEST_MODELS, "createdAfter": _iso(lost.since)}
        models, whole = yield from self.listed("/models", "training.list", query, models_of, most=_MOST_PAGES)
        mine = [model for model in models if (model.name or "").endswith(lost.marker)]
        found = [Found(model.id, model.created, {"model": _part(model, _CREATED)}) for model in mine]
        return found if found or whole else None

    def _found_images(self, lost: Lost) -> Flow[list[Found] | None]:
        """The image by its name, which no other of the dataset has; see `names_at_vendor`."""
        model = yield from self.model(_path(lost)[-2], "training.verify")
        if model.images is None:
            return None if model.images_number != 0 else []
        name = _body(lost).get("name")
        mine = [image for image in model.images if image.name == name]
        return [Found(image.id, image.created, {"trainingImage": _part(image, ("id", "name"))}) for image in mine]

    def _found_trainings(self, lost: Lost) -> Flow[list[Found] | None]:
        """The training of the call's own model, which nobody else starts."""
        response = yield self.read(f"/models/{_path(lost)[-2]}", "training.verify")
        model = ModelAnswer.parse(response).model
        if not snapshots.is_started(model):
            return []
        training = snapshots.adopted_training(model, response)
        return [Found(training.id, model.created, {"model": _part(model, _TRAINED)})]

    def _found_generations(self, lost: Lost) -> Flow[list[Found] | None]:
        """Jobs whose echo is that of the request; the list can't be filtered together with a date (dossier 5)."""
        if "seed" not in _body(lost):
            return None
        query = {"createdAfter": _iso(lost.since)}
        jobs, whole = yield from self.listed("/jobs", "generation.list", query, generation_jobs, most=_MOST_PAGES)
        verdicts = [(_is_mine(lost, job.metadata.input), job, raw) for job, raw in jobs]
        found = [Found(job.id, job.created, {"job": _accepted(raw)}) for mine, job, raw in verdicts if mine]
        clear = whole and all(mine is not None for mine, _, _ in verdicts)
        return found if found or clear else None


def seed_of(marker: str) -> int:
    """The seed that stands for a marker."""
    return int.from_bytes(sha256(marker.encode()).digest()) % _SEEDS


def _is_mine(lost: Lost, told: object) -> bool | None:
    """Whether a job's echo is that of a request; None if the echo says too little. Defaults may have been added."""
    sent, echo = _body(lost), told if isinstance(told, dict) else {}
    if sent["seed"] == seed_of(lost.marker) and _same(sent["seed"], echo.get("seed")):
        return True
    ids = [_path(lost)[-1], *sent.get("loras", ())]
    model = echo.get("modelId")
    same = [None if model is None else model in ids]
    same += [_same(value, echo.get(name)) for name, value in sent.items() if name not in _PICTURES]
    if False in same:
        return False
    return None if None in same else True


def _same(sent: Any, told: Any) -> bool | None:
    """Whether an echoed value is the one that was sent; None if there is none. A number may come back as a text."""
    if told is None:
        return None
    if isinstance(sent, list):
        return isinstance(told, list) and len(told) == len(sent) and all(map(_same, sent, told))
    if isinstance(sent, str):
        return isinstance(told, str) and told.strip() == sent.strip()
    try:
        number = float(told)
    except (TypeError, ValueError):
        return False
    return number == sent if isinstance(sent, int) else math.isclose(number, sent, rel_tol=_NEAR)


def _accepted(raw: Mapping[str, Any]) -> dict[str, Any]:
    """A job as it was when it was accepted: how it stands now is for a poll to say, which reads the pictures too."""
    return {**{name: raw[name] for name in _ACCEPTED if name in raw}, "status": "queued"}


def _part(record: Any, names: Sequence[str]) -> dict[str, Any]:
    """Some fields of a record, as the vendor spells them."""
    fields: dict[str, Any] = record.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {name: fields[name] for name in names if name in fields}


def _path(lost: Lost) -> list[str]:
    """The parts of the path: a model is the last but one in `models/m/train`, and the last in `generate/custom/m`."""
    return lost.request.url.split("/")


def _body(lost: Lost) -> dict[str, Any]:
    body = lost.request.body
    value = body.value if isinstance(body, JsonBody) else None
    return value if isinstance(value, dict) else {}


def _iso(date: datetime) -> str:
    """A date as the vendor writes it."""
    return date.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
