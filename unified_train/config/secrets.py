"""References to secrets: a configuration file says where a key is, and never holds it."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from unified_train.errors import ConfigurationError, MissingCredentials

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

COMMAND_SECONDS = 10.0
"""Longest that a command may take."""
KEYRING_SERVICE = "unified-train"
"""Service of a keyring entry that names none."""
HOW = "env:NAME, file:PATH, keyring:NAME or cmd:COMMAND"

_REFERENCE = re.compile(r"(env|file|keyring|cmd): *[^\s\x00-\x1f][^\x00-\x1f]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET_NAME = re.compile(r"key|secret|token|password|jwt", re.IGNORECASE)
"""As the contract for plugins has it: a setting of such a name is a secret."""


def is_reference(value: object) -> bool:
    """Whether a value says where another one is."""
    return isinstance(value, str) and _REFERENCE.fullmatch(value) is not None


def names_secret(field: str) -> bool:
    """Whether a field holds a secret, judged by its name alone."""
    return _SECRET_NAME.search(field) is not None


def resolve(reference: str, environ: Mapping[str, str], folder: Path, place: str) -> str:
    """Fetch what a reference stands for.

    Args:
        reference: Such as `env:NAME`.
        environ: For `env:`.
        folder: Against which a relative path is read, and in which a command runs.
        place: Where the reference stands, for messages.

    Raises:
        MissingCredentials: There is nothing.
        ConfigurationError: It can't be fetched; the message has nothing of the secret, nor of what a command said.
    """
    kind, target = _parted(reference)
    if kind == "env":
        value = _of_variable(target, environ, place)
    elif kind == "file":
        value = _of_file(target, folder, place)
    elif kind == "keyring":
        value = _of_keyring(target, place)
    else:
        value = _of_command(target, folder, place)
    if "\n" in value:
        raise ConfigurationError(f"{place}: {shown(reference)} gives more than one line; a secret is one")
    return value


def shown(reference: str) -> str:
    """A reference for people; of a command only its name, since its arguments may be a secret."""
    kind, target = _parted(reference)
    if kind == "env":
        return f"env:{target if _VARIABLE.fullmatch(target) else '…'}"
    first, *more = target.split(maxsplit=1)
    return f"cmd:{first} …" if kind == "cmd" and more else f"{kind}:{target}"


def standing(reference: str, environ: Mapping[str, str], folder: Path) -> str:
    """Whether there is a secret, as far as that is free to know: `set`, `missing`, `by cmd` or `by keyring`."""
    kind, target = _parted(reference)
    if kind in ("cmd", "keyring"):
        return f"by {kind}"
    there = environ.get(target, "").strip() if kind == "env" else _path(target, folder).is_file()
    return "set" if there else "missing"


def secret_file(reference: str, folder: Path) -> Path | None:
    """The file that a reference names, if it does."""
    kind, target = _parted(reference)
    return _path(target, folder) if kind == "file" else None


def _parted(reference: str) -> tuple[str, str]:
    kind, _, target = reference.partition(":")
    return kind, target.strip()


def _path(target: str, folder: Path) -> Path:
    return folder / os.path.expanduser(target)  # noqa: PTH111 - Path's raises for a user that is not there


def _of_variable(name: str, environ: Mapping[str, str], place: str) -> str:
    if not _VARIABLE.fullmatch(name):
        raise ConfigurationError(f"{place}: what follows env: is no name of an environment variable; write env:NAME")
    value = environ.get(name, "").strip()
    if not value:
        raise MissingCredentials(f"{place}: the environment variable {name} is not set; set it, or correct the name")
    return value


def _of_file(target: str, folder: Path, place: str) -> str:
    path = _path(target, folder)
    try:
        value = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigurationError(f"{place}: {path} can't be read ({error.strerror}); write the secret to it") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{place}: {path} is not UTF-8; write nothing but the secret to it") from None
    if not value:
        raise MissingCredentials(f"{place}: {path} is empty; write the secret to it")
    return value


def _of_keyring(target: str, place: str) -> str:
    service, _, user = target.rpartition("/")
    service = service or KEYRING_SERVICE
    try:
        import keyring
    except ImportError:
        raise ConfigurationError(
            f"{place}: a keyring needs one more package: pip install 'unified-train[keyring]'"
        ) from None
    from keyring.errors import KeyringError

    try:
        value = keyring.get_password(service, user)
    except (KeyringError, RuntimeError) as error:  # a RuntimeError where there is no desktop, in some releases
        raise ConfigurationError(
            f"{place}: the keyring can't be used ({type(error).__name__}); without a desktop, take env: or file:"
        ) from None
    if not (value or "").strip():
        raise MissingCredentials(
            f"{place}: the keyring has no entry {user!r} of {service!r}; set it: keyring set {service} {user}"
        )
    return str(value).strip()


def _of_command(target: str, folder: Path, place: str) -> str:
    import shlex
    import subprocess

    name = target.split(maxsplit=1)[0]
    remedy = "run it by hand to see why"
    try:
        words = shlex.split(target)
    except ValueError:
        raise ConfigurationError(
            f"{place}: the command {name} has a quotation mark without its other half; add that"
        ) from None
    try:
        done = subprocess.run(  # noqa: S603 - the user's own file says what to run
            words, stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_SECONDS, cwd=folder, check=False
        )
    except OSError as error:
        raise ConfigurationError(f"{place}: the command {name} can't be run ({error.strerror}); {remedy}") from None
    except subprocess.TimeoutExpired:
        raise ConfigurationError(
            f"{place}: the command {name} gave no answer in {COMMAND_SECONDS:g} seconds; {remedy}"
        ) from None
    if done.returncode:
        raise ConfigurationError(f"{place}: the command {name} failed with status {done.returncode}; {remedy}")
    try:
        value = done.stdout.decode().strip()
    except UnicodeDecodeError:
        raise ConfigurationError(f"{place}: the command {name} printed something that is not UTF-8; {remedy}") from None
    if not value:
        raise MissingCredentials(f"{place}: the command {name} printed nothing; {remedy}")
    return value
