"""What is recorded: for each vendor every operation, with what must come of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from helpers import png

from unified_train import (
    Dataset,
    GenerationRequest,
    Image,
    NotFound,
    Status,
    TrainingRequest,
)


@dataclass(frozen=True)
class Take:
    """One operation at one vendor; `play` does it with a client, and asserts what comes of it."""

    vendor: str
    name: str
    play: Callable[[Any, Dataset], None]

    def __str__(self) -> str:
        return f"{self.vendor}-{self.name}"


def one(photos: Dataset, number: int) -> Image:
    image = photos.images[number]
    assert isinstance(image, Image)
    return image


def few(photos: Dataset, count: int = 3) -> TrainingRequest:
    return TrainingRequest(
        name="chelsea", dataset=photos.model_copy(update={"images": photos.images[:count]}), labels={"order": "42"}
    )


def trained(client: Any, photos: Dataset) -> Any:
    return client.wait(client.train(few(photos, 1)), timeout=30)


def training_and_generation(client: Any, photos: Dataset) -> None:
    """The main path, with every state in between."""
    training = client.wait(client.train(few(photos)), timeout=30)
    assert training.status is Status.SUCCEEDED
    assert training.model.trigger == "ohwx"
    asked = GenerationRequest(prompt="a portrait of {subject} in the snow", n=1, seed=7, width=256, height=256)
    generation = client.wait(client.generate(training, asked, on_unsupported="drop"), timeout=30)
    assert [picture.media_type for picture in client.download(generation)] == ["image/png"]


def listing(client: Any, photos: Dataset) -> None:
    """A training shows up in the vendor's list."""
    training = client.train(few(photos, 1))
    assert training.reference in {job.reference for job in client.list_jobs("training")}


def uploads(client: Any, photos: Dataset) -> None:
    """Images of several kinds are uploaded one by one."""
    for image in [one(photos, 2)]:
        assert client.upload_image(image).sha256 == image.sha256
    assert client.upload_image(png(64, 64), caption="ohwx cat").caption == "ohwx cat"


def unknown_job(client: Any, photos: Dataset) -> None:
    """A job that the account does not have."""
    unknown = {"scenario": "model_x/job_x", "alibaba": "999", "novita": "style/none"}[client.providers[0]]
    with pytest.raises(NotFound):
        client.poll(f"{client.providers[0]}:training:{unknown}")


def cancellation(client: Any, photos: Dataset) -> None:
    """A training is canceled."""
    job = client.cancel(client.train(few(photos, 1)))
    (seen,) = client.wait([job], timeout=30)
    assert seen.status is Status.CANCELED


def image_to_image(client: Any, photos: Dataset) -> None:
    """A picture is made from a picture."""
    model = trained(client, photos)
    asked = GenerationRequest(
        prompt="{subject} in the snow", image=one(photos, 2), strength=0.6, seed=7, width=256, height=256
    )
    done = client.wait(client.generate(model, asked), timeout=30)
    assert len(done.images) == 1


def account(client: Any, photos: Dataset) -> None:
    """Balance, user and models of the account."""
    trained(client, photos)
    novita = client.provider()
    assert client.run(novita.balance()).available > 0
    client.run(novita.user())
    assert client.run(novita.models())


def reference(client: Any, photos: Dataset) -> None:
    """A picture is made with another one as its guide."""
    asked = GenerationRequest(
        prompt="{subject} in the snow", references=(one(photos, 2),), seed=7, width=256, height=256
    )
    done = client.wait(client.generate(trained(client, photos), asked), timeout=30)
    assert len(done.images) == 1


def patching(client: Any, photos: Dataset) -> None:
    """Two pictures become one."""
    job = client.run(client.provider().patch(one(photos, 0), patch=one(photos, 1), position=(10, 20)))
    assert client.download(client.wait(job, timeout=30))[0].media_type == "image/png"


def training_images(client: Any, photos: Dataset) -> None:
    """Images are attached, listed, replaced and taken away by hand."""
    scenario = client.provider()
    model = client.run(scenario.create_model("by-hand"))
    assets = [client.upload_image(image).id for image in photos.images[:2]]
    client.run(scenario.add_training_images(model.id, assets))
    third = client.upload_image(one(photos, 2)).id
    client.run(scenario.replace_training_image(model.id, assets[0], third))
    client.run(scenario.delete_training_image(model.id, assets[1]))
    made = client.run(scenario.add_training_image(model.id, one(photos, 3)))
    assert [image.id for image in client.run(scenario.training_images(model.id))] == [third, made.id]
    assert model.id in {listed.id for listed in client.run(scenario.list_models())}
    client.run(scenario.delete_model(model.id))


def pairs(client: Any, photos: Dataset) -> None:
    """A model learns what leads from one picture to another."""
    names = [one(photos, number).name for number in range(4)]
    asked = few(photos, 4).model_copy(
        update={
            "base_model": "qwen-image-edit-2511-lora",
            "extra": {
                "scenario": {
                    "pairs": [
                        {"source": names[0], "target": names[1], "instruction": "come closer"},
                        {"source": names[2], "target": names[3], "instruction": "closer still"},
                    ]
                }
            },
        }
    )
    assert client.wait(client.train(asked), timeout=30).model is not None


def large_upload(client: Any, photos: Dataset) -> None:
    """A large image goes in parts."""
    assert client.upload_image(png(64, 64, padding=9_000_000)).provider == "scenario"


def generation_cancellation(client: Any, photos: Dataset) -> None:
    """A generation is canceled, or was quicker."""
    job = client.generate(trained(client, photos), GenerationRequest(prompt="{subject}", seed=7))
    (seen,) = client.wait([client.cancel(job)], timeout=30)
    assert seen.finished


def generations(client: Any, photos: Dataset) -> None:
    """A generation shows up in the vendor's list."""
    job = client.generate(trained(client, photos), GenerationRequest(prompt="{subject}", seed=7))
    assert job.reference in {listed.reference for listed in client.list_jobs("generation")}


def person(client: Any, photos: Dataset) -> None:
    """A person is trained as a subject."""
    dataset = photos.model_copy(update={"images": photos.images[:1], "class_word": "woman"})
    training = client.wait(client.train(TrainingRequest(name="somebody", dataset=dataset)), timeout=30)
    assert training.id.startswith("subject/")


def estimates(client: Any, photos: Dataset) -> None:
    """Prices are asked for without starting anything."""
    scenario = client.provider()
    price = client.run(scenario.estimate_training(few(photos, 1)))
    assert price.unit == "CU"
    model = trained(client, photos).model
    asked = GenerationRequest(prompt="{subject}", n=2, width=256, height=256)
    assert client.run(scenario.estimate_generation(model, asked)).amount > 0


EVERYWHERE = [training_and_generation, listing, uploads, unknown_job]
ONLY: dict[str, list[Callable[[Any, Dataset], None]]] = {
    "scenario": [
        cancellation,
        generation_cancellation,
        generations,
        reference,
        patching,
        training_images,
        pairs,
        large_upload,
        estimates,
    ],
    "alibaba": [generations],
    "novita": [person, image_to_image, account],
}

TAKES = [
    Take(vendor, play.__name__.replace("_", "-"), play)
    for vendor, more in ONLY.items()
    for play in [*EVERYWHERE, *more]
]
