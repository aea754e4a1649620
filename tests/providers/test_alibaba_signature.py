"""ACS3-HMAC-SHA256 against vectors that the vendor's own signing routine agrees with."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from unified_train import BytesBody, Moment, Request
from unified_train_alibaba.options import AlibabaSettings
from unified_train_alibaba.provider import Alibaba
from unified_train_alibaba.signature import authorization, canonical_request, host_header, timestamp

_VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "data" / "alibaba-signature-vectors.json").read_text("utf-8")
)
_BY_ID = {vector["id"]: vector for vector in _VECTORS["acs3"]}


def _canonical(given: dict[str, Any]) -> str:
    payload_hash = hashlib.sha256(given["body_utf8"].encode()).hexdigest()
    return canonical_request(given["method"], given["path"], given["query"], given["headers"], payload_hash)


def _authorization(given: dict[str, Any], canonical: str) -> str:
    names = ";".join(sorted(given["headers"]))
    return authorization(canonical, names, given["access_key_id"], given["access_key_secret"])


@pytest.mark.parametrize("vector", _VECTORS["acs3"], ids=list(_BY_ID))
def test_vector(vector: dict[str, Any]) -> None:
    """Canonical request and Authorization of every vector are reproduced byte for byte."""
    canonical = _canonical(vector["input"])
    assert canonical == vector["expected"]["canonical_request"]
    assert _authorization(vector["input"], canonical) == vector["expected"]["authorization"]


@pytest.mark.parametrize("wrong", _VECTORS["acs3_wrong_results"], ids=lambda wrong: wrong["mistake"])
def test_known_mistakes(wrong: dict[str, Any]) -> None:
    """None of the signatures that typical mistakes lead to is the one made here."""
    given = _BY_ID[wrong["vector"]]["input"]
    assert wrong["wrong_signature"] not in _authorization(given, _canonical(given))


_SIGNED_BY_US = [vector for vector in _VECTORS["acs3"] if vector["id"].startswith("min-")]


@pytest.mark.parametrize("vector", _SIGNED_BY_US, ids=[vector["id"] for vector in _SIGNED_BY_US])
def test_the_provider_signs_the_smallest_header_set(vector: dict[str, Any]) -> None:
    """A whole request, signed by the provider, carries the Authorization and headers of the vector."""
    given = vector["input"]
    scheme = "http" if ":" in given["headers"]["host"] else "https"
    settings = AlibabaSettings.model_validate(
        {
            "base_url": f"{scheme}://{given['headers']['host']}",
            "access_key_id": given["access_key_id"],
            "access_key_secret": given["access_key_secret"],
            "security_token": given["security_token"],
        }
    )
    body = given["body_utf8"].encode()
    request = Request(
        given["method"],
        settings.base_url + given["path"],
        "training.poll",
        query=given["query"],
        body=BytesBody(body, "application/json; charset=utf-8") if body else None,
        headers={"x-acs-action": given["headers"]["x-acs-action"]},
    )
    moment = Moment(datetime(2025, 1, 2, 3, 4, 5, 987654, UTC), given["headers"]["x-acs-signature-nonce"])
    signed = Alibaba(settings).sign(request, moment)
    assert signed.headers["authorization"] == vector["expected"]["authorization"]
    sent = {name: value for name, value in signed.headers.items() if name.startswith("x-acs-")}
    assert sent == {name: value for name, value in given["headers"].items() if name.startswith("x-acs-")}


def test_every_attempt_is_signed_anew() -> None:
    """A second attempt has another nonce, date and signature, whatever the first one left on the request."""
    settings = AlibabaSettings.model_validate({"access_key_id": "i", "access_key_secret": "s"})
    provider = Alibaba(settings)
    request = Request("GET", settings.base_url + "/p", "training.poll")
    first = provider.sign(request, Moment(datetime(2025, 1, 2, tzinfo=UTC), "a" * 32))
    again = provider.sign(first, Moment(datetime(2025, 1, 3, tzinfo=UTC), "b" * 32))
    assert again == provider.sign(request, Moment(datetime(2025, 1, 3, tzinfo=UTC), "b" * 32))
    assert first.headers["authorization"] != again.headers["authorization"]
    assert replace(again, headers={}) == replace(request, headers={})


def test_an_encoded_path_is_signed_in_one_form() -> None:
    """A path that is percent-encoded already and the same path in plain text are signed alike."""
    plain = canonical_request("GET", "/a b/~x", {}, {"host": "h"}, "0")
    assert plain == canonical_request("GET", "/a%20b/%7Ex", {}, {"host": "h"}, "0")
    assert plain.splitlines()[1] == "/a%20b/~x"


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://aicontent.aliyuncs.com/p", "aicontent.aliyuncs.com"),
        ("https://Aicontent.Aliyuncs.com:443/p", "aicontent.aliyuncs.com"),
        ("http://127.0.0.1:80", "127.0.0.1"),
        ("http://127.0.0.1:8080/p?q=1", "127.0.0.1:8080"),
        ("https://user:pass@example.com:80/p", "example.com:80"),
        ("http://[::1]:9000/p", "[::1]:9000"),
    ],
)
def test_the_host_is_signed_as_sent(url: str, host: str) -> None:
    """The signed host is what an HTTP client sends: lower case, and a port only where it is not the usual one."""
    assert host_header(url) == host


def test_dates_have_no_fraction() -> None:
    """The date header is UTC to the second with a literal Z."""
    assert timestamp(datetime(2025, 1, 2, 3, 4, 5, 999, UTC)) == "2025-01-02T03:04:05Z"
