"""Jobs being waited for: how each stands, when to look at it next, and when to give up."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, TypeAlias

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

if TYPE_CHECKING:
    from unified_train.models import Job
    from unified_train.policy import Polling

Until: TypeAlias = Literal["all", "first"]
"""When waiting for several jobs ends."""

_PASSING = (TransportError, ProviderUnavailable, RateLimited, MalformedResponse)
"""Failures of a poll that say nothing about the job."""


class Watched:
    """Several jobs, looked at in turn.

    Args:
        watched: In the order in which they are given back; at least one.
        polling: When to look.
        timeout: Seconds; None for ever.
    """

    def __init__(self, watched: list[Job], polling: Polling, timeout: float | None) -> None:
        if not watched:
            raise InvalidOptions("no jobs to wait for")
        self.jobs = watched
        self._polling = polling
        self._started = time.monotonic()
        self._deadline = None if timeout is None else self._started + timeout
        # A job that was never looked at, or not for a while, is looked at once; a fresh one gets its first delay.
        now = datetime.now(UTC)
        fresh = [
            job.updated_at is not None and (now - job.updated_at).total_seconds() < polling.first for job in watched
        ]
        self._next = [self._started + (polling.first if is_fresh else 0.0) for is_fresh in fresh]
        self._failing: dict[int, float] = {}

    def over(self, until: Until) -> bool:
        """Whether waiting is over."""
        finished = [job.finished for job in self.jobs]
        return any(finished) if until == "first" else all(finished)

    def check_deadline(self) -> None:
        """Raise `WaitTimeout` if the time is up."""
        if self._deadline is None or time.monotonic() < self._deadline:
            return
        running = [job for job in self.jobs if not job.finished]
        raise WaitTimeout(
            f"{len(running)} of {len(self.jobs)} jobs still run after {self._deadline - self._started:g} seconds,"
            f" such as {running[0].reference} ({running[0].status}); nothing was canceled, wait again",
            job=running[0],
            jobs=self.jobs,
        )

    def due(self) -> list[int]:
        """Positions of the jobs to look at now."""
        now = time.monotonic()
        return [index for index, job in enumerate(self.jobs) if not job.finished and self._next[index] <= now]

    def pause(self) -> float:
        """Seconds until there is something to do."""
        soonest = min(self._next[index] for index, job in enumerate(self.jobs) if not job.finished)
        if self._deadline is not None:
            soonest = min(soonest, self._deadline)
        return max(0.0, soonest - time.monotonic())

    def take(self, index: int, seen: Job | UnifiedTrainError, floor: float) -> bool:
        """Note what a look brought; whether the job changed. An error that will not pass is raised."""
        now = time.monotonic()
        waited = now - self._started
        if isinstance(seen, UnifiedTrainError):
            since = self._failing.setdefault(index, now)
            if not isinstance(seen, _PASSING) or now - since > self._polling.patience:
                raise seen
            self._next[index] = now + self._polling.delay(waited, floor=floor)
            return False
        self._failing.pop(index, None)
        before, self.jobs[index] = self.jobs[index], seen
        self._next[index] = now + self._polling.delay(waited, eta=seen.eta, floor=floor)
        return jobs.changed(before, seen)
