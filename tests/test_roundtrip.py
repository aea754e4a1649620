"""From neutral words to a vendor's payload, through the sandbox and back: what the vendor can keep is kept."""

from __future__ import annotations

import pytest
from conftest import QUICK, VENDORS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unified_train import Client, Dataset, GenerationRequest, Status, TrainedModel, TrainingRequest
from unified_train.sandbox import Sandbox

FEW = settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
SIDES = st.integers(8, 20).map(lambda steps: steps * 16)


@pytest.fixture
def model(request: pytest.FixtureRequest, sandbox: Sandbox, photos: Dataset) -> TrainedModel:
    """A model trained at the vendor under test."""
    few = photos.model_copy(update={"images": photos.images[:1]})
    with Client(request.param, **QUICK) as client:  # type: ignore[arg-type]
        trained = client.wait(client.train(TrainingRequest(name="t", dataset=few)), timeout=30).model
    assert trained is not None
    return trained


@pytest.mark.parametrize("model", VENDORS, indirect=True)
@FEW
@given(width=SIDES, height=SIDES, n=st.integers(1, 3), seed=st.integers(1, 2**31 - 10))
def test_pictures_are_those_that_were_asked_for(
    model: TrainedModel, width: int, height: int, n: int, seed: int
) -> None:
    """Number, size and seed of pictures come back as they were asked for, where the vendor has such an option."""
    with Client(model.provider, **QUICK) as client:  # type: ignore[arg-type]
        asked = GenerationRequest(prompt="{subject}", width=width, height=height, n=n, seed=seed)
        options = client.capabilities().generation.options
        job = client.wait(client.generate(model, asked, on_unsupported="drop"), timeout=30)
        pictures = client.download(job)
    assert len(pictures) == len(job.images) == n
    if "width" in options:
        assert {(picture.width, picture.height) for picture in pictures} == {(width, height)}
    told = {image.seed for image in job.images} - {None}
    assert told <= set(range(seed, seed + n))


@pytest.mark.parametrize("vendor", VENDORS)
@FEW
@given(
    name=st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20),
    captions=st.lists(st.text(st.characters(categories=["L"]), min_size=1, max_size=30), min_size=1, max_size=3),
)
def test_a_training_keeps_its_name_and_its_images(
    vendor: str, sandbox: Sandbox, photos: Dataset, name: str, captions: list[str]
) -> None:
    """The vendor's list shows the name that was given, in any script, and the job is the same one."""
    images = tuple(
        image.with_caption(caption)  # type: ignore[union-attr]
        for image, caption in zip(photos.images, captions, strict=False)
    )
    dataset = photos.model_copy(update={"images": images})
    with Client(vendor, **QUICK) as client:  # type: ignore[arg-type]
        job = client.train(TrainingRequest(name=name, dataset=dataset))
        listed = {item.reference: item for item in client.list_jobs("training")}
        assert listed[job.reference].name == name
        done = client.wait(listed[job.reference], timeout=30)
    assert done.status is Status.SUCCEEDED
