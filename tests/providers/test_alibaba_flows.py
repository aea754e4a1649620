"""The provider's flows, driven by hand: what is sent, and what is made of the answers."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from unified_train import (
    AuthenticationError,
    Dataset,
    DatasetError,
    Effect,
    GeneratedImage,
    GenerationRequest,
    Image,
    InvalidOptions,
    Job,
    Lost,
    MalformedResponse,
    MissingCredentials,
    NotFound,
    Request,
    Response,
    Snapshot,
    Status,
    SubmissionUncertain,
    TrainedModel,
    TrainingRequest,
    UnsupportedCapability,
    UploadedImage,
)
from unified_train_alibaba import refusals, status, unified_train_providers
from unified_train_alibaba.options import AlibabaGeneration, AlibabaSettings, AlibabaTraining
from unified_train_alibaba.provider import TOKEN, Alibaba

if TYPE_CHECKING:
    from unified_train import Flow

T = TypeVar("T")
_API = "https://aicontent.aliyuncs.com/api/v1/personalizedtxt2img"
_PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"
_MODEL_ID = "panda_42acd200-c8b6-11ef-9c11-0242ac120002"
_NOW = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
_KEYS = {"access_key_id": "id", "access_key_secret": "secret"}
_PENDING = {"id": "71", "name": "panda-1", "objectType": "panda", "jobStatus": "NOT_START", "inferenceJobList": None}
_FINISHED = {**_PENDING, "modelId": _MODEL_ID, "jobStatus": "FINISHED", "createTime": "2025-01-02T11:04:05.0598209"}
_MADE = {"id": 181, "promptId": "p-1", "modelId": _MODEL_ID, "jobStatus": "FINISHED", "jobTrainProgress": 1.0}
_PICTURES = {**_MADE, "resultImageUrl": ["0000.png", "0001.png"], "createTime": "2025-01-02T11:40:01"}


@pytest.fixture
def provider() -> Alibaba:
    return Alibaba(AlibabaSettings.model_validate(_KEYS))


def _first(flow: Flow[Any]) -> Request:
    """What a flow sends first."""
    return next(flow)


def _answered(flow: Flow[T], *answers: object) -> tuple[list[Request], T]:
    """Run a flow to its end on these answers, and return what it sent and its result."""
    sent: list[Request] = []
    try:
        request = next(flow)
        for answer in answers:
            sent.append(request)
            request = flow.throw(answer) if isinstance(answer, Exception) else flow.send(_response(request, answer))
    except StopIteration as stop:
        result: T = stop.value
        return sent, result
    raise AssertionError(f"the flow wants more: {request}")


def _response(request: Request, answer: object) -> Response:
    content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return Response(request, 200, {}, content)


def _accepted(data: object) -> dict[str, Any]:
    return {"success": True, "errCode": None, "errMessage": None, "requestId": "r", "data": data}


def _dataset(**words: str) -> Dataset:
    images = [UploadedImage(provider="alibaba", id=f"https://img.example.com/{at}.jpg", name=f"{at}") for at in "123"]
    return Dataset.model_validate({"images": images, **words})


def _training(**known: Any) -> Job:
    return Job.model_validate({"provider": "alibaba", "kind": "training", "id": "71", **known})


def _generation(**known: Any) -> Job:
    return Job.model_validate({"provider": "alibaba", "kind": "generation", "id": "181", **known})


def _body(request: Request) -> Any:
    assert request.body is not None
    return json.loads(request.body.read())


def _model(model_id: str = _MODEL_ID) -> TrainedModel:
    return TrainedModel(provider="alibaba", id=model_id)


def test_the_tables_are_those_that_count(provider: Alibaba) -> None:
    """The provider shows the very tables that its answers are read with."""
    assert (provider.status_tables, provider.error_tables) == ((status.JOB,), (refusals.CODES,))


def test_the_clock_is_blamed_for_expired_dates_only(provider: Alibaba) -> None:
    """Only a date that is off is worth a repeat with the server's time, not one in a wrong form."""
    codes = ("InvalidTimeStamp.Expired", "InvalidTimeStamp.Format", None)
    assert [provider.clock_is_wrong(AuthenticationError("no", code=code)) for code in codes] == [True, False, False]


def test_the_plugin_offers_its_class() -> None:
    """The hook names the one provider class."""
    assert unified_train_providers() == [Alibaba]


# -- settings ---------------------------------------------------------------------------------------------------------


