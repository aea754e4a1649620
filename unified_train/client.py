"""The two clients: thin twins over the same workflows, one that blocks and one to await."""

from __future__ import annotations

import threading
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar, cast, overload

from unified_train import plugins
from unified_train.config import Config
from unified_train.engine import AsyncEngine, Engine
from unified_train.journal import Journal
from unified_train.policy import Conversation
from unified_train.provider import Provider

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence

    import httpx

    from unified_train.checks import OnUnsupported
    from unified_train.compare import Comparison, PictureOptions, Progress
    from unified_train.dataset import UploadedImage
    from unified_train.errors import UnifiedTrainError
    from unified_train.events import Observer
    from unified_train.flow import Flow, Workflow
    from unified_train.hosting import ImageHost
    from unified_train.images import Image
    from unified_train.models import GenerationRequest, Job, JobKind, Snapshot, TrainedModel, TrainingRequest
    from unified_train.plan import Plan
    from unified_train.policy import Retry
    from unified_train.polling import Polling
    from unified_train.provider import AnyProvider, Capabilities
    from unified_train.submitting import Resumed
    from unified_train.transport import AsyncHttp
    from unified_train.watching import Until
    from unified_train.workflows import JobLike, Workflows
    from unified_train.workflows.planning import ForModel, Planned


T = TypeVar("T")
JournalLike: TypeAlias = "Journal | str | PathLike[str] | None"
"""A journal, the path of one, `usual` for the configured one or that in the user's data folder, or None for none."""


class _Shared:
    """What both clients are made of.

    Attributes:
        journal: Where calls that may cost money are written down; None if that was turned off.
    """

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
        journal: JournalLike,
        config: Config | None,
    ) -> None:
        config = Config.load() if config is None else config
        conversations: dict[str, Conversation] = {}
        wanted: Sequence[str | AnyProvider | type[AnyProvider]] = providers or [config.chosen()]
        for named in wanted:
            provider = named if isinstance(named, Provider) else _made(named, settings or {}, config)
            conversations[provider.slug] = Conversation(provider, retry or config.retry, observer, pace=pace)
        self._conversations = conversations
        self._polling = polling or config.polling
        self._parallel = parallel
        self._image_host = _image_host(image_host, [talk.provider for talk in conversations.values()], config)
        self._pace = pace
        self._own_journal = not isinstance(journal, Journal)
        self.journal = _opened(journal, config)
        self._loading = threading.Lock()
        self._loaded: Workflows | None = None

    @property
    def _workflows(self) -> Workflows:
        """What the verbs do; loaded with the first of them, which spares a program that begins with something else."""
        if self._loaded is None:
            from unified_train.workflows import Workflows

            with self._loading:
                self._loaded = self._loaded or Workflows(
                    self._conversations, self._polling, self._parallel, self._image_host, self._pace, self.journal
                )
        return self._loaded

    @property
    def providers(self) -> tuple[str, ...]:
        """Slugs of the vendors that this client speaks to; the first is the default."""
        return tuple(self._conversations)

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

    def _plan(self, *arguments: Any) -> Workflow[Plan]:
        from unified_train.workflows.planning import Planning

        return Planning.of(self._workflows).plan(*arguments)

    def _compared(self, *what: Any, **how: Any) -> Workflow[Comparison]:
        from unified_train.compare.question import Order
        from unified_train.compare.runner import compared

        given = {name: value for name, value in how.items() if value is not None}
        return compared(self._workflows, Order(*what, **given))

    def _close_journal(self) -> None:
        if self.journal is not None and self._own_journal:
            self.journal.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {', '.join(self.providers)}>"


def _image_host(named: ImageHost | str | None, providers: Sequence[AnyProvider], config: Config) -> ImageHost | None:
    """The host that is named here, or by the configuration if a vendor needs one."""
    if named is None and any(provider.capabilities.images.takes == "url" for provider in providers):
        named = config.host()
    if not isinstance(named, str):
        return named
    from unified_train.hosting import host_of

    return host_of(named, config.environ)


def _opened(journal: JournalLike, config: Config) -> Journal | None:
    if journal == "usual":
        return config.usual_journal()
    return Journal(journal) if isinstance(journal, str | PathLike) else journal


