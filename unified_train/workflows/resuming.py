"""Taking up the calls that a process left behind, and ending doubts by hand."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from unified_train import checks
from unified_train.errors import ConfigurationError, InvalidOptions
from unified_train.flow import Workflow, blocking, gather
from unified_train.keys import account_of
from unified_train.models import Job
from unified_train.workflows.following import Following
from unified_train.workflows.starting import Starting

if TYPE_CHECKING:
    from unified_train.intents import Intent
    from unified_train.journal import Journal
    from unified_train.policy import Conversation
    from unified_train.submitting import Carry, Resumed
    from unified_train.workflows.vendors import JobLike


class Resuming(Starting, Following):
    """Calls that stand in the journal without an outcome."""

    def resume(self, key: str | None) -> Workflow[list[Resumed]]:
        """Finish the calls to this client's vendors that another process has left behind."""
        journal = self._journal()
        waiting = [
            intent
            for intent, owner in (yield from blocking(journal.pending))
            if owner is None and intent.provider in self.conversations and key in (None, intent.key)
        ]
        return (yield from gather([self._resumed(journal, intent) for intent in waiting], limit=self.parallel))

    def _resumed(self, journal: Journal, intent: Intent) -> Workflow[Resumed]:
        from unified_train.submitting import Resumed

        tried = yield from self._tried(self._carried_on(journal, intent))
        job, error = (tried, None) if isinstance(tried, Job) else (None, tried)
        return Resumed(intent.key, intent.provider, intent.kind, intent.name, job, error)

    def _carried_on(self, journal: Journal, intent: Intent) -> Workflow[Job]:
        from unified_train.submitting import Submissions

        talk = self._talk(intent.provider)
        if account_of(talk.provider) != intent.account:
            raise ConfigurationError(
                f"the call {intent.key} was made with another account of {talk.provider.title}, or at another address;"
                " resume it with the credentials that it was made with"
            )
        carry = yield from blocking(partial(self._carry_of, talk, intent))
        return (yield from Submissions(journal).resumed(talk, intent.key, carry))

    def _carry_of(self, talk: Conversation, intent: Intent) -> Carry:
        from unified_train import drafts

        if intent.kind == "training":
            request, on_unsupported, upload = drafts.training_of(intent)
            return self._trained(talk, self._checked(talk, request, on_unsupported), upload=upload)
        model, asked, on_unsupported = drafts.generation_of(intent)
        return self._generated(talk, model, checks.check_generation(talk.provider, model, asked, on_unsupported))

    def reconcile(self, key: str, accepted: JobLike | None) -> Workflow[Job | None]:
        """End a doubt by hand: with the job that was seen at the vendor, or with None if there is none."""
        from unified_train import drafts
        from unified_train.submitting import Submissions

        journal = self._journal()
        intent = yield from blocking(partial(journal.intent, key))
        job = None
        if accepted is not None and intent is not None:
            known = self._known(accepted)
            if (known.provider, known.kind) != (intent.provider, intent.kind):
                raise InvalidOptions(
                    f"{known.reference} is no {intent.kind} at {intent.provider}, which {key} is about"
                )
            job = yield from self._look(known.model_copy(update=drafts.facts_of(intent)))
        yield from Submissions(journal).settled_by_hand(key, job)
        return job

    def _journal(self) -> Journal:
        if self.journal is None:
            raise ConfigurationError("this client was made with journal=None, so it has nothing to go by")
        return self.journal
