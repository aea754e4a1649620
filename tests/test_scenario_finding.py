"""Scenario is asked about submissions whose answers were lost, and what they made is taken on instead of made again."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from helpers import png
from hypothesis import given, settings
from hypothesis import strategies as st
from scenario_api import photo
from scenario_flow import API, answered, body, images, job, model, response, told, uploaded

from unified_train import (
    Client,
    Dataset,
    Effect,
    GenerationRequest,
    Image,
    Job,
    Journal,
    JsonBody,
    Lost,
    MalformedResponse,
    Polling,
    Request,
    Retry,
    Status,
    SubmissionReconciled,
    SubmissionUncertain,
    TrainedModel,
    TrainingRequest,
)
from unified_train.sandbox.faults import Fault
from unified_train_scenario import finding
from unified_train_scenario.attaching import names_at_vendor
from unified_train_scenario.generating import Seeded
from unified_train_scenario.options import ScenarioGeneration, ScenarioTraining
from unified_train_scenario.provider import Scenario
from unified_train_scenario.settings import ScenarioSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from unified_train import Event
    from unified_train.sandbox import Sandbox

MARKER = "utabcdefghijkl"
SINCE = datetime(2026, 11, 20, 11, 45, tzinfo=UTC)
DATASET = Dataset.of([photo("red"), photo("green"), photo("blue")], trigger="ohwx", class_word="cat")
TRAINING = TrainingRequest(name="my-cat", dataset=DATASET)
PICTURE = GenerationRequest(prompt="{subject} in the snow", width=256, height=256)


@pytest.fixture
def provider() -> Scenario:
    return Scenario(ScenarioSettings.model_validate({"api_key": "k", "api_secret": "s"}))


def lost(operation: str, path: str, content: object = None, method: str = "POST") -> Lost:
    request = Request(method, API + path, operation, body=JsonBody(content or {}), effect=Effect.PAY)
    return Lost(request, "generation" if operation.startswith("generation") else "training", MARKER, SINCE)


# -- a model -----------------------------------------------------------------------------------------------------------

CREATED = lost("training.create", "/models", {"name": f"cats-{MARKER}", "type": "flux.2-dev-lora"})


def record(number: int, name: str | None, date: str) -> dict[str, Any]:
    return {"id": f"model_{number}", "name": name, "type": "flux.2-dev-lora", "status": "new", "createdAt": date}


def test_a_model_is_found_by_the_end_of_its_name(provider: Scenario) -> None:
    """All pages of private models since then are read; of those that bear the marker the oldest comes first."""
    first = [record(3, f"cats-{MARKER}", "2026-11-20T12:00:02.000Z"), record(2, "cats-utother", "2026-11-20T12:00:01Z")]
    second = [record(1, f"cats-{MARKER}", "2026-11-20T12:00:00.000Z"), record(0, None, "2026-11-20T11:59:00.000Z")]
    sent, found = answered(provider.find(CREATED), {"models": first, "nextPaginationToken": "t"}, {"models": second})
    assert sent[0].query == {
        "privacy": "private",
        "sortBy": "createdAt",
        "sortDirection": "desc",
        "createdAfter": "2026-11-20T11:45:00.000Z",
        "pageSize": "100",
    }
    assert (sent[0].effect, sent[1].query["paginationToken"]) == (Effect.READ, "t")
    assert found is not None
    assert [(one.id, one.created_at) for one in found] == [
        ("model_1", datetime(2026, 11, 20, 12, tzinfo=UTC)),
        ("model_3", datetime(2026, 11, 20, 12, 0, 2, tzinfo=UTC)),
    ]


def test_what_the_list_shows_of_a_model_is_enough_to_go_on(provider: Scenario) -> None:
    """The flow that made the model attaches its images to the one that was found."""
    _, found = answered(provider.find(CREATED), {"models": [record(7, f"cats-{MARKER}", "2026-11-20T12:00:00Z")]})
    assert found is not None
    flow = provider.start(TrainingRequest(name="cats", dataset=Dataset.of([uploaded(1)])), ScenarioTraining())
    request = flow.send(response(next(flow), found[0].answer))
    assert told([request]) == [("POST", "/models/model_7/training-images")]


def test_a_list_that_does_not_end_leaves_open_what_is_not_on_it(
    provider: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the last page that is read nobody knows of a model that was not found; one that was found counts."""
    monkeypatch.setattr(finding, "_MOST_PAGES", 2)
    other = {"models": [record(1, "dogs", "2026-11-20T12:00:00Z")], "nextPaginationToken": "t"}
    mine = {"models": [record(2, f"cats-{MARKER}", "2026-11-20T12:00:00Z")], "nextPaginationToken": "t"}
    assert answered(provider.find(CREATED), other, other)[1] is None
    assert [one.id for one in answered(provider.find(CREATED), other, mine)[1] or ()] == ["model_2"]
    assert answered(provider.find(CREATED), other, {"models": []})[1] == []


