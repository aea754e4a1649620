"""Blind votes are read whole or not at all, and ranked by the Bradley–Terry model."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from compare_samples import at, sample
from hypothesis import given, settings
from hypothesis import strategies as st

from unified_train import ConfigurationError, InvalidOptions
from unified_train.compare import Comparison, Duel, Vote, duels, rank, read_votes
from unified_train.compare import votes as vote_files

NAMES = ("a", "b", "c")


def many(*counts: tuple[str, str, Any, int]) -> list[Duel]:
    return [Duel(left, right, outcome) for left, right, outcome, count in counts for _ in range(count)]


def scores(found: list[Duel], names: tuple[str, ...] = NAMES) -> dict[str, float]:
    return {item.entrant: item.score for item in rank(names, found).standings}


def test_without_votes_nobody_has_a_place() -> None:
    """Nothing is known of entrants that nobody voted on, or of whom only was said that both are poor."""
    assert rank(NAMES, []).standings == ()
    ranking = rank(NAMES, many(("a", "b", "tie", 1), ("b", "c", "poor", 1)))
    assert [item.entrant for item in ranking.standings] == ["a", "b"]
    assert ranking.missing == ("c",)
    for item in ranking.standings:
        assert item.score == pytest.approx(0.5)
        assert item.interval[0] < 0.3
        assert item.interval[1] > 0.7


def test_two_entrants_agree_with_the_formula() -> None:
    """With many votes the strengths' difference is the logarithm of the odds, and its error that of counted odds."""
    ranking = rank(("a", "b"), many(("a", "b", "left", 3000), ("a", "b", "right", 1000)))
    first, second = ranking.standings
    assert first.entrant == "a"
    assert first.strength - second.strength == pytest.approx(math.log(3), abs=2e-3)
    assert 2 * first.error == pytest.approx(math.sqrt(1 / 3000 + 1 / 1000), rel=2e-3)
    assert first.strength == pytest.approx(-second.strength)


def test_the_left_side_is_no_advantage() -> None:
    """The same duels seen from the other side give the same ranking."""
    votes = many(("a", "b", "left", 3), ("b", "c", "tie", 2), ("c", "a", "right", 1))
    mirror = {"left": "right", "right": "left", "tie": "tie"}
    mirrored = [Duel(item.right, item.left, mirror[item.outcome]) for item in votes]  # type: ignore[arg-type]
    assert scores(votes) == pytest.approx(scores(mirrored))


def test_a_tie_is_half_a_win_for_each() -> None:
    """Two ties say as much as one win each."""
    assert scores(many(("a", "b", "tie", 2))) == pytest.approx(
        scores(many(("a", "b", "left", 1), ("a", "b", "right", 1)))
    )
    ranking = rank(NAMES, many(("a", "b", "tie", 2), ("a", "c", "left", 1)))
    assert (ranking.votes, ranking.ties, ranking.poor) == (3, 2, 0)
    assert {item.entrant: item.duels for item in ranking.standings} == {"a": 3, "b": 2, "c": 1}


def test_both_poor_counts_for_neither_and_is_reported() -> None:
    """It changes no strength, and is counted apart."""
    votes = many(("a", "b", "left", 4))
    ranking = rank(NAMES, votes + many(("a", "b", "poor", 5)))
    assert {item.entrant: item.score for item in ranking.standings} == pytest.approx(scores(votes))
    assert (ranking.votes, ranking.poor) == (4, 5)


def test_who_never_loses_has_a_strength_all_the_same() -> None:
    """An endless streak gives a finite strength, and a longer one a greater."""
    streaks = [scores(many(("a", "b", "left", count)), ("a", "b"))["a"] for count in (1, 10, 1000)]
    assert streaks == sorted(streaks)
    assert all(0.5 < score < 1 for score in streaks)


def test_intervals_become_narrow_with_votes() -> None:
    """A thousand votes tell more than ten; with thousands the interval is a few percent."""
    widths = []
    for count in (2, 20, 200, 2000):
        pairs = (("a", "b"), ("b", "c"), ("c", "a"))
        votes = many(*((left, right, side, count) for left, right in pairs for side in ("left", "right")))
        low, high = rank(NAMES, votes).standings[0].interval
        widths.append(high - low)
    assert widths == sorted(widths, reverse=True)
    assert widths[0] > 0.3
    assert widths[-1] < 0.03


OUTCOMES = st.sampled_from(["left", "right", "tie", "poor"])
DUELS = st.lists(
    st.tuples(st.permutations("abcd"), OUTCOMES).map(lambda item: Duel(item[0][0], item[0][1], item[1])),  # type: ignore[arg-type]
    max_size=60,
)


@given(DUELS)
@settings(deadline=None)
def test_every_set_of_votes_can_be_ranked(found: list[Duel]) -> None:
    """Strengths are finite, average zero, and lie inside their intervals, whatever was voted."""
    ranking = rank(tuple("abcd"), found)
    strengths = [item.strength for item in ranking.standings]
    assert sum(strengths) == pytest.approx(0, abs=1e-9)
    assert {item.entrant for item in ranking.standings} | set(ranking.missing) == set("abcd")
    assert strengths == sorted(strengths, reverse=True)
    assert all(0 <= item.interval[0] <= item.score <= item.interval[1] <= 1 for item in ranking.standings)
    assert ranking.votes + ranking.poor == len(found)


