"""The README does what it says."""

from __future__ import annotations

import re
from pathlib import Path

from unified_train import plugins
from unified_train.capability_table import markdown

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_capability_table_is_what_the_providers_declare() -> None:
    """The README's table is the one that `unified-train providers --markdown` prints."""
    start, end = "<!-- capabilities -->\n", "\n<!-- end of capabilities -->"
    table = README[README.index(start) + len(start) : README.index(end)]
    assert table.strip() == markdown(plugins.load_all().providers)


def test_there_are_two_commands_that_need_nothing_installed() -> None:
    """The two commands begin by making their own virtual environment, and `.ci/run` takes them from here."""
    commands = re.findall(r"<!-- (demo|tests) -->\n```sh\n(.*)\n```", README)
    assert [name for name, _ in commands] == ["demo", "tests"]
    assert all(command.startswith("python3 -m venv .venv && ") for _, command in commands)
    assert "README.md" in (ROOT / ".ci" / "run").read_text()


def test_the_example_is_about_twenty_lines() -> None:
    """The first example stays short enough to copy."""
    assert len(BLOCKS[0].splitlines()) <= 20
