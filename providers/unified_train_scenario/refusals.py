"""Which error an answer of Scenario means: its text is in `reason`, its 403 and 429 mean many things."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from unified_train import (
    ApiError,
    AuthenticationError,
    ErrorTable,
    InsufficientFunds,
    InvalidRequest,
    NotFound,
    OperationRetired,
    PermissionDenied,
    QuotaExceeded,
    RateLimited,
    Refusal,
    error_class,
)

if TYPE_CHECKING:
    from unified_train import Response

CUSTOM_ONLY = "Custom models only are supported for this endpoint"
ALREADY_ATTACHED = "The provided assetId is already a training image of this model"
ALREADY_TRAINING = "Model is already training"

_ESTIMATE = 269
_WORDED = (400, 404)
_UNPAID = 402
_FORBIDDEN = 403
_LIMITED = 429
_SECONDS = re.compile(r"remainingSeconds\W+(\d+(?:\.\d+)?)")


# Which words and numbers of a refusal mean what, field by field; `docs` and code read the same rows.

STATUS = ErrorTable(
    "HTTP status",
    {
        "269": Refusal(
            InvalidRequest, "a price without a job, to a request that asked for a job (Scenario dossier 4.3)"
        ),
        "402": Refusal(InsufficientFunds, "the account can't pay; a price if a dry run was asked for (dossier 4.3)"),
        "410": Refusal(NotFound, "a model deleted too long ago to be restored (Scenario dossier 1.3)"),
    },
)
GATEWAY = ErrorTable(
    "x-amzn-errortype",
    {"AccessDeniedException*": Refusal(AuthenticationError, "403: the JWT's minute is over (Scenario dossier 1)")},
)
MESSAGE = ErrorTable(
    "message",
    {"Forbidden": Refusal(OperationRetired, "403 without a reason: no such route or method (Scenario dossier 1.3)")},
)
NAME = ErrorTable(
    "name",
    {
        "ModelAccessRestrictedError": Refusal(QuotaExceeded, "the plan lacks the model (Scenario dossier 1.3)"),
        "PlanLimitReachedError": Refusal(QuotaExceeded, "the plan excludes the action (Scenario dossier 1.4)"),
    },
)
DETAIL = ErrorTable(
    "details",
    {"remainingSeconds": Refusal(RateLimited, "429: pause between trainings, in seconds (Scenario dossier 1.4)")},
)
ACTION = ErrorTable(
    "details.actionName",
    {"add-training-image": Refusal(QuotaExceeded, "429: the plan's ceiling of a dataset (Scenario dossier 1.4)")},
)
LIMIT = ErrorTable(
    "details.actionLimit",
    {
        "0": Refusal(QuotaExceeded, "429: the plan excludes the action; it never passes (Scenario dossier 1.4)"),
        "above 0": Refusal(
            RateLimited, "429: so many at once; nothing was billed, wait for one (Scenario dossier 1.4)"
        ),
    },
)
REASON = ErrorTable(
    "reason",
    {
        CUSTOM_ONLY: Refusal(InvalidRequest, "a LoRA's id in the path; its base is tried (Scenario dossier 6.1)"),
        ALREADY_ATTACHED: Refusal(InvalidRequest, "counts as done (Scenario dossier 3.3)"),
        ALREADY_TRAINING: Refusal(InvalidRequest, "the running training is taken over (Scenario dossier 9)"),
        "* not found": Refusal(NotFound, "no such model, job or asset (Scenario dossier 1.3)"),
    },
)
TABLES = (STATUS, GATEWAY, MESSAGE, NAME, DETAIL, ACTION, LIMIT, REASON)


def refusal(response: Response) -> ApiError | None:
    """The error of an answer, or None for an acceptance.

    A price without a job (269, in older documents 402) is an answer only to a dry run (Scenario dossier 4.3).
    """
    if "dryRun" in response.request.query and response.status in (_ESTIMATE, _UNPAID):
        return None
    if response.status == _ESTIMATE:
        return _made(STATUS.read(_ESTIMATE), "answered with a price only, no job was made")
    if response.ok:
        return None
    body = response.json_or_none()
    told: dict[str, Any] = body if isinstance(body, dict) else {}
    return _error(response, told, text(told) or response.excerpt or "no reason given")


def text(told: dict[str, Any]) -> str:
    """The text of an error, wherever this part of the vendor puts it (Scenario dossier 1.3)."""
    found = (told.get(name) for name in ("reason", "message", "error"))
    return next((value for value in found if isinstance(value, str) and value), "")


def is_refusal(error: ApiError, known: str) -> bool:
    """Whether an error is exactly this text of the vendor's, but for case and the full stop."""
    return error.message.strip().rstrip(".").casefold() == known.casefold()


