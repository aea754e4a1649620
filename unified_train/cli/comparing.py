"""What `unified-train compare` does: asks, shows how it goes, and tells what came of it."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from unified_train import plugins
from unified_train.cli.app import FAILED, INTERRUPTED, OK, PARTLY, RUNNING, exit_code
from unified_train.cli.jobs import texts
from unified_train.cli.jobs.lookup import resolved
from unified_train.cli.jobs.waiting import ROOMY, bars
from unified_train.cli.screen import Output
from unified_train.client import Client
from unified_train.compare import PictureOptions, read_manifest
from unified_train.compare.folder import MANIFEST, REPORT
from unified_train.compare.repeating import photos_of
from unified_train.config import Config
from unified_train.dataset import Dataset
from unified_train.errors import ConfigurationError, InvalidOptions, ProviderNotFound, UnifiedTrainError
from unified_train.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from rich.progress import TaskID

    from unified_train.checks import OnUnsupported
    from unified_train.compare import Comparison, Progress
    from unified_train.journal import Journal
    from unified_train.provider import AnyProvider

Asked: TypeAlias = dict[str, Any]
"""Arguments of `Client.compare`."""
_SEEDS = (1,)
"""For a recipe without seeds: the same at every vendor is the point."""


@dataclass(frozen=True, slots=True)
class Wish:
    """The command's arguments, by their names."""

    recipe: Path | None
    providers: tuple[str, ...]
    models: tuple[str, ...]
    out: Path
    again: Path | None
    photos: Path | None
    title: str | None
    on_unsupported: OnUnsupported | None
    timeout: float | None
    as_json: bool


def run(wish: Wish, *, resume: str) -> None:
    """Compare, and print what came of it.

    Args:
        wish: What to compare.
        resume: The command that goes on.

    Raises:
        UnifiedTrainError: It can't be begun, or no report be written.
        SystemExit: Pictures are missing, or the user has interrupted.
    """
    config = Config.load()
    journal = config.usual_journal()
    if journal is None:
        raise ConfigurationError(
            "a comparison needs the journal; take journal = false out of the configuration, which turns it off"
        )
    last: dict[str, Progress] = {}
    with closing(journal):
        asked = _of_manifest(wish, journal) if wish.again else _of_recipe(wish, journal)
        ready, absent = _vendors(asked["providers"], config)
        try:
            with Client(*ready, journal=journal, config=config) as client, _shown(last) as show:
                comparison = client.compare(**asked, absent=absent, out=wish.out, timeout=wish.timeout, progress=show)
        except KeyboardInterrupt:
            click.echo(f"interrupted; the jobs go on at their vendors. To go on:\n  {resume}", err=True)
            raise SystemExit(INTERRUPTED) from None
    _print(comparison, wish)
    code = _exit_code(last.values())
    if code == RUNNING:
        click.echo(f"some jobs still run. To go on:\n  {resume}", err=True)
    raise SystemExit(code)


# -- what is asked -----------------------------------------------------------------------------------------------------


def _of_recipe(wish: Wish, journal: Journal) -> Asked:
    if wish.recipe is None:
        raise AssertionError("unreachable")
    recipe = Recipe.load(wish.recipe)
    told = recipe.generation
    if told is None:
        raise InvalidOptions(f"{wish.recipe}: has no [generation], so there would be nothing to compare; add prompts")
    if told.n != 1:
        raise InvalidOptions(
            f"{wish.recipe}: generation.n is {told.n}, but a comparison has one picture for each prompt and seed; give"
            " more seeds, and leave n out"
        )
    models = resolved(journal, wish.models)
    providers = wish.providers or tuple(job.provider for job in models)
    trains = {*providers} - {job.provider for job in models}
    return {
        "training": recipe.training_request() if trains else None,
        "prompts": told.prompts,
        "seeds": told.seeds or _SEEDS,
        "options": PictureOptions(**{name: getattr(told, name) for name in PictureOptions.model_fields}),
        "models": models,
        "providers": providers,
        "title": wish.title or recipe.training.name,
        "on_unsupported": wish.on_unsupported or recipe.training.on_unsupported,
        "pictures_on_unsupported": wish.on_unsupported or told.on_unsupported,
    }


def _of_manifest(wish: Wish, journal: Journal) -> Asked:
    if wish.again is None:
        raise AssertionError("unreachable")
    before = read_manifest(wish.again)
    folder = wish.again if wish.again.is_dir() else wish.again.parent
    if wish.out.resolve() == folder.resolve():
        raise InvalidOptions(f"{wish.out}: holds the comparison that is asked again; name another folder with --out")
    training = None
    if before.training is not None:
        photos = Dataset.read(wish.photos) if wish.photos else photos_of(before, journal)
        training = before.training.request(photos)
    return {
        "training": training,
        "prompts": before.prompts,
        "seeds": before.seeds,
        "options": before.options,
        "models": [entrant.model for entrant in before.entrants if entrant.model and not entrant.training],
        "providers": [entrant.provider for entrant in before.entrants],
        "title": wish.title or before.title,
        "on_unsupported": wish.on_unsupported or "error",
        "pictures_on_unsupported": wish.on_unsupported or "drop",
    }


