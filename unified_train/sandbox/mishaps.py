"""How each mishap plays out; what they are is told in `faults.py`."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from unified_train.sandbox.connection import gone, hang_up, reset
from unified_train.sandbox.faults import edited
from unified_train.sandbox.waits import Ending

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from unified_train.sandbox.exchange import Exchange
    from unified_train.sandbox.faults import Fault, Kind

_WITHOUT_BODY = frozenset({204, 304})
_DRIP_EVERY = 0.02  # seconds between two pieces of a body that drips, if it has enough bytes


async def meet(exchange: Exchange, fault: Fault) -> None:
    """Let a mishap happen to a request or to its answer; for `retired` and `expired` the vendor must be asked."""
    if fault.kind in _BEFORE:
        await _BEFORE[fault.kind](exchange, fault)
    else:
        after = _AFTER[fault.kind]
        await exchange.ask_and_hold(lambda body: after(exchange, fault, body))


# The vendor has not seen the request.


async def _delay(exchange: Exchange, fault: Fault) -> None:
    if await exchange.waits.wait(fault.seconds) is Ending.RESET:
        await hang_up(exchange.receive)
    else:
        await exchange.ask()


async def _late(exchange: Exchange, fault: Fault) -> None:
    await hang_up(exchange.receive)
    # The server drops what is sent to a client that has gone, so the vendor may answer as ever.
    if await exchange.waits.wait(fault.seconds) is Ending.TIME:
        await exchange.ask()


async def _status(exchange: Exchange, fault: Fault) -> None:
    await exchange.respond(_scripted(fault))


async def _drop(exchange: Exchange, _: Fault) -> None:
    await hang_up(exchange.receive)


async def _reset(exchange: Exchange, _: Fault) -> None:
    await reset(exchange.receive)


async def _hang(exchange: Exchange, _: Fault) -> None:
    """Say nothing until the client goes, or the sandbox has no more time for it."""
    ends = [asyncio.ensure_future(gone(exchange.receive)), asyncio.ensure_future(exchange.waits.wait(None))]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    for end in ends:
        end.cancel()
    await hang_up(exchange.receive)


# The vendor has answered, and accepted the request if it was good.


async def _delay_after(exchange: Exchange, fault: Fault, body: bytes) -> None:
    if await exchange.waits.wait(fault.seconds) is Ending.RESET:
        await hang_up(exchange.receive)
    else:
        await exchange.begin(body)
        await exchange.part(body)


async def _drip(exchange: Exchange, fault: Fault, body: bytes) -> None:
    await exchange.begin(body)
    pieces = _pieces(body, round(fault.seconds / _DRIP_EVERY))
    for number, piece in enumerate(pieces, 1):
        # Without a body the client has the whole answer by now.
        if piece and await exchange.waits.wait(fault.seconds / len(pieces)) is Ending.RESET:
            await hang_up(exchange.receive)
            return
        await exchange.part(piece, more=number < len(pieces))


async def _status_after(exchange: Exchange, fault: Fault, _: bytes) -> None:
    await _status(exchange, fault)


async def _drop_after(exchange: Exchange, fault: Fault, _: bytes) -> None:
    await _drop(exchange, fault)


async def _reset_after(exchange: Exchange, fault: Fault, _: bytes) -> None:
    await _reset(exchange, fault)


async def _hang_after(exchange: Exchange, fault: Fault, _: bytes) -> None:
    await _hang(exchange, fault)


async def _truncate(exchange: Exchange, _: Fault, body: bytes) -> None:
    await _half(exchange, body)
    await hang_up(exchange.receive, flush=True)


async def _reset_within(exchange: Exchange, _: Fault, body: bytes) -> None:
    await _half(exchange, body)
    await reset(exchange.receive)


async def _half(exchange: Exchange, body: bytes) -> None:
    await exchange.begin(body)
    await exchange.part(body[: len(body) // 2], more=True)


async def _body(exchange: Exchange, fault: Fault, _: bytes) -> None:
    await exchange.respond(Response(_bytes(fault.body), 200, media_type=fault.media_type))


async def _json(exchange: Exchange, fault: Fault, body: bytes) -> None:
    changed = _edited(body, fault)
    await exchange.begin(changed, fault.headers)
    await exchange.part(changed)


_BEFORE: dict[Kind, Callable[[Exchange, Fault], Awaitable[None]]] = {
    "delay": _delay,
    "late": _late,
    "status": _status,
    "drop_before": _drop,
    "reset_before": _reset,
    "hang_before": _hang,
}
_AFTER: dict[Kind, Callable[[Exchange, Fault, bytes], Awaitable[None]]] = {
    "delay_after": _delay_after,
    "drip": _drip,
    "status_after": _status_after,
    "drop_after": _drop_after,
    "reset_after": _reset_after,
    "hang_after": _hang_after,
    "truncate": _truncate,
    "reset": _reset_within,
    "body": _body,
    "json": _json,
}


def _pieces(body: bytes, wanted: int) -> list[bytes]:
    """The body in so many pieces of about the same size, or fewer if it is short, or one."""
    count = max(1, min(len(body), wanted))
    cuts = [len(body) * number // count for number in range(count + 1)]
    return [body[begin:end] for begin, end in pairwise(cuts)]


def _scripted(fault: Fault) -> Response:
    headers = {"content-type": "text/plain; charset=utf-8" if isinstance(fault.body, str) else "application/json"}
    headers |= {name.lower(): value for name, value in fault.headers.items()}
    body = b"" if fault.status in _WITHOUT_BODY else _bytes(fault.body)
    return Response(body, fault.status, headers)


def _bytes(body: Any) -> bytes:
    if body is None:
        return b""
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


def _edited(body: bytes, fault: Fault) -> bytes:
    """The JSON body with the fault's edits; any other body as it is."""
    try:
        value = json.loads(body)
    except ValueError:
        return body
    return json.dumps(edited(value, fault)).encode()
