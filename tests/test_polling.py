"""When to look again: what the pure function promises, and what it comes to over drawn jobs."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.polling import chart, tables
from benchmarks.polling.contenders import Fixed, Ours, ours
from benchmarks.polling.drawn import Population, drawn
from benchmarks.polling.results import Result, result
from unified_train import Polling
from unified_train.polling import Seen, Trail, Usual, jittered, next_look, usual_by

ANY = st.floats(allow_nan=True, allow_infinity=True)
SECONDS = st.floats(0, 1e6)
USUAL = st.builds(Usual, median=st.floats(1, 1e5), spread=st.floats(0.15, 1.5))
POLLING = st.builds(
    Polling, first=st.floats(0, 20), share=st.floats(0, 1), longest=st.floats(0, 600), patience=st.just(1.0)
)
NONSENSE = st.builds(
    Seen,
    kind=st.sampled_from(["training", "generation"]),
    elapsed=ANY,
    running=ANY,
    progress=st.none() | ANY,
    progress_age=ANY,
    grain=st.sampled_from([0.1, 0.05, 0.01, 0.001]),
    pace=st.none() | ANY,
    eta=st.none() | ANY,
    eta_age=ANY,
    usual=st.none() | USUAL,
    floor=st.floats(0, 100),
)


@given(seen=NONSENSE, polling=POLLING)
def test_whatever_is_told_the_next_look_comes(seen: Seen, polling: Polling) -> None:
    """For any nonsense the wait is finite, no shorter than floor and `first` say and no longer than four `longest`."""
    wait = next_look(seen, polling)
    assert math.isfinite(wait)
    assert max(seen.floor, min(polling.first, polling.longest)) <= wait <= max(4 * polling.longest, seen.floor)


@given(seen=NONSENSE, polling=POLLING)
def test_without_a_living_estimate_nothing_goes_beyond_the_longest(seen: Seen, polling: Polling) -> None:
    """Only a progress or an ETA that still moves is a reason to wait longer than `longest`."""
    silent = Seen(seen.kind, seen.elapsed, usual=seen.usual, floor=seen.floor)
    assert next_look(silent, polling) <= max(polling.longest, seen.floor)
    stuck = Seen(seen.kind, 5000.0, 500.0, 0.1, 4500.0, eta=900.0, eta_age=4000.0, usual=seen.usual, floor=seen.floor)
    assert next_look(stuck, polling) <= max(polling.longest, seen.floor)


@given(seen=NONSENSE, polling=POLLING, more=st.floats(0, 100))
def test_a_larger_floor_never_means_more_looks(seen: Seen, polling: Polling, more: float) -> None:
    """The wait grows with the vendor's floor, and only by as much."""
    wait, longer = next_look(seen, polling), next_look(seen._replace(floor=seen.floor + more), polling)
    assert wait <= longer <= max(wait, seen.floor + more)


@given(elapsed=st.floats(0, 60), eta=st.none() | SECONDS, usual=st.none() | USUAL)
def test_a_young_training_is_looked_at_every_few_seconds(elapsed: float, eta: float | None, usual: Usual) -> None:
    """Whatever its vendor estimates, what fails in the first minute is seen within five seconds, jitter included."""
    assert 1.1 * next_look(Seen(elapsed=elapsed * 0.99, eta=eta, usual=usual), Polling()) < 5


@given(elapsed=SECONDS)
def test_a_generation_is_seen_within_a_share_of_its_age(elapsed: float) -> None:
    """Of a generation nothing needs to be known: the wait is a share of its age, between `first` and `longest`."""
    polling = Polling()
    wait = next_look(Seen("generation", elapsed), polling)
    assert wait == min(polling.longest, max(polling.first, polling.share * elapsed))


def test_an_end_that_is_told_is_hurried_to() -> None:
    """The wait ends short of the estimated end, and near it is a matter of seconds."""
    assert next_look(Seen(elapsed=1000, eta=100), Polling()) == pytest.approx(85)
    assert next_look(Seen(elapsed=1000, eta=2), Polling()) == pytest.approx(4)
    assert next_look(Seen(elapsed=1000, running=900, progress=0.9), Polling()) == pytest.approx(80.7, abs=1)


def test_a_job_that_lasts_longer_than_any_before_is_looked_at_all_the_same() -> None:
    """Far beyond what was learned the waits are those of a job of which nothing is known, or shorter."""
    tight = Usual(300, 0.15)
    for elapsed in (600.0, 3000.0, 30_000.0):
        assert next_look(Seen(elapsed=elapsed, usual=tight), Polling()) <= 60


def test_the_same_chance_gives_the_same_waits() -> None:
    """Jitter is within a tenth and never below the floor; drawn from the same seed it is the same."""
    random.seed(7)
    waits = [jittered(10.0, 9.8) for _ in range(50)]
    random.seed(7)
    assert waits == [jittered(10.0, 9.8) for _ in range(50)]
    assert 9.8 <= min(waits) < max(waits) <= 11
    assert next_look(Seen(elapsed=500), Polling()) == next_look(Seen(elapsed=500), Polling())


