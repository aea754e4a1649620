"""Everything that can go wrong, one class for each reaction of the caller.

UnifiedTrainError
├─ ConfigurationError          yours to fix, before any request
│  ├─ ProviderNotFound         no such vendor here; lists those installed
│  ├─ PluginError              a plugin is broken, too old, or two claim one slug
│  ├─ MissingCredentials       names the variable to set
│  ├─ JournalError             the journal can't be read or written, so nothing is submitted
│  ├─ InvalidOptions           a request that no vendor could take
│  └─ UnsupportedCapability    a request that this vendor can't take
├─ DatasetError                which image, which rule
├─ TransportError              no answer; `.sent` tells whether anything may have left
│  └─ TransportTimeout
├─ ApiError                    an answer, and it is no
│  ├─ AuthenticationError      wrong, missing or expired credentials
│  ├─ PermissionDenied         good credentials, but not for this
│  ├─ InsufficientFunds        pay, then try again
│  ├─ QuotaExceeded            a plan's ceiling; never retried
│  ├─ NotFound                 no such job, model or image
│  ├─ InvalidRequest           the vendor refuses the arguments
│  ├─ ContentRejected          the vendor's content rules refuse prompt or image
│  ├─ RateLimited              slow down; `.retry_after`
│  ├─ OperationRetired         the vendor no longer offers this operation
│  ├─ ProviderUnavailable      the vendor's fault; try later
│  └─ MalformedResponse        an answer that is not what the documentation promises
├─ SubmissionUncertain         a paid request may or may not have been accepted
└─ JobError                    carries the job
   ├─ JobFailed
   ├─ JobCanceled
   └─ WaitTimeout              the job still runs; wait again
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from unified_train import redact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unified_train.models import Job


class UnifiedTrainError(Exception):
    """The root of all errors that this library raises on purpose; the message is one sentence and a remedy."""

    def __init__(self, message: str) -> None:
        super().__init__(redact.text(message))

    @property
    def message(self) -> str:
        """The sentence, without secrets."""
        return str(self.args[0])


class ConfigurationError(UnifiedTrainError):
    """Something in the set-up or the request must be changed; nothing was sent."""


class ProviderNotFound(ConfigurationError):
    """No installed plugin has this slug."""


class PluginError(ConfigurationError):
    """An installed plugin can't be used; the message names it and says why."""


class MissingCredentials(ConfigurationError):
    """A credential is not set; the message names the environment variable."""


class JournalError(ConfigurationError):
    """The journal is full, locked, damaged or no journal; nothing is submitted without it, and it was left as it is."""


class InvalidOptions(ConfigurationError):
    """A request is wrong in itself, whichever vendor it goes to."""


class UnsupportedCapability(ConfigurationError):
    """The vendor offers no way to do what was asked."""


class DatasetError(UnifiedTrainError):
    """An image, caption or folder can't be used; the message names the file and the rule."""


class TransportError(UnifiedTrainError):
    """There was no answer.

    Attributes:
        sent: False only if surely nothing reached the vendor (name look-up, connecting or TLS failed).
        operation: What was asked, such as `training.start`.
    """

    def __init__(self, message: str, *, sent: bool, operation: str = "") -> None:
        super().__init__(message)
        self.sent = sent
        self.operation = operation


class TransportTimeout(TransportError):
    """The answer did not come in time."""


class ApiError(UnifiedTrainError):
    """The vendor answered, and the answer is no.

    Attributes:
        provider: Slug of the vendor.
        operation: What was asked, such as `training.start`.
        http_status: Status of the answer; 200 is possible, since some vendors fail inside a success.
        code: The vendor's own word for it, if there is one.
        request_id: The vendor's id for its support desk, if there is one.
        retryable: Whether the same request may succeed later without a change.
        retry_after: Seconds to wait before that, if the vendor said so.
    """

    retryable_by_default = False

    def __init__(
        self,
        message: str,
        *,
        provider: str = "",
        operation: str = "",
        http_status: int = 0,
        code: str | None = None,
        request_id: str | None = None,
        retryable: bool | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.provider = provider
        self.operation = operation
        self.http_status = http_status
        self.code = code
        self.request_id = request_id
        self.retryable = self.retryable_by_default if retryable is None else retryable
        self.retry_after = retry_after

    def __str__(self) -> str:
        where = " ".join(filter(None, [self.provider, self.operation]))
        facts = [f"HTTP {self.http_status}" if self.http_status else "", self.code or ""]
        told = ", ".join(filter(None, facts))
        return f"{where}: {self.message}" + (f" ({told})" if told else "") if where else self.message


class AuthenticationError(ApiError):
    """The credentials are wrong, missing or expired."""


class PermissionDenied(ApiError):
    """The credentials are good, but do not allow this."""


class InsufficientFunds(ApiError):
    """The account's balance does not cover it."""


class QuotaExceeded(ApiError):
    """The account's plan has a ceiling; waiting does not help."""


class NotFound(ApiError):
    """The vendor knows no such job, model or image."""


class InvalidRequest(ApiError):
    """The vendor refuses the arguments."""


class ContentRejected(ApiError):
    """The vendor's content rules refuse the prompt or an image."""


class RateLimited(ApiError):
    """Too many requests for now."""

    retryable_by_default = True


class OperationRetired(ApiError):
    """The vendor no longer offers this operation."""


class ProviderUnavailable(ApiError):
    """The vendor has a fault or is overloaded."""

    retryable_by_default = True


class MalformedResponse(ApiError):
    """The answer can't be read as what the vendor's documentation promises."""


class SubmissionUncertain(UnifiedTrainError):
    """A request that creates or bills may or may not have been accepted; it was not repeated.

    Attributes:
        provider: Slug of the vendor.
        operation: The step in doubt, such as `training.start`.
        key: Of the call in the journal; None without one.
    """

    def __init__(self, message: str, *, provider: str, operation: str, key: str | None = None) -> None:
        super().__init__(message)
        self.provider = provider
        self.operation = operation
        self.key = key


class JobError(UnifiedTrainError):
    """Something about one job; `.job` is its last known state."""

    def __init__(self, message: str, *, job: Job) -> None:
        super().__init__(message)
        self.job = job


class JobFailed(JobError):
    """The vendor ended the job without a result."""


class JobCanceled(JobError):
    """The job was canceled."""


class WaitTimeout(JobError, TimeoutError):
    """The local deadline passed while jobs still ran at the vendor; nothing was canceled, wait again.

    Attributes:
        jobs: Every job that was waited for, in its last known state.
    """

    def __init__(self, message: str, *, job: Job, jobs: Sequence[Job]) -> None:
        super().__init__(message, job=job)
        self.jobs = tuple(jobs)


class UnifiedTrainWarning(UserWarning):
    """Something was sent otherwise than it was asked for, or will not do what was probably meant."""
