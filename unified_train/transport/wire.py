"""What all transports share: headers, bodies on their way out, answers on their way in, and errors in our words."""

from __future__ import annotations

import logging
import time
from itertools import islice
from typing import TYPE_CHECKING, Any

import anyio.to_thread

from unified_train import redact
from unified_train.errors import TransportError, TransportTimeout
from unified_train.http import CHUNK, SUBMISSION_SECONDS, Body, Request, Response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from unified_train.flow import Permit

CONNECT_SECONDS = 10.0
IDLE_SECONDS = 60.0
"""Without a byte in either direction."""
LARGEST_ANSWER = 256 * 1024 * 1024
"""Bytes; no vendor's picture comes near it."""

_READ_AHEAD = 2
"""Pieces that are read at once where each reading costs a change of threads."""
_NOT_SENT = frozenset(
    {"ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "InvalidURL"}  # httpx and its like
    | {"ClientConnectorError", "ConnectionTimeoutError", "NonHttpUrlClientError"}  # aiohttp
)
_ERRORS = frozenset({"RequestError", "InvalidURL", "ClientError"})
_TIMEOUTS = frozenset({"TimeoutException", "ServerTimeoutError"})


def headers_of(request: Request) -> dict[str, str]:
    """The headers of a request, with those that follow from its body."""
    body = request.body
    if body is None:
        return {"accept": "*/*", "user-agent": "unified-train", **request.headers}
    return {
        "content-type": body.media_type,
        "content-length": str(body.size),
        "accept": "*/*",
        "user-agent": "unified-train",
        **request.headers,
    }


def content_of(body: Body | None, permit: Permit | None, stream: Callable[[Body], Any]) -> Any:
    """What a library is given to send: a small body whole, another piece by piece, and so any that needs a permit."""
    if body is None:
        return None
    if permit is not None:
        return stream(_Held(body, permit))
    return body.read() if body.size <= CHUNK else stream(body)


def pieces(body: Body) -> Iterator[bytes]:
    """A body piece by piece."""
    return body.chunks()


class AsyncPieces:
    """A body piece by piece, read in threads so that a slow disk holds up nobody.

    A class, since a generator would have to be closed by libraries that don't.
    """

    def __init__(self, body: Body) -> None:
        self._chunks = body.chunks()
        self._read: list[bytes] = []

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self._read:
            self._read = await anyio.to_thread.run_sync(lambda: list(islice(self._chunks, _READ_AHEAD)))
            self._read.reverse()
        if not self._read:
            raise StopAsyncIteration
        return self._read.pop()


class _Held(Body):
    """A body that leaves only if its request's permit still holds once there is a connection for it."""

    def __init__(self, body: Body, permit: Permit) -> None:
        self.media_type = body.media_type
        self.size = body.size
        self._body = body
        self._permit = permit

    def chunks(self) -> Iterator[bytes]:
        # Without its body a request can't be accepted: the headers that have left announce its length.
        self._permit.check()
        yield from self._body.chunks()


class Received:
    """An answer's body as it comes in, up to `LARGEST_ANSWER`; one that drips is cut off where money waits for it."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._chunks: list[bytes] = []
        self._size = 0
        self._deadline = None if request.idempotent else time.monotonic() + SUBMISSION_SECONDS

    def add(self, chunk: bytes) -> None:
        """Take the next piece.

        Raises:
            TransportError: It is too much, or too late.
        """
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise TransportTimeout(
                f"{self._request.operation}: the answer was still not complete after {SUBMISSION_SECONDS:g} seconds",
                sent=True,
                operation=self._request.operation,
            )
        self._size += len(chunk)
        if self._size > LARGEST_ANSWER:
            raise TransportError(
                f"{self._request.operation}: the answer is larger than {LARGEST_ANSWER:,} bytes",
                sent=True,
                operation=self._request.operation,
            )
        self._chunks.append(chunk)

    def response(self, status: int, headers: Mapping[str, str]) -> Response:
        """The whole answer."""
        return Response(self._request, status, headers, b"".join(self._chunks))


def translated(error: Exception, request: Request) -> Exception:
    """One of our errors for one of a library's; by name, so that a client that only behaves like one will do."""
    names = {kind.__name__ for kind in type(error).__mro__}
    if not names & _ERRORS:
        return error
    kind = TransportTimeout if names & _TIMEOUTS else TransportError
    return kind(
        f"no answer from {request.origin} to {request.operation}:"
        f" {str(error).strip() or type(error).__name__} ({type(error).__name__})",
        sent=not names & _NOT_SENT,
        operation=request.operation,
    )


class _Redacting(logging.Filter):
    """Takes signatures out of the URLs that HTTP libraries log in full, at INFO."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redact.text(record.getMessage()), ()
        return True


for _name in ("httpx", "httpcore.http11", "httpcore.http2", "httpcore.connection", "aiohttp.client"):
    logging.getLogger(_name).addFilter(_Redacting())
