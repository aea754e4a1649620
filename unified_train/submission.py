"""One call while this process carries it out: its flows are replayed, what is in doubt is looked up.

Every request of a call that changes something goes through here. An answer that is on record is given to the flow
again. One that is missing though the request may have left is asked of the vendor: what `Provider.find` sees is
adopted; what it does not see counts as never accepted only after a grace, long enough for the request to arrive and be
listed.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias
from urllib.parse import urlsplit

from unified_train import errors, redact
from unified_train.dataset import UploadedImage
from unified_train.errors import ApiError, JournalError, MalformedResponse, SubmissionUncertain, TransportError
from unified_train.finding import Lost
from unified_train.flow import Workflow, blocking, sleep
from unified_train.http import SUBMISSION_SECONDS, Effect, Request, Response
from unified_train.intents import Intent, Step
from unified_train.keeper import LeaseLost
from unified_train.keys import marker_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from unified_train.finding import Found
    from unified_train.flow import Flow
    from unified_train.journal import Journal
    from unified_train.models import GenerationRequest, Snapshot
    from unified_train.policy import Conversation

_SKEW = timedelta(minutes=15)
"""How far a vendor's clock may be from what it last told."""
_UNKNOWN_SKEW = timedelta(days=1)
"""How far it may be from ours before it has told anything; with more than that, encrypted connections fail anyway."""
_NAME = 64
"""Characters of a vendor-visible name at most: Scenario's limit is the only one that is known."""
_JSON = {"content-type": "application/json"}
_log = logging.getLogger("unified_train")


class Unrecorded:
    """A call without a journal: each request is sent once, and a lost answer stays lost."""

    key: Final = None
    notes: Final = ()

    def __init__(self, talk: Conversation) -> None:
        self._talk = talk

    def named(self, name: str) -> str:
        """The name for the vendor's lists."""
        return name

    def marked(self, request: GenerationRequest, part: int) -> GenerationRequest:  # noqa: ARG002 - as `Submission`
        """The request as it is."""
        return request

    def upload(self, place: int, flow: Workflow[UploadedImage]) -> Workflow[UploadedImage]:  # noqa: ARG002 - same
        """The image, uploaded now."""
        return (yield from flow)

    def carry_out(self, part: int, make: Callable[[], Flow[Snapshot]]) -> Workflow[Snapshot]:  # noqa: ARG002 - same
        """What comes of a flow."""
        return (yield from self._talk.run(make()))


