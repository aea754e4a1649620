"""The emulator's verification of ACS3-HMAC-SHA256, against vectors that the vendor's own routine agrees with."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from unified_train.sandbox.alibaba.errors import Refusal
from unified_train.sandbox.alibaba.signature import (
    Account,
    Nonces,
    Received,
    canonical_query,
    canonical_request,
    check_clock,
    signature,
    verify_signature,
)

_VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "data" / "alibaba-signature-vectors.json").read_text("utf-8")
)
_BY_ID: dict[str, Any] = {vector["id"]: vector for vector in _VECTORS["acs3"]}
_DATE = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)


def _received(vector: dict[str, Any]) -> Received:
    """The request of a vector as it would arrive; a space in the query written as `+`, as the vendor's SDK does."""
    given = vector["input"]
    headers = {**given["headers"], "authorization": vector["expected"]["authorization"]}
    return Received(given["method"], given["path"], urlencode(given["query"]), headers, given["body_utf8"].encode())


def _accounts(vector: dict[str, Any]) -> dict[str, Account]:
    given = vector["input"]
    return {given["access_key_id"]: Account(given["access_key_secret"], given["security_token"])}


def _resigned(vector: dict[str, Any], names: list[str], **changed: str) -> Received:
    """The vector with other headers, signed anew over exactly `names`."""
    received = _received(vector)
    headers = {**received.headers, **{name.replace("_", "-"): value for name, value in changed.items()}}
    received = replace(received, headers=headers)
    canonical = canonical_request(received, names, headers["x-acs-content-sha256"])
    key_id, secret = vector["input"]["access_key_id"], vector["input"]["access_key_secret"]
    value = (
        f"ACS3-HMAC-SHA256 Credential={key_id},SignedHeaders={';'.join(names)},Signature={signature(canonical, secret)}"
    )
    return replace(received, headers={**headers, "authorization": value})


def _code(received: Received, vector: dict[str, Any], **accounts: Account) -> str:
    with pytest.raises(Refusal) as caught:
        verify_signature(received, accounts or _accounts(vector))
    return caught.value.code


@pytest.mark.parametrize("vector", _VECTORS["acs3"], ids=list(_BY_ID))
def test_vectors_verify(vector: dict[str, Any]) -> None:
    """Every vector is accepted, and its canonical request rebuilt byte for byte."""
    received, expected = _received(vector), vector["expected"]
    verify_signature(received, _accounts(vector))
    names = expected["signed_headers"].split(";")
    assert canonical_request(received, names, expected["hashed_request_payload"]) == expected["canonical_request"]
    assert canonical_query(received.query) == expected["canonical_query_string"]


@pytest.mark.parametrize(
    "vector", [item for item in _VECTORS["acs3"] if "wire_target_seen" in item], ids=lambda v: v["id"]
)
def test_what_the_sdk_wrote_on_the_wire_verifies(vector: dict[str, Any]) -> None:
    """The request target that the vendor's SDK really sent, with its `+` for a space, is accepted."""
    path, _, query = vector["wire_target_seen"].partition("?")
    verify_signature(replace(_received(vector), path=path, query=query), _accounts(vector))


@pytest.mark.parametrize("wrong", _VECTORS["acs3_wrong_results"], ids=lambda wrong: wrong["mistake"])
def test_known_mistakes_are_refused(wrong: dict[str, Any]) -> None:
    """The signature that a typical mistake leads to is refused."""
    vector = _BY_ID[wrong["vector"]]
    received = _received(vector)
    authorization = received.headers["authorization"].rpartition("=")[0] + f"={wrong['wrong_signature']}"
    headers = {**received.headers, "authorization": authorization}
    if "wrong_hashed_request_payload" in wrong:
        headers["x-acs-content-sha256"] = wrong["wrong_hashed_request_payload"]
    assert _code(replace(received, headers=headers), vector) == "SignatureDoesNotMatch"


def test_the_negative_cases_are_all_here() -> None:
    """Each negative case of the vectors file has its test below."""
    names = {case["id"] for case in _VECTORS["acs3_negative"]}
    assert names == {
        "neg-tampered-body",
        "neg-tampered-query",
        "neg-unsigned-token",
        "neg-old-date",
        "neg-replayed-nonce",
    }


def test_tampered_body() -> None:
    """A changed body does not fit its hash."""
    vector = _BY_ID["sdk-post-add-train-job-chinese"]
    received = _received(vector)
    assert b'"trainSteps":800' in received.body
    tampered = replace(received, body=received.body.replace(b'"trainSteps":800', b'"trainSteps":801'))
    assert _code(tampered, vector) == "SignatureDoesNotMatch"


def test_tampered_query() -> None:
    """A changed query does not fit the signature."""
    vector = _BY_ID["sdk-get-train-status-sts"]
    received = _received(vector)
    assert _code(replace(received, query=received.query + "X"), vector) == "SignatureDoesNotMatch"


def test_unsigned_token() -> None:
    """A security token that is sent but not signed is refused, however right the rest is."""
    vector = _BY_ID["sdk-get-train-status-sts"]
    names = [name for name in vector["expected"]["signed_headers"].split(";") if name != "x-acs-security-token"]
    assert _code(_resigned(vector, names), vector) == "SignatureDoesNotMatch"


