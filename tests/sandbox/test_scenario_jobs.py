"""The emulated Scenario over HTTP: trainings, generations, patch, and the list of jobs."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image
from scenario_api import Api, data_url, photo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unified_train.sandbox import Sandbox

FLUX2 = "model_bfl-flux-2-dev"
TRAIN = "/models/{}/train"


@pytest.fixture
def api(sandbox: Sandbox) -> Iterator[Api]:
    with Api(sandbox) as calls:
        yield calls


def test_a_training_goes_through_its_stages_to_a_usable_model(api: Api) -> None:
    """Model and job go from pending to trained in step, with progress, and leave an epoch, a concept and statistics."""
    model = api.model(images=2)
    answer = api.train(model, nbEpochs=4)
    job = answer["job"]["jobId"]
    assert (answer["job"]["jobType"], answer["model"]["status"]) == ("musubi-model-training", "training")
    seen = []
    for seconds in (0, 12, 108, 30, 525):
        api.advance(seconds)
        progress = api("GET", f"/models/{model}")["model"]["trainingProgress"]
        record = api.job(job)
        seen.append((progress["stage"], record["status"], round(progress["progress"], 2), record["progress"]))
    assert seen == [
        ("pending", "pending", 0, 0),
        ("queued-for-train", "queued", 0, 0),
        ("starting-train", "warming-up", 0, 0),
        ("running-train", "in-progress", 0, 0),
        ("running-train", "in-progress", 0.5, 0.5),
    ]
    assert {"remainingTimeMs", "startedAt"} <= set(progress)
    api.advance(525)
    record, done = api("GET", f"/models/{model}")["model"], api.job(job)
    assert (record["status"], record["jobId"], record["concepts"]) == (
        "trained",
        job,
        [{"modelId": model, "scale": 0.8}],
    )
    assert record["epochs"] == [{"epoch": "000004"}]
    assert {"startedAt", "endedAt", "queueDuration", "trainDuration"} == set(record["trainingStats"])
    assert (done["status"], done["progress"], done["metadata"]) == ("success", 1, {"input": {"modelId": model}})
    words = [item["status"] for item in done["statusHistory"]]
    assert words == ["pending", "queued", "warming-up", "in-progress", "finalizing", "success"]
    assert sorted(item["date"] for item in done["statusHistory"]) == [item["date"] for item in done["statusHistory"]]


def test_sample_prompts_publish_checkpoints_with_pictures(api: Api) -> None:
    """With sample prompts an earlier checkpoint is kept too, and the epoch of the model can be chosen."""
    model = api.model(images=2)
    api.train(model, samplePrompts=["a cat"])
    api.advance(1200)
    epochs = api("GET", f"/models/{model}")["model"]["epochs"]
    assert [item["epoch"] for item in epochs] == ["000005", "000010"]
    assert api.bare.get(epochs[0]["assets"][0]["url"]).headers["content-type"] == "image/png"
    assert api("PUT", f"/models/{model}", {"epoch": "000005"})["model"]["epoch"] == "000005"
    assert "type" in api("PUT", f"/models/{model}", {"type": "zimage-lora"}, 400)["reason"]


def test_a_paid_request_is_counted_once_and_a_dry_run_not_at_all(api: Api) -> None:
    """Only accepted trainings and generations are submissions."""
    model = api.model(images=2)
    api("PUT", TRAIN.format(model), {}, 269, dryRun="true")
    job = api.train(model)["job"]["jobId"]
    api.advance(1200)
    api("POST", f"/generate/custom/{FLUX2}", {"prompt": "p"}, 269, dryRun="api")
    picture = api.generate(FLUX2, loras=[model])["job"]["jobId"]
    told = [(item.vendor, item.kind, item.id, item.name) for item in api.sandbox.world.submissions]
    assert told == [("scenario", "training", job, "cats"), ("scenario", "generation", picture, "")]


def test_the_price_of_a_training_grows_with_its_images_and_epochs(api: Api) -> None:
    """A dry run prices 12 images at 300 CU, a number stands in for an empty dataset, and 10 more epochs cost double."""
    model = api.model(images=0)
    price = api("PUT", TRAIN.format(model), {}, 269, dryRun="true", trainingImagesCount=12)
    assert price == {"creativeUnitsCost": 300, "creativeUnitsDiscount": 0, "costDetails": {"train-model": 300}}
    body = {"parameters": {"nbEpochs": 20}}
    assert api("PUT", TRAIN.format(model), body, 269, dryRun="api", trainingImagesCount=12)["creativeUnitsCost"] == 600
    flux = api.model("flux.1-lora", images=2)
    assert api("PUT", TRAIN.format(flux), {}, 269, dryRun="true", trainingImagesCount=50)["creativeUnitsCost"] == 120
    assert "dryRun" in api("PUT", TRAIN.format(flux), {}, 400, dryRun="yes")["reason"]
    assert "images" in api("PUT", TRAIN.format(model), {}, 400, dryRun="true", trainingImagesCount="x")["reason"]


@pytest.mark.parametrize(("status", "key"), [(200, "job"), (402, "estimatedCost"), (269, "costDetails")])
def test_dry_runs_answer_with_the_status_of_choice(api: Api, status: int, key: str) -> None:
    """The three documented answers to a dry run are a switch."""
    api.turn(dry_run_status=status)
    assert key in api("PUT", TRAIN.format(api.model(images=2)), {}, status, dryRun="true")


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        ("flux.1-lora", {"rank": 128}),
        ("flux.2-dev-lora", {"rank": 129}),
        ("flux.2-dev-lora", {"rank": 2.5}),
        ("flux.2-dev-lora", {"rank": True}),
        ("flux.2-dev-lora", {"learningRate": 0.1}),
        ("flux.2-dev-lora", {"learningRate": "fast"}),
        ("flux.2-dev-lora", {"nbEpochs": 101}),
        ("flux.2-dev-lora", {"conceptPrompt": "x" * 21}),
        ("flux.2-dev-lora", {"conceptPrompt": 1}),
        ("flux.2-dev-lora", {"samplePrompts": ["a"] * 5}),
        ("flux.2-dev-lora", {"samplePrompts": "a"}),
        ("flux.2-dev-lora", {"sampleSourceImages": []}),
        ("flux.2-dev-lora", {"optimizeFor": "all"}),
        ("flux.2-dev-lora", {"wandbKey": "x" * 41}),
        ("flux.2-dev-lora", {"caption": "x"}),
    ],
)
def test_training_parameters_are_checked_by_trainer(api: Api, kind: str, parameters: dict[str, Any]) -> None:
    """What the type's trainer does not know or take is a 400 that names the parameter."""
    assert next(iter(parameters)) in api.train(api.model(kind, images=2), 400, **parameters)["reason"]


