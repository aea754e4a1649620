"""`unified-train providers`: what is installed and what it can do."""

from __future__ import annotations

import json

import click

from unified_train import plugins
from unified_train.capability_table import markdown, rows


@click.command()
@click.option("--markdown", "as_markdown", is_flag=True, help="Print the table as Markdown, as the README has it.")
@click.option("--json", "as_json", is_flag=True, help="Print the capabilities as JSON.")
def command(as_markdown: bool, as_json: bool) -> None:
    """What the installed vendors can do, side by side."""
    found = plugins.load_all()
    if as_json:
        told = {kind.slug: kind.capabilities.model_dump(mode="json") for kind in found.providers}
        click.echo(json.dumps(told, indent=2, sort_keys=True))
    elif as_markdown:
        click.echo(markdown(found.providers))
    else:
        _print(found)
    for broken in found.broken:
        click.echo(f"warning: {broken}", err=True)


def _print(found: plugins.Found) -> None:
    from rich import box
    from rich.table import Table

    from unified_train.cli.screen import Output

    head, *body = rows(found.providers)
    table = Table(*head, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in body:
        table.add_row(*row)
    Output().print(table)
