"""What the vendor checks in a request before it accepts a job (Novita dossier 4.1 and 5.2 to 5.3)."""

from __future__ import annotations

import base64
import binascii
import secrets
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal

from unified_train.sandbox.novita import facts
from unified_train.sandbox.novita.errors import Refusal
from unified_train.sandbox.novita.fields import Fields
from unified_train.sandbox.novita.jobs import Ask, Kind, Webhook, shared_words

if TYPE_CHECKING:
    from collections.abc import Mapping

_SEED_BITS = 33  # the vendor's samples exceed 2**31
_NO_BOUND = float("inf")
_MIN_NUMBER = 1e-12


@dataclass(frozen=True, slots=True)
class TrainingAsk:
    """What a training was asked for, checked; `assets` are ids as they came."""

    kind: Kind
    name: str
    base_model: str
    assets: tuple[str | int, ...]
    words: frozenset[str]


def training(body: Mapping[str, Any], kind: Kind, *, strict_captions: bool = False) -> TrainingAsk:
    """Check the body of a training request."""
    asked = Fields(body)
    name = asked.text("name")
    base_model = asked.text("base_model", choices=facts.BASE_MODELS)
    asked.whole("width", 1)
    asked.whole("height", 1)
    items = asked.objects("image_dataset_items", most=facts.MAX_DATASET_ITEMS)
    if not items:
        raise asked.wrong("image_dataset_items", f"must have 1 to {facts.MAX_DATASET_ITEMS} items")
    captions = [_caption(item, required=strict_captions and kind == "style") for item in items]
    instance_prompt = _expert_setting(asked, kind)
    _components(asked)
    texts = [instance_prompt] if instance_prompt else captions
    return TrainingAsk(kind, name, base_model, tuple(_asset(item) for item in items), shared_words(texts))


def _asset(item: Fields) -> str | int:
    value = item.value("assets_id")
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise item.wrong("assets_id", "is required")
    return value


def _caption(item: Fields, *, required: bool) -> str:
    read = item.text if required else item.maybe_text
    return read("caption", most=facts.MAX_TEXT) or ""


def _expert_setting(asked: Fields, kind: Kind) -> str | None:
    """Check the expert settings; the instance prompt of a subject, which must have one."""
    setting = asked.maybe_object("expert_setting") or Fields({}, "expert_setting.")
    setting.maybe_whole("train_batch_size", 1, facts.MAX_BATCH)
    _learning_rate(setting)
    setting.maybe_whole("max_train_steps", 1)
    setting.maybe_whole("seed", 1)
    setting.maybe_text("lr_scheduler", choices=facts.LR_SCHEDULERS)
    setting.maybe_whole("lr_warmup_steps", 0)
    if kind == "style":
        return None
    setting.text("class_prompt", choices=facts.CLASS_PROMPTS)
    setting.flag("with_prior_preservation")
    setting.flag("train_text_encoder")
    setting.maybe_number("prior_loss_weight", _MIN_NUMBER, _NO_BOUND)
    for name in ("lora_r", "lora_alpha", "lora_text_encoder_r", "lora_text_encoder_alpha"):
        setting.maybe_whole(name, *facts.RANK)
    return setting.text("instance_prompt", most=facts.MAX_TEXT)


def _learning_rate(setting: Fields) -> None:
    """Numbers outside the documented list pass, and so do numbers in a string, since the vendor's demo sends them."""
    value = setting.value("learning_rate")
    if isinstance(value, str):
        try:
            Fields({"learning_rate": float(value)}, "expert_setting.").number("learning_rate", _MIN_NUMBER, 1)
        except ValueError:
            raise setting.wrong("learning_rate", "must be a number") from None
    else:
        setting.maybe_number("learning_rate", _MIN_NUMBER, 1)


def _components(asked: Fields) -> None:
    """Documented as required, but the vendor's own SDK sends null (Novita dossier 12)."""
    for component in asked.objects("components"):
        component.text("name", choices=facts.COMPONENTS)
        for arg in component.objects("args"):
            arg.text("name")
            arg.text("value")


