"""A report's folder: whose it is, its manifest, and files that are written whole or not at all.

report/
├─ .comparison.json  what was asked for, and the jobs so far, of one that is run into the folder; see `begun`
├─ manifest.json     everything, with the hashes of inputs, requests and outputs; report.html is made from it
├─ report.html       one file that needs no other
├─ pictures/         as the vendors made them
└─ training/         small renditions of the training images, named by the hashes of the images
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unified_train.compare.comparison import Comparison, digest
from unified_train.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from os import PathLike

MANIFEST = "manifest.json"
BEGUN = ".comparison.json"
REPORT = "report.html"
TRAINING = "training"
FORMAT = "unified-train comparison"
VERSION = 1
_NAME = "name the manifest.json of a report"
LARGEST = 64 * 2**20
"""Bytes of a manifest; a picture takes some 1,000."""
_CHUNK = 2**20
_PART = ".part"


def check_folder(folder: str | PathLike[str], comparison: Comparison | None = None) -> Path:
    """Make sure that a report may be written to a folder; it need not exist. Call it before anything is paid for.

    Args:
        folder: Must be empty, or hold a report of the same comparison, or nothing but the comparison's own pictures.
        comparison: The one to be written, as far as it is known.

    Raises:
        ConfigurationError: It is no folder, or holds something else.
    """
    path = Path(folder)
    if not path.exists():
        return path
    if not path.is_dir():
        raise ConfigurationError(f"{path}: is a file; name a folder for the report")
    if (path / MANIFEST).is_file():
        present = read_manifest(path / MANIFEST)
        if comparison and present.id != comparison.id:
            raise ConfigurationError(
                f"{path}: holds another comparison ({present.title!r}, {present.id[:12]}); choose another folder"
            )
        return path
    if comparison and (path / BEGUN).is_file():
        begun = _json(path / BEGUN)
        if not isinstance(begun, dict) or begun.get("id") != comparison.id:
            raise ConfigurationError(f"{path}: another comparison was begun in it; choose another folder")
        return path
    own = _own_files(path, comparison) if comparison else set()
    for item in _files(path):
        if item not in own and not _is_part(item):
            raise ConfigurationError(
                f"{path}: is not empty and holds no report ({item.relative_to(path)} is in it); choose another folder"
            )
    return path


def photo_file(folder: Path, sha256: str) -> Path:
    """Where the small rendition of a training image lies."""
    return folder / TRAINING / f"{sha256}.webp"


def _own_files(folder: Path, comparison: Comparison) -> set[Path]:
    """What a writer leaves that found no room for the rest."""
    photos = comparison.training.photos if comparison.training else ()
    return {folder / picture.file for picture in comparison.pictures} | {
        photo_file(folder, photo.sha256) for photo in photos if photo.sha256
    }


def _files(folder: Path) -> Iterator[Path]:
    return (item for item in sorted(folder.rglob("*")) if not item.is_dir() or item.is_symlink())


def _is_part(path: Path) -> bool:
    """Whether it was left behind by a writer that was killed."""
    return path.name.startswith(".") and path.name.endswith(_PART)


def manifest(comparison: Comparison, files: dict[str, str]) -> bytes:
    """The manifest as JSON.

    Args:
        comparison: What it describes.
        files: SHA-256 of each file in the report's folder besides report and manifest, by path.
    """
    training = comparison.training
    content = {
        "format": FORMAT,
        "version": VERSION,
        "made_with": f"unified_train {version('unified-train')}",
        "id": comparison.id,
        "hashes": {
            "training_request": digest(comparison.inputs["training"]) if training else None,
            "training_images": [photo.sha256 for photo in training.photos] if training else [],
            "requests": [
                {"prompt": index, "seed": request.seed, "sha256": digest(request.model_dump(mode="json"))}
                for index, request in comparison.requests()
            ],
            "files": dict(sorted(files.items())),
        },
        "comparison": comparison.model_dump(mode="json"),
    }
    # In ASCII, since vendors cut texts in the middle of a character, and half a character can't be written as UTF-8.
    return json.dumps(content, indent=1, ensure_ascii=True).encode() + b"\n"


def read_manifest(path: str | PathLike[str]) -> Comparison:
    """Read the comparison back from its manifest, or from the folder that it lies in.

    Raises:
        ConfigurationError: It can't be read, is no manifest, is of a later version, or was changed by hand.
    """
    file = Path(path)
    file = file / MANIFEST if file.is_dir() else file
    content = _json(file)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ConfigurationError(f"{file}: not a manifest of a comparison; {_NAME}")
    if content.get("version") != VERSION:
        raise ConfigurationError(
            f"{file}: a manifest of version {content.get('version')!r}, but this library reads version {VERSION};"
            " use the version of unified_train that wrote it"
        )
    try:
        comparison = Comparison.model_validate(content.get("comparison"))
    except ConfigurationError as error:
        raise ConfigurationError(f"{file}: not a manifest of a comparison ({error.message}); {_NAME}") from None
    if content.get("id") != comparison.id:
        raise ConfigurationError(
            f"{file}: was changed by hand: its id does not fit what it asks for; put the original back"
        )
    return comparison


def recorded_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of the files as the manifest of a folder has them, by path; nothing if there is no manifest yet."""
    file = folder / MANIFEST
    content = _json(file) if file.is_file() else {}
    hashes = content.get("hashes")
    files = hashes.get("files") if isinstance(hashes, dict) else None
    return files if isinstance(files, dict) else {}


def _json(file: Path) -> Any:
    try:
        if file.stat().st_size > LARGEST:
            raise ConfigurationError(f"{file}: too large for a manifest of a comparison; {_NAME}")
        return json.loads(file.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"{file}: can't be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        raise ConfigurationError(f"{file}: not a manifest of a comparison, nor any JSON; {_NAME}") from None


def file_hash(path: Path) -> str | None:
    """SHA-256 of a file; None if there is none.

    Raises:
        ConfigurationError: It can't be read.
    """
    found = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                found.update(chunk)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"{path}: can't be read ({error.strerror})") from None
    return found.hexdigest()


def write_whole(files: Sequence[tuple[Path, Callable[[], bytes]]]) -> None:
    """Write files under other names, and give them their final names when all of all of them is on the disk.

    Raises:
        ConfigurationError: There is no room, or no permission; what was there before is there still.
    """
    parts: list[Path] = []
    try:
        for path, content in files:
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f".{path.name}{_PART}")
            parts.append(part)
            with part.open("wb") as file:
                file.write(content())
                file.flush()
                os.fsync(file.fileno())
        for (path, _), part in zip(files, parts, strict=True):
            part.replace(path)
    except OSError as error:
        raise ConfigurationError(
            f"{files[0][0].parent}: can't be written ({error.strerror}); make room and write the report again"
        ) from None
    finally:
        for part in parts:
            with suppress(OSError):
                part.unlink(missing_ok=True)
