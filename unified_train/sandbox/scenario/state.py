"""The emulated account: its records, and how they change with the clock. Nothing here knows HTTP."""

from __future__ import annotations

import io
import secrets
from typing import TYPE_CHECKING, Any

from PIL import Image, UnidentifiedImageError

from unified_train.sandbox import pictures
from unified_train.sandbox.scenario.bases import BASES, HIGHEST_SEED
from unified_train.sandbox.scenario.errors import invalid, not_found
from unified_train.sandbox.scenario.records import Asset, Job, Model, Recipe, Upload
from unified_train.sandbox.scenario.shapes import Shapes
from unified_train.sandbox.scenario.switches import Switches
from unified_train.sandbox.scenario.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from unified_train.sandbox.world import World

_MEDIA_TYPES = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "GIF": "image/gif",
    "WEBP": "image/webp",
    "AVIF": "image/avif",
    "TIFF": "image/tiff",
}
_SAMPLE_SIDE = 256
_LONG_AGO = -1e12  # public models were there before the account


class Account:
    """One account of the vendor, empty but for the public base models.

    Attributes:
        world: Clock, object store, submissions.
        switches: Vendor behaviours that can be turned.
        bucket: Where asset files lie in the object store.
        upload_bucket: Where parts of uploads lie.
    """

    bucket = "scenario-cdn"
    upload_bucket = "scenario-uploads"

    def __init__(self, world: World) -> None:
        self.world = world
        self.shapes = Shapes(self)
        self.reset()

    def reset(self) -> None:
        """Forget everything and turn all switches back."""
        self.switches = Switches()
        self.assets: dict[str, Asset] = {}
        self.uploads: dict[str, Upload] = {}
        self.jobs: dict[str, Job] = {}
        date = self.date
        self.models: dict[str, Model] = {
            base.id: Model(base.id, "custom", _LONG_AGO, date, date, name=base.name, base=base)
            for base in BASES.values()
        }
        self.last_training = _LONG_AGO

    @property
    def now(self) -> float:
        """Simulated seconds."""
        return self.world.clock.now()

    @property
    def date(self) -> datetime:
        """The date that records show."""
        return self.world.clock.date()

    def settle(self) -> None:
        """Let everything happen that is due by now."""
        now, date = self.now, self.date
        for upload in self.uploads.values():
            self._settle_upload(upload, now, date)
        for job in self.jobs.values():
            if not job.timeline.finished:
                job.timeline.settle(now, date)
                self._deliver(job)
        for model in self.models.values():
            if model.training is not None and not model.training.finished:
                model.training.settle(now, date)
                model.updated = model.training.changed
                self._publish(model)

    def _settle_upload(self, upload: Upload, now: float, date: datetime) -> None:
        if upload.timeline is None or upload.timeline.finished:
            return
        upload.timeline.settle(now, date)
        upload.updated = upload.timeline.changed
        if upload.timeline.word == "imported":
            upload.asset = self.add_image(upload.name, b"".join(self.parts_of(upload))).id

    def parts_of(self, upload: Upload) -> list[bytes]:
        """The parts of an upload that have arrived, in order."""
        keys = [f"{upload.id}/{number}" for number in range(1, upload.parts + 1)]
        stored = [self.world.objects.get(self.upload_bucket, key) for key in keys]
        return [part.data for part in stored if part]

    def _deliver(self, job: Job) -> None:
        if job.status != "success" or job.asset_ids is not None or not job.outputs:
            return
        for asset in job.outputs:
            asset.made = job.timeline.started + job.timeline.plan[-1][0]
            asset.created = asset.updated = job.timeline.changed
            self.assets[asset.id] = asset
        kept = max(0, len(job.outputs) - self.switches.short_asset_ids)
        job.asset_ids = [asset.id for asset in job.outputs][:kept]

    def _publish(self, model: Model) -> None:
        """Give a trained model its checkpoints; those before the last only with samples (Scenario dossier 4.4)."""
        if model.status != "trained" or model.epochs:
            return
        model.concepts = [{"modelId": model.id, "scale": 0.8}]
        parameters = model.parameters or {}
        last, prompts = int(parameters.get("nbEpochs", 1)), parameters.get("samplePrompts", [])
        checkpoints = sorted({max(1, last // 2), last}) if prompts else [last]
        model.epochs = [(f"{number:06d}", self._samples(model, number, prompts)) for number in checkpoints]

    def _samples(self, model: Model, epoch: int, prompts: Sequence[str]) -> list[str]:
        side = _SAMPLE_SIDE
        made = [
            self.picture(Recipe(model.trained_on, prompt, epoch, side, side, faithful=True), model=model.id)
            for prompt in prompts
        ]
        self.assets.update({asset.id: asset for asset in made})
        return [asset.id for asset in made]

    def shown_status(self, model: Model) -> str:
        """What reads show: they may lag behind an accepted training."""
        return "new" if self.now < model.shown_from else model.status

    def listed_status(self, model: Model) -> str:
        """What lists show: they may lag behind what other reads show."""
        return "new" if model.training and not self.listed(model.training.started) else self.shown_status(model)

    def listed(self, since: float) -> bool:
        """Whether lists know by now what happened at a simulated second."""
        return self.now - since >= self.switches.list_lag

    def age(self, asset: Asset) -> float:
        """Seconds since an asset was made."""
        return self.now - asset.made

    def asset(self, identifier: str) -> Asset:
        """An asset of the account.

        Raises:
            Refusal: 404.
        """
        asset = self.assets.get(identifier)
        if asset is None or asset.deleted:
            raise not_found("Asset", identifier)
        return asset

    def model(self, identifier: str) -> Model:
        """A model that is not deleted.

        Raises:
            Refusal: 404.
        """
        model = self.models.get(identifier)
        if model is None or model.deleted:
            raise not_found("Model", identifier)
        return model

    def own_model(self, identifier: str) -> Model:
        """A model that can be changed: not a public one.

        Raises:
            Refusal: 404.
        """
        model = self.model(identifier)
        if model.base:
            raise not_found("Model", identifier)
        return model

    def job(self, identifier: str) -> Job:
        """A job.

        Raises:
            Refusal: 404.
        """
        if identifier not in self.jobs:
            raise not_found("Job", identifier)
        return self.jobs[identifier]

    def add_image(self, name: str, data: bytes) -> Asset:
        """Keep an uploaded image as an asset.

        Raises:
            Refusal: 400, the bytes are no image of a known format.
        """
        media_type, width, height = measured(data)
        asset = Asset(new_id("asset"), name, media_type, width, height, self.now, self.date, self.date, size=len(data))
        asset.caption = f"a picture of {width} by {height} pixels"
        self.world.objects.put(self.bucket, f"assets/{asset.id}", data, media_type)
        self.assets[asset.id] = asset
        return asset

    def picture(self, recipe: Recipe, *, model: str | None = None, job: str | None = None) -> Asset:
        """A generated image; it is drawn when somebody asks for it."""
        asset = Asset(
            new_id("asset"),
            "generated.png",
            "image/png",
            recipe.width,
            recipe.height,
            self.now,
            self.date,
            self.date,
            source="txt2img",
            kind="txt2img",
            recipe=recipe,
            model=model,
            job=job,
        )
        asset.metadata = {"prompt": recipe.prompt, "seed": str(recipe.seed)}
        return asset

    def material(self, asset: Asset) -> None:
        """Draw a generated image, once."""
        recipe = asset.recipe
        if recipe is None:
            return
        photos = [self.bytes_of(self.assets[identifier]) for identifier in recipe.photos]
        data = pictures.compose(
            photos,
            prompt=recipe.prompt,
            seed=recipe.seed,
            width=recipe.width,
            height=recipe.height,
            look="scenario",
            faithful=recipe.faithful,
        )
        self.world.objects.put(self.bucket, f"assets/{asset.id}", data, asset.media_type)
        asset.size, asset.recipe = len(data), None

    def bytes_of(self, asset: Asset) -> bytes:
        """The original file of an asset."""
        self.material(asset)
        stored = self.world.objects.get(self.bucket, f"assets/{asset.id}")
        return stored.data if stored else b""

    def new_timeline(self, plan: list[tuple[float, str]], *, begin: float = 0.0, length: float = 0.0) -> Timeline:
        """A timeline that starts now, its first word being due at once."""
        # One reading of the clock: with a quick one a job would be over by the second, and never be delivered.
        now, date = self.now, self.date
        timeline = Timeline(now, date, plan, begin, length)
        timeline.settle(now, date)
        return timeline

    def running(self, *, training: bool) -> int:
        """How many trainings, or other jobs, are not finished."""
        return sum(job.training is training and not job.timeline.finished for job in self.jobs.values())


def new_id(prefix: str) -> str:
    """A new id in the vendor's look; ids are opaque (Scenario dossier 1)."""
    return f"{prefix}_{secrets.token_hex(11)}"


def new_seed() -> int:
    """A seed for a generation that names none."""
    return secrets.randbelow(HIGHEST_SEED + 1)


def measured(data: bytes) -> tuple[str, int, int]:
    """Media type, width and height of an image.

    Raises:
        Refusal: 400, the bytes are no image of a known format.
    """
    try:
        with Image.open(io.BytesIO(data)) as picture:
            return _MEDIA_TYPES[picture.format or ""], picture.width, picture.height
    except (UnidentifiedImageError, KeyError, OSError, Image.DecompressionBombError):
        raise invalid("Unhandled image format") from None


def priced(amounts: dict[str, float]) -> dict[str, Any]:
    """The three cost fields of an answer: the total is the sum of the details (Scenario dossier 4.1)."""
    total = round(sum(amounts.values()), 4)
    return {"creativeUnitsCost": total, "creativeUnitsDiscount": 0, "costDetails": amounts}
