"""Trainings and generations as functions of time: no job has a thread, each look computes where it stands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from unified_train.sandbox.novita import facts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from unified_train.sandbox.novita.switches import Ending

Kind = Literal["style", "subject"]

# Shares of a training's whole duration: waiting, training, a success without a model, a model that is not served yet.
_QUEUED, _TRAINED, _MODEL = 0.1, 0.9, 0.925
_FAILS_AT = 0.5
_STARTS_AT = 0.2

# Words that a picture's description may share with any other; what remains of a caption addresses the trained thing.
_COMMON = frozenset(
    {"a", "an", "the", "of", "in", "on", "at", "with", "and", "to", "by", "from", "is", "close", "up", "front", "side"}
    | {"photo", "picture", "image", "portrait", "drawing", "painting", "style", "face", "view"}
    | {"person", "man", "woman", "boy", "girl", "dog", "cat"}
)


@dataclass(frozen=True, slots=True)
class TrainingView:
    """Where a training stands: the vendor's words, whole percents and simulated seconds."""

    task_status: str
    model_status: str | None = None
    progress: int = 0
    eta: int = 0


@dataclass
class Training:
    """One accepted training; times are simulated seconds of the clock, `created_at` is unix time."""

    id: str
    kind: Kind
    name: str
    base_model: str
    photos: tuple[str, ...]
    words: frozenset[str]
    started: float
    created_at: float
    seconds: float
    outcome: Ending
    stuck: bool
    model_name: str
    looks: int = 0

    def view(self, now: float) -> TrainingView:
        """Where it stands; a training that is not to succeed ends halfway."""
        share = self._share(now)
        if share < _QUEUED:
            return TrainingView("QUEUING", eta=self._left(share))
        if self.outcome != "SUCCESS" and share >= _FAILS_AT:
            return TrainingView(self.outcome)
        if share < _TRAINED:
            progress = round(100 * (share - _QUEUED) / (_TRAINED - _QUEUED))
            return TrainingView("TRAINING", progress=min(progress, 99), eta=self._left(share))
        return self._trained(share)

    def _trained(self, share: float) -> TrainingView:
        if share < _MODEL:
            return TrainingView("SUCCESS", progress=100)
        return TrainingView("SUCCESS", "DEPLOYING" if self.stuck or share < 1 else "SERVING", progress=100)

    def serves(self, now: float) -> bool:
        """Whether its LoRA can be used."""
        return self.view(now).model_status == "SERVING"

    def ended(self, now: float) -> bool:
        """Whether nothing will change any more."""
        return self.view(now).task_status in ("FAILED", "CANCELED") or self.serves(now)

    @property
    def api_name(self) -> str:
        """The LoRA's name without its extension, which generation takes as well (Novita dossier 5.3)."""
        return self.model_name.removesuffix(".safetensors")

    @property
    def family(self) -> str | None:
        """`SD 1.5` or `SDXL 1.0`, where it is known."""
        return facts.BASE_MODELS[self.base_model].family

    def addressed_by(self, prompt: str) -> bool:
        """Whether a prompt speaks of the trained thing: in a word that all training texts share, if there is one."""
        return not self.words or bool(self.words & words(prompt))

    def _share(self, now: float) -> float:
        return (now - self.started) / self.seconds if self.seconds else 1.0

    def _left(self, share: float) -> int:
        return round((_TRAINED - share) * self.seconds)


def words(text: str) -> frozenset[str]:
    """The words of a text without those that any description may have."""
    return frozenset(re.findall(r"\w+", text.lower())) - _COMMON


def shared_words(texts: Iterable[str]) -> frozenset[str]:
    """The words that every text has; none if there is no text."""
    found = [words(text) for text in texts]
    return frozenset.intersection(*found) if found else frozenset()


@dataclass(frozen=True, slots=True)
class Ask:
    """What a generation was asked for, checked."""

    task_type: Literal["TXT_TO_IMG", "IMG_TO_IMG"]
    prompt: str
    width: int
    height: int
    count: int
    seed: int
    image_type: str
    checkpoint: str
    loras: tuple[tuple[str, float], ...]
    source: bytes | None
    nsfw_check: bool
    webhook: Webhook | None


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where to report; `mock` is the status that test mode reports without a run."""

    url: str
    mock: str | None
    echo: dict[str, object]


@dataclass(frozen=True, slots=True)
class GenerationView:
    """Where a generation stands: the vendor's words, whole percents and simulated seconds."""

    status: str
    reason: str = ""
    eta: int = 0
    progress: int = 0


@dataclass
class Generation:
    """One accepted generation; `reason` says why it will fail, if it will."""

    id: str
    ask: Ask
    photos: tuple[bytes, ...]
    faithful: bool
    reason: str
    started: float
    seconds: float
    looks: int = 0

    def view(self, now: float) -> GenerationView:
        """Where it stands; success shows no progress, as in every sample of the vendor (Novita dossier 5.4)."""
        share = (now - self.started) / self.seconds if self.seconds else 1.0
        if share < _STARTS_AT:
            return GenerationView("TASK_STATUS_QUEUED")
        if share < 1:
            left = (1 - share) * self.seconds
            return GenerationView("TASK_STATUS_PROCESSING", eta=round(left), progress=int(share * 100))
        if self.reason:
            return GenerationView("TASK_STATUS_FAILED", reason=self.reason)
        return GenerationView("TASK_STATUS_SUCCEED")

    def ended(self, now: float) -> bool:
        """Whether nothing will change any more."""
        return self.view(now).status in ("TASK_STATUS_SUCCEED", "TASK_STATUS_FAILED")
