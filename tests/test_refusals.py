"""Error words as data."""

from __future__ import annotations

from unified_train import ErrorTable, InvalidRequest, RateLimited, Refusal

TABLE = ErrorTable(
    "code",
    {
        "Throttling*": Refusal(RateLimited, "page 1"),
        "Throttling.Never": Refusal(InvalidRequest, "page 2"),
        "BUSY": Refusal(InvalidRequest, "page 3", retryable=True),
    },
)


def test_the_first_row_that_fits_counts() -> None:
    """Words are compared as they are, with `*` for any text, from top to bottom."""
    found = TABLE.read("Throttling.Never")
    assert found is not None
    assert (found.error, found.passes) == (RateLimited, True)
    assert TABLE.read("throttling") is None
    assert TABLE.read(None) is None
    assert [word for word, _ in TABLE] == list(TABLE.rows)


def test_a_row_may_say_otherwise_than_its_class() -> None:
    """Whether a word passes is its class's answer unless the row has one."""
    busy = TABLE.read("BUSY")
    assert busy is not None
    assert busy.passes
    assert not Refusal(InvalidRequest, "page 4").passes
