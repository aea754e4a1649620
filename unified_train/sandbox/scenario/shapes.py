"""How records look in answers: every field that the vendor's SDK requires, and the optional ones that matter."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from PIL import Image

from unified_train.sandbox.scenario.bases import base_for
from unified_train.sandbox.scenario.records import AUTHOR, PROJECT

if TYPE_CHECKING:
    from datetime import datetime

    from unified_train.sandbox.scenario.records import Asset, Job, Model, Upload
    from unified_train.sandbox.scenario.state import Account
    from unified_train.sandbox.scenario.timeline import Timeline

    Json = dict[str, Any]

_FEW_IMAGES = 3
_PENDING_STAGES = ("pending", "queued-for-train")


def iso(date: datetime) -> str:
    """A date as the vendor writes it: UTC, milliseconds, `Z`."""
    return date.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def milliseconds(date: datetime) -> int:
    """A date as `trainingProgress` writes it (Scenario dossier 13, trap 21)."""
    return int(date.timestamp() * 1000)


class Shapes:
    """Builds the JSON of one account's records."""

    def __init__(self, account: Account) -> None:
        self._account = account

    @property
    def _minimal(self) -> bool:
        return self._account.switches.minimal_records

    def asset(self, asset: Asset, *, original: bool) -> Json:
        """An asset, with a freshly signed URL (Scenario dossier 7)."""
        self._account.material(asset)
        shape: Json = {
            "id": asset.id,
            "url": self.url(asset, original=original),
            "mimeType": asset.media_type,
            "kind": "image",
            "status": "success" if self._account.age(asset) >= self._pending_seconds(asset) else "pending",
            "source": asset.source,
            "privacy": "private",
            "ownerId": PROJECT,
            "authorId": AUTHOR,
            "tags": asset.tags,
            "collectionIds": asset.collections,
            "editCapabilities": ["UPSCALE", "REMOVE_BACKGROUND"],
            "properties": {"size": asset.size, "width": asset.width, "height": asset.height},
            "metadata": {"kind": "image", "type": asset.kind, "width": asset.width, "height": asset.height},
            "createdAt": iso(asset.created),
            "updatedAt": iso(asset.updated),
        }
        if self._minimal:
            return shape | {"properties": {"size": asset.size}, "metadata": {"kind": "image", "type": asset.kind}}
        return self._with_optional(shape, asset)

    def _pending_seconds(self, asset: Asset) -> float:
        return self._account.switches.asset_pending_seconds if asset.job else 0.0

    def _with_optional(self, shape: Json, asset: Asset) -> Json:
        preview = {"assetId": asset.id, "url": self.url(asset, original=False)}
        shape |= {"description": asset.description, "automaticCaptioning": asset.caption, "isHidden": asset.hidden}
        shape |= {"thumbnail": preview, "preview": preview}
        shape["metadata"] |= asset.metadata
        if asset.kind == "uploaded":
            shape["metadata"] |= {"name": asset.name, "size": asset.size}
        # The labels come late, and an absent list says nothing (Scenario dossier 7).
        if self._account.age(asset) >= self._account.switches.nsfw_delay:
            shape["nsfw"] = self._account.switches.nsfw_labels
        return shape

    def url(self, asset: Asset, *, original: bool) -> str:
        """A signed address of the asset, or of its rendition."""
        account = self._account
        self._account.material(asset)
        rendition = account.switches.renditions and not original
        key = f"assets-transform/{asset.id}" if rendition else f"assets/{asset.id}"
        if rendition and account.world.objects.get(account.bucket, key) is None:
            account.world.objects.put(account.bucket, key, _rendition(account.bytes_of(asset)), "image/webp")
        return account.world.objects.presign_cdn(account.bucket, key, expires=account.switches.url_seconds)

    def training_image(self, asset: Asset, *, original: bool) -> Json:
        """A training image; its id is an asset id (Scenario dossier 3.3)."""
        return {
            "id": asset.id,
            "name": asset.name,
            "description": asset.description,
            "automaticCaptioning": asset.caption,
            "createdAt": iso(asset.created),
            "downloadUrl": self.url(asset, original=original),
        }

    def model(self, model: Model, *, original: bool, all_images: bool = True, shown: str | None = None) -> Json:
        """A model (Scenario dossier 3.1); lists and bulk reads show the first three training images, lists a status."""
        shown = shown or self._account.shown_status(model)
        shape: Json = {
            "id": model.id,
            "type": model.type,
            "status": shown,
            "custom": model.base is not None or self._shows_inputs(model),
            "privacy": "public" if model.base else "private",
            "source": "scenario",
            "capabilities": ["txt2img", "img2img"],
            "collectionIds": model.collections,
            "exampleAssetIds": [],
            "tags": model.tags,
            "trainingImagesNumber": len(model.images),
            "createdAt": iso(model.created),
            "updatedAt": iso(model.updated),
        }
        if self._minimal:
            return shape
        shape |= self._names(model) | self._dataset(model, original=original, all_images=all_images)
        return shape | self._run(model, shown) | self._inputs(model)

    def _names(self, model: Model) -> Json:
        thumbnail = self._account.assets.get(model.thumbnail or "")
        fields = {
            "name": model.name,
            "shortDescription": model.description,
            "ownerId": PROJECT if not model.base else None,
            "authorId": AUTHOR if not model.base else None,
            "parameters": model.parameters,
            "epoch": model.epoch,
            "deletedAt": iso(model.deleted) if model.deleted else None,
            "thumbnail": {"assetId": thumbnail.id, "url": self.url(thumbnail, original=False)} if thumbnail else None,
            "concepts": model.concepts or None,
        }
        return {name: value for name, value in fields.items() if value is not None}

    def _dataset(self, model: Model, *, original: bool, all_images: bool) -> Json:
        ids = model.images if all_images else model.images[:_FEW_IMAGES]
        images = [self._account.assets[identifier] for identifier in ids]
        shape: Json = {"trainingImages": [self.training_image(image, original=original) for image in images]}
        if model.pairs:
            shape["trainingImagePairs"] = self.pairs(model)
        return shape

    def pairs(self, model: Model) -> list[Json]:
        """The before/after pairs of an edit model."""
        full = [
            {"instruction": pair.instruction, "sourceId": pair.source, "targetId": pair.target} for pair in model.pairs
        ]
        return [{name: value for name, value in pair.items() if value is not None} for pair in full]

    def _run(self, model: Model, shown: str) -> Json:
        if model.training is None or shown == "new":
            return {}
        shape: Json = {"jobId": model.job} if model.job else {}
        if shown == "training":
            empty = self._account.switches.empty_progress
            return shape | {"trainingProgress": {} if empty else self._progress(model.training)}
        if shown == "trained":
            shape |= {"epochs": [self._epoch(name, ids) for name, ids in model.epochs]}
            shape |= {"trainingStats": self._stats(model.training)}
        return shape

    def _progress(self, run: Timeline) -> Json:
        account, stage = self._account, run.word
        done = run.share(account.now)
        shape: Json = {"stage": stage, "progress": done * account.switches.progress_scale}
        shape |= {"updatedAt": milliseconds(account.world.clock.date() if stage == "running-train" else run.changed)}
        if stage in _PENDING_STAGES:
            return shape | {"position": 2 if stage == "pending" else 1}
        started = run.date_of("starting-train")
        left = run.started + run.plan[-1][0] - account.now
        # What is left is told in the time of the caller's own clock, as the dates are.
        shape["remainingTimeMs"] = round(max(0.0, left) / (account.world.clock.speed or 1.0) * 1000)
        return shape | ({"startedAt": milliseconds(started)} if started else {})

    def _stats(self, run: Timeline) -> Json:
        started, ended = run.date_of("starting-train") or run.date, run.changed
        return {
            "startedAt": iso(started),
            "endedAt": iso(ended),
            "queueDuration": round((started - run.date).total_seconds(), 3),
            "trainDuration": round((ended - started).total_seconds(), 3),
        }

    def _epoch(self, name: str, ids: list[str]) -> Json:
        assets = [self._account.assets[identifier] for identifier in ids]
        samples = [{"assetId": asset.id, "url": self.url(asset, original=False)} for asset in assets]
        return {"epoch": name, "assets": samples} if samples else {"epoch": name}

    def _shows_inputs(self, model: Model) -> bool:
        return self._account.switches.lora_shows_inputs and model.status == "trained"

    def _inputs(self, model: Model) -> Json:
        base = model.base or (base_for(model.type) if self._shows_inputs(model) else None)
        if base is None:
            return {}
        return {"inputs": base.inputs, "uiConfig": base.ui_config} if model.base else {"inputs": list(base.own_inputs)}

    def job(self, job: Job) -> Json:
        """A job (Scenario dossier 5)."""
        metadata: Json = {"input": job.input}
        if job.status == "success" and job.asset_ids is not None:
            metadata["assetIds"] = job.asset_ids
        if job.status == "failure":
            metadata |= {"error": job.error, "hint": job.hint}
        shape: Json = {
            "jobId": job.id,
            "jobType": job.type,
            "status": job.status,
            "progress": round(job.timeline.share(self._account.now), 4),
            "metadata": metadata,
            "statusHistory": [{"status": word, "date": iso(date)} for word, date in job.timeline.seen],
            "createdAt": iso(job.created),
            "updatedAt": iso(job.timeline.changed),
        }
        if self._minimal:
            return shape | {"metadata": {key: value for key, value in metadata.items() if key == "assetIds"}}
        return shape | {"billing": self._billing(job), "ownerId": PROJECT, "authorId": AUTHOR}

    def _billing(self, job: Job) -> Json:
        """Add-ons drop to 0 with the refund of a failed job, the main figure stays (Scenario dossier 5)."""
        billing: Json = {"cuCost": job.cost, "cuDiscount": 0}
        if job.quality_gate:
            billing["cuCostDetails"] = {"quality-gate": 0 if job.status == "failure" else job.quality_gate}
        return billing

    def upload(self, upload: Upload) -> Json:
        """A multi-part upload (Scenario dossier 2.2)."""
        word = upload.timeline.word if upload.timeline else "pending"
        shape: Json = {
            "id": upload.id,
            "status": word,
            "kind": upload.kind,
            "source": "multipart",
            "fileName": upload.name,
            "authorId": AUTHOR,
            "ownerId": PROJECT,
            "createdAt": iso(upload.created),
            "updatedAt": iso(upload.updated),
            "entityId": upload.asset if word == "imported" else None,
        }
        if self._minimal and word == "imported":
            return shape
        parts = [{"number": n, "url": url, "expires": iso(upload.expires)} for n, url in enumerate(upload.urls, 1)]
        shape |= {"parts": parts, "partsCount": upload.parts, "contentType": upload.media_type}
        shape |= {"fileSize": upload.size, "originalFileName": upload.name}
        if upload.options:
            shape["assetOptions"] = upload.options
        return shape | ({"errorMessage": upload.error} if word == "failed" else {})


def _rendition(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data)) as picture:
        out = io.BytesIO()
        picture.convert("RGB").save(out, "WEBP", quality=80)
    return out.getvalue()
