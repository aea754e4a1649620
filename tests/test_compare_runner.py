"""A comparison is run at all vendors at once, survives what goes wrong at one, and never pays twice."""

from __future__ import annotations

import _thread
import json
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
import pytest
from conftest import QUICK, VENDORS
from helpers import CAPABILITIES, Plain, PlainSettings, png
from pydantic import SecretStr

from unified_train import (
    Client,
    ConfigurationError,
    Dataset,
    DatasetError,
    Flow,
    Image,
    InvalidOptions,
    Job,
    Journal,
    JsonBody,
    MissingCredentials,
    Request,
    Retry,
    Snapshot,
    Status,
    SubmissionUncertain,
    TrainedModel,
    TrainingRequest,
    UnifiedTrainWarning,
    UploadedImage,
)
from unified_train.compare import Comparison, Picture, PictureOptions, Progress, begun, read_manifest, report
from unified_train.compare.interleaving import interleaved
from unified_train.compare.repeating import photos_of
from unified_train.flow import Workflow, blocking, emit, gather, sleep, transmit
from unified_train.sandbox import Sandbox
from unified_train.sandbox.faults import Fault

Connect = Callable[..., Any]
PROMPT = "a portrait of {subject}"


class OneColour:
    """For what is of the workflow, which is the same in both colours."""

    @pytest.fixture
    def colour(self) -> str:
        return "sync"


class Stop(Exception):
    """Ends a comparison in the middle, as Ctrl-C does."""


class Other(Plain):
    """A second vendor: it takes no seeds, and no widths."""

    slug = "other"
    title = "Other"
    capabilities = CAPABILITIES.model_copy(
        update={"generation": CAPABILITIES.generation.model_copy(update={"options": {}})}
    )


