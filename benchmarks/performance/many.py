"""Many jobs at once, at a vendor who takes 50 ms for an answer; and what it costs to wait for them."""

from __future__ import annotations

import asyncio
import gc
import re
import threading
import time
import tracemalloc
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.performance import plots, runner
from benchmarks.performance.cases import Case
from benchmarks.performance.contenders import everybody, ours, present
from benchmarks.performance.report import Goal, Section, Stage, number
from benchmarks.performance.server import Server, seen_at
from benchmarks.performance.worker import end

if TYPE_CHECKING:
    from collections.abc import Sequence

_CASE = "scenario generation.poll"
_ALIBABA = "alibaba generation.poll"
_LATENCY = 0.05
_AT_ONCE = (20, 300, 1_000, 10_000)
_LEAST = 600
"""Polls of a measurement, however few jobs there are."""
_BUDGET, _OUR_BUDGET = 8.0, 30.0
"""Seconds for one measurement; ours is not to lose any poll."""
_WAIT_SECONDS = 4.0
_WAITING: tuple[tuple[str, dict[str, Any]], ...] = (("ours, wait", {}), ("ours, wait, aiohttp", ours.AIOHTTP))
_AT_REST_SECONDS = 3.0


# -- in the worker -----------------------------------------------------------------------------------------------------


