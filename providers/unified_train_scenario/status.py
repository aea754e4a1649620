"""Every word of Scenario's five status fields, what it means here, and why; and nothing else.

    job     pending, queued ─► warming-up, in-progress, finalizing ─► success | failure | canceled
    model   new ─► training (by stage) ─► trained | failed | training-canceled        copying ─► trained
    stage   pending, queued-for-train ─► starting-train, running-train
    upload  pending ─► validating, validated ─► imported | complete | failed
    asset   pending ─► success | error

Spelling differs by field: a job ends in `failure`, a model in `failed` (Scenario dossier 13, trap 2).
"""

from __future__ import annotations

from unified_train import Status, StatusTable, Word

JOB = StatusTable(
    "job.status",
    {
        "pending": Word(Status.QUEUED, "accepted, waiting (Scenario dossier 11)"),
        "queued": Word(Status.QUEUED, "accepted, waiting (Scenario dossier 11)"),
        "warming-up": Word(Status.RUNNING, "a worker has it and starts; it never waits again (Scenario dossier 11)"),
        "in-progress": Word(Status.RUNNING, "at work (Scenario dossier 11)"),
        "finalizing": Word(Status.RUNNING, "outputs are being stored and are not final (Scenario dossier 11)"),
        "success": Word(Status.SUCCEEDED, "the end; of a training, the model still decides (Scenario dossier 11)"),
        "failure": Word(Status.FAILED, "the end; the reason is in metadata.error and hint (Scenario dossier 11)"),
        "canceled": Word(Status.CANCELED, "the end (Scenario dossier 11)"),
    },
)

MODEL = StatusTable(
    "model.status",
    {
        "new": Word(Status.QUEUED, "reads lag behind an accepted training; only for a minute (Scenario dossier 11)"),
        "training": Word(Status.RUNNING, "queued or running, the stage tells which (Scenario dossier 11)"),
        "trained": Word(Status.SUCCEEDED, "the model can be used, whatever its job says (Scenario dossier 11)"),
        "failed": Word(Status.FAILED, "the end; the reason is on the job (Scenario dossier 3.1)"),
        "training-canceled": Word(Status.CANCELED, "the end; also after a restore (Scenario dossier 3.2)"),
        "copying": Word(Status.RUNNING, "passes by itself (Scenario dossier 3.2)"),
    },
)

STAGE = StatusTable(
    "model.trainingProgress.stage",
    {
        "pending": Word(Status.QUEUED, "not in the queue yet (Scenario dossier 11)"),
        "queued-for-train": Word(Status.QUEUED, "in the queue, with a position (Scenario dossier 11)"),
        "starting-train": Word(Status.RUNNING, "a worker has it (Scenario dossier 11)"),
        "running-train": Word(Status.RUNNING, "at work (Scenario dossier 11)"),
        "pending-captcha": Word(Status.RUNNING, "voices only: waits for a person (Scenario dossier 11)"),
        "ready-for-captcha": Word(Status.RUNNING, "voices only: waits for a person (Scenario dossier 11)"),
    },
)

UPLOAD = StatusTable(
    "upload.status",
    {
        "pending": Word(Status.QUEUED, "waits for its parts (Scenario dossier 11)"),
        "validating": Word(Status.RUNNING, "the parts are checked (Scenario dossier 11)"),
        "validated": Word(Status.RUNNING, "not an asset yet (Scenario dossier 11)"),
        "imported": Word(Status.SUCCEEDED, "entityId is the asset (Scenario dossier 2.2)"),
        "complete": Word(Status.RUNNING, "over only once entityId is set (Scenario dossier 11, inferred)"),
        "failed": Word(Status.FAILED, "the reason is in errorMessage (Scenario dossier 11)"),
    },
)

ASSET = StatusTable(
    "asset.status",
    {
        "pending": Word(Status.RUNNING, "its file is not there yet (Scenario dossier 11)"),
        "success": Word(Status.SUCCEEDED, "its file can be fetched (Scenario dossier 11)"),
        "error": Word(Status.FAILED, "it has no file (Scenario dossier 11)"),
    },
)

TABLES = (JOB, MODEL, STAGE, UPLOAD, ASSET)
