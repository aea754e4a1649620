"""The main job, done once for the contract: from images to pictures, with everything that was said on the way."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from unified_train.client import AsyncClient, Client
from unified_train.images import Image
from unified_train.models import GenerationRequest
from unified_train.policy import Retry
from unified_train.polling import Polling

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from unified_train.dataset import Dataset
    from unified_train.http import Request
    from unified_train.models import Job, TrainingRequest
    from unified_train.provider import AnyProvider
    from unified_train.testing.rehearsal import Scene

QUICK = {
    "polling": Polling(first=0.01, share=0.05, longest=0.2),
    "pace": False,
    "retry": Retry(attempts=3, first=0.01, longest=0.1),
    "journal": None,
}


def check(kept: object, otherwise: str) -> None:
    """Fail with a sentence; asserts of an installed module would not explain themselves."""
    __tracebackhide__ = True
    if not kept:
        pytest.fail(otherwise)


@dataclass(frozen=True, slots=True)
class Journey:
    """One job from images to pictures, and what was said on the way.

    Attributes:
        provider: Who did it.
        dataset: What it was trained on.
        scenes: One for each flow.
        training: Once finished.
        generation: Once finished.
        pictures: What was downloaded.
        by_reference: The finished training and generation again, found by nothing but their references.
    """

    provider: AnyProvider
    dataset: Dataset
    scenes: list[Scene]
    training: Job
    generation: Job
    pictures: list[Image]
    by_reference: tuple[Job, Job]

    def of(self, *verbs: str) -> list[Scene]:
        """Scenes of these verbs."""
        return [scene for scene in self.scenes if scene.verb in verbs]

    @property
    def requests(self) -> list[Request]:
        """Everything that was asked, in no order."""
        return [exchange.request for scene in self.scenes for exchange in scene.exchanges]

    @property
    def picture(self) -> Image:
        """One of the images that were trained on."""
        return next(image for image in self.dataset.images if isinstance(image, Image))


class Calling:
    """A client of either colour, called by the names of its methods."""

    def __init__(self, colour: str, provider: AnyProvider, options: Mapping[str, Any]) -> None:
        self._runner = asyncio.Runner() if colour == "async" else None
        self._client: Any = AsyncClient(provider, **options) if self._runner else Client(provider, **options)

    def __enter__(self) -> Callable[..., Any]:
        return self._call

    def _call(self, name: str, *arguments: Any, **options: Any) -> Any:
        result = getattr(self._client, name)(*arguments, **options)
        return result if self._runner is None else self._runner.run(result)

    def __exit__(self, *_: object) -> None:
        self._call("close")
        if self._runner:
            self._runner.close()


def travelled(
    call: Callable[..., Any],
    request: TrainingRequest,
    prompt: str,
    fast_forward: Callable[[], None],
    patience: float,
) -> tuple[Job, Job, list[Image], tuple[Job, Job]]:
    """Training, generation and pictures at the end, and both jobs again by their references."""
    training = call("train", request)
    fast_forward()
    training = call("wait", training, timeout=patience)
    generation = call("generate", training, GenerationRequest(prompt=prompt))
    fast_forward()
    generation = call("wait", generation, timeout=patience)
    pictures = call("download", generation)
    return training, generation, pictures, (call("poll", training.reference), call("poll", generation.reference))
