"""The rows of the fault matrix: what can go wrong with one request, and of which nature it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from enum import Enum, auto
from typing import Any, Literal

from unified_train import (
    ApiError,
    AuthenticationError,
    InvalidRequest,
    OperationRetired,
    RateLimited,
)

HOUR = 3600.0
LATE = 0.03
"""Seconds after which a vendor sees a request that was lost on the way."""
IMPATIENT = 0.03
"""Seconds for which an answer is waited for that never comes."""
DRIPPING = 0.08
"""Seconds for which an answer drips."""
UNKNOWN_WORD = "PONDERING"

_HTML = "<html><body><h1>502 Bad Gateway</h1></body></html>"


class Nature(Enum):
    """What a mishap means for the request, whichever request that is."""

    UNREACHED = auto()
    """Surely nothing has left; it lasts."""
    LOST = auto()
    """Whether it was accepted, the client can't know; it passes."""
    NOT_NOW = auto()
    """Surely not accepted; it passes."""
    REFUSED = auto()
    """A definite no."""
    UNREADABLE = auto()
    """Accepted, with an answer from which nothing can be learnt."""
    HARMLESS = auto()
    """Accepted, with an answer that is odd, but can be used."""


@dataclass(frozen=True, kw_only=True)
class Mishap:
    """One row.

    Attributes:
        name: For test ids.
        title: For people, in Markdown.
        nature: Decides what is promised, see `promises.py`.
        script: Of the sandbox's fault; None if the sandbox does nothing.
        accepted: Whether the vendor has accepted a request of which the client can't know.
        lasting: Whether all requests are struck, not just the first.
        error: What a `REFUSED` request ends in, where the vendor's service answers.
        detour: Where the request goes instead of to the vendor.
        patience: Seconds for which the answer of the struck request is waited for; None for long.
        wait: Seconds in a header `Retry-After`.
        dated: Whether these are written as a date.
        skew: Seconds by which the vendor's clock is ahead of ours.
        edits: What of the answer is changed, which is different for each operation.
        drips: Whether the answer goes on for longer than a submission may take.
    """

    name: str
    title: str
    nature: Nature
    script: Mapping[str, Any] | None = None
    accepted: bool = False
    lasting: bool = False
    error: type[ApiError] | None = None
    detour: Literal["closed port", "no such host", "no TLS"] | None = None
    patience: float | None = None
    wait: float | None = None
    dated: bool = False
    skew: float = 0.0
    edits: Literal["types", "status"] | None = None
    drips: bool = False

    @property
    def late(self) -> bool:
        """Whether the vendor sees the request when the client has given it up."""
        return self.script is not None and self.script["kind"] == "late"

    def fault(self, edits: Mapping[str, Any]) -> dict[str, Any] | None:
        """The parameters of the sandbox's fault; `edits` is what this operation has for its kind of edit."""
        if self.edits:
            return dict(edits)
        if self.script is None:
            return None
        if self.wait is None:
            return dict(self.script)
        when = format_datetime(datetime.now(UTC) + timedelta(seconds=self.wait), usegmt=True)
        return {**self.script, "headers": {"Retry-After": when if self.dated else f"{self.wait:g}"}}

    def kind(self, edits: Mapping[str, Any]) -> str | None:
        """The kind of the sandbox's fault."""
        fault = self.fault(edits)
        return fault["kind"] if fault else None


@dataclass(frozen=True)
class _Status:
    """A scripted status."""

    status: int
    body: Any = field(default_factory=lambda: {"message": "no"})
    after: bool = False

    def script(self) -> dict[str, Any]:
        html = {"headers": {"Content-Type": "text/html"}} if isinstance(self.body, str) else {}
        return {"kind": "status_after" if self.after else "status", "status": self.status, "body": self.body, **html}


