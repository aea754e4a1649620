"""The main job at every vendor in both colours, over real HTTP against the sandbox, as a user would do it."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import QUICK, VENDORS
from helpers import png

from unified_train import (
    ApiError,
    AuthenticationError,
    Client,
    ConfigurationError,
    Dataset,
    DatasetError,
    GenerationRequest,
    Image,
    InvalidOptions,
    Job,
    MissingCredentials,
    ProviderNotFound,
    Status,
    SubmissionUncertain,
    TrainingRequest,
    TransportError,
    UnifiedTrainWarning,
    UnsupportedCapability,
)
from unified_train.sandbox import Sandbox

Connect = Callable[..., Any]
every_vendor = pytest.mark.parametrize("vendor", VENDORS)

SUBMITS = {
    "scenario": ("PUT", "/v1/models/*/train"),
    "alibaba": ("POST", "*/addModelTrainJob"),
    "novita": ("POST", "/v3/training/*"),
}
POLLS = {
    "scenario": ("/v1/models/*", "model.status"),
    "alibaba": ("*/queryModelTrain*", "data.0.jobStatus"),
    "novita": ("/v3/training/*", "task_status"),
}
GENERATES = {"scenario": "/v1/generate/*", "alibaba": "*/addInferenceJob", "novita": "/v3/async/txt2img"}


@pytest.fixture(params=["sync", "async", pytest.param("aiohttp", marks=pytest.mark.long)])
def colour(request: pytest.FixtureRequest) -> str:
    """The async colour over either library."""
    return str(request.param)


def cat(photos: Dataset, **values: Any) -> TrainingRequest:
    return TrainingRequest(name="chelsea", dataset=photos, **values)


def small(prompt: str, **values: Any) -> GenerationRequest:
    """Pictures that are quickly made, where the vendor lets their size be chosen."""
    return GenerationRequest(prompt=prompt, width=256, height=256, **values)


@pytest.fixture
def few(photos: Dataset) -> Dataset:
    """Three photographs, for tests that are about something else."""
    return photos.model_copy(update={"images": photos.images[:3]})


@every_vendor
class TestMainJob:
    """From photographs to pictures."""

    def test_ten_photographs_become_pictures(
        self, vendor: str, connect: Connect, sandbox: Sandbox, photos: Dataset, tmp_path: Path
    ) -> None:
        """Upload, train, wait, generate and download work through one interface, and pay exactly twice."""
        client = connect(vendor)
        training = client.train(cat(photos, labels={"order": "42"}))
        assert not training.finished
        done = client.wait(training, timeout=30)
        assert (done.status, done.progress, done.labels) == (Status.SUCCEEDED, 1.0, {"order": "42"})
        assert done.model is not None
        assert (done.model.provider, done.model.trigger, done.model.class_word) == (vendor, "ohwx", "cat")
        generation = client.wait(client.generate(done, "a portrait of {subject} in the snow"), timeout=30)
        pictures = client.download(generation, tmp_path)
        assert [picture.media_type for picture in pictures] == ["image/png"]
        assert (pictures[0].width or 0) >= 256
        assert [(paid.vendor, paid.kind) for paid in sandbox.world.submissions] == [
            (vendor, "training"),
            (vendor, "generation"),
        ]

    @pytest.mark.long
    def test_a_job_survives_the_process_and_changes_colour(self, vendor: str, sandbox: Sandbox, few: Dataset) -> None:
        """A job dumped as JSON is waited for in a new interpreter, in the other colour."""
        with Client(vendor, **QUICK) as client:  # type: ignore[arg-type]
            training = client.train(cat(few))
        code = (
            "import asyncio, sys; from unified_train import AsyncClient, Job\n"
            "async def main():\n"
            f"    async with AsyncClient({vendor!r}) as client:\n"
            "        job = await client.wait(Job.model_validate_json(sys.stdin.read()), timeout=20)\n"
            "        print(job.model_dump_json())\n"
            "asyncio.run(main())"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], input=training.model_dump_json(), capture_output=True, text=True, check=True
        )
        job = Job.model_validate_json(done.stdout)
        assert (job.reference, job.status) == (training.reference, Status.SUCCEEDED)
        assert job.model is not None
        assert job.model.trigger == "ohwx"

    def test_a_reference_is_enough_to_wait(self, vendor: str, connect: Connect, sandbox: Sandbox, few: Dataset) -> None:
        """The reference string finds the job in another client."""
        reference = connect(vendor).train(cat(few)).reference
        assert reference.startswith(f"{vendor}:training:")
        done = connect(vendor).wait(reference, timeout=30)
        assert done.status is Status.SUCCEEDED
        assert done.model is not None

    def test_the_same_seed_gives_the_same_picture_and_another_another(
        self, vendor: str, connect: Connect, sandbox: Sandbox, few: Dataset
    ) -> None:
        """A seed is passed on, and repeats."""
        client = connect(vendor)
        model = client.wait(client.train(cat(few)), timeout=30).model

        def made(seed: int) -> str:
            job = client.generate(model, small("{subject} at night", seed=seed), on_unsupported="drop")
            return str(client.download(client.wait(job, timeout=30))[0].sha256)

        assert made(5) == made(5) != made(6)

    @pytest.mark.long
    def test_many_pictures_come_back_as_one_result(
        self, vendor: str, connect: Connect, sandbox: Sandbox, few: Dataset
    ) -> None:
        """More pictures than a call makes are several paid calls and one job, each picture another."""
        client = connect(vendor)
        model = client.wait(client.train(cat(few)), timeout=30).model
        most = client.capabilities().generation.max_per_call
        job = client.wait(
            client.generate(model, small("{subject}", n=most + 1, seed=1), on_unsupported="drop"), timeout=30
        )
        pictures = client.download(job)
        assert len({picture.sha256 for picture in pictures}) == most + 1
        assert sum(paid.kind == "generation" for paid in sandbox.world.submissions) == 2

    def test_trainings_are_listed(self, vendor: str, connect: Connect, sandbox: Sandbox, few: Dataset) -> None:
        """The vendor's own list shows the training under the same reference."""
        client = connect(vendor)
        training = client.train(cat(few))
        assert training.reference in {job.reference for job in client.list_jobs("training")}

    def test_the_history_tells_the_vendors_words(
        self, vendor: str, connect: Connect, sandbox: Sandbox, few: Dataset
    ) -> None:
        """A job keeps each state it was seen in, with an aware time and the vendor's word once it said one."""
        job = connect(vendor).wait(connect(vendor).train(cat(few)), timeout=30)
        assert job.history[-1].status is Status.SUCCEEDED
        assert all(change.at.tzinfo for change in job.history)
        assert all(change.raw_status for change in job.history[1:])

    def test_start_training_takes_what_upload_image_gives(
        self, vendor: str, connect: Connect, sandbox: Sandbox
    ) -> None:
        """The verbs can be used one by one."""
        client = connect(vendor)
        images = [client.upload_image(png(64 + side, 64), caption="ohwx cat") for side in range(2)]
        job = client.start_training(cat(Dataset.of(images, trigger="ohwx", class_word="cat")))
        assert client.wait(job, timeout=30).model is not None


