"""What Scenario's records say about a job, in neutral words: the rules of its two truths (Scenario dossier 11)."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from unified_train import Cost, Failure, GeneratedImage, Snapshot, Status, TrainedModel
from unified_train_scenario.catalog import LORA_SUFFIX
from unified_train_scenario.status import ASSET, JOB, MODEL, STAGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unified_train import Job, Response
    from unified_train_scenario.wire import AcceptedJob, Asset, JobRecord, Model, PatchAnswer

UNIT = "CU"
"""Creative units, what Scenario bills in."""

_GRACE = 60.0
"""Seconds for which model and job may disagree (Scenario dossier 11, inferred)."""
_NO_REASON = "Scenario gives no reason"
_NO_PICTURES = "Scenario says success, but names no pictures"
_GENERATION_TYPES = frozenset({"custom", "flux", "inference", "image-generation", "patch-image"})


# -- trainings ---------------------------------------------------------------------------------------------------------


def accepted_training(accepted: AcceptedJob, model_id: str, model_type: str, response: Response) -> Snapshot:
    """A training just accepted: the job is there, the model may still read as new."""
    return Snapshot(
        id=f"{model_id}/{accepted.job.id}",
        status=Status.QUEUED,
        raw_status=accepted.model.status if accepted.model and accepted.model.status else accepted.job.status or None,
        phase=_stage(accepted.model) if accepted.model else None,
        cost=_price(accepted, "train answer"),
        created_at=accepted.job.created,
        base_model=model_type,
        notes=_price_notes(accepted),
        raw=_raw(response.json()),
    )


def training(job: Job, model: Model, record: JobRecord | None, *answers: Response) -> Snapshot:
    """How a training stands: the model decides, the job adds progress, reason and price.

    Args:
        job: As last seen.
        model: The model's record.
        record: The job's record, if it is still kept.
        answers: Where these were read: the model's, and then the job's.
    """
    status, phase = _training_status(model, record, answers[0])
    return Snapshot(
        id=job.id,
        status=status,
        raw_status=model.status or None,
        phase=phase,
        progress=_progress(model, record),
        eta=_eta(model),
        model=job.trained(model.id, base_model=model.type or None) if status is Status.SUCCEEDED else None,
        error=_failure(record) if status is Status.FAILED else None,
        cost=_cost(record, status),
        created_at=record.created if record else model.created,
        name=model.name,
        base_model=model.type or None,
        raw={name: value for answer in answers for name, value in _raw(answer.json()).items()},
    )


def _training_status(model: Model, record: JobRecord | None, response: Response) -> tuple[Status, str | None]:
    status = MODEL.read(model.status)
    if status.finished or status is Status.UNKNOWN:
        return status, None
    told = JOB.read(record.status) if record else Status.UNKNOWN
    late = _late(record, response)
    if told in (Status.FAILED, Status.CANCELED):
        # The model decides, but not for ever: after a minute the end of the job counts.
        return (told, None) if late else (Status.RUNNING, f"job {record.status if record else ''}")
    if told is Status.SUCCEEDED:
        return Status.RUNNING, "job success"
    if status is Status.QUEUED:
        return (Status.UNKNOWN if late else Status.QUEUED), None
    stage = _stage(model)
    # A worker that has started never goes back into the queue, whatever the stage says.
    waiting = stage is not None and STAGE.read(stage) is Status.QUEUED and told is not Status.RUNNING
    return (Status.QUEUED if waiting else Status.RUNNING), stage


def _late(record: JobRecord | None, response: Response) -> bool:
    """Whether the job last changed more than the grace ago, by the vendor's own clock on both sides."""
    changed, now = (record.updated or record.created) if record else None, _date_of(response)
    return changed is not None and now is not None and (now - changed).total_seconds() > _GRACE


def _date_of(response: Response) -> datetime | None:
    try:
        return parsedate_to_datetime(response.headers.get("date", "")).astimezone(UTC)
    except ValueError:
        return None


def _stage(model: Model) -> str | None:
    return model.progress.stage if model.progress else None


def _progress(model: Model, record: JobRecord | None) -> float | None:
    told = [record.progress if record else None, model.progress.progress if model.progress else None]
    known = [value for value in told if value is not None]
    return max(known, default=None)


def _eta(model: Model) -> float | None:
    left = model.progress.remaining_ms if model.progress else None
    return max(0.0, left / 1000) if left is not None else None


def _failure(record: JobRecord | None) -> Failure:
    """The reason is on the job, never on the model (Scenario dossier 3.1)."""
    metadata = record.metadata if record else None
    if metadata is None:
        return Failure(message=_NO_REASON)
    return Failure(message=metadata.error or _NO_REASON, hint=metadata.hint or None)


def is_training(model: Model) -> bool:
    """Whether a listed model is a LoRA that was ever trained here."""
    return model.type.endswith(LORA_SUFFIX) and model.status != "new"


def is_started(model: Model) -> bool:
    """Whether a training of a model was accepted, as far as its record shows it yet."""
    return bool(model.job) or model.status not in ("", "new")


def listed_training(model: Model, response: Response) -> Snapshot:
    """A training as a list of models shows it, without its job."""
    status, phase = _training_status(model, None, response)
    usable = status is Status.SUCCEEDED
    trained = TrainedModel(provider="scenario", id=model.id, name=model.name, base_model=model.type) if usable else None
    return Snapshot(
        id=f"{model.id}/{model.job or ''}",
        status=status,
        raw_status=model.status or None,
        phase=phase,
        progress=_progress(model, None),
        eta=_eta(model),
        model=trained,
        created_at=model.created,
        name=model.name,
        base_model=model.type,
    )


