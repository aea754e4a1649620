"""A published rate is kept in every minute, not only on average."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from unified_train import Rate
from unified_train.limiter import WINDOW, Limiter


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@given(st.lists(st.tuples(st.floats(0, 40), st.integers(1, 5)), max_size=40))
def test_no_minute_sees_more_than_the_rate(calls: list[tuple[float, int]]) -> None:
    """However calls come in, no window of a minute holds more units than allowed."""
    clock = Clock()
    limiter = Limiter({"op": Rate(per_minute=5)}, clock)
    starts: list[tuple[float, int]] = []
    for pause, units in calls:
        clock.now += pause
        wait = limiter.reserve("op", units)
        assert wait >= 0
        starts.append((clock.now + wait, units))
    for begin, _ in starts:
        assert sum(units for at, units in starts if begin <= at < begin + WINDOW - 1e-6) <= 5


def test_what_fits_does_not_wait_and_the_rest_waits_as_short_as_it_can() -> None:
    """Twenty pictures go at once, the next when the first minute is over."""
    clock = Clock()
    limiter = Limiter({"op": Rate(per_minute=20)}, clock)
    assert [limiter.reserve("op", 8), limiter.reserve("op", 8)] == [0, 0]
    clock.now = 10.0
    assert limiter.reserve("op", 4) == 0
    assert limiter.reserve("op", 8) == 50.0
    clock.now = 500.0
    assert limiter.reserve("op", 20) == 0


def test_more_than_a_minute_holds_is_let_through_alone() -> None:
    """A single request larger than the rate waits for an empty minute and is then the vendor's to judge."""
    limiter = Limiter({"op": Rate(per_minute=5)}, Clock())
    assert limiter.reserve("op", 9) == 0
    assert limiter.reserve("op", 1) == WINDOW


def test_other_operations_are_not_limited() -> None:
    """Only what the vendor limits waits."""
    assert Limiter({"op": Rate(per_minute=1)}, Clock()).reserve("other", 100) == 0
