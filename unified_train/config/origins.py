"""Where a value comes from, so that nobody has to guess which of several places had the last word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from unified_train.config.toml_file import TomlFile


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value comes from.

    Attributes:
        kind: `argument`, `variable`, `file` or `default`.
        variable: Name of the environment variable, if it is one.
        file: The configuration file, if it is one.
        key: Path of the value in the file, with its profile.
    """

    kind: Literal["argument", "variable", "file", "default"]
    variable: str = ""
    file: TomlFile | None = None
    key: tuple[str, ...] = ()

    @property
    def line(self) -> int | None:
        """Line of the file on which the value begins."""
        return self.file.line(self.key) if self.file else None

    def __str__(self) -> str:
        if self.file:
            return self.file.place(self.key)
        return self.variable or self.kind


ARGUMENT = Origin("argument")
DEFAULT = Origin("default")


def dotted(key: tuple[str, ...]) -> str:
    """A key as it stands in a file: `providers.novita.api_key`."""
    return ".".join(key)
