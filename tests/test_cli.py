"""The command line: one sentence when something is wrong, and the whole job when it is not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner

from unified_train import Polling, errors
from unified_train.cli import main
from unified_train.cli.app import cli, exit_code, sentence
from unified_train.models import Job
from unified_train.sandbox import Sandbox


def run(*arguments: str) -> Any:
    return CliRunner().invoke(cli, arguments, catch_exceptions=False)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo's sandbox runs as fast as the tests' own, and draws small; looks are as often as that takes."""
    often = Polling(first=0.01, share=0.05, longest=0.1)
    monkeypatch.setattr("unified_train.cli.demo.QUICK", often)
    monkeypatch.setattr("unified_train.cli.demo.Polling", lambda: often)
    for kind in ("alibaba.provider.Alibaba", "novita.provider.Novita", "scenario.provider.Scenario"):
        monkeypatch.setattr(f"unified_train_{kind}.poll_floor", 0.0)
        monkeypatch.setattr(f"unified_train_{kind}.rates", {})
    monkeypatch.setattr("unified_train.sandbox.Sandbox", partial(Sandbox, speed=12_000))
    monkeypatch.setattr("unified_train.sandbox.pictures._LARGEST_SIDE", 96)


@pytest.mark.usefixtures("quick")
def test_the_demo_does_the_whole_job(tmp_path: Path) -> None:
    """The demo trains and generates at all vendors, saves pictures and a contact sheet, and says what they are."""
    done = run("demo", "--out", str(tmp_path))
    assert done.exit_code == 0, done.output
    for vendor in ("alibaba", "novita", "scenario"):
        assert len(list(tmp_path.glob(f"{vendor}-*.png"))) == 4
        assert vendor in done.output
    assert "These are sandbox pictures" in done.output
    with PIL.Image.open(tmp_path / "contact-sheet.png") as sheet:
        assert sheet.width > sheet.height > 800


