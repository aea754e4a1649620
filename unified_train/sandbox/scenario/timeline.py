"""Words that follow each other in time: the life of one job, upload or training."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

_COMPLETE = ("success", "trained", "imported")


@dataclass
class Timeline:
    """Words, each due some simulated seconds after the start; a word gets its date when it is first due.

    Attributes:
        started: Simulated second of the start.
        date: Date of the start.
        plan: Seconds after the start and the word that is due then, in order.
        begin: Seconds after the start from which progress counts.
        length: Seconds after the start at which progress is complete, if nothing comes between.
        seen: Words that were due, with their dates.
    """

    started: float
    date: datetime
    plan: list[tuple[float, str]]
    begin: float = 0.0
    length: float = 0.0
    seen: list[tuple[str, datetime]] = field(default_factory=list)
    _last: tuple[float, datetime] | None = None

    def settle(self, now: float, date: datetime) -> None:
        """Add the words that are due at `now`; dates in between are laid out evenly since the last call."""
        before, before_date = self._last or (self.started, self.date)
        span = now - before
        for offset, word in self.plan[len(self.seen) :]:
            due = self.started + offset
            if due > now:
                break
            share = min(1.0, max(0.0, (due - before) / span)) if span > 0 else 1.0
            self.seen.append((word, before_date + (date - before_date) * share))
        self._last = (now, date)

    def end_with(self, now: float, lag: float, word: str) -> None:
        """Forget what is not yet due, and end with `word` in `lag` seconds."""
        self.plan = [*self.plan[: len(self.seen)], (now - self.started + lag, word)]

    @property
    def word(self) -> str:
        """The word of now."""
        return self.seen[-1][0]

    @property
    def finished(self) -> bool:
        """Whether no word is to come."""
        return len(self.seen) == len(self.plan)

    @property
    def changed(self) -> datetime:
        """Date of the last word."""
        return self.seen[-1][1]

    def share(self, now: float) -> float:
        """How much is done, 0 to 1; an early end leaves it where it stood."""
        if self.word in _COMPLETE:
            return 1.0
        elapsed = min(now - self.started, self.plan[-1][0])
        return min(1.0, max(0.0, (elapsed - self.begin) / max(self.length - self.begin, 1e-9)))

    def date_of(self, word: str) -> datetime | None:
        """When this word was due, or None if it is yet to come."""
        return next((date for known, date in self.seen if known == word), None)
