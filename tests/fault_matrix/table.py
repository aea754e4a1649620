"""The fault matrix as a table for people, made from the promises that the cells have to keep."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fault_matrix.mishaps import MISHAPS, Mishap
from fault_matrix.operations import OPERATIONS, Operation
from fault_matrix.promises import Outcome, promised, reason

from unified_train import SubmissionUncertain

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
_MARKED = re.compile(r"(?<=<!-- matrix -->\n).*?(?=<!-- /matrix -->)", re.DOTALL)
_TITLES = {"scenario": "Scenario", "alibaba": "Alibaba", "novita": "Novita"}
_LEGEND = """\
The number is that of requests: how often the request that a row strikes was sent, or tried. It is struck once; by
faults that last (no connection, credentials, routes, types) each time. Three attempts were allowed. A name is the exact
class of the error.

In the four columns of submissions `result` means that one paid submission was accepted, and an error that none was:

- `adopted`: the answer was lost; what the vendor shows was taken on, and nothing was sent again. Paid once.
- `sent again`: the vendor never had it, as was found out by asking until the grace was over. Paid once.
- `unknown`: `SubmissionUncertain`, with the key by which it can be settled; then one at most was accepted, as is told.

`look up` is the list that is asked after a lost answer: if it can't be read, the doubt stays. A dash: the answer has
nothing of the kind.
"""


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        title: Of the column.
        holds: Which operations it is about.
    """

    title: str
    holds: Callable[[Operation], bool]


def _named(*names: str) -> Callable[[Operation], bool]:
    return lambda operation: operation.column in names


COLUMNS = (
    Column("upload", _named("upload")),
    Column("send to a storage", _named("store")),
    Column("create model, attach image", _named("create model", "attach image")),
    Column("start training", _named("start training")),
    Column("generate (Scenario)", lambda one: one.column == "generate" and one.askable),
    Column("generate (Alibaba, Novita)", lambda one: one.column == "generate" and not one.askable),
    Column("look up", _named("look up")),
    Column("poll", _named("poll training", "poll generation")),
    Column("download", _named("download")),
    Column("list", _named("list")),
    Column("cancel", _named("cancel")),
)


@dataclass
class _Notes:
    """Footnotes, numbered as they come; the same text is the same note."""

    texts: list[str] = field(default_factory=list)

    def number(self, text: str) -> int:
        if text not in self.texts:
            self.texts.append(text)
        return self.texts.index(text) + 1


def matrix(cells: int) -> str:
    """The table with its legend and notes.

    Args:
        cells: How many there are.
    """
    notes = _Notes()
    head = ["fault", *(column.title for column in COLUMNS)]
    rows = [[mishap.title, *(_cell(column, mishap, notes) for column in COLUMNS)] for mishap in MISHAPS]
    lines = [_row(head), _row(["---"] * len(head)), *map(_row, rows)]
    told = [f"{number}. {text}" for number, text in enumerate(notes.texts, 1)]
    first = f"{cells:,} cells, at each vendor that offers the operation; the table shows the promises that they assert."
    return "\n".join([first, "", _LEGEND, *lines, "", *told, ""])


def replaced(page: str, table: str) -> str:
    """The page with this table between its markers."""
    assert _MARKED.search(page), f"{PAGE.name} has lost the markers of the matrix"
    return _MARKED.sub(lambda _: table, page)


def _row(texts: Sequence[str]) -> str:
    return f"| {' | '.join(texts)} |"


def _cell(column: Column, mishap: Mishap, notes: _Notes) -> str:
    """What a column's operations do by the rules, with notes for those that are excepted."""
    held = [(one, outcome) for one in OPERATIONS if column.holds(one) and (outcome := promised(one, mishap))]
    if not held:
        return "—"
    ruled = {_text(one, outcome) for one, outcome in held if not reason(one, mishap)}
    assert len(ruled) <= 1, f"{column.title} under {mishap.name}: {ruled}, and nobody says why"
    usual = ruled.pop() if ruled else _text(*held[0])
    others: dict[str, list[str]] = {}
    for one, outcome in held:
        if why := reason(one, mishap):
            text = _text(one, outcome)
            told = f"{text}, since {why}" if text != usual else why
            others.setdefault(told, []).append(_TITLES[one.vendor])
    told_by = [f"{', '.join(dict.fromkeys(vendors))}: {told}." for told, vendors in others.items()]
    return usual + "".join(f" <sup>{notes.number(text)}</sup>" for text in told_by)


def _text(operation: Operation, outcome: Outcome) -> str:
    if outcome.error is SubmissionUncertain:
        paid = "" if operation.loses else f", {outcome.paid} paid"
        return f"unknown · {outcome.requests}{paid}"
    if outcome.error:
        return f"`{outcome.error.__name__}` · {outcome.requests}"
    word = {"adopted": "adopted", "absent": "sent again"}.get("".join(outcome.reconciled), "result")
    return f"{word} · {outcome.requests}"
