"""The vendor's reports of finished generations (Novita dossier 6).

Nothing signs them, so that whoever knows the address can send one: they are read strictly and believed in nothing.
"""

from __future__ import annotations

import json
import re
from typing import Any

from pydantic import ValidationError

from unified_train_novita.wire import GenerationState

EVENT = "ASYNC_TASK_RESULT"
_ID = re.compile(r"[^\s,]{1,200}")  # no comma, which would stand for several jobs


def read(body: bytes) -> tuple[str, GenerationState, dict[str, Any]]:
    """A task's id, and its state in the form of a result.

    Raises:
        ValueError: It is not that; the message says why.
    """
    event = _event(body)
    payload = event.get("payload")
    if event.get("event_type") != EVENT:
        raise ValueError(f"its event_type is not {EVENT}; other events are to be ignored")
    try:
        told = GenerationState.model_validate(payload)
    except ValidationError:
        raise ValueError("its payload has no task with a status") from None
    if not isinstance(payload, dict) or not _ID.fullmatch(told.task.task_id):
        raise ValueError("its task has no id")
    return told.task.task_id, told, payload


def _event(body: bytes) -> dict[str, Any]:
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):  # the latter for what is nested without end
        raise ValueError("it is not JSON") from None
    if not isinstance(event, dict):
        raise ValueError("it is no JSON object")  # noqa: TRY004 - of the sender's data, not of our own types
    return event
