"""Presigned URLs and the open picture host, over HTTP."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unified_train.sandbox import Sandbox
    from unified_train.sandbox.objects import ObjectStore

KEY = "folder/a photo & more.png"


@pytest.fixture
def store(sandbox: Sandbox) -> ObjectStore:
    sandbox.world.clock.freeze()
    return sandbox.world.objects


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False) as client:
        yield client


def test_put_then_get(store: ObjectStore, http: httpx.Client) -> None:
    """What was put to one presigned URL comes back from another, with its media type and the ETag of S3."""
    put = http.put(store.presign("PUT", "b", KEY, expires=60), content=b"data", headers={"Content-Type": "image/png"})
    got = http.get(store.presign("GET", "b", KEY, expires=60))
    assert (put.status_code, got.content, got.headers["content-type"]) == (200, b"data", "image/png")
    assert put.headers["etag"] == got.headers["etag"] == f'"{hashlib.md5(b"data").hexdigest()}"'  # noqa: S324
    stored = store.get("b", KEY)
    assert stored is not None
    assert stored.sha256 == hashlib.sha256(b"data").hexdigest()


def test_presigned_looks_like_s3(store: ObjectStore) -> None:
    """The query has the names of Signature Version 4, and a fresh signature at each call."""
    first, second = (store.presign("GET", "b", KEY, expires=60) for _ in range(2))
    names = {"Algorithm", "Credential", "Date", "Expires", "Security-Token", "SignedHeaders", "Signature"}
    assert parse_qs(urlsplit(first).query).keys() == {f"X-Amz-{name}" for name in names}
    assert first != second


def test_expired(sandbox: Sandbox, store: ObjectStore, http: httpx.Client) -> None:
    """An expired URL is 403 AccessDenied, in XML, and says that it has expired."""
    store.put("b", "k", b"x", "text/plain")
    url = store.presign("GET", "b", "k", expires=60)
    sandbox.world.clock.advance(58)
    assert http.get(url).text == "x"
    sandbox.world.clock.advance(2)
    answer = http.get(url)
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/xml"
    assert "<Code>AccessDenied</Code><Message>Request has expired</Message>" in answer.text


def test_signature_is_checked(store: ObjectStore, http: httpx.Client) -> None:
    """Another method, key, lifetime or signature than the signed one is 403 SignatureDoesNotMatch."""
    url = store.presign("GET", "b", "k", expires=60)
    wrong = [
        http.put(url, content=b"x"),
        http.get(url.replace("/k?", "/other?")),
        http.get(url.replace("Expires=60", "Expires=6000")),
        http.get(url + "0"),
        http.get(url.replace("Signature=", "Signature=%C3%A4")),
    ]
    assert {answer.status_code for answer in wrong} == {403}
    assert all("<Code>SignatureDoesNotMatch</Code>" in answer.text for answer in wrong)


def test_no_signature(sandbox: Sandbox, http: httpx.Client) -> None:
    """A bare URL of the store is 403 AccessDenied."""
    answer = http.get(f"{sandbox.base_url}/_objects/b/k")
    assert (answer.status_code, "<Message>Access Denied</Message>" in answer.text) == (403, True)


@pytest.mark.parametrize("cdn", [False, True])
def test_two_credentials(store: ObjectStore, http: httpx.Client, cdn: bool) -> None:
    """A presigned request that carries an Authorization header, too, is 400, as at S3."""
    store.put("b", "k", b"x", "text/plain")
    url = store.presign_cdn("b", "k", expires=60) if cdn else store.presign("GET", "b", "k", expires=60)
    answer = http.get(url, headers={"Authorization": "Bearer x"})
    assert (answer.status_code, "Only one auth mechanism allowed" in answer.text) == (400, True)


def test_chunked_put(sandbox: Sandbox, store: ObjectStore, http: httpx.Client) -> None:
    """A chunked PUT without Content-Length is 411 and stores nothing, signed or open."""
    for url in (store.presign("PUT", "b", "k", expires=60), f"{sandbox.base_url}/_host/k"):
        answer = http.put(url, content=iter([b"x", b"y"]))
        assert (answer.status_code, "<Code>MissingContentLength</Code>" in answer.text) == (411, True)
    assert store.get("b", "k") is None


def test_unknown_key(store: ObjectStore, http: httpx.Client) -> None:
    """A well signed GET of nothing is 404 NoSuchKey."""
    answer = http.get(store.presign("GET", "b", "nothing", expires=60))
    assert (answer.status_code, "<Code>NoSuchKey</Code>" in answer.text) == (404, True)


def test_cdn(sandbox: Sandbox, store: ObjectStore, http: httpx.Client) -> None:
    """A CDN URL has CloudFront's three parameters, is for reading only, and ends when it expires or is altered."""
    store.put("b", "k", b"picture", "image/webp")
    url, other = (store.presign_cdn("b", "k", expires=60) for _ in range(2))
    assert url != other
    assert parse_qs(urlsplit(url).query).keys() == {"Policy", "Key-Pair-Id", "Signature"}
    assert (http.get(url).content, http.head(url).status_code) == (b"picture", 200)
    altered = [http.put(url, content=b"x"), http.get(url + "0"), http.get(url.replace("Policy=", "Policy=x"))]
    sandbox.world.clock.advance(60)
    answers = [*altered, http.get(url)]
    assert [answer.status_code for answer in answers] == [403] * 4
    assert all("<Message>Access denied</Message>" in answer.text for answer in answers)


def test_open_host(sandbox: Sandbox, http: httpx.Client) -> None:
    """The open host stores, serves and removes without a signature."""
    url = f"{sandbox.base_url}/_host/my/photo.jpg"
    assert http.get(url).status_code == 404
    assert http.put(url, content=b"jpeg", headers={"Content-Type": "image/jpeg"}).status_code == 200
    assert http.get(url).headers["content-type"] == "image/jpeg"
    assert http.head(url).headers["content-length"] == "4"
    assert [http.delete(url).status_code, http.delete(url).status_code] == [204, 404]
    assert http.post(url).status_code == 405


def test_reading_a_url_without_http(sandbox: Sandbox, store: ObjectStore) -> None:
    """A vendor that fetches a URL of this sandbox sees what a GET would, and nothing of other hosts."""
    store.put("b", KEY, b"signed", "text/plain")
    httpx.put(f"{sandbox.base_url}/_host/a%20b", content=b"open")
    signed = store.presign("GET", "b", KEY, expires=60)
    found = [store.read_url(url) for url in (signed, store.presign_cdn("b", KEY, expires=60))]
    assert [stored.data for stored in found if stored] == [b"signed"] * 2
    opened = store.read_url(f"{sandbox.base_url}/_host/a%20b")
    assert opened is not None
    assert opened.data == b"open"
    bad = [signed + "0", f"{sandbox.base_url}/v3/user", "http://example.com/_host/a%20b", f"{sandbox.base_url}/_host/b"]
    assert [store.read_url(url) for url in bad] == [None] * 4
    sandbox.world.clock.advance(60)
    assert store.read_url(signed) is None


def test_delete_in_process(store: ObjectStore) -> None:
    """Removing says whether there was something."""
    store.put("b", "k", b"", "text/plain")
    assert (store.delete("b", "k"), store.delete("b", "k")) == (True, False)
