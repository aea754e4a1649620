"""What each vendor took: time from the history of its training, money from what it told, and what went wrong."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from unified_train.compare import texts
from unified_train.status import Status

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from unified_train.compare.comparison import Comparison, Entrant
    from unified_train.models import Cost, Job

HEADINGS = ("vendor", "training", "queued", "running", "pictures", "per picture", "flagged", "failed", "cost")


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time during which a training was in one state.

    Attributes:
        status: Neutral.
        raw_status: The vendor's word.
        phase: A finer step.
        start: When we first saw it.
        end: When we first saw the next one; for the last state of a training that runs still, when we last looked.
    """

    status: Status
    raw_status: str | None
    phase: str | None
    start: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return (self.end - self.start).total_seconds()


def stretches(job: Job) -> list[Stretch]:
    """The history of a job as stretches of time; the last one of a finished job has no length.

    A clock that was set back meanwhile makes a stretch empty, never negative.
    """
    found: list[Stretch] = []
    for number, change in enumerate(job.history):
        following = job.history[number + 1].at if number + 1 < len(job.history) else None
        end = following or (change.at if change.status.finished else job.updated_at or change.at)
        found.append(Stretch(change.status, change.raw_status, change.phase, change.at, max(end, change.at)))
    return found


@dataclass(frozen=True, slots=True)
class Bill:
    """What was billed, as far as anybody told.

    Attributes:
        sums: By unit; units are never converted.
        untold: How many jobs did not say what they cost.
    """

    sums: dict[str, float]
    untold: int

    @classmethod
    def of(cls, costs: Iterable[Cost | None]) -> Bill:
        """Add up what is known, and count what is not."""
        sums: dict[str, float] = {}
        untold = 0
        for cost in costs:
            if cost is None:
                untold += 1
            else:
                sums[cost.unit] = sums.get(cost.unit, 0.0) + cost.amount
        return cls(sums, untold)

    def __str__(self) -> str:
        told = " + ".join(f"{texts.number(amount)} {unit}" for unit, amount in self.sums.items())
        if not told:
            return texts.UNKNOWN if self.untold else texts.NOTHING
        return f"{told} + {self.untold} × {texts.UNKNOWN}" if self.untold else told


@dataclass(frozen=True, slots=True)
class Summary:
    """What one vendor took.

    Attributes:
        title: Of the vendor.
        state: Of its training, in a word.
        queued: Seconds before the training began; None if unknown.
        running: Seconds of training, with whatever the vendor does until the model is usable; None if unknown.
        trained: Whether there was a training at all.
        made: Number of pictures.
        asked: Number of pictures that were asked for.
        picture_seconds: Of all pictures whose time is known.
        flagged: Number of pictures that the vendor's content check flagged.
        unchecked: Number of pictures that it did not check.
        failed: Number of pictures that failed.
        training_cost: None if unknown, or if nothing was trained.
        bill: Training and pictures; what failed is not in it, since nobody tells whether it was billed.
    """

    title: str
    state: str
    queued: float | None
    running: float | None
    trained: bool
    made: int
    asked: int
    picture_seconds: tuple[float, ...]
    flagged: int
    unchecked: int
    failed: int
    training_cost: Cost | None
    bill: Bill

    @property
    def typical(self) -> float | None:
        """Median seconds of a picture; None if unknown."""
        return median(self.picture_seconds) if self.picture_seconds else None

    @property
    def queueing(self) -> str:
        """How long the training waited."""
        return texts.duration(self.queued) if self.trained else texts.NOTHING

    @property
    def training(self) -> str:
        """How long the training ran."""
        return texts.duration(self.running) if self.trained else texts.NOTHING

    @property
    def safety(self) -> str:
        """How many pictures were flagged; unknown if none was checked, which is not the same as none flagged."""
        if not self.made:
            return texts.NOTHING
        return texts.UNKNOWN if self.unchecked == self.made else str(self.flagged)

    @property
    def row(self) -> tuple[str, ...]:
        """The cells under `HEADINGS`."""
        return (
            self.title,
            self.state,
            self.queueing,
            self.training,
            f"{self.made} of {self.asked}",
            texts.duration(self.typical),
            self.safety,
            str(self.failed),
            str(self.bill),
        )


def summarise(comparison: Comparison, entrant: Entrant) -> Summary:
    """Add up one vendor's part of a comparison."""
    pictures = [picture for picture in comparison.pictures if picture.entrant == entrant.provider]
    training = entrant.training
    times = [(item.status, item.seconds) for item in stretches(training)] if training else []
    trainings = [training.cost] if training else []
    return Summary(
        title=entrant.title,
        state=_state(entrant),
        queued=_seconds(times, Status.QUEUED),
        running=_seconds(times, Status.RUNNING),
        trained=training is not None,
        made=len(pictures),
        asked=len(comparison.prompts) * len(comparison.seeds),
        picture_seconds=tuple(picture.seconds for picture in pictures if picture.seconds is not None),
        flagged=sum(picture.safety == "flagged" for picture in pictures),
        unchecked=sum(picture.safety is None for picture in pictures),
        failed=sum(failure.entrant == entrant.provider for failure in comparison.failures),
        training_cost=training.cost if training else None,
        bill=Bill.of([*trainings, *(picture.cost for picture in pictures)]),
    )


def _seconds(times: list[tuple[Status, float]], status: Status) -> float | None:
    """Time in a status; one that was never seen lasted an unknown time, since it may have passed between two looks."""
    seen = [seconds for found, seconds in times if found is status]
    return sum(seen) if seen else None


def _state(entrant: Entrant) -> str:
    if entrant.training:
        return str(entrant.training.status)
    if entrant.model:
        return "trained before"
    return "failed" if entrant.error else "none"
