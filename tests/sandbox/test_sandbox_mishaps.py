"""What each mishap looks like on the wire, and whether the vendor has accepted the request by then."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from itertools import pairwise
from typing import Any

import httpx
import pytest
from helpers import png
from novita_api import training_body
from tiny_vendor import ANSWER, Setup, Tiny

from unified_train import AuthenticationError, Client, Dataset, Image, TrainingRequest
from unified_train.sandbox import Sandbox
from unified_train.sandbox.exchange import Exchange
from unified_train.sandbox.faults import Fault
from unified_train.sandbox.waits import Ending, Waits

FIN, RST, SILENCE = "FIN", "RST", "silence"
BODY = json.dumps(ANSWER, separators=(",", ":")).encode()
PATIENCE = 30.0  # seconds until a test gives up on what should take a moment; on a busy machine it takes longer
IMPATIENT = httpx.Timeout(PATIENCE, read=0.02)


@dataclass
class Heard:
    """What a raw connection got: bytes, when each read got some, and how it ended."""

    data: bytes = b""
    at: list[float] = field(default_factory=list)
    end: str = SILENCE

    @property
    def head(self) -> bytes:
        return self.data.partition(b"\r\n\r\n")[0].lower()

    @property
    def body(self) -> bytes:
        return self.data.partition(b"\r\n\r\n")[2]


def heard(
    setup: Setup, method: str = "POST", path: str = "/tiny/jobs", *, patience: float = PATIENCE, buffer: int = 65_536
) -> Heard:
    """Send one request over a raw connection and listen until it ends, or nothing more comes for so many seconds."""
    url = setup.http.base_url
    request = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{{}}"
    found, begin = Heard(), time.monotonic()
    with socket.create_connection((url.host, url.port or 0), timeout=patience) as connection:
        connection.sendall(request.encode())
        try:
            while data := connection.recv(buffer):
                found.data += data
                found.at.append(time.monotonic() - begin)
            found.end = FIN
        except ConnectionResetError:
            found.end = RST
        except TimeoutError:
            found.end = SILENCE
    return found


def until(true: Any) -> None:
    """Wait for something that another thread is about to do."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.001)


def idle(setup: Setup) -> bool:
    """Whether the server has no request under way."""
    return not setup.sandbox._server.server_state.tasks


@pytest.fixture(scope="module")
def running() -> Iterator[Setup]:
    with Sandbox(vendors=[Tiny]) as sandbox, httpx.Client(base_url=sandbox.base_url, trust_env=False) as http:
        yield Setup(sandbox, http)


@pytest.fixture
def tiny(running: Setup) -> Setup:
    running.sandbox.reset()
    return running


# Without an answer


@pytest.mark.parametrize(
    ("kind", "end", "accepted"),
    [
        ("drop_before", FIN, 0),
        ("drop_after", FIN, 1),
        ("reset_before", RST, 0),
        ("reset_after", RST, 1),
        ("late", FIN, 0),
        ("hang_before", SILENCE, 0),
        ("hang_after", SILENCE, 1),
    ],
)
def test_no_answer(tiny: Setup, kind: str, end: str, accepted: int) -> None:
    """A connection ends, or hangs, without a byte, before or after the vendor accepted the request."""
    tiny.fault(kind=kind, **({"seconds": 60} if kind == "late" else {}))
    found = heard(tiny, patience=0.05 if end is SILENCE else PATIENCE)
    until(lambda: tiny.world.requests.entries() and len(tiny.world.submissions) == accepted)
    assert (found.data, found.end) == (b"", end)
    [entry] = tiny.world.requests
    assert (entry.fault, entry.status) == (kind, None)
    tiny.sandbox.reset()
    until(lambda: idle(tiny))
    assert tiny.submit().json() == ANSWER


@pytest.mark.parametrize("kind", ["hang_before", "hang_after"])
def test_a_hanging_request_ends_with_its_client(tiny: Setup, kind: str) -> None:
    """A server that never answers is done with a request when the client has gone; the vendor never sees it again."""
    tiny.fault(kind=kind)
    with pytest.raises(httpx.ReadTimeout):
        tiny.http.post("/tiny/jobs", json={}, timeout=IMPATIENT)
    until(lambda: idle(tiny))
    assert len(tiny.world.submissions) == (kind == "hang_after")


# With half an answer


