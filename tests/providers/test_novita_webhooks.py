"""Novita's webhooks: what is one, what it says, and that nothing of it is believed before a poll."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from novita_flow import PICTURE_URL, Talk, model, provider
from novita_receiver import Receiver

from unified_train import (
    Dataset,
    GenerationRequest,
    InvalidOptions,
    MalformedResponse,
    NotFound,
    Status,
    TrainingRequest,
)
from unified_train_novita.options import NovitaGeneration

if TYPE_CHECKING:
    from collections.abc import Callable

    from unified_train.sandbox import Sandbox
    from unified_train_novita.provider import Novita

HOOK = "https://cb.test/h/unguessable"


@pytest.fixture
def novita() -> Novita:
    return provider()


def event(**task: Any) -> dict[str, Any]:
    return {
        "event_type": "ASYNC_TASK_RESULT",
        "payload": {
            "task": {"task_id": "g1", "task_type": "TXT_TO_IMG", "status": "TASK_STATUS_SUCCEED", "reason": "", **task},
            "extra": {"seed": "7", "enable_nsfw_detection": False, "webhook": {"url": HOOK}},
            "images": [{"image_url": PICTURE_URL, "image_url_ttl": "3600", "image_type": "png"}],
            "videos": [],
            "audios": [],
        },
    }


def written(value: object) -> bytes:
    return json.dumps(value).encode()


def test_success(novita: Novita) -> None:
    """A webhook is read as the result that it has the form of, without the receiver's own address."""
    kind, hint = novita.read_webhook({}, written(event()))
    assert (kind, hint.id, hint.status, hint.raw_status) == (
        "generation",
        "g1",
        Status.SUCCEEDED,
        "TASK_STATUS_SUCCEED",
    )
    assert (hint.images[0].media_type, hint.images[0].seed) == ("image/png", 7)
    assert "unguessable" not in hint.model_dump_json()


def test_failure(novita: Novita) -> None:
    """A failure comes with the vendor's reason, and extra may be missing."""
    failed = event(status="TASK_STATUS_FAILED", reason="out of memory")
    del failed["payload"]["extra"]
    _, hint = novita.read_webhook({}, written(failed))
    assert hint.status is Status.FAILED
    assert hint.error is not None
    assert hint.error.message == "out of memory"


BAD: list[tuple[bytes, str]] = [
    (b"", "it is not JSON"),
    (b"<html>", "it is not JSON"),
    (b"\xff\xfe\x00", "it is not JSON"),
    (b"[" * 100_000, "it is not JSON"),
    (b"[]", "it is no JSON object"),
    (b'"x"', "it is no JSON object"),
    (b"null", "it is no JSON object"),
    (b"{}", "event_type is not ASYNC_TASK_RESULT"),
    (written(event() | {"event_type": "BALANCE_LOW"}), "event_type is not ASYNC_TASK_RESULT"),
    (written({"event_type": "ASYNC_TASK_RESULT"}), "no task with a status"),
    (written({"event_type": "ASYNC_TASK_RESULT", "payload": "x"}), "no task with a status"),
    (written({"event_type": "ASYNC_TASK_RESULT", "payload": {"task": {}}}), "no task with a status"),
    (written(event(status=None)), "no task with a status"),
    (written(event(task_id="")), "its task has no id"),
    (written(event(task_id=None)), "its task has no id"),
    (written(event(task_id="g1,g2")), "its task has no id"),
    (written(event(task_id="g 1")), "its task has no id"),
    (written(event(task_id="g" * 201)), "its task has no id"),
]


@pytest.mark.parametrize(("body", "why"), BAD, ids=[str(number) for number in range(len(BAD))])
def test_what_is_no_webhook(novita: Novita, body: bytes, why: str) -> None:
    """Anything but a finished task is refused with the reason, and nothing crashes."""
    with pytest.raises(MalformedResponse, match=f"this is no webhook of Novita: .*{why}") as caught:
        novita.read_webhook({}, body)
    assert (caught.value.provider, caught.value.operation) == ("novita", "webhook")


@given(body=st.binary(max_size=200))
def test_any_bytes_are_refused_in_one_way(body: bytes) -> None:
    """Whatever strangers post ends in the one error for it."""
    with pytest.raises(MalformedResponse):
        provider().read_webhook({}, body)


