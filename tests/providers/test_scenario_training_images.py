"""Training images and pairs of the Scenario provider, driven by hand."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
from helpers import png
from scenario_flow import DUPLICATE, answered, body, images, job, model, response, told, uploaded

from unified_train import (
    Cost,
    Dataset,
    DatasetError,
    Effect,
    Image,
    InvalidOptions,
    InvalidRequest,
    MalformedResponse,
    NotFound,
    ProviderUnavailable,
    Request,
    TrainingRequest,
    UnsupportedCapability,
    UploadedImage,
)
from unified_train_scenario.options import ScenarioTraining, TrainingPair
from unified_train_scenario.provider import Scenario
from unified_train_scenario.settings import ScenarioSettings

PATH = "/models/model_1/training-images"
ONE = {"trainingImage": {"id": "asset_1", "name": "1.png", "downloadUrl": "https://cdn.example.com/1?Signature=s"}}
GONE = NotFound("Training image asset_0 not found", http_status=404)
EDIT = "flux.2-dev-edit-lora"
ACCEPTED = {**job("queued"), **model(), "creativeUnitsCost": 300}


@pytest.fixture
def provider() -> Scenario:
    return Scenario(ScenarioSettings.model_validate({"api_key": "k", "api_secret": "s"}))


# -- add ---------------------------------------------------------------------------------------------------------------


def test_an_image_is_added_by_its_bytes(provider: Scenario) -> None:
    """The bytes go as a data URL with a name, and are not sent twice."""
    flow = provider.add_training_image("model_1", Image.of(png(), name="c.png"), preset="style", original=True)
    [sent], made = answered(flow, ONE)
    assert (sent.effect, sent.query) == (Effect.CREATE, {"originalAssets": "true"})
    data = "data:image/png;base64," + b64encode(png()).decode()
    assert body(sent) == {"data": data, "name": "c.png", "preset": "style"}
    assert (made.id, made.name, made.description) == ("asset_1", "1.png", None)
    assert "Signature" not in repr(made)


@pytest.mark.parametrize("given", [uploaded(1), "asset_1"])
def test_an_image_is_added_by_its_asset(provider: Scenario, given: UploadedImage | str) -> None:
    """One asset goes by its id; without a preset none is sent."""
    [sent], made = answered(provider.add_training_image("model_1", given), ONE)
    assert told([sent]) == [("POST", PATH)]
    assert (body(sent), sent.effect, sent.query) == ({"assetId": "asset_1"}, Effect.REPEATABLE, {})
    assert made.url is not None


def test_an_asset_that_is_attached_already_counts_as_done(provider: Scenario) -> None:
    """After the duplicate's 400 the record tells of the image; any other 400 is raised."""
    there = model("new", trainingImages=[{"id": "asset_1", "name": "cat.png"}])
    _, made = answered(provider.add_training_image("model_1", "asset_1"), DUPLICATE, there)
    assert made.name == "cat.png"
    _, made = answered(provider.add_training_image("model_1", "asset_1"), DUPLICATE, model("new"))
    assert (made.id, made.name) == ("asset_1", None)
    with pytest.raises(InvalidRequest, match="preset"):
        answered(provider.add_training_image("model_1", "asset_1"), InvalidRequest("Invalid preset"))


def test_a_large_image_is_uploaded_first(provider: Scenario) -> None:
    """Beyond four megabytes the bytes become an asset in parts, which is then attached by its id."""
    image = Image.of(png(padding=4_000_000), name="c.png")
    upload = {"id": "upload_1", "status": "pending", "parts": [{"number": 1, "url": "https://s3.example.com/1"}]}
    done = {"upload": {"id": "upload_1", "status": "imported", "entityId": "asset_1"}}
    sent, made = answered(provider.add_training_image("model_1", image), {"upload": upload}, b"", done, ONE)
    assert (told(sent)[-1], body(sent[-1]), made.id) == (("POST", PATH), {"assetId": "asset_1"}, "asset_1")
    there = InvalidRequest(DUPLICATE.message)
    _, made = answered(provider.add_training_image("model_1", image), {"upload": upload}, b"", done, there)
    assert made.name == "c.png"


def test_an_image_that_the_vendor_does_not_take_is_refused(provider: Scenario) -> None:
    """Bytes of another kind are refused before anything is sent."""
    with pytest.raises(DatasetError, match="bmp"):
        next(provider.add_training_image("model_1", Image.of(b"BM" + bytes(60), name="c.bmp")))