# -- an image ----------------------------------------------------------------------------------------------------------

ATTACHED = lost("training.attach", "/models/model_1/training-images", {"data": "data:…", "name": "2-cat.png"})


def test_an_attached_image_is_found_by_its_name(provider: Scenario) -> None:
    """The model's record tells whether an image of that name is there, and the flow goes on with its asset."""
    there = [{"id": "asset_1", "name": "cat.png"}, {"id": "asset_2", "name": "2-cat.png", "downloadUrl": "https://x"}]
    sent, found = answered(provider.find(ATTACHED), model("new", trainingImages=there))
    assert told(sent) == [("GET", "/models/model_1")]
    assert [(one.id, one.answer) for one in found or ()] == [
        ("asset_2", {"trainingImage": {"id": "asset_2", "name": "2-cat.png"}})
    ]
    assert answered(provider.find(ATTACHED), model("new", trainingImages=there[:1]))[1] == []


def test_a_record_without_images_tells_only_if_there_are_none(provider: Scenario) -> None:
    """A number above 0 leaves open which images there are."""
    assert answered(provider.find(ATTACHED), model("new", trainingImagesNumber=0))[1] == []
    assert answered(provider.find(ATTACHED), model("new", trainingImagesNumber=3))[1] is None
    assert answered(provider.find(ATTACHED), model("new"))[1] is None


_NAMES = st.lists(st.tuples(st.booleans(), st.sampled_from(["a.png", "2-a.png", "3-a.png", "b.png"])), max_size=8)


@settings(max_examples=50)
@given(_NAMES)
def test_names_of_inline_images_are_their_own(given: list[tuple[bool, str]]) -> None:
    """No other image of the dataset has the name of one that is sent as bytes, and most keep the name they have."""
    dataset = [Image.of(b"", name=name) if inline else uploaded_as(name) for inline, name in given]
    names = names_at_vendor(dataset)
    for place, (inline, name) in enumerate(given):
        assert names[place].endswith(name)
        assert not inline or names.count(names[place]) == 1
        assert inline or names[place] == name
    if len(set(given)) == len(given) == len({name for _, name in given}):
        assert names == [name for _, name in given]


def uploaded_as(name: str) -> Any:
    return uploaded(1).model_copy(update={"name": name})


def test_two_images_of_one_name_are_told_apart(provider: Scenario) -> None:
    """The second of a name is sent under another, and pairs still name the images as the user does."""
    pictures = [Image.of(png(), name="a.png"), Image.of(png(), name="b.png"), Image.of(png(), name="a.png")]
    options = ScenarioTraining.model_validate({"pairs": [{"source": "b.png", "target": "c"}] * 2})
    asked = TrainingRequest(name="cats", dataset=Dataset.of(pictures), base_model="flux.2-dev-edit-lora")
    added = [{"trainingImage": {"id": f"asset_{number}"}} for number in range(3)]
    there = model("new", trainingImages=images("asset_0", "asset_1", "asset_2"))
    pairs = {"pairs": [{"sourceId": "asset_1", "targetId": "c"}] * 2}
    accepted = {**job("queued"), **model()}
    sent, _ = answered(provider.start(asked, options), model("new"), *added, there, pairs, accepted)
    assert [body(request)["name"] for request in sent[1:4]] == ["a.png", "b.png", "2-a.png"]
    assert body(sent[5])[0] == {"sourceId": "asset_1", "targetId": "c"}


