"""One request as the handlers see it: path, query and JSON body, with readers that refuse what the vendor refuses."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from unified_train.sandbox.scenario.errors import forbidden, invalid
from unified_train.sandbox.scenario.records import PROJECT

if TYPE_CHECKING:
    from collections.abc import Mapping

_DATA_URL = re.compile(r"data:[\w.+-]+/[\w.+-]+(;[\w=.-]+)*;base64,", re.IGNORECASE)
_DRY_RUNS = ("true", "api")


@dataclass(frozen=True)
class Call:
    """One authorised request.

    Attributes:
        params: Placeholders of the path.
        query: Query parameters; of a repeated one, the last.
        body: The parsed JSON body, an empty object if there was none.
        public: Whether the caller is nobody in particular and sees public records only.
    """

    params: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    public: bool = False

    @property
    def fields(self) -> dict[str, Any]:
        """The body as an object."""
        if not isinstance(self.body, dict):
            raise invalid("The request body must be an object")
        return self.body

    @property
    def original(self) -> bool:
        """Whether URLs shall point at untransformed files."""
        return self.query.get("originalAssets") == "true"

    @property
    def dry_run(self) -> bool:
        """Whether only the price is asked for."""
        word = self.query.get("dryRun")
        if word is not None and word not in _DRY_RUNS:
            raise invalid("Query dryRun must be one of: true, api")
        return word is not None

    def check_project(self) -> None:
        """Refuse another project than the one of the key (Scenario dossier 1)."""
        if self.query.get("projectId", PROJECT) != PROJECT:
            raise forbidden("You do not have access to this project")

    def text(self, name: str) -> str | None:
        """A string of the body, or None."""
        value = self.fields.get(name)
        if value is not None and not isinstance(value, str):
            raise invalid(f"Field {name} must be a string")
        return value

    def needed_text(self, name: str) -> str:
        """A string of the body that must be there."""
        value = self.text(name)
        if not value:
            raise invalid(f"Field {name} is required")
        return value

    def texts(self, name: str, *, most: int | None = None) -> list[str]:
        """An array of strings of the body; empty if it is absent."""
        value = self.fields.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise invalid(f"Field {name} must be an array of strings")
        if most is not None and len(value) > most:
            raise invalid(f"Too many {name} provided in a single request")
        return value

    def page_size(self, *, default: int, most: int) -> int:
        """The wanted length of a page."""
        text = self.query.get("pageSize", str(default))
        if not text.isdecimal() or not 1 <= int(text) <= most:
            raise invalid(f"Query pageSize must be between 1 and {most}")
        return int(text)

    def words(self, *names: str) -> list[str]:
        """A comma-separated query parameter, under the first of its names that is given."""
        found = next((self.query[name] for name in names if name in self.query), "")
        return [word for word in found.split(",") if word]

    def date(self, name: str) -> datetime | None:
        """An ISO date of the query, or None."""
        text = self.query.get(name)
        if text is None:
            return None
        try:
            date = datetime.fromisoformat(text)
        except ValueError:
            raise invalid(f"Query {name} must be an ISO 8601 date") from None
        return date if date.tzinfo else date.replace(tzinfo=UTC)


def decoded(text: str) -> bytes:
    """The bytes of bare base64."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise invalid("Unhandled image format") from None


def from_data_url(text: str) -> bytes:
    """The bytes of a data URL."""
    found = _DATA_URL.match(text)
    if not found:
        raise invalid("The image must be a data URL")
    return decoded(text[found.end() :])


def is_data_url(text: str) -> bool:
    """Whether a text is a data URL, rather than an id."""
    return text.startswith("data:")
