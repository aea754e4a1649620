"""A worker that waits for every job the service has started; run one beside it, on the same machine."""

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

from unified_train import Client, Job, Polling, UnifiedTrainError, WaitTimeout

from job_table import JobTable

log = logging.getLogger("worker")


def work(client: Client, jobs: JobTable, *, stop: Callable[[], bool] = lambda: False, pause: float = 60.0) -> None:
    """Take up what a dead process left behind, then wait for all jobs until told to stop.

    Args:
        client: Speaks to every vendor that has jobs.
        jobs: The service's table.
        stop: Asked after each round.
        pause: Seconds of a round, after which jobs that were started meanwhile are waited for too.
    """
    for outcome in client.resume():
        if outcome.job is not None:
            jobs.put(outcome.job)
        else:
            log.error("%s: %s", outcome.key, outcome.error)
    while not stop():
        waiting = jobs.unfinished()
        if not waiting:
            time.sleep(pause)
            continue
        try:
            for job in client.watch(waiting, timeout=pause):
                jobs.put(job)
        except WaitTimeout:
            pass  # they go on; so do we
        except UnifiedTrainError:  # one job can't be looked at; it must not keep the others from being seen
            for job in waiting:
                look(client, jobs, job)
            time.sleep(pause)


def look(client: Client, jobs: JobTable, job: Job) -> None:
    try:
        jobs.put(client.poll(job))
    except UnifiedTrainError as error:
        log.error("%s: %s", job.reference, error)  # noqa: TRY400 - a sentence will do


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    # Each round begins anew to look often and then less so; jobs of half an hour are looked at often enough like this.
    with Client(polling=Polling(first=15.0)) as client:
        work(client, JobTable(Path(os.environ["SERVICE_DATA"]) / "jobs.sqlite"))
