"""A clean copy has the pictures and the captions, nothing else, and is there as a whole or not at all."""

from __future__ import annotations

import errno
import io
import json
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from conftest import CHELSEA
from helpers import png
from PIL import ImageCms, PngImagePlugin
from test_dataset_check import exif, huge_png, photo, saved
from test_dataset_formats import put_all, zipped

from unified_train import Dataset, DatasetError, Image, InvalidOptions
from unified_train.dataset_prepare import MANIFEST, prepare_dataset, size_for


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def stamped(folder: Path) -> dict[Path, tuple[bytes, int]]:
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("providers", "size"), [((), 1024), (("novita",), 512), (("scenario",), 1024), (("novita", "alibaba"), 1024)]
)
def test_the_size_is_what_vendors_train_at(providers: tuple[str, ...], size: int) -> None:
    """It is enough for each of them, and for those that do not say."""
    assert size_for(providers) == size


def test_a_clean_copy_is_a_dataset_in_the_first_form(tmp_path: Path) -> None:
    """Ten photographs of three kinds become JPEG or PNG with their captions; the originals stay untouched."""
    before = stamped(CHELSEA)
    done = prepare_dataset(CHELSEA, tmp_path / "deep" / "out", size=256)
    assert stamped(CHELSEA) == before
    assert done.folder == tmp_path / "deep" / "out"
    copy, original = Dataset.from_folder(done.folder), Dataset.from_folder(CHELSEA)
    assert [image.caption for image in copy.images] == [image.caption for image in original.images]
    kinds = [image.media_type for image in copy.images if isinstance(image, Image)]
    assert kinds == ["image/jpeg", "image/jpeg", "image/png", *["image/jpeg"] * 7]
    assert {min(image.width, image.height) for image in done.images} == {256}
    assert done.images[0].model_dump() == {
        "source": "chelsea_01.jpg",
        "file": "chelsea_01.jpg",
        "width": 386,
        "height": 256,
        "caption": "a photo of ohwx cat, ginger tabby, lying on a bed",
    }
    assert [path.name for path in done.folder.parent.iterdir()] == ["out"]