def test_settings_come_from_the_vendors_own_variables() -> None:
    """Key, secret, token and address are read from the environment."""
    settings = AlibabaSettings.from_env(
        {
            "ALIBABA_CLOUD_ACCESS_KEY_ID": "i",
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "s",
            "ALIBABA_CLOUD_SECURITY_TOKEN": "t",
            "UNIFIED_TRAIN_ALIBABA_BASE_URL": "http://127.0.0.1:9/",
        }
    )
    assert settings.security_token is not None
    assert settings.security_token.get_secret_value() == "t"
    assert Alibaba(settings).base_url == "http://127.0.0.1:9"


def test_missing_keys_are_named() -> None:
    """Without a key the variable to set is named; without any choice the host is Shanghai's."""
    with pytest.raises(MissingCredentials, match="ALIBABA_CLOUD_ACCESS_KEY_SECRET"):
        AlibabaSettings.from_env({"ALIBABA_CLOUD_ACCESS_KEY_ID": "i"})
    assert AlibabaSettings.model_validate(_KEYS).base_url == "https://aicontent.aliyuncs.com"


def test_secrets_are_not_shown() -> None:
    """Neither id nor secret appears in the settings' text."""
    shown = repr(AlibabaSettings.model_validate({"access_key_id": "visible-id", "access_key_secret": "visible-secret"}))
    assert "visible" not in shown


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("cn-shanghai", "https://aicontent.aliyuncs.com"),
        ("cn-beijing", "https://aicontent.cn-beijing.aliyuncs.com"),
        ("cn-hangzhou", "https://aicontent.cn-hangzhou.aliyuncs.com"),
    ],
)
def test_a_region_has_a_host(region: str, host: str) -> None:
    """The region, given or in the vendor's variable, decides which host is spoken to."""
    keys = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "i", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "s"}
    given = AlibabaSettings.model_validate({**_KEYS, "region": region})
    found = AlibabaSettings.from_env({**keys, "ALIBABA_CLOUD_REGION_ID": region})
    for settings in (given, found):
        assert (settings.region, Alibaba(settings).base_url) == (region, host)
    other = {"ALIBABA_CLOUD_REGION_ID": "cn-shanghai", "UNIFIED_TRAIN_ALIBABA_REGION": "cn-beijing"}
    assert AlibabaSettings.from_env({**keys, **other}, region=region).base_url == host


def test_a_base_url_wins_over_a_region() -> None:
    """An explicit address counts whatever the region, which may be one of another product's."""
    for region in ("cn-beijing", "us-west-1"):
        settings = AlibabaSettings.model_validate({**_KEYS, "region": region, "base_url": "http://127.0.0.1:9"})
        assert (settings.base_url, settings.region) == ("http://127.0.0.1:9", region)


def test_a_region_without_a_host() -> None:
    """A region for which no host is known is refused with those that there are, instead of a guessed host."""
    with pytest.raises(InvalidOptions, match=r"cn-shanghai, cn-beijing, cn-hangzhou is 'us-west-1'"):
        AlibabaSettings.model_validate({**_KEYS, "region": "us-west-1"})


# -- images -----------------------------------------------------------------------------------------------------------


def test_a_url_passes_through(provider: Alibaba) -> None:
    """An image that is a URL needs no request at all."""
    sent, uploaded = _answered(provider.upload(Image.of("https://img.example.com/a.jpg?x=1", caption="a cat")))
    assert sent == []
    assert (uploaded.id, uploaded.caption, uploaded.sha256) == ("https://img.example.com/a.jpg?x=1", "a cat", None)


def test_only_urls_are_passed_on(provider: Alibaba) -> None:
    """What has no URL is refused without a request, since the vendor takes nothing else."""
    with pytest.raises(UnsupportedCapability, match="public URL"):
        _answered(provider.upload(Image.of(_PNG)))


def test_other_kinds_of_images_are_refused(provider: Alibaba) -> None:
    """A GIF is refused by its header, since the vendor's samples show photographs only."""
    provider.check_image(Image.of(_PNG))
    with pytest.raises(DatasetError, match="gif"):
        provider.check_image(Image.of(b"GIF89a\x01\x00\x01\x00" + bytes(20)))


# -- training ---------------------------------------------------------------------------------------------------------


