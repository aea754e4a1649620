"""Look at training images before anything is paid for, and say what will go wrong and what is probably not meant.

>>> from unified_train.dataset_check import check_dataset
>>> for finding in check_dataset("photos", trigger="ohwx").findings:  # doctest: +SKIP
...     print(finding.severity, finding.sentence)
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from unified_train import dataset_formats, plugins
from unified_train.dataset import Dataset, UploadedImage
from unified_train.dataset_findings import CheckedImage, Finding, Report
from unified_train.dataset_formats import Entry, Reading, broken_header
from unified_train.errors import DatasetError
from unified_train.provider import check_image

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from unified_train.dataset_pictures import Look
    from unified_train.provider import AnyProvider

Source: TypeAlias = str | PathLike[str] | Dataset
"""What can be checked, prepared and shown: the path of a folder or zip archive, or a dataset that was read before."""

SMALLEST_SIDE = 512
"""Pixels of the shorter side. Trainers work at 512 to 1,024 pixels and enlarge what is smaller."""
ALIKE = 9
"""Bits of 64 in which the fingerprints of near-duplicates differ at most. Copies of thirteen photographs that were
encoded anew, resized, brightened, turned by 2 degrees or cut by 2 % differ in 0 to 9. No two of the photographs, ten
of them of one cat, differ in fewer than 15; of 21,528 pairs of other cuttings of them two differ in fewer than 10: one
in ten thousand."""
SHARP = 16.0
"""Sharpness below which a picture is called blurred. Thirteen photographs measure 53 to 5,700, and 19 and more with
everything but a ninth of them blurred. Blurred with a radius of 2 pixels at 512, eleven of the thirteen measure 7 to
14, and with 3 pixels all of them do. Shaken pictures, which are blurred in one direction only, may pass."""
_PLAIN = {"RGB", "RGBA", "L", "LA", "P", "PA", "1"}
_PREPARE = "run `unified-train dataset prepare`"
_SUFFIXES = {"jpg": "jpeg", "tif": "tiff"}


def check_dataset(
    dataset: Source, *, providers: Sequence[str | type[AnyProvider]] | None = None, trigger: str | None = None
) -> Report:
    """Read a dataset, look at every picture, and report errors and hints.

    Args:
        dataset: Its path, or a `Dataset`, of which images that are only a URL or at a vendor are left out.
        providers: Vendors whose limits count, as slugs or classes; all that are installed unless named.
        trigger: See `Dataset.read`.

    Raises:
        DatasetError: There is no dataset at all: no such folder or archive, or no image in it.
        ProviderNotFound: No plugin has a slug of `providers`.
        ConfigurationError: Pillow is not installed.
    """
    return report_on(taken(dataset, trigger), vendors(providers), trigger)


def taken(dataset: Source, trigger: str | None) -> Reading:
    """What is to be checked, prepared or shown, with its captions as they would be sent."""
    if isinstance(dataset, str | PathLike):
        found = dataset_formats.read(Path(dataset))
        return found.with_captions(trigger or found.trigger)
    here = [image for image in dataset.images if not isinstance(image, UploadedImage) and not image.remote]
    names = Counter[str]()
    entries: list[Entry] = []
    for image in here:
        names[image.name] += 1  # images in memory may all have one name
        name = image.name if names[image.name] == 1 else f"{image.name} ({names[image.name]})"
        entries.append(Entry(name, image, image.caption))
    return Reading("dataset", tuple(entries), trigger=dataset.trigger, class_word=dataset.class_word)


def vendors(providers: Sequence[str | type[AnyProvider]] | None) -> list[type[AnyProvider]]:
    """The classes of the vendors that are named, or of all that can be loaded."""
    if providers is None:
        return list(plugins.load_all().providers)
    return [plugins.load(item) if isinstance(item, str) else item for item in providers]


def report_on(reading: Reading, providers: Sequence[type[AnyProvider]], trigger: str | None = None) -> Report:
    """Check what was read."""
    seen = [_seen(entry) for entry in reading.entries]
    findings = [
        *reading.findings,
        *_limits_on_number(reading, providers),
        *_captions(reading.entries),
        *_triggers(reading.entries, trigger or reading.trigger),
        *_likenesses(seen),
        *(finding for one in seen for finding in (*one.findings, *_limits(one, providers))),
    ]
    place = {entry.file: number for number, entry in enumerate(reading.entries)}
    unique = dict.fromkeys(findings)  # an image that is none was told of when it was read
    ordered = sorted(unique, key=lambda item: (place.get(item.file or "", -1), item.severity))
    return Report(dataset=reading.name, images=tuple(one.checked for one in seen), findings=tuple(ordered))


@dataclass(frozen=True, slots=True)
class _Seen:
    """An image that was looked at."""

    entry: Entry
    checked: CheckedImage
    look: Look | None
    findings: tuple[Finding, ...]


def _hint(file: str | None, code: str, message: str, remedy: str) -> Finding:
    return Finding(file=file, severity="hint", code=code, message=message, remedy=remedy)


def _seen(entry: Entry) -> _Seen:
    from unified_train import dataset_pictures as pictures

    broken = broken_header(entry.file, entry.image)
    if broken:
        nothing = CheckedImage(
            file=entry.file, media_type=None, width=None, height=None, bytes=0, caption=entry.caption
        )
        return _Seen(entry, nothing, None, (broken,))
    header = entry.image.header
    checked = CheckedImage(
        file=entry.file,
        media_type=header.media_type,
        width=header.width,
        height=header.height,
        bytes=entry.image.size,
        caption=entry.caption,
    )
    try:
        look = pictures.look(entry.image)
    except pictures.Undecodable as error:
        finding = Finding(file=entry.file, severity="error", code=error.code, message=str(error), remedy=error.remedy)
        return _Seen(entry, checked, None, (finding,))
    if header.width is None:
        checked = checked.model_copy(update={"width": look.width, "height": look.height})
    return _Seen(entry, checked, look, tuple(_oddities(entry, look)))


def _oddities(entry: Entry, look: Look) -> Iterator[Finding]:
    """What the picture itself gives cause to say."""
    file, kind = entry.file, entry.image.extension
    suffix = Path(file).suffix.lower().removeprefix(".")
    if suffix and _SUFFIXES.get(suffix, suffix) != kind:
        yield _hint(file, "wrong-suffix", f"is {kind}, whatever its name says", f"rename it to end with .{kind}")
    if min(look.width, look.height) < SMALLEST_SIDE:
        yield _hint(
            file,
            "small",
            f"{look.width} × {look.height} pixels, and trainers enlarge what has fewer than {SMALLEST_SIDE}",
            "use a larger picture",
        )
    if look.sharpness is not None and look.sharpness < SHARP:
        yield _hint(file, "blurred", "nothing in it is sharp, and a training learns that too", "use a sharper picture")
    if look.turned:
        yield _hint(file, "turned", "lies on its side or is mirrored for whoever does not read EXIF", _PREPARE)
    if look.located:
        yield _hint(file, "located", "tells where it was taken (GPS), and would tell the vendor", _PREPARE)
    if look.transparent:
        yield _hint(
            file,
            "transparent",
            "has transparent parts, which trainers fill with a colour of theirs",
            f"{_PREPARE}, which makes them white",
        )
    if look.moving:
        yield _hint(file, "moving", "has several frames, of which the first counts at most", _PREPARE)
    if look.mode not in _PLAIN:
        yield _hint(file, "unusual-colours", f"has pixels of the kind {look.mode}, which few trainers expect", _PREPARE)


def _limits_on_number(reading: Reading, providers: Sequence[type[AnyProvider]]) -> Iterator[Finding]:
    count = len(reading.entries)
    for provider in providers:
        rules, title = provider.capabilities.images, provider.title
        if count < rules.minimum:
            told = f"{count} images, and {title} needs at least {rules.minimum}"
            yield _refused(provider, None, "vendor-too-few", told, "add some")
        if rules.maximum is not None and count > rules.maximum:
            told = f"{count} images, and {title} takes at most {rules.maximum}"
            yield _refused(provider, None, "vendor-too-many", told, "leave some out")


def _limits(seen: _Seen, providers: Sequence[type[AnyProvider]]) -> Iterator[Finding]:
    """By the same rules, in the same words, as before a training."""
    if seen.checked.media_type is None:
        return
    image = seen.entry.image
    for provider in providers:
        try:
            check_image(image, provider.capabilities.images, provider.title)
        except DatasetError as error:
            told, _, remedy = error.message.removeprefix(f"{image.name}: ").rpartition("; ")
            yield _refused(provider, seen.entry.file, "vendor-refuses-image", told, remedy)


def _refused(provider: type[AnyProvider], file: str | None, code: str, message: str, remedy: str) -> Finding:
    return Finding(file=file, severity="error", code=code, message=message, remedy=remedy, provider=provider.slug)


def _captions(entries: Sequence[Entry]) -> Iterator[Finding]:
    """All or none is fine; some is an oversight, as a rule."""
    without = [entry for entry in entries if not entry.caption]
    if entries and len(without) == len(entries):
        yield _hint(
            None, "no-captions", "no image has a caption", "write what each shows into a .txt beside it, if it matters"
        )
        return
    for entry in without:
        told = f"has no caption, though {len(entries) - len(without)} of {len(entries)} images have one"
        yield _hint(entry.file, "caption-missing", told, "write one")


def _triggers(entries: Sequence[Entry], trigger: str | None) -> Iterator[Finding]:
    """As for captions: a trigger belongs into all of them or into none."""
    captioned = [entry for entry in entries if entry.caption]
    if trigger is None or not captioned:
        return
    word = re.compile(rf"(?<!\w){re.escape(trigger)}(?!\w)", re.IGNORECASE)
    without = [entry for entry in captioned if not word.search(entry.caption or "")]
    having = len(captioned) - len(without)
    if not having:
        return
    for entry in without:
        told = f"the caption lacks the trigger {trigger}, though {having} of {len(captioned)} have it"
        yield _hint(entry.file, "trigger-missing", told, f"put {trigger} in")


def _likenesses(seen: Sequence[_Seen]) -> Iterator[Finding]:
    """Each picture that looks like an earlier one, once."""
    known: list[tuple[int, Entry]] = []
    for one in seen:
        fingerprint = one.look.fingerprint if one.look else None
        if fingerprint is None:
            continue
        near = [((fingerprint ^ other).bit_count(), entry) for other, entry in known]
        distance, twin = min(near, key=lambda item: item[0], default=(ALIKE + 1, one.entry))
        if distance <= ALIKE:
            same = distance == 0 and twin.image.sha256 == one.entry.image.sha256
            code, told = ("duplicate", "is the same file as") if same else ("near-duplicate", "looks nearly like")
            yield _hint(one.entry.file, code, f"{told} {twin.file}", "keep one, unless it should count double")
        known.append((fingerprint, one.entry))


__all__ = [
    "ALIKE",
    "SHARP",
    "SMALLEST_SIDE",
    "CheckedImage",
    "Finding",
    "Report",
    "Source",
    "check_dataset",
]
