"""`unified-train config`: what is configured, and where each value comes from."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import click

from unified_train import plugins, redact
from unified_train.cli.app import Verbs
from unified_train.cli.jobs.texts import plain
from unified_train.config import Config, Origin, Sourced
from unified_train.config import environment as variables
from unified_train.config.files import PROJECT_FILE, places
from unified_train.config.secrets import shown, standing
from unified_train.config.values import folder_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unified_train.policy import Retry
    from unified_train.polling import Polling
    from unified_train.provider import AnyProvider


@dataclass(frozen=True, slots=True)
class Row:
    """One value.

    Attributes:
        key: As in a file.
        value: For people; of a secret only whether it is there.
        origin: Where it comes from.
        secret: Whether it is one.
    """

    key: tuple[str, ...]
    value: str
    origin: str
    secret: bool = False


@click.group(cls=Verbs)
def command() -> None:
    """What is configured, by files, profiles and the environment."""


@command.command()
@click.option("--profile", metavar="NAME", help="Profile to show; default: the one that is in use.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def show(ctx: click.Context, profile: str | None, as_json: bool) -> None:
    """Print the values in force and where each comes from; of secrets only whether they are set.

    No command and no keyring is asked for a secret; where one would be, it says so.
    """
    config = Config.load(profile=profile)
    chosen = profile is not None or ctx.find_root().params.get("profile") is not None
    rows = list(_general(config, by_option=chosen))
    found = plugins.load_all()
    for kind in found.providers:
        rows += _vendor(config, kind)
    absent = sorted(config.providers.keys() - set(plugins.installed()))
    if as_json:
        _print_json(config, rows)
    else:
        _print(config, rows)
    for slug in absent:
        click.echo(f"warning: there are settings for {slug!r}, but no such provider is installed", err=True)
    for broken in found.broken:
        click.echo(f"warning: {broken}", err=True)


def _general(config: Config, *, by_option: bool) -> Iterator[Row]:
    yield Row(("provider",), plain(config.provider or "none"), str(config.origin("provider")))
    origin = "--profile" if by_option else str(config.origin("profile"))
    yield Row(("profile",), plain(config.profile or "none"), origin)
    yield _journal(config)
    yield Row(("image_host",), _host(config), str(config.origin("image_host")))
    tables: dict[str, Retry | Polling] = {"retry": config.retry, "polling": config.polling}
    for table, values in tables.items():
        for field in fields(values):
            value = getattr(values, field.name)
            told = "by vendor" if value is None else f"{value:g}"
            yield Row((table, field.name), told, str(config.origin(table, field.name)))


def _journal(config: Config) -> Row:
    journal = config.usual_journal()
    usual = Origin("variable", variables.HOME) if variables.told(config.environ, variables.HOME) else Origin("default")
    origin = usual if config.journal is None else config.origin("journal")
    return Row(("journal",), _short(journal.path) if journal else "off", str(origin))


def _host(config: Config) -> str:
    if config.image_host is None:
        return "none"
    return _told(config, Sourced(config.image_host, config.origin("image_host"), secret=False))


def _vendor(config: Config, kind: type[AnyProvider]) -> Iterator[Row]:
    for name, sourced in config.fields(kind).items():
        yield Row(("providers", kind.slug, name), _told(config, sourced), str(sourced.origin), sourced.secret)


def _told(config: Config, sourced: Sourced) -> str:
    """A value for people; where a reference leads is not looked at further than is free."""
    if sourced.reference is not None:
        state = standing(sourced.reference, config.environ, folder_of(sourced.origin))
        return f"{state} ({shown(sourced.reference)})"
    if sourced.secret:
        return "missing" if sourced.value is None else "set"
    return "none" if sourced.value is None else plain(redact.text(str(sourced.value)))


def _print_json(config: Config, rows: list[Row]) -> None:
    told = {
        "files": [str(path) for path in config.files],
        "profiles": list(config.profiles),
        "values": {".".join(row.key): {"value": row.value, "origin": row.origin, "secret": row.secret} for row in rows},
    }
    click.echo(json.dumps(told, indent=2))


def _print(config: Config, rows: list[Row]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from unified_train.cli.screen import Output

    console = Output()
    console.print(_files(config), highlight=False, markup=False, soft_wrap=True)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("setting", no_wrap=True)
    table.add_column("value", overflow="fold")
    table.add_column("from", overflow="fold")
    group = ""
    for row in rows:
        *above, name = row.key
        if above and above[-1] != group:
            group = above[-1]
            table.add_row(Text(group, "bold"), "", "")
        style = "dim" if row.origin == "default" else ""
        colour = {"set": "green", "missing": "yellow" if row.origin != "default" else "dim"}
        value = Text(row.value, colour.get(row.value.partition(" ")[0], style) if row.secret else style)
        table.add_row(Text(f"  {name}" if above else name), value, Text(_short_place(row.origin), style))
    console.print(table)


def _files(config: Config) -> str:
    where = places(config.environ, None)
    project = _short(where.project) if where.project else f"none ({PROJECT_FILE} in this folder or above it)"
    user = _short(where.user) + ("" if where.user in config.files else " (not there)")
    lines = [f"project's file  {project}", f"user's file     {user}"]
    if config.profiles:
        lines.append(f"profiles        {', '.join(config.profiles)}")
    return "\n".join(lines)


def _short_place(origin: str) -> str:
    return _short(Path(origin)) if os.path.isabs(origin) else origin  # noqa: PTH117 - it may be no path at all


def _short(path: Path) -> str:
    """A path from here, or from the home folder."""
    for folder, sign in ((Path.cwd(), ""), (Path.home(), "~")):
        if path.is_relative_to(folder):
            return str(Path(sign) / path.relative_to(folder))
    return str(path)
