"""One job for people: its facts, its history, and the steps of the call that it came of."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from unified_train.cli.jobs import texts
from unified_train.cli.screen import Output

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from rich.console import Console

    from unified_train.cli.jobs.lookup import Entry
    from unified_train.intents import Intent, Step
    from unified_train.models import Job

_STATES = {
    "open": "open: worked on, or left behind",
    "accepted": "accepted",
    "refused": "refused; the same key tries again",
    "uncertain": "outcome unknown; `unified-train jobs reconcile` asks the vendor again",
}
_STEPS = {"sent": "may have been accepted", "answered": "accepted", "void": "not accepted", "refused": "refused"}


def print_entry(entry: Entry) -> None:
    """Print a job, the call that it came of, or both."""
    console = Output()
    if entry.job is not None:
        # Not in the table: what is there to be copied is in one piece, however long it is.
        console.print(Text(texts.plain(entry.job.reference)), style="bold", soft_wrap=True)
        console.print(_facts(_of_job(entry.job, entry.call)))
        _print_history(console, entry.job)
    if entry.call is not None:
        console.print("\ncall" if entry.job is not None else "call without a job", style="bold")
        console.print(_facts(_of_call(entry.call)))
        _print_steps(console, entry.call.steps)


def _facts(facts: Sequence[tuple[str, str | Text]]) -> Table:
    """Labels and values; what is not known is left out."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for label, value in facts:
        if value:
            grid.add_row(Text(label), value if isinstance(value, Text) else Text(texts.plain(value)))
    return grid


def _of_job(job: Job, call: Intent | None) -> list[tuple[str, str | Text]]:
    status = Text.assemble((job.status.value, texts.COLOURS[job.status.value]), f"  {texts.word(job)}")
    return [
        ("name" if job.name else "prompt", texts.title(job, call)),
        ("status", status),
        ("progress", texts.progress(job)),
        ("rest", "" if job.eta is None else f"{texts.span(job.eta)}, as the vendor estimates"),
        ("error", job.error.message if job.error else ""),
        ("code", job.error.code or "" if job.error else ""),
        ("hint", job.error.hint or "" if job.error else ""),
        ("model", job.model.id if job.model else ""),
        ("made with", "" if job.kind == "training" else texts.model(job, call)),
        ("base model", job.base_model or ""),
        ("trigger", " ".join(filter(None, [job.trigger, job.class_word]))),
        ("pictures", _pictures(job)),
        ("cost", texts.cost(job) + (f" ({job.cost.source})" if job.cost else "")),
        ("begun", texts.moment(job.created_at)),
        ("last seen", texts.moment(job.updated_at)),
        ("key", job.key or ""),
        ("labels", ", ".join(f"{name}={value}" for name, value in job.labels.items())),
        *[("note", note) for note in job.notes],
        *[("part", texts.line(part)) for part in job.parts],
    ]


def _pictures(job: Job) -> str:
    if job.kind == "training":
        return ""
    asked = "" if job.n is None else f" of {job.n}"
    flagged = sum(1 for image in job.images if image.safety == "flagged")
    return f"{len(job.images)}{asked}" + (f", {flagged} flagged by the vendor's content check" if flagged else "")


def _print_history(console: Console, job: Job) -> None:
    """Each change with the time since the one before."""
    if not job.history:
        return
    console.print("\nhistory", style="bold")
    grid = Table.grid(padding=(0, 2))
    before: datetime | None = None
    for change in job.history:
        passed = "" if before is None else f"+{timedelta(seconds=round((change.at - before).total_seconds()))}"
        word = " ".join(filter(None, [change.raw_status, change.phase and f"({change.phase})"]))
        status = Text(change.status.value, texts.COLOURS[change.status.value])
        grid.add_row(texts.moment(change.at), Text(passed, justify="right"), status, Text(texts.plain(word), "dim"))
        before = change.at
    console.print(grid)


def _of_call(call: Intent) -> list[tuple[str, str | Text]]:
    return [
        ("key", call.key),
        ("call", " ".join(filter(None, [call.provider, call.kind, call.name]))),
        ("state", _STATES[call.state]),
        ("error", call.error or ""),
        ("made", texts.moment(call.created_at)),
        ("marker", f"{call.marker}, at the end of its name at the vendor" if call.kind == "training" else ""),
        ("uploads", f"{len(call.uploads)} images are at the vendor" if call.uploads else ""),
    ]


def _print_steps(console: Console, steps: Sequence[Step]) -> None:
    if not steps:
        return
    console.print("\nsteps", style="bold")
    grid = Table.grid(padding=(0, 2))
    for column in range(4):
        grid.add_column(overflow="fold", no_wrap=column == 0)
    for step in steps:
        part = f" #{step.part}" if step.part else ""
        grid.add_row(
            texts.moment(step.sent_at),
            Text(f"{step.operation}{part}"),
            Text(_STEPS[step.state] + (", found in the vendor's list" if step.adopted else "")),
            Text("1 attempt" if step.attempts == 1 else f"{step.attempts} attempts"),
        )
    console.print(grid)
