"""What only a decoded picture tells, and the one way in which pictures are decoded here.

Everything goes through `opened`, which lets nothing be decoded whose header says that it is too large, and turns the
many ways in which decoders fail on damaged files into one. A picture is decoded no larger than it is looked at, and is
let go before the next one.
"""

from __future__ import annotations

import io
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from unified_train.errors import ConfigurationError, DatasetError

try:
    from PIL import Image as Pillow
    from PIL import ImageCms, ImageFilter, ImageStat, UnidentifiedImageError
except ModuleNotFoundError:
    raise ConfigurationError(
        "checking, preparing and showing datasets needs Pillow: pip install 'unified-train[dataset]'"
    ) from None

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unified_train.images import Image

MOST_PIXELS: Final = 89_478_485
"""Of a picture that is decoded; Pillow itself suspects an attack above it. Decoded it is a quarter of a gigabyte."""
LOOKED_AT: Final = 512
"""Pixels of the shorter side at which pictures are measured: what looks sharp to a trainer, not to a camera."""

_ORIENTATION, _GPS, _LATITUDE = 0x0112, 0x8825, 2  # tags of EXIF
_TURNS = {
    2: Pillow.Transpose.FLIP_LEFT_RIGHT,
    3: Pillow.Transpose.ROTATE_180,
    4: Pillow.Transpose.FLIP_TOP_BOTTOM,
    5: Pillow.Transpose.TRANSPOSE,
    6: Pillow.Transpose.ROTATE_270,
    7: Pillow.Transpose.TRANSVERSE,
    8: Pillow.Transpose.ROTATE_90,
}
"""What makes a picture upright, by the orientation that EXIF tells; 1 is upright, other numbers mean nothing."""
_LYING = 5  # from this orientation on, width and height change places
_STILL_OF_MANY = "MPO"  # a photograph with a second view of it, as cameras make them
_OPAQUE = 255
_WITHOUT_SHADES = {"1", "P", "PA"}
_WITH_PROFILES = {"L", "RGB", "RGBA", "CMYK"}
_DEEP = {"I;16", "I;16B", "I;16L", "I;16N"}  # 16 bits per pixel; Pillow would cut them off at 255
_LAPLACE = ImageFilter.Kernel((3, 3), (0, 1, 0, 1, -4, 1, 0, 1, 0), scale=1, offset=128)
_TILES = 4
_TOO_SMALL_TO_JUDGE = 8 * _TILES
_SIDE = 8  # of the fingerprint: 8 × 8 bits


class Undecodable(Exception):
    """A picture can't be had from its bytes; never leaves the modules that work on datasets.

    Attributes:
        code: For a `Finding`.
        remedy: For a `Finding`.
    """

    def __init__(self, code: str, message: str, remedy: str) -> None:
        super().__init__(message)
        self.code = code
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Look:
    """What a picture looks like.

    Attributes:
        width: Pixels, with the orientation applied.
        height: Pixels, as for `width`.
        mode: How Pillow calls its kind of pixels, such as `RGB` or `CMYK`.
        turned: Whether it must be turned or mirrored, as EXIF says, to be seen upright.
        located: Whether its metadata tells where it was taken.
        transparent: Whether something behind it would be seen.
        moving: Whether it has several frames.
        fingerprint: 64 bits which are nearly the same for pictures that look nearly the same; None for one colour.
        sharpness: Of its sharpest part; None if it is too small to tell.
    """

    width: int
    height: int
    mode: str
    turned: bool
    located: bool
    transparent: bool
    moving: bool
    fingerprint: int | None
    sharpness: float | None


def look(image: Image) -> Look:
    """Decode a picture, small, and measure it.

    Raises:
        Undecodable: It is damaged, too large, or of a kind that can't be decoded here.
    """
    with opened(image) as picture:
        orientation, located = _told_by_exif(picture)
        size, mode = picture.size, picture.mode
        moving = picture.format != _STILL_OF_MANY and getattr(picture, "n_frames", 1) > 1
        small = _reduced(picture, LOOKED_AT, gap=1.0)
        transparent = _transparent(small)
        grey = _flat(_turned(small, orientation)).convert("L")
        width, height = size[::-1] if orientation >= _LYING else size
        return Look(
            width=width,
            height=height,
            mode=mode,
            turned=orientation != 1,
            located=located,
            transparent=transparent,
            moving=moving,
            fingerprint=_fingerprint(grey),
            sharpness=_sharpness(grey),
        )


def upright(image: Image, side: int) -> Pillow.Image:
    """The picture as it should be seen: its first frame, turned, in sRGB, before white, reduced but never enlarged.

    Args:
        image: To decode.
        side: Pixels of the shorter side.

    Raises:
        Undecodable: As for `look`.
    """
    with opened(image) as picture:
        orientation, _ = _told_by_exif(picture)
        profile = picture.info.get("icc_profile")
        return _turned(_flat(_in_srgb(_reduced(picture, side), profile)), orientation)


