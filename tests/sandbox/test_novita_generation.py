"""The emulated Novita generates as the vendor's documentation says: checks, LoRA rules, timeline, pictures."""

from __future__ import annotations

import base64
import io
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from helpers import png
from novita_api import DONE, MADE, Api, generation_body
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unified_train.sandbox import Sandbox


@pytest.fixture
def api(sandbox: Sandbox) -> Iterator[Api]:
    with Api(sandbox) as api:
        yield api


def lora(name: str, strength: float = 1) -> list[dict[str, Any]]:
    return [{"model_name": name, "strength": strength}]


def test_timeline(api: Api) -> None:
    """A generation queues, works with a rising progress, and succeeds with a progress of 0."""
    task_id = api.generate()
    queued = api.result(task_id)
    expected = {"status": "TASK_STATUS_QUEUED", "reason": "", "eta": 0, "progress_percent": 0}
    assert queued["task"] == {"task_id": task_id, "task_type": "TXT_TO_IMG", **expected}
    assert (queued["images"], queued["videos"], queued["audios"]) == ([], [], [])
    assert queued["extra"]["seed"] == ""
    api.advance(MADE / 2)
    working = api.result(task_id)["task"]
    assert (working["status"], working["progress_percent"], working["eta"]) == ("TASK_STATUS_PROCESSING", 50, 10)
    api.advance(MADE / 2)
    done = api.result(task_id)
    assert (done["task"]["status"], done["task"]["progress_percent"]) == ("TASK_STATUS_SUCCEED", 0)
    assert done["extra"]["seed"] == "7"
    assert done["images"][0]["image_url_ttl"] == "3600"
    assert done["images"][0]["nsfw_detection_result"] is None


def test_pictures_are_signed_afresh_and_expire(api: Api) -> None:
    """Each look gives another URL to the same picture, good for an hour and only without the API key."""
    task_id = api.generate()
    api.advance(MADE)
    first, second = (api.result(task_id)["images"][0]["image_url"] for _ in range(2))
    assert first != second
    assert api.bare.get(first).content == api.bare.get(second).content
    assert api.http.get(first).status_code == 400
    api.advance(3601)
    assert api.bare.get(first).status_code == 403
    assert api.pictures(task_id)[0].status_code == 200


@pytest.mark.parametrize("image_type", ["png", "webp", "jpeg"])
def test_pictures_have_the_asked_kind_and_size(api: Api, image_type: str) -> None:
    """A picture is of the asked kind, in bytes and media type, and of the asked size."""
    task_id = api.generate({"response_image_type": image_type}, width=192)
    api.advance(MADE)
    answer = api.pictures(task_id)[0]
    assert answer.headers["content-type"] == f"image/{image_type}"
    with Image.open(io.BytesIO(answer.content)) as picture:
        assert (picture.format, picture.size) == (image_type.upper(), (192, 128))


def test_seeds_decide(api: Api) -> None:
    """Picture k of a task is the picture of seed + k, and the same seed gives the same bytes."""
    name = api.trained()
    three = api.generate(image_num=3, loras=lora(name))
    third = api.generate(seed=9, loras=lora(name))
    api.advance(MADE)
    assert [answer.content for answer in api.pictures(three)][2] == api.pictures(third)[0].content
    assert len({answer.content for answer in api.pictures(three)}) == 3


@pytest.mark.parametrize("seed", [-1, None])
def test_random_seed_is_told(api: Api, seed: int | None) -> None:
    """Without a seed, or with -1, one is drawn and reported as a string."""
    task_id = api.generate(seed=seed)
    api.advance(MADE)
    assert int(api.result(task_id)["extra"]["seed"]) >= 0


def test_lora_is_taken_by_either_name(api: Api) -> None:
    """A trained LoRA is found with and without its extension, but not in other letters."""
    name = api.trained()
    stem = name.removesuffix(".safetensors")
    tasks = [api.generate(loras=lora(form)) for form in (name, stem, name.upper())]
    api.advance(MADE)
    results = [api.result(task)["task"] for task in tasks]
    assert [one["status"] for one in results] == ["TASK_STATUS_SUCCEED", "TASK_STATUS_SUCCEED", "TASK_STATUS_FAILED"]
    assert results[2]["reason"] == "lora not available"


def test_lora_shows_its_photos(api: Api) -> None:
    """A LoRA changes the picture, and so does a prompt that does not call what was trained."""
    name = api.trained("subject")
    asked = [
        api.generate(prompt="ohwx woman", loras=lora(name)),
        api.generate(prompt="ohwx woman"),
        api.generate(prompt="ohwx woman", loras=lora(name, 0)),
        api.generate(prompt="a woman", loras=lora(name)),
    ]
    api.advance(MADE)
    generations = api.sandbox.vendors["novita"]._account.generations  # type: ignore[attr-defined]
    assert [(len(generations[task].photos), generations[task].faithful) for task in asked] == [
        (1, True),
        (0, False),
        (0, False),
        (1, False),
    ]
    assert all(api.pictures(task)[0].status_code == 200 for task in asked)


