"""The two kinds of generator that make up the library, and what each may ask for."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from unified_train.http import Request, Response

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Gather(Generic[T]):
    """Run workflows side by side, at most `limit` at once, and give their results in order.

    The first error ends the rest.
    """

    workflows: Sequence[Workflow[T]]
    limit: int


@dataclass(frozen=True, slots=True)
class Emit:
    """Hand a value to whoever iterates over the workflow."""

    value: Any


Action: TypeAlias = "Request | Sleep | Gather[Any] | Emit"

Flow: TypeAlias = Generator[Request, Response, T]
"""What a plugin writes: yield a `Request`, receive its `Response`, return a value; the contract of `httpx.Auth`."""

Workflow: TypeAlias = Generator[Action, Any, T]
"""What the core writes: it may also sleep, run workflows side by side and emit values."""


def transmit(request: Request) -> Workflow[Response]:
    """Send a request and return its answer, whatever its status."""
    response: Response = yield request
    return response


def sleep(seconds: float) -> Workflow[None]:
    """Wait."""
    if seconds > 0:
        yield Sleep(seconds)


def gather(workflows: Sequence[Workflow[T]], *, limit: int) -> Workflow[list[T]]:
    """Run workflows side by side and return their results in order."""
    results: list[T] = yield Gather(workflows, max(1, min(limit, len(workflows))))
    return results


def emit(value: object) -> Workflow[None]:
    """Hand a value to whoever iterates over this workflow."""
    yield Emit(value)
