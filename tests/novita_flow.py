"""Conversations with the Novita provider by hand: its requests, and answers as the vendor gives them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import SecretStr

from unified_train import (
    Dataset,
    Flow,
    Image,
    Job,
    Request,
    Response,
    TrainedModel,
    TrainingRequest,
    UploadedImage,
)
from unified_train_novita.provider import Novita
from unified_train_novita.settings import NovitaSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")
UPLOAD_URL = "https://storage.test/b/5b1f.png?X-Amz-Signature=00ff"
PICTURE_URL = "https://storage.test/o/ab12.png?X-Amz-Signature=00ff"
LORA = "model_1767226200_0A1B2C3D4E.safetensors"
SLOT = {
    "assets_id": "5b1f0c9a77de4e3c8a2d90e1f6c3b4aa",
    "upload_url": UPLOAD_URL,
    "method": "PUT",
    "headers": {"Host": {"values": ["storage.test"]}},
}


def provider() -> Novita:
    return Novita(NovitaSettings(api_key=SecretStr("k-SECRET-k")))


def answer(request: Request, body: object = None, status: int = 200) -> Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(request, status, {}, content)


class Talk:
    """A conversation: each answer is a body, or an error to raise; `requests` is what the flow asked."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.requests: list[Request] = []

    def run(self, flow: Flow[T]) -> T:
        try:
            self.requests.append(next(flow))
            while True:
                given = self.answers.pop(0)
                if isinstance(given, Exception):
                    self.requests.append(flow.throw(given))
                else:
                    self.requests.append(flow.send(answer(self.requests[-1], given)))
        except StopIteration as stop:
            assert not self.answers
            result: T = stop.value
            return result

    def body(self, number: int = -1) -> Any:
        sent = self.requests[number].body
        assert sent is not None
        return json.loads(sent.read())


def uploaded(*captions: str | None) -> list[UploadedImage]:
    return [
        UploadedImage(provider="novita", id=f"asset{number}", name=f"{number}.png", caption=caption)
        for number, caption in enumerate(captions or ("utStyle, a cat",))
    ]


def training(images: Sequence[Image | UploadedImage] | None = None, **fields: Any) -> TrainingRequest:
    words = {name: fields.pop(name, None) for name in ("trigger", "class_word")}
    dataset = Dataset.of(tuple(images if images is not None else uploaded()), **words)
    return TrainingRequest(**{"name": "cats", "dataset": dataset, "kind": "style", **fields})


def model(base_model: str | None = "v1-5-pruned-emaonly") -> TrainedModel:
    return TrainedModel(provider="novita", id=LORA, base_model=base_model)


def job(id_: str = "style/t1", kind: str = "training", **fields: Any) -> Job:
    return Job.model_validate({"provider": "novita", "kind": kind, "id": id_, **fields})