class Submission:
    """An intent while this process owns it.

    Args:
        journal: That it is in.
        talk: With its vendor.
        intent: As it was when it was taken.
        owner: Our name in the journal.
        inherited: Whether another process may have worked on it before.
    """

    def __init__(self, journal: Journal, talk: Conversation, intent: Intent, owner: str, *, inherited: bool) -> None:
        self.journal = journal
        self.talk = talk
        self.intent = intent
        self.inherited = inherited
        self.notes: tuple[str, ...] = ()
        self.repeated: set[tuple[int, int]] = set()
        self.lost: dict[tuple[int, int], datetime] = {}
        self._lock = threading.Lock()
        self._owner = owner
        self._renewed = time.monotonic()

    @property
    def key(self) -> str:
        """Of the call."""
        return self.intent.key

    def named(self, name: str) -> str:
        """The name for the vendor's lists: the user's own, cut if it must be, and the marker."""
        return f"{name[: _NAME - len(self.intent.marker) - 1]}-{self.intent.marker}"

    def marked(self, request: GenerationRequest, part: int) -> GenerationRequest:
        """The request with something by which the vendor's lists can be searched for it, if there is such a thing."""
        return self.talk.provider.marked(request, marker_of(f"{self.key}/{part}"))

    def upload(self, place: int, flow: Workflow[UploadedImage]) -> Workflow[UploadedImage]:
        """The image, as uploaded before or now; `place` is its position in the dataset."""
        known = self.intent.uploads.get(place)
        if known is not None:
            flow.close()
            return UploadedImage.model_validate(known)
        yield from self.keep()
        uploaded = yield from flow
        record = uploaded.model_dump(mode="json")
        if uploaded.expires_at is None and redact.payload(record) == record:
            yield from self.change(
                lambda intent: intent.model_copy(update={"uploads": {**intent.uploads, place: record}})
            )
        return uploaded

    def carry_out(self, part: int, make: Callable[[], Flow[Snapshot]]) -> Workflow[Snapshot]:
        """Run a flow, replaying what is on record; `make` makes it anew, since a doubt is settled by a replay.

        Raises:
            SubmissionUncertain: A request may have been accepted, and the vendor can't be asked.
        """
        while True:
            handler = _Part(self, part)
            try:
                snapshot = yield from self.talk.run(make(), handler.handle)
            except SubmissionUncertain:
                if not (yield from handler.can_be_asked()):
                    raise
            else:
                try:
                    yield from self.claim(snapshot.id, part)
                except JournalError as error:
                    _log.error("%s: %s", self.key, error)
                return snapshot

    def claim(self, identifier: str, part: int) -> Workflow[bool]:
        """Note that a job is this call's; False if it is another's."""
        reference = f"{self.intent.provider}:{self.intent.kind}:{identifier}"
        return (yield from blocking(partial(self.journal.claim, reference, self.key, part)))

    def keep(self) -> Workflow[None]:
        """Prolong the lease if some of it is gone.

        Raises:
            LeaseLost: It had run out.
        """
        if time.monotonic() - self._renewed > self.journal.lease / 4:
            yield from blocking(partial(self.journal.renew, self.key, self._owner))
            self._renewed = time.monotonic()

    def wait(self, seconds: float) -> Workflow[None]:
        """Wait, and keep the lease meanwhile."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            yield from sleep(min(left, self.journal.lease / 4))
            yield from self.keep()

    def change(self, edit: Callable[[Intent], Intent]) -> Workflow[None]:
        """Change the intent in the journal."""
        yield from blocking(partial(self.write, edit))

    def write(self, edit: Callable[[Intent], Intent]) -> float:
        """As `change`, blocking; returns the time at which the lease ends."""
        with self._lock:
            self.intent, until = self.journal.change(self.key, self._owner, edit)
            self._renewed = time.monotonic()
        return until


AnySubmission: TypeAlias = "Submission | Unrecorded"


class _Part:
    """One run of one flow of a submission."""

    def __init__(self, submission: Submission, number: int) -> None:
        self._submission = submission
        self._talk = submission.talk
        self._number = number
        self._created = -1
        self._repeated = -1
        self._replayable = submission.intent.harmless(number)
        self._hopeless = False

    def handle(self, request: Request) -> Workflow[Response]:
        """Send a read; replay, look up or send a request that changes something."""
        if request.effect is Effect.READ:
            yield from self._submission.keep()
            return (yield from self._talk.send(request))
        if request.idempotent:
            return (yield from self._harmless(request))
        self._created += 1
        step = self._step
        if step is not None and step.target != _target(request):
            raise JournalError(
                f"{self._submission.key}: step {self._created} is {step.target} in the journal, but {_target(request)}"
                " now; settle it by hand with `unified-train jobs reconcile`"
            )
        if step is not None and step.state == "answered":
            return _response(request, step)
        known = None
        if step is not None and step.state == "sent":
            known = yield from self._settled(request, step)
        elif self._submission.inherited:
            # The record of an earlier owner may be older than what it did, such as one put back from a copy.
            known = yield from self._adopted(request, self._submission.intent.created_at)
        return known or (yield from self._sent(request))

    def can_be_asked(self) -> Workflow[bool]:
        """Whether a replay can settle the doubt; an answer that came but can't be read is no answer."""
        step = self._step
        if self._hopeless or step is None or step.adopted or step.state == "void":
            return False
        if step.state == "answered":
            yield from self._record(state="sent", status=None, content=None)
        return True

    @property
    def _place(self) -> tuple[int, int]:
        return self._number, self._created

    @property
    def _step(self) -> Step | None:
        """What is on record of the creating request that the flow is at."""
        steps = self._submission.intent.creating(self._number)
        return next((step for step in steps if step.position == self._created), None)

    def _sent(self, request: Request) -> Workflow[Response]:
        try:
            response = yield from self._talk.send(request, _Permit(self, request))
        except (ApiError, TransportError):
            yield from self._record(state="void")
            raise
        except SubmissionUncertain:
            self._submission.lost[self._place] = self._talk.now()
            raise
        yield from self._record(state="answered", status=response.status, content=_content(response))
        return response

    def _harmless(self, request: Request) -> Workflow[Response]:
        """Send what does no harm twice, unless the flow has gone past it to something that counts.

        By then it may be refused: images can't be attached any more to a model that is in training. Before that it is
        better sent again than replayed, since what is on record lacks the signatures of URLs.
        """
        if all(step.position <= self._created for step in self._submission.intent.creating(self._number)):
            return (yield from self._repeatable(request))
        step = next((step for step in self._replayable if step.target == _target(request)), None)
        if step is None:
            return (yield from self._talk.send(request))
        self._replayable.remove(step)
        return _replayed(request, step)

    def _repeatable(self, request: Request) -> Workflow[Response]:
        self._repeated += 1
        yield from self._submission.keep()
        try:
            response = yield from self._talk.send(request)
        except ApiError as error:
            if not error.retryable:
                yield from self._note(request, state="refused", content=_refused(error))
            raise
        yield from self._note(request, state="answered", status=response.status, content=_content(response))
        return response

    def _note(self, request: Request, **facts: Any) -> Workflow[None]:
        """Write down a step that was never in doubt."""
        position = self._repeated if request.idempotent else self._created
        step = _step(request, part=self._number, position=position, sent_at=self._talk.now(), **facts)
        yield from self._submission.change(lambda intent: intent.with_step(step))

    def begin(self, request: Request) -> float:
        """Write that the request may have been sent; returns the time at which the lease ends."""
        before = self._step
        attempts = before.attempts + 1 if before else 1
        place = {"part": self._number, "position": self._created, "sent_at": self._talk.now()}
        sent = _step(request, **place, state="sent", attempts=attempts)

        def edit(intent: Intent) -> Intent:
            if any(step.place == sent.place and step.state == "answered" for step in intent.steps):
                raise LeaseLost(intent.key)  # a former owner woke up and told its answer: go by that
            return intent.with_step(sent)

        return self._submission.write(edit)

    def _record(self, **facts: Any) -> Workflow[None]:
        """Write what is known of the step now; a journal that fails here must not lose what the vendor accepted."""
        step = self._step
        if step is None:
            return
        changed = step.model_copy(update=facts)
        submission = self._submission
        try:
            yield from submission.change(lambda intent: intent.with_step(changed))
        except LeaseLost:
            if changed.state == "answered":
                yield from self._testify(changed)
            raise
        except JournalError as error:
            _log.error("%s: %s", submission.key, error)
            submission.intent = submission.intent.with_step(changed)

    def _testify(self, answered: Step) -> Workflow[None]:
        """Tell whoever goes on with the call now what the vendor has answered meanwhile."""
        journal, key = self._submission.journal, self._submission.key
        try:
            yield from blocking(partial(journal.testify, key, answered))
        except JournalError as error:
            _log.error("%s: the answer to %s could not be kept: %s", key, answered.operation, error)

    # -- what is in doubt ----------------------------------------------------------------------------------------------

    def _settled(self, request: Request, step: Step) -> Workflow[Response | None]:
        """The answer of a request that was accepted; None if it surely was not, which takes a grace to know."""
        provider = self._talk.provider
        # A large body may be longer on its way than a request is reckoned to take.
        lost = self._submission.lost.get(self._place, step.sent_at)
        left = max(step.sent_at, lost - timedelta(seconds=SUBMISSION_SECONDS))
        deadline = left + timedelta(seconds=self._talk.grace)
        pause = 1.0
        while True:
            # A look that began before the end may have missed what came since, however long it took.
            last = self._talk.now() >= deadline
            try:
                known = yield from self._adopted(request, step.sent_at)
            except (ApiError, TransportError) as error:
                raise self._uncertain(request, f"looking for it at {provider.title} failed ({error})") from None
            if known or last:
                break
            rest = (deadline - self._talk.now()).total_seconds()
            yield from self._submission.wait(min(rest, pause))
            pause = min(pause * 2, 30.0)
        if known is None:
            self._tell(request, "absent")
            if self._place in self._submission.repeated:
                raise self._uncertain(request, "it was repeated once already")
            self._submission.repeated.add(self._place)
        return known

    def _adopted(self, request: Request, since: datetime) -> Workflow[Response | None]:
        """The answer that a request would have had, if the vendor shows what it made since (by our clock)."""
        submission, provider, offset = self._submission, self._talk.provider, self._talk.offset
        since = since - _UNKNOWN_SKEW if offset is None else since + offset - _SKEW
        lost = Lost(request, submission.intent.kind, self._marker, since)
        yield from submission.keep()
        found = yield from self._talk.run(provider.find(lost))
        if found is None:
            if self._step is None or self._step.state == "void":
                return None
            raise self._uncertain(request, f"{provider.title} can't be asked for it")
        for place, item in enumerate(found):
            # A marked name can be nobody else's, but what a generation is known by, another call may share.
            if lost.kind == "training" or (yield from submission.claim(item.id, self._number)):
                if lost.kind == "training":
                    self._report([other.id for other in found[place + 1 :]])
                return (yield from self._adopt(request, item))
        return None

    def _adopt(self, request: Request, found: Found) -> Workflow[Response]:
        content = json.dumps(redact.payload(found.answer))
        facts = {"state": "answered", "status": 200, "content": content, "adopted": True}
        yield from self._record(**facts) if self._step else self._note(request, attempts=0, **facts)
        self._tell(request, "adopted")
        return Response(request, 200, _JSON, content.encode())

    @property
    def _marker(self) -> str:
        intent = self._submission.intent
        return intent.marker if intent.kind == "training" else marker_of(f"{intent.key}/{self._number}")

    def _report(self, others: list[str]) -> None:
        if others:
            note = f"{self._talk.provider.title} shows the same call more than once: also {', '.join(others)}"
            self._submission.notes += (note,)
            _log.warning("%s: %s", self._submission.key, note)

    def _uncertain(self, request: Request, why: str) -> SubmissionUncertain:
        self._hopeless = True
        provider = self._talk.provider
        return SubmissionUncertain(
            f"{provider.slug} {request.operation}: may or may not have been accepted, {why}, and was not repeated",
            provider=provider.slug,
            operation=request.operation,
        )

    def _tell(self, request: Request, outcome: Literal["adopted", "absent"]) -> None:
        from unified_train.events import SubmissionReconciled

        slug, key = self._talk.provider.slug, self._submission.key
        self._talk.tell(SubmissionReconciled(slug, request.operation, key, outcome))


