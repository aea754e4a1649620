"""The app's own table of jobs: one JSON document each, under the app's own key."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from unified_train import Job

LAYOUT = "CREATE TABLE IF NOT EXISTS jobs (key TEXT PRIMARY KEY, reference TEXT, finished INTEGER, document TEXT)"


class JobTable:
    """Jobs by their keys; any number of threads and processes may use one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._opened() as table:
            table.execute(LAYOUT)

    def put(self, job: Job) -> None:
        """Keep a job; a finished one stays as it is, whoever comes late with an older state of it."""
        with self._opened() as table:
            table.execute(
                "INSERT INTO jobs VALUES (?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET reference = excluded.reference,"
                " finished = excluded.finished, document = excluded.document WHERE NOT finished",
                (job.key, job.reference, job.finished, job.model_dump_json()),
            )

    def get(self, key: str) -> Job | None:
        """The job of this key."""
        return next(self._select("key = ?", key), None)

    def by_reference(self, reference: str) -> Job | None:
        """The job that a vendor means."""
        return next(self._select("reference = ?", reference), None)

    def unfinished(self) -> list[Job]:
        """Those to wait for."""
        return list(self._select("NOT finished"))

    def _select(self, condition: str, *values: str) -> Iterator[Job]:
        with self._opened() as table:
            for (document,) in table.execute(f"SELECT document FROM jobs WHERE {condition}", values).fetchall():  # noqa: S608 - ours
                yield Job.model_validate_json(document)

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            yield connection
