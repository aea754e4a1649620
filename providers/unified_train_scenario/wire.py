"""Scenario's answers, as far as they are read; records are always wrapped: `{"model": {…}}` (Scenario dossier 13)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, JsonValue

from unified_train import Wire


def _fraction(value: object) -> object:
    """0 to 1; more than 1 is taken as percent, since the scale of a model's progress is unknown (dossier 4.4)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return min(1.0, max(0.0, value / 100 if value > 1 else float(value)))


def _date(value: object) -> object:
    """An aware date, or None for anything else: dates are never worth failing for."""
    try:
        date = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return date if date is None or date.tzinfo else date.replace(tzinfo=UTC)


def _seed(value: object) -> object:
    """A whole number; the vendor writes it as a string (Scenario dossier 7)."""
    try:
        return int(value) if isinstance(value, str | int) else None
    except ValueError:
        return None


Fraction = Annotated[float | None, BeforeValidator(_fraction)]
Date = Annotated[datetime | None, BeforeValidator(_date)]
Seed = Annotated[int | None, BeforeValidator(_seed)]


class Progress(Wire):
    """`model.trainingProgress`; may be an empty object."""

    stage: str | None = None
    progress: Fraction = None
    position: float | None = None
    remaining_ms: float | None = Field(default=None, alias="remainingTimeMs")


class Concept(Wire):
    """A LoRA with its strength."""

    model: str = Field(alias="modelId")
    scale: float


class TrainingImage(Wire):
    """A training image; its id is an asset id (Scenario dossier 3.3).

    Attributes:
        id: Of the asset.
        name: Original file name.
        description: The caption that a training uses.
        automatic_caption: The vendor's own, used where there is no description.
        url: Of the file; signed, so it expires and is as good as a key.
        created: When it was attached.
    """

    id: str
    name: str | None = None
    description: str | None = None
    automatic_caption: str | None = Field(default=None, alias="automaticCaptioning")
    url: str | None = Field(default=None, alias="downloadUrl", repr=False)
    created: Date = Field(default=None, alias="createdAt")


class TrainingImageAnswer(Wire):
    """The answer to attaching images: one image, even for a batch (Scenario dossier 3.3)."""

    image: TrainingImage = Field(alias="trainingImage")


class PairRecord(Wire):
    """A before/after pair as the vendor tells it: asset ids."""

    instruction: str | None = None
    source: str | None = Field(default=None, alias="sourceId")
    target: str | None = Field(default=None, alias="targetId")


class PairsAnswer(Wire):
    """The pairs of a model after all of them were replaced."""

    pairs: tuple[PairRecord, ...]


class Model(Wire):
    """A model; whether it is trained decides over any job."""

    id: str
    status: str = ""
    type: str = ""
    name: str | None = None
    custom: bool = False
    inputs: tuple[Any, ...] | None = None
    ui: dict[str, Any] | None = Field(default=None, alias="uiConfig")
    concepts: tuple[Concept, ...] | None = None
    job: str | None = Field(default=None, alias="jobId")
    progress: Progress | None = Field(default=None, alias="trainingProgress")
    images: tuple[TrainingImage, ...] | None = Field(default=None, alias="trainingImages")
    images_number: int | None = Field(default=None, alias="trainingImagesNumber")
    pairs: tuple[PairRecord, ...] | None = Field(default=None, alias="trainingImagePairs")
    created: Date = Field(default=None, alias="createdAt")


class ModelAnswer(Wire):
    """One model."""

    model: Model


class ModelPage(Wire):
    """A page of models; the token decides whether there are more (Scenario dossier 1.2)."""

    models: tuple[dict[str, Any], ...]
    token: str | None = Field(default=None, alias="nextPaginationToken")


class Billing(Wire):
    """What a job costs in creative units; add-ons stand apart (Scenario dossier 5)."""

    cost: float | None = Field(default=None, alias="cuCost")
    details: dict[str, float | None] | None = Field(default=None, alias="cuCostDetails")
    disable_refund: bool = Field(default=False, alias="disableRefund")

    @property
    def total(self) -> float | None:
        """Main action and add-ons; None if the vendor says nothing."""
        return None if self.cost is None else self.cost + sum(value or 0 for value in (self.details or {}).values())


