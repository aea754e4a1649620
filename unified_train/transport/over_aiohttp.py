"""The async colour over aiohttp (extra `aiohttp`): for waits on thousands of jobs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
import yarl

from unified_train.errors import ConfigurationError, TransportTimeout
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
    from collections.abc import AsyncIterator

    from unified_train.flow import Permit
    from unified_train.http import Body, Request, Response

CONNECTIONS = 256
"""Requests under way at once."""

# One deadline for all that stands still, in `_Deadline`; only connecting has its own, since nothing was sent by then.
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
_OWN = ("user-agent", "accept", "content-type")


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
        session = self._opened()
        pieces: list[_Pieces] = []

        def stream(body: Body) -> _Pieces:
            pieces.append(_Pieces(body, clock))
            return pieces[0]

        try:
            async with asyncio.timeout(CONNECT_SECONDS + IDLE_SECONDS) as clock:
                content = content_of(request.body, permit, stream)
                if permit:
                    await asyncio.to_thread(permit.take)
                answer = await session.request(
                    request.method,
                    yarl.URL(request.url_with_query, encoded=True),  # as it is: a signature is over each character
                    headers=headers_of(request),
                    data=content,
                    allow_redirects=False,
                    skip_auto_headers=_OWN,
                )
                async with answer:
                    received = Received(request)
                    async for chunk in answer.content.iter_any():
                        _extend(clock)
                        received.add(chunk)
                    return received.response(answer.status, answer.headers)
        except TimeoutError as error:
            if isinstance(error, aiohttp.ClientError):
                raise translated(error, request) from None
            raise TransportTimeout(
                f"no answer from {request.origin} to {request.operation}: nothing came for {IDLE_SECONDS:g} seconds",
                sent=True,
                operation=request.operation,
            ) from None
        except Exception as error:  # noqa: BLE001 - what is not aiohttp's is raised as it is
            if pieces and pieces[0].failed is not None:
                raise pieces[0].failed from None  # aiohttp puts an error of its own in the place of a body's
            raise translated(error, request) from None

    async def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            await asyncio.shield(self._session.close())


class _Pieces:
    """A body's pieces on their way out: each one puts the deadline off, and an error of the body is kept."""

    def __init__(self, body: Body, clock: asyncio.Timeout) -> None:
        self._pieces = AsyncPieces(body)
        self._clock = clock
        self.failed: Exception | None = None

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            piece = await anext(self._pieces)
        except StopAsyncIteration:
            raise
        except Exception as error:
            self.failed = error
            raise
        _extend(self._clock)
        return piece


def _extend(clock: asyncio.Timeout) -> None:
    """Start the idle time anew, unless the deadline has struck already."""
    if not clock.expired():
        clock.reschedule(asyncio.get_running_loop().time() + IDLE_SECONDS)


def _without_replays(session: aiohttp.ClientSession) -> None:
    """Keep aiohttp from sending a PUT (or GET) again by itself when a kept connection turns out to be dead.

    There is no public switch; its own test client sets the same attribute. Without it a paid PUT could be sent twice.
    """
    if not hasattr(session, "_retry_connection"):
        raise ConfigurationError("this release of aiohttp repeats requests by itself; install another one, or httpx")
    session._retry_connection = False  # noqa: SLF001 - see above
