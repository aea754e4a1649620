"""The dataset of a training: every image attached once, captioned, and counted before anything is paid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from unified_train import Base64, Effect, Image, InvalidRequest, MalformedResponse, Request, UploadedImage
from unified_train_scenario.refusals import ALREADY_ATTACHED, is_refusal
from unified_train_scenario.wire import TrainingImageAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from unified_train import Flow, TrainingRequest
    from unified_train_scenario.provider import Scenario
    from unified_train_scenario.wire import Model

_BATCH = 10


@dataclass(frozen=True)
class TrainingSet:
    """The training images of one new model.

    Attributes:
        api: What makes the requests.
        model_id: Of the model.
        request: What was asked for.
    """

    api: Scenario
    model_id: str
    request: TrainingRequest

    def fill(self) -> Flow[None]:
        """Attach, caption and count all images.

        Raises:
            ApiError: An image was refused.
            MalformedResponse: Images are still missing although none was refused.
        """
        captions = yield from self._attach()
        yield from self._caption(captions)
        yield from self._verify(list(captions))

    def _attach(self) -> Flow[dict[str, str | None]]:
        """Attach all images and return the caption of each asset, in the order of the dataset."""
        attached: dict[str, str | None] = {}
        for image in self.request.dataset.images:
            if isinstance(image, Image):
                body = {"data": Base64(image.body(), data_url=True), "name": image.name, "preset": self.request.kind}
                response = yield self._attaching(body, Effect.CREATE)
                attached[TrainingImageAnswer.parse(response).image.id] = image.caption
            else:
                attached.setdefault(image.id, image.caption)
        uploaded = {image.id for image in self.request.dataset.images if isinstance(image, UploadedImage)}
        ids = [identifier for identifier in attached if identifier in uploaded]
        # Batches must not overlap, and an asset counts once (dossier 13, trap 13).
        for start in range(0, len(ids), _BATCH):
            yield from self._attach_batch(ids[start : start + _BATCH])
        return attached

    def _attaching(self, body: object, effect: Effect) -> Request:
        path = f"/models/{self.model_id}/training-images"
        return self.api.post(path, "training.attach", body, effect=effect, query=self.api.query())

    def _attach_batch(self, ids: Sequence[str]) -> Flow[None]:
        """Attach assets; whether an overlapping batch kept its new ones is unknown, so look (dossier 3.3)."""
        try:
            yield self._attaching({"assetIds": list(ids), "preset": self.request.kind}, Effect.REPEATABLE)
        except InvalidRequest as error:
            if not is_refusal(error, ALREADY_ATTACHED):
                raise
            yield from self._attach_missing(ids)

    def _attach_missing(self, ids: Sequence[str]) -> Flow[None]:
        model = yield from self.api.model(self.model_id, "training.verify")
        there = {image.id for image in model.images or ()}
        for identifier in ids:
            if identifier not in there:
                yield from self._attach_one(identifier)

    def _attach_one(self, identifier: str) -> Flow[None]:
        try:
            yield self._attaching({"assetId": identifier, "preset": self.request.kind}, Effect.REPEATABLE)
        except InvalidRequest as error:
            if not is_refusal(error, ALREADY_ATTACHED):
                raise

    def _caption(self, captions: Mapping[str, str | None]) -> Flow[None]:
        """Captions are descriptions of the assets; one sent with the image is ignored (dossier 3.3)."""
        query = self.api.query()
        for identifier, caption in captions.items():
            if caption:
                path, body = f"/assets/{identifier}", {"description": caption}
                yield self.api.put(path, "training.caption", body, effect=Effect.REPEATABLE, query=query)

    def _verify(self, ids: Sequence[str]) -> Flow[None]:
        """Count before paying: the answer to a batch shows one image only (dossier 13, trap 14)."""
        model = yield from self.api.model(self.model_id, "training.verify")
        if _complete(model, ids):
            return
        yield from self._attach_missing(ids)
        model = yield from self.api.model(self.model_id, "training.verify")
        if not _complete(model, ids):
            there = len(model.images or ()) or model.images_number or 0
            raise MalformedResponse(
                f"model {self.model_id} has {there} of {len(ids)} training images; no training was started",
                operation="training.verify",
            )


def _complete(model: Model, ids: Sequence[str]) -> bool:
    if model.images is None:
        return model.images_number == len(ids)
    return set(ids) <= {image.id for image in model.images}
