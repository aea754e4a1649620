"""Processes are killed at each step of the main job, and others carry it on: paid once, lost never."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import cycle

import pytest

from benchmarks.chaos.orders import Doom, Moment, Point, Way
from benchmarks.chaos.rounds import Plan
from benchmarks.chaos.vendors import VENDORS
from chaos.conftest import Played, Undisturbed, failures, request_of

pytestmark = pytest.mark.long

every_vendor = pytest.mark.parametrize("vendor", VENDORS)

_MOMENTS: tuple[Moment, ...] = ("before", "between", "after")
_WAYS: tuple[Way, ...] = ("call", "resume", "both")


def each(points: Sequence[Point]) -> Iterator[Doom]:
    """Each request at one of three moments, or if it creates or bills at all three, and after its answer's entry."""
    moments = cycle(_MOMENTS)
    paid = 0
    for at, point in enumerate(points, 1):
        if point.kind == "paid":
            paid = at
            yield from (Doom(at=at, moment=moment) for moment in _MOMENTS)
        elif point.kind == "read":
            yield Doom(at=at, moment=next(moments))
        elif point.what.startswith("answered") and at == paid + 1:
            yield Doom(at=at, moment="after")


def killed(plan: Plan, dooms: Iterator[Doom]) -> list[Plan]:
    """A round for each doom; ways to carry on and colours take turns."""
    ways, asynchronous = cycle(_WAYS), cycle([False, True])
    return [
        replace(plan, ends=(doom,), way=next(ways), colour="async" if next(asynchronous) else "sync") for doom in dooms
    ]


@every_vendor
def test_a_process_that_is_killed_at_any_request_is_taken_up_by_another(
    vendor: str, played: Played, undisturbed: Undisturbed
) -> None:
    """Wherever it ends, one training and one generation are accepted, and all pictures are there."""
    plans = killed(Plan(vendor), each(undisturbed(Plan(vendor))))
    verdicts = [verdict for verdict, _ in played(plans)]
    assert failures(plans, verdicts) == []
    assert [verdict.kills for verdict in verdicts] == [1] * len(plans)


@every_vendor
def test_whoever_takes_it_up_may_be_killed_as_well(vendor: str, played: Played, undisturbed: Undisturbed) -> None:
    """After a second kill, while the first one's lost answer is looked for and later, the promise still holds."""
    first = Doom(at=request_of(undisturbed(Plan(vendor)), "training.start"), moment="between")
    plans = [Plan(vendor, ends=(first, Doom(at=at, moment="after")), way="both") for at in (1, 3, 8)]
    outcomes = played(plans)
    assert failures(plans, [verdict for verdict, _ in outcomes]) == []
    assert [verdict.kills for verdict, _ in outcomes] == [2] * len(plans)


def test_photos_that_are_sent_with_the_training_are_attached_once(played: Played, undisturbed: Undisturbed) -> None:
    """A training at Scenario that dies while it attaches photos goes on with the same model, and lacks none."""
    plan = Plan("scenario", inline=True)
    points = undisturbed(plan)
    attached = [at for at, point in enumerate(points, 1) if point.what.endswith("/training-images")]
    assert [points[at - 1].kind for at in attached] == ["paid", "paid"]
    plans = killed(plan, (Doom(at=at, moment=moment) for at in attached for moment in _MOMENTS))
    verdicts = [verdict for verdict, _ in played(plans)]
    assert failures(plans, verdicts) == []


@pytest.mark.parametrize(("vendor", "moment"), [("alibaba", "between"), ("novita", "before"), ("novita", "after")])
def test_an_outcome_that_nobody_can_find_out_is_told_with_key_and_command(
    vendor: str, moment: Moment, played: Played, undisturbed: Undisturbed
) -> None:
    """Where a vendor can't be asked for a generation, the call ends unknown, and is settled by hand."""
    doom = Doom(at=request_of(undisturbed(Plan(vendor)), "generation.start"), moment=moment)
    [(verdict, reports)] = played([Plan(vendor, ends=(doom,))])
    assert (verdict.broken, verdict.unknown) == ([], 1)
    key, message = reports[0].unknown or ("", "")
    assert f"unified-train jobs reconcile {key}" in message
    assert "--accepted" in message
    assert "--not-accepted" in message
