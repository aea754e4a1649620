"""Novita's protocol for trainings, request by request: each flow is driven by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from helpers import png
from novita_flow import LORA, SLOT, UPLOAD_URL, Talk, job, provider, training, uploaded

from unified_train import (
    DatasetError,
    Effect,
    Image,
    InvalidOptions,
    MalformedResponse,
    Moment,
    PermissionDenied,
    Status,
    TrainingRequest,
    UnsupportedCapability,
)
from unified_train_novita.options import NovitaTraining

if TYPE_CHECKING:
    from unified_train_novita.provider import Novita


@pytest.fixture
def novita() -> Novita:
    return provider()


def test_key_goes_into_one_header(novita: Novita) -> None:
    """Signing adds the bearer key, and on a GET the content type that the documentation asks for."""
    moment = Moment(datetime.now(UTC), "nonce")
    read = novita.sign(novita.get("/v3/user", "user.read"), moment)
    assert read.headers == {
        "authorization": "Bearer k-SECRET-k",
        "accept": "application/json",
        "content-type": "application/json",
    }
    write = novita.sign(novita.post("/v3/x", "x", {}, effect=Effect.CREATE), moment)
    assert "content-type" not in write.headers


def test_key_is_in_no_repr(novita: Novita) -> None:
    """The key shows in no representation of settings or requests."""
    request = novita.sign(novita.get("/v3/user", "user.read"), Moment(datetime.now(UTC), "nonce"))
    assert "SECRET" not in repr(novita.settings) + repr(request)


# -- uploading ---------------------------------------------------------------------------------------------------------


def test_upload_asks_then_puts(novita: Novita) -> None:
    """An upload is a slot by extension, then the unchanged bytes to the URL given, without any credentials."""
    talk, image = Talk(SLOT, b""), Image.of(png(), caption="a cat", name="cat.jpg")
    taken = talk.run(novita.upload(image))
    slot, put = talk.requests
    assert (slot.method, slot.url, talk.body(0)) == (
        "POST",
        "https://api.novita.ai/v3/assets/training_dataset",
        {"file_extension": "png"},
    )
    assert (slot.effect, slot.signed, slot.operation) == (Effect.REPEATABLE, True, "upload.slot")
    assert (put.method, put.url, put.signed, put.effect) == ("PUT", UPLOAD_URL, False, Effect.REPEATABLE)
    assert put.body is not None
    assert (put.body.read(), put.body.media_type, put.headers) == (png(), "image/png", {})
    assert (taken.id, taken.name, taken.caption) == (SLOT["assets_id"], "cat.jpg", "a cat")
    assert taken.sha256 == image.sha256


def test_jpg_is_jpeg(novita: Novita) -> None:
    """The extension is read from the bytes, and a JPEG is called jpeg, since jpg is refused."""
    talk = Talk(SLOT, b"")
    start = b"\xff\xd8\xff\xc0\x00\x0b\x08\x00\x08\x00\x08\x01\x01\x11\x00"
    talk.run(novita.upload(Image.of(start, name="photo.jpg")))
    assert talk.body(0) == {"file_extension": "jpeg"}


def test_expired_slot_is_replaced_once(novita: Novita) -> None:
    """If storage refuses the URL, a new slot is asked for, with a new id; a second refusal is raised."""
    image = Image.of(png())
    talk = Talk(SLOT, PermissionDenied("expired"), SLOT | {"assets_id": "second"}, b"")
    assert talk.run(novita.upload(image)).id == "second"
    with pytest.raises(PermissionDenied):
        Talk(SLOT, PermissionDenied("expired"), SLOT, PermissionDenied("expired")).run(novita.upload(image))


@pytest.mark.parametrize("assets_id", [100024, "100024", "#1"])
def test_asset_id_returns_as_it_came(novita: Novita, assets_id: object) -> None:
    """An asset id that came as an integer is sent back as one, and a string as a string."""
    taken = Talk(SLOT | {"assets_id": assets_id}, b"").run(novita.upload(Image.of(png(), caption="a cat")))
    talk = Talk({"task_id": "t1"})
    talk.run(novita.start(training([taken]), NovitaTraining()))
    assert talk.body()["image_dataset_items"][0]["assets_id"] == assets_id


def test_slot_decides_method_and_headers(novita: Novita) -> None:
    """The slot's method is obeyed, and so are its headers, except those that HTTP or nobody should send."""
    headers = {
        "Host": {"values": ["x"]},
        "x-amz-acl": {"values": ["private"]},
        "Authorization": {"values": ["k"]},
        "odd": 1,
    }
    talk = Talk(SLOT | {"method": "POST", "headers": headers}, b"")
    talk.run(novita.upload(Image.of(png())))
    assert (talk.requests[1].method, talk.requests[1].headers) == ("POST", {"x-amz-acl": "private"})


