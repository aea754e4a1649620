"""What is wrong is told before anything is sent."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from helpers import plain, png

from unified_train import (
    Dataset,
    DatasetError,
    GenerationRequest,
    Image,
    InvalidOptions,
    TrainedModel,
    TrainingRequest,
    UnifiedTrainWarning,
    UnsupportedCapability,
    UploadedImage,
)
from unified_train.checks import check_generation, check_training, check_uploaded

MODEL = TrainedModel(provider="plain", id="m", trigger="ohwx", class_word="cat")


def training(count: int = 1, image: Any = None, **values: Any) -> TrainingRequest:
    dataset = Dataset.of([image or Image.of(png(), name=f"{number}.png") for number in range(count)])
    return TrainingRequest(**{"name": "t", "dataset": dataset, **values})


@pytest.mark.parametrize(
    ("request_", "error", "sentence"),
    [
        (lambda: training(6), DatasetError, "6 images; Plain takes at most 5; leave some out"),
        (lambda: training(kind="style"), UnsupportedCapability, "Plain trains no style, only subject"),
        (lambda: training(steps=7), InvalidOptions, "steps: 7 is outside what Plain takes (10–100, multiples of 10)"),
        (lambda: training(rank=4), UnsupportedCapability, "Plain has no option 'rank'"),
        (lambda: training(extra={"plain": {"moood": "calm"}}), InvalidOptions, "did you mean 'mood'?"),
        (lambda: training(extra={"plain": {"mood": "odd"}}), InvalidOptions, "mood: input should be 'calm' or 'wild'"),
        (
            lambda: training(image=b"GIF89a\x01\x00\x01\x00"),
            DatasetError,
            "Plain takes no gif, only jpeg, png; convert",
        ),
        (lambda: training(image=png(padding=100_000)), DatasetError, "Plain takes at most 100,000 per image"),
        (
            lambda: training(image=UploadedImage(provider="other", id="1", name="cat.png")),
            InvalidOptions,
            "cat.png was uploaded to other; upload it to plain too",
        ),
    ],
)
def test_a_training_that_the_vendor_would_refuse(request_: Any, error: type[Exception], sentence: str) -> None:
    """Each rule has one error that names what and why."""
    with pytest.raises(error) as raised:
        check_training(plain(), request_(), "error")
    assert sentence in str(raised.value)


def test_too_few_images_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A vendor's minimum is checked."""
    provider = plain()
    rules = provider.capabilities.images.model_copy(update={"minimum": 3})
    monkeypatch.setattr(type(provider), "capabilities", provider.capabilities.model_copy(update={"images": rules}))
    with pytest.raises(DatasetError, match="2 images; Plain needs at least 3"):
        check_training(provider, training(2), "error")


def test_a_default_base_model_is_filled_in() -> None:
    """The vendor's default is used unless the request names a base model."""
    assert check_training(plain(), training(), "error").request.base_model == "base-1"
    assert check_training(plain(), training(base_model="mine"), "error").request.base_model == "mine"


def test_what_is_dropped_is_noted() -> None:
    """A dropped option leaves the request and stands in the notes; `warn` says it aloud too."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dropped = check_training(plain(), training(rank=4), "drop")
    with pytest.warns(UnifiedTrainWarning, match="rank=4 was not sent"):
        warned = check_training(plain(), training(rank=4), "warn")
    assert dropped.request.rank is warned.request.rank is None
    assert dropped.notes == warned.notes == ("Plain has no option 'rank'; rank=4 was not sent",)


def test_captions_that_are_not_used_are_noted() -> None:
    """A vendor without captions gets none, and the job tells."""
    notes = check_training(plain(), training(image=Image.of(png(), caption="a cat")), "error").notes
    assert notes == ("Plain uses no captions; they are not sent",)


def test_images_must_be_uploaded_before_start_training() -> None:
    """`start_training` with a local image says which verb uploads."""
    with pytest.raises(DatasetError, match=r"0\.png: not uploaded yet; use `train`"):
        check_uploaded(plain(), training())
    check_uploaded(plain(), training(image=UploadedImage(provider="plain", id="1", name="n")))


def test_remote_images_are_not_judged_unseen() -> None:
    """Nothing is known of a URL before it is fetched."""
    check_training(plain(), training(image="https://host.test/cat.gif"), "error")


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"prompt": "{subject} " + "x" * 60}, "prompt: 69 characters; Plain takes at most 50"),
        ({"prompt": "{subject}", "seed": 100}, "seed: 100 is outside what Plain takes (0–99)"),
        ({"prompt": "{subject}", "width": 65}, "width: 65 is outside"),
    ],
)
def test_a_generation_that_the_vendor_would_refuse(values: dict[str, Any], sentence: str) -> None:
    """Ranges and lengths are checked, with the subject's words in place."""
    with pytest.raises(InvalidOptions) as raised:
        check_generation(plain(), MODEL, GenerationRequest(**values), "warn")
    assert sentence in str(raised.value)


def test_the_subject_becomes_the_words_it_was_trained_with() -> None:
    """`{subject}` becomes trigger and class word, as often as it stands there."""
    request = GenerationRequest(prompt="{subject} beside {subject}")
    assert check_generation(plain(), MODEL, request, "warn").request.prompt == "ohwx cat beside ohwx cat"


def test_a_prompt_that_leaves_the_model_unused_is_sent_with_a_warning() -> None:
    """A prompt that does not name the trained thing is sent as written, and the user hears of it."""
    with pytest.warns(UnifiedTrainWarning, match="Plain would ignore the model"):
        checked = check_generation(plain(), MODEL, GenerationRequest(prompt="a dog"), "warn")
    assert checked.request.prompt == "a dog"
    assert len(checked.notes) == 1


def test_a_model_without_words_has_no_subject() -> None:
    """`{subject}` of a model that was trained without words is a mistake that is told."""
    with pytest.raises(InvalidOptions, match="without trigger and class word"):
        check_generation(plain(), TrainedModel(provider="plain", id="m"), GenerationRequest(prompt="{subject}"), "warn")


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: GenerationRequest(prompt="x", n=0), "n: input should be greater than or equal to 1"),
        (lambda: GenerationRequest(prompt="  "), "GenerationRequest: prompt: must not be blank"),
        (lambda: GenerationRequest(prompt=""), "prompt"),
        (lambda: GenerationRequest(prompt="x", negativ_prompt="y"), "unknown option 'negativ_prompt'; did you mean"),  # type: ignore[call-arg]
        (lambda: training(name=""), "name"),
        (lambda: training(zzz=1), "unknown option 'zzz'; known are base_model"),
        (lambda: Dataset.of([png()], trigger="two words"), "trigger: must be one word"),
    ],
)
def test_a_request_that_no_vendor_could_take(make: Any, sentence: str) -> None:
    """A request that is wrong in itself can't be made."""
    with pytest.raises(InvalidOptions) as raised:
        make()
    assert sentence in str(raised.value)
