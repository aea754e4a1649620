"""An app's tests run offline with our fixtures, and pay nothing for those that they don't use."""

from __future__ import annotations

import inspect
import os
import runpy
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import anyio
import pytest
from conftest import CHELSEA
from helpers import Plain, PlainSettings
from pydantic import SecretStr

from unified_train import AsyncClient, Client, Dataset, MissingCredentials, TrainingRequest, pytest_plugin
from unified_train.pytest_plugin import MakeClient
from unified_train.sandbox import Sandbox
from unified_train.sandbox.faults import Fault

pytestmark = pytest.mark.long

FIXTURES = {
    "unified_train_sandbox",
    "unified_train_options",
    "unified_train_client",
    "unified_train_environment",
}


def run(tmp_path: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run a test file as an app has it: with pytest and this plugin, without a conftest, warnings being errors."""
    (tmp_path / "test_app.py").write_text(code)
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "unified_train.pytest_plugin", "."]
    # Neither what else is installed here nor our own options are the app's.
    alone = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    return subprocess.run(command, cwd=tmp_path, env=alone, capture_output=True, text=True, check=False)


def test_it_is_found_wherever_the_library_is_installed() -> None:
    """The entry point names the module, and the fixtures are all that it brings: no hooks, no options."""
    (point,) = entry_points(group="pytest11", name="unified_train")
    assert point.load() is pytest_plugin
    names = runpy.run_path(inspect.getfile(pytest_plugin))
    assert {name for name in names if name.startswith("unified_train")} == FIXTURES
    assert not [name for name in names if name.startswith("pytest_")]


def test_an_app_tests_a_training_offline(tmp_path: Path) -> None:
    """Without a key and without a conftest; clients are closed after a test, and the next finds an empty sandbox."""
    done = run(
        tmp_path,
        f"""
import pytest
from unified_train import Dataset, TrainingRequest

made = []

def test_trains(unified_train_client, unified_train_sandbox):
    photos = Dataset.from_folder({str(CHELSEA)!r}, trigger="ohwx", class_word="cat")
    client = unified_train_client("novita")
    made.append(client)
    training = client.wait(client.train(TrainingRequest(name="chelsea", dataset=photos), key="order-1"), timeout=20)
    assert training.model
    assert [submission.vendor for submission in unified_train_sandbox.world.submissions] == ["novita"]

def test_next(unified_train_sandbox):
    with pytest.raises(RuntimeError, match="closed"):
        made[0].poll("novita:training:style/1")
    assert not unified_train_sandbox.world.submissions
""",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_it_costs_nothing_when_it_is_not_used(tmp_path: Path) -> None:
    """A test run that asks for no fixture of ours imports neither the client nor the sandbox nor what they need."""
    done = run(
        tmp_path,
        """
import sys

def test_nothing():
    heavy = {"httpx", "pydantic", "starlette", "uvicorn", "PIL", "anyio", "tenacity"}
    loaded = {name for name in sys.modules if name.partition(".")[0] in heavy}
    ours = {name for name in sys.modules if name.startswith("unified_train")}
    assert ours == {"unified_train", "unified_train.pytest_plugin"}
    assert not loaded
""",
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_without_the_sandbox_the_remedy_is_told(tmp_path: Path) -> None:
    """A test that asks for it fails with the command that installs it; the others run."""
    done = run(
        tmp_path,
        """
import sys
sys.modules["uvicorn"] = None

def test_asks(unified_train_client):
    pass

def test_does_not():
    pass
""",
    )
    assert "1 passed, 1 error" in done.stdout
    assert "pip install 'unified-train[sandbox]'" in done.stdout


def test_a_client_needs_and_touches_no_environment(
    unified_train_client: MakeClient, monkeypatch: pytest.MonkeyPatch, home: Path, tmp_path: Path
) -> None:
    """A key in the environment is not used, nor a configuration file, and the user's journal stays as it is."""
    monkeypatch.setenv("NOVITA_API_KEY", "a-real-key")
    monkeypatch.setenv("UNIFIED_TRAIN_PROVIDER", "scenario")
    (tmp_path / "unified-train.toml").write_text("no = TOML = at all")
    monkeypatch.chdir(tmp_path)
    client = unified_train_client("novita")
    assert client.list_jobs("training") == []
    assert client.provider().settings.api_key.get_secret_value() != "a-real-key"
    assert not home.exists()


def test_all_vendors_are_spoken_to_if_none_is_named(unified_train_client: MakeClient) -> None:
    """And a provider of one's own is taken as it is, with options in the place of ours."""
    assert unified_train_client().providers == ("scenario", "alibaba", "novita")
    own = unified_train_client(Plain(PlainSettings(api_key=SecretStr("k"))), journal=None)
    assert (own.providers, own.journal) == (("plain",), None)


def test_clients_of_one_test_share_a_journal(
    unified_train_client: MakeClient,
    unified_train_options: Mapping[str, Any],
    unified_train_sandbox: Sandbox,
    photos: Dataset,
) -> None:
    """As the processes of an app do: the same key is the same job, for clients of both colours."""
    request = TrainingRequest(name="chelsea", dataset=photos)

    async def train() -> str:
        async with AsyncClient("novita", **unified_train_options) as client:
            return (await client.train(request, key="order-1")).reference

    assert unified_train_client("novita").train(request, key="order-1").reference == anyio.run(train)
    assert len(unified_train_sandbox.world.submissions) == 1


def test_a_lost_answer_is_cleared_up_quickly(
    unified_train_client: MakeClient, unified_train_sandbox: Sandbox, photos: Dataset
) -> None:
    """An app can rehearse the worst in a test of less than a second, since no grace of minutes is waited out."""
    unified_train_sandbox.world.faults.add(Fault(kind="drop_before", method="POST", path="/v3/training/*"))
    unified_train_client("novita").train(TrainingRequest(name="chelsea", dataset=photos), key="order-1")
    assert not unified_train_sandbox.world.faults.left()
    assert len(unified_train_sandbox.world.submissions) == 1


def test_each_test_begins_anew_first(unified_train_sandbox: Sandbox) -> None:
    """What one test leaves behind …."""
    unified_train_sandbox.world.faults.add(Fault(kind="status", times=None))
    unified_train_sandbox.world.clock.freeze()
    unified_train_sandbox.switch("novita", "stuck_deploying", value=True)


def test_each_test_begins_anew_second(unified_train_sandbox: Sandbox) -> None:
    """… the next one does not find."""
    assert not unified_train_sandbox.world.faults.left()
    assert not unified_train_sandbox.world.clock.frozen
    assert unified_train_sandbox.vendors["novita"].switches()["stuck_deploying"] is False


def test_the_environment_points_at_the_sandbox_on_demand(
    unified_train_environment: Mapping[str, str], unified_train_sandbox: Sandbox, tmp_path: Path
) -> None:
    """For an app that makes its clients by itself; its journal is one of the test's."""
    with Client("novita", "scenario") as client:
        assert client.list_jobs("training") == client.list_jobs("training", provider="scenario") == []
        assert client.journal is not None
        assert client.journal.path == tmp_path / "unified-train" / "journal.sqlite"
    assert len(unified_train_sandbox.world.requests) >= 2
    assert unified_train_environment["NOVITA_API_KEY"]


def test_the_environment_is_left_alone_otherwise(
    unified_train_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that the app makes by itself has no key then, which is better than a real one."""
    for name in ("NOVITA_API_KEY", "UNIFIED_TRAIN_NOVITA_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    unified_train_client("novita")
    with pytest.raises(MissingCredentials):
        Client("novita")