def test_start(provider: Alibaba) -> None:
    """A training is one paid POST; its answer has a job id, a status word and no model."""
    request = TrainingRequest(name="熊猫-1", dataset=_dataset(class_word="panda", trigger="ohwx"), steps=800)
    [post], snapshot = _answered(provider.start(request, AlibabaTraining()), _accepted(_PENDING))
    assert (post.method, post.url, post.effect, post.signed) == ("POST", f"{_API}/addModelTrainJob", Effect.PAY, True)
    assert post.headers["x-acs-action"] == "Personalizedtxt2imgAddModelTrainJob"
    assert _body(post) == {
        "name": "熊猫-1",
        "objectType": "panda",
        "imageUrl": [f"https://img.example.com/{at}.jpg" for at in "123"],
        "trainSteps": 800,
    }
    assert (snapshot.id, snapshot.status, snapshot.raw_status, snapshot.model) == (
        "71",
        Status.QUEUED,
        "NOT_START",
        None,
    )
    [note] = snapshot.notes
    assert "ohwx" in note


def test_start_leaves_out_what_was_not_asked(provider: Alibaba) -> None:
    """Steps are sent only if they were given; the option object_type has the last word; few images are noted."""
    few = Dataset.model_validate({"images": _dataset().images[:1], "class_word": "panda"})
    request = TrainingRequest(name="x", dataset=few)
    options = AlibabaTraining(object_type="dog")
    [post], snapshot = _answered(provider.start(request, options), _accepted({**_PENDING, "id": 71}))
    assert set(_body(post)) == {"name", "objectType", "imageUrl"}
    assert _body(post)["objectType"] == "dog"
    assert snapshot.id == "71"
    assert "few" in snapshot.notes[0]


@pytest.mark.parametrize("answer", [_accepted(None), _accepted([]), _accepted({"name": "x"}), b"<html>", b"", []])
def test_an_accepted_training_without_an_id_is_uncertain(provider: Alibaba, answer: object) -> None:
    """An answer that neither refuses nor names a job leaves open whether it was paid for, and says so."""
    flow = provider.start(TrainingRequest(name="x", dataset=_dataset(class_word="cat")), AlibabaTraining())
    with pytest.raises(SubmissionUncertain, match="named no job") as caught:
        _answered(flow, answer)
    assert (caught.value.provider, caught.value.operation) == ("alibaba", "training.start")


@pytest.mark.parametrize("word", [None, "two words", "熊猫", "9lives"])
def test_the_class_word_must_be_one_english_word(provider: Alibaba, word: str | None) -> None:
    """What the photos show must be said in one English word, and the refusal says where."""
    request = TrainingRequest(name="x", dataset=_dataset(**({"class_word": word} if word else {})))
    with pytest.raises(InvalidOptions, match="class_word"):
        provider.check_training(request, AlibabaTraining())
    provider.check_training(request, AlibabaTraining(object_type="Guinea-pig"))


def test_poll_by_reference(provider: Alibaba) -> None:
    """A job known by its id alone is found in the list, with model, name and time."""
    [get], snapshot = _answered(provider.poll(_training()), _accepted([{"id": 70}, _FINISHED]))
    assert (get.method, get.url, dict(get.query)) == ("GET", f"{_API}/queryModelTrainJobList", {})
    assert get.headers["x-acs-action"] == "Personalizedtxt2imgQueryModelTrainJobList"
    assert (snapshot.status, snapshot.raw_status, snapshot.progress) == (Status.SUCCEEDED, "FINISHED", 1.0)
    assert snapshot.model == TrainedModel(provider="alibaba", id=_MODEL_ID, name="panda-1", class_word="panda")
    assert snapshot.created_at == datetime(2025, 1, 2, 3, 4, 5, 59820, UTC)
    assert snapshot.name == "panda-1"


def test_the_model_keeps_what_the_user_called_it(provider: Alibaba) -> None:
    """Name, trigger and class word that are known of the job go on its model."""
    job = _training(name="mine", trigger="ohwx", class_word="bear")
    _, snapshot = _answered(provider.poll(job), _accepted([_FINISHED]))
    assert snapshot.model is not None
    assert (snapshot.model.name, snapshot.model.trigger, snapshot.model.class_word) == ("mine", "ohwx", "bear")