def _vendors(slugs: Sequence[str], config: Config) -> tuple[list[AnyProvider], dict[str, UnifiedTrainError]]:
    """The vendors that can be spoken to, and why the others can't.

    Raises:
        ProviderNotFound: One is not installed, or is misspelled.
        ConfigurationError: There is none that can be spoken to.
    """
    ready: list[AnyProvider] = []
    absent: dict[str, UnifiedTrainError] = {}
    for slug in slugs:
        try:
            kind = plugins.load(slug)
            ready.append(kind(config.settings(kind)))
        except ProviderNotFound:
            raise
        except ConfigurationError as error:
            absent[slug] = error
    if not ready:
        raise ConfigurationError("; ".join(f"{slug}: {error}" for slug, error in absent.items()))
    return ready, absent


# -- how it goes -------------------------------------------------------------------------------------------------------


@contextmanager
def _shown(last: dict[str, Progress]) -> Iterator[Callable[[Progress], None]]:
    """Show progress on stderr, bars on a terminal and lines elsewhere, and keep the last that each vendor told."""
    from rich.console import Console

    console = Console(stderr=True)
    told: dict[str, str] = {}

    def tell(progress: Progress) -> None:
        last[progress.provider] = progress
        news = _stage(progress, timeless=True)  # that less time is left is no news
        if told.get(progress.provider) != news:
            told[progress.provider] = news
            click.echo(f"{progress.title}: {news}", err=True)

    if not console.is_terminal:
        yield tell
        return
    tasks: dict[str, TaskID] = {}
    with bars(console) as shown:

        def show(progress: Progress) -> None:
            last[progress.provider] = progress
            if progress.provider not in tasks:
                tasks[progress.provider] = shown.add_task(progress.title, total=1.0, stage="")
            task = tasks[progress.provider]
            shown.update(
                task,
                completed=1.0 if progress.ended else progress.share,
                stage=_stage(progress, brief=console.width < ROOMY),
            )
            if progress.ended:
                shown.stop_task(task)

        yield show


def _stage(progress: Progress, *, brief: bool = False, timeless: bool = False) -> str:
    """How a vendor is doing, in a few words.

    Args:
        progress: What was told.
        brief: Whether the vendor's own words are left out.
        timeless: Whether it is left out how long it will take.
    """
    job, missing = progress.job, len(progress.errors)
    if progress.stage == "training" and job is not None:
        return f"training: {texts.going(job, brief=brief, timeless=timeless)}"
    if progress.stage == "waiting":
        return "starting"
    failed = f", {missing} {'error' if missing == 1 else 'errors'}" if missing else ""
    return f"{progress.stage}: {progress.made} of {progress.asked} pictures{failed}"


# -- what came of it ---------------------------------------------------------------------------------------------------


def _print(comparison: Comparison, wish: Wish) -> None:
    """Print the table and where the report is; what went wrong on stderr."""
    for sentence in _problems(comparison):
        click.echo(f"error: {texts.plain(sentence)}", err=True)
    if wish.as_json:
        click.echo(json.dumps(_record(comparison, wish.out), indent=2))
        return
    click.echo(comparison.table(_width()))
    click.echo(f"\n{wish.out / REPORT}")


def _width() -> int | None:
    """Columns of the terminal; None where there is none, since a file and a program have no edge."""
    screen = Output()
    return screen.width if screen.is_terminal else None


def _problems(comparison: Comparison) -> Iterator[str]:
    """A sentence for each vendor that dropped out, and for pictures that are missing for the same reason."""
    titles = {entrant.provider: entrant.title for entrant in comparison.entrants}
    for entrant in comparison.entrants:
        if entrant.error:
            yield f"{entrant.title}: {entrant.error}"
    reasons = Counter((failure.entrant, failure.sentence) for failure in comparison.failures)
    for (provider, sentence), count in reasons.items():
        yield f"{titles[provider]}: {count} {'picture is' if count == 1 else 'pictures are'} missing: {sentence}"


def _record(comparison: Comparison, out: Path) -> dict[str, Any]:
    return {
        "id": comparison.id,
        "report": str(out / REPORT),
        "manifest": str(out / MANIFEST),
        "vendors": [
            {
                "provider": entrant.provider,
                "model": entrant.model.id if entrant.model else None,
                "training": entrant.training.reference if entrant.training else None,
                "status": entrant.training.status if entrant.training else None,
                "error": entrant.error,
                "notes": list(entrant.notes),
            }
            for entrant in comparison.entrants
        ],
        "records": comparison.to_records(),
        "failures": [failure.model_dump(mode="json") for failure in comparison.failures],
    }


def _exit_code(ends: Iterable[Progress]) -> int:
    told = list(ends)
    errors = [error for progress in told for error in progress.errors]
    if any(progress.stage == "late" for progress in told):
        return RUNNING
    if not errors:
        return OK
    if any(progress.made for progress in told):
        return PARTLY
    codes = {exit_code(error) for error in errors}
    return codes.pop() if len(codes) == 1 else FAILED
