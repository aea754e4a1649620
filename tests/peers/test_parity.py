"""What our providers send and what the vendors' own SDKs send for the same intent, as it arrived at the sandbox.

A difference must be listed with its reason in `parity_differences.py`, and whatever is listed there must still differ.
"""

from __future__ import annotations

import base64
import json
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

import httpx
import pytest
from conftest import CHELSEA, QUICK
from peers.parity_differences import ABSENT, DIFFERENCES
from scenario_api import data_url, photo

from unified_train import (
    Client,
    Dataset,
    Effect,
    Flow,
    GenerationRequest,
    Image,
    Request,
    Response,
    TrainingRequest,
)
from unified_train.sandbox import Sandbox
from unified_train_scenario.options import TrainingPair

scenario_sdk: Any = pytest.importorskip("scenario_sdk", reason="the vendors' SDKs are not installed")
novita_sdk: Any = pytest.importorskip("novita_client", reason="the vendors' SDKs are not installed")
alibaba_sdk: Any = pytest.importorskip("alibabacloud_aicontent20240611.client", reason="the SDKs are not installed")
alibaba_models: Any = pytest.importorskip("alibabacloud_aicontent20240611.models")
alibaba_config: Any = pytest.importorskip("alibabacloud_tea_openapi.utils_models")

# Novita's SDK leaves its pool of download threads open, to be found by the garbage collector at any time.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed running multiprocessing pool:ResourceWarning"),
    pytest.mark.usefixtures("no_leftovers"),
]

Operations: TypeAlias = dict[str, tuple[str, ...]]
"""Method and path of each, and what else tells it from another."""

LONG = 3600.0
"""Simulated seconds; no job of the sandbox takes as many."""
UNDER_WAY = 600.0
PHOTOS = [CHELSEA / "chelsea_01.jpg", CHELSEA / "chelsea_02.jpg"]
CAPTIONS = ["ohwx cat, on a bed", "ohwx cat, from the side"]
PROMPT = "a portrait of ohwx cat in the snow"
TOKEN_PROMPT = "a portrait of <special-token> in the snow"
CHECKPOINT = "v1-5-pruned-emaonly.safetensors"
_ID = re.compile(
    r"\b(model|asset|job|proj|upload)_[0-9a-f]{16,}\b|\bmodel_\d+_\w+\b|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|[0-9a-f]{32}"
)
_OBJECT = re.compile(r"/_objects/.*")


# -- what arrived ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """One request as it arrived, with everything taken out that differs from run to run."""

    method: str
    path: str
    facts: dict[str, object]


def neutral(value: Any, names: dict[str, str]) -> Any:
    """A text with ids replaced by what kind of id they are; other values as they are."""
    if not isinstance(value, str):
        return value
    return names.get(value) or _ID.sub(lambda found: f"<{found[1] or 'id'}>", value)


