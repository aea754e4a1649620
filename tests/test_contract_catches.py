"""The contract for providers fails for those who break it: each defect by the test that is there for it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from helpers import CAPABILITIES, Plain, PlainOptions, PlainSettings, png

from unified_train import (
    ApiError,
    AuthenticationError,
    Dataset,
    Effect,
    ErrorTable,
    Flow,
    Found,
    GeneratedImage,
    GenerationRequest,
    Image,
    InvalidRequest,
    Job,
    Lost,
    NotFound,
    PermissionDenied,
    Range,
    Refusal,
    Request,
    Response,
    Settings,
    Snapshot,
    Status,
    StatusTable,
    TrainedModel,
    TrainingRequest,
    UploadedImage,
    Wire,
    Word,
)
from unified_train.jobs import advanced, begun
from unified_train.testing import Journey, ProviderContract
from unified_train.testing.rehearsal import Exhausted, Scene, answer, in_order, observed, played

NOW = datetime(2026, 1, 2, tzinfo=UTC)
CAN = CAPABILITIES.model_copy(
    update={
        "training": CAPABILITIES.training.model_copy(update={"options": {"steps": Range(minimum=10, maximum=100)}}),
        "generation": CAPABILITIES.generation.model_copy(update={"options": {"seed": Range(minimum=0, maximum=99)}}),
    }
)


class Accepted(Wire):
    id: str


class State(Wire):
    state: str


class Sound(Plain):
    """A provider as it should be."""

    capabilities = CAN
    status_tables = (
        StatusTable("state", {"done": Word(Status.SUCCEEDED, "page 1"), "wait": Word(Status.QUEUED, "page 1")}),
    )
    error_tables = (ErrorTable("reason", {"NO_JOB": Refusal(NotFound, "page 2")}),)

    def upload(self, image: Image) -> Flow[UploadedImage]:
        url = f"{self.base_url}/images"
        answer = yield Request("POST", url, "upload.image", body=image.body(), effect=Effect.REPEATABLE)
        return UploadedImage(provider=self.slug, id=Accepted.parse(answer).id, name=image.name)

    def start(self, request: TrainingRequest, options: PlainOptions) -> Flow[Snapshot]:
        body = {"name": request.name, "steps": request.steps}
        answer = yield self.post("/trainings", "training.start", body, effect=Effect.PAY)
        return Snapshot(id=Accepted.parse(answer).id, status=Status.QUEUED)

    def generate(self, model: TrainedModel, request: GenerationRequest, options: PlainOptions) -> Flow[Snapshot]:
        body = {"model": model.id, "prompt": request.prompt, "seed": request.seed}
        answer = yield self.post("/generations", "generation.start", body, effect=Effect.PAY)
        return Snapshot(id=Accepted.parse(answer).id, status=Status.QUEUED)

    def poll(self, job: Job) -> Flow[Snapshot]:
        word = State.parse((yield self.get(f"/{job.kind}s/{job.id}", f"{job.kind}.poll"))).state
        status = self.status_tables[0].read(word)
        model = job.trained("m1") if status is Status.SUCCEEDED and job.kind == "training" else None
        images = (GeneratedImage(id="0"),) if status is Status.SUCCEEDED and job.kind == "generation" else ()
        return Snapshot(id=job.id, status=status, raw_status=word, model=model, images=images)


class PaysTwice(Sound):
    def start(self, request: TrainingRequest, options: PlainOptions) -> Flow[Snapshot]:
        yield self.post("/orders", "training.create", {}, effect=Effect.PAY)
        return (yield from super().start(request, options))


class PaysToLook(Sound):
    def poll(self, job: Job) -> Flow[Snapshot]:
        word = State.parse((yield self.post("/look", f"{job.kind}.poll", {}, effect=Effect.PAY))).state
        return Snapshot(id=job.id, status=self.status_tables[0].read(word))


class SignsElsewhere(Sound):
    def fetch(self, job: Job, image: GeneratedImage) -> Flow[bytes]:
        return (yield Request("GET", "http://elsewhere.test/0.png", "generation.fetch")).content


class LeaksKey(Sound):
    def fetch(self, job: Job, image: GeneratedImage) -> Flow[bytes]:
        url = f"http://elsewhere.test/0.png?key={self.settings.api_key.get_secret_value()}"
        return (yield Request("GET", url, "generation.fetch", signed=False)).content


class SendsUndeclared(Sound):
    def start(self, request: TrainingRequest, options: PlainOptions) -> Flow[Snapshot]:
        body = {"steps": request.steps, "rank": request.rank}
        answer = yield self.post("/trainings", "training.start", body, effect=Effect.PAY)
        return Snapshot(id=Accepted.parse(answer).id, status=Status.QUEUED)


class IgnoresDeclared(Sound):
    def start(self, request: TrainingRequest, options: PlainOptions) -> Flow[Snapshot]:
        answer = yield self.post("/trainings", "training.start", {"name": request.name}, effect=Effect.PAY)
        return Snapshot(id=Accepted.parse(answer).id, status=Status.QUEUED)


class HasCommas(Sound):
    def start(self, request: TrainingRequest, options: PlainOptions) -> Flow[Snapshot]:
        return (yield from super().start(request, options)).model_copy(update={"id": "t1,j1"})


class Stumbles(Sound):
    def poll(self, job: Job) -> Flow[Snapshot]:
        answer = yield self.get(f"/{job.kind}s/{job.id}", f"{job.kind}.poll")
        return Snapshot(id=job.id, status=self.status_tables[0].read(answer.json()["state"]))


class GivesUp(Sound):
    def poll(self, job: Job) -> Flow[Snapshot]:
        snapshot = yield from super().poll(job)
        return snapshot.model_copy(update={"status": Status.FAILED}) if snapshot.status is Status.UNKNOWN else snapshot


class NeedsHistory(Sound):
    def poll(self, job: Job) -> Flow[Snapshot]:
        snapshot = yield from super().poll(job)
        return snapshot if job.history else snapshot.model_copy(update={"status": Status.RUNNING})


class Forgets(Sound):
    def find(self, lost: Lost) -> Flow[list[Found] | None]:
        yield from ()
        return [Found("t2", None, {"id": "t2"})]


class Gambles(Sound):
    def start(self, request: TrainingRequest, options: PlainOptions) -> Flow[Snapshot]:
        answer = yield self.post(f"/trainings/{uuid4().hex}", "training.start", {}, effect=Effect.PAY)
        return Snapshot(id=Accepted.parse(answer).id, status=Status.QUEUED)


class RefusesAlike(Sound):
    def refusal(self, response: Response) -> ApiError | None:
        return None if response.ok else InvalidRequest("no")


class RefusesNothing(Sound):
    def refusal(self, response: Response) -> ApiError | None:
        return None


class Shouts(Sound):
    slug = "Plain"


class OfAnotherContract(Sound):
    contract = 0


class GivesNoReason(Sound):
    status_tables = (StatusTable("state", {"done": Word(Status.SUCCEEDED, " ")}),)


class NamesNoSource(Sound):
    error_tables = (ErrorTable("reason", {"NO_JOB": Refusal(NotFound, "")}),)


class InventsOptions(Sound):
    capabilities = CAN.model_copy(
        update={"training": CAN.training.model_copy(update={"options": {"mood": Range()}})},
    )


class OpenSettings(Settings):
    base_url: str = "http://plain.test/api"
    api_key: str = "k-SECRET-k"


class ForgetsEnv(PlainSettings):
    env = {"apikey": ("PLAIN_KEY",)}


def made(kind: type[Sound]) -> Journey:
    """The main job of a provider, played without a network."""
    provider = kind(PlainSettings.model_validate({"api_key": "k-SECRET-k"}))
    dataset = Dataset.of([png()], trigger="ohwx")
    scenes: list[Scene] = []
    twin = observed(provider, scenes)

    def hear(flow: Flow[Any], answer: object = None) -> Any:
        return played(provider, flow, in_order([answer] * 3))

    def follow(job: Job) -> Job:
        return advanced(job, hear(twin.poll(job), {"state": "done"}), NOW)

    hear(twin.upload(Image.of(png())), {"id": "i1"})
    request = TrainingRequest(name="plain", dataset=dataset)
    training = follow(begun("plain", "training", hear(twin.start(request, PlainOptions()), {"id": "t1"}), NOW))
    model = training.model or TrainedModel(provider="plain", id="m1")
    asked = hear(twin.generate(model, GenerationRequest(prompt="x"), PlainOptions()), {"id": "g1"})
    generation = follow(begun("plain", "generation", asked, NOW))
    hear(twin.fetch(generation, GeneratedImage(id="0")), png())
    found = follow(Job.from_reference(training.reference)), follow(Job.from_reference(generation.reference))
    return Journey(provider, dataset, scenes, training, generation, [Image.of(png())], found)


CATCHES: list[tuple[type[Sound], str, dict[str, Any]]] = [
    (PaysTwice, "test_each_start_pays_once", {}),
    (PaysToLook, "test_every_request_says_what_it_is_for", {}),
    (Gambles, "test_a_start_can_be_replayed", {}),
    (SignsElsewhere, "test_credentials_stay_at_home", {}),
    (LeaksKey, "test_credentials_stay_at_home", {}),
    (SendsUndeclared, "test_a_training_option_is_used_if_it_is_declared", {"name": "rank"}),
    (IgnoresDeclared, "test_a_training_option_is_used_if_it_is_declared", {"name": "steps"}),
    (HasCommas, "test_a_reference_is_enough", {}),
    (NeedsHistory, "test_a_reference_is_enough", {}),
    (Stumbles, "test_a_spoilt_answer_yields_a_snapshot_or_a_named_error", {}),
    (Stumbles, "test_any_answer_yields_a_snapshot_or_a_named_error", {}),
    (GivesUp, "test_an_unknown_word_never_finishes_a_job", {}),
]
DECLARED: list[tuple[type[Sound], str, dict[str, Any]]] = [
    (RefusesAlike, "test_a_refusal_without_a_body", {"status": 404, "classes": (NotFound,)}),
    (RefusesNothing, "test_any_answer_can_be_classified", {}),
    (Shouts, "test_it_says_who_it_is", {}),
    (OfAnotherContract, "test_it_says_who_it_is", {}),
    (GivesNoReason, "test_tables_are_complete", {}),
    (NamesNoSource, "test_tables_are_complete", {}),
    (InventsOptions, "test_capabilities_are_declared_and_frozen", {}),
]


def run(test: str, **arguments: Any) -> None:
    """Call one test of the contract, past pytest."""
    function: Callable[..., None] = getattr(ProviderContract(), test)
    function(**arguments)


@pytest.mark.parametrize(("kind", "test", "more"), CATCHES, ids=[kind.__name__ for kind, *_ in CATCHES])
def test_a_broken_promise_on_the_way_is_caught(kind: type[Sound], test: str, more: dict[str, Any]) -> None:
    """What a sound provider passes, one with a defect does not."""
    run(test, journey=made(Sound), **more)
    with pytest.raises(pytest.fail.Exception):
        run(test, journey=made(kind), **more)


@pytest.mark.parametrize(("kind", "test", "more"), DECLARED, ids=[kind.__name__ for kind, *_ in DECLARED])
def test_a_wrong_declaration_is_caught(kind: type[Sound], test: str, more: dict[str, Any]) -> None:
    """What a sound provider passes, one with a wrong declaration does not."""
    settings = PlainSettings.model_validate({"api_key": "k-SECRET-k"})
    run(test, provider=Sound(settings), **more)
    with pytest.raises(pytest.fail.Exception):
        run(test, provider=kind(settings), **more)


@pytest.mark.parametrize(
    ("settings", "test"),
    [
        (OpenSettings(), "test_settings_hide_secrets"),
        (
            ForgetsEnv.model_validate({"api_key": "k-SECRET-k"}),
            "test_settings_come_from_variables_that_exist",
        ),
    ],
)
def test_wrong_settings_are_caught(settings: Any, test: str) -> None:
    """A secret that is no SecretStr, and a variable for a field that is not there, are noticed."""
    run(test, provider=Sound(PlainSettings.model_validate({"api_key": "k-SECRET-k"})))
    with pytest.raises(pytest.fail.Exception):
        run(test, provider=Sound(settings))


def test_a_lost_start_that_is_not_found_is_caught() -> None:
    """A provider that finds another job than the one that was started does not pass."""

    def asked(kind: type[Sound]) -> None:
        provider = kind(PlainSettings.model_validate({"api_key": "k-SECRET-k"}))
        facts: dict[str, Any] = {"provider": provider, "image_host": None, "kind": "training"}
        run("test_a_lost_start_is_found_or_nobody_knows", journey_of=lambda _: made(kind), **facts)

    asked(Sound)
    with pytest.raises(pytest.fail.Exception, match="not found"):
        asked(Forgets)


def test_a_list_that_tells_something_else_than_a_poll_is_caught() -> None:
    """A provider whose list misses the job, tells of others, or uses other words than its polls does not pass."""

    class Follows(Sound):
        lists = frozenset({"training"})
        told: Callable[[Job], dict[str, Snapshot]] = staticmethod(lambda _: {})

        def poll_many(self, jobs: Sequence[Job]) -> Flow[dict[str, Snapshot]]:
            yield from ()
            return {} if jobs[0].id == "0" else type(self).told(jobs[0])

    class Well(Follows):
        told = staticmethod(lambda job: {job.id: Snapshot(id=job.id, status=job.status, raw_status=job.raw_status)})

    class OtherWords(Follows):
        told = staticmethod(lambda job: {job.id: Snapshot(id=job.id, status=job.status, raw_status="OK")})

    class Others(Follows):
        told = staticmethod(lambda job: Well.told(job) | {"x": Snapshot(id="x", status=Status.QUEUED)})

    def asked(kind: type[Sound]) -> None:
        provider = kind(PlainSettings.model_validate({"api_key": "k-SECRET-k"}))
        facts: dict[str, Any] = {"provider": provider, "image_host": None, "kind": "training"}
        run("test_many_jobs_are_followed_where_that_is_declared", journey_of=lambda _: made(kind), **facts)

    asked(Sound)
    asked(Well)
    for kind in (Follows, OtherWords, Others):
        with pytest.raises(pytest.fail.Exception):
            asked(kind)


def test_a_provider_that_is_not_installed_is_caught() -> None:
    """A provider must be found by its entry point, not only by its import."""
    provider = Sound(PlainSettings.model_validate({"api_key": "k-SECRET-k"}))
    with pytest.raises(Exception, match="no provider 'plain' is installed"):
        run("test_it_is_found_by_its_entry_point", provider=provider)


def test_a_webhook_that_is_believed_is_caught() -> None:
    """A provider that makes a job of any webhook does not pass."""

    class Believes(Sound):
        def read_webhook(self, headers: Any, body: bytes) -> Any:
            return "training", Snapshot(id="x", status=Status.SUCCEEDED)

    settings = PlainSettings.model_validate({"api_key": "k-SECRET-k"})
    run("test_a_webhook_of_nonsense", provider=Sound(settings))
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        run("test_a_webhook_of_nonsense", provider=Believes(settings))


def test_it_works_without_hypothesis(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where hypothesis is not installed, a fixed list of answers and words still finds what it is there for."""
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    for kind, test in (
        (Stumbles, "test_any_answer_yields_a_snapshot_or_a_named_error"),
        (GivesUp, "test_an_unknown_word_never_finishes_a_job"),
    ):
        run(test, journey=made(Sound))
        with pytest.raises(pytest.fail.Exception):
            run(test, journey=made(kind))


