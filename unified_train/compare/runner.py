"""Running a comparison: every vendor trains and generates at its own pace, and none waits for another or ends it."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from unified_train import downloads
from unified_train.compare import begun, page, renditions
from unified_train.compare import folder as folders
from unified_train.compare.comparison import Comparison, Picture
from unified_train.compare.interleaving import interleaved
from unified_train.compare.progress import Track
from unified_train.compare.question import models_of, question
from unified_train.compare.report import write_report
from unified_train.errors import ConfigurationError, JobFailed, UnifiedTrainError, WaitTimeout
from unified_train.flow import Workflow, blocking, gather
from unified_train.images import Image
from unified_train.jobs import ended_well

if TYPE_CHECKING:
    from collections.abc import Callable

    from unified_train.compare.begun import Book
    from unified_train.compare.comparison import Entrant
    from unified_train.compare.question import Order
    from unified_train.journal import Journal
    from unified_train.models import GenerationRequest, Job, TrainedModel
    from unified_train.workflows import Workflows


def compared(workflows: Workflows, order: Order) -> Workflow[Comparison]:
    """Run a comparison, or go on with it, and write its report; errors as `Client.compare`."""
    page.jinja()
    renditions.pillow()
    if workflows.journal is None:
        raise ConfigurationError(
            "a comparison needs a journal, and this client was made with journal=None; leave that out"
        )
    models = yield from models_of(workflows, order)
    asked = yield from blocking(partial(question, workflows, order, models))
    book = yield from blocking(partial(begun.opened, order.out, asked))
    run = _Run(workflows, workflows.journal, order, asked, book)
    try:
        entrants = [run.entrant(entrant) for entrant in asked.entrants]
        tracks = yield from interleaved(entrants, limit=len(entrants))
    except _Unwritable as error:
        raise ConfigurationError(
            f"{order.out}: can't be written ({error}); make room and run the same comparison again, which goes on where"
            " it stood"
        ) from None
    answered = Comparison(
        title=asked.title,
        created_at=book.begun.created_at,
        training=asked.training,
        prompts=asked.prompts,
        seeds=asked.seeds,
        options=asked.options,
        entrants=tuple(track.entrant for track in tracks),
        pictures=tuple(picture for track in tracks for picture in track.pictures),
        failures=tuple(failure for track in tracks for failure in track.failures),
    )
    trained_on = order.training.dataset.images if order.training else ()
    photos = [image for image in trained_on if isinstance(image, Image)]
    yield from blocking(partial(write_report, answered, order.out, images=photos))
    return answered


class _Unwritable(Exception):
    """The folder takes no picture: that is not one vendor's failure, so that it ends them all."""


