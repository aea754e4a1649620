"""`unified-train generate`: pictures of a trained model, submitted once, waited for and brought home."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from test_recipe import RECIPE, write

from unified_train import Client, InvalidRequest, ProviderUnavailable
from unified_train.cli.app import cli
from unified_train.sandbox import Sandbox


def run(*arguments: object) -> Any:
    return CliRunner(env={"COLUMNS": "200"}).invoke(cli, [str(one) for one in arguments], catch_exceptions=False)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, home: Path, tmp_path: Path) -> None:
    """Look often, since the sandbox's clock runs fast, and write into a folder of the test's own."""
    home.mkdir()
    (home / "config.toml").write_text("[polling]\nfirst = 0.01\nlongest = 0.05\n")
    for module in ("unified_train_novita.provider.Novita", "unified_train_scenario.provider.Scenario"):
        monkeypatch.setattr(f"{module}.poll_floor", 0.0)
    monkeypatch.setattr("unified_train_novita.provider.Novita.rates", {})
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def trained(sandbox: Sandbox, tmp_path: Path) -> str:
    """The reference of a finished training."""
    done = run("train", write(tmp_path), "--provider", "novita")
    return str(done.stdout.split()[0])


def pictures(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.iterdir())


def test_a_reference_and_a_prompt(trained: str, tmp_path: Path) -> None:
    """The files are on stdout, progress on stderr, exit code 0; by default they are in `pictures`."""
    done = run("generate", trained, "--prompt", "{subject} in the snow", "--n", 2, "--seed", 7)
    assert done.exit_code == 0, done.output
    assert sorted(done.stdout.split()) == [
        f"pictures/{path.name}" for path in sorted((tmp_path / "pictures").iterdir())
    ]
    assert len(done.stdout.split()) == 2
    assert "novita: 1 request to submit" in done.stderr


def test_the_end_of_a_reference_is_enough(trained: str, tmp_path: Path) -> None:
    """What `jobs list` shows finds the training."""
    assert run("generate", trained[-8:], "--prompt", "x").exit_code == 0


def test_a_recipe_and_a_model(trained: str, tmp_path: Path) -> None:
    """Every prompt with every seed is a job of its own; as JSON each has its files."""
    done = run("generate", tmp_path / "recipe.toml", "--model", trained, "--out", tmp_path / "out", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (len(told["jobs"]), told["errors"]) == (4, [])
    assert all(job["status"] == "succeeded" and len(job["files"]) == 2 for job in told["jobs"])
    assert sorted(file for job in told["jobs"] for file in job["files"]) == pictures(tmp_path / "out")


def test_the_command_line_has_the_last_word(trained: str, tmp_path: Path, sandbox: Sandbox) -> None:
    """Prompts, seeds and number replace the recipe's; all else of it holds."""
    sandbox.world.requests.clear()
    arguments = ["--prompt", "a {subject}", "--seed", "1", "--n", "1"]
    assert run("generate", "recipe.toml", "--model", trained, *arguments).exit_code == 0
    (sent,) = [entry.json for entry in sandbox.world.requests.entries() if entry.method == "POST"]
    asked = sent["request"]
    assert (asked["prompt"], asked["seed"], asked["image_num"], asked["width"]) == ("a ohwx cat", 1, 1, 512)


def test_the_same_key_pays_once(trained: str, tmp_path: Path, sandbox: Sandbox) -> None:
    """Given again, the command finds the jobs and their files, and submits nothing."""
    first = run("generate", "recipe.toml", "--model", trained, "--key", "k")
    sandbox.world.requests.clear()
    second = run("generate", "recipe.toml", "--model", trained, "--key", "k")
    assert (second.exit_code, second.stdout) == (0, first.stdout)
    assert not [entry for entry in sandbox.world.requests.entries() if entry.method == "POST"]


def test_a_model_that_is_not_in_the_journal_is_asked_for(
    trained: str, tmp_path: Path, home: Path, sandbox: Sandbox
) -> None:
    """The vendor knows the model, and the recipe what it is called by; a reference alone leaves that open."""
    for file in home.glob("journal.sqlite*"):
        file.unlink()
    done = run("generate", "recipe.toml", "--model", trained)
    assert done.exit_code == 0, done.output
    done = run("generate", trained, "--prompt", "{subject}")
    assert (done.exit_code, "trained without trigger and class word" in done.stderr) == (3, True)


