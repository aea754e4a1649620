"""At most one paid submission for a key: in any client, after any lost answer, and after any death."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import VENDORS
from counting_vendor import Endless, Killed, Ledger, Listing, Steps, listing
from helpers import Plain, PlainSettings, plain, png
from pydantic import SecretStr

from unified_train import (
    Client,
    ConfigurationError,
    Dataset,
    DatasetError,
    Effect,
    Flow,
    Found,
    GenerationRequest,
    Image,
    InsufficientFunds,
    InvalidOptions,
    InvalidRequest,
    Job,
    Journal,
    JournalError,
    Lost,
    NotFound,
    PermissionDenied,
    ProviderUnavailable,
    Request,
    Retry,
    Snapshot,
    Status,
    SubmissionReconciled,
    SubmissionUncertain,
    TrainedModel,
    TrainingRequest,
    TransportError,
    UploadedImage,
    plugins,
    submission,
)
from unified_train.flow import Permitted
from unified_train.http import SUBMISSION_SECONDS, BytesBody
from unified_train.intents import Intent, Step
from unified_train.keeper import LeaseLost
from unified_train.keys import account_of, marker_of
from unified_train.policy import Conversation
from unified_train.sandbox import Sandbox
from unified_train.sandbox.faults import Fault
from unified_train.transport.wire import CONNECT_SECONDS, IDLE_SECONDS
from unified_train.workflows import following

Connect = Callable[..., Any]
every_vendor = pytest.mark.parametrize("vendor", VENDORS)

STARTS = {"scenario": "/v1/models/*/train", "alibaba": "*/addModelTrainJob", "novita": "/v3/training/*"}
LISTS = {"scenario": "/v1/models*", "alibaba": "*/queryModelTrainJobList", "novita": "/v3/training"}
LOOKS = {"scenario": 1, "alibaba": 0, "novita": 0}
"""How often that is read before the paid request."""
QUICKLY = Retry(attempts=3, first=0.01, longest=0.1, grace=0.2)
MODEL = TrainedModel(provider="plain", id="model-1", trigger="ohwx", class_word="cat")


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Journal]:
    with closing(Journal(tmp_path / "j.sqlite", lease=30)) as made:
        yield made


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def reach(connect: Connect, colour: str, ledger: Ledger, book: Journal) -> Connect:
    """A client of the vendor in memory, with the journal."""

    def reached(provider: Plain | None = None, **options: Any) -> Any:
        known = {"http": ledger.http(colour), "journal": book, "retry": QUICKLY}
        return connect(provider or listing(), **{**known, **options})

    return reached


@pytest.fixture
def at(connect: Connect, sandbox: Sandbox, book: Journal) -> Connect:
    """A client of vendors in the sandbox, with the journal."""
    return partial(connect, journal=book, retry=QUICKLY)


@pytest.fixture
def few(photos: Dataset) -> Dataset:
    return photos.model_copy(update={"images": photos.images[:3]})


def cat(**values: Any) -> TrainingRequest:
    dataset = Dataset.of([png(8, 8), png(9, 9)], trigger="ohwx", class_word="cat")
    return TrainingRequest(**{"name": "chelsea", "dataset": dataset, **values})


def filed(folder: Path, **values: Any) -> TrainingRequest:
    """A training on files, which another process can read again."""
    for side in (8, 9):
        (folder / f"{side}.png").write_bytes(png(side, side))
    return cat(dataset=Dataset.of([folder / "8.png", folder / "9.png"], trigger="ohwx", class_word="cat"), **values)


def trainings(sandbox: Sandbox) -> list[str]:
    return [paid.name for paid in sandbox.world.submissions if paid.kind == "training"]


class TestKeys:
    """The same key, the same job."""

    def test_the_same_key_gives_the_same_job(self, reach: Connect, ledger: Ledger) -> None:
        """In one client and in another a key is submitted once, whatever the labels, and nothing is uploaded twice."""
        client = reach()
        job = client.train(cat(), key="order 7")
        sent = len(ledger.requests)
        assert client.train(cat(labels={"x": "y"}), key="order 7") == job
        assert reach().train(cat(), key="order 7") == job
        assert (job.key, len(ledger.trainings), len(ledger.requests)) == ("order 7", 1, sent)

    def test_generations_have_keys_too(self, reach: Connect, ledger: Ledger) -> None:
        """A generation that is split over several calls is submitted once, too."""
        asked = GenerationRequest(prompt="{subject}", n=9)
        job = reach().generate(MODEL, asked, key="g")
        assert reach().generate(MODEL, asked, key="g") == job
        assert (job.key, len(job.parts), len(ledger.generations)) == ("g", 3, 3)

    def test_a_job_that_changed_is_given_as_last_seen(self, reach: Connect, ledger: Ledger) -> None:
        """The key gives the job as the last poll through this journal saw it."""
        client = reach()
        job = client.train(cat(), key="k")
        ledger.finish()
        assert reach().poll(job.reference).status is Status.SUCCEEDED
        assert reach().train(cat(), key="k").status is Status.SUCCEEDED

    def test_a_job_whose_record_is_gone(self, reach: Connect, ledger: Ledger, book: Journal) -> None:
        """A key whose job is no longer kept still gives its reference, and pays nothing."""
        job = reach().train(cat(), key="k")
        book._connected().execute("DELETE FROM jobs")
        assert reach().train(cat(), key="k").reference == job.reference
        assert len(ledger.trainings) == 1

    def test_a_drawn_key_is_on_the_job(self, reach: Connect, ledger: Ledger, book: Journal) -> None:
        """Without a key each call is one of its own, and its key is drawn."""
        jobs = [reach().train(cat()) for _ in range(2)]
        keys = [job.key for job in jobs]
        assert len(set(keys)) == len(ledger.trainings) == 2
        assert {job.key for job in book.jobs()} == set(keys)

    @pytest.mark.parametrize(
        "other",
        [
            {"name": "another"},
            {"steps": 20},
            {"extra": {"plain": {"mood": "wild"}}},
            {"dataset": Dataset.of([png(8, 8)], trigger="ohwx", class_word="cat")},
            {"dataset": Dataset.of([png(9, 9), png(8, 8)], trigger="ohwx", class_word="cat")},
            {"dataset": Dataset.of([png(8, 8), png(9, 9)], trigger="sks", class_word="cat")},
        ],
    )
    def test_another_request(self, other: dict[str, Any], reach: Connect, ledger: Ledger) -> None:
        """The key of another training is refused, and nothing is sent."""
        reach().train(cat(), key="k")
        sent = len(ledger.requests)
        with pytest.raises(InvalidOptions, match="the key 'k' was used for another request"):
            reach().train(cat(**other), key="k")
        assert len(ledger.requests) == sent

    def test_another_kind(self, reach: Connect, ledger: Ledger) -> None:
        """The key of a training is none for a generation."""
        reach().train(cat(), key="k")
        with pytest.raises(InvalidOptions, match=r"another request \(a training at plain"):
            reach().generate(MODEL, "{subject}", key="k")
        assert ledger.generations == []

    @pytest.mark.parametrize("settings", [{"api_key": SecretStr("another")}, {"base_url": "http://other.test/api"}])
    def test_another_account(self, settings: dict[str, Any], reach: Connect, ledger: Ledger) -> None:
        """The key of another account, or at another address, is refused, and nothing is sent."""
        reach().train(cat(), key="k")
        sent = len(ledger.requests)
        with pytest.raises(InvalidOptions, match="was used with another account of plain"):
            reach(listing(**settings)).train(cat(), key="k")
        assert len(ledger.requests) == sent

    def test_another_provider(self, at: Connect, sandbox: Sandbox, few: Dataset) -> None:
        """The key of one vendor is refused at the others, and nothing is sent there."""
        client = at(*VENDORS)
        client.train(cat(dataset=few), provider="novita", key="k")
        for vendor in ("alibaba", "scenario"):
            with pytest.raises(InvalidOptions, match="a training at novita"):
                client.train(cat(dataset=few), provider=vendor, key="k")
        assert len(sandbox.world.submissions) == 1

    def test_other_vendors_options_do_not_count(self, reach: Connect, ledger: Ledger) -> None:
        """Options for another vendor change nothing about what is bought here."""
        job = reach().train(cat(), key="k")
        assert reach().train(cat(extra={"novita": {"anything": object}}), key="k") == job

    @pytest.mark.parametrize("key", ["", " ", "x" * 201, "a\nb", "a\x00"])
    def test_what_is_no_key(self, key: str, reach: Connect, ledger: Ledger) -> None:
        """A blank key, a long one and one that can't be printed are refused, and nothing is sent."""
        with pytest.raises(InvalidOptions, match="key: 1 to 200 printable characters, such as an order number"):
            reach().train(cat(), key=key)
        assert ledger.requests == []

    def test_a_key_needs_a_journal(self, reach: Connect, ledger: Ledger) -> None:
        """Without a journal a key can't be kept, which is said before anything is sent; all else is as ever."""
        client = reach(journal=None)
        with pytest.raises(ConfigurationError, match="a key needs a journal"):
            client.train(cat(), key="k")
        for call in (client.resume, lambda: client.reconcile("k")):
            with pytest.raises(ConfigurationError, match="made with journal=None"):
                call()
        assert ledger.requests == []
        assert client.train(cat()).key is None
        assert ledger.trainings[0].name == "chelsea"
        assert client.generate(MODEL, "{subject}").key is None

    @every_vendor
    def test_a_refusal_leaves_the_key_free(
        self, vendor: str, at: Connect, sandbox: Sandbox, few: Dataset, book: Journal
    ) -> None:
        """After a refusal the same key tries again, without another upload, and then has its job."""
        path = STARTS[vendor]
        sandbox.world.faults.add(Fault(kind="status", path=path, status=402, body={"message": "pay first"}))
        with pytest.raises(Exception, match="pay first") as error:
            at(vendor).train(cat(dataset=few), key="k")
        assert not isinstance(error.value, SubmissionUncertain)
        known = book.intent("k")
        assert known is not None
        assert (known.state, book.pending(), sandbox.world.submissions) == ("refused", [], [])
        uploads = sum(entry.method == "PUT" and "train" not in entry.path for entry in sandbox.world.requests)
        job = at(vendor).train(cat(dataset=few), key="k")
        assert (job.key, len(sandbox.world.submissions)) == ("k", 1)
        assert uploads == sum(entry.method == "PUT" and "train" not in entry.path for entry in sandbox.world.requests)

    def test_no_money(self, reach: Connect, ledger: Ledger, book: Journal, monkeypatch: Any) -> None:
        """An empty balance is told as it is, and once it is filled the key buys one job."""

        def refusal(self: Plain, response: Any) -> Any:
            return InsufficientFunds("pay first", http_status=402) if response.status == 402 else None

        monkeypatch.setattr(Listing, "refusal", refusal)
        ledger.fail("POST */trainings", "status", status=402)
        with pytest.raises(InsufficientFunds, match="pay first"):
            reach().train(cat(), key="k")
        known = book.intent("k")
        assert known is not None
        assert "pay first" in str(known.error)
        assert reach().train(cat(), key="k").id == "training-1"
        assert (len(ledger.images), len(ledger.trainings)) == (2, 1)


