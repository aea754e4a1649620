"""Downloads can be interrupted and asked for again, stay in their folder, and take in no bombs."""

from __future__ import annotations

import os
import struct
import time
import zlib
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from helpers import plain, png
from hypothesis import given
from hypothesis import strategies as st

from unified_train import ConfigurationError, GeneratedImage, Job, MalformedResponse, Status, downloads
from unified_train.downloads import LARGEST, LEFT_OVER, MOST_PIXELS, check, finished, prepare, save, stem

JOB = Job(provider="plain", kind="generation", id="7", status=Status.SUCCEEDED)


def made(count: int, **facts: Any) -> Job:
    """A finished generation of so many pictures."""
    return JOB.model_copy(update={"images": tuple(GeneratedImage(id=str(n)) for n in range(count)), **facts})


# -- names -------------------------------------------------------------------------------------------------------------

NASTY = [
    "../../etc/passwd",
    "..",
    ".",
    "",
    "/abs",
    "C:\\x",
    "a\x00b",
    "con",
    "NUL",
    "a" * 5000,
    "猫",
    "a b",
    "a\nb",
    "~",
    "x.",
    "style/1",
    "style-1",
    "Style-1",
    "-",
    "\ud800",
]
ids = st.text(max_size=200) | st.text("abAB/.-_0", max_size=6) | st.sampled_from(NASTY)
slugs = st.text("ab-_", min_size=1, max_size=3).filter(lambda slug: slug[0] not in "-_")


@given(ids, slugs, st.integers(0, 200))
def test_whatever_a_vendors_id_is_the_file_lies_in_the_folder(job_id: str, slug: str, number: int) -> None:
    """The name of a picture is short, has one part, and is one that every file system takes."""
    name = f"{stem(slug, job_id, number)}.png"
    folder = Path("/pictures")
    assert (folder / name).resolve().parent == folder
    assert len(name) < 120
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
    assert not name.startswith((".", "-"))
    assert name.partition(".")[0].casefold() not in {"con", "nul", "prn", "aux", "com1", "lpt1"}


@given(st.tuples(slugs, ids, st.integers(0, 200)), st.tuples(slugs, ids, st.integers(0, 200)))
def test_two_pictures_never_share_a_name(one: tuple[str, str, int], other: tuple[str, str, int]) -> None:
    """Names differ when vendor, id or number do, also where upper and lower case are the same."""
    assert (stem(*one).casefold() == stem(*other).casefold()) == (one == other)


def test_nasty_ids_have_names_of_their_own() -> None:
    """Ids that look alike once their odd characters are gone are told apart."""
    assert len({stem("plain", job_id, 0).casefold() for job_id in NASTY}) == len(NASTY)
    assert stem("a", "b-c", 0) != stem("a-b", "c", 0)
    assert stem("a", "b-C", 0) != stem("a-b", "C", 0)


def test_ordinary_ids_stay_readable() -> None:
    """A plain id is the name, and of another what can be read stays."""
    assert stem("novita", "3c0f0a52-aaaa", 3) == "novita-3c0f0a52-aaaa-03"
    assert stem("plain", "style/7", 100).startswith("plain-style-7.")
    assert stem("plain", "style/7", 100).endswith("-100")


# -- what is kept ------------------------------------------------------------------------------------------------------


def huge(width: int, height: int) -> bytes:
    """A whole PNG of a few bytes that claims a size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_a_picture_of_too_many_pixels_is_refused() -> None:
    """A few bytes that claim a billion pixels are no picture; as many as the limit are."""
    with pytest.raises(MalformedResponse, match=r"40,000 by 40,000 pixels; more than 100,000,000"):
        check(huge(40_000, 40_000), JOB, 0)
    assert check(huge(MOST_PIXELS // 1000, 1000), JOB, 0) == "png"
    with pytest.raises(MalformedResponse, match="pixels"):
        check(huge(MOST_PIXELS // 1000 + 1, 1000), JOB, 0)


def test_a_picture_of_too_many_bytes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file beyond the limit is refused, whatever it holds; at the limit it is taken."""
    monkeypatch.setattr(downloads, "LARGEST", len(png(padding=100)))
    assert check(png(padding=100), JOB, 2) == "png"
    with pytest.raises(MalformedResponse, match=r"picture 2 of plain:generation:7 is [\d,]+ bytes; more than") as error:
        check(png(padding=101), JOB, 2)
    assert (error.value.provider, error.value.operation) == ("plain", "generation.fetch")
    assert LARGEST < 256 * 1024 * 1024


def test_kinds_without_a_readable_size_are_limited_by_bytes_only() -> None:
    """A picture whose header is not read as far as its size is taken."""
    boxes = [(b"ftyp", b"avif\x00\x00\x00\x00avifmif1"), (b"meta", b"\x00" * 40), (b"mdat", b"\x00" * 9)]
    data = b"".join(struct.pack(">I", 8 + len(body)) + kind + body for kind, body in boxes)
    assert check(data, JOB, 0) == "avif"