def test_only_the_kit_needs_pytest() -> None:
    """Nothing that users import loads pytest."""
    code = "import sys, unified_train.client, unified_train.cli; print('pytest' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_flow_without_end_is_stopped() -> None:
    """A flow that turns pages for ever is ended by the kit, not by patience."""

    class Endless(Sound):
        def poll(self, job: Job) -> Flow[Snapshot]:
            while True:
                yield self.get("/pages", "training.poll")

    provider = Endless(PlainSettings.model_validate({"api_key": "k-SECRET-k"}))
    asked: list[Request] = []
    with pytest.raises(Exhausted):
        played(provider, provider.poll(Job.from_reference("plain:training:1")), in_order([{}] * 1000), asked)
    assert len(asked) < 1000


def test_an_error_on_the_way_belongs_to_the_scene() -> None:
    """What a flow hears instead of an answer is noted too, and the flow goes on from it."""
    scenes: list[Scene] = []
    settings = PlainSettings.model_validate({"api_key": "k-SECRET-k"})

    class Asks(Sound):
        def poll(self, job: Job) -> Flow[Snapshot]:
            try:
                yield self.get("/first", "training.poll")
            except NotFound:
                return (yield from super().poll(job))
            raise AssertionError("unreachable")

    twin = observed(Asks(settings), scenes)
    flow = twin.poll(Job.from_reference("plain:training:1"))
    first = next(flow)
    second = flow.throw(NotFound("gone"))
    with pytest.raises(StopIteration):
        flow.send(answer(second, {"state": "wait"}))
    assert [exchange.request for exchange in scenes[0].exchanges] == [first, second]
    assert [exchange.json for exchange in scenes[0].exchanges] == [None, {"state": "wait"}]


def test_an_error_that_was_heard_is_heard_again() -> None:
    """Played again, a conversation has its refusals where they were, those of storage too."""
    provider = Sound(PlainSettings.model_validate({"api_key": "k-SECRET-k"}))
    heard: list[Exception] = []

    class Patient(Sound):
        def fetch(self, job: Job, image: GeneratedImage) -> Flow[bytes]:
            for signed in (True, True, False):
                try:
                    yield Request("GET", f"{self.base_url}/0.png", "generation.fetch", signed=signed)
                except ApiError as error:
                    heard.append(error)
            return b""

    flow = Patient(provider.settings).fetch(Job.from_reference("plain:generation:1"), GeneratedImage(id="0"))
    gone = NotFound("gone")
    refused = [Response(Request("GET", "http://x.test", "x"), status, {}, b"") for status in (401, 403)]
    assert played(provider, flow, in_order([gone, *refused])) == b""
    assert [type(error) for error in heard] == [NotFound, AuthenticationError, PermissionDenied]
