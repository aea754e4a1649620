"""The team's plan (Scenario dossier 1.4)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from unified_train.sandbox.scenario.errors import not_found
from unified_train.sandbox.scenario.records import TEAM
from unified_train.sandbox.scenario.shapes import iso

if TYPE_CHECKING:
    from unified_train.sandbox.scenario.calls import Call
    from unified_train.sandbox.scenario.state import Account

    Json = dict[str, Any]

_COUNTED = ("apiKeys", "canvasAssets", "collections", "creativeUnits", "projects", "seats")
_LIMITS = (
    *_COUNTED,
    "canvasAssetLayers",
    "defaultSeats",
    "downloadAssets",
    "downloadModel",
    "inferenceBatchSize",
    "maxCooldown",
    "maxTrainingDatasets",
    "minCooldown",
    "models",
    "OTPSessions",
    "parallelWorkflowRuns",
    "premiumGenerationSamples",
    "scalingFactor",
    "snapshotsRetention",
    "upload",
)
_PLENTY = 1000


def limits(account: Account, call: Call) -> Json:
    """`GET /teams/{id}/limits`: what the plan allows, and how much of it is used."""
    if call.params["id"] != TEAM:
        raise not_found("Team", call.params["id"])
    switches, used = account.switches, sum(job.cost for job in account.jobs.values())
    own: Json = dict.fromkeys(_LIMITS, _PLENTY) | {
        "parallelTraining": switches.parallel_trainings,
        "parallelInferences": switches.parallel_generations,
        "parallelCustomJobs": switches.parallel_generations,
        "minCooldown": switches.training_cooldown,
        "maxCooldown": switches.training_cooldown,
        "creativeUnits": 100_000,
    }
    start = account.date.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return {
        "limits": own,
        "oneShotCreativeUnits": [],
        "period": {"start": iso(start), "end": iso(start + timedelta(days=31))},
        "plan": "cu-pro",
        "values": dict.fromkeys(_COUNTED, 0) | {"creativeUnits": used},
    }
