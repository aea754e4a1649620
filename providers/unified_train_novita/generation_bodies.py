"""The body of a generation, from text or from a picture (Novita dossier 5.2 and 5.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from unified_train import Base64, InvalidOptions, UnsupportedCapability
from unified_train_novita import base_models, limits
from unified_train_novita.limits import LEAST_SIDE, MAX_TEXT, MOST_SIDE
from unified_train_novita.training_bodies import given

if TYPE_CHECKING:
    from unified_train import GenerationRequest, Image, TrainedModel
    from unified_train_novita.base_models import Checkpoint
    from unified_train_novita.options import NovitaGeneration

STEPS = 20
GUIDANCE = 7.5
"""What the vendor's SDK sends if nobody says otherwise; the API itself requires both (Novita dossier 5.3)."""

_BLOCK = 8  # Stable Diffusion works in blocks of as many pixels; the vendor documents no step
_FROM_TEXT_ONLY = ("hires_fix", "refiner_switch_at", "restore_faces", "transparent_background")


class Route(NamedTuple):
    """One of the two ways to generate.

    Attributes:
        path: Of the API.
        operation: Its name here; the two have rates of their own.
    """

    path: str
    operation: str


FROM_TEXT = Route("/v3/async/txt2img", limits.FROM_TEXT)
FROM_IMAGE = Route("/v3/async/img2img", limits.FROM_IMAGE)


def route(request: GenerationRequest) -> Route:
    """Which way a request goes."""
    return FROM_TEXT if request.image is None else FROM_IMAGE


def checkpoint_of(model: TrainedModel, options: NovitaGeneration) -> Checkpoint | None:
    """What to generate with: what was chosen, else what was trained on; None if neither is known."""
    if options.checkpoint:
        return base_models.named(options.checkpoint)
    return base_models.for_base_model(model.base_model) if model.base_model else None


def check(model: TrainedModel, request: GenerationRequest, options: NovitaGeneration) -> None:
    """Raise for pictures that this LoRA, the chosen checkpoint or the chosen way can't make."""
    if request.negative_prompt and len(request.negative_prompt) > MAX_TEXT:
        raise InvalidOptions(f"negative_prompt: {len(request.negative_prompt)} characters; at most {MAX_TEXT}")
    alien = [name for name in _FROM_TEXT_ONLY if getattr(options, name) is not None]
    if request.image is not None and alien:
        raise UnsupportedCapability(f"Novita's img2img has no {', '.join(alien)}; leave it out, or leave out the image")
    if options.webhook_test and not options.webhook:
        raise InvalidOptions("webhook_test: needs a webhook to report to")
    _check_family(model, options)


def _check_family(model: TrainedModel, options: NovitaGeneration) -> None:
    checkpoint = checkpoint_of(model, options)
    trained = base_models.for_base_model(model.base_model).family if model.base_model else None
    family = checkpoint.family if checkpoint else None
    if checkpoint and family and trained and family is not trained:
        raise InvalidOptions(
            f"checkpoint: {checkpoint.file} is {family}, but the LoRA was trained on {model.base_model},"
            f" which is {trained}; take a checkpoint of the same family"
        )
    if options.transparent_background and (family is base_models.Family.SD15 or options.image_type != "png"):
        raise InvalidOptions("transparent_background: needs image_type png and an SDXL checkpoint")


def size(request: GenerationRequest, checkpoint: Checkpoint) -> tuple[int, int]:
    """Width and height, which the vendor requires on both ways.

    What nobody says is the checkpoint's own side for a picture from text. A picture from a picture keeps its shape,
    and its size too as far as the vendor makes that.
    """
    if request.image is None:
        return request.width or checkpoint.side, request.height or checkpoint.side
    width, height = request.image.width or checkpoint.side, request.image.height or checkpoint.side
    scale = _asked_scale(request, width, height)
    if scale is None:
        scale = min(max(1.0, LEAST_SIDE / min(width, height)), MOST_SIDE / max(width, height))
    return request.width or _side(width * scale), request.height or _side(height * scale)


def _asked_scale(request: GenerationRequest, width: int, height: int) -> float | None:
    """From the size of the input to the side that was asked for, if one was."""
    if request.width:
        return request.width / width
    return request.height / height if request.height else None


def _side(pixels: float) -> int:
    return min(max(round(pixels) // _BLOCK * _BLOCK, LEAST_SIDE), MOST_SIDE)


def notes(request: GenerationRequest, checkpoint: Checkpoint) -> tuple[str, ...]:
    """Which size was chosen, where it is not that of the input, or of its shape in the side that was asked for."""
    image = request.image
    if image is None or not image.width or not image.height or (request.width and request.height):
        return ()
    width, height = size(request, checkpoint)
    scale = _asked_scale(request, image.width, image.height) or 1.0
    if (width, height) == (round(image.width * scale), round(image.height * scale)):
        return ()
    note = (
        f"the input is {image.width}x{image.height}, the result {width}x{height}: sides of {LEAST_SIDE} to"
        f" {MOST_SIDE} pixels, in blocks of {_BLOCK}; give width and height for another size"
    )
    return (note,)


def generation(
    lora: str, checkpoint: Checkpoint, request: GenerationRequest, options: NovitaGeneration
) -> dict[str, Any]:
    """The body of a generation; `lora` is the trained model's name, exactly as the training gave it."""
    extra: dict[str, Any] = {
        "response_image_type": options.image_type,  # always, since documentation and SDK disagree on the default
        "enable_nsfw_detection": options.nsfw_detection or None,
        "nsfw_detection_level": options.nsfw_detection_level,
        "webhook": _webhook(options),
    }
    way = _from_text(options) if request.image is None else _from_image(request.image, request.strength)
    return {"extra": given(extra), "request": given(_common(lora, checkpoint, request, options) | way)}


def _common(lora: str, checkpoint: Checkpoint, request: GenerationRequest, options: NovitaGeneration) -> dict[str, Any]:
    width, height = size(request, checkpoint)
    return {
        "model_name": checkpoint.file,
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt or None,  # an empty one is below the least length
        "width": width,
        "height": height,
        "image_num": request.n,
        "steps": request.steps or STEPS,
        "guidance_scale": GUIDANCE if request.guidance is None else request.guidance,
        "sampler_name": options.sampler,
        "seed": request.seed,
        "loras": _loras(lora, options),
        "embeddings": [{"model_name": name} for name in options.embeddings] or None,
        "clip_skip": options.clip_skip,
        "sd_vae": options.sd_vae,
    }


def _from_text(options: NovitaGeneration) -> dict[str, Any]:
    return {
        "hires_fix": options.hires_fix.model_dump() if options.hires_fix else None,
        "refiner": None if options.refiner_switch_at is None else {"switch_at": options.refiner_switch_at},
        "restore_faces": options.restore_faces,
        "enable_transparent_background": options.transparent_background,
    }


def _from_image(image: Image, strength: float | None) -> dict[str, Any]:
    """The picture as plain base64, without a data-URI prefix; the vendor's strength means what the neutral one does."""
    return {"image_base64": Base64(image.body()), "strength": strength}


def _webhook(options: NovitaGeneration) -> dict[str, Any] | None:
    if options.webhook is None:
        return None
    mode = {"enabled": True, "return_task_status": options.webhook_test}
    return {"url": options.webhook} | ({"test_mode": mode} if options.webhook_test else {})


def _loras(lora: str, options: NovitaGeneration) -> list[dict[str, Any]]:
    return [
        {"model_name": lora, "strength": options.lora_strength},
        *({"model_name": other.model_name, "strength": other.strength} for other in options.loras),
    ]