@pytest.mark.parametrize(
    "change", [{"assets_id": None}, {"assets_id": True}, {"upload_url": "ftp://x"}, {"upload_url": None}]
)
def test_slot_that_can_not_be_used(novita: Novita, change: dict[str, object]) -> None:
    """A slot without an id or without a web URL is a malformed answer."""
    with pytest.raises(MalformedResponse):
        Talk(SLOT | change).run(novita.upload(Image.of(png())))


# -- starting a training -----------------------------------------------------------------------------------------------


def test_style_training(novita: Novita) -> None:
    """A style training is one paid POST with captions, numbers as numbers and component arguments as strings."""
    talk = Talk({"task_id": "t1"})
    options = NovitaTraining(train_batch_size=1, lr_scheduler="constant", lr_warmup_steps=0)
    asked = training(steps=800, learning_rate=1e-4, seed=42, base_model="dreamshaper_8_93211", resolution=640)
    snapshot = talk.run(novita.start(asked, options))
    request = talk.requests[0]
    assert (request.method, request.url) == ("POST", "https://api.novita.ai/v3/training/style")
    assert (request.effect, request.signed, request.operation) == (Effect.PAY, True, "training.start")
    size = [{"name": "width", "value": "640"}, {"name": "height", "value": "640"}]
    assert talk.body() == {
        "name": "cats",
        "base_model": "dreamshaper_8_93211",
        "width": 640,
        "height": 640,
        "image_dataset_items": [{"assets_id": "asset0", "caption": "utStyle, a cat"}],
        "expert_setting": {
            "max_train_steps": 800,
            "learning_rate": 0.0001,
            "seed": 42,
            "train_batch_size": 1,
            "lr_scheduler": "constant",
            "lr_warmup_steps": 0,
        },
        "components": [{"name": "resize", "args": size}],
    }
    assert (snapshot.id, snapshot.status, snapshot.base_model) == ("style/t1", Status.QUEUED, "dreamshaper_8_93211")
    assert snapshot.notes == ()


def test_subject_training(novita: Novita) -> None:
    """A subject training of a person has an instance prompt, the one class, and settings that style has not."""
    talk = Talk({"task_id": "t1"})
    options = NovitaTraining(
        with_prior_preservation=True, prior_loss_weight=0.5, lora_alpha=16, train_text_encoder=False
    )
    asked = training(uploaded(None, "smiling"), kind="subject", trigger="ohwx", class_word="woman", rank=8)
    snapshot = talk.run(novita.start(asked, options))
    assert talk.requests[0].url.endswith("/v3/training/subject")
    body = talk.body()
    assert body["expert_setting"] == {
        "instance_prompt": "a close photo of ohwx woman",
        "class_prompt": "person",
        "with_prior_preservation": True,
        "prior_loss_weight": 0.5,
        "train_text_encoder": False,
        "lora_r": 8,
        "lora_alpha": 16,
    }
    assert body["image_dataset_items"] == [{"assets_id": "asset0"}, {"assets_id": "asset1", "caption": "smiling"}]
    assert (snapshot.id, snapshot.notes) == ("subject/t1", ())


def test_defaults_follow_the_base_model(novita: Novita) -> None:
    """Unless told, the training is on the vendor's advised model; SDXL is trained at its own size."""
    for base_model, side in [(None, 512), ("stable-diffusion-xl-base-1.0", 1024), ("somebody-new", 512)]:
        talk = Talk({"task_id": "t1"})
        snapshot = talk.run(novita.start(training(base_model=base_model), NovitaTraining()))
        body = talk.body()
        assert (body["width"], body["height"]) == (side, side)
        assert body["base_model"] == snapshot.base_model == (base_model or "v1-5-pruned-emaonly")


def test_components_and_sizes_of_ones_own(novita: Novita) -> None:
    """The user's components replace the resizing, and width and height may differ."""
    talk = Talk({"data": {"task_id": "t1"}, "code": 0, "msg": ""})
    options = NovitaTraining.model_validate(
        {"width": 640, "height": 512, "components": [{"name": "face_crop_region", "args": {"ratio": 1.4}}]}
    )
    assert talk.run(novita.start(training(), options)).id == "style/t1"
    assert talk.body()["components"] == [{"name": "face_crop_region", "args": [{"name": "ratio", "value": "1.4"}]}]
    assert (talk.body()["width"], talk.body()["height"]) == (640, 512)


