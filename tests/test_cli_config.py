"""`unified-train config` and `models`, and what all commands share: profile, file, traceback, warnings, completion."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from config_files import Project, project

from unified_train import Client, Dataset, PluginError, Polling, TrainingRequest, UnifiedTrainWarning, errors, plugins
from unified_train.cli import app
from unified_train.sandbox import Sandbox

__all__ = ["project"]

SECRET = "sk-5ecret-5ecret"
FILE = f"""
    provider = "novita"
    image_host = "env:HOST"
    [providers.novita]
    api_key = "env:NOVITA_KEY_OF_MY_TEAM"
    [providers.alibaba]
    access_key_id = "file:key.txt"
    access_key_secret = "cmd:touch {SECRET}"
    [providers.elsewhere]
    base_url = "http://x.test"
    [retry]
    attempts = 7
    [profiles.staging]
    provider = "scenario"
    journal = false
    [profiles.staging.providers.scenario]
    base_url = "http://user:{SECRET}@127.0.0.1:8765/v1"
    jwt = "keyring:scenario"
"""


def run(*arguments: str, columns: int = 100) -> Any:
    return CliRunner(env={"COLUMNS": str(columns)}).invoke(app.cli, arguments, catch_exceptions=False)


def shown(*arguments: str) -> dict[str, tuple[str, str]]:
    done = run("config", "show", "--json", *arguments)
    assert done.exit_code == 0, done.output
    values = json.loads(done.stdout)["values"]
    return {key: (about["value"], about["origin"]) for key, about in values.items()}


# -- config show -------------------------------------------------------------------------------------------------------


def test_show_tells_each_value_and_where_it_is_from(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files by line, variables by name, defaults as such; of a secret only whether it is there."""
    file = project.write(FILE)
    monkeypatch.setenv("NOVITA_KEY_OF_MY_TEAM", SECRET)
    monkeypatch.setenv("SCENARIO_SDK_API_KEY", SECRET)
    values = shown()
    assert values["provider"] == ("novita", f"{file}:1")
    assert values["profile"] == ("none", "default")
    assert values["journal"] == (str(project.home / "journal.sqlite"), "UNIFIED_TRAIN_HOME")
    assert values["image_host"] == ("missing (env:HOST)", f"{file}:2")
    assert values["retry.attempts"] == ("7", f"{file}:11")
    assert values["retry.grace"] == ("by vendor", "default")
    assert values["polling.share"] == ("0.15", "default")
    assert values["providers.novita.api_key"] == ("set (env:NOVITA_KEY_OF_MY_TEAM)", f"{file}:4")
    assert values["providers.novita.base_url"] == ("https://api.novita.ai", "default")
    assert values["providers.alibaba.access_key_id"] == ("missing (file:key.txt)", f"{file}:6")
    assert values["providers.alibaba.access_key_secret"] == ("by cmd (cmd:touch …)", f"{file}:7")
    assert values["providers.alibaba.region"] == ("none", "default")
    assert values["providers.scenario.api_key"] == ("set", "SCENARIO_SDK_API_KEY")
    assert values["providers.scenario.jwt"] == ("missing", "default")
    staging = shown("--profile", "staging")
    assert staging["profile"] == ("staging", "--profile")
    assert staging["journal"] == ("off", f"{file}:14")
    assert staging["providers.scenario.base_url"] == ("http://127.0.0.1:8765/v1", f"{file}:16")
    assert staging["providers.scenario.jwt"] == ("by keyring (keyring:scenario)", f"{file}:17")


