"""A bare HTTP client of the emulated Scenario, and short ways to what most tests need."""

from __future__ import annotations

import base64
import io
import ssl
from functools import cache
from typing import TYPE_CHECKING, Any, Self

import httpx
from PIL import Image

if TYPE_CHECKING:
    from unified_train.sandbox import Sandbox

AUTH = httpx.BasicAuth("sandbox-key", "sandbox-secret")


@cache
def _tls() -> ssl.SSLContext:
    """One for all clients, since each takes longer to make than the test that it is for."""
    return ssl.create_default_context()


def photo(color: str = "red", *, size: tuple[int, int] = (40, 30), kind: str = "PNG", padding: int = 0) -> bytes:
    """A small picture of one color, with so many bytes after its end."""
    out = io.BytesIO()
    Image.new("RGB", size, color).save(out, kind)
    return out.getvalue() + bytes(padding)


def bare_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def data_url(data: bytes) -> str:
    return f"data:image/png;base64,{bare_base64(data)}"


class Api:
    """Calls with the right key against a sandbox whose clock stands still until it is turned."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.base_url = sandbox.env["SCENARIO_BASE_URL"]
        self.http = httpx.Client(base_url=self.base_url, auth=AUTH, trust_env=False, verify=_tls())
        self.bare = httpx.Client(base_url=self.base_url, trust_env=False, verify=_tls())
        sandbox.world.clock.freeze()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()
        self.bare.close()

    def __call__(self, method: str, path: str, body: Any = None, expect: int = 200, **query: Any) -> Any:
        """The JSON of an answer that must have this status."""
        response = self.http.request(method, path, json=body, params=query)
        assert response.status_code == expect, response.text
        return response.json()

    def turn(self, **switches: object) -> None:
        for name, value in switches.items():
            self.sandbox.switch("scenario", name, value)

    def advance(self, seconds: float) -> None:
        self.sandbox.world.clock.advance(seconds)

    def asset(self, color: str = "red") -> str:
        """An uploaded picture; its id."""
        body = {"name": f"{color}.png", "image": bare_base64(photo(color))}
        return str(self("POST", "/assets", body)["asset"]["id"])

    def model(self, kind: str = "flux.2-dev-lora", *, images: int = 0) -> str:
        """A new model with so many training images; its id."""
        model = str(self("POST", "/models", {"name": "cats", "type": kind})["model"]["id"])
        if images:
            ids = [self.asset() for _ in range(images)]
            self("POST", f"/models/{model}/training-images", {"assetIds": ids})
        return model

    def train(self, model: str, expect: int = 200, **parameters: Any) -> Any:
        return self("PUT", f"/models/{model}/train", {"parameters": parameters}, expect)

    def trained(self, kind: str = "flux.2-dev-lora") -> str:
        """A trained model; its id."""
        model = self.model(kind, images=2)
        self.train(model)
        self.advance(1200)
        return model

    def generate(self, base: str, expect: int = 200, **inputs: Any) -> Any:
        return self("POST", f"/generate/custom/{base}", {"prompt": "a cat", **inputs}, expect)

    def job(self, identifier: str) -> Any:
        return self("GET", f"/jobs/{identifier}")["job"]
