"""Pictures as the report embeds them: small WebP renditions, without camera data and places, inside a size budget."""

from __future__ import annotations

import base64
import io
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unified_train.errors import ConfigurationError, DatasetError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType

    from PIL.Image import Image as PillowImage

    from unified_train.images import Image

BUDGET = 24 * 2**20
"""Bytes of all renditions of generated pictures together; as base64 they take a third more."""
MOST_PIXELS = 100_000_000
"""Of one picture: more would take gigabytes to decode."""
_SAMPLED = 6
"""Pictures that are tried first, of many."""
PHOTO_SIDE = 320
_PHOTO_QUALITY = 76


@dataclass(frozen=True, slots=True)
class Size:
    """How large and how good renditions are: the longer sides in pixels, and WebP's quality."""

    large: int
    thumb: int
    quality: int


SIZES = (Size(1600, 480, 82), Size(1280, 440, 78), Size(1024, 400, 74), Size(768, 360, 70), Size(512, 256, 62))
"""From the best to the smallest; the first that fits into the budget is taken, else the last."""


@dataclass(frozen=True, slots=True)
class Rendition:
    """One picture as the report embeds it.

    Attributes:
        thumb: For the grid, a data URI.
        large: For looking closely, a data URI.
        width: Of the thumb, in pixels.
        height: Of the thumb, in pixels.
    """

    thumb: str
    large: str
    width: int
    height: int


def pillow() -> ModuleType:
    """Pillow's module of images.

    Raises:
        ConfigurationError: It is not installed.
    """
    try:
        from PIL import Image as module  # noqa: N813 - it is a module
    except ModuleNotFoundError:
        raise ConfigurationError(
            "The report needs Pillow, which is not installed: pip install 'unified-train[compare]'"
        ) from None
    return module


def render(sources: Sequence[Callable[[], bytes]], names: Sequence[str], *, budget: int = BUDGET) -> list[Rendition]:
    """Renditions of all pictures in the best size that fits into the budget.

    Args:
        sources: Give the bytes of each picture; called again for each size that is tried.
        names: Of each picture, for messages.
        budget: Bytes of all together.

    Raises:
        DatasetError: A picture can't be decoded, or is too large.
    """
    last = SIZES[-1]
    for size in SIZES[:-1]:
        if _likely_too_much(sources, names, size, budget):
            continue
        made = _rendered(sources, names, size, budget)
        if made is not None:
            return made
    return _rendered(sources, names, last, None) or []


def _likely_too_much(sources: Sequence[Callable[[], bytes]], names: Sequence[str], size: Size, budget: int) -> bool:
    """Whether a few of many pictures are already too large for their share, so that the rest need not be tried."""
    every = len(sources) // _SAMPLED
    return every > 1 and _rendered(sources[::every], names[::every], size, budget // every) is None


def _rendered(
    sources: Sequence[Callable[[], bytes]], names: Sequence[str], size: Size, budget: int | None
) -> list[Rendition] | None:
    """All renditions of one size, or None as soon as they exceed the budget."""
    made: list[Rendition] = []
    total = 0
    for source, name in zip(sources, names, strict=True):
        picture = decoded(source(), name)
        large = _fitted(picture, size.large)
        thumb = _fitted(large, size.thumb)
        encoded = _webp(thumb, size.quality), _webp(large, size.quality)
        total += sum(map(len, encoded))
        if budget is not None and total > budget:
            return None
        made.append(Rendition(data_uri(encoded[0]), data_uri(encoded[1]), *thumb.size))
    return made


def photo(image: Image) -> bytes:
    """A small WebP of a training image.

    Raises:
        DatasetError: It can't be read or decoded, or is too large.
    """
    return _webp(_fitted(decoded(image.read(), image.name), PHOTO_SIDE), _PHOTO_QUALITY)


def decoded(data: bytes, name: str) -> PillowImage:
    """The first frame of an image, upright, in RGB or RGBA.

    Raises:
        DatasetError: It can't be decoded, or is too large.
    """
    module = pillow()
    from PIL import ImageOps

    try:
        with warnings.catch_warnings(), _opened(module, data) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                raise DatasetError(
                    f"{name}: {opened.width} × {opened.height} pixels are too many to show; ask for smaller pictures"
                )
            profile = opened.info.get("icc_profile") if opened.mode in {"RGB", "RGBA"} else None
            upright = ImageOps.exif_transpose(opened)
            picture = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    except (OSError, SyntaxError, ValueError, module.DecompressionBombError):
        raise DatasetError(f"{name}: not an image that can be shown; its bytes can't be decoded") from None
    picture.info = {"icc_profile": profile} if profile else {}
    return picture


def _opened(module: ModuleType, data: bytes) -> PillowImage:
    warnings.simplefilter("ignore", module.DecompressionBombWarning)  # there is a limit of our own
    opened: PillowImage = module.open(io.BytesIO(data))
    return opened


def _fitted(picture: PillowImage, side: int) -> PillowImage:
    """The picture itself, or a smaller one whose longer side is `side`."""
    longest = max(picture.size)
    if longest <= side:
        return picture
    width, height = (max(1, round(length * side / longest)) for length in picture.size)
    smaller = picture.resize((width, height), pillow().Resampling.LANCZOS)
    smaller.info = picture.info
    return smaller


def _webp(picture: PillowImage, quality: int) -> bytes:
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=quality, method=4, icc_profile=picture.info.get("icc_profile", b""))
    return file.getvalue()


def data_uri(data: bytes) -> str:
    """A WebP picture as a URL that holds it."""
    return f"data:image/webp;base64,{base64.b64encode(data).decode()}"
