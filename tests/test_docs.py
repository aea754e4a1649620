"""The documents tell what is there: their code runs, their tables are complete, their links lead somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fresh import Interpreters, interpreters

from unified_train.sandbox import Sandbox
from unified_train.sandbox.faults import KINDS

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCKS = [
    (document.name, block)
    for document in DOCUMENTS
    for block in re.findall(r"```python\n(.*?)```", document.read_text(), re.DOTALL)
    if "# not run" not in block
]


@pytest.fixture(scope="session")
def processes() -> Iterator[Interpreters]:
    with interpreters() as made:
        yield made


@pytest.mark.parametrize(("document", "block"), BLOCKS, ids=[f"{name}-{i}" for i, (name, _) in enumerate(BLOCKS)])
def test_the_python_runs_as_it_stands(
    document: str, block: str, sandbox: Sandbox, processes: Interpreters, tmp_path: Path
) -> None:
    """Each Python block runs in a process of its own, with nothing but the environment pointing at a sandbox."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    status, output = processes.run(block, tmp_path)
    assert status == 0, output


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    """Every relative link exists."""
    for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
        assert (document.parent / target).exists(), target


def test_the_sandbox_page_names_every_fault_and_every_control_route(sandbox: Sandbox) -> None:
    """A fault or a route that is added must be explained."""
    page = (ROOT / "docs" / "sandbox.md").read_text()
    assert all(f"| `{kind}` |" in page for kind in KINDS)
    for route in sandbox._app.control.routes():
        assert f"{route.path}`" in page, route.path


@pytest.mark.parametrize("forked", [True, False])
@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("1 / 0", (1, "ZeroDivisionError")),
        ("raise SystemExit(3)", (3, "")),
        ("import unified_train; print(__name__)", (0, "__main__\n")),
        ("import warnings; warnings.warn('no')", (1, "UserWarning: no")),
    ],
)
def test_the_processes_are_interpreters(
    code: str, expected: tuple[int, str], forked: bool, processes: Interpreters, tmp_path: Path
) -> None:
    """A process tells how it ended and what it wrote, and takes warnings for errors, forked or not."""
    status, output = (processes if forked else Interpreters(None)).run(code, tmp_path)
    assert status == expected[0]
    assert expected[1] in output
