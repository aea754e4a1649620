"""The bodies of the two paid requests, made from neutral requests (Novita dossier 4.1, 4.3, 5.2 and 5.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from unified_train import DatasetError, Image, InvalidOptions, UnsupportedCapability
from unified_train_novita import base_models
from unified_train_novita.options import MAX_TEXT, NovitaTraining

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unified_train import Dataset, GenerationRequest, TrainingRequest, UploadedImage
    from unified_train_novita.base_models import Checkpoint
    from unified_train_novita.options import NovitaGeneration

Endpoint = Literal["subject", "style"]

STEPS = 20
GUIDANCE = 7.5
"""What the vendor's SDK sends if nobody says otherwise; the API itself requires both (Novita dossier 5.3)."""

_PERSON = "person"
_PERSONS = frozenset(
    {"person", "people", "human", "face", "man", "woman", "boy", "girl", "child", "kid", "baby", "teenager", "toddler"}
    | {"adult", "guy", "lady", "gentleman", "male", "female", "portrait"}
)
_LEARNING_RATES = (1e-4, 1e-5, 1e-6, 2e-4, 5e-5)
_INTEGER = "#"


def asset_reference(assets_id: str | int) -> str:
    """An asset's id as text that still tells an integer from a string, since the vendor wants it back as it came."""
    text = str(assets_id)
    return _INTEGER + text if isinstance(assets_id, int) or text.startswith(_INTEGER) else text


def assets_id(reference: str) -> str | int:
    """The reverse of `asset_reference`."""
    if not reference.startswith(_INTEGER):
        return reference
    text = reference.removeprefix(_INTEGER)
    return text if text.startswith(_INTEGER) else int(text)


def endpoint(request: TrainingRequest, options: NovitaTraining) -> Endpoint:
    """Which of the two trainings to use: the subject training takes `person` as its only class (Novita dossier 11)."""
    if options.endpoint:
        return options.endpoint
    word = request.dataset.class_word
    is_person = word is None or bool(_PERSONS & set(word.casefold().split()))
    return "subject" if request.kind == "subject" and is_person else "style"


def captions(dataset: Dataset) -> list[str]:
    """A caption for each image; a style LoRA learns its trigger from these, so it goes in front where it is missing."""
    return [_caption(image.caption or "", dataset) for image in dataset.images]


def _caption(text: str, dataset: Dataset) -> str:
    trigger = dataset.trigger
    if text and (trigger is None or trigger.casefold() in text.casefold()):
        return text
    return ", ".join(filter(None, [dataset.phrase, text]))


def check_training(request: TrainingRequest, options: NovitaTraining) -> None:
    """Raise for what one of the two trainings does not take."""
    if endpoint(request, options) == "style":
        _check_style(request, options)
    elif not (options.instance_prompt or request.dataset.phrase):
        raise InvalidOptions(
            "Novita's subject training must be told what the pictures show: give the dataset a trigger such as 'ohwx'"
        )
    else:
        _check_lengths(request.dataset.images, [image.caption or "" for image in request.dataset.images])


def _check_style(request: TrainingRequest, options: NovitaTraining) -> None:
    given = [name for name in NovitaTraining.SUBJECT_ONLY if getattr(options, name) is not None]
    if request.rank is not None:
        given.insert(0, "rank")
    if given:
        why = "" if request.kind == "style" else ", and only persons are trained as subjects there"
        raise UnsupportedCapability(f"Novita's style training has no {', '.join(given)}{why}; leave it out")
    texts = captions(request.dataset)
    for image, text in zip(request.dataset.images, texts, strict=True):
        if not text:
            raise DatasetError(
                f"{image.name}: Novita's style training needs a caption for each image; write one, or set a trigger"
            )
    _check_lengths(request.dataset.images, texts)


def _check_lengths(images: Sequence[Image | UploadedImage], texts: Sequence[str]) -> None:
    for image, text in zip(images, texts, strict=True):
        if len(text) > MAX_TEXT:
            raise DatasetError(
                f"{image.name}: a caption of {len(text)} characters; Novita takes at most {MAX_TEXT}; shorten it"
            )


def training(request: TrainingRequest, options: NovitaTraining, kind: Endpoint) -> dict[str, Any]:
    """The body of a training; what nobody set is left out, since the vendor's defaults are not documented."""
    side = request.resolution or base_models.for_base_model(_base(request)).side
    width, height = options.width or side, options.height or side
    return {
        "name": request.name,
        "base_model": _base(request),
        "width": width,
        "height": height,
        "image_dataset_items": _items(request.dataset, kind),
        "expert_setting": _expert_setting(request, options, kind),
        "components": _components(options, width, height),
    }


