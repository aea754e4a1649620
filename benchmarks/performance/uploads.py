"""Bringing photographs to a vendor, eight at a time: as Base64 in JSON, and by presigned PUT."""

from __future__ import annotations

import asyncio
import base64
import gc
import http.client
import inspect
import json
import re
import tempfile
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from benchmarks.performance import plots, runner
from benchmarks.performance.cases import Case
from benchmarks.performance.contenders import ours, sdks
from benchmarks.performance.report import Goal, Section, Stage, number, ratio
from benchmarks.performance.server import Route, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from benchmarks.performance.server import Seen

_AT_ONCE = 8
_CHUNK = 192 * 1024
"""Bytes that a careful client holds of a file; a multiple of three, for Base64."""
_LATENCY = 0.02
_SLOT = {"upload_url": "{server}/objects/000000", "method": "PUT", "assets_id": "asset-000000"}
_BASE64, _PUT = "base64", "put"
# Larger photographs than 4 MB go to Scenario another way, since they would not fit into its JSON.
_SETS = {
    _BASE64: {"20 × 3 MB": (20, 3_000_000), "40 × 3.9 MB": (40, 3_900_000)},
    _PUT: {"20 × 3 MB": (20, 3_000_000), "40 × 6 MB": (40, 6_000_000)},
}
_VENDOR = {_BASE64: "scenario", _PUT: "novita"}


# -- how each does it, in the worker -----------------------------------------------------------------------------------


def _threads(one: Callable[[str], object], paths: Sequence[str]) -> list[Any]:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(one, paths))


async def _tasks(one: Callable[[str], Any], paths: Sequence[str]) -> list[Any]:
    gate = asyncio.Semaphore(_AT_ONCE)

    async def gated(path: str) -> Any:
        async with gate:
            return await one(path)

    return await asyncio.gather(*map(gated, paths))


def _ours(how: str, case: Case, url: str) -> Any:
    from unified_train import Client

    client = Client(_VENDOR[how], journal=None, **ours.client_options(case, url))
    return lambda paths: [image.id for image in _threads(client.upload_image, paths)]


def _ours_train(how: str, case: Case, url: str) -> Any:
    from unified_train import Client

    client = Client(_VENDOR[how], journal=None, **ours.client_options(case, url))

    def train(paths: Sequence[str]) -> None:
        client.train(ours.training(paths))

    return train


def _ours_async(how: str, case: Case, url: str) -> Any:
    from unified_train import AsyncClient

    client = AsyncClient(_VENDOR[how], journal=None, **ours.client_options(case, url))

    async def upload(paths: Sequence[str]) -> list[str]:
        return [image.id for image in await _tasks(client.upload_image, paths)]

    return upload


def _httpx(how: str, _: Case, url: str) -> Any:
    import httpx

    client = httpx.Client(base_url=url, timeout=60)

    def one(path: str) -> str:
        data = Path(path).read_bytes()
        if how == _BASE64:
            body = {"name": Path(path).name, "image": base64.b64encode(data).decode()}
            return str(client.post("/v1/assets", json=body).json()["asset"]["id"])
        slot = client.post("/v3/assets/training_dataset", json={"file_extension": "jpeg"}).json()
        client.put(slot["upload_url"], content=data).raise_for_status()
        return str(slot["assets_id"])

    return partial(_threads, one)


def _scenario_sdk(_: str, case: Case, url: str) -> Any:
    import scenario_sdk  # pyright: ignore[reportMissingImports]

    client = scenario_sdk.Scenario(**sdks.scenario_options(case, url))

    def one(path: str) -> str:
        image = base64.b64encode(Path(path).read_bytes()).decode()
        return str(client.assets.upload(name=Path(path).name, image=image).asset.id)

    return partial(_threads, one)


def _novita_client(_: str, case: Case, url: str) -> Any:
    import novita_client  # pyright: ignore[reportMissingImports]

    return novita_client.NovitaClient(case.environ["NOVITA_API_KEY"], url).upload_training_assets


