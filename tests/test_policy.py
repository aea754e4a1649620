"""What is repeated and what is not, and what is told to whom."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from helpers import Plain, plain

from unified_train import (
    ApiError,
    ConfigurationError,
    Effect,
    InvalidRequest,
    MalformedResponse,
    PermissionDenied,
    ProviderUnavailable,
    Rate,
    RateLimited,
    Request,
    RequestFinished,
    Response,
    Retry,
    RetryScheduled,
    SubmissionUncertain,
    TransportError,
)
from unified_train.flow import Blocking, Flow, Sleep
from unified_train.policy import Conversation, retry_after

URL = "http://plain.test/api"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def conversation(**options: Any) -> Conversation:
    return Conversation(plain(), Retry(attempts=3, first=1.0), clock=lambda: NOW, **options)


def answer(request: Request, status: int = 200, content: bytes = b"{}", **headers: str) -> Response:
    return Response(request, status, {name.replace("_", "-"): value for name, value in headers.items()}, content)


class Played:
    """Drives `send` by hand: each scripted item is a status, an exception or headers; counts what was sent."""

    def __init__(self, talk: Conversation, request: Request, *script: Any) -> None:
        self.sent: list[Request] = []
        self.slept: list[float] = []
        workflow = talk.send(request)
        remaining = list(script)
        action: Any = next(workflow)
        self.error: Exception | None = None
        try:
            while True:
                if isinstance(action, Blocking):  # a name that is looked up, and found nowhere
                    action = workflow.send(())
                    continue
                if isinstance(action, Sleep):
                    self.slept.append(action.seconds)
                    action = workflow.send(None)
                    continue
                self.sent.append(action)
                step = remaining.pop(0)
                if isinstance(step, Exception):
                    action = workflow.throw(step)
                elif isinstance(step, tuple):
                    action = workflow.send(answer(action, step[0], **step[1]))
                else:
                    action = workflow.send(answer(action, step))
        except StopIteration as stop:
            self.response = stop.value
        except (ApiError, TransportError, SubmissionUncertain) as error:
            self.error = error


def lost(*, sent: bool) -> TransportError:
    return TransportError("no answer", sent=sent)


READ = Request("GET", f"{URL}/x", "training.poll")
PAY = Request("POST", f"{URL}/x", "training.start", effect=Effect.PAY)


@pytest.mark.parametrize("fault", [500, 502, 503, 429, 408, lost(sent=True), lost(sent=False)])
def test_a_read_is_repeated_after_any_passing_fault(fault: Any) -> None:
    """A GET that fails in passing is sent again, after a pause."""
    played = Played(conversation(), READ, fault, 200)
    assert len(played.sent) == 2
    assert played.response.status == 200
    assert 0.7 <= played.slept[0] <= 1.3


@pytest.mark.parametrize("fault", [400, 401, 403, 404, 422])
def test_a_read_is_not_repeated_after_a_refusal(fault: int) -> None:
    """A GET that is refused for good is sent once."""
    played = Played(conversation(), READ, fault)
    assert len(played.sent) == 1
    assert isinstance(played.error, ApiError)
    assert (played.error.provider, played.error.operation, played.error.http_status) == (
        "plain",
        "training.poll",
        fault,
    )


@pytest.mark.parametrize("fault", [503, 429, lost(sent=False)])
def test_a_paid_request_is_repeated_only_if_it_surely_did_not_count(fault: Any) -> None:
    """A paid request is sent again after 429, 503 or a failed connection."""
    played = Played(conversation(), PAY, fault, 200)
    assert len(played.sent) == 2


@pytest.mark.parametrize("fault", [500, 502, 504, 408, lost(sent=True)])
def test_a_paid_request_with_an_ambiguous_answer_is_never_repeated(fault: Any) -> None:
    """What may have been accepted is sent once, and the error says so."""
    played = Played(conversation(), PAY, fault)
    assert len(played.sent) == 1
    assert isinstance(played.error, SubmissionUncertain)
    assert played.error.operation == "training.start"
    assert "was not repeated" in str(played.error)


@pytest.mark.parametrize(("fault", "kind"), [(400, InvalidRequest), (403, PermissionDenied), (429, RateLimited)])
def test_a_refused_paid_request_is_a_plain_refusal(fault: int, kind: type[ApiError]) -> None:
    """A paid request that was refused raises the refusal, not uncertainty."""
    played = Played(conversation(), PAY, fault, fault, fault)
    assert isinstance(played.error, kind)


def test_attempts_end() -> None:
    """After the last attempt the last error is raised."""
    played = Played(conversation(), READ, 500, 502, 503)
    assert len(played.sent) == 3
    assert isinstance(played.error, ProviderUnavailable)
    assert played.error.http_status == 503


def test_a_creating_request_defaults_to_the_cautious_effect() -> None:
    """A POST that says nothing is not repeated after a lost answer; a GET is."""
    assert Request("POST", URL, "x").effect is Effect.CREATE
    assert Request("PUT", URL, "x").idempotent is False
    assert Request("GET", URL, "x").idempotent is True


def test_the_vendors_wait_is_kept() -> None:
    """`Retry-After` decides the pause."""
    played = Played(conversation(), READ, (429, {"retry_after": "7"}), 200)
    assert played.slept == [7.0]


def test_a_wait_that_is_too_long_ends_the_retrying() -> None:
    """A vendor that asks for longer than the policy allows gets no second request; the error carries the seconds."""
    played = Played(conversation(), READ, (429, {"retry_after": "3600"}))
    assert len(played.sent) == 1
    assert isinstance(played.error, RateLimited)
    assert played.error.retry_after == 3600


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "2"}, 2.0),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "Thu, 01 Jan 2026 00:00:30 GMT"}, 30.0),
        ({"retry-after": "Wed, 31 Dec 2025 00:00:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_in_all_its_forms(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds, milliseconds and dates are understood, nonsense is no wait."""
    assert retry_after(Response(READ, 429, headers, b""), NOW) == seconds


