"""What the vendor's answers say about a job, in neutral words (Novita dossier 4.4, 4.5 and 5.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from unified_train import GeneratedImage, Snapshot, Status, TrainedModel
from unified_train_novita import status
from unified_train_novita.wire import ListedTraining, TrainingState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from unified_train import Job, Response
    from unified_train_novita.wire import GenerationState, ModelState, Picture, Safety

_ALMOST = 0.99
_FLAGGED_FROM = 50.0  # percent: more likely than not; the vendor names no threshold of its own


def training(job: Job, answer: Response) -> Snapshot:
    """The state of a training, with its model once that serves.

    Raises:
        MalformedResponse: A model is said to serve, but it has no name.
    """
    told = TrainingState.parse(answer)
    state = status.training(told.task_status, [model.model_status for model in told.models])
    name = _served(told.models)
    if state.status is Status.SUCCEEDED and not name:
        raise answer.malformed("a model is said to serve, but it has no name")
    return Snapshot(
        id=job.id,
        status=state.status,
        raw_status=state.raw,
        phase=state.phase,
        progress=_share(told.extra.progress_percent, state.status),
        eta=None if state.status.finished else told.extra.eta_relative,
        model=job.trained(name) if state.status is Status.SUCCEEDED else None,
        error=state.failure,
        raw=answer.json(),
    )


def listed(raw: dict[str, Any], answer: Response, provider: str) -> Snapshot:
    """A training as the list shows it."""
    task = ListedTraining.read(raw, answer)
    state = status.training(task.task_status, [model.model_status for model in task.models])
    served = _served(task.models)
    return Snapshot(
        id=f"{task.task_type}/{task.task_id}",
        status=state.status,
        raw_status=state.raw,
        phase=state.phase,
        model=TrainedModel(provider=provider, id=served, name=task.task_name or None) if served else None,
        error=state.failure,
        created_at=task.created,
        name=task.task_name or None,
        raw=raw,
    )


def _served(models: list[ModelState]) -> str:
    return next((model.model_name for model in models if status.serves(model.model_status)), "")


def generation(task_id: str, told: GenerationState, raw: dict[str, Any]) -> Snapshot:
    """The state of a generation, with its pictures once they can be fetched."""
    state = status.generation(told.task.status, told.task.reason, len(told.pictures))
    return Snapshot(
        id=task_id,
        status=state.status,
        raw_status=state.raw,
        progress=_share(told.task.progress_percent, state.status),
        eta=None if state.status.finished else told.task.eta or None,
        images=_images(told) if state.status is Status.SUCCEEDED else (),
        error=state.failure,
        raw=_without_webhook(raw),
    )


def _without_webhook(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The record without the receiver's address, which the vendor echoes: its secrecy is all that guards it."""
    extra = raw.get("extra")
    if not isinstance(extra, dict):
        return dict(raw)
    return {**raw, "extra": {name: value for name, value in extra.items() if name != "webhook"}}


def _share(percent: float | None, state: Status) -> float | None:
    """0 to 1; below 1 until the job has ended, since training reports 100 while the model is still being deployed."""
    if percent is None or state in (Status.FAILED, Status.CANCELED, Status.UNKNOWN):
        return None
    return min(percent / 100, 1.0 if state is Status.SUCCEEDED else _ALMOST)


def _images(told: GenerationState) -> tuple[GeneratedImage, ...]:
    """The pictures; the seed told is the task's, so only the first picture is surely made with it."""
    return tuple(_image(position, picture, told.extra.seed) for position, picture in enumerate(told.pictures))


def _image(position: int, picture: Picture, seed: int | None) -> GeneratedImage:
    metadata = {"task_seed": seed, "nsfw_confidence": picture.nsfw_detection_result.confidence}
    return GeneratedImage(
        id=str(position),
        media_type=f"image/{picture.image_type}" if picture.image_type else None,
        seed=None if position else seed,
        safety=_safety(picture.nsfw_detection_result),
        metadata={name: value for name, value in metadata.items() if value is not None},
    )


def _safety(found: Safety) -> Literal["clean", "flagged"] | None:
    """What the check found; `valid` says only that it ran (trap 23)."""
    if not found.valid or found.confidence is None:
        return None
    return "flagged" if found.confidence >= _FLAGGED_FROM else "clean"
