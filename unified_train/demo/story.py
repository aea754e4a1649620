"""Train on the same photographs at several vendors at once, generate the same pictures, and keep account."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio

from unified_train import (
    AsyncClient,
    Cost,
    Dataset,
    GenerationRequest,
    Image,
    Job,
    Polling,
    TrainingRequest,
    UnifiedTrainError,
    plugins,
)
from unified_train.config import Config
from unified_train.hosting import VARIABLE

PROMPTS = ("a portrait of {subject} in the snow, watercolor", "{subject} as an astronaut, night sky with stars")
PICTURES_PER_PROMPT = 2
SEED = 7
_TRAINING = 0.7
"""Share of the whole that training is taken for."""
_ALMOST = 0.99
"""Only what is downloaded is done."""
ENDS = ("done", "failed")
"""The last stages of a track."""
SIDE = 512
"""Pixels."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What every vendor is asked for.

    Attributes:
        photos: To train on.
        out: Folder for the pictures.
        polling: When to look at jobs.
        pace: Whether the vendors' published limits are kept.
        journal: Whether it is written down what was paid for; it need not be where nothing is.
        timeout: Seconds for each training and each generation; None waits for ever.
        environ: Where credentials and addresses are read from.
        prompts: Texts with `{subject}`.
        seed: Of the first picture of each prompt.
    """

    photos: Dataset
    out: Path
    polling: Polling
    environ: Mapping[str, str]
    pace: bool = True
    journal: bool = False
    timeout: float | None = None
    prompts: Sequence[str] = PROMPTS
    seed: int = SEED


@dataclass(slots=True)
class Track:
    """How one vendor is doing, and what it delivered.

    Attributes:
        provider: Slug.
        stage: For people: `uploading`, the status of a job, `done`, `failed`.
        progress: 0 to 1, of the whole.
        words: The vendor's own status words, in the order seen.
        seconds: From the first upload to the last picture.
        costs: What was billed, as far as the vendor tells.
        pictures: By prompt, in the order of their seeds.
        notes: What was sent otherwise than asked, and other things worth knowing.
        error: Why it ended early.
    """

    provider: str
    stage: str = "waiting"
    progress: float = 0.0
    words: list[str] = field(default_factory=list)
    seconds: float = 0.0
    costs: list[Cost] = field(default_factory=list)
    pictures: dict[str, list[Image]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    error: UnifiedTrainError | None = None

    @property
    def cost(self) -> str:
        """The sum in the vendor's unit, or `unknown`."""
        units = {cost.unit for cost in self.costs}
        return f"{sum(cost.amount for cost in self.costs):g} {units.pop()}" if len(units) == 1 else "unknown"

    def see(self, job: Job, begin: float, end: float) -> None:
        """Take over what a job tells; it makes up the whole's progress from `begin` to `end`."""
        self.stage = f"{job.kind}: {job.phase or job.status}"
        self.progress = max(self.progress, begin + (end - begin) * (job.progress or 0.0))
        for part in job.parts or (job,):
            for change in part.history:
                if change.raw_status and change.raw_status not in self.words:
                    self.words.append(change.raw_status)

    def account(self, job: Job) -> None:
        """Take over what a finished job cost and has to say."""
        if job.cost:
            self.costs.append(job.cost)
        self.notes += [note for note in job.notes if note not in self.notes]


Watcher = Callable[[Track], None]


async def tell(plan: Plan, providers: Sequence[str], watcher: Watcher) -> list[Track]:
    """Run the plan at all vendors at once; one vendor's failure stops no other.

    Args:
        plan: What to ask for.
        providers: Slugs.
        watcher: Called whenever a track has changed.
    """
    tracks = [Track(provider) for provider in providers]
    async with anyio.create_task_group() as tasks:
        for track in tracks:
            tasks.start_soon(_follow, plan, track, watcher)
    return tracks


async def _follow(plan: Plan, track: Track, watcher: Watcher) -> None:
    started = time.monotonic()
    try:
        kind = plugins.load(track.provider)
        provider = kind(kind.Settings.from_env(plan.environ))
        host = plan.environ.get(VARIABLE)
        polling, pace = plan.polling, plan.pace
        journal = "usual" if plan.journal else None
        async with AsyncClient(
            provider, polling=polling, image_host=host, pace=pace, journal=journal, config=Config()
        ) as client:
            await _run(plan, client, track, watcher)
        track.stage, track.progress = ENDS[0], 1.0
    except UnifiedTrainError as error:
        track.error = error
        track.stage = ENDS[1]
    track.seconds = time.monotonic() - started
    watcher(track)


async def _run(plan: Plan, client: AsyncClient, track: Track, watcher: Watcher) -> None:
    async def finished(job: Job, begin: float, end: float) -> Job:
        def progress(seen: Job) -> None:
            track.see(seen, begin, end)
            watcher(track)

        progress(job)
        done = await client.wait(job, progress=progress, timeout=plan.timeout)
        track.account(done)
        return done

    track.stage = "uploading"
    watcher(track)
    training = await client.train(TrainingRequest(name="demo-cat", dataset=plan.photos))
    training = await finished(training, 0.0, _TRAINING)
    share = (1 - _TRAINING) / len(plan.prompts)
    for number, prompt in enumerate(plan.prompts):
        asked = GenerationRequest(prompt=prompt, n=PICTURES_PER_PROMPT, seed=plan.seed, width=SIDE, height=SIDE)
        generation = await client.generate(training, asked, on_unsupported="drop")
        begin = _TRAINING + number * share
        generation = await finished(generation, begin, begin + share * _ALMOST)
        # A sandbox counts its jobs from the start each time, so that pictures of an earlier one may have these names.
        pictures = await client.download(generation)
        track.pictures[prompt] = [Image.of(picture.save(plan.out / picture.name)) for picture in pictures]


def bundled_photos() -> Path:
    """The folder of photographs that comes with the library.

    Raises:
        FileNotFoundError: It was left out of this installation.
    """
    package = Path(__file__).parent
    for folder in (package / "chelsea", package.parents[1] / "examples" / "chelsea"):
        if folder.is_dir():
            return folder
    raise FileNotFoundError("the bundled photographs are missing; name a folder of yours with --photos")
