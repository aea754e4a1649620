"""How one vendor is doing in a comparison that runs: for those who watch, and what the report will say of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from unified_train.compare.comparison import Entrant, FailedPicture, Picture
from unified_train.errors import WaitTimeout

if TYPE_CHECKING:
    from collections.abc import Callable

    from unified_train.compare.comparison import Comparison
    from unified_train.errors import UnifiedTrainError
    from unified_train.models import Job, TrainedModel

Stage: TypeAlias = Literal["waiting", "training", "generating", "done", "late", "failed"]
"""Of one vendor, the last three being ends. `late`: the time was up, and jobs still run. `failed`: no picture."""

_TRAINING = 0.7
"""Share of the whole that a training is taken for."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How one vendor is doing in a comparison.

    Attributes:
        provider: Slug.
        title: The vendor's name for people.
        stage: See `Stage`.
        share: 0 to 1, of all that is asked of it.
        job: That was started or has changed just now.
        made: Number of pictures that are in the folder.
        asked: Number of pictures that were asked for.
        errors: All that went wrong so far: what ended the vendor's part, and one for each picture that is missing.
    """

    provider: str
    title: str
    stage: Stage
    share: float
    job: Job | None
    made: int
    asked: int
    errors: tuple[UnifiedTrainError, ...]

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self.stage in {"done", "late", "failed"}


class Track:
    """What one vendor has delivered so far.

    Args:
        question: The comparison as it was asked.
        entrant: The vendor in it.
        watcher: Called with each change.
    """

    def __init__(
        self, question: Comparison, entrant: Entrant, watcher: Callable[[Progress], object] | None = None
    ) -> None:
        self.provider = entrant.provider
        self.training: Job | None = None
        self.model: TrainedModel | None = entrant.model
        self._question = question
        self._entrant = entrant
        self._watcher = watcher
        self._error: str | None = None
        self._errors: list[UnifiedTrainError] = []
        self._notes: dict[str, None] = {}
        self._pictures: list[Picture] = []
        self._failures: list[FailedPicture] = []

    @property
    def entrant(self) -> Entrant:
        """The vendor as the report has it."""
        return Entrant(
            provider=self.provider,
            title=self._entrant.title,
            training=self.training,
            model=self.model,
            error=self._error,
            notes=tuple(self._notes),
        )

    @property
    def pictures(self) -> list[Picture]:
        """Those that were made, in the order of the grid."""
        return sorted(self._pictures, key=self._place)

    @property
    def failures(self) -> list[FailedPicture]:
        """Those that are missing, in the order of the grid."""
        return sorted(self._failures, key=self._place)

    def _place(self, item: Picture | FailedPicture) -> tuple[int, int]:
        return item.prompt, self._question.seeds.index(item.seed)

    def note(self, *notes: str) -> None:
        """Keep what the report should tell, once."""
        self._notes.update(dict.fromkeys(notes))

    def add(self, picture: Picture) -> None:
        """Keep a picture that is in the folder."""
        self._pictures.append(picture)

    def fail(self, prompt: int, seed: int, error: UnifiedTrainError) -> None:
        """Keep why a picture is missing."""
        self._errors.append(error)
        failure = FailedPicture(entrant=self.provider, prompt=prompt, seed=seed, sentence=_sentence(error))
        self._failures.append(failure)

    def drop_out(self, error: UnifiedTrainError) -> None:
        """Keep why there is no model to make pictures with."""
        self._errors.append(error)
        self._error = _sentence(error)

    def tell(self, stage: Stage, job: Job | None = None) -> None:
        """Tell the watcher how it is doing."""
        if self._watcher is None:
            return
        self._watcher(
            Progress(
                provider=self.provider,
                title=self._entrant.title,
                stage=stage,
                share=self._share,
                job=job,
                made=len(self._pictures),
                asked=self._asked,
                errors=tuple(self._errors),
            )
        )

    def end(self) -> None:
        """Tell the watcher how it ended."""
        late = any(isinstance(error, WaitTimeout) for error in self._errors)
        self.tell("late" if late else "done" if self._pictures else "failed")

    @property
    def _asked(self) -> int:
        return len(self._question.prompts) * len(self._question.seeds)

    @property
    def _share(self) -> float:
        pictures = (len(self._pictures) + len(self._failures)) / self._asked
        if self._entrant.model is not None:
            return pictures
        trained = 1.0 if self.model else (self.training.progress if self.training else None) or 0.0
        return _TRAINING * trained + (1 - _TRAINING) * pictures


def _sentence(error: UnifiedTrainError) -> str:
    """What went wrong, for a report."""
    if isinstance(error, WaitTimeout):
        return (
            f"{error.job.reference} was still {error.job.status} when the time was up; nothing was canceled, and the"
            " same comparison run again goes on with it"
        )
    return str(error)
