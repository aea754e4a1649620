"""What only Scenario has: `extra["scenario"]` of trainings and generations."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from unified_train import Options

_Count = Annotated[int, Field(ge=1, le=100)]


class TrainingPair(Options):
    """A before/after pair for the edit types (Scenario dossier 3.3).

    Attributes:
        source: The picture before: name of an image of the dataset, or id of an asset.
        target: The picture after.
        instruction: What leads from one to the other, such as `add snow`.
    """

    source: str
    target: str
    instruction: str | None = None


class ScenarioTraining(Options):
    """Vendor-only training options (Scenario dossier 4.2); ranges that differ by trainer are checked with the type.

    Attributes:
        batch_size: Pictures per step.
        epochs: Passes over the repeated dataset; the price grows with it.
        repeats: How often each picture counts in an epoch.
        learning_rate_text_encoder: Such as 1e-5.
        concept_prompt: Words that name the trained thing; trigger and class word if not given.
        sample_prompts: Pictures of each kept checkpoint; without them only the last checkpoint is kept.
        sample_sources: For the edit types, a picture for each of `sample_prompts` to start from, as in `pairs`.
        pairs: For the edit types, which need at least two; the others take none.
        optimize_for: `likeness` trains the parts that matter for portraits.
        wandb_key: Of a Weights & Biases account that shall get the logs.
        description: Short text on the model's page.
        collections: Ids of collections that shall hold the model.
    """

    batch_size: Annotated[int, Field(ge=1, le=8)] | None = None
    epochs: _Count | None = None
    repeats: _Count | None = None
    learning_rate_text_encoder: Annotated[float, Field(ge=1e-6, le=1e-3)] | None = None
    concept_prompt: str | None = None
    sample_prompts: Annotated[tuple[str, ...], Field(max_length=8)] = ()
    sample_sources: tuple[str, ...] = ()
    pairs: tuple[TrainingPair, ...] = ()
    optimize_for: Literal["likeness"] | None = None
    wandb_key: Annotated[SecretStr, Field(max_length=40)] | None = None
    description: Annotated[str, Field(max_length=256)] | None = None
    collections: tuple[str, ...] = ()


class ScenarioGeneration(Options):
    """Vendor-only generation options (Scenario dossier 6).

    Attributes:
        base: Id of the base model to run on; by the type of the trained model if not given.
        lora_scale: Strength of the trained model; its own default if not given.
        negative_prompt: What to keep out of the pictures; only Z-Image listens to it.
        image: An asset's id to start from, for FLUX.1 and Z-Image; `GenerationRequest.image` takes a picture.
        strength: How far to leave this `image` behind.
        reference_images: Asset ids to look at, for FLUX.2, Qwen and Kontext; `GenerationRequest.references` takes
            pictures.
    """

    base: str | None = None
    lora_scale: Annotated[float, Field(ge=0, le=2)] | None = None
    negative_prompt: str | None = None
    image: str | None = None
    strength: Annotated[float, Field(ge=0.01, le=1)] | None = None
    reference_images: Annotated[tuple[str, ...], Field(max_length=5)] = ()
