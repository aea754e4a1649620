"""What the vendor's refusals mean: by their reason, and only then by their HTTP status (Novita dossier 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unified_train import (
    ApiError,
    AuthenticationError,
    ContentRejected,
    ErrorTable,
    InsufficientFunds,
    InvalidRequest,
    NotFound,
    OperationRetired,
    PermissionDenied,
    ProviderUnavailable,
    QuotaExceeded,
    RateLimited,
    Refusal,
    error_class,
)

if TYPE_CHECKING:
    from unified_train import Response

TASK_FAILED = "TASK_FAILED"
_RETIRED = "the vendor's API has no such address (any more)"
_PAGE = "vendor page of the image APIs' error codes (Novita dossier 2.2)"
_OLD = "the vendor's SDK, ProgressResponseCode (Novita dossier 2.1)"

# A word tells a route that is gone from a task that is not there; the status of both is 404.
REASONS = ErrorTable(
    "reason",
    {
        "INVALID_REQUEST_BODY": Refusal(InvalidRequest, _PAGE),
        "IMAGE_FILE_EXCEEDS_MAX_SIZE": Refusal(InvalidRequest, _PAGE),
        "INVALID_IMAGE_FORMAT": Refusal(InvalidRequest, _PAGE),
        "IMAGE_EXCEEDS_MAX_RESOLUTION": Refusal(InvalidRequest, _PAGE),
        "INVALID_IMAGE_SIZE": Refusal(InvalidRequest, _PAGE),
        "IMAGE_NO_FACE_DETECTED": Refusal(InvalidRequest, _PAGE),
        "INVALID_CUSTOM_OUTPUT_PATH": Refusal(InvalidRequest, _PAGE),
        "ILLEGAL_PROMPT": Refusal(ContentRejected, _PAGE),
        "ILLEGAL_IMAGE_CONTENT": Refusal(ContentRejected, _PAGE),
        "MISSING_API_KEY": Refusal(AuthenticationError, f"{_PAGE}, with status 400"),
        "INVALID_API_KEY": Refusal(AuthenticationError, f"{_PAGE}, with status 403"),
        "BILLING_AUTH_FAILED": Refusal(AuthenticationError, _PAGE),
        "BILLING_BALANCE_NOT_ENOUGH": Refusal(InsufficientFunds, f"{_PAGE}, with status 400"),
        "API_NOT_ALLOWED": Refusal(PermissionDenied, _PAGE),
        "FEATURE_NOT_ALLOWED": Refusal(PermissionDenied, _PAGE),
        "NEED_REAL_NAME_VERIFY": Refusal(PermissionDenied, _PAGE),
        "ANONYMOUS_ACCESS_QUOTA_EXCEEDS": Refusal(QuotaExceeded, "the vendor's JavaScript SDK (Novita dossier 2.2)"),
        "API_NOT_FOUND": Refusal(OperationRetired, f"{_PAGE}; a route, unlike TASK_NOT_FOUND (2.3)"),
        "TASK_NOT_FOUND": Refusal(NotFound, _PAGE),
        "RATE_LIMIT_EXCEEDED": Refusal(RateLimited, _PAGE),
        "BILLING_FAILED": Refusal(ProviderUnavailable, _PAGE),
        "GET_RESULT_FAILED": Refusal(ProviderUnavailable, _PAGE),
        "CREATE_TASK_FAILED": Refusal(ProviderUnavailable, _PAGE),
        TASK_FAILED: Refusal(ProviderUnavailable, f"{_PAGE}; it will not pass", retryable=False),
    },
)
CODES = ErrorTable(
    "code inside HTTP 2xx",
    {
        "-1": Refusal(ProviderUnavailable, f"{_OLD}: internal"),
        "1": Refusal(InvalidRequest, f"{_OLD}: bad JSON"),
        "2": Refusal(NotFound, f"{_OLD}: no model"),
        "3": Refusal(NotFound, f"{_OLD}: no task"),
        "4": Refusal(AuthenticationError, f"{_OLD}: authentication"),
        "5": Refusal(ProviderUnavailable, f"{_OLD}: host"),
        "6": Refusal(InvalidRequest, f"{_OLD}: range"),
        "7": Refusal(InsufficientFunds, f"{_OLD}: balance"),
        "8": Refusal(InvalidRequest, f"{_OLD}: sampler"),
        "9": Refusal(ProviderUnavailable, f"{_OLD}: timeout"),
        "*": Refusal(InvalidRequest, "any other but 0 is an error too (Novita dossier 2.1)"),
    },
)
STATUSES = ErrorTable(
    "HTTP status without a known reason",
    {
        "401": Refusal(AuthenticationError, "vendor guide on errors (Novita dossier 2.3)"),
        "403": Refusal(AuthenticationError, "observed of a missing key, whatever the guide says (Novita dossier 2.3)"),
        "404": Refusal(OperationRetired, "a route is gone unless the reason is TASK_NOT_FOUND (Novita dossier 2.3)"),
    },
)
TABLES = (REASONS, CODES, STATUSES)


def refusal(response: Response) -> ApiError | None:
    """The error that an answer means; None for a 2xx that carries no error inside."""
    body = response.json_or_none()
    told: dict[str, Any] = body if isinstance(body, dict) else {}
    reason, code = _reason(told), _code(told.get("code"))
    if response.ok and not reason and code in (None, 0, response.status):
        return None
    meaning = REASONS.read(reason) or _by_number(response, code)
    error = meaning.error if meaning else error_class(response.status)
    word = reason or (str(code) if code is not None and response.ok else None)
    return error(
        _message(told, response, error),
        http_status=response.status,
        code=word,
        retryable=meaning.passes if meaning else None,
    )


def _by_number(response: Response, code: int | None) -> Refusal | None:
    return CODES.read(code) if response.ok else STATUSES.read(response.status)


def _reason(body: dict[str, Any]) -> str:
    reason = body.get("reason")
    return reason.strip() if isinstance(reason, str) else ""


def _code(value: object) -> int | None:
    """The code as a number; it mirrors the HTTP status on newer routes, and is 0 for success on older ones."""
    try:
        return None if value is None else int(str(value))
    except ValueError:
        return None


def _message(body: dict[str, Any], response: Response, error: type[ApiError]) -> str:
    texts = [str(body.get(name) or "") for name in ("message", "msg")]
    said = next(filter(None, texts), "")
    if error is OperationRetired:
        return f"{_RETIRED}; it says: {said or response.excerpt or 'nothing'}"
    return said or _reason(body) or response.excerpt or "the vendor gives no reason"
