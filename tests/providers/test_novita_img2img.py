"""Novita's generation from a picture: by hand, and against the emulated vendor."""

from __future__ import annotations

import base64
import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from helpers import png
from novita_flow import LORA, Talk, job, model, provider
from PIL import Image as Pillow

from unified_train import (
    Dataset,
    DatasetError,
    Effect,
    GenerationRequest,
    Image,
    InvalidOptions,
    Status,
    TrainingRequest,
    UnsupportedCapability,
)
from unified_train_novita.options import NovitaGeneration

if TYPE_CHECKING:
    from collections.abc import Callable

    from unified_train.sandbox import Sandbox
    from unified_train_novita.provider import Novita


@pytest.fixture
def novita() -> Novita:
    return provider()


def from_picture(size: tuple[int, int] = (512, 384), **fields: Any) -> GenerationRequest:
    return GenerationRequest(**{"prompt": "a fox", "image": png(*size), **fields})


def test_generation_from_a_picture(novita: Novita) -> None:
    """A picture goes to a route of its own, as plain base64, with its size, its strength and the LoRA as from text."""
    talk = Talk({"task_id": "g1"})
    snapshot = talk.run(novita.generate(model(), from_picture(strength=0.4, seed=7), NovitaGeneration()))
    request = talk.requests[0]
    assert (request.method, request.url) == ("POST", "https://api.novita.ai/v3/async/img2img")
    assert (request.effect, request.operation, request.units) == (Effect.PAY, "generation.start-from-image", 1)
    assert talk.body()["request"] == {
        "model_name": "v1-5-pruned-emaonly.safetensors",
        "prompt": "a fox",
        "width": 512,
        "height": 384,
        "image_num": 1,
        "steps": 20,
        "guidance_scale": 7.5,
        "sampler_name": "Euler a",
        "seed": 7,
        "loras": [{"model_name": LORA, "strength": 1.0}],
        "image_base64": base64.b64encode(png(512, 384)).decode(),
        "strength": 0.4,
    }
    assert (snapshot.id, snapshot.status, snapshot.notes) == ("g1", Status.QUEUED, ())


def test_strength_is_sent_only_if_said(novita: Novita) -> None:
    """A strength of 0 is sent; without one the vendor's own default holds."""
    for strength, sent in [(0, [0]), (None, [])]:
        talk = Talk({"task_id": "g1"})
        talk.run(novita.generate(model(), from_picture(strength=strength), NovitaGeneration()))
        assert [value for name, value in talk.body()["request"].items() if name == "strength"] == sent


SIZES: list[tuple[tuple[int, int], dict[str, int], tuple[int, int], bool]] = [
    ((512, 384), {}, (512, 384), False),
    ((451, 300), {}, (448, 296), True),
    ((3000, 1500), {}, (2048, 1024), True),
    ((64, 32), {}, (256, 128), True),
    ((100, 4000), {}, (128, 2048), True),
    ((2048, 128), {}, (2048, 128), False),
    ((1000, 500), {"width": 600}, (600, 296), True),
    ((1000, 500), {"height": 200}, (400, 200), False),
    ((1000, 500), {"width": 200}, (200, 128), True),
    ((1000, 500), {"width": 333, "height": 777}, (333, 777), False),
]


@pytest.mark.parametrize(("input_", "asked", "sent", "noted"), SIZES)
def test_size_follows_the_picture(
    novita: Novita, input_: tuple[int, int], asked: dict[str, int], sent: tuple[int, int], noted: bool
) -> None:
    """Unless told, the result has the input's size, or the nearest that the vendor makes, and a note says which."""
    talk = Talk({"task_id": "g1"})
    snapshot = talk.run(novita.generate(model(), from_picture(input_, **asked), NovitaGeneration()))
    body = talk.body()["request"]
    assert (body["width"], body["height"]) == sent
    assert bool(snapshot.notes) == noted
    if noted:
        assert f"the input is {input_[0]}x{input_[1]}, the result {sent[0]}x{sent[1]}" in snapshot.notes[0]


def test_picture_of_unknown_size(novita: Novita) -> None:
    """A picture whose header hides its size gets that of the checkpoint."""
    talk = Talk({"task_id": "g1"})
    asked = GenerationRequest(prompt="a fox", image=Image.of(b"II*\x00" + bytes(8)))
    talk.run(novita.generate(model("yesmixXL_v10_283329"), asked, NovitaGeneration()))
    assert (talk.body()["request"]["width"], talk.body()["request"]["height"]) == (1024, 1024)