async def gathered(name: str, case: dict[str, Any], url: str, jobs: int, budget: float) -> dict[str, Any]:
    """Poll all jobs at once, often enough to tell; what is not answered in time is given up.

    Args:
        name: Of the contender.
        case: The poll.
        url: Of the server.
        jobs: How many.
        budget: Seconds.
    """
    operation: Any = everybody()[name].opened(Case.load(case), url, jobs)
    await operation()
    errors: dict[str, int] = {}
    answered, each = 0, -(-_LEAST // jobs)

    async def followed(number: int) -> None:
        nonlocal answered
        for _ in range(each):
            try:
                await operation(number)
                answered += 1
            except Exception as error:  # noqa: BLE001 - whatever goes wrong is counted
                errors[type(error).__name__] = errors.get(type(error).__name__, 0) + 1

    def told() -> dict[str, Any]:
        late = jobs * each - answered - sum(errors.values())
        spent = {"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu}
        return {"answered": answered, "late": late, "errors": errors, **spent}

    # A thread looks at the clock: a client that has ten thousand waiting may not come back to its loop for minutes.
    clock = threading.Timer(budget, lambda: end(told()))
    began, cpu = time.perf_counter(), time.process_time()
    clock.start()
    await asyncio.gather(*map(followed, range(jobs)))
    clock.cancel()
    return told()


async def waited(case: dict[str, Any], url: str, jobs: int, options: dict[str, Any]) -> dict[str, Any]:
    """Wait for jobs that are due again as soon as they have been looked at; the server counts the looks."""
    from unified_train import AsyncClient, Polling

    recorded = Case.load(case)
    polling = Polling(first=0.001, share=0.0, longest=0.001)
    client = AsyncClient(
        recorded.vendor, journal=None, polling=polling, parallel=jobs, **ours.client_options(recorded, url), **options
    )
    async with client:
        known, cpu = ours.jobs(recorded, jobs), time.process_time()
        threading.Timer(_WAIT_SECONDS, lambda: end({"cpu": time.process_time() - cpu})).start()
        await client.wait(known)
    return {"cpu": 0.0}  # not reached: the jobs never end


async def resting(case: dict[str, Any], url: str, jobs: int, *, traced: bool) -> dict[str, float]:
    """Wait for jobs that have been looked at once and are looked at again in an hour.

    Returns:
        Bytes for each job, by `tracemalloc` or by what the process occupies; threads; share of a core.
    """
    from unified_train import AsyncClient, Polling

    recorded = Case.load(case)
    polling = Polling(first=3600, share=0.0, longest=3600)
    client = AsyncClient(
        recorded.vendor, journal=None, polling=polling, parallel=64, **ours.client_options(recorded, url)
    )
    async with client:
        await client.poll(ours.jobs(recorded, 1)[0])
        await asyncio.to_thread(seen_at, url)  # so that what comes with a first thread is there
        # As if nobody had looked at them yet: they are looked at at once.
        known = [job.model_copy(update={"updated_at": None}) for job in ours.jobs(recorded, jobs)]
        gc.collect()
        if traced:
            tracemalloc.start()
        before = _held(traced=traced)
        waiting = asyncio.ensure_future(client.wait(known))
        await _all_looked_at(url, jobs)
        gc.collect()
        held = (_held(traced=traced) - before) / jobs
        began, cpu = time.perf_counter(), time.process_time()
        await asyncio.sleep(_AT_REST_SECONDS)
        busy = (time.process_time() - cpu) / (time.perf_counter() - began)
        threads = sum(not one.name.startswith("asyncio") for one in threading.enumerate())  # that asks the server
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting
    return {"bytes": held, "threads": threads, "busy": busy}


async def _all_looked_at(url: str, jobs: int) -> None:
    """Return a moment after the server has answered for each job."""
    seen = 0
    while seen < jobs:
        await asyncio.sleep(0.2)
        seen += (await asyncio.to_thread(seen_at, url)).requests
    await asyncio.sleep(0.5)


def _held(*, traced: bool) -> int:
    if traced:
        return tracemalloc.get_traced_memory()[0]
    told = re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(told[1]) * 1024 if told else 0


# -- outside -----------------------------------------------------------------------------------------------------------


def measure(stage: Stage) -> Section:
    """Throughput, and memory at rest."""
    section = Section(
        "many-jobs",
        f"Answers come after {_LATENCY * 1e3:.0f} ms. So many jobs are polled at once, each by a call of its own, at"
        f" least {_LEAST} polls in all; what takes longer than its time is given up and counted as late. Ours polls a"
        " Scenario generation, and so do its SDK and the raw clients; the other SDK polls a generation of Alibaba."
        " `wait` is one call for all jobs, with a polling that finds all of them due at once, for"
        f" {_WAIT_SECONDS:.0f} seconds; it has polls of as many jobs under way as the client lets it.",
    )
    at_once = (20, 1_000) if stage.quick else _AT_ONCE
    found: dict[str, dict[int, dict[str, Any]]] = {}
    for name, contender in present().items():
        case = _CASE if contender.does(_CASE) else _ALIBABA
        if contender.asynchronous and contender.does(case):
            found[name] = _contender(name, stage.cases[case], at_once, section.failures)
    for name, options in _WAITING:
        if not options or "ours, async, aiohttp" in found:
            found[name] = _waits(stage.cases[_CASE], at_once, options, section.failures)
    section.tables.append(
        [["polls/s (µs of CPU each)", *(f"{jobs:,} jobs" for jobs in at_once)], *_rows(found, at_once)]
    )
    rates = {name: {jobs: _rate(one) for jobs, one in runs.items() if _rate(one)} for name, runs in found.items()}
    section.pictures["polls a second"] = plots.lines(
        "Polls a second, by jobs at once",
        {name: {float(jobs): rate for jobs, rate in line.items()} for name, line in rates.items() if len(line) > 1},
    )
    section.goals = _goals(rates, found)
    _rest(stage, section)
    return section


def _slow(case: Case) -> Case:
    return replace(case, routes=[replace(route, path=_any(route.path), delay=_LATENCY) for route in case.routes])


def _any(path: str) -> str:
    """Every job has an id of its own, which ends the path where there is no query."""
    return f"{path.rpartition('/')[0]}/*"


def _contender(name: str, case: Case, at_once: Sequence[int], failures: list[str]) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    slow, budget = _slow(case), _OUR_BUDGET if name.startswith("ours") else _BUDGET
    for jobs in at_once:
        with Server(slow.routes) as server:
            try:
                found[jobs] = runner.call(
                    gathered, name=name, case=slow.dump(), url=server.url, jobs=jobs, budget=budget
                )
            except runner.Failed as error:
                failures.append(f"{name}, {jobs:,} jobs: {str(error).strip().splitlines()[-1]}")
    return found


def _waits(
    case: Case, at_once: Sequence[int], options: dict[str, Any], failures: list[str]
) -> dict[int, dict[str, Any]]:
    found = {}
    slow = _slow(case)
    for jobs in at_once:
        with Server(slow.routes) as server:
            try:
                told = runner.call(waited, case=slow.dump(), url=server.url, jobs=jobs, options=options)
            except runner.Failed as error:
                failures.append(f"wait, {jobs:,} jobs: {str(error).strip().splitlines()[-1]}")
                continue
            found[jobs] = {
                **told,
                "answered": server.seen().requests,
                "late": 0,
                "errors": {},
                "seconds": _WAIT_SECONDS,
            }
    return found


def _rate(run: dict[str, Any]) -> float:
    return float(run["answered"] / run["seconds"])


def _rows(found: dict[str, dict[int, dict[str, Any]]], at_once: Sequence[int]) -> list[list[str]]:
    return [[name, *(_cell(runs.get(jobs)) for jobs in at_once)] for name, runs in found.items()]


def _cell(run: dict[str, Any] | None) -> str:
    if run is None:
        return "–"
    if not run["answered"]:
        return "none answered"
    told = f"{_rate(run):,.0f} ({run['cpu'] / run['answered'] * 1e6:,.0f})"
    lost = [f"{run['late']:,} late"] if run["late"] else []
    lost += [f"{count:,} {name}" for name, count in run["errors"].items()]
    return f"{told}; {', '.join(lost)}" if lost else told


def _goals(rates: dict[str, dict[int, float]], found: dict[str, dict[int, dict[str, Any]]]) -> list[Goal]:
    few, some, most = _AT_ONCE[0], _AT_ONCE[-2], _AT_ONCE[-1]
    mine, fast = rates.get("ours, async", {}), rates.get("ours, async, aiohttp", {})
    pairs = [
        (f"polls/s at {most:,} jobs / at {few}", mine.get(most), mine.get(few), 0.85),
        (f"polls/s at {most:,} jobs / httpx", mine.get(most), rates.get("httpx, async", {}).get(most), 5),
        (
            f"aiohttp: polls/s at {some:,} jobs / scenario-sdk",
            fast.get(some),
            rates.get("scenario-sdk, async", {}).get(some),
            15,
        ),
    ]
    goals = [
        Goal(what, ours / theirs, bound, " ×", least=True) for what, ours, theirs, bound in pairs if ours and theirs
    ]
    for name in ("ours, async", "ours, async, aiohttp"):
        wrong = [run["late"] + sum(run["errors"].values()) for run in found.get(name, {}).values()]
        goals += [Goal(f"{name}: late or failed polls", sum(wrong), 0)] if wrong else []
    if most in fast:
        goals.append(Goal(f"aiohttp: {most:,} jobs answered within", most / fast[most], 4, " s"))
    return goals


def _rest(stage: Stage, section: Section) -> None:
    """What waiting jobs take while nothing happens."""
    jobs = 500 if stage.quick else 3_000
    case = stage.cases[_CASE]
    quick = replace(case, routes=[replace(route, path=_any(route.path)) for route in case.routes])
    try:
        with Server(quick.routes) as server:
            told = {"case": quick.dump(), "url": server.url, "jobs": jobs}
            traced, plain = runner.call(resting, **told, traced=True), runner.call(resting, **told, traced=False)
    except runner.Failed as error:
        section.failures.append(f"jobs at rest: {str(error).strip().splitlines()[-1]}")
        return
    section.tables.append(
        [
            [f"{jobs:,} jobs that wait", ""],
            ["kB for each, by `tracemalloc`", number(traced["bytes"] / 1e3)],
            ["kB for each, by what the process occupies", number(plain["bytes"] / 1e3)],
            ["threads", number(plain["threads"])],
            ["CPU at rest, % of a core", f"{plain['busy'] * 100:.2f}"],
        ]
    )
    section.goals += [
        Goal("kB for each waiting job, its `Job` included", traced["bytes"] / 1e3, 5),
        Goal("CPU at rest, % of a core", plain["busy"] * 100, 2),
    ]
