"""Handlers between a provider's flow and the engine: sign, refuse, retry, observe.

Each handler is a workflow from a `Request` to a `Response`, written once for both colours. From the inside out:
transmit, observe, follow redirects, sign, refuse, retry.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from unified_train import redact
from unified_train.addresses import Addresses, redirected
from unified_train.errors import (
    ApiError,
    ConfigurationError,
    MalformedResponse,
    ProviderUnavailable,
    RateLimited,
    SubmissionUncertain,
    TransportError,
)
from unified_train.flow import Flow, Workflow, sleep, transmit
from unified_train.http import SUBMISSION_SECONDS, Effect, Moment, Request, Response, origin
from unified_train.limiter import Limiter
from unified_train.provider import error_class

if TYPE_CHECKING:
    from collections.abc import Sequence

    import tenacity

    from unified_train.events import Event, Observer
    from unified_train.flow import Permit
    from unified_train.models import Job
    from unified_train.provider import AnyProvider

R = TypeVar("R")
Handler: TypeAlias = Callable[[Request], Workflow[Response]]

_REFUSED_BEFORE_ACCEPTANCE = {429, 503}
_AMBIGUOUS_FROM = 500
_REDIRECTS = {301, 302, 303, 307, 308}
_MAX_REDIRECTS = 5
_GIVEN = "image.fetch"
"""The operation whose URL is not a vendor's but the user's."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and how patiently a request is repeated, where repeating is allowed at all.

    Attributes:
        attempts: In all.
        first: Seconds before the second attempt; doubled each time, with jitter.
        longest: Seconds between attempts at most; a vendor's own `Retry-After` beyond it ends the retrying.
        grace: Seconds after which a submission that no list shows counts as never accepted, and is sent once more; None
            for what the vendor's lags come to. A shorter one can pay twice.
    """

    attempts: int = 4
    first: float = 0.5
    longest: float = 30.0
    grace: float | None = None


class Conversation:
    """Everything that the requests of one client to one vendor share: retries, rate limits, the vendor's clock.

    Args:
        provider: The vendor.
        retry: How often requests are repeated.
        observer: Told of every attempt.
        pace: Whether the vendor's published rates are kept.
        clock: Our time, aware.
        addresses: Says which are private.
    """

    def __init__(
        self,
        provider: AnyProvider,
        retry: Retry,
        observer: Observer | None = None,
        *,
        pace: bool = True,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        addresses: Addresses | None = None,
    ) -> None:
        self.provider = provider
        self.retry = retry
        self._observer = observer
        self._clock = clock
        self._addresses = addresses or Addresses()
        self._skew = timedelta()
        self._heard: tuple[str, datetime] | None = None
        self._limiter = Limiter(provider.rates if pace else {})

    def now(self) -> datetime:
        """Our time."""
        return self._clock()

    @property
    def offset(self) -> timedelta | None:
        """How far the vendor's clock is ahead of ours, by its last answer; None if none told."""
        text, at = self._heard or ("", self._clock())
        date = _date(text)
        return None if date is None else date - at

    @property
    def grace(self) -> float:
        """Seconds after its entry in the journal at which a request that can't be found was surely never accepted."""
        lags = self.provider.acceptance_lag + self.provider.listing_lag
        return SUBMISSION_SECONDS + lags if self.retry.grace is None else self.retry.grace

    def moment(self) -> Moment:
        """The vendor's time, as far as we know it, and a nonce."""
        return Moment(self._clock() + self._skew, token_hex(16))

    def run(self, flow: Flow[R], handler: Handler | None = None) -> Workflow[R]:
        """Run a provider's flow, passing every request that it yields through the handlers.

        Args:
            flow: Not begun yet.
            handler: What is asked for the answer to a request; `send` unless there is a journal between.

        Raises:
            ApiError: The vendor refused and the flow did not deal with it; names provider and operation.
            TransportError: There was no answer.
            SubmissionUncertain: A request that creates or bills may have been accepted.
        """
        request: Request | None = None
        handle = handler or self.send
        try:
            request = next(flow)
            while True:
                try:
                    response = yield from handle(request)
                except Exception as error:  # noqa: BLE001 - every failure is the flow's to see first
                    request = flow.throw(error)
                else:
                    request = flow.send(response)
        except StopIteration as stop:
            result: R = stop.value
            return result
        except ApiError as error:
            error.provider = error.provider or self.provider.slug
            if isinstance(error, MalformedResponse) and request is not None:
                raise self._certain(request, error) from None
            raise
        finally:
            flow.close()

    def send(self, request: Request, permit: Permit | None = None) -> Workflow[Response]:
        """Send one request with all the handlers, and return an accepted answer; each attempt needs the permit."""
        base = self.provider.base_url
        if request.signed and not request.url.startswith(f"{base}/") and request.origin != origin(base):
            raise ConfigurationError(
                f"{request.operation}: a signed request may go only to {origin(base)},"
                f" not to {request.origin}; this is a mistake in the plugin {self.provider.slug}"
            )
        try:
            return (yield from self._attempt(request, 1, permit))
        except (ApiError, TransportError) as error:
            failed = error
        return (yield from self._retried(request, permit, failed))

    def _retried(
        self, request: Request, permit: Permit | None, failed: ApiError | TransportError
    ) -> Workflow[Response]:
        """Decide on a first attempt that failed, and make further ones; most requests never come here."""
        import tenacity

        controller = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self.retry.attempts),
            wait=self._wait,
            retry=self._worth_repeating,
            reraise=True,
        )
        controller.begin()
        state = tenacity.RetryCallState(controller, fn=None, args=(request,), kwargs={})
        state.set_exception((type(failed), failed, failed.__traceback__))
        while True:
            try:
                decision = controller.iter(state)
            except (ApiError, TransportError) as error:
                raise self._certain(request, error) from None
            if isinstance(decision, tenacity.DoAttempt):
                yield from self._record_attempt(request, state, permit)
            elif isinstance(decision, tenacity.DoSleep):
                self._tell_retry(request, state, float(decision))
                state.prepare_for_next_attempt()
                yield from sleep(float(decision))
            else:
                response: Response = decision
                return response

    def _record_attempt(
        self, request: Request, state: tenacity.RetryCallState, permit: Permit | None
    ) -> Workflow[None]:
        try:
            response = yield from self._attempt(request, state.attempt_number, permit)
        except (ApiError, TransportError) as error:
            state.set_exception((type(error), error, error.__traceback__))
        else:
            state.set_result(response)

    def _attempt(self, request: Request, number: int, permit: Permit | None) -> Workflow[Response]:
        started = time.monotonic()
        status: int | None = None
        failed: str | None = None
        try:
            delay = self._limiter.reserve(request.operation, request.units)
            if delay > 0:
                yield from sleep(delay)
            response = yield from self._followed(self._signed(request), permit)
            if request.signed:
                self._heard = response.headers.get("date", ""), self._clock()
            refusal = self._refusal(request, response)
            if refusal is not None and self._learns_time(refusal, response):
                response = yield from self._followed(self._signed(request), permit)
                refusal = self._refusal(request, response)
            status = response.status
            if refusal is not None:
                raise refusal
        except (ApiError, TransportError) as error:
            failed = type(error).__name__
            raise
        else:
            return response
        finally:
            if self._observer is not None:
                from unified_train.events import RequestFinished

                self.tell(
                    RequestFinished(
                        provider=self.provider.slug,
                        operation=request.operation,
                        method=request.method,
                        url=redact.url(request.url_with_query),
                        effect=request.effect,
                        attempt=number,
                        seconds=time.monotonic() - started,
                        status=status,
                        error=failed,
                    )
                )

    def _signed(self, request: Request) -> Request:
        if not request.signed:
            return request
        return self.provider.sign(request, self.moment())

    def _learns_time(self, refusal: ApiError, response: Response) -> bool:
        """Whether our clock was refused and the server says its own; it counts from now on."""
        if not self.provider.clock_is_wrong(refusal):
            return False
        date = _date(response.headers.get("date"))
        if date is None:
            return False
        self._skew = date - self._clock()
        return True

    def _followed(self, request: Request, permit: Permit | None = None) -> Workflow[Response]:
        """Follow redirects of unsigned reads; a signed request never leaves its origin.

        An unsigned read goes where an answer says, so that it is looked at first. What the user chose is trusted: the
        vendor's address, and a URL that was given (of which only redirects are looked at).
        """
        free = not request.signed and request.effect is Effect.READ
        trusted = [self.provider.base_url]
        if request.operation == _GIVEN:
            trusted.append(request.url)
        elif free:
            yield from self._check_way(request, request.url, trusted)
        response = yield from transmit(request, permit)
        for _ in range(_MAX_REDIRECTS):
            target = response.headers.get("location")
            if not free or response.status not in _REDIRECTS or not target:
                break
            url = redirected(request.url_with_query, target)
            yield from self._check_way(request, url, trusted, before=request.url)
            request = replace(request, url=url, query={})
            response = yield from transmit(request)
        return response

    def _check_way(
        self, request: Request, url: str, trusted: Sequence[str], before: str | None = None
    ) -> Workflow[None]:
        """Refuse to go to private addresses and from https to http; it is the answer that is wrong, so it says so."""
        objection = yield from self._addresses.objection(url, trusted=trusted, before=before)
        if objection is None:
            return
        remedy = "give the URL where it ends" if request.operation == _GIVEN else f"tell {self.provider.title}"
        raise MalformedResponse(
            f"{'a redirect' if before else 'a URL in an answer'} leads to {objection}; it was not followed, {remedy}",
            provider=self.provider.slug,
            operation=request.operation,
        )

    def _refusal(self, request: Request, response: Response) -> ApiError | None:
        error: ApiError | None
        if request.signed:
            error = self.provider.refusal(response)
        elif response.ok:
            error = None
        else:
            error = error_class(response.status)(response.excerpt or "no reason given", http_status=response.status)
        if error is None:
            return None
        error.provider = error.provider or self.provider.slug
        error.operation = error.operation or request.operation
        error.http_status = error.http_status or response.status
        if error.retry_after is None:
            error.retry_after = retry_after(response, self._clock())
        return error

    def _certain(self, request: Request, error: ApiError | TransportError) -> Exception:
        """The error to raise: itself, or `SubmissionUncertain` where it leaves open whether the request counted."""
        if request.idempotent or not _ambiguous(error):
            return error
        danger = "could be billed twice" if request.effect is Effect.PAY else "would leave a second one"
        return SubmissionUncertain(
            f"{self.provider.slug} {request.operation}: {error}; it may or may not have been accepted, and was not"
            f" repeated, since that {danger}."
            f" Look at {self.provider.title}'s own list before trying again.",
            provider=self.provider.slug,
            operation=request.operation,
        )

    def _worth_repeating(self, state: tenacity.RetryCallState) -> bool:
        """Design rule: a read on any passing fault; what creates or bills only if surely not counted."""
        error = state.outcome.exception() if state.outcome else None
        request: Request = state.args[0]
        if isinstance(error, TransportError):
            return request.idempotent or not error.sent
        if not isinstance(error, ApiError) or not error.retryable:
            return False
        return (error.retry_after or 0) <= self.retry.longest and (request.idempotent or not _ambiguous(error))

    def _wait(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, ApiError) and error.retry_after is not None:
            return error.retry_after
        grown = min(self.retry.longest, self.retry.first * 2.0 ** (state.attempt_number - 1))
        return grown * random.uniform(0.75, 1.25)  # noqa: S311 - jitter, not a secret

    def _tell_retry(self, request: Request, state: tenacity.RetryCallState, delay: float) -> None:
        from unified_train.events import RetryScheduled

        error = state.outcome.exception() if state.outcome else None
        name = type(error).__name__
        self.tell(RetryScheduled(self.provider.slug, request.operation, state.attempt_number, delay, name))

    def changed(self, job: Job) -> None:
        """Tell the observer, if there is one, of a job that was started or seen in another state."""
        if self._observer is not None:
            from unified_train.events import JobChanged

            self.tell(JobChanged(job))

    def tell(self, event: Event) -> None:
        """Hand an event to the observer, if there is one; its mistakes are logged, since they must not lose a job."""
        if self._observer is None:
            return
        try:
            self._observer(event)
        except Exception:
            import logging

            logging.getLogger("unified_train").exception("the observer failed on %s", type(event).__name__)


def _ambiguous(error: ApiError | TransportError) -> bool:
    if isinstance(error, TransportError):
        return error.sent
    if error.http_status in _REFUSED_BEFORE_ACCEPTANCE or isinstance(error, RateLimited):
        return False
    return isinstance(error, ProviderUnavailable | MalformedResponse) or error.http_status >= _AMBIGUOUS_FROM


def retry_after(response: Response, now: datetime) -> float | None:
    """Seconds that an answer asks to wait: `retry-after-ms`, or `Retry-After` as seconds or as a date."""
    milliseconds = _number(response.headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    text = response.headers.get("retry-after")
    seconds = _number(text)
    if seconds is not None or text is None:
        return seconds
    date = _date(text)
    return None if date is None else max(0.0, (date - now).total_seconds())


def _date(text: str | None) -> datetime | None:
    """An HTTP date, aware; None for anything else."""
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(text or "").astimezone(UTC)
    except ValueError:
        return None


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else None
    except ValueError:
        return None
    return value if value is not None and 0 <= value < float("inf") else None
