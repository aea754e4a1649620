"""The service's HTTP surface: nine signed operations under one path (Alibaba dossier 4 and 14)."""

from __future__ import annotations

import asyncio
import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from starlette.routing import Route

from unified_train.sandbox import pictures
from unified_train.sandbox.alibaba import answers, parameters, signature
from unified_train.sandbox.alibaba.errors import (
    Refusal,
    expired,
    missing,
    no_such_api,
    no_such_data,
    no_such_model,
    respond,
    soft,
)
from unified_train.sandbox.alibaba.fetching import photos_of, settle
from unified_train.sandbox.alibaba.state import SIDE, Inference, Job, Records, Training
from unified_train.sandbox.alibaba.switches import Switches

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from unified_train.sandbox.world import World

PREFIX = "/api/v1/personalizedtxt2img"
VERSION = "20240611"
ACCESS_KEY_ID = "sandbox-access-key-id"
ACCESS_KEY_SECRET = "sandbox-access-key-secret"
STS_KEY_ID = "sandbox-sts-key-id"
STS_KEY_SECRET = "sandbox-sts-key-secret"
STS_TOKEN = "sandbox-security-token"
ACCOUNTS = {
    ACCESS_KEY_ID: signature.Account(ACCESS_KEY_SECRET),
    STS_KEY_ID: signature.Account(STS_KEY_SECRET, STS_TOKEN),
}
_STRENGTHS = frozenset({0.3, 0.4, 0.5, 0.6, 0.7, 0.8})  # vendor page 2862803


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: its name on the wire, method, end of the path, and what answers it."""

    action: str
    method: str
    tail: str
    answer: Callable[[Mapping[str, Any]], Awaitable[Response]]


class AlibabaSandbox:
    """Alibaba Cloud AiContent as a local server sees it.

    Args:
        world: clock, object store and submission log of the sandbox it lives in.
    """

    name = "alibaba"
    prefix = PREFIX

    def __init__(self, world: World) -> None:
        self._world = world
        self._switches = Switches()
        self._records = Records()
        self._nonces = signature.Nonces()

    def routes(self) -> Sequence[Route]:
        """The routes of all operations, full paths."""
        return [
            Route(PREFIX + operation.tail, self._endpoint(operation), methods=[operation.method])
            for operation in self._table()
        ]

    def unknown_route(self, request: Request) -> Response:  # noqa: ARG002
        """The gateway's answer to a path it does not have."""
        return respond(no_such_api(), shape=self._switches.error_body)

    def expired(self, request: Request) -> Response:
        """The gateway's answer to a key that was switched off, or to temporary credentials after their time."""
        return respond(expired(request.headers), shape=self._switches.error_body)

    def reset(self) -> None:
        """Forget all jobs and nonces and turn every switch back to its default."""
        self._records.clear()
        self._nonces.clear()
        self._switches = Switches()

    def env(self) -> dict[str, str]:
        """Environment variables that point this vendor's clients at the sandbox."""
        return {
            "ALIBABA_CLOUD_ACCESS_KEY_ID": ACCESS_KEY_ID,
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET": ACCESS_KEY_SECRET,
            "UNIFIED_TRAIN_ALIBABA_BASE_URL": self._world.base_url,
            "UNIFIED_TRAIN_IMAGE_HOST": f"{self._world.base_url}/_host",
        }

    def switches(self) -> dict[str, object]:
        """Every switch and where it stands."""
        return dataclasses.asdict(self._switches)

    def set_switch(self, name: str, value: object) -> None:
        """Turn one switch.

        Raises:
            KeyError: there is no switch of this name.
            ValueError: the switch does not know this value.
        """
        self._switches.turn(name, value)

    def _table(self) -> list[Operation]:
        subject, preset = "Personalizedtxt2img", "PersonalizedTextToImage"
        return [
            Operation(f"{subject}AddModelTrainJob", "POST", "/addModelTrainJob", self._train),
            Operation(f"{subject}QueryModelTrainJobList", "GET", "/queryModelTrainJobList", self._list),
            Operation(f"{subject}QueryModelTrainStatus", "GET", "/queryModelTrainStatus", self._train_status),
            Operation(f"{subject}AddInferenceJob", "POST", "/addInferenceJob", self._infer),
            Operation(f"{subject}QueryInferenceJobInfo", "GET", "/queryInferenceJobInfo", self._inference),
            Operation(f"{subject}QueryImageAsset", "GET", "/queryImageAsset", self._image),
            Operation(f"{preset}AddInferenceJob", "POST", "/addPreModelInferenceJob", self._preset),
            Operation(
                f"{preset}QueryPreModelInferenceJobInfo",
                "GET",
                "/queryPreModelInferenceJobInfo",
                self._preset_inference,
            ),
            Operation(f"{preset}QueryImageAsset", "GET", "/queryImageAssetFromImageId", self._preset_image),
        ]

    def _endpoint(self, operation: Operation) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            try:
                return await operation.answer(await self._admit(request, operation))
            except Refusal as refusal:
                return respond(refusal, shape=self._switches.error_body)

        return endpoint

    async def _admit(self, request: Request, operation: Operation) -> Mapping[str, Any]:
        """The parameters of a request that passed the gateway: signature, clock, nonce, then the operation's name."""
        received = await _received(request)
        now = self._world.clock.date()
        signature.verify_signature(received, ACCOUNTS)
        signature.check_clock(received, now)
        self._nonces.use(received.headers["x-acs-signature-nonce"], now)
        named = (received.method, received.headers["x-acs-action"], received.headers["x-acs-version"])
        if named != (operation.method, operation.action, VERSION):
            raise no_such_api()
        if operation.method == "GET":
            return dict(parse_qsl(received.query, keep_blank_values=True))
        given = parameters.body_of(received.body)
        if self._switches.soft_failure:
            raise soft(self._switches.soft_failure)
        return given

    async def _train(self, given: Mapping[str, Any]) -> Response:
        name = parameters.text(given, "name")
        object_type = parameters.text(given, "objectType")
        photos = photos_of(parameters.texts(given, "imageUrl"), self._world)
        parameters.integer(given, "trainSteps")
        now, date = self._world.clock.now(), self._world.clock.date()
        job = self._records.train(name, object_type, photos, now=now, date=date, switches=self._switches)
        self._world.submitted(self.name, "training", str(job.id), name)
        return answers.accepted(answers.training(job, now, self._switches), self._switches)

    async def _list(self, given: Mapping[str, Any]) -> Response:  # noqa: ARG002
        now = await self._moment(self._records.trainings)
        shown = [job for job in self._records.trainings if job.listed(now)]
        data = [answers.training(job, now, self._switches) for job in shown]
        return answers.accepted(data, self._switches)

    async def _train_status(self, given: Mapping[str, Any]) -> Response:
        model_id = parameters.text(given, "modelId")
        job, now = await self._model(model_id)
        if job is None:
            raise no_such_model()
        return answers.accepted({"modelTrainStatus": job.status(now)}, self._switches)

    async def _infer(self, given: Mapping[str, Any]) -> Response:
        model_id, prompt = parameters.text(given, "modelId"), parameters.text(given, "prompt")
        count, seed = parameters.integer(given, "imageNumber"), parameters.integer(given, "seed")
        model, now = await self._model(model_id)
        if model is None:
            raise no_such_model() if self._switches.unknown_model == "not_found" else soft()
        if model.status(now) != "FINISHED":
            raise no_such_model() if self._switches.unfinished_model == "not_found" else soft()
        job = self._records.infer(
            model,
            prompt=prompt,
            count=count,
            seed=seed,
            now=now,
            date=self._world.clock.date(),
            switches=self._switches,
        )
        return self._accept(job, now)

    async def _inference(self, given: Mapping[str, Any]) -> Response:
        return await self._describe(given, "trained")

    async def _preset_inference(self, given: Mapping[str, Any]) -> Response:
        return await self._describe(given, "preset")

    async def _image(self, given: Mapping[str, Any]) -> Response:
        model_id, prompt_id = parameters.text(given, "modelId"), parameters.text(given, "promptId")
        image_id, encode = parameters.text(given, "imageId"), _wants_base64(given)
        model = self._records.models.get(model_id)
        made = [job for job in model.made if job.prompt_id == prompt_id] if model else []
        return await self._show(made, image_id, encode=encode)

    async def _preset(self, given: Mapping[str, Any]) -> Response:
        urls, prompt = parameters.texts(given, "imageUrl"), parameters.text(given, "prompt")
        count, seed = parameters.integer(given, "imageNumber"), parameters.integer(given, "seed")
        if given.get("strength", 0.5) not in _STRENGTHS:
            raise missing("strength")
        now, date = self._world.clock.now(), self._world.clock.date()
        photos = photos_of(urls, self._world)
        job = self._records.infer(
            photos, prompt=prompt, count=count, seed=seed, now=now, date=date, switches=self._switches
        )
        return self._accept(job, now)

    async def _preset_image(self, given: Mapping[str, Any]) -> Response:
        image_id, encode = parameters.text(given, "imageId"), _wants_base64(given)
        made = [job for job in self._records.inferences.values() if job.family == "preset"]
        return await self._show(made, image_id, encode=encode)

    def _accept(self, job: Inference, now: float) -> Response:
        self._world.submitted(self.name, "generation", str(job.id), job.prompt)
        return answers.accepted(answers.inference(job, now, self._switches), self._switches)

    async def _describe(self, given: Mapping[str, Any], family: str) -> Response:
        job = self._records.inference(parameters.text(given, "inferenceJobId"), family)
        if job is None:
            raise no_such_data("推理任务")
        now = await self._moment([job])
        return answers.accepted(answers.inference(job, now, self._switches), self._switches)

    async def _show(self, made: Sequence[Inference], image_id: str, *, encode: bool) -> Response:
        now = await self._moment(made)
        for job in made:
            names = job.results(now) or []
            if image_id in names:
                return answers.image(await _picture(job, names.index(image_id)), encode, self._switches)
        raise no_such_data("图片")

    async def _model(self, model_id: str) -> tuple[Training | None, float]:
        """The training that shows this model id now, and the time now."""
        job = self._records.models.get(model_id)
        now = await self._moment([job] if job else [])
        return (job if job and job.visible_model_id(now) else None), now

    async def _moment(self, jobs: Iterable[Job]) -> float:
        """The time now, once the pictures of every job that would have been looked at by then were.

        The answer must be given as of this time: later ones may need pictures that nobody fetched yet.
        """
        now, foreign = self._world.clock.now(), self._switches.fetch_foreign_urls
        fresh = [job.photos for job in jobs if not job.photos.fetched and job.wants_photos(now)]
        await asyncio.gather(*(settle(photos, foreign=foreign) for photos in fresh))
        return now


async def _picture(job: Inference, index: int) -> bytes:
    if index not in job.pictures:
        job.pictures[index] = await asyncio.to_thread(
            pictures.compose,
            job.photos.data,
            prompt=job.prompt,
            seed=job.seed + index,
            width=SIDE,
            height=SIDE,
            look="alibaba",
            faithful=job.addressed,
        )
    return job.pictures[index]


async def _received(request: Request) -> signature.Received:
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    path: bytes = request.scope["raw_path"]
    query: bytes = request.scope["query_string"]
    body = await request.body()
    return signature.Received(request.method, path.decode("latin-1"), query.decode("latin-1"), headers, body)


def _wants_base64(given: Mapping[str, Any]) -> bool:
    wanted = given.get("encodeFormat", "")
    if wanted not in {"", answers.BASE64}:
        raise missing("encodeFormat")
    return bool(wanted)
