"""Whatever a vendor answers, a flow ends in a value or in an error that it is said to raise; and what is over stays so.

The answers are those of the sandbox, with parts missing, null, of another type, with unknown words and further fields.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest
from conftest import QUICK, VENDORS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unified_train import (
    AnyProvider,
    ApiError,
    Client,
    Dataset,
    GenerationRequest,
    Job,
    Request,
    Response,
    Snapshot,
    Status,
    SubmissionUncertain,
    TrainingRequest,
    UnifiedTrainError,
    UploadedImage,
    plugins,
)
from unified_train.jobs import advanced
from unified_train.sandbox import Sandbox
from unified_train.testing.rehearsal import ABSENT, Exhausted, Scene, altered, answer, in_order, observed, paths, played

NOW = datetime(2026, 1, 2, tzinfo=UTC)
MAY_RAISE: dict[str, tuple[type[Exception], ...]] = {
    "upload": (ApiError, Exhausted),
    "start": (ApiError, SubmissionUncertain, Exhausted),
    "generate": (UnifiedTrainError, Exhausted),  # what the vendor says of its model may rule the request out
    "poll": (ApiError, Exhausted),
    "fetch": (ApiError, Exhausted),
    "cancel": (ApiError, Exhausted),
    "list_jobs": (ApiError, Exhausted),
}
"""Besides a value, what the documentation of each operation says; `Exhausted` ends one that asks on and on."""
SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)
often = settings(max_examples=100, deadline=None, database=None, suppress_health_check=SLOW)
every_vendor = pytest.mark.parametrize("vendor", VENDORS)

Talk = tuple[AnyProvider, list[Scene]]
_talks: dict[str, Talk] = {}


@pytest.fixture
def talk(vendor: str, sandbox: Sandbox, photos: Dataset) -> Talk:
    """A provider, and everything that was once said in a whole job with it."""
    if vendor not in _talks:
        sandbox.world.clock.freeze()
        kind = plugins.load(vendor)
        provider, scenes = kind(kind.Settings.from_env(os.environ)), list[Scene]()
        with Client(observed(provider, scenes), **QUICK) as client:  # type: ignore[arg-type]
            _talked(client, photos.model_copy(update={"images": photos.images[:2]}), sandbox.world.clock.advance)
        _talks[vendor] = provider, [scene for scene in scenes if scene.exchanges]
    return _talks[vendor]


def _talked(client: Client, photos: Dataset, advance: Callable[[float], None]) -> None:
    training = client.train(TrainingRequest(name="cats", dataset=photos))
    for _ in range(30):
        training = client.poll(training)
        advance(60)
    training = client.wait(training, timeout=5)
    client.poll(training.reference)
    generation = client.poll(client.generate(training, GenerationRequest(prompt="{subject}", n=2)))
    advance(600)
    generation = client.wait(generation, timeout=5)
    client.poll(generation.reference)
    client.download(generation)
    able = client.capabilities()
    for kind, part in (("training", able.training), ("generation", able.generation)):
        if part.list:
            client.list_jobs(kind)  # type: ignore[arg-type]
    if able.training.cancel:
        client.cancel(client.train(TrainingRequest(name="cats", dataset=photos)))


# -- answers that nobody promised --------------------------------------------------------------------------------------

leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
anything = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=6
)


def _other(draw: Any, value: Any) -> Any:
    """Something else for a part of an answer, near to it or far from it."""
    near: list[Any] = [ABSENT, None, [value], {"value": value}]
    if isinstance(value, bool | int | float):
        near += [str(value), -value, value * 1000, float(value)]
    if isinstance(value, str):
        near += ["", value.upper(), f" {value} ", f"{value}-NEW"]
    if isinstance(value, list):
        near += [[], [*value, None], value * 2]
    if isinstance(value, dict):
        near += [{}, value | {"aNewField": 1}, [*value]]
    return draw(st.sampled_from(near) | anything)


@st.composite
def spoiling(draw: Any, value: Any) -> Any:
    """An answer with one to three of its parts changed."""
    for _ in range(draw(st.integers(1, 3))):
        places = list(paths(value))
        if not places:
            return draw(anything)
        place = draw(st.sampled_from(places))
        part: Any = value
        for key in place:
            part = part[key]
        other = _other(draw, part)
        value = altered(value, place, None if other is ABSENT and isinstance(place[-1], int) else other)
    return value


def _forms(scenes: Sequence[Scene]) -> list[Scene]:
    """One scene of each form, since polls of one job differ in little."""
    forms: dict[object, Scene] = {}
    for scene in scenes:
        kind = getattr(scene.arguments[0], "kind", scene.arguments[0] if isinstance(scene.arguments[0], str) else "")
        path = tuple(urlsplit(exchange.request.url).path.rpartition("/")[0] for exchange in scene.exchanges[:3])
        words = {str(value) for exchange in scene.exchanges for value in _texts(exchange.json) if value.isupper()}
        forms.setdefault((scene.verb, kind, path, frozenset(words) if scene.verb == "poll" else ""), scene)
    return list(forms.values())


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for item in inner for text in _texts(item)]


def _is_value(verb: str, value: object) -> bool:
    """Whether an operation may return this."""
    kinds: dict[str, type[object]] = {"upload": UploadedImage, "fetch": bytes}
    if verb == "list_jobs":
        return isinstance(value, list | tuple) and all(isinstance(item, Snapshot) for item in value)
    return isinstance(value, kinds.get(verb, Snapshot))


def _ends_well(provider: AnyProvider, scene: Scene, answers: list[Any]) -> None:
    try:
        value = played(provider, scene.again(provider), in_order(answers))
    except MAY_RAISE[scene.verb]:
        return
    assert _is_value(scene.verb, value)
    if scene.verb == "poll" and isinstance(value, Snapshot):
        job = advanced(scene.arguments[0], value, NOW)
        assert Job.model_validate_json(job.model_dump_json()).reference == job.reference


@every_vendor
def test_a_spoilt_answer_ends_in_a_value_or_a_documented_error(vendor: str, talk: Talk) -> None:
    """Whichever parts of one answer of a conversation are changed, no other exception comes out of any operation."""
    provider, scenes = talk
    forms = _forms(scenes)

    @often
    @given(st.data())
    def attempt(data: st.DataObject) -> None:
        scene = data.draw(st.sampled_from(forms))
        place = data.draw(st.integers(0, len(scene.exchanges) - 1))
        answers: list[Any] = [exchange.heard for exchange in scene.exchanges]
        answers[place] = data.draw(spoiling(scene.exchanges[place].json))
        _ends_well(provider, scene, answers)

    attempt()


@every_vendor
def test_any_bytes_end_in_a_value_or_a_documented_error(vendor: str, talk: Talk) -> None:
    """Whatever bytes come as the answer, with whatever status, no other exception comes out of any operation."""
    provider, scenes = talk
    forms = _forms(scenes)

    @often
    @given(st.sampled_from(forms), st.binary(max_size=20) | anything, st.sampled_from([200, 201, 204, 299, 400, 500]))
    def attempt(scene: Scene, body: Any, status: int) -> None:
        def answering(request: Request) -> Response:
            return answer(request, body, status)

        try:
            value = played(provider, scene.again(provider), answering)
        except MAY_RAISE[scene.verb]:
            return
        assert _is_value(scene.verb, value)

    attempt()


@every_vendor
def test_a_webhook_of_anything_is_a_job_or_an_error(vendor: str, talk: Talk) -> None:
    """Whatever is posted to a webhook's address, it is read as a job that is not believed, or refused by name."""
    provider, _ = talk

    @often
    @given(st.binary(max_size=20) | anything)
    def attempt(body: Any) -> None:
        content = body if isinstance(body, bytes) else answer(Request("POST", "http://x.test", "x"), body).content
        try:
            kind, snapshot = provider.read_webhook({"content-type": "application/json"}, content)
        except UnifiedTrainError:
            return
        assert kind in ("training", "generation")
        assert isinstance(snapshot, Snapshot)

    attempt()


