"""Training images in a bucket of the user's own: Amazon S3, Alibaba Cloud OSS, R2, MinIO and whatever speaks S3.

Objects stay private. The vendor is given a presigned URL, which is as good as a key until it expires. The signatures
are botocore's; it is asked for nothing else, so that no configuration file, profile or metadata service is looked at.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias
from urllib.parse import parse_qsl, quote, unquote

from unified_train import redact
from unified_train.errors import ApiError, ConfigurationError, MissingCredentials, NotFound
from unified_train.hosting import HostedImage, ImageHost, explained, split
from unified_train.http import Effect, Moment, Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from unified_train.flow import Flow
    from unified_train.http import Body
    from unified_train.images import Image

Style: TypeAlias = Literal["virtual", "path"]

LONGEST = 7 * 24 * 3600
"""Seconds that a presigned URL may live: the limit of S3 and of OSS alike."""
DEFAULT_EXPIRES = 24 * 3600
"""Seconds; vendors fetch images when a training leaves their queue, and no vendor says when that is."""
VARIABLES = (
    ("UNIFIED_TRAIN_S3_ACCESS_KEY_ID", "UNIFIED_TRAIN_S3_SECRET_ACCESS_KEY", "UNIFIED_TRAIN_S3_SESSION_TOKEN"),
    ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    ("OSS_ACCESS_KEY_ID", "OSS_ACCESS_KEY_SECRET", "OSS_SESSION_TOKEN"),
)
"""Environment variables of id, secret and token; the first set of which one is there is used, and never a mixture."""

_OWN_LIFETIME = 3600  # of the URLs that we use ourselves, at once; a repeat after a fault uses the same one
_FORBIDDEN = 403  # what OSS refuses whole accounts with
_PARAMETERS = ("endpoint", "region", "expires", "style")
_EXAMPLE = "s3://bucket/prefix?endpoint=https%3A%2F%2Fs3.oss-ap-southeast-1.aliyuncs.com&expires=86400"
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]")
_REGION = re.compile(r"[a-z0-9-]+")
# Public and internal names of OSS (vendor page "Use AWS SDKs to access OSS"); acceleration names no region.
_OSS = re.compile(r"(?:s3\.)?oss-(?P<region>(?!accelerate)[a-z0-9-]+?)(?:-internal)?\.aliyuncs\.com")
_HINTS = {
    "InvalidAccessKeyId": "check {keys}",
    "SignatureDoesNotMatch": "check {keys}, and the region",
    "AccessDenied": "the key of {keys} must be allowed to put, get and delete objects there",
    "NoSuchBucket": "check bucket and endpoint",
    "RequestTimeTooSkewed": "set this machine's clock",
    "AuthorizationQueryParametersError": "check the region",
    "PermanentRedirect": "check the region",
    "TemporaryRedirect": "check the region",
}

# Vendor pages "Use AWS SDKs to access OSS" and "Presigned URL uploads" (Alibaba dossier 10).
_OSS_HINTS = [
    "OSS opens its S3 interface to some accounts only on request",
    "accounts newer than March 2025 can't use buckets in mainland China by this address, so take another region",
]


@dataclass(frozen=True, slots=True)
class Keys:
    """Credentials, and the variable that the first of them came from."""

    key_id: str = field(repr=False)
    secret: str = field(repr=False)
    token: str | None = field(repr=False)
    source: str

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """The first of `VARIABLES` that is there.

        Raises:
            MissingCredentials: None is there, or the other half of a pair is missing; names the variable to set.
        """
        for names in VARIABLES:
            key_id, secret, token = (environ.get(name, "").strip() for name in names)
            if key_id and secret:
                return cls(key_id, secret, token or None, names[0])
            if key_id or secret:
                there, missing = names[:2] if key_id else (names[1], names[0])
                raise MissingCredentials(f"no key for the image host: {there} is set, but {missing} is not")
        own, aws, oss = ((names[0], names[1]) for names in VARIABLES)
        raise MissingCredentials(
            f"no key for the image host: set the environment variables {' and '.join(own)}, or {' and '.join(aws)},"
            f" or {' and '.join(oss)}"
        )


@dataclass(frozen=True, slots=True)
class Place:
    """Where objects go.

    Attributes:
        bucket: Its name.
        prefix: Before the names of objects, without slashes around it.
        endpoint: Scheme and host of the service, without the bucket.
        region: As it is signed.
        style: Whether URLs have the bucket in the host or in the path.
        expires: Seconds that the URL given to a vendor lives.
    """

    bucket: str
    prefix: str
    endpoint: str
    region: str
    style: Style
    expires: int

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Read a host's URL, such as `s3://bucket/prefix?region=eu-central-1`.

        Raises:
            ConfigurationError: A part is missing or wrong.
        """
        parts = split(url)
        if parts.fragment or not _BUCKET.fullmatch(parts.netloc):
            raise ConfigurationError(
                f"{redact.url(url)!r} names no bucket; an image host of this kind looks like {_EXAMPLE}, and its keys"
                " are in the environment"
            )
        given = _given(parts.query)
        endpoint, region = _address(given.get("endpoint"), given.get("region"))
        style = _style(given.get("style"), parts.netloc, split(endpoint).hostname or "")
        return cls(parts.netloc, _prefix(parts.path), endpoint, region, style, _expires(given.get("expires")))

    @property
    def oss(self) -> bool:
        """Whether it is Alibaba Cloud OSS."""
        return self.endpoint.endswith(".aliyuncs.com")

    def url(self, key: str) -> str:
        """The address of an object, unsigned."""
        name = quote(key, safe="/-_.~")
        if self.style == "path":
            return f"{self.endpoint}/{self.bucket}/{name}"
        scheme, _, host = self.endpoint.partition("://")
        return f"{scheme}://{self.bucket}.{host}/{name}"


