"""Settling calls without a job: by asking the vendors, or by what a person has seen there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, TypeAlias

import click

from unified_train.cli.app import CONFIGURATION, FAILED, INTERRUPTED, OK, UNCERTAIN, exit_code
from unified_train.cli.jobs import texts
from unified_train.cli.jobs.lookup import pending
from unified_train.cli.jobs.sources import client_of, vendor
from unified_train.errors import ConfigurationError, InvalidOptions, SubmissionUncertain
from unified_train.events import SubmissionReconciled
from unified_train.models import Job
from unified_train.policy import Conversation, Retry

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from unified_train.cli.jobs.lookup import Call
    from unified_train.cli.jobs.records import Results
    from unified_train.events import Event
    from unified_train.intents import Intent
    from unified_train.journal import Journal
    from unified_train.provider import AnyProvider
    from unified_train.submitting import Resumed

Outcome: TypeAlias = Literal["accepted", "refused", "failed", "unknown", "left alone"]
"""What came of a call. `refused`: it has no job, and its key can be used again. `left alone`: somebody works on it."""
_WORST = (UNCERTAIN, FAILED, CONFIGURATION, OK)
_TELLING = 10.0
"""Seconds of waiting that are worth a word."""
_OUTCOMES = {
    "adopted": "was accepted, and is adopted from the vendor's list",
    "absent": "was never accepted, and is sent again",
}


def settle_all(journal: Journal, results: Results) -> None:
    """Find out about all calls without a job, finish them, and tell what came of each.

    Raises:
        JournalError: The journal can't be used.
        SystemExit: Some are not settled.
    """
    calls = pending(journal)
    if not calls:
        results.remark("nothing to settle: no call was left behind, and none is in doubt")
        return
    _settle(journal, calls, None, results)


def settle_one(journal: Journal, key: str, results: Results) -> None:
    """As `settle_all`, for the call with this key.

    Raises:
        InvalidOptions: There is no such call.
    """
    intent = _known(journal, key)
    calls = [call for call in pending(journal) if call.intent.key == key]
    if calls:
        _settle(journal, calls, key, results)
    elif intent.state == "accepted":
        _tell(
            results,
            intent,
            f"was accepted, and has the job {texts.plain(intent.job or '')}",
            "accepted",
            job=intent.job,
        )
    else:
        told = f"was not accepted ({texts.plain(intent.error or '')}); the key can be used"
        _tell(results, intent, told, "refused", error=intent.error)


def settle_by_hand(journal: Journal, key: str, accepted: str | None, results: Results) -> None:
    """Write down what a person has seen at the vendor: a job, or None if there is none.

    Raises:
        InvalidOptions: There is no such call, it has a job, somebody is at work on it, or the job can't be its.
        ConfigurationError: The vendor has no credentials.
        ApiError: The vendor knows no such job.
    """
    intent = _known(journal, key)
    if accepted is not None:
        _check_possible(journal, intent, accepted)
    with client_of([vendor(intent.provider)], journal) as client:
        job = client.reconcile(key, accepted)
    told = f"is {texts.line(job)}" if job else "noted as not accepted; the same key submits it again"
    _tell(results, intent, told, "accepted" if job else "refused", job=job.reference if job else None)


def _tell(results: Results, call: Intent, told: str, outcome: Outcome, **more: str | None) -> None:
    results.add(f"{texts.called(call)}: {told}", _record(call, outcome, **more))


def _record(
    call: Intent | Resumed, outcome: Outcome, *, job: str | None = None, error: str | None = None
) -> dict[str, str | None]:
    """What came of a call, for programs."""
    named = {"key": call.key, "provider": call.provider, "kind": call.kind, "name": call.name}
    return {**named, "outcome": outcome, "job": job, "error": error}


def _known(journal: Journal, key: str) -> Intent:
    intent = journal.intent(key)
    if intent is None:
        raise InvalidOptions(f"the journal has no call with the key {key!r}; `unified-train jobs list` shows those")
    return intent


def _check_possible(journal: Journal, intent: Intent, reference: str) -> None:
    job = Job.from_reference(reference)
    if (job.provider, job.kind) != (intent.provider, intent.kind):
        raise InvalidOptions(
            f"the call {intent.key} is a {intent.kind} at {intent.provider}, so {reference} can't be its job;"
            f" look for a {intent.kind} there"
        )
    known = journal.job(job.reference)
    if known is not None and known.key not in {None, intent.key}:
        raise InvalidOptions(f"{reference} is the job of another call, {known.key}; look for another one at the vendor")


def _settle(journal: Journal, calls: Sequence[Call], key: str | None, results: Results) -> None:
    """Carry on with what nobody is at work on, at the vendors that there are credentials for."""
    codes = [_left_alone(call, results) for call in calls if call.owner is not None]
    waiting = [call.intent for call in calls if call.owner is None]
    vendors: dict[str, AnyProvider] = {}
    for slug in dict.fromkeys(intent.provider for intent in waiting):
        mine = [intent for intent in waiting if intent.provider == slug]
        try:
            vendors[slug] = vendor(slug)
        except ConfigurationError as error:
            codes += [_not_asked(intent, error, results) for intent in mine]
        else:
            _announce(vendors[slug], mine)
    if vendors:
        codes += _resumed(journal, list(vendors.values()), key, results)
    worst = min(codes, key=_WORST.index, default=OK)
    if worst != OK:
        raise SystemExit(worst)


def _left_alone(call: Call, results: Results) -> int:
    _tell(results, call.intent, f"left alone, since it is {texts.standing(call)}", "left alone")
    return OK


def _not_asked(intent: Intent, error: ConfigurationError, results: Results) -> int:
    _tell(results, intent, f"not settled: {error}", "unknown", error=str(error))
    return CONFIGURATION


def _announce(asked: AnyProvider, intents: Sequence[Intent]) -> None:
    """Say what is done, and how long that may take."""
    count = "1 call" if len(intents) == 1 else f"{len(intents)} calls"
    click.echo(f"{asked.title}: finding out about {count}", err=True)
    until = max((_until(asked, intent) for intent in intents), default=0.0)
    if until > _TELLING:
        click.echo(
            f"{asked.title}: what its list does not show counts as never accepted only after a while; that takes"
            f" {texts.span(until)} from now at most",
            err=True,
        )


def _until(asked: AnyProvider, intent: Intent) -> float:
    """Seconds until a request of this call that no list shows was surely never accepted."""
    grace = timedelta(seconds=Conversation(asked, Retry()).grace)
    ends = (step.sent_at + grace for step in intent.steps if step.state == "sent")
    return max(((end - datetime.now(UTC)).total_seconds() for end in ends), default=0.0)


def _resumed(journal: Journal, vendors: Sequence[AnyProvider], key: str | None, results: Results) -> Iterable[int]:
    try:
        with client_of(vendors, journal, _note) as client:
            found = client.resume(key)
    except KeyboardInterrupt:
        click.echo("interrupted; what is not settled is kept: run `unified-train jobs reconcile` again", err=True)
        raise SystemExit(INTERRUPTED) from None
    return [_result(result, results) for result in found]


def _note(event: Event) -> None:
    if isinstance(event, SubmissionReconciled):
        click.echo(f"{texts.plain(event.key)}: {event.operation} {_OUTCOMES[event.outcome]}", err=True)


def _result(result: Resumed, results: Results) -> int:
    """Tell what became of a call; the exit code that it would have alone."""
    named = " ".join(filter(None, [result.provider, result.kind, result.name]))
    call = f"{texts.plain(result.key)} ({texts.plain(named)})"
    if result.error is None:
        record = _record(result, "accepted", job=result.job.reference if result.job else None)
        results.add(f"{call}: accepted, {texts.line(result.job) if result.job else ''}", record)
        return OK
    unknown = isinstance(result.error, SubmissionUncertain)
    record = _record(result, "unknown" if unknown else "failed", error=str(result.error))
    results.add(f"{call}: {'outcome still unknown' if unknown else 'failed'}: {result.error}", record)
    code = exit_code(result.error)
    return code if code in _WORST else FAILED
