"""A place where one round after another is played: a sandbox, a nursery, photographs, and room on the disk."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from PIL import Image

from benchmarks.chaos.orders import TAG, Orders, Report
from benchmarks.chaos.workers import Workers
from unified_train import Client
from unified_train.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from unified_train.sandbox.faults import Fault
    from unified_train.sandbox.requestlog import Entry
    from unified_train.sandbox.world import PaidKind

SPEED = 200_000.0
"""Simulated seconds in a real one: a training of twenty minutes is over before anybody looks."""
PHOTOS = {"one.png": (180, 120, 60), "two.png": (60, 120, 180)}
_PAUSE = 0.002
_PATIENCE = 15.0
_ON_ITS_WAY = frozenset({"late", "delay"})
"""Faults after which the vendor may not have seen the request yet; it has seen those of all others, or never will."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended.

    Attributes:
        killed: By a signal.
        report: What it told; None if it was killed.
    """

    killed: bool
    report: Report | None


@dataclass(frozen=True, slots=True)
class _Living:
    """What is to be known of a worker."""

    tag: str
    report: Path
    to_be_killed: bool


class Lane:
    """One sandbox and its workers, for one thread; rounds on several lanes don't disturb each other.

    Args:
        folder: For everything that the rounds leave on the disk.
        speed: Of the sandbox's clock.
    """

    def __init__(self, folder: Path, *, speed: float = SPEED) -> None:
        self.photos = folder / "photos"
        self._folder = folder
        self._rounds = 0
        self._processes = 0
        self._living: dict[int, _Living] = {}
        self.sandbox = Sandbox(speed=speed)
        self.workers = Workers()
        _make_photos(self.photos)

    def close(self) -> None:
        """End the sandbox and all workers."""
        self.workers.close()
        self.sandbox.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fresh(self, switches: Mapping[str, Mapping[str, object]], faults: tuple[Fault, ...]) -> Path:
        """Let the vendors forget everything, and make a folder for the next round; nobody is left of the last one."""
        for pid in list(self._living):
            self.kill(pid)
        self.sandbox.reset()
        for vendor, positions in switches.items():
            for name, value in positions.items():
                self.sandbox.switch(vendor, name, value)
        self.sandbox.world.faults.add(*faults)
        shutil.rmtree(self._folder / f"round-{self._rounds}", ignore_errors=True)
        self._rounds += 1
        folder = self._folder / f"round-{self._rounds}"
        folder.mkdir(parents=True)
        return folder

    # -- workers -------------------------------------------------------------------------------------------------------

    def start(self, orders: Orders) -> int:
        """Start a worker; its report gets a name of its own, and the request that it stops in a tag."""
        self._processes += 1
        worker = _Living(
            tag=f"worker-{self._processes}",
            report=orders.folder / f"report-{self._processes}.json",
            to_be_killed=orders.doom is not None and orders.doom.act == "kill",
        )
        doom = orders.doom and orders.doom.model_copy(update={"tag": worker.tag})
        pid = self.workers.start(orders.model_copy(update={"report": worker.report, "doom": doom}))
        self._living[pid] = worker
        return pid

    def end(self, pid: int) -> Ended | None:
        """Wait for the end of a worker; None if it was put to sleep, which those to be killed don't survive."""
        code = self.workers.wait(pid)
        worker = self._living[pid]
        if code is not None:
            return self._ended(pid, code)
        if not worker.to_be_killed:
            return None
        self._wait_for(lambda: any(entry.headers.get(TAG) == worker.tag for entry in self.sandbox.world.requests))
        return self.kill(pid)

    def kill(self, pid: int) -> Ended:
        """Kill a worker, which may have ended by itself right before."""
        self.workers.signal(pid, "SIGKILL")
        code = self.workers.wait(pid)
        while code is None:  # it stopped right before
            code = self.workers.wait(pid)
        return self._ended(pid, code)

    def _ended(self, pid: int, code: int) -> Ended:
        worker = self._living.pop(pid)
        self._handled()
        if code < 0:
            return Ended(killed=True, report=None)
        if not worker.report.exists():
            return Ended(killed=False, report=Report(broken=f"a worker exited with {code} and told nothing"))
        return Ended(killed=False, report=Report.model_validate_json(worker.report.read_text()))

    # -- what the vendors have seen ------------------------------------------------------------------------------------

    def settle_down(self) -> None:
        """Wait until the vendors have seen everything that was sent, even what comes late."""
        self._wait_for(lambda: not any(_is_open(entry) for entry in self.sandbox.world.requests))

    def _handled(self) -> None:
        """Wait until the vendors are done with what came in time: only mishaps may take long, not this machine."""
        self._wait_for(lambda: not any(_is_open(entry) and not entry.fault for entry in self.sandbox.world.requests))

    def accepted(self, kind: PaidKind) -> list[str]:
        """Ids of what was accepted and would be billed."""
        return [one.id for one in self.sandbox.world.submissions if one.kind == kind]

    def models(self) -> list[tuple[str, int]]:
        """Models in the account at Scenario, trained or not: their names, and how many photographs they have."""
        self.sandbox.switch("scenario", "list_lag", 0.0)
        env = self.sandbox.env
        settings = {
            "base_url": env["SCENARIO_BASE_URL"],
            "api_key": env["SCENARIO_SDK_API_KEY"],
            "api_secret": env["SCENARIO_SDK_API_SECRET"],
        }
        with Client("scenario", settings={"scenario": settings}, journal=None, pace=False) as client:
            found: list[Any] = client.run(client.provider("scenario").list_models())
        return [(model.name, model.images_number) for model in found]

    def _wait_for(self, condition: Callable[[], bool]) -> None:
        until = time.monotonic() + _PATIENCE
        while not condition():
            if time.monotonic() > until:
                raise TimeoutError("the sandbox has not seen what a worker sent")
            time.sleep(_PAUSE)


def _is_open(entry: Entry) -> bool:
    return entry.status is None and (entry.fault is None or entry.fault in _ON_ITS_WAY)


def _make_photos(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name, colour in PHOTOS.items():
        Image.new("RGB", (96, 96), colour).save(folder / name)
    captions = {name: f"ohwx cat number {number}" for number, name in enumerate(PHOTOS, 1)}
    (folder / "captions.json").write_text(json.dumps(captions))
