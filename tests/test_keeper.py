"""Leases that are kept from a thread, for as long as their owners work."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from unified_train import JournalError
from unified_train.keeper import Keeper, LeaseLost


class Renewals:
    """Notes what is renewed; raises what it is told to."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []
        self.errors: list[Exception] = []

    def __call__(self, key: str, owner: str) -> None:
        self.seen.append((key, owner))
        if self.errors:
            raise self.errors.pop(0)


def until(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def threads() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "unified-train-leases"]


@pytest.fixture
def renewals() -> Renewals:
    return Renewals()


def test_leases_are_renewed_until_their_owners_are_done(renewals: Renewals) -> None:
    """Each of several is renewed again and again by one thread, which ends with the last of them."""
    keeper = Keeper(renewals, 0.005)
    with keeper.keeping("k", "me"):
        with keeper.keeping("l", "me"):
            until(lambda: renewals.seen.count(("l", "me")) > 1)
            assert len(threads()) == 1
        until(lambda: renewals.seen[-2:] == [("k", "me")] * 2)
    until(lambda: not threads())
    count = len(renewals.seen)
    time.sleep(0.02)
    assert len(renewals.seen) == count
    with keeper.keeping("k", "you"):
        until(lambda: renewals.seen[-1] == ("k", "you"))


def test_a_lost_lease_is_let_go(renewals: Renewals) -> None:
    """What has run out is not renewed any more, since it may be another's by now."""
    renewals.errors = [LeaseLost("k")]
    with Keeper(renewals, 0.005).keeping("k", "me"):
        until(lambda: not threads())
    assert renewals.seen == [("k", "me")]


def test_a_journal_that_fails_is_tried_again(renewals: Renewals) -> None:
    """A disk that is full for a moment is no reason to give up a lease."""
    renewals.errors = [JournalError("full"), JournalError("full")]
    with Keeper(renewals, 0.005).keeping("k", "me"):
        until(lambda: len(renewals.seen) > 2)


def test_work_goes_on_without_threads(renewals: Renewals, monkeypatch: Any) -> None:
    """Where no thread can be had, nothing is renewed here and nothing fails; with threads again it is."""
    keeper = Keeper(renewals, 0.005)

    def none(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", none)
        with keeper.keeping("k", "me"):
            pass
    assert renewals.seen == []
    with keeper.keeping("k", "me"):
        until(lambda: bool(renewals.seen))


def test_a_child_keeps_its_own_leases_only(renewals: Renewals, monkeypatch: Any) -> None:
    """After a fork the parent's leases are left to the parent."""
    keeper = Keeper(renewals, 0.02)
    with keeper.keeping("parent", "me"):
        monkeypatch.setattr(os, "getpid", lambda: -1)
        with keeper.keeping("child", "me"):
            until(lambda: ("child", "me") in renewals.seen)
            seen = len(renewals.seen)
            until(lambda: len(renewals.seen) > seen + 2)
            assert ("parent", "me") not in renewals.seen[seen:]
