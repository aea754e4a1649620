"""A contact sheet shows every picture, marks those with problems, and is no danger to the dataset."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from conftest import CHELSEA
from helpers import png
from PIL import ImageChops, ImageColor, ImageFont
from test_dataset_formats import put_all

from unified_train import Dataset, DatasetError, dataset_sheet
from unified_train.dataset_sheet import BOX, draw_contact_sheet

RED, AMBER = (ImageColor.getrgb(colour) for colour in ("#b4332c", "#a86a00"))


def opened(path: Path) -> PIL.Image.Image:
    with PIL.Image.open(path) as picture:
        return picture.convert("RGB")


def count(picture: PIL.Image.Image, colour: tuple[int, ...]) -> int:
    other = ImageChops.difference(picture, PIL.Image.new("RGB", picture.size, colour))
    return other.convert("L").histogram()[0]


def test_all_photographs_are_on_it(tmp_path: Path) -> None:
    """Ten pictures in two rows of five, the two with hints in a frame, none with an error."""
    (file,) = draw_contact_sheet(CHELSEA, tmp_path / "deep" / "sheet.png", trigger="ohwx")
    sheet = opened(file)
    assert sheet.width > 5 * BOX
    assert 2 * BOX < sheet.height < 4 * BOX
    assert count(sheet, AMBER) > 2 * 4 * BOX * 3
    assert count(sheet, RED) == 0
    with PIL.Image.open(CHELSEA / "chelsea_02.jpg") as photo:
        expected = photo.convert("RGB").resize((1, 1), PIL.Image.Resampling.BOX).getpixel((0, 0))
    found = sheet.crop((354, 158, 354 + BOX, 158 + BOX)).resize((1, 1), PIL.Image.Resampling.BOX).getpixel((0, 0))
    assert isinstance(found, tuple)
    assert isinstance(expected, tuple)
    assert max(abs(a - b) for a, b in zip(found, expected, strict=True)) < 6


def test_problems_are_marked(tmp_path: Path) -> None:
    """A picture with an error has a red frame, and one that can't be shown is crossed out."""
    shutil.copy(CHELSEA / "chelsea_02.jpg", put_all(tmp_path / "in", {"b.jpg": "text", "c.txt": "x"}))
    (file,) = draw_contact_sheet(tmp_path / "in", tmp_path / "sheet.png", providers=[])
    sheet = opened(file)
    assert count(sheet, RED) > 4 * 4 * BOX
    assert count(sheet, AMBER) > 50  # the dots of the hints


@pytest.mark.parametrize("has", [True, False])
def test_letters_that_the_font_lacks_are_looked_for_elsewhere(
    has: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another font is taken for them if the machine has one, and Pillow's own if not."""
    real, asked = ImageFont.truetype, list[str]()

    def truetype(font: Any, size: float, **options: Any) -> Any:
        if not isinstance(font, str):  # Pillow's own
            return real(font, size, **options)
        asked.append(font)
        if has and len(asked) == 2:
            return ImageFont.load_default(size)
        raise OSError

    monkeypatch.setattr(ImageFont, "truetype", truetype)
    dataset_sheet._loaded.cache_clear()
    put_all(tmp_path / "in", {"a.png": png(600, 600), "a.txt": "橘猫 in x × y"})
    draw_contact_sheet(tmp_path / "in", tmp_path / "sheet.png", providers=[])
    assert asked == list(dataset_sheet._FONTS[: 2 if has else None])
    dataset_sheet._loaded.cache_clear()
    assert dataset_sheet._known("a")
    assert not dataset_sheet._known("橘")


def test_long_texts_are_cut(tmp_path: Path) -> None:
    """A name without spaces and a caption without end stay in their column, and in their lines."""
    name = "n" * 200
    put_all(tmp_path / "in", {f"{name}.png": png(600, 600), f"{name}.txt": f"{'word ' * 200} {'w' * 300}"})
    (file,) = draw_contact_sheet(tmp_path / "in", tmp_path / "sheet.png", providers=[])
    sheet = opened(file)
    paper = sheet.getpixel((0, 0))
    right_of_the_column = sheet.crop((48 + BOX, 100, sheet.width, sheet.height))
    assert right_of_the_column.getcolors() == [(right_of_the_column.width * right_of_the_column.height, paper)]
    assert sheet.height < 3 * BOX


def test_many_pictures_make_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a page's worth there is another file, with a number."""
    monkeypatch.setattr(dataset_sheet, "PER_PAGE", 4)
    files = draw_contact_sheet(CHELSEA, tmp_path / "sheet.jpg", providers=[])
    assert [file.name for file in files] == ["sheet.jpg", "sheet-2.jpg", "sheet-3.jpg"]
    assert all(opened(file).width > BOX for file in files)


def test_nothing_to_show(tmp_path: Path) -> None:
    """A dataset of URLs makes a sheet with nothing on it."""
    (file,) = draw_contact_sheet(Dataset.of(["https://host.test/a.png"]), tmp_path / "sheet.png", providers=[])
    assert opened(file).height < BOX


def test_a_sheet_is_written_where_it_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not into the dataset, not as something else, and not half."""
    folder = put_all(tmp_path / "in", {"a.png": png()})
    for target in (folder / "sheet.jpg", folder / "a.png", tmp_path / "x" / ".." / "in" / "a.png"):
        with pytest.raises(DatasetError, match="lies in the dataset and would count as one of its images"):
            draw_contact_sheet(folder, target)
    with pytest.raises(DatasetError, match=r"sheet\.gif: a contact sheet is written as \.jpg or \.png; name it so"):
        draw_contact_sheet(folder, tmp_path / "sheet.gif")
    with pytest.raises(DatasetError, match=r"sheet\.png: can't be written \(.+\); name another place"):
        draw_contact_sheet(CHELSEA, folder / "a.png" / "sheet.png")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(DatasetError, match=r"sheet\.png: can't be written \(No space left on device\)"):
        draw_contact_sheet(folder, tmp_path / "sheet.png")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
