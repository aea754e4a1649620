"""Datasets are read in the forms that trainers use, and each mistake in one is told by file and rule."""

from __future__ import annotations

import io
import json
import random
import struct
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from helpers import png

from unified_train import Dataset, DatasetError, Image, UnifiedTrainWarning, dataset_sources


def put(folder: Path, **files: str | bytes) -> Path:
    """Write files; `__` in a name stands for a slash, and `_` before the ending for a dot."""
    return put_all(folder, {name.replace("__", "/").replace("_", "."): content for name, content in files.items()})


def put_all(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def zipped(folder: Path, target: Path) -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    return target


def captions(dataset: Dataset) -> dict[str, str | None]:
    return {image.name: image.caption for image in dataset.images}


def jsonl(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


class TestForms:
    """Each form gives the same dataset, from a folder and from a zip."""

    @pytest.fixture(params=["folder", "zip", "wrapped zip"])
    def read(self, request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Dataset]:
        def made(files: dict[str, str | bytes], **options: Any) -> Dataset:
            inner = {f"my photos/{name}": content for name, content in files.items()}
            folder = put_all(tmp_path / "d", inner if request.param == "wrapped zip" else files)
            path = folder if request.param == "folder" else zipped(folder, tmp_path / "d.zip")
            return Dataset.read(path, **options)

        return made

    def test_captions_beside_images(self, read: Callable[..., Dataset]) -> None:
        """`.txt` and `.caption` count alike, whatever the case of the endings."""
        files = {"a.png": png(), "a.txt": "one", "b.PNG": png(), "b.CAPTION": "two\nlines", "c.png": png()}
        assert captions(read(files)) == {"a.png": "one", "b.PNG": "two lines", "c.png": None}
        assert captions(read(files, caption="a cat"))["c.png"] == "a cat"

    @pytest.mark.parametrize("column", ["text", "caption", "prompt"])
    def test_metadata_jsonl(self, read: Callable[..., Dataset], column: str) -> None:
        """Rows name images, also below, and their captions in one of three columns."""
        rows = jsonl({"file_name": "b.png", column: "a\u2028b"}, {"file_name": "a/a.png", column: None, "label": 3})
        dataset = read({"metadata.jsonl": f"\n{rows}", "b.png": png(), "b.txt": "not this", "a/a.png": png()})
        assert list(captions(dataset).items()) == [("a.png", None), ("b.png", "a b")]

    def test_metadata_csv(self, read: Callable[..., Dataset]) -> None:
        """A quoted caption may have commas and line ends; a byte order mark does no harm."""
        table = '\ufefffile_name,text\r\n./a.png,"a cat,\r\nasleep"\r\nb.png,\r\n'
        dataset = read({"metadata.csv": table, "a.png": png(), "b.png": png()})
        assert captions(dataset) == {"a.png": "a cat, asleep", "b.png": None}

    def test_kohya(self, read: Callable[..., Dataset]) -> None:
        """Trigger and class word are the words of the folder, which also caption images without a file."""
        files = {"10_ohwx cat/a.png": png(), "10_ohwx cat/b.png": png(), "10_ohwx cat/b.txt": "[trigger] asleep"}
        dataset = read({**files, "log/x.log": "", "10_empty/readme.md": ""})
        assert captions(dataset) == {"a.png": "ohwx cat", "b.png": "ohwx asleep"}
        assert (dataset.trigger, dataset.class_word) == ("ohwx", "cat")
        given = read(files, trigger="sks", class_word="tiger")
        assert (given.trigger, given.class_word) == ("sks", "tiger")

    def test_what_systems_add_is_left_out(self, read: Callable[..., Dataset]) -> None:
        """Hidden files and a Mac's shadow folder are no part of a dataset."""
        files = {"a.png": png(), ".b.png": png(), "__MACOSX/a.png": b"", ".thumbs/c.png": png()}
        assert captions(read(files)) == {"a.png": None}


def test_a_macs_shadow_folder_hides_nothing(tmp_path: Path) -> None:
    """An archive with one folder, and what a Mac puts beside it, has one folder."""
    files = {"my photos/a.png": png(), "__MACOSX/my photos/._a.png": b"\x00"}
    assert captions(Dataset.read(zipped(put_all(tmp_path / "d", files), tmp_path / "d.zip"))) == {"a.png": None}


def test_an_archives_images_are_the_files_in_it(tmp_path: Path) -> None:
    """They are held in memory, byte for byte, and outlive the archive."""
    path = zipped(put(tmp_path / "d", a_png=png(5, 7)), tmp_path / "d.zip")
    (image,) = Dataset.read(path).images
    path.unlink()
    assert isinstance(image, Image)
    assert (image.read(), image.path, image.width) == (png(5, 7), None, 5)


def test_folders_that_agree_on_nothing_name_nothing(tmp_path: Path) -> None:
    """Two of kohya's folders with other words leave the trigger open; that, and other repeats, is warned of."""
    put_all(tmp_path, {"10_ohwx cat/a.png": png(), "3_sks/b.png": png()})
    with pytest.warns(UnifiedTrainWarning) as warned:
        dataset = Dataset.read(tmp_path)
    assert (dataset.trigger, dataset.class_word) == (None, None)
    assert captions(dataset) == {"a.png": "ohwx cat", "b.png": "sks"}
    told = " ".join(str(item.message) for item in warned)
    assert "differ in repeats (10_ohwx cat, 3_sks)" in told
    assert "begin with different words (ohwx, sks)" in told


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"a.png": png(), "2_more/b.png": png()}, "2_more: is not read, since there are images beside it"),
        (
            {"metadata.jsonl": '{"file_name": "a.png"}', "a.png": png(), "b.png": png()},
            "b.png: is not in metadata.jsonl and does not count",
        ),
    ],
)
def test_what_is_left_out_is_warned_of(files: dict[str, str | bytes], sentence: str, tmp_path: Path) -> None:
    """An image that was probably meant to count, but does not, is no secret."""
    put_all(tmp_path, files)
    with pytest.warns(UnifiedTrainWarning, match=sentence):
        assert len(Dataset.read(tmp_path).images) == 1


