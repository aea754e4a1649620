"""What the vendor's refusals mean: by their reason, and only then by their HTTP status (Novita dossier 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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
    QuotaExceeded,
    RateLimited,
    error_class,
)

if TYPE_CHECKING:
    from unified_train import Response

TASK_FAILED = "TASK_FAILED"
_RETIRED = "the vendor's API has no such address (any more)"


@dataclass(frozen=True, slots=True)
class _Kind:
    error: type[ApiError]
    retryable: bool = False


_INVALID = _Kind(InvalidRequest)
_CONTENT = _Kind(ContentRejected)
_KEY = _Kind(AuthenticationError)
_DENIED = _Kind(PermissionDenied)
_PASSING = _Kind(ProviderUnavailable, retryable=True)

# The vendor's table of reasons for its image APIs (vendor page "error code"; Novita dossier 2.2).
REASONS = {
    "INVALID_REQUEST_BODY": _INVALID,
    "IMAGE_FILE_EXCEEDS_MAX_SIZE": _INVALID,
    "INVALID_IMAGE_FORMAT": _INVALID,
    "IMAGE_EXCEEDS_MAX_RESOLUTION": _INVALID,
    "INVALID_IMAGE_SIZE": _INVALID,
    "IMAGE_NO_FACE_DETECTED": _INVALID,
    "INVALID_CUSTOM_OUTPUT_PATH": _INVALID,
    "ILLEGAL_PROMPT": _CONTENT,
    "ILLEGAL_IMAGE_CONTENT": _CONTENT,
    "MISSING_API_KEY": _KEY,
    "INVALID_API_KEY": _KEY,
    "BILLING_AUTH_FAILED": _KEY,
    "BILLING_BALANCE_NOT_ENOUGH": _Kind(InsufficientFunds),
    "API_NOT_ALLOWED": _DENIED,
    "FEATURE_NOT_ALLOWED": _DENIED,
    "NEED_REAL_NAME_VERIFY": _DENIED,
    "ANONYMOUS_ACCESS_QUOTA_EXCEEDS": _Kind(QuotaExceeded),
    "API_NOT_FOUND": _Kind(OperationRetired),
    "TASK_NOT_FOUND": _Kind(NotFound),
    "RATE_LIMIT_EXCEEDED": _Kind(RateLimited, retryable=True),
    "BILLING_FAILED": _PASSING,
    "GET_RESULT_FAILED": _PASSING,
    "CREATE_TASK_FAILED": _PASSING,
    TASK_FAILED: _Kind(ProviderUnavailable),
}

# The older routes failed inside HTTP 200, with these codes (Novita dossier 2.1).
CODES = {
    -1: _PASSING,
    1: _INVALID,
    2: _Kind(NotFound),
    3: _Kind(NotFound),
    4: _KEY,
    5: _PASSING,
    6: _INVALID,
    7: _Kind(InsufficientFunds),
    8: _INVALID,
    9: _PASSING,
}

_FORBIDDEN = {401, 403}  # a bad key is 403 here, whatever the general guide says (Novita dossier 2.3)
_NO_ROUTE = 404


def refusal(response: Response) -> ApiError | None:
    """The error that an answer means; None for a 2xx that carries no error inside."""
    body = response.json_or_none()
    told: dict[str, Any] = body if isinstance(body, dict) else {}
    reason, code = _reason(told), _code(told.get("code"))
    if response.ok and not reason and code in (None, 0, response.status):
        return None
    kind = REASONS.get(reason) or _by_number(response, code)
    message = _message(told, response, kind)
    word = reason or (str(code) if code is not None and response.ok else None)
    return kind.error(message, http_status=response.status, code=word, retryable=kind.retryable)


def _by_number(response: Response, code: int | None) -> _Kind:
    if response.ok:
        return CODES.get(code or 0, _INVALID)
    if response.status in _FORBIDDEN:
        return _KEY
    if response.status == _NO_ROUTE:
        return _Kind(OperationRetired)
    found = error_class(response.status)
    return _Kind(found, found.retryable_by_default)


def _reason(body: dict[str, Any]) -> str:
    reason = body.get("reason")
    return reason.strip() if isinstance(reason, str) else ""


def _code(value: object) -> int | None:
    """The code as a number; it mirrors the HTTP status on newer routes, and is 0 for success on older ones."""
    try:
        return int(str(value))
    except ValueError:
        return None


def _message(body: dict[str, Any], response: Response, kind: _Kind) -> str:
    texts = [str(body.get(name) or "") for name in ("message", "msg")]
    said = next(filter(None, texts), "")
    if kind.error is OperationRetired:
        return f"{_RETIRED}; it says: {said or response.excerpt or 'nothing'}"
    return said or _reason(body) or response.excerpt or "the vendor gives no reason"
