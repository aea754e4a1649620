"""Journals that were tampered with never buy anything twice, and a vendor's strange lists never break a search."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from conftest import QUICK, VENDORS
from counting_vendor import Killed, Kind, Ledger, Steps, listing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unified_train import (
    ApiError,
    Client,
    Dataset,
    Found,
    Job,
    Journal,
    Lost,
    Provider,
    Request,
    Response,
    Retry,
    TrainingRequest,
    UnifiedTrainError,
    UploadedImage,
    plugins,
)
from unified_train.keys import marker_of
from unified_train.sandbox import Sandbox
from unified_train.testing.rehearsal import altered, paths

pytestmark = pytest.mark.long

SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)
UNCHANGED = (*SLOW, HealthCheck.function_scoped_fixture, HealthCheck.differing_executors)
often = settings(max_examples=50, deadline=None, database=None, suppress_health_check=UNCHANGED)
QUICKLY = Retry(attempts=2, first=0.001, longest=0.01, grace=0.01)
KEYS = ("a", "b")
KILLS: tuple[Kind, ...] = ("killed_before", "killed_after")


class Copying(Journal):
    """A journal that keeps a copy of its file from before each of its writes; who dies gives nothing back."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, lease=60)
        self.copies: list[bytes] = []

    def change(self, *values: Any, **facts: Any) -> Any:
        self._copy()
        return super().change(*values, **facts)

    def settle(self, *values: Any, **facts: Any) -> None:
        self._copy()
        super().settle(*values, **facts)

    def release(self, key: str, owner: str) -> None:
        pass

    def _copy(self) -> None:
        with closing(sqlite3.connect(":memory:")) as copy:
            self._connected().backup(copy)
            self.copies.append(copy.serialize())


@dataclass(frozen=True)
class Stage:
    """Where two calls stood when their process died: the journal, and what the vendor had accepted."""

    journal: bytes
    books: dict[str, list[Any]] = field(hash=False)


def request() -> TrainingRequest:
    there = UploadedImage(provider="plain", id="image-1", name="a.png")
    return TrainingRequest(name="chelsea", dataset=Dataset.of([there], trigger="ohwx", class_word="cat"))


@cache
def stages() -> tuple[Stage, ...]:
    """Journals as deaths leave them, around each request of two calls and at each write."""
    made: list[Stage] = []
    for pattern in ("none", "POST */models", "PUT */attachments", "POST */trainings"):
        for kind in KILLS:
            ledger = Ledger()
            with TemporaryDirectory() as folder, closing(Copying(Path(folder) / "j")) as book:
                ledger.fail(pattern, kind, skip=1)
                with Client(listing(Steps), http=ledger.http(), journal=book, retry=QUICKLY) as client:
                    with suppress(Killed):
                        for key in KEYS:
                            client.start_training(request(), key=key)
                    book._copy()
                books = {name: list(records) for name, records in ledger.books.items()}
                copies = book.copies if pattern == "none" and kind == "killed_before" else book.copies[-1:]
                made += [Stage(copy, books) for copy in copies]
    return tuple(made)


def restored(stage: Stage, folder: str) -> tuple[Path, Ledger]:
    """That journal as a file whose leases have run out, and the vendor as it was at the end."""
    path = Path(folder) / "j"
    path.write_bytes(stage.journal)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE intents SET lease = 1")
    ledger = Ledger(books={name: list(records) for name, records in stage.books.items()})
    return path, ledger