class _Run:
    """One go at a comparison: what was begun before is gone on with.

    Args:
        workflows: The client's verbs.
        journal: That they keep.
        order: What was wished for.
        asked: The comparison without answers.
        book: What its folder knows.
    """

    def __init__(self, workflows: Workflows, journal: Journal, order: Order, asked: Comparison, book: Book) -> None:
        self._workflows = workflows
        self._journal = journal
        self._order = order
        self._asked = asked
        self._book = book
        self._deadline = None if order.timeout is None else time.monotonic() + order.timeout

    def entrant(self, entrant: Entrant) -> Workflow[Track]:
        """All that is asked of one vendor; whatever goes wrong there is kept, and not raised."""
        track = Track(self._asked, entrant, self._order.progress)
        track.tell("waiting")
        try:
            if track.provider in self._order.absent:
                raise self._order.absent[track.provider]
            track.model = track.model or (yield from self._trained(track))
        except UnifiedTrainError as error:
            track.drop_out(error)
        else:
            pictures = [self._picture(track, *request) for request in self._requests(track)]
            yield from gather(pictures, limit=self._workflows.parallel)
        track.end()
        return track

    def _trained(self, track: Track) -> Workflow[TrainedModel | None]:
        """Train a model of the vendor's own."""
        if self._order.training is None:
            raise AssertionError("unreachable")
        train = partial(
            self._workflows.train,
            self._order.training,
            provider=track.provider,
            on_unsupported=self._order.on_unsupported,
        )
        name = f"{track.provider}-training"

        def see(job: Job) -> None:
            track.training = job
            track.tell("training", job)

        ended = yield from self._awaited(name, train, see)
        if name in self._book.begun.unwatched:
            track.note("nobody looked for a while as it trained: its times are those until somebody did")
        return ended.model

    def _requests(self, track: Track) -> list[tuple[int, int, GenerationRequest]]:
        """Every picture to ask for: index of the prompt, seed, and the request as the vendor can honour it."""
        provider = self._workflows.provider(track.provider)
        requests = [(index, request.seed or 0, request) for index, request in self._asked.requests()]
        if "seed" in provider.capabilities.generation.options:
            return requests
        track.note(f"{provider.title} takes no seeds: its pictures of one prompt differ by chance")
        return [(index, seed, request.model_copy(update={"seed": None})) for index, seed, request in requests]

    def _picture(self, track: Track, prompt: int, seed: int, request: GenerationRequest) -> Workflow[None]:
        """One picture, from asking for it to having it in the folder."""
        try:
            picture = yield from self._made(track, prompt, seed, request)
        except UnifiedTrainError as error:
            track.fail(prompt, seed, error)
        else:
            track.add(picture)
        track.tell("generating")

    def _made(self, track: Track, prompt: int, seed: int, request: GenerationRequest) -> Workflow[Picture]:
        if track.model is None:
            raise AssertionError("unreachable")
        generate = partial(
            self._workflows.generate,
            track.model,
            request,
            on_unsupported=self._order.pictures_on_unsupported,
        )
        name = f"{track.provider}-{prompt + 1}-{seed}"
        job = yield from self._awaited(name, generate, partial(track.tell, "generating"))
        track.note(*job.notes)
        if not job.images:
            raise JobFailed(f"{job.reference} ended ({job.raw_status}) without a picture", job=job)
        image = yield from self._fetched(job, f"{prompt + 1:02}-{track.provider}-{seed}")
        unwatched = name in self._book.begun.unwatched
        picture = Picture.of(
            image,
            entrant=track.provider,
            prompt=prompt,
            seed=seed,
            told=job.images[0],
            job=job,
            seconds=None if unwatched else (job.history[-1].at - job.history[0].at).total_seconds(),
            cost=job.cost,
        )
        yield from blocking(partial(self._placed, image, picture))
        return picture

    def _fetched(self, job: Job, stem: str) -> Workflow[Image]:
        """The picture of a generation: as it is in the folder, or else from the vendor."""
        there = yield from blocking(partial(self._there, stem))
        if there is not None:
            return there
        image = (yield from self._workflows.download(job, None))[0]
        # One that the report can't show must not cost all the others their report.
        yield from blocking(lambda: renditions.decoded(image.read(), f"the picture of {job.reference}"))
        return image

    def _there(self, stem: str) -> Image | None:
        """The picture that is in the folder by this name; one that was changed since the last report is none."""
        image = downloads.finished(self._order.out / "pictures", stem)
        known = folders.recorded_hashes(self._order.out)
        if image is None or known.get(f"pictures/{image.name}", image.sha256) != image.sha256:
            return None
        return image

    def _placed(self, image: Image, picture: Picture) -> None:
        target = self._order.out / picture.file
        if image.path is None:
            try:
                image.save(target)
            except OSError as error:
                raise _Unwritable(error.strerror) from None

    # -- calls ---------------------------------------------------------------------------------------------------------

    def _awaited(self, name: str, call: Callable[..., Workflow[Job]], see: Callable[[Job], None]) -> Workflow[Job]:
        """The job of a call when it has ended well.

        Args:
            name: Of the call within this comparison.
            call: Makes it, with a key; the same key gives the same job, however often it is asked for.
            see: Called with the job as it is found, and whenever it has changed.
        """
        job = yield from self._begun(name, call)
        see(job)
        timeout = None if self._deadline is None else max(0.0, self._deadline - time.monotonic())
        try:
            (ended,) = yield from self._workflows.wait([job], timeout=timeout, progress=see)
        except WaitTimeout as error:
            yield from blocking(partial(self._book.keep, name, error.job))
            raise
        yield from blocking(partial(self._book.keep, name, ended))
        return ended_well(ended)

    def _begun(self, name: str, call: Callable[..., Workflow[Job]]) -> Workflow[Job]:
        key = self._book.key(name)
        kept = self._book.begun.jobs.get(name)
        if kept is not None:
            job, new = (yield from blocking(partial(self._journal.job, kept.reference))) or kept, False
        else:
            before = yield from blocking(partial(self._journal.intent, key))
            job = yield from call(key=key)
            new = before is None or before.state == "refused"
        yield from blocking(partial(self._book.keep, name, job, unwatched=not new and not job.finished))
        return job