@every_vendor
class TestTrouble:
    """What goes wrong, goes wrong the same way everywhere."""

    def test_no_key(self, vendor: str, connect: Connect, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        """A missing key is named by its variable before anything is sent."""
        for name in sandbox.env:
            if "KEY" in name or "SECRET" in name:
                monkeypatch.delenv(name)
        with pytest.raises(MissingCredentials, match=r"set the environment variables? [A-Z_]*KEY"):
            connect(vendor)

    def test_wrong_key(self, vendor: str, connect: Connect, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        """A wrong key is an authentication error that does not show it."""
        for name in sandbox.env:
            if "KEY" in name or "SECRET" in name:
                monkeypatch.setenv(name, "wr0ng-s3cr3t")
        with pytest.raises(AuthenticationError) as error:
            connect(vendor).list_jobs("training")
        assert error.value.provider == vendor
        assert "wr0ng" not in f"{error.value}{error.value!r}{error.value.__dict__}"

    def test_dead_server(
        self, vendor: str, connect: Connect, sandbox: Sandbox, few: Dataset, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A server that is not there is a transport error that says that nothing was sent."""
        for name, value in sandbox.env.items():
            monkeypatch.setenv(name, value.replace(sandbox.base_url, "http://127.0.0.1:9"))
        with pytest.raises(TransportError, match=r"no answer from http://127\.0\.0\.1:9") as error:
            connect(vendor).train(cat(few))
        assert error.value.sent is False

    @pytest.mark.parametrize("kind", ["drop_after", "status_after"])
    def test_a_lost_answer_to_the_paid_request_is_uncertain_and_paid_once(
        self, vendor: str, connect: Connect, sandbox: Sandbox, few: Dataset, kind: Any
    ) -> None:
        """A training that was accepted, but whose answer got lost, is not submitted again."""
        method, path = SUBMITS[vendor]
        status = {"status": 502, "body": "<html>bad gateway</html>"} if kind == "status_after" else {}
        fault(sandbox, method=method, path=path, kind=kind, times=None, **status)
        with pytest.raises(SubmissionUncertain, match="was not repeated"):
            connect(vendor).train(cat(few))
        assert len(sandbox.world.submissions) == 1

    def test_a_refusal_for_now_is_tried_again(
        self, vendor: str, connect: Connect, sandbox: Sandbox, few: Dataset
    ) -> None:
        """A 503 before acceptance is repeated, and paid once."""
        method, path = SUBMITS[vendor]
        fault(sandbox, method=method, path=path, kind="status", status=503)
        connect(vendor).train(cat(few))
        assert len(sandbox.world.submissions) == 1

    def test_polls_survive_bad_weather(self, vendor: str, connect: Connect, sandbox: Sandbox, few: Dataset) -> None:
        """Dropped connections, error pages and half answers while polling do not fail the job."""
        client = connect(vendor)
        job = client.train(cat(few))
        path, _ = POLLS[vendor]
        more: dict[str, dict[str, Any]] = {"body": {"body": "<html>"}, "status": {"status": 500}}
        for kind in ("drop_before", "truncate", "body", "status", "drop_after"):
            fault(sandbox, method="GET", path=path, kind=kind, **more.get(kind, {}))
        assert client.wait(job, timeout=30).status is Status.SUCCEEDED

    def test_an_unknown_word_is_kept_and_waited_through(
        self, vendor: str, connect: Connect, sandbox: Sandbox, few: Dataset
    ) -> None:
        """A status word that nobody knows is visible and does not end the wait."""
        client = connect(vendor)
        sandbox.world.clock.set_speed(600)
        job = client.train(cat(few))
        path, field = POLLS[vendor]
        fault(sandbox, method="GET", path=path, kind="json", set={field: "WAT"})
        seen = client.poll(job)
        assert seen.status in (Status.UNKNOWN, Status.QUEUED, Status.RUNNING)
        assert "WAT" in (seen.raw_status or "")
        sandbox.world.clock.set_speed(12_000)
        assert client.wait(seen, timeout=30).status is Status.SUCCEEDED

    def test_cancel(self, vendor: str, connect: Connect, sandbox: Sandbox, few: Dataset) -> None:
        """A running training is canceled where the vendor can, and elsewhere that is said before anything is sent."""
        client = connect(vendor)
        sandbox.world.clock.set_speed(1)
        job = client.train(cat(few))
        if client.capabilities().training.cancel:
            client.cancel(job)
            sandbox.world.clock.set_speed(600)
            (seen,) = client.wait([job], timeout=30)
            assert seen.status is Status.CANCELED
        else:
            with pytest.raises(UnsupportedCapability, match="can't cancel a training"):
                client.cancel(job)

    def test_a_prompt_without_the_subject(self, vendor: str, connect: Connect, sandbox: Sandbox, few: Dataset) -> None:
        """A prompt without `{subject}` is sent as written, with a warning where the vendor would ignore the model."""
        client = connect(vendor)
        model = client.wait(client.train(cat(few)), timeout=30).model
        if client.capabilities().generation.needs_subject:
            with pytest.warns(UnifiedTrainWarning, match="would ignore the model"):
                job = client.generate(model, "a red house")
        else:
            job = client.generate(model, "a red house")
        assert client.wait(job, timeout=30).images

    def test_another_vendors_model(self, vendor: str, connect: Connect, sandbox: Sandbox, few: Dataset) -> None:
        """A job of another vendor is refused with the client that would take it."""
        other = next(name for name in VENDORS if name != vendor)
        with pytest.raises(ConfigurationError, match=f"this client speaks to {vendor}, not to {other}"):
            connect(vendor).poll(f"{other}:training:7")

    @pytest.mark.parametrize(
        ("values", "error"),
        [({"prompt": " "}, InvalidOptions), ({"prompt": "x", "n": 0}, InvalidOptions)],
    )
    def test_a_generation_of_nothing(self, vendor: str, values: dict[str, Any], error: type[Exception]) -> None:
        """A prompt of nothing and no pictures at all are refused before there is a request."""
        with pytest.raises(error):
            GenerationRequest(**values)

    def test_an_unknown_option(self, vendor: str, connect: Connect, sandbox: Sandbox, few: Dataset) -> None:
        """A misspelt vendor option is refused before anything is sent."""
        with pytest.raises(InvalidOptions, match="unknown option 'lr_shceduler'"):
            connect(vendor).train(cat(few, extra={vendor: {"lr_shceduler": "cosine"}}))
        assert not arrived(sandbox)

    def test_bad_images(self, vendor: str, connect: Connect, sandbox: Sandbox, tmp_path: Path) -> None:
        """A text file named `.jpg` and an empty file are refused before anything is sent, by name."""
        (tmp_path / "fake.jpg").write_text("not a picture")
        (tmp_path / "empty.png").touch()
        client = connect(vendor)
        for name in ("fake.jpg", "empty.png"):
            with pytest.raises(DatasetError, match=name):
                client.upload_image(tmp_path / name)
        with pytest.raises(DatasetError, match=r"empty\.png"):
            Dataset.from_folder(tmp_path)
        assert not arrived(sandbox)

    def test_too_many_images(self, vendor: str, connect: Connect, sandbox: Sandbox) -> None:
        """One image more than the vendor takes is refused before the first is sent."""
        client = connect(vendor)
        maximum = client.capabilities().images.maximum
        if maximum is None:
            pytest.skip("this vendor names no maximum")
        with pytest.raises(DatasetError, match=f"{maximum + 1} images; .* takes at most {maximum}"):
            client.train(cat(Dataset.of([png()] * (maximum + 1), trigger="ohwx", class_word="cat")))
        assert not arrived(sandbox)

    def test_an_image_that_is_too_large(self, vendor: str, connect: Connect, sandbox: Sandbox) -> None:
        """An image over the vendor's size is refused before anything is sent."""
        client = connect(vendor)
        most = client.capabilities().images.max_bytes
        if most is None:
            pytest.skip("this vendor names no size")
        with pytest.raises(DatasetError, match="takes at most"):
            client.upload_image(png(padding=most))
        assert not arrived(sandbox)

    def test_an_expired_presigned_url_is_asked_for_again(
        self, vendor: str, connect: Connect, sandbox: Sandbox, few: Dataset
    ) -> None:
        """Where a vendor hands out presigned URLs, one that is refused as expired is replaced by a fresh one, once."""
        client = connect(vendor)
        expired = {"status": 403, "body": "<Error><Code>AccessDenied</Code></Error>", "kind": "status"}
        fault(sandbox, method="PUT", path="/_objects/*", **expired)
        job = client.wait(client.generate(client.wait(client.train(cat(few)), timeout=30), "{subject}"), timeout=30)
        fault(sandbox, method="GET", path="/_objects/*", **expired)
        assert client.download(job)[0].media_type == "image/png"

    def test_a_job_that_the_vendor_does_not_know(self, vendor: str, connect: Connect, sandbox: Sandbox) -> None:
        """An unknown id is told with vendor and operation."""
        unknown = {"scenario": "model_x/job_x", "alibaba": "999", "novita": "style/none"}[vendor]
        with pytest.raises(ApiError) as error:
            connect(vendor).wait(f"{vendor}:training:{unknown}", timeout=5)
        assert (error.value.provider, error.value.operation.split(".")[0]) in {(vendor, "training"), (vendor, "model")}


def fault(sandbox: Sandbox, **what: Any) -> None:
    """Script one fault by the sandbox's control route."""
    request = urllib.request.Request(f"{sandbox.base_url}/_sandbox/faults", data=json.dumps(what).encode())
    urllib.request.urlopen(request).close()


def arrived(sandbox: Sandbox) -> list[Any]:
    """The requests that the sandbox has seen."""
    with urllib.request.urlopen(f"{sandbox.base_url}/_sandbox/requests") as answer:
        seen: list[Any] = json.load(answer)
    return seen


class TestAcrossVendors:
    """Several vendors in one client."""

    def test_jobs_of_three_vendors_are_waited_for_together(
        self, connect: Connect, sandbox: Sandbox, few: Dataset
    ) -> None:
        """One wait ends when all vendors are done; another when the first is."""
        client = connect(*VENDORS)
        trainings = [client.train(cat(few), provider=vendor) for vendor in VENDORS]
        first = client.wait(trainings, until="first", timeout=30)
        assert any(job.finished for job in first)
        done = client.wait(first, timeout=30)
        assert [(job.provider, job.status) for job in done] == [(vendor, Status.SUCCEEDED) for vendor in VENDORS]

    def test_changes_of_all_are_yielded_as_they_come(self, connect: Connect, sandbox: Sandbox, few: Dataset) -> None:
        """The iterator form gives each changed job, last of all a finished one of each vendor."""
        client = connect("novita", "alibaba")
        jobs = [client.train(cat(few), provider=vendor) for vendor in ("novita", "alibaba")]
        last = {job.provider: job for job in client.watch(jobs, timeout=30)}
        assert {vendor: job.status for vendor, job in last.items()} == dict.fromkeys(
            ("novita", "alibaba"), Status.SUCCEEDED
        )

    def test_an_unknown_provider(self, connect: Connect) -> None:
        """A wrong name is answered with those installed."""
        with pytest.raises(ProviderNotFound, match="there are: alibaba, novita, scenario"):
            connect("novitta")

    def test_other_looks(self, sandbox: Sandbox, photos: Dataset) -> None:
        """Each vendor's sandbox pictures look otherwise, so that a comparison has something to show."""
        digests = set()
        for vendor in VENDORS:
            with Client(vendor, **QUICK) as client:  # type: ignore[arg-type]
                done = client.wait(client.train(cat(photos)), timeout=30)
                job = client.wait(client.generate(done, small("{subject}", seed=3), on_unsupported="drop"), timeout=30)
                digests.add(client.download(job)[0].sha256)
        assert len(digests) == 3


@every_vendor
def test_images_from_anywhere(vendor: str, connect: Connect, sandbox: Sandbox, photos: Dataset, tmp_path: Path) -> None:
    """Path, bytes, file object, URL and Pillow image all arrive at the vendor."""
    import io

    import PIL.Image

    client = connect(vendor)
    path = tmp_path / "photo.png"
    path.write_bytes(png(96, 64))
    sandbox.world.objects.put("host", "photo.png", png(97, 64), "image/png")
    request = urllib.request.Request(f"{sandbox.base_url}/_host/photo.png", data=png(97, 64), method="PUT")
    urllib.request.urlopen(request).close()
    sources: list[Any] = [
        path,
        str(path),
        png(98, 64),
        io.BytesIO(png(99, 64)),
        f"{sandbox.base_url}/_host/photo.png",
        PIL.Image.new("RGB", (100, 64), "teal"),
        Image.of(png(101, 64), name="mine.png"),
    ]
    uploaded = [client.upload_image(source, caption="ohwx cat") for source in sources]
    assert {image.provider for image in uploaded} == {vendor}
    job = client.start_training(cat(Dataset.of(uploaded, trigger="ohwx", class_word="cat")))
    assert client.wait(job, timeout=30).status is Status.SUCCEEDED
