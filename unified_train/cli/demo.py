"""`unified-train demo`: the whole job at every vendor, at once."""

from __future__ import annotations

import json
import os
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import click
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from unified_train import Dataset, Polling, plugins
from unified_train.cli.app import FAILED, PARTLY, exit_code
from unified_train.cli.screen import Output
from unified_train.cli.slugs import SLUG
from unified_train.demo import story
from unified_train.errors import ConfigurationError, DatasetError, UnifiedTrainError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from unified_train.demo.story import Track

QUICK = Polling(first=0.1, share=0.1, longest=1.0)
"""For vendors whose trainings take two seconds."""


@click.command()
@click.option("--photos", type=click.Path(path_type=Path), help="Folder of photographs; default: ten of a cat.")
@click.option("--trigger", default="ohwx", show_default=True, help="Word that stands for what the photographs show.")
@click.option("--class-word", default="cat", show_default=True, help="What kind of thing it is.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("unified-train-demo"),
    show_default=True,
    help="Folder for the pictures.",
)
@click.option(
    "--provider",
    "providers",
    multiple=True,
    type=SLUG,
    metavar="SLUG",
    help="A vendor; may be repeated; default: all installed.",
)
@click.option("--sandbox", "sandbox_url", metavar="URL", help="A sandbox that runs already; default: one of its own.")
@click.option("--live", is_flag=True, help="Talk to the vendors themselves, with your keys. This costs money.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(  # noqa: PLR0917 - click passes them by name
    photos: Path | None,
    trigger: str,
    class_word: str,
    out: Path,
    providers: tuple[str, ...],
    sandbox_url: str | None,
    live: bool,
    as_json: bool,
) -> None:
    """Train on the same photographs at every vendor at once, generate the same pictures, and compare.

    Without --live everything happens in a local sandbox: no key is needed and nothing leaves this machine.
    """
    if live and sandbox_url:
        raise click.UsageError("--live and --sandbox exclude each other")
    dataset = _dataset(photos, trigger, class_word)
    with _environment(sandbox_url, live=live) as environ:
        polling = Polling() if live else QUICK
        plan = story.Plan(photos=dataset, out=out, polling=polling, pace=live, journal=live, environ=environ)
        tracks = anyio.run(_told, plan, list(providers) or plugins.installed())
    if as_json:
        click.echo(json.dumps(_record(tracks, dataset, out, live=live), indent=2))
    else:
        _report(tracks, dataset, out, live=live)
    raise SystemExit(_exit_code(tracks))


def _dataset(photos: Path | None, trigger: str, class_word: str) -> Dataset:
    try:
        folder = photos or story.bundled_photos()
    except FileNotFoundError as error:
        raise DatasetError(str(error)) from None
    return Dataset.from_folder(folder, trigger=trigger, class_word=class_word)


@contextmanager
def _environment(sandbox_url: str | None, *, live: bool) -> Iterator[Mapping[str, str]]:
    """Where the vendors are, and with which keys."""
    if live:
        yield os.environ
        return
    if sandbox_url:
        yield _running(sandbox_url)
        return
    try:
        from unified_train.sandbox import Sandbox
    except ImportError as error:
        raise ConfigurationError(str(error)) from None
    with Sandbox() as sandbox:
        yield sandbox.env


def _running(url: str) -> Mapping[str, str]:
    """The variables of a sandbox that runs already, asked from itself."""
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/_sandbox", timeout=5) as answer:  # noqa: S310 - the user's own URL
            env: Mapping[str, str] = json.load(answer)["env"]
            return env
    except (OSError, ValueError, KeyError) as error:
        reason = getattr(error, "reason", error)
        raise ConfigurationError(
            f"no sandbox answers at {url} ({reason}); start one with: unified-train sandbox serve"
        ) from None


async def _told(plan: story.Plan, providers: Sequence[str]) -> list[Track]:
    columns = (
        TextColumn("{task.description:<10}"),
        BarColumn(bar_width=30),
        TextColumn("{task.fields[stage]:<24}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bars: dict[str, TaskID] = {slug: progress.add_task(slug, total=1.0, stage="waiting") for slug in providers}

        def show(track: Track) -> None:
            progress.update(bars[track.provider], completed=track.progress, stage=track.stage)
            if track.stage in story.ENDS:
                progress.stop_task(bars[track.provider])

        return await story.tell(plan, providers, show)


def _report(tracks: Sequence[Track], dataset: Dataset, out: Path, *, live: bool) -> None:
    console = Output()
    table = Table("vendor", "status words seen", "time", "cost", "pictures", box=box.SIMPLE_HEAD, pad_edge=False)
    for track in tracks:
        count = sum(len(group) for group in track.pictures.values())
        result = str(count) if track.error is None else f"[red]{count}[/red]"
        table.add_row(track.provider, " → ".join(track.words), f"{track.seconds:.1f} s", track.cost, result)
    console.print(table)
    for track in tracks:
        for note in track.notes:
            console.print(f"{track.provider}: {note}", style="dim", highlight=False, markup=False)
        if track.error is not None:
            console.print(f"{track.provider}: {track.error}", style="red", highlight=False, markup=False)
    if any(track.pictures for track in tracks):
        sheet = _contact_sheet(tracks, dataset, out, live=live)
        console.print(f"Pictures in {out}/, all side by side in {sheet}", highlight=False, markup=False, soft_wrap=True)
    console.print(_origin(live=live), highlight=False, markup=False, soft_wrap=True)


def _record(tracks: Sequence[Track], dataset: Dataset, out: Path, *, live: bool) -> dict[str, Any]:
    """The same for programs."""
    vendors = [
        {
            "provider": track.provider,
            "words": track.words,
            "seconds": round(track.seconds, 3),
            "cost": track.cost,
            "pictures": [str(picture.path) for group in track.pictures.values() for picture in group],
            "notes": track.notes,
            "error": None if track.error is None else str(track.error),
        }
        for track in tracks
    ]
    drawn = any(track.pictures for track in tracks)
    sheet = str(_contact_sheet(tracks, dataset, out, live=live)) if drawn else None
    return {"live": live, "vendors": vendors, "contact_sheet": sheet}


def _origin(*, live: bool) -> str:
    if live:
        return "These pictures were made by the vendors themselves."
    return "These are sandbox pictures: they prove the plumbing and say nothing about any vendor's quality or speed."


def _contact_sheet(tracks: Sequence[Track], dataset: Dataset, out: Path, *, live: bool) -> Path:
    from unified_train import Image
    from unified_train.demo import sheet

    titles = {provider.slug: provider.title for provider in plugins.load_all().providers}
    columns = [
        sheet.Column(
            title=titles.get(track.provider, track.provider),
            line=f"{track.seconds:.1f} s, {track.cost if track.costs else 'cost unknown'}",
            pictures=[track.pictures.get(prompt, []) for prompt in story.PROMPTS],
        )
        for track in tracks
        if track.pictures
    ]
    photos = [image for image in dataset.images if isinstance(image, Image)]
    prompts = [prompt.replace("{subject}", dataset.phrase) for prompt in story.PROMPTS]
    drawn = sheet.Sheet(photos=photos, prompts=prompts, columns=columns, footer=_origin(live=live))
    return sheet.draw(drawn, out / "contact-sheet.png")


def _exit_code(tracks: Sequence[Track]) -> int:
    errors: list[UnifiedTrainError] = [track.error for track in tracks if track.error is not None]
    if not errors:
        return 0
    if len(errors) < len(tracks):
        return PARTLY
    codes = {exit_code(error) for error in errors}
    return codes.pop() if len(codes) == 1 else FAILED