MISHAPS = (
    Mishap(
        name="refused",
        title="connection refused",
        nature=Nature.UNREACHED,
        detour="closed port",
        lasting=True,
    ),
    Mishap(name="dns", title="DNS failure", nature=Nature.UNREACHED, detour="no such host", lasting=True),
    Mishap(name="tls", title="TLS failure", nature=Nature.UNREACHED, detour="no TLS", lasting=True),
    Mishap(
        name="reset-before",
        title="reset before the vendor saw it",
        nature=Nature.LOST,
        script={"kind": "reset_before"},
    ),
    Mishap(
        name="reset-within",
        title="reset in the middle of the answer",
        nature=Nature.LOST,
        script={"kind": "reset"},
        accepted=True,
    ),
    Mishap(
        name="reset-after",
        title="reset after acceptance",
        nature=Nature.LOST,
        script={"kind": "reset_after"},
        accepted=True,
    ),
    Mishap(
        name="cut-off",
        title="answer cut off",
        nature=Nature.LOST,
        script={"kind": "truncate"},
        accepted=True,
    ),
    Mishap(
        name="late",
        title="connection lost, accepted later",
        nature=Nature.LOST,
        script={"kind": "late", "seconds": LATE},
        accepted=True,
    ),
    Mishap(
        name="timeout-before",
        title="timeout, never accepted",
        nature=Nature.LOST,
        script={"kind": "hang_before"},
        patience=IMPATIENT,
    ),
    Mishap(
        name="timeout-after",
        title="timeout, accepted",
        nature=Nature.LOST,
        script={"kind": "hang_after"},
        accepted=True,
        patience=IMPATIENT,
    ),
    Mishap(
        name="drip",
        title="slow drip",
        nature=Nature.HARMLESS,
        script={"kind": "drip", "seconds": DRIPPING},
        accepted=True,
        drips=True,
    ),
    Mishap(name="408", title="408", nature=Nature.LOST, script=_Status(408).script()),
    Mishap(name="409", title="409", nature=Nature.REFUSED, script=_Status(409).script(), error=InvalidRequest),
    Mishap(
        name="429-seconds",
        title="429, `Retry-After` in seconds",
        nature=Nature.NOT_NOW,
        script=_Status(429).script(),
        wait=0,
    ),
    Mishap(
        name="429-date",
        title="429, `Retry-After` as a date",
        nature=Nature.NOT_NOW,
        script=_Status(429).script(),
        wait=0,
        dated=True,
    ),
    Mishap(
        name="429-long-seconds",
        title="429, beyond our patience, in seconds",
        nature=Nature.REFUSED,
        script=_Status(429).script(),
        wait=HOUR,
        error=RateLimited,
    ),
    Mishap(
        name="429-long-date",
        title="429, beyond our patience, as a date",
        nature=Nature.REFUSED,
        script=_Status(429).script(),
        wait=HOUR,
        dated=True,
        error=RateLimited,
    ),
    Mishap(name="500", title="500", nature=Nature.LOST, script=_Status(500).script()),
    Mishap(
        name="500-after",
        title="500 after acceptance",
        nature=Nature.LOST,
        script=_Status(500, after=True).script(),
        accepted=True,
    ),
    Mishap(
        name="502",
        title="502 with HTML, after acceptance",
        nature=Nature.LOST,
        script=_Status(502, _HTML, after=True).script(),
        accepted=True,
    ),
    Mishap(name="503", title="503", nature=Nature.NOT_NOW, script=_Status(503).script()),
    Mishap(
        name="half-json",
        title="truncated JSON",
        nature=Nature.UNREADABLE,
        script={"kind": "body", "body": '{"job": {"jobId": "1', "media_type": "application/json"},
        accepted=True,
    ),
    Mishap(name="empty", title="empty body", nature=Nature.UNREADABLE, script={"kind": "body"}, accepted=True),
    Mishap(
        name="types", title="wrong JSON types", nature=Nature.UNREADABLE, edits="types", accepted=True, lasting=True
    ),
    Mishap(
        name="content-type",
        title="wrong content type",
        nature=Nature.HARMLESS,
        script={"kind": "json", "headers": {"Content-Type": "text/html"}},
    ),
    Mishap(name="status", title="unknown status", nature=Nature.HARMLESS, edits="status"),
    Mishap(name="clock-slow", title="our clock an hour slow", nature=Nature.HARMLESS, skew=HOUR),
    Mishap(name="clock-fast", title="our clock an hour fast", nature=Nature.HARMLESS, skew=-HOUR),
    Mishap(
        name="expired",
        title="expired credentials",
        nature=Nature.REFUSED,
        script={"kind": "expired"},
        lasting=True,
        error=AuthenticationError,
    ),
    Mishap(
        name="retired",
        title="retired route",
        nature=Nature.REFUSED,
        script={"kind": "retired"},
        lasting=True,
        error=OperationRetired,
    ),
)
