"""Waiting for many jobs: when listings stand in for polls, what they are believed, and what all of it costs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import VENDORS
from many_vendor import Life, Listed, Many, driven, listed_provider, turned

from unified_train import (
    AuthenticationError,
    Change,
    Client,
    Dataset,
    Intent,
    InvalidOptions,
    Job,
    Journal,
    PermissionDenied,
    ProviderUnavailable,
    Retry,
    Status,
    TrainingRequest,
    WaitTimeout,
)
from unified_train.config import Config
from unified_train.sandbox import Sandbox

Connect = Callable[..., Any]
LISTS = ("/v1/models", "/v3/training", "/api/v1/personalizedtxt2img/queryModelTrainJobList")


@pytest.fixture
def follow() -> Iterator[Callable[..., Any]]:
    """Wait for all trainings of a vendor on its clock; returns the jobs."""
    clients: list[Client] = []

    def followed(vendor: Many, jobs: list[Job] | None = None, **options: Any) -> Any:
        http = httpx.Client(transport=httpx.MockTransport(vendor))
        client = Client(listed_provider(), http=http, journal=None, config=Config(environ={}), retry=Retry(attempts=1))
        clients.append(client)
        turned(client, vendor)
        waited = client._workflows.wait(jobs or vendor.jobs(), timeout=options.pop("timeout", None), **options)
        return driven(client, vendor, waited)

    yield followed
    for client in clients:
        client.close()


def fleet(number: int, starts: float = 0.0, ends: float = 1200.0) -> dict[str, Life]:
    return {f"t{place}": Life(starts, ends) for place in range(number)}


class TestListing:
    """One listing for many."""

    def test_requests_a_round_do_not_grow_with_the_jobs(self, follow: Callable[..., Any]) -> None:
        """Ten times the jobs take hardly more listings, and polls only where there is news: start and end."""
        small, large = Many(fleet(10)), Many(fleet(90))
        for vendor in (small, large):
            assert {job.status for job in follow(vendor)} == {Status.SUCCEEDED}
        assert large.pages <= small.pages + 5
        assert (len(small.polls), len(large.polls)) == (10 * 2, 90 * 2)

    def test_jobs_of_any_age_share_their_listings(self, follow: Callable[..., Any]) -> None:
        """Trainings that were started one by one are listed together all the same."""
        vendor = Many({f"t{place}": Life(ends=1300.0 + 97 * place) for place in range(8)}, now=600.0)
        began = [vendor.today() - timedelta(seconds=70.0 * place) for place in range(8)]
        jobs = [job.model_copy(update={"created_at": at}) for job, at in zip(vendor.jobs(), began, strict=True)]
        assert all(job.finished for job in follow(vendor, jobs))
        assert len(vendor.polls) <= 8 * 4
        assert vendor.pages < 200

    def test_two_jobs_are_polled(self, follow: Callable[..., Any]) -> None:
        """Fewer than three are not worth a listing."""
        vendor = Many(fleet(2))
        follow(vendor)
        assert not vendor.pages

    def test_the_end_is_seen_as_soon(self, follow: Callable[..., Any]) -> None:
        """With progress in the list, the end of each of many jobs is seen within one percent of its time."""
        vendor = Many({f"t{place}": Life(ends=900.0 + 40 * place) for place in range(30)})
        for job in follow(vendor):
            seen = (job.updated_at - Many({}).today()).total_seconds()
            assert 0 <= seen - vendor.lives[job.id].ends <= 0.012 * vendor.lives[job.id].ends

    def test_a_list_that_tells_no_progress_will_do(self, follow: Callable[..., Any]) -> None:
        """Where only polls tell progress, jobs close to their end are asked, and the end is seen as soon."""
        vendor = Many(fleet(5, ends=1200.0), tells_progress=False)
        jobs = follow(vendor)
        assert vendor.now <= 1200 * 1.015
        assert {job.status for job in jobs} == {Status.SUCCEEDED}
        assert len(vendor.polls) < 5 * 12

    def test_failures_are_polled_for_their_reason(self, follow: Callable[..., Any]) -> None:
        """What a list shows as ended is looked at by itself, once."""
        vendor = Many(fleet(6, ends=20.0))
        for one in list(vendor.lives)[:3]:
            vendor.lives[one].end = "failed"
        jobs = follow(vendor)
        assert [job.status for job in jobs] == [Status.FAILED] * 3 + [Status.SUCCEEDED] * 3
        assert vendor.now <= 25

    def test_a_lagging_list_turns_nothing_back(self, follow: Callable[..., Any]) -> None:
        """A list that is a minute late neither regresses a job nor hides its end for longer than that."""
        vendor = Many(fleet(8, starts=100.0, ends=700.0), lag=60.0)
        seen: list[tuple[str, Status, float]] = []
        jobs = follow(vendor, progress=lambda job: seen.append((job.id, job.status, job.progress or 0.0)))
        for one in vendor.lives:
            steps = [(status, progress) for identifier, status, progress in seen if identifier == one]
            order = [Status.UNKNOWN, Status.QUEUED, Status.RUNNING, Status.SUCCEEDED]
            assert steps == sorted(steps, key=lambda step: (order.index(step[0]), step[1]))
        assert all(len(job.history) <= 3 for job in jobs)
        assert vendor.now <= 770

    def test_a_job_that_is_not_listed_is_polled(self, follow: Callable[..., Any]) -> None:
        """Whatever the list leaves out is looked at by itself; a list that shows none is hardly asked again."""
        vendor = Many(fleet(6), unlisted={"t1", "t4"})
        assert {job.status for job in follow(vendor)} == {Status.SUCCEEDED}
        assert vendor.pages > 10
        assert {one for one in vendor.polls if vendor.polls.count(one) > 6} == {"t1", "t4"}
        hidden = Many(fleet(6), unlisted=set(fleet(6)))
        follow(hidden)
        assert 2 <= hidden.pages <= 12

    def test_a_list_that_is_refused_is_done_without(self, follow: Callable[..., Any]) -> None:
        """Who may not list is polled for; a wrong key is told by the polls themselves."""
        vendor = Many(fleet(4), refusal=403)
        assert {job.status for job in follow(vendor)} == {Status.SUCCEEDED}
        assert vendor.pages == 1

    def test_a_list_that_stumbles_is_tried_again(self, follow: Callable[..., Any]) -> None:
        """A failed listing counts as a failed look at each, and patience ends for both alike."""
        vendor = Many(fleet(4), refusal=503)
        with pytest.raises(ProviderUnavailable):
            follow(vendor)
        assert 600 < vendor.now < 700
        assert not vendor.polls

    def test_the_same_job_twice(self, follow: Callable[..., Any]) -> None:
        """A job that is waited for twice comes back twice."""
        vendor = Many(fleet(4))
        jobs = follow(vendor, [*vendor.jobs(), *vendor.jobs()[:1]])
        assert [job.id for job in jobs] == ["t0", "t1", "t2", "t3", "t0"]
        assert all(job.finished for job in jobs)

    def test_the_first_ends_the_wait(self, follow: Callable[..., Any]) -> None:
        """`until="first"` with many jobs returns with the first that has ended."""
        vendor = Many({**fleet(20, ends=2000.0), "early": Life(ends=300.0)})
        jobs = follow(vendor, until="first")
        assert [job.id for job in jobs if job.finished] == ["early"]
        assert vendor.now < 310

    def test_a_deadline_among_many(self, follow: Callable[..., Any]) -> None:
        """When the time is up, the jobs are there as last seen, and were looked at no more than was due."""
        vendor = Many(fleet(50, ends=5000.0))
        with pytest.raises(WaitTimeout, match="50 of 50 jobs still run after 100 seconds") as late:
            follow(vendor, timeout=100.0)
        assert {job.status for job in late.value.jobs} == {Status.RUNNING}
        assert vendor.now == pytest.approx(100.0)

    def test_two_thousand_jobs(self, follow: Callable[..., Any]) -> None:
        """The whole life of two thousand trainings takes some polls each and, per minute, a listing or a few."""
        vendor = Many(fleet(2000, ends=600.0))
        jobs = follow(vendor)
        assert {job.status for job in jobs} == {Status.SUCCEEDED}
        assert vendor.now < 612
        assert len(vendor.polls) <= 2000 * 2 + 100
        assert vendor.pages <= 20 * 45


class TestLearning:
    """What the journal knows of earlier trainings."""

    def waited(self, vendor: Many, journal: Journal) -> Client:
        http = httpx.Client(transport=httpx.MockTransport(vendor))
        with Client(listed_provider(), http=http, journal=journal, config=Config(environ={})) as client:
            turned(client, vendor)
            driven(client, vendor, client._workflows.wait(vendor.jobs(), timeout=None))
            return client

    def test_earlier_trainings_save_looks(self, tmp_path: Path) -> None:
        """With half an hour as the usual duration, a training takes fewer looks than without a journal of others."""
        journal = Journal(tmp_path / "j.sqlite")
        fresh = Many({"t0": Life(ends=1800.0)})
        self.waited(fresh, journal)
        for number in range(8):
            self._keep(journal, number)
        learned = Many({"t0": Life(ends=1800.0)})
        self.waited(learned, journal)
        journal.close()
        assert len(learned.polls) < len(fresh.polls) - 5
        assert learned.now <= 1800 * 1.01

    def _keep(self, journal: Journal, number: int) -> None:
        start = Many({}).today()
        steps = [(0, Status.QUEUED), (900, Status.RUNNING), (1750 + 10 * number, Status.SUCCEEDED)]
        history = tuple(Change(at=start + timedelta(seconds=at), status=status) for at, status in steps)
        job = Job(
            provider="plain",
            kind="training",
            id=f"old{number}",
            status=Status.SUCCEEDED,
            history=history,
            created_at=start,
        )
        intent = Intent(
            key=f"k{number}", provider="plain", account="a", kind="training", marker="m", digest="d", created_at=start
        )
        journal.begin(intent, "me")
        journal.settle(intent.key, "me", "accepted", job=job)

    def test_a_broken_journal_is_waited_without(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """A journal that can't be read keeps nobody from waiting."""
        path = tmp_path / "j.sqlite"
        path.write_bytes(b"this is no journal" * 500)
        vendor = Many({"t0": Life(ends=30.0)})
        with caplog.at_level("INFO", logger="unified_train"):
            self.waited(vendor, Journal(path))
        assert "nothing is known of earlier jobs" in caplog.text
        assert vendor.now <= 35


