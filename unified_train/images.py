"""An image, wherever it comes from: known by its header, streamed, never re-encoded behind your back."""

from __future__ import annotations

import errno
import io
import os
import re
import secrets
from functools import cached_property
from hashlib import sha256
from os import PathLike
from pathlib import Path
from typing import BinaryIO, Protocol, Self, runtime_checkable
from urllib.parse import urlsplit

from unified_train import redact
from unified_train.errors import DatasetError
from unified_train.http import Body, BytesBody, FileBody
from unified_train.image_header import EXTENSIONS, ImageHeader, read_header


@runtime_checkable
class PillowImage(Protocol):
    """What is asked of a Pillow image; Pillow itself is not needed."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        ...

    def save(self, fp: BinaryIO, format: str) -> None:  # noqa: A002 - Pillow's own name
        """Write the picture."""
        ...


class Image:
    """One image: a file, bytes in memory, or a URL that is fetched only if somebody must have the bytes.

    Its header is read on first use, not its file name, and a file is streamed from disk each time it is sent.

    Attributes:
        name: For messages and for vendors that keep one; a file name or the last part of a URL.
        path: The file, if it is one.
        url: The URL, if it is one.
        caption: What the picture shows, for training.
    """

    def __init__(
        self,
        *,
        name: str,
        path: Path | None = None,
        data: bytes | None = None,
        url: str | None = None,
        caption: str | None = None,
    ) -> None:
        self.name = name
        self.path = path
        self.url = url
        self.caption = caption
        self._data = data

    @classmethod
    def of(cls, source: object, *, caption: str | None = None, name: str | None = None) -> Self:
        """Take a path, an `http(s)` URL, bytes, a binary file object, a Pillow image or another `Image`.

        A file object is read to its end at once; a Pillow image is written as PNG, which loses nothing.

        Raises:
            DatasetError: It is none of these.
        """
        if isinstance(source, Image):
            return cls(
                name=name or source.name,
                path=source.path,
                data=source._data,  # noqa: SLF001 - another object of this class
                url=source.url,
                caption=source.caption if caption is None else caption,
            )
        if isinstance(source, str) and re.match(r"https?://", source, re.IGNORECASE):
            return cls(name=name or Path(urlsplit(source).path).name or "image", url=source, caption=caption)
        if isinstance(source, str | PathLike):
            path = Path(source)
            return cls(name=name or path.name, path=path, caption=caption)
        return cls(name=name or "image", data=_bytes(source), caption=caption)

    def with_caption(self, caption: str | None) -> Self:
        """The same image with another caption."""
        copy = type(self).of(self)
        copy.caption = caption
        return copy

    @property
    def remote(self) -> bool:
        """Whether only its URL is known."""
        return self.url is not None and self._data is None

    @cached_property
    def header(self) -> ImageHeader:
        """Kind and size from the first bytes.

        Raises:
            DatasetError: The file is missing, empty, no image of a known kind, or only a URL.
        """
        with self._open() as file:
            found = read_header(file)
        if found:
            return found
        if not self.size:
            raise DatasetError(f"{self.name}: the file is empty (0 bytes); replace it, or leave it out")
        raise DatasetError(f"{self.name}: not an image; its first bytes are none of {', '.join(EXTENSIONS.values())}")

    def _open(self) -> BinaryIO:
        if self._data is not None:
            return io.BytesIO(self._data)
        if self.path is None:
            raise DatasetError(f"{self.name}: is only a URL; its bytes are not here")
        try:
            return self.path.open("rb")
        except OSError as error:
            raise DatasetError(f"{self.path}: can't be read ({error.strerror})") from None

    @property
    def media_type(self) -> str:
        """Such as `image/png`, from the header."""
        return self.header.media_type

    @property
    def extension(self) -> str:
        """Such as `png` or `jpeg` (never `jpg`), from the header."""
        return EXTENSIONS[self.media_type]

    @property
    def width(self) -> int | None:
        """Pixels; None for kinds whose header is not read that far (TIFF, AVIF, HEIC)."""
        return self.header.width

    @property
    def height(self) -> int | None:
        """Pixels; None as for `width`."""
        return self.header.height

    @cached_property
    def size(self) -> int:
        """Bytes."""
        if self._data is not None:
            return len(self._data)
        with self._open() as file:
            return file.seek(0, io.SEEK_END)

    @cached_property
    def sha256(self) -> str:
        """Lower-case hexadecimal SHA-256 of the bytes."""
        return self.body().sha256()

    def body(self) -> Body:
        """The bytes as a request body, streamed and repeatable."""
        if self._data is not None:
            return BytesBody(self._data, self.media_type)
        media_type = self.media_type
        if self.path is None:
            raise AssertionError("unreachable")
        return FileBody(self.path, media_type)

    def read(self) -> bytes:
        """All bytes."""
        with self._open() as file:
            return file.read()

    def save(self, path: str | PathLike[str]) -> Path:
        """Write the bytes to a file, whole or not at all, and return its path.

        They are written under another name that no other writer has, flushed to the disk, read again and compared by
        their digest; only then does the file get its name, in place of one that had it before.

        Raises:
            OSError: The disk is full, can't be written, or does not keep what is written to it.
        """
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        data = self.read()
        unfinished = target.with_name(f".{target.name}.{secrets.token_hex(8)}.part")
        try:
            with unfinished.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if FileBody(unfinished).sha256() != sha256(data).hexdigest():
                raise OSError(errno.EIO, "what is read back is not what was written", str(unfinished))
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)
        return target

    def __repr__(self) -> str:
        where = self.path or (redact.url(self.url) if self.url else f"{self.size} bytes")
        return f"<Image {self.name}: {where}>"

    def _repr_png_(self) -> bytes | None:
        from unified_train.notebook import picture_bytes

        return picture_bytes(self, "image/png")

    def _repr_jpeg_(self) -> bytes | None:
        from unified_train.notebook import picture_bytes

        return picture_bytes(self, "image/jpeg")

    def _repr_html_(self) -> str | None:
        from unified_train.notebook import image_html

        return image_html(self)


def _bytes(source: object) -> bytes:
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source)
    read = getattr(source, "read", None)
    if callable(read):
        data = read()
        if isinstance(data, bytes):
            return data
        raise DatasetError("an image file must be opened in binary mode: open(path, 'rb')")
    if isinstance(source, PillowImage):
        written = io.BytesIO()
        source.save(written, format="PNG")
        return written.getvalue()
    raise DatasetError(
        f"a {type(source).__name__} is no image; give a path, a URL, bytes, a binary file or a Pillow image"
    )