def test_polls_take_turns(provider: Alibaba) -> None:
    """Once the model id is known, status and list are asked in turn, and progress stays in between."""
    running = {**_FINISHED, "jobStatus": "TRAINING", "jobTrainProgress": 0.4}
    _, seen = _answered(provider.poll(_training()), _accepted([running]))
    assert (seen.status, seen.progress, seen.model) == (Status.RUNNING, 0.4, None)
    [get], word = _answered(provider.poll(_training(raw=seen.raw)), _accepted({"modelTrainStatus": "TRAINING"}))
    assert get.url_with_query == f"{_API}/queryModelTrainStatus?modelId={_MODEL_ID}"
    assert get.headers["x-acs-action"] == "Personalizedtxt2imgQueryModelTrainStatus"
    assert (word.status, word.raw_status, word.progress) == (Status.RUNNING, "TRAINING", 0.4)
    [get], again = _answered(provider.poll(_training(raw=word.raw)), _accepted([running]))
    assert get.url.endswith("/queryModelTrainJobList")
    assert again == seen


def test_the_status_operation_ends_a_training(provider: Alibaba) -> None:
    """FINISHED from the status operation is enough for a usable model."""
    raw = {**_FINISHED, "jobStatus": "TRAINING"}
    _, snapshot = _answered(provider.poll(_training(raw=raw)), _accepted({"modelTrainStatus": "FINISHED"}))
    assert (snapshot.status, snapshot.progress) == (Status.SUCCEEDED, 1.0)
    assert snapshot.model is not None
    assert snapshot.model.id == _MODEL_ID


@pytest.mark.parametrize("data", [None, [], {}, {"modelTrainStatus": None}])
def test_a_status_without_a_word_is_unknown(provider: Alibaba, data: object) -> None:
    """A status answer that says nothing leaves the status unknown and ends nothing."""
    _, snapshot = _answered(provider.poll(_training(raw=_FINISHED)), _accepted(data))
    assert (snapshot.status, snapshot.raw_status, snapshot.model) == (Status.UNKNOWN, None, None)


def test_the_list_is_trusted_more_than_the_status(provider: Alibaba) -> None:
    """If the status operation does not know the model, the list decides."""
    missing = NotFound("no", code="B_MODEL_TRAIN_JOB_NOT_EXIST")
    sent, snapshot = _answered(provider.poll(_training(raw=_FINISHED)), missing, _accepted([_FINISHED]))
    assert len(sent) == 2
    assert snapshot.status is Status.SUCCEEDED


def test_a_finished_training_without_a_model_id_still_runs(provider: Alibaba) -> None:
    """FINISHED without a model id can't be used, so it does not count as succeeded yet."""
    _, snapshot = _answered(provider.poll(_training()), _accepted([{**_PENDING, "jobStatus": "FINISHED"}]))
    assert (snapshot.status, snapshot.raw_status, snapshot.model) == (Status.RUNNING, "FINISHED", None)
    assert snapshot.phase is not None


@pytest.mark.parametrize("word", ["OOM", "WRONG_IMAGE_URL", "TRAINING_TERMINATED"])
def test_failures(provider: Alibaba, word: str) -> None:
    """A failed training has its word as the reason, and no progress or model."""
    failed = {**_FINISHED, "jobStatus": word, "jobTrainProgress": 0.5}
    _, snapshot = _answered(provider.poll(_training()), _accepted([failed]))
    assert (snapshot.status, snapshot.progress, snapshot.model) == (Status.FAILED, None, None)
    assert snapshot.error is not None
    assert snapshot.error.code == word


def test_unknown_words_stay_visible(provider: Alibaba) -> None:
    """A word that nobody has heard of is unknown, verbatim."""
    _, snapshot = _answered(provider.poll(_training()), _accepted([{**_FINISHED, "jobStatus": "Polishing"}]))
    assert (snapshot.status, snapshot.raw_status) == (Status.UNKNOWN, "Polishing")


def test_a_young_job_may_be_missing_from_the_list(provider: Alibaba) -> None:
    """A list that lags behind does not lose a job that was made a moment ago."""
    times = {"created_at": _NOW, "updated_at": _NOW + timedelta(seconds=30)}
    job = _training(status="queued", raw_status="NOT_START", raw=_PENDING, **times)
    _, snapshot = _answered(provider.poll(job), _accepted([]))
    assert snapshot == Snapshot(id="71", status=Status.QUEUED, raw_status="NOT_START", raw=_PENDING)


