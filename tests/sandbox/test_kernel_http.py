"""The kernel around a tiny vendor: mishaps, request log, control, start and stop."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import socket
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import httpx
import pytest
from tiny_vendor import ANSWER, Setup, Tiny

import unified_train.sandbox as package
from unified_train.sandbox.connection import hang_up, reset
from unified_train.sandbox.faults import KINDS, Fault, Faults
from unified_train.sandbox.requestlog import MOST_KEPT, RequestLog
from unified_train.sandbox.server import Sandbox, _url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import Message


@pytest.fixture(scope="module")
def running() -> Iterator[Setup]:
    with Sandbox(vendors=[Tiny]) as sandbox, httpx.Client(base_url=sandbox.base_url, trust_env=False) as http:
        yield Setup(sandbox, http)


@pytest.fixture
def tiny(running: Setup) -> Setup:
    running.sandbox.reset()
    return running


def refusal(answer: httpx.Response) -> str:
    assert answer.status_code == 400
    return str(answer.json()["error"])


# Mishaps


def test_no_mishap(tiny: Setup) -> None:
    """Without a mishap the vendor's answer arrives as it is, and its background work is done."""
    assert tiny.submit().json() == ANSWER
    assert (tiny.vendor.accepted, tiny.http.get("/tiny/stream").json()) == ([{"name": "first"}], {"a": 1})
    assert tiny.vendor.background == 1


def test_delay(tiny: Setup) -> None:
    """A delay makes one answer late, in real seconds, and changes nothing else."""
    tiny.fault(kind="delay", seconds=0.05)
    begin = time.monotonic()
    assert tiny.submit().json() == ANSWER
    assert time.monotonic() - begin >= 0.05
    assert tiny.world.faults.left() == []


def test_status_before(tiny: Setup) -> None:
    """A status comes before the vendor sees the request, with its body and headers."""
    tiny.fault(kind="status", status=429, body={"slow": "down"}, headers={"Retry-After": "3"})
    answer = tiny.submit()
    assert (answer.status_code, answer.json(), answer.headers["retry-after"]) == (429, {"slow": "down"}, "3")
    assert tiny.vendor.accepted == []


def test_status_after(tiny: Setup) -> None:
    """A status can replace the answer to a request that the vendor accepted."""
    tiny.fault(kind="status_after", status=502, body="<html>", headers={"Content-Type": "text/html"})
    answer = tiny.submit()
    assert (answer.status_code, answer.text, answer.headers["content-type"]) == (502, "<html>", "text/html")
    assert len(tiny.vendor.accepted) == 1


@pytest.mark.parametrize(("body", "media_type"), [("sorry", "text/plain; charset=utf-8"), (None, "application/json")])
def test_status_body(tiny: Setup, body: str | None, media_type: str) -> None:
    """A text is sent as text, and no body as an empty one."""
    tiny.fault(kind="status", status=503, body=body)
    answer = tiny.submit()
    assert (answer.text, answer.headers["content-type"]) == (body or "", media_type)


def test_status_without_body(tiny: Setup) -> None:
    """A status that cannot have a body has none, even if one is given."""
    tiny.fault(kind="status", status=204, body="text")
    assert (tiny.submit().status_code, tiny.submit().status_code) == (204, 200)


def test_drop_before(tiny: Setup) -> None:
    """A connection can be closed before the vendor sees the request."""
    tiny.fault(kind="drop_before")
    with pytest.raises(httpx.RemoteProtocolError):
        tiny.submit()
    assert tiny.vendor.accepted == []
    assert tiny.submit().status_code == 200


def test_drop_after(tiny: Setup) -> None:
    """A connection can be closed after the vendor accepted, and billed, the request."""
    tiny.fault(kind="drop_after")
    with pytest.raises(httpx.RemoteProtocolError):
        tiny.submit()
    assert [item.name for item in tiny.world.submissions] == ["first"]
    entry = tiny.world.requests.entries()[-1]
    assert (entry.status, entry.fault) == (None, "drop_after")


