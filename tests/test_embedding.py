"""The examples for apps do what their page says, and stand what apps have to stand."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import httpx
import pytest

from unified_train import AsyncClient, Client, Job, MalformedResponse, Retry, Status, TransportError
from unified_train.errors import AuthenticationError, InsufficientFunds, SubmissionUncertain, UnsupportedCapability
from unified_train.pytest_plugin import MakeClient
from unified_train.sandbox import Sandbox
from unified_train.sandbox.faults import Fault

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples" / "embedding"
PAGE = (ROOT / "docs" / "embedding.md").read_text()
QUOTES = re.findall(r"<!-- from (\S+) -->\n```py\n(.*?)```", PAGE, re.DOTALL)
TOKEN = "a-token"
TRAINING = {"name": "chelsea", "album": "chelsea", "shows": "cat"}


@pytest.fixture(scope="module")
def app() -> Iterator[SimpleNamespace]:
    """The example's modules, which lie beside each other as an app's do."""
    names = ("job_table", "service", "worker", "company_network")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXAMPLES))
        yield SimpleNamespace(**{name: import_module(name) for name in names})
        for name in names:
            del sys.modules[name]


@pytest.fixture
def jobs(app: SimpleNamespace, tmp_path: Path) -> Any:
    return app.job_table.JobTable(tmp_path / "jobs.sqlite")


@pytest.fixture
def albums(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "examples" / "chelsea", tmp_path / "albums" / "chelsea")
    return tmp_path / "albums"


Call = Callable[..., httpx.Response]


@pytest.fixture
def call(app: SimpleNamespace, jobs: Any, albums: Path, unified_train_options: dict[str, Any]) -> Iterator[Call]:
    """Call the service, in this process and without a network."""
    client = AsyncClient("novita", **unified_train_options)
    made = app.service.create_app(app.service.Service(client, jobs, albums, "http://127.0.0.1:9", TOKEN))
    with anyio.from_thread.start_blocking_portal() as portal:

        async def request(method: str, path: str, key: str | None, body: Any) -> httpx.Response:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            headers = {"content-type": "application/json"} | ({"Idempotency-Key": key} if key else {})
            async with httpx.AsyncClient(transport=httpx.ASGITransport(made), base_url="http://app") as http:
                return await http.request(method, path, headers=headers, content=content)

        def called(method: str, path: str, *, key: str | None = None, body: Any = None) -> httpx.Response:
            answer: httpx.Response = portal.call(request, method, path, key, body)
            return answer

        with portal.wrap_async_context_manager(made.router.lifespan_context(made)):
            yield called


# -- the page ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("file", "code"), QUOTES, ids=[file for file, _ in QUOTES])
def test_the_page_quotes_what_is_there(file: str, code: str) -> None:
    """Each piece of code on the page that is not run as it stands is part of a file whose tests run."""
    assert code in (ROOT / file).read_text()


def test_the_page_quotes_every_part() -> None:
    """Nothing that is fenced as a quotation lacks its source, and each file of the example is mentioned or used."""
    assert len(QUOTES) == PAGE.count("```py\n")
    assert {Path(file).stem for file, _ in QUOTES} == {"service", "worker", "company_network", "test_service"}


@pytest.mark.long
def test_the_examples_own_tests_pass() -> None:
    """The app's tests, run as its author would: a listening service, a worker, and a webhook that is really posted."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "unified_train.pytest_plugin", "."]
    alone = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    done = subprocess.run(command, cwd=EXAMPLES, env=alone, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# -- the service -------------------------------------------------------------------------------------------------------


def test_many_posts_at_once_are_one_training(call: Call, unified_train_sandbox: Sandbox) -> None:
    """Eight times the same key at the same time: one submission, one answer."""
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: call("POST", "/trainings", key="order-1", body=TRAINING), range(8)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["key"] for answer in answers}) == 1
    assert len(unified_train_sandbox.world.submissions) == 1


def test_a_lost_answer_is_asked_for_again_with_the_same_key(call: Call, unified_train_sandbox: Sandbox) -> None:
    """The first POST can't tell what became of it; the same one once more finds the training, and pays nothing."""
    faults = unified_train_sandbox.world.faults
    faults.add(Fault(kind="drop_after", method="POST", path="/v3/training/*"))
    faults.add(Fault(kind="status", method="GET", path="/v3/training", status=500, times=None))
    first = call("POST", "/trainings", key="order-1", body=TRAINING)
    assert (first.status_code, first.headers["retry-after"]) == (503, "30")
    assert call("GET", "/jobs/order-1").status_code == 404
    faults.clear()
    second = call("POST", "/trainings", key="order-1", body=TRAINING)
    assert (second.status_code, second.json()["key"]) == (202, "order-1")
    assert len(unified_train_sandbox.world.submissions) == 1


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"album": "../chelsea"}, 422),
        ({"album": "none"}, 404),
        ({"name": ""}, 422),
        ({"shows": " "}, 422),
    ],
)
def test_a_wrong_order_is_the_customers_to_correct(
    change: dict[str, str], status: int, call: Call, unified_train_sandbox: Sandbox
) -> None:
    """No path leads out of the albums, nothing is sent, and no folder of the server is told."""
    answer = call("POST", "/trainings", key="order-1", body=TRAINING | change)
    assert answer.status_code == status
    assert str(EXAMPLES.parent) not in answer.text
    assert not unified_train_sandbox.world.submissions


