"""What the client's verbs do, over any provider: written once as workflows, driven by either engine."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from unified_train import checks, jobs
from unified_train.dataset import UploadedImage
from unified_train.errors import (
    ConfigurationError,
    DatasetError,
    InvalidOptions,
    MalformedResponse,
    UnifiedTrainError,
    UnsupportedCapability,
)
from unified_train.events import JobChanged
from unified_train.flow import Workflow, emit, gather, sleep
from unified_train.hosting import VARIABLE
from unified_train.http import Request
from unified_train.images import Image
from unified_train.models import GenerationRequest, Job, Snapshot, TrainedModel, TrainingRequest
from unified_train.status import Status
from unified_train.watching import Watched

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from unified_train.checks import OnUnsupported
    from unified_train.flow import Flow
    from unified_train.hosting import ImageHost
    from unified_train.models import GeneratedImage, JobKind
    from unified_train.policy import Conversation, Polling
    from unified_train.provider import AnyProvider, Capabilities
    from unified_train.watching import Until

T = TypeVar("T")
JobLike: TypeAlias = "Job | str"

_SEED_SPACE = 2**31
"""Seeds are kept below it: the smallest limit of the vendors."""
_log = logging.getLogger("unified_train")


@dataclass(slots=True)
class Workflows:
    """The verbs, over the vendors of one client.

    Attributes:
        conversations: One per vendor, the first being the default.
        polling: When to look at jobs.
        parallel: Uploads, polls, calls or downloads at once.
        image_host: Where local images go for a vendor that takes URLs only.
        pace: Whether the vendors' least poll intervals are kept.
        clock: The time, aware.
    """

    conversations: Mapping[str, Conversation]
    polling: Polling
    parallel: int
    image_host: ImageHost | None = None
    pace: bool = True
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    _unknown_words: set[tuple[str, str | None]] = field(default_factory=set)

    # -- uploading and training ----------------------------------------------------------------------------------------

    def upload_image(self, source: object, *, caption: str | None, provider: str | None) -> Workflow[UploadedImage]:
        """Check one image and bring it to a vendor."""
        talk = self._talk(provider)
        image = Image.of(source, caption=caption)
        checks.check_image(talk.provider, image, hosted=self.image_host is not None)
        return (yield from self._upload(talk, image))

    def _upload(self, talk: Conversation, image: Image) -> Workflow[UploadedImage]:
        takes = talk.provider.capabilities.images.takes
        if takes == "url" and not image.remote:
            return (yield from self._hosted(talk, image))
        if takes == "bytes" and image.remote:
            image = yield from self._fetched(talk, image)
            checks.check_image(talk.provider, image, hosted=False)
        return (yield from talk.run(talk.provider.upload(image)))

    def _hosted(self, talk: Conversation, image: Image) -> Workflow[UploadedImage]:
        """Put a local image on the image host, for a vendor that takes URLs only."""
        hosted = yield from talk.run(self._host().put(image, talk.moment()))
        public = Image(name=image.name, url=hosted.url, caption=image.caption)
        uploaded = yield from talk.run(talk.provider.upload(public))
        known = {"sha256": image.sha256, "hosted": hosted.key, "expires_at": hosted.expires_at}
        return uploaded.model_copy(update=known)

    def delete_image(self, image: UploadedImage) -> Workflow[None]:
        """Remove an image from the image host."""
        if image.hosted is None:
            raise UnsupportedCapability(f"{image.name} is on no image host; {image.provider} keeps what was uploaded")
        talk = self._talk(image.provider)
        yield from talk.run(self._host().delete(image.hosted, talk.moment()))

    def _host(self) -> ImageHost:
        if self.image_host is None:
            raise ConfigurationError(f"no image host: set {VARIABLE}")
        return self.image_host

    def _fetched(self, talk: Conversation, image: Image) -> Workflow[Image]:
        """An image that is only a URL, with its bytes, for a vendor that takes no URLs."""
        response = yield from talk.send(Request("GET", image.url or "", "image.fetch", signed=False))
        return Image(name=image.name, data=response.content, caption=image.caption)

    def train(self, request: TrainingRequest, *, provider: str | None, on_unsupported: OnUnsupported) -> Workflow[Job]:
        """Check everything, upload the images side by side, start."""
        talk = self._talk(provider)
        training = self._checked(talk, request, on_unsupported)
        images = yield from gather(
            [self._uploaded(talk, image) for image in training.request.dataset.images], limit=self.parallel
        )
        dataset = training.request.dataset.model_copy(update={"images": tuple(images)})
        return (yield from self._start(talk, replace(training, request=_with_dataset(training.request, dataset))))

    def _uploaded(self, talk: Conversation, image: Image | UploadedImage) -> Workflow[UploadedImage]:
        if isinstance(image, UploadedImage):
            return image
        return (yield from self._upload(talk, image))

    def start_training(
        self, request: TrainingRequest, *, provider: str | None, on_unsupported: OnUnsupported
    ) -> Workflow[Job]:
        """Check everything and start with images that are at the vendor already."""
        talk = self._talk(provider)
        checks.check_uploaded(talk.provider, request)
        return (yield from self._start(talk, self._checked(talk, request, on_unsupported)))

    def _checked(self, talk: Conversation, request: TrainingRequest, on_unsupported: OnUnsupported) -> checks.Training:
        return checks.check_training(talk.provider, request, on_unsupported, hosted=self.image_host is not None)

    def _start(self, talk: Conversation, training: checks.Training) -> Workflow[Job]:
        request = training.request
        snapshot = yield from talk.run(talk.provider.start(request, training.options))
        job = jobs.begun(
            talk.provider.slug,
            "training",
            snapshot,
            self.clock(),
            name=request.name,
            trigger=request.dataset.trigger,
            class_word=request.dataset.class_word,
            base_model=snapshot.base_model or request.base_model,
            labels=request.labels,
            notes=training.notes,
        )
        talk.tell(JobChanged(job))
        return job

    # -- generating ----------------------------------------------------------------------------------------------------

    def generate(
        self, model: TrainedModel | Job, request: GenerationRequest | str, *, on_unsupported: OnUnsupported
    ) -> Workflow[Job]:
        """Check, split into as many calls as the vendor needs, submit them side by side."""
        trained = _model_of(model)
        talk = self._talk(trained.provider)
        asked = GenerationRequest(prompt=request) if isinstance(request, str) else request
        generation = checks.check_generation(talk.provider, trained, asked, on_unsupported)
        generation = replace(generation, request=(yield from self._with_inputs(talk, generation.request)))
        calls = _split(generation.request, talk.provider.capabilities.generation.max_per_call)
        tried = yield from gather(
            [self._tried(self._submit(talk, trained, replace(generation, request=call))) for call in calls],
            limit=self.parallel,
        )
        job = _accepted(tried)
        talk.tell(JobChanged(job))
        return job

    def _with_inputs(self, talk: Conversation, request: GenerationRequest) -> Workflow[GenerationRequest]:
        """The request with the bytes of pictures that were given by URL, checked once more now that they are known."""
        given = [*([request.image] if request.image else []), *request.references]
        if not any(image.remote for image in given):
            return request
        local = yield from gather([self._local(talk, image) for image in given], limit=self.parallel)
        first = local.pop(0) if request.image else None
        fetched = request.model_copy(update={"image": first, "references": tuple(local)})
        checks.check_inputs(talk.provider, fetched)
        return fetched

    def _local(self, talk: Conversation, image: Image) -> Workflow[Image]:
        return (yield from self._fetched(talk, image)) if image.remote else image

    def _submit(self, talk: Conversation, model: TrainedModel, generation: checks.Generation) -> Workflow[Job]:
        snapshot = yield from talk.run(talk.provider.generate(model, generation.request, generation.options))
        request, notes = generation.request, generation.notes
        return jobs.begun(
            talk.provider.slug, "generation", snapshot, self.clock(), n=request.n, labels=request.labels, notes=notes
        )

    def _tried(self, workflow: Workflow[T]) -> Workflow[T | UnifiedTrainError]:
        """The result or the error, so that one refused call does not lose the others, which are paid for."""
        try:
            return (yield from workflow)
        except UnifiedTrainError as error:
            return error

    # -- following jobs ------------------------------------------------------------------------------------------------

    def poll(self, job: JobLike) -> Workflow[Job]:
        """Look at a job once."""
        return (yield from self._look(self._known(job)))

    def _look(self, job: Job) -> Workflow[Job]:
        if job.finished:
            return job
        pieces = jobs.parts(job)
        if len(pieces) == 1 and pieces[0] is job:
            talk = self._talk(job.provider)
            return self._noted(job, (yield from talk.run(talk.provider.poll(job))))
        seen = yield from gather([self._look(part) for part in pieces], limit=self.parallel)
        return jobs.joined(seen, job)

    def _noted(self, job: Job, snapshot: Snapshot) -> Job:
        after = jobs.advanced(job, snapshot, self.clock())
        word = (job.provider, after.raw_status)
        if after.status is Status.UNKNOWN and after.raw_status is not None and word not in self._unknown_words:
            self._unknown_words.add(word)
            _log.warning("%s says %r of %s; this word is unknown here, waiting goes on", *word, job.reference)
        if jobs.changed(job, after):
            self._talk(job.provider).tell(JobChanged(after))
        return after

    def watch(
        self,
        waited_for: Sequence[JobLike],
        *,
        timeout: float | None,
        until: Until = "all",
        progress: Callable[[Job], object] | None = None,
    ) -> Workflow[list[Job]]:
        """Look at jobs until all have finished, or one; emits each changed job, and returns them in their order."""
        watched = Watched([self._known(job) for job in waited_for], self.polling, timeout)
        while not watched.over(until):
            due = watched.due()
            if due:
                looks = [self._tried(self._look(watched.jobs[index])) for index in due]
                for index, seen in zip(due, (yield from gather(looks, limit=self.parallel)), strict=True):
                    if watched.take(index, seen, self._floor(watched.jobs[index])):
                        if progress is not None:
                            progress(watched.jobs[index])
                        yield from emit(watched.jobs[index])
            else:
                watched.check_deadline()
                yield from sleep(watched.pause())
        return watched.jobs

    def _floor(self, job: Job) -> float:
        return self._talk(job.provider).provider.poll_floor if self.pace else 0.0

    def cancel(self, job: JobLike) -> Workflow[Job]:
        """Ask the vendor to stop a job."""
        known = self._known(job)
        if known.finished:
            return known
        talk = self._talk(known.provider)
        abilities = talk.provider.capabilities
        if not (abilities.training if known.kind == "training" else abilities.generation).cancel:
            raise UnsupportedCapability(f"{talk.provider.title} can't cancel a {known.kind}; it runs to its end")
        pieces = jobs.parts(known)
        seen = yield from gather([self._cancel(talk, part) for part in pieces], limit=self.parallel)
        return jobs.joined(seen, known)

    def _cancel(self, talk: Conversation, job: Job) -> Workflow[Job]:
        return job if job.finished else self._noted(job, (yield from talk.run(talk.provider.cancel(job))))

    def list_jobs(self, kind: JobKind, *, provider: str | None) -> Workflow[list[Job]]:
        """The account's jobs, as the vendor lists them."""
        talk = self._talk(provider)
        abilities = talk.provider.capabilities
        if not (abilities.training if kind == "training" else abilities.generation).list:
            raise UnsupportedCapability(f"{talk.provider.title} can't list {kind}s")
        snapshots = yield from talk.run(talk.provider.list_jobs(kind))
        return [jobs.begun(talk.provider.slug, kind, snapshot, self.clock()) for snapshot in snapshots]

    # -- results -------------------------------------------------------------------------------------------------------

    def download(self, job: JobLike, folder: Path | None) -> Workflow[list[Image]]:
        """The pictures of a generation, in order; saved to a folder if one is named."""
        known = self._known(job)
        if known.kind != "generation":
            raise InvalidOptions(f"{known.reference} is a training; pictures come from a generation")
        if not known.finished:
            known = yield from self._look(known)
        if not known.images:
            state = "has no pictures" if known.finished else "has not finished; wait for it first"
            raise ConfigurationError(f"{known.reference} {state}")
        wanted = [(part, image) for part in jobs.parts(known) for image in part.images]
        fetches = [self._picture(part, image, number) for number, (part, image) in enumerate(wanted)]
        pictures = yield from gather(fetches, limit=self.parallel)
        return pictures if folder is None else [Image.of(picture.save(folder / picture.name)) for picture in pictures]

    def _picture(self, job: Job, image: GeneratedImage, number: int) -> Workflow[Image]:
        talk = self._talk(job.provider)
        data = yield from talk.run(talk.provider.fetch(job, image))
        found = Image(name="picture", data=data)
        try:
            extension = found.extension
        except DatasetError:
            raise MalformedResponse(
                f"picture {number} of {job.reference} is {len(data)} bytes, but no image",
                provider=job.provider,
                operation="generation.fetch",
            ) from None
        safe = re.sub(r"[^A-Za-z0-9._-]+", "-", job.id).strip("-.")
        return Image(name=f"{job.provider}-{safe}-{number:02}.{extension}", data=data)

    def capabilities(self, provider: str | None) -> Capabilities:
        """What a vendor can do."""
        return self._talk(provider).provider.capabilities

    # -- what only one vendor has --------------------------------------------------------------------------------------

    def run(self, flow: Flow[T], *, provider: str | None, kind: JobKind) -> Workflow[T | Job]:
        """Run a flow of a provider; a snapshot that it returns becomes a job."""
        talk = self._talk(provider)
        result = yield from talk.run(flow)
        return jobs.begun(talk.provider.slug, kind, result, self.clock()) if isinstance(result, Snapshot) else result

    def parse_webhook(self, provider: str, headers: Mapping[str, str], body: bytes) -> Job:
        """The job that a webhook is about; what it says is kept as a hint, its status is unknown until it is polled."""
        talk = self._talk(provider)
        kind, hint = talk.provider.read_webhook({name.lower(): value for name, value in headers.items()}, body)
        unconfirmed = Snapshot(id=hint.id, status=Status.UNKNOWN, raw_status=hint.raw_status, raw=hint.raw)
        note = "a webhook says so; poll to confirm"
        return jobs.begun(talk.provider.slug, kind, unconfirmed, self.clock(), notes=(note,))

    def provider(self, slug: str | None) -> AnyProvider:
        """One of this client's providers."""
        return self._talk(slug).provider

    # -- who to talk to ------------------------------------------------------------------------------------------------

    def _talk(self, provider: str | None) -> Conversation:
        if provider is None:
            return next(iter(self.conversations.values()))
        if provider in self.conversations:
            return self.conversations[provider]
        mine = ", ".join(self.conversations)
        raise ConfigurationError(
            f"this client speaks to {mine}, not to {provider}; make one with Client({provider!r})"
            f" or Client({', '.join(repr(slug) for slug in [*self.conversations, provider])})"
        )

    def _known(self, job: JobLike) -> Job:
        known = Job.from_reference(job) if isinstance(job, str) else job
        self._talk(known.provider)
        return known


