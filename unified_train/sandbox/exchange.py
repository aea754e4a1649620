"""One request on its way to the vendor, and its answer on the way back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from unified_train.sandbox.requestlog import Entry
    from unified_train.sandbox.waits import Waits


@dataclass(slots=True)
class Exchange:
    """One request and its answer; what may happen between the two is in `mishaps.py`.

    Attributes:
        app: the routes, where the vendor answers.
        scope: ASGI's.
        receive: ASGI's; the body was read from it.
        send: ASGI's.
        body: of the request.
        entry: of the request in the log.
        waits: where waiting is done.
    """

    app: ASGIApp
    scope: Scope
    receive: Receive
    send: Send
    body: bytes
    entry: Entry
    waits: Waits
    _replayed: bool = False
    _start: Message = field(default_factory=dict)

    async def ask(self) -> None:
        """Let the vendor answer, and pass the answer on as it comes."""
        await self._ask(self._note)

    async def ask_and_hold(self, then: Callable[[bytes], Awaitable[None]]) -> None:
        """Let the vendor answer, and do `then` with the body when it is whole; nothing of the answer is sent."""
        parts: list[bytes] = []

        async def hold(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._start = message
                return
            parts.append(message.get("body", b""))
            # Not later, since after the last part may come the vendor's background work.
            if not message.get("more_body", False):
                await then(b"".join(parts))

        await self._ask(hold)

    async def respond(self, response: Response) -> None:
        """Answer in the place of the vendor."""
        await response(self.scope, self._replay, self._note)

    async def begin(self, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Send the head of the answer held back: with the length of `body`, and `headers` in the place of its own."""
        changed = {**(headers or {}), "content-length": str(len(body))}
        await self._note({**self._start, "headers": _with(self._start["headers"], changed)})
        # With this the head goes out: what follows may be long in coming.
        await self._note({"type": "http.response.body", "body": b"", "more_body": True})

    async def part(self, body: bytes, *, more: bool = False) -> None:
        """Send a part of the answer's body."""
        await self._note({"type": "http.response.body", "body": body, "more_body": more})

    async def _ask(self, send: Send) -> None:
        try:
            await self.app(self.scope, self._replay, send)
        except BaseException:
            self.entry.status = 500  # what the server answers to a crash
            raise

    async def _replay(self) -> Message:
        """The body, which was read already; after it what the connection says, that is when the client hangs up."""
        if self._replayed:
            return await self.receive()
        self._replayed = True
        return {"type": "http.request", "body": self.body, "more_body": False}

    async def _note(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.entry.status = message["status"]
        await self.send(message)


def _with(headers: Iterable[tuple[bytes, bytes]], changed: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    new = {name.lower().encode(): value.encode() for name, value in changed.items()}
    return [*((name, value) for name, value in headers if name.lower() not in new), *new.items()]