class Studio:
    """Both vendors' servers in memory, and what they have been paid for; a test says what goes wrong by path."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.paid: list[dict[str, Any]] = []
        self.words: dict[str, str] = {}
        self.answers: dict[str, Any] = {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        place = f"{request.method} {request.url.host.partition('.')[0]}{request.url.path.removeprefix('/api')}"
        self.seen.append(place)
        wrong = next((answer for pattern, answer in self.answers.items() if fnmatchcase(place, pattern)), None)
        if isinstance(wrong, Exception):
            raise wrong
        if wrong is not None:
            return httpx.Response(200, content=wrong) if isinstance(wrong, bytes) else httpx.Response(wrong)
        if request.method == "POST":
            if "images" not in place:
                self.paid.append({"place": place, **json.loads(request.content)})
            seed = f"-seed-{self.paid[-1]['seed']}" if "generations" in place else ""
            return httpx.Response(200, json={"id": f"{len(self.paid)}{seed}"})
        if "/files/" in place:
            return httpx.Response(200, content=png(16, 16, padding=len(place)))
        status = next((word for pattern, word in self.words.items() if fnmatchcase(place, pattern)), "succeeded")
        return httpx.Response(200, json={"status": status, "progress": 0.5})

    def count(self) -> dict[str, int]:
        return Counter(one["place"] for one in self.paid)


@pytest.fixture
def studio() -> Studio:
    return Studio()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "journal.sqlite")
    yield journal
    journal.close()


def vendors() -> tuple[Plain, Other]:
    def settings(host: str) -> PlainSettings:
        return PlainSettings(api_key=SecretStr("k"), base_url=f"http://{host}.test/api")

    return Plain(settings("plain")), Other(settings("other"))


@pytest.fixture
def reach(connect: Connect, colour: str, studio: Studio, journal: Journal) -> Connect:
    """A client of both vendors in memory."""

    def reached(*providers: Plain, **options: Any) -> Any:
        transport = httpx.MockTransport(studio)
        http: Any = httpx.Client(transport=transport) if colour == "sync" else httpx.AsyncClient(transport=transport)
        return connect(*(providers or vendors()), **{"http": http, "journal": journal, **options})

    return reached


@pytest.fixture
def request_() -> TrainingRequest:
    images = [Image.of(png(9 + number, 9), name=f"{number}.png") for number in range(2)]
    return TrainingRequest(name="my-cat", dataset=Dataset.of(images, trigger="ohwx", class_word="cat"))


def ask(client: Any, request: TrainingRequest | None, out: Path, **how: Any) -> Comparison:
    compared: Comparison = client.compare(request, [PROMPT], **{"out": out, "seeds": [3, 4], **how})
    return compared


@pytest.mark.long
class TestAtAllVendors:
    """The three vendors of the sandbox, from photographs to a report."""

    @pytest.fixture
    def at(self, connect: Connect, sandbox: Sandbox, journal: Journal) -> Any:
        return connect(*VENDORS, journal=journal, retry=Retry(attempts=2, first=0.01, longest=0.1, grace=0.2))

    @pytest.fixture
    def cat(self, photos: Dataset) -> TrainingRequest:
        return TrainingRequest(name="my-cat", dataset=photos.model_copy(update={"images": photos.images[:5]}))

    def asked(self, client: Any, cat: TrainingRequest | None, out: Path, **how: Any) -> Comparison:
        compared: Comparison = client.compare(cat, PROMPT, out=out, **{"seeds": [7], **how})
        return compared

    def test_a_report_of_all_of_them(self, at: Any, sandbox: Sandbox, cat: TrainingRequest, tmp_path: Path) -> None:
        """Each trains once and makes each picture once; folder, manifest and returned value say the same."""
        seen: list[Progress] = []
        made = self.asked(at, cat, tmp_path / "r", progress=seen.append, options=PictureOptions(width=512, height=512))
        paid = Counter((one.vendor, one.kind) for one in sandbox.world.submissions)
        assert paid == {(vendor, kind): 1 for vendor in VENDORS for kind in ("training", "generation")}
        assert [entrant.provider for entrant in made.entrants] == list(VENDORS)
        assert not [entrant for entrant in made.entrants if entrant.error or not entrant.model]
        assert [picture.entrant for picture in made.pictures] == list(VENDORS)
        assert all(picture.seconds is not None and picture.seconds >= 0 for picture in made.pictures)
        assert made.entrant("alibaba").notes == (
            "Alibaba Cloud AiContent has no option 'width'; width=512 was not sent",
            "Alibaba Cloud AiContent has no option 'height'; height=512 was not sent",
        )
        assert read_manifest(tmp_path / "r") == made
        assert (tmp_path / "r" / "report.html").read_text().count("data:image/webp") > 3
        ends = {progress.provider: progress for progress in seen if progress.ended}
        assert {(end.stage, end.share, end.made, end.asked) for end in ends.values()} == {("done", 1.0, 1, 1)}
        shares = [progress.share for progress in seen if progress.provider == "novita"]
        assert shares == sorted(shares)

    def test_interrupted_at_every_change_it_pays_once(
        self, at: Any, sandbox: Sandbox, cat: TrainingRequest, tmp_path: Path
    ) -> None:
        """However often it is stopped, and wherever, the same call goes on; what was accepted is not repeated."""

        def stop_after(left: int) -> Callable[[Progress], None]:
            def progress(_: Progress) -> None:
                nonlocal left
                left -= 1
                if left < 0:
                    raise Stop

            return progress

        stops = 0
        while True:
            try:
                made = self.asked(at, cat, tmp_path / "r", progress=stop_after(stops))
                break
            except Stop:
                stops += 1
        assert stops > 10
        assert len(made.pictures) == 3
        paid = Counter((one.vendor, one.kind) for one in sandbox.world.submissions)
        assert paid == {(vendor, kind): 1 for vendor in VENDORS for kind in ("training", "generation")}
        assert not journal_pending(at)

    def test_a_training_that_fails_at_one(
        self, at: Any, sandbox: Sandbox, cat: TrainingRequest, tmp_path: Path
    ) -> None:
        """It is an entrant without pictures, with the sentence that says why; asked again, it is not trained again."""
        sandbox.switch("novita", "training_outcome", "FAILED")
        for _ in range(2):
            made = self.asked(at, cat, tmp_path / "r", providers=["novita", "alibaba"])
            lost = made.entrant("novita")
            assert lost.error
            assert "failed" in lost.error
            assert lost.training
            assert lost.training.status is Status.FAILED
            assert [picture.entrant for picture in made.pictures] == ["alibaba"]
        assert len(sandbox.world.submissions) == 3

    def test_a_generation_that_fails_and_one_that_nobody_knows_of(
        self, at: Any, sandbox: Sandbox, cat: TrainingRequest, tmp_path: Path
    ) -> None:
        """A picture that failed, and one whose answer was lost, are told with their reasons, and the key."""
        sandbox.world.faults.add(Fault(kind="drop_after", method="POST", path="/v3/async/txt2img"))
        sandbox.switch("alibaba", "inference_outcome", "EMPTY")
        made = self.asked(at, cat, tmp_path / "r")
        assert [picture.entrant for picture in made.pictures] == ["scenario"]
        lost = {failure.entrant: failure.sentence for failure in made.failures}
        key = f"compare-{made.id[:12]}-"
        assert "may or may not have been accepted" in lost["novita"]
        assert f"jobs reconcile {key}" in lost["novita"]
        assert "lists no picture" in lost["alibaba"]
        assert self.asked(at, cat, tmp_path / "r").failures == made.failures
        assert len(sandbox.world.submissions) == 6


def journal_pending(client: Any) -> list[Any]:
    found: list[Any] = client.journal.pending()
    return found


class TestFolder(OneColour):
    """The folder is the comparison's, from before anything is paid."""

    def test_what_is_kept_in_it(self, reach: Connect, request_: TrainingRequest, tmp_path: Path) -> None:
        """Keys are made of the comparison and of something random that was there before; no raw record is kept."""
        first, second = (ask(reach(), request_, tmp_path / name) for name in "ab")
        assert first.id == second.id
        books = [json.loads((tmp_path / name / ".comparison.json").read_text()) for name in "ab"]
        assert books[0]["run"] != books[1]["run"]
        assert {job["raw_status"] for job in books[0]["jobs"].values()} == {None}
        keys = {job["key"] for job in books[0]["jobs"].values()}
        assert keys == {f"compare-{first.id[:12]}-{books[0]['run']}-{name}" for name in books[0]["jobs"]}
        assert set(books[0]["jobs"]) == {
            f"{slug}-{what}" for slug in ("plain", "other") for what in ("training", "1-3", "1-4")
        }
        assert all(job["raw"] == {} for job in books[0]["jobs"].values())

    def test_asked_again_nothing_is_sent(
        self, reach: Connect, studio: Studio, request_: TrainingRequest, tmp_path: Path
    ) -> None:
        """A finished comparison is written anew from what is known, with its pictures and its date."""
        made = ask(reach(), request_, tmp_path / "r")
        sent = len(studio.seen)
        assert ask(reach(), request_, tmp_path / "r") == made
        assert len(studio.seen) == sent

    def test_without_its_journal(
        self, reach: Connect, studio: Studio, request_: TrainingRequest, tmp_path: Path
    ) -> None:
        """The folder alone is enough to pay nothing twice."""
        made = ask(reach(), request_, tmp_path / "r")
        paid = studio.count()
        assert ask(reach(journal=":memory:"), request_, tmp_path / "r") == made
        assert studio.count() == paid

    def test_a_picture_that_was_changed_or_lost_is_fetched_again(
        self, reach: Connect, request_: TrainingRequest, tmp_path: Path
    ) -> None:
        """What is in the folder counts only as the manifest has it."""
        made = ask(reach(), request_, tmp_path / "r")
        changed, lost = (tmp_path / "r" / picture.file for picture in made.pictures[:2])
        changed.write_bytes(png(20, 20))
        lost.unlink()
        assert ask(reach(), request_, tmp_path / "r") == made
        assert changed.read_bytes() != png(20, 20)

    def test_another_question_in_the_same_folder(
        self, reach: Connect, studio: Studio, request_: TrainingRequest, tmp_path: Path
    ) -> None:
        """What was changed is named, and nothing is paid."""
        ask(reach(), request_, tmp_path / "r")
        paid = studio.count()
        changes: list[tuple[dict[str, Any], str]] = [
            ({"seeds": [3, 5]}, "other seeds;"),
            ({"options": PictureOptions(width=64)}, "other options of the pictures;"),
            ({"providers": ["plain"], "seeds": [3]}, "other seeds and other vendors or models;"),
        ]
        for how, what in changes:
            with pytest.raises(ConfigurationError, match=f"a comparison was begun here with {what}"):
                ask(reach(), request_, tmp_path / "r", **how)
        with pytest.raises(ConfigurationError, match="with other training; choose another folder"):
            ask(reach(), request_.model_copy(update={"steps": 20}), tmp_path / "r")
        assert studio.count() == paid

    def test_a_folder_of_something_else(
        self, reach: Connect, studio: Studio, request_: TrainingRequest, tmp_path: Path
    ) -> None:
        """A folder with other files, a report of elsewhere, a file, or a broken file of ours is left alone."""
        made = ask(reach(), request_, tmp_path / "r")
        paid = studio.count()
        (tmp_path / "full").mkdir()
        (tmp_path / "full" / "letter.txt").write_text("mine")
        (tmp_path / "file").write_text("mine")
        report.write_report(
            made, tmp_path / "copy", images=[Image.of(tmp_path / "r" / one.file) for one in made.pictures]
        )
        for name, why in [("full", "letter.txt is in it"), ("file", "is a file"), ("copy", "but not the .comparison")]:
            with pytest.raises(ConfigurationError, match=why):
                ask(reach(), request_, tmp_path / name)
        for text, why in [("[", "no JSON"), ("{}", "run: field required"), ("[" * 10**5, "no JSON")]:
            (tmp_path / "r" / ".comparison.json").write_text(text)
            with pytest.raises(ConfigurationError, match=why):
                ask(reach(), request_, tmp_path / "r")
        assert studio.count() == paid

    def test_a_report_of_another_is_not_written_into_it(
        self, reach: Connect, request_: TrainingRequest, tmp_path: Path
    ) -> None:
        """A folder in which a comparison was begun takes the report of that one only."""
        made = ask(reach(), request_, tmp_path / "r")
        (tmp_path / "r" / "manifest.json").unlink()
        other = Comparison(**{**dict(made), "seeds": (3, 4, 5)})
        with pytest.raises(ConfigurationError, match="another comparison was begun in it"):
            report.write_report(other, tmp_path / "r")
        assert report.write_report(made, tmp_path / "r").exists()

    def test_two_that_begin_at_once_are_one(self, made: Comparison, tmp_path: Path) -> None:
        """Who comes second takes over what the first has written; where files can't be linked, it is renamed."""
        path = tmp_path / "r"
        first = begun.opened(path, made)
        seen = [None, begun._read(path / ".comparison.json")]
        with (
            mock.patch.object(begun, "_read", side_effect=seen),
            mock.patch("unified_train.compare.folder.check_folder"),
        ):
            assert begun.opened(path, made).begun == first.begun
        with mock.patch("os.link", side_effect=OSError("no links here")):
            assert begun.opened(tmp_path / "s", made).begun.run != first.begun.run
        assert not [item for item in tmp_path.rglob("*") if item.name.endswith(".part")]

    @pytest.fixture
    def made(self) -> Comparison:
        from compare_samples import sample

        return sample().comparison

    def test_a_folder_that_cannot_be_written_or_read(self, made: Comparison, tmp_path: Path) -> None:
        """It is told before anything is paid."""
        for function, what in [("mkdir", "can't be written"), ("read_bytes", "can't be read")]:
            denied = mock.patch(f"pathlib.Path.{function}", side_effect=OSError(13, "Permission denied"))
            with denied, pytest.raises(ConfigurationError, match=what):
                begun.opened(tmp_path / "r", made)

    def test_a_disk_that_is_full(
        self, reach: Connect, studio: Studio, request_: TrainingRequest, tmp_path: Path
    ) -> None:
        """It ends the run with a sentence; with room, the same call goes on and pays nothing twice."""
        full = mock.patch("unified_train.images.Image.save", side_effect=OSError(28, "No space left on device"))
        with full, pytest.raises(ConfigurationError, match=r"No space left.*run the same comparison again"):
            ask(reach(), request_, tmp_path / "r")
        assert len(ask(reach(), request_, tmp_path / "r").pictures) == 4
        assert set(studio.count().values()) == {1, 2}