def test_legacy_parameters_are_taken_and_ignored(api: Api) -> None:
    """A deprecated parameter is accepted, and the record does not show it."""
    assert (
        "seed"
        not in api.train(api.model(images=2), seed=1, rank=128, conceptPrompt="ohwx", optimizeFor="likeness")["model"][
            "parameters"
        ]
    )


def test_edit_types_need_pairs_to_train(api: Api) -> None:
    """An edit type with fewer than two pairs is a 400; its samples need a source each."""
    model = api.model("flux.2-dev-edit-lora", images=2)
    assert "pairs" in api.train(model, 400)["reason"]
    ids = [image["id"] for image in api("GET", f"/models/{model}")["model"]["trainingImages"]]
    pair = {"sourceId": ids[0], "targetId": ids[1]}
    api("PUT", f"/models/{model}/training-images/pairs", [pair, pair])
    reason = api.train(model, 400, samplePrompts=["snow"], sampleSourceImages=[])["reason"]
    assert "same length" in reason
    assert api.train(model, samplePrompts=["snow"], sampleSourceImages=[ids[0]])["job"]["status"] == "pending"


def test_what_can_not_be_trained_is_refused(api: Api) -> None:
    """An empty dataset, a base type, parameters that are no object, and an unknown model are refused."""
    assert api.train(api.model(images=0), 400) == {"reason": "Model has no training images"}
    assert "flux.1-pro" in api.train(api.model("flux.1-pro", images=2), 400)["reason"]
    assert "object" in api("PUT", TRAIN.format(api.model(images=2)), {"parameters": []}, 400)["reason"]
    assert api.train("model_x", 404) == {"reason": "Model model_x not found"}


def test_a_model_trains_once_at_a_time(api: Api) -> None:
    """A second training is the vendor's own 400, a trained model is not trained again, and its dataset is closed."""
    model = api.model(images=2)
    api.train(model)
    assert api.train(model, 400) == {"reason": "Model is already training"}
    assert "reason" in api("POST", f"/models/{model}/training-images", {"assetId": api.asset()}, 400)
    api.advance(1200)
    assert api.train(model, 400) == {"reason": "Model is already trained"}