@pytest.mark.usefixtures("quick")
def test_one_vendors_failure_stops_no_other(tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A vendor without a key is told in a sentence, the other delivers, and the exit code says partly."""
    monkeypatch.delenv("NOVITA_API_KEY")
    done = run("demo", "--live", "--provider", "novita", "--provider", "scenario", "--out", str(tmp_path))
    assert done.exit_code == 7
    assert "set the environment variable NOVITA_API_KEY" in done.output
    assert "made by the vendors themselves" in done.output
    assert len(list(tmp_path.glob("scenario-*.png"))) == 4


@pytest.mark.usefixtures("quick")
def test_a_running_sandbox_can_be_used(tmp_path: Path, sandbox: Sandbox) -> None:
    """`--sandbox` takes a sandbox that runs already."""
    done = run("demo", "--sandbox", sandbox.base_url, "--provider", "novita", "--out", str(tmp_path), "--json")
    assert done.exit_code == 0, done.output
    assert len(sandbox.world.submissions) == 3
    told = json.loads(done.stdout)
    (vendor,) = told["vendors"]
    assert (told["live"], told["contact_sheet"]) == (False, str(tmp_path / "contact-sheet.png"))
    assert (vendor["provider"], vendor["error"], len(vendor["pictures"])) == ("novita", None, 4)
    assert all(Path(picture).is_file() for picture in vendor["pictures"])


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["demo", "--sandbox", "http://127.0.0.1:9"], 3, "error: no sandbox answers at http://127.0.0.1:9"),
        (["demo", "--photos", "nowhere"], 3, "error: nowhere: no such folder"),
        (["demo", "--live", "--sandbox", "http://x"], 2, "exclude each other"),
        (["demo", "--provider", "novitta", "--out", "{out}"], 3, "there are: alibaba, novita, scenario"),
        (["sandbox", "serve", "--host", "203.0.113.1", "--port", "1"], 3, "error: can't serve on 203.0.113.1:1"),
        (["sandbox", "serve", "--speed", "-1", "--port", "0"], 3, "error: can't serve"),
        (["fly"], 2, "No such command 'fly'"),
        (["trian"], 2, "No such command 'trian'. Did you mean 'train'?"),
        (["jobs", "lst"], 2, "No such command 'lst'. Did you mean 'list'?"),
        (["--fly"], 2, "No such option '--fly'"),
    ],
)
def test_what_is_wrong_is_one_sentence(arguments: list[str], code: int, sentence: str, tmp_path: Path) -> None:
    """A mistake ends with a sentence and its exit code, never with a traceback."""
    done = run(*[argument.format(out=tmp_path) for argument in arguments])
    assert done.exit_code == code, done.output
    assert sentence in " ".join(done.output.split())
    assert "Traceback" not in done.output


def test_an_interruption_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends with its exit code and says that jobs go on."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("unified_train.cli.demo._dataset", interrupt)
    done = run("demo")
    assert done.exit_code == 130
    assert "go on at their vendors" in done.output


def test_a_folder_of_nothing(tmp_path: Path) -> None:
    """A folder without images is refused by name."""
    done = run("demo", "--photos", str(tmp_path))
    assert done.exit_code == 3
    assert "no images in it" in done.output


def test_the_sandbox_announces_itself_in_one_line_of_json() -> None:
    """`serve --json` prints exactly one line when it listens, and ends when told."""
    command = [sys.executable, "-c", "from unified_train.cli import main; main()"]
    with subprocess.Popen(
        [*command, "sandbox", "serve", "--port", "0", "--json"], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        told = json.loads(server.stdout.readline())
        env = {**os.environ, **told["env"]}
        listed = subprocess.run(
            [sys.executable, "-c", "from unified_train import Client; print(Client('novita').list_jobs())"],
            env=env,
            capture_output=True,
            text=True,
            check=True,
        )
        assert listed.stdout.strip() == "[]"
        server.send_signal(signal.SIGINT)
        assert server.stdout.read() == ""
        assert server.wait(timeout=10) == 0
    assert told["base_url"].startswith("http://127.0.0.1:")
    wanted = "SCENARIO_BASE_URL SCENARIO_SDK_API_KEY SCENARIO_SDK_API_SECRET NOVITA_API_URI NOVITA_API_KEY"
    wanted += " ALIBABA_CLOUD_ACCESS_KEY_ID ALIBABA_CLOUD_ACCESS_KEY_SECRET UNIFIED_TRAIN_ALIBABA_BASE_URL"
    assert set(wanted.split()) <= set(told["env"])


def test_the_sandbox_warns_before_it_listens_to_strangers(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that is not loopback is served with a warning, and the variables are shown."""
    import threading

    monkeypatch.setattr(threading.Event, "wait", lambda self, timeout=None: True)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    done = run("sandbox", "serve", "--host", "0.0.0.0", "--port", "0")
    assert "warning: whoever reaches 0.0.0.0" in done.output
    assert "export NOVITA_API_KEY=" in done.output


def test_providers_are_shown_in_three_forms() -> None:
    """The table for people, Markdown for the README, JSON for programs."""
    assert "Novita" in run("providers").output
    assert run("providers", "--markdown").output.startswith("|  | Alibaba Cloud")
    assert json.loads(run("providers", "--json").output)["novita"]["images"]["maximum"] == 50


def test_help_lists_the_commands_without_loading_them() -> None:
    """The overview names every command, and imports none of what they need."""
    code = (
        "import sys; from unified_train.cli.app import cli; cli(['--help'], standalone_mode=False);"
        "print([name for name in ('rich', 'pydantic', 'httpx', 'anyio') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "demo" in done.stdout
    assert done.stdout.strip().endswith("[]")


def test_exit_codes_tell_what_kind_of_error_it_was() -> None:
    """Each kind of error has the exit code that the help text promises."""
    job = Job(provider="plain", kind="training", id="7")
    assert exit_code(errors.WaitTimeout("x", job=job, jobs=[job])) == 4
    assert exit_code(errors.SubmissionUncertain("x", provider="p", operation="o")) == 6
    assert exit_code(errors.MissingCredentials("x")) == 3
    assert exit_code(errors.JobFailed("x", job=job)) == 1


@pytest.mark.parametrize(
    ("error", "sentence_"),
    [
        (errors.AuthenticationError("bad key"), "bad key; check the credentials; `unified-train doctor` tells more"),
        (errors.InsufficientFunds("empty."), "empty; see to the account at the vendor, then try again; `unified-train"),
        (errors.RateLimited("slow down", provider="p", operation="o"), "p o: slow down; try again later; `unified-"),
        (errors.TransportError("no answer", sent=False), "no answer; check the network and the address; `unified-"),
        (errors.TransportError("no answer; wait a minute.", sent=False), "no answer; wait a minute."),
        (errors.MissingCredentials("no key: set X."), "no key: set X."),
    ],
)
def test_what_vendors_and_networks_say_gets_a_remedy(error: Exception, sentence_: str) -> None:
    """It is added where there is none, and never says to repeat what may have been paid for."""
    told = sentence(error)
    assert told.startswith(sentence_)
    assert "repeat" not in told


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("plan recipe.toml --provider n", ["novita"]),
        ("jobs list --provider ", ["alibaba", "novita", "scenario"]),
        ("compare recipe.toml --providers scenario,", ["scenario,alibaba", "scenario,novita"]),
        ("jobs w", ["wait"]),
    ],
)
def test_the_shell_completes(words: str, offered: list[str]) -> None:
    """Commands, and the names of the vendors that are installed."""
    *before, begun = words.split(" ")
    completion = BashComplete(cli, {}, "unified-train", "_UNIFIED_TRAIN_COMPLETE")
    assert [item.value for item in completion.get_completions(before, begun)] == offered


