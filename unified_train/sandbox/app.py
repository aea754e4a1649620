"""The ASGI application: the vendors, the object store and the control routes on one port."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from unified_train.sandbox.alibaba import AlibabaSandbox
from unified_train.sandbox.control import Control
from unified_train.sandbox.gate import Gate
from unified_train.sandbox.novita import NovitaSandbox
from unified_train.sandbox.routing import Routes
from unified_train.sandbox.scenario import ScenarioSandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.types import Receive, Scope, Send

    from unified_train.sandbox.world import Vendor, World

VENDORS: tuple[Callable[[World], Vendor], ...] = (ScenarioSandbox, AlibabaSandbox, NovitaSandbox)


class App:
    """The application and the parts of it that its server needs.

    Args:
        world: what the vendors share.
        makers: what makes each vendor from the world.

    Attributes:
        vendors: by slug.
        control: the routes under `/_sandbox`.
        gate: the application itself, for the server to call.
    """

    def __init__(self, world: World, makers: Sequence[Callable[[World], Vendor]] = VENDORS) -> None:
        self.vendors: dict[str, Vendor] = {vendor.name: vendor for vendor in [make(world) for make in makers]}
        self.control = Control(world, self.vendors)
        routes = [*self.control.routes(), *world.objects.routes()]
        for vendor in self.vendors.values():
            routes += [*vendor.routes(), *_unknown_routes(vendor)]
        self.gate = Gate(Routes(routes, default=_nothing), world, self.vendors.values())


def _unknown_routes(vendor: Vendor) -> list[Route]:
    # As ASGI applications, since those are routed for every method: a known path with a wrong one ends here, too.
    endpoint = _Unknown(vendor)
    return [Route(vendor.prefix, endpoint), Route(f"{vendor.prefix}/{{rest:path}}", endpoint)]


class _Unknown:
    def __init__(self, vendor: Vendor) -> None:
        self._vendor = vendor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._vendor.unknown_route(Request(scope, receive))(scope, receive, send)


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    await JSONResponse({"error": "There is nothing here."}, 404)(scope, receive, send)
