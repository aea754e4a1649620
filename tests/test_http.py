"""Answers are read leniently, and whatever was read can be written again."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unified_train import Job, MalformedResponse, Request, Response, Snapshot, Status
from unified_train import jobs as lifecycle

REQUEST = Request("GET", "http://plain.test/x", "training.poll", query={"a b": "c*~/+"})


def answer(content: bytes) -> Response:
    return Response(REQUEST, 200, {"Content-Type": "application/json"}, content)


def test_half_a_surrogate_pair_is_replaced() -> None:
    """Text that UTF-8 can't hold does not keep a job from being stored; a whole pair stays."""
    value = answer(rb'{"a": ["\ud83d", "\ud83d\ude00", 1], "\udc00": null}').json()
    assert value == {"a": ["?", "\U0001f600", 1], "?": None}
    seen = Snapshot(id="7", status=Status.RUNNING, raw=value)
    job = Job(provider="plain", kind="training", id="7")
    assert lifecycle.advanced(job, seen, _now()).model_dump_json()


@settings(max_examples=50)
@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_json_is_read_as_the_standard_library_reads_it(value: object) -> None:
    """What is no broken text comes back as it is."""
    assert answer(json.dumps(value).encode()).json() == value


def test_what_is_no_json() -> None:
    """An error page is told with its kind and beginning, or None where that is asked for."""
    page = answer(b"<html>\n bad gateway")
    assert page.json_or_none() is None
    with pytest.raises(MalformedResponse, match=r"19 bytes of application/json: <html> bad gateway"):
        page.json()


def test_queries_are_encoded_as_rfc_3986_has_it() -> None:
    """A space is `%20`, and only unreserved characters stay."""
    assert REQUEST.url_with_query == "http://plain.test/x?a%20b=c%2A~%2F%2B"
    assert repr(answer(b"")) == "<Response 200 to <Request training.poll: GET http://plain.test/x?a%20b=c%2A~%2F%2B>>"


def _now() -> datetime:

    return datetime(2026, 1, 1, tzinfo=UTC)
