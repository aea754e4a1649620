"""Parameters of a request, taken out of its query or JSON body; what is required and not there is a refusal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from unified_train.sandbox.alibaba.errors import missing

if TYPE_CHECKING:
    from collections.abc import Mapping


def body_of(data: bytes) -> dict[str, Any]:
    """The JSON object of a POST. A body that is none holds no parameter, so that the first required one is missing."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def text(values: Mapping[str, Any], name: str) -> str:
    """A required string that is not empty."""
    value = values.get(name)
    if not isinstance(value, str) or not value:
        raise missing(name)
    return value


def integer(values: Mapping[str, Any], name: str) -> int | None:
    """An optional whole number."""
    value = values.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise missing(name)
    return value


def texts(values: Mapping[str, Any], name: str) -> list[str]:
    """A required list of strings that is not empty."""
    value = values.get(name)
    if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
        raise missing(name)
    return cast("list[str]", value)
