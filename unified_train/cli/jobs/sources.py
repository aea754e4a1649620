"""What the commands work with: the journal that is meant, and vendors as they are configured."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from unified_train.errors import ConfigurationError
from unified_train.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from unified_train.client import Client
    from unified_train.events import Observer
    from unified_train.provider import AnyProvider


def journal_at(path: Path | None) -> Journal:
    """The journal at a path, or the configured one; nothing is made where there is none: that one is then empty.

    Raises:
        ConfigurationError: There is none at the path.
    """
    from unified_train.config import Config

    journal = Journal(path) if path else Config.load().usual_journal()
    if journal is not None and os.path.lexists(journal.path):
        return journal
    if path is not None:
        raise ConfigurationError(f"{path}: there is no journal; leave --journal out for the usual one")
    return Journal(":memory:")


def vendor(slug: str) -> AnyProvider:
    """A vendor, with what environment and configuration say.

    Raises:
        ConfigurationError: It is not installed, or a credential is missing; the message names the vendor.
    """
    from unified_train import plugins
    from unified_train.config import Config

    kind = plugins.load(slug)
    try:
        return kind(Config.load().settings(kind))
    except ConfigurationError as error:
        raise type(error)(f"{kind.title}: {error}") from None


def client_of(vendors: Sequence[AnyProvider], journal: Journal, observer: Observer | None = None) -> Client:
    """A client of these vendors that keeps this journal."""
    from unified_train import client

    return client.Client(*vendors, journal=journal, observer=observer)
