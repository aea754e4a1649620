"""The list of jobs for people: a table of one line each where there is room, of two lines where there is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich import box
from rich.table import Table
from rich.text import Text

from unified_train.cli.jobs import texts
from unified_train.cli.screen import Output

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from unified_train.cli.jobs.lookup import Call, Selection
    from unified_train.intents import Intent
    from unified_train.models import Job

_ROOMY = 130
"""Columns of a terminal from which on a job has one line."""
_WHOLE = 32
"""Characters of a reference or key that are never broken: as many as a key that was drawn has."""


def print_list(found: Selection, names: Mapping[str, str]) -> None:
    """Print calls and jobs.

    Args:
        found: What to show.
        names: The short name of each job.
    """
    console = Output()
    if found.calls:
        _print_calls(console, found.calls)
    if found.jobs:
        wide = console.width >= _ROOMY
        console.print((_long_rows if wide else _short_rows)(found.jobs, names))
    if found.left_out:
        click.echo(f"{found.left_out} older {_jobs(found.left_out)} not shown; --limit shows more")
    if not found.calls and not found.jobs:
        click.echo(_nothing(empty=found.empty))


def _nothing(*, empty: bool) -> str:
    if not empty:
        return "no job is like that; without options all are listed"
    return "no jobs yet: everything that is submitted from here, by the library or by a command, will be listed here"


def _jobs(count: int) -> str:
    return "job is" if count == 1 else "jobs are"


def _print_calls(console: Console, calls: Sequence[Call]) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title="calls without a job", title_justify="left")
    longest = max(len(texts.plain(call.intent.key)) for call in calls)
    _add_columns(table, ("key", "call", "state, age"), longest)
    for call in calls:
        intent, colour = call.intent, texts.COLOURS[call.standing]
        named = _two(f"{intent.provider} {intent.kind}", texts.plain(intent.name or ""))
        state = _two(Text(texts.standing(call), colour), texts.age(intent.created_at))
        table.add_row(Text(texts.plain(intent.key)), named, state)
    console.print(table)
    if any(call.owner is None for call in calls):
        click.echo("to settle and finish them: unified-train jobs reconcile\n")


def _long_rows(jobs: Sequence[tuple[Job, Intent | None]], names: Mapping[str, str]) -> Table:
    table = _table(("reference", "vendor", "kind", "name", "status", "at", "age", "cost", "model"), jobs, names)
    for job, call in jobs:
        table.add_row(
            Text(texts.plain(names[job.reference])),
            _unbroken(job.provider),
            _unbroken(job.kind),
            Text(texts.brief(texts.title(job, call))),
            Text.assemble(_status(job), " ", (texts.word(job), "dim")),
            _unbroken(texts.progress(job)),
            _unbroken(texts.age(job.created_at)),
            _unbroken(texts.cost(job)),
            Text(texts.model(job, call)),
        )
    return table


def _short_rows(jobs: Sequence[tuple[Job, Intent | None]], names: Mapping[str, str]) -> Table:
    table = _table(("reference", "name, model", "status", "age, cost"), jobs, names)
    for job, call in jobs:
        progress = "" if job.finished else texts.progress(job)
        table.add_row(
            _two(texts.plain(names[job.reference]), f"{job.provider} {job.kind}"),
            _two(texts.brief(texts.title(job, call)), texts.model(job, call)),
            _two(Text.assemble(_status(job), " " if progress else "", progress), texts.word(job)),
            _two(texts.age(job.created_at), texts.cost(job) if job.cost else f"cost {texts.UNKNOWN}"),
        )
    return table


def _table(heads: Sequence[str], jobs: Sequence[tuple[Job, Intent | None]], names: Mapping[str, str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    _add_columns(table, heads, max(len(texts.plain(names[job.reference])) for job, _ in jobs))
    return table


def _add_columns(table: Table, heads: Sequence[str], longest: int) -> None:
    """What stands first is there to be copied, so that it is broken only if it must be, and never cut."""
    first, *others = heads
    table.add_column(first, overflow="fold", min_width=min(longest, _WHOLE))
    for head in others:
        table.add_column(head, overflow="fold")


def _status(job: Job) -> Text:
    return Text(job.status.value, texts.COLOURS[job.status.value])


def _unbroken(text: str) -> Text:
    return Text(text, no_wrap=True)


def _two(first: str | Text, second: str) -> Text:
    """Two lines, the second one of less weight."""
    return Text.assemble(first, "\n", (second, "dim"))