@pytest.mark.parametrize("age", [None, 3600])
def test_a_job_that_is_not_listed_is_not_found(provider: Alibaba, age: int | None) -> None:
    """A bare reference, or an older job, that the list does not have is an error."""
    known = {} if age is None else {"created_at": _NOW, "updated_at": _NOW + timedelta(seconds=age), "raw": _PENDING}
    with pytest.raises(NotFound, match="71"):
        _answered(provider.poll(_training(**known)), _accepted([{"id": "7"}]))


# -- generation -------------------------------------------------------------------------------------------------------


def test_generate(provider: Alibaba) -> None:
    """A generation is one paid POST with the number of images always in it."""
    request = GenerationRequest(prompt=f"a photo of a {TOKEN}", n=2, seed=42)
    made = {**_MADE, "jobStatus": "NOT_START", "jobTrainProgress": None}
    [post], snapshot = _answered(provider.generate(_model(), request, AlibabaGeneration()), _accepted(made))
    assert (post.url, post.effect) == (f"{_API}/addInferenceJob", Effect.PAY)
    assert post.headers["x-acs-action"] == "Personalizedtxt2imgAddInferenceJob"
    assert _body(post) == {"modelId": _MODEL_ID, "prompt": request.prompt, "imageNumber": 2, "seed": 42}
    assert b"<special-token>" in (post.body.read() if post.body else b"")
    assert (snapshot.id, snapshot.status, snapshot.images) == ("181", Status.QUEUED, ())


def test_no_seed_is_sent_unless_given(provider: Alibaba) -> None:
    """Without a seed none is sent, and the vendor picks one; an answer without an id is uncertain."""
    flow = provider.generate(_model(), GenerationRequest(prompt="x"), AlibabaGeneration())
    assert _body(_first(flow)) == {"modelId": _MODEL_ID, "prompt": "x", "imageNumber": 1}
    flow = provider.generate(_model(), GenerationRequest(prompt="x"), AlibabaGeneration())
    with pytest.raises(SubmissionUncertain):
        _answered(flow, _accepted({}))


def test_a_job_id_is_no_model(provider: Alibaba) -> None:
    """The number of a training job in place of a model id is refused before anything is sent."""
    request = GenerationRequest(prompt="x")
    with pytest.raises(InvalidOptions, match="71"):
        provider.check_generation(_model("71"), request, AlibabaGeneration())
    provider.check_generation(_model(), request, AlibabaGeneration())


def test_the_subject_is_the_vendors_token(provider: Alibaba) -> None:
    """A prompt calls the trained thing by the vendor's token, and by nothing else."""
    named = _model().model_copy(update={"trigger": "ohwx"})
    assert provider.subject(named) == "<special-token>"
    assert provider.addresses_subject(named, "a <special-token> in snow")
    assert not provider.addresses_subject(named, "an ohwx cat")


def test_poll_generation(provider: Alibaba) -> None:
    """A finished generation has one picture for each file name."""
    [get], snapshot = _answered(provider.poll(_generation()), _accepted(_PICTURES))
    assert get.url_with_query == f"{_API}/queryInferenceJobInfo?inferenceJobId=181"
    assert get.headers["x-acs-action"] == "Personalizedtxt2imgQueryInferenceJobInfo"
    assert (snapshot.status, snapshot.progress) == (Status.SUCCEEDED, 1.0)
    assert snapshot.images == tuple(
        GeneratedImage(id=name, media_type="image/png") for name in ("0000.png", "0001.png")
    )


def test_a_generation_in_progress(provider: Alibaba) -> None:
    """While it runs there is progress and no picture, even where the list of names is there already."""
    running = {**_PICTURES, "jobStatus": "INFERRING", "jobTrainProgress": 0.5}
    _, snapshot = _answered(provider.poll(_generation()), _accepted(running))
    assert (snapshot.status, snapshot.progress, snapshot.images) == (Status.RUNNING, 0.5, ())


@pytest.mark.parametrize("results", [None, []])
def test_finished_without_pictures_is_a_failure(provider: Alibaba, results: object) -> None:
    """FINISHED with nothing to show has failed, with a code of its own."""
    _, snapshot = _answered(provider.poll(_generation()), _accepted({**_MADE, "resultImageUrl": results}))
    assert (snapshot.status, snapshot.raw_status) == (Status.FAILED, "FINISHED")
    assert snapshot.error is not None
    assert snapshot.error.code == "empty_result"


