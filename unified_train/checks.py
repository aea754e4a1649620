"""Everything that can be known to be wrong before the first request, and what a vendor's limits make of a request."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from unified_train.config import environment
from unified_train.dataset import UploadedImage
from unified_train.errors import (
    ConfigurationError,
    DatasetError,
    InvalidOptions,
    UnifiedTrainWarning,
    UnsupportedCapability,
)
from unified_train.models import SUBJECT, GenerationRequest, TrainingRequest
from unified_train.provider import check_image as check_against

if TYPE_CHECKING:
    from collections.abc import Mapping

    from unified_train.images import Image
    from unified_train.models import TrainedModel
    from unified_train.provider import AnyProvider, Range

OnUnsupported: TypeAlias = Literal["error", "warn", "drop"]
"""What to do with a neutral option that a vendor can't honour; whichever it is, the job's notes tell."""

TRAINING_OPTIONS = ("base_model", "steps", "learning_rate", "rank", "resolution", "seed")
GENERATION_OPTIONS = ("negative_prompt", "width", "height", "seed", "steps", "guidance", "strength")


class Training(NamedTuple):
    """A training that the vendor should take: the request as it will be sent, its options, and what to tell."""

    request: TrainingRequest
    options: Any
    notes: tuple[str, ...]


class Generation(NamedTuple):
    """A generation that the vendor should take."""

    request: GenerationRequest
    options: Any
    notes: tuple[str, ...]


def check_training(
    provider: AnyProvider, request: TrainingRequest, on_unsupported: OnUnsupported, *, hosted: bool = False
) -> Training:
    """Fit a training request to a vendor; `hosted` says whether there is an image host.

    Raises:
        UnsupportedCapability: The vendor can't do it.
        InvalidOptions: A value is outside the vendor's range, or a vendor-only option is wrong.
        DatasetError: An image, or their number, breaks the vendor's rules.
    """
    abilities = provider.capabilities.training
    if request.kind not in abilities.kinds:
        raise UnsupportedCapability(f"{provider.title} trains no {request.kind}, only {', '.join(abilities.kinds)}")
    _check_images(provider, request, hosted=hosted)
    values, notes = _fitted(provider, request, TRAINING_OPTIONS, abilities.options, on_unsupported)
    if abilities.default_base_model and values.get("base_model", request.base_model) is None:
        values["base_model"] = abilities.default_base_model
    if not abilities.captions and any(image.caption for image in request.dataset.images):
        notes.append(f"{provider.title} uses no captions; they are not sent")
    options = provider.TrainingOptions(**request.extra.get(provider.slug, {}))
    fitted = request.model_copy(update=values)
    provider.check_training(fitted, options)
    return Training(fitted, options, tuple(notes))


def _check_images(provider: AnyProvider, request: TrainingRequest, *, hosted: bool) -> None:
    rules, count = provider.capabilities.images, len(request.dataset.images)
    if count < rules.minimum:
        raise DatasetError(f"{count} images; {provider.title} needs at least {rules.minimum}")
    if rules.maximum is not None and count > rules.maximum:
        raise DatasetError(f"{count} images; {provider.title} takes at most {rules.maximum}; leave some out")
    for image in request.dataset.images:
        check_image(provider, image, hosted=hosted)


def check_image(provider: AnyProvider, image: Image | UploadedImage, *, hosted: bool) -> None:
    """Raise if the vendor won't take an image, if there is no way to bring it there, or if it is at another vendor."""
    if not isinstance(image, UploadedImage):
        provider.check_image(image)
        if provider.capabilities.images.takes == "url" and not image.remote and not hosted:
            raise ConfigurationError(
                f"{image.name}: {provider.title} takes images by public URL only; give a URL, or set"
                f" {environment.IMAGE_HOST} to an image host of yours: a URL prefix below which a PUT"
                " stores a file and a GET returns it to anyone"
            )
    elif image.provider != provider.slug:
        raise InvalidOptions(f"{image.name} was uploaded to {image.provider}; upload it to {provider.slug} too")


