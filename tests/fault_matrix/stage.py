"""Where the cells of the fault matrix are played: one sandbox, a client of either colour, and a way that is guarded."""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import anyio
import httpx
from conftest import QUICK, VENDORS
from fault_matrix.mishaps import Mishap
from fault_matrix.operations import Call, Operation
from fault_matrix.promises import ATTEMPTS, Outcome
from fault_matrix.props import Props, Scene

from unified_train import AsyncClient, Client, Journal, Retry, UnifiedTrainError
from unified_train.events import Event, RetryScheduled, SubmissionReconciled
from unified_train.http import SUBMISSION_SECONDS
from unified_train.intents import Intent
from unified_train.sandbox import Sandbox
from unified_train.sandbox.faults import Fault
from unified_train.sandbox.novita import NovitaSandbox
from unified_train.sandbox.requestlog import Entry
from unified_train.sandbox.scenario import ScenarioSandbox
from unified_train.transport import over_httpx, wire

_GRACE = 0.05
"""Seconds; short, since the sandbox accepts at once or not at all."""
_LONG_GRACE = 0.4
"""The same for requests that are late, and may be so on a busy machine."""
NOWHERE = "nobody.invalid"
"""A host name that is promised never to exist."""
_LONG = 20.0
"""Seconds for an answer that is not struck: the machine may be busy."""


class Way:
    """From the client to the vendors: counts the struck requests, and leads them astray if that is the mishap.

    Args:
        operation: Says which requests are struck.
        mishap: What happens to them.
        closed: A port on which nobody listens.
    """

    def __init__(self, operation: Operation, mishap: Mishap, closed: int) -> None:
        self.tried = 0
        self._operation = operation
        self._mishap = mishap
        self._closed = closed
        self._lock = threading.Lock()

    def leaving(self, request: httpx.Request) -> None:
        """Look at a request that is about to leave."""
        struck = self._operation.matches(request.method, request.url.path, request.url.query.decode())
        with self._lock:
            self.tried += struck
            first = struck and self.tried == 1
        if struck and self._mishap.detour:
            request.url = request.url.copy_with(**self._astray())
        if first and self._mishap.patience:
            request.extensions["timeout"] = {**request.extensions["timeout"], "read": self._mishap.patience}
        # Instead of after two minutes, the time for a submission that drips is over at once, and for no other request.
        over = first and self._mishap.drips
        wire.SUBMISSION_SECONDS = 0.0 if over else SUBMISSION_SECONDS  # type: ignore[attr-defined]

    def _astray(self) -> dict[str, Any]:
        match self._mishap.detour:
            case "closed port":
                return {"port": self._closed}
            case "no such host":
                return {"host": NOWHERE}
            case _:
                return {"scheme": "https"}


class _Watched(httpx.HTTPTransport):
    def __init__(self, way: Way) -> None:
        super().__init__(verify=_tls())
        self._way = way

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._way.leaving(request)
        return super().handle_request(request)


class _AsyncWatched(httpx.AsyncHTTPTransport):
    def __init__(self, way: Way) -> None:
        super().__init__(verify=_tls())
        self._way = way

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._way.leaving(request)
        return await super().handle_async_request(request)


async def _line(way: Way) -> tuple[over_httpx.AsyncLanes, anyio.Semaphore]:
    lanes = over_httpx.AsyncLanes(lambda: _AsyncWatched(way))
    return lanes, anyio.Semaphore(lanes.connections)


@cache
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()


