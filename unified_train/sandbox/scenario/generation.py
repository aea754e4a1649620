"""Generations with LoRAs, and `patch` (Scenario dossier 6)."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageColor

from unified_train.sandbox.scenario.bases import HIGHEST_SEED, Base, base_for, checked_inputs
from unified_train.sandbox.scenario.calls import from_data_url, is_data_url
from unified_train.sandbox.scenario.errors import CUSTOM_ONLY, invalid, plan_limit, restricted
from unified_train.sandbox.scenario.records import Job, Recipe
from unified_train.sandbox.scenario.state import measured, new_id, new_seed, priced

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unified_train.sandbox.scenario.calls import Call
    from unified_train.sandbox.scenario.records import Asset, Model
    from unified_train.sandbox.scenario.state import Account

    Json = dict[str, Any]

_QUALITY_GATE = 1.75
_OWN_SCALE = 0.8
_SIDE = 1024
_AREA = 1024 * 1024
_STEP = 16
_NOT_INPUTS = ("hideResults",)


@dataclass(frozen=True)
class _Wanted:
    """A checked generation: base, values of its inputs, LoRAs with their scales."""

    base: Base
    values: Json
    loras: tuple[tuple[Model, float], ...]


def run(account: Account, call: Call) -> Json:
    """`POST /generate/custom/{id}`: a price for a dry run, else one job, accepted and billed."""
    dry_run = call.dry_run
    wanted = _wanted(account, call)
    count = int(wanted.values["numOutputs"])
    amounts = {"custom-generation": wanted.base.price * count}
    if account.switches.quality_gate:
        amounts["quality-gate"] = _QUALITY_GATE * count
    if dry_run:
        return priced(amounts)
    _check_plan(account)
    return {"job": account.shapes.job(_accept(account, call, wanted, amounts)), **priced(amounts)}


def _wanted(account: Account, call: Call) -> _Wanted:
    switches, model = account.switches, account.model(call.params["id"])
    given = {name: value for name, value in call.fields.items() if name not in _NOT_INPUTS}
    refuse = switches.unknown_inputs == "refuse"
    if model.base is None:
        base = base_for(model.type) if switches.lora_in_path else None
        if base is None:
            raise invalid(CUSTOM_ONLY)
        _check_trained(model)
        return _Wanted(base, checked_inputs(base.own_inputs, given, refuse_unknown=refuse), ((model, _OWN_SCALE),))
    if not switches.base_in_path:
        raise invalid(CUSTOM_ONLY)
    if model.id in switches.restricted_models:
        raise restricted(model.id, "pro")
    values = checked_inputs(model.base.inputs, given, refuse_unknown=refuse)
    _check_files(account, model.base, values)
    return _Wanted(model.base, values, _loras(account, model.base, values))


def _check_trained(model: Model) -> None:
    if model.status != "trained":
        raise invalid(f"Model {model.id} is not trained")


def _loras(account: Account, base: Base, values: Json) -> tuple[tuple[Model, float], ...]:
    """The LoRAs of a request; a missing scale is not refused, the vendor picks one (Scenario dossier 6.1)."""
    ids: list[str] = values.get("loras") or ([values["modelId"]] if "modelId" in values else [])
    models = [account.model(identifier) for identifier in ids]
    wrong = [model.id for model in models if model.type not in base.types]
    if wrong:
        raise invalid(f"Invalid model(s): {', '.join(wrong)}\nAllowed model types: {', '.join(base.types)}")
    for model in models:
        _check_trained(model)
    scales = values.get("lorasScale", []) if values.get("loras") else []
    return tuple((model, scales[at] if at < len(scales) else _OWN_SCALE) for at, model in enumerate(models))


def _check_files(account: Account, base: Base, values: Json) -> None:
    for spec in base.inputs:
        if spec["type"] in ("file", "file_array") and spec["name"] in values:
            value = values[spec["name"]]
            for item in value if isinstance(value, list) else [value]:
                _picture_bytes(account, item)


def _picture_bytes(account: Account, text: str) -> bytes:
    """The bytes behind a data URL or an asset's id."""
    if is_data_url(text):
        data = from_data_url(text)
        measured(data)
        return data
    return account.bytes_of(account.asset(text))


def _check_plan(account: Account) -> None:
    limit, running = account.switches.parallel_generations, account.running(training=False)
    if running >= limit:
        raise plan_limit("parallel-custom-jobs", limit=limit, value=running)


def _accept(account: Account, call: Call, wanted: _Wanted, amounts: dict[str, float]) -> Job:
    seed = int(wanted.values.get("seed", new_seed()))
    job_id = new_id("job")
    outputs = _outputs(account, wanted, seed, job_id)
    error = _error(account, outputs)
    job = Job(
        id=job_id,
        type="custom",
        input={**call.fields, "modelId": call.fields.get("modelId", call.params["id"]), "seed": seed},
        timeline=account.new_timeline(
            _words(account.switches.generation_seconds, failed=bool(error)),
            begin=account.switches.generation_seconds * 0.15,
            length=account.switches.generation_seconds,
        ),
        created=account.date,
        cost=amounts["custom-generation"],
        quality_gate=amounts.get("quality-gate", 0.0),
        outputs=() if error else outputs,
        error=error,
        hint="Change the request and try again" if error else None,
    )
    account.jobs[job.id] = job
    account.world.submitted("scenario", "generation", job.id, "")
    return job


