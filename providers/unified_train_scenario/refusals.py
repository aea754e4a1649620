"""Which error an answer of Scenario means: its text is in `reason`, its 403 and 429 mean many things."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from unified_train import (
    ApiError,
    AuthenticationError,
    InsufficientFunds,
    InvalidRequest,
    NotFound,
    OperationRetired,
    PermissionDenied,
    QuotaExceeded,
    RateLimited,
    error_class,
)

if TYPE_CHECKING:
    from unified_train import Response

CUSTOM_ONLY = "Custom models only are supported for this endpoint"
ALREADY_ATTACHED = "The provided assetId is already a training image of this model"
ALREADY_TRAINING = "Model is already training"

_ESTIMATE = 269
_UNPAID = 402
_FORBIDDEN = 403
_GONE = 410
_LIMITED = 429
_DATASET = "add-training-image"
_SECONDS = re.compile(r"remainingSeconds\W+(\d+(?:\.\d+)?)")


def refusal(response: Response) -> ApiError | None:
    """The error of an answer, or None for an acceptance.

    A price without a job (269, in older documents 402) is an answer only to a dry run (Scenario dossier 4.3).
    """
    if "dryRun" in response.request.query and response.status in (_ESTIMATE, _UNPAID):
        return None
    if response.status == _ESTIMATE:
        return InvalidRequest("answered with a price only, no job was made")
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
    if response.status == _UNPAID:
        return InsufficientFunds(why, code=word)
    if response.status == _GONE:
        return NotFound(why, code=word)
    return error_class(response.status)(why, code=word)


def _forbidden(response: Response, told: dict[str, Any], why: str, word: str | None) -> ApiError:
    """The four kinds of 403 (Scenario dossier 1.3)."""
    kind = response.headers.get("x-amzn-errortype", "")
    if kind.startswith("AccessDeniedException"):
        return AuthenticationError(f"{why}; the token has expired, get a new one", code="AccessDeniedException")
    if word == "ModelAccessRestrictedError":
        plan = _details(told).get("requiredPlan")
        return QuotaExceeded(f"{why} (needs plan {plan})" if plan else why, code=word)
    if word == "PlanLimitReachedError":
        return QuotaExceeded(why, code=word)
    if "reason" not in told and why == "Forbidden":
        return OperationRetired("the vendor knows no such route", code="Forbidden")
    return PermissionDenied(why, code=word)


def _limited(told: dict[str, Any], why: str, word: str | None) -> ApiError:
    """The five kinds of 429 (Scenario dossier 1.4)."""
    details = _details(told)
    action, limit = details.get("actionName"), details.get("actionLimit")
    wait = _remaining(details, why)
    if wait is not None:
        return RateLimited(f"{why}; train again in {wait:g} s", code="training-cooldown", retry_after=wait)
    if action == _DATASET:
        return QuotaExceeded(f"{why} ({action}: at most {limit} images)", code=action)
    if isinstance(action, str) and isinstance(limit, int | float) and limit > 0:
        return RateLimited(f"{why} ({action}: at most {limit} at once; wait for a running one to end)", code=action)
    if word == "PlanLimitReachedError" or limit == 0:
        told_action = f" ({action} is not part of the plan)" if action else ""
        return QuotaExceeded(why + told_action, code=action if isinstance(action, str) else word)
    return RateLimited(why, code=word)


def _remaining(details: dict[str, Any], why: str) -> float | None:
    seconds = details.get("remainingSeconds")
    if isinstance(seconds, int | float) and not isinstance(seconds, bool):
        return max(0.0, float(seconds))
    found = _SECONDS.search(why)
    return float(found[1]) if found else None


def _details(told: dict[str, Any]) -> dict[str, Any]:
    details = told.get("details")
    return details if isinstance(details, dict) else {}
