"""The vendor's own Python SDK trains and generates against the sandbox, without knowing that it is one."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

import pytest
from novita_api import CHECKPOINT, DONE, MADE
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from unified_train.sandbox import Sandbox

novita_client: Any = pytest.importorskip(
    "novita_client", reason="the vendor's SDK is not installed: pip install '.[peers]'"
)

# The SDK leaves its pool of download threads open, to be found by the garbage collector at any time.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed running multiprocessing pool:ResourceWarning"),
    pytest.mark.usefixtures("no_leftovers"),
]


@pytest.fixture
def sdk(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The SDK's client as the vendor's samples make it; it polls without a pause, and the clock stands still."""
    monkeypatch.setattr("novita_client.settings.DEFAULT_POLL_INTERVAL", 0)
    sandbox.world.clock.freeze()
    client = novita_client.NovitaClient(sandbox.env["NOVITA_API_KEY"], sandbox.env["NOVITA_API_URI"])
    yield client
    client.session.close()


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    """Small pictures in files, one with transparency, as the SDK takes them."""
    made = []
    for number, mode in enumerate(["RGB", "RGBA", "RGB"]):
        path = tmp_path / f"{number}.png"
        Image.new(mode, (64, 48), "teal" if number else "plum").save(path)
        made.append(str(path))
    return made


def serving(client: Any, sandbox: Sandbox, task_id: str) -> str:
    """The name of the model once it serves; the SDK can only ask for it in the list."""
    sandbox.world.clock.advance(DONE)
    tasks = client.list_training().filter_by_model_status("SERVING")
    return next(str(task.models[0].model_name) for task in tasks if task.task_id == task_id)


def generated(client: Any, sandbox: Sandbox, lora: str, **options: Any) -> Any:
    return client.txt2img_v3(
        CHECKPOINT,
        prompt="utStyle, a fox",
        image_num=2,
        width=128,
        height=128,
        seed=7,
        loras=[novita_client.Txt2ImgV3LoRA(lora, 0.8)],
        callback=lambda _: sandbox.world.clock.advance(MADE / 3),
        **options,
    )


def test_style_training_and_generation(sdk: Any, sandbox: Sandbox, paths: list[str]) -> None:
    """The SDK uploads pictures, trains a style, finds its model in the list, and downloads pictures made with it."""
    captions = [f"utStyle, number {number}" for number in range(3)]
    task_id = sdk.create_training_style("sdk-style", "v1-5-pruned-emaonly", paths, captions, max_train_steps=100)
    lora = serving(sdk, sandbox, task_id)
    result = generated(sdk, sandbox, lora)
    pictures = [Image.open(io.BytesIO(base64.b64decode(text))) for text in result.images_encoded]
    assert [(picture.format, picture.size) for picture in pictures] == [("JPEG", (128, 128))] * 2
    assert result.extra.seed == 7
    assert [(one.kind, one.name) for one in sandbox.world.submissions] == [
        ("training", "sdk-style"),
        ("generation", ""),
    ]


def test_subject_training_and_its_states(sdk: Any, sandbox: Sandbox, paths: list[str]) -> None:
    """The SDK trains a subject with its own face components, and sees every state on the way."""
    task_id = sdk.create_training_subject(
        "sdk-subject",
        "v1-5-pruned-emaonly",
        paths,
        instance_prompt="a close photo of ohwx woman",
        class_prompt="person",
        components=novita_client.FACE_TRAINING_DEFAULT_COMPONENTS,
        learning_rate=1e-4,
        max_train_steps=100,
    )
    seen = []
    for _ in range(25):
        told = sdk.query_training_subject_status(task_id)
        seen.append((told.task_status, *[model.model_status for model in told.models]))
        sandbox.world.clock.advance(DONE / 24)
    expected = [("QUEUING",), ("TRAINING",), ("SUCCESS",), ("SUCCESS", "DEPLOYING"), ("SUCCESS", "SERVING")]
    assert list(dict.fromkeys(seen)) == expected
    assert sdk.list_training(task_type="subject").get_by_task_name("sdk-subject").task_id == task_id


def test_img2img(sdk: Any, sandbox: Sandbox, paths: list[str]) -> None:
    """The SDK makes a picture from another one."""
    result = sdk.img2img_v3(
        CHECKPOINT,
        paths[0],
        "a fox",
        1,
        height=128,
        width=128,
        steps=20,
        response_image_type="png",
        callback=lambda _: sandbox.world.clock.advance(MADE),
    )
    assert len(result.images_encoded) == 1


def test_account(sdk: Any, sandbox: Sandbox, paths: list[str]) -> None:
    """The SDK reads the user and finds a trained LoRA in the catalogue, with its own spelling of the filters."""
    task_id = sdk.create_training_style("sdk-style", "v1-5-pruned-emaonly", paths, ["a", "b", "c"])
    lora = serving(sdk, sandbox, task_id)
    assert sdk.user_info().credit_balance == 123400
    assert [model.sd_name for model in sdk.query_model_v3(visibility="private", types="lora").models] == [lora]
    assert sdk.models_v3().get_by_sd_name(lora).visibility == "private"


def test_refusal_is_an_error(sdk: Any, sandbox: Sandbox, paths: list[str]) -> None:
    """The SDK raises what the sandbox refuses: a balance that is used up."""
    sandbox.switch("novita", "balance", 0)
    with pytest.raises(novita_client.NovitaResponseError, match="BILLING_BALANCE_NOT_ENOUGH"):
        sdk.create_training_style("sdk-style", "v1-5-pruned-emaonly", paths, ["a", "b", "c"])
