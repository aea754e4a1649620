"""Asking vendors to stop jobs, each for itself: one that can't be stopped keeps no other going."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unified_train.cli.app import FAILED, OK, PARTLY, exit_code, sentence
from unified_train.cli.jobs import texts
from unified_train.cli.jobs.sources import client_of, vendor
from unified_train.errors import UnifiedTrainError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unified_train.cli.jobs.records import Results
    from unified_train.client import Client
    from unified_train.journal import Journal
    from unified_train.models import Job


def cancel_all(journal: Journal, jobs: Sequence[Job], results: Results) -> None:
    """Ask for each job, and tell what came of it.

    Raises:
        ConfigurationError: A vendor has no credentials; nothing was asked of any.
        SystemExit: Some could not be asked for.
    """
    running = [job for job in jobs if not job.finished]
    vendors = [vendor(slug) for slug in dict.fromkeys(job.provider for job in running)]
    for job in jobs:
        if job.finished:
            _tell(results, job, f"has ended already ({job.status})")
    if not running:
        return
    with client_of(vendors, journal) as client:
        codes = [_cancel(client, job, results) for job in running]
    if any(codes):
        raise SystemExit(_together(codes, len(jobs)))


def _cancel(client: Client, job: Job, results: Results) -> int:
    """The exit code that it would have alone."""
    try:
        after = client.cancel(job)
    except UnifiedTrainError as error:
        line = f"error: {texts.plain(job.reference)}: {sentence(error)}"
        results.add(line, _record(job, str(error)), warn=True)
        return exit_code(error)
    told = f"has ended ({after.status})" if after.finished else f"was asked to stop; {after.status} for now"
    _tell(results, after, told)
    return OK


def _tell(results: Results, job: Job, told: str) -> None:
    results.add(f"{texts.plain(job.reference)}: {told}", _record(job, None))


def _record(job: Job, error: str | None) -> dict[str, str | None]:
    return {"reference": job.reference, "status": job.status.value, "error": error}


def _together(codes: Sequence[int], jobs: int) -> int:
    failed = [code for code in codes if code != OK]
    if len(failed) < jobs:
        return PARTLY
    return failed[0] if len(set(failed)) == 1 else FAILED
