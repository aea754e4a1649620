"""What is promised for each cell of the fault matrix: rules by effect and nature, and the exceptions with reasons.

The rules are those of the policy, of the journal and of the errors' docstrings. Nothing here was read off the code's
behaviour: a cell that fails is a promise that is not kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from fault_matrix.mishaps import Mishap, Nature
from fault_matrix.operations import Operation

from unified_train import (
    MalformedResponse,
    NotFound,
    PermissionDenied,
    SubmissionUncertain,
    TransportError,
    UnifiedTrainError,
)

ATTEMPTS = 3
"""Of a request that may be repeated."""


@dataclass(frozen=True)
class Outcome:
    """How a call ends.

    Attributes:
        error: Exact class; None for a right result.
        requests: How often the struck request was made, or tried.
        paid: Submissions that the vendor accepted.
        reconciled: What was found out about submissions whose answers were lost: `adopted` or `absent`.
    """

    error: type[UnifiedTrainError] | None = None
    requests: int = 1
    paid: int = 0
    reconciled: tuple[str, ...] = ()

    @property
    def in_doubt(self) -> bool:
        """Whether the journal has a call of which nobody knows what became of it."""
        return self.error is SubmissionUncertain


def promised(operation: Operation, mishap: Mishap) -> Outcome | None:
    """The outcome of a cell; None where the mishap can't happen."""
    if mishap.edits and not operation.edits(mishap):
        return None
    exception = _exception(operation, mishap)
    return exception[0] if exception else _by_rule(operation, mishap)


def reason(operation: Operation, mishap: Mishap) -> str | None:
    """Why a cell is not as the rules have it, if it is not."""
    exception = _exception(operation, mishap)
    return exception[1] if exception else None


def _exception(operation: Operation, mishap: Mishap) -> tuple[Outcome, str] | None:
    if mishap.skew and operation.dated and not operation.loses:
        return replace(_by_rule(operation, mishap), requests=2), _CLOCK
    return _EXCEPTIONS.get((operation.name, mishap.name))


def _by_rule(operation: Operation, mishap: Mishap) -> Outcome:
    if operation.loses:
        return _looked_up(operation, mishap)
    if operation.effect.idempotent:
        return _repeatable(operation, mishap)
    return _counting(operation, mishap)


def _repeatable(operation: Operation, mishap: Mishap) -> Outcome:
    """What does no harm twice: repeated on whatever passes, and never on what does not."""
    match mishap.nature:
        case Nature.UNREACHED:
            return Outcome(TransportError, ATTEMPTS)
        case Nature.LOST | Nature.NOT_NOW:
            return Outcome(requests=2)
        case Nature.REFUSED:
            return Outcome(mishap.error)
        case Nature.UNREADABLE:
            return Outcome(MalformedResponse if operation.answer_read else None)
        case Nature.HARMLESS:
            return Outcome()


def _counting(operation: Operation, mishap: Mishap) -> Outcome:
    """What creates or bills: repeated only if it was surely not accepted."""
    match mishap.nature:
        case Nature.UNREACHED:
            return Outcome(TransportError, ATTEMPTS)
        case Nature.REFUSED:
            return Outcome(mishap.error)
        case Nature.NOT_NOW:
            return Outcome(requests=2, paid=operation.pays)
        case Nature.HARMLESS if not mishap.drips:
            return Outcome(paid=operation.pays)
        case _:
            return _in_doubt(operation, accepted=mishap.accepted)


def _in_doubt(operation: Operation, *, accepted: bool) -> Outcome:
    """What was lost is looked for; if it surely never arrived, it is sent once more; if nobody can tell, it is not."""
    if not operation.askable:
        return Outcome(SubmissionUncertain, paid=int(accepted))
    if accepted:
        return Outcome(paid=operation.pays, reconciled=("adopted",))
    return Outcome(requests=2, paid=operation.pays, reconciled=("absent",))


def _looked_up(operation: Operation, mishap: Mishap) -> Outcome:
    """A list that is asked for a submission: read as any other, but if it can't be read, the doubt stays."""
    read = _repeatable(operation, mishap)
    if read.error is None:
        return replace(read, paid=operation.pays, reconciled=("adopted",))
    return replace(read, error=SubmissionUncertain, paid=operation.paid_before)


_CLOCK = "the vendor refuses a wrong clock, from which the right time is learnt, and is asked again"
_STORAGE_EXPIRED = "the URL has expired: a fresh one is asked for, once"
_HOST_EXPIRED = "the image host refuses; its URL is the user's own, so there is no fresh one"
_EMPTY = "an empty picture is one that was cut off: it is fetched once more"
_NO_BODY = "the answer has no body that could be cut"
_STORAGE_RETIRED = "a storage has no routes, only things that are not there"

_EXCEPTIONS: dict[tuple[str, str], tuple[Outcome, str]] = {
    **{
        (name, "expired"): (Outcome(PermissionDenied, 2), _STORAGE_EXPIRED)
        for name in ("novita-store", "scenario-download", "novita-download")
    },
    **{(name, "empty"): (Outcome(requests=2), _EMPTY) for name in ("scenario-download", "novita-download")},
    **{
        (name, cut): (Outcome(), _NO_BODY)
        for name in ("novita-store", "alibaba-store")
        for cut in ("reset-within", "cut-off")
    },
    ("alibaba-store", "expired"): (Outcome(PermissionDenied), _HOST_EXPIRED),
    **{
        (name, "retired"): (Outcome(NotFound), _STORAGE_RETIRED)
        for name in ("novita-store", "alibaba-store", "scenario-download", "novita-download")
    },
}