class TestNames:
    """What a vendor shows."""

    @every_vendor
    @pytest.mark.parametrize("name", ["chelsea", "c" * 64])
    def test_the_visible_name(self, vendor: str, name: str, at: Connect, sandbox: Sandbox, few: Dataset) -> None:
        """It begins as the user's and ends with the marker, 64 characters at most; the job has the user's own."""
        client = at(vendor)
        job = client.train(cat(dataset=few, name=name), key="k")
        (shown,) = trainings(sandbox)
        assert job.name == name
        assert shown == f"{name[:49]}-{marker_of('k')}"
        assert len(shown) <= 64

    def test_markers(self) -> None:
        """A marker is the same for the same key, another for another, and safe in any name."""
        assert marker_of("a") == marker_of("a") != marker_of("b")
        assert re.fullmatch("ut[a-z2-7]{12}", marker_of("ключ"))

    def test_accounts(self) -> None:
        """Accounts are told apart by vendor, address and credentials, and nothing of these can be read."""
        names = {account_of(one) for one in (plain(), plain(api_key=SecretStr("x")), plain(base_url="http://x"))}
        assert len(names) == 3
        assert not any("SECRET" in name for name in names)


class TestLostAnswers:
    """A request may have been accepted, and its answer did not come."""

    @pytest.mark.long
    @every_vendor
    @pytest.mark.parametrize("kind", ["drop_after", "reset_after", "status_after", "truncate", "reset", "body", "json"])
    def test_what_was_accepted_is_adopted(
        self, vendor: str, kind: Any, at: Connect, sandbox: Sandbox, few: Dataset
    ) -> None:
        """An answer that was lost, or can't be read, costs nothing: the vendor's list has the training."""
        more: dict[str, Any] = {
            "body": {"body": "<html>bad gateway</html>"},
            "json": {"remove": ["task_id", "data", "model", "job"]},
        }
        events: list[Any] = []
        sandbox.world.faults.add(Fault(kind=kind, path=STARTS[vendor], **more.get(kind, {})))
        client = at(vendor, observer=events.append)
        job = client.train(cat(dataset=few), key="k")
        assert len(sandbox.world.submissions) == 1
        done = client.wait(job, timeout=30)
        assert (done.status, done.notes) == (Status.SUCCEEDED, job.notes)
        assert client.journal.pending() == []
        told = [(event.key, event.outcome) for event in events if isinstance(event, SubmissionReconciled)]
        assert told == [("k", "adopted")] or kind == "json"  # what is missing there not every flow reads

    @pytest.mark.long
    @every_vendor
    @pytest.mark.parametrize("kind", ["drop_before", "reset_before", "status"])
    def test_what_was_never_accepted_is_sent_once_more(
        self, vendor: str, kind: Any, at: Connect, sandbox: Sandbox, few: Dataset
    ) -> None:
        """A training that no list shows after the grace is submitted again, and paid once."""
        events: list[Any] = []
        sandbox.world.faults.add(Fault(kind=kind, path=STARTS[vendor]))
        client = at(vendor, observer=events.append)
        started = time.monotonic()
        job = client.train(cat(dataset=few), key="k")
        assert time.monotonic() - started >= 0.2
        assert len(sandbox.world.submissions) == 1
        assert client.wait(job, timeout=30).status is Status.SUCCEEDED
        told = [event.outcome for event in events if isinstance(event, SubmissionReconciled)]
        assert told == ["absent"]

    def test_the_grace_is_waited_out(self, reach: Connect, ledger: Ledger) -> None:
        """What the list does not show at first, but within the grace, is adopted."""
        ledger.fail("POST */trainings", "lost_after")
        ledger.unlisted = 1
        job = reach(retry=Retry(grace=1.1)).train(cat())
        assert (job.id, len(ledger.trainings), ledger.requests.count("GET /api/trainings")) == ("training-1", 1, 2)

    @pytest.mark.parametrize("ahead", [None, timedelta(hours=-1), timedelta(hours=1)])
    def test_a_vendors_clock_may_be_another(self, ahead: timedelta | None, ledger: Ledger, book: Journal) -> None:
        """What is looked for may be as old as the vendor's clock has it; if that is not known, a day older."""
        asked: list[Lost] = []

        class Watched(Listing):
            def find(self, lost: Lost) -> Flow[Sequence[Found] | None]:
                asked.append(lost)
                return (yield from super().find(lost))

        def answer(request: httpx.Request) -> httpx.Response:
            answered = ledger(request)
            if ahead is not None:
                answered.headers["date"] = format_datetime(datetime.now(UTC) + ahead, usegmt=True)
            return answered

        ledger.fail("POST */trainings", "lost_after")
        http = httpx.Client(transport=httpx.MockTransport(answer))
        with http, Client(listing(Watched), http=http, journal=book, retry=QUICKLY) as client:
            before = datetime.now(UTC)
            client.train(cat(), key="k")
        off = asked[0].since - before
        wanted = timedelta(days=-1) if ahead is None else ahead - timedelta(minutes=15)
        assert wanted - timedelta(seconds=2) < off < wanted + timedelta(minutes=1)

    @pytest.mark.parametrize(("vendor", "seconds"), [("scenario", 250), ("alibaba", 310), ("novita", 250)])
    def test_the_grace_of_each_vendor(self, vendor: str, seconds: float) -> None:
        """It is the longest that a request takes, and the vendor's two lags; a user's own takes its place."""
        provider: Any = plugins.load(vendor)
        lags = provider.acceptance_lag + provider.listing_lag
        assert Conversation(provider, Retry()).grace == SUBMISSION_SECONDS + lags == seconds
        assert Conversation(provider, Retry(grace=7)).grace == 7
        assert CONNECT_SECONDS + 2 * IDLE_SECONDS <= SUBMISSION_SECONDS
        row = f"| {provider.title} | {seconds} s | {provider.acceptance_lag:g} s"
        assert row in (Path(__file__).parents[1] / "docs" / "reliability.md").read_text()

    def test_the_grace_counts_from_the_entry(self, ledger: Ledger, tmp_path: Path) -> None:
        """What was sent longer ago than the grace is looked for once, and then sent again without waiting."""
        ledger.fail("POST */trainings", "killed_before")
        assert dies(ledger, Dying(tmp_path / "j"), filed(tmp_path))
        run_out(tmp_path / "j")
        time.sleep(0.3)
        with (
            closing(Journal(tmp_path / "j")) as same,
            Client(listing(Steps), http=ledger.http(), journal=same, retry=Retry(grace=0.3)) as client,
        ):
            (one,) = client.resume()
        assert (one.error, len(ledger.trainings)) == (None, 1)
        assert ledger.requests.count("GET /api/trainings") == 1

    def test_the_last_look_begins_after_the_grace(self, ledger: Ledger, book: Journal) -> None:
        """A look that began before the end of the grace and took longer is not the last one."""
        ledger.fail("POST */trainings", "lost_after")
        ledger.fail("GET */trainings", "call", then=lambda: time.sleep(1.2))
        ledger.unlisted = 1
        with Client(listing(), http=ledger.http(), journal=book, retry=Retry(grace=1.0)) as client:
            assert client.train(cat()).id == "training-1"
        assert (len(ledger.trainings), ledger.requests.count("GET /api/trainings")) == (1, 2)

    def test_a_request_that_took_long_to_leave(self, ledger: Ledger, book: Journal, monkeypatch: Any) -> None:
        """A body that was longer on its way than a request may take is waited for longer, too."""
        monkeypatch.setattr(submission, "SUBMISSION_SECONDS", 0.1)

        def slowly() -> None:
            time.sleep(1.2)
            ledger.accept("trainings", {"name": f"chelsea-{marker_of('k')}"})
            raise httpx.ReadError("gone")

        ledger.fail("POST */trainings", "call", then=slowly)
        ledger.unlisted = 1
        with Client(listing(), http=ledger.http(), journal=book, retry=Retry(grace=1.1)) as client:
            assert client.train(cat(), key="k").id == "training-1"
        assert len(ledger.trainings) == 1

    def test_it_is_repeated_only_once(self, reach: Connect, ledger: Ledger, book: Journal) -> None:
        """A second loss of the same request is a doubt, and no third submission; to resume may settle it."""
        ledger.fail("POST */trainings", "lost_before", times=2)
        with pytest.raises(SubmissionUncertain, match="it was repeated once already") as error:
            reach().train(cat(), key="k")
        assert error.value.key == "k"
        assert ledger.requests.count("POST /api/trainings") == 2
        known = book.intent("k")
        assert known is not None
        assert (known.state, known.steps[0].attempts) == ("uncertain", 2)
        assert "was repeated once already" in (known.error or "")

    @pytest.mark.parametrize("kind", ["lost_after", "lost_before", "status", "garbled"])
    def test_a_vendor_that_can_not_be_asked(self, kind: Any, reach: Connect, ledger: Ledger, book: Journal) -> None:
        """Nobody can tell, so it is said with the key and with what to type, and the same key sends nothing."""
        ledger.fail("POST */trainings", kind, times=None)
        for _ in range(2):
            with pytest.raises(SubmissionUncertain, match="Plain can't be asked for it") as error:
                reach(plain()).train(cat(), key="k")
            for words in ("`unified-train jobs reconcile k`", "--accepted REFERENCE", "--not-accepted"):
                assert words in str(error.value)
            assert (error.value.key, error.value.provider, error.value.operation) == ("k", "plain", "training.start")
        assert ledger.requests.count("POST /api/trainings") == 1
        assert [known.state for known, _ in book.pending()] == ["uncertain"]

    def test_a_list_that_is_down(self, reach: Connect, ledger: Ledger) -> None:
        """While the vendor's list can't be read the doubt stays, and to resume later settles it."""
        ledger.fail("POST */trainings", "lost_after")
        ledger.fail("GET */trainings", "status", status=500, times=None)
        with pytest.raises(SubmissionUncertain, match="looking for it at Plain failed"):
            reach().train(cat(), key="k")
        (still,) = reach().resume()
        assert isinstance(still.error, SubmissionUncertain)
        ledger.mishaps.clear()
        (resumed,) = reach().resume()
        assert (resumed.key, resumed.provider, resumed.kind, resumed.name) == ("k", "plain", "training", "chelsea")
        assert resumed.job is not None
        assert resumed.error is None
        assert (resumed.job.id, resumed.job.name, len(ledger.trainings)) == ("training-1", "chelsea", 1)
        assert reach().resume() == []

    @pytest.mark.long
    @every_vendor
    def test_a_list_that_is_down_at_a_vendor(self, vendor: str, at: Connect, sandbox: Sandbox, few: Dataset) -> None:
        """A doubt that can't be settled now is settled by a later `resume` of another client."""
        sandbox.world.faults.add(Fault(kind="drop_after", path=STARTS[vendor]))
        client = at(vendor)
        sandbox.world.faults.add(Fault(kind="status", method="GET", path=LISTS[vendor], times=None, skip=LOOKS[vendor]))
        with pytest.raises(SubmissionUncertain, match="may or may not have been accepted") as error:
            client.train(cat(dataset=few), key="k")
        assert error.value.key == "k"
        sandbox.world.faults.clear()
        (resumed,) = at(vendor).resume("k")
        assert resumed.job is not None
        assert len(sandbox.world.submissions) == 1

    def test_a_read_that_fails_before_the_doubt_is_looked_up(
        self, reach: Connect, ledger: Ledger, book: Journal, monkeypatch: Any
    ) -> None:
        """A failure on the way to the request in doubt does not hide the doubt: the error has the key."""
        provider = listing()

        def start(request: TrainingRequest, options: Any) -> Flow[Snapshot]:
            yield provider.get("/models", "model.list")
            body = {"name": request.name}
            answer = yield provider.post("/trainings", "training.start", body, effect=Effect.PAY)
            return Snapshot(id=answer.json()["id"], status=Status.QUEUED)

        monkeypatch.setattr(provider, "start", start)
        ledger.fail("POST */trainings", "lost_after")
        ledger.fail("GET */models", "status", skip=1, times=3)
        with pytest.raises(SubmissionUncertain, match="unified-train jobs reconcile k") as error:
            reach(provider).train(cat(), key="k")
        assert error.value.key == "k"
        assert [known.state for known, _ in book.pending()] == ["uncertain"]
        assert reach(provider).train(cat(), key="k").id == "training-1"
        assert len(ledger.trainings) == 1

    def test_several_are_found(self, reach: Connect, ledger: Ledger, caplog: Any) -> None:
        """The oldest is adopted, and the others are named in the notes and the log."""

        def twice() -> None:
            for _ in range(2):
                ledger.accept("trainings", {"name": f"chelsea-{marker_of('k')}"})

        ledger.fail("POST */trainings", "call", then=twice)
        ledger.fail("POST */trainings", "lost_after")
        ledger.mishaps.reverse()
        twice()
        job = reach().train(cat(), key="k")
        assert job.id == "training-1"
        assert job.notes == ("Plain shows the same call more than once: also training-2, training-3",)
        assert job.notes[0] in caplog.text

    def test_a_generation_is_adopted(self, reach: Connect, ledger: Ledger) -> None:
        """A generation that is known by its seed is adopted; without one a seed is drawn from the key."""
        for pattern, seed in (("POST */generations", None), ("POST */generations", 7)):
            ledger.fail(pattern, "lost_after")
            job = reach().generate(MODEL, GenerationRequest(prompt="{subject}", seed=seed))
            assert job.id == ledger.generations[-1].id
        assert len(ledger.generations) == 2
        assert ledger.generations[0].body["seed"] is not None

    def test_a_generation_that_is_anothers_is_not_adopted(self, reach: Connect, ledger: Ledger) -> None:
        """Two calls that are alike are told apart by what is known to be the other's."""
        asked = GenerationRequest(prompt="{subject}", seed=7)
        first = reach().generate(MODEL, asked, key="a")
        ledger.fail("POST */generations", "lost_before")
        second = reach().generate(MODEL, asked, key="b")
        assert (first.id, second.id, len(ledger.generations)) == ("generation-1", "generation-2", 2)

    def test_one_of_several_calls_is_in_doubt(self, reach: Connect, ledger: Ledger) -> None:
        """The accepted calls of a generation are a job at once, which tells that one was lost."""
        ledger.fail("POST */generations", "lost_before")
        ledger.fail("GET */generations", "status", times=None)
        job = reach(parallel=1).generate(MODEL, GenerationRequest(prompt="{subject}", n=8), key="k")
        assert len(ledger.generations) == 1
        assert any("1 of 2 calls were not accepted" in note for note in job.notes)
        assert reach().resume() == []

    def test_each_step_is_adopted(self, reach: Connect, ledger: Ledger) -> None:
        """A training of several requests loses each of their answers, and still makes each thing once."""
        ledger.fail("POST */models", "lost_after")
        ledger.fail("PUT */attachments", "lost_after")
        ledger.fail("POST */trainings", "garbled")
        job = reach(listing(Steps)).train(cat())
        assert (job.id, len(ledger.books["models"]), len(ledger.trainings)) == ("training-1", 1, 1)
        assert ledger.trainings[0].body["model"] == "model-1"

    def test_an_adopted_answer_that_can_not_be_read(self, reach: Connect, ledger: Ledger, monkeypatch: Any) -> None:
        """What the list shows is asked for once: if the flow can't read it, it is a doubt and no endless loop."""
        ledger.fail("POST */trainings", "lost_after")
        provider = listing()

        def start(request: TrainingRequest, options: Any) -> Flow[Snapshot]:
            answer = yield provider.post("/trainings", "training.start", {"name": request.name}, effect=Effect.PAY)
            raise answer.malformed("nothing to read")

        monkeypatch.setattr(provider, "start", start)
        with pytest.raises(SubmissionUncertain, match="nothing to read"):
            reach(provider).train(cat())
        assert len(ledger.trainings) == 1

    def test_what_surely_was_not_sent(self, reach: Connect, ledger: Ledger, book: Journal) -> None:
        """A connection that never came about leaves no doubt: the key is free at once, and no list is asked."""
        ledger.fail("POST */trainings", "unsent", times=None)
        with pytest.raises(TransportError) as error:
            reach().train(cat(), key="k")
        assert not error.value.sent
        known = book.intent("k")
        assert known is not None
        assert (known.state, known.steps[0].state) == ("refused", "void")
        ledger.mishaps.clear()
        assert "GET /api/trainings" not in ledger.requests
        assert reach().train(cat(), key="k").id == "training-1"
        assert len(ledger.trainings) == 1

    def test_what_could_not_even_be_written_as_a_request(
        self, reach: Connect, ledger: Ledger, book: Journal, monkeypatch: Any
    ) -> None:
        """A request that comes to nothing before it is about to leave is not on record."""
        provider = listing()

        def start(request: TrainingRequest, options: Any) -> Flow[Snapshot]:
            yield Request("POST", f"{provider.base_url}/a\x00b", "training.start", effect=Effect.PAY)
            raise AssertionError("unreachable")

        monkeypatch.setattr(provider, "start", start)
        with pytest.raises(TransportError) as error:
            reach(provider).train(cat(), key="k")
        assert not error.value.sent
        assert (_intent(book, "k").state, _intent(book, "k").steps) == ("refused", ())

    def test_a_refusal_of_something_harmless(self, reach: Connect, ledger: Ledger, book: Journal) -> None:
        """A refused request that does not bill is a refusal, kept as such, and asked again by the same key."""
        ledger.fail("PUT */attachments", "status", status=400, body="too small")
        with pytest.raises(InvalidRequest, match="too small"):
            reach(listing(Steps)).train(cat(), key="k")
        known = book.intent("k")
        assert known is not None
        assert [step.state for step in known.steps] == ["answered", "refused"]
        job = reach(listing(Steps)).train(cat(), key="k")
        assert (job.id, len(ledger.books["models"])) == ("training-1", 1)

    def test_a_refusal_that_passes(self, reach: Connect, ledger: Ledger, book: Journal) -> None:
        """A harmless request that fails for now is not on record as refused."""
        ledger.fail("PUT */attachments", "status", status=500, times=3)
        with pytest.raises(ProviderUnavailable):
            reach(listing(Steps)).train(cat(), key="k")
        known = book.intent("k")
        assert known is not None
        assert [step.state for step in known.steps] == ["answered"]


