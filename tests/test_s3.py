"""Buckets as image hosts: their URLs, keys and signatures; see also `peers/test_s3_host.py`, against a server."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import botocore.session  # type: ignore[import-untyped]
import httpx
import pytest
from botocore.config import Config  # type: ignore[import-untyped]
from helpers import png

from unified_train import (
    ApiError,
    ConfigurationError,
    Dataset,
    HostedImage,
    Image,
    InvalidRequest,
    MissingCredentials,
    Moment,
    NotFound,
    PermissionDenied,
    Request,
    Retry,
    TrainingRequest,
    TransportError,
)
from unified_train.s3 import Keys, Place, S3Host
from unified_train_alibaba.options import AlibabaSettings
from unified_train_alibaba.provider import Alibaba

NOW = datetime(2025, 1, 2, 3, 4, 5, 678_900, UTC)
NONCE = "0123456789abcdef0123456789abcdef"
AWS = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "hush-hush"}
OSS = "https://s3.oss-ap-southeast-1.aliyuncs.com"
Connect = Callable[..., Any]


def host(url: str = "s3://bucket-1/a/b?region=eu-central-1", **environ: str) -> S3Host:
    return S3Host.from_url(url, environ or AWS)


def url_of(endpoint: str, **parameters: str) -> str:
    query = {"endpoint": endpoint, **parameters}
    return "s3://bucket-1?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())


def put(host: S3Host, *, now: datetime = NOW) -> tuple[Request, HostedImage]:
    """What a host sends to store a picture, and what it says then."""
    flow = host.put(Image.of(png(), name="cat.png"), Moment(now, NONCE))
    request = next(flow)
    with pytest.raises(StopIteration) as done:
        flow.send(None)  # type: ignore[arg-type]
    return request, done.value.value


def refused(host: S3Host, error: ApiError, *, deleting: bool = False) -> ApiError:
    moment = Moment(NOW, NONCE)
    flow: Any = host.delete("a/x.png", moment) if deleting else host.put(Image.of(png(), name="cat.png"), moment)
    next(flow)
    with pytest.raises(ApiError) as caught:
        flow.throw(error)
    return caught.value


# -- addresses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "address", "region"),
    [
        ("s3://bucket-1?region=eu-central-1", "https://bucket-1.s3.eu-central-1.amazonaws.com/x", "eu-central-1"),
        ("s3://bucket-1?region=cn-north-1", "https://bucket-1.s3.cn-north-1.amazonaws.com.cn/x", "cn-north-1"),
        ("s3://buck.et?region=eu-central-1", "https://s3.eu-central-1.amazonaws.com/buck.et/x", "eu-central-1"),
        (url_of("http://127.0.0.1:9000"), "http://127.0.0.1:9000/bucket-1/x", "us-east-1"),
        (url_of("http://localhost:9000/"), "http://localhost:9000/bucket-1/x", "us-east-1"),
        (url_of("http://[::1]:9000"), "http://[::1]:9000/bucket-1/x", "us-east-1"),
        (url_of("https://minio.test"), "https://bucket-1.minio.test/x", "us-east-1"),
        (url_of("https://minio.test", style="path"), "https://minio.test/bucket-1/x", "us-east-1"),
        (url_of("https://minio.test", style="virtual", region="auto"), "https://bucket-1.minio.test/x", "auto"),
        (url_of(OSS), "https://bucket-1.s3.oss-ap-southeast-1.aliyuncs.com/x", "ap-southeast-1"),
        (
            url_of("https://s3.oss-cn-hangzhou-internal.aliyuncs.com"),
            "https://bucket-1.s3.oss-cn-hangzhou-internal.aliyuncs.com/x",
            "cn-hangzhou",
        ),
        (
            url_of("https://s3.oss-accelerate.aliyuncs.com", region="cn-hangzhou"),
            "https://bucket-1.s3.oss-accelerate.aliyuncs.com/x",
            "cn-hangzhou",
        ),
    ],
)
def test_addresses(url: str, address: str, region: str) -> None:
    """Endpoint, region and style follow from each other where they are not given."""
    place = Place.from_url(url)
    assert (place.url("x"), place.region, place.expires) == (address, region, 86_400)


def test_prefixes() -> None:
    """A prefix is decoded once and goes before the name, which is the nonce."""
    assert host("s3://bucket-1?region=r").place.prefix == ""
    request, hosted = put(host("s3://bucket-1/my%20cats/é/?region=eu-central-1"))
    assert hosted.key == f"my cats/é/{NONCE}.png"
    assert urlsplit(request.url).path == f"/my%20cats/%C3%A9/{NONCE}.png"
    assert put(host("s3://bucket-1?region=eu-central-1"))[1].key == f"{NONCE}.png"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("s3://?region=eu-central-1", "names no bucket"),
        ("s3://AKID:hush-hush@bucket-1?region=eu-central-1", "its keys are in the environment"),
        ("s3://bucket-1#x", "names no bucket"),
        ("s3://b/x", "names no bucket"),
        ("s3://bucket-1", "needs region=… or endpoint=…"),
        ("s3://bucket-1?region=EU%20west", "'EU west' is no region"),
        ("s3://bucket-1?region=eu-1&zone=a", "has no parameter 'zone'; it takes endpoint, region, expires, style"),
        ("s3://bucket-1?region=eu-1&region=eu-2", "has a parameter twice"),
        ("s3://bucket-1?region=eu-1&expires=0", "from 1 to 604800"),
        ("s3://bucket-1?region=eu-1&expires=604801", "seven days"),
        ("s3://bucket-1?region=eu-1&expires=1d", "expires=1d must be a number of seconds"),
        ("s3://bucket-1?region=eu-1&style=flat", "style=flat is neither virtual nor path"),
        ("s3://bucket-1/a/../b?region=eu-1", "dots alone"),
        ("s3://bucket-1/a//b?region=eu-1", "empty parts"),
        (url_of("minio.test"), "must be scheme and host"),
        (url_of("https://minio.test/s3"), "must be scheme and host"),
        (url_of("https://AKID:hush-hush@minio.test"), "must be scheme and host"),
        (url_of("ftp://minio.test"), "must be scheme and host"),
        (url_of("http://127.0.0.1:9000", style="virtual"), r"which 127\.0\.0\.1 does not allow"),
        (url_of(OSS, style="path"), "OSS takes no style=path"),
        (url_of("https://s3.oss-accelerate.aliyuncs.com"), "names no region"),
    ],
)
def test_wrong_urls(url: str, why: str) -> None:
    """A URL that can't be meant is refused in one sentence, which shows no key."""
    with pytest.raises(ConfigurationError, match=why) as caught:
        S3Host.from_url(url, AWS)
    assert "hush" not in str(caught.value)


