"""What happens in a round of the long run: drawn at random, and the same again from the same seed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING

from benchmarks.chaos.orders import Doom, Moment, Way
from benchmarks.chaos.rounds import Plan
from benchmarks.chaos.vendors import PAID, lag, mishap

if TYPE_CHECKING:
    from collections.abc import Mapping

    from unified_train.sandbox.faults import Fault, Kind

_MOMENTS: tuple[Moment, ...] = ("before", "between", "after")
_WAYS: tuple[Way, ...] = ("call", "resume", "both")
_LOST: tuple[Kind, ...] = ("drop_before", "drop_after", "reset_after", "truncate", "status_after")
_LOST_SHARE = 0.05
"""Of the paid requests."""
_STOPS, _LATE = 0.06, 0.05
"""Shares of the rounds; in all others processes are killed."""
_MOST_KILLS = 3
_LATEST = 6.0
_GRACE, _LONG_GRACE = 0.5, 12.0
_LEASE = 1.0


@dataclass(frozen=True, slots=True)
class Usual:
    """How an undisturbed process fares.

    Attributes:
        points: That it comes by.
        seconds: That it takes.
    """

    points: int
    seconds: float


def plan_of(seed: int, number: int, usual: Mapping[str, Usual], speed: float) -> Plan:
    """The plan of a round.

    Args:
        seed: Of the run.
        number: Of the round.
        usual: By vendor; one of these is drawn.
        speed: Of the sandbox's clock.
    """
    chance = Random(f"{seed}/{number}")  # noqa: S311 - chance, not a secret
    vendor = chance.choice(sorted(usual))
    plan = Plan(
        vendor,
        way=chance.choice(_WAYS),
        colour=chance.choice(("sync", "async")),
        number=chance.choice((1, 2, 5)),
        inline=vendor == "scenario" and chance.random() < 0.2,  # noqa: PLR2004 - a share
        parallel=chance.choice((1, 8)),
        grace=_GRACE,
        faults=_lost(chance, vendor),
    )
    drawn = chance.random()
    if drawn < _STOPS:
        doom = _doom(chance, usual[vendor]).model_copy(update={"act": "stop"})
        return replace(plan, ends=(doom,), lease=_LEASE)
    if drawn < _STOPS + _LATE:
        return _late(chance, plan, usual[vendor], speed)
    return replace(plan, ends=_kills(chance, usual[vendor]))


def _kills(chance: Random, usual: Usual) -> tuple[Doom | float, ...]:
    """One to three: half of them by the clock, half at a point."""
    wanted = chance.choice((1, 1, 2, _MOST_KILLS))
    by_clock = [chance.random() < 0.5 for _ in range(wanted)]  # noqa: PLR2004 - half
    return tuple(chance.uniform(0, usual.seconds) if clock else _doom(chance, usual) for clock in by_clock)


def _doom(chance: Random, usual: Usual) -> Doom:
    return Doom(at=chance.randint(1, usual.points), moment=chance.choice(_MOMENTS))


def _lost(chance: Random, vendor: str) -> tuple[Fault, ...]:
    struck = [operation for operation in PAID[vendor] if chance.random() < _LOST_SHARE]
    return tuple(mishap(vendor, operation, chance.choice(_LOST)) for operation in struck)


def _late(chance: Random, plan: Plan, usual: Usual, speed: float) -> Plan:
    """A request that the vendor sees three to six seconds later, in a list that lags, and perhaps a kill."""
    late = mishap(plan.vendor, chance.choice(list(PAID[plan.vendor])), "late", seconds=chance.uniform(3, _LATEST))
    ends = _kills(chance, usual)[:1] if chance.random() < 0.5 else ()  # noqa: PLR2004 - half
    switches = lag(plan.vendor, chance.uniform(0, 1), speed)
    return replace(plan, ends=ends, faults=(late,), switches=switches, grace=_LONG_GRACE)
