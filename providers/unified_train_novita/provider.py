"""The vendor's operations as flows; facts by section of the Novita dossier."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from unified_train import (
    ApiError,
    Capabilities,
    Effect,
    GenerationCapabilities,
    ImageRules,
    InvalidOptions,
    NotFound,
    PermissionDenied,
    Range,
    Rate,
    Request,
    TrainingCapabilities,
    later,
)
from unified_train_novita import base_models, errors, limits, paging, status
from unified_train_novita.account import Account
from unified_train_novita.settings import NovitaSettings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from unified_train import (
        Flow,
        Found,
        GeneratedImage,
        GenerationRequest,
        Image,
        Job,
        JobKind,
        Lost,
        Moment,
        Response,
        Snapshot,
        TrainedModel,
        TrainingRequest,
        UploadedImage,
    )
    from unified_train_novita.account_answers import CatalogueModel
    from unified_train_novita.base_models import Checkpoint
    from unified_train_novita.options import NovitaGeneration, NovitaTraining
    from unified_train_novita.wire import Picture, UploadSlot

_KINDS = ("style", "subject")


class Novita(Account):
    """Novita's LoRA trainings and its Stable Diffusion generation."""

    slug = "novita"
    title = "Novita"
    contract = 1
    capabilities = Capabilities(
        images=ImageRules(
            media_types=frozenset({"image/png", "image/jpeg", "image/webp"}),
            minimum=1,
            maximum=50,
            trained_at=base_models.Family.SD15.side,  # of the base model that is taken if none is named
        ),
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
                "width": limits.SIDE,
                "height": limits.SIDE,
                "seed": Range(minimum=0),
                "steps": Range(minimum=1, maximum=100),
                "guidance": Range(minimum=1, maximum=30),
                "strength": Range(minimum=0, maximum=1),
            },
            image=limits.INPUT,
            max_per_call=8,
            max_prompt=limits.MAX_TEXT,
        ),
    )
    # Pictures, not requests (vendor guide on rate limits; dossier 2.4).
    rates = {
        limits.FROM_TEXT: Rate(per_minute=20),
        limits.FROM_IMAGE: Rate(per_minute=10),
    }
    # How long a request may travel at the vendor, or take to be listed, is documented nowhere (dossier 9): a minute is
    # what gateways commonly hold a request for, and what lists that are read from a replica commonly lag.
    acceptance_lag = 60.0
    listing_lag = 60.0
    lists = frozenset({"training"})
    status_tables = status.TABLES
    error_tables = errors.TABLES
    Settings = NovitaSettings
    TrainingOptions = later("unified_train_novita.options", "NovitaTraining")
    GenerationOptions = later("unified_train_novita.options", "NovitaGeneration")

    def sign(self, request: Request, moment: Moment) -> Request:  # noqa: ARG002 - a bearer key needs no moment
        """Add the key; the documentation asks for the content type on GET too (dossier 1)."""
        headers = {"authorization": f"Bearer {self.settings.api_key.get_secret_value()}", "accept": "application/json"}
        if request.body is None:
            headers["content_type"] = "application/json"
        return request.with_headers(**headers)

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
        from unified_train_novita import training_bodies

        training_bodies.check_training(request, options)

    def check_generation(self, model: TrainedModel, request: GenerationRequest, options: NovitaGeneration) -> None:
        """Raise for pictures that this LoRA, the chosen checkpoint or the chosen way to generate can't make.

        Raises:
            InvalidOptions: LoRA and checkpoint are of different families, the negative prompt is too long, a
                transparent background is asked of anything but png and SDXL, or a test of no webhook.
            UnsupportedCapability: An option exists only for pictures from text.
        """
        from unified_train_novita import generation_bodies

        generation_bodies.check(model, request, options)

    def rehearsed(self, request: Request, before: Sequence[Request]) -> object:
        """Ids made up for a plan; that of a place for an image comes with a URL, whose host nobody knows before."""
        if request.operation == "upload.slot":
            number = 1 + sum(one.operation == "upload.slot" for one in before)
            return {"assets_id": f"<asset {number}>", "upload_url": f"https://presigned.invalid/{number}"}
        return {"task_id": "<task>"} if request.effect is Effect.PAY else None

    # -- training ------------------------------------------------------------------------------------------------

    def upload(self, image: Image) -> Flow[UploadedImage]:
        """Ask for a place and put the bytes there; if the place has expired, once more (dossier 3.1)."""
        from unified_train import UploadedImage
        from unified_train_novita import training_bodies

        slot = yield from self._slot(image)
        try:
            yield _put(slot, image)
        except PermissionDenied:
            slot = yield from self._slot(image)
            yield _put(slot, image)
        return UploadedImage(
            provider=self.slug,
            id=training_bodies.asset_reference(slot.assets_id),
            name=image.name,
            caption=image.caption,
            sha256=image.sha256,
        )

    def _slot(self, image: Image) -> Flow[UploadSlot]:
        from unified_train_novita.wire import UploadSlot

        asked = {"file_extension": image.extension}
        answer = yield self.post("/v3/assets/training_dataset", "upload.slot", asked, effect=Effect.REPEATABLE)
        return UploadSlot.parse(answer)

    def start(self, request: TrainingRequest, options: NovitaTraining) -> Flow[Snapshot]:
        """Start a training; the answer is nothing but an id (dossier 4.1)."""
        from unified_train import Snapshot, Status
        from unified_train_novita import training_bodies
        from unified_train_novita.wire import Submitted

        kind = training_bodies.endpoint(request, options)
        body = training_bodies.training(request, options, kind)
        answer = yield self.post(f"/v3/training/{kind}", "training.start", body, effect=Effect.PAY)
        return Snapshot(
            id=f"{kind}/{Submitted.of(answer).task_id}",
            status=Status.QUEUED,
            name=request.name,
            base_model=body["base_model"],
            notes=training_bodies.training_notes(request, options, kind),
            raw=answer.json(),
        )

    def poll(self, job: Job) -> Flow[Snapshot]:
        """Look at a job; trainings and generations are looked at in different places with different words (trap 4)."""
        return (yield from self._poll_generation(job) if job.kind == "generation" else self._poll_training(job))

    def _poll_training(self, job: Job) -> Flow[Snapshot]:
        from unified_train_novita import snapshots

        kind, _, task_id = job.id.partition("/")
        if kind not in _KINDS or not task_id:
            raise InvalidOptions(f"{job.reference}: a training at Novita is style/<task id> or subject/<task id>")
        answer = yield self.get(f"/v3/training/{kind}", "training.poll", query={"task_id": task_id})
        return snapshots.training(job, answer)

    def list_jobs(self, kind: JobKind) -> Flow[Sequence[Snapshot]]:
        """The account's trainings; the vendor lists no generations (dossier 4.5 and 5.4)."""
        if kind == "generation":
            return (yield from super().list_jobs(kind))
        return (yield from self._trainings())[0]

    def _trainings(self) -> Flow[tuple[Sequence[Snapshot], bool]]:
        """The account's trainings, and whether these are all."""
        from unified_train_novita import snapshots
        from unified_train_novita.wire import TrainingList

        rows, whole = yield from paging.read(self._ask_for_trainings, TrainingList)
        found: dict[str, Snapshot] = {}
        for raw, answer in rows:
            snapshot = snapshots.listed(raw, answer, self.slug)
            found.setdefault(snapshot.id, snapshot)
        return tuple(found.values()), whole

    def poll_many(self, jobs: Sequence[Job]) -> Flow[Mapping[str, Snapshot]]:
        """The list tells status and models of each training, but neither progress nor an estimate (dossier 4.5)."""
        from unified_train_novita import snapshots
        from unified_train_novita.wire import TrainingList

        left = {job.id for job in jobs}
        found: dict[str, Snapshot] = {}

        def found_all(row: Mapping[str, object]) -> bool:
            left.discard(f"{row.get('task_type')}/{row.get('task_id')}")
            return not left

        wanted, most = set(left), self.pages(jobs) * paging.PAGE
        for raw, answer in (yield from paging.rows(self._ask_for_trainings, TrainingList, most, found_all)):
            if f"{raw.get('task_type')}/{raw.get('task_id')}" in wanted:
                snapshot = snapshots.listed(raw, answer, self.slug)
                found.setdefault(snapshot.id, snapshot)
        return found

    def _ask_for_trainings(self, page: Mapping[str, str]) -> Request:
        return self.get("/v3/training", "training.list", query=page)

    def find(self, lost: Lost) -> Flow[Sequence[Found] | None]:
        """Trainings of the same kind whose names end with the marker; generations are listed nowhere (dossier 9)."""
        from unified_train import Found

        if lost.request.operation != "training.start":
            return (yield from super().find(lost))
        kind = lost.request.url.rpartition("/")[2]
        listed, whole = yield from self._trainings()
        # The marker alone tells them from all others; the vendor's time serves to order them.
        mine = [one for one in listed if (one.name or "").endswith(lost.marker) and one.id.startswith(f"{kind}/")]
        if not mine and not whole:
            return None  # it may well be on a page that was not read
        mine.sort(key=lambda one: one.created_at or lost.since)
        return [Found(one.id, one.created_at, {"task_id": one.id.removeprefix(f"{kind}/")}) for one in mine]

    # -- generation ------------------------------------------------------------------------------------------------

    def generate(self, model: TrainedModel, request: GenerationRequest, options: NovitaGeneration) -> Flow[Snapshot]:
        """Start a generation with the LoRA on the checkpoint that it was trained on (dossier 5).

        A picture to start from goes another way; unless told otherwise the result has its size, within 128 to 2048
        pixels a side.
        """
        from unified_train import Snapshot, Status
        from unified_train_novita import generation_bodies
        from unified_train_novita.wire import Submitted

        lora, checkpoint, notes = yield from self._placed(model, options)
        body = generation_bodies.generation(lora, checkpoint, request, options)
        way = generation_bodies.route(request)
        paid = self.post(way.path, way.operation, body, effect=Effect.PAY)
        answer = yield replace(paid, units=request.n)
        return Snapshot(
            id=Submitted.of(answer).task_id,
            status=Status.QUEUED,
            base_model=model.base_model,
            notes=notes + generation_bodies.notes(request, checkpoint),
            raw=answer.json(),
        )

    def _placed(self, model: TrainedModel, options: NovitaGeneration) -> Flow[tuple[str, Checkpoint, tuple[str, ...]]]:
        """The LoRA's name, the checkpoint, and what to say about them; asks the vendor only for what is not known."""
        from unified_train_novita import generation_bodies

        checkpoint = generation_bodies.checkpoint_of(model, options)
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
        from unified_train_novita.account_answers import CatalogueModel

        stem = _stem(name)
        models = yield from self.models(visibility="private", kind="lora", query=stem)
        mine = (model for model in models if stem in (model.sd_name_in_api, _stem(model.sd_name)))
        return next(mine, CatalogueModel())

    def _poll_generation(self, job: Job) -> Flow[Snapshot]:
        from unified_train import Snapshot, Status
        from unified_train_novita import snapshots
        from unified_train_novita.wire import GenerationState

        try:
            answer = yield self._look(job)
        except ApiError as error:
            if error.code != errors.TASK_FAILED:
                raise
            # The table of reasons has a failed task as an HTTP error too (dossier 5.4).
            reason = status.failed(error.message)
            return Snapshot(id=job.id, status=Status.FAILED, raw_status=error.code, error=reason)
        return snapshots.generation(job.id, GenerationState.parse(answer), answer.json())

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
        from unified_train_novita.wire import GenerationState

        told = GenerationState.parse((yield self._look(job)))
        found = {str(position): picture for position, picture in enumerate(told.pictures)}.get(image.id)
        if found is None:
            raise NotFound(f"{job.reference} has no picture {image.id} (any more)", operation="generation.fetch")
        return found

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> tuple[JobKind, Snapshot]:  # noqa: ARG002
        """What the vendor posts once a generation has ended; no header of it is documented (dossier 6).

        It is signed by nobody, so that what it says is a hint; a job of somebody else's is not found at the poll.

        Raises:
            MalformedResponse: It is something else, such as another kind of event.
        """
        from unified_train_novita import snapshots, webhooks

        try:
            task_id, told, payload = webhooks.read(body)
        except ValueError as error:
            raise self.bad_webhook(str(error)) from None
        return "generation", snapshots.generation(task_id, told, payload)


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


def _stem(name: str) -> str:
    return name.removesuffix(".safetensors")
