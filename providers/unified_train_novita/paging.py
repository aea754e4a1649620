"""Reading the vendor's lists page by page (Novita dossier 4.5 and 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from unified_train import Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from unified_train import Flow
    from unified_train_novita.wire import Page

PAGE = 100
"""Items per page; the most that the vendor takes."""
MAX_PAGES = 100
"""A list longer than this is not read to its end, so that a cursor which never ends does no harm."""

Row: TypeAlias = tuple[dict[str, Any], Response]
"""An item of a list, and the answer that it came in."""


def rows(
    ask: Callable[[Mapping[str, str]], Request],
    form: type[Page],
    most: int = PAGE * MAX_PAGES,
    enough: Callable[[dict[str, Any]], bool] = lambda _: False,
) -> Flow[list[Row]]:
    """At most `most` items of a list, in the vendor's order; see `read`."""
    return (yield from read(ask, form, most, enough))[0]


def read(
    ask: Callable[[Mapping[str, str]], Request],
    form: type[Page],
    most: int = PAGE * MAX_PAGES,
    enough: Callable[[dict[str, Any]], bool] = lambda _: False,
) -> Flow[tuple[list[Row], bool]]:
    """At most `most` items of a list, in the vendor's order, and whether these are all.

    No page is read after that in which an item is said to be enough.

    A next cursor does not prove that more follows, and a short page not that nothing does: the list ends with an
    empty page, or with a cursor that is missing or was followed before.
    """
    found: list[Row] = []
    cursor, seen = "", {""}
    for _ in range(MAX_PAGES):
        query = {"pagination.limit": str(min(PAGE, most))} | ({"pagination.cursor": cursor} if cursor else {})
        answer = yield ask(query)
        page = form.parse(answer)
        found += [(item, answer) for item in page.items]
        cursor = page.pagination.next_cursor
        full = [enough(item) for item in page.items]  # all are asked: who asks may be counting
        if not page.items or cursor in seen:
            return found[:most], len(found) <= most
        if len(found) >= most or any(full):
            break
        seen.add(cursor)
    return found[:most], False
