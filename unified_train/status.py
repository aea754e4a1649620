"""Every state a job can be in, what each vendor's words mean in these terms, and the rule that a finished job stays so.

queued ──► running ──► succeeded
   │          │    └─► failed
   └──────────┴──────► canceled

unknown   the vendor said a word that nobody has mapped: it is kept visible, and it neither ends nor reopens a job
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Status(StrEnum):
    """The neutral state of a job."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    UNKNOWN = "unknown"

    @property
    def finished(self) -> bool:
        """Whether no later answer can change it."""
        return self in _FINISHED


_FINISHED = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELED})


class Word(NamedTuple):
    """What one vendor word means, and why we think so (with the dossier section or vendor page)."""

    status: Status
    why: str


@dataclass(frozen=True, slots=True)
class StatusTable:
    """All words of one vendor field, compared trimmed and without regard to case.

    Attributes:
        name: Of the field, such as `task_status`.
        words: What each word means.
    """

    name: str
    words: Mapping[str, Word]
    _folded: dict[str, Status] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        folded = {word.casefold(): entry.status for word, entry in self.words.items()}
        object.__setattr__(self, "_folded", folded)

    def read(self, word: object) -> Status:
        """The neutral status of a vendor word; `Status.UNKNOWN` for anything that is not in the table."""
        return self._folded.get(str(word).strip().casefold(), Status.UNKNOWN)

    def __iter__(self) -> Iterator[tuple[str, Word]]:
        return iter(self.words.items())


def settled(before: Status, now: Status) -> Status:
    """The status to keep when a vendor says `now` of a job that was `before`: a finished job never reopens."""
    return before if before.finished else now
