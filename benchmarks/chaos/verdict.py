"""Was the promise kept? What the sandbox has accepted and what lies on the disk, held against what was asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from PIL import Image

from benchmarks.chaos.lanes import PHOTOS
from benchmarks.chaos.vendors import MOST_PER_CALL
from unified_train.journal import Journal
from unified_train.keys import marker_of

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.chaos.lanes import Lane
    from benchmarks.chaos.orders import Orders, Report


@dataclass(slots=True)
class Verdict:
    """What became of one round, or of many.

    Attributes:
        rounds: How many.
        kills: Processes that were killed.
        stops: Processes that were put to sleep, and woken after another had taken over.
        asked: Trainings that were asked for.
        trainings: Trainings that were accepted.
        calls: Paid calls that the generations needed.
        generations: Generations that were accepted.
        orphans: Models that belong to no training.
        expected: Pictures.
        on_disk: Pictures that lie in the folders.
        whole: Pictures of them that can be read to the last pixel.
        unknown: Outcomes that nobody could find out, and that were settled by hand.
        adopted: Lost answers that were made up from what the vendor shows.
        broken: Promises that were broken, each in a sentence.
    """

    rounds: int = 0
    kills: int = 0
    stops: int = 0
    asked: int = 0
    trainings: int = 0
    calls: int = 0
    generations: int = 0
    orphans: int = 0
    expected: int = 0
    on_disk: int = 0
    whole: int = 0
    unknown: int = 0
    adopted: int = 0
    broken: list[str] = field(default_factory=list)

    @property
    def doubles(self) -> int:
        """Submissions that were accepted beyond those that were asked for."""
        return max(0, self.trainings - self.asked) + max(0, self.generations - self.calls)

    def add(self, other: Verdict) -> None:
        """Count another one in."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


def judge(lane: Lane, orders: Orders, reports: list[Report]) -> Verdict:
    """The verdict on a round that has come to its end.

    Args:
        lane: Where it was played.
        orders: Of its last process.
        reports: Of all processes that lived to tell.
    """
    verdict = Verdict(rounds=1, asked=1, expected=orders.number)
    verdict.calls = math.ceil(orders.number / MOST_PER_CALL[orders.vendor])
    verdict.trainings, verdict.generations = len(lane.accepted("training")), len(lane.accepted("generation"))
    verdict.adopted = sum(len(report.adopted) for report in reports)
    files = _pictures(orders.folder / "pictures")
    verdict.on_disk, verdict.whole = len(files), sum(map(_is_whole, files))
    models = lane.models() if orders.vendor == "scenario" else []
    verdict.orphans = max(0, len(models) - 1)
    verdict.broken = [
        *_counted("trainings were accepted", verdict.trainings, 1),
        *_counted("generations were accepted", verdict.generations, verdict.calls),
        *_counted("pictures are on the disk", verdict.on_disk, verdict.expected),
        *_counted("pictures are whole", verdict.whole, verdict.on_disk),
        *_counted("models were made", len(models), 1 if orders.vendor == "scenario" else 0),
        *[note for name, photos in models for note in _counted(f"photographs are in {name}", photos, len(PHOTOS))],
        *_told(lane, orders, reports),
        *_left_open(orders),
    ]
    return verdict


def _counted(what: str, count: int, wanted: int) -> list[str]:
    return [f"{count} {what}, not {wanted}"] if count != wanted else []


def _told(lane: Lane, orders: Orders, reports: list[Report]) -> list[str]:
    """Every process must have told the same job for the same key, and that one must be the vendor's."""
    told: dict[str, set[str]] = {}
    for report in reports:
        for key, reference in report.jobs:
            told.setdefault(key, set()).add(reference)
    broken = [f"{key} gave {', '.join(sorted(jobs))}" for key, jobs in told.items() if len(jobs) > 1]
    broken += [f"nobody was told a job of {key}" for key in (orders.key, orders.pictures_key) if key not in told]
    names = {one.name for one in lane.sandbox.world.submissions if one.kind == "training"}
    return broken + [f"a training is called {name}" for name in names if not name.endswith(marker_of(orders.key))]


def _left_open(orders: Orders) -> list[str]:
    journal = Journal(orders.folder / "journal.sqlite")
    try:
        return [f"{intent.key} is still open" for intent, _ in journal.pending()]
    finally:
        journal.close()


def _pictures(folder: Path) -> list[Path]:
    return [path for path in folder.glob("*") if not path.name.startswith(".")]


def _is_whole(path: Path) -> bool:
    try:
        with Image.open(path) as picture:
            picture.load()
    except OSError:
        return False
    return True
