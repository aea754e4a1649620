"""What the client's verbs do, over any provider: written once as workflows, driven by either engine."""

from __future__ import annotations

import logging
import re
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

from unified_train import checks, jobs
from unified_train.dataset import UploadedImage
from unified_train.errors import (
    ConfigurationError,
    DatasetError,
    InvalidOptions,
    MalformedResponse,
    ProviderUnavailable,
    RateLimited,
    TransportError,
    UnifiedTrainError,
    UnsupportedCapability,
    WaitTimeout,
)
from unified_train.events import JobChanged
from unified_train.flow import Workflow, emit, gather, sleep
from unified_train.http import Request
from unified_train.images import Image
from unified_train.models import GenerationRequest, Job, TrainedModel, TrainingRequest
from unified_train.status import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from unified_train.checks import OnUnsupported
    from unified_train.models import GeneratedImage, JobKind, Snapshot
    from unified_train.policy import Conversation, Polling
    from unified_train.provider import Capabilities

T = TypeVar("T")
JobLike: TypeAlias = "Job | str"
Until: TypeAlias = Literal["all", "first"]

_SEED_SPACE = 2**31
"""Seeds are kept below it: the smallest limit of the vendors."""
_PASSING = (TransportError, ProviderUnavailable, RateLimited, MalformedResponse)
"""Failures of a poll that say nothing about the job."""
_log = logging.getLogger("unified_train")


@dataclass(slots=True)
class Workflows:
    """The verbs, over the vendors of one client.

    Attributes:
        conversations: One per vendor, the first being the default.
        polling: When to look at jobs.
        parallel: Uploads, polls, calls or downloads at once.
        clock: The time, aware.
    """

    conversations: Mapping[str, Conversation]
    polling: Polling
    parallel: int
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    _unknown_words: set[tuple[str, str | None]] = field(default_factory=set)

    # -- uploading and training ----------------------------------------------------------------------------------------

    def upload_image(self, source: object, *, caption: str | None, provider: str | None) -> Workflow[UploadedImage]:
        """Check one image and bring it to a vendor."""
        talk = self._talk(provider)
        image = Image.of(source, caption=caption)
        checks.check_image(talk.provider, image)
        return (yield from self._upload(talk, image))

    def _upload(self, talk: Conversation, image: Image) -> Workflow[UploadedImage]:
        if image.remote and talk.provider.capabilities.images.takes == "bytes":
            image = yield from self._fetched(talk, image)
            checks.check_image(talk.provider, image)
        return (yield from talk.run(talk.provider.upload(image)))

    def _fetched(self, talk: Conversation, image: Image) -> Workflow[Image]:
        """An image that is only a URL, with its bytes, for a vendor that takes no URLs."""
        response = yield from talk.send(Request("GET", image.url or "", "image.fetch", signed=False))
        return Image(name=image.name, data=response.content, caption=image.caption)

    def train(self, request: TrainingRequest, *, provider: str | None, on_unsupported: OnUnsupported) -> Workflow[Job]:
        """Check everything, upload the images side by side, start."""
        talk = self._talk(provider)
        training = checks.check_training(talk.provider, request, on_unsupported)
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
        return (yield from self._start(talk, checks.check_training(talk.provider, request, on_unsupported)))

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
        calls = _split(generation.request, talk.provider.capabilities.generation.max_per_call)
        tried = yield from gather(
            [self._tried(self._submit(talk, trained, replace(generation, request=call))) for call in calls],
            limit=self.parallel,
        )
        job = _accepted(tried)
        talk.tell(JobChanged(job))
        return job

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
        watched = _Watched([self._known(job) for job in waited_for], self.polling, timeout)
        while not watched.over(until):
            due = watched.due()
            if due:
                looks = [self._tried(self._look(watched.jobs[index])) for index in due]
                for index, seen in zip(due, (yield from gather(looks, limit=self.parallel)), strict=True):
                    if watched.take(index, seen, self._talk(watched.jobs[index].provider).provider.poll_floor):
                        if progress is not None:
                            progress(watched.jobs[index])
                        yield from emit(watched.jobs[index])
            else:
                watched.check_deadline()
                yield from sleep(watched.pause())
        return watched.jobs

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


class _Watched:
    """Jobs being waited for: how each stands, and when to look at it next."""

    def __init__(self, watched: list[Job], polling: Polling, timeout: float | None) -> None:
        if not watched:
            raise InvalidOptions("no jobs to wait for")
        self.jobs = watched
        self._polling = polling
        self._started = time.monotonic()
        self._deadline = None if timeout is None else self._started + timeout
        # A job that was never looked at, or not for a while, is looked at once; a fresh one gets its first delay.
        now = datetime.now(UTC)
        fresh = [
            job.updated_at is not None and (now - job.updated_at).total_seconds() < polling.first for job in watched
        ]
        self._next = [self._started + (polling.first if is_fresh else 0.0) for is_fresh in fresh]
        self._failing: dict[int, float] = {}

    def over(self, until: Until) -> bool:
        finished = [job.finished for job in self.jobs]
        return any(finished) if until == "first" else all(finished)

    def check_deadline(self) -> None:
        if self._deadline is None or time.monotonic() < self._deadline:
            return
        running = [job for job in self.jobs if not job.finished]
        raise WaitTimeout(
            f"{len(running)} of {len(self.jobs)} jobs still run after {self._deadline - self._started:g} seconds,"
            f" such as {running[0].reference} ({running[0].status}); nothing was canceled, wait again",
            job=running[0],
            jobs=self.jobs,
        )

    def due(self) -> list[int]:
        now = time.monotonic()
        return [index for index, job in enumerate(self.jobs) if not job.finished and self._next[index] <= now]

    def pause(self) -> float:
        soonest = min(self._next[index] for index, job in enumerate(self.jobs) if not job.finished)
        if self._deadline is not None:
            soonest = min(soonest, self._deadline)
        return max(0.0, soonest - time.monotonic())

    def take(self, index: int, seen: Job | UnifiedTrainError, floor: float) -> bool:
        """Note what a look brought; whether the job changed. An error that will not pass is raised."""
        now = time.monotonic()
        waited = now - self._started
        if isinstance(seen, UnifiedTrainError):
            since = self._failing.setdefault(index, now)
            if not isinstance(seen, _PASSING) or now - since > self._polling.patience:
                raise seen
            self._next[index] = now + self._polling.delay(waited, floor=floor)
            return False
        self._failing.pop(index, None)
        before, self.jobs[index] = self.jobs[index], seen
        self._next[index] = now + self._polling.delay(waited, eta=seen.eta, floor=floor)
        return jobs.changed(before, seen)


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
