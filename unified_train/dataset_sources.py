"""Where the files of a dataset are: in a folder, or in a zip archive that is read without unpacking it to disk.

Images of a folder stay on disk until they are sent. Images of an archive are held in memory, encoded as they are: a set
of photographs is some hundred megabytes at most, and nothing has to be cleaned away after the last use of a `Dataset`,
which has no end that could be known.
"""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from abc import ABC, abstractmethod
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

from unified_train.errors import DatasetError
from unified_train.images import Image

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_ENTRIES = 10_000
"""In an archive. Vendors take fifty images, trainers at home rarely a thousand; captions and what a Mac adds to every
file make four entries of an image."""
MOST_UNPACKED = 1024**3
"""Bytes that an archive may unpack to, since they are held in memory: 250 photographs of four megabytes."""
_DAMAGED = (
    zipfile.BadZipFile,
    RuntimeError,  # a way of packing that Python doesn't know (NotImplementedError), or was built without
    ValueError,  # a name that is no text, a place before the beginning
    EOFError,
    OSError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
)
_ENCRYPTED = 1  # in the flags of an entry


class Unreadable(Exception):
    """One file can't be read; the text says why. Never leaves the modules that read datasets."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Names in one folder, sorted, without hidden ones."""

    folders: tuple[str, ...]
    files: tuple[str, ...]


class Source(ABC):
    """Files by their paths inside the dataset, with `/` between the parts; the top is the empty path."""

    name: str
    """For messages."""

    @abstractmethod
    def listed(self, folder: str) -> Listing:
        """What is in a folder."""

    @abstractmethod
    def has(self, file: str) -> bool:
        """Whether there is such a file."""

    @abstractmethod
    def read(self, file: str) -> bytes:
        """All bytes of a file.

        Raises:
            Unreadable: They can't be had.
        """

    @abstractmethod
    def image(self, file: str) -> Image:
        """A file as an image, which need not be one.

        Raises:
            Unreadable: Its bytes can't be had.
        """


def inside(folder: str, name: str) -> str:
    """The path of a name in a folder."""
    return f"{folder}/{name}" if folder else name


def leads_out(path: str) -> bool:
    """Whether a path with slashes of either kind could name something outside of where it starts."""
    parts = PurePosixPath(path.replace("\\", "/"))
    return parts.is_absolute() or ".." in parts.parts or bool(PureWindowsPath(path).drive)


@contextmanager
def opened(path: Path) -> Iterator[Source]:
    """The folder or archive at a path.

    Raises:
        DatasetError: There is neither, or the archive is refused as a whole.
    """
    if path.is_dir():
        yield Folder(path)
        return
    if not path.exists():
        raise DatasetError(f"{path}: no such folder or zip archive")
    try:
        archive = zipfile.ZipFile(path)
    except _DAMAGED:
        raise DatasetError(f"{path}: neither a folder nor a whole zip archive; give one of the two") from None
    with archive:
        yield Archive(path, archive)


class Folder(Source):
    """A folder on disk."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path

    def listed(self, folder: str) -> Listing:
        """What is in a folder; what links point to counts."""
        try:
            items = sorted(item for item in (self._path / folder).iterdir() if not _hidden(item.name))
        except OSError as error:
            raise DatasetError(f"{self._path / folder}: can't be read ({error.strerror})") from None
        return Listing(
            tuple(item.name for item in items if item.is_dir()), tuple(item.name for item in items if item.is_file())
        )

    def has(self, file: str) -> bool:
        """Whether there is such a file."""
        try:
            return (self._path / file).is_file()
        except OSError:  # a name that no file can have
            return False

    def read(self, file: str) -> bytes:
        """All bytes of a file."""
        try:
            return (self._path / file).read_bytes()
        except OSError as error:
            raise Unreadable(f"can't be read ({error.strerror})") from None

    def image(self, file: str) -> Image:
        """The file, which stays on disk."""
        return Image.of(self._path / file)


class Archive(Source):
    """A zip archive, judged by its table of contents before anything in it is unpacked.

    Raises:
        DatasetError: A path leads out of it, or it holds too many files or too many bytes.
    """

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self.name = str(path)
        self._archive = archive
        entries = archive.infolist()
        if len(entries) > MOST_ENTRIES:
            raise DatasetError(
                f"{path}: {len(entries):,} files, more than {MOST_ENTRIES:,}; unpack it and name the folder"
            )
        # Python unpacks no file further than to the size that stands here, so that the sum can be trusted.
        size = sum(entry.file_size for entry in entries)
        if size > MOST_UNPACKED:
            raise DatasetError(
                f"{path}: unpacks to {size:,} bytes, more than {MOST_UNPACKED:,}; unpack it and name the folder"
            )
        out = next((entry.filename for entry in entries if leads_out(entry.filename)), None)
        if out is not None:
            raise DatasetError(f"{path}: {out!r} leads out of the archive; don't trust it, and pack your files anew")
        self._entries = {entry.filename.replace("\\", "/"): entry for entry in entries if not entry.is_dir()}

    def listed(self, folder: str) -> Listing:
        """What is in a folder, whether or not the archive has an entry for the folder itself."""
        prefix = f"{folder}/" if folder else ""
        below = [path.removeprefix(prefix) for path in self._entries if path.startswith(prefix)]
        names = [rest.partition("/") for rest in below]
        shown = [(name, bool(deeper)) for name, deeper, _ in names if not _hidden(name)]
        return Listing(
            tuple(sorted({name for name, deeper in shown if deeper})),
            tuple(sorted({name for name, deeper in shown if not deeper})),
        )

    def has(self, file: str) -> bool:
        """Whether there is such a file."""
        return file in self._entries

    def read(self, file: str) -> bytes:
        """All bytes of a file, whose checksum is right."""
        try:
            entry = self._entries[file]
            if entry.flag_bits & _ENCRYPTED:
                raise Unreadable("can't be unpacked without a password")
            return self._archive.read(entry)
        except _DAMAGED as error:
            raise Unreadable(f"can't be unpacked ({error})") from None

    def image(self, file: str) -> Image:
        """The file, in memory."""
        return Image.of(self.read(file), name=PurePosixPath(file).name)


def _hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"
