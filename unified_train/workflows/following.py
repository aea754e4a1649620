"""Following jobs: looking, waiting, canceling, listing; and what the journal keeps of it."""

from __future__ import annotations

import logging
from collections import deque
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from unified_train import jobs
from unified_train.errors import JournalError, UnifiedTrainError, UnsupportedCapability
from unified_train.flow import Workflow, blocking, emit, gather, supplied
from unified_train.keys import MARKER, marker_of
from unified_train.models import Job
from unified_train.polling import usual_by
from unified_train.status import Status
from unified_train.watching import Due, Kin, Watched
from unified_train.workflows.vendors import Vendors

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from unified_train.http import Request, Response
    from unified_train.models import JobKind, Snapshot
    from unified_train.policy import Conversation
    from unified_train.polling import Usual
    from unified_train.watching import Until
    from unified_train.workflows.vendors import JobLike

_FRESH = timedelta(seconds=60)
"""Age of a listing in which a double of an hour ago will be seen, if there is one."""
_log = logging.getLogger("unified_train")


class _Looks:
    """What a wait has to do: looks at jobs, as they become due.

    Args:
        following: How to look.
        watched: The jobs, and what is due.

    Attributes:
        told: Called with each changed job.
        held: What is in it must be handed over before more is begun.
    """

    def __init__(self, following: Following, watched: Watched) -> None:
        self.watched = watched
        self.told: Callable[[Job], object] | None = None
        self.held: Collection[Job] = ()
        self._following = following

    def next(self) -> Workflow[Callable[[], list[int]]] | float | None:
        """The next look, as `Supply` has it."""
        if self.held:
            return None
        due = self.watched.next()
        if not isinstance(due, Due):
            return due
        # What a look needs is taken now: it may run in another thread, while the jobs change.
        if due.listed:
            return self._listing(due, self.watched.listable(due))
        return self._look(due, self.watched.jobs[due.positions[0]])

    def ended(self, result: Callable[[], list[int]]) -> None:
        """Note what a look has brought."""
        for position in result():
            if self.told is not None:
                self.told(self.watched.jobs[position])

    def _look(self, due: Due, job: Job) -> Workflow[Callable[[], list[int]]]:
        return partial(self.watched.take, due, (yield from self._following.tried(job)))

    def _listing(self, due: Due, jobs: Sequence[Job]) -> Workflow[Callable[[], list[int]]]:
        listed, requests = yield from self._following.listed(due, jobs)
        return partial(self._listed, due, listed, requests)

    def _listed(self, due: Due, listed: Mapping[str, Snapshot] | UnifiedTrainError, requests: int) -> list[int]:
        changed = self.watched.take_listed(due, listed, requests)
        for position in changed:
            self._following.announce(self.watched.jobs[position])
        return changed


