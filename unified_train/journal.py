"""The journal: what was meant to be submitted, what may have been sent, and what came of it; one SQLite file.

An intent is one call of a user's that may cost money. It belongs to one owner at a time, by a lease that only its owner
can renew and nobody can revive once it has run out. Each record is sealed with a digest: one that was changed by
anything but this module is refused, since acting on it could pay twice.
"""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import threading
import time
from contextlib import contextmanager, suppress
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from pydantic import ValidationError

from unified_train import redact
from unified_train.config import environment
from unified_train.errors import InvalidOptions, JournalError
from unified_train.keeper import Keeper, LeaseLost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from os import PathLike

    from unified_train.intents import Intent, State, Step
    from unified_train.models import Job, JobKind
    from unified_train.records import Record

R = TypeVar("R", bound="Record")

LEASE = 120.0
"""Seconds for which an intent belongs to its owner without a word from it."""
VERSION = 1
"""Of the file's layout."""

_AT_WORK: set[str] = set()
_APPLICATION = 0x75744A31
_BUSY = 10.0
_LAYOUT = """
CREATE TABLE intents (
    key TEXT PRIMARY KEY, pending INTEGER NOT NULL, record TEXT NOT NULL, seal TEXT NOT NULL,
    owner TEXT, lease REAL NOT NULL
);
CREATE TABLE jobs (
    reference TEXT PRIMARY KEY, created_at TEXT NOT NULL, record TEXT NOT NULL, seal TEXT NOT NULL
);
CREATE TABLE claims (
    reference TEXT PRIMARY KEY, key TEXT NOT NULL, part INTEGER NOT NULL
);
"""

_PENDING = """
SELECT key, record, seal, CASE WHEN lease >= ? THEN owner END FROM intents WHERE pending ORDER BY rowid
"""

_NEWEST = """
SELECT reference, record, seal FROM jobs WHERE reference >= ? AND reference < ? ORDER BY created_at DESC LIMIT ?
"""