@pytest.mark.parametrize("path", ["/tiny/plain", "/tiny/stream"])
def test_truncate(tiny: Setup, path: str) -> None:
    """Half of a body can arrive under the full length, whether the vendor sent it whole or in parts."""
    tiny.fault(kind="truncate")
    received: list[bytes] = []
    with tiny.http.stream("GET", path) as answer, pytest.raises(httpx.RemoteProtocolError):
        received.extend(answer.iter_raw())
    length = int(answer.headers["content-length"])
    assert (answer.status_code, len(b"".join(received))) == (200, length // 2)


def test_new_headers_of_a_json_answer(tiny: Setup) -> None:
    """An edited answer can have other headers, in the place of the vendor's."""
    tiny.fault(kind="json", headers={"X-Tiny": "no", "Content-Type": "text/html", "X-More": "1"})
    answer = tiny.submit()
    assert answer.json() == ANSWER
    assert [answer.headers.get_list(name) for name in ("x-tiny", "content-type", "x-more")] == [
        ["no"],
        ["text/html"],
        ["1"],
    ]


def test_body(tiny: Setup) -> None:
    """A text of some proxy can stand in the place of the vendor's answer, which was given."""
    tiny.fault(kind="body", body="<html>Bad gateway</html>", media_type="text/html")
    answer = tiny.submit()
    assert (answer.status_code, answer.text, answer.headers["content-type"]) == (
        200,
        "<html>Bad gateway</html>",
        "text/html; charset=utf-8",
    )
    assert len(tiny.vendor.accepted) == 1


def test_json(tiny: Setup) -> None:
    """A JSON answer can be edited: words, types, elements; fields can be taken out or put in."""
    changes = {"task.status": "WAT", "images.0": None, "images.9": "more", "new.deep": 1, "task.id.x": 2}
    tiny.fault(kind="json", set=changes, remove=["extra", "images.1", "nothing.here", "images.7"])
    answer = tiny.submit()
    task = {"id": {"x": 2}, "status": "WAT"}
    assert answer.json() == {"task": task, "images": [None, "more"], "new": {"deep": 1}}
    assert answer.headers["x-tiny"] == "yes"


def test_json_of_a_text(tiny: Setup) -> None:
    """An answer that is no JSON is not edited."""
    tiny.fault(kind="json", set={"a": 1})
    assert tiny.http.get("/tiny/plain").text == "hello, world"


def test_json_edit_is_deep(tiny: Setup) -> None:
    """Nested fields can be taken out, and a mishap strikes the same twice."""
    tiny.fault(kind="json", set={"list": []}, remove=["task.id"], times=2)
    expected = {"task": {"status": "OK"}, "images": ["a", "b"], "extra": True, "list": []}
    assert [tiny.submit().json(), tiny.submit().json()] == [expected] * 2


def test_retired(tiny: Setup) -> None:
    """A known route can answer as one that the vendor does not have; the object store has no such answer."""
    tiny.fault(kind="retired")
    assert tiny.submit().json() == {"tiny": "no POST /tiny/jobs"}
    assert tiny.vendor.accepted == []
    tiny.fault(kind="retired", path="/_host/*")
    assert tiny.http.get("/_host/x").json() == {"error": "There is nothing here."}


def test_every_kind_is_logged(tiny: Setup) -> None:
    """The request log names the mishap of each request."""
    for kind in KINDS:
        tiny.fault(kind=kind)
        try:
            tiny.http.post("/tiny/jobs", json={}, timeout=httpx.Timeout(30, read=0.05))
        except httpx.TransportError:
            continue
    assert [entry.fault for entry in tiny.world.requests] == list(KINDS)


def test_matching(tiny: Setup) -> None:
    """A mishap waits for its method and path, lets some pass, strikes some and is over; the oldest comes first."""
    tiny.fault(kind="status", status=500, method="post", path="/tiny/j*", skip=1, times=2)
    tiny.fault(kind="status", status=501, path="/tiny/*", times=None)
    got = [tiny.http.get("/tiny/plain").status_code, *(tiny.submit().status_code for _ in range(4))]
    assert got == [501, 501, 500, 500, 501]
    assert [fault.times for fault in tiny.world.faults.left()] == [None]
    assert tiny.http.delete("/_sandbox/faults").json() == []
    assert tiny.submit().status_code == 200


def test_what_is_left(tiny: Setup) -> None:
    """The list shows each mishap with what is left of its counts and the parameters of its kind."""
    tiny.fault(kind="delay", seconds=0, skip=2, times=3)
    tiny.submit()
    expected = {"kind": "delay", "method": "*", "path": "/tiny/*", "skip": 1, "times": 3, "every": 1, "seconds": 0}
    assert tiny.http.get("/_sandbox/faults").json() == [expected]


def test_every_nth(tiny: Setup) -> None:
    """A mishap can strike every n-th request, after the skipped ones, and shows what is left of its counts."""
    tiny.fault(kind="status", every=3, skip=2, times=None)
    statuses = [tiny.submit().status_code for _ in range(4)]
    assert [fault.skip for fault in tiny.world.faults.left()] == [0]
    statuses += [tiny.submit().status_code for _ in range(8)]
    assert [number for number, status in enumerate(statuses, 1) if status == 500] == [5, 8, 11]
    assert tiny.http.get("/_sandbox/faults").json()[0]["every"] == 3


def test_every_nth_so_many_times(tiny: Setup) -> None:
    """A mishap for every n-th request is over after its times; another may strike the requests between."""
    tiny.fault(kind="status", status=500, every=2, times=2)
    tiny.fault(kind="status", status=501, every=2, times=1)
    assert tiny.world.faults.left()[0].skip == 0
    assert [tiny.submit().status_code for _ in range(5)] == [200, 500, 501, 500, 200]
    assert tiny.world.faults.left() == []


def test_in_process(tiny: Setup) -> None:
    """Mishaps can be scripted without HTTP."""
    tiny.world.faults.add(Fault(kind="status", status=418))
    assert tiny.submit().status_code == 418


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        [],
        {"kind": "explode"},
        {"kind": ["status"]},
        {"kind": "delay", "status": 500},
        {"kind": "delay", "seconds": -1},
        {"kind": "delay", "seconds": True},
        {"kind": "delay", "method": 1},
        {"kind": "delay", "path": None},
        {"kind": "delay", "skip": 0.5},
        {"kind": "delay", "times": 0},
        {"kind": "delay", "every": 0},
        {"kind": "delay", "every": True},
        {"kind": "late", "headers": {}},
        {"kind": "status", "status": 100},
        {"kind": "status", "status": "500"},
        {"kind": "status", "headers": {"X": "a\nb"}},
        {"kind": "status", "headers": {"X y": "a"}},
        {"kind": "status", "headers": ["X"]},
        {"kind": "body", "media_type": None},
        {"kind": "json", "set": []},
        {"kind": "json", "remove": "a"},
        {"kind": "json", "remove": [1]},
    ],
)
def test_wrong_mishaps(tiny: Setup, wrong: Any) -> None:
    """A mishap that makes no sense is refused in one sentence, and no other of its list is kept."""
    assert refusal(tiny.http.post("/_sandbox/faults", json=[{"kind": "delay"}, wrong])).startswith("A fault")
    assert tiny.world.faults.left() == []


