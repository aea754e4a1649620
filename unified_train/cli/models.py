"""`unified-train models`: what was trained, at each vendor."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from unified_train import Client, Status, UnifiedTrainError
from unified_train.cli.app import PARTLY, exit_code, sentence
from unified_train.cli.jobs.texts import age, plain
from unified_train.cli.slugs import SLUG
from unified_train.cli.vendors import side_by_side, wanted
from unified_train.config import Config

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unified_train.models import Job
    from unified_train.provider import AnyProvider


@click.command()
@click.option(
    "--provider", "providers", multiple=True, type=SLUG, metavar="SLUG", help="A vendor; default: all that are set up."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(providers: tuple[str, ...], as_json: bool) -> None:
    """List the models that can be generated with, as the vendors' own lists of trainings have them.

    Exit code 0 if all vendors answered, 7 if only some did.
    """
    config = Config.load()
    kinds = wanted(config, providers)

    def ask(kind: type[AnyProvider]) -> Sequence[Job] | UnifiedTrainError:
        try:
            return _trained(kind, config)
        except UnifiedTrainError as error:
            return error

    told = side_by_side(ask, kinds)
    failed = [answer for answer in told if isinstance(answer, UnifiedTrainError)]
    jobs = [job for answer in told if not isinstance(answer, UnifiedTrainError) for job in answer]
    if as_json:
        click.echo(json.dumps([_record(job) for job in jobs], indent=2))
    elif len(failed) < len(told):
        _print(jobs)
    for kind, answer in zip(kinds, told, strict=True):
        if isinstance(answer, UnifiedTrainError):
            click.echo(f"error: {kind.title}: {plain(sentence(answer))}", err=True)
    if failed:
        raise SystemExit(PARTLY if len(failed) < len(told) else exit_code(failed[0]))


def _trained(kind: type[AnyProvider], config: Config) -> list[Job]:
    with Client(kind(config.settings(kind)), journal=None, config=Config(retry=config.retry)) as client:
        # A list may tell that a training succeeded without naming its model; its reference finds it all the same.
        return [job for job in client.list_jobs("training") if job.model or job.status is Status.SUCCEEDED]


def _record(job: Job) -> dict[str, object]:
    model = job.model
    return {
        "provider": job.provider,
        "model": model.id if model else None,
        "name": job.name,
        "base_model": job.base_model,
        "training": job.reference,
        "created_at": job.created_at.isoformat() if job.created_at else None,
    }


def _print(jobs: Sequence[Job]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from unified_train.cli.screen import Output

    if not jobs:
        click.echo("no trained models")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for head in ("model", "vendor", "name", "base model", "age"):
        table.add_column(head, overflow="fold")
    for job in jobs:
        facts = [
            job.model.id if job.model else f"({job.reference})",
            job.provider,
            job.name or "",
            job.base_model or "",
        ]
        table.add_row(*(Text(plain(fact)) for fact in facts), Text(age(job.created_at), no_wrap=True))
    Output().print(table)
