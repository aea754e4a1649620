"""The emulated service over HTTP: what it accepts, how its jobs move, how it refuses."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import threading
import uuid
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import httpx
import pytest
from PIL import Image

from unified_train.sandbox import Sandbox
from unified_train_alibaba.signature import authorization, canonical_request

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "/api/v1/personalizedtxt2img"
SUBJECT, PRESET = "Personalizedtxt2img", "PersonalizedTextToImage"


class Api:
    """A client of the emulated service that signs as the vendor asks."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.world = sandbox.world
        self.http = httpx.Client(base_url=sandbox.base_url, trust_env=False)

    def call(
        self,
        action: str,
        *,
        body: object = None,
        family: str = SUBJECT,
        tail: str | None = None,
        method: str | None = None,
        key_id: str = "sandbox-access-key-id",
        secret: str | None = None,
        headers: dict[str, str] | None = None,
        **query: str,
    ) -> httpx.Response:
        content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        path = f"{PREFIX}/{tail or action[:1].lower() + action[1:]}"
        method = method or ("GET" if body is None else "POST")
        sent = {
            "host": self.sandbox.base_url.removeprefix("http://"),
            "x-acs-action": family + action,
            "x-acs-version": "20240611",
            "x-acs-date": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "x-acs-signature-nonce": uuid.uuid4().hex,
            "x-acs-content-sha256": hashlib.sha256(content).hexdigest(),
            **({"content-type": "application/json; charset=utf-8"} if content else {}),
            **(headers or {}),
        }
        canonical = canonical_request(method, path, query, sent, sent["x-acs-content-sha256"])
        sent["authorization"] = authorization(
            canonical, ";".join(sorted(sent)), key_id, secret or f"{key_id[:-2]}secret"
        )
        target = f"{path}?{urlencode(query)}" if query else path
        return self.http.request(method, target, content=content, headers=sent)

    def ok(self, action: str, **asked: Any) -> Any:
        answer = self.call(action, **asked)
        body = answer.json()
        assert (answer.status_code, body["success"]) == (200, True), body
        return body["data"]

    def host(self, name: str, data: bytes) -> str:
        url = f"{self.sandbox.base_url}/_host/{name}"
        self.http.put(url, content=data).raise_for_status()
        return url

    def train(self, *urls: str, **more: object) -> dict[str, Any]:
        body = {"name": "panda-1", "objectType": "panda", "imageUrl": list(urls), **more}
        training: dict[str, Any] = self.ok("AddModelTrainJob", body=body)
        return training

    def listed(self, number: int = -1) -> dict[str, Any]:
        training: dict[str, Any] = self.ok("QueryModelTrainJobList")[number]
        return training

    def trained(self, *, colour: str = "red") -> str:
        """The id of a model that is ready."""
        self.train(self.host(f"{colour}.png", picture(colour)))
        self.world.clock.advance(1200)
        return str(self.listed()["modelId"])

    def infer(self, model_id: str, prompt: str = "a <special-token>", **more: object) -> dict[str, Any]:
        body = {"modelId": model_id, "prompt": prompt, **more}
        inference: dict[str, Any] = self.ok("AddInferenceJob", body=body)
        return inference

    def inferred(self, job: dict[str, Any], *, after: float = 20) -> dict[str, Any]:
        self.world.clock.advance(after)
        inference: dict[str, Any] = self.ok("QueryInferenceJobInfo", inferenceJobId=str(job["id"]))
        return inference

    def image(self, job: dict[str, Any], name: str, **more: Any) -> httpx.Response:
        return self.call("QueryImageAsset", modelId=job["modelId"], promptId=job["promptId"], imageId=name, **more)


def picture(colour: str = "red", kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (24, 24), colour).save(file, kind)
    return file.getvalue()


@pytest.fixture(scope="module")
def server() -> Iterator[Api]:
    with Sandbox() as sandbox:
        api = Api(sandbox)
        yield api
        api.http.close()


