"""What only the vendors can tell: whether the credentials are good, and what time it is."""

from __future__ import annotations

import email.utils
import ipaddress
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, TypeVar
from urllib.parse import urlsplit

from unified_train import Client, Retry, redact
from unified_train.cli.doctor.findings import Finding
from unified_train.cli.jobs.texts import plain, span
from unified_train.config import Config
from unified_train.errors import (
    AuthenticationError,
    ConfigurationError,
    InsufficientFunds,
    MalformedResponse,
    NotFound,
    OperationRetired,
    PermissionDenied,
    ProviderUnavailable,
    QuotaExceeded,
    RateLimited,
    TransportError,
    UnifiedTrainError,
    UnsupportedCapability,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unified_train.flow import Flow
    from unified_train.provider import AnyProvider

T = TypeVar("T")

QUICK = Retry(attempts=2, first=0.2, longest=2.0)
"""A doctor need not be patient."""
_SKEW_WARNING, _SKEW_ERROR = 60, 15 * 60  # seconds; vendors that sign the date refuse it from a quarter of an hour on
_PASSING = (RateLimited, ProviderUnavailable)


@dataclass(frozen=True, slots=True)
class Visit:
    """A vendor that was looked at.

    Attributes:
        kind: The vendor.
        finding: How it is with it.
        provider: Ready to be spoken to, if its settings are complete.
        skews: How many seconds its clock is ahead of ours, as each answer told.
    """

    kind: type[AnyProvider]
    finding: Finding
    provider: AnyProvider | None = None
    skews: list[float] = field(default_factory=list)


def visited(kind: type[AnyProvider], config: Config, *, needed: bool, offline: bool) -> Visit:
    """Look at one vendor: its settings, then one free read.

    Args:
        kind: The vendor.
        config: Where its credentials are.
        needed: Whether it is wrong that there are none.
        offline: Whether nothing may be sent.
    """
    try:
        provider = kind(config.settings(kind))
    except UnifiedTrainError as error:
        return Visit(kind, _unusable(kind, config, error, needed=needed))
    if offline:
        return Visit(kind, Finding(kind.slug, "ok", "credentials are set; not tried, being offline"), provider)
    skews: list[float] = []
    return Visit(kind, _pinged(provider, config, skews), provider, skews)


def _unusable(kind: type[AnyProvider], config: Config, error: UnifiedTrainError, *, needed: bool) -> Finding:
    try:
        in_use = needed or config.is_set_up(kind)
    except ConfigurationError:
        in_use = True  # what is written about it is wrong
    if in_use:
        return Finding(kind.slug, "error", plain(error.message))
    return Finding(kind.slug, "off", f"not set up: {plain(error.message)}")


def _pinged(provider: AnyProvider, config: Config, skews: list[float]) -> Finding:
    started = time.monotonic()
    with Client(provider, retry=QUICK, journal=None, config=Config(environ={})) as client:
        try:
            client.run(_timed(provider.ping(), skews))
        except UnifiedTrainError as error:
            return _refused(provider, config, error)
        except Exception as error:  # noqa: BLE001 - a mistake in a plugin is a finding too
            told = plain(f"the plugin failed: {type(error).__name__}: {redact.text(str(error))}")
            return Finding(provider.slug, "error", told, "tell the plugin's author")
    milliseconds = (time.monotonic() - started) * 1000
    told = f"{_host(provider)} takes the credentials ({milliseconds:.0f} ms)"
    return Finding(provider.slug, "ok", told)


def _timed(flow: Flow[T], skews: list[float]) -> Flow[T]:
    """The same flow; notes by how much the clock of each answer is ahead of ours."""
    try:
        request = next(flow)
        while True:
            try:
                response = yield request
            except UnifiedTrainError as error:
                request = flow.throw(error)
            else:
                skews += _skew(response.headers.get("date"))
                request = flow.send(response)
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        flow.close()


def _skew(date: str | None) -> list[float]:
    try:
        told = email.utils.parsedate_to_datetime(date or "")
    except ValueError:
        return []
    return [((told if told.tzinfo else told.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds()]


def _refused(provider: AnyProvider, config: Config, error: UnifiedTrainError) -> Finding:
    """What an error says about the set-up, and what to do."""
    told = plain(str(error))
    if isinstance(error, UnsupportedCapability):
        return Finding(provider.slug, "ok", "credentials are set; there is nothing to try them on free of charge")
    if isinstance(error, _PASSING):
        return Finding(provider.slug, "warning", told, "try again later")
    return Finding(provider.slug, "error", told, _remedy(provider, config, error))


def _remedy(provider: AnyProvider, config: Config, error: UnifiedTrainError) -> str:
    if isinstance(error, AuthenticationError | PermissionDenied):
        return f"check {' and '.join(_credentials(provider, config))}"
    if isinstance(error, TransportError | MalformedResponse | NotFound | OperationRetired):
        base_url = config.fields(type(provider))["base_url"].origin
        where = "" if base_url.kind == "default" else f", and base_url ({base_url})"
        return f"check the network, and a proxy if there is one{where}"
    if isinstance(error, InsufficientFunds | QuotaExceeded):
        return f"see to the account at {provider.title}"
    return f"ask {provider.title}, naming what it said"


def _credentials(provider: AnyProvider, config: Config) -> list[str]:
    """Where the credentials in use come from."""
    fields = config.fields(type(provider)).items()
    return [f"{name} ({told.origin})" for name, told in fields if told.secret and told.origin.kind != "default"]


def _host(provider: AnyProvider) -> str:
    return urlsplit(provider.base_url).hostname or provider.title


def clock(visits: Sequence[Visit]) -> Finding:
    """How far our clock is from the vendors'; a vendor on this machine is a sandbox, whose clock runs as it likes."""
    skews = [skew for visit in visits if visit.provider and not _is_here(_host(visit.provider)) for skew in visit.skews]
    if not skews:
        return Finding("clock", "off", "not compared, since no vendor elsewhere told the time")
    # The smallest: an answer from a cache tells an old time.
    ahead = min(skews, key=abs)
    if abs(ahead) <= _SKEW_WARNING:
        return Finding("clock", "ok", "agrees with the vendors' to the minute")
    told = f"is {span(abs(ahead))} {'behind' if ahead > 0 else 'ahead'}, by what the vendors tell"
    state: Literal["warning", "error"] = "error" if abs(ahead) > _SKEW_ERROR else "warning"
    return Finding("clock", state, told, "set it by a time server: vendors refuse what is signed at a wrong time")


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
