"""When to look at a job again: one pure function, and what it is told of the job.

`benchmarks/polling` plays it against drawn jobs and against what others do; docs/performance.md has the numbers.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unified_train.models import JobKind

_EARLY = 60.0
"""Seconds in which a training that was started with something wrong usually fails."""
_EARLY_STEP = 4.5
"""Seconds between looks then: with the jitter on top, a failure is seen within five."""
_RAMP = 20.0
"""Of `share`: how much of its age a young training is left alone for, up to `_EARLY_STEP`."""
_GROWTH = 4.0
"""Of `share`: the same, for a training of which nothing is known."""
_FAR_LEARNED = 4.0
"""Of `share`: the same, if the end is said to be far, and no such job has ended so early. Deaths are seen late then."""
_FAR_LONGEST = 4.0
"""Of `longest`: what may lie between two looks if the end is said to be far."""
_PRICE = 0.1715
"""Of `share`: what a look costs against a delay; see `_guessed`."""
_NEAR = 0.85
"""Of an estimated rest: what is waited for, since estimates err, and a look too early costs one more look."""
_FINE = 0.004
"""Of its age: how finely the end of a job is looked for once it is near."""
_LATE = 0.25
"""Of the time by which an estimate was wrong: what is waited for, so that one that stays wrong costs few looks."""
_CLOSE = 0.05
"""Of its age: how near its end a job counts as close to it."""
_STALE = 3.0
"""Steps of progress that may fail to come before a job counts as stalled."""
_STALE_ETA = 0.1
"""Of an estimate: for how long it may stay the same and still be believed."""
_ALMOST = 0.999
_COARSE = 0.05
_TAIL = 2.0
"""Standard deviations beyond which what was learned is believed no longer."""
_FEWEST = 5
_LEAST_SPREAD = 0.15
_MOST_SPREAD = 1.5
_FURTHEST = 8.0
_TENTHS = 2.563
"""Standard deviations between the first and the last tenth of a normal distribution."""


@dataclass(frozen=True, slots=True)
class Polling:
    """When to look at a job again; see `next_look` for what is made of it.

    Attributes:
        first: Seconds before the first look, and between looks at least.
        share: Of the age of a job: how late its end may be seen if nothing is known about it. Half of it means looking
            twice as often.
        longest: Seconds between looks at most; four times that where the vendor says that the end is far.
        patience: Seconds for which looks may fail before the last failure is raised; the job itself goes on.
    """

    first: float = 1.0
    share: float = 0.15
    longest: float = 60.0
    patience: float = 600.0


class Usual(NamedTuple):
    """How long jobs of some kind take: a log-normal distribution, which is what such times look like.

    Attributes:
        median: Seconds.
        spread: Standard deviation of the natural logarithm.
    """

    median: float
    spread: float

    @classmethod
    def of(cls, durations: Sequence[float]) -> Usual | None:
        """What durations of finished jobs, in seconds, tell; None if they are too few.

        Median and outer tenths: a job or two that were looked at only the next morning change nothing.
        """
        import statistics

        logs = sorted(math.log(seconds) for seconds in durations if 0 < seconds < math.inf)
        if len(logs) < _FEWEST:
            return None
        tenths = statistics.quantiles(logs, n=10, method="inclusive")
        wider = (tenths[-1] - tenths[0]) / _TENTHS * (1 + 1 / len(logs))  # a few look more alike than they are
        return cls(math.exp(statistics.median(logs)), min(max(wider, _LEAST_SPREAD), _MOST_SPREAD))

    @property
    def soonest(self) -> float:
        """Seconds before which hardly any (one of twenty) has ended."""
        return self.median * math.exp(-1.645 * self.spread)


def usual_by(durations: Sequence[tuple[str | None, float]]) -> dict[str | None, Usual]:
    """What base models and durations of finished jobs tell, by base model where they are enough; by None, of all."""
    of: dict[str | None, list[float]] = {None: [seconds for _, seconds in durations]}
    for base_model, seconds in durations:
        if base_model is not None:
            of.setdefault(base_model, []).append(seconds)
    found = {base_model: Usual.of(those) for base_model, those in of.items()}
    return {base_model: usual for base_model, usual in found.items() if usual is not None}


_ASSUMED = Usual(median=1200.0, spread=0.6)
"""Of trainings, as long as nothing was learned: twenty minutes, from five to ninety."""


class Seen(NamedTuple):
    """What is known of an unfinished job just after a look at it.

    Attributes:
        kind: Of the job.
        elapsed: Seconds since it was started, waiting in the vendor's queue included.
        running: Seconds from when it left the queue, as far as that was seen, to when its progress last changed.
        progress: 0 to 1, as last told.
        progress_age: Seconds since it changed.
        grain: Steps in which it is told, such as 0.01.
        pace: Progress per second between the last two changes.
        eta: Seconds to the end, as last told.
        eta_age: Seconds since that changed.
        usual: How long such jobs took before.
        floor: The vendor's least interval, in seconds.
    """

    kind: JobKind = "training"
    elapsed: float = 0.0
    running: float = 0.0
    progress: float | None = None
    progress_age: float = 0.0
    grain: float = 0.01
    pace: float | None = None
    eta: float | None = None
    eta_age: float = 0.0
    usual: Usual | None = None
    floor: float = 0.0


def next_look(seen: Seen, polling: Polling) -> float:
    """Seconds until the next look: few looks, and the end seen soon, measured against how long the job took.

    Three things decide, and the strongest knowledge wins:

    1. *Nothing is known.* A generation is looked at after a share of its age, so that every end is found within that
       share, be it seconds or minutes. For a training that would be wasteful: most of its looks would fall into its
       first minutes, in which hardly any ends. The best intervals follow from how likely it is to end now; see
       `_guessed`. They need a distribution: the one that was learned from jobs before, or else the usual one.
    2. *The vendor tells progress or an ETA.* Then 85 % of the estimated rest are waited for, again and again,
       until the end is so near that it is looked for in steps of 0.4 % of the age. Of several estimates the soonest
       counts. Estimates are wrong at times, and jobs die on the way: no wait is longer than a share of the age, which
       is larger where no such job ever ended so early. Once an estimate has run out, waits grow with the time by which
       it was wrong: a model that sits at 99 % for minutes costs a few looks, not hundreds.
    3. *The first minute.* Trainings that were started with something wrong fail there, and somebody waits to mend it:
       whatever else is known, a failure is seen within five seconds.

    Whoever goes quiet falls back to 1: a progress that has missed three of its steps, or an ETA that stays the same,
    is no reason to wait longer than if it had not been told.

    Between two looks lie `first` and the vendor's floor at the least and `longest` at the most, or four times that
    where a living estimate says that the end is far. There is no jitter in this; see `jittered`.
    """
    elapsed = _sane(seen.elapsed) or 0.0
    step = blind = min(polling.longest, _guessed(seen, elapsed, polling))
    estimates = _estimates(seen)
    if estimates:
        rests = [rest for rest, _ in estimates]
        alive = min(rests) > 0 and any(is_alive for _, is_alive in estimates)
        step = min(max(_FINE * elapsed, _NEAR * rest, -_LATE * rest) for rest in rests)
        step = min(step, max(blind, _far(seen, elapsed, polling)) if alive else blind)
    if seen.kind == "training" and elapsed < _EARLY:
        step = min(step, _EARLY_STEP, polling.longest, max(polling.first, _RAMP * polling.share * elapsed))
    return max(step, min(polling.first, polling.longest), _sane(seen.floor) or 0.0)


def jittered(seconds: float, floor: float = 0.0) -> float:
    """A wait made up to a tenth shorter or longer, so that jobs started together are not looked at together."""
    return max(floor, seconds * random.uniform(0.9, 1.1))  # noqa: S311 - no secret


def _guessed(seen: Seen, elapsed: float, polling: Polling) -> float:
    """The interval for a job of which nothing but its age is known.

    With looks at a rate r(t), a job that ends at t costs ∫r looks and is seen 1/(2r) seconds late, that is 1/(2rt) of
    its duration. Over all jobs, with density f and the share S of those still running, ∫ r·S + λ·f/(2rt) dt is least
    for r = sqrt(λh / 2t), where h = f/S: the likelihood to end now, of what has not ended yet. Of a log-normal
    distribution h is known. So looks are rare where hardly anything ends, and again where the job has lasted so long
    that the same delay matters less.
    """
    if seen.kind == "generation":
        return polling.share * elapsed
    usual = seen.usual or _ASSUMED
    grown = polling.share * elapsed * _GROWTH
    if elapsed < _EARLY:
        return max(grown, _EARLY_STEP)
    deviations = (math.log(elapsed) - math.log(usual.median)) / usual.spread
    # A job that has lasted much longer than any before is none of them: nobody knows when it will end.
    spread = usual.spread if deviations < _TAIL else max(usual.spread, _ASSUMED.spread)
    hazard = _hazard(max(-_FURTHEST, deviations)) / spread
    return min(grown, elapsed * polling.share * _PRICE / math.sqrt(hazard))


def _hazard(deviations: float) -> float:
    """Of the normal distribution: density over what is left of it."""
    if deviations > _FURTHEST:
        return deviations
    left = math.erfc(deviations / math.sqrt(2)) / 2
    return math.exp(-deviations * deviations / 2) / math.sqrt(2 * math.pi) / left


def _estimates(seen: Seen) -> list[tuple[float, bool]]:
    """Estimated rests in seconds, negative where they ran out; and whether each is still moving."""
    estimates: list[tuple[float, bool]] = []
    eta, eta_age = _sane(seen.eta), _sane(seen.eta_age) or 0.0
    if eta is not None:
        estimates.append((eta - eta_age, eta_age <= _STALE_ETA * eta))
    progress, running, age = _sane(seen.progress), _sane(seen.running), _sane(seen.progress_age) or 0.0
    if progress is not None and running and 0 < progress <= 1:
        # Somewhere between what was told and the next step: half a step is right on average, a whole one never late.
        reached = min(_ALMOST, progress + seen.grain * (0.5 if seen.grain < _COARSE else 1.0))
        alive = age <= _STALE * seen.grain * running / progress
        estimates.append((running * (1 - reached) / reached - age, alive))
        pace = _sane(seen.pace)
        if pace:
            estimates.append(((1 - reached) / pace - age, alive))
    return estimates


def _far(seen: Seen, elapsed: float, polling: Polling) -> float:
    """Seconds to wait at most while the end is said to be far."""
    unheard_of = seen.usual is not None and elapsed < seen.usual.soonest
    share = polling.share * (_FAR_LEARNED if unheard_of else 1.0)
    return min(share * elapsed, _FAR_LONGEST * polling.longest)


def _sane(value: float | None) -> float | None:
    """A number that can be calculated with; None for what is none."""
    return value if value is not None and 0 <= value < math.inf else None


class Trail:
    """What was seen of one job so far, kept small; times are seconds of one clock.

    Args:
        began: When the job was started.
    """

    __slots__ = (
        "_before",
        "_before_at",
        "_eta",
        "_eta_at",
        "_grain",
        "_polled",
        "_progress",
        "_progress_at",
        "_queued",
        "_ran",
    )

    def __init__(self, began: float) -> None:
        self._ran = began
        self._queued: float | None = None
        self._progress: float | None = None
        self._progress_at = began
        self._before: float | None = None
        self._before_at = began
        self._eta: float | None = None
        self._eta_at = began
        self._grain = 0.1
        self._polled = began

    def see(self, now: float, *, queued: bool, progress: float | None, eta: float | None, polled: bool = False) -> None:
        """Note an answer.

        Args:
            now: When it came.
            queued: Whether the job still waits for its turn.
            progress: 0 to 1; None if it was not told.
            eta: Seconds to the end; None if it was not told.
            polled: Whether the job was asked for by itself.
        """
        if polled:
            self._polled = now
        if queued:
            self._queued, self._ran = now, now
        elif self._queued is not None:
            # It left the queue between two looks.
            self._ran, self._queued = (self._queued + now) / 2, None
        if not queued and progress is not None and progress != self._progress:
            self._grain = _grain(progress, self._grain)
            self._before, self._before_at = self._progress, self._progress_at
            self._progress, self._progress_at = progress, now
        if eta is not None and eta != self._eta:
            self._eta, self._eta_at = eta, now

    def seen(self, now: float, kind: JobKind, elapsed: float, usual: Usual | None = None, floor: float = 0.0) -> Seen:
        """What is known at a time; see `Seen` for the other arguments."""
        pace = None
        if self._progress is not None and self._before is not None and self._progress > self._before:
            pace = (self._progress - self._before) / max(self._progress_at - self._before_at, 1e-9)
        return Seen(
            kind=kind,
            elapsed=elapsed,
            running=self._progress_at - self._ran,
            progress=self._progress,
            progress_age=now - self._progress_at,
            grain=self._grain,
            pace=pace,
            eta=self._eta,
            eta_age=now - self._eta_at,
            usual=usual,
            floor=floor,
        )

    def is_worth_a_poll(self, now: float, elapsed: float) -> bool:
        """Whether a poll would tell more than was told before, so that a list that does not tell it won't do.

        It would if the last one is half the age ago; and near the estimated end, since estimates are best there.
        """
        told = self._progress is not None or self._eta is not None
        if not told or elapsed < _EARLY or now - self._polled <= _FINE * elapsed:
            return False
        estimates = _estimates(self.seen(now, "training", elapsed))
        near = min((abs(rest) for rest, _ in estimates), default=math.inf) < _CLOSE * elapsed
        return near or now - self._polled > elapsed / 2


_GRAINS = (0.1, 0.05, 0.01)


def _grain(progress: float, so_far: float) -> float:
    """The steps in which progress is told, by what was told so far and now."""
    for grain in _GRAINS:
        if grain <= so_far and abs(progress / grain - round(progress / grain)) < 1e-6:  # noqa: PLR2004 - of floats
            return grain
    return 0.001
