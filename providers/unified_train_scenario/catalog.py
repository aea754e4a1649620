"""Scenario's model types: who trains them within which limits, and which base model runs them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from unified_train import Range

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_TYPE = "flux.2-dev-lora"
LORA_SUFFIX = "-lora"

# Types that train on single images (Scenario dossier 3.1); the current ones first.
SINGLE_IMAGE_TYPES = (
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
    "flux.1-lora",
    "flux.1-krea-lora",
)


# Types that train on before/after pairs (Scenario dossier 3.1).
EDIT_TYPES = (
    "flux.2-dev-edit-lora",
    "flux.2-klein-4b-edit-lora",
    "flux.2-klein-9b-edit-lora",
    "flux.2-klein-base-4b-edit-lora",
    "flux.2-klein-base-9b-edit-lora",
    "qwen-image-edit-lora",
    "qwen-image-edit-2509-lora",
    "qwen-image-edit-2511-lora",
    "flux.1-kontext-lora",
)


@dataclass(frozen=True)
class Trainer:
    """What one trainer takes (Scenario dossier 4.2); a range of None alone is not documented.

    Attributes:
        name: For messages.
        learning_rate: Range.
        rank: Range.
        max_steps: Whether it counts steps itself (`maxTrainSteps`), rather than epochs and repeats.
        concept_length: Most characters of `conceptPrompt`.
        sample_prompts: Most of them.
        batch_size: If nothing is asked.
        epochs: If nothing is asked.
    """

    name: str
    learning_rate: Range
    rank: Range
    max_steps: bool
    concept_length: int | None
    sample_prompts: int
    batch_size: int = 1
    epochs: int = 10


FLUX1 = Trainer(
    name="the FLUX.1 trainer",
    learning_rate=Range(),
    rank=Range(minimum=2, maximum=64, step=1),
    max_steps=True,
    concept_length=None,
    sample_prompts=8,
)
MUSUBI = Trainer(
    name="the FLUX.2, Qwen and Z-Image trainer",
    learning_rate=Range(minimum=1e-5, maximum=1e-3),
    rank=Range(minimum=2, maximum=128, step=1),
    max_steps=False,
    concept_length=20,
    sample_prompts=4,
)


def trainer_of(model_type: str) -> Trainer:
    """The trainer of a type; new types are expected at the newer one."""
    return FLUX1 if model_type.startswith("flux.1-") else MUSUBI


def needs_pairs(model_type: str) -> bool:
    """Whether a type trains on before/after pairs, as new ones with `edit` in their name are expected to."""
    return model_type in EDIT_TYPES or "-edit-" in model_type


# Which base runs a LoRA of which type (Scenario dossier 6.1). For flux.1-krea-lora nobody documents one.
BASES: Mapping[str, str] = {
    "flux.1-lora": "model_bfl-flux-1-dev",
    "flux.1-composition": "model_bfl-flux-1-dev",
    "flux.1-kontext-lora": "model_flux-kontext-editing",
    "flux.2-dev-lora": "model_bfl-flux-2-dev",
    "flux.2-klein-4b-lora": "model_bfl-flux-2-klein-4b",
    "flux.2-klein-9b-lora": "model_bfl-flux-2-klein-9b",
    "flux.2-klein-base-4b-lora": "model_bfl-flux-2-klein-4b-base",
    "flux.2-klein-base-9b-lora": "model_bfl-flux-2-klein-9b-base",
    "qwen-image-lora": "model_qwen-image",
    "qwen-image-2512-lora": "model_qwen-image-2512",
    "qwen-image-edit-lora": "model_qwen-image-edit",
    "qwen-image-edit-2509-lora": "model_qwen-image-edit-2509",
    "qwen-image-edit-2511-lora": "model_qwen-image-edit-2511",
    "zimage-lora": "model_z-image",
    "zimage-turbo-lora": "model_z-image",
    "zimage-de-turbo-lora": "model_z-image",
}


def base_of(model_type: str) -> str | None:
    """The base model that runs a LoRA, or None if it is not known; edit variants run on the base of their family."""
    return BASES.get(model_type) or BASES.get(model_type.replace("-edit-lora", "-lora"))
