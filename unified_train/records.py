"""The base of every frozen value in the public API, and how its mistakes are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import VERSION, AfterValidator, BaseModel, ConfigDict, ValidationError, model_validator

from unified_train.errors import InvalidOptions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import ModelWrapValidatorHandler


BUILT_LATE = tuple(int(part) for part in VERSION.split(".")[:2]) >= (2, 14)
"""Whether models are made ready at their first use, which saves time at the start; before 2.14 pydantic could trip over
itself there when two threads were first at once."""


class Record(BaseModel):
    """A frozen value; unknown fields are refused and inputs never appear in validation messages."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, arbitrary_types_allowed=True, defer_build=BUILT_LATE
    )


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return text


def _one_word(text: str) -> str:
    if len(text.split()) != 1:
        raise ValueError("must be one word")
    return text.strip()


Filled = Annotated[str, AfterValidator(_filled)]
"""Text with something in it."""
OneWord = Annotated[str, AfterValidator(_one_word)]
"""Text without a space."""


class Asked(Record):
    """A frozen value that users fill in: a mistake in it is an `InvalidOptions` with one sentence per field."""

    @model_validator(mode="wrap")
    @classmethod
    def _explain(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(data)
        except ValidationError as error:
            raise InvalidOptions(sentence(cls, error)) from None


def sentence(model: type[BaseModel], error: ValidationError) -> str:
    """Say in plain words what is wrong with the fields of `model`, naming the nearest field for an unknown one."""
    problems = [_problem(model.model_fields, item["loc"], item["type"], item["msg"]) for item in error.errors()]
    return f"{model.__name__}: " + "; ".join(dict.fromkeys(problems))


def _problem(fields: Iterable[str], location: tuple[int | str, ...], kind: str, message: str) -> str:
    name = ".".join(str(part) for part in location) or "value"
    if kind != "extra_forbidden":
        told = message.removeprefix("Value error, ")
        return f"{name}: {told[:1].lower()}{told[1:]}"
    from difflib import get_close_matches

    known = sorted(fields)
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known) or 'none'}"
    return f"unknown option {name!r}; {hint}"
