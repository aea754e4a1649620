"""At most one paid submission for one call: each belongs to one owner at a time, and its outcome to its key."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias
from uuid import uuid4

from unified_train import jobs
from unified_train.errors import (
    InvalidOptions,
    JournalError,
    ProviderUnavailable,
    RateLimited,
    SubmissionUncertain,
    TransportError,
    UnifiedTrainError,
)
from unified_train.flow import Workflow, blocking, sleep
from unified_train.intents import Intent
from unified_train.journal import at_work, new_owner
from unified_train.keeper import LeaseLost
from unified_train.keys import account_of, checked_key, marker_of
from unified_train.models import Job
from unified_train.submission import Submission

if TYPE_CHECKING:
    from collections.abc import Callable

    from unified_train.drafts import Draft
    from unified_train.journal import Journal
    from unified_train.models import JobKind
    from unified_train.policy import Conversation
    from unified_train.submission import AnySubmission

_PASSING = (TransportError, ProviderUnavailable, RateLimited)
"""Errors of a resumed call after which it is worth resuming once more."""
_log = logging.getLogger("unified_train")


@dataclass(frozen=True, slots=True)
class Resumed:
    """What became of a call that another process had left behind.

    Attributes:
        key: Of the call.
        provider: Slug of the vendor.
        kind: `training` or `generation`.
        name: Of the training.
        job: If it was accepted, now or then.
        error: Why not.
    """

    key: str
    provider: str
    kind: JobKind
    name: str | None
    job: Job | None
    error: UnifiedTrainError | None


Carry: TypeAlias = "Callable[[AnySubmission], Workflow[Job]]"


class Submissions:
    """The calls of one client, by their keys.

    Args:
        journal: That they are in.
    """

    def __init__(self, journal: Journal) -> None:
        self.journal = journal

    def once(self, talk: Conversation, draft: Draft, key: str | None, carry: Carry) -> Workflow[Job]:
        """The job of a call, which is carried out unless its key has one already.

        Raises:
            InvalidOptions: The key was used for another request.
            JournalError: The journal can't be used; nothing was sent.
            SubmissionUncertain: It may have been accepted, and nobody can tell.
        """
        named = checked_key(key) if key is not None else uuid4().hex
        asked = Intent(
            key=named,
            provider=talk.provider.slug,
            account=account_of(talk.provider),
            kind=draft.kind,
            name=draft.name,
            marker=marker_of(named),
            digest=draft.digest,
            created_at=talk.now(),
            request=draft.stored,
        )
        return (yield from self._owned(talk, partial(self.journal.begin, asked), carry, asked))

    def resumed(self, talk: Conversation, key: str, carry: Carry) -> Workflow[Job]:
        """The job of a call that another process left behind, carried on from where it stands; errors as `once`."""
        return (yield from self._owned(talk, partial(self.journal.take, key), carry, None))

    def settled_by_hand(self, key: str, job: Job | None) -> Workflow[None]:
        """End a doubt by what a person has seen at the vendor: a job, or that there is none.

        Raises:
            InvalidOptions: There is no such call, it has a job already, or somebody is at work on it; or the job is
                another call's.
        """
        mine = jobs.parts(job) if job is not None else ()
        for part in mine:
            other = yield from blocking(partial(self.journal.claimant, part.reference))
            if other not in (None, key):
                raise InvalidOptions(f"{part.reference} is the job of another call, {other}")
        owner = new_owner()
        with at_work(owner):
            intent, taken = yield from blocking(partial(self.journal.take, key, owner))
            if not taken:
                state = (
                    f"has the job {intent.job} already" if intent.job else "is being worked on; wait for that to end"
                )
                raise InvalidOptions(f"the call {key} {state}")
            settle = partial(self.journal.settle, key, owner)
            for number, part in enumerate(mine):  # so that no other call adopts it
                yield from blocking(partial(self.journal.claim, part.reference, key, number))
            if job is not None:
                yield from blocking(partial(settle, "accepted", job=job.model_copy(update={"key": key})))
                return
            yield from blocking(partial(self.journal.change, key, owner, _without_doubt))
            yield from blocking(partial(settle, "refused", error="not accepted, as somebody has seen at the vendor"))

    def _owned(
        self,
        talk: Conversation,
        take: Callable[[str], tuple[Intent, bool]],
        carry: Carry,
        asked: Intent | None,
    ) -> Workflow[Job]:
        pause = 0.02
        while True:
            owner = new_owner()
            with at_work(owner):
                intent, mine = yield from blocking(partial(take, owner))
                if mine:
                    submission = Submission(self.journal, talk, intent, owner, inherited=intent is not asked)
                    with self.journal.keeping(intent.key, owner):
                        job = yield from self._carried(submission, carry, owner, resumed=asked is None)
                    if job is not None:
                        return job
            if not mine and intent.job is not None:
                known = yield from blocking(partial(self.journal.job, intent.job))
                return known or Job.from_reference(intent.job)
            # Somebody else is at work on it, in this process or another; what comes of that is ours too.
            yield from sleep(pause)
            pause = min(pause * 1.5, 2.0)

    def _carried(self, submission: Submission, carry: Carry, owner: str, *, resumed: bool) -> Workflow[Job | None]:
        """The job; None if somebody else has taken over."""
        try:
            job = yield from carry(submission)
        except LeaseLost:
            return None
        except UnifiedTrainError as error:
            yield from self._ended(submission, owner, error, resumed=resumed)
            raise _told(submission, error) from None
        except BaseException:
            with suppress(JournalError):
                self.journal.release(submission.key, owner)
            raise
        job = job.model_copy(update={"key": submission.key, "notes": (*job.notes, *submission.notes)})
        try:
            yield from blocking(partial(self.journal.settle, submission.key, owner, "accepted", job=job))
        except LeaseLost:
            return None
        except JournalError as error:
            # It was accepted: an error here would lose it. The journal has its steps, so that it can be found again.
            note = f"the journal could not keep this job: {error}"
            _log.error("%s: %s", job.reference, note)
            return job.model_copy(update={"notes": (*job.notes, note)})
        return job

    def _ended(self, submission: Submission, owner: str, error: UnifiedTrainError, *, resumed: bool) -> Workflow[None]:
        """Write what became of a call that failed; if even that fails, its lease runs out, and it is in doubt."""
        settle = partial(self.journal.settle, submission.key, owner, error=str(error))
        with suppress(JournalError, LeaseLost):
            if submission.intent.in_doubt:
                yield from blocking(partial(settle, "uncertain"))
            elif isinstance(error, JournalError) or (resumed and isinstance(error, _PASSING)):
                yield from blocking(partial(self.journal.release, submission.key, owner))
            else:
                yield from blocking(partial(settle, "refused"))


def _told(submission: Submission, error: UnifiedTrainError) -> UnifiedTrainError:
    """The error; if there is a doubt, whatever else went wrong is less than that, and the key must be known."""
    intent, provider = submission.intent, submission.talk.provider
    if not isinstance(error, SubmissionUncertain) and not intent.in_doubt:
        return error
    key, said = intent.key, str(error).rstrip(".")
    if not isinstance(error, SubmissionUncertain):
        said = f"{provider.slug}: the call may or may not have been accepted, and could not be looked up ({said})"
    step = next((step.operation for step in intent.steps if step.state == "sent"), f"{intent.kind}.start")
    return SubmissionUncertain(
        f"{said}. `unified-train jobs reconcile {key}` asks {provider.title} again; once you have looked at its list"
        " yourself you can tell: add --accepted REFERENCE or --not-accepted",
        provider=provider.slug,
        operation=step,
        key=key,
    )


def _without_doubt(intent: Intent) -> Intent:
    steps = [step.model_copy(update={"state": "void"}) if step.state == "sent" else step for step in intent.steps]
    return intent.model_copy(update={"steps": tuple(steps)})
