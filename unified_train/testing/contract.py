"""The contract as tests, see the package."""

from __future__ import annotations

import inspect
import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from pydantic import SecretStr, ValidationError

from unified_train import checks, plugins
from unified_train.errors import (
    ApiError,
    AuthenticationError,
    InvalidRequest,
    MalformedResponse,
    NotFound,
    OperationRetired,
    PermissionDenied,
    ProviderUnavailable,
    RateLimited,
    UnsupportedCapability,
)
from unified_train.finding import Lost
from unified_train.http import Effect, Moment, Request, Response, origin
from unified_train.jobs import SEPARATOR
from unified_train.models import Job, TrainingRequest
from unified_train.provider import CONTRACT, Capabilities
from unified_train.status import Status
from unified_train.testing.answers import distinct, reworded, survives, with_any_json, with_any_word
from unified_train.testing.journey import QUICK, Calling, Journey, check, travelled
from unified_train.testing.options import changes, check_option, told
from unified_train.testing.rehearsal import Scene, answer, in_order, observed, played, spoilt

if TYPE_CHECKING:
    from collections.abc import Callable

    from unified_train.dataset import Dataset
    from unified_train.hosting import ImageHost
    from unified_train.provider import AnyProvider

NAME = "contract"
"""Of every training that the contract makes."""
_MOMENT = Moment(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "0123456789abcdef0123456789abcdef")
_SECRET_NAME = re.compile(r"key|secret|token|password|jwt", re.IGNORECASE)
_OPERATION = re.compile(r"[a-z]+\.[a-z_.]+")
_REFUSALS: tuple[tuple[int, tuple[type[ApiError], ...]], ...] = (
    (400, (InvalidRequest,)),
    (401, (AuthenticationError, PermissionDenied)),
    (404, (NotFound, OperationRetired)),
    (429, (RateLimited,)),
    (500, (ProviderUnavailable,)),
    (503, (ProviderUnavailable, RateLimited)),
)