# -- keys -------------------------------------------------------------------------------------------------------------


def test_keys_come_from_the_first_variables_that_are_set() -> None:
    """Our own variables come before Amazon's, and these before those of OSS; they are never mixed."""
    own = {"UNIFIED_TRAIN_S3_ACCESS_KEY_ID": "i", "UNIFIED_TRAIN_S3_SECRET_ACCESS_KEY": "s"}
    token = {"UNIFIED_TRAIN_S3_SESSION_TOKEN": "t"}
    oss = {"OSS_ACCESS_KEY_ID": "oi", "OSS_ACCESS_KEY_SECRET": "os", "OSS_SESSION_TOKEN": "ot"}
    stray = {"AWS_SESSION_TOKEN": "at"}
    assert Keys.from_env({**oss, **AWS, **own, **token}) == Keys("i", "s", "t", "UNIFIED_TRAIN_S3_ACCESS_KEY_ID")
    assert Keys.from_env({**oss, **AWS, **token}) == Keys("AKID", "hush-hush", None, "AWS_ACCESS_KEY_ID")
    assert Keys.from_env({**oss, **stray, "AWS_ACCESS_KEY_ID": " "}) == Keys("oi", "os", "ot", "OSS_ACCESS_KEY_ID")


@pytest.mark.parametrize(
    ("environ", "missing"),
    [
        ({}, "UNIFIED_TRAIN_S3_ACCESS_KEY_ID and UNIFIED_TRAIN_S3_SECRET_ACCESS_KEY, or AWS_ACCESS_KEY_ID"),
        ({"AWS_ACCESS_KEY_ID": "i"}, "AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not"),
        (
            {"UNIFIED_TRAIN_S3_SECRET_ACCESS_KEY": "hush-hush", **AWS},
            "UNIFIED_TRAIN_S3_SECRET_ACCESS_KEY is set, but UNIFIED_TRAIN_S3_ACCESS_KEY_ID is not",
        ),
    ],
)
def test_missing_keys_are_named(environ: dict[str, str], missing: str) -> None:
    """Without keys, or with half a pair, the variable to set is named."""
    with pytest.raises(MissingCredentials, match=missing) as caught:
        S3Host.from_url("s3://bucket-1?region=eu-central-1", environ)
    assert "hush" not in str(caught.value)


