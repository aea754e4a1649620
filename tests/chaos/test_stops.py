"""Processes are stopped, as by a closed lid, until their lease has run out and another one has done the work."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.chaos.orders import Doom
from benchmarks.chaos.rounds import Plan
from benchmarks.chaos.vendors import VENDORS
from chaos.conftest import Played, Undisturbed, failures, request_of

pytestmark = pytest.mark.long

_LEASE = 0.4


def stopped(plan: Plan, at: int) -> list[Plan]:
    """Rounds with a sleep right before, during and after a request that creates or bills.

    Before it are two moments: one before the journal is told that it may have been sent, and one after that, with the
    connection still to be made and the body still to leave.
    """
    dooms = [
        Doom(at=at - 2, moment="after", act="stop"),
        Doom(at=at, moment="before", act="stop"),
        Doom(at=at, moment="between", act="stop"),
        Doom(at=at, moment="after", act="stop"),
    ]
    return [replace(plan, ends=(doom,), lease=_LEASE, grace=0.2) for doom in dooms]


@pytest.mark.parametrize("vendor", VENDORS)
def test_whoever_wakes_up_after_a_take_over_does_not_pay(vendor: str, played: Played, undisturbed: Undisturbed) -> None:
    """The sleeper ends with the same jobs as the one that took over, and each was accepted once."""
    points = undisturbed(Plan(vendor))
    plans = stopped(Plan(vendor), request_of(points, "training.start"))
    plans += stopped(Plan(vendor), request_of(points, "generation.start"))[:2]
    plans[::2] = [replace(plan, colour="async") for plan in plans[::2]]
    outcomes = played(plans)
    assert failures(plans, [verdict for verdict, _ in outcomes]) == []
    assert [verdict.stops for verdict, _ in outcomes] == [1] * len(plans)
    assert all(len(reports) >= 2 for _, reports in outcomes), "both must have lived to tell"
