"""`python -m benchmarks.polling`: play all ways to poll against the same jobs, and count."""

from __future__ import annotations

from pathlib import Path

import click

from benchmarks.documents import filled
from benchmarks.polling import chart, tables
from benchmarks.polling.contenders import contenders
from benchmarks.polling.drawn import drawn
from benchmarks.polling.fleet import cost
from benchmarks.polling.results import Result, result

_DOCUMENT = Path(__file__).parents[2] / "docs" / "performance.md"
PICTURE = _DOCUMENT.with_name("performance-polling.svg")
_FLEETS = "100,1000,10000"
_TRAININGS = 3000


def results(trainings: int = _TRAININGS, seed: int = 1, *, rough: bool = False) -> list[Result]:
    """Of all contenders."""
    population = drawn(trainings, seed, "rough" if rough else "plain")
    return [result(contender, population) for contender in contenders(population)]


def table(trainings: int = _TRAININGS, seed: int = 1) -> str:
    """Looks and lags of all contenders, as Markdown: with vendors that tell well, and with such as tell badly."""
    return _table(results(trainings, seed), results(trainings, seed, rough=True))


def _table(plain: list[Result], rough: list[Result]) -> str:
    return (
        f"{tables.table(plain)}\n\nThe same where progress comes in steps of up to 10 %, wavers, runs ahead or behind"
        f" and stands at 99 % for a while, and where an ETA errs by a third:\n\n{tables.table(rough)}"
    )


@click.command()
@click.option("--trainings", default=_TRAININGS, show_default=True, help="Drawn, that end well.")
@click.option("--seed", default=1, show_default=True, help="All else is drawn from it.")
@click.option("--fleet", default="", help="Numbers of jobs to wait for at once, such as 100,1000,10000.")
@click.option("--write", is_flag=True, help="Write it all into docs/performance.md, with a picture and the fleets.")
def main(trainings: int, seed: int, fleet: str, write: bool) -> None:
    """Print looks and lags of all ways to poll, and, if asked for, what waiting for many jobs costs."""
    if fleet:
        click.echo(_fleet(fleet))
        return
    plain = results(trainings, seed)
    text = _table(plain, results(trainings, seed, rough=True))
    click.echo(text)
    if write:
        PICTURE.write_text(chart.svg(plain))
        picture = f"![Looks and lags]({PICTURE.name})"
        told = f"{text}\n\n{picture}\n\nOne wait for so many trainings, in mid-run:\n\n{_fleet(_FLEETS)}"
        _DOCUMENT.write_text(filled(_DOCUMENT.read_text(), "polling", told))


def _fleet(numbers: str) -> str:
    return tables.costs([cost(int(number)) for number in numbers.split(",")])


if __name__ == "__main__":
    main()
