"""Requests as the journal keeps them: enough to make the call again in another process, and no secret in it."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic_core import to_jsonable_python

from unified_train import redact
from unified_train.dataset import Dataset, UploadedImage
from unified_train.errors import DatasetError, InvalidOptions, JournalError
from unified_train.images import Image
from unified_train.models import GenerationRequest, TrainedModel, TrainingRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from unified_train.checks import OnUnsupported
    from unified_train.intents import Intent
    from unified_train.models import JobKind

_AGAIN = "make the call again with the key {key!r}"


class Draft(NamedTuple):
    """A call about to be made.

    Attributes:
        kind: `training` or `generation`.
        name: The training's.
        digest: Of all that decides what is bought; labels don't.
        stored: What the journal keeps.
    """

    kind: JobKind
    name: str | None
    digest: str
    stored: dict[str, Any]


def of_training(slug: str, request: TrainingRequest, on_unsupported: OnUnsupported, *, upload: bool) -> Draft:
    """The draft of a training; reads the images once, to know them again.

    Args:
        slug: Of the vendor.
        request: As the user gave it.
        on_unsupported: As the user gave it.
        upload: Whether the call uploads the images before it starts (`train`), or not (`start_training`).

    Raises:
        InvalidOptions: An option in `extra` is nothing that JSON can hold.
        DatasetError: An image can't be read.
    """
    dataset = request.dataset
    asked = _plain(request, {"dataset", "labels"}, slug)
    words = {"trigger": dataset.trigger, "class_word": dataset.class_word}
    images = [_stored(image) for image in dataset.images]
    known = [(image["identity"], image["caption"]) for image in images]
    stored = {"request": asked, "labels": request.labels, **words, "images": images, "upload": upload}
    digest = _digest([slug, "training", asked, words, known])
    return Draft("training", request.name, digest, redact.payload({**stored, "on_unsupported": on_unsupported}))


def of_generation(model: TrainedModel, request: GenerationRequest, on_unsupported: OnUnsupported) -> Draft:
    """The draft of a generation; errors as `of_training`."""
    asked = _plain(request, {"image", "references", "labels"}, model.provider)
    image = _stored(request.image) if request.image else None
    references = [_stored(reference) for reference in request.references]
    known = [image and image["identity"], [reference["identity"] for reference in references]]
    stored = {"request": asked, "labels": request.labels, "image": image, "references": references}
    digest = _digest([model.provider, "generation", model.id, asked, known])
    kept = {**stored, "model": model.model_dump(mode="json"), "on_unsupported": on_unsupported}
    return Draft("generation", None, digest, redact.payload(kept))


def training_of(intent: Intent) -> tuple[TrainingRequest, OnUnsupported, bool]:
    """The request of an intent, its `on_unsupported`, and whether images are uploaded before.

    Raises:
        DatasetError: An image is no longer what it was, or was never kept.
        JournalError: The journal did not keep it, since there was a secret in it.
    """
    stored = _whole(intent, "images")
    images = [_image(intent, image, intent.uploads.get(place)) for place, image in enumerate(stored["images"])]
    dataset = Dataset(images=tuple(images), trigger=stored["trigger"], class_word=stored["class_word"])
    request = TrainingRequest(**stored["request"], dataset=dataset, labels=stored["labels"])
    return request, stored["on_unsupported"], stored["upload"]


def generation_of(intent: Intent) -> tuple[TrainedModel, GenerationRequest, OnUnsupported]:
    """The model and request of an intent, and its `on_unsupported`; errors as `training_of`."""
    stored = _whole(intent, "image", "references")
    image = _image(intent, stored["image"], None) if stored["image"] else None
    references = tuple(_image(intent, reference, None) for reference in stored["references"])
    request = GenerationRequest(**stored["request"], image=image, references=references, labels=stored["labels"])
    return TrainedModel(**stored["model"]), request, stored["on_unsupported"]


def facts_of(intent: Intent) -> dict[str, Any]:
    """What a job of this call has beside what the vendor says."""
    facts: dict[str, Any] = {"key": intent.key, "labels": intent.request["labels"]}
    asked: Any = intent.request["request"]
    if intent.kind == "generation":
        return {**facts, "n": asked["n"]}
    words = {name: intent.request[name] for name in ("trigger", "class_word")}
    return {**facts, **words, "name": intent.name, "base_model": asked.get("base_model")}


def _plain(request: TrainingRequest | GenerationRequest, without: set[str], slug: str) -> dict[str, Any]:
    """The options as JSON, of `extra` only what is this vendor's."""
    values = {name: value for name, value in request if name not in {*without, "extra"} and value is not None}
    extra = {slug: request.extra[slug]} if slug in request.extra else {}
    try:
        plain: dict[str, Any] = to_jsonable_python({**values, "extra": extra})
        json.dumps(plain, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        raise InvalidOptions(
            f"extra[{slug!r}] holds something that the journal can't keep; give numbers, texts, lists and mappings"
        ) from None
    return plain


def _stored(image: Image | UploadedImage) -> dict[str, Any]:
    """Where an image comes from, and by what it is known again; bytes in memory are not kept."""
    facts: dict[str, Any] = {"name": image.name, "caption": image.caption}
    if isinstance(image, UploadedImage):
        return {**facts, "identity": image.sha256 or redact.url(image.id), "uploaded": image.model_dump(mode="json")}
    if image.remote:
        return {**facts, "identity": redact.url(image.url or ""), "url": image.url}
    path = {"path": str(image.path.absolute())} if image.path else {}
    return {**facts, "identity": image.sha256, **path}


def _image(intent: Intent, stored: Mapping[str, Any], uploaded: Mapping[str, Any] | None) -> Any:
    there = uploaded or stored.get("uploaded")
    if there and _kept(there):
        return UploadedImage.model_validate(there)
    name, caption = stored["name"], stored["caption"]
    if stored.get("url") and _kept(stored["url"]):
        return Image(name=name, url=stored["url"], caption=caption)
    again = _AGAIN.format(key=intent.key)
    if "path" not in stored:
        raise DatasetError(f"{name}: was in memory only, or behind a signed URL, and is not kept; {again}")
    image = Image(name=name, path=Path(stored["path"]), caption=caption)
    if image.sha256 != stored["identity"]:
        raise DatasetError(f"{stored['path']}: is another picture than it was; put it back, or {again}")
    return image


def _whole(intent: Intent, *images: str) -> dict[str, Any]:
    if not _kept({name: value for name, value in intent.request.items() if name not in {*images, "labels"}}):
        again = _AGAIN.format(key=intent.key)
        raise JournalError(f"the request had a secret in it, which the journal does not keep; {again}")
    return dict(intent.request)


def _kept(value: object) -> bool:
    """Whether nothing was taken out of it."""
    return redact.HIDDEN not in json.dumps(value)


def _digest(value: object) -> str:
    return sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