def test_in_a_pipe_no_line_is_broken_or_ends_with_blanks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `grep` and `cut` get is as wide as it is; a terminal is as wide as it is."""
    monkeypatch.delenv("COLUMNS", raising=False)
    lines = run("providers").stdout.splitlines()
    (steps,) = [line for line in lines if "training: learning_rate" in line]
    assert steps.split() == ["training:", "learning_rate", "–", "yes", "yes"]
    assert all(line == line.rstrip() for line in lines)
    monkeypatch.setenv("COLUMNS", "60")
    assert max(map(len, run("providers").stdout.splitlines())) <= 60


@pytest.mark.parametrize("missing", ["click", "rich", "something_else"])
def test_without_its_packages_the_command_says_how_to_get_them(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing extra is one sentence; another missing module is a bug and stays one."""
    monkeypatch.delitem(sys.modules, "unified_train.cli.app", raising=False)

    class Absent:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "unified_train.cli.app":
                raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)

    monkeypatch.setattr(sys, "meta_path", [Absent(), *sys.meta_path])
    if missing == "something_else":
        with pytest.raises(ModuleNotFoundError):
            main()
    else:
        with pytest.raises(SystemExit, match=r"pip install 'unified-train\[cli\]'"):
            main()


def test_main_runs_the_command_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The console script runs the commands."""
    monkeypatch.setattr(sys, "argv", ["unified-train", "--version"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert "version" in capsys.readouterr().out


def test_without_the_sandbox_extra_the_commands_say_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing server package is one sentence, for the demo and for the server."""
    monkeypatch.setitem(sys.modules, "unified_train.sandbox", None)
    for arguments in (["demo"], ["sandbox", "serve"]):
        done = run(*arguments)
        assert done.exit_code == 3
        assert done.output.startswith("error: ")


def test_an_installation_without_photographs_asks_for_some(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the bundled photographs are missing, the demo says so."""
    monkeypatch.setattr("unified_train.demo.story.__file__", "/nowhere/at/all/story.py")
    done = run("demo")
    assert done.exit_code == 3
    assert "name a folder of yours with --photos" in done.output


def test_a_broken_plugin_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """The overview shows what works, and names what does not."""
    from unified_train import plugins

    found = plugins.load_all()
    broken = plugins.Found(found.providers, (errors.PluginError("plugin x can't be loaded"),))
    monkeypatch.setattr(plugins, "load_all", lambda: broken)
    assert "warning: plugin x can't be loaded" in run("providers").output


@pytest.mark.parametrize(
    ("host", "own"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("example.com", False)]
)
def test_loopback_is_known_by_name_and_number(host: str, own: bool) -> None:
    """Only this machine's own addresses are safe to listen on without a warning."""
    from unified_train.cli.sandbox import _loopback

    assert _loopback(host) is own
