"""What goes over the wire, recorded once per vendor and operation, and replayed in both colours without a network.

`pytest tests/test_cassettes.py --record-mode=rewrite` records them anew: against the live vendor if its keys are in the
environment, else against the sandbox. The first line of each cassette says which it was.
"""

from __future__ import annotations

import base64
import os
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from cassette_rules import HOST, recorder
from cassette_takes import TAKES, Take
from conftest import QUICK

from unified_train import Client, Dataset, Polling
from unified_train.sandbox import Sandbox

FOLDER = Path(__file__).parents[1] / "cassettes"
SANDBOX = "# Recorded against the sandbox of this library, not against the live service.\n"
LIVE = "# Recorded against the live service.\n"
KEYS = {
    "SCENARIO_BASE_URL": f"http://{HOST}/v1",
    "SCENARIO_SDK_API_KEY": "k-SECRET-1",
    "SCENARIO_SDK_API_SECRET": "k-SECRET-2",
    "NOVITA_API_URI": f"http://{HOST}",
    "NOVITA_API_KEY": "k-SECRET-3",
    "ALIBABA_CLOUD_ACCESS_KEY_ID": "k-SECRET-4",
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "k-SECRET-5",
    "UNIFIED_TRAIN_ALIBABA_BASE_URL": f"http://{HOST}",
    "UNIFIED_TRAIN_IMAGE_HOST": f"http://{HOST}/_host",
}
NEEDED = {
    "scenario": "SCENARIO_SDK_API_SECRET",
    "alibaba": "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
    "novita": "NOVITA_API_KEY",
}
AT_ONCE = Polling(first=0.001, longest=0.001)
"""What was recorded is there already: how long one waits for it changes nothing in what is sent."""
every_take = pytest.mark.parametrize("take", TAKES, ids=str)


def cassette(take: Take) -> Path:
    return FOLDER / take.vendor / f"{take.name}.yaml"


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any connection is an error."""

    def refuse(*_: object) -> None:
        raise AssertionError("a replay must not connect")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@every_take
def test_every_operation_is_recorded(take: Take, request: pytest.FixtureRequest, photos: Dataset) -> None:
    """There is a cassette for each operation, and its first line says where it was recorded."""
    if request.config.getoption("--record-mode") == "rewrite":
        if os.environ.get(NEEDED[take.vendor]):
            record(take, photos, LIVE, {"polling": Polling()})
        else:
            sandbox: Sandbox = request.getfixturevalue("sandbox")
            sandbox.world.clock.set_speed(2_000)  # slow enough to see the states in between
            record(take, photos, SANDBOX, QUICK)
    assert cassette(take).read_text().startswith((SANDBOX, LIVE))


def record(take: Take, photos: Dataset, origin: str, options: Any) -> None:
    """Record one take, one request at a time so that their order is always the same."""
    path = cassette(take)
    path.unlink(missing_ok=True)
    with recorder(path.parent, "once").use_cassette(path.name), Client(take.vendor, parallel=1, **options) as client:
        take.play(client, photos)
    path.write_text(origin + path.read_text())


@every_take
def test_every_operation_is_replayed_without_a_network(
    take: Take, connect: Callable[..., Any], photos: Dataset, monkeypatch: pytest.MonkeyPatch, request: Any
) -> None:
    """Both colours send exactly the recorded requests, and make of the answers what the take says."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    client = connect(take.vendor, parallel=1, polling=AT_ONCE)
    request.getfixturevalue("no_network")
    with recorder(FOLDER / take.vendor, "none").use_cassette(cassette(take).name) as played:
        take.play(client, photos)
        assert played.all_played


def test_there_is_no_cassette_that_nothing_plays() -> None:
    """Each file belongs to a take."""
    assert sorted(FOLDER.rglob("*.yaml")) == sorted(cassette(take) for take in TAKES)


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.yaml")), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_cassette_holds_a_secret(path: Path) -> None:
    """No key, signature or presigned query is in any cassette: header, query, JSON body or URL, also encoded."""
    texts = [path.read_text()]
    for interaction in yaml.load(path.read_text(), Loader=yaml.CSafeLoader)["interactions"]:
        body = interaction["response"]["body"]["string"]
        texts.append(body if isinstance(body, str) else body.decode("latin-1"))
        assert not {name.lower() for name in interaction["request"]["headers"]} - {"content-type"}
    for text in texts:
        assert not re.search(r"sandbox-(key|secret|novita-key|access-key|sts)", text)
        assert not re.search(r"(?i)(signature|x-amz-credential|security-token|policy)=(?!\*\*\*)[^&\s\"']", text)
        assert not re.search(r"(?i)\b(basic|bearer|acs3-hmac-sha256)\s+(?!\*\*\*)[A-Za-z0-9+/=]{8}", text)
        for secret in ("sandbox-key:sandbox-secret", "sandbox-novita-key"):
            assert base64.b64encode(secret.encode()).decode() not in text
