"""Training images with their captions, and the words that stand for what they show."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pydantic import field_validator

from unified_train import redact
from unified_train.errors import DatasetError, UnifiedTrainWarning
from unified_train.images import Image
from unified_train.records import Asked, Filled, OneWord, Record

if TYPE_CHECKING:
    from pydantic._internal._repr import ReprArgs


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

    def _repr_html_(self) -> str:
        from unified_train.notebook import dataset_html

        return dataset_html(self)

    @classmethod
    def read(
        cls,
        path: str | PathLike[str],
        *,
        trigger: str | None = None,
        class_word: str | None = None,
        caption: str | None = None,
    ) -> Self:
        """Read a folder or a zip archive with images and captions, in the order of their names.

        It may be `photo.jpg` beside `photo.txt` or `photo.caption`, a Hugging Face imagefolder (`metadata.jsonl` or
        `metadata.csv` with the columns `file_name` and `text`, `caption` or `prompt`), or kohya's `10_ohwx cat/`; see
        `docs/datasets.md`. In captions `[trigger]` and `{trigger}` are replaced by the trigger. Images of an archive
        are held in memory, those of a folder are read when they are sent.

        Args:
            path: Of the folder or archive; hidden files are left out.
            trigger: See `Dataset`; if there is none, the first word of kohya's folders.
            class_word: See `Dataset`; if there is none, the other words of kohya's folders.
            caption: For images without one.

        Raises:
            DatasetError: There is no such thing, no image in it, or a file that is not what it should be.
        """
        from unified_train import dataset_formats  # with what reads archives and tables

        found = dataset_formats.read(Path(path))
        word = trigger or found.trigger
        whole = found.with_captions(word, caption).unbroken()
        for finding in whole.findings:
            if finding.code not in _HARMLESS:
                warnings.warn(f"{whole.name}: {finding.sentence}", UnifiedTrainWarning, stacklevel=2)
        images = tuple(entry.image.with_caption(entry.caption) for entry in whole.entries)
        return cls(images=images, trigger=word, class_word=class_word or found.class_word)

    @classmethod
    def from_folder(
        cls,
        folder: str | PathLike[str],
        *,
        trigger: str | None = None,
        class_word: str | None = None,
        caption: str | None = None,
    ) -> Self:
        """Read a folder with images and captions, in the order of their names: what `read` does, but no archive.

        Args:
            folder: Such as one with `photo.txt` beside `photo.jpg`; see `read` for other forms.
            trigger: See `read`.
            class_word: See `read`.
            caption: For images without one.

        Raises:
            DatasetError: There is no such folder, no image in it, or a file that is not what it should be.
        """
        if not Path(folder).is_dir():
            raise DatasetError(f"{folder}: no such folder")
        return cls.read(folder, trigger=trigger, class_word=class_word, caption=caption)


_HARMLESS = frozenset({"caption-without-image"})
"""Findings that change nothing about what is trained on: a file of notes is not worth a warning."""
