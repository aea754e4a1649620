"""Local, stateful servers that speak the vendors' wire protocols; nothing leaves the machine and nothing is billed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unified_train.sandbox.server import Sandbox

__all__ = ["Sandbox"]

_EXTRA = frozenset({"starlette", "uvicorn", "httptools", "PIL", "anyio"})


def __getattr__(name: str) -> object:
    # Imported at first use: the server's packages come with the extra, and without it the rest must still import.
    if name != "Sandbox":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from unified_train.sandbox.server import Sandbox
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        raise ImportError(
            f"The sandbox needs {error.name}, which is not installed: pip install 'unified-train[sandbox]'"
        ) from error
    return Sandbox