@pytest.fixture
def api(server: Api) -> Api:
    """The service without a past, its clock standing still."""
    server.sandbox.reset()
    server.world.clock.freeze()
    return server


def _refusal(answer: httpx.Response) -> tuple[int, str]:
    body = answer.json()
    return answer.status_code, body.get("Code") or body.get("errCode")


# -- trainings --------------------------------------------------------------------------------------------------------


def test_created(api: Api) -> None:
    """A new training has the layout of the recorded sample: nulls, a time in China, no model id and no progress."""
    before = datetime.now(UTC)
    url = api.host("a.png", picture())
    answer = api.call(
        "AddModelTrainJob", body={"name": "熊猫", "objectType": "panda", "imageUrl": [url], "trainSteps": 800}
    )
    body = answer.json()
    assert {key: value for key, value in body.items() if key not in {"requestId", "data"}} == {
        "success": True,
        "errCode": None,
        "errMessage": None,
    }
    assert uuid.UUID(body["requestId"])
    data = body["data"]
    moment = data.pop("createTime")
    assert data == {
        "id": "71",
        "name": "熊猫",
        "objectType": "panda",
        "imageUrl": [url],
        "jobStatus": "NOT_START",
        "inferenceJobList": None,
        "inferenceImageCount": 0,
    }
    assert len(moment.rpartition(".")[2]) == 7
    created = datetime.fromisoformat(moment[:26]).replace(tzinfo=UTC) - timedelta(hours=8)
    assert abs(created - before) < timedelta(seconds=30)


def test_the_walk(api: Api) -> None:
    """A training goes through its states in order, shows its model id half-way, and its progress only rises."""
    api.train(api.host("a.png", picture()))
    words: list[str] = []
    shares: list[float] = []
    for _ in range(121):
        job = api.listed()
        if job["jobStatus"] not in words:
            words.append(job["jobStatus"])
        assert ("modelId" in job) == (job["jobStatus"] in {"WAIT_SCHEDULE", "TRAINING", "FINISHED"})
        if "jobTrainProgress" in job:
            shares.append(job["jobTrainProgress"])
        api.world.clock.advance(10)
    assert words == ["NOT_START", "SUBMITTED", "WAIT_SCHEDULE", "TRAINING", "FINISHED"]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert len(set(shares)) > 50
    assert uuid.UUID(api.listed()["modelId"].removeprefix("panda_")).version == 1


def test_status_by_model_id(api: Api) -> None:
    """The status operation says one word, and only for a model id that was shown."""
    model_id = api.trained()
    assert api.ok("QueryModelTrainStatus", modelId=model_id) == {"modelTrainStatus": "FINISHED"}
    assert _refusal(api.call("QueryModelTrainStatus", modelId="panda_x")) == (404, "B_MODEL_TRAIN_JOB_NOT_EXIST")
    assert _refusal(api.call("QueryModelTrainStatus", modelId="71")) == (404, "B_MODEL_TRAIN_JOB_NOT_EXIST")


def test_the_list_has_everything(api: Api) -> None:
    """The list is empty at first, then has every training with its generations."""
    assert api.ok("QueryModelTrainJobList") == []
    model_id = api.trained()
    done = api.inferred(api.infer(model_id, imageNumber=3))
    api.train("https://img.example.com/x.png")
    jobs = api.ok("QueryModelTrainJobList")
    assert [job["id"] for job in jobs] == ["71", "72"]
    assert jobs[0]["inferenceJobList"] == [done]
    assert jobs[0]["inferenceImageCount"] == 3


def test_submissions_are_counted(api: Api) -> None:
    """Every accepted paid request is noted, and no refused one."""
    model_id = api.trained()
    api.infer(model_id, prompt="a cat")
    api.call("AddInferenceJob", body={"modelId": model_id})
    api.call("AddModelTrainJob", body={"name": "x"})
    noted = [(one.vendor, one.kind, one.id, one.name) for one in api.world.submissions]
    assert noted == [("alibaba", "training", "71", "panda-1"), ("alibaba", "generation", "181", "a cat")]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_stored_pictures_are_fetched(api: Api, kind: str) -> None:
    """A picture behind a presigned URL of the sandbox's own store is good to train on, though the URL expires later."""
    api.world.objects.put("bucket", "a", picture(kind=kind), "image/png")
    api.train(api.world.objects.presign("GET", "bucket", "a", expires=60))
    api.world.clock.advance(1200)
    assert api.listed()["jobStatus"] == "FINISHED"


