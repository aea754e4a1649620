"""The kind and size of an image, read from its first bytes; nothing is decoded.

Own code, since the library's runtime needs no imaging package and an image must be judged before anything is sent.
Kinds that no vendor measures by the pixel (TIFF, AVIF, HEIC) are recognised without their size.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

EXTENSIONS = {
    "image/png": "png",
    "image/jpeg": "jpeg",
    "image/webp": "webp",
    "image/gif": "gif",
    "image/bmp": "bmp",
    "image/tiff": "tiff",
    "image/avif": "avif",
    "image/heic": "heic",
}
_HEIF_BRANDS = {b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"}
_JPEG_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD8)}
_JPEG_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """Media type, and width and height in pixels where the header tells them."""

    media_type: str
    width: int | None = None
    height: int | None = None


def read_header(file: BinaryIO) -> ImageHeader | None:
    """Read the header of an image; None if the bytes are no image of a known kind, or end inside their header."""
    start = file.read(32)
    try:
        return _known(start, file)
    except (struct.error, EOFError):
        return None


def _known(start: bytes, file: BinaryIO) -> ImageHeader | None:
    if start.startswith(b"\x89PNG\r\n\x1a\n"):
        return ImageHeader("image/png", *struct.unpack(">II", start[16:24]))
    if start.startswith(b"\xff\xd8\xff"):
        file.seek(2 - len(start), 1)
        return ImageHeader("image/jpeg", *_jpeg_size(file))
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return ImageHeader("image/webp", *_webp_size(start))
    if start[:6] in (b"GIF87a", b"GIF89a"):
        return ImageHeader("image/gif", *struct.unpack("<HH", start[6:10]))
    if start[:2] == b"BM" and len(start) >= 26:  # noqa: PLR2004 - where a bitmap's width and height end
        width, height = struct.unpack("<ii", start[18:26])
        return ImageHeader("image/bmp", width, abs(height))
    return _unmeasured(start)


def _unmeasured(start: bytes) -> ImageHeader | None:
    if start[:4] in (b"II*\x00", b"MM\x00*"):
        return ImageHeader("image/tiff")
    if start[4:8] == b"ftyp":
        if start[8:12] in (b"avif", b"avis"):
            return ImageHeader("image/avif")
        if start[8:12] in _HEIF_BRANDS:
            return ImageHeader("image/heic")
    return None


def _jpeg_size(file: BinaryIO) -> tuple[int, int]:
    """Walk the segments up to the frame header (ISO/IEC 10918-1, B.2)."""
    while True:
        marker = _jpeg_marker(file)
        if marker in _JPEG_WITHOUT_LENGTH:
            continue
        (length,) = struct.unpack(">H", file.read(2))
        if marker in _JPEG_FRAMES:
            _, height, width = struct.unpack(">BHH", file.read(5))
            return width, height
        file.seek(length - 2, 1)


def _jpeg_marker(file: BinaryIO) -> int:
    if file.read(1) != b"\xff":
        raise EOFError
    while (byte := file.read(1)) == b"\xff":  # a marker may be padded
        pass
    return byte[0] if byte else _ended()


def _ended() -> int:
    raise EOFError


def _webp_size(start: bytes) -> tuple[int, int]:
    """The three forms of a WebP's first chunk: lossy, lossless, extended."""
    kind, data = start[12:16], start[20:]
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", data[6:10])
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L":
        (bits,) = struct.unpack("<I", data[1:5])
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X" and len(data) >= 10:  # noqa: PLR2004 - flags, then two sizes of three bytes
        return int.from_bytes(data[4:7], "little") + 1, int.from_bytes(data[7:10], "little") + 1
    raise EOFError