class TestResuming:
    """A wait that is taken up later."""

    def test_an_old_job_is_not_looked_at_as_if_it_were_new(self, follow: Callable[..., Any]) -> None:
        """A wait for a training that began forty minutes ago looks at once, and then as seldom as suits its age."""
        vendor = Many({"t0": Life(ends=3000.0)}, now=2400.0)
        started = Many({}).today()
        job = vendor.jobs()[0].model_copy(update={"created_at": started})
        follow(vendor, [job])
        assert 2 <= len(vendor.polls) <= 22
        assert vendor.now <= 3000 * 1.02

    def test_a_vendor_whose_clock_is_ahead(self, follow: Callable[..., Any]) -> None:
        """A job that is said to begin in the future counts as new."""
        vendor = Many({"t0": Life(ends=30.0)})
        ahead = Many({}, now=3600.0).today()
        (job,) = follow(vendor, [vendor.jobs()[0].model_copy(update={"created_at": ahead, "key": None})])
        assert job.status is Status.SUCCEEDED
        assert vendor.now < 35


@pytest.mark.parametrize("vendor", VENDORS)
def test_at_the_sandbox_lists_stand_in_for_polls(
    vendor: str, connect: Connect, sandbox: Sandbox, photos: Dataset
) -> None:
    """Several trainings at once are followed by the vendor's list, and end as they would otherwise."""
    few = Dataset.of(photos.images[:2], trigger="ohwx", class_word="cat")
    client = connect(vendor)
    sandbox.world.clock.set_speed(1200)
    jobs = [client.train(TrainingRequest(name=f"cat-{number}", dataset=few)) for number in range(6)]
    before = len(sandbox.world.requests.entries())
    done = client.wait(jobs, timeout=30)
    assert [(job.id, job.status) for job in done] == [(job.id, Status.SUCCEEDED) for job in jobs]
    assert all(job.model for job in done)
    paths = [entry.path for entry in sandbox.world.requests.entries()[before:]]
    lists = [path for path in paths if path in LISTS]
    assert len(lists) >= 3
    assert len(paths) - len(lists) < 6 * 20