class _Permit:
    """Leave to send one step of a submission: written down before it leaves, and good for half a lease."""

    def __init__(self, part: _Part, request: Request) -> None:
        self._part = part
        self._request = request
        self._until = 0.0

    def take(self) -> None:
        """Write that the request may have been sent, and check the lease."""
        began = time.time()
        self._until = began + (self._part.begin(self._request) - began) / 2

    def check(self) -> None:
        """Check that we were not asleep since."""
        if time.time() > self._until:
            raise LeaseLost


def _target(request: Request) -> str:
    return f"{request.method} {urlsplit(request.url).path}"


def _step(request: Request, **facts: Any) -> Step:
    return Step(operation=request.operation, effect=request.effect or Effect.PAY, target=_target(request), **facts)


def _replayed(request: Request, step: Step) -> Response:
    """The answer on record, or the refusal."""
    if step.state != "refused":
        return _response(request, step)
    facts = json.loads(step.content or "{}")
    error: ApiError = getattr(errors, facts.pop("kind"))(**facts, operation=step.operation)
    raise error


def _response(request: Request, step: Step) -> Response:
    return Response(request, step.status or 200, _JSON, (step.content or "").encode())


def _content(response: Response) -> str:
    """The body of an answer without secrets: what a replay of the flow is given."""
    try:
        return json.dumps(redact.payload(response.json()))
    except MalformedResponse:
        return redact.text(response.text)


def _refused(error: ApiError) -> str:
    """A refusal as the journal keeps it."""
    facts = {"message": error.message, "code": error.code, "http_status": error.http_status}
    return json.dumps({"kind": type(error).__name__, **facts})
