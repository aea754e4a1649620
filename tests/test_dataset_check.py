"""A check tells everything that is wrong or doubtful about a dataset, each with file, word and remedy."""

from __future__ import annotations

import io
import random
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from conftest import CHELSEA
from helpers import Plain, png
from PIL import ImageEnhance, ImageFilter

from unified_train import ConfigurationError, Dataset, DatasetError, Image, ProviderNotFound, UploadedImage
from unified_train import dataset_pictures as pictures
from unified_train.dataset_check import ALIKE, SHARP, Report, check_dataset

PHOTOS = sorted(path for path in CHELSEA.iterdir() if path.suffix in {".jpg", ".png", ".webp"})
GPS = {1: "N", 2: (52.0, 30.0, 1.0), 3: "E", 4: (13.0, 2.0, 3.0)}


def photo(number: int = 2) -> PIL.Image.Image:
    with PIL.Image.open(PHOTOS[number - 1]) as picture:
        return picture.convert("RGB")


def saved(picture: PIL.Image.Image, path: Path, **options: Any) -> Path:
    quick: dict[str, Any] = {"compress_level": 1} if path.suffix == ".png" and options.get("format") != "JPEG" else {}
    picture.save(path, **quick, **options)
    return path


def exif(orientation: int = 1, *, located: bool = False) -> PIL.Image.Exif:
    made = PIL.Image.Exif()
    made[0x0112] = orientation
    if located:
        made.get_ifd(0x8825).update(GPS)
    return made


def huge_png(side: int) -> bytes:
    """The beginning of a PNG as large as it says; nobody gets to see that the rest is missing."""
    head = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))


def codes(report: Report, file: str | None) -> list[str]:
    return [item.code for item in report.findings if item.file == file]


def check(path: Path, providers: Sequence[Any] = (), **options: Any) -> Report:
    return check_dataset(path, providers=list(providers), **options)


def test_good_photographs_give_no_errors() -> None:
    """Ten crops of one photograph pass at every installed vendor; two of them are a little small."""
    report = check_dataset(CHELSEA, trigger="ohwx")
    assert not report.errors
    assert [(hint.file, hint.code) for hint in report.hints] == [
        ("chelsea_01.jpg", "small"),
        ("chelsea_03.png", "small"),
    ]
    assert report.hints[0].sentence.startswith("chelsea_01.jpg: 768 × 510 pixels")
    first = report.images[0]
    assert (first.file, first.media_type, first.width, first.height) == ("chelsea_01.jpg", "image/jpeg", 768, 510)
    assert (first.bytes, first.caption) == (
        PHOTOS[0].stat().st_size,
        "a photo of ohwx cat, ginger tabby, lying on a bed",
    )