@pytest.mark.parametrize(("kind", "end"), [("truncate", FIN), ("reset", RST)])
def test_half_an_answer(tiny: Setup, kind: str, end: str) -> None:
    """The head announces the whole body, half of it comes, then the connection is closed, or reset; it was accepted."""
    tiny.fault(kind=kind, times=2)
    found = heard(tiny)
    assert (found.end, found.body) == (end, BODY[: len(BODY) // 2])
    assert found.head.startswith(b"http/1.1 200 ok\r\n")
    assert b"content-length: %d" % len(BODY) in found.head
    assert (len(tiny.world.submissions), tiny.world.requests.entries()[0].status) == (1, 200)
    with pytest.raises(httpx.RemoteProtocolError if kind == "truncate" else httpx.ReadError):
        tiny.submit()


def test_half_of_much(tiny: Setup) -> None:
    """A reset within a body that is longer than any buffer comes before the body's half, and after its beginning."""
    data = bytes(range(256)) * 40_000
    tiny.http.put("/_host/much", content=data)
    tiny.fault(kind="reset", path="/_host/*")
    found = heard(tiny, "GET", "/_host/much", buffer=4096)
    assert found.end == RST
    assert data.startswith(found.body)
    assert 0 < len(found.body) <= len(data) // 2


# Late


def test_a_timeout_before_the_vendor(tiny: Setup) -> None:
    """A delay is before the vendor, which accepts the request after it, although the client has gone long ago."""
    tiny.world.clock.set_speed(1)
    begin = tiny.world.clock.now()
    tiny.fault(kind="delay", seconds=0.3)
    with pytest.raises(httpx.ReadTimeout):
        tiny.http.post("/tiny/jobs", json={}, timeout=IMPATIENT)
    until(lambda: idle(tiny))
    [paid] = tiny.world.submissions
    assert paid.at - begin >= 0.3


def test_a_timeout_after_the_vendor(tiny: Setup) -> None:
    """A `delay_after` is behind the vendor, which accepts the request at once."""
    tiny.fault(kind="delay_after", seconds=60)
    with pytest.raises(httpx.ReadTimeout):
        tiny.http.post("/tiny/jobs", json={}, timeout=IMPATIENT)
    until(lambda: len(tiny.world.submissions) == 1)
    assert not idle(tiny)


def test_a_late_answer(tiny: Setup) -> None:
    """The answer to a request that the vendor accepted at once can come late, and whole."""
    tiny.fault(kind="delay_after", seconds=0.05)
    found = heard(tiny)
    assert (found.body, found.end, found.at[0] >= 0.05) == (BODY, FIN, True)


def test_a_late_request(tiny: Setup) -> None:
    """The client is cut off and the vendor accepts the request later, which the log tells."""
    tiny.world.clock.set_speed(1)
    begin = tiny.world.clock.now()
    tiny.fault(kind="late", seconds=0.1)
    assert (heard(tiny).data, tiny.submit().status_code) == (b"", 200)  # others are not held up by it
    entry = tiny.world.requests.entries()[0]
    until(lambda: entry.status)
    assert (entry.fault, entry.status) == ("late", 200)
    first, second = tiny.world.submissions
    assert first.at < begin + 0.1 <= second.at
    until(lambda: tiny.vendor.background == 2)


def test_a_late_request_may_be_refused(sandbox: Sandbox) -> None:
    """A vendor refuses a late request as it refuses any other."""
    sandbox.world.faults.add(Fault(kind="late", path="/v3/training/*", seconds=0.02))
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.post(f"{sandbox.base_url}/v3/training/subject", headers={"Authorization": "Bearer x"}, json={})
    [entry] = sandbox.world.requests
    until(lambda: entry.status)
    assert (entry.status, sandbox.world.submissions) == (403, [])


def test_many_late_requests(tiny: Setup) -> None:
    """Any number of requests can be on their way at once, and each arrives once."""
    tiny.fault(kind="late", seconds=0.05, times=20)
    assert {heard(tiny).end for _ in range(20)} == {FIN}
    until(lambda: len(tiny.world.submissions) == 20)
    until(lambda: idle(tiny))
    assert len(tiny.world.submissions) == 20


def test_a_dripping_answer(tiny: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    """The head comes at once and the body bit by bit, so that no read waits long, while the whole takes its time."""
    sent: list[tuple[bytes, float]] = []
    part = Exchange.part

    async def noted(exchange: Exchange, body: bytes, *, more: bool = False) -> None:
        sent.append((body, time.monotonic()))
        assert exchange.entry.status == 200  # the head is on its way
        await part(exchange, body, more=more)

    monkeypatch.setattr(Exchange, "part", noted)
    tiny.fault(kind="drip", seconds=0.1)
    found = heard(tiny)
    assert (found.body, found.end, found.at[-1] >= 0.1) == (BODY, FIN, True)
    assert {len(body) for body, _ in sent} <= {len(BODY) // 5, len(BODY) // 5 + 1}
    assert all(late - early >= 0.019 for (_, early), (_, late) in pairwise(sent))
    assert len(sent) == 5


def test_dripping_bodies_without_much_in_them(tiny: Setup) -> None:
    """A body of fewer bytes than pieces drips byte by byte; an answer without one has nothing to wait for."""
    tiny.http.put("/_host/ab", content=b"ab")
    tiny.fault(kind="drip", path="/_host/*", seconds=0.1)
    found = heard(tiny, "GET", "/_host/ab")
    assert (found.body, found.at[-1] - found.at[0] >= 0.09) == (b"ab", True)
    tiny.fault(kind="drip", path="/_host/*", seconds=60)
    assert tiny.http.delete("/_host/ab").status_code == 204
    assert tiny.http.get("/_host/ab").status_code == 404


# Cut short


@pytest.mark.parametrize(
    ("kind", "accepted", "end"),
    [
        ("delay", 0, FIN),
        ("delay_after", 1, FIN),
        ("drip", 1, FIN),
        ("hang_before", 0, FIN),
        ("hang_after", 1, FIN),
        ("late", 0, FIN),
    ],
)
def test_a_reset_forgets_what_waits(tiny: Setup, kind: str, accepted: int, end: str) -> None:
    """A reset cuts off the clients that still wait, and the vendor never sees requests of the time before."""
    tiny.fault(kind=kind, **({} if kind.startswith("hang") else {"seconds": 60}))
    found: list[Heard] = []
    client = threading.Thread(target=lambda: found.append(heard(tiny)))
    client.start()
    until(lambda: len(tiny.world.requests) == 1 and len(tiny.world.submissions) == accepted)
    tiny.sandbox.reset()
    client.join()
    until(lambda: idle(tiny))
    assert (found[0].end, BODY in found[0].data, tiny.world.submissions) == (end, False, [])


@pytest.mark.parametrize("kind", ["delay_after", "drip", "hang_before", "hang_after", "late"])
def test_closing_waits_for_nobody(kind: str) -> None:
    """A sandbox that closes sends at once what it still has to send, and forgets requests that are on their way."""
    found: list[Heard] = []
    with Sandbox(vendors=[Tiny]) as sandbox, httpx.Client(base_url=sandbox.base_url) as http:
        setup = Setup(sandbox, http)
        sandbox._server.config.timeout_graceful_shutdown = 60  # the server's own patience
        setup.fault(kind=kind, **({} if kind.startswith("hang") else {"seconds": 60}))
        client = threading.Thread(target=lambda: found.append(heard(setup)))
        client.start()
        until(sandbox.world.requests.entries)
        if kind == "late":
            client.join()
        begin = time.monotonic()
    assert time.monotonic() - begin < PATIENCE
    client.join()
    assert (found[0].end, found[0].body) == (FIN, BODY if kind in {"delay_after", "drip"} else b"")
    assert len(sandbox.world.submissions) == (kind in {"delay_after", "drip", "hang_after"})


def test_after_the_end_nothing_waits() -> None:
    """Once the sandbox is closed, a wait is over before it begins, also after a reset."""
    with Sandbox(vendors=[Tiny]) as sandbox:
        waits = sandbox.world.waits
    sandbox.reset()
    assert asyncio.run(waits.wait(1)) is Ending.CLOSE


def test_what_ends_a_wait_first_has_ended_it() -> None:
    """A wait whose time is up in the moment of a reset, or that is reset in the moment of the end, ends once."""

    async def both() -> list[Ending]:
        waits = Waits()
        first = asyncio.ensure_future(waits.wait(60))
        await asyncio.sleep(0)
        waits.reset()
        waits.close()
        return [await first, await waits.wait(60)]

    assert asyncio.run(both()) == [Ending.RESET, Ending.CLOSE]


def test_a_request_of_the_time_before_a_reset_waits_no_more() -> None:
    """A wait that begins just after a reset, for a request that came just before it, is over at once."""

    async def three() -> list[Ending]:
        before = Waits()
        after = before.reset()
        return [await before.wait(60), await before.wait(None), await after.wait(0)]

    assert asyncio.run(three()) == [Ending.RESET, Ending.RESET, Ending.TIME]


# Answers that are no


TODAY = datetime.now(UTC).replace(microsecond=0)


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (408, {"error": "timeout"}, {}),
        (409, {"error": "conflict"}, {}),
        (429, {"error": "slow down"}, {"Retry-After": "7"}),
        (429, None, {"Retry-After": format_datetime(TODAY + timedelta(seconds=7), usegmt=True)}),
        (500, "Internal Server Error", {}),
        (502, "<html><h1>502 Bad Gateway</h1></html>", {"Content-Type": "text/html"}),
        (503, "", {"Retry-After": "1"}),
    ],
)
@pytest.mark.parametrize("kind", ["status", "status_after"])
def test_refusals(tiny: Setup, kind: str, status: int, body: Any, headers: dict[str, str]) -> None:
    """Any status arrives with its body and headers, before or after the vendor accepted the request."""
    tiny.fault(kind=kind, status=status, body=body, headers=headers)
    answer = tiny.submit()
    text = json.dumps(body) if isinstance(body, dict) else body or ""
    assert (answer.status_code, answer.text) == (status, text)
    assert {name: answer.headers[name] for name in headers} == headers
    assert len(tiny.world.submissions) == (kind == "status_after")


# Answers that are nonsense


@pytest.mark.parametrize(
    ("fault", "media_type", "body"),
    [
        ({"kind": "body", "body": BODY[:30].decode(), "media_type": "application/json"}, "application/json", BODY[:30]),
        ({"kind": "body"}, "text/html; charset=utf-8", b""),
        ({"kind": "body", "body": {"id": 1}}, "text/html; charset=utf-8", b'{"id": 1}'),
        ({"kind": "json", "headers": {"Content-Type": "text/html"}}, "text/html", json.dumps(ANSWER).encode()),
        (
            {"kind": "json", "set": {"task": {"id": 7, "status": "PONDERING"}, "images": "a"}, "remove": ["extra"]},
            "application/json",
            b'{"task": {"id": 7, "status": "PONDERING"}, "images": "a"}',
        ),
    ],
    ids=["truncated-json", "empty", "scripted-json-as-html", "the-vendors-json-as-html", "wrong-types-and-words"],
)
def test_nonsense(tiny: Setup, fault: dict[str, Any], media_type: str, body: bytes) -> None:
    """Broken JSON, nothing, JSON under a wrong name, wrong types and unknown words are whole answers under 200."""
    tiny.fault(**fault)
    found = heard(tiny)
    assert (found.body, found.end) == (body, FIN)
    assert found.head.startswith(b"http/1.1 200 ok\r\n")
    assert f"\r\ncontent-type: {media_type}\r\n".encode() in found.head + b"\r\n"
    assert b"\r\ncontent-length: %d\r\n" % len(body) in found.head + b"\r\n"
    assert len(tiny.world.submissions) == 1


# Vendors' own words


VENDORS = ("scenario", "alibaba", "novita")


@pytest.mark.parametrize("vendor", VENDORS)
def test_expired_credentials(sandbox: Sandbox, vendor: str) -> None:
    """Every vendor has an answer to credentials that were good once, and its client knows it for what it is."""
    with Client(vendor) as client:
        assert client.list_jobs() == []
        sandbox.world.faults.add(Fault(kind="expired"))
        with pytest.raises(AuthenticationError):
            client.list_jobs()
        assert client.list_jobs() == []


@pytest.mark.parametrize(
    ("path", "headers", "status", "word"),
    [
        ("/v1/models", {"Authorization": "Bearer x"}, 403, "Token has expired"),
        ("/v1/models", {"Authorization": "Basic x"}, 401, "credentials"),
        ("/api/v1/personalizedtxt2img/x", {"x-acs-security-token": "x"}, 400, "InvalidSecurityToken.Expired"),
        ("/api/v1/personalizedtxt2img/x", {}, 404, "InvalidAccessKeyId.Inactive"),
        ("/v3/user", {}, 403, "INVALID_API_KEY"),
        ("/_objects/bucket/key", {}, 403, "Request has expired"),
    ],
)
def test_how_credentials_expire(sandbox: Sandbox, path: str, headers: dict[str, str], status: int, word: str) -> None:
    """The answer depends on the kind of the credentials; for a signed URL it is that of the storage."""
    sandbox.world.faults.add(Fault(kind="expired"))
    answer = httpx.get(sandbox.base_url + path, headers=headers)
    assert (answer.status_code, word in answer.text) == (status, True)


def test_an_expired_token_of_the_account(sandbox: Sandbox) -> None:
    """Scenario's token can be past its minute by a switch, too."""
    sandbox.switch("scenario", "jwt_expired", True)
    answer = httpx.get(f"{sandbox.base_url}/v1/models", headers={"Authorization": "Bearer sandbox-jwt"})
    assert (answer.status_code, answer.headers["x-amzn-errortype"]) == (403, "AccessDeniedException")


@pytest.mark.parametrize(("vendor", "status"), [("scenario", 403), ("alibaba", 404), ("novita", 404)])
def test_retired_routes(sandbox: Sandbox, vendor: str, status: int) -> None:
    """A retired route looks like one that never was."""
    path = {"scenario": "/v1/models", "alibaba": "/api/v1/personalizedtxt2img/queryModelTrainJobList"}
    url = sandbox.base_url + path.get(vendor, "/v3/training")
    unknown = url.rpartition("/")[0] + "/never"
    key = {"scenario": "Bearer sandbox-jwt", "novita": "Bearer sandbox-novita-key"}.get(vendor, "x")
    sandbox.world.faults.add(Fault(kind="retired"))
    retired = httpx.get(url, headers={"Authorization": key})
    never = httpx.get(unknown, headers={"Authorization": key})
    assert (retired.status_code, never.status_code) == (status, status)
    assert retired.json().keys() == never.json().keys()


def test_a_skewed_clock(sandbox: Sandbox) -> None:
    """A clock that is off shows in every Date, and signatures of the right time are refused."""
    sandbox.world.clock.skew = 3600
    answer = httpx.get(f"{sandbox.base_url}/v3/user")
    off = parsedate_to_datetime(answer.headers["date"]) - datetime.now(UTC)
    assert timedelta(minutes=59) < off < timedelta(minutes=61)
    with Client("alibaba") as client:
        client.list_jobs()  # it corrects its dates by the first refusal
    refused = [entry.status for entry in sandbox.world.requests if entry.vendor == "alibaba"]
    assert refused == [400, 200]


# What was paid


def cat(name: str) -> TrainingRequest:
    dataset = Dataset(images=(Image.of(png(64, 64)), Image.of(png(64, 65))), trigger="ohwx", class_word="cat")
    return TrainingRequest(name=name, dataset=dataset)


@pytest.mark.parametrize("vendor", VENDORS)
def test_submissions_show_the_name_of_the_training(sandbox: Sandbox, vendor: str) -> None:
    """A training that is paid twice shows as two submissions with the name that the client gave it."""
    with Client(vendor, pace=False) as client:
        for name in ("first cat", "second cat", "first cat"):
            client.train(cat(name))
    names = [paid.name for paid in sandbox.world.submissions]
    assert ["first cat" in name for name in names] == [True, False, True]
    assert [paid.vendor for paid in sandbox.world.submissions] == [vendor] * 3


def test_a_sandbox_of_its_own_process() -> None:
    """Run as a process at a chosen speed, it is steered over HTTP, tells all submissions, and ends when told."""
    command = "from unified_train.cli import main; main()"
    arguments = ["sandbox", "serve", "--port", "0", "--json", "--speed", "60"]
    with subprocess.Popen([sys.executable, "-c", command, *arguments], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        told = json.loads(server.stdout.readline())
        with httpx.Client(base_url=told["base_url"]) as http:
            assert http.get("/_sandbox/clock").json()["speed"] == 60
            key = {"Authorization": f"Bearer {told['env']['NOVITA_API_KEY']}"}
            slot = http.post("/v3/assets/training_dataset", json={"file_extension": "png"}, headers=key).json()
            http.put(slot["upload_url"], content=png())
            body = training_body(slot["assets_id"], "subject", name="my-cat")
            late = {"kind": "late", "seconds": 0.05, "path": "/v3/training/*", "every": 2, "times": None}
            http.post("/_sandbox/faults", json=late)
            assert http.post("/v3/training/subject", json=body, headers=key).status_code == 200
            with pytest.raises(httpx.RemoteProtocolError):
                http.post("/v3/training/subject", json=body, headers=key)
            until(lambda: len(http.get("/_sandbox/submissions").json()) == 2)
            paid = http.get("/_sandbox/submissions").json()
            http.delete("/_sandbox/faults")
            http.post("/_sandbox/faults", json={"kind": "late", "seconds": 60, "path": "/v3/user"})
            with pytest.raises(httpx.RemoteProtocolError):
                http.get("/v3/user")
        server.terminate()
        assert server.wait(timeout=PATIENCE) == 0
    assert [(one["vendor"], one["kind"], one["name"]) for one in paid] == [("novita", "training", "my-cat")] * 2
    assert paid[0].keys() == {"vendor", "kind", "id", "name", "at"}
    assert paid[0]["id"] != paid[1]["id"]
    assert 0 < paid[0]["at"] < paid[1]["at"]
