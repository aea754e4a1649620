"""The vendor's answers, read: ids, times, progress and pictures in every form that was seen or has to be feared."""

from __future__ import annotations

import json
import math
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unified_train import MalformedResponse, Request, Response
from unified_train_alibaba.wire import (
    About,
    InferenceJob,
    Listed,
    TrainingJob,
    as_names,
    as_progress,
    as_text,
    as_time,
    picture,
)

_REQUEST = Request("GET", "https://aicontent.aliyuncs.com/p", "generation.fetch")
_PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(64))


def _answer(content: bytes | str) -> Response:
    return Response(_REQUEST, 200, {}, content if isinstance(content, bytes) else content.encode())


@pytest.mark.parametrize(
    ("value", "text"), [("71", "71"), (71, "71"), (" 71 ", "71"), ("", None), (None, None), (True, None), ([], None)]
)
def test_ids(value: object, text: str | None) -> None:
    """An id is text, whether it comes as text or number; nothing else is one."""
    assert as_text(value) == text


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-06-28T11:02:32.0598209", datetime(2024, 6, 28, 3, 2, 32, 59820, UTC)),
        ("2024-06-28T11:02:32.441184", datetime(2024, 6, 28, 3, 2, 32, 441184, UTC)),
        ("2023-12-25T12:00:00", datetime(2023, 12, 25, 4, tzinfo=UTC)),
        ("2023-12-25T07:00:00.5", datetime(2023, 12, 24, 23, 0, 0, 500000, UTC)),
        ("2023-12-25 12:00:00.123456789", datetime(2023, 12, 25, 4, 0, 0, 123456, UTC)),
        ("2023-12-25T12:00:00Z", datetime(2023, 12, 25, 12, tzinfo=UTC)),
        ("2023-12-25T12:00:00-0100", datetime(2023, 12, 25, 13, tzinfo=UTC)),
        ("0001-01-01T00:00:00", None),
        ("2023-13-45T12:00:00", None),
        ("2023-12-25", None),
        ("soon", None),
        (1700000000, None),
        (None, None),
    ],
)
def test_times(text: object, moment: datetime | None) -> None:
    """A time without a zone is that of China, with any number of digits up to nine; what is no time is none."""
    assert as_time(text) == moment


@settings(deadline=None)
@given(moment=st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1)), digits=st.integers(0, 9))  # noqa: DTZ001
def test_times_to_the_digit(moment: datetime, digits: int) -> None:
    """Every local time is read back to the microseconds that were written, eight hours earlier."""
    fraction = f"{moment.microsecond:06}999"[:digits]
    text = f"{moment:%Y-%m-%dT%H:%M:%S}" + (f".{fraction}" if digits else "")
    kept = int(f"{fraction[:6]:0<6}") if digits else 0
    assert as_time(text) == moment.replace(microsecond=kept, tzinfo=UTC) - timedelta(hours=8)


_SHARES = [(0, 0.0), (0.5, 0.5), (1, 1.0), (1.5, 0.015), (40, 0.4), (100, 1.0)]


@pytest.mark.parametrize(("value", "progress"), _SHARES)
def test_progress(value: object, progress: float) -> None:
    """Progress is a share, and numbers above 1 are percent."""
    assert as_progress(value) == progress


@pytest.mark.parametrize("value", [100.5, -0.1, math.nan, math.inf, None, "0.5", True])
def test_no_progress(value: object) -> None:
    """What can't be a share is no progress."""
    assert as_progress(value) is None


@pytest.mark.parametrize("nothing", [None, [], {}, "0000.png"])
def test_no_results(nothing: object) -> None:
    """Null, an empty list and a wrong type all mean that there are no results yet."""
    assert as_names(nothing) == ()


def test_results_that_are_no_names_are_left_out() -> None:
    """A null among the names of results does not count as a picture."""
    assert as_names(["0000.png", None, "", 7]) == ("0000.png", "7")


@pytest.mark.parametrize("data", [None, [], {}])
def test_no_data(data: object) -> None:
    """An envelope whose data is null or an empty list holds an empty record."""
    assert About.parse(_answer(json.dumps({"success": True, "data": data}))).record == {}


