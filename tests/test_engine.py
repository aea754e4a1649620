"""The two engines: what only they do, such as streaming, gating and stopping."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.from_thread
import httpx
import pytest
from helpers import plain, png

from unified_train import AsyncClient, Client, Image, Job, PluginError, Polling, Status
from unified_train.engine import AsyncEngine, Engine
from unified_train.flow import Workflow, emit, gather, sleep
from unified_train.http import CHUNK


def succeeded(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json={"id": "1", "status": "succeeded"})


def test_async_works_on_trio_too() -> None:
    """The async client runs on trio as it does on asyncio."""

    async def main() -> Job:
        transport = httpx.MockTransport(succeeded)
        async with httpx.AsyncClient(transport=transport) as http, AsyncClient(plain(), http=http) as client:
            jobs = await client.wait(["plain:training:1", "plain:training:2"])
            return jobs[0]

    assert anyio.run(main, backend="trio").status is Status.SUCCEEDED


class Pieces(httpx.SyncByteStream, httpx.AsyncByteStream):
    """Stands between a client and its transport, and notes the pieces of a body."""

    def __init__(self, stream: Any, sizes: list[int]) -> None:
        self._stream = stream
        self._sizes = sizes

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._stream:
            self._sizes.append(len(chunk))
            yield chunk

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            self._sizes.append(len(chunk))
            yield chunk


class Noting(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """A transport that reads a body piece by piece, as a socket would."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.length = ""
        self.received = b""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.length = request.headers["content-length"]
        self.received = b"".join(Pieces(request.stream, self.sizes))
        return httpx.Response(200, json={"id": "1"})

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.length = request.headers["content-length"]
        self.received = b"".join([chunk async for chunk in Pieces(request.stream, self.sizes)])
        return httpx.Response(200, json={"id": "1"})


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_a_large_file_is_sent_piece_by_piece_with_its_length(
    colour: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file is never whole in memory on its way out, and no chunked encoding is used, which storage refuses."""
    path = tmp_path / "big.png"
    path.write_bytes(png(padding=5 * CHUNK)[: 2 * CHUNK] + b"\x00" * 10_000)
    transport = Noting()
    vendor = plain()
    monkeypatch.setattr(vendor, "check_image", lambda _: None)  # it would not take one that large
    if colour == "sync":
        with Client(vendor, http=httpx.Client(transport=transport)) as client:
            client.upload_image(path)
    else:

        async def main() -> None:
            async with AsyncClient(vendor, http=httpx.AsyncClient(transport=transport)) as client:
                await client.upload_image(path)

        anyio.run(main)
    assert max(transport.sizes) <= CHUNK
    assert len(transport.sizes) > 1
    assert transport.received == path.read_bytes()
    assert transport.length == str(path.stat().st_size)


def test_gathering_keeps_order_and_its_limit() -> None:
    """Workflows run side by side, no more than allowed at once, and their results come in order."""
    lock, running, most = threading.Lock(), 0, 0

    def work(number: int) -> Workflow[int]:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        yield from sleep(0.01)
        with lock:
            running -= 1
        return number

    engine = Engine()
    assert engine.run(gather([work(number) for number in range(9)], limit=3)) == list(range(9))
    assert 1 < most <= 3
    engine.close()


def test_a_failure_stops_what_has_not_begun_and_closes_it() -> None:
    """After the first error no further workflow is started, and none is left open."""
    begun: list[int] = []

    def work(number: int) -> Workflow[int]:
        begun.append(number)
        yield from sleep(0)
        raise ValueError(number)

    async def main() -> None:
        engine = AsyncEngine()
        try:
            await engine.run(gather([work(number) for number in range(5)], limit=1))
        finally:
            await engine.close()

    engine = Engine()
    for run in (lambda: engine.run(gather([work(number) for number in range(5)], limit=1)), lambda: anyio.run(main)):
        begun.clear()
        with pytest.raises(ValueError, match="0"):
            run()
        assert begun == [0]
    engine.close()


def test_what_is_emitted_is_yielded_and_the_rest_is_closed() -> None:
    """Leaving the iteration early closes the workflow."""
    closed: list[str] = []

    def work() -> Workflow[None]:
        try:
            for number in range(5):
                yield from emit(number)
        finally:
            closed.append("closed")

    engine = Engine()
    values = engine.iterate(work())
    assert [next(values), next(values)] == [0, 1]
    values.close()  # type: ignore[attr-defined]  # it is a generator

    async def main() -> list[int]:
        engine = AsyncEngine()
        seen = [value async for value in engine.iterate(work())]
        await engine.close()
        return seen

    assert anyio.run(main) == list(range(5))
    assert closed == ["closed"] * 2
    engine.close()


def test_a_workflow_may_only_ask_for_what_engines_do() -> None:
    """An unknown action, or no generator at all, is a plugin's mistake and told as one."""

    def odd() -> Any:
        yield "surprise"

    async def main(workflow: Any) -> None:
        engine = AsyncEngine()
        try:
            await engine.run(workflow)
        finally:
            await engine.close()

    engine = Engine()
    with pytest.raises(PluginError, match="yielded 'surprise'; it may only yield Request"):
        engine.run(odd())
    with pytest.raises(PluginError, match="it may only yield Request"):
        anyio.run(main, odd())
    with pytest.raises(PluginError, match="expected a generator"):
        engine.run([1])  # type: ignore[arg-type]
    engine.close()


def test_a_client_of_yours_is_not_closed() -> None:
    """An injected HTTP client goes on after ours is closed."""
    http = httpx.Client(transport=httpx.MockTransport(succeeded))
    with Client(plain(), http=http, polling=Polling(first=0.01)) as client:
        client.poll("plain:training:1")
    assert not http.is_closed
    http.close()


def test_a_stranger_that_behaves_like_httpx_will_do() -> None:
    """Errors are recognised by name, so that a client of httpx's successor can be injected."""

    class RequestError(Exception):
        pass

    class ConnectError(RequestError):
        pass

    def fail(_: httpx.Request) -> httpx.Response:
        raise ConnectError("refused")

    from unified_train import Retry, TransportError

    http = httpx.Client(transport=httpx.MockTransport(fail))
    with Client(plain(), http=http, retry=Retry(attempts=1)) as client, pytest.raises(TransportError) as error:
        client.upload_image(Image.of(png()))
    assert error.value.sent is False
    http.close()