@pytest.mark.parametrize("columns", [80, 120])
def test_the_table_shows_no_secret_and_fits(project: Project, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is as wide as the terminal, says which files were read, and runs nothing."""
    project.write(FILE)
    monkeypatch.setenv("NOVITA_KEY_OF_MY_TEAM", SECRET)
    monkeypatch.setenv("HOST", f"http://u:{SECRET}@x.test")
    done = run("--profile", "staging", "config", "show", columns=columns)
    assert done.exit_code == 0, done.output
    assert SECRET not in done.output
    assert not (project.folder / SECRET).exists()
    head, _, table = done.stdout.partition("setting")
    assert "project's file  unified-train.toml\n" in head
    assert "config.toml (not there)" in head
    assert "profiles        staging" in head
    assert max(map(len, table.splitlines())) <= columns
    lines = [line.split() for line in table.splitlines()]
    assert ["provider", "scenario", "unified-train.toml:13"] in lines
    assert ["profile", "staging", "--profile"] in lines
    assert ["novita"] in lines
    assert "there are settings for 'elsewhere', but no such provider is installed" in done.stderr


def test_without_files_the_table_says_where_they_would_be(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's folder is shown from the home folder, a literal host without its credentials."""
    monkeypatch.setenv("HOME", str(project.home.parent))
    monkeypatch.setenv("UNIFIED_TRAIN_IMAGE_HOST", f"http://u:{SECRET}@x.test/a")
    done = run("config", "show")
    assert "none (unified-train.toml in this folder or above it)" in done.stdout
    assert f"user's file     ~/{project.home.name}/config.toml (not there)" in done.stdout
    assert "http://x.test/a" in done.stdout
    assert SECRET not in done.stdout


def test_a_broken_plugin_is_told_below(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest is shown."""
    broken = plugins.Found(plugins.load_all().providers, (PluginError("plugin x can't be loaded"),))
    monkeypatch.setattr(plugins, "load_all", lambda: broken)
    assert run("config", "show").stderr == "warning: plugin x can't be loaded\n"


def test_the_usual_journal_may_be_the_systems(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without any word on it, its place is the default."""
    monkeypatch.delenv("UNIFIED_TRAIN_HOME")
    monkeypatch.setattr("platformdirs.user_data_dir", lambda *_, **__: str(tmp_path / "data"))
    monkeypatch.setattr("platformdirs.user_config_dir", lambda *_, **__: str(tmp_path / "settings"))
    assert shown()["journal"] == (str(tmp_path / "data" / "journal.sqlite"), "default")


# -- options of all commands -------------------------------------------------------------------------------------------


def test_profile_and_file_reach_every_command(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """They work by way of the environment, which is as before afterwards."""
    project.write('provider = "novita"')
    other = project.write('[profiles.p]\nprovider = "scenario"', "sub/other.toml")
    monkeypatch.setenv("UNIFIED_TRAIN_PROFILE", "before")
    done = run("--config", "sub/other.toml", "--profile", "p", "config", "show", "--json")
    told = json.loads(done.stdout)
    assert told["files"] == [str(other)]
    assert told["values"]["provider"]["value"] == "scenario"
    assert os.environ["UNIFIED_TRAIN_PROFILE"] == "before"
    assert "UNIFIED_TRAIN_CONFIG" not in os.environ


def test_a_wrong_profile_is_one_sentence(project: Project) -> None:
    """It ends with the exit code of configurations."""
    project.write("[profiles.staging]")
    done = run("--profile", "stagin", "config", "show")
    assert (done.exit_code, done.stderr) == (3, "error: no profile 'stagin'; there are: staging\n")


def test_debug_shows_where_an_error_comes_from(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The traceback is there for our errors and for bugs, without signatures."""
    url = "https://x.test/a?X-Amz-Signature=5ecret"
    failure: Exception = errors.ConfigurationError("wrong")

    def fail(*_: object) -> None:
        raise failure from OSError(url)

    monkeypatch.setattr("unified_train.plugins.load_all", fail)
    assert run("providers").stderr == "error: wrong\n"
    told = run("--debug", "providers")
    assert told.exit_code == 3
    assert "Traceback" in told.stderr
    assert "X-Amz-Signature=***" in told.stderr
    assert told.stderr.endswith("error: wrong\n")
    failure = ZeroDivisionError(url)
    told = run("--debug", "providers")
    assert told.exit_code == 1
    assert "ZeroDivisionError" in told.stderr
    assert "5ecret" not in told.stderr
    with pytest.raises(ZeroDivisionError):
        run("providers")
    assert run("--debug", "fly").exit_code == 2


def test_warnings_are_plain_sentences(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours come without the line of code; others stay as Python shows them."""
    monkeypatch.setenv("UNIFIED_TRAIN_PROFIL", "x")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        done = run("config", "show")
    assert "warning: the environment variable UNIFIED_TRAIN_PROFIL is not read; did you mean" in done.stderr
    assert "UnifiedTrainWarning" not in done.stderr
    seen: list[object] = []
    monkeypatch.setattr(warnings, "showwarning", lambda *place: seen.append(place[1]))
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with app._plain_warnings():
            warnings.warn("old", DeprecationWarning, stacklevel=1)
            warnings.warn("ours", UnifiedTrainWarning, stacklevel=1)
    assert seen == [DeprecationWarning]


def test_a_shell_can_complete(project: Project) -> None:
    """What click makes for shells knows commands and options."""
    command = [sys.executable, "-c", "from unified_train.cli.app import cli; cli(prog_name='unified-train')"]
    env = {
        **os.environ,
        "_UNIFIED_TRAIN_COMPLETE": "bash_complete",
        "COMP_WORDS": "unified-train con",
        "COMP_CWORD": "1",
    }
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert done.stdout == "plain,config\n"


# -- models ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def trained(project: Project, sandbox: Sandbox, photos: Dataset) -> Sandbox:
    """A sandbox with one training at Novita and one at Scenario."""
    for name in ("scenario", "novita"):
        with Client(name, pace=False, polling=Polling(first=0.01, longest=0.1), journal=None) as client:
            client.wait(client.train(TrainingRequest(name=f"cat-{name}", dataset=photos)), timeout=30)
    return sandbox


def test_models_lists_what_was_trained(trained: Sandbox) -> None:
    """Every vendor that is set up is asked, and what can be generated with is shown; one vendor can be named."""
    done = run("models", columns=120)
    assert done.exit_code == 0, done.output
    assert "cat-scenario" in done.stdout
    assert "cat-novita" in done.stdout
    listed = json.loads(run("models", "--json", "--provider", "novita").stdout)
    assert [model["name"] for model in listed] == ["cat-novita"]
    assert listed[0]["training"].startswith("novita:training:")
    assert listed[0]["model"]
    assert listed[0]["created_at"].endswith("+00:00")


def test_a_vendor_that_fails_is_a_line_and_not_the_end(trained: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are listed, and the exit code says partly; if all fail, it is that of the first."""
    monkeypatch.setenv("NOVITA_API_KEY", "wrong")
    done = run("models", "--provider", "novita", "--provider", "scenario")
    assert done.exit_code == 7
    assert "cat-scenario" in done.stdout
    assert done.stderr.startswith("error: Novita: ")
    done = run("models", "--provider", "novita")
    assert (done.exit_code, done.stdout) == (3, "")


def test_no_models_are_told(project: Project, sandbox: Sandbox) -> None:
    """An empty list is a sentence, or an empty list."""
    assert run("models").stdout == "no trained models\n"
    assert run("models", "--json").stdout == "[]\n"


def test_the_vendor_that_is_configured_is_asked_even_without_credentials(project: Project) -> None:
    """What it lacks is told."""
    project.write('provider = "novita"')
    done = run("models")
    assert done.exit_code == 3
    assert done.stderr.startswith("error: Novita: no api key: set the environment variable NOVITA_API_KEY")


def test_without_a_vendor_there_is_nothing_to_list(project: Project) -> None:
    """The message says where to look."""
    done = run("models")
    assert done.exit_code == 3
    assert "no vendor is set up; `unified-train doctor` tells what each one needs" in done.stderr