def flat(value: Any, where: str) -> Iterator[tuple[str, object]]:
    """The leaves of a JSON value with the paths that lead to them; an empty object or list is a leaf."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if not items:
        yield where, value
    for key, item in items:
        yield from flat(item, f"{where}.{key}")


class Recorder:
    """Keeps every request that arrives at a sandbox, before its secrets are taken out."""

    def __init__(self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: dict[str, str] = {}
        self.seen: list[Seen] = []
        self._add = sandbox.world.requests.add
        monkeypatch.setattr(sandbox.world.requests, "add", self._noted)

    def _noted(self, **request: Any) -> Any:
        self.seen.append(self._reading(**request))
        return self._add(**request)

    def _reading(
        self,
        *,
        vendor: str | None,
        method: str,
        path: str,
        query: str,
        headers: Iterable[tuple[bytes, bytes]],
        body: bytes,
    ) -> Seen:
        sent = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
        scheme = sent.get("authorization", "none").split(" ")[0]
        facts: dict[str, object] = {"auth": scheme, "content-type": sent.get("content-type", "none")}
        facts |= {name: sent[name] for name in ("x-acs-action", "x-acs-version") if name in sent}
        if vendor:  # a presigned URL's query is its signature
            facts |= {f"query.{name}": neutral(value, self.names) for name, value in parse_qsl(query, True)}
        facts |= self._body(body)
        return Seen(method, _OBJECT.sub("/_objects", neutral(path, self.names)), facts)

    def _body(self, body: bytes) -> dict[str, object]:
        try:
            value = json.loads(body) if body else None
        except ValueError:
            return {"body": f"{body[:3]!r}…"}
        return {where: neutral(item, self.names) for where, item in flat(value, "body")} if body else {}

    def taken(self) -> list[Seen]:
        """What arrived since the last time."""
        seen, self.seen = self.seen, []
        return seen


def dataset() -> Dataset:
    pictures = [Image.of(path, caption=caption) for path, caption in zip(PHOTOS, CAPTIONS, strict=True)]
    return Dataset.of(pictures, trigger="ohwx", class_word="cat")


@dataclass
class Stage:
    """A sandbox whose clock stands still, and what arrives at it."""

    sandbox: Sandbox
    recorder: Recorder

    def forward(self) -> None:
        self.sandbox.world.clock.advance(LONG)


# -- Scenario ----------------------------------------------------------------------------------------------------------

FLUX2 = "model_bfl-flux-2-dev"
EDIT = "qwen-image-edit-2511-lora"
PART = 8 * 1024 * 1024
LARGE = 5_000_000
"""Bytes: too many for one JSON body."""
SCENARIO: Operations = {
    "upload.image": ("POST", "/v1/assets"),
    "training.create": ("POST", "/v1/models"),
    "training.attach": ("POST", "/v1/models/<model>/training-images"),
    "training.caption": ("PUT", "/v1/assets/<asset>"),
    "training.verify": ("GET", "/v1/models/<model>"),
    "training.start": ("PUT", "/v1/models/<model>/train"),
    "training.poll": ("GET", "/v1/jobs/<job>"),
    "training.cancel": ("POST", "/v1/models/<model>/train/action"),
    "training.list": ("GET", "/v1/models"),
    "generation.start": ("POST", f"/v1/generate/custom/{FLUX2}"),
    "generation.poll": ("POST", "/v1/assets/get-bulk"),
    "generation.fetch": ("GET", "/v1/assets/<asset>"),
    "generation.cancel": ("POST", "/v1/jobs/<job>/action"),
    "generation.list": ("GET", "/v1/jobs"),
    "training.estimate": ("PUT", "/v1/models/<model>/train", "query.dryRun"),
    "generation.estimate": ("POST", f"/v1/generate/custom/{FLUX2}", "query.dryRun"),
    "training.attach (bytes)": ("POST", "/v1/models/<model>/training-images", "body.data"),
    "training.replace": ("PUT", "/v1/models/<model>/training-images/<asset>"),
    "training.detach": ("DELETE", "/v1/models/<model>/training-images/<asset>"),
    "training.pairs": ("PUT", "/v1/models/<model>/training-images/pairs"),
    "generation.patch": ("POST", "/v1/generate/patch"),
    "upload.slot": ("POST", "/v1/uploads"),
    "upload.complete": ("POST", "/v1/uploads/<upload>/action"),
    "upload.verify": ("GET", "/v1/uploads/<upload>"),
}


def scenario_theirs(stage: Stage) -> None:
    with (
        scenario_sdk.DefaultHttpxClient(trust_env=False) as http,
        scenario_sdk.Scenario(max_retries=0, http_client=http) as sdk,
    ):
        model = _scenario_training(sdk, stage)
        _scenario_generation(sdk, stage, model)
        list(sdk.models.list(privacy="private", sort_by="createdAt", sort_direction="desc", page_size=100))
        list(sdk.jobs.list(page_size=100))
        _scenario_extras(sdk, stage, model)


def _scenario_training(sdk: Any, stage: Stage) -> str:
    assets = [
        sdk.assets.upload(name=path.name, image=base64.b64encode(path.read_bytes()).decode()).asset.id
        for path in PHOTOS
    ]
    for finished in (False, True):
        model = str(sdk.models.create(name="cats", type="flux.2-dev-lora").model.id)
        sdk.models.training_images.add(model, asset_ids=assets, preset="subject")
        for asset, caption in zip(assets, CAPTIONS, strict=True):
            sdk.assets.update(asset, description=caption)
        sdk.models.retrieve(model)
        parameters = {"rank": 32, "learning_rate": 1e-4, "seed": 7, "concept_prompt": "ohwx cat"}
        job = sdk.models.train.trigger(model, parameters=parameters).job.job_id
        sdk.jobs.retrieve(job)
        if finished:
            stage.forward()
        else:
            sdk.models.train.action(model, action="cancel")
            stage.forward()
    return model


def _scenario_generation(sdk: Any, stage: Stage, model: str) -> None:
    body = {"prompt": PROMPT, "numOutputs": 2, "width": 512, "height": 512, "seed": 7}
    body |= {"loras": [model], "lorasScale": [0.8]}
    job = sdk.generate.run_model(FLUX2, body=body).job.job_id
    sdk.jobs.trigger_action(job, action="cancel")
    stage.forward()
    job = sdk.generate.run_model(FLUX2, body=body).job.job_id
    stage.forward()
    ids = sdk.jobs.retrieve(job).job.metadata.asset_ids
    sdk.assets.get_bulk(asset_ids=ids, original_assets=True)
    sdk.assets.retrieve(ids[0], original_assets=True)


def _scenario_extras(sdk: Any, stage: Stage, trained: str) -> None:
    model = sdk.models.create(name="snow", type=EDIT).model.id
    assets = [sdk.assets.upload(name=f"{n}.png", image=base64.b64encode(photo()).decode()).asset.id for n in range(4)]
    sdk.models.training_images.add(model, asset_ids=assets[:3], preset="subject")
    sdk.models.training_images.add(model, data=data_url(photo("blue")), name="blue.png", preset="subject")
    sdk.models.training_images.replace(assets[2], model_id=model, asset_id=assets[3])
    sdk.models.training_images.delete(assets[1], model_id=model)
    pairs = [{"source_id": assets[0], "target_id": assets[3], "instruction": "add snow"}]
    pairs.append({"source_id": assets[3], "target_id": assets[0]})
    sdk.models.training_images.replace_pairs(model, body=pairs)
    sdk.generate.patch(image=assets[0], patch={"image": assets[1], "mode": "override"}, position={"x": 5, "y": 5})
    empty = sdk.models.create(name="cats", type="flux.2-dev-lora").model.id
    dry = {"dry_run": "true", "training_images_count": "2", "parameters": {"rank": 32, "concept_prompt": "ohwx cat"}}
    sdk.models.train.with_raw_response.trigger(empty, **dry)
    body = {"prompt": PROMPT, "numOutputs": 2, "loras": [trained], "lorasScale": [0.8]}
    sdk.generate.with_raw_response.run_model(FLUX2, body=body, dry_run="true")
    _scenario_parts(sdk)


def _scenario_parts(sdk: Any) -> None:
    data = photo(padding=LARGE)
    upload = sdk.uploads.create(
        file_name="large.png", content_type="image/png", kind="image", parts=-(-len(data) // PART), file_size=len(data)
    ).upload
    for part in upload.parts or []:
        end = int(part.number) * PART
        piece = data[end - PART : end]
        assert httpx.put(part.url, content=piece, trust_env=False).is_success
    sdk.uploads.trigger_action(upload.id, action="complete")
    sdk.uploads.retrieve(upload.id)


def _our_scenario_extras(client: Client, stage: Stage, trained: Any) -> None:
    provider: Any = client.provider()
    made = provider.post("/models", "training.create", {"name": "snow", "type": EDIT}, effect=Effect.CREATE)
    model = client.run(_asked(made)).json()["model"]["id"]
    assets = [client.upload_image(photo(), caption=None) for _ in range(4)]
    client.run(provider.add_training_images(model, assets[:3], preset="subject"))
    blue = Image.of(photo("blue"), name="blue.png")
    client.run(provider.add_training_image(model, blue, preset="subject"))
    client.run(provider.replace_training_image(model, assets[2].id, assets[3]))
    client.run(provider.delete_training_image(model, assets[1].id))
    first, last = assets[0].id, assets[3].id
    pairs = [TrainingPair(source=first, target=last, instruction="add snow"), TrainingPair(source=last, target=first)]
    client.run(provider.replace_training_pairs(model, pairs))
    client.run(provider.patch(assets[0], patch=assets[1], position=(5, 5)))
    client.run(provider.estimate_training(TrainingRequest(name="cats", dataset=dataset(), rank=32)))
    client.run(provider.estimate_generation(trained.model, GenerationRequest(prompt=PROMPT, n=2)))
    stage.sandbox.world.clock.unfreeze()  # the look at an upload waits for the import
    client.upload_image(Image(name="large.png", data=photo(padding=LARGE)))
    stage.sandbox.world.clock.freeze()


def _asked(request: Request) -> Flow[Response]:
    return (yield request)


def scenario_ours(stage: Stage) -> None:
    with Client("scenario", **QUICK, parallel=1) as client:  # type: ignore[arg-type]
        asked = TrainingRequest(name="cats", dataset=dataset(), rank=32, learning_rate=1e-4, seed=7)
        client.cancel(client.train(asked))
        stage.forward()
        training = client.train(asked)
        client.poll(training)
        stage.forward()
        training = client.wait(training, timeout=10)
        request = GenerationRequest(prompt=PROMPT, n=2, width=512, height=512, seed=7)
        client.cancel(client.generate(training, request))
        stage.forward()
        generation = client.generate(training, request)
        stage.forward()
        client.download(client.wait(generation, timeout=10))
        client.list_jobs("training")
        client.list_jobs("generation")
        _our_scenario_extras(client, stage, training)


# -- Novita ------------------------------------------------------------------------------------------------------------

NOVITA: Operations = {
    "upload.slot": ("POST", "/v3/assets/training_dataset"),
    "upload.put": ("PUT", "/_objects"),
    "training.start (style)": ("POST", "/v3/training/style"),
    "training.start (subject)": ("POST", "/v3/training/subject"),
    "training.poll": ("GET", "/v3/training/subject"),
    "training.list": ("GET", "/v3/training"),
    "generation.start": ("POST", "/v3/async/txt2img"),
    "generation.poll": ("GET", "/v3/async/task-result"),
    "generation.start-from-image": ("POST", "/v3/async/img2img"),
    "model.list": ("GET", "/v3/model"),
    "account.user": ("GET", "/v3/user"),
}


def novita_theirs(stage: Stage) -> None:
    sdk = novita_sdk.NovitaClient(stage.sandbox.env["NOVITA_API_KEY"], stage.sandbox.env["NOVITA_API_URI"])
    photos = [str(path) for path in PHOTOS]
    common: dict[str, Any] = {"learning_rate": 1e-4, "seed": 7, "max_train_steps": 300}
    components = [_resize(novita_sdk)]
    sdk.create_training_style(
        "cats", "v1-5-pruned-emaonly", photos, CAPTIONS, lr_scheduler="cosine", components=components, **common
    )
    subject = sdk.create_training_subject(
        "anna",
        "v1-5-pruned-emaonly",
        photos,
        instance_prompt="a close photo of ohwx woman",
        class_prompt="person",
        lora_r=16,
        components=components,
        **common,
    )
    sdk.query_training_subject_status(subject)
    stage.forward()
    lora = sdk.query_training_subject_status(subject).models[0].model_name
    sdk.list_training()
    sdk.user_info()
    sdk.query_model_v3(visibility="private", types="lora", query="anna", limit="100", source="training", is_sdxl=False)
    common = {
        "prompt": PROMPT,
        "negative_prompt": "rain",
        "image_num": 2,
        "steps": 30,
        "guidance_scale": 5.0,
        "seed": 7,
    }
    common |= {"sampler_name": "Euler a", "response_image_type": "png", "clip_skip": 2, "width": 512, "height": 512}
    common |= {"download_images": False, "callback": lambda _: stage.forward()}
    sdk.txt2img_v3(CHECKPOINT, loras=[novita_sdk.Txt2ImgV3LoRA(lora, 0.8)], **common)
    sdk.img2img_v3(CHECKPOINT, str(PHOTOS[0]), strength=0.4, loras=[novita_sdk.Img2V3ImgLoRA(lora, 0.8)], **common)
    sdk.session.close()


def _resize(sdk: Any) -> Any:
    args = [{"name": side, "value": "512"} for side in ("width", "height")]
    return sdk.proto.TrainingComponent(name="resize", args=args)


def novita_ours(stage: Stage) -> None:
    with Client("novita", **QUICK, parallel=1) as client:  # type: ignore[arg-type]
        common: dict[str, Any] = {"steps": 300, "learning_rate": 1e-4, "seed": 7}
        extra = {"novita": {"lr_scheduler": "cosine"}}
        client.train(TrainingRequest(name="cats", dataset=dataset(), kind="style", extra=extra, **common))
        person = Dataset.of(PHOTOS, trigger="ohwx", class_word="woman")
        job = client.train(TrainingRequest(name="anna", dataset=person, rank=16, **common))
        stage.forward()
        training = client.wait(job, timeout=10)
        client.list_jobs("training")
        asked: dict[str, Any] = {
            "negative_prompt": "rain",
            "n": 2,
            "width": 512,
            "height": 512,
            "steps": 30,
            "guidance": 5.0,
        }
        asked |= {"prompt": PROMPT, "seed": 7, "extra": {"novita": {"lora_strength": 0.8, "clip_skip": 2}}}
        generation = client.generate(training, GenerationRequest(**asked))
        stage.forward()
        client.wait(generation, timeout=10)
        client.generate(training, GenerationRequest(image=Image.of(PHOTOS[0]), strength=0.4, **asked))
        provider: Any = client.provider()
        client.run(provider.user())
        filters = {"visibility": "private", "source": "training", "kind": "lora", "sdxl": False, "inpainting": False}
        client.run(provider.models(query="anna", **filters))


# -- Alibaba -----------------------------------------------------------------------------------------------------------

PREFIX = "/api/v1/personalizedtxt2img"
ALIBABA: Operations = {
    "training.start": ("POST", f"{PREFIX}/addModelTrainJob"),
    "training.poll": ("GET", f"{PREFIX}/queryModelTrainStatus"),
    "training.list": ("GET", f"{PREFIX}/queryModelTrainJobList"),
    "generation.start": ("POST", f"{PREFIX}/addInferenceJob"),
    "generation.poll": ("GET", f"{PREFIX}/queryInferenceJobInfo"),
    "generation.fetch": ("GET", f"{PREFIX}/queryImageAsset"),
}


def _hosted(stage: Stage) -> list[str]:
    """URLs of the photographs, the same for both."""
    objects = stage.sandbox.world.objects
    urls = []
    for path in PHOTOS:
        objects.put("photos", path.name, path.read_bytes(), "image/jpeg")
        url = objects.presign("GET", "photos", path.name, expires=86_400)
        stage.recorder.names[url] = f"<URL of {path.name}>"
        urls.append(url)
    return urls


def alibaba_theirs(stage: Stage) -> None:
    config = alibaba_config.Config(
        access_key_id="sandbox-access-key-id",
        access_key_secret="sandbox-access-key-secret",
        endpoint=stage.sandbox.base_url.removeprefix("http://"),
        region_id="cn-shanghai",
        protocol="HTTP",
    )
    client = alibaba_sdk.Client(config)

    def call(action: str, request: str | None = None, **values: Any) -> Any:
        kind = getattr(alibaba_models, f"Personalizedtxt2img{request}Request") if request else None
        return getattr(client, f"personalizedtxt_2img_{action}")(*([kind(**values)] if kind else [])).body

    made = call(
        "add_model_train_job",
        "AddModelTrainJob",
        name="cats",
        object_type="cat",
        image_url=_hosted(stage),
        train_steps=800,
    )
    stage.forward()
    stage.recorder.names[made.data.id] = "<training>"
    model_id = call("query_model_train_job_list").data[0].model_id
    stage.recorder.names[model_id] = "<model>"
    call("query_model_train_status", "QueryModelTrainStatus", model_id=model_id)
    generation = call(
        "add_inference_job", "AddInferenceJob", model_id=model_id, prompt=TOKEN_PROMPT, image_number=2, seed=7
    ).data
    stage.recorder.names[generation.id] = "<generation>"
    stage.forward()
    done = call("query_inference_job_info", "QueryInferenceJobInfo", inference_job_id=generation.id).data
    stage.recorder.names[done.prompt_id] = "<prompt>"
    asked = {"model_id": model_id, "prompt_id": done.prompt_id, "image_id": done.result_image_url[0]}
    call("query_image_asset", "QueryImageAsset", encode_format="base64", **asked)


def alibaba_ours(stage: Stage) -> None:
    with Client("alibaba", **QUICK, parallel=1) as client:  # type: ignore[arg-type]
        photos = Dataset.of(_hosted(stage), class_word="cat")
        training = client.train(TrainingRequest(name="cats", dataset=photos, steps=800))
        stage.recorder.names[training.id] = "<training>"
        stage.sandbox.world.clock.advance(UNDER_WAY)
        training = client.poll(training)
        stage.recorder.names[str(training.raw["modelId"])] = "<model>"
        training = client.poll(training)
        stage.forward()
        training = client.wait(training, timeout=10)
        generation = client.generate(
            training, GenerationRequest(prompt="a portrait of {subject} in the snow", n=2, seed=7)
        )
        stage.recorder.names[generation.id] = "<generation>"
        stage.forward()
        generation = client.wait(generation, timeout=10)
        stage.recorder.names[str(generation.raw["promptId"])] = "<prompt>"
        client.download(generation)


# -- the comparison ----------------------------------------------------------------------------------------------------

VENDORS: dict[str, tuple[Operations, Callable[[Stage], None], Callable[[Stage], None]]] = {
    "scenario": (SCENARIO, scenario_theirs, scenario_ours),
    "novita": (NOVITA, novita_theirs, novita_ours),
    "alibaba": (ALIBABA, alibaba_theirs, alibaba_ours),
}
PAIRS = [(vendor, operation) for vendor, (operations, *_) in VENDORS.items() for operation in operations]


@pytest.fixture(scope="module")
def arrived() -> Iterator[Callable[[str], tuple[list[Seen], list[Seen]]]]:
    """What the SDK of a vendor sent, and what we sent; each vendor's job is done once by both."""
    found: dict[str, tuple[list[Seen], list[Seen]]] = {}
    with pytest.MonkeyPatch.context() as patch, Sandbox() as sandbox, tempfile.TemporaryDirectory() as home:
        patch.setenv("HOME", home)
        patch.setattr("novita_client.settings.DEFAULT_POLL_INTERVAL", 0)
        for name, value in sandbox.env.items():
            patch.setenv(name, value)

        def of(vendor: str) -> tuple[list[Seen], list[Seen]]:
            if vendor not in found:
                _, theirs, ours = VENDORS[vendor]
                found[vendor] = _sent(sandbox, theirs), _sent(sandbox, ours)
            return found[vendor]

        yield of