class TestSideBySide:
    """Both engines, with looks at once."""

    def test_a_slow_poll_holds_up_nobody(self, connect: Connect, colour: str) -> None:
        """While one look takes long, the others' ends are seen; no more looks are under way than `parallel`."""
        vendor = Many(fleet(1, ends=0.0) | {"slow": Life(ends=0.0)} | {"late": Life(ends=1.0)})
        hold, lock, under_way, most = threading.Event(), threading.Lock(), 0, 0

        def answer(request: httpx.Request) -> httpx.Response:
            nonlocal under_way, most
            with lock:
                under_way += 1
                most = max(most, under_way)
            if request.url.path.endswith("slow"):
                hold.wait(10)
            with lock:
                under_way -= 1
                vendor.now += 0.4
            return vendor(request)

        async def answer_later(request: httpx.Request) -> httpx.Response:
            import anyio.to_thread

            return await anyio.to_thread.run_sync(answer, request)

        class Unlisted(Listed):
            lists = frozenset()

        http: Any = (
            httpx.Client(transport=httpx.MockTransport(answer))
            if colour == "sync"
            else httpx.AsyncClient(transport=httpx.MockTransport(answer_later))
        )
        seen: list[str] = []

        def progress(job: Job) -> None:
            seen.append(job.id)
            if job.id == "late" and job.finished:
                hold.set()

        client = connect(Unlisted(listed_provider().settings), http=http, parallel=2)
        began = time.monotonic()
        jobs = client.wait(vendor.jobs(), progress=progress)
        assert all(job.finished for job in jobs)
        assert seen[-1] == "slow"
        assert most == 2
        assert time.monotonic() - began < 9

    def test_an_error_that_will_not_pass_ends_all(self, connect: Connect, colour: str) -> None:
        """A wrong key is raised from among many looks."""

        def refuse(_: httpx.Request) -> httpx.Response:
            return httpx.Response(401, json={})

        transport = httpx.MockTransport(refuse)
        http: Any = httpx.Client(transport=transport) if colour == "sync" else httpx.AsyncClient(transport=transport)
        with pytest.raises(AuthenticationError):
            connect(listed_provider(), http=http).wait(Many(fleet(5)).jobs(), timeout=5)

    def test_what_a_callback_raises_ends_the_wait(self, connect: Connect, colour: str) -> None:
        """An error of the caller's own function comes out as it is."""
        transport = httpx.MockTransport(Many(fleet(3, ends=0.0)))
        http: Any = httpx.Client(transport=transport) if colour == "sync" else httpx.AsyncClient(transport=transport)

        def fail(_: Job) -> None:
            raise PermissionDenied("not mine", provider="plain", operation="x", http_status=403)

        with pytest.raises(PermissionDenied, match="not mine"):
            connect(listed_provider(), http=http).wait(Many(fleet(3)).jobs(), timeout=5, progress=fail)

    def test_changes_are_yielded(self, connect: Connect, colour: str) -> None:
        """The iterator yields every job's end, and stops."""
        transport = httpx.MockTransport(Many(fleet(12, ends=0.0)))
        http: Any = httpx.Client(transport=transport) if colour == "sync" else httpx.AsyncClient(transport=transport)
        jobs = list(connect(listed_provider(), http=http).watch(Many(fleet(12)).jobs(), timeout=10))
        assert sorted(job.id for job in jobs) == sorted(fleet(12))

    def test_nothing_to_wait_for(self, connect: Connect) -> None:
        """No jobs at all are a mistake."""
        with pytest.raises(InvalidOptions, match="no jobs"):
            connect(listed_provider()).wait([])
