"""The vendor's own SDK, validating every answer against its types, works through the emulated Scenario."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from scenario_api import bare_base64, data_url, photo

scenario_sdk = pytest.importorskip("scenario_sdk", reason="the vendor's SDK is not installed: scenario-sdk==2.4.0")

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unified_train.sandbox import Sandbox

EDIT = "qwen-image-edit-2511-lora"
FLUX2 = "model_bfl-flux-2-dev"


@pytest.fixture
def sdk(sandbox: Sandbox) -> Iterator[Any]:
    """The SDK as the environment of the sandbox configures it, without retries."""
    sandbox.world.clock.freeze()
    with (
        scenario_sdk.DefaultHttpxClient(trust_env=False) as http_client,
        scenario_sdk.Scenario(max_retries=0, http_client=http_client, _strict_response_validation=True) as client,
    ):
        yield client


def attached(sdk: Any, model: str, count: int = 3) -> list[str]:
    ids = [sdk.assets.upload(name=f"{number}.png", image=bare_base64(photo())).asset.id for number in range(count)]
    sdk.models.training_images.add(model, asset_ids=ids)
    return ids


def trained(sdk: Any, sandbox: Sandbox, **parameters: Any) -> str:
    model = str(sdk.models.create(name="cats", type="flux.2-dev-lora").model.id)
    attached(sdk, model)
    sdk.models.train.trigger(model, parameters=parameters)
    sandbox.world.clock.advance(1200)
    return model


def test_the_sdk_trains_a_model_from_start_to_end(sdk: Any, sandbox: Sandbox) -> None:
    """Create, attach by data URL and by ids, replace, delete, caption, dry run, train and poll all validate."""
    model = sdk.models.create(name="cats", type="flux.2-dev-lora").model
    ids = attached(sdk, model.id)
    images = sdk.models.training_images
    made = images.add(model.id, data=data_url(photo("blue")), name="cat.png", preset="subject").training_image
    other = images.replace(made.id, model_id=model.id, data=data_url(photo("green")), name="b.png").training_image
    images.delete(ids[0], model_id=model.id)
    sdk.assets.update(other.id, description="a green cat")
    record = sdk.models.retrieve(model.id).model
    assert [image.id for image in record.training_images or []] == [*ids[1:], other.id]
    price = sdk.models.train.with_raw_response.trigger(model.id, dry_run="true")
    assert (price.http_response.status_code, price.http_response.json()["creativeUnitsCost"]) == (269, 75)
    started = sdk.models.train.trigger(model.id, parameters={"rank": 32, "sample_prompts": ["a cat"]})
    assert started.creative_units_cost == 75
    stages = []
    for seconds in (0, 20, 105, 600):
        sandbox.world.clock.advance(seconds)
        progress = sdk.models.retrieve(model.id).model.training_progress
        stages.append(progress.stage if progress else None)
        assert sdk.jobs.retrieve(started.job.job_id).job.status
    assert stages == ["pending", "queued-for-train", "starting-train", "running-train"]
    sandbox.world.clock.advance(600)
    done = sdk.models.retrieve(model.id).model
    assert (done.status, done.job_id) == ("trained", started.job.job_id)
    assert [epoch.epoch for epoch in done.epochs or []] == ["000005", "000010"]
    assert sdk.jobs.retrieve(started.job.job_id).job.status == "success"


def test_the_sdk_trains_an_edit_type_with_pairs(sdk: Any) -> None:
    """Pairs are a bare array, counted in the answer, and let an edit type train."""
    model = sdk.models.create(name="snow", type=EDIT).model.id
    ids = attached(sdk, model, 4)
    pairs = [
        {"source_id": ids[0], "target_id": ids[1], "instruction": "add snow"},
        {"source_id": ids[2], "target_id": ids[3]},
    ]
    answer = sdk.models.training_images.replace_pairs(model, body=pairs)
    assert answer.count == 2
    record = sdk.models.retrieve(model).model
    assert [pair.instruction for pair in record.training_image_pairs or []] == ["add snow", None]
    assert sdk.models.train.trigger(model).model.status == "training"


def test_the_sdk_cancels_a_training_on_its_model(sdk: Any, sandbox: Sandbox) -> None:
    """Canceling goes to the model's route; the job's route is a 400 that the SDK raises."""
    model = sdk.models.create(type="zimage-lora").model.id
    attached(sdk, model)
    job = sdk.models.train.trigger(model).job.job_id
    with pytest.raises(scenario_sdk.BadRequestError, match="Cannot cancel this type of job"):
        sdk.jobs.trigger_action(job, action="cancel")
    assert sdk.models.train.action(model, action="cancel").model.status == "training"
    sandbox.world.clock.advance(5)
    assert sdk.models.retrieve(model).model.status == "training-canceled"
    assert sdk.jobs.retrieve(job).job.status == "canceled"


def test_the_sdk_sees_a_failed_training(sdk: Any, sandbox: Sandbox) -> None:
    """A failed model validates, and its job tells the reason."""
    sandbox.switch("scenario", "training_outcome", "failed")
    record = sdk.models.retrieve(trained(sdk, sandbox)).model
    assert (record.status, record.training_progress) == ("failed", None)
    assert sdk.jobs.retrieve(str(record.job_id)).job.metadata.error


def test_the_sdk_generates_with_a_trained_model(sdk: Any, sandbox: Sandbox) -> None:
    """The base with `loras` makes pictures whose assets validate and whose files can be fetched."""
    model = trained(sdk, sandbox)
    body = {
        "prompt": "a cat",
        "loras": [model],
        "lorasScale": [0.8],
        "numOutputs": 2,
        "seed": 7,
        "width": 128,
        "height": 128,
    }
    answer = sdk.generate.run_model(FLUX2, body=body)
    assert (answer.creative_units_cost, answer.cost_details and answer.cost_details.quality_gate) == (35.5, 3.5)
    sandbox.world.clock.advance(20)
    job = sdk.jobs.retrieve(answer.job.job_id).job
    sandbox.world.clock.advance(10)
    assets = sdk.assets.get_bulk(asset_ids=[*(job.metadata.asset_ids or []), "asset_unknown"]).assets
    assert [asset.metadata.seed for asset in assets] == ["7", "8"]
    assert [asset.nsfw for asset in assets] == [[], []]
    assert sdk.assets.retrieve(assets[0].id, original_assets=True).asset.properties.width == 128
    assert httpx.get(assets[0].url, trust_env=False).content.startswith(b"\x89PNG")
    price = sdk.generate.with_raw_response.run_model(FLUX2, body=body, dry_run="true")
    assert price.http_response.status_code == 269
    with pytest.raises(scenario_sdk.BadRequestError, match="Custom models only"):
        sdk.generate.run_model(model, body={"prompt": "a cat"})


def test_the_sdk_cancels_a_generation_on_its_job(sdk: Any, sandbox: Sandbox) -> None:
    """Canceling a generation goes to the job's route."""
    job = sdk.generate.run_model(FLUX2, body={"prompt": "a cat"}).job.job_id
    sdk.jobs.trigger_action(job, action="cancel")
    sandbox.world.clock.advance(5)
    assert sdk.jobs.retrieve(job).job.status == "canceled"


