"""What the rounds must know of the three vendors of the sandbox."""

from __future__ import annotations

from unified_train.sandbox.faults import Fault, Kind

VENDORS = ("alibaba", "novita", "scenario")
MOST_PER_CALL = {"alibaba": 10, "novita": 8, "scenario": 4}
"""Pictures."""
PAID: dict[str, dict[str, tuple[str, str]]] = {
    "alibaba": {
        "training.start": ("POST", "*/addModelTrainJob"),
        "generation.start": ("POST", "*/addInferenceJob"),
    },
    "novita": {
        "training.start": ("POST", "/v3/training/*"),
        "generation.start": ("POST", "/v3/async/txt2img"),
    },
    "scenario": {
        "training.create": ("POST", "/v1/models"),
        "training.start": ("PUT", "/v1/models/*/train"),
        "generation.start": ("POST", "/v1/generate/custom/*"),
    },
}
"""Requests that create or bill: method and path by operation."""
_LAGS = {"alibaba": "list_delay", "novita": "list_lag", "scenario": "list_lag"}


def mishap(vendor: str, operation: str, kind: Kind, *, seconds: float = 0.0) -> Fault:
    """Something that goes wrong once, with a request that creates or bills."""
    method, path = PAID[vendor][operation]
    return Fault(kind=kind, method=method, path=path, seconds=seconds)


def lag(vendor: str, seconds: float, speed: float) -> dict[str, dict[str, object]]:
    """The switch by which a vendor's lists lag so many real seconds behind."""
    return {vendor: {_LAGS[vendor]: seconds * speed}}
