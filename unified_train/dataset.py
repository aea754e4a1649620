"""Training images with their captions, and the words that stand for what they show."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pydantic import field_validator

from unified_train import redact
from unified_train.errors import DatasetError
from unified_train.images import Image
from unified_train.records import Asked, Filled, OneWord, Record

if TYPE_CHECKING:
    from pydantic._internal._repr import ReprArgs

IMAGE_SUFFIXES = frozenset({".avif", ".bmp", ".gif", ".heic", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
"""Files with these endings are taken for images; what they really are is read from their headers."""


class UploadedImage(Record):
    """An image that a vendor holds, ready for a training there.

    Attributes:
        provider: Slug of the vendor.
        id: The vendor's, opaque; or a public URL for vendors that fetch images themselves.
        name: For messages.
        caption: What the picture shows.
        sha256: Of the bytes, if we had them.
        hosted: By which the image host finds it again, if it was put on one.
        expires_at: When the URL on the image host stops working, if it does.
    """

    provider: str
    id: str
    name: str
    caption: str | None = None
    sha256: str | None = None
    hosted: str | None = None
    expires_at: datetime | None = None

    def __repr_args__(self) -> ReprArgs:
        """As pydantic's, but the id may be a presigned URL, which is as good as a key."""
        return [(name, redact.text(value) if isinstance(value, str) else value) for name, value in self]


class Dataset(Asked):
    """What to train on.

    Attributes:
        images: At least one.
        trigger: A word that the base model doesn't know, such as `ohwx`, to call the trained thing by.
        class_word: What kind of thing it is, such as `cat`.
    """

    images: tuple[Image | UploadedImage, ...]
    trigger: OneWord | None = None
    class_word: Filled | None = None

    @field_validator("images", mode="before")
    @classmethod
    def _taken(cls, value: object) -> object:
        if isinstance(value, str | bytes | PathLike) or not isinstance(value, Iterable):
            raise DatasetError("images must be a list; for a folder use Dataset.from_folder(path)")
        taken = tuple(item if isinstance(item, UploadedImage) else Image.of(item) for item in value)
        if not taken:
            raise DatasetError("a dataset needs at least one image")
        return taken

    @classmethod
    def of(cls, images: Iterable[object], *, trigger: str | None = None, class_word: str | None = None) -> Self:
        """Take whatever `Image.of` takes, and images uploaded before, in any mixture.

        Raises:
            DatasetError: There is none, or one of them is no image source.
        """
        return cls.model_validate({"images": images, "trigger": trigger, "class_word": class_word})

    @property
    def phrase(self) -> str:
        """Trigger and class word, as captions have them: `ohwx cat`."""
        return " ".join(filter(None, [self.trigger, self.class_word]))

    @classmethod
    def from_folder(
        cls,
        folder: str | PathLike[str],
        *,
        trigger: str | None = None,
        class_word: str | None = None,
        caption: str | None = None,
    ) -> Self:
        """Read the images of a folder in the order of their names, with captions from `photo.txt` beside `photo.jpg`.

        Args:
            folder: Not searched below its first level; hidden files are left out.
            trigger: See `Dataset`.
            class_word: See `Dataset`.
            caption: For images without a caption file.

        Raises:
            DatasetError: There is no such folder, no image in it, or a file that is not what its name says.
        """
        path = Path(folder)
        if not path.is_dir():
            raise DatasetError(f"{path}: no such folder")
        files = sorted(item for item in path.iterdir() if _is_image(item))
        if not files:
            raise DatasetError(f"{path}: no images in it; looked for {', '.join(sorted(IMAGE_SUFFIXES))}")
        images = tuple(Image.of(file, caption=_caption(file) or caption) for file in files)
        for image in images:
            _ = image.header
        return cls(images=images, trigger=trigger, class_word=class_word)


def _is_image(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".") and path.suffix.lower() in IMAGE_SUFFIXES


def _caption(image: Path) -> str | None:
    """The text beside an image; an empty file counts as none."""
    file = image.with_suffix(".txt")
    if not file.is_file():
        return None
    try:
        return " ".join(file.read_text(encoding="utf-8-sig").split()) or None
    except UnicodeDecodeError:
        raise DatasetError(f"{file}: a caption must be UTF-8 text") from None
