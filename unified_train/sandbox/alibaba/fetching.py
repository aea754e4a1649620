"""Fetching of training pictures: the service takes URLs only, and looks at them after it accepted the job."""

from __future__ import annotations

import asyncio
import io
import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from PIL import Image

from unified_train.sandbox.alibaba.state import Photos

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unified_train.sandbox.world import World

TIMEOUT_SECONDS = 5.0


def photos_of(urls: Sequence[str], world: World) -> Photos:
    """The pictures behind ``urls``; those that this sandbox stores itself are taken at once, others when it is time."""
    held = {url: data for url in urls if (data := _own(url, world)) is not None}
    return Photos(tuple(urls), held)


async def settle(photos: Photos, *, foreign: str) -> None:
    """Fetch and decode the pictures; ``foreign`` is the switch ``fetch_foreign_urls``."""
    found = await asyncio.gather(*(_load(url, photos, foreign) for url in photos.urls))
    photos.fetched = dict(zip(photos.urls, found, strict=True))


async def _load(url: str, photos: Photos, foreign: str) -> bytes | None:
    data = photos.held.get(url)
    if data is None and _may_fetch(url, foreign):
        data = await _fetch(url)
    return data if data is not None and await asyncio.to_thread(_is_picture, data) else None


def _may_fetch(url: str, foreign: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    wanted = parts.scheme in {"http", "https"} and bool(parts.hostname)
    return wanted and (foreign == "all" or (foreign == "loopback" and _is_loopback(parts.hostname or "")))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def _fetch(url: str) -> bytes | None:
    import httpx

    try:
        async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, follow_redirects=True, trust_env=False) as client:
            answer = await client.get(url)
    except (httpx.HTTPError, httpx.InvalidURL):
        return None
    return answer.content if answer.is_success else None


def _is_picture(data: bytes) -> bool:
    try:
        with Image.open(io.BytesIO(data)) as picture:
            picture.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return False
    return True


def _own(url: str, world: World) -> bytes | None:
    """What this sandbox's own storage would answer to a GET of the URL."""
    try:
        stored = world.objects.read_url(url)
    except ValueError:  # not a URL at all
        return None
    return stored.data if stored else None
