"""The outermost layer: every request is noted down, and meets its mishap if one is scripted for it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from unified_train.sandbox.control import CONTROL_PREFIX
from unified_train.sandbox.faults import edited
from unified_train.sandbox.wire import read_body

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from unified_train.sandbox.faults import Fault
    from unified_train.sandbox.requestlog import Entry
    from unified_train.sandbox.world import Vendor, World

_WITHOUT_BODY = frozenset({204, 304})


class Gate:
    """Pure ASGI around the routes.

    Args:
        app: the routes.
        world: whose request log and mishaps are used.
        vendors: told from each other by the prefixes of their paths.
    """

    def __init__(self, app: ASGIApp, world: World, vendors: Iterable[Vendor]) -> None:
        self._app = app
        self._world = world
        self._vendors = list(vendors)
        self._closing = asyncio.Event()

    def close(self) -> None:
        """Cut delays short; to be called in the server's loop."""
        self._closing.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or drop it."""
        path: str = scope["path"]
        send = self._dated(send)
        if path == CONTROL_PREFIX or path.startswith(f"{CONTROL_PREFIX}/"):
            await self._app(scope, receive, send)
            return
        body = await read_body(receive)
        if body is None:
            return
        vendor = self._vendor(path)
        fault = self._world.faults.take(scope["method"], path)
        exchange = _Exchange(scope, receive, send, body, self._noted(scope, vendor, body), fault)
        if fault is not None:
            exchange.entry.fault = fault.kind
        await self._run(exchange, vendor)

    def _dated(self, send: Send) -> Send:
        """Send answers with the time of the sandbox's clock, by which vendors refuse dates, unless they have a Date."""

        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", []))
                if not any(name.lower() == b"date" for name, _ in headers):
                    date = format_datetime(self._world.clock.date(), usegmt=True)
                    message = {**message, "headers": [*headers, (b"date", date.encode())]}
            await send(message)

        return dated

    async def _run(self, exchange: _Exchange, vendor: Vendor | None) -> None:
        fault = exchange.fault
        if fault is not None and fault.kind == "delay":
            await self._delay(fault.seconds)
        if fault is not None and fault.kind == "drop_before":
            await hang_up(exchange.receive)
        elif fault is not None and fault.kind == "status":
            await exchange.respond(_scripted(fault))
        elif fault is not None and fault.kind == "retired":
            await exchange.respond(self._unknown(exchange, vendor))
        else:
            await exchange.ask(self._app)

    async def _delay(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            return

    def _unknown(self, exchange: _Exchange, vendor: Vendor | None) -> Response:
        if vendor is None:
            return JSONResponse({"error": "There is nothing here."}, 404)
        return vendor.unknown_route(Request(exchange.scope, exchange.replay))

    def _vendor(self, path: str) -> Vendor | None:
        return next((vendor for vendor in self._vendors if f"{path}/".startswith(f"{vendor.prefix}/")), None)

    def _noted(self, scope: Scope, vendor: Vendor | None, body: bytes) -> Entry:
        return self._world.requests.add(
            vendor=vendor.name if vendor else None,
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode("latin-1"),
            headers={name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
            body=body,
        )


@dataclass(slots=True)
class _Exchange:
    """One request and its answer on the way back."""

    scope: Scope
    receive: Receive
    send: Send
    body: bytes
    entry: Entry
    fault: Fault | None
    replayed: bool = False
    start: Message = field(default_factory=dict)
    parts: list[bytes] = field(default_factory=list)

    async def ask(self, app: ASGIApp) -> None:
        """Let the vendor answer; the mishap happens to its answer."""
        hold = self.fault is not None and self.fault.kind != "delay"
        try:
            await app(self.scope, self.replay, self.hold if hold else self.note)
        except BaseException:
            self.entry.status = 500  # what the server answers to a crash
            raise

    async def respond(self, response: Response) -> None:
        await response(self.scope, self.replay, self.note)

    async def replay(self) -> Message:
        """The body, which was read already; after it what the connection says, that is when the client hangs up."""
        if self.replayed:
            return await self.receive()
        self.replayed = True
        return {"type": "http.request", "body": self.body, "more_body": False}

    async def note(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.entry.status = message["status"]
        await self.send(message)

    async def hold(self, message: Message) -> None:
        """Keep the answer back until it is whole; not until the vendor's background work is done."""
        if message["type"] == "http.response.start":
            self.start = message
            return
        self.parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            await self.mishap(b"".join(self.parts))

    async def mishap(self, body: bytes) -> None:
        fault = self.fault
        assert fault is not None  # noqa: S101  # only answers of requests with a mishap are held
        if fault.kind == "drop_after":
            await hang_up(self.receive)
        elif fault.kind == "truncate":
            await self.truncate(body)
        elif fault.kind == "json":
            await self.pass_on(_edited(body, fault))
        elif fault.kind == "body":
            await self.respond(Response(_bytes(fault.body), 200, media_type=fault.media_type))
        else:
            await self.respond(_scripted(fault))

    async def pass_on(self, body: bytes) -> None:
        await self.note({**self.start, "headers": _with_length(self.start["headers"], body)})
        await self.note({"type": "http.response.body", "body": body})

    async def truncate(self, body: bytes) -> None:
        await self.note({**self.start, "headers": _with_length(self.start["headers"], body)})
        await self.note({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        await hang_up(self.receive, flush=True)


async def hang_up(receive: Receive, *, flush: bool = False) -> None:
    """Close the TCP connection; `flush` sends what was written before.

    ASGI has no word for it, but under uvicorn `receive` is a method of the object that holds the connection.
    """
    transport = receive.__self__.transport  # type: ignore[attr-defined]
    close: Callable[[], None] = transport.close if flush else transport.abort
    close()
    # Until the server knows that the connection is gone, it takes a missing answer for a mistake of the application.
    message = await receive()
    while message["type"] != "http.disconnect":
        message = await receive()


def _scripted(fault: Fault) -> Response:
    headers = {"content-type": "text/plain; charset=utf-8" if isinstance(fault.body, str) else "application/json"}
    headers |= {name.lower(): value for name, value in fault.headers.items()}
    body = b"" if fault.status in _WITHOUT_BODY else _bytes(fault.body)
    return Response(body, fault.status, headers)


def _bytes(body: Any) -> bytes:
    if body is None:
        return b""
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


def _edited(body: bytes, fault: Fault) -> bytes:
    """The JSON body with the fault's edits; any other body as it is."""
    try:
        value = json.loads(body)
    except ValueError:
        return body
    return json.dumps(edited(value, fault)).encode()


def _with_length(headers: Iterable[tuple[bytes, bytes]], body: bytes) -> list[tuple[bytes, bytes]]:
    kept = [(name, value) for name, value in headers if name.lower() != b"content-length"]
    return [*kept, (b"content-length", str(len(body)).encode())]
