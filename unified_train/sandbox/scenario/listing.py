"""Lists, page by page; the token is what ends a list, not an empty page (Scenario dossier 1.2)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from unified_train.sandbox.scenario.errors import invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from unified_train.sandbox.scenario.calls import Call
    from unified_train.sandbox.scenario.records import Job, Model
    from unified_train.sandbox.scenario.state import Account

    Json = dict[str, Any]

_START = "page_start"
_WINDOW = timedelta(days=30)
_MODEL_FILTERS = ("new", "training", "trained", "failed")
_JOB_FILTERS = ("status", "type", "types", "workflowId")


class _Named(Protocol):
    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=_Named)


def page(account: Account, call: Call, items: Sequence[T], *, size: int, name: str, shape: Callable[[T], Json]) -> Json:
    """One page of `items`, with a token if there are more.

    Raises:
        Refusal: 400, the token is not one of this list.
    """
    token = call.query.get("paginationToken")
    if account.switches.empty_first_page and token is None:
        return {name: [], "nextPaginationToken": _START}
    first = 0 if token in (None, "", _START) else _after(items, str(token))
    shown = items[first : first + size]
    answer: Json = {name: [shape(item) for item in shown]}
    if first + size < len(items):
        answer["nextPaginationToken"] = f"page_{shown[-1].id}"
    return answer


def _after(items: Sequence[_Named], token: str) -> int:
    ids = [f"page_{item.id}" for item in items]
    if token not in ids:
        raise invalid("Invalid paginationToken")
    return ids.index(token) + 1


def list_jobs(account: Account, call: Call) -> Json:
    """`GET /jobs`, with its rules about dates (Scenario dossier 5)."""
    filtered = any(name in call.query for name in _JOB_FILTERS)
    created, updated = call.date("createdAfter"), call.date("updatedAfter")
    if created and filtered:
        raise invalid("createdAfter cannot be used with status, type, types or workflowId")
    if updated and not filtered:
        raise invalid("updatedAfter can only be used with status, type, types or workflowId")
    size = call.page_size(default=50, most=100)
    since = created or updated or _window(account, call)

    def moment(job: Job) -> datetime:
        return job.timeline.changed if filtered else job.created

    listed = [job for job in account.jobs.values() if account.listed(job.timeline.started)]
    kept = [job for job in listed if _job_wanted(job, call) and (since is None or moment(job) > since)]
    kept.sort(key=moment, reverse=True)
    return page(account, call, kept, size=size, name="jobs", shape=account.shapes.job)


def _window(account: Account, call: Call) -> datetime | None:
    narrow = "authorId" in call.query or call.query.get("hideResults") == "false"
    return account.date - _WINDOW if narrow else None


def _job_wanted(job: Job, call: Call) -> bool:
    types = call.words("types", "type")
    return job.status == call.query.get("status", job.status) and (not types or job.type in types)


def list_models(account: Account, call: Call) -> Json:
    """`GET /models`: own models can't be filtered by name, tag or type (Scenario dossier 9)."""
    public = call.public or call.query.get("privacy") == "public"
    size = call.page_size(default=100, most=500)
    kept = [model for model in account.models.values() if (model.base is not None) == public]
    kept = [model for model in kept if account.listed(model.made)]
    if public:
        types = call.words("types", "type")
        kept = [model for model in kept if not types or model.type in types]
    else:
        kept = [model for model in kept if _model_wanted(model, account.listed_status(model), call.query.get("status"))]
    kept = _sorted(kept, call)
    return page(account, call, kept, size=size, name="models", shape=lambda model: _short(account, model, call))


def _short(account: Account, model: Model, call: Call) -> Json:
    shown = account.listed_status(model)
    return account.shapes.model(model, original=call.original, all_images=False, shown=shown)


def _model_wanted(model: Model, shown: str, status: str | None) -> bool:
    if status == "deleted":
        return model.deleted is not None
    if status in _MODEL_FILTERS:
        return model.deleted is None and shown == status
    # A status that the filter does not know is ignored, and then even deleted models are listed (dossier 9).
    return status is not None or model.deleted is None


def _sorted(models: list[Model], call: Call) -> list[Model]:
    after, before = call.date("createdAfter"), call.date("createdBefore")
    if (after or before) and call.query.get("sortBy") != "createdAt":
        raise invalid("createdAfter and createdBefore need sortBy=createdAt")
    kept = [item for item in models if (not after or item.created > after) and (not before or item.created < before)]
    newest_first = call.query.get("sortDirection", "desc") != "asc"
    by_update = call.query.get("sortBy") == "updatedAt"
    return sorted(kept, key=lambda item: item.updated if by_update else item.created, reverse=newest_first)


def list_assets(account: Account, call: Call) -> Json:
    """`GET /assets` (Scenario dossier 7)."""
    after, before = call.date("createdAfter"), call.date("createdBefore")
    if (after or before) and call.query.get("sortBy") != "createdAt":
        raise invalid("createdAfter and createdBefore need sortBy=createdAt")
    size = call.page_size(default=50, most=100)
    types, model, job = call.words("types", "type"), call.query.get("modelId"), call.query.get("inferenceId")
    kept = [
        asset
        for asset in account.assets.values()
        if not asset.deleted
        and (not types or asset.kind in types)
        and (model is None or asset.model == model)
        and (job is None or asset.job == job)
        and (not after or asset.created > after)
        and (not before or asset.created < before)
    ]
    kept.sort(key=lambda asset: asset.created, reverse=call.query.get("sortDirection", "desc") != "asc")
    return page(
        account,
        call,
        kept,
        size=size,
        name="assets",
        shape=lambda asset: account.shapes.asset(asset, original=call.original),
    )
