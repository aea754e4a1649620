"""What an observer is told: small frozen facts, without secrets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from unified_train.http import Effect
    from unified_train.models import Job


@dataclass(frozen=True, slots=True)
class RequestFinished:
    """One attempt of one request ended.

    Attributes:
        provider: Slug.
        operation: Such as `training.start`.
        method: HTTP method.
        url: Without signatures.
        effect: What the request does at the vendor.
        attempt: From 1.
        seconds: From before signing to the last byte of the answer.
        status: HTTP status, None if no answer came.
        error: Name of the error class it led to, or None.
    """

    provider: str
    operation: str
    method: str
    url: str
    effect: Effect | None
    attempt: int
    seconds: float
    status: int | None
    error: str | None


@dataclass(frozen=True, slots=True)
class RetryScheduled:
    """A request will be sent again.

    Attributes:
        provider: Slug.
        operation: Such as `training.poll`.
        attempt: The attempt that failed, from 1.
        delay: Seconds until the next.
        error: Name of the error class.
    """

    provider: str
    operation: str
    attempt: int
    delay: float
    error: str


@dataclass(frozen=True, slots=True)
class SubmissionReconciled:
    """It was found out whether a request whose answer was lost had been accepted.

    Attributes:
        provider: Slug.
        operation: Such as `training.start`.
        key: Of the call in the journal.
        outcome: `adopted`: what it made was found and taken on. `absent`: it was never accepted, and is sent again.
    """

    provider: str
    operation: str
    key: str
    outcome: Literal["adopted", "absent"]


@dataclass(frozen=True, slots=True)
class JobChanged:
    """A job was started, or a poll saw it in another state."""

    job: Job


Event: TypeAlias = RequestFinished | RetryScheduled | SubmissionReconciled | JobChanged
Observer: TypeAlias = Callable[[Event], None]