def test_each_attempt_is_signed_anew() -> None:
    """A repeated request carries another nonce."""
    played = Played(conversation(), READ, 500, 200)
    assert played.sent[0].headers["x-nonce"] != played.sent[1].headers["x-nonce"]


def test_credentials_stay_with_the_vendor() -> None:
    """A signed request to another origin is refused before it is sent, and an unsigned one carries no credentials."""
    with pytest.raises(ConfigurationError, match="may go only to"):
        next(conversation().send(Request("GET", "http://elsewhere.test/x", "upload.put")))
    unsigned = Request("PUT", "http://elsewhere.test/x", "upload.put", effect=Effect.REPEATABLE, signed=False)
    assert Played(conversation(), unsigned, 200).sent[0].headers == {}


def test_the_vendors_clock_counts_where_ours_is_wrong() -> None:
    """A request refused for its time is sent once more with the server's time, which is kept; without one it fails."""
    talk = conversation()
    played = Played(talk, PAY, (418, {"date": "Thu, 01 Jan 2026 01:00:00 GMT"}), 200)
    assert len(played.sent) == 2
    assert played.response.status == 200
    assert talk.moment().now == NOW + timedelta(hours=1)
    assert isinstance(Played(conversation(), PAY, (418, {"date": "yesterday"})).error, InvalidRequest)
    assert len(Played(conversation(), PAY, *[(418, {"date": "Thu, 01 Jan 2026 01:00:00 GMT"})] * 2).sent) == 2


def test_a_rate_is_waited_for_before_signing() -> None:
    """A request beyond its operation's rate sleeps first, and is signed after."""
    provider = plain()
    type(provider).rates = {"training.start": Rate(per_minute=3)}
    try:
        talk = Conversation(provider, Retry(), clock=lambda: NOW)
        two = replace(PAY, units=2)
        assert Played(talk, two, 200).slept == []
        (wait,) = Played(talk, two, 200).slept
        assert 59 < wait <= 60
    finally:
        type(provider).rates = {}


