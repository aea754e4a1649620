"""What must never be shown, and the one place that takes it out of text, URLs, headers and vendor payloads."""

from __future__ import annotations

import re
from functools import lru_cache
from sys import intern
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

HIDDEN = "***"

SECRET_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "x-acs-security-token"}
    | {"x-acs-accesskey-id", "x-oss-security-token", "x-amz-security-token"}
)
_SECRET_QUERY = re.compile(
    r"(x-amz-|x-oss-).*|.*signature|ossaccesskeyid|accesskeyid|security-?token|(access_?)?token|key-pair-id|policy"
    r"|api_?key|secret|password|sig|expires|signaturenonce",
    re.IGNORECASE,
)
_SECRET_KEY = re.compile(
    r"(api[_-]?key|secret|token|password|access[_-]?key([_-]?(id|secret))?|authorization|wandb_?key)$", re.IGNORECASE
)
_URL = re.compile(r"https?://[^\s\"'<>\\]+")
_SPACE = re.compile(r"\s")
_WORD = re.compile(r"[A-Za-z_-]{1,32}")
_CREDENTIALS = re.compile(r"\b(Basic|Bearer|ACS3-HMAC-SHA256|AWS4-HMAC-SHA256|OSS4-HMAC-SHA256)\s+[^\s\"'\\]+")


@lru_cache(maxsize=512)  # a record names the same pictures at each poll
def url(value: str) -> str:
    """The same URL without user name, password and signatures; names of query parameters stay readable."""
    try:
        parts = urlsplit(value)
    except ValueError:  # such as "http://[": it can't be taken apart, so that nothing of it is safe to show
        return HIDDEN
    query = "&".join(_parameter(pair) for pair in parts.query.split("&")) if parts.query else ""
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=host, query=query))


def _parameter(pair: str) -> str:
    name, equals, _ = pair.partition("=")
    return f"{name}={HIDDEN}" if equals and _names_signature(name) else pair


@lru_cache(maxsize=512)
def _names_signature(name: str) -> bool:
    return _SECRET_QUERY.fullmatch(name) is not None


def text(value: str) -> str:
    """Text with the signatures of every URL in it, and every Authorization value, taken out."""
    if "://" in value:
        value = _URL.sub(lambda found: url(found.group()), value)
    # Most texts of a payload are single words, which can't hold a scheme and its credentials.
    return _CREDENTIALS.sub(rf"\1 {HIDDEN}", value) if _SPACE.search(value) else value


def headers(values: Mapping[str, str]) -> dict[str, str]:
    """Headers with the secret ones hidden and URLs in the others cleaned."""
    return {name: HIDDEN if name.lower() in SECRET_HEADERS else text(value) for name, value in values.items()}


def payload(value: Any) -> Any:
    """A JSON value with secrets hidden, wherever they are nested, and its URLs cleaned."""
    if isinstance(value, str):
        return _word(value)
    if isinstance(value, dict):
        return {
            # Each answer brings its keys and words anew; of thousands of jobs they would take most of the memory.
            intern(key) if type(key) is str else key: (
                (HIDDEN if _names_secret(str(key)) else _word(item)) if isinstance(item, str) else payload(item)
            )
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [payload(item) for item in value]
    return value


def _word(value: str) -> str:
    return intern(value) if type(value) is str and _WORD.fullmatch(value) else text(value)


@lru_cache(maxsize=4096)  # a vendor's records have the same names each time
def _names_secret(key: str) -> bool:
    return _SECRET_KEY.search(key) is not None