def test_nothing_is_enlarged(tmp_path: Path) -> None:
    """A picture that is smaller than asked for keeps its size."""
    done = prepare_dataset(CHELSEA, tmp_path / "out", size=600)
    assert (done.images[2].width, done.images[0].height, done.images[1].height) == (448, 510, 600)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_is_applied(orientation: int, tmp_path: Path) -> None:
    """Whichever way the camera was held, the copy is upright, and says no more about it."""
    folder = tmp_path / "in"
    folder.mkdir()
    upright = PIL.Image.new("RGB", (80, 60), "black")
    upright.paste("white", (0, 0, 40, 30))  # the corner at the upper left
    stored = {
        2: PIL.Image.Transpose.FLIP_LEFT_RIGHT,
        3: PIL.Image.Transpose.ROTATE_180,
        4: PIL.Image.Transpose.FLIP_TOP_BOTTOM,
        5: PIL.Image.Transpose.TRANSPOSE,
        6: PIL.Image.Transpose.ROTATE_90,
        7: PIL.Image.Transpose.TRANSVERSE,
        8: PIL.Image.Transpose.ROTATE_270,
    }
    lying = upright.transpose(stored[orientation]) if orientation in stored else upright
    saved(lying, folder / "a.png", exif=exif(orientation))
    prepare_dataset(folder, tmp_path / "out")
    with PIL.Image.open(tmp_path / "out" / "a.png") as copy:
        assert copy.size == (80, 60)
        assert (copy.getpixel((5, 5)), copy.getpixel((75, 5)), copy.getpixel((5, 55))) == (
            (255, 255, 255),
            (0, 0, 0),
            (0, 0, 0),
        )
        assert not copy.getexif()


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif"])
def test_no_metadata_gets_over(name: str, tmp_path: Path) -> None:
    """No EXIF, place, comment, XMP, colour profile, prompt, or anything after the end of the picture."""
    folder = tmp_path / "in"
    folder.mkdir()
    options: dict[str, Any] = {"icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()}
    made = exif(6, located=True)
    made[0x010F] = "Camera SECRET"
    if name == "a.jpg":
        options |= {"comment": b"SECRET", "xmp": b"<x>SECRET</x>"}
    if name == "a.png":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_text("prompt", "SECRET")
    saved(photo(), folder / name, exif=made, **options)
    with (folder / name).open("ab") as file:
        file.write(b"SECRET")
    assert b"SECRET" in (folder / name).read_bytes()
    (copy,) = prepare_dataset(folder, tmp_path / "out").images
    data = (tmp_path / "out" / copy.file).read_bytes()
    assert b"SECRET" not in data
    with PIL.Image.open(io.BytesIO(data)) as picture:
        assert set(picture.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
        assert picture.mode == "RGB"


def test_transparent_parts_become_white(tmp_path: Path) -> None:
    """What shows through is white, also in a palette, and half of it is half white."""
    folder = tmp_path / "in"
    folder.mkdir()
    clear = PIL.Image.new("RGBA", (80, 80), (0, 0, 0, 0))
    clear.paste((0, 0, 0, 128), (0, 0, 40, 80))
    saved(clear, folder / "a.png")
    saved(PIL.Image.new("P", (80, 80), 3), folder / "b.gif", transparency=3)
    prepare_dataset(folder, tmp_path / "out")
    with PIL.Image.open(tmp_path / "out" / "a.png") as copy:
        assert (copy.getpixel((70, 5)), copy.getpixel((5, 5))) == ((255, 255, 255), (127, 127, 127))
    with PIL.Image.open(tmp_path / "out" / "b.png") as copy:
        assert copy.getpixel((5, 5)) == (255, 255, 255)


def test_a_colour_profile_is_applied(tmp_path: Path) -> None:
    """Colours of another space come out as they look; a profile that is none is passed over."""
    folder = tmp_path / "in"
    folder.mkdir()
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = lab.replace(b"rXYZ", b"tXYZ").replace(b"gXYZ", b"rXYZ").replace(b"tXYZ", b"gXYZ")
    saved(PIL.Image.new("RGB", (64, 64), "red"), folder / "a.png", icc_profile=swapped)
    saved(PIL.Image.new("RGB", (64, 64), "red"), folder / "b.png", icc_profile=b"none")
    saved(PIL.Image.new("RGBA", (64, 64), (255, 0, 0, 255)), folder / "c.png", icc_profile=swapped)
    prepare_dataset(folder, tmp_path / "out")
    for name, colour in (("a", (0, 255, 0)), ("b", (255, 0, 0)), ("c", (0, 255, 0))):
        with PIL.Image.open(tmp_path / "out" / f"{name}.png") as copy:
            found = copy.getpixel((5, 5))
            assert isinstance(found, tuple)
            assert max(abs(one - other) for one, other in zip(found, colour, strict=True)) < 8, name


def test_every_image_gets_a_name_of_its_own(tmp_path: Path) -> None:
    """Names that would meet in one folder are numbered, also those that differ in case only."""
    names = ["10_x/a.png", "10_x/B.png", "20_x/a.bmp", "20_x/b.png", "20_x/a_2.png", "10_x/c.png", "20_x/C.png"]
    folder = put_all(tmp_path / "in", {**{name: png() for name in names}, "20_x/a.txt": "the second"})
    saved(PIL.Image.new("RGB", (9, 9)), folder / "20_x" / "a.bmp")
    done = prepare_dataset(folder, tmp_path / "out")
    assert [(image.source, image.file) for image in done.images] == [
        ("10_x/B.png", "B.png"),
        ("10_x/a.png", "a.png"),
        ("10_x/c.png", "c.png"),
        ("20_x/C.png", "C_2.png"),
        ("20_x/a.bmp", "a_2.png"),
        ("20_x/a_2.png", "a_2_2.png"),
        ("20_x/b.png", "b_2.png"),
    ]
    assert (tmp_path / "out" / "a_2.txt").read_text() == "the second\n"
    assert (tmp_path / "out" / "a.txt").read_text() == "x\n"


def test_placeholders_stay_unless_a_trigger_is_named(tmp_path: Path) -> None:
    """A copy without a trigger is as open as its original."""
    folder = put_all(tmp_path / "in", {"a.png": png(), "a.txt": "[trigger] cat"})
    assert prepare_dataset(folder, tmp_path / "out").images[0].caption == "[trigger] cat"
    assert prepare_dataset(folder, tmp_path / "out", trigger="ohwx").images[0].caption == "ohwx cat"
    assert (tmp_path / "out" / "a.txt").read_text() == "ohwx cat\n"


def test_an_archive_and_a_dataset_can_be_prepared(tmp_path: Path) -> None:
    """What can be read can be prepared, also what was read before."""
    folder = put_all(tmp_path / "in", {"a.png": png(), "a.txt": "x"})
    (packed,) = prepare_dataset(zipped(folder, tmp_path / "in.zip"), tmp_path / "a").images
    (read,) = prepare_dataset(Dataset.of([Image.of(png(), caption="y")]), tmp_path / "b").images
    assert (packed.file, packed.caption, read.file, read.caption) == ("a.png", "x", "image.png", "y")


class TestWhereItGoes:
    """Nothing is replaced but what was written here and is unchanged."""

    @pytest.fixture
    def source(self, tmp_path: Path) -> Path:
        return put_all(tmp_path / "in", {"a.png": png(), "a.txt": "x", "b.png": png(9, 9)})

    def test_an_empty_folder_is_filled(self, source: Path, tmp_path: Path) -> None:
        """It may be there already."""
        (tmp_path / "out").mkdir()
        prepare_dataset(source, tmp_path / "out")
        assert set(contents(tmp_path / "out")) == {"a.png", "a.txt", "b.png", MANIFEST}

    def test_an_earlier_copy_is_replaced(self, source: Path, tmp_path: Path) -> None:
        """What is no longer in the dataset is gone from the copy, and nothing is left beside it."""
        prepare_dataset(source, tmp_path / "out")
        (source / "b.png").unlink()
        prepare_dataset(source, tmp_path / "out")
        assert set(contents(tmp_path / "out")) == {"a.png", "a.txt", MANIFEST}
        assert {path.name for path in tmp_path.iterdir()} == {"in", "out"}

    @pytest.mark.parametrize("manifest", [None, "", "[]", '{"files": 7}', '{"else": {}}'])
    def test_a_strangers_folder_is_refused(self, manifest: str | None, source: Path, tmp_path: Path) -> None:
        """A folder with anything in it that was not written here stays as it is."""
        out = put_all(tmp_path / "out", {"diary.txt": "mine"} | ({} if manifest is None else {MANIFEST: manifest}))
        before = contents(out)
        with pytest.raises(DatasetError, match=r"out: is not empty, and was not made by a preparation; name another"):
            prepare_dataset(source, out)
        assert contents(out) == before

    @pytest.mark.parametrize("name", ["a.txt", "mine.txt", "a.png", "sub"])
    def test_what_was_changed_since_is_kept(self, name: str, source: Path, tmp_path: Path) -> None:
        """A caption that was edited in the copy, or a file put there, is not overwritten."""
        prepare_dataset(source, tmp_path / "out")
        put_all(tmp_path / "out", {"sub/a.txt": "mine"} if name == "sub" else {name: "mine"})
        with pytest.raises(DatasetError, match=rf"{name}: was added or changed after the preparation"):
            prepare_dataset(source, tmp_path / "out")
        assert b"mine" in contents(tmp_path / "out").values()

    def test_the_originals_are_not_replaced(self, source: Path, tmp_path: Path) -> None:
        """A dataset is not prepared into itself, not even one that was made here, or by another name."""
        prepare_dataset(source, tmp_path / "out")
        (tmp_path / "link").symlink_to(tmp_path / "out")
        before = contents(tmp_path / "out")
        for out in (tmp_path / "out", tmp_path / "in" / ".." / "out", tmp_path / "link"):
            with pytest.raises(DatasetError, match=r"out: is the dataset itself; name another folder"):
                prepare_dataset(tmp_path / "out", out)
        assert contents(tmp_path / "out") == before

    def test_a_file_is_no_folder(self, source: Path, tmp_path: Path) -> None:
        """A file where the folder should be is told."""
        with pytest.raises(DatasetError, match=r"a\.png: is a file; name a folder"):
            prepare_dataset(source, source / "a.png")
        with pytest.raises(DatasetError, match=r"out: can't be written \(Not a directory\)"):
            prepare_dataset(source, source / "a.png" / "out")

    @pytest.mark.parametrize("ours", [False, True])
    @pytest.mark.parametrize("step", ["write_bytes", "write_text", "rename"])
    def test_a_full_disk_leaves_nothing_half_done(
        self, ours: bool, step: str, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """When writing ends half way, what was there before is there, and nothing else."""
        out = tmp_path / "out"
        if ours:
            prepare_dataset(source, out)
        before = contents(out)
        real, calls = getattr(Path, step), iter(range(99))

        def full(self: Path, *arguments: Any, **options: Any) -> Any:
            if next(calls) == (ours if step == "rename" else 1):  # the second; of the moves the one into place
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(self, *arguments, **options)

        monkeypatch.setattr(Path, step, full)
        with pytest.raises(
            DatasetError, match=r"out: can't be written \(No space left on device\); nothing was changed"
        ):
            prepare_dataset(source, out)
        assert contents(out) == before
        assert {path.name for path in tmp_path.iterdir()} == ({"in", "out"} if ours else {"in"})


class TestWhatCannotBePrepared:
    """A copy is made of the whole dataset or not at all."""

    @pytest.mark.parametrize(
        ("content", "sentence"),
        [
            (b"", "b.jpg: the file is empty"),
            (huge_png(30_000), "b.jpg: 30,000 × 30,000 pixels, more than 89,478,485 in all; make it smaller"),
            (b"\x00\x00\x00\x20ftypheic" + bytes(40), "b.jpg: heic can't be decoded here; convert it to JPEG or PNG"),
            (
                (CHELSEA / "chelsea_02.jpg").read_bytes()[:50_000],
                "b.jpg: the picture is damaged (image file is truncated",
            ),
        ],
    )
    def test_a_bad_image(self, content: bytes, sentence: str, tmp_path: Path) -> None:
        """The image is named, and no folder is there."""
        folder = put_all(tmp_path / "in", {"a.png": png(), "b.jpg": content})
        with pytest.raises(DatasetError) as raised:
            prepare_dataset(folder, tmp_path / "out")
        assert sentence in raised.value.message
        assert [path.name for path in tmp_path.iterdir()] == ["in"]

    def test_nothing_at_all(self, tmp_path: Path) -> None:
        """Images that are only URLs have to be here first, and a size is a number of pixels."""
        with pytest.raises(DatasetError, match="no images here to prepare"):
            prepare_dataset(Dataset.of(["https://host.test/a.png"]), tmp_path / "out")
        with pytest.raises(InvalidOptions, match="size: 0 is no number of pixels"):
            prepare_dataset(CHELSEA, tmp_path / "out", size=0)


def test_the_manifest_names_what_was_written(tmp_path: Path) -> None:
    """Each file stands in it with its digest, so that a change can be seen."""
    folder = put_all(tmp_path / "in", {"a.png": png(), "a.txt": "x"})
    prepare_dataset(folder, tmp_path / "out")
    told = json.loads((tmp_path / "out" / MANIFEST).read_text())["files"]
    assert {name: len(digest) for name, digest in told.items()} == {"a.png": 64, "a.txt": 64}
