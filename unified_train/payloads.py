"""Requests as a plan shows them: every word of them, no byte of a picture, and no secret."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from unified_train import redact
from unified_train.http import Base64, BytesBody, FileBody, JsonBody
from unified_train.plan import PlannedRequest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from unified_train.http import Body, Request


def shown(request: Request, names: Mapping[str, str]) -> PlannedRequest:
    """A request without bytes and secrets.

    Args:
        request: Unsigned.
        names: Of pictures, by the SHA-256 of their bytes.
    """
    if request.effect is None:
        raise AssertionError("unreachable")
    return PlannedRequest(
        operation=request.operation,
        effect=request.effect,
        method=request.method,
        url=redact.url(request.url_with_query),
        headers=redact.headers(request.headers),
        body=_body(request.body, names),
        signed=request.signed,
    )


def carries_bytes(request: Request) -> bool:
    """Whether a picture leaves with it."""
    body = request.body
    return _has_bytes(body.value) if isinstance(body, JsonBody) else body is not None


def _has_bytes(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_bytes, value.values()))
    return any(map(_has_bytes, value)) if isinstance(value, list | tuple) else isinstance(value, Base64)


def _body(body: Body | None, names: Mapping[str, str]) -> Any:
    if body is None:
        return None
    return redact.payload(_json(body.value, names)) if isinstance(body, JsonBody) else f"<{_bytes(body, names)}>"


def _json(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, Base64):
        return f"<{'data URL' if value.data_url else 'base64'} of {_bytes(value.body, names)}>"
    if isinstance(value, dict):
        return {str(key): _json(item, names) for key, item in value.items()}
    return [_json(item, names) for item in value] if isinstance(value, list | tuple) else value


def _bytes(body: Body, names: Mapping[str, str]) -> str:
    """What bytes they are, for people."""
    known = names.get(body.sha256()) if isinstance(body, BytesBody | FileBody) else None
    return f"{known or f'a part of a file ({body.media_type})'}, {body.size:,} bytes"


def field_of(name: str, value: object, requests: Sequence[PlannedRequest]) -> str | None:
    """Where a value of an option stands in the bodies; of several places the one that is called most like it."""
    places = [path for request in requests for path, leaf in _leaves(request.body) if _same(leaf, value)]
    return max(places, key=lambda path: _likeness(name, path), default=None)


def differing(requests: Sequence[PlannedRequest]) -> list[str]:
    """What is not the same in several requests of one sort: `URL`, and fields of their bodies."""
    first = dict(_leaves(requests[0].body))
    fields: dict[str, None] = {}
    for request in requests[1:]:
        other = dict(_leaves(request.body))
        if request.url != requests[0].url:
            fields["URL"] = None
        fields |= dict.fromkeys(path for path in {**first, **other} if first.get(path) != other.get(path))
    return [path or "body" for path in fields]


def _leaves(value: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, f"{above}.{key}" if above else key)
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from _leaves(item, f"{above}[{position}]")
    else:
        yield above, value


def _same(leaf: object, value: object) -> bool:
    """Whether it is the value, be it as a text."""
    if isinstance(leaf, bool) or leaf is None:
        return False
    if isinstance(value, str) or not isinstance(leaf, str):
        return leaf == value
    try:
        return float(leaf) == value
    except ValueError:
        return False


def _likeness(name: str, path: str) -> float:
    last = path.rpartition(".")[2]
    return SequenceMatcher(None, name.replace("_", ""), last.replace("_", "").lower()).ratio()
