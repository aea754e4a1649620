"""Uploads of the Scenario provider in parts, driven by hand: slices, presigned URLs, and the wait for the import."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from helpers import png
from hypothesis import given, settings
from hypothesis import strategies as st
from scenario_flow import answered, body, response, told

from unified_train import (
    BytesBody,
    Effect,
    FileBody,
    Image,
    InvalidRequest,
    MalformedResponse,
    PermissionDenied,
    ProviderUnavailable,
    Request,
)
from unified_train_scenario.provider import Scenario
from unified_train_scenario.settings import ScenarioSettings
from unified_train_scenario.uploading import LOOKS, PART, PENDING, Slice

LARGE = Image.of(png(padding=PART), name="large.png", caption="a cat")
URLS = [{"number": 2, "url": "https://s3.example.com/2?sig=y"}, {"number": 1, "url": "https://s3.example.com/1?sig=x"}]
BEGUN = {"upload": {"id": "upload_1", "status": "pending", "parts": URLS}}
EXPIRED = PermissionDenied("Request has expired", http_status=403)


@pytest.fixture
def provider() -> Scenario:
    return Scenario(ScenarioSettings.model_validate({"jwt": "t", "project_id": "proj_1"}))


def upload(status: str, **fields: Any) -> dict[str, Any]:
    return {"upload": {"id": "upload_1", "status": status, **fields}}


DONE = upload("imported", entityId="asset_1")


def test_a_large_image_is_sent_in_parts(provider: Scenario) -> None:
    """Announced with its size, each part put to its own URL unsigned, completed, and read until it is an asset."""
    answers = (BEGUN, b"", b"", upload("validating"), upload("validated"), DONE)
    sent, result = answered(provider.upload(LARGE), *answers)
    assert told(sent) == [
        ("POST", "/uploads"),
        ("PUT", URLS[0]["url"]),
        ("PUT", URLS[1]["url"]),
        ("POST", "/uploads/upload_1/action"),
        ("GET", "/uploads/upload_1"),
        ("GET", "/uploads/upload_1"),
    ]
    assert body(sent[0]) == {
        "fileName": "large.png",
        "contentType": "image/png",
        "kind": "image",
        "parts": 2,
        "fileSize": LARGE.size,
    }
    assert body(sent[3]) == {"action": "complete"}
    second, first = (request.body.read() if request.body else b"" for request in sent[1:3])
    assert (first + second, len(first)) == (LARGE.read(), PART)
    assert [(request.signed, request.headers, request.query) for request in sent[1:3]] == [(False, {}, {})] * 2
    assert {request.effect for request in sent} == {Effect.REPEATABLE, Effect.READ}
    assert sent[0].query == sent[3].query == sent[4].query == {"projectId": "proj_1"}
    assert (result.id, result.caption, result.sha256) == ("asset_1", "a cat", LARGE.sha256)


def test_the_size_decides_how_an_image_is_sent(provider: Scenario) -> None:
    """Four megabytes go inside JSON, one byte more as a single part."""
    exact = 4_000_000 - Image.of(png(padding=1)).size + 1
    assert next(provider.upload(Image.of(png(padding=exact)))).url.endswith("/assets")
    announced = next(provider.upload(Image.of(png(padding=exact + 1))))
    assert (announced.url.rpartition("/")[2], body(announced)["parts"]) == ("uploads", 1)


def test_expired_urls_are_asked_for_once_more(provider: Scenario) -> None:
    """A 403 of the storage leads to a new upload; a second one is raised."""
    answers = (BEGUN, b"", EXPIRED, BEGUN, b"", b"", DONE)
    assert answered(provider.upload(LARGE), *answers)[1].id == "asset_1"
    with pytest.raises(PermissionDenied):
        answered(provider.upload(LARGE), BEGUN, EXPIRED, BEGUN, EXPIRED)


@pytest.mark.parametrize("parts", [None, [], URLS[:1], [*URLS, {"number": 3, "url": "u"}]])
def test_another_number_of_parts_is_malformed(provider: Scenario, parts: object) -> None:
    """An answer must have a URL for each part that was announced."""
    with pytest.raises(MalformedResponse, match="of 2 parts"):
        answered(provider.upload(LARGE), upload("pending", parts=parts))


def test_a_failed_upload_tells_why(provider: Scenario) -> None:
    """The vendor's message is the error's, whether it fails at once or later."""
    failed = upload("failed", errorMessage="not an image")
    with pytest.raises(InvalidRequest, match="not an image"):
        answered(provider.upload(LARGE), BEGUN, b"", b"", failed)
    with pytest.raises(InvalidRequest, match="gives no reason"):
        answered(provider.upload(LARGE), BEGUN, b"", b"", upload("validating"), upload("failed"))


def test_complete_counts_only_with_an_asset(provider: Scenario) -> None:
    """Neither `complete` nor `imported` is the end before the asset's id is there."""
    answers = (upload("complete"), upload("imported"), upload("brand-new"), upload("complete", entityId="asset_1"))
    assert answered(provider.upload(LARGE), BEGUN, b"", b"", *answers)[1].id == "asset_1"


