"""The vendor's addresses: HTTP in, HTTP out (Novita dossier 13)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from unified_train.sandbox.novita import answers, catalogue, checks, facts
from unified_train.sandbox.novita.errors import Refusal
from unified_train.sandbox.novita.fields import Fields
from unified_train.sandbox.novita.gallery import Gallery
from unified_train.sandbox.novita.jobs import GenerationView, TrainingView
from unified_train.sandbox.novita.state import Account
from unified_train.sandbox.novita.switches import Switches
from unified_train.sandbox.novita.webhook import Webhooks
from unified_train.sandbox.wire import BodyError, json_body

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from starlette.requests import Request

    from unified_train.sandbox.novita.jobs import Generation, Kind, Training
    from unified_train.sandbox.world import World

    Handler = Callable[[Request], Awaitable[dict[str, Any]]]

API_KEY = "sandbox-novita-key"


class NovitaSandbox:
    """The emulated vendor: one account with one key."""

    name = "novita"
    prefix = "/v3"

    def __init__(self, world: World) -> None:
        self._world = world
        self._switches = Switches()
        self._account = Account(world, self._switches)
        self._gallery = Gallery(world)
        self._webhooks = Webhooks()

    def routes(self) -> Sequence[Route]:
        """Every address, with its prefix."""
        return [
            self._route("POST", "/v3/assets/training_dataset", self._promise_upload),
            self._route("POST", "/v3/training/style", self._start_style),
            self._route("GET", "/v3/training/style", self._style),
            self._route("POST", "/v3/training/subject", self._start_subject),
            self._route("GET", "/v3/training/subject", self._subject),
            self._route("GET", "/v3/training", self._list_trainings),
            self._route("POST", "/v3/async/txt2img", self._txt2img),
            self._route("POST", "/v3/async/img2img", self._img2img),
            self._route("GET", "/v3/async/task-result", self._task_result),
            self._route("GET", "/v3/model", self._list_models),
            self._route("GET", "/v3/user", self._user),
            self._route("GET", "/openapi/v1/billing/balance/detail", self._balance),
        ]

    def unknown_route(self, request: Request) -> Response:  # noqa: ARG002 - the same for every request
        """The vendor's answer to an address that it does not have."""
        return Refusal("API_NOT_FOUND", "route not found").response()

    def expired(self, request: Request) -> Response:  # noqa: ARG002 - the same for every request
        """The vendor's answer to a key that it does not know any more."""
        return Refusal("INVALID_API_KEY", "invalid api-key").response()

    def reset(self) -> None:
        """Forget all jobs and turn every switch back."""
        self._switches.restore()
        self._account.reset()
        self._gallery.reset()
        self._webhooks.reset()

    def env(self) -> dict[str, str]:
        """The variables that point the provider, and the vendor's samples, to this server."""
        return {"NOVITA_API_URI": self._world.base_url, "NOVITA_API_KEY": API_KEY}

    def switches(self) -> dict[str, object]:
        """Every switch with its position."""
        return self._switches.as_dict()

    def set_switch(self, name: str, value: object) -> None:
        """Turn one switch.

        Raises:
            KeyError: There is no such switch.
            ValueError: The switch has no such position.
        """
        self._switches.turn(name, value)

    def _route(self, method: str, path: str, handler: Handler) -> Route:
        async def endpoint(request: Request) -> Response:
            try:
                self._authenticate(request)
                return JSONResponse(await handler(request))
            except Refusal as refusal:
                return refusal.response()

        return Route(path, endpoint, methods=[method])

    def _authenticate(self, request: Request) -> None:
        """A bad key and, as was observed, a missing one are 403; the table's 400 is a switch (Novita dossier 12)."""
        given = request.headers.get("authorization", "")
        if not given and self._switches.missing_key_is_400:
            raise Refusal("MISSING_API_KEY", "missing api-key")
        scheme, _, key = given.partition(" ")
        if scheme.lower() != "bearer" or key != API_KEY:
            raise Refusal("INVALID_API_KEY", "invalid api-key")

    async def _promise_upload(self, request: Request) -> dict[str, Any]:
        asked = Fields(await _json(request))
        asset = self._account.promise_upload(asked.text("file_extension", choices=facts.FILE_EXTENSIONS))
        url = self._world.objects.presign("PUT", facts.UPLOAD_BUCKET, asset.key, expires=self._switches.upload_expires)
        host = url.partition("://")[2].partition("/")[0]
        return {"assets_id": asset.id, "upload_url": url, "method": "PUT", "headers": {"Host": {"values": [host]}}}

    async def _start_style(self, request: Request) -> dict[str, Any]:
        return await self._start_training(request, "style")

    async def _start_subject(self, request: Request) -> dict[str, Any]:
        return await self._start_training(request, "subject")

    async def _start_training(self, request: Request, kind: Kind) -> dict[str, Any]:
        ask = checks.training(await _json(request), kind, strict_captions=self._switches.strict_captions)
        return answers.submitted(self._account.start_training(ask).id, self._switches)

    async def _style(self, request: Request) -> dict[str, Any]:
        return self._training(request, "style")

    async def _subject(self, request: Request) -> dict[str, Any]:
        return self._training(request, "subject")

    def _training(self, request: Request, kind: Kind) -> dict[str, Any]:
        training = self._account.training(_query(request, "task_id"), kind)
        training.looks += 1
        now = self._world.clock.now()
        view = training.view(now)
        if self._blip(training) and not training.ended(now):
            view = TrainingView("UNKNOWN")
        return answers.training(training, view, self._switches)

    async def _list_trainings(self, request: Request) -> dict[str, Any]:
        kind = request.query_params.get("task_type")
        found, pagination = answers.page(self._account.listed(kind), *_paging(request))
        now = self._world.clock.now()
        tasks = [answers.listed(one, one.view(now)) for one in found]
        return answers.spelled({"tasks": tasks, "pagination": pagination}, self._switches)

    async def _txt2img(self, request: Request) -> dict[str, Any]:
        return await self._start_generation(request, "TXT_TO_IMG")

    async def _img2img(self, request: Request) -> dict[str, Any]:
        return await self._start_generation(request, "IMG_TO_IMG")

    async def _start_generation(
        self, request: Request, task_type: Literal["TXT_TO_IMG", "IMG_TO_IMG"]
    ) -> dict[str, Any]:
        generation = self._account.start_generation(checks.generation(await _json(request), task_type))
        if webhook := generation.ask.webhook:

            def ended() -> bool:
                return generation.ended(self._world.clock.now())

            async def payload() -> dict[str, Any]:
                return await self._generation(generation, webhook=webhook.echo)

            self._webhooks.report(webhook.url, ended, payload)
        return answers.submitted(generation.id, self._switches)

    async def _task_result(self, request: Request) -> dict[str, Any]:
        generation = self._account.generation(_query(request, "task_id"))
        generation.looks += 1
        if self._blip(generation) and not generation.ended(self._world.clock.now()):
            return answers.generation(generation, GenerationView("TASK_STATUS_UNKNOWN"), [], self._switches)
        return await self._generation(generation)

    async def _generation(self, generation: Generation, **extra: object) -> dict[str, Any]:
        view = generation.view(self._world.clock.now())
        urls: list[str] = []
        if view.status == "TASK_STATUS_SUCCEED":
            urls = await self._gallery.urls(generation, expires=self._switches.image_expires)
        return answers.generation(generation, view, urls, self._switches, **extra)

    def _blip(self, job: Training | Generation) -> bool:
        return self._switches.unknown_blips and job.looks % 2 == 1

    async def _list_models(self, request: Request) -> dict[str, Any]:
        now = self._world.clock.now()
        trained = [(one, one.serves(now)) for one in self._account.models()]
        models = [*catalogue.private_models(trained), *catalogue.public_models()]
        found, pagination = answers.page(catalogue.chosen(models, request.query_params), *_paging(request))
        return {"models": list(found), "pagination": pagination}

    async def _user(self, _request: Request) -> dict[str, Any]:
        return {"allow_features": ["training"], "credit_balance": self._switches.balance, "free_trial": {}}

    async def _balance(self, _request: Request) -> dict[str, Any]:
        nothing = dict.fromkeys(("creditLimit", "pendingCharges", "outstandingInvoices"), "0")
        has = str(self._switches.balance)
        return {"availableBalance": has, "cashBalance": has, **nothing}


async def _json(request: Request) -> dict[str, Any]:
    try:
        return await json_body(request)
    except BodyError as error:
        raise Refusal("INVALID_REQUEST_BODY", str(error)) from None


def _query(request: Request, name: str) -> str:
    value = request.query_params.get(name)
    if not value:
        raise Refusal("INVALID_REQUEST_BODY", f"{name}: is required")
    return value


def _paging(request: Request) -> tuple[str | None, str | None]:
    return request.query_params.get("pagination.limit"), request.query_params.get("pagination.cursor")