def _error(account: Account, outputs: Sequence[Asset]) -> str | None:
    """Why the job will fail; some rules are only checked there (Scenario dossier 6.2)."""
    least = account.switches.minimum_pixels
    if any(asset.width * asset.height < least for asset in outputs):
        return f"width x height must be at least {least} pixels"
    return account.switches.generation_error if account.switches.generation_outcome == "failure" else None


def _words(length: float, *, failed: bool) -> list[tuple[float, str]]:
    steps = [(0.0, "queued"), (length * 0.1, "warming-up"), (length * 0.15, "in-progress")]
    if failed:
        return [*steps, (length * 0.5, "failure")]
    return [*steps, (length * 0.9, "finalizing"), (length, "success")]


def _outputs(account: Account, wanted: _Wanted, seed: int, job_id: str) -> list[Asset]:
    width, height = _size(wanted)
    photos = tuple(photo for model, scale in wanted.loras if scale > 0 for photo in model.trained_on)
    model = wanted.values.get("modelId", wanted.base.id)
    prompt = str(wanted.values.get("prompt", ""))
    concepts = [{"modelId": lora.id, "scale": scale} for lora, scale in wanted.loras]
    told = ("negativePrompt", "guidance", "numInferenceSteps", "numOutputs")
    facts = {name: wanted.values[name] for name in told if name in wanted.values}
    outputs = []
    for number in range(int(wanted.values["numOutputs"])):
        recipe = Recipe(photos, prompt, (seed + number) % (HIGHEST_SEED + 1), width, height, faithful=bool(photos))
        asset = account.picture(recipe, model=wanted.loras[0][0].id if wanted.loras else model, job=job_id)
        # `outputIndex` was 0 on every output of a live job (Scenario dossier 7).
        asset.metadata |= {**facts, "modelId": model, "parentJobId": job_id, "outputIndex": 0, "concepts": concepts}
        outputs.append(asset)
    return outputs


def _size(wanted: _Wanted) -> tuple[int, int]:
    ratio = wanted.values.get("aspectRatio")
    if ratio is None:
        return int(wanted.values.get("width", _SIDE)), int(wanted.values.get("height", _SIDE))
    wide, high = (int(part) for part in ratio.split(":"))
    width = (_AREA * wide / high) ** 0.5
    return round(width / _STEP) * _STEP, round(_AREA / width / _STEP) * _STEP


def patch(account: Account, call: Call) -> Json:
    """`POST /generate/patch`: compose two images at once; the answer already holds the asset (dossier 6.4)."""
    data, media_type = _patched(account, call)
    asset = account.add_image(f"patch.{media_type.partition('/')[2]}", data)
    asset.source = asset.kind = "patch"
    job = Job(
        id=new_id("job"),
        type="patch-image",
        input=dict(call.fields),
        timeline=account.new_timeline([(0, "success")]),
        created=account.date,
        cost=0,
        asset_ids=[asset.id],
    )
    asset.job = job.id
    account.jobs[job.id] = job
    shape = account.shapes.asset(asset, original=call.original)
    return {"job": account.shapes.job(job), "asset": shape, "creativeUnitsCost": 0, "creativeUnitsDiscount": 0}


def _patched(account: Account, call: Call) -> tuple[bytes, str]:
    with Image.open(io.BytesIO(_picture_bytes(account, call.needed_text("image")))) as opened:
        picture = opened.convert("RGBA")
    crop, overlay, target = _part(call, "crop"), _part(call, "patch"), call.text("format") or "png"
    if target not in ("png", "jpeg"):
        raise invalid("Field format must be one of: png, jpeg")
    if crop:
        left, top, width, height = (_pixels(crop, name) for name in ("left", "top", "width", "height"))
        picture = picture.crop((left, top, left + width, top + height))
    if overlay:
        picture = _merged(account, picture, overlay, _part(call, "position") or {"x": 0, "y": 0}, call)
    out = io.BytesIO()
    flat = _flattened(picture, call.text("backgroundColor") or "white", target)
    flat.save(out, target.upper())
    return out.getvalue(), f"image/{target}"


def _part(call: Call, name: str) -> Json | None:
    value = call.fields.get(name)
    if value is not None and not isinstance(value, dict):
        raise invalid(f"Field {name} must be an object")
    return value


def _pixels(part: Json, name: str) -> int:
    value = part.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid(f"Field {name} must be a number")
    return round(value)


def _merged(account: Account, picture: Image.Image, overlay: Json, position: Json, call: Call) -> Image.Image:
    image, mode = overlay.get("image"), overlay.get("mode")
    if not isinstance(image, str) or mode not in ("override", "erase"):
        raise invalid("Field patch needs an image and a mode, override or erase")
    with Image.open(io.BytesIO(_picture_bytes(account, image))) as opened:
        over = opened.convert("RGBA")
    x, y = _pixels(position, "x"), _pixels(position, "y")
    left, top = min(0, x), min(0, y)
    right, bottom = max(picture.width, x + over.width), max(picture.height, y + over.height)
    if call.fields.get("allowOverflow") is True:
        picture, x, y = picture.crop((left, top, right, bottom)), x - left, y - top
    if mode == "override":
        picture.paste(over, (x, y), over)
    else:
        picture.paste((0, 0, 0, 0), (x, y), over)
    return picture


def _flattened(picture: Image.Image, background: str, target: str) -> Image.Image:
    if background == "transparent":
        if target != "png":
            raise invalid("A transparent background needs format png")
        return picture
    try:
        color = ImageColor.getrgb(background)
    except ValueError:
        raise invalid("Field backgroundColor must be a color") from None
    canvas = Image.new("RGBA", picture.size, (*color[:3], 255))
    canvas.alpha_composite(picture)
    return canvas.convert("RGB")