def test_other_subjects_go_to_the_style_training(novita: Novita) -> None:
    """A subject that is no person is trained as a style, with its words in every caption, and the job says so."""
    talk = Talk({"task_id": "t1"})
    images = uploaded("ohwx asleep", "in the sun", None)
    snapshot = talk.run(
        novita.start(training(images, kind="subject", trigger="ohwx", class_word="cat"), NovitaTraining())
    )
    captions = [item["caption"] for item in talk.body()["image_dataset_items"]]
    assert captions == ["ohwx asleep", "ohwx cat, in the sun", "ohwx cat"]
    assert snapshot.id == "style/t1"
    assert ["persons" in snapshot.notes[0], "'ohwx cat'" in snapshot.notes[1]] == [True, True]


def test_endpoint_can_be_chosen(novita: Novita) -> None:
    """Which of the two trainings is used can be said outright."""
    talk = Talk({"task_id": "t1"})
    asked = training(kind="subject", trigger="ohwx", class_word="cat")
    talk.run(novita.start(asked, NovitaTraining(endpoint="subject", instance_prompt="ohwx cat")))
    assert talk.requests[0].url.endswith("/subject")
    assert talk.body()["expert_setting"]["instance_prompt"] == "ohwx cat"


def test_subject_without_a_class_word_is_taken_for_a_person(novita: Novita) -> None:
    """Without a class word the subject training is used, with a note that it knows only persons."""
    talk = Talk({"task_id": "t1"})
    snapshot = talk.run(novita.start(training(kind="subject", trigger="ohwx"), NovitaTraining()))
    assert talk.body()["expert_setting"]["instance_prompt"] == "a close photo of ohwx person"
    assert "class word" in snapshot.notes[0]


def test_undocumented_learning_rate_is_sent_and_noted(novita: Novita) -> None:
    """A learning rate that is none of the five documented ones is sent all the same, with a note."""
    talk = Talk({"task_id": "t1"})
    snapshot = talk.run(novita.start(training(learning_rate=3e-4), NovitaTraining()))
    assert talk.body()["expert_setting"] == {"learning_rate": 0.0003}
    assert snapshot.notes[0].endswith("1e-06, 1e-05, 5e-05, 0.0001, 0.0002")


def test_images_must_be_uploaded(novita: Novita) -> None:
    """An image that was not uploaded can't be trained on."""
    with pytest.raises(DatasetError, match="not uploaded"):
        next(novita.start(training([Image.of(png(), caption="x")]), NovitaTraining()))


@pytest.mark.parametrize("body", [{}, {"task_id": ""}, {"task_id": None}, {"code": 0, "data": {}}, [], b"<html>", b""])
def test_accepted_without_an_id(novita: Novita, body: object) -> None:
    """An acceptance without an id is malformed, from which the core concludes that it may have been billed."""
    with pytest.raises(MalformedResponse):
        Talk(body).run(novita.start(training(), NovitaTraining()))


SUBJECT_INSTEAD = r"leave it out, or use the subject training, which has it but is made for persons: "
STYLE_REFUSALS: list[tuple[TrainingRequest, NovitaTraining, type[Exception], str]] = [
    (training(rank=8), NovitaTraining(), UnsupportedCapability, f"no rank; {SUBJECT_INSTEAD}kind='subject'"),
    (
        training(),
        NovitaTraining(lora_alpha=8, instance_prompt="x"),
        UnsupportedCapability,
        "no instance_prompt, lora_alpha;",
    ),
    (
        training(kind="subject", class_word="dog", rank=8),
        NovitaTraining(),
        UnsupportedCapability,
        f"no rank; {SUBJECT_INSTEAD}extra={{'novita': {{'endpoint': 'subject'}}}}",
    ),
    (training(rank=8, class_word="dog"), NovitaTraining(), UnsupportedCapability, "'endpoint': 'subject'"),
    (training(rank=8), NovitaTraining(endpoint="style"), UnsupportedCapability, "'endpoint': 'subject'"),
    (training(uploaded("a", None)), NovitaTraining(), DatasetError, "1.png: Novita's style training needs a caption"),
    (training(uploaded("a" * 1025)), NovitaTraining(), DatasetError, "a caption of 1025 characters"),
    (training(uploaded("a" * 1020), trigger="ohwx"), NovitaTraining(), DatasetError, "a caption of 1026 characters"),
    (training(kind="subject"), NovitaTraining(), InvalidOptions, "trigger such as 'ohwx'"),
    (training(uploaded("a" * 1025), kind="subject", trigger="o"), NovitaTraining(), DatasetError, "1025 characters"),
]