def _floor(how: str, _: Case, url: str) -> Any:
    """`http.client`, a connection for each thread, and no file in memory."""
    host, mine = urlsplit(url).netloc, threading.local()

    def sent(method: str, path: str, body: Any, size: int) -> bytes:
        if not hasattr(mine, "connection"):
            mine.connection = http.client.HTTPConnection(host)
        mine.connection.request(method, path, body, {"content-length": str(size), "content-type": "application/json"})
        answer: bytes = mine.connection.getresponse().read()
        return answer

    def one(path: str) -> str:
        size = Path(path).stat().st_size
        if how == _BASE64:
            head, tail = json.dumps({"name": Path(path).name, "image": ""}).encode()[:-2] + b'"', b'"}'
            length = len(head) - 1 + 4 * -(-size // 3) + len(tail)
            return str(json.loads(sent("POST", "/v1/assets", _encoded(head[:-1], path, tail), length))["asset"]["id"])
        asked = b'{"file_extension": "jpeg"}'
        slot = json.loads(sent("POST", "/v3/assets/training_dataset", asked, len(asked)))
        with Path(path).open("rb") as file:
            sent("PUT", urlsplit(slot["upload_url"]).path, iter(partial(file.read, _CHUNK), b""), size)
        return str(slot["assets_id"])

    return partial(_threads, one)


def _encoded(head: bytes, path: str, tail: bytes) -> Iterator[bytes]:
    yield head
    with Path(path).open("rb") as file:
        for chunk in iter(partial(file.read, _CHUNK), b""):
            yield base64.b64encode(chunk)
    yield tail


_CONTENDERS: dict[str, tuple[Callable[[str, Case, str], Any], tuple[str, ...]]] = {
    "floor (http.client)": (_floor, (_BASE64, _PUT)),
    "ours, sync": (_ours, (_BASE64, _PUT)),
    "ours, async": (_ours_async, (_BASE64, _PUT)),
    "ours, sync, train": (_ours_train, (_PUT,)),
    "httpx": (_httpx, (_BASE64, _PUT)),
    "scenario-sdk": (_scenario_sdk, (_BASE64,)),
    "novita-client": (_novita_client, (_PUT,)),
}


async def uploaded(
    name: str, how: str, case: dict[str, Any], url: str, paths: list[str], *, traced: bool
) -> dict[str, Any]:
    """Upload all, after one to warm up.

    Returns:
        Seconds; CPU seconds; bytes above what was held before, at the highest: by `tracemalloc`, or by what the process
        occupied; ids in the order of the paths.
    """
    operation = _CONTENDERS[name][0](how, Case.load(case), url)
    await _done(operation(paths[:1]))
    gc.collect()
    if traced:
        tracemalloc.start()
    before = _occupied("VmRSS")
    _forget_highest()
    began, cpu = time.perf_counter(), time.process_time()
    ids = await _done(operation(paths))
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    peak = tracemalloc.get_traced_memory()[1] if traced else _occupied("VmHWM") - before
    return {"seconds": seconds, "cpu": cpu, "peak": peak, "ids": ids}


async def _done(result: Any) -> Any:
    return await result if inspect.isawaitable(result) else result


def _forget_highest() -> None:
    Path("/proc/self/clear_refs").write_text("5")  # the highest mark of memory is from now on


def _occupied(what: str) -> int:
    told = re.search(rf"{what}:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(told[1]) * 1024 if told else 0


# -- outside -----------------------------------------------------------------------------------------------------------


def photos(folder: Path, count: int, size: int) -> list[str]:
    """Valid JPEGs of noise, a bit over the size; no two have the same, so that the server can tell them apart."""
    from PIL import Image

    side = int((size / 1.9) ** 0.5)
    whole = Image.merge("RGB", [Image.effect_noise((side, side), 90) for _ in range(3)])
    file = folder / "whole.jpg"
    whole.save(file, quality=90)
    data = file.read_bytes()
    paths = []
    for number_ in range(count):
        path = folder / f"{number_:02}-{size}.jpg"
        path.write_bytes(data + bytes(max(0, size - len(data)) + number_))  # what follows a JPEG's end is not looked at
        paths.append(str(path))
    return paths


def measure(stage: Stage) -> Section:
    """Both ways."""
    section = Section(
        "uploads",
        f"Photographs from the disk, {_AT_ONCE} at a time, through `upload_image` (or `train`, where it says so), in"
        " fresh processes after one photograph to warm up. Base64 in JSON is how Scenario takes small images, answered"
        f" at once; by presigned PUT is Novita's way, with {_LATENCY * 1e3:.0f} ms for each answer. Memory is what was"
        " held at the highest above what was held before, by `tracemalloc` and by what the process occupies. The floor"
        " streams with `http.client` in threads. Medians. novita-client decodes every photograph and compresses it"
        " anew, which is its way, and has effects on the picture.",
    )
    for how, title in ((_BASE64, "Base64 in JSON"), (_PUT, "presigned PUT, 20 ms")):
        sets = [*_SETS[how].items()][: 1 if stage.quick else None]
        with tempfile.TemporaryDirectory() as folder:
            _measure(stage, section, how, title, {name: photos(Path(folder), *what) for name, what in sets})
    return section


def _measure(stage: Stage, section: Section, how: str, title: str, paths: dict[str, list[str]]) -> None:
    names = [name for name, (_, ways) in _CONTENDERS.items() if how in ways]
    case, rows, first = _case(stage, how), [], next(iter(paths))
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name in names:
        try:
            found[name] = {which: {} for which in paths}
            for which, files in paths.items():
                found[name][which] = _one(name, how, case, files, 1 if stage.quick or which != first else 3)
        except runner.Failed as error:
            section.failures.append(f"{name}, {title}: {str(error).strip().splitlines()[-1]}")
            del found[name]
    floor = found.get("floor (http.client)", {})
    for name, runs in found.items():
        cells = [_cells(run, floor.get(which, {})) for which, run in runs.items()]
        rows.append([name, *(cell for part in cells for cell in part)])
    heads = [
        f"{which}: {what}" for which in paths for what in ("s (× floor)", "MB by tracemalloc / process", "in order")
    ]
    section.tables.append([[title, *heads], *rows])
    bars = [(name, runs[first]["traced"] / 1e6, name.startswith("ours")) for name, runs in found.items()]
    section.pictures[f"memory, {how}"] = plots.bars(f"{title}, {first}: MB at the highest", bars)
    bound = 1.3 if how == _BASE64 else 1.5
    for name in ("ours, sync", "ours, async"):
        if name in found and floor:
            mine = found[name][first]
            section.goals += [
                Goal(f"{title}, {name}: wall / floor", mine["seconds"] / floor[first]["seconds"], bound, " ×"),
                Goal(f"{title}, {name}: MB at the highest", mine["traced"] / 1e6, 10),
                Goal(f"{title}, {name}: out of order", 1 - mine["order"], 0),
            ]


def _case(stage: Stage, how: str) -> Case:
    """The routes of uploads, with the vendor's own answers where they matter."""
    if how == _BASE64:
        asset = json.dumps({"asset": {"id": "asset_000000"}})
        return replace(
            stage.cases["scenario training.start"], routes=[Route("POST", "/v1/assets", body=asset, numbered=True)]
        )
    start = stage.cases["novita training.start"]
    slot = Route("POST", "/v3/assets/training_dataset", body=json.dumps(_SLOT), numbered=True, delay=_LATENCY)
    put = Route("PUT", "/objects/*", delay=_LATENCY)
    return replace(start, routes=[slot, put, *(replace(route, kept=True, delay=_LATENCY) for route in start.routes)])


def _one(name: str, how: str, case: Case, paths: list[str], rounds: int) -> dict[str, float]:
    runs, order = [], False
    for traced in [True, *[False] * rounds]:
        with Server(case.routes) as server:
            told = {"name": name, "how": how, "case": case.dump(), "url": server.url, "paths": paths, "traced": traced}
            runs.append(runner.call(uploaded, **told))
            order = _in_order(runs[-1]["ids"], server.seen(), len(paths))
    traced_run, *plain = runs
    plain.sort(key=lambda run: run["seconds"])
    middle = plain[len(plain) // 2]
    return {"seconds": middle["seconds"], "traced": traced_run["peak"], "rss": middle["peak"], "order": float(order)}


def _in_order(ids: list[str] | None, seen: Seen, count: int) -> bool:
    """Whether the ids stand in the order of the files: each is one byte larger than the one before."""
    if ids is None:
        [body] = seen.kept.values()
        ids = re.findall(r"asset-(\d+)", body)
    sizes = {name.rpartition("#")[2]: size for name, size in seen.sizes.items()}
    mine = [sizes[str(name)[-6:]] for name in ids[-count:]]
    # Base64 has the same length for up to three sizes, so equal ones may stand side by side.
    return len(mine) == count and mine == sorted(mine)


def _cells(run: dict[str, float], floor: dict[str, float]) -> list[str]:
    times = f"{run['seconds']:.2f} ({ratio(run['seconds'], floor.get('seconds', 0.0))})"
    return [times, f"{number(run['traced'] / 1e6)} / {number(run['rss'] / 1e6)}", "yes" if run["order"] else "**no**"]
