"""Entry points are read once, and again when something was installed."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from unified_train import installed


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The groups that were read."""
    seen: list[Any] = []
    entry_points = metadata.entry_points

    def noted(**values: Any) -> Any:
        seen.append(values["group"])
        return entry_points(**values)

    monkeypatch.setattr(metadata, "entry_points", noted)
    installed._read.cache_clear()
    return seen


def test_entry_points_are_read_once(reads: list[Any]) -> None:
    """The second question is answered from memory."""
    names = [point.name for point in installed.entry_points("unified_train")]
    assert names == [point.name for point in installed.entry_points("unified_train")]
    assert {"alibaba", "novita", "scenario"} <= set(names)
    assert reads == ["unified_train"]


def test_what_is_installed_later_is_found(reads: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution that comes or goes while we run is seen at the next question, and so is a new place."""

    def names() -> list[str]:
        return [point.name for point in installed.entry_points("a-group-for-this-test")]

    monkeypatch.syspath_prepend(str(tmp_path / "nowhere"))
    monkeypatch.syspath_prepend(str(tmp_path))
    assert names() == []
    folder = tmp_path / "late-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: late\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text("[a-group-for-this-test]\nlate = late:it\n")
    assert names() == ["late"]
    folder.rename(tmp_path / "gone")
    assert names() == []
    assert len(reads) == 3
