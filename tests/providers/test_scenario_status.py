"""The vendor's five vocabularies, word by word."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unified_train import Job, Request, Response, Status, StatusTable
from unified_train_scenario.snapshots import generation, training
from unified_train_scenario.status import ASSET, JOB, MODEL, STAGE, TABLES, UPLOAD
from unified_train_scenario.wire import JobRecord, Model

WORDS = [
    (JOB, "pending queued", Status.QUEUED),
    (JOB, "warming-up in-progress finalizing", Status.RUNNING),
    (JOB, "success", Status.SUCCEEDED),
    (JOB, "failure", Status.FAILED),
    (JOB, "canceled", Status.CANCELED),
    (MODEL, "new", Status.QUEUED),
    (MODEL, "training copying", Status.RUNNING),
    (MODEL, "trained", Status.SUCCEEDED),
    (MODEL, "failed", Status.FAILED),
    (MODEL, "training-canceled", Status.CANCELED),
    (STAGE, "pending queued-for-train", Status.QUEUED),
    (STAGE, "starting-train running-train pending-captcha ready-for-captcha", Status.RUNNING),
    (UPLOAD, "pending", Status.QUEUED),
    (UPLOAD, "validating validated complete", Status.RUNNING),
    (UPLOAD, "imported", Status.SUCCEEDED),
    (UPLOAD, "failed", Status.FAILED),
    (ASSET, "pending", Status.RUNNING),
    (ASSET, "success", Status.SUCCEEDED),
    (ASSET, "error", Status.FAILED),
]
TRAINING = Job(provider="scenario", kind="training", id="model_1/job_1")
ANSWER = {"model": {"id": "model_1"}}
known = {word for table in TABLES for word, _ in table}
unknown_words = st.text(max_size=30).filter(lambda word: word.strip().casefold() not in known)


def response() -> Response:
    return Response(Request("GET", "https://api.example.com/v1", "x"), 200, {}, json.dumps(ANSWER).encode())


def trained(status: str, job: str | None = None, **fields: Any) -> Any:
    record = JobRecord.model_validate({"jobId": "job_1", "status": job}) if job is not None else None
    return training(TRAINING, Model.model_validate({"id": "model_1", "status": status, **fields}), record, response())


@pytest.mark.parametrize(("table", "words", "status"), WORDS)
def test_every_word_has_its_meaning(table: StatusTable, words: str, status: Status) -> None:
    """Each documented word reads as its neutral status, in any case and with blanks around it."""
    for word in words.split():
        assert table.read(word) is table.read(f" {word.upper()} ") is status


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_no_word_is_left_out(table: StatusTable) -> None:
    """The tables hold exactly the documented words, each with a reason that names its source."""
    expected = {word for of, words, _ in WORDS if of is table for word in words.split()}
    assert {word for word, _ in table} == expected
    assert all("Scenario dossier" in entry.why for _, entry in table)


@pytest.mark.parametrize(
    "word", ["failed", "processing", "succeeded", "completed", "cancelled", "draft", "", None, 5, {}, "success!"]
)
def test_words_of_prose_and_other_fields_are_unknown(word: object) -> None:
    """Words that other texts use for a job are not guessed at."""
    assert JOB.read(word) is Status.UNKNOWN


@settings(deadline=None)
@given(word=unknown_words)
def test_any_other_word_is_unknown_and_never_ends_a_job(word: str) -> None:
    """Whatever the vendor may say one day, it stays visible, is unknown, and finishes nothing."""
    assert all(table.read(word) is Status.UNKNOWN for table in TABLES)
    of_model = trained(word, "in-progress")
    of_job = generation(JobRecord.model_validate({"jobId": "job_1", "status": word}), {})
    for snapshot in (of_model, of_job):
        assert (snapshot.status, snapshot.raw_status) == (Status.UNKNOWN, word or None)
    assert trained("training", word).status is Status.RUNNING
    assert trained("training", trainingProgress={"stage": word}).status is Status.RUNNING


@pytest.mark.parametrize(
    ("stage", "status"), [(word, of) for table, words, of in WORDS if table is STAGE for word in words.split()]
)
def test_a_model_in_training_is_queued_or_running_by_its_stage(stage: str, status: Status) -> None:
    """The stage decides between queued and running, and is the phase."""
    snapshot = trained("training", "queued", trainingProgress={"stage": stage})
    assert (snapshot.status, snapshot.phase) == (status, stage)


@pytest.mark.parametrize("word", ["warming-up", "in-progress", "finalizing"])
def test_a_job_that_has_a_worker_never_waits_again(word: str) -> None:
    """A model whose stage lags behind is running if its job is."""
    assert trained("training", word, trainingProgress={"stage": "queued-for-train"}).status is Status.RUNNING


@pytest.mark.parametrize("progress", [None, {}])
def test_a_model_in_training_without_progress_runs(progress: dict[str, Any] | None) -> None:
    """A missing or empty progress object means running."""
    assert trained("training", trainingProgress=progress).status is Status.RUNNING
