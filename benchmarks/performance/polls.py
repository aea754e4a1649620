"""What one poll or submission costs in instructions, or in CPU time where valgrind is missing."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING, Any

from benchmarks.performance import runner
from benchmarks.performance.contenders import everybody
from benchmarks.performance.server import Server
from benchmarks.performance.tapes import Case
from benchmarks.performance.worker import wait_for_go

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_WARM = 20


def repeated(name: str, case: dict[str, Any], url: str, times: int) -> Any:
    """In the worker: CPU seconds of doing it that often, counted instructions being those between two `getppid`."""
    contender, recorded = everybody()[name], Case.load(case)
    if contender.asynchronous:
        return _repeated_async(lambda: contender.opened(recorded, url, 1), times)
    operation = contender.opened(recorded, url, 1)
    for _ in range(_WARM):
        operation()
    wait_for_go()
    began = _mark()
    for _ in range(times):
        operation()
    seconds = _mark() - began
    operation.close()
    return seconds


async def _repeated_async(opened: Callable[[], Callable[[], Awaitable[Any]]], times: int) -> float:
    operation: Any = opened()
    for _ in range(_WARM):
        await operation()
    wait_for_go()
    began = _mark()
    for _ in range(times):
        await operation()
    seconds = _mark() - began
    await operation.close()
    return seconds


def _mark() -> float:
    os.getppid()  # the mark that valgrind looks for; see `runner.instructions`
    return time.process_time()


def one(name: str, case: Case, times: int) -> float:
    """Instructions of one operation."""
    with Server(case.routes) as server:
        told = {"name": name, "case": case.dump(), "url": server.url, "times": times}
        return runner.instructions(repeated, **told) / times
