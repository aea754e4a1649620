"""What can be turned in this vendor's behaviour: everything its documentation leaves open, or shows in two ways."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

TRAINING_SECONDS = 1200.0
INFERENCE_SECONDS = 20.0


@dataclass(slots=True)
class Switches:
    """The vendor's behaviours, each at its default.

    Attributes:
        answer_fields: ``recorded`` shows nulls where recorded answers have them, ``null`` shows every unset field as
            null, ``missing`` leaves every unset field out (Alibaba dossier 3.1).
        id_type: ``string`` or ``integer`` for job ids (Alibaba dossier 6).
        time_digits: digits of the fraction of ``createTime``, 0 to 9 (Alibaba dossier 6).
        error_body: ``gateway`` or ``envelope``, the body of the service's own error codes (Alibaba dossier 3.2).
        soft_failure: an error code; while it is set, both POSTs are refused with it under HTTP 200.
        success_code: an error code shown beside ``success`` true, as published samples have it (Alibaba dossier 3.1).
        training_outcome: the last status of trainings created from now on: ``FINISHED``, ``OOM`` or any other word.
        inference_outcome: the same for generations; ``EMPTY`` finishes without a picture.
        crowded_seconds: how long a new generation shows ``TOO_MANY_INFERENCE_REQUESTS`` before it goes on, in
            simulated seconds.
        unfinished_model: ``soft`` or ``not_found``, the answer to a generation with a model still in training.
        unknown_model: ``not_found`` or ``soft``, the answer to a generation with a model that does not exist.
        model_id_appears: the status from which on a training shows its ``modelId``.
        image_encoding: where the base64 text of a picture stands: ``json`` (a JSON string), ``bare`` (plain text),
            ``envelope`` (its ``data``); ``raw`` ignores ``encodeFormat`` and sends the bytes (Alibaba dossier 8).
        fetch_foreign_urls: ``loopback``, ``all`` or ``none``: which URLs outside this sandbox are really fetched;
            the others end in ``WRONG_IMAGE_URL``.
        progress_scale: 1 or 100, what a complete ``jobTrainProgress`` would be.
        list_delay: how long a new training is missing from the list, and a new generation from its training's there,
            in simulated seconds.
        training_seconds: how long a training takes, in simulated seconds.
        inference_seconds: how long a generation takes, in simulated seconds.
    """

    answer_fields: str = "recorded"
    id_type: str = "string"
    time_digits: int = 7
    error_body: str = "gateway"
    soft_failure: str = ""
    success_code: str = ""
    training_outcome: str = "FINISHED"
    inference_outcome: str = "FINISHED"
    crowded_seconds: float = 0.0
    unfinished_model: str = "soft"
    unknown_model: str = "not_found"
    model_id_appears: str = "WAIT_SCHEDULE"
    image_encoding: str = "json"
    fetch_foreign_urls: str = "loopback"
    progress_scale: int = 1
    list_delay: float = 0.0
    training_seconds: float = TRAINING_SECONDS
    inference_seconds: float = INFERENCE_SECONDS

    def turn(self, name: str, value: object) -> None:
        """Set one switch.

        Raises:
            KeyError: there is no switch of this name.
            ValueError: the switch does not know this value.
        """
        if name not in _NAMES:
            raise KeyError(name)
        setattr(self, name, _convert(name, value, type(getattr(self, name))))


_NAMES = frozenset(field.name for field in fields(Switches))
_CHOICES: dict[str, tuple[Any, ...]] = {
    "answer_fields": ("recorded", "null", "missing"),
    "id_type": ("string", "integer"),
    "time_digits": tuple(range(10)),
    "error_body": ("gateway", "envelope"),
    "unfinished_model": ("soft", "not_found"),
    "unknown_model": ("not_found", "soft"),
    "model_id_appears": ("SUBMITTED", "WAIT_SCHEDULE", "TRAINING"),
    "image_encoding": ("json", "bare", "raw", "envelope"),
    "fetch_foreign_urls": ("loopback", "all", "none"),
    "progress_scale": (1, 100),
}


def _convert(name: str, value: object, kind: type) -> object:
    choices = _CHOICES.get(name)
    if choices is not None:
        if isinstance(value, bool) or value not in choices:
            raise ValueError(f"{name} is one of {', '.join(map(repr, choices))}, not {value!r}")
        return value
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf:
        return float(value)
    if kind is str and isinstance(value, str):
        return value
    raise ValueError(f"{name} takes {'seconds, 0 or more' if kind is float else 'text'}, not {value!r}")
