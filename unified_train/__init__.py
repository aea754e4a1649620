"""One interface over the vendors that train custom image models and generate with them.

>>> from unified_train import Client, Dataset, TrainingRequest
>>> with Client("novita") as client:  # doctest: +SKIP
...     photos = Dataset.from_folder("photos", trigger="ohwx", class_word="cat")
...     training = client.wait(client.train(TrainingRequest(name="my-cat", dataset=photos)))
...     pictures = client.wait(client.generate(training, "a photo of {subject} in the snow"))
...     client.download(pictures, "out")

Names are loaded when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unified_train.client import AsyncClient as AsyncClient
    from unified_train.client import Client as Client
    from unified_train.config import Config as Config
    from unified_train.config import Origin as Origin
    from unified_train.dataset import Dataset as Dataset
    from unified_train.dataset import UploadedImage as UploadedImage
    from unified_train.errors import *  # noqa: F403 - the whole tree is public
    from unified_train.events import Event as Event
    from unified_train.events import JobChanged as JobChanged
    from unified_train.events import RequestFinished as RequestFinished
    from unified_train.events import RetryScheduled as RetryScheduled
    from unified_train.events import SubmissionReconciled as SubmissionReconciled
    from unified_train.finding import Found as Found
    from unified_train.finding import Lost as Lost
    from unified_train.flow import Flow as Flow
    from unified_train.hookspecs import hookimpl as hookimpl
    from unified_train.hosting import HostedImage as HostedImage
    from unified_train.hosting import ImageHost as ImageHost
    from unified_train.http import Base64 as Base64
    from unified_train.http import Body as Body
    from unified_train.http import BytesBody as BytesBody
    from unified_train.http import Effect as Effect
    from unified_train.http import FileBody as FileBody
    from unified_train.http import JsonBody as JsonBody
    from unified_train.http import Moment as Moment
    from unified_train.http import Request as Request
    from unified_train.http import Response as Response
    from unified_train.http import escaped as escaped
    from unified_train.http import origin as origin
    from unified_train.images import Image as Image
    from unified_train.intents import Intent as Intent
    from unified_train.intents import Step as Step
    from unified_train.journal import Journal as Journal
    from unified_train.limiter import Rate as Rate
    from unified_train.models import Change as Change
    from unified_train.models import Cost as Cost
    from unified_train.models import Failure as Failure
    from unified_train.models import GeneratedImage as GeneratedImage
    from unified_train.models import GenerationRequest as GenerationRequest
    from unified_train.models import Job as Job
    from unified_train.models import JobKind as JobKind
    from unified_train.models import Snapshot as Snapshot
    from unified_train.models import TrainedModel as TrainedModel
    from unified_train.models import TrainingRequest as TrainingRequest
    from unified_train.policy import Retry as Retry
    from unified_train.polling import Polling as Polling
    from unified_train.provider import CONTRACT as CONTRACT
    from unified_train.provider import AnyProvider as AnyProvider
    from unified_train.provider import Capabilities as Capabilities
    from unified_train.provider import GenerationCapabilities as GenerationCapabilities
    from unified_train.provider import ImageRules as ImageRules
    from unified_train.provider import Options as Options
    from unified_train.provider import Provider as Provider
    from unified_train.provider import Range as Range
    from unified_train.provider import Settings as Settings
    from unified_train.provider import TrainingCapabilities as TrainingCapabilities
    from unified_train.provider import Wire as Wire
    from unified_train.provider import check_image as check_image
    from unified_train.provider import error_class as error_class
    from unified_train.provider import later as later
    from unified_train.refusals import ErrorTable as ErrorTable
    from unified_train.refusals import Refusal as Refusal
    from unified_train.status import Status as Status
    from unified_train.status import StatusTable as StatusTable
    from unified_train.status import Word as Word
    from unified_train.submitting import Resumed as Resumed

__version__ = "0.1.0"

_HOMES = {
    "client": "AsyncClient Client",
    "config": "Config Origin",
    "dataset": "Dataset UploadedImage",
    "errors": (
        "ApiError AuthenticationError ConfigurationError ContentRejected DatasetError InsufficientFunds InvalidOptions"
        " InvalidRequest JobCanceled JobError JobFailed JournalError MalformedResponse MissingCredentials NotFound"
        " OperationRetired PermissionDenied PluginError ProviderNotFound ProviderUnavailable QuotaExceeded RateLimited"
        " SubmissionUncertain TransportError TransportTimeout UnifiedTrainError UnifiedTrainWarning"
        " UnsupportedCapability WaitTimeout"
    ),
    "events": "Event JobChanged RequestFinished RetryScheduled SubmissionReconciled",
    "finding": "Found Lost",
    "flow": "Flow",
    "hosting": "HostedImage ImageHost",
    "hookspecs": "hookimpl",
    "http": "Base64 Body BytesBody Effect FileBody JsonBody Moment Request Response escaped origin",
    "images": "Image",
    "models": (
        "Change Cost Failure GeneratedImage GenerationRequest Job JobKind Snapshot TrainedModel TrainingRequest"
    ),
    "intents": "Intent Step",
    "journal": "Journal",
    "limiter": "Rate",
    "policy": "Retry",
    "polling": "Polling",
    "provider": (
        "AnyProvider CONTRACT Capabilities GenerationCapabilities ImageRules Options Provider Range Settings"
        " TrainingCapabilities Wire check_image error_class later"
    ),
    "refusals": "ErrorTable Refusal",
    "status": "Status StatusTable Word",
    "submitting": "Resumed",
}
_HOME = {name: module for module, names in _HOMES.items() for name in names.split()}

# One table names them all; the type checkers take the names from the imports above.
__all__ = ["__version__", *sorted(_HOME)]  # noqa: PLE0604  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'unified_train' has no attribute {name!r}")
    value = getattr(import_module(f"unified_train.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
