"""What is wrong or doubtful about a dataset: one record for each matter, and a report of them all."""

from __future__ import annotations

from typing import Literal, TypeAlias

from unified_train.records import Record

Severity: TypeAlias = Literal["error", "hint"]
"""An error stops a training or makes it something else; a hint is worth a look."""


class Finding(Record):
    """One matter about a dataset.

    Attributes:
        file: Path inside the dataset, with `/`; None if it is about the dataset as a whole.
        severity: `error` or `hint`.
        code: A name for this kind of matter, for programs; it stays the same when the words change.
        message: What is the matter, without full stop.
        remedy: What to do about it.
        provider: Slug of the vendor whose rule it is; None if it is nobody's in particular.
    """

    file: str | None
    severity: Severity
    code: str
    message: str
    remedy: str
    provider: str | None = None

    @property
    def sentence(self) -> str:
        """Message and remedy, with the file before them if there is one."""
        told = f"{self.message}; {self.remedy}"
        return told if self.file is None else f"{self.file}: {told}"


class CheckedImage(Record):
    """One image of a checked dataset.

    Attributes:
        file: Path inside the dataset.
        media_type: Such as `image/png`; None if it is no image.
        width: Pixels, as it is stored; None if it could not be read.
        height: Pixels, as for `width`.
        bytes: Size of the file.
        caption: Its caption, with the trigger put in.
    """

    file: str
    media_type: str | None
    width: int | None
    height: int | None
    bytes: int
    caption: str | None


class Report(Record):
    """What a check found.

    Attributes:
        dataset: Where it is.
        images: In their order.
        findings: Errors and hints, in the order of the images; those about the whole come first.
    """

    dataset: str
    images: tuple[CheckedImage, ...]
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that must be settled."""
        return tuple(item for item in self.findings if item.severity == "error")

    @property
    def hints(self) -> tuple[Finding, ...]:
        """The findings that are worth a look."""
        return tuple(item for item in self.findings if item.severity == "hint")

    def about(self, file: str) -> tuple[Finding, ...]:
        """The findings about one file."""
        return tuple(item for item in self.findings if item.file == file)
