"""Generations of the Scenario provider, driven by hand: which model runs, with which inputs, from which pictures."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
from helpers import png
from scenario_flow import ONLY_CUSTOM, answered, body, job, model, told

from unified_train import (
    Cost,
    DatasetError,
    Effect,
    GenerationRequest,
    Image,
    InvalidOptions,
    InvalidRequest,
    NotFound,
    Request,
    Snapshot,
    Status,
    TrainedModel,
    UnsupportedCapability,
)
from unified_train_scenario.options import ScenarioGeneration
from unified_train_scenario.provider import Scenario
from unified_train_scenario.settings import ScenarioSettings

MODEL = TrainedModel(provider="scenario", id="model_1", trigger="ohwx", class_word="cat", base_model="flux.2-dev-lora")
START = {**job("queued", jobId="job_2"), "creativeUnitsCost": 17.75}
UNREADABLE = NotFound("Model model_bfl-flux-2-dev not found", http_status=404)
FLUX1, ZIMAGE, KONTEXT = ({"type": kind} for kind in ("flux.1-lora", "zimage-lora", "flux.1-kontext-lora"))
DATA_URL = "data:image/png;base64," + b64encode(png()).decode()


def base(*inputs: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """The record of a base model with these inputs beside the usual ones."""
    usual: list[dict[str, Any]] = [
        {"name": "prompt", "type": "string", "required": {"always": True}, "maxLength": 100},
        {"name": "numOutputs", "type": "number", "min": 1, "max": 4, "step": 1, "default": 1},
    ]
    return {"model": {"id": "model_base", "name": "A base", "custom": True, "inputs": [*usual, *inputs], **fields}}


@pytest.fixture
def provider() -> Scenario:
    return Scenario(ScenarioSettings.model_validate({"api_key": "k", "api_secret": "s"}))


def generated(
    provider: Scenario, record: dict[str, Any], *answers: object, of: TrainedModel = MODEL, **fields: Any
) -> tuple[list[Request], Snapshot]:
    options = ScenarioGeneration(**fields.pop("options", {}))
    asked = GenerationRequest(**{"prompt": "ohwx cat", **fields})
    return answered(provider.generate(of, asked, options), record, *answers)


# -- which model runs --------------------------------------------------------------------------------------------------


def test_a_generation_runs_the_base_with_the_lora(provider: Scenario) -> None:
    """The base of the model's type is in the path; LoRA, scale and the number of pictures are always told."""
    sent, snapshot = generated(
        provider,
        model("trained", concepts=[{"modelId": "model_1", "scale": 0.7}]),
        UNREADABLE,
        START,
        n=2,
        seed=5,
        width=512,
        height=768,
        guidance=4,
        steps=20,
    )
    assert told(sent) == [
        ("GET", "/models/model_1"),
        ("GET", "/models/model_bfl-flux-2-dev"),
        ("POST", "/generate/custom/model_bfl-flux-2-dev"),
    ]
    assert sent[2].effect is Effect.PAY
    assert body(sent[2]) == {
        "prompt": "ohwx cat",
        "numOutputs": 2,
        "width": 512,
        "height": 768,
        "guidance": 4,
        "numInferenceSteps": 20,
        "seed": 5,
        "loras": ["model_1"],
        "lorasScale": [0.7],
    }
    assert (snapshot.id, snapshot.status) == ("job_2", Status.QUEUED)
    assert snapshot.cost == Cost(amount=17.75, unit="CU", source="generate answer")


def test_unasked_inputs_are_not_sent(provider: Scenario) -> None:
    """Only prompt, number and the LoRA with the service's own default strength are sent if nothing else is asked."""
    sent, _ = generated(provider, model("trained"), base(), START)
    assert body(sent[2]) == {"prompt": "ohwx cat", "numOutputs": 1, "loras": ["model_1"], "lorasScale": [0.8]}


def test_the_price_may_be_on_the_job_or_nowhere(provider: Scenario) -> None:
    """Without a total the job's billing with its add-ons is the price, and without both it is unknown."""
    billing = {"cuCost": 16, "cuDiscount": 0, "cuCostDetails": {"quality-gate": 1.75}}
    _, snapshot = generated(provider, model("trained"), base(), job("queued", billing=billing))
    assert snapshot.cost == Cost(amount=17.75, unit="CU", source="generate answer")
    assert generated(provider, model("trained"), base(), job("queued"))[1].cost is None


