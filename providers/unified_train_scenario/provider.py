"""Scenario's operations as flows; the facts are those of the Scenario dossier, whose sections are named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from unified_train import (
    Base64,
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
    Provider,
    Range,
    Request,
    Snapshot,
    TrainingCapabilities,
    UnsupportedCapability,
    UploadedImage,
)
from unified_train_scenario import bodies, catalog, snapshots
from unified_train_scenario.attaching import TrainingSet
from unified_train_scenario.options import ScenarioGeneration, ScenarioTraining
from unified_train_scenario.refusals import ALREADY_TRAINING, CUSTOM_ONLY, is_refusal, refusal
from unified_train_scenario.settings import ScenarioSettings
from unified_train_scenario.status import ASSET
from unified_train_scenario.wire import (
    AcceptedJob,
    AssetAnswer,
    AssetsAnswer,
    JobAnswer,
    JobPage,
    JobRecord,
    Model,
    ModelAnswer,
    ModelPage,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from unified_train import (
        ApiError,
        Flow,
        GeneratedImage,
        GenerationRequest,
        Job,
        JobKind,
        Moment,
        Response,
        TrainedModel,
        TrainingRequest,
    )

_PAGE = "100"
_MOST_PAGES = 10
_LARGEST_INLINE = 4_000_000
"""Bytes of an image sent inside JSON: the vendor's 6 MB may well be the size of the body (dossier 2.1)."""
_MEDIA_TYPES = frozenset(
    {"image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/tiff", "image/heic"}
)
_OWN_SCALE = 0.8
"""Strength of a trained model in its own record, as captured (dossier 3.1)."""
_ORIGINAL = {"originalAssets": "true"}
"""URLs of untransformed files; others may be resized or re-encoded (dossier 13, trap 27)."""