# -- a training --------------------------------------------------------------------------------------------------------

STARTED = lost("training.start", "/models/model_1/train", {"parameters": {}}, "PUT")


@pytest.mark.parametrize("status", ["training", "trained", "failed", "training-canceled"])
def test_a_training_is_found_on_its_model(provider: Scenario, status: str) -> None:
    """Whatever became of it, it was accepted; it goes on as running, and the next poll tells how it ended."""
    shown = model(status, jobId="job_1", createdAt="2026-11-20T12:00:00Z", trainingImages=images("asset_1"))
    sent, found = answered(provider.find(STARTED), shown)
    assert told(sent) == [("GET", "/models/model_1")]
    assert found is not None
    assert [one.id for one in found] == ["model_1/job_1"]
    assert "trainingImages" not in found[0].answer["model"]
    snapshot = adopted(provider, found[0].answer)
    assert (snapshot.id, snapshot.status, snapshot.raw_status) == ("model_1/job_1", Status.RUNNING, status)
    assert any("not repeated" in note for note in snapshot.notes)


def adopted(provider: Scenario, answer: object) -> Any:
    flow = provider.train_attached("model_1", TRAINING, ScenarioTraining(), {})
    _, snapshot = answered(flow, answer)
    return snapshot


def test_a_model_that_is_new_shows_no_training(provider: Scenario) -> None:
    """A record that says new and names no job leaves nothing to adopt; one that names a job does, as reads may lag."""
    assert answered(provider.find(STARTED), model("new"))[1] == []
    _, found = answered(provider.find(STARTED), model("new", jobId="job_1"))
    assert [one.id for one in found or ()] == ["model_1/job_1"]


def test_a_training_whose_job_is_not_shown_is_adopted_all_the_same(provider: Scenario) -> None:
    """Not every record names the job; the model is enough to follow the training by."""
    _, found = answered(provider.find(STARTED), model("training"))
    assert found is not None
    assert (found[0].id, adopted(provider, found[0].answer).id) == ("model_1/", "model_1/")


@pytest.mark.parametrize("answer", [{"job": {}, **model("training")}, model("new"), {}])
def test_an_answer_without_a_job_is_still_no_acceptance(provider: Scenario, answer: object) -> None:
    """Only a model that is in training or further stands for its job, so that a dry run counts as nothing."""
    with pytest.raises(MalformedResponse):
        adopted(provider, answer)


# -- a generation ------------------------------------------------------------------------------------------------------

BASE = "model_bfl-flux-2-dev"
SEED = finding.seed_of(MARKER)
SENT = {"prompt": "a cat", "numOutputs": 2, "seed": SEED, "guidance": 4.5, "loras": ["model_1"], "lorasScale": [0.8]}
ECHO = {**SENT, "modelId": BASE, "numInferenceSteps": 28}
OWN = {**ECHO, "seed": 7}


def generation(**sent: object) -> Lost:
    return lost("generation.start", f"/generate/custom/{BASE}", {**SENT, **sent})


def listed(*echoes: object, kind: str = "custom") -> dict[str, Any]:
    jobs = [
        {"jobId": f"job_{number}", "jobType": kind, "status": "success", "metadata": {"input": echo, "assetIds": ["a"]}}
        for number, echo in enumerate(echoes)
    ]
    return {"jobs": jobs}


def test_a_generation_is_found_by_its_seed(provider: Scenario) -> None:
    """Jobs made since then are read, without a filter, and the one with the seed of the marker is ours."""
    sent, found = answered(provider.find(generation()), listed({**ECHO, "seed": 5}, ECHO, {"seed": str(SEED)}))
    assert told(sent) == [("GET", "/jobs")]
    assert sent[0].query == {"createdAfter": "2026-11-20T11:45:00.000Z", "pageSize": "100"}
    assert [one.id for one in found or ()] == ["job_1", "job_2"]


