"""The Scenario provider's `patch`, driven by hand."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
from helpers import png
from scenario_flow import answered, body, job, told, uploaded

from unified_train import (
    Cost,
    DatasetError,
    Effect,
    GeneratedImage,
    Image,
    InvalidOptions,
    Status,
)
from unified_train_scenario.patching import Crop
from unified_train_scenario.provider import Scenario
from unified_train_scenario.settings import ScenarioSettings

DATA_URL = "data:image/png;base64," + b64encode(png()).decode()
ASSET = {"id": "asset_9", "mimeType": "image/png", "status": "success", "properties": {"width": 8, "height": 9}}
OVER = job("success", jobType="patch-image", metadata={"assetIds": ["asset_9"]})


@pytest.fixture
def provider() -> Scenario:
    return Scenario(ScenarioSettings.model_validate({"api_key": "k", "api_secret": "s"}))


def test_everything_asked_has_its_field(provider: Scenario) -> None:
    """Images go as data URL or asset id, and each option under the vendor's name."""
    flow = provider.patch(
        Image.of(png()),
        patch=GeneratedImage(id="asset_2"),
        mode="erase",
        position=(3, -4),
        crop=Crop(left=1, top=2, width=3, height=4, background="#fff"),
        overflow=False,
        background="transparent",
        format="png",
        original=True,
    )
    [sent], snapshot = answered(flow, {**OVER, "asset": ASSET, "creativeUnitsCost": 0.5})
    assert (told([sent]), sent.effect) == ([("POST", "/generate/patch")], Effect.PAY)
    assert sent.query == {"originalAssets": "true"}
    assert body(sent) == {
        "image": DATA_URL,
        "patch": {"image": "asset_2", "mode": "erase"},
        "position": {"x": 3, "y": -4},
        "crop": {"left": 1, "top": 2, "width": 3, "height": 4, "backgroundColor": "#fff"},
        "allowOverflow": False,
        "backgroundColor": "transparent",
        "format": "png",
    }
    assert (snapshot.id, snapshot.status) == ("job_1", Status.SUCCEEDED)
    assert snapshot.images == (GeneratedImage(id="asset_9", media_type="image/png", width=8, height=9),)
    assert snapshot.cost == Cost(amount=0.5, unit="CU", source="patch answer")


@pytest.mark.parametrize("image", ["asset_1", uploaded(1)])
def test_nothing_asked_is_nothing_sent(provider: Scenario, image: Any) -> None:
    """Without options only the image is sent; a crop without a background has none."""
    [sent], _ = answered(provider.patch(image), OVER)
    assert (body(sent), sent.query) == ({"image": "asset_1"}, {})
    [sent], _ = answered(provider.patch(image, crop=Crop(left=0, top=0, width=1, height=1)), OVER)
    assert body(sent)["crop"] == {"left": 0, "top": 0, "width": 1, "height": 1}


def test_a_result_in_the_answer_counts_once_the_job_is_over(provider: Scenario) -> None:
    """A finished job without ids has the answer's asset; a running one is polled like any other."""
    _, snapshot = answered(provider.patch("asset_1"), {**job("success"), "asset": ASSET})
    assert [image.id for image in snapshot.images] == ["asset_9"]
    _, snapshot = answered(provider.patch("asset_1"), {**job("in-progress"), "asset": ASSET})
    assert (snapshot.status, snapshot.images) == (Status.RUNNING, ())
    _, snapshot = answered(provider.patch("asset_1"), OVER)
    assert snapshot.images == (GeneratedImage(id="asset_9"),)
    _, snapshot = answered(provider.patch("asset_1"), job("success"))
    assert (snapshot.status, snapshot.error and snapshot.error.code) == (Status.FAILED, "no-outputs")


def test_large_images_are_uploaded_first(provider: Scenario) -> None:
    """Two images share one body, so that each beyond half of it becomes an asset."""
    large = Image.of(png(padding=2_000_000))
    sent, _ = answered(provider.patch(large, patch="asset_2"), {"asset": {"id": "asset_1"}}, OVER)
    assert told(sent)[0] == ("POST", "/assets")
    assert body(sent[1]) == {"image": "asset_1", "patch": {"image": "asset_2", "mode": "override"}}


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"position": (0, 0)}, "there is none"),
        ({"mode": "erase"}, "there is none"),
        ({"background": "transparent", "format": "jpeg"}, "PNG"),
    ],
)
def test_what_does_not_go_together_is_refused(provider: Scenario, asked: dict[str, Any], message: str) -> None:
    """A position without a patch, and a transparent JPEG, are refused before anything is sent."""
    with pytest.raises(InvalidOptions, match=message):
        next(provider.patch("asset_1", **asked))


def test_a_wrong_image_is_refused(provider: Scenario) -> None:
    """Bytes that are no image of a known kind never leave the machine."""
    with pytest.raises(DatasetError, match="not an image"):
        next(provider.patch(Image.of(b"text", name="x.txt")))