def test_looking_for_an_upload_ends(provider: Scenario) -> None:
    """After so many looks the vendor is said to be unavailable, and what to do; the last look still counts."""
    waiting = [upload("validating")] * LOOKS
    with pytest.raises(ProviderUnavailable, match=r"large\.png: was sent, but is still validating"):
        answered(provider.upload(LARGE), BEGUN, b"", b"", upload("validating"), *waiting)
    assert answered(provider.upload(LARGE), BEGUN, b"", b"", *waiting, DONE)[1].id == "asset_1"


def test_a_pending_upload_is_asked_again_by_the_core(provider: Scenario) -> None:
    """The answer to a look is a passing refusal until it is settled, and the flow goes on when that is raised."""
    look = Request("GET", "https://api.example.com/v1/uploads/upload_1", "upload.verify")
    refused = provider.refusal(response(look, upload("validating")))
    assert isinstance(refused, ProviderUnavailable)
    assert (refused.code, refused.retryable) == (PENDING, True)
    for settled in (DONE, upload("failed"), {"other": 1}, b"<html>"):
        assert provider.refusal(response(look, settled)) is None
    assert provider.refusal(response(Request("POST", look.url, "upload.complete"), upload("validating"))) is None
    sent, result = answered(provider.upload(LARGE), BEGUN, b"", b"", upload("validating"), refused, DONE)
    assert (len(sent), result.id) == (6, "asset_1")


def test_a_real_fault_while_looking_is_raised(provider: Scenario) -> None:
    """Another failure than `not yet` ends the upload."""
    with pytest.raises(ProviderUnavailable, match="overloaded"):
        answered(
            provider.upload(LARGE), BEGUN, b"", b"", upload("validating"), ProviderUnavailable("overloaded", code="x")
        )


@settings(deadline=None)
@given(data=st.binary(max_size=300_000), size=st.integers(1, 120_000))
def test_slices_join_to_the_whole(data: bytes, size: int) -> None:
    """Whatever the sizes, the parts are the whole in order, each as long as it says, and can be read again."""
    whole = BytesBody(data, "image/png")
    parts = [Slice(whole, start, size) for start in range(0, len(data), size)]
    for _ in range(2):
        assert b"".join(part.read() for part in parts) == data
    assert [part.size for part in parts] == [len(part.read()) for part in parts]
    assert {part.media_type for part in parts} <= {"image/png"}


def test_a_slice_reads_no_further_than_it_must(tmp_path: Path) -> None:
    """A part of a file comes in pieces, and one beyond its end is empty."""
    path = tmp_path / "x.bin"
    path.write_bytes(bytes(range(256)) * 4096)
    pieces = list(Slice(FileBody(path), 50_000, 600_000).chunks())
    assert max(map(len, pieces)) <= 192 * 1024
    assert b"".join(pieces) == path.read_bytes()[50_000:650_000]
    assert Slice(FileBody(path), 2_000_000, 10).size == Slice(BytesBody(b""), 0, 10).size == 0
    assert Slice(FileBody(path), 2_000_000, 10).read() == Slice(BytesBody(b""), 0, 10).read() == b""
