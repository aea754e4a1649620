"""What the vendors of one sandbox share, and what a vendor is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from unified_train.sandbox.clock import DEFAULT_SPEED, Clock
from unified_train.sandbox.faults import Faults
from unified_train.sandbox.objects import ObjectStore
from unified_train.sandbox.requestlog import RequestLog
from unified_train.sandbox.waits import Waits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

PaidKind = Literal["training", "generation"]


@dataclass(frozen=True, slots=True)
class Submission:
    """One accepted request that a real vendor would have billed.

    Attributes:
        vendor: its slug.
        kind: what was submitted.
        id: the vendor's id of the job.
        name: the name the client gave it, as the vendor shows it; empty where there is none.
        at: simulated seconds of the sandbox's clock.
    """

    vendor: str
    kind: PaidKind
    id: str
    name: str
    at: float


@dataclass(slots=True)
class World:
    """What the vendors of one sandbox share.

    Attributes:
        clock: the time all of them live in.
        objects: the storage behind their presigned URLs.
        faults: what is going to go wrong.
        requests: what arrived.
        submissions: every accepted paid request, oldest first.
        waits: for requests that a mishap makes wait.
        base_url: where the sandbox listens, without a slash at the end.
    """

    clock: Clock
    objects: ObjectStore
    faults: Faults
    requests: RequestLog
    submissions: list[Submission] = field(default_factory=list)
    waits: Waits = field(default_factory=Waits)
    base_url: str = ""

    @classmethod
    def at(cls, base_url: str, *, speed: float = DEFAULT_SPEED) -> World:
        """A new, empty world behind `base_url`; `speed` is in simulated seconds a second."""
        clock = Clock(speed)
        return cls(clock, ObjectStore(clock, base_url), Faults(), RequestLog(clock), base_url=base_url)

    def submitted(self, vendor: str, kind: PaidKind, id: str, name: str) -> None:  # noqa: A002  # the word vendors use
        """Note that a vendor accepted a paid request."""
        self.submissions.append(Submission(vendor, kind, id, name, self.clock.now()))

    def reset(self) -> None:
        """Forget everything, requests that still wait included; the clock starts again at 0."""
        self.waits = self.waits.reset()
        self.clock.reset()
        self.objects.clear()
        self.faults.clear()
        self.requests.clear()
        self.submissions.clear()


class Vendor(Protocol):
    """One emulated vendor: state and routes behind one prefix of the sandbox's port."""

    @property
    def name(self) -> str:
        """Its slug, such as `novita`."""
        ...

    @property
    def prefix(self) -> str:
        """What all its paths start with, such as `/v3`."""
        ...

    def routes(self) -> Sequence[Route]:
        """Its routes, full paths."""
        ...

    def unknown_route(self, request: Request) -> Response:
        """What it answers to a route that it does not have."""
        ...

    def expired(self, request: Request) -> Response:
        """What it answers to credentials that were good once."""
        ...

    def reset(self) -> None:
        """Forget all state and turn every switch back to its default."""
        ...

    def env(self) -> dict[str, str]:
        """Environment variables that point this vendor's clients at the sandbox."""
        ...

    def switches(self) -> dict[str, object]:
        """Every behaviour that can be turned, and where it stands."""
        ...

    def set_switch(self, name: str, value: object) -> None:
        """Turn one behaviour.

        Raises:
            KeyError: there is no switch of this name.
            ValueError: the switch does not take this value.
        """
        ...
