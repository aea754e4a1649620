"""The provider's flows, driven by hand: what is sent, and what is made of the answers."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import pytest
from helpers import png
from scenario_flow import (
    API,
    BEFORE,
    DUPLICATE,
    answered,
    body,
    images,
    job,
    model,
    response,
    told,
    uploaded,
)

from unified_train import (
    ApiError,
    Cost,
    Dataset,
    DatasetError,
    Effect,
    Failure,
    GeneratedImage,
    Image,
    InvalidOptions,
    InvalidRequest,
    Job,
    MalformedResponse,
    MissingCredentials,
    Moment,
    NotFound,
    PermissionDenied,
    Request,
    Snapshot,
    Status,
    TrainedModel,
    TrainingRequest,
    UploadedImage,
)
from unified_train_scenario import unified_train_providers
from unified_train_scenario.options import ScenarioTraining
from unified_train_scenario.provider import Scenario
from unified_train_scenario.settings import ScenarioSettings

LONG_BEFORE = "2026-11-20T11:50:00.000Z"
TRAINING = Job(provider="scenario", kind="training", id="model_1/job_1", name="cats", trigger="ohwx")
GENERATION = Job(provider="scenario", kind="generation", id="job_2")
MODEL = TrainedModel(provider="scenario", id="model_1", trigger="ohwx", class_word="cat", base_model="flux.2-dev-lora")


@pytest.fixture
def provider() -> Scenario:
    return Scenario(ScenarioSettings.model_validate({"api_key": "k", "api_secret": "s"}))


def request(*pictures: object, **fields: Any) -> TrainingRequest:
    dataset = Dataset.model_validate({"images": pictures, "trigger": "ohwx", "class_word": "cat"})
    return TrainingRequest(**{"name": "cats", "dataset": dataset, "base_model": "flux.2-dev-lora", **fields})


ACCEPTED = {**job("queued"), **model(trainingProgress={"stage": "pending"}), "creativeUnitsCost": 300}


# -- requests ----------------------------------------------------------------------------------------------------------


def test_the_plugin_offers_one_provider() -> None:
    """The hook names the class, whose contract and slug are as the core expects."""
    assert unified_train_providers() == [Scenario]
    assert (Scenario.slug, Scenario.contract, Scenario.title) == ("scenario", 1, "Scenario")


@pytest.mark.parametrize(
    ("given", "header"),
    [
        ({"api_key": "k", "api_secret": "s", "jwt": "t"}, "Basic " + b64encode(b"k:s").decode()),
        ({"jwt": "t"}, "Bearer t"),
        ({"api_key": "k", "jwt": "t"}, "Bearer t"),
    ],
)
def test_key_and_secret_go_before_a_token(given: dict[str, str], header: str) -> None:
    """Basic is sent whenever key and secret are both there, else Bearer."""
    scenario = Scenario(ScenarioSettings.model_validate(given))
    signed = scenario.sign(Request("GET", API, "x"), Moment(datetime.now(UTC), "n"))
    assert signed.headers == {"authorization": header}


@pytest.mark.parametrize(
    ("environ", "names"),
    [
        ({}, "SCENARIO_SDK_API_KEY and SCENARIO_SDK_API_SECRET, or SCENARIO_SDK_JWT"),
        ({"SCENARIO_SDK_API_KEY": "k"}, "SCENARIO_SDK_API_SECRET"),
    ],
)
def test_missing_credentials_are_named_by_their_variables(environ: dict[str, str], names: str) -> None:
    """Without a complete way to sign in, the error names what to set, before anything is sent."""
    with pytest.raises(MissingCredentials, match=names):
        ScenarioSettings.from_env(environ)


def test_settings_come_from_the_vendors_own_variables() -> None:
    """Key, secret, address and project are read, and no secret shows in a repr."""
    environ = {
        "SCENARIO_SDK_API_KEY": "k-hidden",
        "SCENARIO_SDK_API_SECRET": "s-hidden",
        "SCENARIO_BASE_URL": "http://localhost:1/v1/",
        "UNIFIED_TRAIN_SCENARIO_PROJECT_ID": "proj_1",
    }
    settings = ScenarioSettings.from_env(environ)
    assert (settings.base_url, settings.project_id) == ("http://localhost:1/v1/", "proj_1")
    assert Scenario(settings).base_url == "http://localhost:1/v1"
    assert "hidden" not in repr(settings)


def test_the_project_is_in_the_query_of_every_request() -> None:
    """With a project set, reads and writes carry it as `projectId` beside their own parameters."""
    settings = ScenarioSettings.model_validate({"jwt": "t", "project_id": "proj_1"})
    sent, _ = answered(Scenario(settings).poll(TRAINING), model("trained"), job("success"))
    assert [item.query for item in sent] == [{"projectId": "proj_1"}] * 2
    sent, _ = answered(Scenario(settings).fetch(GENERATION, GeneratedImage(id="a")), asset("a"), b"data")
    assert sent[0].query == {"projectId": "proj_1", "originalAssets": "true"}


# -- upload ------------------------------------------------------------------------------------------------------------


def test_an_image_is_uploaded_as_bare_base64(provider: Scenario) -> None:
    """The JSON has name and base64 without a prefix; the answer's id, the caption and the digest are kept."""
    image = Image.of(png(), caption="a cat", name="cat.png")
    [sent], result = answered(provider.upload(image), {"asset": {"id": "asset_1", "status": "success"}})
    assert (sent.method, sent.url, sent.effect) == ("POST", f"{API}/assets", Effect.REPEATABLE)
    assert body(sent) == {"name": "cat.png", "image": b64encode(png()).decode()}
    assert result == UploadedImage(
        provider="scenario", id="asset_1", name="cat.png", caption="a cat", sha256=image.sha256
    )


