"""How jobs come about and change: first snapshot, later snapshots, and jobs that stand for several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unified_train import redact
from unified_train.errors import JobCanceled, JobFailed
from unified_train.models import Change, Cost, Failure, Job, Snapshot
from unified_train.status import Status, settled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from unified_train.models import JobKind

SEPARATOR = ","
"""Between the ids of a job's parts; no provider's id contains it."""


_FIELDS = set(Job.model_fields)


def begun(provider: str, kind: JobKind, snapshot: Snapshot, now: datetime, **facts: Any) -> Job:
    """The job that a vendor has just accepted, or that a listing shows; `facts` are fields that only we know."""
    return advanced(Job(provider=provider, kind=kind, id=snapshot.id, **facts), snapshot, now)


def advanced(job: Job, snapshot: Snapshot, now: datetime) -> Job:
    """The job after one more answer; a finished one stays as it is."""
    if job.finished:
        return job
    status = settled(job.status, snapshot.status)
    return with_facts(
        job,
        {
            "id": snapshot.id,
            "status": status,
            "raw_status": snapshot.raw_status,
            "phase": snapshot.phase,
            "progress": 1.0 if status is Status.SUCCEEDED else _either(snapshot.progress, job.progress),
            "eta": None if status.finished else snapshot.eta,
            "model": _either(snapshot.model, job.model),
            "images": snapshot.images or job.images,
            "error": _either(snapshot.error, job.error),
            "cost": _either(snapshot.cost, job.cost),
            "created_at": _either(job.created_at, _either(snapshot.created_at, now)),
            "updated_at": now,
            "name": _either(job.name, snapshot.name),
            "base_model": _either(snapshot.base_model, job.base_model),
            "notes": tuple(dict.fromkeys([*job.notes, *snapshot.notes, *_missing(job, snapshot)])),
            "history": _history(job.history, status, snapshot, now),
            "raw": redact.payload(snapshot.raw),
        },
    )


def _history(history: tuple[Change, ...], status: Status, snapshot: Snapshot, now: datetime) -> tuple[Change, ...]:
    """The history with one more change, if it is one."""
    last = history[-1] if history else None
    if last and (last.status, last.raw_status, last.phase) == (status, snapshot.raw_status, snapshot.phase):
        return history
    return (*history, Change(at=now, status=status, raw_status=snapshot.raw_status, phase=snapshot.phase))


def with_facts(job: Job, facts: Mapping[str, Any]) -> Job:
    """The job with other values in some fields."""
    copy = job.model_copy(update=dict(facts))
    # Which fields were set matters to nobody, but as a set of its own it would take half the memory of a job.
    object.__setattr__(copy, "__pydantic_fields_set__", _FIELDS)
    return copy


def _missing(job: Job, snapshot: Snapshot) -> list[str]:
    """A note if a vendor says that it succeeded, with fewer pictures than were asked for."""
    if snapshot.status is not Status.SUCCEEDED or job.n is None or len(snapshot.images) >= job.n:
        return []
    return [f"{len(snapshot.images)} of {job.n} pictures were made"]


def _either(first: Any, second: Any) -> Any:
    return second if first is None else first


def ended_well(job: Job) -> Job:
    """The job, unless it failed or was canceled.

    Raises:
        JobFailed, JobCanceled: It did.
    """
    if job.status is Status.FAILED:
        reason = job.error.message if job.error else "the vendor gives no reason"
        hint = f" {job.error.hint}" if job.error and job.error.hint else ""
        raise JobFailed(f"{job.reference} failed ({job.raw_status}): {reason}{hint}", job=job)
    if job.status is Status.CANCELED:
        raise JobCanceled(f"{job.reference} was canceled", job=job)
    return job


def changed(before: Job, after: Job) -> bool:
    """Whether a user would want to hear of it."""
    return (before.history, before.progress, before.images, before.model, before.notes) != (
        after.history,
        after.progress,
        after.images,
        after.model,
        after.notes,
    )


def parts(job: Job) -> Sequence[Job]:
    """The jobs that a job stands for: itself, or its parts, also if only its reference is known."""
    if job.parts or SEPARATOR not in job.id:
        return job.parts or (job,)
    return [Job(provider=job.provider, kind=job.kind, id=part) for part in job.id.split(SEPARATOR)]


def joined(jobs: Sequence[Job], whole: Job | None = None) -> Job:
    """One job that stands for several generations; `whole` is its state so far.

    It is finished when all parts are, and succeeded only if all are: what the others made is in `images` all the same.
    """
    if len(jobs) == 1:
        return jobs[0]
    first = jobs[0]
    status = _together([job.status for job in jobs])
    raw = next((job.raw_status for job in jobs if job.status is status), first.raw_status)
    history = whole.history if whole else ()
    now = max((job.updated_at for job in jobs if job.updated_at), default=None)
    if now and (not history or (history[-1].status, history[-1].raw_status) != (status, raw)):
        history = (*history, Change(at=now, status=status, raw_status=raw))
    return Job(
        provider=first.provider,
        kind=first.kind,
        id=SEPARATOR.join(job.id for job in jobs),
        status=status,
        raw_status=raw,
        progress=_mean([job.progress for job in jobs]),
        eta=max((job.eta for job in jobs if job.eta is not None), default=None),
        n=sum(job.n for job in jobs if job.n) or None,
        images=tuple(image for job in jobs for image in job.images),
        error=_failures(jobs),
        cost=_sum([job.cost for job in jobs]),
        created_at=min((job.created_at for job in jobs if job.created_at), default=None),
        updated_at=now,
        key=first.key,
        labels=first.labels,
        notes=tuple(dict.fromkeys([*(whole.notes if whole else ()), *(note for job in jobs for note in job.notes)])),
        history=history,
        parts=tuple(jobs),
    )


def _together(statuses: Sequence[Status]) -> Status:
    """The status of the whole: what is still open decides; once all is over, the worst does."""
    present = set(statuses)
    if any(not status.finished for status in statuses):
        if Status.RUNNING in present or any(status.finished for status in statuses):
            return Status.RUNNING
        return Status.UNKNOWN if Status.UNKNOWN in present else Status.QUEUED
    for worst in (Status.FAILED, Status.CANCELED):
        if worst in present:
            return worst
    return Status.SUCCEEDED


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(value or 0.0 for value in values) / len(values) if known else None


def _sum(costs: Sequence[Cost | None]) -> Cost | None:
    """The total, or None if a part's cost is unknown: a sum that leaves something out would be a lie."""
    known = [cost for cost in costs if cost is not None]
    if len(known) < len(costs) or len({cost.unit for cost in known}) != 1:
        return None
    return Cost(amount=sum(cost.amount for cost in known), unit=known[0].unit, source=known[0].source)


def _failures(jobs: Sequence[Job]) -> Failure | None:
    failed = [job.error for job in jobs if job.error]
    if not failed:
        return None
    return Failure(
        message=f"{len(failed)} of {len(jobs)} calls failed: {failed[0].message}",
        code=failed[0].code,
        hint=failed[0].hint,
    )
