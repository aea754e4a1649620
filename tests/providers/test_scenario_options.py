"""What may be asked of the vendor, by type of model."""

from __future__ import annotations

from typing import Any

import pytest
from helpers import png
from hypothesis import given, settings
from hypothesis import strategies as st

from unified_train import (
    Dataset,
    GenerationRequest,
    InvalidOptions,
    TrainedModel,
    TrainingRequest,
    UnsupportedCapability,
)
from unified_train_scenario.bodies import training_parameters
from unified_train_scenario.catalog import EDIT_TYPES, SINGLE_IMAGE_TYPES, base_of, needs_pairs
from unified_train_scenario.generating import Pictures, generation_body
from unified_train_scenario.inputs import inputs_of_type
from unified_train_scenario.options import ScenarioGeneration, ScenarioTraining
from unified_train_scenario.provider import Scenario
from unified_train_scenario.settings import ScenarioSettings

FLUX2 = "flux.2-dev-lora"


@pytest.fixture
def provider() -> Scenario:
    return Scenario(ScenarioSettings.model_validate({"jwt": "t"}))


def request(
    count: int = 10, *, trigger: str | None = None, class_word: str | None = None, **fields: Any
) -> TrainingRequest:
    dataset = Dataset.model_validate({"images": [png()] * count, "trigger": trigger, "class_word": class_word})
    return TrainingRequest(**{"name": "x", "dataset": dataset, **fields})


def parameters(asked: TrainingRequest, model_type: str = FLUX2, **options: Any) -> dict[str, Any]:
    return training_parameters(asked, ScenarioTraining(**options), model_type)[0]


def notes(asked: TrainingRequest, model_type: str = FLUX2, **options: Any) -> list[str]:
    return training_parameters(asked, ScenarioTraining(**options), model_type)[1]


def test_nothing_asked_is_nothing_sent() -> None:
    """Without options the trainer's own defaults apply."""
    assert parameters(request()) == {}
    assert notes(request()) == []


def test_every_option_has_its_parameter() -> None:
    """Neutral and vendor-only options are sent under the vendor's names."""
    asked = request(learning_rate=1e-4, rank=16, seed=7)
    sent = parameters(
        asked,
        batch_size=2,
        epochs=5,
        repeats=4,
        learning_rate_text_encoder=1e-5,
        concept_prompt="a cat",
        sample_prompts=["p"],
        optimize_for="likeness",
        wandb_key="w" * 40,
    )
    assert sent == {
        "learningRate": 1e-4,
        "rank": 16,
        "seed": 7,
        "batchSize": 2,
        "nbEpochs": 5,
        "nbRepeats": 4,
        "learningRateTextEncoder": 1e-5,
        "conceptPrompt": "a cat",
        "samplePrompts": ["p"],
        "optimizeFor": "likeness",
        "wandbKey": "w" * 40,
    }
    assert "deprecated" in notes(asked)[0]


@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": 9},
        {"epochs": 0},
        {"repeats": 101},
        {"learning_rate_text_encoder": 0.1},
        {"sample_prompts": ["p"] * 9},
        {"optimize_for": "style"},
        {"wandb_key": "w" * 41},
        {"description": "d" * 257},
        {"nb_epochs": 5},
    ],
)
def test_options_out_of_range_are_refused_in_one_sentence(options: dict[str, Any]) -> None:
    """A wrong or unknown vendor-only option is named, and its value is not shown."""
    with pytest.raises(InvalidOptions, match=next(iter(options))) as caught:
        ScenarioTraining(**options)
    assert "wwww" not in str(caught.value)


def test_the_key_of_the_log_service_is_a_secret() -> None:
    """Its value shows in no repr."""
    assert "w-key" not in repr(ScenarioTraining.model_validate({"wandb_key": "w-key"}))