def test_eleven_assets_are_two_disjoint_batches(provider: Scenario) -> None:
    """More than ten are sent in as many requests as it takes, each asset once, and then counted."""
    assets = [uploaded(number) for number in range(11)]
    there = model("new", trainingImages=images(*[asset.id for asset in assets], "asset_99"))
    flow = provider.add_training_images("model_1", [*assets, "asset_5"], preset="default")
    sent, made = answered(flow, ONE, ONE, there)
    assert told(sent) == [("POST", PATH), ("POST", PATH), ("GET", "/models/model_1")]
    batches = [body(request)["assetIds"] for request in sent[:2]]
    assert ([len(batch) for batch in batches], set(batches[0]) & set(batches[1])) == ([10, 1], set())
    assert [image.id for image in made] == [asset.id for asset in assets]


def test_a_repeated_batch_counts_as_done(provider: Scenario) -> None:
    """A duplicate's 400 is settled by a look: only what is missing is attached, and nothing is refused."""
    some, every = model("new", trainingImages=images("asset_1")), model("new", trainingImages=images("asset_1", "b"))
    flow = provider.add_training_images("model_1", ["asset_1", "b"])
    sent, made = answered(flow, DUPLICATE, some, DUPLICATE, every)
    assert body(sent[2]) == {"assetId": "b"}
    assert [image.id for image in made] == ["asset_1", "b"]


def test_assets_that_stay_missing_are_an_error(provider: Scenario) -> None:
    """If nothing was refused and an asset is missing still, the error counts."""
    none = model("new", trainingImages=[])
    with pytest.raises(MalformedResponse, match="0 of 1 training images"):
        answered(provider.add_training_images("model_1", ["asset_1"]), ONE, none, none, ONE, none)


def test_a_record_that_only_counts_is_enough(provider: Scenario) -> None:
    """Without a list the number decides, and the images are known by their ids."""
    made = answered(provider.add_training_images("model_1", ["a"]), ONE, model("new", trainingImagesNumber=7))[1]
    assert [image.id for image in made] == ["a"]


def test_only_assets_of_this_vendor_are_attached(provider: Scenario) -> None:
    """An image uploaded elsewhere, and no image at all, are refused before anything is sent."""
    other = UploadedImage(provider="novita", id="x", name="c.png")
    with pytest.raises(InvalidOptions, match="upload it to scenario too"):
        next(provider.add_training_image("model_1", other))
    with pytest.raises(DatasetError, match="no images"):
        next(provider.add_training_images("model_1", []))


# -- list, replace, delete ---------------------------------------------------------------------------------------------


def test_images_are_listed_from_the_record(provider: Scenario) -> None:
    """The model is read, since the images have no list of their own; an absent list is empty."""
    there = model("new", trainingImages=[{"id": "a", "automaticCaptioning": "a cat", "createdAt": "2026-11-20"}])
    [sent], found = answered(provider.training_images("model_1", original=True), there)
    assert (told([sent]), sent.query) == ([("GET", "/models/model_1")], {"originalAssets": "true"})
    assert [(image.id, image.automatic_caption, image.created is None) for image in found] == [("a", "a cat", False)]
    assert answered(provider.training_images("model_1"), model("new"))[1] == ()


def test_an_image_is_replaced_by_asset_or_bytes(provider: Scenario) -> None:
    """The old image is in the path, the new one in the body in either form."""
    [sent], made = answered(provider.replace_training_image("model_1", "asset_0", "asset_1", preset="subject"), ONE)
    assert (told([sent]), sent.effect) == ([("PUT", f"{PATH}/asset_0")], Effect.REPEATABLE)
    assert (body(sent), made.id) == ({"assetId": "asset_1", "preset": "subject"}, "asset_1")
    image = Image.of(png(), name="c.png")
    [sent], _ = answered(provider.replace_training_image("model_1", "asset_0", image, original=True), ONE)
    assert (sent.effect, sent.query) == (Effect.CREATE, {"originalAssets": "true"})
    assert set(body(sent)) == {"data", "name"}


def test_a_large_image_replaces_by_its_asset(provider: Scenario) -> None:
    """Beyond four megabytes the new image is uploaded in parts first."""
    image = Image.of(png(padding=4_000_000))
    upload = {"id": "upload_1", "parts": [{"number": 1, "url": "https://s3.example.com/1"}]}
    done = {"upload": {"id": "upload_1", "status": "imported", "entityId": "asset_1"}}
    sent, _ = answered(provider.replace_training_image("model_1", "a", image), {"upload": upload}, b"", done, ONE)
    assert body(sent[-1]) == {"assetId": "asset_1"}


