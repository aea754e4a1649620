"""The page about the vendors' words is what the providers' own tables say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated, Literal

from helpers import Plain
from pydantic import Field, SecretStr

from unified_train import (
    ErrorTable,
    Options,
    QuotaExceeded,
    Rate,
    RateLimited,
    Refusal,
    Status,
    StatusTable,
    Word,
    plugins,
    vendor_docs,
)

ROOT = Path(__file__).parents[1]


def test_the_page_is_made_from_the_tables() -> None:
    """`docs/vendors.md` is what the module makes of the three providers now."""
    providers = [plugins.load(slug) for slug in ("alibaba", "novita", "scenario")]
    assert (ROOT / "docs" / "vendors.md").read_text() == vendor_docs.document(providers)


def test_it_can_be_run() -> None:
    """`python -m` prints the page, with every installed vendor."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "unified_train.vendor_docs"], capture_output=True, text=True, check=True
    )
    assert [line for line in done.stdout.splitlines() if line.startswith("## ")] == [
        f"## {provider.title}" for provider in plugins.load_all().providers
    ]


class Part(Options):
    """A part.

    Attributes:
        side: In pixels.
    """

    side: Annotated[int, Field(ge=8)]


class Mixed(Options):
    """Options of many kinds.

    Attributes:
        mood: How it looks;
            over two lines.
        parts: What it is made of.
    """

    mood: Literal["calm", "wild|hot"] = "calm"
    parts: Annotated[tuple[Part, ...], Field(max_length=3)] = ()
    share: Annotated[float, Field(gt=0, lt=1)] | None = None
    names: Annotated[list[Annotated[str, Field(min_length=1, max_length=9)]], Field(min_length=2)] = ["a", "b"]
    key: SecretStr | None = None


class Told(Plain):
    TrainingOptions = Mixed  # type: ignore[assignment]
    rates = {"generation.start": Rate(per_minute=30)}
    status_tables = (StatusTable("state", {"done": Word(Status.SUCCEEDED, "page 1")}),)
    error_tables = (
        ErrorTable("reason", {"FULL": Refusal(QuotaExceeded, "page 2"), "SLOW*": Refusal(RateLimited, "page 3")}),
    )


def test_every_kind_of_row() -> None:
    """Words, refusals, rates and options of each kind are told in words, with ranges, defaults and meanings."""
    page = vendor_docs.document([Told])
    for row in (
        "| `done` | succeeded | page 1 |",
        "| `FULL` | `QuotaExceeded` | – | page 2 |",
        "| `SLOW*` | `RateLimited` | yes | page 3 |",
        "| `generation.start` | 30 |",
        r"| `mood` | `calm`, `wild\|hot` | `calm` | How it looks; over two lines. |",
        "| `parts` | list of `Part`, ≤ 3 of them |  | What it is made of. |",
        "| `share` | number, > 0, < 1 |  |  |",
        "| `names` | list of (text, 1–9 characters), ≥ 2 of them | `['a', 'b']` |  |",
        "| `key` | secret text |  |  |",
        "| `side` | whole number, ≥ 8 | must be told | In pixels. |",
    ):
        assert row in page
