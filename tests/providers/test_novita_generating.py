"""Novita's protocol for generations, request by request: each flow is driven by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from novita_flow import LORA, PICTURE_URL, Talk, job, model, provider

from unified_train import (
    Effect,
    GeneratedImage,
    GenerationRequest,
    InvalidOptions,
    MalformedResponse,
    NotFound,
    PermissionDenied,
    ProviderUnavailable,
    Status,
)
from unified_train_novita.options import NovitaGeneration

if TYPE_CHECKING:
    from unified_train_novita.provider import Novita


@pytest.fixture
def novita() -> Novita:
    return provider()


def test_generation(novita: Novita) -> None:
    """A generation is one paid POST with the LoRA, by its exact name, on the checkpoint it was trained on."""
    talk = Talk({"task_id": "g1"})
    asked = GenerationRequest(
        prompt="a fox", negative_prompt="blur", n=3, width=640, height=384, seed=0, steps=25, guidance=1
    )
    snapshot = talk.run(novita.generate(model(), asked, NovitaGeneration(lora_strength=0.8, sampler="DPM++ 2M Karras")))
    request = talk.requests[0]
    assert (request.method, request.url) == ("POST", "https://api.novita.ai/v3/async/txt2img")
    assert (request.effect, request.operation) == (Effect.PAY, "generation.start")
    assert talk.body() == {
        "extra": {"response_image_type": "png"},
        "request": {
            "model_name": "v1-5-pruned-emaonly.safetensors",
            "prompt": "a fox",
            "negative_prompt": "blur",
            "width": 640,
            "height": 384,
            "image_num": 3,
            "steps": 25,
            "guidance_scale": 1,
            "sampler_name": "DPM++ 2M Karras",
            "seed": 0,
            "loras": [{"model_name": LORA, "strength": 0.8}],
        },
    }
    assert (snapshot.id, snapshot.status, snapshot.notes) == ("g1", Status.QUEUED, ())


def test_generation_by_default(novita: Novita) -> None:
    """What the API requires is always sent; an empty negative prompt, which it refuses, and no seed are not."""
    talk = Talk({"task_id": "g1"})
    asked = GenerationRequest(prompt="a fox", negative_prompt="")
    talk.run(novita.generate(model("animagineXLV31_v31_325600"), asked, NovitaGeneration()))
    sent = talk.body()["request"]
    assert (sent["width"], sent["height"], sent["image_num"]) == (1024, 1024, 1)
    assert (sent["steps"], sent["guidance_scale"], sent["sampler_name"]) == (20, 7.5, "Euler a")
    assert not {"seed", "negative_prompt"} & set(sent)


def test_every_option_reaches_the_vendor(novita: Novita) -> None:
    """Each option of the vendor has its place in the body."""
    talk = Talk({"task_id": "g1"})
    options = NovitaGeneration.model_validate(
        {
            "loras": [{"model_name": "other", "strength": 0.5}],
            "embeddings": ["bad-hands"],
            "image_type": "webp",
            "clip_skip": 2,
            "sd_vae": "vae",
            "hires_fix": {"target_width": 1024, "target_height": 768},
            "refiner_switch_at": 0,
            "restore_faces": True,
            "nsfw_detection": True,
            "nsfw_detection_level": 0,
            "webhook": "https://cb.test/h",
        }
    )
    talk.run(novita.generate(model(), GenerationRequest(prompt="a fox"), options))
    body = talk.body()
    assert body["extra"] == {
        "response_image_type": "webp",
        "enable_nsfw_detection": True,
        "nsfw_detection_level": 0,
        "webhook": {"url": "https://cb.test/h"},
    }
    sent = body["request"]
    assert [lora["model_name"] for lora in sent["loras"]] == [LORA, "other"]
    assert (sent["embeddings"], sent["clip_skip"], sent["sd_vae"]) == ([{"model_name": "bad-hands"}], 2, "vae")
    assert sent["hires_fix"] == {"target_width": 1024, "target_height": 768, "strength": 0.5, "upscaler": "Latent"}
    assert (sent["refiner"], sent["restore_faces"]) == ({"switch_at": 0}, True)


@pytest.mark.parametrize(
    ("base_model", "checkpoint"),
    [
        ("stable-diffusion-xl-base-1.0", "sd_xl_base_1.0.safetensors"),
        ("WFChild_v1.0", "WFChild_v1.0.ckpt"),
        ("majichenmixrealistic_v10", "majichenmixrealistic_v10_85701.safetensors"),
        ("dreamshaper_8_93211", "dreamshaper_8_93211.safetensors"),
        ("dreamshaper_8_93211.safetensors", "dreamshaper_8_93211.safetensors"),
        ("somebody-new", "somebody-new.safetensors"),
        ("somebody-new.ckpt", "somebody-new.ckpt"),
    ],
)
def test_checkpoint_of_a_base_model(novita: Novita, base_model: str, checkpoint: str) -> None:
    """The checkpoint is that of the base model, whose name differs from it in more than the extension for some."""
    talk = Talk({"task_id": "g1"})
    talk.run(novita.generate(model(base_model), GenerationRequest(prompt="a fox"), NovitaGeneration()))
    assert talk.body()["request"]["model_name"] == checkpoint


CATALOGUE = {
    "models": [
        {"sd_name": "another.safetensors", "sd_name_in_api": "another", "base_model": "SDXL 1.0"},
        {"sd_name": LORA, "sd_name_in_api": "api-name", "base_model": "SD 1.5"},
    ]
}


def test_unknown_base_model_is_looked_up(novita: Novita) -> None:
    """For a model of which only the name is known, the vendor is asked for its family before anything is paid."""
    talk = Talk(CATALOGUE, {"task_id": "g1"})
    snapshot = talk.run(novita.generate(model(None), GenerationRequest(prompt="a fox"), NovitaGeneration()))
    read, paid = talk.requests
    assert (read.url, read.effect, paid.effect) == ("https://api.novita.ai/v3/model", Effect.READ, Effect.PAY)
    assert read.query["filter.query"] == LORA.removesuffix(".safetensors")
    assert talk.body()["request"]["model_name"] == "v1-5-pruned-emaonly.safetensors"
    assert talk.body()["request"]["loras"][0]["model_name"] == LORA
    assert "SD 1.5" in snapshot.notes[0]


@pytest.mark.parametrize(
    "models", [[], None, [{"sd_name": "another.safetensors"}], [{"sd_name": LORA, "base_model": "SD 3"}]]
)
def test_base_model_that_nobody_knows(novita: Novita, models: object) -> None:
    """If the vendor does not tell the family either, nothing is paid and the message says what to pass."""
    with pytest.raises(InvalidOptions, match="checkpoint"):
        Talk({"models": models}).run(novita.generate(model(None), GenerationRequest(prompt="x"), NovitaGeneration()))


@pytest.mark.parametrize(("catalogue", "name"), [(CATALOGUE, "api-name"), ({"models": []}, LORA)])
def test_lora_name_can_be_resolved(novita: Novita, catalogue: object, name: str) -> None:
    """If wished, the LoRA goes by the name that the catalogue gives it, where there is one."""
    talk = Talk(catalogue, {"task_id": "g1"})
    options = NovitaGeneration(resolve_lora_name=True, checkpoint="dreamshaper_8_93211.safetensors")
    talk.run(novita.generate(model(), GenerationRequest(prompt="x"), options))
    assert talk.body()["request"]["loras"][0]["model_name"] == name
    assert talk.body()["request"]["model_name"] == "dreamshaper_8_93211.safetensors"


GENERATION_REFUSALS: list[tuple[str | None, dict[str, Any], str]] = [
    ("v1-5-pruned-emaonly", {"checkpoint": "sd_xl_base_1.0.safetensors"}, "take a checkpoint of the same family"),
    ("v1-5-pruned-emaonly", {"transparent_background": True}, "SDXL checkpoint"),
    ("yesmixXL_v10_283329", {"transparent_background": True, "image_type": "webp"}, "image_type png"),
]


@pytest.mark.parametrize(("base_model", "options", "words"), GENERATION_REFUSALS)
def test_generation_that_would_be_refused(
    novita: Novita, base_model: str | None, options: dict[str, Any], words: str
) -> None:
    """A checkpoint of another family, and transparency that can't be had, are told before anything is sent."""
    with pytest.raises(InvalidOptions, match=words):
        novita.check_generation(model(base_model), GenerationRequest(prompt="x"), NovitaGeneration(**options))


