"""A contact sheet of a dataset: every picture small, with its name and caption, and with what is wrong about it."""

from __future__ import annotations

import zlib
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from unified_train import dataset_pictures as pictures
from unified_train.dataset import Dataset
from unified_train.dataset_check import report_on, taken, vendors
from unified_train.errors import DatasetError
from unified_train.image_header import EXTENSIONS

# Pillow itself last: where it is missing, the module above says so in one sentence.
from PIL import Image as Pillow  # isort: skip
from PIL import ImageDraw, ImageFont  # isort: skip

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from unified_train.dataset_check import Source
    from unified_train.dataset_findings import CheckedImage, Finding, Report
    from unified_train.dataset_formats import Entry
    from unified_train.provider import AnyProvider

PER_PAGE = 60
"""Pictures on one file, which is then some 5,000 pixels high; more begin another."""
BOX = 280
"""Side of the square that a picture is fitted into, in pixels."""
_COLUMNS, _FEWEST_COLUMNS = 5, 3
_GAP, _MARGIN = 26, 48
_PAPER, _PANEL, _INK, _QUIET = "#faf8f4", "#efebe2", "#1d1c1a", "#7a756c"
_ERROR, _HINT = "#b4332c", "#a86a00"
_CAPTION_LINES, _FINDING_LINES = 4, 3
_FRAME = 4
_DOT = 9  # of a finding: its diameter
_INDENT = 16
_NO_LETTER = "\uffff"
_FONTS = (
    "NotoSansCJK-Regular.ttc",
    "NotoSansSC-Regular.otf",
    "PingFang.ttc",
    "msyh.ttc",
    "Arial Unicode.ttf",
    "DejaVuSans.ttf",
)
"""For letters that Pillow's own font lacks, whichever of these the machine has; those that know Chinese come first."""
_FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG"}
# What Pillow calls optimized takes several times as long for a PNG, and saves hardly 5 % of a sheet.
_SAVING: dict[str, dict[str, int]] = {
    "JPEG": {"quality": 90, "optimize": True},
    "PNG": {"compress_level": 1, "compress_type": zlib.Z_RLE},
}


def draw_contact_sheet(
    dataset: Source,
    target: str | PathLike[str] = "contact-sheet.jpg",
    *,
    providers: Sequence[str | type[AnyProvider]] | None = None,
    trigger: str | None = None,
) -> tuple[Path, ...]:
    """Draw a dataset with what a check finds, and return the files, of which there are several beyond 60 pictures.

    Args:
        dataset: See `check_dataset`.
        target: File to write, `.jpg` or `.png`, outside of the dataset, of which it would become a part; more pages are
            called `name-2.jpg` and so on. A file of that name is replaced.
        providers: See `check_dataset`.
        trigger: See `check_dataset`.

    Raises:
        DatasetError: There is no dataset, or the file can't be written there.
        ConfigurationError: Pillow is not installed.
    """
    first = Path(target)
    if first.suffix.lower() not in _FORMATS:
        raise DatasetError(f"{first}: a contact sheet is written as .jpg or .png; name it so")
    if not isinstance(dataset, Dataset) and first.resolve().is_relative_to(Path(dataset).resolve()):
        raise DatasetError(f"{first}: lies in the dataset and would count as one of its images; name another place")
    reading = taken(dataset, trigger)
    report = report_on(reading, vendors(providers), trigger)
    pairs = list(zip(reading.entries, report.images, strict=True))
    pages = [pairs[start : start + PER_PAGE] for start in range(0, len(pairs), PER_PAGE)] or [[]]
    files: list[Path] = []
    for number, page in enumerate(pages, 1):
        cells = [_cell(entry, image, report) for entry, image in page]
        head = _head(report, f"page {number} of {len(pages)}" if len(pages) > 1 else "")
        file = first if number == 1 else first.with_stem(f"{first.stem}-{number}")
        _write(_drawn(cells, head), file)
        files.append(file)
    return tuple(files)


@dataclass(frozen=True, slots=True)
class _Line:
    """A paragraph, wrapped to at most so many lines, behind a dot if it is a finding."""

    text: str
    size: int
    colour: str
    most: int
    dotted: bool = False


@dataclass(frozen=True, slots=True)
class _Cell:
    """One picture with what is told of it."""

    entry: Entry
    frame: str | None
    lines: tuple[_Line, ...]


def _cell(entry: Entry, image: CheckedImage, report: Report) -> _Cell:
    findings = sorted(report.about(entry.file), key=lambda item: item.severity)
    facts = [
        f"{image.width} × {image.height}" if image.width else "",
        EXTENSIONS.get(image.media_type or "", "").upper(),
        f"{image.bytes / 1000:,.0f} kB",
    ]
    lines = [
        _Line(entry.file, 17, _INK, 2),
        _Line("  ·  ".join(filter(None, facts)), 13, _QUIET, 1),
        _Line(entry.caption or "no caption", 14, _INK if entry.caption else _QUIET, _CAPTION_LINES),
        *[_Line(item.message, 13, _colour(item), _FINDING_LINES, dotted=True) for item in findings],
    ]
    return _Cell(entry, _colour(findings[0]) if findings else None, tuple(lines))


def _head(report: Report, page: str) -> list[_Line]:
    counts = [
        _counted(len(report.images), "image"),
        _counted(len(report.errors), "error"),
        _counted(len(report.hints), "hint"),
        page,
    ]
    known = {image.file for image in report.images}
    others = [item for item in report.findings if item.file not in known]
    return [
        _Line(Path(report.dataset).name or report.dataset, 34, _INK, 1),
        _Line("  ·  ".join(filter(None, counts)), 17, _QUIET, 1),
        *[_Line(item.sentence, 15, _colour(item), _FINDING_LINES, dotted=True) for item in others],
    ]


