"""The dataset commands say in one line each what is the matter, and end with the exit code that tells."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from conftest import CHELSEA
from helpers import png
from test_dataset_formats import put_all, zipped

from unified_train import PluginError, plugins
from unified_train.cli.app import cli


def run(*arguments: object) -> Any:
    return CliRunner().invoke(cli, ["dataset", *map(str, arguments)], catch_exceptions=False)


def test_check_ends_well_with_hints_only() -> None:
    """Hints are told and do no harm; without a trigger there are the same."""
    done = run("check", CHELSEA, "--trigger", "ohwx")
    assert done.exit_code == 0
    first, _, last = done.output.splitlines()
    assert first.startswith("hint: chelsea_01.jpg: 768 × 510 pixels")
    assert first.endswith("use a larger picture [small]")
    assert last == "10 images, 0 errors, 2 hints"


def test_check_fails_with_an_error(tmp_path: Path) -> None:
    """An error ends with exit code 1, as text and as JSON, and also in an archive."""
    folder = put_all(tmp_path / "in", {"a.png": png(600, 600), "b.jpg": "text", "b.txt": "x"})
    for path in (folder, zipped(folder, tmp_path / "in.zip")):
        done = run("check", path, "--provider", "novita")
        assert done.exit_code == 1
        assert "error: b.jpg: not an image;" in done.output
        assert done.output.splitlines()[-1] == "2 images, 1 error, 2 hints"
        told = run("check", path, "--json")
        assert told.exit_code == 1
        report = json.loads(told.output)
        assert report["dataset"] == str(path)
        assert {"file", "severity", "code", "message", "remedy", "provider"} == set(report["findings"][0])


def test_check_asks_the_vendors_that_are_named(tmp_path: Path) -> None:
    """A limit of one vendor is no matter for another."""
    folder = put_all(tmp_path / "in", {f"{number}.png": png() for number in range(51)})
    assert run("check", folder, "--provider", "alibaba").exit_code == 0
    assert run("check", folder, "--provider", "alibaba", "--provider", "novita").exit_code == 1
    done = run("check", folder, "--provider", "nobody")
    assert done.exit_code == 3
    assert "no provider 'nobody' is installed" in done.output


@pytest.mark.parametrize("command", ["check", "show", "prepare"])
def test_no_dataset_is_exit_code_3(command: str, tmp_path: Path) -> None:
    """A path without a dataset is a mistake in the command, in one sentence."""
    done = run(command, "nowhere", *([tmp_path / "out"] if command == "prepare" else []))
    assert done.exit_code == 3
    assert done.output == "error: nowhere: no such folder or zip archive\n"


def test_prepare_says_what_it_wrote(tmp_path: Path) -> None:
    """The number of images and captions, and the folder; as JSON every image."""
    done = run("prepare", CHELSEA, tmp_path / "out", "--size", "64")
    assert done.exit_code == 0
    assert done.output == f"10 images and 10 captions in {tmp_path / 'out'}\n"
    told = json.loads(run("prepare", CHELSEA, tmp_path / "out", "--size", "64", "--json").output)
    assert told["images"][1] == {
        "source": "chelsea_02.jpg",
        "file": "chelsea_02.jpg",
        "width": 64,
        "height": 64,
        "caption": "close-up portrait of ohwx cat",
    }
    assert run("prepare", CHELSEA, tmp_path / "out2", "--size", "0").exit_code == 2
    told = json.loads(run("prepare", CHELSEA, tmp_path / "out", "--provider", "novita", "--json").output)
    assert (told["images"][1]["width"], told["images"][1]["height"]) == (512, 512)
    assert run("prepare", CHELSEA, tmp_path / "out2", "--provider", "novtia").exit_code == 3
    refused = run("prepare", CHELSEA, tmp_path)
    assert refused.exit_code == 3
    assert "name another folder" in refused.output


def test_show_names_the_file_that_it_drew(tmp_path: Path) -> None:
    """The sheet's path is all that is printed."""
    done = run("show", CHELSEA, "--out", tmp_path / "sheet.jpg", "--provider", "novita")
    assert done.exit_code == 0
    assert done.output == f"{tmp_path / 'sheet.jpg'}\n"
    assert (tmp_path / "sheet.jpg").stat().st_size > 50_000
    done = run("show", CHELSEA, "--out", tmp_path / "sheet.jpg", "--provider", "novita", "--json")
    assert json.loads(done.output) == {"files": [str(tmp_path / "sheet.jpg")]}


def test_a_vendor_that_cannot_be_asked_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken plugin is a warning, unless the vendors are named."""
    found = plugins.Found(plugins.load_all().providers, (PluginError("plugin x can't be loaded"),))
    monkeypatch.setattr(plugins, "load_all", lambda: found)
    assert "warning: plugin x can't be loaded" in run("check", CHELSEA).output
    assert "warning" not in run("check", CHELSEA, "--provider", "novita").output