class TestReconciled:
    """A person has looked at the vendor's list."""

    @pytest.fixture
    def doubt(self, reach: Connect, ledger: Ledger) -> Any:
        """A client that could not find out."""
        ledger.fail("POST */trainings", "lost_after")
        client = reach(plain())
        with pytest.raises(SubmissionUncertain):
            client.train(cat(labels={"order": "7"}), key="k")
        return client

    def test_it_was_accepted(self, doubt: Any, ledger: Ledger, book: Journal) -> None:
        """The job that was seen is the call's, with all that the call knew, and nothing is sent again."""
        ledger.finish()
        job = doubt.reconcile("k", "plain:training:training-1")
        assert (job.id, job.status) == ("training-1", Status.SUCCEEDED)
        again = doubt.train(cat(), key="k")
        assert (again.reference, again.key, len(ledger.trainings)) == (job.reference, "k", 1)
        assert book.pending() == []

    def test_what_the_call_knew_is_on_the_job(self, doubt: Any, ledger: Ledger) -> None:
        """A job that was settled by hand has the call's key, name, words and labels."""
        ledger.finish()
        job = doubt.reconcile("k", "plain:training:training-1")
        assert (job.key, job.name, job.labels) == ("k", "chelsea", {"order": "7"})
        assert (job.trigger, job.class_word, job.model.phrase) == ("ohwx", "cat", "ohwx cat")

    def test_it_was_not_accepted(self, doubt: Any, ledger: Ledger, book: Journal) -> None:
        """The key is free again, and submits once more."""
        ledger.trainings.clear()
        assert doubt.reconcile("k") is None
        known = book.intent("k")
        assert known is not None
        assert (known.state, known.in_doubt, book.pending()) == ("refused", False, [])
        assert doubt.resume() == []
        assert ledger.trainings == []
        assert doubt.train(cat(), key="k").id == "training-1"

    def test_a_job_that_the_vendor_does_not_know(self, doubt: Any, ledger: Ledger, book: Journal) -> None:
        """A mistyped reference changes nothing."""
        with pytest.raises(NotFound):
            doubt.reconcile("k", "plain:training:nothing")
        assert [known.state for known, _ in book.pending()] == ["uncertain"]

    @pytest.mark.parametrize("reference", ["plain:generation:generation-1", "plain:generation:none"])
    def test_a_job_of_another_kind(self, reference: str, doubt: Any, ledger: Ledger, book: Journal) -> None:
        """A generation is not what became of a training."""
        ledger.accept("generations", {})
        with pytest.raises((InvalidOptions, NotFound)):
            doubt.reconcile("k", reference)
        assert [known.state for known, _ in book.pending()] == ["uncertain"]

    def test_a_job_of_another_call(self, doubt: Any, reach: Connect, ledger: Ledger, book: Journal) -> None:
        """What is one call's, by submission or by hand, is never a second one's."""
        job = reach().train(cat(), key="other")
        with pytest.raises(InvalidOptions, match=f"{job.reference} is the job of another call, other"):
            doubt.reconcile("k", job.reference)
        assert [(known.key, known.state, owner) for known, owner in book.pending()] == [("k", "uncertain", None)]
        doubt.reconcile("k", "plain:training:training-1")
        assert book.claimant("plain:training:training-1") == "k"
        ledger.fail("POST */trainings", "lost_before")
        with pytest.raises(SubmissionUncertain):
            reach(plain()).train(cat(), key="third")
        with pytest.raises(InvalidOptions, match="training-1 is the job of another call, k"):
            doubt.reconcile("third", "plain:training:training-1")

    def test_what_can_not_be_reconciled(self, reach: Connect, ledger: Ledger, book: Journal) -> None:
        """An unknown key, a call that has a job, and one that is being worked on are left as they are."""
        job = reach().train(cat(), key="k")
        with pytest.raises(InvalidOptions, match="has no call with the key 'none'"):
            reach().reconcile("none")
        with pytest.raises(InvalidOptions, match=f"the call k has the job {job.reference} already"):
            reach().reconcile("k")
        begun = _intent(book, "k").model_copy(update={"key": "l", "state": "open", "job": None})
        book.begin(begun, "somebody")
        with pytest.raises(InvalidOptions, match="the call l is being worked on; wait for that to end"):
            reach().reconcile("l")

    @pytest.mark.parametrize("kind", ["drop_after", "drop_before"])
    def test_generations_that_no_vendor_can_be_asked_for(
        self, kind: Any, at: Connect, sandbox: Sandbox, few: Dataset, book: Journal
    ) -> None:
        """Where generations are not listed, a person settles the doubt, and each way leads to one generation."""
        client = at("novita")
        model = client.wait(client.train(cat(dataset=few)), timeout=30).model
        sandbox.world.faults.add(Fault(kind=kind, path="/v3/async/txt2img"))
        with pytest.raises(SubmissionUncertain, match="can't be asked for it") as error:
            client.generate(model, "{subject}", key="g")
        assert error.value.key == "g"
        seen = [paid.id for paid in sandbox.world.submissions if paid.kind == "generation"]
        client.reconcile("g", f"novita:generation:{seen[0]}" if seen else None)
        job = client.generate(model, "{subject}", key="g")
        assert [job.id] == [paid.id for paid in sandbox.world.submissions if paid.kind == "generation"]


