"""`unified-train plan`: what a recipe would do, legible on a terminal and whole as JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from test_plan import NOW, ended
from test_recipe import RECIPE, write

from unified_train import Cost, Effect, Journal, Status
from unified_train.cli.app import cli
from unified_train.cli.plan.making import RecipePlan
from unified_train.cli.plan.showing import print_plans
from unified_train.plan import Blocker, PlannedFile, PlannedOption, PlannedRequest, VendorPlan
from unified_train.sandbox import Sandbox

WARNING = RECIPE.replace("learning_rate", "on_unsupported = 'drop'\nlearning_rate")


def run(*arguments: object, width: int = 100) -> Any:
    texts = [str(argument) for argument in arguments]
    return CliRunner(env={"COLUMNS": str(width)}).invoke(cli, ["plan", *texts], catch_exceptions=False)


def told(result: Any) -> str:
    return " ".join(result.stdout.split())


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    return write(tmp_path)


def test_one_vendor_is_told_to_the_last_word(sandbox: Sandbox, recipe: Path) -> None:
    """Hash, cost, time, images, options and payloads of the training, and of its pictures, with exit code 0."""
    done = run(recipe, "--provider", "novita")
    assert (done.exit_code, done.stderr) == (0, "")
    text = told(done)
    assert "Novita: training plan " in text
    assert "cost unknown; Novita tells no price before" in text
    assert "time unknown; no training at Novita has ended here yet" in text
    assert "images 10 (1.1 MB) to storage that Novita names" in text
    assert "steps 900 sent as expert_setting.max_train_steps" in text
    assert "base_model default v1-5-pruned-emaonly as base_model" in text
    assert "10 × PUT https://presigned.invalid/1 can be repeated <chelsea_01.jpg, 67,343 bytes>" in text
    assert '"… 7 more"' in text
    assert "Novita: generation cost unknown; a price is that of a model, and there is none yet" in text
    assert "4 × POST" in text
    assert "the others differ in request.seed, request.prompt" in text


@pytest.mark.parametrize("width", [80, 120])
def test_no_line_is_wider_than_the_terminal(sandbox: Sandbox, recipe: Path, width: int) -> None:
    """What is shown fits into 80 columns as into 120, at every vendor."""
    done = run(recipe, "--all", width=width)
    assert max(map(len, done.stdout.splitlines())) <= width
    assert "Scenario: training" in done.stdout


def test_all_vendors_end_in_a_table(sandbox: Sandbox, tmp_path: Path) -> None:
    """Each vendor with whether it could start, what is not as asked, and the hash to start it by."""
    done = run(write(tmp_path, WARNING), "--all", "--json")
    hashes = {one["provider"]: one["training"]["hash"][:12] for one in json.loads(done.stdout)["vendors"]}
    shown = run(write(tmp_path, WARNING), "--all").stdout
    table = [line.split() for line in shown.splitlines()[-6:] if line.strip()]
    assert [row[0:3] for row in table if row[0] in hashes] == [[slug, "ready", "10"] for slug in hashes]
    assert [row[-1] for row in table if row[0] in hashes] == list(hashes.values())
    assert [row[-2] for row in table if row[0] == "alibaba"] == ["learning_rate"]


def test_json_has_everything(sandbox: Sandbox, recipe: Path) -> None:
    """Every request with its whole payload, for each vendor that is named, once."""
    done = run(recipe, "--json", "--provider", "scenario", "--provider", "novita", "--provider", "scenario")
    whole = json.loads(done.stdout)
    assert (whole["recipe"], [one["provider"] for one in whole["vendors"]]) == (str(recipe), ["scenario", "novita"])
    training, generation = whole["vendors"][1]["training"], whole["vendors"][1]["generation"]
    assert len(training["requests"][-1]["body"]["image_dataset_items"]) == 10
    assert (len(training["requests"]), len(generation["requests"])) == (21, 4)


def test_a_recipe_that_only_trains_has_no_pictures(sandbox: Sandbox, tmp_path: Path) -> None:
    """Nothing is said of generations where there are none."""
    recipe = write(tmp_path, RECIPE.partition("[generation]")[0])
    assert json.loads(run(recipe, "--provider", "novita", "--json").stdout)["vendors"][0]["generation"] is None
    assert "generation" not in run(recipe, "--provider", "novita").stdout


def test_the_configured_vendor_is_planned(sandbox: Sandbox, recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `--provider` it is the one that is configured; without either it is asked for, with exit code 3."""
    done = run(recipe)
    assert (done.exit_code, "name a vendor with --provider (" in done.stderr) == (3, True)
    monkeypatch.setenv("UNIFIED_TRAIN_PROVIDER", "novita")
    assert "Novita: training" in run(recipe).stdout