def test_test_mode_is_asked_for(novita: Novita) -> None:
    """The test mode goes with the webhook, by the vendor's names, and not without one."""
    talk = Talk({"task_id": "g1"})
    options = NovitaGeneration(webhook=HOOK, webhook_test="TASK_STATUS_FAILED")
    talk.run(novita.generate(model(), GenerationRequest(prompt="x"), options))
    mode = {"enabled": True, "return_task_status": "TASK_STATUS_FAILED"}
    assert talk.body()["extra"]["webhook"] == {"url": HOOK, "test_mode": mode}
    with pytest.raises(InvalidOptions, match="webhook_test: needs a webhook"):
        novita.check_generation(
            model(), GenerationRequest(prompt="x"), NovitaGeneration(webhook_test=options.webhook_test)
        )
    novita.check_generation(model(), GenerationRequest(prompt="x"), options)


# -- over HTTP ---------------------------------------------------------------------------------------------------------


def trained(client: Any, photos: Dataset) -> Any:
    few = photos.model_copy(update={"images": photos.images[:2]})
    return client.wait(client.train(TrainingRequest(name="my-cat", dataset=few)), timeout=20)


def asked(receiver: Receiver, **fields: Any) -> GenerationRequest:
    extra = {"webhook": receiver.url, **fields}
    return GenerationRequest(prompt="{subject}", width=128, height=128, extra={"novita": extra})


def test_webhook_is_confirmed_by_a_poll(sandbox: Sandbox, connect: Callable[..., Any], photos: Dataset) -> None:
    """What the vendor posts is a job of which nothing is known for sure, until a poll says how it stands."""
    client = connect("novita")
    training = trained(client, photos)
    with Receiver([]) as receiver:
        started = client.generate(training, asked(receiver))
        headers, body = receiver.posts.get(timeout=5)
    job = client.parse_webhook("novita", headers, body)
    assert (job.reference, job.status, job.raw_status) == (started.reference, Status.UNKNOWN, "TASK_STATUS_SUCCEED")
    assert job.images == ()
    assert receiver.url not in job.model_dump_json()
    confirmed = client.poll(job)
    assert confirmed.status is Status.SUCCEEDED
    assert len(client.download(confirmed)) == 1


def test_false_success_is_not_believed(sandbox: Sandbox, connect: Callable[..., Any], photos: Dataset) -> None:
    """A webhook that claims success for a task that failed makes a job that the poll shows as failed."""
    client = connect("novita")
    training = trained(client, photos)
    sandbox.switch("novita", "generation_outcome", "FAILED")
    with Receiver([]) as receiver:
        client.generate(training, asked(receiver))
        headers, body = receiver.posts.get(timeout=5)
    told = json.loads(body)
    told["payload"]["task"]["status"] = "TASK_STATUS_SUCCEED"
    assert client.poll(client.parse_webhook("novita", headers, written(told))).status is Status.FAILED


def test_test_mode_reports_without_a_run(sandbox: Sandbox, connect: Callable[..., Any], photos: Dataset) -> None:
    """In test mode the wanted end is reported, and nothing but the training is paid."""
    client = connect("novita")
    training = trained(client, photos)
    with Receiver([]) as receiver:
        client.generate(training, asked(receiver, webhook_test="TASK_STATUS_FAILED"))
        headers, body = receiver.posts.get(timeout=5)
    assert client.parse_webhook("novita", headers, body).raw_status == "TASK_STATUS_FAILED"
    assert [one.kind for one in sandbox.world.submissions] == ["training"]


def test_webhook_for_a_strangers_job(sandbox: Sandbox, connect: Callable[..., Any]) -> None:
    """A webhook about a job that this account does not have is found out at the poll."""
    client = connect("novita")
    job = client.parse_webhook("novita", {}, written(event(task_id="3c0f0a52-2a54-4d0e-9a0f-5d1b1c7be001")))
    assert job.status is Status.UNKNOWN
    with pytest.raises(NotFound) as caught:
        client.poll(job)
    assert caught.value.code == "TASK_NOT_FOUND"
