"""HTTP in and out: credentials, the table of routes, and the class that the sandbox knows."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse
from starlette.routing import Route

from unified_train.sandbox.scenario import assets, generation, listing, models, teams, training
from unified_train.sandbox.scenario.calls import Call
from unified_train.sandbox.scenario.errors import (
    Refusal,
    expired_token,
    invalid,
    rate_limited,
    too_large,
    unauthorized,
    unknown_route,
)
from unified_train.sandbox.scenario.state import Account

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from unified_train.sandbox.world import World

    Handler = Callable[[Account, Call], dict[str, Any]]

KEY = "sandbox-key"
SECRET = "sandbox-secret"
JWT = "sandbox-jwt"

_PUBLIC = "public-auth-token"
_METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH"]
# The vendor says 6 MB for an image sent inline; taken as the gateway's limit on the whole body (Scenario dossier 2.1).
_LONGEST_BODY = 6 * 1024 * 1024
_HTTP_DRY_RUN, _HTTP_OK, _HTTP_PAYMENT = 269, 200, 402


def _read_job(account: Account, call: Call) -> dict[str, Any]:
    return {"job": account.shapes.job(account.job(call.params["id"]))}


def _act_on_job(account: Account, call: Call) -> dict[str, Any]:
    """`POST /jobs/{id}/action`: never for trainings; the answer may show the old status (Scenario dossier 5)."""
    job = account.job(call.params["id"])
    if call.needed_text("action") != "cancel":
        raise invalid("Field action must be one of: cancel")
    if job.training:
        raise invalid("Cannot cancel this type of job")
    if not job.timeline.finished:
        job.timeline.end_with(account.now, account.switches.cancel_lag, "canceled")
        account.settle()
    return {"job": account.shapes.job(job)}


# In this order: the fixed words before the placeholders that would take them for ids.
ROUTES: dict[str, dict[str, Handler]] = {
    "/assets": {"POST": assets.upload_inline, "GET": listing.list_assets, "DELETE": assets.delete},
    "/assets/get-bulk": {"POST": assets.read_many},
    "/assets/{id}": {"GET": assets.read, "PUT": assets.update},
    "/assets/{id}/tags": {"PUT": assets.tag},
    "/uploads": {"POST": assets.start_upload},
    "/uploads/{id}": {"GET": assets.read_upload},
    "/uploads/{id}/action": {"POST": assets.act_on_upload},
    "/models": {"POST": models.create, "GET": listing.list_models},
    "/models/get-bulk": {"POST": models.read_many},
    "/models/{id}": {"GET": models.read, "PUT": models.update, "DELETE": models.delete},
    "/models/{id}/tags": {"PUT": models.tag},
    "/models/{id}/training-images": {"POST": models.attach},
    "/models/{id}/training-images/pairs": {"PUT": models.replace_pairs},
    "/models/{id}/training-images/{image}": {"PUT": models.replace, "DELETE": models.detach},
    "/models/{id}/train": {"PUT": training.start},
    "/models/{id}/train/action": {"POST": training.act},
    "/jobs": {"GET": listing.list_jobs},
    "/jobs/{id}": {"GET": _read_job},
    "/jobs/{id}/action": {"POST": _act_on_job},
    "/generate/patch": {"POST": generation.patch},
    "/generate/custom/{id}": {"POST": generation.run},
    "/teams/{id}/limits": {"GET": teams.limits},
}
_OPEN_TO_ALL = ("/models", "/models/{id}", "/assets/{id}")


class ScenarioSandbox:
    """Scenario's API for one account whose credentials are public constants.

    Attributes:
        name: Slug of the vendor.
        prefix: Where its paths begin.
        account: The records, for tests in the same process.
    """

    name = "scenario"
    prefix = "/v1"

    def __init__(self, world: World) -> None:
        self.world = world
        self.account = Account(world)

    def routes(self) -> Sequence[Route]:
        """One route for each path; methods that the path does not have are answered as the vendor does."""
        return [
            Route(self.prefix + path, self._endpoint(path, table), methods=_METHODS) for path, table in ROUTES.items()
        ]

    def _endpoint(self, path: str, table: dict[str, Handler]) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            body = await request.body()
            try:
                return self._answer(request, path, table, body)
            except Refusal as refusal:
                return _told(refusal)

        return answer

    def _answer(self, request: Request, path: str, table: dict[str, Handler], body: bytes) -> Response:
        public = self._authorise(request, path)
        handler = table.get(request.method)
        if handler is None:
            raise unknown_route()
        self._throttle()
        if len(body) > _LONGEST_BODY:
            raise too_large()
        call = Call(request.path_params, dict(request.query_params), _parsed(body), public)
        call.check_project()
        self.account.settle()
        return self._reply(call, handler(self.account, call))

    def _authorise(self, request: Request, path: str) -> bool:
        """Whether the caller is the public; anybody else must bring the account's key or token."""
        given = request.headers.get("authorization", "")
        if given == _PUBLIC and request.method == "GET" and path in _OPEN_TO_ALL:
            return True
        if given == f"Bearer {JWT}":
            if self.account.switches.jwt_expired:
                raise expired_token()
            return False
        if given != "Basic " + base64.b64encode(f"{KEY}:{SECRET}".encode()).decode():
            raise unauthorized()
        return False

    def _throttle(self) -> None:
        switches = self.account.switches
        if switches.rate_limit_next > 0:
            switches.rate_limit_next -= 1
            raise rate_limited(1)

    def _reply(self, call: Call, answer: dict[str, Any]) -> Response:
        if "dryRun" not in call.query or "job" in answer:
            return JSONResponse(answer)
        status = self.account.switches.dry_run_status
        if status == _HTTP_OK:
            return JSONResponse({"job": {}, **answer})
        if status == _HTTP_PAYMENT:
            cost = answer["creativeUnitsCost"]
            return JSONResponse({"statusCode": 402, "message": "Dry run completed", "estimatedCost": cost}, status)
        return JSONResponse(answer, status)

    def unknown_route(self, request: Request) -> Response:
        """The answer to a path that the vendor does not have: 403, to strangers 401."""
        try:
            self._authorise(request, "")
        except Refusal as refusal:
            return _told(refusal)
        return _told(unknown_route())

    def expired(self, request: Request) -> Response:
        """The answer to a JWT past its minute, or to a key that was deleted."""
        bearer = request.headers.get("authorization", "").startswith("Bearer ")
        return _told(expired_token() if bearer else unauthorized())

    def reset(self) -> None:
        """Start over with an empty account and all switches as usual."""
        self.account.reset()

    def env(self) -> dict[str, str]:
        """Variables that make the plugin and the vendor's SDK talk to this sandbox."""
        return {
            "SCENARIO_BASE_URL": self.world.base_url + self.prefix,
            "SCENARIO_SDK_API_KEY": KEY,
            "SCENARIO_SDK_API_SECRET": SECRET,
        }

    def switches(self) -> dict[str, object]:
        """Vendor behaviours that can be turned, with their values."""
        return self.account.switches.shown()

    def set_switch(self, name: str, value: object) -> None:
        """Turn one behaviour.

        Raises:
            KeyError: There is no such switch.
            ValueError: The value is not of the switch's kind.
        """
        self.account.switches.turn(name, value)


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body) if body.strip() else {}
    except ValueError:
        raise Refusal(400, {"message": "Invalid request body"}) from None


def _told(refusal: Refusal) -> Response:
    return JSONResponse(refusal.body, refusal.status, headers=refusal.headers)
