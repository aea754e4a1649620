"""Models of the account by hand: made, read, listed, trained on images attached before, deleted.

Run them with `client.run`: `client.run(client.provider("scenario").list_models())`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unified_train import Dataset, Effect, InvalidRequest, NotFound, TrainingRequest, UploadedImage
from unified_train_scenario import bodies, catalog, pairs, snapshots
from unified_train_scenario.listing import Listing
from unified_train_scenario.options import ScenarioTraining
from unified_train_scenario.refusals import ALREADY_TRAINING, is_refusal
from unified_train_scenario.wire import AcceptedJob, ModelAnswer, TrainAnswer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unified_train import Flow, Snapshot
    from unified_train_scenario.wire import Model


class Models(Listing):
    """The account's models."""

    def create_model(
        self,
        name: str,
        base_model: str | None = None,
        *,
        description: str | None = None,
        collections: Sequence[str] = (),
    ) -> Flow[Model]:
        """Make an empty model, which is free: `POST /models`. `train` and `start_training` do so by themselves.

        Args:
            name: At most 64 characters.
            base_model: A type that can be trained, such as `flux.2-dev-lora`; the provider's default if None.
            description: At most 256 characters.
            collections: Ids of collections that shall hold it.

        Raises:
            InvalidOptions: The type can't be trained.
            SubmissionUncertain: The answer was lost; list the models before trying again.
        """
        model_type = base_model or catalog.DEFAULT_TYPE
        bodies.check_type(model_type)
        body: dict[str, Any] = {"name": name, "type": model_type}
        if description is not None:
            body["shortDescription"] = description
        if collections:
            body["collectionIds"] = list(collections)
        response = yield self.post("/models", "training.create", body, effect=Effect.CREATE, query=self.query())
        return ModelAnswer.parse(response).model

    def read_model(self, model_id: str) -> Flow[Model]:
        """One model with all its training images and pairs: `GET /models/{id}`.

        Raises:
            NotFound: There is none.
        """
        return (yield from self.model(model_id, "model.read"))

    def train_model(
        self,
        model_id: str,
        *,
        steps: int | None = None,
        learning_rate: float | None = None,
        rank: int | None = None,
        options: ScenarioTraining | None = None,
    ) -> Flow[Snapshot]:
        """Train a model on the images that it has: `PUT /models/{id}/train`, which bills creative units.

        Give `kind="training"` to `client.run`. Pairs that the model has already need not be given again.

        Args:
            model_id: Of a model that is not trained yet.
            steps: As in `TrainingRequest`.
            learning_rate: As in `TrainingRequest`.
            rank: As in `TrainingRequest`.
            options: As in `extra["scenario"]`, but for description and collections.

        Raises:
            DatasetError: The model has no images, or a pair names none of them.
            InvalidOptions: A value is outside what the type's trainer takes.
            SubmissionUncertain: The answer was lost; the training may have started.
        """
        model = yield from self.model(model_id, "training.verify")
        asked = options or ScenarioTraining()
        known = asked if asked.pairs else asked.model_copy(update={"pairs": pairs.as_pairs(model.pairs or ())})
        images = [UploadedImage(provider=self.slug, id=one.id, name=one.name or one.id) for one in model.images or ()]
        request = TrainingRequest(
            name=model.name or model_id,
            dataset=Dataset.of(images),
            base_model=model.type,
            steps=steps,
            learning_rate=learning_rate,
            rank=rank,
        )
        bodies.check_type(model.type)
        pairs.check_pairs(known, request.dataset, model.type)
        assets = {name: image.id for image in images for name in (image.name, image.id)}
        return (yield from self.train_attached(model_id, request, asked, assets))

    def train_attached(
        self, model_id: str, request: TrainingRequest, options: ScenarioTraining, assets: dict[str, str]
    ) -> Flow[Snapshot]:
        """Pair the attached images, if asked, and start the training: once.

        Args:
            model_id: Of the model, whose images are attached.
            request: What was asked for.
            options: What only this vendor has.
            assets: Ids of the images by all their names.
        """
        model_type = request.base_model or catalog.DEFAULT_TYPE
        parameters, notes = bodies.training_parameters(request, options, model_type)
        if options.pairs:
            yield from pairs.put_pairs(self, model_id, options.pairs, assets)
        if options.sample_sources:
            parameters["sampleSourceImages"] = [assets.get(name, name) for name in options.sample_sources]
        snapshot = yield from self._started(model_id, model_type, parameters)
        return snapshot.model_copy(update={"notes": (*notes, *snapshot.notes)})

    def _started(self, model_id: str, model_type: str, parameters: dict[str, Any]) -> Flow[Snapshot]:
        path, body = f"/models/{model_id}/train", {"parameters": parameters}
        try:
            response = yield self.put(path, "training.start", body, effect=Effect.PAY, query=self.query())
        except InvalidRequest as error:
            if not is_refusal(error, ALREADY_TRAINING):
                raise
            # Nobody else trains this model: an attempt that seemed refused (503) was accepted after all.
            response = yield self.read(f"/models/{model_id}", "training.verify")
            return snapshots.adopted_training(ModelAnswer.parse(response).model, response)
        told = TrainAnswer.parse(response)
        if told.job is None and told.model is not None and snapshots.is_started(told.model):
            return snapshots.adopted_training(told.model, response)  # what is found of a lost answer, see `finding`
        return snapshots.accepted_training(AcceptedJob.parse(response), model_id, model_type, response)

    def delete_model(self, model_id: str) -> Flow[None]:
        """Delete a model: `DELETE /models/{id}`; the vendor keeps it for thirty days. One that is gone is no error."""
        try:
            yield self.delete(f"/models/{model_id}", "model.delete")
        except NotFound:
            return