def test_an_upload_without_an_id_is_malformed(provider: Scenario) -> None:
    """An answer that lacks the asset is not what the documentation promises."""
    with pytest.raises(MalformedResponse, match="asset"):
        answered(provider.upload(Image.of(png())), {"job": {}})


# -- training ----------------------------------------------------------------------------------------------------------


def test_a_training_is_created_attached_captioned_verified_and_started_once(provider: Scenario) -> None:
    """The whole order of requests for uploaded images, and the first snapshot with its price."""
    flow = provider.start(request(uploaded(1, "ohwx cat"), uploaded(2), rank=32), ScenarioTraining())
    there = model("new", trainingImages=images("asset_1", "asset_2"), trainingImagesNumber=2)
    sent, snapshot = answered(flow, model("new"), {"trainingImage": {"id": "asset_1"}}, {"asset": {}}, there, ACCEPTED)
    assert told(sent) == [
        ("POST", "/models"),
        ("POST", "/models/model_1/training-images"),
        ("PUT", "/assets/asset_1"),
        ("GET", "/models/model_1"),
        ("PUT", "/models/model_1/train"),
    ]
    assert [body(item) for item in sent if item.body] == [
        {"name": "cats", "type": "flux.2-dev-lora"},
        {"assetIds": ["asset_1", "asset_2"], "preset": "subject"},
        {"description": "ohwx cat"},
        {"parameters": {"rank": 32, "conceptPrompt": "ohwx cat"}},
    ]
    assert [item.effect for item in sent] == [
        Effect.CREATE,
        Effect.REPEATABLE,
        Effect.REPEATABLE,
        Effect.READ,
        Effect.PAY,
    ]
    assert (snapshot.id, snapshot.status, snapshot.raw_status) == ("model_1/job_1", Status.QUEUED, "training")
    assert (snapshot.phase, snapshot.base_model) == ("pending", "flux.2-dev-lora")
    assert snapshot.cost == Cost(amount=300, unit="CU", source="train answer")


def test_uploaded_images_are_attached_in_disjoint_batches_of_ten(provider: Scenario) -> None:
    """Twenty-one assets, one of them twice, are three batches without overlap."""
    numbers = [*range(21), 5]
    flow = provider.start(request(*[uploaded(number) for number in numbers], kind="style"), ScenarioTraining())
    there = model("new", trainingImages=images(*[f"asset_{number}" for number in range(21)]))
    answer = {"trainingImage": {"id": "asset_0"}}
    sent, _ = answered(flow, model("new"), answer, answer, answer, there, ACCEPTED)
    batches = [body(item)["assetIds"] for item in sent[1:4]]
    assert [len(batch) for batch in batches] == [10, 10, 1]
    assert sorted(identifier for batch in batches for identifier in batch) == sorted(
        f"asset_{number}" for number in range(21)
    )
    assert {body(item)["preset"] for item in sent[1:4]} == {"style"}


