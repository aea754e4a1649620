"""Echo: a vendor without a server, whose models know nothing but the images that they were trained on."""

from __future__ import annotations

from typing import ClassVar

from unified_train import (
    AnyProvider,
    ApiError,
    Capabilities,
    Flow,
    GeneratedImage,
    GenerationCapabilities,
    GenerationRequest,
    Image,
    ImageRules,
    Job,
    Moment,
    NotFound,
    Options,
    Provider,
    Range,
    Request,
    Response,
    Settings,
    Snapshot,
    Status,
    StatusTable,
    TrainedModel,
    TrainingCapabilities,
    TrainingRequest,
    UploadedImage,
    Word,
    error_class,
    hookimpl,
)

STATE = StatusTable("state", {"done": Word(Status.SUCCEEDED, "there is nothing to wait for")})
_IMAGES: dict[str, bytes] = {}  # by digest; shared by all instances, and gone with the process


class EchoSettings(Settings):
    base_url: str = "echo://nowhere"


class Echo(Provider[EchoSettings, Options, Options]):
    slug: ClassVar[str] = "echo"
    title: ClassVar[str] = "Echo"
    contract: ClassVar[int] = 1
    capabilities: ClassVar[Capabilities] = Capabilities(
        images=ImageRules(media_types=frozenset({"image/jpeg", "image/png", "image/webp"}), maximum=20),
        training=TrainingCapabilities(kinds=frozenset({"subject", "style"}), options={}, captions=False),
        generation=GenerationCapabilities(options={"seed": Range(minimum=0)}, max_per_call=10),
    )
    Settings = EchoSettings
    TrainingOptions = Options
    GenerationOptions = Options
    status_tables = (STATE,)

    def sign(self, request: Request, moment: Moment) -> Request:
        return request

    def refusal(self, response: Response) -> ApiError | None:
        return None if response.ok else error_class(response.status)(response.excerpt, http_status=response.status)

    def upload(self, image: Image) -> Flow[UploadedImage]:
        yield from ()  # a flow is a generator, even where there is nothing to ask
        _IMAGES[image.sha256[:16]] = image.read()
        return UploadedImage(provider=self.slug, id=image.sha256[:16], name=image.name, sha256=image.sha256)

    def start(self, request: TrainingRequest, options: Options) -> Flow[Snapshot]:
        yield from ()
        digests = [image.id for image in request.dataset.images if isinstance(image, UploadedImage)]
        return Snapshot(id="+".join(digests), status=Status.QUEUED)

    def generate(self, model: TrainedModel, request: GenerationRequest, options: Options) -> Flow[Snapshot]:
        yield from ()
        return Snapshot(id=f"{model.id}/{request.seed or 0}/{request.n}", status=Status.QUEUED)

    def poll(self, job: Job) -> Flow[Snapshot]:
        """The ids say everything: the images of a training, and whose, from which on and how many of a generation."""
        yield from ()
        state, digests = STATE.read("done"), job.id.partition("/")[0].split("+")
        if not all(digest in _IMAGES for digest in digests):
            raise NotFound(f"{job.reference}: its images went with the process that had them", operation="echo.poll")
        if job.kind == "training":
            return Snapshot(id=job.id, status=state, raw_status="done", model=job.trained(job.id))
        _, seed, n = job.id.split("/")
        chosen = [digests[(int(seed) + number) % len(digests)] for number in range(int(n))]
        images = tuple(GeneratedImage(id=f"{number}-{digest}") for number, digest in enumerate(chosen))
        return Snapshot(id=job.id, status=state, raw_status="done", images=images)

    def fetch(self, job: Job, image: GeneratedImage) -> Flow[bytes]:
        yield from ()
        return _IMAGES[image.id.partition("-")[2]]


@hookimpl
def unified_train_providers() -> list[type[AnyProvider]]:
    return [Echo]
