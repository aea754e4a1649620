"""What the vendor's refusals mean, in each of the forms they come in."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unified_train import (
    ApiError,
    AuthenticationError,
    InvalidRequest,
    NotFound,
    OperationRetired,
    PermissionDenied,
    ProviderUnavailable,
    RateLimited,
    Refusal,
    Request,
    Response,
)
from unified_train_alibaba.refusals import CODES, refusal

_REQUEST = Request("GET", "https://aicontent.aliyuncs.com/p", "training.poll")


def _answer(status: int, body: Any, **headers: str) -> Response:
    content = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    return Response(_REQUEST, status, {name.replace("_", "-"): value for name, value in headers.items()}, content)


def _refused(status: int, body: Any, **headers: str) -> ApiError:
    error = refusal(_answer(status, body, **headers))
    assert error is not None
    return error


def _gateway(code: str, message: str = "text") -> dict[str, Any]:
    """Form A: the gateway's own body."""
    return {"RequestId": "R-1", "HostId": "aicontent.aliyuncs.com", "Code": code, "Message": message}


def _enveloped(code: str | None, message: str | None = "text") -> dict[str, Any]:
    """Forms B and C: the service's envelope."""
    return {"requestId": "R-1", "success": False, "errCode": code, "errMessage": message, "data": None}


_CODES: list[tuple[int, str, type[ApiError]]] = [
    (400, "B_PARAMETER_NOT_FOUND_EXCEPTION", InvalidRequest),
    (403, "B_PERMISSION_DENIED_EXCEPTION", PermissionDenied),
    (404, "B_MODEL_TRAIN_JOB_NOT_EXIST", NotFound),
    (404, "B_DATA_NOT_FOUND_EXCEPTION", NotFound),
    (500, "UNKNOWN_ERROR", ProviderUnavailable),
    (400, "InvalidTimeStamp.Format", AuthenticationError),
    (400, "InvalidTimeStamp.Expired", AuthenticationError),
    (400, "SignatureNonceUsed", AuthenticationError),
    (400, "SignatureDoesNotMatch", AuthenticationError),
    (403, "SignatureDoesNotMatch", AuthenticationError),
    (400, "InvalidAccessKeyId.NotFound", AuthenticationError),
    (404, "InvalidAccessKeyId.NotFound", AuthenticationError),
    (404, "InvalidAccessKeyId.Inactive", AuthenticationError),
    (400, "InvalidSecurityToken.Expired", AuthenticationError),
    (400, "MissingName", InvalidRequest),
    (404, "InvalidApi.NotFound", OperationRetired),
    (404, "InvalidProduct.NotFound", OperationRetired),
    (400, "InvalidProtocol.NeedSsl", InvalidRequest),
    (400, "Throttling.User", RateLimited),
    (400, "Throttling", RateLimited),
    (429, "Throttling.Api", RateLimited),
    (503, "Throttling.Api", RateLimited),
]


@pytest.mark.parametrize(("status", "code", "kind"), _CODES)
@pytest.mark.parametrize("body", [_gateway, _enveloped], ids=["gateway", "envelope"])
def test_codes_decide(status: int, code: str, kind: type[ApiError], body: Any) -> None:
    """A code means the same whatever the HTTP status and the shape of the body."""
    error = _refused(status, body(code))
    assert type(error) is kind
    assert (error.code, error.http_status, error.request_id) == (code, status, "R-1")
    assert error.message.startswith("text")


@pytest.mark.parametrize(("status", "code", "kind"), _CODES)
def test_soft_failures(status: int, code: str, kind: type[ApiError]) -> None:
    """The same code under HTTP 200 with `success` false is the same refusal."""
    error = _refused(200, _enveloped(code))
    assert (type(error), error.http_status) == (kind, 200)


@pytest.mark.parametrize(("pattern", "row"), list(CODES), ids=[pattern for pattern, _ in CODES])
def test_the_table_is_what_counts(pattern: str, row: Refusal) -> None:
    """Every row has a source, and a code that fits it is refused as the row says, whatever the status."""
    assert "vendor page" in row.source or "inferred" in row.source
    for status in (200, 400, 503):
        error = _refused(status, _enveloped(pattern.replace("*", "")))
        assert (type(error), error.retryable) == (row.error, row.passes)


def test_no_row_is_hidden_by_another() -> None:
    """The first row that fits counts, so that no row may stand behind one that takes its words."""
    for pattern, row in CODES:
        assert CODES.read(pattern.replace("*", "")) is row


def test_the_sandbox_refuses_in_words_of_the_table() -> None:
    """Every code that the emulated vendor has is in the table."""
    folder = Path(pytest.importorskip("unified_train.sandbox.alibaba.errors").__file__).parent
    text = "".join(path.read_text() for path in folder.glob("*.py"))
    codes = set(re.findall(r'Refusal\(\s*\d{3},\s*"([^"{]+)"', text))
    assert len(codes) > 5
    assert [code for code in codes if CODES.read(code) is None] == []


