"""Small pictures as SVG, written by hand; they follow the reader's light or dark scheme."""

from __future__ import annotations

import math
from html import escape
from itertools import cycle
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_WIDTH = 760
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#24292f}.title{font-weight:600}.faint{fill:#57606a}"
    ".theirs{fill:#8c959f}.ours{fill:#1a7f5a}.grid{stroke:#d0d7de}.paper{fill:#fff}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.faint{fill:#9198a1}"
    ".theirs{fill:#6e7681}.ours{fill:#3fb98a}.grid{stroke:#3d444d}.paper{fill:#0d1117}}"
)
_COLOURS = (
    "#1a9c6b",
    "#12a3b8",
    "#3b82d6",
    "#8c6bd8",
    "#d2691e",
    "#d0559f",
    "#9a8318",
    "#7c8794",
    "#e0484f",
    "#5b9f2f",
)
"""Of lines, in the middle between light and dark, so that they can be read on both."""


def _svg(height: float, title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:.0f}" width="{_WIDTH}"'
        f' height="{height:.0f}" role="img" aria-label="{escape(title)}"><style>{_STYLE}</style>'
        '<rect class="paper" width="100%" height="100%" rx="6"/>'
        f'<text class="title" x="16" y="26">{escape(title)}</text>'
        f"{''.join(parts)}</svg>\n"
    )


def bars(title: str, rows: Sequence[tuple[str, float, bool]]) -> str:
    """A bar for each contender, the least first.

    Args:
        title: Above.
        rows: Names, values, and whether they are ours.
    """
    rows = sorted(rows, key=lambda row: row[1])
    left, right, top, step = 190, 90, 44, 24
    scale = (_WIDTH - left - right) / max(value for _, value, _ in rows)
    parts = []
    for index, (name, value, ours) in enumerate(rows):
        y = top + index * step
        kind, width = ("ours" if ours else "theirs"), max(1.0, value * scale)
        parts.append(
            f'<text x="{left - 10}" y="{y + 14}" text-anchor="end">{escape(name)}</text>'
            f'<rect class="{kind}" x="{left}" y="{y}" width="{width:.1f}" height="18" rx="2"/>'
            f'<text class="faint" x="{left + width + 6:.1f}" y="{y + 14}">{_short(value)}</text>'
        )
    return _svg(top + len(rows) * step + 12, title, parts)


def lines(title: str, series: Mapping[str, Mapping[float, float]]) -> str:
    """A line for each contender, both axes logarithmic; their names are at the right, where they end.

    Args:
        title: Above; names both axes.
        series: Values by position, by name.
    """
    left, right, top, height = 60, 190, 48, 300
    xs = sorted({x for values in series.values() for x in values})
    ys = [y for values in series.values() for y in values.values() if y > 0]
    low, high = 10 ** math.floor(math.log10(min(ys))), 10 ** math.ceil(math.log10(max(ys)))

    def at(x: float, y: float) -> tuple[float, float]:
        across = math.log(x / xs[0]) / math.log(xs[-1] / xs[0])
        up = math.log(max(y, low) / low) / math.log(high / low)
        return left + across * (_WIDTH - left - right), top + (1 - up) * height

    parts = []
    for power in range(round(math.log10(low)), round(math.log10(high)) + 1):
        _, y = at(xs[0], 10**power)
        parts.append(
            f'<line class="grid" x1="{left}" y1="{y:.1f}" x2="{_WIDTH - right}" y2="{y:.1f}"/>'
            f'<text class="faint" x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{_short(10**power)}</text>'
        )
    parts += [
        f'<text class="faint" x="{at(x, low)[0]:.1f}" y="{top + height + 20}" text-anchor="middle">{_short(x)}</text>'
        for x in xs
    ]
    places = _apart({name: at(max(values), values[max(values)])[1] for name, values in series.items()}, top + height)
    for (name, values), colour in zip(series.items(), cycle(_COLOURS), strict=False):
        points = [at(x, y) for x, y in sorted(values.items())]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        width = 3 if name.startswith("ours") else 1.5
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="{width}"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
        parts.append(
            f'<text x="{_WIDTH - right + 14}" y="{places[name] + 4:.1f}" style="fill:{colour}">{escape(name)}</text>'
        )
    return _svg(top + height + 36, title, parts)


def _apart(wanted: Mapping[str, float], bottom: float, step: float = 17) -> dict[str, float]:
    """Heights of names, each as near as can be to where its line ends, without one over another."""
    placed: dict[str, float] = {}
    last = -math.inf
    for name, y in sorted(wanted.items(), key=lambda one: one[1]):
        last = placed[name] = max(y, last + step)
    over = max(0.0, last - bottom)
    return {name: y - over for name, y in placed.items()}


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"  # noqa: PLR2004 - whole numbers from there on
