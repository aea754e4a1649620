"""What the vendors answer, taken from the sandbox, so that all contenders read payloads of the vendors' shapes."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx
from PIL import Image as Picture

from benchmarks.performance.cases import Call, Case
from benchmarks.performance.contenders.ours import training
from benchmarks.performance.server import Route
from unified_train import Client, Config, GenerationRequest
from unified_train.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from unified_train import Job, TrainedModel, UploadedImage

VENDORS = ("scenario", "alibaba", "novita")
_STARTED, _HALF, _DONE, _DRAWING = 1.0, 600.0, 3600.0, 5.0
"""Simulated seconds: a training under way, one that has ended, a generation under way."""
_IMAGES = 5
_PROMPT = "a portrait of {subject} in the snow"


@dataclass
class _Recorder:
    """Exchanges as they go by."""

    exchanges: list[tuple[Call, Route]] = field(default_factory=list)

    def note(self, answer: httpx.Response) -> None:
        answer.read()
        request = answer.request
        body = request.read().decode() if "json" in request.headers.get("content-type", "") else ""
        path = request.url.raw_path.decode()
        media_type = answer.headers.get("content-type", "application/json")
        route = Route(request.method, path.partition("?")[0], answer.status_code, media_type, answer.text)
        call = Call(request.method, path, body, request.headers.get("authorization", ""))
        self.exchanges.append((call, route))


@dataclass
class _Stage:
    """One vendor of a sandbox, and a client whose requests are recorded."""

    sandbox: Sandbox
    client: Client
    vendor: str
    recorder: _Recorder

    def recorded(self, what: str, action: Callable[[], Job], **known: str) -> tuple[Case, Job]:
        self.recorder.exchanges.clear()
        job = action()
        calls = [call for call, _ in self.recorder.exchanges]
        routes = [route for _, route in self.recorder.exchanges]
        environ = {name: value.replace(self.sandbox.base_url, "{server}") for name, value in self.sandbox.env.items()}
        return Case(self.vendor, what, calls, routes, environ, **known), job

    def polled(self, what: str, job: Job) -> Case:
        """A poll of a job that is known to run."""
        running = self.client.poll(job)
        case, _ = self.recorded(what, lambda: self.client.poll(running), job=running.model_dump_json())
        return case

    def cases(self) -> Iterator[Case]:
        images = self._images()
        case, job = self.recorded(
            "training.start",
            lambda: self.client.start_training(training(images)),
            request=json.dumps([image.model_dump(mode="json") for image in images]),
        )
        yield case
        self.sandbox.world.clock.advance(_HALF)
        yield self.polled("training.poll", job)
        self.sandbox.world.clock.advance(_DONE)
        model = self._model(job)
        asked = GenerationRequest(prompt=_PROMPT)
        case, job = self.recorded(
            "generation.start",
            lambda: self.client.generate(model, asked),
            request=asked.model_dump_json(),
            model=model.model_dump_json(),
        )
        yield case
        self.sandbox.world.clock.advance(_DRAWING)
        yield self.polled("generation.poll", job)

    def _images(self) -> list[UploadedImage]:
        pictures = [self._url(number) if self.vendor == "alibaba" else _photo(number) for number in range(_IMAGES)]
        return [self.client.upload_image(picture) for picture in pictures]

    def _url(self, number: int) -> str:
        objects = self.sandbox.world.objects
        objects.put("photos", f"{number}.png", _photo(number), "image/png")
        return str(objects.presign("GET", "photos", f"{number}.png", expires=86_400))

    def _model(self, job: Job) -> TrainedModel:
        while (job := self.client.poll(job)).model is None:
            if job.finished:
                raise RuntimeError(f"the sandbox did not train: {job!r}")
        return job.model


def record() -> dict[str, Case]:
    """Polls of running jobs and submissions at all vendors, by name."""
    found = {}
    for vendor in VENDORS:
        with Sandbox(speed=0) as sandbox:
            found.update({case.name: case for case in recorded_at(sandbox, vendor)})
    return found


def recorded_at(sandbox: Sandbox, vendor: str) -> list[Case]:
    """Polls and submissions at one vendor of a sandbox whose clock stands still."""
    recorder = _Recorder()
    with (
        httpx.Client(event_hooks={"response": [recorder.note]}, trust_env=False) as http,
        Client(vendor, http=http, pace=False, journal=None, config=Config(environ=sandbox.env)) as client,
    ):
        return list(_Stage(sandbox, client, vendor, recorder).cases())


def _photo(number: int) -> bytes:
    file = io.BytesIO()
    Picture.new("RGB", (640, 640), (40 * number, 90, 120)).save(file, "PNG")
    return file.getvalue()
