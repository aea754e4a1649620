"""Who takes part: ours, raw HTTP clients, the vendors' SDKs; each imports what it needs only when it is opened."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata, version
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from benchmarks.performance.cases import Case


class Operation(Protocol):
    """A client that is ready to do one thing again and again."""

    def __call__(self, number: int = 0) -> Any:
        """Do it once and read the answer; an awaitable if the contender is asynchronous.

        Args:
            number: Of the job, where there are many.
        """
        ...

    def close(self) -> Any:
        """Close the connections; an awaitable if the contender is asynchronous."""
        ...


@dataclass(frozen=True)
class Contender:
    """One that is measured.

    Attributes:
        name: In tables.
        packages: Distributions that it needs besides ours.
        opened: Makes the operation from a case, the server's URL and the number of jobs.
        asynchronous: Whether the operation is awaited.
        cases: Names of those that it can do; all if None.
        extra: Of `unified-train`, that must be there.
    """

    name: str
    packages: tuple[str, ...]
    opened: Callable[[Case, str, int], Operation]
    asynchronous: bool = False
    cases: frozenset[str] | None = None
    extra: str | None = None

    @property
    def missing(self) -> str | None:
        """What must be installed before it can take part."""
        for package in self.packages:
            try:
                version(package)
            except PackageNotFoundError:
                return package
        extras = metadata("unified-train").get_all("Provides-Extra") or []
        return f"unified-train[{self.extra}]" if self.extra and self.extra not in extras else None

    def does(self, case: str) -> bool:
        """Whether it takes part in a case."""
        return self.cases is None or case in self.cases


def everybody() -> dict[str, Contender]:
    """All contenders, by name, ours first; whether or not they are installed."""
    from benchmarks.performance.contenders import ours, raw, sdks

    return {one.name: one for one in (*ours.CONTENDERS, *raw.CONTENDERS, *sdks.CONTENDERS)}


def present(names: Iterable[str] | None = None) -> dict[str, Contender]:
    """Those that are installed, of the named ones or of all."""
    known = everybody()
    return {name: known[name] for name in (names or known) if known[name].missing is None}
