"""One visible style per vendor, so that a comparison has something to show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

from unified_train.sandbox import brushes

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from unified_train.sandbox.palettes import Mood

_INK = (16, 12, 18)
_DOTS_BELOW = 0.275  # the shades alone are printed in dots


def painterly(photo: Image.Image, mood: Mood, rng: random.Random) -> Image.Image:
    """An oil painting in warm light: flat dabs, ridges of paint, canvas, a soft vignette."""
    size, palette = photo.size, mood.palette
    # The mode filter is what makes dabs; small, since it is slow, and since dabs are large.
    small = photo.resize((max(1, size[0] // 3), max(1, size[1] // 3)), Image.Resampling.BOX)
    dabs = small.filter(ImageFilter.ModeFilter(5)).resize(size, Image.Resampling.BICUBIC)
    picture = ImageChops.soft_light(dabs, brushes.mixed(dabs, photo, 0.4))
    ridges = brushes.mixed(picture, photo, 0.4).convert("L").filter(ImageFilter.EMBOSS)
    strokes = brushes.strokes(small.size, rng, angle=rng.choice((28, -28)), length=5).resize(size)
    picture = brushes.textured(picture, ImageChops.overlay(ridges, ridges), 0.8)
    picture = brushes.textured(picture, strokes, 0.45)
    grade = brushes.ramp(picture.convert("L"), (palette.dark, palette.mid, palette.light))
    picture = brushes.mixed(picture, grade, 0.85 * mood.strength)
    warmth = 0.75 - 0.65 * mood.strength  # a snowy or nightly picture must not turn brown
    return brushes.mixed(picture, ImageChops.soft_light(picture, brushes.flat(size, (255, 190, 110))), warmth)


def studio(photo: Image.Image, mood: Mood, rng: random.Random) -> Image.Image:
    """A soft studio portrait: the subject in an oval of light before a coloured glow and lights out of focus."""
    size, palette = photo.size, mood.palette
    backdrop = brushes.ramp(
        brushes.halo(size, inner=0.1, outer=1.0), (palette.dark, palette.mid, palette.accent, palette.light)
    )
    backdrop = ImageChops.screen(backdrop, _bokeh(size, palette.accent, rng))
    soft = ImageChops.screen(photo, brushes.glow(photo, 0.03))
    portrait = brushes.curve(brushes.mixed(photo, soft, 0.45), lambda level: level**1.12)
    tint = brushes.ramp(portrait.convert("L"), (palette.dark, palette.mid, palette.light))
    portrait = brushes.mixed(portrait, tint, 0.4 * mood.strength)
    oval = brushes.halo(size, inner=0.38, outer=0.66, aspect=1.1)
    picture = Image.composite(portrait, backdrop, oval)
    rim = ImageChops.subtract(brushes.halo(size, inner=0.45, outer=0.8, aspect=1.1), oval)
    return ImageChops.screen(picture, ImageOps.colorize(rim, (0, 0, 0), palette.accent))


def poster(photo: Image.Image, mood: Mood, _: random.Random) -> Image.Image:
    """A screen print: five flat inks, black lines, dots in the shades, and a paper margin."""
    size, palette = photo.size, mood.palette
    grey = ImageOps.autocontrast(photo.convert("L"), cutoff=2)
    tones = brushes.blurred(grey, 0.006)
    picture = brushes.ramp(tones, (palette.dark, palette.mid, palette.accent, palette.light), steps=5)
    dots = ImageChops.add(tones, _screen(size, max(4, min(size) // 96)), 1.0, -64)
    shade = brushes.curve(dots, lambda level: float(level < _DOTS_BELOW))
    picture = Image.composite(brushes.flat(size, palette.dark), picture, shade)
    fine, wide = brushes.blurred(grey, 0.002), brushes.blurred(grey, 0.008)
    lines = brushes.curve(ImageChops.subtract(wide, fine), lambda level: (level - 0.043) * 24)
    return Image.composite(brushes.flat(size, _INK), picture, lines)


@dataclass(frozen=True, slots=True)
class Look:
    """One style.

    Attributes:
        paint: makes the picture of a photo.
        finish: goes around the finished picture, over what the prompt's words have drawn.
    """

    paint: Callable[[Image.Image, Mood, random.Random], Image.Image]
    finish: Callable[[Image.Image, Mood], Image.Image]


LOOKS = {
    "scenario": Look(painterly, lambda picture, _: brushes.darker_edges(picture, 0.6)),
    "alibaba": Look(studio, lambda picture, _: brushes.darker_edges(picture, 0.15)),
    "novita": Look(poster, lambda picture, mood: _framed(picture, mood.palette.light)),
}


def _bokeh(size: tuple[int, int], colour: tuple[int, int, int], rng: random.Random) -> Image.Image:
    lights = Image.new("RGB", size)
    draw = ImageDraw.Draw(lights)
    for _ in range(26):
        radius = min(size) * rng.uniform(0.015, 0.06)
        x, y, share = rng.uniform(0, size[0]), rng.uniform(0, size[1]), rng.uniform(0.15, 0.6)
        red, green, blue = (round(band * share) for band in colour)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(red, green, blue))
    return brushes.blurred(lights, 0.006)


def _screen(size: tuple[int, int], pitch: int) -> Image.Image:
    """A printer's screen: dots on a grid turned by 45 degrees."""
    dot = Image.radial_gradient("L").resize((pitch, pitch))
    cell = Image.new("L", (pitch * 2, pitch * 2))
    cell.paste(dot, (0, 0))
    cell.paste(dot, (pitch, pitch))
    cell.paste(ImageOps.invert(dot), (pitch, 0))
    cell.paste(ImageOps.invert(dot), (0, pitch))
    screen = Image.new("L", size)
    for x in range(0, size[0], pitch * 2):
        screen.paste(cell, (x, 0))
    row = screen.crop((0, 0, size[0], pitch * 2))
    for y in range(0, size[1], pitch * 2):
        screen.paste(row, (0, y))
    return screen


def _framed(picture: Image.Image, paper: tuple[int, int, int]) -> Image.Image:
    margin = max(1, round(min(picture.size) * 0.035))
    right, bottom = picture.width - 1, picture.height - 1
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, 0, right, bottom), outline=_INK, width=margin + max(1, margin // 5))
    pen.rectangle((0, 0, right, bottom), outline=paper, width=margin)
    return picture
