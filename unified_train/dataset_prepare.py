"""A clean copy of a dataset, in the form that every trainer reads; the originals are only looked at.

Every picture is decoded and written anew from its pixels, so that nothing else gets over: no place, no camera, no
prompt, no second picture behind the first. That a JPEG is encoded once more, at a quality where it is not seen, is the
price of being sure.
"""

from __future__ import annotations

import io
import json
import shutil
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path, PurePosixPath
from secrets import token_hex
from typing import TYPE_CHECKING

from unified_train.dataset import Dataset
from unified_train.dataset_check import taken, vendors
from unified_train.dataset_formats import NO_TRIGGER
from unified_train.errors import DatasetError, InvalidOptions
from unified_train.records import Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from os import PathLike

    from unified_train.dataset_check import Source
    from unified_train.dataset_formats import Entry
    from unified_train.provider import AnyProvider

TRAINED_AT = 1024
"""Pixels of the shorter side: what current base models are trained at, and enough for those that want less."""
QUALITY = 95
"""Of JPEG; Pillow's manual advises against more."""
MANIFEST = ".unified-train.json"
"""Marks a folder as made here, and tells what was written, so that nothing else is ever replaced."""
_LOSSY = frozenset({"image/jpeg", "image/webp", "image/avif", "image/heic"})


class PreparedImage(Record):
    """One image of a clean copy.

    Attributes:
        source: Path of the original inside its dataset.
        file: Name of the copy.
        width: Pixels of the copy.
        height: Pixels of the copy.
        caption: Written beside it.
    """

    source: str
    file: str
    width: int
    height: int
    caption: str | None


class Preparation(Record):
    """A clean copy.

    Attributes:
        folder: Where it is.
        images: In the order of the originals.
    """

    folder: Path
    images: tuple[PreparedImage, ...]


def prepare_dataset(
    dataset: Source,
    out: str | PathLike[str],
    *,
    size: int | None = None,
    providers: Sequence[str | type[AnyProvider]] = (),
    trigger: str | None = None,
) -> Preparation:
    """Write a clean copy: upright, in sRGB, before white, without metadata, reduced, with `photo.txt` beside each.

    What came lossily encoded (JPEG, WebP, AVIF, HEIC) becomes JPEG, the rest PNG; every vendor takes these.

    Args:
        dataset: What to copy.
        out: Folder that is not there, or empty, or from an earlier preparation and unchanged since. It is replaced as
            a whole at the end, or not at all.
        size: Pixels of the shorter side; smaller pictures stay as they are. Unless given it is `size_for(providers)`.
        providers: Vendors that will train on it, as slugs or classes.
        trigger: Takes the place of `[trigger]` and `{trigger}` in captions, which otherwise stay.

    Raises:
        DatasetError: An original can't be read, or the folder can't be written or holds something else.
        InvalidOptions: `size` is no number of pixels.
        ProviderNotFound: No plugin has a slug of `providers`.
        ConfigurationError: Pillow is not installed.
    """
    if size is None:
        size = size_for(providers)
    if size < 1:
        raise InvalidOptions(f"size: {size} is no number of pixels; give 1 or more")
    reading = taken(dataset, trigger).unbroken(but=NO_TRIGGER)
    if not reading.entries:
        raise DatasetError(f"{reading.name}: no images here to prepare; download those that are only URLs first")
    target = Path(out).resolve()  # what a link points to is replaced, not the link
    if not isinstance(dataset, Dataset) and target == Path(dataset).resolve():
        raise DatasetError(f"{target}: is the dataset itself; name another folder, so that the originals stay")
    _check_replaceable(target)
    with _replacing(target) as folder:
        images = [_prepared(entry, name, folder, size) for entry, name in _named(reading.entries)]
        _write_manifest(folder)
    return Preparation(folder=target, images=tuple(images))


def size_for(providers: Sequence[str | type[AnyProvider]]) -> int:
    """Pixels of the shorter side at which these vendors train, the most of them; 1024 if one does not tell, or of none.

    Raises:
        ProviderNotFound: No plugin has one of the slugs.
    """
    return max((kind.capabilities.images.trained_at or TRAINED_AT for kind in vendors(providers)), default=TRAINED_AT)


def _named(entries: Sequence[Entry]) -> Iterator[tuple[Entry, str]]:
    """Each image with a name of its own, also where upper and lower case are one."""
    used: set[str] = set()
    for entry in entries:
        stem = plain = PurePosixPath(entry.file).stem
        number = 1
        while stem.casefold() in used:
            number += 1
            stem = f"{plain}_{number}"
        used.add(stem.casefold())
        yield entry, stem


def _prepared(entry: Entry, stem: str, folder: Path, size: int) -> PreparedImage:
    from unified_train import dataset_pictures as pictures

    written = io.BytesIO()
    try:
        picture = pictures.upright(entry.image, size)
    except pictures.Undecodable as error:
        raise DatasetError(f"{entry.file}: {error}; {error.remedy}") from None
    if entry.image.media_type in _LOSSY:
        name = f"{stem}.jpg"
        picture.save(written, "JPEG", quality=QUALITY, subsampling=0, optimize=True)
    else:
        name = f"{stem}.png"
        picture.save(written, "PNG")
    (folder / name).write_bytes(written.getvalue())
    if entry.caption:
        (folder / f"{stem}.txt").write_text(f"{entry.caption}\n", encoding="utf-8")
    width, height = picture.size
    return PreparedImage(source=entry.file, file=name, width=width, height=height, caption=entry.caption)


def _write_manifest(folder: Path) -> None:
    digests = {path.name: _digest(path) for path in sorted(folder.iterdir())}
    (folder / MANIFEST).write_text(json.dumps({"files": digests}, indent=2) + "\n", encoding="utf-8")


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def _check_replaceable(target: Path) -> None:
    """Raise unless a folder is free to be filled, or holds nothing but what was written here."""
    if not target.exists():
        return
    if not target.is_dir():
        raise DatasetError(f"{target}: is a file; name a folder")
    paths = sorted(path for path in target.iterdir() if path.name != MANIFEST)
    ours = _ours(target / MANIFEST)
    for path in paths:
        if ours is None:
            raise DatasetError(f"{target}: is not empty, and was not made by a preparation; name another folder")
        if path.name not in ours or not path.is_file() or _digest(path) != ours[path.name]:
            raise DatasetError(f"{path}: was added or changed after the preparation; move it, or name another folder")


def _ours(manifest: Path) -> Mapping[str, str] | None:
    try:
        files = json.loads(manifest.read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return files if isinstance(files, dict) else None


@contextmanager
def _replacing(target: Path) -> Iterator[Path]:
    """A folder beside the target, which takes its place if all goes well and is gone if anything does not."""
    mark = token_hex(4)
    unfinished, replaced = (target.with_name(f".{target.name}.{mark}.{what}") for what in ("part", "old"))
    try:
        unfinished.mkdir(parents=True)
        yield unfinished
        if target.exists():
            target.rename(replaced)
        unfinished.rename(target)
    except OSError as error:
        raise DatasetError(f"{target}: can't be written ({error.strerror}); nothing was changed there") from None
    finally:
        if replaced.exists() and not target.exists():
            replaced.rename(target)
        for left in (unfinished, replaced):
            shutil.rmtree(left, ignore_errors=True)
