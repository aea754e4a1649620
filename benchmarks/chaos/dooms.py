"""Transports and a journal that end their process, or put it to sleep, at a given point: for a worker's inside."""

from __future__ import annotations

import signal
import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING, TypeVar, cast

import httpx

from benchmarks.chaos.orders import TAG, Point
from unified_train import Journal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from contextlib import AbstractContextManager

    from benchmarks.chaos.orders import Doom, Moment
    from unified_train.intents import Intent, State
    from unified_train.models import Job

T = TypeVar("T")


class Course:
    """All points that a worker comes by, and the one that is its last.

    Args:
        doom: Where it ends; None for nowhere.

    Attributes:
        points: Come by so far.
        quiet: Held when it falls asleep, so that no other thread of its sleeps in the middle of a write.
    """

    def __init__(self, doom: Doom | None) -> None:
        self.points: list[Point] = []
        self.quiet: AbstractContextManager[object] = nullcontext()
        self._doom = doom
        self._lock = threading.Lock()

    def pass_by(self, what: str) -> int:
        """Note a point and return its number; a request after the entry that announces it creates or bills."""
        with self._lock:
            announced = bool(self.points) and self.points[-1].what.startswith("sent ")
            entry = "/" not in what
            self.points.append(Point(what=what, kind="entry" if entry else "paid" if announced else "read"))
            return len(self.points)

    def name(self, number: int, what: str) -> None:
        """Say more of an entry, now that it is known."""
        with self._lock:
            self.points[number - 1] = Point(what=what, kind="entry")

    def tag(self, number: int) -> str:
        """What to mark a request with, if somebody will look for it."""
        return self._doom.tag if self._doom is not None and self._doom.at == number else ""

    def meet(self, number: int, moment: Moment) -> None:
        """End or fall asleep, if this is the point and the moment for it."""
        doom = self._doom
        if doom is None or (doom.at, doom.moment) != (number, moment):
            return
        # In the middle of a request it falls asleep in any case: whoever waits for that looks at the vendor, and kills.
        stopped = doom.act == "stop" or moment == "between"
        with self.quiet if stopped else nullcontext():
            # To this very thread: of a process with several the one that calls might go on for a moment.
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP if stopped else signal.SIGKILL)


class DoomedTransport(httpx.BaseTransport):
    """Requests of a blocking client.

    Args:
        inner: What sends them.
        course: Where they are counted.
    """

    def __init__(self, inner: httpx.BaseTransport, course: Course) -> None:
        self._inner = inner
        self._course = course

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request, unless it is the last."""
        number = _begun(self._course, request)
        request.stream = _Sent(cast("httpx.SyncByteStream", request.stream), self._course, number, "between")
        answer = self._inner.handle_request(request)
        answer.stream = _Sent(cast("httpx.SyncByteStream", answer.stream), self._course, number, "after")
        return answer

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()


class AsyncDoomedTransport(httpx.AsyncBaseTransport):
    """The same for a client to await."""

    def __init__(self, inner: httpx.AsyncBaseTransport, course: Course) -> None:
        self._inner = inner
        self._course = course

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request, unless it is the last."""
        number = _begun(self._course, request)
        request.stream = _AsyncSent(cast("httpx.AsyncByteStream", request.stream), self._course, number, "between")
        answer = await self._inner.handle_async_request(request)
        answer.stream = _AsyncSent(cast("httpx.AsyncByteStream", answer.stream), self._course, number, "after")
        return answer

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


class _Sent(httpx.SyncByteStream):
    """A body, after the last byte of which a moment has come."""

    def __init__(self, inner: httpx.SyncByteStream, course: Course, number: int, moment: Moment) -> None:
        self._inner = inner
        self._meet: Callable[[], None] = lambda: course.meet(number, moment)

    def __iter__(self) -> Iterator[bytes]:
        yield from self._inner
        self._meet()

    def close(self) -> None:
        self._inner.close()


class _AsyncSent(httpx.AsyncByteStream):
    def __init__(self, inner: httpx.AsyncByteStream, course: Course, number: int, moment: Moment) -> None:
        self._inner = inner
        self._meet: Callable[[], None] = lambda: course.meet(number, moment)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._inner:
            yield chunk
        self._meet()

    async def aclose(self) -> None:
        await self._inner.aclose()


def _begun(course: Course, request: httpx.Request) -> int:
    number = course.pass_by(f"{request.method} {request.url.path}")
    course.meet(number, "before")
    tag = course.tag(number)
    if tag:
        request.headers[TAG] = tag
    return number


class DoomedJournal(Journal):
    """A journal whose entries are points, too."""

    course = Course(None)

    def follow(self, course: Course) -> None:
        """Count entries among the points of a course."""
        self.course = course
        course.quiet = self._lock

    def begin(self, intent: Intent, owner: str) -> tuple[Intent, bool]:
        """See `Journal.begin`."""
        return self._entered("begin", lambda: super(DoomedJournal, self).begin(intent, owner))

    def take(self, key: str, owner: str) -> tuple[Intent, bool]:
        """See `Journal.take`."""
        return self._entered("take", lambda: super(DoomedJournal, self).take(key, owner))

    def change(self, key: str, owner: str, edit: Callable[[Intent], Intent]) -> tuple[Intent, float]:
        """See `Journal.change`."""

        def told(intent: Intent) -> Intent:
            changed = edit(intent)
            self.course.name(number, _difference(intent, changed))
            return changed

        number = self.course.pass_by("change")
        return self._met(number, lambda: super(DoomedJournal, self).change(key, owner, told))

    def claim(self, reference: str, key: str, part: int) -> bool:
        """See `Journal.claim`."""
        return self._entered("claim", lambda: super(DoomedJournal, self).claim(reference, key, part))

    def settle(self, key: str, owner: str, state: State, *, job: Job | None = None, error: str | None = None) -> None:
        """See `Journal.settle`."""
        self._entered("settle", lambda: super(DoomedJournal, self).settle(key, owner, state, job=job, error=error))

    def update(self, job: Job) -> None:
        """See `Journal.update`."""
        self._entered("update", lambda: super(DoomedJournal, self).update(job))

    def _entered(self, what: str, enter: Callable[[], T]) -> T:
        return self._met(self.course.pass_by(what), enter)

    def _met(self, number: int, enter: Callable[[], T]) -> T:
        self.course.meet(number, "before")
        result = enter()
        self.course.meet(number, "after")
        return result


def _difference(before: Intent, after: Intent) -> str:
    """What an entry is about, such as `sent training.start`."""
    changed = next((step for step in after.steps if step not in before.steps), None)
    return f"{changed.state} {changed.operation}" if changed else "change"