def test_negative_prompt_has_a_limit(novita: Novita) -> None:
    """A negative prompt of more than 1,024 characters is told before anything is sent."""
    with pytest.raises(InvalidOptions, match="1025"):
        novita.check_generation(model(), GenerationRequest(prompt="x", negative_prompt="y" * 1025), NovitaGeneration())


@pytest.mark.parametrize(
    ("base_model", "options"),
    [
        (None, {"checkpoint": "sd_xl_base_1.0.safetensors"}),
        (None, {"transparent_background": True}),
        ("somboy_v10_172675", {"checkpoint": "sd_xl_base_1.0.safetensors"}),
        ("v1-5-pruned-emaonly", {"checkpoint": "somebody-new.safetensors"}),
        ("yesmixXL_v10_283329", {"transparent_background": True}),
    ],
)
def test_generation_that_may_work(novita: Novita, base_model: str | None, options: dict[str, Any]) -> None:
    """What nobody knows to be wrong is left to the vendor."""
    novita.check_generation(model(base_model), GenerationRequest(prompt="x"), NovitaGeneration(**options))


def told(status: str = "TASK_STATUS_SUCCEED", images: object = None, **fields: Any) -> dict[str, Any]:
    task = {"task_id": "g1", "status": status, "reason": "", "eta": 0, "progress_percent": 0}
    given = [{"image_url": PICTURE_URL, "image_type": "png"}] if images is None else images
    return {"task": task | fields.pop("task", {}), "images": given, **fields}


