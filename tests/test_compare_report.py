"""A report is one file that needs no other, written whole or not at all, and rebuilt from its manifest."""

from __future__ import annotations

import base64
import builtins
import errno
import hashlib
import io
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from compare_samples import HOSTILE, LONG, START, Sample, at, drawn, job, photographs, sample

from unified_train import ConfigurationError, DatasetError, Image, Status
from unified_train.compare import (
    Comparison,
    Entrant,
    Picture,
    check_folder,
    page,
    read_manifest,
    rebuild,
    renditions,
    write_report,
)
from unified_train.compare import folder as folders

VOID = {"meta", "link", "img", "input", "br"}


class Page(HTMLParser):
    """All that a browser would make of the page: elements with their attributes, and texts by element."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self.open[-1] if self.open else "", []).append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def data(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.texts["script"][1])
        return content


@pytest.fixture
def made() -> Sample:
    return sample()


def written(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_folder_holds_page_manifest_pictures_and_thumbnails(made: Sample, tmp_path: Path) -> None:
    """Originals are there unchanged, training images only as small renditions, and nothing is left over."""
    path = made.write(tmp_path / "report")
    assert path == tmp_path / "report" / "report.html"
    found = written(tmp_path / "report")
    training = made.comparison.training
    assert training
    assert set(found) == {
        "report.html",
        "manifest.json",
        *(picture.file for picture in made.comparison.pictures),
        *(f"training/{photo.sha256}.webp" for photo in training.photos),
    }
    for picture in made.comparison.pictures:
        assert hashlib.sha256(found[picture.file]).hexdigest() == picture.sha256


def test_the_manifest_gives_the_comparison_back(made: Sample, tmp_path: Path) -> None:
    """It can be read from the file or the folder, and holds hashes of inputs, requests and outputs."""
    made.write(tmp_path)
    assert read_manifest(tmp_path / "manifest.json") == made.comparison == read_manifest(tmp_path)
    content = json.loads((tmp_path / "manifest.json").read_text())
    assert content["id"] == made.comparison.id
    assert content["hashes"]["training_images"] == [image.sha256 for image in made.images[-2:]]
    assert len({item["sha256"] for item in content["hashes"]["requests"]}) == 4
    for name, sha256 in content["hashes"]["files"].items():
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == sha256


def test_rebuilding_gives_the_same_page_byte_for_byte(made: Sample, tmp_path: Path) -> None:
    """Page and manifest follow from the folder alone; writing twice changes nothing either."""
    made.write(tmp_path)
    before = written(tmp_path)
    (tmp_path / "report.html").unlink()
    assert rebuild(tmp_path) == tmp_path / "report.html"
    assert written(tmp_path) == before
    made.write(tmp_path)
    assert written(tmp_path) == before


def test_the_page_refers_to_nothing_outside_its_folder(made: Sample, tmp_path: Path) -> None:
    """Every address is embedded, a part of the page, or a file of the report; the policy forbids the rest."""
    parsed = Page(made.write(tmp_path))
    addresses = [
        value for _, attributes in parsed.elements for name, value in attributes.items() if name in {"src", "href"}
    ]
    outside = [value for value in addresses if value and not value.startswith(("data:image/", "#"))]
    assert outside == ["manifest.json"]
    assert not re.search(r"url\((?!#)", page._asset("report.css"))
    policy = parsed.of("meta")[1]["content"]
    assert policy
    assert policy.startswith("default-src 'none'; img-src data:; ")
    assert "unsafe" not in policy
    assert not [attributes for _, attributes in parsed.elements if "style" in attributes]
    assert not [name for _, attributes in parsed.elements for name in attributes if name.startswith("on")]


def test_the_policy_names_the_hashes_of_style_and_script(made: Sample, tmp_path: Path) -> None:
    """What is between the tags is what the policy admits, to the byte."""
    parsed = Page(made.write(tmp_path))
    policy = parsed.of("meta")[1]["content"]
    assert policy
    (style,) = parsed.texts["style"]
    scripts = re.findall(r"<script>(.*?)</script>", parsed.source, re.DOTALL)
    assert len(scripts) == 2
    for text in (style, *scripts):
        assert base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() in policy
    for name in ("report.css", "early.js", "report.js"):
        assert "</" not in page._asset(name)


@pytest.mark.parametrize(
    "prompt", [HOSTILE, LONG, "{subject}", "x" * 5000, "\u0000\u0007 a\nb", "]]><!--", "مرحبا {subject}"]
)
def test_a_prompt_is_text_whatever_is_in_it(prompt: str, tmp_path: Path) -> None:
    """No prompt adds an element or an attribute to the page, and all of it arrives."""
    plain = Page(sample(("plain", "plain")).write(tmp_path / "plain"))
    parsed = Page(sample(("plain", prompt)).write(tmp_path / "hostile"))
    added = {"span", "details", "summary", "p"}  # the subject's mark, and the long prompt that unfolds

    def skeleton(found: Page) -> list[tuple[str, list[str]]]:
        return [(tag, sorted(attributes)) for tag, attributes in found.elements if tag not in added]

    assert skeleton(parsed) == skeleton(plain)
    assert parsed.data["prompts"][1] == prompt
    assert parsed.source.count("<script") == 3
    shown = "".join(text for tag in ("p", "span") for text in parsed.texts[tag])
    assert prompt.replace("{subject}", "").replace("\u0000", "")[:40].split("\n")[0][:5].strip() in shown


def test_titles_failures_and_metadata_are_text_too(made: Sample, tmp_path: Path) -> None:
    """Vendors and users can put no markup into the page either."""
    source = made.write(tmp_path).read_text(encoding="utf-8")
    for markup in ("<at>", "<b>Bilder", "<i>refused"):
        assert markup not in source
    assert "&lt;i&gt;refused&lt;/i&gt;" in source
    assert "North &amp; Co" in source


def test_half_a_character_is_no_reason_for_no_report(made: Sample, tmp_path: Path) -> None:
    """Vendors cut texts by UTF-16 units, and file names need not be Unicode: page and manifest are written and read."""
    half = "cut off \ud83d"
    first, *others = made.comparison.pictures
    entrant, *rest = made.comparison.entrants
    comparison = made.comparison.model_copy(
        update={
            "prompts": (half, "b"),
            "pictures": (first.model_copy(update={"metadata": {"prompt": half}}), *others),
            "entrants": (entrant.model_copy(update={"title": half}), *rest),
        }
    )
    path = Sample(comparison, made.images).write(tmp_path)
    assert read_manifest(tmp_path) == comparison
    assert "cut off ?" in path.read_text(encoding="utf-8")
    rebuild(tmp_path)


def test_the_page_shows_every_cell_and_every_figure(made: Sample, tmp_path: Path) -> None:
    """Pictures have alternative texts, failures their sentence, vendors their times, costs, flags and statuses."""
    parsed = Page(made.write(tmp_path))
    shots = [attributes for attributes in parsed.of("button") if "data-shot" in attributes]
    assert [attributes["data-shot"] for attributes in shots] == [str(number) for number in range(11)]
    assert all(attributes["alt"] for attributes in parsed.of("img") if "width" in attributes)
    text = " ".join(" ".join(found) for found in parsed.texts.values())
    for expected in (
        "1 min 30 s",
        "252 credits",
        "unknown",
        "flagged",
        "PONDERING",
        "trained before",
        "captions are not sent",
        "The training failed; see https://example.org/x?token=***",
        "view 1",
        "vendor’s default",
        "800",
        '{"scheduler": "cosine"}',
        "20 November 2026, 09:00 UTC",
        "4 vendors",
        "1 failure",
    ):
        assert expected in text, expected
    facts = dict(parsed.data["pictures"][1]["facts"])
    assert facts["Seed"] == "7"
    assert facts["Cost"] == "unknown"
    assert facts["Safety check"] == "not checked, as far as known"
    assert parsed.data["pictures"][0]["metadata"].count("***") == 1


def test_every_control_and_picture_has_a_name(made: Sample, tmp_path: Path) -> None:
    """Identifiers are unique, labels point somewhere, and fields are labelled."""
    parsed = Page(made.write(tmp_path))
    ids = [attributes["id"] for _, attributes in parsed.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in parsed.elements:
        for name in ("aria-labelledby", "aria-describedby", "for"):
            assert attributes.get(name) is None or attributes[name] in ids
    assert all("alt" in attributes for attributes in parsed.of("img"))
    assert parsed.of("html")[0]["lang"] == "en"


def test_a_comparison_of_models_that_existed_before_has_no_training(tmp_path: Path) -> None:
    """Without trainings, with one vendor and one picture, there is still a page, and nothing to vote on."""
    image = Image.of(drawn("one", "#2f6f8f"))
    comparison = Comparison(
        title="One",
        created_at=START,
        prompts=("a cat",),
        seeds=(1,),
        entrants=(Entrant(provider="one", title="One"),),
        pictures=(Picture.of(image, entrant="one", prompt=0, seed=1),),
    )
    parsed = Page(write_report(comparison, tmp_path, images=[image]))
    assert "slider" not in [attributes.get("id") for attributes in parsed.of("section")]
    assert "Nothing was trained" in parsed.source
    assert not (tmp_path / "training").exists()
    assert read_manifest(tmp_path) == comparison


def test_a_comparison_without_any_picture_has_a_page(tmp_path: Path) -> None:
    """Where everybody failed, the page says so."""
    comparison = sample().comparison.model_copy(update={"pictures": (), "failures": ()})
    parsed = Page(write_report(comparison, tmp_path))
    assert parsed.source.count("no picture") == 16
    assert "not at hand" in parsed.source


def test_the_time_axis_has_few_round_marks() -> None:
    """From a second to a week there are two to seven marks, the first at the beginning."""
    for seconds in (1, 7, 59, 690, 4000, 90_000, 700_000):
        marks = page._ticks(seconds)
        assert 2 <= len(marks) <= 7, seconds
        assert marks[0] == page.Mark("0.000%", "0 s")
        assert float(marks[-1].left.rstrip("%")) <= 100


def test_a_running_training_has_a_bar_that_ends_when_we_last_looked(tmp_path: Path) -> None:
    """A training without times has none."""
    running = job("one", [(0, Status.QUEUED, "q"), (10, Status.RUNNING, "r")], updated_at=at(20), phase="deploying")
    comparison = Comparison(
        title="Running",
        created_at=START,
        prompts=("a cat",),
        seeds=(1,),
        entrants=(
            Entrant(provider="one", title="One", training=running),
            Entrant(provider="two", title="Two", training=job("two", [])),
        ),
    )
    parsed = Page(write_report(comparison, tmp_path))
    bars = [item for item in parsed.of("rect") if (item.get("class") or "").startswith("bar-")]
    assert [(item["x"], item["width"]) for item in bars] == [("0.000%", "50.000%"), ("50.000%", "50.000%")]
    assert "nothing was trained" in parsed.source


# --- whose folder it is


def test_a_folder_of_something_else_is_refused_and_left_alone(made: Sample, tmp_path: Path) -> None:
    """A folder that is not empty and holds no manifest is not ours, and neither is a file."""
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ConfigurationError, match=r"not empty and holds no report \(thesis.txt is in it\)"):
        made.write(tmp_path)
    assert written(tmp_path) == {"thesis.txt": b"years of work"}
    with pytest.raises(ConfigurationError, match="is a file"):
        made.write(tmp_path / "thesis.txt")
    with pytest.raises(ConfigurationError, match="not empty"):
        check_folder(tmp_path)


def test_a_report_of_another_comparison_is_not_overwritten(made: Sample, tmp_path: Path) -> None:
    """Its pictures were paid for."""
    sample(("other",)).write(tmp_path)
    before = written(tmp_path)
    with pytest.raises(ConfigurationError, match=r"holds another comparison.*choose another folder"):
        made.write(tmp_path)
    assert written(tmp_path) == before
    assert check_folder(tmp_path) == tmp_path


def test_pictures_may_lie_in_the_folder_already(made: Sample, tmp_path: Path) -> None:
    """Who downloads into the folder while the comparison runs needs no manifest before its end, nor images."""
    for picture, image in zip(made.comparison.pictures, made.images, strict=False):
        image.save(tmp_path / picture.file)
    (tmp_path / ".report.html.part").write_text("left behind by a writer that was killed")
    assert check_folder(tmp_path, made.comparison) == tmp_path
    write_report(made.comparison, tmp_path)
    assert not (tmp_path / ".report.html.part").exists()
    assert check_folder(tmp_path / "new") == tmp_path / "new"


def test_an_image_by_its_address_is_no_picture(made: Sample, tmp_path: Path) -> None:
    """Images of which only the URL is known are passed over, since nothing is fetched."""
    write_report(made.comparison, tmp_path, images=[Image.of("https://example.org/a.png"), *made.images])


# --- pictures that are not what they were


def test_a_missing_picture_is_named(made: Sample, tmp_path: Path) -> None:
    """Neither writing nor rebuilding goes on without it, and the old page stays."""
    with pytest.raises(DatasetError, match=r"01-north-7.png: is missing"):
        write_report(made.comparison, tmp_path / "new")
    made.write(tmp_path)
    before = (tmp_path / "report.html").read_bytes()
    (tmp_path / made.comparison.pictures[3].file).unlink()
    with pytest.raises(DatasetError, match=r"01-north-8.png: is missing"):
        rebuild(tmp_path)
    assert (tmp_path / "report.html").read_bytes() == before


def test_a_changed_picture_is_named_and_left_alone(made: Sample, tmp_path: Path) -> None:
    """A picture with other bytes is neither shown nor overwritten, even with the original at hand."""
    made.write(tmp_path)
    target = tmp_path / made.comparison.pictures[0].file
    target.write_bytes(drawn("other", "#000000"))
    for again in (partial(rebuild, tmp_path), partial(made.write, tmp_path)):
        with pytest.raises(DatasetError, match="was changed since"):
            again()
    assert target.read_bytes() == drawn("other", "#000000")


@pytest.mark.parametrize("change", [b"something else", None])
def test_a_changed_rendition_of_a_training_image_is_named(made: Sample, tmp_path: Path, change: bytes | None) -> None:
    """The page shows no photograph that was put there since, and does not quietly lose one."""
    made.write(tmp_path)
    target = next((tmp_path / "training").iterdir())
    if change is None:
        target.unlink()
    else:
        target.write_bytes(change)
    with pytest.raises(DatasetError, match="is missing or was changed since"):
        rebuild(tmp_path)


def test_a_picture_that_is_none_is_named(tmp_path: Path) -> None:
    """A file with an image's header and nothing behind it can't be shown."""
    image = Image.of(drawn("cut", "#2f6f8f", (400, 400))[:300])
    comparison = Comparison(
        title="Cut",
        created_at=START,
        prompts=("a cat",),
        seeds=(1,),
        entrants=(Entrant(provider="one", title="One"),),
        pictures=(Picture.of(image, entrant="one", prompt=0, seed=1),),
    )
    with pytest.raises(DatasetError, match=r"01-one-1.png: not an image that can be shown"):
        write_report(comparison, tmp_path, images=[image])
    assert not (tmp_path / "report.html").exists()


def test_a_training_image_that_cannot_be_shown_is_named_only(made: Sample, tmp_path: Path) -> None:
    """It is no reason for having no report."""
    broken = Image.of(drawn("cut", "#2f6f8f", (400, 400))[:300], name="cut.png")
    training = made.comparison.training
    assert training
    photos = (*training.photos, training.photos[0].model_copy(update={"name": "cut.png", "sha256": broken.sha256}))
    comparison = made.comparison.model_copy(update={"training": training.model_copy(update={"photos": photos})})
    source = write_report(comparison, tmp_path, images=[*made.images, broken]).read_text()
    assert source.count("not at hand") == 1
    assert len(list((tmp_path / "training").iterdir())) == 2


# --- manifests that are none


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "nor any JSON"),
        ("[" * 100_000, "nor any JSON"),
        ("[]", "not a manifest"),
        ('{"format": "something else"}', "not a manifest"),
        ('{"format": "unified-train comparison", "version": 2}', "version 2, but this library reads version 1"),
        ('{"format": "unified-train comparison", "version": 1}', "not a manifest of a comparison"),
        ('{"format": "unified-train comparison", "version": 1, "comparison": {"title": "x"}}', "created_at"),
    ],
)
def test_a_manifest_that_is_none_is_refused(tmp_path: Path, content: str, sentence: str) -> None:
    """Each is told from the others, and a folder with such a file is not written to."""
    (tmp_path / "manifest.json").write_text(content)
    actions: list[Callable[[], object]] = [
        partial(read_manifest, tmp_path),
        partial(rebuild, tmp_path),
        partial(sample().write, tmp_path),
    ]
    for again in actions:
        with pytest.raises(ConfigurationError, match=sentence):
            again()
    assert written(tmp_path) == {"manifest.json": content.encode()}


def test_a_manifest_that_was_changed_by_hand_is_refused(made: Sample, tmp_path: Path) -> None:
    """Its id no longer fits what it asks for."""
    made.write(tmp_path)
    path = tmp_path / "manifest.json"
    content = json.loads(path.read_text())
    content["comparison"]["seeds"] = [7, 8, 9]
    path.write_text(json.dumps(content))
    with pytest.raises(ConfigurationError, match="was changed by hand"):
        read_manifest(path)


def test_a_manifest_that_is_missing_or_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither is read."""
    with pytest.raises(ConfigurationError, match="No such file"):
        rebuild(tmp_path)
    (tmp_path / "manifest.json").write_text("{} ")
    monkeypatch.setattr(folders, "LARGEST", 2)
    with pytest.raises(ConfigurationError, match="too large"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("hashes", [None, [], {"files": []}])
def test_a_manifest_without_hashes_checks_no_renditions(made: Sample, tmp_path: Path, hashes: Any) -> None:
    """Pictures are checked all the same, by the comparison itself."""
    made.write(tmp_path)
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "hashes": hashes}))
    rebuild(tmp_path)
    assert json.loads(path.read_text())["hashes"]["files"]


