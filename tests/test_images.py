"""Images are known by their bytes, streamed, and never changed."""

from __future__ import annotations

import base64
import errno
import io
import json
import os
import struct
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from helpers import png
from hypothesis import given
from hypothesis import strategies as st

from unified_train import Base64, BytesBody, DatasetError, Image, JsonBody
from unified_train.http import CHUNK
from unified_train.image_header import is_cut_off, is_whole, read_header

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


def moving(kind: str) -> bytes:
    """A picture of several frames, each with colours of its own."""
    frames = [PIL.Image.effect_noise((24, 24), 60 + number).convert("P") for number in range(3)]
    file = io.BytesIO()
    frames[0].save(file, kind, save_all=True, append_images=frames[1:], comment=b"a, b; c")
    return file.getvalue()


def boxes(*parts: tuple[bytes, bytes]) -> bytes:
    """A file of the AVIF and HEIC family."""
    return b"".join(struct.pack(">I", 8 + len(body)) + kind + body for kind, body in parts)


FTYP = (b"ftyp", b"avif\x00\x00\x00\x00avifmif1miaf")
META = (b"meta", b"\x00" * 30)
WHOLE = {
    "png": encoded("PNG", (9, 7)),
    "png with more": png(padding=30),
    "jpeg": encoded("JPEG", (9, 7)),
    "jpeg in scans": encoded("JPEG", (40, 30), progressive=True),
    "jpeg with an end in its comment": encoded("JPEG", (9, 7), comment=b"\xff\xd9" * 5),
    "jpeg with restarts": encoded("JPEG", (64, 64), restart_marker_blocks=1),
    "webp": encoded("WEBP", (9, 7)),
    "webp without loss": encoded("WEBP", (9, 7), lossless=True),
    "gif": encoded("GIF", (9, 7)),
    "gif that moves": moving("GIF"),
    "png that moves": moving("PNG"),
    "webp that moves": moving("WEBP"),
    "bmp": encoded("BMP", (9, 7)),
    "avif": boxes(FTYP, META, (b"mdat", b"\x00" * 20)),
    "avif of large boxes": boxes(FTYP, META) + struct.pack(">I4sQ", 1, b"mdat", 24) + b"\x00" * 8,
}


