"""What each of Novita's status words means, alone and together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unified_train import Status
from unified_train_novita import status
from unified_train_novita.provider import Novita

_TASKS = {
    "UNKNOWN": Status.UNKNOWN,
    "QUEUING": Status.QUEUED,
    "TRAINING": Status.RUNNING,
    "SUCCESS": Status.RUNNING,
    "CANCELED": Status.CANCELED,
    "FAILED": Status.FAILED,
}
_MODELS = {"DEPLOYING": Status.RUNNING, "SERVING": Status.SUCCEEDED}
_GENERATIONS = {
    "TASK_STATUS_QUEUED": Status.QUEUED,
    "TASK_STATUS_PROCESSING": Status.RUNNING,
    "TASK_STATUS_SUCCEED": Status.SUCCEEDED,
    "TASK_STATUS_FAILED": Status.FAILED,
    "TASK_STATUS_UNKNOWN": Status.UNKNOWN,
}
_ALL = {**_TASKS, **_MODELS, **_GENERATIONS}


def test_tables_are_complete() -> None:
    """The tables hold exactly the published words, each with a reason."""
    for table, words in [(status.TASK, _TASKS), (status.MODEL, _MODELS), (status.GENERATION, _GENERATIONS)]:
        assert {word: entry.status for word, entry in table} == words
        assert all(entry.why for _, entry in table)
    assert Novita.status_tables == (status.TASK, status.MODEL, status.GENERATION)


@pytest.mark.parametrize(("word", "meaning"), _TASKS.items())
def test_task_words(word: str, meaning: Status) -> None:
    """Every word of a training has its meaning, in any case and with spaces around it, and stays visible."""
    assert status.training(word, []).status is meaning
    assert status.training(f" {word.lower()}\n", []).status is meaning
    assert status.training(word, []).raw == word


@pytest.mark.parametrize(
    ("models", "meaning", "raw", "phase"),
    [
        ([], Status.RUNNING, "SUCCESS", "deploying"),
        (["DEPLOYING"], Status.RUNNING, "SUCCESS/DEPLOYING", "deploying"),
        (["DEPLOYING", "DEPLOYING"], Status.RUNNING, "SUCCESS/DEPLOYING", "deploying"),
        (["SERVING"], Status.SUCCEEDED, "SUCCESS/SERVING", None),
        (["DEPLOYING", "SERVING"], Status.SUCCEEDED, "SUCCESS/SERVING", None),
        (["RETIRED", "SERVING"], Status.SUCCEEDED, "SUCCESS/SERVING", None),
        (["RETIRED"], Status.UNKNOWN, "SUCCESS/RETIRED", None),
        (["DEPLOYING", "RETIRED"], Status.UNKNOWN, "SUCCESS/RETIRED", None),
    ],
)
def test_two_stages(models: list[str], meaning: Status, raw: str, phase: str | None) -> None:
    """A trained model is usable only once it serves; until then the training runs, deploying."""
    state = status.training("SUCCESS", models)
    assert (state.status, state.raw, state.phase) == (meaning, raw, phase)


@pytest.mark.parametrize("word", ["FAILED", "CANCELED", "TRAINING", "QUEUING", "UNKNOWN"])
def test_models_count_only_after_success(word: str) -> None:
    """A model that serves means nothing while the task has not succeeded."""
    assert status.training(word, ["SERVING"]).status is _TASKS[word]


def test_failed_training_invents_no_reason() -> None:
    """The vendor gives no reason for a failed training, and the failure says just that."""
    failure = status.training("FAILED", []).failure
    assert failure is not None
    assert failure.message == "the vendor gives no reason"
    assert status.training("CANCELED", []).failure is None


@pytest.mark.parametrize(("word", "meaning"), _GENERATIONS.items())
def test_generation_words(word: str, meaning: Status) -> None:
    """Every word of a generation has its meaning and stays visible."""
    state = status.generation(word, "", 1)
    assert (state.status, state.raw) == (meaning, word)


def test_success_without_a_picture_is_a_failure() -> None:
    """A generation that succeeded without a picture failed for want of output."""
    state = status.generation("TASK_STATUS_SUCCEED", "", 0)
    assert state.status is Status.FAILED
    assert state.failure is not None
    assert state.failure.code == "no_output"


@pytest.mark.parametrize(
    ("reason", "message"), [("out of memory", "out of memory"), ("", "the vendor gives no reason")]
)
def test_failed_generation_tells_the_vendors_reason(reason: str, message: str) -> None:
    """A failed generation has the vendor's own words for it, or says that there are none."""
    failure = status.generation("TASK_STATUS_FAILED", reason, 0).failure
    assert failure is not None
    assert failure.message == message


@given(word=st.text(), models=st.lists(st.text()), pictures=st.integers(0, 8))
def test_other_words_are_unknown(word: str, models: list[str], pictures: int) -> None:
    """A word that nobody has published is unknown: it neither ends a job nor makes it wait for ever as queued."""
    if word.strip().casefold() not in {known.casefold() for known in _ALL}:
        assert status.training(word, models) == status.State(Status.UNKNOWN, word)
        assert status.generation(word, "", pictures) == status.State(Status.UNKNOWN, word)
        assert status.training("SUCCESS", [word]) == status.State(Status.UNKNOWN, f"SUCCESS/{word}")


@given(task=st.sampled_from([*_TASKS, "NEW"]), models=st.lists(st.sampled_from([*_MODELS, "NEW"]), max_size=3))
def test_success_needs_a_model_that_serves(task: str, models: list[str]) -> None:
    """Whatever the words, a training has succeeded exactly if its task did and one of its models serves."""
    succeeded = status.training(task, models).status is Status.SUCCEEDED
    assert succeeded == (task == "SUCCESS" and "SERVING" in models)
