"""What the journal keeps of one call: an intent, and the requests that it has made."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import AwareDatetime, JsonValue

from unified_train.http import Effect
from unified_train.models import JobKind
from unified_train.records import Record

State: TypeAlias = Literal["open", "accepted", "refused", "uncertain"]
"""`open`: being worked on, or left by a process that died. `accepted`: there is a job. `refused`: it ended with an
error before anything was accepted; the same key tries again. `uncertain`: it may have been, and nobody can tell."""


class Step(Record):
    """One request of an intent that changes something at the vendor.

    Attributes:
        part: Which of the intent's flows it belongs to: a generation that is split has several.
        position: Its place in that flow, among the requests that create or bill, or among those that don't.
        operation: Such as `training.start`.
        effect: What it does at the vendor.
        target: Method and path.
        state: `sent`: may have been accepted, the answer is not known. `answered`: accepted. `void`: surely not.
            `refused`: the same, of a step that is not sent again, since it does not bill.
        sent_at: When the last attempt was about to leave.
        attempts: How often it may have left.
        status: HTTP status of the answer.
        content: Body of the answer, without secrets.
        adopted: Whether the answer was lost, and made up from what the vendor's list shows.
    """

    part: int
    position: int
    operation: str
    effect: Effect
    target: str
    state: Literal["sent", "answered", "void", "refused"]
    sent_at: AwareDatetime
    attempts: int = 1
    status: int | None = None
    content: str | None = None
    adopted: bool = False

    @property
    def place(self) -> tuple[int, int, bool]:
        """What tells it from the other steps of its intent."""
        return self.part, self.position, self.effect.idempotent


class Intent(Record):
    """One call that may cost money, from before its first request until its job is known.

    Attributes:
        key: The caller's, or drawn.
        provider: Slug of the vendor.
        account: Hash of what tells the account from others.
        kind: `training` or `generation`.
        name: The training's, as the user gave it.
        marker: Text by which the vendor's lists can be searched for it.
        digest: Of the request: the same key with another request is a mistake.
        created_at: Aware, UTC.
        state: See `State`.
        request: What was asked for, as far as it may be kept: without secrets and without bytes.
        uploads: Images that are at the vendor already, by their position.
        steps: Requests that change something, in the order of their first attempts; uploads are not among them.
        job: Reference of the job.
        error: What it ended with, if it did.
    """

    key: str
    provider: str
    account: str
    kind: JobKind
    name: str | None = None
    marker: str
    digest: str
    created_at: AwareDatetime
    state: State = "open"
    request: dict[str, JsonValue] = {}
    uploads: dict[int, dict[str, JsonValue]] = {}
    steps: tuple[Step, ...] = ()
    job: str | None = None
    error: str | None = None

    def creating(self, part: int) -> list[Step]:
        """The steps of a flow that create or bill."""
        return [step for step in self.steps if step.part == part and not step.effect.idempotent]

    def harmless(self, part: int) -> list[Step]:
        """The other steps of a flow, in their order."""
        return [step for step in self.steps if step.part == part and step.effect.idempotent]

    def with_step(self, step: Step) -> Intent:
        """The intent with this step in the place of an earlier state of it, or at the end."""
        places = [known.place for known in self.steps]
        steps = list(self.steps)
        if step.place in places:
            steps[places.index(step.place)] = step
        else:
            steps.append(step)
        return self.model_copy(update={"steps": tuple(steps)})

    @property
    def in_doubt(self) -> bool:
        """Whether some request may have been accepted without our knowing."""
        return any(step.state == "sent" for step in self.steps)
