"""Configuration files: which there are."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from unified_train.config.environment import CONFIG, HOME
from unified_train.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from unified_train.config.toml_file import TomlFile

PROJECT_FILE = "unified-train.toml"
"""Looked for in the current folder and above it; the nearest one counts."""
USER_FILE = "config.toml"
"""In `UNIFIED_TRAIN_HOME`, or else in the user's configuration folder."""


class Places(NamedTuple):
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
        paths = [self.project] if self.project else []
        if os.path.lexists(self.user):
            paths.append(self.user)
        if not paths:
            return []
        from unified_train.config.toml_file import TomlFile

        return [TomlFile.read(path) for path in paths]


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
