"""What the words of a prompt draw over a picture: snow, stars, a helmet."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageOps

from unified_train.sandbox import brushes

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from unified_train.sandbox.palettes import Colour, Extra, Palette

    Drawing = Callable[[Image.Image, Palette, random.Random], Image.Image]

_WHITE = (255, 255, 255)
_OVERSAMPLING = 2  # Pillow draws hard edges


def draw(picture: Image.Image, extras: tuple[Extra, ...], palette: Palette, rng: random.Random) -> Image.Image:
    """The picture with the extras over it."""
    for extra in extras:
        picture = _DRAWINGS[extra](picture, palette, rng)
    return picture


def _snow(picture: Image.Image, _: Palette, rng: random.Random) -> Image.Image:
    far = _spots(picture.size, rng, 150, 0.002, 0.006)
    near = brushes.blurred(_spots(picture.size, rng, 26, 0.010, 0.022), 0.005)
    return _painted(_painted(picture, _WHITE, far, 0.85), _WHITE, near, 0.8)


def _stars(picture: Image.Image, _: Palette, rng: random.Random) -> Image.Image:
    sky = ImageChops.multiply(
        _spots(picture.size, rng, 130, 0.0012, 0.0042),
        ImageOps.invert(brushes.halo(picture.size, inner=0.3, outer=0.8)),
    )
    shine = brushes.glow(sky, 0.01)
    return _painted(picture, _WHITE, ImageChops.add(sky, shine), 1.0)


def _moon(picture: Image.Image, palette: Palette, rng: random.Random) -> Image.Image:
    x, y = picture.width * rng.choice((0.14, 0.86)), picture.height * 0.14
    bite = _disc(picture.size, x + min(picture.size) * 0.03, y - min(picture.size) * 0.014, 0.055)
    disc = ImageChops.subtract(_disc(picture.size, x, y, 0.06), bite)
    picture = _night(picture, palette)
    shine = brushes.glow(_disc(picture.size, x, y, 0.06), 0.09)
    lit = ImageChops.screen(picture, ImageOps.colorize(shine, (0, 0, 0), palette.light))
    return _painted(lit, (255, 250, 226), brushes.blurred(disc, 0.002), 0.95)


def _night(picture: Image.Image, palette: Palette) -> Image.Image:
    dark = ImageChops.multiply(picture, brushes.mixed(brushes.flat(picture.size, palette.mid), picture, 0.4))
    return Image.composite(brushes.mixed(picture, dark, 0.35), dark, brushes.halo(picture.size, inner=0.2, outer=0.85))


def _sun(picture: Image.Image, palette: Palette, rng: random.Random) -> Image.Image:
    x, y = picture.width * rng.choice((0.1, 0.9)), picture.height * 0.1
    disc = _disc(picture.size, x, y, 0.16)
    fall = Image.linear_gradient("L").resize(picture.size)
    sky = ImageOps.colorize(fall, palette.accent, palette.dark, palette.mid)
    lit = brushes.mixed(picture, ImageChops.soft_light(picture, sky), 0.8)
    lit = ImageChops.screen(lit, ImageOps.colorize(brushes.glow(disc, 0.2), (0, 0, 0), palette.accent))
    return ImageChops.screen(lit, ImageOps.colorize(brushes.glow(disc, 0.08), (0, 0, 0), palette.light))


def _rain(picture: Image.Image, palette: Palette, rng: random.Random) -> Image.Image:
    mask, pen, scale = _canvas(picture.size)
    for _ in range(110):
        x, y = rng.uniform(0, mask.width * 1.1), rng.uniform(-0.1, 1) * mask.height
        length = scale * rng.uniform(0.04, 0.10)
        pen.line((x, y, x - length * 0.25, y + length), fill=rng.randint(90, 220), width=max(1, round(scale * 0.003)))
    return _painted(picture, palette.light, mask.reduce(_OVERSAMPLING), 0.75)


def _petals(picture: Image.Image, palette: Palette, rng: random.Random) -> Image.Image:
    return _flakes(picture, (palette.accent, palette.light, (255, 210, 224)), rng, 30)


def _leaves(picture: Image.Image, palette: Palette, rng: random.Random) -> Image.Image:
    return _flakes(picture, (palette.accent, palette.mid, palette.light), rng, 24)


def _flakes(picture: Image.Image, colours: tuple[Colour, ...], rng: random.Random, count: int) -> Image.Image:
    """Pointed ovals, drifting; few of them over the middle, where the face is."""
    for colour in colours:
        mask, pen, scale = _canvas(picture.size)
        for _ in range(count // len(colours)):
            x, y = _off_centre(rng)
            pen.polygon(
                _leaf(x * mask.width, y * mask.height, scale * rng.uniform(0.014, 0.034), rng.uniform(0, math.tau)),
                fill=255,
            )
        picture = _painted(picture, colour, mask.reduce(_OVERSAMPLING), 0.9)
    return picture


def _leaf(x: float, y: float, size: float, angle: float) -> list[tuple[float, float]]:
    along, across = (math.cos(angle), math.sin(angle)), (-math.sin(angle), math.cos(angle))
    outline = []
    for step in range(24):
        turn = math.tau * step / 24
        far, wide = size * math.cos(turn), size * 0.45 * math.sin(turn) * abs(math.sin(turn)) ** 0.5
        outline.append((x + far * along[0] + wide * across[0], y + far * along[1] + wide * across[1]))
    return outline


def _bubbles(picture: Image.Image, palette: Palette, rng: random.Random) -> Image.Image:
    mask, pen, scale = _canvas(picture.size)
    for _ in range(34):
        place, radius = _off_centre(rng), scale * rng.uniform(0.006, 0.030)
        x, y = place[0] * mask.width, place[1] * mask.height
        pen.ellipse(
            (x - radius, y - radius, x + radius, y + radius), fill=40, outline=200, width=max(1, round(scale * 0.003))
        )
        gleam = radius * 0.25
        x, y = x - radius * 0.35, y - radius * 0.35
        pen.ellipse((x - gleam, y - gleam, x + gleam, y + gleam), fill=255)
    return _painted(picture, palette.light, mask.reduce(_OVERSAMPLING), 0.8)


def _sparks(picture: Image.Image, palette: Palette, rng: random.Random) -> Image.Image:
    spots = _spots(picture.size, rng, 60, 0.0015, 0.005)
    shine = ImageChops.add(spots, ImageChops.add(brushes.glow(spots, 0.03), brushes.glow(spots, 0.01)))
    return ImageChops.screen(picture, ImageOps.colorize(shine, (0, 0, 0), palette.light, palette.accent))


def _helmet(picture: Image.Image, palette: Palette, rng: random.Random) -> Image.Image:
    """The middle of the picture behind the glass of a helmet, and space around it."""
    size, scale = picture.size, min(picture.size)
    x, y, radius = size[0] / 2, size[1] * 0.46, 0.36
    space = _stars(ImageChops.multiply(brushes.glow(picture, 0.2), brushes.flat(size, palette.mid)), palette, rng)
    suit = _disc(size, x, y + scale * 0.72, 0.48)
    shell, glass = _disc(size, x, y, radius + 0.045), _disc(size, x, y, radius)
    body = ImageOps.colorize(Image.linear_gradient("L").resize(size), (250, 250, 252), (120, 124, 150))
    framed = Image.composite(body, space, ImageChops.lighter(suit, shell))
    edge = ImageChops.subtract(shell, _disc(size, x, y, radius + 0.038))
    framed = _painted(framed, palette.dark, edge, 0.4)
    # The whole picture goes behind the glass, smaller: cut out of it, the face would not be whole.
    side = round(scale * radius * 2)
    framed.paste(ImageOps.fit(picture, (side, side)), (round(x) - side // 2, round(y) - side // 2), _pane(side))
    return _glass(framed, glass, (x, y, radius), palette)


def _glass(
    picture: Image.Image, glass: Image.Image, circle: tuple[float, float, float], palette: Palette
) -> Image.Image:
    x, y, radius = circle
    scale = min(picture.size)
    inner = brushes.blurred(_disc(picture.size, x, y, radius * 0.88), 0.03)
    shade = ImageChops.multiply(glass, ImageOps.invert(inner))
    picture = _painted(picture, palette.dark, shade, 0.55)
    bow = ImageChops.subtract(
        _disc(picture.size, x, y, radius * 0.90), _disc(picture.size, x + scale * 0.06, y + scale * 0.07, radius * 0.90)
    )
    return _painted(picture, _WHITE, brushes.blurred(bow, 0.006), 0.55)


def _paper(picture: Image.Image, palette: Palette, rng: random.Random) -> Image.Image:
    """Watercolour: washed out towards a ragged edge of white paper, with grain."""
    size = picture.size
    vivid = ImageEnhance.Color(picture).enhance(1.5)
    pale = brushes.curve(vivid, lambda level: 0.16 + 0.84 * level**0.75)
    coarse, fine = (brushes.noise(size, rng, grain=(max(1, size[0] // n), max(1, size[1] // n))) for n in (9, 60))
    cloud = brushes.mixed(coarse, fine, 0.4)
    ragged = brushes.mixed(brushes.halo(size, inner=0.40, outer=0.82), cloud, 0.35)
    mask = brushes.blurred(brushes.curve(ragged, lambda level: (level - 0.42) * 9), 0.006)
    sheet = brushes.flat(size, (252, 250, 244))
    rim = ImageChops.multiply(mask, ImageOps.invert(brushes.blurred(mask, 0.012)))
    wet = _painted(pale, palette.mid, rim, 0.8)
    return brushes.textured(Image.composite(wet, sheet, mask), brushes.noise(size, rng, grain=(2, 2)), 0.18)


def _pencil(picture: Image.Image, _: Palette, rng: random.Random) -> Image.Image:
    grey = picture.convert("L")
    # What is darker than its surroundings becomes a line; a little of the tones stays as shading.
    lines = ImageChops.add(grey, brushes.blurred(ImageOps.invert(grey), 0.012))
    lines = brushes.curve(lines, lambda level: 1 - (1 - level) * 4.5)
    drawn = ImageChops.multiply(lines, brushes.curve(grey, lambda level: 0.5 + 0.7 * level))
    hatching = brushes.strokes(picture.size, rng, angle=35, length=12)
    hatched = ImageChops.multiply(drawn, brushes.curve(hatching, lambda level: 0.84 + 0.2 * level))
    return ImageOps.colorize(hatched, (38, 38, 46), (252, 250, 244))


_DRAWINGS: dict[Extra, Drawing] = {
    "snow": _snow,
    "stars": _stars,
    "moon": _moon,
    "sun": _sun,
    "rain": _rain,
    "petals": _petals,
    "leaves": _leaves,
    "bubbles": _bubbles,
    "sparks": _sparks,
    "helmet": _helmet,
    "paper": _paper,
    "pencil": _pencil,
}


def _canvas(size: tuple[int, int]) -> tuple[Image.Image, ImageDraw.ImageDraw, int]:
    mask = Image.new("L", (size[0] * _OVERSAMPLING, size[1] * _OVERSAMPLING))
    return mask, ImageDraw.Draw(mask), min(mask.size)


def _spots(size: tuple[int, int], rng: random.Random, count: int, smallest: float, largest: float) -> Image.Image:
    """A mask of discs anywhere; sizes are shares of the shorter side."""
    mask, pen, scale = _canvas(size)
    for _ in range(count):
        x, y = rng.uniform(0, mask.width), rng.uniform(0, mask.height)
        radius = max(0.8, scale * rng.uniform(smallest, largest))
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=rng.randint(130, 255))
    return mask.reduce(_OVERSAMPLING)


def _disc(size: tuple[int, int], x: float, y: float, radius: float) -> Image.Image:
    """A mask of one disc; the place is in pixels, the radius a share of the shorter side."""
    mask, pen, scale = _canvas(size)
    x, y, far = x * _OVERSAMPLING, y * _OVERSAMPLING, radius * scale
    pen.ellipse((x - far, y - far, x + far, y + far), fill=255)
    return mask.reduce(_OVERSAMPLING)


def _pane(side: int) -> Image.Image:
    return _disc((side, side), side / 2, side / 2, 0.5)


def _off_centre(rng: random.Random) -> tuple[float, float]:
    while True:
        x, y = rng.random(), rng.random()
        if math.hypot(x - 0.5, y - 0.5) > rng.uniform(0.25, 0.5):
            return x, y


def _painted(picture: Image.Image, colour: Colour, mask: Image.Image, share: float) -> Image.Image:
    return Image.composite(brushes.flat(picture.size, colour), picture, mask.point(lambda level: level * share))
