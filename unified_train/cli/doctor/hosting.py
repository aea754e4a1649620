"""The image host: whether there is one where a vendor needs it, and whether it does what it should."""

from __future__ import annotations

from base64 import b64decode
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from unified_train import Client, Image, Moment, Request, redact
from unified_train.cli.doctor.findings import Finding
from unified_train.cli.doctor.vendors import QUICK
from unified_train.cli.jobs.texts import plain
from unified_train.config import Config
from unified_train.errors import UnifiedTrainError
from unified_train.hosting import VARIABLE, host_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unified_train.cli.doctor.vendors import Visit
    from unified_train.flow import Flow
    from unified_train.hosting import HostedImage, ImageHost

PICTURE = b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==")
"""One grey pixel."""
_SUBJECT = "image host"


def image_host(visits: Sequence[Visit], config: Config, *, write: bool) -> list[Finding]:
    """Look at the image host, if one of the vendors in use fetches training images by URL.

    Args:
        visits: The vendors.
        config: Names the host.
        write: Whether a tiny picture may be put there; it is removed again.
    """
    needing = [visit for visit in visits if visit.finding.state != "off" and _takes_urls(visit)]
    if not needing:
        return []
    try:
        url = config.host()
        host = host_of(url, config.environ) if url else None
    except UnifiedTrainError as error:
        return [Finding(_SUBJECT, "error", plain(error.message))]
    if host is None:
        titles = " and ".join(visit.kind.title for visit in needing)
        remedy = f"set {VARIABLE}, or image_host in the configuration, or give public URLs only"
        return [Finding(_SUBJECT, "warning", f"none, and {titles} fetches training images by URL", remedy)]
    shown = redact.url(url or "")
    provider = next((visit.provider for visit in needing if visit.provider), None)
    if not write or provider is None:
        return [Finding(_SUBJECT, "ok", f"{shown}; --write tries it with a picture of one pixel")]
    with Client(provider, retry=QUICK, journal=None, config=Config(environ={})) as client:
        return [tried(client, host, shown)]


def _takes_urls(visit: Visit) -> bool:
    return visit.kind.capabilities.images.takes == "url"


def tried(client: Client, host: ImageHost, shown: str) -> Finding:
    """Store a picture, fetch it as anybody could, and remove it."""
    try:
        hosted = client.run(host.put(Image(name="doctor.png", data=PICTURE), _moment()))
    except UnifiedTrainError as error:
        return Finding(_SUBJECT, "error", plain(str(error)), f"allow a PUT below {shown}")
    try:
        wrong = _fetched(client, hosted)
    finally:
        left = _removed(client, host, hosted)
    if wrong or left:
        return Finding(_SUBJECT, "error", "; ".join(filter(None, [wrong, left])), f"see to {shown}")
    return Finding(_SUBJECT, "ok", f"{shown} takes a picture, serves it to anybody, and removes it")


def _fetched(client: Client, hosted: HostedImage) -> str:
    """What is wrong with fetching it; nothing if nothing."""
    try:
        content = client.run(_content(hosted.url))
    except UnifiedTrainError as error:
        return f"what was stored can't be fetched: {plain(str(error))}"
    return "" if content == PICTURE else "what is served is not what was stored"


def _content(url: str) -> Flow[bytes]:
    return (yield Request("GET", url, "image.fetch", signed=False)).content


def _removed(client: Client, host: ImageHost, hosted: HostedImage) -> str:
    try:
        client.run(host.delete(hosted.key, _moment()))
    except UnifiedTrainError as error:
        return f"{hosted.key} can't be removed: {plain(str(error))}"
    return ""


def _moment() -> Moment:
    return Moment(datetime.now(UTC), uuid4().hex)