@pytest.mark.parametrize("data", ["text", 7, [{}]])
def test_data_that_is_no_object(data: object) -> None:
    """An envelope around anything else than an object is malformed, and so is a list that is none."""
    answer = _answer(json.dumps({"success": True, "data": data}))
    with pytest.raises(MalformedResponse):
        About.parse(answer)
    if not isinstance(data, list):
        with pytest.raises(MalformedResponse):
            list(Listed.trainings(answer))


def test_recorded_training() -> None:
    """The training of the vendor's own recorded sample is read with nulls and missing fields."""
    record: dict[str, Any] = {"id": 2, "name": "熊猫图片生成", "objectType": "panda", "jobStatus": "NOT_START"}
    record |= {"imageUrl": ["https://a/b.jpg"], "inferenceJobList": None, "createTime": "2024-06-28T11:02:32.0598209"}
    job = TrainingJob.model_validate(record)
    assert (job.id, job.model_id, job.status, job.progress, job.inferences) == ("2", None, "NOT_START", None, ())
    assert job.image_urls == ("https://a/b.jpg",)


def test_capital_keys() -> None:
    """The older schema with capital letters is read the same."""
    job = InferenceJob.model_validate({"Id": "1", "PromptId": "p", "JobStatus": "FINISHED", "ResultImageUrl": ["a"]})
    assert (job.id, job.prompt_id, job.status, job.results) == ("1", "p", "FINISHED", ("a",))


def test_a_list_with_rubbish() -> None:
    """What is no object in a list of trainings is left out, and the others are still found."""
    body = json.dumps({"data": [None, 3, {"id": 70}, "x", {"id": "71", "jobStatus": None}]})
    assert [job.id for job, _ in Listed.trainings(_answer(body))] == ["70", "71"]
    assert not Listed.parse(_answer(body)).whole


@pytest.mark.parametrize("body", ["<html>", "", "[]", "null", '"text"'])
def test_a_list_that_is_none(body: str) -> None:
    """An answer that is no JSON object is malformed."""
    with pytest.raises(MalformedResponse):
        list(Listed.trainings(_answer(body)))


_TEXT = b64encode(_PNG).decode()


@pytest.mark.parametrize(
    "body",
    [
        _PNG,
        _TEXT,
        f" {_TEXT}\n",
        json.dumps(_TEXT),
        json.dumps({"success": True, "data": _TEXT}),
        f"data:image/png;base64,{_TEXT}",
        json.dumps(f"data:image/png;base64,{_TEXT}"),
        json.dumps("\r\n".join(_TEXT[at : at + 20] for at in range(0, len(_TEXT), 20))),
    ],
    ids=["bytes", "bare", "bare with space", "quoted", "envelope", "data URL", "quoted data URL", "lines"],
)
def test_pictures(body: bytes | str) -> None:
    """The picture is found in every coat it may come in."""
    assert picture(_answer(body)) == _PNG


@pytest.mark.parametrize(
    "start", [b"\xff\xd8\xff\xe0", b"GIF89a", b"RIFF\x10\x00\x00\x00WEBPVP8 ", b"\x89PNG\r\n\x1a\n"]
)
def test_kinds_of_pictures(start: bytes) -> None:
    """JPEG, GIF, WebP and PNG are pictures, as bytes and as base64."""
    assert picture(_answer(start)) == start
    assert picture(_answer(b64encode(start))) == start


@pytest.mark.parametrize(
    "body",
    ["", "not base64!", _TEXT[:-3] + "*==", '"broken', "{}", '{"data": 3}', '"aGVsbG8="', b"RIFF0000WAVE", "aGVsbG8="],
)
def test_no_picture(body: bytes | str) -> None:
    """What holds no picture is malformed, and never returned as one."""
    with pytest.raises(MalformedResponse):
        picture(_answer(body))


@settings(deadline=None)
@given(body=st.binary(max_size=200))
def test_random_bytes_are_read_or_malformed(body: bytes) -> None:
    """Any bytes end in a picture or in MalformedResponse."""
    try:
        found = picture(_answer(body))
    except MalformedResponse:
        return
    assert found
