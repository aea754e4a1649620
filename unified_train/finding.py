"""What a vendor is asked when the answer to a submission was lost, and what it can tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from unified_train.http import Request
    from unified_train.models import JobKind


@dataclass(frozen=True, slots=True)
class Lost:
    """A request that creates or bills, and that may have been accepted.

    Attributes:
        request: As it was sent.
        kind: Of the job that it belongs to.
        marker: A text that no other call has: the vendor-visible name of a training ends with it, and
            `Provider.marked` may have put it elsewhere.
        since: The vendor can't have got the request before (aware, UTC; clocks that differ are allowed for).
    """

    request: Request
    kind: JobKind
    marker: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Found:
    """Something at the vendor that the lost request made.

    Attributes:
        id: As the id of the snapshot that comes of it; of a record that is no job, the vendor's own id.
        created_at: As the vendor says (aware).
        answer: The JSON value that the lost answer would have had, as far as the flow reads it.
    """

    id: str
    created_at: datetime | None
    answer: Any