def _intent(book: Journal, key: str) -> Intent:
    known = book.intent(key)
    assert known is not None
    return known


class TestDoubles:
    """At the end of a training its list is looked at once more."""

    @pytest.fixture
    def accepted_twice(self, ledger: Ledger) -> Callable[[Any], Job]:
        def train(client: Any) -> Job:
            job: Job = client.train(cat(), key="k")
            ledger.accept("trainings", {"name": f"chelsea-{marker_of('k')}"})
            ledger.trainings[0] = type(ledger.trainings[0])(
                job.id, ledger.trainings[0].name, ledger.now, {}, status="succeeded"
            )
            return job

        return train

    def test_a_double_is_canceled(
        self, accepted_twice: Any, reach: Connect, ledger: Ledger, book: Journal, caplog: Any
    ) -> None:
        """Where the vendor can, a second training of the same call is stopped, and the job tells of it."""
        client = reach()
        done = client.poll(accepted_twice(client))
        note = "the same call was accepted more than once: plain:training:training-2 was canceled"
        assert done.notes == (note,)
        assert note in caplog.text
        assert [one.status for one in ledger.trainings] == ["succeeded", "canceled"]
        assert book.job(done.reference) == done

    def test_a_double_that_can_not_be_canceled(self, accepted_twice: Any, reach: Connect, ledger: Ledger) -> None:
        """Where the vendor can't, it says whom to ask."""
        client = reach(listing(Endless))
        done = client.poll(accepted_twice(client))
        assert "training-2 goes on, since Plain can't cancel it; ask its support for the money" in done.notes[0]

    def test_a_double_whose_cancelling_fails(self, accepted_twice: Any, reach: Connect, ledger: Ledger) -> None:
        """A vendor that does not cancel does not spoil the job."""
        client = reach()
        ledger.fail("POST */cancel", "status", status=403)
        done = client.poll(accepted_twice(client))
        assert done.status is Status.SUCCEEDED
        assert "could not be canceled (plain training.cancel" in done.notes[0]

    def test_a_double_that_is_over(self, accepted_twice: Any, reach: Connect, ledger: Ledger) -> None:
        """One that has ended is told with its end."""
        client = reach()
        job = accepted_twice(client)
        ledger.finish("failed")
        assert client.poll(job).notes == (
            "the same call was accepted more than once: plain:training:training-2 (failed)",
        )

    def test_a_list_that_fails(self, reach: Connect, ledger: Ledger, caplog: Any) -> None:
        """If the list can't be read the job ends all the same."""
        client = reach()
        job = client.train(cat())
        ledger.finish()
        ledger.fail("GET */trainings", "status", times=None)
        assert client.poll(job).notes == ()
        assert "could not look for doubles" in caplog.text

    def test_a_listing_serves_many_for_a_moment(self, reach: Connect, ledger: Ledger, monkeypatch: Any) -> None:
        """Trainings that end together are looked for in one listing, later ones in a new one."""
        client = reach()
        jobs = [client.train(cat(), key=key) for key in "abc"]
        ledger.finish()
        assert [client.poll(job).notes for job in jobs[:2]] == [(), ()]
        assert ledger.requests.count("GET /api/trainings") == 1
        ledger.accept("trainings", {"name": f"chelsea-{marker_of('c')}"})
        monkeypatch.setattr(following, "_FRESH", timedelta(0))
        (note,) = client.poll(jobs[2]).notes
        assert "plain:training:training-4 was canceled" in note
        assert ledger.requests.count("GET /api/trainings") == 2

    def test_others_are_none_of_its_business(self, reach: Connect, ledger: Ledger) -> None:
        """Trainings of other calls, and unnamed ones, are no doubles; without a journal nobody looks."""
        client = reach()
        job = client.train(cat())
        client.train(cat())
        ledger.accept("trainings", {})
        ledger.finish()
        assert client.poll(job).notes == ()
        sent = len(ledger.requests)
        reach(journal=None).poll(job)
        reach().poll(job.model_copy(update={"key": None}))
        assert ledger.requests[sent:] == ["GET /api/trainings/training-1"] * 2

    @every_vendor
    def test_a_vendors_training_is_not_its_own_double(
        self, vendor: str, at: Connect, sandbox: Sandbox, few: Dataset
    ) -> None:
        """At every vendor a training that was accepted once ends without a word of doubles."""
        client = at(vendor)
        done = client.wait(client.train(cat(dataset=few)), timeout=30)
        assert not [note for note in done.notes if "more than once" in note]


