"""How Novita prepares training pictures, and the settings for experts, in the words of the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from novita_flow import Talk, provider, training, uploaded

from unified_train import Dataset, InvalidOptions, Status, TrainingRequest
from unified_train_novita.options import NovitaTraining

if TYPE_CHECKING:
    from collections.abc import Callable

    from unified_train.sandbox import Sandbox
    from unified_train_novita.provider import Novita


@pytest.fixture
def novita() -> Novita:
    return provider()


def sent(novita: Novita, *components: dict[str, Any], **fields: Any) -> list[dict[str, Any]]:
    """The components on the wire, each argument as a pair."""
    talk = Talk({"task_id": "t1"})
    options = NovitaTraining.model_validate({"components": components})
    talk.run(novita.start(training(**fields), options))
    return [
        {"name": one["name"], **{arg["name"]: arg["value"] for arg in one["args"]}} for one in talk.body()["components"]
    ]


def test_components_for_faces(novita: Novita) -> None:
    """Named alone, the components have what the vendor's SDK sends for faces, and the training's size, in strings."""
    found = sent(novita, {"name": "face_crop_region"}, {"name": "resize"}, {"name": "face_restore"}, resolution=640)
    assert found == [
        {"name": "face_crop_region", "ratio": "1.4"},
        {"name": "resize", "width": "640", "height": "640"},
        {"name": "face_restore", "method": "gfpgan_1.4", "upscale": "1.0"},
    ]


def test_arguments_are_sent_as_written(novita: Novita) -> None:
    """Arguments of one's own go out as they were written, whole numbers without a point."""
    found = sent(
        novita,
        {"name": "face_crop_region", "args": {"ratio": 1}},
        {"name": "resize", "args": {"width": 768}},
        {"name": "face_restore", "args": {"method": "other", "upscale": 2}},
    )
    assert found == [
        {"name": "face_crop_region", "ratio": "1"},
        {"name": "resize", "width": "768", "height": "512"},
        {"name": "face_restore", "method": "other", "upscale": "2"},
    ]


@pytest.mark.parametrize(
    ("component", "words"),
    [
        ({"name": "face_crop_region", "args": {"ratio": 0}}, "CropArgs: ratio"),
        ({"name": "face_crop_region", "args": {"width": 5}}, "unknown option 'width'; did you mean|known are ratio"),
        ({"name": "resize", "args": {"width": 0}}, "ResizeArgs: width"),
        ({"name": "resize", "args": {"height": "tall"}}, "ResizeArgs: height"),
        ({"name": "face_restore", "args": {"upscale": -1}}, "RestoreArgs: upscale"),
        ({"name": "face_restore", "args": {"method": ""}}, "RestoreArgs: method"),
        ({"args": {}}, "components.0"),
        ({"name": "flip"}, "'face_crop_region', 'resize', 'face_restore'"),
    ],
)
def test_components_are_checked(component: dict[str, Any], words: str) -> None:
    """A component that the vendor does not have, or an argument of the wrong kind, is told before anything is sent."""
    with pytest.raises(InvalidOptions, match=words):
        NovitaTraining.model_validate({"components": [component]})


EXPERT: dict[str, Any] = {
    "train_batch_size": 4,
    "lr_scheduler": "cosine_with_restarts",
    "lr_warmup_steps": 10,
    "with_prior_preservation": True,
    "prior_loss_weight": 0.5,
    "train_text_encoder": True,
    "lora_alpha": 4,
    "lora_text_encoder_r": 128,
    "lora_text_encoder_alpha": 16,
}
PERSON: dict[str, Any] = {"kind": "subject", "trigger": "ohwx", "class_word": "woman"}


def test_every_expert_setting_reaches_the_vendor(novita: Novita) -> None:
    """Each setting of a subject training has its field, with the type that the vendor documents."""
    talk = Talk({"task_id": "t1"})
    asked = training(uploaded(None), **PERSON, steps=500, learning_rate=5e-5, seed=1, rank=4)
    snapshot = talk.run(novita.start(asked, NovitaTraining(**EXPERT)))
    assert talk.body()["expert_setting"] == {
        **EXPERT,
        "max_train_steps": 500,
        "learning_rate": 5e-5,
        "seed": 1,
        "lora_r": 4,
        "instance_prompt": "a close photo of ohwx woman",
        "class_prompt": "person",
    }
    assert snapshot.notes == ()


def test_warm_up_that_is_not_used(novita: Novita) -> None:
    """A warm-up for the one scheduler that ignores it is sent, and noted."""
    talk = Talk({"task_id": "t1"})
    options = NovitaTraining(lr_scheduler="constant", lr_warmup_steps=10)
    snapshot = talk.run(novita.start(training(), options))
    assert talk.body()["expert_setting"] == {"lr_scheduler": "constant", "lr_warmup_steps": 10}
    assert "constant_with_warmup" in snapshot.notes[0]


@pytest.mark.parametrize("kind", ["subject", "style"])
def test_whole_training(sandbox: Sandbox, connect: Callable[..., Any], photos: Dataset, kind: str) -> None:
    """Both trainings, with every component and all their settings, are taken by the vendor and end with a model."""
    client = connect("novita")
    few = photos.model_copy(update={"images": photos.images[:2], "class_word": "woman"})
    names = NovitaTraining.BOTH if kind == "style" else EXPERT
    extra = {name: EXPERT[name] for name in names}
    extra["components"] = [{"name": "face_crop_region"}, {"name": "resize"}, {"name": "face_restore"}]
    rank = {"rank": 16} if kind == "subject" else {}
    asked = TrainingRequest.model_validate(
        {"name": "her", "dataset": few, "kind": kind, "extra": {"novita": extra}, "steps": 500, "seed": 3, **rank}
    )
    training = client.wait(client.train(asked), timeout=20)
    assert training.status is Status.SUCCEEDED
    assert training.id.startswith(f"{kind}/")
