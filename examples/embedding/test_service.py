"""How an app tests itself offline: no key, no vendor, no network; only `unified-train[sandbox]` and pytest."""

import shutil
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from unified_train import AsyncClient, Job
from unified_train.pytest_plugin import MakeClient
from unified_train.sandbox import Sandbox

from job_table import JobTable
from service import Service, create_app
from worker import work

PHOTOS = Path(__file__).parents[1] / "chelsea"
TRAINING = {"name": "chelsea", "album": "chelsea", "shows": "cat"}


@pytest.fixture
def jobs(tmp_path: Path) -> JobTable:
    return JobTable(tmp_path / "jobs.sqlite")


@pytest.fixture
def service(jobs: JobTable, unified_train_options: Mapping[str, Any], tmp_path: Path) -> Iterator[httpx.Client]:
    """The service, listening, with its client talking to the sandbox; and an HTTP client to call it with."""
    shutil.copytree(PHOTOS, tmp_path / "albums" / "chelsea")
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    client = AsyncClient("novita", **unified_train_options)
    app = create_app(Service(client, jobs, tmp_path / "albums", url, "a-token"))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none"))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    with httpx.Client(base_url=url, timeout=30) as http:
        while not server.started:
            time.sleep(0.01)
        yield http
    server.should_exit = True
    thread.join()
    listener.close()


def post(service: httpx.Client, path: str, key: str, body: object) -> httpx.Response:
    return service.post(path, json=body, headers={"Idempotency-Key": key})


def settled(service: httpx.Client, key: str) -> Any:
    deadline = time.monotonic() + 10
    while (job := service.get(f"/jobs/{key}").json())["status"] in {"queued", "running", "unknown"}:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return job


def test_from_a_post_to_pictures(
    service: httpx.Client, jobs: JobTable, unified_train_client: MakeClient, unified_train_sandbox: Sandbox
) -> None:
    """A repeated POST is the same training; the worker sees it end; a webhook tells that the pictures are there."""
    first = post(service, "/trainings", "order-1", TRAINING)
    again = post(service, "/trainings", "order-1", TRAINING)
    assert (first.status_code, again.status_code) == (202, 202)
    assert len(unified_train_sandbox.world.submissions) == 1

    work(unified_train_client("novita"), jobs, stop=lambda: not jobs.unfinished(), pause=0.05)
    assert service.get("/jobs/order-1").json()["status"] == "succeeded"

    wanted = {"training": "order-1", "prompt": "a portrait of {subject}", "n": 2}
    assert post(service, "/pictures", "order-1-pictures", wanted).status_code == 202
    assert settled(service, "order-1-pictures")["status"] == "succeeded"  # no worker: the sandbox posted the webhook
    kept = jobs.get("order-1-pictures")
    assert isinstance(kept, Job)
    assert len(kept.images) == 2
