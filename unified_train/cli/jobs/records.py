"""Jobs and calls for programs: JSON, JSON lines and CSV, with keys and columns that stay."""

from __future__ import annotations

import csv
import io
import json
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

import click

from unified_train.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from unified_train.cli.jobs.lookup import Call, Entry, Selection
    from unified_train.intents import Intent
    from unified_train.models import Job

_COLUMNS: dict[str, Callable[[Job], object]] = {
    "reference": lambda job: job.reference,
    "provider": lambda job: job.provider,
    "kind": lambda job: job.kind,
    "id": lambda job: job.id,
    "key": lambda job: job.key,
    "name": lambda job: job.name,
    "status": lambda job: job.status.value,
    "raw_status": lambda job: job.raw_status,
    "phase": lambda job: job.phase,
    "progress": lambda job: job.progress,
    "created_at": lambda job: job.created_at and job.created_at.isoformat(),
    "updated_at": lambda job: job.updated_at and job.updated_at.isoformat(),
    "finished_at": lambda job: job.history[-1].at.isoformat() if job.finished and job.history else None,
    "cost_amount": lambda job: job.cost and job.cost.amount,
    "cost_unit": lambda job: job.cost and job.cost.unit,
    "cost_source": lambda job: job.cost and job.cost.source,
    "model": lambda job: job.model and job.model.id,
    "base_model": lambda job: job.base_model,
    "trigger": lambda job: job.trigger,
    "class_word": lambda job: job.class_word,
    "pictures_asked": lambda job: job.n,
    "pictures": lambda job: len(job.images) if job.kind == "generation" else None,
    "error": lambda job: job.error and job.error.message,
    "error_code": lambda job: job.error and job.error.code,
    "notes": lambda job: "; ".join(job.notes),
    "labels": lambda job: json.dumps(job.labels) if job.labels else None,
}


def of_job(job: Job) -> dict[str, Any]:
    """All that is known of a job, and its reference."""
    return {"record": "job", "reference": job.reference, **job.model_dump(mode="json")}


def of_call(call: Intent) -> dict[str, Any]:
    """All that is known of a call."""
    return {"record": "call", **call.model_dump(mode="json")}


def of_pending(call: Call) -> dict[str, Any]:
    """All that is known of a call without a job, and who works on it."""
    return {**of_call(call.intent), "standing": call.standing, "owner": call.owner}


def of_list(found: Selection) -> list[dict[str, Any]]:
    """The calls and jobs of a list, in its order."""
    return [*(of_pending(call) for call in found.calls), *(of_job(job) for job, _ in found.jobs)]


def of_entry(entry: Entry) -> dict[str, Any]:
    """A job and the call that it came of, each None if there is none."""
    job, call = entry.job, entry.call
    return {"job": of_job(job) if job else None, "call": of_call(call) if call else None}


def as_json(value: object) -> str:
    """JSON for people and programs."""
    return json.dumps(value, indent=2)


def as_lines(jobs: Sequence[Job]) -> str:
    """One line of JSON for each job."""
    return "".join(json.dumps(of_job(job)) + "\n" for job in jobs)


def as_csv(jobs: Sequence[Job]) -> str:
    """A table with a head; what is not known is empty, never 0."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows([_cell(fact(job)) for fact in _COLUMNS.values()] for job in jobs)
    return text.getvalue()


def _cell(value: object) -> object:
    """A value that a spreadsheet will not take for a formula, whatever a vendor says."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


class Results:
    """What came of several things that were done: a line for each as it comes, or one list of JSON at the end.

    Args:
        as_json: Which of the two.
    """

    def __init__(self, *, as_json: bool) -> None:
        self._records: list[Mapping[str, object]] | None = [] if as_json else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._records is not None:
            click.echo(as_json(self._records))

    def add(self, line: str, record: Mapping[str, object], *, warn: bool = False) -> None:
        """Tell one.

        Args:
            line: For people.
            record: For programs.
            warn: Whether the line goes to standard error, and is told to programs too.
        """
        if self._records is not None:
            self._records.append(record)
        if self._records is None or warn:
            click.echo(line, err=warn)

    def remark(self, line: str) -> None:
        """Tell people what makes no record."""
        if self._records is None:
            click.echo(line)


def replace_file(path: Path, text: str) -> None:
    """Write a file, whole or not at all, in the place of one that was there; for the user's own eyes.

    Raises:
        ConfigurationError: It can't be written; one that was there is as it was.
    """
    part = path.parent / f".{path.name}.{secrets.token_hex(8)}.part"
    try:
        part.touch(mode=0o600, exist_ok=False)
        part.write_text(text, encoding="utf-8", newline="")
        part.replace(path)
    except OSError as error:
        raise ConfigurationError(f"{path}: can't be written ({error.strerror}); name another file") from None
    finally:
        with suppress(OSError):
            part.unlink()
