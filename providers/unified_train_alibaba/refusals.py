"""What this vendor's refusals mean: five forms on the wire, one class for each reaction (Alibaba dossier 3)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import unescape

from unified_train import (
    AuthenticationError,
    InvalidRequest,
    NotFound,
    OperationRetired,
    PermissionDenied,
    ProviderUnavailable,
    RateLimited,
    error_class,
)
from unified_train_alibaba.wire import as_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from unified_train import ApiError, Response

_REFUSED_FROM = 300
_FAULT_FROM = 500
_UNAVAILABLE = 503
_LONGEST_MS = 120_000  # where the vendor's own runtime caps it (Alibaba dossier 3.4)
_SHORTEST_SECONDS = 1.0

# Codes decide, not the HTTP status: throttling and wrong keys come with several (Alibaba dossier 3.3).
# The first pattern that fits the whole code counts.
_CODES: tuple[tuple[str, type[ApiError]], ...] = (
    (r"Throttling(\..*)?", RateLimited),
    (r"(InvalidTimeStamp|InvalidAccessKeyId|InvalidSecurityToken)(\..*)?", AuthenticationError),
    (r"Signature\w+|IncompleteSignature|MissingAuthorization|Missing(AccessKeyId|SecurityToken)", AuthenticationError),
    (r"B_PERMISSION_DENIED_EXCEPTION|Forbidden(\..*)?|NoPermission", PermissionDenied),
    (r"B_PARAMETER_\w+|Missing\w+|InvalidParameter(\..*)?|InvalidProtocol\.NeedSsl", InvalidRequest),
    (r"\w+_NOT_EXIST|B_DATA_NOT_FOUND_EXCEPTION", NotFound),
    (r"Invalid(Api|Product|Action|Version)(\.NotFound)?", OperationRetired),
    (r"UNKNOWN_ERROR|InternalError|ServiceUnavailable", ProviderUnavailable),
)
_HINTS = (
    (r"InvalidTimeStamp\..*", "set this machine's clock; the server's says {date}"),
    (r"InvalidAccessKeyId.*|SignatureDoesNotMatch", "check ALIBABA_CLOUD_ACCESS_KEY_ID and its secret"),
    (r"InvalidSecurityToken.*", "temporary credentials expire; renew key id, secret and token together"),
    (r"B_PERMISSION_DENIED_EXCEPTION", "activate the service and allow the key the RAM action aicontent:*"),
    (r"Invalid(Api|Product).*", "check the base URL"),
    (r"InvalidProtocol\.NeedSsl", "the base URL must begin with https"),
)


@dataclass(frozen=True, slots=True)
class Told:
    """What a refusal says of itself."""

    code: str | None
    message: str | None
    request_id: str | None


def refusal(response: Response) -> ApiError | None:
    """The error that an answer means, or None for an acceptance.

    `success` decides, and never the presence of an error code: published samples of successes carry one
    (Alibaba dossier 3.1).
    """
    body = response.json_or_none()
    record = body if isinstance(body, dict) else {}
    soft = _says_no(record.get("success"))
    if response.ok and not soft:
        return None
    told = _from_json(record) if record else _from_xml(response.text)
    return _error(response, told, soft=response.ok)


def _says_no(success: object) -> bool:
    return success is False or (isinstance(success, str) and success.strip().lower() == "false")


def _error(response: Response, told: Told, *, soft: bool) -> ApiError:
    code = told.code or ""
    wait = _wait(response)
    kind = _class(code, response.status, waits=wait is not None, soft=soft)
    message = told.message or response.excerpt or "no reason given"
    if hint := _hint(code, response):
        message = f"{message}; {hint}"
    request_id = told.request_id or response.headers.get("x-acs-request-id")
    return kind(message, http_status=response.status, code=told.code, request_id=request_id, retry_after=wait)


def _class(code: str, status: int, *, waits: bool, soft: bool) -> type[ApiError]:
    for pattern, kind in _CODES:
        if re.fullmatch(pattern, code, re.IGNORECASE):
            return kind
    # The header means flow control (Alibaba dossier 3.4). Other server faults keep their class even with it: theirs may
    # have come after acceptance, and a paid request must not be repeated then.
    if waits and (status < _FAULT_FROM or status == _UNAVAILABLE):
        return RateLimited
    return ProviderUnavailable if soft and not code else error_class(status)


def _wait(response: Response) -> float | None:
    """Seconds to wait. The vendor's own runtime takes the header for milliseconds (Alibaba dossier 3.4)."""
    text = response.headers.get("x-acs-retry-after", "").strip()
    if not text.isascii() or not text.isdigit() or not int(text):
        return None
    return max(_SHORTEST_SECONDS, min(int(text), _LONGEST_MS) / 1000)


def _hint(code: str, response: Response) -> str | None:
    date = response.headers.get("date", "another time")
    return next((hint.format(date=date) for pattern, hint in _HINTS if re.fullmatch(pattern, code)), None)


def _from_json(record: dict[str, Any]) -> Told:
    """Gateway and service spell the same fields in their own ways; the order is the dossier's (3.2)."""
    return Told(
        code=_first(record, ("Code", "code", "errCode")),
        message=_first(record, ("Message", "message", "errMessage")),
        request_id=_first(record, ("RequestId", "requestId")),
    )


def _first(record: dict[str, Any], names: Iterable[str]) -> str | None:
    return next((text for name in names if (text := as_text(record.get(name)))), None)


def _from_xml(text: str) -> Told:
    """The gateway answers in XML if it thinks that JSON was not asked for (Alibaba dossier 3.2, form E)."""

    def part(name: str) -> str | None:
        found = re.search(rf"<{name}>\s*([^<]+?)\s*</{name}>", text) if "<Error" in text else None
        return unescape(found[1]) if found else None

    return Told(part("Code"), part("Message"), part("RequestId"))