class Metadata(Wire):
    """`job.metadata`; its `input` is an echo of the request (Scenario dossier 5)."""

    asset_ids: tuple[str, ...] | None = Field(default=None, alias="assetIds")
    error: str | None = None
    hint: str | None = None
    input: Any = None


class JobRecord(Wire):
    """A job: `jobId` and `jobType`, not `id` and `type` (Scenario dossier 13, trap 1)."""

    id: str = Field(alias="jobId", min_length=1)
    type: str = Field(default="", alias="jobType")
    status: str = ""
    progress: Fraction = None
    metadata: Metadata = Field(default_factory=Metadata)
    billing: Billing | None = None
    created: Date = Field(default=None, alias="createdAt")
    updated: Date = Field(default=None, alias="updatedAt")


class JobAnswer(Wire):
    """One job."""

    job: JobRecord


class IpDetection(Wire):
    """The enterprise check of training images and prompts, whose fee comes on top of the price (dossier 4.1)."""

    charged: float | None = Field(default=None, alias="creativeUnitsCharged")


class AcceptedJob(JobAnswer):
    """A job just made, with its price; without a `jobId` nothing was made (Scenario dossier 13, trap 8)."""

    cost: float | None = Field(default=None, alias="creativeUnitsCost")
    discount: float | None = Field(default=None, alias="creativeUnitsDiscount")
    ip: IpDetection | None = Field(default=None, alias="ipDetection")
    model: Model | None = None


class TrainAnswer(Wire):
    """The answer to starting a training, as far as it tells which of the two it shows."""

    job: Any = None
    model: Model | None = None


class Started(Wire):
    """Whether a dry run made a job after all; it is there without an id in some answers (Scenario dossier 4.3)."""

    id: str | None = Field(default=None, alias="jobId")


class Estimate(Wire):
    """A price without a job, in either of two spellings (Scenario dossier 4.3)."""

    cost: float | None = Field(default=None, alias="creativeUnitsCost")
    estimated: float | None = Field(default=None, alias="estimatedCost")
    job: Started | None = None

    @property
    def amount(self) -> float | None:
        """Creative units; None if the answer names no price."""
        return self.estimated if self.cost is None else self.cost


class JobPage(Wire):
    """A page of jobs."""

    jobs: tuple[dict[str, Any], ...]
    token: str | None = Field(default=None, alias="nextPaginationToken")


class Properties(Wire):
    """`asset.properties`; only the size is required by the vendor's types."""

    width: int | None = None
    height: int | None = None


class AssetMetadata(Wire):
    """`asset.metadata`, as far as it is read."""

    width: int | None = None
    height: int | None = None
    seed: Seed = None
    prompt: str | None = None
    model: str | None = Field(default=None, alias="modelId")


class Asset(Wire):
    """An uploaded or generated image; its URL is signed and expires."""

    id: str = Field(min_length=1)
    url: str = ""
    status: str = "success"
    media_type: str | None = Field(default=None, alias="mimeType")
    properties: Properties = Field(default_factory=Properties)
    metadata: AssetMetadata = Field(default_factory=AssetMetadata)
    nsfw: tuple[str, ...] | None = None

    @property
    def facts(self) -> dict[str, JsonValue]:
        """What is kept of it beyond the neutral fields."""
        known: dict[str, JsonValue] = {
            "prompt": self.metadata.prompt,
            "modelId": self.metadata.model,
            "nsfw": list(self.nsfw) if self.nsfw else None,
        }
        return {name: value for name, value in known.items() if value is not None}


class AssetAnswer(Wire):
    """One asset."""

    asset: Asset


class PatchAnswer(AcceptedJob):
    """A patch just made; if its asset is there, so is the result (Scenario dossier 6.4)."""

    asset: Asset | None = None


class AssetsAnswer(Wire):
    """Several assets, in no promised order and without the unknown ones (Scenario dossier 6.3)."""

    assets: tuple[Asset, ...]


class Part(Wire):
    """Where one part of an upload goes; the URL is presigned, as good as a key."""

    number: int
    url: str = Field(repr=False)


class Upload(Wire):
    """An upload in parts, on its way to become an asset (Scenario dossier 2.2)."""

    id: str = Field(min_length=1)
    status: str = ""
    parts: tuple[Part, ...] | None = None
    asset: str | None = Field(default=None, alias="entityId")
    error: str | None = Field(default=None, alias="errorMessage")


class UploadAnswer(Wire):
    """One upload."""

    upload: Upload
