"""Pictures on their way to a folder: what they are called, which are there already, and which are none."""

from __future__ import annotations

import io
import re
import time
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING

from unified_train.errors import ConfigurationError, MalformedResponse
from unified_train.image_header import EXTENSIONS, is_cut_off, is_whole, read_header
from unified_train.images import Image

if TYPE_CHECKING:
    from pathlib import Path

    from unified_train.models import Job

LARGEST = 64 * 1024 * 1024
"""Bytes of a picture: four times what the largest that a vendor makes takes without any compression (2048 by 2048)."""
MOST_PIXELS = 100_000_000
"""Of a picture; a few kilobytes can claim any number, and whoever opens them finds the memory gone."""
LEFT_OVER = 3600.0
"""Seconds after which an unfinished file belongs to nobody: one is written in a moment."""

_LONGEST_ID = 80  # characters; with all that is added the name stays below 143, the least that file systems take
_PLAIN = re.compile(rf"[a-z0-9_-]{{1,{_LONGEST_ID}}}")
_UNFINISHED = re.compile(rf"\.[\w.-]+-\d{{2,}}\.({'|'.join(EXTENSIONS.values())})\.[0-9a-f]{{16}}\.part", re.ASCII)


def stem(provider: str, job_id: str, number: int) -> str:
    """A picture's file name without its extension, such as `novita-3c0f0a52-00`; one name for one picture.

    A vendor's id can be anything. It stays as it is if it is short and of lower-case letters, digits, `_` and `-`.
    Of any other only such characters are kept, and a digest of the whole is added after a dot, which no plain name
    has. (Upper case counts as other, since many file systems don't tell it from lower case.)
    """
    name = f"{provider}-{job_id}"
    if "-" in provider or not (_PLAIN.fullmatch(provider) and _PLAIN.fullmatch(job_id)):
        readable = re.sub(r"[^A-Za-z0-9_]+", "-", name).strip("-")[:_LONGEST_ID]
        # The length tells where the id begins.
        whole = f"{len(provider)}:{name}".encode("utf-8", "surrogatepass")
        name = f"{readable}.{sha256(whole).hexdigest()[:12]}"
    return f"{name}-{number:02}"


def check(data: bytes, job: Job, number: int) -> str:
    """The extension of a picture that may be kept, such as `png`.

    Raises:
        MalformedResponse: It is no image, not the whole of one, or too large to be an honest one.
    """
    header = read_header(io.BytesIO(data))
    if len(data) > LARGEST:
        why = f"{len(data):,} bytes; more than {LARGEST:,} are taken for no picture"
    elif is_cut_off(data):
        why = f"{len(data):,} bytes, and cut off before its end; download it again later"
    elif header is None:
        why = f"{len(data):,} bytes, but no image"
    elif (header.width or 0) * (header.height or 0) > MOST_PIXELS:
        why = f"{header.width:,} by {header.height:,} pixels; more than {MOST_PIXELS:,} are taken for no picture"
    else:
        return EXTENSIONS[header.media_type]
    raise MalformedResponse(
        f"picture {number} of {job.reference} is {why}", provider=job.provider, operation="generation.fetch"
    )


def prepare(folder: Path) -> None:
    """Make a folder, and remove from it what died writers of this library have left unfinished, if it is old.

    Raises:
        ConfigurationError: It can't be used as a folder.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        names = [path for path in folder.iterdir() if _UNFINISHED.fullmatch(path.name)]
    except OSError as error:
        raise ConfigurationError(
            f"{folder}: can't be used as a folder for pictures ({error.strerror}); name another"
        ) from None
    for path in names:
        with suppress(OSError):  # gone already, or somebody else's
            if time.time() - path.lstat().st_mtime > LEFT_OVER:
                path.unlink()


def finished(folder: Path, name: str) -> Image | None:
    """The picture that a download of earlier has put into a folder under this stem; None if there is none.

    A file gets its name only when it is written and checked, so that the name is proof. What has happened to it since
    is not known: one that is no whole image any more does not count.
    """
    for media_type, extension in EXTENSIONS.items():
        path = folder / f"{name}.{extension}"
        try:
            if path.is_symlink() or path.stat().st_size > LARGEST:
                continue
            data = path.read_bytes()
        except OSError:
            continue
        header = read_header(io.BytesIO(data))
        if header is not None and header.media_type == media_type and is_whole(data):
            return _kept(path, data)
    return None


def save(folder: Path, name: str, data: bytes) -> Image:
    """Write a picture into a folder, see `Image.save`."""
    return _kept(Image(name=name, data=data).save(folder / name), data)


def _kept(path: Path, data: bytes) -> Image:
    """The image at a path, whose digest is known without reading it again."""
    image = Image.of(path)
    image.sha256 = sha256(data).hexdigest()
    return image
