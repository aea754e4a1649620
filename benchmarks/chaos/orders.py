"""What a worker is told, and what it tells: all that passes between the processes."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias

from unified_train.records import Record

Moment: TypeAlias = Literal["before", "between", "after"]
"""Of a point. A request: before it is sent; sent and not answered; answered, down to the last byte. An entry in the
journal: before and after it is on the disk."""
Way: TypeAlias = Literal["call", "resume", "both"]
"""How a process carries on: by the same calls with their keys, by `resume` where that gives a job, or by one after the
other."""
TAG = "x-chaos"
"""Header of the request during which a worker stops, by which the sandbox's log is searched for it."""


class Doom(Record):
    """Where a worker ends, or falls asleep.

    Attributes:
        at: Number of the point, from 1: entries in the journal and requests are counted together.
        moment: Of that point.
        act: `kill` ends it, `stop` puts it to sleep until somebody wakes it.
        tag: Of the request, for `between`.
    """

    at: int
    moment: Moment = "before"
    act: Literal["kill", "stop"] = "kill"
    tag: str = ""


class Orders(Record):
    """The work of one process.

    Attributes:
        vendor: Slug.
        environ: Addresses and credentials.
        folder: Of the round: the journal and the pictures.
        photos: To train on.
        report: File for what came of it.
        key: Of the training; the generation's has `-pictures` behind it.
        number: Of pictures.
        inline: Whether the photos are sent with the training, without an upload before.
        way: See `Way`.
        colour: Of the client.
        parallel: Uploads, calls or downloads at once.
        lease: Seconds.
        grace: Seconds.
        doom: Where it ends; None to let it live.
        settled: What a person has seen of calls whose outcome was unknown: the job of a key, or that there is none.
    """

    vendor: str
    environ: dict[str, str]
    folder: Path
    photos: Path
    report: Path
    key: str
    number: int = 2
    inline: bool = False
    way: Way = "call"
    colour: Literal["sync", "async"] = "sync"
    parallel: int = 1
    lease: float
    grace: float
    doom: Doom | None = None
    settled: dict[str, str | None] = {}

    @property
    def pictures_key(self) -> str:
        """Key of the generation."""
        return f"{self.key}-pictures"


class Point(Record):
    """Something that a worker came by.

    Attributes:
        what: Such as `POST /v3/training/style`, or `sent training.start` of an entry in the journal.
        kind: Of a request whether it creates or bills.
    """

    what: str
    kind: Literal["entry", "read", "paid"]


class Report(Record):
    """What became of the work, if the process lived to tell.

    Attributes:
        jobs: Key and reference of every job that a call gave.
        notes: Of the jobs.
        pictures: Names of the files, as `download` gave them.
        unknown: Key and message of a call whose outcome nobody could find out.
        broken: What went wrong, with its traceback.
        locked: Whether that was a journal which another process held all the time.
        adopted: Operations whose lost answers were found.
        absent: Operations that were sent again, since nothing was found.
        points: All that it came by, in order.
    """

    jobs: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    pictures: tuple[str, ...] = ()
    unknown: tuple[str, str] | None = None
    broken: str | None = None
    locked: bool = False
    adopted: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    points: tuple[Point, ...] = ()
