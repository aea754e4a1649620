"""The sandbox's clock, on a real time that the tests turn by hand."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from unified_train.sandbox.clock import Clock

UNIX = 1_750_000_000.0


class Reality:
    """The real time, standing still unless moved."""

    def __init__(self) -> None:
        self.passed = 0.0

    def clock(self, speed: float = 600) -> Clock:
        return Clock(speed, monotonic=lambda: 50 + self.passed, unix=lambda: UNIX + self.passed)


@pytest.fixture
def reality() -> Reality:
    return Reality()


def test_now_runs_at_its_speed(reality: Reality) -> None:
    """Simulated seconds are real ones times the speed; the wall is not scaled."""
    clock = reality.clock(600)
    reality.passed = 2
    assert (clock.now(), clock.wall()) == (1200, UNIX + 2)


def test_advance_moves_both(reality: Reality) -> None:
    """An advance turns the simulated time and the wall by the same seconds, but not the date."""
    clock = reality.clock()
    clock.advance(90)
    assert (clock.now(), clock.wall(), clock.date()) == (90, UNIX + 90, datetime.fromtimestamp(UNIX, UTC))


def test_speed_is_continuous(reality: Reality) -> None:
    """A new speed counts from now on and changes nothing of the past."""
    clock = reality.clock(10)
    reality.passed = 3
    clock.set_speed(0)
    assert (clock.now(), clock.speed) == (30, 0)
    reality.passed = 5
    assert clock.now() == 30
    clock.set_speed(2)
    reality.passed = 6
    assert clock.now() == 32


def test_frozen_clock_moves_by_advance_only(reality: Reality) -> None:
    """A frozen clock stands still but for advances, and goes on from where it stood."""
    clock = reality.clock(10)
    clock.freeze()
    reality.passed = 7
    clock.advance(5)
    assert (clock.now(), clock.wall(), clock.frozen) == (5, UNIX + 5, True)
    clock.unfreeze()
    reality.passed = 8
    assert (clock.now(), clock.wall(), clock.frozen) == (15, UNIX + 6, False)


def test_skew_moves_the_date_only(reality: Reality) -> None:
    """The date is real time and skew, aware, in UTC."""
    clock = reality.clock()
    clock.skew = -1000
    assert clock.date() == datetime.fromtimestamp(UNIX - 1000, UTC)
    assert (clock.now(), clock.wall(), clock.skew) == (0, UNIX, -1000)


def test_reset_is_a_new_clock(reality: Reality) -> None:
    """A reset puts back speed, skew, advances and freezing."""
    clock = reality.clock(10)
    clock.set_speed(1)
    clock.advance(100)
    clock.freeze()
    clock.skew = 5
    reality.passed = 4
    clock.reset()
    assert (clock.now(), clock.wall(), clock.speed, clock.skew, clock.frozen) == (0, UNIX + 4, 10, 0, False)


@pytest.mark.parametrize("wrong", [-1, math.inf, math.nan])
def test_wrong_numbers(reality: Reality, wrong: float) -> None:
    """Speeds and advances are finite and not negative; a skew is finite."""
    clock = reality.clock()
    with pytest.raises(ValueError, match="0 or more"):
        reality.clock(wrong)
    with pytest.raises(ValueError, match="advance"):
        clock.advance(wrong)
    with pytest.raises(ValueError, match="speed"):
        clock.set_speed(wrong)
    with pytest.raises(ValueError, match="skew"):
        clock.skew = wrong if wrong != -1 else math.inf


def test_real_time_is_the_default() -> None:
    """Without another source the clock follows the machine's."""
    before = datetime.now(UTC)
    clock = Clock(0)
    assert before <= clock.date() <= datetime.now(UTC)
    assert clock.now() == 0