class TestWholeness:
    """A picture that was cut off is told from a whole one by its container."""

    @pytest.mark.parametrize("data", WHOLE.values(), ids=WHOLE)
    def test_only_all_of_it_is_whole(self, data: bytes) -> None:
        """A picture is whole, and none of its beginnings is."""
        assert is_whole(data)
        assert not is_cut_off(data)
        assert not [length for length in range(len(data)) if is_whole(data[:length])]
        assert all(is_cut_off(data[:length]) for length in range(12, len(data)))

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
    def test_what_stands_behind_a_picture_does_no_harm(self, kind: str) -> None:
        """Bytes after the end, as some writers leave, make a picture no less whole."""
        assert is_whole(encoded(kind, (9, 7)) + b"more")

    def test_a_photograph_of_real_size(self) -> None:
        """A large noisy picture is whole in every kind, and without its last byte it is not."""
        noise = PIL.Image.effect_noise((700, 500), 90).convert("RGB")
        for kind, _ in FORMATS:
            file = io.BytesIO()
            noise.save(file, kind)
            assert is_whole(file.getvalue())
            assert is_cut_off(file.getvalue()[:-1])

    def test_a_png_with_a_hole_is_not_whole(self) -> None:
        """A PNG whose picture was overwritten is found out by its checksum; a wrong one of a mere note is forgiven."""
        data = png(40, 40)
        place = data.index(b"IDAT") + 6
        assert not is_whole(data[:place] + b"\x00" + data[place + 1 :])
        noted = png(padding=30)
        place = noted.index(b"prVt") + 6
        assert is_whole(noted[:place] + b"\x01" + noted[place + 1 :])

    def test_a_gif_with_a_foreign_block_is_not_whole(self) -> None:
        """A GIF that goes on with something that is no block is not read to an end by chance."""
        data = encoded("GIF", (9, 7))
        assert not is_whole(data[:-1] + b"x;")

    @pytest.mark.parametrize("order", ["<", ">"])
    def test_a_tiff_is_followed_to_its_directory(self, order: str) -> None:
        """A TIFF whose directory lies behind its end is not whole."""
        start = (b"II*\x00" if order == "<" else b"MM\x00*") + struct.pack(f"{order}I", 60)
        assert is_whole(start + b"\x00" * 60)
        assert is_cut_off(start + b"\x00" * 40)
        assert is_cut_off(start[:6])

    def test_boxes_of_nonsense_are_not_whole(self) -> None:
        """A box smaller than its own head, no directory or no pixels: no whole picture."""
        assert not is_whole(boxes(FTYP, META) + b"\x00\x00\x00\x04mdat")
        assert not is_whole(boxes(FTYP, META))
        assert is_whole(boxes(FTYP, (b"meta", boxes((b"idat", b"\x00" * 20)))))
        assert not is_whole(boxes(FTYP, (b"mdat", b"\x00" * 20)))
        assert is_whole(boxes(FTYP, META) + b"\x00\x00\x00\x00mdat" + b"\x00" * 7)

    @pytest.mark.parametrize("data", [b"<html>expired</html>", b"{}", b"\x00\x00\x00\x20ftypisom" + b"\x00" * 20])
    def test_what_is_no_picture_is_neither(self, data: bytes) -> None:
        """An error page or a film is not whole, and not the beginning of a picture; nothing at all is one."""
        assert (is_whole(data), is_cut_off(data)) == (False, False)
        assert (is_whole(b""), is_cut_off(b"")) == (False, True)

    @given(st.sampled_from(sorted(WHOLE)), st.binary(max_size=300))
    def test_any_bytes_are_whole_or_not(self, kind: str, data: bytes) -> None:
        """Nothing that follows a true beginning makes the reader fail or go on for ever."""
        for length in (4, 12, 13, 20, 33):
            assert is_whole(WHOLE[kind][:length] + data) in (True, False)


class TestSaving:
    """A file has its name only when it is all there."""

    def test_saving_leaves_no_half_file(self, tmp_path: Path) -> None:
        """A picture is written under another name and moved when it is whole."""
        saved = Image.of(png(), name="p").save(tmp_path / "deep" / "p.png")
        assert saved.read_bytes() == png()
        assert list(saved.parent.iterdir()) == [saved]
        assert "p.png" in repr(Image.of(saved))

    def test_a_full_disk_leaves_what_was_there(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """If the disk is full, the old file is still there and nothing else is."""
        path = tmp_path / "p.png"
        path.write_bytes(b"old")

        def full(_: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            Image.of(png()).save(path)
        assert path.read_bytes() == b"old"
        assert list(tmp_path.iterdir()) == [path]

    def test_a_disk_that_does_not_keep_what_it_is_given(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A file that reads otherwise than it was written never gets its name."""
        monkeypatch.setattr(os, "fsync", lambda number: os.ftruncate(number, 20))
        with pytest.raises(OSError, match="what is read back is not what was written"):
            Image.of(png()).save(tmp_path / "p.png")
        assert list(tmp_path.iterdir()) == []

    def test_two_writers_do_not_meet_half_way(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """While one writer has not finished, another can write the same file from beginning to end."""
        path = tmp_path / "p.png"
        flush = os.fsync

        def interrupted(number: int) -> None:
            monkeypatch.setattr(os, "fsync", flush)
            assert not path.exists()
            Image.of(png(padding=9)).save(path)
            assert path.read_bytes() == png(padding=9)
            flush(number)

        monkeypatch.setattr(os, "fsync", interrupted)
        Image.of(png()).save(path)
        assert path.read_bytes() == png()
        assert list(tmp_path.iterdir()) == [path]


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
