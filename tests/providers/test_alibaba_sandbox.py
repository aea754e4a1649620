"""The provider and the emulated vendor together: whatever the vendor leaves open, training and generating work."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image as Picture

from unified_train import (
    AuthenticationError,
    ConfigurationError,
    Dataset,
    GenerationRequest,
    Job,
    JobFailed,
    ProviderUnavailable,
    Status,
    SubmissionUncertain,
    TrainingRequest,
)
from unified_train.sandbox.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from unified_train.sandbox import Sandbox


def _photo(colour: str) -> bytes:
    file = io.BytesIO()
    Picture.new("RGB", (32, 32), colour).save(file, "PNG")
    return file.getvalue()


_DATASET = Dataset.model_validate({"images": [_photo("red"), _photo("green"), _photo("blue")], "class_word": "cat"})
_TRAINING = TrainingRequest(name="my-cat", dataset=_DATASET)
_PROMPT = GenerationRequest(prompt="{subject} in the snow", seed=7)


@pytest.fixture
def client(sandbox: Sandbox, connect: Callable[..., Any]) -> Any:
    return connect("alibaba")


@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"id_type": "integer", "time_digits": 0, "image_encoding": "bare"},
        {"answer_fields": "null", "time_digits": 9, "image_encoding": "envelope"},
        {"answer_fields": "missing", "progress_scale": 100, "image_encoding": "raw"},
        {"success_code": "UNKNOWN_ERROR", "model_id_appears": "TRAINING", "list_delay": 300},
    ],
    ids=["as recorded", "numbers", "nulls", "nothing", "late"],
)
def test_any_layout(sandbox: Sandbox, client: Any, switches: dict[str, object]) -> None:
    """Training, generating and downloading work in every layout that the vendor's answers may have."""
    for name, value in switches.items():
        sandbox.switch("alibaba", name, value)
    training = client.wait(client.train(_TRAINING))
    assert (training.status, training.progress, training.model.class_word) == (Status.SUCCEEDED, 1.0, "cat")
    generation = client.wait(client.generate(training, _PROMPT))
    [image] = generation.images
    assert client.download(generation)[0].media_type == image.media_type == "image/png"
    assert [one.kind for one in sandbox.world.submissions] == ["training", "generation"]
    assert [job.id for job in client.list_jobs("training")] == [training.id]
    assert [job.id for job in client.list_jobs("generation")] == [generation.id]


def test_temporary_credentials(sandbox: Sandbox, connect: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Temporary keys with their token are all that is needed."""
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "sandbox-sts-key-id")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "sandbox-sts-key-secret")
    monkeypatch.setenv("ALIBABA_CLOUD_SECURITY_TOKEN", "sandbox-security-token")
    client = connect("alibaba")
    assert client.wait(client.train(_TRAINING)).model
    assert len(sandbox.world.submissions) == 1


@pytest.mark.usefixtures("sandbox")
def test_a_wrong_secret(connect: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong secret is an authentication error that says what to check and shows nothing of it."""
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "mistaken-value")
    with pytest.raises(AuthenticationError, match="ALIBABA_CLOUD_ACCESS_KEY_ID") as caught:
        connect("alibaba").list_jobs("training")
    assert caught.value.code == "SignatureDoesNotMatch"
    assert "mistaken" not in str(caught.value)


def _asked(sandbox: Sandbox) -> list[tuple[str, int | None]]:
    """Operation and status of every request to the vendor so far."""
    entries = [entry for entry in sandbox.world.requests if entry.vendor == "alibaba"]
    return [(entry.path.rpartition("/")[2], entry.status) for entry in entries]


@pytest.mark.parametrize("skew", [-3600, 3600, 86_400 * 400])
def test_a_wrong_clock(sandbox: Sandbox, client: Any, skew: float) -> None:
    """A clock that is off costs one refusal: the paid request is repeated by the server's time, and paid for once."""
    sandbox.world.clock.skew = skew
    training = client.train(_TRAINING)
    assert _asked(sandbox) == [("addModelTrainJob", 400), ("addModelTrainJob", 200)]
    assert client.wait(training).status is Status.SUCCEEDED
    assert client.wait(client.generate(client.poll(training), _PROMPT)).images
    assert [one.kind for one in sandbox.world.submissions] == ["training", "generation"]
    assert [status for _, status in _asked(sandbox)].count(400) == 1


def test_a_clock_that_is_wrong_again(sandbox: Sandbox, client: Any) -> None:
    """A clock that is set right, or wrong, while a client lives costs one more refusal, and no more."""
    for skew in (-7200, 0, 7200):
        sandbox.world.clock.skew = skew
        assert client.list_jobs("training") == []
        assert client.list_jobs("training") == []
    assert [status for _, status in _asked(sandbox)] == [400, 200, 200] * 3


