"""ACS3-HMAC-SHA256, the signature of this vendor's gateway (vendor page "V3 request structure and signature").

Nothing but `hashlib` and `hmac`; pure, so that every published vector can be checked against it.
"""

from __future__ import annotations

import hashlib
import hmac
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from unified_train import escaped

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

ALGORITHM = "ACS3-HMAC-SHA256"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
_DEFAULT_PORTS = {"http": 80, "https": 443}


def canonical_request(
    method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], payload_hash: str
) -> str:
    """What is hashed: method, path, query, headers, their names and the hash of the body, one below the other.

    Args:
        method: In upper case.
        path: Percent-encoded or plain; it is brought to one form.
        query: Decoded names and values.
        headers: Exactly those to sign, names in lower case, values as sent.
        payload_hash: Lower-case hexadecimal SHA-256 of the bytes sent.
    """
    names = sorted(headers)
    return "\n".join(
        [
            method,
            _canonical_path(path),
            "&".join(f"{escaped(name)}={escaped(query[name])}" for name in sorted(query)),
            # Every header line is ended, not separated: an empty line follows the last one.
            *(f"{name}:{headers[name].strip()}" for name in names),
            "",
            ";".join(names),
            payload_hash,
        ]
    )


@lru_cache(maxsize=64)  # the API has few addresses
def _canonical_path(path: str) -> str:
    return "/".join(escaped(unquote(segment)) for segment in path.split("/"))


def authorization(canonical: str, names: str, key_id: str, secret: str) -> str:
    """The value of the `authorization` header.

    Args:
        canonical: See `canonical_request`.
        names: Those of the signed headers, sorted, joined by semicolons.
        key_id: Of the access key.
        secret: Of the access key; the key of the HMAC as it is, nothing is derived from it.
    """
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    signature = hmac.new(secret.encode(), f"{ALGORITHM}\n{digest}".encode(), hashlib.sha256).hexdigest()
    return f"{ALGORITHM} Credential={key_id},SignedHeaders={names},Signature={signature}"


@lru_cache(maxsize=64)
def host_header(url: str) -> str:
    """What an HTTP client sends as `Host`: without user and password, the port only if it is not the usual one."""
    parts = urlsplit(url)
    name = parts.hostname or ""
    host = f"[{name}]" if ":" in name else name
    return host if parts.port in (None, _DEFAULT_PORTS.get(parts.scheme)) else f"{host}:{parts.port}"


def timestamp(moment: datetime) -> str:
    """A time (aware, UTC) as `x-acs-date` wants it: no fraction, a literal Z (Alibaba dossier 2.3)."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