class TestOneVendor(OneColour):
    """Whatever happens at one vendor is told of it, and stops no other."""

    def test_one_that_cannot_take_it(
        self, reach: Connect, studio: Studio, request_: TrainingRequest, tmp_path: Path
    ) -> None:
        """What the vendor can't take is refused before anything is sent to it."""
        with mock.patch.object(
            Other,
            "capabilities",
            Other.capabilities.model_copy(
                update={"training": CAPABILITIES.training.model_copy(update={"kinds": frozenset({"style"})})}
            ),
        ):
            made = ask(reach(), request_, tmp_path / "r")
        assert made.entrant("other").error == "Other trains no subject, only style"
        assert [picture.entrant for picture in made.pictures] == ["plain", "plain"]
        assert not [place for place in studio.seen if "other" in place]

    def test_one_that_is_absent_may_come_later(
        self, reach: Connect, studio: Studio, request_: TrainingRequest, tmp_path: Path
    ) -> None:
        """A vendor without a key is told of; given one, the same comparison goes on with it."""
        plain, _ = vendors()
        absent = {"other": MissingCredentials("no key: set OTHER_KEY")}
        seen: list[Progress] = []
        made = ask(reach(plain), request_, tmp_path / "r", absent=absent, progress=seen.append)
        assert [(item.provider, item.title, item.error) for item in made.entrants] == [
            ("plain", "Plain", None),
            ("other", "other", "no key: set OTHER_KEY"),
        ]
        (end,) = [progress for progress in seen if progress.provider == "other" and progress.ended]
        assert (end.stage, end.errors) == ("failed", (absent["other"],))
        assert "OTHER_KEY" in (tmp_path / "r" / "report.html").read_text()
        made = ask(reach(), request_, tmp_path / "r")
        assert len(made.pictures) == 4
        assert studio.count()["POST plain/trainings"] == 1

    def test_an_installed_one_has_its_title(self, reach: Connect, request_: TrainingRequest, tmp_path: Path) -> None:
        """A vendor that can't be spoken to is still called by its name."""
        made = ask(reach(), request_, tmp_path / "r", absent={"novita": MissingCredentials("no key")})
        assert made.entrant("novita").title == "Novita"

    def test_one_without_seeds(self, reach: Connect, studio: Studio, request_: TrainingRequest, tmp_path: Path) -> None:
        """Seeds and options that a vendor does not honour are not sent, and the report says so."""
        made = ask(reach(), request_, tmp_path / "r", options=PictureOptions(width=64))
        assert made.entrant("other").notes == (
            "Other takes no seeds: its pictures of one prompt differ by chance",
            "Other has no option 'width'; width=64 was not sent",
        )
        assert made.entrant("plain").notes == ()
        assert [one.get("seed") for one in studio.paid if "other/gen" in one["place"]] == [None, None]
        assert "differ by chance" in (tmp_path / "r" / "report.html").read_text()

    def test_options_that_may_not_be_dropped(self, reach: Connect, request_: TrainingRequest, tmp_path: Path) -> None:
        """Who would rather have no picture than another one says so, for trainings and pictures each."""
        made = ask(reach(), request_, tmp_path / "r", options=PictureOptions(width=64), pictures_on_unsupported="error")
        assert {failure.entrant for failure in made.failures} == {"other"}
        ranked = request_.model_copy(update={"rank": 4})
        assert not ask(reach(), ranked, tmp_path / "s").pictures
        with pytest.warns(UnifiedTrainWarning, match="rank"):
            assert len(ask(reach(), ranked, tmp_path / "t", on_unsupported="warn").pictures) == 4

    def test_pictures_that_are_none(
        self, reach: Connect, studio: Studio, request_: TrainingRequest, tmp_path: Path
    ) -> None:
        """What can't be shown, or is no picture, is missing with its reason; the others have their report."""
        broken = b"\0\0\0\x14ftypavif\0\0\0\0avif" + b"\0\0\0\x08meta" + b"\0\0\0\x08mdat"
        studio.answers = {"GET plain/files/*-seed-2/0": broken, "GET plain/files/*-seed-3/0": b"<html>"}
        made = ask(reach(vendors()[0]), request_, tmp_path / "r", seeds=[1, 2, 3])
        sentences = [failure.sentence for failure in made.failures]
        assert [picture.seed for picture in made.pictures] == [1]
        assert "decoded" in sentences[0]
        assert "no image" in sentences[1]

    def test_a_success_without_a_picture(
        self, reach: Connect, studio: Studio, request_: TrainingRequest, tmp_path: Path
    ) -> None:
        """A generation that a vendor calls a success, and that has nothing to show, is a missing picture."""

        class Bare(Plain):
            def poll(self, job: Job) -> Flow[Snapshot]:
                return (yield from super().poll(job)).model_copy(update={"images": ()})

        made = ask(reach(Bare(vendors()[0].settings)), request_, tmp_path / "r")
        assert {failure.sentence.partition(" ended ")[2] for failure in made.failures} == {"(None) without a picture"}

    def test_a_lost_training(self, reach: Connect, studio: Studio, request_: TrainingRequest, tmp_path: Path) -> None:
        """A training whose answer was lost is told with its key, and not sent again when the same is asked again."""
        studio.answers["POST plain/trainings"] = httpx.ReadError("reset")
        for _ in range(2):
            seen: list[Progress] = []
            made = ask(reach(), request_, tmp_path / "r", progress=seen.append)
            error = made.entrant("plain").error
            assert error
            assert f"compare-{made.id[:12]}-" in error
            (end,) = [progress for progress in seen if progress.provider == "plain" and progress.ended]
            assert isinstance(end.errors[0], SubmissionUncertain)
            assert len(made.pictures) == 2
        assert studio.seen.count("POST plain/trainings") == 1

    def test_a_refusal_is_tried_again(
        self, reach: Connect, studio: Studio, request_: TrainingRequest, tmp_path: Path
    ) -> None:
        """What was not accepted, such as for want of money, is asked for again by the same call."""
        studio.answers["POST plain/generations"] = 402
        made = ask(reach(), request_, tmp_path / "r")
        assert len(made.failures) == 2
        del studio.answers["POST plain/generations"]
        made = ask(reach(), request_, tmp_path / "r")
        assert not made.failures
        assert all(picture.seconds is not None for picture in made.pictures)
        assert studio.count()["POST plain/trainings"] == 1


