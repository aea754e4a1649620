"""How jobs change: never back, never silently, never less than what is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unified_train import Cost, Failure, GeneratedImage, InvalidOptions, Job, Snapshot, Status, StatusTable, Word
from unified_train import jobs as lifecycle

NOW = datetime(2026, 1, 1, tzinfo=UTC)
STATUSES = st.sampled_from(list(Status))


def job(identity: str = "7", **values: object) -> Job:
    return Job.model_validate({"provider": "plain", "kind": "generation", "id": identity, **values})


@given(st.lists(STATUSES, min_size=1, max_size=12))
def test_a_finished_job_never_reopens(words: list[Status]) -> None:
    """Whatever a vendor says after the end, the job stays as it ended: status, word, history and all."""
    seen = job()
    ended: Job | None = None
    for number, status in enumerate(words):
        said = Snapshot(id="7", status=status, raw_status=f"{status} {number}")
        seen = lifecycle.advanced(seen, said, NOW + timedelta(seconds=number))
        assert seen == ended or (ended is None and seen.status is status)
        ended = ended or (seen if status.finished else None)


@given(st.lists(STATUSES, min_size=1, max_size=5))
def test_a_job_survives_json(words: list[Status]) -> None:
    """A job written as JSON and read again is the same job."""
    seen = job(labels={"order": "42"})
    for status in words:
        seen = lifecycle.advanced(seen, Snapshot(id="7", status=status, raw_status=status.upper()), NOW)
    assert Job.model_validate_json(seen.model_dump_json()) == seen


def test_history_keeps_each_change_once() -> None:
    """Polls that bring nothing new add nothing to the history."""
    seen = job()
    for status, phase in [("queued", None), ("queued", None), ("running", None), ("running", "deploying")]:
        seen = lifecycle.advanced(seen, Snapshot(id="7", status=Status(status), phase=phase), NOW)
    assert [(change.status, change.phase) for change in seen.history] == [
        (Status.QUEUED, None),
        (Status.RUNNING, None),
        (Status.RUNNING, "deploying"),
    ]


def test_what_was_known_stays_known() -> None:
    """An answer that leaves out cost and progress takes nothing away; success is progress 1."""
    first = Snapshot(id="7", status=Status.RUNNING, progress=0.4, cost=Cost(amount=3, unit="CU", source="answer"))
    seen = lifecycle.advanced(job(), first, NOW)
    seen = lifecycle.advanced(seen, Snapshot(id="7", status=Status.RUNNING), NOW)
    assert (seen.progress, seen.cost) == (0.4, first.cost)
    assert lifecycle.advanced(seen, Snapshot(id="7", status=Status.SUCCEEDED), NOW).progress == 1.0


def test_the_vendors_record_is_kept_without_secrets() -> None:
    """Signed URLs in a vendor's payload do not reach the job."""
    raw = {"images": [{"image_url": "https://x.test/a.png?X-Amz-Signature=s3cr3t&w=1"}], "api_key": "s3cr3t"}
    seen = lifecycle.advanced(job(), Snapshot(id="7", status=Status.RUNNING, raw=raw), NOW)
    assert "s3cr3t" not in seen.model_dump_json()
    assert "w=1" in seen.model_dump_json()


@given(st.lists(STATUSES, min_size=2, max_size=6))
def test_a_whole_is_finished_exactly_when_all_its_parts_are(statuses: list[Status]) -> None:
    """A split generation ends with its last part, and succeeds only if all parts do."""
    whole = lifecycle.joined([job(str(number), status=status) for number, status in enumerate(statuses)])
    assert whole.finished == all(status.finished for status in statuses)
    assert (whole.status is Status.SUCCEEDED) == (set(statuses) == {Status.SUCCEEDED})
    assert [part.id for part in lifecycle.parts(Job.from_reference(whole.reference))] == whole.id.split(",")


def test_a_whole_gathers_what_its_parts_have() -> None:
    """Pictures in order, costs summed, the failure told with its share."""
    cost = Cost(amount=2, unit="CU", source="answer")
    parts = [
        job("a", status="succeeded", images=(GeneratedImage(id="a0"),), cost=cost, progress=1.0, updated_at=NOW),
        job("b", status="failed", error=Failure(message="no", code="E"), cost=cost, updated_at=NOW, created_at=NOW),
    ]
    whole = lifecycle.joined(parts)
    assert [image.id for image in whole.images] == ["a0"]
    assert (whole.status, whole.progress, whole.created_at) == (Status.FAILED, 0.5, NOW)
    assert whole.cost == Cost(amount=4, unit="CU", source="answer")
    assert whole.error == Failure(message="1 of 2 calls failed: no", code="E")
    assert lifecycle.joined(parts, whole).history == whole.history


def test_missing_pictures_are_noted() -> None:
    """A generation that succeeds with fewer pictures than asked for says so, once."""
    pictures = (GeneratedImage(id="0"),)
    seen = lifecycle.advanced(job(n=2), Snapshot(id="7", status=Status.SUCCEEDED, images=pictures), NOW)
    assert seen.notes == ("1 of 2 pictures were made",)
    assert not lifecycle.advanced(job(n=1), Snapshot(id="7", status=Status.SUCCEEDED, images=pictures), NOW).notes


def test_a_cost_that_is_unknown_in_part_is_unknown() -> None:
    """A sum that leaves a part out is not given."""
    parts = [job("a", cost=Cost(amount=2, unit="CU", source="x")), job("b")]
    assert lifecycle.joined(parts).cost is None


@pytest.mark.parametrize("text", ["", "7", "plain:training", "plain:upload:7", "PLAIN:training:7", "plain:training:"])
def test_what_is_no_reference_is_refused(text: str) -> None:
    """A string that is no job reference is told what one looks like."""
    with pytest.raises(InvalidOptions, match="provider:training:id"):
        Job.from_reference(text)


def test_a_time_without_a_zone_is_refused() -> None:
    """A job's times are moments, not wall clocks."""
    with pytest.raises(ValueError, match="time zone"):
        job(created_at=NOW.replace(tzinfo=None))


def test_vendor_words_are_compared_without_case_and_spaces() -> None:
    """A table knows its words however they are written, and calls all others unknown."""
    table = StatusTable("status", {"In-Progress": Word(Status.RUNNING, "it runs")})
    assert table.read(" in-PROGRESS ") is Status.RUNNING
    assert table.read("progress") is Status.UNKNOWN
    assert table.read(None) is Status.UNKNOWN
    assert dict(table) == table.words
