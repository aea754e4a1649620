"""Ending a TCP connection in the middle of something, for which ASGI has no word."""

from __future__ import annotations

import os
import socket
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import Transport

    from starlette.types import Receive

# To linger for no time at all turns the FIN of a close into an RST.
_NO_LINGER = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)


async def hang_up(receive: Receive, *, flush: bool = False) -> None:
    """Close the connection, as a server does that ends (FIN); `flush` sends what was written before."""
    transport = _transport(receive)
    if flush:
        transport.close()
    else:
        transport.abort()
    await gone(receive)


async def reset(receive: Receive) -> None:
    """Break the connection off, as a middlebox does that has forgotten it (RST).

    What was written before reaches the client if the system has delivered it by now, which it has on loopback unless
    the client is behind with reading.
    """
    transport = _transport(receive)
    connection = transport.get_extra_info("socket")
    if not transport.is_closing():
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()
    await gone(receive)


async def gone(receive: Receive) -> None:
    """Wait until the server knows that the connection is gone; before, it takes a missing answer for a mistake."""
    message = await receive()
    while message["type"] != "http.disconnect":
        message = await receive()


def _transport(receive: Receive) -> Transport:
    # Under uvicorn `receive` is a method of the object that holds the connection.
    transport: Transport = receive.__self__.transport  # type: ignore[attr-defined]
    return transport
