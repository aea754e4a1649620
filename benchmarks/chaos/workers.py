"""Workers as seen from outside: started, watched, woken and killed through their nursery."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, Self

if TYPE_CHECKING:
    from benchmarks.chaos.orders import Orders

_ROOT = Path(__file__).parents[2]
_LONGEST = 90.0
"""Seconds after which a worker that says nothing is a fault of the machine itself."""


class Workers:
    """A nursery and the workers from it; for one thread."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "benchmarks.chaos.nursery"]
        self._process = subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._out, selectors.EVENT_READ)
        self._unread = b""
        self._news: deque[dict[str, Any]] = deque()

    def start(self, orders: Orders) -> int:
        """Let a worker be born, and return its process id."""
        self._send(orders=orders.model_dump(mode="json"))
        return int(self._next(lambda news: news["event"] == "born")["pid"])

    def signal(self, pid: int, name: Literal["SIGKILL", "SIGCONT"]) -> None:
        """Send a signal to a worker, unless it has ended."""
        self._send(pid=pid, signal=name)

    def wait(self, pid: int, *, seconds: float = _LONGEST) -> int | None:
        """The exit code of a worker, negative for the signal that killed it; None if it has stopped."""
        news = self._next(lambda news: news["pid"] == pid, seconds=seconds)
        return news["code"] if news["event"] == "ended" else None

    def over(self, pid: int, seconds: float) -> bool:
        """Wait so many seconds, and tell whether a worker has ended or stopped by then; `wait` tells which."""
        until = time.monotonic() + seconds
        while not any(news["pid"] == pid for news in self._news):
            left = until - time.monotonic()
            if left <= 0:
                return False
            self._read(left)
        return True

    def close(self) -> None:
        """End the nursery, and every worker with it."""
        self._selector.close()
        self._in.close()
        self._process.wait()
        self._out.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _in(self) -> IO[bytes]:
        assert self._process.stdin is not None  # noqa: S101 - it was asked for
        return self._process.stdin

    @property
    def _out(self) -> IO[bytes]:
        assert self._process.stdout is not None  # noqa: S101 - same
        return self._process.stdout

    def _send(self, **command: Any) -> None:
        self._in.write(json.dumps(command).encode() + b"\n")
        self._in.flush()

    def _next(self, wanted: Any, *, seconds: float = _LONGEST) -> dict[str, Any]:
        until = time.monotonic() + seconds
        while True:
            for news in self._news:
                if wanted(news):
                    self._news.remove(news)
                    return news
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"no news of the worker for {seconds:g} seconds")
            self._read(left)

    def _read(self, seconds: float) -> None:
        if not self._selector.select(seconds):
            return
        read = os.read(self._out.fileno(), 65536)
        if not read:
            raise RuntimeError("the nursery has ended")
        *lines, self._unread = (self._unread + read).split(b"\n")
        self._news.extend(json.loads(line) for line in lines)
