"""`unified-train compare`: the same training and pictures at several vendors, and a report of it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from unified_train.cli.slugs import SLUG

if TYPE_CHECKING:
    from collections.abc import Iterator


def _listed(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """What is separated by commas, or given several times."""
    return tuple(dict.fromkeys(item.strip() for value in values for item in value.split(",") if item.strip()))


@click.command()
@click.argument("recipe", required=False, type=click.Path(path_type=Path))
@click.option(
    "--providers", multiple=True, callback=_listed, type=SLUG, metavar="SLUG,…", help="The vendors to compare."
)
@click.option(
    "--models",
    multiple=True,
    callback=_listed,
    metavar="REFERENCE,…",
    help="Finished trainings, at one vendor each; these vendors train nothing.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="For the report: a new folder, or that of this comparison, to go on with it.",
)
@click.option(
    "--again",
    type=click.Path(path_type=Path),
    metavar="MANIFEST",
    help="Ask the same as this comparison did, in the place of a recipe; all is paid for anew.",
)
@click.option(
    "--photos",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Where the training images of --again are; default: where they were.",
)
@click.option(
    "--rebuild",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Only write this report's page anew, from its manifest and pictures; nothing is asked, nothing is paid.",
)
@click.option("--title", metavar="TEXT", help="Of the report; default: the training's name.")
@click.option(
    "--on-unsupported",
    type=click.Choice(["error", "warn", "drop"]),
    help="What to do with an option that a vendor lacks; default: as the recipe says.",
)
@click.option(
    "--timeout", type=click.FloatRange(min=0), metavar="S", help="Seconds to wait for jobs; default: for ever."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(ctx: click.Context, /, **wish: Any) -> None:
    """Train what RECIPE says at several vendors at once, let each make the same pictures, and write a report of it.

    This costs money at each vendor, and nothing asks again. If it is interrupted, the same command goes on where it
    stood and pays nothing twice. One vendor's failure stops no other.

    Exit code 0 if every picture was made, 1 if none was (3 if that is all a matter of keys and configuration), 4 if
    jobs still run after the timeout, 7 if some pictures are missing.
    """
    from unified_train.cli import comparing

    rebuilt: Path | None = wish.pop("rebuild")
    if rebuilt is not None:
        if any(value not in {None, False, ()} for value in wish.values()):
            raise click.UsageError("--rebuild goes with no recipe and no other option")
        from unified_train.compare import rebuild

        click.echo(rebuild(rebuilt))
        return
    if (wish["recipe"] is None) == (wish["again"] is None):
        raise click.UsageError("name a recipe, or with --again the manifest of a comparison")
    if wish["out"] is None:
        raise click.UsageError("name a folder for the report: --out FOLDER")
    if wish["again"] is None and wish["photos"] is not None:
        raise click.UsageError("--photos belongs to --again; a recipe says where its images are")
    if wish["again"] is None and not wish["providers"] and not wish["models"]:
        raise click.UsageError(
            "name the vendors to compare: --providers scenario,novita, or models: --models REFERENCE"
        )
    comparing.run(comparing.Wish(**wish), resume=shlex.join(["unified-train", *_typed(ctx)]))


def _typed(ctx: click.Context) -> Iterator[str]:
    """The words of the command, as they could have been typed."""
    if ctx.parent is not None:
        yield from _typed(ctx.parent)
        yield str(ctx.info_name)
    for parameter in ctx.command.get_params(ctx):
        value = ctx.params.get(parameter.name or "")
        if isinstance(parameter, click.Argument):
            yield from [] if value is None else [str(value)]
        elif value is True:
            yield parameter.opts[-1]
        elif value not in {None, False, ()}:
            yield parameter.opts[-1]
            yield ",".join(value) if isinstance(value, tuple) else str(value)
