"""`unified-train train` and `wait`: at most one training, within what is allowed, and a way back after Ctrl-C."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from test_recipe import RECIPE, write

from unified_train import Client, Cost, Effect, Journal, RequestFinished, Status
from unified_train.cli import calls
from unified_train.cli.app import cli
from unified_train.cli.train.permission import Budget, Terms, budget_of
from unified_train.plan import Blocker, PlannedRequest, VendorPlan
from unified_train.sandbox import Sandbox


def run(*arguments: object) -> Any:
    return CliRunner(env={"COLUMNS": "200"}).invoke(cli, [str(one) for one in arguments], catch_exceptions=False)


def submitted(sandbox: Sandbox) -> int:
    """How many trainings the vendor has accepted."""
    return sum(entry.method == "POST" and "/v3/training/" in entry.path for entry in sandbox.world.requests.entries())


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    return write(tmp_path)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """Look often: the sandbox's clock runs fast."""
    home.mkdir()
    (home / "config.toml").write_text("[polling]\nfirst = 0.01\nlongest = 0.05\n")
    monkeypatch.setattr("unified_train.provider.Provider.poll_floor", 0.0)
    for module in ("unified_train_novita.provider.Novita", "unified_train_scenario.provider.Scenario"):
        monkeypatch.setattr(f"{module}.poll_floor", 0.0)


