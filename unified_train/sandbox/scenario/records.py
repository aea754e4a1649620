"""The account's records as plain data; how they look in answers is in `shapes.py`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from unified_train.sandbox.scenario.bases import Base
    from unified_train.sandbox.scenario.timeline import Timeline

AUTHOR = "apiu_sandbox"
PROJECT = "proj_sandbox"
TEAM = "team_sandbox"


@dataclass(frozen=True)
class Recipe:
    """What a generated picture is made from, until somebody asks for it."""

    photos: tuple[str, ...]
    prompt: str
    seed: int
    width: int
    height: int
    faithful: bool


@dataclass
class Asset:
    """An image of the account; its bytes are in the object store, or still a recipe."""

    id: str
    name: str
    media_type: str
    width: int
    height: int
    made: float
    created: datetime
    updated: datetime
    source: str = "uploaded"
    kind: str = "uploaded"
    size: int = 0
    description: str = ""
    caption: str = ""
    tags: list[str] = field(default_factory=list)
    collections: list[str] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    recipe: Recipe | None = None
    job: str | None = None
    model: str | None = None
    hidden: bool = False
    deleted: bool = False


@dataclass
class Upload:
    """A multi-part upload on its way to become an asset."""

    id: str
    name: str
    media_type: str
    kind: str
    size: int
    parts: int
    created: datetime
    updated: datetime
    expires: datetime
    urls: list[str]
    options: dict[str, Any]
    timeline: Timeline | None = None
    asset: str | None = None
    error: str | None = None


@dataclass
class Pair:
    """A before/after pair of an edit model."""

    instruction: str | None
    source: str | None
    target: str | None


@dataclass
class Model:
    """A model of the account, trained or to be trained; `made` is in simulated seconds."""

    id: str
    type: str
    made: float
    created: datetime
    updated: datetime
    name: str | None = None
    description: str | None = None
    tags: list[str] = field(default_factory=list)
    collections: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    trained_on: tuple[str, ...] = ()
    pairs: list[Pair] = field(default_factory=list)
    parameters: dict[str, Any] | None = None
    concepts: list[dict[str, Any]] = field(default_factory=list)
    thumbnail: str | None = None
    epoch: str | None = None
    epochs: list[tuple[str, list[str]]] = field(default_factory=list)
    training: Timeline | None = None
    shown_from: float = 0.0
    job: str | None = None
    deleted: datetime | None = None
    base: Base | None = None

    @property
    def status(self) -> str:
        """The status of now, whatever reads show during `start_lag`."""
        if self.base is not None:
            return "trained"
        if self.training is None:
            return "new"
        word = self.training.word
        return word if word in _ENDS else "training"


_ENDS = ("trained", "failed", "training-canceled")


@dataclass
class Job:
    """A training, a generation or a patch."""

    id: str
    type: str
    input: dict[str, Any]
    timeline: Timeline
    created: datetime
    cost: float
    quality_gate: float = 0.0
    outputs: Sequence[Asset] = ()
    asset_ids: list[str] | None = None
    error: str | None = None
    hint: str | None = None
    outcome: str = "success"

    @property
    def status(self) -> str:
        """The job's word of now."""
        return self.timeline.word

    @property
    def training(self) -> bool:
        """Whether this is a training, which can only be canceled on its model."""
        return self.type.endswith("model-training")