class Journal:
    """A journal file, for any number of threads, tasks and processes on one machine.

    All methods block for the length of a disk write.

    Args:
        path: Of the file, on a local disk; made on first use, with its folder. `:memory:` keeps it in this process.
        lease: Seconds for which an intent belongs to its owner without a word from it; 60 or more outside of tests.
    """

    def __init__(self, path: str | PathLike[str], *, lease: float = LEASE) -> None:
        self.path = Path(path)
        self.lease = lease
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._process = 0
        self._keeper = Keeper(self.renew, lease / 4)

    @classmethod
    def usual(cls, environ: Mapping[str, str] = os.environ) -> Journal:
        """The one in the folder that `UNIFIED_TRAIN_HOME` names, or else in the user's data folder."""
        home = environ.get(environment.HOME, "").strip()
        if not home:
            from platformdirs import user_data_dir

            home = user_data_dir("unified-train", appauthor=False)
        return cls(Path(home) / "journal.sqlite")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._connection is not None and self._process == os.getpid():
                self._connection.close()
            self._connection = None

    # -- intents -------------------------------------------------------------------------------------------------------

    def begin(self, intent: Intent, owner: str) -> tuple[Intent, bool]:
        """Write a new intent, or take over the one that has its key; returns it, and whether it is the owner's now.

        It is not if it has been accepted, or if another owner is at work on it.

        Raises:
            InvalidOptions: The key was used for another request, or with another account.
            JournalError: The journal can't be read or written.
        """
        with self._writing(to_stay=True) as cursor:
            known = self._read(cursor, intent.key)
            if known is None:
                row = (intent.key, True, *_sealed(intent.key, intent), owner, time.time() + self.lease)
                cursor.execute("INSERT INTO intents VALUES (?, ?, ?, ?, ?, ?)", row)
                return intent, True
            _check_same(known, intent)
            return self._taken(cursor, known, owner)

    def take(self, key: str, owner: str) -> tuple[Intent, bool]:
        """Take over an intent by its key, as `begin` does.

        Raises:
            InvalidOptions: There is none.
            JournalError: The journal can't be read or written.
        """
        with self._writing() as cursor:
            known = self._read(cursor, key)
            if known is None:
                raise InvalidOptions(f"the journal {self.path} has no call with the key {key!r}")
            return self._taken(cursor, known, owner)

    def _taken(self, cursor: sqlite3.Cursor, known: Intent, owner: str) -> tuple[Intent, bool]:
        now = time.time()
        query = "SELECT CASE WHEN lease >= ? THEN owner END FROM intents WHERE key = ?"
        (before,) = cursor.execute(query, (now, known.key)).fetchone()
        if known.state == "accepted" or not _is_gone(before):
            return known, False
        query = "UPDATE intents SET owner = ?, lease = ? WHERE key = ?"
        cursor.execute(query, (owner, now + self.lease, known.key))
        if known.state == "open":
            return known, True
        reopened = known.model_copy(update={"state": "open", "error": None})
        self._store(cursor, reopened)
        return reopened, True

    def renew(self, key: str, owner: str) -> float:
        """Prolong the lease, and return the time at which it ends (seconds since the epoch).

        Raises:
            LeaseLost: It had run out.
            JournalError: The journal can't be read or written.
        """
        with self._writing() as cursor:
            return self._renewed(cursor, key, owner)

    def _renewed(self, cursor: sqlite3.Cursor, key: str, owner: str) -> float:
        now = time.time()
        query = "UPDATE intents SET lease = ? WHERE key = ? AND owner = ? AND lease >= ?"
        if cursor.execute(query, (now + self.lease, key, owner, now)).rowcount != 1:
            raise LeaseLost(key)
        return now + self.lease

    def change(self, key: str, owner: str, edit: Callable[[Intent], Intent]) -> tuple[Intent, float]:
        """Change an intent and prolong its lease; returns it, and the time at which the lease ends.

        Raises:
            LeaseLost: It had run out; nothing was changed.
            JournalError: The journal can't be read or written.
        """
        with self._writing(to_stay=True) as cursor:
            until = self._renewed(cursor, key, owner)
            changed = edit(self._owned(cursor, key))
            self._store(cursor, changed)
            return changed, until

    def keeping(self, key: str, owner: str) -> AbstractContextManager[None]:
        """Prolong a lease again and again while its owner works."""
        return self._keeper.keeping(key, owner)

    def testify(self, key: str, step: Step) -> None:
        """Keep an answer that came when its lease had run out: what was accepted must not be forgotten.

        Whoever owns the intent by now, it stays theirs. An attempt that they have made since counts for more.

        Raises:
            JournalError: The journal can't be read or written.
        """
        with self._writing() as cursor:
            known = self._read(cursor, key)
            if known is None or known.state == "accepted":
                return
            sent = (step.place, "sent", step.attempts)
            if sent in [(other.place, other.state, other.attempts) for other in known.steps]:
                self._store(cursor, known.with_step(step))

    def settle(self, key: str, owner: str, state: State, *, job: Job | None = None, error: str | None = None) -> None:
        """End the work on an intent and give it back; a job is written in the same breath.

        Raises:
            LeaseLost: The lease had run out; nothing was changed.
            JournalError: The journal can't be read or written.
        """
        with self._writing() as cursor:
            self._renewed(cursor, key, owner)
            reference = job.reference if job else None
            ended = {"state": state, "job": reference, "error": error}
            self._store(cursor, self._owned(cursor, key).model_copy(update=ended))
            cursor.execute("UPDATE intents SET owner = NULL, lease = 0 WHERE key = ?", (key,))
            if job:
                self._put(cursor, job)

    def release(self, key: str, owner: str) -> None:
        """Give an intent back as it is, for anybody to go on with."""
        with self._writing() as cursor:
            cursor.execute("UPDATE intents SET owner = NULL, lease = 0 WHERE key = ? AND owner = ?", (key, owner))

    def claim(self, reference: str, key: str, part: int) -> bool:
        """Note that a job at a vendor is this call's; False if it is another's."""
        with self._writing() as cursor:
            cursor.execute("INSERT OR IGNORE INTO claims VALUES (?, ?, ?)", (reference, key, part))
            found = cursor.execute("SELECT key, part FROM claims WHERE reference = ?", (reference,)).fetchone()
            return bool(found == (key, part))

    def claimant(self, reference: str) -> str | None:
        """The key of the call that a job at a vendor is known to be of."""
        with self._reading() as cursor:
            found = cursor.execute("SELECT key FROM claims WHERE reference = ?", (reference,)).fetchone()
            return None if found is None else str(found[0])

    def intent(self, key: str) -> Intent | None:
        """The intent of a key."""
        with self._reading() as cursor:
            return self._read(cursor, key)

    def pending(self) -> list[tuple[Intent, str | None]]:
        """Intents that are open or in doubt, oldest first, each with its owner if one is at work on it."""
        from unified_train.intents import Intent

        with self._reading() as cursor:
            rows = cursor.execute(_PENDING, (time.time(),)).fetchall()
            return [(self._opened(Intent, key, row), None if _is_gone(owner) else owner) for key, *row, owner in rows]

    def _owned(self, cursor: sqlite3.Cursor, key: str) -> Intent:
        found = self._read(cursor, key)
        if found is None:
            raise LeaseLost(key)
        return found

    def _read(self, cursor: sqlite3.Cursor, key: str) -> Intent | None:
        from unified_train.intents import Intent

        row = cursor.execute("SELECT record, seal FROM intents WHERE key = ?", (key,)).fetchone()
        return None if row is None else self._opened(Intent, key, row)

    def _store(self, cursor: sqlite3.Cursor, intent: Intent) -> None:
        pending = intent.state in ("open", "uncertain")
        query = "UPDATE intents SET pending = ?, record = ?, seal = ? WHERE key = ?"
        cursor.execute(query, (pending, *_sealed(intent.key, intent), intent.key))

    # -- jobs ----------------------------------------------------------------------------------------------------------

    def update(self, job: Job) -> None:
        """Keep the new state of a job, if the journal knows it."""
        with self._writing() as cursor:
            if cursor.execute("SELECT 1 FROM jobs WHERE reference = ?", (job.reference,)).fetchone():
                self._put(cursor, job)

    def job(self, reference: str) -> Job | None:
        """A job as last seen."""
        from unified_train.models import Job

        with self._reading() as cursor:
            row = cursor.execute("SELECT record, seal FROM jobs WHERE reference = ?", (reference,)).fetchone()
            return None if row is None else self._opened(Job, reference, row)

    def jobs(self) -> list[Job]:
        """All jobs that were started through this journal, as last seen, newest first."""
        from unified_train.models import Job

        with self._reading() as cursor:
            query = "SELECT reference, record, seal FROM jobs ORDER BY created_at DESC, rowid DESC"
            return [self._opened(Job, reference, row) for reference, *row in cursor.execute(query).fetchall()]

    def durations(self, provider: str, kind: JobKind, most: int = 200) -> list[tuple[str | None, float]]:
        """Base models and seconds of the newest jobs that ended well, of those that somebody has followed.

        What can't be read is left out, since nothing depends on it but how often somebody looks.
        """
        if not self.path.exists() and self._connection is None:
            return []
        with self._reading() as cursor:
            # References begin with both: a range of the index, up to the character after the colon.
            span = f"{provider}:{kind}:", f"{provider}:{kind};"
            rows = cursor.execute(_NEWEST, (*span, most)).fetchall()
        told = [_duration(record) for reference, record, seal in rows if _is_whole(reference, record, seal)]
        return [duration for duration in told if duration is not None]

    def _put(self, cursor: sqlite3.Cursor, job: Job) -> None:
        from unified_train.models import Job

        created = job.created_at.isoformat() if job.created_at else ""
        kept = Job.model_validate(redact.payload(job.model_dump(mode="json")))  # labels are the user's own
        row = (job.reference, created, *_sealed(job.reference, kept))
        cursor.execute("INSERT OR REPLACE INTO jobs VALUES (?, ?, ?, ?)", row)

    # -- the file ------------------------------------------------------------------------------------------------------

    def _opened(self, kind: type[R], key: str, row: Any) -> R:
        record, seal = row
        try:
            if _seal(key, record) == seal:
                return kind.model_validate_json(record)
        except (ValidationError, ValueError, TypeError):
            pass
        raise JournalError(
            f"{self.path}: the record of {key} was changed or damaged; nothing is submitted on its word. Put back a"
            " copy of the file, or move it away to begin a new journal"
        )

    @contextmanager
    def _writing(self, *, to_stay: bool = False) -> Iterator[sqlite3.Cursor]:
        """A transaction; what is to stay is moved from the write-ahead log into the file at once.

        Of a log that is damaged SQLite drops what it can't read, without a word, and a call of which nothing is known
        would be paid for again. Where that can't be done just now it is safe in the log.
        """
        with self._using("BEGIN IMMEDIATE", to_stay=to_stay) as cursor:
            yield cursor

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Cursor]:
        with self._using("BEGIN") as cursor:
            yield cursor

    @contextmanager
    def _using(self, begin: str, *, to_stay: bool = False) -> Iterator[sqlite3.Cursor]:
        with self._lock:
            try:
                connection = self._connected()
                cursor = connection.execute(begin)
                try:
                    yield cursor
                except BaseException:
                    connection.rollback()
                    raise
                connection.commit()
                if to_stay:
                    with suppress(sqlite3.Error):
                        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
            except (sqlite3.Error, OSError, UnicodeError) as error:
                raise self._unusable(error) from None

    def _connected(self) -> sqlite3.Connection:
        """The connection of this process: one made before a fork must not be used after it."""
        if self._connection is None or self._process != os.getpid():
            self._connection, self._process = self._connect(), os.getpid()
        return self._connection

    def _connect(self) -> sqlite3.Connection:
        if str(self.path) != ":memory:":
            _make_private(self.path)
        connection = sqlite3.connect(self.path, timeout=_BUSY, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN")  # else another process could lay the file out between these three
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        connection.rollback()
        is_ours = application == _APPLICATION and version <= VERSION and tables
        if not is_ours and (application, version, tables) != (0, 0, 0):
            raise JournalError(
                f"{self.path}: is no journal of this version of unified_train; name another file, or upgrade"
            )
        # Not the quick check, which passes over an index that lacks a key: the key would seem new, and be paid again.
        if connection.execute("PRAGMA integrity_check(1)").fetchone() != ("ok",) or self._cut_off(connection):
            raise sqlite3.DatabaseError("its structure is broken")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        if not tables:
            self._lay_out(connection)

    def _cut_off(self, connection: sqlite3.Connection) -> bool:
        """Whether the end of the file is missing, and no log is there to mend it: SQLite would take zeros for it."""
        (page_size,) = connection.execute("PRAGMA page_size").fetchone()
        log = self.path.with_name(f"{self.path.name}-wal")
        if not self.path.exists() or (log.exists() and log.stat().st_size):
            return False
        return bool(self.path.stat().st_size % page_size)

    def _lay_out(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        # Another process may have been quicker.
        if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            for statement in filter(str.strip, _LAYOUT.split(";")):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {_APPLICATION}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.commit()

    def _unusable(self, error: Exception) -> JournalError:
        told = str(error) or type(error).__name__
        if "locked" in told or "busy" in told:
            remedy = f"another program has held it for {_BUSY:g} seconds; end that, or name another file"
        elif "full" in told:
            remedy = "make room on the disk"
        elif isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
            remedy = "it was left as it is; put back a copy, or move it away to begin a new journal"
        else:
            remedy = f"make it readable and writable, or set {environment.HOME} to a folder that is"
        return JournalError(f"{self.path}: the journal can't be used ({told}); nothing was submitted: {remedy}")


def new_owner() -> str:
    """A name for one attempt of this process to carry out an intent."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"


@contextmanager
def at_work(owner: str) -> Iterator[None]:
    """Keep others from taking over before the lease has run out."""
    _AT_WORK.add(owner)
    try:
        yield
    finally:
        _AT_WORK.discard(owner)


def _is_gone(owner: object) -> bool:
    """Whether there is no owner, or one that has surely ended, so that nobody need wait for its lease.

    A mistake here costs nothing but work done twice: an owner that was taken over finds that out before it pays.
    """
    if not isinstance(owner, str):
        return True
    host, _, rest = owner.rpartition(":")[0].rpartition(":")
    if host != socket.gethostname() or not rest.isdecimal() or os.name != "posix":
        return False
    if int(rest) == os.getpid():
        return owner not in _AT_WORK
    try:
        os.kill(int(rest), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):  # it is somebody else's process, or none that this system could have
        return False
    return False


def _make_private(path: Path) -> None:
    """Make the file and its folder, for the user's own eyes: prompts and captions are nobody else's business."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def _check_same(known: Intent, asked: Intent) -> None:
    if (known.provider, known.kind, known.digest) != (asked.provider, asked.kind, asked.digest):
        raise InvalidOptions(
            f"the key {asked.key!r} was used for another request (a {known.kind} at {known.provider},"
            f" {known.created_at:%Y-%m-%d %H:%M} UTC); a key stands for one request for ever, so draw a new one"
        )
    if known.account != asked.account:
        raise InvalidOptions(
            f"the key {asked.key!r} was used with another account of {known.provider}; use that account's credentials,"
            " or another key"
        )


def _sealed(key: str, record: Record) -> tuple[str, str]:
    text = record.model_dump_json()
    return text, _seal(key, text)


def _is_whole(key: str, record: object, seal: object) -> bool:
    return isinstance(record, str) and _seal(key, record) == seal


def _duration(record: str) -> tuple[str | None, float] | None:
    """Base model and seconds of a job's record; None unless it has succeeded and was seen running before.

    A job that was looked at but once, perhaps the next morning, does not tell how long it took.
    """
    from unified_train.status import Status

    job = json.loads(record)
    history = job["history"]
    if job["status"] != Status.SUCCEEDED or not any(change["status"] == Status.RUNNING for change in history):
        return None
    began, ended = (datetime.fromisoformat(history[place]["at"]) for place in (0, -1))
    return job["base_model"], (ended - began).total_seconds()


def _seal(key: str, text: str) -> str:
    return sha256(f"{key}\n{text}".encode()).hexdigest()
