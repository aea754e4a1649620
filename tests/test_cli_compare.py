"""`unified-train compare`: from a recipe to a report, with exit codes and the line that goes on."""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from compare_samples import drawn, job, sample
from conftest import QUICK

from unified_train import Client, Status
from unified_train.cli import comparing
from unified_train.cli.app import COMMANDS, cli
from unified_train.compare import Progress, read_manifest
from unified_train.sandbox import Sandbox

RECIPE = """
version = 1
[dataset]
path = "photos"
trigger = "ohwx"
class_word = "cat"
[training]
name = "my-cat"
[generation]
prompts = ["a portrait of {subject}"]
seeds = [7]
"""


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "photos").mkdir()
    for number, colour in enumerate(("#2f6f8f", "#b4452c")):
        (tmp_path / "photos" / f"{number}.png").write_bytes(drawn(str(number), colour))
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    monkeypatch.chdir(tmp_path)
    return path


@pytest.fixture
def quick(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """The sandbox, with clients that look at their jobs as often as it needs."""
    options: dict[str, Any] = {name: QUICK[name] for name in ("pace", "polling")}
    monkeypatch.setattr(comparing, "Client", partial(Client, **options))
    return sandbox


def run(*arguments: object) -> Any:
    """The command's result; `output` is both streams, in their order."""
    return CliRunner().invoke(cli, ["compare", *map(str, arguments)], catch_exceptions=False)


def test_it_is_in_the_overview() -> None:
    """The command is found, and its help tells of costs and exit codes."""
    assert "compare" in COMMANDS
    told = " ".join(run("--help").output.split())
    assert "This costs money at each vendor" in told
    assert "Exit code 0 if every picture was made" in told


def test_from_a_recipe_to_a_report(quick: Sandbox, recipe: Path, tmp_path: Path) -> None:
    """Progress goes to stderr, table and path to stdout; the same command goes on, and pays nothing twice."""
    for _ in range(2):
        done = run(recipe, "--providers", "scenario,alibaba", "--providers", "novita", "--out", tmp_path / "r")
        assert done.exit_code == 0, done.output
        lines = done.stdout.splitlines()
        assert lines[0].split()[0] == "vendor"
        assert [line.split()[0] for line in lines[2:5]] == ["Scenario", "Alibaba", "Novita"]
        assert lines[-1] == str(tmp_path / "r" / "report.html")
        assert "Novita: done: 1 of 1 pictures" in done.stderr.splitlines()
        assert len(quick.world.submissions) == 6
    assert read_manifest(tmp_path / "r").title == "my-cat"


def test_json(quick: Sandbox, recipe: Path, tmp_path: Path) -> None:
    """What programs want to know is on stdout, and only that."""
    done = run(recipe, "--providers", "novita", "--out", tmp_path / "r", "--json", "--title", "Cats")
    told = json.loads(done.stdout)
    made = read_manifest(told["manifest"])
    assert made.title == "Cats"
    assert told["id"] == made.id
    assert told["report"] == str(tmp_path / "r" / "report.html")
    assert told["records"] == json.loads(json.dumps(made.to_records()))
    assert [vendor["status"] for vendor in told["vendors"]] == ["succeeded"]
    assert told["failures"] == []


def test_some_fail(quick: Sandbox, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A vendor without a key and one whose pictures fail are told on stderr, each once; the exit code says partly."""
    recipe.write_text(RECIPE.replace("[7]", "[7, 8]"))
    monkeypatch.delenv("SCENARIO_SDK_API_KEY")
    quick.switch("alibaba", "inference_outcome", "EMPTY")
    done = run(recipe, "--providers", "scenario,alibaba,novita", "--out", tmp_path / "r")
    assert done.exit_code == 7
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 3
    assert errors[0].startswith("error: Scenario: no credentials: set the environment variables SCENARIO_SDK_API_KEY")
    assert all(line.startswith("error: Alibaba Cloud AiContent: 1 picture is missing: ") for line in errors[1:])
    assert "Alibaba Cloud AiContent: failed: 0 of 2 pictures, 2 errors" in done.stderr
    assert "Scenario: failed: 0 of 2 pictures, 1 error\n" in done.stderr


def test_all_fail(quick: Sandbox, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If it is all a matter of configuration the exit code says so, whether a key or an image host is missing."""
    quick.switch("novita", "training_outcome", "FAILED")
    assert run(recipe, "--providers", "novita", "--out", tmp_path / "failed").exit_code == 1
    monkeypatch.delenv("UNIFIED_TRAIN_IMAGE_HOST")
    done = run(recipe, "--providers", "alibaba", "--out", tmp_path / "hostless")
    assert done.exit_code == 3
    assert "takes images by public URL only" in done.stderr
    monkeypatch.delenv("NOVITA_API_KEY")
    done = run(recipe, "--providers", "novita", "--out", tmp_path / "keyless")
    assert done.exit_code == 3
    assert "novita: no api key" in done.stderr
    assert not (tmp_path / "keyless").exists()


def test_a_deadline(quick: Sandbox, recipe: Path, tmp_path: Path) -> None:
    """What still runs is told, with the line that goes on; that line does."""
    quick.world.clock.set_speed(0)
    arguments = [recipe, "--providers", "novita", "--timeout", "0.05", "--out", tmp_path / "r"]
    done = run(*arguments)
    assert done.exit_code == 4
    assert "Novita: late: 0 of 1 pictures, 1 error" in done.stderr
    line = f"unified-train compare {recipe} --providers novita --out {tmp_path / 'r'} --timeout 0.05"
    assert f"some jobs still run. To go on:\n  {line}\n" in done.stderr
    quick.world.clock.set_speed(12_000)
    assert run(*arguments[:3], *arguments[5:]).exit_code == 0
    assert len(quick.world.submissions) == 2


def test_an_interruption(quick: Sandbox, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C leaves the jobs to their vendors, and prints the line that goes on, whatever the profile."""
    real = comparing._stage

    def interrupting(progress: Progress, **how: bool) -> str:
        if progress.job is not None:
            raise KeyboardInterrupt
        return real(progress, **how)

    monkeypatch.setattr(comparing, "_stage", interrupting)
    (tmp_path / "unified-train.toml").write_text("[profiles.work]\n")
    before = ["--config", str(tmp_path / "unified-train.toml"), "--profile", "work", "compare"]
    after = [str(recipe), "--providers", "novita", "--out", str(tmp_path / "my report"), "--json"]
    done = CliRunner().invoke(cli, [*before, *after], catch_exceptions=False)
    assert done.exit_code == 130
    resume = done.stderr.splitlines()[-1].strip()
    assert resume.startswith("unified-train --profile work --config")
    assert resume.endswith(f"compare {recipe} --providers novita --out '{tmp_path}/my report' --json")
    monkeypatch.setattr(comparing, "_stage", real)
    assert CliRunner().invoke(cli, [*before, *after], catch_exceptions=False).exit_code == 0
    assert Counter(one.kind for one in quick.world.submissions) == {"training": 1, "generation": 1}


@pytest.mark.long
def test_models(quick: Sandbox, recipe: Path, tmp_path: Path) -> None:
    """Finished trainings take the place of new ones; the vendors are theirs unless others are named."""
    run(recipe, "--providers", "novita", "--out", tmp_path / "r")
    reference = read_manifest(tmp_path / "r").entrants[0].training
    assert reference
    done = run(recipe, "--models", reference.reference, "--out", tmp_path / "old")
    assert done.exit_code == 0, done.output
    made = read_manifest(tmp_path / "old")
    assert (made.training, made.title) == (None, "my-cat")
    assert Counter(one.kind for one in quick.world.submissions) == {"training": 1, "generation": 2}
    done = run(recipe, "--models", reference.reference, "--providers", "alibaba,novita", "--out", tmp_path / "both")
    assert done.exit_code == 0, done.output
    assert [bool(entrant.training) for entrant in read_manifest(tmp_path / "both").entrants] == [True, False]


@pytest.mark.long
def test_again(quick: Sandbox, recipe: Path, tmp_path: Path) -> None:
    """The same question in another folder is paid for anew, and gone on with there; the manifest is all it needs."""
    run(recipe, "--providers", "alibaba,novita", "--out", tmp_path / "r")
    for given in ("r/manifest.json", "r"):
        done = run("--again", tmp_path / given, "--out", tmp_path / "again")
        assert done.exit_code == 0, done.output
        assert len(quick.world.submissions) == 8
    first, second = read_manifest(tmp_path / "r"), read_manifest(tmp_path / "again")
    assert first.id == second.id
    assert first.pictures[0].job != second.pictures[0].job
    assert second.title == "my-cat"
    done = run("--again", tmp_path / "r", "--out", tmp_path / "r")
    assert (done.exit_code, "name another folder with --out" in done.stderr) == (3, True)
    (tmp_path / "photos").rename(tmp_path / "moved")
    done = run("--again", tmp_path / "r", "--out", tmp_path / "third")
    assert (done.exit_code, "are not to be had" in done.stderr) == (3, True)
    done = run("--again", tmp_path / "r", "--out", tmp_path / "third", "--photos", tmp_path / "moved")
    assert done.exit_code == 0, done.output


@pytest.mark.long
def test_again_with_models(quick: Sandbox, recipe: Path, tmp_path: Path) -> None:
    """A comparison of old models is repeated with them."""
    run(recipe, "--providers", "novita", "--out", tmp_path / "r")
    training = read_manifest(tmp_path / "r").entrants[0].training
    assert training
    run(recipe, "--models", training.reference, "--out", tmp_path / "old")
    assert run("--again", tmp_path / "old", "--out", tmp_path / "older").exit_code == 0
    assert Counter(one.kind for one in quick.world.submissions) == {"training": 1, "generation": 3}


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--out", "r"], 2, "name a recipe, or with --again the manifest"),
        (["recipe.toml", "--again", "m", "--out", "r"], 2, "name a recipe, or with --again the manifest"),
        (["recipe.toml", "--photos", "p", "--out", "r"], 2, "--photos belongs to --again"),
        (["recipe.toml", "--out", "r"], 2, "name the vendors to compare"),
        (["recipe.toml", "--providers", "novita"], 2, "name a folder for the report: --out FOLDER"),
        (["--rebuild", "r", "--json"], 2, "--rebuild goes with no recipe and no other option"),
        (["--rebuild", "nothing"], 3, "nothing/manifest.json: can't be read"),
        (["recipe.toml", "--providers", "novtia", "--out", "r"], 3, "no provider 'novtia' is installed"),
        (["nothing.toml", "--providers", "novita", "--out", "r"], 3, "no such recipe"),
        (["trains.toml", "--providers", "novita", "--out", "r"], 3, "has no [generation]"),
        (
            ["many.toml", "--providers", "novita", "--out", "r"],
            3,
            "generation.n is 2, but a comparison has one picture",
        ),
        (["recipe.toml", "--models", "nothing", "--out", "r"], 3, "the journal has no job or call 'nothing'"),
        (["--again", "nothing", "--out", "r"], 3, "can't be read"),
    ],
)
def test_what_makes_no_sense(arguments: list[str], code: int, sentence: str, recipe: Path, quick: Sandbox) -> None:
    """It is one sentence and an exit code, before anything is sent."""
    Path("trains.toml").write_text(RECIPE.partition("[generation]")[0])
    Path("many.toml").write_text(f"{RECIPE}n = 2\n")
    done = run(*arguments)
    assert done.exit_code == code, done.output
    assert sentence in " ".join(done.stderr.split())
    assert not quick.world.submissions


def test_a_configuration_without_a_journal(recipe: Path, tmp_path: Path) -> None:
    """What keeps it from paying twice can't be turned off for it."""
    config = tmp_path / "unified-train.toml"
    config.write_text("journal = false\n")
    arguments = ["--config", str(config), "compare", str(recipe), "--providers", "novita", "--out", str(tmp_path / "r")]
    done = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert (done.exit_code, "journal = false" in done.stderr) == (3, True)


def test_options_are_refused_or_left_out(quick: Sandbox, recipe: Path, tmp_path: Path) -> None:
    """The recipe says what to do with what a vendor lacks, and the command has the last word; no seeds are seed 1."""
    recipe.write_text(RECIPE.replace("seeds = [7]", 'width = 512\nheight = 512\non_unsupported = "error"'))
    arguments = [recipe, "--providers", "alibaba", "--out", tmp_path / "r"]
    done = run(*arguments)
    assert (done.exit_code, "has no option 'width'" in done.stderr) == (3, True)
    done = run(*arguments, "--on-unsupported", "drop")
    assert done.exit_code == 0, done.output
    assert read_manifest(tmp_path / "r").seeds == (1,)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Standard output and error are taken for a terminal of 160 columns."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "160")
    return monkeypatch


@pytest.mark.filterwarnings("always::unified_train.UnifiedTrainWarning")
def test_bars_on_a_terminal(quick: Sandbox, recipe: Path, tmp_path: Path, terminal: pytest.MonkeyPatch) -> None:
    """Each vendor has a bar; a warning stands above the bars, in a line of its own."""
    recipe.write_text(f"{RECIPE}width = 512\n")
    done = run(recipe, "--providers", "novita,alibaba", "--out", tmp_path / "r")
    assert done.exit_code == 0, done.output
    assert "done: 1 of 1 pictures" in done.stderr
    assert "━" in done.stderr
    pieces = re.split(r"\x1b\[2K|\n", done.stderr)  # what was shown before a line was erased is none of it
    shown = [re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\r", "", piece).rstrip() for piece in pieces]
    assert "warning: Alibaba Cloud AiContent has no option 'width'; width=512 was not sent" in shown


def test_a_bar_tells_what_there_is_room_for() -> None:
    """How far it is and how long it will take come first; in lines of a file the time that is left is no news."""
    running = job("novita", [(0, Status.RUNNING, "TRAINING")], raw_status="TRAINING", progress=0.48, eta=190.0)
    progress = Progress("novita", "Novita", "training", 0.3, running, 0, 4, ())
    assert comparing._stage(progress) == "training: running 48%, 3 min left TRAINING"
    assert comparing._stage(progress, brief=True) == "training: running 48%, 3 min left"
    assert comparing._stage(progress, timeless=True) == "training: running 48% TRAINING"


@pytest.mark.parametrize(("columns", "wide"), [(160, True), (62, False)])
def test_the_result_fits_a_terminal(
    columns: int, wide: bool, terminal: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """One line for each vendor, or where there is no room for that, one for each fact; none is broken."""
    terminal.setenv("COLUMNS", str(columns))
    wish = comparing.Wish(None, (), (), tmp_path, None, None, None, None, None, as_json=False)
    comparing._print(sample().comparison, wish)
    told = capsys.readouterr()
    lines = told.out.splitlines()[:-2]
    assert max(map(len, lines)) <= columns
    assert lines[0].startswith("vendor  ") is wide
    assert ("  training     succeeded" in lines) is not wide
    assert "error: East: The training failed; see https://example.org/x?token=***" in told.err.splitlines()
    assert "error: Süd <b>Bilder</b>: 1 picture is missing: <i>refused</i> by content rules" in told.err.splitlines()


def test_a_page_is_made_anew(tmp_path: Path) -> None:
    """With a report's manifest and pictures alone; nobody is asked for anything."""
    page = sample().write(tmp_path / "r")
    before = page.read_bytes()
    page.unlink()
    done = run("--rebuild", tmp_path / "r")
    assert (done.exit_code, done.stdout) == (0, f"{page}\n")
    assert page.read_bytes() == before


def test_again_needs_a_folder_and_the_photographs(tmp_path: Path, sandbox: Sandbox) -> None:
    """What is asked again may not be overwritten, and is asked of the same photographs; nothing is sent without."""
    sample().write(tmp_path / "r")
    done = run("--again", tmp_path / "r" / "manifest.json", "--out", tmp_path / "r")
    assert (done.exit_code, "name another folder with --out" in done.stderr) == (3, True)
    done = run("--again", tmp_path / "r", "--out", tmp_path / "s")
    assert (done.exit_code, "the journal does not know where the training images" in done.stderr) == (3, True)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(drawn("a", "#2f6f8f"))
    done = run("--again", tmp_path / "r", "--out", tmp_path / "s", "--photos", tmp_path / "photos")
    assert (done.exit_code, "; give the same images in the same order" in done.stderr) == (3, True)
    assert not (tmp_path / "s").exists()
    assert not sandbox.world.submissions
