"""The models that the account can generate with: `GET /v3/model` (Novita dossier 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unified_train.sandbox.novita import facts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.datastructures import QueryParams

    from unified_train.sandbox.novita.jobs import Training

_FIRST_MODEL = 900001
_MODEL_TTL = 86400
_CHECKPOINT = {"name": "checkpoint", "display_name": "Checkpoint"}
_LORA = {"name": "lora", "display_name": "LORA"}
_TRUE, _FALSE = "true", "false"


def chosen(models: Sequence[dict[str, Any]], query: QueryParams) -> list[dict[str, Any]]:
    """The models that pass every filter of the query; `filter.type` is what the vendor's own SDK sends for types."""
    types = {*query.getlist("filter.types"), *query.getlist("filter.type")}
    return [
        model
        for model in models
        if (not types or model["type"]["name"] in types)
        and _passes(query.get("filter.visibility"), "private" if model["source"] == "training" else "public")
        and _passes(query.get("filter.source"), model["source"])
        and _passes(query.get("filter.is_sdxl"), _TRUE if model["is_sdxl"] else _FALSE)
        and _passes(query.get("filter.is_inpainting"), _FALSE)
        and query.get("filter.query", "").lower() in f"{model['sd_name']} {model['name']}".lower()
    ]


def _passes(wanted: str | None, value: str) -> bool:
    return not wanted or wanted.lower() == value  # the SDK writes `False`


def public_models() -> list[dict[str, Any]]:
    """The checkpoints that a LoRA can be used with."""
    return [
        _model(
            index,
            name=name,
            sd_name=base.checkpoint,
            api_name=base.checkpoint,
            kind=_CHECKPOINT,
            family=base.family,
            source="civitai",
            available=True,
        )
        for index, (name, base) in enumerate(facts.BASE_MODELS.items(), start=1)
    ]


def private_models(found: Sequence[tuple[Training, bool]]) -> list[dict[str, Any]]:
    """The trained LoRAs, each with whether it serves."""
    return [
        _model(
            _FIRST_MODEL + index,
            name=one.name,
            sd_name=one.model_name,
            api_name=one.api_name,
            kind=_LORA,
            family=one.family,
            source="training",
            available=serves,
        )
        for index, (one, serves) in enumerate(found)
    ]


def _model(
    number: int,
    *,
    name: str,
    sd_name: str,
    api_name: str,
    kind: dict[str, str],
    family: str | None,
    source: str,
    available: bool,
) -> dict[str, Any]:
    return {
        "id": number,
        "name": name,
        "hash_sha256": "",
        "sd_name": sd_name,
        "sd_name_in_api": api_name,
        "type": kind,
        "categories": [],
        "tags": [],
        "status": int(available),
        "source": source,
        "base_model": family or "",
        "base_model_type": "Standard",
        "download_url_ttl": _MODEL_TTL,
        "is_sdxl": family == "SDXL 1.0",
    }