def test_generation_poll(novita: Novita) -> None:
    """A generation is asked for by its id, in another place than trainings."""
    talk = Talk(told("TASK_STATUS_PROCESSING", [], task={"eta": "4", "progress_percent": 40}))
    snapshot = talk.run(novita.poll(job("g1", "generation")))
    assert talk.requests[0].url_with_query == "https://api.novita.ai/v3/async/task-result?task_id=g1"
    assert (snapshot.status, snapshot.progress, snapshot.eta, snapshot.images) == (Status.RUNNING, 0.4, 4, ())


def test_pictures(novita: Novita) -> None:
    """A picture has its kind and position, the task's seed if it is the first, and never a URL for an id."""
    picture = {"image_url": PICTURE_URL, "image_url_ttl": "3600", "image_type": "jpeg", "nsfw_detection_result": None}
    answer_ = told(images=[picture, {"image_url": ""}, None, picture], extra={"seed": "9007199254740993"})
    snapshot = Talk(answer_).run(novita.poll(job("g1", "generation")))
    assert snapshot.status is Status.SUCCEEDED
    first, second = snapshot.images
    assert (first.id, first.media_type, first.seed, first.safety) == ("0", "image/jpeg", 9007199254740993, None)
    assert (second.id, second.seed, second.metadata) == ("1", None, {"task_seed": 9007199254740993})


