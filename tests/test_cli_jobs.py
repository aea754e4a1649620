"""`unified-train jobs`: what was submitted is found again, waited for, stopped, settled and taken along."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from conftest import QUICK

from unified_train import (
    Change,
    Client,
    Cost,
    Dataset,
    Effect,
    Failure,
    GeneratedImage,
    Intent,
    Job,
    Journal,
    Retry,
    Status,
    Step,
    SubmissionUncertain,
    TrainedModel,
    TrainingRequest,
)
from unified_train.cli.app import cli
from unified_train.cli.jobs.lookup import Filter, short_names
from unified_train.cli.jobs.texts import age, span
from unified_train.sandbox import Sandbox
from unified_train.sandbox.faults import Fault

NOW = datetime.now(UTC)
MAIN = [sys.executable, "-c", "from unified_train.cli import main; main()"]
STYLE = "style/3c0f0a52-77aa-4be1-9f0e-446655440000"
KEYS = "NOVITA_API_KEY"


def run(*arguments: object, width: int = 100) -> Any:
    """The command's result; `output` is both streams, in their order."""
    texts = [str(argument) for argument in arguments]
    return CliRunner(env={"COLUMNS": str(width)}).invoke(cli, ["jobs", *texts], catch_exceptions=False)


def told(result: Any) -> str:
    return " ".join(result.output.split())


def intent(key: str, provider: str = "novita", kind: Any = "training", *, old: float = 60, **facts: Any) -> Intent:
    created = NOW - timedelta(seconds=old)
    return Intent(
        key=key, provider=provider, account="a", kind=kind, marker=f"m-{key}", digest=key, created_at=created, **facts
    )


def sent(state: Any = "sent", **facts: Any) -> Step:
    values = {"part": 0, "position": 0, "operation": "training.start", "effect": Effect.PAY, "target": "POST /t"}
    return Step(**{**values, "state": state, "sent_at": NOW, **facts})


def job(identifier: str = STYLE, provider: str = "novita", kind: Any = "training", **facts: Any) -> Job:
    values = {"provider": provider, "kind": kind, "id": identifier, "status": Status.RUNNING, "created_at": NOW}
    return Job(**{**values, "updated_at": NOW, **facts})


def put(journal: Journal, made: Job, key: str, **facts: Any) -> Job:
    """Put a job and its call into a journal."""
    journal.begin(intent(key, made.provider, made.kind, name=made.name, **facts), "me:1:x")
    kept = made.model_copy(update={"key": key})
    journal.settle(key, "me:1:x", "accepted", job=kept)
    return kept


def pend(journal: Journal, call: Intent, *, owner: str | None = None, state: Any = "open") -> None:
    """Put a call without a job into a journal."""
    journal.begin(call, owner or "dead:2:y")
    if state != "open":
        journal.settle(call.key, owner or "dead:2:y", state, error="nobody knows")
    elif owner is None:
        journal.release(call.key, "dead:2:y")


@pytest.fixture
def journal(home: Path) -> Any:
    """The usual journal, empty."""
    journal = Journal(home / "journal.sqlite")
    journal.jobs()
    yield journal
    journal.close()


