"""Scenario's operations as flows; the facts are those of the Scenario dossier, whose sections are named."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from unified_train import (
    Capabilities,
    DatasetError,
    Effect,
    GenerationCapabilities,
    Image,
    ImageRules,
    InvalidOptions,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    Range,
    Request,
    Snapshot,
    TrainingCapabilities,
    UploadedImage,
)
from unified_train_scenario import (
    bodies,
    catalog,
    generating,
    pairs,
    refusals,
    rehearsing,
    snapshots,
    status,
    uploading,
)
from unified_train_scenario.api import ORIGINAL
from unified_train_scenario.attaching import TrainingSet
from unified_train_scenario.estimates import Estimates
from unified_train_scenario.finding import Finding
from unified_train_scenario.options import ScenarioGeneration, ScenarioTraining
from unified_train_scenario.patching import Patching
from unified_train_scenario.settings import ScenarioSettings
from unified_train_scenario.training_images import TrainingImages
from unified_train_scenario.wire import AcceptedJob, AssetAnswer, AssetsAnswer, JobAnswer, ModelAnswer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unified_train import (
        ErrorTable,
        Flow,
        GeneratedImage,
        GenerationRequest,
        Job,
        Response,
        StatusTable,
        TrainedModel,
        TrainingRequest,
    )

_MEDIA_TYPES = frozenset(
    {"image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/tiff", "image/heic"}
)
_GIVEN = ImageRules(media_types=_MEDIA_TYPES, max_bytes=uploading.LARGEST)
"""For a picture of a generation; which bases take one is checked by type, and then by the base's own record."""


