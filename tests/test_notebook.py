"""Values show themselves in notebooks, and nothing in them can do harm there."""

from __future__ import annotations

import base64
import io
import re
import sys
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from compare_samples import sample
from conftest import CHELSEA
from helpers import png
from hypothesis import given
from hypothesis import strategies as st

from unified_train import (
    Cost,
    Dataset,
    Failure,
    GeneratedImage,
    Image,
    Job,
    Status,
    TrainedModel,
    UploadedImage,
    notebook,
)

NASTY = """<script>alert(1)</script>"><img src=x onerror=alert(2)> & '"""
SECRET = "https://host.test/a.png?X-Amz-Signature=k-SECRET-k"
PARTS = {"div", "b", "code", "span", "table", "thead", "tbody", "tr", "td", "th", "progress", "p", "small", "br", "img"}
PARTS |= {"figure", "figcaption"}
ATTRIBUTES = {"style", "dir", "value", "max", "src", "alt"}


class Page(HTMLParser):
    """What a browser makes of a piece of HTML, as far as it matters here."""

    def __init__(self, html: object) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.sources: list[str] = []
        self.text = ""
        assert isinstance(html, str)
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in PARTS
        assert {name for name, _ in attrs} <= ATTRIBUTES
        self.sources += [value or "" for name, value in attrs if name == "src"]
        self.tags.append(tag)
        if tag not in {"img", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += f"{data} "


def pillow(monkeypatch: pytest.MonkeyPatch, *, there: bool) -> None:
    if not there:
        monkeypatch.delitem(sys.modules, "unified_train.dataset_pictures", raising=False)
        monkeypatch.setitem(sys.modules, "PIL", None)


def encoded(kind: str, size: tuple[int, int] = (20, 10), mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    PIL.Image.new(mode, size).save(file, kind)
    return file.getvalue()


def shown(source: str) -> PIL.Image.Image:
    return PIL.Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2])))


# -- jobs --------------------------------------------------------------------------------------------------------------


def test_a_job_shows_how_it_stands() -> None:
    """Its reference, its state in both words, how far it is and what is known of it."""
    job = Job(
        provider="plain",
        kind="training",
        id="1",
        status=Status.RUNNING,
        raw_status="TRAINING",
        phase="warming",
        progress=0.4,
        eta=600,
        name="chelsea",
        cost=Cost(amount=1.5, unit="CU", source="told"),
        notes=("seed was dropped",),
        created_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        key="order-1",
    )
    page = Page(job._repr_html_())
    for told in ("plain:training:1", "running", "TRAINING, warming", "40%, about 10 min left", "chelsea", "1.5 CU"):
        assert told in page.text
    for told in ("seed was dropped", "2026-01-02 03:04:05 UTC", "order-1"):
        assert told in page.text
    assert "progress" in page.tags
    assert "pictures" not in page.text


@pytest.mark.parametrize("status", list(Status))
def test_every_status_can_be_shown(status: Status) -> None:
    """A finished job has no bar any more, and a failed one says why and what to do."""
    error = Failure(message="no face found", hint="use other photos") if status is Status.FAILED else None
    job = Job(provider="plain", kind="generation", id="1", status=status, n=4, progress=0.5, error=error)
    page = Page(job._repr_html_())
    assert str(status) in page.text
    assert "0 of 4" in page.text
    assert ("progress" in page.tags) is not status.finished
    assert ("no face found use other photos" in page.text) is (error is not None)


def test_a_trained_model_is_shown() -> None:
    """What `generate` takes is named by its id; a generation of nobody knows how many pictures counts none."""
    model = TrainedModel(provider="plain", id="model-1", base_model="base-1")
    page = Page(Job(provider="plain", kind="training", id="1", status=Status.SUCCEEDED, model=model)._repr_html_())
    assert "model-1" in page.text
    images = (GeneratedImage(id="0"),)
    page = Page(Job(provider="plain", kind="generation", id="1", images=images)._repr_html_())
    assert "pictures 1" in " ".join(page.text.split())


@given(st.text(min_size=1))
def test_whatever_a_job_is_called_it_makes_no_html(text: str) -> None:
    """Of names, words and errors only text is shown, in every combination of characters."""
    texts = {"name": text, "raw_status": text, "phase": text, "base_model": text, "key": text, "notes": (text,)}
    html = Job(provider="plain", kind="training", id=text + NASTY, error=Failure(message=text), **texts)._repr_html_()
    Page(html)
    assert html.isprintable()


def test_nothing_secret_is_shown() -> None:
    """Signatures are hidden; the vendor's raw record and the user's labels are not shown at all."""
    job = Job(
        provider="plain",
        kind="training",
        id="1",
        status=Status.FAILED,
        notes=(SECRET,),
        error=Failure(message=SECRET),
        raw={"token": "k-SECRET-k"},
        labels={"note": "k-SECRET-k"},
    )
    images = [Image.of(SECRET), UploadedImage(provider="plain", id=SECRET, name=SECRET)]
    for value in (job, Dataset.of(images), Image.of(SECRET), GeneratedImage(id="0", metadata={"url": SECRET})):
        assert "k-SECRET-k" not in str(value._repr_html_())


def test_long_texts_are_cut() -> None:
    """A prompt of a megabyte does not fill the notebook."""
    html = Job(provider="plain", kind="training", id="1", notes=("word " * 200_000,))._repr_html_()
    assert len(html) < 2000
    assert "…" in html