def test_a_key_is_needed_and_belongs_to_one_order(call: Call, unified_train_sandbox: Sandbox) -> None:
    """Without one nothing is bought, and the same one for something else is refused."""
    assert call("POST", "/trainings", body=TRAINING).status_code == 422
    assert call("POST", "/trainings", key="order-1", body=TRAINING).status_code == 202
    other = call("POST", "/trainings", key="order-1", body=TRAINING | {"name": "another"})
    assert other.status_code == 422
    assert len(unified_train_sandbox.world.submissions) == 1


def test_pictures_need_a_training_that_has_ended(call: Call, unified_train_sandbox: Sandbox) -> None:
    """Before, or of a training that nobody knows, nothing is generated."""
    unified_train_sandbox.world.clock.freeze()
    call("POST", "/trainings", key="order-1", body=TRAINING)
    wanted = {"training": "order-1", "prompt": "a portrait of {subject}"}
    assert call("POST", "/pictures", key="order-2", body=wanted).status_code == 422
    assert call("POST", "/pictures", key="order-2", body=wanted | {"training": "order-9"}).status_code == 404
    assert len(unified_train_sandbox.world.submissions) == 1


def test_a_job_is_shown_without_what_only_the_app_should_see(call: Call) -> None:
    """The vendor's own record, its name and its ids stay inside."""
    call("POST", "/trainings", key="order-1", body=TRAINING)
    shown = call("GET", "/jobs/order-1").json()
    assert set(shown) == {"key", "kind", "status", "phase", "progress", "eta", "error", "notes", "updated_at"}


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InsufficientFunds("no money", provider="plain"), 502),
        (AuthenticationError("wrong key", provider="plain"), 502),
        (SubmissionUncertain("who knows", provider="plain", operation="training.start"), 503),
        (TransportError("no answer", sent=False), 503),
        (UnsupportedCapability("it can't"), 422),
        (MalformedResponse("no JSON", operation="training.poll"), 502),
    ],
)
def test_errors_are_told_to_those_who_can_act(error: Exception, status: int, app: SimpleNamespace) -> None:
    """A customer hears of mistakes in the order, and of nothing that is between us and the vendor."""
    answer = anyio.run(app.service.refused, None, error)
    assert answer.status_code == status
    assert (str(error).encode() in answer.body) is (status == 422)


def test_what_a_webhook_says_is_not_believed(
    call: Call, jobs: Any, unified_train_sandbox: Sandbox, unified_train_client: MakeClient
) -> None:
    """It needs the token; of strangers' jobs nobody is asked; of ours the vendor is, and its word counts."""
    known = Job(provider="novita", kind="generation", id="task-1", key="order-1", status=Status.RUNNING)
    jobs.put(known)

    def post(token: str, task: str) -> httpx.Response:
        told = {"task": {"task_id": task, "status": "TASK_STATUS_SUCCEED"}, "images": []}
        return call("POST", f"/webhooks/novita/{token}", body={"event_type": "ASYNC_TASK_RESULT", "payload": told})

    asked = unified_train_sandbox.world.requests
    assert post("a-wrong-one", "task-1").status_code == 404
    assert post(TOKEN, "task-of-a-stranger").status_code == 204
    assert not list(asked)
    assert post(TOKEN, "task-1").status_code == 502  # the vendor knows no such task
    assert len(list(asked)) == 1
    assert jobs.get("order-1") == known
    assert call("POST", f"/webhooks/novita/{TOKEN}", body=b"nonsense").status_code == 400
    assert call("POST", f"/webhooks/nobody/{TOKEN}", body=b"{}").status_code == 422