class TestTime(OneColour):
    """What was waited for, and for how long."""

    def test_a_deadline_is_no_end(
        self, reach: Connect, studio: Studio, request_: TrainingRequest, tmp_path: Path
    ) -> None:
        """What still runs is told as such, and gone on with; its time is unknown, since nobody looked meanwhile."""
        studio.words = {"GET plain/trainings/1": "running"}
        seen: list[Progress] = []
        first = ask(reach(), request_, tmp_path / "r", providers=["plain"], timeout=0.5, progress=seen.append)
        assert seen[-1].stage == "late"
        assert first.entrants[0].error
        assert "plain:training:1 was still running when the time was up" in first.entrants[0].error
        assert first.entrants[0].training
        assert first.entrants[0].training.status is Status.RUNNING
        studio.words = {"GET plain/generations/*": "running"}
        second = ask(reach(), request_, tmp_path / "r", providers=["plain"], timeout=0.5)
        assert second.entrants[0].notes == (
            "nobody looked for a while as it trained: its times are those until somebody did",
        )
        assert [failure.seed for failure in second.failures] == [3, 4]
        studio.words = {}
        third = ask(reach(), request_, tmp_path / "r", providers=["plain"], timeout=0.5)
        assert [picture.seconds for picture in third.pictures] == [None, None]
        assert set(studio.count().values()) == {1, 2}
        assert ask(reach(), request_, tmp_path / "r", providers=["plain"]) == third

    def test_what_cannot_be_looked_at(
        self, reach: Connect, studio: Studio, request_: TrainingRequest, tmp_path: Path
    ) -> None:
        """A look that is refused ends the vendor's part, and the report has the training as it was last seen."""
        studio.answers["GET plain/trainings/1"] = 401
        made = ask(reach(), request_, tmp_path / "r", providers=["plain"])
        assert made.entrants[0].training
        assert made.entrants[0].training.status is Status.QUEUED
        assert made.entrants[0].error

    def test_a_stop_is_prompt(self, reach: Connect, studio: Studio, request_: TrainingRequest, tmp_path: Path) -> None:
        """One that waits for an hour is left at once, whatever the others are at."""
        studio.words = {"GET */trainings/*": "running"}

        def stop(progress: Progress) -> None:
            if progress.job is not None and progress.job.status is Status.RUNNING:
                raise Stop

        started = time.monotonic()
        with pytest.raises(Stop):
            ask(reach(), request_, tmp_path / "r", progress=stop)
        assert time.monotonic() - started < 5