@pytest.mark.parametrize(
    ("found", "safety"),
    [
        (None, None),
        ({}, None),
        ({"valid": True, "confidence": 2}, "clean"),
        ({"valid": "true", "confidence": "97.5"}, "flagged"),
        ({"valid": False, "confidence": 99}, None),
        ({"valid": True}, None),
        ([], None),
    ],
)
def test_safety(novita: Novita, found: object, safety: str | None) -> None:
    """`valid` says only that the check ran; the confidence says what it found."""
    images = [{"image_url": PICTURE_URL, "nsfw_detection_result": found}]
    snapshot = Talk(told(images=images)).run(novita.poll(job("g1", "generation")))
    assert snapshot.images[0].safety == safety
    assert snapshot.images[0].media_type is None


@pytest.mark.parametrize("extra", [None, {}, {"seed": ""}, {"seed": "x"}, {"seed": True}, {"seed": [1]}])
def test_seed_may_be_missing(novita: Novita, extra: object) -> None:
    """A seed that is missing or unreadable is None."""
    snapshot = Talk(told(extra=extra)).run(novita.poll(job("g1", "generation")))
    assert (snapshot.images[0].seed, snapshot.images[0].metadata) == (None, {})


@pytest.mark.parametrize("images", [[], [{"image_url": ""}], "x"])
def test_success_without_pictures(novita: Novita, images: object) -> None:
    """A generation that succeeds without a picture that can be fetched has failed."""
    snapshot = Talk(told(images=images)).run(novita.poll(job("g1", "generation")))
    assert snapshot.status is Status.FAILED
    assert snapshot.images == ()


def test_failed_generation(novita: Novita) -> None:
    """A failure has the vendor's reason, whether it comes in a state or as an HTTP error."""
    failed = told("TASK_STATUS_FAILED", task={"reason": "lora not available"})
    snapshots = [
        Talk(failed).run(novita.poll(job("g1", "generation"))),
        Talk(ProviderUnavailable("lora not available", code="TASK_FAILED")).run(novita.poll(job("g1", "generation"))),
    ]
    assert [snapshot.status for snapshot in snapshots] == [Status.FAILED] * 2
    assert [snapshot.error.message for snapshot in snapshots if snapshot.error] == ["lora not available"] * 2
    with pytest.raises(ProviderUnavailable):
        Talk(ProviderUnavailable("x", code="GET_RESULT_FAILED")).run(novita.poll(job("g1", "generation")))


@pytest.mark.parametrize("body", [{}, {"task": None}, {"task": {}}, [], b"x"])
def test_result_that_can_not_be_read(novita: Novita, body: object) -> None:
    """A result without a status is malformed."""
    with pytest.raises(MalformedResponse):
        Talk(body).run(novita.poll(job("g1", "generation")))


def test_fetch_asks_for_a_fresh_url(novita: Novita) -> None:
    """A picture's bytes come from a URL asked for just now, without credentials."""
    talk = Talk(told(), b"bytes")
    assert talk.run(novita.fetch(job("g1", "generation"), GeneratedImage(id="0"))) == b"bytes"
    look, get = talk.requests
    assert look.url.endswith("/v3/async/task-result")
    assert (get.method, get.url, get.signed, get.operation) == ("GET", PICTURE_URL, False, "generation.fetch")


def test_fetch_asks_once_more(novita: Novita) -> None:
    """If storage refuses the URL, one more is asked for; a second refusal is raised."""
    picture = GeneratedImage(id="0")
    talk = Talk(told(), PermissionDenied("expired"), told(), b"bytes")
    assert talk.run(novita.fetch(job("g1", "generation"), picture)) == b"bytes"
    refused = Talk(told(), PermissionDenied("expired"), told(), PermissionDenied("expired"))
    with pytest.raises(PermissionDenied):
        refused.run(novita.fetch(job("g1", "generation"), picture))


def test_fetch_of_a_picture_that_is_gone(novita: Novita) -> None:
    """A picture that the vendor does not list any more is not found."""
    with pytest.raises(NotFound, match="no picture 3"):
        Talk(told()).run(novita.fetch(job("g1", "generation"), GeneratedImage(id="3")))
