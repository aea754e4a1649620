"""Novita's published rates count pictures, from text and from a picture apart."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from helpers import png
from novita_flow import model, provider

from unified_train import GenerationRequest, Request, Response, Snapshot
from unified_train.flow import Sleep
from unified_train.limiter import Limiter
from unified_train.policy import Conversation, Retry
from unified_train_novita.options import NovitaGeneration

if TYPE_CHECKING:
    from unified_train_novita.provider import Novita


class Clock:
    """Stands still until somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Talking:
    """A conversation with the vendor on a clock of its own; notes at what second each request goes out."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.novita: Novita = provider()
        self._conversation = Conversation(self.novita, Retry())
        self._conversation._limiter = Limiter(self.novita.rates, self.clock)
        self.sent: list[tuple[float, str, int]] = []

    def generate(self, **fields: Any) -> Snapshot:
        request = GenerationRequest(**{"prompt": "a fox", **fields})
        workflow = self._conversation.run(self.novita.generate(model(), request, NovitaGeneration()))
        action: Any = next(workflow)
        try:
            while True:
                action = workflow.send(self._done(action))
        except StopIteration as stop:
            snapshot: Snapshot = stop.value
            return snapshot

    def _done(self, action: Request | Sleep) -> Response | None:
        if isinstance(action, Sleep):
            self.clock.now += action.seconds
            return None
        self.sent.append((self.clock.now, action.operation, action.units))
        return Response(action, 200, {}, json.dumps({"task_id": "g1"}).encode())


def test_rates_are_those_that_the_vendor_publishes() -> None:
    """Twenty pictures a minute from text, ten from a picture, and the sandbox says so too."""
    rates = {operation: rate.per_minute for operation, rate in provider().rates.items()}
    assert rates == {"generation.start": 20, "generation.start-from-image": 10}
    facts = pytest.importorskip("unified_train.sandbox.novita.facts", reason="needs the extra 'sandbox'")
    assert facts.IMAGES_PER_MINUTE == {"TXT_TO_IMG": 20, "IMG_TO_IMG": 10}


def test_requests_carry_their_pictures() -> None:
    """A request takes as many units of the rate as it asks for pictures."""
    talking = Talking()
    talking.generate(n=8)
    talking.generate(n=3, image=png())
    assert talking.sent == [(0, "generation.start", 8), (0, "generation.start-from-image", 3)]


def test_client_waits_instead_of_running_into_the_rate() -> None:
    """The picture that would be the twenty-first of a minute waits for the next one."""
    talking = Talking()
    for n in (8, 8, 4, 1, 8):
        talking.generate(n=n)
    assert [second for second, _, _ in talking.sent] == [0, 0, 0, 60, 60]


def test_pictures_from_a_picture_have_a_rate_of_their_own() -> None:
    """Pictures from a picture wait for each other, not for those from text."""
    talking = Talking()
    talking.generate(n=8)
    talking.generate(n=8, image=png())
    talking.generate(n=8)
    assert [second for second, _, _ in talking.sent] == [0, 0, 0]
    talking.generate(n=3, image=png())
    assert talking.sent[-1] == (60, "generation.start-from-image", 3)
