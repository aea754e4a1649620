"""The kind and size of an image, and whether it is all there, read from its container; nothing is decoded.

Own code, since the library's runtime needs no imaging package and an image must be judged before anything is sent or
kept. Kinds that no vendor measures by the pixel (TIFF, AVIF, HEIC) are recognised without their size.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

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
_JPEG_SCAN, _JPEG_END = 0xDA, 0xD9
_JPEG_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")  # inside a scan: no escaped byte, no restart
_PNG_IMPORTANT = re.compile(rb"[A-Z][A-Za-z]{3}")
_GIF_EXTENSION, _GIF_PICTURE, _GIF_END = b"!", b",", b";"
_GIF_COLOURS = 0x80  # this bit says that a table of colours follows, the lower three its size
_SIGNATURE = re.compile(
    rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|RIFF.{4}WEBP|GIF8[79]a|BM|II\*\x00|MM\x00\*|.{4}ftyp(avi[fs]|he|mi|ms)",
    re.DOTALL,
)


class ImageHeader(NamedTuple):
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


def is_whole(data: bytes) -> bool:
    """Whether an image goes on to where its container says that it ends.

    PNG is read up to IEND with the checksums of its important chunks, JPEG to its end marker, WebP and BMP by the size
    that they name, GIF to its trailer: more bytes after that do no harm. AVIF and HEIC are read box by box to the last
    byte. TIFF keeps its parts in any order, and is followed no further than to the beginning of its first directory.
    """
    header = read_header(io.BytesIO(data))
    if header is None:
        return False
    try:
        return _WHOLE[header.media_type](data)
    except (struct.error, IndexError):
        return False


def is_cut_off(data: bytes) -> bool:
    """Whether bytes are the beginning of an image, but not the whole of it."""
    return not data or (_SIGNATURE.match(data) is not None and not is_whole(data))


def _png_ends(data: bytes) -> bool:
    """Chunks of length, type, data and checksum (PNG specification, 5.3)."""
    at = 8
    while True:
        length, kind = struct.unpack_from(">I4s", data, at)
        (checksum,) = struct.unpack_from(">I", data, at + 8 + length)
        if _PNG_IMPORTANT.fullmatch(kind) and zlib.crc32(memoryview(data)[at + 4 : at + 8 + length]) != checksum:
            return False
        if kind == b"IEND":
            return True
        at += 12 + length


def _jpeg_ends(data: bytes) -> bool:
    """Segments up to a scan, from which the next marker is searched (ISO/IEC 10918-1, B.1.1)."""
    at = 2
    while found := _JPEG_MARKER.match(data, at):
        marker = found[1][0]
        at = found.end()
        if marker == _JPEG_END:
            return True
        if marker not in _JPEG_WITHOUT_LENGTH:
            at += struct.unpack_from(">H", data, at)[0]
        if marker == _JPEG_SCAN:
            following = _JPEG_MARKER.search(data, at)
            at = following.start() if following else len(data)
    return False


def _webp_ends(data: bytes) -> bool:
    """The size in the RIFF header counts from its ninth byte."""
    return len(data) >= 8 + int(struct.unpack_from("<I", data, 4)[0])


def _gif_ends(data: bytes) -> bool:
    """Blocks after the colours (GIF89a, appendix A)."""
    at = 13 + _gif_colours(data[10])
    while (block := data[at : at + 1]) != _GIF_END:
        if block == _GIF_EXTENSION:
            at = _gif_blocks_end(data, at + 2)
        elif block == _GIF_PICTURE:
            at = _gif_blocks_end(data, at + 11 + _gif_colours(data[at + 9]))
        else:
            return False
    return True


def _gif_colours(flags: int) -> int:
    """Bytes of the table of colours that a field of flags announces."""
    return 3 << (flags & 7) + 1 if flags & _GIF_COLOURS else 0


def _gif_blocks_end(data: bytes, at: int) -> int:
    """Where a row of blocks, each with its length in front, has ended with an empty one."""
    while length := data[at]:
        at += 1 + length
    return at + 1


def _bmp_ends(data: bytes) -> bool:
    """The file's size is in its header; some writers leave it at 0."""
    return len(data) >= int(struct.unpack_from("<I", data, 2)[0])


def _tiff_ends(data: bytes) -> bool:
    """The first directory, which many writers put at the end, begins inside."""
    (directory,) = struct.unpack_from("<I" if data[:2] == b"II" else ">I", data, 4)
    return 0 < int(directory) < len(data)


def _boxes_end(data: bytes) -> bool:
    """Boxes of size, type and data up to the very end, with directory and pixels (ISO/IEC 14496-12, 4.2 and 8.11)."""
    at, kinds = 0, set[bytes]()
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if size == 1:  # a larger number follows
            (size,) = struct.unpack_from(">Q", data, at + 8)
        elif size == 0:  # to the end of the file
            size = len(data) - at
        if size < 8:  # noqa: PLR2004 - its own size and type
            return False
        kinds.add(kind)
        at += size
    listed = b"meta" in kinds or b"moov" in kinds
    return at == len(data) and listed and (b"mdat" in kinds or b"idat" in data)  # the latter lies in `meta`


_WHOLE: dict[str, Callable[[bytes], bool]] = {
    "image/png": _png_ends,
    "image/jpeg": _jpeg_ends,
    "image/webp": _webp_ends,
    "image/gif": _gif_ends,
    "image/bmp": _bmp_ends,
    "image/tiff": _tiff_ends,
    "image/avif": _boxes_end,
    "image/heic": _boxes_end,
}
