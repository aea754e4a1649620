"""Keys of a recognisable shape go through calls of every fate; the journal and what is shown hold none of them."""

from __future__ import annotations

import json
import logging
import sqlite3
import traceback
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from conftest import QUICK, VENDORS
from counting_vendor import Killed, Ledger, Listing, Steps
from helpers import PlainSettings, plain, png
from pydantic import SecretStr

from unified_train import (
    Client,
    Dataset,
    Flow,
    GenerationRequest,
    Image,
    Journal,
    JournalError,
    Retry,
    SubmissionUncertain,
    TrainedModel,
    TrainingRequest,
    UnifiedTrainError,
    UploadedImage,
)
from unified_train.sandbox import Sandbox
from unified_train.sandbox.faults import Fault
from unified_train.submitting import Submissions

pytestmark = pytest.mark.long

Connect = Callable[..., Any]
KEY, OPTION, SIGNATURE, PASSWORD = "k-S3CRET-k", "0pti0n-s3cret", "s1gnature-s3cret", "passw0rd-s3cret"
SECRETS = (KEY, OPTION, SIGNATURE, PASSWORD)
SANDBOX = ("sandbox-secret", "sandbox-novita-key", "sandbox-access-key-secret")
QUICKLY = Retry(attempts=2, first=0.01, longest=0.05, grace=0.05)
SIGNED = f"https://me:{PASSWORD}@bucket.test/cat.png?X-Amz-Signature={SIGNATURE}&token={SIGNATURE}"
MODEL = TrainedModel(provider="plain", id="model-1", trigger="ohwx", class_word="cat")
STARTS = {"scenario": "/v1/models/*/train", "alibaba": "*/addModelTrainJob", "novita": "/v3/training/*"}


def written(path: Path) -> bytes:
    """All bytes of the journal: the file, its log and its index."""
    return b"".join(item.read_bytes() for item in path.parent.glob(f"{path.name}*"))


def assert_clean(*texts: str | bytes, secrets: tuple[str, ...] = (*SECRETS, *SANDBOX)) -> None:
    for text in texts:
        content = text if isinstance(text, bytes) else text.encode()
        for secret in secrets:
            assert secret.encode() not in content, f"{secret} in {content[:200]!r}"