class TestTrain:
    """From recipe to model."""

    def test_it_trains_and_waits(self, sandbox: Sandbox, recipe: Path) -> None:
        """The result is on stdout, progress and what to do next on stderr, exit code 0."""
        done = run("train", recipe, "--provider", "novita")
        assert done.exit_code == 0, done.output
        assert re.fullmatch(r"novita:training:style/\S+  succeeded, SUCCESS/SERVING, model \S+\n", done.stdout)
        assert "Novita: 10 images to upload, then the training begins" in done.stderr
        reference = done.stdout.split()[0]
        assert f"unified-train generate {recipe} --model {reference}" in done.stderr
        assert submitted(sandbox) == 1

    def test_json_is_the_job(self, sandbox: Sandbox, recipe: Path) -> None:
        """`--json` prints the whole job on stdout, and nothing else there."""
        job = json.loads(run("train", recipe, "--provider", "scenario", "--json").stdout)
        assert (job["provider"], job["status"], job["name"]) == ("scenario", "succeeded", "my-cat")

    def test_detached_it_prints_the_reference(self, sandbox: Sandbox, recipe: Path) -> None:
        """`--detach` ends with the acceptance; the line that waits is on stderr, and `wait` waits."""
        done = run("train", recipe, "--provider", "novita", "--detach")
        reference = done.stdout.strip()
        assert done.exit_code == 0
        assert f"unified-train wait {reference}" in done.stderr
        waited = run("wait", reference)
        assert (waited.exit_code, waited.stdout.startswith(f"{reference}  succeeded")) == (0, True)
        assert (
            json.loads(run("train", recipe, "--provider", "novita", "--detach", "--json").stdout)["kind"] == "training"
        )

    def test_the_same_key_trains_once(self, sandbox: Sandbox, recipe: Path) -> None:
        """Given again, the command shows the same job and submits nothing."""
        first, second = (run("train", recipe, "--provider", "novita", "--key", "order-7") for _ in range(2))
        assert first.stdout == second.stdout
        assert (second.exit_code, submitted(sandbox)) == (0, 1)

    def test_the_configured_vendor_trains(
        self, sandbox: Sandbox, recipe: Path, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Vendor, credentials and journal may all come from the configuration, for `wait` too."""
        monkeypatch.delenv("NOVITA_API_KEY")
        monkeypatch.setenv("TEAM_KEY", sandbox.env["NOVITA_API_KEY"])
        settings = 'provider = "novita"\njournal = "mine.sqlite"\n[providers.novita]\napi_key = "env:TEAM_KEY"\n'
        (home / "config.toml").write_text(settings)
        done = run("train", recipe, "--detach")
        assert done.exit_code == 0, done.output
        assert (home / "mine.sqlite").exists()
        assert run("wait", "--timeout", "20", done.stdout.strip()[-8:]).exit_code == 0

    def test_a_failed_training_is_exit_code_1(self, sandbox: Sandbox, recipe: Path) -> None:
        """What the vendor gives as the reason is on stdout."""
        sandbox.vendors["novita"].set_switch("training_outcome", "FAILED")
        done = run("train", recipe, "--provider", "novita")
        assert (done.exit_code, "  failed, " in done.stdout) == (1, True)

    def test_a_deadline_is_exit_code_4(self, sandbox: Sandbox, recipe: Path) -> None:
        """What is known at the deadline is printed; the training goes on."""
        sandbox.world.clock.set_speed(1)
        done = run("train", recipe, "--provider", "novita", "--timeout", "0.05", "--json")
        assert done.exit_code == 4
        assert json.loads(done.stdout)["status"] in {"queued", "running"}

    @pytest.mark.parametrize("change", [("steps", "stepps"), ("version = 1", "version = 3")])
    def test_a_wrong_recipe_is_exit_code_3(self, sandbox: Sandbox, tmp_path: Path, change: tuple[str, str]) -> None:
        """Nothing is sent for a recipe that has a mistake."""
        done = run("train", write(tmp_path, RECIPE.replace(*change)), "--provider", "novita")
        assert (done.exit_code, sandbox.world.requests.entries()) == (3, [])

    def test_without_a_journal_it_trains_without_a_key(self, sandbox: Sandbox, recipe: Path, home: Path) -> None:
        """`journal = false` leaves nothing to repeat a call by, so that `--key` is refused."""
        (home / "config.toml").write_text("journal = false\n")
        done = run("train", recipe, "--provider", "novita", "--detach", "--key", "k")
        assert (done.exit_code, "--key needs the journal" in done.stderr) == (3, True)
        assert run("train", recipe, "--provider", "novita", "--detach").exit_code == 0
        assert not (home / "journal.sqlite").exists()


class TestInterrupted:
    """Ctrl-C."""

    def test_before_there_is_a_job_the_same_key_goes_on(
        self, sandbox: Sandbox, recipe: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The line that is printed gives the command again with its key, and that trains once."""

        def interrupted(*_: Any, **__: Any) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(Client, "train", interrupted)
            done = run("train", recipe, "--provider", "novita")
        assert done.exit_code == 130
        (line,) = re.findall(r"^  unified-train (.*)$", done.stderr, re.MULTILINE)
        assert "--key" in line
        assert run(*shlex.split(line)).exit_code == 0
        assert submitted(sandbox) == 1

    def test_while_waiting_the_job_goes_on(
        self, sandbox: Sandbox, recipe: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The state so far and the line that waits again are printed; the line does."""

        def interrupted(*_: Any, **__: Any) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(Client, "wait", interrupted)
            done = run("train", recipe, "--provider", "novita", "--json")
        assert (done.exit_code, json.loads(done.stdout)["status"]) == (130, "queued")
        (line,) = re.findall(r"^  unified-train (.*)$", done.stderr, re.MULTILINE)
        assert run(*shlex.split(line)).exit_code == 0

    def test_the_line_has_the_same_profile(self, sandbox: Sandbox, recipe: Path, tmp_path: Path) -> None:
        """What was chosen before the command is in the line too."""
        file = write(tmp_path, "[profiles.mine]\nprovider = 'novita'\n", "c.toml")
        done = run("--config", file, "--profile", "mine", "train", recipe, "--detach")
        assert f"unified-train --profile mine --config {file} wait novita:training:" in done.stderr


class TestAllowed:
    """`--plan` and `--budget`."""

    def hash_of(self, recipe: Path, provider: str) -> str:
        done = run("plan", recipe, "--provider", provider, "--json")
        return str(json.loads(done.stdout)["vendors"][0]["training"]["hash"])

    @pytest.mark.parametrize("digits", [12, 64])
    def test_the_plan_that_was_looked_at_is_submitted(self, sandbox: Sandbox, recipe: Path, digits: int) -> None:
        """The hash of the plan, or its beginning, lets the training begin."""
        known = self.hash_of(recipe, "novita")[:digits]
        assert run("train", recipe, "--provider", "novita", "--plan", known, "--detach").exit_code == 0

    def test_another_plan_is_not(self, sandbox: Sandbox, recipe: Path, tmp_path: Path) -> None:
        """If anything has changed since, nothing is submitted: exit code 5, and the command that shows the new plan."""
        known = self.hash_of(recipe, "novita")
        write(tmp_path, RECIPE.replace("900", "901"))
        done = run("train", recipe, "--provider", "novita", "--plan", known)
        assert (done.exit_code, submitted(sandbox)) == (5, 0)
        assert "the plan has changed" in done.stderr
        assert f"unified-train plan {recipe} --provider novita" in done.stderr

    @pytest.mark.parametrize("wrong", ["abc", "0123456789xy", "A" * 12, "0" * 65])
    def test_what_is_no_hash_is_wrong_usage(self, recipe: Path, wrong: str) -> None:
        """Fewer than twelve digits, or others, are exit code 2."""
        assert run("train", recipe, "--provider", "novita", "--plan", wrong).exit_code == 2

    def test_a_budget_is_held_against_the_price(self, sandbox: Sandbox, recipe: Path) -> None:
        """What costs more is refused with exit code 5 before anything is uploaded; what costs less is trained."""
        done = run("train", recipe, "--provider", "scenario", "--budget", "1CU")
        assert (done.exit_code, "as estimated, and the budget is 1 CU" in done.stderr) == (5, True)
        assert not [entry for entry in sandbox.world.requests.entries() if entry.path.endswith("/assets")]
        assert run("train", recipe, "--provider", "scenario", "--budget", "9000 cu", "--detach").exit_code == 0

    def test_an_unknown_price_is_over_any_budget(self, sandbox: Sandbox, recipe: Path) -> None:
        """A vendor that tells no price is refused, unless that is allowed."""
        arguments = ["train", recipe, "--provider", "novita", "--budget", "5USD", "--detach"]
        done = run(*arguments)
        assert (done.exit_code, "the cost is unknown (Novita tells no price)" in done.stderr) == (5, True)
        assert run(*arguments, "--allow-unknown-cost").exit_code == 0

    def test_allowing_needs_a_budget(self, recipe: Path) -> None:
        """`--allow-unknown-cost` alone means nothing: exit code 2."""
        assert run("train", recipe, "--provider", "novita", "--allow-unknown-cost").exit_code == 2

    @pytest.mark.parametrize(
        ("text", "budget"),
        [("20CU", Budget(20, "CU")), (" 2.5 USD ", Budget(2.5, "USD")), ("0credits", Budget(0, "credits"))],
    )
    def test_a_budget_is_an_amount_with_a_unit(self, text: str, budget: Budget) -> None:
        """With a space or without, whole or not."""
        assert budget_of(text) == budget

    @pytest.mark.parametrize("text", ["20", "CU", "-1CU", "1e3CU", "20 CU USD", ""])
    def test_anything_else_is_no_budget(self, text: str) -> None:
        """An amount without a unit, or a unit without an amount, is wrong usage."""
        with pytest.raises(click.BadParameter, match="no amount with a unit"):
            budget_of(text)

    @pytest.mark.parametrize(
        ("cost", "objection"),
        [
            (Cost(amount=20, unit="CU", source="s"), None),
            (Cost(amount=20.1, unit="CU", source="s"), "it costs 20.1 CU as estimated, and the budget is 20 CU"),
            (Cost(amount=1, unit="USD", source="s"), "the budget is in CU; name it in USD"),
            (None, "the cost is unknown, so"),
        ],
    )
    def test_terms(self, cost: Cost | None, objection: str | None, capsys: pytest.CaptureFixture[str]) -> None:
        """The very budget is within it; more, another unit and no price are not."""
        plan = VendorPlan(provider="p", title="P", kind="training", cost=cost)
        terms = Terms(None, Budget(20, "CU"), allow_unknown=False)
        if objection is None:
            terms.check(plan, "again")
            return
        with pytest.raises(SystemExit, match="5"):
            terms.check(plan, "again")
        assert objection in capsys.readouterr().err

    def test_a_plan_that_can_not_be_made_is_none_that_was_allowed(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Without requests there is no hash; what stands in the way is told."""
        terms = Terms("0" * 12, None, allow_unknown=False)
        for blockers, told in (((Blocker(code="E", message="no key"),), "no key"), ((), "nothing to send")):
            with pytest.raises(SystemExit):
                terms.check(VendorPlan(provider="p", title="P", kind="training", blockers=blockers), "again")
            assert told in capsys.readouterr().err
        request = PlannedRequest(operation="o", effect=Effect.PAY, method="POST", url="u")
        plan = VendorPlan(provider="p", title="P", kind="training", requests=(request,))
        Terms((plan.hash or "")[:12], None, allow_unknown=False).check(plan, "again")


class TestStarting:
    """What is shown until there is a job."""

    def test_on_a_terminal_the_last_request_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Every request that ends changes the line, and none does where there is no terminal."""
        event = RequestFinished("p", "upload.image", "POST", "u", None, 1, 0.1, 200, None)
        starting = calls.Starting()
        starting.tell(event)
        monkeypatch.setattr("rich.console.Console.is_terminal", True)
        with starting.shown("busy", None):
            starting.tell(event)
            assert "busy: upload.image" in str(starting._status and starting._status.status)
        starting.tell(event)

    def test_without_a_journal_there_is_no_line_to_go_on(self, capsys: pytest.CaptureFixture[str]) -> None:
        """An interruption says what is the case, and names no command."""
        with pytest.raises(SystemExit), calls.Starting().shown("busy", None):
            raise KeyboardInterrupt
        assert "To go on" not in capsys.readouterr().err


def test_the_top_level_wait_is_that_of_jobs(sandbox: Sandbox, recipe: Path, home: Path) -> None:
    """`wait --all --json` gives the same list as `jobs wait` would."""
    run("train", recipe, "--provider", "novita", "--detach")
    (job,) = json.loads(run("wait", "--all", "--json").stdout)
    with_journal = Journal(home / "journal.sqlite")
    assert with_journal.jobs()[0].status is Status.SUCCEEDED
    with_journal.close()
    assert job["status"] == "succeeded"
