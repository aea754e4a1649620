"""Configuration: which of several places has the last word, and what is wrong with a file."""

from __future__ import annotations

import dataclasses
import os
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from config_files import Project, project
from helpers import plain

from unified_train import (
    AsyncClient,
    Client,
    ConfigurationError,
    MissingCredentials,
    Polling,
    ProviderNotFound,
    Retry,
    UnifiedTrainWarning,
    plugins,
)
from unified_train.config import Config, Origin
from unified_train.config import files as config_files

__all__ = ["project"]

NOVITA = plugins.load("novita")
SCENARIO = plugins.load("scenario")


def key_of(config: Config) -> str:
    settings: Any = config.settings(NOVITA)
    return str(settings.api_key.get_secret_value())


# -- which place counts ------------------------------------------------------------------------------------------------


def test_without_files_and_variables_everything_has_its_default(project: Project) -> None:
    """Nothing is configured where nothing is said, and nothing heavy is imported for it."""
    config = Config.load()
    assert config == Config()
    assert (config.provider, config.profile, config.journal, config.image_host) == (None, None, None, None)
    assert (config.retry, config.polling, config.files) == (Retry(), Polling(), ())
    assert str(config.origin("retry", "attempts")) == "default"


def test_pydantic_settings_is_imported_only_for_a_file(project: Project) -> None:
    """A client without a file costs no import of it."""
    code = (
        "import sys; from unified_train import Client; Client('novita');"
        "print('pydantic_settings' in sys.modules, 'tomllib' in sys.modules)"
    )
    env = {**os.environ, "NOVITA_API_KEY": "k"}
    for wanted in ("False False", "True True"):
        done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == wanted
        project.write("retry.attempts = 2")