@pytest.mark.parametrize("date", ["", "yesterday", "Thu, 02 Jan 2020 03:04:05 GMT"])
def test_a_clock_that_nobody_can_set(sandbox: Sandbox, client: Any, date: str) -> None:
    """Where the server's own time is of no use, it is an authentication error that speaks of the clock."""
    body = {"RequestId": "R", "HostId": "h", "Code": "InvalidTimeStamp.Expired", "Message": "expired"}
    refused = {"kind": "status", "status": 400, "body": body, "headers": {"Date": date}, "times": None}
    sandbox.world.faults.add(Fault(path="*/addModelTrainJob", **refused))  # type: ignore[arg-type]
    with pytest.raises(AuthenticationError, match="set this machine's clock") as caught:
        client.train(_TRAINING)
    assert caught.value.code == "InvalidTimeStamp.Expired"
    assert len(_asked(sandbox)) == (2 if date.startswith("Thu") else 1)
    assert sandbox.world.submissions == []


def test_bytes_without_a_host(sandbox: Sandbox, connect: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an image host bytes are refused, and nothing at all was sent."""
    monkeypatch.delenv("UNIFIED_TRAIN_IMAGE_HOST")
    with pytest.raises(ConfigurationError, match="UNIFIED_TRAIN_IMAGE_HOST"):
        connect("alibaba").train(_TRAINING)
    assert list(sandbox.world.requests) == []


@pytest.mark.usefixtures("sandbox")
def test_a_wrong_image(client: Any) -> None:
    """An image that the vendor can't fetch fails the training with the vendor's word for it."""
    dataset = Dataset.model_validate({"images": ["https://img.example.com/none.png"], "class_word": "cat"})
    job = client.train(TrainingRequest(name="x", dataset=dataset))
    with pytest.raises(JobFailed, match="WRONG_IMAGE_URL"):
        client.wait(job)


def test_flow_control(sandbox: Sandbox, client: Any) -> None:
    """A paid request that flow control refused, though under HTTP 400, is repeated and accepted once."""
    body = {"RequestId": "R", "HostId": "h", "Code": "Throttling.User", "Message": "slow down"}
    sandbox.world.faults.add(Fault(path="*/addModelTrainJob", kind="status", status=400, body=body, times=2))
    assert client.train(_TRAINING).status is Status.QUEUED
    assert len(sandbox.world.submissions) == 1


@pytest.mark.parametrize("kind", ["drop_after", "truncate"])
def test_a_lost_answer(sandbox: Sandbox, client: Any, kind: Any) -> None:
    """An answer that was lost after acceptance leaves the submission uncertain, and it is not repeated."""
    sandbox.world.faults.add(Fault(path="*/addModelTrainJob", kind=kind))
    with pytest.raises(SubmissionUncertain):
        client.train(_TRAINING)
    assert len(sandbox.world.submissions) == 1


def test_an_unreadable_answer(sandbox: Sandbox, client: Any) -> None:
    """HTML in place of the answer to a paid request leaves it uncertain as well."""
    sandbox.world.faults.add(Fault(path="*/addModelTrainJob", kind="body", body="<html>", media_type="text/html"))
    with pytest.raises(SubmissionUncertain):
        client.train(_TRAINING)
    assert len(sandbox.world.submissions) == 1


def test_a_soft_failure_of_a_read(sandbox: Sandbox, client: Any) -> None:
    """A read that fails under HTTP 200 is repeated, and a provider's fault if that does not help."""
    body = '{"success": false, "errCode": "UNKNOWN_ERROR", "errMessage": "text", "data": null}'
    fault = Fault(path="*/queryModelTrainJobList", kind="body", body=body, media_type="application/json", times=1)
    sandbox.world.faults.add(fault)
    assert client.list_jobs("training") == []
    sandbox.world.faults.add(*[fault] * 3)
    with pytest.raises(ProviderUnavailable) as caught:
        client.list_jobs("training")
    assert (caught.value.http_status, caught.value.code) == (200, "UNKNOWN_ERROR")


def test_an_unheard_of_word(sandbox: Sandbox, client: Any) -> None:
    """A status that nobody has heard of is unknown for as long as it is shown, and ends nothing."""
    job = client.train(_TRAINING)
    sandbox.world.faults.add(
        Fault(path="*/queryModelTrainJobList", kind="json", set={"data.0.jobStatus": "POLISHING"}, times=1)
    )
    seen: Job = client.poll(job)
    assert (seen.status, seen.raw_status) == (Status.UNKNOWN, "POLISHING")
    assert client.wait(seen).status is Status.SUCCEEDED
