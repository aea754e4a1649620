"""A file of TOML, and on which line each of its values stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from unified_train.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


@dataclass(frozen=True)
class TomlFile:
    """A file that was read.

    Attributes:
        path: Absolute.
        text: What was in it.
        values: The same, parsed.
    """

    path: Path
    text: str = field(repr=False)
    values: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def read(cls, path: Path) -> TomlFile:
        """Read and parse a file.

        Raises:
            ConfigurationError: It can't be read, is not UTF-8, or no TOML; names the line.
        """
        import tomllib  # as long in coming as all else here, and most have no file

        try:
            data = path.read_bytes()
        except IsADirectoryError:
            raise ConfigurationError(f"{path} is a folder; a configuration file is expected there") from None
        except OSError as error:
            raise ConfigurationError(f"{path}: can't be read ({error.strerror}); correct or remove it") from None
        try:
            text = data.decode("utf-8-sig").replace("\r\n", "\n")
            return cls(path, text, tomllib.loads(text))
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise ConfigurationError(f"{path}:{line}: is not UTF-8; save it in that encoding") from None
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise ConfigurationError(f"{path}: is no TOML: {str(error) or 'too deep'}") from None

    def line(self, key: tuple[str, ...]) -> int | None:
        """Line on which the value of a key begins, or the header of the table; None if it isn't there."""
        return self._lines.get(key)

    def place(self, key: tuple[str, ...]) -> str:
        """File and line of a key, as editors understand them."""
        line = self.line(key)
        return f"{self.path}:{line}" if line else str(self.path)

    @cached_property
    def _lines(self) -> Mapping[tuple[str, ...], int]:
        """What each line adds, found by parsing one line more each time: the parser tells no places itself."""
        import tomllib

        found: dict[tuple[str, ...], int] = {}
        lines = self.text.split("\n")
        begun = 1
        for end in range(1, len(lines) + 1):
            try:
                values = tomllib.loads("\n".join(lines[:end]))
            except tomllib.TOMLDecodeError:
                continue  # in the midst of a value of several lines
            for key in _keys(values):
                found.setdefault(key, begun)
            begun = end + 1
        return found


def _keys(values: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, value in values.items():
        yield (*above, name)
        if isinstance(value, dict):
            yield from _keys(value, (*above, name))