def _counted(count: int, thing: str) -> str:
    return f"{count or 'no'} {thing}{'' if count == 1 else 's'}"


def _colour(finding: Finding) -> str:
    return _ERROR if finding.severity == "error" else _HINT


def _drawn(cells: Sequence[_Cell], head: Sequence[_Line]) -> Pillow.Image:
    columns = max(_FEWEST_COLUMNS, min(_COLUMNS, len(cells)))
    width = 2 * _MARGIN + columns * (BOX + _GAP) - _GAP
    rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    top = _MARGIN + sum(_height(line, width - 2 * _MARGIN) for line in head) + _GAP
    heights = [BOX + 12 + max(_below(cell) for cell in row) + _GAP for row in rows]
    canvas = Pillow.new("RGB", (width, top + sum(heights) + _MARGIN - _GAP), _PAPER)
    pen = ImageDraw.Draw(canvas)
    _paragraphs(pen, head, (_MARGIN, _MARGIN), width - 2 * _MARGIN)
    for row, height in zip(rows, heights, strict=True):
        for place, cell in enumerate(row):
            _draw_cell(canvas, pen, cell, (_MARGIN + place * (BOX + _GAP), top))
        top += height
    return canvas


def _below(cell: _Cell) -> int:
    return sum(_height(line, BOX) for line in cell.lines)


def _draw_cell(canvas: Pillow.Image, pen: ImageDraw.ImageDraw, cell: _Cell, corner: tuple[int, int]) -> None:
    left, top = corner
    pen.rectangle((left, top, left + BOX - 1, top + BOX - 1), _PANEL)
    try:
        picture = pictures.upright(cell.entry.image, BOX)
    except pictures.Undecodable:
        for line in ((left, top, left + BOX - 1, top + BOX - 1), (left, top + BOX - 1, left + BOX - 1, top)):
            pen.line(line, _ERROR, 2)
    else:
        picture.thumbnail((BOX, BOX), Pillow.Resampling.LANCZOS)
        canvas.paste(picture, (left + (BOX - picture.width) // 2, top + (BOX - picture.height) // 2))
    if cell.frame:
        pen.rectangle((left, top, left + BOX - 1, top + BOX - 1), outline=cell.frame, width=_FRAME)
    _paragraphs(pen, cell.lines, (left, top + BOX + 12), BOX)


def _paragraphs(pen: ImageDraw.ImageDraw, lines: Sequence[_Line], corner: tuple[int, int], width: int) -> None:
    left, top = corner
    for line in lines:
        font = _font(line.size, line.text)
        start = left + _INDENT if line.dotted else left
        if line.dotted:
            dot = (left, top + (_pitch(line) - _DOT) // 2)
            pen.ellipse((*dot, dot[0] + _DOT, dot[1] + _DOT), line.colour)
        for number, text in enumerate(_wrapped(line, width)):
            pen.text((start, top + number * _pitch(line)), text, line.colour, font)
        top += _height(line, width)


def _pitch(line: _Line) -> int:
    return round(line.size * 1.3)


def _height(line: _Line, width: int) -> int:
    return len(_wrapped(line, width)) * _pitch(line) + line.size // 3


def _wrapped(line: _Line, width: int) -> list[str]:
    """Lines no wider than so many pixels; words that are, as file names may be, are broken anywhere."""
    font = _font(line.size, line.text)
    width -= _INDENT if line.dotted else 0
    lines = [""]
    for word in line.text.replace("×", "x").split(" "):  # a sign that Pillow's own font lacks
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if font.getlength(longer) <= width:
            lines[-1] = longer
            continue
        if font.getlength(word) <= width:
            lines.append(word)
            continue
        for letter in (" " if lines[-1] else "") + word:
            if font.getlength(lines[-1] + letter) > width:
                lines.append("")
            lines[-1] += letter
    if len(lines) > line.most:
        last = lines[line.most - 1]
        while font.getlength(f"{last}…") > width:
            last = last[:-1]
        lines = [*lines[: line.most - 1], f"{last}…"]
    return lines


def _font(size: int, text: str) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return _loaded(size, own=all(letter == "×" or _known(letter) for letter in text))


@lru_cache(maxsize=4096)
def _known(letter: str) -> bool:
    """Whether Pillow's own font has a letter, and not the box that stands for those it has not."""
    return _inked(letter) != _inked(_NO_LETTER)


def _inked(letter: str) -> bytes:
    canvas = Pillow.new("L", (40, 40))
    ImageDraw.Draw(canvas).text((5, 5), letter, 255, _loaded(20, own=True))
    return canvas.tobytes()


@lru_cache(maxsize=32)
def _loaded(size: int, *, own: bool) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    for name in () if own else _FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)


def _write(sheet: Pillow.Image, file: Path) -> None:
    """Whole or not at all."""
    unfinished = file.with_name(f".{file.name}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        kind = _FORMATS[file.suffix.lower()]
        sheet.save(unfinished, kind, **_SAVING[kind])
        unfinished.replace(file)
    except OSError as error:
        raise DatasetError(f"{file}: can't be written ({error.strerror}); name another place") from None
    finally:
        with suppress(OSError):  # there is none if all went well, or if there is no such folder
            unfinished.unlink()
