"""The command `unified-train`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; without its packages, say in one sentence how to get them."""
    try:
        from unified_train.cli.app import cli
    except ModuleNotFoundError as error:
        if error.name not in {"click", "rich"}:
            raise
        sys.exit("The command line needs two more packages: pip install 'unified-train[cli]'")
    cli()