@pytest.mark.parametrize(
    ("model_type", "fields", "options"),
    [
        ("flux.1-lora", {"rank": 65}, {}),
        (FLUX2, {"rank": 129}, {}),
        (FLUX2, {"learning_rate": 2e-3}, {}),
        (FLUX2, {}, {"sample_prompts": ["p"] * 5}),
        (FLUX2, {}, {"concept_prompt": "x" * 21}),
        ("flux.1-lora", {"steps": 10_001}, {}),
        (FLUX2, {"steps": 10_000}, {"epochs": 1}),
        (FLUX2, {"steps": 100}, {"repeats": 2}),
    ],
)
def test_ranges_differ_by_trainer(
    provider: Scenario, model_type: str, fields: dict[str, Any], options: dict[str, Any]
) -> None:
    """What the type's trainer does not take is refused before anything is sent."""
    with pytest.raises(InvalidOptions):
        provider.check_training(request(base_model=model_type, **fields), ScenarioTraining(**options))


@pytest.mark.parametrize("model_type", [*SINGLE_IMAGE_TYPES, "flux.9-lora", None])
def test_types_on_single_images_are_taken(provider: Scenario, model_type: str | None) -> None:
    """All known types, and new ones that look alike, pass; none at all is the default."""
    provider.check_training(request(base_model=model_type, rank=64), ScenarioTraining())


@pytest.mark.parametrize("model_type", ["flux.2-dev", "gpt-image-1", "flux.1-composition"])
def test_other_types_are_refused(provider: Scenario, model_type: str) -> None:
    """Bases and blends are no types to train."""
    with pytest.raises(InvalidOptions, match="base_model"):
        provider.check_training(request(base_model=model_type), ScenarioTraining())


def test_steps_are_sent_as_they_are_where_the_trainer_counts_them() -> None:
    """FLUX.1 takes a number of steps."""
    assert parameters(request(steps=1500), "flux.1-lora") == {"maxTrainSteps": 1500}


def test_steps_become_repeats_elsewhere() -> None:
    """The newer trainer takes repeats of the dataset, and the note tells what comes of rounding."""
    assert parameters(request(steps=1000)) == {"nbRepeats": 10}
    assert notes(request(steps=1000)) == []
    assert parameters(request(steps=1030)) == {"nbRepeats": 10}
    assert notes(request(steps=1030)) == ["steps=1030 was sent as 10 repeats of 10 epochs, which makes 1000"]
    assert parameters(request(steps=100), batch_size=4, epochs=2)["nbRepeats"] == 20


@settings(deadline=None)
@given(steps=st.integers(1, 20_000), images=st.integers(1, 50), epochs=st.integers(1, 100), batch=st.integers(1, 8))
def test_repeats_are_as_near_to_the_steps_as_possible(steps: int, images: int, epochs: int, batch: int) -> None:
    """For any dataset the repeats are in range and within half a round of what was asked, or it is refused."""
    dataset = Dataset.model_construct(images=tuple(range(images)), trigger=None, class_word=None)  # type: ignore[arg-type]
    asked = TrainingRequest.model_construct(name="x", dataset=dataset, steps=steps)
    try:
        repeats = parameters(asked, epochs=epochs, batch_size=batch)["nbRepeats"]
    except InvalidOptions:
        assert steps * batch > 100 * images * epochs
        return
    assert 1 <= repeats <= 100
    assert repeats == 1 or abs(repeats * images * epochs - steps * batch) <= images * epochs / 2


@pytest.mark.parametrize(
    ("trigger", "class_word", "model_type", "sent", "told"),
    [
        ("ohwx", "cat", FLUX2, "ohwx cat", 0),
        ("ohwx", None, FLUX2, "ohwx", 0),
        ("ohwx", "a very long class word", FLUX2, "ohwx", 1),
        ("ohwx", "a very long class word", "flux.1-lora", "ohwx a very long class word", 0),
        ("x" * 21, None, FLUX2, None, 1),
        (None, "a very long class word", FLUX2, None, 1),
        (None, None, FLUX2, None, 0),
    ],
)
def test_trigger_and_class_word_are_the_concept_as_far_as_they_fit(
    trigger: str | None, class_word: str | None, model_type: str, sent: str | None, told: int
) -> None:
    """The newer trainer takes twenty characters: what does not fit is left out, and the notes say so."""
    asked = request(trigger=trigger, class_word=class_word)
    assert parameters(asked, model_type).get("conceptPrompt") == sent
    assert len(notes(asked, model_type)) == told


