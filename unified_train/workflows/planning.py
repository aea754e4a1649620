"""Plans: everything about a call but the call itself. Nothing is sent but free reads, and what asking a price takes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar
from urllib.parse import urlsplit

from unified_train import checks, payloads
from unified_train.dataset import UploadedImage
from unified_train.errors import (
    ApiError,
    AuthenticationError,
    ConfigurationError,
    DatasetError,
    InsufficientFunds,
    InvalidOptions,
    PermissionDenied,
    QuotaExceeded,
    SubmissionUncertain,
    TransportError,
    UnifiedTrainError,
    UnsupportedCapability,
)
from unified_train.flow import blocking, gather
from unified_train.http import Moment, Request
from unified_train.images import Image
from unified_train.intents import Intent
from unified_train.models import Cost, GenerationRequest, Job, TrainedModel, TrainingRequest
from unified_train.plan import Blocker, Plan, PlannedFile, PlannedOption, VendorPlan
from unified_train.rehearsing import Rehearsal
from unified_train.status import Status
from unified_train.submission import Submission, Unrecorded
from unified_train.workflows.starting import model_of, split
from unified_train.workflows.vendors import Vendors

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from unified_train.checks import OnUnsupported
    from unified_train.flow import Flow, Workflow
    from unified_train.journal import Journal
    from unified_train.models import JobKind
    from unified_train.policy import Conversation
    from unified_train.submission import AnySubmission

T = TypeVar("T")
Planned: TypeAlias = "TrainingRequest | GenerationRequest | str | Sequence[GenerationRequest]"
ForModel: TypeAlias = "TrainedModel | Job | TrainingRequest | None"

MARK = "ut" + "_" * 12
"""Stands in plans for the text that every call adds to what it buys."""
_NAMED = f"the name ends with {MARK!r} in the place of a mark of the call, by which it is found again"
_DRAWN = "where no {name} is given, one is drawn for each call, by which it is found again"
_BLOCKING = (AuthenticationError, PermissionDenied, InsufficientFunds, QuotaExceeded)
_STRANGE = "what follows can't be foreseen: {error}"


@dataclass
class _Draft:
    """A plan in the making."""

    talk: Conversation
    kind: JobKind
    rehearsal: Rehearsal
    blockers: list[Blocker] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    options: list[PlannedOption] = field(default_factory=list)
    files: list[PlannedFile] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    cost: Cost | None = None
    cost_note: str | None = None

    def block(self, error: UnifiedTrainError) -> None:
        """Note an error that the call would end with."""
        blocker = Blocker(code=type(error).__name__, message=str(error))
        if blocker not in self.blockers:
            self.blockers.append(blocker)

    def note(self, *notes: str) -> None:
        """Note what the vendor does otherwise than asked, once."""
        self.notes += [note for note in dict.fromkeys(notes) if note not in self.notes]

    def remark(self, *remarks: str) -> None:
        """Note what we do to every call, once."""
        self.remarks += [remark for remark in remarks if remark not in self.remarks]


@dataclass(frozen=True)
class _Terms:
    """How a plan is to be made."""

    on_unsupported: OnUnsupported
    offline: bool
    ask_price: bool


class Planning(Vendors):
    """Calls that are not made. Apart from the other verbs, so that a client that plans nothing need not load it."""

    @classmethod
    def of(cls, vendors: Vendors) -> Self:
        """Plans for the vendors of one client."""
        known = vendors
        return cls(known.conversations, known.polling, known.parallel, known.image_host, known.pace, known.journal)

    def plan(  # noqa: PLR0917 - called by the twins alone
        self,
        request: Planned,
        model: ForModel,
        provider: str | None,
        on_unsupported: OnUnsupported | None,
        offline: bool,
        ask_price: bool,
    ) -> Workflow[Plan]:
        """Plan a call at the vendors that it could go to."""
        training = isinstance(request, TrainingRequest)
        terms = _Terms(on_unsupported or ("error" if training else "warn"), offline, ask_price and not offline)
        talks = [self._talk(provider)] if provider else list(self.conversations.values())
        plans: list[Workflow[VendorPlan]]
        if isinstance(request, TrainingRequest):
            plans = [self._planned_training(talk, request, terms) for talk in talks]
        elif isinstance(model, TrainingRequest):
            asked = _generations(request)
            plans = [self._planned_generation(talk, _to_be(talk, model), asked, terms, made=False) for talk in talks]
        elif model is not None:
            trained = model_of(model)
            talk = self._talk(trained.provider)
            plans = [self._planned_generation(talk, trained, _generations(request), terms, made=True)]
        else:
            raise InvalidOptions("a generation is planned with the model, or with the training that will make it")
        return Plan(vendors=tuple((yield from gather(plans, limit=self.parallel))))

    # -- trainings -----------------------------------------------------------------------------------------------------

    def _planned_training(self, talk: Conversation, request: TrainingRequest, terms: _Terms) -> Workflow[VendorPlan]:
        draft = yield from self._begun(talk, "training", terms)
        training = self._allowed(draft, partial(self._as_allowed, talk, request), terms.on_unsupported)
        if training is not None:
            yield from self._rehearse_training(draft, training)
            if terms.ask_price:
                yield from self._ask_price(draft, [talk.provider.estimate_training(training.request)])
        return (yield from self._finished(draft, request, training and training.request, checks.TRAINING_OPTIONS))

    def _as_allowed(
        self, talk: Conversation, request: TrainingRequest, on_unsupported: OnUnsupported, *, hosted: bool
    ) -> checks.Training:
        return checks.check_training(talk.provider, request, on_unsupported, hosted=hosted)

    def _rehearse_training(self, draft: _Draft, training: checks.Training) -> Workflow[None]:
        request, provider = training.request, draft.talk.provider
        submission = self._submission(draft)
        draft.note(*training.notes)
        uploads = []
        for place, image in enumerate(request.dataset.images):
            uploads.append((yield from self._rehearse_upload(draft, image, place)))
        dataset = request.dataset.model_copy(update={"images": tuple(uploads)})
        sent = request.model_copy(update={"name": submission.named(request.name), "dataset": dataset})
        if sent.name != request.name:
            draft.remark(_NAMED)
        snapshot = yield from self._rehearsed(draft, provider.start(sent, training.options))
        if snapshot is not None:
            draft.note(*snapshot.notes)

    def _rehearse_upload(self, draft: _Draft, image: Image | UploadedImage, place: int) -> Workflow[UploadedImage]:
        """The image as if it were there, and a note of who got it."""
        provider, first = draft.talk.provider, len(draft.rehearsal.requests)
        if isinstance(image, UploadedImage):
            draft.files.append(PlannedFile(name=image.name, sha256=image.sha256, to=(f"{provider.title} has it",)))
            return image
        public = image
        if provider.capabilities.images.takes == "url" and not image.remote:
            public = yield from self._rehearse_hosting(draft, image, place)
        elif provider.capabilities.images.takes == "bytes" and image.remote:
            image = public = yield from self._rehearse_fetch(draft, image)
        uploaded = None
        if provider.capabilities.images.takes == "url" or not public.remote:
            uploaded = yield from self._rehearsed(draft, provider.upload(public))
        yield from blocking(partial(self._note_file, draft, image, draft.rehearsal.requests[first:]))
        made_up = UploadedImage(provider=provider.slug, id=f"<image {place + 1}>", name=image.name)
        return (uploaded or made_up).model_copy(update={"caption": image.caption})

    def _rehearse_hosting(self, draft: _Draft, image: Image, place: int) -> Workflow[Image]:
        """The image at the URL where the image host would have it."""
        url = f"https://image-host.invalid/{place + 1}"
        if self.image_host is not None:
            moment = Moment(self.clock(), f"random-name-{place + 1}")
            hosted = yield from self._rehearsed(draft, self.image_host.put(image, moment))
            url = hosted.url if hosted else url
        return Image(name=image.name, url=url, caption=image.caption)

    def _rehearse_fetch(self, draft: _Draft, image: Image) -> Workflow[Image]:
        """The image with its bytes, if they can be had without anything being made up for it."""
        fetch = Request("GET", image.url or "", "image.fetch", signed=False)
        try:
            response = yield from draft.rehearsal.fetch(fetch)
            if response is None:
                return image
            fetched = Image(name=image.name, data=response.content, caption=image.caption)
            checks.check_image(draft.talk.provider, fetched, hosted=False)
        except UnifiedTrainError as error:
            draft.block(error)
            return image
        return fetched

    def _note_file(self, draft: _Draft, image: Image, requests: Sequence[Request]) -> None:
        title = draft.talk.provider.title
        if image.remote:
            draft.files.append(PlannedFile(name=image.name, to=(f"{title} gets its URL",)))
            return
        draft.names[image.sha256] = image.name
        to: list[str] = []
        for request in filter(payloads.carries_bytes, requests):
            if request.operation == "image.host":
                to += [f"the image host ({_host(request.url)}), for anyone with the URL", f"{title} gets its URL"]
            else:
                to.append(f"{title} ({request.origin})" if request.signed else f"storage that {title} names")
        if not requests:
            to.append(f"an image host that is not set, then {title}")
        file = PlannedFile(name=image.name, bytes=image.size, sha256=image.sha256, to=tuple(dict.fromkeys(to)))
        draft.files.append(file)

    # -- generations ---------------------------------------------------------------------------------------------------

    def _planned_generation(
        self,
        talk: Conversation,
        model: TrainedModel,
        asked: Sequence[GenerationRequest],
        terms: _Terms,
        *,
        made: bool,
    ) -> Workflow[VendorPlan]:
        """Plan pictures of a model that is there (`made`), or of one that will be."""
        draft = yield from self._begun(talk, "generation", terms, silent=not made)
        draft.rehearsal.made_up |= not made
        allowed: list[checks.Generation] = []
        for one in asked:
            check = partial(_generation_as_allowed, talk, model, one)
            generation = self._allowed(draft, check, terms.on_unsupported)
            if generation is not None:
                allowed.append(generation)
                yield from self._rehearse_generation(draft, model, generation)
        if terms.ask_price and allowed and made:
            prices = [talk.provider.estimate_generation(model, generation.request) for generation in allowed]
            yield from self._ask_price(draft, prices)
        elif not made:
            draft.cost_note = "a price is that of a model, and there is none yet"
        fitted = allowed[0].request if allowed else None
        return (yield from self._finished(draft, asked[0], fitted, checks.GENERATION_OPTIONS))

    def _rehearse_generation(self, draft: _Draft, model: TrainedModel, generation: checks.Generation) -> Workflow[None]:
        request, provider = generation.request, draft.talk.provider
        draft.note(*generation.notes)
        for image in [*([request.image] if request.image else []), *request.references]:
            yield from blocking(partial(self._note_input, draft, image))
        submission = self._submission(draft)
        for part, call in enumerate(split(request, provider.capabilities.generation.max_per_call)):
            marked = submission.marked(call, part)
            drawn = [name for name, value in call if getattr(marked, name) != value]
            draft.remark(*(_DRAWN.format(name=name) for name in drawn))
            snapshot = yield from self._rehearsed(draft, provider.generate(model, call, generation.options))
            if snapshot is not None:
                draft.note(*snapshot.notes)

    def _note_input(self, draft: _Draft, image: Image) -> None:
        title = draft.talk.provider.title
        if image.remote:
            file = PlannedFile(name=image.name, to=(f"fetched to here, then {title}",))
        else:
            draft.names[image.sha256] = image.name
            file = PlannedFile(name=image.name, bytes=image.size, sha256=image.sha256, to=(title,))
        if file not in draft.files:
            draft.files.append(file)

    # -- both ----------------------------------------------------------------------------------------------------------

    def _begun(self, talk: Conversation, kind: JobKind, terms: _Terms, *, silent: bool = False) -> Workflow[_Draft]:
        """A draft, once the vendor was asked whether it would listen."""
        draft = _Draft(talk, kind, Rehearsal(talk, online=not terms.offline))
        if terms.offline or silent:
            return draft
        try:
            yield from talk.run(talk.provider.ping())
        except UnsupportedCapability:
            pass
        except (ApiError, TransportError) as error:
            draft.block(error)
            draft.rehearsal.made_up = True  # what it was asked next, it would not tell either
        return draft

    def _allowed(self, draft: _Draft, check: Callable[..., T], on_unsupported: OnUnsupported) -> T | None:
        """The request as it would be sent, with everything noted that keeps it from being sent."""
        hosted = self.image_host is not None
        quiet: OnUnsupported = "error" if on_unsupported == "error" else "drop"
        for wish, host in ((quiet, hosted), ("drop", hosted), ("drop", True)):
            try:
                return check(wish, hosted=host)
            except (ConfigurationError, DatasetError) as error:
                draft.block(error)
        return None

    def _rehearsed(self, draft: _Draft, flow: Flow[T]) -> Workflow[T | None]:
        """What comes of a flow; an error before anything was made up would stop the call, one after it the plan."""
        try:
            return (yield from draft.rehearsal.play(flow))
        except UnifiedTrainError as error:
            draft.rehearsal.complete = False
            if draft.rehearsal.made_up and isinstance(error, ApiError | SubmissionUncertain):
                draft.remark(_STRANGE.format(error=error))
            else:
                draft.block(error)
            return None

    def _submission(self, draft: _Draft) -> AnySubmission:
        """What names the call to the vendor; it writes nothing down."""
        if self.journal is None:
            return Unrecorded(draft.talk)
        slug = draft.talk.provider.slug
        facts = {"provider": slug, "account": "", "kind": draft.kind, "digest": "", "created_at": self.clock()}
        intent = Intent(key=MARK, marker=MARK, **facts)
        return Submission(self.journal, draft.talk, intent, "", inherited=False)

    def _ask_price(self, draft: _Draft, prices: Sequence[Flow[Cost | None]]) -> Workflow[None]:
        told: list[Cost | None] = []
        for price in prices:
            try:
                told.append((yield from draft.talk.run(price)))
            except UnifiedTrainError as error:
                draft.cost_note = f"{draft.talk.provider.title} was asked: {error}"
                if isinstance(error, _BLOCKING):
                    draft.block(error)
                break
        known = [cost for cost in told if cost is not None]
        if len(known) == len(prices) and len({cost.unit for cost in known}) == 1:
            draft.cost = known[0].model_copy(update={"amount": sum(cost.amount for cost in known)})
        elif draft.cost_note is None:
            draft.cost_note = f"{draft.talk.provider.title} tells no price"

    def _finished(self, draft: _Draft, asked: Any, fitted: Any, options: Sequence[str]) -> Workflow[VendorPlan]:
        seconds = yield from self._durations(draft)
        return (yield from blocking(partial(_vendor_plan, draft, asked, fitted, options, seconds)))

    def _durations(self, draft: _Draft) -> Workflow[list[float]]:
        """Seconds that earlier jobs of this kind took at this vendor, as far as they are in the journal."""
        if self.journal is None:
            return []
        known = yield from blocking(partial(_jobs, self.journal))
        return [
            (job.history[-1].at - job.created_at).total_seconds()
            for job in known
            if (job.provider, job.kind, job.status) == (draft.talk.provider.slug, draft.kind, Status.SUCCEEDED)
            and job.history
            and job.created_at is not None
        ]


def _jobs(journal: Journal) -> list[Job]:
    """What is in a journal; one that is not there yet is not made for a plan."""
    there = str(journal.path) == ":memory:" or journal.path.exists()
    return journal.jobs() if there else []


def _vendor_plan(
    draft: _Draft, asked: Any, fitted: Any, options: Sequence[str], seconds: Sequence[float]
) -> VendorPlan:
    provider = draft.talk.provider
    requests = tuple(payloads.shown(request, draft.names) for request in draft.rehearsal.requests)
    changing = [request for request in requests if not request.effect.idempotent]
    known = () if fitted is None else tuple(_options(asked, fitted, options, changing, draft.notes))
    told = {option.why for option in known}
    asks = provider.price_by if draft.cost is None and draft.cost_note is None else None
    return VendorPlan(
        provider=provider.slug,
        title=provider.title,
        kind=draft.kind,
        requests=requests,
        complete=draft.rehearsal.complete,
        options=known,
        files=tuple(draft.files),
        notes=(*(note for note in draft.notes if note not in told), *draft.remarks),
        blockers=tuple(draft.blockers),
        cost=draft.cost,
        cost_note=draft.cost_note or (None if draft.cost or asks else f"{provider.title} tells no price before"),
        price_by=asks,
        seconds=median(seconds) if seconds else None,
        seconds_from=len(seconds),
    )


def _options(
    asked: Any, fitted: Any, names: Sequence[str], requests: Sequence[Any], notes: Sequence[str]
) -> list[PlannedOption]:
    """What became of each neutral option that was asked for, or that has a default."""
    found = []
    for name in names:
        wish, value = getattr(asked, name), getattr(fitted, name)
        if wish is None and value is None:
            continue
        field = None if value is None else payloads.field_of(name, value, requests)
        word = re.compile(rf"\b{name.replace('_', '[_ ]')}\b")
        why = next((note for note in notes if word.search(note)), None)
        outcome: Any = "dropped" if value is None else "default" if wish is None else "sent" if field else "mapped"
        found.append(PlannedOption(name=name, asked=wish, value=value, outcome=outcome, field=field, why=why))
    return found


def _generation_as_allowed(
    talk: Conversation,
    model: TrainedModel,
    request: GenerationRequest,
    on_unsupported: OnUnsupported,
    *,
    hosted: bool,  # noqa: ARG001 - a generation sends its pictures itself
) -> checks.Generation:
    return checks.check_generation(talk.provider, model, request, on_unsupported)


def _generations(request: GenerationRequest | str | Sequence[GenerationRequest]) -> Sequence[GenerationRequest]:
    if isinstance(request, str):
        return [GenerationRequest(prompt=request)]
    several = [request] if isinstance(request, GenerationRequest) else list(request)
    if not several:
        raise InvalidOptions("there is nothing to plan: give at least one request")
    return several


def _to_be(talk: Conversation, training: TrainingRequest) -> TrainedModel:
    """The model that a training will make."""
    abilities = talk.provider.capabilities.training
    return TrainedModel(
        provider=talk.provider.slug,
        id="<model>",
        name=training.name,
        trigger=training.dataset.trigger,
        class_word=training.dataset.class_word,
        base_model=(training.base_model if "base_model" in abilities.options else None) or abilities.default_base_model,
    )


def _host(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