def test_trainings_are_canceled_on_the_model(api: Api) -> None:
    """The job route refuses; the model route accepts, shows the old status first, and may be trained again."""
    model = api.model(images=2)
    job = api.train(model)["job"]["jobId"]
    api.advance(675)
    assert api("POST", f"/jobs/{job}/action", {"action": "cancel"}, 400) == {"reason": "Cannot cancel this type of job"}
    path = f"/models/{model}/train/action"
    assert "cancel" in api("POST", path, {"action": "stop"}, 400)["reason"]
    assert api("POST", path, {"action": "cancel"})["model"]["status"] == "training"
    api.advance(5)
    assert api("GET", f"/models/{model}")["model"]["status"] == "training-canceled"
    assert (api.job(job)["status"], api.job(job)["progress"]) == ("canceled", 0.5048)
    assert api("POST", path, {"action": "cancel"}, 400) == {"reason": "Model is not training"}
    api.turn(retrain=False)
    assert "training-canceled" in api.train(model, 400)["reason"]
    api.turn(retrain=True)
    assert api.train(model)["job"]["jobId"] != job


def test_a_failed_training_tells_its_reason_on_the_job(api: Api) -> None:
    """The model only says `failed`; error and hint are on the job, and the price stays."""
    api.turn(training_outcome="failed", training_error="out of memory")
    model = api.model(images=2)
    job = api.train(model)["job"]["jobId"]
    api.advance(1200)
    record = api("GET", f"/models/{model}")["model"]
    assert record["status"] == "failed"
    assert "error" not in record
    assert api.job(job)["metadata"]["error"] == "out of memory"
    assert api.job(job)["status"] == "failure"
    assert api.job(job)["billing"]["cuCost"] == 50


@pytest.mark.parametrize(
    ("end", "first"), [("job-first", ("training", "success")), ("model-first", ("trained", "finalizing"))]
)
def test_job_and_model_may_end_apart(api: Api, end: str, first: tuple[str, str]) -> None:
    """Which of the two ends first is a switch; the other follows a minute later."""
    api.turn(training_end=end)
    model = api.model(images=2)
    job = api.train(model)["job"]["jobId"]
    api.advance(1200)
    assert (api("GET", f"/models/{model}")["model"]["status"], api.job(job)["status"]) == first
    if end == "model-first":
        return
    api("POST", f"/models/{model}/train/action", {"action": "cancel"})
    api.advance(60)
    assert api("GET", f"/models/{model}")["model"]["status"] == "training-canceled"
    assert api.job(job)["status"] == "success"


def test_reads_may_lag_behind_an_accepted_training(api: Api) -> None:
    """With a lag the model still reads as new for a while."""
    api.turn(start_lag=30.0)
    model = api.model(images=2)
    api.train(model)
    assert api("GET", f"/models/{model}")["model"]["status"] == "new"
    assert api("GET", "/models", status="training") == {"models": []}
    api.advance(30)
    assert api("GET", f"/models/{model}")["model"]["status"] == "training"


def test_progress_may_be_percent_or_empty(api: Api) -> None:
    """The scale of a model's progress, and whether it says anything at all, are switches."""
    model = api.model(images=2)
    api.train(model)
    api.advance(675)
    api.turn(progress_scale=100.0)
    assert round(api("GET", f"/models/{model}")["model"]["trainingProgress"]["progress"], 6) == 50
    api.turn(empty_progress=True)
    assert api("GET", f"/models/{model}")["model"]["trainingProgress"] == {}


def test_plans_limit_trainings(api: Api) -> None:
    """No training in the plan, too many at once, and one too soon are three kinds of 429."""
    api.turn(parallel_trainings=0)
    assert api.train(api.model(images=2), 429)["details"]["actionLimit"] == 0
    api.turn(parallel_trainings=1)
    api.train(api.model(images=2))
    assert api.train(api.model(images=2), 429)["details"] == {
        "actionName": "parallel-training",
        "actionLimit": 1,
        "actionValue": 1,
        "limitScope": "team",
    }
    api.turn(parallel_trainings=9, training_cooldown=60.0)
    api.advance(20)
    answer = api.train(api.model(images=2), 429)
    assert answer["details"] == {"remainingSeconds": 40}
    assert "name" not in answer


