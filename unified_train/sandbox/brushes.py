"""Small operations on pictures that the looks are made of. All are quick and depend on their arguments only."""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from PIL import Image, ImageChops, ImageFilter

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

    from unified_train.sandbox.palettes import Colour

Size = tuple[int, int]


def blurred(picture: Image.Image, share: float) -> Image.Image:
    """The picture blurred by a radius that is a share of its shorter side."""
    return picture.filter(ImageFilter.GaussianBlur(max(0.3, min(picture.size) * share)))


def glow(picture: Image.Image, share: float) -> Image.Image:
    """The picture blurred widely; computed small, since nobody sees the difference."""
    small = picture.resize(_at_least_one(picture.size, 0.25), Image.Resampling.BILINEAR)
    return blurred(small, share).resize(picture.size, Image.Resampling.BILINEAR)


def curve(picture: Image.Image, shape: Callable[[float], float]) -> Image.Image:
    """The picture with a curve on each channel; the curve takes and gives 0 to 1."""
    table = [round(255 * min(1.0, max(0.0, shape(level / 255)))) for level in range(256)]
    return picture.point(table * len(picture.getbands()))


def ramp(grey: Image.Image, colours: Sequence[Colour], *, steps: int = 256) -> Image.Image:
    """A grey picture in the colours of a gradient, in so many flat steps."""
    grey = grey.convert("L")
    return Image.merge("RGB", [grey.point(table) for table in _gradient(tuple(colours), steps)])


@lru_cache(maxsize=32)
def _gradient(colours: tuple[Colour, ...], steps: int) -> list[list[int]]:
    table = [between(colours, int(level * steps / 256) / max(1, steps - 1)) for level in range(256)]
    return [[colour[band] for colour in table] for band in range(3)]


def mixed(first: Image.Image, second: Image.Image, share: float) -> Image.Image:
    """The first picture with a share, 0 to 1, of the second in it."""
    return Image.blend(first, second, share)


def flat(size: Size, colour: Colour) -> Image.Image:
    """A picture of one colour."""
    return Image.new("RGB", size, colour)


@lru_cache(maxsize=8)
def halo(size: Size, *, inner: float, outer: float, aspect: float = 1.0) -> Image.Image:
    """A mask, white in the middle and black outside; the radii are shares of the half diagonal.

    `aspect`, 1 to 1.4, makes it taller than wide.
    """
    # Of Pillow's gradient the middle alone: there it reaches white at the corners and not before.
    across, down = round(90 * aspect), 90
    cone = Image.radial_gradient("L").crop((128 - across, 128 - down, 128 + across, 128 + down))
    spread = max(outer - inner, 0.01)
    mask = curve(cone, lambda radius: _smooth((outer - radius) / spread))
    return mask.resize(size, Image.Resampling.BICUBIC)


def noise(size: Size, rng: random.Random, *, grain: Size = (1, 1)) -> Image.Image:
    """Grey noise around the middle; `grain` is the size of its spots in pixels."""
    small = (max(1, size[0] // grain[0]), max(1, size[1] // grain[1]))
    spots = Image.frombytes("L", small, rng.randbytes(small[0] * small[1]))
    return spots if small == size else spots.resize(size, Image.Resampling.BICUBIC)


def strokes(size: Size, rng: random.Random, *, angle: float, length: int) -> Image.Image:
    """Grey noise drawn out to strokes of so many pixels, turned by an angle in degrees."""
    side = round(math.hypot(*size)) + 2  # whatever the angle, no corner stays empty
    turned = noise((side, side), rng, grain=(length, 1)).rotate(angle, Image.Resampling.BILINEAR)
    left, top = (side - size[0]) // 2, (side - size[1]) // 2
    return turned.crop((left, top, left + size[0], top + size[1]))


def textured(picture: Image.Image, grey: Image.Image, share: float) -> Image.Image:
    """The picture with a grey texture in it."""
    texture = Image.merge("RGB", [grey] * 3)
    return mixed(picture, ImageChops.soft_light(picture, texture), share)


def darker_edges(picture: Image.Image, share: float) -> Image.Image:
    """A soft vignette."""
    return ImageChops.multiply(picture, _vignette(picture.size, share))


@lru_cache(maxsize=8)
def _vignette(size: Size, share: float) -> Image.Image:
    mask = curve(halo(size, inner=0.4, outer=1.05), lambda level: 1 - share * (1 - level))
    return Image.merge("RGB", [mask] * 3)


def between(colours: Sequence[Colour], position: float) -> Colour:
    """The colour at a position, 0 to 1, of a gradient."""
    place = min(1.0, position) * (len(colours) - 1)
    left = min(int(place), len(colours) - 2)
    share = place - left
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(colours[left], colours[left + 1], strict=True))
    return red, green, blue


def rounded(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """A line through the middles of these points, with their corners cut round."""
    for _ in range(4):
        halves = [
            (
                near * 0.75 + far * 0.25,
                near_y * 0.75 + far_y * 0.25,
                near * 0.25 + far * 0.75,
                near_y * 0.25 + far_y * 0.75,
            )
            for (near, near_y), (far, far_y) in pairwise(points)
        ]
        points = [point for a, b, c, d in halves for point in ((a, b), (c, d))]
    return list(points)


def _at_least_one(size: Size, scale: float) -> Size:
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _smooth(value: float) -> float:
    value = min(1.0, max(0.0, value))
    return value * value * (3 - 2 * value)
