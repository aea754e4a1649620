"""The provider and the emulated vendor together: whatever the vendor leaves open, training and generating work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from scenario_api import photo

from unified_train import (
    AuthenticationError,
    Dataset,
    GenerationRequest,
    InvalidRequest,
    JobFailed,
    QuotaExceeded,
    RateLimited,
    Status,
    TrainingRequest,
)
from unified_train.sandbox.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from unified_train.sandbox import Sandbox

DATASET = Dataset.model_validate(
    {"images": [photo("red"), photo("green"), photo("blue")], "trigger": "ohwx", "class_word": "cat"}
)
TRAINING = TrainingRequest(name="my-cat", dataset=DATASET)
PROMPT = GenerationRequest(prompt="{subject} in the snow", seed=7, width=256, height=256)


@pytest.fixture
def client(sandbox: Sandbox, connect: Callable[..., Any]) -> Any:
    return connect("scenario")


@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"training_end": "job-first", "start_lag": 100.0, "renditions": True},
        {"training_end": "model-first", "progress_scale": 100.0, "atomic_batches": False},
        {"minimal_records": True, "empty_first_page": True, "quality_gate": False},
        {"empty_progress": True, "lora_in_path": True, "base_in_path": False},
        {"lora_in_path": True, "lora_shows_inputs": True},
        {"lora_shows_inputs": True, "asset_pending_seconds": 60.0},
    ],
    ids=["as captured", "job first", "model first", "minimal", "own id after all", "own id", "base after all"],
)
def test_whatever_the_vendor_leaves_open(sandbox: Sandbox, client: Any, switches: dict[str, object]) -> None:
    """Training, generating, downloading and listing work in every behaviour that is undocumented, and pay twice."""
    for name, value in switches.items():
        sandbox.switch("scenario", name, value)
    training = client.wait(client.train(TRAINING), timeout=20)
    assert (training.status, training.progress) == (Status.SUCCEEDED, 1.0)
    generation = client.wait(client.generate(training, PROMPT), timeout=20)
    [picture] = client.download(generation)
    assert (picture.media_type, picture.width) == ("image/png", 256)
    assert [paid.kind for paid in sandbox.world.submissions] == ["training", "generation"]
    assert [job.id.partition("/")[0] for job in client.list_jobs("training")] == [training.model.id]
    assert [job.id for job in client.list_jobs("generation")] == [generation.id]


def test_captions_and_kind_reach_the_vendor(sandbox: Sandbox, client: Any) -> None:
    """A caption ends as the description of its asset, the kind as preset, the trigger as concept."""
    images = [client.upload_image(photo(color), caption=f"a {color} thing") for color in ("red", "blue")]
    dataset = Dataset.of(tuple(images), trigger="ohwx")
    client.start_training(TrainingRequest(name="style", dataset=dataset, kind="style", rank=8))
    sent = [(entry.method, entry.json) for entry in sandbox.world.requests if entry.json]
    assert ("PUT", {"description": "a red thing"}) in sent
    assert ("POST", {"assetIds": [image.id for image in images], "preset": "style"}) in sent
    assert ("PUT", {"parameters": {"rank": 8, "conceptPrompt": "ohwx"}}) in sent


def test_images_can_be_given_inline(sandbox: Sandbox, client: Any) -> None:
    """`start_training` takes images that were never uploaded."""
    assert client.wait(client.start_training(TRAINING), timeout=20).model is not None
    assert not any(entry.path == "/v1/assets" for entry in sandbox.world.requests)


def test_a_lost_answer_to_a_batch_is_reconciled(sandbox: Sandbox, client: Any) -> None:
    """If the answer to attaching is lost, the repeat meets the duplicate refusal, and all images are attached once."""
    sandbox.world.faults.add(Fault(method="POST", path="/v1/models/*/training-images", kind="drop_after"))
    assert client.wait(client.train(TRAINING), timeout=20).model is not None


def test_a_training_that_was_accepted_under_a_503_is_adopted(sandbox: Sandbox, client: Any) -> None:
    """If the refusal was a lie, the repeat finds the running training, and it is paid for once."""
    fault = Fault(method="PUT", path="/v1/models/*/train", kind="status_after", status=503, body={"message": "busy"})
    sandbox.world.faults.add(fault)
    job = client.wait(client.train(TRAINING), timeout=20)
    assert job.model is not None
    assert any("not repeated" in note for note in job.notes)
    assert len(sandbox.world.submissions) == 1


def test_a_failed_training_tells_the_vendors_reason(sandbox: Sandbox, client: Any) -> None:
    """The error names what the vendor says on the job, and the price is given back."""
    sandbox.switch("scenario", "training_outcome", "failed")
    sandbox.switch("scenario", "training_error", "out of memory")
    job = client.train(TRAINING)
    with pytest.raises(JobFailed, match="out of memory") as caught:
        client.wait(job, timeout=20)
    failed = caught.value.job
    assert failed.cost is not None
    assert failed.cost.amount == 0
    assert failed.error is not None
    assert failed.error.hint


def test_cancel_ends_trainings_and_generations(sandbox: Sandbox, client: Any) -> None:
    """Both kinds end as canceled, each by its own route."""
    training = client.wait(client.train(TRAINING), timeout=20)
    sandbox.world.clock.freeze()
    for job in (client.train(TRAINING), client.generate(training, PROMPT)):
        assert not client.cancel(job).finished
        sandbox.world.clock.advance(5)
        assert client.poll(job).status is Status.CANCELED


def test_plans_limits_are_told_apart(sandbox: Sandbox, client: Any) -> None:
    """A plan without trainings is a quota, too many at once and a cooldown are a matter of time."""
    sandbox.switch("scenario", "parallel_trainings", 0)
    with pytest.raises(QuotaExceeded, match="parallel-training"):
        client.train(TRAINING)
    sandbox.switch("scenario", "parallel_trainings", 9)
    client.train(TRAINING)
    sandbox.switch("scenario", "training_cooldown", 100_000.0)
    with pytest.raises(RateLimited) as caught:
        client.train(TRAINING)
    assert (caught.value.retry_after or 0) > 1000


def test_a_price_in_place_of_a_job_is_refused(sandbox: Sandbox, client: Any) -> None:
    """An answer 269 to a real submission is an error that says that no job was made."""
    fault = Fault(method="PUT", path="/v1/models/*/train", kind="status", status=269, body={"creativeUnitsCost": 3})
    sandbox.world.faults.add(fault)
    with pytest.raises(InvalidRequest, match="no job was made"):
        client.train(TRAINING)


def test_a_token_signs_in(sandbox: Sandbox, connect: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """With a token alone everything works, and its expiry is an authentication error."""
    monkeypatch.delenv("SCENARIO_SDK_API_KEY")
    monkeypatch.delenv("SCENARIO_SDK_API_SECRET")
    monkeypatch.setenv("SCENARIO_SDK_JWT", "sandbox-jwt")
    client = connect("scenario")
    assert list(client.list_jobs("training")) == []
    sandbox.switch("scenario", "jwt_expired", value=True)
    with pytest.raises(AuthenticationError, match="expired"):
        client.list_jobs("training")


def test_fewer_pictures_than_asked_for_are_noted(sandbox: Sandbox, client: Any) -> None:
    """What came is delivered with a note; nothing at all is a failure."""
    model = client.wait(client.train(TRAINING), timeout=20).model
    sandbox.switch("scenario", "short_asset_ids", 1)
    two = client.wait(client.generate(model, PROMPT.model_copy(update={"n": 2})), timeout=20)
    assert (len(two.images), two.notes) == (1, ("1 of 2 pictures were made",))
    job = client.generate(model, PROMPT)
    with pytest.raises(JobFailed, match="names no pictures"):
        client.wait(job, timeout=20)
