"""`unified_train`, as its users use it; only the vendors' published pace is not kept, which would be all that shows."""

from __future__ import annotations

import json
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.performance.contenders import Contender

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.performance.cases import Case


def client_options(case: Case, url: str) -> dict[str, Any]:
    """What both colours are given, so that nothing of the user's own configuration is read."""
    from unified_train import Config

    environ = {name: value.replace("{server}", url) for name, value in case.environ.items()}
    return {"config": Config(environ=environ), "pace": False}


def jobs(case: Case, count: int) -> list[Any]:
    """As many running jobs, each with an id of its own; the first has the recorded one."""
    from unified_train import Job

    job = Job.model_validate_json(case.job)
    return [job, *(job.model_copy(update={"id": f"{job.id}-{number}"}) for number in range(1, count))]


def training(images: Sequence[Any]) -> Any:
    """What all trainings here are asked for as."""
    from unified_train import Dataset, TrainingRequest

    dataset = Dataset.of(images, trigger="ohwx", class_word="woman")  # a person, whom Novita trains as a subject
    return TrainingRequest(name="bench", kind="subject", dataset=dataset)


def _action(client: Any, case: Case, count: int) -> Any:
    """What is done with a client of either colour."""
    from unified_train import GenerationRequest, TrainedModel, UploadedImage

    if case.what.endswith("poll"):
        known = jobs(case, count)
        return lambda number: client.poll(known[number])
    if case.what == "training.start":
        asked = training([UploadedImage.model_validate(image) for image in json.loads(case.request)])
        return lambda _: client.start_training(asked)
    model, wanted = TrainedModel.model_validate_json(case.model), GenerationRequest.model_validate_json(case.request)
    return lambda _: client.generate(model, wanted)


class _Sync:
    def __init__(self, case: Case, url: str, count: int, *, journal: bool = False) -> None:
        from unified_train import Client

        self._folder = tempfile.TemporaryDirectory()
        path = Path(self._folder.name) / "journal.sqlite" if journal else None
        self._client = Client(case.vendor, journal=path, **client_options(case, url))
        self._do = _action(self._client, case, count)

    def __call__(self, number: int = 0) -> Any:
        return self._do(number)

    def close(self) -> None:
        self._client.close()
        self._folder.cleanup()


class _Async:
    def __init__(self, case: Case, url: str, count: int, **options: Any) -> None:
        from unified_train import AsyncClient

        self.client = AsyncClient(case.vendor, journal=None, **client_options(case, url), **options)
        self._do = _action(self.client, case, count)

    def __call__(self, number: int = 0) -> Any:
        return self._do(number)

    async def close(self) -> None:
        await self.client.close()


AIOHTTP: dict[str, Any] = {"http": "aiohttp"}
"""How the faster transport is asked for."""

CONTENDERS = (
    Contender("ours, sync", (), _Sync),
    Contender("ours, async", (), _Async, asynchronous=True),
    Contender("ours, async, aiohttp", ("aiohttp",), partial(_Async, **AIOHTTP), asynchronous=True, extra="aiohttp"),
    Contender(
        "ours, sync, journal",
        (),
        partial(_Sync, journal=True),
        cases=frozenset(
            f"{vendor} {what}.start"
            for vendor in ("scenario", "alibaba", "novita")
            for what in ("training", "generation")
        ),
    ),
)
