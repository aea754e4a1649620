"""Flows played for a plan: what they would send is noted, and only what harms nobody is really sent.

A flow goes on with made-up answers to what was not sent. A provider makes them up (`Provider.rehearsed`); where it does
not, the flow ends there, and the plan says that it is not complete.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypeVar

from unified_train.http import Effect, Request, Response

if TYPE_CHECKING:
    from unified_train.flow import Flow, Workflow
    from unified_train.policy import Conversation

T = TypeVar("T")


class _Unforeseen(BaseException):
    """Nobody knows the answer; passes the flow by, which must not take it for an error of the vendor."""


class Rehearsal:
    """All flows of one planned call.

    Args:
        talk: With the vendor.
        online: Whether reads are really sent, as long as they do not depend on a made-up answer.

    Attributes:
        requests: Noted so far, in their order.
        complete: Whether every flow was played to where nothing more is created, sent or billed.
        made_up: Whether something of the vendor's had to be made up, so that reading it would find nothing.
    """

    def __init__(self, talk: Conversation, *, online: bool) -> None:
        self.requests: list[Request] = []
        self.complete = True
        self.made_up = False
        self._talk = talk
        self._online = online

    def play(self, flow: Flow[T]) -> Workflow[T | None]:
        """What comes of a flow; None if it can't be foreseen.

        Raises:
            UnifiedTrainError: The flow refuses, or a read was refused.
        """
        try:
            return (yield from self._talk.run(flow, self._answered))
        except _Unforeseen:
            # By its contract a provider bills last.
            self.complete &= self.requests[-1].effect is Effect.PAY
            return None

    def fetch(self, request: Request) -> Workflow[Response | None]:
        """The answer to a read that depends on nothing of the vendor's; None if nothing is to be sent.

        Raises:
            UnifiedTrainError: It was refused.
        """
        self.requests.append(request)
        if self._online:
            return (yield from self._talk.send(request))
        self.complete = False
        return None

    def _answered(self, request: Request) -> Workflow[Response]:
        before = tuple(self.requests)
        self.requests.append(request)
        if request.effect is Effect.READ and self._online and not self.made_up:
            return (yield from self._talk.send(request))
        self.made_up = True
        if not request.signed and request.effect is not Effect.READ:
            return _made_up(request, b"")  # storage says nothing but yes
        value = self._talk.provider.rehearsed(request, before) if request.signed else None
        if value is None:
            raise _Unforeseen
        return _made_up(request, json.dumps(value).encode())


def _made_up(request: Request, content: bytes) -> Response:
    return Response(request, 200, {"content-type": "application/json"}, content)
