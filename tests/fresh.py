"""Python code in an interpreter of its own that need not import anew what others wrote.

Run as a program it is where such interpreters come from: it imports the libraries that ours builds upon, none of ours,
and forks for each order, a line of JSON on its standard input.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import IO

LIBRARIES = (
    *("anyio._backends._asyncio", "encodings.idna", "httpx", "httpx._transports.default", "jinja2", "pluggy"),
    *("opentelemetry.sdk.trace.export", "PIL.Image", "PIL.ImageFont", "platformdirs", "pydantic", "sqlite3"),
    *("starlette.applications", "tenacity", "uvicorn.protocols.http.httptools_impl", "pytest", "hypothesis"),
)
FLAGS = ("-W", "error")


class Interpreters:
    """Runs code in a process each.

    Args:
        origin: The process to fork them from; None starts each from nothing.
    """

    def __init__(self, origin: subprocess.Popen[str] | None) -> None:
        self._origin = origin

    def run(self, code: str, folder: Path) -> tuple[int, str]:
        """The exit status, and what was written to either output; the environment is that of now."""
        if self._origin is None:
            command = [sys.executable, *FLAGS, "-c", code]
            done = subprocess.run(
                command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
            )
            return done.returncode, done.stdout
        order = {"code": code, "folder": str(folder), "environ": dict(os.environ), "output": str(folder / "output")}
        assert self._origin.stdin
        assert self._origin.stdout
        print(json.dumps(order), file=self._origin.stdin, flush=True)
        return int(self._origin.stdout.readline()), (folder / "output").read_text()


@contextmanager
def interpreters() -> Iterator[Interpreters]:
    """Forked where a fork is safe: elsewhere than on Linux, system libraries may not survive it."""
    if sys.platform != "linux":
        yield Interpreters(None)
        return
    command = [sys.executable, *FLAGS, __file__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as origin:
        yield Interpreters(origin)
        assert origin.stdin
        origin.stdin.close()


def serve(orders: IO[str]) -> None:
    """Fork for each order, and tell how it ended; returns in each of the forks too, as if that were all it ever did."""
    for name in LIBRARIES:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    for line in orders:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            live(**order)
            return
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}\n")
        sys.stdout.flush()


def live(code: str, folder: str, environ: dict[str, str], output: str) -> None:
    """Be what `python -c` is."""
    with open(os.devnull) as nothing, Path(output).open("w") as written:  # noqa: PTH123 - the device, as it is named
        for descriptor, file in enumerate((nothing, written, written)):
            os.dup2(file.fileno(), descriptor)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    sys.argv, sys.path[0] = ["-c"], ""
    sys.modules["__main__"] = main = ModuleType("__main__")
    exec(compile(code, "<string>", "exec"), main.__dict__)  # noqa: S102 - that is what it is for


if __name__ == "__main__":
    assert not [name for name in sys.modules if name.startswith("unified_train")]
    serve(sys.stdin)
