"""The two clients: thin twins over the same workflows, one that blocks and one to await."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast, overload

from unified_train import plugins
from unified_train.engine import AsyncEngine, Engine
from unified_train.errors import ConfigurationError, JobCanceled, JobFailed
from unified_train.hosting import VARIABLE, host_of
from unified_train.models import Job
from unified_train.policy import Conversation, Polling, Retry
from unified_train.provider import Provider
from unified_train.status import Status
from unified_train.workflows import Workflows

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
    from os import PathLike

    import httpx

    from unified_train.checks import OnUnsupported
    from unified_train.dataset import UploadedImage
    from unified_train.events import Observer
    from unified_train.flow import Flow
    from unified_train.hosting import ImageHost
    from unified_train.images import Image
    from unified_train.models import GenerationRequest, JobKind, Snapshot, TrainedModel, TrainingRequest
    from unified_train.provider import AnyProvider, Capabilities
    from unified_train.watching import Until
    from unified_train.workflows import JobLike


T = TypeVar("T")


class _Shared:
    """What both clients are made of."""

    def __init__(  # noqa: PLR0917 - called by the twins alone
        self,
        providers: Sequence[str | AnyProvider],
        settings: Mapping[str, Mapping[str, object]] | None,
        retry: Retry | None,
        polling: Polling | None,
        parallel: int,
        observer: Observer | None,
        image_host: ImageHost | str | None,
        pace: bool,
    ) -> None:
        if not providers:
            names = ", ".join(plugins.installed())
            raise ConfigurationError(f"name at least one provider, such as Client('novita'); installed are: {names}")
        conversations: dict[str, Conversation] = {}
        for named in providers:
            provider = named if isinstance(named, Provider) else _made(named, (settings or {}).get(named, {}))
            conversations[provider.slug] = Conversation(provider, retry or Retry(), observer, pace=pace)
        host = _image_host(image_host, [conversation.provider for conversation in conversations.values()])
        self._workflows = Workflows(conversations, polling or Polling(), parallel, host, pace)

    @property
    def providers(self) -> tuple[str, ...]:
        """Slugs of the vendors that this client speaks to; the first is the default."""
        return tuple(self._workflows.conversations)

    def capabilities(self, provider: str | None = None) -> Capabilities:
        """What a vendor can do; nothing is sent."""
        return self._workflows.capabilities(provider)

    def provider(self, slug: str | None = None) -> Any:
        """One of the providers that this client speaks through, for what only it offers; see `run`.

        Typed as `Any`, since what a plugin offers beyond `Provider` is known only when it is loaded.
        """
        return self._workflows.provider(slug)

    def parse_webhook(self, provider: str, headers: Mapping[str, str], body: bytes) -> Job:
        """The job that a webhook is about; nothing is sent.

        What it says is a hint, since vendors sign nothing: the job's status is unknown until it is polled.

        Args:
            provider: Slug of the vendor whose webhook it is said to be.
            headers: As received.
            body: As received.

        Raises:
            MalformedResponse: It is no webhook of this vendor.
            UnsupportedCapability: The vendor sends none.
        """
        return self._workflows.parse_webhook(provider, headers, body)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {', '.join(self.providers)}>"


def _image_host(named: ImageHost | str | None, providers: Sequence[AnyProvider]) -> ImageHost | None:
    """The host that is named here, or by the environment if a vendor needs one."""
    if named is None and any(provider.capabilities.images.takes == "url" for provider in providers):
        named = os.environ.get(VARIABLE, "").strip() or None
    return host_of(named, os.environ) if isinstance(named, str) else named


def _made(slug: str, explicit: Mapping[str, object]) -> AnyProvider:
    kind = plugins.load(slug)
    return kind(kind.Settings.from_env(os.environ, **explicit))


def _ended_well(job: Job) -> Job:
    """The job, unless it failed or was canceled."""
    if job.status is Status.FAILED:
        reason = job.error.message if job.error else "the vendor gives no reason"
        hint = f" {job.error.hint}" if job.error and job.error.hint else ""
        raise JobFailed(f"{job.reference} failed ({job.raw_status}): {reason}{hint}", job=job)
    if job.status is Status.CANCELED:
        raise JobCanceled(f"{job.reference} was canceled", job=job)
    return job


def _several(jobs: JobLike | Sequence[JobLike]) -> tuple[list[JobLike], bool]:
    if isinstance(jobs, Job | str):
        return [jobs], False
    return list(jobs), True


def _folder(folder: str | PathLike[str] | None) -> Path | None:
    return None if folder is None else Path(folder)


class Client(_Shared):
    """Trains and generates, and blocks while it does.

    Args:
        providers: Slugs of the vendors to speak to, or ready-made providers; the first is the default.
        settings: Credentials and addresses by slug and field, over what the environment says.
        http: An `httpx.Client` of yours (proxy, private CA); it is not closed.
        retry: How often requests are repeated, where that is harmless.
        polling: When jobs are looked at.
        parallel: Uploads, polls or downloads at once.
        observer: Called with each `Event`, from whatever thread it happens in.
        image_host: Where local images go for a vendor that takes URLs only: a host or its URL; if None, the one that
            the environment variable `UNIFIED_TRAIN_IMAGE_HOST` names, if any.
        pace: Whether the vendors' published limits are kept: the least interval between polls, and rates. Turn it off
            for a sandbox, whose clock runs faster.

    Raises:
        ConfigurationError: No provider, an unknown one, a broken plugin, or missing credentials.
    """

    def __init__(
        self,
        *providers: str | AnyProvider,
        settings: Mapping[str, Mapping[str, object]] | None = None,
        http: httpx.Client | None = None,
        retry: Retry | None = None,
        polling: Polling | None = None,
        parallel: int = 8,
        observer: Observer | None = None,
        image_host: ImageHost | str | None = None,
        pace: bool = True,
    ) -> None:
        super().__init__(providers, settings, retry, polling, parallel, observer, image_host, pace)
        self._engine = Engine(http)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; jobs go on at their vendors."""
        self._engine.close()

    def upload_image(self, image: object, *, caption: str | None = None, provider: str | None = None) -> UploadedImage:
        """Bring one image to a vendor.

        Args:
            image: Path, URL, bytes, binary file, Pillow image or `Image`.
            caption: What it shows.
            provider: Slug; the default one if None.

        Raises:
            DatasetError: The vendor would not take it; nothing was sent.
            ApiError: The vendor refused.
            TransportError: No answer, after retries.
        """
        return self._engine.run(self._workflows.upload_image(image, caption=caption, provider=provider))

    def start_training(
        self, request: TrainingRequest, *, provider: str | None = None, on_unsupported: OnUnsupported = "error"
    ) -> Job:
        """Start a training on images that are at the vendor already, and return at once.

        Args:
            request: What to train.
            provider: Slug; the default one if None.
            on_unsupported: What to do with a neutral option that the vendor lacks; the job's notes tell in any case.

        Raises:
            ConfigurationError, DatasetError: The vendor would not take it; nothing was sent.
            ApiError: The vendor refused.
            TransportError: Surely not accepted.
            SubmissionUncertain: It may or may not have been accepted; it was not repeated.
        """
        return self._engine.run(
            self._workflows.start_training(request, provider=provider, on_unsupported=on_unsupported)
        )

    def train(
        self, request: TrainingRequest, *, provider: str | None = None, on_unsupported: OnUnsupported = "error"
    ) -> Job:
        """Upload all images side by side, start the training, and return; arguments and errors as `start_training`."""
        return self._engine.run(self._workflows.train(request, provider=provider, on_unsupported=on_unsupported))

    def generate(
        self, model: TrainedModel | Job, request: GenerationRequest | str, *, on_unsupported: OnUnsupported = "warn"
    ) -> Job:
        """Start generating with a trained model, and return at once; more pictures than one call makes are split.

        Args:
            model: From a finished training, or that training.
            request: What to generate, or just a prompt.
            on_unsupported: What to do with a neutral option that the vendor lacks.

        Raises:
            ConfigurationError: The vendor would not take it; nothing was sent.
            ApiError: The vendor refused (all calls; if only some, the job's notes tell).
            SubmissionUncertain: It may or may not have been accepted; it was not repeated.
        """
        return self._engine.run(self._workflows.generate(model, request, on_unsupported=on_unsupported))

    def poll(self, job: JobLike) -> Job:
        """Look at a job once.

        Args:
            job: A job, or the reference of one.

        Raises:
            ApiError, TransportError: The look failed; that says nothing about the job.
        """
        return self._engine.run(self._workflows.poll(job))

    @overload
    def wait(  # type: ignore[overload-overlap]  # a str is a Sequence[str] too, but here it is one reference
        self,
        jobs: JobLike,
        *,
        timeout: float | None = None,
        until: Until = "all",
        progress: Callable[[Job], object] | None = None,
    ) -> Job: ...
    @overload
    def wait(
        self,
        jobs: Sequence[JobLike],
        *,
        timeout: float | None = None,
        until: Until = "all",
        progress: Callable[[Job], object] | None = None,
    ) -> list[Job]: ...
    def wait(
        self,
        jobs: JobLike | Sequence[JobLike],
        *,
        timeout: float | None = None,
        until: Until = "all",
        progress: Callable[[Job], object] | None = None,
    ) -> Job | list[Job]:
        """Wait until a job has finished, or until all or the first of several have.

        One job is returned only if it succeeded. Of several, which may be at different vendors, all are returned in
        their order, whatever became of them.

        Args:
            jobs: A job or reference, or several.
            timeout: Seconds; None waits for ever.
            until: `all`, or `first` to return as soon as one has finished.
            progress: Called with each changed job.

        Raises:
            JobFailed, JobCanceled: Of a single job.
            WaitTimeout: They still run; nothing was canceled.
            ApiError, TransportError: Looking fails and will go on failing.
        """
        waited_for, many = _several(jobs)
        seen = self._engine.run(self._workflows.watch(waited_for, timeout=timeout, until=until, progress=progress))
        return seen if many else _ended_well(seen[0])

    def watch(self, jobs: JobLike | Sequence[JobLike], *, timeout: float | None = None) -> Iterator[Job]:
        """Yield each job whenever it has changed, until all have finished; errors as `wait`, but for failed jobs."""
        return cast("Iterator[Job]", self._engine.iterate(self._workflows.watch(_several(jobs)[0], timeout=timeout)))

    def download(self, job: JobLike, folder: str | PathLike[str] | None = None) -> list[Image]:
        """The pictures of a finished generation, in order.

        Args:
            job: A generation or its reference.
            folder: Where to save them; they stay in memory if None.

        Raises:
            ConfigurationError: It has no pictures (yet).
            MalformedResponse: What the vendor serves is no image.
        """
        return self._engine.run(self._workflows.download(job, _folder(folder)))

    def cancel(self, job: JobLike) -> Job:
        """Ask the vendor to stop a job; it may still look the same, so wait for it.

        Raises:
            UnsupportedCapability: The vendor can't.
        """
        return self._engine.run(self._workflows.cancel(job))

    def list_jobs(self, kind: JobKind = "training", *, provider: str | None = None) -> list[Job]:
        """The account's jobs, as the vendor lists them.

        Raises:
            UnsupportedCapability: The vendor can't.
        """
        return self._engine.run(self._workflows.list_jobs(kind, provider=provider))

    def delete_image(self, image: UploadedImage) -> None:
        """Remove an image from the image host that it was put on; what a vendor itself holds stays.

        Raises:
            UnsupportedCapability: It is on no image host.
        """
        self._engine.run(self._workflows.delete_image(image))

    @overload
    def run(self, flow: Flow[Snapshot], *, provider: str | None = None, kind: JobKind = "generation") -> Job: ...
    @overload
    def run(self, flow: Flow[T], *, provider: str | None = None, kind: JobKind = "generation") -> T: ...
    def run(self, flow: Flow[Any], *, provider: str | None = None, kind: JobKind = "generation") -> Any:
        """Run what only one vendor offers: `client.run(client.provider("novita").balance())`.

        Args:
            flow: From a method of a provider.
            provider: Slug of that provider; the default one if None.
            kind: Of the job, if the flow starts one; it is then returned as a `Job`.
        """
        return self._engine.run(self._workflows.run(flow, provider=provider, kind=kind))


