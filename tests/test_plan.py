"""Plans: the call as it would be made, to the last word, with nothing sent that costs or changes anything."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import CHELSEA, QUICK
from helpers import Plain, plain, png
from pydantic import SecretStr

from unified_train import (
    Base64,
    BytesBody,
    Change,
    Client,
    Cost,
    Dataset,
    Effect,
    Flow,
    GenerationRequest,
    Image,
    InvalidOptions,
    Job,
    Journal,
    JsonBody,
    Provider,
    QuotaExceeded,
    Request,
    Status,
    TrainedModel,
    TrainingRequest,
    UploadedImage,
    plugins,
)
from unified_train.hosting import PlainHost
from unified_train.payloads import carries_bytes, differing, field_of, shown
from unified_train.plan import Plan, PlannedRequest, VendorPlan
from unified_train.sandbox import Sandbox

VENDORS = ("scenario", "alibaba", "novita")
OPTIONS: dict[str, Any] = {**QUICK}
NOW = datetime.now(UTC)
MODEL = TrainedModel(provider="plain", id="model-1", trigger="ohwx", class_word="cat")


def training(count: int = 2, **facts: Any) -> TrainingRequest:
    images = [Image.of(png(padding=number), name=f"{number}.png", caption="c") for number in range(count)]
    dataset = Dataset.of(images, trigger="ohwx", class_word="cat")
    return TrainingRequest(**{"name": "my-cat", "dataset": dataset, **facts})


def only(plan: Plan) -> VendorPlan:
    (vendor,) = plan.vendors
    return vendor


class Telling(Plain):
    """Makes answers up, reads before it starts, and knows a price."""

    price_by = "a look at the list"

    def rehearsed(self, request: Request, before: Sequence[Request]) -> object:
        return {"id": f"<image {len(before) + 1}>" if request.operation == "upload.image" else "<job>"}

    def ping(self) -> Flow[None]:
        yield self.get("/me", "account.ping")

    def estimate_training(self, request: TrainingRequest) -> Flow[Cost | None]:
        answer = yield self.get(f"/price/{len(request.dataset.images)}", "training.estimate")
        return Cost(amount=answer.json()["price"], unit="USD", source="list")

    def estimate_generation(self, model: TrainedModel, request: GenerationRequest) -> Flow[Cost | None]:
        answer = yield self.get(f"/price/{request.n}", "generation.estimate")
        return Cost(amount=answer.json()["price"], unit="USD", source="list") if answer.json()["price"] else None


class Vendor:
    """Answers reads, and keeps account of all that it hears."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.status = 200
        self.answers: dict[str, Any] = {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api")
        self.seen.append(f"{request.method} {path}")
        if path.endswith(".png"):
            return httpx.Response(self.status, content=png())
        return httpx.Response(self.status, json=self.answers.get(path, {"price": 2.5}))


@pytest.fixture
def vendor() -> Vendor:
    return Vendor()


@pytest.fixture
def client_of(connect: Callable[..., Any], colour: str, vendor: Vendor) -> Callable[..., Any]:
    """Make a client of a vendor in memory."""
    transport = httpx.MockTransport(vendor)

    def made(provider: Any, **options: Any) -> Any:
        http: Any = httpx.Client(transport=transport) if colour == "sync" else httpx.AsyncClient(transport=transport)
        return connect(provider, http=http, **options)

    return made


def telling() -> Telling:
    return Telling(plain().settings)


class TestEveryVendor:
    """The three vendors, planned and then asked for real."""

    @pytest.mark.parametrize("slug", VENDORS)
    def test_what_is_planned_is_what_is_sent(self, slug: str, sandbox: Sandbox, home: Path, photos: Dataset) -> None:
        """The requests of a plan are those of the call, in number, order of kinds, path and body."""
        request = TrainingRequest(name="my-cat", dataset=photos, steps=900)
        with Client(slug, **{**OPTIONS, "journal": home / "j.sqlite", "parallel": 1}) as client:
            plan = only(client.plan(request))
            sandbox.world.requests.clear()
            client.train(request, key="k")
        assert plan.complete
        assert not plan.blockers
        sent = [entry for entry in sandbox.world.requests.entries() if "_host" not in entry.path]
        planned = [one for one in plan.requests if one.operation != "image.host"]
        assert [one.method for one in planned] == [entry.method for entry in sent]
        for one, entry in zip(planned, sent, strict=True):
            if one.effect is Effect.PAY or one.effect is Effect.CREATE:
                assert _form(one.body) == _form(entry.json)

    @pytest.mark.parametrize("slug", VENDORS)
    def test_nothing_is_sent_but_reads(self, slug: str, sandbox: Sandbox, home: Path, photos: Dataset) -> None:
        """A plan makes nothing at the vendor, and no journal here."""
        request = TrainingRequest(name="my-cat", dataset=photos)
        with Client(slug, **{**OPTIONS, "journal": home / "j.sqlite"}) as client:
            client.plan(request)
            client.plan("{subject} in the snow", model=request)
        sent = sandbox.world.requests.entries()
        assert [entry.method for entry in sent] == ["GET"] * len(sent)
        assert len(sent) == 1
        assert not home.exists()

    @pytest.mark.parametrize("slug", VENDORS)
    def test_offline_is_silent(self, slug: str, sandbox: Sandbox, photos: Dataset) -> None:
        """Not even a read is sent, and the plan is the same."""
        request = TrainingRequest(name="my-cat", dataset=photos)
        with Client(slug, **OPTIONS) as client:
            plan = only(client.plan(request, offline=True, ask_price=True))
            assert sandbox.world.requests.entries() == []
            assert only(client.plan(request)).hash == plan.hash

    def test_a_plan_has_no_secret_and_no_picture(self, sandbox: Sandbox, photos: Dataset) -> None:
        """Neither keys nor bytes of images are in it, and it is JSON there and back."""
        request = TrainingRequest(
            name="my-cat", dataset=photos, extra={"scenario": {"wandb_key": SecretStr("w-SECRET-w")}}
        )
        with Client(*VENDORS, **OPTIONS) as client:
            plan = client.plan(request)
            secrets = [value for slug in VENDORS for _, value in client.provider(slug).settings]
        text = plan.model_dump_json()
        assert Plan.model_validate_json(text) == plan
        for secret in [value.get_secret_value() for value in secrets if isinstance(value, SecretStr)]:
            assert secret not in text
        assert "w-SECRET-w" not in text
        assert len(text) < 200_000

    def test_files_name_who_gets_them(self, sandbox: Sandbox, photos: Dataset) -> None:
        """Each image is there with size and digest, and with everybody on its way."""
        with Client(*VENDORS, **OPTIONS) as client:
            plans = client.plan(TrainingRequest(name="my-cat", dataset=photos)).vendors
        first = photos.images[0]
        assert isinstance(first, Image)
        for plan in plans:
            assert len(plan.files) == 10
            assert (plan.files[0].bytes, plan.files[0].sha256) == (first.size, first.sha256)
        base = sandbox.base_url
        assert [plan.files[0].to for plan in plans] == [
            (f"Scenario ({base})",),
            (f"the image host ({base}), for anyone with the URL", "Alibaba Cloud AiContent gets its URL"),
            ("storage that Novita names",),
        ]

    def test_options_are_sent_mapped_dropped_or_defaults(self, sandbox: Sandbox, photos: Dataset) -> None:
        """Each neutral option says what becomes of it, where it stands in the payload, and why."""
        request = TrainingRequest(name="my-cat", dataset=photos, steps=950, learning_rate=1e-4, seed=7)
        with Client(*VENDORS, **OPTIONS) as client:
            plans = {plan.provider: plan for plan in client.plan(request, on_unsupported="warn").vendors}
        told = {slug: {one.name: one for one in plan.options} for slug, plan in plans.items()}
        assert told["novita"]["steps"].field == "expert_setting.max_train_steps"
        assert told["scenario"]["steps"].outcome == "mapped"
        assert "steps=950 was sent as" in str(told["scenario"]["steps"].why)
        assert "deprecated" in str(told["scenario"]["seed"].why)
        dropped = told["alibaba"]["learning_rate"]
        assert (dropped.outcome, dropped.value, dropped.field) == ("dropped", None, None)
        assert "no option 'learning_rate'" in str(dropped.why)
        default = told["scenario"]["base_model"]
        assert (default.asked, default.outcome, default.value) == (None, "default", "flux.2-dev-lora")
        assert not [note for note in plans["alibaba"].notes if "learning_rate" in note]
        assert any("uses no captions" in note for note in plans["alibaba"].notes)

    def test_the_price_is_asked_only_if_asked_for(self, sandbox: Sandbox, photos: Dataset) -> None:
        """Scenario's dry run makes a model, which is there before and gone after; unasked the cost is unknown."""
        request = TrainingRequest(name="my-cat", dataset=photos)
        with Client("scenario", **OPTIONS) as client:
            silent = only(client.plan(request))
            told = only(client.plan(request, ask_price=True))
        assert (silent.cost, "empty model" in str(silent.price_by)) == (None, True)
        assert told.cost is not None
        assert (told.cost.unit, told.price_by, told.cost_note) == ("CU", None, None)
        assert told.hash == silent.hash
        made = [entry.method for entry in sandbox.world.requests.entries() if entry.method != "GET"]
        assert made == ["POST", "PUT", "DELETE"]

    def test_pictures_of_a_model_that_is_there_are_priced_too(self, sandbox: Sandbox, photos: Dataset) -> None:
        """What the flow reads before it pays is read; the payload is that of the base model that the vendor names."""
        with Client("scenario", **OPTIONS) as client:
            made = client.wait(client.train(TrainingRequest(name="my-cat", dataset=photos)))
            sandbox.world.requests.clear()
            asked = [GenerationRequest(prompt="{subject}", n=5), GenerationRequest(prompt="{subject}", seed=3)]
            plan = only(client.plan(asked, model=made, ask_price=True))
        assert plan.cost is not None
        assert plan.cost.amount > 0
        paid = [one for one in plan.requests if one.effect is Effect.PAY]
        assert [one.body["numOutputs"] for one in paid if isinstance(one.body, dict)] == [4, 1, 1]
        assert all("dryRun" in entry.query for entry in sandbox.world.requests.entries() if entry.method == "POST")

    def test_a_seed_that_would_be_drawn_is_told(self, sandbox: Sandbox, home: Path, photos: Dataset) -> None:
        """A vendor's list is searched by seed, so that one is drawn; which one nobody can say before."""
        request = TrainingRequest(name="my-cat", dataset=photos)
        with Client("scenario", **{**OPTIONS, "journal": home / "j.sqlite"}) as client:
            plan = only(client.plan("{subject}", model=request))
            seeded = only(client.plan(GenerationRequest(prompt="{subject}", seed=1), model=request))
        assert any("where no seed is given, one is drawn" in note for note in plan.notes)
        assert not any("drawn" in note for note in seeded.notes)
        assert isinstance(plan.requests[-1].body, dict)
        assert "seed" not in plan.requests[-1].body

    def test_large_images_go_in_parts(self, sandbox: Sandbox) -> None:
        """A picture that is too large for one body is announced, sent in parts to a place that the vendor names."""
        dataset = Dataset.of([Image.of(png(padding=9_000_000), name="big.png")], trigger="ohwx", class_word="cat")
        with Client("scenario", **OPTIONS) as client:
            plan = only(client.plan(TrainingRequest(name="x", dataset=dataset)))
        assert plan.complete
        assert [one.operation for one in plan.requests[:4]] == [
            "upload.slot",
            "upload.put",
            "upload.put",
            "upload.complete",
        ]
        assert plan.requests[1].body == "<a part of a file (image/png), 8,388,608 bytes>"
        assert plan.files[0].to == ("storage that Scenario names",)

    def test_pairs_are_planned_to_the_end(self, sandbox: Sandbox) -> None:
        """An edit model's pairs are shown with the ids that stand for its images."""
        images = [Image.of(png(padding=number), name=f"{number}.png") for number in range(3)]
        pairs = [{"source": "0.png", "target": "1.png"}, {"source": "0.png", "target": "2.png"}]
        request = TrainingRequest(
            name="x",
            dataset=Dataset.of(images),
            base_model="qwen-image-edit-2511-lora",
            extra={"scenario": {"pairs": pairs}},
        )
        with Client("scenario", **OPTIONS) as client:
            plan = only(client.plan(request))
        assert (plan.complete, plan.blockers) == (True, ())
        (told,) = [one.body for one in plan.requests if one.operation == "training.pairs"]
        assert told == [{"sourceId": "<asset 1>", "targetId": f"<asset {target}>"} for target in (2, 3)]


def _form(body: Any) -> Any:
    """A body with everything left out that is known only from answers or drawn anew."""
    if isinstance(body, dict):
        return {key: _form(value) for key, value in body.items() if key not in {"name", "assetIds", "assets_id"}}
    if isinstance(body, list):
        return [_form(item) for item in body]
    return "…" if isinstance(body, str) and body.startswith(("<", "http")) else body


class TestHash:
    """The same for the same call."""

    def plan(self, request: TrainingRequest, **options: Any) -> str:
        with Client(telling(), **OPTIONS) as client:
            told = only(client.plan(request, offline=True, **options)).hash
        assert told is not None
        return told

    def test_it_is_stable(self) -> None:
        """Planned again, and by a client of another key, it is the same; labels don't count."""
        told = self.plan(training())
        other = Telling(plain(api_key=SecretStr("another")).settings)
        with Client(other, **OPTIONS) as client:
            assert only(client.plan(training(labels={"a": "b"}), offline=True)).hash == told
        assert told == self.plan(training())

    @pytest.mark.parametrize(
        "other",
        [
            training(name="your-cat"),
            training(steps=20),
            training(3),
            training(extra={"plain": {"mood": "wild"}}),
            training(dataset=Dataset.of([Image.of(png(9, 9), name="0.png"), Image.of(png(padding=1), name="1.png")])),
        ],
        ids=["name", "steps", "images", "extra", "bytes"],
    )
    def test_what_changes_the_call_changes_the_hash(self, other: TrainingRequest) -> None:
        """Name, options, number of images, vendor-only options and bytes all count."""
        assert self.plan(other) != self.plan(training())

    def test_the_address_counts(self) -> None:
        """A plan for a sandbox is none for the vendor."""
        there = Telling(plain(base_url="http://other.test").settings)
        with Client(there, **OPTIONS) as client:
            assert only(client.plan(training(), offline=True)).hash != self.plan(training())

    def test_the_mark_of_a_call_is_not_in_it(self, tmp_path: Path) -> None:
        """With a journal the name ends with a stand-in, the same each time, and a note says so."""
        with Client(telling(), **{**OPTIONS, "journal": tmp_path / "j.sqlite"}) as client:
            first, second = (only(client.plan(training(), offline=True)) for _ in range(2))
        assert first == second
        assert isinstance(first.requests[-1].body, dict)
        assert first.requests[-1].body["name"] == "my-cat-ut____________"
        assert any("ut____________" in note for note in first.notes)

    def test_nothing_to_send_has_none(self) -> None:
        """What can't be sent has no hash."""
        with Client(telling(), **OPTIONS) as client:
            plan = only(client.plan(training(6), offline=True))
        assert (plan.hash, plan.requests) == (None, ())


class TestPlainVendor:
    """What the core does with whatever plugin."""

    def test_answers_that_are_made_up_lead_to_the_end(self, client_of: Any, vendor: Vendor) -> None:
        """Every request is there, in both colours; only the ping was sent."""
        plan = only(client_of(telling()).plan(training(steps=50)))
        assert vendor.seen == ["GET /me"]
        assert [(one.operation, one.effect) for one in plan.requests] == [
            ("upload.image", Effect.REPEATABLE),
            ("upload.image", Effect.REPEATABLE),
            ("training.start", Effect.PAY),
        ]
        assert plan.requests[0].body == f"<0.png, {len(png(padding=0))} bytes>"
        assert plan.requests[2] == PlannedRequest(
            operation="training.start",
            effect=Effect.PAY,
            method="POST",
            url="http://plain.test/api/trainings",
            body={"name": "my-cat", "mood": "calm", "steps": 50},
        )
        assert (plan.complete, plan.kind, plan.title) == (True, "training", "Plain")

    def test_without_made_up_answers_a_plan_says_that_it_is_cut_short(self, client_of: Any, vendor: Vendor) -> None:
        """A plugin that makes nothing up is planned as far as it goes: each upload, and the start."""
        plan = only(client_of(plain()).plan(training()))
        assert [one.operation for one in plan.requests] == ["upload.image", "upload.image", "training.start"]
        assert not plan.complete
        assert vendor.seen == []

    def test_the_last_request_leaves_nothing_out(self, client_of: Any) -> None:
        """Images that are there already need no upload: the request that bills is the whole plan."""
        there = UploadedImage(provider="plain", id="i-1", name="a.png", sha256="ab")
        plan = only(client_of(plain()).plan(training(dataset=Dataset.of([there], class_word="cat"))))
        assert (plan.complete, len(plan.requests)) == (True, 1)
        assert [(file.name, file.to) for file in plan.files] == [("a.png", ("Plain has it",))]

    def test_everything_in_the_way_is_told(self, client_of: Any, vendor: Vendor) -> None:
        """A key that is refused and an option that is not there are both named; the payload is shown all the same."""
        vendor.status = 401
        plan = only(client_of(telling()).plan(training(rank=8)))
        assert [blocker.code for blocker in plan.blockers] == ["AuthenticationError", "UnsupportedCapability"]
        assert plan.requests
        assert [(one.name, one.outcome) for one in plan.options if one.name == "rank"] == [("rank", "dropped")]

    @pytest.mark.parametrize(
        ("request_", "code"),
        [(training(6), "DatasetError"), (training(kind="style"), "UnsupportedCapability"), (training(steps=7), "Inv")],
        ids=["images", "kind", "range"],
    )
    def test_what_no_option_can_cure_has_no_payload(self, client_of: Any, request_: TrainingRequest, code: str) -> None:
        """Too many images, a kind that is not trained and a value out of range stand in the way, once each."""
        plan = only(client_of(telling()).plan(request_))
        assert len(plan.blockers) == 1
        assert plan.blockers[0].code.startswith(code)
        assert (plan.requests, plan.options) == ((), ())

    def test_an_unreachable_vendor_is_told_and_planned(self, connect: Callable[..., Any]) -> None:
        """No answer is a reason not to start, and none not to plan."""
        there = Telling(plain(base_url="http://127.0.0.1:9").settings)
        plan = only(connect(there).plan(training()))
        assert [blocker.code for blocker in plan.blockers] == ["TransportError"]
        assert len(plan.requests) == 3

    def test_a_price_is_asked(self, client_of: Any, vendor: Vendor) -> None:
        """The vendor's price is in the plan; unasked the plan says how it is asked."""
        client = client_of(telling())
        assert only(client.plan(training())).price_by == "a look at the list"
        plan = only(client.plan(training(), ask_price=True))
        assert (plan.cost, plan.price_by) == (Cost(amount=2.5, unit="USD", source="list"), None)
        asked = [GenerationRequest(prompt="ohwx", n=3), GenerationRequest(prompt="ohwx")]
        plan = only(client.plan(asked, model=MODEL, ask_price=True))
        assert plan.cost == Cost(amount=5.0, unit="USD", source="list")
        vendor.answers["/price/1"] = {"price": None}
        plan = only(client.plan(asked, model=MODEL, ask_price=True))
        assert (plan.cost, plan.cost_note) == (None, "Plain tells no price")

    def test_a_price_that_is_refused_is_unknown(self, client_of: Any, vendor: Vendor, monkeypatch: Any) -> None:
        """A plan's ceiling stands in the way; any other failure leaves the cost unknown, and says why."""

        class Full(Telling):
            def estimate_training(self, request: TrainingRequest) -> Flow[Cost | None]:
                yield from ()
                raise QuotaExceeded("your plan allows one training a month")

        plan = only(client_of(Full(plain().settings)).plan(training(), ask_price=True))
        assert [blocker.code for blocker in plan.blockers] == ["QuotaExceeded"]
        vendor.answers["/price/2"] = []
        monkeypatch.setattr(Telling, "estimate_training", _strange_price)
        plan = only(client_of(telling()).plan(training(), ask_price=True))
        assert plan.blockers == ()
        assert "Plain was asked: " in str(plan.cost_note)

    def test_the_time_is_the_median_of_what_took_place(self, client_of: Any, tmp_path: Path) -> None:
        """Only jobs of this vendor and kind that succeeded count; without any it is unknown."""
        journal = Journal(tmp_path / "j.sqlite")
        client = client_of(telling(), journal=journal)
        assert only(client.plan(training())).seconds is None
        for number, (minutes, status) in enumerate(
            [(10, "succeeded"), (20, "succeeded"), (60, "succeeded"), (1, "failed")]
        ):
            ended(journal, f"j{number}", minutes, Status(status))
        plan = only(client.plan(training()))
        assert (plan.seconds, plan.seconds_from) == (1200.0, 3)
        assert only(client.plan("ohwx", model=MODEL)).seconds is None
        journal.close()

    def test_images_by_url_are_fetched_unless_offline(self, client_of: Any, vendor: Vendor) -> None:
        """The digest of what would be sent is that of the bytes; offline nobody knows them, and the plan says so."""
        remote = training(dataset=Dataset.of(["http://photos.test/a.png"], class_word="cat"))
        client = client_of(telling())
        plan = only(client.plan(remote))
        assert "GET /a.png" in vendor.seen
        assert [one.operation for one in plan.requests] == ["image.fetch", "upload.image", "training.start"]
        assert plan.files[0].sha256 == Image.of(png()).sha256
        offline = only(client.plan(remote, offline=True))
        assert [one.operation for one in offline.requests] == ["image.fetch", "training.start"]
        assert (offline.complete, offline.files[0].sha256) == (False, None)

    def test_an_image_that_can_not_be_fetched_stands_in_the_way(self, client_of: Any, vendor: Vendor) -> None:
        """A URL that leads nowhere is told."""
        vendor.status = 404
        there = UploadedImage(provider="plain", id="i", name="a.png")
        remote = training(dataset=Dataset.of(["http://photos.test/a.png", there], class_word="cat"))
        plan = only(client_of(plain()).plan(remote))
        assert [blocker.code for blocker in plan.blockers] == ["NotFound"]

    def test_a_flow_that_trips_over_what_was_made_up_ends_the_plan(self, client_of: Any) -> None:
        """An answer that is made up badly is no reason not to make the call; the plan is cut short and says why."""

        class Sloppy(Telling):
            def rehearsed(self, request: Request, before: Sequence[Request]) -> object:
                return ["no object"] if request.operation == "training.start" else {"id": "<image>"}

            def start(self, request: TrainingRequest, options: Any) -> Flow[Any]:
                answer = yield self.post("/trainings", "training.start", {}, effect=Effect.PAY)
                raise answer.malformed("no id")

        plan = only(client_of(Sloppy(plain().settings)).plan(training()))
        assert (plan.blockers, plan.complete) == ((), False)
        assert any("can't be foreseen" in note for note in plan.notes)

    def test_a_flow_that_refuses_stands_in_the_way(self, client_of: Any) -> None:
        """What a provider refuses only when it starts is told by the plan."""

        class Picky(Telling):
            def start(self, request: TrainingRequest, options: Any) -> Flow[Any]:
                yield from ()
                raise InvalidOptions("not this one")

        plan = only(client_of(Picky(plain().settings)).plan(training()))
        assert [blocker.message for blocker in plan.blockers] == ["not this one"]

    def test_urls_and_headers_are_shown_without_secrets(self) -> None:
        """Signatures, tokens in bodies and credentials in headers are hidden."""
        request = Request(
            "PUT",
            "https://user:pw@store.test/a",
            "image.host",
            query={"X-Amz-Signature": "s-SECRET-s"},
            body=JsonBody({"api_key": "s-SECRET-s", "in": [Base64(BytesBody(b"abc", "image/png"), data_url=True)]}),
            headers={"authorization": "s-SECRET-s", "x-kind": "b"},
            signed=False,
        )
        told = shown(request, {"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad": "a.png"})
        assert "SECRET" not in told.model_dump_json()
        assert "pw@" not in told.url
        assert told.headers["x-kind"] == "b"
        assert told.body == {"api_key": "***", "in": ["<data URL of a.png, 3 bytes>"]}


def _strange_price(provider: Telling, request: TrainingRequest) -> Flow[Cost | None]:
    answer = yield provider.get(f"/price/{len(request.dataset.images)}", "training.estimate")
    raise answer.malformed("no price")


def ended(journal: Journal, identifier: str, minutes: float, status: Status) -> None:
    from unified_train import Intent

    job = Job(
        provider="plain",
        kind="training",
        id=identifier,
        status=status,
        created_at=NOW,
        history=(Change(at=NOW + timedelta(minutes=minutes), status=status),),
    )
    intent = Intent(
        key=identifier,
        provider="plain",
        account="a",
        kind="training",
        marker=identifier,
        digest=identifier,
        created_at=NOW,
    )
    journal.begin(intent, "me:1:x")
    journal.settle(identifier, "me:1:x", "accepted", job=job)


class TestHosting:
    """A vendor that takes URLs only."""

    def test_the_image_host_is_part_of_the_plan(self, sandbox: Sandbox) -> None:
        """The PUT is shown without the host's credentials, and the vendor gets the URL."""
        host = PlainHost("http://user:pw@files.test/p")
        with Client("alibaba", image_host=host, **OPTIONS) as client:
            plan = only(client.plan(training()))
        assert [one.url for one in plan.requests[:2]] == [f"http://files.test/p/random-name-{n}.png" for n in (1, 2)]
        assert isinstance(plan.requests[2].body, dict)
        assert plan.requests[2].body["imageUrl"] == [one.url for one in plan.requests[:2]]
        assert plan.files[0].to[0] == "the image host (http://files.test), for anyone with the URL"

    def test_without_a_host_the_rest_is_planned(self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        """The missing host stands in the way, and the payload is shown with stand-ins."""
        monkeypatch.delenv("UNIFIED_TRAIN_IMAGE_HOST")
        with Client("alibaba", **OPTIONS) as client:
            plan = only(client.plan(training()))
        assert [blocker.code for blocker in plan.blockers] == ["ConfigurationError"]
        assert isinstance(plan.requests[0].body, dict)
        assert plan.requests[0].body["imageUrl"] == [f"https://image-host.invalid/{n}" for n in (1, 2)]
        assert plan.files[0].to == ("an image host that is not set, then Alibaba Cloud AiContent",)

    def test_urls_of_yours_leave_nothing_here(self, sandbox: Sandbox) -> None:
        """An image that is public already is sent nowhere; the vendor gets its URL."""
        public = training(dataset=Dataset.of(["http://photos.test/a.png"], class_word="cat"))
        with Client("alibaba", **OPTIONS) as client:
            plan = only(client.plan(public))
        assert [file.to for file in plan.files] == [("Alibaba Cloud AiContent gets its URL",)]
        assert len(plan.requests) == 1


class TestGenerating:
    """Pictures, of models that are there and of those that will be."""

    def test_a_model_is_needed(self, client_of: Any) -> None:
        """Without one there is nothing to plan with, and without a request nothing to plan."""
        client = client_of(telling())
        with pytest.raises(InvalidOptions, match="is planned with the model"):
            client.plan("ohwx")
        with pytest.raises(InvalidOptions, match="nothing to plan"):
            client.plan([], model=MODEL)

    def test_more_than_one_call_makes_is_split(self, client_of: Any, vendor: Vendor) -> None:
        """Each call is shown, with its seed; the words of the thing are in the prompt."""
        plan = only(client_of(telling()).plan(GenerationRequest(prompt="{subject}", n=6, seed=1), model=MODEL))
        assert [one.body for one in plan.requests] == [
            {"model": "model-1", "prompt": "ohwx cat", "n": 4, "seed": 1, "mood": "calm"},
            {"model": "model-1", "prompt": "ohwx cat", "n": 2, "seed": 5, "mood": "calm"},
        ]
        assert vendor.seen == ["GET /me"]

    def test_the_model_of_a_training_is_stood_in_for(self, client_of: Any, vendor: Vendor) -> None:
        """With the request of a training nothing is asked of anybody."""
        plan = only(client_of(telling()).plan("{subject}", model=training(), ask_price=True))
        assert isinstance(plan.requests[0].body, dict)
        assert plan.requests[0].body["model"] == "<model>"
        assert (vendor.seen, plan.cost, plan.cost_note) == (
            [],
            None,
            "a price is that of a model, and there is none yet",
        )

    def test_what_stands_in_the_way_of_one_is_told(self, client_of: Any) -> None:
        """A request that can't be made is a blocker, and the others are planned."""
        asked = [GenerationRequest(prompt="x" * 60), GenerationRequest(prompt="ohwx")]
        plan = only(client_of(telling()).plan(asked, model=MODEL))
        assert ([blocker.code for blocker in plan.blockers], len(plan.requests)) == (["InvalidOptions"], 1)
        plan = only(client_of(telling()).plan(asked[:1], model=MODEL))
        assert (plan.requests, plan.hash) == ((), None)

    def test_pictures_to_start_from_are_files(self, sandbox: Sandbox, photos: Dataset) -> None:
        """A local one is named with its digest, once, and one by URL with where it goes."""
        training_ = TrainingRequest(name="my-cat", dataset=photos)
        local = GenerationRequest(prompt="{subject}", image=Image.of(CHELSEA / "chelsea_01.jpg"), strength=0.5)
        remote = GenerationRequest(prompt="{subject}", image=Image.of("http://photos.test/a.png"))
        with Client("novita", **OPTIONS) as client:
            plan = only(client.plan([local, local, remote], model=training_))
        assert [(file.name, file.bytes is None) for file in plan.files] == [("chelsea_01.jpg", False), ("a.png", True)]
        assert "chelsea_01.jpg" in json.dumps(plan.requests[0].body)

    def test_at_the_vendor_that_has_the_model(self, sandbox: Sandbox, photos: Dataset) -> None:
        """A model is planned where it is; a training that will be, at every vendor of the client, or at one."""
        model = TrainedModel(provider="novita", id="m", base_model="v1-5-pruned-emaonly", trigger="ohwx")
        request = TrainingRequest(name="my-cat", dataset=photos)
        with Client(*VENDORS, **OPTIONS) as client:
            assert [plan.provider for plan in client.plan("{subject}", model=model).vendors] == ["novita"]
            assert [plan.provider for plan in client.plan(request).vendors] == list(VENDORS)
            assert [plan.provider for plan in client.plan(request, provider="novita").vendors] == ["novita"]
            assert len(client.plan("{subject}", model=request).vendors) == 3


def test_a_field_is_the_one_that_is_called_most_like_the_option() -> None:
    """Of two places with the same number the likelier name wins; a number written as text counts."""
    body: Any = {"rank": 8, "network": [{"seed": 8}], "rate": "1e-4", "flag": True, "none": None, "word": "fast"}
    requests = [PlannedRequest(operation="o", effect=Effect.PAY, method="POST", url="u", body=body)]
    assert field_of("seed", 8, requests) == "network[0].seed"
    assert field_of("rank", 8, requests) == "rank"
    assert field_of("learning_rate", 1e-4, requests) == "rate"
    assert field_of("steps", 1, requests) is None
    assert field_of("base_model", "fast", requests) == "word"


def test_what_differs_between_requests_of_one_sort() -> None:
    """URL and fields that are not the same in all are named."""
    facts: Any = {"operation": "o", "effect": Effect.PAY, "method": "POST"}
    first = PlannedRequest(url="a", body={"x": 1, "y": {"z": 1}}, **facts)
    second = PlannedRequest(url="b", body={"x": 1, "y": {"z": 2}, "w": 3}, **facts)
    assert differing([first, second]) == ["URL", "y.z", "w"]
    assert differing([PlannedRequest(url="a", body=text, **facts) for text in ("p", "q")]) == ["body"]


def test_bytes_are_found_wherever_they_are() -> None:
    """A picture in JSON, however deep, and a body of bytes carry one; plain JSON and no body don't."""
    picture = Base64(BytesBody(b"x"))
    bodies = [JsonBody({"a": [{"b": picture}]}), BytesBody(b"x"), JsonBody({"a": ["b"]}), None]
    assert [carries_bytes(Request("POST", "u", "o", body=body)) for body in bodies] == [True, True, False, False]


@pytest.mark.parametrize("slug", VENDORS)
def test_no_vendor_asks_a_price_without_saying_how(slug: str) -> None:
    """A provider that overrides an estimate says what asking takes, and no other does."""
    kind = plugins.load(slug)
    overridden = kind.estimate_training is not Provider.estimate_training
    assert overridden == (kind.price_by is not None)