_WRONG_URLS = [
    "{base}/_host/missing.png",
    "{base}/_host/text.png",
    "{base}/_objects/bucket/a",
    "https://img.example.com/a.png",
    "not a url",
    "ftp://127.0.0.1/a.png",
    "http://[",
    "http://127.0.0.1:9/a.png",
]


@pytest.mark.parametrize("url", _WRONG_URLS)
def test_wrong_image_urls(api: Api, url: str) -> None:
    """What can't be fetched or is no picture is accepted at first, and ends as WRONG_IMAGE_URL."""
    api.host("text.png", b"not a picture")
    api.world.objects.put("bucket", "a", picture(), "image/png")
    api.train(api.host("good.png", picture()), url.replace("{base}", api.sandbox.base_url))
    assert api.listed()["jobStatus"] == "NOT_START"
    api.world.clock.advance(200)
    assert api.listed()["jobStatus"] == "WRONG_IMAGE_URL"
    assert "jobTrainProgress" not in api.listed()
    api.world.clock.advance(2000)
    assert api.listed()["jobStatus"] == "WRONG_IMAGE_URL"


class _Elsewhere(BaseHTTPRequestHandler):
    """A web server of somebody else."""

    def do_GET(self) -> None:
        data = picture("green") if self.path == "/good.png" else b""
        self.send_response(200 if data else 404)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Elsewhere) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("switch", "name", "word"),
    [
        ("loopback", "good.png", "FINISHED"),
        ("all", "good.png", "FINISHED"),
        ("none", "good.png", "WRONG_IMAGE_URL"),
        ("loopback", "bad.png", "WRONG_IMAGE_URL"),
    ],
)
def test_pictures_elsewhere(api: Api, elsewhere: str, switch: str, name: str, word: str) -> None:
    """Pictures of other servers of this machine are really fetched, unless that is switched off."""
    api.sandbox.switch("alibaba", "fetch_foreign_urls", switch)
    api.train(f"{elsewhere}/{name}".replace("127.0.0.1", "localhost" if switch == "loopback" else "127.0.0.1"))
    api.world.clock.advance(1200)
    assert api.listed()["jobStatus"] == word


# -- generations ------------------------------------------------------------------------------------------------------


def test_the_walk_of_a_generation(api: Api) -> None:
    """A generation goes through its states in order and names its pictures at the end."""
    job = api.infer(api.trained(), imageNumber=2)
    assert (job["id"], job["jobStatus"], job["resultImageUrl"]) == ("181", "NOT_START", None)
    assert uuid.UUID(job["promptId"]).version == 1
    words: list[str] = []
    now = job
    for _ in range(41):
        now = api.inferred(job, after=0.5)
        if now["jobStatus"] not in words:
            words.append(now["jobStatus"])
    assert words == ["NOT_START", "SUBMITTED", "WAIT_SCHEDULE", "INFERRING", "FINISHED"]
    assert (now["resultImageUrl"], now["jobTrainProgress"]) == (["0000.png", "0001.png"], 1.0)


@pytest.mark.parametrize(("asked", "made"), [({}, 1), ({"imageNumber": 10}, 10), ({"imageNumber": 11}, 10)])
def test_the_number_of_pictures(api: Api, asked: dict[str, Any], made: int) -> None:
    """One picture unless told; more than ten are silently cut to ten."""
    assert len(api.inferred(api.infer(api.trained(), **asked))["resultImageUrl"]) == made


def _pixels(answer: httpx.Response) -> bytes:
    data = base64.b64decode(answer.json(), validate=True)
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        assert (image.format, image.size) == ("PNG", (768, 768))
    return data


