"""What only Scenario has, over real HTTP against the emulated vendor: datasets, pairs, parts, prices, pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from helpers import png
from scenario_api import photo

from unified_train import (
    Dataset,
    DatasetError,
    GenerationRequest,
    Image,
    InvalidRequest,
    Job,
    ProviderUnavailable,
    QuotaExceeded,
    Status,
    TrainedModel,
    TrainingRequest,
    UnsupportedCapability,
)
from unified_train.sandbox.faults import Fault
from unified_train_scenario.options import TrainingPair

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from unified_train.sandbox import Sandbox

EDIT = "qwen-image-edit-2511-lora"
COLORS = ("red", "green", "blue")
DATASET = Dataset.of([photo(color) for color in COLORS], trigger="ohwx", class_word="cat")
TRAINING = TrainingRequest(name="my-cat", dataset=DATASET)
PAIRS = [
    {"source": "red.png", "target": "green.png", "instruction": "make it green"},
    {"source": "red.png", "target": "blue.png", "instruction": "make it blue"},
]


@pytest.fixture
def client(sandbox: Sandbox, connect: Callable[..., Any]) -> Any:
    return connect("scenario")


@pytest.fixture
def own(client: Any) -> Any:
    return client.provider("scenario")


def changes(sandbox: Sandbox) -> list[tuple[str, str]]:
    """Method and path of all requests but reads, ids left out."""
    paths = [(entry.method, entry.path.removeprefix("/v1").split("/")) for entry in sandbox.world.requests]
    return [
        (method, "/".join("*" if "_" in part else part for part in parts)) for method, parts in paths if method != "GET"
    ]


def assets(client: Any, count: int) -> list[Any]:
    return [client.upload_image(Image.of(png(8 + number), name=f"{number}.png")) for number in range(count)]


def trained(client: Any, model_type: str | None = None, **extra: Any) -> TrainedModel:
    given = [Image.of(photo(color), name=f"{color}.png") for color in COLORS]
    dataset = Dataset.of(given, trigger="ohwx", class_word="cat")
    request = TrainingRequest(name="cats", dataset=dataset, base_model=model_type, extra={"scenario": extra})
    model = client.wait(client.train(request), timeout=20).model
    assert isinstance(model, TrainedModel)
    return model


# -- training images ---------------------------------------------------------------------------------------------------


def test_a_dataset_is_made_by_hand_and_trained(client: Any, own: Any) -> None:
    """Images are added in every form, listed, replaced and deleted, and the model is trained on what is left."""
    model = client.run(own.create_model("by hand")).id
    made = client.run(own.add_training_image(model, Image.of(photo("red"), name="red.png"), preset="subject"))
    first, second, *others = assets(client, 13)
    assert client.run(own.add_training_image(model, first)).id == first.id
    assert client.run(own.add_training_image(model, first)).id == first.id
    added = client.run(own.add_training_images(model, others, original=True))
    assert [image.name for image in added] == [f"{number}.png" for number in range(2, 13)]
    client.run(own.replace_training_image(model, made.id, second.id))
    client.run(own.delete_training_image(model, first.id))
    client.run(own.delete_training_image(model, first.id))
    ids = [image.id for image in client.run(own.training_images(model))]
    assert ids == [second.id, *[image.id for image in others]]
    job = client.run(own.train_model(model, rank=8), kind="training")
    assert (job.kind, client.wait(job, timeout=20).model.id) == ("training", model)


@pytest.mark.parametrize("atomic", [True, False])
def test_lost_answers_do_not_attach_twice(sandbox: Sandbox, client: Any, own: Any, atomic: bool) -> None:
    """If the answers to attaching and replacing are lost, the repeats count as done."""
    sandbox.switch("scenario", "atomic_batches", atomic)
    model = client.run(own.create_model("by hand")).id
    images = assets(client, 12)
    for path in ("training-images", "training-images", "training-images/*"):
        method = "PUT" if path.endswith("*") else "POST"
        sandbox.world.faults.add(Fault(method=method, path=f"/v1/models/*/{path}", kind="drop_after"))
    client.run(own.add_training_images(model, images[:11]))
    client.run(own.replace_training_image(model, images[0].id, images[11]))
    there = [image.id for image in client.run(own.training_images(model))]
    assert sorted(there) == sorted(image.id for image in images[1:])


def test_a_dataset_has_a_ceiling(sandbox: Sandbox, client: Any, own: Any) -> None:
    """The plan's limit is a quota that never passes, in all forms of adding."""
    sandbox.switch("scenario", "dataset_limit", 2)
    model = client.run(own.create_model("by hand")).id
    with pytest.raises(QuotaExceeded, match="at most 2 images"):
        client.run(own.add_training_images(model, assets(client, 3)))
    assert client.run(own.training_images(model)) == ()


