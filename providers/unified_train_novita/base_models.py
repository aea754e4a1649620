"""Which models can be trained upon, and which checkpoint generates with what was trained (Novita dossier 4.2).

A training names the model without a file extension, a generation names a checkpoint file, and for some the two differ
in more than the extension. A LoRA fits checkpoints of its own family only.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Family(StrEnum):
    """What a LoRA and a checkpoint must have in common; the values are the vendor's own words for it."""

    SD15 = "SD 1.5"
    SDXL = "SDXL 1.0"

    @property
    def side(self) -> int:
        """Pixels of the square pictures that the family was made for."""
        return 1024 if self is Family.SDXL else 512


class Checkpoint(NamedTuple):
    """What to generate with: a file name, and a family where anybody tells it."""

    file: str
    family: Family | None

    @property
    def side(self) -> int:
        """Pixels of the square pictures to make if nobody says otherwise."""
        return (self.family or Family.SD15).side


DEFAULT = "v1-5-pruned-emaonly"
"""What the vendor advises for LoRAs that are to work with many checkpoints (vendor guide on style training)."""

CHECKPOINTS = {
    DEFAULT: Checkpoint("v1-5-pruned-emaonly.safetensors", Family.SD15),
    "stable-diffusion-xl-base-1.0": Checkpoint("sd_xl_base_1.0.safetensors", Family.SDXL),
    "dreamshaperXL09Alpha_alpha2Xl10_91562": Checkpoint(
        "dreamshaperXL09Alpha_alpha2Xl10_91562.safetensors", Family.SDXL
    ),
    "protovisionXLHighFidelity3D_release0630Bakedvae_154359": Checkpoint(
        "protovisionXLHighFidelity3D_release0630Bakedvae_154359.safetensors", Family.SDXL
    ),
    "epicrealism_naturalSin_121250": Checkpoint("epicrealism_naturalSin_121250.safetensors", Family.SD15),
    "chilloutmix_NiPrunedFp32Fix": Checkpoint("chilloutmix_NiPrunedFp32Fix.safetensors", Family.SD15),
    "abyssorangemix3AOM3_aom3a3_10864": Checkpoint("abyssorangemix3AOM3_aom3a3_10864.safetensors", Family.SD15),
    "dreamshaper_8_93211": Checkpoint("dreamshaper_8_93211.safetensors", Family.SD15),
    "WFChild_v1.0": Checkpoint("WFChild_v1.0.ckpt", Family.SD15),
    "majichenmixrealistic_v10": Checkpoint("majichenmixrealistic_v10_85701.safetensors", Family.SD15),
    "realisticVisionV51_v51VAE_94301": Checkpoint("realisticVisionV51_v51VAE_94301.safetensors", Family.SD15),
    "sdxlUnstableDiffusers_v11_216694": Checkpoint("sdxlUnstableDiffusers_v11_216694.safetensors", Family.SDXL),
    "realisticVisionV40_v40VAE_81510": Checkpoint("realisticVisionV40_v40VAE_81510.safetensors", Family.SD15),
    "epicrealismXL_v10_247189": Checkpoint("epicrealismXL_v10_247189.safetensors", Family.SDXL),
    "somboy_v10_172675": Checkpoint("somboy_v10_172675.safetensors", None),
    "yesmixXL_v10_283329": Checkpoint("yesmixXL_v10_283329.safetensors", Family.SDXL),
    "animagineXLV31_v31_325600": Checkpoint("animagineXLV31_v31_325600.safetensors", Family.SDXL),
}
_BY_FILE = {checkpoint.file: checkpoint for checkpoint in CHECKPOINTS.values()}
_OF_FAMILY = {Family.SD15: CHECKPOINTS[DEFAULT], Family.SDXL: CHECKPOINTS["stable-diffusion-xl-base-1.0"]}


def for_base_model(name: str) -> Checkpoint:
    """The checkpoint for a LoRA trained on `name`; a name that is not in the table is taken for the file's stem."""
    known = CHECKPOINTS.get(name) or _BY_FILE.get(name)
    return known or named(name if name.endswith((".safetensors", ".ckpt")) else f"{name}.safetensors")


def named(file: str) -> Checkpoint:
    """The checkpoint with a file name, which need not be in the table."""
    return _BY_FILE.get(file) or Checkpoint(file, None)


def of_family(word: str) -> Checkpoint | None:
    """The family's plainest checkpoint, for a LoRA of which only the family is known; None for other families."""
    return next((checkpoint for family, checkpoint in _OF_FAMILY.items() if family == word), None)
