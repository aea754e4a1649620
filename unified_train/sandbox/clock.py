"""The time of the sandbox: it can run faster, stand still and be turned forward."""

from __future__ import annotations

import math
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT_SPEED = 600.0
"""Simulated seconds in a real one: a training of 20 minutes takes two seconds."""


class Clock:
    """Three readings of one clock. All methods may be called from any thread.

    Args:
        speed: simulated seconds in one real second, 0 or more.
        monotonic: where real elapsed seconds come from.
        unix: where real unix seconds come from.

    Raises:
        ValueError: the speed is negative or not finite.
    """

    def __init__(
        self,
        speed: float = DEFAULT_SPEED,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        unix: Callable[[], float] = time.time,
    ) -> None:
        self._monotonic = monotonic
        self._unix = unix
        self._lock = threading.RLock()
        self._first_speed = _checked("speed", speed)
        self.reset()

    def reset(self) -> None:
        """Start again at 0, with the speed of the beginning, no skew, and running."""
        with self._lock:
            self._speed = self._first_speed
            self._frozen = False
            self._skew = 0.0
            self._now = 0.0
            self._wall = self._unix()
            self._read_at = self._monotonic()

    @property
    def speed(self) -> float:
        """Simulated seconds in one real second."""
        return self._speed

    @property
    def frozen(self) -> bool:
        """Whether `now` and `wall` stand still but for `advance`."""
        return self._frozen

    @property
    def skew(self) -> float:
        """By how many seconds `date` is ahead of the real time; negative if behind."""
        return self._skew

    @skew.setter
    def skew(self, seconds: float) -> None:
        if not math.isfinite(seconds):
            raise ValueError("skew is a number of seconds")
        self._skew = float(seconds)

    def now(self) -> float:
        """Simulated seconds since the start or the last reset; the progress of jobs counts in them."""
        with self._lock:
            self._catch_up()
            return self._now

    def wall(self) -> float:
        """Unix seconds, real time and advances, not scaled by the speed; presigned URLs expire by them."""
        with self._lock:
            self._catch_up()
            return self._wall

    def date(self) -> datetime:
        """Real time and skew, aware, UTC; signatures are checked against it and vendors' timestamps show it."""
        return datetime.fromtimestamp(self._unix(), tz=UTC) + timedelta(seconds=self._skew)

    def unix(self) -> float:
        """The same in Unix seconds."""
        return self._unix() + self._skew

    def advance(self, seconds: float) -> None:
        """Turn `now` and `wall` forward by so many seconds.

        Raises:
            ValueError: `seconds` is negative or not finite.
        """
        forward = _checked("advance", seconds)
        with self._lock:
            self._catch_up()
            self._now += forward
            self._wall += forward

    def set_speed(self, speed: float) -> None:
        """Run at `speed` simulated seconds a second from now on; `now` does not jump.

        Raises:
            ValueError: `speed` is negative or not finite.
        """
        changed = _checked("speed", speed)
        with self._lock:
            self._catch_up()
            self._speed = changed

    def freeze(self) -> None:
        """Let `now` and `wall` stand still but for `advance`."""
        with self._lock:
            self._catch_up()
            self._frozen = True

    def unfreeze(self) -> None:
        """Go on from where the clock stood."""
        with self._lock:
            self._catch_up()
            self._frozen = False

    def _catch_up(self) -> None:
        read_at = self._monotonic()
        elapsed = 0.0 if self._frozen else read_at - self._read_at
        self._read_at = read_at
        self._now += elapsed * self._speed
        self._wall += elapsed


def _checked(name: str, value: float) -> float:
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{name} is a number, 0 or more, not {value}")
    return float(value)
