"""What all of Scenario's operations share: credentials, the project, errors, and reading a model."""

from __future__ import annotations

from abc import ABC
from typing import TYPE_CHECKING, ClassVar

from unified_train import Effect, Provider, Request
from unified_train_scenario import uploading
from unified_train_scenario.options import ScenarioGeneration, ScenarioTraining
from unified_train_scenario.refusals import refusal
from unified_train_scenario.settings import ScenarioSettings
from unified_train_scenario.wire import ModelAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from unified_train import ApiError, Flow, Moment, Response
    from unified_train_scenario.wire import Model

ORIGINAL = {"originalAssets": "true"}
"""URLs of untransformed files; others may be resized or re-encoded (Scenario dossier 13, trap 27)."""


class Api(Provider[ScenarioSettings, ScenarioTraining, ScenarioGeneration], ABC):
    """The base of the provider and of the classes that add what only this vendor has."""

    slug: ClassVar[str] = "scenario"

    def sign(self, request: Request, moment: Moment) -> Request:  # noqa: ARG002 - nothing here depends on the time
        """Add Basic or Bearer credentials."""
        return request.with_headers(authorization=self.settings.authorization)

    def refusal(self, response: Response) -> ApiError | None:
        """The error that an answer means, see `refusals`; an upload that is not imported yet is one to ask again."""
        return refusal(response) or uploading.not_yet(response)

    def query(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Query parameters with the project, which goes into the query of every route (dossier 1)."""
        project = {"projectId": self.settings.project_id} if self.settings.project_id else {}
        return {**project, **(more or {})}

    def read(self, path: str, operation: str, query: Mapping[str, str] | None = None) -> Request:
        """A GET in the project."""
        return self.get(path, operation, query=self.query(query))

    def delete(self, path: str, operation: str) -> Request:
        """A DELETE in the project; twice is as good as once."""
        url = self.base_url + path
        return Request("DELETE", url, operation, query=self.query(), effect=Effect.REPEATABLE)

    def model(self, model_id: str, operation: str, query: Mapping[str, str] | None = None) -> Flow[Model]:
        """Read one model."""
        response = yield self.read(f"/models/{model_id}", operation, query)
        return ModelAnswer.parse(response).model