def test_a_generation_ends_with_pictures_of_the_training_photos(api: Api) -> None:
    """A job goes from queued to success, its assets are in order with rising seeds, and their files are pictures."""
    model = api.trained()
    answer = api.generate(
        FLUX2, loras=[model], lorasScale=[0.9], numOutputs=2, seed=7, width=128, height=256, guidance=4
    )
    assert (answer["creativeUnitsCost"], answer["costDetails"]) == (
        35.5,
        {"custom-generation": 32, "quality-gate": 3.5},
    )
    job = answer["job"]["jobId"]
    words = []
    for seconds in (0, 2, 1, 15, 2):
        api.advance(seconds)
        words.append(api.job(job)["status"])
    assert words == ["queued", "warming-up", "in-progress", "finalizing", "success"]
    record = api.job(job)
    assert record["billing"] == {"cuCost": 32, "cuDiscount": 0, "cuCostDetails": {"quality-gate": 3.5}}
    assets = [api("GET", f"/assets/{asset}")["asset"] for asset in record["metadata"]["assetIds"]]
    assert [asset["metadata"]["seed"] for asset in assets] == ["7", "8"]
    assert assets[0]["metadata"]["concepts"] == [{"modelId": model, "scale": 0.9}]
    assert assets[0]["metadata"]["parentJobId"] == job
    with Image.open(io.BytesIO(api.bare.get(assets[0]["url"]).content)) as picture:
        assert picture.size == (128, 256)
    listed = api("GET", "/assets", modelId=model, type="txt2img")["assets"]
    assert {asset["id"] for asset in listed} == {asset["id"] for asset in assets}


def test_a_base_without_size_and_seed_picks_its_own(api: Api) -> None:
    """Without LoRA, size and seed, a base makes square pictures, Z-Image four of them."""
    job = api.generate("model_z-image", negativePrompt="dogs")["job"]["jobId"]
    api.advance(20)
    ids = api.job(job)["metadata"]["assetIds"]
    asset = api("GET", f"/assets/{ids[0]}")["asset"]
    assert len(ids) == 4
    assert (asset["properties"]["width"], asset["properties"]["height"]) == (1024, 1024)


def test_kontext_takes_a_ratio_and_one_lora(api: Api) -> None:
    """The editing base needs a reference image, sizes by ratio, and refuses a second LoRA."""
    base, asset = "model_flux-kontext-editing", api.asset()
    assert "referenceImages" in api.generate(base, 400)["reason"]
    job = api.generate(base, referenceImages=[asset], aspectRatio="16:9", loras="dropped")["job"]["jobId"]
    api.advance(20)
    made = api("GET", f"/assets/{api.job(job)['metadata']['assetIds'][0]}")["asset"]
    assert (made["properties"]["width"], made["properties"]["height"]) == (1360, 768)
    assert "at most 1 items" in api.generate(base, 400, referenceImages=[asset], loras=["a", "b"])["reason"]
    assert "aspectRatio" in api.generate(base, 400, referenceImages=[asset], aspectRatio="2:1")["reason"]


def test_a_lora_in_the_path_is_refused_unless_switched(api: Api) -> None:
    """A trained model's own id in the path is the vendor's 400; a switch accepts it, another refuses bases instead."""
    model, reason = api.trained(), "Custom models only are supported for this endpoint"
    assert api.generate(model, 400) == {"reason": reason}
    api.turn(lora_in_path=True, base_in_path=False, lora_shows_inputs=True)
    assert api.generate(FLUX2, 400) == {"reason": reason}
    record = api("GET", f"/models/{model}")["model"]
    assert record["custom"] is True
    assert "loras" not in {item["name"] for item in record["inputs"]}
    assert api.generate(model)["job"]["status"] == "queued"
    assert "not trained" in api.generate(api.model(images=2), 400)["reason"]
    assert api.generate(api.model("flux.1-krea-lora", images=2), 400) == {"reason": reason}


