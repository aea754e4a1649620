"""What one poll or submission costs in instructions, or in CPU time where valgrind is missing."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from benchmarks.performance import plots, runner
from benchmarks.performance.cases import Case
from benchmarks.performance.contenders import everybody, present
from benchmarks.performance.report import Goal, Section, Stage, number, ratio
from benchmarks.performance.server import Server
from benchmarks.performance.worker import wait_for_go

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from benchmarks.performance.contenders import Contender, Operation

_WARM = 20
_EVERYWHERE = ("ours", "httpx,", "scenario-sdk", "alibaba SDK", "novita-client")
"""Beginnings of the names of those that do all polls they can; the others do the first, which tells as much of them."""
_POLLS = (
    "novita training.poll",
    "novita generation.poll",
    "alibaba training.poll",
    "scenario training.poll",
    "scenario generation.poll",
)
_STARTS = ("novita training.start", "novita generation.start", "alibaba training.start", "scenario training.start")
_SUBMITTING = (
    "ours, sync",
    "ours, sync, journal",
    "httpx, sync",
    "scenario-sdk, sync",
    "alibaba SDK, sync",
    "novita-client",
)


# -- in the worker -----------------------------------------------------------------------------------------------------


def repeated(name: str, cases: Sequence[dict[str, Any]], urls: Sequence[str], times: int) -> Any:
    """CPU seconds of doing each case that often; valgrind counts between every first and second `getppid`."""
    contender = everybody()[name]

    def opened() -> list[Any]:
        return [contender.opened(Case.load(case), url, 1) for case, url in zip(cases, urls, strict=True)]

    return _repeated_async(opened, times) if contender.asynchronous else _repeated(opened(), times)


def _repeated(operations: list[Operation], times: int) -> list[float]:
    for operation in operations:
        for _ in range(_WARM):
            operation()
    wait_for_go()
    seconds = []
    for operation in operations:
        began = _mark()
        for _ in range(times):
            operation()
        seconds.append(_mark() - began)
    for operation in operations:
        operation.close()
    return seconds


async def _repeated_async(opened: Callable[[], list[Callable[[], Awaitable[Any]]]], times: int) -> list[float]:
    operations: list[Any] = opened()
    for operation in operations:
        for _ in range(_WARM):
            await operation()
    wait_for_go()
    seconds = []
    for operation in operations:
        began = _mark()
        for _ in range(times):
            await operation()
        seconds.append(_mark() - began)
    for operation in operations:
        await operation.close()
    return seconds


def _mark() -> float:
    os.getppid()  # the mark that valgrind looks for; see `runner.instructions`
    return time.process_time()


# -- outside -----------------------------------------------------------------------------------------------------------


def costs(
    stage: Stage, names: Sequence[str], contenders: Sequence[Contender], failures: list[str]
) -> dict[str, dict[str, float]]:
    """Thousand instructions (or microseconds of CPU) of one operation, by case and contender."""
    times = 20 if stage.quick else 60
    found: dict[str, dict[str, float]] = {name: {} for name in names}
    with ExitStack() as stack, ThreadPoolExecutor(os.cpu_count()) as pool:
        urls = {name: stack.enter_context(Server(stage.cases[name].routes)).url for name in names}

        def one(contender: Contender) -> None:
            mine = [name for name in names if contender.does(name)]
            mine = mine if contender.name.startswith(_EVERYWHERE) else mine[:1]
            told = {
                "name": contender.name,
                "cases": [stage.cases[name].dump() for name in mine],
                "urls": [urls[name] for name in mine],
                "times": times,
            }
            try:
                for name, cost in zip(mine, _measured(len(mine), told), strict=True):
                    found[name][contender.name] = cost / times
            except runner.Failed as error:
                failures.append(f"{contender.name}: {str(error).strip().splitlines()[-1]}")

        list(pool.map(one, [one for one in contenders if any(map(one.does, names))]))
    return found


def _measured(count: int, told: dict[str, Any]) -> list[float]:
    if runner.counts():
        return [instructions / 1e3 for instructions in runner.instructions(repeated, count, **told)]
    return [seconds * 1e6 for seconds in runner.started(repeated, **told)]


def unit() -> str:
    """Of what is measured."""
    return "thousand instructions" if runner.counts() else "µs of CPU"


def measure(stage: Stage) -> Section:
    """Polls by everybody."""
    section = Section(
        "polls",
        f"One poll of a running job with everything that comes with it, in {unit()} of the client: the request, its"
        " answer, and what the contender makes of it. Ours signs, checks the answer, validates it, and makes a `Job` of"
        " it; the SDKs parse it into their types; the others only parse its JSON. A poll of a Scenario training is two"
        " requests, for everybody. The start of the process and the first polls don't count. Figures in parentheses are"
        " times those of httpx in the same colour.",
    )
    found = costs(stage, _POLLS, list(present().values()), section.failures)
    names = [name for name in present() if any(name in costs for costs in found.values())]
    section.tables.append(
        [["contender", *_POLLS], *([name, *(_cell(found[case], name) for case in _POLLS)] for name in names)]
    )
    first = found[_POLLS[0]]
    section.pictures["cost of a poll"] = plots.bars(
        f"One poll of a Novita training, {unit()}",
        [(name, first[name], name.startswith("ours")) for name in names if name in first],
    )
    section.goals = _goals(found)
    return section


def _base(costs: dict[str, float], name: str) -> float:
    """What httpx takes in the colour of a contender."""
    colour = "async" if everybody()[name].asynchronous else "sync"
    return costs.get(f"httpx, {colour}", 0.0)


def _cell(costs: dict[str, float], name: str) -> str:
    return f"{number(costs[name])} ({ratio(costs[name], _base(costs, name))})" if name in costs else "–"


def _goals(found: dict[str, dict[str, float]]) -> list[Goal]:
    goals = []
    for case, costs in found.items():
        for colour in ("sync", "async"):
            ours, theirs = costs.get(f"ours, {colour}"), costs.get(f"httpx, {colour}")
            if ours and theirs:
                goals.append(Goal(f"{case}, {colour}: ours / httpx", ours / theirs, 1.0, " ×"))
    fast = found["scenario generation.poll"].get("ours, async, aiohttp")
    if fast and runner.counts():
        goals.append(Goal("scenario generation.poll, aiohttp: million instructions", fast / 1e3, 0.7))
    return goals


def submissions(stage: Stage) -> Section:
    """Submissions by those that block."""
    section = Section(
        "submissions",
        f"Starting a training on five images that are at the vendor already, or a generation, in {unit()}. Scenario's"
        " training is four requests for us, since we read back what is attached before we pay, and for raw httpx, which"
        " repeats them; three for its SDK. The journal is a file on the disk, written before and after each paid"
        " request.",
    )
    known = present()
    found = costs(stage, _STARTS, [known[name] for name in _SUBMITTING if name in known], section.failures)
    section.tables.append(
        [
            ["contender", *_STARTS],
            *([name, *(_cell(found[case], name) for case in _STARTS)] for name in _SUBMITTING if name in known),
        ]
    )
    return section