def test_inline_images_are_attached_as_data_urls(provider: Scenario) -> None:
    """An image that was not uploaded goes as a data URL, and its caption to the asset made on the way."""
    flow = provider.start(request(Image.of(png(), caption="a cat", name="c.png")), ScenarioTraining())
    there = model("new", trainingImages=images("asset_9"))
    sent, _ = answered(flow, model("new"), {"trainingImage": {"id": "asset_9"}}, {"asset": {}}, there, ACCEPTED)
    assert body(sent[1]) == {
        "data": "data:image/png;base64," + b64encode(png()).decode(),
        "name": "c.png",
        "preset": "subject",
    }
    assert sent[1].effect is Effect.CREATE
    assert sent[2].url.endswith("/assets/asset_9")


def test_an_image_that_is_only_a_url_is_refused_before_the_model_is_made(provider: Scenario) -> None:
    """Nothing is sent for a dataset with an address in place of an image."""
    with pytest.raises(DatasetError, match="only a URL"):
        next(provider.start(request("https://img.example.com/c.png"), ScenarioTraining()))


def test_a_duplicate_batch_counts_as_done_after_a_look(provider: Scenario) -> None:
    """After the vendor's duplicate 400 the model is read, and only what is missing is attached, one by one."""
    flow = provider.start(request(uploaded(1), uploaded(2), uploaded(3)), ScenarioTraining())
    some = model("new", trainingImages=images("asset_1"))
    every = model("new", trainingImages=images("asset_1", "asset_2", "asset_3"))
    one = {"trainingImage": {"id": "asset_3"}}
    sent, snapshot = answered(flow, model("new"), DUPLICATE, some, DUPLICATE, one, every, ACCEPTED)
    assert [body(item) for item in sent[3:5]] == [
        {"assetId": "asset_2", "preset": "subject"},
        {"assetId": "asset_3", "preset": "subject"},
    ]
    assert snapshot.status is Status.QUEUED


@pytest.mark.parametrize("answers", [[InvalidRequest("Invalid preset")], [DUPLICATE, model("new"), NotFound("gone")]])
def test_other_refusals_of_an_image_end_the_training(provider: Scenario, answers: list[object]) -> None:
    """Any 400 but the duplicate's, and any failure while reconciling, is raised."""
    flow = provider.start(request(uploaded(1)), ScenarioTraining())
    with pytest.raises(ApiError):
        answered(flow, model("new"), *answers)


def test_a_refused_single_image_ends_the_training(provider: Scenario) -> None:
    """While reconciling, another 400 than the duplicate's is raised."""
    flow = provider.start(request(uploaded(1)), ScenarioTraining())
    with pytest.raises(InvalidRequest, match="Unhandled"):
        answered(flow, model("new"), DUPLICATE, model("new"), InvalidRequest("Unhandled image format"))


def test_missing_images_are_attached_again_before_paying(provider: Scenario) -> None:
    """A count that falls short is repaired once, and only then the training is started."""
    flow = provider.start(request(uploaded(1), uploaded(2)), ScenarioTraining())
    one = {"trainingImage": {"id": "asset_1"}}
    short = model("new", trainingImages=images("asset_1"), trainingImagesNumber=1)
    full = model("new", trainingImagesNumber=2)
    sent, snapshot = answered(flow, model("new"), one, short, short, one, full, ACCEPTED)
    assert told(sent)[-2:] == [("GET", "/models/model_1"), ("PUT", "/models/model_1/train")]
    assert snapshot.id == "model_1/job_1"


def test_an_incomplete_dataset_is_never_paid_for(provider: Scenario) -> None:
    """If images are still missing, the error counts them and no training is started."""
    flow = provider.start(request(uploaded(1), uploaded(2)), ScenarioTraining())
    one, short = {"trainingImage": {"id": "asset_1"}}, model("new", trainingImages=images("asset_1"))
    with pytest.raises(MalformedResponse, match="1 of 2 training images; no training was started"):
        answered(flow, model("new"), one, short, short, one, short)


def test_description_and_collections_go_to_the_model(provider: Scenario) -> None:
    """Vendor-only fields of the model are sent when it is made."""
    options = ScenarioTraining(description="my cats", collections=("col_1",))
    created = next(provider.start(request(uploaded(1)), options))
    assert body(created) == {
        "name": "cats",
        "type": "flux.2-dev-lora",
        "shortDescription": "my cats",
        "collectionIds": ["col_1"],
    }


