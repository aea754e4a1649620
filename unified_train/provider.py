"""What a plugin subclasses: one class per vendor, whose operations are flows that do no I/O.

A flow is a generator. It yields a `Request`, receives the `Response` of an accepted one (a refusal is raised into it
as the `ApiError` that `Provider.refusal` made of it), and returns what the vendor said in neutral words.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, NoReturn, Self, TypeVar

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from unified_train.errors import (
    ApiError,
    AuthenticationError,
    DatasetError,
    InvalidRequest,
    MalformedResponse,
    MissingCredentials,
    NotFound,
    PermissionDenied,
    PluginError,
    ProviderUnavailable,
    RateLimited,
    UnsupportedCapability,
)
from unified_train.http import Effect, JsonBody, Moment, Request, Response
from unified_train.limiter import Rate
from unified_train.records import BUILT_LATE, Asked, Record, sentence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from unified_train.dataset import UploadedImage
    from unified_train.finding import Found, Lost
    from unified_train.flow import Flow
    from unified_train.images import Image
    from unified_train.models import (
        Cost,
        GeneratedImage,
        GenerationRequest,
        Job,
        JobKind,
        Snapshot,
        TrainedModel,
        TrainingRequest,
    )
    from unified_train.refusals import ErrorTable
    from unified_train.status import StatusTable

CONTRACT = 1
"""Version of what this module asks of plugins; a plugin states the one that it was written for."""


class Range(Record):
    """What values of a neutral option a vendor takes; all None means that it takes the option as it is.

    Attributes:
        minimum: Inclusive.
        maximum: Inclusive.
        step: The value is a multiple of it.
    """

    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None

    def admits(self, value: float) -> bool:
        """Whether the vendor takes the value."""
        low = self.minimum is None or value >= self.minimum
        high = self.maximum is None or value <= self.maximum
        return low and high and (not self.step or value % self.step == 0)

    def __str__(self) -> str:
        low, high = _number(self.minimum), _number(self.maximum)
        span = f"{low}–{high}" if low and high else f"≥ {low}" if low else f"≤ {high}" if high else ""
        step = f"multiples of {_number(self.step)}" if self.step else ""
        return ", ".join(filter(None, [span, step])) or "any"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}" if abs(value) < 1e6 else f"{value:.0f}"  # noqa: PLR2004 - no exponents


class ImageRules(Record):
    """Which images a vendor takes.

    Attributes:
        media_types: Such as `image/png`.
        max_bytes: Per image.
        max_pixels: Width times height.
        minimum: Number of images.
        maximum: Number of images; None if the vendor names none.
        takes: `bytes`: we upload them; `url`: the vendor fetches them from a public URL.
        trained_at: Pixels of the shorter side at which its usual base model is trained; None if nobody tells.
    """

    media_types: frozenset[str]
    max_bytes: int | None = None
    max_pixels: int | None = None
    minimum: int = 1
    maximum: int | None = None
    takes: Literal["bytes", "url"] = "bytes"
    trained_at: int | None = None


class TrainingCapabilities(Record):
    """What a vendor can do when it trains.

    Attributes:
        kinds: Of `subject` and `style`.
        options: Neutral options it honours, of base_model, steps, learning_rate, rank, resolution and seed.
        captions: Whether it uses captions.
        inline_images: Whether `start` takes images that were not uploaded before.
        base_models: Those known; others are passed on, since vendors add some.
        default_base_model: Used when the request names none.
        cancel: Whether a running training can be canceled.
        list: Whether past trainings can be listed.
        progress: Whether it tells how far it is.
    """

    kinds: frozenset[Literal["subject", "style"]]
    options: dict[str, Range]
    captions: bool
    inline_images: bool = False
    base_models: tuple[str, ...] = ()
    default_base_model: str | None = None
    cancel: bool = False
    list: bool = False
    progress: bool = False


class GenerationCapabilities(Record):
    """What a vendor can do when it generates.

    Attributes:
        options: Neutral options it honours, of negative_prompt, width, height, seed, steps, guidance and strength.
        image: Rules for a picture to start from; None if it generates from text alone.
        references: Rules for pictures to be guided by; None if it takes none.
        max_per_call: Pictures in one call; more are split.
        max_prompt: Characters.
        needs_subject: Whether a prompt without `{subject}` leaves the trained model unused.
        cancel: Whether a running generation can be canceled.
        list: Whether past generations can be listed.
    """

    options: dict[str, Range]
    image: ImageRules | None = None
    references: ImageRules | None = None
    max_per_call: int
    max_prompt: int | None = None
    needs_subject: bool = False
    cancel: bool = False
    list: bool = False


class Capabilities(Record):
    """What a vendor can do; checked before the first request, and the source of the README's table.

    Attributes:
        images: For training.
        training: See `TrainingCapabilities`.
        generation: See `GenerationCapabilities`.
        export: Whether trained weights can be downloaded.
        cost: Whether jobs say what they cost.
        safety: Whether pictures say if the vendor's content check flagged them.
    """

    images: ImageRules
    training: TrainingCapabilities
    generation: GenerationCapabilities
    export: bool = False
    cost: bool = False
    safety: bool = False


class Settings(Asked):
    """A vendor's credentials and address.

    Subclasses add fields; `env` maps each field to the environment variables that it is read from, the vendor's own
    name first. Secrets are `SecretStr`.
    """

    env: ClassVar[Mapping[str, Sequence[str]]] = {}
    required: ClassVar[Sequence[str]] = ()

    base_url: str

    @classmethod
    def from_env(cls, environ: Mapping[str, str], **explicit: object) -> Self:
        """Read the environment; explicit values have the last word, and an empty variable counts as unset.

        Raises:
            MissingCredentials: A required field is set nowhere.
            InvalidOptions: A value can't be used.
        """
        values: dict[str, Any] = {}
        for field, names in cls.env.items():
            found = next((environ[name].strip() for name in names if environ.get(name, "").strip()), None)
            if found is not None:
                values[field] = found
        values |= {name: value for name, value in explicit.items() if value is not None}
        for field in cls.required:
            if not values.get(field):
                names = " or ".join(cls.env.get(field, [field]))
                raise MissingCredentials(f"no {field.replace('_', ' ')}: set the environment variable {names}")
        return cls(**values)

    def account(self) -> str:
        """What tells this account from others; kept by the journal as a hash only. All secrets, unless told better."""
        secrets = [value.get_secret_value() for _, value in self if isinstance(value, SecretStr)]
        return "\n".join(secrets)


class Options(Asked):
    """Vendor-only options, as users give them in `extra[slug]`."""


class Wire(BaseModel):
    """A part of a vendor's answer; unknown fields are ignored, since vendors add some."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", populate_by_name=True, hide_input_in_errors=True, defer_build=BUILT_LATE
    )

    @classmethod
    def parse(cls, response: Response) -> Self:
        """Read an answer's JSON body.

        Raises:
            MalformedResponse: It is not JSON, or not of this form.
        """
        return cls.read(response.json(), response)

    @classmethod
    def read(cls, value: object, response: Response) -> Self:
        """Read a part of an answer.

        Raises:
            MalformedResponse: It is not of this form.
        """
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            raise response.malformed(f"not what the documentation promises ({sentence(cls, error)})") from None


