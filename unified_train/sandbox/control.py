"""The sandbox's own routes: turn the clock, script mishaps, see what arrived."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from unified_train.sandbox.faults import Fault
from unified_train.sandbox.wire import BodyError, json_body, json_value

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request

    from unified_train.sandbox.world import Vendor, World

CONTROL_PREFIX = "/_sandbox"


class Control:
    """Routes under `/_sandbox`; wrong input is answered with 400 and one sentence.

    Args:
        world: what they show and change.
        vendors: by slug.
    """

    def __init__(self, world: World, vendors: Mapping[str, Vendor]) -> None:
        self._world = world
        self._vendors = vendors

    def routes(self) -> list[Route]:
        """The routes, full paths."""
        table: list[tuple[str, str, Callable[[Request], Awaitable[Any]]]] = [
            ("GET", "", self._overview),
            ("POST", "/reset", self._reset),
            ("GET", "/clock", self._clock),
            ("POST", "/clock", self._turn_clock),
            ("GET", "/faults", self._faults),
            ("POST", "/faults", self._add_faults),
            ("DELETE", "/faults", self._clear_faults),
            ("GET", "/requests", self._requests),
            ("GET", "/submissions", self._submissions),
            ("GET", "/switches", self._switches),
            ("POST", "/switches", self._turn_switches),
        ]
        return [Route(CONTROL_PREFIX + tail, _endpoint(answer), methods=[method]) for method, tail, answer in table]

    def reset(self) -> None:
        """Put the whole sandbox back to its beginning."""
        self._world.reset()
        for vendor in self._vendors.values():
            vendor.reset()

    async def _overview(self, _: Request) -> Any:
        prefixes = {name: vendor.prefix for name, vendor in self._vendors.items()}
        return {"base_url": self._world.base_url, "vendors": prefixes, "env": environment(self._vendors)}

    async def _reset(self, _: Request) -> Any:
        self.reset()
        return {"reset": True}

    async def _clock(self, _: Request) -> Any:
        clock = self._world.clock
        return {
            "now": clock.now(),
            "wall": clock.wall(),
            "date": clock.date().isoformat(),
            "speed": clock.speed,
            "skew": clock.skew,
            "frozen": clock.frozen,
        }

    async def _turn_clock(self, request: Request) -> Any:
        changes = _clock_changes(await json_body(request))
        clock = self._world.clock
        if "speed" in changes:
            clock.set_speed(changes["speed"])
        if "skew" in changes:
            clock.skew = changes["skew"]
        if "freeze" in changes:
            (clock.freeze if changes["freeze"] else clock.unfreeze)()
        if "advance" in changes:
            clock.advance(changes["advance"])
        return await self._clock(request)

    async def _faults(self, _: Request) -> Any:
        return [fault.to_json() for fault in self._world.faults.left()]

    async def _add_faults(self, request: Request) -> Any:
        value = await json_value(request)
        # All are read before one is added: a list with a mistake in it changes nothing.
        self._world.faults.add(*[Fault.from_json(item) for item in (value if isinstance(value, list) else [value])])
        return await self._faults(request)

    async def _clear_faults(self, request: Request) -> Any:
        self._world.faults.clear()
        return await self._faults(request)

    async def _requests(self, _: Request) -> Any:
        return [asdict(entry) for entry in self._world.requests]

    async def _submissions(self, _: Request) -> Any:
        return [asdict(submission) for submission in self._world.submissions]

    async def _switches(self, _: Request) -> Any:
        return {name: vendor.switches() for name, vendor in self._vendors.items()}

    async def _turn_switches(self, request: Request) -> Any:
        for slug, wanted in (await json_body(request)).items():
            for name, value in _wanted(wanted, self._vendor(slug)):
                self._turn_switch(slug, name, value)
        return await self._switches(request)

    def _vendor(self, slug: str) -> Vendor:
        if slug not in self._vendors:
            raise BodyError(f"There is no vendor {slug!r}; there are {', '.join(self._vendors)}.")
        return self._vendors[slug]

    def _turn_switch(self, slug: str, name: str, value: object) -> None:
        try:
            self._vendors[slug].set_switch(name, value)
        except (TypeError, ValueError) as error:
            raise BodyError(f"The switch {name} of {slug}: {error}.") from error


def environment(vendors: Mapping[str, Vendor]) -> dict[str, str]:
    """The environment variables that point the clients of all vendors at the sandbox."""
    return {name: value for vendor in vendors.values() for name, value in vendor.env().items()}


def _endpoint(answer: Callable[[Request], Awaitable[Any]]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            return JSONResponse(await answer(request))
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 400)

    return endpoint


def _wanted(wanted: Any, vendor: Vendor) -> list[tuple[str, object]]:
    """The switches to turn, once all of them are known to exist."""
    if not isinstance(wanted, dict):
        raise BodyError(f"The switches of {vendor.name} are an object of names and values.")
    strange = wanted.keys() - vendor.switches().keys()
    if strange:
        raise BodyError(f"{vendor.name} has no switch {', '.join(sorted(strange))}.")
    return list(wanted.items())


def _clock_changes(body: dict[str, Any]) -> dict[str, Any]:
    """The changes, once all of them are known to be right."""
    strange = body.keys() - {"advance", "speed", "freeze", "skew"}
    if strange:
        raise BodyError(f"The clock has no {', '.join(sorted(strange))}; it has advance, speed, freeze and skew.")
    for name, value in body.items():
        if name == "freeze":
            if not isinstance(value, bool):
                raise BodyError("freeze is true or false.")
        elif not _is_number(value) or (name != "skew" and value < 0):
            raise BodyError(f"{name} is a number{'' if name == 'skew' else ', 0 or more'}.")
    return body


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