def test_wrong_kind_in_process() -> None:
    """A mishap made in process is checked, too."""
    with pytest.raises(ValueError, match="kind is one of"):
        Fault(kind="explode")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_mishaps_without_a_request() -> None:
    """A request that matches nothing meets nothing."""
    faults = Faults()
    faults.add(Fault(kind="retired", path="/a"))
    assert faults.take("GET", "/b") is None


# The request log


def test_log_of_json(tiny: Setup) -> None:
    """A JSON request is logged with its secrets hidden and its long strings shortened."""
    photo = "A" * 5000
    body = {"api_key": "sk-1", "photos": [photo], "name": "mine", "url": "https://x.test/a?X-Amz-Signature=abc"}
    tiny.http.post("/tiny/jobs?api%5Fkey=sk-2&page=2", json=body, headers={"Authorization": "Basic c2s6c2s="})
    [entry] = tiny.http.get("/_sandbox/requests").json()
    digest = hashlib.sha256(photo.encode()).hexdigest()
    assert entry["json"] == {
        "api_key": "***",
        "photos": [f"<5000 chars, sha256 {digest}>"],
        "name": "mine",
        "url": "https://x.test/a?X-Amz-Signature=***",
    }
    assert (entry["n"], entry["vendor"], entry["method"], entry["path"]) == (1, "tiny", "POST", "/tiny/jobs")
    assert (entry["query"], entry["headers"]["authorization"]) == ("api_key=***&page=2", "***")
    assert (entry["status"], entry["fault"], entry["body"]) == (200, None, None)
    assert not {"sk-1", "sk-2", "c2s6c2s="} & set(json.dumps(entry).split('"'))


