"""A server that costs next to nothing: answers made beforehand, by method and path, after a delay if told so.

It stands in for a vendor wherever the client's cost is measured: it reads of requests what tells them apart, and
looks at nothing else. `python -m benchmarks.performance.server` takes routes as JSON on standard input, writes its
address on standard output, and ends when standard input does.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import urllib.request
from dataclasses import asdict, dataclass, field
from typing import IO, TYPE_CHECKING, Any, Self, cast

if TYPE_CHECKING:
    from collections.abc import Sequence

_NUMBER = b"000000"
"""What a numbered answer holds in the place of its number."""
_CONTROL = "/_bench"


@dataclass(frozen=True)
class Route:
    """One answer.

    Attributes:
        method: Of the request.
        path: Without the query; a last segment of `*` stands for any.
        status: Of the answer.
        media_type: Of its body.
        body: Text; the server's own address may stand in it as `{server}`.
        delay: Seconds between the end of the request and the answer.
        numbered: Whether the body's `000000` becomes the number of the request to this route, from 1.
        kept: Whether the last request's body is kept for `Server.seen`.
    """

    method: str
    path: str
    status: int = 200
    media_type: str = "application/json"
    body: str = "{}"
    delay: float = 0.0
    numbered: bool = False
    kept: bool = False


@dataclass
class Seen:
    """What arrived.

    Attributes:
        requests: That were answered.
        connections: In all.
        sizes: Bytes of the bodies of requests to numbered routes and of PUTs, by number or last segment of the path.
        kept: The last body of each route that keeps it, by path.
    """

    requests: int = 0
    connections: int = 0
    sizes: dict[str, int] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)


class Server:
    """The server in a process of its own; use it in a `with` block.

    Args:
        routes: All that it answers; anything else is a 404.
    """

    def __init__(self, routes: Sequence[Route]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.performance.server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        told, answers = cast("IO[str]", self._process.stdin), cast("IO[str]", self._process.stdout)
        told.write(json.dumps([asdict(route) for route in routes]) + "\n")
        told.flush()
        self.url = answers.readline().strip()
        self.pid = self._process.pid

    @property
    def host(self) -> str:
        """Address and port."""
        return self.url.removeprefix("http://")

    def seen(self) -> Seen:
        """What arrived since the last time that this was asked."""
        return seen_at(self.url)

    def close(self) -> None:
        """End the process."""
        cast("IO[str]", self._process.stdin).close()
        self._process.wait()
        cast("IO[str]", self._process.stdout).close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def seen_at(url: str) -> Seen:
    """What arrived at a server since the last time that this was asked."""
    with urllib.request.urlopen(url + _CONTROL) as answer:  # noqa: S310 - our own server
        return Seen(**json.load(answer))


class _Desk:
    """The answers, and what is counted; shared by all connections."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self.loop = asyncio.get_running_loop()
        self.seen = Seen()
        self.url = b""
        self._routes = {f"{route.method} {route.path}".encode(): (route, _answer(route)) for route in routes}

    def answered(self, key: bytes, body: bytes, size: int) -> tuple[bytes, float]:
        """The whole answer to a request, and the seconds to wait before it is sent."""
        found = self._routes.get(key) or self._routes.get(key[: key.rfind(b"/")] + b"/*")
        if found is None:
            return self._control(key), 0.0
        self.seen.requests += 1
        route, answer = found
        if route.kept:
            self.seen.kept[route.path] = body.decode(errors="replace")
        if route.numbered:
            number = b"%06d" % (1 + sum(name.startswith(route.path) for name in self.seen.sizes))
            self.seen.sizes[f"{route.path}#{number.decode()}"] = size
            answer = answer.replace(_NUMBER, number)
        elif route.method == "PUT":
            self.seen.sizes[key[key.rfind(b"/") + 1 :].decode()] = size
        return answer.replace(b"{server}", self.url) if b"{server}" in answer else answer, route.delay

    def _control(self, key: bytes) -> bytes:
        if key != f"GET {_CONTROL}".encode():
            print("no answer to", key.decode(), file=sys.stderr, flush=True)
            return _answer(Route("", "", status=404))
        seen, self.seen = self.seen, Seen()
        return _answer(Route("", "", body=json.dumps(asdict(seen))))


def _answer(route: Route) -> bytes:
    # An address of the server has as many bytes as its place holder and more: the length is counted with it.
    body = route.body.encode()
    size = len(body) + body.count(b"{server}") * (len("http://127.0.0.1:12345") - len("{server}"))
    head = f"HTTP/1.1 {route.status} OK\r\ncontent-type: {route.media_type}\r\ncontent-length: {size}\r\n\r\n"
    return head.encode() + body


class _Connection(asyncio.Protocol):
    """One connection: requests one after another."""

    def __init__(self, desk: _Desk) -> None:
        self._desk = desk
        self._data = bytearray()
        self._key = b""
        self._left = 0
        self._size = 0
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._desk.seen.connections += 1

    def data_received(self, data: bytes) -> None:
        self._data += data
        while self._data or (self._key and not self._left):
            if not self._key and not self._head():
                return
            if self._left > len(self._data):
                if self._size > 1_000_000:  # noqa: PLR2004 - bytes; such a body is counted and thrown away
                    self._left -= len(self._data)
                    self._data.clear()
                return
            self._answer()

    def _head(self) -> bool:
        """Read the head of a request, if all of it is there."""
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = bytes(self._data[:end])
        del self._data[: end + 4]
        method, target, _ = head.split(b" ", 2)
        self._key = method + b" " + target.partition(b"?")[0]
        low = head.lower()
        at = low.find(b"\r\ncontent-length:")
        self._size = self._left = int(low[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if b"\r\ntransfer-encoding:" in low:
            raise NotImplementedError("no contender sends chunks")
        return True

    def _answer(self) -> None:
        body = bytes(self._data[: self._left])
        del self._data[: self._left]
        answer, delay = self._desk.answered(self._key, body, self._size)
        self._key, self._left = b"", 0
        if delay:
            self._desk.loop.call_later(delay, self._write, answer)
        else:
            self._write(answer)

    def _write(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)


async def _serve(routes: Sequence[Route]) -> None:
    desk = _Desk(routes)
    listening = await desk.loop.create_server(lambda: _Connection(desk), "127.0.0.1", 0, backlog=4096)
    # Ports of five digits keep the length of an answer with an address in it what it was counted to be.
    host, port = listening.sockets[0].getsockname()
    desk.url = f"http://{host}:{port}".encode()
    print(desk.url.decode(), flush=True)
    await desk.loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve([Route(**route) for route in json.loads(sys.stdin.readline())]))