def check_uploaded(provider: AnyProvider, request: TrainingRequest) -> None:
    """Raise if an image must be uploaded first."""
    if provider.capabilities.training.inline_images:
        return
    waiting = [image.name for image in request.dataset.images if not isinstance(image, UploadedImage)]
    if waiting:
        raise DatasetError(
            f"{waiting[0]}: not uploaded yet; use `train`, which uploads first, or upload_image each before"
        )


def check_generation(
    provider: AnyProvider, model: TrainedModel, request: GenerationRequest, on_unsupported: OnUnsupported
) -> Generation:
    """Fit a generation request to a vendor, and put the trained thing's words into its prompt.

    Raises:
        InvalidOptions: A value is outside the vendor's range, a vendor-only option is wrong, or the prompt is too long.
        UnsupportedCapability: An option can't be honoured and `on_unsupported` is `error`.
    """
    abilities = provider.capabilities.generation
    check_inputs(provider, request)
    values, notes = _fitted(provider, request, GENERATION_OPTIONS, abilities.options, on_unsupported)
    values["prompt"] = prompt = _with_subject(provider, model, request.prompt)
    if abilities.max_prompt is not None and len(prompt) > abilities.max_prompt:
        raise InvalidOptions(
            f"prompt: {len(prompt)} characters; {provider.title} takes at most {abilities.max_prompt}; shorten it"
        )
    if abilities.needs_subject and not provider.addresses_subject(model, prompt):
        notes.append(
            f"the prompt does not call the trained thing, so {provider.title} would ignore the model; use {SUBJECT}"
        )
        _warn(notes[-1])
    options = provider.GenerationOptions(**request.extra.get(provider.slug, {}))
    fitted = request.model_copy(update=values)
    provider.check_generation(model, fitted, options)
    return Generation(fitted, options, tuple(notes))


def check_inputs(provider: AnyProvider, request: GenerationRequest) -> None:
    """Raise if the vendor takes no pictures to generate from, or not these; such an input is never dropped silently."""
    abilities = provider.capabilities.generation
    given = {"image": [request.image] if request.image else [], "references": list(request.references)}
    for name, images in given.items():
        rules = abilities.image if name == "image" else abilities.references
        if not images:
            continue
        if rules is None:
            raise UnsupportedCapability(f"{provider.title} takes no {name} to generate from; leave it out")
        if rules.maximum is not None and len(images) > rules.maximum:
            raise InvalidOptions(f"{name}: {len(images)} pictures; {provider.title} takes at most {rules.maximum}")
        for image in images:
            check_against(image, rules, provider.title)
    if request.strength is not None and request.image is None:
        raise InvalidOptions("strength: says how far to leave `image`, but there is none")


def _with_subject(provider: AnyProvider, model: TrainedModel, prompt: str) -> str:
    if SUBJECT not in prompt:
        return prompt
    words = provider.subject(model)
    if not words:
        raise InvalidOptions(
            f"the prompt has {SUBJECT}, but this model was trained without trigger and class word; write the words out"
        )
    return prompt.replace(SUBJECT, words)


def _fitted(
    provider: AnyProvider,
    request: TrainingRequest | GenerationRequest,
    names: tuple[str, ...],
    ranges: Mapping[str, Range],
    on_unsupported: OnUnsupported,
) -> tuple[dict[str, Any], list[str]]:
    """The options to change on the request, and a note for each that is dropped."""
    values: dict[str, Any] = {}
    notes: list[str] = []
    for name in names:
        value = getattr(request, name)
        if value is None:
            continue
        if name not in ranges:
            values[name] = None
            notes.append(_dropped(provider, name, value, on_unsupported))
        elif isinstance(value, int | float) and not ranges[name].admits(value):
            raise InvalidOptions(f"{name}: {value} is outside what {provider.title} takes ({ranges[name]})")
    return values, notes


def _dropped(provider: AnyProvider, name: str, value: object, on_unsupported: OnUnsupported) -> str:
    if on_unsupported == "error":
        raise UnsupportedCapability(
            f"{provider.title} has no option {name!r}; leave it out, or drop it with on_unsupported='warn' or 'drop'"
        )
    note = f"{provider.title} has no option {name!r}; {name}={value!r} was not sent"
    if on_unsupported == "warn":
        _warn(note)
    return note


def _warn(text: str) -> None:
    warnings.warn(text, UnifiedTrainWarning, stacklevel=2)