class TestModels(OneColour):
    """Models that exist already."""

    def model(self, provider: str = "plain") -> TrainedModel:
        return TrainedModel(provider=provider, id="m", trigger="ohwx", class_word="cat")

    def test_in_the_place_of_a_training(self, reach: Connect, studio: Studio, tmp_path: Path) -> None:
        """Nothing is trained, whether a model, a training or the reference of one is given."""
        job = Job(provider="plain", kind="training", id="1", status=Status.SUCCEEDED, model=self.model())
        ids = set()
        for number, given in enumerate([self.model(), job]):
            made = ask(reach(vendors()[0]), None, tmp_path / str(number), models=[given])
            assert (made.entrants[0].model, made.entrants[0].training) == (self.model(), None)
            assert (made.title, made.training) == ("Comparison", None)
            ids.add(made.id)
        assert len(ids) == 1
        job = Job(provider="plain", kind="training", id="1", trigger="ohwx")
        made = ask(reach(), None, tmp_path / "r", models=[job, self.model("other")], title="Old ones")
        assert made.title == "Old ones"
        assert [item.model.id for item in made.entrants if item.model] == ["model-1", "m"]
        assert studio.count() == {"POST plain/generations": 6, "POST other/generations": 2}

    def test_beside_a_training(self, reach: Connect, studio: Studio, request_: TrainingRequest, tmp_path: Path) -> None:
        """Vendors without a model train one."""
        seen: list[Progress] = []
        made = ask(reach(), request_, tmp_path / "r", models=[self.model()], progress=seen.append)
        assert made.entrant("other").training
        assert made.entrant("plain").training is None
        assert "POST plain/trainings" not in studio.count()
        assert [p.share for p in seen if p.provider == "plain"][-3:] == [0.5, 1.0, 1.0]

    def test_an_absent_vendor_with_a_model(self, reach: Connect, tmp_path: Path) -> None:
        """Its finished training is not asked for, since it can't be."""
        job = Job(provider="novita", kind="training", id="1", status=Status.SUCCEEDED, model=self.model("novita"))
        made = ask(
            reach(vendors()[0]),
            None,
            tmp_path / "r",
            models=[self.model(), job],
            absent={"novita": MissingCredentials("no key")},
        )
        assert made.entrant("novita").model == self.model("novita")
        assert len(made.pictures) == 2

    @pytest.mark.parametrize(
        ("how", "why"),
        [
            ({}, "nothing to compare at plain: give a training request"),
            ({"models": "PO"}, "is not among the vendors to compare"),
            ({"models": "PP"}, "two models of plain"),
            ({"models": "R"}, "is running, so it has no model to compare"),
            ({"models": "G"}, "is no training, so"),
            ({"models": "P", "options": PictureOptions(extra={"plain": {"api_key": "x"}})}, "holds a secret"),
            ({"models": "P", "seeds": [1, 1]}, "the seed 1 appears twice"),
            ({"models": "P", "seeds": []}, "seeds"),
        ],
    )
    def test_what_makes_no_sense(
        self, reach: Connect, studio: Studio, tmp_path: Path, how: dict[str, Any], why: str
    ) -> None:
        """It is refused before anything is paid or written."""
        studio.words = {"GET plain/trainings/7": "running"}
        kinds: dict[str, Any] = {
            "P": self.model(),
            "O": self.model("other"),
            "R": "plain:training:7",
            "G": "plain:generation:7",
        }
        models = [kinds[letter] for letter in how.get("models", "")]
        with pytest.raises(InvalidOptions, match=why):
            ask(reach(vendors()[0]), None, tmp_path / "r", **{**how, "models": models})
        assert not studio.paid
        assert not (tmp_path / "r").exists()


