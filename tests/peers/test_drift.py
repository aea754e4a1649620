"""Words that the vendors' SDKs list and our tables lack; an update of an SDK is often the first news of one."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections import defaultdict
from collections.abc import Iterator
from enum import Enum
from functools import cache
from types import ModuleType
from typing import Any, Literal, get_args, get_origin

import pytest

from unified_train import Status, StatusTable, plugins

scenario_types: Any = pytest.importorskip("scenario_sdk.types", reason="the vendors' SDKs are not installed")
novita: Any = pytest.importorskip("novita_client.proto", reason="the vendors' SDKs are not installed")
alibaba: Any = pytest.importorskip("alibabacloud_aicontent20240611.models", reason="the SDKs are not installed")

SCENARIO = {
    ("Job", "status"): "job.status",
    ("JobStatusHistory", "status"): "job.status",
    ("Model", "status"): "model.status",
    ("ModelTrainingProgress", "stage"): "model.trainingProgress.stage",
    ("Upload", "status"): "upload.status",
    ("Asset", "status"): "asset.status",
}
"""Classes of the SDK and their fields, and the table of ours that reads the field."""


def table(slug: str, name: str) -> StatusTable:
    return next(table for table in plugins.load(slug).status_tables if table.name == name)


def missing(known: StatusTable, words: set[str]) -> set[str]:
    listed = {word.casefold() for word, _ in known}
    return {word for word in words if word.casefold() not in listed}


def modules(package: Any) -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        yield importlib.import_module(found.name)


def literals(annotation: Any) -> set[str]:
    """The words of a Literal, wherever it is nested."""
    if get_origin(annotation) is Literal:
        return set(get_args(annotation))
    return {word for inner in get_args(annotation) for word in literals(inner)}


@cache
def scenario_words() -> dict[str, set[str]]:
    """All words of each field, of all answers in which the SDK has such a class."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for module in modules(scenario_types):
        for (kind, field), name in SCENARIO.items():
            model = getattr(module, kind, None)
            if model is not None and field in model.model_fields:
                found[name] |= literals(model.model_fields[field].annotation)
    return dict(found)


@pytest.mark.parametrize("name", sorted(set(SCENARIO.values())))
def test_scenario_lists_no_word_that_we_lack(name: str) -> None:
    """Each word of the Literal types of Scenario's SDK is in our table of that field."""
    words = scenario_words()[name]
    assert len(words) >= 3
    assert not missing(table("scenario", name), words)


def test_novita_lists_no_state_of_a_generation_that_we_lack() -> None:
    """Each word of the enum of Novita's SDK is in our table."""
    words = {member.value for member in novita.V3TaskResponseStatus}
    assert len(words) >= 4
    assert not missing(table("novita", "task.status"), words)


def codes() -> list[type[Enum]]:
    enums = [item for item in vars(novita).values() if isinstance(item, type) and issubclass(item, Enum)]
    return [enum for enum in enums if enum.__name__.endswith("ResponseCode")]


@pytest.mark.parametrize("enum", codes(), ids=lambda enum: enum.__name__)
def test_novita_lists_no_code_that_we_lack(enum: type[Enum]) -> None:
    """Each code by which an older route fails inside a success has a row of its own; 100 is the SDK's own default."""
    listed = {word for errors in plugins.load("novita").error_tables for word, _ in errors}
    assert len(codes()) >= 3
    assert {str(member.value) for member in enum if member.name not in ("NORMAL", "UNKNOWN")} <= listed


def test_novita_types_the_states_of_a_training_as_text() -> None:
    """The SDK lists no states of trainings and models; should it begin to, they must be compared here too."""
    fields = {
        (kind.__name__, name): annotation
        for kind in vars(novita).values()
        if isinstance(kind, type)
        for name, annotation in inspect.get_annotations(kind).items()
        if name in ("task_status", "model_status")
    }
    assert fields
    assert set(fields.values()) == {str}


def test_alibaba_types_its_states_as_text() -> None:
    """Alibaba's SDK lists no words at all; should it begin to, they must be compared here too."""
    kinds = [item for item in vars(alibaba).values() if isinstance(item, type)]
    found = {
        parameter.annotation
        for kind in kinds
        for name, parameter in inspect.signature(kind).parameters.items()
        if name in ("job_status", "model_train_status")
    }
    assert {getattr(annotation, "__name__", annotation) for annotation in found} == {"str"}


def test_a_word_that_is_lacking_is_noticed() -> None:
    """The comparison finds a word that is not in a table, whatever its case, and unions of literals."""
    known = table("scenario", "job.status")
    assert missing(known, {"Success", "hibernating"}) == {"hibernating"}
    assert literals(Literal["a", "b"] | None) == {"a", "b"}
    assert known.read("hibernating") is Status.UNKNOWN
