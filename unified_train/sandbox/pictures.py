"""The generated pictures: made of the training photos, so that a person sees the trained subject in another style."""

from __future__ import annotations

import io
import random
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps, ImageStat

from unified_train.sandbox import brushes, extras
from unified_train.sandbox.looks import LOOKS
from unified_train.sandbox.palettes import mood

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unified_train.sandbox.palettes import Mood, Palette

_FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/jpg": "JPEG", "image/webp": "WEBP"}
# Quick rather than small: these files travel over loopback.
_SAVING: dict[str, dict[str, int]] = {
    "PNG": {"compress_level": 1, "compress_type": zlib.Z_RLE},
    "JPEG": {"quality": 90},
    "WEBP": {"quality": 88, "method": 1},
}
_LARGEST_SIDE = 768  # what is larger is made at this size and enlarged
_CHOICE = 3  # photos that are looked at for one picture
_HALF = 0.5
_ROOM = 1.06  # around the picture, for turning it


def compose(
    photos: Sequence[bytes],
    *,
    prompt: str,
    seed: int,
    width: int,
    height: int,
    look: str,
    media_type: str = "image/png",
    faithful: bool = True,
) -> bytes:
    """A picture of `width` times `height` pixels. The same arguments give the same bytes.

    Prompt and seed choose the photos, their crop and the colours; some words, such as snow, night or astronaut, are
    understood. For the same prompt and seed every look takes the same photos, which makes the looks comparable.

    Args:
        photos: encoded training photos; those that Pillow cannot read are left out.
        prompt: what to show.
        seed: another one, another picture.
        width: pixels.
        height: pixels.
        look: the style: `scenario`, `alibaba` or `novita`.
        media_type: `image/png`, `image/jpeg` or `image/webp`.
        faithful: False shows something else than the subject, as a vendor does whose model was not addressed.

    Raises:
        ValueError: the size is not positive, or the look or the media type is not one of these.
    """
    if min(width, height) < 1:
        raise ValueError(f"A picture has at least one pixel, not {width} times {height}.")
    if look not in LOOKS:
        raise ValueError(f"A look is one of {', '.join(LOOKS)}, not {look}.")
    if media_type not in _FORMATS:
        raise ValueError(f"A picture's media type is one of {', '.join(_FORMATS)}, not {media_type}.")
    rng = random.Random(f"{seed}\n{prompt}")  # noqa: S311  # pictures, not secrets
    scale = min(1.0, _LARGEST_SIDE / max(width, height))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    asked = mood(prompt, rng)
    source = (faithful and _subject(photos, size, asked, seed, rng)) or _elsewhere(size, asked.palette, rng)
    picture = LOOKS[look].paint(source, asked, rng)
    picture = extras.draw(picture, asked.extras, asked.palette, rng)
    picture = LOOKS[look].finish(picture, asked)
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    return _encoded(_marked(picture), _FORMATS[media_type])