def test_a_generated_image_shows_its_facts() -> None:
    """It has no bytes of its own, and says how to get them."""
    image = GeneratedImage(id=NASTY, media_type="image/png", width=512, height=256, seed=0, safety="flagged")
    page = Page(image._repr_html_())
    for told in (NASTY, "image/png", "512 × 256", "flagged", "client.download(job)"):
        assert told in page.text
    assert "seed 0" in " ".join(page.text.split())
    assert "pixels" not in Page(GeneratedImage(id="0")._repr_html_()).text


# -- images ------------------------------------------------------------------------------------------------------------


def test_png_and_jpeg_show_themselves() -> None:
    """As the bytes that they are, and so not as HTML too."""
    for name, own, other in (
        ("chelsea_03.png", "_repr_png_", "_repr_jpeg_"),
        ("chelsea_01.jpg", "_repr_jpeg_", "_repr_png_"),
    ):
        image = Image.of(CHELSEA / name)
        assert getattr(image, own)() == image.read()
        assert getattr(image, other)() is None
        assert image._repr_html_() is None


@pytest.mark.parametrize("kind", ["WEBP", "GIF"])
def test_other_kinds_are_put_into_html(kind: str) -> None:
    """The bytes as they are, in a data URL, with the name escaped."""
    data = encoded(kind)
    image = Image.of(data, name=NASTY)
    page = Page(image._repr_html_())
    assert page.sources == [f"data:image/{kind.lower()};base64,{base64.b64encode(data).decode()}"]
    assert NASTY in page.text
    assert image._repr_png_() is None


@pytest.mark.parametrize("there", [True, False])
def test_what_is_too_large_or_unknown_to_browsers_is_reduced(there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small JPEG stands for it if there is Pillow, and its facts in any case."""
    images = Image.of(png(3000, 2000, padding=2000), name="big"), Image.of(encoded("TIFF"), name="scan")
    pillow(monkeypatch, there=there)
    monkeypatch.setattr(notebook, "LARGEST_PICTURE", 1000)
    for image in images:
        assert image._repr_png_() is None
        page = Page(image._repr_html_())
        assert f"{image.name}: {image.media_type}, {image.size:,} bytes" in page.text
        assert [max(shown(source).size) <= 2048 for source in page.sources] == [True] * there


def test_what_is_not_here_is_said_to_be(tmp_path: Path) -> None:
    """A URL is not fetched, and a file that is missing or no image is a sentence, not an error."""
    (tmp_path / "text.png").write_text("text")
    page = Page(Image.of(SECRET)._repr_html_())
    assert "https://host.test/a.png?X-Amz-Signature=***" in page.text
    assert not page.sources
    for path, told in ((tmp_path / "none.png", "can't be read"), (tmp_path / "text.png", "not an image")):
        image = Image.of(path)
        assert told in Page(image._repr_html_()).text
        assert image._repr_png_() is None
        assert image._repr_jpeg_() is None


# -- datasets ----------------------------------------------------------------------------------------------------------


def test_a_dataset_shows_its_photographs(photos: Dataset) -> None:
    """Ten thumbnails, without camera data, each with its caption."""
    page = Page(photos._repr_html_())
    assert len(page.sources) == 10
    assert all(min(shown(source).size) <= 160 and not shown(source).getexif() for source in page.sources)
    for told in ("10 images", "trigger ohwx", "cat", "chelsea_01.jpg", photos.images[0].caption):
        assert str(told) in page.text


def test_without_pillow_small_files_stand_for_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """And of large ones, and of kinds that browsers don't show, only the names."""
    small, large, unknown = png(), png(padding=notebook.LARGEST_THUMBNAIL), encoded("TIFF")
    pillow(monkeypatch, there=False)
    page = Page(Dataset.of([small, large, unknown])._repr_html_())
    assert [base64.b64decode(source.partition(",")[2]) for source in page.sources] == [small]
    assert page.text.count("image ") >= 3


def test_what_can_t_be_decoded_is_a_name(tmp_path: Path) -> None:
    """A damaged file, a missing one, a URL and an uploaded image each have their place all the same."""
    (tmp_path / "text.png").write_text("text")
    (tmp_path / "half.png").write_bytes(png(500, 500)[:60])
    images: list[Any] = [tmp_path / "text.png", tmp_path / "none.png", SECRET]
    uploaded = UploadedImage(provider="plain", id="1", name=NASTY, caption=NASTY)
    page = Page(Dataset.of([*images, uploaded])._repr_html_())
    assert not page.sources
    for told in ("text.png", "none.png", "a.png (a URL)", f"{NASTY} (at plain)"):
        assert told in page.text
    assert page.tags.count("figure") == 4
    Page(Dataset.of([tmp_path / "half.png"])._repr_html_())


def test_a_very_long_picture_becomes_a_small_one() -> None:
    """One that is hardly high, and longer than a JPEG can be, is reduced to what can be shown."""
    page = Page(Dataset.of([png(70_000, 2)])._repr_html_())
    assert [max(shown(source).size) <= 320 for source in page.sources] == [True]


def test_of_many_images_the_first_are_shown() -> None:
    """The rest is counted."""
    page = Page(Dataset.of([png()] * (notebook.MOST_THUMBNAILS + 3))._repr_html_())
    assert len(page.sources) == notebook.MOST_THUMBNAILS
    assert "and 3 more" in page.text


# -- comparisons -------------------------------------------------------------------------------------------------------


def test_a_comparison_is_a_table() -> None:
    """A row for each vendor, with the same figures as `table`, and titles escaped."""
    shows = sample().comparison.model_copy(update={"title": NASTY})
    page = Page(shows._repr_html_())
    assert page.tags.count("tr") == 1 + len(shows.entrants)
    assert NASTY in page.text
    for word in re.split(r"\s{2,}", shows.table().splitlines()[2]):
        assert word in page.text
