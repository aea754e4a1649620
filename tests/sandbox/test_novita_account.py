"""The emulated Novita's account: key, unknown addresses, models, switches, webhooks."""

from __future__ import annotations

import logging
from logging.handlers import QueueHandler
from queue import Queue
from typing import TYPE_CHECKING

import httpx
import pytest
from novita_api import DONE, KEY, MADE, Api, generation_body
from novita_receiver import Receiver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unified_train.sandbox import Sandbox


@pytest.fixture
def api(sandbox: Sandbox) -> Iterator[Api]:
    with Api(sandbox) as api:
        yield api


@pytest.mark.parametrize("key", [None, "sandbox-novita-key", "Bearer wrong", "Basic sandbox-novita-key"])
def test_key_is_asked_for(api: Api, key: str | None) -> None:
    """A missing, bare or wrong key is 403 INVALID_API_KEY, as was observed of the vendor."""
    headers = {} if key is None else {"Authorization": key}
    answer = httpx.get(f"{api.sandbox.base_url}/v3/user", headers=headers)
    expected = {"code": 403, "reason": "INVALID_API_KEY", "message": "invalid api-key", "metadata": {}}
    assert (answer.status_code, answer.json()) == (403, expected)


def test_missing_key_as_in_the_table(api: Api) -> None:
    """A missing key can be 400 MISSING_API_KEY, as the vendor's table has it; a wrong one stays 403."""
    api.switch(missing_key_is_400=True)
    url = f"{api.sandbox.base_url}/v3/user"
    assert httpx.get(url).json()["reason"] == "MISSING_API_KEY"
    assert httpx.get(url, headers={"Authorization": "Bearer x"}).status_code == 403


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v3/txt2img"), ("POST", "/v3/async/txt2video"), ("DELETE", "/v3/training/style")]
)
def test_unknown_address(api: Api, method: str, path: str) -> None:
    """An address or method that the vendor does not have is 404 API_NOT_FOUND."""
    answer = api.http.request(method, path)
    assert (answer.status_code, answer.json()["reason"]) == (404, "API_NOT_FOUND")


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"x"'])
def test_body_that_is_no_object(api: Api, body: bytes) -> None:
    """A body that is no JSON object is refused in the vendor's shape."""
    answer = api.http.post("/v3/training/style", content=body)
    assert (answer.status_code, answer.json()["reason"]) == (400, "INVALID_REQUEST_BODY")


def test_environment_points_here(api: Api) -> None:
    """The variables of the vendor's own samples lead to the sandbox."""
    assert api.sandbox.env["NOVITA_API_URI"] == api.sandbox.base_url
    assert api.sandbox.env["NOVITA_API_KEY"] == KEY["Authorization"].removeprefix("Bearer ")


def test_models(api: Api) -> None:
    """The catalogue has public checkpoints and trained LoRAs, which filters tell apart."""
    name = api.trained()
    mine = api.get("/v3/model", filter__visibility="private", filter__types="lora", filter__source="training")["models"]
    assert [(model["sd_name"], model["name"], model["status"]) for model in mine] == [(name, "my-training", 1)]
    assert mine[0]["sd_name_in_api"] == name.removesuffix(".safetensors")
    assert (mine[0]["base_model"], mine[0]["is_sdxl"]) == ("SD 1.5", False)
    public = api.get("/v3/model", filter__visibility="public", filter__is_sdxl="true", filter__is_inpainting="False")
    assert {model["type"]["name"] for model in public["models"]} == {"checkpoint"}
    assert all(model["is_sdxl"] for model in public["models"])
    found = api.get("/v3/model", filter__type="checkpoint", filter__query="DREAMSHAPER_8")["models"]
    assert [model["sd_name"] for model in found] == ["dreamshaper_8_93211.safetensors"]
    assert api.get("/v3/model", filter__is_inpainting="true")["models"] == []


def test_model_on_its_way_is_unavailable(api: Api) -> None:
    """A LoRA that is being deployed is in the catalogue, but not available."""
    api.train()
    assert api.get("/v3/model", filter__types="lora")["models"] == []
    api.advance(DONE - 10)
    assert api.get("/v3/model", filter__types="lora")["models"][0]["status"] == 0


def test_models_are_paged(api: Api) -> None:
    """The catalogue is read page by page, as the list of trainings is."""
    first = api.get("/v3/model", pagination__limit="10")
    second = api.get("/v3/model", pagination__limit="10", pagination__cursor=first["pagination"]["next_cursor"])
    assert (len(first["models"]), len(second["models"])) == (10, 7)


