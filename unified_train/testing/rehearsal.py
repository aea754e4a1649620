"""Flows played by hand, for tests of providers: what they ask is kept, and what they hear is chosen."""

from __future__ import annotations

import json
from collections import defaultdict
from copy import copy
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from unified_train.http import Response
from unified_train.provider import error_class

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from unified_train.flow import Flow
    from unified_train.http import Request
    from unified_train.provider import AnyProvider

T = TypeVar("T")
Answering: TypeAlias = "Callable[[Request], Response | Exception]"
"""Makes the answer to a request, or the error that the flow sees instead."""

VERBS = ("upload", "start", "generate", "poll", "fetch", "cancel", "list_jobs")
"""The operations of a provider."""

_MOST_REQUESTS = 200
"""In one flow; a flow that turns pages for ever is stopped there."""


class Exhausted(Exception):
    """A flow asks for more than there are answers; raised past the flow, which never sees it."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request, and the answer to it or the error that the flow saw instead."""

    request: Request
    heard: Response | Exception

    @property
    def json(self) -> Any:
        """The answer as JSON; None if it is none."""
        return self.heard.json_or_none() if isinstance(self.heard, Response) else None


@dataclass(slots=True)
class Scene:
    """One run of one flow.

    Attributes:
        verb: Name of the provider's method.
        arguments: That it was called with.
        exchanges: In order.
    """

    verb: str
    arguments: tuple[Any, ...]
    exchanges: list[Exchange] = field(default_factory=list)

    def again(self, provider: AnyProvider) -> Flow[Any]:
        """A new flow with the same arguments."""
        flow: Flow[Any] = getattr(provider, self.verb)(*self.arguments)
        return flow


def observed(provider: AnyProvider, scenes: list[Scene]) -> AnyProvider:
    """A twin of a provider that notes a scene for each flow that is asked of it.

    What a flow runs inside itself belongs to its own scene, since the twin's flows are the original's.
    """
    twin = copy(provider)
    for verb in VERBS:
        setattr(twin, verb, partial(_noted, getattr(provider, verb), verb, scenes))
    return twin


def _noted(make: Callable[..., Flow[T]], verb: str, scenes: list[Scene], *arguments: Any) -> Flow[T]:
    scene = Scene(verb, arguments)
    scenes.append(scene)
    flow = make(*arguments)
    try:
        request = next(flow)
        while True:
            try:
                response = yield request
            except Exception as error:  # noqa: BLE001 - every failure is the flow's to see
                scene.exchanges.append(Exchange(request, error))
                request = flow.throw(error)
            else:
                scene.exchanges.append(Exchange(request, response))
                request = flow.send(response)
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        flow.close()


def played(provider: AnyProvider, flow: Flow[T], answering: Answering, asked: list[Request] | None = None) -> T:
    """Run a flow without a network; refusals are raised into it as a client would.

    Args:
        provider: Whose flow it is; says which answers are refusals.
        flow: The flow.
        answering: See `Answering`; if it raises `Exhausted`, the flow ends there.
        asked: Gets the requests.

    Raises:
        Exhausted: There was no answer, or the flow goes on and on.
    """
    step: Callable[[], Request] = partial(next, flow)
    try:
        for _ in range(_MOST_REQUESTS):
            request = step()
            if asked is not None:
                asked.append(request)
            heard = _judged(provider, request, answering(request))
            step = partial(flow.throw, heard) if isinstance(heard, Exception) else partial(flow.send, heard)
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        flow.close()
    raise Exhausted


def _judged(provider: AnyProvider, request: Request, heard: Response | Exception) -> Response | Exception:
    """What the flow gets to see: of a refusal, the error."""
    if isinstance(heard, Exception):
        return heard
    if request.signed:
        return provider.refusal(heard) or heard
    return heard if heard.ok else error_class(heard.status)("no", http_status=heard.status)


def answer(request: Request, value: object, status: int = 200) -> Response:
    """An answer of JSON; bytes stand for themselves."""
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    return Response(request, status, {"content-type": "application/json"}, content)


def in_order(values: Iterable[object]) -> Answering:
    """Answer with one value after the other; a value may be an error that was heard instead."""
    left = iter(values)

    def answering(request: Request) -> Response | Exception:
        for value in left:
            if isinstance(value, Exception):
                return value
            if isinstance(value, Response):
                return Response(request, value.status, value.headers, value.content)
            return answer(request, value)
        raise Exhausted

    return answering


def by_operation(scenes: Sequence[Scene]) -> Answering:
    """Answer each request with what one of the same operation heard; the last one is repeated."""
    pools: defaultdict[str, list[Response]] = defaultdict(list)
    for exchange in (exchange for scene in scenes for exchange in scene.exchanges):
        if isinstance(exchange.heard, Response):
            pools[exchange.request.operation].append(exchange.heard)
    given: defaultdict[str, int] = defaultdict(int)

    def answering(request: Request) -> Response:
        pool = pools[request.operation]
        if not pool:
            raise Exhausted
        heard = pool[min(given[request.operation], len(pool) - 1)]
        given[request.operation] += 1
        return Response(request, heard.status, heard.headers, heard.content)

    return answering


def wire(request: Request) -> tuple[str, str, str]:
    """What goes over the wire, as something to compare."""
    body = request.body.sha256() if request.body else ""
    return request.method, request.url_with_query, body


SPOILS: tuple[object, ...] = (None, -1, 1e300, "", "17", "a/b?c,\x00", [], {}, [None])
"""What may stand where something else is expected."""

ABSENT = object()


@dataclass(frozen=True, slots=True)
class Spoilt:
    """A JSON value that is not what it was, and how, such as `data.0.status left out`."""

    value: Any
    how: str


def spoilt(value: Any) -> Iterator[Spoilt]:
    """A JSON value with every part in turn left out, or with something else in its place."""
    for other in SPOILS:
        yield Spoilt(other, f"the answer is {other!r}")
    for path in paths(value):
        where = ".".join(map(str, path))
        for other in SPOILS:
            yield Spoilt(altered(value, path, other), f"{where} is {other!r}")
        if isinstance(path[-1], str):
            yield Spoilt(altered(value, path, ABSENT), f"{where} is left out")


def paths(value: Any) -> Iterator[tuple[str | int, ...]]:
    """Where its parts are; of a list the first two elements, since further ones are of the same form."""
    items: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value[:2]))
    for key, item in items:
        yield (key,)
        for path in paths(item):
            yield (key, *path)


def altered(value: Any, path: Sequence[str | int], other: object) -> Any:
    """A copy with another part at a place."""
    changed = copy(value)
    key, *rest = path
    if rest:
        changed[key] = altered(changed[key], rest, other)
    elif other is ABSENT:
        del changed[key]
    else:
        changed[key] = other
    return changed
