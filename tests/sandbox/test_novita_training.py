"""The emulated Novita trains as the vendor's documentation says: uploads, checks, timeline, listing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from helpers import png
from novita_api import BASE, DONE, Api, training_body

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unified_train.sandbox import Sandbox


@pytest.fixture
def api(sandbox: Sandbox) -> Iterator[Api]:
    with Api(sandbox) as api:
        yield api


def test_upload_slot_is_presigned_put(api: Api) -> None:
    """An upload is a slot with an opaque id, a signed URL of its own and the method PUT, good for ten minutes."""
    slot = api.post("/v3/assets/training_dataset", {"file_extension": "webp"})
    assert len(slot["assets_id"]) == 32
    assert slot["method"] == "PUT"
    assert slot["headers"]["Host"]["values"] == [api.sandbox.base_url.removeprefix("http://")]
    assert "/faas-training-dataset/prod/" in slot["upload_url"]
    assert "X-Amz-Expires=600" in slot["upload_url"]
    api.advance(601)
    assert api.bare.put(slot["upload_url"], content=png()).status_code == 403


def test_storage_refuses_the_key(api: Api) -> None:
    """Storage answers 400 to a request that carries the API key besides the signature."""
    slot = api.post("/v3/assets/training_dataset", {"file_extension": "png"})
    assert api.http.put(slot["upload_url"], content=png()).status_code == 400


@pytest.mark.parametrize("extension", ["jpg", "gif", "", None, 3])
def test_extension_enum(api: Api, extension: object) -> None:
    """Only png, webp and jpeg are extensions; jpg is none."""
    status, reason, message = api.refused("/v3/assets/training_dataset", {"file_extension": extension})
    assert (status, reason) == (400, "INVALID_REQUEST_BODY")
    assert message.startswith("file_extension: ")


@pytest.mark.parametrize("kind", ["style", "subject"])
def test_timeline(api: Api, kind: str) -> None:
    """A training queues, trains with rising progress, succeeds without a model, deploys it, and then serves it."""
    task_id = api.train(kind)
    seen = []
    for _ in range(25):
        told = api.state(task_id, kind)
        assert told["task_id"] == task_id
        models = told["models"]
        seen.append((told["task_status"], models[0]["model_status"] if models else None, told["extra"]))
        api.advance(DONE / 24)
    stages = list(dict.fromkeys((task, model) for task, model, _ in seen))
    assert stages == [
        ("QUEUING", None),
        ("TRAINING", None),
        ("SUCCESS", None),
        ("SUCCESS", "DEPLOYING"),
        ("SUCCESS", "SERVING"),
    ]
    progress = [extra["progress_percent"] for _, _, extra in seen]
    assert progress == sorted(progress)
    assert (progress[0], progress[-1]) == (0, 100)
    assert seen[0][2]["eta_relative"] == 1080


def test_model_name_is_file_name(api: Api) -> None:
    """A trained model is named by a time, ten hexadecimal digits and an extension."""
    assert api.trained().startswith("model_")
    assert api.trained().endswith(".safetensors")


@pytest.mark.parametrize("outcome", ["FAILED", "CANCELED"])
def test_other_endings(api: Api, outcome: str) -> None:
    """A training can end without a model, and the vendor gives no reason."""
    api.switch(training_outcome=outcome)
    task_id = api.train()
    api.advance(DONE)
    expected = {"task_id": task_id, "task_status": outcome, "model_type": "lora", "models": []}
    assert api.state(task_id) == expected


def test_stuck_deploying(api: Api) -> None:
    """A model can stay on its way to the servers for ever."""
    api.switch(stuck_deploying=True)
    task_id = api.train()
    api.advance(100 * DONE)
    assert api.state(task_id)["models"][0]["model_status"] == "DEPLOYING"


def test_immediate_training(api: Api) -> None:
    """With no seconds to train, a training serves at once."""
    api.switch(training_seconds=0)
    assert api.state(api.train())["models"][0]["model_status"] == "SERVING"


def test_unknown_blips(api: Api) -> None:
    """Every second look at an unfinished training can see UNKNOWN; a finished one never does."""
    api.switch(unknown_blips=True)
    task_id = api.train()
    words = [api.state(task_id)["task_status"] for _ in range(4)]
    assert words == ["UNKNOWN", "QUEUING", "UNKNOWN", "QUEUING"]
    api.advance(DONE)
    assert {api.state(task_id)["task_status"] for _ in range(4)} == {"SUCCESS"}


def test_shapes_that_clients_must_survive(api: Api) -> None:
    """Fields can be missing and numbers can be strings, if the account is switched so."""
    api.switch(without_extra=True, without_models=True)
    task_id = api.train()
    assert set(api.state(task_id)) == {"task_id", "task_status", "model_type"}
    api.switch(without_extra=False, numbers_as_strings=True)
    assert api.state(task_id)["extra"] == {"eta_relative": "1080", "progress_percent": "0"}
    assert api.get("/v3/training")["tasks"][0]["created_at"].isdecimal()


def test_wrapped_submit(api: Api) -> None:
    """An accepted job can be answered in the older wrapping."""
    api.switch(wrapped_submit=True)
    told = api.post("/v3/training/style", training_body(api.upload()))
    assert (told["code"], told["msg"], list(told["data"])) == (0, "", ["task_id"])


def test_integer_assets(api: Api) -> None:
    """Asset ids can be integers, and then the same digits in a string are another id."""
    api.switch(assets_id_as_int=True)
    asset = api.upload()
    assert isinstance(asset, int)
    api.post("/v3/training/style", training_body(asset))
    assert api.refused("/v3/training/style", training_body(str(asset)))[0] == 400


def test_kinds_answer_for_themselves(api: Api) -> None:
    """Asking for a style training where subjects are kept finds nothing."""
    task_id = api.train("style")
    answer = api.http.get("/v3/training/subject", params={"task_id": task_id})
    assert (answer.status_code, answer.json()["reason"]) == (404, "TASK_NOT_FOUND")
    assert api.http.get("/v3/training/style").json()["message"] == "task_id: is required"


EXPERT: list[tuple[str, object]] = [
    ("train_batch_size", 5),
    ("learning_rate", "fast"),
    ("learning_rate", 0),
    ("learning_rate", True),
    ("max_train_steps", 0),
    ("max_train_steps", "100"),
    ("seed", -1),
    ("lr_scheduler", "linear-ish"),
    ("lr_warmup_steps", -1),
    ("class_prompt", "cat"),
    ("class_prompt", None),
    ("instance_prompt", None),
    ("instance_prompt", ""),
    ("with_prior_preservation", 1),
    ("train_text_encoder", "yes"),
    ("prior_loss_weight", 0),
    ("lora_r", 3),
    ("lora_alpha", 129),
    ("lora_text_encoder_r", 4.5),
    ("lora_text_encoder_alpha", True),
]


@pytest.mark.parametrize(("name", "value"), EXPERT)
def test_expert_settings_are_checked(api: Api, name: str, value: object) -> None:
    """Each expert setting outside its range or of a wrong type is refused by its name."""
    body = training_body(api.upload(), "subject")
    body["expert_setting"][name] = value
    status, reason, message = api.refused("/v3/training/subject", body)
    assert (status, reason) == (400, "INVALID_REQUEST_BODY")
    assert message.startswith(f"expert_setting.{name}: ")


FIELDS: list[tuple[dict[str, object], str]] = [
    ({"name": ""}, "name: "),
    ({"name": 5}, "name: must be a string"),
    ({"base_model": "v1-5-pruned-emaonly.safetensors"}, "base_model: must be one of"),
    ({"width": 0}, "width: must be at least 1"),
    ({"height": None}, "height: is required"),
    ({"image_dataset_items": []}, "image_dataset_items: must have 1 to 50 items"),
    ({"image_dataset_items": [{"assets_id": "x"}] * 51}, "image_dataset_items: must have at most 50 items"),
    ({"image_dataset_items": "x"}, "image_dataset_items: must be an array"),
    ({"image_dataset_items": [{}]}, "image_dataset_items[0].assets_id: is required"),
    ({"image_dataset_items": [{"assets_id": True}]}, "image_dataset_items[0].assets_id: is required"),
    ({"image_dataset_items": [{"assets_id": "nobody"}]}, "image_dataset_items[0].assets_id: is not uploaded"),
    ({"image_dataset_items": [{"assets_id": "x", "caption": "y" * 1025}]}, "image_dataset_items[0].caption: "),
    ({"expert_setting": 3}, "expert_setting: must be an object"),
    ({"components": [{"name": "crop", "args": []}]}, "components[0].name: must be one of"),
    ({"components": [{"name": "resize", "args": [{"name": "width", "value": 512}]}]}, "components[0].args[0].value: "),
]


@pytest.mark.parametrize(("changes", "message"), FIELDS)
def test_fields_are_checked(api: Api, changes: dict[str, Any], message: str) -> None:
    """Each field of a training outside its range or of a wrong type is refused by its name, and nothing is billed."""
    status, reason, told = api.refused("/v3/training/style", training_body(api.upload(), **changes))
    assert (status, reason) == (400, "INVALID_REQUEST_BODY")
    assert told.startswith(message)
    assert api.sandbox.world.submissions == []


def test_what_the_vendors_sdk_sends_is_taken(api: Api) -> None:
    """Nulls count as absent and unknown keys are ignored; a number in a string is a learning rate."""
    expert = {"learning_rate": "3e-4", "seed": None, "lora_r": None, "who": 1}
    body = training_body(api.upload(), components=None, expert_setting=expert, extra={"a": 1})
    del body["image_dataset_items"][0]["caption"]
    assert api.post("/v3/training/style", body)["task_id"]
    assert api.post("/v3/training/style", training_body(api.upload(), expert_setting=None))["task_id"]


def test_strict_captions(api: Api) -> None:
    """Style trainings can be made to need a caption for each image; subjects never do."""
    api.switch(strict_captions=True)
    items = [{"assets_id": api.upload()}]
    refused = api.refused("/v3/training/style", training_body("", image_dataset_items=items))
    assert refused[2] == "image_dataset_items[0].caption: is required"
    assert api.train("subject", image_dataset_items=items)


def test_asset_without_bytes(api: Api) -> None:
    """An asset that was promised but not uploaded, or is no picture, is refused, or fails the training later."""
    empty = api.post("/v3/assets/training_dataset", {"file_extension": "png"})["assets_id"]
    no_picture = api.upload(b"<html>")
    assert api.refused("/v3/training/style", training_body(empty))[1] == "INVALID_REQUEST_BODY"
    assert api.refused("/v3/training/style", training_body(no_picture))[1] == "INVALID_IMAGE_FORMAT"
    api.switch(missing_asset="later")
    task_id = api.post("/v3/training/style", training_body(empty))["task_id"]
    api.advance(DONE)
    assert api.state(task_id)["task_status"] == "FAILED"


def test_submissions_are_counted(api: Api) -> None:
    """Every accepted training is on the record of paid requests, with its name."""
    task_id = api.train()
    found = [(one.vendor, one.kind, one.id, one.name) for one in api.sandbox.world.submissions]
    assert found == [("novita", "training", task_id, "my-training")]


def test_balance_used_up(api: Api) -> None:
    """Without balance a training is refused with 400, and the account's two balances say so."""
    api.switch(balance=0)
    asset = api.upload()
    assert api.refused("/v3/training/style", training_body(asset))[:2] == (400, "BILLING_BALANCE_NOT_ENOUGH")
    assert api.get("/v3/user")["credit_balance"] == 0
    assert api.get("/openapi/v1/billing/balance/detail")["availableBalance"] == "0"