def test_an_acceptance_without_a_job_is_malformed(provider: Scenario) -> None:
    """A 200 with an empty job started nothing, and is not taken for a training."""
    flow = provider.start(request(uploaded(1)), ScenarioTraining())
    there, one = model("new", trainingImages=images("asset_1")), {"trainingImage": {"id": "asset_1"}}
    with pytest.raises(MalformedResponse, match="jobId"):
        answered(flow, model("new"), one, there, {"job": {}, "creativeUnitsCost": 300})


def test_a_training_that_runs_already_is_adopted(provider: Scenario) -> None:
    """If a repeat after a 503 meets `already training`, the job is taken from the model that only we know."""
    flow = provider.start(request(uploaded(1)), ScenarioTraining())
    there, one = model("new", trainingImages=images("asset_1")), {"trainingImage": {"id": "asset_1"}}
    refused = InvalidRequest("Model is already training", http_status=400)
    _, snapshot = answered(flow, model("new"), one, there, refused, model("training", jobId="job_7"))
    assert (snapshot.id, snapshot.status) == ("model_1/job_7", Status.RUNNING)
    assert "not repeated" in snapshot.notes[0]
    flow = provider.start(request(uploaded(1)), ScenarioTraining())
    with pytest.raises(InvalidRequest, match="rank"):
        answered(flow, model("new"), one, there, InvalidRequest("Parameter rank must be …"))


# -- following a training ----------------------------------------------------------------------------------------------


def polled(provider: Scenario, *answers: object, of: Job = TRAINING) -> Snapshot:
    return answered(provider.poll(of), *answers)[1]


def test_a_poll_reads_model_and_job(provider: Scenario) -> None:
    """The model gives status and stage, the job progress and price; the rest of the time is told in seconds."""
    progress = {"stage": "running-train", "progress": 0.4, "remainingTimeMs": 90_000}
    record = job(progress=0.42, billing={"cuCost": 300, "cuDiscount": 0}, createdAt=LONG_BEFORE)
    sent, snapshot = answered(provider.poll(TRAINING), model(trainingProgress=progress), record)
    assert told(sent) == [("GET", "/models/model_1"), ("GET", "/jobs/job_1")]
    assert (snapshot.status, snapshot.raw_status, snapshot.phase) == (Status.RUNNING, "training", "running-train")
    assert (snapshot.progress, snapshot.eta, snapshot.name) == (0.42, 90, "cats")
    assert snapshot.cost == Cost(amount=300, unit="CU", source="job billing")
    assert snapshot.created_at == datetime(2026, 11, 20, 11, 50, tzinfo=UTC)
    assert snapshot.model is None


def test_a_trained_model_is_usable_whatever_its_job_says(provider: Scenario) -> None:
    """`trained` ends the training with a model, even if the job is still at work or no longer kept."""
    for record in (job("in-progress"), NotFound("Job job_1 not found")):
        snapshot = polled(provider, model("trained"), record)
        assert snapshot.status is Status.SUCCEEDED
        assert snapshot.model == TrainedModel(
            provider="scenario", id="model_1", name="cats", trigger="ohwx", base_model="flux.2-dev-lora"
        )


def test_a_job_that_succeeds_before_its_model_keeps_running(provider: Scenario) -> None:
    """While the model is not trained, a job's success is only a phase."""
    snapshot = polled(provider, model(), job("success", updatedAt=LONG_BEFORE))
    assert (snapshot.status, snapshot.phase, snapshot.model) == (Status.RUNNING, "job success", None)


@pytest.mark.parametrize(("word", "status"), [("failure", Status.FAILED), ("canceled", Status.CANCELED)])
def test_a_job_that_fails_before_its_model_counts_after_a_minute(provider: Scenario, word: str, status: Status) -> None:
    """The model has a minute to follow; then the end of the job is reported."""
    assert polled(provider, model(), job(word)).status is Status.RUNNING
    assert polled(provider, model(), job(word)).phase == f"job {word}"
    assert polled(provider, model(), job(word, updatedAt=LONG_BEFORE)).status is status


