"""Model types, their trainers, the ranges of the parameters and the price (Scenario dossier 3.1 and 4.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unified_train.sandbox.scenario.errors import invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

_MUSUBI_SINGLE = (
    "flux.2-dev-lora",
    "flux.2-klein-4b-lora",
    "flux.2-klein-9b-lora",
    "flux.2-klein-base-4b-lora",
    "flux.2-klein-base-9b-lora",
    "qwen-image-lora",
    "qwen-image-2512-lora",
    "zimage-lora",
    "zimage-turbo-lora",
    "zimage-de-turbo-lora",
)
_MUSUBI_EDIT = (
    "flux.2-dev-edit-lora",
    "flux.2-klein-4b-edit-lora",
    "flux.2-klein-9b-edit-lora",
    "flux.2-klein-base-4b-edit-lora",
    "flux.2-klein-base-9b-edit-lora",
    "qwen-image-edit-lora",
    "qwen-image-edit-2509-lora",
    "qwen-image-edit-2511-lora",
)
_FLUX1 = ("flux.1-lora", "flux.1-krea-lora", "flux.1-kontext-lora")
_NOT_TRAINABLE = (
    "custom",
    "elevenlabs-voice",
    "flux.1",
    "flux.1-composition",
    "flux.1-kontext-dev",
    "flux.1-krea-dev",
    "flux.1-pro",
    "flux1.1-pro",
    "flux.1.1-pro-ultra",
    "gpt-image-1",
)

EDIT_TYPES = frozenset({*_MUSUBI_EDIT, "flux.1-kontext-lora"})
TRAINABLE_TYPES = frozenset({*_MUSUBI_SINGLE, *_MUSUBI_EDIT, *_FLUX1})
MODEL_TYPES = frozenset({*TRAINABLE_TYPES, *_NOT_TRAINABLE})
MINIMUM_PAIRS = 2

# Accepted and ignored: the SDK still names them, as legacy or for voices only (Scenario dossier 4.2).
_LEGACY = frozenset(
    {
        "classPrompt",
        "learningRateUnet",
        "lrScheduler",
        "numTextTrainSteps",
        "numUNetTrainSteps",
        "priorLossWeight",
        "randomCrop",
        "randomCropRatio",
        "randomCropScale",
        "scaleLr",
        "seed",
        "textEncoderTrainingRatio",
        "validationFrequency",
        "validationPrompt",
        "age",
        "cloneType",
        "gender",
        "language",
        "removeBackgroundNoise",
        "voiceDescription",
    }
)


@dataclass(frozen=True)
class Span:
    """The closed range of a number, and whether it must be whole."""

    low: float
    high: float
    whole: bool = True


@dataclass(frozen=True)
class Trainer:
    """One trainer: the type of its jobs, its parameters, and its price for one picture seen once.

    Attributes:
        job_type: Value of `jobType`.
        spans: Numeric parameters.
        defaults: What a model shows if nothing was asked.
        concept_length: Most characters of `conceptPrompt`; 0 means no limit.
        sample_prompts: Most entries of `samplePrompts`.
        price: Creative units for each image, epoch and repeat.
    """

    job_type: str
    spans: Mapping[str, Span]
    defaults: Mapping[str, float]
    concept_length: int
    sample_prompts: int
    price: float


# 18 images, 10 epochs, 20 repeats cost 1080 CU in a report from the field (Scenario dossier 4.2): 0.3 CU each.
FLUX1 = Trainer(
    job_type="flux-model-training",
    spans={
        "learningRate": Span(1e-6, 1e-2, whole=False),
        "rank": Span(2, 64),
        "batchSize": Span(1, 8),
        "nbEpochs": Span(1, 100),
        "nbRepeats": Span(1, 100),
        "maxTrainSteps": Span(0, 10_000),
        "learningRateTextEncoder": Span(1e-6, 1e-3, whole=False),
    },
    defaults={"learningRate": 1e-4, "rank": 16, "batchSize": 1, "nbEpochs": 10, "nbRepeats": 20},
    concept_length=0,
    sample_prompts=8,
    price=0.3,
)
# The dossier's example of 12 images at the defaults costs 300 CU (Scenario dossier 12): 0.125 CU each.
MUSUBI = Trainer(
    job_type="musubi-model-training",
    spans={
        "learningRate": Span(1e-5, 1e-3, whole=False),
        "rank": Span(2, 128),
        "batchSize": Span(1, 8),
        "nbEpochs": Span(1, 100),
        "nbRepeats": Span(1, 100),
        "maxTrainSteps": Span(0, 10_000),
        "learningRateTextEncoder": Span(1e-6, 1e-3, whole=False),
    },
    defaults={"learningRate": 5e-5, "rank": 64, "batchSize": 1, "nbEpochs": 10, "nbRepeats": 20},
    concept_length=20,
    sample_prompts=4,
    price=0.125,
)


def trainer_of(model_type: str) -> Trainer:
    """The trainer of a trainable type."""
    return FLUX1 if model_type in _FLUX1 else MUSUBI


def checked_parameters(model_type: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters a training runs with: what was given, over the trainer's defaults.

    Raises:
        Refusal: 400, a parameter is unknown, of the wrong kind or out of range.
    """
    trainer = trainer_of(model_type)
    for name, value in given.items():
        if name in trainer.spans:
            _check_span(name, value, trainer.spans[name])
        elif name not in _LEGACY:
            _check_other(name, value, model_type, trainer)
    samples, sources = given.get("samplePrompts", []), given.get("sampleSourceImages")
    if sources is not None and len(sources) != len(samples):
        raise invalid("Parameter sampleSourceImages must have the same length as samplePrompts")
    return {**trainer.defaults, **{name: value for name, value in given.items() if name not in _LEGACY}}


def _check_span(name: str, value: object, span: Span) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or (span.whole and value != int(value)):
        raise invalid(f"Parameter {name} must be {'an integer' if span.whole else 'a number'}")
    if not span.low <= value <= span.high:
        raise invalid(f"Parameter {name} must be between {span.low:g} and {span.high:g}")


def _check_other(name: str, value: object, model_type: str, trainer: Trainer) -> None:
    if name == "conceptPrompt":
        _check_text(name, value, trainer.concept_length)
    elif name == "wandbKey":
        _check_text(name, value, 40)
    elif name == "optimizeFor":
        if value != "likeness":
            raise invalid("Parameter optimizeFor must be one of: likeness")
    elif name == "samplePrompts" or (name == "sampleSourceImages" and model_type in EDIT_TYPES):
        _check_texts(name, value, trainer.sample_prompts)
    else:
        raise invalid(f"Parameter {name} is not allowed for {model_type}")


def _check_text(name: str, value: object, longest: int) -> None:
    if not isinstance(value, str):
        raise invalid(f"Parameter {name} must be a string")
    if longest and len(value) > longest:
        raise invalid(f"Parameter {name} must be at most {longest} characters long")


def _check_texts(name: str, value: object, most: int) -> None:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise invalid(f"Parameter {name} must be an array of strings")
    if len(value) > most:
        raise invalid(f"Parameter {name} must be at most {most} items long")


def training_cost(model_type: str, parameters: Mapping[str, Any], images: int) -> float:
    """The price of a training in creative units; linear in images and epochs (Scenario dossier 4.2)."""
    seen: float = images * parameters["nbEpochs"] * parameters["nbRepeats"]
    return round(trainer_of(model_type).price * seen, 2)