@pytest.mark.parametrize(("request_", "options", "error", "words"), STYLE_REFUSALS)
def test_training_that_would_be_refused(
    novita: Novita, request_: TrainingRequest, options: NovitaTraining, error: type[Exception], words: str
) -> None:
    """What one of the two trainings does not take is told before anything is sent."""
    with pytest.raises(error, match=words):
        novita.check_training(request_, options)


def test_training_that_is_fine(novita: Novita) -> None:
    """A training with captions, or a subject with a trigger, passes the checks."""
    novita.check_training(training(), NovitaTraining())
    novita.check_training(
        training(kind="subject", trigger="ohwx", class_word="man", rank=8), NovitaTraining(lora_alpha=8)
    )


# -- following a training ----------------------------------------------------------------------------------------------


def test_training_poll(novita: Novita) -> None:
    """A training is asked for by kind and id, and its progress and estimate are told while it runs."""
    talk = Talk({"task_status": "TRAINING", "models": [], "extra": {"eta_relative": 240, "progress_percent": 60}})
    snapshot = talk.run(novita.poll(job("subject/t1")))
    request = talk.requests[0]
    assert (request.method, request.url_with_query) == (
        "GET",
        "https://api.novita.ai/v3/training/subject?task_id=t1",
    )
    assert request.effect is Effect.READ
    assert (snapshot.status, snapshot.progress, snapshot.eta) == (Status.RUNNING, 0.6, 240)


def test_served_training_has_a_model(novita: Novita) -> None:
    """Only a model that serves is on the snapshot, by its exact name and with what the job knows of it."""
    models = [{"model_name": "a", "model_status": "DEPLOYING"}, {"model_name": LORA, "model_status": "SERVING"}]
    extra = {"eta_relative": 0, "progress_percent": 100}
    told = {"task_status": "SUCCESS", "models": models, "extra": extra}
    known = job(name="cats", trigger="ohwx", base_model="dreamshaper_8_93211")
    snapshot = Talk(told).run(novita.poll(known))
    assert snapshot.status is Status.SUCCEEDED
    assert snapshot.model == known.trained(LORA)
    told["models"] = models[:1]
    deploying = Talk(told).run(novita.poll(known))
    assert (deploying.model, deploying.phase, deploying.progress) == (None, "deploying", 0.99)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"models": None, "extra": None},
        {"models": "x", "extra": [1]},
        {"models": [None, 1], "extra": {"eta_relative": "soon", "progress_percent": None}},
        {"models": [], "extra": {"eta_relative": -1, "progress_percent": True}},
        {"extra": {"eta_relative": "", "progress_percent": "NaN"}},
        {"extra": {"eta_relative": 10**400}, "new_field": {"a": 1}},
    ],
)
def test_poll_tolerates_what_may_be_missing(novita: Novita, fields: dict[str, object]) -> None:
    """A state without models and extra, or with nonsense in them, is still a state."""
    snapshot = Talk({"task_status": "TRAINING"} | fields).run(novita.poll(job()))
    assert (snapshot.status, snapshot.progress, snapshot.eta) == (Status.RUNNING, None, None)


def test_numbers_may_be_strings(novita: Novita) -> None:
    """Progress and estimate are understood in strings too, and progress stays within its bounds."""
    told = {"task_status": "TRAINING", "extra": {"eta_relative": "240", "progress_percent": "140"}}
    snapshot = Talk(told).run(novita.poll(job()))
    assert (snapshot.progress, snapshot.eta) == (0.99, 240)


@pytest.mark.parametrize("status", ["FAILED", "CANCELED", "UNKNOWN"])
def test_progress_of_what_does_not_run(novita: Novita, status: str) -> None:
    """A job that failed, was canceled or is unknown reports no progress."""
    told = {"task_status": status, "extra": {"progress_percent": 50}}
    assert Talk(told).run(novita.poll(job())).progress is None


@pytest.mark.parametrize(
    "body",
    [{}, {"task_status": None}, [], b"<html>", {"task_status": "SUCCESS", "models": [{"model_status": "SERVING"}]}],
)
def test_state_that_can_not_be_read(novita: Novita, body: object) -> None:
    """A state without a status, or a serving model without a name, is malformed."""
    with pytest.raises(MalformedResponse):
        Talk(body).run(novita.poll(job()))


@pytest.mark.parametrize("id_", ["t1", "face/t1", "style/", "/t1"])
def test_reference_needs_the_kind(novita: Novita, id_: str) -> None:
    """A training's id without one of the two kinds can't be asked for, and the message says how it looks."""
    with pytest.raises(InvalidOptions, match="style/<task id>"):
        next(novita.poll(job(id_)))
