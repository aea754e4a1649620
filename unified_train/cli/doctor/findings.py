"""What the doctor finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    Attributes:
        subject: What was looked at.
        state: `ok`, `warning`, `error`, or `off` for what is not in use.
        told: What was found.
        remedy: What to do about it.
    """

    subject: str
    state: Literal["ok", "warning", "error", "off"]
    told: str
    remedy: str = ""
