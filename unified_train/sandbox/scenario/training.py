"""Trainings: start, price, cancel (Scenario dossier 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unified_train.sandbox.scenario import trainers
from unified_train.sandbox.scenario.errors import ALREADY_TRAINING, cooling_down, invalid, plan_limit
from unified_train.sandbox.scenario.records import Job
from unified_train.sandbox.scenario.state import new_id, priced

if TYPE_CHECKING:
    from unified_train.sandbox.scenario.calls import Call
    from unified_train.sandbox.scenario.records import Model
    from unified_train.sandbox.scenario.state import Account

    Json = dict[str, Any]

# The parts of a training by share of its whole length: 1200 seconds are queued for 120 and started in 30.
_QUEUED, _ASSIGNED, _STARTED, _FAILING, _SAVING = 0.01, 0.1, 0.125, 0.4, 0.99


def start(account: Account, call: Call) -> Json:
    """`PUT /models/{id}/train`: a price for a dry run, else one job, accepted and billed."""
    model = account.own_model(call.params["id"])
    given = call.fields.get("parameters", {})
    if not isinstance(given, dict):
        raise invalid("Field parameters must be an object")
    dry_run = call.dry_run
    images = _images(model, call, dry_run=dry_run)
    _check_model(account, model)
    _check_dataset(model, images, dry_run=dry_run)
    parameters = trainers.checked_parameters(model.type, {**(model.parameters or {}), **given})
    cost = priced({"train-model": trainers.training_cost(model.type, parameters, images)})
    if dry_run:
        return cost
    _check_plan(account)
    job = _accept(account, model, parameters, cost["creativeUnitsCost"])
    shape = account.shapes.model(model, original=call.original)
    return {"job": account.shapes.job(job), "model": shape, **cost}


def _images(model: Model, call: Call, *, dry_run: bool) -> int:
    """The size of the dataset; a dry run may stand in a number for an empty one (Scenario dossier 4.3)."""
    if model.images or not dry_run:
        return len(model.images)
    text = call.query.get("trainingImagesCount", "0")
    return int(text) if text.isdecimal() else 0


def _check_model(account: Account, model: Model) -> None:
    if model.status == "training":
        raise invalid(ALREADY_TRAINING)
    if model.status == "trained":
        raise invalid("Model is already trained")
    if model.status != "new" and not account.switches.retrain:
        raise invalid(f"A model in status {model.status} cannot be trained again")
    if model.type not in trainers.TRAINABLE_TYPES:
        raise invalid(f"Models of type {model.type} cannot be trained")


def _check_dataset(model: Model, images: int, *, dry_run: bool) -> None:
    if not images:
        raise invalid("Model has no training images")
    simulated = dry_run and not model.images
    if model.type in trainers.EDIT_TYPES and len(model.pairs) < trainers.MINIMUM_PAIRS and not simulated:
        raise invalid(f"Models of type {model.type} need at least {trainers.MINIMUM_PAIRS} training image pairs")


def _check_plan(account: Account) -> None:
    switches = account.switches
    running = account.running(training=True)
    if running >= switches.parallel_trainings:
        raise plan_limit("parallel-training", limit=switches.parallel_trainings, value=running)
    left = account.last_training + switches.training_cooldown - account.now
    if left > 0:
        raise cooling_down(left)


def _accept(account: Account, model: Model, parameters: Json, cost: float) -> Job:
    switches = account.switches
    length, failed = switches.training_seconds, switches.training_outcome == "failed"
    late_model = switches.training_lag if switches.training_end == "job-first" else 0.0
    late_job = switches.training_lag if switches.training_end == "model-first" else 0.0
    begin = length * _STARTED
    end = begin + (length - begin) * _FAILING if failed else length
    model.training = account.new_timeline(_stages(length, end + late_model, failed=failed), begin=begin, length=length)
    timeline = account.new_timeline(_words(length, end + late_job, failed=failed), begin=begin, length=length)
    job = Job(
        id=new_id("job"),
        type=trainers.trainer_of(model.type).job_type,
        input={"modelId": model.id},
        timeline=timeline,
        created=account.date,
        cost=cost,
        error=switches.training_error if failed else None,
        hint="Remove damaged images and train again" if failed else None,
    )
    account.jobs[job.id] = job
    model.job, model.parameters, model.trained_on = job.id, parameters, tuple(model.images)
    model.name, model.updated = model.name or f"Untitled {model.type}", account.date
    model.shown_from = account.now + switches.start_lag
    account.last_training = account.now
    account.world.submitted("scenario", "training", job.id, model.name)
    return job


def _stages(length: float, end: float, *, failed: bool) -> list[tuple[float, str]]:
    steps = [(0.0, "pending"), (length * _QUEUED, "queued-for-train"), (length * _ASSIGNED, "starting-train")]
    return [*steps, (length * _STARTED, "running-train"), (end, "failed" if failed else "trained")]


def _words(length: float, end: float, *, failed: bool) -> list[tuple[float, str]]:
    steps = [(0.0, "pending"), (length * _QUEUED, "queued"), (length * _ASSIGNED, "warming-up")]
    steps.append((length * _STARTED, "in-progress"))
    return [*steps, (end, "failure")] if failed else [*steps, (length * _SAVING, "finalizing"), (end, "success")]


def act(account: Account, call: Call) -> Json:
    """`POST /models/{id}/train/action`: the only way to cancel a training; the answer may show the old status."""
    model = account.own_model(call.params["id"])
    if call.needed_text("action") != "cancel":
        raise invalid("Field action must be one of: cancel")
    if model.status != "training" or model.training is None or model.job is None:
        raise invalid("Model is not training")
    lag = account.switches.cancel_lag
    job = account.job(model.job)
    model.training.end_with(account.now, lag, "training-canceled")
    if not job.timeline.finished:
        job.timeline.end_with(account.now, lag, "canceled")
    account.settle()
    return {"model": account.shapes.model(model, original=call.original)}