def test_discount_and_detection_fee_are_told(provider: Scenario) -> None:
    """The price is after the discount, the fee comes on top, and the parts stay in the raw record."""
    parts = {"custom-generation": 16, "quality-gate": 1.75}
    extra = {"creativeUnitsDiscount": 4, "costDetails": parts, "ipDetection": {"creativeUnitsCharged": 2}}
    _, snapshot = generated(provider, model("trained"), base(), {**START, **extra})
    assert snapshot.cost == Cost(amount=19.75, unit="CU", source="generate answer")
    assert snapshot.notes == (
        "the price is after a discount of 4 CU",
        "the price holds 2 CU for the detection of protected content",
    )
    assert snapshot.raw["costDetails"] == parts


@pytest.mark.parametrize("fields", [{"custom": True}, {"inputs": [{"name": "prompt"}, {"name": "numOutputs"}]}])
def test_a_model_that_runs_itself_goes_into_the_path(provider: Scenario, fields: dict[str, Any]) -> None:
    """If the record says `custom` or lists inputs, its own id is in the path and no LoRA in the body."""
    sent, _ = generated(provider, model("trained", **fields), START)
    assert told(sent)[1] == ("POST", "/generate/custom/model_1")
    assert body(sent[1]) == {"prompt": "ohwx cat", "numOutputs": 1}


def test_the_other_form_is_tried_once_after_exactly_that_refusal(provider: Scenario) -> None:
    """`Custom models only …` made no job, so the other form is sent; a second refusal is raised."""
    sent, snapshot = generated(provider, model("trained"), base(), ONLY_CUSTOM, START)
    assert told(sent)[3] == ("POST", "/generate/custom/model_1")
    assert "loras" not in body(sent[3])
    assert snapshot.id == "job_2"
    sent, _ = generated(provider, model("trained", custom=True), ONLY_CUSTOM, base(), START)
    assert told(sent)[3] == ("POST", "/generate/custom/model_bfl-flux-2-dev")
    assert body(sent[3])["loras"] == ["model_1"]
    with pytest.raises(InvalidRequest, match="Custom models only"):
        generated(provider, model("trained"), base(), ONLY_CUSTOM, ONLY_CUSTOM)


def test_any_other_refusal_is_raised_at_once(provider: Scenario) -> None:
    """Another 400 is not answered with a second paid request."""
    with pytest.raises(InvalidRequest, match="width"):
        generated(provider, model("trained"), base(), InvalidRequest("Input width must be at least 128"))


def test_a_type_without_a_known_base_needs_one_named(provider: Scenario) -> None:
    """For FLUX.1 Krea no base is documented: it must be given, unless the model runs itself."""
    krea = {"type": "flux.1-krea-lora"}
    with pytest.raises(UnsupportedCapability, match="'base'"):
        generated(provider, model("trained", **krea))
    options = {"base": "model_b", "lora_scale": 1.5}
    sent, _ = generated(provider, model("trained", **krea), base(), START, options=options)
    assert told(sent)[1:] == [("GET", "/models/model_b"), ("POST", "/generate/custom/model_b")]
    assert body(sent[2])["lorasScale"] == [1.5]
    with pytest.raises(InvalidRequest, match="Custom"):
        generated(provider, model("trained", custom=True, **krea), ONLY_CUSTOM)


# -- with which inputs -------------------------------------------------------------------------------------------------


