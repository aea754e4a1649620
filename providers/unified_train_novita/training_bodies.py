"""The body of a training, and what one of the two trainings does not take (Novita dossier 4.1 and 4.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from unified_train import DatasetError, Image, InvalidOptions, UnsupportedCapability
from unified_train_novita import base_models, components
from unified_train_novita.limits import MAX_TEXT
from unified_train_novita.options import NovitaTraining

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unified_train import Dataset, TrainingRequest, UploadedImage

Endpoint = Literal["subject", "style"]

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
    alien = [name for name in NovitaTraining.SUBJECT_ONLY if getattr(options, name) is not None]
    if request.rank is not None:
        alien.insert(0, "rank")
    if alien:
        raise UnsupportedCapability(
            f"Novita's style training has no {', '.join(alien)}; leave it out, or use the subject training, which has"
            f" it but is made for persons: {_to_subject(request, options)}"
        )
    texts = captions(request.dataset)
    for image, text in zip(request.dataset.images, texts, strict=True):
        if not text:
            raise DatasetError(
                f"{image.name}: Novita's style training needs a caption for each image; write one, or set a trigger"
            )
    _check_lengths(request.dataset.images, texts)


def _to_subject(request: TrainingRequest, options: NovitaTraining) -> str:
    """What to change for the subject training; this can't be said in the capabilities, which know no kinds."""
    as_subject = request.model_copy(update={"kind": "subject"})
    if endpoint(as_subject, options) == "subject":
        return "kind='subject'"
    return "extra={'novita': {'endpoint': 'subject'}}"


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
        # Always sent, since the table of fields requires them.
        "components": [components.sent(one, width, height) for one in options.components],
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
    return given(setting)


def _instance_prompt(dataset: Dataset) -> str:
    """In the words that the vendor's guide suggests: a token and what it stands for."""
    return f"a close photo of {dataset.phrase}" + ("" if dataset.class_word else f" {_PERSON}")


def training_notes(request: TrainingRequest, options: NovitaTraining, kind: Endpoint) -> tuple[str, ...]:
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
    if options.lr_scheduler == "constant" and options.lr_warmup_steps:
        notes.append("the scheduler 'constant' does not use lr_warmup_steps; 'constant_with_warmup' does")
    return tuple(notes)


def given(values: dict[str, Any]) -> dict[str, Any]:
    """Only what has a value; the vendor's own SDK sends nulls too, but nobody documents them."""
    return {name: value for name, value in values.items() if value is not None}