class ProviderContract:
    """Tests that every provider passes; subclass it, and give it the fixtures `provider` and `dataset`.

    Attributes:
        prompt: For a generation.
        kind: Of the training; `subject` if the vendor trains subjects.
        patience: Seconds that a job may take.
    """

    prompt: ClassVar[str] = "a portrait of {subject} in the snow"
    kind: ClassVar[str | None] = None
    patience: ClassVar[float] = 30.0

    # -- what a subclass may override ----------------------------------------------------------------------------------

    @pytest.fixture
    def fast_forward(self) -> Callable[[], None]:
        """Called before each wait, to make time pass where jobs run; unless overridden, jobs take what they take."""
        return lambda: None

    @pytest.fixture
    def image_host(self) -> ImageHost | str | None:
        """For a vendor that takes images by URL only; unless overridden, the one that the environment names."""
        return None

    # -- how it is done ------------------------------------------------------------------------------------------------

    @pytest.fixture(params=["sync", "async"])
    def either_colour(self, request: pytest.FixtureRequest) -> str:
        """Both colours, one after the other."""
        return str(request.param)

    @pytest.fixture
    def journey_of(
        self,
        provider: AnyProvider,
        dataset: Dataset,
        fast_forward: Callable[[], None],
        image_host: ImageHost | str | None,
    ) -> Callable[[str], Journey]:
        """Do the main job once, in one colour."""

        def made(colour: str) -> Journey:
            scenes: list[Scene] = []
            options = {**QUICK, "image_host": image_host}
            request = TrainingRequest(name=NAME, dataset=dataset, kind=self._kind(provider))
            with Calling(colour, observed(provider, scenes), options) as call:
                done = travelled(call, request, self.prompt, fast_forward, self.patience)
            return Journey(provider, dataset, scenes, *done)

        return made

    @pytest.fixture
    def journey(self, request: pytest.FixtureRequest) -> Journey:
        """The main job, blocking; done once for all tests that only look at what was said."""
        cls: Any = request.cls
        if "_journey" not in vars(cls):
            cls._journey = request.getfixturevalue("journey_of")("sync")
        journey: Journey = cls._journey
        return journey

    def _kind(self, provider: AnyProvider) -> Any:
        kinds = provider.capabilities.training.kinds
        return self.kind or ("subject" if "subject" in kinds else min(kinds))

    # -- what is declared ----------------------------------------------------------------------------------------------

    def test_it_says_who_it_is(self, provider: AnyProvider) -> None:
        """Slug, title and contract are declared on the class, and the slug can stand in a reference."""
        kind = type(provider)
        check(re.fullmatch(r"[a-z0-9_-]+", kind.slug), f"slug {kind.slug!r}: lower case letters, digits, _ and -")
        check(kind.title.strip(), "title is blank")
        check(kind.contract == CONTRACT, f"written for contract {kind.contract}, this release has {CONTRACT}")
        reference = Job(provider=kind.slug, kind="training", id="x/1").reference
        check(Job.from_reference(reference).provider == kind.slug, f"{reference!r} is read as of another provider")

    def test_it_is_found_by_its_entry_point(self, provider: AnyProvider) -> None:
        """The installed plugin registers this very class under its slug."""
        check(plugins.load(provider.slug) is type(provider), "the entry point leads to another class")

    def test_capabilities_are_declared_and_frozen(self, provider: AnyProvider) -> None:
        """Capabilities belong to the class, can't be changed, and name only options that exist."""
        can = type(provider).capabilities
        check(isinstance(can, Capabilities), "capabilities are a unified_train.Capabilities")
        with pytest.raises(ValidationError, match="frozen"):
            setattr(can, "cost", not can.cost)  # noqa: B010 - type checkers would not let us
        unknown = (can.training.options.keys() - set(checks.TRAINING_OPTIONS)) | (
            can.generation.options.keys() - set(checks.GENERATION_OPTIONS)
        )
        check(not unknown, f"there is no neutral option {', '.join(unknown)}; vendor-only ones belong into Options")
        check(can.training.kinds, "it trains nothing: kinds is empty")
        check("strength" not in can.generation.options or can.generation.image, "strength, but no image to leave")

    def test_settings_hide_secrets(self, provider: AnyProvider) -> None:
        """Whatever is called a key, secret or token is a SecretStr, and shows in no repr, text or dump."""
        fields = type(provider.settings).model_fields
        shown = f"{provider.settings!r} {provider.settings} {provider.settings.model_dump_json()} {provider!r}"
        for name in fields:
            value = getattr(provider.settings, name)
            plain = isinstance(value, str) and _SECRET_NAME.search(name)
            check(not plain, f"settings.{name} looks like a secret; make it a SecretStr")
        check(not any(secret in shown for secret in _secrets(provider)), "a secret shows in the settings")

    def test_settings_come_from_variables_that_exist(self, provider: AnyProvider) -> None:
        """`env` and `required` name fields of the settings."""
        kind = type(provider.settings)
        strange = (set(kind.env) | set(kind.required)) - kind.model_fields.keys()
        check(not strange, f"{', '.join(strange)}: no such field in {kind.__name__}")

    def test_tables_are_complete(self, provider: AnyProvider) -> None:
        """Each row of a table says why, in each table a word stands once, and each is read as it says."""
        for table in provider.status_tables:
            folded = [word.strip().casefold() for word, _ in table]
            check(len(folded) == len(set(folded)), f"{table.name}: a word stands twice")
            for word, entry in table:
                check(entry.why.strip(), f"{table.name}: {word!r} does not say why")
                check(table.read(word.swapcase()) is entry.status, f"{table.name}: {word!r} depends on its case")
        for errors in provider.error_tables:
            for word, row in errors:
                check(row.source.strip(), f"{errors.name}: {word!r} names no source")
                check(errors.read(word) is not None, f"{errors.name}: {word!r} is never found")

    # -- answers -------------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize(("status", "classes"), _REFUSALS, ids=[str(status) for status, _ in _REFUSALS])
    def test_a_refusal_without_a_body(
        self, provider: AnyProvider, status: int, classes: tuple[type[ApiError], ...]
    ) -> None:
        """An answer of nothing but a status is an error of a class that its status allows."""
        request = Request("GET", f"{provider.base_url}/jobs/1", "training.poll")
        error = provider.refusal(Response(request, status, {}, b""))
        names = " or ".join(kind.__name__ for kind in classes)
        check(isinstance(error, classes), f"{status} without a body is {error!r}, not {names}")
        if error is not None and status >= 429:  # noqa: PLR2004 - from here on the same request may succeed later
            check(error.retryable, f"{status} without a body passes, but is not said to")

    def test_any_answer_can_be_classified(self, provider: AnyProvider) -> None:
        """Whatever an answer holds, `refusal` says an error or None and never fails itself."""

        def attempt(value: object) -> None:
            for status in (200, 400, 403, 429, 500):
                request = Request("GET", f"{provider.base_url}/jobs/1", "training.poll")
                error = provider.refusal(answer(request, value, status))
                check(error is None or isinstance(error, ApiError), f"refusal() returned {error!r}")
                check(error is not None or status == 200, f"HTTP {status} is taken for an acceptance")  # noqa: PLR2004

        with_any_json(attempt)

    def test_any_answer_yields_a_snapshot_or_a_named_error(self, journey: Journey) -> None:
        """Whatever JSON starts and polls are answered with, there is a snapshot or an ApiError."""
        scenes = [scene for scene in journey.of("start", "generate", "poll") if scene.exchanges]

        def attempt(value: object) -> None:
            for scene in scenes[:2] + scenes[-2:]:
                survives(journey.provider, scene, [value] * len(scene.exchanges), f"every answer is {value!r}")

        with_any_json(attempt)

    def test_a_spoilt_answer_yields_a_snapshot_or_a_named_error(self, journey: Journey) -> None:
        """With any part of a real answer missing or replaced, there is a snapshot or an ApiError."""
        provider = journey.provider
        for scene in distinct(journey.of("start", "generate", "poll")):
            heard = [exchange.heard for exchange in scene.exchanges]
            for place, exchange in enumerate(scene.exchanges):
                operation = exchange.request.operation
                for changed in spoilt(exchange.json):
                    values = [*heard[:place], changed.value, *heard[place + 1 :]]
                    survives(provider, scene, values, f"of the answer to {operation} {changed.how}")

    def test_an_unknown_word_never_finishes_a_job(self, journey: Journey) -> None:
        """With words that no table knows in the place of those that it knows, a finished job is not finished."""
        provider = journey.provider
        finished = [scene for scene in journey.of("poll")[-2:] if scene.exchanges]
        check(not finished or provider.status_tables, "it polls, but declares no status tables")

        def attempt(word: str) -> None:
            if any(table.read(word) is not Status.UNKNOWN for table in provider.status_tables):
                return
            for scene in finished:
                values = [reworded(exchange.json, provider.status_tables, word) for exchange in scene.exchanges]
                seen = survives(provider, scene, values, f"every status word is {word!r}")
                check(seen is None or not seen.status.finished, f"{word!r} finishes a job: {seen!r}")

        with_any_word(attempt)

    def test_a_webhook_of_nonsense(self, provider: AnyProvider) -> None:
        """Bytes that are no webhook are told as such, or that the vendor sends none."""
        for body in (b"", b"null", b"[]", b"{}", b"\xff\x00", b'{"id": null, "status": 7}'):
            with pytest.raises((MalformedResponse, UnsupportedCapability)):
                provider.read_webhook({}, body)

    # -- requests ------------------------------------------------------------------------------------------------------

    def test_every_request_says_what_it_is_for(self, journey: Journey) -> None:
        """Each request has an operation such as `training.start`; looking and fetching pay and make nothing."""
        for request in journey.requests:
            check(_OPERATION.fullmatch(request.operation), f"operation {request.operation!r} is no `job.step`")
        for scene in journey.of("upload", "poll", "fetch", "list_jobs"):
            for exchange in scene.exchanges:
                effect = exchange.request.effect
                check(effect is not Effect.PAY, f"{scene.verb} pays: {exchange.request!r}")
                looks = scene.verb == "upload" or (effect is not None and effect.idempotent)
                check(looks, f"{scene.verb} may not be repeated: {exchange.request!r} is {effect}")

    def test_each_start_pays_once(self, journey: Journey) -> None:
        """Of the requests of a start exactly one is said to be billed; a vendor that is asked nothing bills nothing."""
        for scene in journey.of("start", "generate"):
            paid = [exchange for exchange in scene.exchanges if exchange.request.effect is Effect.PAY]
            if scene.exchanges:
                check(len(paid) == 1, f"{scene.verb} pays {len(paid)} times in {len(scene.exchanges)} requests")

    def test_a_start_can_be_replayed(self, journey: Journey) -> None:
        """Run again with the same answers, a start asks the same: after a crash it is replayed from the journal."""
        for scene in journey.of("start", "generate"):
            asked: list[Request] = []
            heard = in_order([exchange.heard for exchange in scene.exchanges])
            played(journey.provider, scene.again(journey.provider), heard, asked)
            before = [_said(exchange.request) for exchange in scene.exchanges]
            check([_said(request) for request in asked] == before, f"{scene.verb} asks {asked} the second time")

    def test_credentials_stay_at_home(self, journey: Journey) -> None:
        """Signed requests go to the origin of the base URL; other requests, and all URLs, hold no secret."""
        provider = journey.provider
        secrets = _secrets(provider)
        for request in journey.requests:
            if request.signed:
                check(request.origin == origin(provider.base_url), f"{request!r} is signed, but leaves the vendor")
            else:
                told = f"{request.url_with_query} {request.headers}"
                check(not any(secret in told for secret in secrets), f"{request!r} is unsigned, but has a secret")
            signed = provider.sign(request, _MOMENT) if request.signed else request
            hidden = not any(secret in signed.url_with_query for secret in secrets)
            check(hidden, f"{request!r} has a secret in its URL")

    def test_signing_depends_on_nothing_else(self, journey: Journey) -> None:
        """The same request at the same moment with the same nonce is signed the same; its body stays what it is."""
        provider = journey.provider
        for request in journey.requests:
            once, again = provider.sign(request, _MOMENT), provider.sign(request, _MOMENT)
            check((once.headers, once.url) == (again.headers, again.url), f"{request!r} is signed in two ways")
            check(once.body is request.body and once.effect is request.effect, f"signing changes {request!r}")

    # -- options -------------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("name", checks.TRAINING_OPTIONS)
    def test_a_training_option_is_used_if_it_is_declared(self, journey: Journey, name: str) -> None:
        """A declared option changes what is sent or is refused, and one that is not declared changes nothing."""
        check_option(journey, "start", name, journey.provider.capabilities.training.options)

    @pytest.mark.parametrize("name", checks.GENERATION_OPTIONS)
    def test_a_generation_option_is_used_if_it_is_declared(self, journey: Journey, name: str) -> None:
        """A declared option changes what is sent or is refused, and one that is not declared changes nothing."""
        check_option(journey, "generate", name, journey.provider.capabilities.generation.options)

    @pytest.mark.parametrize("name", ["image", "references"])
    def test_pictures_to_generate_from_are_used_if_they_are_declared(self, journey: Journey, name: str) -> None:
        """A vendor that takes pictures to generate from is given them, and no other is."""
        rules = getattr(journey.provider.capabilities.generation, name)
        values = {name: journey.picture if name == "image" else (journey.picture,)}
        changed = changes(journey, "generate", values)
        check(changed == (rules is not None), f"{name}: declared {rules!r}, but {told(changed=changed)}")

    # -- the main job --------------------------------------------------------------------------------------------------

    def test_images_become_pictures(
        self, provider: AnyProvider, journey_of: Callable[[str], Journey], either_colour: str
    ) -> None:
        """Upload, train, wait, generate and download work in both colours, and each step is known for what it is."""
        journey = journey_of(either_colour)
        for job in (journey.training, journey.generation):
            check(job.status is Status.SUCCEEDED, f"{job.reference} is {job.status}")
            words = [
                change.raw_status for change in job.history if change.status is Status.UNKNOWN and change.raw_status
            ]
            check(not words, f"{job.reference} went through words that no table knows: {words}")
        model = journey.training.model
        check(model is not None, "the training succeeded, but has no model")
        check(model is None or model.provider == provider.slug, "the model is said to be another provider's")
        check(len(journey.pictures) == 1, f"one picture was asked for, {len(journey.pictures)} came")
        check(not any("://" in image.id for image in journey.generation.images), "a picture's id is a URL")

    def test_a_reference_is_enough(self, journey: Journey) -> None:
        """A job is found again by its reference alone, with the same id, model and pictures."""
        provider = journey.provider
        for known, found in zip((journey.training, journey.generation), journey.by_reference, strict=True):
            check(known.id and SEPARATOR not in known.id, f"the id {known.id!r} is empty, or has a {SEPARATOR!r}")
            check(Job.from_reference(known.reference).id == known.id, f"{known.reference!r} is read otherwise")
            check((found.id, found.status) == (known.id, known.status), f"{known.reference} is found as {found!r}")
            same = [image.id for image in found.images] == [image.id for image in known.images]
            check(same, f"{known.reference} has other pictures when it is found by its reference")
        first, again = journey.training.model, journey.by_reference[0].model
        check(first and again and first.id == again.id, f"{provider.slug}: another model by the reference")

    def test_jobs_are_plain_data(self, journey: Journey) -> None:
        """Each job survives being stored as JSON."""
        for job in (journey.training, journey.generation):
            check(Job.model_validate_json(job.model_dump_json()) == job, f"{job.reference} changes when stored")

    @pytest.mark.parametrize("kind", ["training", "generation"])
    def test_jobs_are_listed_where_that_is_declared(
        self, journey_of: Callable[[str], Journey], image_host: ImageHost | str | None, provider: AnyProvider, kind: Any
    ) -> None:
        """A vendor that lists jobs lists those just made; another says that it can't, and asks nothing."""
        abilities = provider.capabilities
        if not (abilities.training if kind == "training" else abilities.generation).list:
            _check_not_offered(provider, "list_jobs", kind)
            return
        journey = journey_of("sync")
        made = journey.training if kind == "training" else journey.generation
        with Calling("sync", provider, {**QUICK, "image_host": image_host}) as call:
            listed = {job.reference for job in call("list_jobs", kind)}
        check(made.reference in listed, f"{made.reference} is not in the list of {kind}s")

    @pytest.mark.parametrize("kind", ["training", "generation"])
    def test_many_jobs_are_followed_where_that_is_declared(
        self, journey_of: Callable[[str], Journey], image_host: ImageHost | str | None, provider: AnyProvider, kind: Any
    ) -> None:
        """A list that jobs are followed by tells of each what a poll tells, by its id, and of no job but those."""
        if kind not in provider.lists:
            return
        journey = journey_of("sync")
        made = journey.training if kind == "training" else journey.generation
        stranger = made.model_copy(update={"id": "0"})
        with Calling("sync", provider, {**QUICK, "image_host": image_host}) as call:
            told = call("run", provider.poll_many([made]))
            none = call("run", provider.poll_many([stranger]))
        check(set(told) == {made.id}, f"{made.reference} is told of as {sorted(told)}")
        seen, known = told[made.id], (made.status, made.raw_status, made.phase)
        check((seen.status, seen.raw_status, seen.phase) == known, f"a list says {seen!r} of {made!r}")
        check(not none, f"{sorted(none)} was not asked for")

    @pytest.mark.parametrize("kind", ["training", "generation"])
    def test_a_lost_start_is_found_or_nobody_knows(
        self, journey_of: Callable[[str], Journey], image_host: ImageHost | str | None, provider: AnyProvider, kind: Any
    ) -> None:
        """Asked what an accepted request has made, a provider finds the job, or says that its vendor can't be asked."""
        journey = journey_of("sync")
        verb, made = ("start", journey.training) if kind == "training" else ("generate", journey.generation)
        requests = [exchange.request for scene in journey.of(verb) for exchange in scene.exchanges]
        for paid in (request for request in requests if request.effect is Effect.PAY):
            lost = Lost(paid, kind, NAME, datetime.now(UTC) - timedelta(hours=1))
            with Calling("sync", provider, {**QUICK, "image_host": image_host}) as call:
                found = call("run", provider.find(lost))
            check(found is None or made.id in {item.id for item in found}, f"{made.reference} is not found")
            check(found is None or json.dumps([item.answer for item in found]), "an answer is no JSON")

    @pytest.mark.parametrize("kind", ["training", "generation"])
    def test_what_can_not_be_canceled_says_so(self, journey: Journey, kind: str) -> None:
        """A vendor that can't cancel a job says so and asks nothing; for one that can there is a flow."""
        job = journey.training if kind == "training" else journey.generation
        provider, abilities = journey.provider, journey.provider.capabilities
        if (abilities.training if kind == "training" else abilities.generation).cancel:
            flow = provider.cancel(job)
            check(inspect.isgenerator(flow), "cancel is declared, but is no flow")
            flow.close()
        else:
            _check_not_offered(provider, "cancel", job)


def _said(request: Request) -> tuple[str, str, str | None]:
    """What a request says, but for what is added when it is signed."""
    return request.method, request.url_with_query, request.body.sha256() if request.body else None


def _secrets(provider: AnyProvider) -> list[str]:
    values = [getattr(provider.settings, name) for name in type(provider.settings).model_fields]
    return [value.get_secret_value() for value in values if isinstance(value, SecretStr) and value.get_secret_value()]


def _check_not_offered(provider: AnyProvider, verb: str, argument: object) -> None:
    flow = getattr(provider, verb)(argument)
    check(inspect.isgenerator(flow), f"{verb} is no flow; leave it as the base class has it")
    with pytest.raises(UnsupportedCapability):
        played(provider, flow, in_order([]))