class TestWhatIsNeeded(OneColour):
    """What must be there before anything is paid."""

    def test_a_journal(self, reach: Connect, request_: TrainingRequest, tmp_path: Path) -> None:
        """Without one nothing could be promised."""
        with pytest.raises(ConfigurationError, match="a comparison needs a journal"):
            ask(reach(journal=None), request_, tmp_path / "r")

    @pytest.mark.parametrize("missing", ["jinja2", "PIL"])
    def test_packages(
        self, reach: Connect, studio: Studio, request_: TrainingRequest, tmp_path: Path, missing: str
    ) -> None:
        """A report that could not be written is told before it is paid for."""
        absent = mock.patch.dict(sys.modules, {missing: None})
        with absent, pytest.raises(ConfigurationError, match=r"unified-train\[compare\]"):
            ask(reach(), request_, tmp_path / "r")
        assert not studio.seen

    def test_vendors_that_the_client_speaks_to(self, reach: Connect, request_: TrainingRequest, tmp_path: Path) -> None:
        """A vendor of another client is a mistake, not an absence."""
        with pytest.raises(ConfigurationError, match="this client speaks to plain, other, not to novita"):
            ask(reach(), request_, tmp_path / "r", providers=["plain", "novita"])

    def test_images_uploaded_before(
        self, reach: Connect, studio: Studio, request_: TrainingRequest, tmp_path: Path
    ) -> None:
        """Images that are at one vendor are compared there, and are shown by their names."""
        images = [UploadedImage(provider="plain", id="1", name="a.png")]
        request = request_.model_copy(update={"dataset": Dataset.of(images, trigger="ohwx")})
        made = ask(reach(vendors()[0]), request, tmp_path / "r")
        assert len(made.pictures) == 2
        assert "POST plain/images" not in studio.seen


