"""What a call would do, told before it is made: values that `Client.plan` returns."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any, Literal

from pydantic import JsonValue, computed_field, model_validator

from unified_train.http import Effect
from unified_train.models import Cost, JobKind
from unified_train.records import Record

Outcome = Literal["sent", "mapped", "dropped", "default"]
"""`sent`: the vendor gets the value. `mapped`: it gets something else that stands for it. `dropped`: it gets nothing.
`default`: it gets a value that nobody asked for. (Nothing is clamped: a value out of range is a blocker.)"""


class PlannedRequest(Record):
    """One request that would be sent; secrets, signatures and bytes are left out.

    Attributes:
        operation: Such as `training.start`.
        effect: What it does at the vendor.
        method: Of HTTP.
        url: With its query. What stands in `<…>` is known only from an earlier answer.
        headers: Beyond those of the body and of the credentials.
        body: JSON as it would be sent, with `<base64 of cat.jpg, …>` for bytes; a text for a body that is no JSON.
        signed: Whether it carries the vendor's credentials.
    """

    operation: str
    effect: Effect
    method: str
    url: str
    headers: dict[str, str] = {}
    body: JsonValue = None
    signed: bool = True


class PlannedOption(Record):
    """What becomes of a neutral option.

    Attributes:
        name: As in the request.
        asked: The value that was asked for; None for a default.
        value: What the provider makes its request of; None if it is dropped.
        outcome: See `Outcome`.
        field: Where the value stands in the vendor's request, such as `expert_setting.train_batch_size`.
        why: What the provider has to say about it.
    """

    name: str
    asked: JsonValue
    value: JsonValue
    outcome: Outcome
    field: str | None = None
    why: str | None = None


class PlannedFile(Record):
    """An image, and who gets it.

    Attributes:
        name: Of the file.
        bytes: Its size; None if only its URL is known.
        sha256: Of its bytes; None if only its URL is known, or if they were uploaded by somebody else.
        to: Whom it is sent to or shown to, in order.
    """

    name: str
    bytes: int | None = None
    sha256: str | None = None
    to: tuple[str, ...] = ()


class Blocker(Record):
    """Why the call would fail.

    Attributes:
        code: Name of the error's class.
        message: A sentence and a remedy.
    """

    code: str
    message: str


class VendorPlan(Record):
    """What would happen at one vendor.

    Attributes:
        provider: Slug.
        title: For people.
        kind: `training` or `generation`.
        requests: In their order.
        complete: Whether these are all; if not, more follow that depend on answers nobody can foresee.
        options: What becomes of the neutral options that were asked for.
        files: Images that leave the machine, or that the vendor fetches.
        notes: What else would be sent otherwise than asked.
        blockers: What must be put right first.
        cost: As the vendor estimates; None if unknown.
        cost_note: Why it is unknown.
        price_by: How the price can be asked for, if it was not.
        seconds: How long it takes, by what took place here before; None if unknown.
        seconds_from: Number of jobs that `seconds` is the median of.
    """

    provider: str
    title: str
    kind: JobKind
    requests: tuple[PlannedRequest, ...] = ()
    complete: bool = True
    options: tuple[PlannedOption, ...] = ()
    files: tuple[PlannedFile, ...] = ()
    notes: tuple[str, ...] = ()
    blockers: tuple[Blocker, ...] = ()
    cost: Cost | None = None
    cost_note: str | None = None
    price_by: str | None = None
    seconds: float | None = None
    seconds_from: int = 0

    @model_validator(mode="before")
    @classmethod
    def _anew(cls, data: Any) -> Any:
        """A plan that comes from JSON has its hash of what is in it."""
        return {name: value for name, value in data.items() if name != "hash"} if isinstance(data, dict) else data

    @computed_field  # type: ignore[prop-decorator]  # mypy knows it on methods only
    @property
    def hash(self) -> str | None:
        """The same for the same call, whenever and wherever it is planned; None if there is nothing to send."""
        if not self.requests:
            return None
        requests = [[request.method, request.url, request.body] for request in self.requests]
        files = [[file.name, file.sha256, file.to] for file in self.files]
        told = json.dumps([self.provider, self.kind, requests, files], sort_keys=True, separators=(",", ":"))
        return sha256(told.encode()).hexdigest()


class Plan(Record):
    """What would happen, vendor by vendor.

    Attributes:
        vendors: In the order in which they were asked for.
    """

    vendors: tuple[VendorPlan, ...]