def test_the_sdk_patches_an_image(sdk: Any) -> None:
    """`generate.patch` answers with a finished job and its asset."""
    asset = sdk.assets.upload(name="a.png", image=bare_base64(photo())).asset.id
    patch = {"image": data_url(photo("blue")), "mode": "override"}
    answer = sdk.generate.patch(image=asset, patch=patch, position={"x": 5, "y": 5})
    assert answer.job.job_type == "patch-image"
    assert answer.asset is not None
    assert answer.asset.source == "patch"


def test_the_sdk_turns_the_pages_of_lists(sdk: Any, sandbox: Sandbox) -> None:
    """Models, assets and jobs are listed over several pages; base models with all their inputs."""
    sandbox.switch("scenario", "empty_first_page", value=True)
    models = [sdk.models.create(name=f"m{number}").model.id for number in range(3)]
    attached(sdk, models[0], 3)
    jobs = [sdk.generate.run_model(FLUX2, body={"prompt": "p"}).job.job_id for _ in range(3)]
    # The SDK stops at a page without items, although it has a token: so the first one is turned by hand.
    assert not sdk.models.list().models
    token = "page_start"
    assert {model.id for model in sdk.models.list(page_size=2, pagination_token=token)} == set(models)
    assert len(list(sdk.assets.list(page_size=2, pagination_token=token))) == 3
    assert {job.job_id for job in sdk.jobs.list(page_size=2, pagination_token=token)} == set(jobs)
    public = list(sdk.models.list(privacy="public", page_size=5, pagination_token=token))
    assert len(public) > 10
    assert all(model.inputs and model.ui_config and model.ui_config.loras_component for model in public)


