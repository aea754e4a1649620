"""Blind votes as the report exports them: read, checked against the comparison they belong to, and made duels of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError

from unified_train.compare.comparison import Sha256
from unified_train.compare.ranking import Duel, Outcome
from unified_train.errors import ConfigurationError
from unified_train.records import Record, sentence

if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike

    from unified_train.compare.comparison import Comparison, Picture

FORMAT = "unified-train votes"
LARGEST = 8 * 2**20
"""Bytes; a vote takes some 300."""


class Vote(Record):
    """One person's word on two pictures.

    Pictures are named by their bytes, not by their vendors: the file can be handed on before the names are revealed,
    and a vote on pictures that have been made anew since is not mistaken for one on these.

    Attributes:
        judge: Tells people apart; random, made by each browser.
        prompt: Index.
        seed: Of both pictures.
        left: SHA-256 of the picture on the left.
        right: SHA-256 of the picture on the right.
        outcome: Who is better.
        counted: False if it was cast when the names were known.
        at: When (aware).
    """

    judge: Annotated[str, Field(pattern=r"^[0-9a-f]{8,32}$")]
    prompt: Annotated[int, Field(ge=0)]
    seed: Annotated[int, Field(ge=0)]
    left: Sha256
    right: Sha256
    outcome: Outcome
    counted: bool
    at: AwareDatetime


class _File(Record):
    format: Literal["unified-train votes"]
    version: Literal[1]
    comparison: str
    votes: tuple[Vote, ...]


_FILE = TypeAdapter(_File)


def read_votes(path: str | PathLike[str], comparison: Comparison) -> list[Vote]:
    """Read a file of votes that a report has exported: all of it, or nothing.

    Raises:
        ConfigurationError: It is no such file, belongs to another comparison, or one of its votes does.
    """
    file = Path(path)
    try:
        if file.stat().st_size > LARGEST:
            raise ConfigurationError(f"{file}: too large for a file of votes; nothing was imported")
        found = _FILE.validate_json(file.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"{file}: can't be read ({error.strerror}); nothing was imported") from None
    except ValidationError as error:
        raise ConfigurationError(
            f"{file}: not a file of votes; nothing was imported ({sentence(_File, error)})"
        ) from None
    if found.comparison != comparison.id:
        raise ConfigurationError(
            f"{file}: these votes belong to another comparison ({found.comparison[:12]}, this is"
            f" {comparison.id[:12]}); nothing was imported"
        )
    pictures = _pictures(comparison)
    for number, vote in enumerate(found.votes):
        if vote.left == vote.right or not all(_place(vote, side) in pictures for side in (vote.left, vote.right)):
            raise ConfigurationError(
                f"{file}: vote {number + 1} is about pictures that are not in this comparison; nothing was imported"
            )
    return list(found.votes)


def duels(comparison: Comparison, votes: Iterable[Vote]) -> list[Duel]:
    """What the votes that count say about vendors.

    Args:
        comparison: That they belong to, as `read_votes` made sure.
        votes: A later vote of the same judge on the same pictures replaces the earlier one.
    """
    latest: dict[tuple[str, int, int, frozenset[str]], Vote] = {}
    for vote in sorted(votes, key=lambda item: item.at):
        if vote.counted:
            latest[vote.judge, vote.prompt, vote.seed, frozenset({vote.left, vote.right})] = vote
    pictures = _pictures(comparison)
    return [
        Duel(pictures[_place(vote, vote.left)].entrant, pictures[_place(vote, vote.right)].entrant, vote.outcome)
        for vote in latest.values()
    ]


def _pictures(comparison: Comparison) -> dict[tuple[int, int, str], Picture]:
    return {(picture.prompt, picture.seed, picture.sha256): picture for picture in comparison.pictures}


def _place(vote: Vote, sha256: str) -> tuple[int, int, str]:
    return vote.prompt, vote.seed, sha256
