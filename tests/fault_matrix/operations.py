"""The columns of the fault matrix: each operation at each vendor, and the one request of it that is struck."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal

from fault_matrix.mishaps import UNKNOWN_WORD, Mishap
from fault_matrix.props import Scene, small
from helpers import png

from unified_train import Dataset, Effect, Image, Job, Status, TrainingRequest, UploadedImage

Call = Callable[..., Any]
"""A client of either colour: the name of a method, then its arguments."""

Column = Literal[
    "upload",
    "store",
    "create model",
    "attach image",
    "start training",
    "generate",
    "look up",
    "poll training",
    "poll generation",
    "download",
    "list",
    "cancel",
]


def _unreadable(body: Any) -> dict[str, Any]:
    """A whole answer of the wrong type."""
    return {"kind": "body", "body": body, "media_type": "application/json"}


def _edited(**values: Any) -> dict[str, Any]:
    """The vendor's answer with other values; `__` stands for a dot."""
    return {"kind": "json", "set": {name.replace("__", "."): value for name, value in values.items()}}


_NEXT_PAGE = re.compile(r"paginationToken=|pagination\.cursor=")


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One operation at one vendor.

    Attributes:
        vendor: Its slug.
        column: Of the table.
        effect: Of the struck request.
        method: Of the struck request.
        path: Of the struck request, a glob.
        play: What the user calls.
        right: Whether what came back is right.
        types: Fault that gives the answer other types where it matters; empty if it has none.
        status: Fault that gives it an unknown status; empty if it has none.
        pays: Paid submissions of an undisturbed call.
        paid_before: Paid submissions that were accepted before the struck request.
        askable: Whether the vendor can be asked what became of a submission.
        loses: Route of a submission whose answer is lost, so that the struck request looks for it.
        signed: Whether the struck request goes to the vendor's service, not to a storage.
        answer_read: Whether anything in the body of the answer matters.
        suffix: For test ids, where column and vendor are not enough.
        needs_running: Whether there must be a training that runs.
        images: Attached to each model that is made at Scenario.
    """

    vendor: str
    column: Column
    effect: Effect
    method: str
    path: str
    play: Callable[[Call, Scene], Any]
    right: Callable[[Any, Scene, Mishap], bool]
    types: Mapping[str, Any] = field(default_factory=dict)
    status: Mapping[str, Any] = field(default_factory=dict)
    pays: int = 0
    paid_before: int = 0
    askable: bool = True
    loses: tuple[str, str] | None = None
    signed: bool = True
    answer_read: bool = True
    suffix: str = ""
    needs_running: bool = False
    images: tuple[int, ...] = ()

    @property
    def dated(self) -> bool:
        """Whether the vendor looks at the clock before anything else."""
        return self.vendor == "alibaba" and self.signed

    @property
    def name(self) -> str:
        """For test ids."""
        return "-".join(filter(None, [self.vendor, self.column.replace(" ", "-"), self.suffix]))

    def matches(self, method: str, path: str, query: str) -> bool:
        """Whether a request is the one that is struck; further pages of a list are none."""
        return method == self.method and fnmatchcase(path, self.path) and not _NEXT_PAGE.search(query)

    def edits(self, mishap: Mishap) -> Mapping[str, Any]:
        """Its own part of a mishap that edits answers; empty if it has none."""
        return {"types": self.types, "status": self.status, None: {}}[mishap.edits]


# -- what the user calls -----------------------------------------------------------------------------------------------


def _uploads(call: Call, scene: Scene) -> Any:
    return call("upload_image", png(72, 64), caption="a cat")


def _is_uploaded(result: Any, scene: Scene, mishap: Mishap) -> bool:
    return isinstance(result, UploadedImage) and bool(result.id)


def _starts(call: Call, scene: Scene) -> Any:
    return call("start_training", scene.props.request)


def _starts_with_bytes(call: Call, scene: Scene) -> Any:
    images = [Image.of(png(72, 64), name="cat.png", caption="a cat")]
    dataset = Dataset.of(images, trigger="ohwx", class_word="cat")
    return call("start_training", TrainingRequest(name="chelsea", dataset=dataset))


def _generates(call: Call, scene: Scene) -> Any:
    return call("generate", scene.props.trained, small("a portrait of {subject}"), on_unsupported="drop")


def _is_last_submitted(result: Any, scene: Scene, mishap: Mishap) -> bool:
    return isinstance(result, Job) and bool(result.key) and scene.props.last_submission() in result.id.split("/")


def _polls_training(call: Call, scene: Scene) -> Any:
    return call("poll", scene.props.training)


def _polls_generation(call: Call, scene: Scene) -> Any:
    return call("poll", scene.props.generation)


def _is_finished(result: Any, scene: Scene, mishap: Mishap) -> bool:
    if mishap.edits == "status":
        return result.status is Status.UNKNOWN and result.raw_status == UNKNOWN_WORD
    return bool(result.status is Status.SUCCEEDED)


def _downloads(call: Call, scene: Scene) -> Any:
    return call("download", scene.props.generated, scene.folder)


def _is_whole(result: Any, scene: Scene, mishap: Mishap) -> bool:
    (file,) = scene.folder.iterdir()
    return [image.path for image in result] == [file] and file.read_bytes() == scene.props.picture


def _lists(call: Call, scene: Scene) -> Any:
    return call("list_jobs", "training")


def _is_listed(result: Any, scene: Scene, mishap: Mishap) -> bool:
    words = {job.raw_status for job in result if job.status is Status.UNKNOWN}
    if words != ({UNKNOWN_WORD} if mishap.edits == "status" else set()):
        return False
    return scene.props.training.reference in {job.reference for job in result}


def _cancels(call: Call, scene: Scene) -> Any:
    return call("cancel", scene.running)


def _is_canceled(result: Any, scene: Scene, mishap: Mishap) -> bool:
    return scene.props.was_canceled(result)


# -- the operations ----------------------------------------------------------------------------------------------------


def _start(vendor: str, method: str, path: str, **more: Any) -> Operation:
    return Operation(
        vendor=vendor,
        **{"column": "start training", "effect": Effect.PAY, "play": _starts, **more},
        method=method,
        path=path,
        right=_is_last_submitted,
        pays=1,
    )


def _generate(vendor: str, path: str, **more: Any) -> Operation:
    return Operation(
        vendor=vendor,
        column="generate",
        effect=Effect.PAY,
        method="POST",
        path=path,
        play=_generates,
        right=_is_last_submitted,
        pays=1,
        **more,
    )


def _look_up(submission: Operation, path: str, *, paid_before: int = 1, **more: Any) -> Operation:
    """The list by which it is found out what became of a submission."""
    return Operation(
        vendor=submission.vendor,
        column="look up",
        suffix=submission.column.replace(" ", "-"),
        effect=Effect.READ,
        method="GET",
        path=path,
        play=submission.play,
        right=submission.right,
        pays=1,
        paid_before=paid_before,
        loses=(submission.method, submission.path),
        images=submission.images,
        **more,
    )


def _poll(vendor: str, kind: Literal["training", "generation"], path: str, **more: Any) -> Operation:
    return Operation(
        vendor=vendor,
        column="poll training" if kind == "training" else "poll generation",
        effect=Effect.READ,
        method="GET",
        path=path,
        play=_polls_training if kind == "training" else _polls_generation,
        right=_is_finished,
        **more,
    )


def _list(vendor: str, path: str, **more: Any) -> Operation:
    return Operation(
        vendor=vendor,
        column="list",
        effect=Effect.READ,
        method="GET",
        path=path,
        play=_lists,
        right=_is_listed,
        **more,
    )


def _upload(vendor: str, column: Column, method: str, path: str, **more: Any) -> Operation:
    return Operation(
        vendor=vendor,
        column=column,
        effect=Effect.REPEATABLE,
        method=method,
        path=path,
        play=_uploads,
        right=_is_uploaded,
        **more,
    )


def _download(vendor: str, path: str, **more: Any) -> Operation:
    return Operation(
        vendor=vendor,
        column="download",
        effect=Effect.READ,
        method="GET",
        path=path,
        play=_downloads,
        right=_is_whole,
        **more,
    )


_CREATE = _start(
    "scenario",
    "POST",
    "/v1/models",
    column="create model",
    effect=Effect.CREATE,
    images=(2,),
    types=_edited(model__id=[17]),
    status=_edited(model__status=UNKNOWN_WORD),
)
_STARTS = {
    "scenario": _start(
        "scenario",
        "PUT",
        "/v1/models/*/train",
        images=(2,),
        types=_edited(job__jobId=[17]),
        status=_edited(job__status=UNKNOWN_WORD, model__status=UNKNOWN_WORD),
    ),
    "alibaba": _start(
        "alibaba",
        "POST",
        "*/addModelTrainJob",
        types=_edited(data__id=[17]),
        status=_edited(data__jobStatus=UNKNOWN_WORD),
    ),
    "novita": _start("novita", "POST", "/v3/training/*", types=_edited(task_id=[17])),
}
_GENERATES = {
    "scenario": _generate(
        "scenario",
        "/v1/generate/custom/*",
        types=_edited(job__jobId=[17]),
        status=_edited(job__status=UNKNOWN_WORD),
    ),
    "alibaba": _generate(
        "alibaba",
        "*/addInferenceJob",
        types=_edited(data__id=[17]),
        status=_edited(data__jobStatus=UNKNOWN_WORD),
        askable=False,
    ),
    "novita": _generate("novita", "/v3/async/txt2img", types=_edited(task_id=[17]), askable=False),
}

OPERATIONS = (
    _upload(
        "scenario",
        "upload",
        "POST",
        "/v1/assets",
        types=_edited(asset__id=[17]),
        status=_edited(asset__status=UNKNOWN_WORD),
    ),
    _upload("novita", "upload", "POST", "/v3/assets/training_dataset", types=_edited(upload_url=17)),
    _upload("novita", "store", "PUT", "/_objects/*", types=_unreadable(17), signed=False, answer_read=False),
    _upload("alibaba", "store", "PUT", "/_host/*", types=_unreadable(17), signed=False, answer_read=False),
    _CREATE,
    _start(
        "scenario",
        "POST",
        "/v1/models/*/training-images",
        column="attach image",
        effect=Effect.CREATE,
        play=_starts_with_bytes,
        images=(1,),
        types=_edited(trainingImage__id=[17]),
    ),
    *_STARTS.values(),
    *_GENERATES.values(),
    _look_up(
        _CREATE,
        "/v1/models",
        paid_before=0,
        types=_edited(models="none"),
        status=_edited(models__0__status=UNKNOWN_WORD),
    ),
    _look_up(
        _GENERATES["scenario"],
        "/v1/jobs",
        types=_edited(jobs="none"),
        status=_edited(jobs__0__status=UNKNOWN_WORD),
    ),
    _look_up(
        _STARTS["alibaba"],
        "*/queryModelTrainJobList",
        types=_edited(data="none"),
        status=_edited(data__0__jobStatus=UNKNOWN_WORD),
    ),
    _look_up(
        _STARTS["novita"],
        "/v3/training",
        types=_edited(tasks="none"),
        status=_edited(tasks__0__task_status=UNKNOWN_WORD),
    ),
    _poll(
        "scenario",
        "training",
        "/v1/models/*",
        types=_edited(model__status=[17]),
        status=_edited(model__status=UNKNOWN_WORD),
    ),
    _poll(
        "alibaba",
        "training",
        "*/queryModelTrain*",
        types=_edited(data="none"),
        status=_edited(data__0__jobStatus=UNKNOWN_WORD),
    ),
    _poll(
        "novita",
        "training",
        "/v3/training/*",
        types=_edited(task_status=[17]),
        status=_edited(task_status=UNKNOWN_WORD),
    ),
    _poll(
        "scenario",
        "generation",
        "/v1/jobs/*",
        types=_edited(job__status=[17]),
        status=_edited(job__status=UNKNOWN_WORD),
    ),
    _poll(
        "alibaba",
        "generation",
        "*/queryInferenceJobInfo",
        types=_edited(data="none"),
        status=_edited(data__jobStatus=UNKNOWN_WORD),
    ),
    _poll(
        "novita",
        "generation",
        "/v3/async/task-result",
        types=_edited(task__status=[17]),
        status=_edited(task__status=UNKNOWN_WORD),
    ),
    _download("scenario", "/_objects/*", types=_unreadable({"picture": 17}), signed=False),
    _download("alibaba", "*/queryImageAsset", types=_unreadable(17)),
    _download("novita", "/_objects/*", types=_unreadable({"picture": 17}), signed=False),
    _list(
        "scenario",
        "/v1/models",
        types=_edited(models="none"),
        status=_edited(models__0__status=UNKNOWN_WORD),
    ),
    _list(
        "alibaba",
        "*/queryModelTrainJobList",
        types=_edited(data="none"),
        status=_edited(data__0__jobStatus=UNKNOWN_WORD),
    ),
    _list(
        "novita",
        "/v3/training",
        types=_edited(tasks="none"),
        status=_edited(tasks__0__task_status=UNKNOWN_WORD),
    ),
    Operation(
        vendor="scenario",
        column="cancel",
        effect=Effect.REPEATABLE,
        method="POST",
        path="/v1/models/*/train/action",
        play=_cancels,
        right=_is_canceled,
        types=_edited(model__status=[17]),
        status=_edited(model__status=UNKNOWN_WORD),
        answer_read=False,
        needs_running=True,
    ),
)