class Scenario(Provider[ScenarioSettings, ScenarioTraining, ScenarioGeneration]):
    """Scenario, https://api.cloud.scenario.com/v1.

    A training's id is `<model id>/<job id>`: the model decides how it stands, the job tells why and for how much.
    """

    slug: ClassVar[str] = "scenario"
    title: ClassVar[str] = "Scenario"
    contract: ClassVar[int] = 1
    Settings = ScenarioSettings
    TrainingOptions = ScenarioTraining
    GenerationOptions = ScenarioGeneration
    poll_floor: ClassVar[float] = 2.0
    capabilities: ClassVar[Capabilities] = Capabilities(
        images=ImageRules(media_types=_MEDIA_TYPES, max_bytes=_LARGEST_INLINE, minimum=1, maximum=50),
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
            base_models=catalog.SINGLE_IMAGE_TYPES,
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
            },
            max_per_call=4,
            cancel=True,
            list=True,
        ),
        cost=True,
        safety=True,
    )

    # -- requests and answers ------------------------------------------------------------------------------------------

    def sign(self, request: Request, moment: Moment) -> Request:  # noqa: ARG002 - nothing here depends on the time
        """Add Basic or Bearer credentials."""
        return request.with_headers(authorization=self.settings.authorization)

    def refusal(self, response: Response) -> ApiError | None:
        """The error that an answer means, see `refusals`."""
        return refusal(response)

    def query(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Query parameters with the project, which goes into the query of every route (dossier 1)."""
        project = {"projectId": self.settings.project_id} if self.settings.project_id else {}
        return {**project, **(more or {})}

    def read(self, path: str, operation: str, query: Mapping[str, str] | None = None) -> Request:
        """A GET in the project."""
        return self.get(path, operation, query=self.query(query))

    # -- checks before the first request -------------------------------------------------------------------------------

    def check_training(self, request: TrainingRequest, options: ScenarioTraining) -> None:
        """Raise for types, ranges and counts that this type's trainer does not take."""
        model_type = request.base_model or catalog.DEFAULT_TYPE
        bodies.check_type(model_type)
        bodies.training_parameters(request, options, model_type)

    def check_generation(self, model: TrainedModel, request: GenerationRequest, options: ScenarioGeneration) -> None:
        """Raise for inputs that the base of this model does not take, if its type is known here."""
        if model.base_model:
            bodies.check_generation(request, options, model.base_model)

    # -- training ------------------------------------------------------------------------------------------------------

    def upload(self, image: Image) -> Flow[UploadedImage]:
        """Bring one image as bare base64; it is free, and a second copy does no harm (dossier 2.1 and 9)."""
        body = {"name": image.name, "image": Base64(image.body())}
        response = yield self.post("/assets", "upload.image", body, effect=Effect.REPEATABLE, query=self.query())
        asset = AssetAnswer.parse(response).asset
        return UploadedImage(
            provider=self.slug, id=asset.id, name=image.name, caption=image.caption, sha256=image.sha256
        )

    def start(self, request: TrainingRequest, options: ScenarioTraining) -> Flow[Snapshot]:
        """Create the model, attach the images, caption and count them, then train: once."""
        for image in request.dataset.images:
            if isinstance(image, Image) and image.remote:
                raise DatasetError(f"{image.name}: is only a URL; upload it first, or use `train`")
        model_type = request.base_model or catalog.DEFAULT_TYPE
        parameters, notes = bodies.training_parameters(request, options, model_type)
        model = yield from self._create(request, options, model_type)
        yield from TrainingSet(self, model.id, request).fill()
        snapshot = yield from self._train(model.id, model_type, parameters)
        return snapshot.model_copy(update={"notes": (*notes, *snapshot.notes)})

    def _train(self, model_id: str, model_type: str, parameters: dict[str, Any]) -> Flow[Snapshot]:
        path, body = f"/models/{model_id}/train", {"parameters": parameters}
        try:
            response = yield self.put(path, "training.start", body, effect=Effect.PAY, query=self.query())
        except InvalidRequest as error:
            if not is_refusal(error, ALREADY_TRAINING):
                raise
            # Only this flow knows the model: an attempt that seemed refused (503) was accepted after all.
            response = yield self.read(f"/models/{model_id}", "training.verify")
            return snapshots.adopted_training(ModelAnswer.parse(response).model, response)
        return snapshots.accepted_training(AcceptedJob.parse(response), model_id, model_type, response)

    def _create(self, request: TrainingRequest, options: ScenarioTraining, model_type: str) -> Flow[Model]:
        body: dict[str, Any] = {"name": request.name, "type": model_type}
        if options.description is not None:
            body["shortDescription"] = options.description
        if options.collections:
            body["collectionIds"] = list(options.collections)
        response = yield self.post("/models", "training.create", body, effect=Effect.CREATE, query=self.query())
        return ModelAnswer.parse(response).model

    def model(self, model_id: str, operation: str) -> Flow[Model]:
        """Read one model."""
        response = yield self.read(f"/models/{model_id}", operation)
        return ModelAnswer.parse(response).model

    # -- generation ----------------------------------------------------------------------------------------------------

    def generate(self, model: TrainedModel, request: GenerationRequest, options: ScenarioGeneration) -> Flow[Snapshot]:
        """Run the base model with the LoRA, or the model by its own id where its record says so (dossier 6.1)."""
        record = yield from self.model(model.id, "model.read")
        model_type = record.type or model.base_model or ""
        bodies.check_generation(request, options, model_type)
        inputs, notes = bodies.generation_inputs(request, options, model_type)
        forms = self._forms(record, options, model_type, inputs)
        if not forms:
            raise UnsupportedCapability(
                f"no base model is known for {model_type or 'this model'};"
                " name one with extra={'scenario': {'base': 'model_…'}}"
            )
        response = yield from self._submit(forms)
        accepted = AcceptedJob.parse(response)
        return snapshots.accepted_generation(accepted, response).model_copy(update={"notes": tuple(notes)})

    def _forms(
        self, record: Model, options: ScenarioGeneration, model_type: str, inputs: dict[str, Any]
    ) -> list[tuple[str, dict[str, Any]]]:
        """Path and body of the two ways to run a trained model, the likelier first."""
        base = options.base or catalog.base_of(model_type)
        own = [(record.id, inputs)]
        if base is None:
            return own if self._runs_itself(record) else []
        scale = options.lora_scale
        if scale is None:
            scale = next((item.scale for item in record.concepts or () if item.model == record.id), _OWN_SCALE)
        # One scale for each LoRA: a missing one is accepted, and then anything may happen (dossier 13, trap 7).
        on_base = [(base, {**inputs, "loras": [record.id], "lorasScale": [scale]})]
        return own + on_base if self._runs_itself(record) else on_base + own

    def _runs_itself(self, record: Model) -> bool:
        return record.custom or bool(record.inputs)

    def _submit(self, forms: Sequence[tuple[str, dict[str, Any]]]) -> Flow[Response]:
        """Send the first form; only if it is refused by exactly that 400, no job was made, and the other is sent."""
        first, *others = forms
        try:
            return (yield self._generating(*first))
        except InvalidRequest as error:
            if not others or not is_refusal(error, CUSTOM_ONLY):
                raise
        return (yield self._generating(*others[0]))

    def _generating(self, model_id: str, body: dict[str, Any]) -> Request:
        path = f"/generate/custom/{model_id}"
        return self.post(path, "generation.start", body, effect=Effect.PAY, query=self.query())

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
        query = self.query(_ORIGINAL)
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
        response = yield self.read(f"/assets/{asset_id}", "generation.fetch", _ORIGINAL)
        asset = AssetAnswer.parse(response).asset
        if not asset.url or (ASSET.read(asset.status).finished and asset.status != "success"):
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

    # -- listing -------------------------------------------------------------------------------------------------------

    def list_jobs(self, kind: JobKind) -> Flow[Sequence[Snapshot]]:
        """The newest thousand models or jobs: own models can't be filtered by name, tag or type (dossier 9)."""
        if kind == "training":
            return (yield from self._list_trainings())
        return (yield from self._list_generations())

    def _list_trainings(self) -> Flow[list[Snapshot]]:
        found: list[Snapshot] = []
        query = {"privacy": "private", "sortBy": "createdAt", "sortDirection": "desc", "pageSize": _PAGE}
        token: str | None = None
        for _ in range(_MOST_PAGES):
            more = {"paginationToken": token} if token else {}
            response = yield self.read("/models", "training.list", {**query, **more})
            page = ModelPage.parse(response)
            models = [Model.read(item, response) for item in page.models]
            found += [snapshots.listed_training(model, response) for model in models if snapshots.is_training(model)]
            token = page.token
            if not token:
                break
        return found

    def _list_generations(self) -> Flow[list[Snapshot]]:
        found: list[Snapshot] = []
        token: str | None = None
        for _ in range(_MOST_PAGES):
            more = {"paginationToken": token} if token else {}
            response = yield self.read("/jobs", "generation.list", {"pageSize": _PAGE, **more})
            page = JobPage.parse(response)
            records = [(JobRecord.read(item, response), item) for item in page.jobs]
            found += [snapshots.generation(job, {"job": raw}) for job, raw in records if snapshots.is_generation(job)]
            token = page.token
            if not token:
                break
        return found


def training_ids(identifier: str) -> tuple[str, str]:
    """Model and job of a training's id; the job may be empty.

    Raises:
        InvalidOptions: It is no such id.
    """
    model_id, slash, job_id = identifier.partition("/")
    if not model_id or not slash:
        raise InvalidOptions(f"{identifier!r} is no training of Scenario's; it looks like model_…/job_…")
    return model_id, job_id
