"""What providers make of answers that nobody promised."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from unified_train.errors import ApiError, UnifiedTrainError
from unified_train.models import Snapshot
from unified_train.testing.journey import check
from unified_train.testing.rehearsal import Exhausted, Scene, in_order, played, spoilt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from unified_train.provider import AnyProvider
    from unified_train.status import StatusTable

_STRANGE_WORDS = ("", "wat", "sucess", "not finished", "完成")


def distinct(scenes: list[Scene]) -> Iterator[Scene]:
    """One scene of each form: polls of one job differ in little."""
    seen = set()
    for scene in scenes:
        kind = getattr(scene.arguments[0], "kind", "")
        form = (scene.verb, kind, tuple(exchange.request.operation for exchange in scene.exchanges))
        if scene.exchanges and form not in seen:
            seen.add(form)
            yield scene


def survives(provider: AnyProvider, scene: Scene, values: list[Any], how: str) -> Snapshot | None:
    """Play a scene with other answers; None unless it ended in a snapshot."""
    try:
        seen = played(provider, scene.again(provider), in_order(values))
    except Exhausted:
        return None
    except UnifiedTrainError as error:
        named = isinstance(error, ApiError) or scene.verb != "poll"
        check(named, f"{scene.verb} raises {type(error).__name__}, as if it were the user's fault; {how}")
        return None
    except Exception as error:  # noqa: BLE001 - any other is what this is looking for
        pytest.fail(f"{scene.verb} fails with {type(error).__name__}: {error}; {how}")
    check(isinstance(seen, Snapshot), f"{scene.verb} returns {seen!r}; {how}")
    return seen if isinstance(seen, Snapshot) else None


def reworded(value: Any, tables: Sequence[StatusTable], word: str) -> Any:
    """The same JSON with every word of a status table replaced."""
    if isinstance(value, dict):
        return {name: reworded(item, tables, word) for name, item in value.items()}
    if isinstance(value, list):
        return [reworded(item, tables, word) for item in value]
    return word if isinstance(value, str) and _is_word(value, tables) else value


def _is_word(value: str, tables: Sequence[StatusTable]) -> bool:
    said = value.strip().casefold()
    return any(said == word.casefold() for table in tables for word, _ in table)


def with_any_json(attempt: Callable[[object], None]) -> None:
    """Call with many JSON values, by hypothesis if it is there."""
    for changed in spoilt({"data": {"id": 1, "status": "done"}}):
        attempt(changed.value)
    try:
        import hypothesis
        from hypothesis import strategies
    except ImportError:
        return
    leaves = strategies.none() | strategies.booleans() | strategies.integers() | strategies.floats(allow_nan=False)
    values: Any = strategies.recursive(
        leaves | strategies.text(),
        lambda inner: (
            strategies.lists(inner, max_size=3) | strategies.dictionaries(strategies.text(), inner, max_size=3)
        ),
        max_leaves=8,
    )
    _given(hypothesis, values, attempt)


def with_any_word(attempt: Callable[[str], None]) -> None:
    """Call with many words that are probably no vendor's, by hypothesis if it is there."""
    for word in _STRANGE_WORDS:
        attempt(word)
    try:
        import hypothesis
        from hypothesis import strategies
    except ImportError:
        return
    _given(hypothesis, strategies.text(min_size=1), attempt)


def _given(hypothesis: Any, values: Any, attempt: Callable[[Any], None]) -> None:
    settings = hypothesis.settings(max_examples=25, deadline=None, database=None, derandomize=True)
    settings(hypothesis.given(values)(attempt))()
