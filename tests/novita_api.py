"""A bare HTTP client of the emulated Novita, and requests that it takes; tests change one thing at a time."""

from __future__ import annotations

import ssl
from functools import cache
from typing import TYPE_CHECKING, Any, Self

import httpx
from helpers import png

if TYPE_CHECKING:
    from collections.abc import Mapping

    from unified_train.sandbox import Sandbox

KEY = {"Authorization": "Bearer sandbox-novita-key"}
BASE = "v1-5-pruned-emaonly"
CHECKPOINT = "v1-5-pruned-emaonly.safetensors"
DONE = 1200.0
MADE = 20.0


@cache
def _tls() -> ssl.SSLContext:
    """One for all clients, since each takes longer to make than the test that it is for."""
    return ssl.create_default_context()


class Api:
    """Calls with the right key against a sandbox whose clock stands still until it is turned."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.http = httpx.Client(base_url=sandbox.base_url, headers=KEY, verify=_tls())
        self.bare = httpx.Client(verify=_tls())
        sandbox.world.clock.freeze()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()
        self.bare.close()

    def advance(self, seconds: float) -> None:
        self.sandbox.world.clock.advance(seconds)

    def switch(self, **positions: object) -> None:
        for name, value in positions.items():
            self.sandbox.switch("novita", name, value)

    def get(self, path: str, **query: str) -> Any:
        return self._taken(
            self.http.get(path, params={name.replace("__", "."): value for name, value in query.items()})
        )

    def post(self, path: str, body: object) -> Any:
        return self._taken(self.http.post(path, json=body))

    def refused(self, path: str, body: object) -> tuple[int, str, str]:
        """Status, reason and message of a POST that must be refused, in the vendor's shape."""
        answer = self.http.post(path, json=body)
        told = answer.json()
        assert told["code"] == answer.status_code
        assert set(told) == {"code", "reason", "message", "metadata"}
        return answer.status_code, told["reason"], told["message"]

    @staticmethod
    def _taken(answer: httpx.Response) -> Any:
        assert answer.status_code == 200, answer.text
        return answer.json()

    def upload(self, data: bytes | None = None) -> Any:
        """A new asset with bytes in it; its id."""
        slot = self.post("/v3/assets/training_dataset", {"file_extension": "png"})
        put = self.bare.put(slot["upload_url"], content=png() if data is None else data)
        assert (put.status_code, put.content) == (200, b"")
        return slot["assets_id"]

    def train(self, kind: str = "style", **changes: Any) -> str:
        """The id of an accepted training."""
        return str(self.post(f"/v3/training/{kind}", training_body(self.upload(), kind, **changes))["task_id"])

    def trained(self, kind: str = "style", **changes: Any) -> str:
        """The name of a model that serves."""
        task_id = self.train(kind, **changes)
        self.advance(DONE)
        return str(self.state(task_id, kind)["models"][0]["model_name"])

    def state(self, task_id: str, kind: str = "style") -> Any:
        return self.get(f"/v3/training/{kind}", task_id=task_id)

    def result(self, task_id: str) -> Any:
        return self.get("/v3/async/task-result", task_id=task_id)

    def generate(self, extra: Mapping[str, Any] | None = None, **changes: Any) -> str:
        """The id of an accepted txt2img."""
        return str(self.post("/v3/async/txt2img", generation_body(extra, **changes))["task_id"])

    def pictures(self, task_id: str) -> list[httpx.Response]:
        return [self.bare.get(image["image_url"]) for image in self.result(task_id)["images"]]


def training_body(asset: object, kind: str = "style", **changes: Any) -> dict[str, Any]:
    expert: dict[str, Any] = {"max_train_steps": 100, "learning_rate": 0.0001, "seed": 42, "lr_scheduler": "constant"}
    if kind == "subject":
        expert |= {"instance_prompt": "a close photo of ohwx woman", "class_prompt": "person", "lora_r": 8}
    component = {"name": "resize", "args": [{"name": "width", "value": "512"}, {"name": "height", "value": "512"}]}
    body = {
        "name": "my-training",
        "base_model": BASE,
        "width": 512,
        "height": 512,
        "image_dataset_items": [{"assets_id": asset, "caption": "utStyle, a cat"}],
        "expert_setting": expert,
        "components": [component],
    }
    return body | changes


def generation_body(extra: Mapping[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    request = {
        "model_name": CHECKPOINT,
        "prompt": "utStyle, a fox",
        "width": 128,
        "height": 128,
        "image_num": 1,
        "steps": 20,
        "guidance_scale": 7.5,
        "sampler_name": "Euler a",
        "seed": 7,
    }
    return {"extra": dict(extra or {}), "request": request | changes}
