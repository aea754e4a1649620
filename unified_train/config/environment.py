"""The library's own environment variables, and those that look like one that was misspelled."""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import TYPE_CHECKING

from unified_train.errors import PluginError, UnifiedTrainWarning

if TYPE_CHECKING:
    from collections.abc import Mapping

    from unified_train.provider import AnyProvider

PREFIX = "UNIFIED_TRAIN_"
PROVIDER = "UNIFIED_TRAIN_PROVIDER"
"""Slug of the vendor that `Client()` speaks to."""
PROFILE = "UNIFIED_TRAIN_PROFILE"
"""Name of the profile to use."""
CONFIG = "UNIFIED_TRAIN_CONFIG"
"""Path of the file to use in the place of the project's."""
HOME = "UNIFIED_TRAIN_HOME"
"""Folder of the user's file and of the usual journal."""
IMAGE_HOST = "UNIFIED_TRAIN_IMAGE_HOST"
"""URL of the image host."""

_OWN = frozenset({PROVIDER, PROFILE, CONFIG, HOME, IMAGE_HOST})
_NEAR = 0.85


def told(environ: Mapping[str, str], name: str) -> str | None:
    """The value of a variable; a blank one counts as unset."""
    return environ.get(name, "").strip() or None


def variable(slug: str, field: str) -> str:
    """Our name for a field of a vendor's settings."""
    return f"{PREFIX}{slug}_{field}".upper().replace("-", "_")


def variables_of(kind: type[AnyProvider], field: str) -> tuple[str, ...]:
    """All variables that a field is read from, the vendor's own name first."""
    return tuple(dict.fromkeys([*kind.Settings.env.get(field, ()), variable(kind.slug, field)]))


def warn_of_misspelled(environ: Mapping[str, str]) -> None:
    """Warn of variables that nobody reads and that look much like one that is read."""
    strange = tuple(sorted(name for name in environ if name.startswith(PREFIX) and name not in _OWN))
    if not strange:
        return
    from difflib import get_close_matches

    known = _known(strange)
    for name in strange:
        if name in known:
            continue
        near = get_close_matches(name, sorted(known), n=1, cutoff=_NEAR)
        if near:
            message = f"the environment variable {name} is not read; did you mean {near[0]}?"
            warnings.warn(message, UnifiedTrainWarning, stacklevel=2)


@lru_cache(maxsize=8)  # a look at all that is installed takes longer than making a client
def _known(strange: tuple[str, ...]) -> set[str]:
    """All variables of ours; plugins are asked only as far as they must be, since that imports them."""
    from unified_train import plugins
    from unified_train.s3 import VARIABLES

    known = {*_OWN, *(name for names in VARIABLES for name in names if name.startswith(PREFIX))}
    slugs = plugins.installed()
    for few in ([slug for slug in slugs if any(name.startswith(variable(slug, "")) for name in strange)], slugs):
        if known >= set(strange):
            break
        for slug in few:
            known |= _variables(slug)
    return known


def _variables(slug: str) -> set[str]:
    from unified_train import plugins

    try:
        kind = plugins.load(slug)
    except PluginError:
        return set()  # told when it is wanted
    return {name for field in kind.Settings.model_fields for name in variables_of(kind, field)}
