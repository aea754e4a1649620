"""Looks against lag as a picture: an SVG by hand, for light and dark pages."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.polling.results import Result

_WIDTH, _HEIGHT = 820, 440
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 24, 56, 56
_LEAST, _MOST = 20.0, 80.0
"""Looks at the ends of the axis; who takes more is told of in a line below the title."""
_LARGEST = 1.8
"""Percent at the upper end."""
_CHARACTER, _BOLD, _LINE, _GAP = 6.3, 7.1, 15, 11
_STYLE = """
svg { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif }
text { fill: #1f2328 } .faint { fill: #59636e } .grid { stroke: #d1d9e0 } .lead { stroke: #8c959f }
.theirs { fill: #8c959f } .ours { fill: #0969da }
.front { stroke: #0969da; stroke-opacity: .45; fill: none; stroke-width: 2; stroke-dasharray: 5 4 }
text.mine { fill: #0550ae; font-weight: 600 } .title { font-size: 15px; font-weight: 600 }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc } .faint { fill: #9198a1 } .grid { stroke: #3d444d } .theirs { fill: #8b949e }
  .ours { fill: #58a6ff } .front { stroke: #58a6ff } text.mine { fill: #79c0ff }
}
"""

_Box = tuple[float, float, float, float]


def svg(results: Sequence[Result]) -> str:
    """The picture; what is below and left of all others is best."""
    shown = [result for result in results if result.looks <= _MOST]
    beyond = [result for result in results if result.looks > _MOST]
    parts = [_frame(beyond), _front(shown)]
    taken: list[_Box] = [_around(result) for result in shown]
    for result in sorted(shown, key=lambda one: (not _is_ours(one), one.looks)):
        parts.append(_point(result))
        parts.append(_label(result, taken))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img"'
        f' aria-label="Looks per training against the mean delay">\n<style>{_STYLE}</style>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _x(looks: float) -> float:
    return _LEFT + (looks - _LEAST) / (_MOST - _LEAST) * (_WIDTH - _LEFT - _RIGHT)


def _y(lag: float) -> float:
    return _HEIGHT - _BOTTOM - 100 * lag / _LARGEST * (_HEIGHT - _TOP - _BOTTOM)


def _frame(beyond: Sequence[Result]) -> str:
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    lines = [f'<text class="title" x="{_LEFT}" y="22">How often to look, and how late the end is seen</text>']
    told = "; ".join(f"{one.name.partition(' (')[0]} {one.looks:,.0f} looks" for one in beyond)
    if told:
        lines.append(f'<text class="faint" x="{_LEFT}" y="42">far to the right: {escape(told)}</text>')
    for looks in range(int(_LEAST), int(_MOST) + 1, 10):
        lines.append(f'<line class="grid" x1="{_x(looks):.1f}" y1="{_TOP}" x2="{_x(looks):.1f}" y2="{bottom}"/>')
        lines.append(f'<text class="faint" x="{_x(looks):.1f}" y="{bottom + 18}" text-anchor="middle">{looks}</text>')
    for tenths in range(0, int(10 * _LARGEST) + 1, 3):
        y = _y(tenths / 1000)
        lines.append(f'<line class="grid" x1="{_LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}"/>')
        label = f"{tenths / 10:.1f} %"
        lines.append(f'<text class="faint" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{label}</text>')
    middle = (_LEFT + right) / 2
    axis = "looks at one training (→) and delay as a share of how long it took (↑), on average"
    lines.append(f'<text class="faint" x="{middle}" y="{_HEIGHT - 14}" text-anchor="middle">{axis}</text>')
    return "\n".join(lines)


def _front(shown: Sequence[Result]) -> str:
    """Steps along those that no other beats in both."""
    best = [one for one in shown if not any(_beats(other, one) for other in shown)]
    best.sort(key=lambda one: one.looks)
    path = ""
    for before, one in zip([None, *best], best, strict=False):
        corner = f"L{_x(one.looks):.1f},{_y(before.lag):.1f} " if before else "M"
        path += f"{corner}{'L' if before else ''}{_x(one.looks):.1f},{_y(one.lag):.1f} "
    return f'<path class="front" d="{path.strip()}"/>' if best else ""


def _beats(one: Result, other: Result) -> bool:
    return one is not other and one.looks <= other.looks and one.lag <= other.lag


def _is_ours(result: Result) -> bool:
    return result.name.startswith("ours")


def _point(result: Result) -> str:
    kind = "ours" if _is_ours(result) else "theirs"
    return f'<circle class="{kind}" cx="{_x(result.looks):.1f}" cy="{_y(result.lag):.1f}" r="5"/>'


def _around(result: Result) -> _Box:
    x, y = _x(result.looks), _y(result.lag)
    return x - 6, y - 6, x + 6, y + 6


def _label(result: Result, taken: list[_Box]) -> str:
    """The name, at the first of some places beside the point where nothing else is."""
    x, y, width = _x(result.looks), _y(result.lag), len(result.name) * (_BOLD if _is_ours(result) else _CHARACTER)
    places = [
        (x + (_GAP if right else -_GAP - width), y + 4 + step * _LINE)
        for step in (0, -1, 1, -2, 2, -3, 3, -4, 4)
        for right in (True, False)
    ]
    left, base = next((place for place in places if _is_free(place, width, taken)), places[0])
    taken.append(_box(left, base, width))
    kind = ' class="mine"' if _is_ours(result) else ""
    name = f'<text{kind} x="{left:.1f}" y="{base:.1f}">{escape(result.name)}</text>'
    if abs(base - 4 - y) < _LINE:
        return name
    near = left - 3 if left > x else left + width + 3
    return f'<line class="lead" x1="{x:.1f}" y1="{y:.1f}" x2="{near:.1f}" y2="{base - 4:.1f}"/>{name}'


def _box(left: float, base: float, width: float) -> _Box:
    return left, base - 11, left + width, base + 3


def _is_free(place: tuple[float, float], width: float, taken: Sequence[_Box]) -> bool:
    left, top, right, bottom = _box(*place, width)
    inside = left >= _LEFT and right <= _WIDTH - _RIGHT and top >= _TOP and bottom <= _HEIGHT - _BOTTOM
    return inside and not any(
        left < other[2] and right > other[0] and top < other[3] and bottom > other[1] for other in taken
    )
