"""What the vendor's records say, as neutral snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from unified_train import GeneratedImage, Snapshot, Status, TrainedModel
from unified_train_alibaba import status

if TYPE_CHECKING:
    from unified_train import Job
    from unified_train_alibaba.wire import InferenceJob, TrainingJob

SLUG = "alibaba"
_MEDIA_TYPES = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp", "gif": "image/gif"}


def of_training(job_id: str, found: TrainingJob, record: dict[str, Any], job: Job | None = None) -> Snapshot:
    """The state of a training: what was found, the vendor's record of it, and what was known before."""
    state = status.read(found.status, job)
    neutral, phase = state.status, None
    if neutral is Status.SUCCEEDED and found.model_id is None:
        # Without its model id a model can't be used, so that the training is not over for whoever waits for it.
        neutral, phase = Status.RUNNING, "finished, model id not shown yet"
    return Snapshot(
        id=job_id,
        status=neutral,
        raw_status=found.status,
        phase=phase,
        progress=_progress(neutral, found.progress),
        model=_model(found, job) if neutral is Status.SUCCEEDED else None,
        error=state.failure,
        created_at=found.created_at,
        name=found.name,
        raw=record,
    )


def _model(found: TrainingJob, job: Job | None) -> TrainedModel:
    model_id = str(found.model_id)
    known = job.trained(model_id) if job else TrainedModel(provider=SLUG, id=model_id)
    return known.model_copy(
        update={"name": known.name or found.name, "class_word": known.class_word or found.object_type}
    )


def of_generation(job_id: str, found: InferenceJob, record: dict[str, Any], job: Job | None = None) -> Snapshot:
    """The state of a generation: what was found, the vendor's record of it, and what was known before."""
    state = status.read(found.status, job)
    if state.status is Status.SUCCEEDED and not found.results:
        state = status.no_pictures()
    done = state.status is Status.SUCCEEDED
    return Snapshot(
        id=job_id,
        status=state.status,
        raw_status=found.status,
        progress=_progress(state.status, found.progress),
        images=tuple(_image(at, name) for at, name in enumerate(found.results)) if done else (),
        error=state.failure,
        created_at=found.created_at,
        raw=record,
    )


def _progress(neutral: Status, told: float | None) -> float | None:
    if neutral is Status.SUCCEEDED:
        return 1.0
    return None if neutral.finished else told


def _image(at: int, name: str) -> GeneratedImage:
    ending = urlsplit(name).path.rpartition(".")[2].lower()
    return GeneratedImage(id=image_id(at, name), media_type=_MEDIA_TYPES.get(ending))


def image_id(at: int, name: str) -> str:
    """File names are ids; a URL is a secret and expires, so that its position stands for it."""
    return f"{at:04}" if is_url(name) else name


def is_url(name: str) -> bool:
    """Whether a result is a web address and not, as documented, a file name."""
    return name.lower().startswith(("http://", "https://"))