@contextmanager
def opened(image: Image) -> Iterator[Pillow.Image]:
    """The picture, not decoded yet; whatever goes wrong with it inside the block is `Undecodable`."""
    try:
        header = image.header
    except DatasetError as error:
        raise Undecodable("not-an-image", error.message, "replace it, or leave it out") from None
    if (header.width or 0) * (header.height or 0) > MOST_PIXELS:
        raise _too_large(f"{header.width:,} × {header.height:,} pixels, more than {MOST_PIXELS:,} in all")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # decoders warn of oddities in metadata, which is thrown away anyway
            warnings.simplefilter("error", Pillow.DecompressionBombWarning)  # for kinds whose header we don't measure
            with Pillow.open(image.path or io.BytesIO(image.read())) as picture:
                yield picture
    except (Pillow.DecompressionBombWarning, Pillow.DecompressionBombError):
        raise _too_large(f"more than {MOST_PIXELS:,} pixels") from None
    except UnidentifiedImageError:
        raise Undecodable(
            "undecodable", f"{image.extension} can't be decoded here", "convert it to JPEG or PNG"
        ) from None
    except Exception as error:  # noqa: BLE001 - decoders fail on damaged files with whatever they stumble over
        raise Undecodable(
            "undecodable", f"the picture is damaged ({_reason(error)})", "replace it, or leave it out"
        ) from None


def _too_large(what: str) -> Undecodable:
    return Undecodable("too-many-pixels", what, "make it smaller")


def _reason(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


def _told_by_exif(picture: Pillow.Image) -> tuple[int, bool]:
    """The orientation, 1 if there is none, and whether the place is told, there or in XMP."""
    xmp = picture.info.get("xmp", b"")
    located = b"GPSLatitude" in (xmp if isinstance(xmp, bytes) else str(xmp).encode())
    try:
        exif = picture.getexif()
        orientation = exif.get(_ORIENTATION)
        located = located or _LATITUDE in exif.get_ifd(_GPS)
    except Exception:  # noqa: BLE001 - as when decoding; metadata that can't be read is no reason to refuse a picture
        return 1, located
    return (orientation if orientation in _TURNS else 1), located


def _turned(picture: Pillow.Image, orientation: int) -> Pillow.Image:
    return picture.transpose(_TURNS[orientation]) if orientation in _TURNS else picture


def _reduced(picture: Pillow.Image, side: int, gap: float = 2.0) -> Pillow.Image:
    """At most so many pixels on the shorter side, in place.

    Args:
        picture: Not decoded yet; a JPEG is then decoded small to begin with.
        side: Pixels.
        gap: How much larger than needed that is at least; 2 can't be told from reducing the whole, 1 is quicker.
    """
    if picture.mode in _DEEP:
        picture = picture.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    elif picture.mode in _WITHOUT_SHADES:
        picture = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    shorter = min(picture.size)
    if shorter > side:
        size = (round(picture.width * side / shorter), round(picture.height * side / shorter))
        picture.thumbnail(size, Pillow.Resampling.LANCZOS, reducing_gap=gap)
    picture.load()
    return picture


def _transparent(picture: Pillow.Image) -> bool:
    if not picture.has_transparency_data:
        return False
    opacities = picture.convert("RGBA").getchannel("A").histogram()
    return any(opacities[:_OPAQUE])


def _in_srgb(picture: Pillow.Image, profile: bytes | None) -> Pillow.Image:
    """The picture with its colour profile applied, since trainers ignore profiles; as it is if there is no good one."""
    if not profile or picture.mode not in _WITH_PROFILES:
        return picture
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        kept = picture.mode if picture.mode == "RGBA" else "RGB"
        return ImageCms.profileToProfile(picture, source, ImageCms.createProfile("sRGB"), outputMode=kept) or picture
    except (ImageCms.PyCMSError, OSError):
        return picture


def _flat(picture: Pillow.Image) -> Pillow.Image:
    """Eight bits of red, green and blue, before white, without metadata."""
    if picture.has_transparency_data:
        ground = Pillow.new("RGBA", picture.size, "white")
        ground.alpha_composite(picture.convert("RGBA"))
        picture = ground
    flat = picture.convert("RGB")
    flat.info = {}
    return flat


def _fingerprint(grey: Pillow.Image) -> int | None:
    """A difference hash: in an 8 × 8 grid, whether each place is brighter than its neighbour to the right."""
    small = grey.resize((_SIDE + 1, _SIDE), Pillow.Resampling.LANCZOS)
    darkest, brightest = small.getextrema()
    if darkest == brightest:
        return None
    pixels = small.tobytes()
    bits = 0
    for row in range(_SIDE):
        for column in range(_SIDE):
            at = row * (_SIDE + 1) + column
            bits = bits << 1 | (pixels[at] > pixels[at + 1])
    return bits


def _sharpness(grey: Pillow.Image) -> float | None:
    """Variance of the Laplacian in the sharpest of 4 × 4 tiles, so that a blurred background does no harm."""
    width, height = grey.size
    if min(width, height) < _TOO_SMALL_TO_JUDGE:
        return None
    edges = grey.filter(_LAPLACE)  # leaves the outermost pixels as they are
    xs = [1 + (width - 2) * part // _TILES for part in range(_TILES + 1)]
    ys = [1 + (height - 2) * part // _TILES for part in range(_TILES + 1)]
    boxes = [(xs[i], ys[j], xs[i + 1], ys[j + 1]) for i in range(_TILES) for j in range(_TILES)]
    return max(ImageStat.Stat(edges.crop(box)).var[0] for box in boxes)
