"""Who wins: the Bradley–Terry model, fitted to blind votes.

Each entrant has a strength, and a beats b with the chance 1 / (1 + exp(b - a)) of their strengths. A tie counts half a
win for each; "both poor" says nothing about which is better and counts for neither. So that strengths exist with few
votes, or if somebody never loses, each entrant also plays one tie against an imaginary opponent. Strengths are told
from their mean, which votes between entrants know nothing of: so are their errors, or they would never become small.
`assets/report.js` computes the same for the open page; a test compares the two.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from unified_train.errors import InvalidOptions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Outcome = Literal["left", "right", "tie", "poor"]
TWO_SIDED_95 = 1.959963984540054
"""Quantile of the normal distribution for intervals of 95 %."""
_IMAGINARY = 0.5
"""Wins, and as many losses, of each entrant against the imaginary opponent."""
_STEPS = 100
_CLOSE = 1e-8
"""Steps smaller than this are the last, since Newton's method squares what is left of the error."""
_Matrix = list[list[float]]


@dataclass(frozen=True, slots=True)
class Duel:
    """Two entrants' pictures side by side, and what was said of them.

    Attributes:
        left: Slug.
        right: Slug.
        outcome: Who is better; `poor` if both are poor.
    """

    left: str
    right: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Standing:
    """One entrant's place.

    Attributes:
        entrant: Slug.
        strength: On the scale of the model (natural logarithm of odds); the mean of all entrants is 0.
        error: Standard error of the strength, from the curvature of the likelihood.
        duels: Decided duels and ties it took part in.
    """

    entrant: str
    strength: float
    error: float
    duels: int

    @property
    def score(self) -> float:
        """Chance to be preferred to an average entrant, 0 to 1."""
        return _chance(self.strength)

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the score."""
        margin = TWO_SIDED_95 * self.error
        return _chance(self.strength - margin), _chance(self.strength + margin)


@dataclass(frozen=True, slots=True)
class Ranking:
    """Who won.

    Attributes:
        standings: Best first; equals in the order they were named.
        missing: Entrants without a place, since no vote that counts is about them.
        votes: Votes that count, ties included.
        ties: Of these.
        poor: Votes that both pictures are poor; they count for neither.
    """

    standings: tuple[Standing, ...]
    missing: tuple[str, ...]
    votes: int
    ties: int
    poor: int


def rank(entrants: Sequence[str], duels: Iterable[Duel]) -> Ranking:
    """Rank entrants by duels.

    Raises:
        InvalidOptions: A duel is of somebody else, or of an entrant with itself.
    """
    place = {entrant: number for number, entrant in enumerate(entrants)}
    wins = [[0.0] * len(entrants) for _ in entrants]
    votes = ties = poor = 0
    for duel in duels:
        if duel.left not in place or duel.right not in place or duel.left == duel.right:
            raise InvalidOptions(f"a vote on {duel.left!r} and {duel.right!r} can't be ranked among {list(entrants)}")
        if duel.outcome == "poor":
            poor += 1
            continue
        left, right = place[duel.left], place[duel.right]
        share = {"left": 1.0, "right": 0.0, "tie": 0.5}[duel.outcome]
        wins[left][right] += share
        wins[right][left] += 1 - share
        votes += 1
        ties += duel.outcome == "tie"
    played = [round(sum(wins[me]) + sum(row[me] for row in wins)) for me in range(len(entrants))]
    voted = [me for me, count in enumerate(played) if count]
    strengths, errors = fit([[wins[me][other] for other in voted] for me in voted])
    standings = [
        Standing(entrants[me], strength, error, played[me])
        for me, strength, error in zip(voted, strengths, errors, strict=True)
    ]
    missing = tuple(entrant for entrant, count in zip(entrants, played, strict=True) if not count)
    return Ranking(tuple(sorted(standings, key=lambda item: -item.strength)), missing, votes, ties, poor)


def fit(wins: _Matrix) -> tuple[list[float], list[float]]:
    """Strengths and their standard errors, by Newton's method; a step that made the likelihood smaller is halved.

    Args:
        wins: `wins[a][b]` is how often a beat b.
    """
    if not wins:
        return [], []
    strengths = [0.0] * len(wins)
    best = _likelihood(wins, strengths)
    for _ in range(_STEPS):
        gradient, information = _slope(wins, strengths)
        step = _solved(information, gradient)
        scale = 1.0
        trial = [strength + change for strength, change in zip(strengths, step, strict=True)]
        if max(map(abs, step)) < _CLOSE:
            strengths = trial
            break
        while (reached := _likelihood(wins, trial)) < best and scale > _CLOSE:
            scale /= 2
            trial = [strength + scale * change for strength, change in zip(strengths, step, strict=True)]
        strengths, best = trial, reached
    mean = sum(strengths) / len(strengths)
    _, information = _slope(wins, strengths)
    return [strength - mean for strength in strengths], _errors(information)


def _errors(information: _Matrix) -> list[float]:
    """Standard error of each strength's distance from the mean of all."""
    count = len(information)
    errors = []
    for me in range(count):
        distance = [float(me == other) - 1 / count for other in range(count)]
        variance = sum(share * value for share, value in zip(distance, _solved(information, distance), strict=True))
        errors.append(math.sqrt(max(0.0, variance)))
    return errors


def _likelihood(wins: _Matrix, strengths: list[float]) -> float:
    """Logarithm of the likelihood."""
    total = 0.0
    for me, mine in enumerate(strengths):
        total += _IMAGINARY * (_log_chance(mine) + _log_chance(-mine))
        for other, theirs in enumerate(strengths):
            total += wins[me][other] * _log_chance(mine - theirs)
    return total


def _slope(wins: _Matrix, strengths: list[float]) -> tuple[list[float], _Matrix]:
    """The likelihood's gradient, and the information (its negated second derivatives)."""
    count = len(strengths)
    gradient = [0.0] * count
    information = [[0.0] * count for _ in range(count)]
    for me, mine in enumerate(strengths):
        chance = _chance(mine)
        gradient[me] += _IMAGINARY * (1 - 2 * chance)
        information[me][me] += 2 * _IMAGINARY * chance * (1 - chance)
        for other in range(count):
            if other == me:
                continue
            met = wins[me][other] + wins[other][me]
            chance = _chance(mine - strengths[other])
            weight = met * chance * (1 - chance)
            gradient[me] += wins[me][other] - met * chance
            information[me][me] += weight
            information[me][other] -= weight
    return gradient, information


def _solved(matrix: _Matrix, right: Sequence[float]) -> list[float]:
    """Solve a symmetric, positive definite system by elimination, for which no pivoting is needed."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for pivot, upper in enumerate(rows):
        for lower in rows[pivot + 1 :]:
            factor = lower[pivot] / upper[pivot]
            for column in range(pivot, len(upper)):
                lower[column] -= factor * upper[column]
    solution = [0.0] * len(rows)
    for number in reversed(range(len(rows))):
        known = sum(rows[number][column] * solution[column] for column in range(number + 1, len(rows)))
        solution[number] = (rows[number][-1] - known) / rows[number][number]
    return solution


def _chance(strength: float) -> float:
    return 1 / (1 + math.exp(-strength)) if strength >= 0 else 1 - 1 / (1 + math.exp(strength))


def _log_chance(strength: float) -> float:
    return -math.log1p(math.exp(-strength)) if strength >= 0 else strength - math.log1p(math.exp(strength))