@pytest.fixture
def full(journal: Journal) -> Journal:
    """A journal with a bit of everything."""
    history = (
        Change(at=NOW - timedelta(hours=2), status=Status.QUEUED, raw_status="QUEUING"),
        Change(at=NOW - timedelta(minutes=10), status=Status.SUCCEEDED, raw_status="SUCCESS", phase="serving"),
    )
    model = TrainedModel(provider="novita", id="my-cat_1763650000.safetensors", base_model="base-1")
    cat = job(
        status=Status.SUCCEEDED,
        raw_status="SUCCESS",
        phase="serving",
        progress=1.0,
        name="my-cat",
        created_at=NOW - timedelta(days=3),
        model=model,
        cost=Cost(amount=0.5, unit="USD", source="rates"),
        trigger="ohwx",
        class_word="cat",
        history=history,
        notes=("rank was dropped",),
        labels={"order": "41"},
    )
    put(journal, cat, "order-41", steps=(sent("answered", attempts=2, adopted=True),))
    asked = {"request": {"prompt": "a photo of [red]{subject}[/red]\x1b[2J, golden hour"}, "model": {"id": "m-17"}}
    failed = job(
        "110023456789012",
        "alibaba",
        "generation",
        status=Status.FAILED,
        raw_status="FAILED",
        n=4,
        images=(GeneratedImage(id="0", safety="flagged"),),
        created_at=NOW - timedelta(hours=5),
        error=Failure(message="=the vendor gives no reason", code="E7", hint="try another prompt"),
    )
    put(journal, failed, "order-42", request=asked)
    long = job(
        "model_Xk29fj/job_8JkLm2Np",
        "scenario",
        progress=0.42,
        eta=90,
        name="Grandmother's blue teapot, seen from all sides and then from above and below",
        base_model="flux.1-dev",
        created_at=NOW - timedelta(minutes=25),
    )
    put(journal, long, "order-43")
    return journal


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands poll as quickly as the sandbox moves, and wait out no grace of minutes."""
    options: dict[str, Any] = {name: value for name, value in QUICK.items() if name != "journal"}
    options["retry"] = Retry(attempts=2, first=0.01, longest=0.1, grace=0.2)
    monkeypatch.setattr("unified_train.client.Client", partial(Client, **options))


@pytest.fixture
def train(sandbox: Sandbox, photos: Dataset, quick: None) -> Callable[..., Job]:
    """Start a training at a vendor, kept in the usual journal."""
    few = photos.model_copy(update={"images": photos.images[:2]})

    def start(vendor: str = "novita", name: str = "my-cat", key: str | None = None) -> Job:
        retry = Retry(attempts=2, first=0.01, longest=0.1, grace=0.0)
        options: dict[str, Any] = {**QUICK, "journal": "usual", "retry": retry}
        with Client(vendor, **options) as client:
            return client.train(TrainingRequest(name=name, dataset=few), key=key)

    return start


@pytest.fixture
def doubt(sandbox: Sandbox, train: Callable[..., Job]) -> Callable[..., None]:
    """Leave a call in doubt: the answer is lost, and so are those to the questions for it."""

    def lose(key: str, *, accepted: bool, vendor: str = "novita") -> None:
        fault = Fault(kind="drop_after" if accepted else "drop_before", method="POST", path="/v3/training/*")
        sandbox.world.faults.add(fault, Fault(kind="status", status=500, method="GET", times=None))
        with pytest.raises(SubmissionUncertain):
            train(vendor, key=key)
        sandbox.world.faults.clear()

    return lose


# -- list --------------------------------------------------------------------------------------------------------------


def test_an_empty_journal_is_told_kindly_and_none_is_made(home: Path) -> None:
    """Where nothing was submitted yet the list says so, is empty as JSON, and leaves no file behind."""
    assert "no jobs yet" in run("list").output
    assert json.loads(run("list", "--json").output) == []
    assert run("export").output == ""
    assert "nothing to settle" in run("reconcile").output
    assert not home.exists()


def test_an_empty_file_is_an_empty_journal(journal: Journal) -> None:
    """A journal that exists and has nothing in it is told of as kindly."""
    assert "no jobs yet" in run("list").output


@pytest.mark.parametrize("width", [80, 100, 160])
def test_the_list_fits_and_every_reference_can_be_copied(full: Journal, width: int) -> None:
    """At each width no line is longer, each job's short name stands in one piece, and finds the job."""
    shown = run("list", width=width)
    assert shown.exit_code == 0
    assert max(len(line.rstrip()) for line in shown.output.splitlines()) <= width
    first = [line.split()[0] for line in shown.output.splitlines() if line.strip()]
    for made in full.jobs():
        name = short_names(full)[made.reference]
        assert name in first
        assert json.loads(run("show", name, "--json").output)["job"]["reference"] == made.reference


def test_the_list_says_the_main_facts_newest_first(full: Journal) -> None:
    """Kind, name or prompt, status with the vendor's word, progress, age, cost and model are all there."""
    wide = run("list", width=160).output
    rows = [line for line in wide.splitlines() if re.search(r"novita|alibaba|scenario", line)]
    assert [row.split()[1] for row in rows] == ["scenario", "alibaba", "novita"]
    assert re.search(r"training +Grandmother's.*running +42% +\d+ min +unknown +\(flux.1-dev\)", rows[0])
    assert re.search(r"generation +a photo of .*failed FAILED +5 h +unknown +m-17", rows[1])
    assert re.search(r"my-cat +succeeded SUCCESS \(serving\) +100% +3 d +0.5 USD +my-cat_1763650000", rows[2])
    assert "above and below" not in wide


def test_what_a_vendor_says_steers_no_terminal(full: Journal) -> None:
    """Control characters and markup in prompts, names and errors are shown, not obeyed."""
    for result in (run("list"), run("show", "order-42")):
        assert "\x1b" not in result.output
        assert "[red]" in result.output


def test_calls_without_a_job_are_on_top_with_their_state(full: Journal) -> None:
    """Whatever is worked on, left behind or in doubt is listed before all jobs, with its key and what to type."""
    pend(full, intent("4b0c0a5277aa4be19f0e446655440001", name="pot"), owner="studio:4711:ab")
    pend(full, intent("left-1", "scenario", "generation"))
    pend(full, intent("left-2", steps=(sent("answered"),)))
    pend(full, intent("left-3", steps=(sent(),)))
    pend(full, intent("doubt-1", steps=(sent(),)), state="uncertain")
    shown = run("list", width=160).output
    top, _, rest = shown.partition("unified-train jobs reconcile")
    for key, state in [
        ("4b0c0a5277aa4be19f0e446655440001", "worked on by process 4711 on studio"),
        ("left-1", "left behind, nothing submitted yet"),
        ("left-2", "left behind, accepted in part"),
        ("left-3", "left behind, may have been accepted"),
        ("doubt-1", "outcome unknown"),
    ]:
        assert re.search(rf"{key} .*{state}", top)
    assert "my-cat" in rest
    assert "4b0c0a5277aa4be19f0e446655440001" in run("list", width=80).output


def test_a_call_that_is_worked_on_asks_for_nothing(journal: Journal) -> None:
    """As long as a process is at work on it, there is nothing to settle."""
    pend(journal, intent("k"), owner="studio:4711:ab")
    assert "jobs reconcile" not in run("list").output