def test_a_found_generation_is_told_as_it_was_accepted(provider: Scenario) -> None:
    """The echo, which may hold pictures, is left out, and a poll tells how the job ended."""
    record = {**listed(ECHO)["jobs"][0], "billing": {"cuCost": 32}, "createdAt": "2026-11-20T12:00:00Z"}
    _, found = answered(provider.find(generation()), {"jobs": [record]})
    assert found is not None
    kept = {name: record[name] for name in ("jobId", "jobType", "billing", "createdAt")}
    assert found[0].answer == {"job": {**kept, "status": "queued"}}
    assert found[0].created_at == datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("echo", "mine"),
    [
        (OWN, True),
        ({**OWN, "seed": "7", "prompt": " a cat ", "modelId": "model_1", "lorasScale": [0.800000011920929]}, True),
        ({**OWN, "image": "asset_9", "referenceImages": ["asset_8"]}, True),
        ({**OWN, "seed": 8}, False),
        ({**OWN, "seed": "none"}, False),
        ({**OWN, "seed": [7]}, False),
        ({**OWN, "prompt": "a dog"}, False),
        ({**OWN, "guidance": 4}, False),
        ({**OWN, "loras": ["model_2"]}, False),
        ({**OWN, "lorasScale": [0.8, 0.8]}, False),
        ({**OWN, "modelId": "model_z-image"}, False),
        ({"prompt": "a dog"}, False),
        ({"prompt": "a cat"}, None),
        ({name: value for name, value in OWN.items() if name != "modelId"}, None),
        ({}, None),
        (None, None),
        ("a cat", None),
    ],
)
def test_a_seed_of_the_users_is_no_proof_by_itself(provider: Scenario, echo: Any, mine: bool | None) -> None:
    """Everything that was sent must come back, but for pictures; an echo that says too little leaves it open."""
    asked = generation(seed=7, image="data:image/png;base64,AAAA", referenceImages=["asset_1"])
    _, found = answered(provider.find(asked), listed(echo))
    assert (None if found is None else [one.id for one in found]) == {True: ["job_0"], False: [], None: None}[mine]


def test_an_echo_that_says_too_little_matters_only_if_nothing_is_found(provider: Scenario) -> None:
    """A job that is surely ours is taken, whatever other jobs hide; jobs of other kinds never matter."""
    _, found = answered(provider.find(generation()), listed({}, ECHO))
    assert [one.id for one in found or ()] == ["job_1"]
    assert answered(provider.find(generation()), listed({"prompt": "a cat"}))[1] is None
    assert answered(provider.find(generation()), listed({}, kind="upload"))[1] == []