def later(module: str, name: str) -> Any:
    """A class attribute of a provider that is imported when it is first asked for.

    For options that need pydantic models of their own: whoever only polls never loads them.

    Args:
        module: Of the plugin, such as `unified_train_echo.options`.
        name: What to take from it.

    Raises:
        PluginError: When it is asked for, and can't be loaded.
    """
    return _Later(module, name)


class _Later:
    def __init__(self, module: str, name: str) -> None:
        self._module = module
        self._name = name

    def __get__(self, instance: object, owner: type) -> Any:
        try:
            return getattr(import_module(self._module), self._name)
        except Exception as error:
            raise PluginError(
                f"{self._name} of {owner.__module__} can't be loaded ({type(error).__name__}: {error});"
                " this is a mistake in the plugin, or in what it needs"
            ) from error


S_co = TypeVar("S_co", bound=Settings, covariant=True)
T = TypeVar("T", bound=Options)
G = TypeVar("G", bound=Options)

_JOBS_PER_PAGE = 20
"""So many single polls are worth one page more of a list."""


class Provider(ABC, Generic[S_co, T, G]):
    """One vendor. Type parameters: its settings, its options for training, its options for generation.

    Attributes:
        slug: Its name in references, config and `extra`; lower case.
        title: Its name for people.
        contract: The `CONTRACT` that the plugin was written for.
        capabilities: What it can do.
        Settings: Class of its settings.
        TrainingOptions: Class of `extra[slug]` of a training.
        GenerationOptions: Class of `extra[slug]` of a generation.
        poll_floor: Seconds between polls of one job, at least.
        lists: Kinds of jobs of which `poll_many` can tell.
        rates: The vendor's published limits by operation; a request's `units` count.
        acceptance_lag: Seconds that a request may still travel at the vendor before it is accepted, after we have given
            it up; say beside the figure where it comes from.
        listing_lag: Seconds until what was accepted is sure to be seen by `find`.
        price_by: What is done at the vendor to ask for a price, such as `a dry run`; None if it can't be asked.
        status_tables: What its status words mean.
        error_tables: What its error words mean.
    """

    slug: ClassVar[str]
    title: ClassVar[str]
    contract: ClassVar[int]
    capabilities: ClassVar[Capabilities]
    Settings: ClassVar[type[Settings]]
    TrainingOptions: ClassVar[type[Options]]
    GenerationOptions: ClassVar[type[Options]]
    poll_floor: ClassVar[float] = 1.0
    lists: ClassVar[frozenset[JobKind]] = frozenset()
    rates: ClassVar[Mapping[str, Rate]] = {}
    acceptance_lag: ClassVar[float] = 60.0
    listing_lag: ClassVar[float] = 60.0
    price_by: ClassVar[str | None] = None
    status_tables: ClassVar[Sequence[StatusTable]] = ()
    error_tables: ClassVar[Sequence[ErrorTable]] = ()

    def __init__(self, settings: S_co) -> None:
        self.settings: S_co = settings

    @property
    def base_url(self) -> str:
        """Where its API is, without a slash at the end."""
        return self.settings.base_url.rstrip("/")

    # -- requests and answers ------------------------------------------------------------------------------------------

    @abstractmethod
    def sign(self, request: Request, moment: Moment) -> Request:
        """Add the credentials; called once per attempt, only for requests to the vendor's own origin."""

    @abstractmethod
    def refusal(self, response: Response) -> ApiError | None:
        """The error that an answer means, or None if it is an acceptance; a 2xx may well be a refusal.

        `provider` and `operation` are filled in by the caller.
        """

    def clock_is_wrong(self, error: ApiError) -> bool:  # noqa: ARG002 - most vendors take no notice of the time
        """Whether an answer was refused because of our clock; it is then repeated once with the server's time."""
        return False

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> tuple[JobKind, Snapshot]:  # noqa: ARG002
        """Which job a webhook is about, and what it says; no more than a hint unless the vendor signs it.

        Raises:
            UnsupportedCapability: The vendor sends none.
            MalformedResponse: It is not what the documentation promises; see `bad_webhook`.
        """
        raise UnsupportedCapability(f"{self.title} sends no webhooks; poll instead")

    def bad_webhook(self, why: str) -> MalformedResponse:
        """An error to raise from `read_webhook`."""
        return MalformedResponse(f"this is no webhook of {self.title}: {why}", provider=self.slug, operation="webhook")

    def get(self, path: str, operation: str, *, query: Mapping[str, str] | None = None) -> Request:
        """A signed GET of a path below `base_url`."""
        return Request("GET", self.base_url + path, operation, query=query or {})

    def post(
        self, path: str, operation: str, body: object, *, effect: Effect, query: Mapping[str, str] | None = None
    ) -> Request:
        """A signed POST of JSON to a path below `base_url`."""
        return Request("POST", self.base_url + path, operation, query=query or {}, body=JsonBody(body), effect=effect)

    def put(
        self, path: str, operation: str, body: object, *, effect: Effect, query: Mapping[str, str] | None = None
    ) -> Request:
        """A signed PUT of JSON to a path below `base_url`."""
        return Request("PUT", self.base_url + path, operation, query=query or {}, body=JsonBody(body), effect=effect)

    # -- checks before the first request -------------------------------------------------------------------------------

    def check_image(self, image: Image) -> None:
        """Raise a `DatasetError` for an image that the vendor won't take; by default by `capabilities.images`."""
        check_image(image, self.capabilities.images, self.title)

    def check_training(self, request: TrainingRequest, options: T) -> None:
        """Raise for a training that the vendor would refuse, beyond what the capabilities say."""

    def check_generation(self, model: TrainedModel, request: GenerationRequest, options: G) -> None:
        """Raise for a generation that the vendor would refuse, beyond what the capabilities say."""

    # -- operations ----------------------------------------------------------------------------------------------------

    @abstractmethod
    def upload(self, image: Image) -> Flow[UploadedImage]:
        """Bring one image to the vendor. It passed `check_image`, and is local unless `takes` is `url`."""

    @abstractmethod
    def start(self, request: TrainingRequest, options: T) -> Flow[Snapshot]:
        """Start a training on `request.dataset`, whose images are uploaded (or inline where capabilities allow).

        `request.base_model` is set if there is a default. The request that bills has `Effect.PAY`.
        """

    @abstractmethod
    def generate(self, model: TrainedModel, request: GenerationRequest, options: G) -> Flow[Snapshot]:
        """Start a generation; `{subject}` is replaced already and `request.n` is at most `max_per_call`."""

    @abstractmethod
    def poll(self, job: Job) -> Flow[Snapshot]:
        """Ask for a job's state, knowing only its reference at the least."""

    def poll_many(self, jobs: Sequence[Job]) -> Flow[Mapping[str, Snapshot]]:
        """What the vendor's list says of jobs of one kind, by their ids; only for kinds that are in `lists`.

        It serves to learn in few requests that there is no news of many jobs: one that it shows with another status,
        word or phase than is known is polled by itself, and so is one that is missing. Words and phases must therefore
        be those that `poll` gives. Read no further than until all are found, and no more than `pages(jobs)` pages.
        """
        return (yield from self._not_offered(f"list of {jobs[0].kind if jobs else 'job'}s to follow many by"))

    @staticmethod
    def pages(jobs: Sequence[Job]) -> int:
        """How many pages of a list may be read for jobs; beyond that, polling those not found yet is cheaper."""
        return 1 + len(jobs) // _JOBS_PER_PAGE

    @abstractmethod
    def fetch(self, job: Job, image: GeneratedImage) -> Flow[bytes]:
        """The bytes of one picture, from a URL asked for just now."""

    def cancel(self, job: Job) -> Flow[Snapshot]:
        """Ask the vendor to stop a job; its state may still be the old one."""
        return (yield from self._not_offered(f"canceling of {job.reference}"))

    def list_jobs(self, kind: JobKind) -> Flow[Sequence[Snapshot]]:
        """The account's jobs of a kind, newest first as far as the vendor sorts them."""
        return (yield from self._not_offered(f"listing of {kind}s"))

    def ping(self) -> Flow[None]:
        """One free read that shows whether the vendor can be reached with these credentials.

        Unless told better, the first page of the list of trainings, as far as the vendor has one.
        """
        listing = self.list_jobs("training")
        try:
            listing.send((yield next(listing)))
        except StopIteration:
            return
        finally:
            listing.close()

    def rehearsed(self, request: Request, before: Sequence[Request]) -> object:  # noqa: ARG002 - see below
        """What a plan takes for the JSON that answers a request which is not sent: as much as the flow reads of it.

        Ids that only the vendor can tell are made up in angle brackets, such as `<model>`. None, which it is unless
        told better, ends the plan at this request; that leaves out nothing if it is the last one.

        Args:
            request: A signed one, not sent.
            before: All requests of the plan before it.
        """
        return None

    def estimate_training(self, request: TrainingRequest) -> Flow[Cost | None]:  # noqa: ARG002 - most tell no price
        """What a training would cost, asked of the vendor without starting it; None if it does not tell.

        The images of the request need not be at the vendor. Say in `price_by` what asking does there.
        """
        yield from ()
        return None

    def estimate_generation(self, model: TrainedModel, request: GenerationRequest) -> Flow[Cost | None]:  # noqa: ARG002
        """What a generation of `request.n` pictures would cost, as `estimate_training`."""
        yield from ()
        return None

    def find(self, lost: Lost) -> Flow[Sequence[Found] | None]:  # noqa: ARG002 - most vendors have a list
        """What a request whose answer was lost has made, oldest first; none if nothing, as far as the vendor shows yet.

        None means that the vendor can't be asked: then nobody knows, and the request is never repeated.
        """
        yield from ()
        return None

    def same_job(self, one: str, other: str) -> bool:
        """Whether two ids are of one job; equal ones, unless an id may be known in part only."""
        return one == other

    def marked(self, request: GenerationRequest, marker: str) -> GenerationRequest:  # noqa: ARG002 - as above
        """A generation request with something in it by which `find` can tell it from all others, if that is possible.

        (The name of a training ends with the marker already.)
        """
        return request

    def subject(self, model: TrainedModel) -> str:
        """What `{subject}` in a prompt becomes: trigger and class word, unless the vendor has a token of its own."""
        return model.phrase

    def addresses_subject(self, model: TrainedModel, prompt: str) -> bool:
        """Whether a finished prompt calls the trained thing by the word that the vendor listens to."""
        word = model.trigger or model.class_word
        return word is None or word.casefold() in prompt.casefold()

    def _not_offered(self, what: str) -> Flow[NoReturn]:
        yield from ()
        raise UnsupportedCapability(f"{self.title} offers no {what}")


