"""What a worker does: train, wait, generate, wait, download; in a process of its own, forked by the nursery."""

from __future__ import annotations

import json
import os
import ssl
import traceback
from contextlib import ExitStack
from functools import cache
from typing import TYPE_CHECKING, Any

import anyio
import httpx

from benchmarks.chaos.dooms import AsyncDoomedTransport, Course, DoomedJournal, DoomedTransport
from benchmarks.chaos.orders import Report
from unified_train import (
    AsyncClient,
    Client,
    Dataset,
    GenerationRequest,
    Image,
    Job,
    JournalError,
    Polling,
    Retry,
    SubmissionUncertain,
    TrainingRequest,
    plugins,
)
from unified_train.events import SubmissionReconciled
from unified_train.hosting import VARIABLE, PlainHost

if TYPE_CHECKING:
    from collections.abc import Generator

    from benchmarks.chaos.orders import Orders
    from unified_train.events import Event
    from unified_train.provider import AnyProvider

_POLLING = Polling(first=0.03, share=0.05, longest=0.1)
_PATIENCE = 60.0
"""Seconds that a job may take."""
_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Not used, the sandbox speaks plain HTTP; but making httpx's own one takes longer than all the rest."""


@cache
def kind_of(vendor: str) -> type[AnyProvider]:
    """A vendor's provider, looked up once before the workers are born: looking takes as long as half of their work."""
    return plugins.load(vendor)


def transport() -> httpx.HTTPTransport:
    """What sends a worker's requests in the end."""
    return httpx.HTTPTransport(verify=_TLS)


def work(orders: Orders) -> None:
    """Do the work and write the report."""
    os.environ.update(orders.environ)
    worker = _Worker(orders)
    try:
        worker.live()
    except SubmissionUncertain as error:
        worker.facts["unknown"] = (error.key or "", str(error))
    except JournalError as error:
        worker.facts["locked"] = "locked" in str(error)
        worker.facts["broken"] = traceback.format_exc()
    except Exception:  # noqa: BLE001 - whatever it is, it is told
        worker.facts["broken"] = traceback.format_exc()
    orders.report.write_text(worker.report().model_dump_json())


class _Worker:
    def __init__(self, orders: Orders) -> None:
        self.facts: dict[str, Any] = {}
        self._orders = orders
        self._course = Course(orders.doom)
        self._jobs: list[tuple[str, str]] = []
        self._notes: list[str] = []
        self._reconciled: list[SubmissionReconciled] = []

    def report(self) -> Report:
        return Report(
            jobs=tuple(self._jobs),
            notes=tuple(self._notes),
            adopted=tuple(one.operation for one in self._reconciled if one.outcome == "adopted"),
            absent=tuple(one.operation for one in self._reconciled if one.outcome == "absent"),
            points=tuple(self._course.points),
            **self.facts,
        )

    def live(self) -> None:
        if self._orders.colour == "sync":
            self._blocking()
        else:
            anyio.run(self._awaiting)

    def _blocking(self) -> None:
        doomed = DoomedTransport(transport(), self._course)
        with ExitStack() as stack:
            http = stack.enter_context(httpx.Client(transport=doomed, timeout=10, trust_env=False))
            client = stack.enter_context(Client(self._provider(), http=http, **self._options(stack)))
            program, value = self._program(client), None
            while True:
                try:
                    value = program.send(value)
                except StopIteration:
                    return

    async def _awaiting(self) -> None:
        doomed = AsyncDoomedTransport(httpx.AsyncHTTPTransport(verify=_TLS), self._course)
        with ExitStack() as stack:
            async with (
                httpx.AsyncClient(transport=doomed, timeout=10, trust_env=False) as http,
                AsyncClient(self._provider(), http=http, **self._options(stack)) as client,
            ):
                await _awaited(self._program(client))

    def _provider(self) -> AnyProvider:
        kind = kind_of(self._orders.vendor)
        return kind(kind.Settings.from_env(self._orders.environ))

    def _options(self, stack: ExitStack) -> dict[str, Any]:
        journal = DoomedJournal(self._orders.folder / "journal.sqlite", lease=self._orders.lease)
        journal.follow(self._course)
        stack.callback(journal.close)
        return {
            "journal": journal,
            "retry": Retry(attempts=3, first=0.01, longest=0.1, grace=self._orders.grace),
            "polling": _POLLING,
            "parallel": self._orders.parallel,
            "image_host": PlainHost(self._orders.environ[VARIABLE]),
            "observer": self._observe,
            "pace": False,
        }

    def _observe(self, event: Event) -> None:
        if isinstance(event, SubmissionReconciled):
            self._reconciled.append(event)

    def _program(self, client: Any) -> Generator[Any, Any, None]:
        """The work over a client of either colour: what a call gives is yielded, to be awaited if it must be."""
        orders = self._orders
        for key, reference in orders.settled.items():
            yield client.reconcile(key, reference)
        if orders.way != "call":
            for outcome in (yield client.resume()):
                if outcome.error is not None:
                    raise outcome.error
                self._note(outcome.key, outcome.job)
        start = client.start_training if orders.inline else client.train
        training = self._carried_on(client, orders.key) or (yield start(self._training(), key=orders.key))
        self._note(orders.key, training)
        trained = yield client.wait(training, timeout=_PATIENCE)
        self._notes += trained.notes
        generation = self._carried_on(client, orders.pictures_key)
        if generation is None:
            asked = GenerationRequest(prompt="{subject} at the sea", n=orders.number, width=128, height=128)
            generation = yield client.generate(trained, asked, on_unsupported="drop", key=orders.pictures_key)
        self._note(orders.pictures_key, generation)
        made = yield client.wait(generation, timeout=_PATIENCE)
        self._notes += made.notes
        pictures = yield client.download(made, orders.folder / "pictures")
        self.facts["pictures"] = tuple(picture.name for picture in pictures)

    def _carried_on(self, client: Any, key: str) -> Job | None:
        """The job of a call as the journal has it, if the way is to go by that alone."""
        if self._orders.way != "resume":
            return None
        known: list[Job] = client.journal.jobs()
        return next((job for job in known if job.key == key), None)

    def _training(self) -> TrainingRequest:
        # Descriptions only where the vendor takes any.
        captions = json.loads((self._orders.photos / "captions.json").read_text())
        describe = self._orders.vendor != "alibaba"
        images = [
            Image.of(self._orders.photos / name, caption=caption if describe else None)
            for name, caption in captions.items()
        ]
        return TrainingRequest(name="chelsea", dataset=Dataset.of(images, trigger="ohwx", class_word="cat"))

    def _note(self, key: str, job: Job) -> None:
        self._jobs.append((key, job.reference))


async def _awaited(program: Generator[Any, Any, None]) -> None:
    value: Any = None
    error: Exception | None = None
    while True:
        try:
            waiting = program.send(value) if error is None else program.throw(error)
        except StopIteration:
            return
        try:
            value, error = await waiting, None
        except Exception as raised:  # noqa: BLE001 - the program decides what to do with it
            error = raised
