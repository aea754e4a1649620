"""How recorded HTTP is cleaned before it is kept, and how a request finds its recorded answer again.

What is recorded holds no key, no signature and no presigned query; large pictures are kept by their digest. A request
is recognised by method, path, query and body, without host, nonce, date and signatures.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import vcr

from unified_train import redact

HOST = "sandbox.test"
"""Stands for the sandbox's own address in every cassette."""
LARGE = 2048
"""Bytes; longer texts inside requests are kept as their digest."""
_KEPT_HEADERS = {"content-type", "retry-after", "location"}
_LOOPBACK = re.compile(rb"(127\.0\.0\.1:\d+|127\.0\.0\.1%3A\d+)")
_HOSTED = re.compile(rb"/_host/[0-9a-f]{16,}")
"""Names on an image host depend on the account's secret; which image it was is known by the body's digest."""
_OPAQUE = re.compile(r"data:image/[a-z]+;base64,|[A-Za-z0-9+/=]{64}")


def recorder(folder: Path, mode: Any) -> vcr.VCR:
    """A recorder for one vendor's cassettes."""
    made = vcr.VCR(
        cassette_library_dir=str(folder),
        record_mode=mode,
        before_record_request=_clean_request,
        before_record_response=_clean_response,
        decode_compressed_response=True,
        match_on=["method", "path", "_query", "_body"],
    )
    made.register_matcher("_query", _same_query)
    made.register_matcher("_body", _same_body)
    return made


def _clean_request(request: Any) -> Any:
    parts = urlsplit(request.uri)
    query = urlencode([(name, value) for name, value in parse_qsl(parts.query) if _plain(name)])
    request.uri = _HOSTED.sub(b"/_host/name", parts._replace(netloc=HOST, query=query).geturl().encode()).decode()
    request.headers = {name: value for name, value in request.headers.items() if name.lower() in _KEPT_HEADERS}
    if request.body:
        request.body = _clean_body(_bytes(request.body), str(request.headers.get("content-type", "")))
    return request


def _clean_body(body: bytes, media_type: str) -> bytes:
    if "json" in media_type:
        try:
            return json.dumps(_clean(json.loads(_neutral(body))), sort_keys=True).encode()
        except ValueError:
            return body  # a faulty body is recorded as it was
    return body if len(body) <= LARGE else _digest(body).encode()


def _clean_response(response: dict[str, Any]) -> dict[str, Any]:
    kept = {name.lower(): value for name, value in response["headers"].items() if name.lower() in _KEPT_HEADERS}
    body = _neutral(response["body"]["string"] or b"")
    if "json" in "".join(kept.get("content-type", [])):
        body = json.dumps(redact.payload(json.loads(body))).encode()
    return {"status": response["status"], "headers": kept, "body": {"string": body}}


def _neutral(body: bytes) -> bytes:
    return _HOSTED.sub(b"/_host/name", _LOOPBACK.sub(HOST.encode(), body))


def _clean(value: Any) -> Any:
    """A JSON value of a request: secrets hidden, encoded pictures by their digest."""
    cleaned = redact.payload(value)
    if isinstance(cleaned, dict):
        return {key: _clean(item) for key, item in cleaned.items()}
    if isinstance(cleaned, list):
        return [_clean(item) for item in cleaned]
    if isinstance(cleaned, str) and len(cleaned) > LARGE and _OPAQUE.match(cleaned):
        return _digest(cleaned.encode())
    return cleaned


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _plain(name: str) -> bool:
    return redact.HIDDEN not in redact.url(f"http://x/?{name}=1") and name.lower() != "x-id"


def _bytes(body: Any) -> bytes:
    if isinstance(body, bytes):
        return body
    return body.encode() if isinstance(body, str) else b"".join(body)


def _same_query(one: Any, other: Any) -> None:
    def pairs(request: Any) -> list[tuple[str, str]]:
        return sorted((name, value) for name, value in parse_qsl(urlsplit(request.uri).query) if _plain(name))

    assert pairs(one) == pairs(other)


def _same_body(one: Any, other: Any) -> None:
    assert (one.body or b"") == (other.body or b"")
