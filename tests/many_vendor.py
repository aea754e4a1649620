"""A plain vendor with a list, on a clock that is turned: for waits for many jobs that take no time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from helpers import Plain, PlainSettings
from pydantic import SecretStr

from unified_train import Flow, Job, JobKind, Request, Response, Snapshot, Status
from unified_train.flow import Crew, Emit, Gather, Sleep, Workflow


@dataclass
class Life:
    """When one training changes, in seconds; and how it ends."""

    starts: float = 0.0
    ends: float = 1200.0
    end: str = "succeeded"

    def at(self, now: float) -> tuple[str, float | None]:
        if now >= self.ends:
            return self.end, None
        if now < self.starts:
            return "queued", None
        return "running", (now - self.starts) / (self.ends - self.starts)


@dataclass
class Many:
    """The vendor's books, and the transport that leads there.

    Attributes:
        lives: Of the trainings, by id; the newest last.
        lag: Seconds by which lists are late.
        tells_progress: Whether lists tell it.
        unlisted: Ids that no list shows.
        page: Rows of a list's page.
        refusal: Status with which lists are refused.
        polls: Ids that were polled.
        pages: Pages of lists that were read.
    """

    lives: dict[str, Life]
    lag: float = 0.0
    tells_progress: bool = True
    unlisted: set[str] = field(default_factory=set)
    page: int = 100
    refusal: int | None = None
    now: float = 0.0
    slept: int = 0
    polls: list[str] = field(default_factory=list)
    pages: int = 0

    def ticks(self) -> float:
        return self.now

    def today(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.now)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        status, told = self.answer(request.url.path, dict(request.url.params))
        return httpx.Response(status, json=told)

    def answer(self, path: str, query: Mapping[str, str]) -> tuple[int, object]:
        """Status and body of an answer."""
        last = path.rpartition("/")[2]
        if last != "trainings":
            self.polls.append(last)
            return 200, self._row(last, self.now, True)
        self.pages += 1
        if self.refusal is not None:
            return self.refusal, {}
        start = int(query["start"])
        seen = [one for one in reversed(self.lives) if one not in self.unlisted]
        then = self.now - self.lag
        rows = [self._row(one, then, self.tells_progress) for one in seen[start : start + self.page]]
        return 200, {"rows": rows, "more": start + self.page < len(seen)}

    def _row(self, identifier: str, now: float, tells: bool) -> dict[str, Any]:
        status, progress = self.lives[identifier].at(now)
        told = {"progress": round(progress, 2)} if tells and progress is not None else {}
        return {"id": identifier, "status": status, "word": status.upper(), **told}

    def jobs(self) -> list[Job]:
        """The trainings as whoever started them knows them."""
        return [Job(provider="plain", kind="training", id=one, key=f"key-{one}") for one in self.lives]


class Listed(Plain):
    """The plain vendor, with a list of trainings to follow many by."""

    lists = frozenset({"training"})

    def poll_many(self, jobs: Sequence[Job]) -> Flow[Mapping[str, Snapshot]]:
        wanted = {job.id for job in jobs}
        found: dict[str, Snapshot] = {}
        for page in range(self.pages(jobs)):
            query = {"start": str(100 * page)}
            told = (yield self.get("/trainings", "training.list", query=query)).json()
            found |= {row["id"]: _snapshot(row) for row in told["rows"] if row["id"] in wanted}
            if len(found) == len(wanted) or not told["more"]:
                break
        return found

    def list_jobs(self, kind: JobKind) -> Flow[Sequence[Snapshot]]:
        return tuple((yield from self.poll_many([])).values())


def _snapshot(row: Mapping[str, Any]) -> Snapshot:
    return Snapshot(
        id=row["id"], status=Status(row["status"]), raw_status=row["word"], progress=row.get("progress"), raw=dict(row)
    )


def listed_provider() -> Listed:
    return Listed(PlainSettings(api_key=SecretStr("k-SECRET-k")))


def turned(client: Any, vendor: Many) -> None:
    """Put a client on the vendor's clock."""
    client._workflows.clock, client._workflows.ticks = vendor.today, vendor.ticks


def driven(client: Any, vendor: Many, workflow: Workflow[Any], told: Callable[[Any], object] = lambda _: None) -> Any:
    """Drive a workflow in the caller's thread, everything in its turn; only sleeping takes time."""
    steps = _Steps(workflow)
    for action in steps:
        try:
            steps.answer = _done(client, vendor, action, told)
        except Exception as error:  # noqa: BLE001 - the workflow decides what to do with it
            steps.error = error
    return steps.result


class _Steps:
    def __init__(self, workflow: Workflow[Any]) -> None:
        self._workflow = workflow
        self.answer: object = None
        self.error: Exception | None = None
        self.result: Any = None

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        answer, error, self.answer, self.error = self.answer, self.error, None, None
        try:
            return self._workflow.throw(error) if error else self._workflow.send(answer)
        except StopIteration as stop:
            self.result = stop.value
            raise StopIteration from None


def _done(client: Any, vendor: Many, action: Any, told: Callable[[Any], object]) -> object:
    match action:
        case Request():
            status, body = vendor.answer(action.url, action.query)
            return Response(action, status, {}, json.dumps(body).encode())
        case Sleep(seconds):
            vendor.now += seconds
        case Emit(value):
            told(value)
        case Gather(workflows, _):
            return [driven(client, vendor, workflow, told) for workflow in workflows]
        case Crew(supply, _):
            while (item := supply.next()) is not None:
                if isinstance(item, int | float):
                    vendor.slept += 1
                    vendor.now += item
                else:
                    supply.ended(driven(client, vendor, item, told))
        case _:
            return client._engine._perform(action)
    return None
