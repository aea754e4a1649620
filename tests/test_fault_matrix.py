"""Each operation meets each fault, at each vendor that offers it, blocking and async, over real HTTP."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fault_matrix import promises
from fault_matrix.mishaps import HOUR, MISHAPS, Mishap
from fault_matrix.operations import OPERATIONS, Operation
from fault_matrix.promises import promised
from fault_matrix.stage import NOWHERE, Stage
from fault_matrix.table import PAGE, matrix, replaced

from unified_train import RateLimited, SubmissionUncertain, TransportError
from unified_train.sandbox import Sandbox
from unified_train.transport import wire

pytestmark = pytest.mark.long

CELLS = [
    pytest.param(operation, mishap, id=f"{operation.name}-{mishap.name}")
    for operation in OPERATIONS
    for mishap in MISHAPS
    if promised(operation, mishap)
]


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """A sandbox that all cells of this process share, with a port beside it on which nobody listens."""
    with (
        pytest.MonkeyPatch.context() as patch,
        Sandbox(speed=12_000) as sandbox,
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as bound,
        asyncio.Runner() as runner,
    ):
        patch.setattr(wire, "SUBMISSION_SECONDS", wire.SUBMISSION_SECONDS)  # type: ignore[attr-defined]
        patch.setattr(socket, "getaddrinfo", _resolving(socket.getaddrinfo))
        bound.bind(("127.0.0.1", 0))
        with pytest.MonkeyPatch.context() as environment:
            for name, value in sandbox.env.items():
                environment.setenv(name, value)
            ready = Stage(sandbox, closed=bound.getsockname()[1], runner=runner)
        yield ready


def _resolving(real: Any) -> Any:
    """A resolver that knows at once which name can't exist; a real one may take seconds to say so."""

    def resolved(host: Any, *arguments: Any, **options: Any) -> Any:
        if host in (NOWHERE, NOWHERE.encode()):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real(host, *arguments, **options)

    return resolved


@pytest.mark.parametrize("colour", ["sync", "async"])
@pytest.mark.parametrize(("operation", "mishap"), CELLS)
def test_a_cell_ends_as_promised(
    stage: Stage, operation: Operation, mishap: Mishap, colour: str, tmp_path: Path
) -> None:
    """The result or the exact error, the number of requests, at most one paid submission, and a journal that knows."""
    outcome = promised(operation, mishap)
    assert outcome is not None
    (folder := tmp_path / "pictures").mkdir()
    played = stage.play(operation, mishap, colour, folder)
    assert played.seen == outcome, played.error
    assert played.right
    assert played.arrived == (0 if mishap.detour else outcome.requests)
    assert played.met == mishap.kind(operation.edits(mishap))
    assert played.images == operation.images or (outcome.error and len(played.images) <= len(operation.images))
    assert [intent.state for intent in played.doubts] == ["uncertain"] * outcome.in_doubt
    if mishap.wait == 0 and not outcome.error:
        assert played.delays == [0.0]
    match played.error:
        case SubmissionUncertain(key=key):
            assert key == played.doubts[0].key
        case RateLimited(retry_after=wait):
            assert wait == pytest.approx(HOUR, abs=60)
        case TransportError(sent=sent):
            assert not sent
    if played.error:
        assert not list(folder.iterdir())


def test_the_page_shows_the_matrix(request: pytest.FixtureRequest) -> None:
    """`docs/reliability.md` has the table of what the cells assert; `--write-docs` puts it there."""
    shown = PAGE.read_text()
    right = replaced(shown, matrix(2 * len(CELLS)))
    if request.config.getoption("--write-docs"):
        PAGE.write_text(right)
    else:
        assert shown == right, "out of date: run `pytest tests/test_fault_matrix.py -k page --write-docs`"


def test_every_exception_is_one() -> None:
    """A cell that is excepted from the rules is there, and the rule would have it otherwise."""
    for (name, mishap_name), (outcome, _) in promises._EXCEPTIONS.items():
        operation = next(one for one in OPERATIONS if one.name == name)
        mishap = next(one for one in MISHAPS if one.name == mishap_name)
        assert promises._by_rule(operation, mishap) != outcome