@pytest.mark.parametrize(
    ("data", "why"), [(b"<html>", "6 bytes, but no image"), (png()[:-1], "cut off"), (b"", "0 bytes")]
)
def test_what_is_no_picture_is_refused(data: bytes, why: str) -> None:
    """An error page, half a picture and nothing are each told in words."""
    with pytest.raises(MalformedResponse, match=why):
        check(data, JOB, 0)


# -- the folder --------------------------------------------------------------------------------------------------------

OLD = time.time() - LEFT_OVER - 10


def left(folder: Path, name: str, *, old: bool = True) -> Path:
    path = folder / name
    path.write_bytes(b"half a pict")
    if old:
        os.utime(path, (OLD, OLD))
    return path


def test_leftovers_of_dead_writers_are_removed(tmp_path: Path) -> None:
    """Unfinished files of ours go if they are old; young ones may be somebody's, and what is not ours stays."""
    mark = "0123456789abcdef"
    gone = [left(tmp_path, f".{stem('plain', job_id, 0)}.png.{mark}.part") for job_id in NASTY]
    stays = [
        left(tmp_path, f".plain-7-00.jpeg.{mark}.part", old=False),
        left(tmp_path, f"plain-7-00.png.{mark}.part"),
        left(tmp_path, f".plain-7-00.zip.{mark}.part"),
        left(tmp_path, ".plain-7-00.png.part"),
        left(tmp_path, f".notes.png.{mark}.part"),
        left(tmp_path, "plain-7-00.png"),
    ]
    folder = tmp_path / f".plain-8-00.png.{mark}.part"
    folder.mkdir()
    os.utime(folder, (OLD, OLD))
    prepare(tmp_path)
    assert not [path for path in gone if path.exists()]
    assert sorted(tmp_path.iterdir()) == sorted([*stays, folder])


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    """A file in the place of the folder is named, and with it the remedy."""
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "deeper"):
        with pytest.raises(ConfigurationError, match=r"can't be used as a folder for pictures \(.+\); name another"):
            prepare(path)


def test_a_finished_picture_is_found_by_its_name(tmp_path: Path) -> None:
    """Path, kind and digest are those of the file."""
    saved = save(tmp_path, "plain-7-00.png", png())
    found = finished(tmp_path, "plain-7-00")
    assert found is not None
    assert found.path == saved.path == tmp_path / "plain-7-00.png"
    assert found.sha256 == saved.sha256 == sha256(png()).hexdigest()
    assert finished(tmp_path, "plain-7-01") is None


def test_what_is_not_whole_any_more_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cut, foreign, misnamed, oversized or linked file is not taken for the picture, nor is a folder."""
    path = tmp_path / "plain-7-00.png"
    for data in (png()[:-1], b"text", b""):
        path.write_bytes(data)
        assert finished(tmp_path, "plain-7-00") is None
    path.write_bytes(png())
    path.rename(tmp_path / "plain-7-00.jpeg")
    assert finished(tmp_path, "plain-7-00") is None
    (tmp_path / "elsewhere.png").write_bytes(png())
    path.symlink_to(tmp_path / "elsewhere.png")
    assert finished(tmp_path, "plain-7-00") is None
    path.unlink()
    path.mkdir()
    assert finished(tmp_path, "plain-7-00") is None
    monkeypatch.setattr(downloads, "LARGEST", len(png()) - 1)
    (tmp_path / "plain-8-00.png").write_bytes(png())
    assert finished(tmp_path, "plain-8-00") is None


def test_a_link_in_the_pictures_place_is_replaced_not_followed(tmp_path: Path) -> None:
    """Saving over a symbolic link leaves what it points to alone."""
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "plain-7-00.png").symlink_to(tmp_path / "precious")
    save(tmp_path, "plain-7-00.png", png())
    assert (tmp_path / "precious").read_text() == "mine"
    assert (tmp_path / "plain-7-00.png").read_bytes() == png()


# -- whole downloads ---------------------------------------------------------------------------------------------------


class Shelf:
    """Serves a job's pictures, each of its own width; a test puts other answers in front, by picture."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.script: dict[str, list[Any]] = {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        name = request.url.path.rsplit("/", 1)[1]
        self.asked.append(name)
        step = self.script[name].pop(0) if self.script.get(name) else picture(name)
        return step if isinstance(step, httpx.Response) else httpx.Response(200, content=step)


def picture(name: str) -> bytes:
    return png(8 + int(name), 8)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def client(shelf: Shelf, connect: Any, colour: str) -> Any:
    transport = httpx.MockTransport(shelf)
    http: Any = httpx.Client(transport=transport) if colour == "sync" else httpx.AsyncClient(transport=transport)
    return connect(plain(), http=http, parallel=1)