class TestPictures:
    """What only the picture itself tells."""

    @pytest.mark.parametrize(
        ("name", "options", "code"),
        [
            ("a.jpg", {"exif": exif(6)}, "turned"),
            ("a.png", {"exif": exif(2)}, "turned"),
            ("a.webp", {"exif": exif(located=True)}, "located"),
            ("a.jpg", {"xmp": b'<x exif:GPSLatitude="52,30N"/>'}, "located"),
        ],
    )
    def test_exif(self, name: str, options: dict[str, Any], code: str, tmp_path: Path) -> None:
        """An orientation and a place are told, wherever the kind of file keeps them."""
        saved(photo(), tmp_path / name, **options)
        report = check(tmp_path)
        assert codes(report, name) == [code]
        assert "unified-train dataset prepare" in report.findings[-1].remedy
        assert not report.errors

    @pytest.mark.parametrize(("orientation", "size"), [(1, "700 × 400"), (4, "700 × 400"), (5, "400 × 700")])
    def test_sizes_are_as_it_is_seen(self, orientation: int, size: str, tmp_path: Path) -> None:
        """From orientation 5 on, width and height change places."""
        saved(photo().resize((700, 400)), tmp_path / "a.jpg", exif=exif(orientation))
        assert check(tmp_path).hints[1].message.startswith(f"{size} pixels")

    @pytest.mark.parametrize(
        ("name", "given"),
        [
            ("a.jpg", exif()),
            ("a.jpg", exif(99)),
            ("a.jpg", b"Exif\x00\x00MM\x00*\xff\xff\xff\xff"),
            ("a.png", b"garbage"),
        ],
    )
    def test_harmless_exif(self, name: str, given: Any, tmp_path: Path) -> None:
        """An upright picture, and EXIF that is damaged or means nothing, are no cause to speak."""
        saved(photo(), tmp_path / name, exif=given)
        assert codes(check(tmp_path), name) == []

    def test_transparency(self, tmp_path: Path) -> None:
        """An alpha channel is told only if something shows through, also from a palette."""
        clear, opaque = photo().convert("RGBA"), photo(3).resize((600, 600)).convert("RGBA")
        clear.paste((0, 0, 0, 0), (0, 0, 300, 300))
        saved(clear, tmp_path / "clear.png")
        saved(opaque, tmp_path / "opaque.png")
        palette = photo(4).quantize(16)
        saved(palette, tmp_path / "palette.png", transparency=palette.getpixel((5, 5)))
        report = check(tmp_path)
        assert [codes(report, f"{name}.png") for name in ("clear", "opaque", "palette")] == [
            ["transparent"],
            [],
            ["transparent"],
        ]

    def test_frames_colours_and_names(self, tmp_path: Path) -> None:
        """A moving picture, one for the printing press, and one of another kind than its name says, are told."""
        saved(photo(), tmp_path / "a.gif", save_all=True, append_images=[photo(4)])
        saved(photo(6).convert("CMYK"), tmp_path / "b.jpg")
        saved(photo(8), tmp_path / "c.png", format="JPEG")
        saved(photo(5), tmp_path / "d.tif")
        report = check(tmp_path)
        assert codes(report, "a.gif") == ["moving"]
        assert codes(report, "b.jpg") == ["unusual-colours"]
        assert codes(report, "c.png") == ["wrong-suffix"]
        assert codes(report, "d.tif") == []
        assert report.images[3].width == 768  # a header that is not read that far

    def test_a_second_view_is_no_movement(self, tmp_path: Path) -> None:
        """Cameras put a second picture behind a JPEG; it is a photograph still."""
        saved(photo(), tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[photo()])
        assert codes(check(tmp_path), "a.jpg") == []

    def test_sixteen_bits(self) -> None:
        """A deep picture is looked at in its own light, not cut off at white."""
        deep = PIL.Image.frombytes("I;16", (600, 600), struct.pack("<600H", *[40_000] * 300, *[20_000] * 300) * 600)
        written = io.BytesIO()
        deep.save(written, "PNG")
        shown = pictures.upright(Image.of(written.getvalue()), 600)
        assert (shown.getpixel((0, 0)), shown.getpixel((500, 0))) == ((156, 156, 156), (78, 78, 78))

    def test_small_and_tiny(self, tmp_path: Path) -> None:
        """The shorter side decides, and a picture too small to judge is not called blurred too."""
        saved(photo().resize((2000, 511)), tmp_path / "a.png")
        (tmp_path / "b.png").write_bytes(png(20, 20))
        report = check(tmp_path)
        assert codes(report, "a.png") == ["small"]
        assert codes(report, "b.png") == ["small"]


class TestBlur:
    """Sharp photographs pass, blurred ones do not."""

    @pytest.mark.parametrize("path", PHOTOS, ids=lambda path: path.name)
    def test_the_line_is_between(self, path: Path) -> None:
        """Each photograph is well above the line, and below it when blurred by 3 pixels at 512."""
        with PIL.Image.open(path) as picture:
            sharp = picture.convert("RGB")
        factor = 512 / min(sharp.size)
        if factor < 1:
            sharp = sharp.resize((round(sharp.width * factor), round(sharp.height * factor)))
        blurred = sharp.filter(ImageFilter.GaussianBlur(3))
        assert _sharpness(Image.of(path)) > 3 * SHARP
        assert _sharpness(Image.of(blurred)) < SHARP / 2

    def test_a_blurred_background_is_none(self) -> None:
        """A sharp subject before a blurred ground, as portraits have it, is sharp."""
        picture = photo().resize((512, 512))
        ground = picture.filter(ImageFilter.GaussianBlur(5))
        ground.paste(picture.crop((170, 170, 340, 340)), (170, 170))
        assert _sharpness(Image.of(ground)) > SHARP

    def test_it_is_told(self, tmp_path: Path) -> None:
        """A blurred picture is a hint, no error."""
        saved(photo().filter(ImageFilter.GaussianBlur(6)), tmp_path / "a.jpg")
        assert codes(check(tmp_path), "a.jpg") == ["blurred"]


