"""Vendors accept what they were sent when the connection has long gone, and list it later still."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.chaos.lanes import SPEED
from benchmarks.chaos.orders import Doom
from benchmarks.chaos.rounds import Plan
from benchmarks.chaos.vendors import PAID, VENDORS, lag, mishap
from chaos.conftest import Played, Undisturbed, failures, request_of

pytestmark = pytest.mark.long

_LATE = 0.3
_LAG = 0.2
_GRACE = 0.9


@pytest.mark.parametrize("vendor", VENDORS)
def test_what_is_accepted_late_and_listed_later_is_waited_for(
    vendor: str, played: Played, undisturbed: Undisturbed
) -> None:
    """With a grace longer than both nothing is sent twice, be it by the process that lost the answer or another."""
    points = undisturbed(Plan(vendor))
    late = Plan(vendor, grace=_GRACE, switches=lag(vendor, _LAG, SPEED))
    plans = []
    for operation in PAID[vendor]:
        mishaps = (mishap(vendor, operation, "late", seconds=_LATE),)
        doom = Doom(at=request_of(points, operation), moment="between")
        plans += [replace(late, faults=mishaps), replace(late, faults=mishaps, ends=(doom,), way="resume")]
    outcomes = played(plans)
    assert failures(plans, [verdict for verdict, _ in outcomes]) == []
    assert all(verdict.adopted or verdict.unknown for verdict, _ in outcomes)


def test_a_grace_that_is_too_short_pays_twice(played: Played) -> None:
    """The machine can tell: with a vendor that is slower than the grace, a second training is accepted."""
    plan = Plan("novita", grace=0.0, faults=(mishap("novita", "training.start", "late", seconds=_LATE),))
    [(verdict, _)] = played([plan])
    assert verdict.doubles == 1
    assert verdict.broken == ["2 trainings were accepted, not 1"]
