"""What arrived at the sandbox, with every secret taken out before it is kept."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import deque
from dataclasses import dataclass
from sys import intern
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from unified_train import redact

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from unified_train.sandbox.clock import Clock

MOST_KEPT = 20_000
"""Requests kept; older ones are forgotten, so that a sandbox may run for days."""

_LONGEST_STRING = 1024
_JSON_STARTS = (b"{", b"[")
_MOST_KNOWN = 256  # nonces and dates are among them, so that they come and go


@dataclass(slots=True)
class Entry:
    """One request, redacted.

    Attributes:
        n: its number since the start or the last reset, from 1.
        at: the sandbox's date, ISO 8601, UTC.
        vendor: the vendor's slug; None for the object store.
        method: the HTTP method.
        path: the decoded path.
        query: the query string, signatures hidden.
        headers: names in lower case; credentials hidden.
        json: the body if it is JSON, secrets hidden and long strings shortened to length and hash.
        body: `sha256` and `size` in bytes of a body that is not JSON; None if there is none.
        status: the HTTP status answered; None while there is none, and for good when the connection was dropped. Of a
            request that came `late` it is the vendor's answer, which nobody got.
        fault: the kind of the fault it met.
    """

    n: int
    at: str
    vendor: str | None
    method: str
    path: str
    query: str
    headers: dict[str, str]
    json: Any
    body: dict[str, str | int] | None
    status: int | None = None
    fault: str | None = None


class RequestLog:
    """The newest requests; may be read from any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: deque[Entry] = deque(maxlen=MOST_KEPT)
        self._count = 0
        self._harmless: dict[tuple[bytes, bytes], tuple[str, str]] = {}

    def add(
        self,
        *,
        vendor: str | None,
        method: str,
        path: str,
        query: str,
        headers: Iterable[tuple[bytes, bytes]],
        body: bytes,
    ) -> Entry:
        """Keep one request; what answered it is filled in later. The headers are ASGI's."""
        value = _json(body)
        entry = Entry(
            n=0,
            at=self._clock.date().isoformat(),
            vendor=vendor,
            method=method,
            path=path,
            query=_query(query),
            headers=dict([self._harmless.get(header) or self._header(*header) for header in headers]),
            json=redact.payload(_shortened(value)),
            body={"sha256": hashlib.sha256(body).hexdigest(), "size": len(body)} if body and value is None else None,
        )
        with self._lock:
            self._count += 1
            entry.n = self._count
            self._entries.append(entry)
        return entry

    def _header(self, name: bytes, value: bytes) -> tuple[str, str]:
        """One header as it is kept, and remembered for the next request if there is nothing to hide in it.

        A client sends the same ones with each request: to know them saves the time, and the memory of 20,000 copies.
        """
        read, given = intern(name.decode("latin-1")), value.decode("latin-1")
        kept = read, redact.headers({read: given})[read]
        if kept[1] == given:
            if len(self._harmless) == _MOST_KNOWN:
                self._harmless.clear()
            self._harmless[name, value] = kept
        return kept

    def entries(self) -> list[Entry]:
        """The requests, newest last."""
        with self._lock:
            return list(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries())

    def __len__(self) -> int:
        return len(self._entries)

    def clear(self) -> None:
        """Forget all requests and count from 1 again."""
        with self._lock:
            self._entries.clear()
            self._count = 0


def _json(body: bytes) -> Any:
    if not body.lstrip()[:1].startswith(_JSON_STARTS):
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _shortened(value: Any) -> Any:
    """The same value with a length and a hash in the place of every long string, such as a picture in base64."""
    if isinstance(value, dict):
        return {key: _shortened(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_shortened(item) for item in value]
    if isinstance(value, str) and len(value) > _LONGEST_STRING:
        digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
        return f"<{len(value)} chars, sha256 {digest}>"
    return value


def _query(query: str) -> str:
    if not query:
        return ""
    # Names may arrive percent-encoded; they must be readable for the redaction to know them.
    pairs = [pair.partition("=") for pair in query.split("&")]
    return redact.url("?" + "&".join(unquote(name) + equals + value for name, equals, value in pairs))[1:]
