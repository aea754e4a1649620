"""What the verbs do in both colours, against a vendor whose every answer is written here."""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from helpers import CAPABILITIES, PICTURES, Plain, plain, png

from unified_train import (
    AsyncClient,
    AuthenticationError,
    Client,
    ConfigurationError,
    Dataset,
    DatasetError,
    GenerationRequest,
    Image,
    InvalidOptions,
    Job,
    JobCanceled,
    JobChanged,
    JobFailed,
    MalformedResponse,
    PluginError,
    Polling,
    ProviderUnavailable,
    Range,
    RateLimited,
    Retry,
    Status,
    TrainedModel,
    TrainingRequest,
    TransportError,
    TransportTimeout,
    UnsupportedCapability,
    WaitTimeout,
)

MODEL = TrainedModel(provider="plain", id="m", trigger="ohwx", class_word="cat")
Connect = Callable[..., Any]


class Vendor:
    """Answers like the plain vendor's server; a test puts answers in front by operation."""

    def __init__(self) -> None:
        self.seen: list[httpx.Request] = []
        self.words: dict[str, list[Any]] = {}
        self.script: list[Any] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        if self.script:
            step = self.script.pop(0)
            if isinstance(step, Exception):
                raise step
            return step if isinstance(step, httpx.Response) else httpx.Response(step)
        path = request.url.path.removeprefix("/api")
        if request.method == "POST":
            return httpx.Response(200, json={"id": str(len(self.seen))})
        if path.startswith("/files/"):
            return httpx.Response(200, content=png())
        if "/photos/" in path:
            return httpx.Response(200, content=png())
        words = self.words.setdefault(path.rsplit("/", 1)[1], ["running", "succeeded"])
        word = words.pop(0) if len(words) > 1 else words[0]
        if isinstance(word, int):
            return httpx.Response(word)
        return httpx.Response(200, json={"status": word, "word": word.upper(), "progress": 0.5})

    @property
    def posted(self) -> list[Any]:
        return [json.loads(request.content) for request in self.seen if b"{" in request.content[:1]]


@pytest.fixture
def vendor() -> Vendor:
    return Vendor()


@pytest.fixture
def client(vendor: Vendor, connect: Connect, colour: str) -> Any:
    transport = httpx.MockTransport(vendor)
    http: Any = httpx.Client(transport=transport) if colour == "sync" else httpx.AsyncClient(transport=transport)
    return connect(plain(), http=http)


def photos(count: int = 2) -> Dataset:
    return Dataset.of([Image.of(png(), name=f"{number}.png") for number in range(count)], trigger="ohwx")


def test_the_twins_have_the_same_verbs_and_signatures() -> None:
    """Every public method of one client is there in the other, with the same parameters and defaults."""

    def surface(kind: type) -> dict[str, list[tuple[str, Any, Any]]]:
        methods = {name: value for name, value in vars(kind).items() if not name.startswith("_")}
        return {
            name: [(p.name, p.kind, p.default) for p in inspect.signature(method).parameters.values()]
            for name, method in methods.items()
        }

    assert surface(Client) == surface(AsyncClient)
    assert inspect.signature(Client).parameters.keys() == inspect.signature(AsyncClient).parameters.keys()


