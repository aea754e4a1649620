"""What the client's verbs do, over any provider: written once as workflows, driven by either engine."""

from __future__ import annotations

from unified_train.workflows.pictures import Pictures
from unified_train.workflows.resuming import Resuming
from unified_train.workflows.vendors import JobLike


class Workflows(Resuming, Pictures):
    """The verbs, over the vendors of one client."""


__all__ = ["JobLike", "Workflows"]