def test_pictures_depend_on_what_was_asked(api: Api) -> None:
    """Model, prompt, seed and index decide a picture to the byte; image k has seed plus k."""
    red = api.trained()

    def made(model_id: str = red, name: str = "0000.png", **more: Any) -> bytes:
        return _pixels(api.image(api.inferred(api.infer(model_id, **more)), name, encodeFormat="base64"))

    first = made(seed=5, imageNumber=2)
    assert first == made(seed=5)
    assert made(seed=5, imageNumber=2, name="0001.png") == made(seed=6)
    others = [made(seed=6), made(seed=5, prompt="the <special-token> at sea"), made(seed=5, prompt="a panda")]
    assert len({first, *others}) == 4


@pytest.mark.parametrize("seed", [-1, 2**31, -7, None])
def test_seeds_out_of_range(api: Api, seed: int | None) -> None:
    """A seed outside the range is accepted and replaced by one of the service's choice."""
    asked: dict[str, Any] = {} if seed is None else {"seed": seed}
    job = api.infer(api.trained(), **asked)
    assert api.inferred(job)["jobStatus"] == "FINISHED"


def test_encodings(api: Api) -> None:
    """The base64 text comes as JSON string, bare or in an envelope; without encodeFormat, or if told so, as bytes."""
    job = api.inferred(api.infer(api.trained(), seed=1))
    raw = api.image(job, "0000.png")
    assert raw.headers["content-type"] == "image/png"
    text = base64.b64encode(raw.content).decode()
    found: dict[str, Any] = {}
    for encoding in ("json", "bare", "envelope", "raw"):
        api.sandbox.switch("alibaba", "image_encoding", encoding)
        found[encoding] = api.image(job, "0000.png", encodeFormat="base64")
    assert found["json"].json() == text
    assert found["bare"].text == text
    assert found["envelope"].json()["data"] == text
    assert found["raw"].content == raw.content


def test_pictures_that_are_not_there(api: Api) -> None:
    """No picture is shown before the end, under another name, or to a wrong prompt id."""
    job = api.infer(api.trained())
    assert _refusal(api.image(job, "0000.png")) == (404, "B_DATA_NOT_FOUND_EXCEPTION")
    done = api.inferred(job)
    assert api.image(done, "0000.png").status_code == 200
    assert _refusal(api.image(done, "0001.png")) == (404, "B_DATA_NOT_FOUND_EXCEPTION")
    assert _refusal(api.image({**done, "promptId": "x"}, "0000.png")) == (404, "B_DATA_NOT_FOUND_EXCEPTION")
    assert _refusal(api.image(done, "0000.png", encodeFormat="hex")) == (400, "B_PARAMETER_NOT_FOUND_EXCEPTION")


def test_models_that_can_not_be_used(api: Api) -> None:
    """An unknown model is not found; one in training fails softly; both can be turned round."""
    api.train(api.host("a.png", picture()))
    api.world.clock.advance(600)
    unfinished = api.listed()["modelId"]

    def refused(model_id: str) -> tuple[int, str]:
        return _refusal(api.call("AddInferenceJob", body={"modelId": model_id, "prompt": "x"}))

    assert refused("panda_x") == (404, "B_MODEL_TRAIN_JOB_NOT_EXIST")
    assert refused(unfinished) == (200, "UNKNOWN_ERROR")
    api.sandbox.switch("alibaba", "unknown_model", "soft")
    api.sandbox.switch("alibaba", "unfinished_model", "not_found")
    assert refused("panda_x") == (200, "UNKNOWN_ERROR")
    assert refused(unfinished) == (404, "B_MODEL_TRAIN_JOB_NOT_EXIST")


# -- the preset family ------------------------------------------------------------------------------------------------


def _preset(api: Api, **more: object) -> Any:
    body = {"imageUrl": [api.host("a.png", picture())], "prompt": "<special-token> at the beach", **more}
    return api.call("AddInferenceJob", family=PRESET, tail="addPreModelInferenceJob", body=body)


