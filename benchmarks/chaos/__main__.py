"""`python -m benchmarks.chaos`: kill processes for as long as it takes, and count what was paid."""

from __future__ import annotations

import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

import click

from benchmarks.chaos import tables
from benchmarks.chaos.chances import Usual, plan_of
from benchmarks.chaos.control import Control, controls
from benchmarks.chaos.lanes import SPEED, Lane
from benchmarks.chaos.rounds import Plan, play
from benchmarks.chaos.vendors import VENDORS
from benchmarks.chaos.verdict import Verdict
from benchmarks.documents import filled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.chaos.orders import Point

_DOCUMENT = Path(__file__).parents[2] / "docs" / "reliability.md"
_TELL_EVERY = 50


@click.command()
@click.option("--rounds", default=950, show_default=True, help="How many; each kills about one process.")
@click.option("--first", default=1, show_default=True, help="Number of the first one, to repeat one that failed.")
@click.option("--vendors", default=",".join(VENDORS), show_default=True, help="Slugs, with commas between.")
@click.option("--seed", default=1, show_default=True, help="What happens where is drawn from it.")
@click.option("--lanes", default=3, show_default=True, help="Rounds at once, each with a sandbox of its own.")
@click.option("--control/--no-control", default=True, show_default=True, help="Whether to break the promise, too.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="File for the tables, as Markdown.")
@click.option("--write", is_flag=True, help="Write the tables into docs/reliability.md.")
def main(  # noqa: PLR0917 - the options, which are given by name
    rounds: int, first: int, vendors: str, seed: int, lanes: int, control: bool, out: Path | None, write: bool
) -> None:
    """Kill and stop processes that train and generate, let others carry on, and count what the sandbox accepted.

    Exits with 1 if any promise was broken.
    """
    slugs = [slug.strip() for slug in vendors.split(",")]
    if strange := set(slugs) - set(VENDORS):
        raise click.BadParameter(f"no vendor {', '.join(sorted(strange))}; there are {', '.join(VENDORS)}")
    began = time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-")))
        made = [stack.enter_context(Lane(folder / f"lane-{number}")) for number in range(max(1, lanes))]
        usual, starts = _usual(made[0], slugs)
        verdicts = _run(made, seed, range(first, first + rounds), usual)
        proven = controls(made[0], starts) if control else []
    text = _told(verdicts, proven, seed, time.monotonic() - began)
    click.echo(text)
    if out:
        out.write_text(f"{text}\n")
    if write:
        _DOCUMENT.write_text(filled(_DOCUMENT.read_text(), "chaos", text))
    sys.exit(1 if verdicts["all"].broken or not all(one.expected for one in proven) else 0)


def _usual(lane: Lane, slugs: Sequence[str]) -> tuple[dict[str, Usual], dict[str, int]]:
    """How processes fare that nobody disturbs, and where they start a training."""
    usual, starts = {}, {}
    for vendor in slugs:
        play(lane, Plan(vendor))  # the first one is slower
        began = time.monotonic()
        verdict, reports = play(lane, Plan(vendor))
        if verdict.broken:
            raise click.ClickException(f"{vendor}: even undisturbed: {'; '.join(verdict.broken)}")
        usual[vendor] = Usual(len(reports[0].points), time.monotonic() - began)
        starts[vendor] = _start(reports[0].points)
    return usual, starts


def _start(points: Sequence[Point]) -> int:
    return next(at for at, point in enumerate(points, 2) if point.what == "sent training.start")


def _run(lanes: Sequence[Lane], seed: int, numbers: range, usual: dict[str, Usual]) -> dict[str, Verdict]:
    """The verdicts by vendor, and that on all."""
    free: SimpleQueue[Lane] = SimpleQueue()
    for lane in lanes:
        free.put(lane)

    def one(number: int) -> tuple[int, Plan, Verdict]:
        plan, lane = plan_of(seed, number, usual, SPEED), free.get()
        try:
            verdict, _ = play(lane, plan)
        except Exception as error:  # noqa: BLE001 - one round that fails must not end the run
            verdict = Verdict(rounds=1, broken=[f"the round itself failed: {error!r}"])
        finally:
            free.put(lane)
        return number, plan, verdict

    verdicts = {name: Verdict() for name in [*usual, "all"]}
    with ThreadPoolExecutor(len(lanes)) as pool:
        futures = [pool.submit(one, number) for number in numbers]
        for done, future in enumerate(as_completed(futures), 1):
            number, plan, verdict = future.result()
            for name in (plan.vendor, "all"):
                verdicts[name].add(verdict)
            if verdict.broken:
                click.echo(f"round {number} (--seed {seed} --first {number} --rounds 1): {plan}", err=True)
                click.echo("".join(f"  {sentence}\n" for sentence in verdict.broken), err=True)
            if done % _TELL_EVERY == 0:
                click.echo(f"{done} rounds, {verdicts['all'].kills} kills", err=True)
    return verdicts


def _told(verdicts: dict[str, Verdict], proven: Sequence[Control], seed: int, seconds: float) -> str:
    broken = len(verdicts["all"].broken)
    lines = [
        tables.table(verdicts),
        f"Promises broken: {broken}. {seconds:,.0f} seconds, seed {seed}; {tables.versions()}.",
    ]
    if proven:
        lines += [
            "The counter-test: what the promise rests on is taken away, and it breaks, is found out and told.",
            tables.control_table(proven),
        ]
    return "\n\n".join(lines)


if __name__ == "__main__":
    main()
