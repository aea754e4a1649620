"""What contenders are told to do, as plain data: a worker must start quickly."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.performance.server import Route


@dataclass(frozen=True)
class Call:
    """A request as raw clients send it: without signing, since the server looks at no signature.

    Attributes:
        method: Its method.
        path: With the query.
        body: JSON, or blank.
        authorization: The header that the sandbox wants.
    """

    method: str
    path: str
    body: str = ""
    authorization: str = ""


@dataclass
class Case:
    """One thing to do, for every contender.

    Attributes:
        vendor: Slug.
        what: `training.poll`, `generation.poll`, `training.start` or `generation.start`.
        calls: The requests that it takes us.
        routes: Their answers.
        environ: Points clients at the server, for which it says `{server}`.
        job: A running one, as JSON, for polls.
        request: What is asked for, as JSON, for submissions; of a training only its images.
        model: To generate with, as JSON.
    """

    vendor: str
    what: str
    calls: list[Call]
    routes: list[Route]
    environ: dict[str, str]
    job: str = ""
    request: str = ""
    model: str = ""

    @property
    def name(self) -> str:
        """Vendor and operation."""
        return f"{self.vendor} {self.what}"

    def dump(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)

    @classmethod
    def load(cls, data: dict[str, Any]) -> Case:
        """From plain data."""
        calls, routes = [Call(**call) for call in data["calls"]], [Route(**route) for route in data["routes"]]
        return cls(**{**data, "calls": calls, "routes": routes})
