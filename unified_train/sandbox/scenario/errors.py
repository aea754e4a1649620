"""The error answers of Scenario: only `reason` is always there (Scenario dossier 1.3, from live captures)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

CUSTOM_ONLY = "Custom models only are supported for this endpoint"
ALREADY_ATTACHED = "The provided assetId is already a training image of this model"
ALREADY_TRAINING = "Model is already training"


class Refusal(Exception):
    """An answer that says no.

    Attributes:
        status: HTTP status.
        body: JSON body.
        headers: Headers beside the content type.
    """

    def __init__(self, status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, dict(body))
        self.status = status
        self.body = dict(body)
        self.headers = dict(headers or {})


def invalid(reason: str) -> Refusal:
    """Wrong arguments, or a record in the wrong state: 400."""
    return Refusal(400, {"reason": reason})


def unauthorized() -> Refusal:
    """No credentials, or wrong ones: 401."""
    return Refusal(401, {"reason": "Invalid or missing API credentials"})


def expired_token() -> Refusal:
    """A JWT past its minute: a 403 told apart only by a header of the gateway (Scenario dossier 1)."""
    return Refusal(403, {"message": "Token has expired"}, {"x-amzn-errortype": "AccessDeniedException"})


def forbidden(reason: str) -> Refusal:
    """Good credentials that do not reach this record: 403."""
    return Refusal(403, {"reason": reason})


def restricted(model: str, plan: str) -> Refusal:
    """A model that the account's plan does not include: 403 with a name (Scenario dossier 1.3)."""
    return Refusal(
        403,
        {
            "reason": f"Model {model} needs a higher plan",
            "name": "ModelAccessRestrictedError",
            "details": {"modelId": model, "requiredPlan": plan},
        },
    )


def unknown_route() -> Refusal:
    """A route or method that does not exist: 403 from the gateway, not 404 (Scenario dossier 1.3)."""
    return Refusal(403, {"message": "Forbidden"})


def not_found(kind: str, identifier: str) -> Refusal:
    """An id that nobody knows: 404."""
    return Refusal(404, {"reason": f"{kind} {identifier} not found"})


def too_large() -> Refusal:
    """A request body over the gateway's limit: 413."""
    return Refusal(413, {"message": "Request Too Long"})


def rate_limited(seconds: int) -> Refusal:
    """Too many requests: the 429 without a name, with `Retry-After` (Scenario dossier 1.4)."""
    return Refusal(429, {"reason": "Too many requests"}, {"Retry-After": str(seconds)})


def plan_limit(action: str, *, limit: int, value: int) -> Refusal:
    """The 429 of a plan: excluded for good at a limit of 0, busy for now above it (Scenario dossier 1.4)."""
    return Refusal(
        429,
        {
            "reason": "Your plan does not allow this action",
            "name": "PlanLimitReachedError",
            "details": {"actionName": action, "actionLimit": limit, "actionValue": value, "limitScope": "team"},
        },
    )


def cooling_down(seconds: float) -> Refusal:
    """A training too soon after the last one: the 429 with `remainingSeconds` (Scenario dossier 1.4)."""
    return Refusal(
        429,
        {"reason": "Training is cooling down, see remainingSeconds", "details": {"remainingSeconds": round(seconds)}},
    )