def test_log_of_bytes(tiny: Setup) -> None:
    """The object store's requests are logged without a vendor, signatures hidden, bodies as hash and size."""
    url = tiny.world.objects.presign("PUT", "b", "k", expires=60)
    tiny.http.put(url, content=b"\x89PNG")
    [entry] = tiny.world.requests
    assert (entry.vendor, entry.json, entry.path) == (None, None, "/_objects/b/k")
    assert entry.body == {"sha256": hashlib.sha256(b"\x89PNG").hexdigest(), "size": 4}
    assert url.rpartition("=")[2] not in entry.query
    assert "X-Amz-Signature=***" in entry.query


@pytest.mark.parametrize("body", [b"{broken", b"[" * 100_000])
def test_log_of_broken_json(tiny: Setup, body: bytes) -> None:
    """A body that only looks like JSON is logged as bytes."""
    tiny.http.request("GET", "/tiny/plain", content=body)
    [entry] = tiny.world.requests
    assert (entry.json, entry.body and entry.body["size"]) == (None, len(body))


def test_log_order_and_limit(tiny: Setup) -> None:
    """Requests are numbered in their order, and the oldest are forgotten at last."""
    log = RequestLog(tiny.world.clock)
    for _ in range(MOST_KEPT + 2):
        log.add(vendor=None, method="GET", path="/", query="", headers=[], body=b"")
    entries = log.entries()
    assert (len(log), entries[0].n, entries[-1].n) == (MOST_KEPT, 3, MOST_KEPT + 2)
    assert all(a.n < b.n for a, b in pairwise(entries))


def test_control_is_not_logged(tiny: Setup) -> None:
    """What steers the sandbox is not among the requests, and no mishap meets it."""
    tiny.fault(kind="status", path="*")
    assert tiny.http.get("/_sandbox").status_code == 200
    assert tiny.http.get("/_sandbox/requests").json() == []


def test_crash_is_logged(tiny: Setup, caplog: pytest.LogCaptureFixture) -> None:
    """A crash of a vendor is 500, in the answer and in the log."""
    with caplog.at_level(logging.CRITICAL, "uvicorn.error"):
        assert tiny.http.get("/tiny/crash").status_code == 500
    assert [entry.status for entry in tiny.world.requests] == [500]


