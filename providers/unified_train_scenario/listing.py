"""What the account holds: its trainings, generations and models, page by page."""

from __future__ import annotations

from abc import ABC
from typing import TYPE_CHECKING, TypeVar

from unified_train_scenario import snapshots
from unified_train_scenario.api import Api
from unified_train_scenario.wire import JobPage, JobRecord, Model, ModelPage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from unified_train import Flow, JobKind, Response, Snapshot

    Page = Callable[[Response], tuple[Sequence["T"], str | None]]

T = TypeVar("T")

_PAGE = "100"
_MOST_PAGES = 10


class Listing(Api, ABC):
    """Lists; only a token that is missing or empty ends one, not an empty page (Scenario dossier 1.2)."""

    def list_jobs(self, kind: JobKind) -> Flow[Sequence[Snapshot]]:
        """The newest thousand models or jobs: own models can't be filtered by name, tag or type (dossier 9)."""
        if kind == "training":
            return (yield from self._pages("/models", "training.list", _NEWEST_MODELS, _trainings))
        return (yield from self._pages("/jobs", "generation.list", {}, _generations))

    def list_models(self) -> Flow[Sequence[Model]]:
        """The account's newest thousand models, trained or not: `GET /models`; each with three images at most."""
        return (yield from self._pages("/models", "model.list", _NEWEST_MODELS, _models))

    def _pages(self, path: str, operation: str, query: Mapping[str, str], read: Page[T]) -> Flow[list[T]]:
        found: list[T] = []
        token: str | None = None
        for _ in range(_MOST_PAGES):
            more = {"paginationToken": token} if token else {}
            response = yield self.read(path, operation, {**query, "pageSize": _PAGE, **more})
            items, token = read(response)
            found += items
            if not token:
                break
        return found


_NEWEST_MODELS = {"privacy": "private", "sortBy": "createdAt", "sortDirection": "desc"}


def _models(response: Response) -> tuple[list[Model], str | None]:
    page = ModelPage.parse(response)
    return [Model.read(item, response) for item in page.models], page.token


def _trainings(response: Response) -> tuple[list[Snapshot], str | None]:
    models, token = _models(response)
    return [snapshots.listed_training(model, response) for model in models if snapshots.is_training(model)], token


def _generations(response: Response) -> tuple[list[Snapshot], str | None]:
    page = JobPage.parse(response)
    records = [(JobRecord.read(item, response), item) for item in page.jobs]
    found = [snapshots.generation(job, {"job": raw}) for job, raw in records if snapshots.is_generation(job)]
    return found, page.token