def test_the_service_can_be_made_from_the_environment(
    app: SimpleNamespace, unified_train_environment: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names no vendor itself."""
    variables = {"DATA": str(tmp_path), "URL": "http://app.test", "WEBHOOK_TOKEN": TOKEN}
    for name, value in variables.items():
        monkeypatch.setenv(f"SERVICE_{name}", value)
    monkeypatch.setenv("UNIFIED_TRAIN_PROVIDER", "scenario")
    made = app.service.from_environment()
    assert {"/trainings", "/pictures", "/jobs/{key}"} <= set(made.openapi()["paths"])

    async def closed() -> None:
        async with made.router.lifespan_context(made):
            pass

    anyio.run(closed)


# -- the worker --------------------------------------------------------------------------------------------------------


def test_jobs_of_all_kinds_are_kept(jobs: Any) -> None:
    """A job comes out as it went in; a finished one is not overwritten by an older state of it."""
    running = Job(provider="plain", kind="training", id="1", key="order-1", status=Status.RUNNING)
    done = running.model_copy(update={"status": Status.SUCCEEDED})
    for state in (running, done, running):
        jobs.put(state)
    assert jobs.get("order-1") == jobs.by_reference("plain:training:1") == done
    assert jobs.get("order-2") is None
    assert jobs.unfinished() == []


def test_a_worker_takes_up_what_a_dead_process_left_behind(
    app: SimpleNamespace, jobs: Any, call: Call, unified_train_client: MakeClient, unified_train_sandbox: Sandbox
) -> None:
    """A call in doubt ends in the table, and is waited for like the others."""
    faults = unified_train_sandbox.world.faults
    faults.add(Fault(kind="drop_after", method="POST", path="/v3/training/*"))
    faults.add(Fault(kind="status", method="GET", path="/v3/training", status=500, times=None))
    assert call("POST", "/trainings", key="order-1", body=TRAINING).status_code == 503
    faults.clear()
    assert call("POST", "/trainings", key="order-2", body=TRAINING).status_code == 202
    app.worker.work(unified_train_client("novita"), jobs, stop=lambda: not jobs.unfinished(), pause=0.05)
    assert [jobs.get(key).status for key in ("order-1", "order-2")] == [Status.SUCCEEDED] * 2
    assert len(unified_train_sandbox.world.submissions) == 2


def test_a_call_that_can_t_be_taken_up_is_logged(
    app: SimpleNamespace, jobs: Any, unified_train_client: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Its key and the reason stand in the log; the worker goes on."""
    client = unified_train_client("novita")
    outcome = SimpleNamespace(job=None, key="order-1", error="nobody knows")
    stand_in = SimpleNamespace(resume=lambda: [outcome], watch=client.watch, poll=client.poll)
    rounds = iter([False, True])
    app.worker.work(stand_in, jobs, stop=lambda: next(rounds), pause=0.001)  # nothing to wait for, either
    assert "order-1: nobody knows" in caplog.text


def test_one_broken_job_keeps_no_other_from_being_seen(
    app: SimpleNamespace, jobs: Any, call: Call, unified_train_client: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    """A job that the vendor doesn't know is logged in each round, while the others come to their end."""
    jobs.put(Job(provider="novita", kind="generation", id="nonsense", key="order-0", status=Status.RUNNING))
    call("POST", "/trainings", key="order-1", body=TRAINING)
    deadline = time.monotonic() + 10
    ended = lambda: jobs.get("order-1").finished or time.monotonic() > deadline  # noqa: E731 - short
    app.worker.work(unified_train_client("novita"), jobs, stop=ended, pause=0.02)
    assert [job.key for job in jobs.unfinished()] == ["order-0"]
    assert "novita:generation:nonsense" in caplog.text


# -- a company's network -----------------------------------------------------------------------------------------------


class Proxy:
    """A proxy that joins its callers with one server, whatever they ask for, and keeps what they asked for."""

    def __init__(self, server: tuple[str, int]) -> None:
        self.asked: list[str] = []
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                caller, _ = self._listener.accept()
                thread = threading.Thread(target=self._join, args=(caller,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _join(self, caller: socket.socket) -> None:
        with caller, socket.create_connection(self._server) as server:
            head = b""
            while b"\r\n\r\n" not in head:
                head += caller.recv(4096)
            self.asked.append(head.split(b"\r\n")[0].decode())
            caller.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=_poured, args=(server, caller), daemon=True)
            back.start()
            _poured(caller, server)
            back.join()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()


def _poured(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


class Trainings(BaseHTTPRequestHandler):
    """An empty list of trainings, whatever is asked."""

    def do_GET(self) -> None:
        body = b'{"tasks": [], "pagination": {"next_cursor": ""}}'
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that no system trusts, with its key beside it."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs the openssl command, to make a certificate")
    folder = tmp_path_factory.mktemp("authority")
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=vendor.test"]
    named = ["-addext", "subjectAltName=DNS:vendor.test", "-keyout", "key.pem", "-out", "authority.pem"]
    subprocess.run([*command, *named], cwd=folder, capture_output=True, check=True)
    return folder / "authority.pem"


@contextmanager
def vendor(authority: Path) -> Iterator[tuple[str, int]]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority, authority.with_name("key.pem"))
    server = HTTPServer(("127.0.0.1", 0), Trainings)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield "127.0.0.1", server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_client_of_yours_brings_proxy_and_authority(app: SimpleNamespace, authority: Path) -> None:
    """Through the proxy, with the company's certificate; without either the vendor isn't reached."""
    settings = {"novita": {"base_url": "https://vendor.test", "api_key": "k"}}
    options: dict[str, Any] = {"settings": settings, "journal": None, "retry": Retry(attempts=1)}
    with vendor(authority) as server, closing(Proxy(server)) as proxy:
        with app.company_network.company_http(proxy.url, authority) as http:
            with Client("novita", http=http, **options) as client:
                assert client.list_jobs("training") == []
            assert not http.is_closed
        assert proxy.asked == ["CONNECT vendor.test:443 HTTP/1.1"]
        with (
            httpx.Client(proxy=proxy.url) as http,
            Client("novita", http=http, **options) as client,
            pytest.raises(TransportError, match="certificate verify failed"),
        ):
            client.run(client.provider().list_jobs("training"))
