"""How requests reach the network: one call for one request, over whichever HTTP library.

A transport sends what it is given once: it follows no redirect, keeps no cookies and repeats nothing by itself, since
what may be repeated is decided elsewhere, request by request. The engine gates calls before it, so that no more than
`connections` are under way; libraries' own pools get slower the more callers wait in them.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from unified_train.errors import ConfigurationError

if TYPE_CHECKING:
    import httpx

    from unified_train.flow import Permit
    from unified_train.http import Request, Response

AsyncHttp: TypeAlias = "httpx.AsyncClient | Literal['aiohttp'] | None"


class Transport(Protocol):
    """Blocks.

    Attributes:
        connections: Requests under way at once.
    """

    connections: int

    def send(self, request: Request, permit: Permit | None = None) -> Response:
        """Send a request and return its answer, whatever its status.

        Raises:
            TransportError: There was no answer; `sent` tells whether the request may have left.
        """
        ...

    def close(self) -> None:
        """Close the connections."""
        ...


class AsyncTransport(Protocol):
    """To await; otherwise as `Transport`."""

    connections: int

    async def send(self, request: Request, permit: Permit | None = None) -> Response:
        """Send a request and return its answer; errors as `Transport.send`."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


def blocking_transport(http: httpx.Client | None) -> Transport:
    """A transport over a client of the user's, or one of our own."""
    from unified_train.transport import over_client, over_httpx

    if http is not None:
        return over_client.Injected(http)
    return over_client.proxied() if behind_proxy() else over_httpx.Lanes()


def async_transport(http: AsyncHttp) -> AsyncTransport:
    """A transport over a client of the user's or the library that is named, or one of our own."""
    from unified_train.transport import over_client, over_httpx

    if http == "aiohttp":
        from unified_train.transport import over_aiohttp

        return over_aiohttp.Aiohttp()
    if http is not None:
        return over_client.AsyncInjected(http)
    return over_client.async_proxied() if behind_proxy() else over_httpx.AsyncLanes()


def behind_proxy() -> bool:
    """Whether the environment (or the system) names a proxy, with whatever exceptions."""
    from urllib.request import getproxies

    return any(getproxies().get(scheme) for scheme in ("http", "https", "all"))


def check_http(http: object, *libraries: str) -> None:
    """Check what a user gave to send requests with: a client, or the name of one of the libraries.

    Raises:
        ConfigurationError: It is another name, or the library is not installed.
    """
    if not isinstance(http, str):
        return
    if http not in libraries:
        raise ConfigurationError(
            f"http={http!r} is no HTTP client;"
            " Client takes an httpx.Client, AsyncClient an httpx.AsyncClient or 'aiohttp'"
        )
    if find_spec(http) is None:
        raise ConfigurationError(f"http={http!r} needs {http}; install it with `pip install 'unified-train[{http}]'`")