class TestMainPath:
    """Upload, train, wait, generate, download."""

    def test_train_wait_generate_download(self, client: Any, vendor: Vendor, tmp_path: Path) -> None:
        """The four verbs lead from photographs to pictures on disk."""
        training = client.train(TrainingRequest(name="t", dataset=photos(), labels={"order": "42"}))
        assert (training.status, training.labels, training.trigger) == (Status.QUEUED, {"order": "42"}, "ohwx")
        training = client.wait(training)
        assert training.model == TrainedModel(
            provider="plain", id="model-1", name="t", trigger="ohwx", base_model="base-1"
        )
        generation = client.wait(client.generate(training, "a photo of {subject}"))
        assert vendor.posted[-1]["prompt"] == "a photo of ohwx"
        saved = client.download(generation, tmp_path)
        assert [image.path.name for image in saved] == [f"plain-{generation.id}-00.png"]
        assert client.download(generation)[0].read() == png() == saved[0].read()

    def test_credentials_go_only_to_the_vendor(self, client: Any, vendor: Vendor) -> None:
        """The picture's host gets no Authorization header, the API does."""
        client.download(client.wait(client.generate(MODEL, "{subject}")))
        with_key = {request.url.path.split("/")[2] for request in vendor.seen if "authorization" in request.headers}
        assert with_key == {"generations"}

    def test_a_reference_is_enough(self, client: Any) -> None:
        """A job is found again by a string."""
        assert client.wait("plain:training:7").status is Status.SUCCEEDED
        assert client.poll("plain:training:8").status is Status.RUNNING

    def test_a_url_is_fetched_for_a_vendor_that_takes_bytes(self, client: Any, vendor: Vendor) -> None:
        """The bytes of a remote image are brought to the vendor, without its credentials on the way."""
        uploaded = client.upload_image("http://photos.test/photos/cat.png", caption="a cat")
        assert (uploaded.name, uploaded.caption) == ("cat.png", "a cat")
        assert "authorization" not in vendor.seen[0].headers
        assert vendor.seen[1].content == png()

    def test_start_training_takes_uploaded_images(self, client: Any, vendor: Vendor) -> None:
        """Uploading and starting can be two steps, and uploaded images are not sent again."""
        uploaded = client.upload_image(png())
        client.start_training(TrainingRequest(name="t", dataset=Dataset.of([uploaded])))
        client.train(TrainingRequest(name="t", dataset=Dataset.of([uploaded])))
        assert [request.url.path for request in vendor.seen] == ["/api/images", "/api/trainings", "/api/trainings"]


class TestSplitting:
    """More pictures than one call makes."""

    def test_n_is_split_with_derived_seeds_and_comes_back_as_one(self, client: Any, vendor: Vendor) -> None:
        """Ten pictures at four per call are three calls whose seeds go on where the last ended."""
        job = client.generate(MODEL, GenerationRequest(prompt="{subject}", n=10, seed=5))
        assert sorted((call["n"], call["seed"]) for call in vendor.posted) == [(2, 13), (4, 5), (4, 9)]
        assert len(job.parts) == 3
        done = client.wait(job)
        assert (done.status, len(done.images), len(client.download(done))) == (Status.SUCCEEDED, 3, 3)
        again = client.wait(job.reference)
        assert len(again.images) == 3

    def test_calls_that_were_accepted_are_not_lost_with_one_that_was_not(self, client: Any, vendor: Vendor) -> None:
        """A refused call of several is noted; the others are kept."""
        vendor.script = [400]
        job = client.generate(MODEL, GenerationRequest(prompt="{subject}", n=8))
        assert "1 of 2 calls were not accepted" in job.notes[-1]
        assert client.wait(job).status is Status.SUCCEEDED

    def test_if_no_call_is_accepted_the_error_is_raised(self, client: Any, vendor: Vendor) -> None:
        """A generation of which nothing was accepted is an error, not a job."""
        vendor.script = [401, 401]
        with pytest.raises(AuthenticationError):
            client.generate(MODEL, GenerationRequest(prompt="{subject}", n=8))