class TestTrail:
    """What is remembered of a job's answers."""

    def test_time_in_the_queue_is_no_progress(self) -> None:
        """Progress is measured from when the job left the queue, half way between two looks."""
        trail = Trail(0.0)
        trail.see(100.0, queued=True, progress=0.0, eta=None)
        trail.see(120.0, queued=False, progress=0.0, eta=None)
        trail.see(210.0, queued=False, progress=0.5, eta=None)
        seen = trail.seen(220.0, "training", 220.0)
        assert (seen.running, seen.progress, seen.progress_age) == (100.0, 0.5, 10.0)
        assert seen.pace == pytest.approx(0.5 / 90)

    def test_an_estimate_ages_until_another_is_told(self) -> None:
        """An ETA that stays the same counts from when it was first told."""
        trail = Trail(0.0)
        for now in (10.0, 20.0, 30.0):
            trail.see(now, queued=False, progress=None, eta=600.0)
        seen = trail.seen(30.0, "training", 30.0)
        assert (seen.eta, seen.eta_age) == (600.0, 20.0)

    @pytest.mark.parametrize(
        ("told", "grain"), [([0.1, 0.3], 0.1), ([0.05, 0.1], 0.05), ([0.1, 0.37], 0.01), ([0.1, 0.333, 0.5], 0.001)]
    )
    def test_steps_are_learned_from_what_is_told(self, told: list[float], grain: float) -> None:
        """The finest step that was needed so far is taken for the vendor's."""
        trail = Trail(0.0)
        for now, progress in enumerate(told):
            trail.see(float(now), queued=False, progress=progress, eta=None)
        assert trail.seen(9.0, "training", 9.0).grain == grain


class TestLearning:
    """Durations of earlier jobs."""

    def test_a_few_say_nothing(self) -> None:
        """Fewer than five durations are no history."""
        assert Usual.of([600.0] * 4) is None
        found = Usual.of([600.0] * 5)
        assert found is not None
        assert found.median == pytest.approx(600.0)
        assert found.spread == 0.15

    def test_strays_do_not_matter(self) -> None:
        """A job looked at only the next morning, a zero and a nonsense change neither median nor spread by much."""
        chance = random.Random(1)  # noqa: S311 - no secret
        usual = [600 * math.exp(0.2 * chance.gauss(0, 1)) for _ in range(40)]
        with_strays = Usual.of([*usual, 50_000.0, 0.0, -1.0, math.inf, math.nan])
        assert with_strays is not None
        assert with_strays.median == pytest.approx(600, rel=0.1)
        assert with_strays.spread < 0.3

    def test_base_models_have_their_own_once_they_have_enough(self) -> None:
        """The vendor's durations stand in for a base model with too few."""
        found = usual_by([("a", 600.0)] * 6 + [("b", 60.0)] * 2 + [(None, 600.0)])
        assert set(found) == {None, "a"}
        assert usual_by([]) == {}


@pytest.fixture(scope="module")
def population() -> Population:
    return drawn(300, seed=1)


@pytest.fixture(scope="module")
def results(population: Population) -> dict[str, Result]:
    usual = Usual.of(population.past)
    return {one.name: result(one, population) for one in ours(usual)}


class TestGoals:
    """What the schedule promises, over the drawn population."""

    def test_nothing_known(self) -> None:
        """Without hints: 60 looks at a training and 1.4 % of its time at most, on average."""
        # More of them, since here the delay is a matter of chance; of 6,000 it is 1.38 %.
        many, few = drawn(1500, seed=1), drawn(150, seed=1)
        told = result(
            Ours("ours"), Population(many.trainings, few.failures, few.deaths, few.quiet, few.generations, ())
        )
        assert told.looks <= 60
        assert told.lag <= 0.014
        assert told.generation <= 0.16

    @pytest.mark.parametrize("hint", ["progress", "ETA"])
    def test_hints(self, results: dict[str, Result], hint: str) -> None:
        """With progress or an ETA: 40 looks and 0.3 % at most; with what was learned on top, 30 looks."""
        told, learned = results[f"ours, {hint}"], results[f"ours, {hint}, learned"]
        assert told.looks <= 40
        assert told.lag <= 0.003
        assert learned.looks <= 30
        assert learned.lag <= 0.003

    def test_failures_and_quiet_jobs(self, results: dict[str, Result]) -> None:
        """A failure in the first minute is seen within five seconds; a job that falls silent is still followed."""
        assert max(told.failure for told in results.values()) <= 5
        assert max(told.quiet for told in results.values()) <= 0.02

    def test_half_the_share_is_twice_the_looks(self, population: Population) -> None:
        """`share` trades looks for delay."""
        some = population.failures[:3]
        few = Population(population.trainings[::10], some, some, some, population.generations[:3], ())
        usual = result(Ours("usual"), few)
        eager = result(Ours("eager", polling=Polling(share=0.075)), few)
        assert eager.looks > 1.5 * usual.looks
        assert eager.lag < 0.7 * usual.lag


def test_the_table_and_the_picture_are_those_of_the_results(population: Population, results: dict[str, Result]) -> None:
    """Every contender is in the table and, if it is within the picture, in that."""
    all_of_them: list[Any] = [result(Fixed("every 30 s", 30.0), population), *results.values()]
    text, picture = tables.table(all_of_them), chart.svg(all_of_them)
    for one in all_of_them:
        assert f"| {one.name} |" in text
        assert one.name in picture