def test_the_sdk_reads_models_in_bulk_and_tags_them(sdk: Any, sandbox: Sandbox) -> None:
    """Full, short and minimal bulk records validate, and so do tags, updates and deletion."""
    model = trained(sdk, sandbox)
    for options in ({}, {"all_training_images": True}, {"minimal": True}):
        answer = sdk.models.get_bulk(model_ids=[model, "model_unknown"], **options)
        assert [item.id for item in answer.models] == [model]
    assert sdk.models.update_tags(model, add=["ut"]).added == ["ut"]
    asset = sdk.assets.upload(name="a.png", image=bare_base64(photo())).asset.id
    assert sdk.assets.update_tags(asset, add=["ut"]).added == ["ut"]
    assert sdk.models.update(model, name="new", thumbnail=asset).model.name == "new"
    sdk.assets.delete_multiple(asset_ids=[asset])
    sdk.models.delete(model)
    with pytest.raises(scenario_sdk.NotFoundError, match="not found"):
        sdk.models.retrieve(model)


def test_the_sdk_uploads_in_parts(sdk: Any, sandbox: Sandbox) -> None:
    """Announce, put two parts, complete, and read until the asset is there."""
    data = photo(padding=5_000_000)
    parts = [data[:5_000_000], data[5_000_000:]]
    upload = sdk.uploads.create(
        file_name="big.png", content_type="image/png", kind="image", parts=len(parts), file_size=len(data)
    ).upload
    for part, chunk in zip(upload.parts or [], parts, strict=True):
        assert httpx.put(part.url, content=chunk, trust_env=False).is_success
    assert sdk.uploads.trigger_action(upload.id, action="complete").upload.status == "validating"
    sandbox.world.clock.advance(4)
    done = sdk.uploads.retrieve(upload.id).upload
    assert done.status == "imported"
    assert sdk.assets.retrieve(str(done.entity_id)).asset.properties.size == len(data)


def test_the_sdk_signs_in_with_a_token(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without key and secret, the token is sent and accepted, and the plan of the team can be read."""
    for name in ("SCENARIO_SDK_API_KEY", "SCENARIO_SDK_API_SECRET"):
        monkeypatch.delenv(name, raising=False)
    with (
        scenario_sdk.DefaultHttpxClient(trust_env=False) as http_client,
        scenario_sdk.Scenario(
            bearer_auth="sandbox-jwt",
            base_url=sandbox.env["SCENARIO_BASE_URL"],
            http_client=http_client,
            _strict_response_validation=True,
        ) as client,
    ):
        assert client.teams.retrieve_limits("team_sandbox").plan == "cu-pro"


def test_the_sdk_accepts_records_without_their_optional_fields(sdk: Any, sandbox: Sandbox) -> None:
    """Records cut down to their required fields still validate."""
    sandbox.switch("scenario", "minimal_records", value=True)
    model = trained(sdk, sandbox)
    assert sdk.models.retrieve(model).model.name is None
    job = sdk.generate.run_model(FLUX2, body={"prompt": "p", "width": 128, "height": 128}).job.job_id
    sandbox.world.clock.advance(20)
    (asset,) = sdk.jobs.retrieve(job).job.metadata.asset_ids or []
    assert sdk.assets.retrieve(asset).asset.nsfw is None


def test_the_asynchronous_sdk_does_the_whole_job(sandbox: Sandbox) -> None:
    """The vendor's async client, validating as strictly, creates, attaches, trains, generates and downloads too."""
    sandbox.world.clock.freeze()

    async def main() -> bytes:
        async with (
            scenario_sdk.DefaultAsyncHttpxClient(trust_env=False) as http_client,
            scenario_sdk.AsyncScenario(
                max_retries=0, http_client=http_client, _strict_response_validation=True
            ) as client,
        ):
            model = (await client.models.create(name="cats", type="flux.2-dev-lora")).model.id
            for number in range(2):
                await client.models.training_images.add(model, data=data_url(photo()), name=f"{number}.png")
            started = await client.models.train.trigger(model)
            sandbox.world.clock.advance(1200)
            assert (await client.models.retrieve(model)).model.status == "trained"
            assert (await client.jobs.retrieve(started.job.job_id)).job.status == "success"
            body = {"prompt": "a cat", "loras": [model], "lorasScale": [0.8], "numOutputs": 1}
            job = (await client.generate.run_model(FLUX2, body=body)).job.job_id
            sandbox.world.clock.advance(60)
            (asset,) = (await client.jobs.retrieve(job)).job.metadata.asset_ids or []
            url = (await client.assets.retrieve(asset)).asset.url
        async with httpx.AsyncClient() as plain:
            return (await plain.get(url)).content

    assert asyncio.run(main()).startswith(b"\x89PNG")
