"""Every way to the network, over real connections: what is sent, what comes back, and what is never sent twice."""

from __future__ import annotations

import gzip
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import anyio.from_thread
import httpx
import pytest

from unified_train import (
    AsyncClient,
    BytesBody,
    Client,
    ConfigurationError,
    DatasetError,
    Effect,
    FileBody,
    Request,
    Response,
    TransportError,
    TransportTimeout,
)
from unified_train.http import CHUNK
from unified_train.keeper import LeaseLost
from unified_train.transport import async_transport, behind_proxy, blocking_transport, over_client, over_httpx
from unified_train.transport.over_aiohttp import Aiohttp

PLAIN = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-two: words\r\n\r\nok"
HALF = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"
HANG_UP = b""


@dataclass
class Peer:
    """A server that gives the next of some answers to each request, and notes what came over which connection."""

    url: str = ""
    answers: list[bytes] = field(default_factory=list)
    heard: list[tuple[int, bytes]] = field(default_factory=list)

    @property
    def bodies(self) -> list[bytes]:
        return [heard.partition(b"\r\n\r\n")[2] for _, heard in self.heard]

    def head(self, number: int = -1) -> list[str]:
        return self.heard[number][1].partition(b"\r\n\r\n")[0].decode().lower().split("\r\n")


@contextmanager
def listening() -> Iterator[Peer]:
    peer = Peer()
    with socket.create_server(("127.0.0.1", 0)) as server:
        peer.url = f"http://127.0.0.1:{server.getsockname()[1]}"
        open_ones: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                open_ones.append(connection)
                threading.Thread(target=_serve, args=(peer, len(open_ones), connection), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield peer
        for connection in open_ones:
            connection.close()


def _serve(peer: Peer, number: int, connection: socket.socket) -> None:
    with connection, suppress(OSError):  # the test may have ended
        while request := _read(connection):
            peer.heard.append((number, request))
            answer = peer.answers.pop(0) if peer.answers else PLAIN
            if answer == HANG_UP:
                return
            connection.sendall(answer)
            if answer == HALF:
                return


def _read(connection: socket.socket) -> bytes:
    """A request with its whole body; what there is of it if the connection ends before."""
    data, wanted = b"", -1
    while wanted < 0 or len(data) < wanted:
        try:
            part = connection.recv(65_536)
        except OSError:
            return b""
        if not part:
            return data
        data += part
        head, found, _ = data.partition(b"\r\n\r\n")
        if found and wanted < 0:
            lengths = [
                line.partition(b":")[2] for line in head.split(b"\r\n") if line.lower().startswith(b"content-le")
            ]
            wanted = len(head) + 4 + int(lengths[0] if lengths else 0)
    return data


@pytest.fixture
def peer() -> Iterator[Peer]:
    with listening() as found:
        yield found


WAYS: dict[str, Callable[[], Any]] = {
    "lanes": over_httpx.Lanes,
    "async lanes": over_httpx.AsyncLanes,
    "aiohttp": Aiohttp,
    "client": lambda: over_client.Injected(httpx.Client(trust_env=False), own=True),
    "async client": lambda: over_client.AsyncInjected(httpx.AsyncClient(trust_env=False), own=True),
}


class Way:
    """A transport, called as if it blocked."""

    def __init__(self, made: Any, portal: anyio.from_thread.BlockingPortal | None) -> None:
        self.inner = made
        self._portal = portal

    def send(self, request: Request, permit: Any = None) -> Response:
        response: Response
        if self._portal is None:
            response = self.inner.send(request, permit)
        else:
            response = self._portal.call(self.inner.send, request, permit)
        return response

    def close(self) -> None:
        if self._portal is None:
            self.inner.close()
        else:
            self._portal.call(self.inner.close)


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Iterator[Way]:
    name = request.param
    if name in {"lanes", "client"}:
        with closing(Way(WAYS[name](), None)) as way:
            yield way
        return
    with anyio.from_thread.start_blocking_portal() as portal, closing(Way(WAYS[name](), portal)) as way:
        yield way


@pytest.fixture
def ours(way: Way) -> Way:
    """One of ours."""
    if isinstance(way.inner, over_client.Injected | over_client.AsyncInjected):
        pytest.skip("it is the user's own")
    return way


def get(peer: Peer, path: str = "/", **facts: Any) -> Request:
    return Request("GET", peer.url + path, "some.read", signed=False, **facts)


def put(peer: Peer, body: Any, effect: Effect = Effect.PAY) -> Request:
    return Request("PUT", peer.url + "/", "some.put", body=body, effect=effect)


class Permission:
    """A permit that notes when it was asked, and may be refused."""

    def __init__(self, refused: str = "") -> None:
        self.asked: list[str] = []
        self._refused = refused

    def take(self) -> None:
        self._ask("take")

    def check(self) -> None:
        self._ask("check")

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if what == self._refused:
            raise LeaseLost


# What is sent, and what comes back


def test_an_answer_comes_whole(way: Way, peer: Peer) -> None:
    """Status, headers with lower-case names, and the body."""
    answer = way.send(get(peer))
    assert (answer.status, answer.headers["x-two"], answer.content) == (200, "words", b"ok")


def test_a_request_goes_as_it_is(way: Way, peer: Peer) -> None:
    """Path and query keep each character, which signatures are over; there is one host, one agent, and no cookie."""
    peer.answers = [b"HTTP/1.1 200 OK\r\nset-cookie: a=b\r\ncontent-length: 0\r\n\r\n"] * 2
    for _ in range(2):
        way.send(get(peer, "/a%2Fb/%C3%A9", query={"x y": "a+b/=~", "z": "%"}, headers={"x-own": "1"}))
    head = peer.head()
    assert head[0] == "get /a%2fb/%c3%a9?x%20y=a%2bb%2f%3d~&z=%25 http/1.1"
    names = [line.partition(":")[0] for line in head[1:]]
    assert len(names) == len(set(names))
    assert {"host", "accept", "user-agent", "x-own"} <= set(names)
    assert f"host: {peer.url.removeprefix('http://')}" in head
    assert "user-agent: unified-train" in head


def test_no_cookie_is_kept(ours: Way, peer: Peer) -> None:
    """What one answer sets does not go along with the next request."""
    peer.answers = [b"HTTP/1.1 200 OK\r\nset-cookie: a=b\r\ncontent-length: 0\r\n\r\n"]
    ours.send(get(peer))
    ours.send(get(peer))
    assert not [line for line in peer.head() if line.startswith("cookie")]


def test_a_redirect_is_an_answer(way: Way, peer: Peer) -> None:
    """It is not followed here; where it may lead is for others to decide."""
    peer.answers = [f"HTTP/1.1 302 Found\r\nlocation: {peer.url}/b\r\ncontent-length: 0\r\n\r\n".encode()]
    answer = way.send(get(peer))
    assert (answer.status, answer.headers["location"], len(peer.heard)) == (302, f"{peer.url}/b", 1)


def test_encoded_bodies_are_decoded(way: Way, peer: Peer) -> None:
    """What a server compresses arrives as it was."""
    text = gzip.compress(b'{"a": 1}' * 100)
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(text)
    peer.answers = [head + text]
    assert way.send(get(peer)).content == b'{"a": 1}' * 100
    assert any("gzip" in line for line in peer.head() if line.startswith("accept-encoding"))


def test_large_bodies_go_piece_by_piece(way: Way, peer: Peer, tmp_path: Path) -> None:
    """A file arrives whole, with its length announced, and in no chunked encoding, which storage refuses."""
    path = tmp_path / "big"
    path.write_bytes(bytes(range(256)) * 4 * (CHUNK // 256) + b"rest")
    way.send(put(peer, FileBody(path), Effect.REPEATABLE))
    assert peer.bodies == [path.read_bytes()]
    assert f"content-length: {path.stat().st_size}" in peer.head()
    assert not [line for line in peer.head() if line.startswith("transfer-encoding")]


def test_an_answer_has_a_limit(way: Way, peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer larger than any picture is not read to its end."""
    monkeypatch.setattr("unified_train.transport.wire.LARGEST_ANSWER", 1)
    with pytest.raises(TransportError, match="larger than 1 bytes"):
        way.send(get(peer))


# What goes wrong


def test_nobody_listens(way: Way) -> None:
    """Surely nothing was sent if no connection came about, by address or by name."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    for url in (f"http://127.0.0.1:{port}", "http://nobody.invalid"):
        with pytest.raises(TransportError) as error:
            way.send(Request("POST", url, "some.post", body=BytesBody(b"x"), effect=Effect.PAY))
        assert (error.value.sent, error.value.operation) == (False, "some.post")


@pytest.mark.parametrize("answer", [HANG_UP, HALF, b"what?\r\n\r\n"], ids=["none", "half", "nonsense"])
def test_no_answer_or_half_of_one(way: Way, peer: Peer, answer: bytes) -> None:
    """The request may have been taken, so that the error says it was sent; it is not sent again."""
    peer.answers = [answer]
    with pytest.raises(TransportError) as error:
        way.send(put(peer, BytesBody(b"x")))
    assert error.value.sent
    assert len(peer.heard) == 1


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_dead_connection_is_not_tried_twice(way: Way, peer: Peer, method: str) -> None:
    """A request over a kept connection that ends without an answer is not sent again by the library, PUT or not."""
    way.send(get(peer))
    peer.answers = [HANG_UP, PLAIN]
    request = Request(method, peer.url, "some.call", body=BytesBody(b"x") if method == "PUT" else None)
    with pytest.raises(TransportError) as error:
        way.send(request)
    assert error.value.sent
    assert [head.split(b" ")[0] for _, head in peer.heard] == [b"GET", method.encode()]
    assert way.send(get(peer)).status == 200


def test_a_file_that_vanishes(way: Way, peer: Peer, tmp_path: Path) -> None:
    """It is the file's error that is told, not what the library makes of it; the vendor gets no whole body."""
    path = tmp_path / "gone"
    path.write_bytes(b"x" * 10 * CHUNK)
    body = FileBody(path)
    path.unlink()
    with pytest.raises(DatasetError, match="can't be read"):
        way.send(put(peer, body, Effect.REPEATABLE))
    assert all(len(got) < body.size for got in peer.bodies)


def test_a_permit_is_asked_late(way: Way, peer: Peer) -> None:
    """It is taken before connecting and checked before the body leaves, each time anew."""
    permit = Permission()
    for _ in range(2):
        way.send(put(peer, BytesBody(b"paid")), permit)
    assert permit.asked == ["take", "check"] * 2
    assert peer.bodies == [b"paid"] * 2


@pytest.mark.parametrize("refused", ["take", "check"])
def test_a_permit_that_is_refused(way: Way, peer: Peer, refused: str) -> None:
    """Without leave no body goes out, and it is the refusal that is told."""
    with pytest.raises(LeaseLost):
        way.send(put(peer, BytesBody(b"paid")), Permission(refused))
    assert b"paid" not in b"".join(peer.bodies)


@pytest.mark.parametrize("kind", ["answer", "body"])
def test_standing_still_has_an_end(
    ours: Way, peer: Peer, kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A server that answers nothing, or takes no more of a body, is given up."""
    import aiohttp

    monkeypatch.setattr("unified_train.transport.over_httpx._EXTENSIONS", {"timeout": {"read": 0.2, "write": 0.2}})
    monkeypatch.setattr("unified_train.transport.over_aiohttp.IDLE_SECONDS", 0.2)
    monkeypatch.setattr("unified_train.transport.over_aiohttp.CONNECT_SECONDS", 0.2)
    monkeypatch.setattr("unified_train.transport.over_aiohttp._TIMEOUT", aiohttp.ClientTimeout(sock_read=0.2))
    path = tmp_path / "big"
    path.write_bytes(b"x" * 50_000_000)
    with socket.create_server(("127.0.0.1", 0)) as server:
        peer.url = f"http://127.0.0.1:{server.getsockname()[1]}"
        request = get(peer) if kind == "answer" else put(peer, FileBody(path), Effect.REPEATABLE)
        with pytest.raises(TransportTimeout) as error:
            ours.send(request)
    assert error.value.sent


# Connections


def test_a_connection_is_kept(way: Way, peer: Peer) -> None:
    """One request after the other goes over one connection."""
    for _ in range(3):
        way.send(get(peer))
    assert [number for number, _ in peer.heard] == [1, 1, 1]


def test_lanes_are_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once there are as many connections as there may be, one to another server is given up for a new one."""
    monkeypatch.setattr(over_httpx, "CONNECTIONS", 1)
    with listening() as one, listening() as other, closing(over_httpx.Lanes()) as lanes:
        for peer in (one, one, other, one):
            assert lanes.send(get(peer)).status == 200
        assert [number for number, _ in one.heard] == [1, 1, 2]
        assert len(lanes._pool.all) == 1


def test_lanes_change_hands_between_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that take, give back and steal lanes of ever new servers get in nobody's way, and share no lane."""
    monkeypatch.setattr(over_httpx, "CONNECTIONS", 4)
    pool, held = over_httpx._Pool(object), set[int]()

    def work(number: int) -> None:
        for turn in range(600):
            origin = f"{number}/{turn % 150}"
            lane = pool.take(origin)
            assert id(lane) not in held
            held.add(id(lane))
            held.discard(id(lane))
            pool.give(origin, lane)

    before = sys.getswitchinterval()
    try:
        sys.setswitchinterval(1e-6)
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(work, range(4)))
    finally:
        sys.setswitchinterval(before)
    assert len(pool.all) <= 4


def test_no_more_than_so_many_at_once(peer: Peer) -> None:
    """Calls wait before the transport, not in it."""
    assert [way().connections for way in WAYS.values()] == [100, 100, 256, 32, 32]


# Which one


def test_a_proxy_is_gone_through(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the environment names one, requests go to it, as httpx's own clients send them."""
    assert not behind_proxy()
    monkeypatch.setenv("http_proxy", peer.url)
    assert behind_proxy()
    with closing(blocking_transport(None)) as transport:
        assert transport.send(Request("GET", "http://vendor.invalid/x", "some.read")).status == 200
    assert peer.head()[0] == "get http://vendor.invalid/x http/1.1"
    for http in (None, "aiohttp"):

        async def main(http: Any = http) -> int:
            transport = async_transport(http)
            try:
                return (await transport.send(Request("GET", "http://vendor.invalid/y", "some.read"))).status
            finally:
                await transport.close()

        assert anyio.run(main) == 200
        assert peer.head()[0] == "get http://vendor.invalid/y http/1.1"


def test_names_that_mean_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name of no library, one for the other colour, or one that is not installed, is told when a client is made."""
    monkeypatch.setenv("NOVITA_API_KEY", "k")
    with pytest.raises(ConfigurationError, match="'requests' is no HTTP client"):
        AsyncClient("novita", http="requests")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="Client takes an httpx"):
        Client("novita", http="aiohttp")  # type: ignore[arg-type]
    monkeypatch.setattr("unified_train.transport.find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match=r"pip install 'unified-train\[aiohttp\]'"):
        AsyncClient("novita", http="aiohttp")


def test_aiohttp_needs_asyncio(peer: Peer) -> None:
    """On trio it says so, before anything is sent."""

    async def main() -> None:
        transport = Aiohttp()
        with pytest.raises(ConfigurationError, match="asyncio only"):
            await transport.send(get(peer))
        await transport.close()

    anyio.run(main, backend="trio")
    assert not peer.heard


def test_a_release_that_repeats_by_itself_is_refused(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Should aiohttp's switch ever be gone, nothing is sent rather than perhaps twice."""
    import aiohttp

    class Other:
        def __init__(self, **_: Any) -> None:
            pass

    monkeypatch.setattr(aiohttp, "ClientSession", Other)
    monkeypatch.setattr(aiohttp, "TCPConnector", Other)

    async def main() -> None:
        with pytest.raises(ConfigurationError, match="repeats requests by itself"):
            await Aiohttp().send(get(peer))

    anyio.run(main)
    assert not peer.heard


def test_a_closed_client_sends_nothing(peer: Peer) -> None:
    """Whatever is asked of a client after it was closed is a mistake of the program, told as such."""
    from unified_train.engine import AsyncEngine, Engine
    from unified_train.flow import transmit

    engine = Engine()
    engine.run(transmit(get(peer)))
    engine.close()
    engine.close()
    with pytest.raises(RuntimeError, match="closed"):
        engine.run(transmit(get(peer)))

    async def main() -> None:
        engine = AsyncEngine()
        await engine.close()
        with pytest.raises(RuntimeError, match="closed"):
            await engine.run(transmit(get(peer)))

    anyio.run(main)
    assert len(peer.heard) == 1
