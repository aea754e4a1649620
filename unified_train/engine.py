"""The only module that does I/O over a network, and the only code written twice: once per colour."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import aclosing, closing
from contextvars import copy_context
from functools import cache, partial
from queue import Empty, SimpleQueue
from types import GeneratorType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import anyio
import anyio.to_thread
import httpx

from unified_train import redact
from unified_train.errors import PluginError, TransportError, TransportTimeout
from unified_train.flow import Action, Blocking, Crew, Emit, Gather, Permit, Permitted, Sleep, Supply, Workflow
from unified_train.http import CHUNK, SUBMISSION_SECONDS, Body, Request, Response

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence

T = TypeVar("T")

TIMEOUT = httpx.Timeout(connect=10.0, read=60.0, write=60.0, pool=None)
"""Seconds; without one for the pool, since calls are gated before it."""
CONNECTIONS = 32
"""Requests under way at once, per client."""
LARGEST_ANSWER = 256 * 1024 * 1024
"""Bytes; no vendor's picture comes near it."""

_NOT_SENT = {"ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "InvalidURL"}


class Engine:
    """Drives workflows with blocking I/O; `Gather` uses threads.

    Args:
        client: An `httpx.Client` of yours, or one that behaves like it; it is not closed.
    """

    def __init__(self, client: httpx.Client | None = None) -> None:
        self._own = client is None
        self._client = client or httpx.Client(verify=_tls(), timeout=TIMEOUT, limits=_limits())
        self._gate = threading.BoundedSemaphore(CONNECTIONS)

    def close(self) -> None:
        """Close the connections."""
        if self._own:
            self._client.close()

    def run(self, workflow: Workflow[T]) -> T:
        """Drive a workflow to its end and return its result."""
        course = _Course(workflow)
        for _ in self._drive(course):
            pass
        return course.result

    def iterate(self, workflow: Workflow[Any]) -> Iterator[Any]:
        """Drive a workflow and yield what it emits."""
        return self._drive(_Course(workflow))

    def _drive(self, course: _Course[Any]) -> Iterator[Any]:
        with closing(course):
            while (action := course.action()) is not None:
                if isinstance(action, Emit):
                    yield action.value
                    continue
                try:
                    course.succeed(self._perform(action))
                except BaseException as error:  # noqa: BLE001 - the workflow decides what to do with it
                    course.fail(error)

    def _perform(self, action: Action) -> object:
        match action:
            case Request():
                with self._gate:
                    return self._transmit(action)
            case Permitted(request, permit):
                with self._gate:
                    return self._transmit(request, permit)
            case Sleep(seconds):
                time.sleep(seconds)
                return None
            case Blocking(function):
                return function()
            case Gather(workflows, limit):
                return self._gather(workflows, limit)
            case Crew(supply, limit):
                self._attend(supply, limit)
                return None
            case _:
                raise _foreign(action)

    def _transmit(self, request: Request, permit: Permit | None = None) -> Response:
        try:
            content = _content(request.body, permit, _chunks)
            built = self._client.build_request(
                request.method, request.url_with_query, headers=_headers(request), content=content
            )
            if permit:
                permit.take()
            answer = self._client.send(built, stream=True, follow_redirects=False)
            with closing(answer):
                received = _Received(request)
                for chunk in answer.iter_bytes():
                    received.add(chunk)
                return received.response(answer)
        except Exception as error:  # noqa: BLE001 - what is not httpx's is raised as it is
            raise _translated(error, request) from None

    def _gather(self, workflows: Sequence[Workflow[Any]], limit: int) -> list[Any]:
        todo = _Todo(workflows)

        def work() -> None:
            for index, workflow in todo:
                with todo.watched():
                    todo.results[index] = self.run(workflow)

        with ThreadPoolExecutor(limit, thread_name_prefix="unified-train") as pool, closing(todo):
            for worker in [pool.submit(copy_context().run, work) for _ in range(limit)]:
                worker.result()
        return todo.results

    def _attend(self, supply: Supply, limit: int) -> None:
        under_way, ended = 0, SimpleQueue[Future[Any]]()
        with ThreadPoolExecutor(limit, thread_name_prefix="unified-train") as pool:
            while (item := supply.next() if under_way < limit else None) is not None or under_way:
                if isinstance(item, int | float) and not under_way:
                    time.sleep(item)
                elif isinstance(item, int | float) or item is None:
                    try:
                        work = ended.get(timeout=item)
                    except Empty:
                        continue
                    under_way -= 1
                    supply.ended(work.result())
                else:
                    work = pool.submit(copy_context().run, self.run, item)
                    work.add_done_callback(ended.put)
                    under_way += 1


class AsyncEngine:
    """Drives workflows on asyncio or trio; `Gather` uses tasks.

    Args:
        client: An `httpx.AsyncClient` of yours, or one that behaves like it; it is not closed.
    """

    def __init__(self, client: httpx.AsyncClient | None = None) -> None:
        self._own = client is None
        self._client = client or httpx.AsyncClient(verify=_tls(), timeout=TIMEOUT, limits=_limits())
        self._gate: anyio.Semaphore | None = None

    async def close(self) -> None:
        """Close the connections."""
        if self._own:
            with anyio.CancelScope(shield=True):
                await self._client.aclose()

    async def run(self, workflow: Workflow[T]) -> T:
        """Drive a workflow to its end and return its result."""
        course = _Course(workflow)
        async with aclosing(self._drive(course)) as driven:
            async for _ in driven:
                pass
        return course.result

    def iterate(self, workflow: Workflow[Any]) -> AsyncGenerator[Any, None]:
        """Drive a workflow and yield what it emits."""
        return self._drive(_Course(workflow))

    async def _drive(self, course: _Course[Any]) -> AsyncGenerator[Any, None]:
        with closing(course):
            while (action := course.action()) is not None:
                if isinstance(action, Emit):
                    yield action.value
                    continue
                try:
                    course.succeed(await self._perform(action))
                except BaseException as error:  # noqa: BLE001 - the workflow decides what to do with it
                    course.fail(error)

    def _opened_gate(self) -> anyio.Semaphore:
        """The gate, made on first use: only then is it known which event loop runs."""
        self._gate = self._gate or anyio.Semaphore(CONNECTIONS)
        return self._gate

    async def _perform(self, action: Action) -> object:
        match action:
            case Request():
                async with self._opened_gate():
                    return await self._transmit(action)
            case Permitted(request, permit):
                async with self._opened_gate():
                    return await self._transmit(request, permit)
            case Sleep(seconds):
                await anyio.sleep(seconds)
                return None
            case Blocking(function):
                return await anyio.to_thread.run_sync(function)
            case Gather(workflows, limit):
                return await self._gather(workflows, limit)
            case Crew(supply, limit):
                await self._attend(supply, limit)
                return None
            case _:
                raise _foreign(action)

    async def _transmit(self, request: Request, permit: Permit | None = None) -> Response:
        try:
            content = _content(request.body, permit, _AsyncChunks)
            built = self._client.build_request(
                request.method, request.url_with_query, headers=_headers(request), content=content
            )
            if permit:
                await anyio.to_thread.run_sync(permit.take)
            answer = await self._client.send(built, stream=True, follow_redirects=False)
            async with aclosing(answer):
                received = _Received(request)
                async for chunk in answer.aiter_bytes():
                    received.add(chunk)
                return received.response(answer)
        except Exception as error:  # noqa: BLE001 - what is not httpx's is raised as it is
            raise _translated(error, request) from None

    async def _gather(self, workflows: Sequence[Workflow[Any]], limit: int) -> list[Any]:
        todo = _Todo(workflows)

        async def work() -> None:
            for index, workflow in todo:
                with todo.watched():
                    todo.results[index] = await self.run(workflow)

        with closing(todo):
            try:
                async with anyio.create_task_group() as tasks:
                    for _ in range(limit):
                        tasks.start_soon(work)
            except BaseExceptionGroup as group:
                raise _leaf(group) from None
        return todo.results

    async def _attend(self, supply: Supply, limit: int) -> None:
        under_way, ended = 0, deque[Any]()
        news = anyio.Event()

        async def work(workflow: Workflow[Any]) -> None:
            ended.append(await self.run(workflow))
            news.set()

        try:
            async with anyio.create_task_group() as tasks:
                while (item := supply.next() if under_way < limit else None) is not None or under_way:
                    if isinstance(item, int | float) or item is None:
                        with anyio.move_on_after(item):
                            await news.wait()
                        news = anyio.Event()
                    else:
                        tasks.start_soon(work, item)
                        under_way += 1
                    while ended:
                        under_way -= 1
                        supply.ended(ended.popleft())
        except BaseExceptionGroup as group:
            raise _leaf(group) from None


class _Course(Generic[T]):
    """A workflow on its way: what it asks for next, given what came of the last."""

    result: T

    def __init__(self, workflow: Workflow[T]) -> None:
        if not isinstance(workflow, GeneratorType):
            raise PluginError(f"expected a generator, got {workflow!r}; a flow without a request needs `yield from ()`")
        self._workflow = workflow
        self._step: Callable[[], Action] = partial(next, workflow)

    def action(self) -> Action | None:
        """What to do next; None at the end."""
        step, self._step = self._step, partial(self._workflow.send, None)
        try:
            return step()
        except StopIteration as stop:
            self.result = stop.value
            return None

    def succeed(self, value: object) -> None:
        self._step = partial(self._workflow.send, value)

    def fail(self, error: BaseException) -> None:
        self._step = partial(self._workflow.throw, error)

    def close(self) -> None:
        self._workflow.close()


class _Todo:
    """Workflows handed out in order to however many workers ask; after a failure the rest is closed unstarted."""

    def __init__(self, workflows: Sequence[Workflow[Any]]) -> None:
        self.results: list[Any] = [None] * len(workflows)
        self._left = iter(enumerate(workflows))
        self._lock = threading.Lock()
        self._stopped = False

    def __iter__(self) -> Iterator[tuple[int, Workflow[Any]]]:
        return self

    def __next__(self) -> tuple[int, Workflow[Any]]:
        with self._lock:
            if self._stopped:
                raise StopIteration
            return next(self._left)

    def watched(self) -> _Watched:
        return _Watched(self)

    def stop(self) -> None:
        self._stopped = True

    def close(self) -> None:
        self.stop()
        for _, workflow in self._left:
            workflow.close()


class _Watched:
    """Stops the handing out when its block fails."""

    def __init__(self, todo: _Todo) -> None:
        self._todo = todo

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._todo.stop()


class _Received:
    """An answer's body as it comes in, up to `LARGEST_ANSWER`; one that drips is cut off where money waits for it."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._chunks: list[bytes] = []
        self._size = 0
        self._deadline = None if request.idempotent else time.monotonic() + SUBMISSION_SECONDS

    def add(self, chunk: bytes) -> None:
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise TransportTimeout(
                f"{self._request.operation}: the answer was still not complete after {SUBMISSION_SECONDS:g} seconds",
                sent=True,
                operation=self._request.operation,
            )
        self._size += len(chunk)
        if self._size > LARGEST_ANSWER:
            raise TransportError(
                f"{self._request.operation}: the answer is larger than {LARGEST_ANSWER:,} bytes",
                sent=True,
                operation=self._request.operation,
            )
        self._chunks.append(chunk)

    def response(self, answer: httpx.Response) -> Response:
        return Response(self._request, answer.status_code, answer.headers, b"".join(self._chunks))


class _AsyncChunks:
    """A body's pieces, read in threads so that a slow disk holds up nobody; a class, since it must not be left open."""

    def __init__(self, body: Body) -> None:
        self._chunks = body.chunks()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        chunk = await anyio.to_thread.run_sync(next, self._chunks, None)
        if chunk is None:
            raise StopAsyncIteration
        return chunk


def _chunks(body: Body) -> Iterator[bytes]:
    return body.chunks()


class _Held(Body):
    """A body that leaves only if its request's permit still holds once there is a connection for it."""

    def __init__(self, body: Body, permit: Permit) -> None:
        self.media_type = body.media_type
        self.size = body.size
        self._body = body
        self._permit = permit

    def chunks(self) -> Iterator[bytes]:
        # Without its body a request can't be accepted: the headers that have left announce its length.
        self._permit.check()
        yield from self._body.chunks()


def _content(body: Body | None, permit: Permit | None, stream: Callable[[Body], Any]) -> Any:
    """What httpx is given: small bodies whole, others piece by piece, and so any that needs a permit."""
    if body is None:
        return None
    if permit is not None:
        return stream(_Held(body, permit))
    return body.read() if body.size <= CHUNK else stream(body)


def _headers(request: Request) -> dict[str, str]:
    headers = {"accept": "*/*", "user-agent": "unified-train", **request.headers}
    if request.body is not None:
        headers = {"content-type": request.body.media_type, "content-length": str(request.body.size), **headers}
    return headers


def _translated(error: Exception, request: Request) -> Exception:
    """One of our errors for one of httpx's; by name, so that a client that only behaves like httpx will do."""
    names = {kind.__name__ for kind in type(error).__mro__}
    if not names & {"RequestError", "InvalidURL"}:
        return error
    kind = TransportTimeout if "TimeoutException" in names else TransportError
    return kind(
        f"no answer from {request.origin} to {request.operation}:"
        f" {str(error).strip() or type(error).__name__} ({type(error).__name__})",
        sent=not names & _NOT_SENT,
        operation=request.operation,
    )


def _foreign(action: object) -> PluginError:
    return PluginError(f"a flow yielded {action!r}; it may only yield Request")


def _leaf(error: BaseException) -> BaseException:
    """The first real error inside nested groups."""
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return error


@cache
def _tls() -> ssl.SSLContext:
    """One for all clients: making one takes longer than anything else in a client."""
    return httpx.create_ssl_context()


def _limits() -> httpx.Limits:
    return httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)


class _Redacting(logging.Filter):
    """Takes signatures out of the URLs that httpx logs in full at INFO."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redact.text(record.getMessage()), ()
        return True


for _name in ("httpx", "httpcore.http11", "httpcore.http2", "httpcore.connection"):
    logging.getLogger(_name).addFilter(_Redacting())
