"""From a neutral training request to Scenario's parameters, with a note for whatever is sent otherwise than asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unified_train import InvalidOptions
from unified_train_scenario.catalog import LORA_SUFFIX, Trainer, trainer_of

if TYPE_CHECKING:
    from unified_train import Range, TrainingRequest
    from unified_train_scenario.options import ScenarioTraining

_MOST_REPEATS = 100
_MOST_STEPS = 10_000


def check_type(model_type: str) -> None:
    """Raise unless this is a type that can be trained.

    Raises:
        InvalidOptions: It is no LoRA type.
    """
    if not model_type.endswith(LORA_SUFFIX):
        raise InvalidOptions(
            f"base_model: {model_type!r} is no trainable type; Scenario's end in {LORA_SUFFIX}, such as flux.2-dev-lora"
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
