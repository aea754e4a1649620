"""The Novita provider against the emulated vendor, through the client, in the ways that its sources disagree about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from unified_train import (
    AuthenticationError,
    Dataset,
    GenerationRequest,
    InsufficientFunds,
    InvalidRequest,
    JobFailed,
    OperationRetired,
    Status,
    SubmissionUncertain,
    TrainingRequest,
    UploadedImage,
)
from unified_train.sandbox.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from unified_train.sandbox import Sandbox

VARIANTS: list[dict[str, object]] = [
    {},
    {"assets_id_as_int": True, "wrapped_submit": True, "numbers_as_strings": True},
    {"without_extra": True, "without_models": True, "missing_asset": "later", "missing_lora": "submit"},
    {"unknown_blips": True, "strict_captions": True, "upload_expires": 120},
]


def asked(photos: Dataset, count: int = 3, **fields: Any) -> TrainingRequest:
    few = photos.model_copy(update={"images": photos.images[:count]})
    return TrainingRequest(**{"name": "my-cat", "dataset": few, **fields})


@pytest.mark.parametrize("variant", VARIANTS, ids=["documented", "types", "missing", "blips"])
def test_whole_way(sandbox: Sandbox, connect: Callable[..., Any], photos: Dataset, variant: dict[str, object]) -> None:
    """Whatever the vendor's answers look like, the way from photos to pictures ends with pictures and two bills."""
    for name, value in variant.items():
        sandbox.switch("novita", name, value)
    client = connect("novita")
    training = client.wait(client.train(asked(photos)), timeout=20)
    assert training.status is Status.SUCCEEDED
    assert training.history[-1].raw_status == "SUCCESS/SERVING"
    made = client.wait(client.generate(training, GenerationRequest(prompt="{subject}", n=2, width=128, height=128)))
    pictures = client.download(made)
    assert [picture.media_type for picture in pictures] == ["image/png"] * 2
    assert [one.kind for one in sandbox.world.submissions] == ["training", "generation"]


def test_reference_is_enough(sandbox: Sandbox, connect: Callable[..., Any], photos: Dataset) -> None:
    """A training can be found by its reference or in the list, and its model used though its base is not known."""
    started = connect("novita").train(asked(photos, kind="style", base_model="yesmixXL_v10_283329"))
    client = connect("novita")
    found = client.wait(started.reference, timeout=20)
    assert found.model == client.list_jobs("training")[0].model.model_copy(update={"name": None})
    made = client.wait(client.generate(found, GenerationRequest(prompt="a cat", width=128, height=128)))
    assert made.status is Status.SUCCEEDED
    assert "sd_xl_base_1.0.safetensors" in made.notes[0]
    assert sandbox.world.submissions[0].name == "my-cat"


def test_expired_upload_url_is_replaced(sandbox: Sandbox, connect: Callable[..., Any], photos: Dataset) -> None:
    """A place that storage refuses is asked for again, and the training is on what was stored in the end."""
    forbidden = Fault.from_json({"method": "PUT", "path": "/_objects/*", "kind": "status", "status": 403, "times": 1})
    sandbox.world.faults.add(forbidden)
    client = connect("novita", parallel=1)
    assert client.train(asked(photos, 2)).status is Status.QUEUED
    slots = [entry for entry in sandbox.world.requests if entry.path == "/v3/assets/training_dataset"]
    assert len(slots) == 3


def test_expired_picture_is_signed_afresh(sandbox: Sandbox, connect: Callable[..., Any], photos: Dataset) -> None:
    """Pictures can be downloaded long after their first URLs have expired."""
    client = connect("novita")
    training = client.wait(client.train(asked(photos)), timeout=20)
    made = client.wait(client.generate(training, GenerationRequest(prompt="{subject}", width=128, height=128)))
    sandbox.world.clock.advance(7200)
    assert client.download(made)[0].size


def test_key_goes_to_the_vendor_only(sandbox: Sandbox, connect: Callable[..., Any], photos: Dataset) -> None:
    """Requests to storage carry no credentials, those to the vendor do."""
    connect("novita").train(asked(photos))
    with_key = {entry.path.split("/")[1]: "authorization" in entry.headers for entry in sandbox.world.requests}
    assert with_key == {"v3": True, "_objects": False}


def test_used_up_balance(sandbox: Sandbox, connect: Callable[..., Any], photos: Dataset) -> None:
    """An unpaid balance is InsufficientFunds with the vendor's own word, though the vendor answers 400."""
    sandbox.switch("novita", "balance", 0)
    with pytest.raises(InsufficientFunds) as caught:
        connect("novita").train(asked(photos))
    error = caught.value
    assert (error.code, error.provider, error.operation) == ("BILLING_BALANCE_NOT_ENOUGH", "novita", "training.start")
    assert sandbox.world.submissions == []


def test_unknown_asset(sandbox: Sandbox, connect: Callable[..., Any]) -> None:
    """An image that the vendor does not have is an InvalidRequest, and nothing was billed."""
    unknown = UploadedImage(provider="novita", id="nobody", name="x.png", caption="a cat")
    request = TrainingRequest(name="x", dataset=Dataset.of((unknown,)), kind="style")
    with pytest.raises(InvalidRequest, match="is not uploaded"):
        connect("novita").start_training(request)
    assert sandbox.world.submissions == []


def test_wrong_key(sandbox: Sandbox, connect: Callable[..., Any]) -> None:
    """A wrong key is an AuthenticationError, though the vendor answers 403, and the key is not in the message."""
    client = connect("novita", settings={"novita": {"api_key": "k-SECRET-k"}})
    with pytest.raises(AuthenticationError) as caught:
        client.list_jobs("training")
    assert caught.value.http_status == 403
    assert "SECRET" not in str(caught.value)
    assert sandbox.world.submissions == []


def test_failed_training_is_told(sandbox: Sandbox, connect: Callable[..., Any], photos: Dataset) -> None:
    """A training that fails says that the vendor gives no reason."""
    sandbox.switch("novita", "training_outcome", "FAILED")
    client = connect("novita")
    with pytest.raises(JobFailed, match="the vendor gives no reason"):
        client.wait(client.train(asked(photos)), timeout=20)


def test_retired_generation(sandbox: Sandbox, connect: Callable[..., Any], photos: Dataset) -> None:
    """If the vendor takes its generation away, that is what the error says, not that a task was not found."""
    client = connect("novita")
    training = client.wait(client.train(asked(photos)), timeout=20)
    sandbox.world.faults.add(Fault.from_json({"path": "/v3/async/*", "kind": "retired", "times": None}))
    with pytest.raises(OperationRetired, match="no such address"):
        client.generate(training, "{subject}")


@pytest.mark.parametrize("kind", ["drop_after", "status_after", "truncate"])
def test_lost_answer_is_not_billed_twice(
    sandbox: Sandbox, connect: Callable[..., Any], photos: Dataset, kind: str
) -> None:
    """If the answer to a paid request is lost, it is not sent again: the training exists once."""
    fault = {"method": "POST", "path": "/v3/training/*", "kind": kind, "times": 1}
    sandbox.world.faults.add(Fault.from_json(fault | ({"status": 502} if kind == "status_after" else {})))
    with pytest.raises(SubmissionUncertain):
        connect("novita").train(asked(photos))
    assert len(sandbox.world.submissions) == 1
