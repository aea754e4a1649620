"""`python -m benchmarks.performance`: measure, and write what came of it into the document."""

from __future__ import annotations

import time
from pathlib import Path

import click

from benchmarks.documents import filled
from benchmarks.performance import many, polls, report, sandboxes, start, tapes, uploads

_DOCUMENT = Path(__file__).parents[2] / "docs" / "performance.md"
_PICTURES = "performance"
TOPICS = {
    "start": start.measure,
    "polls": polls.measure,
    "submissions": polls.submissions,
    "many-jobs": many.measure,
    "uploads": uploads.measure,
    "sandbox": sandboxes.measure,
}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice([*TOPICS]))
@click.option("--quick", is_flag=True, help="Fewer repetitions and jobs, to see that all works.")
@click.option("--write", is_flag=True, help="Write tables and pictures into docs/performance.md.")
def main(names: tuple[str, ...], quick: bool, write: bool) -> None:
    """Measure topics, or all of them, and print the tables."""
    stage = report.Stage(tapes.record(), quick)
    for name in names or TOPICS:
        began = time.monotonic()
        section = TOPICS[name](stage)
        click.echo(f"\n## {name}\n\n{section.text(_PICTURES)}\n\n({time.monotonic() - began:.0f} seconds)")
        if write:
            _write(section)
    if write:
        _DOCUMENT.write_text(filled(_DOCUMENT.read_text(), "versions", report.versions()))


def _write(section: report.Section) -> None:
    folder = _DOCUMENT.parent / _PICTURES
    folder.mkdir(exist_ok=True)
    for name, picture in section.pictures.items():
        (folder / section.file(name)).write_text(picture)
    text = filled(_DOCUMENT.read_text(), section.name, section.text(_PICTURES))
    _DOCUMENT.write_text(text)


if __name__ == "__main__":
    main()
