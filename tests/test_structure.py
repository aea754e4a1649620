"""The promises that hold the code together: who imports whom, what is exported, where things are."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import unified_train

ROOT = Path(__file__).parents[1]
CORE = ROOT / "unified_train"
PROVIDERS = ROOT / "providers"
PUBLIC = (ROOT / "tests" / "data" / "public-names.txt").read_text().split()


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Everything in a file, for several tests; none may change it."""
    return tuple(ast.walk(ast.parse(path.read_text())))


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, and every name it takes from our package, as dotted names."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield node.module or ""


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """All functions, also those within classes, blocks and functions, without a look at the expressions."""
    parts = ("body", "handlers", "orelse", "finalbody")
    for node in [node for part in parts for node in getattr(tree, part, [])]:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
        yield from functions(node)


@pytest.fixture(autouse=True, scope="module")
def forgetting() -> Iterator[None]:
    """Let the nodes go after this file: while they are there, each full collection of garbage looks at all of them."""
    yield
    nodes.cache_clear()


def core_files() -> list[Path]:
    return [path for path in CORE.rglob("*.py") if "sandbox" not in path.relative_to(CORE).parts[:1]]


@pytest.mark.parametrize("path", sorted(PROVIDERS.rglob("*.py")), ids=lambda path: str(path.relative_to(PROVIDERS)))
def test_a_provider_imports_only_what_a_stranger_could(path: Path) -> None:
    """Providers take names that `unified_train` exports, pydantic, the standard library and their own modules."""
    own = path.relative_to(PROVIDERS).parts[0]
    for name in imports(path):
        top = name.partition(".")[0]
        assert name == "unified_train" or top in {own, "pydantic"} or top in sys.stdlib_module_names, name
    for node in nodes(path):
        if isinstance(node, ast.ImportFrom) and node.module == "unified_train":
            assert {alias.name for alias in node.names} <= set(unified_train.__all__)


@pytest.mark.parametrize("path", sorted(CORE.rglob("*.py")), ids=lambda path: str(path.relative_to(CORE)))
def test_the_core_knows_no_provider(path: Path) -> None:
    """No file of the library imports a provider package."""
    assert not [name for name in imports(path) if name.startswith("unified_train_")]


@pytest.mark.parametrize("path", core_files(), ids=lambda path: str(path.relative_to(CORE)))
def test_only_its_transport_imports_an_http_library(path: Path) -> None:
    """Each HTTP library is imported by one file; outside the sandbox no other knows them but to type checkers."""
    for_checkers = {
        id(node)
        for block in nodes(path)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for statement in block.body
        for node in ast.walk(statement)
    }
    found = [
        name
        for node in nodes(path)
        if isinstance(node, ast.Import | ast.ImportFrom) and id(node) not in for_checkers
        for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""])
    ]
    allowed = {"over_httpx.py": {"httpx"}, "over_aiohttp.py": {"aiohttp", "yarl"}}.get(path.name, set())
    libraries = {"httpx", "httpcore", "aiohttp", "yarl"}
    assert not {name.partition(".")[0] for name in found} & libraries - allowed


@pytest.mark.parametrize("path", core_files(), ids=lambda path: str(path.relative_to(CORE)))
def test_the_core_names_no_vendor_in_code(path: Path) -> None:
    """Vendors are named in documentation and examples at most, never in what the core does."""
    words = {"scenario", "alibaba", "novita"}
    docstrings = {
        id(node.body[0].value)
        for node in nodes(path)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in nodes(path):
        if isinstance(node, ast.Name | ast.Attribute):
            assert not words & {getattr(node, "id", ""), getattr(node, "attr", "")}
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            assert node.value not in words


def test_importing_the_package_costs_nothing() -> None:
    """`import unified_train` loads neither httpx nor pydantic nor a provider."""
    code = (
        "import sys; import unified_train;"
        "heavy = ('httpx', 'pydantic', 'anyio');"
        "print([n for n in sys.modules if n.split('.')[0] in heavy or n.startswith('unified_train_')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_client_that_is_only_made_loads_little() -> None:
    """What its verbs and its vendor's operations need is loaded by the first that needs it."""
    code = (
        "import sys, unified_train; unified_train.Client('novita', settings={'novita': {'api_key': 'a-key'}});"
        "late = {'httpx', 'tenacity', 'unified_train.models', 'unified_train.dataset',"
        " 'unified_train.workflows', 'unified_train.hosting', 'unified_train.events', 'unified_train_novita.options',"
        " 'unified_train_novita.wire'};"
        "print(sorted(late & set(sys.modules)))"
    )
    environ = {**os.environ, "UNIFIED_TRAIN_CONFIG": os.devnull}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_looking_at_a_job_loads_nothing_that_submits() -> None:
    """The workflows load what only paid calls need with the first of those."""
    code = (
        "import sys, unified_train.workflows;"
        "late = {'unified_train.submitting', 'unified_train.drafts', 'unified_train.intents', 'unified_train.hosting',"
        " 'unified_train.dataset_formats'};"
        "print(sorted(late & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_public_names_are_those_that_were_promised() -> None:
    """A name is added or removed on purpose, here too; each can be loaded, and no other can."""
    assert sorted(unified_train.__all__) == sorted(PUBLIC)
    for name in unified_train.__all__:
        assert getattr(unified_train, name) is not None
    assert dir(unified_train) == sorted(unified_train.__all__)
    with pytest.raises(AttributeError):
        unified_train.Klient  # noqa: B018 - looking it up is the test


def test_every_public_name_has_a_docstring() -> None:
    """Public classes and functions say what they are, and so do their public methods."""
    for name in PUBLIC:
        value = getattr(unified_train, name)
        if isinstance(value, type) and value.__module__.startswith("unified_train"):
            assert value.__doc__, name
            for method, item in vars(value).items():
                if callable(item) and not method.startswith("_") and method != "model_post_init":
                    assert getattr(item, "__doc__", None), f"{name}.{method}"


def test_folders_wheel_and_entry_points_agree() -> None:
    """Each provider folder is in the wheel and has an entry point of its slug, and there is no other."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    folders = {path.name for path in PROVIDERS.iterdir() if path.is_dir() and path.name != "__pycache__"}
    packages = set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    declared = project["project"]["entry-points"]["unified_train"]
    assert packages == {"unified_train", *(f"providers/{folder}" for folder in folders)}
    assert declared == {folder.removeprefix("unified_train_"): folder for folder in folders}
    assert {point.name for point in entry_points(group="unified_train")} >= set(declared)
    assert not (PROVIDERS / "__init__.py").exists()


def test_every_test_says_what_is_true() -> None:
    """Each test has a docstring of one sentence."""
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in functions(ast.parse(path.read_text())):
            if node.name.startswith("test_"):
                text = ast.get_docstring(node)
                assert text, f"{path.name}: {node.name} has no docstring"
                assert text.rstrip().endswith("."), f"{path.name}: {node.name}"
