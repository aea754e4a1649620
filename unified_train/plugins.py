"""Finding providers: by entry point, one at a time, so that a broken or slow plugin harms nobody else."""

from __future__ import annotations

import inspect
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import pluggy

from unified_train import hookspecs
from unified_train.errors import PluginError, ProviderNotFound
from unified_train.installed import entry_points
from unified_train.provider import CONTRACT, Provider

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from importlib.metadata import EntryPoint

    from unified_train.provider import AnyProvider


class Found(NamedTuple):
    """Every provider that could be loaded, and what is wrong with the rest."""

    providers: Sequence[type[AnyProvider]]
    broken: Sequence[PluginError]


def installed() -> list[str]:
    """Slugs of the installed providers, sorted; nothing is imported."""
    return sorted(_by_slug(entry_points(group=hookspecs.GROUP)))


def load(slug: str) -> type[AnyProvider]:
    """Import one provider.

    Raises:
        ProviderNotFound: No plugin has this slug.
        PluginError: It can't be imported, is too old, or two plugins claim the slug.
    """
    points = _by_slug(entry_points(group=hookspecs.GROUP)).get(slug)
    if points is None:
        raise ProviderNotFound(
            f"no provider {slug!r} is installed; there are: {', '.join(installed()) or 'none'}. Install its plugin."
        )
    if len(points) > 1:
        names = " and ".join(sorted(_origin(point) for point in points))
        raise PluginError(f"two plugins claim the slug {slug!r}: {names}; uninstall one of them")
    return _checked(_registered(points[0]), points[0])


def load_all() -> Found:
    """Import every provider; a plugin that fails is reported and skipped."""
    providers: list[type[AnyProvider]] = []
    broken: list[PluginError] = []
    for slug in installed():
        try:
            providers.append(load(slug))
        except PluginError as error:
            broken.append(error)
    return Found(tuple(providers), tuple(broken))


def _by_slug(points: Iterable[EntryPoint]) -> dict[str, list[EntryPoint]]:
    """Entry points by name; one that is seen twice (an editable install beside its metadata) counts once."""
    found: defaultdict[str, dict[str, EntryPoint]] = defaultdict(dict)
    for point in points:
        found[point.name][point.value] = point
    return {slug: list(group.values()) for slug, group in found.items()}


def _origin(point: EntryPoint) -> str:
    distribution = point.dist.name if point.dist else "an unknown distribution"
    return f"{point.value} ({distribution})"


def _registered(point: EntryPoint) -> list[object]:
    """Run the plugin's hook in a manager of its own, so that its failure can't touch another plugin's."""
    manager = pluggy.PluginManager(hookspecs.GROUP)
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(point.load(), name=_origin(point))
        manager.check_pending()
        return [provider for group in manager.hook.unified_train_providers() for provider in group]
    except Exception as error:
        raise PluginError(f"plugin {_origin(point)} can't be loaded: {type(error).__name__}: {error}") from error


def _checked(candidates: Sequence[object], point: EntryPoint) -> type[AnyProvider]:
    named = [item for item in candidates if isinstance(item, type) and getattr(item, "slug", None) == point.name]
    if not named:
        raise PluginError(f"plugin {_origin(point)} registers no provider class with the slug {point.name!r}")
    provider = named[0]
    contract = getattr(provider, "contract", None)
    if contract != CONTRACT:
        raise PluginError(
            f"plugin {_origin(point)} is written for contract {contract} of unified_train, this release has {CONTRACT};"
            f" {'update the plugin' if (contract or 0) < CONTRACT else 'update unified_train'}"
        )
    if not issubclass(provider, Provider):
        raise PluginError(f"plugin {_origin(point)}: {provider.__name__} is no subclass of unified_train.Provider")
    if inspect.isabstract(provider):
        missing = ", ".join(sorted(provider.__abstractmethods__))
        raise PluginError(f"plugin {_origin(point)}: {provider.__name__} lacks {missing}")
    return provider
