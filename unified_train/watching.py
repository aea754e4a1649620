"""Jobs being waited for: how each stands, when to look at which next, and when to give up.

One heap per vendor and kind holds what is due when, so that a look costs the logarithm of the number of jobs. Where a
vendor's list tells of many jobs at once, their looks are moved to common moments, and one listing does for all.
"""

from __future__ import annotations

import heapq
import math
import random
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from unified_train import jobs
from unified_train.errors import (
    InvalidOptions,
    MalformedResponse,
    ProviderUnavailable,
    RateLimited,
    TransportError,
    UnifiedTrainError,
    WaitTimeout,
)
from unified_train.polling import Trail, jittered, next_look
from unified_train.status import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from unified_train.models import Job, JobKind, Snapshot
    from unified_train.polling import Polling, Usual

Until: TypeAlias = Literal["all", "first"]
"""When waiting for several jobs ends."""

FEWEST_LISTED = 3
"""Jobs at which a listing is tried."""
_DOUBT = 8
"""Looks at each job before a list that did not show it is tried again."""
_SLOTS = 4
"""A look at a job that can be listed is moved by an eighth of its interval at most: to one of so many moments in it."""

_SECONDS_PER_PAGE = 0.4
"""Between listings for jobs at rest: one of a hundred pages, for ten thousand jobs, is made every forty seconds."""
_RESTING = 10.0
"""Seconds between looks at a job that is at rest, at least."""
_PASSING = (TransportError, ProviderUnavailable, RateLimited, MalformedResponse)
"""Failures of a poll that say nothing about the job."""
_OPEN = (Status.QUEUED, Status.RUNNING)
_FEW = 32
"""Jobs of a kind up to which they are asked by themselves now and then for what a list does not tell."""


@dataclass(frozen=True, slots=True)
class Kin:
    """What jobs of one kind at one vendor have in common.

    Attributes:
        provider: Slug of the vendor.
        kind: Of the jobs.
        floor: The vendor's least interval, in seconds.
        listed: Whether one request tells of many of them.
        usual: How long they took before, by base model, and by None for all of them.
    """

    provider: str
    kind: JobKind
    floor: float = 0.0
    listed: bool = False
    usual: Mapping[str | None, Usual] = field(default_factory=dict)


@dataclass(slots=True)
class _Group:
    """Jobs of one kin, and what is due when.

    Attributes:
        kin: What they have in common.
        due: Heap of times and positions.
        waiting: Positions of all of them that a listing may tell of.
        listing: Whether one is under way.
        telling: Whether the list has told of any job how far it is.
        requests: That a listing takes.
        doubted: Single looks until a listing is tried again, after one that did not show most of the jobs.
    """

    kin: Kin
    due: list[tuple[float, int]] = field(default_factory=list)
    waiting: dict[str, int] = field(default_factory=dict)
    listing: bool = False
    telling: bool = False
    requests: int = 1
    doubted: int = 0

    def pays(self, due: int) -> bool:
        """Whether a listing costs no more than looking at each that is due: it tells of all others as well."""
        if len(self.waiting) < FEWEST_LISTED or due < self.requests:
            return False
        doubted, self.doubted = self.doubted, max(0, self.doubted - due)
        return not doubted


class _Standing:
    """How one job stands, kept small: there may be thousands.

    Attributes:
        group: That it belongs to.
        trail: What was seen of it.
        began: When it was started, by the monotonic clock.
        due: When it is looked at next; None while it is being looked at.
        alone: Whether a listing would not do for the next look.
        failing: Since when looks have failed.
    """

    __slots__ = ("alone", "began", "due", "failing", "group", "trail")

    def __init__(self, group: _Group, began: float, due: float, *, alone: bool) -> None:
        self.group = group
        self.trail = Trail(began)
        self.began = began
        self.due: float | None = due
        self.alone = alone
        self.failing: float | None = None


class Due(NamedTuple):
    """What to look at now.

    Attributes:
        kin: Of the jobs.
        positions: Of the jobs; one, unless they are to be listed.
        listed: Whether a listing is to tell of them.
    """

    kin: Kin
    positions: Sequence[int]
    listed: bool = False


