"""Jobs that nobody ran: how long they take, and what their vendor says of them meanwhile."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from unified_train.models import JobKind

Telling: TypeAlias = Literal["nothing", "progress", "eta"]
Manner: TypeAlias = Literal["plain", "rough"]
"""`plain`: progress in steps of 1 %, estimates that err by a tenth. `rough`: steps of up to 10 %, noise, progress that
runs ahead or behind, a last one that stays for minutes, and estimates that err by a third."""

MEDIAN, SPREAD, SHORTEST, LONGEST = 1200.0, 0.6, 300.0, 5400.0
"""Seconds (but for the spread, which is that of the logarithm), of trainings that end well."""
_DEATH = 0.5
_ALMOST = 0.99


@dataclass(frozen=True, slots=True)
class Answer:
    """What a vendor says at one look.

    Attributes:
        queued: Whether the job waits for its turn.
        progress: 0 to 1.
        eta: Seconds.
    """

    queued: bool = False
    progress: float | None = None
    eta: float | None = None


@dataclass(frozen=True, slots=True)
class Drawn:
    """One job.

    Attributes:
        kind: Of the job.
        ends: Seconds until it ends, however it does.
        whole: Seconds that it would take if it did not end before.
        queue: Seconds in the vendor's queue.
        falls_silent: Seconds after which progress and estimate stay as they are.
        grain: Steps of the progress.
        bend: Exponent of the progress over time; 1 is a straight line.
        noise: Standard deviation of the progress.
        error: Standard deviation of the estimate's logarithm.
        number: Seeds what is random in the answers.
    """

    kind: JobKind
    ends: float
    whole: float
    queue: float = 0.0
    falls_silent: float = math.inf
    grain: float = 0.01
    bend: float = 1.0
    noise: float = 0.0
    error: float = 0.1
    number: int = 0

    def answer(self, at: float, telling: Telling, chance: random.Random) -> Answer:
        """What is said at a time."""
        at = min(at, self.falls_silent)
        queued = at < self.queue
        if telling == "eta":
            error = math.exp(chance.gauss(0, self.error)) if at < self.falls_silent else 1.0
            return Answer(queued, eta=float(round(max(0.0, self.whole - at) * error)))
        if telling == "progress" and not queued:
            straight = (at - self.queue) / (self.whole - self.queue)
            bent = max(0.0, straight) ** self.bend + (chance.gauss(0, self.noise) if at < self.falls_silent else 0.0)
            return Answer(progress=math.floor(min(_ALMOST, max(0.0, bent)) / self.grain + 1e-9) * self.grain)
        return Answer(queued)


@dataclass(frozen=True, slots=True)
class Population:
    """Jobs of all sorts.

    Attributes:
        trainings: They end well.
        failures: Trainings that fail within their first minute.
        deaths: Trainings that die half way.
        quiet: Trainings that fall silent on the way and take three times as long as it seemed.
        generations: Three to sixty seconds.
        past: Seconds that trainings took before, as a journal would have them.
    """

    trainings: tuple[Drawn, ...]
    failures: tuple[Drawn, ...]
    deaths: tuple[Drawn, ...]
    quiet: tuple[Drawn, ...]
    generations: tuple[Drawn, ...]
    past: tuple[float, ...]


def drawn(trainings: int, seed: int, manner: Manner = "plain") -> Population:
    """A population; of the other sorts there are a third as many as of trainings that end well."""
    chance = random.Random(seed)  # noqa: S311 - nothing is kept secret by it
    few = max(1, trainings // 3)
    died = [_training(chance, manner, number) for number in range(few)]
    silent = [_training(chance, manner, number) for number in range(few)]
    return Population(
        trainings=tuple(
            _training(chance, manner, number, _quantile((number + chance.random()) / trainings))
            for number in range(trainings)
        ),
        failures=tuple(_but(_training(chance, manner, n), ends=chance.uniform(1, 60)) for n in range(few)),
        deaths=tuple(_but(one, ends=_DEATH * one.whole) for one in died),
        quiet=tuple(
            _but(one, ends=3 * one.whole, falls_silent=one.whole * chance.uniform(0.2, 0.95)) for one in silent
        ),
        generations=tuple(_generation(chance, number) for number in range(few)),
        past=tuple(_quantile(chance.random()) for _ in range(100)),
    )


def _training(chance: random.Random, manner: Manner, number: int, whole: float | None = None) -> Drawn:
    whole = whole or _quantile(chance.random())
    # A third waits for its turn: for a minute and a half on average.
    queue = min(chance.expovariate(1 / 90), 0.3 * whole) if chance.random() < 1 / 3 else 0.0
    if manner == "plain":
        return Drawn("training", whole, whole, queue, number=number)
    seems = whole * chance.choice([1.0, 1.0, chance.uniform(0.9, 1.0)])  # the rest is spent at 99 %
    return Drawn(
        "training",
        whole,
        seems,
        queue,
        grain=chance.choice([0.01, 0.05, 0.1]),
        bend=math.exp(chance.gauss(0, 0.15)),
        noise=0.01,
        error=0.3,
        number=number,
    )


def _generation(chance: random.Random, number: int) -> Drawn:
    seconds = 3.0 * 20.0 ** chance.random()
    return Drawn("generation", seconds, seconds, number=number)


def _quantile(share: float) -> float:
    """Seconds in which so many of the trainings have ended: log-normal, without what is shorter or longer."""
    normal = NormalDist(math.log(MEDIAN), SPREAD)
    least, most = normal.cdf(math.log(SHORTEST)), normal.cdf(math.log(LONGEST))
    return math.exp(normal.inv_cdf(least + share * (most - least)))


def _but(job: Drawn, *, ends: float, falls_silent: float = math.inf) -> Drawn:
    return Drawn(
        job.kind, ends, job.whole, job.queue, falls_silent, job.grain, job.bend, job.noise, job.error, job.number
    )
