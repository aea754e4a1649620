"""Echo keeps what every provider must keep, and gives back what it was given."""

from __future__ import annotations

import base64
import sys

import pytest
from unified_train import AnyProvider, Client, Dataset, GenerationRequest, Image, NotFound, TrainingRequest
from unified_train.testing import ProviderContract

from unified_train_echo import Echo, EchoSettings

DOTS = [
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNoAAAAggCB2kUIOwAAAABJRU5ErkJggg==",
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mP4DwABAQEAHLCMmQAAAABJRU5ErkJggg==",
]
"""Two PNGs of one pixel."""


@pytest.fixture
def dataset() -> Dataset:
    return Dataset.of([base64.b64decode(dot) for dot in DOTS], trigger="ohwx", class_word="cat")


class TestEcho(ProviderContract):
    @pytest.fixture
    def provider(self) -> AnyProvider:
        return Echo(EchoSettings())

    @pytest.fixture
    def dataset(self, dataset: Dataset) -> Dataset:
        return dataset


def test_the_pictures_are_the_images(dataset: Dataset) -> None:
    """Each picture is a training image, the seed says which is the first, and any client of the process finds them."""
    with Client("echo") as client:
        training = client.wait(client.train(TrainingRequest(name="dots", dataset=dataset)))
        generation = client.generate(training, GenerationRequest(prompt="{subject}", n=3, seed=1))
    with Client("echo") as another:
        pictures = another.download(another.wait(generation.reference))
    given = [image for image in dataset.images if isinstance(image, Image)]
    assert [picture.sha256 for picture in pictures] == [given[place].sha256 for place in (1, 0, 1)]


def test_jobs_of_another_process_are_not_found() -> None:
    """A reference to images that this process never had is told as such."""
    with Client("echo") as client, pytest.raises(NotFound, match="went with the process"):
        client.wait("echo:training:0123456789abcdef")


def test_no_other_provider_is_loaded() -> None:
    """Using Echo loads no other vendor's code."""
    loaded = {name.partition(".")[0] for name in sys.modules if name.startswith("unified_train_")}
    assert loaded == {"unified_train_echo"}
