"""Which error each answer of the vendor means."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unified_train import (
    ApiError,
    AuthenticationError,
    ErrorTable,
    InsufficientFunds,
    InvalidRequest,
    NotFound,
    OperationRetired,
    PermissionDenied,
    ProviderUnavailable,
    QuotaExceeded,
    RateLimited,
    Request,
    Response,
)
from unified_train_scenario.provider import Scenario
from unified_train_scenario.refusals import ACTION, LIMIT, NAME, REASON, STATUS, TABLES, is_refusal, refusal
from unified_train_scenario.status import TABLES as STATUS_TABLES

if TYPE_CHECKING:
    from collections.abc import Mapping


def refused(
    status: int, body: Any, *, headers: Mapping[str, str] | None = None, dry_run: bool = False
) -> ApiError | None:
    query = {"dryRun": "true"} if dry_run else {}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return refusal(
        Response(Request("POST", "https://api.example.com/v1/x", "x", query=query), status, headers or {}, content)
    )


def error(status: int, body: Any, **more: Any) -> ApiError:
    found = refused(status, body, **more)
    assert found is not None
    return found


@pytest.mark.parametrize("status", [200, 201, 204])
def test_success_is_an_acceptance(status: int) -> None:
    """Any 2xx but the estimate is accepted."""
    assert refused(status, {}) is None


@pytest.mark.parametrize("status", [200, 269, 402])
def test_a_dry_run_may_be_answered_in_three_ways(status: int) -> None:
    """269 and 402 are acceptances of a request that carried `dryRun`."""
    assert refused(status, {"creativeUnitsCost": 3}, dry_run=True) is None


def test_a_price_in_place_of_a_job_is_a_refusal() -> None:
    """269 and 402 without `dryRun` are errors: no job was made, or the account can't pay."""
    assert isinstance(error(269, {"creativeUnitsCost": 3}), InvalidRequest)
    assert isinstance(error(402, {"message": "Payment required"}), InsufficientFunds)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"reason": "r", "message": "m", "error": "e"}, "r"),
        ({"message": "m", "error": "e"}, "m"),
        ({"reason": "", "error": "e"}, "e"),
        ({"reason": {"deep": 1}}, '{"reason": {"deep": 1}}'),
        (["list"], '["list"]'),
        (b"<html> Bad  Request </html>", "<html> Bad Request </html>"),
        (b"", "no reason given"),
    ],
)
def test_the_text_is_looked_for_in_this_order(body: Any, text: str) -> None:
    """`reason`, then `message`, then `error`, then whatever came."""
    assert error(400, body).message == text


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidRequest),
        (401, AuthenticationError),
        (404, NotFound),
        (408, ProviderUnavailable),
        (409, InvalidRequest),
        (410, NotFound),
        (413, InvalidRequest),
        (422, InvalidRequest),
        (500, ProviderUnavailable),
        (503, ProviderUnavailable),
    ],
)
def test_each_status_has_its_class(status: int, kind: type[ApiError]) -> None:
    """What the vendor says nothing more about goes by its status."""
    assert type(error(status, {"reason": "r"})) is kind


def test_a_code_or_name_is_kept() -> None:
    """The vendor's own word for the error is there to branch on."""
    assert error(400, {"status": "error", "code": "INVALID_PARAMETER", "message": "m"}).code == "INVALID_PARAMETER"
    assert error(400, {"reason": "r", "name": "SomeError", "code": 5}).code == "SomeError"


@pytest.mark.parametrize(
    ("body", "headers", "kind"),
    [
        ({"reason": "You do not have access"}, {}, PermissionDenied),
        ({"message": "denied"}, {"x-amzn-errortype": "AccessDeniedException:http://x"}, AuthenticationError),
        ({"message": "Forbidden"}, {}, OperationRetired),
        ({"reason": "r", "name": "ModelAccessRestrictedError", "details": {"requiredPlan": "pro"}}, {}, QuotaExceeded),
        ({"reason": "r", "name": "ModelAccessRestrictedError", "details": None}, {}, QuotaExceeded),
        ({"reason": "r", "name": "PlanLimitReachedError"}, {}, QuotaExceeded),
        ({"reason": "Forbidden"}, {}, PermissionDenied),
    ],
)
def test_a_403_is_one_of_four_things(body: Any, headers: dict[str, str], kind: type[ApiError]) -> None:
    """No permission, an expired token, an unknown route, or a plan that is too low."""
    found = error(403, body, headers=headers)
    assert type(found) is kind
    assert not found.retryable


def test_the_needed_plan_is_told() -> None:
    """A restricted model names the plan that has it."""
    body = {"reason": "restricted", "name": "ModelAccessRestrictedError", "details": {"requiredPlan": "pro"}}
    assert error(403, body).message == "restricted (needs plan pro)"


