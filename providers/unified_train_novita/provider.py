"""The vendor's operations as flows; facts by section of the Novita dossier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from unified_train import (
    ApiError,
    Capabilities,
    Effect,
    GeneratedImage,
    GenerationCapabilities,
    Image,
    ImageRules,
    InvalidOptions,
    Job,
    NotFound,
    PermissionDenied,
    Provider,
    Range,
    Request,
    Snapshot,
    Status,
    TrainedModel,
    TrainingCapabilities,
    UploadedImage,
)
from unified_train_novita import base_models, bodies, errors, status
from unified_train_novita.options import MAX_TEXT, NovitaGeneration, NovitaSettings, NovitaTraining
from unified_train_novita.wire import (
    Catalogue,
    CatalogueModel,
    GenerationState,
    ListedTraining,
    Picture,
    Submitted,
    TrainingList,
    TrainingState,
    UploadSlot,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unified_train import Flow, GenerationRequest, JobKind, Moment, Response, TrainingRequest
    from unified_train_novita.base_models import Checkpoint
    from unified_train_novita.wire import Safety

_PAGE = "100"
_MAX_PAGES = 100
_KINDS = ("style", "subject")
_ALMOST = 0.99
_FLAGGED_FROM = 50.0  # percent: more likely than not; the vendor names no threshold of its own


class Novita(Provider[NovitaSettings, NovitaTraining, NovitaGeneration]):
    """Novita's LoRA trainings and its Stable Diffusion generation."""

    slug = "novita"
    title = "Novita"
    contract = 1
    capabilities = Capabilities(
        images=ImageRules(media_types=frozenset({"image/png", "image/jpeg", "image/webp"}), minimum=1, maximum=50),
        training=TrainingCapabilities(
            kinds=frozenset({"subject", "style"}),
            options={
                "base_model": Range(),
                "steps": Range(minimum=1),
                "learning_rate": Range(),
                "rank": Range(minimum=4, maximum=128),
                "resolution": Range(minimum=1),
                "seed": Range(minimum=1),
            },
            captions=True,
            base_models=tuple(base_models.CHECKPOINTS),
            default_base_model=base_models.DEFAULT,
            list=True,
            progress=True,
        ),
        generation=GenerationCapabilities(
            options={
                "negative_prompt": Range(),
                "width": Range(minimum=128, maximum=2048),
                "height": Range(minimum=128, maximum=2048),
                "seed": Range(minimum=0),
                "steps": Range(minimum=1, maximum=100),
                "guidance": Range(minimum=1, maximum=30),
            },
            max_per_call=8,
            max_prompt=MAX_TEXT,
        ),
    )
    Settings = NovitaSettings
    TrainingOptions = NovitaTraining
    GenerationOptions = NovitaGeneration

    def sign(self, request: Request, moment: Moment) -> Request:  # noqa: ARG002 - a bearer key needs no moment
        """Add the key; the documentation asks for the content type on GET too (dossier 1)."""
        key = self.settings.api_key.get_secret_value()
        signed = request.with_headers(authorization=f"Bearer {key}", accept="application/json")
        return signed if request.body else signed.with_headers(content_type="application/json")

    def refusal(self, response: Response) -> ApiError | None:
        """Classify by the vendor's reason, then by status (dossier 2.3)."""
        return errors.refusal(response)

    def check_training(self, request: TrainingRequest, options: NovitaTraining) -> None:
        """Raise for what the chosen one of the two trainings does not take.

        Raises:
            UnsupportedCapability: An option exists only for the other training.
            InvalidOptions: A subject training is not told what it shows.
            DatasetError: A caption is missing or too long.
        """
        bodies.check_training(request, options)

    def check_generation(self, model: TrainedModel, request: GenerationRequest, options: NovitaGeneration) -> None:
        """Raise for pictures that this LoRA or the chosen checkpoint can't make.

        Raises:
            InvalidOptions: LoRA and checkpoint are of different families, the negative prompt is too long, or a
                transparent background is asked of anything but png and SDXL.
        """
        if request.negative_prompt and len(request.negative_prompt) > MAX_TEXT:
            raise InvalidOptions(f"negative_prompt: {len(request.negative_prompt)} characters; at most {MAX_TEXT}")
        checkpoint = _checkpoint(model, options)
        trained = base_models.for_base_model(model.base_model).family if model.base_model else None
        family = checkpoint.family if checkpoint else None
        if checkpoint and family and trained and family is not trained:
            raise InvalidOptions(
                f"checkpoint: {checkpoint.file} is {family}, but the LoRA was trained on {model.base_model},"
                f" which is {trained}; take a checkpoint of the same family"
            )
        if options.transparent_background and (family is base_models.Family.SD15 or options.image_type != "png"):
            raise InvalidOptions("transparent_background: needs image_type png and an SDXL checkpoint")

    # -- training ------------------------------------------------------------------------------------------------

    def upload(self, image: Image) -> Flow[UploadedImage]:
        """Ask for a place and put the bytes there; if the place has expired, once more (dossier 3.1)."""
        slot = yield from self._slot(image)
        try:
            yield _put(slot, image)
        except PermissionDenied:
            slot = yield from self._slot(image)
            yield _put(slot, image)
        return UploadedImage(
            provider=self.slug,
            id=bodies.asset_reference(slot.assets_id),
            name=image.name,
            caption=image.caption,
            sha256=image.sha256,
        )

    def _slot(self, image: Image) -> Flow[UploadSlot]:
        asked = {"file_extension": image.extension}
        answer = yield self.post("/v3/assets/training_dataset", "upload.slot", asked, effect=Effect.REPEATABLE)
        return UploadSlot.parse(answer)

    def start(self, request: TrainingRequest, options: NovitaTraining) -> Flow[Snapshot]:
        """Start a training; the answer is nothing but an id (dossier 4.1)."""
        kind = bodies.endpoint(request, options)
        body = bodies.training(request, options, kind)
        answer = yield self.post(f"/v3/training/{kind}", "training.start", body, effect=Effect.PAY)
        return Snapshot(
            id=f"{kind}/{Submitted.of(answer).task_id}",
            status=Status.QUEUED,
            name=request.name,
            base_model=body["base_model"],
            notes=bodies.training_notes(request, kind),
            raw=answer.json(),
        )

    def poll(self, job: Job) -> Flow[Snapshot]:
        """Look at a job; trainings and generations are looked at in different places with different words (trap 4)."""
        return (yield from self._poll_generation(job) if job.kind == "generation" else self._poll_training(job))

    def _poll_training(self, job: Job) -> Flow[Snapshot]:
        kind, _, task_id = job.id.partition("/")
        if kind not in _KINDS or not task_id:
            raise InvalidOptions(f"{job.reference}: a training at Novita is style/<task id> or subject/<task id>")
        answer = yield self.get(f"/v3/training/{kind}", "training.poll", query={"task_id": task_id})
        told = TrainingState.parse(answer)
        state = status.training(told.task_status, [model.model_status for model in told.models])
        name = next((model.model_name for model in told.models if status.serves(model.model_status)), "")
        if state.status is Status.SUCCEEDED and not name:
            raise answer.malformed("a model is said to serve, but it has no name")
        return Snapshot(
            id=job.id,
            status=state.status,
            raw_status=state.raw,
            phase=state.phase,
            progress=_share(told.extra.progress_percent, state.status),
            eta=None if state.status.finished else told.extra.eta_relative,
            model=job.trained(name) if state.status is Status.SUCCEEDED else None,
            error=state.failure,
            raw=answer.json(),
        )

    def list_jobs(self, kind: JobKind) -> Flow[Sequence[Snapshot]]:
        """The account's trainings; the vendor lists no generations (dossier 4.5 and 5.4).

        A next cursor does not prove that more follows: the list ends with an empty page, or with a cursor that is
        missing or was followed before.
        """
        if kind == "generation":
            return (yield from super().list_jobs(kind))
        found: dict[str, Snapshot] = {}
        cursor, seen = "", {""}
        for _ in range(_MAX_PAGES):
            query = {"pagination.limit": _PAGE} | ({"pagination.cursor": cursor} if cursor else {})
            answer = yield self.get("/v3/training", "training.list", query=query)
            page = TrainingList.parse(answer)
            for task in page.tasks:
                snapshot = _listed(ListedTraining.read(task, answer), task)
                found.setdefault(snapshot.id, snapshot)
            cursor = page.pagination.next_cursor
            if not page.tasks or cursor in seen:
                break
            seen.add(cursor)
        return tuple(found.values())

    # -- generation ------------------------------------------------------------------------------------------------

    def generate(self, model: TrainedModel, request: GenerationRequest, options: NovitaGeneration) -> Flow[Snapshot]:
        """Start a generation with the LoRA on the checkpoint that it was trained on (dossier 5)."""
        lora, checkpoint, notes = yield from self._placed(model, options)
        body = bodies.generation(lora, checkpoint, request, options)
        answer = yield self.post("/v3/async/txt2img", "generation.start", body, effect=Effect.PAY)
        return Snapshot(
            id=Submitted.of(answer).task_id,
            status=Status.QUEUED,
            base_model=model.base_model,
            notes=notes,
            raw=answer.json(),
        )

    def _placed(self, model: TrainedModel, options: NovitaGeneration) -> Flow[tuple[str, Checkpoint, tuple[str, ...]]]:
        """The LoRA's name, the checkpoint, and what to say about them; asks the vendor only for what is not known."""
        checkpoint = _checkpoint(model, options)
        if checkpoint and not options.resolve_lora_name:
            return model.id, checkpoint, ()
        known = yield from self._known(model.id)
        lora = (known.sd_name_in_api if options.resolve_lora_name else "") or model.id
        if checkpoint:
            return lora, checkpoint, ()
        checkpoint = base_models.of_family(known.base_model)
        if not checkpoint:
            raise InvalidOptions(
                f"{model.id}: nobody tells what it was trained on; name the checkpoint to use it with, such as"
                " extra={'novita': {'checkpoint': 'v1-5-pruned-emaonly.safetensors'}}"
            )
        note = f"what the model was trained on is not known; it is {checkpoint.family}, so {checkpoint.file} was used"
        return lora, checkpoint, (note,)

    def _known(self, name: str) -> Flow[CatalogueModel]:
        """A trained LoRA in the account's catalogue of models; blank if it is not there (dossier 7)."""
        stem = _stem(name)
        query = {
            "filter.visibility": "private",
            "filter.types": "lora",
            "filter.query": stem,
            "pagination.limit": _PAGE,
        }
        answer = yield self.get("/v3/model", "model.read", query=query)
        models = Catalogue.parse(answer).models
        mine = (model for model in models if stem in (model.sd_name_in_api, _stem(model.sd_name)))
        return next(mine, CatalogueModel())

    def _poll_generation(self, job: Job) -> Flow[Snapshot]:
        try:
            answer = yield self._look(job)
        except ApiError as error:
            if error.code != errors.TASK_FAILED:
                raise
            # The table of reasons has a failed task as an HTTP error too (dossier 5.4).
            reason = status.failed(error.message)
            return Snapshot(id=job.id, status=Status.FAILED, raw_status=error.code, error=reason)
        told = GenerationState.parse(answer)
        state = status.generation(told.task.status, told.task.reason, len(told.pictures))
        return Snapshot(
            id=job.id,
            status=state.status,
            raw_status=state.raw,
            progress=_share(told.task.progress_percent, state.status),
            eta=None if state.status.finished else told.task.eta or None,
            images=_images(told) if state.status is Status.SUCCEEDED else (),
            error=state.failure,
            raw=answer.json(),
        )

    def _look(self, job: Job) -> Request:
        return self.get("/v3/async/task-result", "generation.poll", query={"task_id": job.id})

    def fetch(self, job: Job, image: GeneratedImage) -> Flow[bytes]:
        """The bytes, from a URL asked for just now: each look at a task signs afresh (dossier 5.4)."""
        picture = yield from self._picture(job, image)
        try:
            return (yield _read(picture)).content
        except PermissionDenied:
            picture = yield from self._picture(job, image)
            return (yield _read(picture)).content

    def _picture(self, job: Job, image: GeneratedImage) -> Flow[Picture]:
        told = GenerationState.parse((yield self._look(job)))
        found = {str(position): picture for position, picture in enumerate(told.pictures)}.get(image.id)
        if found is None:
            raise NotFound(f"{job.reference} has no picture {image.id} (any more)", operation="generation.fetch")
        return found


