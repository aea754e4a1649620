"""Long workflows side by side, in one thread: what they wait for is waited for together.

The engine's own gathering gives each workflow to a thread or task until it has ended. That is right for what takes
seconds. Of what takes hours it would keep a program that is interrupted waiting for threads that nothing stops, and
call the caller's functions from all of them. Here the workflows take turns in whoever drives them: only single
requests and disk accesses are done at once, and the time between them is slept through in one place. The price: while
one of these takes long, the others' next ones wait for it.

Whatever ends them all, an answer that has come is still written down: it may be to something that was paid for.
"""

from __future__ import annotations

import time
from collections import deque
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from unified_train.flow import Blocking, Crew, Emit, Gather, Sleep, in_turn, sleep

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from unified_train.flow import Action, Workflow

T = TypeVar("T")


def interleaved(workflows: Sequence[Workflow[T]], *, limit: int) -> Workflow[list[T]]:
    """Run long workflows side by side, at most `limit` at once, and return their results in order.

    The first error ends the rest, wherever they stand; but what they have been answered is written down first. What
    they emit is dropped.
    """
    return (yield from _Crowd(workflows, limit, None).run())


class _Ended(BaseException):
    """Ends a workflow whose parts were ended."""


class _Steps(Gather[Any]):
    """Single steps of several workflows, to be done at once by the engine."""


class _Strand(Generic[T]):
    """One workflow on its way.

    Attributes:
        over: Whether it has ended, or was ended.
        done: Whether it has a result.
        due: From when on it can go on, by the monotonic clock.
        told: What came of what it asked for last: the result, or an error; None before that is known.
    """

    result: T

    def __init__(self, workflow: Workflow[T], crowd: _Crowd[T]) -> None:
        self.over = False
        self.done = False
        self.due = 0.0
        self.told: tuple[object, Exception | None] | None = None
        self._crowd = crowd
        self._flat = _flattened(workflow, crowd)
        self._action: Action | None = None

    def begin(self) -> None:
        """Let it come to its first step."""
        self._go_on(partial(next, self._flat))

    @property
    def writes(self) -> bool:
        """Whether it asks for nothing but the disk; parts of it are asked themselves."""
        return isinstance(self._action, Blocking | _Steps)

    def step(self) -> Workflow[None]:
        """Do what it asks for."""
        if self._crowd.ending and not self.writes:
            return
        try:
            self.told = (yield self._action) if self._action else None, None
        except Exception as error:  # noqa: BLE001 - the workflow decides what to do with it
            self.told = None, error

    def take(self) -> None:
        """Let it go on with what it was told, if it was."""
        if self.told is not None:
            (value, error), self.told = self.told, None
            self._go_on(partial(self._flat.throw, error) if error else partial(self._flat.send, value))

    def close(self) -> None:
        """End it where it stands."""
        self._flat.close()

    def _go_on(self, step: Callable[[], Action]) -> None:
        self.due, self._action = 0.0, None
        try:
            action = step()
        except StopIteration as stop:
            self.result, self.done, self.over = stop.value, True, True
            return
        except BaseException:
            self.over = True
            raise
        if isinstance(action, Sleep):
            self.due = time.monotonic() + action.seconds
        else:
            self._action = action


class _Crowd(Generic[T]):
    """Workflows that take turns.

    Args:
        workflows: Not begun yet.
        limit: How many may run at once.
        outer: That one of which gathers these.
    """

    def __init__(self, workflows: Sequence[Workflow[T]], limit: int, outer: _Crowd[Any] | None) -> None:
        self._strands = [_Strand(workflow, self) for workflow in workflows]
        self._waiting = deque(self._strands)
        self._running: list[_Strand[T]] = []
        self._limit = limit
        self._outer = outer
        self._ending = False

    @property
    def ending(self) -> bool:
        """Whether all is to end, here or further out."""
        return self._ending or (self._outer is not None and self._outer.ending)

    def run(self) -> Workflow[list[T]]:
        """Their results, in order."""
        try:
            while (self._waiting or self._running) and not self.ending:
                while self._waiting and len(self._running) < self._limit:
                    self._running.append(self._waiting.popleft())
                    self._running[-1].begin()
                yield from self._advance()
            if self.ending:
                yield from self._write_down()
        except GeneratorExit:
            raise
        except BaseException:
            self._ending = True
            yield from self._write_down()
            raise
        finally:
            for strand in self._strands:
                strand.close()
        if not all(strand.done for strand in self._strands):
            raise _Ended
        return [strand.result for strand in self._strands]

    def _advance(self) -> Workflow[None]:
        """Do one step of each that can go on now; if none can, sleep until one can."""
        now = time.monotonic()
        going = [strand for strand in self._running if not strand.over]
        due = [strand for strand in going if strand.due <= now]
        if due:
            yield from _done_at_once(due)
            for strand in due:
                strand.take()
        elif going:
            yield from sleep(min(strand.due for strand in going) - now)
        self._running = [strand for strand in self._running if not strand.over]

    def _write_down(self) -> Workflow[None]:
        """Let those that were told something go on for as long as they do nothing but write."""
        writing = [strand for strand in self._running if strand.told is not None or strand.writes]
        while writing:
            for strand in writing:
                with suppress(BaseException):  # something has ended all of them already, and that is told
                    strand.take()
            self._running = [strand for strand in self._running if not strand.over]
            writing = [strand for strand in writing if strand.writes and not strand.over]
            yield from _done_at_once(writing)
            writing = [strand for strand in writing if strand.told is not None]


def _done_at_once(strands: Sequence[_Strand[Any]]) -> Workflow[None]:
    """Do a step of each; by the engine's gathering even if it is one, which an interruption lets come to its end."""
    if strands:
        yield _Steps([strand.step() for strand in strands], len(strands))


def _flattened(workflow: Workflow[T], crowd: _Crowd[Any]) -> Workflow[T]:
    """The workflow, but what it gathers takes turns as well, and what it emits is dropped."""
    step: Callable[[], Action] = partial(next, workflow)
    try:
        while True:
            try:
                action = step()
            except StopIteration as stop:
                result: T = stop.value
                return result
            try:
                value = yield from _carried_out(action, crowd)
            except Exception as error:  # noqa: BLE001 - the workflow decides what to do with it
                step = partial(workflow.throw, error)
            else:
                step = partial(workflow.send, value)
    finally:
        workflow.close()


def _carried_out(action: Action, crowd: _Crowd[Any]) -> Workflow[Any]:
    if isinstance(action, Emit):
        return None
    if isinstance(action, Gather) and not isinstance(action, _Steps):
        return (yield from _Crowd(action.workflows, action.limit, crowd).run())
    if isinstance(action, Crew):  # no workflow here waits for several jobs; if one did, it would take its turns
        return (yield from _flattened(in_turn(action.supply), crowd))
    return (yield action)
