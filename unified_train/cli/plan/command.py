"""The command `unified-train plan`; what it needs is loaded when it is called."""

from __future__ import annotations

from pathlib import Path

import click

from unified_train.cli.slugs import SLUG


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option("--provider", "providers", multiple=True, type=SLUG, metavar="SLUG", help="A vendor; may be repeated.")
@click.option("--all", "everyone", is_flag=True, help="All vendors that are installed, with credentials or without.")
@click.option("--offline", is_flag=True, help="Send nothing at all, not even a read.")
@click.option("--ask-price", is_flag=True, help="Ask vendors for their price, where that takes more than a read.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole plan as JSON.")
def command(  # noqa: PLR0917 - click passes them by name
    recipe: Path, providers: tuple[str, ...], everyone: bool, offline: bool, ask_price: bool, as_json: bool
) -> None:
    """Tell what RECIPE would do: payloads, files that leave this machine, cost, time, and what stands in the way.

    Nothing is sent but free reads. With --ask-price vendors are asked for a price, if they tell one; what that takes at
    a vendor is said in a plan without it. A plan has a hash: `train --plan HASH` submits nothing else than what it
    shows.

    Exit code 0 if the training can be started at one of the vendors at least, 5 if something stands in the way at each.
    """
    from unified_train import plugins
    from unified_train.cli.app import BLOCKED
    from unified_train.cli.calls import chosen
    from unified_train.cli.plan import making, showing
    from unified_train.config import Config
    from unified_train.recipe import Recipe

    if everyone and providers:
        raise click.UsageError("--all and --provider exclude each other")
    if offline and ask_price:
        raise click.UsageError("--offline and --ask-price exclude each other")
    config = Config.load()
    asked = Recipe.load(recipe)
    if everyone:
        kinds = list(plugins.load_all().providers)
    else:
        kinds = [chosen(config, slug) for slug in dict.fromkeys(providers)] or [chosen(config, None)]
    plans = making.plans(asked, kinds, config, offline=offline, ask_price=ask_price)
    if as_json:
        click.echo(showing.as_json(recipe, plans))
    else:
        showing.print_plans(plans)
    if all(plan.training.blockers for plan in plans):
        raise SystemExit(BLOCKED)
