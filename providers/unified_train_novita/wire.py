"""The vendor's answers, read leniently: numbers may come as strings, lists as null, fields not at all.

Novita dossier, sections 3, 4.4, 4.5, 5.4 and 7; where its sources disagree, section 12.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AliasChoices, BeforeValidator, Field, StrictInt, StrictStr

from unified_train import Response, Wire


def finite(value: object) -> float | None:
    """A number, also out of a string; None for whatever else stands there."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _number(value: object) -> float | None:
    """A number that is not negative."""
    number = finite(value)
    return number if number is not None and number >= 0 else None


def _whole(value: object) -> int | None:
    """A whole number, also out of a string; not by way of a float, since seeds have 64 bits."""
    try:
        return int(value) if isinstance(value, str | int) and not isinstance(value, bool) else None
    except ValueError:
        return None


def _flag(value: object) -> bool:
    return str(value).lower() == "true"


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _objects(value: object) -> list[Any]:
    """The objects of a list; a single object counts as a list of one, anything else as an empty one."""
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, dict)]


def _rows(value: object) -> list[Any]:
    """The items of a page; nothing may be taken for an empty one that might hold what somebody looks for."""
    items = [value] if isinstance(value, dict) else value
    if items is None:
        return []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ValueError("must be a list of objects")
    return items


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _texts(value: object) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


Number = Annotated[float | None, BeforeValidator(_number)]
Whole = Annotated[int | None, BeforeValidator(_whole)]
Text = Annotated[str, BeforeValidator(_text)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_texts)]
Flag = Annotated[bool, BeforeValidator(_flag)]
Object = BeforeValidator(_object)
Rows = Annotated[list[dict[str, Any]], BeforeValidator(_rows)]


class UploadSlot(Wire):
    """Where to put one training image (Novita dossier 3.1).

    Attributes:
        assets_id: A string or an integer; the vendor wants it back as it came.
        upload_url: Presigned, good for two minutes at the least.
        method: So far always PUT.
        headers: To send with the bytes, each with a list of values.
    """

    assets_id: StrictStr | StrictInt
    upload_url: Annotated[str, Field(pattern=r"^https?://")]
    method: str = "PUT"
    headers: Annotated[dict[str, Any], Object] = {}

    def extra_headers(self) -> dict[str, str]:
        """What must be sent besides what HTTP itself sends: of the sample's headers, none."""
        found = {name.lower(): _object(value).get("values") for name, value in self.headers.items()}
        return {
            name: ", ".join(str(value) for value in values)
            for name, values in found.items()
            if isinstance(values, list) and values and name not in ("host", "content-length", "authorization")
        }


class Submitted(Wire):
    """An accepted job: its id, bare or inside `data` (Novita dossier 5.3)."""

    task_id: Annotated[str, Field(min_length=1)]

    @classmethod
    def of(cls, response: Response) -> Submitted:
        """Read either form.

        Raises:
            MalformedResponse: It is neither.
        """
        body = response.json()
        inner = body.get("data") if isinstance(body, dict) else None
        return cls.read(inner if isinstance(inner, dict) else body, response)


class ModelState(Wire):
    """A trained model and whether it serves."""

    model_name: Text = ""
    model_status: Text = ""


class Progress(Wire):
    """How far a training is."""

    eta_relative: Number = None
    progress_percent: Number = None


Models = Annotated[list[ModelState], BeforeValidator(_objects)]


class TrainingState(Wire):
    """The state of a training (Novita dossier 4.4); `models` is empty, null or missing until there is one."""

    task_status: str
    models: Models = []
    extra: Annotated[Progress, Object] = Field(default_factory=Progress)


class ListedTraining(Wire):
    """A training in the list; the prose calls the models `model`, every sample `models` (Novita dossier 4.5)."""

    task_id: str
    task_status: str
    task_type: str
    task_name: Text = ""
    created_at: Number = None
    models: Annotated[Models, Field(validation_alias=AliasChoices("models", "model"))] = []

    @property
    def created(self) -> datetime | None:
        """When it was accepted; None if that is not told, or no time that a calendar knows."""
        try:
            return datetime.fromtimestamp(self.created_at, UTC) if self.created_at else None
        except (ValueError, OverflowError, OSError):
            return None


class Pagination(Wire):
    """Where the list goes on."""

    next_cursor: Text = ""


class Page(Wire):
    """One page of a list; its items are read one by one."""

    items: Rows
    pagination: Annotated[Pagination, Object] = Field(default_factory=Pagination)


class TrainingList(Page):
    """One page of trainings, newest first in the samples."""

    items: Annotated[Rows, Field(validation_alias="tasks")]


class Catalogue(Page):
    """One page of models (Novita dossier 7)."""

    items: Annotated[Rows, Field(validation_alias="models")]


class Safety(Wire):
    """What the content check found; `valid` says that it ran, not that the picture is harmless."""

    valid: Flag = False
    confidence: Number = None


class Picture(Wire):
    """One generated picture."""

    image_url: Text = ""
    image_type: Text = ""
    nsfw_detection_result: Annotated[Safety, Object] = Field(default_factory=Safety)


class Task(Wire):
    """The head of a generation's state; its id matters only where nobody asked for it, in a webhook."""

    task_id: Text = ""
    status: str
    reason: Text = ""
    eta: Number = None
    progress_percent: Number = None


class GenerationExtra(Wire):
    """What else is told of a generation."""

    seed: Whole = None


class GenerationState(Wire):
    """The state of a generation (Novita dossier 5.4)."""

    task: Task
    images: Annotated[list[Picture], BeforeValidator(_objects)] = []
    extra: Annotated[GenerationExtra, Object] = Field(default_factory=GenerationExtra)

    @property
    def pictures(self) -> list[Picture]:
        """Those images that can be fetched."""
        return [image for image in self.images if image.image_url]
