"""Writing a report: pictures into place, the manifest, and one HTML file that needs no other."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from unified_train.compare import folder as folders
from unified_train.compare import page, renditions
from unified_train.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike

    from unified_train.compare.comparison import Comparison
    from unified_train.images import Image


def write_report(comparison: Comparison, folder: str | PathLike[str], *, images: Iterable[Image] = ()) -> Path:
    """Write `report.html`, `manifest.json` and the pictures, and return the path of the HTML file.

    The HTML embeds every picture twice: as a thumbnail of up to 480 pixels, and up to 1,600 pixels large. Both
    together take at most 24 MiB for all pictures (32 MiB as base64): with more pictures they become smaller, down to
    256 and 512 pixels. Sixteen pictures of 1,024 × 1,024 take some 3 MB. The originals lie in `pictures/`, unchanged.

    Args:
        comparison: What to show.
        folder: Must be empty, or hold a report of the same comparison, or nothing but the comparison's own pictures.
        images: Generated pictures that are not in the folder yet, and training images: each is found by its SHA-256,
            so that the order is of no account. A training image that is missing, or that can't be decoded, is shown
            by its name only.

    Raises:
        ConfigurationError: The folder holds something else, can't be written, or an extra is not installed; there is
            no half report under the final name.
        DatasetError: A picture is missing, was changed since, or can't be decoded.
    """
    path = folders.check_folder(folder, comparison)
    page.jinja()
    renditions.pillow()
    found = {image.sha256: image for image in images if not image.remote}
    hashes = _place_pictures(comparison, path, found)
    hashes |= _place_photos(comparison, path, found)
    content = page.render(comparison, _renditions(comparison, path), _photos(comparison, path))
    folders.write_whole(
        [
            (path / folders.MANIFEST, lambda: folders.manifest(comparison, hashes)),
            (path / folders.REPORT, partial(content.encode, errors="replace")),
        ]
    )
    return path / folders.REPORT


def rebuild(folder: str | PathLike[str]) -> Path:
    """Write the HTML file anew from the manifest and the pictures of a report's folder, and return its path.

    Raises:
        ConfigurationError: There is no manifest, or the folder can't be written.
        DatasetError: A picture is missing, or was changed since.
    """
    return write_report(folders.read_manifest(Path(folder) / folders.MANIFEST), folder)


def _place_pictures(comparison: Comparison, path: Path, found: dict[str, Image]) -> dict[str, str]:
    """See to it that every picture is in the folder, with the bytes that it had; return the hashes by file."""
    for picture in comparison.pictures:
        target = path / picture.file
        present = folders.file_hash(target)
        if present == picture.sha256:
            continue
        if present is not None:
            raise DatasetError(f"{target}: was changed since the comparison was made; put the original back")
        if picture.sha256 not in found:
            raise DatasetError(f"{target}: is missing; put the picture back")
        folders.write_whole([(target, found[picture.sha256].read)])
    return {picture.file: picture.sha256 for picture in comparison.pictures}


def _place_photos(comparison: Comparison, path: Path, found: dict[str, Image]) -> dict[str, str]:
    """Put small renditions of the training images into the folder; the images themselves stay where they are."""
    hashes: dict[str, str] = {}
    recorded = folders.recorded_hashes(path)
    for sha256 in _trained_on(comparison):
        target = folders.photo_file(path, sha256)
        if not target.exists() and sha256 in found:
            with suppress(DatasetError):  # a picture of the training set that can't be shown is no reason for no report
                folders.write_whole([(target, partial(renditions.photo, found[sha256]))])
        present = folders.file_hash(target)
        name = target.relative_to(path).as_posix()
        if present != recorded.get(name, present):
            raise DatasetError(f"{target}: is missing or was changed since the report was written; put it back")
        if present:
            hashes[name] = present
    return hashes


def _photos(comparison: Comparison, path: Path) -> dict[str, str]:
    """Data URIs of the training images' renditions, by the hashes of the images."""
    files = {sha256: folders.photo_file(path, sha256) for sha256 in _trained_on(comparison)}
    return {sha256: renditions.data_uri(file.read_bytes()) for sha256, file in files.items() if file.exists()}


def _trained_on(comparison: Comparison) -> list[str]:
    photos = comparison.training.photos if comparison.training else ()
    return [photo.sha256 for photo in photos if photo.sha256]


def _renditions(comparison: Comparison, path: Path) -> list[renditions.Rendition]:
    files = [path / picture.file for picture in comparison.pictures]
    return renditions.render([file.read_bytes for file in files], [str(file) for file in files])
