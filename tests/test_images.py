"""Images are known by their bytes, streamed, and never changed."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from helpers import png
from hypothesis import given
from hypothesis import strategies as st

from unified_train import Base64, BytesBody, DatasetError, Image, JsonBody
from unified_train.http import CHUNK
from unified_train.image_header import read_header

FORMATS = [
    ("PNG", "image/png"),
    ("JPEG", "image/jpeg"),
    ("WEBP", "image/webp"),
    ("GIF", "image/gif"),
    ("BMP", "image/bmp"),
]


def encoded(kind: str, size: tuple[int, int], **options: Any) -> bytes:
    file = io.BytesIO()
    PIL.Image.new("RGB", size, "teal").save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize(("kind", "media_type"), FORMATS)
@given(width=st.integers(1, 300), height=st.integers(1, 300))
def test_kind_and_size_are_those_that_pillow_sees(kind: str, media_type: str, width: int, height: int) -> None:
    """The header reader agrees with Pillow for every kind whose size it reads."""
    found = read_header(io.BytesIO(encoded(kind, (width, height))))
    assert found is not None
    assert (found.media_type, found.width, found.height) == (media_type, width, height)


@pytest.mark.parametrize("options", [{"lossless": True}, {"exif": b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x00"}])
def test_all_forms_of_webp_are_read(options: dict[str, Any]) -> None:
    """Lossless and extended WebP have other headers, and the same size."""
    found = read_header(io.BytesIO(encoded("WEBP", (123, 45), **options)))
    assert found is not None
    assert (found.width, found.height) == (123, 45)


def test_a_jpeg_with_long_metadata_and_padding_is_read() -> None:
    """The frame header is found behind segments of any length, and behind padded markers."""
    data = encoded("JPEG", (321, 123), progressive=True, comment=b"x" * 60_000)
    padded = data[:2] + b"\xff\x01" + b"\xff" * 3 + data[2:]
    for jpeg in (data, padded):
        found = read_header(io.BytesIO(jpeg))
        assert found is not None
        assert (found.width, found.height) == (321, 123)


@pytest.mark.parametrize(
    ("start", "media_type"),
    [
        (b"II*\x00" + b"\x00" * 28, "image/tiff"),
        (b"MM\x00*" + b"\x00" * 28, "image/tiff"),
        (b"\x00\x00\x00\x20ftypavif" + b"\x00" * 20, "image/avif"),
        (b"\x00\x00\x00\x20ftypheic" + b"\x00" * 20, "image/heic"),
    ],
)
def test_kinds_without_size_are_recognised(start: bytes, media_type: str) -> None:
    """TIFF, AVIF and HEIC are told apart; their size is not read."""
    found = read_header(io.BytesIO(start))
    assert found is not None
    assert (found.media_type, found.width) == (media_type, None)


@given(st.binary(max_size=200))
def test_any_bytes_are_an_image_or_not(data: bytes) -> None:
    """No bytes make the reader fail."""
    read_header(io.BytesIO(data))


@pytest.mark.parametrize(("kind", "_"), FORMATS)
def test_a_header_that_is_cut_off_is_no_image(kind: str, _: str) -> None:
    """An image that ends inside its header is none, wherever it ends."""
    data = encoded(kind, (64, 64))
    for length in range(1, 20):
        found = read_header(io.BytesIO(data[:length]))
        assert found is None or found.width in (None, 64)


def test_a_movie_is_no_image() -> None:
    """A file of the same container family as HEIC is not taken for one."""
    assert read_header(io.BytesIO(b"\x00\x00\x00\x20ftypisom" + b"\x00" * 20)) is None


class TestSources:
    """One `Image.of` takes them all."""

    def test_path(self, tmp_path: Path) -> None:
        """A path is opened when it is needed, and the name is its last part."""
        path = tmp_path / "photo.jpg"
        path.write_bytes(png())
        for source in (path, str(path)):
            image = Image.of(source)
            assert (image.name, image.media_type, image.extension) == ("photo.jpg", "image/png", "png")
            assert image.body().read() == image.read() == path.read_bytes()

    def test_bytes_file_and_pillow(self) -> None:
        """Bytes, a binary file and a Pillow image give the same picture."""
        picture = PIL.Image.new("RGB", (5, 7), "red")
        written = io.BytesIO()
        picture.save(written, "PNG")
        data = written.getvalue()
        for source in (data, bytearray(data), io.BytesIO(data), picture):
            image = Image.of(source, name="p")
            assert (image.width, image.height, image.size) == (5, 7, len(data))
            assert image.sha256 == Image.of(data).sha256

    def test_url(self) -> None:
        """A URL is not fetched; its signature does not show."""
        image = Image.of("https://host.test/a/cat.png?X-Amz-Signature=s3cr3t")
        assert image.remote
        assert image.name == "cat.png"
        assert "s3cr3t" not in repr(image)
        with pytest.raises(DatasetError, match="only a URL"):
            _ = image.media_type
        assert Image.of("http://host.test").name == "image"

    def test_image(self) -> None:
        """An image can be given another caption without touching the first."""
        first = Image.of(png(), caption="one")
        second = first.with_caption("two")
        assert (first.caption, second.caption, second.sha256) == ("one", "two", first.sha256)
        assert Image.of(first).caption == "one"

    @pytest.mark.parametrize("source", [7, None, io.StringIO("text"), object()])
    def test_other_things(self, source: object) -> None:
        """What is no image is refused with what would be one."""
        with pytest.raises(DatasetError):
            Image.of(source)


class TestBadFiles:
    """A file that is no image is told by name and rule."""

    def test_missing(self, tmp_path: Path) -> None:
        """A missing file is named."""
        with pytest.raises(DatasetError, match=r"nowhere\.png: can't be read"):
            _ = Image.of(tmp_path / "nowhere.png").media_type

    def test_text_named_jpg(self, tmp_path: Path) -> None:
        """A text file named `.jpg` is found out by its bytes."""
        path = tmp_path / "fake.jpg"
        path.write_text("this is no picture")
        with pytest.raises(DatasetError, match=r"fake\.jpg: not an image"):
            _ = Image.of(path).media_type

    def test_a_file_that_goes_away(self, tmp_path: Path) -> None:
        """A file that was there when it was checked and is gone when it is sent is named."""
        path = tmp_path / "gone.png"
        path.write_bytes(png())
        image = Image.of(path)
        body = image.body()
        path.unlink()
        with pytest.raises(DatasetError, match=r"gone\.png: can't be read"):
            body.read()
        with pytest.raises(DatasetError, match=r"gone\.png: can't be read"):
            image.body()

    def test_empty(self, tmp_path: Path) -> None:
        """A file of 0 bytes is called empty."""
        path = tmp_path / "empty.png"
        path.touch()
        with pytest.raises(DatasetError, match=r"empty\.png: the file is empty"):
            _ = Image.of(path).media_type


def test_saving_leaves_no_half_file(tmp_path: Path) -> None:
    """A picture is written under another name and moved when it is whole."""
    saved = Image.of(png(), name="p").save(tmp_path / "deep" / "p.png")
    assert saved.read_bytes() == png()
    assert list(saved.parent.iterdir()) == [saved]
    assert "p.png" in repr(Image.of(saved))


class TestBodies:
    """Bodies know their size before they are read, and can be read again."""

    @given(data=st.binary(max_size=2000), data_url=st.booleans(), text=st.text(max_size=50))
    def test_base64_inside_json_is_what_the_standard_library_makes(
        self, data: bytes, data_url: bool, text: str
    ) -> None:
        """Streaming an image into JSON gives the same text as encoding it whole."""
        body = JsonBody(
            {"text": text, "image": Base64(BytesBody(data, "image/png"), data_url=data_url), "n": [1, None]}
        )
        prefix = "data:image/png;base64," if data_url else ""
        expected = {"text": text, "image": prefix + base64.b64encode(data).decode(), "n": [1, None]}
        assert json.loads(body.read()) == expected
        assert body.size == len(body.read())

    def test_large_bodies_come_in_pieces(self, tmp_path: Path) -> None:
        """A file is never read whole, also inside JSON."""
        path = tmp_path / "big.png"
        path.write_bytes(png(padding=10 * CHUNK))
        body = JsonBody([Base64(Image.of(path).body()), Base64(Image.of(path).body())])
        assert max(len(chunk) for chunk in body.chunks()) <= CHUNK * 4 // 3 + 4
        assert base64.b64decode(json.loads(body.read())[1]) == path.read_bytes()
        assert max(len(chunk) for chunk in Image.of(path.read_bytes()).body().chunks()) <= CHUNK

    def test_json_is_compact_utf8(self) -> None:
        """Text goes as it is, without spaces between."""
        assert JsonBody({"name": "橘猫", "n": 1}).read() == '{"name":"橘猫","n":1}'.encode()

    def test_what_is_no_json_is_refused(self) -> None:
        """An object without a JSON form is a mistake in the provider."""
        with pytest.raises(TypeError, match="object is not JSON"):
            JsonBody({"a": object()})