def _error(response: Response, told: dict[str, Any], why: str) -> ApiError:
    name, code = told.get("name"), told.get("code")
    word = next((value for value in (name, code) if isinstance(value, str)), None)
    if response.status == _FORBIDDEN:
        return _forbidden(response, told, why, word)
    if response.status == _LIMITED:
        return _limited(told, why, word)
    row = STATUS.read(response.status) or _by_reason(response, why)
    return _made(row, why, word, otherwise=error_class(response.status))


def _by_reason(response: Response, why: str) -> Refusal | None:
    """What a known text means, where the status says no more than that the request was wrong (dossier 1.3)."""
    return REASON.read(why.strip().rstrip(".")) if response.status in _WORDED else None


def _made(
    row: Refusal | None,
    why: str,
    code: str | None = None,
    *,
    otherwise: type[ApiError] = InvalidRequest,
    retry_after: float | None = None,
) -> ApiError:
    """The error of a row, else of a class; all of the vendor's rows pass or not as their class does."""
    return (row.error if row else otherwise)(why, code=code, retry_after=retry_after)


def _forbidden(response: Response, told: dict[str, Any], why: str, word: str | None) -> ApiError:
    """The four kinds of 403 (Scenario dossier 1.3)."""
    expired = GATEWAY.read(response.headers.get("x-amzn-errortype", ""))
    if expired:
        return _made(expired, f"{why}; the token has expired, get a new one", "AccessDeniedException")
    limited = NAME.read(word)
    if limited:
        plan = _details(told).get("requiredPlan")
        return _made(limited, f"{why} (needs plan {plan})" if plan else why, word)
    unknown = MESSAGE.read(why) if "reason" not in told else None
    if unknown:
        return _made(unknown, "the vendor knows no such route", why)
    return PermissionDenied(why, code=word)


def _limited(told: dict[str, Any], why: str, word: str | None) -> ApiError:
    """The five kinds of 429 (Scenario dossier 1.4)."""
    details = _details(told)
    wait = _remaining(details, why)
    if wait is not None:
        row = DETAIL.read("remainingSeconds")
        return _made(row, f"{why}; train again in {wait:g} s", "training-cooldown", retry_after=wait)
    action = details.get("actionName")
    code = action if isinstance(action, str) else word
    ceiling = ACTION.read(action)
    if ceiling:
        return _made(ceiling, f"{why} ({action}: at most {details.get('actionLimit')} images)", code)
    limit = _limit(details)
    if limit is not None and (isinstance(action, str) or not limit):
        return _made(LIMIT.read("above 0" if limit else "0"), why + _explained(action, limit), code)
    return _made(NAME.read(word), why, code, otherwise=RateLimited)


def _limit(details: dict[str, Any]) -> float | None:
    limit = details.get("actionLimit")
    return max(0.0, limit) if isinstance(limit, int | float) and not isinstance(limit, bool) else None


def _explained(action: object, limit: float) -> str:
    if not limit:
        return f" ({action} is not part of the plan)" if action else ""
    return f" ({action}: at most {limit:g} at once; wait for a running one to end)"


def _remaining(details: dict[str, Any], why: str) -> float | None:
    seconds = details.get("remainingSeconds")
    if isinstance(seconds, int | float) and not isinstance(seconds, bool):
        return max(0.0, float(seconds))
    found = _SECONDS.search(why)
    return float(found[1]) if found else None


def _details(told: dict[str, Any]) -> dict[str, Any]:
    details = told.get("details")
    return details if isinstance(details, dict) else {}
