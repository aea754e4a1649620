"""The outermost layer: every request is noted down, and meets its mishap if one is scripted for it."""

from __future__ import annotations

from email.utils import formatdate
from math import floor
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from unified_train.sandbox import mishaps
from unified_train.sandbox.control import CONTROL_PREFIX
from unified_train.sandbox.exchange import Exchange
from unified_train.sandbox.protocol import joining
from unified_train.sandbox.wire import read_body

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from unified_train.sandbox.faults import Fault
    from unified_train.sandbox.requestlog import Entry
    from unified_train.sandbox.world import Vendor, World


class Gate:
    """Pure ASGI around the routes.

    Args:
        app: the routes.
        world: whose request log, mishaps and waits are used.
        vendors: told from each other by the prefixes of their paths.
    """

    def __init__(self, app: ASGIApp, world: World, vendors: Iterable[Vendor]) -> None:
        self._app = app
        self._world = world
        self._vendors = [(f"{vendor.prefix}/", vendor) for vendor in vendors]
        self._second: int | None = None  # which `_written` is the date of
        self._written = b""

    def close(self) -> None:
        """Cut waits short; to be called in the server's loop."""
        self._world.waits.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or drop it."""
        path: str = scope["path"]
        send = self._dated(receive, send)
        if path == CONTROL_PREFIX or path.startswith(f"{CONTROL_PREFIX}/"):
            await self._app(scope, receive, send)
            return
        body = await read_body(receive)
        if body is None:
            return
        vendor = self._vendor(path)
        fault = self._world.faults.take(scope["method"], path)
        entry = self._noted(scope, vendor, body)
        entry.fault = fault.kind if fault else None
        await self._run(Exchange(self._app, scope, receive, send, body, entry, self._world.waits), vendor, fault)

    def _dated(self, receive: Receive, send: Send) -> Send:
        """Send answers with the time of the sandbox's clock, by which vendors refuse dates, unless they have a Date."""
        transport = joining(receive)

        async def dated(message: Message) -> None:
            if message["type"] != "http.response.start":
                await send(message)
                if transport:
                    transport.release()
                return
            headers = message.get("headers", [])
            if not any(name.lower() == b"date" for name, _ in headers):
                message = {**message, "headers": [*headers, (b"date", self._date())]}
            if transport:
                transport.hold()
            await send(message)

        return dated

    def _date(self) -> bytes:
        second = floor(self._world.clock.unix())
        if second != self._second:
            self._second, self._written = second, formatdate(second, usegmt=True).encode()
        return self._written

    async def _run(self, exchange: Exchange, vendor: Vendor | None, fault: Fault | None) -> None:
        if fault is None:
            await exchange.ask()
        elif fault.kind == "retired":
            await exchange.respond(self._retired(exchange, vendor))
        elif fault.kind == "expired":
            await exchange.respond(self._expired(exchange, vendor))
        else:
            await mishaps.meet(exchange, fault)

    def _retired(self, exchange: Exchange, vendor: Vendor | None) -> Response:
        if vendor is None:
            return JSONResponse({"error": "There is nothing here."}, 404)
        return vendor.unknown_route(Request(exchange.scope))

    def _expired(self, exchange: Exchange, vendor: Vendor | None) -> Response:
        return vendor.expired(Request(exchange.scope)) if vendor else self._world.objects.expired()

    def _vendor(self, path: str) -> Vendor | None:
        path += "/"
        return next((vendor for prefix, vendor in self._vendors if path.startswith(prefix)), None)

    def _noted(self, scope: Scope, vendor: Vendor | None, body: bytes) -> Entry:
        return self._world.requests.add(
            vendor=vendor.name if vendor else None,
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode("latin-1"),
            headers=scope["headers"],
            body=body,
        )
