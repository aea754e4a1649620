"""A plain vendor in memory that counts what it accepts, loses answers when told to, and can be asked afterwards."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import Any, Literal

import httpx
from helpers import CAPABILITIES, Plain, PlainOptions, PlainSettings
from pydantic import SecretStr

from unified_train import (
    Effect,
    Flow,
    Found,
    GenerationRequest,
    Job,
    JobKind,
    Lost,
    Snapshot,
    Status,
    TrainingRequest,
)

Kind = Literal["unsent", "lost_before", "lost_after", "garbled", "status", "killed_before", "killed_after", "call"]


class Killed(BaseException):
    """Ends the process, as far as the code under test can tell."""


@dataclass
class Mishap:
    """What goes wrong with requests that match `pattern`, such as `POST */trainings`."""

    pattern: str
    kind: Kind
    times: int | None = 1
    skip: int = 0
    status: int = 500
    body: str = "<html>"
    then: Callable[[], object] = lambda: None


@dataclass(frozen=True)
class Record:
    """Something that the vendor has accepted."""

    id: str
    name: str
    at: datetime
    body: dict[str, Any]
    status: str = "running"


@dataclass
class Ledger:
    """The vendor's books, and the transport that leads there; `lists` hides what is not yet listed."""

    images: list[str] = field(default_factory=list)
    books: dict[str, list[Record]] = field(
        default_factory=lambda: {"models": [], "trainings": [], "generations": [], "attachments": []}
    )
    mishaps: list[Mishap] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    headers: list[httpx.Headers] = field(default_factory=list)
    unlisted: int = 0
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def trainings(self) -> list[Record]:
        return self.books["trainings"]

    @property
    def generations(self) -> list[Record]:
        return self.books["generations"]

    @property
    def paid(self) -> list[Record]:
        return [*self.trainings, *self.generations]

    def fail(self, pattern: str, kind: Kind, **facts: Any) -> None:
        self.mishaps.append(Mishap(pattern, kind, **facts))

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self)

    def http(self, colour: str = "sync") -> Any:
        """A client of httpx of that colour that reaches only this vendor."""
        return (httpx.Client if colour == "sync" else httpx.AsyncClient)(transport=self.transport())

    def __call__(self, request: httpx.Request) -> httpx.Response:
        name = f"{request.method} {request.url.path}"
        with self._lock:
            self.requests.append(name)
            self.headers.append(request.headers)
            mishap = self._mishap(name)
        before = {"unsent": httpx.ConnectError, "lost_before": httpx.ReadTimeout, "killed_before": Killed}
        if mishap and mishap.kind in before:
            raise before[mishap.kind]("gone")
        if mishap and mishap.kind == "status":
            return httpx.Response(mishap.status, text=mishap.body)
        if mishap and mishap.kind == "call":
            mishap.then()
        with self._lock:
            answer = self._answer(request)
        if mishap and mishap.kind in ("lost_after", "killed_after"):
            raise {"lost_after": httpx.ReadError, "killed_after": Killed}[mishap.kind]("gone")
        return httpx.Response(200, text=mishap.body) if mishap and mishap.kind == "garbled" else answer

    def _mishap(self, name: str) -> Mishap | None:
        for mishap in self.mishaps:
            if mishap.times == 0 or not fnmatchcase(name, mishap.pattern):
                continue
            if mishap.skip:
                mishap.skip -= 1
                continue
            mishap.times = None if mishap.times is None else mishap.times - 1
            return mishap
        return None

    def _answer(self, request: httpx.Request) -> httpx.Response:
        _, _, book, *rest = request.url.path.split("/")
        if request.method == "GET":
            return self._shown(book, rest)
        if book == "images":
            self.images.append(sha256(request.content).hexdigest())
            return httpx.Response(200, json={"id": f"image-{len(self.images)}"})
        if rest[1:] == ["cancel"]:
            place = next(place for place, one in enumerate(self.books[book]) if one.id == rest[0])
            self.books[book][place] = replace(self.books[book][place], status="canceled")
            return httpx.Response(200, json={})
        return httpx.Response(200, json={"id": self.accept(book, json.loads(request.content)).id})

    def accept(self, book: str, body: dict[str, Any]) -> Record:
        """Enter something into the books, a second after whatever came before."""
        records = self.books[book]
        at = self.now + timedelta(seconds=len(records))
        records.append(Record(f"{book[:-1]}-{len(records) + 1}", str(body.get("name", "")), at, body))
        return records[-1]

    def finish(self, status: str = "succeeded") -> None:
        """End whatever runs."""
        for book in self.books.values():
            book[:] = [replace(one, status=status) if one.status == "running" else one for one in book]

    def _shown(self, book: str, rest: Sequence[str]) -> httpx.Response:
        records = self.books[book]
        if rest:
            found = [one for one in records if one.id == rest[0]]
            return httpx.Response(200, json=_public(found[0])) if found else httpx.Response(404, text="none")
        if self.unlisted:
            self.unlisted -= 1
            return httpx.Response(200, json=[])
        return httpx.Response(200, json=[_public(one) for one in reversed(records)])