def test_a_new_base_needs_no_release(provider: Scenario) -> None:
    """Names, ranges and the places for LoRAs are those of the base's own record, whatever the table says."""
    record = base(
        {"name": "width", "type": "number", "min": 64, "max": 8192, "step": 8},
        {"name": "guidanceScale", "type": "number", "min": 1, "max": 99, "step": 0.1},
        {"name": "negativePrompt", "type": "string"},
        {"name": "image", "type": "file"},
        {"name": "strength", "type": "number", "min": 0.1, "max": 1, "step": 0.05},
        uiConfig={"lorasComponent": {"modelInput": "adapters", "scaleInput": "weights", "modelIdInput": "modelId"}},
    )
    sent, snapshot = generated(
        provider,
        model("trained", type="flux.9-lora"),
        record,
        START,
        width=72,
        guidance=50.3,
        height=64,
        image=png(),
        strength=0.7,
        options={"base": "model_new", "negative_prompt": "dogs"},
    )
    assert body(sent[2]) == {
        "prompt": "ohwx cat",
        "numOutputs": 1,
        "negativePrompt": "dogs",
        "width": 72,
        "guidanceScale": 50.3,
        "image": DATA_URL,
        "strength": 0.7,
        "adapters": ["model_1"],
        "weights": [0.8],
    }
    assert snapshot.notes == ("A base takes no height; it was not sent",)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"width": 32}, r"width: 32 is outside what is taken \(64–128\) by A base"),
        ({"width": 70}, "width: 70 is no multiple of 8"),
        ({"prompt": "x" * 101}, "prompt: 101 characters; at most 100"),
        ({"references": [png()] * 3}, "references: 3 items; at most 2"),
        ({"n": 5}, "n: 5 is outside"),
    ],
)
def test_values_are_checked_by_the_record(provider: Scenario, fields: dict[str, Any], message: str) -> None:
    """What the base's record excludes is refused before anything is paid or uploaded."""
    record = base(
        {"name": "width", "min": 64, "max": 128, "step": 8},
        {"name": "referenceImages", "maxLength": 2},
    )
    with pytest.raises(InvalidOptions, match=message):
        generated(provider, model("trained"), record, **fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"image": png()},
        {"references": [png()]},
        {"image": png(), "strength": 0.5},
        {"options": {"negative_prompt": "dogs"}},
        {"n": 2},
    ],
)
def test_inputs_that_the_base_has_not_are_refused(provider: Scenario, fields: dict[str, Any]) -> None:
    """Pictures, a negative prompt and a number of pictures are never dropped silently."""
    record = {"model": {"id": "model_base", "inputs": [{"name": "prompt"}, {"noName": 1}, "nonsense"]}}
    with pytest.raises(UnsupportedCapability, match="takes none"):
        generated(provider, model("trained"), record, **fields)


def test_a_base_that_does_not_count_makes_one(provider: Scenario) -> None:
    """Without an input for the number of pictures none is sent."""
    sent, _ = generated(provider, model("trained"), {"model": {"id": "b", "inputs": [{"name": "prompt"}]}}, START)
    assert "numOutputs" not in body(sent[2])


@pytest.mark.parametrize(
    "record", [{"model": {"id": "b"}}, {"model": {"id": "b", "inputs": [{"type": "x"}]}}, {"error": 1}, UNREADABLE]
)
def test_the_table_is_used_if_the_record_tells_nothing(provider: Scenario, record: object) -> None:
    """A record without inputs, of another form, or that can't be read leaves the inputs that were captured."""
    sent, _ = generated(provider, model("trained", **FLUX1), record, START, guidance=0, image=png(), strength=0.01)
    assert {"guidance": 0, "image": DATA_URL, "strength": 0.01}.items() <= body(sent[2]).items()


def test_odd_limits_in_a_record_do_not_matter(provider: Scenario) -> None:
    """Limits that are no numbers are no limits, and a step counts from the least value too."""
    record = base(
        {"name": "width", "min": "64", "max": True, "step": None, "required": "yes"},
        {"name": "guidance", "min": 1.5, "step": 2},
        uiConfig={"lorasComponent": None},
    )
    sent, _ = generated(provider, model("trained"), record, START, width=1, guidance=3.5)
    assert {"width": 1, "guidance": 3.5, "loras": ["model_1"]}.items() <= body(sent[2]).items()


def test_kontext_has_no_size_and_needs_references(provider: Scenario) -> None:
    """The editing base is told nothing of width, height and steps, and the notes say so."""
    record = model("trained", **KONTEXT)
    options = {"reference_images": ("asset_1",)}
    sent, snapshot = generated(provider, record, UNREADABLE, START, width=512, steps=9, guidance=3, options=options)
    assert told(sent)[2] == ("POST", "/generate/custom/model_flux-kontext-editing")
    assert {"referenceImages": ["asset_1"], "guidanceScale": 3}.items() <= body(sent[2]).items()
    assert not {"width", "numInferenceSteps"} & set(body(sent[2]))
    assert [note.split(" takes ")[1] for note in snapshot.notes] == [
        "no width; it was not sent",
        "no steps; it was not sent",
    ]
    with pytest.raises(InvalidOptions, match="needs references"):
        generated(provider, record, UNREADABLE)


# -- from which pictures -----------------------------------------------------------------------------------------------