@pytest.mark.parametrize("refused", [GONE, DUPLICATE])
def test_a_repeated_replacement_counts_as_done(provider: Scenario, refused: Exception) -> None:
    """If the new image is there and the old one is not, a refused repeat is no failure."""
    flow = provider.replace_training_image("model_1", "asset_0", "asset_1")
    _, made = answered(flow, refused, model("new", trainingImages=images("asset_1")))
    assert made.id == "asset_1"
    for there in (("asset_0", "asset_1"), ("asset_0",), ()):
        flow = provider.replace_training_image("model_1", "asset_0", "asset_1")
        with pytest.raises(type(refused)):
            answered(flow, refused, model("new", trainingImages=images(*there)))


def test_other_refusals_of_a_replacement_are_raised(provider: Scenario) -> None:
    """Another 400, and any refusal of bytes, end it without a look."""
    with pytest.raises(InvalidRequest, match="trained"):
        answered(provider.replace_training_image("model_1", "a", "b"), InvalidRequest("the model is trained"))
    with pytest.raises(NotFound):
        answered(provider.replace_training_image("model_1", "a", Image.of(png())), GONE)


def test_an_image_is_deleted_once_or_twice(provider: Scenario) -> None:
    """One that is gone counts as done, unless the model is gone or shows it still."""
    [sent], _ = answered(provider.delete_training_image("model_1", "asset_0"), {})
    assert (told([sent]), sent.effect, sent.body) == ([("DELETE", f"{PATH}/asset_0")], Effect.REPEATABLE, None)
    twice, _ = answered(provider.delete_training_image("model_1", "asset_0"), GONE, model("new"))
    assert told(twice)[1] == ("GET", "/models/model_1")
    with pytest.raises(NotFound, match="Model"):
        answered(provider.delete_training_image("model_1", "asset_0"), GONE, NotFound("Model model_1 not found"))
    there = model("new", trainingImages=images("asset_0"))
    with pytest.raises(NotFound, match="Training image"):
        answered(provider.delete_training_image("model_1", "asset_0"), GONE, there)


# -- pairs -------------------------------------------------------------------------------------------------------------

PAIRS = [TrainingPair(source="a", target="b", instruction="add snow"), TrainingPair(source="c", target="d")]
RECORDS = [{"instruction": "add snow", "sourceId": "a", "targetId": "b"}, {"sourceId": "c", "targetId": "d"}]
NAMED = [{"id": name, "name": f"{name}.png"} for name in "abc"] + [{"id": "d", "name": "c.png"}, {"id": "e"}]


def test_pairs_are_replaced_as_a_bare_array(provider: Scenario) -> None:
    """The body is a list that replaces all pairs; images are named by asset id or by a name that is theirs alone."""
    there = model("new", type=EDIT, trainingImages=NAMED)
    answer = {"count": 2, "pairs": RECORDS}
    sent, made = answered(provider.replace_training_pairs("model_1", PAIRS), there, answer)
    assert (told(sent)[1], sent[1].effect) == (("PUT", f"{PATH}/pairs"), Effect.REPEATABLE)
    assert body(sent[1]) == RECORDS
    assert made == tuple(PAIRS)
    by_name = [TrainingPair(source="a.png", target="b.png", instruction="add snow"), PAIRS[1]]
    sent, _ = answered(provider.replace_training_pairs("model_1", by_name), there, answer)
    assert body(sent[1]) == RECORDS


def test_pairs_are_read_from_the_record(provider: Scenario) -> None:
    """The model tells its pairs, if it has any."""
    there = model("new", trainingImagePairs=RECORDS)
    assert answered(provider.training_pairs("model_1"), there)[1] == tuple(PAIRS)
    assert answered(provider.training_pairs("model_1"), model("new"))[1] == ()


@pytest.mark.parametrize(
    ("pairs", "record", "error", "message"),
    [
        (PAIRS[:1], None, InvalidOptions, "at least 2"),
        (PAIRS, {"type": "flux.2-dev-lora"}, UnsupportedCapability, "single images"),
        (PAIRS, {"type": EDIT, "trainingImages": images("a", "b", "c")}, DatasetError, "'d' is no training image"),
        (
            [PAIRS[0], TrainingPair(source="c.png", target="a")],
            {"type": EDIT, "trainingImages": NAMED},
            DatasetError,
            "or several",
        ),
    ],
    ids=["too few", "no edit type", "not attached", "two of a name"],
)
def test_wrong_pairs_are_never_written(
    provider: Scenario,
    pairs: list[TrainingPair],
    record: dict[str, Any] | None,
    error: type[Exception],
    message: str,
) -> None:
    """Too few pairs are refused unread; for the rest the model is read, and nothing more."""
    flow = provider.replace_training_pairs("model_1", pairs)
    with pytest.raises(error, match=message):
        answered(flow, *([model("new", **record)] if record else []))


