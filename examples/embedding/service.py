"""A service that trains and generates, and does not know at which vendor."""

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from anyio.to_thread import run_sync
from fastapi import FastAPI, Header, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from unified_train import (
    AsyncClient,
    ConfigurationError,
    ContentRejected,
    Dataset,
    DatasetError,
    GenerationRequest,
    InvalidRequest,
    Job,
    MalformedResponse,
    ProviderUnavailable,
    RateLimited,
    SubmissionUncertain,
    TrainingRequest,
    TransportError,
    UnifiedTrainError,
)

from job_table import JobTable

Key = Annotated[str, Header(alias="Idempotency-Key", pattern=r"^[\w.-]{1,64}$")]
SHOWN = {"key", "kind", "status", "phase", "progress", "eta", "error", "notes", "updated_at"}
YOURS = (ConfigurationError, DatasetError, InvalidRequest, ContentRejected)  # whoever asked can do something about it
PASSING = (TransportError, ProviderUnavailable, RateLimited, SubmissionUncertain)


class Training(BaseModel):
    name: str = Field(min_length=1, max_length=40)
    shows: str = Field(min_length=1, max_length=40)  # such as "cat"
    album: str = Field(pattern=r"^[a-z0-9-]+$")  # a folder that was uploaded before; no path leads out of it


class Pictures(BaseModel):
    training: str
    prompt: str = Field(min_length=1, max_length=1000)
    n: int = Field(default=1, ge=1, le=4)


class Service:
    """What the routes do.

    Args:
        client: Its vendor is named by the configuration, not here.
        jobs: Where jobs are kept.
        albums: Folder with one folder of photographs for each album.
        public_url: Where vendors reach this service; not what a request's `Host` says, which anybody can write.
        webhook_token: Part of the webhooks' URL, and all that protects it: vendors sign nothing.
    """

    def __init__(self, client: AsyncClient, jobs: JobTable, albums: Path, public_url: str, webhook_token: str) -> None:
        self.client = client
        self.jobs = jobs
        self.albums = albums
        self.token = webhook_token
        # What only one vendor knows is left out for the others.
        self.extra = {"novita": {"webhook": f"{public_url}/webhooks/novita/{webhook_token}"}}

    async def train(self, asked: Training, key: Key) -> dict[str, Any]:
        album = self.albums / asked.album
        if not album.is_dir():
            raise HTTPException(404, "no such album")
        read = partial(Dataset.from_folder, album, trigger="ohwx", class_word=asked.shows)
        request = TrainingRequest(name=asked.name, dataset=await run_sync(read))
        # Sent twice, to two processes, or again after a crash in the next line: the same key is the same training.
        return await self.kept(await self.client.train(request, key=key))

    async def generate(self, asked: Pictures, key: Key) -> dict[str, Any]:
        training = await self.found(asked.training)
        request = GenerationRequest(prompt=asked.prompt, n=asked.n, extra=self.extra)
        return await self.kept(await self.client.generate(training, request, key=key))

    async def status(self, key: str) -> dict[str, Any]:
        return shown(await self.found(key))

    async def webhook(self, provider: str, token: str, request: Request) -> None:
        if not secrets.compare_digest(token.encode(), self.token.encode()):
            raise HTTPException(404)
        hint = self.client.parse_webhook(provider, request.headers, await request.body())
        known = await run_sync(self.jobs.by_reference, hint.reference)
        if known is not None:  # what was posted is a hint; what the vendor says is true
            await self.kept(await self.client.poll(known))

    async def kept(self, job: Job) -> dict[str, Any]:
        await run_sync(self.jobs.put, job)
        return shown(job)

    async def found(self, key: str) -> Job:
        job = await run_sync(self.jobs.get, key)
        if job is None:
            raise HTTPException(404, "no such job")
        return job


def shown(job: Job) -> dict[str, Any]:
    return job.model_dump(mode="json", include=SHOWN)


async def refused(_: Request, error: Exception) -> JSONResponse:
    if isinstance(error, YOURS):
        return JSONResponse({"detail": error.message}, 422)
    if isinstance(error, MalformedResponse) and error.operation == "webhook":
        return JSONResponse({"detail": "no webhook"}, 400)
    if isinstance(error, PASSING):  # the same POST with the same key goes on from here, and pays nothing twice
        return JSONResponse({"detail": "try again with the same key"}, 503, headers={"Retry-After": "30"})
    return JSONResponse({"detail": "the vendor refused"}, 502)  # such as an empty balance: not the customer's affair


def create_app(service: Service) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with service.client:
            yield

    app = FastAPI(lifespan=lifespan, exception_handlers={UnifiedTrainError: refused})
    app.add_api_route("/trainings", service.train, methods=["POST"], status_code=202)
    app.add_api_route("/pictures", service.generate, methods=["POST"], status_code=202)
    app.add_api_route("/jobs/{key}", service.status)
    app.add_api_route("/webhooks/{provider}/{token}", service.webhook, methods=["POST"], status_code=204)
    return app


def from_environment() -> FastAPI:
    """What a server is told to run: `uvicorn --factory service:from_environment`."""
    data, url, token = (os.environ[f"SERVICE_{name}"] for name in ("DATA", "URL", "WEBHOOK_TOKEN"))
    jobs = JobTable(Path(data) / "jobs.sqlite")
    return create_app(Service(AsyncClient(), jobs, Path(data) / "albums", url, token))