def test_a_used_nonce_is_explained() -> None:
    """A request that came twice may have counted the first time, so that it is not repeated, and that is said."""
    error = _refused(400, _gateway("SignatureNonceUsed"))
    assert not error.retryable
    assert "whether the first one counted" in error.message


@pytest.mark.parametrize("success", [False, "false", " False "])
def test_a_soft_failure_without_a_code_is_the_vendors_fault(success: object) -> None:
    """`success` false alone is a failure that may pass."""
    error = _refused(200, {"success": success, "data": None})
    assert type(error) is ProviderUnavailable
    assert error.retryable


def test_an_unknown_code_follows_the_status() -> None:
    """A code nobody has heard of leaves the decision to the HTTP status."""
    assert type(_refused(400, _gateway("Novel"))) is InvalidRequest
    assert type(_refused(401, _gateway("Novel"))) is AuthenticationError
    assert type(_refused(403, _gateway("Novel"))) is PermissionDenied
    assert type(_refused(404, _gateway("Novel"))) is NotFound
    assert type(_refused(429, _gateway("Novel"))) is RateLimited
    assert type(_refused(500, _gateway("Novel"))) is ProviderUnavailable
    assert type(_refused(200, _enveloped("Novel"))) is InvalidRequest


def test_success_decides_not_the_error_code() -> None:
    """A success is one even where a published sample shows an error code beside it."""
    body = {"success": True, "errCode": "UNKNOWN_ERROR", "errMessage": "未知错误", "httpStatusCode": 200, "data": {}}
    assert refusal(_answer(200, body)) is None


@pytest.mark.parametrize("body", [{"data": []}, {"success": None}, [], "text", b"\x89PNG\r\n\x1a\n\xff", b""])
def test_other_accepted_answers(body: Any) -> None:
    """A 2xx that does not say no is left to whoever reads it, be it JSON or bytes."""
    assert refusal(_answer(200, body)) is None


def test_xml_errors() -> None:
    """An error in XML, which the gateway sends where it thinks that JSON was not asked for, is read too."""
    xml = b"<?xml version='1.0'?><Error><RequestId>R-2</RequestId><Code> Throttling.User </Code>"
    xml += b"<Message>slow &amp; steady</Message></Error>"
    error = _refused(400, xml, content_type="text/xml")
    assert type(error) is RateLimited
    assert (error.code, error.message, error.request_id) == ("Throttling.User", "slow & steady", "R-2")


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (502, b"<html><Code>Throttling</Code>Bad Gateway</html>", ProviderUnavailable),
        (404, b"", NotFound),
        (302, b"", InvalidRequest),
    ],
)
def test_answers_without_json(status: int, body: bytes, kind: type[ApiError]) -> None:
    """HTML from a proxy, an empty body or a redirect end in the class of their status, with something to read."""
    error = _refused(status, body, x_acs_request_id="R-3")
    assert type(error) is kind
    assert error.message
    assert (error.code, error.request_id) == (None, "R-3")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("1500", 1.5), ("1", 1.0), ("90000000", 120.0), ("0", None), ("-5", None), ("soon", None), ("", None)],
)
def test_the_wait_is_in_milliseconds(header: str, seconds: float | None) -> None:
    """The vendor's header counts milliseconds; a second is the least, two minutes the most that is believed."""
    error = _refused(429, _gateway("Throttling.User"), x_acs_retry_after=header)
    assert error.retry_after == seconds


@pytest.mark.parametrize(("status", "kind"), [(400, RateLimited), (503, RateLimited), (502, ProviderUnavailable)])
def test_a_wait_without_a_code(status: int, kind: type[ApiError]) -> None:
    """The header alone means flow control, except beside a fault that may have come after acceptance."""
    error = _refused(status, b"", x_acs_retry_after="1500")
    assert (type(error), error.retry_after) == (kind, 1.5)


def test_a_wrong_clock_is_explained() -> None:
    """A refused date says what time the server has."""
    error = _refused(400, _gateway("InvalidTimeStamp.Expired"), date="Thu, 02 Jan 2025 03:04:05 GMT")
    assert "Thu, 02 Jan 2025 03:04:05 GMT" in error.message


def test_missing_permission_is_explained() -> None:
    """A refused permission names the RAM action to allow."""
    assert "aicontent:*" in _refused(403, _gateway("B_PERMISSION_DENIED_EXCEPTION", "无权限")).message


def _objects(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.dictionaries(st.sampled_from(["Code", "errCode", "Message", "success", "RequestId"]), values)


_JSON = st.recursive(
    st.none() | st.booleans() | st.text(max_size=5), lambda values: st.lists(values) | _objects(values)
)


@settings(deadline=None)
@given(
    status=st.integers(300, 599), content=st.binary(max_size=60) | _JSON.map(lambda value: json.dumps(value).encode())
)
def test_every_refusal_is_an_error(status: int, content: bytes) -> None:
    """Whatever comes with a status from 300 on, it ends in an ApiError and never in another exception."""
    assert isinstance(refusal(_answer(status, content)), ApiError)
