"""The numbers of a long run as Markdown, and their place in a document."""

from __future__ import annotations

import platform
import re
import sqlite3
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.chaos.control import Control
    from benchmarks.chaos.verdict import Verdict

_COLUMNS = (
    "vendor",
    "rounds",
    "kills",
    "stops",
    "trainings accepted / asked",
    "generations accepted / needed",
    "doubles",
    "orphans",
    "pictures whole / on disk / expected",
    "lost answers adopted",
    "unknown, settled by hand",
)


def table(verdicts: Mapping[str, Verdict]) -> str:
    """A row for each vendor, and one for all."""
    rows = [[vendor, *_cells(verdict)] for vendor, verdict in verdicts.items()]
    lines = [_COLUMNS, ["---"] * len(_COLUMNS), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cells(verdict: Verdict) -> list[str]:
    return [
        f"{verdict.rounds:,}",
        f"{verdict.kills:,}",
        f"{verdict.stops:,}",
        f"{verdict.trainings:,} / {verdict.asked:,}",
        f"{verdict.generations:,} / {verdict.calls:,}",
        f"{verdict.doubles:,}",
        f"{verdict.orphans:,}",
        f"{verdict.whole:,} / {verdict.on_disk:,} / {verdict.expected:,}",
        f"{verdict.adopted:,}",
        f"{verdict.unknown:,}",
    ]


def control_table(controls: Sequence[Control]) -> str:
    """A row for each counter-test."""
    lines = [("taken away", "vendor", "trainings accepted", "what the job's notes say"), ["---"] * 4]
    rows = [(one.what, one.vendor, str(one.accepted), _shortened("; ".join(one.told)) or "nothing") for one in controls]
    return "\n".join(f"| {' | '.join(line)} |" for line in [*lines, *rows])


def _shortened(text: str) -> str:
    """Without the ids, which are others each time."""
    return re.sub(r"(\w+:training:)\S+", r"\1…", text)


def versions() -> str:
    """What it ran on."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("unified-train", "httpx", "pydantic"))
    system = f"{platform.system()} {platform.machine()}"
    return f"{system}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {packages}"
