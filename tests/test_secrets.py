"""Keys of a recognisable shape go in at every place they can, and come out at none."""

from __future__ import annotations

import logging
import traceback
from contextlib import nullcontext
from typing import Any

import httpx
import pytest
from conftest import QUICK, VENDORS

from unified_train import Client, Dataset, GenerationRequest, TrainingRequest, UnifiedTrainError, plugins
from unified_train.sandbox import Sandbox

SECRET_PARTS = ("sandbox-secret", "sandbox-novita-key", "sandbox-access-key-secret", "wr0ng-s3cr3t")


def assert_clean(text: str) -> None:
    for secret in SECRET_PARTS:
        assert secret not in text
    for mark in ("X-Amz-Signature=", "Signature="):
        for rest in text.split(mark)[1:]:
            assert rest.startswith(("***", "%2A%2A%2A")), f"a signature is shown: {mark}{rest[:20]}"


@pytest.mark.parametrize(("vendor", "own"), [*((vendor, True) for vendor in VENDORS), ("novita", False)])
def test_a_whole_job_leaves_no_secret_behind(
    vendor: str, own: bool, sandbox: Sandbox, photos: Dataset, caplog: pytest.LogCaptureFixture
) -> None:
    """Logs at their most talkative, events, jobs as text and as JSON, and the client itself hold no secret."""
    events: list[Any] = []
    few = photos.model_copy(update={"images": photos.images[:2]})
    options: dict[str, Any] = {**QUICK, "http": None if own else httpx.Client(), "observer": events.append}
    with caplog.at_level(logging.DEBUG), options["http"] or nullcontext(), Client(vendor, **options) as client:
        uploaded = client.upload_image(photos.images[2])
        training = client.wait(client.train(TrainingRequest(name="t", dataset=few)), timeout=30)
        generation = client.wait(client.generate(training, GenerationRequest(prompt="{subject}")), timeout=30)
        client.download(generation)
        shown = [repr(item) for item in (client, uploaded, training, generation, events, vars(client))]
        shown += [str(training), training.model_dump_json(), generation.model_dump_json(), caplog.text]
    assert len(events) > 5
    assert ("send_request_headers" if own else "HTTP Request") in caplog.text  # what httpx's own client tells, in full
    assert_clean("\n".join(shown))


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_failure_shows_no_secret(vendor: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages, reprs, attributes and tracebacks of refusals and of lost connections hold no key."""
    for name in sandbox.env:
        if "KEY" in name or "SECRET" in name:
            monkeypatch.setenv(name, "wr0ng-s3cr3t")
    for base in (sandbox.base_url, "http://127.0.0.1:9"):
        for name, value in sandbox.env.items():
            if value.startswith("http"):
                monkeypatch.setenv(name, value.replace(sandbox.base_url, base))
        with Client(vendor, **QUICK) as client, pytest.raises(UnifiedTrainError) as error:  # type: ignore[arg-type]
            client.list_jobs("training")
        told = "".join(traceback.format_exception(error.value))
        assert_clean(told + repr(error.value) + repr(error.value.__dict__))


@pytest.mark.parametrize("vendor", VENDORS)
def test_settings_hide_their_secrets(vendor: str, sandbox: Sandbox) -> None:
    """Settings printed, dumped or refused do not show what is secret in them."""
    kind = plugins.load(vendor)
    settings = kind.Settings.from_env(sandbox.env)
    assert_clean(repr(settings) + str(settings.model_dump()) + settings.model_dump_json())
    wrong = SECRET_PARTS[-1]
    with pytest.raises(UnifiedTrainError) as error:
        kind.Settings.from_env(sandbox.env, base_url=[wrong])
    assert_clean("".join(traceback.format_exception(error.value)))
