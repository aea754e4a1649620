"""Fixtures for all tests: one sandbox, clients in both colours behind one face, photographs."""

from __future__ import annotations

import gc
import inspect
import logging
import os
import sys
import traceback
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio.from_thread
import pytest

from unified_train import AsyncClient, Client, Dataset, Polling, Retry, UnifiedTrainError
from unified_train.sandbox import Sandbox, pictures

CHELSEA = Path(__file__).parents[1] / "examples" / "chelsea"
VENDORS = ("scenario", "alibaba", "novita")
KEYS = (b"k-SECRET-k", b"sandbox-secret", b"sandbox-access-key-secret", b"sandbox-novita-key")
"""What the tests give vendors for keys."""
SQLITE = (b"SQLite format 3", b"\x37\x7f\x06")
"""How a database begins, and its write-ahead log."""
QUICK = {
    "polling": Polling(first=0.01, share=0.05, longest=0.1),
    "pace": False,
    "retry": Retry(attempts=3, first=0.01, longest=0.1),
    "journal": None,
}


# Each file is compiled once, not anew in each process that tests start; the compiled ones are ignored by git.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What collecting makes is there until the end: the garbage collector need not look at it, now or later."""
    gc.set_threshold(10_000)  # not after each seven hundred objects: a test makes many times as many
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        if "hypothesis" in sys.modules:  # when it is imported, it asks the collector who holds which random numbers
            gc.freeze()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record-mode", choices=["none", "rewrite"], default="none", help="record the cassettes anew")
    parser.addoption("--write-docs", action="store_true", help="write the tables of the documents anew")


class Blocking:
    """An `AsyncClient` that is called as if it were a `Client`, so that one test speaks to both."""

    def __init__(self, portal: anyio.from_thread.BlockingPortal, make: Callable[[], AsyncClient]) -> None:
        self._portal = portal
        self.inner = portal.call(_awaited(make))

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.inner, name)
        if inspect.iscoroutinefunction(value):
            return lambda *args, **kwargs: self._portal.call(lambda: value(*args, **kwargs))
        if name == "watch":
            return lambda *args, **kwargs: self._iterated(value(*args, **kwargs))
        return value

    def _iterated(self, values: AsyncIterator[Any]) -> Iterator[Any]:
        while (item := self._portal.call(_next, values)) is not _END:
            yield item


_END = object()


def _awaited(make: Callable[[], AsyncClient]) -> Callable[[], Any]:
    async def made() -> AsyncClient:
        return make()

    return made


async def _next(values: AsyncIterator[Any]) -> Any:
    async for item in values:
        return item
    return _END


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place for the usual journal and configuration, so that no test reads or writes the user's own."""
    place = tmp_path_factory.getbasetemp() / f"home-{uuid4().hex}"  # made by whoever writes there
    monkeypatch.setenv("UNIFIED_TRAIN_HOME", str(place))
    monkeypatch.setenv("UNIFIED_TRAIN_CONFIG", os.devnull)
    return place


class Eavesdropper(logging.Handler):
    """Notes each log record and each error of the library that has a key in it."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        told = record.exc_info[1] if record.exc_info else None
        self.listen(record.getMessage(), *(traceback.format_exception(told) if told else ()))

    def listen(self, *texts: str) -> None:
        self.heard += [text for text in texts if any(key.decode() in text for key in KEYS)]


def _made(place: Path) -> Iterator[Path]:
    """Journals, with all that belongs to them, and reports."""
    for path in place.rglob("*"):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                magic = file.read(len(SQLITE[0]))
            if path.name == "report.html" or magic.startswith(SQLITE):
                yield path


@pytest.fixture(autouse=True, scope="session")
def no_key_left_behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """When all tests have run, no journal and no report that any has made holds a key, no log record and no error."""
    ear, told = Eavesdropper(), UnifiedTrainError.__init__

    def heard(self: UnifiedTrainError, *values: Any, **facts: Any) -> None:
        told(self, *values, **facts)
        ear.listen(str(self.args))  # more is not known of it yet

    logging.getLogger().addHandler(ear)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(UnifiedTrainError, "__init__", heard)
        yield
    logging.getLogger().removeHandler(ear)
    assert ear.heard == []
    assert [
        path for path in _made(tmp_path_factory.getbasetemp()) if any(key in path.read_bytes() for key in KEYS)
    ] == []


@pytest.fixture(scope="session")
def running_sandbox() -> Iterator[Sandbox]:
    with Sandbox(speed=12_000) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """A sandbox without a past, which the environment points at; a training takes a tenth of a second."""
    monkeypatch.setattr(pictures, "_LARGEST_SIDE", 96)  # drawn small and enlarged: as good as any but to the eye
    running_sandbox.reset()
    running_sandbox.world.clock.set_speed(12_000)
    for name, value in running_sandbox.env.items():
        monkeypatch.setenv(name, value)
    return running_sandbox


@pytest.fixture(params=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def connect(colour: str) -> Iterator[Callable[..., Any]]:
    """Make a client of the colour under test; it is closed at the end."""
    with ExitStack() as stack:
        portal = stack.enter_context(anyio.from_thread.start_blocking_portal()) if colour != "sync" else None

        def made(*providers: Any, **options: Any) -> Any:
            options = {**QUICK, **({"http": "aiohttp"} if colour == "aiohttp" else {}), **options}
            if portal is None:
                return stack.enter_context(Client(*providers, **options))
            client = Blocking(portal, lambda: AsyncClient(*providers, **options))
            stack.callback(client.close)
            return client

        yield made


@pytest.fixture
def no_leftovers() -> Iterator[None]:
    """Collect the pools that a vendor's SDK leaves open while their warnings are expected, not in some later test."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(scope="session")
def photos() -> Dataset:
    return Dataset.from_folder(CHELSEA, trigger="ohwx", class_word="cat")
