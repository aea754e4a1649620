"""What only this vendor has: its options for training and generation."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from unified_train import Options
from unified_train_novita.components import Component, resize_only
from unified_train_novita.limits import MAX_TEXT

_Side = Annotated[int, Field(ge=1)]
_Rank = Annotated[int, Field(ge=4, le=128)]
_Share = Annotated[float, Field(ge=0, le=1)]
_Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]
_Name = Annotated[str, Field(min_length=1)]

Sampler = Literal[
    "Euler a",
    "Euler",
    "LMS",
    "Heun",
    "DPM2",
    "DPM2 a",
    "DPM++ 2S a",
    "DPM++ 2M",
    "DPM++ SDE",
    "DPM fast",
    "DPM adaptive",
    "LMS Karras",
    "DPM2 Karras",
    "DPM2 a Karras",
    "DPM++ 2S a Karras",
    "DPM++ 2M Karras",
    "DPM++ SDE Karras",
    "DDIM",
    "PLMS",
    "UniPC",
]
"""As the vendor's field reference spells them; its SDK's list differs (Novita dossier 5.3)."""


class NovitaTraining(Options):
    """Options of a training (Novita dossier 4.1). Those marked so exist for the vendor's subject training only.

    Attributes:
        endpoint: Which of the vendor's two trainings to use; unless told, a subject whose class word is no person
            goes to the style training, since the other knows persons only.
        width: Of the training pictures in pixels; the resolution unless told.
        height: Of the training pictures in pixels; the resolution unless told.
        components: How the pictures are prepared, step by step, such as
            `[{"name": "face_crop_region", "args": {"ratio": 1.4}}, {"name": "resize"}, {"name": "face_restore"}]`,
            which is what the vendor's SDK has for faces; unless told they are only resized.
        train_batch_size: Pictures per step.
        lr_scheduler: How the learning rate changes.
        lr_warmup_steps: Steps until the learning rate is reached; not used by `constant`.
        instance_prompt: Subject only: what all the pictures show; made from trigger and class word unless told.
        with_prior_preservation: Subject only: keep what the base model knows of persons.
        prior_loss_weight: Subject only: how much that counts.
        train_text_encoder: Subject only.
        lora_alpha: Subject only.
        lora_text_encoder_r: Subject only: rank for the text encoder.
        lora_text_encoder_alpha: Subject only.
    """

    endpoint: Literal["subject", "style"] | None = None
    width: _Side | None = None
    height: _Side | None = None
    components: Annotated[tuple[Component, ...], Field(min_length=1)] = Field(default_factory=resize_only)
    train_batch_size: Annotated[int, Field(ge=1, le=4)] | None = None
    lr_scheduler: (
        Literal["constant", "linear", "cosine", "cosine_with_restarts", "polynomial", "constant_with_warmup"] | None
    ) = None
    lr_warmup_steps: Annotated[int, Field(ge=0)] | None = None
    instance_prompt: _Text | None = None
    with_prior_preservation: bool | None = None
    prior_loss_weight: Annotated[float, Field(gt=0)] | None = None
    train_text_encoder: bool | None = None
    lora_alpha: _Rank | None = None
    lora_text_encoder_r: _Rank | None = None
    lora_text_encoder_alpha: _Rank | None = None

    BOTH: ClassVar[tuple[str, ...]] = ("train_batch_size", "lr_scheduler", "lr_warmup_steps")
    SUBJECT_ONLY: ClassVar[tuple[str, ...]] = (
        "instance_prompt",
        "with_prior_preservation",
        "prior_loss_weight",
        "train_text_encoder",
        "lora_alpha",
        "lora_text_encoder_r",
        "lora_text_encoder_alpha",
    )


class Lora(Options):
    """One more LoRA to use.

    Attributes:
        model_name: The vendor's name of it.
        strength: 0 to 1.
    """

    model_name: _Name
    strength: _Share = 1.0


class HiresFix(Options):
    """Upscaling after generation; sizes in pixels.

    Attributes:
        target_width: 128 to 4096.
        target_height: 128 to 4096.
        strength: 0 to 1.
        upscaler: Which.
    """

    target_width: Annotated[int, Field(ge=128, le=4096)]
    target_height: Annotated[int, Field(ge=128, le=4096)]
    strength: _Share = 0.5
    upscaler: Literal["RealESRGAN_x4plus_anime_6B", "RealESRNet_x4plus", "Latent"] = "Latent"


class NovitaGeneration(Options):
    """Options of a generation (Novita dossier 5.2 and 5.3).

    Attributes:
        checkpoint: File name of the model that the LoRA works upon; the one it was trained on unless told.
        lora_strength: Of the trained LoRA, 0 to 1.
        loras: More LoRAs; five in all.
        embeddings: Names of textual inversions, at most five.
        sampler: Its name is case- and space-sensitive.
        image_type: Of the pictures.
        clip_skip: 1 to 12.
        sd_vae: Name of another decoder.
        hires_fix: Upscaling; from text only.
        refiner_switch_at: From which share of the steps on the refiner works, 0 to 1; from text only.
        restore_faces: Whether to mend faces; from text only.
        transparent_background: For png and SDXL only; from text only.
        nsfw_detection: Whether the pictures are checked; the vendor bills that extra.
        nsfw_detection_level: How strict, 0 to 2.
        webhook: URL that the vendor posts the result to, once or, if it is not taken, up to six times; nothing signs
            what is posted, so put something in the URL that can't be guessed, and let `client.parse_webhook` and a
            poll tell what is true of it.
        webhook_test: Have this end reported at once, without a run; needs a webhook.
        resolve_lora_name: Ask the vendor first how it names the LoRA in its API, should the name that the training
            gave not work.
    """

    checkpoint: _Name | None = None
    lora_strength: _Share = 1.0
    loras: Annotated[tuple[Lora, ...], Field(max_length=4)] = ()
    embeddings: Annotated[tuple[_Name, ...], Field(max_length=5)] = ()
    sampler: Sampler = "Euler a"
    image_type: Literal["png", "webp", "jpeg"] = "png"
    clip_skip: Annotated[int, Field(ge=1, le=12)] | None = None
    sd_vae: _Name | None = None
    hires_fix: HiresFix | None = None
    refiner_switch_at: _Share | None = None
    restore_faces: bool | None = None
    transparent_background: bool | None = None
    nsfw_detection: bool = False
    nsfw_detection_level: Annotated[int, Field(ge=0, le=2)] | None = None
    webhook: Annotated[str, Field(pattern=r"^https?://\S+$")] | None = None
    webhook_test: Literal["TASK_STATUS_SUCCEED", "TASK_STATUS_FAILED"] | None = None
    resolve_lora_name: bool = False
