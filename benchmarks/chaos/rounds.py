"""One round: a training and a generation, carried on by one process after another until they are done."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from uuid import uuid4

from benchmarks.chaos.lanes import Ended
from benchmarks.chaos.orders import Doom, Orders, Report, Way
from benchmarks.chaos.verdict import Verdict, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from benchmarks.chaos.lanes import Lane
    from unified_train.sandbox.faults import Fault

_MOST = 12
"""Processes in a round; one that needs more does not end."""
_COMMAND = "unified-train jobs reconcile"
_TWICE = "it was repeated once already"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to happen in a round.

    Attributes:
        vendor: Slug.
        ends: How the first processes end, one after another: at a point, or after so many seconds. A point that acts
            `stop` is slept at until another process has taken over, and must be the only one.
        way: How each process after the first carries on.
        colour: Of the clients.
        number: Of pictures.
        inline: See `Orders`.
        parallel: See `Orders`.
        lease: Seconds.
        grace: Seconds.
        faults: Of the sandbox.
        switches: Of the sandbox, by vendor.
        meanwhile: Done after a process was killed, with the lane and the path of the journal.
    """

    vendor: str
    ends: tuple[Doom | float, ...] = ()
    way: Way = "call"
    colour: Literal["sync", "async"] = "sync"
    number: int = 2
    inline: bool = False
    parallel: int = 1
    lease: float = 5.0
    grace: float = 0.05
    faults: tuple[Fault, ...] = ()
    switches: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    meanwhile: Callable[[Lane, Path], None] | None = None


def play(lane: Lane, plan: Plan) -> tuple[Verdict, list[Report]]:
    """Play a round to its end; the verdict, and the reports of all processes that lived to tell."""
    return _Round(lane, plan).play()


class _Round:
    def __init__(self, lane: Lane, plan: Plan) -> None:
        self._lane = lane
        self._plan = plan
        self._ends = deque(plan.ends)
        self._timer: float | None = None
        self._settled: dict[str, str | None] = {}
        self._reports: list[Report] = []
        self._kills = self._stops = self._unknown = self._begun = 0
        self._folder = lane.fresh(plan.switches, plan.faults)
        self._key = uuid4().hex

    def play(self) -> tuple[Verdict, list[Report]]:
        for _ in range(_MOST):
            orders = self._orders(self._ends.popleft() if self._ends else None)
            if self._is_done(self._lived(orders)):
                return self._judged(orders), self._reports
        verdict = self._judged(self._orders(None))
        verdict.broken.append(f"it did not end within {_MOST} processes")
        return verdict, self._reports

    def _orders(self, end: Doom | float | None) -> Orders:
        plan, first = self._plan, not self._begun
        self._begun += 1
        orders = Orders(
            vendor=plan.vendor,
            environ=self._lane.sandbox.env,
            folder=self._folder,
            photos=self._lane.photos,
            report=self._folder,
            key=self._key,
            number=plan.number,
            inline=plan.inline,
            way="call" if first else plan.way,
            colour=plan.colour,
            parallel=plan.parallel,
            lease=plan.lease,
            grace=plan.grace,
            doom=end if isinstance(end, Doom) else None,
            settled=self._settled,
        )
        self._timer = end if isinstance(end, float) else None
        self._settled = {}
        return orders

    def _lived(self, orders: Orders) -> Ended:
        """How a process ended."""
        pid = self._lane.start(orders)
        if self._timer is not None and not self._lane.workers.over(pid, self._timer):
            return self._killed(self._lane.kill(pid))
        ended = self._lane.end(pid)
        return self._overtaken(pid) if ended is None else self._killed(ended)

    def _killed(self, ended: Ended) -> Ended:
        if ended.killed:
            self._kills += 1
            if self._plan.meanwhile is not None:
                self._plan.meanwhile(self._lane, self._folder / "journal.sqlite")
        return ended

    def _overtaken(self, pid: int) -> Ended:
        """Let another process take over from one that sleeps, and do all there is to do; then wake the sleeper."""
        self._stops += 1
        ended = self._lane.end(self._lane.start(self._orders(None)))
        if ended is not None:
            self._is_done(ended)
        self._lane.workers.signal(pid, "SIGCONT")
        return self._lane.end(pid) or Ended(killed=False, report=Report(broken="it fell asleep once more"))

    def _is_done(self, ended: Ended) -> bool:
        """Note a process that has ended, and whether there is nothing left to do."""
        if ended.report is None:
            return False
        if ended.report.locked and self._stops:
            # The sleeper fell asleep while another of its threads wrote: nobody can do anything before it wakes.
            return False
        self._reports.append(ended.report)
        if ended.report.unknown is not None:
            self._settle(*ended.report.unknown)
            return False
        return True

    def _settle(self, key: str, message: str) -> None:
        """Look at what the vendor shows, as the person would whom the message asks to."""
        self._unknown += 1
        self._lane.settle_down()
        kind: Literal["training", "generation"] = "training" if key == self._key else "generation"
        shown = self._lane.accepted(kind)
        self._settled = {key: f"{self._plan.vendor}:{kind}:{shown[0]}" if shown else None}
        if f"{_COMMAND} {key}" not in message:
            self._reports.append(Report(broken=f"a person would not know what to type: {message}"))
        # One that is lost twice in a row is a doubt on purpose, though a training can be looked up.
        if kind == "training" and _TWICE not in message:
            self._reports.append(Report(broken=f"a training was given up: {message}"))

    def _judged(self, orders: Orders) -> Verdict:
        self._lane.settle_down()
        verdict = judge(self._lane, orders, self._reports)
        verdict.kills, verdict.stops, verdict.unknown = self._kills, self._stops, self._unknown
        verdict.broken += [report.broken for report in self._reports if report.broken]
        return verdict
