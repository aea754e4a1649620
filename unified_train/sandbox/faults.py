"""Scripted mishaps: which request meets one, which one, and how often."""

from __future__ import annotations

import copy
import math
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any, Literal, get_args

Kind = Literal[
    "delay",
    "delay_after",
    "late",
    "drip",
    "status",
    "status_after",
    "drop_before",
    "drop_after",
    "reset_before",
    "reset",
    "reset_after",
    "hang_before",
    "hang_after",
    "truncate",
    "body",
    "json",
    "retired",
    "expired",
]
KINDS: tuple[Kind, ...] = get_args(Kind)

_MATCHING = frozenset({"kind", "method", "path", "skip", "times", "every"})
_PARAMETERS: dict[Kind, frozenset[str]] = {
    "delay": frozenset({"seconds"}),
    "delay_after": frozenset({"seconds"}),
    "late": frozenset({"seconds"}),
    "drip": frozenset({"seconds"}),
    "status": frozenset({"status", "body", "headers"}),
    "status_after": frozenset({"status", "body", "headers"}),
    "drop_before": frozenset(),
    "drop_after": frozenset(),
    "reset_before": frozenset(),
    "reset": frozenset(),
    "reset_after": frozenset(),
    "hang_before": frozenset(),
    "hang_after": frozenset(),
    "truncate": frozenset(),
    "body": frozenset({"body", "media_type"}),
    "json": frozenset({"set", "remove", "headers"}),
    "retired": frozenset(),
    "expired": frozenset(),
}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One mishap.

    Attributes:
        kind: what goes wrong. The vendor never sees the request of a `status`, `drop_before`, `reset_before`,
            `hang_before`, `retired` or `expired`; it sees that of a `delay` or `late` after `seconds`, whether or not
            the client still waits; it sees all others at once, and accepts them if they are good.

            `delay`, `delay_after`: the answer comes `seconds` late. `late`: the connection is closed at once. `drip`:
            the head of the answer comes at once, its body in small pieces, the last one after `seconds`. `status`,
            `status_after`: `status`, `body` and `headers` are the answer. `drop_…`: the connection is closed (FIN)
            without an answer; `reset_…`: it is reset (RST) without one; `hang_…`: it stays open without one, until
            the client closes it. `truncate`: head and half of the body, then it is closed; `reset`: then it is reset.
            `body`: 200 with `body` in the place of the vendor's answer. `json`: the vendor's JSON answer, edited by
            `set` and `remove`, with `headers` in the place of its own. `retired`: what the vendor answers to a route
            that it does not have. `expired`: what it answers to credentials that were good once.
        method: the HTTP method it applies to; `*` is any.
        path: a glob on the decoded path; its `*` also stands for slashes.
        skip: how many matching requests pass before it strikes.
        times: how many requests it strikes; None is for ever.
        every: which of those after the skipped ones it strikes: 1 is each, 10 is the 10th, the 20th and so on.
        seconds: real seconds, not simulated ones.
        status: an HTTP status, 200 to 599.
        body: text, or a value that is sent as JSON.
        headers: of the answer.
        media_type: of `body`, for the kind `body`.
        set: dotted paths into the answer, such as `task.status` or `images.0`, and their new values.
        remove: dotted paths that are taken out.

    Raises:
        ValueError: a value is not one of these.
    """

    kind: Kind
    method: str = "*"
    path: str = "*"
    skip: int = 0
    times: int | None = 1
    every: int = 1
    seconds: float = 0.0
    status: int = 500
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = "text/html; charset=utf-8"
    set: Mapping[str, Any] = field(default_factory=dict)
    remove: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"A fault's kind is one of {', '.join(KINDS)}.")
        for name, (right, rule) in _RULES.items():
            if not right(getattr(self, name)):
                raise ValueError(f"A fault's {name} is {rule}.")

    @classmethod
    def from_json(cls, value: Any) -> Fault:
        """The fault that a JSON object describes.

        Raises:
            ValueError: it does not; the message is one sentence.
        """
        if not isinstance(value, dict) or "kind" not in value:
            raise ValueError("A fault is an object with a kind.")
        kind = value["kind"]
        if kind not in KINDS:
            raise ValueError(f"A fault's kind is one of {', '.join(KINDS)}.")
        strange = value.keys() - _MATCHING - _PARAMETERS[kind]
        if strange:
            raise ValueError(f"A fault of kind {kind} has no {', '.join(sorted(strange))}.")
        return cls(**value)

    def to_json(self) -> dict[str, Any]:
        """The JSON object that describes it: what it matches and the parameters of its kind."""
        wanted = _MATCHING | _PARAMETERS[self.kind]
        return {name: getattr(self, name) for name in sorted(wanted)}

    def matches(self, method: str, path: str) -> bool:
        """Whether it is about such a request."""
        return self.method.upper() in {"*", method.upper()} and fnmatchcase(path, self.path)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and _is_number(value)


def _is_headers(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(name, str) and _HEADER_NAME.fullmatch(name) and isinstance(text, str) and _is_plain(text)
        for name, text in value.items()
    )


def _is_plain(value: Any) -> bool:
    return isinstance(value, str) and value.isascii() and value.isprintable()


def _is_paths(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(path, str) for path in value)


_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
# Checked when a fault is made, since a wrong one would otherwise show as a strange answer, much later.
_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "method": (_is_plain, "text"),
    "path": (lambda value: isinstance(value, str), "text"),
    "skip": (_is_count, "a whole number, 0 or more"),
    "times": (lambda value: value is None or (_is_count(value) and value > 0), "a whole number, 1 or more, or null"),
    "every": (lambda value: _is_count(value) and value > 0, "a whole number, 1 or more"),
    "seconds": (_is_number, "a number, 0 or more"),
    "status": (lambda value: _is_count(value) and 200 <= value <= 599, "a number from 200 to 599"),  # noqa: PLR2004
    "headers": (_is_headers, "an object of plain texts"),
    "media_type": (_is_plain, "text"),
    "set": (lambda value: isinstance(value, Mapping), "an object of dotted paths and values"),
    "remove": (_is_paths, "a list of dotted paths"),
}


@dataclass(slots=True)
class _Pending:
    fault: Fault
    passing: int  # matching requests that it lets pass before it strikes next
    times: int | None

    @property
    def left(self) -> Fault:
        between = self.fault.every - 1
        return replace(self.fault, skip=max(0, self.passing - between), times=self.times)


class Faults:
    """The mishaps still to come, in the order they were added; may be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pending: list[_Pending] = []

    def add(self, *faults: Fault) -> None:
        """Script one mishap or more."""
        with self._lock:
            self._pending += [_Pending(fault, fault.skip + fault.every - 1, fault.times) for fault in faults]

    def take(self, method: str, path: str) -> Fault | None:
        """The mishap that this request meets, if any; the oldest wins, and a request meets one at most."""
        with self._lock:
            for pending in self._pending:
                if not pending.fault.matches(method, path):
                    continue
                if pending.passing:
                    pending.passing -= 1
                    continue
                self._strike(pending)
                return pending.fault
        return None

    def left(self) -> list[Fault]:
        """The mishaps still to come, with what is left of their `skip` and `times`."""
        with self._lock:
            return [pending.left for pending in self._pending]

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        with self._lock:
            self._pending.clear()

    def _strike(self, pending: _Pending) -> None:
        pending.passing = pending.fault.every - 1
        if pending.times is None:
            return
        pending.times -= 1
        if not pending.times:
            self._pending.remove(pending)


def edited(value: Any, fault: Fault) -> Any:
    """A copy of a JSON value with the fault's `set` and `remove` carried out.

    A path into nothing is made: an object for a name, one more element for a number beyond a list's end. Taking out
    what is not there changes nothing.
    """
    result = copy.deepcopy(value)
    for path, item in fault.set.items():
        result = _set(result, path.split("."), item)
    for path in fault.remove:
        _remove(result, path.split("."))
    return result


def _set(value: Any, steps: list[str], item: Any) -> Any:
    if not steps:
        return copy.deepcopy(item)
    step, *rest = steps
    if isinstance(value, list) and step.isdecimal():
        number = int(step)
        if number < len(value):
            value[number] = _set(value[number], rest, item)
        else:
            value.append(_set(None, rest, item))
        return value
    changed = value if isinstance(value, dict) else {}
    changed[step] = _set(changed.get(step), rest, item)
    return changed


def _remove(value: Any, steps: list[str]) -> None:
    step, *rest = steps
    if isinstance(value, list) and step.isdecimal() and int(step) < len(value):
        key: Any = int(step)
    elif isinstance(value, dict) and step in value:
        key = step
    else:
        return
    if rest:
        _remove(value[key], rest)
    else:
        del value[key]