def test_lora_that_does_not_serve(api: Api) -> None:
    """A LoRA that is not deployed yet fails the task later, or is refused, as the account is switched."""
    task_id = api.train()
    api.advance(DONE - 10)
    name = api.state(task_id)["models"][0]["model_name"]
    generation = api.generate(loras=lora(name))
    api.advance(MADE)
    assert api.result(generation)["task"]["status"] == "TASK_STATUS_FAILED"
    api.switch(missing_lora="submit")
    refused = api.refused("/v3/async/txt2img", generation_body(loras=lora("nobody")))
    assert refused == (400, "INVALID_REQUEST_BODY", "request.loras: lora not available")


def test_families_must_fit(api: Api) -> None:
    """An SD 1.5 LoRA does not work on an SDXL checkpoint; a base model of unknown family is let through."""
    tasks = [
        api.generate(loras=lora(api.trained()), model_name="sd_xl_base_1.0.safetensors"),
        api.generate(loras=lora(api.trained(base_model="somboy_v10_172675")), model_name="sd_xl_base_1.0.safetensors"),
    ]
    api.advance(MADE)
    assert "does not fit" in api.result(tasks[0])["task"]["reason"]
    assert api.result(tasks[1])["task"]["status"] == "TASK_STATUS_SUCCEED"


def test_forced_failure_and_blips(api: Api) -> None:
    """Generations can be made to fail with a reason, and to be UNKNOWN at every second look before that."""
    api.switch(generation_outcome="FAILED", unknown_blips=True)
    task_id = api.generate()
    words = [api.result(task_id)["task"]["status"] for _ in range(2)]
    assert words == ["TASK_STATUS_UNKNOWN", "TASK_STATUS_QUEUED"]
    api.advance(MADE)
    ended = api.result(task_id)
    assert (ended["task"]["status"], ended["task"]["reason"]) == ("TASK_STATUS_FAILED", "out of memory")
    assert ended["images"] == []


def test_immediate_generation_without_extra(api: Api) -> None:
    """With no seconds to generate, the pictures are there at once; `extra` can be missing."""
    api.switch(generation_seconds=0, without_extra=True, numbers_as_strings=True)
    told = api.result(api.generate())
    assert "extra" not in told
    assert told["task"]["progress_percent"] == "0"
    assert len(told["images"]) == 1


def test_safety_check(api: Api) -> None:
    """If it is asked for, the content check says that it ran and how sure it is."""
    api.switch(nsfw_confidence=80)
    task_id = api.generate({"enable_nsfw_detection": True})
    api.advance(MADE)
    assert api.result(task_id)["images"][0]["nsfw_detection_result"] == {"valid": True, "confidence": 80}


FIELDS: list[tuple[dict[str, object], str]] = [
    ({"model_name": "v1-5-pruned-emaonly"}, "request.model_name: must be one of"),
    ({"prompt": ""}, "request.prompt: must have 1 to 1024 characters"),
    ({"prompt": "x" * 1025}, "request.prompt: must have 1 to 1024 characters"),
    ({"negative_prompt": "x" * 1025}, "request.negative_prompt: must have 0 to 1024 characters"),
    ({"width": 127}, "request.width: must be between 128 and 2048"),
    ({"height": 2049}, "request.height: must be between 128 and 2048"),
    ({"width": "512"}, "request.width: must be an integer"),
    ({"image_num": 9}, "request.image_num: must be between 1 and 8"),
    ({"steps": 101}, "request.steps: must be between 1 and 100"),
    ({"guidance_scale": 0.5}, "request.guidance_scale: must be between 1 and 30"),
    ({"guidance_scale": "7"}, "request.guidance_scale: must be a number"),
    ({"guidance_scale": None}, "request.guidance_scale: is required"),
    ({"sampler_name": "euler a"}, "request.sampler_name: must be one of"),
    ({"seed": -2}, "request.seed: must be at least -1"),
    ({"loras": [{"model_name": "a", "strength": 1.5}]}, "request.loras[0].strength: must be between 0 and 1"),
    ({"loras": [{"model_name": "a"}]}, "request.loras[0].strength: is required"),
    ({"loras": [{"model_name": "a", "strength": 1}] * 6}, "request.loras: must have at most 5 items"),
    ({"embeddings": [{}]}, "request.embeddings[0].model_name: is required"),
    ({"clip_skip": 13}, "request.clip_skip: must be between 1 and 12"),
    ({"hires_fix": {"strength": 0.5, "target_width": 5000}}, "request.hires_fix.target_width: "),
    ({"hires_fix": {"strength": 0.5, "upscaler": "x"}}, "request.hires_fix.upscaler: must be one of"),
    ({"refiner": {"switch_at": 2}}, "request.refiner.switch_at: must be between 0 and 1"),
    ({"enable_transparent_background": True}, "request.enable_transparent_background: needs png and an SDXL model"),
    ({"restore_faces": 1}, "request.restore_faces: must be a boolean"),
]