def test_without_a_date_nothing_counts_as_late(provider: Scenario) -> None:
    """If the answer does not tell the time, the model is waited for."""
    flow = provider.poll(TRAINING)
    request = flow.send(response(next(flow), model(), date="no date"))
    with pytest.raises(StopIteration) as stop:
        flow.send(response(request, job("failure", updatedAt=LONG_BEFORE)))
    assert stop.value.value.status is Status.RUNNING


def test_a_model_may_read_as_new_for_a_minute(provider: Scenario) -> None:
    """Right after the acceptance `new` is queued; later it is unknown, and stays visible."""
    assert polled(provider, model("new"), job("queued")).status is Status.QUEUED
    late = polled(provider, model("new"), job("queued", updatedAt=LONG_BEFORE))
    assert (late.status, late.raw_status) == (Status.UNKNOWN, "new")


def test_a_failed_training_tells_the_jobs_reason_and_the_refund(provider: Scenario) -> None:
    """Error and hint come from the job; a refunded failure costs nothing, unless refunds are off."""
    metadata = {"error": "out of memory", "hint": "use fewer images"}
    billing = {"cuCost": 300, "cuDiscount": 0}
    snapshot = polled(provider, model("failed"), job("failure", metadata=metadata, billing=billing))
    assert snapshot.error == Failure(message="out of memory", hint="use fewer images")
    assert snapshot.cost == Cost(amount=0, unit="CU", source="job billing, refunded since it failed")
    kept = polled(provider, model("failed"), job("failure", billing={**billing, "disableRefund": True}))
    assert kept.error == Failure(message="Scenario gives no reason")
    assert kept.cost == Cost(amount=300, unit="CU", source="job billing")
    assert polled(provider, model("failed"), NotFound("gone")).error == Failure(message="Scenario gives no reason")


def test_progress_may_be_percent_empty_or_nonsense(provider: Scenario) -> None:
    """More than 1 is percent, an empty object and words tell nothing, and the result stays within 0 and 1."""
    assert polled(provider, model(trainingProgress={"progress": 42}), job()).progress == 0.42
    assert polled(provider, model(trainingProgress={}), job(progress=250)).progress == 1.0
    assert polled(provider, model(), job(progress="half")).progress is None
    assert polled(provider, model(trainingProgress={"remainingTimeMs": -5}), job()).eta == 0


def test_a_training_is_found_by_its_model_alone(provider: Scenario) -> None:
    """Without a job in the id, the model's own is read, and if it has none the model is enough."""
    reference = TRAINING.model_copy(update={"id": "model_1/"})
    sent, snapshot = answered(provider.poll(reference), model("training", jobId="job_5"), job())
    assert told(sent)[1] == ("GET", "/jobs/job_5")
    assert snapshot.id == "model_1/"
    assert polled(provider, model("trained", createdAt="2026-11-20T11:00:00"), of=reference).created_at is not None
    assert polled(provider, model("trained", createdAt="yesterday"), of=reference).created_at is None


@pytest.mark.parametrize("identifier", ["model_1", "/job_1", "x"])
def test_other_ids_are_no_trainings(provider: Scenario, identifier: str) -> None:
    """A reference without model and job is refused before anything is sent."""
    with pytest.raises(InvalidOptions, match="model_…/job_…"):
        next(provider.poll(TRAINING.model_copy(update={"id": identifier})))


def test_the_raw_record_leaves_training_images_out(provider: Scenario) -> None:
    """A job's raw record has the model without its list of signed image URLs, and the job."""
    snapshot = polled(provider, model(trainingImages=images("asset_1")), job())
    assert "trainingImages" not in snapshot.raw["model"]
    assert snapshot.raw["job"]["status"] == "in-progress"


# -- generation --------------------------------------------------------------------------------------------------------


def asset(identifier: str, **fields: Any) -> dict[str, Any]:
    return {"asset": {"id": identifier, "url": f"https://cdn.example.com/{identifier}?Policy=p", **fields}}


