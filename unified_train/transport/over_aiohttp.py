"""The async colour over aiohttp (extra `aiohttp`): for waits on thousands of jobs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
import yarl

from unified_train.errors import ConfigurationError
from unified_train.transport import behind_proxy
from unified_train.transport.wire import (
    CONNECT_SECONDS,
    IDLE_SECONDS,
    AsyncPieces,
    Received,
    content_of,
    headers_of,
    translated,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

    from unified_train.flow import Permit
    from unified_train.http import Body, Request, Response

CONNECTIONS = 256
"""Requests under way at once."""

_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=IDLE_SECONDS)


class Aiohttp:
    """To await, on asyncio."""

    connections = CONNECTIONS

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    def _opened(self) -> aiohttp.ClientSession:
        """The session, made on first use: it belongs to the event loop that runs then."""
        if self._session is None:
            try:
                asyncio.get_running_loop()
            except RuntimeError:
                raise ConfigurationError("http='aiohttp' works on asyncio only; leave it out on trio") from None
            # Names of proxies are read from the environment, and then also `.netrc`; so that is left alone otherwise.
            session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=_TIMEOUT,
                trust_env=behind_proxy(),
            )
            _without_replays(session)
            self._session = session
        return self._session

    async def send(self, request: Request, permit: Permit | None = None) -> Response:
        """Send a request."""
        session = self._session or self._opened()
        body: _Body | None = None
        try:
            content = content_of(request.body, permit, _Body)
            if isinstance(content, _Body):
                body = content
            if permit:
                await asyncio.to_thread(permit.take)
            # The URL as it is: a signature is over each of its characters.
            url = yarl.URL(request.url_with_query, encoded=True)
            call = session.request(
                request.method, url, headers=headers_of(request), data=content, allow_redirects=False
            )
            async with await (call if body is None else body.watched(call)) as answer:
                received = Received(request)
                while chunk := await answer.content.readany():
                    received.add(chunk)
                return received.response(answer.status, answer.headers)
        except Exception as error:  # noqa: BLE001 - what is not aiohttp's is raised as it is
            if body is not None and body.failed is not None:
                raise body.failed from None  # aiohttp puts an error of its own in the place of a body's
            raise translated(error, request) from None

    async def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            await asyncio.shield(self._session.close())


class _Body:
    """A body on its way out: one that stands still is given up, and what goes wrong with it is kept."""

    def __init__(self, body: Body) -> None:
        self._pieces = AsyncPieces(body)
        self._clock: asyncio.Timeout | None = None
        self.failed: Exception | None = None

    async def watched(self, call: Awaitable[aiohttp.ClientResponse]) -> aiohttp.ClientResponse:
        """The answer; aiohttp itself minds only how long connecting takes and how long nothing is received."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS + IDLE_SECONDS) as self._clock:
                return await call
        except TimeoutError as error:
            if isinstance(error, aiohttp.ClientError):
                raise
            raise aiohttp.SocketTimeoutError(f"no piece of the body was taken for {IDLE_SECONDS:g} seconds") from None

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            piece = await anext(self._pieces)
        except StopAsyncIteration:
            self._extend(2 * IDLE_SECONDS)  # what is in buffers still has to leave, and then comes the answer
            raise
        except Exception as error:
            self.failed = error
            raise
        self._extend(IDLE_SECONDS)
        return piece

    def _extend(self, seconds: float) -> None:
        """Start the idle time anew, unless the deadline has struck already."""
        if self._clock is not None and not self._clock.expired():
            self._clock.reschedule(asyncio.get_running_loop().time() + seconds)


def _without_replays(session: aiohttp.ClientSession) -> None:
    """Keep aiohttp from sending a PUT (or GET) again by itself when a kept connection turns out to be dead.

    There is no public switch; its own test client sets the same attribute. Without it a paid PUT could be sent twice.
    """
    if not hasattr(session, "_retry_connection"):
        raise ConfigurationError("this release of aiohttp repeats requests by itself; install another one, or httpx")
    session._retry_connection = False  # noqa: SLF001 - see above