def _public(record: Record) -> dict[str, Any]:
    facts = {"id": record.id, "name": record.name, "at": record.at.isoformat(), "status": record.status}
    return {**facts, "body": record.body}


def _can_list(*, cancel: bool) -> Any:
    training = CAPABILITIES.training.model_copy(update={"list": True, "cancel": cancel})
    generation = CAPABILITIES.generation.model_copy(update={"list": True, "needs_subject": False})
    return CAPABILITIES.model_copy(update={"training": training, "generation": generation})


class Listing(Plain):
    """The plain vendor, with lists that can be searched; a generation is known by its seed."""

    capabilities = _can_list(cancel=True)
    acceptance_lag = 0.0
    listing_lag = 0.0

    def list_jobs(self, kind: JobKind) -> Flow[Sequence[Snapshot]]:
        return [
            Snapshot(
                id=one["id"],
                status=Status(one["status"]),
                name=one["name"],
                created_at=datetime.fromisoformat(one["at"]),
                raw=one,
            )
            for one in (yield self.get(f"/{kind}s", f"{kind}.list")).json()
        ]

    def find(self, lost: Lost) -> Flow[Sequence[Found] | None]:
        listed = yield from self.list_jobs(lost.kind)
        mine = [one for one in listed if self._made_by(lost, one)]
        return [Found(one.id, one.created_at, {"id": one.id}) for one in sorted(mine, key=_age)]

    def _made_by(self, lost: Lost, one: Snapshot) -> bool:
        if lost.kind == "training":
            return (one.name or "").endswith(lost.marker)
        body: Any = lost.request.body
        return bool(one.raw["body"] == body.value)

    def marked(self, request: GenerationRequest, marker: str) -> GenerationRequest:
        if request.seed is not None:
            return request
        return request.model_copy(update={"seed": int(sha256(marker.encode()).hexdigest()[:7], 16)})

    def cancel(self, job: Job) -> Flow[Snapshot]:
        yield self.post(f"/trainings/{job.id}/cancel", "training.cancel", {}, effect=Effect.REPEATABLE)
        return (yield from self.poll(job))


class Endless(Listing):
    """The same, but it can't cancel."""

    capabilities = _can_list(cancel=False)


class Steps(Listing):
    """The same, but a training takes several requests: make a record, put pictures to it, start what bills."""

    def start(self, request: TrainingRequest, options: PlainOptions) -> Flow[Snapshot]:
        made = yield self.post("/models", "training.create", {"name": request.name}, effect=Effect.CREATE)
        model = made.json()["id"]
        for image in request.dataset.images:
            body = {"model": model, "image": getattr(image, "id", "")}
            yield self.put("/attachments", "training.attach", body, effect=Effect.REPEATABLE)
        body = {"name": request.name, "model": model}
        answer = yield self.post("/trainings", "training.start", body, effect=Effect.PAY)
        return Snapshot(id=answer.json()["id"], status=Status.QUEUED, raw_status="waiting")

    def find(self, lost: Lost) -> Flow[Sequence[Found] | None]:
        if lost.request.operation != "training.create":
            return (yield from super().find(lost))
        listed = (yield self.get("/models", "model.list")).json()
        return [Found(one["id"], None, {"id": one["id"]}) for one in listed if one["name"].endswith(lost.marker)]


def _age(snapshot: Snapshot) -> datetime:
    return snapshot.created_at or datetime.now(UTC)


def listing(kind: type[Listing] = Listing, **values: Any) -> Listing:
    """A vendor of that kind, with a key that is easy to search for."""
    return kind(PlainSettings(**{"api_key": SecretStr("k-SECRET-k"), **values}))
