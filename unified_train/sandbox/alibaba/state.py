"""The account behind the service: trainings, generations and how they move with time. No HTTP in this file."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

if TYPE_CHECKING:
    from datetime import datetime

    from unified_train.sandbox.alibaba.switches import Switches

TOKEN = "<special-token>"  # how a prompt names the trained subject (vendor page 2850848)
MOST_IMAGES = 10  # larger numbers are cut without a word (vendor page 2850848)
MAX_SEED = 2**31 - 1
SIDE = 768  # pixels; the size of the live service's pictures is not documented

Walk: TypeAlias = tuple[tuple[str, float], ...]
# Shares of the whole duration at which each status ends. The order is that of Alibaba dossier 14, the shares are ours.
_TRAINING_WALK: Walk = (("NOT_START", 0.01), ("SUBMITTED", 0.04), ("WAIT_SCHEDULE", 0.1), ("TRAINING", 1.0))
_INFERENCE_WALK: Walk = (("NOT_START", 0.05), ("SUBMITTED", 0.1), ("WAIT_SCHEDULE", 0.15), ("INFERRING", 1.0))
_BREAKS_AT = 0.5  # a training that is to fail does so half-way
_ORDER = {name: at for at, (name, _) in enumerate(_TRAINING_WALK)}


@dataclass(slots=True)
class Photos:
    """Pictures a job was given by URL.

    Attributes:
        urls: as they were sent.
        held: what this sandbox itself stored under a URL when the job was made.
        fetched: the bytes by URL once the service looked at them, None for what is not a picture.
    """

    urls: tuple[str, ...]
    held: dict[str, bytes] = field(default_factory=dict[str, bytes])
    fetched: dict[str, bytes | None] = field(default_factory=dict[str, bytes | None])

    @property
    def bad(self) -> bool:
        """Whether one of them turned out not to be a picture."""
        return None in self.fetched.values()

    @property
    def data(self) -> list[bytes]:
        """The pictures, in the order of the URLs."""
        return [data for url in self.urls if (data := self.fetched.get(url)) is not None]


@dataclass(slots=True, kw_only=True)
class Job:
    """What a training and a generation have in common; ``date`` is aware UTC, other times are simulated seconds."""

    id: int
    born: float
    listed_from: float
    date: datetime
    duration: float
    outcome: str
    photos: Photos
    walk: ClassVar[Walk] = _TRAINING_WALK

    def share(self, now: float) -> float:
        """How much of the duration is over at ``now``, in simulated seconds: 0 to 1."""
        return min(1.0, (now - self.born) / self.duration) if self.duration else 1.0

    def listed(self, now: float) -> bool:
        """Whether the list shows the job already."""
        return now >= self.listed_from

    def wants_photos(self, now: float) -> bool:
        """Whether the service would have tried to fetch the pictures by ``now``."""
        return self.share(now) >= self.walk[-2][1]

    def status(self, now: float) -> str:
        """The status word at ``now``."""
        share = self.share(now)
        if self.photos.bad and self.wants_photos(now):
            return "WRONG_IMAGE_URL"
        if share >= (1.0 if self.outcome == "FINISHED" else _BREAKS_AT):
            return self.outcome
        return next(word for word, end in self.walk if share < end)

    def progress(self, now: float) -> float | None:
        """Progress from 0 to 1; None before the work begins and after a failure."""
        word = self.status(now)
        if word == "FINISHED":
            return 1.0
        start = self.walk[-2][1]
        return (self.share(now) - start) / (1 - start) if word == self.walk[-1][0] else None


@dataclass(slots=True, kw_only=True)
class Training(Job):
    """A training job; its model id is fixed at once but shown later."""

    name: str
    object_type: str
    model_id: str
    shown_from: str
    made: list[Inference] = field(default_factory=list)

    def visible_model_id(self, now: float) -> str | None:
        """The model id, once the service shows it. A job that failed before keeps it to itself."""
        word = self.status(now)
        if word in _ORDER:
            return self.model_id if _ORDER[word] >= _ORDER[self.shown_from] else None
        return None if word == "WRONG_IMAGE_URL" and self.shown_from == "TRAINING" else self.model_id


@dataclass(slots=True, kw_only=True)
class Inference(Job):
    """A generation, with a trained model or, in the preset family, with pictures of its own."""

    prompt_id: str
    model_id: str
    prompt: str
    seed: int
    count: int
    family: Literal["trained", "preset"]
    walk: ClassVar[Walk] = _INFERENCE_WALK
    empty: bool = False
    pictures: dict[int, bytes] = field(default_factory=dict[int, bytes])

    def status(self, now: float) -> str:
        """The status word at ``now``; a generation that is not born yet waits for a less crowded service."""
        return "TOO_MANY_INFERENCE_REQUESTS" if now < self.born else Job.status(self, now)

    def results(self, now: float) -> list[str] | None:
        """The names of the pictures, once there are some."""
        if self.status(now) != "FINISHED":
            return None
        names = [f"{index:04}.png" for index in range(0 if self.empty else self.count)]
        return names if self.family == "trained" else [f"{self.prompt_id}-{name}" for name in names]

    @property
    def addressed(self) -> bool:
        """Whether the prompt names the trained subject."""
        return TOKEN in self.prompt


class Records:
    """Everything the account has, in the order it was made."""

    def __init__(self) -> None:
        self.trainings: list[Training] = []
        self.models: dict[str, Training] = {}
        self.inferences: dict[str, Inference] = {}

    def train(
        self, name: str, object_type: str, photos: Photos, *, now: float, date: datetime, switches: Switches
    ) -> Training:
        """Note a new training."""
        job = Training(
            id=len(self.trainings) + 71,
            born=now,
            listed_from=now + switches.list_delay,
            date=date,
            duration=switches.training_seconds,
            outcome=switches.training_outcome,
            photos=photos,
            name=name,
            object_type=object_type,
            model_id=f"{object_type}_{_uuid1()}",
            shown_from=switches.model_id_appears,
        )
        self.trainings.append(job)
        self.models[job.model_id] = job
        return job

    def infer(
        self,
        model: Training | Photos,
        *,
        prompt: str,
        count: int | None,
        seed: int | None,
        now: float,
        date: datetime,
        switches: Switches,
    ) -> Inference:
        """Note a new generation with a trained model, or with pictures of its own in the preset family."""
        trained = model if isinstance(model, Training) else None
        photos = model.photos if isinstance(model, Training) else model
        outcome = switches.inference_outcome
        job = Inference(
            id=len(self.inferences) + 181,
            born=now + switches.crowded_seconds,
            listed_from=now + switches.list_delay,
            date=date,
            duration=switches.inference_seconds,
            outcome="FINISHED" if outcome == "EMPTY" else outcome,
            photos=photos,
            prompt_id=_uuid1(),
            model_id=trained.model_id if trained else f"preset_{_uuid1()}",
            prompt=prompt,
            seed=_seed(seed),
            count=min(MOST_IMAGES, max(1, 1 if count is None else count)),
            family="trained" if trained else "preset",
            empty=outcome == "EMPTY",
        )
        self.inferences[str(job.id)] = job
        if trained:
            trained.made.append(job)
        return job

    def inference(self, job_id: str, family: str) -> Inference | None:
        """The generation of this id and family."""
        job = self.inferences.get(job_id)
        return job if job is not None and job.family == family else None

    def clear(self) -> None:
        """Forget everything."""
        self.trainings.clear()
        self.models.clear()
        self.inferences.clear()


def _seed(wanted: int | None) -> int:
    # Outside the range, and presumably at -1, the service picks one (vendor page 2850848, Alibaba dossier 7).
    return wanted if wanted is not None and 0 <= wanted <= MAX_SEED else secrets.randbelow(MAX_SEED)


def _uuid1() -> str:
    # A random node: the machine's own network address has no place in an id.
    return str(uuid.uuid1(node=secrets.randbits(48) | 1 << 40, clock_seq=secrets.randbits(14)))
