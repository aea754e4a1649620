"""Where results are printed: as wide as a terminal, and unbroken where there is none."""

from __future__ import annotations

import os
from typing import Any

from rich.console import Console

_ENDLESS = 2000
"""Columns of what has no edge, such as a file or another program."""


class Output(Console):
    """Standard output. In a pipe no id is broken into two lines, and no line ends with blanks, so that `grep` works."""

    def __init__(self) -> None:
        super().__init__()
        if not self.is_terminal and not os.environ.get("COLUMNS"):
            self.width = _ENDLESS

    def print(self, *objects: Any, **how: Any) -> None:
        """As usual."""
        if self.is_terminal:
            super().print(*objects, **how)
            return
        with self.capture() as captured:
            super().print(*objects, **how)
        lines = captured.get().split("\n")
        self.file.write("\n".join(line.rstrip() for line in lines))
        self.file.flush()