@pytest.mark.parametrize(("changes", "message"), FIELDS)
def test_fields_are_checked(api: Api, changes: dict[str, Any], message: str) -> None:
    """Each field of a generation outside its range or of a wrong type is refused by its name."""
    status, reason, told = api.refused("/v3/async/txt2img", generation_body(**changes))
    assert (status, reason) == (400, "INVALID_REQUEST_BODY")
    assert told.startswith(message)
    assert api.sandbox.world.submissions == []


def test_envelope_is_checked(api: Api) -> None:
    """The fields belong into `request`; what goes into `extra` is checked too, and may be empty objects."""
    assert api.refused("/v3/async/txt2img", generation_body()["request"])[2] == "request: is required"
    extra: dict[str, object] = {"response_image_type": "gif"}
    assert api.refused("/v3/async/txt2img", generation_body(extra))[2].startswith("extra.response_image_type: ")
    assert api.generate({"custom_storage": {}, "enterprise_plan": {}, "nsfw_detection_level": 0}, seed=None, loras=None)


def test_what_goes_with_a_generation_is_taken(api: Api) -> None:
    """Upscaling sets the size of the pictures; refiner, embeddings and an SDXL transparency are taken."""
    upscaled = api.generate(
        hires_fix={"target_width": 256, "target_height": 192, "strength": 0.5, "upscaler": "Latent"}
    )
    assert api.generate(
        refiner={"switch_at": 0.5},
        embeddings=[{"model_name": "x"}],
        model_name="sd_xl_base_1.0.safetensors",
        enable_transparent_background=True,
        negative_prompt="",
    )
    api.advance(MADE)
    with Image.open(io.BytesIO(api.pictures(upscaled)[0].content)) as picture:
        assert picture.size == (256, 192)


def img2img_body(data: bytes, **changes: Any) -> dict[str, Any]:
    return generation_body(image_base64=base64.b64encode(data).decode(), **changes)


def test_img2img(api: Api) -> None:
    """A picture can be the start of another, given as plain base64."""
    task_id = api.post("/v3/async/img2img", img2img_body(png(64, 64), strength=0.5))["task_id"]
    api.advance(MADE)
    assert api.result(task_id)["task"]["task_type"] == "IMG_TO_IMG"
    assert api.pictures(task_id)[0].status_code == 200


INPUTS: list[tuple[dict[str, Any], str]] = [
    ({"image_base64": None}, "INVALID_REQUEST_BODY"),
    ({"image_base64": "data:image/png;base64,AAAA"}, "INVALID_IMAGE_FORMAT"),
    ({"image_base64": "AAAA"}, "INVALID_IMAGE_FORMAT"),
    ({"image_base64": base64.b64encode(bytes(10 * 1024 * 1024 + 1)).decode()}, "IMAGE_FILE_EXCEEDS_MAX_SIZE"),
    ({"image_base64": base64.b64encode(png(8000, 2001)).decode()}, "IMAGE_EXCEEDS_MAX_RESOLUTION"),
    ({"strength": 1.1}, "INVALID_REQUEST_BODY"),
]


@pytest.mark.parametrize(("changes", "reason"), INPUTS, ids=[str(number) for number in range(len(INPUTS))])
def test_img2img_input_is_checked(api: Api, changes: dict[str, Any], reason: str) -> None:
    """An input picture that is missing, no picture, too large or with a data-URI prefix is refused by its reason."""
    assert (
        api.refused("/v3/async/img2img", img2img_body(png()) | {"request": img2img_body(png())["request"] | changes})[1]
        == reason
    )


def test_picture_with_absurd_dimensions(api: Api) -> None:
    """A header that claims billions of pixels is refused as too large, not an error of the server."""
    bomb = bytearray(png())
    bomb[16:24] = (60000).to_bytes(4, "big") * 2
    bomb[29:33] = zlib.crc32(bomb[12:29]).to_bytes(4, "big")
    assert api.refused("/v3/async/img2img", img2img_body(bytes(bomb)))[1] == "IMAGE_EXCEEDS_MAX_RESOLUTION"


def test_generations_are_counted(api: Api) -> None:
    """Every accepted generation is on the record of paid requests."""
    task_id = api.generate()
    assert [(one.kind, one.id) for one in api.sandbox.world.submissions] == [("generation", task_id)]


def test_rate_limit_counts_images(api: Api) -> None:
    """If it is on, 20 images a minute are made from text, and not one more until the minute is over."""
    api.switch(rate_limits=True)
    for _ in range(4):
        api.generate(image_num=5)
    assert api.refused("/v3/async/txt2img", generation_body())[:2] == (429, "RATE_LIMIT_EXCEEDED")
    assert api.post("/v3/async/img2img", img2img_body(png()))["task_id"]
    api.advance(61)
    assert api.generate()


def test_unknown_task(api: Api) -> None:
    """A task that does not exist is 404 with a reason of its own."""
    answer = api.http.get("/v3/async/task-result", params={"task_id": "nobody"})
    assert (answer.status_code, answer.json()["reason"]) == (404, "TASK_NOT_FOUND")
