"""Waiting for jobs: progress on stderr, results on stdout, and how to go on after an interruption."""

from __future__ import annotations

import shlex
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from unified_train.cli.app import FAILED, INTERRUPTED
from unified_train.cli.jobs import records, texts
from unified_train.cli.jobs.sources import client_of, vendor
from unified_train.status import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from unified_train.client import Client
    from unified_train.journal import Journal
    from unified_train.models import Job

ROOMY = 90
"""Columns of a terminal from which on a vendor's own words stand beside a bar."""
_LABEL = 24
"""Characters of a job's name beside its bar, from the end: ids and numbers differ there."""


@dataclass(frozen=True, slots=True)
class Wish:
    """How to wait.

    Attributes:
        journal: Path of the journal, if it is not the usual one.
        timeout: Seconds; None for ever.
        everything: Whether all unfinished jobs are waited for, not some that were named.
        as_json: Whether results are printed as JSON.
    """

    journal: Path | None
    timeout: float | None
    everything: bool
    as_json: bool


def wait_for(journal: Journal, jobs: Sequence[Job], wish: Wish) -> None:
    """Wait until jobs have finished, and print what is known of them then, whatever ends the waiting.

    Raises:
        ConfigurationError: A vendor has no credentials; nothing was asked of any.
        WaitTimeout: Some still run.
        ApiError, TransportError: Looking at a job fails and will go on failing.
        SystemExit: A job failed or was canceled, or the user has interrupted.
    """
    seen = {job.reference: job for job in jobs}
    running = [job for job in jobs if not job.finished]
    vendors = [vendor(slug) for slug in dict.fromkeys(job.provider for job in running)]
    try:
        if running:
            with client_of(vendors, journal) as client:
                look_on(client, running, seen, timeout=wish.timeout, resume=again(jobs, wish))
    finally:
        _print(list(seen.values()), as_json=wish.as_json)
    if any(job.status is not Status.SUCCEEDED for job in seen.values()):
        raise SystemExit(FAILED)


def look_on(client: Client, jobs: Sequence[Job], seen: dict[str, Job], *, timeout: float | None, resume: str) -> None:
    """Wait until jobs have finished, with progress on stderr.

    Args:
        client: Of their vendors.
        jobs: Not finished yet.
        seen: By reference; gets what is seen, so that it can be told whatever ends the waiting.
        timeout: Seconds; None for ever.
        resume: The command that goes on waiting.

    Raises:
        WaitTimeout: Some still run.
        ApiError, TransportError: Looking at a job fails and will go on failing.
        SystemExit: The user has interrupted.
    """
    try:
        with _shown(jobs) as show:

            def changed(job: Job) -> None:
                seen[job.reference] = job
                show(job)

            client.wait(jobs, timeout=timeout, progress=changed)
    except KeyboardInterrupt:
        click.echo(f"interrupted; the jobs go on at their vendors. To wait again:\n  {resume}", err=True)
        raise SystemExit(INTERRUPTED) from None


def again(jobs: Sequence[Job], wish: Wish) -> str:
    """The command that goes on waiting."""
    journal = ["--journal", str(wish.journal)] if wish.journal else []
    timeout = [] if wish.timeout is None else ["--timeout", f"{wish.timeout:g}"]
    which = ["--all"] if wish.everything else [job.reference for job in jobs]
    json = ["--json"] if wish.as_json else []
    return shlex.join(["unified-train", "jobs", "wait", *journal, *timeout, *json, *which])


def _print(jobs: Sequence[Job], *, as_json: bool) -> None:
    if as_json:
        click.echo(records.as_json([records.of_job(job) for job in jobs]))
        return
    for job in jobs:
        click.echo(texts.line(job))
    if not jobs:
        click.echo("no jobs to wait for: all have finished")


@contextmanager
def _shown(jobs: Sequence[Job]) -> Iterator[Callable[[Job], None]]:
    """Show progress on stderr: a bar for each job on a terminal, a line for each change elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        for job in jobs:
            click.echo(texts.line(job), err=True)
        yield lambda job: click.echo(texts.line(job), err=True)
        return
    with bars(console) as progress:
        tasks = {job.reference: progress.add_task(_label(job), total=None, stage="") for job in jobs}

        def show(job: Job) -> None:
            stage = texts.going(job, brief=console.width < ROOMY)
            # What nobody tells the progress of is shown as moving, until it ends.
            total = 1.0 if job.finished or job.progress is not None else None
            progress.update(tasks[job.reference], total=total, completed=_share(job), stage=stage)
            if job.finished:
                progress.stop_task(tasks[job.reference])

        for job in jobs:
            show(job)
        yield show


def bars(console: Console) -> Progress:
    """Progress bars, each with a field `stage`, for which there must be room."""
    roomy = console.width >= ROOMY
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20 if roomy else 8),
        *([TimeElapsedColumn()] if roomy else []),
        TextColumn("{task.fields[stage]}", markup=False),
        console=console,
    )


def _label(job: Job) -> str:
    return f"{job.provider} {texts.plain(job.name or job.id)[-_LABEL:]}"


def _share(job: Job) -> float:
    return 1.0 if job.finished else job.progress or 0.0