def test_half_a_request(tiny: Setup) -> None:
    """A client that hangs up within its request has not sent any."""
    address = (tiny.http.base_url.host, tiny.http.base_url.port)
    with socket.create_connection(address) as connection:
        connection.sendall(b"POST /tiny/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
        tiny.http.get("/tiny/plain")
    assert tiny.submit().status_code == 200
    assert [entry.path for entry in tiny.world.requests] == ["/tiny/plain", "/tiny/jobs"]


# Control


def test_overview(tiny: Setup) -> None:
    """The overview tells a client everything it needs to use the sandbox."""
    url = tiny.sandbox.base_url
    expected = {"base_url": url, "vendors": {"tiny": "/tiny"}, "env": {"TINY_URL": url}}
    assert tiny.http.get("/_sandbox").json() == expected
    assert tiny.sandbox.env == {"TINY_URL": url}


def test_answers_tell_the_time_of_the_clock(tiny: Setup) -> None:
    """Every answer has one Date, the clock's with its skew, unless a scripted one has its own."""
    tiny.http.post("/_sandbox/clock", json={"skew": 86_400 * 365})
    ahead = datetime.now(UTC) + timedelta(days=365)
    for path in ("/_sandbox", "/tiny/plain", "/nowhere"):
        [date] = tiny.http.get(path).headers.get_list("date")
        assert abs(parsedate_to_datetime(date) - ahead) < timedelta(seconds=60)
    dated = {"Date": "Thu, 02 Jan 2025 03:04:05 GMT"}
    tiny.sandbox.world.faults.add(Fault(path="/tiny/plain", kind="status", status=400, headers=dated))
    assert tiny.http.get("/tiny/plain").headers.get_list("date") == [dated["Date"]]


def test_clock_over_http(tiny: Setup) -> None:
    """The clock can be read, frozen, advanced, sped up and skewed."""
    changes = {"freeze": True, "advance": 60, "speed": 1000, "skew": -5}
    answer = tiny.http.post("/_sandbox/clock", json=changes).json()
    again = tiny.http.get("/_sandbox/clock").json()
    assert answer["now"] >= 60
    assert {**answer, "date": again["date"]} == again
    assert (again["speed"], again["skew"], again["frozen"]) == (1000, -5, True)
    assert tiny.http.post("/_sandbox/clock", json={"freeze": False}).json()["frozen"] is False
    assert tiny.http.post("/_sandbox/clock", json={"skew": 7}).json()["skew"] == 7


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"{", "The body is not JSON."),
        (b"[1]", "The body is not a JSON object."),
        (b'{"freeze": 1}', "freeze is true or false."),
        (b'{"advance": -1}', "advance is a number, 0 or more."),
        (b'{"speed": NaN}', "speed is a number, 0 or more."),
        (b'{"skew": "1"}', "skew is a number."),
        (b'{"pace": 1}', "The clock has no pace; it has advance, speed, freeze and skew."),
    ],
)
def test_wrong_clock(tiny: Setup, body: bytes, error: str) -> None:
    """Wrong input is 400 with one sentence, and turns nothing."""
    assert refusal(tiny.http.post("/_sandbox/clock", content=body)) == error
    assert tiny.http.post("/_sandbox/clock", json={"speed": 5, "advance": "x"}).status_code == 400
    assert tiny.world.clock.speed == 600


def test_submissions(tiny: Setup) -> None:
    """Every accepted paid request is listed, with the simulated time."""
    tiny.world.clock.freeze()
    now = tiny.world.clock.now()
    tiny.submit()
    expected = {"vendor": "tiny", "kind": "training", "id": "1", "name": "first", "at": now}
    assert tiny.http.get("/_sandbox/submissions").json() == [expected]


def test_switches(tiny: Setup) -> None:
    """A vendor's switches can be read and turned, over HTTP and in process."""
    assert tiny.http.get("/_sandbox/switches").json() == {"tiny": {"mood": "good"}}
    assert tiny.http.post("/_sandbox/switches", json={"tiny": {"mood": "bad"}}).json() == {"tiny": {"mood": "bad"}}
    tiny.sandbox.switch("tiny", "mood", "odd")
    assert tiny.vendor.mood == "odd"
    with pytest.raises(KeyError):
        tiny.sandbox.switch("tiny", "taste", 1)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"huge": {}}, "There is no vendor 'huge'; there are tiny."),
        ({"tiny": 1}, "The switches of tiny are an object of names and values."),
        ({"tiny": {"mood": "bad", "taste": 1}}, "tiny has no switch taste."),
        ({"tiny": {"mood": 1}}, "The switch mood of tiny: a mood is text."),
    ],
)
def test_wrong_switches(tiny: Setup, body: Any, error: str) -> None:
    """A switch that does not exist, or not in that way, is 400 and turns nothing."""
    assert refusal(tiny.http.post("/_sandbox/switches", json=body)) == error
    assert tiny.vendor.mood == "good"


