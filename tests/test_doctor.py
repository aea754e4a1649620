"""`unified-train doctor`: each thing that can be wrong is found, named, and told apart from what is in order."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from config_files import Project, project
from helpers import Plain, plain

from unified_train import (
    Client,
    Effect,
    Flow,
    Journal,
    PluginError,
    Request,
    Response,
    Snapshot,
    TransportError,
    UnsupportedCapability,
    errors,
    plugins,
)
from unified_train.cli.app import cli
from unified_train.cli.doctor import hosting, machine, vendors
from unified_train.cli.doctor.findings import Finding
from unified_train.config import Config
from unified_train.hosting import host_of
from unified_train.sandbox import Sandbox

__all__ = ["project"]

SECRET = "sk-5ecret-5ecret"


def run(*arguments: str, columns: int = 100) -> Any:
    return CliRunner(env={"COLUMNS": str(columns)}).invoke(cli, ["doctor", *arguments], catch_exceptions=False)


def found(*arguments: str, code: int = 0) -> dict[str, tuple[str, str]]:
    """State and text of each finding, the remedy included."""
    done = run("--json", *arguments)
    assert done.exit_code == code, done.output
    told = json.loads(done.stdout)
    assert told["ok"] is (code == 0)
    return {one["subject"]: (one["state"], f"{one['told']} → {one['remedy']}") for one in told["findings"]}


# -- a ping ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slug", ["alibaba", "novita", "scenario"])
def test_a_ping_is_one_free_read(project: Project, sandbox: Sandbox, slug: str) -> None:
    """It asks for the first page of the trainings and no more, and can be run by anybody."""
    kind = plugins.load(slug)
    provider = kind(Config.load().settings(kind))
    ping = provider.ping()
    assert next(ping).effect is Effect.READ
    ping.close()
    with Client(provider, journal=None) as client:
        client.run(provider.ping())


def test_a_ping_ends_after_the_first_page() -> None:
    """However many pages there are, and although the list is not read to its end."""
    closed: list[bool] = []

    class Paged(Plain):
        def list_jobs(self, kind: str) -> Flow[list[Snapshot]]:
            try:
                while True:
                    yield self.get("/trainings", "training.list")
            finally:
                closed.append(True)

    ping = Paged(plain().settings).ping()
    request = next(ping)
    with pytest.raises(StopIteration):
        ping.send(Response(request, 200, {}, b"[]"))
    assert closed == [True]


def test_a_vendor_without_a_list_has_no_ping() -> None:
    """Unless its plugin names another free read."""
    with pytest.raises(UnsupportedCapability, match="Plain offers no listing of trainings"):
        next(plain().ping())


# -- the whole ---------------------------------------------------------------------------------------------------------


def test_where_all_is_in_order_it_says_so(project: Project, sandbox: Sandbox) -> None:
    """Each vendor answers, the image host is there, the journal can be made; nothing was written."""
    told = found()
    assert {state for state, _ in told.values()} == {"ok", "off"}
    assert "Python 3." in told["versions"][1]
    assert "pydantic 2." in told["versions"][1]
    for slug in ("alibaba", "novita", "scenario"):
        assert "127.0.0.1 takes the credentials (" in told[slug][1]
    assert told["plugins"][1].startswith("alibaba, novita, scenario")
    assert "--write tries it" in told["image host"][1]
    assert told["clock"][0] == "off"
    assert not project.home.exists()
    assert not sandbox.world.submissions
    done = run()
    assert done.exit_code == 0
    assert done.stdout.endswith("\nall is in order\n")


@pytest.mark.parametrize("columns", [80, 120])
def test_the_report_fits_and_says_what_to_do(project: Project, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line for each thing, an arrow before each remedy, a sum at the end."""
    project.write('provider = "novita"\njournal = false')
    monkeypatch.setenv("SCENARIO_SDK_API_KEY", SECRET)
    done = run("--offline", columns=columns)
    assert done.exit_code == 3
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= columns
    assert any(line.startswith("error    novita") for line in lines)
    assert any(line.startswith("off      alibaba        not set up: no access key id") for line in lines)
    assert "no api secret: set the environment variable SCENARIO_SDK_API_SECRET" in " ".join(done.stdout.split())
    assert any(line.strip().startswith("→ take journal = false out") for line in lines)
    assert lines[-1] == "2 errors, 1 warning"
    assert SECRET not in done.output


