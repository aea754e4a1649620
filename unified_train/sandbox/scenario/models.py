"""Models and their training images (Scenario dossier 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unified_train.sandbox.scenario.assets import change_tags
from unified_train.sandbox.scenario.calls import from_data_url
from unified_train.sandbox.scenario.errors import ALREADY_ATTACHED, invalid, not_found, plan_limit
from unified_train.sandbox.scenario.records import Model, Pair
from unified_train.sandbox.scenario.state import new_id
from unified_train.sandbox.scenario.trainers import MODEL_TYPES

if TYPE_CHECKING:
    from unified_train.sandbox.scenario.calls import Call
    from unified_train.sandbox.scenario.records import Asset
    from unified_train.sandbox.scenario.state import Account

    Json = dict[str, Any]

_LONGEST_NAME = 64
_LONGEST_DESCRIPTION = 256
_BATCH = 10
_PRESETS = (None, "default", "style", "subject")
_DEFAULT_TYPE = "flux.1-lora"
_SHORT_KEYS = ("id", "name", "type", "privacy")


def _answer(account: Account, call: Call, model: Model) -> Json:
    return {"model": account.shapes.model(model, original=call.original)}


def create(account: Account, call: Call) -> Json:
    """`POST /models`: everything is optional, and free."""
    model = Model(new_id("model"), _type(call) or _DEFAULT_TYPE, account.now, account.date, account.date)
    _rename(account, call, model)
    model.collections = call.texts("collectionIds")
    model.concepts = _concepts(account, call)
    account.models[model.id] = model
    return _answer(account, call, model)


def _type(call: Call) -> str | None:
    kind = call.text("type")
    if kind is not None and kind not in MODEL_TYPES:
        raise invalid(f"Field type must be one of: {', '.join(sorted(MODEL_TYPES))}")
    return kind


def _rename(account: Account, call: Call, model: Model) -> None:
    name, description = call.text("name"), call.text("shortDescription")
    if account.switches.name_limit and len(name or "") > _LONGEST_NAME:
        raise invalid(f"Field name must be at most {_LONGEST_NAME} characters long")
    if len(description or "") > _LONGEST_DESCRIPTION:
        raise invalid(f"Field shortDescription must be at most {_LONGEST_DESCRIPTION} characters long")
    model.name = name if name is not None else model.name
    model.description = description if description is not None else model.description


def _concepts(account: Account, call: Call) -> list[Json]:
    concepts = call.fields.get("concepts") or []
    if not isinstance(concepts, list) or not all(isinstance(item, dict) for item in concepts):
        raise invalid("Field concepts must be an array of objects")
    for item in concepts:
        account.model(str(item.get("modelId")))
        if not isinstance(item.get("scale"), int | float) or not -2 <= item["scale"] <= 2:  # noqa: PLR2004
            raise invalid("Field concepts.scale must be between -2 and 2")
    return concepts


def read(account: Account, call: Call) -> Json:
    """`GET /models/{id}`."""
    model = account.model(call.params["id"])
    if call.public and not model.base:
        raise not_found("Model", model.id)
    return _answer(account, call, model)


def update(account: Account, call: Call) -> Json:
    """`PUT /models/{id}`: the type only while new, the epoch only when trained; tags have their own route."""
    model = account.own_model(call.params["id"])
    kind, epoch, thumbnail = _type(call), call.text("epoch"), call.text("thumbnail")
    if kind is not None and kind != model.type and model.status != "new":
        raise invalid("The type can only be changed while the model is new")
    if epoch is not None and epoch not in [name for name, _ in model.epochs]:
        raise invalid(f"Epoch {epoch} not found")
    if thumbnail is not None:
        account.asset(thumbnail)
    _rename(account, call, model)
    if "concepts" in call.fields:
        model.concepts = _concepts(account, call)
    model.type = kind or model.type
    model.epoch = epoch if "epoch" in call.fields else model.epoch
    model.thumbnail = thumbnail if "thumbnail" in call.fields else model.thumbnail
    model.updated = account.date
    return _answer(account, call, model)


def delete(account: Account, call: Call) -> Json:
    """`DELETE /models/{id}`: soft, the record stays listed as deleted."""
    account.own_model(call.params["id"]).deleted = account.date
    return {}


def tag(account: Account, call: Call) -> Json:
    """`PUT /models/{id}/tags`."""
    return change_tags(account.own_model(call.params["id"]).tags, call)


def read_many(account: Account, call: Call) -> Json:
    """`POST /models/get-bulk`: partial records, unknown ids left out."""
    ids = call.texts("modelIds")
    found = [account.models[identifier] for identifier in ids if identifier in account.models]
    everything = call.fields.get("allTrainingImages") is True and not call.fields.get("trainingImagesPreview")
    shapes = [
        account.shapes.model(model, original=call.original, all_images=everything)
        for model in found
        if not model.deleted
    ]
    if call.fields.get("minimal") is True:
        shapes = [{key: shape[key] for key in _SHORT_KEYS if key in shape} for shape in shapes]
    return {"models": shapes}


def attach(account: Account, call: Call) -> Json:
    """`POST /models/{id}/training-images` in its three forms; the answer shows one image even for a batch."""
    model = _untrained(account, call)
    ids = call.texts("assetIds", most=_BATCH)
    if ids and any(name in call.fields for name in ("assetId", "data", "name")):
        raise invalid("assetIds cannot be used with assetId, data or name")
    if ids:
        return {"trainingImage": account.shapes.training_image(_attach_batch(account, model, ids), original=False)}
    asset = _single(account, call, model)
    _check_room(account, model, 1)
    model.images.append(asset.id)
    return {"trainingImage": account.shapes.training_image(asset, original=call.original)}


def _untrained(account: Account, call: Call) -> Model:
    model = account.own_model(call.params["id"])
    if call.fields.get("preset") not in _PRESETS:
        raise invalid("Field preset must be one of: default, style, subject")
    if model.status in ("training", "trained"):
        raise invalid(f"Training images cannot be changed while the model is {model.status}")
    return model


def _attach_batch(account: Account, model: Model, ids: list[str]) -> Asset:
    fresh = [identifier for identifier in dict.fromkeys(ids) if identifier not in model.images]
    assets = [account.asset(identifier) for identifier in ids]
    overlapping = len(fresh) < len(ids)
    if not overlapping or not account.switches.atomic_batches:
        _check_room(account, model, len(fresh))
        model.images.extend(fresh)
    if overlapping:
        raise invalid(ALREADY_ATTACHED)
    return assets[0]


def _single(account: Account, call: Call, model: Model, *, instead_of: str | None = None) -> Asset:
    """The image of form A (an asset's id) or form C (a data URL, which makes an asset on the way)."""
    identifier, data = call.text("assetId"), call.text("data")
    if identifier is not None:
        if identifier in model.images and identifier != instead_of:
            raise invalid(ALREADY_ATTACHED)
        return account.asset(identifier)
    if data is None:
        raise invalid("One of assetId, assetIds or data must be provided")
    return account.add_image(call.text("name") or "training-image", from_data_url(data))


def _check_room(account: Account, model: Model, more: int) -> None:
    """The dataset's ceiling, told as a plan limit; the live answer is unknown (Scenario dossier 16)."""
    limit = account.switches.dataset_limit
    if len(model.images) + more > limit:
        raise plan_limit("add-training-image", limit=limit, value=len(model.images) + more)


def replace(account: Account, call: Call) -> Json:
    """`PUT /models/{id}/training-images/{image}`: another image in the same place."""
    model, old = _untrained(account, call), call.params["image"]
    if old not in model.images:
        raise not_found("Training image", old)
    asset = _single(account, call, model, instead_of=old)
    model.images[model.images.index(old)] = asset.id
    _forget_pairs(model, old)
    return {"trainingImage": account.shapes.training_image(asset, original=call.original)}


def detach(account: Account, call: Call) -> Json:
    """`DELETE /models/{id}/training-images/{image}`."""
    model, image = _untrained(account, call), call.params["image"]
    if image not in model.images:
        raise not_found("Training image", image)
    model.images.remove(image)
    _forget_pairs(model, image)
    return {}


def _forget_pairs(model: Model, image: str) -> None:
    model.pairs = [pair for pair in model.pairs if image not in (pair.source, pair.target)]


def replace_pairs(account: Account, call: Call) -> Json:
    """`PUT /models/{id}/training-images/pairs`: a bare array that replaces all pairs."""
    model = account.own_model(call.params["id"])
    if not isinstance(call.body, list) or not all(isinstance(item, dict) for item in call.body):
        raise invalid("The request body must be an array of pairs")
    pairs = [Pair(item.get("instruction"), item.get("sourceId"), item.get("targetId")) for item in call.body]
    for pair in pairs:
        if pair.source not in model.images or pair.target not in model.images:
            raise invalid("sourceId and targetId must be training images of this model")
    model.pairs = pairs
    return {"count": len(pairs), "pairs": account.shapes.pairs(model)}
