"""Every word this vendor has for the state of a job, and what it means; there is no other place that knows one.

A training has two stages: the task succeeds, then its model is deployed, and only a model that serves can be used
(vendor page of the training result; Novita dossier 10). Generations have other words, and can't be canceled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from unified_train import Status, StatusTable, Word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unified_train import Failure

DEPLOYING = "deploying"

TASK = StatusTable(
    "task_status",
    {
        "UNKNOWN": Word(Status.UNKNOWN, "not known, or not updated yet (vendor page): it passes"),
        "QUEUING": Word(Status.QUEUED, "accepted, waiting (Novita dossier 10)"),
        "TRAINING": Word(Status.RUNNING, "trains (Novita dossier 10)"),
        "SUCCESS": Word(Status.RUNNING, "trained, but not usable until its model serves (Novita dossier 4.4)"),
        "CANCELED": Word(Status.CANCELED, "exists as a word, though no way to cancel is documented"),
        "FAILED": Word(Status.FAILED, "the vendor gives no reason (Novita dossier 4.4)"),
    },
)
MODEL = StatusTable(
    "model_status",
    {
        "DEPLOYING": Word(Status.RUNNING, "trained and on its way to the servers (Novita dossier 10)"),
        "SERVING": Word(Status.SUCCEEDED, "can be used from now on (vendor guide on training)"),
    },
)
GENERATION = StatusTable(
    "task.status",
    {
        "TASK_STATUS_QUEUED": Word(Status.QUEUED, "accepted, waiting (Novita dossier 10)"),
        "TASK_STATUS_PROCESSING": Word(Status.RUNNING, "makes pictures (Novita dossier 10)"),
        "TASK_STATUS_SUCCEED": Word(Status.SUCCEEDED, "done, if it lists a picture; spelled so by the vendor"),
        "TASK_STATUS_FAILED": Word(Status.FAILED, "`task.reason` says why (Novita dossier 5.4)"),
        "TASK_STATUS_UNKNOWN": Word(Status.UNKNOWN, "only in the vendor's JavaScript SDK: it passes"),
    },
)
TABLES = (TASK, MODEL, GENERATION)
_TRAINED = "success"


class State(NamedTuple):
    """A status with the vendor's words for it, the finer step, and the reason if it is a failure."""

    status: Status
    raw: str
    phase: str | None = None
    failure: Failure | None = None


def training(task_word: str, model_words: Sequence[str]) -> State:
    """What the words of a training and of its models mean together."""
    task = TASK.read(task_word)
    if task_word.strip().casefold() != _TRAINED:
        return State(task, task_word, failure=_no_reason() if task is Status.FAILED else None)
    models = {word: MODEL.read(word) for word in model_words}
    for wanted in (Status.SUCCEEDED, Status.UNKNOWN):
        said = [word for word, status in models.items() if status is wanted]
        if said:
            return State(wanted, f"{task_word}/{said[0]}")
    return State(Status.RUNNING, "/".join([task_word, *models]), DEPLOYING)


def serves(model_word: str) -> bool:
    """Whether a model can be used."""
    return MODEL.read(model_word) is Status.SUCCEEDED


def generation(word: str, reason: str, pictures: int) -> State:
    """What the word of a generation means, given its `reason` and how many pictures it lists."""
    status = GENERATION.read(word)
    if status is Status.SUCCEEDED and not pictures:
        return State(Status.FAILED, word, failure=_no_picture())
    return State(status, word, failure=failed(reason) if status is Status.FAILED else None)


def failed(reason: str) -> Failure:
    """Why a generation failed, as far as the vendor tells."""
    from unified_train import Failure

    return Failure(message=reason or "the vendor gives no reason")


def _no_reason() -> Failure:
    from unified_train import Failure

    return Failure(
        message="the vendor gives no reason",
        hint="check the photos (png, jpeg or webp, sharp, one subject) and the options, then train again",
    )


def _no_picture() -> Failure:
    from unified_train import Failure

    return Failure(message="the vendor says that the generation succeeded, but lists no picture", code="no_output")
