"""Bringing images to Scenario: small ones inside JSON, large ones in parts to presigned URLs (Scenario dossier 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unified_train import (
    Base64,
    Body,
    Effect,
    InvalidRequest,
    MalformedResponse,
    PermissionDenied,
    ProviderUnavailable,
    Request,
    Status,
)
from unified_train_scenario.status import UPLOAD
from unified_train_scenario.wire import AssetAnswer, UploadAnswer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unified_train import ApiError, Flow, Image, Response
    from unified_train_scenario.api import Api
    from unified_train_scenario.wire import Upload

LARGEST_INLINE = 4_000_000
"""Bytes of an image sent inside JSON: the vendor's 6 MB may well be the size of the body (dossier 2.1)."""
LARGEST = 100_000_000
"""Bytes of an image sent in parts. The vendor takes 5 TB (dossier 2.2), which is meant for films and archives; a
photograph beyond this is a mistake that is better told before the hours of sending it."""
PART = 8 * 1024 * 1024
"""Bytes of a part but the last: 5 MB at least (dossier 2.2), whichever of the two units is meant."""
LOOKS = 60
"""How often a complete upload is asked for before giving up."""
PENDING = "upload-pending"
"""Code of the error that says that an upload is not imported yet."""

_VERIFY = "upload.verify"


class Slice(Body):
    """A part of another body, read anew each time and never wholly in memory.

    Args:
        whole: What it is a part of.
        start: First byte.
        size: Bytes; fewer if the whole ends before.
    """

    def __init__(self, whole: Body, start: int, size: int) -> None:
        self.media_type = whole.media_type
        self.size = max(0, min(size, whole.size - start))
        self._whole = whole
        self._start = start

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes of this part."""
        skip, left = self._start, self.size
        for chunk in self._whole.chunks():
            piece = chunk[skip : skip + left]
            skip = max(0, skip - len(chunk))
            left -= len(piece)
            if piece:
                yield piece
            if not left:
                return


def asset_of(api: Api, image: Image) -> Flow[str]:
    """Bring one image and return its asset's id; it is free, and a second copy does no harm (dossier 2.1 and 9).

    Raises:
        InvalidRequest: The vendor refuses the file.
        ProviderUnavailable: It is still not imported after `LOOKS` looks.
    """
    if image.size > LARGEST_INLINE:
        return (yield from _in_parts(api, image))
    body = {"name": image.name, "image": Base64(image.body())}
    response = yield api.post("/assets", "upload.image", body, effect=Effect.REPEATABLE, query=api.query())
    return AssetAnswer.parse(response).asset.id


def _in_parts(api: Api, image: Image) -> Flow[str]:
    """Announce, send, complete, and look until it is an asset."""
    upload = yield from _sent(api, image)
    path, body = f"/uploads/{upload.id}", {"action": "complete"}
    response = yield api.post(f"{path}/action", "upload.complete", body, effect=Effect.REPEATABLE, query=api.query())
    seen = UploadAnswer.parse(response).upload
    for _ in range(LOOKS):
        asset = _imported(seen)
        if asset:
            return asset
        seen = yield from _looked(api, path, seen)
    asset = _imported(seen)
    if asset:
        return asset
    raise ProviderUnavailable(
        f"{image.name}: was sent, but is still {seen.status or 'not imported'}; upload it again, which is free",
        operation=_VERIFY,
    )


def _sent(api: Api, image: Image) -> Flow[Upload]:
    """Send all parts; if their URLs have expired meanwhile, from the beginning, once."""
    upload = yield from _announced(api, image)
    try:
        yield from _parts_sent(upload, image)
    except PermissionDenied:
        upload = yield from _announced(api, image)
        yield from _parts_sent(upload, image)
    return upload


def _announced(api: Api, image: Image) -> Flow[Upload]:
    count = -(-image.size // PART)
    body = {
        "fileName": image.name,
        "contentType": image.media_type,
        "kind": "image",
        "parts": count,
        "fileSize": image.size,
    }
    response = yield api.post("/uploads", "upload.slot", body, effect=Effect.REPEATABLE, query=api.query())
    upload = UploadAnswer.parse(response).upload
    numbers = sorted(part.number for part in upload.parts or ())
    if numbers != list(range(1, count + 1)):
        raise response.malformed(f"upload {upload.id} has {len(numbers)} of {count} parts")
    return upload


def _parts_sent(upload: Upload, image: Image) -> Flow[None]:
    """A PUT for each part, without the vendor's credentials and without further headers (dossier 2.2)."""
    whole = image.body()
    for part in upload.parts or ():
        piece = Slice(whole, (part.number - 1) * PART, PART)
        yield Request("PUT", part.url, "upload.put", body=piece, effect=Effect.REPEATABLE, signed=False)


def _looked(api: Api, path: str, before: Upload) -> Flow[Upload]:
    """How an upload stands; the pauses between looks are those of the core's retries, see `not_yet`."""
    try:
        response = yield api.read(path, _VERIFY)
    except ProviderUnavailable as error:
        if error.code != PENDING:
            raise
        return before
    return UploadAnswer.parse(response).upload


def not_yet(response: Response) -> ApiError | None:
    """An error to ask again for an upload that is neither imported nor failed; None for any other answer.

    A flow can't wait, but the core waits before it repeats a read that the vendor could not answer yet. With its usual
    patience the looks take about three and a half minutes in all.
    """
    if response.request.operation != _VERIFY:
        return None
    try:
        upload = UploadAnswer.parse(response).upload
    except MalformedResponse:
        return None  # the flow tells
    if _done(upload) or UPLOAD.read(upload.status) is Status.FAILED:
        return None
    return ProviderUnavailable(f"the upload is {upload.status}, not imported yet", code=PENDING)


def _imported(upload: Upload) -> str | None:
    """The asset of an upload, if there is one by now."""
    if UPLOAD.read(upload.status) is Status.FAILED:
        raise InvalidRequest(upload.error or "the upload failed; Scenario gives no reason", operation=_VERIFY)
    return upload.asset if _done(upload) else None


def _done(upload: Upload) -> bool:
    """`complete` counts only with the asset's id, and that is null until the import (dossier 2.2 and 11)."""
    ended = UPLOAD.read(upload.status) is Status.SUCCEEDED or upload.status == "complete"
    return ended and bool(upload.asset)