class Dying(Journal):
    """A journal whose process dies at one of its writes: before it, or after it; a dead process gives nothing back."""

    def __init__(self, path: Path, at: int = -1, *, after: bool = False) -> None:
        super().__init__(path, lease=60)
        self.at, self.after, self.writes = at, after, 0

    def _dies(self, write: Callable[..., Any], *values: Any, **facts: Any) -> Any:
        number, self.writes = self.writes, self.writes + 1
        if number == self.at and not self.after:
            raise Killed
        result = write(*values, **facts)
        if number == self.at:
            raise Killed
        return result

    def begin(self, *values: Any, **facts: Any) -> Any:
        return self._dies(super().begin, *values, **facts)

    def change(self, *values: Any, **facts: Any) -> Any:
        return self._dies(super().change, *values, **facts)

    def claim(self, *values: Any, **facts: Any) -> Any:
        return self._dies(super().claim, *values, **facts)

    def settle(self, *values: Any, **facts: Any) -> Any:
        return self._dies(super().settle, *values, **facts)

    def release(self, key: str, owner: str) -> None:
        pass


def run_out(path: Path) -> None:
    """Let the leases of a dead process end."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE intents SET lease = 1 WHERE owner IS NOT NULL")


def lease(path: Path) -> float:
    """When the lease of the only call ends."""
    with closing(sqlite3.connect(path)) as connection:
        return float(connection.execute("SELECT lease FROM intents").fetchone()[0])


def dies(ledger: Ledger, book: Journal, request: TrainingRequest, **options: Any) -> bool:
    """Whether a process died that trains with this journal."""
    book.pending()  # so that there is a file to look at, even if it dies before its first entry
    try:
        with Client(listing(Steps), http=ledger.http(), journal=book, retry=QUICKLY, parallel=1, **options) as client:
            client.train(request, key="k")
    except Killed:
        return True
    finally:
        book.close()
    return False


class TestDeaths:
    """A process dies, and another one goes on; the code of both colours is the same."""

    REQUESTS = ("POST */images", "POST */models", "PUT */attachments", "POST */trainings")

    def resumed(self, ledger: Ledger, path: Path) -> Job:
        run_out(path)
        with (
            closing(Journal(path)) as book,
            Client(listing(Steps), http=ledger.http(), journal=book, retry=QUICKLY) as client,
        ):
            for one in client.resume():
                assert one.error is None
            left = book.pending()
            known = book.jobs()
        assert left == []
        assert len(known) <= 1
        return known[0] if known else Job(provider="plain", kind="training", id="none")

    @pytest.mark.parametrize("pattern", REQUESTS)
    @pytest.mark.parametrize("kind", ["killed_before", "killed_after"])
    @pytest.mark.parametrize("skip", [0, 1])
    def test_at_each_request(self, pattern: str, kind: Any, skip: int, ledger: Ledger, tmp_path: Path) -> None:
        """Killed at any request, before the vendor has it or after, a call is resumed to one accepted training."""
        ledger.fail(pattern, kind, skip=skip)
        died = dies(ledger, Dying(tmp_path / "j"), filed(tmp_path, labels={"order": "7"}))
        assert died == (skip == 0 or pattern in ("POST */images", "PUT */attachments"))
        job = self.resumed(ledger, tmp_path / "j")
        assert (job.id, job.key, job.labels) == ("training-1", "k", {"order": "7"})
        assert (len(ledger.books["models"]), len(ledger.trainings)) == (1, 1)

    @pytest.mark.parametrize("after", [False, True])
    def test_at_each_write(self, after: bool, tmp_path: Path) -> None:
        """Killed at any write of its journal, a call is resumed to one accepted training, or was never begun."""
        request = filed(tmp_path)
        for at in range(30):
            ledger, path = Ledger(), tmp_path / f"j{at}"
            if not dies(ledger, Dying(path, at, after=after), request):
                assert at > 6
                break
            job = self.resumed(ledger, path)
            begun = at > 0 or after
            assert job.id == ("training-1" if begun else "none")
            assert (len(ledger.books["models"]), len(ledger.trainings)) == (begun, begun)
        else:
            raise AssertionError("unreachable")

    def test_twice(self, ledger: Ledger, tmp_path: Path) -> None:
        """Whoever dies while resuming is resumed in turn."""
        ledger.fail("POST */models", "killed_after")
        ledger.fail("POST */trainings", "killed_after")
        ledger.fail("GET */trainings", "killed_before")
        request = filed(tmp_path)
        for _ in range(3):
            assert dies(ledger, Dying(tmp_path / "j"), request)
            run_out(tmp_path / "j")
        assert self.resumed(ledger, tmp_path / "j").id == "training-1"
        assert (len(ledger.books["models"]), len(ledger.trainings)) == (1, 1)

    def test_pictures_are_not_uploaded_again(self, ledger: Ledger, tmp_path: Path) -> None:
        """What is at the vendor already stays there, even if the file is gone since."""
        ledger.fail("POST */models", "killed_before")
        assert dies(ledger, Dying(tmp_path / "j"), filed(tmp_path))
        (tmp_path / "8.png").unlink()
        assert self.resumed(ledger, tmp_path / "j").id == "training-1"
        assert len(ledger.images) == 2

    def test_an_older_copy_of_the_journal(self, ledger: Ledger, tmp_path: Path) -> None:
        """A copy of the journal from before the submission finds the training at the vendor, and pays nothing."""
        ledger.fail("PUT */attachments", "killed_before")
        assert dies(ledger, Dying(tmp_path / "j"), filed(tmp_path))
        with closing(sqlite3.connect(tmp_path / "j")) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        copy = (tmp_path / "j").read_bytes()
        self.resumed(ledger, tmp_path / "j")
        (tmp_path / "older").write_bytes(copy)
        assert self.resumed(ledger, tmp_path / "older").id == "training-1"
        assert (len(ledger.books["models"]), len(ledger.trainings)) == (1, 1)

    def test_attachments_that_are_refused_by_now(self, ledger: Ledger, tmp_path: Path) -> None:
        """What was done before the paid request is replayed and not sent again, as it may be refused by now."""
        ledger.fail("POST */trainings", "killed_after")
        assert dies(ledger, Dying(tmp_path / "j"), filed(tmp_path))
        ledger.fail("PUT */attachments", "status", status=400, times=None)
        assert self.resumed(ledger, tmp_path / "j").id == "training-1"

    def test_a_refusal_is_replayed_as_it_was(self, ledger: Ledger, tmp_path: Path, monkeypatch: Any) -> None:
        """A refusal that the flow dealt with before it went on is dealt with again, with the same words."""
        seen: list[tuple[str, int]] = []

        def start(self: Steps, request: TrainingRequest, options: Any) -> Flow[Snapshot]:
            try:
                yield self.put("/attachments", "training.attach", {}, effect=Effect.REPEATABLE)
            except InvalidRequest as error:
                seen.append((error.message, error.http_status))
            body = {"name": request.name}
            answer = yield self.post("/trainings", "training.start", body, effect=Effect.PAY)
            yield self.put("/attachments", "training.attach", {}, effect=Effect.REPEATABLE)
            return Snapshot(id=answer.json()["id"], status=Status.QUEUED)

        monkeypatch.setattr(Steps, "start", start)
        ledger.fail("PUT */attachments", "status", status=400, body="too small")
        ledger.fail("PUT */attachments", "killed_before")
        assert dies(ledger, Dying(tmp_path / "j"), filed(tmp_path))
        assert self.resumed(ledger, tmp_path / "j").id == "training-1"
        assert seen == [("too small", 400)] * 2
        assert ledger.requests.count("PUT /api/attachments") == 3

    def test_a_flow_that_is_another_by_now(self, ledger: Ledger, tmp_path: Path, monkeypatch: Any) -> None:
        """A plugin that asks otherwise than before is not trusted with what may have been paid for."""
        ledger.fail("POST */trainings", "killed_after")
        assert dies(ledger, Dying(tmp_path / "j"), filed(tmp_path))
        run_out(tmp_path / "j")

        def start(self: Steps, request: TrainingRequest, options: Any) -> Flow[Snapshot]:
            answer = yield self.post("/newer", "training.start", {"name": request.name}, effect=Effect.PAY)
            return Snapshot(id=answer.json()["id"], status=Status.QUEUED)

        monkeypatch.setattr(Steps, "start", start)
        with Client(listing(Steps), http=ledger.http(), journal=tmp_path / "j", retry=QUICKLY) as client:
            (one,) = client.resume()
            assert isinstance(one.error, SubmissionUncertain)
            assert "step 0 is POST /api/models in the journal, but POST /api/newer now" in str(one.error)
            assert len(client.resume()) == 1
        assert len(ledger.trainings) == 1

    def test_a_read_that_is_lost(self, ledger: Ledger, tmp_path: Path, monkeypatch: Any) -> None:
        """Reads within a flow are sent anew each time, and a harmless request that was passed unrecorded too."""

        def start(self: Steps, request: TrainingRequest, options: Any) -> Flow[Snapshot]:
            known = (yield self.get("/models", "model.list")).json()
            if ledger.trainings:  # as a flow that depends on the time
                yield self.put("/attachments", "training.attach", {}, effect=Effect.REPEATABLE)
            body = {"name": request.name, "known": known}
            answer = yield self.post("/trainings", "training.start", body, effect=Effect.PAY)
            return Snapshot(id=answer.json()["id"], status=Status.QUEUED)

        monkeypatch.setattr(Steps, "start", start)
        ledger.fail("POST */trainings", "killed_after")
        assert dies(ledger, Dying(tmp_path / "j"), filed(tmp_path))
        assert self.resumed(ledger, tmp_path / "j").id == "training-1"
        assert ledger.requests.count("GET /api/models") == 2

    def test_generations(self, tmp_path: Path) -> None:
        """Killed at any of its calls, a generation of several is resumed to each of them once."""
        asked = GenerationRequest(prompt="{subject}", n=9)
        for kind in ("killed_before", "killed_after"):
            for skip in range(3):
                ledger, path = Ledger(), tmp_path / f"{kind}{skip}"
                ledger.fail("POST */generations", kind, skip=skip)
                dying = Dying(path)
                client = Client(listing(), http=ledger.http(), journal=dying, retry=QUICKLY, parallel=1)
                with closing(dying), client, pytest.raises(Killed):
                    client.generate(MODEL, asked, key="k")
                run_out(path)
                with Client(listing(), http=ledger.http(), journal=path, retry=QUICKLY) as client:
                    (one,) = client.resume()
                    assert one.error is None
                    assert one.job is not None
                    assert len(one.job.parts) == len(ledger.generations) == 3
                    assert client.generate(MODEL, asked, key="k").reference == one.job.reference


class TestResume:
    """What is resumed and what is not."""

    @pytest.fixture
    def left(self, ledger: Ledger, tmp_path: Path) -> Callable[..., Path]:
        """A journal with a call that a process left behind when it died at its first request."""

        def made(request: TrainingRequest, pattern: str = "POST */images") -> Path:
            ledger.fail(pattern, "killed_before")
            assert dies(ledger, Dying(tmp_path / "left"), request)
            run_out(tmp_path / "left")
            ledger.requests.clear()
            return tmp_path / "left"

        return made

    def test_nothing_to_do(self, reach: Connect) -> None:
        """A journal without pending calls has nothing to resume."""
        assert reach().resume() == []
        reach().train(cat(), key="k")
        assert reach().resume() == reach().resume("k") == reach().resume("none") == []

    def test_changed_pictures(self, left: Any, reach: Connect, ledger: Ledger, tmp_path: Path) -> None:
        """Files that are other pictures by now, or gone, are not trained on; put back, they are."""
        path = left(filed(tmp_path))
        (tmp_path / "8.png").write_bytes(png(10, 10))
        (one,) = reach(listing(Steps), journal=path).resume()
        assert isinstance(one.error, DatasetError)
        assert "8.png: is another picture than it was; put it back, or make the call again with the key" in str(
            one.error
        )
        (tmp_path / "8.png").unlink()
        (one,) = reach(listing(Steps), journal=path).resume()
        assert isinstance(one.error, DatasetError)
        assert ledger.requests == []
        (tmp_path / "8.png").write_bytes(png(8, 8))
        (one,) = reach(listing(Steps), journal=path).resume("k")
        assert one.job is not None
        assert one.job.id == "training-1"

    def test_pictures_in_memory(self, left: Any, reach: Connect, ledger: Ledger) -> None:
        """Bytes that were not uploaded yet are not kept; the same call with its key goes on."""
        path = left(cat())
        (one,) = reach(listing(Steps), journal=path).resume()
        assert isinstance(one.error, DatasetError)
        assert "is not kept; make the call again with the key 'k'" in str(one.error)
        assert ledger.requests == []
        assert reach(listing(Steps), journal=path).train(cat(), key="k").id == "training-1"

    def test_another_account(self, left: Any, reach: Connect, ledger: Ledger, tmp_path: Path) -> None:
        """A call is not resumed with other credentials than its own."""
        path = left(filed(tmp_path))
        (one,) = reach(listing(Steps, api_key=SecretStr("other")), journal=path).resume()
        assert isinstance(one.error, ConfigurationError)
        assert "the call k was made with another account of Plain, or at another address" in str(one.error)
        assert ledger.requests == []

    def test_another_vendor(self, left: Any, connect: Connect, sandbox: Sandbox, tmp_path: Path) -> None:
        """Calls to vendors that this client does not speak to are left to others."""
        assert connect("novita", journal=left(filed(tmp_path))).resume() == []

    def test_a_living_owner(self, left: Any, reach: Connect, ledger: Ledger, tmp_path: Path) -> None:
        """What somebody works on is left to him."""
        path = left(filed(tmp_path))
        with closing(Journal(path, lease=60)) as other:
            other.take("k", "somebody")
            assert reach(listing(Steps), journal=path).resume() == []
        assert ledger.requests == []

    def test_secrets(self, reach: Connect, ledger: Ledger) -> None:
        """A request with a secret in it is not kept whole, so it must be made again with its key."""
        ledger.fail("POST */trainings", "lost_before")
        ledger.fail("GET */trainings", "status", times=None)
        request = cat(dataset=Dataset.of([png()], class_word="http://cats.test/?token=sk-123"))
        with pytest.raises(SubmissionUncertain):
            reach().train(request, key="k")
        ledger.mishaps.clear()
        (one,) = reach().resume()
        assert isinstance(one.error, JournalError)
        assert "had a secret in it, which the journal does not keep; make the call again with the key 'k'" in str(
            one.error
        )
        assert reach().train(request, key="k").id == "training-1"

    def test_a_failure_that_passes(self, left: Any, reach: Connect, ledger: Ledger, tmp_path: Path) -> None:
        """A resumed call that fails for now waits to be resumed once more; one that is refused does not."""
        path = left(filed(tmp_path))
        ledger.fail("POST */trainings", "unsent", times=3)
        ledger.fail("POST */trainings", "status", status=403)
        client = reach(listing(Steps), journal=path)
        errors = [type(client.resume()[0].error) for _ in range(2)]
        assert errors == [TransportError, PermissionDenied]
        assert client.resume() == []
        assert ledger.trainings == []

    def test_a_damaged_journal(self, left: Any, reach: Connect, ledger: Ledger, tmp_path: Path) -> None:
        """Nothing is resumed on the word of a record that was changed."""
        path = left(filed(tmp_path))
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE intents SET record = replace(record, 'open', 'Open')")
        with pytest.raises(JournalError, match="the record of k was changed or damaged"):
            reach(listing(Steps), journal=path).resume()
        assert ledger.requests == []

    def test_uploaded_pictures(self, reach: Connect, ledger: Ledger) -> None:
        """A training on images that were at the vendor before is resumed without a file."""
        client = reach()
        images = [client.upload_image(png(8, 8))]
        ledger.fail("POST */trainings", "lost_after")
        ledger.fail("GET */trainings", "status", times=None)
        request = cat(dataset=Dataset.of(images, trigger="ohwx", class_word="cat"))
        with pytest.raises(SubmissionUncertain):
            client.start_training(request, key="k")
        ledger.mishaps.clear()
        (one,) = reach().resume()
        assert one.job is not None
        assert (one.job.id, one.job.trigger, len(ledger.images)) == ("training-1", "ohwx", 1)


class TestLeases:
    """An owner that was too slow."""

    def test_a_lease_that_ran_out_during_an_upload(self, reach: Connect, ledger: Ledger, tmp_path: Path) -> None:
        """Whoever takes over does the work; the slow one comes to the same job, and one training is paid for."""
        path, jobs = tmp_path / "slow", []

        def slowly() -> None:
            run_out(path)  # as if it had been asleep
            with (
                closing(Journal(path, lease=30)) as book,
                Client(listing(), http=ledger.http(), journal=book, retry=QUICKLY) as other,
            ):
                jobs.append(other.train(cat(), key="k"))

        ledger.fail("POST */images", "call", then=slowly)
        with closing(Journal(path)) as book:
            jobs.append(reach(journal=book, parallel=1).train(cat(), key="k"))
        assert jobs[0].reference == jobs[1].reference == "plain:training:training-1"
        assert len(ledger.trainings) == 1

    def test_a_lease_that_ran_out_while_the_answer_came(self, reach: Connect, ledger: Ledger, tmp_path: Path) -> None:
        """What was accepted is adopted by whoever took over in the meantime."""
        path, jobs = tmp_path / "slow", []

        def slowly() -> None:
            ledger.accept("trainings", {"name": f"chelsea-{marker_of('k')}"})
            run_out(path)  # as if it had been asleep
            with (
                closing(Journal(path, lease=30)) as book,
                Client(listing(), http=ledger.http(), journal=book, retry=QUICKLY) as other,
            ):
                jobs.append(other.train(cat(), key="k"))
            raise httpx.ReadError("gone")

        ledger.fail("POST */trainings", "call", then=slowly)
        with closing(Journal(path)) as book:
            jobs.append(reach(journal=book).train(cat(), key="k"))
        assert jobs[0].reference == jobs[1].reference
        assert len(ledger.trainings) == 1

    def test_one_request_that_takes_longer_than_a_lease(
        self, reach: Connect, ledger: Ledger, book: Journal, monkeypatch: Any
    ) -> None:
        """While an upload or an answer is waited for, the lease is renewed."""
        monkeypatch.setattr(book._keeper, "_pause", 0.01)

        def until_renewed() -> None:
            begun, deadline = lease(book.path), time.monotonic() + 20
            while lease(book.path) <= begun:
                assert time.monotonic() < deadline
                time.sleep(0.01)

        for pattern in ("POST */images", "POST */trainings"):
            ledger.fail(pattern, "call", then=until_renewed)
        assert reach().train(cat(dataset=Dataset.of([png(8, 8)], trigger="ohwx")), key="k").id == "training-1"
        assert ledger.requests == ["POST /api/images", "POST /api/trainings"]

    def test_an_answer_that_comes_after_the_lease(self, reach: Connect, ledger: Ledger, book: Journal) -> None:
        """Whoever slept between a request and its answer keeps the answer, though the vendor can't be asked for it."""
        ledger.fail("POST */generations", "call", then=lambda: run_out(book.path))
        job = reach(plain()).generate(MODEL, GenerationRequest(prompt="{subject}"), key="k")
        assert (job.id, len(ledger.generations)) == ("generation-1", 1)
        assert _intent(book, "k").state == "accepted"

    def test_an_answer_that_comes_after_a_take_over(self, reach: Connect, ledger: Ledger, book: Journal) -> None:
        """If another has meanwhile found no answer, the one that wakes up with it ends the doubt."""
        asked = GenerationRequest(prompt="{subject}")

        def meanwhile() -> None:
            run_out(book.path)
            with (
                closing(Journal(book.path)) as same,
                Client(plain(), http=ledger.http(), journal=same, retry=QUICKLY) as other,
                pytest.raises(SubmissionUncertain),
            ):
                other.generate(MODEL, asked, key="k")

        ledger.fail("POST */generations", "call", then=meanwhile)
        job = reach(plain()).generate(MODEL, asked, key="k")
        assert (job.id, len(ledger.generations)) == ("generation-1", 1)
        assert book.pending() == []

    def test_an_answer_that_comes_while_another_waits(self, reach: Connect, ledger: Ledger, book: Journal) -> None:
        """Whoever has taken over, and finds nothing at the vendor, does not pay if the answer is there by then."""

        def woken() -> None:
            sent = _intent(book, "k").steps[0]
            assert (sent.state, sent.attempts) == ("sent", 1)
            book.testify("k", sent.model_copy(update={"attempts": 2, "state": "answered"}))  # not of this attempt
            assert _intent(book, "k").steps[0] == sent
            answer = {"state": "answered", "status": 200, "content": '{"id": "training-7"}'}
            book.testify("k", sent.model_copy(update=answer))

        ledger.fail("POST */trainings", "lost_before")
        ledger.fail("GET */trainings", "call", then=woken)
        assert reach().train(cat(), key="k").id == "training-7"
        assert ledger.trainings == []
        book.testify("k", _intent(book, "k").steps[0])
        book.testify("none", _intent(book, "k").steps[0])
        assert _intent(book, "k").job == "plain:training:training-7"

    def test_an_answer_that_can_not_be_told(
        self, reach: Connect, ledger: Ledger, book: Journal, monkeypatch: Any, caplog: Any
    ) -> None:
        """A journal that fails when a late answer is to be kept is told, and the vendor is asked."""

        def full(*_: Any) -> None:
            raise JournalError("no room for an answer")

        monkeypatch.setattr(Journal, "testify", full)
        ledger.fail("POST */trainings", "call", then=lambda: run_out(book.path))
        assert reach().train(cat(), key="k").id == "training-1"
        assert "k: the answer to training.start could not be kept: no room for an answer" in caplog.text
        assert len(ledger.trainings) == 1

    def test_a_lease_that_is_lost_at_the_very_end(self, reach: Connect, ledger: Ledger, monkeypatch: Any) -> None:
        """An owner that can't settle what was accepted leaves it to the next, which replays the answer."""
        settle, failures = Journal.settle, [LeaseLost("k")]

        def late(self: Journal, key: str, owner: str, *values: Any, **facts: Any) -> None:
            if failures:
                self.release(key, owner)
                raise failures.pop()
            settle(self, key, owner, *values, **facts)

        monkeypatch.setattr(Journal, "settle", late)
        assert reach().train(cat(), key="k").id == "training-1"
        assert len(ledger.trainings) == 1

    def test_uploads_keep_the_lease(self, reach: Connect, ledger: Ledger, tmp_path: Path) -> None:
        """Many uploads that together take longer than a lease are no reason to lose it."""
        for _ in range(5):
            ledger.fail("POST */images", "call", then=lambda: time.sleep(0.08))
        images = [png(8 + number, 8) for number in range(5)]
        with closing(Journal(tmp_path / "slow", lease=0.25)) as book:
            client = reach(journal=book, parallel=1)
            client.train(cat(dataset=Dataset.of(images, trigger="ohwx")), key="k")
            assert _intent(book, "k").state == "accepted"
        assert (len(ledger.images), len(ledger.trainings)) == (5, 1)

    def test_waiting_keeps_the_lease(self, reach: Connect, ledger: Ledger, tmp_path: Path) -> None:
        """A grace that is longer than a lease is waited out by one owner."""
        ledger.fail("POST */trainings", "lost_before")
        with closing(Journal(tmp_path / "slow", lease=0.3)) as book:
            reach(journal=book, retry=Retry(grace=0.5)).train(cat(), key="k")
        assert ledger.requests.count("POST /api/images") == 2
        assert len(ledger.trainings) == 1