# --- a disk that is full


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """Writing more than that to one file fails half way, as on a disk that is full."""
    resource = pytest.importorskip("resource", reason="limits of file sizes are a thing of Unix")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_no_half_report_is_left_when_the_disk_is_full(made: Sample, tmp_path: Path) -> None:
    """The manifest fits and the page doesn't: neither has its name then, no part is left, and later it works."""
    with no_file_larger_than(40_000), pytest.raises(ConfigurationError, match=r"can't be written .*make room"):
        made.write(tmp_path)
    assert {name.split("/")[0] for name in written(tmp_path)} == {"pictures", "training"}
    assert made.write(tmp_path).stat().st_size > 40_000


def test_the_old_report_stays_when_there_is_no_room_for_the_new(made: Sample, tmp_path: Path) -> None:
    """What could be read before can be read after."""
    made.write(tmp_path)
    before = written(tmp_path)
    changed = Sample(made.comparison.model_copy(update={"title": "New"}), made.images)
    with no_file_larger_than(40_000), pytest.raises(ConfigurationError, match="can't be written"):
        changed.write(tmp_path)
    assert written(tmp_path) == before


def test_a_picture_is_whole_or_not_there(made: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full while a picture is copied leaves no part of it, and the message names the reason."""

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigurationError, match="No space left on device"):
        made.write(tmp_path)
    assert written(tmp_path) == {}


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may read everything")
def test_a_picture_that_may_not_be_read_is_named(made: Sample, tmp_path: Path) -> None:
    """The reason is told."""
    made.write(tmp_path)
    (tmp_path / made.comparison.pictures[0].file).chmod(0)
    with pytest.raises(ConfigurationError, match="Permission denied"):
        rebuild(tmp_path)


def test_a_folder_in_the_place_of_a_picture_is_named(made: Sample, tmp_path: Path) -> None:
    """It can't be read as a picture."""
    (tmp_path / made.comparison.pictures[0].file).mkdir(parents=True)
    with pytest.raises(ConfigurationError, match="can't be read"):
        made.write(tmp_path)


# --- renditions


def opened(uri: str) -> PIL.Image.Image:
    assert uri.startswith("data:image/webp;base64,")
    return PIL.Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


def one_rendition(data: bytes) -> renditions.Rendition:
    (found,) = renditions.render([lambda: data], ["a picture"])
    return found


def test_renditions_keep_the_shape_and_the_limits() -> None:
    """A large picture becomes 1,600 and 480 pixels long; a small one is not blown up."""
    found = one_rendition(drawn("x", "#2f6f8f", (2400, 1200), "JPEG"))
    assert opened(found.large).size == (1600, 800)
    assert opened(found.thumb).size == (found.width, found.height) == (480, 240)
    small = one_rendition(drawn("x", "#2f6f8f", (40, 60)))
    assert opened(small.large).size == opened(small.thumb).size == (40, 60)
    assert opened(one_rendition(drawn("x", "#2f6f8f", (3000, 1))).thumb).size == (480, 1)


def test_renditions_say_nothing_of_camera_and_place() -> None:
    """Orientation is applied, and no metadata but the colour profile is left."""
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "Camera of somebody"
    data = drawn("x", "#2f6f8f", (60, 30), "JPEG", exif=exif, icc_profile=b"not a real profile")
    picture = opened(one_rendition(data).large)
    assert picture.size == (30, 60)
    assert "exif" not in picture.info
    assert picture.info["icc_profile"] == b"not a real profile"
    assert b"Camera" not in base64.b64decode(one_rendition(data).large.partition(",")[2])


@pytest.mark.parametrize("mode", ["RGBA", "P", "L", "CMYK", "I;16", "1"])
def test_every_kind_of_picture_can_be_shown(mode: str) -> None:
    """Transparency is kept; palettes, grey and print colours become RGB."""
    file = io.BytesIO()
    PIL.Image.new(mode, (20, 10)).save(file, "TIFF")
    picture = opened(one_rendition(file.getvalue()).large)
    assert picture.size == (20, 10)
    assert picture.mode == ("RGBA" if mode == "RGBA" else "RGB")


def test_a_picture_with_too_many_pixels_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused by its header, before it is decoded."""
    data = drawn("x", "#2f6f8f", (20, 10))
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 150)
    assert one_rendition(data)
    monkeypatch.setattr(renditions, "MOST_PIXELS", 100)
    with pytest.raises(DatasetError, match="a picture: 20 × 10 pixels are too many"):
        one_rendition(data)
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 20)
    with pytest.raises(DatasetError, match="can't be decoded"):
        one_rendition(data)


@pytest.mark.long
def test_many_pictures_become_smaller_until_they_fit() -> None:
    """The budget chooses the size; even with none the smallest is made."""
    data = [drawn(str(number), "#2f6f8f", (1700, 1700), "JPEG") for number in range(2)]
    sources = [lambda item=item: item for item in data]

    def longest(budget: int) -> int:
        return max(opened(renditions.render(sources, ["a", "b"], budget=budget)[0].large).size)

    whole = sum(len(base64.b64decode(item.large.partition(",")[2])) for item in renditions.render(sources, ["a", "b"]))
    assert longest(10 * whole) == 1600
    assert 512 < longest(whole - whole // 10) < 1600
    assert longest(1) == 512


def test_of_many_pictures_a_few_are_tried_first() -> None:
    """Sizes that would not fit are given up after a handful of pictures, and the result is in its order."""
    small = [drawn(str(number), "#2f6f8f", (16, 16 + number)) for number in range(24)]
    asked: list[int] = []

    def source(number: int) -> bytes:
        asked.append(number)
        return small[number]

    names = [str(number) for number in range(24)]
    made = renditions.render([partial(source, number) for number in range(24)], names, budget=1)
    assert [item.height for item in made] == [16 + number for number in range(24)]
    assert len(asked) < 24 + 4 * 2
    asked.clear()
    assert len(renditions.render([partial(source, number) for number in range(24)], names)) == 24
    assert len(asked) == 24 + 6


@pytest.mark.parametrize(("name", "shown"), [("PIL", "Pillow"), ("jinja2", "Jinja2")])
def test_a_missing_extra_is_named(
    made: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, shown: str
) -> None:
    """Without its two packages the report says which to install, and writes nothing."""
    real = builtins.__import__

    def without(module: str, *args: Any, **more: Any) -> Any:
        if module.partition(".")[0] == name:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(module, *args, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigurationError, match=rf"needs {shown}.*unified-train\[compare\]"):
        made.write(tmp_path)
    assert written(tmp_path) == {}


# --- colours


def palette() -> dict[str, tuple[str, str]]:
    css = files("unified_train.compare").joinpath("assets", "report.css").read_text(encoding="utf-8")
    return {
        name: (light, dark) for name, light, dark in re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", css)
    }


def luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


TEXTS = [
    *((text, ground) for text in ("ink", "quiet", "mark") for ground in ("paper", "raised", "sunken")),
    *(
        (text, ground)
        for text in ("failed", "succeeded", "running", "queued", "unknown")
        for ground in ("paper", "raised")
    ),
    ("on-mark", "mark"),
    ("paper", "ink"),
    ("paper", "failed"),
]
GRAPHICS = [
    *((colour, ground) for colour in ("edge", "focus") for ground in ("paper", "raised")),
    *((colour, "paper") for colour in ("queued", "running", "succeeded", "failed", "canceled", "unknown")),
]


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("pairs", "least"), [(TEXTS, 4.5), (GRAPHICS, 3.0)], ids=["texts", "graphics"])
def test_colours_have_enough_contrast(pairs: list[tuple[str, str]], least: float, theme: int) -> None:
    """WCAG 2 AA: 4.5 for texts, 3 for controls and graphics, in both themes."""
    colours = palette()
    for one, other in pairs:
        assert contrast(colours[one][theme], colours[other][theme]) >= least, (one, other)


def test_there_are_photographs_in_the_sample() -> None:
    """The sample's photographs are the images that its training names."""
    training = sample().comparison.training
    assert training
    assert [photo.sha256 for photo in training.photos] == [image.sha256 for image in photographs()]
