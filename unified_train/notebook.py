"""How values show themselves in a notebook: small pieces of HTML, and pictures.

Everything that comes from somebody else (names, captions, what a vendor says) is escaped, shortened and free of
signatures; nothing is loaded from a network; and nothing here raises, since a value that can't be shown is no mistake
of the cell that shows it. Pillow makes thumbnails if it is there; without it small pictures are shown as they are.
"""

from __future__ import annotations

import io
from base64 import b64encode
from html import escape
from typing import TYPE_CHECKING

from unified_train import redact
from unified_train.errors import ConfigurationError, DatasetError
from unified_train.images import Image
from unified_train.status import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from unified_train.compare import Comparison
    from unified_train.dataset import Dataset, UploadedImage
    from unified_train.models import GeneratedImage, Job

LARGEST_PICTURE = 8 * 2**20
"""Bytes of a picture that is put into a notebook as it is; a notebook keeps what it shows."""
LARGEST_THUMBNAIL = 128 * 2**10
"""Bytes of a training image that stands for its own thumbnail where there is no Pillow."""
MOST_THUMBNAILS = 24
_THUMBNAIL, _REDUCED = 160, 1024  # pixels of the shorter side
_LONGEST_TEXT = 400
_CELL = "text-align:left;vertical-align:top;padding:1px 12px 1px 0"
_SHOWN_BY_BROWSERS = {"image/png", "image/jpeg", "image/webp", "image/gif", "image/bmp", "image/avif"}
_COLOURS = {
    Status.QUEUED: "#57606a",
    Status.RUNNING: "#0a58b8",
    Status.SUCCEEDED: "#1a7337",
    Status.FAILED: "#b3261e",
    Status.CANCELED: "#57606a",
    Status.UNKNOWN: "#8a5a00",
}
"""Dark enough for white letters, on light and dark pages alike."""


class _Html(str):
    """Text that is HTML already."""

    __slots__ = ()


# -- jobs and pictures that vendors hold -------------------------------------------------------------------------------


def job_html(job: Job) -> str:
    """A job as a table of what is known of it; the vendor's raw record and your labels are left out."""
    counted = f"{len(job.images)} of {job.n}" if job.n else str(len(job.images) or "")
    why = f"{job.error.message} {job.error.hint or ''}" if job.error else None
    rows: list[tuple[str, str | None]] = [
        ("the vendor says", ", ".join(filter(None, [job.raw_status, job.phase]))),
        ("progress", _progress(job)),
        ("name", job.name),
        ("trained on", job.base_model),
        ("model", job.model.id if job.model else None),
        ("pictures", counted if job.kind == "generation" else None),
        ("cost", f"{job.cost.amount:g} {job.cost.unit}" if job.cost else None),
        ("error", why),
        *(("note", note) for note in job.notes),
        ("started", _moment(job.created_at)),
        ("last looked at", _moment(job.updated_at)),
        ("key", job.key),
    ]
    badge = f'<span style="background:{_COLOURS[job.status]};color:#fff;border-radius:4px;padding:1px 6px">'
    title = f"<b>{job.kind}</b> <code>{_text(job.reference)}</code> {badge}{job.status}</span>"
    return _box(title, _table(rows))


def generated_html(image: GeneratedImage) -> str:
    """What is known of a picture that only the vendor has."""
    size = f"{image.width} × {image.height}" if image.width and image.height else None
    rows = [
        ("kind", image.media_type),
        ("pixels", size),
        ("seed", None if image.seed is None else str(image.seed)),
        ("safety", image.safety),
        ("bytes", _Html("at the vendor; <code>client.download(job)</code> brings them")),
    ]
    return _box(f"<b>generated image</b> <code>{_text(image.id)}</code>", _table(rows))


def _progress(job: Job) -> str | None:
    if job.progress is None or job.finished:
        return None
    left = f", about {job.eta / 60:.0f} min left" if job.eta else ""
    return _Html(f'<progress value="{job.progress:.3f}" max="1"></progress> {job.progress:.0%}{left}')


def _moment(at: datetime | None) -> str | None:
    return None if at is None else f"{at:%Y-%m-%d %H:%M:%S %Z}"


# -- images ------------------------------------------------------------------------------------------------------------


def picture_bytes(image: Image, media_type: str) -> bytes | None:
    """The bytes of an image, if it is of this kind, here, and not too large for a notebook."""
    try:
        fits = not image.remote and image.media_type == media_type and image.size <= LARGEST_PICTURE
        return image.read() if fits else None
    except (DatasetError, OSError):
        return None


