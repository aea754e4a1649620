"""Plugins are found by entry point, loaded one at a time, and named when they are at fault."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from types import SimpleNamespace
from typing import Any

import pytest
from helpers import Plain, PlainOptions, plain

from unified_train import PluginError, ProviderNotFound, hookimpl, later, plugins


class FakePoint:
    """An entry point that gives an object instead of importing one."""

    def __init__(self, name: str, loaded: Any, *, value: str | None = None, dist: str | None = "some-dist") -> None:
        self.name = name
        self.value = value or f"module_{name}"
        self.dist = SimpleNamespace(name=dist) if dist else None
        self._loaded = loaded

    def load(self) -> Any:
        if isinstance(self._loaded, Exception):
            raise self._loaded
        return self._loaded


def plugin(*providers: Any) -> Any:
    class Module:
        @hookimpl
        def unified_train_providers(self) -> list[Any]:
            return list(providers)

    return Module()


@pytest.fixture
def points(monkeypatch: pytest.MonkeyPatch) -> list[FakePoint]:
    found: list[FakePoint] = []
    monkeypatch.setattr(plugins, "entry_points", lambda group: found)
    return found


def provider(**values: Any) -> type[Plain]:
    return type("Made", (Plain,), values)


def test_our_three_providers_come_through_the_same_door() -> None:
    """Built-in vendors are entry points like anybody's, and all load."""
    assert plugins.installed() == ["alibaba", "novita", "scenario"]
    found = plugins.load_all()
    assert [kind.slug for kind in found.providers] == ["alibaba", "novita", "scenario"]
    assert not found.broken


def test_an_attribute_may_be_imported_later() -> None:
    """It is the class itself by the time that anybody sees it, and only then is its module imported."""
    made = provider(TrainingOptions=later("helpers", "PlainOptions"), GenerationOptions=later("helpers_not_there", "X"))
    assert made.TrainingOptions is PlainOptions
    assert made(plain().settings).TrainingOptions is PlainOptions
    with pytest.raises(PluginError, match=r"X of \S+ can't be loaded .*helpers_not_there"):
        _ = made.GenerationOptions


def test_loading_one_provider_imports_no_other() -> None:
    """A client for one vendor never imports the code of another."""
    code = (
        "import sys; from unified_train import plugins; plugins.load('novita');"
        "loaded = sorted(n for n in sys.modules if n.startswith('unified_train_') and '.' not in n);"
        "print(loaded, 'httpx' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['unified_train_novita'] False"


def test_an_unknown_provider_lists_those_installed(points: list[FakePoint]) -> None:
    """A wrong name is answered with the right ones."""
    points += [FakePoint("b", plugin()), FakePoint("a", plugin())]
    with pytest.raises(ProviderNotFound, match="'novitta' is installed; there are: a, b"):
        plugins.load("novitta")


def test_a_plugin_is_loaded_by_its_slug(points: list[FakePoint]) -> None:
    """The class with the entry point's name is taken, whatever else the plugin registers."""
    points.append(FakePoint("plain", plugin(provider(slug="other"), Plain)))
    assert plugins.load("plain") is Plain


def test_one_entry_point_seen_twice_counts_once(points: list[FakePoint]) -> None:
    """An editable install that shows up twice is no conflict."""
    points += [FakePoint("plain", plugin(Plain)), FakePoint("plain", plugin(Plain))]
    assert plugins.load("plain") is Plain


def test_two_plugins_with_one_slug_are_an_error(points: list[FakePoint]) -> None:
    """A slug that two distributions claim is refused with both names."""
    points += [
        FakePoint("plain", plugin(Plain), value="one"),
        FakePoint("plain", plugin(Plain), value="two", dist=None),
    ]
    with pytest.raises(PluginError, match=r"one \(some-dist\) and two \(an unknown distribution\)"):
        plugins.load("plain")


@pytest.mark.parametrize(
    ("loaded", "sentence"),
    [
        (ImportError("no module named torch"), "can't be loaded: ImportError: no module named torch"),
        (plugin(), "registers no provider class with the slug 'plain'"),
        (plugin("Plain"), "registers no provider class"),
        (
            plugin(provider(contract=0)),
            "written for contract 0 of unified_train, this release has 1; update the plugin",
        ),
        (plugin(provider(contract=9)), "this release has 1; update unified_train"),
        (plugin(type("Stray", (), {"slug": "plain", "contract": 1})), "Stray is no subclass"),
        (plugin(provider(__abstractmethods__=frozenset({"poll"}))), "Made lacks poll"),
    ],
)
def test_a_broken_plugin_is_named_and_harms_nobody(points: list[FakePoint], loaded: Any, sentence: str) -> None:
    """Whatever is wrong with a plugin is one sentence about it, and the others still load."""
    if isinstance(loaded, Exception) or not sentence.endswith("poll"):
        points += [FakePoint("plain", loaded), FakePoint("good", plugin(provider(slug="good")))]
    else:
        import abc

        broken = abc.ABCMeta("Made", (Plain,), {"poll": abc.abstractmethod(lambda self, job: None)})
        points += [FakePoint("plain", plugin(broken)), FakePoint("good", plugin(provider(slug="good")))]
    with pytest.raises(PluginError, match=r"module_plain \(some-dist\)") as failure:
        plugins.load("plain")
    assert sentence in str(failure.value)
    found = plugins.load_all()
    assert [kind.slug for kind in found.providers] == ["good"]
    assert len(found.broken) == 1


def test_a_hook_that_does_not_exist_is_an_error(points: list[FakePoint]) -> None:
    """A misspelt hook is not silently ignored."""

    class Misspelt:
        @hookimpl
        def unified_train_provider(self) -> list[Any]:
            return [Plain]

    points.append(FakePoint("plain", Misspelt()))
    with pytest.raises(PluginError, match="unified_train_provider"):
        plugins.load("plain")


def test_entry_points_are_looked_up_in_our_group() -> None:
    """The group's name is a promise to plugin authors."""
    from importlib.metadata import entry_points

    found: list[EntryPoint] = list(entry_points(group="unified_train"))
    assert {point.name for point in found} >= {"alibaba", "novita", "scenario"}
