"""The vendors that a command speaks to: those that are named, or else those that there are credentials for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, TypeVar

from unified_train import plugins
from unified_train.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from unified_train.config import Config
    from unified_train.provider import AnyProvider

T = TypeVar("T")
R = TypeVar("R")


def wanted(config: Config, named: Sequence[str]) -> list[type[AnyProvider]]:
    """The vendors that are named; if none is, those that are set up.

    Raises:
        ConfigurationError: One of those named is not installed, or none is set up.
    """
    if named:
        return [plugins.load(slug) for slug in dict.fromkeys(named)]
    found = [kind for kind in plugins.load_all().providers if config.is_set_up(kind) or kind.slug == config.provider]
    if not found:
        raise ConfigurationError("no vendor is set up; `unified-train doctor` tells what each one needs")
    return found


def side_by_side(function: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """The results of a function that waits for the network, in the order of the items."""
    if not items:
        return []
    with ThreadPoolExecutor(len(items), thread_name_prefix="unified-train") as pool:
        return [work.result() for work in [pool.submit(copy_context().run, function, item) for item in items]]
