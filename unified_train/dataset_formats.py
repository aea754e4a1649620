"""The forms that training images with captions come in, told apart by what is there.

1. `photo.png` beside `photo.txt` or `photo.caption`: what most trainers read.
2. `metadata.jsonl` or `metadata.csv`, the Hugging Face imagefolder: one row for each image, with the columns
   `file_name` and one of `text`, `caption` and `prompt`, which are what diffusers' own scripts call it.
3. kohya's folders, `10_ohwx cat/`: repeats, then the words for images without a caption file. Repeats are not kept: no
   vendor takes them, and sending an image ten times would be another thing.

All of them may be in a zip archive, and below a folder that holds nothing else. What is wrong is collected rather than
raised, so that a check can tell of everything at once.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

from unified_train.dataset_findings import Finding
from unified_train.dataset_sources import Unreadable, inside, leads_out, opened
from unified_train.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from unified_train.dataset_findings import Severity
    from unified_train.dataset_sources import Listing, Source
    from unified_train.images import Image

IMAGE_SUFFIXES = frozenset({".avif", ".bmp", ".gif", ".heic", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
"""Files with these endings are taken for images; what they really are is read from their headers."""
CAPTION_SUFFIXES = frozenset({".txt", ".caption"})
METADATA = ("metadata.jsonl", "metadata.csv")
CAPTION_COLUMNS = ("text", "caption", "prompt")
"""The first that a row fills counts."""
NO_TRIGGER = "placeholder-without-trigger"
_FILE_NAME = "file_name"
_KOHYA = re.compile(r"(\d+)_(.+)")
_PLACEHOLDER = re.compile(r"\[trigger\]|\{trigger\}", re.IGNORECASE)
_WRAPPERS = 4  # folders around the dataset that are looked through; a link to itself must end somewhere


@dataclass(frozen=True, slots=True)
class Entry:
    """One image.

    Attributes:
        file: Its path inside the dataset.
        image: The image; what its header says is not known yet.
        caption: As it is written down, on one line.
        captioned_in: The file that the caption is from.
    """

    file: str
    image: Image
    caption: str | None = None
    captioned_in: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """A dataset as it was found.

    Attributes:
        name: Of the folder or archive.
        entries: In the order of their paths.
        findings: What is wrong or doubtful about files and captions; an error must not be passed over.
        trigger: The word that the dataset itself names, if it names one.
        class_word: As for `trigger`.
    """

    name: str
    entries: tuple[Entry, ...]
    findings: tuple[Finding, ...] = ()
    trigger: str | None = None
    class_word: str | None = None

    def with_captions(self, trigger: str | None, default: str | None = None) -> Reading:
        """Put the trigger in the place of `[trigger]` and `{trigger}`, and a caption where there is none."""
        findings = list(self.findings)
        entries: list[Entry] = []
        for entry in self.entries:
            caption = entry.caption or default
            if caption and trigger:
                caption = _PLACEHOLDER.sub(lambda _: trigger, caption)
            elif caption and (found := _PLACEHOLDER.search(caption)):
                findings.append(_no_trigger(entry, found[0]))
            entries.append(replace(entry, caption=caption))
        return replace(self, entries=tuple(entries), findings=tuple(findings))

    def unbroken(self, *, but: str = "") -> Reading:
        """Itself.

        Args:
            but: Code of an error that does not matter here.

        Raises:
            DatasetError: For the first error among the findings.
        """
        for finding in self.findings:
            if finding.severity == "error" and finding.code != but:
                raise DatasetError(f"{self.name}/{finding.sentence}" if finding.file else finding.sentence)
        return self


def read(path: Path) -> Reading:
    """Read a folder or a zip archive in whichever form it is.

    Raises:
        DatasetError: It is neither, it is refused as a whole, or there is no image in it.
    """
    with opened(path) as source:
        return _Reader(source).read()


def is_image(name: str) -> bool:
    """Whether a file name has the ending of an image."""
    return PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES


def broken_header(file: str, image: Image) -> Finding | None:
    """What is wrong with a file that is no image, which its first bytes tell."""
    try:
        _ = image.header
    except DatasetError as error:
        message = error.message.removeprefix(f"{image.path}: ").removeprefix(f"{image.name}: ")
        remedy = "replace it, or leave it out"
        return Finding(file=file, severity="error", code="not-an-image", message=message, remedy=remedy)
    return None


def _no_trigger(entry: Entry, placeholder: str) -> Finding:
    return Finding(
        file=entry.captioned_in or entry.file,
        severity="error",
        code=NO_TRIGGER,
        message=f"the caption has {placeholder}, but there is no trigger",
        remedy="name the trigger, or write the word out",
    )


class _Kohya(NamedTuple):
    """A folder such as `10_ohwx cat`."""

    folder: str
    repeats: int
    words: str


class _Row(NamedTuple):
    """A row of metadata, and where it is told of."""

    line: int
    values: dict[str, Any]


@dataclass(slots=True)
class _Reader:
    source: Source
    findings: list[Finding] = field(default_factory=list)

    def read(self) -> Reading:
        folder = self._top()
        listing = self.source.listed(folder)
        kohya = self._kohya(folder, listing)
        words: tuple[str | None, str | None] = (None, None)
        if any(name in METADATA for name in listing.files):
            entries = self._by_metadata(folder, listing)
        elif any(is_image(name) for name in listing.files):
            entries = self._by_stem(folder, listing)
            for one in kohya:
                self._hint(
                    one.folder, "folder-ignored", "is not read, since there are images beside it", "move one or other"
                )
        else:
            entries = [entry for one in kohya for entry in self._captioned_by_folder(one)]
            words = self._words(kohya)
        trigger, class_word = words
        return Reading(self.source.name, tuple(entries), tuple(self.findings), trigger, class_word)

    def _error(self, file: str | None, code: str, message: str, remedy: str) -> None:
        self._tell("error", file, code, message, remedy)

    def _hint(self, file: str | None, code: str, message: str, remedy: str) -> None:
        self._tell("hint", file, code, message, remedy)

    def _tell(self, severity: Severity, file: str | None, code: str, message: str, remedy: str) -> None:
        self.findings.append(Finding(file=file, severity=severity, code=code, message=message, remedy=remedy))

    # -- where it begins -----------------------------------------------------------------------------------------------

    def _top(self) -> str:
        """The folder that holds the dataset: the first, or the only one in it, as archives often have it."""
        folder, listing = "", self.source.listed("")
        for _ in range(_WRAPPERS):
            if any(name in METADATA or is_image(name) for name in listing.files) or self._kohya(folder, listing):
                return folder
            if len(listing.folders) != 1:
                break
            folder = inside(folder, listing.folders[0])
            listing = self.source.listed(folder)
        kinds = ", ".join(sorted(IMAGE_SUFFIXES))
        below = f"; it has the folders {', '.join(listing.folders)}: name one of them" if listing.folders else ""
        raise DatasetError(f"{self.source.name}: no images in it; looked for {kinds}{below}")

    def _kohya(self, folder: str, listing: Listing) -> list[_Kohya]:
        """The folders that are named as kohya wants it, and have an image."""
        named = [(inside(folder, name), _KOHYA.fullmatch(name)) for name in listing.folders]
        return [
            _Kohya(path, int(match[1]), match[2].strip())
            for path, match in named
            if match and any(is_image(name) for name in self.source.listed(path).files)
        ]

    # -- captions beside images ----------------------------------------------------------------------------------------

    def _by_stem(self, folder: str, listing: Listing) -> list[Entry]:
        captions = _by_stems(name for name in listing.files if PurePosixPath(name).suffix.lower() in CAPTION_SUFFIXES)
        images = _by_stems(name for name in listing.files if is_image(name))
        entries: list[Entry] = []
        for stem, names in images.items():
            file, text = self._caption_of(folder, captions.get(stem, []))
            if file and len(names) > 1:
                self._error(
                    file,
                    "shared-caption",
                    f"belongs to {' and '.join(names)}",
                    "keep one of them, or rename it with a caption of its own",
                )
            for name in names:
                entries += self._entry(inside(folder, name), text, file)
        for name in (name for stem, names in captions.items() if stem not in images for name in names):
            self._hint(
                inside(folder, name), "caption-without-image", "no image has this name", "rename it, or leave it out"
            )
        return sorted(entries, key=lambda entry: entry.file)

    def _caption_of(self, folder: str, names: Sequence[str]) -> tuple[str | None, str | None]:
        """The file with a caption, and the caption, which is None for an empty file."""
        texts = {name: self._text(inside(folder, name)) for name in names}
        if len(set(texts.values())) > 1:
            self._error(
                inside(folder, names[0]),
                "two-captions",
                f"{' and '.join(names)} caption the same image with different words",
                "delete one of them",
            )
        return next(((inside(folder, name), text) for name, text in texts.items()), (None, None))

    def _text(self, file: str) -> str | None:
        read = self._decoded(file, "a caption must be UTF-8 text")
        return " ".join(read.split()) or None if read else None

    def _decoded(self, file: str, rule: str) -> str | None:
        try:
            return self.source.read(file).decode("utf-8-sig")
        except Unreadable as error:
            self._error(file, "unreadable", str(error), "replace it, or leave it out")
        except UnicodeDecodeError:
            self._error(file, "not-utf-8", rule, "save it as UTF-8")
        return None

    def _entry(self, file: str, caption: str | None, captioned_in: str | None) -> list[Entry]:
        """The image; none if its bytes can't be had at all."""
        try:
            image = self.source.image(file)
        except Unreadable as error:
            self._error(file, "unreadable", str(error), "replace it, or leave it out")
            return []
        broken = broken_header(file, image)
        self.findings += [broken] if broken else []
        return [Entry(file, image.with_caption(caption), caption, captioned_in)]

    # -- kohya's folders -----------------------------------------------------------------------------------------------

    def _captioned_by_folder(self, kohya: _Kohya) -> Iterator[Entry]:
        """As kohya does: an image without a caption file is captioned with the words of its folder."""
        for entry in self._by_stem(kohya.folder, self.source.listed(kohya.folder)):
            yield entry if entry.caption else replace(entry, caption=kohya.words, captioned_in=entry.file)

    def _words(self, kohya: Sequence[_Kohya]) -> tuple[str | None, str | None]:
        """Trigger and class word, as far as the folders agree on them."""
        if len({one.repeats for one in kohya}) > 1:
            told = ", ".join(one.folder for one in kohya)
            self._hint(
                None,
                "repeats-ignored",
                f"the folders differ in repeats ({told}), which no vendor takes; every image counts once",
                "leave images out where others should weigh more",
            )
        split = [one.words.partition(" ") for one in kohya]
        triggers, class_words = {first for first, _, _ in split}, {rest.strip() for _, _, rest in split}
        if len(triggers) > 1:
            self._hint(
                None,
                "several-triggers",
                f"the folders begin with different words ({', '.join(sorted(triggers))})",
                "name the trigger, or make datasets of their own",
            )
        return _only(triggers), _only(class_words)

    # -- metadata ------------------------------------------------------------------------------------------------------

    def _by_metadata(self, folder: str, listing: Listing) -> list[Entry]:
        names = [name for name in METADATA if name in listing.files]
        file = inside(folder, names[0])
        if len(names) > 1:
            self._error(file, "two-metadata-files", f"there is {names[1]} too", "delete one of the two")
        text = self._decoded(file, "metadata must be UTF-8 text")
        if text is None:
            return []
        rows = self._jsonl(file, text) if file.endswith("l") else self._csv(file, text)
        seen: dict[str, int] = {}
        entries: list[Entry] = []
        for row in rows:
            path = self._path_in(file, folder, row, seen)
            if path is not None:
                seen[path] = row.line
                entries += self._entry(path, self._caption_in(file, row), file)
        if not entries and not self.findings:
            self._error(file, "no-images", "no line names an image", f"add lines with {_FILE_NAME}")
        self._tell_unlisted(file, folder, seen)
        return sorted(entries, key=lambda entry: entry.file)

    def _jsonl(self, file: str, text: str) -> Iterator[_Row]:
        for number, line in enumerate(text.split("\n"), 1):  # JSON may have other line ends inside
            if not line.strip():
                continue
            try:
                values = json.loads(line)
            except (ValueError, RecursionError):
                values = None
            if isinstance(values, dict):
                yield _Row(number, values)
            else:
                self._error(file, "metadata-line", f"line {number} is no JSON object", "correct it")

    def _csv(self, file: str, text: str) -> Iterator[_Row]:
        rows = csv.DictReader(io.StringIO(text, newline=""))
        try:
            if _FILE_NAME not in (rows.fieldnames or ()):
                self._error(
                    file,
                    "metadata-columns",
                    f"there is no column {_FILE_NAME}",
                    "name it in the first line of the file",
                )
                return
            for values in rows:
                yield _Row(rows.line_num, values)
        except csv.Error as error:
            self._error(file, "metadata-line", f"line {rows.line_num} is no CSV ({error})", "correct it")

    def _path_in(self, file: str, folder: str, row: _Row, seen: dict[str, int]) -> str | None:
        """The path of the image that a row names, if it is a good one."""
        name, line = row.values.get(_FILE_NAME), f"line {row.line}"
        if not isinstance(name, str) or not name.strip():
            self._error(file, "metadata-line", f"{line} has no {_FILE_NAME}", "add it")
            return None
        if leads_out(name):
            self._error(file, "metadata-leads-out", f"{line} leads out of the dataset ({name})", "move the image in")
            return None
        path = inside(folder, str(PurePosixPath(name.strip())))
        if path in seen:
            self._error(file, "metadata-line", f"{line} names {name} again, after line {seen[path]}", "delete one")
            return None
        if not self.source.has(path):
            self._error(file, "metadata-missing-file", f"{line} names {name}, which is not there", "add or delete it")
            return None
        return path

    def _caption_in(self, file: str, row: _Row) -> str | None:
        column = next((name for name in CAPTION_COLUMNS if row.values.get(name)), None)
        if column is None:
            return None
        text = row.values[column]
        if isinstance(text, str):
            return " ".join(text.split()) or None
        self._error(file, "metadata-line", f"line {row.line} has a {column} that is no text", "write it as one text")
        return None

    def _tell_unlisted(self, file: str, folder: str, listed: Iterable[str]) -> None:
        """Images beside those that are named, which a reader of the folder would expect to count."""
        paths = set(listed)
        folders = sorted({folder, *(path.rpartition("/")[0] for path in paths)})
        beside = [inside(each, name) for each in folders for name in self.source.listed(each).files if is_image(name)]
        for path in beside:
            if path not in paths:
                self._hint(path, "unlisted", f"is not in {file} and does not count", "add a line, or move it away")


def _by_stems(names: Iterable[str]) -> dict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for name in names:
        found[PurePosixPath(name).stem].append(name)
    return found


def _only(words: set[str]) -> str | None:
    """The word that all agree on."""
    return (words.pop() or None) if len(words) == 1 else None
