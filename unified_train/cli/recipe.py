"""`unified-train recipe`: whether a recipe is one, and the schema that editors check it by."""

from __future__ import annotations

import json
from pathlib import Path

import click

from unified_train.cli.app import Verbs


@click.group(cls=Verbs)
def command() -> None:
    """Recipe files: what to train on, how, and what to generate, for any vendor."""


@command.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(recipe: Path, as_json: bool) -> None:
    """Say whether RECIPE can be used, dataset and all; `plan` says what each vendor makes of it.

    Exit code 0 if it can, 3 if not.
    """
    from unified_train.recipe import Recipe

    asked = Recipe.load(recipe)
    images = len(asked.training_request().dataset.images)
    pictures = sum(request.n for request in asked.generation_requests())
    if as_json:
        click.echo(json.dumps({"recipe": str(recipe), "images": images, "pictures": pictures}, indent=2))
        return
    told = f"trains on {images} {'image' if images == 1 else 'images'}"
    click.echo(f"{recipe}: {told}, generates {pictures} {'picture' if pictures == 1 else 'pictures'}")


@command.command()
def schema() -> None:
    """Print the JSON schema of recipes."""
    from unified_train.recipe import schema

    click.echo(json.dumps(schema(), indent=2))
