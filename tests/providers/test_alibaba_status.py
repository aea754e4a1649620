"""What each of the vendor's status words means."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unified_train import Change, Job, Status
from unified_train_alibaba import status

_START = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
_MEANINGS = {
    "NOT_START": Status.QUEUED,
    "SUBMITTED": Status.QUEUED,
    "WAIT_SCHEDULE": Status.QUEUED,
    "TRAINING": Status.RUNNING,
    "INFERRING": Status.RUNNING,
    "FINISHED": Status.SUCCEEDED,
    "TRAINING_TERMINATED": Status.FAILED,
    "INFERRING_TERMINATED": Status.FAILED,
    "WRONG_IMAGE_URL": Status.FAILED,
    "OOM": Status.FAILED,
    "TOO_MANY_INFERENCE_REQUESTS": Status.UNKNOWN,
}


def _crowded_job(*, first: float, last: float | None, word: str = status.CROWDED) -> Job:
    """A generation whose newest change came `first` seconds after the start, and whose last look was at `last`."""
    changes = (
        Change(at=_START, status=Status.QUEUED, raw_status="NOT_START"),
        Change(at=_START + timedelta(seconds=first), status=Status.UNKNOWN, raw_status=word),
    )
    seen = None if last is None else _START + timedelta(seconds=last)
    return Job(provider="alibaba", kind="generation", id="1", history=changes, updated_at=seen)


@pytest.mark.parametrize(("word", "meaning"), _MEANINGS.items())
def test_every_word(word: str, meaning: Status) -> None:
    """Every published word has its meaning, in any case and with spaces around it."""
    assert status.read(word).status is meaning
    assert status.read(f"  {word.lower()}\n").status is meaning


def test_the_table_is_complete() -> None:
    """The table holds exactly the published words, each with a reason."""
    assert {word for word, _ in status.JOB} == set(_MEANINGS)
    assert all(entry.why for _, entry in status.JOB)


@settings(deadline=None)
@given(word=st.text() | st.none())
def test_other_words_are_unknown(word: str | None) -> None:
    """A word that is in no documentation is unknown: neither a failure nor a state of waiting."""
    if word is None or word.strip().upper() not in _MEANINGS:
        assert status.read(word) == status.State(Status.UNKNOWN)


@pytest.mark.parametrize("word", [word for word, meaning in _MEANINGS.items() if meaning is Status.FAILED])
def test_failures_have_a_code(word: str) -> None:
    """A failure carries the word as its code, since the vendor gives no other reason."""
    failure = status.read(word.lower()).failure
    assert failure is not None
    assert failure.code == word
    assert word in failure.message


def test_crowded_is_unknown_at_first() -> None:
    """One look at a crowded service, without any history, decides nothing."""
    bare = Job(provider="alibaba", kind="generation", id="1")
    assert status.read(status.CROWDED).status is Status.UNKNOWN
    assert status.read(status.CROWDED, bare).status is Status.UNKNOWN


def test_crowded_over_a_minute_is_a_failure() -> None:
    """A third look at the same word, a minute after the first, makes it a failure that says what to do."""
    state = status.read(status.CROWDED, _crowded_job(first=10, last=70))
    assert state.status is Status.FAILED
    assert state.failure is not None
    assert state.failure.code == status.CROWDED
    assert state.failure.hint is not None


@pytest.mark.parametrize(
    "job",
    [
        _crowded_job(first=10, last=69),
        _crowded_job(first=10, last=None),
        _crowded_job(first=10, last=500, word="SUBMITTED"),
    ],
    ids=["less than a minute", "seen once only", "something else in between"],
)
def test_crowded_for_less_is_no_failure(job: Job) -> None:
    """Less than three looks over a minute at this very word leave it unknown."""
    assert status.read(status.CROWDED, job).status is Status.UNKNOWN


@settings(deadline=None)
@given(last=st.floats(0, 1e6), word=st.sampled_from(["TRAINING", "NEW_WORD", None]))
def test_history_changes_no_other_word(last: float, word: str | None) -> None:
    """However long a service was crowded, other words keep their meaning."""
    assert status.read(word, _crowded_job(first=0, last=last)) == status.read(word)
