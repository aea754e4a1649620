"""What comes of playing a contender against a population."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.polling.contenders import Contender
    from benchmarks.polling.drawn import Drawn, Population


@dataclass(frozen=True, slots=True)
class Result:
    """Of one contender; lags are relative to how long the job took, but where seconds are named.

    Attributes:
        name: Of the contender.
        looks: At a training that ends well, on average.
        lag: Of these, on average.
        lag_95: Of these, of nineteen in twenty at most.
        failure: Seconds until a failure in the first minute is seen, at most.
        death: Of trainings that die half way, on average.
        quiet: Of jobs that fall silent and run on, of nineteen in twenty at most.
        generation: On average.
        generation_95: Of nineteen in twenty at most.
    """

    name: str
    looks: float
    lag: float
    lag_95: float
    failure: float
    death: float
    quiet: float
    generation: float
    generation_95: float


def result(contender: Contender, population: Population) -> Result:
    """Play it."""
    played = [contender.play(job) for job in population.trainings]
    lags = [late / job.ends for (_, late), job in zip(played, population.trainings, strict=True)]
    generations = _lags(contender, population.generations)
    return Result(
        name=contender.name,
        looks=fmean(looks for looks, _ in played),
        lag=fmean(lags),
        lag_95=_most(lags),
        failure=max(contender.play(job)[1] for job in population.failures),
        death=fmean(_lags(contender, population.deaths)),
        quiet=_most(_lags(contender, population.quiet)),
        generation=fmean(generations),
        generation_95=_most(generations),
    )


def _lags(contender: Contender, jobs: Sequence[Drawn]) -> list[float]:
    return [contender.play(job)[1] / job.ends for job in jobs]


def _most(values: Sequence[float]) -> float:
    """What nineteen in twenty stay below."""
    return sorted(values)[int(0.95 * (len(values) - 1))]
