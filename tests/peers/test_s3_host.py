"""The image host for buckets against moto, an S3 server of others, listening on this machine."""

from __future__ import annotations

import logging
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from helpers import png

from unified_train import Dataset, GenerationRequest, Image, JobFailed, NotFound, Status, TrainingRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from unified_train.sandbox import Sandbox

moto: Any = pytest.importorskip("moto.server", reason="moto is not installed; it comes with the extra 'peers'")

_KEYS = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "hush-hush", "AWS_SESSION_TOKEN": "tok-tok"}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The URL of a server with a bucket named photos."""
    running = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    name, port = running.get_host_and_port()
    url = f"http://{name}:{port}"
    assert _ask("PUT", f"{url}/photos")[0] == 200
    yield url
    running.stop()


def _ask(method: str, url: str) -> tuple[int, bytes, str | None]:
    """Status, body and Content-Type of an answer; without any credentials but those in the URL."""
    request = urllib.request.Request(url, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read(), answer.headers["Content-Type"]
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), None


@pytest.fixture
def client(
    server: str, sandbox: Sandbox, connect: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Any]:
    """Make a client whose local images go to a bucket of the server."""
    for name, value in _KEYS.items():
        monkeypatch.setenv(name, value)

    def made(bucket: str) -> Any:
        monkeypatch.setenv("UNIFIED_TRAIN_IMAGE_HOST", f"s3://{bucket}/cats?endpoint={quote(server, safe='')}")
        return connect("alibaba")

    return made


def test_put_get_delete(client: Callable[[str], Any]) -> None:
    """An image is stored, can be fetched by its URL alone with its type, is removed, and is gone then."""
    speaker = client("photos")
    uploaded = speaker.upload_image(Image.of(png(40, 30), name="a cat.png"))
    assert uploaded.hosted.startswith("cats/")
    assert _ask("GET", uploaded.id) == (200, png(40, 30), "image/png")
    speaker.delete_image(uploaded)
    assert _ask("GET", uploaded.id)[0] == 404
    speaker.delete_image(uploaded)


def test_a_bucket_that_is_not_there(client: Callable[[str], Any], sandbox: Sandbox) -> None:
    """A missing bucket is named before any training is started."""
    with pytest.raises(NotFound, match=r"/nowhere/ did not take .*check bucket and endpoint") as caught:
        client("nowhere").train(_training())
    assert caught.value.code == "NoSuchBucket"
    assert sandbox.world.submissions == []


def _training() -> TrainingRequest:
    photos = [png(40, 30), png(41, 30), png(42, 30)]
    return TrainingRequest(name="cats", dataset=Dataset.of(photos, class_word="cat"))


def test_a_whole_training(client: Callable[[str], Any], sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """The vendor fetches the images from the bucket; it echoes their URLs, but nothing of ours shows a signature."""
    speaker = client("photos")
    with caplog.at_level(logging.DEBUG):
        training = speaker.wait(speaker.train(_training()))
        generation = speaker.wait(speaker.generate(training, GenerationRequest(prompt="{subject} in the snow")))
        assert len(speaker.download(generation)) == 1
    assert training.status is Status.SUCCEEDED
    echoed = training.raw["imageUrl"]
    assert [url.partition("?")[0].rpartition(".")[2] for url in echoed] == ["png"] * 3
    [listed] = speaker.list_jobs("training")
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith(_LOGGERS))
    assert "/photos/cats/" in ours
    for text in (training.model_dump_json(), repr(training), listed.model_dump_json(), repr(listed), ours):
        assert "/photos/cats/" in text
        assert "X-Amz-Signature=***" in text
        assert not any(secret in text for secret in ("AKID", "hush-hush", "tok-tok"))


_LOGGERS = ("unified_train", "httpx", "httpcore")


def test_images_that_the_vendor_can_not_fetch(client: Callable[[str], Any], sandbox: Sandbox) -> None:
    """Images that are removed before the vendor fetched them end the training with the vendor's word for that."""
    speaker = client("photos")
    sandbox.world.clock.freeze()
    uploaded = [speaker.upload_image(png(40, 30)) for _ in range(3)]
    job = speaker.start_training(TrainingRequest(name="x", dataset=Dataset.of(uploaded, class_word="cat")))
    for image in uploaded:
        speaker.delete_image(image)
    sandbox.world.clock.unfreeze()
    with pytest.raises(JobFailed, match="WRONG_IMAGE_URL"):
        speaker.wait(job)