@pytest.mark.parametrize("minutes", [15.1, -15.1])
def test_old_and_future_dates(minutes: float) -> None:
    """A request is in date for fifteen minutes before and after its date, and not longer."""
    received = _received(_BY_ID["min-get-job-list"])
    check_clock(received, _DATE + timedelta(minutes=minutes * 0.99))
    with pytest.raises(Refusal) as caught:
        check_clock(received, _DATE + timedelta(minutes=minutes))
    assert caught.value.code == "InvalidTimeStamp.Expired"


@pytest.mark.parametrize("date", ["2025-01-02T03:04:05", "2025-01-02T03:04:05.123Z", "Thu, 02 Jan 2025", ""])
def test_malformed_dates(date: str) -> None:
    """A date in another form has a code of its own."""
    received = _received(_BY_ID["min-get-job-list"])
    with pytest.raises(Refusal) as caught:
        check_clock(replace(received, headers={"x-acs-date": date}), _DATE)
    assert caught.value.code == "InvalidTimeStamp.Format"


def test_replayed_nonces() -> None:
    """A nonce is good once while a request with it could be in date; later it may be forgotten."""
    nonces = Nonces()
    nonces.use("a", _DATE)
    nonces.use("b", _DATE + timedelta(minutes=29))
    with pytest.raises(Refusal) as caught:
        nonces.use("a", _DATE + timedelta(minutes=30))
    assert caught.value.code == "SignatureNonceUsed"
    nonces.use("a", _DATE + timedelta(minutes=31))
    with pytest.raises(Refusal):
        nonces.use("b", _DATE + timedelta(minutes=31))
    nonces.clear()
    nonces.use("a", _DATE)


_MINIMUM = ["host", "x-acs-action", "x-acs-content-sha256", "x-acs-date", "x-acs-signature-nonce", "x-acs-version"]


@pytest.mark.parametrize("name", _MINIMUM)
def test_what_must_be_signed(name: str) -> None:
    """Each header of the smallest set must be signed, and must have been sent."""
    vector = _BY_ID["min-get-job-list"]
    received = _resigned(vector, [other for other in _MINIMUM if other != name])
    assert _code(received, vector) == "SignatureDoesNotMatch"
    headers = {other: value for other, value in _received(vector).headers.items() if other != name}
    assert _code(replace(received, headers=headers), vector) == "SignatureDoesNotMatch"


def test_no_vendor_header_may_go_unsigned() -> None:
    """Any vendor header that was sent must be signed; signed, it is fine."""
    vector = _BY_ID["min-get-job-list"]
    extra = {"x-acs-anything": "x"}
    assert _code(_resigned(vector, _MINIMUM, **extra), vector) == "SignatureDoesNotMatch"
    verify_signature(_resigned(vector, sorted([*_MINIMUM, *extra]), **extra), _accounts(vector))


def test_the_content_type_of_a_body_is_signed() -> None:
    """With a body the content type must be signed; without one it may be unsigned, as the vendor's SDK has it."""
    vector = _BY_ID["min-post-add-inference"]
    assert _code(_resigned(vector, _MINIMUM), vector) == "SignatureDoesNotMatch"
    bare = _BY_ID["min-get-job-list"]
    verify_signature(_resigned(bare, _MINIMUM, content_type="application/octet-stream"), _accounts(bare))


@pytest.mark.parametrize("names", [[*reversed(_MINIMUM)], [*_MINIMUM, "x-acs-version"]])
def test_signed_headers_are_sorted_and_unique(names: list[str]) -> None:
    """Names of signed headers out of order, or twice, are refused."""
    vector = _BY_ID["min-get-job-list"]
    assert _code(_resigned(vector, names), vector) == "SignatureDoesNotMatch"


@pytest.mark.parametrize("value", ["", "Basic eA==", "ACS3-HMAC-SHA256 Credential=x", "ACS3-RSA-SHA256 Credential=x"])
def test_other_authorizations(value: str) -> None:
    """Anything but this scheme in full is refused as missing."""
    vector = _BY_ID["min-get-job-list"]
    received = replace(_received(vector), headers={**_received(vector).headers, "authorization": value})
    assert _code(received, vector) == "MissingAuthorization"


def test_unknown_keys() -> None:
    """A key that the account does not have is told from a wrong signature."""
    vector = _BY_ID["min-get-job-list"]
    assert _code(_received(vector), vector, other=Account("s")) == "InvalidAccessKeyId.NotFound"


def test_tokens_belong_to_keys() -> None:
    """A token with a key that has none, or a key without its token, is refused."""
    with_token, without = _BY_ID["min-post-add-train-sts-chinese"], _BY_ID["min-get-job-list"]
    lasting = Account(with_token["input"]["access_key_secret"])
    key = {with_token["input"]["access_key_id"]: lasting}
    assert _code(_received(with_token), with_token, **key) == "InvalidSecurityToken.Mismatch"
    temporary = {without["input"]["access_key_id"]: Account(without["input"]["access_key_secret"], "token")}
    assert _code(_received(without), without, **temporary) == "InvalidSecurityToken.Mismatch"


def test_the_key_is_the_secret_itself() -> None:
    """The signature is a plain HMAC of algorithm name and hash, with the secret as the key."""
    digest = hashlib.sha256(b"canonical").hexdigest()
    text = f"ACS3-HMAC-SHA256\n{digest}".encode()
    assert signature("canonical", "secret") == hmac.new(b"secret", text, "sha256").hexdigest()