def test_results_that_are_urls_are_not_shown(provider: Alibaba) -> None:
    """Should results be URLs after all, pictures are named by their position, since URLs may be secrets."""
    urls = ["https://oss.example.com/a.jpg?Signature=s", "HTTPS://oss.example.com/b"]
    _, snapshot = _answered(provider.poll(_generation()), _accepted({**_MADE, "resultImageUrl": urls}))
    assert snapshot.images == (GeneratedImage(id="0000", media_type="image/jpeg"), GeneratedImage(id="0001"))


@pytest.mark.parametrize("known", [True, False])
def test_fetch(provider: Alibaba, known: bool) -> None:
    """A picture is asked for by model, prompt and file name; these are asked for first where they are not known."""
    answers: list[object] = [] if known else [_accepted(_PICTURES)]
    flow = provider.fetch(_generation(raw=_PICTURES if known else {}), GeneratedImage(id="0001.png"))
    sent, data = _answered(flow, *answers, b64encode(_PNG).decode())
    assert data == _PNG
    assert len(sent) == 1 + len(answers)
    assert sent[-1].url == f"{_API}/queryImageAsset"
    assert sent[-1].headers["x-acs-action"] == "Personalizedtxt2imgQueryImageAsset"
    assert dict(sent[-1].query) == {
        "encodeFormat": "base64",
        "imageId": "0001.png",
        "modelId": _MODEL_ID,
        "promptId": "p-1",
    }


def test_fetch_by_url(provider: Alibaba) -> None:
    """A result that is a URL is asked for anew and downloaded without credentials."""
    stored = {**_MADE, "resultImageUrl": ["https://oss.example.com/a.png?Signature=***"]}
    fresh = {**_MADE, "resultImageUrl": ["https://oss.example.com/a.png?Signature=new"]}
    flow = provider.fetch(_generation(raw=stored), GeneratedImage(id="0000"))
    sent, data = _answered(flow, _accepted(fresh), _PNG)
    assert data == _PNG
    assert (sent[1].url, sent[1].signed) == ("https://oss.example.com/a.png?Signature=new", False)


def test_fetch_of_nothing(provider: Alibaba) -> None:
    """A picture that the generation does not have is not found; an answer that is none is malformed."""
    with pytest.raises(NotFound, match=r"0007\.png"):
        _answered(provider.fetch(_generation(raw=_PICTURES), GeneratedImage(id="0007.png")))
    with pytest.raises(MalformedResponse):
        _answered(provider.fetch(_generation(raw=_PICTURES), GeneratedImage(id="0000.png")), b"nothing")


# -- lists ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "ids"),
    [
        ([{**_PENDING, "name": "cats-utabcdefghijkl"}, _FINISHED], ["71"]),
        ([], []),
        ([_PENDING], []),
        ([_PENDING, "?"], None),
        ([{**_PENDING, "id": None, "name": "cats-utabcdefghijkl"}], None),
    ],
)
def test_what_the_list_leaves_open(provider: Alibaba, data: list[Any], ids: list[str] | None) -> None:
    """A training is found by its name; a list with something that can't be read does not prove that it is not there."""
    start = Request("POST", f"{_API}/addModelTrainJob", "training.start", effect=Effect.PAY)
    lost = Lost(start, "training", "utabcdefghijkl", _NOW)
    _, found = _answered(provider.find(lost), _accepted(data))
    assert (None if found is None else [one.id for one in found]) == ids


def test_list_of_trainings(provider: Alibaba) -> None:
    """Trainings are listed newest first, those without a time last and those without an id not at all."""
    data = [
        {"id": 1, "jobStatus": "OOM"},
        {**_FINISHED, "id": 2, "createTime": "2025-01-01T00:00:00"},
        {"name": "no id"},
        {**_FINISHED, "id": 3},
    ]
    [get], snapshots = _answered(provider.list_jobs("training"), _accepted(data))
    assert (get.url, get.effect) == (f"{_API}/queryModelTrainJobList", Effect.READ)
    assert [snapshot.id for snapshot in snapshots] == ["3", "2", "1"]
    assert snapshots[0].model == TrainedModel(provider="alibaba", id=_MODEL_ID, name="panda-1", class_word="panda")


def test_list_of_generations(provider: Alibaba) -> None:
    """Generations are those nested in the trainings."""
    data = [{**_FINISHED, "inferenceJobList": [_PICTURES, None, {"jobStatus": "OOM"}]}, _PENDING]
    _, snapshots = _answered(provider.list_jobs("generation"), _accepted(data))
    assert [(snapshot.id, len(snapshot.images)) for snapshot in snapshots] == [("181", 2)]