def _preset_info(api: Api, number: str) -> httpx.Response:
    return api.call("QueryPreModelInferenceJobInfo", family=PRESET, inferenceJobId=number)


def test_preset_generation(api: Api) -> None:
    """A preset generation takes reference pictures instead of a model and names its results by resource ids."""
    job = _preset(api, strength=0.8, seed=1).json()["data"]
    assert job["jobStatus"] == "NOT_START"
    api.world.clock.advance(20)
    done = _preset_info(api, job["id"]).json()["data"]
    [name] = done["resultImageUrl"]
    answer = api.call(
        "QueryImageAsset", family=PRESET, tail="queryImageAssetFromImageId", imageId=name, encodeFormat="base64"
    )
    assert _pixels(answer)
    assert [one.kind for one in api.world.submissions] == ["generation"]


def test_preset_refusals(api: Api) -> None:
    """A strength outside the list is refused; the two families do not see each other's jobs."""
    assert _refusal(_preset(api, strength=1)) == (400, "B_PARAMETER_NOT_FOUND_EXCEPTION")
    job = api.infer(api.trained())
    assert _refusal(_preset_info(api, job["id"])) == (404, "B_DATA_NOT_FOUND_EXCEPTION")
    api.inferred(job)
    answer = api.call("QueryImageAsset", family=PRESET, tail="queryImageAssetFromImageId", imageId="0000.png")
    assert _refusal(answer) == (404, "B_DATA_NOT_FOUND_EXCEPTION")


def test_preset_pictures_are_fetched_too(api: Api) -> None:
    """A reference picture that can't be had ends a preset generation."""
    job = api.ok(
        "AddInferenceJob",
        family=PRESET,
        tail="addPreModelInferenceJob",
        body={"imageUrl": ["https://img.example.com/x.png"], "prompt": "x"},
    )
    api.world.clock.advance(20)
    assert _preset_info(api, job["id"]).json()["data"]["jobStatus"] == "WRONG_IMAGE_URL"


# -- refusals ---------------------------------------------------------------------------------------------------------

_TRAINING: dict[str, Any] = {"name": "x", "objectType": "cat", "imageUrl": ["https://a/b.png"]}
_INFERENCE: dict[str, Any] = {"modelId": "cat_x", "prompt": "x"}


_NOTHING: list[Any] = [None, "", [], 3]
_NO_OBJECTS: list[Any] = [b"{", b"[]", b"\xff", {}]
_MISSING: list[tuple[str, Any]] = [
    *(("AddModelTrainJob", {**_TRAINING, name: value}) for name in _TRAINING for value in _NOTHING),
    *(("AddModelTrainJob", {**_TRAINING, "imageUrl": value}) for value in ([3], "https://a/b.png")),
    *(("AddModelTrainJob", {**_TRAINING, "trainSteps": value}) for value in ("800", True, 1.5)),
    *(("AddInferenceJob", {**_INFERENCE, name: None}) for name in _INFERENCE),
    *(("AddInferenceJob", {**_INFERENCE, name: "1"}) for name in ("imageNumber", "seed")),
    *(("AddModelTrainJob", value) for value in _NO_OBJECTS),
]


@pytest.mark.parametrize(("action", "body"), _MISSING)
def test_missing_parameters(api: Api, action: str, body: object) -> None:
    """A required parameter that is absent, empty or of a wrong type is refused as not found."""
    answer = api.call(action, body=body)
    assert _refusal(answer) == (400, "B_PARAMETER_NOT_FOUND_EXCEPTION")
    assert api.world.submissions == []


@pytest.mark.parametrize(
    ("action", "query"),
    [
        ("QueryModelTrainStatus", {}),
        ("QueryInferenceJobInfo", {"inferenceJobId": ""}),
        ("QueryImageAsset", {"modelId": "a", "promptId": "b"}),
    ],
)
def test_missing_query(api: Api, action: str, query: dict[str, Any]) -> None:
    """The same holds for the query of a read."""
    assert _refusal(api.call(action, **query)) == (400, "B_PARAMETER_NOT_FOUND_EXCEPTION")