def test_references_are_data_urls(provider: Scenario) -> None:
    """Pictures to be guided by go as data URLs, in their order."""
    sent, _ = generated(provider, model("trained"), UNREADABLE, START, references=[png(), png(16)])
    assert body(sent[2])["referenceImages"] == [DATA_URL, "data:image/png;base64," + b64encode(png(16)).decode()]


def test_pictures_too_large_for_one_body_are_uploaded_once(provider: Scenario) -> None:
    """Together over four megabytes, each becomes an asset first, also if a second form has to be sent."""
    large = [png(padding=2_100_000), png(padding=2_100_001)]
    assets = [{"asset": {"id": "asset_1"}}, {"asset": {"id": "asset_2"}}]
    record = model("trained", **ZIMAGE)
    answers = [base({"name": "image"}, {"name": "referenceImages"}), *assets, ONLY_CUSTOM, START]
    sent, _ = generated(provider, record, *answers, image=large[0], references=[large[1]])
    assert told(sent)[2:] == [
        ("POST", "/assets"),
        ("POST", "/assets"),
        ("POST", "/generate/custom/model_z-image"),
        ("POST", "/generate/custom/model_1"),
    ]
    for request in sent[4:]:
        assert {"image": "asset_1", "referenceImages": ["asset_2"]}.items() <= body(request).items()


@pytest.mark.parametrize(
    ("fields", "options"),
    [
        ({"image": png()}, {"image": "asset_1"}),
        ({"image": png(), "strength": 0.5}, {"strength": 0.6}),
        ({"references": [png()]}, {"reference_images": ["asset_1"]}),
    ],
)
def test_a_picture_given_twice_is_refused(provider: Scenario, fields: dict[str, Any], options: dict[str, Any]) -> None:
    """The request and the vendor-only options can't both name a picture or its strength."""
    with pytest.raises(InvalidOptions, match="given twice"):
        generated(provider, model("trained", **FLUX1), UNREADABLE, options=options, **fields)


# -- prices ------------------------------------------------------------------------------------------------------------


def estimated(provider: Scenario, *answers: object, n: int = 1, **options: Any) -> tuple[list[Request], Cost | None]:
    asked = GenerationRequest(prompt="ohwx cat", n=n)
    return answered(provider.estimate_generation(MODEL, asked, **options), model("trained"), *answers)


def test_a_generation_is_priced_by_a_dry_run(provider: Scenario) -> None:
    """The same request with `dryRun` is no payment, and its price is the answer's total."""
    sent, cost = estimated(provider, base(), {"creativeUnitsCost": 10.75, "costDetails": {"custom-generation": 9}})
    assert cost == Cost(amount=10.75, unit="CU", source="generate dry run")
    assert (sent[2].query, sent[2].effect) == ({"dryRun": "true"}, Effect.READ)
    assert body(sent[2])["loras"] == ["model_1"]
    sent, _ = estimated(provider, base(), {"creativeUnitsCost": 1}, api_price=True)
    assert sent[2].query == {"dryRun": "api"}


def test_more_pictures_than_a_call_makes_are_priced_by_the_call(provider: Scenario) -> None:
    """Nine pictures cost two calls of four and one of one, for two questions."""
    sent, cost = estimated(provider, base(), {"creativeUnitsCost": 40}, base(), {"creativeUnitsCost": 10}, n=9)
    assert [body(request)["numOutputs"] for request in sent if request.body] == [4, 1]
    assert cost == Cost(amount=90, unit="CU", source="generate dry run")
    assert estimated(provider, base(), {"creativeUnitsCost": 40}, n=8)[1] == Cost(
        amount=80, unit="CU", source="generate dry run"
    )


def test_an_answer_without_a_price_is_no_price(provider: Scenario) -> None:
    """An unknown price is None, never zero; one under its other name counts."""
    assert estimated(provider, base(), {"job": {}})[1] is None
    priced = estimated(provider, base(), {"statusCode": 402, "estimatedCost": 12})[1]
    assert (priced and priced.amount) == 12


def test_a_picture_that_is_only_a_url_has_no_price(provider: Scenario) -> None:
    """A price is asked with the pictures themselves."""
    asked = GenerationRequest(prompt="p", image=Image.of("https://img.example.com/a.png"))
    with pytest.raises(DatasetError, match="only a URL"):
        answered(provider.estimate_generation(MODEL, asked), model("trained", **FLUX1), UNREADABLE)
