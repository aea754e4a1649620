"""What this vendor's refusals mean: five forms on the wire, one class for each reaction (Alibaba dossier 3)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import unescape

from unified_train import (
    AuthenticationError,
    ErrorTable,
    InvalidRequest,
    NotFound,
    OperationRetired,
    PermissionDenied,
    ProviderUnavailable,
    RateLimited,
    Refusal,
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

EXPIRED = "InvalidTimeStamp.Expired"
_GATEWAY = "vendor page 48054: codes of this gateway family, under another product (Alibaba dossier 3.3)"
_COMMON = "vendor page help.aliyun.com/en/dns/error-code: common codes, under another product"
_PAGES = "vendor pages 2850850, 2850852 and 2862804 (Alibaba dossier 3.3)"

# Codes decide, not the HTTP status: throttling and wrong keys come with several (Alibaba dossier 3.3).
CODES = ErrorTable(
    "Code, code or errCode",
    {
        "Throttling*": Refusal(RateLimited, _GATEWAY),
        "InvalidTimeStamp*": Refusal(AuthenticationError, _GATEWAY),
        "InvalidAccessKeyId*": Refusal(AuthenticationError, _GATEWAY),
        "InvalidSecurityToken*": Refusal(
            AuthenticationError, "inferred; the exact code is unknown (Alibaba dossier 3.3)"
        ),
        # The nonce was used: a copy of the request came before, so that a paid one must not be sent again.
        "SignatureNonceUsed": Refusal(AuthenticationError, _GATEWAY, retryable=False),
        "SignatureDoesNotMatch": Refusal(AuthenticationError, _GATEWAY),
        "IncompleteSignature": Refusal(AuthenticationError, "inferred: what is said of a signature that lacks a part"),
        "MissingAuthorization": Refusal(AuthenticationError, "inferred: `Missing{ParameterName}` of vendor page 48054"),
        "MissingAccessKeyId": Refusal(AuthenticationError, "inferred: `Missing{ParameterName}` of vendor page 48054"),
        "MissingSecurityToken": Refusal(AuthenticationError, "inferred: `Missing{ParameterName}` of vendor page 48054"),
        "B_PERMISSION_DENIED_EXCEPTION": Refusal(PermissionDenied, _PAGES),
        "Forbidden*": Refusal(PermissionDenied, _COMMON),
        "NoPermission": Refusal(PermissionDenied, "inferred: what other products say of a missing RAM permission"),
        "B_PARAMETER_*": Refusal(InvalidRequest, _PAGES),
        "Missing*": Refusal(InvalidRequest, _GATEWAY),
        "InvalidParameter*": Refusal(InvalidRequest, _COMMON),
        "InvalidProtocol.NeedSsl": Refusal(InvalidRequest, _GATEWAY),
        "*_NOT_EXIST": Refusal(NotFound, "vendor page 2850852: B_MODEL_TRAIN_JOB_NOT_EXIST (Alibaba dossier 3.3)"),
        "B_DATA_NOT_FOUND_EXCEPTION": Refusal(NotFound, "vendor pages 2850850 and 2862804 (Alibaba dossier 3.3)"),
        "InvalidApi*": Refusal(OperationRetired, _GATEWAY),
        "InvalidProduct*": Refusal(OperationRetired, _GATEWAY),
        "InvalidAction*": Refusal(OperationRetired, "inferred: InvalidApi in the gateway's older words"),
        "InvalidVersion*": Refusal(OperationRetired, "inferred: InvalidApi in the gateway's older words"),
        "UNKNOWN_ERROR": Refusal(ProviderUnavailable, _PAGES),
        "Internal*": Refusal(ProviderUnavailable, _COMMON),
        "ServiceUnavailable*": Refusal(ProviderUnavailable, _COMMON),
    },
)
TABLES = (CODES,)
_HINTS = {
    "InvalidTimeStamp.*": "set this machine's clock; the server's says {date}",
    "InvalidAccessKeyId*": "check ALIBABA_CLOUD_ACCESS_KEY_ID and its secret",
    "SignatureDoesNotMatch": "check ALIBABA_CLOUD_ACCESS_KEY_ID and its secret",
    "SignatureNonceUsed": "something on the way sent the request twice; look whether the first one counted",
    "InvalidSecurityToken*": "temporary credentials expire; renew key id, secret and token together",
    "B_PERMISSION_DENIED_EXCEPTION": "activate the service and allow the key the RAM action aicontent:*",
    "InvalidApi*": "check the base URL",
    "InvalidProduct*": "check the base URL",
    "InvalidProtocol.NeedSsl": "the base URL must begin with https",
}


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
    known = CODES.read(code)
    kind = known.error if known else _class(code, response.status, waits=wait is not None, soft=soft)
    message = told.message or response.excerpt or "no reason given"
    if hint := _hint(code, response):
        message = f"{message}; {hint}"
    request_id = told.request_id or response.headers.get("x-acs-request-id")
    error = kind(message, http_status=response.status, code=told.code, request_id=request_id, retry_after=wait)
    error.retryable = known.passes if known else error.retryable
    return error


def _class(code: str, status: int, *, waits: bool, soft: bool) -> type[ApiError]:
    """For a code that is not in the table, or none."""
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
    return next((hint.format(date=date) for pattern, hint in _HINTS.items() if fnmatchcase(code, pattern)), None)


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
