"""The machinery of `benchmarks.performance` counts and tells right; nothing here asserts a time."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks.documents import filled
from benchmarks.performance import plots, polls, report, runner
from benchmarks.performance.cases import Call, Case
from benchmarks.performance.contenders import everybody
from benchmarks.performance.server import Route, Server

DOCUMENT = Path(__file__).parents[1] / "docs" / "performance.md"
CASE = Case("novita", "generation.poll", [Call("GET", "/v3/x?id=1")], [Route("GET", "/v3/*", body='{"a": 1}')], {})


def _asked(url: str, data: bytes | None = None, method: str = "GET") -> bytes:
    request = urllib.request.Request(url, data=data, method=method)
    with urllib.request.urlopen(request) as answer:
        body: bytes = answer.read()
        return body


def test_the_server_answers_counts_and_numbers() -> None:
    """Answers come by method and path, with its address and a number; sizes are kept; the unknown is a 404."""
    slot = Route("POST", "/slot", body='{"to": "{server}/objects/000000"}', numbered=True)
    with Server([*CASE.routes, slot, Route("PUT", "/objects/*"), Route("POST", "/last", kept=True)]) as server:
        assert json.loads(_asked(f"{server.url}/v3/any?x=1")) == {"a": 1}
        for number in (1, 2):
            place = json.loads(_asked(f"{server.url}/slot", b"{}", "POST"))["to"]
            assert place == f"{server.url}/objects/{number:06}"
        _asked(place, b"12345", "PUT")
        _asked(f"{server.url}/last", b"kept", "POST")
        with pytest.raises(urllib.error.HTTPError, match="404"):
            _asked(f"{server.url}/unknown")
        seen = server.seen()
    assert (seen.requests, seen.kept) == (5, {"/last": "kept"})
    assert seen.sizes == {"/slot#000001": 2, "/slot#000002": 2, "000002": 5}


def test_a_contender_is_measured_in_a_process_of_its_own() -> None:
    """The worker opens a contender, says that it is ready, does each case as often as told, and answers."""
    with Server(CASE.routes) as server:
        told = {"name": "http.client", "cases": [CASE.dump()], "urls": [server.url], "times": 3}
        seconds = runner.started(polls.repeated, **told)
        assert len(seconds) == 1
        assert server.seen().requests >= 3


def test_a_worker_that_fails_tells_why() -> None:
    """What went wrong in the process is in the error."""
    with pytest.raises(runner.Failed, match="KeyError: 'nobody'"):
        runner.call(polls.repeated, name="nobody", cases=[], urls=[], times=1)


@pytest.mark.parametrize("name", everybody())
def test_a_contender_names_what_it_needs(name: str) -> None:
    """Each is found without importing what it needs, and says what is missing, if anything is."""
    contender = everybody()[name]
    assert contender.missing is None or contender.missing in {*contender.packages, f"unified-train[{contender.extra}]"}


def test_goals_are_reached_from_the_right_side() -> None:
    """More is better or worse as the goal says, and a goal that is missed is told."""
    goals = [report.Goal("less", 1.2, 1.0, " ×"), report.Goal("more", 1.2, 1.0, " ×", least=True)]
    assert [goal.cells()[1:] for goal in goals] == [
        ["≤ 1 ×", "1.2 ×", "**not reached**"],
        ["≥ 1 ×", "1.2 ×", "reached"],
    ]
    assert [report.number(value) for value in (12_345.6, 0.01234, 3, 99.95)] == ["12,346", "0.0123", "3", "100"]


def test_a_section_has_its_place_in_the_document() -> None:
    """Every topic's text goes between its markers, and stands there with its pictures and failures."""
    section = report.Section(
        "polls", "How.", [[["a", "b"], ["1", "2"]]], pictures={"cost of a poll": ""}, failures=["x: y"]
    )
    text = filled(DOCUMENT.read_text(), "polls", section.text("performance"))
    assert "![cost of a poll](performance/polls-cost-of-a-poll.svg)\n\n| a | b |\n| --- | ---: |\n| 1 | 2 |" in text
    assert "- x: y" in text
    for name in ("versions", "start", "submissions", "many-jobs", "uploads", "sandbox", "polling"):
        filled(text, name, "")
    with pytest.raises(ValueError, match="once"):
        filled(text, "nothing", "")


def test_pictures_are_well_formed_and_show_every_name() -> None:
    """Bars and lines are valid XML with all names in it, escaped, and no two names of lines overlap."""
    bars = ET.fromstring(plots.bars("a & b", [("ours", 2.0, True), ("<theirs>", 1.0, False)]))  # noqa: S314 - our own
    lines = ET.fromstring(plots.lines("a", {"one": {1: 5, 10: 50}, "two": {1: 5, 10: 50.1}}))  # noqa: S314
    assert {"ours", "<theirs>", "a & b"} <= {text.text for text in bars.iter("{http://www.w3.org/2000/svg}text")}
    heights = {text.text: float(text.attrib["y"]) for text in lines.iter("{http://www.w3.org/2000/svg}text")}
    assert abs(heights["one"] - heights["two"]) >= 16
