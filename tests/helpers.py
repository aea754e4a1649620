"""Small things that several test files make."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import SecretStr

from unified_train import (
    ApiError,
    Capabilities,
    Effect,
    Flow,
    GeneratedImage,
    GenerationCapabilities,
    GenerationRequest,
    Image,
    ImageRules,
    Job,
    JobKind,
    Moment,
    Options,
    Provider,
    Range,
    Request,
    Response,
    Settings,
    Snapshot,
    Status,
    TrainedModel,
    TrainingCapabilities,
    TrainingRequest,
    UploadedImage,
    error_class,
)


def png(width: int = 8, height: int = 8, *, padding: int = 0) -> bytes:
    """A valid grey PNG, made by hand, with so many bytes of a private chunk to make it larger."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\x00" + b"\x80" * width for _ in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    extra = chunk(b"prVt", b"\x00" * padding) if padding else b""
    parts = [chunk(b"IHDR", head), extra, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


CAPABILITIES = Capabilities(
    images=ImageRules(media_types=frozenset({"image/png", "image/jpeg"}), max_bytes=100_000, maximum=5),
    training=TrainingCapabilities(
        kinds=frozenset({"subject"}),
        options={"steps": Range(minimum=10, maximum=100, step=10), "base_model": Range()},
        captions=False,
        default_base_model="base-1",
    ),
    generation=GenerationCapabilities(
        options={"seed": Range(minimum=0, maximum=99), "width": Range(minimum=64, step=8)},
        max_per_call=4,
        max_prompt=50,
        needs_subject=True,
    ),
)


PICTURES = ImageRules(media_types=frozenset({"image/png"}), max_pixels=10_000, maximum=2)
"""What a vendor with pictures as input takes; the plain one takes none."""


class PlainSettings(Settings):
    env = {"api_key": ("PLAIN_KEY", "PLAIN_OLD_KEY"), "base_url": ("PLAIN_URL",)}
    required = ("api_key",)

    base_url: str = "http://plain.test/api"
    api_key: SecretStr


class PlainOptions(Options):
    mood: Literal["calm", "wild"] = "calm"


class Plain(Provider[PlainSettings, PlainOptions, PlainOptions]):
    """A vendor as plain as can be, for tests of the core: one request per operation."""

    slug = "plain"
    title = "Plain"
    contract = 1
    capabilities = CAPABILITIES
    Settings = PlainSettings
    TrainingOptions = PlainOptions
    GenerationOptions = PlainOptions

    def sign(self, request: Request, moment: Moment) -> Request:
        key = self.settings.api_key.get_secret_value()
        return request.with_headers(authorization=f"Bearer {key}", x_nonce=moment.nonce)

    def refusal(self, response: Response) -> ApiError | None:
        if response.ok:
            return None
        return error_class(response.status)(response.excerpt or "no", http_status=response.status)

    def clock_is_wrong(self, error: ApiError) -> bool:
        return error.http_status == 418

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> tuple[JobKind, Snapshot]:
        if headers.get("x-event") != "job":
            raise self.bad_webhook("no event")
        return "generation", Snapshot(id=body.decode(), status=Status.SUCCEEDED, raw_status="done")

    def balance(self) -> Flow[float]:
        """Something that only this vendor offers."""
        return float((yield self.get("/balance", "account.balance")).json()["id"])

    def patch(self) -> Flow[Snapshot]:
        """Something that only this vendor offers, and that starts a job."""
        answer = yield self.post("/patches", "generation.start", {}, effect=Effect.PAY)
        return Snapshot(id=answer.json()["id"], status=Status.QUEUED)

    def upload(self, image: Image) -> Flow[UploadedImage]:
        answer = yield Request(
            "POST", f"{self.base_url}/images", "upload.image", body=image.body(), effect=Effect.REPEATABLE
        )
        return UploadedImage(provider=self.slug, id=answer.json()["id"], name=image.name, caption=image.caption)

    def start(self, request: TrainingRequest, options: PlainOptions) -> Flow[Snapshot]:
        body = {"name": request.name, "mood": options.mood, "steps": request.steps}
        answer = yield self.post("/trainings", "training.start", body, effect=Effect.PAY)
        return Snapshot(id=answer.json()["id"], status=Status.QUEUED, raw_status="waiting")

    def generate(self, model: TrainedModel, request: GenerationRequest, options: PlainOptions) -> Flow[Snapshot]:
        body = {"model": model.id, "prompt": request.prompt, "n": request.n, "seed": request.seed, "mood": options.mood}
        answer = yield self.post("/generations", "generation.start", body, effect=Effect.PAY)
        return Snapshot(id=answer.json()["id"], status=Status.QUEUED, raw_status="waiting")

    def poll(self, job: Job) -> Flow[Snapshot]:
        answer = (yield self.get(f"/{job.kind}s/{job.id}", f"{job.kind}.poll")).json()
        status = Status(answer.get("status", "unknown"))
        done = status is Status.SUCCEEDED
        return Snapshot(
            id=job.id,
            status=status,
            raw_status=answer.get("word"),
            progress=answer.get("progress"),
            model=job.trained("model-1") if done and job.kind == "training" else None,
            images=(GeneratedImage(id="0"),) if done and job.kind == "generation" else (),
        )

    def fetch(self, job: Job, image: GeneratedImage) -> Flow[bytes]:
        answer = yield Request("GET", f"{self.base_url}/files/{job.id}/{image.id}", "generation.fetch", signed=False)
        return answer.content


def plain(**settings: Any) -> Plain:
    """The plain vendor with a key that is easy to search for."""
    return Plain(PlainSettings(**{"api_key": SecretStr("k-SECRET-k"), **settings}))