def _sent(sandbox: Sandbox, play: Callable[[Stage], None]) -> list[Seen]:
    sandbox.reset()
    sandbox.world.clock.freeze()
    with pytest.MonkeyPatch.context() as patch:
        stage = Stage(sandbox, Recorder(sandbox, patch))
        play(stage)
    return stage.recorder.taken()


def differences(theirs: Seen, ours: Seen) -> dict[str, tuple[object, object]]:
    """What is not the same, by where it stands: theirs and ours."""
    both = {
        where: (theirs.facts.get(where, ABSENT), ours.facts.get(where, ABSENT))
        for where in sorted(theirs.facts.keys() | ours.facts.keys())
    }
    return {where: (their, our) for where, (their, our) in both.items() if their != our}


def listed(vendor: str, operation: str) -> dict[str, tuple[object, object]]:
    return {where: (row.theirs, row.ours) for where, row in DIFFERENCES.get((vendor, operation), {}).items()}


def first(seen: list[Seen], form: tuple[str, ...], who: str) -> Seen:
    method, path, *needed = form
    found = [one for one in seen if (one.method, one.path) == (method, path) and set(needed) <= one.facts.keys()]
    assert found, f"{who} sent no {form}, but {sorted({(one.method, one.path) for one in seen})}"
    return found[0]