def test_a_record_without_a_list_leaves_pairs_to_the_vendor(provider: Scenario) -> None:
    """If the model does not tell its images, the pairs are sent as they are; fewer in the answer are malformed."""
    flow = provider.replace_training_pairs("model_1", PAIRS)
    sent, _ = answered(flow, model("new", type=EDIT), {"count": 2, "pairs": RECORDS})
    assert body(sent[1]) == RECORDS
    with pytest.raises(MalformedResponse, match="1 of 2 pairs"):
        answered(
            provider.replace_training_pairs("model_1", PAIRS),
            model("new", type=EDIT),
            {"count": 1, "pairs": RECORDS[:1]},
        )


def request(model_type: str = EDIT, **fields: Any) -> TrainingRequest:
    given = [Image.of(png(), name="before.png"), uploaded(1), uploaded(2), uploaded(2)]
    dataset = Dataset.of(given, trigger="ohwx")
    return TrainingRequest(**{"name": "snow", "dataset": dataset, "base_model": model_type, **fields})


def options(*pairs: tuple[str, str], **fields: Any) -> ScenarioTraining:
    given = [{"source": source, "target": target, "instruction": "add snow"} for source, target in pairs]
    return ScenarioTraining(**{"pairs": given, **fields})


def test_an_edit_type_trains_on_pairs(provider: Scenario) -> None:
    """Images are attached and counted, then paired by name or id, then trained with a source for each sample."""
    asked = options(
        ("before.png", "asset_1"),
        ("before.png", "1.png"),
        sample_prompts=["add rain", "add fog"],
        sample_sources=["before.png", "asset_77"],
    )
    provider.check_training(request(), asked)
    there = model("new", trainingImages=images("asset_9", "asset_1", "asset_2"))
    pairs = {"count": 2, "pairs": RECORDS}
    data = {"trainingImage": {"id": "asset_9"}}
    sent, _ = answered(provider.start(request(), asked), model("new"), data, ONE, there, pairs, ACCEPTED)
    assert told(sent)[-2:] == [("PUT", f"{PATH}/pairs"), ("PUT", "/models/model_1/train")]
    assert body(sent[2])["assetIds"] == ["asset_1", "asset_2"]
    assert body(sent[4]) == [{"instruction": "add snow", "sourceId": "asset_9", "targetId": "asset_1"}] * 2
    assert body(sent[5])["parameters"]["sampleSourceImages"] == ["asset_9", "asset_77"]


@pytest.mark.parametrize(
    ("model_type", "given", "error", "message"),
    [
        (EDIT, options(), InvalidOptions, "at least 2 before/after pairs, not 0"),
        ("flux.1-kontext-lora", options(("1.png", "before.png")), InvalidOptions, "not 1"),
        (EDIT, options(("1.png", "x.png"), ("1.png", "before.png")), DatasetError, "'x.png' is no image"),
        (EDIT, options(("1.png", "2.png"), ("1.png", "before.png")), DatasetError, "'2.png' is more than one image"),
        ("flux.2-dev-lora", options(("1.png", "before.png")), UnsupportedCapability, "pairs"),
        ("flux.2-dev-lora", options(sample_sources=["a"]), UnsupportedCapability, "sample_sources"),
        (
            EDIT,
            options(("1.png", "before.png"), ("asset_1", "before.png"), sample_sources=["a"]),
            InvalidOptions,
            "one for each",
        ),
    ],
)
def test_wrong_pairs_are_refused_before_anything_is_sent(
    provider: Scenario, model_type: str, given: ScenarioTraining, error: type[Exception], message: str
) -> None:
    """Pairs for a type that takes none, too few, or of images that are not there, never leave the machine."""
    with pytest.raises(error, match=message):
        provider.check_training(request(model_type), given)


# -- prices ------------------------------------------------------------------------------------------------------------


def priced(provider: Scenario, *answers: object, **fields: Any) -> tuple[list[Request], Cost | None]:
    asked = request(fields.pop("base_model", "flux.2-dev-lora"), rank=32)
    return answered(provider.estimate_training(asked, **fields), *answers)