class AsyncClient(_Shared):
    """As `Client`, to await; works on asyncio and trio.

    Args:
        providers: Slugs of the vendors to speak to, or ready-made providers; the first is the default.
        settings: Credentials and addresses by slug and field, over what the environment says.
        http: An `httpx.AsyncClient` of yours (proxy, private CA); it is not closed.
        retry: How often requests are repeated, where that is harmless.
        polling: When jobs are looked at.
        parallel: Uploads, polls or downloads at once.
        observer: Called with each `Event`.
        image_host: Where local images go for a vendor that takes URLs only: a host or its URL; if None, the one that
            the environment variable `UNIFIED_TRAIN_IMAGE_HOST` names, if any.
        pace: Whether the vendors' published limits are kept: the least interval between polls, and rates. Turn it off
            for a sandbox, whose clock runs faster.

    Raises:
        ConfigurationError: No provider, an unknown one, a broken plugin, or missing credentials.
    """

    def __init__(
        self,
        *providers: str | AnyProvider,
        settings: Mapping[str, Mapping[str, object]] | None = None,
        http: httpx.AsyncClient | None = None,
        retry: Retry | None = None,
        polling: Polling | None = None,
        parallel: int = 8,
        observer: Observer | None = None,
        image_host: ImageHost | str | None = None,
        pace: bool = True,
    ) -> None:
        super().__init__(providers, settings, retry, polling, parallel, observer, image_host, pace)
        self._engine = AsyncEngine(http)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; jobs go on at their vendors."""
        await self._engine.close()

    async def upload_image(
        self, image: object, *, caption: str | None = None, provider: str | None = None
    ) -> UploadedImage:
        """See `Client.upload_image`."""
        return await self._engine.run(self._workflows.upload_image(image, caption=caption, provider=provider))

    async def start_training(
        self, request: TrainingRequest, *, provider: str | None = None, on_unsupported: OnUnsupported = "error"
    ) -> Job:
        """See `Client.start_training`."""
        return await self._engine.run(
            self._workflows.start_training(request, provider=provider, on_unsupported=on_unsupported)
        )

    async def train(
        self, request: TrainingRequest, *, provider: str | None = None, on_unsupported: OnUnsupported = "error"
    ) -> Job:
        """See `Client.train`."""
        return await self._engine.run(self._workflows.train(request, provider=provider, on_unsupported=on_unsupported))

    async def generate(
        self, model: TrainedModel | Job, request: GenerationRequest | str, *, on_unsupported: OnUnsupported = "warn"
    ) -> Job:
        """See `Client.generate`."""
        return await self._engine.run(self._workflows.generate(model, request, on_unsupported=on_unsupported))

    async def poll(self, job: JobLike) -> Job:
        """See `Client.poll`."""
        return await self._engine.run(self._workflows.poll(job))

    @overload
    async def wait(  # type: ignore[overload-overlap]  # as in `Client`
        self,
        jobs: JobLike,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - a deadline on jobs, which outlive it
        until: Until = "all",
        progress: Callable[[Job], object] | None = None,
    ) -> Job: ...
    @overload
    async def wait(
        self,
        jobs: Sequence[JobLike],
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - a deadline on jobs, which outlive it
        until: Until = "all",
        progress: Callable[[Job], object] | None = None,
    ) -> list[Job]: ...
    async def wait(
        self,
        jobs: JobLike | Sequence[JobLike],
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - a deadline on jobs, which outlive it
        until: Until = "all",
        progress: Callable[[Job], object] | None = None,
    ) -> Job | list[Job]:
        """See `Client.wait`."""
        waited_for, many = _several(jobs)
        seen = await self._engine.run(
            self._workflows.watch(waited_for, timeout=timeout, until=until, progress=progress)
        )
        return seen if many else _ended_well(seen[0])

    def watch(self, jobs: JobLike | Sequence[JobLike], *, timeout: float | None = None) -> AsyncIterator[Job]:
        """See `Client.watch`."""
        return self._engine.iterate(self._workflows.watch(_several(jobs)[0], timeout=timeout))

    async def download(self, job: JobLike, folder: str | PathLike[str] | None = None) -> list[Image]:
        """See `Client.download`."""
        return await self._engine.run(self._workflows.download(job, _folder(folder)))

    async def cancel(self, job: JobLike) -> Job:
        """See `Client.cancel`."""
        return await self._engine.run(self._workflows.cancel(job))

    async def list_jobs(self, kind: JobKind = "training", *, provider: str | None = None) -> list[Job]:
        """See `Client.list_jobs`."""
        return await self._engine.run(self._workflows.list_jobs(kind, provider=provider))

    async def delete_image(self, image: UploadedImage) -> None:
        """See `Client.delete_image`."""
        await self._engine.run(self._workflows.delete_image(image))

    @overload
    async def run(self, flow: Flow[Snapshot], *, provider: str | None = None, kind: JobKind = "generation") -> Job: ...
    @overload
    async def run(self, flow: Flow[T], *, provider: str | None = None, kind: JobKind = "generation") -> T: ...
    async def run(self, flow: Flow[Any], *, provider: str | None = None, kind: JobKind = "generation") -> Any:
        """See `Client.run`."""
        return await self._engine.run(self._workflows.run(flow, provider=provider, kind=kind))
