"""A client of the user's, whatever it is set up to do (proxies, private certificates); used as httpx's are."""

from __future__ import annotations

from contextlib import aclosing, closing
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from unified_train.transport.wire import AsyncPieces, Received, content_of, headers_of, pieces, translated

if TYPE_CHECKING:
    import httpx

    from unified_train.flow import Permit
    from unified_train.http import Request, Response

CONNECTIONS = 32
"""Requests under way at once; httpx's pool gets slower with each further one."""


class Injected:
    """Blocks.

    Args:
        client: An `httpx.Client`, or one that behaves like it.
        own: Whether it is ours to close.
    """

    connections = CONNECTIONS

    def __init__(self, client: httpx.Client, *, own: bool = False) -> None:
        self._client = client
        self._own = own

    def send(self, request: Request, permit: Permit | None = None) -> Response:
        """Send a request through the client."""
        try:
            content = content_of(request.body, permit, pieces)
            built = self._client.build_request(
                request.method, request.url_with_query, headers=headers_of(request), content=content
            )
            if permit:
                permit.take()
            answer = self._client.send(built, stream=True, follow_redirects=False)
            with closing(answer):
                received = Received(request)
                for chunk in answer.iter_bytes():
                    received.add(chunk)
                return received.response(answer.status_code, answer.headers)
        except Exception as error:  # noqa: BLE001 - what is not the library's is raised as it is
            raise translated(error, request) from None

    def close(self) -> None:
        """Close the client, if it is ours."""
        if self._own:
            self._client.close()


class AsyncInjected:
    """To await.

    Args:
        client: An `httpx.AsyncClient`, or one that behaves like it.
        own: Whether it is ours to close.
    """

    connections = CONNECTIONS

    def __init__(self, client: httpx.AsyncClient, *, own: bool = False) -> None:
        self._client = client
        self._own = own

    async def send(self, request: Request, permit: Permit | None = None) -> Response:
        """Send a request through the client."""
        try:
            content = content_of(request.body, permit, AsyncPieces)
            built = self._client.build_request(
                request.method, request.url_with_query, headers=headers_of(request), content=content
            )
            if permit:
                await anyio.to_thread.run_sync(permit.take)
            answer = await self._client.send(built, stream=True, follow_redirects=False)
            async with aclosing(answer):
                received = Received(request)
                async for chunk in answer.aiter_bytes():
                    received.add(chunk)
                return received.response(answer.status_code, answer.headers)
        except Exception as error:  # noqa: BLE001 - what is not the library's is raised as it is
            raise translated(error, request) from None

    async def close(self) -> None:
        """Close the client, if it is ours."""
        if self._own:
            with anyio.CancelScope(shield=True):
                await self._client.aclose()


def proxied() -> Injected:
    """A client of our own that goes through the environment's proxies, since httpx's clients read them all."""
    from unified_train.transport import over_httpx

    return Injected(over_httpx.client(CONNECTIONS), own=True)


def async_proxied() -> AsyncInjected:
    """As `proxied`, to await."""
    from unified_train.transport import over_httpx

    return AsyncInjected(over_httpx.async_client(CONNECTIONS), own=True)
