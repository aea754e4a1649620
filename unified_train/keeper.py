"""Leases that are kept while their owners wait for something slow: an upload, an answer, a disk."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from unified_train.errors import JournalError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class LeaseLost(Exception):
    """The intent is no longer ours: the lease ran out, and somebody else may be at work on it."""


class Keeper:
    """Prolongs leases from a thread of its own, which lives only as long as there are any.

    Whoever waits for one long request can't do that itself. The thread sleeps when the process does, so that a lease
    runs out all the same while a lid is closed.

    Args:
        renew: Prolongs the lease of a key and an owner.
        pause: Seconds between renewals.
    """

    def __init__(self, renew: Callable[[str, str], object], pause: float) -> None:
        self._renew = renew
        self._pause = pause
        self._kept: set[tuple[str, str]] = set()
        self._changed = threading.Condition()
        self._at_work = False
        self._process = 0

    @contextmanager
    def keeping(self, key: str, owner: str) -> Iterator[None]:
        """Prolong a lease again and again; one that was lost meanwhile is left to its owner to find out."""
        lease = key, owner
        self._begin(lease)
        try:
            yield
        finally:
            with self._changed:
                self._kept.discard(lease)
                self._changed.notify_all()

    def _begin(self, lease: tuple[str, str]) -> None:
        with self._changed:
            if self._process != os.getpid():  # in a child neither the thread nor its parent's leases are ours
                self._process, self._at_work = os.getpid(), False
                self._kept.clear()
            self._kept.add(lease)
            if not self._at_work:
                with suppress(RuntimeError):  # no more threads: leases are then renewed between requests only
                    threading.Thread(target=self._work, name="unified-train-leases", daemon=True).start()
                    self._at_work = True

    def _work(self) -> None:
        while True:
            with self._changed:
                if self._changed.wait_for(lambda: not self._kept, self._pause):
                    self._at_work = False
                    return
                kept = tuple(self._kept)
            for lease in kept:
                self._prolong(lease)

    def _prolong(self, lease: tuple[str, str]) -> None:
        try:
            self._renew(*lease)
        except LeaseLost:
            with self._changed:
                self._kept.discard(lease)
        except JournalError:
            return  # a disk that is full may have room in time; if not, the lease runs out
