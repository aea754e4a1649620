"""The journal file: who owns an intent, what is kept, and that nothing is done on the word of a wrong file."""

from __future__ import annotations

import os
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from counting_vendor import Ledger, listing
from helpers import png
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unified_train import (
    Change,
    Dataset,
    Effect,
    InvalidOptions,
    Job,
    Journal,
    JournalError,
    Status,
    TrainingRequest,
    journal,
)
from unified_train.intents import Intent, Step
from unified_train.journal import at_work, new_owner
from unified_train.keeper import LeaseLost

NOW = datetime(2026, 1, 2, tzinfo=UTC)
NEEDS_POSIX = pytest.mark.skipif(os.name != "posix", reason="Windows has neither forks nor permission bits")


def intent(key: str = "k", **facts: Any) -> Intent:
    known = {"provider": "plain", "account": "a", "kind": "training", "marker": "m", "digest": "d", "created_at": NOW}
    return Intent(**{"key": key, **known, **facts})


def step(state: str = "sent", *, part: int = 0, position: int = 0, effect: Effect = Effect.PAY) -> Step:
    facts: Any = {"operation": "training.start", "effect": effect, "target": "POST /x", "sent_at": NOW, "state": state}
    return Step(part=part, position=position, **facts)


def job(number: int = 1, **facts: Any) -> Job:
    created = {"created_at": NOW, **facts}
    return Job(provider="plain", kind="training", id=str(number), status=Status.QUEUED, **created)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "j.sqlite"


@pytest.fixture
def book(path: Path) -> Iterator[Journal]:
    with closing(Journal(path, lease=30)) as made:
        yield made


@pytest.fixture
def other(path: Path) -> Iterator[Journal]:
    """The same file, as another process has it open."""
    with closing(Journal(path, lease=30)) as made:
        yield made