def adopted_training(model: Model, response: Response) -> Snapshot:
    """A training whose own answer was lost; one that has ended by now still runs until a poll tells how it ended."""
    note = "the answer to the submission was lost, but Scenario had accepted it; it was not repeated"
    snapshot = listed_training(model, response)
    status = Status.RUNNING if snapshot.status.finished else snapshot.status
    return snapshot.model_copy(update={"status": status, "model": None, "notes": (note,)})


# -- generations -------------------------------------------------------------------------------------------------------


def accepted_generation(accepted: AcceptedJob, response: Response, source: str = "generate answer") -> Snapshot:
    """A generation just accepted."""
    facts = {"cost": _price(accepted, source), "notes": _price_notes(accepted)}
    return generation(accepted.job, response.json()).model_copy(update=facts)


def accepted_patch(accepted: PatchAnswer, response: Response) -> Snapshot:
    """A patch just made: with its asset in the answer a finished one is over at once (Scenario dossier 6.4)."""
    asset, record = accepted.asset, accepted.job
    if asset is not None and not record.metadata.asset_ids:
        known = record.metadata.model_copy(update={"asset_ids": (asset.id,)})
        accepted = accepted.model_copy(update={"job": record.model_copy(update={"metadata": known})})
    snapshot = accepted_generation(accepted, response, "patch answer")
    return with_pictures(snapshot, [asset]) if asset is not None and delivered(snapshot) else snapshot


def is_generation(record: JobRecord) -> bool:
    """Whether a listed job made pictures that can be downloaded, from a prompt or from other pictures."""
    return record.type in _GENERATION_TYPES


def delivered(snapshot: Snapshot) -> bool:
    """Whether there are pictures to read."""
    return snapshot.status is Status.SUCCEEDED


def generation(record: JobRecord, raw: object) -> Snapshot:
    """How a generation stands; a success without pictures is a failure of its own kind (Scenario dossier 6.3)."""
    status, ids = JOB.read(record.status), record.metadata.asset_ids or ()
    error = _failure(record) if status is Status.FAILED else None
    if status is Status.SUCCEEDED and not ids:
        status, error = (
            Status.FAILED,
            Failure(message=_NO_PICTURES, code="no-outputs"),
        )
    return Snapshot(
        id=record.id,
        status=status,
        raw_status=record.status or None,
        progress=record.progress,
        images=tuple(GeneratedImage(id=identifier) for identifier in ids) if status is Status.SUCCEEDED else (),
        error=error,
        cost=_cost(record, status),
        created_at=record.created,
        raw=_raw(raw),
    )


def with_pictures(snapshot: Snapshot, assets: Sequence[Asset]) -> Snapshot:
    """The pictures in the order of the job; their own index is not to be trusted (Scenario dossier 7)."""
    known = {asset.id: asset for asset in assets}
    if any(ASSET.read(asset.status) is Status.RUNNING for asset in assets):
        return snapshot.model_copy(update={"status": Status.RUNNING, "phase": "assets pending", "images": ()})
    broken = [asset.id for asset in assets if ASSET.read(asset.status) is Status.FAILED]
    images = tuple(_picture(image.id, known.get(image.id)) for image in snapshot.images if image.id not in broken)
    if not images:
        error = Failure(message="Scenario could not store any picture", code="no-outputs")
        return snapshot.model_copy(update={"status": Status.FAILED, "images": (), "error": error})
    return snapshot.model_copy(update={"images": images})


def _picture(identifier: str, asset: Asset | None) -> GeneratedImage:
    if asset is None:
        return GeneratedImage(id=identifier)
    # An absent list says nothing, since labels come seconds later; an empty one means clean (Scenario dossier 7).
    safety = None if asset.nsfw is None else "flagged" if asset.nsfw else "clean"
    return GeneratedImage(
        id=identifier,
        media_type=asset.media_type,
        width=asset.properties.width or asset.metadata.width,
        height=asset.properties.height or asset.metadata.height,
        seed=asset.metadata.seed,
        safety=safety,
        metadata=asset.facts,
    )


# -- prices ------------------------------------------------------------------------------------------------------------


def _price(accepted: AcceptedJob, source: str) -> Cost | None:
    """The price after any discount, with the fee of IP detection, which comes on top (Scenario dossier 4.1)."""
    billing = accepted.job.billing
    amount = accepted.cost if accepted.cost is not None else billing.total if billing else None
    return None if amount is None else Cost(amount=amount + _fee(accepted), unit=UNIT, source=source)


def _fee(accepted: AcceptedJob) -> float:
    return (accepted.ip.charged if accepted.ip else None) or 0.0


def _price_notes(accepted: AcceptedJob) -> tuple[str, ...]:
    """What a price holds beyond the usual; all its parts are in the job's raw record."""
    discount, fee = accepted.discount or 0.0, _fee(accepted)
    told = [f"the price is after a discount of {discount:g} {UNIT}"] if discount else []
    return (*told, f"the price holds {fee:g} {UNIT} for the detection of protected content") if fee else tuple(told)


def _cost(record: JobRecord | None, status: Status) -> Cost | None:
    """What the job says; a failed one is paid back unless it says otherwise (Scenario dossier 5)."""
    billing = record.billing if record else None
    if billing is None or billing.total is None:
        return None
    if status is Status.FAILED and not billing.disable_refund:
        return Cost(amount=0, unit=UNIT, source="job billing, refunded since it failed")
    return Cost(amount=billing.total, unit=UNIT, source="job billing")


def _raw(body: object) -> dict[str, Any]:
    """The vendor's record without the list of training images, which is long and full of signed URLs."""
    raw: dict[str, Any] = dict(body) if isinstance(body, dict) else {}
    if isinstance(raw.get("model"), dict):
        raw["model"] = {name: value for name, value in raw["model"].items() if name != "trainingImages"}
    return raw
