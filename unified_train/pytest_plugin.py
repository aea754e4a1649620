"""Fixtures by which an app's tests run without a vendor: pytest loads them wherever this library is installed.

Nothing is imported and nothing is started before a test asks for one of them. The extra `sandbox` is needed then.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from unified_train.client import Client
    from unified_train.provider import AnyProvider
    from unified_train.sandbox import Sandbox

_SPEED = 12_000
"""Simulated seconds in a real one: a training of twenty minutes takes a tenth of a second."""


class MakeClient(Protocol):
    """What `unified_train_client` is."""

    def __call__(self, *providers: str | AnyProvider, **options: Any) -> Client:
        """Make a client; it takes what `Client` takes, and speaks to all of the sandbox's vendors if none is named."""
        ...


@pytest.fixture(scope="session")
def _unified_train_server() -> Iterator[Sandbox]:
    """The one server of a test run: to start one takes longer than most tests."""
    from unified_train.sandbox import Sandbox

    with Sandbox(speed=_SPEED) as sandbox:
        yield sandbox


@pytest.fixture
def unified_train_sandbox(_unified_train_server: Sandbox) -> Sandbox:
    """A sandbox without a past, with all vendors on one port of loopback; a training takes a tenth of a second."""
    _unified_train_server.reset()
    return _unified_train_server


@pytest.fixture
def unified_train_options(unified_train_sandbox: Sandbox, tmp_path: Path) -> Mapping[str, Any]:
    """What makes a `Client` or an `AsyncClient` speak to the sandbox, quickly; the environment is not looked at.

    The journal lies in `tmp_path`: clients of one test share it, as the processes of an app do.
    """
    from unified_train.config import Config
    from unified_train.policy import Retry
    from unified_train.polling import Polling

    environ = unified_train_sandbox.env
    return {
        "config": Config(environ=environ, image_host=environ.get("UNIFIED_TRAIN_IMAGE_HOST")),
        "journal": tmp_path / "unified-train" / "journal.sqlite",
        "polling": Polling(first=0.01, share=0.05, longest=0.1),
        "retry": Retry(attempts=3, first=0.01, longest=0.1, grace=0.2),
        "pace": False,
    }


@pytest.fixture
def unified_train_client(
    unified_train_sandbox: Sandbox, unified_train_options: Mapping[str, Any]
) -> Iterator[MakeClient]:
    """Make a `Client` that speaks to the sandbox: `unified_train_client("novita")`; it is closed after the test."""
    from unified_train.client import Client

    with ExitStack() as clients:

        def make(*providers: str | AnyProvider, **options: Any) -> Client:
            named = providers or tuple(unified_train_sandbox.vendors)
            return clients.enter_context(Client(*named, **{**unified_train_options, **options}))

        yield make


@pytest.fixture
def unified_train_environment(
    unified_train_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Mapping[str, str]:
    """Point the environment at the sandbox, for an app that makes its clients by itself; the usual journal included."""
    environ = {**unified_train_sandbox.env, "UNIFIED_TRAIN_HOME": str(tmp_path / "unified-train")}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    return environ