@pytest.mark.parametrize("number", ["1", "x", "-1", "²", "181"])
def test_unknown_generations(api: Api, number: str) -> None:
    """A generation that does not exist is not found, whatever its id looks like."""
    answer = api.call("QueryInferenceJobInfo", inferenceJobId=number)
    assert _refusal(answer) == (404, "B_DATA_NOT_FOUND_EXCEPTION")


def test_bodies_of_refusals(api: Api) -> None:
    """The service's own codes come in the gateway's body or in the envelope; the gateway's codes always in its own."""
    body = api.call("QueryModelTrainStatus").json()
    assert set(body) == {"RequestId", "HostId", "Code", "Message"}
    assert "modelId" in body["Message"]
    api.sandbox.switch("alibaba", "error_body", "envelope")
    body = api.call("QueryModelTrainStatus").json()
    body.pop("requestId")
    message = body.pop("errMessage")
    assert "modelId" in message
    code = "B_PARAMETER_NOT_FOUND_EXCEPTION"
    assert body == {"success": False, "errCode": code, "httpStatusCode": 400, "data": None}
    assert set(api.call("QueryModelTrainStatus", secret="wrong").json()) == {"RequestId", "HostId", "Code", "Message"}


def test_paths_that_do_not_exist(api: Api) -> None:
    """Another path, method, action or version is an API that does not exist."""
    gone = (404, "InvalidApi.NotFound")
    assert _refusal(api.http.get(f"{PREFIX}/cancelModelTrainJob")) == gone
    assert _refusal(api.call("QueryModelTrainJobList", method="DELETE")) == gone
    assert api.call("QueryModelTrainJobList", method="HEAD").status_code == 404
    assert _refusal(api.call("QueryModelTrainJobList", family="personalizedtxt2img")) == gone
    assert _refusal(api.call("QueryModelTrainJobList", tail="queryModelTrainStatus")) == gone
    assert _refusal(api.call("QueryModelTrainJobList", headers={"x-acs-version": "2024-06-11"})) == gone


def test_the_gateway_comes_first(api: Api) -> None:
    """Signature, clock and nonce are checked in this order, and all before any parameter."""
    old = {"x-acs-date": "2020-01-01T00:00:00Z", "x-acs-signature-nonce": "n"}
    wrong = api.call("AddModelTrainJob", body={}, secret="wrong", headers=old)
    assert _refusal(wrong) == (400, "SignatureDoesNotMatch")
    assert _refusal(api.call("AddModelTrainJob", body={}, headers=old)) == (400, "InvalidTimeStamp.Expired")
    fresh = {"x-acs-signature-nonce": "n"}
    assert _refusal(api.call("AddModelTrainJob", body={}, headers=fresh))[1] == "B_PARAMETER_NOT_FOUND_EXCEPTION"
    assert _refusal(api.call("AddModelTrainJob", body={}, headers=fresh)) == (400, "SignatureNonceUsed")
    assert _refusal(api.http.get(f"{PREFIX}/queryModelTrainJobList")) == (400, "MissingAuthorization")
    assert _refusal(api.call("QueryModelTrainJobList", key_id="x")) == (404, "InvalidAccessKeyId.NotFound")


def test_the_clock_can_be_skewed(api: Api) -> None:
    """A server whose date is an hour ahead refuses requests as expired and writes its own time on jobs."""
    api.world.clock.skew = 3600
    assert _refusal(api.call("QueryModelTrainJobList")) == (400, "InvalidTimeStamp.Expired")


def test_temporary_credentials(api: Api) -> None:
    """Temporary keys are good with their token, and only with it."""
    keys: dict[str, Any] = {"key_id": "sandbox-sts-key-id"}
    answer = api.call("QueryModelTrainJobList", headers={"x-acs-security-token": "sandbox-security-token"}, **keys)
    assert answer.status_code == 200
    assert _refusal(api.call("QueryModelTrainJobList", **keys))[1] == "InvalidSecurityToken.Mismatch"