class Watched:
    """Several jobs, each looked at when its time has come.

    Args:
        watched: In the order in which they are given back; at least one.
        polling: When to look.
        timeout: Seconds; None for ever.
        until: When waiting ends.
        kin_of: What a job has in common with others; asked once for each vendor and kind.
        clock: Seconds that only grow.
        today: The time, aware.
    """

    def __init__(
        self,
        watched: Sequence[Job],
        polling: Polling,
        timeout: float | None,
        *,
        kin_of: Callable[[Job], Kin],
        until: Until = "all",
        clock: Callable[[], float] = time.monotonic,
        today: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        if not watched:
            raise InvalidOptions("no jobs to wait for")
        self.jobs = list(watched)
        self._polling = polling
        self._clock = clock
        self._started = clock()
        self._deadline = None if timeout is None else self._started + timeout
        self._until = until
        self._unfinished = sum(not job.finished for job in watched)
        self._under_way = 0
        self._ready: deque[Due] = deque()
        # Clients that were started by the same clock need not list at the same moments.
        self._phase = random.random()  # noqa: S311 - no secret
        self._groups: dict[tuple[str, JobKind], _Group] = {}
        self._standing: list[_Standing | None] = [None] * len(self.jobs)
        now = today()
        for position, job in enumerate(self.jobs):
            if not job.finished:
                self._admit(position, job, kin_of, now)
        for group in self._groups.values():
            heapq.heapify(group.due)

    def _admit(self, position: int, job: Job, kin_of: Callable[[Job], Kin], now: datetime) -> None:
        key = job.provider, job.kind
        if key not in self._groups:
            self._groups[key] = _Group(kin_of(job))
        group = self._groups[key]
        # A job that was never looked at, or not for a while, is looked at once; a fresh one gets its first delay.
        fresh = job.updated_at is not None and (now - job.updated_at).total_seconds() < self._polling.first
        due = self._started + (self._polling.first if fresh else 0.0)
        whole = len(jobs.parts(job)) == 1
        listed = group.kin.listed and whole and job.id not in group.waiting
        standing = _Standing(group, self._started - _age(job, now), due, alone=not listed)
        if listed:
            group.waiting[job.id] = position
        self._standing[position] = standing
        for change in job.history:
            if not change.status.finished:
                at = self._started - max(0.0, (now - change.at).total_seconds())
                standing.trail.see(at, queued=change.status is Status.QUEUED, progress=None, eta=None)
        if job.updated_at is not None:
            looked = self._started - max(0.0, (now - job.updated_at).total_seconds())
            standing.trail.see(looked, queued=job.status is Status.QUEUED, progress=job.progress, eta=job.eta)
        group.due.append((due, position))

    @property
    def over(self) -> bool:
        """Whether waiting is over."""
        return not self._unfinished or (self._until == "first" and self._unfinished < len(self.jobs))

    @property
    def unfinished(self) -> int:
        """How many jobs are still waited for."""
        return self._unfinished

    def listable(self, due: Due) -> list[Job]:
        """The jobs that a listing may as well tell of, due or not."""
        return [self.jobs[position] for position in self._groups[due.kin.provider, due.kin.kind].waiting.values()]

    # -- what is due ---------------------------------------------------------------------------------------------------

    def next(self) -> Due | float | None:
        """What to look at now, or seconds until there is something; None if what is under way comes first.

        Raises:
            WaitTimeout: The time is up. What was due before is looked at all the same.
        """
        if self.over:
            return None
        now = self._clock()
        if not self._ready:
            self._collect(now)
        if self._ready:
            self._under_way += 1
            return self._ready.popleft()
        soonest = min((group.due[0][0] for group in self._groups.values() if group.due), default=None)
        if self._deadline is not None and now >= self._deadline:
            if self._under_way:
                return None
            self._give_up(self._deadline)
        if soonest is None:
            return None
        return max(0.0, (soonest if self._deadline is None else min(soonest, self._deadline)) - now)

    def _collect(self, now: float) -> None:
        """Make ready what is due: by its own poll, or by one listing for all, if that is cheaper."""
        until = now if self._deadline is None else min(now, self._deadline)
        for group in self._groups.values():
            together: list[int] = []
            while group.due and group.due[0][0] <= until:
                due, position = heapq.heappop(group.due)
                standing = self._standing[position]
                if standing is None or standing.due != due:
                    continue  # an old entry of a job that a listing has told of since, or that has finished
                standing.due = None
                if standing.alone or group.listing or _is_worth_a_poll(group, standing, now):
                    self._ready.append(Due(group.kin, (position,)))
                else:
                    together.append(position)
            if group.pays(len(together)):
                group.listing = True
                self._ready.append(Due(group.kin, together, listed=True))
            else:
                self._ready.extend(Due(group.kin, (position,)) for position in together)

    def _give_up(self, deadline: float) -> None:
        running = [job for job in self.jobs if not job.finished]
        raise WaitTimeout(
            f"{len(running)} of {len(self.jobs)} jobs still run after {deadline - self._started:g} seconds,"
            f" such as {running[0].reference} ({running[0].status}); nothing was canceled, wait again",
            job=running[0],
            jobs=self.jobs,
        )

    # -- what was seen -------------------------------------------------------------------------------------------------

    def take(self, due: Due, seen: Job | UnifiedTrainError) -> list[int]:
        """Note what a look at one job brought; the positions of jobs that have changed, if they have.

        Raises:
            UnifiedTrainError: One that will not pass.
        """
        self._under_way -= 1
        (position,) = due.positions
        if isinstance(seen, UnifiedTrainError):
            self._failed(position, seen)
            return []
        standing = self._of(position)
        standing.alone = standing.group.waiting.get(self.jobs[position].id) != position
        standing.failing = None
        return [position] if self._noted(position, seen) else []

    def _failed(self, position: int, error: UnifiedTrainError) -> None:
        now, standing = self._clock(), self._of(position)
        standing.failing = now if standing.failing is None else standing.failing
        if not isinstance(error, _PASSING) or now - standing.failing > self._polling.patience:
            raise error
        self._again(position, now)

    def _noted(self, position: int, seen: Job) -> bool:
        before, self.jobs[position] = self.jobs[position], seen
        if seen.finished:
            waiting = self._of(position).group.waiting
            if waiting.get(before.id) == position:
                del waiting[before.id]
            self._standing[position] = None
            self._unfinished -= 1
        else:
            now = self._clock()
            trail = self._of(position).trail
            trail.see(now, queued=seen.status is Status.QUEUED, progress=seen.progress, eta=seen.eta, polled=True)
            self._again(position, now)
        return jobs.changed(before, seen)

    def take_listed(self, due: Due, listed: Mapping[str, Snapshot] | UnifiedTrainError, requests: int) -> list[int]:
        """Note what a listing brought; the positions of jobs that have changed.

        A list may lag, and tells less than a poll. So it is believed in two things only: that there is no news of a
        job, and that its progress has grown. Whatever else it says makes the job be looked at by itself, at once; and
        so does a job that it does not show.

        Args:
            due: What was to be looked at.
            listed: What the list shows, by the jobs' ids.
            requests: How many it took.

        Raises:
            UnifiedTrainError: One that will not pass, neither here nor for single polls.
        """
        self._under_way -= 1
        group = self._groups[due.kin.provider, due.kin.kind]
        group.listing = False
        if isinstance(listed, UnifiedTrainError):
            self._not_listed(group, due.positions, listed)
            return []
        now, shown, late = self._clock(), 0, set(due.positions)
        changed: list[int] = []
        for identifier, position in list(group.waiting.items()):
            standing, snapshot = self._of(position), listed.get(identifier)
            if standing.due is None and position not in late:
                continue  # it is being looked at by itself just now
            shown += snapshot is not None and position in late
            if snapshot is not None and _is_old_news(self.jobs[position], snapshot):
                changed += self._grown(position, snapshot, now)
            elif snapshot is not None or position in late:
                standing.alone = True
                self._set(position, now)
        group.requests = requests
        group.doubted = 0 if 2 * shown > len(late) else _DOUBT * len(group.waiting)
        return changed

    def _grown(self, position: int, snapshot: Snapshot, now: float) -> list[int]:
        """Note progress that a list shows, if it has grown."""
        job, standing = self.jobs[position], self._of(position)
        standing.failing = None
        standing.group.telling |= snapshot.progress is not None or snapshot.eta is not None
        grown = snapshot.progress is not None and snapshot.progress > (job.progress or 0.0)
        if grown or snapshot.eta is not None:
            told = {"progress": snapshot.progress if grown else job.progress, "eta": snapshot.eta}
            self.jobs[position] = jobs.with_facts(job, told)
        progress = snapshot.progress if grown else None
        standing.trail.see(now, queued=job.status is Status.QUEUED, progress=progress, eta=snapshot.eta)
        self._again(position, now)
        return [position] if grown else []

    def _not_listed(self, group: _Group, positions: Sequence[int], error: UnifiedTrainError) -> None:
        """A listing has failed: as if each look had, or, if it will not pass, single polls have to do from now on."""
        if isinstance(error, _PASSING):
            for position in positions:
                self._failed(position, error)
            return
        now = self._clock()
        for position in group.waiting.values():
            self._of(position).alone = True
        group.waiting.clear()
        for position in positions:
            self._set(position, now)

    # -- when to look again --------------------------------------------------------------------------------------------

    def _again(self, position: int, now: float) -> None:
        job, standing = self.jobs[position], self._of(position)
        kin = standing.group.kin
        usual = kin.usual.get(job.base_model) or kin.usual.get(None)
        seen = standing.trail.seen(now, job.kind, now - standing.began, usual, kin.floor)
        step = next_look(seen, self._polling)
        if len(standing.group.waiting) >= FEWEST_LISTED:
            # What is neither young nor near its end can wait for a list that is long; see `_SECONDS_PER_PAGE`.
            if step > _RESTING:
                step = max(step, _SECONDS_PER_PAGE * standing.group.requests)
            self._set(position, self._common(now, step, kin.floor))
        else:
            self._set(position, now + jittered(step, kin.floor))

    def _common(self, now: float, step: float, floor: float) -> float:
        """A moment near that at which a look is due, and at which others are due as well."""
        if step <= 0:
            return now
        slot = math.ldexp(0.5, math.frexp(step / _SLOTS)[1])  # the power of two below
        moment = (round((now + step) / slot - self._phase) + self._phase) * slot
        return max(moment, now + floor)

    def _set(self, position: int, due: float) -> None:
        standing = self._of(position)
        standing.due = due
        heapq.heappush(standing.group.due, (due, position))

    def _of(self, position: int) -> _Standing:
        standing = self._standing[position]
        if standing is None:
            raise AssertionError("unreachable")
        return standing


def _age(job: Job, now: datetime) -> float:
    """Seconds since a job was started, as far as can be told.

    Our own clock counts, if we have started it; the vendor's, which may be ahead or behind, only for other jobs.
    """
    first = job.history[0].at if job.history else None
    if job.key is not None and first is not None:
        starts = [first]
    else:
        starts = [moment for moment in (first, job.created_at) if moment is not None]
    return max([0.0, *((now - start).total_seconds() for start in starts)])


def _is_worth_a_poll(group: _Group, standing: _Standing, now: float) -> bool:
    """Whether to ask a job by itself, since only polls tell how far it is; with many that would be too much."""
    few = len(group.waiting) <= _FEW and not group.telling
    return few and standing.trail.is_worth_a_poll(now, now - standing.began)


def _is_old_news(job: Job, snapshot: Snapshot) -> bool:
    """Whether a listing says nothing of a job that was not known, but for its progress."""
    told = snapshot.status, snapshot.raw_status, snapshot.phase
    return told == (job.status, job.raw_status, job.phase) and snapshot.status in _OPEN