@given(DUELS)
@settings(deadline=None)
def test_one_more_win_never_harms(found: list[Duel]) -> None:
    """Who wins once more scores more than before."""
    names = tuple("abcd")
    known = [*found, Duel("a", "b", "tie"), Duel("b", "c", "tie"), Duel("c", "d", "tie")]
    assert scores([*known, Duel("a", "b", "left")], names)["a"] > scores(known, names)["a"]


@pytest.mark.parametrize("duel", [Duel("a", "x", "left"), Duel("x", "a", "left"), Duel("a", "a", "tie")])
def test_a_duel_of_a_stranger_is_refused(duel: Duel) -> None:
    """Votes on somebody else, or on one entrant alone, can't be ranked."""
    with pytest.raises(InvalidOptions, match="can't be ranked"):
        rank(NAMES, [duel])


def vote(comparison: Comparison, one: int, other: int, outcome: str = "left", **changes: Any) -> dict[str, Any]:
    first, second = comparison.pictures[one], comparison.pictures[other]
    return {
        "judge": "0123456789ab",
        "prompt": first.prompt,
        "seed": first.seed,
        "left": first.sha256,
        "right": second.sha256,
        "outcome": outcome,
        "counted": True,
        "at": at(1).isoformat(),
        **changes,
    }


def file(path: Path, comparison: Comparison, votes: list[Any], **changes: Any) -> Path:
    content = {"format": vote_files.FORMAT, "version": 1, "comparison": comparison.id, "votes": votes, **changes}
    path.write_text(json.dumps(content))
    return path


def test_votes_become_duels_of_vendors(tmp_path: Path) -> None:
    """Pictures are traced to their vendors; the later vote of one judge on one pair holds; uncounted votes do not."""
    comparison = sample().comparison
    path = file(
        tmp_path / "votes.json",
        comparison,
        [
            vote(comparison, 0, 1, "right", at=at(9).isoformat()),
            vote(comparison, 1, 0, "left", at=at(2).isoformat()),
            vote(comparison, 0, 1, "tie", judge="ffffffffffff"),
            vote(comparison, 0, 2, "poor", counted=False),
        ],
    )
    votes = read_votes(path, comparison)
    assert len(votes) == 4
    assert isinstance(votes[0], Vote)
    found = duels(comparison, votes)
    assert sorted(found, key=lambda item: item.outcome) == [
        Duel("north", "south", "right"),
        Duel("north", "south", "tie"),
    ]


def test_votes_of_another_comparison_are_refused(tmp_path: Path) -> None:
    """The message names both comparisons and says that nothing was imported."""
    ours = sample().comparison
    theirs = sample(("another prompt",)).comparison
    path = file(tmp_path / "votes.json", theirs, [vote(theirs, 0, 1)])
    with pytest.raises(ConfigurationError, match=r"another comparison.*nothing was imported") as caught:
        read_votes(path, ours)
    assert ours.id[:12] in str(caught.value)
    assert theirs.id[:12] in str(caught.value)


@pytest.mark.parametrize(
    "changes", [{"left": "0" * 64}, {"right": "0" * 64}, {"seed": 8}, {"prompt": 1}, {"prompt": 99}]
)
def test_a_vote_on_other_pictures_refuses_the_whole_file(tmp_path: Path, changes: dict[str, Any]) -> None:
    """One vote on a picture that isn't here, or not at this place, and nothing is imported."""
    comparison = sample().comparison
    path = file(tmp_path / "votes.json", comparison, [vote(comparison, 0, 1), vote(comparison, 0, 1, **changes)])
    with pytest.raises(ConfigurationError, match=r"vote 2 is about pictures.*nothing was imported"):
        read_votes(path, comparison)


def test_a_picture_against_itself_is_refused(tmp_path: Path) -> None:
    """Such a vote says nothing."""
    comparison = sample().comparison
    path = file(tmp_path / "votes.json", comparison, [vote(comparison, 0, 0)])
    with pytest.raises(ConfigurationError, match="vote 1"):
        read_votes(path, comparison)


@pytest.mark.parametrize(
    "content",
    ["", "[]", "null", "{", '{"format": "something"}', "\xff", '{"format": "unified-train votes", "version": 2}'],
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: str) -> None:
    """What is no file of votes is said to be none, without its content in the message."""
    path = tmp_path / "votes.json"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(ConfigurationError, match="not a file of votes; nothing was imported"):
        read_votes(path, sample().comparison)


@pytest.mark.parametrize(
    "changes", [{"outcome": "both"}, {"judge": "<b>"}, {"at": "2026-01-01T00:00:00"}, {"at": "yesterday"}, {"more": 1}]
)
def test_a_damaged_vote_refuses_the_whole_file(tmp_path: Path, changes: dict[str, Any]) -> None:
    """A wrong word, judge or time is no vote."""
    comparison = sample().comparison
    path = file(tmp_path / "votes.json", comparison, [vote(comparison, 0, 1, **changes)])
    with pytest.raises(ConfigurationError, match="not a file of votes"):
        read_votes(path, comparison)


def test_a_file_that_is_not_there_or_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither is read."""
    comparison = sample().comparison
    with pytest.raises(ConfigurationError, match="No such file"):
        read_votes(tmp_path / "none.json", comparison)
    monkeypatch.setattr(vote_files, "LARGEST", 10)
    with pytest.raises(ConfigurationError, match="too large"):
        read_votes(file(tmp_path / "votes.json", comparison, []), comparison)