def test_reset_over_http(tiny: Setup) -> None:
    """A reset forgets requests, submissions, objects, mishaps, switches, and turns the clock back."""
    tiny.submit()
    tiny.http.put("/_host/x", content=b"x")
    tiny.fault(kind="retired")
    tiny.world.clock.advance(10_000)
    tiny.vendor.mood = "bad"
    assert tiny.http.post("/_sandbox/reset").json() == {"reset": True}
    assert (len(tiny.world.requests), tiny.world.submissions, tiny.world.faults.left()) == (0, [], [])
    assert (tiny.vendor.accepted, tiny.vendor.mood, tiny.world.clock.now() < 10_000) == ([], "good", True)
    assert tiny.http.get("/_host/x").status_code == 404


def test_unknown_routes(tiny: Setup) -> None:
    """A path or method that a vendor does not have is answered in its way, one of nobody's by the sandbox."""
    asked = [("GET", "/tiny"), ("PURGE", "/tiny/x/y"), ("DELETE", "/tiny/jobs")]
    answers = [tiny.http.request(method, path) for method, path in asked]
    assert [answer.json() for answer in answers] == [{"tiny": f"no {method} {path}"} for method, path in asked]
    assert [tiny.http.get(path).status_code for path in ("/", "/tinyish", "/_sandbox/what")] == [404] * 3


# Start and stop


def test_start_and_stop() -> None:
    """A sandbox takes a free port of the loopback interface only, and leaves no thread and no listener."""
    before = threading.enumerate()
    with Sandbox(vendors=[Tiny]) as sandbox:
        assert httpx.get(f"{sandbox.base_url}/tiny/plain").text == "hello, world"
        url = httpx.URL(sandbox.base_url)
        assert (url.host, bool(url.port)) == ("127.0.0.1", True)
        with pytest.raises(OSError, match=r"."):
            socket.create_connection(("127.0.0.2", url.port or 0), timeout=1)
    assert set(threading.enumerate()) <= set(before)
    with pytest.raises(httpx.ConnectError):
        httpx.get(sandbox.base_url)
    sandbox.close()
    sandbox.reset()
    assert len(sandbox.world.requests) == 0


def test_port_in_use(running: Setup) -> None:
    """A port that is taken is an error of the caller, and leaves no thread."""
    before = threading.enumerate()
    with pytest.raises(OSError, match="in use"):
        Sandbox(port=running.http.base_url.port or 0, vendors=[Tiny])
    assert set(threading.enumerate()) <= set(before)


def test_wrong_speed() -> None:
    """A speed that is none is refused before anything listens for long."""
    with pytest.raises(ValueError, match="speed"):
        Sandbox(speed=-1, vendors=[Tiny])


def test_close_cuts_delays_short() -> None:
    """Closing does not wait for a delay that is under way."""
    answers: list[int] = []
    with Sandbox(vendors=[Tiny]) as sandbox:
        sandbox.world.faults.add(Fault(kind="delay", seconds=60))
        url = f"{sandbox.base_url}/tiny/plain"
        client = threading.Thread(target=lambda: answers.append(httpx.get(url, timeout=30).status_code))
        client.start()
        while sandbox.world.faults.left():
            time.sleep(0.001)
        begin = time.monotonic()
    assert time.monotonic() - begin < 10
    client.join()
    assert answers == [200]