def keys_of(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [key for (key,) in connection.execute("SELECT key FROM intents") if key in KEYS]


def gone_on(path: Path, ledger: Ledger, again: Sequence[str]) -> None:
    """Resume all, and make calls again by their keys if the journal still has these; errors of ours are right."""
    with Client(listing(Steps), http=ledger.http(), journal=Journal(path, lease=0.5), retry=QUICKLY) as client:
        calls = [partial(client.start_training, request(), key=key) for key in again]
        steps: list[Callable[[], object]] = [client.resume, *calls, client.resume]
        for call in steps:
            with suppress(UnifiedTrainError):
                call()
        assert client.journal is not None
        client.journal.close()


def assert_nothing_twice(ledger: Ledger) -> None:
    for book in ("models", "trainings"):
        names = [one.name for one in ledger.books[book]]
        assert len(set(names)) == len(names), f"{book}: {names}"


texts = st.sampled_from(["", "open", "accepted", "sent", "\x00", "{}", "null", "x"]) | st.text(max_size=5)
values = texts | st.none() | st.integers(-2, 2**62) | st.floats(allow_nan=False) | st.binary(max_size=4)
owners = values | st.integers(0, 10**30).map(lambda process: f"{socket.gethostname()}:{process}:x")
columns = st.sampled_from(["pending", "record", "seal", "owner", "key"])
WORDS = [
    ('"state":"sent"', '"state":"void"'),
    ('"state":"answered"', '"state":"void"'),
    ('"state":"accepted"', '"state":"open"'),
    ('"operation":"training.start"', '"operation":"training.stop"'),
    ("model-1", "model-2"),
    ('"attempts":1', '"attempts":0'),
]


SWAP = (
    "UPDATE intents SET (record, seal) = (SELECT other.record, other.seal FROM intents AS other"
    " WHERE other.key != intents.key) WHERE (SELECT count(*) FROM intents) = 2"
)


@st.composite
def changes(draw: st.DrawFn) -> list[tuple[str, tuple[Any, ...]]]:
    """Statements that tamper with the tables."""
    one = st.one_of(
        st.tuples(
            st.just("UPDATE OR IGNORE intents SET {column} = ? WHERE key = ?"), st.tuples(values, st.sampled_from(KEYS))
        ),
        st.tuples(st.just("UPDATE intents SET record = replace(record, ?, ?)"), st.sampled_from(WORDS)),
        st.tuples(st.just("DELETE FROM intents WHERE key = ?"), st.tuples(st.sampled_from(KEYS))),
        st.just(("DELETE FROM jobs", ())),
        st.just(("DELETE FROM claims", ())),
        st.just(("UPDATE intents SET pending = 1 - pending", ())),
        st.just(("UPDATE jobs SET reference = reference || 'x'", ())),
        st.just(("UPDATE jobs SET record = replace(record, 'plain', 'blank')", ())),
        st.just(("UPDATE claims SET key = 'b'", ())),
        st.just((SWAP, ())),
        st.just(("UPDATE intents SET key = CASE key WHEN 'a' THEN 'c' ELSE key END", ())),
    )
    drawn = draw(st.lists(one, min_size=1, max_size=3))
    return [(text.replace("{column}", draw(columns)), facts) for text, facts in drawn]


class TestTampering:
    """Whatever was done to a journal, resuming on it buys nothing twice and fails with nothing but our errors."""

    @given(stage=st.sampled_from(range(32)), statements=changes())
    @often
    def test_tables(self, stage: int, statements: list[tuple[str, tuple[Any, ...]]]) -> None:
        """Records, seals, states, owners and rows that were changed, swapped or deleted buy nothing twice."""
        with TemporaryDirectory() as folder:
            path, ledger = restored(stages()[stage % len(stages())], folder)
            with closing(sqlite3.connect(path)) as connection, connection:
                for text, facts in statements:
                    with suppress(sqlite3.IntegrityError):
                        connection.execute(text, facts)
            gone_on(path, ledger, keys_of(path))
            assert_nothing_twice(ledger)

    @given(stage=st.sampled_from(range(32)), lease=values.filter(lambda value: value is not None), owner=owners)
    @settings(often, max_examples=50)
    def test_leases(self, stage: int, lease: Any, owner: Any) -> None:
        """A lease of any value and any owner is kept, has run out, or is refused."""
        with TemporaryDirectory() as folder:
            path, ledger = restored(stages()[stage % len(stages())], folder)
            with closing(sqlite3.connect(path)) as connection, connection:
                connection.execute("UPDATE intents SET lease = ?, owner = ?", (lease, owner))
            gone_on(path, ledger, ())  # a call waits for a lease that lasts
            assert_nothing_twice(ledger)

    @given(stage=st.sampled_from(range(32)), data=st.data())
    @often
    def test_bytes(self, stage: int, data: st.DataObject) -> None:
        """Bytes that were flipped anywhere in the file, or cut off its end, buy nothing twice."""
        with TemporaryDirectory() as folder:
            path, ledger = restored(stages()[stage % len(stages())], folder)
            content = bytearray(path.read_bytes())
            places = st.integers(0, len(content) - 1) | st.integers(0, 110)
            for place in data.draw(st.lists(places, min_size=1, max_size=6)):
                content[place] ^= data.draw(st.integers(1, 255))
            cut = data.draw(st.just(0) | st.integers(0, len(content) - 1))
            path.write_bytes(content[: len(content) - cut])
            gone_on(path, ledger, ())  # a flipped lease may last for years
            assert_nothing_twice(ledger)

    @given(stage=st.sampled_from(range(32)))
    @settings(often, max_examples=32)
    def test_older_copies(self, stage: int) -> None:
        """A journal that was put back from any moment finds what the vendor has since accepted."""
        with TemporaryDirectory() as folder:
            path, ledger = restored(stages()[stage % len(stages())], folder)
            keys = keys_of(path)
            gone_on(path, ledger, keys)
            assert_nothing_twice(ledger)
            assert {one.name[-14:] for one in ledger.trainings} >= {marker_of(key) for key in keys}

    def test_stages(self) -> None:
        """The journals that are tampered with are as many as deaths are different."""
        assert len({stage.journal for stage in stages()}) > 12
        assert {len(stage.books["trainings"]) for stage in stages()} == {1, 2}


# -- what vendors list -------------------------------------------------------------------------------------------------

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@dataclass(frozen=True)
class Search:
    """A search at a vendor, as it was: what was lost, and the answers to its requests."""

    provider: Provider[Any, Any, Any]
    lost: Lost
    answers: tuple[Any, ...]


_searches: dict[str, list[Search]] = {}


@pytest.fixture
def searches(sandbox: Sandbox, photos: Dataset, tmp_path: Path) -> dict[str, list[Search]]:
    """Searches for each creating request of a training and a generation at each vendor, recorded once."""
    if _searches:
        return _searches
    few = photos.model_copy(update={"images": photos.images[:1]})
    for vendor in VENDORS:
        kind = plugins.load(vendor)
        provider = kind(kind.Settings.from_env(os.environ))
        sent: list[Request] = []
        begin = _recording(provider, sent)
        with Client(begin, **{**QUICK, "journal": tmp_path / vendor}) as client:  # type: ignore[arg-type]
            training = client.wait(client.train(TrainingRequest(name="chelsea", dataset=few), key="k"), timeout=30)
            client.generate(training, "{subject}", key="g")
        creating = [one for one in sent if not one.idempotent]
        _searches[vendor] = [_searched(provider, one, sandbox) for one in creating]
    return _searches


def _recording(provider: Any, sent: list[Request]) -> Any:
    sign = provider.sign

    def signed(one: Request, moment: Any) -> Request:
        sent.append(one)
        result: Request = sign(one, moment)
        return result

    provider.sign = signed
    return provider


def _searched(provider: Any, sent: Request, sandbox: Sandbox) -> Search:
    generation = sent.operation.startswith("generation")
    marker = marker_of("g/0" if generation else "k")
    lost = Lost(sent, "generation" if generation else "training", marker, datetime.now(UTC) - timedelta(minutes=15))
    answers: list[Any] = []

    class Heard(type(provider)):  # type: ignore[misc]
        def find(self, one: Lost) -> Any:
            flow = type(provider).find(self, one)
            try:
                asked = next(flow)
                while True:
                    answer = yield asked
                    answers.append(answer.json())
                    asked = flow.send(answer)
            except StopIteration as stop:
                return stop.value

    heard = Heard(provider.settings)
    with Client(heard, **QUICK) as client:  # type: ignore[arg-type]
        client.run(heard.find(lost))
    return Search(provider, lost, tuple(answers))


def found(search: Search, answers: Any) -> Any:
    """What a search comes to with these answers, the last one again and again."""
    flow = search.provider.find(search.lost)
    try:
        asked = next(flow)
        for number in range(50):
            content = answers[min(number, len(answers) - 1)]
            asked = flow.send(Response(asked, 200, {"content-type": "application/json"}, content))
    except StopIteration as stop:
        return stop.value
    finally:
        flow.close()
    return None


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("vendor", VENDORS)
class TestFinding:
    """What comes out of a search: things that were found, nothing, or an error of the vendor's."""

    def test_the_sandboxes_own_answers(self, vendor: str, searches: dict[str, list[Search]]) -> None:
        """What was accepted is found once, by its request, and with an answer that JSON can hold."""
        for search in searches[vendor]:
            seen = found(search, [_json(one) for one in search.answers]) if search.answers else None
            if seen is None:
                assert search.lost.kind == "generation"
                continue
            assert len(seen) == 1, search.lost.request
            _json(seen[0].answer)

    @given(data=st.data())
    @often
    def test_altered_answers(self, vendor: str, searches: dict[str, list[Search]], data: st.DataObject) -> None:
        """Whatever is missing, null or of another type in a list, only `Found`, None or an `ApiError` comes out."""
        search = data.draw(st.sampled_from([one for one in searches[vendor] if one.answers]))
        answers = []
        for answer in search.answers:
            value = answer
            for place in data.draw(st.lists(st.sampled_from(sorted(paths(answer), key=repr)), max_size=3)):
                with suppress(KeyError, IndexError, TypeError):
                    value = altered(value, place, data.draw(junk))
            answers.append(_json(value))
        self.assert_right(search, answers)

    @given(data=st.data())
    @settings(often, max_examples=40)
    def test_any_answers(self, vendor: str, searches: dict[str, list[Search]], data: st.DataObject) -> None:
        """Any JSON at all, and what is none, leads to the same."""
        search = data.draw(st.sampled_from([one for one in searches[vendor] if one.answers]))
        answers = data.draw(st.lists(junk.map(_json) | st.binary(max_size=8), min_size=1, max_size=3))
        self.assert_right(search, answers)

    def assert_right(self, search: Search, answers: list[bytes]) -> None:
        try:
            seen = found(search, answers)
        except ApiError:
            return
        assert seen is None or all(isinstance(one, Found) for one in seen)
        for one in seen or ():
            assert isinstance(one.id, str)
            assert one.created_at is None or one.created_at.tzinfo is not None
            Job(provider="x", kind=search.lost.kind, id=one.id)
