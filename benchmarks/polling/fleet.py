"""Thousands of jobs in one wait: requests, processor time and memory, on a clock that is turned."""

from __future__ import annotations

import gc
import json
import time
import tracemalloc
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx

from unified_train import Client, Job, WaitTimeout
from unified_train.config import Config
from unified_train.flow import Crew, Gather, Sleep

if TYPE_CHECKING:
    from unified_train.flow import Workflow

_PAGE = 100
_SETTINGS = {"novita": {"api_key": "none", "base_url": "http://novita.invalid"}}


class Turned:
    """A clock that stands still but for what is slept."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._start = datetime(2026, 1, 1, tzinfo=UTC)

    def ticks(self) -> float:
        """Seconds since the start."""
        return self.seconds

    def today(self) -> datetime:
        """The date."""
        return self._start + timedelta(seconds=self.seconds)


class Fleet:
    """A vendor in memory with trainings that run and run, and the transport that leads there.

    Args:
        number: Of trainings.
        clock: Tells how far they are.
        whole: Seconds that they take.
    """

    def __init__(self, number: int, clock: Turned, whole: float) -> None:
        self.number = number
        self.lists = 0
        self.polls = 0
        self._clock = clock
        self._whole = whole
        rows = [
            {"task_id": f"{place:032x}", "task_type": "style", "task_status": "TRAINING", "models": []}
            | {"task_name": f"cat-{place} ut{place:010x}", "created_at": 1767225600, "user_id": "u"}
            for place in range(number)
        ]
        self._pages = [
            json.dumps(
                {
                    "tasks": rows[start : start + _PAGE],
                    "pagination": {"next_cursor": str(start + _PAGE) if start + _PAGE < number else ""},
                }
            ).encode()
            for start in range(0, number, _PAGE)
        ]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        if request.url.path == "/v3/training":
            self.lists += 1
            start = int(request.url.params.get("pagination.cursor") or 0)
            return httpx.Response(200, content=self._pages[start // _PAGE])
        self.polls += 1
        share = self._clock.seconds / self._whole
        told = {"progress_percent": round(100 * share), "eta_relative": round(self._whole - self._clock.seconds)}
        body = {"task_id": "t", "task_status": "TRAINING", "model_type": "lora", "models": [], "extra": told}
        return httpx.Response(200, content=json.dumps(body))

    def jobs(self) -> list[Job]:
        """The trainings, as a client knows them that has just started them."""
        now = self._clock.today()
        return [
            Job.model_validate(
                {
                    "provider": "novita",
                    "kind": "training",
                    "id": f"style/{place:032x}",
                    "status": "queued",
                    "created_at": now,
                    "updated_at": now,
                    "key": f"key-{place}",
                    "name": f"cat-{place}",
                    "history": [{"at": now, "status": "queued"}],
                }
            )
            for place in range(self.number)
        ]


def driven(client: Client, clock: Turned, workflow: Workflow[Any]) -> Any:
    """Drive a workflow with everything in its turn, and time that passes only in sleep."""
    answer: object = None
    error: BaseException | None = None
    while True:
        try:
            action = workflow.throw(error) if error else workflow.send(answer)
        except StopIteration as stop:
            return stop.value
        answer, error = None, None
        try:
            answer = _done(client, clock, action)
        except Exception as failure:  # noqa: BLE001 - the workflow decides what to do with it
            error = failure


def _done(client: Client, clock: Turned, action: Any) -> object:
    match action:
        case Sleep(seconds):
            clock.seconds += seconds
            return None
        case Gather(workflows, _):
            return [driven(client, clock, workflow) for workflow in workflows]
        case Crew(supply, _):
            while (item := supply.next()) is not None:
                if isinstance(item, int | float):
                    clock.seconds += item
                else:
                    supply.ended(driven(client, clock, item))
            return None
        case _:
            return client._engine._perform(action)  # noqa: SLF001 - the very thing that is measured


@dataclass(frozen=True, slots=True)
class Cost:
    """What waiting for a fleet costs.

    Attributes:
        jobs: Waited for.
        lists: Pages of lists per minute.
        polls: Single polls per minute.
        processor: Seconds of processor time per second.
        memory: Bytes per job, jobs included.
    """

    jobs: int
    lists: float
    polls: float
    processor: float
    memory: float


def cost(number: int, *, start: float = 600.0, minutes: float = 10.0, whole: float = 2400.0) -> Cost:
    """Let a fleet be waited for, and measure for some minutes, from a while after its start."""
    clock = Turned()
    fleet = Fleet(number, clock, whole)
    with Client(
        "novita",
        settings=_SETTINGS,
        http=httpx.Client(transport=httpx.MockTransport(fleet)),
        journal=None,
        config=Config(environ={}),
    ) as client:
        flows = client._workflows  # noqa: SLF001 - clocks are not the user's to turn
        flows.clock, flows.ticks = clock.today, clock.ticks
        known: list[Job] = fleet.jobs()
        known = _waited(client, clock, known, start)
        lists, polls, began, used = fleet.lists, fleet.polls, clock.seconds, time.process_time()
        known = _waited(client, clock, known, 60 * minutes)
        used = time.process_time() - used
        minutes = (clock.seconds - began) / 60
        lists, polls = fleet.lists - lists, fleet.polls - polls
        memory = _memory(client, clock, fleet)
    return Cost(number, lists / minutes, polls / minutes, used / (60 * minutes), memory / number)


def _waited(client: Client, clock: Turned, known: list[Job], seconds: float) -> list[Job]:
    try:
        driven(client, clock, client._workflows.wait(known, timeout=seconds))  # noqa: SLF001 - as above
    except WaitTimeout as late:
        return list(late.jobs)
    raise AssertionError("unreachable")


def _memory(client: Client, clock: Turned, fleet: Fleet) -> float:
    """Bytes that jobs and their schedule take while they are waited for."""
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    known = _waited(client, clock, fleet.jobs(), 30.0)
    looks = driven(client, clock, client._workflows._looks(known, 30.0, "all"))  # noqa: SLF001 - as above
    del known
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del looks
    return float(after - before)
