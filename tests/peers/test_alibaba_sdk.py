"""The vendor's own SDK against the sandbox: if it trains and generates there, the wire protocol is right."""

from __future__ import annotations

import asyncio
import base64
import io
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from unified_train.sandbox import Sandbox
from unified_train.sandbox.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

sdk: Any = pytest.importorskip("alibabacloud_aicontent20240611.client", reason="the vendor's SDK is not installed")
models: Any = pytest.importorskip("alibabacloud_aicontent20240611.models")
configs: Any = pytest.importorskip("alibabacloud_tea_openapi.utils_models")
errors: Any = pytest.importorskip("alibabacloud_tea_openapi.exceptions")

TEMPORARY = {
    "access_key_id": "sandbox-sts-key-id",
    "access_key_secret": "sandbox-sts-key-secret",
    "security_token": "sandbox-security-token",
}


@pytest.fixture(scope="module")
def server() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(server: Sandbox) -> Sandbox:
    """A sandbox without a past, its clock standing still."""
    server.reset()
    server.world.clock.freeze()
    return server


def _client(sandbox: Sandbox, **changed: str) -> Any:
    keys = {"access_key_id": "sandbox-access-key-id", "access_key_secret": "sandbox-access-key-secret"}
    endpoint = sandbox.base_url.removeprefix("http://")
    config = configs.Config(**{**keys, **changed}, endpoint=endpoint, region_id="cn-shanghai", protocol="HTTP")
    return sdk.Client(config)


def _blocking(client: Any) -> Callable[..., Any]:
    """Call the SDK's plain methods and return the body of the answer."""

    def call(name: str, *request: Any) -> Any:
        return getattr(client, f"personalizedtxt_2img_{name}")(*request).body

    return call


def _waiting(client: Any) -> Callable[..., Any]:
    """Call the SDK's asynchronous methods, each in a loop of its own."""

    def call(name: str, *request: Any) -> Any:
        return asyncio.run(getattr(client, f"personalizedtxt_2img_{name}_async")(*request)).body

    return call


@pytest.fixture(params=[_blocking, _waiting], ids=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> Any:
    return request.param


def _photo(sandbox: Sandbox) -> str:
    """The URL of a picture that is hosted in the sandbox."""
    file = io.BytesIO()
    Image.new("RGB", (32, 32), "orange").save(file, "JPEG")
    sandbox.world.objects.put("photos", "cat 1.jpg", file.getvalue(), "image/jpeg")
    return sandbox.world.objects.presign("GET", "photos", "cat 1.jpg", expires=3600)


def _train(call: Callable[..., Any], sandbox: Sandbox) -> Any:
    request = models.Personalizedtxt2imgAddModelTrainJobRequest(
        name="橘猫写真 第2版", object_type="cat", image_url=[_photo(sandbox)], train_steps=800
    )
    return call("add_model_train_job", request)


@pytest.mark.parametrize("keys", [{}, TEMPORARY], ids=["key", "temporary key"])
def test_a_training_and_a_generation(sandbox: Sandbox, colour: Any, keys: dict[str, str]) -> None:
    """The SDK trains, follows the status, generates and reads a picture; each of its signatures is verified."""
    call = colour(_client(sandbox, **keys))
    made = _train(call, sandbox)
    assert (made.success, made.err_code, made.data.job_status, made.data.model_id) == (True, None, "NOT_START", None)
    sandbox.world.clock.advance(600)
    [listed] = call("query_model_train_job_list").data
    assert (listed.id, listed.name, listed.job_status) == (made.data.id, "橘猫写真 第2版", "TRAINING")
    assert 0 < listed.job_train_progress < 1
    sandbox.world.clock.advance(600)
    request = models.Personalizedtxt2imgQueryModelTrainStatusRequest(model_id=listed.model_id)
    assert call("query_model_train_status", request).data.model_train_status == "FINISHED"

    request = models.Personalizedtxt2imgAddInferenceJobRequest(
        model_id=listed.model_id, prompt="a <special-token> in the snow", image_number=2, seed=7
    )
    inference = call("add_inference_job", request).data
    sandbox.world.clock.advance(20)
    request = models.Personalizedtxt2imgQueryInferenceJobInfoRequest(inference_job_id=inference.id)
    done = call("query_inference_job_info", request).data
    assert (done.job_status, done.result_image_url) == ("FINISHED", ["0000.png", "0001.png"])
    request = models.Personalizedtxt2imgQueryImageAssetRequest(
        model_id=done.model_id, prompt_id=done.prompt_id, image_id="0001.png", encode_format="base64"
    )
    data = base64.b64decode(str(call("query_image_asset", request)).strip('"'), validate=True)
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "PNG"

    [entry] = call("query_model_train_job_list").data
    assert [one.prompt_id for one in entry.inference_job_list] == [done.prompt_id]
    assert entry.inference_image_count == 2
    assert [one.kind for one in sandbox.world.submissions] == ["training", "generation"]


def test_the_preset_family(sandbox: Sandbox) -> None:
    """The SDK makes a picture without a trained model, from reference pictures."""
    client = _client(sandbox)
    request = models.PersonalizedTextToImageAddInferenceJobRequest(
        image_url=[_photo(sandbox)], prompt="<special-token> at the beach", strength=0.5
    )
    made = client.personalized_text_to_image_add_inference_job(request).body.data
    sandbox.world.clock.advance(20)
    request = models.PersonalizedTextToImageQueryPreModelInferenceJobInfoRequest(inference_job_id=made.id)
    done = client.personalized_text_to_image_query_pre_model_inference_job_info(request).body.data
    [image_id] = done.result_image_url
    request = models.PersonalizedTextToImageQueryImageAssetRequest(image_id=image_id, encode_format="base64")
    assert client.personalized_text_to_image_query_image_asset(request).body


def test_spaces_in_a_query(sandbox: Sandbox, colour: Any) -> None:
    """A query with spaces and Chinese text, which the SDK sends otherwise than it signs it, gets past the signature."""
    request = models.Personalizedtxt2imgQueryModelTrainStatusRequest(model_id="橘猫 (1)*~+/")
    with pytest.raises(errors.ClientException) as caught:
        colour(_client(sandbox))("query_model_train_status", request)
    assert caught.value.code == "B_MODEL_TRAIN_JOB_NOT_EXIST"


def test_a_wrong_secret(sandbox: Sandbox, colour: Any) -> None:
    """With a wrong secret the SDK raises the gateway's code, and nothing was made."""
    with pytest.raises(errors.ClientException) as caught:
        _train(colour(_client(sandbox, access_key_secret="wrong")), sandbox)
    assert (caught.value.code, caught.value.status_code) == ("SignatureDoesNotMatch", 400)
    assert sandbox.world.submissions == []


def test_throttling(sandbox: Sandbox) -> None:
    """The SDK reads a scripted refusal by flow control as one, wait included."""
    body = {"RequestId": "R-1", "HostId": "h", "Code": "Throttling.User", "Message": "slow down"}
    wait = {"x-acs-retry-after": "1500"}
    sandbox.world.faults.add(Fault(path="*/queryModelTrainJobList", kind="status", status=429, body=body, headers=wait))
    with pytest.raises(errors.ThrottlingException) as caught:
        _blocking(_client(sandbox))("query_model_train_job_list")
    assert (caught.value.code, caught.value.retry_after) == ("Throttling.User", 1500)
    assert _blocking(_client(sandbox))("query_model_train_job_list").data == []