# -- pairs -------------------------------------------------------------------------------------------------------------


def test_an_edit_type_trains_on_pairs_and_edits(sandbox: Sandbox, client: Any, own: Any) -> None:
    """Pairs by name train an edit model in both ways of giving images, and it generates from references."""
    samples = {"sample_prompts": ["make it grey"], "sample_sources": ["red.png"]}
    model = trained(client, EDIT, pairs=PAIRS, **samples)
    pairs = client.run(own.training_pairs(model.id))
    assert [pair.instruction for pair in pairs] == ["make it green", "make it blue"]
    asked = GenerationRequest(prompt="make it grey", references=(Image.of(photo("red")),), width=256, height=256)
    job = client.wait(client.generate(model, asked), timeout=20)
    assert len(client.download(job)) == 1
    inline = [Image.of(photo(color), name=f"{color}.png") for color in COLORS]
    request = TrainingRequest(
        name="inline", dataset=Dataset.of(inline), base_model=EDIT, extra={"scenario": {"pairs": PAIRS}}
    )
    assert client.wait(client.start_training(request), timeout=20).model is not None


def test_pairs_by_hand(client: Any, own: Any) -> None:
    """Pairs of attached images are written and read back; a model on single images is told apart before."""
    model = client.run(own.create_model("snow", EDIT)).id
    first, second, third = assets(client, 3)
    client.run(own.add_training_images(model, [first, second, third]))
    pairs = [TrainingPair(source=first.id, target=item.name, instruction="add snow") for item in (second, third)]
    written = client.run(own.replace_training_pairs(model, pairs))
    assert written == client.run(own.training_pairs(model))
    assert [pair.target for pair in written] == [second.id, third.id]
    assert client.wait(client.run(own.train_model(model), kind="training"), timeout=20).model is not None


def test_pairs_for_a_type_without_are_refused_before_anything_is_sent(sandbox: Sandbox, client: Any, own: Any) -> None:
    """No request leaves for a training, and none but a read for a model."""
    request = TRAINING.model_copy(update={"extra": {"scenario": {"pairs": PAIRS}}})
    with pytest.raises(UnsupportedCapability, match="single images"):
        client.train(request)
    assert list(sandbox.world.requests) == []
    model = client.run(own.create_model("plain")).id
    with pytest.raises(UnsupportedCapability, match="single images"):
        client.run(own.replace_training_pairs(model, [TrainingPair(source="a", target="b")] * 2))
    assert changes(sandbox) == [("POST", "/models")]


# -- parts -------------------------------------------------------------------------------------------------------------


def test_large_images_train(sandbox: Sandbox, client: Any, tmp_path: Path) -> None:
    """An image of nine megabytes goes in two parts without credentials, and the model is trained on it."""
    path = tmp_path / "large.png"
    path.write_bytes(png(padding=9_000_000))
    uploaded = client.upload_image(path)
    account: Any = getattr(sandbox.vendors["scenario"], "account")  # noqa: B009 - other vendors have none
    assert account.bytes_of(account.assets[uploaded.id]) == path.read_bytes()
    puts = [entry for entry in sandbox.world.requests if entry.vendor is None]
    assert [entry.body["size"] for entry in puts if entry.body] == [8 * 1024 * 1024, path.stat().st_size - 8 * 1024**2]
    assert not any("authorization" in entry.headers for entry in puts)
    job = client.train(TrainingRequest(name="large", dataset=Dataset.of([uploaded, path])))
    assert client.wait(job, timeout=20).model is not None


