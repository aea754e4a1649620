"""The enumerations and limits that the vendor documents.

The client has its own copy, so that a mistake in one shows in the other.
"""

from __future__ import annotations

from dataclasses import dataclass

UPLOAD_BUCKET = "faas-training-dataset"
OUTPUT_BUCKET = "faas-output-image"
FILE_EXTENSIONS = ("png", "webp", "jpeg")

MAX_DATASET_ITEMS = 50
MAX_TEXT = 1024
MAX_ADDONS = 5
MAX_BATCH = 4
RANK = (4, 128)
LR_SCHEDULERS = ("constant", "linear", "cosine", "cosine_with_restarts", "polynomial", "constant_with_warmup")
COMPONENTS = ("face_crop_region", "resize", "face_restore")
CLASS_PROMPTS = ("person",)

SIZE = (128, 2048)
UPSCALED_SIZE = (128, 4096)
IMAGE_NUM = (1, 8)
STEPS = (1, 100)
GUIDANCE = (1.0, 30.0)
CLIP_SKIP = (1, 12)
UPSCALERS = ("RealESRGAN_x4plus_anime_6B", "RealESRNet_x4plus", "Latent")
MAX_INPUT_BYTES = 10 * 1024 * 1024
MAX_INPUT_PIXELS = 16_000_000
IMAGE_TYPES = ("png", "webp", "jpeg")
IMAGES_PER_MINUTE = {"TXT_TO_IMG": 20, "IMG_TO_IMG": 10}
SAMPLERS = (
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
)


@dataclass(frozen=True, slots=True)
class BaseModel:
    """A model that can be trained upon, and the checkpoint to generate with (Novita dossier 4.2).

    Attributes:
        checkpoint: The file name that generation wants.
        family: `SD 1.5` or `SDXL 1.0`, or None where nobody says.
    """

    checkpoint: str
    family: str | None


_SD = "SD 1.5"
_XL = "SDXL 1.0"
BASE_MODELS = {
    "stable-diffusion-xl-base-1.0": BaseModel("sd_xl_base_1.0.safetensors", _XL),
    "dreamshaperXL09Alpha_alpha2Xl10_91562": BaseModel("dreamshaperXL09Alpha_alpha2Xl10_91562.safetensors", _XL),
    "protovisionXLHighFidelity3D_release0630Bakedvae_154359": BaseModel(
        "protovisionXLHighFidelity3D_release0630Bakedvae_154359.safetensors", _XL
    ),
    "v1-5-pruned-emaonly": BaseModel("v1-5-pruned-emaonly.safetensors", _SD),
    "epicrealism_naturalSin_121250": BaseModel("epicrealism_naturalSin_121250.safetensors", _SD),
    "chilloutmix_NiPrunedFp32Fix": BaseModel("chilloutmix_NiPrunedFp32Fix.safetensors", _SD),
    "abyssorangemix3AOM3_aom3a3_10864": BaseModel("abyssorangemix3AOM3_aom3a3_10864.safetensors", _SD),
    "dreamshaper_8_93211": BaseModel("dreamshaper_8_93211.safetensors", _SD),
    "WFChild_v1.0": BaseModel("WFChild_v1.0.ckpt", _SD),
    "majichenmixrealistic_v10": BaseModel("majichenmixrealistic_v10_85701.safetensors", _SD),
    "realisticVisionV51_v51VAE_94301": BaseModel("realisticVisionV51_v51VAE_94301.safetensors", _SD),
    "sdxlUnstableDiffusers_v11_216694": BaseModel("sdxlUnstableDiffusers_v11_216694.safetensors", _XL),
    "realisticVisionV40_v40VAE_81510": BaseModel("realisticVisionV40_v40VAE_81510.safetensors", _SD),
    "epicrealismXL_v10_247189": BaseModel("epicrealismXL_v10_247189.safetensors", _XL),
    "somboy_v10_172675": BaseModel("somboy_v10_172675.safetensors", None),
    "yesmixXL_v10_283329": BaseModel("yesmixXL_v10_283329.safetensors", _XL),
    "animagineXLV31_v31_325600": BaseModel("animagineXLV31_v31_325600.safetensors", _XL),
}
FAMILY_OF_CHECKPOINT = {base.checkpoint: base.family for base in BASE_MODELS.values()}
