"""The two kinds of generator that make up the library, and what each may ask for."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, Generic, NamedTuple, Protocol, TypeAlias, TypeVar

from unified_train.http import Request, Response

T = TypeVar("T")


class Sleep(NamedTuple):
    """Wait so many seconds."""

    seconds: float


class Gather(NamedTuple, Generic[T]):
    """Run workflows side by side, at most `limit` at once, and give their results in order.

    The first error ends the rest.
    """

    workflows: Sequence[Workflow[T]]
    limit: int


class Supply(Protocol):
    """Work that comes up over time. All its methods are called by whoever drives the workflow, never at once."""

    def next(self) -> Workflow[Any] | float | None:
        """A workflow to begin now; or seconds until there may be one; or None if there is none as things stand.

        It is asked again whenever a workflow has ended. None while nothing is under way is the end.
        """
        ...

    def ended(self, result: Any) -> None:
        """Called with the result of each workflow; an error of one is raised, and ends the others."""
        ...


class Crew(NamedTuple):
    """Do what a supply has to do, at most `limit` at once; nothing that takes long holds up what comes next."""

    supply: Supply
    limit: int


class Emit(NamedTuple):
    """Hand a value to whoever iterates over the workflow."""

    value: Any


class Blocking(NamedTuple, Generic[T]):
    """Call a function that waits for a disk or a name server, out of the way of an event loop."""

    function: Callable[[], T]


class Permit(Protocol):
    """The right to send one request once, asked for as late as possible."""

    def take(self) -> None:
        """Called when all is ready and nothing is left but to send; may block, and raises if the right is gone."""
        ...

    def check(self) -> None:
        """Called after connecting, before the body leaves; quick, and raises if the right has meanwhile run out."""
        ...


class Permitted(NamedTuple):
    """Send a request, if at the very last moment its permit still allows it."""

    request: Request
    permit: Permit


Action: TypeAlias = "Request | Permitted | Sleep | Blocking[Any] | Gather[Any] | Crew | Emit"

Flow: TypeAlias = Generator[Request, Response, T]
"""What a plugin writes: yield a `Request`, receive its `Response`, return a value; the contract of `httpx.Auth`."""

Workflow: TypeAlias = Generator[Action, Any, T]
"""What the core writes: it may also sleep, wait for the disk, run workflows side by side and emit values."""


def transmit(request: Request, permit: Permit | None = None) -> Workflow[Response]:
    """Send a request and return its answer, whatever its status."""
    response: Response = yield request if permit is None else Permitted(request, permit)
    return response


def sleep(seconds: float) -> Workflow[None]:
    """Wait."""
    if seconds > 0:
        yield Sleep(seconds)


def blocking(function: Callable[[], T]) -> Workflow[T]:
    """Call a function that waits for something, and return its result."""
    result: T = yield Blocking(function)
    return result


def gather(workflows: Sequence[Workflow[T]], *, limit: int) -> Workflow[list[T]]:
    """Run workflows side by side and return their results in order."""
    results: list[T] = yield Gather(workflows, max(1, min(limit, len(workflows))))
    return results


def supplied(supply: Supply, *, limit: int) -> Workflow[None]:
    """Do what a supply has to do; one after the other needs neither threads nor tasks."""
    if limit > 1:
        yield Crew(supply, limit)
    else:
        yield from in_turn(supply)


def in_turn(supply: Supply) -> Workflow[None]:
    """Do what a supply has to do, one after the other."""
    while (item := supply.next()) is not None:
        if isinstance(item, int | float):
            yield from sleep(item)
        else:
            supply.ended((yield from item))


def emit(value: object) -> Workflow[None]:
    """Hand a value to whoever iterates over this workflow."""
    yield Emit(value)
