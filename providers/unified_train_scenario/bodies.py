"""From neutral requests to Scenario's parameters and inputs, with a note for whatever is sent otherwise than asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unified_train import InvalidOptions, UnsupportedCapability
from unified_train_scenario.catalog import LORA_SUFFIX, Trainer, inputs_of, needs_pairs, trainer_of

if TYPE_CHECKING:
    from unified_train import GenerationRequest, Range, TrainingRequest
    from unified_train_scenario.options import ScenarioGeneration, ScenarioTraining

_MOST_REPEATS = 100
_MOST_STEPS = 10_000


def check_type(model_type: str) -> None:
    """Raise unless this is a type that trains on single images.

    Raises:
        InvalidOptions: It is no LoRA type at all.
        UnsupportedCapability: It needs before/after pairs, which a dataset has not.
    """
    if not model_type.endswith(LORA_SUFFIX):
        raise InvalidOptions(
            f"base_model: {model_type!r} is no trainable type; Scenario's end in {LORA_SUFFIX}, such as flux.2-dev-lora"
        )
    if needs_pairs(model_type):
        raise UnsupportedCapability(
            f"base_model: {model_type} trains on before/after pairs, which a dataset does not have; use one without"
            " 'edit' or 'kontext' in its name"
        )


def training_parameters(
    request: TrainingRequest, options: ScenarioTraining, model_type: str
) -> tuple[dict[str, Any], list[str]]:
    """`parameters` of the training, without what nobody asked for, and notes.

    Raises:
        InvalidOptions: A value is outside the range of the type's trainer (Scenario dossier 4.2).
    """
    trainer, notes = trainer_of(model_type), list[str]()
    _within("learning_rate", request.learning_rate, trainer.learning_rate, trainer)
    _within("rank", request.rank, trainer.rank, trainer)
    if len(options.sample_prompts) > trainer.sample_prompts:
        raise InvalidOptions(f"sample_prompts: {trainer.name} takes at most {trainer.sample_prompts}")
    parameters: dict[str, Any] = {
        "learningRate": request.learning_rate,
        "rank": request.rank,
        "seed": request.seed,
        "batchSize": options.batch_size,
        "nbEpochs": options.epochs,
        "nbRepeats": options.repeats,
        "learningRateTextEncoder": options.learning_rate_text_encoder,
        "conceptPrompt": _concept(request, options, trainer, notes),
        "samplePrompts": list(options.sample_prompts) or None,
        "optimizeFor": options.optimize_for,
        "wandbKey": options.wandb_key.get_secret_value() if options.wandb_key else None,
    }
    if request.steps is not None:
        parameters |= _steps(request.steps, len(request.dataset.images), options, trainer, notes)
    if request.seed is not None:
        notes.append("Scenario calls the training parameter seed deprecated; it may have no effect")
    return {name: value for name, value in parameters.items() if value is not None}, notes


def _within(name: str, value: float | None, allowed: Range, trainer: Trainer) -> None:
    if value is not None and not allowed.admits(value):
        raise InvalidOptions(f"{name}: {value:g} is outside what {trainer.name} takes ({allowed})")


def _concept(request: TrainingRequest, options: ScenarioTraining, trainer: Trainer, notes: list[str]) -> str | None:
    """Words for the trained thing: as asked, else trigger and class word as far as they fit."""
    longest = trainer.concept_length
    if options.concept_prompt is not None:
        if longest is not None and len(options.concept_prompt) > longest:
            raise InvalidOptions(f"concept_prompt: {trainer.name} takes at most {longest} characters")
        return options.concept_prompt
    for words in (request.dataset.phrase, request.dataset.trigger or ""):
        if words and (longest is None or len(words) <= longest):
            if words != request.dataset.phrase:
                notes.append(f"{trainer.name} takes {longest} characters of concept; only {words!r} was sent")
            return words
    if request.dataset.phrase:
        notes.append(f"{trainer.name} takes {longest} characters of concept; {request.dataset.phrase!r} was not sent")
    return None


def _steps(steps: int, images: int, options: ScenarioTraining, trainer: Trainer, notes: list[str]) -> dict[str, int]:
    """FLUX.1 counts steps; the newer trainer counts repeats of the dataset, so that steps become repeats."""
    if trainer.max_steps:
        if steps > _MOST_STEPS:
            raise InvalidOptions(f"steps: {steps} is outside what {trainer.name} takes (0–{_MOST_STEPS})")
        return {"maxTrainSteps": steps}
    if options.repeats is not None:
        raise InvalidOptions("steps: can't be combined with repeats, which it stands for; give one of them")
    epochs, batch = options.epochs or trainer.epochs, options.batch_size or trainer.batch_size
    repeats = max(1, round(steps * batch / (images * epochs)))
    made = repeats * images * epochs // batch
    if repeats > _MOST_REPEATS:
        most = _MOST_REPEATS * images * epochs // batch
        raise InvalidOptions(f"steps: at most {most} with {images} images and {epochs} epochs; ask for more epochs")
    if made != steps:
        notes.append(f"steps={steps} was sent as {repeats} repeats of {epochs} epochs, which makes {made}")
    return {"nbRepeats": repeats}


def check_generation(request: GenerationRequest, options: ScenarioGeneration, model_type: str) -> None:
    """Raise for what the base of a type does not take (Scenario dossier 6.2).

    Raises:
        InvalidOptions: A value is outside its range.
        UnsupportedCapability: It has no such input.
    """
    inputs = inputs_of(model_type)
    for name, value, allowed in (
        ("guidance", request.guidance, inputs.guidance_range),
        ("steps", request.steps, inputs.steps),
    ):
        if value is not None and allowed is not None and not allowed.admits(value):
            raise InvalidOptions(f"{name}: {value:g} is outside what models of type {model_type} take ({allowed})")
    if inputs.max_prompt is not None and len(request.prompt) > inputs.max_prompt:
        raise InvalidOptions(f"prompt: {len(request.prompt)} characters; {model_type} takes {inputs.max_prompt}")
    if options.negative_prompt is not None and not inputs.negative:
        raise UnsupportedCapability(f"negative_prompt: models of type {model_type} do not take one; leave it out")


def generation_inputs(
    request: GenerationRequest, options: ScenarioGeneration, model_type: str
) -> tuple[dict[str, Any], list[str]]:
    """Inputs of a generation but for the LoRA itself, and notes.

    The number of pictures is always told: where it is left out, some bases make four (Scenario dossier 13, trap 6).
    """
    inputs = inputs_of(model_type)
    body: dict[str, Any] = {
        "prompt": request.prompt,
        "numOutputs": request.n,
        "negativePrompt": options.negative_prompt,
        "width": request.width if inputs.sized else None,
        "height": request.height if inputs.sized else None,
        inputs.guidance: request.guidance,
        "numInferenceSteps": request.steps if inputs.steps else None,
        "seed": request.seed,
        "image": options.image,
        "strength": options.strength,
        "referenceImages": list(options.reference_images) or None,
    }
    asked = {"width": request.width, "height": request.height} if not inputs.sized else {}
    asked |= {} if inputs.steps else {"steps": request.steps}
    notes = [f"models of type {model_type} take no {name}; it was not sent" for name, value in asked.items() if value]
    return {name: value for name, value in body.items() if value is not None}, notes
