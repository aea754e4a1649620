"""Alibaba Cloud AiContent: trainings of one subject from public image URLs, and generations with them.

Endpoints and fields are those of the vendor's API version 20240611 (Alibaba dossier 4). A training is created under a
job id and used by a model id; the list of all trainings is the only place that shows both.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from unified_train import (
    Capabilities,
    Effect,
    Found,
    GenerationCapabilities,
    ImageRules,
    InvalidOptions,
    MalformedResponse,
    NotFound,
    Provider,
    Range,
    Request,
    Snapshot,
    SubmissionUncertain,
    TrainingCapabilities,
    UnsupportedCapability,
    UploadedImage,
)
from unified_train_alibaba import refusals, signature, status
from unified_train_alibaba.options import OBJECT_TYPE, AlibabaGeneration, AlibabaSettings, AlibabaTraining
from unified_train_alibaba.snapshots import SLUG, image_id, is_url, of_generation, of_training
from unified_train_alibaba.wire import About, InferenceJob, Listed, Named, TrainingJob, TrainStatus, named, picture

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from unified_train import (
        ApiError,
        Flow,
        GeneratedImage,
        GenerationRequest,
        Image,
        Job,
        JobKind,
        Lost,
        Moment,
        Response,
        TrainedModel,
        TrainingRequest,
    )

VERSION = "20240611"  # without dashes, though the documentation writes them (Alibaba dossier 1)
PREFIX = "/api/v1/personalizedtxt2img"
TOKEN = "<special-token>"  # how a prompt names the subject; English pages lost it to their HTML (Alibaba dossier 7)
MOST_IMAGES = 10  # the vendor cuts larger numbers without a word (vendor page 2850848)
MAX_SEED = 2**31 - 1  # larger ones are replaced without a word (vendor page 2850848)
LIST_DELAY = timedelta(minutes=2)
_FAMILY = "Personalizedtxt2img"
_FEW_IMAGES = 3  # Alibaba dossier 7
# The vendor names no format; its samples show JPEG. What it can't read ends the job with a word of its own, so that the
# common formats of photographs are let through (Alibaba dossier 7).
_KINDS = frozenset({"image/jpeg", "image/png", "image/webp"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Alibaba(Provider[AlibabaSettings, AlibabaTraining, AlibabaGeneration]):
    """Alibaba Cloud AiContent."""

    slug = SLUG
    title = "Alibaba Cloud AiContent"
    contract = 1
    Settings = AlibabaSettings
    TrainingOptions = AlibabaTraining
    GenerationOptions = AlibabaGeneration
    poll_floor: ClassVar[float] = 3.0
    # Neither lag is documented. A minute is what gateways commonly hold a request for; the list is given the two
    # minutes for which a poll forgives it a missing training.
    acceptance_lag: ClassVar[float] = 60.0
    listing_lag: ClassVar[float] = LIST_DELAY.total_seconds()
    lists: ClassVar[frozenset[JobKind]] = frozenset({"training", "generation"})
    status_tables = (status.JOB,)
    error_tables = refusals.TABLES
    capabilities = Capabilities(
        images=ImageRules(media_types=_KINDS, takes="url"),
        training=TrainingCapabilities(
            kinds=frozenset({"subject"}),
            options={"steps": Range(minimum=1, maximum=100_000)},
            captions=False,
            list=True,
            progress=True,
        ),
        generation=GenerationCapabilities(
            options={"seed": Range(minimum=0, maximum=MAX_SEED)},
            max_per_call=MOST_IMAGES,
            needs_subject=True,
            list=True,
        ),
    )

    # -- requests and answers ------------------------------------------------------------------------------------

    def sign(self, request: Request, moment: Moment) -> Request:
        """Date, nonce, hash of the body and signature; a repeat with the nonce of another attempt is refused."""
        settings = self.settings
        headers = {
            "x-acs-version": VERSION,
            "x-acs-date": signature.timestamp(moment.now),
            "x-acs-signature-nonce": moment.nonce,
            "x-acs-content-sha256": request.body.sha256() if request.body else signature.EMPTY_SHA256,
        }
        if settings.security_token:
            headers["x-acs-security-token"] = settings.security_token.get_secret_value()
        # Unsigned x-acs headers may be refused, so all of them are signed (Alibaba dossier 2.2, step 4).
        signed = {name: value for name, value in request.headers.items() if name.startswith("x-acs-")} | headers
        signed["host"] = signature.host_header(request.url)
        if request.body:
            signed["content-type"] = request.body.media_type
        canonical = signature.canonical_request(
            request.method, urlsplit(request.url).path, request.query, signed, headers["x-acs-content-sha256"]
        )
        key_id, secret = settings.access_key_id.get_secret_value(), settings.access_key_secret.get_secret_value()
        authorization = signature.authorization(canonical, ";".join(sorted(signed)), key_id, secret)
        return request.with_headers(**headers, authorization=authorization)

    def refusal(self, response: Response) -> ApiError | None:
        """See `refusals`."""
        return refusals.refusal(response)

    def clock_is_wrong(self, error: ApiError) -> bool:
        """A date more than 15 minutes off is refused before anything else is looked at (Alibaba dossier 3.3)."""
        return error.code == refusals.EXPIRED

    def _ask(self, action: str, operation: str, **query: str) -> Request:
        # Action and path are one name in two spellings (Alibaba dossier 4).
        return self.get(_path(action), operation, query=query).with_headers(**_named(action))

    def _order(self, action: str, operation: str, body: dict[str, Any]) -> Request:
        return self.post(_path(action), operation, body, effect=Effect.PAY).with_headers(**_named(action))

    # -- checks before the first request ---------------------------------------------------------------------------

    def check_training(self, request: TrainingRequest, options: AlibabaTraining) -> None:
        """Raise if there is no usable word for what the photos show.

        Raises:
            InvalidOptions: Neither the option `object_type` nor the dataset's class word is one English word.
        """
        word = options.object_type or request.dataset.class_word
        if word is None or not re.fullmatch(OBJECT_TYPE, word):
            raise InvalidOptions(
                f"{self.title} must be told in one English word what the photos show, such as 'girl' or 'panda', not"
                f" {word!r}: set the dataset's class_word, or object_type in extra['alibaba']"
            )

    def check_generation(self, model: TrainedModel, request: GenerationRequest, options: AlibabaGeneration) -> None:  # noqa: ARG002
        """Raise for a model that is none.

        Raises:
            InvalidOptions: It bears the id of a training job instead of a model.
        """
        if model.id.isdigit():
            raise InvalidOptions(f"{model.id!r} is the id of a training job, not of a model; take job.model instead")

    def rehearsed(self, request: Request, before: Sequence[Request]) -> object:  # noqa: ARG002 - none depends on others
        """A job's id made up for a plan."""
        return {"success": True, "data": {"id": "<job>"}} if request.effect is Effect.PAY else None

    # -- operations ------------------------------------------------------------------------------------------------

    def upload(self, image: Image) -> Flow[UploadedImage]:
        """Pass a URL on; the core has put local images on the user's image host before.

        Raises:
            UnsupportedCapability: It is no URL; the vendor takes nothing else.
        """
        yield from ()
        if image.url is None:
            raise UnsupportedCapability(f"{image.name}: {self.title} takes images by public URL only")
        return UploadedImage(provider=self.slug, id=image.url.strip(), name=image.name, caption=image.caption)

    def start(self, request: TrainingRequest, options: AlibabaTraining) -> Flow[Snapshot]:
        """One request; the answer holds a job id but no model id yet (Alibaba dossier 4, note 1)."""
        urls = [image.id for image in request.dataset.images if isinstance(image, UploadedImage)]
        object_type = options.object_type or request.dataset.class_word
        body: dict[str, Any] = {"name": request.name, "objectType": object_type, "imageUrl": urls}
        if request.steps is not None:
            body["trainSteps"] = request.steps
        response = yield self._order("AddModelTrainJob", "training.start", body)
        job_id, record = self._accepted(response)
        job = TrainingJob.read(record, response)
        return of_training(job_id, job, record).model_copy(update={"notes": _notes(request)})

    def generate(
        self,
        model: TrainedModel,
        request: GenerationRequest,
        options: AlibabaGeneration,  # noqa: ARG002 - the vendor has none
    ) -> Flow[Snapshot]:
        """One request; what the vendor uses if the number of images is left out is unknown, so it is always sent."""
        body: dict[str, Any] = {"modelId": model.id, "prompt": request.prompt, "imageNumber": request.n}
        if request.seed is not None:
            body["seed"] = request.seed
        response = yield self._order("AddInferenceJob", "generation.start", body)
        job_id, record = self._accepted(response)
        return of_generation(job_id, InferenceJob.read(record, response), record)

    def _accepted(self, response: Response) -> tuple[str, dict[str, Any]]:
        """Id and record of a job just paid for; an answer that does not name it must not look like a plain refusal."""
        try:
            record = About.parse(response).record
        except MalformedResponse:
            record = {}
        job_id = Named.read(record, response).id
        if job_id is None:
            raise SubmissionUncertain(
                f"{self.title} did not refuse the request, but named no job ({response.excerpt or 'empty answer'});"
                " look for it in the list of jobs before trying again",
                provider=self.slug,
                operation=response.request.operation,
            )
        return job_id, record

    def poll(self, job: Job) -> Flow[Snapshot]:
        """One request, or two where the first one can't tell."""
        return self._poll_training(job) if job.kind == "training" else self._poll_generation(job)

    def _poll_training(self, job: Job) -> Flow[Snapshot]:
        # The list has everything but is unpaged and grows without end; the status operation says one word of one
        # model. Once the model id is known they take turns: half the traffic, and progress at every other look.
        model_id = named(job.raw, "modelId")
        if model_id and "modelTrainStatus" not in job.raw:
            try:
                word = yield from self._train_status(model_id)
            except NotFound:
                pass  # the list is to be trusted more (Alibaba dossier 11)
            else:
                record = {**job.raw, "jobStatus": word, "modelTrainStatus": word}
                last = TrainingJob.model_validate(job.raw)
                return of_training(job.id, last.model_copy(update={"status": word}), record, job)
        response = yield self._ask("QueryModelTrainJobList", "training.poll")
        listed = Listed.training(response, job.id)
        return of_training(job.id, *listed, job) if listed else self._not_listed(job)

    def _train_status(self, model_id: str) -> Flow[str | None]:
        response = yield self._ask("QueryModelTrainStatus", "training.poll", modelId=model_id)
        return TrainStatus.read(About.parse(response).record, response).status

    def _not_listed(self, job: Job) -> Snapshot:
        """A young job may be missing from a list that lags behind (Alibaba dossier 11); an older one is gone."""
        seen, created = job.updated_at, job.created_at
        if seen and created and job.raw and seen - created < LIST_DELAY:
            return Snapshot(id=job.id, status=job.status, raw_status=job.raw_status, raw=job.raw)
        raise NotFound(f"no training job {job.id} in this account's list", operation="training.poll")

    def _poll_generation(self, job: Job) -> Flow[Snapshot]:
        found, record = yield from self._inference(job.id, "generation.poll")
        return of_generation(job.id, found, record, job)

    def _inference(self, job_id: str, operation: str) -> Flow[tuple[InferenceJob, dict[str, Any]]]:
        response = yield self._ask("QueryInferenceJobInfo", operation, inferenceJobId=job_id)
        record = About.parse(response).record
        return InferenceJob.read(record, response), record

    def fetch(self, job: Job, image: GeneratedImage) -> Flow[bytes]:
        """The bytes of one result: through the signed API by its file name, or by its URL if it has one."""
        found = InferenceJob.model_validate(job.raw)
        # A stored record may lack what is needed, and any signature of a URL in it.
        if not (found.model_id and found.prompt_id and found.results) or any(map(is_url, found.results)):
            found, _ = yield from self._inference(job.id, "generation.fetch")
        name = next((name for at, name in enumerate(found.results) if image_id(at, name) == image.id), None)
        if name is None:
            raise NotFound(f"generation {job.id} has no picture {image.id}", operation="generation.fetch")
        if is_url(name):
            response = yield Request("GET", name, "generation.fetch", signed=False)
        else:
            response = yield self._ask(
                "QueryImageAsset",
                "generation.fetch",
                encodeFormat="base64",
                imageId=name,
                modelId=str(found.model_id),
                promptId=str(found.prompt_id),
            )
        return picture(response)

    def list_jobs(self, kind: JobKind) -> Flow[Sequence[Snapshot]]:
        """Every training of the account, or the generations nested in them; newest first."""
        snapshots = self._listed((yield self._ask("QueryModelTrainJobList", f"{kind}.list")), kind)
        return sorted(snapshots, key=lambda snapshot: snapshot.created_at or _EPOCH, reverse=True)

    def poll_many(self, jobs: Sequence[Job]) -> Flow[Mapping[str, Snapshot]]:
        """One request has everything, generations nested in their trainings; single polls of trainings read it too."""
        kind = jobs[0].kind
        listed = self._listed((yield self._ask("QueryModelTrainJobList", f"{kind}.poll")), kind)
        wanted = {job.id for job in jobs}
        return {snapshot.id: snapshot for snapshot in listed if snapshot.id in wanted}

    def _listed(self, response: Response, kind: JobKind) -> list[Snapshot]:
        trainings = list(Listed.trainings(response))
        if kind == "training":
            return [of_training(job.id, job, record) for job, record in trainings if job.id]
        nested = [(InferenceJob.read(record, response), record) for job, _ in trainings for record in job.inferences]
        return [of_generation(job.id, job, record) for job, record in nested if job.id]

    def find(self, lost: Lost) -> Flow[Sequence[Found] | None]:
        """Trainings whose names end with the marker; a generation bears nothing of ours (Alibaba dossier 11)."""
        if lost.request.operation != "training.start":
            return (yield from super().find(lost))
        response = yield self._ask("QueryModelTrainJobList", "training.list")
        mine = [row for row in Listed.trainings(response) if (row[0].name or "").endswith(lost.marker)]
        found = [Found(job.id, job.created_at, {"success": True, "data": record}) for job, record in mine if job.id]
        if not found and (mine or not Listed.parse(response).whole):
            return None  # it may well be there, where it can't be read
        return sorted(found, key=lambda one: one.created_at or lost.since)

    def subject(self, model: TrainedModel) -> str:  # noqa: ARG002 - the same for every model
        """The vendor's own token, which replaces subject and class word alike (Alibaba dossier 7)."""
        return TOKEN

    def addresses_subject(self, model: TrainedModel, prompt: str) -> bool:  # noqa: ARG002 - the same for every model
        """Whether the prompt has the vendor's token."""
        return TOKEN in prompt


def _path(action: str) -> str:
    return f"{PREFIX}/{action[:1].lower()}{action[1:]}"


def _named(action: str) -> dict[str, str]:
    # JSON must be asked for: the gateway may answer in XML else (Alibaba dossier 3.2, form E).
    return {"x-acs-action": _FAMILY + action, "accept": "application/json"}


def _notes(request: TrainingRequest) -> tuple[str, ...]:
    notes: list[str] = []
    if request.dataset.trigger:
        notes.append(f"the trigger {request.dataset.trigger!r} is not sent; {{subject}} in prompts becomes {TOKEN}")
    if len(request.dataset.images) < _FEW_IMAGES:
        notes.append(f"{len(request.dataset.images)} training image(s) are few; the vendor names no minimum")
    return tuple(notes)
