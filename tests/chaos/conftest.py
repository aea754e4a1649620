"""Lanes for rounds, made once: processes that are born and killed, and the sandboxes that count what they submit."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from queue import SimpleQueue
from typing import TypeAlias

import pytest

from benchmarks.chaos.lanes import Lane
from benchmarks.chaos.orders import Point, Report
from benchmarks.chaos.rounds import Plan, play
from benchmarks.chaos.vendors import PAID
from benchmarks.chaos.verdict import Verdict

Played: TypeAlias = Callable[[Sequence[Plan]], list[tuple[Verdict, list[Report]]]]
Undisturbed: TypeAlias = Callable[[Plan], tuple[Point, ...]]

_LANES = 3


@pytest.fixture(scope="session")
def lanes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Lane]]:
    if sys.platform == "win32":
        pytest.skip("Windows has no fork and no signal that kills or stops a process at a point")
    with ExitStack() as stack:
        yield [stack.enter_context(Lane(tmp_path_factory.mktemp("lane"))) for _ in range(_LANES)]


@pytest.fixture
def played(lanes: list[Lane], monkeypatch: pytest.MonkeyPatch) -> Played:
    """Play rounds side by side; what became of them, in their order."""
    # Making large pictures would take longer than all the rest; where their size can be asked for, it is.
    monkeypatch.setattr("unified_train.sandbox.alibaba.routes.SIDE", 128)

    def played(plans: Sequence[Plan]) -> list[tuple[Verdict, list[Report]]]:
        free: SimpleQueue[Lane] = SimpleQueue()
        for lane in lanes:
            free.put(lane)

        def one(plan: Plan) -> tuple[Verdict, list[Report]]:
            lane = free.get()
            try:
                return play(lane, plan)
            finally:
                free.put(lane)

        with ThreadPoolExecutor(len(lanes)) as pool:
            return list(pool.map(one, plans))

    return played


@pytest.fixture(scope="session")
def known() -> dict[tuple[str, bool], tuple[Point, ...]]:
    return {}


@pytest.fixture
def undisturbed(played: Played, known: dict[tuple[str, bool], tuple[Point, ...]]) -> Undisturbed:
    """All that a process comes by if nobody disturbs it."""

    def undisturbed(plan: Plan) -> tuple[Point, ...]:
        kind = (plan.vendor, plan.inline)
        if kind not in known:
            [(verdict, reports)] = played([plan])
            assert verdict.broken == []
            known[kind] = reports[0].points
            sent = {point.what.removeprefix("sent ") for point in known[kind] if point.what.startswith("sent ")}
            assert sent >= PAID[plan.vendor].keys(), "the rounds would miss what they are about"
        return known[kind]

    return undisturbed


def request_of(points: Sequence[Point], operation: str) -> int:
    """The number of the request that creates or bills; the entry before it says so."""
    return next(at for at, point in enumerate(points, 2) if point.what == f"sent {operation}")


def failures(plans: Sequence[Plan], verdicts: Sequence[Verdict]) -> list[str]:
    """The broken promises, each with the plan of its round."""
    both = zip(plans, verdicts, strict=True)
    return [f"{plan}: {'; '.join(verdict.broken)}" for plan, verdict in both if verdict.broken]