def test_the_list_as_json_has_everything(full: Journal) -> None:
    """The JSON is one array: calls first, then jobs, each as the library dumps it, and tells which is which."""
    pend(full, intent("left-1"))
    records = json.loads(run("list", "--json").output)
    assert [record["record"] for record in records] == ["call", "job", "job", "job"]
    assert (records[0]["key"], records[0]["standing"], records[0]["owner"]) == ("left-1", "left behind", None)
    newest = full.jobs()[0]
    added = {"record": "job", "reference": newest.reference}
    assert records[1] == {**added, **newest.model_dump(mode="json")}


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--provider", "novita"], ["left-1", "order-41"]),
        (["--kind", "generation"], ["order-42"]),
        (["--kind", "training"], ["left-1", "order-43", "order-41"]),
        (["--status", "running"], ["order-43"]),
        (["--since", "1h"], ["left-1", "order-43"]),
        (["--since", "10w"], ["left-1", "order-43", "order-42", "order-41"]),
        (["--since", (NOW + timedelta(days=2)).date().isoformat()], []),
        (["--since", (NOW - timedelta(hours=6)).isoformat()], ["left-1", "order-43", "order-42"]),
        (["--limit", "1"], ["left-1", "order-43"]),
    ],
)
def test_the_list_can_be_narrowed(full: Journal, options: list[str], names: list[str]) -> None:
    """Each option leaves out what is otherwise, of jobs and of calls."""
    pend(full, intent("left-1"))
    assert [record["key"] for record in json.loads(run("list", "--json", *options).output)] == names


def test_a_job_of_unknown_age_is_never_left_out_for_its_age() -> None:
    """What has no beginning in the journal is admitted by any `since`."""
    assert Filter(since=NOW).admits(job(created_at=None))
    assert age(None) == "unknown"


def test_a_list_that_is_cut_says_so(full: Journal) -> None:
    """A limit that leaves out jobs is told of, in the table only."""
    assert "2 older jobs are not shown" in run("list", "--limit", 1).output
    assert "1 older job is not shown" in run("list", "--limit", 2).output
    assert "not shown" not in run("list").output


def test_a_filter_that_nothing_passes_is_told(full: Journal) -> None:
    """An empty result of a full journal is not mistaken for an empty journal."""
    assert "no job is like that" in run("list", "--status", "canceled").output