def test_a_text_without_an_image_is_no_reason_to_warn(tmp_path: Path) -> None:
    """A file of notes beside the images is left alone."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(Dataset.from_folder(put(tmp_path, a_png=png(), notes_txt="x")).images) == 1


class TestPlaceholders:
    """`[trigger]` and `{trigger}` stand for the trigger."""

    def test_they_are_replaced(self, tmp_path: Path) -> None:
        """Both spellings, more than once, in any case, and in the caption for all; nothing in the word is special."""
        put(tmp_path, a_png=png(), a_txt="[trigger] and {Trigger}", b_png=png())
        dataset = Dataset.from_folder(tmp_path, trigger=r"a\1b", caption="a {trigger}")
        assert captions(dataset) == {"a.png": r"a\1b and a\1b", "b.png": r"a a\1b"}

    def test_without_a_trigger_they_are_an_error(self, tmp_path: Path) -> None:
        """The file with the placeholder is named, or the image if the caption is the one for all."""
        put(tmp_path, a_png=png())
        with pytest.raises(DatasetError, match=r"a\.png: the caption has \{trigger\}, but there is no trigger; name"):
            Dataset.read(tmp_path, caption="a {trigger}")
        put(tmp_path, a_txt="a [trigger]")
        with pytest.raises(DatasetError, match=r"a\.txt: the caption has \[trigger\], but there is no trigger; name"):
            Dataset.read(tmp_path)


GOOD: dict[str, str | bytes] = {"metadata.jsonl": jsonl({"file_name": "a.png", "text": "x"}), "a.png": png()}


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"a.png": png(), "a.jpg": png(), "a.txt": "x"}, "a.txt: belongs to a.jpg and a.png; keep one of them"),
        ({"a.png": png(), "a.txt": "x", "a.caption": "y"}, "a.caption: a.caption and a.txt caption the same image"),
        ({"a.png": png(), "a.txt": b"caf\xe9"}, "a.txt: a caption must be UTF-8 text; save it as UTF-8"),
        ({"a.png": png(), "b.jpg": "text"}, "b.jpg: not an image; its first bytes are none of png"),
        ({"a.png": b""}, "a.png: the file is empty (0 bytes); replace it"),
        ({**GOOD, "metadata.jsonl": "{}\nhello"}, "metadata.jsonl: line 1 has no file_name; add it"),
        ({**GOOD, "metadata.jsonl": '\n{"file_name": "a.png"}\n{"file'}, "line 3 is no JSON object; correct it"),
        ({**GOOD, "metadata.jsonl": "[" * 100_000}, "metadata.jsonl: line 1 is no JSON object"),
        ({**GOOD, "metadata.jsonl": '{"file_name": 7}'}, "line 1 has no file_name"),
        ({**GOOD, "metadata.jsonl": b"\xff\xfe"}, "metadata.jsonl: metadata must be UTF-8 text"),
        ({**GOOD, "metadata.jsonl": "\n"}, "metadata.jsonl: no line names an image"),
        ({**GOOD, "metadata.jsonl": jsonl({"file_name": "b.png"})}, "line 1 names b.png, which is not there"),
        ({**GOOD, "metadata.jsonl": jsonl({"file_name": "../b.png"})}, "line 1 leads out of the dataset (../b.png)"),
        ({**GOOD, "metadata.jsonl": jsonl({"file_name": "C:\\b.png"})}, "line 1 leads out of the dataset"),
        ({**GOOD, "metadata.jsonl": jsonl({"file_name": "/b.png"})}, "line 1 leads out of the dataset (/b.png)"),
        ({**GOOD, "metadata.jsonl": jsonl({"file_name": "b" * 5000})}, "which is not there"),
        (
            {**GOOD, "metadata.jsonl": jsonl({"file_name": "a.png"}) * 2},
            "line 2 names a.png again, after line 1; delete one",
        ),
        ({**GOOD, "metadata.jsonl": jsonl({"file_name": "a.png", "text": ["x"]})}, "line 1 has a text that is no text"),
        ({**GOOD, "metadata.csv": "file_name\na.png\n"}, "metadata.jsonl: there is metadata.csv too; delete one"),
        ({"metadata.csv": "name,text\na.png,x\n", "a.png": png()}, "metadata.csv: there is no column file_name; name"),
        ({"metadata.csv": "", "a.png": png()}, "metadata.csv: there is no column file_name"),
        ({"metadata.csv": f"file_name,text\na.png,{'x' * 200_000}\n", "a.png": png()}, "is no CSV (field larger"),
        ({"train/a.png": png(), "test/b.png": png()}, "it has the folders test, train: name one of them"),
        ({"a/b/c/d/e/x.png": png()}, "no images in it; looked for .avif"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_mistake_is_named(files: dict[str, str | bytes], sentence: str, packed: bool, tmp_path: Path) -> None:
    """Each mistake is one sentence with the file, the line if there are lines, and the remedy."""
    path = put_all(tmp_path / "d", files)
    if packed:
        path = zipped(path, tmp_path / "d.zip")
    with pytest.raises(DatasetError) as raised:
        Dataset.read(path)
    assert sentence in raised.value.message
    assert raised.value.message.startswith(str(path))


def test_a_file_that_must_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the system refuses is told in its words, for captions and for whole folders."""
    put(tmp_path, a_png=png(), a_txt="x")

    def refuse(*_: object) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(DatasetError, match=r"a\.txt: can't be read \(Permission denied\); replace it"):
        Dataset.read(tmp_path)
    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(DatasetError, match=r"can't be read \(Permission denied\)"):
        Dataset.read(tmp_path)


