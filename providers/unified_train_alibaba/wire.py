"""This vendor's answers, parsed: ids that are numbers or text, times without a zone, nulls, pictures in four coats."""

from __future__ import annotations

import binascii
import json
import math
import re
from base64 import b64decode
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from unified_train import Wire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unified_train import Response

_CHINA = timezone(timedelta(hours=8))
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:?\d\d)?")
_DATA_URL = re.compile(r"data:image/[\w.+-]+;base64,", re.IGNORECASE)
_PERCENT = 100


def as_text(value: object) -> str | None:
    """An id or word as text; ids are numbers in older answers (Alibaba dossier 6). None for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value).strip() or None


def as_progress(value: object) -> float | None:
    """Progress from 0 to 1. Only 0.5 is documented, so numbers up to 100 are taken for percent (Alibaba dossier 6)."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        return None
    if value <= 1:
        return float(value)
    return value / _PERCENT if value <= _PERCENT else None


def as_time(value: object) -> datetime | None:
    """A moment in UTC: the vendor writes UTC+8 without saying so, with 0 to 9 decimals (Alibaba dossier 6)."""
    found = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if not found:
        return None
    date, time, fraction, zone = found.groups()
    try:
        moment = datetime.fromisoformat(f"{date}T{time}.{(fraction or '0')[:6]:0<6}{zone or '+08:00'}")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def as_names(value: object) -> tuple[str, ...]:
    """File names of results; null, missing and empty mean the same (Alibaba dossier 3.1)."""
    return tuple(filter(None, map(as_text, value))) if isinstance(value, list) else ()


def as_records(value: object) -> tuple[dict[str, Any], ...]:
    """The objects of a list; null, missing and empty mean the same (Alibaba dossier 3.1)."""
    return tuple(item for item in value if isinstance(item, dict)) if isinstance(value, list) else ()


def as_rows(value: object) -> list[Any]:
    """A list; nothing else may be taken for an empty one, since it might hold what somebody looks for."""
    if value and not isinstance(value, list):
        raise ValueError("must be a list")
    return value if isinstance(value, list) else []


def as_record(value: object) -> dict[str, Any]:
    """The object that an answer is about; published tables show `[]` where one belongs (Alibaba dossier 6)."""
    if value and not isinstance(value, dict):
        raise ValueError("must be an object")
    return value if isinstance(value, dict) else {}


Text = Annotated[str | None, BeforeValidator(as_text)]


class Answer(Wire):
    """A part of an answer; an older schema writes its keys with a capital letter (Alibaba dossier 4.1)."""

    @model_validator(mode="before")
    @classmethod
    def _small_keys(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {name[:1].lower() + name[1:]: item for name, item in value.items() if isinstance(name, str)}


class Envelope(Answer):
    """What every answer but a picture comes in; refusals are sorted out before it is read (Alibaba dossier 3.1)."""

    data: Any = None


class About(Answer):
    """An envelope around one object."""

    record: Annotated[dict[str, Any], BeforeValidator(as_record), Field(alias="data")] = {}


class Named(Answer):
    """Anything with an id."""

    id: Text = None


class InferenceJob(Named):
    """One generation (Alibaba dossier 4.2)."""

    prompt_id: Text = Field(default=None, alias="promptId")
    model_id: Text = Field(default=None, alias="modelId")
    status: Text = Field(default=None, alias="jobStatus")
    progress: Annotated[float | None, BeforeValidator(as_progress)] = Field(default=None, alias="jobTrainProgress")
    results: Annotated[tuple[str, ...], BeforeValidator(as_names)] = Field(default=(), alias="resultImageUrl")
    created_at: Annotated[datetime | None, BeforeValidator(as_time)] = Field(default=None, alias="createTime")


class TrainingJob(Named):
    """One training (Alibaba dossier 4.1)."""

    model_id: Text = Field(default=None, alias="modelId")
    name: Text = None
    object_type: Text = Field(default=None, alias="objectType")
    image_urls: Annotated[tuple[str, ...], BeforeValidator(as_names)] = Field(default=(), alias="imageUrl")
    status: Text = Field(default=None, alias="jobStatus")
    progress: Annotated[float | None, BeforeValidator(as_progress)] = Field(default=None, alias="jobTrainProgress")
    inferences: Annotated[tuple[dict[str, Any], ...], BeforeValidator(as_records)] = Field(
        default=(), alias="inferenceJobList"
    )
    created_at: Annotated[datetime | None, BeforeValidator(as_time)] = Field(default=None, alias="createTime")


class TrainStatus(Answer):
    """What the status operation tells: one word (Alibaba dossier 4, note 3)."""

    status: Text = Field(default=None, alias="modelTrainStatus")


class Listed(Answer):
    """A list of trainings; what is no object in it is left out."""

    data: Annotated[list[Any], BeforeValidator(as_rows)] = []

    @property
    def whole(self) -> bool:
        """Whether nothing had to be left out."""
        return len(as_records(self.data)) == len(self.data)

    @classmethod
    def trainings(cls, response: Response) -> Iterator[tuple[TrainingJob, dict[str, Any]]]:
        """Each training with the vendor's own record of it.

        Raises:
            MalformedResponse: The answer is no JSON object, or has something else than a list in it.
        """
        for record in as_records(cls.parse(response).data):
            yield TrainingJob.read(record, response), record

    @classmethod
    def training(cls, response: Response, job_id: str) -> tuple[TrainingJob, dict[str, Any]] | None:
        """The training with this id, as `trainings` gives it; the others, of which there may be many, are not read."""
        for record in as_records(cls.parse(response).data):
            if named(record, "id") == job_id:
                return TrainingJob.read(record, response), record
        return None


def named(record: dict[str, Any], name: str) -> str | None:
    """One field of a record as text, in either spelling (Alibaba dossier 4.1), without reading the rest."""
    return as_text(record.get(name, record.get(name[:1].upper() + name[1:])))


def picture(response: Response) -> bytes:
    """The bytes of an image asset, whichever way they are wrapped (Alibaba dossier 8).

    It is known that the text is base64, but not where it stands: as the body, as a JSON string, in an envelope. Bytes
    as they are may come too, though base64 was asked for.

    Raises:
        MalformedResponse: There is no picture in it.
    """
    if is_picture(response.content):
        return response.content
    text = _unwrapped(response)
    try:
        data = b64decode(re.sub(r"\s+", "", _DATA_URL.sub("", text, count=1)), validate=True)
    except (binascii.Error, ValueError):
        raise response.malformed("the image is neither bytes of a picture nor base64") from None
    if not is_picture(data):
        raise response.malformed(f"the {len(data)} bytes of the image are no PNG, JPEG, WebP or GIF")
    return data


def _unwrapped(response: Response) -> str:
    text = response.text.strip()
    if text[:1] not in {"{", '"'}:
        return text
    try:
        value = json.loads(text)
    except ValueError:
        raise response.malformed("the image is wrapped in broken JSON") from None
    if isinstance(value, dict):
        value = Envelope.read(value, response).data
    if not isinstance(value, str):
        raise response.malformed("the envelope of the image holds no text")
    return value


def is_picture(data: bytes) -> bool:
    """Whether the bytes begin as those of a PNG, JPEG, GIF or WebP do."""
    return data.startswith((b"\x89PNG", b"\xff\xd8\xff", b"GIF8")) or (data[:4] == b"RIFF" and data[8:12] == b"WEBP")
