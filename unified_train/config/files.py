"""Configuration files: which there are, and what is in them."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unified_train.config.environment import CONFIG, HOME
from unified_train.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PROJECT_FILE = "unified-train.toml"
"""Looked for in the current folder and above it; the nearest one counts."""
USER_FILE = "config.toml"
"""In `UNIFIED_TRAIN_HOME`, or else in the user's configuration folder."""


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


@dataclass(frozen=True, slots=True)
class Places:
    """Where files are looked for.

    Attributes:
        user: Of the user; there or not.
        project: Of the project; None if there is none.
    """

    user: Path
    project: Path | None

    def read(self) -> list[TomlFile]:
        """The files that are there, the strongest first.

        Raises:
            ConfigurationError: One of them can't be used.
        """
        files = [TomlFile.read(self.project)] if self.project else []
        return [*files, TomlFile.read(self.user)] if os.path.lexists(self.user) else files


def places(environ: Mapping[str, str], cwd: str | os.PathLike[str] | None) -> Places:
    """Where the files are.

    Args:
        environ: Of the process.
        cwd: Folder to begin in; None for the current one.

    Raises:
        ConfigurationError: A file that was found belongs to somebody else.
    """
    return Places(_user_file(environ), _project_file(environ, cwd))


def _user_file(environ: Mapping[str, str]) -> Path:
    home = environ.get(HOME, "").strip()
    if not home:
        from platformdirs import user_config_dir

        home = user_config_dir("unified-train", appauthor=False)
    return Path(home).absolute() / USER_FILE


def _project_file(environ: Mapping[str, str], cwd: str | os.PathLike[str] | None) -> Path | None:
    named = environ.get(CONFIG, "").strip()
    if named:
        return None if named == os.devnull else Path(named).expanduser().absolute()
    try:
        folder = os.path.abspath(os.getcwd() if cwd is None else cwd)  # noqa: PTH100, PTH109 - ten times as quick
    except FileNotFoundError:  # the current folder was removed
        return None
    while True:
        file = os.path.join(folder, PROJECT_FILE)  # noqa: PTH118 - as above
        if os.path.lexists(file):
            _check_trusted(file)
            return Path(file)
        above = os.path.dirname(folder)  # noqa: PTH120 - as above
        if above == folder:
            return None
        folder = above


def _check_trusted(path: str) -> None:
    """Refuse a file that came upon us in a shared folder: it can name commands, and where keys are sent."""
    try:
        about = os.stat(path)  # noqa: PTH116 - as above
    except OSError:
        return  # reading it will say what is wrong
    if not hasattr(os, "getuid"):
        return  # Windows tells nothing here
    if about.st_uid not in {os.getuid(), 0} or about.st_mode & stat.S_IWOTH:
        raise ConfigurationError(
            f"{path} belongs to somebody else, or anybody may write to it, so it is not used: it could send your keys"
            f" anywhere. If it is to be trusted, name it in {CONFIG} or with --config"
        )
