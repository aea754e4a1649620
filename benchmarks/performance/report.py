"""What was measured as Markdown and pictures, and their places in the document."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.performance.cases import Case

_PACKAGES = (
    "unified-train",
    "httpx",
    "pydantic",
    "tenacity",
    "pluggy",
    "click",
    "httpx2",
    "aiohttp",
    "urllib3",
    "requests",
    "scenario-sdk",
    "alibabacloud_aicontent20240611",
    "novita-client",
)


@dataclass(frozen=True)
class Stage:
    """What all topics are given.

    Attributes:
        cases: What the vendors answer, by name.
        quick: Whether fewer repetitions will do, to see that all works.
    """

    cases: dict[str, Case]
    quick: bool


@dataclass(frozen=True)
class Goal:
    """A figure that is to be reached.

    Attributes:
        what: In words.
        measured: The figure.
        bound: What it must not exceed, or must reach if `least`.
        least: Whether more is better.
        unit: Of both.
    """

    what: str
    measured: float
    bound: float
    unit: str = ""
    least: bool = False

    @property
    def reached(self) -> bool:
        """Whether it was reached."""
        return self.measured >= self.bound if self.least else self.measured <= self.bound

    def cells(self) -> list[str]:
        """A row of the table."""
        sign = "≥" if self.least else "≤"
        told = "reached" if self.reached else "**not reached**"
        return [self.what, f"{sign} {number(self.bound)}{self.unit}", f"{number(self.measured)}{self.unit}", told]


@dataclass
class Section:
    """One topic of the document.

    Attributes:
        name: Of its place in the document, and of its pictures.
        method: How it was measured, in a sentence or two.
        tables: Rows of cells, the first being the heads.
        goals: What was to be reached.
        pictures: Their text as SVG, by name.
        failures: What could not be measured, and why.
    """

    name: str
    method: str
    tables: list[list[list[str]]] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)
    pictures: dict[str, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def file(self, picture: str) -> str:
        """Name of a picture's file."""
        return f"{self.name}-{re.sub('[^a-z0-9]+', '-', picture)}.svg"

    def text(self, folder: str) -> str:
        """As Markdown; pictures are in a folder."""
        parts = [self.method]
        if self.goals:
            parts.append(table([["goal", "bound", "measured", ""], *(goal.cells() for goal in self.goals)]))
        parts += [f"![{name}]({folder}/{self.file(name)})" for name in self.pictures]
        parts += [table(rows) for rows in self.tables]
        if self.failures:
            parts.append("Could not be measured:\n\n" + "\n".join(f"- {failure}" for failure in self.failures))
        return "\n\n".join(parts)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows as Markdown, the first being the heads; all columns but the first are numbers as a rule."""
    head, *body = rows
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: float) -> str:
    """With three digits that say something, and no more than needed."""
    if value == round(value) or abs(value) >= 100:  # noqa: PLR2004 - whole numbers from there on
        return f"{value:,.0f}"
    return f"{value:.3g}"


def ratio(value: float, base: float) -> str:
    """How many times the base a value is."""
    return f"{value / base:.2f} ×" if base else "–"


def versions() -> str:
    """Machine, system, contenders and date."""
    found = []
    for package in _PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} not installed")
    system = f"{platform.system()} {platform.release()}, {platform.machine()}"
    return "\n".join(
        [
            f"- Machine: {_processor()}, {os.cpu_count()} cores; {system}; Python {platform.python_version()}.",
            f"- Versions: {', '.join(found)}.",
            f"- Date: {datetime.now(UTC):%d %B %Y}.",
        ]
    )


def _processor() -> str:
    try:
        told = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        told = None
    return told[1] if told else platform.processor() or "unknown processor"
