"""What Novita's refusals mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from novita_flow import answer, provider

from unified_train import (
    ApiError,
    AuthenticationError,
    ContentRejected,
    InsufficientFunds,
    InvalidRequest,
    NotFound,
    OperationRetired,
    PermissionDenied,
    ProviderUnavailable,
    RateLimited,
)

if TYPE_CHECKING:
    from unified_train_novita.provider import Novita


@pytest.fixture
def novita() -> Novita:
    return provider()


REASONS: list[tuple[int, str, type[ApiError], bool]] = [
    (400, "INVALID_REQUEST_BODY", InvalidRequest, False),
    (400, "IMAGE_FILE_EXCEEDS_MAX_SIZE", InvalidRequest, False),
    (400, "IMAGE_NO_FACE_DETECTED", InvalidRequest, False),
    (400, "ILLEGAL_PROMPT", ContentRejected, False),
    (400, "ILLEGAL_IMAGE_CONTENT", ContentRejected, False),
    (400, "MISSING_API_KEY", AuthenticationError, False),
    (403, "INVALID_API_KEY", AuthenticationError, False),
    (403, "BILLING_AUTH_FAILED", AuthenticationError, False),
    (400, "BILLING_BALANCE_NOT_ENOUGH", InsufficientFunds, False),
    (403, "BILLING_BALANCE_NOT_ENOUGH", InsufficientFunds, False),
    (403, "API_NOT_ALLOWED", PermissionDenied, False),
    (403, "NEED_REAL_NAME_VERIFY", PermissionDenied, False),
    (404, "API_NOT_FOUND", OperationRetired, False),
    (404, "TASK_NOT_FOUND", NotFound, False),
    (429, "RATE_LIMIT_EXCEEDED", RateLimited, True),
    (500, "BILLING_FAILED", ProviderUnavailable, True),
    (500, "GET_RESULT_FAILED", ProviderUnavailable, True),
    (500, "CREATE_TASK_FAILED", ProviderUnavailable, True),
    (500, "TASK_FAILED", ProviderUnavailable, False),
    (200, "INVALID_API_KEY", AuthenticationError, False),
    (401, "SOMETHING_NEW", AuthenticationError, False),
    (403, "SOMETHING_NEW", AuthenticationError, False),
    (404, "SOMETHING_NEW", OperationRetired, False),
    (408, "SOMETHING_NEW", ProviderUnavailable, True),
    (418, "SOMETHING_NEW", InvalidRequest, False),
    (503, "SOMETHING_NEW", ProviderUnavailable, True),
]


@pytest.mark.parametrize(("status", "reason", "error", "retryable"), REASONS)
def test_refusal_by_reason(novita: Novita, status: int, reason: str, error: type[ApiError], retryable: bool) -> None:
    """A refusal is classified by its reason, and only then by its status; the reason is kept verbatim."""
    body = {"code": status, "reason": reason, "message": "no, sorry", "metadata": {}}
    refused = novita.refusal(answer(novita.get("/v3/user", "x"), body, status))
    assert refused is not None
    assert type(refused) is error
    assert (refused.code, refused.http_status, refused.retryable) == (reason, status, retryable)
    assert "no, sorry" in refused.message


CODES: list[tuple[int, type[ApiError]]] = [
    (-1, ProviderUnavailable),
    (1, InvalidRequest),
    (2, NotFound),
    (3, NotFound),
    (4, AuthenticationError),
    (5, ProviderUnavailable),
    (6, InvalidRequest),
    (7, InsufficientFunds),
    (8, InvalidRequest),
    (9, ProviderUnavailable),
    (77, InvalidRequest),
]


@pytest.mark.parametrize(("code", "error"), CODES)
def test_refusal_inside_a_success(novita: Novita, code: int, error: type[ApiError]) -> None:
    """A code that is not zero inside HTTP 200 is a refusal, as on the vendor's older routes."""
    refused = novita.refusal(answer(novita.get("/v3/user", "x"), {"code": code, "msg": "no", "data": {}}))
    assert refused is not None
    assert type(refused) is error
    assert (refused.code, refused.message) == (str(code), "no")


@pytest.mark.parametrize(
    "body",
    [{"task_id": "t"}, {"code": 0, "msg": "", "data": {}}, {"code": "0"}, {"code": 200}, {"code": None}, [], b"<"],
)
def test_acceptance(novita: Novita, body: object) -> None:
    """A 2xx without an error inside is none, whatever else is wrong with it."""
    assert novita.refusal(answer(novita.get("/v3/user", "x"), body)) is None


@pytest.mark.parametrize(
    ("status", "body", "error", "words"),
    [
        (503, b"<html><h1>Service\n Unavailable</h1>", ProviderUnavailable, "Service Unavailable"),
        (504, b"", ProviderUnavailable, "gives no reason"),
        (404, b"<html>", OperationRetired, "no such address"),
        (404, b"", OperationRetired, "it says: nothing"),
        (403, b"[]", AuthenticationError, "[]"),
        (400, {"reason": 3, "message": None}, InvalidRequest, "reason"),
        (400, {"reason": "NEW"}, InvalidRequest, "NEW"),
        (429, b"slow down", RateLimited, "slow down"),
    ],
)
def test_refusal_without_a_readable_body(
    novita: Novita, status: int, body: object, error: type[ApiError], words: str
) -> None:
    """A proxy's page, an empty body or a strange one ends in the class of its status and crashes nothing."""
    refused = novita.refusal(answer(novita.get("/v3/user", "x"), body, status))
    assert refused is not None
    assert type(refused) is error
    assert words in refused.message


def test_tables_are_what_counts(novita: Novita) -> None:
    """Every row of the tables has a source, and an answer with its word is what the row says."""
    reasons, codes, statuses = novita.error_tables
    for table in novita.error_tables:
        assert all("dossier" in row.source for _, row in table)
    for word, row in reasons:
        refused = novita.refusal(answer(novita.get("/v3/user", "x"), {"reason": word}, 400))
        assert (type(refused), refused and refused.retryable) == (row.error, row.passes)
    for word, row in codes:
        body = {"code": int(word.replace("*", "4711"))}
        refused = novita.refusal(answer(novita.get("/v3/user", "x"), body))
        assert (type(refused), refused and refused.retryable) == (row.error, row.passes)
    for word, row in statuses:
        refused = novita.refusal(answer(novita.get("/v3/user", "x"), b"", int(word)))
        assert (type(refused), refused and refused.retryable) == (row.error, row.passes)


def test_sandbox_refuses_in_words_of_the_table(novita: Novita) -> None:
    """Every reason that the sandbox gives is in the table."""
    theirs = pytest.importorskip("unified_train.sandbox.novita.errors", reason="needs the extra 'sandbox'")
    assert set(theirs.STATUS) <= {word for word, _ in novita.error_tables[0]}