class TestWaiting:
    """Deadlines, failures, several jobs."""

    def test_a_failed_job_is_an_error_that_carries_the_job(self, client: Any, vendor: Vendor) -> None:
        """Waiting for one job raises if it failed."""
        vendor.words["7"] = ["failed"]
        with pytest.raises(JobFailed, match=r"plain:training:7 failed \(FAILED\): the vendor gives no reason") as error:
            client.wait("plain:training:7")
        assert error.value.job.status is Status.FAILED

    def test_a_canceled_job_is_an_error(self, client: Any, vendor: Vendor) -> None:
        """Waiting for one job raises if it was canceled."""
        vendor.words["7"] = ["canceled"]
        with pytest.raises(JobCanceled):
            client.wait("plain:training:7")

    def test_several_jobs_come_back_in_order_whatever_became_of_them(self, client: Any, vendor: Vendor) -> None:
        """Of several, each is returned as it ended."""
        vendor.words |= {"1": ["queued", "running", "failed"], "2": ["succeeded"], "3": ["queued", "canceled"]}
        seen = client.wait(["plain:training:1", "plain:training:2", "plain:training:3"])
        assert [job.status for job in seen] == [Status.FAILED, Status.SUCCEEDED, Status.CANCELED]

    def test_the_first_finished_ends_the_wait(self, client: Any, vendor: Vendor) -> None:
        """`until="first"` returns while others run."""
        vendor.words |= {"1": ["running"], "2": ["running", "running", "succeeded"]}
        seen = client.wait(["plain:training:1", "plain:training:2"], until="first")
        assert [job.finished for job in seen] == [False, True]

    def test_a_deadline_is_not_a_failure(self, client: Any, vendor: Vendor) -> None:
        """When the time is up the job is still there to wait for; nothing was canceled."""
        vendor.words["7"] = ["running"]
        with pytest.raises(WaitTimeout, match="wait again") as error:
            client.wait("plain:training:7", timeout=0.05)
        assert isinstance(error.value, TimeoutError)
        assert error.value.jobs[0].status is Status.RUNNING
        vendor.words["7"] = ["succeeded"]
        assert client.wait(error.value.job).status is Status.SUCCEEDED

    def test_no_time_is_time_for_one_look(self, client: Any, vendor: Vendor) -> None:
        """A deadline of nothing still looks once."""
        vendor.words |= {"1": ["succeeded"], "2": ["running"]}
        assert client.wait("plain:training:1", timeout=0).status is Status.SUCCEEDED
        with pytest.raises(WaitTimeout) as error:
            client.wait("plain:training:2", timeout=0)
        assert error.value.job.status is Status.RUNNING

    def test_each_change_is_told_once(self, client: Any, vendor: Vendor) -> None:
        """Progress callback and iterator hear of changes, not of polls."""
        words = ["queued", "queued", "running", "running", "succeeded"]
        vendor.words |= {"1": list(words), "2": list(words)}
        heard: list[Status] = []
        client.wait("plain:training:1", progress=lambda job: heard.append(job.status))
        assert heard == [Status.QUEUED, Status.RUNNING, Status.SUCCEEDED]
        assert [job.status for job in client.watch("plain:training:2")] == heard

    def test_an_unknown_word_does_not_end_a_wait(
        self, client: Any, vendor: Vendor, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A word that nobody knows is visible, warned of once, and waiting goes on."""
        vendor.words["7"] = ["unknown", "unknown", "succeeded"]
        with caplog.at_level(logging.WARNING, logger="unified_train"):
            assert client.wait("plain:training:7").status is Status.SUCCEEDED
        assert caplog.text.count("says 'UNKNOWN' of plain:training:7") == 1

    def test_a_failed_poll_does_not_fail_the_job(self, client: Any, vendor: Vendor) -> None:
        """A vendor that stumbles for a while is waited for."""
        vendor.words["7"] = [500, 500, 500, 500, "succeeded"]
        assert client.wait("plain:training:7").status is Status.SUCCEEDED

    def test_patience_ends(self, connect: Connect, vendor: Vendor, colour: str) -> None:
        """A vendor that never recovers is given up after the time that was set."""
        vendor.words["7"] = [500]
        transport = httpx.MockTransport(vendor)
        http: Any = httpx.Client(transport=transport) if colour == "sync" else httpx.AsyncClient(transport=transport)
        polling = Polling(first=0.01, longest=0.01, patience=0.03)
        with pytest.raises(ProviderUnavailable):
            connect(plain(), http=http, polling=polling, retry=Retry(attempts=1), pace=False).wait(
                "plain:training:7", timeout=5
            )

    def test_a_vendors_least_interval_is_kept_unless_told_otherwise(
        self, connect: Connect, vendor: Vendor, colour: str
    ) -> None:
        """However impatient the polling, a vendor's floor stands between two looks; `pace=False` takes it away."""
        vendor.words["7"] = ["running"]
        looks = []
        for pace in (True, False):
            transport = httpx.MockTransport(vendor)
            http: Any = (
                httpx.Client(transport=transport) if colour == "sync" else httpx.AsyncClient(transport=transport)
            )
            before = len(vendor.seen)
            with pytest.raises(WaitTimeout):
                connect(plain(), http=http, pace=pace).wait("plain:training:7", timeout=0.2)
            looks.append(len(vendor.seen) - before)
        assert looks[0] == 1
        assert looks[1] > 1

    def test_a_refusal_ends_the_wait(self, client: Any, vendor: Vendor) -> None:
        """A wrong key does not become right by waiting."""
        vendor.words["7"] = [401]
        with pytest.raises(AuthenticationError):
            client.wait("plain:training:7", timeout=5)

    def test_a_finished_job_is_not_asked_for(self, client: Any, vendor: Vendor) -> None:
        """What has ended needs no request."""
        job = Job(provider="plain", kind="training", id="7", status=Status.SUCCEEDED)
        assert client.poll(job) == client.wait(job) == job
        assert not vendor.seen

    def test_no_jobs(self, client: Any) -> None:
        """An empty list is a mistake."""
        with pytest.raises(InvalidOptions, match="no jobs"):
            client.wait([])


class TestRefusals:
    """What is not possible is told in one sentence, before anything is sent."""

    def test_a_job_of_another_vendor(self, client: Any, vendor: Vendor) -> None:
        """A client speaks to the vendors it was made for, and says how to make another."""
        with pytest.raises(
            ConfigurationError, match=r"speaks to plain, not to novita; make one with Client\('novita'\)"
        ):
            client.poll("novita:training:style/1")
        with pytest.raises(ConfigurationError):
            client.generate(TrainedModel(provider="novita", id="m"), "x")
        assert not vendor.seen

    def test_what_the_vendor_lacks(self, client: Any, vendor: Vendor) -> None:
        """Cancel and list say that the vendor has no such thing."""
        with pytest.raises(UnsupportedCapability, match="Plain can't cancel a training; it runs to its end"):
            client.cancel("plain:training:7")
        with pytest.raises(UnsupportedCapability, match="Plain can't list generations"):
            client.list_jobs("generation")
        assert not vendor.seen

    def test_a_model_that_is_not_there_yet(self, client: Any) -> None:
        """A training that still runs has no model."""
        with pytest.raises(InvalidOptions, match="is running, so it has no model"):
            client.generate(Job(provider="plain", kind="training", id="7", status=Status.RUNNING), "x")
        with pytest.raises(InvalidOptions, match="is no training"):
            client.generate(Job(provider="plain", kind="generation", id="7", status=Status.SUCCEEDED), "x")

    def test_pictures_that_are_not_there(self, client: Any, vendor: Vendor) -> None:
        """A training has no pictures, nor has a generation that runs or made none."""
        with pytest.raises(InvalidOptions, match="is a training"):
            client.download("plain:training:7")
        with pytest.raises(ConfigurationError, match="has not finished; wait for it first"):
            client.download("plain:generation:7")
        vendor.words["8"] = ["failed"]
        with pytest.raises(ConfigurationError, match="has no pictures"):
            client.download("plain:generation:8")

    def test_a_picture_that_is_none(self, client: Any, vendor: Vendor) -> None:
        """A vendor's error page is not saved as a picture."""
        job = client.wait(client.generate(MODEL, "{subject}"))
        vendor.script = [httpx.Response(200, text="<html>expired</html>")]
        with pytest.raises(MalformedResponse, match="picture 0 of plain:generation:1 is 20 bytes, but no image"):
            client.download(job)


class TestInputs:
    """Pictures to generate from."""

    @pytest.fixture
    def seeing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the plain vendor take pictures."""
        generation = CAPABILITIES.generation.model_copy(
            update={
                "image": PICTURES,
                "references": PICTURES,
                "options": {**CAPABILITIES.generation.options, "strength": Range(minimum=0.1, maximum=1)},
            }
        )
        monkeypatch.setattr(Plain, "capabilities", CAPABILITIES.model_copy(update={"generation": generation}))

    @pytest.mark.parametrize("values", [{"image": png()}, {"references": [png()]}])
    def test_a_vendor_that_takes_none(self, client: Any, vendor: Vendor, values: dict[str, Any]) -> None:
        """An input picture is never dropped: where the vendor takes none, that is an error."""
        with pytest.raises(UnsupportedCapability, match="to generate from; leave it out"):
            client.generate(MODEL, GenerationRequest(prompt="{subject}", **values), on_unsupported="drop")
        assert not vendor.seen

    @pytest.mark.usefixtures("seeing")
    def test_remote_pictures_are_fetched_first(self, client: Any, vendor: Vendor) -> None:
        """A vendor that takes bytes gets them, whatever the picture was given as."""
        url = "http://photos.test/photos/cat.png"
        given = GenerationRequest.model_validate(
            {"prompt": "{subject}", "image": url, "references": [url, png()], "strength": 0.5}
        )
        client.generate(MODEL, given)
        assert [request.url.host for request in vendor.seen] == ["photos.test", "photos.test", "plain.test"]

    @pytest.mark.usefixtures("seeing")
    @pytest.mark.parametrize(
        ("values", "sentence"),
        [
            ({"image": png(101, 100)}, "10,100 pixels; Plain takes at most 10,000 per image"),
            ({"image": b"GIF89a\x01\x00\x01\x00"}, "Plain takes no gif"),
            ({"references": [png()] * 3}, "references: 3 pictures; Plain takes at most 2"),
            ({"strength": 0.5}, "strength: says how far to leave `image`, but there is none"),
            ({"image": png(), "strength": 0.05}, "strength: 0.05 is outside"),
        ],
    )
    def test_rules(self, client: Any, vendor: Vendor, values: dict[str, Any], sentence: str) -> None:
        """Kind, size and number of input pictures are checked before anything is sent."""
        with pytest.raises((DatasetError, InvalidOptions)) as error:
            client.generate(MODEL, GenerationRequest(prompt="{subject}", **values))
        assert sentence in str(error.value)
        assert not vendor.seen

    def test_a_path_is_no_list(self) -> None:
        """References are a list."""
        with pytest.raises(DatasetError, match="references must be a list"):
            GenerationRequest.model_validate({"prompt": "x", "references": "cat.png"})


class TestOneVendorAlone:
    """What only one vendor offers."""

    def test_a_flow_of_a_provider_is_run(self, client: Any, vendor: Vendor) -> None:
        """Any flow of a provider runs through the client; one that starts a job gives a job."""
        vendor.script = [httpx.Response(200, json={"id": "7.5"})]
        assert client.run(client.provider("plain").balance()) == 7.5
        job = client.run(client.provider().patch())
        assert (job.kind, job.status) == ("generation", Status.QUEUED)
        assert client.wait(job).status is Status.SUCCEEDED

    def test_a_webhook_is_a_hint(self, client: Any, vendor: Vendor) -> None:
        """A webhook's job is unknown until it is polled, and nonsense is refused."""
        job = client.parse_webhook("plain", {"X-Event": "job"}, b"7")
        assert (job.reference, job.status, job.raw_status) == ("plain:generation:7", Status.UNKNOWN, "done")
        assert not vendor.seen
        assert client.wait(job).status is Status.SUCCEEDED
        with pytest.raises(MalformedResponse, match="this is no webhook of Plain: no event"):
            client.parse_webhook("plain", {}, b"7")

    def test_an_image_on_no_host_is_not_deleted(self, client: Any) -> None:
        """What a vendor holds stays there."""
        uploaded = client.upload_image(png())
        with pytest.raises(UnsupportedCapability, match="plain keeps what was uploaded"):
            client.delete_image(uploaded)


class TestTransport:
    """No answer."""

    @pytest.mark.parametrize(
        ("fault", "kind", "sent"),
        [
            (httpx.ConnectError("refused"), TransportError, False),
            (httpx.ConnectTimeout("slow"), TransportTimeout, False),
            (httpx.ReadTimeout(""), TransportTimeout, True),
            (httpx.ReadError("reset"), TransportError, True),
            (httpx.RemoteProtocolError("closed"), TransportError, True),
        ],
    )
    def test_faults_keep_what_matters(
        self, client: Any, vendor: Vendor, fault: Exception, kind: type[TransportError], sent: bool
    ) -> None:
        """The error says to whom, for what, and whether anything may have left."""
        vendor.script = [fault] * 3
        with pytest.raises(kind, match=r"no answer from http://plain\.test to training\.poll") as error:
            client.poll("plain:training:7")
        assert error.value.sent is sent
        assert error.value.__cause__ is None

    def test_an_error_of_the_http_client_itself_is_not_disguised(self, client: Any, vendor: Vendor) -> None:
        """What is no transport fault is raised as it is."""
        vendor.script = [ZeroDivisionError()]
        with pytest.raises(ZeroDivisionError):
            client.poll("plain:training:7")

    def test_one_failed_upload_ends_the_training_before_it_starts(self, client: Any, vendor: Vendor) -> None:
        """If an image can't be uploaded nothing is trained."""
        vendor.script = [400] * 5
        with pytest.raises(Exception, match=r"upload\.image"):
            client.train(TrainingRequest(name="t", dataset=photos(5)))
        assert "/api/trainings" not in {request.url.path for request in vendor.seen}

    def test_an_answer_without_end_is_cut_off(
        self, client: Any, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An answer larger than any picture is not read to its end."""
        monkeypatch.setattr("unified_train.transport.wire.LARGEST_ANSWER", 10)
        vendor.script = [httpx.Response(200, content=b"x" * 11)] * 3
        with pytest.raises(TransportError, match="larger than 10 bytes"):
            client.poll("plain:training:7")


def test_a_provider_that_yields_something_else_is_at_fault(
    connect: Connect, colour: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flow that is no generator, or yields no request, is told to its author."""
    client = connect(plain())
    monkeypatch.setattr(Plain, "poll", lambda *_: iter([1]))
    with pytest.raises((PluginError, TypeError, AttributeError)):
        client.poll("plain:training:7")


def test_the_observer_hears_of_jobs(vendor: Vendor) -> None:
    """Each start and each change of a job is an event."""
    heard: list[Any] = []
    http = httpx.Client(transport=httpx.MockTransport(vendor))
    polling = Polling(first=0.01)
    with Client(plain(), http=http, observer=heard.append, polling=polling, pace=False) as client:
        client.wait(client.train(TrainingRequest(name="t", dataset=photos())))
    changes = [event.job.status for event in heard if isinstance(event, JobChanged)]
    assert changes == [Status.QUEUED, Status.RUNNING, Status.SUCCEEDED]


def test_an_observer_that_fails_loses_no_job(vendor: Vendor, caplog: pytest.LogCaptureFixture) -> None:
    """What an observer raises is logged; the job that was paid for is returned."""

    def observer(event: object) -> None:
        raise ZeroDivisionError

    http = httpx.Client(transport=httpx.MockTransport(vendor))
    with Client(plain(), http=http, observer=observer) as client:
        job = client.train(TrainingRequest(name="t", dataset=photos()))
    assert job.status is Status.QUEUED
    assert "the observer failed on JobChanged" in caplog.text


def test_a_rate_limit_is_told_with_its_seconds(client: Any, vendor: Vendor) -> None:
    """A vendor that asks to wait for long gets no second request."""
    vendor.script = [httpx.Response(429, headers={"retry-after": "600"})]
    with pytest.raises(RateLimited) as error:
        client.poll("plain:training:7")
    assert error.value.retry_after == 600
    assert len(vendor.seen) == 1


def test_clients_need_a_provider_and_show_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client without a vendor says how to name one, and its repr names vendors only."""
    with pytest.raises(ConfigurationError, match=r"such as Client\('novita'\); installed are: alibaba"):
        Client()
    with Client(plain()) as client:
        assert repr(client) == "<Client plain>"
        assert client.providers == ("plain",)
        assert client.capabilities().generation.max_per_call == 4
        assert "SECRET" not in repr(client._workflows)