def _put(slot: UploadSlot, image: Image) -> Request:
    """The bytes as they are, to storage: without the key, which would leak and which S3 refuses (dossier 3.2)."""
    return Request(
        slot.method,
        slot.upload_url,
        "upload.put",
        body=image.body(),
        headers=slot.extra_headers(),
        effect=Effect.REPEATABLE,
        signed=False,
    )


def _read(picture: Picture) -> Request:
    return Request("GET", picture.image_url, "generation.fetch", signed=False)


def _checkpoint(model: TrainedModel, options: NovitaGeneration) -> Checkpoint | None:
    """What to generate with: what was chosen, else what was trained on; None if neither is known."""
    if options.checkpoint:
        return base_models.named(options.checkpoint)
    return base_models.for_base_model(model.base_model) if model.base_model else None


def _stem(name: str) -> str:
    return name.removesuffix(".safetensors")


def _share(percent: float | None, state: Status) -> float | None:
    """0 to 1; below 1 until the job has ended, since training reports 100 while the model is still being deployed."""
    if percent is None or state in (Status.FAILED, Status.CANCELED, Status.UNKNOWN):
        return None
    return min(percent / 100, 1.0 if state is Status.SUCCEEDED else _ALMOST)


def _listed(task: ListedTraining, raw: dict[str, object]) -> Snapshot:
    state = status.training(task.task_status, [model.model_status for model in task.models])
    served = next((model.model_name for model in task.models if status.serves(model.model_status)), "")
    return Snapshot(
        id=f"{task.task_type}/{task.task_id}",
        status=state.status,
        raw_status=state.raw,
        phase=state.phase,
        model=TrainedModel(provider=Novita.slug, id=served, name=task.task_name or None) if served else None,
        error=state.failure,
        created_at=task.created,
        name=task.task_name or None,
        raw=raw,
    )


def _images(told: GenerationState) -> tuple[GeneratedImage, ...]:
    """The pictures; the seed told is the task's, so only the first picture is surely made with it."""
    return tuple(_image(position, picture, told.extra.seed) for position, picture in enumerate(told.pictures))


def _image(position: int, picture: Picture, seed: int | None) -> GeneratedImage:
    metadata = {"task_seed": seed, "nsfw_confidence": picture.nsfw_detection_result.confidence}
    return GeneratedImage(
        id=str(position),
        media_type=f"image/{picture.image_type}" if picture.image_type else None,
        seed=None if position else seed,
        safety=_safety(picture.nsfw_detection_result),
        metadata={name: value for name, value in metadata.items() if value is not None},
    )


def _safety(found: Safety) -> Literal["clean", "flagged"] | None:
    """What the check found; `valid` says only that it ran (trap 23)."""
    if not found.valid or found.confidence is None:
        return None
    return "flagged" if found.confidence >= _FLAGGED_FROM else "clean"
