"""The table of what vendors can do, made from what their providers declare."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unified_train.checks import GENERATION_OPTIONS, TRAINING_OPTIONS
from unified_train.image_header import EXTENSIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from unified_train.provider import AnyProvider, Capabilities, Range

YES, NO, UNSAID = "yes", "–", "not said"


def _references(can: Capabilities) -> str:
    rules = can.generation.references
    return NO if rules is None else f"1–{rules.maximum}" if rules.maximum else YES


_FACTS: list[tuple[str, Callable[[Capabilities], str]]] = [
    ("training images", lambda can: "uploaded" if can.images.takes == "bytes" else "public URLs, or an image host"),
    ("image kinds", lambda can: ", ".join(_kinds(can.images.media_types))),
    (
        "images in a training",
        lambda can: f"{can.images.minimum}–{can.images.maximum}" if can.images.maximum else f"≥ {can.images.minimum}",
    ),
    ("bytes per image", lambda can: f"{can.images.max_bytes:,}" if can.images.max_bytes else UNSAID),
    ("trained at", lambda can: f"{can.images.trained_at} pixels" if can.images.trained_at else UNSAID),
    ("trains", lambda can: ", ".join(sorted(can.training.kinds, reverse=True))),
    ("captions", lambda can: _yes(can.training.captions)),
    *[(f"training: {name}", lambda can, name=name: _range(can.training.options, name)) for name in TRAINING_OPTIONS],
    ("training: progress", lambda can: _yes(can.training.progress)),
    ("training: cancel", lambda can: _yes(can.training.cancel)),
    ("training: list", lambda can: _yes(can.training.list)),
    ("pictures in a call", lambda can: str(can.generation.max_per_call)),
    ("prompt characters", lambda can: f"{can.generation.max_prompt:,}" if can.generation.max_prompt else UNSAID),
    *[
        (f"generation: {name}", lambda can, name=name: _range(can.generation.options, name))
        for name in GENERATION_OPTIONS
    ],
    ("generation: from an image", lambda can: _yes(can.generation.image is not None)),
    ("generation: references", _references),
    ("generation: cancel", lambda can: _yes(can.generation.cancel)),
    ("generation: list", lambda can: _yes(can.generation.list)),
    ("weights export", lambda can: _yes(can.export)),
    ("says what it cost", lambda can: _yes(can.cost)),
    ("safety flags", lambda can: _yes(can.safety)),
]


def rows(providers: Sequence[type[AnyProvider]]) -> list[list[str]]:
    """The table, head first: one column per vendor."""
    head = ["", *[provider.title for provider in providers]]
    return [head, *[[name, *[fact(provider.capabilities) for provider in providers]] for name, fact in _FACTS]]


def markdown(providers: Sequence[type[AnyProvider]]) -> str:
    """The table as Markdown."""
    head, *body = rows(providers)
    lines = [_line(head), _line(["---"] * len(head)), *[_line(row) for row in body]]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _yes(can: bool) -> str:
    return YES if can else NO


def _range(options: Mapping[str, Range], name: str) -> str:
    if name not in options:
        return NO
    text = str(options[name])
    return YES if text == "any" else text


def _kinds(media_types: frozenset[str]) -> list[str]:
    return sorted(EXTENSIONS.get(kind, kind) for kind in media_types)
