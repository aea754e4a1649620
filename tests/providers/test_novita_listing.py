"""Novita's list of trainings, page by page: each flow is driven by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from novita_flow import LORA, Talk, job, provider

from unified_train import Effect, Lost, Status, TrainedModel, UnsupportedCapability

if TYPE_CHECKING:
    from unified_train_novita.provider import Novita


@pytest.fixture
def novita() -> Novita:
    return provider()


def listed(task_id: str, **fields: Any) -> dict[str, Any]:
    return {"task_name": "cats", "task_id": task_id, "task_type": "style", "task_status": "TRAINING", **fields}


def test_list_reads_page_by_page(novita: Novita) -> None:
    """The list is read by cursors until an empty page, and nothing is listed twice."""
    talk = Talk(
        {"tasks": [listed("a"), listed("b", task_type="subject")], "pagination": {"next_cursor": "c_2"}},
        {"tasks": [listed("b", task_type="subject"), listed("c")], "pagination": {"next_cursor": "c_4"}},
        {"tasks": [], "pagination": {"next_cursor": "c_6"}},
    )
    found = talk.run(novita.list_jobs("training"))
    assert [snapshot.id for snapshot in found] == ["style/a", "subject/b", "style/c"]
    assert [request.query for request in talk.requests] == [
        {"pagination.limit": "100"},
        {"pagination.limit": "100", "pagination.cursor": "c_2"},
        {"pagination.limit": "100", "pagination.cursor": "c_4"},
    ]


@pytest.mark.parametrize(
    "pagination", [None, {}, {"next_cursor": ""}, {"next_cursor": None}, {"next_cursor": 3}, [], "x"]
)
def test_list_without_a_cursor_ends(novita: Novita, pagination: object) -> None:
    """A page without a cursor is the last."""
    found = Talk({"tasks": [listed("a")], "pagination": pagination}).run(novita.list_jobs("training"))
    assert len(found) == 1


def test_list_that_goes_in_circles_ends(novita: Novita) -> None:
    """A cursor that was followed before ends the list, and so does a great number of pages."""
    page = {"tasks": [listed("a")], "pagination": {"next_cursor": "c_1"}}
    assert len(Talk(page, page).run(novita.list_jobs("training"))) == 1
    pages = [{"tasks": [listed(str(n))], "pagination": {"next_cursor": f"c_{n}"}} for n in range(100)]
    assert len(Talk(*pages).run(novita.list_jobs("training"))) == 100


@pytest.mark.parametrize(("pages", "found"), [(1, 0), (99, 0), (100, None)])
def test_a_training_that_is_on_no_page_may_be_on_the_next(novita: Novita, pages: int, found: int | None) -> None:
    """A list that was not read to its end does not prove that a training was never accepted."""
    request = novita.post("/v3/training/style", "training.start", {}, effect=Effect.PAY)
    lost = Lost(request, "training", "utabcdefghijkl", datetime(2026, 1, 1, tzinfo=UTC))
    shown = [{"tasks": [listed(str(n))], "pagination": {"next_cursor": f"c_{n}"}} for n in range(pages)]
    end: list[dict[str, Any]] = [] if found is None else [{"tasks": []}]
    seen = Talk(*shown, *end).run(novita.find(lost))
    assert (None if seen is None else len(seen)) == found
    shown[-1]["tasks"] = [listed("mine", task_name="cats-utabcdefghijkl")]
    assert [one.id for one in Talk(*shown, *end).run(novita.find(lost)) or ()] == ["style/mine"]


def test_listed_training(novita: Novita) -> None:
    """A listed training has name, time and state, and its model once that serves; `model` is read for `models`."""
    models = [{"model_name": LORA, "model_status": "SERVING"}]
    tasks = [
        listed("a", task_status="SUCCESS", created_at="1767225600", model=models),
        listed("b", created_at=10**18, models=None, task_name=None),
        listed("c", task_status="FAILED", created_at="x", models={"model_status": "DEPLOYING"}),
    ]
    served, strange, failed = Talk({"tasks": tasks}).run(novita.list_jobs("training"))
    assert (served.status, served.name) == (Status.SUCCEEDED, "cats")
    assert served.created_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert served.model == TrainedModel(provider="novita", id=LORA, name="cats")
    assert (strange.status, strange.name, strange.created_at, strange.model) == (Status.RUNNING, None, None, None)
    assert failed.error is not None


def test_generations_are_not_listed(novita: Novita) -> None:
    """The vendor lists no generations, and can cancel nothing."""
    for flow in (novita.list_jobs("generation"), novita.cancel(job())):
        with pytest.raises(UnsupportedCapability):
            next(flow)
