"""`unified-train dataset`: check, prepare and show training images, before anything is paid for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from unified_train.cli.app import FAILED, Verbs
from unified_train.cli.slugs import SLUG

if TYPE_CHECKING:
    from collections.abc import Callable

    from unified_train.dataset_findings import Finding, Report

_PATH = click.Path(path_type=Path)


def _read(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every command that reads a dataset."""
    trigger = click.option("--trigger", metavar="WORD", help="Word that stands for what the pictures show.")
    return click.argument("dataset", type=_PATH)(trigger(function))


def _checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """The option of every command that checks a dataset."""
    return click.option(
        "--provider",
        "providers",
        multiple=True,
        type=SLUG,
        metavar="SLUG",
        help="A vendor; may be repeated; default: all.",
    )(function)


def _as_json(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


@click.group(cls=Verbs)
def command() -> None:
    """Look at training images before anything is paid for.

    DATASET is a folder or a zip archive: photo.jpg beside photo.txt or photo.caption, a Hugging Face imagefolder with
    metadata.jsonl or metadata.csv, or kohya's folders such as "10_ohwx cat".
    """


@command.command()
@_read
@_checked
@_as_json
def check(dataset: Path, trigger: str | None, providers: tuple[str, ...], as_json: bool) -> None:
    """Say what will go wrong with DATASET, and what is probably not meant.

    Exit code 0 if there are no errors (there may be hints), 1 if there are some, 3 if there is no dataset at all.
    """
    from unified_train.dataset_check import check_dataset

    _warn_of_broken(providers)
    report = check_dataset(dataset, providers=list(providers) or None, trigger=trigger)
    if as_json:
        click.echo(report.model_dump_json(indent=2))
    else:
        _print(report)
    if report.errors:
        raise SystemExit(FAILED)


@command.command()
@_read
@click.argument("out", type=_PATH)
@click.option(
    "--provider",
    "providers",
    multiple=True,
    type=SLUG,
    metavar="SLUG",
    help="A vendor that will train on it, at whose size; may be repeated, and then the largest counts.",
)
@click.option(
    "--size",
    type=click.IntRange(min=1),
    metavar="PIXELS",
    help="Of the shorter side, at most; default: what the vendors train at, or 1024 if they do not say.",
)
@_as_json
def prepare(  # noqa: PLR0917 - click passes them by name
    dataset: Path, trigger: str | None, out: Path, providers: tuple[str, ...], size: int | None, as_json: bool
) -> None:
    """Write a clean copy of DATASET to the folder OUT: upright, without GPS and other metadata, reduced.

    Captions go into photo.txt beside photo.jpg. The originals stay as they are. OUT must be empty or made by this.
    """
    from unified_train.dataset_prepare import prepare_dataset

    done = prepare_dataset(dataset, out, size=size, providers=providers, trigger=trigger)
    if as_json:
        click.echo(done.model_dump_json(indent=2))
        return
    captions = sum(1 for image in done.images if image.caption)
    click.echo(f"{len(done.images)} images and {captions} captions in {done.folder}")


@command.command()
@_read
@_checked
@_as_json
@click.option(
    "--out",
    type=_PATH,
    default=Path("contact-sheet.jpg"),
    show_default=True,
    help="File to write, .jpg or .png; it is replaced if it is there.",
)
def show(dataset: Path, trigger: str | None, providers: tuple[str, ...], out: Path, as_json: bool) -> None:
    """Draw a contact sheet of DATASET: every picture with its name, its caption and what is wrong with it."""
    from unified_train.dataset_sheet import draw_contact_sheet

    _warn_of_broken(providers)
    files = draw_contact_sheet(dataset, out, providers=list(providers) or None, trigger=trigger)
    click.echo(
        json.dumps({"files": [str(file) for file in files]}, indent=2) if as_json else "\n".join(map(str, files))
    )


def _warn_of_broken(providers: tuple[str, ...]) -> None:
    """Where all vendors are meant, tell of those that can't be asked for their limits."""
    from unified_train import plugins

    for broken in () if providers else plugins.load_all().broken:
        click.echo(f"warning: {broken}", err=True)


def _print(report: Report) -> None:
    for finding in report.findings:
        click.echo(_line(finding))
    counts = [_counted(len(report.images), "image"), _counted(len(report.errors), "error")]
    click.echo(", ".join([*counts, _counted(len(report.hints), "hint")]))


def _line(finding: Finding) -> str:
    severity = click.style(finding.severity, fg="red" if finding.severity == "error" else "yellow")
    return f"{severity}: {finding.sentence} [{finding.code}]"


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"