def _sharpness(image: Image) -> float:
    found = pictures.look(image).sharpness
    assert found is not None
    return found


class TestLikeness:
    """Near-duplicates are told, and others are not."""

    @pytest.mark.parametrize("number", [1, 2, 5, 9])
    def test_copies_are_found(self, number: int, tmp_path: Path) -> None:
        """Saved worse, smaller, brighter, greyer, turned by EXIF or cut a little: it is the same picture."""
        one = photo(number)
        saved(one, tmp_path / "a.png")
        saved(one, tmp_path / "b.jpg", quality=20)
        saved(one.resize((300, 300 * one.height // one.width)), tmp_path / "c.webp")
        saved(ImageEnhance.Brightness(one).enhance(1.3), tmp_path / "d.png")
        saved(one.convert("L"), tmp_path / "e.png")
        saved(one.transpose(PIL.Image.Transpose.ROTATE_90), tmp_path / "f.jpg", exif=exif(6))
        saved(one.crop((10, 10, one.width - 10, one.height - 10)), tmp_path / "g.jpg")
        report = check(tmp_path)
        found = {item.file for item in report.findings if item.code == "near-duplicate"}
        assert found == {"b.jpg", "c.webp", "d.png", "e.png", "f.jpg", "g.jpg"}

    def test_other_pictures_are_not_taken_for_copies(self) -> None:
        """No two of ten crops of one photograph come near the line."""
        prints = [pictures.look(Image.of(path)).fingerprint or 0 for path in PHOTOS]
        distances = [(a ^ b).bit_count() for i, a in enumerate(prints) for b in prints[:i]]
        assert min(distances) > ALIKE + 3

    def test_the_same_file_twice(self, tmp_path: Path) -> None:
        """A copy to the byte is called one, and the earlier is named."""
        for name in ("a.jpg", "b.jpg"):
            shutil.copy(PHOTOS[1], tmp_path / name)
        (finding,) = check(tmp_path).about("b.jpg")
        assert (finding.code, finding.message) == ("duplicate", "is the same file as a.jpg")

    def test_plain_colours_are_not_compared(self, tmp_path: Path) -> None:
        """Two pictures of one colour each have nothing to be alike in."""
        saved(PIL.Image.new("RGB", (600, 600), "red"), tmp_path / "a.png")
        saved(PIL.Image.new("RGB", (600, 600), "blue"), tmp_path / "b.png")
        assert codes(check(tmp_path), "b.png") == ["blurred"]


class TestDamage:
    """What can't be decoded is an error with the file's name, and nothing else."""

    def test_a_truncated_jpeg(self, tmp_path: Path) -> None:
        """The other images are checked all the same."""
        data = PHOTOS[1].read_bytes()
        (tmp_path / "a.jpg").write_bytes(data[: len(data) // 2])
        shutil.copy(PHOTOS[2], tmp_path / "b.png")
        report = check(tmp_path)
        (error,) = report.errors
        assert (error.file, error.code) == ("a.jpg", "undecodable")
        assert "the picture is damaged (image file is truncated" in error.message
        assert codes(report, "b.png") == ["small"]
        assert report.images[0].width == 768

    def test_a_huge_picture_is_never_decoded(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """30,000 × 30,000 pixels are refused by their header, before Pillow is asked."""
        monkeypatch.setattr(PIL.Image, "open", lambda *_: pytest.fail("was opened"))
        (tmp_path / "a.png").write_bytes(huge_png(30_000))
        (error,) = check(tmp_path).errors
        assert error.sentence == "a.png: 30,000 × 30,000 pixels, more than 89,478,485 in all; make it smaller"

    @pytest.mark.parametrize("side", [10_000, 30_000])
    def test_a_huge_picture_of_an_unmeasured_kind(self, side: int, tmp_path: Path) -> None:
        """Where our header reader knows no size, Pillow's own line holds."""
        head = struct.pack("<2sHIH", b"II", 42, 8, 7)
        tags = [(256, 4, 1, side), (257, 4, 1, side), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8)]
        tags.append((278, 4, 1, side))
        (tmp_path / "a.tif").write_bytes(head + b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4))
        (error,) = check(tmp_path).errors
        assert error.sentence == "a.tif: more than 89,478,485 pixels; make it smaller"

    def test_a_kind_without_decoder(self, tmp_path: Path) -> None:
        """HEIC is known by its header, but not decoded."""
        (tmp_path / "a.heic").write_bytes(b"\x00\x00\x00\x20ftypheic" + bytes(40))
        (error,) = check(tmp_path).errors
        assert error.sentence == "a.heic: heic can't be decoded here; convert it to JPEG or PNG"

    def test_what_is_wrong_with_captions_does_not_end_the_check(self, tmp_path: Path) -> None:
        """Mistakes that would end a reading stand beside what the pictures give cause to say."""
        shutil.copy(PHOTOS[2], tmp_path / "a.png")
        (tmp_path / "a.txt").write_bytes(b"\xff")
        (tmp_path / "b.jpg").write_text("text")
        (tmp_path / "b.txt").write_text("a [trigger]")
        (tmp_path / "c.txt").touch()
        report = check(tmp_path)
        assert {item.code for item in report.errors} == {"not-utf-8", "not-an-image", "placeholder-without-trigger"}
        assert codes(report, "a.png") == ["caption-missing", "small"]
        assert codes(report, "c.txt") == ["caption-without-image"]
        assert report.images[1].media_type is None

    def test_any_damage_is_told(self) -> None:
        """Whatever bytes of a picture are changed, it can be decoded or is `Undecodable`."""
        dice = random.Random(7)  # noqa: S311 - the same damage each time
        small = photo().resize((40, 40))
        for kind in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"):
            written = io.BytesIO()
            small.save(written, kind, **({"exif": exif(6, located=True)} if kind in {"JPEG", "PNG", "WEBP"} else {}))
            for _ in range(60):
                data = bytearray(written.getvalue())
                for _ in range(4):
                    data[dice.randrange(len(data))] = dice.randrange(256)
                with suppress(pictures.Undecodable):
                    pictures.look(Image.of(bytes(data[: dice.choice([None, len(data) // 2])])))


class TestCaptions:
    """Captions and triggers belong to all images or to none."""

    def test_some(self, tmp_path: Path) -> None:
        """The images without are named."""
        for number, name in ((2, "a"), (4, "b"), (6, "c")):
            shutil.copy(PHOTOS[number], tmp_path / f"{name}.png")
            (tmp_path / f"{name}.txt").write_text("" if name == "b" else f"ohwx {name}")
        report = check(tmp_path)
        assert [item.sentence for item in report.hints if item.code == "caption-missing"] == [
            "b.png: has no caption, though 2 of 3 images have one; write one"
        ]

    def test_none(self, tmp_path: Path) -> None:
        """No captions at all are one hint for the whole."""
        shutil.copy(PHOTOS[1], tmp_path / "a.jpg")
        assert codes(check(tmp_path, trigger="ohwx"), None) == ["no-captions"]

    @pytest.mark.parametrize(
        ("captions", "lacking"),
        [
            (("Ohwx cat", "an ohwx-cat"), []),
            (("a cat", "a dog"), []),
            (("ohwx cat", "ohwxs", "nohwx"), ["1.jpg", "2.jpg"]),
        ],
    )
    def test_the_trigger(self, captions: Sequence[str], lacking: list[str], tmp_path: Path) -> None:
        """A caption without the trigger is named if others have it; a part of another word is not it."""
        for number, caption in enumerate(captions):
            shutil.copy(PHOTOS[[1, 3, 5][number]], tmp_path / f"{number}.jpg")
            (tmp_path / f"{number}.txt").write_text(caption)
        report = check(tmp_path, trigger="ohwx")
        assert [item.file for item in report.findings if item.code == "trigger-missing"] == lacking


class TestVendors:
    """The limits are those that the vendors declare."""

    def test_their_limits(self, tmp_path: Path) -> None:
        """Number, kind and size are errors with the vendor's name and slug."""
        for number in range(6):
            saved(photo(number + 1), tmp_path / f"{number}.{'webp' if number == 0 else 'png'}")
        report = check(tmp_path, [Plain])
        whole, *single = report.errors
        assert whole.sentence == "6 images, and Plain takes at most 5; leave some out"
        assert (whole.code, whole.provider) == ("vendor-too-many", "plain")
        assert single[0].sentence == "0.webp: Plain takes no webp, only jpeg, png; convert it first"
        assert "Plain takes at most 100,000 per image" in single[1].message
        assert {(item.code, item.provider) for item in single} == {("vendor-refuses-image", "plain")}

    def test_too_few(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A vendor's least number counts too."""
        rules = Plain.capabilities.images.model_copy(update={"minimum": 2})
        monkeypatch.setattr(Plain, "capabilities", Plain.capabilities.model_copy(update={"images": rules}))
        (tmp_path / "a.png").write_bytes(png(600, 600))
        (error,) = check(tmp_path, [Plain]).errors
        assert error.sentence == "1 images, and Plain needs at least 2; add some"

    def test_by_slug_or_all(self, tmp_path: Path) -> None:
        """Named vendors count, otherwise every installed one; an unknown slug is told."""
        saved(photo(), tmp_path / "a.tif", exif=exif(6))
        assert codes(check(tmp_path, ["novita"]), "a.tif") == ["vendor-refuses-image", "turned"]
        slugs = [item.provider for item in check_dataset(tmp_path).errors]
        assert slugs == ["alibaba", "novita"]
        assert [item.provider for item in check_dataset(tmp_path, providers=["novita"]).errors] == ["novita"]
        with pytest.raises(ProviderNotFound, match="nobody"):
            check_dataset(tmp_path, providers=["nobody"])


def test_a_dataset_that_was_read_can_be_checked() -> None:
    """Images in memory get names of their own; what is only a URL or at a vendor is left out."""
    there = UploadedImage(provider="plain", id="1", name="n")
    dataset = Dataset.of([png(9, 9), png(9, 9), b"text", "https://host.test/b.png", there, PHOTOS[1]], trigger="ohwx")
    report = check_dataset(dataset, providers=[])
    assert [image.file for image in report.images] == ["image", "image (2)", "image (3)", "chelsea_02.jpg"]
    assert codes(report, "image (3)") == ["not-an-image"]


def test_where_nothing_is_there_is_nothing_to_report() -> None:
    """A path without a dataset is a `DatasetError`, not a report."""
    with pytest.raises(DatasetError, match="nowhere: no such folder or zip archive"):
        check_dataset("nowhere")


def test_without_pillow_reading_works_and_the_rest_says_what_to_install() -> None:
    """The extra is named in one sentence, and needed for nothing but looking at pictures."""
    code = (
        "import sys; sys.modules['PIL'] = None\n"
        "from unified_train import ConfigurationError, Dataset\n"
        "from unified_train.dataset_check import check_dataset\n"
        "from unified_train.dataset_prepare import prepare_dataset\n"
        f"print(len(Dataset.read({str(CHELSEA)!r}).images))\n"
        f"for call in (lambda: check_dataset({str(CHELSEA)!r}), lambda: prepare_dataset({str(CHELSEA)!r}, 'x'),\n"
        "             lambda: __import__('unified_train.dataset_sheet')):\n"
        "    try: call()\n"
        "    except ConfigurationError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    first, *others = done.stdout.splitlines()
    assert first == "10"
    assert others == ["checking, preparing and showing datasets needs Pillow: pip install 'unified-train[dataset]'"] * 3
    assert issubclass(ConfigurationError, Exception)