class TestRepeating(OneColour):
    """The same question once more."""

    def test_the_photographs_are_found_where_they_were(
        self, reach: Connect, studio: Studio, journal: Journal, tmp_path: Path
    ) -> None:
        """A manifest and the journal are enough to ask the same; it is paid for anew in another folder."""
        for number in range(2):
            (tmp_path / f"{number}.png").write_bytes(png(9 + number, 9))
        dataset = Dataset.of([tmp_path / "0.png", tmp_path / "1.png"], trigger="ohwx", class_word="cat")
        first = ask(reach(), TrainingRequest(name="my-cat", dataset=dataset, steps=20), tmp_path / "r")
        before = read_manifest(tmp_path / "r")
        assert before.training
        request = before.training.request(photos_of(before, journal))
        again = ask(reach(), request, tmp_path / "again")
        assert again.id == first.id
        assert set(studio.count().values()) == {2, 4}
        (tmp_path / "0.png").write_bytes(png(30, 30))
        with pytest.raises(DatasetError, match=r"not to be had \(.*another picture than it was.*name the folder"):
            photos_of(before, journal)

    def test_photographs_that_nobody_knows(
        self, reach: Connect, request_: TrainingRequest, journal: Journal, tmp_path: Path
    ) -> None:
        """Another journal does not know them, and what was in memory only is gone."""
        made = ask(reach(), request_, tmp_path / "r")
        with pytest.raises(DatasetError, match="was in memory only"):
            photos_of(made, journal)
        with pytest.raises(DatasetError, match="the journal does not know where"):
            photos_of(made, Journal(":memory:"))


