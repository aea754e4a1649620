"""The numbers as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.polling.fleet import Cost
    from benchmarks.polling.results import Result

_HEAD = (
    "| way to poll | looks | late, mean | late, 95 % | early failure, at most | death half way | fallen silent, 95 % |"
    " generation, mean | generation, 95 % |\n"
    "| --- | --: | --: | --: | --: | --: | --: | --: | --: |\n"
)


def table(results: Sequence[Result]) -> str:
    """Looks and lags of each way to poll."""
    return _HEAD + "\n".join(_row(result) for result in results)


def _row(result: Result) -> str:
    cells = [
        f"{result.looks:,.0f}",
        f"{result.lag:.2%}",
        f"{result.lag_95:.2%}",
        f"{result.failure:.1f} s",
        f"{result.death:.1%}",
        f"{result.quiet:.1%}",
        f"{result.generation:.1%}",
        f"{result.generation_95:.0%}",
    ]
    return f"| {result.name} | {' | '.join(cells).replace('%', ' %')} |"


def costs(fleets: Sequence[Cost]) -> str:
    """What waiting for many jobs costs."""
    head = (
        "| jobs | pages of lists a minute | polls a minute | processor | memory per job |\n"
        "| --: | --: | --: | --: | --: |\n"
    )
    return head + "\n".join(
        f"| {fleet.jobs:,} | {fleet.lists:.0f} | {fleet.polls:.0f} | {fleet.processor:.2%} of a core |"
        f" {fleet.memory / 1000:.1f} kB |".replace("%", " %")
        for fleet in fleets
    )
