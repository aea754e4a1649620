"""The README does what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from unified_train import plugins
from unified_train.capability_table import markdown
from unified_train.sandbox import Sandbox

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_capability_table_is_what_the_providers_declare() -> None:
    """The README's table is the one that `unified-train providers --markdown` prints."""
    start, end = "<!-- capabilities -->\n", "\n<!-- end of capabilities -->"
    table = README[README.index(start) + len(start) : README.index(end)]
    assert table.strip() == markdown(plugins.load_all().providers)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_the_python_runs_as_it_stands(number: int, sandbox: Sandbox, tmp_path: Path) -> None:
    """Each Python block runs in a fresh interpreter, with nothing but the environment pointing at a sandbox."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", BLOCKS[number]], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_there_are_two_commands_that_need_nothing_installed() -> None:
    """The two commands begin by making their own virtual environment, and `.ci/run` takes them from here."""
    commands = re.findall(r"<!-- (demo|tests) -->\n```sh\n(.*)\n```", README)
    assert [name for name, _ in commands] == ["demo", "tests"]
    assert all(command.startswith("python3 -m venv .venv && ") for _, command in commands)
    assert "README.md" in (ROOT / ".ci" / "run").read_text()


def test_the_example_is_about_twenty_lines() -> None:
    """The first example stays short enough to copy."""
    assert len(BLOCKS[0].splitlines()) <= 20


def test_links_lead_somewhere() -> None:
    """Every relative link of the README exists."""
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
