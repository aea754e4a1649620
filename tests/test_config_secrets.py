"""References to secrets: what each kind gives, and that a message never has the secret."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Any

import keyring
import keyring.backend
import keyring.errors
import pytest
from config_files import Project, project
from pydantic import SecretStr

from unified_train import Client, ConfigurationError, MissingCredentials, plugins
from unified_train.config import Config, secrets

__all__ = ["project"]

SECRET = "sk-5ecret-5ecret"
NOVITA = plugins.load("novita")


def command(code: str) -> str:
    return f"cmd:{shlex.join([sys.executable, '-c', code])}"


def fetched(reference: str, folder: Path, environ: dict[str, str] | None = None) -> str:
    assert secrets.is_reference(reference)
    return secrets.resolve(reference, environ or {}, folder, "f.toml:3: key")


class Ring(keyring.backend.KeyringBackend):
    """A keyring in memory."""

    priority = 1  # pyright: ignore[reportAssignmentType]

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.error = error

    def get_password(self, service: str, username: str) -> str | None:
        if self.error:
            raise self.error
        return {("unified-train", "novita"): SECRET, ("https://x.test/a", "me"): f" {SECRET}\n"}.get(
            (service, username)
        )

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NotImplementedError

    def delete_password(self, service: str, username: str) -> None:
        raise NotImplementedError


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> Ring:
    made = Ring()
    monkeypatch.setattr(keyring, "get_password", made.get_password)
    return made


def test_each_kind_of_reference_gives_its_secret(tmp_path: Path, ring: Ring) -> None:
    """Variable, file, keyring and command give the secret without the white space around it."""
    (tmp_path / "key.txt").write_text(f"{SECRET}\n")
    assert fetched("env:MINE", tmp_path, {"MINE": f" {SECRET} "}) == SECRET
    assert fetched("file:key.txt", tmp_path) == SECRET
    assert fetched(f"file: {tmp_path / 'key.txt'}", Path("/nowhere")) == SECRET
    assert fetched("keyring:novita", tmp_path) == SECRET
    assert fetched("keyring:https://x.test/a/me", tmp_path) == SECRET
    assert fetched(command(f"print('{SECRET}')"), tmp_path) == SECRET


def test_a_file_may_be_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tilde is understood."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "key.txt").write_text(SECRET)
    assert fetched("file:~/key.txt", Path("/nowhere")) == SECRET


def test_a_command_runs_where_its_file_is_and_without_a_shell(tmp_path: Path) -> None:
    """A relative name means the same wherever the program runs, and no shell reads the words."""
    (tmp_path / "key.txt").write_text(SECRET)
    assert fetched(command("print(open('key.txt').read())"), tmp_path) == SECRET
    assert fetched(command("import sys; print(sys.argv[1:])") + " ; $HOME", tmp_path) == "[';', '$HOME']"


def test_a_command_reads_nothing_of_ours(tmp_path: Path) -> None:
    """What is piped into the program stays there."""
    reader, writer = os.pipe()
    os.write(writer, b"ours")
    os.close(writer)
    usual = os.dup(0)
    os.dup2(reader, 0)
    try:
        assert fetched(command("import sys; print(len(sys.stdin.read()))"), tmp_path) == "0"
    finally:
        os.dup2(usual, 0)
        os.close(usual)
        os.close(reader)


@pytest.mark.parametrize(
    ("reference", "sentence", "kind"),
    [
        ("env:MINE", "the environment variable MINE is not set", MissingCredentials),
        (f"env:{SECRET}", "what follows env: is no name of an environment variable", ConfigurationError),
        ("file:nowhere.txt", r"nowhere.txt can't be read \(No such file", ConfigurationError),
        ("file:.", "can't be read", ConfigurationError),
        ("file:empty.txt", "empty.txt is empty", MissingCredentials),
        ("file:latin.txt", "latin.txt is not UTF-8", ConfigurationError),
        ("file:long.txt", "file:long.txt gives more than one line", ConfigurationError),
        ("keyring:nobody", "has no entry 'nobody' of 'unified-train'; set it: keyring set", MissingCredentials),
        ("cmd:surely-no-such-program x", r"surely-no-such-program can't be run \(No such file", ConfigurationError),
        ("cmd:echo 'x", "the command echo has a quotation mark without", ConfigurationError),
        (command(f"print('{SECRET}'); raise SystemExit(4)"), "failed with status 4", ConfigurationError),
        (command(f"import sys; sys.exit('{SECRET}')"), "failed with status 1", ConfigurationError),
        (command("print()"), "printed nothing", MissingCredentials),
        (command("import sys; sys.stdout.buffer.write(b'\\xff')"), "not UTF-8", ConfigurationError),
        (command(f"print('{SECRET}\\n{SECRET}')"), "gives more than one line", ConfigurationError),
    ],
)
def test_a_secret_that_can_not_be_had_is_one_sentence(
    tmp_path: Path, ring: Ring, reference: str, sentence: str, kind: type[Exception]
) -> None:
    """It names the place and the reason, and nothing that a file or a command holds."""
    (tmp_path / "empty.txt").write_text("\n")
    (tmp_path / "latin.txt").write_bytes(b"\xe9")
    (tmp_path / "long.txt").write_text(f"{SECRET}\n{SECRET}")
    with pytest.raises(ConfigurationError, match=sentence) as failure:
        fetched(reference, tmp_path)
    assert type(failure.value) is kind
    assert str(failure.value).startswith("f.toml:3: key: ")
    assert SECRET not in str(failure.value)
    assert failure.value.__cause__ is None


def test_a_command_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets so many seconds and no more."""
    monkeypatch.setattr(secrets, "COMMAND_SECONDS", 0.05)
    with pytest.raises(ConfigurationError, match=r"gave no answer in 0.05 seconds"):
        fetched(command("import time; time.sleep(60)"), tmp_path)