def test_a_generation_is_polled_with_its_pictures(provider: Scenario) -> None:
    """Pictures come in the order of the job, with sizes, seeds and safety as far as they are told."""
    first = {
        "id": "a",
        "mimeType": "image/png",
        "status": "success",
        "properties": {"width": 64, "height": 32, "size": 1},
        "metadata": {"seed": "7", "prompt": "p", "modelId": "m"},
        "nsfw": ["weapons"],
    }
    second = {"id": "b", "metadata": {"width": 8, "height": 9, "seed": "x"}, "nsfw": []}
    record = job("success", metadata={"assetIds": ["a", "b", "c"]})
    sent, snapshot = answered(provider.poll(GENERATION), record, {"assets": [second, first]})
    assert told(sent) == [("GET", "/jobs/job_2"), ("POST", "/assets/get-bulk")]
    assert (body(sent[1]), sent[1].effect) == ({"assetIds": ["a", "b", "c"]}, Effect.READ)
    assert snapshot.images == (
        GeneratedImage(
            id="a",
            media_type="image/png",
            width=64,
            height=32,
            seed=7,
            safety="flagged",
            metadata={"prompt": "p", "modelId": "m", "nsfw": ["weapons"]},
        ),
        GeneratedImage(id="b", width=8, height=9, safety="clean"),
        GeneratedImage(id="c"),
    )


def test_a_running_generation_is_one_request(provider: Scenario) -> None:
    """Before the end only the job is read, and nothing is said of pictures."""
    sent, snapshot = answered(provider.poll(GENERATION), job("finalizing", progress=0.9))
    assert (len(sent), snapshot.status, snapshot.images, snapshot.progress) == (1, Status.RUNNING, (), 0.9)


@pytest.mark.parametrize("metadata", [{}, {"assetIds": []}, {"assetIds": None}])
def test_success_without_pictures_is_a_failure_of_its_own(provider: Scenario, metadata: dict[str, Any]) -> None:
    """A success that names no assets is reported as failed with a code, never as zero pictures."""
    snapshot = polled(provider, job("success", metadata=metadata), of=GENERATION)
    assert snapshot.status is Status.FAILED
    assert snapshot.error is not None
    assert snapshot.error.code == "no-outputs"


def test_pending_assets_keep_a_generation_running(provider: Scenario) -> None:
    """While a file is not there, the job is not over."""
    record = job("success", metadata={"assetIds": ["a"]})
    snapshot = polled(provider, record, {"assets": [{"id": "a", "status": "pending"}]}, of=GENERATION)
    assert (snapshot.status, snapshot.phase, snapshot.images) == (Status.RUNNING, "assets pending", ())


def test_broken_assets_are_left_out(provider: Scenario) -> None:
    """An asset in error is no picture; none at all is a failure."""
    record = job("success", metadata={"assetIds": ["a", "b"]})
    broken = {"id": "a", "status": "error"}
    snapshot = polled(provider, record, {"assets": [broken]}, of=GENERATION)
    assert [image.id for image in snapshot.images] == ["b"]
    none = polled(provider, record, {"assets": [broken, {"id": "b", "status": "error"}]}, of=GENERATION)
    assert (none.status, none.error and none.error.code) == (Status.FAILED, "no-outputs")


def test_a_picture_is_fetched_from_a_fresh_url_without_credentials(provider: Scenario) -> None:
    """The original's URL is asked for just before, and its request is not signed."""
    sent, data = answered(provider.fetch(GENERATION, GeneratedImage(id="a")), asset("a"), b"picture")
    assert told(sent)[0] == ("GET", "/assets/a")
    assert sent[0].query == {"originalAssets": "true"}
    assert (sent[1].url, sent[1].signed) == ("https://cdn.example.com/a?Policy=p", False)
    assert data == b"picture"


def test_an_expired_url_is_asked_for_once_more(provider: Scenario) -> None:
    """A 403 of the CDN leads to one fresh URL; a second one is raised."""
    denied = PermissionDenied("Request has expired", http_status=403)
    flow = provider.fetch(GENERATION, GeneratedImage(id="a"))
    assert answered(flow, asset("a"), denied, asset("a"), b"picture")[1] == b"picture"
    with pytest.raises(PermissionDenied):
        answered(provider.fetch(GENERATION, GeneratedImage(id="a")), asset("a"), denied, asset("a"), denied)


@pytest.mark.parametrize("answer", [asset("a", status="error"), asset("a", url="")])
def test_an_asset_without_a_file_is_malformed(provider: Scenario, answer: dict[str, Any]) -> None:
    """An asset in error, or without a URL, can't be fetched."""
    with pytest.raises(MalformedResponse, match="asset a has no file"):
        answered(provider.fetch(GENERATION, GeneratedImage(id="a")), answer)


