"""Jobs as this vendor writes them into JSON (Alibaba dossier 4.1, 4.2 and 6)."""

from __future__ import annotations

import base64
import json
from datetime import timedelta, timezone
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response

from unified_train.sandbox.alibaba.errors import envelope

if TYPE_CHECKING:
    from datetime import datetime

    from unified_train.sandbox.alibaba.state import Inference, Job, Training
    from unified_train.sandbox.alibaba.switches import Switches

_CHINA = timezone(timedelta(hours=8))  # times are written without a zone, yet are those of UTC+8 (Alibaba dossier 6)
_LATE = frozenset({"modelId", "jobTrainProgress"})  # absent, not null, in recorded answers (Alibaba dossier 4.1)
USER_ID = "100000000001"
BASE64 = "base64"


def accepted(data: Any, switches: Switches) -> JSONResponse:
    """A success in its envelope."""
    code = switches.success_code or None
    body = envelope(data, code=code, message=code and "未知错误")
    return JSONResponse(_without_nulls(body) if switches.answer_fields == "missing" else body)


def training(job: Training, now: float, switches: Switches) -> dict[str, Any]:
    """The training job object, as one is answered to its creation and listed later."""
    made = [one for one in job.made if one.listed(now)]
    fields = {
        "id": _id(job.id, switches),
        "modelId": job.visible_model_id(now),
        "name": job.name,
        "objectType": job.object_type,
        "imageUrl": list(job.photos.urls),
        "jobStatus": job.status(now),
        "jobTrainProgress": _progress(job, now, switches),
        "inferenceJobList": [inference(one, now, switches) for one in made] or None,
        "inferenceImageCount": sum(len(one.results(now) or []) for one in made),
        "createTime": local_time(job.date, switches.time_digits),
    }
    return _unset(fields, switches)


def inference(job: Inference, now: float, switches: Switches) -> dict[str, Any]:
    """The inference job object; prompt, seed and number of images are not echoed."""
    fields = {
        "id": _id(job.id, switches),
        "promptId": job.prompt_id,
        "modelId": job.model_id,
        "jobStatus": job.status(now),
        "jobTrainProgress": _progress(job, now, switches),
        "resultImageUrl": job.results(now),
        "createUserId": USER_ID,
        "createTime": local_time(job.date, switches.time_digits),
    }
    return _unset(fields, switches)


def image(data: bytes, encode: bool, switches: Switches) -> Response:
    """One picture, in the encoding asked for and the look that is switched on (Alibaba dossier 8)."""
    if not encode or switches.image_encoding == "raw":
        return Response(data, media_type="image/png")
    text = base64.b64encode(data).decode()
    if switches.image_encoding == "bare":
        return Response(text, media_type="text/plain")
    body = text if switches.image_encoding == "json" else envelope(text)
    return Response(json.dumps(body), media_type="application/json")


def local_time(date: datetime, digits: int) -> str:
    """A time as this vendor writes it: UTC+8 without saying so, with a fraction of 0 to 9 digits."""
    local = date.astimezone(_CHINA)
    fraction = f"{local.microsecond:06}205"[:digits]
    return local.replace(tzinfo=None).isoformat(timespec="seconds") + (f".{fraction}" if fraction else "")


def _id(number: int, switches: Switches) -> str | int:
    return number if switches.id_type == "integer" else str(number)


def _progress(job: Job, now: float, switches: Switches) -> float | None:
    progress = job.progress(now)
    return None if progress is None else round(progress * switches.progress_scale, 4)


def _unset(fields: dict[str, Any], switches: Switches) -> dict[str, Any]:
    if switches.answer_fields == "missing":
        return _without_nulls(fields)
    if switches.answer_fields == "null":
        return fields
    return {name: value for name, value in fields.items() if value is not None or name not in _LATE}


def _without_nulls(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
