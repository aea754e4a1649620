"""The commands of `unified-train jobs`; what each needs is loaded when it is called."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from unified_train.cli.app import Verbs
from unified_train.cli.slugs import SLUG
from unified_train.status import Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from unified_train.journal import Journal

_SHOWN = 50
"""Jobs in a table, unless told otherwise."""
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGE = re.compile(f"[0-9]{{1,9}}[{''.join(_UNITS)}]")
_PATH = f"{__name__}.path"


def _journal(function: Callable[..., Any]) -> Callable[..., Any]:
    """The option of every command, before its name or after it."""
    return click.option(
        "--journal",
        type=click.Path(path_type=Path),
        metavar="PATH",
        expose_value=False,
        callback=_remember,
        help="Of another journal than the usual one.",
    )(function)


def _remember(ctx: click.Context, _: click.Parameter, path: Path | None) -> None:
    if path is not None:
        ctx.meta[_PATH] = path


def _path() -> Path | None:
    path: Path | None = click.get_current_context().meta.get(_PATH)
    return path


def _opened() -> Journal:
    """The journal that is meant; it is closed when the command ends."""
    from unified_train.cli.jobs.sources import journal_at

    journal = journal_at(_path())
    click.get_current_context().call_on_close(journal.close)
    return journal


def _as_json(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


def _since(_: click.Context, __: click.Parameter, value: str | None) -> datetime | None:
    """The time that is meant by `2d` or `2026-11-01`; a day begins at its midnight here."""
    if value is None:
        return None
    try:
        if _AGE.fullmatch(value):
            return datetime.now(UTC) - timedelta(**{_UNITS[value[-1]]: int(value[:-1])})
        return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):
        known = "neither an age such as 2d or 12h nor a day such as 2026-11-01"
        raise click.BadParameter(f"{value!r} is {known}") from None


@click.group(cls=Verbs)
@_journal
def command() -> None:
    """Look after all jobs that were started from here, at whatever vendor and on whatever day.

    They are read from the journal; only wait, cancel and reconcile talk to vendors. A REFERENCE is what `jobs list`
    shows, the whole reference of a job, any end of it that no other job has, or the key of the call that started it.
    """


@command.command("list")
@_journal
@click.option("--provider", type=SLUG, metavar="SLUG", help="Only at this vendor.")
@click.option("--kind", type=click.Choice(["training", "generation"]), help="Only these.")
@click.option(
    "--status",
    type=click.Choice([status.value for status in Status]),
    help="Only these; calls without a job are left out.",
)
@click.option("--since", callback=_since, metavar="AGE|DAY", help="Only what began since, such as 2d or 2026-11-01.")
@click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", help=f"Jobs at most; default: {_SHOWN}, or all as JSON."
)
@_as_json
def list_(  # noqa: PLR0917 - click passes them by name
    provider: str | None,
    kind: str | None,
    status: str | None,
    since: datetime | None,
    limit: int | None,
    as_json: bool,
) -> None:
    """List the jobs, newest first, with the calls on top that have no job yet."""
    from unified_train.cli.jobs import records, tables
    from unified_train.cli.jobs.lookup import Filter, selected, short_names

    journal = _opened()
    found = selected(journal, Filter(provider, kind, status, since), limit or (None if as_json else _SHOWN))
    if as_json:
        click.echo(records.as_json(records.of_list(found)))
    else:
        tables.print_list(found, short_names(journal))


@command.command()
@_journal
@click.argument("reference")
@_as_json
def show(reference: str, as_json: bool) -> None:
    """Show all that is known of one job, or of one call by its key."""
    from unified_train.cli.jobs import details, records
    from unified_train.cli.jobs.lookup import found

    entry = found(_opened(), reference)
    if as_json:
        click.echo(records.as_json(records.of_entry(entry)))
    else:
        details.print_entry(entry)


@command.command()
@_journal
@click.argument("references", nargs=-1, metavar="REFERENCE...")
@click.option("--all", "everything", is_flag=True, help="All jobs that have not finished, as far as the journal knows.")
@click.option("--timeout", type=click.FloatRange(min=0), metavar="S", help="Seconds; default: for ever.")
@_as_json
def wait(references: tuple[str, ...], everything: bool, timeout: float | None, as_json: bool) -> None:
    """Wait until jobs have finished, and print what became of them.

    Exit code 0 if all succeeded, 1 if one failed or was canceled, 4 if one still runs after the timeout.
    """
    from unified_train.cli.jobs.lookup import resolved, unfinished
    from unified_train.cli.jobs.waiting import Wish, wait_for

    if bool(references) == everything:
        raise click.UsageError("name the jobs to wait for, or --all for those that have not finished")
    journal = _opened()
    jobs = unfinished(journal) if everything else resolved(journal, references)
    wait_for(journal, jobs, Wish(_path(), timeout, everything=everything, as_json=as_json))


@command.command()
@_journal
@click.argument("references", nargs=-1, required=True, metavar="REFERENCE...")
@_as_json
def cancel(references: tuple[str, ...], as_json: bool) -> None:
    """Ask vendors to stop jobs.

    Exit code 0 if all were asked or had finished, 7 if only some could be.
    """
    from unified_train.cli.jobs.canceling import cancel_all
    from unified_train.cli.jobs.lookup import resolved
    from unified_train.cli.jobs.records import Results

    journal = _opened()
    jobs = resolved(journal, references)
    with Results(as_json=as_json) as results:
        cancel_all(journal, jobs, results)


@command.command()
@_journal
@click.argument("key", required=False)
@click.option("--accepted", metavar="REFERENCE", help="The job of the call KEY, as you have seen it at the vendor.")
@click.option("--not-accepted", is_flag=True, help="You have seen at the vendor that the call KEY has no job.")
@_as_json
def reconcile(key: str | None, accepted: str | None, not_accepted: bool, as_json: bool) -> None:
    """Find out what became of calls that were left behind or whose outcome is unknown, and finish them.

    Without KEY that is done with all of them. What the vendor has accepted is adopted; what it surely has not is sent
    again, which can cost money as the call itself would have. Exit code 0 if all are settled, 6 if the outcome of some
    is still unknown, 1 if some failed, 3 if credentials are missing.
    """
    from unified_train.cli.jobs import settling
    from unified_train.cli.jobs.records import Results

    told = accepted is not None or not_accepted
    if accepted is not None and not_accepted:
        raise click.UsageError("--accepted and --not-accepted exclude each other")
    if told and key is None:
        raise click.UsageError("--accepted and --not-accepted need the KEY of a call")
    journal = _opened()
    with Results(as_json=as_json) as results:
        if key is None:
            settling.settle_all(journal, results)
        elif told:
            settling.settle_by_hand(journal, key, accepted, results)
        else:
            settling.settle_one(journal, key, results)


@command.command()
@_journal
@click.option("--format", "form", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True)
@click.option(
    "--out",
    type=click.Path(path_type=Path, allow_dash=True),
    default=Path("-"),
    metavar="FILE",
    help="Replaced if it is there; default: standard output.",
)
def export(form: str, out: Path) -> None:
    """Write all jobs, one record each, newest first: all that is known as JSON lines, or the main facts as CSV."""
    from unified_train.cli.jobs import records

    jobs = _opened().jobs()
    text = records.as_csv(jobs) if form == "csv" else records.as_lines(jobs)
    if str(out) == "-":
        click.echo(text, nl=False)
        return
    records.replace_file(out, text)
    click.echo(f"{len(jobs)} {'job' if len(jobs) == 1 else 'jobs'} in {out}", err=True)