def test_list_is_newest_first_and_has_no_end_in_its_cursor(api: Api) -> None:
    """A page with anything on it has a next cursor, even the last; an empty page has none."""
    ids = [api.train(kind) for kind in ("style", "subject", "style")]
    first = api.get("/v3/training", pagination__limit="2")
    assert [task["task_id"] for task in first["tasks"]] == [ids[2], ids[1]]
    second = api.get("/v3/training", pagination__limit="2", pagination__cursor=first["pagination"]["next_cursor"])
    assert [task["task_id"] for task in second["tasks"]] == [ids[0]]
    cursor = second["pagination"]["next_cursor"]
    assert cursor == "c_4"
    end = api.get("/v3/training", pagination__limit="2", pagination__cursor=cursor)
    assert end == {"tasks": [], "pagination": {"next_cursor": ""}}


def test_list_shows_what_a_training_is(api: Api) -> None:
    """A listed training has its name, kind, state, time in unix seconds and models."""
    api.trained("subject")
    task = api.get("/v3/training", task_type="subject")["tasks"][0]
    assert (task["task_name"], task["task_type"], task["task_status"]) == ("my-training", "subject", "SUCCESS")
    assert task["created_at"] == pytest.approx(api.sandbox.world.clock.date().timestamp(), abs=60)
    assert task["models"][0]["model_status"] == "SERVING"
    assert api.get("/v3/training", task_type="style")["tasks"] == []


