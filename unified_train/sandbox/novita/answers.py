"""The vendor's JSON answers (Novita dossier 3, 4.4, 4.5 and 5.4)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

from unified_train.sandbox.novita.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unified_train.sandbox.novita.jobs import Generation, GenerationView, Training, TrainingView
    from unified_train.sandbox.novita.switches import Switches

_T = TypeVar("_T")

_PAGE = 10
_MAX_PAGE = 100


def submitted(task_id: str, switches: Switches) -> dict[str, Any]:
    """An accepted job: bare, or wrapped as the older guide shows it (Novita dossier 5.3)."""
    bare = {"task_id": task_id}
    return {"code": 0, "msg": "", "data": bare} if switches.wrapped_submit else bare


def training(one: Training, view: TrainingView, switches: Switches) -> dict[str, Any]:
    """The state of a training."""
    answer: dict[str, Any] = {"task_id": one.id, "task_status": view.task_status}
    if view.task_status == "UNKNOWN":
        return answer | {"model_type": "", "models": []}
    answer |= {"model_type": "lora", "models": _models(one, view)}
    if switches.without_models and not view.model_status:
        del answer["models"]
    if not switches.without_extra and view.task_status not in ("FAILED", "CANCELED"):
        answer["extra"] = {"eta_relative": view.eta, "progress_percent": view.progress}
    return spelled(answer, switches)


def listed(one: Training, view: TrainingView) -> dict[str, Any]:
    """A training as the list shows it."""
    return {
        "task_name": one.name,
        "task_id": one.id,
        "task_type": one.kind,
        "task_status": view.task_status,
        "created_at": int(one.created_at),
        "models": _models(one, view),
    }


def _models(one: Training, view: TrainingView) -> list[dict[str, str]]:
    return [{"model_name": one.model_name, "model_status": view.model_status}] if view.model_status else []


def generation(
    one: Generation, view: GenerationView, urls: Sequence[str], switches: Switches, **more: object
) -> dict[str, Any]:
    """The state of a generation, with the images' URLs once there are any."""
    task = {
        "task_id": one.id,
        "task_type": one.ask.task_type,
        "status": view.status,
        "reason": view.reason,
        "eta": view.eta,
        "progress_percent": view.progress,
    }
    answer: dict[str, Any] = {"task": task, "images": [_image(one, url, switches) for url in urls]}
    answer |= {"videos": [], "audios": []}
    if not switches.without_extra:
        seed = str(one.ask.seed) if view.status == "TASK_STATUS_SUCCEED" else ""
        answer["extra"] = {"seed": seed, "enable_nsfw_detection": one.ask.nsfw_check, **more}
    return spelled(answer, switches)


def _image(one: Generation, url: str, switches: Switches) -> dict[str, Any]:
    found = {"valid": True, "confidence": switches.nsfw_confidence} if one.ask.nsfw_check else None
    return {
        "image_url": url,
        "image_url_ttl": str(switches.image_expires),  # a string in real samples, whatever the field table says
        "image_type": one.ask.image_type,
        "nsfw_detection_result": found,
    }


def page(items: Sequence[_T], limit: str | None, cursor: str | None) -> tuple[Sequence[_T], dict[str, str]]:
    """One page and where to go on: a page with anything on it has a next cursor, even if nothing follows.

    Raises:
        Refusal: The limit is not within 1 to 100, or the cursor is none of ours.
    """
    size = int(limit) if limit and re.fullmatch(r"\d{1,3}", limit) else (0 if limit else _PAGE)
    if not 0 < size <= _MAX_PAGE:
        raise Refusal("INVALID_REQUEST_BODY", f"pagination.limit: must be between 1 and {_MAX_PAGE}")
    place = re.fullmatch(r"c_(\d{1,9})", cursor or "c_0")
    if place is None:
        raise Refusal("INVALID_REQUEST_BODY", "pagination.cursor: is not a cursor")
    start = int(place[1])
    found = items[start : start + size]
    return found, {"next_cursor": f"c_{start + size}" if found else ""}


def spelled(answer: dict[str, Any], switches: Switches) -> dict[str, Any]:
    """The answer, with every number as a string if the account is switched so."""
    return {key: _spelled(item) for key, item in answer.items()} if switches.numbers_as_strings else answer


def _spelled(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _spelled(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_spelled(item) for item in value]
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