class TestJournalTrouble:
    """The journal fails when money was spent already."""

    def test_an_answer_that_can_not_be_written_down(
        self, reach: Connect, ledger: Ledger, book: Journal, monkeypatch: Any, caplog: Any
    ) -> None:
        """An accepted training is given to its caller, though the journal can't keep it; later it is found."""
        change, settle = Journal.change, Journal.settle
        full: list[bool] = []

        def failing(write: Any) -> Any:
            def written(self: Journal, *values: Any, **facts: Any) -> Any:
                if full:
                    raise JournalError("the journal can't be used (database or disk is full)")
                return write(self, *values, **facts)

            return written

        monkeypatch.setattr(Journal, "change", failing(change))
        monkeypatch.setattr(Journal, "settle", failing(settle))
        ledger.fail("POST */trainings", "call", then=lambda: full.append(True))
        client = reach()
        job = client.train(cat(), key="k")
        assert job.id == "training-1"
        assert job.notes == (
            "the journal could not keep this job: the journal can't be used (database or disk is full)",
        )
        assert "database or disk is full" in caplog.text
        full.clear()
        run_out(book.path)
        assert client.train(cat(), key="k").id == "training-1"
        assert len(ledger.trainings) == 1

    def test_a_failure_that_can_not_be_written_down(
        self, reach: Connect, ledger: Ledger, book: Journal, monkeypatch: Any
    ) -> None:
        """The error of the call is what is told, and what can't be noted stays for later."""

        def full(*_: Any, **__: Any) -> None:
            raise JournalError("full")

        ledger.fail("POST */trainings", "status", status=403)
        monkeypatch.setattr(Journal, "settle", full)
        with pytest.raises(PermissionDenied):
            reach().train(cat(), key="k")
        assert [known.key for known, _ in book.pending()] == ["k"]

    def test_a_claim_that_can_not_be_written_down(
        self, reach: Connect, ledger: Ledger, monkeypatch: Any, caplog: Any
    ) -> None:
        """A job that can't be noted as this call's is given to its caller all the same."""

        def full(*_: Any) -> bool:
            raise JournalError("no room for a claim")

        monkeypatch.setattr(Journal, "claim", full)
        assert reach().train(cat(), key="k").id == "training-1"
        assert "no room for a claim" in caplog.text

    def test_polls_survive_it(self, reach: Connect, ledger: Ledger, monkeypatch: Any, caplog: Any) -> None:
        """A journal that fails does not end a wait."""

        def full(*_: Any) -> None:
            raise JournalError("full")

        client = reach()
        job = client.train(cat())
        ledger.finish()
        monkeypatch.setattr(Journal, "update", full)
        assert client.poll(job).status is Status.SUCCEEDED
        assert "full" in caplog.text


