"""Answers as Scenario would give them, made up for a plan: ids in angle brackets, and nothing that is not read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unified_train import JsonBody

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unified_train import Request

_UPLOADS = ("upload.image", "upload.slot")


def answer(request: Request, before: Sequence[Request]) -> object:
    """The JSON that would answer a request; an empty object where nothing of it is read.

    Args:
        request: Not sent.
        before: What came before it in the same plan.
    """
    if request.operation.startswith("upload."):
        return _of_upload(request, sum(one.operation in _UPLOADS for one in before))
    return _of_model(request, before)


def _of_upload(request: Request, number: int) -> object:
    """Of an image, after so many others; the URLs of its parts are on a host that nobody knows before."""
    if request.operation == "upload.image":
        return {"asset": {"id": f"<asset {number + 1}>"}}
    if request.operation == "upload.slot":
        parts = [{"number": part, "url": f"https://presigned.invalid/{part}"} for part in _parts(request)]
        return {"upload": {"id": f"<upload {number + 1}>", "parts": parts}}
    return {"upload": {"id": f"<upload {number}>", "status": "imported", "entityId": f"<asset {number}>"}}


def _of_model(request: Request, before: Sequence[Request]) -> object:
    answers: dict[str, object] = {
        "training.create": {"model": {"id": "<model>"}},
        "training.attach": {"trainingImage": {"id": "<asset>"}},
        "training.pairs": {"pairs": _body(request)},
        "training.verify": {"model": {"id": "<model>", "trainingImagesNumber": _attached(before)}},
        "training.start": {"job": {"jobId": "<job>"}},
        "model.read": {"model": {"id": request.url.rpartition("/")[2]}},
        "generation.start": {"job": {"jobId": "<job>"}},
    }
    return answers.get(request.operation, {})


def _parts(request: Request) -> range:
    return range(1, int(_body(request)["parts"]) + 1)


def _attached(before: Sequence[Request]) -> int:
    return sum(len(_body(one)["assetIds"]) for one in before if one.operation == "training.attach")


def _body(request: Request) -> Any:
    return request.body.value if isinstance(request.body, JsonBody) else None