# -- cancel and list ---------------------------------------------------------------------------------------------------


def test_trainings_and_generations_are_canceled_by_different_routes(provider: Scenario) -> None:
    """The model's route for a training, the job's for a generation; then the state is read."""
    sent, snapshot = answered(provider.cancel(TRAINING), model(), model("training-canceled"), job("canceled"))
    assert told(sent)[0] == ("POST", "/models/model_1/train/action")
    assert snapshot.status is Status.CANCELED
    sent, snapshot = answered(provider.cancel(GENERATION), job("queued"), job("in-progress"))
    assert (told(sent)[0], body(sent[0])) == (("POST", "/jobs/job_2/action"), {"action": "cancel"})
    assert (sent[0].effect, snapshot.status) == (Effect.REPEATABLE, Status.RUNNING)


def test_canceling_what_is_over_tells_how_it_ended(provider: Scenario) -> None:
    """A refused cancellation of a finished job is its end; of a running one it is raised."""
    refused = InvalidRequest("Model is not training")
    assert answered(provider.cancel(TRAINING), refused, model("trained"), job("success"))[1].model is not None
    with pytest.raises(InvalidRequest, match="not training"):
        answered(provider.cancel(TRAINING), refused, model(), job())


def test_trainings_are_listed_until_the_token_ends(provider: Scenario) -> None:
    """Empty pages do not end the list; new models and other types are no trainings."""
    one = model("trained", jobId="job_1", createdAt=BEFORE)["model"]
    others = [model("new")["model"], model("trained", type="flux.1-composition")["model"]]
    running = model("training", id="model_2", trainingProgress={"stage": "queued-for-train"})["model"]
    sent, found = answered(
        provider.list_jobs("training"),
        {"models": [], "nextPaginationToken": "t1"},
        {"models": [one, *others], "nextPaginationToken": "t2"},
        {"models": [running], "nextPaginationToken": ""},
    )
    assert [item.query.get("paginationToken") for item in sent] == [None, "t1", "t2"]
    assert sent[0].query == {"privacy": "private", "sortBy": "createdAt", "sortDirection": "desc", "pageSize": "100"}
    assert [(item.id, item.status, item.name) for item in found] == [
        ("model_1/job_1", Status.SUCCEEDED, "cats"),
        ("model_2/", Status.QUEUED, "cats"),
    ]


def test_generations_are_listed_without_reading_their_assets(provider: Scenario) -> None:
    """Jobs of other kinds are left out; pictures are known by their ids."""
    made = job("success", jobType="custom", metadata={"assetIds": ["a"]})["job"]
    other = job("success", jobType="musubi-model-training")["job"]
    sent, found = answered(
        provider.list_jobs("generation"), {"jobs": [made], "nextPaginationToken": "t"}, {"jobs": [other]}
    )
    assert [item.query for item in sent] == [{"pageSize": "100"}, {"pageSize": "100", "paginationToken": "t"}]
    assert [(item.id, item.images) for item in found] == [("job_1", (GeneratedImage(id="a"),))]


def test_models_are_listed_and_read(provider: Scenario) -> None:
    """All of the account's models are listed, trained or not, and one is read with its images."""
    new, blend = model("new")["model"], model("trained", type="flux.1-composition")["model"]
    pages = ({"models": [new], "nextPaginationToken": "t"}, {"models": [blend]})
    sent, found = answered(provider.list_models(), *pages)
    assert [item.query.get("paginationToken") for item in sent] == [None, "t"]
    assert [(item.id, item.status, item.type) for item in found] == [
        ("model_1", "new", "flux.2-dev-lora"),
        ("model_1", "trained", "flux.1-composition"),
    ]
    _, one = answered(provider.read_model("model_1"), model("new", trainingImages=images("a")))
    assert [image.id for image in one.images or ()] == ["a"]


@pytest.mark.parametrize("kind", ["training", "generation"])
def test_listing_stops_after_a_thousand(provider: Scenario, kind: Any) -> None:
    """An endless account is read for ten pages."""
    name = "models" if kind == "training" else "jobs"
    sent, _ = answered(provider.list_jobs(kind), *[{name: [], "nextPaginationToken": "t"}] * 10)
    assert len(sent) == 10
