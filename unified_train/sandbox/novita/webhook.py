"""Telling a receiver that a generation has ended (Novita dossier 6)."""

from __future__ import annotations

import asyncio
import json
import logging
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_log = logging.getLogger(__name__)

_LOOK_EVERY = 0.01
_ANSWER_WITHIN = 5.0
_RETRIES = 5
_PAUSE = 0.05  # the vendor does not say how long it waits between tries


class Webhooks:
    """One background task per generation that asked for a report; a reset silences those under way."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._life = 0

    def reset(self) -> None:
        """Report nothing that was asked for before."""
        self._life += 1

    def report(self, url: str, ended: Callable[[], bool], payload: Callable[[], Awaitable[dict[str, Any]]]) -> None:
        """Once `ended()` is true, post the payload: once, and again up to five times if it is not taken."""
        task = asyncio.create_task(self._report(url, ended, payload, self._life))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _report(
        self, url: str, ended: Callable[[], bool], payload: Callable[[], Awaitable[dict[str, Any]]], life: int
    ) -> None:
        while not ended():
            await asyncio.sleep(_LOOK_EVERY)
            if life != self._life:
                return
        event = {"event_type": "ASYNC_TASK_RESULT", "payload": await payload()}
        for _ in range(1 + _RETRIES):
            if life != self._life or await asyncio.to_thread(_taken, url, json.dumps(event).encode()):
                return
            await asyncio.sleep(_PAUSE)
        _log.warning("a webhook was not taken after %d retries", _RETRIES)


def _taken(url: str, body: bytes) -> bool:
    """Whether the receiver answered 2xx in time; receivers of a sandbox are local, so no proxy is asked."""
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method="POST")  # noqa: S310 - http(s) was checked when it was accepted
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_ANSWER_WITHIN):
            return True
    except urllib.error.HTTPError as refused:
        refused.close()
        return False
    except (OSError, HTTPException, ValueError):
        return False