def test_close_leaves_no_connection(caplog: pytest.LogCaptureFixture) -> None:
    """A client in the middle of its request is cut off when its time is over."""
    with caplog.at_level(logging.CRITICAL, "uvicorn.error"), Sandbox(vendors=[Tiny]) as sandbox:
        sandbox._server.config.timeout_graceful_shutdown = 0
        url = httpx.URL(sandbox.base_url)
        connection = socket.create_connection((url.host, url.port or 0))
        connection.sendall(b"POST /tiny/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
        httpx.get(f"{url}/tiny/plain")  # the server has seen the one before
    with connection:
        connection.settimeout(5)
        assert _rest(connection) == b""


def _rest(connection: socket.socket) -> bytes:
    try:
        return connection.recv(100)
    except ConnectionResetError:
        return b""


@pytest.mark.parametrize(
    ("listening", "url"),
    [
        (("127.0.0.1", 80), "http://127.0.0.1:80"),
        (("0.0.0.0", 81), "http://127.0.0.1:81"),
        (("::1", 82, 0, 0), "http://[::1]:82"),
        (("::", 83, 0, 0), "http://[::1]:83"),
    ],
)
def test_base_url(listening: tuple[Any, ...], url: str) -> None:
    """The address reaches the listener from the same machine, whatever it listens on."""
    assert _url(Mock(getsockname=lambda: listening)) == url


class Connection:
    """What the server hands to the application, and knows of the end of the connection a little late."""

    def __init__(self) -> None:
        self.transport = Mock()
        self.messages: list[Message] = [{"type": "http.disconnect"}, {"type": "http.request"}]

    async def receive(self) -> Message:
        return self.messages.pop()


def test_hanging_up_waits_for_the_server() -> None:
    """A connection is aborted, or closed once written out, and the server knows before the application goes on."""
    for flush in (False, True):
        connection = Connection()
        asyncio.run(hang_up(connection.receive, flush=flush))
        assert (connection.transport.abort.called, connection.transport.close.called) == (not flush, flush)
        assert connection.messages == []


@pytest.mark.parametrize("gone", [False, True])
def test_resetting_a_connection_that_may_be_gone(gone: bool) -> None:
    """A reset tells the system not to linger, unless the client has closed the connection already."""
    connection = Connection()
    connection.transport.is_closing.return_value = gone
    asyncio.run(reset(connection.receive))
    told = connection.transport.get_extra_info.return_value.setsockopt.called
    assert (told, connection.transport.abort.called, connection.messages) == (not gone, True, [])


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


def test_dropping_needs_the_server() -> None:
    """Outside of its server the sandbox cannot close a connection, and says so by an error."""
    with pytest.raises(AttributeError):
        hang_up(_nothing).send(None)


def test_all_vendors_by_default(sandbox: Sandbox) -> None:
    """The sandbox has the three vendors, under their own prefixes, in one environment."""
    assert {name: vendor.prefix for name, vendor in sandbox.vendors.items()} == {
        "scenario": "/v1",
        "alibaba": "/api/v1/personalizedtxt2img",
        "novita": "/v3",
    }
    assert {"SCENARIO_BASE_URL", "NOVITA_API_URI", "ALIBABA_CLOUD_ACCESS_KEY_ID"} <= sandbox.env.keys()


# The package without its extra


def test_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra's packages the sandbox says what to install."""
    monkeypatch.delitem(sys.modules, "unified_train.sandbox.server")
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(ImportError, match=r"pip install 'unified-train\[sandbox\]'"):
        _ = package.Sandbox


def test_other_missing_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module missing for another reason is not blamed on the extra."""
    monkeypatch.setitem(sys.modules, "unified_train.sandbox.server", None)
    with pytest.raises(ModuleNotFoundError, match="server"):
        _ = package.Sandbox


def test_package_has_one_name() -> None:
    """The package has the sandbox, and no other name by that way."""
    assert package.Sandbox is Sandbox
    with pytest.raises(AttributeError, match="Sandpit"):
        package.__getattr__("Sandpit")