def told(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + repr(error) + str(error) + repr(vars(error))


class Leaking(Steps):
    """A vendor whose answers are full of secrets, and whose options take one."""

    def start(self, request: TrainingRequest, options: Any) -> Flow[Any]:
        snapshot = yield from super().start(request, options)
        return snapshot.model_copy(update={"raw": {"api_key": OPTION, "url": SIGNED}})


class ByUrl(Steps):
    """A vendor that fetches images itself, from their URLs."""

    capabilities = Steps.capabilities.model_copy(
        update={"images": Steps.capabilities.images.model_copy(update={"takes": "url"})}
    )

    def upload(self, image: Image) -> Flow[UploadedImage]:
        yield from ()
        return UploadedImage(provider=self.slug, id=image.url or "", name=image.name)


@pytest.fixture
def ledger() -> Ledger:
    """Its vendor answers with presigned URLs and keys beside what is read."""
    books = Ledger()
    answer = books._answer

    def leaking(request: Any) -> Any:
        response = answer(request)
        value = response.json()
        if isinstance(value, dict):
            value |= {"upload_url": SIGNED, "secret": OPTION, "headers": {"authorization": f"Bearer {KEY}"}}
        return type(response)(response.status_code, json=value)

    books._answer = leaking  # type: ignore[method-assign]
    return books


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "j"


def provider(kind: type[Listing] = Leaking) -> Listing:
    return kind(PlainSettings(api_key=SecretStr(KEY), base_url="http://plain.test/api"))


def secret_request(*images: object, **values: Any) -> TrainingRequest:
    """A training on these images; without any on one in memory and one that is behind a presigned URL."""
    there = UploadedImage(provider="plain", id=SIGNED, name="there.png")
    dataset = Dataset.of(images or [png(), there], trigger="ohwx", class_word="cat")
    return TrainingRequest(**{"name": "chelsea", "dataset": dataset, **values})


class TestPlain:
    """Calls of every fate at a vendor in memory."""

    @pytest.mark.parametrize("fate", ["none", "lost_after", "lost_before", "garbled", "status", "unsent"])
    def test_trainings(
        self, fate: Any, connect: Connect, colour: str, ledger: Ledger, path: Path, *, caplog: Any
    ) -> None:
        """Keys, presigned URLs and what vendors answer are in no byte of the journal, no log, no error and no repr."""
        if fate != "none":
            ledger.fail("POST */trainings", fate, body=f"<html>{SIGNED} Bearer {KEY}", times=2)
        shown: list[str] = []
        with caplog.at_level(logging.DEBUG), closing(Journal(path)) as book:
            client = connect(
                provider(),
                http=ledger.http(colour),
                journal=book,
                retry=QUICKLY,
                observer=lambda event: shown.append(repr(event)),
            )
            try:
                job = client.train(secret_request(), key="k")
                shown += [repr(job), job.model_dump_json()]
            except UnifiedTrainError as error:
                shown.append(told(error))
            resumed = client.resume()
            shown += [repr(resumed), *(told(one.error) for one in resumed if one.error)]
            intent = book.intent("k")
            assert intent is not None
            shown += [repr(intent), repr(intent.steps), intent.model_dump_json(), repr(book.jobs()), repr(book)]
            content = written(path)
        assert len(ledger.requests) > 2
        assert b"/attachments" in content
        assert_clean(content, written(path), *shown, caplog.text)

    @pytest.mark.parametrize("fate", ["none", "lost_after", "lost_before", "status"])
    def test_presigned_urls(self, fate: Any, connect: Connect, colour: str, ledger: Ledger, path: Path) -> None:
        """A presigned URL that the vendor fetches is sent to it, and kept nowhere."""
        if fate != "none":
            ledger.fail("POST */trainings", fate)
        with closing(Journal(path)) as book:
            client = connect(provider(ByUrl), http=ledger.http(colour), journal=book, retry=QUICKLY)
            try:
                client.train(secret_request(SIGNED), key="k")
            except UnifiedTrainError as error:
                assert_clean(told(error))
            assert SIGNATURE in ledger.books["attachments"][0].body["image"]
            assert_clean(written(path), repr(book.intent("k")), repr(book.jobs()))

    def test_without_a_list(self, connect: Connect, colour: str, ledger: Ledger, path: Path, caplog: Any) -> None:
        """A doubt that stays tells no secret either, nor does its end by hand."""
        ledger.fail("POST */trainings", "lost_after")
        with caplog.at_level(logging.DEBUG), closing(Journal(path)) as book:
            vendor = plain(api_key=SecretStr(KEY))
            client = connect(vendor, http=ledger.http(colour), journal=book, retry=QUICKLY)
            with pytest.raises(SubmissionUncertain) as error:
                client.train(secret_request(), key="k")
            shown = [told(error.value), repr(book.pending())]
            shown.append(repr(client.reconcile("k", "plain:training:training-1")))
            assert_clean(written(path), *shown, caplog.text)

    @pytest.mark.parametrize("fate", ["none", "lost_after", "lost_before"])
    def test_generations(self, fate: Any, connect: Connect, colour: str, ledger: Ledger, path: Path) -> None:
        """A signed URL in a prompt is sent as it is, and not kept."""
        if fate != "none":
            ledger.fail("POST */generations", fate)
        request = GenerationRequest(prompt=f"{{subject}} http://a.b/?token={OPTION}")
        with closing(Journal(path)) as book:
            client = connect(provider(), http=ledger.http(colour), journal=book, retry=QUICKLY)
            job = client.generate(MODEL, request, key="k")
            assert OPTION in ledger.generations[0].body["prompt"]
            intent = book.intent("k")
            assert_clean(written(path), repr(job), repr(intent), repr(book.jobs()))

    @pytest.mark.parametrize(
        "extra",
        [
            {"token": OPTION},
            {"hook": {"authorization": f"Bearer {OPTION}"}},
            {"hooks": [SIGNED, {"headers": {"x-api-key": OPTION}}]},
            {"text": f"Basic {OPTION}"},
        ],
    )
    def test_secrets_in_options(
        self, extra: dict[str, Any], ledger: Ledger, path: Path, monkeypatch: Any, caplog: Any
    ) -> None:
        """An option that is a secret is not written down; the call is not resumed without it, and says so."""
        monkeypatch.setattr(Leaking, "TrainingOptions", type("Any", (Leaking.TrainingOptions,), {"model_config": ANY}))
        request = secret_request(png(), extra={"plain": extra})
        ledger.fail("POST */trainings", "killed_after")
        with closing(Journal(path)) as book:
            with Client(provider(), http=ledger.http(), journal=book, retry=QUICKLY) as client, pytest.raises(Killed):
                client.train(request, key="k")
            with Client(provider(), http=ledger.http(), journal=book, retry=QUICKLY) as client:
                (one,) = client.resume()
                assert isinstance(one.error, JournalError)
                shown = [told(one.error), repr(one), repr(book.pending())]
                assert client.train(request, key="k").id == "training-1"
            assert_clean(written(path), *shown, caplog.text)

    def test_labels(self, ledger: Ledger, path: Path) -> None:
        """A label that is named like a secret is in no byte of the journal."""
        with closing(Journal(path)) as book:
            with Client(provider(), http=ledger.http(), journal=book, retry=QUICKLY) as client:
                job = client.train(secret_request(png(), labels={"api_key": OPTION}), key="k")
                ledger.finish()
                client.poll(job)
            assert_clean(written(path))

    def test_what_a_killed_process_leaves(self, ledger: Ledger, path: Path, monkeypatch: Any) -> None:
        """The log of a file that nobody closed holds no secret, nor does a copy of the whole."""
        monkeypatch.setattr(Journal, "release", lambda *_: None)
        ledger.fail("POST */trainings", "killed_after")
        book = Journal(path)
        with Client(provider(), http=ledger.http(), journal=book, retry=QUICKLY) as client, pytest.raises(Killed):
            client.train(secret_request(), key="k")
        content = written(path)
        with closing(sqlite3.connect(path)) as connection:
            dump = "\n".join(connection.iterdump())
        book.close()
        assert b"training.start" in content
        assert_clean(content, dump)

    def test_errors_of_the_journal(self, ledger: Ledger, path: Path) -> None:
        """A journal that can't be read says nothing of what is in it."""
        with closing(Journal(path)) as book, Client(provider(), http=ledger.http(), journal=book) as client:
            client.train(secret_request(), key="k")
            book._connected().execute("UPDATE intents SET record = record || ?", (KEY,))
            with pytest.raises(JournalError) as error:
                client.train(secret_request(), key="k")
        assert_clean(told(error.value))

    def test_what_is_around_a_submission(self) -> None:
        """The parts of a submission show nothing of the provider's settings."""
        book = Journal(":memory:")
        client = Client(provider(), journal=book)
        with closing(book), client:
            assert_clean(repr(client), repr(vars(client)), repr(Submissions(book)), repr(client._workflows))


ANY: Any = {"extra": "allow"}


@pytest.mark.parametrize("vendor", VENDORS)
class TestVendors:
    """Calls at the vendors."""

    @pytest.mark.parametrize("kind", ["none", "drop_after", "drop_before", "truncate", "status"])
    def test_a_training_and_a_generation(
        self, vendor: str, kind: Any, sandbox: Sandbox, photos: Dataset, path: Path, *, caplog: Any
    ) -> None:
        """A job with a lost answer leaves no key and no signature in the journal, in logs, errors and records."""
        few = photos.model_copy(update={"images": (*photos.images[:1], Image.of(photos.images[1]))})
        if kind != "none":
            sandbox.world.faults.add(Fault(kind=kind, path=STARTS[vendor], times=1))
        shown: list[str] = []
        with caplog.at_level(logging.DEBUG), closing(Journal(path)) as book:
            options: dict[str, Any] = {**QUICK, "journal": book, "retry": QUICKLY}
            with Client(vendor, observer=lambda event: shown.append(repr(event)), **options) as client:
                training = client.wait(client.train(TrainingRequest(name="chelsea", dataset=few), key="k"), timeout=30)
                generation = client.generate(training, "{subject}", key="g")
                client.wait(generation, timeout=30)
                shown += [repr(training), repr(generation), repr(client.resume())]
            for key in ("k", "g"):
                intent = book.intent(key)
                assert intent is not None
                shown += [repr(intent), json.dumps(intent.request)]
            content = written(path)
        assert b"training.start" in content
        assert_clean(content, *shown, caplog.text)
        for mark in (b"Signature=", b"X-Amz-Signature=", b"security-token="):
            assert all(rest.startswith((b"***", b"%2A")) for rest in content.split(mark)[1:])

    def test_a_refusal(self, vendor: str, sandbox: Sandbox, photos: Dataset, path: Path, monkeypatch: Any) -> None:
        """A wrong key is in neither the error nor the journal that keeps it."""
        for name in sandbox.env:
            if "KEY" in name or "SECRET" in name:
                monkeypatch.setenv(name, "wr0ng-s3cr3t")
        few = photos.model_copy(update={"images": photos.images[:1]})
        with closing(Journal(path)) as book, Client(vendor, **{**QUICK, "journal": book}) as client:  # type: ignore[arg-type]
            with pytest.raises(UnifiedTrainError) as error:
                client.train(TrainingRequest(name="chelsea", dataset=few), key="k")
            content = written(path)
        assert_clean(content, told(error.value), secrets=("wr0ng-s3cr3t",))