def generation(body: Mapping[str, Any], task_type: Literal["TXT_TO_IMG", "IMG_TO_IMG"]) -> Ask:
    """Check the body of a generation request."""
    envelope = Fields(body)
    extra = envelope.maybe_object("extra") or Fields({}, "extra.")
    asked = envelope.object("request")
    image_type = extra.maybe_text("response_image_type", choices=facts.IMAGE_TYPES) or "png"
    extra.maybe_whole("nsfw_detection_level", 0, 2)
    checkpoint = asked.text("model_name", choices=facts.FAMILY_OF_CHECKPOINT)
    prompt = asked.text("prompt", most=facts.MAX_TEXT)
    asked.maybe_text("negative_prompt", least=0, most=facts.MAX_TEXT)
    width, height = asked.whole("width", *facts.SIZE), asked.whole("height", *facts.SIZE)
    _sampling(asked)
    if task_type == "TXT_TO_IMG":
        width, height = _txt2img(asked, (width, height), image_type, checkpoint)
    return Ask(
        task_type=task_type,
        prompt=prompt,
        width=width,
        height=height,
        count=asked.whole("image_num", *facts.IMAGE_NUM),
        seed=_seed(asked),
        image_type=image_type,
        checkpoint=checkpoint,
        loras=_loras(asked),
        source=_source(asked) if task_type == "IMG_TO_IMG" else None,
        nsfw_check=extra.flag("enable_nsfw_detection"),
        webhook=_webhook(extra),
    )


def _sampling(asked: Fields) -> None:
    asked.whole("steps", *facts.STEPS)
    asked.number("guidance_scale", *facts.GUIDANCE)
    asked.text("sampler_name", choices=facts.SAMPLERS)
    asked.maybe_whole("clip_skip", *facts.CLIP_SKIP)
    asked.maybe_text("sd_vae", least=0)
    for embedding in asked.objects("embeddings", most=facts.MAX_ADDONS):
        embedding.text("model_name")


def _seed(asked: Fields) -> int:
    value = asked.maybe_whole("seed", -1)
    return secrets.randbits(_SEED_BITS) if value in (None, -1) else int(value or 0)


def _loras(asked: Fields) -> tuple[tuple[str, float], ...]:
    loras = asked.objects("loras", most=facts.MAX_ADDONS)
    return tuple((lora.text("model_name"), lora.number("strength", 0, 1)) for lora in loras)


def _txt2img(asked: Fields, size: tuple[int, int], image_type: str, checkpoint: str) -> tuple[int, int]:
    """The size of the pictures, after the upscaler if there is one."""
    asked.flag("restore_faces")
    family = facts.FAMILY_OF_CHECKPOINT[checkpoint]
    if asked.flag("enable_transparent_background") and (image_type != "png" or family == "SD 1.5"):
        raise asked.wrong("enable_transparent_background", "needs png and an SDXL model")
    if refiner := asked.maybe_object("refiner"):
        refiner.number("switch_at", 0, 1)
    fix = asked.maybe_object("hires_fix")
    if fix is None:
        return size
    fix.number("strength", 0, 1)
    fix.maybe_text("upscaler", choices=facts.UPSCALERS)
    return fix.whole("target_width", *facts.UPSCALED_SIZE), fix.whole("target_height", *facts.UPSCALED_SIZE)


def _source(asked: Fields) -> bytes:
    """The picture to start from: plain base64 without a data-URI prefix."""
    asked.maybe_number("strength", 0, 1)
    try:
        data = base64.b64decode(asked.text("image_base64"), validate=True)
    except binascii.Error:
        raise Refusal("INVALID_IMAGE_FORMAT", "request.image_base64: is not plain base64") from None
    if len(data) > facts.MAX_INPUT_BYTES:
        raise Refusal("IMAGE_FILE_EXCEEDS_MAX_SIZE", "request.image_base64: is larger than 10 MB")
    width, height = _measured(data)
    if width * height > facts.MAX_INPUT_PIXELS:
        raise Refusal("IMAGE_EXCEEDS_MAX_RESOLUTION", "request.image_base64: has more than 16 megapixels")
    return data


def _measured(data: bytes) -> tuple[int, int]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(BytesIO(data)) as picture:
            return picture.size
    except UnidentifiedImageError:
        raise Refusal("INVALID_IMAGE_FORMAT", "request.image_base64: is no image") from None
    except Image.DecompressionBombError:
        return facts.MAX_INPUT_PIXELS, facts.MAX_INPUT_PIXELS


def _webhook(extra: Fields) -> Webhook | None:
    asked = extra.maybe_object("webhook")
    if asked is None:
        return None
    url = asked.text("url")
    if not url.startswith(("http://", "https://")):
        raise asked.wrong("url", "must be an http or https URL")
    test = asked.maybe_object("test_mode")
    mock = None
    if test is not None and test.flag("enabled"):
        mock = test.text("return_task_status", choices=("TASK_STATUS_SUCCEED", "TASK_STATUS_FAILED"))
    return Webhook(url, mock, dict(extra.value("webhook")))


def is_image(data: bytes) -> bool:
    """Whether the bytes begin as a PNG, JPEG or WebP does."""
    return data.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")) or (data[:4], data[8:12]) == (b"RIFF", b"WEBP")
