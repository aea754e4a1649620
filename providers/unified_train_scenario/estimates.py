"""What a training or a generation would cost, asked of Scenario itself by a dry run (Scenario dossier 4.3 and 6.2).

Run them with `client.run`: `client.run(client.provider("scenario").estimate_training(request))`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unified_train import ApiError, Cost, Effect
from unified_train_scenario import bodies, catalog, pairs
from unified_train_scenario.generating import Generating
from unified_train_scenario.models import Models
from unified_train_scenario.options import ScenarioGeneration, ScenarioTraining
from unified_train_scenario.snapshots import UNIT
from unified_train_scenario.wire import Estimate

if TYPE_CHECKING:
    from unified_train import Flow, GenerationRequest, Response, TrainedModel, TrainingRequest

_MOST_PER_CALL = 4
"""Pictures in one call (Scenario dossier 6.2)."""


class Estimates(Models):
    """Prices before anything is paid."""

    def estimate_training(
        self, request: TrainingRequest, *, model_id: str | None = None, api_price: bool = False
    ) -> Flow[Cost | None]:
        """What a training would cost, in creative units: `PUT /models/{id}/train?dryRun=true`. Nothing is billed.

        A price is always that of a model: without one a new model is made for it, which is free, and deleted again.
        The number of images of the request stands in for a dataset, unless the model has one already. No image is sent.

        Args:
            request: What would be trained.
            model_id: Of a model that is not trained yet.
            api_price: Whether to ask for the price at the API tier (`dryRun=api`).

        Returns:
            None if the answer names no price.

        Raises:
            InvalidOptions: A value is outside what the type's trainer takes.
            MalformedResponse: A job was started all the same; look at it.
        """
        options = ScenarioTraining(**request.extra.get(self.slug, {}))
        model_type = request.base_model or catalog.DEFAULT_TYPE
        bodies.check_type(model_type)
        pairs.check_pairs(options, request.dataset, model_type)
        parameters, _ = bodies.training_parameters(request, options, model_type)
        if model_id is not None:
            return (yield from self._training_price(model_id, parameters, request, api_price=api_price))
        passing = (yield from self.create_model(request.name, model_type)).id
        try:
            price = yield from self._training_price(passing, parameters, request, api_price=api_price)
        except ApiError:
            yield from self.delete_model(passing)
            raise
        yield from self.delete_model(passing)
        return price

    def _training_price(
        self, model_id: str, parameters: dict[str, Any], request: TrainingRequest, *, api_price: bool
    ) -> Flow[Cost | None]:
        query = {"dryRun": _word(api_price=api_price), "trainingImagesCount": str(len(request.dataset.images))}
        response = yield self.put(
            f"/models/{model_id}/train",
            "training.estimate",
            {"parameters": parameters},
            effect=Effect.READ,
            query=self.query(query),
        )
        amount = _amount(response)
        return None if amount is None else Cost(amount=amount, unit=UNIT, source="train dry run")

    def estimate_generation(
        self, model: TrainedModel, request: GenerationRequest, *, api_price: bool = False
    ) -> Flow[Cost | None]:
        """What a generation would cost, in creative units: `POST /generate/custom/{id}?dryRun=true`. Nothing is billed.

        Pictures of the request are sent, since the price may depend on them. More pictures than one call makes are
        priced call by call. A project with the enterprise's IP detection pays that fee for a dry run too (dossier 6.2).

        Args:
            model: The trained model.
            request: What would be generated.
            api_price: Whether to ask for the price at the API tier (`dryRun=api`).

        Returns:
            None if an answer names no price.

        Raises:
            UnsupportedCapability: The base model has no such input, or is not known.
            InvalidOptions: A value is outside its range.
            DatasetError: A picture is only a URL, or can't be read.
            MalformedResponse: A job was started all the same; look at it.
        """
        options = ScenarioGeneration(**request.extra.get(self.slug, {}))
        record = yield from self.model(model.id, "model.read")
        whole, rest = divmod(request.n, _MOST_PER_CALL)
        total = 0.0
        for number, times in ((_MOST_PER_CALL, whole), (rest, 1)):
            if not number or not times:
                continue
            call = request.model_copy(update={"n": number})
            generating = Generating(self, record, record.type or model.base_model or "", call, options)
            response, _ = yield from generating.submit(_word(api_price=api_price))
            amount = _amount(response)
            if amount is None:
                return None
            total += amount * times
        return Cost(amount=total, unit=UNIT, source="generate dry run")


def _word(*, api_price: bool) -> str:
    return "api" if api_price else "true"


def _amount(response: Response) -> float | None:
    """The price of an answer with 269, 200 or 402; any job in it was not asked for (dossier 13, trap 8)."""
    estimate = Estimate.parse(response)
    if estimate.job and estimate.job.id:
        raise response.malformed(f"a dry run started job {estimate.job.id}, which may be billed")
    return estimate.amount
