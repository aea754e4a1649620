"""Clients that send the same requests and do nothing with an answer but parse its JSON: no validation, no signing."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks.performance.contenders import Contender

if TYPE_CHECKING:
    from benchmarks.performance.cases import Call, Case

HEADERS = {
    "authorization": "Bearer sandbox-key",
    "accept": "*/*",
    "user-agent": "raw",
    "content-type": "application/json",
}
WIDE = 100_000
"""Connections at most: as many as there are jobs, for clients that are asked to wait for nothing."""


def _path(call: Call, number: int) -> str:
    return f"{call.path}-{number}" if number else call.path


class _Httpx:
    """`httpx.Client`, or another library's of the same interface."""

    def __init__(self, case: Case, url: str, _: int, *, library: str) -> None:
        self._client = __import__(library).Client(base_url=url, headers=HEADERS, timeout=60)
        self._calls = case.calls

    def __call__(self, number: int = 0) -> Any:
        answer: Any = None
        for call in self._calls:
            answer = self._client.request(call.method, _path(call, number), content=call.body or None).json()
        return answer

    def close(self) -> None:
        self._client.close()


class _AsyncHttpx:
    def __init__(self, case: Case, url: str, _: int, *, library: str) -> None:
        # No limit on the wait for a connection: there may be thousands before us.
        timeout = __import__(library).Timeout(60, pool=None)
        self._client = __import__(library).AsyncClient(base_url=url, headers=HEADERS, timeout=timeout)
        self._calls = case.calls

    async def __call__(self, number: int = 0) -> Any:
        answer: Any = None
        for call in self._calls:
            answer = (await self._client.request(call.method, _path(call, number), content=call.body or None)).json()
        return answer

    async def close(self) -> None:
        await self._client.aclose()


class _Urllib3:
    def __init__(self, case: Case, url: str, _: int) -> None:
        import urllib3

        self._pool = urllib3.connection_from_url(url, headers=HEADERS)
        self._calls = case.calls

    def __call__(self, number: int = 0) -> Any:
        answer: Any = None
        for call in self._calls:
            answer = self._pool.urlopen(call.method, _path(call, number), body=call.body or None).json()
        return answer

    def close(self) -> None:
        self._pool.close()


class _HttpClient:
    def __init__(self, case: Case, url: str, _: int) -> None:
        self._connection = http.client.HTTPConnection(url.removeprefix("http://"))
        self._calls = case.calls

    def __call__(self, number: int = 0) -> Any:
        answer: Any = None
        for call in self._calls:
            self._connection.request(call.method, _path(call, number), call.body or None, HEADERS)
            answer = json.loads(self._connection.getresponse().read())
        return answer

    def close(self) -> None:
        self._connection.close()


def _wire(call: Call, number: int) -> bytes:
    """A request as it goes over the wire."""
    fields = {
        "host": "localhost",
        **HEADERS,
        "authorization": call.authorization,
        **({"content-length": str(len(call.body))} if call.body else {}),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{call.method} {_path(call, number)} HTTP/1.1\r\n{head}\r\n{call.body}".encode()


def _length(head: bytes) -> int:
    at = head.index(b"content-length: ") + 16
    return int(head[at : head.index(b"\r\n", at)])


class _Socket:
    """The floor: one send, as few receives as it takes, `json.loads`."""

    def __init__(self, case: Case, url: str, _: int) -> None:
        host, port = url.removeprefix("http://").split(":")
        self._socket = socket.create_connection((host, int(port)))
        self._calls = case.calls

    def __call__(self, number: int = 0) -> Any:
        answer: Any = None
        for call in self._calls:
            self._socket.sendall(_wire(call, number))
            data = b""
            while (end := data.find(b"\r\n\r\n")) < 0 or len(data) < end + 4 + _length(data[: end + 2]):
                data += self._socket.recv(65536)
            answer = json.loads(data[end + 4 :])
        return answer

    def close(self) -> None:
        self._socket.close()


class _Streams:
    """The asynchronous floor: asyncio's streams, each held for one operation, as many as are needed at once."""

    def __init__(self, case: Case, url: str, _: int, *, connections: int = 256) -> None:
        self._host, port = url.removeprefix("http://").split(":")
        self._port = int(port)
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._gate = asyncio.Semaphore(connections)
        self._calls = case.calls

    async def __call__(self, number: int = 0) -> Any:
        async with self._gate:
            reader, writer = self._idle.pop() if self._idle else await asyncio.open_connection(self._host, self._port)
            answer: Any = None
            for call in self._calls:
                writer.write(_wire(call, number))
                head = await reader.readuntil(b"\r\n\r\n")
                answer = json.loads(await reader.readexactly(_length(head)))
            self._idle.append((reader, writer))
        return answer

    async def close(self) -> None:
        for _, writer in self._idle:
            writer.close()
            await writer.wait_closed()


class _Aiohttp:
    """aiohttp, its connections behind a fair semaphore."""

    def __init__(self, case: Case, url: str, _: int, *, connections: int = 256) -> None:
        import aiohttp

        connector = aiohttp.TCPConnector(limit=connections)
        self._session = aiohttp.ClientSession(url, connector=connector, headers=HEADERS)
        self._gate = asyncio.Semaphore(connections)
        self._calls = case.calls

    async def __call__(self, number: int = 0) -> Any:
        async with self._gate:
            answer: Any = None
            for call in self._calls:
                async with self._session.request(call.method, _path(call, number), data=call.body or None) as response:
                    answer = await response.json()
        return answer

    async def close(self) -> None:
        await self._session.close()


CONTENDERS = (
    Contender("httpx, sync", ("httpx",), partial(_Httpx, library="httpx")),
    Contender("httpx, async", ("httpx",), partial(_AsyncHttpx, library="httpx"), asynchronous=True),
    Contender("httpx2, sync", ("httpx2",), partial(_Httpx, library="httpx2")),
    Contender("httpx2, async", ("httpx2",), partial(_AsyncHttpx, library="httpx2"), asynchronous=True),
    Contender("aiohttp", ("aiohttp",), _Aiohttp, asynchronous=True),
    Contender("urllib3", ("urllib3",), _Urllib3),
    Contender("http.client", (), _HttpClient),
    Contender("socket", (), _Socket),
    Contender("asyncio streams", (), _Streams, asynchronous=True),
)