class Following(Vendors):
    """Jobs on their way."""

    def poll(self, job: JobLike) -> Workflow[Job]:
        """Look at a job once."""
        return (yield from self.seen((yield from self._remembered(job))))

    def wait(
        self,
        waited_for: Sequence[JobLike],
        *,
        timeout: float | None,
        until: Until = "all",
        progress: Callable[[Job], object] | None = None,
    ) -> Workflow[list[Job]]:
        """Look at jobs until all have finished, or one; returns them in their order."""
        looks = yield from self._looks(waited_for, timeout, until)
        looks.told = progress
        yield from supplied(looks, limit=min(self.parallel, looks.watched.unfinished))
        return looks.watched.jobs

    def watch(self, waited_for: Sequence[JobLike], *, timeout: float | None) -> Workflow[list[Job]]:
        """The same, until all have finished; emits each changed job. What is under way is waited for before that."""
        looks = yield from self._looks(waited_for, timeout, "all")
        news: deque[Job] = deque()
        looks.told, looks.held = news.append, news
        while not looks.watched.over:
            yield from supplied(looks, limit=min(self.parallel, looks.watched.unfinished))
            while news:
                yield from emit(news.popleft())
        return looks.watched.jobs

    def _looks(self, waited_for: Sequence[JobLike], timeout: float | None, until: Until) -> Workflow[_Looks]:
        known = yield from gather([self._remembered(job) for job in waited_for], limit=1)
        learned: dict[tuple[str, JobKind], Mapping[str | None, Usual]] = {}
        for job in known:
            if not job.finished and (job.provider, job.kind) not in learned:
                learned[job.provider, job.kind] = yield from self._learned(job.provider, job.kind)

        def kin_of(job: Job) -> Kin:
            provider = self._talk(job.provider).provider
            floor = provider.poll_floor if self.pace else 0.0
            return Kin(job.provider, job.kind, floor, job.kind in provider.lists, learned[job.provider, job.kind])

        watched = Watched(known, self.polling, timeout, kin_of=kin_of, until=until, clock=self.ticks, today=self.clock)
        return _Looks(self, watched)

    def _learned(self, provider: str, kind: JobKind) -> Workflow[Mapping[str | None, Usual]]:
        """How long such jobs took before, as the journal has it; waiting goes on without one, or with a broken one."""
        if self.journal is None or kind != "training":
            return {}
        try:
            return usual_by((yield from blocking(partial(self.journal.durations, provider, kind))))
        except JournalError as error:
            _log.info("nothing is known of earlier jobs: %s", error)
            return {}

    def listed(
        self, due: Due, watched: Sequence[Job]
    ) -> Workflow[tuple[Mapping[str, Snapshot] | UnifiedTrainError, int]]:
        """What one listing tells of jobs, by their ids, and how many requests it took."""
        talk, requests = self._talk(due.kin.provider), 0

        def counted(request: Request) -> Workflow[Response]:
            nonlocal requests
            requests += 1
            return (yield from talk.send(request))

        listed = yield from self._tried(talk.run(talk.provider.poll_many(watched), counted))
        return listed, requests

    def cancel(self, job: JobLike) -> Workflow[Job]:
        """Ask the vendor to stop a job."""
        known = yield from self._remembered(job)
        if known.finished:
            return known
        talk = self._talk(known.provider)
        abilities = talk.provider.capabilities
        if not (abilities.training if known.kind == "training" else abilities.generation).cancel:
            raise UnsupportedCapability(f"{talk.provider.title} can't cancel a {known.kind}; it runs to its end")
        pieces = jobs.parts(known)
        seen = yield from gather([self._cancel(talk, part) for part in pieces], limit=self.parallel)
        return (yield from self._keep(known, jobs.joined(seen, known)))

    def _cancel(self, talk: Conversation, job: Job) -> Workflow[Job]:
        return job if job.finished else self._noted(job, (yield from talk.run(talk.provider.cancel(job))))

    def list_jobs(self, kind: JobKind, *, provider: str | None) -> Workflow[list[Job]]:
        """The account's jobs, as the vendor lists them."""
        talk = self._talk(provider)
        abilities = talk.provider.capabilities
        if not (abilities.training if kind == "training" else abilities.generation).list:
            raise UnsupportedCapability(f"{talk.provider.title} can't list {kind}s")
        snapshots = yield from talk.run(talk.provider.list_jobs(kind))
        return [jobs.begun(talk.provider.slug, kind, snapshot, self.clock()) for snapshot in snapshots]

    def tried(self, job: Job) -> Workflow[Job | UnifiedTrainError]:
        """The job after one more look, or the error that it ended with."""
        return (yield from self._tried(self.seen(job)))

    def seen(self, job: Job) -> Workflow[Job]:
        """The job after one more look, which the journal keeps."""
        after = yield from self._look(job)
        if after.finished and not job.finished and after.kind == "training":
            after = yield from self._without_doubles(after)
        return (yield from self._keep(job, after))

    def _look(self, job: Job) -> Workflow[Job]:
        if job.finished:
            return job
        pieces = jobs.parts(job)
        if len(pieces) == 1 and pieces[0] is job:
            talk = self._talk(job.provider)
            return self._noted(job, (yield from talk.run(talk.provider.poll(job))))
        seen = yield from gather([self._look(part) for part in pieces], limit=self.parallel)
        return jobs.joined(seen, job)

    def _noted(self, job: Job, snapshot: Snapshot) -> Job:
        after = jobs.advanced(job, snapshot, self.clock())
        word = (job.provider, after.raw_status)
        if after.status is Status.UNKNOWN and after.raw_status is not None and word not in self._unknown_words:
            self._unknown_words.add(word)
            _log.warning("%s says %r of %s; this word is unknown here, waiting goes on", *word, job.reference)
        if jobs.changed(job, after):
            self.announce(after)
        return after

    def announce(self, job: Job) -> None:
        """Tell the observer of a job that has changed."""
        self._talk(job.provider).changed(job)

    def _remembered(self, job: JobLike) -> Workflow[Job]:
        """The job with all that the journal knows of it, if only its reference is given."""
        known = self._known(job)
        if self.journal is None or not isinstance(job, str):
            return known
        return (yield from blocking(partial(self.journal.job, known.reference))) or known

    def _keep(self, before: Job, after: Job) -> Workflow[Job]:
        """Write a changed job to the journal; a journal that fails must not end a wait."""
        if self.journal is not None and jobs.changed(before, after):
            try:
                yield from blocking(partial(self.journal.update, after))
            except JournalError as error:
                _log.error("%s: %s", after.reference, error)
        return after

    # -- doubles -------------------------------------------------------------------------------------------------------

    def _without_doubles(self, job: Job) -> Workflow[Job]:
        """One more listing when a training has ended: whatever else bears its marker was paid for by mistake."""
        talk = self._talk(job.provider)
        abilities = talk.provider.capabilities.training
        if self.journal is None or job.key is None or not abilities.list:
            return job
        listed = yield from self._listed(talk, job)
        if isinstance(listed, UnifiedTrainError):
            _log.warning("%s: could not look for doubles: %s", job.reference, listed)
            return job
        notes = []
        for snapshot in listed:
            if not _bears(snapshot, marker_of(job.key)) or talk.provider.same_job(snapshot.id, job.id):
                continue
            double = jobs.begun(job.provider, "training", snapshot, self.clock())
            ended = yield from self._ended_double(talk, double, cancel=abilities.cancel)
            notes.append(f"the same call was accepted more than once: {double.reference} {ended}")
            _log.warning("%s: %s", job.reference, notes[-1])
        return job.model_copy(update={"notes": (*job.notes, *notes)}) if notes else job

    def _listed(self, talk: Conversation, job: Job) -> Workflow[Sequence[Snapshot] | UnifiedTrainError]:
        """The vendor's trainings, as of now or of a moment ago: many jobs that end together need but one listing."""
        now, started = self.clock(), job.history[0].at if job.history else self.clock()
        at, listed = self._listings.get(job.provider, (started, ()))
        if at > started and now - at < _FRESH:
            return listed
        tried = yield from self._tried(talk.run(talk.provider.list_jobs("training")))
        if not isinstance(tried, UnifiedTrainError):
            self._listings[job.provider] = now, [one for one in tried if _bears(one, "")]
        return tried

    def _ended_double(self, talk: Conversation, double: Job, *, cancel: bool) -> Workflow[str]:
        """What became of a double."""
        if double.finished:
            return f"({double.status})"
        if not cancel:
            return f"goes on, since {talk.provider.title} can't cancel it; ask its support for the money"
        tried = yield from self._tried(self._cancel(talk, double))
        return "was canceled" if isinstance(tried, Job) else f"could not be canceled ({tried})"


def _bears(snapshot: Snapshot, marker: str) -> bool:
    """Whether its name ends with the marker, or with any if that is blank."""
    return snapshot.name is not None and snapshot.name.endswith(marker) and MARKER.search(snapshot.name) is not None
