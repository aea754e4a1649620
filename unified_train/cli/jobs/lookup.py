"""Finding jobs and calls in the journal by what people type, and the shortest thing that they can type."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from unified_train.errors import InvalidOptions, ProviderNotFound
from unified_train.models import Job

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from unified_train.intents import Intent
    from unified_train.journal import Journal

_SHORTEST = 8
"""Characters of a short name: enough that a new job seldom makes an old name ambiguous."""
_SPARED = 4
"""Characters that must be spared for an id to be cut."""
_CANDIDATES = 10


@dataclass(frozen=True, slots=True)
class Call:
    """A call without a job.

    Attributes:
        intent: As the journal has it.
        owner: Who is at work on it, if anybody.
    """

    intent: Intent
    owner: str | None

    @property
    def standing(self) -> str:
        """`working`, `left behind` or `unknown`: nobody can tell whether it was accepted."""
        if self.owner is not None:
            return "working"
        return "unknown" if self.intent.state == "uncertain" else "left behind"


@dataclass(frozen=True, slots=True)
class Entry:
    """A job, the call that it came of, or both."""

    job: Job | None
    call: Intent | None


@dataclass(frozen=True, slots=True)
class Filter:
    """What is wanted; None is everything."""

    provider: str | None = None
    kind: str | None = None
    status: str | None = None
    since: datetime | None = None

    def admits(self, item: Job | Intent) -> bool:
        """Whether a job or call is wanted; one whose beginning is not known is."""
        if self.since is not None and item.created_at is not None and item.created_at < self.since:
            return False
        status = item.status.value if isinstance(item, Job) else None
        wanted = [(self.provider, item.provider), (self.kind, item.kind), (self.status, status)]
        return all(wish in (None, fact) for wish, fact in wanted)


@dataclass(frozen=True, slots=True)
class Selection:
    """What a list shows.

    Attributes:
        calls: Without a job, oldest first.
        jobs: Newest first, each with the call that it came of.
        left_out: How many jobs more there would be without the limit.
        empty: Whether the journal has nothing at all.
    """

    calls: Sequence[Call]
    jobs: Sequence[tuple[Job, Intent | None]]
    left_out: int
    empty: bool


def selected(journal: Journal, wanted: Filter, limit: int | None) -> Selection:
    """The calls and jobs that are wanted.

    Raises:
        ProviderNotFound: The vendor is neither in the journal nor installed.
        JournalError: The journal can't be read.
    """
    calls = pending(journal)
    jobs = journal.jobs()
    if wanted.provider is not None:
        _check_provider(wanted.provider, {job.provider for job in jobs} | {call.intent.provider for call in calls})
    matching = [job for job in jobs if wanted.admits(job)]
    shown = [(job, journal.intent(job.key) if job.key else None) for job in matching[:limit]]
    return Selection(
        calls=[call for call in calls if wanted.admits(call.intent)],
        jobs=shown,
        left_out=len(matching) - len(shown),
        empty=not jobs and not calls,
    )


def _check_provider(slug: str, known: set[str]) -> None:
    from unified_train import plugins

    installed = plugins.installed()
    if slug not in known and slug not in installed:
        names = ", ".join(sorted({*known, *installed}))
        raise ProviderNotFound(f"no provider {slug!r} is in the journal or installed; there are: {names}")


def pending(journal: Journal) -> list[Call]:
    """The calls without a job whose end is open."""
    return [Call(intent, owner) for intent, owner in journal.pending()]


def unfinished(journal: Journal) -> list[Job]:
    """The jobs that have not finished, as far as the journal knows; oldest first."""
    return [job for job in reversed(journal.jobs()) if not job.finished]


def found(journal: Journal, text: str) -> Entry:
    """The job or call that a text means: a reference, a key, an id, or the end of a reference.

    Raises:
        InvalidOptions: None fits, or several do.
        JournalError: The journal can't be read.
    """
    named = text.strip()
    job = journal.job(named)
    if job is not None:
        return Entry(job, journal.intent(job.key) if job.key else None)
    call = journal.intent(named)
    if call is not None:
        return Entry(journal.job(call.job) if call.job else None, call)
    return _by_end(journal, named)


def _by_end(journal: Journal, text: str) -> Entry:
    jobs = journal.jobs() if text else []
    fitting = [job for job in jobs if job.id == text] or [job for job in jobs if job.reference.endswith(text)]
    if not fitting:
        raise InvalidOptions(f"the journal has no job or call {text!r}; `unified-train jobs list` shows what it has")
    if len(fitting) > 1:
        names = [job.reference for job in fitting[:_CANDIDATES]]
        more = f" and {len(fitting) - _CANDIDATES} more" if len(fitting) > _CANDIDATES else ""
        raise InvalidOptions(f"{text!r} fits {len(fitting)} jobs: {', '.join(names)}{more}; type more of it")
    return Entry(fitting[0], journal.intent(fitting[0].key) if fitting[0].key else None)


def resolved(journal: Journal, texts: Iterable[str]) -> list[Job]:
    """The jobs that are meant, each once; a whole reference may also be one that the journal does not have.

    Raises:
        InvalidOptions: A text means no job, or several.
        JournalError: The journal can't be read.
    """
    jobs = [_resolved(journal, text) for text in texts]
    return list({job.reference: job for job in jobs}.values())


def _resolved(journal: Journal, text: str) -> Job:
    try:
        entry = found(journal, text)
    except InvalidOptions:
        try:
            return Job.from_reference(text)
        except InvalidOptions:
            pass
        raise
    if entry.job is not None:
        return entry.job
    raise InvalidOptions(_without_job(entry))


def _without_job(entry: Entry) -> str:
    key = entry.call.key if entry.call else ""
    if entry.call and entry.call.state == "refused":
        return f"the call {key} has no job: {entry.call.error}"
    return f"the call {key} has no job yet; settle it with `unified-train jobs reconcile {key}`"


def short_names(journal: Journal) -> dict[str, str]:
    """For each reference the shortest end of the job's id that finds it again, or itself if none does."""
    jobs = journal.jobs()
    keys = {job.key for job in jobs} | {call.intent.key for call in pending(journal)}

    @cache
    def ends(length: int) -> Counter[str]:
        return Counter(job.reference[-length:] for job in jobs)

    def finds(end: str) -> bool:
        # What begins with a dash looks like an option, and a key would be found first.
        return end[0].isalnum() and end not in keys and ends(len(end))[end] == 1

    def short(job: Job) -> str:
        cuts = (job.id[-length:] for length in range(_SHORTEST, len(job.id) - _SPARED))
        if (cut := next((cut for cut in cuts if finds(cut)), None)) is not None:
            return cut
        return job.id if finds(job.id) else job.reference

    return {job.reference: short(job) for job in jobs}
