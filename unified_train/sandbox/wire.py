"""Small helpers around HTTP requests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Receive


class BodyError(ValueError):
    """A request's body is not the JSON it has to be; the message is one sentence."""


async def json_value(request: Request) -> Any:
    """The JSON value in a request's body.

    Raises:
        BodyError: the body is not JSON.
    """
    try:
        return json.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise BodyError("The body is not JSON.") from error


async def json_body(request: Request) -> dict[str, Any]:
    """The JSON object in a request's body.

    Raises:
        BodyError: the body is not JSON, or JSON but not an object.
    """
    value = await json_value(request)
    if not isinstance(value, dict):
        raise BodyError("The body is not a JSON object.")
    return value


async def read_body(receive: Receive) -> bytes | None:
    """The whole body of an ASGI request; None if the client hung up before its end."""
    parts = []
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)