class TestInterleaving:
    """Long workflows side by side."""

    def run(self, reach: Connect, workflows: list[Workflow[Any]], *, limit: int = 9) -> Any:
        client = reach()
        if isinstance(client, Client):
            return client._engine.run(interleaved(workflows, limit=limit))
        return client._portal.call(lambda: client.inner._engine.run(interleaved(workflows, limit=limit)))

    def test_sleeps_are_slept_together_and_results_keep_their_order(self, reach: Connect) -> None:
        """Whatever is slept, gathered or emitted, each gets what it asked for."""

        def napping(number: int) -> Workflow[int]:
            yield from sleep(0.05 * (3 - number))
            yield from emit("dropped")
            parts = yield from gather([self.doubled(number), self.doubled(number + 1)], limit=1)
            return sum(parts)

        started = time.monotonic()
        assert self.run(reach, [napping(number) for number in range(3)]) == [2, 6, 10]
        assert time.monotonic() - started < 1
        assert self.run(reach, []) == []

    def doubled(self, number: int) -> Workflow[int]:
        yield from sleep(0.01)
        return (yield from blocking(lambda: number * 2))

    def test_limit(self, reach: Connect) -> None:
        """No more run at once than may."""
        running: list[int] = []
        most = 0

        def counted(number: int) -> Workflow[int]:
            nonlocal most
            running.append(number)
            most = max(most, len(running))
            yield from sleep(0.01)
            running.remove(number)
            return number

        assert self.run(reach, [counted(number) for number in range(5)], limit=2) == list(range(5))
        assert most == 2

    def test_an_error_is_told_to_the_workflow_that_asked(self, reach: Connect) -> None:
        """It may go on; if it does not, the others are closed where they stand, and those not begun never begin."""
        closed: list[str] = []

        def broken() -> int:
            raise ZeroDivisionError

        def brave() -> Workflow[str]:
            try:
                yield from blocking(broken)
            except ZeroDivisionError:
                return "went on"
            return "never"

        def failing() -> Workflow[str]:
            yield from sleep(0.03)
            yield from gather([blocking(broken), blocking(broken)], limit=2)
            return "never"

        def patient() -> Workflow[str]:
            try:
                yield from gather([sleep(60), sleep(60)], limit=1)
            finally:
                closed.append("patient")
            return "never"

        assert self.run(reach, [brave(), brave()]) == ["went on", "went on"]
        with pytest.raises(ZeroDivisionError):
            self.run(reach, [patient(), failing(), patient()], limit=2)
        assert closed == ["patient"]

    def test_an_answer_that_has_come_is_written_down(self, reach: Connect, studio: Studio) -> None:
        """Whoever ends them all, each that was answered may write, and nothing else; what it then asks is not sent."""
        written: list[str] = []
        closed: list[str] = []

        def paying(name: str, *, nested: bool = False) -> Workflow[str]:
            try:
                if nested:
                    yield from gather([paying(f"{name}a"), paying(f"{name}b")], limit=2)
                    return name
                yield from transmit(
                    Request("POST", "http://plain.test/api/trainings", "training.start", body=JsonBody({}))
                )
                yield from blocking(lambda: written.append(name))
                yield from blocking(lambda: written.append(f"{name} again"))
                yield from transmit(Request("GET", "http://plain.test/api/trainings/1", "training.poll"))
            finally:
                closed.append(name)
            return "never"

        def failing() -> Workflow[str]:
            yield from transmit(Request("GET", "http://plain.test/api/other", "training.list"))
            raise Stop

        with pytest.raises(Stop):
            self.run(reach, [failing(), paying("1"), paying("2", nested=True)])
        assert sorted(written) == ["1", "1 again", "2a", "2a again", "2b", "2b again"]
        assert sorted(closed) == ["1", "2", "2a", "2b"]
        assert sorted(studio.seen) == ["GET plain/other", *["POST plain/trainings"] * 3]

    def test_what_was_about_to_be_sent_is_not(self, reach: Connect, studio: Studio) -> None:
        """Requests that were asked for before another failed, but not sent yet, are not sent any more."""

        def asking(path: str) -> Workflow[str]:
            yield from transmit(Request("GET", "http://plain.test/api/first", "training.poll"))
            yield from transmit(Request("GET", f"http://plain.test/api/{path}", "training.poll"))
            return "never"

        def several() -> Workflow[str]:
            yield from gather([asking("second"), asking("third")], limit=2)
            return "never"

        def failing() -> Workflow[str]:
            yield from transmit(Request("GET", "http://plain.test/api/first", "training.poll"))
            raise Stop

        with pytest.raises(Stop):
            self.run(reach, [several(), asking("fourth"), failing()])
        assert studio.seen == ["GET plain/first"] * 4

    def test_what_ends_while_all_end_is_not_told(self, reach: Connect) -> None:
        """The first error is the one that is raised; one that ends well after it changes nothing."""

        def ending(error: Exception | None) -> Workflow[str]:
            yield from blocking(lambda: None)
            if error:
                raise error
            return "well"

        def around(*errors: Exception | None) -> Workflow[str]:
            yield from gather([ending(error) for error in errors], limit=3)
            yield from sleep(60)
            return "never"

        ends = [ending(Stop()), ending(None), ending(KeyError()), around(None, None), around(None, KeyError())]
        with pytest.raises(Stop):
            self.run(reach, ends)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C works as it does in a terminal, though whoever started the tests may have turned it off."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_while_it_pays(journal: Journal, request_: TrainingRequest, tmp_path: Path) -> None:
    """What is on its way is waited for and written down, so that the same call goes on with it, and nothing is lost."""

    class Interrupting(Studio):
        def __call__(self, request: httpx.Request) -> httpx.Response:
            answer = super().__call__(request)
            if request.method == "POST" and "images" not in str(request.url) and not stopped:
                stopped.append(str(request.url))
                _thread.interrupt_main()
                time.sleep(0.05)
            return answer

    stopped: list[str] = []
    interrupting = Interrupting()
    options: dict[str, Any] = {**QUICK, "journal": journal}
    with httpx.Client(transport=httpx.MockTransport(interrupting)) as http:
        with Client(*vendors(), http=http, **options) as client, pytest.raises(KeyboardInterrupt):
            ask(client, request_, tmp_path / "r")
        assert stopped
        with Client(*vendors(), http=http, **options) as client:
            made = ask(client, request_, tmp_path / "r")
    assert len(made.pictures) == 4
    assert interrupting.count() == {
        f"POST {slug}/{what}": count
        for slug in ("plain", "other")
        for what, count in [("trainings", 1), ("generations", 2)]
    }


def test_a_note_has_no_secret() -> None:
    """Notes of entrants are cleaned, as everything that a report shows."""
    from unified_train.compare import Entrant

    noted = Entrant(provider="a", title="A", notes=("see https://example.org/x?token=abc",))
    assert noted.notes == ("see https://example.org/x?token=***",)


def test_file_names_are_the_same_before_and_after() -> None:
    """The name by which a picture is looked for in the folder is the one that it gets."""
    image = Image.of(png())
    assert Picture.of(image, entrant="plain", prompt=1, seed=3).file == "pictures/02-plain-3.png"