def test_switches(api: Api) -> None:
    """A switch takes only its own positions, and an unknown one is a KeyError."""
    vendor = api.sandbox.vendors["novita"]
    for name, value in [("training_outcome", "MAYBE"), ("stuck_deploying", 1), ("list_lag", -1), ("balance", True)]:
        with pytest.raises(ValueError, match=name):
            vendor.set_switch(name, value)
    with pytest.raises(KeyError):
        vendor.set_switch("gravity", 1)
    vendor.set_switch("training_seconds", 5)
    assert vendor.switches()["training_seconds"] == 5


def test_webhook(api: Api) -> None:
    """The receiver hears once of a task's end, in the form of a result, and again if it answers with an error."""
    with Receiver([500, 302]) as receiver:
        task_id = api.generate({"webhook": {"url": receiver.url}})
        api.advance(MADE)
        events = [receiver.event() for _ in range(3)]
    assert events[0] == events[1] == events[2]
    assert events[0]["event_type"] == "ASYNC_TASK_RESULT"
    payload = events[0]["payload"]
    assert (payload["task"]["task_id"], payload["task"]["status"]) == (task_id, "TASK_STATUS_SUCCEED")
    assert payload["extra"]["webhook"] == {"url": receiver.url}
    assert receiver.posts.empty()


@pytest.fixture
def given_up() -> Iterator[Queue[logging.LogRecord]]:
    """What the webhooks log, as it comes from the server's thread."""
    records: Queue[logging.LogRecord] = Queue()
    handler, logger = QueueHandler(records), logging.getLogger("unified_train.sandbox.novita.webhook")
    logger.addHandler(handler)
    yield records
    logger.removeHandler(handler)


def test_webhook_gives_up(api: Api, given_up: Queue[logging.LogRecord]) -> None:
    """After five retries the receiver is left alone."""
    with Receiver([500] * 7) as receiver:
        api.generate({"webhook": {"url": receiver.url, "test_mode": {"enabled": False}}})
        api.advance(MADE)
        assert "5 retries" in given_up.get(timeout=5).getMessage()
    assert receiver.posts.qsize() == 6


def test_webhook_to_nobody(api: Api, given_up: Queue[logging.LogRecord]) -> None:
    """A receiver that is not there harms nobody: the task has its result."""
    task_id = api.generate({"webhook": {"url": "http://127.0.0.1:9/"}})
    api.advance(MADE)
    assert given_up.get(timeout=5)
    assert api.result(task_id)["task"]["status"] == "TASK_STATUS_SUCCEED"


@pytest.mark.parametrize("status", ["TASK_STATUS_SUCCEED", "TASK_STATUS_FAILED"])
def test_webhook_test_mode(api: Api, status: str) -> None:
    """Test mode reports the wanted end at once; nothing runs and nothing is billed."""
    with Receiver([]) as receiver:
        mode = {"enabled": True, "return_task_status": status}
        task_id = api.generate({"webhook": {"url": receiver.url, "test_mode": mode}})
        payload = receiver.event()["payload"]
    assert (payload["task"]["task_id"], payload["task"]["status"]) == (task_id, status)
    assert api.sandbox.world.submissions == []


def test_webhook_is_silenced_by_a_reset(api: Api) -> None:
    """What was asked for before a reset is not reported after it."""
    with Receiver([]) as receiver:
        api.generate({"webhook": {"url": receiver.url}})
        api.sandbox.reset()
        api.sandbox.world.clock.advance(MADE)
        api.sandbox.world.clock.freeze()
        api.generate(
            {
                "webhook": {
                    "url": receiver.url,
                    "test_mode": {"enabled": True, "return_task_status": "TASK_STATUS_FAILED"},
                }
            }
        )
        assert receiver.event()["payload"]["task"]["status"] == "TASK_STATUS_FAILED"
    assert receiver.posts.empty()


@pytest.mark.parametrize(
    ("webhook", "message"),
    [
        ({}, "extra.webhook.url: is required"),
        ({"url": "ftp://x"}, "extra.webhook.url: must be an http or https URL"),
        (
            {"url": "http://x", "test_mode": {"enabled": True}},
            "extra.webhook.test_mode.return_task_status: is required",
        ),
        ({"url": "http://x", "test_mode": {"enabled": True, "return_task_status": "DONE"}}, "extra.webhook.test_mode."),
    ],
)
def test_webhook_is_checked(api: Api, webhook: dict[str, object], message: str) -> None:
    """A webhook needs a web URL, and test mode a status to report."""
    assert api.refused("/v3/async/txt2img", generation_body({"webhook": webhook}))[2].startswith(message)
