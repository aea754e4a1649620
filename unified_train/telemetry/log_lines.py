"""Events as log lines."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from unified_train import redact
from unified_train.events import JobChanged, RequestFinished, RetryScheduled, SubmissionReconciled
from unified_train.telemetry.bare_urls import bare

if TYPE_CHECKING:
    from unified_train.events import Event, Observer
    from unified_train.models import Job

_OUTCOMES = {
    "adopted": "the answer was lost; what the vendor had made of it was found",
    "absent": "the answer was lost, and it was never accepted; it is sent again",
}


def log_events(level: int = logging.INFO, logger: str | logging.Logger = "unified_train.events") -> Observer:
    """An observer that logs each event in one line.

    The facts are also fields of the log record, for formatters that write JSON: `event` names the kind, and there are
    `provider`, `operation`, `attempt`, `http_status`, `seconds`, `job`, `job_status` and so on, as far as they apply.

    Args:
        level: Of lines about what went well. Attempts that failed, failed jobs and lost answers are logged at WARNING
            or at `level`, whichever is higher.
        logger: Or its name.
    """
    log = logging.getLogger(logger) if isinstance(logger, str) else logger

    def observe(event: Event) -> None:
        line, bad, facts = _told(event)
        log.log(
            max(level, logging.WARNING) if bad else level, "%s", line, extra={"event": type(event).__name__} | facts
        )

    return observe


def _told(event: Event) -> tuple[str, bool, dict[str, object]]:
    """The line, whether it is bad news, and the fields."""
    match event:
        case RequestFinished():
            return _request(event), event.error is not None, _request_facts(event)
        case RetryScheduled():
            line = f"{_where(event)}: {event.error}, again in {event.delay:.2f} s (attempt {event.attempt + 1})"
            return line, False, {**_shared(event), "attempt": event.attempt, "delay": event.delay, "error": event.error}
        case SubmissionReconciled():
            line = f"{_where(event)}: {_OUTCOMES[event.outcome]} (key {_plain(event.key)})"
            return line, True, {**_shared(event), "key": event.key, "outcome": event.outcome}
        case JobChanged(job):
            return _job(job), job.error is not None, _job_facts(job)


def _where(event: RequestFinished | RetryScheduled | SubmissionReconciled) -> str:
    return f"{event.provider} {event.operation}"


def _shared(event: RequestFinished | RetryScheduled | SubmissionReconciled) -> dict[str, object]:
    return {"provider": event.provider, "operation": event.operation}


def _request(event: RequestFinished) -> str:
    answer = "no answer" if event.status is None else str(event.status)
    failed = f", {event.error}" if event.error else ""
    again = f", attempt {event.attempt}" if event.attempt > 1 else ""
    return f"{_where(event)}: {event.method} {answer}{failed} in {event.seconds:.2f} s{again}"


def _request_facts(event: RequestFinished) -> dict[str, object]:
    return {
        **_shared(event),
        "method": event.method,
        "url": bare(event.url),
        "effect": None if event.effect is None else str(event.effect),
        "attempt": event.attempt,
        "seconds": event.seconds,
        "http_status": event.status,
        "error": event.error,
    }


def _job(job: Job) -> str:
    word = f" ({_plain(job.raw_status)})" if job.raw_status else ""
    phase = f", {_plain(job.phase)}" if job.phase else ""
    done = "" if job.progress is None or job.finished else f", {job.progress:.0%}"
    why = f": {_plain(redact.text(job.error.message))}" if job.error else ""
    return f"{_plain(job.reference)}: {job.status}{word}{phase}{done}{why}"


def _job_facts(job: Job) -> dict[str, object]:
    return {
        "provider": job.provider,
        "job": job.reference,
        "job_kind": job.kind,
        "job_status": str(job.status),
        "raw_status": job.raw_status,
        "phase": job.phase,
        "progress": job.progress,
        "key": job.key,
    }


def _plain(text: str) -> str:
    """A vendor's text in one line: a line break in it must not look like a line of its own, nor colour a terminal."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
