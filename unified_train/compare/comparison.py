"""A comparison as plain data: what was asked of whom, what came back, and what it took."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, JsonValue, field_validator, model_validator

from unified_train import redact
from unified_train.compare import summary, texts
from unified_train.dataset import Dataset
from unified_train.errors import DatasetError, InvalidOptions
from unified_train.images import Image
from unified_train.models import Cost, GenerationRequest, Job, TrainedModel, TrainingRequest
from unified_train.records import Asked, Filled, Record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unified_train.dataset import UploadedImage
    from unified_train.models import GeneratedImage

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
PictureFile = Annotated[str, Field(pattern=r"^pictures(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$", max_length=400)]
"""A path below the report's folder; so narrow because a manifest may come from a stranger."""
Slug = Annotated[str, Field(pattern=r"^[a-z0-9_-]+$", max_length=64)]
_SAME = "give the same images in the same order"
_Index = Annotated[int, Field(ge=0)]
_Seconds = Annotated[float, Field(ge=0)]
Cell = tuple[str, int, int]
"""Slug of the vendor, index of the prompt, seed."""


class Photo(Record):
    """One image that was trained on.

    Attributes:
        name: A file name, for people.
        caption: What it shows.
        sha256: Of its bytes; None for an image that was only a URL.
    """

    name: str
    caption: str | None = None
    sha256: Sha256 | None = None

    @classmethod
    def of(cls, image: Image | UploadedImage) -> Self:
        """Take what is known of a training image.

        Raises:
            DatasetError: Its file can't be read.
        """
        unread = isinstance(image, Image) and image.remote
        return cls(name=redact.text(image.name), caption=image.caption, sha256=None if unread else image.sha256)


class Training(Record):
    """The training that every vendor was asked for, in neutral words; attributes as in `TrainingRequest`.

    Attributes:
        photos: In the order they were given.
        extra: Secrets in it are hidden.
    """

    name: str
    kind: Literal["subject", "style"] = "subject"
    trigger: str | None = None
    class_word: str | None = None
    base_model: str | None = None
    steps: int | None = None
    learning_rate: float | None = None
    rank: int | None = None
    resolution: int | None = None
    seed: int | None = None
    extra: dict[str, dict[str, JsonValue]] = {}
    photos: tuple[Photo, ...] = ()

    @field_validator("extra", mode="before")
    @classmethod
    def _redacted(cls, value: object) -> object:
        return redact.payload(value)

    @classmethod
    def of(cls, request: TrainingRequest) -> Self:
        """What a request asks for.

        Raises:
            DatasetError: An image can't be read.
        """
        facts = request.model_dump(exclude={"dataset", "labels"})
        dataset = request.dataset
        photos = tuple(Photo.of(image) for image in dataset.images)
        return cls(**facts, trigger=dataset.trigger, class_word=dataset.class_word, photos=photos)

    def request(self, dataset: Dataset) -> TrainingRequest:
        """The same request once more, on the same images.

        Raises:
            DatasetError: The images are others, or in another order.
            InvalidOptions: `extra` held a secret, which is not kept.
        """
        if redact.HIDDEN in json.dumps(self.extra):
            raise InvalidOptions("extra held a secret that was not kept; write the training request anew")
        given = [image.sha256 for image in (Photo.of(item) for item in dataset.images)]
        for number, photo in enumerate(self.photos):
            if number >= len(given) or given[number] != photo.sha256:
                raise DatasetError(f"{photo.name}: image {number + 1} is not the one that was trained on then; {_SAME}")
        if len(given) > len(self.photos):
            raise DatasetError(f"{len(given)} images were given, but {len(self.photos)} were trained on then; {_SAME}")
        again = Dataset.of(
            [
                image if (photo.caption is None or not isinstance(image, Image)) else image.with_caption(photo.caption)
                for image, photo in zip(dataset.images, self.photos, strict=True)
            ],
            trigger=self.trigger,
            class_word=self.class_word,
        )
        return TrainingRequest(dataset=again, **self.model_dump(exclude={"photos", "trigger", "class_word"}))


class PictureOptions(Record):
    """What every picture was asked for besides prompt and seed; attributes as in `GenerationRequest`."""

    negative_prompt: str | None = None
    width: Annotated[int, Field(ge=1)] | None = None
    height: Annotated[int, Field(ge=1)] | None = None
    steps: Annotated[int, Field(ge=1)] | None = None
    guidance: Annotated[float, Field(ge=0)] | None = None
    extra: dict[str, dict[str, JsonValue]] = {}

    @field_validator("extra", mode="before")
    @classmethod
    def _redacted(cls, value: object) -> object:
        return redact.payload(value)


