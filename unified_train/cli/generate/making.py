"""Pictures from request to file: all requests are submitted, then waited for together, then brought home."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from unified_train import Client, Status, UnifiedTrainError
from unified_train.cli import calls
from unified_train.cli.app import FAILED, PARTLY, exit_code, remark, sentence
from unified_train.cli.generate.asking import asked_for, model_for, training_of
from unified_train.cli.jobs import records, texts
from unified_train.cli.jobs.sources import journal_at, vendor
from unified_train.cli.jobs.waiting import look_on

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from unified_train import Job, TrainedModel
    from unified_train.cli.generate.asking import Asked, Wish


@dataclass(slots=True)
class _Yield:
    """What has come of it so far."""

    seen: dict[str, Job] = field(default_factory=dict)
    files: dict[str, list[Path]] = field(default_factory=dict)
    errors: list[UnifiedTrainError] = field(default_factory=list)

    def tell(self, *, as_json: bool) -> None:
        """Print it."""
        if as_json:
            told = [{**records.of_job(job), "files": self._files(job)} for job in self.seen.values()]
            click.echo(records.as_json({"jobs": told, "errors": [str(error) for error in self.errors]}))
            return
        for job in self.seen.values():
            if job.status is not Status.SUCCEEDED:
                click.echo(texts.line(job), err=True)
            for file in self._files(job):
                click.echo(file)

    def _files(self, job: Job) -> list[str]:
        return [str(file) for file in self.files.get(job.reference, [])]


def generate(wish: Wish, out: Path, key: str | None, *, timeout: float | None, as_json: bool) -> None:
    """Submit, wait, download, and print the files.

    Raises:
        UnifiedTrainError: See `Client.generate` and `Client.wait`.
        SystemExit: Not all pictures are there, or the user has interrupted.
    """
    asked = asked_for(wish)
    training = training_of(wish, journal_at(None))
    starting = calls.Starting()
    with Client(vendor(training.provider), observer=starting.tell) as client:
        named = calls.key_of(client, key)
        resume = _resume(wish, out, named)
        result = _Yield()
        try:
            count = len(asked.requests)
            told = f"{training.provider}: {count} {'request' if count == 1 else 'requests'} to submit"
            with starting.shown(told, resume):
                model = model_for(client, training, asked.recipe)
                _submit(client, model, asked, named, result)
            running = [job for job in result.seen.values() if not job.finished]
            if running:
                again = resume or calls.line("wait", *result.seen)
                look_on(client, running, result.seen, timeout=timeout, resume=again)
            _download(client, out, result)
        finally:
            if result.seen:
                result.tell(as_json=as_json)
    _end(result, count)


def _resume(wish: Wish, out: Path, key: str | None) -> str | None:
    return calls.line("generate", *wish.words, "--out", out, "--key", key) if key else None


def _submit(client: Client, model: TrainedModel, asked: Asked, key: str | None, result: _Yield) -> None:
    """Submit one after the other; one that is refused keeps none of the others, which may be paid for already."""
    for number, (request, part) in enumerate(zip(asked.requests, _keys(key, len(asked.requests)), strict=True)):
        try:
            job = client.generate(model, request, on_unsupported=asked.on_unsupported, key=part)
        except UnifiedTrainError as error:
            if number + 1 == len(asked.requests) and not result.seen and not result.errors:
                raise
            result.errors.append(error)
            remark(f"error: {request.prompt!r}: {sentence(error)}")
        else:
            result.seen[job.reference] = job


def _keys(key: str | None, count: int) -> Iterator[str | None]:
    """A key for each request; the same ones when the command is given again."""
    for number in range(count):
        yield key if key is None or count == 1 else f"{key}/{number + 1}"


def _download(client: Client, out: Path, result: _Yield) -> None:
    for reference, job in result.seen.items():
        if job.status is Status.SUCCEEDED:
            try:
                images = client.download(job, out)
            except UnifiedTrainError as error:
                result.errors.append(error)
                click.echo(f"error: {texts.plain(reference)}: {sentence(error)}", err=True)
            else:
                result.files[reference] = [image.path for image in images if image.path is not None]


def _end(result: _Yield, asked: int) -> None:
    """End with the code that says whether all pictures are there."""
    if len(result.files) == asked:
        return
    if result.files:
        raise SystemExit(PARTLY)
    codes = {exit_code(error) for error in result.errors}
    failed = any(job.status is not Status.SUCCEEDED for job in result.seen.values())
    raise SystemExit(codes.pop() if len(codes) == 1 and not failed else FAILED)