class Withdrawn:
    """A permit that is gone once there is a connection."""

    def __init__(self, at: str) -> None:
        self.at = at
        self.calls: list[str] = []

    def take(self) -> None:
        self._called("take")

    def check(self) -> None:
        self._called("check")

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if name == self.at:
            raise LeaseLost


class TestPermits:
    """The last moment before a request leaves."""

    @pytest.mark.parametrize("at", ["take", "check"])
    @pytest.mark.parametrize("size", [2, 200_000])
    def test_a_request_without_its_permit_is_not_accepted(
        self, at: str, size: int, connect: Connect, colour: str, sandbox: Sandbox
    ) -> None:
        """A permit that is gone before the body leaves keeps the vendor from accepting anything."""
        client = connect("novita", journal=None)
        permit = Withdrawn(at)
        body = BytesBody(b"{" + b" " * (size - 2) + b"}", "application/json")
        request = Request("POST", f"{sandbox.base_url}/v3/training/subject", "training.start", body=body)

        def course() -> Any:
            yield Permitted(request, permit)

        inner: Any = getattr(client, "inner", client)
        run = inner._engine.run if colour == "sync" else partial(client._portal.call, inner._engine.run)
        with pytest.raises(LeaseLost):
            run(course())
        assert permit.calls == ["take", "check"][: 1 if at == "take" else 2]
        assert [entry for entry in sandbox.world.requests if entry.status] == []
        assert sandbox.world.submissions == []
        assert len(client.list_jobs("training")) == 0

    def test_a_process_that_slept_before_the_body_left(
        self, reach: Connect, ledger: Ledger, tmp_path: Path, monkeypatch: Any
    ) -> None:
        """When half of the lease has gone by between the journal's entry and the body, it does not leave."""
        begin = submission._Part.begin
        slept: list[int] = []

        def slowly(self: Any, request: Request) -> float:
            until = begin(self, request)
            if not slept:
                slept.append(1)
                time.sleep(0.2)
            return until

        monkeypatch.setattr(submission._Part, "begin", slowly)
        with closing(Journal(tmp_path / "slow", lease=0.3)) as book:
            job = reach(journal=book, retry=Retry(grace=0.05)).train(cat(), key="k")
            assert (job.id, len(ledger.trainings)) == ("training-1", 1)
            assert _intent(book, "k").steps[0].attempts == 2


