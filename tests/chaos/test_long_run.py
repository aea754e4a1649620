"""The long run: what happens in it can be repeated, and its numbers find their place."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.chaos import tables
from benchmarks.chaos.__main__ import main
from benchmarks.chaos.chances import Usual, plan_of
from benchmarks.chaos.vendors import VENDORS
from benchmarks.chaos.verdict import Verdict
from benchmarks.documents import filled

pytestmark = pytest.mark.long

_USUAL = {vendor: Usual(points=30, seconds=1.0) for vendor in VENDORS}


def test_a_round_is_the_same_again_from_its_seed_and_number() -> None:
    """Seed and number decide what happens, and other ones let other things happen."""
    plans = [plan_of(1, number, _USUAL, 1.0) for number in range(200)]
    assert plans == [plan_of(1, number, _USUAL, 1.0) for number in range(200)]
    assert plan_of(2, 0, _USUAL, 1.0) != plans[0]
    assert {plan.vendor for plan in plans} == set(VENDORS)
    assert {len(plan.ends) for plan in plans} == {0, 1, 2, 3}
    assert any(plan.faults for plan in plans)


def test_only_what_is_between_the_marks_is_replaced() -> None:
    """Tables take the place of the last ones; a document without that place is told."""
    document = "before\n<!-- chaos -->\nold\n<!-- /chaos -->\nafter\n"
    new = filled(document, "chaos", "| new |")
    assert new == "before\n<!-- chaos -->\n| new |\n<!-- /chaos -->\nafter\n"
    assert filled(new, "chaos", "old") == document
    with pytest.raises(ValueError, match="needs <!-- matrix -->"):
        filled(document, "matrix", "")


def test_doubles_are_what_was_accepted_beyond_what_was_asked_for() -> None:
    """Verdicts add up, and a missing training does not make up for a double."""
    total = Verdict()
    total.add(Verdict(rounds=1, asked=1, trainings=2, calls=1, generations=0, broken=["one"]))
    total.add(Verdict(rounds=1, asked=1, trainings=1, calls=1, generations=1))
    assert (total.rounds, total.doubles, total.broken) == (2, 1, ["one"])
    assert "| all | 2 | 0 | 0 | 3 / 2 | 1 / 2 | 1 |" in tables.table({"all": total})


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
def test_the_command_plays_rounds_and_tells_their_numbers(tmp_path: Path) -> None:
    """It exits with 0 if all promises were kept, and writes the tables where it is told to."""
    out = tmp_path / "tables.md"
    options = ["--rounds", "2", "--vendors", "novita", "--lanes", "1", "--no-control", "--out", str(out)]
    done = CliRunner().invoke(main, options)
    assert done.exit_code == 0, done.output
    assert "| novita | 2 |" in out.read_text()
    assert "Promises broken: 0." in out.read_text()


def test_a_vendor_that_does_not_exist_is_told() -> None:
    """The command names the vendors that there are."""
    done = CliRunner().invoke(main, ["--vendors", "novita,nobody"])
    assert done.exit_code == 2
    assert "no vendor nobody; there are alibaba, novita, scenario" in done.output