def run_out(path: Path) -> None:
    """Let every lease end, as time does."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE intents SET lease = 1 WHERE owner IS NOT NULL")


class TestOwners:
    """One intent, one owner."""

    def test_a_new_intent_belongs_to_whoever_wrote_it(self, book: Journal) -> None:
        """What is begun comes back as it was, and is the beginner's."""
        asked = intent(name="chelsea", request={"a": [1, None]})
        assert book.begin(asked, "me") == (asked, True)
        assert book.intent("k") == asked
        assert book.pending() == [(asked, "me")]

    def test_a_second_owner_gets_the_intent_but_not_the_work(self, book: Journal, other: Journal) -> None:
        """As long as the first lease lasts, another process only learns of the intent."""
        book.begin(intent(), "me")
        assert other.begin(intent(), "you") == (intent(), False)
        assert other.take("k", "you") == (intent(), False)

    def test_an_intent_that_was_left_behind_can_be_taken(self, path: Path, book: Journal, other: Journal) -> None:
        """When a lease has run out, the next who asks is the owner."""
        book.begin(intent(), "me")
        run_out(path)
        assert other.pending() == [(intent(), None)]
        assert other.begin(intent(), "you") == (intent(), True)
        assert other.pending() == [(intent(), "you")]

    def test_a_lease_that_ran_out_is_never_revived(self, path: Path, book: Journal) -> None:
        """Its former owner can't renew, change or settle, though nobody else has taken it, and leaves no trace."""
        book.begin(intent(), "me")
        run_out(path)
        attempts: list[Callable[[], object]] = [
            lambda: book.renew("k", "me"),
            lambda: book.change("k", "me", lambda known: known.with_step(step())),
            lambda: book.settle("k", "me", "accepted", job=job()),
        ]
        for attempt in attempts:
            with pytest.raises(LeaseLost):
                attempt()
        assert book.intent("k") == intent()
        assert book.jobs() == []

    def test_a_lease_ends_by_itself(self, path: Path) -> None:
        """Time alone ends a lease, and each renewal puts the end off."""
        with closing(Journal(path, lease=0.06)) as book:
            book.begin(intent(), "me")
            before = time.time()
            until = book.renew("k", "me")
            assert before + 0.06 <= until <= time.time() + 0.06
            time.sleep(0.07)
            with pytest.raises(LeaseLost):
                book.renew("k", "me")

    @NEEDS_POSIX
    @pytest.mark.parametrize(
        ("owner", "taken"),
        [
            ("{host}:{pid}:x", True),  # of this process, which says that it is not at work on it
            ("{host}:{gone}:x", True),
            ("{host}:1:x", False),
            ("{host}:99999999999999999999:x", False),
            ("elsewhere:{gone}:x", False),
            ("{host}:²:x", False),
        ],
    )
    def test_an_owner_that_has_ended_is_not_waited_for(self, owner: str, taken: bool, book: Journal) -> None:
        """A process of this machine that is no more has no lease; of others, and of what can't be told, it is kept."""
        child = subprocess.Popen([sys.executable, "-S", "-c", ""])
        child.wait()
        named = owner.format(host=socket.gethostname(), pid=os.getpid(), gone=child.pid)
        book.begin(intent(), named)
        assert book.pending() == [(intent(), None if taken else named)]
        assert book.begin(intent(), "me") == (intent(), taken)

    def test_an_owner_at_work_in_this_process(self, book: Journal) -> None:
        """While this process is at work on an intent nobody takes it, and from then on anybody may."""
        owner = new_owner()
        with at_work(owner):
            book.begin(intent(), owner)
            assert book.take("k", "me") == (intent(), False)
        if os.name == "posix":
            assert book.take("k", "me") == (intent(), True)

    def test_only_the_owner_changes_an_intent(self, book: Journal, other: Journal) -> None:
        """A name that does not own it, or a key that is not there, changes nothing."""
        book.begin(intent(), "me")
        for key, owner in (("k", "you"), ("none", "me")):
            with pytest.raises(LeaseLost):
                other.change(key, owner, lambda known: known.with_step(step()))
        assert book.intent("k") == intent()

    def test_a_change_is_seen_at_once_elsewhere_and_prolongs_the_lease(self, book: Journal, other: Journal) -> None:
        """Two journals on one file see each other's writing."""
        book.begin(intent(), "me")
        before = time.time()
        changed, until = book.change("k", "me", lambda known: known.with_step(step()))
        assert changed.steps == (step(),)
        assert until >= before + 30
        assert other.intent("k") == changed

    def test_a_released_intent_is_anybodys(self, book: Journal, other: Journal) -> None:
        """Who gives it back leaves it as it is; who is not the owner gives nothing back."""
        book.begin(intent(), "me")
        other.release("k", "you")
        assert other.take("k", "you") == (intent(), False)
        book.release("k", "me")
        assert other.take("k", "you") == (intent(), True)

    def test_an_edit_that_fails_changes_nothing(self, book: Journal) -> None:
        """An error inside a change leaves the intent and the journal usable."""
        book.begin(intent(), "me")
        with pytest.raises(ZeroDivisionError):
            book.change("k", "me", lambda known: known.with_step(step(position=1 // 0)))
        assert book.change("k", "me", lambda known: known)[0] == intent()

    def test_a_row_that_vanished_under_its_owner(self, path: Path, book: Journal, monkeypatch: Any) -> None:
        """An intent that somebody deletes between two statements is lost, not made anew."""
        book.begin(intent(), "me")
        monkeypatch.setattr(book, "_read", lambda *_: None)
        with pytest.raises(LeaseLost):
            book.change("k", "me", lambda known: known)

    def test_taking_what_is_not_there(self, book: Journal, path: Path) -> None:
        """An unknown key is an error that names it and the file."""
        with pytest.raises(InvalidOptions, match="has no call with the key 'k'") as error:
            book.take("k", "me")
        assert str(path) in str(error.value)
        assert book.intent("k") is None

    def test_nobody_writes_between_a_look_and_an_entry(self, book: Journal, other: Journal, monkeypatch: Any) -> None:
        """Whoever begins has the file to itself from the first look on; another waits, and neither fails."""
        monkeypatch.setattr(journal, "_BUSY", 0.05)
        other.pending()
        book.pending()
        read = book._read

        def meanwhile(*looked_up: Any) -> Intent | None:
            with pytest.raises(JournalError, match=r"has held it for 0\.05 seconds"):
                other.begin(intent("l"), "you")
            return read(*looked_up)

        monkeypatch.setattr(book, "_read", meanwhile)
        assert book.begin(intent(), "me") == (intent(), True)
        assert other.begin(intent("l"), "you") == (intent("l"), True)

    def test_many_threads_want_one_intent(self, book: Journal) -> None:
        """Of many who ask at once for one intent exactly one becomes its owner."""
        barrier, mine = threading.Barrier(16), []

        def ask(number: int) -> None:
            barrier.wait()
            mine.append(book.begin(intent(), f"owner {number}")[1])

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(mine) == [False] * 15 + [True]


class TestSameRequest:
    """A key stands for one request for ever."""

    @pytest.mark.parametrize(
        "other", [{"digest": "e"}, {"provider": "novita"}, {"kind": "generation"}, {"digest": "e", "account": "b"}]
    )
    def test_another_request(self, book: Journal, other: dict[str, Any]) -> None:
        """The key of another request is refused, with what it was used for."""
        book.begin(intent(), "me")
        with pytest.raises(InvalidOptions, match=r"key 'k' was used for another request \(a training at plain, 2026"):
            book.begin(intent(**other), "you")

    def test_another_account(self, book: Journal) -> None:
        """The key of another account is refused."""
        book.begin(intent(), "me")
        with pytest.raises(InvalidOptions, match="key 'k' was used with another account of plain"):
            book.begin(intent(account="b"), "you")

    def test_what_does_not_count(self, book: Journal, other: Journal) -> None:
        """The same request is the same whatever time it is made at and whatever else is kept with it."""
        book.begin(intent(), "me")
        book.release("k", "me")
        again = intent(created_at=datetime.now(UTC), request={"labels": {}})
        assert other.begin(again, "you") == (intent(), True)


class TestEnds:
    """What becomes of an intent."""

    def test_an_accepted_intent_is_nobodys_work_any_more(self, book: Journal, other: Journal) -> None:
        """With its job it leaves the pending ones, and whoever begins or takes it gets the job's reference."""
        book.begin(intent(), "me")
        book.settle("k", "me", "accepted", job=job())
        known, mine = other.begin(intent(), "you")
        assert (known.state, known.job, mine) == ("accepted", "plain:training:1", False)
        assert other.take("k", "you") == (known, False)
        assert other.pending() == []
        assert other.job("plain:training:1") == job()
        with pytest.raises(LeaseLost):
            book.settle("k", "me", "refused")

    @pytest.mark.parametrize("state", ["refused", "uncertain"])
    def test_an_intent_without_a_job_can_be_taken_again(self, book: Journal, state: Any) -> None:
        """The same key tries again, and forgets the old error but not the steps."""
        book.begin(intent(), "me")
        book.change("k", "me", lambda known: known.with_step(step()))
        book.settle("k", "me", state, error="no money")
        kept = book.intent("k")
        assert kept is not None
        assert (kept.state, kept.error) == (state, "no money")
        assert [known.key for known, _ in book.pending()] == (["k"] if state == "uncertain" else [])
        known, mine = book.begin(intent(), "you")
        assert (known.state, known.error, known.steps, mine) == ("open", None, (step(),), True)
        assert book.pending() == [(known, "you")]

    def test_pending_ones_come_oldest_first(self, book: Journal) -> None:
        """What waits is listed in the order in which it was begun."""
        for key in ("b", "c", "a"):
            book.begin(intent(key), "me")
        book.settle("c", "me", "refused")
        assert [known.key for known, _ in book.pending()] == ["b", "a"]


class TestSteps:
    """What an intent knows of its requests."""

    def test_steps_are_replaced_in_their_places(self) -> None:
        """A later state of a step takes the place of the earlier one; others, and harmless ones, have their own."""
        first, second = step(position=0), step(position=1)
        harmless = step("answered", position=0, effect=Effect.REPEATABLE)
        answered = step("answered", position=0)
        known = intent()
        for one in (first, harmless, second, answered):
            known = known.with_step(one)
        assert known.steps == (answered, harmless, second)

    def test_doubt(self) -> None:
        """A step that was sent and not answered leaves the intent in doubt."""
        assert intent().with_step(step("answered")).with_step(step("sent", position=1)).in_doubt
        assert not intent().with_step(step("answered")).with_step(step("void", position=1)).in_doubt

    def test_kinds_of_steps(self) -> None:
        """The steps of one flow that create or bill are told from those that do no harm twice."""
        paid, made, put = step(), step(position=1, effect=Effect.CREATE), step(effect=Effect.REPEATABLE)
        known = intent().with_step(paid).with_step(put).with_step(made).with_step(step(part=1))
        assert known.creating(0) == [paid, made]
        assert known.harmless(0) == [put]
        assert known.harmless(1) == []


class TestJobs:
    """Jobs as last seen."""

    def test_newest_first(self, book: Journal) -> None:
        """Jobs come by their own time, the later written first where it is the same or unknown."""
        times = [None, NOW, NOW.replace(month=3), NOW, None]
        for number, created in enumerate(times):
            book.begin(intent(str(number)), "me")
            book.settle(str(number), "me", "accepted", job=job(number, created_at=created))
        assert [known.id for known in book.jobs()] == ["2", "3", "1", "4", "0"]

    def test_only_known_jobs_are_updated(self, book: Journal, other: Journal) -> None:
        """A job that did not come through this journal is not taken in by looking at it."""
        book.begin(intent(), "me")
        book.settle("k", "me", "accepted", job=job())
        after = job().model_copy(update={"status": Status.RUNNING})
        book.update(after)
        book.update(job(2))
        assert other.jobs() == [after]
        assert other.job("plain:training:2") is None

    def test_a_claim_is_kept(self, book: Journal, other: Journal) -> None:
        """A job at a vendor is one part of one call's, for ever."""
        assert book.claim("plain:generation:1", "k", 0)
        assert other.claim("plain:generation:1", "k", 0)
        assert not other.claim("plain:generation:1", "k", 1)
        assert not other.claim("plain:generation:1", "l", 0)
        assert other.claim("plain:generation:2", "l", 0)


class TestPlace:
    """Where the file is, and who may read it."""

    def test_the_variable_names_the_folder(self, tmp_path: Path) -> None:
        """`UNIFIED_TRAIN_HOME` names the folder of the usual journal."""
        assert Journal.usual({"UNIFIED_TRAIN_HOME": f" {tmp_path} "}).path == tmp_path / "journal.sqlite"

    @pytest.mark.parametrize("environ", [{}, {"UNIFIED_TRAIN_HOME": " "}])
    def test_the_users_data_folder(self, environ: dict[str, str], monkeypatch: Any) -> None:
        """Without the variable it is in the folder that the system has for a user's data."""
        monkeypatch.setattr("platformdirs.user_data_dir", lambda name, appauthor: f"/data/{name}")
        assert Journal.usual(environ).path == Path("/data/unified-train/journal.sqlite")

    def test_nothing_is_made_before_it_is_used(self, path: Path) -> None:
        """A journal that nobody asks has no file, and closing it is no use of it."""
        Journal(path).close()
        assert not path.parent.exists()

    @NEEDS_POSIX
    def test_it_is_private(self, path: Path, book: Journal) -> None:
        """File, write-ahead log and folder are for the user's own eyes, whatever the umask."""
        before = os.umask(0)
        try:
            book.begin(intent(), "me")
        finally:
            os.umask(before)
        modes = {item.name: stat.S_IMODE(item.stat().st_mode) for item in [path.parent, *path.parent.iterdir()]}
        assert modes.pop("data") == 0o700
        assert "j.sqlite-wal" in modes
        assert set(modes.values()) == {0o600}

    def test_it_is_on_the_disk_before_anything_leaves(self, path: Path, book: Journal) -> None:
        """Each entry is flushed to the disk, so that a power failure right after it can't undo it."""
        book.begin(intent(), "me")
        asked = [book._connected().execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "journal_mode")]
        assert asked == [2, "wal"]  # FULL

    def test_memory(self, tmp_path: Path, monkeypatch: Any) -> None:
        """`:memory:` is a journal without a file."""
        monkeypatch.chdir(tmp_path)
        with closing(Journal(":memory:")) as book:
            book.begin(intent(), "me")
            assert book.pending() == [(intent(), "me")]
        assert list(tmp_path.iterdir()) == []

    def test_it_opens_again_after_it_was_closed(self, book: Journal) -> None:
        """Closing is no end: the next use opens the file again."""
        book.begin(intent(), "me")
        book.close()
        assert book.intent("k") == intent()

    def test_a_zero_byte_file_becomes_a_journal(self, path: Path, book: Journal) -> None:
        """An empty file is what a process leaves that dies while it makes one, so it is used."""
        path.parent.mkdir()
        path.touch()
        book.begin(intent(), "me")
        assert book.intent("k") == intent()

    def test_another_process_sees_it(self, path: Path, book: Journal) -> None:
        """A new interpreter reads what this one wrote, and this one what it changed."""
        book.begin(intent(), "me")
        code = (
            "import sys; from unified_train import Journal\n"
            "book = Journal(sys.argv[1]); known, owner = book.pending()[0]\n"
            "assert owner == 'me', owner\n"
            "book.change('k', 'me', lambda intent: intent.model_copy(update={'name': 'theirs'})); book.close()"
        )
        subprocess.run([sys.executable, "-c", code, str(path)], check=True)
        known = book.intent("k")
        assert known is not None
        assert known.name == "theirs"

    @NEEDS_POSIX
    def test_a_fork_has_a_connection_of_its_own(self, path: Path, book: Journal) -> None:
        """A forked child writes through its own connection, which leaves its parent's as it was."""
        book.begin(intent("parent"), "me")
        inherited = book._connection
        pid = os.fork()
        if pid == 0:  # pragma: no cover - the child's coverage is not collected
            book.begin(intent("child"), "me")
            fresh = book._connection is not inherited
            book.close()
            os._exit(0 if fresh else 1)
        assert os.waitpid(pid, 0)[1] == 0
        book.begin(intent("parent again"), "me")
        assert book._connection is inherited
        assert [known.key for known, _ in book.pending()] == ["parent", "child", "parent again"]
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]

    def test_a_child_does_not_close_its_parents_connection(self, book: Journal, monkeypatch: Any) -> None:
        """Closing in a child only forgets a connection that was made before the fork."""
        book.begin(intent(), "me")
        inherited = book._connection
        assert inherited is not None
        monkeypatch.setattr(os, "getpid", lambda: -1)
        book.close()
        assert inherited.execute("SELECT count(*) FROM intents").fetchone() == (1,)
        inherited.close()


def digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def full_journal(path: Path) -> Path:
    """A closed journal with some of everything in it."""
    with closing(Journal(path)) as book:
        for number in range(12):
            book.begin(intent(f"key {number}", name="x" * 300), "me")
            book.change(f"key {number}", "me", lambda known: known.with_step(step()))
        for number in range(6):
            book.settle(f"key {number}", "me", "accepted", job=job(number, name="y" * 300))
        book.claim("plain:training:0", "key 0", 0)
    return path


USES: list[Callable[[Journal], object]] = [
    lambda book: book.begin(intent("new"), "me"),
    lambda book: book.take("key 7", "you"),
    lambda book: book.renew("key 7", "me"),
    lambda book: book.change("key 7", "me", lambda known: known),
    lambda book: book.settle("key 7", "me", "refused"),
    lambda book: book.release("key 7", "me"),
    lambda book: book.claim("plain:training:1", "key 1", 0),
    lambda book: book.intent("key 7"),
    lambda book: book.pending(),
    lambda book: book.update(job()),
    lambda book: book.job("plain:training:1"),
    lambda book: book.jobs(),
]


def refused(path: Path, match: str) -> None:
    """No use of the file gets further than an error, and the file stays as it is."""
    before = digest(path)
    with closing(Journal(path)) as book:
        for use in USES:
            with pytest.raises(JournalError, match=match) as error:
                use(book)
            assert str(path) in str(error.value)
    assert digest(path) == before


class TestNoJournal:
    """Files that are none, or no longer."""

    BROKEN = "put back a copy, or move it away to begin a new journal"
    FOREIGN = "is no journal of this version of unified_train; name another file, or upgrade"

    @pytest.mark.parametrize("text", ["a shopping list\n" * 500, "\x00" * 4096, "SQLite format 3\x00" + "x" * 999])
    def test_a_text_file(self, tmp_path: Path, text: str) -> None:
        """Something that is no database is refused, with what to do, and not touched."""
        path = tmp_path / "list.txt"
        path.write_text(text)
        refused(path, self.BROKEN)

    @pytest.mark.parametrize("mode", ["DELETE", "WAL"])
    def test_a_foreign_database(self, tmp_path: Path, mode: str) -> None:
        """A database of another program is refused and not touched."""
        path = tmp_path / "theirs.sqlite"
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(f"PRAGMA journal_mode = {mode}")
            connection.execute("CREATE TABLE theirs (a)")
        refused(path, self.FOREIGN)

    def test_an_empty_foreign_database(self, tmp_path: Path) -> None:
        """A database that another program has marked as its own is refused though it is empty."""
        path = tmp_path / "theirs.sqlite"
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("PRAGMA application_id = 77")
        refused(path, self.FOREIGN)

    def test_a_newer_version(self, tmp_path: Path) -> None:
        """A journal of a later layout is refused, and says that an upgrade helps."""
        path = full_journal(tmp_path / "j.sqlite")
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(f"PRAGMA user_version = {journal.VERSION + 1}")
        refused(path, self.FOREIGN)

    def test_missing_tables(self, tmp_path: Path) -> None:
        """A journal from which tables were taken is refused, and not laid out anew."""
        path = full_journal(tmp_path / "j.sqlite")
        with closing(sqlite3.connect(path)) as connection, connection:
            for table in ("intents", "jobs", "claims"):
                connection.execute(f"DROP TABLE {table}")
        refused(path, "journal")

    @pytest.mark.parametrize("share", [0.001, 0.004, 0.1, 0.5, 0.9])
    def test_a_truncated_journal(self, tmp_path: Path, share: float) -> None:
        """A journal that was cut off anywhere is refused and not touched."""
        path = full_journal(tmp_path / "j.sqlite")
        data = path.read_bytes()
        path.write_bytes(data[: max(1, int(len(data) * share))])
        refused(path, self.BROKEN)

    def test_a_journal_cut_at_a_page(self, tmp_path: Path) -> None:
        """Whole pages that are missing at the end are missed."""
        path = full_journal(tmp_path / "j.sqlite")
        data = path.read_bytes()
        for pages in {1, 2, len(data) // 8192, len(data) // 4096 - 1}:
            path.write_bytes(data[: pages * 4096])
            refused(path, self.BROKEN)

    @pytest.mark.parametrize("few", [1, 1000, 4095])
    def test_a_journal_that_lacks_a_few_bytes(self, tmp_path: Path, few: int) -> None:
        """What is cut off within the last page is missed too, even if nobody had written there."""
        path = full_journal(tmp_path / "j.sqlite")
        path.write_bytes(path.read_bytes()[:-few])
        refused(path, self.BROKEN)

    @pytest.mark.parametrize("table", ["intents", "jobs"])
    def test_a_record_that_was_changed(self, tmp_path: Path, table: str) -> None:
        """A record that anything but the journal has changed is refused by name; others are still good."""
        path = full_journal(tmp_path / "j.sqlite")
        with closing(sqlite3.connect(path)) as connection, connection:
            change = f"UPDATE {table} SET record = replace(record, 'plain', 'blank') WHERE rowid = 1"  # noqa: S608
            assert connection.execute(change).rowcount == 1
        before = digest(path)
        with closing(Journal(path)) as book:
            uses: list[Callable[[], object]] = [book.jobs, lambda: book.job("plain:training:0")]
            if table == "intents":
                uses = [lambda: book.intent("key 0"), lambda: book.take("key 0", "me")]
            for use in uses:
                with pytest.raises(JournalError, match="was changed or damaged; nothing is submitted on its word"):
                    use()
            assert book.intent("key 1")
        assert digest(path) == before

    @pytest.mark.parametrize("text", ["", "{}", "null", "[", '{"key": 1}', "\x00"])
    def test_a_record_with_a_good_seal_that_is_no_record(self, tmp_path: Path, text: str) -> None:
        """A seal alone makes no record."""
        path = full_journal(tmp_path / "j.sqlite")
        with closing(sqlite3.connect(path)) as connection, connection:
            row = (text, journal._seal("key 7", text))
            connection.execute("UPDATE intents SET record = ?, seal = ? WHERE key = 'key 7'", row)
        with closing(Journal(path)) as book, pytest.raises(JournalError, match="the record of key 7 was changed"):
            book.pending()

    def test_a_key_that_was_changed_in_the_index_alone(self, tmp_path: Path) -> None:
        """Where a flipped bit lets a key be missed it is no new key, which would be paid for again."""
        content = full_journal(tmp_path / "j.sqlite").read_bytes()
        places = [place for place in range(len(content)) if content.startswith(b"key 7", place)]
        assert len(places) > 2
        for place in places:
            changed = bytearray(content)
            changed[place + 4] ^= 1
            path = tmp_path / f"{place}.sqlite"
            path.write_bytes(changed)
            with closing(Journal(path)) as book:
                try:
                    known, _ = book.begin(intent("key 7"), "you")
                except JournalError:
                    assert path.read_bytes() == changed
                else:
                    assert known.steps == (step(),)

    @given(data=st.data())
    @settings(max_examples=60, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
    def test_flipped_bytes(self, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
        """Whatever bytes are flipped, a journal gives what was written or a `JournalError`, and stays as it is."""
        whole = tmp_path_factory.getbasetemp() / "whole" / "j.sqlite"
        if not whole.exists():
            full_journal(whole)
        with closing(Journal(whole)) as book:
            good = [*book.jobs(), *(known for known, _ in book.pending())]
        content = bytearray(whole.read_bytes())
        places = st.integers(0, len(content) - 1) | st.integers(0, 120)
        for place in data.draw(st.lists(places, min_size=1, max_size=8)):
            content[place] ^= data.draw(st.integers(1, 255))
        with TemporaryDirectory() as folder, closing(Journal(Path(folder) / "j.sqlite")) as book:
            book.path.write_bytes(content)
            for read in (book.jobs, lambda: [known for known, _ in book.pending()], lambda: [book.intent("key 7")]):
                try:
                    seen: Any = read()
                except JournalError:
                    assert book.path.read_bytes() == bytes(content)
                else:
                    assert all(item in good for item in seen if item is not None)


class TestDamagedLog:
    """The write-ahead log, which is there while a journal is open and after a kill."""

    @pytest.mark.parametrize("damage", ["gone", "empty", "half", "zeros", "flipped"])
    def test_a_call_outlives_its_log(self, damage: str, path: Path, book: Journal, tmp_path: Path) -> None:
        """A call and what of it may have been sent are in the file itself, so that no key seems new after a kill."""
        book.begin(intent(), "me")
        book.change("k", "me", lambda known: known.with_step(step()))
        copy = tmp_path / "copy.sqlite"
        copy.write_bytes(path.read_bytes())
        log = path.with_name("j.sqlite-wal").read_bytes()
        assert log
        if damage != "gone":
            left = {"empty": b"", "half": log[: len(log) // 2], "zeros": bytes(len(log))}
            flipped = bytes(byte ^ 0x55 for byte in log)
            copy.with_name("copy.sqlite-wal").write_bytes(left.get(damage, flipped))
        with closing(Journal(copy)) as after:
            known = after.intent("k")
        assert known is not None
        assert known.in_doubt


class TestUnusable:
    """Files that can't be read or written just now."""

    def test_a_locked_file(self, path: Path, monkeypatch: Any) -> None:
        """A file that another program holds is waited for, then given up with what to do."""
        full_journal(path)
        monkeypatch.setattr(journal, "_BUSY", 0.05)
        with closing(sqlite3.connect(path, isolation_level=None)) as holder, closing(Journal(path)) as book:
            holder.execute("BEGIN IMMEDIATE")
            with pytest.raises(JournalError, match=r"another program has held it for 0\.05 seconds; end that"):
                book.begin(intent(), "me")
            assert len(book.jobs()) == 6
            holder.execute("ROLLBACK")
            assert book.begin(intent(), "me")[1]

    def test_a_full_disk(self, path: Path, book: Journal) -> None:
        """A write for which there is no room fails whole, and says to make some."""
        book.begin(intent(), "me")
        connection = book._connected()
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
        big = intent("big", request={"text": "x" * 20_000})
        with pytest.raises(JournalError, match="make room on the disk"):
            book.begin(big, "me")
        connection.execute("PRAGMA max_page_count = 10000")
        assert book.intent("big") is None
        assert book.begin(big, "me") == (big, True)

    def test_a_folder_in_the_place_of_the_file(self, path: Path, book: Journal) -> None:
        """A folder is no journal."""
        path.mkdir(parents=True)
        with pytest.raises(JournalError, match="make it readable and writable, or set UNIFIED_TRAIN_HOME to a folder"):
            book.pending()

    def test_a_file_in_the_place_of_the_folder(self, tmp_path: Path) -> None:
        """A journal below a file can't be."""
        (tmp_path / "file").touch()
        with (
            closing(Journal(tmp_path / "file" / "j.sqlite")) as book,
            pytest.raises(JournalError, match="can't be used"),
        ):
            book.pending()

    @NEEDS_POSIX
    @pytest.mark.parametrize("what", ["file", "folder"])
    def test_what_may_only_be_read(self, what: str, path: Path) -> None:
        """A file or folder without the right to write is an error that says so, and nothing is written."""
        if os.geteuid() == 0:
            pytest.skip("root may write everywhere")
        full_journal(path)
        place = path if what == "file" else path.parent
        place.chmod(0o400 if what == "file" else 0o500)
        try:
            if what == "folder":
                with (
                    closing(Journal(path.with_name("new.sqlite"))) as book,
                    pytest.raises(JournalError, match="writable"),
                ):
                    book.pending()
            else:
                refused(path, "make it readable and writable")
        finally:
            place.chmod(0o700)

    def test_a_right_that_is_missing(self, path: Path, book: Journal, monkeypatch: Any) -> None:
        """What the system says is told."""

        def no(*_: object) -> int:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(os, "open", no)
        with pytest.raises(JournalError, match=r"Permission denied\); nothing was submitted: make it readable"):
            book.pending()

    def test_an_error_without_words(self, path: Path, book: Journal, monkeypatch: Any) -> None:
        """An error that says nothing is told by its name."""

        def no(*_: object) -> int:
            raise OSError

        monkeypatch.setattr(os, "open", no)
        with pytest.raises(JournalError, match=r"can't be used \(OSError\)"):
            book.pending()

    @pytest.mark.parametrize(
        "trouble",
        [
            lambda path: path.write_text("a shopping list"),
            lambda path: path.mkdir(),
        ],
    )
    def test_nothing_is_sent_without_a_journal(
        self, connect: Any, colour: str, tmp_path: Path, trouble: Callable[[Path], object]
    ) -> None:
        """A call that can't be written down is not made."""
        ledger, path = Ledger(), tmp_path / "j"
        trouble(path)
        client = connect(listing(), http=ledger.http(colour), journal=path)
        dataset = Dataset.of([png()], trigger="ohwx", class_word="cat")
        with pytest.raises(JournalError, match="journal"):
            client.train(TrainingRequest(name="t", dataset=dataset))
        assert ledger.requests == []

    def test_nothing_is_sent_while_the_journal_is_locked(
        self, connect: Any, colour: str, path: Path, monkeypatch: Any
    ) -> None:
        """A journal that another program holds keeps a call from being made."""
        full_journal(path)
        monkeypatch.setattr(journal, "_BUSY", 0.05)
        ledger = Ledger()
        client = connect(listing(), http=ledger.http(colour), journal=path)
        dataset = Dataset.of([png()], trigger="ohwx", class_word="cat")
        with closing(sqlite3.connect(path, isolation_level=None)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            with pytest.raises(JournalError, match="end that"):
                client.train(TrainingRequest(name="t", dataset=dataset))
        assert ledger.requests == []

    def test_a_journal_that_is_full_before_the_paid_request(self, connect: Any, colour: str, path: Path) -> None:
        """When there is no room to write down that a request leaves, it does not leave; with room it does, once."""
        ledger = Ledger()
        with closing(Journal(path, lease=0.4)) as book:  # to give a call back may need room, too
            client = connect(listing(), http=ledger.http(colour), journal=book)
            request = TrainingRequest(name="t", dataset=Dataset.of([png()], trigger="ohwx"))
            ledger.fail("POST */images", "call", then=lambda: book._connected().execute("PRAGMA max_page_count = 1"))
            many = request.model_copy(update={"labels": {"x": "y" * 60_000}})
            with pytest.raises(JournalError, match="make room on the disk"):
                client.train(many, key="k")
            assert ledger.paid == []
            book._connected().execute("PRAGMA max_page_count = 100000")
            client.train(many, key="k")
            assert len(ledger.paid) == 1


def ended(number: int, seconds: float, *, seen: bool = True, provider: str = "plain", **facts: Any) -> Job:
    """A job that succeeded, and was seen running before or not."""
    times = [(0.0, Status.QUEUED), *([(seconds / 2, Status.RUNNING)] if seen else []), (seconds, Status.SUCCEEDED)]
    history = tuple(Change(at=NOW + timedelta(seconds=at), status=status) for at, status in times)
    known = {"created_at": NOW + timedelta(minutes=number), "status": Status.SUCCEEDED, "history": history, **facts}
    return Job(provider=provider, kind="training", id=str(number), **known)


class TestDurations:
    """What the journal knows of how long jobs take."""

    def keep(self, book: Journal, *jobs: Job) -> None:
        for number, one in enumerate(jobs):
            book.begin(intent(f"k{number}"), "me")
            book.settle(f"k{number}", "me", "accepted", job=one)

    def test_the_newest_that_were_followed_to_a_good_end(self, book: Journal) -> None:
        """Of one vendor and kind, newest first; who failed, still runs or was looked at only once tells nothing."""
        self.keep(
            book,
            ended(1, 600.0, base_model="sdxl"),
            ended(2, 700.0),
            ended(3, 50_000.0, seen=False),
            ended(4, 30.0).model_copy(update={"status": Status.FAILED}),
            ended(5, 10.0, provider="plainer"),
            job(6),
        )
        assert book.durations("plain", "training") == [(None, 700.0), ("sdxl", 600.0)]
        assert book.durations("plain", "training", most=5) == [(None, 700.0), ("sdxl", 600.0)]
        assert book.durations("plain", "generation") == []

    def test_a_changed_record_is_left_out(self, book: Journal, path: Path) -> None:
        """Nothing depends on them but how often somebody looks, so that a damaged one is no error."""
        self.keep(book, ended(1, 600.0), ended(2, 700.0))
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute(
                "UPDATE jobs SET record = replace(record, '00:10:00', '09:10:00') WHERE reference LIKE '%1'"
            )
        assert book.durations("plain", "training") == [(None, 700.0)]

    def test_no_file_is_made_to_look_into(self, path: Path) -> None:
        """Asked of a journal that nobody has written to, there is nothing, and still no file."""
        with closing(Journal(path)) as book:
            assert book.durations("plain", "training") == []
        assert not path.exists()
