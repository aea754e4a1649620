"""Storage behind presigned URLs, in the look of S3 and of CloudFront, and an open host for pictures."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from starlette.responses import Response
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from unified_train.sandbox.clock import Clock

OBJECTS_PREFIX = "/_objects"
HOST_PREFIX = "/_host"

# Every method is routed, so that a wrong one gets the store's answer and not the framework's.
_METHODS = ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"]
# The open image host is a bucket that no presigned URL can name, since a bucket of an URL has no slash.
_HOST_BUCKET = "/host"
_REGION = "us-east-1"
_STAMP = "%Y%m%dT%H%M%SZ"
# CloudFront's base64: these three mean something else in a query string.
_CDN_OUT = str.maketrans("+=/", "-_~")
_CDN_IN = str.maketrans("-_~", "+=/")
_COMPACT = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One stored object.

    Attributes:
        data: its bytes.
        media_type: its Content-Type.
        sha256: hexadecimal.
    """

    data: bytes
    media_type: str
    sha256: str


class ObjectStore:
    """Objects in memory, and signed URLs to them; may be used from any thread.

    Args:
        clock: URLs expire by its `wall`.
        base_url: where the sandbox listens, without a slash at the end.
    """

    def __init__(self, clock: Clock, base_url: str) -> None:
        self._clock = clock
        self._base_url = base_url
        self._secret = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._objects: dict[tuple[str, str], StoredObject] = {}

    def put(self, bucket: str, key: str, data: bytes, media_type: str) -> None:
        """Store bytes under a key; what was there before is replaced."""
        stored = StoredObject(data, media_type, hashlib.sha256(data).hexdigest())
        with self._lock:
            self._objects[bucket, key] = stored

    def get(self, bucket: str, key: str) -> StoredObject | None:
        """What is stored under a key."""
        with self._lock:
            return self._objects.get((bucket, key))

    def delete(self, bucket: str, key: str) -> bool:
        """Remove what is stored under a key; False if there was nothing."""
        with self._lock:
            return self._objects.pop((bucket, key), None) is not None

    def clear(self) -> None:
        """Remove everything."""
        with self._lock:
            self._objects.clear()

    def read_url(self, url: str) -> StoredObject | None:
        """What a GET of a URL of this store would answer: an open one, or a signed one while it is good."""
        parts = urlsplit(url)
        if f"{parts.scheme}://{parts.netloc}" != self._base_url:
            return None
        path = unquote(parts.path)
        if path.startswith(f"{HOST_PREFIX}/"):
            return self.get(_HOST_BUCKET, path.removeprefix(f"{HOST_PREFIX}/"))
        bucket, _, key = path.removeprefix(f"{OBJECTS_PREFIX}/").partition("/")
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        if not path.startswith(f"{OBJECTS_PREFIX}/") or self._refusal("GET", bucket, key, query):
            return None
        return self.get(bucket, key)

    def presign(self, method: Literal["GET", "PUT"], bucket: str, key: str, *, expires: int) -> str:
        """An absolute URL, good for one method and `expires` seconds of the clock's `wall`; a new one at each call."""
        begin = datetime.fromtimestamp(int(self._clock.wall()), tz=UTC)
        query = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"SANDBOXKEY/{begin:%Y%m%d}/{_REGION}/s3/aws4_request",
            "X-Amz-Date": begin.strftime(_STAMP),
            "X-Amz-Expires": str(expires),
            "X-Amz-Security-Token": secrets.token_urlsafe(24),
            "X-Amz-SignedHeaders": "host",
        }
        return self._url(bucket, key, {**query, "X-Amz-Signature": self._sign(method, bucket, key, query)})

    def presign_cdn(self, bucket: str, key: str, *, expires: int) -> str:
        """An absolute URL for reading, in the look of CloudFront, good for `expires` seconds of the clock's `wall`."""
        deadline = int(self._clock.wall()) + expires
        resource = self._url(bucket, key, {})
        statement = {"Resource": resource, "Condition": {"DateLessThan": {"AWS:EpochTime": deadline}}}
        policy, pair = _cdn_base64(_COMPACT({"Statement": [statement]}).encode()), f"K{secrets.token_hex(7).upper()}"
        # As urlencode would write them, since nothing in them has to be encoded; an answer may show a hundred of these.
        signature = self._signed_text("CDN", bucket, key, f"Key-Pair-Id={pair}&Policy={policy}")
        return f"{resource}?Policy={policy}&Key-Pair-Id={pair}&Signature={signature}"

    def expired(self) -> Response:
        """The answer to a signed URL that is too old."""
        return _xml(403, "AccessDenied", "Request has expired")

    def routes(self) -> list[Route]:
        """Its routes: signed ones and the open host's."""
        return [
            Route(f"{OBJECTS_PREFIX}/{{bucket}}/{{key:path}}", self._signed, methods=_METHODS),
            Route(f"{HOST_PREFIX}/{{key:path}}", self._open, methods=_METHODS),
        ]

    async def _signed(self, request: Request) -> Response:
        bucket, key, query = request.path_params["bucket"], request.path_params["key"], request.query_params
        if "authorization" in request.headers:
            return _xml(400, "InvalidArgument", _TWO_MECHANISMS)
        refusal = self._refusal(request.method, bucket, key, query)
        if refusal is not None:
            return refusal
        if request.method == "PUT":
            return await self._take(request, bucket, key)
        return _served(self.get(bucket, key))

    async def _open(self, request: Request) -> Response:
        key = request.path_params["key"]
        if request.method == "PUT":
            return await self._take(request, _HOST_BUCKET, key)
        if request.method == "DELETE":
            return Response(status_code=204 if self.delete(_HOST_BUCKET, key) else 404)
        if request.method in {"GET", "HEAD"}:
            return _served(self.get(_HOST_BUCKET, key))
        return _xml(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")

    async def _take(self, request: Request, bucket: str, key: str) -> Response:
        if "content-length" not in request.headers:
            return _xml(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
        data = await request.body()
        self.put(bucket, key, data, request.headers.get("content-type", "application/octet-stream"))
        return Response(headers={"ETag": _etag(data)})

    def _refusal(self, method: str, bucket: str, key: str, query: Mapping[str, str]) -> Response | None:
        if "Policy" in query:
            return self._cdn_refusal(method, bucket, key, dict(query))
        asked = dict(query)
        signature = asked.pop("X-Amz-Signature", "")
        if not signature:
            return _xml(403, "AccessDenied", "Access Denied")
        # The signature first: nothing else in the query can be believed before.
        if not hmac.compare_digest(signature.encode(), self._sign(method, bucket, key, asked).encode()):
            return _xml(403, "SignatureDoesNotMatch", _WRONG_SIGNATURE)
        begin = datetime.strptime(asked["X-Amz-Date"], _STAMP).replace(tzinfo=UTC).timestamp()
        if self._clock.wall() >= begin + int(asked["X-Amz-Expires"]):
            return self.expired()
        return None

    def _cdn_refusal(self, method: str, bucket: str, key: str, query: dict[str, str]) -> Response | None:
        signature = query.pop("Signature", "")
        signed = hmac.compare_digest(signature.encode(), self._sign("CDN", bucket, key, query).encode())
        if method in {"GET", "HEAD"} and signed and self._clock.wall() < _deadline(query["Policy"]):
            return None
        return _xml(403, "AccessDenied", "Access denied")

    def _sign(self, method: str, bucket: str, key: str, query: Mapping[str, str]) -> str:
        return self._signed_text(method, bucket, key, urlencode(sorted(query.items())))

    def _signed_text(self, method: str, bucket: str, key: str, query: str) -> str:
        return hmac.digest(self._secret, f"{method}\n{bucket}\n{key}\n{query}".encode(), "sha256").hex()

    def _url(self, bucket: str, key: str, query: Mapping[str, str]) -> str:
        url = f"{self._base_url}{OBJECTS_PREFIX}/{quote(bucket, safe='')}/{quote(key)}"
        return f"{url}?{urlencode(query)}" if query else url


_TWO_MECHANISMS = (
    "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the"
    " Authorization header should be specified"
)
_WRONG_SIGNATURE = (
    "The request signature we calculated does not match the signature you provided. Check your key and signing method."
)


def _xml(status: int, code: str, message: str) -> Response:
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{message}</Message><RequestId>{secrets.token_hex(8).upper()}</RequestId></Error>"
    )
    return Response(body, status, media_type="application/xml")


def _served(stored: StoredObject | None) -> Response:
    if stored is None:
        return _xml(404, "NoSuchKey", "The specified key does not exist.")
    # Not as media_type: the framework would add a charset to what the client stored.
    return Response(stored.data, headers={"Content-Type": stored.media_type, "ETag": _etag(stored.data)})


def _etag(data: bytes) -> str:
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'


def _cdn_base64(data: bytes) -> str:
    return base64.b64encode(data).decode().translate(_CDN_OUT)


def _deadline(policy: str) -> float:
    statement = json.loads(base64.b64decode(policy.translate(_CDN_IN)))["Statement"][0]
    return float(statement["Condition"]["DateLessThan"]["AWS:EpochTime"])
