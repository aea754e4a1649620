"""What a vendor's error words mean, as data: one table per vendor field, each row with its source."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from unified_train.errors import ApiError


class Refusal(NamedTuple):
    """What one error word means.

    Attributes:
        error: The class to raise.
        source: Where the vendor says so: dossier section or vendor page.
        retryable: Whether the same request may succeed later; None for the class's own answer.
    """

    error: type[ApiError]
    source: str
    retryable: bool | None = None

    @property
    def passes(self) -> bool:
        """Whether the same request may succeed later."""
        return self.error.retryable_by_default if self.retryable is None else self.retryable


@dataclass(frozen=True, slots=True)
class ErrorTable:
    """All words of one vendor field, compared as they are; `*` in a row stands for any text.

    Attributes:
        name: Of the field, such as `reason`.
        rows: The first that fits counts.
    """

    name: str
    rows: Mapping[str, Refusal]

    def read(self, word: object) -> Refusal | None:
        """What a word means; None for one that is not in the table."""
        text = str(word)
        return next((row for pattern, row in self.rows.items() if fnmatchcase(text, pattern)), None)

    def __iter__(self) -> Iterator[tuple[str, Refusal]]:
        return iter(self.rows.items())
