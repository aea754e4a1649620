"""The counter-test: with the promise's conditions taken away it breaks, is found out, and ended where a vendor can."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.chaos.orders import Doom, Report
from benchmarks.chaos.rounds import Plan, play
from benchmarks.chaos.vendors import mishap

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.chaos.lanes import Lane

_LATE = 1.0
_QUICK, _SLOW = 100_000.0, 1e9
"""Simulated seconds that a training takes."""


@dataclass(frozen=True, slots=True)
class Control:
    """What came of one counter-test.

    Attributes:
        what: Was taken away.
        vendor: Slug.
        accepted: Trainings.
        told: What the job's notes say of it.
    """

    what: str
    vendor: str
    accepted: int
    told: tuple[str, ...]

    @property
    def expected(self) -> bool:
        """Whether a second training was paid for and told of."""
        return self.accepted > 1 and bool(self.told)


def controls(lane: Lane, usual_start: dict[str, int]) -> list[Control]:
    """All counter-tests.

    Args:
        lane: Where they are played.
        usual_start: By vendor, the number of the point at which a training is started.
    """
    found = []
    for vendor in ("alibaba", "novita"):
        late = mishap(vendor, "training.start", "late", seconds=_LATE)
        switches = {vendor: {"training_seconds": _LATE * 2 * lane.sandbox.world.clock.speed}}
        plan = Plan(vendor, number=1, grace=0.2, faults=(late,), switches=switches)
        found.append(_played(lane, plan, "a grace shorter than the vendor is slow"))
    for vendor, at in sorted(usual_start.items()):
        plan = Plan(
            vendor,
            number=1,
            ends=(Doom(at=at, moment="between"),),
            switches={vendor: {"training_seconds": _SLOW}},
            meanwhile=_forget,
        )
        found.append(_played(lane, plan, "the journal is deleted"))
    return found


def _forget(lane: Lane, journal: Path) -> None:
    """Delete the journal; and let trainings be quick from now on, so that the first one still runs at the end."""
    for path in journal.parent.glob(f"{journal.name}*"):
        path.unlink()
    for vendor in lane.sandbox.vendors:
        lane.sandbox.switch(vendor, "training_seconds", _QUICK)


def _played(lane: Lane, plan: Plan, what: str) -> Control:
    _, reports = play(lane, plan)
    return Control(what, plan.vendor, len(lane.accepted("training")), _notes(reports))


def _notes(reports: list[Report]) -> tuple[str, ...]:
    notes = [note for report in reports for note in report.notes if "more than once" in note]
    return tuple(dict.fromkeys(notes))
