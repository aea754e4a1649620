"""The process in which one contender is measured: `python -m benchmarks.performance.worker`, told what by its input.

The first line of standard input is the order, as JSON; the answer is one line on standard output.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import os
import select
import sys
from typing import Any, NoReturn


def wait_for_go() -> None:
    """Say that all is ready, and wait until whoever measures says go.

    Looked for again and again: valgrind obeys only a program that does something.
    """
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], 0.02)[0]:
        pass
    sys.stdin.readline()


def main() -> None:
    """Call the function that the order names, with its arguments."""
    order: dict[str, Any] = json.loads(sys.stdin.readline())
    module, _, name = order["function"].rpartition(".")
    function = getattr(importlib.import_module(module), name)
    result = function(**order["arguments"])
    if inspect.isawaitable(result):
        result = asyncio.new_event_loop().run_until_complete(result)
    end(result)


def end(result: Any) -> NoReturn:
    """Tell the result and end at once: giving up thousands of calls that wait for an answer can take minutes."""
    print(json.dumps(result), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
