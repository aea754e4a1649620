"""The command `unified-train train`; what it needs is loaded when it is called."""

from __future__ import annotations

from pathlib import Path

import click

from unified_train.cli.slugs import SLUG


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option("--provider", type=SLUG, metavar="SLUG", help="The vendor; default: the one that is configured.")
@click.option("--key", metavar="KEY", help="Yours for this call: the same key never submits twice; default: drawn.")
@click.option("--plan", "plan", metavar="HASH", help="Submit only what the plan with this hash shows.")
@click.option("--budget", metavar="AMOUNT", help="Refuse what is estimated to cost more, such as 20CU or 5USD.")
@click.option("--allow-unknown-cost", is_flag=True, help="Go on if the vendor tells no price for --budget.")
@click.option("--wait/--detach", "waits", default=True, help="Wait until it has ended, or print the reference only.")
@click.option("--timeout", type=click.FloatRange(min=0), metavar="S", help="Seconds to wait; default: for ever.")
@click.option("--json", "as_json", is_flag=True, help="Print the job as JSON.")
def command(  # noqa: PLR0917 - click passes them by name
    recipe: Path,
    provider: str | None,
    key: str | None,
    plan: str | None,
    budget: str | None,
    allow_unknown_cost: bool,
    waits: bool,
    timeout: float | None,
    as_json: bool,
) -> None:
    """Train as RECIPE has it, and wait until the model can be used.

    Ctrl-C ends the waiting, not the training, and prints the command that waits again. With --budget the vendor is
    asked for its price first (see `plan --ask-price`).

    Exit code 0 if the training succeeded (with --detach: was accepted), 1 if it failed, 3 for credentials,
    configuration and recipe, 4 if it still runs after the timeout, 5 if budget or plan forbid it, 6 if nobody knows
    whether it was accepted.
    """
    from unified_train.cli.train.permission import Terms, budget_of
    from unified_train.cli.train.training import Call, train

    if allow_unknown_cost and budget is None:
        raise click.UsageError("--allow-unknown-cost goes with --budget")
    terms = Terms(plan, budget_of(budget) if budget is not None else None, allow_unknown_cost)
    train(Call(recipe, provider, key, terms, waits=waits, timeout=timeout, as_json=as_json))