def test_picture_is_streamed_from_its_file(novita: Novita, tmp_path: Any) -> None:
    """A picture in a file is read when it is sent, not held in the request."""
    path = tmp_path / "start.png"
    path.write_bytes(png(padding=900_000))
    request = next(novita.generate(model(), GenerationRequest(prompt="x", image=Image.of(path)), NovitaGeneration()))
    assert request.body is not None
    assert max(len(chunk) for chunk in request.body.chunks()) < 300_000
    sent = json.loads(request.body.read())["request"]["image_base64"]
    assert base64.b64decode(sent) == path.read_bytes()


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"hires_fix": {"target_width": 512, "target_height": 512}}, "hires_fix"),
        ({"refiner_switch_at": 0}, "refiner_switch_at"),
        ({"restore_faces": True}, "restore_faces"),
        ({"transparent_background": True}, "transparent_background"),
    ],
)
def test_options_for_text_only(novita: Novita, options: dict[str, Any], name: str) -> None:
    """What the vendor documents for pictures from text only is refused for a picture from a picture."""
    with pytest.raises(UnsupportedCapability, match=f"img2img has no {name}; leave it out"):
        novita.check_generation(model(), from_picture(), NovitaGeneration.model_validate(options))


def test_other_checks_hold_for_pictures_too(novita: Novita) -> None:
    """The families of LoRA and checkpoint must fit, whatever the generation starts from."""
    novita.check_generation(model(), from_picture(), NovitaGeneration())
    options = NovitaGeneration(checkpoint="sd_xl_base_1.0.safetensors")
    with pytest.raises(InvalidOptions, match="same family"):
        novita.check_generation(model(), from_picture(), options)


def test_input_rules_agree_with_the_sandbox(novita: Novita) -> None:
    """Client and sandbox have the limits of an input independently, and the two agree."""
    facts = pytest.importorskip("unified_train.sandbox.novita.facts", reason="needs the extra 'sandbox'")
    rules = novita.capabilities.generation.image
    assert rules is not None
    assert (rules.max_bytes, rules.max_pixels) == (facts.MAX_INPUT_BYTES, facts.MAX_INPUT_PIXELS)
    side = novita.capabilities.generation.options["width"]
    assert (side.minimum, side.maximum) == facts.SIZE


def test_pictures_from_a_picture(sandbox: Sandbox, connect: Callable[..., Any], photos: Dataset) -> None:
    """More pictures than one call makes start from the same picture, in its size, and are one job."""
    client = connect("novita")
    few = photos.model_copy(update={"images": photos.images[:2]})
    training = client.wait(client.train(TrainingRequest(name="cat", dataset=few)), timeout=20)
    asked = GenerationRequest(prompt="{subject} asleep", image=Image.of(png(256, 192)), strength=0.5, n=9, seed=1)
    made = client.wait(client.generate(training, asked), timeout=20)
    pictures = [Pillow.open(io.BytesIO(picture.body().read())) for picture in client.download(made)]
    assert [picture.size for picture in pictures] == [(256, 192)] * 9
    assert [entry.path for entry in sandbox.world.requests if "/async/" in entry.path and entry.method == "POST"] == [
        "/v3/async/img2img"
    ] * 2
    assert made.notes == ()


def test_input_that_the_vendor_refuses(sandbox: Sandbox, connect: Callable[..., Any]) -> None:
    """An input that is too large or of a kind that the vendor does not take is told before anything is sent."""
    client, gif = connect("novita"), b"GIF89a" + bytes(10)
    too_large = Image.of(png(padding=10 * 1024 * 1024))
    for image, words in [(png(8000, 2001), "16,008,000 pixels"), (too_large, "10,485,760 per image"), (gif, "no gif")]:
        with pytest.raises(DatasetError, match=words):
            client.generate(model(), GenerationRequest(prompt="x", image=image))
    with pytest.raises(UnsupportedCapability, match="references"):
        client.generate(model(), GenerationRequest(prompt="x", references=(Image.of(png()),)))
    assert list(sandbox.world.requests) == []


def test_result_of_a_picture_is_read_like_any(novita: Novita) -> None:
    """The state of a generation from a picture is asked for and read as that of one from text."""
    talk = Talk({"task": {"task_id": "g1", "task_type": "IMG_TO_IMG", "status": "TASK_STATUS_PROCESSING"}})
    assert talk.run(novita.poll(job("g1", "generation"))).status is Status.RUNNING
