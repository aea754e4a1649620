"""Attaching training images to a model: every image once, in disjoint batches, and counted before anything is paid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from unified_train import Base64, Effect, Image, InvalidRequest, MalformedResponse, Request
from unified_train_scenario import uploading
from unified_train_scenario.api import ORIGINAL
from unified_train_scenario.refusals import ALREADY_ATTACHED, is_refusal
from unified_train_scenario.wire import TrainingImage, TrainingImageAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from unified_train import Flow, TrainingRequest, UploadedImage
    from unified_train_scenario.api import Api
    from unified_train_scenario.wire import Model

BATCH = 10
"""Assets in one request (Scenario dossier 3.3)."""

Preset: TypeAlias = Literal["default", "style", "subject"]
"""Goes with any form of attaching; what it does is not described (Scenario dossier 3.3)."""


@dataclass(frozen=True)
class Attaching:
    """How images are attached to one model.

    Attributes:
        api: What makes the requests.
        model_id: Of the model.
        preset: Left out if None.
        original: Whether URLs in answers point at untransformed files.
    """

    api: Api
    model_id: str
    preset: Preset | None = None
    original: bool = False

    @property
    def query(self) -> dict[str, str]:
        """Of every request."""
        return self.api.query(ORIGINAL if self.original else None)

    def body(self, form: Mapping[str, Any]) -> dict[str, Any]:
        """One of the three forms, with the preset."""
        return {**form, "preset": self.preset} if self.preset else dict(form)

    def _post(self, form: Mapping[str, Any], effect: Effect) -> Request:
        path = f"/models/{self.model_id}/training-images"
        return self.api.post(path, "training.attach", self.body(form), effect=effect, query=self.query)

    def data(self, image: Image) -> Flow[TrainingImage]:
        """Attach the bytes of an image, which makes an asset on the way; a large one is uploaded before."""
        if image.size > uploading.LARGEST_INLINE:
            asset = yield from uploading.asset_of(self.api, image)
            return (yield from self.one(asset)) or TrainingImage(id=asset, name=image.name)
        response = yield self._post(data_form(image), Effect.CREATE)
        return TrainingImageAnswer.parse(response).image

    def one(self, asset: str) -> Flow[TrainingImage | None]:
        """Attach one asset; None if it was attached already, as after a lost answer."""
        try:
            response = yield self._post({"assetId": asset}, Effect.REPEATABLE)
        except InvalidRequest as error:
            if not is_refusal(error, ALREADY_ATTACHED):
                raise
            return None
        return TrainingImageAnswer.parse(response).image

    def many(self, assets: Sequence[str]) -> Flow[None]:
        """Attach assets; batches must not overlap, and an asset counts once (dossier 13, trap 13)."""
        once = list(dict.fromkeys(assets))
        for start in range(0, len(once), BATCH):
            yield from self._batch(once[start : start + BATCH])

    def _batch(self, assets: Sequence[str]) -> Flow[None]:
        """Attach at most ten; whether an overlapping batch kept its new ones is unknown, so look (dossier 3.3)."""
        try:
            yield self._post({"assetIds": list(assets)}, Effect.REPEATABLE)
        except InvalidRequest as error:
            if not is_refusal(error, ALREADY_ATTACHED):
                raise
            yield from self._missing(assets)

    def _missing(self, assets: Sequence[str]) -> Flow[None]:
        model = yield from self.read()
        there = {image.id for image in model.images or ()}
        for asset in assets:
            if asset not in there:
                yield from self.one(asset)

    def read(self) -> Flow[Model]:
        """The model with its images, which have no route of their own (Scenario dossier 3.3)."""
        return (yield from self.api.model(self.model_id, "training.verify", ORIGINAL if self.original else None))

    def verified(self, assets: Sequence[str]) -> Flow[Model]:
        """The model once all of these are its images: the answer to a batch shows one only (dossier 13, trap 14).

        Raises:
            MalformedResponse: Images are missing although none was refused.
        """
        model = yield from self.read()
        if _complete(model, assets):
            return model
        yield from self._missing(assets)
        model = yield from self.read()
        if _complete(model, assets):
            return model
        there = len(model.images or ()) or model.images_number or 0
        raise MalformedResponse(
            f"model {self.model_id} has {there} of {len(assets)} training images; no training was started",
            operation="training.verify",
        )


def data_form(image: Image) -> dict[str, Any]:
    """The form that makes an asset on the way."""
    return {"data": Base64(image.body(), data_url=True), "name": image.name}


def names_at_vendor(images: Sequence[Image | UploadedImage]) -> list[str]:
    """A name for each image; one that is attached by its bytes shares its name with no other of the dataset.

    So the model's record tells whether it is there. The second `cat.jpg` is sent as `2-cat.jpg`.
    """
    taken = {image.name for image in images if not isinstance(image, Image)}
    names: list[str] = []
    for image in images:
        name, number = image.name, 1
        while isinstance(image, Image) and name in taken:
            number += 1
            name = f"{number}-{image.name}"
        taken.add(name)
        names.append(name)
    return names


def _complete(model: Model, assets: Sequence[str]) -> bool:
    if model.images is None:
        return (model.images_number or 0) >= len(assets)
    return set(assets) <= {image.id for image in model.images}


@dataclass(frozen=True)
class TrainingSet:
    """The dataset of a new model.

    Attributes:
        api: What makes the requests.
        model_id: Of the model.
        request: What was asked for.
    """

    api: Api
    model_id: str
    request: TrainingRequest

    def fill(self) -> Flow[dict[str, str]]:
        """Attach, caption and count all images, and return their assets by name and by id.

        Raises:
            ApiError: An image was refused.
            MalformedResponse: Images are still missing although none was refused.
        """
        attaching = Attaching(self.api, self.model_id, self.request.kind)
        captions: dict[str, str | None] = {}
        assets: dict[str, str] = {}
        pictures = self.request.dataset.images
        for image, name in zip(pictures, names_at_vendor(pictures), strict=True):
            named = Image.of(image, name=name) if isinstance(image, Image) else image
            asset = (yield from attaching.data(named)).id if isinstance(named, Image) else named.id
            captions.setdefault(asset, image.caption)
            assets |= {image.name: asset, asset: asset}
        yield from attaching.many(
            [image.id for image in self.request.dataset.images if not isinstance(image, Image)],
        )
        yield from self._caption(captions)
        yield from attaching.verified(list(captions))
        return assets

    def _caption(self, captions: Mapping[str, str | None]) -> Flow[None]:
        """Captions are descriptions of the assets; one sent with the image is ignored (dossier 3.3)."""
        query = self.api.query()
        for identifier, caption in captions.items():
            if caption:
                path, body = f"/assets/{identifier}", {"description": caption}
                yield self.api.put(path, "training.caption", body, effect=Effect.REPEATABLE, query=query)