def test_colours_are_for_terminals_that_want_them(full: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe gets no colours, a terminal does, and with NO_COLOR it does not."""
    assert "\x1b" not in run("list").output
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b[32m" in run("list").output
    monkeypatch.setenv("NO_COLOR", "1")
    assert not re.search(r"\x1b\[3\dm", run("list").output)


def test_looking_loads_no_network() -> None:
    """The list needs neither the HTTP library nor a provider, so that it is quick."""
    code = (
        "import sys; from unified_train.cli.app import cli; cli(['jobs', 'list'], standalone_mode=False);"
        "print([name for name in sys.modules if name.split('.')[0] in ('httpx', 'anyio', 'PIL')"
        " or name.startswith('unified_train_')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")


def test_the_help_of_the_commands_loads_none_of_what_they_need() -> None:
    """`jobs --help` names all commands, and imports neither pydantic nor rich."""
    code = (
        "import sys; from unified_train.cli.app import cli; cli(['jobs', '--help'], standalone_mode=False);"
        "print([name for name in ('rich', 'pydantic', 'httpx', 'anyio') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(name in done.stdout for name in ("list", "show", "wait", "cancel", "reconcile", "export"))
    assert done.stdout.strip().endswith("[]")


def test_another_journal_can_be_named_before_and_after_the_command(full: Journal, tmp_path: Path) -> None:
    """`--journal` is taken in both places, and the later one counts."""
    other = Journal(tmp_path / "other.sqlite")
    put(other, job("7" * 12), "elsewhere")
    other.close()
    for arguments in (["--journal", other.path, "list"], ["--journal", "/x", "list", "--journal", other.path]):
        records = json.loads(run(*arguments, "--json").output)
        assert [record["key"] for record in records] == ["elsewhere"]


# -- show --------------------------------------------------------------------------------------------------------------


def test_show_tells_all_of_a_job(full: Journal) -> None:
    """Facts, history with the time between its changes, notes, and the steps of its call."""
    shown = run("show", "order-41").output
    assert shown.startswith(f"novita:training:{STYLE}\n")
    for fact in ("succeeded SUCCESS (serving)", "0.5 USD (rates)", "ohwx cat", "rank was dropped", "order=41"):
        assert fact in " ".join(shown.split())
    assert re.search(r"history\n.*queued +QUEUING *\n.*\+1:50:00 +succeeded +SUCCESS \(serving\)", shown)
    assert re.search(r"training.start +accepted, found in the vendor's list +2 attempts", shown)


def test_show_tells_of_a_failure_and_its_remedy(full: Journal) -> None:
    """Error, code and hint are there, with the prompt, the model used and how many pictures came."""
    shown = told(run("show", "order-42"))
    for fact in ("the vendor gives no reason", "E7", "try another prompt", "m-17", "1 of 4, 1 flagged", "cost unknown"):
        assert fact in shown


def test_show_tells_of_a_job_under_way(full: Journal) -> None:
    """Progress, the vendor's estimate of the rest and the base model are there."""
    shown = told(run("show", "order-43"))
    for fact in ("progress 42%", "rest 1 min, as the vendor estimates", "flux.1-dev"):
        assert fact in shown


def test_a_long_reference_is_shown_in_one_piece(journal: Journal) -> None:
    """The reference of a job with many parts is neither cut nor broken, and its parts are told one by one."""
    parts = tuple(job(f"aa0f0a52-77aa-4be1-9f0e-44665544000{n}", kind="generation", n=1) for n in range(4))
    whole = job(",".join(part.id for part in parts), kind="generation", n=4, parts=parts, key=None)
    put(journal, whole, "k")
    shown = run("show", "k", width=80).output
    assert shown.splitlines()[0] == whole.reference
    assert told(run("show", "k", width=200)).count(", RUNNING") == 0
    assert shown.count("part") == 4


def test_show_tells_of_a_call_without_a_job(journal: Journal) -> None:
    """A call in doubt is shown by its key: its state, its error, its images at the vendor and its steps."""
    call = intent("doubt-1", name="pot", uploads={0: {"id": "x"}}, steps=(sent(), sent("void", part=1, position=3)))
    pend(journal, call, state="uncertain")
    shown = told(run("show", "doubt-1", width=120))
    for fact in ("call without a job", "outcome unknown", "nobody knows", "m-doubt-1", "1 images are at the vendor"):
        assert fact in shown
    assert "may have been accepted 1 attempt" in shown
    assert "training.start #1 not accepted" in shown
    assert json.loads(run("show", "doubt-1", "--json").output)["job"] is None


def test_a_job_without_its_call_is_shown_alone(journal: Journal) -> None:
    """Where the journal has lost the call, the job is still shown; facts that nobody knows are unknown."""
    put(journal, job(created_at=None, model=None), "k")
    with sqlite3.connect(journal.path) as file:
        file.execute("DELETE FROM intents")
    file.close()
    shown = run("show", STYLE).output
    assert "begun      unknown" in shown
    assert "call" not in shown
    assert json.loads(run("show", STYLE, "--json").output)["call"] is None
    assert "training" in run("list").output


# -- references --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [f"novita:training:{STYLE}", STYLE, "446655440000", "0000", "order-41", f" {STYLE} "])
def test_a_job_is_found_by_what_people_type(full: Journal, text: str) -> None:
    """The reference, the id, an end of it, and the key of the call all find the job."""
    assert json.loads(run("show", text, "--json").output)["job"]["name"] == "my-cat"


def test_an_end_that_several_jobs_have_lists_them(journal: Journal) -> None:
    """An ambiguous reference is refused with the candidates, ten at most."""
    for number in range(12):
        put(journal, job(f"style/{number:02}-446655440000"), f"k{number}")
    refused = run("show", "55440000")
    assert refused.exit_code == 3
    assert "fits 12 jobs: novita:training:style/" in refused.output
    assert "and 2 more; type more of it" in refused.output
    refused = run("wait", "1-446655440000")
    assert "fits 2 jobs" in refused.output
    assert " more;" not in refused.output


@pytest.mark.parametrize("text", ["", "  ", "nothing-like-it", "novita:training:unheard-of"])
def test_what_fits_nothing_is_one_sentence(full: Journal, text: str) -> None:
    """A reference that no job has is refused in one sentence that says where to look."""
    refused = run("show", text)
    assert refused.exit_code == 3
    assert refused.output.count("\n") == 1
    assert "`unified-train jobs list` shows what it has" in refused.output


def test_a_call_without_a_job_can_not_be_waited_for(journal: Journal) -> None:
    """The key of a pending call leads to the command that settles it, that of a refused one to its error."""
    pend(journal, intent("left-1"))
    pend(journal, intent("no-1"), state="refused")
    assert "settle it with `unified-train jobs reconcile left-1`" in run("wait", "left-1").output
    assert "the call no-1 has no job: nobody knows" in run("cancel", "no-1").output


def test_short_names_find_their_jobs_again(journal: Journal) -> None:
    """A short name is unambiguous, no option, no key and no other job's id; short ids are left whole."""
    jobs = [
        put(journal, job("7"), "k1"),
        put(journal, job("7", "scenario"), "k2"),
        put(journal, job("8"), "k3"),
        put(journal, job("one-two-three-0123-56789012"), "k4"),
        put(journal, job("six-two-three-4123-56789012"), "k5"),
        put(journal, job("model_0123456789/ABCDEFGH"), "k6"),
        put(journal, job("ABCDEFGH"), "IJKLMNOP"),
        put(journal, job("model_0123456789/IJKLMNOP"), "k8"),
        put(journal, job("abcd-efgh-87654321"), "k9"),
        put(journal, job("ijkl-mnopq87654321"), "k10"),
    ]
    short = short_names(journal)
    for made in jobs:
        assert json.loads(run("show", short[made.reference], "--json").output)["job"]["reference"] == made.reference
    names = [short[made.reference] for made in jobs]
    assert names[:5] == ["novita:training:7", "scenario:training:7", "8", "0123-56789012", "4123-56789012"]
    assert names[6] == "novita:training:ABCDEFGH"
    assert names[8:] == ["h-87654321", "q87654321"]
    assert "scenario:training:7" in run("list", width=80).output


# -- wait --------------------------------------------------------------------------------------------------------------


def test_waiting_shows_progress_and_prints_the_result(sandbox: Sandbox, train: Callable[..., Job]) -> None:
    """Changes go to stderr, line by line where there is no terminal, and the result to stdout; the journal has it."""
    started = train()
    waited = run("wait", started.reference, "--timeout", 30)
    assert waited.exit_code == 0, waited.output
    (result,) = waited.stdout.splitlines()
    assert result.startswith(f"{started.reference}  succeeded, SUCCESS/SERVING, model model_")
    assert waited.stderr.startswith(f"{started.reference}  queued")
    assert "succeeded" in waited.stderr.splitlines()[-1]
    assert Journal.usual().jobs()[0].status is Status.SUCCEEDED
    assert run("wait", started.reference).stdout == waited.stdout
    assert run("wait", "--all").output == "no jobs to wait for: all have finished\n"


def test_a_terminal_gets_bars(
    sandbox: Sandbox, train: Callable[..., Job], monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    """On a terminal each job has a bar with its name and state, and stdout stays clean for the result."""
    started = [train("novita"), train("scenario", "pot")]
    monkeypatch.setenv("FORCE_COLOR", "1")
    waited = run("wait", *[one.reference for one in started], "--json", "--timeout", 30, width=120)
    assert waited.exit_code == 0, waited.output
    assert [record["status"] for record in json.loads(waited.stdout)] == ["succeeded", "succeeded"]
    for text in ("novita my-cat", "scenario pot", "succeeded"):
        assert text in waited.stderr


def test_waiting_for_all_covers_every_vendor(sandbox: Sandbox, train: Callable[..., Job]) -> None:
    """`--all` waits for whatever has not finished, at several vendors, and a job named twice is waited for once."""
    train("novita")
    train("scenario", "pot")
    waited = run("wait", "--all", "--timeout", 30)
    assert waited.exit_code == 0, waited.output
    assert len(waited.stdout.splitlines()) == 2
    some = Journal.usual().jobs()[0]
    assert len(run("wait", some.reference, some.key, some.id).stdout.splitlines()) == 1


def test_a_failed_job_is_exit_code_1(full: Journal) -> None:
    """A job that failed is told with its reason and what to do, and no vendor is asked about what has ended."""
    waited = run("wait", "order-42", "order-41")
    assert waited.exit_code == 1
    assert "failed, FAILED, =the vendor gives no reason try another prompt" in waited.stdout
    assert "succeeded" in waited.stdout


def test_a_finished_generation_is_told_by_its_pictures(journal: Journal) -> None:
    """The result of a generation is how many pictures there are."""
    for count, text in [(1, "1 picture"), (3, "3 pictures")]:
        images = tuple(GeneratedImage(id=str(number)) for number in range(count))
        made = job(f"pictures-of-{count}", kind="generation", status=Status.SUCCEEDED, images=images)
        put(journal, made, f"k{count}")
        assert run("wait", made.id).output == f"{made.reference}  succeeded, {text}\n"


def test_a_deadline_is_exit_code_4(sandbox: Sandbox, train: Callable[..., Job]) -> None:
    """A job that still runs at the deadline is told as it is, and goes on."""
    sandbox.world.clock.freeze()
    started = train()
    waited = run("wait", started.id, "--timeout", 0.05)
    assert waited.exit_code == 4
    assert waited.stdout.startswith(f"{started.reference}  queued")
    assert "nothing was canceled" in waited.stderr


def test_a_job_that_only_the_vendor_knows_can_be_waited_for(sandbox: Sandbox, train: Callable[..., Job]) -> None:
    """A whole reference needs no journal: one of another machine's jobs is waited for as well."""
    started = train()
    Path(os.environ["UNIFIED_TRAIN_HOME"], "journal.sqlite").unlink()
    waited = run("wait", started.reference, "--timeout", 30)
    assert waited.exit_code == 0, waited.output
    assert "novita:training:" in waited.stdout


def test_a_missing_key_is_named_before_waiting(
    sandbox: Sandbox, train: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the credentials of one vendor nothing is asked of any, and the error names it and the variable."""
    train("novita")
    train("scenario", "pot")
    monkeypatch.delenv(KEYS)
    before = len(sandbox.world.requests)
    waited = run("wait", "--all")
    assert waited.exit_code == 3
    assert waited.output.startswith(f"error: Novita: no api key: set the environment variable {KEYS}")
    assert len(sandbox.world.requests) == before


def test_an_interrupted_wait_says_how_to_go_on(sandbox: Sandbox, train: Callable[..., Job]) -> None:
    """Ctrl-C ends a wait with 130, the states so far, and a line that goes on waiting, which does."""
    sandbox.world.clock.freeze()
    started = train()
    path = str(Journal.usual().path)
    command = ["jobs", "wait", "--journal", path, "--timeout", "60", "--json", started.id]
    with subprocess.Popen(
        [*MAIN, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    ) as waiting:
        assert waiting.stderr is not None
        assert waiting.stdout is not None
        assert started.reference in waiting.stderr.readline()
        waiting.send_signal(signal.SIGINT)
        told, result = waiting.stderr.read(), json.loads(waiting.stdout.read())
        assert waiting.wait(timeout=10) == 130
    assert "Traceback" not in told
    assert [record["status"] for record in result] == ["queued"]
    line = told.splitlines()[-1].split()
    assert line == ["unified-train", "jobs", "wait", "--journal", path, "--timeout", "60", "--json", started.reference]
    sandbox.world.clock.unfreeze()
    assert run(*line[2:]).exit_code == 0


def test_an_interrupted_wait_for_all_goes_on_with_all(
    sandbox: Sandbox, train: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line names no jobs where none were named."""
    train()

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Client, "wait", interrupt)
    waited = run("wait", "--all")
    assert waited.exit_code == 130
    assert waited.stderr.splitlines()[-1] == "  unified-train jobs wait --all"


def test_a_wait_names_either_jobs_or_all(full: Journal) -> None:
    """Neither and both are wrong usage."""
    for arguments in ([], ["--all", "order-41"]):
        assert run("wait", *arguments).exit_code == 2


# -- cancel ------------------------------------------------------------------------------------------------------------


def test_jobs_are_canceled_where_the_vendor_can(sandbox: Sandbox, train: Callable[..., Job]) -> None:
    """A vendor that can is asked, one that can't is told of, and the exit code says partly."""
    sandbox.world.clock.freeze()
    pot, cat = train("scenario", "pot"), train("novita")
    canceled = run("cancel", cat.reference, pot.reference)
    assert canceled.exit_code == 7
    assert f"{pot.reference}: " in canceled.stdout
    assert "Novita can't cancel a training; it runs to its end" in canceled.stderr
    sandbox.world.clock.unfreeze()
    waited = run("wait", pot.reference, "--timeout", 30)
    assert waited.exit_code == 1
    assert f"{pot.reference}  canceled" in waited.stdout
    again = run("cancel", pot.reference)
    assert again.exit_code == 0
    assert again.stdout == f"{pot.reference}: has ended already (canceled)\n"
    sandbox.world.clock.freeze()
    assert run("cancel", train().reference).exit_code == 3


def test_a_job_that_has_ended_is_left_alone(full: Journal) -> None:
    """What has ended needs no vendor and no credentials."""
    assert run("cancel", "order-41").output == f"novita:training:{STYLE}: has ended already (succeeded)\n"


def test_what_became_of_cancelling_is_told_to_programs(sandbox: Sandbox, full: Journal) -> None:
    """As one list of JSON, what could not be canceled included."""
    done = run("cancel", "order-41", "novita:training:style/1", "--json")
    assert done.exit_code == 7
    assert [(one["reference"], one["status"]) for one in json.loads(done.stdout)] == [
        (f"novita:training:{STYLE}", "succeeded"),
        ("novita:training:style/1", "unknown"),
    ]
    assert [bool(one["error"]) for one in json.loads(done.stdout)] == [False, True]
    assert "error: novita:training:style/1: " in done.stderr


def test_different_failures_are_a_failure(sandbox: Sandbox, journal: Journal) -> None:
    """Where nothing could be canceled, for different reasons, the exit code is that of a failure."""
    refused = run("cancel", "novita:training:style/1", "scenario:training:model_1/job_1")
    assert refused.exit_code == 1
    assert refused.output.count("error: ") == 2


def test_what_was_asked_to_stop_may_run_for_a_while(
    sandbox: Sandbox, train: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that still looks the same after the vendor was asked is told as it looks."""
    started = train("scenario", "pot")
    monkeypatch.setattr(Client, "cancel", lambda self, job: job)
    assert f"{started.reference}: was asked to stop; queued for now" in run("cancel", started.reference).output


# -- reconcile ---------------------------------------------------------------------------------------------------------


def test_a_call_in_doubt_is_listed_and_then_adopted(sandbox: Sandbox, doubt: Callable[..., None]) -> None:
    """A training whose answer was lost is listed in doubt, found at the vendor, then a job; it is paid once."""
    doubt("order-7", accepted=True)
    assert "outcome unknown" in told(run("list"))
    done = run("reconcile")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("order-7 (novita training my-cat): accepted, novita:training:")
    assert "Novita: finding out about 1 call" in done.stderr
    assert "counts as never accepted only after a while; that takes 4 min" in done.stderr
    assert "order-7: training.start was accepted, and is adopted from the vendor's list" in done.stderr
    assert len(sandbox.world.submissions) == 1
    assert "nothing to settle" in run("reconcile").output
    assert run("reconcile", "--json").stdout == "[]\n"
    (record,) = json.loads(run("reconcile", "order-7", "--json").stdout)
    assert (record["key"], record["outcome"], record["error"]) == ("order-7", "accepted", None)
    assert record["job"].startswith("novita:training:")
    again = run("reconcile", "order-7")
    assert again.exit_code == 0
    assert "was accepted, and has the job novita:training:" in again.output


def test_what_was_never_accepted_is_sent_again(sandbox: Sandbox, doubt: Callable[..., None]) -> None:
    """After the grace a training that the vendor's list does not show is submitted, once, and said to be."""
    doubt("order-7", accepted=False)
    done = run("reconcile", "order-7")
    assert done.exit_code == 0, done.output
    assert "was never accepted, and is sent again" in done.stderr
    assert len(sandbox.world.submissions) == 1


def test_what_stays_unknown_is_exit_code_6(sandbox: Sandbox, doubt: Callable[..., None]) -> None:
    """While the vendor's list is down the outcome stays unknown, and the line says what a person can do."""
    doubt("order-7", accepted=True)
    sandbox.world.faults.add(Fault(kind="status", status=500, method="GET", times=None))
    done = run("reconcile")
    assert done.exit_code == 6
    assert "order-7 (novita training my-cat): outcome still unknown" in done.stdout
    assert "`unified-train jobs reconcile order-7`" in done.stdout
    assert "add --accepted REFERENCE or --not-accepted" in done.stdout


def test_the_worst_of_several_ends_is_the_exit_code(
    sandbox: Sandbox, journal: Journal, doubt: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unknown outcome, which may have cost money, outweighs missing credentials."""
    doubt("order-7", accepted=True)
    pend(journal, intent("order-8", "scenario"))
    for name in [name for name in sandbox.env if name.startswith("SCENARIO")]:
        monkeypatch.delenv(name)
    sandbox.world.faults.add(Fault(kind="status", status=500, method="GET", times=None))
    done = run("reconcile")
    assert (done.exit_code, "not settled" in done.stdout) == (6, True)


def test_a_vendor_without_credentials_stops_no_other(
    sandbox: Sandbox, journal: Journal, doubt: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call at a vendor without a key is reported, those of the others are settled, and the exit code is 3."""
    doubt("order-7", accepted=True)
    pend(journal, intent("order-8", "scenario", name="pot"))
    for name in [name for name in sandbox.env if name.startswith("SCENARIO")]:
        monkeypatch.delenv(name)
    done = run("reconcile")
    assert done.exit_code == 3
    assert "order-8 (scenario training pot): not settled: Scenario: no credentials" in done.stdout
    assert "order-7 (novita training my-cat): accepted" in done.stdout


def test_another_accounts_call_is_a_matter_of_configuration(sandbox: Sandbox, journal: Journal, quick: None) -> None:
    """A call of another account is told of and left as it is; it had nothing in doubt, so that no time is announced."""
    pend(journal, intent("order-8"))
    done = run("reconcile")
    assert done.exit_code == 3
    assert "order-8 (novita training): failed: the call order-8 was made with another account" in done.stdout
    assert "after a while" not in done.stderr


def test_a_refusal_is_exit_code_1(sandbox: Sandbox, doubt: Callable[..., None]) -> None:
    """A call that the vendor refuses when it is sent again has failed, and its key can be used again."""
    doubt("order-7", accepted=False)
    sandbox.world.faults.add(Fault(kind="status", status=400, method="POST", path="/v3/training/*"))
    done = run("reconcile")
    assert done.exit_code == 1, done.output
    assert "order-7 (novita training my-cat): failed: novita training.start" in done.stdout
    after = run("reconcile", "order-7")
    assert after.exit_code == 0
    assert "was not accepted (novita training.start" in after.stdout


def test_what_is_worked_on_is_left_alone(sandbox: Sandbox, journal: Journal) -> None:
    """A call that a living process has is neither asked about nor counted as unsettled."""
    pend(journal, intent("k"), owner="studio:4711:ab")
    done = run("reconcile")
    assert done.exit_code == 0
    assert done.output == "k (novita training): left alone, since it is worked on by process 4711 on studio\n"


def test_an_interrupted_settlement_is_kept(
    sandbox: Sandbox, doubt: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while a grace is waited out ends with 130 and says that it can be gone on with."""
    doubt("order-7", accepted=True)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Client, "resume", interrupt)
    done = run("reconcile")
    assert done.exit_code == 130
    assert "run `unified-train jobs reconcile` again" in done.stderr


def test_a_person_can_say_that_it_was_accepted(
    sandbox: Sandbox, doubt: Callable[..., None], train: Callable[..., Job]
) -> None:
    """The job that was seen at the vendor becomes the call's; one of another call, kind or vendor can't."""
    doubt("order-7", accepted=True)
    other = train(name="other")
    (submission,) = [one for one in sandbox.world.submissions if one.name.startswith("my-cat")]
    reference = f"novita:training:style/{submission.id}"
    for wrong, why in [
        (other.reference, "is the job of another call"),
        ("scenario:training:model_1/job_1", "is a training at novita, so scenario:training:model_1/job_1 can't"),
        ("novita:generation:1", "can't be its job"),
        ("1", "is no job reference"),
    ]:
        refused = run("reconcile", "order-7", "--accepted", wrong)
        assert (refused.exit_code, why in refused.output) == (3, True), refused.output
    done = run("reconcile", "order-7", "--accepted", reference)
    assert done.exit_code == 0, done.output
    assert f"order-7 (novita training my-cat): is {reference}" in done.output
    assert json.loads(run("show", "order-7", "--json").output)["job"]["reference"] == reference


def test_a_person_can_say_that_it_was_not_accepted(
    sandbox: Sandbox, doubt: Callable[..., None], train: Callable[..., Job]
) -> None:
    """The doubt is over, and the same key submits the call again."""
    doubt("order-7", accepted=False)
    done = run("reconcile", "order-7", "--not-accepted")
    assert done.exit_code == 0, done.output
    assert "noted as not accepted; the same key submits it again" in done.output
    assert train(key="order-7").key == "order-7"


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["zz"], 3, "the journal has no call with the key 'zz'"),
        (["zz", "--not-accepted"], 3, "the journal has no call with the key 'zz'"),
        (["--not-accepted"], 2, "need the KEY of a call"),
        (["k", "--accepted", "r", "--not-accepted"], 2, "exclude each other"),
    ],
)
def test_a_wrong_settlement_is_one_sentence(full: Journal, arguments: list[str], code: int, sentence: str) -> None:
    """A key that is not there and options that contradict each other are refused before anything is asked."""
    refused = run("reconcile", *arguments)
    assert refused.exit_code == code
    assert sentence in told(refused)


# -- export ------------------------------------------------------------------------------------------------------------


def test_jobs_are_exported_as_json_lines(full: Journal) -> None:
    """Each line is one job, newest first, with all that the library keeps of it."""
    lines = [json.loads(line) for line in run("export").output.splitlines()]
    assert [line.pop("key") for line in lines] == ["order-43", "order-42", "order-41"]
    for line, made in zip(lines, full.jobs(), strict=True):
        assert (line.pop("record"), line.pop("reference")) == ("job", made.reference)
        assert Job.model_validate(line) == made.model_copy(update={"key": None})


def test_jobs_are_exported_as_a_flat_table(full: Journal) -> None:
    """The CSV has a head, a row for each job, empty cells for what is unknown, and nothing that is a formula."""
    rows = list(csv.DictReader(io.StringIO(run("export", "--format", "csv").output)))
    assert [row["key"] for row in rows] == ["order-43", "order-42", "order-41"]
    running, failed, cat = rows
    assert (cat["cost_amount"], cat["cost_unit"], cat["model"]) == ("0.5", "USD", "my-cat_1763650000.safetensors")
    assert cat["finished_at"] == (NOW - timedelta(minutes=10)).isoformat()
    assert cat["labels"] == '{"order": "41"}'
    assert (running["cost_amount"], running["finished_at"], running["pictures"]) == ("", "", "")
    assert (failed["error"], failed["pictures"], failed["pictures_asked"]) == ("'=the vendor gives no reason", "1", "4")


def test_an_export_replaces_its_file_whole(full: Journal, tmp_path: Path) -> None:
    """The file that is there is replaced, for the user's eyes only, and nothing else is left in the folder."""
    folder = tmp_path / "out"
    folder.mkdir()
    out = folder / "jobs.csv"
    out.write_text("old")
    done = run("export", "--format", "csv", "--out", out)
    assert done.exit_code == 0
    assert done.stdout == ""
    assert done.stderr == f"3 jobs in {out}\n"
    assert out.read_text().startswith("reference,provider,kind")
    assert os.name != "posix" or out.stat().st_mode & 0o777 == 0o600
    assert list(folder.iterdir()) == [out]


def test_an_export_that_fails_leaves_the_old_file(
    full: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full halfway is one sentence, and the file that was there is as it was."""
    out = tmp_path / "jobs.jsonl"
    out.write_text("old")

    def full_disk(self: Path, *_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full_disk)
    done = run("export", "--out", out)
    assert done.exit_code == 3
    assert done.output == f"error: {out}: can't be written (No space left on device); name another file\n"
    assert out.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("name", ["nowhere/jobs.csv", "."])
def test_a_file_that_can_not_be_written_is_named(full: Journal, tmp_path: Path, name: str) -> None:
    """A folder that is not there, or is no file, is one sentence."""
    done = run("export", "--out", tmp_path / name)
    assert done.exit_code == 3
    assert done.output.startswith(f"error: {tmp_path / name}: can't be written")


# -- what can be wrong with a journal ----------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["list", "show x", "wait --all", "cancel x", "reconcile", "export"])
def test_a_damaged_journal_is_one_sentence(full: Journal, command: str) -> None:
    """A record that somebody has changed is refused by every command, by name and with a remedy."""
    with sqlite3.connect(full.path) as file:
        file.execute("UPDATE jobs SET seal = 'x'")
        file.execute("UPDATE intents SET seal = 'x', pending = 1")
    file.close()
    refused = run(*command.split())
    assert refused.exit_code == 3
    assert refused.output.startswith(f"error: {full.path}: the record of ")
    assert refused.output.count("\n") == 1


def test_a_locked_journal_is_one_sentence(full: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A journal that another program holds is told so, after a patience of seconds."""
    full.close()
    monkeypatch.setattr("unified_train.journal._BUSY", 0.05)
    holder = sqlite3.connect(full.path, isolation_level=None)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    refused = run("list")
    holder.close()
    assert refused.exit_code == 3
    assert "another program has held it" in refused.output


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["list", "--journal", "/nowhere/j.sqlite"], 3, "/nowhere/j.sqlite: there is no journal"),
        (["list", "--journal", "."], 3, "the journal can't be used"),
        (["list", "--provider", "novitta"], 3, "there are: alibaba, novita, scenario"),
        (["list", "--since", "2x"], 2, "'2x' is neither an age such as 2d or 12h nor a day such as 2026-11-01"),
        (["list", "--since", "999999999d"], 2, "is neither an age"),
        (["list", "--since", ""], 2, "is neither an age"),
        (["list", "--status", "done"], 2, "'done' is not one of"),
        (["wait", "novitta:training:1"], 3, "no provider 'novitta' is installed"),
    ],
)
def test_what_is_wrong_is_one_sentence(full: Journal, arguments: list[str], code: int, sentence: str) -> None:
    """A mistake ends with a sentence and its exit code, never with a traceback."""
    refused = run(*arguments)
    assert refused.exit_code == code
    assert sentence in told(refused)


def test_a_vendor_that_is_not_installed_can_still_be_listed(journal: Journal) -> None:
    """Jobs of a plugin that was removed are listed by its slug."""
    put(journal, job("7" * 12, "plain"), "k")
    assert len(json.loads(run("list", "--provider", "plain", "--json").output)) == 1


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0 s"), (59.9, "59 s"), (60, "1 min"), (3600, "1 h"), (47 * 3600, "47 h"), (48 * 3600, "2 d")],
)
def test_time_spans_have_one_unit(seconds: float, text: str) -> None:
    """A span is told in the largest unit that it fills; one of a clock that runs ahead is none."""
    assert span(seconds) == text
