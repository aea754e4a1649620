"""One training from recipe to model, with what is allowed checked before and what came of it told after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from unified_train import Client, Status
from unified_train.cli import calls
from unified_train.cli.app import FAILED
from unified_train.cli.jobs import records, texts
from unified_train.cli.jobs.waiting import look_on
from unified_train.config import Config
from unified_train.recipe import Recipe

if TYPE_CHECKING:
    from pathlib import Path

    from unified_train.cli.train.permission import Terms
    from unified_train.models import Job, TrainingRequest


@dataclass(frozen=True, slots=True)
class Call:
    """What was asked for on the command line.

    Attributes:
        recipe: The file.
        provider: Slug; None for the one that is configured.
        key: The user's.
        terms: What is allowed.
        waits: Whether the command waits for the end.
        timeout: Seconds.
        as_json: Whether the job is printed as JSON.
    """

    recipe: Path
    provider: str | None
    key: str | None
    terms: Terms
    waits: bool
    timeout: float | None
    as_json: bool


def train(call: Call) -> None:
    """Start the training and wait for it.

    Raises:
        UnifiedTrainError: See `Client.train` and `Client.wait`.
        SystemExit: It failed, was canceled, is not allowed, or the user has interrupted.
    """
    config = Config.load()
    kind = calls.chosen(config, call.provider)
    recipe = Recipe.load(call.recipe)
    request = recipe.training_request()
    starting = calls.Starting()
    with Client(kind(config.settings(kind)), config=config, observer=starting.tell) as client:
        if call.terms.any:
            _check(client, call, recipe, request)
        key = calls.key_of(client, call.key)
        resume = calls.line("train", call.recipe, "--provider", kind.slug, "--key", key) if key else None
        count = len(request.dataset.images)
        told = f"{kind.title}: {count} {'image' if count == 1 else 'images'} to upload, then the training begins"
        with starting.shown(told, resume):
            job = client.train(request, on_unsupported=recipe.training.on_unsupported, key=key)
        if call.waits:
            _wait(client, call, job)
        else:
            click.echo(records.as_json(records.of_job(job)) if call.as_json else job.reference)
            click.echo(f"accepted; to wait for it:\n  {calls.line('wait', job.reference)}", err=True)


def _check(client: Client, call: Call, recipe: Recipe, request: TrainingRequest) -> None:
    asks = call.terms.budget is not None
    (plan,) = client.plan(request, on_unsupported=recipe.training.on_unsupported, ask_price=asks).vendors
    price = ["--ask-price"] if asks else []
    call.terms.check(plan, calls.line("plan", call.recipe, "--provider", plan.provider, *price))


def _wait(client: Client, call: Call, job: Job) -> None:
    seen = {job.reference: job}
    try:
        if not job.finished:
            look_on(client, [job], seen, timeout=call.timeout, resume=calls.line("wait", job.reference))
    finally:
        ended = seen[job.reference]
        click.echo(records.as_json(records.of_job(ended)) if call.as_json else texts.line(ended))
    if ended.status is not Status.SUCCEEDED:
        raise SystemExit(FAILED)
    click.echo(f"to generate with it:\n  {calls.line('generate', call.recipe, '--model', job.reference)}", err=True)
