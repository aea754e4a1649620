"""The one hook: a plugin names its provider classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unified_train.provider import AnyProvider

GROUP = "unified_train"
"""Name of the entry-point group and of the pluggy project."""

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


@hookspec
def unified_train_providers() -> Sequence[type[AnyProvider]]:
    """Return the provider classes of this plugin; import them inside, so that registering costs nothing.

    The entry point that leads to the plugin bears the slug of the class:
    `[project.entry-points.unified_train]` `novita = "unified_train_novita"`.
    """
    raise AssertionError("unreachable")