def test_keys_are_not_shown() -> None:
    """Neither id nor secret nor token is in the text of a host or its keys."""
    made = host(AWS_ACCESS_KEY_ID="AKID", AWS_SECRET_ACCESS_KEY="hush-hush", AWS_SESSION_TOKEN="token")
    assert repr(made) == "<S3Host https://bucket-1.s3.eu-central-1.amazonaws.com/a/b>"
    assert repr(made.keys) == "Keys(source='AWS_ACCESS_KEY_ID')"


def test_without_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where botocore is not installed, the refusal says how to install it."""
    monkeypatch.setitem(sys.modules, "botocore", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'unified-train\[s3\]'"):
        host()


# -- signatures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", [None, "T/+="])
@pytest.mark.parametrize("style", ["virtual", "path"])
def test_urls_are_those_of_botocores_client(style: str, token: str | None) -> None:
    """For the same moment, the URLs of all three methods are those that botocore's whole client makes."""
    session = botocore.session.Session()
    client = session.create_client(
        "s3",
        endpoint_url="https://minio.test:9000",
        region_name="eu-central-1",
        aws_access_key_id="AKID",
        aws_secret_access_key="hush-hush",
        aws_session_token=token,
        config=Config(signature_version="s3v4", s3={"addressing_style": style}),
    )
    theirs = {"Bucket": "bucket-1", "Key": f"my cats/é+/{NONCE}.png"}
    operations = [("put_object", {**theirs, "ContentType": "image/png"}, 3600)]
    operations += [("get_object", theirs, 600), ("delete_object", theirs, 3600)]
    environ = {**AWS, **({"AWS_SESSION_TOKEN": token} if token else {})}
    url = url_of("https://minio.test:9000", style=style, region="eu-central-1", expires="600")
    ours = host(url.replace("bucket-1?", "bucket-1/my%20cats/%C3%A9%2B?"), **environ)
    for operation, parameters, expires in operations:
        wanted = client.generate_presigned_url(operation, Params=parameters, ExpiresIn=expires)
        signed = parse_qs(urlsplit(wanted).query)["X-Amz-Date"][0]
        now = datetime.strptime(signed, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        request, hosted = put(ours, now=now)
        made = {
            "put_object": request.url_with_query,
            "get_object": hosted.url,
            "delete_object": next(ours.delete(hosted.key, Moment(now, ""))).url_with_query,
        }
        assert _parts(made[operation]) == _parts(wanted)


def _parts(url: str) -> tuple[str, dict[str, list[str]]]:
    return url.partition("?")[0], parse_qs(urlsplit(url).query)


def test_the_moment_is_the_one_that_is_given() -> None:
    """The signature counts from the given moment, whatever its zone, and the image says when its URL ends."""
    east = NOW.astimezone(timezone(timedelta(hours=8)))
    request, hosted = put(host("s3://bucket-1?region=eu-central-1&expires=60"), now=east)
    assert request.query["X-Amz-Date"] == "20250102T030405Z"
    assert request.query["X-Amz-Credential"] == "AKID/20250102/eu-central-1/s3/aws4_request"
    assert hosted.expires_at == datetime(2025, 1, 2, 3, 5, 5, tzinfo=UTC)
    assert parse_qs(urlsplit(hosted.url).query)["X-Amz-Expires"] == ["60"]


def test_what_is_sent() -> None:
    """A PUT of the bytes with the signed Content-Type and without any other header, repeatable and unsigned."""
    request, _ = put(host())
    assert (request.method, request.operation, request.signed, request.idempotent) == ("PUT", "image.host", False, True)
    assert request.query["X-Amz-SignedHeaders"] == "content-type;host"
    assert request.body is not None
    assert (request.body.media_type, request.body.read(), dict(request.headers)) == ("image/png", png(), {})
    removal = next(host().delete("a/x.png", Moment(NOW, NONCE)))
    assert (removal.method, removal.operation, removal.body, removal.idempotent) == (
        "DELETE",
        "image.unhost",
        None,
        True,
    )


def test_signing_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Neither token nor signature is written to botocore's debug log."""
    with caplog.at_level(logging.DEBUG):
        put(host(AWS_ACCESS_KEY_ID="AKID", AWS_SECRET_ACCESS_KEY="hush-hush", AWS_SESSION_TOKEN="token"))
    assert caplog.text == ""


# -- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("InvalidAccessKeyId", "check AWS_ACCESS_KEY_ID"),
        ("SignatureDoesNotMatch", "and the region"),
        ("AccessDenied", "must be allowed to put, get and delete"),
        ("NoSuchBucket", "check bucket and endpoint"),
        ("PermanentRedirect", "check the region"),
        ("Novel", "The reason$"),
    ],
)
def test_refusals_are_explained(code: str, hint: str) -> None:
    """A refusal names the bucket's address, keeps the service's code and words, and says what to check."""
    text = f'<?xml version="1.0"?> <Error><Code>{code}</Code><Message>The reason</Message><AWSAccessKeyId>AKID'
    error = refused(host(), PermissionDenied(text, http_status=403, provider="alibaba", operation="image.host"))
    assert type(error) is PermissionDenied
    assert (error.code, error.http_status, error.operation) == (code, 403, "image.host")
    assert "https://bucket-1.s3.eu-central-1.amazonaws.com/ did not take cat.png: The reason" in error.message
    assert "AKID" not in error.message
    with pytest.raises(PermissionDenied, match=hint):
        raise type(error)(error.message)


