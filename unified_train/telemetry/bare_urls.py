"""URLs as logs and traces may keep them."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from unified_train import redact


def bare(url: str) -> str:
    """The same URL without user name, query and fragment.

    An event's URL has no signature that we know of; but a query is also where the next vendor will put its own kind of
    secret, and what is written to logs and traces is kept by others, for long.
    """
    return urlunsplit(urlsplit(redact.url(url))._replace(query="", fragment=""))