class Scenario(TrainingImages, Estimates, Patching, Finding):
    """Scenario, https://api.cloud.scenario.com/v1.

    A training's id is `<model id>/<job id>`: the model decides how it stands, the job tells why and for how much.
    Weights can't be exported: where the answer to `POST /models/{id}/download` puts the file's URL is documented
    nowhere (Scenario dossier 8).
    """

    slug: ClassVar[str] = "scenario"
    title: ClassVar[str] = "Scenario"
    contract: ClassVar[int] = 1
    Settings = ScenarioSettings
    TrainingOptions = ScenarioTraining
    GenerationOptions = ScenarioGeneration
    poll_floor: ClassVar[float] = 2.0
    price_by: ClassVar[str | None] = "a dry run; that of a training makes an empty model, which is free, and deletes it"
    status_tables: ClassVar[Sequence[StatusTable]] = status.TABLES
    error_tables: ClassVar[Sequence[ErrorTable]] = refusals.TABLES
    capabilities: ClassVar[Capabilities] = Capabilities(
        images=ImageRules(media_types=_MEDIA_TYPES, max_bytes=uploading.LARGEST, minimum=1, maximum=50),
        training=TrainingCapabilities(
            kinds=frozenset({"subject", "style"}),
            options={
                "base_model": Range(),
                "steps": Range(minimum=1),
                "learning_rate": Range(),
                "rank": Range(minimum=2, maximum=128),
                "seed": Range(minimum=0, maximum=2_147_483_647),
            },
            captions=True,
            inline_images=True,
            base_models=(*catalog.SINGLE_IMAGE_TYPES, *catalog.EDIT_TYPES),
            default_base_model=catalog.DEFAULT_TYPE,
            cancel=True,
            list=True,
            progress=True,
        ),
        generation=GenerationCapabilities(
            options={
                "width": Range(minimum=128, maximum=2048, step=16),
                "height": Range(minimum=128, maximum=2048, step=16),
                "seed": Range(minimum=0, maximum=2_147_483_647),
                "steps": Range(minimum=1, maximum=100),
                "guidance": Range(minimum=0, maximum=10),
                "strength": Range(minimum=0.01, maximum=1),
            },
            image=_GIVEN,
            references=_GIVEN.model_copy(update={"maximum": 5}),
            max_per_call=4,
            cancel=True,
            list=True,
        ),
        cost=True,
        safety=True,
    )

    # -- checks before the first request -------------------------------------------------------------------------------

    def check_training(self, request: TrainingRequest, options: ScenarioTraining) -> None:
        """Raise for types, pairs, ranges and counts that this type's trainer does not take."""
        model_type = request.base_model or catalog.DEFAULT_TYPE
        bodies.check_type(model_type)
        pairs.check_pairs(options, request.dataset, model_type)
        bodies.training_parameters(request, options, model_type)

    def check_generation(self, model: TrainedModel, request: GenerationRequest, options: ScenarioGeneration) -> None:
        """Raise for inputs that the base of this model does not take, if its type is known here."""
        if model.base_model:
            generating.check_generation(request, options, model.base_model)

    def rehearsed(self, request: Request, before: Sequence[Request]) -> object:
        """See `rehearsing`."""
        return rehearsing.answer(request, before)

    # -- training ------------------------------------------------------------------------------------------------------

    def upload(self, image: Image) -> Flow[UploadedImage]:
        """Bring one image: small ones inside JSON, large ones in parts; see `uploading`."""
        asset = yield from uploading.asset_of(self, image)
        return UploadedImage(provider=self.slug, id=asset, name=image.name, caption=image.caption, sha256=image.sha256)

    def start(self, request: TrainingRequest, options: ScenarioTraining) -> Flow[Snapshot]:
        """Create the model, attach the images, caption, count and pair them, then train: once."""
        for image in request.dataset.images:
            if isinstance(image, Image) and image.remote:
                raise DatasetError(f"{image.name}: is only a URL; upload it first, or use `train`")
        model_type = request.base_model or catalog.DEFAULT_TYPE
        bodies.training_parameters(request, options, model_type)  # refused before there is a model, not after
        model = yield from self.create_model(
            request.name, model_type, description=options.description, collections=options.collections
        )
        assets = yield from TrainingSet(self, model.id, request).fill()
        return (yield from self.train_attached(model.id, request, options, assets))

    # -- generation ----------------------------------------------------------------------------------------------------

    def generate(self, model: TrainedModel, request: GenerationRequest, options: ScenarioGeneration) -> Flow[Snapshot]:
        """Run the base model with the LoRA, or the model by its own id where its record says so (dossier 6.1)."""
        record = yield from self.model(model.id, "model.read")
        model_type = record.type or model.base_model or ""
        response, notes = yield from generating.Generating(self, record, model_type, request, options).submit()
        snapshot = snapshots.accepted_generation(AcceptedJob.parse(response), response)
        return snapshot.model_copy(update={"notes": (*notes, *snapshot.notes)})

    # -- following jobs ------------------------------------------------------------------------------------------------

    def poll(self, job: Job) -> Flow[Snapshot]:
        """Ask for the model and its job, or for a generation and its pictures."""
        if job.kind == "training":
            return (yield from self._poll_training(job))
        return (yield from self._poll_generation(job))

    def _poll_training(self, job: Job) -> Flow[Snapshot]:
        model_id, job_id = training_ids(job.id)
        response = yield self.read(f"/models/{model_id}", "training.poll")
        model = ModelAnswer.parse(response).model
        answer = yield from self._training_job(job_id or model.job)
        if answer is None:
            return snapshots.training(job, model, None, response)
        return snapshots.training(job, model, JobAnswer.parse(answer).job, response, answer)

    def _training_job(self, job_id: str | None) -> Flow[Response | None]:
        """The job, if it is still kept; how long is unknown (dossier 14), and the model alone is enough."""
        if not job_id:
            return None
        try:
            return (yield self.read(f"/jobs/{job_id}", "training.poll"))
        except NotFound:
            return None

    def _poll_generation(self, job: Job) -> Flow[Snapshot]:
        response = yield self.read(f"/jobs/{job.id}", "generation.poll")
        record = JobAnswer.parse(response).job
        snapshot = snapshots.generation(record, response.json())
        ids = record.metadata.asset_ids or ()
        if not snapshots.delivered(snapshot) or not ids:
            return snapshot
        # Reading the assets tells their sizes and seeds, and whether their files are there yet (dossier 6.3).
        query = self.query(ORIGINAL)
        body = {"assetIds": list(ids)}
        answer = yield self.post("/assets/get-bulk", "generation.poll", body, effect=Effect.READ, query=query)
        return snapshots.with_pictures(snapshot, AssetsAnswer.parse(answer).assets)

    def fetch(self, job: Job, image: GeneratedImage) -> Flow[bytes]:  # noqa: ARG002 - the id is all it takes
        """The original file; a URL that has expired meanwhile is asked for once more (dossier 7)."""
        url = yield from self._url(image.id)
        try:
            return (yield self._file(url)).content
        except PermissionDenied:
            url = yield from self._url(image.id)
        return (yield self._file(url)).content

    def _url(self, asset_id: str) -> Flow[str]:
        response = yield self.read(f"/assets/{asset_id}", "generation.fetch", ORIGINAL)
        asset = AssetAnswer.parse(response).asset
        if not asset.url or (status.ASSET.read(asset.status).finished and asset.status != "success"):
            raise response.malformed(f"asset {asset_id} has no file (status {asset.status})")
        return asset.url

    def _file(self, url: str) -> Request:
        return Request("GET", url, "generation.fetch", signed=False)

    def cancel(self, job: Job) -> Flow[Snapshot]:
        """Cancel a training on its model, a generation on its job, then look: the answer may be old (dossier 4.5)."""
        if job.kind == "training":
            path, operation = f"/models/{training_ids(job.id)[0]}/train/action", "training.cancel"
        else:
            path, operation = f"/jobs/{job.id}/action", "generation.cancel"
        request = self.post(path, operation, {"action": "cancel"}, effect=Effect.REPEATABLE, query=self.query())
        try:
            yield request
        except InvalidRequest:
            snapshot = yield from self.poll(job)
            if not snapshot.status.finished:
                raise
            return snapshot
        return (yield from self.poll(job))


def training_ids(identifier: str) -> tuple[str, str]:
    """Model and job of a training's id; the job may be empty.

    Raises:
        InvalidOptions: It is no such id.
    """
    model_id, slash, job_id = identifier.partition("/")
    if not model_id or not slash:
        raise InvalidOptions(f"{identifier!r} is no training of Scenario's; it looks like model_…/job_…")
    return model_id, job_id
