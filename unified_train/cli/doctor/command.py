"""The command, and its report."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from unified_train.cli.app import CONFIGURATION
from unified_train.cli.slugs import SLUG

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unified_train.cli.doctor.findings import Finding

COLOURS = {"ok": "green", "warning": "yellow", "error": "red", "off": "dim"}


@click.command()
@click.option(
    "--provider", "providers", multiple=True, type=SLUG, metavar="SLUG", help="Look at this vendor only; repeatable."
)
@click.option("--offline", is_flag=True, help="Send nothing to anybody.")
@click.option("--write", is_flag=True, help="Also try the image host: put a tiny picture there, and remove it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(providers: tuple[str, ...], offline: bool, write: bool, as_json: bool) -> None:
    """Look whether everything is in order, and say what to do where it is not.

    Of each vendor that there are credentials for, one thing is read that costs nothing. Exit code 0 if there is no
    error, 3 if there is one.
    """
    if offline and write:
        raise click.UsageError("--offline and --write exclude each other")
    found = _findings(providers, offline=offline, write=write)
    errors = sum(1 for finding in found if finding.state == "error")
    if as_json:
        click.echo(json.dumps({"ok": not errors, "findings": [asdict(finding) for finding in found]}, indent=2))
    else:
        _print(found)
    if errors:
        raise SystemExit(CONFIGURATION)


def _findings(named: Sequence[str], *, offline: bool, write: bool) -> list[Finding]:
    from unified_train import plugins
    from unified_train.cli.doctor import hosting, machine, vendors
    from unified_train.cli.doctor.findings import Finding
    from unified_train.cli.vendors import side_by_side
    from unified_train.config import Config
    from unified_train.errors import ConfigurationError

    found = [machine.versions()]
    try:
        config = Config.load()
        if not named and config.provider:
            config.chosen()
        found += machine.configuration(config)
    except ConfigurationError as error:
        found.append(Finding("configuration", "error", str(error), "all below goes by the environment alone"))
        config = Config()
    installed = plugins.load_all()
    kinds = [plugins.load(slug) for slug in dict.fromkeys(named)] or installed.providers
    found += machine.plugins(installed)
    found.append(machine.journal(config))
    needed = {*named, config.provider}
    visits = side_by_side(
        lambda kind: vendors.visited(kind, config, needed=kind.slug in needed, offline=offline), kinds
    )
    found += [visit.finding for visit in visits]
    if all(visit.finding.state == "off" for visit in visits):
        found.append(Finding("vendors", "error", "none is set up", "set the credentials of one of them, see above"))
    found += hosting.image_host(visits, config, write=write)
    if not offline:
        found.append(vendors.clock(visits))
    return found


def _print(found: Sequence[Finding]) -> None:
    from rich.table import Table
    from rich.text import Text

    from unified_train.cli.screen import Output

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in found:
        told = Text(finding.told, "dim" if finding.state == "off" else "")
        if finding.remedy:
            told.append(f"\n→ {finding.remedy}", "bold" if finding.state == "error" else "")
        table.add_row(Text(finding.state, COLOURS[finding.state]), Text(finding.subject), told)
    console = Output()
    console.print(table)
    console.print(_summary(found), highlight=False, markup=False)


def _summary(found: Sequence[Finding]) -> str:
    counts = [(sum(1 for finding in found if finding.state == state), state) for state in ("error", "warning")]
    told = [f"{count} {state}{'' if count == 1 else 's'}" for count, state in counts if count]
    return f"\n{', '.join(told)}" if told else "\nall is in order"