class Entrant(Record):
    """One vendor in the comparison.

    Attributes:
        provider: Slug.
        title: The vendor's name for people.
        training: As last seen, without the vendor's raw record, which may name the account; None if a model that
            existed before was used, or the training never began.
        model: What made the pictures; None if there was none.
        error: One sentence, if the vendor dropped out.
        notes: What else is worth knowing, such as options that it does not honour.
    """

    provider: Slug
    title: Filled
    training: Job | None = None
    model: TrainedModel | None = None
    error: str | None = None
    notes: tuple[str, ...] = ()

    @field_validator("training")
    @classmethod
    def _shareable(cls, value: Job | None) -> Job | None:
        return value.model_copy(update={"raw": {}}) if value else None

    @field_validator("error")
    @classmethod
    def _redacted(cls, value: str | None) -> str | None:
        return value and redact.text(value)

    @field_validator("notes")
    @classmethod
    def _notes_redacted(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(redact.text(note) for note in value)


class Picture(Record):
    """One picture that a vendor made.

    Attributes:
        entrant: Slug of the vendor.
        prompt: Index into the comparison's prompts.
        seed: That was asked for.
        file: Below the report's folder.
        sha256: Of the file.
        media_type: Such as `image/png`.
        width: Pixels.
        height: Pixels.
        safety: As in `GeneratedImage`.
        metadata: What else the vendor says; secrets in it are hidden.
        job: Reference of the generation.
        seconds: From submission to the finished job.
        cost: Of this picture; None if unknown.
    """

    entrant: Slug
    prompt: _Index
    seed: _Index
    file: PictureFile
    sha256: Sha256
    media_type: str
    width: int | None = None
    height: int | None = None
    safety: Literal["clean", "flagged"] | None = None
    metadata: dict[str, JsonValue] = {}
    job: str | None = None
    seconds: _Seconds | None = None
    cost: Cost | None = None

    @field_validator("metadata", mode="before")
    @classmethod
    def _redacted(cls, value: object) -> object:
        return redact.payload(value)

    @property
    def cell(self) -> Cell:
        """Its place in the grid."""
        return (self.entrant, self.prompt, self.seed)

    @classmethod
    def of(
        cls,
        image: Image,
        *,
        entrant: str,
        prompt: int,
        seed: int,
        told: GeneratedImage | None = None,
        job: Job | None = None,
        seconds: float | None = None,
        cost: Cost | None = None,
    ) -> Self:
        """Take a downloaded picture, and what the vendor told of it.

        Args:
            image: Its bytes; they are not changed.
            entrant: Slug of the vendor.
            prompt: Index into the comparison's prompts.
            seed: That was asked for.
            told: The vendor's own record of the picture.
            job: The generation.
            seconds: From submission to the finished job.
            cost: Of this picture.

        Raises:
            DatasetError: The bytes are no image of a known kind.
        """
        return cls(
            entrant=entrant,
            prompt=prompt,
            seed=seed,
            file=f"pictures/{prompt + 1:02}-{entrant}-{seed}.{image.extension}",
            sha256=image.sha256,
            media_type=image.media_type,
            width=image.width,
            height=image.height,
            safety=told.safety if told else None,
            metadata=told.metadata if told else {},
            job=job.reference if job else None,
            seconds=seconds,
            cost=cost,
        )


class FailedPicture(Record):
    """One picture that a vendor did not make.

    Attributes:
        entrant: Slug of the vendor.
        prompt: Index into the comparison's prompts.
        seed: That was asked for.
        sentence: Why.
    """

    entrant: Slug
    prompt: _Index
    seed: _Index
    sentence: str

    @field_validator("sentence")
    @classmethod
    def _redacted(cls, value: str) -> str:
        return redact.text(value)

    @property
    def cell(self) -> Cell:
        """Its place in the grid."""
        return (self.entrant, self.prompt, self.seed)


class Comparison(Asked):
    """The same photographs, prompts and seeds at several vendors, and what each made of them.

    Attributes:
        title: For people.
        created_at: When it was run (aware; kept in UTC).
        training: What every vendor was asked to train; None if only models that existed before were used.
        prompts: One row of the grid each; `{subject}` stands for the trained thing.
        seeds: One picture each for every prompt and vendor.
        options: What else every picture was asked for.
        entrants: One column each.
        pictures: At most one for each place in the grid.
        failures: At most one for each place in the grid that has no picture.
    """

    title: Filled
    created_at: datetime
    training: Training | None = None
    prompts: Annotated[tuple[Filled, ...], Field(min_length=1)]
    seeds: Annotated[tuple[_Index, ...], Field(min_length=1)]
    options: PictureOptions = PictureOptions()
    entrants: Annotated[tuple[Entrant, ...], Field(min_length=1)]
    pictures: tuple[Picture, ...] = ()
    failures: tuple[FailedPicture, ...] = ()

    @field_validator("created_at")
    @classmethod
    def _aware(cls, value: datetime) -> datetime:
        if value.tzinfo is None:
            raise ValueError("must carry a time zone")
        return value.astimezone(UTC)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _unique("seed", list(self.seeds))
        _unique("vendor", [entrant.provider for entrant in self.entrants])
        _unique("file", [picture.file.casefold() for picture in self.pictures])
        cells = [*(picture.cell for picture in self.pictures), *(failure.cell for failure in self.failures)]
        _unique("place in the grid", cells)
        known = {entrant.provider for entrant in self.entrants}
        for entrant, prompt, seed in cells:
            if entrant not in known or prompt >= len(self.prompts) or seed not in self.seeds:
                raise InvalidOptions(
                    f"Comparison: the picture of {entrant!r}, prompt {prompt}, seed {seed} belongs nowhere in the grid"
                )
        return self

    @property
    def inputs(self) -> dict[str, Any]:
        """All that was asked for, as JSON values; what came back is not in it."""
        return {
            "training": self.training.model_dump(mode="json") if self.training else None,
            "prompts": list(self.prompts),
            "seeds": list(self.seeds),
            "options": self.options.model_dump(mode="json"),
            "entrants": [
                {"provider": item.provider, "model": item.model.id if item.model and not item.training else None}
                for item in self.entrants
            ],
        }

    @property
    def id(self) -> str:
        """SHA-256 of the inputs: the same question has the same id, whenever and however it is answered."""
        return digest(self.inputs)

    def requests(self) -> Iterator[tuple[int, GenerationRequest]]:
        """Every picture to ask one vendor for, with the index of its prompt, in the order of the grid."""
        options = self.options.model_dump()
        for index, prompt in enumerate(self.prompts):
            for seed in self.seeds:
                yield index, GenerationRequest(prompt=prompt, seed=seed, **options)

    def entrant(self, provider: str) -> Entrant:
        """The entrant of this slug.

        Raises:
            InvalidOptions: There is none.
        """
        for entrant in self.entrants:
            if entrant.provider == provider:
                return entrant
        known = ", ".join(item.provider for item in self.entrants)
        raise InvalidOptions(f"no vendor {provider!r} in this comparison; there are {known}")

    def to_records(self) -> list[dict[str, Any]]:
        """One flat dictionary for each picture, ready for `pandas.DataFrame`; unknown is None."""
        shared = {entrant.provider: self._facts(entrant) for entrant in self.entrants}
        return [{**shared[picture.entrant], **self._record(picture)} for picture in self.pictures]

    def _facts(self, entrant: Entrant) -> dict[str, Any]:
        """What all pictures of one vendor have in common."""
        total = summary.summarise(self, entrant)
        return {
            "comparison": self.id,
            "provider": entrant.provider,
            "vendor": entrant.title,
            "model": entrant.model.id if entrant.model else None,
            "base_model": entrant.model.base_model if entrant.model else None,
            "training": entrant.training.reference if entrant.training else None,
            "training_queued_seconds": total.queued,
            "training_running_seconds": total.running,
            **_flat_cost("training_", entrant.training.cost if entrant.training else None),
        }

    def _record(self, picture: Picture) -> dict[str, Any]:
        return {
            "prompt_index": picture.prompt,
            "prompt": self.prompts[picture.prompt],
            "seed": picture.seed,
            "file": picture.file,
            "sha256": picture.sha256,
            "media_type": picture.media_type,
            "width": picture.width,
            "height": picture.height,
            "safety": picture.safety,
            "seconds": picture.seconds,
            **_flat_cost("", picture.cost),
            "job": picture.job,
            "metadata": json.dumps(picture.metadata, ensure_ascii=False, sort_keys=True),
        }

    def table(self, width: int | None = None) -> str:
        """One line for each vendor, aligned for a monospaced font.

        Args:
            width: Columns that there are; if they are too few, one line for each fact instead, vendor below vendor.
        """
        rows = [summary.HEADINGS, *(summary.summarise(self, item).row for item in self.entrants)]
        table = texts.aligned(rows)
        if width is None or texts.columns(table.split("\n")[1]) <= width:
            return table
        return texts.stacked(rows)

    def _repr_html_(self) -> str:
        from unified_train.notebook import comparison_html

        return comparison_html(self)


def digest(value: Any) -> str:
    """Lower-case hexadecimal SHA-256 of a JSON value, whatever the order of its keys."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _flat_cost(prefix: str, cost: Cost | None) -> dict[str, Any]:
    return {
        f"{prefix}cost": cost.amount if cost else None,
        f"{prefix}cost_unit": cost.unit if cost else None,
        f"{prefix}cost_source": cost.source if cost else None,
    }


def _unique(what: str, values: list[Any]) -> None:
    twice = [value for value, count in Counter(values).items() if count > 1]
    if twice:
        raise InvalidOptions(f"Comparison: the {what} {twice[0]!r} appears twice")
