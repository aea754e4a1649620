"""A vendor's published rate limits, kept on our side so that they are not run into."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from unified_train.records import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

WINDOW = 60.0
"""Seconds."""


class Rate(Record):
    """At most so many units (pictures, or requests) in any minute.

    Attributes:
        per_minute: Units.
    """

    per_minute: int


class Limiter:
    """Says how long each request must wait, so that no minute sees more than its operation's rate; never blocks.

    Args:
        rates: By operation; other operations are not limited.
        clock: Seconds that only grow.
    """

    def __init__(self, rates: Mapping[str, Rate], clock: Callable[[], float] = time.monotonic) -> None:
        self._rates = rates
        self._clock = clock
        self._lock = threading.Lock()
        self._taken: dict[str, deque[tuple[float, int]]] = {operation: deque() for operation in rates}

    def reserve(self, operation: str, units: int = 1) -> float:
        """Take units at the earliest moment that the rate allows, and return the seconds until then.

        More units than a whole minute has are let through alone, for the vendor to judge.
        """
        if operation not in self._rates:
            return 0.0
        with self._lock:
            now, taken = self._clock(), self._taken[operation]
            start = self._earliest(
                taken, max([now, *(at for at, _ in taken)]), self._rates[operation].per_minute - units
            )
            while taken and taken[0][0] <= now - WINDOW:
                taken.popleft()
            taken.append((start, units))
            return start - now

    @staticmethod
    def _earliest(taken: deque[tuple[float, int]], start: float, room: int) -> float:
        """The first moment from `start` on whose last minute holds at most `room` units."""
        for at, _ in [(start - WINDOW, 0), *taken]:
            moment = max(start, at + WINDOW)
            if sum(units for when, units in taken if when > moment - WINDOW) <= room:
                return moment
        return max(start, taken[-1][0] + WINDOW) if taken else start
