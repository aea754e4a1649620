"""What the account holds: its trainings, generations and models, page by page."""

from __future__ import annotations

from abc import ABC
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from unified_train_scenario import snapshots
from unified_train_scenario.api import Api
from unified_train_scenario.wire import JobPage, JobRecord, Model, ModelPage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from unified_train import Flow, Job, JobKind, Response, Snapshot

    Page = Callable[[Response], tuple[Sequence["T"], str | None]]

T = TypeVar("T")

_PAGE = "100"
_MOST_PAGES = 10


class Listing(Api, ABC):
    """Lists; only a token that is missing or empty ends one, not an empty page (Scenario dossier 1.2)."""

    lists: ClassVar[frozenset[JobKind]] = frozenset({"training", "generation"})

    def list_jobs(self, kind: JobKind) -> Flow[Sequence[Snapshot]]:
        """The newest thousand models or jobs: own models can't be filtered by name, tag or type (dossier 9)."""
        if kind == "training":
            return (yield from self._pages("/models", "training.list", NEWEST_MODELS, _trainings))
        return (yield from self._pages("/jobs", "generation.list", {}, _generations))

    def poll_many(self, jobs: Sequence[Job]) -> Flow[Mapping[str, Snapshot]]:
        """Models tell status and progress of their trainings, jobs those of generations; half the requests of a poll.

        A list of models may not know the job yet, so that trainings are told by their models (dossier 9).
        """
        wanted = {_key(job.id): job.id for job in jobs}
        training = jobs[0].kind == "training"
        found: dict[str, Snapshot] = {}

        def note(response: Response) -> tuple[Sequence[Snapshot], str | None]:
            listed, token = (_trainings if training else _generations)(response)
            found.update({wanted[_key(one.id)]: one for one in listed if _key(one.id) in wanted})
            return (), token if len(found) < len(wanted) else None

        path, operation = ("/models", "training.poll") if training else ("/jobs", "generation.poll")
        yield from self.listed(path, operation, NEWEST_MODELS if training else {}, note, most=self.pages(jobs))
        return found

    def list_models(self) -> Flow[Sequence[Model]]:
        """The account's newest thousand models, trained or not: `GET /models`; each with three images at most."""
        return (yield from self._pages("/models", "model.list", NEWEST_MODELS, models_of))

    def _pages(self, path: str, operation: str, query: Mapping[str, str], read: Page[T]) -> Flow[list[T]]:
        return (yield from self.listed(path, operation, query, read, most=_MOST_PAGES))[0]

    def listed(
        self, path: str, operation: str, query: Mapping[str, str], read: Page[T], *, most: int
    ) -> Flow[tuple[list[T], bool]]:
        """What is on the first pages of a list, `most` at most, and whether that is the whole list.

        Args:
            path: Of the list.
            operation: Name of the requests.
            query: Beside the project and what turns the pages.
            read: Takes items and token from an answer.
            most: Pages.
        """
        found: list[T] = []
        token: str | None = None
        for _ in range(most):
            more = {"paginationToken": token} if token else {}
            response = yield self.read(path, operation, {**query, "pageSize": _PAGE, **more})
            items, token = read(response)
            found += items
            if not token:
                return found, True
        return found, False


NEWEST_MODELS = {"privacy": "private", "sortBy": "createdAt", "sortDirection": "desc"}
"""Query of a list of own models; with this order it may have dates too (Scenario dossier 9)."""


def _key(identifier: str) -> str:
    """What tells a job from others: of a training its model, of a generation its id."""
    return identifier.partition("/")[0]


def models_of(response: Response) -> tuple[list[Model], str | None]:
    """A page of models and the token of the next."""
    page = ModelPage.parse(response)
    return [Model.read(item, response) for item in page.models], page.token


def _trainings(response: Response) -> tuple[list[Snapshot], str | None]:
    models, token = models_of(response)
    return [snapshots.listed_training(model, response) for model in models if snapshots.is_training(model)], token


def generation_jobs(response: Response) -> tuple[list[tuple[JobRecord, dict[str, Any]]], str | None]:
    """The generations on a page of jobs, each with its raw record, and the token of the next page."""
    page = JobPage.parse(response)
    records = [(JobRecord.read(item, response), item) for item in page.jobs]
    return [(job, raw) for job, raw in records if snapshots.is_generation(job)], page.token


def _generations(response: Response) -> tuple[list[Snapshot], str | None]:
    records, token = generation_jobs(response)
    return [snapshots.generation(job, {"job": raw}) for job, raw in records], token