def test_loras_are_checked_by_the_base(api: Api) -> None:
    """More than six, the wrong type, an unknown id, an untrained model and too strong a scale are refused."""
    model = api.trained()
    assert api.generate(FLUX2, 400, loras=["a"] * 7) == {"reason": "Input loras must be at most 6 items long"}
    assert api.generate(FLUX2, 404, loras=["model_x"]) == {"reason": "Model model_x not found"}
    assert api.generate(FLUX2, 400, loras=[model], lorasScale=[2.1]) == {"reason": "Input lorasScale must be at most 2"}
    wrong = api.generate("model_bfl-flux-1-dev", 400, loras=[model])["reason"]
    assert wrong == f"Invalid model(s): {model}\nAllowed model types: flux.1-lora, flux.1-composition"
    assert "not trained" in api.generate(FLUX2, 400, loras=[api.model(images=2)])["reason"]
    assert api.generate(FLUX2, loras=[model], lorasScale=[-1])["job"]["status"] == "queued"
    assert api.generate(FLUX2, modelId=model)["job"]["status"] == "queued"


@pytest.mark.parametrize(
    ("inputs", "name"),
    [
        ({"prompt": None}, "prompt"),
        ({"prompt": 3}, "prompt"),
        ({"prompt": "x" * 2049}, "prompt"),
        ({"width": 120}, "width"),
        ({"width": 130}, "width"),
        ({"width": "wide"}, "width"),
        ({"numOutputs": 5}, "numOutputs"),
        ({"seed": 2**31}, "seed"),
        ({"negativePrompt": "dogs"}, "negativePrompt"),
        ({"loras": [1]}, "loras"),
        ({"lorasScale": ["x"]}, "lorasScale"),
    ],
)
def test_inputs_are_checked_by_the_base(api: Api, inputs: dict[str, Any], name: str) -> None:
    """What the base does not know or take is a 400 that names the input."""
    assert name in api.generate(FLUX2, 400, **inputs)["reason"]


def test_unknown_inputs_can_be_ignored(api: Api) -> None:
    """Whether an input that the base does not have is refused is a switch."""
    api.turn(unknown_inputs="ignore")
    assert api.generate(FLUX2, negativePrompt="dogs", hideResults=True)["job"]["status"] == "queued"


def test_a_prompt_may_be_replaced_by_an_image(api: Api) -> None:
    """Z-Image takes an image instead of a prompt, as an asset's id or a data URL."""
    asset = api.asset()
    for image in (asset, data_url(photo())):
        assert api.generate("model_z-image", prompt=None, image=image)["job"]["status"] == "queued"
    assert "prompt" in api.generate("model_z-image", 400, prompt=None)["reason"]
    assert api.generate("model_z-image", 404, image="asset_x") == {"reason": "Asset asset_x not found"}
    assert api.generate("model_z-image", 400, image="data:image/png;base64,AAAA") == {
        "reason": "Unhandled image format"
    }


def test_plans_limit_generations(api: Api) -> None:
    """Too many at once is a 429 with a limit above 0; a base outside the plan is a 403 that names the plan."""
    api.turn(parallel_generations=1)
    api.generate(FLUX2)
    assert api.generate(FLUX2, 429)["details"]["actionLimit"] == 1
    api.turn(restricted_models=[FLUX2])
    answer = api.generate(FLUX2, 403)
    assert (answer["name"], answer["details"]["requiredPlan"]) == ("ModelAccessRestrictedError", "pro")


def test_generations_are_canceled_on_the_job(api: Api) -> None:
    """Canceling shows the old status first; a finished job stays as it is."""
    job = api.generate(FLUX2)["job"]["jobId"]
    path = f"/jobs/{job}/action"
    assert "cancel" in api("POST", path, {"action": "stop"}, 400)["reason"]
    assert api("POST", path, {"action": "cancel"})["job"]["status"] == "queued"
    api.advance(30)
    assert api.job(job)["status"] == "canceled"
    assert api("POST", path, {"action": "cancel"})["job"]["status"] == "canceled"


def test_failed_generations_tell_why_and_give_the_add_on_back(api: Api) -> None:
    """A failure has error and hint; too small a picture fails inside the job; the quality gate drops to 0."""
    api.turn(generation_outcome="failure")
    job = api.generate(FLUX2)["job"]["jobId"]
    api.turn(generation_outcome="success", minimum_pixels=65_536)
    small = api.generate(FLUX2, width=128, height=128)["job"]["jobId"]
    api.advance(20)
    assert api.job(job)["metadata"]["error"] == "Provider rejected the request"
    assert api.job(job)["billing"]["cuCostDetails"] == {"quality-gate": 0}
    assert "65536" in api.job(small)["metadata"]["error"]
    assert "assetIds" not in api.job(small)["metadata"]