@pytest.mark.parametrize("query", [{"pagination.limit": "0"}, {"pagination.limit": "101"}, {"pagination.limit": "x"}])
def test_list_limits(api: Api, query: dict[str, str]) -> None:
    """A page has 1 to 100 entries."""
    assert api.http.get("/v3/training", params=query).json()["reason"] == "INVALID_REQUEST_BODY"


def test_list_cursor_is_checked(api: Api) -> None:
    """A cursor that the vendor never gave is refused."""
    assert api.http.get("/v3/training", params={"pagination.cursor": "10"}).json()["reason"] == "INVALID_REQUEST_BODY"


def test_lagging_list(api: Api) -> None:
    """A new training may be missing from the list for a while, though it can be asked for."""
    api.switch(list_lag=60)
    task_id = api.train()
    assert api.get("/v3/training")["tasks"] == []
    assert api.state(task_id)["task_status"] == "QUEUING"
    api.advance(61)
    assert [task["task_id"] for task in api.get("/v3/training")["tasks"]] == [task_id]


def test_reset_forgets(api: Api) -> None:
    """A reset forgets all jobs and turns the switches back."""
    api.switch(list_lag=60)
    api.train()
    api.sandbox.reset()
    assert api.get("/v3/training")["tasks"] == []
    assert api.sandbox.vendors["novita"].switches()["list_lag"] == 0


def test_every_base_model_can_be_trained(api: Api) -> None:
    """All 17 models of the vendor's list are taken."""
    from unified_train.sandbox.novita.facts import BASE_MODELS

    assert len(BASE_MODELS) == 17
    assert all(api.train(base_model=name) for name in [BASE, *BASE_MODELS])