def test_an_upload_that_is_never_imported_ends(sandbox: Sandbox, client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the vendor does not get on with it, the error says so after a bounded number of looks."""
    monkeypatch.setattr("unified_train_scenario.uploading.LOOKS", 2)
    sandbox.world.clock.freeze()
    with pytest.raises(ProviderUnavailable, match="is still validating"):
        client.upload_image(png(padding=4_000_000))
    looks = [entry for entry in sandbox.world.requests if entry.method == "GET"]
    assert len(looks) == 6


def test_a_broken_upload_tells_why(sandbox: Sandbox, client: Any) -> None:
    """The vendor's own message is the error's."""
    fault = Fault(method="GET", path="/v1/uploads/*", kind="json", set={"upload.status": "failed"}, times=None)
    sandbox.world.faults.add(fault)
    with pytest.raises(InvalidRequest, match="gives no reason"):
        client.upload_image(png(padding=4_000_000))


# -- prices ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [269, 200, 402])
def test_prices_are_asked_for_and_nothing_is_paid(sandbox: Sandbox, client: Any, own: Any, status: int) -> None:
    """However the vendor answers a dry run, the price is that of the real thing, and no model or job is left."""
    model = trained(client)
    paid = list(sandbox.world.submissions)
    sandbox.switch("scenario", "dry_run_status", status)
    asked = GenerationRequest(prompt="{subject}", n=5)
    price = client.run(own.estimate_generation(model, asked))
    training = client.run(own.estimate_training(TRAINING))
    edit = {"base_model": EDIT, "extra": {"scenario": {"pairs": [{"source": "a", "target": "b"}] * 2}}}
    named = Dataset.of([Image.of(photo(), name="a"), Image.of(photo(), name="b")])
    assert client.run(own.estimate_training(TRAINING.model_copy(update={**edit, "dataset": named}))) is not None
    assert list(sandbox.world.submissions) == paid
    assert [record.id for record in client.run(own.list_models())] == [model.id]
    sandbox.switch("scenario", "dry_run_status", 269)
    generation = client.generate(model, asked)
    assert price.amount == pytest.approx(sum(part.cost.amount for part in generation.parts))
    assert training.amount == client.train(TRAINING).cost.amount


# -- pictures ----------------------------------------------------------------------------------------------------------


def test_a_picture_starts_another(sandbox: Sandbox, client: Any) -> None:
    """Image to image works where the base takes one, from bytes, a large file and an asset of one's own."""
    model = trained(client, "zimage-lora")
    asset = client.upload_image(photo("red"))
    for asked in (
        GenerationRequest(prompt="p", image=Image.of(photo("red")), strength=0.5),
        GenerationRequest(prompt="p", image=Image.of(png(padding=5_000_000))),
        GenerationRequest(prompt="p", extra={"scenario": {"image": asset.id, "strength": 0.5}}),
    ):
        small = asked.model_copy(update={"width": 256, "height": 256})
        assert client.download(client.wait(client.generate(model, small), timeout=20))


@pytest.mark.parametrize("switches", [{}, {"minimal_records": True}])
def test_pictures_that_a_base_does_not_take_are_refused(
    sandbox: Sandbox, client: Any, switches: dict[str, object]
) -> None:
    """FLUX.2 takes references and no start image, whether its record is read or the table."""
    for name, value in switches.items():
        sandbox.switch("scenario", name, value)
    model = trained(client)
    unsure = model.model_copy(update={"base_model": None})
    with pytest.raises(UnsupportedCapability, match="image"):
        client.generate(model, GenerationRequest(prompt="p", image=Image.of(photo())))
    with pytest.raises(UnsupportedCapability, match="image"):
        client.generate(unsure, GenerationRequest(prompt="p", image=Image.of(photo())))
    job = client.generate(
        unsure, GenerationRequest(prompt="p", references=(Image.of(photo()), Image.of(photo("blue"))))
    )
    assert len(client.wait(job, timeout=20).images) == 1
    assert [paid.kind for paid in sandbox.world.submissions] == ["training", "generation"]


def test_a_patch_is_a_job_like_any(sandbox: Sandbox, client: Any, own: Any) -> None:
    """Two images become one, which is over at once, polled, listed and downloaded like a generation."""
    asset = client.upload_image(photo("red", size=(40, 30)))
    job = client.run(own.patch(asset, patch=Image.of(photo("blue", size=(8, 8))), position=(4, 4), format="jpeg"))
    assert isinstance(job, Job)
    assert (job.kind, job.status, job.cost and job.cost.amount) == ("generation", Status.SUCCEEDED, 0)
    [picture] = client.download(job)
    assert (picture.media_type, picture.width, picture.height) == ("image/jpeg", 40, 30)
    [again] = client.download(client.poll(job.reference))
    assert again.sha256 == picture.sha256
    assert [listed.id for listed in client.list_jobs("generation")] == [job.id]
    cropped = client.run(own.patch(job.images[0], patch=asset.id, mode="erase", overflow=True, background="#00ff00"))
    assert client.download(cropped)[0].media_type == "image/png"
    with pytest.raises(InvalidRequest, match="color"):
        client.run(own.patch(asset, background="no colour at all"))
    with pytest.raises(DatasetError, match="only a URL"):
        client.run(own.patch(Image.of("https://img.example.com/a.png")))