class Stage:
    """The sandbox of all cells of one process; between two of them only mishaps and logs are cleared.

    Args:
        sandbox: The environment points at it for now; the cells do without, since looking through it takes a while.
        closed: A port on which nobody listens.
        runner: For the async client.
    """

    def __init__(self, sandbox: Sandbox, closed: int, runner: asyncio.Runner) -> None:
        self.sandbox = sandbox
        self._runner = runner
        self._closed = closed
        self._host = f"{sandbox.base_url}/_host"
        self._props = {vendor: Props.of(sandbox, vendor) for vendor in VENDORS}
        self._scenario = cast("ScenarioSandbox", sandbox.vendors["scenario"]).account
        self._novita = cast("NovitaSandbox", sandbox.vendors["novita"])._account
        self._kept = {identifier for records in self._shelves() for identifier in records}

    @contextmanager
    def disturbed(self, operation: Operation, mishap: Mishap) -> Iterator[Way]:
        """Let a mishap happen to an operation."""
        world = self.sandbox.world
        if operation.loses:
            method, path = operation.loses
            # The first one of all may be refused for its date; it is an accepted one whose answer is to be lost.
            skip = int(bool(mishap.skew) and operation.dated)
            world.faults.add(Fault(kind="reset_after", method=method, path=path, skip=skip))
        fault = mishap.fault(operation.edits(mishap))
        if fault:
            times = None if mishap.lasting else 1
            world.faults.add(Fault(**fault, method=operation.method, path=operation.path, times=times))
        world.clock.skew = mishap.skew
        try:
            yield Way(operation, mishap, self._closed)
        finally:
            world.clock.skew = 0.0
            world.faults.clear()
            world.clock.unfreeze()

    @contextmanager
    def calling(self, colour: str, vendor: str, way: Way, options: dict[str, Any]) -> Iterator[Call]:
        """A client of a colour, called by the names of its methods."""
        provider = self._props[vendor].provider
        if colour == "sync":
            with Client(provider, **options) as client:
                lanes = over_httpx.Lanes(lambda: _Watched(way))
                client._engine._line = lanes, threading.Semaphore(lanes.connections)
                yield lambda name, *arguments, **more: getattr(client, name)(*arguments, **more)
            return
        run = self._runner.run
        awaited = AsyncClient(provider, **options)
        awaited._engine._line = run(_line(way))
        try:
            yield lambda name, *arguments, **more: run(getattr(awaited, name)(*arguments, **more))
        finally:
            run(awaited.close())

    def play(self, operation: Operation, mishap: Mishap, colour: str, folder: Path) -> Played:
        """Play one cell.

        Args:
            operation: What the user wants.
            mishap: What happens to it.
            colour: Of the client, `sync` or `async`.
            folder: An empty one, for pictures.
        """
        props, world, events = self._props[operation.vendor], self.sandbox.world, list[Event]()
        self._forget()
        scene = Scene(props, folder, props.running() if operation.needs_running else None)
        # A file where it matters, since making one takes longer than the rest.
        journal = Journal(folder.with_suffix(".sqlite") if operation.pays else ":memory:")
        paid, models = len(world.submissions), set(self._scenario.models)
        retry = Retry(attempts=ATTEMPTS, first=0.01, longest=0.1, grace=_LONG_GRACE if mishap.late else _GRACE)
        options = {**QUICK, "journal": journal, "retry": retry, "observer": events.append, "image_host": self._host}
        with (
            closing(journal),
            self.disturbed(operation, mishap) as way,
            self.calling(colour, operation.vendor, way, options) as call,
        ):
            result: Any = None
            error: UnifiedTrainError | None = None
            try:
                result = operation.play(call, scene)
            except UnifiedTrainError as raised:
                error = raised
            arrived = self._arrived(operation, 0 if mishap.detour else way.tried)
            made = [model for identifier, model in self._scenario.models.items() if identifier not in models]
            seen = Outcome(
                error=type(error) if error else None,
                requests=way.tried,
                paid=len(world.submissions) - paid,
                reconciled=tuple(event.outcome for event in events if isinstance(event, SubmissionReconciled)),
            )
            return Played(
                seen=seen,
                right=error is not None or operation.right(result, scene, mishap),
                error=error,
                arrived=len(arrived),
                doubts=[intent for intent, _ in journal.pending()],
                met=next((entry.fault for entry in arrived), None),
                delays=[event.delay for event in events if isinstance(event, RetryScheduled)],
                images=tuple(len(model.images) for model in made),
            )

    def _forget(self) -> None:
        """Clear the log, and what earlier cells have left behind where it would make lists longer than a page."""
        self.sandbox.world.requests.clear()
        for records in self._shelves():
            for identifier in records.keys() - self._kept:
                del records[identifier]

    def _shelves(self) -> list[dict[str, Any]]:
        scenario, novita = self._scenario, self._novita
        return [scenario.models, scenario.jobs, novita.trainings, novita.generations]

    def _arrived(self, operation: Operation, sent: int) -> list[Entry]:
        """The struck requests that reached the vendor, once it has seen all that were sent: some take their time."""
        deadline = time.monotonic() + _LONG
        while True:
            entries = self.sandbox.world.requests.entries()
            arrived = [entry for entry in entries if operation.matches(entry.method, entry.path, entry.query)]
            late = any(entry.fault == "late" and entry.status is None for entry in arrived)
            if not late and len(arrived) >= sent:
                return arrived
            assert time.monotonic() < deadline, f"{len(arrived)} of {sent} requests reached the vendor"
            time.sleep(0.005)


@dataclass(frozen=True)
class Played:
    """A cell after it was played.

    Attributes:
        seen: How it ended.
        right: Whether the result is what the user wanted; true if there is none.
        error: What the call raised.
        arrived: Struck requests that reached the vendor.
        met: Kind of the fault that the first of them met.
        doubts: Calls in the journal of which nobody knows what became of them.
        delays: Before requests were repeated, in seconds.
        images: Attached to each of the models that were made at Scenario.
    """

    seen: Outcome
    right: bool
    error: UnifiedTrainError | None
    arrived: int
    met: str | None
    doubts: Sequence[Intent]
    delays: Sequence[float]
    images: tuple[int, ...]
