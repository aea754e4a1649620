"""Functions in processes of their own, timed or counted by valgrind."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LONGEST = 240.0
"""Seconds after which a process is given up."""


class Failed(Exception):
    """A process did not do what it was told."""


def counts() -> bool:
    """Whether instructions can be counted here."""
    return bool(shutil.which("valgrind") and shutil.which("callgrind_control"))


def _valgrind() -> str:
    return shutil.which("valgrind") or "valgrind"


def call(function: Callable[..., Any], **arguments: Any) -> Any:
    """The result of a function in a fresh process; both must be plain data."""
    return _Process([], function, arguments).result()


def started(function: Callable[..., Any], **arguments: Any) -> Any:
    """As `call`, for a function that waits for go."""
    process = _Process([], function, arguments)
    process.ready()
    process.go()
    return process.result()


def instructions(function: Callable[..., Any], count: int, **arguments: Any) -> list[int]:
    """Instructions between every first and second `os.getppid()` of a function, which waits for go before.

    Until it is ready nothing is counted, which is several times quicker; valgrind then writes down what was executed
    whenever that rare function of the C library is called.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        valgrind = [_valgrind(), "--tool=callgrind", "--instr-atstart=no", "--dump-before=getppid"]
        process = _Process([*valgrind, f"--callgrind-out-file={out}"], function, arguments)
        process.ready()
        subprocess.run(["callgrind_control", "-i", "on", str(process.pid)], check=True, capture_output=True)  # noqa: S607
        process.go()
        process.result()
        return [_total(out.with_name(f"out.{2 * index + 2}")) for index in range(count)]


def _total(out: Path) -> int:
    found = re.search(r"^totals: (\d+)", out.read_text(), re.MULTILINE)
    if found is None:
        raise Failed("valgrind counted nothing")
    return int(found[1])


def all_instructions(command: Sequence[str], environ: dict[str, str]) -> int:
    """Instructions of a whole command."""
    counting = [_valgrind(), "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null", *command]
    try:
        done = subprocess.run(counting, env=environ, check=True, capture_output=True, text=True, timeout=LONGEST)
    except subprocess.SubprocessError as error:
        raise Failed(str(error)) from None
    found = re.search(r"I +refs: +([\d,]+)", done.stderr)
    if found is None:
        raise Failed(done.stderr)
    return int(found[1].replace(",", ""))


class _Process:
    """A worker."""

    def __init__(self, prefix: Sequence[str], function: Callable[..., Any], arguments: dict[str, Any]) -> None:
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "benchmarks.performance.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self.pid = self._process.pid
        self._answers = cast("IO[str]", self._process.stdout)
        name = f"{function.__module__}.{function.__qualname__}"
        self._tell(json.dumps({"function": name, "arguments": arguments}))

    def _tell(self, line: str) -> None:
        told = cast("IO[str]", self._process.stdin)
        told.write(f"{line}\n")
        told.flush()

    def ready(self) -> None:
        if self._answers.readline() != "ready\n":
            self._fail()

    def go(self) -> None:
        self._tell("go")

    def result(self) -> Any:
        try:
            answer, _ = self._process.communicate(timeout=LONGEST)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._fail()
        lines = answer.splitlines()
        if self._process.returncode or not lines:
            self._fail()
        self._errors.close()
        return json.loads(lines[-1])

    def _fail(self) -> NoReturn:
        self._process.kill()
        self._process.communicate()
        with self._errors as errors:
            errors.seek(0)
            told = [line for line in errors.read().splitlines() if not line.startswith("==")]  # which are valgrind's
        raise Failed("\n".join(told[-20:]) or "it took too long")