def check_image(image: Image, rules: ImageRules, vendor: str) -> None:
    """Raise a `DatasetError` for a local image that breaks the rules; nothing is known of a remote one."""
    if image.remote:
        return
    if image.media_type not in rules.media_types:
        kinds = ", ".join(sorted(kind.removeprefix("image/") for kind in rules.media_types))
        raise DatasetError(f"{image.name}: {vendor} takes no {image.extension}, only {kinds}; convert it first")
    if rules.max_bytes is not None and image.size > rules.max_bytes:
        raise DatasetError(
            f"{image.name}: {image.size:,} bytes; {vendor} takes at most {rules.max_bytes:,} per image; make it smaller"
        )
    pixels = (image.width or 0) * (image.height or 0)
    if rules.max_pixels is not None and pixels > rules.max_pixels:
        raise DatasetError(
            f"{image.name}: {pixels:,} pixels; {vendor} takes at most {rules.max_pixels:,} per image; make it smaller"
        )


_BY_STATUS: dict[int, type[ApiError]] = {
    401: AuthenticationError,
    403: PermissionDenied,
    404: NotFound,
    408: ProviderUnavailable,
    429: RateLimited,
}


def error_class(status: int) -> type[ApiError]:
    """The class for an HTTP status about which the vendor says nothing more."""
    if status >= 500:  # noqa: PLR2004 - the range of server faults
        return ProviderUnavailable
    return _BY_STATUS.get(status, InvalidRequest)


AnyProvider = Provider[Any, Any, Any]

__all__ = [
    "CONTRACT",
    "AnyProvider",
    "Capabilities",
    "GenerationCapabilities",
    "ImageRules",
    "Options",
    "Provider",
    "Range",
    "Rate",
    "SecretStr",
    "Settings",
    "TrainingCapabilities",
    "Wire",
    "check_image",
    "error_class",
    "later",
]
