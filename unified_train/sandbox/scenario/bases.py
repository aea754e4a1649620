"""The base models: their inputs, which LoRAs they take, and what a picture costs (Scenario dossier 6.1 and 6.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unified_train.sandbox.scenario.errors import invalid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Input = dict[str, Any]

HIGHEST_SEED = 2_147_483_647
MOST_LORAS = 6
_MODALITIES = ["canny", "tile", "depth", "blur", "pose", "gray", "low-quality"]
_RATIOS = ["1:1", "4:3", "3:4", "3:2", "2:3", "16:9", "9:16"]


def _number(name: str, low: float, high: float, default: float | None = None, **more: Any) -> Input:
    spec: Input = {"name": name, "type": "number", "label": name, "min": low, "max": high, **more}
    return spec if default is None else {**spec, "default": default}


def _side(name: str, default: int | None = None) -> Input:
    return _number(name, 128, 2048, default, step=16)


def _text(name: str, **more: Any) -> Input:
    return {"name": name, "type": "string", "label": name, **more}


def _image(name: str, **more: Any) -> Input:
    return {"name": name, "type": "file", "kind": "image", "label": name, **more}


def _images(name: str, most: int, **more: Any) -> Input:
    return {"name": name, "type": "file_array", "kind": "image", "label": name, "maxLength": most, **more}


def _loras(types: Sequence[str], most: int) -> list[Input]:
    return [
        {"name": "loras", "type": "model_array", "label": "LoRAs", "maxLength": most, "modelTypes": list(types)},
        {"name": "lorasScale", "type": "number_array", "label": "Scales", "min": 0, "max": 2, "step": 0.05},
        {"name": "modelId", "type": "model", "label": "Model", "modelTypes": list(types)},
    ]


_PROMPT = _text("prompt", prompt=True, required={"always": True}, maxLength=2048)
_SEED = _number("seed", 0, HIGHEST_SEED, step=1)
_ALWAYS = {"always": True}

_FLUX1_INPUTS = [
    _PROMPT,
    _number("numOutputs", 1, 4, 1, step=1, costImpact=True),
    _side("width", 1104),
    _side("height", 832),
    _number("guidance", 0, 10, 3.5),
    _number("numInferenceSteps", 1, 50, 28, step=1),
    _SEED,
    _image("image"),
    _number("strength", 0.01, 1, 0.8),
    _image("controlImage"),
    _text("controlModality", allowedValues=_MODALITIES),
    _number("controlStrength", 0, 1, 0.7),
    _number("controlStart", 0, 1, 0),
    _number("controlEnd", 0, 1, 1),
]
# The table of the dossier ends at four bases; the klein and Qwen bases are taken to be like FLUX.2 dev.
_FLUX2_INPUTS = [
    _PROMPT,
    _number("numOutputs", 1, 4, 1, step=1, costImpact=True),
    _side("width"),
    _side("height"),
    _number("guidance", 1, 10, 4),
    _number("numInferenceSteps", 1, 100, 28, step=1),
    _SEED,
    _images("referenceImages", 5),
]
_ZIMAGE_INPUTS = [
    _text("prompt", prompt=True, maxLength=2048, required={"ifNotDefined": {"image": "Give a prompt or an image"}}),
    _text("negativePrompt"),
    _number("numOutputs", 1, 4, 4, step=1, costImpact=True),
    _side("width"),
    _side("height"),
    _number("guidance", 1, 10, 5),
    _number("numInferenceSteps", 1, 100, 28, step=1),
    _SEED,
    _image("image"),
    _number("strength", 0.01, 1, 0.6),
    _images("controlImage", 1),
]
_KONTEXT_INPUTS = [
    _PROMPT,
    _images("referenceImages", 4, required=_ALWAYS),
    _number("numOutputs", 1, 4, 1, step=1, costImpact=True),
    _text("aspectRatio", allowedValues=_RATIOS, default="1:1"),
    _text("quality"),
    _number("guidanceScale", 1, 20, 2.5),
    _SEED,
]


@dataclass(frozen=True)
class Base:
    """A base model: id, name, the LoRA types it takes and how many, its inputs but for those, price of a picture."""

    id: str
    name: str
    types: tuple[str, ...]
    most_loras: int
    own_inputs: tuple[Input, ...]
    price: float

    @property
    def inputs(self) -> list[Input]:
        """All inputs, as a record shows them."""
        return [*self.own_inputs, *_loras(self.types, self.most_loras)]

    @property
    def ui_config(self) -> dict[str, Any]:
        """How a record tells its LoRA inputs (Scenario dossier 6.1)."""
        wiring = {"label": "LoRAs", "modelInput": "loras", "scaleInput": "lorasScale", "modelIdInput": "modelId"}
        return {"lorasComponent": wiring}


def _base(
    identifier: str, name: str, types: str, inputs: Sequence[Input], *, price: float, most: int = MOST_LORAS
) -> Base:
    return Base(identifier, name, tuple(types.split()), most, tuple(inputs), price)


# Prices of FLUX.1 dev and FLUX.2 dev are captured dry runs (Scenario dossier 6.2); the others are the sandbox's own.
_ALL = (
    _base("model_bfl-flux-1-dev", "FLUX.1 dev", "flux.1-lora flux.1-composition", _FLUX1_INPUTS, price=9),
    _base("model_bfl-flux-1-schnell", "FLUX.1 schnell", "flux.1-lora flux.1-composition", _FLUX1_INPUTS, price=3),
    _base("model_flux-kontext-editing", "FLUX.1 Kontext", "flux.1-kontext-lora", _KONTEXT_INPUTS, price=12, most=1),
    _base("model_bfl-flux-2-dev", "FLUX.2 dev", "flux.2-dev-lora flux.2-dev-edit-lora", _FLUX2_INPUTS, price=16),
    *(
        _base(
            f"model_bfl-flux-2-klein-{size}{tail}",
            f"FLUX.2 klein {size}{tail}",
            f"flux.2-klein-{head}{size}-lora flux.2-klein-{head}{size}-edit-lora",
            _FLUX2_INPUTS,
            price=price,
        )
        for size, price in (("4b", 4), ("9b", 8))
        for head, tail in (("", ""), ("base-", "-base"))
    ),
    _base("model_qwen-image", "Qwen Image", "qwen-image-lora", _FLUX2_INPUTS, price=10),
    _base("model_qwen-image-2512", "Qwen Image 2512", "qwen-image-2512-lora", _FLUX2_INPUTS, price=10),
    *(
        _base(
            f"model_qwen-image-edit{tail}",
            f"Qwen Image Edit{tail}",
            f"qwen-image-edit{tail}-lora",
            _FLUX2_INPUTS,
            price=10,
        )
        for tail in ("", "-2509", "-2511")
    ),
    _base("model_z-image", "Z-Image", "zimage-lora zimage-turbo-lora zimage-de-turbo-lora", _ZIMAGE_INPUTS, price=5),
    _base(
        "model_z-image-turbo",
        "Z-Image Turbo",
        "zimage-lora zimage-turbo-lora zimage-de-turbo-lora",
        _ZIMAGE_INPUTS,
        price=3,
    ),
)
BASES: Mapping[str, Base] = {base.id: base for base in _ALL}


def base_for(model_type: str) -> Base | None:
    """The first base that takes LoRAs of this type, or None."""
    return next((base for base in _ALL if model_type in base.types), None)


def checked_inputs(inputs: Sequence[Input], given: Mapping[str, Any], *, refuse_unknown: bool) -> dict[str, Any]:
    """What a generation runs with: the given inputs over the defaults.

    A bare string for an array is dropped without a word, as the vendor does (Scenario dossier 6.2).

    Raises:
        Refusal: 400, an input is missing, unknown, of the wrong kind or out of range.
    """
    named = {spec["name"]: spec for spec in inputs}
    unknown = [name for name in given if name not in named]
    if unknown and refuse_unknown:
        raise invalid(f"Input {unknown[0]} is not allowed")
    values = {name: spec["default"] for name, spec in named.items() if "default" in spec}
    for name, value in given.items():
        spec = named.get(name)
        if spec is not None and value is not None and not _dropped(spec, value):
            values[name] = _checked(spec, value)
    for spec in inputs:
        _require(spec, values)
    return values


def _dropped(spec: Input, value: object) -> bool:
    return spec["type"].endswith("_array") and isinstance(value, str)


def _require(spec: Input, values: Mapping[str, Any]) -> None:
    rule, name = spec.get("required", {}), spec["name"]
    instead = [other for other in rule.get("ifNotDefined", {}) if other in values]
    if name not in values and (rule.get("always") or ("ifNotDefined" in rule and not instead)):
        raise invalid(f"Input {name} is required")


def _checked(spec: Input, value: Any) -> Any:
    name, kind = spec["name"], spec["type"]
    if kind == "number":
        return _checked_number(spec, value)
    if kind.endswith("_array"):
        return _checked_items(spec, value)
    if not isinstance(value, str):
        raise invalid(f"Input {name} must be a string")
    if len(value) > spec.get("maxLength", len(value)):
        raise invalid(f"Input {name} must be at most {spec['maxLength']} characters long")
    if value not in spec.get("allowedValues", [value]):
        raise invalid(f"Input {name} must be one of: {', '.join(spec['allowedValues'])}")
    return value


def _checked_number(spec: Input, value: Any) -> Any:
    name, step = spec["name"], spec.get("step")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid(f"Input {name} must be a number")
    if value < spec["min"]:
        raise invalid(f"Input {name} must be at least {spec['min']:g}")
    if value > spec["max"]:
        raise invalid(f"Input {name} must be at most {spec['max']:g}")
    if step and value % step:
        raise invalid(f"Input {name} must be a multiple of {step}")
    return value


def _checked_items(spec: Input, value: Any) -> Any:
    name, numbers = spec["name"], spec["type"] == "number_array"
    kinds = int | float if numbers else str
    if not isinstance(value, list) or not all(isinstance(item, kinds) for item in value):
        raise invalid(f"Input {name} must be an array of {'numbers' if numbers else 'strings'}")
    if len(value) > spec.get("maxLength", len(value)):
        raise invalid(f"Input {name} must be at most {spec['maxLength']} items long")
    # Too high a scale is refused, a negative one is not (Scenario dossier 6.1).
    if numbers and any(item > spec["max"] for item in value):
        raise invalid(f"Input {name} must be at most {spec['max']:g}")
    return value
