"""Reading a request's JSON the way the vendor does: null counts as absent, unknown keys are ignored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from unified_train.sandbox.novita.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_T = TypeVar("_T")


class Fields:
    """One JSON object of a request, read field by field; each mistake names its place."""

    def __init__(self, values: Mapping[str, Any], at: str = "") -> None:
        self._values = values
        self._at = at

    def wrong(self, name: str, rule: str) -> Refusal:
        """The refusal that says which field breaks which rule."""
        return Refusal("INVALID_REQUEST_BODY", f"{self._at}{name}: {rule}")

    def value(self, name: str) -> Any:
        """The value as it came; None if it is absent or null."""
        return self._values.get(name)

    def text(self, name: str, *, most: int | None = None, choices: Collection[str] = ()) -> str:
        """A string that must be there and not be empty."""
        return _present(self, name, self.maybe_text(name, most=most, choices=choices))

    def maybe_text(
        self, name: str, *, least: int = 1, most: int | None = None, choices: Collection[str] = ()
    ) -> str | None:
        """A string, or None."""
        value = self.value(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise self.wrong(name, "must be a string")
        if not least <= len(value) <= (most or len(value)):
            raise self.wrong(name, f"must have {least} to {most or 'any number of'} characters")
        if choices and value not in choices:
            raise self.wrong(name, f"must be one of {', '.join(choices)}")
        return value

    def whole(self, name: str, least: int, most: int | None = None) -> int:
        """A whole number that must be there."""
        return _present(self, name, self.maybe_whole(name, least, most))

    def maybe_whole(self, name: str, least: int, most: int | None = None) -> int | None:
        """A whole number, or None."""
        value = self.value(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.wrong(name, "must be an integer")
        if value < least or (most is not None and value > most):
            raise self.wrong(name, f"must be {_between(least, most)}")
        return value

    def number(self, name: str, least: float, most: float) -> float:
        """A number that must be there."""
        return _present(self, name, self.maybe_number(name, least, most))

    def maybe_number(self, name: str, least: float, most: float) -> float | None:
        """A number, or None."""
        value = self.value(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(name, "must be a number")
        if not least <= value <= most:
            raise self.wrong(name, f"must be {_between(least, most)}")
        return float(value)

    def flag(self, name: str) -> bool:
        """A boolean; false if it is absent."""
        value = self.value(name)
        if not isinstance(value, bool | None):
            raise self.wrong(name, "must be a boolean")
        return bool(value)

    def object(self, name: str) -> Fields:
        """An object that must be there."""
        return _present(self, name, self.maybe_object(name))

    def maybe_object(self, name: str) -> Fields | None:
        """An object, or None."""
        value = self.value(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self.wrong(name, "must be an object")
        return Fields(value, f"{self._at}{name}.")

    def objects(self, name: str, *, most: int | None = None) -> list[Fields]:
        """A list of objects; empty if it is absent."""
        value = self.value(name) if self.value(name) is not None else []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.wrong(name, "must be an array of objects")
        if most is not None and len(value) > most:
            raise self.wrong(name, f"must have at most {most} items")
        return [Fields(item, f"{self._at}{name}[{index}].") for index, item in enumerate(value)]


def _present(fields: Fields, name: str, value: _T | None) -> _T:
    if value is None:
        raise fields.wrong(name, "is required")
    return value


def _between(least: float, most: float | None) -> str:
    return f"at least {least:g}" if most is None else f"between {least:g} and {most:g}"
