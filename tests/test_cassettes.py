"""What goes over the wire, recorded once per vendor and replayed in both colours with no network at all.

`pytest tests/test_cassettes.py --record-mode=rewrite` records them again against the sandbox; each says so itself.
"""

from __future__ import annotations

import base64
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from cassette_rules import HOST, recorder
from conftest import QUICK, VENDORS

from unified_train import Client, Dataset, GenerationRequest, Status, TrainingRequest
from unified_train.sandbox import Sandbox

FOLDER = Path(__file__).parents[1] / "cassettes"
ORIGIN = "# Recorded against the sandbox of this library, not against the live service.\n"
KEYS = {
    "SCENARIO_BASE_URL": f"http://{HOST}/v1",
    "SCENARIO_SDK_API_KEY": "k-SECRET-1",
    "SCENARIO_SDK_API_SECRET": "k-SECRET-2",
    "NOVITA_API_URI": f"http://{HOST}",
    "NOVITA_API_KEY": "k-SECRET-3",
    "ALIBABA_CLOUD_ACCESS_KEY_ID": "k-SECRET-4",
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "k-SECRET-5",
    "UNIFIED_TRAIN_ALIBABA_BASE_URL": f"http://{HOST}",
    "UNIFIED_TRAIN_ALIBABA_IMAGE_HOST": f"http://{HOST}/_host",
}


def whole_job(client: Any, photos: Dataset) -> tuple[Any, list[Any]]:
    """One training and one generation, one request at a time so that their order is always the same."""
    few = photos.model_copy(update={"images": photos.images[:3]})
    training = client.wait(client.train(TrainingRequest(name="chelsea", dataset=few)), timeout=30)
    asked = GenerationRequest(prompt="a portrait of {subject} in the snow", n=1, seed=7, width=256, height=256)
    generation = client.wait(client.generate(training, asked, on_unsupported="drop"), timeout=30)
    return training, client.download(generation)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any connection is an error."""

    def refuse(*_: object) -> None:
        raise AssertionError("a replay must not connect")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_whole_job_is_recorded(vendor: str, request: pytest.FixtureRequest, photos: Dataset) -> None:
    """There is one cassette per vendor, labelled with where it was recorded."""
    path = FOLDER / vendor / "training-and-generation.yaml"
    if request.config.getoption("--record-mode") == "rewrite":
        sandbox = request.getfixturevalue("sandbox")
        record(vendor, sandbox, photos, path)
    assert path.read_text().startswith(ORIGIN)


def record(vendor: str, sandbox: Sandbox, photos: Dataset, path: Path) -> None:
    """Record the whole job of a vendor; the clock is slow enough to see the states in between."""
    sandbox.world.clock.set_speed(2_000)
    path.unlink(missing_ok=True)
    with recorder(path.parent, "once").use_cassette(path.name), Client(vendor, parallel=1, **QUICK) as client:  # type: ignore[arg-type]
        _, pictures = whole_job(client, photos)
    assert len(pictures) == 1
    path.write_text(ORIGIN + path.read_text())


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_whole_job_is_replayed_without_a_network(
    vendor: str, connect: Callable[..., Any], photos: Dataset, monkeypatch: pytest.MonkeyPatch, request: Any
) -> None:
    """Both colours send exactly the recorded requests and make the same job and pictures of the answers."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    client = connect(vendor, parallel=1)
    request.getfixturevalue("no_network")
    with recorder(FOLDER / vendor, "none").use_cassette("training-and-generation.yaml") as cassette:
        training, pictures = whole_job(client, photos)
        assert cassette.all_played
    assert training.status is Status.SUCCEEDED
    assert training.model.trigger == "ohwx"
    assert [picture.media_type for picture in pictures] == ["image/png"]


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.yaml")), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_cassette_holds_a_secret(path: Path) -> None:
    """No key, signature or presigned query is in any cassette, also not inside encoded bodies."""
    texts = [path.read_text()]
    for interaction in yaml.safe_load(path.read_text())["interactions"]:
        body = interaction["response"]["body"]["string"]
        texts.append(body if isinstance(body, str) else body.decode("latin-1"))
        headers = interaction["request"]["headers"]
        assert not {name.lower() for name in headers} - {"content-type"}
    for text in texts:
        assert not re.search(r"sandbox-(key|secret|novita-key|access-key)", text)
        assert not re.search(r"(?i)(signature|x-amz-credential|security-token|policy)=(?!\*\*\*)[^&\s\"']", text)
        assert not re.search(r"(?i)\b(basic|bearer|acs3-hmac-sha256)\s+(?!\*\*\*)[A-Za-z0-9+/=]{8}", text)
        for secret in ("sandbox-key:sandbox-secret", "sandbox-novita-key"):
            assert base64.b64encode(secret.encode()).decode() not in text