class TestNothingLeaks:
    """Generators and images are closed and typed as they should be."""

    def test_a_known_upload_does_not_run_its_flow(self, reach: Connect, ledger: Ledger, book: Journal) -> None:
        """An image that is at the vendor already is taken from the journal."""
        ledger.fail("POST */trainings", "status", status=403)
        client = reach()
        with pytest.raises(PermissionDenied):
            client.train(cat(), key="k")
        uploads = _intent(book, "k").uploads
        assert {UploadedImage.model_validate(one).id for one in uploads.values()} == {"image-1", "image-2"}
        client.train(cat(), key="k")
        assert len(ledger.images) == 2

    def test_images_that_expire_are_uploaded_again(self, reach: Connect, ledger: Ledger, book: Journal) -> None:
        """An image whose URL ends, or holds a secret, is not kept for later."""

        class Hosting(Listing):
            def upload(self, image: Image) -> Flow[UploadedImage]:
                there = yield from super().upload(image)
                return there.model_copy(update={"id": f"https://bucket.test/{there.id}?X-Amz-Signature=abc"})

        provider = Hosting(PlainSettings(api_key=SecretStr("k-SECRET-k")))
        ledger.fail("POST */trainings", "status", status=403)
        with pytest.raises(PermissionDenied):
            reach(provider).train(cat(), key="k")
        assert _intent(book, "k").uploads == {}
        reach(provider).train(cat(), key="k")
        assert len(ledger.images) == 4

    def test_steps_tell_what_was_sent(self, reach: Connect, ledger: Ledger, book: Journal) -> None:
        """The journal has each request that counts, with place, target, answer and attempts."""
        reach(listing(Steps)).train(cat(), key="k")
        steps = _intent(book, "k").steps
        assert [(step.operation, step.effect, step.state) for step in steps] == [
            ("training.create", Effect.CREATE, "answered"),
            ("training.attach", Effect.REPEATABLE, "answered"),
            ("training.attach", Effect.REPEATABLE, "answered"),
            ("training.start", Effect.PAY, "answered"),
        ]
        last: Step = steps[-1]
        assert (last.target, last.status, last.content, last.attempts) == (
            "POST /api/trainings",
            200,
            '{"id": "training-1"}',
            1,
        )
        assert not any(step.adopted for step in steps)