def test_redirects_of_unsigned_reads_are_followed() -> None:
    """A picture's host may redirect; the last answer counts."""
    unsigned = Request("GET", "http://cdn.test/a?x=1", "generation.fetch", signed=False)
    played = Played(conversation(), unsigned, (302, {"location": "/b?y=2"}), 200)
    assert [request.url_with_query for request in played.sent] == ["http://cdn.test/a?x=1", "http://cdn.test/b?y=2"]


def test_redirects_of_signed_requests_are_not_followed() -> None:
    """A signed request never leaves its origin; the redirect is an answer like any other."""
    played = Played(conversation(), READ, (302, {"location": "http://elsewhere.test/"}))
    assert len(played.sent) == 1


def test_endless_redirects_end() -> None:
    """A circle of redirects is given up."""
    unsigned = Request("GET", "http://cdn.test/a", "generation.fetch", signed=False)
    played = Played(conversation(), unsigned, *[(302, {"location": "/a"})] * 6)
    assert isinstance(played.error, ApiError)


def test_the_observer_hears_of_attempts_and_pauses_without_secrets() -> None:
    """Each attempt and each pause is an event; signatures are hidden in its URL."""
    heard: list[Any] = []
    request = Request("GET", f"{URL}/x", "training.poll", query={"X-Amz-Signature": "s3cr3t", "id": "7"})
    Played(conversation(observer=heard.append), request, 500, 200)
    assert [type(event) for event in heard] == [RequestFinished, RetryScheduled, RequestFinished]
    assert [event.status for event in heard if isinstance(event, RequestFinished)] == [500, 200]
    assert "s3cr3t" not in repr(heard)
    assert "id=7" in heard[0].url


def run_flow(flow: Flow[Any], *contents: bytes) -> Any:
    workflow = conversation().run(flow)
    action: Any = next(workflow)
    try:
        for content in contents:
            action = workflow.send(answer(action, content=content))
    except StopIteration as stop:
        return stop.value
    raise AssertionError("the flow wants more")


def test_an_unreadable_acceptance_of_a_paid_request_is_uncertain() -> None:
    """A 200 whose body can't be read may well have been billed."""

    def flow(provider: Plain) -> Flow[Any]:
        return (yield provider.post("/x", "training.start", {}, effect=Effect.PAY)).json()

    with pytest.raises(SubmissionUncertain):
        run_flow(flow(plain()), b'{"id": ')


def test_an_unreadable_answer_to_a_read_is_malformed() -> None:
    """A read whose body can't be read is told with vendor, operation and an excerpt."""

    def flow(provider: Plain) -> Flow[Any]:
        return (yield provider.get("/x", "training.poll")).json()

    with pytest.raises(MalformedResponse, match=r"plain training.poll: expected JSON, got 6 bytes"):
        run_flow(flow(plain()), b"<html>")


def test_a_flow_may_deal_with_a_refusal() -> None:
    """A refusal is thrown into the flow, which may go on."""

    def flow(provider: Plain) -> Flow[str]:
        try:
            yield provider.get("/x", "training.attach")
        except InvalidRequest:
            return "done already"
        return "new"

    workflow = conversation().run(flow(plain()))
    request: Any = next(workflow)
    with pytest.raises(StopIteration) as stop:
        workflow.send(answer(request, 400))
    assert stop.value.value == "done already"


def test_a_flow_is_closed_when_its_driver_stops() -> None:
    """Closing a workflow closes the provider's flow inside it."""
    closed = []

    def flow(provider: Plain) -> Flow[None]:
        try:
            yield provider.get("/x", "training.poll")
        finally:
            closed.append(True)

    workflow = conversation().run(flow(plain()))
    next(workflow)
    workflow.close()
    assert closed == [True]