@pytest.mark.parametrize("error", [keyring.errors.NoKeyringError(), RuntimeError("no desktop")])
def test_a_machine_without_a_keyring_is_told(tmp_path: Path, ring: Ring, error: Exception) -> None:
    """A server has none, and the message says what to take instead."""
    ring.error = error
    with pytest.raises(ConfigurationError, match=r"the keyring can't be used .*without a desktop, take env: or file:"):
        fetched("keyring:novita", tmp_path)


def test_a_missing_keyring_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an extra of its own."""
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'unified-train\[keyring\]'"):
        fetched("keyring:novita", tmp_path)


@pytest.mark.parametrize("value", ["", "env:", "env: ", SECRET, "vault:x", "http://x.test", 3, None, "file:\x00"])
def test_not_everything_with_a_colon_is_a_reference(value: Any) -> None:
    """Only the four kinds are."""
    assert not secrets.is_reference(value)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (f'[providers.novita]\napi_key = "{SECRET}"', ":2: providers.novita.api_key"),
        (f'[providers.alibaba]\naccess_key_id = "{SECRET}"', ":2: providers.alibaba.access_key_id"),
        (f'providers.elsewhere.token = "{SECRET}"', ":1: providers.elsewhere.token"),
        ("providers.novita.api_key = 12345", ":1: providers.novita.api_key"),
        (f'[profiles.p.providers.novita]\n\napi_key = "{SECRET}"', ":3: profiles.p.providers.novita.api_key"),
        (f'image_host = "https://me:{SECRET}@files.test"', ":1: image_host"),
        (f'[profiles.p]\nimage_host = "https://{SECRET}@files.test/x"', ":2: profiles.p.image_host"),
    ],
)
def test_a_secret_in_a_file_is_refused(project: Project, text: str, key: str) -> None:
    """Whichever vendor and profile it is of, the message says how to do it right, and does not show it."""
    file = project.write(text)
    with pytest.raises(ConfigurationError) as failure:
        Config.load()
    assert f"{file}{key} holds a secret itself" in str(failure.value)
    assert "such as " in str(failure.value)
    assert '"env:UNIFIED_TRAIN_' in str(failure.value)
    assert SECRET not in str(failure.value)


def test_a_secret_by_another_name_is_refused_too(project: Project) -> None:
    """What a plugin declares to be a secret is one, whatever it is called."""

    class Odd(NOVITA):  # type: ignore[misc, valid-type]
        slug = "odd"

        class Settings(NOVITA.Settings):  # type: ignore[name-defined, misc]
            cookie: SecretStr | None = None

    file = project.write(f'[providers.odd]\ncookie = "{SECRET}"')
    with pytest.raises(ConfigurationError, match=f"{file}:2: providers.odd.cookie holds a secret itself") as failure:
        Config.load().settings(Odd)
    assert SECRET not in str(failure.value)


def test_references_are_followed_only_for_the_vendors_in_use(project: Project) -> None:
    """A command for another vendor's key never runs, and neither does one that is overruled."""
    proof = command("open('ran', 'w').write('x'); print('k')").replace('"', '\\"')
    project.write(f"""
        [providers.novita]
        api_key = "{proof}"
        [providers.scenario]
        jwt = "{proof}"
    """)
    ran = project.folder / "ran"
    config = Config.load()
    Client("scenario", settings={"scenario": {"jwt": "t"}}, config=config)
    assert not ran.exists()
    Client("novita", config=config)
    assert ran.exists()


def test_what_is_no_secret_may_be_a_reference_too(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address can come from a file of its own; what the environment holds is taken as it is."""
    project.write('[providers.novita]\nbase_url = "env:WHERE"')
    monkeypatch.setenv("NOVITA_API_KEY", "env:LITERALLY")
    monkeypatch.setenv("WHERE", "http://x.test")
    settings: Any = Config.load().settings(NOVITA)
    assert (settings.base_url, settings.api_key.get_secret_value()) == ("http://x.test", "env:LITERALLY")


def test_people_are_shown_references_and_no_secrets(tmp_path: Path) -> None:
    """Of a command only its name is shown, since its arguments may hold anything; nothing is run to find out."""
    (tmp_path / "key.txt").write_text(SECRET)
    assert secrets.shown("env:MINE") == "env:MINE"
    assert secrets.shown(f"env:{SECRET}") == "env:…"
    assert secrets.shown("file:key.txt") == "file:key.txt"
    assert secrets.shown("keyring:a/b") == "keyring:a/b"
    assert secrets.shown(f"cmd:echo {SECRET}") == "cmd:echo …"
    assert secrets.shown("cmd:my-key") == "cmd:my-key"
    told = {
        reference: secrets.standing(reference, {"MINE": "x"}, tmp_path)
        for reference in ("env:MINE", "env:OTHER", "file:key.txt", "file:none", "cmd:false", "keyring:x")
    }
    assert list(told.values()) == ["set", "missing", "set", "missing", "by cmd", "by keyring"]
    assert secrets.secret_file("file:key.txt", tmp_path) == tmp_path / "key.txt"
    assert secrets.secret_file("env:MINE", tmp_path) is None
