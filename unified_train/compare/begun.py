"""What a comparison keeps in its folder from before it pays until it is done, so that it can be gone on with.

The journal knows each call by its key. Here is what the keys are made of, and each call's job, so that nothing is paid
twice even where the journal is gone.
"""

from __future__ import annotations

import json
import os
import secrets
import threading
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AwareDatetime, Field, JsonValue, ValidationError

from unified_train.compare import folder as folders
from unified_train.compare.comparison import Sha256
from unified_train.errors import ConfigurationError
from unified_train.models import Job
from unified_train.records import Record, sentence

if TYPE_CHECKING:
    from pathlib import Path

    from unified_train.compare.comparison import Comparison

_WHAT = {
    "training": "training",
    "prompts": "prompts",
    "seeds": "seeds",
    "options": "options of the pictures",
    "entrants": "vendors or models",
}


class Begun(Record):
    """A comparison that is run into a folder.

    Attributes:
        format: Tells the file from others.
        version: Of this layout.
        id: Of the comparison.
        run: Random, made before anything was paid: the same question in another folder is paid for anew.
        created_at: When it was begun.
        inputs: As `Comparison.inputs`.
        jobs: As last seen, by the names of their calls; without the vendors' raw records.
        unwatched: Names of calls that went on while nobody looked, so that it is not known how long they took.
    """

    format: Literal["unified-train comparison under way"] = "unified-train comparison under way"
    version: Literal[1] = 1
    id: Sha256
    run: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    created_at: AwareDatetime
    inputs: dict[str, JsonValue]
    jobs: dict[str, Job] = {}
    unwatched: tuple[str, ...] = ()


class Book:
    """The file of a comparison that was begun, for all that work on it in this process.

    Args:
        file: Where it is.
        begun: What is in it.
    """

    def __init__(self, file: Path, begun: Begun) -> None:
        self.begun = begun
        self._file = file
        self._lock = threading.Lock()

    def key(self, name: str) -> str:
        """The key of a call in the journal."""
        return f"compare-{self.begun.id[:12]}-{self.begun.run}-{name}"

    def keep(self, name: str, job: Job, *, unwatched: bool = False) -> None:
        """Keep a call's job.

        Raises:
            ConfigurationError: The folder can't be written; the journal has the job.
        """
        with self._lock:
            names = (*self.begun.unwatched, name) if unwatched else self.begun.unwatched
            kept = {**self.begun.jobs, name: job.model_copy(update={"raw": {}})}
            self.begun = self.begun.model_copy(update={"jobs": kept, "unwatched": tuple(dict.fromkeys(names))})
            folders.write_whole([(self._file, partial(_written, self.begun))])


def opened(folder: Path, question: Comparison) -> Book:
    """Begin a comparison in a folder, or go on with it.

    Args:
        folder: Need not exist.
        question: The comparison as far as it is known before it is run.

    Raises:
        ConfigurationError: The folder holds something else, or can't be written; nothing was paid.
    """
    file = folder / folders.BEGUN
    known = _read(file)
    if known is None:
        folders.check_folder(folder, question)
        if (folder / folders.MANIFEST).exists():
            raise ConfigurationError(
                f"{folder}: holds the report, but not the {file.name} by which it could be gone on with;"
                " choose another folder, where all is paid for anew"
            )
        known = _created(file, question)
    changed = [told for part, told in _WHAT.items() if known.inputs.get(part) != question.inputs[part]]
    if known.id != question.id or changed:
        raise ConfigurationError(
            f"{folder}: a comparison was begun here with other {' and other '.join(changed) or 'inputs'};"
            " choose another folder, or ask the same as before"
        )
    return Book(file, known)


def _read(file: Path) -> Begun | None:
    try:
        content = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigurationError(f"{file}: can't be read ({error.strerror})") from None
    try:
        return Begun.model_validate(json.loads(content))
    except ValidationError as error:
        why = sentence(Begun, error)
    except (ValueError, RecursionError):
        why = "no JSON"
    raise ConfigurationError(f"{file}: is not what a comparison keeps there ({why}); choose another folder")


def _created(file: Path, question: Comparison) -> Begun:
    """Write the file for the first time; if another process was quicker, what that wrote counts."""
    begun = Begun(id=question.id, run=secrets.token_hex(8), created_at=question.created_at, inputs=question.inputs)
    part = file.with_name(f".{file.name}.{secrets.token_hex(4)}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with part.open("xb") as opened:
            opened.write(_written(begun))
            opened.flush()
            os.fsync(opened.fileno())
        _given_name(part, file)
    except OSError as error:
        raise ConfigurationError(f"{file.parent}: can't be written ({error.strerror}); name another folder") from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return _read(file) or begun


def _given_name(part: Path, file: Path) -> None:
    try:
        os.link(part, file)
    except FileExistsError:
        return
    except OSError:  # a file system without links
        part.replace(file)


def _written(begun: Begun) -> bytes:
    # In ASCII, as the manifest: half a character, as vendors may cut texts, can't be written as UTF-8.
    return json.dumps(begun.model_dump(mode="json"), indent=1, ensure_ascii=True).encode()
