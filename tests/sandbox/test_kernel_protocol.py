"""How requests find their routes, and how answers are written."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from contextlib import closing
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock, call

import httpx
import pytest
from starlette.routing import Match, Route
from tiny_vendor import Tiny

from unified_train.sandbox import Sandbox
from unified_train.sandbox.app import App
from unified_train.sandbox.protocol import Joining, joining
from unified_train.sandbox.routing import Routes
from unified_train.sandbox.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "LOCK")


def by_the_framework(routes: list[Route], scope: dict[str, Any]) -> Route | None:
    """The route that Starlette's router would take: the first that fits, or else the first for another method."""
    matches = [(route.matches(scope)[0], route) for route in routes]
    return next((route for wanted in (Match.FULL, Match.PARTIAL) for match, route in matches if match is wanted), None)


@pytest.mark.parametrize("method", METHODS)
def test_every_request_takes_the_route_that_the_framework_would_take(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For all addresses of all vendors, with and without ids, the first route that fits is found."""
    routes: list[Route] = []
    monkeypatch.setattr("unified_train.sandbox.app.Routes", lambda all_of_them, default: routes.extend(all_of_them))
    App(World.at("http://here"))
    taken: list[Route | None] = []

    async def taking(route: Route, *_: object) -> None:
        taken.append(route)

    async def none(*_: object) -> None:
        taken.append(None)

    monkeypatch.setattr("unified_train.sandbox.routing._answer", taking)
    monkeypatch.setattr(Route, "handle", taking)
    table, wanted = Routes(routes, default=none), []
    paths = {re.sub(r"\{\w+(:path)?\}", name, route.path) for route in routes for name in ("x", "get-bulk", "x/y", "")}
    for path in sorted(
        paths | {"/", "/elsewhere"} | {f"{path}/" for path in paths} | {f"{path}/train" for path in paths}
    ):
        scope = {"type": "http", "method": method, "path": path, "root_path": ""}
        wanted.append(by_the_framework(routes, scope))
        asyncio.run(table(scope, Mock(), Mock()))
    assert len(taken) > 200
    assert taken == wanted


def test_what_is_held_back_is_written_in_one() -> None:
    """What is written while it is held back goes out as one, then and not before; later writes go out by themselves."""
    inner = Mock()
    transport = Joining(inner)
    transport.hold()
    transport.write(b"a")
    transport.hold()
    transport.write(b"b")
    assert inner.write.call_args_list == []
    transport.release()
    transport.release()
    transport.write(b"c")
    assert inner.write.call_args_list == [call(b"ab"), call(b"c")]


def test_ending_a_connection_that_holds_something_back() -> None:
    """Closing writes what was held back, aborting forgets it."""
    for end in ("close", "abort"):
        inner = Mock()
        transport = Joining(inner)
        transport.hold()
        transport.write(b"a")
        getattr(transport, end)()
        transport.release()
        assert [name for name, *_ in inner.method_calls] == (["write", "close"] if end == "close" else ["abort"])


def test_the_rest_is_the_connections() -> None:
    """Whatever else the server asks of a connection, the connection does."""
    inner = Mock()
    transport = Joining(inner)
    transport.pause_reading()
    transport.resume_reading()
    assert transport.is_closing() is inner.is_closing.return_value
    assert transport.get_extra_info("socket") is inner.get_extra_info.return_value
    assert [name for name, *_ in inner.method_calls] == [
        "pause_reading",
        "resume_reading",
        "is_closing",
        "get_extra_info",
    ]


async def _receive() -> dict[str, Any]:
    return {}


def test_another_server_may_call_the_application() -> None:
    """Where the connection is not known, nothing is held back."""
    assert joining(_receive) is None
    assert joining(Mock(__self__=Mock())) is None


GET, HOST, CLOSE = b"GET /tiny/plain HTTP/1.1\r\n", b"Host: x\r\n", b"Connection: close\r\n"
REQUESTS = {
    "names in any case": GET + b"HOST: x\r\ncOnNeCtIoN: close\r\n\r\n",
    "the whole address": b"GET http://x/tiny/plain HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n",
    "an old client": b"GET /tiny/plain HTTP/1.0\r\n\r\n",
    "a long query": b"GET /tiny/plain?a=" + b"b" * 200_000 + b" HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n",
    "a body that waits": GET + HOST + CLOSE + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
    "a body in chunks": GET + HOST + CLOSE + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "two at once": GET + HOST + b"\r\n" + GET + HOST + CLOSE + b"\r\n",
}


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    with Sandbox(vendors=[Tiny]) as sandbox:
        url = httpx.URL(sandbox.base_url)
        yield url.host, url.port or 0


@pytest.mark.parametrize("sent", REQUESTS.values(), ids=REQUESTS)
def test_unusual_requests(address: tuple[str, int], sent: bytes) -> None:
    """What an HTTP client may send is understood, and each answer is whole."""
    with socket.create_connection(address, timeout=30) as connection, connection.makefile("rb") as stream:
        connection.sendall(sent)
        heard = stream.read().replace(b"HTTP/1.1 100 Continue\r\n\r\n", b"")
    assert heard.count(b"HTTP/1.1 200 OK\r\n") == heard.count(b"hello, world") == sent.count(b" HTTP/1.")
    assert heard.endswith(b"\r\n\r\nhello, world")


def test_a_long_query_is_read_to_its_end(address: tuple[str, int]) -> None:
    """A query of hundreds of URLs is noted down as it was sent."""
    query = "&".join(f"image={number}%20{'x' * 500}" for number in range(400))
    with closing(HTTPConnection(*address, timeout=30)) as connection:
        connection.request("GET", f"/tiny/plain?{query}")
        assert connection.getresponse().read() == b"hello, world"
        connection.request("GET", "/_sandbox/requests")
        assert json.load(connection.getresponse())[-1]["query"] == query


def test_what_is_no_request(address: tuple[str, int]) -> None:
    """What is not HTTP is refused, and the connection is closed."""
    with socket.create_connection(address, timeout=30) as connection, connection.makefile("rb") as stream:
        connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        assert stream.read().startswith(b"HTTP/1.1 400 Bad Request\r\n")
