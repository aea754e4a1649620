"""Lists that lag behind: what was accepted is there, can be asked for by its id, and is listed later."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from helpers import png
from scenario_api import Api

from unified_train import Client, Dataset, Image, TrainingRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unified_train.sandbox import Sandbox

SWITCHES = {"scenario": "list_lag", "alibaba": "list_delay", "novita": "list_lag"}
every_vendor = pytest.mark.parametrize("vendor", SWITCHES)


@pytest.fixture
def api(sandbox: Sandbox) -> Iterator[Api]:
    with Api(sandbox) as made:
        yield made


def cat() -> TrainingRequest:
    dataset = Dataset(images=(Image.of(png(64, 64)), Image.of(png(64, 65))), trigger="ohwx", class_word="cat")
    return TrainingRequest(name="my cat", dataset=dataset)


@every_vendor
def test_a_lagging_list_of_trainings(sandbox: Sandbox, vendor: str) -> None:
    """Every vendor can keep an accepted training from its list for so many simulated seconds."""
    sandbox.world.clock.freeze()
    sandbox.switch(vendor, SWITCHES[vendor], 60)
    with Client(vendor) as client:
        job = client.train(cat())
        assert len(sandbox.world.submissions) == 1
        assert client.list_jobs() == []
        sandbox.world.clock.advance(59)
        assert client.list_jobs() == []
        sandbox.world.clock.advance(1)
        assert [listed.id for listed in client.list_jobs()] == [job.id]


@every_vendor
def test_a_lag_of_real_seconds(sandbox: Sandbox, vendor: str) -> None:
    """A lag of real seconds is that many times the speed in simulated ones."""
    sandbox.world.clock.set_speed(600)
    with Client(vendor) as client:
        sandbox.switch(vendor, SWITCHES[vendor], 0.1 * sandbox.world.clock.speed)
        client.train(cat())
        begin = time.monotonic()  # later than the acceptance, so that what is measured is never too long
        while not client.list_jobs():
            assert time.monotonic() - begin < 5
        accepted = sandbox.world.submissions[0].at
        assert (sandbox.world.clock.now() - accepted) / 600 >= 0.1


def test_models_that_are_not_listed_yet(api: Api) -> None:
    """A new model can be read at once, and is listed later; public models are there from the beginning."""
    api.turn(list_lag=30.0)
    model = api.model()
    assert api("GET", "/models") == {"models": []}
    assert api("GET", "/models", privacy="public")["models"]
    assert api("GET", f"/models/{model}")["model"]["name"] == "cats"
    assert [one["id"] for one in api("POST", "/models/get-bulk", {"modelIds": [model]})["models"]] == [model]
    api.advance(30)
    assert [one["id"] for one in api("GET", "/models")["models"]] == [model]


def test_a_training_that_the_list_of_models_does_not_know_yet(api: Api) -> None:
    """The list shows a model as new while reads show its training, and finds it by the status that it shows."""
    model = api.model(images=2)
    api.turn(list_lag=30.0)
    api.advance(30)
    job = api.train(model)["job"]["jobId"]
    read, listed = api("GET", f"/models/{model}")["model"], api("GET", "/models")["models"][0]
    assert [(one["status"], one.get("jobId")) for one in (read, listed)] == [("training", job), ("new", None)]
    assert [len(api("GET", "/models", status=status)["models"]) for status in ("new", "training")] == [1, 0]
    api.advance(30)
    listed = api("GET", "/models", status="training")["models"][0]
    assert (listed["status"], listed["jobId"]) == ("training", job)


def test_reads_and_lists_lag_on_their_own(api: Api) -> None:
    """The list is never ahead of the reads, however short its own lag is."""
    api.turn(start_lag=60.0, list_lag=30.0)
    model = api.model(images=2)
    api.train(model)

    def shown() -> list[str]:
        return [one["status"] for one in (api("GET", f"/models/{model}")["model"], *api("GET", "/models")["models"])]

    assert shown() == ["new"]
    api.advance(30)
    assert shown() == ["new", "new"]
    api.advance(30)
    assert shown() == ["training", "training"]


def test_jobs_that_are_not_listed_yet(api: Api) -> None:
    """Trainings and generations can be asked for at once, and are listed later, under every filter."""
    model = api.trained()
    before = {job["jobId"] for job in api("GET", "/jobs")["jobs"]}
    api.turn(list_lag=30.0)
    job = api.generate("model_bfl-flux-2-dev", modelId=model)["job"]["jobId"]

    def listed(**query: Any) -> set[str]:
        return {one["jobId"] for one in api("GET", "/jobs", **query)["jobs"]} - before

    assert api.job(job)["jobId"] == job
    assert (listed(), listed(types="custom"), listed(status="queued")) == (set(), set(), set())
    api.advance(30)
    assert (listed(), listed(types="custom")) == ({job}, {job})
