"""How long it takes until there is something to work with: fresh interpreters, in turns."""

from __future__ import annotations

import compileall
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

from benchmarks.performance import plots, runner
from benchmarks.performance.report import Goal, Section, Stage, number
from benchmarks.performance.server import Route, Server

_PEERS = "import httpx, pydantic, pluggy, tenacity"
_READY = "import unified_train\nunified_train.Client('novita')"
_ALIBABA = (
    "from alibabacloud_aicontent20240611.client import Client\n"
    "from alibabacloud_tea_openapi.utils_models import Config\n"
    "Client(Config(access_key_id='key', access_key_secret='secret', region_id='cn-shanghai'))"
)
_SERVER = "BENCHMARK_SERVER"
"""Environment variable with the address of what answers a poll."""
_ANSWER = Route("GET", "/v3/training/*", body='{"task_id": "1", "task_status": "TRAINING", "models": []}')
_MADE = f"Client('novita', settings={{'novita': {{'base_url': os.environ['{_SERVER}']}}}})"
_LOOK = "client.poll('novita:training:subject/1')"
_POLL = f"import os, unified_train\nwith unified_train.{_MADE} as client: {_LOOK}"
_ASYNC_POLL = f"""import asyncio, os, unified_train
async def poll():
    async with unified_train.Async{_MADE} as client: await {_LOOK}
asyncio.run(poll())"""
_HTTPX_POLL = f"""import os, httpx
with httpx.Client() as client: client.get(os.environ['{_SERVER}'] + '/v3/training/subject?task_id=1').json()"""
_CODE = {
    "bare Python": "pass",
    "import unified_train": "import unified_train",
    "import httpx": "import httpx",
    _PEERS: _PEERS,
    "ours, ready to poll (sync)": _READY,
    "ours, ready to poll (async)": _READY.replace("Client", "AsyncClient"),
    "ours, import to first poll answered (sync)": _POLL,
    "ours, import to first poll answered (async)": _ASYNC_POLL,
    "httpx, import to first answer": _HTTPX_POLL,
    "httpx and a client": "import httpx\nhttpx.Client()",
    "scenario-sdk and a client": "import scenario_sdk\nscenario_sdk.Scenario()",
    "alibaba SDK and a client": _ALIBABA,
    "novita-client and a client": "import novita_client\nnovita_client.NovitaClient('key')",
    "import click": "import click",
}
_HELP = "unified-train --help"
_OURS = ("ours", "import unified_train", _HELP)
_SDKS = ("scenario-sdk and a client", "alibaba SDK and a client", "novita-client and a client")


