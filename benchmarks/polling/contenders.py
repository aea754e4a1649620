"""The ways to poll that are compared."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from unified_train.polling import Polling, Trail, Usual, next_look

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.polling.drawn import Answer, Drawn, Population, Telling

FLOOR = 1.0
"""Seconds between looks at least, as the vendors have it."""


class Contender(Protocol):
    """A way to poll."""

    @property
    def name(self) -> str:
        """For the table."""
        ...

    @property
    def telling(self) -> Telling:
        """What it makes use of."""
        ...

    def play(self, job: Drawn) -> tuple[int, float]:
        """Looks until the end was seen, and by how many seconds that was too late."""
        ...


@dataclass(frozen=True, slots=True)
class Fixed:
    """A look every so many seconds."""

    name: str
    seconds: float
    telling: Telling = "nothing"

    def play(self, job: Drawn) -> tuple[int, float]:
        """See `Contender`."""
        looks = max(1, math.ceil(job.ends / self.seconds))
        return looks, looks * self.seconds - job.ends


@dataclass(frozen=True, slots=True)
class Stepping:
    """Waits that depend on the age and on the last answer.

    Attributes:
        name: For the table.
        wait: The next wait, from age and answer.
        telling: What it makes use of.
    """

    name: str
    wait: Callable[[float, Answer], float]
    telling: Telling = "nothing"

    def play(self, job: Drawn) -> tuple[int, float]:
        """See `Contender`."""
        return _played(job, self.telling, FLOOR, self.wait)


@dataclass(frozen=True, slots=True)
class Ours:
    """`next_look`, with jitter as the library adds it.

    Attributes:
        name: For the table.
        telling: What the vendor tells.
        usual: What was learned before.
        polling: As configured.
    """

    name: str
    telling: Telling = "nothing"
    usual: Usual | None = None
    polling: Polling = field(default_factory=Polling)

    def play(self, job: Drawn) -> tuple[int, float]:
        """See `Contender`."""
        trail = Trail(0.0)
        chance = random.Random(job.number)  # noqa: S311 - nothing is kept secret by it

        def wait(now: float, answer: Answer) -> float:
            trail.see(now, queued=answer.queued, progress=answer.progress, eta=answer.eta)
            seconds = next_look(trail.seen(now, job.kind, now, self.usual, FLOOR), self.polling)
            return max(FLOOR, seconds * chance.uniform(0.9, 1.1))

        return _played(job, self.telling, self.polling.first, wait)


def _played(job: Drawn, telling: Telling, first: float, wait: Callable[[float, Answer], float]) -> tuple[int, float]:
    chance = random.Random(job.number)  # noqa: S311 - nothing is kept secret by it
    now, looks = first, 1
    while now < job.ends:
        now += wait(now, job.answer(now, telling, chance))
        looks += 1
    return looks, now - job.ends


def proportional(share: float) -> Stepping:
    """A share of the age, between a second and half a minute."""
    return Stepping(f"{100 * share:.0f} % of the age, 1 to 30 s", lambda age, _: min(30.0, max(1.0, share * age)))


def _by_progress(age: float, answer: Answer) -> float:
    """Nine tenths of the estimated rest, within 0.5 and 15 % of the age, at least five seconds."""
    rest = age * (1 - answer.progress) / answer.progress if answer.progress else age
    return max(5.0, min(0.15 * age, max(0.005 * age, 0.9 * rest)))


def contenders(population: Population) -> Sequence[Contender]:
    """All of them, the usual ones first."""
    usual = Usual.of(population.past)
    return [
        Fixed("every 0.1 s (fal's client)", 0.1),
        Fixed("every 0.5 s (replicate's and Novita's clients)", 0.5),
        Fixed("every second", 1.0),
        Fixed("every 30 s", 30.0),
        proportional(0.15),
        proportional(0.30),
        Stepping("90 % of the rest by progress, at least 5 s", _by_progress, "progress"),
        *ours(usual),
    ]


def ours(usual: Usual | None) -> list[Ours]:
    """Ours, by what is known."""
    return [
        Ours("ours, nothing known"),
        Ours("ours, learned", usual=usual),
        Ours("ours, progress", "progress"),
        Ours("ours, ETA", "eta"),
        Ours("ours, progress, learned", "progress", usual),
        Ours("ours, ETA, learned", "eta", usual),
    ]