def test_a_training_is_priced_by_a_dry_run_of_a_passing_model(provider: Scenario) -> None:
    """A model is made, asked for its price with the number of images, and deleted; no image is sent."""
    sent, cost = priced(provider, model("new"), {"creativeUnitsCost": 300, "costDetails": {"train-model": 300}}, {})
    assert told(sent) == [("POST", "/models"), ("PUT", "/models/model_1/train"), ("DELETE", "/models/model_1")]
    assert (sent[1].query, sent[1].effect) == ({"dryRun": "true", "trainingImagesCount": "4"}, Effect.READ)
    assert body(sent[1])["parameters"]["rank"] == 32
    assert cost == Cost(amount=300, unit="CU", source="train dry run")


def test_a_model_of_ones_own_is_priced_as_it_is(provider: Scenario) -> None:
    """With a model named, none is made; older answers and those without a price are read too."""
    sent, cost = priced(provider, {"estimatedCost": 12}, model_id="model_5", api_price=True)
    assert (told(sent), sent[0].query["dryRun"]) == ([("PUT", "/models/model_5/train")], "api")
    assert cost == Cost(amount=12, unit="CU", source="train dry run")
    assert priced(provider, {"job": {}}, model_id="model_5")[1] is None


def test_a_dry_run_that_starts_a_job_is_no_price(provider: Scenario) -> None:
    """If the vendor took it for the real thing, the error names the job."""
    with pytest.raises(MalformedResponse, match="started job job_1"):
        priced(provider, {**job("queued"), "creativeUnitsCost": 300}, model_id="model_5")


def test_a_refused_price_leaves_no_model(provider: Scenario) -> None:
    """The passing model is deleted also if its price is refused; wrong options make none."""
    flow = provider.estimate_training(request("flux.2-dev-lora"))
    asking = flow.send(response(next(flow), model("new")))
    deleting = flow.throw(ProviderUnavailable("busy"))
    assert told([asking, deleting]) == [("PUT", "/models/model_1/train"), ("DELETE", "/models/model_1")]
    with pytest.raises(ProviderUnavailable, match="busy"):
        flow.send(response(deleting, {}))
    with pytest.raises(InvalidOptions, match="pairs"):
        next(provider.estimate_training(request(EDIT)))


# -- models by hand ----------------------------------------------------------------------------------------------------


def test_a_model_is_made_by_hand(provider: Scenario) -> None:
    """A name is enough; a type that can't be trained is refused before anything is sent."""
    [sent], made = answered(provider.create_model("snow"), model("new"))
    assert (body(sent), sent.effect, made.id) == ({"name": "snow", "type": "flux.2-dev-lora"}, Effect.CREATE, "model_1")
    with pytest.raises(InvalidOptions, match="gpt-image-1"):
        next(provider.create_model("snow", "gpt-image-1"))


def test_a_model_is_trained_on_what_it_has(provider: Scenario) -> None:
    """The images of the record count for steps, and the name of the model stays as it is."""
    there = model("new", trainingImages=images("a", "b"))
    sent, snapshot = answered(provider.train_model("model_1", steps=100, rank=8), there, ACCEPTED)
    assert (told(sent)[1], sent[1].effect) == (("PUT", "/models/model_1/train"), Effect.PAY)
    assert body(sent[1]) == {"parameters": {"rank": 8, "nbRepeats": 5}}
    assert snapshot.id == "model_1/job_1"


def test_pairs_that_the_model_has_need_not_be_given_again(provider: Scenario) -> None:
    """An edit model trains on its own pairs, on others if they are given, and on none not at all."""
    there = model("new", type=EDIT, trainingImages=images("a", "b", "c", "d"), trainingImagePairs=RECORDS)
    sent, _ = answered(provider.train_model("model_1"), there, ACCEPTED)
    assert len(sent) == 2
    sent, _ = answered(
        provider.train_model("model_1", options=options(("a", "c"), ("b", "d"))),
        there,
        {"count": 2, "pairs": RECORDS},
        ACCEPTED,
    )
    assert [pair["sourceId"] for pair in body(sent[1])] == ["a", "b"]
    with pytest.raises(InvalidOptions, match="pairs"):
        answered(provider.train_model("model_1"), model("new", type=EDIT, trainingImages=images("a")))
    with pytest.raises(DatasetError, match="at least one image"):
        answered(provider.train_model("model_1"), model("new"))


def test_a_model_is_deleted_once_or_twice(provider: Scenario) -> None:
    """One that is gone already is no error."""
    assert told(answered(provider.delete_model("model_1"), {})[0]) == [("DELETE", "/models/model_1")]
    answered(provider.delete_model("model_1"), NotFound("Model model_1 not found"))
