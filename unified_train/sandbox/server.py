"""One local server for all vendors, in a thread of its own."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Self

import uvicorn

from unified_train.sandbox.app import VENDORS, App
from unified_train.sandbox.clock import DEFAULT_SPEED
from unified_train.sandbox.control import environment
from unified_train.sandbox.protocol import Protocol
from unified_train.sandbox.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from unified_train.sandbox.world import Vendor

_IDLE_SECONDS = 75  # longer than a client waits between two polls: it must not write into a closing connection
_STOP_SECONDS = 2  # for requests under way when the sandbox is closed


class Sandbox:
    """Local servers that speak the vendors' wire protocols, all on one port; listening once it is made.

    Use it in a `with` block, or call `close`. It listens on loopback only, unless told another host: whoever reaches
    the port can use and steer it.

    Args:
        speed: simulated seconds in a real one.
        host: the address to listen on.
        port: the port to listen on; 0 is any that is free.
        vendors: what makes each vendor.

    Raises:
        OSError: the address is taken, or not of this machine.
        ValueError: the speed is negative or not finite.
    """

    def __init__(
        self,
        *,
        speed: float = DEFAULT_SPEED,
        host: str = "127.0.0.1",
        port: int = 0,
        vendors: Sequence[Callable[[World], Vendor]] = VENDORS,
    ) -> None:
        listener = _listener(host, port)
        try:
            self.world = World.at(_url(listener), speed=speed)
            self._app = App(self.world, vendors)
        except BaseException:
            listener.close()
            raise
        self._lock = threading.Lock()  # the server must not stop while work waits for its thread
        self._server = _Server(self._app)
        self._thread = threading.Thread(target=self._server.serve_on, args=(listener,), name="sandbox", daemon=True)
        self._thread.start()
        self._server.ready.wait()

    @property
    def base_url(self) -> str:
        """Where it listens, such as `http://127.0.0.1:54321`."""
        return self.world.base_url

    @property
    def env(self) -> dict[str, str]:
        """The environment variables that point the clients of all vendors at it, credentials included."""
        return environment(self._app.vendors)

    @property
    def vendors(self) -> dict[str, Vendor]:
        """The emulated vendors, by slug."""
        return dict(self._app.vendors)

    def reset(self) -> None:
        """Forget everything: jobs, objects, mishaps, switches; the clock starts again at 0."""
        with self._lock:
            self._server.in_loop(self._app.control.reset)

    def switch(self, vendor: str, name: str, value: object) -> None:
        """Turn one behaviour of a vendor.

        Raises:
            KeyError: there is no such vendor, or it has no such switch.
            ValueError: the switch does not take this value.
        """
        with self._lock:
            self._server.in_loop(lambda: self._app.vendors[vendor].set_switch(name, value))

    def close(self) -> None:
        """Stop listening and wait for the end of the thread; requests under way get two seconds. Twice is once."""
        with self._lock:
            if self._thread.is_alive():
                self._server.stop()
                self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Server(uvicorn.Server):
    """The server, its loop, and the news that it listens."""

    def __init__(self, app: App) -> None:
        super().__init__(
            uvicorn.Config(
                app.gate,
                http=Protocol,
                proxy_headers=False,
                ws="none",
                loop="asyncio",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                date_header=False,  # the gate's tells the sandbox's time
                timeout_keep_alive=_IDLE_SECONDS,
                timeout_graceful_shutdown=_STOP_SECONDS,
            )
        )
        # Its lines show signed URLs, and without a handler of its own it would still write to one added later.
        logging.getLogger("uvicorn.access").setLevel(logging.CRITICAL)
        self.ready = threading.Event()
        self._gate = app.gate
        self._loop: asyncio.AbstractEventLoop | None = None

    def serve_on(self, listener: socket.socket) -> None:
        """Serve until stopped."""
        with listener, asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            try:
                runner.run(self.serve(sockets=[listener]))
            finally:
                self._loop = None
                self.ready.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        # Whoever is still connected did not finish in time.
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)  # the loop closes the aborted connections in its next round

    def in_loop(self, work: Callable[[], None]) -> None:
        """Do it in the server's thread, or here once it stopped: what vendors keep has no locks."""
        loop, done = self._loop, Future[None]()
        if loop is None:
            work()
            return
        loop.call_soon_threadsafe(_settle, done, work)
        done.result()

    def stop(self) -> None:
        """Let it end."""
        self.in_loop(self._gate.close)
        self.should_exit = True


def _settle(done: Future[None], work: Callable[[], None]) -> None:
    try:
        work()
    except BaseException as error:  # noqa: BLE001  # it is raised where it is waited for
        done.set_exception(error)
    else:
        done.set_result(None)


def _listener(host: str, port: int) -> socket.socket:
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    # With the protocol given, asyncio turns Nagle's algorithm off; without it every call takes some 45 ms longer.
    listener = socket.socket(family, kind, socket.IPPROTO_TCP)
    try:
        # A port can be taken again at once; on Windows the same option would let two servers share one.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, os.name == "posix")
        listener.bind(address)
        listener.listen()  # here, so that a port in use shows as an error of the caller
    except OSError:
        listener.close()
        raise
    return listener


def _url(listener: socket.socket) -> str:
    """A URL that reaches the listener from this machine."""
    address, port = listener.getsockname()[:2]
    host = str({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address))  # noqa: S104  # compared, not listened on
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
