"""The process that workers are born from: it has imported everything once, runs no threads, and forks.

Commands come as JSON lines on the standard input, news of the workers go out the same way, such as
`{"pid": 7, "event": "born"}`. It must be the one to signal workers: only their parent knows that an id is still theirs.
"""

from __future__ import annotations

import gc
import json
import os
import random
import selectors
import signal
import traceback
from typing import Any

from benchmarks.chaos.orders import Orders

_STDIN, _STDOUT = 0, 1


class Nursery:
    """Forks workers on command."""

    def __init__(self) -> None:
        self._alive: set[int] = set()
        self._wake_read, self._wake_write = os.pipe()
        self._unread = b""

    def run(self) -> None:
        """Serve until the standard input ends; whoever is left then is killed."""
        for fd in (self._wake_read, self._wake_write):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        selector = selectors.DefaultSelector()
        selector.register(_STDIN, selectors.EVENT_READ)
        selector.register(self._wake_read, selectors.EVENT_READ)
        commanded = True
        while commanded:
            for key, _ in selector.select():
                if key.fd == _STDIN:
                    commanded = self._commanded()
                else:
                    os.read(self._wake_read, 4096)
            self._look()
        for pid in self._alive:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def _commanded(self) -> bool:
        read = os.read(_STDIN, 65536)
        *lines, self._unread = (self._unread + read).split(b"\n")
        for line in lines:
            command = json.loads(line)
            if "orders" in command:
                self._bear(Orders.model_validate(command["orders"]))
            elif command["pid"] in self._alive:
                os.kill(command["pid"], signal.Signals[command["signal"]])
        return bool(read)

    def _bear(self, orders: Orders) -> None:
        pid = os.fork()
        if pid == 0:
            self._live(orders)
        self._alive.add(pid)
        _tell(pid=pid, event="born")

    def _live(self, orders: Orders) -> None:
        from benchmarks.chaos.worker import work

        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            nothing = os.open(os.devnull, os.O_RDWR)
            os.dup2(nothing, _STDIN)
            os.dup2(nothing, _STDOUT)
            random.seed()
            work(orders)
        except BaseException:  # noqa: BLE001 - it must not run on as a second nursery
            traceback.print_exc()
            os._exit(1)
        os._exit(0)

    def _look(self) -> None:
        """Tell who has stopped or ended."""
        while self._alive:
            pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
            if pid == 0:
                return
            if os.WIFSTOPPED(status):
                _tell(pid=pid, event="stopped")
                continue
            self._alive.discard(pid)
            _tell(pid=pid, event="ended", code=os.waitstatus_to_exitcode(status))


def _tell(**news: Any) -> None:
    os.write(_STDOUT, json.dumps(news).encode() + b"\n")


def _warm_up() -> None:
    """Load what a worker needs, down to what is loaded late: at the first request, or in the first event loop."""
    import encodings.idna  # noqa: F401 - of addresses

    import anyio

    from benchmarks.chaos.vendors import VENDORS
    from benchmarks.chaos.worker import kind_of, transport
    from unified_train import Client

    for vendor in VENDORS:
        kind_of(vendor)
    transport().close()
    Client("novita", settings={"novita": {"api_key": "none"}}, journal=None).close()
    anyio.run(anyio.sleep, 0)
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    _warm_up()
    Nursery().run()
