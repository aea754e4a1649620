"""Whether an option that is declared is used, and whether one that is used is declared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unified_train.errors import ConfigurationError, DatasetError
from unified_train.models import Snapshot
from unified_train.testing.journey import check
from unified_train.testing.rehearsal import Exhausted, by_operation, played, wire

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from unified_train.http import Request
    from unified_train.provider import AnyProvider, Range
    from unified_train.testing.journey import Journey

_USUAL: Mapping[str, object] = {
    "base_model": "another-base-model",
    "steps": 300,
    "learning_rate": 2e-4,
    "rank": 16,
    "resolution": 768,
    "seed": 7,
    "negative_prompt": "rain",
    "width": 768,
    "height": 768,
    "guidance": 5.0,
    "strength": 0.4,
}
_WHOLE = frozenset({"steps", "rank", "resolution", "seed", "width", "height"})


def check_option(journey: Journey, verb: str, name: str, declared: Mapping[str, Range]) -> None:
    """Fail unless an option makes a difference exactly if it is declared."""
    more: dict[str, object] = {}
    if name == "strength" and journey.provider.capabilities.generation.image is not None:
        more["image"] = journey.picture
    values = _values(journey.provider, name, declared.get(name))
    changed = [changes(journey, verb, {name: value}, more) for value in values]
    outcome = told(changed=any(changed))
    if name in declared:
        check(values and any(changed), f"{name} is declared, but with {values} {outcome}")
    else:
        check(not any(changed), f"{name} is not declared, but with {values} {outcome}")


def told(*, changed: bool) -> str:
    """In words for messages."""
    return "what is sent changes" if changed else "what is sent stays the same"


def _values(provider: AnyProvider, name: str, span: Range | None) -> Sequence[object]:
    """Two values of an option that the declared range admits, lest one of them is what the vendor does anyway."""
    if name == "base_model":
        return list(provider.capabilities.training.base_models[-2:]) or [_USUAL[name]]
    usual: Any = _USUAL[name]
    if span is None or isinstance(usual, str):
        return [usual]
    low = span.minimum if span.minimum is not None else usual
    high = span.maximum if span.maximum is not None else low + 100 * (span.step or 1)
    step = span.step or (1 if name in _WHOLE else 0)
    candidates = [usual, low + (high - low) / 2, low]
    if step:
        candidates = [round(value / step) * step for value in candidates]
    kind = int if name in _WHOLE else float
    return [kind(value) for value in candidates if span.admits(value)][:2]


def changes(
    journey: Journey, verb: str, values: Mapping[str, object], more: Mapping[str, object] | None = None
) -> bool:
    """Whether it makes a difference if the request has these values: on the wire, to the job, or by a refusal."""
    scene = journey.of(verb)[0]
    *before, request, options = scene.arguments
    plain = request.model_copy(update=dict(more or {}))
    other = plain.model_copy(update=dict(values))
    if _refused(journey.provider, verb, before, other, options):
        return True
    usual = _effect(journey, verb, (*before, plain, options))
    return usual != _effect(journey, verb, (*before, other, options))


def _refused(provider: Any, verb: str, before: list[Any], request: Any, options: Any) -> bool:
    try:
        if verb == "start":
            provider.check_training(request, options)
        else:
            provider.check_generation(*before, request, options)
    except (ConfigurationError, DatasetError):
        return True
    return False


def _effect(journey: Journey, verb: str, arguments: tuple[Any, ...]) -> object:
    """Everything that a flow says to the vendor and about the job, given the answers of the journey."""
    asked: list[Request] = []
    result: object
    try:
        flow = getattr(journey.provider, verb)(*arguments)
        result = played(journey.provider, flow, by_operation(journey.scenes), asked)
    except (ConfigurationError, DatasetError) as error:
        result = type(error)
    except Exhausted:
        result = None
    said = (result.id, result.notes) if isinstance(result, Snapshot) else result
    return [wire(request) for request in asked], said
