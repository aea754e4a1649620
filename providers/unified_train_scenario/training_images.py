"""What only Scenario has for datasets: images of a model added, listed, replaced and deleted one by one, and pairs.

All are run with `client.run`: `client.run(client.provider("scenario").training_images("model_…"))`. None is billed.
"""

from __future__ import annotations

from abc import ABC
from typing import TYPE_CHECKING, Any

from unified_train import (
    DatasetError,
    Effect,
    Image,
    InvalidOptions,
    InvalidRequest,
    NotFound,
    UnsupportedCapability,
    UploadedImage,
)
from unified_train_scenario import uploading
from unified_train_scenario.api import ORIGINAL, Api
from unified_train_scenario.attaching import Attaching, data_form
from unified_train_scenario.catalog import needs_pairs
from unified_train_scenario.pairs import as_pairs, check_enough, put_pairs
from unified_train_scenario.refusals import ALREADY_ATTACHED, is_refusal
from unified_train_scenario.wire import TrainingImage, TrainingImageAnswer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unified_train import ApiError, Flow
    from unified_train_scenario.attaching import Preset
    from unified_train_scenario.options import TrainingPair


class TrainingImages(Api, ABC):
    """The training images of a model that is not trained yet (Scenario dossier 3.3)."""

    def add_training_image(
        self,
        model_id: str,
        image: Image | UploadedImage | str,
        *,
        preset: Preset | None = None,
        original: bool = False,
    ) -> Flow[TrainingImage]:
        """Attach one image: `POST /models/{id}/training-images`.

        An asset that is attached already counts as done. The bytes of an image are sent as a data URL, and uploaded
        first if they are many; if that answer is lost, a repeat would attach a second copy, so there is none.

        Args:
            model_id: Of the model.
            image: Its bytes (`Image.of(path)`), an uploaded image, or the id of an asset.
            preset: Not described by the vendor.
            original: Whether the URL in the answer points at the untransformed file.

        Raises:
            DatasetError: The vendor does not take such an image.
            QuotaExceeded: The dataset is as large as the plan allows.
            SubmissionUncertain: The answer to a data URL was lost; list the images to see.
        """
        attaching = Attaching(self, model_id, preset, original)
        if isinstance(image, Image):
            self.check_image(image)
            return (yield from attaching.data(image))
        asset = _asset(image)
        made = yield from attaching.one(asset)
        return made or _found((yield from attaching.read()).images, asset)

    def add_training_images(
        self,
        model_id: str,
        images: Sequence[UploadedImage | str],
        *,
        preset: Preset | None = None,
        original: bool = False,
    ) -> Flow[tuple[TrainingImage, ...]]:
        """Attach any number of assets, in as many requests as it takes: the vendor takes ten at once, none twice.

        Those that are attached already count as done. Returns them in the order given, read from the model.

        Args:
            model_id: Of the model.
            images: Uploaded images, or ids of assets; one named twice counts once.
            preset: Not described by the vendor.
            original: Whether the URLs in the answer point at the untransformed files.

        Raises:
            DatasetError: There is none.
            QuotaExceeded: The dataset is as large as the plan allows.
            MalformedResponse: Some are missing although none was refused.
        """
        assets = list(dict.fromkeys(_asset(image) for image in images))
        if not assets:
            raise DatasetError("no images to attach")
        attaching = Attaching(self, model_id, preset, original)
        yield from attaching.many(assets)
        model = yield from attaching.verified(assets)
        return tuple(_found(model.images, asset) for asset in assets)

    def training_images(self, model_id: str, *, original: bool = False) -> Flow[tuple[TrainingImage, ...]]:
        """All images of a model, from its record (`GET /models/{id}`): they have no list of their own.

        Raises:
            NotFound: There is no such model.
        """
        model = yield from self.model(model_id, "training.verify", ORIGINAL if original else None)
        return model.images or ()

    def replace_training_image(
        self,
        model_id: str,
        image_id: str,
        image: Image | UploadedImage | str,
        *,
        preset: Preset | None = None,
        original: bool = False,
    ) -> Flow[TrainingImage]:
        """Put another image in the place of one: `PUT /models/{id}/training-images/{image id}`.

        If the answer is lost and the repeat is refused, the model tells whether the first one counted.

        Args:
            model_id: Of the model.
            image_id: Of the training image to go.
            image: As for `add_training_image`.
            preset: Not described by the vendor.
            original: Whether the URL in the answer points at the untransformed file.

        Raises:
            NotFound: There is no such model or image.
            InvalidRequest: The new image is one of the model's already.
        """
        form, asset = yield from self._replacement(image)
        attaching = Attaching(self, model_id, preset, original)
        path, body = f"/models/{model_id}/training-images/{image_id}", attaching.body(form)
        effect = Effect.REPEATABLE if asset else Effect.CREATE
        try:
            response = yield self.put(path, "training.replace", body, effect=effect, query=attaching.query)
        except (InvalidRequest, NotFound) as error:
            return (yield from self._replaced(attaching, image_id, asset, error))
        return TrainingImageAnswer.parse(response).image

    def _replacement(self, image: Image | UploadedImage | str) -> Flow[tuple[dict[str, Any], str | None]]:
        """The form of a single image, and its asset's id if it has one already."""
        if not isinstance(image, Image):
            return {"assetId": _asset(image)}, _asset(image)
        self.check_image(image)
        if image.size <= uploading.LARGEST_INLINE:
            return data_form(image), None
        asset = yield from uploading.asset_of(self, image)
        return {"assetId": asset}, asset

    def _replaced(self, attaching: Attaching, old: str, asset: str | None, error: ApiError) -> Flow[TrainingImage]:
        known = isinstance(error, NotFound) or is_refusal(error, ALREADY_ATTACHED)
        if asset is None or not known:
            raise error
        model = yield from attaching.read()
        there = {image.id for image in model.images or ()}
        if asset not in there or old in there:
            raise error
        return _found(model.images, asset)

    def delete_training_image(self, model_id: str, image_id: str) -> Flow[None]:
        """Take an image out of a model: `DELETE /models/{id}/training-images/{image id}`; the asset stays.

        One that is not there (any more) counts as done.

        Raises:
            NotFound: There is no such model.
        """
        try:
            yield self.delete(f"/models/{model_id}/training-images/{image_id}", "training.detach")
        except NotFound:
            model = yield from self.model(model_id, "training.verify")
            if image_id in {image.id for image in model.images or ()}:
                raise

    def training_pairs(self, model_id: str) -> Flow[tuple[TrainingPair, ...]]:
        """The before/after pairs of a model, from its record (`GET /models/{id}`).

        Raises:
            NotFound: There is no such model.
        """
        return as_pairs((yield from self.model(model_id, "training.verify")).pairs or ())

    def replace_training_pairs(self, model_id: str, pairs: Sequence[TrainingPair]) -> Flow[tuple[TrainingPair, ...]]:
        """Replace all before/after pairs of an edit model: `PUT /models/{id}/training-images/pairs`.

        The model is read first, so that nothing is written for one that takes no pairs, or for images it has not.

        Args:
            model_id: Of the model.
            pairs: At least two, by the asset ids or names of training images of the model.

        Raises:
            InvalidOptions: There are fewer than two.
            UnsupportedCapability: The model's type trains on single images.
            DatasetError: A pair names no training image of the model, or a name that several have.
        """
        check_enough(pairs, "an edit type")
        model = yield from self.model(model_id, "training.verify")
        if not needs_pairs(model.type):
            raise UnsupportedCapability(f"pairs: {model_id} is a {model.type}, which trains on single images")
        assets = _named(model.images) if model.images is not None else {}
        named = {name for pair in pairs for name in (pair.source, pair.target)}
        unknown = sorted(named - set(assets))
        if unknown and model.images is not None:
            raise DatasetError(f"pairs: {unknown[0]!r} is no training image of {model_id}, or several; add it first")
        return (yield from put_pairs(self, model_id, pairs, assets))


def _named(images: Sequence[TrainingImage]) -> dict[str, str]:
    """The asset of each image by its id, and by its name where only one has it."""
    names = [image.name for image in images]
    unique = {image.name: image.id for image in images if image.name and names.count(image.name) == 1}
    return {**unique, **{image.id: image.id for image in images}}


def _asset(image: UploadedImage | str) -> str:
    if isinstance(image, str):
        return image
    if image.provider != Api.slug:
        raise InvalidOptions(f"{image.name} was uploaded to {image.provider}; upload it to {Api.slug} too")
    return image.id


def _found(images: Sequence[TrainingImage] | None, asset: str) -> TrainingImage:
    """The record of an attached image; no more than its id if the model does not tell."""
    return next((image for image in images or () if image.id == asset), TrainingImage(id=asset))