def test_a_refusal_without_xml() -> None:
    """A refusal in another form is shown as it is; one with a code alone by its code."""
    error = refused(host(), InvalidRequest("no reason given", http_status=400))
    assert error.message.endswith("did not take cat.png: no reason given")
    assert error.code is None
    assert "did not take cat.png: Odd" in refused(host(), InvalidRequest("<Error><Code>Odd</Code></Error>")).message


def test_oss_refuses_whole_accounts() -> None:
    """A 403 of OSS comes with what it refuses whole accounts for."""
    text = "<Error><Code>AccessDenied</Code><Message>no</Message>"
    message = refused(host(url_of(OSS)), PermissionDenied(text, http_status=403)).message
    assert "S3 interface" in message
    assert "mainland China" in message
    assert "mainland" not in refused(host(url_of(OSS)), InvalidRequest(text, http_status=400)).message


def test_removing_what_is_not_there() -> None:
    """A missing object is removed already; a missing bucket is a mistake, and so is any other refusal."""
    flow: Any = host().delete("a/x.png", Moment(NOW, NONCE))
    next(flow)
    with pytest.raises(StopIteration):
        flow.throw(NotFound("<Error><Code>NoSuchKey</Code>", http_status=404))
    missing = refused(host(), NotFound("<Error><Code>NoSuchBucket</Code>", http_status=404), deleting=True)
    assert (missing.code, "check bucket" in missing.message) == ("NoSuchBucket", True)
    assert "did not remove a/x.png" in refused(host(), PermissionDenied("no", http_status=403), deleting=True).message


def test_a_region_without_an_address(connect: Connect, colour: str) -> None:
    """A region that does not exist has no address, and the transport error names the host that was looked for."""

    def unknown(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("[Errno -2] Name or service not known", request=request)

    transport = httpx.MockTransport(unknown)
    http: Any = httpx.Client(transport=transport) if colour == "sync" else httpx.AsyncClient(transport=transport)
    provider = Alibaba(AlibabaSettings.model_validate({"access_key_id": "i", "access_key_secret": "s"}))
    bucket = host(url_of("https://s3.oss-cn-nowhere.aliyuncs.com"))
    client = connect(provider, http=http, image_host=bucket, retry=Retry(attempts=2, first=0.001))
    training = TrainingRequest(name="t", dataset=Dataset.of([png()], class_word="cat"))
    with pytest.raises(
        TransportError, match=r"https://bucket-1\.s3\.oss-cn-nowhere\.aliyuncs\.com to image\.host"
    ) as e:
        client.train(training)
    assert not e.value.sent
    assert "X-Amz" not in str(e.value)
