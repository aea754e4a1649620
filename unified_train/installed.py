"""What is installed beside us: entry points, read once, since that opens a file of every distribution there is."""

from __future__ import annotations

import sys
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

_State = tuple[int, int] | None


def entry_points(group: str) -> tuple[EntryPoint, ...]:
    """The entry points of a group, those included that were installed while we run."""
    return _read(group, tuple((place, _state(place)) for place in sys.path))


@lru_cache(maxsize=8)
def _read(group: str, _places: tuple[tuple[str, _State], ...]) -> tuple[EntryPoint, ...]:
    """Read them; the places are what the answer depends on."""
    return tuple(metadata.entry_points(group=group))


def _state(place: str) -> _State:
    """Another one once a distribution came to this place or went from it."""
    try:
        found = Path(place).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns
