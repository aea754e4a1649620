"""Assets and multi-part uploads (Scenario dossier 2 and 7)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from unified_train.sandbox.scenario.calls import decoded
from unified_train.sandbox.scenario.errors import Refusal, invalid, not_found
from unified_train.sandbox.scenario.records import Upload
from unified_train.sandbox.scenario.state import measured, new_id

if TYPE_CHECKING:
    from unified_train.sandbox.scenario.calls import Call
    from unified_train.sandbox.scenario.state import Account

    Json = dict[str, Any]

_BULK = 200
_DELETED_AT_ONCE = 100
_KINDS = ("3d", "asset", "audio", "avatar", "image", "model", "text", "video")
_MOST_PARTS = 10_000
_LEAST_PART = 5_000_000
_URL_SECONDS = 3600


def upload_inline(account: Account, call: Call) -> Json:
    """`POST /assets`: bare base64; what a data URL does is unknown, so it is refused (Scenario dossier 2.1)."""
    name, image = call.needed_text("name"), call.text("image")
    if image is None and call.text("canvas") is None:
        raise invalid("Either 'image' or 'canvas' must be provided")
    if image is None:
        raise invalid("Canvases are not part of the sandbox")
    asset = account.add_image(name, decoded(image))
    asset.collections, asset.hidden = call.texts("collectionIds"), call.fields.get("hide") is True
    return {"asset": account.shapes.asset(asset, original=call.original)}


def read(account: Account, call: Call) -> Json:
    """`GET /assets/{id}`."""
    asset = account.asset(call.params["id"])
    if call.public:
        raise not_found("Asset", asset.id)
    return {"asset": account.shapes.asset(asset, original=call.original)}


def update(account: Account, call: Call) -> Json:
    """`PUT /assets/{id}`: the description is the caption of a training image (Scenario dossier 3.3)."""
    asset = account.asset(call.params["id"])
    description = call.text("description")
    if description is not None:
        asset.description, asset.updated = description, account.date
    return {"asset": account.shapes.asset(asset, original=call.original)}


def read_many(account: Account, call: Call) -> Json:
    """`POST /assets/get-bulk`: unknown ids are left out (Scenario dossier 6.3)."""
    ids = call.texts("assetIds", most=_BULK)
    found = [account.assets[identifier] for identifier in ids if identifier in account.assets]
    shapes = [account.shapes.asset(asset, original=call.original) for asset in found if not asset.deleted]
    return {"assets": shapes}


def delete(account: Account, call: Call) -> Json:
    """`DELETE /assets`; datasets keep their pictures, since what happens to them is not documented."""
    for identifier in call.texts("assetIds", most=_DELETED_AT_ONCE):
        account.asset(identifier).deleted = True
    return {}


def tag(account: Account, call: Call) -> Json:
    """`PUT /assets/{id}/tags`."""
    return change_tags(account.asset(call.params["id"]).tags, call)


def change_tags(tags: list[str], call: Call) -> Json:
    """Add and delete tags; `strict` refuses what changes nothing (Scenario dossier 3.4)."""
    add, remove = call.texts("add"), call.texts("delete")
    there, missing = [word for word in add if word in tags], [word for word in remove if word not in tags]
    if call.fields.get("strict") is True and (there or missing):
        raise invalid(f"Tags already there or not found: {', '.join([*there, *missing])}")
    added = [word for word in add if word not in tags]
    deleted = [word for word in remove if word in tags]
    tags[:] = [word for word in [*tags, *added] if word not in deleted]
    return {"added": added, "deleted": deleted}


def start_upload(account: Account, call: Call) -> Json:
    """`POST /uploads`: one presigned address for each part (Scenario dossier 2.2)."""
    for other in ("url", "civitaiModelUrl", "huggingFaceModelName"):
        if call.text(other) is not None:
            raise invalid(f"Uploads by {other} are not part of the sandbox, since it fetches nothing")
    name, media_type, kind = (call.needed_text(field) for field in ("fileName", "contentType", "kind"))
    if kind not in _KINDS:
        raise invalid(f"Field kind must be one of: {', '.join(_KINDS)}")
    parts, size = _whole(call, "parts", _MOST_PARTS), _whole(call, "fileSize", 5 * 10**12)
    upload = Upload(
        id=new_id("upload"),
        name=name,
        media_type=media_type,
        kind=kind,
        size=size,
        parts=parts,
        created=account.date,
        updated=account.date,
        expires=account.date + timedelta(seconds=_URL_SECONDS),
        urls=[],
        options=call.fields.get("assetOptions") or {},
    )
    upload.urls = [
        account.world.objects.presign("PUT", account.upload_bucket, f"{upload.id}/{number}", expires=_URL_SECONDS)
        for number in range(1, parts + 1)
    ]
    account.uploads[upload.id] = upload
    return {"upload": account.shapes.upload(upload)}


def _whole(call: Call, name: str, most: int) -> int:
    value = call.fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value) or not 1 <= value <= most:
        raise invalid(f"Field {name} must be an integer between 1 and {most}")
    return int(value)


def act_on_upload(account: Account, call: Call) -> Json:
    """`POST /uploads/{id}/action`: an incomplete upload stays pending."""
    upload = _upload(account, call)
    if call.needed_text("action") != "complete":
        raise invalid("Field action must be one of: complete")
    if upload.timeline is None:
        _complete(account, upload)
    return {"upload": account.shapes.upload(upload)}


def _complete(account: Account, upload: Upload) -> None:
    parts = account.parts_of(upload)
    if len(parts) < upload.parts:
        return
    upload.error = _upload_error(upload, parts)
    last = "failed" if upload.error else "imported"
    upload.timeline = account.new_timeline([(0, "validating"), (2, "validated"), (4, last)], length=4)
    upload.updated = account.date


def _upload_error(upload: Upload, parts: list[bytes]) -> str | None:
    size = sum(len(part) for part in parts)
    if size != upload.size:
        return f"The parts hold {size} bytes instead of {upload.size}"
    if any(len(part) < _LEAST_PART for part in parts[:-1]):
        return "Every part but the last must hold at least 5 MB"
    try:
        measured(b"".join(parts))
    except Refusal as refusal:
        return str(refusal.body["reason"])
    return None


def read_upload(account: Account, call: Call) -> Json:
    """`GET /uploads/{id}`."""
    return {"upload": account.shapes.upload(_upload(account, call))}


def _upload(account: Account, call: Call) -> Upload:
    identifier = call.params["id"]
    if identifier not in account.uploads:
        raise not_found("Upload", identifier)
    return account.uploads[identifier]
