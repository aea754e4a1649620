"""What the commands that submit something share: which vendor, how it is shown, and how to go on afterwards."""

from __future__ import annotations

import shlex
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

import click
from rich.console import Console
from rich.text import Text

from unified_train import plugins
from unified_train.cli.app import INTERRUPTED
from unified_train.config import environment
from unified_train.errors import ConfigurationError, JournalError
from unified_train.events import RequestFinished

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.status import Status

    from unified_train.client import Client
    from unified_train.config import Config
    from unified_train.events import Event
    from unified_train.provider import AnyProvider


def chosen(config: Config, named: str | None) -> type[AnyProvider]:
    """The vendor that is named, or else the one that is configured.

    Raises:
        ConfigurationError: There is neither, or it is not installed.
    """
    if named is not None:
        return plugins.load(named)
    if config.provider is None:
        raise ConfigurationError(
            f"name a vendor with --provider ({', '.join(plugins.installed())}), or set {environment.PROVIDER}, or"
            ' provider = "…" in unified-train.toml'
        )
    return config.chosen()


def key_of(client: Client, named: str | None) -> str | None:
    """The key of a call: the user's, or a new one, by which the same command can be given again; none without journal.

    Raises:
        JournalError: A key is given, and there is no journal to keep it.
    """
    if client.journal is None and named is not None:
        raise JournalError("--key needs the journal; take journal = false out of the configuration, or leave --key out")
    return named or (uuid4().hex if client.journal is not None else None)


def line(*words: object) -> str:
    """A command to type, with the same profile and configuration as this one."""
    told = click.get_current_context().find_root().params
    options = {"--profile": told.get("profile"), "--config": told.get("config_file")}
    general = [word for name, value in options.items() if value is not None for word in (name, str(value))]
    return shlex.join(["unified-train", *general, *map(str, words)])


class Starting:
    """Shows what happens until there is a job: on a terminal as it goes, elsewhere in one line."""

    def __init__(self) -> None:
        self._status: Status | None = None
        self._text = ""

    def tell(self, event: Event) -> None:
        """An observer for the client."""
        if self._status is not None and isinstance(event, RequestFinished):
            self._status.update(Text(f"{self._text}: {event.operation}"))

    @contextmanager
    def shown(self, text: str, resume: str | None) -> Iterator[None]:
        """Show it while the block runs.

        Args:
            text: What is being done.
            resume: The command that goes on after an interruption.
        """
        console = Console(stderr=True)
        self._text = text
        try:
            if console.is_terminal:
                with console.status(Text(text)) as self._status:
                    yield
            else:
                click.echo(text, err=True)
                yield
        except KeyboardInterrupt:
            click.echo("interrupted; what was sent meanwhile is at the vendor", err=True)
            if resume:
                click.echo(f"To go on from there, without submitting anything twice:\n  {resume}", err=True)
            raise SystemExit(INTERRUPTED) from None
        finally:
            self._status = None
