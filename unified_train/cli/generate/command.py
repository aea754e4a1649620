"""The command `unified-train generate`; what it needs is loaded when it is called."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("source", metavar="REFERENCE|RECIPE")
@click.option("--model", metavar="REFERENCE", help="With a recipe: the training whose model is used.")
@click.option("--prompt", "prompts", multiple=True, metavar="TEXT", help="May be repeated; default: the recipe's.")
@click.option("--n", type=click.IntRange(min=1), metavar="N", help="Pictures of each prompt and seed.")
@click.option("--seed", "seeds", multiple=True, type=click.IntRange(min=0), metavar="N", help="May be repeated.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("pictures"),
    show_default=True,
    metavar="DIR",
    help="Folder for the pictures.",
)
@click.option("--key", metavar="KEY", help="Yours for this call: the same key never submits twice; default: drawn.")
@click.option("--timeout", type=click.FloatRange(min=0), metavar="S", help="Seconds to wait; default: for ever.")
@click.option("--json", "as_json", is_flag=True, help="Print jobs and files as JSON.")
def command(  # noqa: PLR0917 - click passes them by name
    source: str,
    model: str | None,
    prompts: tuple[str, ...],
    n: int | None,
    seeds: tuple[int, ...],
    out: Path,
    key: str | None,
    timeout: float | None,
    as_json: bool,
) -> None:
    """Generate with the model of a training, wait, and download the pictures.

    Give the reference of a training and --prompt, or a recipe and --model. In a prompt {subject} stands for the trained
    thing. A REFERENCE is what `jobs list` shows. Ctrl-C ends the waiting, not the generation, and prints the command
    that goes on.

    Exit code 0 if all pictures are there, 1 if none is, 7 if only some are; others as for `train`.
    """
    from unified_train.cli.generate.asking import Wish
    from unified_train.cli.generate.making import generate

    wish = Wish(source, model, prompts, n, seeds)
    if wish.from_recipe and model is None:
        raise click.UsageError("a recipe needs --model, the reference of the training whose model is used")
    if not wish.from_recipe and model is not None:
        raise click.UsageError(f"--model goes with a recipe, and {source!r} is none; name the training once")
    if not wish.from_recipe and not prompts:
        raise click.UsageError("say what to generate with --prompt, or name a recipe that has prompts")
    generate(wish, out, key, timeout=timeout, as_json=as_json)