def _with_dataset(request: TrainingRequest, dataset: object) -> TrainingRequest:
    return request.model_copy(update={"dataset": dataset})


def _model_of(model: TrainedModel | Job) -> TrainedModel:
    if isinstance(model, TrainedModel):
        return model
    if model.model is None:
        state = f"is {model.status}" if model.kind == "training" else "is no training"
        raise InvalidOptions(f"{model.reference} {state}, so it has no model to generate with; wait for it first")
    return model.model


def _split(request: GenerationRequest, most: int) -> list[GenerationRequest]:
    """Calls of at most `most` pictures; call k starts at the seed where the one before it ended."""
    calls = []
    for start in range(0, request.n, most):
        seed = None if request.seed is None else (request.seed + start) % _SEED_SPACE
        calls.append(request.model_copy(update={"n": min(most, request.n - start), "seed": seed}))
    return calls


def _accepted(tried: Sequence[Job | UnifiedTrainError]) -> Job:
    """The job for all accepted calls, with a note about the others; if none was accepted, the first error."""
    accepted = [item for item in tried if isinstance(item, Job)]
    refused = [item for item in tried if isinstance(item, UnifiedTrainError)]
    if not accepted:
        raise refused[0]
    job = jobs.joined(accepted)
    if not refused:
        return job
    note = f"{len(refused)} of {len(tried)} calls were not accepted and their pictures are missing: {refused[0]}"
    return job.model_copy(update={"notes": (*job.notes, note)})
