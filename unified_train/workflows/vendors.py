"""What all workflows of one client share: whom it speaks to, and what only one vendor has."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from unified_train import jobs
from unified_train.errors import ConfigurationError, UnifiedTrainError
from unified_train.models import Job, Snapshot
from unified_train.status import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from unified_train.flow import Flow, Workflow
    from unified_train.hosting import ImageHost
    from unified_train.journal import Journal
    from unified_train.models import JobKind
    from unified_train.policy import Conversation
    from unified_train.polling import Polling
    from unified_train.provider import AnyProvider, Capabilities

T = TypeVar("T")
JobLike: TypeAlias = "Job | str"


@dataclass
class Vendors:
    """The vendors of one client, and how they are spoken to.

    Attributes:
        conversations: One per vendor, the first being the default.
        polling: When to look at jobs.
        parallel: Uploads, polls, calls or downloads at once.
        image_host: Where local images go for a vendor that takes URLs only.
        pace: Whether the vendors' least poll intervals are kept.
        journal: Of what may cost money; None for none.
        clock: The time, aware.
        ticks: Seconds that only grow.
    """

    conversations: Mapping[str, Conversation]
    polling: Polling
    parallel: int
    image_host: ImageHost | None = None
    pace: bool = True
    journal: Journal | None = None
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    ticks: Callable[[], float] = time.monotonic
    _unknown_words: set[tuple[str, str | None]] = field(default_factory=set)
    _listings: dict[str, tuple[datetime, Sequence[Snapshot]]] = field(default_factory=dict)

    def run(self, flow: Flow[T], *, provider: str | None, kind: JobKind) -> Workflow[T | Job]:
        """Run a flow of a provider; a snapshot that it returns becomes a job."""
        talk = self._talk(provider)
        result = yield from talk.run(flow)
        return jobs.begun(talk.provider.slug, kind, result, self.clock()) if isinstance(result, Snapshot) else result

    def parse_webhook(self, provider: str, headers: Mapping[str, str], body: bytes) -> Job:
        """The job that a webhook is about; what it says is kept as a hint, its status is unknown until it is polled."""
        talk = self._talk(provider)
        kind, hint = talk.provider.read_webhook({name.lower(): value for name, value in headers.items()}, body)
        unconfirmed = Snapshot(id=hint.id, status=Status.UNKNOWN, raw_status=hint.raw_status, raw=hint.raw)
        note = "a webhook says so; poll to confirm"
        return jobs.begun(talk.provider.slug, kind, unconfirmed, self.clock(), notes=(note,))

    def capabilities(self, provider: str | None) -> Capabilities:
        """What a vendor can do."""
        return self._talk(provider).provider.capabilities

    def provider(self, slug: str | None) -> AnyProvider:
        """One of this client's providers."""
        return self._talk(slug).provider

    def _talk(self, provider: str | None) -> Conversation:
        if provider is None:
            return next(iter(self.conversations.values()))
        if provider in self.conversations:
            return self.conversations[provider]
        mine = ", ".join(self.conversations)
        raise ConfigurationError(
            f"this client speaks to {mine}, not to {provider}; make one with Client({provider!r})"
            f" or Client({', '.join(repr(slug) for slug in [*self.conversations, provider])})"
        )

    def _known(self, job: JobLike) -> Job:
        known = Job.from_reference(job) if isinstance(job, str) else job
        self._talk(known.provider)
        return known

    def _tried(self, workflow: Workflow[T]) -> Workflow[T | UnifiedTrainError]:
        """The result or the error, so that one refused call does not lose the others, which are paid for."""
        try:
            return (yield from workflow)
        except UnifiedTrainError as error:
            return error