def test_a_folder_is_no_archive(tmp_path: Path) -> None:
    """`from_folder` takes folders only, and reads every form of them."""
    path = zipped(put(tmp_path / "d", a_png=png()), tmp_path / "d.zip")
    with pytest.raises(DatasetError, match=r"d\.zip: no such folder"):
        Dataset.from_folder(path)
    assert captions(Dataset.from_folder(put_all(tmp_path / "e", GOOD))) == {"a.png": "x"}


class TestArchives:
    """An archive is judged before it is unpacked."""

    def test_none(self, tmp_path: Path) -> None:
        """What is no zip, or only the beginning of one, is refused, and so is what is not there."""
        whole = zipped(put(tmp_path / "d", a_png=png()), tmp_path / "d.zip").read_bytes()
        odd = bytearray(zipped(put(tmp_path / "o", ä_png=png()), tmp_path / "o.zip").read_bytes())
        odd[odd.rindex("ä".encode())] = 0xFF  # a name that is no text
        for content in (b"no archive", b"", whole[:-30], odd):
            (tmp_path / "x.zip").write_bytes(content)
            with pytest.raises(DatasetError, match=r"x\.zip: neither a folder nor a whole zip archive; give one"):
                Dataset.read(tmp_path / "x.zip")
        with pytest.raises(DatasetError, match="nowhere: no such folder or zip archive"):
            Dataset.read("nowhere")

    @pytest.mark.parametrize("name", ["../x.png", "/x.png", "a/../../x.png", "..\\x.png", "C:\\x.png", "C:x.png"])
    def test_a_path_that_leads_out(self, name: str, tmp_path: Path) -> None:
        """An archive with such a path is not trusted at all."""
        with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
            archive.writestr("a.png", png())
            archive.writestr(name, png())
        with pytest.raises(DatasetError, match=r"x\.zip: .* leads out of the archive; don't trust it"):
            Dataset.read(tmp_path / "x.zip")

    def test_a_windows_path(self, tmp_path: Path) -> None:
        """A backslash is taken for the slash that it was meant to be."""
        with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
            archive.writestr("photos\\a.png", png())
        assert captions(Dataset.read(tmp_path / "x.zip")) == {"a.png": None}

    def test_too_many_files(self, tmp_path: Path) -> None:
        """The number of entries decides, before any is looked at."""
        with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
            for number in range(dataset_sources.MOST_ENTRIES + 1):
                archive.writestr(zipfile.ZipInfo(f"{number}.txt"), b"")
        with pytest.raises(DatasetError, match=r"10,001 files, more than 10,000; unpack it and name the folder"):
            Dataset.read(tmp_path / "x.zip")

    def test_too_many_bytes(self, tmp_path: Path) -> None:
        """A small file that unpacks to more than a gigabyte is refused by its table of contents."""
        bomb = _pretending(dataset_sources.MOST_UNPACKED + 1)
        (tmp_path / "x.zip").write_bytes(bomb)
        with pytest.raises(DatasetError, match=r"unpacks to 1,073,741,825 bytes, more than 1,073,741,824; unpack it"):
            Dataset.read(tmp_path / "x.zip")

    def test_a_table_of_contents_that_lies(self, tmp_path: Path) -> None:
        """A file that says it is small is not unpacked further than that, and its checksum gives it away."""
        (tmp_path / "x.zip").write_bytes(_pretending(10))
        with pytest.raises(DatasetError, match=r"a\.png: can't be unpacked \(Bad CRC-32"):
            Dataset.read(tmp_path / "x.zip")

    def test_a_damaged_file(self, tmp_path: Path) -> None:
        """A caption and an image that can't be unpacked are named."""
        for name, error in (("a.png", "Bad CRC-32"), ("a.txt", "Bad CRC-32")):
            with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
                archive.writestr("a.png", png())
                archive.writestr("a.txt", "a caption")
                at = archive.getinfo(name).header_offset + 30 + len(name)
            data = bytearray((tmp_path / "x.zip").read_bytes())
            data[at] ^= 0xFF
            (tmp_path / "x.zip").write_bytes(data)
            with pytest.raises(DatasetError, match=rf"{name}: can't be unpacked \({error}"):
                Dataset.read(tmp_path / "x.zip")

    def test_a_password(self, tmp_path: Path) -> None:
        """An encrypted file is named."""
        data = bytearray(zipped(put(tmp_path / "d", a_png=png()), tmp_path / "d.zip").read_bytes())
        data[6] |= 1  # the flag of encryption, in the file's own header and in the table of contents
        data[data.rindex(b"PK\x01\x02") + 8] |= 1
        (tmp_path / "d.zip").write_bytes(data)
        with pytest.raises(DatasetError, match=r"a\.png: can't be unpacked without a password; replace it"):
            Dataset.read(tmp_path / "d.zip")

    def test_any_damage_is_a_dataset_error(self, tmp_path: Path) -> None:
        """Whatever bytes of an archive are changed, it is read or refused, and nothing else happens."""
        whole = zipped(put_all(tmp_path / "d", {**GOOD, "b.png": png()}), tmp_path / "d.zip").read_bytes()
        dice = random.Random(7)  # noqa: S311 - the same damage each time
        refused = 0
        for _ in range(300):
            data = bytearray(whole)
            for _ in range(3):
                data[dice.randrange(len(data))] = dice.randrange(256)
            (tmp_path / "d.zip").write_bytes(data)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    Dataset.read(tmp_path / "d.zip")
            except DatasetError:
                refused += 1
        assert refused > 100


def _pretending(size: int) -> bytes:
    """An archive whose only file says that it unpacks to so many bytes."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", png(padding=100_000))
    data = bytearray(made.getvalue())
    for mark, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", data, data.rindex(mark) + offset, size)
    return bytes(data)