# -- generation --------------------------------------------------------------------------------------------------------


def model(model_type: str | None) -> TrainedModel:
    return TrainedModel(provider="scenario", id="model_1", base_model=model_type)


@pytest.mark.parametrize(
    ("model_type", "fields", "options", "error"),
    [
        (FLUX2, {"guidance": 0.5}, {}, InvalidOptions),
        ("flux.1-lora", {"steps": 51}, {}, InvalidOptions),
        ("flux.1-lora", {"prompt": "x" * 2049}, {}, InvalidOptions),
        (FLUX2, {}, {"negative_prompt": "dogs"}, UnsupportedCapability),
        (FLUX2, {"image": png()}, {}, UnsupportedCapability),
        ("zimage-lora", {"references": [png()]}, {}, UnsupportedCapability),
        ("flux.1-kontext-lora", {}, {}, InvalidOptions),
    ],
)
def test_generations_are_checked_by_the_type_of_the_model(
    provider: Scenario,
    model_type: str,
    fields: dict[str, Any],
    options: dict[str, Any],
    error: type[Exception],
) -> None:
    """What the base of this type does not take is refused; of an unknown type or another base nothing is assumed."""
    asked, extra = GenerationRequest(**{"prompt": "p", **fields}), ScenarioGeneration(**options)
    with pytest.raises(error):
        provider.check_generation(model(model_type), asked, extra)
    provider.check_generation(model(None), asked, extra)
    provider.check_generation(model("flux.9-lora"), asked, extra)
    provider.check_generation(model(model_type), asked, extra.model_copy(update={"base": "model_new"}))


@pytest.mark.parametrize(
    "options", [{"lora_scale": 2.1}, {"strength": 0}, {"reference_images": ["a"] * 6}, {"scale": 1}]
)
def test_generation_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    """A wrong or unknown vendor-only option is named."""
    with pytest.raises(InvalidOptions, match=next(iter(options))):
        ScenarioGeneration(**options)


def test_vendor_only_inputs_are_sent_under_their_names() -> None:
    """Negative prompt, start image, strength and references have inputs of their own."""
    asked, nothing = GenerationRequest(prompt="p"), Pictures()
    options = ScenarioGeneration(negative_prompt="dogs", image="asset_1", strength=0.5)
    sent, _ = generation_body(inputs_of_type("zimage-lora"), asked, options, nothing)
    plain = {"prompt": "p", "numOutputs": 1}
    assert sent == {**plain, "negativePrompt": "dogs", "image": "asset_1", "strength": 0.5}
    options = ScenarioGeneration(reference_images=("asset_2",))
    sent, _ = generation_body(inputs_of_type(FLUX2), asked, options, nothing)
    assert sent == {**plain, "referenceImages": ["asset_2"]}


def test_every_type_but_one_has_a_base() -> None:
    """Each type that can be trained, edit variants included, runs on a known base; for Krea none is documented."""
    every = [*SINGLE_IMAGE_TYPES, *EDIT_TYPES]
    assert [name for name in every if base_of(name) is None] == ["flux.1-krea-lora"]
    assert base_of("flux.2-klein-base-9b-edit-lora") == "model_bfl-flux-2-klein-9b-base"
    assert [name for name in every if needs_pairs(name)] == list(EDIT_TYPES)
    assert needs_pairs("flux.9-edit-lora")
    assert set(every) == set(Scenario.capabilities.training.base_models)
