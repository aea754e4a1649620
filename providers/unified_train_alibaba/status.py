"""Every word this vendor has for the state of a job, and what it means; there is no other place that knows one.

The words are those of the vendor's OpenAPI metadata, plus `NOT_START`, which only recorded answers show (Alibaba
dossier 5). Failures say neither "fail" nor "error". No state means canceled: the vendor can't cancel.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from unified_train import Failure, Status, StatusTable, Word

if TYPE_CHECKING:
    from unified_train import Job

CROWDED = "TOO_MANY_INFERENCE_REQUESTS"
CROWDED_FOR = timedelta(seconds=60)

JOB = StatusTable(
    "jobStatus",
    {
        "NOT_START": Word(Status.QUEUED, "right after creation, in recorded answers (Alibaba dossier 5)"),
        "SUBMITTED": Word(Status.QUEUED, "accepted; in the metadata's list of words"),
        "WAIT_SCHEDULE": Word(Status.QUEUED, "waits for a worker (vendor page 2862802)"),
        "TRAINING": Word(Status.RUNNING, "trains (vendor page of AddModelTrainJob)"),
        "INFERRING": Word(Status.RUNNING, "makes pictures; in the metadata's list of words"),
        "FINISHED": Word(Status.SUCCEEDED, "done (vendor page 2850852)"),
        "TRAINING_TERMINATED": Word(Status.FAILED, "ended by the service; users can't cancel, so not canceled"),
        "INFERRING_TERMINATED": Word(Status.FAILED, "ended by the service; users can't cancel, so not canceled"),
        "WRONG_IMAGE_URL": Word(Status.FAILED, "an image URL could not be fetched or read (Alibaba dossier 5)"),
        "OOM": Word(Status.FAILED, "out of memory at the vendor (Alibaba dossier 5)"),
        CROWDED: Word(Status.UNKNOWN, "may pass or stay, nobody tells; see `read` (Alibaba dossier 5)"),
    },
)

_HINTS = {
    "WRONG_IMAGE_URL": "the vendor could not fetch or read an image; its URL must answer anybody with a picture",
    "OOM": "the vendor ran out of memory; the same job may work later",
    CROWDED: "the vendor had too many requests; start the job again later",
    "EMPTY_RESULT": "the vendor finished without a picture; try another prompt or seed",
}


@dataclass(frozen=True, slots=True)
class State:
    """A status with its reason, if it is a failure."""

    status: Status
    failure: Failure | None = None


def read(word: str | None, job: Job | None = None) -> State:
    """What a word means for a job, given what was seen of the job before.

    `TOO_MANY_INFERENCE_REQUESTS` may be a refusal that passes. It counts as a failure once it was seen in three looks
    over a minute or more: at its first appearance in the history, at the last look, and now.
    """
    status = JOB.read(word)
    if _is_crowded(word) and job is not None and _crowded_long(job):
        status = Status.FAILED
    return State(status, failure(str(word).strip().upper()) if status is Status.FAILED else None)


def failure(code: str) -> Failure:
    """The reason of a failure; the status word is all that the vendor says (Alibaba dossier 5)."""
    return Failure(message=f"the vendor gives no reason but the word {code}", code=code, hint=_HINTS.get(code))


def no_pictures() -> State:
    """A generation that finished without a picture has failed, whatever its status word says."""
    code = "EMPTY_RESULT"
    message = "the vendor says that the generation is finished, but lists no picture"
    return State(Status.FAILED, Failure(message=message, code=code.lower(), hint=_HINTS[code]))


def _is_crowded(word: str | None) -> bool:
    return (word or "").strip().upper() == CROWDED


def _crowded_long(job: Job) -> bool:
    since = job.history[-1] if job.history else None
    if since is None or job.updated_at is None or not _is_crowded(since.raw_status):
        return False
    return job.updated_at - since.at >= CROWDED_FOR
