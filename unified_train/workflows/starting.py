"""Starting trainings and generations: checked before anything is sent, submitted at most once."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from unified_train import checks, jobs
from unified_train.dataset import UploadedImage
from unified_train.errors import ConfigurationError, InvalidOptions, UnifiedTrainError
from unified_train.flow import Workflow, blocking, gather
from unified_train.models import GenerationRequest, Job, TrainedModel, TrainingRequest
from unified_train.workflows.uploading import Uploading

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from unified_train.checks import OnUnsupported
    from unified_train.drafts import Draft
    from unified_train.images import Image
    from unified_train.policy import Conversation
    from unified_train.submission import AnySubmission
    from unified_train.submitting import Carry

_SEED_SPACE = 2**31
"""Seeds are kept below it: the smallest limit of the vendors."""


class Starting(Uploading):
    """The calls that may cost money."""

    # -- training ------------------------------------------------------------------------------------------------------

    def train(
        self, request: TrainingRequest, *, provider: str | None, on_unsupported: OnUnsupported, key: str | None
    ) -> Workflow[Job]:
        """Check everything, upload the images side by side, start."""
        return (yield from self._training(request, provider, on_unsupported, key, upload=True))

    def start_training(
        self, request: TrainingRequest, *, provider: str | None, on_unsupported: OnUnsupported, key: str | None
    ) -> Workflow[Job]:
        """Check everything and start with images that are at the vendor already."""
        checks.check_uploaded(self._talk(provider).provider, request)
        return (yield from self._training(request, provider, on_unsupported, key, upload=False))

    def _training(
        self,
        request: TrainingRequest,
        provider: str | None,
        on_unsupported: OnUnsupported,
        key: str | None,
        *,
        upload: bool,
    ) -> Workflow[Job]:
        from unified_train import drafts

        talk = self._talk(provider)
        training = self._checked(talk, request, on_unsupported)
        draft = partial(drafts.of_training, talk.provider.slug, request, on_unsupported, upload=upload)
        return (yield from self._once(talk, draft, key, self._trained(talk, training, upload=upload)))

    def _once(self, talk: Conversation, draft: Callable[[], Draft], key: str | None, carry: Carry) -> Workflow[Job]:
        """Carry out a call that may cost money: once, if there is a journal."""
        from unified_train.submission import Unrecorded
        from unified_train.submitting import Submissions

        if self.journal is not None:
            return (yield from Submissions(self.journal).once(talk, (yield from blocking(draft)), key, carry))
        if key is not None:
            raise ConfigurationError("a key needs a journal, and this client was made with journal=None")
        return (yield from carry(Unrecorded(talk)))

    def _trained(self, talk: Conversation, training: checks.Training, *, upload: bool) -> Carry:
        """How a training that was checked is carried out."""

        def carry(submission: AnySubmission) -> Workflow[Job]:
            images = training.request.dataset.images
            if not upload:
                return (yield from self._start(talk, training, submission))
            uploads = [self._uploaded(talk, image, place, submission) for place, image in enumerate(images)]
            there = yield from gather(uploads, limit=self.parallel)
            dataset = training.request.dataset.model_copy(update={"images": tuple(there)})
            ready = training._replace(request=_with_dataset(training.request, dataset))
            return (yield from self._start(talk, ready, submission))

        return carry

    def _uploaded(
        self, talk: Conversation, image: Image | UploadedImage, place: int, submission: AnySubmission
    ) -> Workflow[UploadedImage]:
        if isinstance(image, UploadedImage):
            return image
        return (yield from submission.upload(place, self._upload(talk, image)))

    def _checked(self, talk: Conversation, request: TrainingRequest, on_unsupported: OnUnsupported) -> checks.Training:
        return checks.check_training(talk.provider, request, on_unsupported, hosted=self.image_host is not None)

    def _start(self, talk: Conversation, training: checks.Training, submission: AnySubmission) -> Workflow[Job]:
        request, provider = training.request, talk.provider
        sent = request.model_copy(update={"name": submission.named(request.name)})
        snapshot = yield from submission.carry_out(0, lambda: provider.start(sent, training.options))
        job = jobs.begun(
            provider.slug,
            "training",
            snapshot,
            self.clock(),
            key=submission.key,
            name=request.name,
            trigger=request.dataset.trigger,
            class_word=request.dataset.class_word,
            base_model=snapshot.base_model or request.base_model,
            labels=request.labels,
            notes=training.notes,
        )
        talk.changed(job)
        return job

    # -- generating ----------------------------------------------------------------------------------------------------

    def generate(
        self,
        model: TrainedModel | Job,
        request: GenerationRequest | str,
        *,
        on_unsupported: OnUnsupported,
        key: str | None,
    ) -> Workflow[Job]:
        """Check, split into as many calls as the vendor needs, submit them side by side."""
        from unified_train import drafts

        trained = model_of(model)
        talk = self._talk(trained.provider)
        asked = GenerationRequest(prompt=request) if isinstance(request, str) else request
        generation = checks.check_generation(talk.provider, trained, asked, on_unsupported)
        draft = partial(drafts.of_generation, trained, asked, on_unsupported)
        return (yield from self._once(talk, draft, key, self._generated(talk, trained, generation)))

    def _generated(self, talk: Conversation, model: TrainedModel, checked: checks.Generation) -> Carry:
        """How a generation that was checked is carried out."""

        def carry(submission: AnySubmission) -> Workflow[Job]:
            generation = checked._replace(request=(yield from self._with_inputs(talk, checked.request)))
            calls = split(generation.request, talk.provider.capabilities.generation.max_per_call)
            submits = [
                self._tried(self._submit(talk, model, generation._replace(request=call), part, submission))
                for part, call in enumerate(calls)
            ]
            job = _accepted((yield from gather(submits, limit=self.parallel)))
            talk.changed(job)
            return job

        return carry

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

    def _submit(
        self,
        talk: Conversation,
        model: TrainedModel,
        generation: checks.Generation,
        part: int,
        submission: AnySubmission,
    ) -> Workflow[Job]:
        provider, request = talk.provider, submission.marked(generation.request, part)
        snapshot = yield from submission.carry_out(part, lambda: provider.generate(model, request, generation.options))
        return jobs.begun(
            provider.slug,
            "generation",
            snapshot,
            self.clock(),
            key=submission.key,
            n=request.n,
            labels=request.labels,
            notes=generation.notes,
        )


def _with_dataset(request: TrainingRequest, dataset: object) -> TrainingRequest:
    return request.model_copy(update={"dataset": dataset})


def model_of(model: TrainedModel | Job) -> TrainedModel:
    """The model to generate with.

    Raises:
        InvalidOptions: The job has none, at least not yet.
    """
    if isinstance(model, TrainedModel):
        return model
    if model.model is None:
        state = f"is {model.status}" if model.kind == "training" else "is no training"
        raise InvalidOptions(f"{model.reference} {state}, so it has no model to generate with; wait for it first")
    return model.model


def split(request: GenerationRequest, most: int) -> list[GenerationRequest]:
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
