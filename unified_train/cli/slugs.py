"""The names of vendors as arguments, which the shell completes."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem


class Slug(click.types.StringParamType):
    """A vendor, or several with commas between them. Whether it is installed is seen when it is used."""

    name = "slug"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002 - click's signature
        """Those that are installed, at the end of those that are named already."""
        from unified_train import plugins

        before, comma, begun = incomplete.rpartition(",")
        named = before.split(",")
        slugs = [slug for slug in plugins.installed() if slug.startswith(begun) and slug not in named]
        return [CompletionItem(f"{before}{comma}{slug}") for slug in slugs]


SLUG = Slug()
