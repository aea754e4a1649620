"""A folder with configuration files, and an environment without anybody's keys, for several test files."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path

import pytest

_MARKS = ("UNIFIED_TRAIN_", "NOVITA_", "SCENARIO_", "ALIBABA_CLOUD_")


class Project:
    """A folder that is the current one, with a user's folder beside it."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        self.home = home

    def write(self, text: str, name: str = "unified-train.toml") -> Path:
        return _written(self.folder / name, text)

    def write_user(self, text: str) -> Path:
        return _written(self.home / "config.toml", text)


def _written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text).lstrip())
    return path


@pytest.fixture
def project(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    for name in [name for name in os.environ if name.startswith(_MARKS) and name != "UNIFIED_TRAIN_HOME"]:
        monkeypatch.delenv(name)
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return Project(folder, home)