def test_outputs_may_be_short_or_pending(api: Api) -> None:
    """A successful job may name fewer assets than asked for, and an asset may still be pending."""
    api.turn(short_asset_ids=1, asset_pending_seconds=30.0, quality_gate=False)
    answer = api.generate(FLUX2, numOutputs=2)
    assert answer["costDetails"] == {"custom-generation": 32}
    api.advance(20)
    record = api.job(answer["job"]["jobId"])
    (asset,) = record["metadata"]["assetIds"]
    assert record["billing"] == {"cuCost": 32, "cuDiscount": 0}
    assert api("GET", f"/assets/{asset}")["asset"]["status"] == "pending"
    api.advance(30)
    assert api("GET", f"/assets/{asset}")["asset"]["status"] == "success"


def test_records_of_jobs_can_be_minimal(api: Api) -> None:
    """Optional fields of a job can be missing, too."""
    api.turn(minimal_records=True)
    job = api.job(api.generate(FLUX2)["job"]["jobId"])
    assert job["metadata"] == {}
    assert not {"billing", "ownerId"} & set(job)


def test_jobs_are_listed_by_the_rules_of_their_dates(api: Api) -> None:
    """`createdAfter` stands alone, `updatedAfter` needs a filter, and pages are turned by token."""
    model = api.model(images=2)
    training = api.train(model)["job"]["jobId"]
    pictures = [api.generate(FLUX2)["job"]["jobId"] for _ in range(2)]

    def ids(**query: Any) -> set[str]:
        return {job["jobId"] for job in api("GET", "/jobs", **query)["jobs"]}

    assert ids() == {training, *pictures}
    assert ids(type="custom") == ids(types="custom", type="flux") == set(pictures)
    assert ids(status="queued", updatedAfter="2020-01-01") == set(pictures)
    assert ids(createdAfter="2100-01-01") == ids(type="flux") == set()
    assert ids(authorId="apiu_sandbox") == ids(hideResults="false") == {training, *pictures}
    assert "createdAfter" in api("GET", "/jobs", expect=400, type="custom", createdAfter="2020-01-01")["reason"]
    assert "updatedAfter" in api("GET", "/jobs", expect=400, updatedAfter="2020-01-01")["reason"]
    assert api("GET", "/jobs/job_x", expect=404) == {"reason": "Job job_x not found"}
    page = api("GET", "/jobs", pageSize=2)
    rest = api("GET", "/jobs", pageSize=2, paginationToken=page["nextPaginationToken"])
    assert {job["jobId"] for job in [*page["jobs"], *rest["jobs"]]} == {training, *pictures}


def patched(api: Api, **fields: Any) -> Image.Image:
    answer = api("POST", "/generate/patch", fields)
    assert (answer["job"]["jobType"], answer["job"]["status"]) == ("patch-image", "success")
    with Image.open(io.BytesIO(api.bare.get(answer["asset"]["url"]).content)) as picture:
        return picture.copy()


def test_patch_merges_and_crops_pictures(api: Api) -> None:
    """A patch lies over its image, may go over its edge, may erase, and the image may be cropped before."""
    image, over = api.asset("red"), data_url(photo("blue", size=(10, 10)))
    patch = {"image": over, "mode": "override"}
    assert patched(api, image=image, patch=patch).getpixel((5, 5)) == (0, 0, 255)
    wide = patched(api, image=image, patch=patch, position={"x": -5, "y": 25}, allowOverflow=True)
    assert wide.size == (45, 35)
    erased = patched(api, image=image, patch={"image": over, "mode": "erase"}, backgroundColor="transparent")
    assert erased.getpixel((0, 0)) == (0, 0, 0, 0)
    crop = {"left": 10, "top": 0, "width": 20, "height": 10}
    assert patched(api, image=image, crop=crop, format="jpeg").size == (20, 10)


@pytest.mark.parametrize(
    "fields",
    [
        {"image": None},
        {"format": "gif"},
        {"crop": 5},
        {"crop": {"left": 0}},
        {"patch": {"image": 5, "mode": "override"}},
        {"patch": {"image": "asset_x", "mode": "blend"}},
        {"backgroundColor": "nocolor"},
        {"backgroundColor": "transparent", "format": "jpeg"},
    ],
)
def test_bad_patches_are_refused(api: Api, fields: dict[str, Any]) -> None:
    """Missing images, unknown formats, modes and colors are 400 with a reason."""
    assert "reason" in api("POST", "/generate/patch", {"image": api.asset(), **fields}, 400)