def image_html(image: Image) -> str | None:
    """An image that is neither PNG nor JPEG, too large, or not here; None for one that shows itself as what it is."""
    try:
        if image.remote:
            return _box(f"<b>image</b> {_text(image.name)}", _table([("URL", image.url)]))
        kind, size = image.media_type, image.size
        if size > LARGEST_PICTURE or kind not in _SHOWN_BY_BROWSERS:
            facts = f"{kind}, {size:,} bytes"
            return _figure(_reduced(image, _REDUCED) or "", f"{image.name}: {facts}")
        if kind in {"image/png", "image/jpeg"}:
            return None
        return _figure(_data_uri(image.read(), kind), image.name)
    except (DatasetError, OSError) as error:
        return _box(f"<b>image</b> {_text(image.name)}", _table([("can't be shown", str(error))]))


def dataset_html(dataset: Dataset) -> str:
    """A dataset as thumbnails with captions."""
    words = [f"{len(dataset.images)} images", dataset.trigger and f"trigger {dataset.trigger}", dataset.class_word]
    shown = "".join(_thumbnail(image) for image in dataset.images[:MOST_THUMBNAILS])
    more = len(dataset.images) - MOST_THUMBNAILS
    rest = f"<p>and {more} more</p>" if more > 0 else ""
    title = f"<b>dataset</b> {' · '.join(_text(word) for word in words if word)}"
    return _box(title, f'<div style="display:flex;flex-wrap:wrap;gap:8px">{shown}</div>{rest}')


def _thumbnail(image: Image | UploadedImage) -> str:
    if not isinstance(image, Image):
        return _figure("", f"{image.name} (at {image.provider})", image.caption)
    if image.remote:
        return _figure("", f"{image.name} (a URL)", image.caption)
    return _figure(_reduced(image, _THUMBNAIL) or _whole(image), image.name, image.caption)


def _whole(image: Image) -> str:
    """A small file as its own thumbnail; nothing if it is large, missing or no image."""
    try:
        if image.size <= LARGEST_THUMBNAIL and image.media_type in _SHOWN_BY_BROWSERS:
            return _data_uri(image.read(), image.media_type)
    except (DatasetError, OSError):
        pass
    return ""


def _reduced(image: Image, side: int) -> str | None:
    """A small copy without camera data; None if there is no Pillow, or if it can't decode the picture."""
    try:
        from unified_train.dataset_pictures import Undecodable, upright
    except ConfigurationError:
        return None
    try:
        picture = upright(image, side)
    except Undecodable:
        return None
    picture.thumbnail((2 * side, 2 * side))  # of a very long one the shorter side alone says little
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=82)
    return _data_uri(file.getvalue(), "image/jpeg")


def _data_uri(data: bytes, media_type: str) -> str:
    return f"data:{media_type};base64,{b64encode(data).decode()}"


def _figure(source: str, name: str, caption: str | None = None) -> str:
    shown = f'<img src="{source}" alt="" style="max-width:100%;max-height:512px">' if source else ""
    below = f"<br>{_text(caption)}" if caption else ""
    style = "margin:0;overflow-wrap:anywhere" + (f";width:{_THUMBNAIL}px" if caption is not None else "")
    return f'<figure style="{style}">{shown}<figcaption><small>{_text(name)}{below}</small></figcaption></figure>'


# -- comparisons -------------------------------------------------------------------------------------------------------


def comparison_html(comparison: Comparison) -> str:
    """One row for each vendor; the pictures are in the report, whose folder a comparison does not know."""
    from unified_train.compare.summary import HEADINGS, summarise

    asked = f"{len(comparison.prompts)} prompts × {len(comparison.seeds)} seeds"
    rows = [summarise(comparison, entrant).row for entrant in comparison.entrants]
    head = "".join(f'<th style="{_CELL}">{_text(name)}</th>' for name in HEADINGS)
    return _box(
        f"<b>comparison</b> {_text(comparison.title)} · {asked}",
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(map(_row, rows))}</tbody></table>",
    )


# -- HTML --------------------------------------------------------------------------------------------------------------


def _box(title: str, content: str) -> str:
    return f"<div><div>{title}</div>{content}</div>"


def _table(rows: Iterable[tuple[str, str | None]]) -> str:
    """A table of names and values, without those that have none."""
    return f"<table><tbody>{''.join(_row(row) for row in rows if row[1])}</tbody></table>"


def _row(cells: Sequence[str | None]) -> str:
    return f"<tr>{''.join(_cell(cell or '') for cell in cells)}</tr>"


def _cell(value: str) -> str:
    return f'<td dir="auto" style="{_CELL}">{value if isinstance(value, _Html) else _text(value)}</td>'


def _text(value: str) -> str:
    """Somebody's text, safe inside HTML and inside a quoted attribute."""
    line = "".join(letter if letter.isprintable() else " " for letter in redact.text(value[: 10 * _LONGEST_TEXT]))
    return escape(line if len(line) <= _LONGEST_TEXT else f"{line[: _LONGEST_TEXT - 1]}…", quote=True)
