"""Drives workflows: the only code that does I/O, and the only code written twice, once per colour."""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import closing
from contextvars import copy_context
from functools import partial
from queue import Empty, SimpleQueue
from types import GeneratorType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import anyio
import anyio.to_thread

from unified_train.errors import PluginError
from unified_train.flow import Action, Blocking, Crew, Emit, Gather, Permit, Permitted, Sleep, Supply, Workflow
from unified_train.http import Request, Response
from unified_train.transport import async_transport, blocking_transport, check_http

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator, Sequence

    import httpx

    from unified_train.transport import AsyncHttp, AsyncTransport, Transport

T = TypeVar("T")
_CLOSED = "this client is closed; make another one"


class Engine:
    """Drives workflows with blocking I/O; `Gather` uses threads.

    Args:
        http: An `httpx.Client` of yours, or one that behaves like it; it is not closed.
    """

    def __init__(self, http: httpx.Client | None = None) -> None:
        check_http(http)
        self._http = http
        self._opening = threading.Lock()
        self._line: tuple[Transport, threading.Semaphore] | None = None
        self._closed = False

    def close(self) -> None:
        """Close the connections; twice is once."""
        self._closed, line, self._line = True, self._line, None
        if line is not None:
            line[0].close()

    def run(self, workflow: Workflow[T]) -> T:
        """Drive a workflow to its end and return its result."""
        course = _Course(workflow)
        with closing(course):
            while (action := course.action()) is not None:
                try:
                    course.succeed(self._perform(action))
                except BaseException as error:  # noqa: BLE001 - the workflow decides what to do with it
                    course.fail(error)
        return course.result

    def iterate(self, workflow: Workflow[Any]) -> Iterator[Any]:
        """Drive a workflow and yield what it emits."""
        course = _Course(workflow)
        with closing(course):
            while (action := course.action()) is not None:
                if isinstance(action, Emit):
                    yield action.value
                try:
                    course.succeed(self._perform(action))
                except BaseException as error:  # noqa: BLE001 - the workflow decides what to do with it
                    course.fail(error)

    def _opened(self) -> tuple[Transport, threading.Semaphore]:
        """The transport and the gate before it, made on first use: loading an HTTP library takes its time."""
        with self._opening:
            if self._closed:
                raise RuntimeError(_CLOSED)
            if self._line is None:
                transport = blocking_transport(self._http)
                self._line = transport, threading.Semaphore(transport.connections)
            return self._line

    def _perform(self, action: Action) -> object:
        match action:
            case Request():
                return self._transmit(action)
            case Permitted(request, permit):
                return self._transmit(request, permit)
            case Sleep(seconds):
                time.sleep(seconds)
            case Blocking(function):
                return function()
            case Gather(workflows, limit):
                return self._gather(workflows, limit)
            case Crew(supply, limit):
                self._attend(supply, limit)
            case Emit():
                pass  # whoever iterates has taken its value
            case _:
                raise _foreign(action)
        return None

    def _transmit(self, request: Request, permit: Permit | None = None) -> Response:
        transport, gate = self._line or self._opened()
        with gate:
            return transport.send(request, permit)

    def _gather(self, workflows: Sequence[Workflow[Any]], limit: int) -> list[Any]:
        from concurrent.futures import ThreadPoolExecutor

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
        from concurrent.futures import Future, ThreadPoolExecutor

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
        http: An `httpx.AsyncClient` of yours, or one that behaves like it, which is not closed; or the name of a
            library (`aiohttp`).
    """

    def __init__(self, http: AsyncHttp = None) -> None:
        check_http(http, "aiohttp")
        self._http: AsyncHttp = http
        self._line: tuple[AsyncTransport, anyio.Semaphore] | None = None
        self._closed = False

    async def close(self) -> None:
        """Close the connections; twice is once."""
        self._closed, line, self._line = True, self._line, None
        if line is not None:
            await line[0].close()

    async def run(self, workflow: Workflow[T]) -> T:
        """Drive a workflow to its end and return its result."""
        course = _Course(workflow)
        with closing(course):
            while (action := course.action()) is not None:
                try:
                    course.succeed(await self._perform(action))
                except BaseException as error:  # noqa: BLE001 - the workflow decides what to do with it
                    course.fail(error)
        return course.result

    async def iterate(self, workflow: Workflow[Any]) -> AsyncGenerator[Any, None]:
        """Drive a workflow and yield what it emits."""
        course = _Course(workflow)
        with closing(course):
            while (action := course.action()) is not None:
                if isinstance(action, Emit):
                    yield action.value
                try:
                    course.succeed(await self._perform(action))
                except BaseException as error:  # noqa: BLE001 - the workflow decides what to do with it
                    course.fail(error)

    def _opened(self) -> tuple[AsyncTransport, anyio.Semaphore]:
        """The transport and the gate before it, made on first use: only then is it known which event loop runs."""
        if self._closed:
            raise RuntimeError(_CLOSED)
        transport = async_transport(self._http)
        self._line = transport, anyio.Semaphore(transport.connections, fast_acquire=True)
        return self._line

    async def _perform(self, action: Action) -> object:
        match action:
            case Request():
                return await self._transmit(action)
            case Permitted(request, permit):
                return await self._transmit(request, permit)
            case Sleep(seconds):
                await anyio.sleep(seconds)
            case Blocking(function):
                return await anyio.to_thread.run_sync(function)
            case Gather(workflows, limit):
                return await self._gather(workflows, limit)
            case Crew(supply, limit):
                await self._attend(supply, limit)
            case Emit():
                pass  # whoever iterates has taken its value
            case _:
                raise _foreign(action)
        return None

    async def _transmit(self, request: Request, permit: Permit | None = None) -> Response:
        transport, gate = self._line or self._opened()
        async with gate:
            return await transport.send(request, permit)

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


def _foreign(action: object) -> PluginError:
    return PluginError(f"a flow yielded {action!r}; it may only yield Request")


def _leaf(error: BaseException) -> BaseException:
    """The first real error inside nested groups."""
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return error