class S3Host(ImageHost):
    """A bucket, named by a URL such as `s3://bucket/prefix?region=eu-central-1`.

    Parameters of the URL, percent-encoded:

    * `endpoint`: scheme and host; Amazon's for the region if left out. OSS: `https://s3.oss-<region>.aliyuncs.com`.
    * `region`: if left out, the one in an endpoint of OSS, else `us-east-1`; needed where there is no endpoint.
    * `expires`: seconds that vendors can fetch an image for; a day unless told, seven days at most. URLs signed with
      temporary keys end with these.
    * `style`: `virtual` or `path`, where URLs have the bucket; `virtual` unless the endpoint is an IP address or
      `localhost`, or the bucket has a dot. OSS knows `virtual` only.

    Args:
        place: Where objects go.
        keys: Credentials; from the environment, see `VARIABLES`.
    """

    def __init__(self, place: Place, keys: Keys) -> None:
        if find_spec("botocore") is None:
            raise ConfigurationError("an s3 image host needs botocore: pip install 'unified-train[s3]'")
        self.place = place
        self.keys = keys

    @classmethod
    def from_url(cls, url: str, environ: Mapping[str, str]) -> Self:
        """Place from the URL, keys from the environment."""
        return cls(Place.from_url(url), Keys.from_env(environ))

    def put(self, image: Image, moment: Moment) -> Flow[HostedImage]:
        """One presigned PUT; the signature covers the Content-Type."""
        key = "/".join(filter(None, [self.place.prefix, f"{moment.nonce}.{image.extension}"]))
        try:
            yield self._request("PUT", key, "image.host", moment, image.body())
        except ApiError as error:
            raise self._explained(error, f"did not take {image.name}") from None
        lifetime = timedelta(seconds=self.place.expires)
        read = self._presigned(Request("GET", self.place.url(key), "image.read", signed=False), moment, lifetime)
        return HostedImage(url=read.url_with_query, key=key, expires_at=_second(moment.now) + lifetime)

    def delete(self, key: str, moment: Moment) -> Flow[None]:
        """One presigned DELETE; S3 itself says yes also where there is nothing."""
        try:
            yield self._request("DELETE", key, "image.unhost", moment)
        except ApiError as error:
            told = self._explained(error, f"did not remove {key}")
            if not isinstance(error, NotFound) or told.code == "NoSuchBucket":
                raise told from None

    def _request(self, method: str, key: str, operation: str, moment: Moment, body: Body | None = None) -> Request:
        url = self.place.url(key)
        request = Request(method, url, operation, body=body, effect=Effect.REPEATABLE, signed=False)
        return self._presigned(request, moment, timedelta(seconds=_OWN_LIFETIME))

    def _presigned(self, request: Request, moment: Moment, lifetime: timedelta) -> Request:
        return replace(request, query=presigned(request, self.keys, self.place.region, moment.now, lifetime))

    def _explained(self, error: ApiError, what: str) -> ApiError:
        code, message = _part("Code", error.message), _part("Message", error.message)
        told = f"the image host {self.place.url('')} {what}: {message or code or error.message}"
        hints = [_HINTS[code].format(keys=self.keys.source)] if code in _HINTS else []
        if self.place.oss and error.http_status == _FORBIDDEN:
            hints += _OSS_HINTS
        again = explained(error, "; ".join([told, *hints]))
        again.code = code
        return again

    def __repr__(self) -> str:
        return f"<S3Host {self.place.url(self.place.prefix)}>"


