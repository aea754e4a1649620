"""Which route a request takes."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.routing import Match

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from starlette.routing import Route
    from starlette.types import ASGIApp, Receive, Scope, Send


class Routes:
    """An application that answers by the first route that fits, as Starlette's router does, without trying them all.

    Args:
        routes: in the order in which they are to be tried.
        default: what answers if none fits.
    """

    def __init__(self, routes: Iterable[Route], default: ASGIApp) -> None:
        found = list(routes)
        self._default = default
        # Nearly every poll has its id in the query, so that its whole path is a key here.
        self._by_path = {path: [one for one in found if one.path_regex.match(path)] for path in _whole(found)}
        self._open = [(one.path.partition("{")[0], one) for one in found if "{" in one.path]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        half: Route | None = None
        for route in self._candidates(scope["path"]):
            match, found = route.matches(scope)
            if match is Match.FULL:
                scope.update(found)
                await _answer(route, scope, receive, send)
                return
            if match is Match.PARTIAL:
                half = half or route
        await (half.handle if half else self._default)(scope, receive, send)  # the path's, which refuses the method

    def _candidates(self, path: str) -> Sequence[Route]:
        known = self._by_path.get(path)
        return [route for start, route in self._open if path.startswith(start)] if known is None else known


def _whole(routes: Iterable[Route]) -> list[str]:
    return [route.path for route in routes if "{" not in route.path]


async def _answer(route: Route, scope: Scope, receive: Receive, send: Send) -> None:
    if inspect.isroutine(route.endpoint):
        # Without the framework's layers around it, which are for exceptions that have handlers; here none has.
        response = await route.endpoint(Request(scope, receive, send))
        await response(scope, receive, send)
    else:
        await route.app(scope, receive, send)