def _made(named: str | type[AnyProvider], settings: Mapping[str, Mapping[str, object]], config: Config) -> AnyProvider:
    kind = plugins.load(named) if isinstance(named, str) else named
    return kind(config.settings(kind, settings.get(kind.slug)))


def _several(jobs: JobLike | Sequence[JobLike]) -> tuple[list[JobLike], bool]:
    from unified_train.models import Job

    if isinstance(jobs, Job | str):
        return [jobs], False
    return list(jobs), True


def _ended_well(job: Job) -> Job:
    from unified_train.jobs import ended_well

    return ended_well(job)


def _folder(folder: str | PathLike[str] | None) -> Path | None:
    return None if folder is None else Path(folder)


class Client(_Shared):
    """Trains and generates, and blocks while it does.

    Args:
        providers: Slugs of the vendors to speak to, or ready-made providers; the first is the default. If there are
            none, the one that the configuration names.
        settings: Credentials and addresses by slug and field, over what the configuration says.
        http: An `httpx.Client` of yours (proxy, private CA); it is not closed.
        retry: How often requests are repeated, where that is harmless; if None, as configured.
        polling: When jobs are looked at; if None, as configured.
        parallel: Uploads, polls or downloads at once.
        observer: Called with each `Event`, from whatever thread it happens in.
        image_host: Where local images go for a vendor that takes URLs only: a host or its URL; if None, the one that
            is configured or that `UNIFIED_TRAIN_IMAGE_HOST` names, if any.
        pace: Whether the vendors' published limits are kept: the least interval between polls, and rates. Turn it off
            for a sandbox, whose clock runs faster.
        journal: Where calls that may cost money are written down, so that none is submitted twice and none is lost: a
            `Journal`, the path of one, `usual` for the configured one or else the file in `UNIFIED_TRAIN_HOME` or the
            user's data folder, or None to do without, which leaves a lost answer a `SubmissionUncertain`.
        config: What holds where no argument says otherwise; if None, `Config.load()` reads files and environment.

    Raises:
        ConfigurationError: No provider, an unknown one, a broken plugin, missing credentials, or a configuration file
            that can't be used.
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
        journal: JournalLike = "usual",
        config: Config | None = None,
    ) -> None:
        super().__init__(providers, settings, retry, polling, parallel, observer, image_host, pace, journal, config)
        self._engine = Engine(http)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; jobs go on at their vendors."""
        self._engine.close()
        self._close_journal()

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
        self,
        request: TrainingRequest,
        *,
        provider: str | None = None,
        on_unsupported: OnUnsupported = "error",
        key: str | None = None,
    ) -> Job:
        """Start a training on images that are at the vendor already, and return at once.

        If the answer is lost, the vendor's list is asked; that takes some minutes if the training is not in it.

        Args:
            request: What to train.
            provider: Slug; the default one if None.
            on_unsupported: What to do with a neutral option that the vendor lacks; the job's notes tell in any case.
            key: Yours for this call, such as an order number: the same key always gives the same job, in any process,
                now and later. One is drawn if None.

        Raises:
            ConfigurationError, DatasetError: The vendor would not take it; nothing was sent.
            InvalidOptions: The key was used for another request.
            JournalError: The journal can't be used; nothing was sent.
            ApiError: The vendor refused.
            TransportError: Surely not accepted.
            SubmissionUncertain: It may or may not have been accepted; it was not repeated.
        """
        return self._engine.run(
            self._workflows.start_training(request, provider=provider, on_unsupported=on_unsupported, key=key)
        )

    def train(
        self,
        request: TrainingRequest,
        *,
        provider: str | None = None,
        on_unsupported: OnUnsupported = "error",
        key: str | None = None,
    ) -> Job:
        """Upload all images side by side, start the training, and return; arguments and errors as `start_training`."""
        return self._engine.run(
            self._workflows.train(request, provider=provider, on_unsupported=on_unsupported, key=key)
        )

    def generate(
        self,
        model: TrainedModel | Job,
        request: GenerationRequest | str,
        *,
        on_unsupported: OnUnsupported = "warn",
        key: str | None = None,
    ) -> Job:
        """Start generating with a trained model, and return at once; more pictures than one call makes are split.

        Args:
            model: From a finished training, or that training.
            request: What to generate, or just a prompt.
            on_unsupported: What to do with a neutral option that the vendor lacks.
            key: As for `start_training`.

        Raises:
            ConfigurationError: The vendor would not take it; nothing was sent.
            InvalidOptions: The key was used for another request.
            JournalError: The journal can't be used; nothing was sent.
            ApiError: The vendor refused (all calls; if only some, the job's notes tell).
            SubmissionUncertain: It may or may not have been accepted; it was not repeated.
        """
        return self._engine.run(self._workflows.generate(model, request, on_unsupported=on_unsupported, key=key))

    def plan(
        self,
        request: Planned,
        *,
        model: ForModel = None,
        provider: str | None = None,
        on_unsupported: OnUnsupported | None = None,
        offline: bool = False,
        ask_price: bool = False,
    ) -> Plan:
        """Tell what a call would do, vendor by vendor, without making it.

        Nothing is sent but free reads: whether the vendor can be reached with these credentials, what the call itself
        would read before it creates anything, and images that are given by URL only.

        Args:
            request: What would be trained, or generated: one request, a prompt, or several requests.
            model: To generate with: a model, a finished training, or the request of a training that would make it.
            provider: Slug; all vendors of this client if None, or the one that has the model.
            on_unsupported: As for `train` and `generate`.
            offline: Whether nothing at all is sent.
            ask_price: Whether the vendor is asked for the price, where that takes more than a read; what it takes there
                is in `price_by` of a plan that was made without.

        Returns:
            The plan; what would keep the call from being made is in it as a blocker, and raised only if there is no
            plan without it.

        Raises:
            InvalidOptions: There is no model to plan a generation with.
            JournalError: The journal can't be read.
        """
        return self._engine.run(self._plan(request, model, provider, on_unsupported, offline, ask_price))

    def resume(self, key: str | None = None) -> list[Resumed]:
        """Finish the calls that a process left behind when it died, and those whose outcome was unknown.

        Each is carried on from where the journal has it: what the vendor accepted is adopted, what is missing is sent.
        Calls that a living process is at work on are left to it.

        Args:
            key: Of one call; all those to this client's vendors if None.

        Returns:
            What became of each: a job, or the error that keeps it from one.

        Raises:
            JournalError: The journal can't be used.
        """
        return self._engine.run(self._workflows.resume(key))

    def reconcile(self, key: str, accepted: JobLike | None = None) -> Job | None:
        """Tell what became of a call whose outcome nobody could find out but you.

        Args:
            key: Of the call.
            accepted: The job that you have seen at the vendor; None if there is none; the key may then
                be used again.

        Raises:
            InvalidOptions: There is no such call, it has a job already, or a process is at work on it.
            ApiError: The vendor knows no such job.
        """
        return self._engine.run(self._workflows.reconcile(key, accepted))

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
        seen = self._engine.run(self._workflows.wait(waited_for, timeout=timeout, until=until, progress=progress))
        return seen if many else _ended_well(seen[0])

    def watch(self, jobs: JobLike | Sequence[JobLike], *, timeout: float | None = None) -> Iterator[Job]:
        """Yield each job whenever it has changed, until all have finished; errors as `wait`, but for failed jobs."""
        return cast("Iterator[Job]", self._engine.iterate(self._workflows.watch(_several(jobs)[0], timeout=timeout)))

    def download(self, job: JobLike, folder: str | PathLike[str] | None = None) -> list[Image]:
        """The pictures of a finished generation, in order; asked again after an interruption, only those missing.

        Args:
            job: A generation or its reference.
            folder: Where to save them, but for those already there, by name and whole; they stay in memory if None.

        Raises:
            ConfigurationError: It has no pictures (yet), or the folder can't be used.
            MalformedResponse: What the vendor serves is no image, cut off, too large, or at a private address.
            OSError: The disk is full.
        """
        return self._engine.run(self._workflows.download(job, _folder(folder)))

    def compare(
        self,
        training: TrainingRequest | None,
        prompts: str | Sequence[str],
        *,
        out: str | PathLike[str],
        seeds: Sequence[int] = (1,),
        options: PictureOptions | None = None,
        models: Sequence[TrainedModel | JobLike] = (),
        providers: Sequence[str] | None = None,
        absent: Mapping[str, UnifiedTrainError] | None = None,
        title: str | None = None,
        on_unsupported: OnUnsupported = "error",
        pictures_on_unsupported: OnUnsupported = "drop",
        timeout: float | None = None,
        progress: Callable[[Progress], object] | None = None,
    ) -> Comparison:
        """Train the same at several vendors at once, let each make the same pictures, and write a report of it.

        This costs money at each of them. One vendor's failure stops no other, and is told in the report. Interrupted
        and called again with the same arguments, it goes on where it stood, and pays nothing twice.

        Args:
            training: What every vendor should train; None if there is a model of each.
            prompts: Texts with `{subject}`; or one.
            out: Folder for report, manifest and pictures: a new one, or that of the same comparison.
            seeds: One picture each for every prompt and vendor.
            options: What else every picture should be.
            models: That exist already, in the place of a training: models, finished trainings or references of those.
            providers: Slugs of the vendors in the order of the report; all that this client speaks to if None.
            absent: Vendors that can't take part, and why, by slug; the report tells it.
            title: Of the report; the training's name if None.
            on_unsupported: What to do with a neutral option of the training that a vendor lacks.
            pictures_on_unsupported: What to do with one of the pictures; the report tells which were left out.
            timeout: Seconds to wait for jobs. What still runs then is missing in the report, and is gone on with when
                the same is called again.
            progress: Called with each change, in whatever calls this.

        Returns:
            Plain data; `out` has the report.

        Raises:
            ConfigurationError: An extra is missing, or the folder holds something else or can't be written.
            InvalidOptions: Nothing to compare, or something is given twice.
            DatasetError: A training image can't be read.
        """
        return self._engine.run(
            self._compared(
                training,
                prompts,
                out=Path(out),
                seeds=seeds,
                options=options,
                models=models,
                providers=providers,
                absent=absent,
                title=title,
                on_unsupported=on_unsupported,
                pictures_on_unsupported=pictures_on_unsupported,
                timeout=timeout,
                progress=progress,
            )
        )

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
        providers: Slugs of the vendors to speak to, or ready-made providers; the first is the default. If there are
            none, the one that the configuration names.
        settings: Credentials and addresses by slug and field, over what the configuration says.
        http: An `httpx.AsyncClient` of yours (proxy, private CA), which is not closed; or `aiohttp` (extra `aiohttp`,
            asyncio only) to send requests with that library, at about half the work for each.
        retry: How often requests are repeated, where that is harmless; if None, as configured.
        polling: When jobs are looked at; if None, as configured.
        parallel: Uploads, polls or downloads at once.
        observer: Called with each `Event`.
        image_host: Where local images go for a vendor that takes URLs only: a host or its URL; if None, the one that
            is configured or that `UNIFIED_TRAIN_IMAGE_HOST` names, if any.
        pace: Whether the vendors' published limits are kept: the least interval between polls, and rates. Turn it off
            for a sandbox, whose clock runs faster.
        journal: Where calls that may cost money are written down, so that none is submitted twice and none is lost: a
            `Journal`, the path of one, `usual` for the configured one or else the file in `UNIFIED_TRAIN_HOME` or the
            user's data folder, or None to do without, which leaves a lost answer a `SubmissionUncertain`.
        config: What holds where no argument says otherwise; if None, `Config.load()` reads files and environment.

    Raises:
        ConfigurationError: No provider, an unknown one, a broken plugin, missing credentials, or a configuration file
            that can't be used.
    """

    def __init__(
        self,
        *providers: str | AnyProvider,
        settings: Mapping[str, Mapping[str, object]] | None = None,
        http: AsyncHttp = None,
        retry: Retry | None = None,
        polling: Polling | None = None,
        parallel: int = 8,
        observer: Observer | None = None,
        image_host: ImageHost | str | None = None,
        pace: bool = True,
        journal: JournalLike = "usual",
        config: Config | None = None,
    ) -> None:
        super().__init__(providers, settings, retry, polling, parallel, observer, image_host, pace, journal, config)
        self._engine = AsyncEngine(http)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; jobs go on at their vendors."""
        await self._engine.close()
        self._close_journal()

    async def upload_image(
        self, image: object, *, caption: str | None = None, provider: str | None = None
    ) -> UploadedImage:
        """See `Client.upload_image`."""
        return await self._engine.run(self._workflows.upload_image(image, caption=caption, provider=provider))

    async def start_training(
        self,
        request: TrainingRequest,
        *,
        provider: str | None = None,
        on_unsupported: OnUnsupported = "error",
        key: str | None = None,
    ) -> Job:
        """See `Client.start_training`."""
        return await self._engine.run(
            self._workflows.start_training(request, provider=provider, on_unsupported=on_unsupported, key=key)
        )

    async def train(
        self,
        request: TrainingRequest,
        *,
        provider: str | None = None,
        on_unsupported: OnUnsupported = "error",
        key: str | None = None,
    ) -> Job:
        """See `Client.train`."""
        return await self._engine.run(
            self._workflows.train(request, provider=provider, on_unsupported=on_unsupported, key=key)
        )

    async def generate(
        self,
        model: TrainedModel | Job,
        request: GenerationRequest | str,
        *,
        on_unsupported: OnUnsupported = "warn",
        key: str | None = None,
    ) -> Job:
        """See `Client.generate`."""
        return await self._engine.run(self._workflows.generate(model, request, on_unsupported=on_unsupported, key=key))

    async def plan(
        self,
        request: Planned,
        *,
        model: ForModel = None,
        provider: str | None = None,
        on_unsupported: OnUnsupported | None = None,
        offline: bool = False,
        ask_price: bool = False,
    ) -> Plan:
        """See `Client.plan`."""
        return await self._engine.run(self._plan(request, model, provider, on_unsupported, offline, ask_price))

    async def resume(self, key: str | None = None) -> list[Resumed]:
        """See `Client.resume`."""
        return await self._engine.run(self._workflows.resume(key))

    async def reconcile(self, key: str, accepted: JobLike | None = None) -> Job | None:
        """See `Client.reconcile`."""
        return await self._engine.run(self._workflows.reconcile(key, accepted))

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
        seen = await self._engine.run(self._workflows.wait(waited_for, timeout=timeout, until=until, progress=progress))
        return seen if many else _ended_well(seen[0])

    def watch(self, jobs: JobLike | Sequence[JobLike], *, timeout: float | None = None) -> AsyncIterator[Job]:
        """See `Client.watch`."""
        return self._engine.iterate(self._workflows.watch(_several(jobs)[0], timeout=timeout))

    async def download(self, job: JobLike, folder: str | PathLike[str] | None = None) -> list[Image]:
        """See `Client.download`."""
        return await self._engine.run(self._workflows.download(job, _folder(folder)))

    async def compare(
        self,
        training: TrainingRequest | None,
        prompts: str | Sequence[str],
        *,
        out: str | PathLike[str],
        seeds: Sequence[int] = (1,),
        options: PictureOptions | None = None,
        models: Sequence[TrainedModel | JobLike] = (),
        providers: Sequence[str] | None = None,
        absent: Mapping[str, UnifiedTrainError] | None = None,
        title: str | None = None,
        on_unsupported: OnUnsupported = "error",
        pictures_on_unsupported: OnUnsupported = "drop",
        timeout: float | None = None,  # noqa: ASYNC109 - a deadline on jobs, which outlive it
        progress: Callable[[Progress], object] | None = None,
    ) -> Comparison:
        """See `Client.compare`."""
        return await self._engine.run(
            self._compared(
                training,
                prompts,
                out=Path(out),
                seeds=seeds,
                options=options,
                models=models,
                providers=providers,
                absent=absent,
                title=title,
                on_unsupported=on_unsupported,
                pictures_on_unsupported=pictures_on_unsupported,
                timeout=timeout,
                progress=progress,
            )
        )

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
