"""What a base model takes: read from its own record, so that a new one needs no release, else from a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError

from unified_train import InvalidOptions, Wire

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from unified_train_scenario.wire import Model

_NEAR = 1e-6
"""Part of a step that counts as rounding: 0.7 is a multiple of 0.05."""


def _number(value: object) -> object:
    """A number, or None for whatever else stands in the field of another kind of input."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _object(value: object) -> object:
    return value if isinstance(value, dict) else {}


Number = Annotated[float | None, BeforeValidator(_number)]


class Input(Wire):
    """One input of a base model (Scenario dossier 6.2), as far as it is read.

    Attributes:
        name: In the body of a generation.
        min: Of a number.
        max: Of a number.
        step: Of a number; counted from zero or from `min`.
        most: Characters of a string, or items of an array.
        required: When it must be there; only `always` is read, the rest is for the vendor to check.
        default: Of the vendor.
    """

    name: str = Field(min_length=1)
    min: Number = None
    max: Number = None
    step: Number = None
    most: Number = Field(default=None, alias="maxLength")
    required: Annotated[dict[str, Any], BeforeValidator(_object)] = {}
    default: Any = None

    @property
    def needed(self) -> bool:
        """Whether a generation without it is refused."""
        return self.required.get("always") is True and self.default is None

    def problem(self, value: object) -> str | None:
        """What is wrong with a value, if anything."""
        if isinstance(value, str | list):
            kind = "characters" if isinstance(value, str) else "items"
            too_long = self.most is not None and len(value) > self.most
            return f"{len(value)} {kind}; at most {self.most:g} are taken" if too_long else None
        if not isinstance(value, int | float):
            return None
        if (self.min is not None and value < self.min) or (self.max is not None and value > self.max):
            return f"{value:g} is outside what is taken ({_told(self.min)}–{_told(self.max)})"
        if self.step and not any(_multiple(value - start, self.step) for start in (0.0, self.min or 0.0)):
            return f"{value:g} is no multiple of {self.step:g}"
        return None


def _told(limit: float | None) -> str:
    return "…" if limit is None else f"{limit:.10g}"


def _multiple(value: float, step: float) -> bool:
    return abs(value / step - round(value / step)) < _NEAR


@dataclass(frozen=True)
class Inputs:
    """All inputs of a base model.

    Attributes:
        of: Whose they are, for messages.
        specs: By name.
        loras: Name of the input for LoRAs.
        scales: Name of the input for their strengths.
    """

    of: str
    specs: Mapping[str, Input]
    loras: str = "loras"
    scales: str = "lorasScale"

    def first(self, *names: str) -> Input | None:
        """The first of these inputs that there is."""
        return next((self.specs[name] for name in names if name in self.specs), None)

    def check_needed(self, body: Mapping[str, Any]) -> None:
        """Raise for an input without which the vendor would refuse.

        Raises:
            InvalidOptions: One is missing.
        """
        known = {*body, self.loras, self.scales}  # what a LoRA needs is added by whoever runs one
        missing = [spec.name for spec in self.specs.values() if spec.needed and spec.name not in known]
        if missing:
            words = {"referenceImages": "references", "image": "an image"}
            raise InvalidOptions(f"{self.of} needs {words.get(missing[0], missing[0])}; the request has none")


def inputs_of_record(model: Model) -> Inputs | None:
    """The inputs that a model's own record lists, and where LoRAs go; None if it lists none (dossier 6.1)."""
    specs = [spec for spec in map(_input, model.inputs or ()) if spec]
    if not specs:
        return None
    wiring = (model.ui or {}).get("lorasComponent")
    told: dict[str, Any] = wiring if isinstance(wiring, dict) else {}
    return Inputs(
        of=model.name or model.id,
        specs={spec.name: spec for spec in specs},
        loras=str(told.get("modelInput") or "loras"),
        scales=str(told.get("scaleInput") or "lorasScale"),
    )


def _input(raw: object) -> Input | None:
    """One input; None if it has not even a name."""
    try:
        return Input.model_validate(raw)
    except ValidationError:
        return None


# -- the table, for a record that can't be read (Scenario dossier 6.2) -------------------------------------------------


def _spec(name: str, low: float | None = None, high: float | None = None, step: float | None = None) -> Input:
    return Input(name=name, min=low, max=high, step=step)


_COMMON = (
    _spec("numOutputs", 1, 4, 1),
    _spec("seed", 0, 2_147_483_647, 1),
)
_SIZED = (*_COMMON, _spec("width", 128, 2048, 16), _spec("height", 128, 2048, 16))
_PROMPT = Input(name="prompt", maxLength=2048)
_REFERENCES = Input(name="referenceImages", maxLength=5)

_FLUX1 = (
    *_SIZED,
    _PROMPT,
    _spec("guidance", 0, 10),
    _spec("numInferenceSteps", 1, 50, 1),
    _spec("image"),
    _spec("strength", 0.01, 1),
)
_KONTEXT = (
    *_COMMON,
    _spec("prompt"),
    _spec("guidanceScale"),
    Input(name="referenceImages", required={"always": True}),
)
_ZIMAGE = (
    *_SIZED,
    _spec("prompt"),
    _spec("negativePrompt"),
    _spec("guidance", 1, 10),
    _spec("numInferenceSteps", 1, 100, 1),
    _spec("image"),
    _spec("strength", 0.01, 1),
)
_OTHERS = (*_SIZED, _spec("prompt"), _spec("guidance", 1, 10), _spec("numInferenceSteps", 1, 100, 1), _REFERENCES)


def inputs_of_type(model_type: str) -> Inputs:
    """The inputs of the base that runs LoRAs of a type, as captured; a new type is taken to be like FLUX.2."""
    return Inputs(of=f"a model of type {model_type}", specs={spec.name: spec for spec in _table(model_type)})


def _table(model_type: str) -> Sequence[Input]:
    if model_type == "flux.1-kontext-lora":
        return _KONTEXT
    if model_type.startswith("flux.1-"):
        return _FLUX1
    return _ZIMAGE if model_type.startswith("zimage-") else _OTHERS
