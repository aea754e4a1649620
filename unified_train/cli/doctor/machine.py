"""What can be looked at without a network: versions, configuration, plugins, journal."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from unified_train.cli.doctor.findings import Finding
from unified_train.config.secrets import is_reference, secret_file
from unified_train.config.values import folder_of
from unified_train.errors import JournalError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from unified_train.config import Config
    from unified_train.journal import Journal
    from unified_train.plugins import Found

LIBRARIES = ("httpx", "pydantic", "tenacity", "pluggy", "anyio")
"""Without which nothing works; the versions help whoever reads a report."""


def versions() -> Finding:
    """Python, this library and those that it stands on."""
    told = [f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"]
    told += [f"{name} {_version(name)}" for name in ("unified-train", *LIBRARIES)]
    return Finding("versions", "ok", ", ".join(told))


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"


def configuration(config: Config) -> Iterator[Finding]:
    """The files that were read, and files with secrets that others can read."""
    told = ", ".join(map(str, config.files)) or "no file; the environment alone counts"
    profile = f"; profile {config.profile}" if config.profile else ""
    yield Finding("configuration", "ok", told + profile)
    for path in dict.fromkeys(_secret_files(config)):
        if os.name == "posix" and path.is_file() and path.stat().st_mode & 0o077:
            yield Finding("secrets", "warning", f"{path} can be read by others than you", f"chmod 600 {path}")


def _secret_files(config: Config) -> Iterator[Path]:
    for slug, fields in config.providers.items():
        for name, value in fields.items():
            path = secret_file(str(value), folder_of(config.origin("providers", slug, name)))
            if is_reference(value) and path:
                yield path


def plugins(found: Found) -> Iterator[Finding]:
    """The vendors that are installed."""
    yield Finding("plugins", "ok", ", ".join(kind.slug for kind in found.providers) or "none")
    for broken in found.broken:
        yield Finding("plugins", "error", str(broken), "uninstall it, or install another version of it")


def journal(config: Config) -> Finding:
    """Whether the journal can be read and written, and whether it holds calls in doubt; it is not made here."""
    usual = config.usual_journal()
    if usual is None:
        remedy = "take journal = false out of the configuration, so that no call can be paid twice"
        return Finding("journal", "warning", "off: a lost answer can't be looked up", remedy)
    if not os.path.lexists(usual.path):
        return _future(usual.path)
    try:
        return _present(usual)
    except JournalError as error:
        return Finding("journal", "error", str(error))
    finally:
        usual.close()


def _future(path: Path) -> Finding:
    folder = next(above for above in path.parents if above.exists())
    if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
        return Finding("journal", "ok", f"none yet; {path} will be made when something is submitted")
    remedy = "make that folder writable, or set UNIFIED_TRAIN_HOME or journal to another place"
    return Finding("journal", "error", f"{path} can't be made, since {folder} can't be written to", remedy)


def _present(usual: Journal) -> Finding:
    usual.release("doctor", "doctor")  # nobody's: changes nothing, but shows that the file can be written
    waiting = [intent for intent, owner in usual.pending() if owner is None]
    if not waiting:
        return Finding("journal", "ok", f"{usual.path}, {len(usual.jobs())} jobs")
    count = f"{len(waiting)} {'call is' if len(waiting) == 1 else 'calls are'}"
    told = f"{usual.path}: {count} without an outcome"
    return Finding("journal", "warning", told, "to settle and finish them: unified-train jobs reconcile")
