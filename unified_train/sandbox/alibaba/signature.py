"""Verification of ACS3-HMAC-SHA256 on a received request (Alibaba dossier 2.2, 2.4 and 2.6).

The checks run in a fixed order: signature, clock, nonce. Each ends in the gateway's own error code.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, unquote

from unified_train.sandbox.alibaba.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

ALGORITHM = "ACS3-HMAC-SHA256"
WINDOW_SECONDS = 15 * 60  # vendor page "V3 request structure and signature": fifteen minutes
MUST_BE_SIGNED = frozenset(
    {"host", "x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256"}
)
_AUTHORIZATION = re.compile(rf"{ALGORITHM}\s+Credential=([^,]+),\s*SignedHeaders=([^,]+),\s*Signature=([0-9a-f]{{64}})")
_DATE = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Account:
    """One pair of keys; ``token`` is set for temporary (STS) credentials, which are valid only together with it."""

    secret: str
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came off the wire: header names in lower case, path and query still percent-encoded."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


def canonical_query(raw: str) -> str:
    """The query as it was signed: decoded first, because clients write a space as ``+`` and sign it as ``%20``."""
    pairs = parse_qsl(raw, keep_blank_values=True)
    return "&".join(f"{_encode(name)}={_encode(value)}" for name, value in sorted(pairs))


def canonical_request(received: Received, signed: list[str], payload_hash: str) -> str:
    """The six parts of the canonical request, each header line ended by a line feed of its own."""
    path = "/".join(_encode(unquote(segment)) for segment in received.path.split("/"))
    lines = "".join(f"{name}:{received.headers[name].strip()}\n" for name in signed)
    parts = [received.method, path, canonical_query(received.query), lines, ";".join(signed), payload_hash]
    return "\n".join(parts)


def signature(canonical: str, secret: str) -> str:
    """The hexadecimal signature of a canonical request: the raw secret is the key, nothing is derived from it."""
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    return hmac.new(secret.encode(), f"{ALGORITHM}\n{digest}".encode(), hashlib.sha256).hexdigest()


def verify_signature(received: Received, accounts: Mapping[str, Account]) -> None:
    """Check who signed the request, that everything that has to be signed is, and the signature itself.

    Raises:
        Refusal: with the gateway's code for the first check that failed.
    """
    found = _AUTHORIZATION.fullmatch(received.headers.get("authorization", ""))
    if found is None:
        raise Refusal(400, "MissingAuthorization", f"Authorization is missing or not in the form of {ALGORITHM}")
    key_id, names, claimed = found.groups()
    account = accounts.get(key_id)
    if account is None:
        raise Refusal(404, "InvalidAccessKeyId.NotFound", "no such access key")
    signed = names.split(";")
    _check_signed_headers(received, signed)
    payload_hash = hashlib.sha256(received.body).hexdigest()
    if received.headers["x-acs-content-sha256"] != payload_hash:
        raise _mismatch("x-acs-content-sha256 is not the SHA-256 of the body")
    expected = signature(canonical_request(received, signed, payload_hash), account.secret)
    if not hmac.compare_digest(expected, claimed):
        raise _mismatch("the signature is not the one calculated here")
    if received.headers.get("x-acs-security-token") != account.token:
        raise Refusal(400, "InvalidSecurityToken.Mismatch", "the security token does not belong to the access key")


def _check_signed_headers(received: Received, signed: list[str]) -> None:
    if signed != sorted(set(signed)):
        raise _mismatch("SignedHeaders is not a sorted list of lower-case names")
    if absent := sorted((MUST_BE_SIGNED | set(signed)) - set(received.headers)):
        raise _mismatch(f"{', '.join(absent)} was not sent")
    # Without a body an unsigned content type must pass: the asynchronous transport of the vendor's own SDK adds one.
    strict = ("x-acs-", "content-type") if received.body else "x-acs-"
    sent = {name for name in received.headers if name.startswith(strict)}
    if unsigned := sorted((MUST_BE_SIGNED | sent) - set(signed)):
        raise _mismatch(f"{', '.join(unsigned)} was not signed")


def check_clock(received: Received, now: datetime) -> None:
    """Check that the request was dated within the window, before or after, of ``now`` (aware).

    Raises:
        Refusal: ``InvalidTimeStamp.Format`` or ``InvalidTimeStamp.Expired``.
    """
    try:
        dated = _read_date(received.headers["x-acs-date"])
    except ValueError:
        raise Refusal(400, "InvalidTimeStamp.Format", "x-acs-date is not of the form 2025-01-02T03:04:05Z") from None
    if abs((now - dated).total_seconds()) > WINDOW_SECONDS:
        raise Refusal(400, "InvalidTimeStamp.Expired", "x-acs-date is more than 15 minutes away from the time here")


@lru_cache(maxsize=16)  # many requests come in one second, and to read a date takes longer than to verify them
def _read_date(text: str) -> datetime:
    return datetime.strptime(text, _DATE).replace(tzinfo=UTC)


class Nonces:
    """The nonces seen, each remembered for as long as a request that carries it could still be in date."""

    def __init__(self) -> None:
        self._seen: dict[str, datetime] = {}

    def use(self, nonce: str, now: datetime) -> None:
        """Note a nonce at ``now`` (aware).

        Raises:
            Refusal: ``SignatureNonceUsed`` when it was noted before.
        """
        # Twice the window: a request may be dated a window ahead and stay in date for a window after that.
        # The oldest stand first, so that this costs next to nothing per request.
        while self._seen and (now - next(iter(self._seen.values()))).total_seconds() > 2 * WINDOW_SECONDS:
            del self._seen[next(iter(self._seen))]
        if nonce in self._seen:
            raise Refusal(400, "SignatureNonceUsed", "the nonce was used before")
        self._seen[nonce] = now

    def clear(self) -> None:
        """Forget every nonce."""
        self._seen.clear()


def _mismatch(why: str) -> Refusal:
    return Refusal(400, "SignatureDoesNotMatch", f"signature refused: {why}")


def _encode(text: str) -> str:
    return quote(text, safe="-_.~")