def test_repeated_headers_are_one(api: Api) -> None:
    """A header sent twice counts with both values, so that a second one can't be smuggled in."""
    answer = api.http.get(
        f"{PREFIX}/queryModelTrainJobList", headers=[("x-acs-date", "a"), ("x-acs-date", "b"), ("authorization", "x")]
    )
    assert _refusal(answer) == (400, "MissingAuthorization")


# -- switches ---------------------------------------------------------------------------------------------------------


def test_layouts(api: Api) -> None:
    """Unset fields can be null or missing throughout, and ids numbers."""
    api.sandbox.switch("alibaba", "id_type", "integer")
    api.sandbox.switch("alibaba", "time_digits", 0)
    url = api.host("a.png", picture())
    job = api.train(url)
    assert job["id"] == 71
    assert "." not in job["createTime"]
    api.sandbox.switch("alibaba", "answer_fields", "null")
    assert (api.listed()["modelId"], api.listed()["jobTrainProgress"]) == (None, None)
    api.sandbox.switch("alibaba", "answer_fields", "missing")
    assert "inferenceJobList" not in api.listed()
    assert "errCode" not in api.call("QueryModelTrainJobList").json()


def test_success_with_an_error_code(api: Api) -> None:
    """A success can carry an error code, as published samples do."""
    api.sandbox.switch("alibaba", "success_code", "UNKNOWN_ERROR")
    body = api.call("QueryModelTrainJobList").json()
    assert (body["success"], body["errCode"], body["data"]) == (True, "UNKNOWN_ERROR", [])


def test_soft_failures(api: Api) -> None:
    """While switched on, what costs is refused under HTTP 200 and nothing is made; reads go on."""
    api.sandbox.switch("alibaba", "soft_failure", "Throttling.User")
    answer = api.call("AddModelTrainJob", body=_TRAINING)
    assert (answer.status_code, answer.json()["success"], answer.json()["data"]) == (200, False, None)
    assert api.ok("QueryModelTrainJobList") == []


@pytest.mark.parametrize("word", ["OOM", "TRAINING_TERMINATED", "POLISHING"])
def test_outcomes_of_trainings(api: Api, word: str) -> None:
    """A training can be made to end in any word, half-way through."""
    api.sandbox.switch("alibaba", "training_outcome", word)
    api.train(api.host("a.png", picture()))
    api.world.clock.advance(590)
    assert api.listed()["jobStatus"] == "TRAINING"
    api.world.clock.advance(10)
    assert api.listed()["jobStatus"] == word


@pytest.mark.parametrize(("outcome", "word"), [("OOM", "OOM"), ("EMPTY", "FINISHED")])
def test_outcomes_of_generations(api: Api, outcome: str, word: str) -> None:
    """A generation can be made to fail, or to finish with nothing."""
    model_id = api.trained()
    api.sandbox.switch("alibaba", "inference_outcome", outcome)
    done = api.inferred(api.infer(model_id))
    assert (done["jobStatus"], done["resultImageUrl"] or []) == (word, [])


def test_crowded(api: Api) -> None:
    """A crowded service says so for a while, then goes on with the generation."""
    model_id = api.trained()
    api.sandbox.switch("alibaba", "crowded_seconds", 100)
    job = api.infer(model_id)
    assert job["jobStatus"] == "TOO_MANY_INFERENCE_REQUESTS"
    assert api.inferred(job, after=99)["jobStatus"] == "TOO_MANY_INFERENCE_REQUESTS"
    assert api.inferred(job, after=1)["jobStatus"] == "NOT_START"
    assert api.inferred(job)["jobStatus"] == "FINISHED"


@pytest.mark.parametrize("word", ["SUBMITTED", "WAIT_SCHEDULE", "TRAINING"])
def test_when_the_model_id_appears(api: Api, word: str) -> None:
    """The status from which on a training shows its model id can be chosen."""
    api.sandbox.switch("alibaba", "model_id_appears", word)
    api.train(api.host("a.png", picture()))
    while (job := api.listed())["jobStatus"] != word:
        assert "modelId" not in job
        api.world.clock.advance(5)
    assert job["modelId"].startswith("panda_")