def _base(request: TrainingRequest) -> str:
    return request.base_model or base_models.DEFAULT


def _items(dataset: Dataset, kind: Endpoint) -> list[dict[str, Any]]:
    texts = captions(dataset) if kind == "style" else [image.caption or "" for image in dataset.images]
    items: list[dict[str, Any]] = []
    for image, text in zip(dataset.images, texts, strict=True):
        if isinstance(image, Image):
            raise DatasetError(f"{image.name}: not uploaded yet")
        item: dict[str, Any] = {"assets_id": assets_id(image.id)}
        items.append(item | {"caption": text} if text else item)
    return items


def _expert_setting(request: TrainingRequest, options: NovitaTraining, kind: Endpoint) -> dict[str, Any]:
    setting: dict[str, Any] = {
        "max_train_steps": request.steps,
        "learning_rate": request.learning_rate,
        "seed": request.seed,
        **{name: getattr(options, name) for name in NovitaTraining.BOTH},
    }
    if kind == "subject":
        setting |= {name: getattr(options, name) for name in NovitaTraining.SUBJECT_ONLY}
        setting |= {"lora_r": request.rank, "class_prompt": _PERSON}
        setting["instance_prompt"] = options.instance_prompt or _instance_prompt(request.dataset)
    return _given(setting)


def _instance_prompt(dataset: Dataset) -> str:
    """In the words that the vendor's guide suggests: a token and what it stands for."""
    return f"a close photo of {dataset.phrase}" + ("" if dataset.class_word else f" {_PERSON}")


def _components(options: NovitaTraining, width: int, height: int) -> list[dict[str, Any]]:
    """Always sent, since the table of fields requires them; every value is a string (Novita dossier 4.1)."""
    if options.components is None:
        return [_component("resize", {"width": width, "height": height})]
    return [_component(component.name, component.args) for component in options.components]


def _component(name: str, args: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "args": [{"name": key, "value": str(value)} for key, value in args.items()]}


def training_notes(request: TrainingRequest, kind: Endpoint) -> tuple[str, ...]:
    """What was sent otherwise than asked, or may not be taken."""
    notes = []
    if kind != request.kind:
        notes.append(f"Novita trains only persons as subjects, so this was sent to its {kind} training")
    elif kind == "subject" and not request.dataset.class_word:
        notes.append("Novita's subject training takes everything for a person; give a class word if it is none")
    if kind == "style" and captions(request.dataset) != [image.caption for image in request.dataset.images]:
        notes.append(
            f"{request.dataset.phrase!r} was put in front of captions without it, since Novita learns it there"
        )
    rate = request.learning_rate
    if rate is not None and rate not in _LEARNING_RATES:
        documented = ", ".join(f"{one:g}" for one in sorted(_LEARNING_RATES))
        notes.append(f"the learning rate {rate:g} is none of those that Novita documents: {documented}")
    return tuple(notes)


def generation(
    lora: str, checkpoint: Checkpoint, request: GenerationRequest, options: NovitaGeneration
) -> dict[str, Any]:
    """The body of a generation; `lora` is the trained model's name, exactly as the training gave it."""
    asked: dict[str, Any] = {
        "model_name": checkpoint.file,
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt or None,  # an empty one is below the least length
        "width": request.width or checkpoint.side,
        "height": request.height or checkpoint.side,
        "image_num": request.n,
        "steps": request.steps or STEPS,
        "guidance_scale": GUIDANCE if request.guidance is None else request.guidance,
        "sampler_name": options.sampler,
        "seed": request.seed,
        "loras": _loras(lora, options),
        "embeddings": [{"model_name": name} for name in options.embeddings] or None,
        "clip_skip": options.clip_skip,
        "sd_vae": options.sd_vae,
        "hires_fix": options.hires_fix.model_dump() if options.hires_fix else None,
        "refiner": None if options.refiner_switch_at is None else {"switch_at": options.refiner_switch_at},
        "restore_faces": options.restore_faces,
        "enable_transparent_background": options.transparent_background,
    }
    extra: dict[str, Any] = {
        "response_image_type": options.image_type,  # always, since documentation and SDK disagree on the default
        "enable_nsfw_detection": options.nsfw_detection or None,
        "nsfw_detection_level": options.nsfw_detection_level,
        "webhook": {"url": options.webhook} if options.webhook else None,
    }
    return {"extra": _given(extra), "request": _given(asked)}


def _loras(lora: str, options: NovitaGeneration) -> list[dict[str, Any]]:
    return [
        {"model_name": lora, "strength": options.strength},
        *({"model_name": other.model_name, "strength": other.strength} for other in options.loras),
    ]


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
