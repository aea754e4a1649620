"""The vendors' SDKs, of the versions of the extra `peers`; without retries where that can be said.

They are installed for benchmarks and the peers' tests only, which is what pyright is told where they are imported.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks.performance.contenders import Contender

if TYPE_CHECKING:
    from benchmarks.performance.cases import Case

_POLLS = ("training.poll", "generation.poll")
_STARTS = ("training.start", "generation.start")


def _cases(vendor: str, *whats: str) -> frozenset[str]:
    return frozenset(f"{vendor} {what}" for what in whats)


def _body(case: Case, at: int = -1) -> Any:
    return json.loads(case.calls[at].body)


def _suffixed(text: str, number: int) -> str:
    return f"{text}-{number}" if number else text


# -- Scenario ----------------------------------------------------------------------------------------------------------


def scenario_options(case: Case, url: str) -> dict[str, Any]:
    """What both colours are given."""
    return {
        "base_url": case.environ["SCENARIO_BASE_URL"].replace("{server}", url),
        "api_key": case.environ["SCENARIO_SDK_API_KEY"],
        "api_secret": case.environ["SCENARIO_SDK_API_SECRET"],
        "max_retries": 0,
    }


class _Scenario:
    def __init__(self, case: Case, url: str, _: int) -> None:
        import scenario_sdk  # pyright: ignore[reportMissingImports]

        self._client = scenario_sdk.Scenario(**scenario_options(case, url))
        self._case = case
        self._ids = [call.path.rpartition("/")[2] for call in case.calls]

    def __call__(self, number: int = 0) -> Any:
        case, client = self._case, self._client
        if case.what == "generation.poll":
            return client.jobs.retrieve(_suffixed(self._ids[0], number))
        if case.what == "training.poll":
            client.models.retrieve(self._ids[0])
            return client.jobs.retrieve(self._ids[1])
        if case.what == "generation.start":
            return client.generate.run_model(self._ids[-1], body=_body(case))
        model = client.models.create(name="bench", type=_body(case, 0)["type"]).model.id
        client.models.training_images.add(model, asset_ids=_body(case, 1)["assetIds"])
        return client.models.train.trigger(model, parameters=_body(case).get("parameters", {}))

    def close(self) -> None:
        self._client.close()


class _AsyncScenario:
    def __init__(self, case: Case, url: str, _: int) -> None:
        import scenario_sdk  # pyright: ignore[reportMissingImports]

        self._client = scenario_sdk.AsyncScenario(**scenario_options(case, url))
        self._case = case
        self._ids = [call.path.rpartition("/")[2] for call in case.calls]

    async def __call__(self, number: int = 0) -> Any:
        if self._case.what == "training.poll":
            await self._client.models.retrieve(self._ids[0])
        return await self._client.jobs.retrieve(_suffixed(self._ids[-1], number))

    async def close(self) -> None:
        await self._client.close()


# -- Alibaba -----------------------------------------------------------------------------------------------------------


_ACTIONS = {
    "training.poll": ("query_model_train_status", "QueryModelTrainStatus"),
    "generation.poll": ("query_inference_job_info", "QueryInferenceJobInfo"),
    "training.start": ("add_model_train_job", "AddModelTrainJob"),
    "generation.start": ("add_inference_job", "AddInferenceJob"),
}


def _alibaba(case: Case, url: str, *, suffix: str = "") -> tuple[Any, Any]:
    """A method of the SDK's client, and the request to call it with."""
    from alibabacloud_aicontent20240611 import models  # pyright: ignore[reportMissingImports]
    from alibabacloud_aicontent20240611.client import Client  # pyright: ignore[reportMissingImports]
    from alibabacloud_tea_openapi.utils_models import Config  # pyright: ignore[reportMissingImports]

    config = Config(
        access_key_id=case.environ["ALIBABA_CLOUD_ACCESS_KEY_ID"],
        access_key_secret=case.environ["ALIBABA_CLOUD_ACCESS_KEY_SECRET"],
        endpoint=url.removeprefix("http://"),
        region_id="cn-shanghai",
        protocol="HTTP",
    )
    name, kind = _ACTIONS[case.what]
    query = dict([case.calls[-1].path.partition("?")[2].split("=")]) if case.what in _POLLS else _body(case)
    request = getattr(models, f"Personalizedtxt2img{kind}Request")().from_map(query)
    return getattr(Client(config), f"personalizedtxt_2img_{name}{suffix}"), request


class _Alibaba:
    def __init__(self, case: Case, url: str, _: int) -> None:
        self._method, self._request = _alibaba(case, url)

    def __call__(self, number: int = 0) -> Any:  # noqa: ARG002 - every job has the same request here
        return self._method(self._request).body

    def close(self) -> None:
        """It has no way to close."""


class _AsyncAlibaba:
    def __init__(self, case: Case, url: str, _: int) -> None:
        self._method, self._request = _alibaba(case, url, suffix="_async")

    async def __call__(self, number: int = 0) -> Any:  # noqa: ARG002 - every job has the same request here
        return (await self._method(self._request)).body

    async def close(self) -> None:
        """It has no way to close."""


# -- Novita ------------------------------------------------------------------------------------------------------------


class _Novita:
    """It has no asynchronous client, and it can start no training without uploading."""

    def __init__(self, case: Case, url: str, _: int) -> None:
        import novita_client  # pyright: ignore[reportMissingImports]

        self._do: Any
        made: Any = novita_client.NovitaClient  # it has no types
        self._client = made(case.environ["NOVITA_API_KEY"], url)
        if case.what == "generation.start":
            proto: Any = novita_client.proto
            request = proto.Txt2ImgV3Request.from_dict(_body(case)["request"])
            self._do = lambda: self._client.raw_txt2img_v3(request)
        else:
            task = case.calls[-1].path.rpartition("=")[2]
            training = case.what == "training.poll"
            method = self._client.query_training_subject_status if training else self._client.async_task_result
            self._do = partial(method, task)

    def __call__(self, number: int = 0) -> Any:  # noqa: ARG002 - takes no part where there are many jobs
        return self._do()

    def close(self) -> None:
        self._client.session.close()


CONTENDERS = (
    Contender("scenario-sdk, sync", ("scenario-sdk",), _Scenario, cases=_cases("scenario", *_POLLS, *_STARTS)),
    Contender(
        "scenario-sdk, async", ("scenario-sdk",), _AsyncScenario, asynchronous=True, cases=_cases("scenario", *_POLLS)
    ),
    Contender(
        "alibaba SDK, sync", ("alibabacloud_aicontent20240611",), _Alibaba, cases=_cases("alibaba", *_POLLS, *_STARTS)
    ),
    Contender(
        "alibaba SDK, async",
        ("alibabacloud_aicontent20240611",),
        _AsyncAlibaba,
        asynchronous=True,
        cases=_cases("alibaba", *_POLLS),
    ),
    Contender("novita-client", ("novita-client",), _Novita, cases=_cases("novita", *_POLLS, "generation.start")),
)