@pytest.mark.parametrize(("vendor", "operation"), PAIRS, ids=[f"{vendor}-{name}" for vendor, name in PAIRS])
def test_we_send_what_the_vendors_sdk_sends(
    arrived: Callable[[str], tuple[list[Seen], list[Seen]]], vendor: str, operation: str
) -> None:
    """For each operation the two requests are the same, but for what is listed with its reason and still differs."""
    theirs, ours = arrived(vendor)
    form = VENDORS[vendor][0][operation]
    found = differences(first(theirs, form, "the SDK"), first(ours, form, "we"))
    general = {where: pair for where, pair in listed(vendor, "*").items() if found.get(where) == pair}
    assert found == general | listed(vendor, operation)


def test_every_listed_difference_is_of_an_operation_that_is_compared() -> None:
    """The list names no other operation, and gives a reason for each row."""
    known = {*PAIRS, *((vendor, "*") for vendor in VENDORS)}
    assert set(DIFFERENCES) <= known
    assert all(row.why.strip() for rows in DIFFERENCES.values() for row in rows.values())


def test_what_differs_everywhere_still_differs_somewhere(
    arrived: Callable[[str], tuple[list[Seen], list[Seen]]],
) -> None:
    """A difference that is listed for all operations of a vendor occurs in one of them at least."""
    for vendor, (operations, *_) in VENDORS.items():
        theirs, ours = arrived(vendor)
        pairs = [(first(theirs, form, "the SDK"), first(ours, form, "we")) for form in operations.values()]
        found = [item for pair in pairs for item in differences(*pair).items()]
        assert all(item in found for item in listed(vendor, "*").items())
