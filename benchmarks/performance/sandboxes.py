"""How many requests a second the sandbox answers on one core, and how long the demo takes."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.performance import runner
from benchmarks.performance.cases import Case
from benchmarks.performance.contenders import everybody
from benchmarks.performance.report import Goal, Section, Stage, number
from benchmarks.performance.tapes import recorded_at
from unified_train.sandbox import Sandbox

_CASES = ("novita training.poll", "scenario generation.poll")
_AT_ONCE = 16


# -- in the workers ----------------------------------------------------------------------------------------------------


def served(name: str, times: int) -> dict[str, float]:
    """Answer requests on one core, which another process sends; seconds of both clocks."""
    cores = os.sched_getaffinity(0)
    with Sandbox(speed=0) as sandbox:
        case = next(case for case in recorded_at(sandbox, name.partition(" ")[0]) if case.name == name)
        for task in Path("/proc/self/task").iterdir():
            os.sched_setaffinity(int(task.name), {max(cores)})
        told: dict[str, Any] = {"case": case.dump(), "url": sandbox.base_url, "cores": sorted(cores)}
        runner.call(asked, **told, times=_AT_ONCE * 4)
        cpu = time.process_time()
        seconds = runner.call(asked, **told, times=times)
        return {"seconds": seconds, "cpu": time.process_time() - cpu}


async def asked(case: dict[str, Any], url: str, times: int, cores: list[int]) -> float:
    """Send requests over asyncio's streams; seconds."""
    # A process starts on the cores of whoever started it.
    os.sched_setaffinity(0, {min(cores)} if len(cores) > 1 else set(cores))
    operation: Any = everybody()["asyncio streams"].opened(Case.load(case), url, 1)

    async def some() -> None:
        for _ in range(times // _AT_ONCE):
            await operation()

    began = time.perf_counter()
    await asyncio.gather(*(some() for _ in range(_AT_ONCE)))
    seconds = time.perf_counter() - began
    await operation.close()
    return seconds


# -- outside -----------------------------------------------------------------------------------------------------------


def measure(stage: Stage) -> Section:
    """The sandbox under load, and the demo."""
    section = Section(
        "sandbox",
        f"The sandbox on a core of its own, asked by another process over {_AT_ONCE} connections, for polls of a"
        " training (Novita) and of a generation (Scenario). By CPU time means: as many as a core could answer that does"
        " nothing else. The demo trains and generates at all three vendors, and makes a contact sheet.",
    )
    times = 320 if stage.quick else 4_000
    rows = [["", "requests/s", "requests/s by CPU time"]]
    for name in _CASES:
        runs = [runner.call(served, name=name, times=times) for _ in range(1 if stage.quick else 3)]
        wall, cpu = min(run["seconds"] for run in runs), min(run["cpu"] for run in runs)
        rows.append([name, number(times / wall), number(times / cpu)])
        section.goals.append(Goal(f"{name}: requests/s", times / wall, 1_500, least=True))
    section.tables.append(rows)
    if not stage.quick:
        section.goals.append(Goal("`unified-train demo`", _demo(), 30, " s"))
    return section


def _demo() -> float:
    with tempfile.TemporaryDirectory() as folder:
        environ = {**os.environ, "UNIFIED_TRAIN_HOME": folder, "UNIFIED_TRAIN_CONFIG": os.devnull}
        command = [sys.executable, str(Path(sys.executable).parent / "unified-train"), "demo"]
        began = time.perf_counter()
        subprocess.run(command, cwd=folder, env=environ, check=True, capture_output=True)
        return time.perf_counter() - began
