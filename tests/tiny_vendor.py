"""A vendor with one paid operation and a few strange ones, for tests of what all emulated vendors share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
from starlette.background import BackgroundTask
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from unified_train.sandbox.wire import json_body

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from starlette.requests import Request

    from unified_train.sandbox import Sandbox
    from unified_train.sandbox.world import World

ANSWER = {"task": {"id": "1", "status": "OK"}, "images": ["a", "b"], "extra": True}


class Tiny:
    """A vendor with one paid operation and a few strange ones."""

    name = "tiny"
    prefix = "/tiny"

    def __init__(self, world: World) -> None:
        self.world = world
        self.reset()

    def routes(self) -> Sequence[Route]:
        return [
            Route("/tiny/jobs", self.submit, methods=["POST"]),
            Route("/tiny/plain", self.plain),
            Route("/tiny/stream", self.stream),
            Route("/tiny/crash", self.crash),
        ]

    def unknown_route(self, request: Request) -> Response:
        return JSONResponse({"tiny": f"no {request.method} {request.url.path}"}, 403)

    def expired(self, request: Request) -> Response:
        return JSONResponse({"tiny": "your key is too old"}, 401)

    def reset(self) -> None:
        self.accepted: list[Any] = []
        self.background = 0
        self.mood = "good"

    def env(self) -> dict[str, str]:
        return {"TINY_URL": self.world.base_url}

    def switches(self) -> dict[str, object]:
        return {"mood": self.mood}

    def set_switch(self, name: str, value: object) -> None:
        if name != "mood":
            raise KeyError(name)
        if not isinstance(value, str):
            raise TypeError("a mood is text")
        self.mood = value

    async def submit(self, request: Request) -> Response:
        self.accepted.append(await json_body(request))
        self.world.submitted("tiny", "training", "1", "first")
        return JSONResponse(ANSWER, headers={"X-Tiny": "yes"}, background=BackgroundTask(self.after))

    async def after(self) -> None:
        self.background += 1

    async def plain(self, _: Request) -> Response:
        return PlainTextResponse("hello, world")

    async def stream(self, _: Request) -> Response:
        async def parts() -> AsyncIterator[str]:
            yield '{"a": '
            yield "1}"

        return StreamingResponse(parts(), media_type="application/json")

    async def crash(self, _: Request) -> Response:
        raise ZeroDivisionError


class Setup:
    """One sandbox with the tiny vendor, and a client of it."""

    def __init__(self, sandbox: Sandbox, http: httpx.Client) -> None:
        self.sandbox = sandbox
        self.world = sandbox.world
        self.http = http
        vendor = sandbox.vendors["tiny"]
        assert isinstance(vendor, Tiny)
        self.vendor = vendor

    def fault(self, **fault: Any) -> None:
        answer = self.http.post("/_sandbox/faults", json={"path": "/tiny/*", **fault})
        assert answer.status_code == 200, answer.text

    def submit(self) -> httpx.Response:
        return self.http.post("/tiny/jobs", json={"name": "first"})
