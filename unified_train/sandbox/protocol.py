"""The server's HTTP, over connections that send the head of an answer together with its body."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    from starlette.types import Receive


class Joining(asyncio.Transport):
    """A transport that can hold back what is written: two writes are two system calls, the dearest part of an answer.

    Args:
        transport: the one of the connection.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__()
        self._transport = transport
        self._held: list[bytes | bytearray | memoryview] | None = None

    def hold(self) -> None:
        """Keep back what is written from now on."""
        if self._held is None:
            self._held = []

    def release(self) -> None:
        """Write what was held back, at once, and hold back nothing more."""
        held, self._held = self._held, None
        if held:
            self._transport.write(b"".join(held))

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write, or hold back."""
        if self._held is None:
            self._transport.write(data)
        else:
            self._held.append(data)

    def close(self) -> None:
        """Close once all is written, what was held back included."""
        self.release()
        self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._held = None
        self._transport.abort()

    def is_closing(self) -> bool:
        """Whether it is closing or closed."""
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What the connection knows of itself, such as its socket."""
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        """Let the client wait."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Go on reading."""
        self._transport.resume_reading()


class Protocol(HttpToolsProtocol):
    """Uvicorn's protocol, on joining transports: the one of httptools, for h11 takes longer than all the rest."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Take a connection."""
        super().connection_made(Joining(transport))

    def on_headers_complete(self) -> None:
        """Begin a request; its query apart, for httptools takes no URL of 64 KB, and a query may be a list of URLs."""
        self.url, _, query = self.url.partition(b"?")
        super().on_headers_complete()
        self.scope["query_string"] = query  # what answers the request begins in the loop's next round


def joining(receive: Receive) -> Joining | None:
    """The transport of a request's connection; None where another server calls the application."""
    transport = getattr(getattr(receive, "__self__", None), "transport", None)
    return transport if isinstance(transport, Joining) else None