LIMITED = {"reason": "Your plan does not allow this action", "name": "PlanLimitReachedError"}


@pytest.mark.parametrize(
    ("body", "kind", "code"),
    [
        ({"reason": "Too many requests"}, RateLimited, None),
        (
            {**LIMITED, "details": {"actionName": "parallel-custom-jobs", "actionLimit": 2}},
            RateLimited,
            "parallel-custom-jobs",
        ),
        (
            {**LIMITED, "details": {"actionName": "parallel-training", "actionLimit": 0}},
            QuotaExceeded,
            "parallel-training",
        ),
        ({"reason": "r", "details": {"actionLimit": 0}}, QuotaExceeded, None),
        (LIMITED, QuotaExceeded, "PlanLimitReachedError"),
        ({"reason": "r", "details": {"remainingSeconds": 90}}, RateLimited, "training-cooldown"),
        ({"reason": 'wait, "remainingSeconds": 90'}, RateLimited, "training-cooldown"),
        (
            {**LIMITED, "details": {"actionName": "add-training-image", "actionLimit": 20}},
            QuotaExceeded,
            "add-training-image",
        ),
        (b"slow down", RateLimited, None),
    ],
)
def test_a_429_is_one_of_five_things(body: Any, kind: type[ApiError], code: str | None) -> None:
    """Rate, concurrency, a plan without it, a cooldown, or the ceiling of a dataset; only two of them never pass."""
    found = error(429, body)
    assert (type(found), found.code) == (kind, code)
    assert found.retryable is (kind is RateLimited)


def test_a_cooldown_tells_how_long_to_wait() -> None:
    """The seconds come from the details or the text; nonsense is no time."""
    assert error(429, {"reason": "r", "details": {"remainingSeconds": 90}}).retry_after == 90
    assert error(429, {"reason": "remainingSeconds=12.5"}).retry_after == 12.5
    assert error(429, {"reason": "r", "details": {"remainingSeconds": True}}).retry_after is None


@settings(deadline=None)
@given(
    status=st.integers(300, 599),
    body=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=10),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["reason", "message", "error", "name", "code", "details", "actionName", "actionLimit"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=8,
    ),
)
def test_any_refusal_has_an_error_with_a_text(status: int, body: Any) -> None:
    """Whatever JSON comes with whatever status, there is an error, and it says something."""
    assert error(status, body).message


def test_a_known_refusal_is_told_from_a_similar_one() -> None:
    """Case and the full stop don't matter, any other difference does."""
    assert is_refusal(InvalidRequest("model is already training."), "Model is already training")
    assert not is_refusal(InvalidRequest("Model is already trained"), "Model is already training")


def test_the_provider_shows_all_its_words() -> None:
    """Every table of status and of error words is on the provider, each row with the place that says so."""
    assert list(Scenario.status_tables) == list(STATUS_TABLES)
    assert list(Scenario.error_tables) == list(TABLES)
    assert len({table.name for table in TABLES}) == len(TABLES)
    assert all("dossier" in row.source for table in TABLES for _, row in table)


@pytest.mark.parametrize(
    ("table", "answers"),
    [
        (STATUS, {"402": (402, {}), "410": (410, {}), "269": (269, {})}),
        (
            NAME,
            {
                "ModelAccessRestrictedError": (403, {"reason": "r", "name": "ModelAccessRestrictedError"}),
                "PlanLimitReachedError": (429, {"reason": "r", "name": "PlanLimitReachedError"}),
            },
        ),
        (ACTION, {"add-training-image": (429, {"details": {"actionName": "add-training-image", "actionLimit": 9}})}),
        (
            LIMIT,
            {
                "0": (429, {"details": {"actionName": "parallel-training", "actionLimit": 0}}),
                "above 0": (429, {"details": {"actionName": "parallel-training", "actionLimit": 1}}),
            },
        ),
        (REASON, {row: (400, {"reason": row.replace("*", "Model model_1")}) for row, _ in REASON}),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_each_row_is_what_an_answer_means(table: ErrorTable, answers: dict[str, tuple[int, Any]]) -> None:
    """An answer with a word of a table is the error of that row, retried or not as the row says."""
    assert set(answers) == {word for word, _ in table}
    for word, row in table:
        found = error(*answers[word])
        assert (type(found), found.retryable) == (row.error, row.passes), word


def test_a_limit_that_is_no_number_is_none() -> None:
    """Without a usable limit the name decides, and a negative one is a plan's no."""
    details = {"actionName": "parallel-training", "actionLimit": True}
    assert type(error(429, {"reason": "r", "details": details})) is RateLimited
    assert type(error(429, {**LIMITED, "details": details})) is QuotaExceeded
    assert type(error(429, {"reason": "r", "details": {**details, "actionLimit": -1}})) is QuotaExceeded
