"""Real seconds that pass while a request waits; the end of the sandbox, or a reset, cuts them short."""

from __future__ import annotations

import asyncio
from enum import Enum


class Ending(Enum):
    """Why a wait is over."""

    TIME = "its seconds have passed"
    CLOSE = "the sandbox closes"
    RESET = "the world that it began in is forgotten"


class Waits:
    """All waits of one world, from one reset to the next; to be used in the server's loop, or once that ended."""

    def __init__(self) -> None:
        self._under_way: set[asyncio.Future[Ending]] = set()
        self._over: Ending | None = None

    async def wait(self, seconds: float | None) -> Ending:
        """Let so many real seconds pass; None is for as long as the sandbox lasts."""
        if self._over is not None:
            return self._over
        loop = asyncio.get_running_loop()
        wait: asyncio.Future[Ending] = loop.create_future()
        self._under_way.add(wait)
        timer = loop.call_later(seconds, _end, wait, Ending.TIME) if seconds is not None else None
        try:
            return await wait
        finally:
            self._under_way.discard(wait)
            if timer is not None:
                timer.cancel()

    def reset(self) -> Waits:
        """End all waits, also those that a request of this world begins later; the waits of the world to come."""
        if self._over is Ending.CLOSE:
            return self
        self._end_all(Ending.RESET)
        return Waits()

    def close(self) -> None:
        """End all waits, also those that begin from now on."""
        self._end_all(Ending.CLOSE)

    def _end_all(self, how: Ending) -> None:
        self._over = how
        for wait in self._under_way:
            _end(wait, how)


def _end(wait: asyncio.Future[Ending], how: Ending) -> None:
    if not wait.done():  # whatever ended it first
        wait.set_result(how)