def presigned(request: Request, keys: Keys, region: str, now: datetime, lifetime: timedelta) -> dict[str, str]:
    """The query that makes a request good without any header but its Content-Type.

    botocore's signer step by step instead of its `add_auth`: that signs with the machine's clock, and writes tokens
    and signatures to its debug log.

    Args:
        request: Without a query.
        keys: Credentials.
        region: Of the bucket.
        now: When the lifetime begins (aware).
        lifetime: Seven days at most.
    """
    from botocore.auth import S3SigV4QueryAuth  # type: ignore[import-untyped]
    from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]
    from botocore.credentials import Credentials  # type: ignore[import-untyped]

    signer: Any = S3SigV4QueryAuth(Credentials(keys.key_id, keys.secret, keys.token), "s3", region)
    headers = {"content-type": request.body.media_type} if request.body else {}
    asked: Any = AWSRequest(request.method, request.url, headers=headers)
    asked.context["timestamp"] = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    query = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": signer.scope(asked),
        "X-Amz-Date": asked.context["timestamp"],
        "X-Amz-Expires": str(int(lifetime.total_seconds())),
        "X-Amz-SignedHeaders": signer.signed_headers(signer.headers_to_sign(asked)),
    }
    if keys.token:
        query["X-Amz-Security-Token"] = keys.token
    asked.params = query
    text = signer.string_to_sign(asked, signer.canonical_request(asked))
    return {**query, "X-Amz-Signature": str(signer.signature(text, asked))}


def _given(query: str) -> dict[str, str]:
    pairs = parse_qsl(query, keep_blank_values=True)
    given = dict(pairs)
    strange = sorted(given.keys() - set(_PARAMETERS))
    if strange or len(given) < len(pairs):
        what = f"has no parameter {strange[0]!r}" if strange else "has a parameter twice"
        raise ConfigurationError(f"the image host's URL {what}; it takes {', '.join(_PARAMETERS)}")
    return given


def _prefix(path: str) -> str:
    prefix = unquote(path).strip("/")
    if prefix and {"", ".", ".."} & set(prefix.split("/")):
        raise ConfigurationError(f"the image host's prefix {prefix!r} has empty parts or dots alone, which URLs lose")
    return prefix


def _address(endpoint: str | None, region: str | None) -> tuple[str, str]:
    """Endpoint and region, each from the other where that is certain."""
    if region is not None and not _REGION.fullmatch(region):
        raise ConfigurationError(f"{region!r} is no region; it looks like eu-central-1 or cn-hangzhou")
    if endpoint is None:
        if region is None:
            raise ConfigurationError("an s3 image host needs region=… or endpoint=… in its URL, such as " + _EXAMPLE)
        ending = ".cn" if region.startswith("cn-") else ""
        return f"https://s3.{region}.amazonaws.com{ending}", region
    parts = split(endpoint)
    bare = f"{parts.scheme}://{parts.netloc}"
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in bare or endpoint.rstrip("/") != bare:
        raise ConfigurationError("the image host's endpoint must be scheme and host, such as https://minio.example.com")
    oss = _OSS.fullmatch(parts.hostname)
    if region is None and oss is None and parts.hostname.endswith(".aliyuncs.com"):
        raise ConfigurationError(
            f"{parts.hostname} names no region; OSS endpoints look like https://s3.oss-cn-hangzhou.aliyuncs.com, and"
            " others need region=… in the image host's URL"
        )
    return bare, region or (oss["region"] if oss else "us-east-1")


def _style(given: str | None, bucket: str, host: str) -> Style:
    if given not in (None, "virtual", "path"):
        raise ConfigurationError(f"style={given} is neither virtual nor path")
    bare = host == "localhost" or _is_address(host)
    if host.endswith(".aliyuncs.com"):
        if given == "path":
            raise ConfigurationError("OSS takes no style=path; leave the style out")
        return "virtual"
    if given == "virtual" and bare:
        raise ConfigurationError(f"style=virtual puts the bucket before the host, which {host} does not allow")
    if given is not None:
        return "path" if given == "path" else "virtual"
    # Certificates are for one name before the service's, so that a bucket with a dot would not be trusted.
    return "path" if bare or "." in bucket else "virtual"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _expires(given: str | None) -> int:
    if given is None:
        return DEFAULT_EXPIRES
    if not re.fullmatch(r"[0-9]{1,6}", given) or not 1 <= int(given) <= LONGEST:
        raise ConfigurationError(f"expires={given} must be a number of seconds from 1 to {LONGEST} (seven days)")
    return int(given)


def _second(moment: datetime) -> datetime:
    """Without the fraction, which signatures do not have either."""
    return moment.replace(microsecond=0)


def _part(name: str, text: str) -> str | None:
    """An element of the service's XML, which the core cuts off after some 200 characters."""
    found = re.search(rf"<{name}>\s*([^<]+)", text)
    return found[1].strip() if found else None
