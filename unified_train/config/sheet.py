"""What may stand in a configuration file, checked and laid over each other by pydantic-settings.

Imported only when there is a file, since that package takes longer to import than everything else in a client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from unified_train.config.origins import dotted
from unified_train.config.values import near
from unified_train.errors import ConfigurationError
from unified_train.records import Filled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from unified_train.config.toml_file import TomlFile

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Scalar = str | int | float | bool

_STRICT = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class RetryTable(BaseModel):
    """The table `retry`; see `Retry`."""

    model_config = _STRICT

    attempts: Annotated[int, Field(ge=1)] = 1
    first: Seconds = 0.0
    longest: Seconds = 0.0
    grace: Seconds = 0.0


class PollingTable(BaseModel):
    """The table `polling`; see `Polling`."""

    model_config = _STRICT

    first: Seconds = 0.0
    share: Seconds = 0.0
    longest: Seconds = 0.0
    patience: Seconds = 0.0


class Profile(BaseModel):
    """What may stand at the top of a file, and in each of its profiles; only what is set counts."""

    model_config = _STRICT

    provider: Filled = ""
    journal: Filled | Literal[False] = False
    image_host: Filled = ""
    retry: RetryTable = RetryTable()
    polling: PollingTable = PollingTable()
    providers: dict[str, dict[str, Scalar]] = {}


class Sheet(BaseSettings, Profile):  # pyright: ignore[reportIncompatibleVariableOverride] - their model_config
    """A whole file."""

    # Defaults stand for what is not set: they need not be what might be.
    model_config = SettingsConfigDict(
        extra="forbid", strict=True, frozen=True, hide_input_in_errors=True, validate_default=False
    )

    profiles: dict[str, Profile] = {}


def check(file: TomlFile) -> None:
    """Check one file.

    Raises:
        ConfigurationError: Something in it is unknown or of the wrong type; names file, line and key.
    """
    try:
        laid_over([file.values])
    except ValidationError as error:
        problems = [(tuple(map(str, item["loc"])), item["type"], item["msg"]) for item in error.errors()]
        told = {_problem(file, *problem): file.line(_key(file, problem[0])) or 0 for problem in problems}
        raise ConfigurationError("; ".join(sorted(told, key=lambda problem: told[problem]))) from None


def laid_over(layers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Values of several layers, the strongest first, as one; what none of them sets is left out."""

    class Layered(Sheet):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic-settings passes them by name
            env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the environment is read by all alike, see loading
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return tuple(InitSettingsSource(settings_cls, dict(layer)) for layer in layers)

    return Layered().model_dump(exclude_unset=True)


def _problem(file: TomlFile, location: tuple[str, ...], kind: str, message: str) -> str:
    key = _key(file, location)
    place = file.place(key)
    if kind == "extra_forbidden":
        return f"{place}: unknown key {dotted(key)!r}; {near(key[-1], _names_at(key[:-1]))}"
    if key[-1] == "journal":
        return f"{place}: {dotted(key)}: a path, or false to do without"
    told = message.removeprefix("Value error, ").removeprefix("Input ")
    return f"{place}: {dotted(key)}: {told[:1].lower()}{told[1:]}"


def _key(file: TomlFile, location: tuple[str, ...]) -> tuple[str, ...]:
    """As much of pydantic's location as is in the file; the rest are the kinds of value that were tried."""
    key = location
    while len(key) > 1 and file.line(key) is None:
        key = key[:-1]
    return key


def _names_at(table: tuple[str, ...]) -> list[str]:
    """What is known in a table."""
    inner = table[2:] if table[:1] == ("profiles",) else table
    models: dict[tuple[str, ...], type[BaseModel]] = {("retry",): RetryTable, ("polling",): PollingTable}
    return sorted(models.get(inner, Profile if table else Sheet).model_fields)
