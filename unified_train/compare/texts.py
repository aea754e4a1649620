"""Numbers, durations and tables as people read them."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

UNKNOWN = "unknown"
NOTHING = "–"
"""For what there was not, which is not the same as what nobody knows."""
_MINUTE, _HOUR = 60, 3600
_PRECISE = 10
"""Seconds below which tenths matter."""


def number(value: float) -> str:
    """At most four decimals and no exponent: `1,250`, `0.035`."""
    return f"{value:,.4f}".rstrip("0").rstrip(".")


def duration(seconds: float | None) -> str:
    """Such as `0 s`, `3.2 s`, `42 s`, `12 min 5 s`, `1 h 12 min`, or `unknown`."""
    if seconds is None:
        return UNKNOWN
    whole = round(seconds)
    if 0 < seconds < _PRECISE - 0.05:
        return f"{seconds:.1f} s"
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        minutes, rest = divmod(whole, _MINUTE)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(round(whole / _MINUTE), _MINUTE)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def shortened(text: str, length: int) -> str:
    """The text in one line of at most `length` characters."""
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 1].rstrip()}…"


def counted(count: int, noun: str) -> str:
    """Such as `1 vote`, `2 votes`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as lines with columns of equal width; the first row is the heading."""
    widths = [max(columns(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = ["  ".join(_padded(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "  ".join("─" * width for width in widths), *lines[1:]])


def stacked(rows: Sequence[Sequence[str]]) -> str:
    """The same rows where there is less room: the first cell of each as a title, the others below it by heading."""
    heads, *bodies = rows
    width = max(columns(head) for head in heads[1:])
    return "\n\n".join(
        "\n".join([title, *(f"  {_padded(head, width)}  {cell}" for head, cell in zip(heads[1:], cells, strict=True))])
        for title, *cells in bodies
    )


def _padded(cell: str, width: int) -> str:
    return cell + " " * (width - columns(cell))


def columns(cell: str) -> int:
    """How many columns of a terminal a text takes: East Asian characters take two, combining marks none."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in cell)
    return len(cell) + wide - sum(bool(unicodedata.combining(letter)) for letter in cell)