def test_each_place_has_the_last_word_over_those_below_it(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """User's file < project's file < profile < environment < argument, value by value."""
    monkeypatch.setenv("A", "from-reference")
    project.write_user("""
        provider = "scenario"
        retry = { attempts = 2, first = 2, longest = 2 }
        [providers.novita]
        base_url = "http://user.test"
        api_key = "env:A"
        [profiles.p.polling]
        first = 8
    """)
    assert Config.load().provider == "scenario"
    project.write("""
        provider = "novita"
        retry = { first = 3, longest = 3 }
        [polling]
        first = 7
        [profiles.p.retry]
        longest = 4
        [profiles.p.providers.novita]
        base_url = "http://profile.test"
    """)
    config = Config.load()
    assert (config.provider, config.retry) == ("novita", Retry(attempts=2, first=3, longest=3))
    config = Config.load(profile="p")
    assert config.retry == Retry(attempts=2, first=3, longest=4)
    assert config.polling == Polling(first=8)
    assert config.settings(NOVITA).base_url == "http://profile.test"
    assert key_of(config) == "from-reference"
    monkeypatch.setenv("UNIFIED_TRAIN_PROVIDER", "alibaba")
    monkeypatch.setenv("NOVITA_API_URI", "http://variable.test")
    monkeypatch.setenv("NOVITA_API_KEY", "from-variable")
    config = Config.load(profile="p")
    assert config.provider == "alibaba"
    assert (config.settings(NOVITA).base_url, key_of(config)) == ("http://variable.test", "from-variable")
    told = config.settings(NOVITA, {"base_url": "http://argument.test", "api_key": None})
    assert told.base_url == "http://argument.test"


def test_a_value_tells_where_it_comes_from(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The origin is file and line, variable, argument or default."""
    file = project.write("""
        # a comment
        retry = { attempts = 2 }

        image_host = '''
        http://files.test'''
        [profiles.p]
        polling.first = 2
    """)
    monkeypatch.setenv("UNIFIED_TRAIN_PROVIDER", "novita")
    config = Config.load(profile="p")
    assert str(config.origin("retry", "attempts")) == f"{file}:2"
    assert str(config.origin("image_host")) == f"{file}:4"
    assert str(config.origin("polling", "first")) == f"{file}:7"
    assert config.origin("polling", "first").line == 7
    assert config.origin("polling", "first").key == ("profiles", "p", "polling", "first")
    assert str(config.origin("provider")) == "UNIFIED_TRAIN_PROVIDER"
    assert config.origin("profile").kind == "argument"
    assert config.origin("journal") == Origin("default")
    assert Origin("default").line is None


def test_the_nearest_file_above_counts(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The project's file is looked for upwards, and only the nearest is read."""
    project.write('provider = "novita"')
    below = project.folder / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert Config.load().provider == "novita"
    project.write("retry.attempts = 3", "a/unified-train.toml")
    assert (Config.load().provider, Config.load().retry.attempts) == (None, 3)
    assert Config.load(cwd=project.folder).provider == "novita"


def test_a_folder_that_was_removed_has_no_project(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no current folder any more, there is no project's file."""

    def gone() -> str:
        raise FileNotFoundError

    monkeypatch.setattr(os, "getcwd", gone)
    assert Config.load().files == ()


def test_a_file_can_be_named(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """UNIFIED_TRAIN_CONFIG takes the place of the project's file; the null device is none at all."""
    project.write('provider = "novita"')
    monkeypatch.setenv("UNIFIED_TRAIN_CONFIG", str(project.write('provider = "scenario"', "other.toml")))
    assert Config.load().provider == "scenario"
    monkeypatch.setenv("UNIFIED_TRAIN_CONFIG", os.devnull)
    assert Config.load().provider is None


def test_the_users_file_is_in_the_users_folder(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without UNIFIED_TRAIN_HOME the system says where configuration belongs."""
    monkeypatch.delenv("UNIFIED_TRAIN_HOME")
    monkeypatch.setattr("platformdirs.user_config_dir", lambda *_, **__: str(project.folder / "settings"))
    project.write('provider = "novita"', "settings/config.toml")
    assert Config.load().provider == "novita"


def test_a_file_of_somebody_elses_is_not_used(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file found in a shared folder could send keys anywhere; it must be named to be trusted."""
    file = project.write('provider = "novita"')
    file.chmod(0o646)
    with pytest.raises(ConfigurationError, match="belongs to somebody else, or anybody may write to it"):
        Config.load()
    file.chmod(0o644)
    stranger = SimpleNamespace(st_uid=os.getuid() + 4711, st_mode=stat.S_IFREG | 0o644)
    monkeypatch.setattr(config_files, "os", _Fake(stat=lambda _: stranger))
    with pytest.raises(ConfigurationError, match="name it in UNIFIED_TRAIN_CONFIG or with --config"):
        Config.load()
    monkeypatch.setenv("UNIFIED_TRAIN_CONFIG", str(file))
    assert Config.load().provider == "novita"


def test_where_files_have_no_owners_none_is_asked_for(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system without user ids takes the file as it is."""
    project.write('provider = "novita"').chmod(0o646)
    monkeypatch.setattr(config_files, "os", _Fake(getuid=None))
    assert Config.load().provider == "novita"


class _Fake:
    """The module `os` with some functions replaced, or missing."""

    def __init__(self, **functions: Any) -> None:
        self._functions = functions

    def __getattr__(self, name: str) -> Any:
        found = self._functions.get(name, getattr(os, name))
        if found is None:
            raise AttributeError(name)
        return found


# -- profiles ----------------------------------------------------------------------------------------------------------


def test_a_profile_that_does_not_exist_is_named_with_those_that_do(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message helps to find the right one, or the file that is missing."""
    with pytest.raises(
        ConfigurationError, match=r"no profile 'x': there is no configuration file \(looked for .*config"
    ):
        Config.load(profile="x")
    file = project.write('provider = "novita"')
    with pytest.raises(ConfigurationError, match=f"no profile 'x'; {file} has none"):
        Config.load(profile="x")
    project.write("[profiles.a]\n[profiles.b]")
    project.write_user("[profiles.c]")
    monkeypatch.setenv("UNIFIED_TRAIN_PROFILE", "x")
    with pytest.raises(ConfigurationError, match="no profile 'x'; there are: a, b, c"):
        Config.load()
    monkeypatch.setenv("UNIFIED_TRAIN_PROFILE", "c")
    config = Config.load()
    assert (config.profile, config.profiles, str(config.origin("profile"))) == (
        "c",
        ("a", "b", "c"),
        "UNIFIED_TRAIN_PROFILE",
    )


# -- what is wrong with a file -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('provder = "novita"', ":1: unknown key 'provder'; did you mean 'provider'?"),
        ("[retry]\n\nattempt = 3", ":3: unknown key 'retry.attempt'; did you mean 'attempts'?"),
        ("polling.zzz = 3", ":1: unknown key 'polling.zzz'; known are first, longest, patience, share"),
        ("[profiles.p.retry]\nfist = 1", ":2: unknown key 'profiles.p.retry.fist'; did you mean 'first'?"),
        ("[profiles.p.profiles.q]", ":1: unknown key 'profiles.p.profiles'; did you mean 'providers'?"),
        ("[profiles.p]\nqqq = 1", ":2: unknown key 'profiles.p.qqq'; known are image_host, journal, polling"),
        ("[retry]\nattempts = '4'", ":2: retry.attempts: should be a valid integer"),
        ("[retry]\nattempts = 0", ":2: retry.attempts: should be greater than or equal to 1"),
        ("[retry]\nfirst = -1.5", ":2: retry.first: should be greater than or equal to 0"),
        ("[polling]\nlongest = inf", ":2: polling.longest: should be a finite number"),
        ("journal = true", ":1: journal: a path, or false to do without"),
        ("[profiles.p]\njournal = 3", ":2: profiles.p.journal: a path, or false to do without"),
        ("provider = ' '", ":1: provider: must not be blank"),
        ("provider = ['novita']", ":1: provider: should be a valid string"),
        ("retry = 3", ":1: retry: should be a valid dictionary"),
        ("providers = 3", ":1: providers: should be a valid dictionary"),
        ("providers.novita = 3", ":1: providers.novita: should be a valid dictionary"),
        ("profiles = 3", ":1: profiles: should be a valid dictionary"),
        ("providers.novita.base_url = [1]", ":1: providers.novita.base_url: should be a valid string"),
        ('[providers.novta]\nbase_url = "x"', ":1: no provider 'novta' is installed; did you mean 'novita'?"),
        ("a = 1\n\nb = = 3", ": is no TOML: Invalid value (at line 3, column 5)"),
        ("a = 1\na = 2\nb = 1", ": is no TOML: Cannot overwrite a value (at line 2"),
    ],
)
def test_a_mistake_is_told_with_its_line(project: Project, text: str, sentence: str) -> None:
    """Unknown keys, wrong types and broken TOML name the file, the line and the key."""
    file = project.write(text)
    with pytest.raises(ConfigurationError) as failure:
        Config.load()
    assert f"{file}{sentence}" in str(failure.value)


def test_all_mistakes_of_a_file_are_told_at_once(project: Project) -> None:
    """Nobody has to find them one by one."""
    project.write("foo = 1\nretry.attempts = 0")
    with pytest.raises(ConfigurationError, match=r":1: unknown key 'foo'.*; .*:2: retry.attempts"):
        Config.load()


def test_a_file_that_is_no_text_is_told(project: Project) -> None:
    """Another encoding is named with its line; a byte order mark and Windows line ends do no harm."""
    file = project.folder / "unified-train.toml"
    file.write_bytes(b'provider = "novita"\n# caf\xe9\n')
    with pytest.raises(ConfigurationError, match=f"{file}:2: is not UTF-8"):
        Config.load()
    file.write_bytes('\ufeff\r\nprovider = "novita"\r\n'.encode())
    assert str(Config.load().origin("provider")) == f"{file}:2"


def test_what_is_no_file_is_told(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder, a dangling link and a name that leads nowhere are refused by their names."""
    path = project.folder / "unified-train.toml"
    path.mkdir()
    with pytest.raises(ConfigurationError, match=f"{path} is a folder"):
        Config.load()
    path.rmdir()
    path.symlink_to("nowhere")
    with pytest.raises(ConfigurationError, match=f"{path}: can't be read"):
        Config.load()
    monkeypatch.setenv("UNIFIED_TRAIN_CONFIG", "~/surely/nowhere.toml")
    with pytest.raises(ConfigurationError, match=r"surely/nowhere.toml: can't be read \(No such file"):
        Config.load()


def test_a_missing_package_is_named(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pydantic-settings a file is an error that says what to install; another missing module stays a bug."""
    file = project.write('provider = "novita"')
    monkeypatch.delitem(sys.modules, "unified_train.config.sheet", raising=False)
    monkeypatch.delattr("unified_train.config.sheet", raising=False)

    class Absent:
        def __init__(self, name: str) -> None:
            self.name = name

        def find_spec(self, name: str, *_: object) -> None:
            if name == "unified_train.config.sheet":
                raise ModuleNotFoundError(f"No module named {self.name!r}", name=self.name)

    usual = sys.meta_path
    monkeypatch.setattr(sys, "meta_path", [Absent("pydantic_settings"), *usual])
    with pytest.raises(ConfigurationError, match=rf"{file}.*pip install 'unified-train\[config\]'"):
        Config.load()
    monkeypatch.setattr(sys, "meta_path", [Absent("else"), *usual])
    with pytest.raises(ModuleNotFoundError):
        Config.load()


def test_the_tables_have_the_fields_that_the_library_has() -> None:
    """What can be said of retries and polls in code can be said in a file."""
    from unified_train.config.sheet import PollingTable, RetryTable

    assert list(RetryTable.model_fields) == [field.name for field in dataclasses.fields(Retry)]
    assert list(PollingTable.model_fields) == [field.name for field in dataclasses.fields(Polling)]


# -- settings of vendors -----------------------------------------------------------------------------------------------


def test_an_unknown_setting_of_a_vendor_names_the_nearest(project: Project) -> None:
    """It is told when a client for the vendor is made, since only then the plugin is loaded."""
    file = project.write('[providers.novita]\nbase_uri = "http://x.test"')
    config = Config.load()
    with pytest.raises(ConfigurationError, match=f"{file}:2: unknown key 'providers.novita.base_uri'; did you mean"):
        Client("novita", config=config)
    with pytest.raises(ConfigurationError, match=r"Config: unknown key 'providers.novita.zz'; known are api_key"):
        Config(providers={"novita": {"zz": "1"}}).settings(NOVITA)


def test_settings_of_a_plugin_that_is_not_there_wait_for_it(project: Project) -> None:
    """A user's file may speak of plugins that only another environment has."""
    project.write('[providers.midsummer]\nbase_url = "http://x.test"')
    assert Config.load().providers == {"midsummer": {"base_url": "http://x.test"}}


def test_our_own_variables_work_for_every_field(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """UNIFIED_TRAIN_<PROVIDER>_<FIELD> is read even if the plugin does not name it; the vendor's name comes first."""

    class Bare(NOVITA):  # type: ignore[misc, valid-type]
        slug = "bare-bones"

        class Settings(NOVITA.Settings):  # type: ignore[name-defined, misc]
            env = {"api_key": ("BARE_KEY",)}

    monkeypatch.setenv("UNIFIED_TRAIN_BARE_BONES_API_KEY", "ours")
    monkeypatch.setenv("UNIFIED_TRAIN_BARE_BONES_BASE_URL", "http://ours.test")
    settings: Any = Config.load().settings(Bare)
    assert (settings.api_key.get_secret_value(), settings.base_url) == ("ours", "http://ours.test")
    monkeypatch.setenv("BARE_KEY", "theirs")
    settings = Config.load().settings(Bare)
    assert settings.api_key.get_secret_value() == "theirs"


def test_a_configuration_made_by_hand_reads_nothing_else(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """`Config()` has no files, and with an environment of its own no variables either."""
    project.write('provider = "scenario"')
    monkeypatch.setenv("NOVITA_API_KEY", "from-variable")
    with pytest.raises(ConfigurationError, match="name at least one provider"):
        Client(config=Config())
    assert Client("novita", config=Config()).providers == ("novita",)
    with pytest.raises(MissingCredentials):
        Client("novita", config=Config(environ={}))
    by_hand = Config(provider="novita", providers={"novita": {"api_key": "k"}}, journal=False, environ={})
    client = Client(config=by_hand)
    assert (client.providers, client.journal) == (("novita",), None)
    assert by_hand.fields(NOVITA)["api_key"].origin.kind == "argument"
    referring = Config(providers={"novita": {"api_key": "env:MINE"}}, environ={"MINE": "k"})
    assert key_of(referring) == "k"
    with pytest.raises(MissingCredentials, match=r"^providers.novita.api_key: the environment variable MINE"):
        Config(providers={"novita": {"api_key": "env:MINE"}}, environ={}).settings(NOVITA)


def test_a_configuration_shows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither its repr nor that of a field has what it holds."""
    config = Config(
        providers={"novita": {"api_key": "s3cret"}}, image_host="http://u:s3cret@x", environ={"A": "s3cret"}
    )
    assert "s3cret" not in repr(config) + repr(config.fields(NOVITA))


def test_only_vendors_with_credentials_are_set_up(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address alone makes no vendor usable."""
    monkeypatch.setenv("NOVITA_API_URI", "http://x.test")
    assert not Config.load().is_set_up(NOVITA)
    monkeypatch.setenv("NOVITA_API_KEY", "k")
    assert Config.load().is_set_up(NOVITA)
    assert Config(providers={"scenario": {"jwt": "env:X"}}).is_set_up(SCENARIO)


# -- clients -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_one_line_switches_the_vendor(project: Project, kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client without a name speaks to the vendor that is configured, in both colours."""
    monkeypatch.setenv("NOVITA_API_KEY", "k")
    monkeypatch.setenv("SCENARIO_SDK_JWT", "k")
    project.write('provider = "novita"\n[profiles.other]\nprovider = "scenario"')
    assert kind().providers == ("novita",)
    assert kind("scenario").providers == ("scenario",)
    assert kind(plain()).providers == ("plain",)
    monkeypatch.setenv("UNIFIED_TRAIN_PROFILE", "other")
    assert kind().providers == ("scenario",)


def test_a_client_without_any_provider_says_how_to_name_one(project: Project) -> None:
    """The message has the argument, the variable and the line of the file; a wrong slug has its place."""
    with pytest.raises(ConfigurationError) as failure:
        Client()
    assert "such as Client('novita'); installed are: alibaba, novita, scenario" in str(failure.value)
    assert 'set UNIFIED_TRAIN_PROVIDER, or provider = "novita" in unified-train.toml' in str(failure.value)
    file = project.write("provider = 'novitta'")
    with pytest.raises(ProviderNotFound, match=f"{file}:1: no provider 'novitta' is installed"):
        Client()


def test_a_client_takes_from_the_configuration_what_it_is_not_told(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Retries, polls and journal are the configured ones unless an argument says otherwise."""
    monkeypatch.setenv("NOVITA_API_KEY", "k")
    project.write("""
        journal = "sub/journal.sqlite"
        retry.attempts = 9
        polling.first = 5
    """)
    client = Client("novita")
    assert client._workflows.conversations["novita"].retry == Retry(attempts=9)
    assert client._workflows.polling == Polling(first=5)
    assert client.journal is not None
    assert client.journal.path == project.folder / "sub" / "journal.sqlite"
    told = Client("novita", retry=Retry(attempts=1), polling=Polling(first=1), journal=None)
    assert told._workflows.conversations["novita"].retry == Retry(attempts=1)
    assert told._workflows.polling == Polling(first=1)
    assert told.journal is None
    project.write("journal = false")
    assert Client("novita").journal is None
    project.write('journal = "~/mine.sqlite"')
    assert (Client("novita").journal or plain()).path == Path.home() / "mine.sqlite"  # type: ignore[union-attr]
    project.write("")
    assert (Client("novita").journal or plain()).path == project.home / "journal.sqlite"  # type: ignore[union-attr]


def test_the_image_host_is_configured(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made only for a vendor that needs one; the variable has the last word over the file."""
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "k")
    monkeypatch.setenv("NOVITA_API_KEY", "k")
    monkeypatch.setenv("HOST", "http://user:pass@referred.test")
    project.write('image_host = "env:HOST"')
    assert repr(Client("alibaba")._workflows.image_host) == "<PlainHost http://referred.test>"
    assert Client("novita")._workflows.image_host is None
    monkeypatch.delenv("HOST")
    assert Client("novita")._workflows.image_host is None
    with pytest.raises(MissingCredentials, match="image_host: the environment variable HOST is not set"):
        Client("alibaba")
    monkeypatch.setenv("UNIFIED_TRAIN_IMAGE_HOST", "http://variable.test")
    assert repr(Client("alibaba")._workflows.image_host) == "<PlainHost http://variable.test>"
    assert Client("alibaba", config=Config())._workflows.image_host is None


# -- misspelled variables ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("UNIFIED_TRAIN_PROFIL", "UNIFIED_TRAIN_PROFILE"),
        ("UNIFIED_TRAIN_IMAGEHOST", "UNIFIED_TRAIN_IMAGE_HOST"),
        ("UNIFIED_TRAIN_NOVITA_API_KYE", "UNIFIED_TRAIN_NOVITA_API_KEY"),
        ("UNIFIED_TRAIN_NOVTA_API_KEY", "UNIFIED_TRAIN_NOVITA_API_KEY"),
        ("UNIFIED_TRAIN_S3_ACCES_KEY_ID", "UNIFIED_TRAIN_S3_ACCESS_KEY_ID"),
    ],
)
def test_a_misspelled_variable_is_warned_of(
    project: Project, monkeypatch: pytest.MonkeyPatch, name: str, meant: str
) -> None:
    """What looks like a variable of ours and is none names the one that was meant."""
    monkeypatch.setenv(name, "x")
    with pytest.warns(UnifiedTrainWarning, match=f"{name} is not read; did you mean {meant}"):
        Config.load()


@pytest.mark.parametrize(
    "name", ["UNIFIED_TRAIN_ZZZ", "UNIFIED_TRAIN_S3_SESSION_TOKEN", "UNIFIED_TRAIN_SCENARIO_PROJECT_ID"]
)
def test_variables_that_are_read_and_those_that_are_like_none_are_left_alone(
    project: Project, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Nobody is warned of variables that other tools gave such a prefix, or of those that are right."""
    monkeypatch.setenv(name, "x")
    assert Config.load() == Config()


def test_a_broken_plugin_does_not_break_the_look_at_variables(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told when somebody wants it."""
    from unified_train import PluginError

    def broken(slug: str) -> Any:
        raise PluginError(f"{slug} can't be loaded")

    monkeypatch.setattr(plugins, "load", broken)
    monkeypatch.setenv("UNIFIED_TRAIN_NOVITA_API_KYES", "x")  # of no other test: what is known of a name is kept
    assert Config.load().provider is None