@dataclass
class _Times:
    """Of one command, in seconds; instructions in millions, if they were counted."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    instructions: float = 0.0

    @property
    def least(self) -> float:
        return min(self.cpu)

    @property
    def cost(self) -> float:
        return self.instructions or self.least


def measure(stage: Stage) -> Section:
    """Imports and clients."""
    section = Section(
        "start",
        "Fresh interpreters, in turns; instructions of the whole process, bare Python included. Ready to poll is:"
        " imported, a client made, its provider loaded, with the usual journal and no configuration file. Ratios are of"
        " instructions where those were counted, else of the least CPU times. All bytecode is compiled, as it is"
        " where a wheel was installed. Much of ours is loaded only when it is needed, HTTP libraries among it, so that"
        " being ready is not all: the rows up to the first answer, which a server on this machine gives, have all of it"
        " in them. httpx imports trio, click and rich where they are installed, as they are here, and so does whoever"
        " imports httpx.",
    )
    for folder in _compiled():
        compileall.compile_dir(folder, quiet=1)
    with tempfile.TemporaryDirectory() as home, Server([_ANSWER]) as server:
        environ = _environ(home) | {_SERVER: server.url}
        commands = _commands(section.failures, environ)
        found = _timed(commands, environ, 3 if stage.quick else 9)
        try:
            if runner.counts():
                _count(commands, environ, found)
        except runner.Failed as error:
            section.failures.append(f"instructions: {error}")
    counted = any(times.instructions for times in found.values())
    bare = found["bare Python"].cost
    head = ["", "wall, least / median ms", "CPU, least / median ms", "million instructions" if counted else "–"]
    section.tables.append(
        [head, *([f"`{name}`" if name.startswith("import") else name, *_cells(times)] for name, times in found.items())]
    )
    section.goals = _goals({name: times.cost for name, times in found.items()})
    section.pictures["start"] = plots.bars(
        f"Until ready, {'million instructions' if counted else 'ms of CPU'} above bare Python",
        [
            (name, (times.cost - bare) * (1 if counted else 1e3), name.startswith(_OURS))
            for name, times in found.items()
            if name != "bare Python"
        ],
    )
    return section


def _compiled() -> list[str]:
    """Folders of our packages, which may never have been compiled here."""
    modules = ["unified_train", *(point.value.partition(":")[0] for point in entry_points(group="unified_train"))]
    found = [find_spec(module.partition(".")[0]) for module in modules]
    return sorted({folder for spec in found if spec for folder in spec.submodule_search_locations or ()})


def _environ(home: str) -> dict[str, str]:
    """Nothing of the user's own, and what the clients ask for."""
    mine = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("UNIFIED_TRAIN_", "NOVITA_", "SCENARIO_")) and name != "PYTHONDONTWRITEBYTECODE"
    }
    keys = {"NOVITA_API_KEY": "key", "SCENARIO_SDK_API_KEY": "key", "SCENARIO_SDK_API_SECRET": "secret"}
    return {**mine, **keys, "UNIFIED_TRAIN_HOME": home, "UNIFIED_TRAIN_CONFIG": os.devnull}


def _commands(failures: list[str], environ: dict[str, str]) -> dict[str, list[str]]:
    """Those that work here."""
    commands = {name: [sys.executable, "-c", code] for name, code in _CODE.items()}
    commands[_HELP] = [sys.executable, str(Path(sys.executable).parent / "unified-train"), "--help"]
    for name, command in list(commands.items()):
        tried = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        if tried.returncode:
            failures.append(f"{name}: {tried.stderr.strip().splitlines()[-1]}")
            del commands[name]
    return commands


def _timed(commands: dict[str, list[str]], environ: dict[str, str], rounds: int) -> dict[str, _Times]:
    found = {name: _Times() for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            subprocess.run(command, env=environ, check=True, capture_output=True)
            found[name].wall.append(time.perf_counter() - began)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            found[name].cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return found


def _count(commands: dict[str, list[str]], environ: dict[str, str], found: dict[str, _Times]) -> None:
    """Count instructions: of all commands or of none, so that ratios are of the same."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        counted = list(pool.map(lambda command: runner.all_instructions(command, environ), commands.values()))
    for times, count in zip(found.values(), counted, strict=True):
        times.instructions = count / 1e6


def _cells(times: _Times) -> list[str]:
    wall, cpu = [f"{min(each) * 1e3:.0f} / {statistics.median(each) * 1e3:.0f}" for each in (times.wall, times.cpu)]
    return [wall, cpu, number(times.instructions) if times.instructions else "–"]


def _goals(cost: dict[str, float]) -> list[Goal]:
    wanted = [
        ("`import unified_train` / `import httpx`", "import unified_train", "import httpx", 0.3),
        (f"ready to poll / `{_PEERS}`", "ours, ready to poll (sync)", _PEERS, 1.15),
        ("`unified-train --help` / `import click`", _HELP, "import click", 1.5),
        *((f"ready to poll / {sdk}", "ours, ready to poll (sync)", sdk, 1.0) for sdk in _SDKS),
    ]
    return [
        Goal(what, cost[ours] / cost[theirs], bound, " ×")
        for what, ours, theirs, bound in wanted
        if ours in cost and theirs in cost
    ]
