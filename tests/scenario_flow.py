"""Driving the Scenario provider's flows by hand: what is sent, and what is made of the answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

from unified_train import InvalidRequest, Request, Response, UploadedImage

if TYPE_CHECKING:
    from unified_train import Flow

T = TypeVar("T")
API = "https://api.cloud.scenario.com/v1"
NOW = "Fri, 20 Nov 2026 12:00:00 GMT"
BEFORE = "2026-11-20T11:59:30.000Z"
ONLY_CUSTOM = InvalidRequest("Custom models only are supported for this endpoint", http_status=400)
DUPLICATE = InvalidRequest("The provided assetId is already a training image of this model.", http_status=400)


def answered(flow: Flow[T], *answers: object) -> tuple[list[Request], T]:
    """Run a flow to its end on these answers, and return what it sent and its result."""
    sent: list[Request] = []
    try:
        request = next(flow)
        for answer in answers:
            sent.append(request)
            request = flow.throw(answer) if isinstance(answer, Exception) else flow.send(response(request, answer))
    except StopIteration as stop:
        result: T = stop.value
        assert len(sent) == len(answers)
        return sent, result
    raise AssertionError(f"the flow wants more: {request}")


def response(request: Request, answer: object, *, date: str = NOW) -> Response:
    content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return Response(request, 200, {"date": date}, content)


def body(request: Request) -> Any:
    assert request.body is not None
    return json.loads(request.body.read())


def told(requests: list[Request]) -> list[tuple[str, str]]:
    return [(request.method, request.url.removeprefix(API)) for request in requests]


def model(status: str = "training", **fields: Any) -> dict[str, Any]:
    return {"model": {"id": "model_1", "status": status, "type": "flux.2-dev-lora", "name": "cats", **fields}}


def job(status: str = "in-progress", **fields: Any) -> dict[str, Any]:
    return {"job": {"jobId": "job_1", "status": status, "metadata": {}, "updatedAt": BEFORE, **fields}}


def images(*ids: str) -> list[dict[str, str]]:
    return [{"id": identifier} for identifier in ids]


def uploaded(number: int, caption: str | None = None) -> UploadedImage:
    return UploadedImage(provider="scenario", id=f"asset_{number}", name=f"{number}.png", caption=caption)
