"""Our own way over httpx: its transports with a prepared request each, without the client around them.

What a client adds, such as cookies, redirects, authentication and merged headers, is not wanted here, and takes longer
than the rest of a request. httpx's pool looks at all its connections and all waiting requests whenever one of them
comes or goes, so each connection gets a pool of its own, a lane; taking a lane costs the same however many there are.
"""

from __future__ import annotations

import threading
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import anyio
import anyio.to_thread
import httpx

from unified_train.transport.wire import (
    CONNECT_SECONDS,
    IDLE_SECONDS,
    AsyncPieces,
    Received,
    content_of,
    headers_of,
    pieces,
    translated,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Iterator

    from unified_train.flow import Permit
    from unified_train.http import Request, Response

L = TypeVar("L")

CONNECTIONS = 100
"""Requests under way at once, and connections kept; what httpx allows a client."""

TIMEOUT = httpx.Timeout(connect=CONNECT_SECONDS, read=IDLE_SECONDS, write=IDLE_SECONDS, pool=None)
"""Seconds; without one for the pool, since calls are gated before it."""
_ONE = httpx.Limits(max_connections=1, max_keepalive_connections=1)
_EXTENSIONS = {"timeout": TIMEOUT.as_dict()}
_url = lru_cache(maxsize=1024)(httpx.URL)  # a job's URL is the same at each poll, and parsing is a tenth of the work


@cache
def tls() -> ssl.SSLContext:
    """One for all connections: making one takes longer than anything else."""
    return httpx.create_ssl_context()


class _Pool(Generic[L]):
    """Lanes by origin; the one that was used last is taken first, since its connection is likeliest to be open.

    Args:
        make: Makes a lane.
    """

    def __init__(self, make: Callable[[], L]) -> None:
        self._make = make
        self._free: dict[str, list[L]] = {}
        self._lock = threading.Lock()
        self.all: list[L] = []

    def take(self, origin: str) -> L:
        """A free lane; once there are enough, one of another origin, which closes the connection that it has."""
        with self._lock:
            if origin in self._free:
                return self._freed(origin, -1)
            if self._free and len(self.all) >= CONNECTIONS:
                return self._freed(next(iter(self._free)), 0)
            self.all.append(self._make())
            return self.all[-1]

    def give(self, origin: str, lane: L) -> None:
        """Take a lane back."""
        with self._lock:
            self._free.setdefault(origin, []).append(lane)

    def _freed(self, origin: str, place: int) -> L:
        lanes = self._free[origin]
        lane = lanes.pop(place)
        if not lanes:
            del self._free[origin]  # every bucket and every vendor's storage is an origin of its own
        return lane


class Lanes:
    """Blocks; may be used from any thread.

    Args:
        make: Makes a lane.
    """

    connections = CONNECTIONS

    def __init__(
        self, make: Callable[[], httpx.HTTPTransport] = lambda: httpx.HTTPTransport(verify=tls(), limits=_ONE)
    ) -> None:
        self._pool = _Pool(make)

    def send(self, request: Request, permit: Permit | None = None) -> Response:
        """Send a request on a lane of its own."""
        origin = request.origin
        lane = self._pool.take(origin)
        try:
            built = _built(request, content_of(request.body, permit, pieces), _Stream)
            if permit:
                permit.take()
            answer = lane.handle_request(built)
            try:
                received = Received(request)
                for chunk in _body(answer, answer.iter_bytes):
                    received.add(chunk)
                return received.response(answer.status_code, answer.headers)
            finally:
                answer.close()
        except Exception as error:  # noqa: BLE001 - what is not httpx's is raised as it is
            raise translated(error, request) from None
        finally:
            self._pool.give(origin, lane)

    def close(self) -> None:
        """Close all lanes."""
        for lane in self._pool.all:
            lane.close()


class AsyncLanes:
    """To await, on asyncio and trio; otherwise as `Lanes`."""

    connections = CONNECTIONS

    def __init__(
        self, make: Callable[[], httpx.AsyncHTTPTransport] = lambda: httpx.AsyncHTTPTransport(verify=tls(), limits=_ONE)
    ) -> None:
        self._pool = _Pool(make)

    async def send(self, request: Request, permit: Permit | None = None) -> Response:
        """Send a request on a lane of its own."""
        origin = request.origin
        lane = self._pool.take(origin)
        try:
            built = _built(request, content_of(request.body, permit, AsyncPieces), _AsyncStream)
            if permit:
                await anyio.to_thread.run_sync(permit.take)
            answer = await lane.handle_async_request(built)
            try:
                received = Received(request)
                async for chunk in _body(answer, answer.aiter_bytes):
                    received.add(chunk)
                return received.response(answer.status_code, answer.headers)
            finally:
                await answer.aclose()
        except Exception as error:  # noqa: BLE001 - what is not httpx's is raised as it is
            raise translated(error, request) from None
        finally:
            self._pool.give(origin, lane)

    async def close(self) -> None:
        """Close all lanes."""
        with anyio.CancelScope(shield=True):
            for lane in self._pool.all:
                await lane.aclose()


class _Stream(httpx.SyncByteStream):
    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks


class _AsyncStream(httpx.AsyncByteStream):
    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._chunks


def _built(request: Request, content: Any, stream: Callable[[Any], Any]) -> httpx.Request:
    """A finished request: with a stream, httpx adds nothing to it."""
    url = _url(request.url_with_query)
    headers = {"host": url.netloc.decode("ascii"), "accept-encoding": "gzip, deflate", **headers_of(request)}
    whole = content is None or isinstance(content, bytes)
    body = httpx.ByteStream(content or b"") if whole else stream(content)
    return httpx.Request(request.method, url, headers=headers, stream=body, extensions=_EXTENSIONS)


def _body(answer: httpx.Response, decoded: Callable[[], Any]) -> Any:
    """The body's pieces; as they come if they are not encoded, since the decoding takes its time even then."""
    return decoded() if "content-encoding" in answer.headers else answer.stream


def client(connections: int) -> httpx.Client:
    """A client of httpx's own, with proxies from the environment."""
    return httpx.Client(verify=tls(), timeout=TIMEOUT, limits=_limits(connections))


def async_client(connections: int) -> httpx.AsyncClient:
    """As `client`, to await."""
    return httpx.AsyncClient(verify=tls(), timeout=TIMEOUT, limits=_limits(connections))


def _limits(connections: int) -> httpx.Limits:
    return httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