def test_each_picture_has_its_path_and_its_digest(client: Any, tmp_path: Path) -> None:
    """Pictures come back in order, with the file that they are in."""
    pictures = client.download(made(3), tmp_path / "deep" / "folder")
    for number, image in enumerate(pictures):
        assert image.path == tmp_path / "deep" / "folder" / f"plain-7-{number:02}.png"
        assert image.path.read_bytes() == picture(str(number))
        assert image.sha256 == sha256(picture(str(number))).hexdigest()
    assert [image.name for image in client.download(made(3))] == [image.name for image in pictures]


def test_an_interrupted_download_goes_on_where_it_stopped(client: Any, shelf: Shelf, tmp_path: Path) -> None:
    """What arrived before a failure is on disk, and is not fetched again."""
    shelf.script["2"] = [httpx.Response(404)]
    with pytest.raises(Exception, match="404"):
        client.download(made(4), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plain-7-00.png", "plain-7-01.png"]
    shelf.asked.clear()
    pictures = client.download(made(4), tmp_path)
    assert shelf.asked == ["2", "3"]
    assert [image.path.read_bytes() for image in pictures] == [picture(str(number)) for number in range(4)]
    shelf.asked.clear()
    again = client.download(made(4), tmp_path)
    assert not shelf.asked
    assert [image.sha256 for image in again] == [image.sha256 for image in pictures]
    assert len(list(tmp_path.iterdir())) == 4


def test_a_picture_that_was_cut_meanwhile_is_fetched_again(client: Any, shelf: Shelf, tmp_path: Path) -> None:
    """A damaged file in the folder is replaced by the whole picture, under the same name."""
    (tmp_path / "plain-7-00.png").write_bytes(picture("0")[:40])
    [image] = client.download(made(1), tmp_path)
    assert image.path.read_bytes() == picture("0")
    assert [path.name for path in tmp_path.iterdir()] == ["plain-7-00.png"]


def test_a_picture_that_arrives_cut_is_fetched_once_more(client: Any, shelf: Shelf, tmp_path: Path) -> None:
    """Half a picture is asked for again, from a fresh URL; twice half is an error, and nothing is written."""
    for cut in (picture("0")[:-3], picture("0")[:20], b""):
        shelf.script["0"] = [cut]
        assert client.download(made(1))[0].read() == picture("0")
    assert len(shelf.asked) == 6
    shelf.script["0"] = [picture("0")[:-3]] * 2
    with pytest.raises(MalformedResponse, match=r"picture 0 of plain:generation:7 is \d+ bytes, and cut off"):
        client.download(made(1), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_bomb_is_not_written(client: Any, shelf: Shelf, tmp_path: Path) -> None:
    """A picture that claims too many pixels is refused, asked for once, and leaves no file."""
    shelf.script["0"] = [huge(60_000, 60_000)]
    with pytest.raises(MalformedResponse, match="pixels"):
        client.download(made(1), tmp_path)
    assert shelf.asked == ["0"]
    assert list(tmp_path.iterdir()) == []


def test_a_nasty_id_does_not_leave_the_folder(client: Any, shelf: Shelf, tmp_path: Path) -> None:
    """A job whose id climbs has its pictures in the folder all the same."""
    folder = tmp_path / "in" / "here"
    [image] = client.download(made(1, id="../../outside"), folder)
    assert image.path.parent == folder
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [image.path]


def test_parts_are_named_by_their_own_number(client: Any, tmp_path: Path) -> None:
    """What another part of a job has made by now does not change a picture's name, so that it is not saved twice."""
    early = made(1, id="a,b", status=Status.RUNNING, parts=(made(0, id="a"), made(1, id="b")))
    late = made(3, id="a,b", parts=(made(2, id="a"), made(1, id="b")))
    [first] = client.download(early.model_copy(update={"status": Status.FAILED}), tmp_path)
    assert [image.name for image in client.download(late, tmp_path)] == ["plain-a-00.png", "plain-a-01.png", first.name]
    assert first.name == "plain-b-00.png"


def test_a_folder_that_is_none_costs_no_request(client: Any, shelf: Shelf, tmp_path: Path) -> None:
    """A folder that can't be used is found out before anything is fetched."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="name another"):
        client.download(made(1), tmp_path / "file")
    assert not shelf.asked


def test_two_downloads_into_one_folder_meet(client: Any, shelf: Shelf, tmp_path: Path) -> None:
    """A second writer that finishes first does no harm: the file is there once, and whole."""

    class Meanwhile(list[Any]):
        def pop(self, *_: object) -> bytes:
            save(tmp_path, "plain-7-00.png", picture("0"))
            return super().pop()  # type: ignore[no-any-return]

    shelf.script["0"] = Meanwhile([picture("0")])
    [image] = client.download(made(1), tmp_path)
    assert image.read() == picture("0")
    assert list(tmp_path.iterdir()) == [image.path]
