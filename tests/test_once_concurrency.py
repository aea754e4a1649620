"""Many at once, with one key or with many: threads, tasks, clients and processes."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from conftest import QUICK, VENDORS
from counting_vendor import Ledger, listing
from helpers import png

from unified_train import (
    AsyncClient,
    Client,
    Dataset,
    Job,
    Journal,
    Polling,
    Retry,
    Status,
    SubmissionUncertain,
    TrainingRequest,
)
from unified_train.sandbox import Sandbox
from unified_train.sandbox.faults import Fault

QUICKLY = Retry(attempts=4, first=0.01, longest=0.1, grace=0.2)
MANY = 50


def cat(**values: Any) -> TrainingRequest:
    dataset = Dataset.of([png(8, 8)], trigger="ohwx", class_word="cat")
    return TrainingRequest(**{"name": "chelsea", "dataset": dataset, **values})


def at_once(work: Callable[[int], Job], count: int = MANY) -> list[Job]:
    """The results of so many threads that begin together."""
    barrier, results, errors = threading.Barrier(count), [], []

    def begun(number: int) -> None:
        barrier.wait()
        try:
            results.append(work(number))
        except Exception as error:  # noqa: BLE001 - raised below, in the test's own thread
            errors.append(error)

    threads = [threading.Thread(target=begun, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise ExceptionGroup("some failed", errors)
    return results


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "j.sqlite"


class TestOneKey:
    """Whoever asks with one key gets one job."""

    def test_threads(self, ledger: Ledger, path: Path) -> None:
        """Many threads on one client submit once."""
        with Client(listing(), http=ledger.http(), journal=path, retry=QUICKLY) as client:
            jobs = at_once(lambda _: client.train(cat(), key="k"))
        assert {job.reference for job in jobs} == {"plain:training:training-1"}
        assert (len(ledger.trainings), len(ledger.images)) == (1, 1)

    def test_tasks(self, ledger: Ledger, path: Path) -> None:
        """Many tasks on one client submit once."""

        async def main() -> list[Job]:
            async with AsyncClient(listing(), http=ledger.http("async"), journal=path, retry=QUICKLY) as client:
                return await asyncio.gather(*[client.train(cat(), key="k") for _ in range(MANY)])

        assert {job.reference for job in asyncio.run(main())} == {"plain:training:training-1"}
        assert (len(ledger.trainings), len(ledger.images)) == (1, 1)

    def test_clients(self, ledger: Ledger, path: Path) -> None:
        """Many clients, each with a journal of its own on a file that is not there yet, submit once."""

        def work(_: int) -> Job:
            with Client(listing(), http=ledger.http(), journal=path, retry=QUICKLY) as client:
                return client.train(cat(), key="k")

        assert {job.reference for job in at_once(work)} == {"plain:training:training-1"}
        assert (len(ledger.trainings), len(ledger.images)) == (1, 1)

    def test_a_lost_answer_among_many(self, ledger: Ledger, path: Path) -> None:
        """While one finds out what became of a lost answer, all others wait for it."""
        ledger.fail("POST */trainings", "lost_after")
        with Client(listing(), http=ledger.http(), journal=path, retry=QUICKLY) as client:
            jobs = at_once(lambda _: client.train(cat(), key="k"), 10)
        assert {job.reference for job in jobs} == {"plain:training:training-1"}
        assert len(ledger.trainings) == 1

    def test_a_failure_among_many(self, ledger: Ledger, path: Path) -> None:
        """When one fails for good, the next of those who wait tries, and the rest get its job."""
        ledger.fail("POST */trainings", "unsent", times=4)
        with closing(Journal(path)) as book:
            with (
                Client(listing(), http=ledger.http(), journal=book, retry=QUICKLY) as client,
                pytest.raises(ExceptionGroup) as failed,
            ):
                at_once(lambda _: client.train(cat(), key="k"), 10)
            assert len(failed.value.exceptions) == 1
            assert [job.id for job in book.jobs()] == ["training-1"]
        assert len(ledger.trainings) == 1

    @pytest.mark.long
    def test_processes(self, sandbox: Sandbox, path: Path) -> None:
        """Processes that start at once on a new journal submit once, and print the same job."""
        code = (
            "import sys; from unified_train import *\n"
            "picture = bytes.fromhex(sys.argv[2])\n"
            "with Client('novita', journal=sys.argv[1], pace=False) as client:\n"
            "    dataset = Dataset.of([picture], trigger='ohwx', class_word='cat')\n"
            "    sys.stdin.read()\n"
            "    print(client.train(TrainingRequest(name='chelsea', dataset=dataset), key='k').reference)\n"
        )
        command = [sys.executable, "-c", code, str(path), png(512, 512).hex()]
        pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": os.environ}
        children = [subprocess.Popen(command, **pipes) for _ in range(3)]
        for child in children:
            assert child.stdin is not None
            child.stdin.close()
            child.stdin = None
        told = [child.communicate(timeout=30)[0].strip() for child in children]
        assert [child.returncode for child in children] == [0] * 3
        (paid,) = sandbox.world.submissions
        assert len(set(told)) == 1
        assert told[0].endswith(paid.id)


class TestManyKeys:
    """As many jobs as keys."""

    def test_threads(self, ledger: Ledger, path: Path) -> None:
        """Each key, asked for by several threads, is submitted once."""
        with Client(listing(), http=ledger.http(), journal=path, retry=QUICKLY) as client:
            jobs = at_once(lambda number: client.train(cat(), key=f"k{number % 10}"))
        assert len(ledger.trainings) == len({job.reference for job in jobs}) == 10
        assert {job.key for job in jobs} == {f"k{number}" for number in range(10)}

    @pytest.mark.long
    def test_five_hundred_jobs_in_bad_weather(self, sandbox: Sandbox, path: Path) -> None:
        """Jobs at three vendors whose every tenth request fails all end, and none is paid for twice."""
        sandbox.world.faults.add(Fault(kind="status", status=500, every=10, times=None))
        count = 500
        started, done = asyncio.run(_bad_weather(path, count))
        assert len({job.reference for job in started}) == len(sandbox.world.submissions) == count
        assert {job.status for job in done} == {Status.SUCCEEDED}
        names = [paid.name for paid in sandbox.world.submissions]
        assert len(set(names)) == count


async def _bad_weather(path: Path, count: int) -> tuple[list[Job], list[Job]]:
    """What was started, and as what it ended."""
    options: dict[str, Any] = {**QUICK, "retry": QUICKLY, "polling": Polling(first=0.5, share=0.3, longest=2.0)}
    async with AsyncClient(*VENDORS, **{**options, "journal": path, "parallel": 32}) as client:
        images = {vendor: await client.upload_image(png(512, 512), provider=vendor) for vendor in VENDORS}

        async def started(number: int) -> Job:
            vendor, key = VENDORS[number % 3], f"k{number}"
            dataset = Dataset.of([images[vendor]], trigger="ohwx", class_word="cat")
            request = TrainingRequest(name=f"n{number}", dataset=dataset)
            while True:
                try:
                    return await client.start_training(request, provider=vendor, key=key)
                except SubmissionUncertain as error:  # the same request failed twice; the same key settles it
                    assert error.key == key  # noqa: PT017 - it must be settled, too

        jobs = await asyncio.gather(*[started(number) for number in range(count)])
        # Without their keys: each end of a training would list all others, in search of doubles.
        waited_for = [job.model_copy(update={"key": None}) for job in jobs]
        return jobs, await client.wait(waited_for, timeout=120)