def test_jobs_beyond_the_last_page_leave_it_open(provider: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that is not read to its end can't tell that nothing was made."""
    monkeypatch.setattr(finding, "_MOST_PAGES", 1)
    assert answered(provider.find(generation()), {"jobs": [], "nextPaginationToken": "t"})[1] is None


def test_without_a_seed_nobody_can_tell(provider: Scenario) -> None:
    """A request for which there is no seed has nothing by which it is known, so that nothing is asked."""
    unseeded = {name: value for name, value in SENT.items() if name != "seed"}
    assert answered(provider.find(lost("generation.start", f"/generate/custom/{BASE}", unseeded))) == ([], None)
    assert answered(provider.find(lost("generation.patch", "/generate/patch"))) == ([], None)
    bare = Lost(Request("POST", f"{API}/generate/custom/{BASE}", "generation.start"), "generation", MARKER, SINCE)
    assert answered(provider.find(bare)) == ([], None)


def test_a_request_without_a_seed_is_given_one(provider: Scenario) -> None:
    """It follows from the marker alone, is one that the vendor takes, and never replaces the user's own."""
    own = GenerationRequest(prompt="a cat", seed=0)
    assert provider.marked(own, MARKER) is own
    picture = Image.of(png(), name="a.png")
    asked = GenerationRequest(prompt="a cat", n=2, image=picture, extra={"scenario": {}}, labels={"a": "b"})
    marked = provider.marked(asked, MARKER)
    assert marked.seed == provider.marked(asked, MARKER).seed != provider.marked(asked, "utother").seed
    assert 0 <= (marked.seed or 0) < 2**31
    assert (marked.prompt, marked.n, marked.labels, marked.extra) == ("a cat", 2, {"a": "b"}, {"scenario": {}})
    assert marked.image is not None
    assert (marked.image.name, marked.image.sha256) == ("a.png", picture.sha256)


@pytest.mark.parametrize(
    ("inputs", "sent"),
    [
        ([{"name": "seed", "min": 0, "max": 2_147_483_647}], SEED),
        ([{"name": "seed", "max": 5}], None),
        ([], None),
    ],
    ids=["takes it", "takes smaller ones", "takes none"],
)
def test_a_seed_that_nobody_asked_for_is_sent_where_it_can_be(
    provider: Scenario, inputs: list[dict[str, Any]], sent: int | None
) -> None:
    """A base that does not take the drawn seed gets none, and nobody is told of an option that nobody used."""
    asked = provider.marked(GenerationRequest(prompt="a cat"), MARKER)
    requests, snapshot = generated(provider, asked, inputs)
    assert body(requests[-1]).get("seed") == sent
    assert snapshot.notes == ()


def test_a_seed_of_the_users_is_told_of_if_it_is_left_out(provider: Scenario) -> None:
    """One that was asked for is missed."""
    _, snapshot = generated(provider, GenerationRequest(prompt="a cat", seed=3), [])
    assert snapshot.notes == ("base takes no seed; it was not sent",)


def generated(provider: Scenario, asked: GenerationRequest, inputs: list[dict[str, Any]]) -> Any:
    known = [{"name": "prompt"}, {"name": "numOutputs"}, *inputs]
    base = {"model": {"id": BASE, "name": "base", "status": "trained", "inputs": known}}
    trained = TrainedModel(provider="scenario", id="model_1", base_model="flux.2-dev-lora")
    flow = provider.generate(trained, asked, ScenarioGeneration())
    return answered(flow, model("trained"), base, job("queued"))


def test_the_mark_on_a_request_survives_its_split() -> None:
    """A copy of a marked request is still one."""
    assert isinstance(Seeded(prompt="a cat", seed=1).model_copy(update={"n": 2}), Seeded)


# -- accounts ----------------------------------------------------------------------------------------------------------


def token(claims: bytes) -> str:
    return f"e30.{urlsafe_b64encode(claims).decode().rstrip('=')}.signature"


@pytest.mark.parametrize(
    ("credentials", "account"),
    [
        ({"api_key": "k", "api_secret": "s", "project_id": "p", "jwt": "t"}, "k"),
        ({"jwt": token(b'{"sub": "user_1"}'), "project_id": "p"}, "p"),
        ({"jwt": token(b'{"sub": "user_1", "exp": 2}'), "api_key": "k"}, "user_1"),
        ({"jwt": "opaque"}, "opaque"),
        ({"jwt": "not.base64?.x"}, "not.base64?.x"),
        ({"jwt": token(b'{"exp": 2}')}, token(b'{"exp": 2}')),
        ({"jwt": token(b"[]")}, token(b"[]")),
        ({}, ""),
    ],
)
def test_an_account_is_told_by_what_does_not_rotate(credentials: dict[str, str], account: str) -> None:
    """The key, the project, or the user of a token; of a token that tells none, all of it."""
    assert ScenarioSettings.model_validate(credentials).account() == account


# -- against the sandbox -----------------------------------------------------------------------------------------------


class Heard:
    """A client with a journal and little patience, and what it tells."""

    def __init__(self, path: Path) -> None:
        self.events: list[Event] = []
        self.journal = Journal(path)
        self.client = Client(
            "scenario",
            journal=self.journal,
            pace=False,
            retry=Retry(attempts=3, first=0.01, longest=0.1, grace=0.3),
            polling=Polling(first=0.01, share=0.05, longest=0.1),
            observer=self.events.append,
        )

    @property
    def outcomes(self) -> list[tuple[str, str]]:
        told = [event for event in self.events if isinstance(event, SubmissionReconciled)]
        return [(event.operation, event.outcome) for event in told]

    def trained(self, request: TrainingRequest = TRAINING) -> Job:
        """A finished training whose images are sent with it."""
        return self.client.wait(self.client.start_training(request), timeout=20)


@pytest.fixture
def heard(sandbox: Sandbox, tmp_path: Path) -> Iterator[Heard]:
    one = Heard(tmp_path / "j.sqlite")
    with one.client:
        yield one
    one.journal.close()


def own_models(sandbox: Sandbox) -> list[Any]:
    vendor: Any = sandbox.vendors["scenario"]
    return [model for model in vendor.account.models.values() if model.base is None]


LOST = pytest.mark.parametrize(
    ("kind", "outcome"),
    [("drop_after", "adopted"), ("drop_before", "absent"), ("status_after", "adopted"), ("truncate", "adopted")],
)


@LOST
@pytest.mark.parametrize(
    "target",
    [
        ("POST", "/v1/models", "training.create"),
        ("POST", "/v1/models/*/training-images", "training.attach"),
        ("PUT", "/v1/models/*/train", "training.start"),
    ],
    ids=["create", "attach", "start"],
)
def test_a_training_is_paid_for_once(
    sandbox: Sandbox, heard: Heard, target: tuple[str, str, str], kind: Any, outcome: str
) -> None:
    """Whichever answer is lost and however, there is one model with each image once, and one training that succeeds."""
    method, path, operation = target
    sandbox.world.faults.add(Fault(kind=kind, method=method, path=path))
    done = heard.trained()
    assert (done.status, heard.outcomes) == (Status.SUCCEEDED, [(operation, outcome)])
    assert [done.id.partition("/")[2]] == [paid.id for paid in sandbox.world.submissions]
    [made] = own_models(sandbox)
    assert len(made.images) == len(set(made.images)) == 3
    assert not any("more than once" in note for note in done.notes)


@LOST
def test_a_generation_is_paid_for_once(sandbox: Sandbox, heard: Heard, kind: Any, outcome: str) -> None:
    """Whether or not it was accepted, there is one job, whose picture is known to the last detail."""
    training = heard.trained()
    sandbox.world.faults.add(Fault(kind=kind, method="POST", path="/v1/generate/custom/*"))
    done = heard.client.wait(heard.client.generate(training, PICTURE), timeout=20)
    assert heard.outcomes == [("generation.start", outcome)]
    assert [paid.id for paid in sandbox.world.submissions if paid.kind == "generation"] == [done.id]
    assert (done.images[0].width, done.notes) == (256, ())


def test_a_lost_part_of_a_generation_is_told_from_the_other_parts(sandbox: Sandbox, heard: Heard) -> None:
    """Six pictures are two calls; the one whose answer is lost is not taken for the other."""
    training = heard.trained()
    sandbox.world.faults.add(Fault(kind="drop_after", method="POST", path="/v1/generate/custom/*"))
    asked = PICTURE.model_copy(update={"n": 6, "seed": 7})
    done = heard.client.wait(heard.client.generate(training, asked), timeout=20)
    paid = [one.id for one in sandbox.world.submissions if one.kind == "generation"]
    assert sorted(done.id.split(",")) == sorted(paid)
    assert (len(paid), len(done.images)) == (2, 6)


def test_a_generation_left_in_doubt_is_found_by_another_client(sandbox: Sandbox, heard: Heard, tmp_path: Path) -> None:
    """The seed follows from the key, so that whoever resumes the call looks for the same one, and pays nothing."""
    training = heard.trained()
    sandbox.world.faults.add(
        Fault(kind="drop_after", method="POST", path="/v1/generate/custom/*"),
        Fault(kind="status", method="GET", path="/v1/jobs", times=3),
    )
    with pytest.raises(SubmissionUncertain, match="looking for it"):
        heard.client.generate(training, PICTURE, key="order-7")
    later = Heard(tmp_path / "j.sqlite")
    with later.client as client:
        [resumed] = client.resume()
        assert (resumed.key, resumed.error, later.outcomes) == ("order-7", None, [("generation.start", "adopted")])
        assert resumed.job is not None
        assert client.wait(resumed.job, timeout=20).status is Status.SUCCEEDED
    later.journal.close()
    assert [paid.kind for paid in sandbox.world.submissions] == ["training", "generation"]


def test_a_vendor_that_does_not_echo_can_t_be_asked(sandbox: Sandbox, heard: Heard) -> None:
    """A job that may be ours is left to the user, and nothing is sent again."""
    training = heard.trained()
    sandbox.switch("scenario", "minimal_records", True)
    sandbox.world.faults.add(Fault(kind="drop_after", method="POST", path="/v1/generate/custom/*"))
    with pytest.raises(SubmissionUncertain, match="can't be asked"):
        heard.client.generate(training, PICTURE)
    assert [paid.kind for paid in sandbox.world.submissions] == ["training", "generation"]


@pytest.mark.parametrize(
    ("switch", "method", "path"),
    [("list_lag", "POST", "/v1/models"), ("start_lag", "PUT", "/v1/models/*/train")],
)
def test_a_vendor_that_shows_it_late_is_asked_again(
    sandbox: Sandbox, heard: Heard, switch: str, method: str, path: str
) -> None:
    """What lists and records don't show at the first look is found at the last one, after the grace."""
    sandbox.switch("scenario", switch, 1800.0)  # 0.15 s
    sandbox.world.faults.add(Fault(kind="drop_after", method=method, path=path))
    assert [outcome for _, outcome in (heard.trained(), heard.outcomes)[1]] == ["adopted"]
    assert (len(own_models(sandbox)), len(sandbox.world.submissions)) == (1, 1)


def test_a_training_that_ended_meanwhile_has_its_model(sandbox: Sandbox, heard: Heard) -> None:
    """If it is over when it is found, the job still learns what was trained."""
    sandbox.switch("scenario", "training_seconds", 1.0)
    sandbox.world.faults.add(Fault(kind="drop_after", method="PUT", path="/v1/models/*/train"))
    done = heard.trained()
    assert done.model is not None
    assert (done.model.trigger, done.status) == ("ohwx", Status.SUCCEEDED)


def test_images_of_one_name_are_all_attached(sandbox: Sandbox, heard: Heard) -> None:
    """If the answer to the second of a name is lost, it is not taken for the first."""
    pictures = [Image.of(photo(color), name="cat.png", caption=color) for color in ("red", "green", "blue")]
    fault = Fault(kind="drop_after", method="POST", path="/v1/models/*/training-images", skip=1)
    sandbox.world.faults.add(fault)
    heard.trained(TrainingRequest(name="cats", dataset=Dataset.of(pictures)))
    [made] = own_models(sandbox)
    vendor: Any = sandbox.vendors["scenario"]
    assets = [vendor.account.assets[identifier] for identifier in made.images]
    assert [(asset.name, asset.description) for asset in assets] == [
        ("cat.png", "red"),
        ("2-cat.png", "green"),
        ("3-cat.png", "blue"),
    ]


@pytest.mark.parametrize("train", [Client.train, Client.start_training], ids=["uploaded", "inline"])
def test_a_listed_training_has_the_id_of_its_job(heard: Heard, train: Callable[..., Job]) -> None:
    """The list tells it by the same id, so that no job is taken for its own double."""
    done = heard.client.wait(train(heard.client, TRAINING), timeout=20)
    assert [one.id for one in heard.client.list_jobs("training")] == [done.id]
    assert done.notes == ()