@pytest.mark.parametrize(("word", "shown"), [("SUBMITTED", True), ("TRAINING", False)])
def test_failed_trainings_keep_what_they_showed(api: Api, word: str, shown: bool) -> None:
    """A training with a wrong image keeps the model id that it showed before, and shows none that it did not."""
    api.sandbox.switch("alibaba", "model_id_appears", word)
    api.train("https://img.example.com/x.png")
    api.world.clock.advance(500)
    assert api.listed()["jobStatus"] == "WRONG_IMAGE_URL"
    assert ("modelId" in api.listed()) == shown


def test_a_list_that_lags_behind(api: Api) -> None:
    """A new training can be kept from the list for a while."""
    api.sandbox.switch("alibaba", "list_delay", 30)
    api.train(api.host("a.png", picture()))
    assert api.ok("QueryModelTrainJobList") == []
    api.world.clock.advance(30)
    assert len(api.ok("QueryModelTrainJobList")) == 1


def test_a_list_that_lags_behind_with_generations(api: Api) -> None:
    """A new generation can be kept from its training in the list, with its pictures, while it can be asked for."""
    model_id = api.trained()
    api.sandbox.switch("alibaba", "list_delay", 30)
    api.sandbox.switch("alibaba", "crowded_seconds", 5)
    job = api.infer(model_id)
    assert api.inferred(job, after=29)["jobStatus"] == "FINISHED"
    assert (api.listed()["inferenceJobList"], api.listed()["inferenceImageCount"]) == (None, 0)
    api.world.clock.advance(1)
    assert [one["id"] for one in api.listed()["inferenceJobList"]] == [job["id"]]
    assert api.listed()["inferenceImageCount"] == 1


def test_durations_and_scale(api: Api) -> None:
    """Durations can be set, down to none at all, and progress counted in percent."""
    api.sandbox.switch("alibaba", "training_seconds", 0)
    api.sandbox.switch("alibaba", "progress_scale", 100)
    job = api.train(api.host("a.png", picture()))
    assert (job["jobStatus"], job["jobTrainProgress"]) == ("FINISHED", 100)


def test_switches_return_to_their_defaults(api: Api) -> None:
    """A reset turns every switch back and forgets every job."""
    vendor = api.sandbox.vendors["alibaba"]
    before = vendor.switches()
    api.train("https://img.example.com/x.png")
    api.sandbox.switch("alibaba", "time_digits", 3)
    api.sandbox.reset()
    assert vendor.switches() == before
    assert api.ok("QueryModelTrainJobList") == []


_WRONG_VALUES = [
    ("time_digits", 10),
    ("time_digits", True),
    ("id_type", "float"),
    ("training_outcome", 3),
    *(("list_delay", value) for value in (-1, "1", True, float("inf"))),
]


@pytest.mark.parametrize(("name", "value"), _WRONG_VALUES)
def test_wrong_values_of_switches(api: Api, name: str, value: object) -> None:
    """A switch refuses a value that it does not know, and an unknown switch is none."""
    with pytest.raises(ValueError, match=name):
        api.sandbox.switch("alibaba", name, value)
    with pytest.raises(KeyError):
        api.sandbox.switch("alibaba", "unheard_of", value)


def test_the_environment_points_here(api: Api) -> None:
    """The variables name the sandbox's address and its obviously fake keys."""
    env = api.sandbox.vendors["alibaba"].env()
    assert env == {
        "ALIBABA_CLOUD_ACCESS_KEY_ID": "sandbox-access-key-id",
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "sandbox-access-key-secret",
        "UNIFIED_TRAIN_ALIBABA_BASE_URL": api.sandbox.base_url,
        "UNIFIED_TRAIN_IMAGE_HOST": f"{api.sandbox.base_url}/_host",
    }