def test_a_missing_key_stands_in_the_way(sandbox: Sandbox, recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is named, the payload is shown all the same, nothing is sent, and the exit code is 5."""
    monkeypatch.delenv("NOVITA_API_KEY")
    done = run(recipe, "--provider", "novita")
    assert done.exit_code == 5
    assert "blocked no api key: set the environment variable NOVITA_API_KEY" in told(done)
    assert '"name": "my-cat-ut____________"' in done.stdout
    assert sandbox.world.requests.entries() == []
    assert "missing" not in done.stdout


def test_one_vendor_that_is_ready_is_enough(sandbox: Sandbox, recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With several vendors the exit code is 5 only if none could start."""
    monkeypatch.delenv("NOVITA_API_KEY")
    assert run(recipe, "--provider", "novita", "--provider", "scenario").exit_code == 0


def test_a_vendor_without_even_a_client_is_told(
    sandbox: Sandbox, recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An image host that can't be used leaves nothing to plan; the others are planned."""
    monkeypatch.setenv("UNIFIED_TRAIN_IMAGE_HOST", "gopher://nowhere")
    done = run(recipe, "--all")
    assert done.exit_code == 0
    assert "Alibaba Cloud AiContent: training blocked no image host for 'gopher://nowhere'" in told(done)
    assert "Alibaba Cloud AiContent: generation" not in done.stdout


def test_offline_sends_nothing(sandbox: Sandbox, recipe: Path) -> None:
    """Not a single request leaves."""
    assert run(recipe, "--all", "--offline").exit_code == 0
    assert sandbox.world.requests.entries() == []


def test_the_price_is_asked_if_it_is_wanted(sandbox: Sandbox, recipe: Path) -> None:
    """Without `--ask-price` it says what asking takes; with it there is a price."""
    assert "cost unknown; --ask-price asks by a dry run" in told(run(recipe, "--provider", "scenario"))
    assert "CU (train dry run)" in told(run(recipe, "--provider", "scenario", "--ask-price"))


@pytest.mark.parametrize(
    "options", [["--all", "--provider", "novita"], ["--offline", "--ask-price", "--provider", "novita"]]
)
def test_options_that_exclude_each_other(recipe: Path, options: list[str]) -> None:
    """Two wishes that can't both be meant are wrong usage, exit code 2."""
    done = run(recipe, *options)
    assert (done.exit_code, "exclude each other" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("before", "after", "place"),
    [("steps", "stepps", ":10: unknown key"), ('path = "/', 'path = "/no', ":4: dataset.path: /no")],
)
def test_a_wrong_recipe_is_told_with_its_place(tmp_path: Path, before: str, after: str, place: str) -> None:
    """The mistake is named with file and line, exit code 3."""
    done = run(write(tmp_path, RECIPE.replace(before, after)), "--all")
    assert (done.exit_code, f"recipe.toml{place}" in done.stderr) == (3, True)


def test_warnings_are_in_the_plan_only(sandbox: Sandbox, tmp_path: Path) -> None:
    """What would be warned of is told once, in the plan."""
    done = run(write(tmp_path, RECIPE.replace("learning", "on_unsupported='warn'\nlearning")), "--provider", "alibaba")
    assert done.stderr == ""
    assert "learning_rate 0.0001 dropped" in told(done)


def test_what_took_place_tells_the_time(sandbox: Sandbox, recipe: Path, home: Path) -> None:
    """Once jobs have ended here, their median is the time to expect."""
    journal = Journal(home / "journal.sqlite")
    ended(journal, "j", 50, Status.SUCCEEDED)
    job = journal.jobs()[0]
    intent = journal.intent("j")
    assert intent is not None
    journal.begin(intent.model_copy(update={"key": "k", "provider": "novita", "created_at": NOW}), "me:1:x")
    journal.settle("k", "me:1:x", "accepted", job=job.model_copy(update={"provider": "novita"}))
    journal.close()
    done = run(recipe, "--provider", "novita")
    assert "time about 50 min, the median of 1 training that ended here" in told(done)


def test_odd_plans_are_told_too(capsys: pytest.CaptureFixture[str]) -> None:
    """A plan that is cut short, a price, a body of bytes, words that could steer a terminal, and no note at all."""
    request = PlannedRequest(
        operation="o", effect=Effect.PAY, method="POST", url="http://a/<x>", body="<a.png, 3 bytes>"
    )
    plan = VendorPlan(
        provider="a",
        title="A",
        kind="training",
        requests=(request,),
        complete=False,
        options=(PlannedOption(name="steps", asked=1, value=1, outcome="mapped", why="so [red]it[/red] is\x1b[31m"),),
        files=(PlannedFile(name="a", to=("A gets its URL",)),),
        blockers=(Blocker(code="E", message="no\x1b[31m"),),
        cost=Cost(amount=2.5, unit="USD", source="list"),
        seconds=90,
        seconds_from=2,
    )
    print_plans([RecipePlan(plan, None), RecipePlan(plan.model_copy(update={"requests": (), "cost": None}), plan)])
    out = capsys.readouterr().out
    assert "\x1b" not in out
    text = " ".join(out.split())
    assert "… and more that depend on the vendor's answers" in text
    assert "2.5 USD (list)" in text
    assert "so [red]it[/red] is" in text
    assert "1 to A gets its URL" in text
    assert "about 1 min, the median of 2 trainings that ended here" in text
    assert "cost unknown time" in text


def test_the_help_loads_none_of_what_it_needs() -> None:
    """`plan --help`, as that of its sisters, is quick: neither pydantic nor rich is loaded."""
    for command in ("plan", "train", "generate", "wait", "recipe"):
        code = (
            "import sys; from unified_train.cli.app import cli;"
            f"cli(['{command}', '--help'], standalone_mode=False);"
            "print([n for n in ('pydantic', 'rich', 'httpx') if n in sys.modules])"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip().endswith("[]"), (command, done.stdout)