def test_a_training_that_still_runs_has_no_model(sandbox: Sandbox, tmp_path: Path) -> None:
    """It says to wait for it first, exit code 3."""
    reference = run("train", write(tmp_path), "--provider", "novita", "--detach").stdout.strip()
    sandbox.world.clock.set_speed(0.001)
    done = run("generate", reference, "--prompt", "x")
    assert (done.exit_code, "has no model to generate with; wait for it first" in done.stderr) == (3, True)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["recipe.toml"], "a recipe needs --model"),
        (["novita:training:style/x"], "say what to generate with --prompt"),
        (["novita:training:style/x", "--model", "y", "--prompt", "z"], "--model goes with a recipe"),
    ],
)
def test_what_goes_together(arguments: list[str], told: str) -> None:
    """A reference with a prompt, or a recipe with a model; all else is wrong usage, exit code 2."""
    done = run("generate", *arguments)
    assert (done.exit_code, told in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["novita:generation:x", "--prompt", "z"], "is no training"),
        (["nothing", "--prompt", "z"], "the journal has no job or call 'nothing'"),
        (["recipe.toml", "--model", "novita:training:style/x"], "has no table [generation]"),
    ],
)
def test_what_there_must_be(tmp_path: Path, arguments: list[str], told: str) -> None:
    """A training that can be found, and a prompt somewhere: else exit code 3."""
    write(tmp_path, RECIPE.partition("[generation]")[0])
    done = run("generate", *arguments)
    assert (done.exit_code, told in done.stderr) == (3, True), done.output


def test_a_prompt_for_a_recipe_that_only_trains(trained: str, tmp_path: Path) -> None:
    """`--prompt` is enough where the recipe has no table for pictures."""
    write(tmp_path, RECIPE.partition("[generation]")[0])
    assert run("generate", "recipe.toml", "--model", trained, "--prompt", "{subject}").exit_code == 0


class TestInPart:
    """Some pictures are there, and some are not."""

    def test_one_refused_request_keeps_no_other(
        self, trained: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The others are made and brought home; exit code 7, and the refusal is told with its prompt."""
        self.refuse(monkeypatch, lambda prompt: "space" in prompt)
        done = run("generate", "recipe.toml", "--model", trained, "--json")
        assert done.exit_code == 7
        told = json.loads(done.stdout)
        assert (len(told["jobs"]), len(told["errors"])) == (2, 2)
        assert "error: '{subject} in space': no" in done.stderr

    def test_nothing_accepted_is_the_error(self, trained: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """If every request is refused there is nothing to wait for; one alone ends as it would in the library."""
        self.refuse(monkeypatch, lambda _: True)
        assert run("generate", "recipe.toml", "--model", trained).exit_code == 1
        done = run("generate", trained, "--prompt", "x")
        assert (done.exit_code, done.stderr.count("error: no")) == (1, 1)

    def refuse(self, monkeypatch: pytest.MonkeyPatch, which: Any) -> None:
        usual = Client.generate

        def picky(client: Client, model: Any, request: Any, **options: Any) -> Any:
            if which(request.prompt):
                raise InvalidRequest("no")
            return usual(client, model, request, **options)

        monkeypatch.setattr(Client, "generate", picky)

    def test_a_failed_generation_is_told(self, trained: str, sandbox: Sandbox) -> None:
        """It is on stderr, since stdout has files only; without any the exit code is 1."""
        sandbox.vendors["novita"].set_switch("generation_outcome", "FAILED")
        done = run("generate", trained, "--prompt", "x")
        assert (done.exit_code, done.stdout, "  failed" in done.stderr) == (1, "", True)

    def test_pictures_that_can_not_be_fetched(self, trained: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """They are told, and the same key fetches them later."""

        def down(*_: Any) -> None:
            raise ProviderUnavailable("down")

        with monkeypatch.context() as patch:
            patch.setattr(Client, "download", down)
            done = run("generate", trained, "--prompt", "x", "--key", "k")
        assert (done.exit_code, "down" in done.stderr) == (1, True)
        assert run("generate", trained, "--prompt", "x", "--key", "k").exit_code == 0

    def test_a_deadline_is_exit_code_4(self, trained: str, sandbox: Sandbox) -> None:
        """The jobs are told as they stand."""
        sandbox.world.clock.set_speed(0.001)
        done = run("generate", trained, "--prompt", "x", "--timeout", "0.05", "--json")
        assert (done.exit_code, len(json.loads(done.stdout)["jobs"])) == (4, 1)


class TestInterrupted:
    """Ctrl-C."""

    @pytest.mark.parametrize("verb", ["generate", "wait"])
    def test_the_line_goes_on(self, trained: str, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
        """Whether submitting or waiting, the printed command has the key, and brings the pictures home."""

        def interrupted(*_: Any, **__: Any) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(Client, verb, interrupted)
            done = run("generate", trained, "--prompt", "a {subject}", "--seed", 3, "--n", 2)
        assert done.exit_code == 130
        (line,) = re.findall(r"^  unified-train (.*)$", done.stderr, re.MULTILINE)
        again = run(*shlex.split(line))
        assert (again.exit_code, len(again.stdout.split())) == (0, 2)

    def test_without_a_journal_the_line_waits(self, trained: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where no key can be kept, the jobs can still be waited for."""
        (home / "config.toml").write_text("journal = false\n")

        def interrupted(*_: Any, **__: Any) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(Client, "wait", interrupted)
        done = run("generate", trained, "--prompt", "a cat")
        assert done.exit_code == 130
        assert "unified-train wait novita:generation:" in done.stderr