def _subject(
    photos: Sequence[bytes], size: brushes.Size, asked: Mood, seed: int, rng: random.Random
) -> Image.Image | None:
    """One of the photos, or four of them side by side; None if none can be read."""
    if asked.panels == 1:
        return _shot(photos, size, seed, rng)
    gap = round(min(size) * 0.012)
    part = max(1, (size[0] - gap) // 2), max(1, (size[1] - gap) // 2)
    sheet = brushes.flat(size, asked.palette.mid)
    for number in range(asked.panels):
        shot = _shot(photos, part, seed + number, rng)
        if shot is None:
            return None
        sheet.paste(shot, (number % 2 * (part[0] + gap), number // 2 * (part[1] + gap)))
    return sheet


def _shot(photos: Sequence[bytes], size: brushes.Size, seed: int, rng: random.Random) -> Image.Image | None:
    order = list(range(len(photos)))
    random.Random(len(photos)).shuffle(order)  # noqa: S311  # as above
    # Seeds that follow each other choose from different photos: a batch is not four times the same pose.
    step = min(len(order), _CHOICE) or 1
    candidates = [_decoded(photos[index], size) for index in order[seed % step :: step][:_CHOICE]]
    readable = [found for found in candidates if found is not None]
    if not readable:
        return next((_cropped(found[0], size, rng) for data in photos if (found := _decoded(data, size))), None)
    best, _ = max(readable, key=lambda found: found[1])
    return _cropped(best, size, rng)


def _detail(photo: Image.Image) -> float:
    """How much there is to see: more in a portrait than in a close-up of fur, which makes a poor picture."""
    small = photo.resize((64, 64), Image.Resampling.BILINEAR).convert("L")
    return ImageStat.Stat(small.filter(ImageFilter.FIND_EDGES)).mean[0]


@lru_cache(maxsize=12)  # one training's photos: each is looked at for many pictures
def _decoded(data: bytes, size: brushes.Size) -> tuple[Image.Image, float] | None:
    """The photo and how much there is to see on it."""
    try:
        with Image.open(io.BytesIO(data)) as opened:
            opened.draft("RGB", size)
            photo = ImageOps.exif_transpose(opened).convert("RGB")
            return photo, _detail(photo)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None


def _cropped(photo: Image.Image, size: brushes.Size, rng: random.Random) -> Image.Image:
    """The photo at this size: sometimes mirrored, a little turned, a little moved."""
    if rng.random() < _HALF:
        photo = ImageOps.mirror(photo)
    centring = 0.5 + rng.uniform(-0.15, 0.15), 0.5 + rng.uniform(-0.15, 0.05)
    larger = round(size[0] * _ROOM) + 1, round(size[1] * _ROOM) + 1
    fitted = ImageOps.fit(photo, larger, Image.Resampling.BILINEAR, centering=centring)
    fitted = fitted.rotate(rng.uniform(-2.5, 2.5), Image.Resampling.BILINEAR)
    left, top = (larger[0] - size[0]) // 2, (larger[1] - size[1]) // 2
    return fitted.crop((left, top, left + size[0], top + size[1]))


def _elsewhere(size: brushes.Size, palette: Palette, rng: random.Random) -> Image.Image:
    """A landscape: hills under a sun, visibly nothing of the photos."""
    width, height = size
    sky = ImageOps.colorize(Image.linear_gradient("L").resize(size), palette.mid, palette.light)
    pen = ImageDraw.Draw(sky)
    x, y, radius = width * rng.uniform(0.25, 0.75), height * 0.33, min(size) * 0.13
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=palette.light)
    for layer, share in enumerate((0.15, 0.5, 0.9)):
        colour = brushes.between((palette.light, palette.mid, palette.dark), share)
        base, swing = height * (0.5 + 0.15 * layer), height * 0.09
        steps = [(width * step / 8, base + rng.uniform(-swing, swing)) for step in range(-1, 10)]
        pen.polygon([*brushes.rounded(steps), (width, height), (0, height)], fill=colour)
    return sky


def _marked(picture: Image.Image) -> Image.Image:
    """The picture with a small mark in the lower right corner, so that nobody takes it for a vendor's."""
    side = min(picture.size)
    mark, shadow = _mark(max(7, round(side * 0.028)))
    place = picture.width - mark.width - round(side * 0.035), picture.height - mark.height - round(side * 0.035)
    picture.paste((0, 0, 0), place, shadow)
    picture.paste((255, 255, 255), place, mark)
    return picture


@lru_cache(maxsize=8)
def _mark(size: int) -> tuple[Image.Image, Image.Image]:
    """The mark, and its soft shadow: white on that can be read on any ground."""
    font = ImageFont.load_default(size)
    left, top, right, bottom = font.getbbox("sandbox")
    mask = Image.new("L", (int(right - left) + 2 * size, int(bottom - top) + size))
    ImageDraw.Draw(mask).text((size - left, size / 2 - top), "sandbox", fill=235, font=font)
    blurred = mask.filter(ImageFilter.GaussianBlur(mask.height * 0.16))
    return mask, brushes.curve(blurred, lambda level: min(level * 2.2, 0.6))


def _encoded(picture: Image.Image, kind: str) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **_SAVING[kind])
    return file.getvalue()