# -- sequences of words ------------------------------------------------------------------------------------------------


def _reworded(value: Any, known: set[str], word: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {name: _reworded(item, known, word) for name, item in value.items()}
    if isinstance(value, list):
        return [_reworded(item, known, word) for item in value]
    return word(value) if isinstance(value, str) and value.casefold() in known else value


def _same_path(scenes: Sequence[Scene], word: Callable[[str], str], known: set[str]) -> Callable[[Request], Response]:
    """Answers by path, the last that was heard there, with other status words in it."""
    heard = {urlsplit(each.request.url).path: each.json for scene in scenes for each in scene.exchanges}

    def answering(request: Request) -> Response:
        path = urlsplit(request.url).path
        if path not in heard:
            raise Exhausted
        return answer(request, _reworded(heard[path], known, word))

    return answering


@every_vendor
@pytest.mark.parametrize("kind", ["training", "generation"])
def test_no_sequence_of_words_reopens_a_finished_job(vendor: str, kind: str, talk: Talk) -> None:
    """Whatever words a vendor says one after the other, its own or others, the first end that is seen stays."""
    provider, scenes = talk
    polls = [scene for scene in scenes if scene.verb == "poll" and scene.arguments[0].kind == kind]
    words = [word for table in provider.status_tables for word, _ in table]
    known = {word.casefold() for word in words}
    reference = polls[-1].arguments[0].reference
    ends: set[Status] = set()

    @often
    @given(st.lists(st.none() | st.lists(st.sampled_from(words) | st.text(), min_size=3, max_size=3), min_size=1))
    def attempt(sequence: list[list[str] | None]) -> None:
        job, end = Job.from_reference(reference), None
        for number, said in enumerate(sequence):
            word = partial(_one_of, said) if said else str
            try:
                seen = played(provider, provider.poll(job), _same_path(polls, word, known))
            except (ApiError, Exhausted):
                continue
            job = advanced(job, seen, NOW + timedelta(minutes=number))
            end = end or (job if job.finished else None)
            assert end is None or job == end
            assert sum(change.status.finished for change in job.history) <= 1
        ends.add(job.status)

    attempt()
    assert Status.SUCCEEDED in ends
    assert len(ends) > 1


def _one_of(said: list[str], word: str) -> str:
    """The same word for the same word."""
    return said[len(word) % len(said)]