def test_nothing_is_sent_offline(project: Project, sandbox: Sandbox) -> None:
    """The credentials are looked at, and not tried."""
    before = len(sandbox.world.requests)
    told = found("--offline")
    assert told["novita"] == ("ok", "credentials are set; not tried, being offline → ")
    assert "clock" not in told
    assert len(sandbox.world.requests) == before
    assert run("--offline", "--write").exit_code == 2


def test_without_any_vendor_something_is_wrong(project: Project) -> None:
    """Each tells what it needs."""
    told = found(code=3)
    assert told["vendors"][0] == "error"
    assert told["novita"][0] == "off"
    assert "NOVITA_API_KEY" in told["novita"][1]
    assert told["configuration"] == ("ok", "no file; the environment alone counts → ")


def test_a_named_vendor_must_be_set_up(project: Project, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only those that are named are looked at, and missing credentials are an error then."""
    monkeypatch.delenv("NOVITA_API_KEY")
    told = found("--provider", "novita", "--provider", "scenario", code=3)
    assert told["novita"][0] == "error"
    assert told["scenario"][0] == "ok"
    assert not told.keys() & {"alibaba", "image host"}
    assert found()["novita"][0] == "off"
    assert run("--provider", "nobody").exit_code == 3


def test_a_configuration_that_can_not_be_read_is_a_finding(project: Project, sandbox: Sandbox) -> None:
    """The rest is looked at by the environment alone."""
    file = project.write("provder = 'novita'")
    told = found(code=3)
    assert told["configuration"][0] == "error"
    assert f"{file}:1: unknown key 'provder'" in told["configuration"][1]
    assert told["novita"][0] == "ok"
    project.write("provider = 'novta'")
    assert "no provider 'novta' is installed" in found(code=3)["configuration"][1]


def test_a_wrong_setting_of_a_vendor_is_its_finding(project: Project) -> None:
    """Even if there are no credentials for it."""
    project.write("[providers.novita]\nbase_uri = 'x'")
    assert "unknown key 'providers.novita.base_uri'" in found(code=3)["novita"][1]


def test_a_profile_is_named(project: Project, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads the report knows which one it is of."""
    file = project.write("[profiles.p]")
    monkeypatch.setenv("UNIFIED_TRAIN_PROFILE", "p")
    assert found()["configuration"] == ("ok", f"{file}; profile p → ")


def test_a_broken_plugin_is_an_error(project: Project, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its reason is shown."""
    broken = plugins.Found(plugins.load_all().providers, (PluginError("plugin x can't be loaded: no torch"),))
    monkeypatch.setattr(plugins, "load_all", lambda: broken)
    assert found(code=3)["plugins"] == (
        "error",
        "plugin x can't be loaded: no torch → uninstall it, or install another version of it",
    )


@pytest.mark.skipif(os.name != "posix", reason="files have no such modes here")
def test_secrets_that_others_can_read_are_warned_of(project: Project) -> None:
    """A mounted secret may have to be readable, so that it is no error."""
    key = project.folder / "key.txt"
    key.write_text(SECRET)
    key.chmod(0o644)
    project.write("[providers.novita]\napi_key = 'file:key.txt'\nbase_url = 'http://x.test'\n")
    told = list(machine.configuration(Config.load()))
    assert told[1] == Finding("secrets", "warning", f"{key} can be read by others than you", f"chmod 600 {key}")
    key.chmod(0o600)
    assert len(list(machine.configuration(Config.load()))) == 1


def test_an_installation_without_any_plugin_is_told(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nothing to look at, and that is an error."""
    monkeypatch.setattr(plugins, "load_all", lambda: plugins.Found((), ()))
    told = found(code=3)
    assert told["plugins"] == ("ok", "none → ")
    assert told["vendors"][0] == "error"


def test_a_library_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report from a strange installation is still a report."""
    monkeypatch.setattr(machine, "LIBRARIES", ("surely-not-there",))
    assert machine.versions().told.endswith("surely-not-there (not installed)")


# -- the journal -------------------------------------------------------------------------------------------------------


@pytest.fixture
def journal(project: Project) -> Iterator[Journal]:
    made = Journal.usual()
    yield made
    made.close()


def test_calls_without_an_outcome_come_with_the_command(journal: Journal) -> None:
    """They wait for somebody to settle them; those that are being worked on do not count."""
    journal.jobs()
    assert machine.journal(Config.load()).told == f"{journal.path}, 0 jobs"
    with Client(plain(), journal=journal) as client:
        pass
    from unified_train import Intent

    def intent(key: str) -> Intent:
        return Intent(
            key=key,
            provider="plain",
            account="a",
            kind="training",
            marker="m",
            digest="d",
            created_at=datetime.now(UTC),
        )

    journal.begin(intent("worked-on"), "somebody")
    assert machine.journal(Config.load()).state == "ok"
    journal.begin(intent("left"), "somebody")
    journal.release("left", "somebody")
    assert machine.journal(Config.load()) == Finding(
        "journal",
        "warning",
        f"{journal.path}: 1 call is without an outcome",
        "to settle and finish them: unified-train jobs reconcile",
    )
    assert client.journal is journal


def test_a_journal_that_is_none_is_an_error(project: Project) -> None:
    """So is one that can't be made."""
    project.home.mkdir()
    (project.home / "journal.sqlite").write_text("not a database, surely not" * 100)
    told = machine.journal(Config.load())
    assert told.state == "error"
    assert "can't be used" in told.told
    (project.folder / "taken").write_text("")
    blocked = machine.journal(Config(journal=project.folder / "taken" / "deeper" / "journal.sqlite"))
    assert blocked.state == "error"
    assert f"since {project.folder / 'taken'} can't be written to" in blocked.told


# -- what vendors say --------------------------------------------------------------------------------------------------


def test_a_wrong_key_is_found_and_where_it_comes_from(
    project: Project, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The remedy names the field and its place, never the key."""
    monkeypatch.setenv("NOVITA_API_KEY", SECRET)
    state, text = found(code=3)["novita"]
    assert state == "error"
    assert text.endswith("→ check api_key (NOVITA_API_KEY)")
    assert SECRET not in text


class Answering(Plain):
    """A vendor whose ping ends as it is told."""

    slug = "answering"
    answer: Exception | None = None
    date: str | None = None

    def ping(self) -> Flow[None]:
        yield from ()
        if self.answer:
            raise self.answer


@pytest.mark.parametrize(
    ("error", "state", "remedy"),
    [
        (errors.PermissionDenied("no"), "error", "check api_key (PLAIN_KEY)"),
        (TransportError("no answer", sent=False), "error", "check the network, and a proxy if there is one"),
        (errors.MalformedResponse("<html>"), "error", "check the network, and a proxy if there is one"),
        (errors.InsufficientFunds("pay"), "error", "see to the account at Plain"),
        (errors.InvalidRequest("odd"), "error", "ask Plain, naming what it said"),
        (errors.RateLimited("slow"), "warning", "try again later"),
        (errors.ProviderUnavailable("down"), "warning", "try again later"),
        (UnsupportedCapability("no list"), "ok", ""),
        (ZeroDivisionError("oh"), "error", "tell the plugin's author"),
    ],
)
def test_each_kind_of_answer_has_its_remedy(error: Exception, state: str, remedy: str) -> None:
    """Credentials, network, money, patience: each is told apart."""

    class Told(Answering):
        answer = error

    config = Config(environ={"PLAIN_KEY": "k"})
    visit = vendors.visited(Told, config, needed=False, offline=False)
    assert (visit.finding.state, visit.finding.remedy) == (state, remedy)


def test_an_address_of_ones_own_is_named_in_the_remedy() -> None:
    """It is the first thing to look at."""

    class Told(Answering):
        answer = TransportError("no answer", sent=False)

    config = Config(environ={"PLAIN_KEY": "k", "PLAIN_URL": "http://typo.test"})
    visit = vendors.visited(Told, config, needed=False, offline=False)
    assert visit.finding.remedy.endswith(", and base_url (PLAIN_URL)")


# -- the clock ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ahead", "state", "sentence"),
    [
        (5, "ok", "agrees with the vendors' to the minute"),
        (-50, "ok", "agrees"),
        (130, "warning", "is 2 min behind"),
        (-130, "warning", "is 2 min ahead"),
        (1000, "error", "is 16 min behind"),
    ],
)
def test_a_clock_that_is_off_is_found(ahead: float, state: str, sentence: str) -> None:
    """A minute is warned of; from a quarter of an hour on signatures are refused."""
    visit = vendors.Visit(Plain, Finding("plain", "ok", ""), plain(), [ahead, ahead * 2])
    told = vendors.clock([visit])
    assert told.state == state
    assert sentence in told.told


def test_the_clock_of_a_sandbox_counts_for_nothing() -> None:
    """It runs as it likes; and without an answer there is nothing to compare."""
    visits = [
        vendors.Visit(Plain, Finding("plain", "ok", ""), plain(base_url=f"http://{host}:1"), [5000.0])
        for host in ("127.0.0.1", "localhost", "[::1]")
    ]
    assert vendors.clock([*visits, vendors.Visit(Plain, Finding("plain", "off", ""))]).state == "off"


def test_the_time_is_read_from_every_answer(sandbox: Sandbox) -> None:
    """Whatever the answer says, also between retries of the flow itself."""
    skews: list[float] = []

    def twice() -> Flow[str]:
        try:
            yield Request("GET", "http://x.test", "a.b")
        except errors.NotFound:
            yield Request("GET", "http://x.test", "a.b")
        yield Request("GET", "http://x.test", "a.b")
        return "done"

    flow = vendors._timed(twice(), skews)
    request = next(flow)
    flow.throw(errors.NotFound("no"))
    later = datetime.now(UTC) + timedelta(minutes=5)
    flow.send(Response(request, 200, {"date": format_datetime(later, usegmt=True)}, b""))
    with pytest.raises(StopIteration, match="done"):
        flow.send(Response(request, 200, {"date": "yesterday"}, b""))
    assert [round(skew) // 10 for skew in skews] == [pytest.approx(30, abs=1)]
    assert vendors._skew(None) == []
    assert round(vendors._skew(later.strftime("%a, %d %b %Y %H:%M:%S -0000"))[0]) == pytest.approx(300, abs=3)


# -- the image host ----------------------------------------------------------------------------------------------------


def test_the_image_host_is_tried_only_when_asked(project: Project, sandbox: Sandbox) -> None:
    """With --write a picture is stored, fetched and removed again."""
    before = len(sandbox.world.requests)
    told = found("--provider", "alibaba", "--write")
    assert told["image host"] == (
        "ok",
        f"{sandbox.base_url}/_host takes a picture, serves it to anybody, and removes it → ",
    )
    methods = [entry.method for entry in sandbox.world.requests.entries()[before:]]
    assert [method for method in methods if method != "GET"] == ["PUT", "DELETE"]


def test_a_missing_image_host_is_warned_of(project: Project, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Public URLs work without one, so that it is no error; one that can't be used is."""
    monkeypatch.delenv("UNIFIED_TRAIN_IMAGE_HOST")
    state, text = found()["image host"]
    assert state == "warning"
    assert "Alibaba Cloud AiContent fetches training images by URL → set UNIFIED_TRAIN_IMAGE_HOST" in text
    monkeypatch.setenv("UNIFIED_TRAIN_IMAGE_HOST", "ftp://nowhere")
    assert found(code=3)["image host"][0] == "error"


@pytest.mark.parametrize(
    ("broken", "sentences"),
    [
        ("PUT", ["did not take doctor.png", "→ allow a PUT below"]),
        ("GET", ["what was stored can't be fetched", "→ see to"]),
        ("DELETE", ["can't be removed", "→ see to"]),
        ("content", ["what is served is not what was stored", "→ see to"]),
    ],
)
def test_an_image_host_that_does_only_half_is_found(broken: str, sentences: list[str]) -> None:
    """Whatever is wrong, the picture is removed if that can be done."""
    asked: list[str] = []

    def serve(request: httpx.Request) -> httpx.Response:
        asked.append(request.method)
        content = b"x" if broken == "content" else hosting.PICTURE
        return httpx.Response(403 if request.method == broken else 200, content=content)

    http = httpx.Client(transport=httpx.MockTransport(serve))
    with Client(plain(), journal=None, http=http, config=Config()) as client:
        told = hosting.tried(client, host_of("http://files.test", {}), "http://files.test")
    assert told.state == "error"
    for sentence in sentences:
        assert sentence in f"{told.told} → {told.remedy}"
    assert asked == (["PUT"] if broken == "PUT" else ["PUT", "GET", "DELETE"])
