"""The neutral, frozen values: what users ask for and what they get."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, field_validator

from unified_train.dataset import Dataset  # noqa: TC001 - pydantic reads it at run time
from unified_train.errors import DatasetError, InvalidOptions
from unified_train.images import Image
from unified_train.records import Asked, Filled, Record
from unified_train.status import Status

JobKind = Literal["training", "generation"]
SUBJECT = "{subject}"
"""Stands in a prompt for the trained thing."""

_REFERENCE = re.compile(r"(?P<provider>[a-z0-9_-]+):(?P<kind>training|generation):(?P<id>.+)", re.DOTALL)
_Positive = Annotated[int, Field(ge=1)]


class TrainingRequest(Asked):
    """What to train.

    Attributes:
        name: Yours; the vendor shows it.
        dataset: The images with captions, trigger and class word.
        kind: `subject` for one person, pet or product; `style` for a look.
        base_model: The vendor's name of the model to train on; None for the provider's default.
        steps: Optimisation steps in all.
        learning_rate: Such as 1e-4.
        rank: Of the LoRA.
        resolution: Side of the square training pictures, in pixels.
        seed: For a repeatable training.
        extra: Vendor-only options by slug: `{"novita": {"lr_scheduler": "cosine"}}`.
        labels: Yours; carried on the job, not sent.
    """

    name: Annotated[Filled, Field(max_length=64)]
    dataset: Dataset
    kind: Literal["subject", "style"] = "subject"
    base_model: str | None = None
    steps: _Positive | None = None
    learning_rate: Annotated[float, Field(gt=0)] | None = None
    rank: _Positive | None = None
    resolution: _Positive | None = None
    seed: Annotated[int, Field(ge=0)] | None = None
    extra: dict[str, dict[str, Any]] = {}
    labels: dict[str, str] = {}


class GenerationRequest(Asked):
    """What to generate.

    Attributes:
        prompt: `{subject}` in it stands for the trained thing.
        negative_prompt: What to keep out of the pictures.
        n: Number of pictures; more than a vendor makes in one call are split over several.
        width: Pixels.
        height: Pixels.
        seed: Same model, request and seed: the same pictures, where the vendor keeps that promise.
        steps: Of denoising.
        guidance: How strictly to follow the prompt.
        image: To start from (image to image); whatever `Image.of` takes.
        strength: How far the result may leave `image`: 0 not at all, 1 altogether.
        references: Pictures to be guided by.
        extra: Vendor-only options by slug.
        labels: Yours; carried on the job, not sent.
    """

    prompt: Filled
    negative_prompt: str | None = None
    n: _Positive = 1
    width: _Positive | None = None
    height: _Positive | None = None
    seed: Annotated[int, Field(ge=0)] | None = None
    steps: _Positive | None = None
    guidance: Annotated[float, Field(ge=0)] | None = None
    image: Image | None = None
    strength: Annotated[float, Field(ge=0, le=1)] | None = None
    references: tuple[Image, ...] = ()
    extra: dict[str, dict[str, Any]] = {}
    labels: dict[str, str] = {}

    @field_validator("image", mode="before")
    @classmethod
    def _image(cls, value: object) -> object:
        return None if value is None else Image.of(value)

    @field_validator("references", mode="before")
    @classmethod
    def _references(cls, value: object) -> object:
        if isinstance(value, str | bytes) or not isinstance(value, Iterable):
            raise DatasetError("references must be a list of images")
        return tuple(Image.of(item) for item in value)


class Cost(Record):
    """What something cost, as far as anybody told; an unknown cost is None, never 0.

    Attributes:
        amount: In `unit`.
        unit: `CU` (creative units), `credits`, `USD`.
        source: Who says so, such as `train answer`.
    """

    amount: float
    unit: str
    source: str


class Failure(Record):
    """Why a job failed.

    Attributes:
        message: The vendor's text, or that it gives none.
        code: A word to branch on, if there is one.
        hint: What to do about it.
    """

    message: str
    code: str | None = None
    hint: str | None = None


class TrainedModel(Record):
    """A model that can be used; what `generate` takes.

    Attributes:
        provider: Slug of the vendor that holds it.
        id: The vendor's, opaque.
        name: Yours.
        trigger: The word that stands for the trained thing.
        class_word: What kind of thing it is.
        base_model: What it was trained on.
    """

    provider: str
    id: str
    name: str | None = None
    trigger: str | None = None
    class_word: str | None = None
    base_model: str | None = None

    @property
    def phrase(self) -> str:
        """Trigger and class word, as prompts have them: `ohwx cat`."""
        return " ".join(filter(None, [self.trigger, self.class_word]))


class GeneratedImage(Record):
    """One picture that a vendor holds; `client.download` brings its bytes.

    Attributes:
        id: The vendor's, or its position; never a URL, since these expire and are secrets.
        media_type: As the vendor says, if it does.
        width: Pixels.
        height: Pixels.
        seed: That it was made with, if the vendor tells.
        safety: `flagged` if the vendor's check found something, `clean` if not, None if it was not checked (yet).
        metadata: What else the vendor says.
    """

    id: str
    media_type: str | None = None
    width: int | None = None
    height: int | None = None
    seed: int | None = None
    safety: Literal["clean", "flagged"] | None = None
    metadata: dict[str, JsonValue] = {}

    def _repr_html_(self) -> str:
        from unified_train.notebook import generated_html

        return generated_html(self)


class Change(Record):
    """One step of a job's history: from `at` on it was so.

    Attributes:
        at: When we first saw it (aware, UTC).
        status: Neutral.
        raw_status: The vendor's word.
        phase: A finer step inside a status, such as `deploying`.
    """

    at: datetime
    status: Status
    raw_status: str | None = None
    phase: str | None = None


class Snapshot(Record):
    """What a vendor's answer says about one job; providers make these, the core makes jobs of them.

    Attributes:
        id: Opaque; holds whatever the provider needs to find the job again.
        status: Neutral.
        raw_status: The vendor's word, verbatim; None if it said none.
        phase: A finer step inside a status.
        progress: 0 to 1.
        eta: Seconds to the end, as the vendor estimates.
        model: Only when it is usable.
        images: Only when they can be fetched.
        error: Only with `failed`.
        cost: None if unknown.
        created_at: Aware.
        name: As the vendor shows it, in listings.
        base_model: As chosen or reported.
        notes: Sentences a user should read, such as what was sent otherwise than asked.
        raw: The vendor's own record.
    """

    id: str
    status: Status
    raw_status: str | None = None
    phase: str | None = None
    progress: Annotated[float, Field(ge=0, le=1)] | None = None
    eta: Annotated[float, Field(ge=0)] | None = None
    model: TrainedModel | None = None
    images: tuple[GeneratedImage, ...] = ()
    error: Failure | None = None
    cost: Cost | None = None
    created_at: datetime | None = None
    name: str | None = None
    base_model: str | None = None
    notes: tuple[str, ...] = ()
    raw: dict[str, Any] = {}


class Job(Record):
    """One training or generation at a vendor, as last seen; frozen, and safe to store as JSON.

    `Job.model_validate_json(job.model_dump_json())` in another process is as good as the original, and so is its
    `reference` for polling and waiting.

    Attributes:
        provider: Slug of the vendor.
        kind: `training` or `generation`.
        id: The provider's, opaque.
        status: Neutral.
        raw_status: The vendor's word for it.
        phase: A finer step inside a status, such as `deploying`.
        progress: 0 to 1, if known.
        eta: Seconds to the end, as the vendor estimates.
        model: Of a training: the trained model, once it is usable.
        n: Of a generation: how many pictures were asked for.
        images: Of a generation: its pictures, once they can be downloaded.
        error: Why it failed.
        cost: None if unknown.
        created_at: As the vendor says, else when we first saw it (aware, UTC).
        updated_at: When it was last polled (aware, UTC).
        key: Of the call that started it, in the journal.
        name: Of the training.
        trigger: Of the training.
        class_word: Of the training.
        base_model: Of the training.
        labels: Yours.
        notes: What was dropped, mapped or is worth knowing.
        history: Every change seen.
        parts: Of a generation that was split over several calls: one job each.
        raw: The vendor's last record, without secrets.
    """

    provider: str
    kind: JobKind
    id: str
    status: Status = Status.UNKNOWN
    raw_status: str | None = None
    phase: str | None = None
    progress: float | None = None
    eta: float | None = None
    model: TrainedModel | None = None
    n: int | None = None
    images: tuple[GeneratedImage, ...] = ()
    error: Failure | None = None
    cost: Cost | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    key: str | None = None
    name: str | None = None
    trigger: str | None = None
    class_word: str | None = None
    base_model: str | None = None
    labels: dict[str, str] = {}
    notes: tuple[str, ...] = ()
    history: tuple[Change, ...] = ()
    parts: tuple[Job, ...] = ()
    raw: dict[str, Any] = {}

    @field_validator("created_at", "updated_at")
    @classmethod
    def _aware(cls, value: datetime | None) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("must carry a time zone")
        return value

    @property
    def reference(self) -> str:
        """A string that finds the job again, such as `novita:training:style/3c0f0a52`."""
        return f"{self.provider}:{self.kind}:{self.id}"

    @property
    def finished(self) -> bool:
        """Whether no later answer can change it."""
        return self.status.finished

    def _repr_html_(self) -> str:
        from unified_train.notebook import job_html

        return job_html(self)

    @classmethod
    def from_reference(cls, reference: str) -> Job:
        """A job of which nothing is known but where to ask.

        Raises:
            InvalidOptions: It is no reference.
        """
        found = _REFERENCE.fullmatch(reference.strip())
        if not found:
            raise InvalidOptions(
                f"{reference!r} is no job reference; it looks like provider:training:id or provider:generation:id"
            )
        return cls.model_validate(found.groupdict())

    def trained(self, model_id: str, *, base_model: str | None = None) -> TrainedModel:
        """The model of this training, for providers to put on its last snapshot."""
        return TrainedModel(
            provider=self.provider,
            id=model_id,
            name=self.name,
            trigger=self.trigger,
            class_word=self.class_word,
            base_model=base_model or self.base_model,
        )
