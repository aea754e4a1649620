"""Image hosts: where local images go for vendors that fetch them by URL; the plain one, and the door for others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from unittest.mock import ANY

import httpx
import pytest
from helpers import CAPABILITIES, Plain, PlainSettings, png
from pydantic import SecretStr

from unified_train import (
    AuthenticationError,
    Client,
    ConfigurationError,
    Dataset,
    Flow,
    HostedImage,
    Image,
    ImageHost,
    InvalidRequest,
    MissingCredentials,
    Moment,
    PermissionDenied,
    PluginError,
    ProviderUnavailable,
    Retry,
    TrainingRequest,
    TransportError,
    UploadedImage,
    hosting,
)
from unified_train.hosting import PlainHost, host_of
from unified_train.s3 import S3Host
from unified_train.sandbox import Sandbox

PREFIX = "http://files.test/mine"
Connect = Callable[..., Any]


class ByUrl(Plain):
    """The plain vendor, if it took images by URL only."""

    capabilities = CAPABILITIES.model_copy(
        update={"images": CAPABILITIES.images.model_copy(update={"takes": "url"})}, deep=True
    )

    def upload(self, image: Image) -> Flow[UploadedImage]:
        yield from ()
        return UploadedImage(provider=self.slug, id=image.url or "", name=image.name, caption=image.caption)


class Files:
    """An image host and a vendor behind it; `script` comes before what the host would answer."""

    def __init__(self) -> None:
        self.seen: list[httpx.Request] = []
        self.files: dict[str, bytes] = {}
        self.script: list[Any] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        if request.url.host != "files.test":
            return httpx.Response(200, json={"id": "1"})
        if self.script:
            step = self.script.pop(0)
            if isinstance(step, Exception):
                raise step
            return httpx.Response(step, text="<Error>not here</Error>")
        name = request.url.path
        if request.method == "PUT":
            self.files[name] = request.content
            return httpx.Response(201)
        return httpx.Response(204 if self.files.pop(name, None) else 404)

    @property
    def asked(self) -> list[tuple[str, str]]:
        return [(request.method, request.url.host) for request in self.seen]


@pytest.fixture
def files() -> Files:
    return Files()


@pytest.fixture
def make(files: Files, connect: Connect, colour: str) -> Connect:
    """Make a client whose requests all end at `files`."""
    transport = httpx.MockTransport(files)
    http: Any = httpx.Client(transport=transport) if colour == "sync" else httpx.AsyncClient(transport=transport)
    settings = PlainSettings(api_key=SecretStr("k"))
    return lambda **options: connect(ByUrl(settings), http=http, **options)


def training() -> TrainingRequest:
    return TrainingRequest(name="t", dataset=Dataset.of([png(8), png(9), png(10)], class_word="cat"))


# -- with a client ----------------------------------------------------------------------------------------------------


def test_an_image_goes_to_the_host(make: Connect, files: Files) -> None:
    """Bytes are PUT on the host without credentials, and the vendor is given their URL."""
    image = Image.of(png(), caption="a cat", name="cat.png")
    uploaded = make(image_host=PREFIX).upload_image(image)
    [put] = files.seen
    assert (put.method, put.content, put.headers["content-type"]) == ("PUT", png(), "image/png")
    assert "authorization" not in put.headers
    assert str(put.url) == uploaded.id == f"{PREFIX}/{uploaded.hosted}"
    assert (uploaded.name, uploaded.caption, uploaded.sha256, uploaded.expires_at) == (
        "cat.png",
        "a cat",
        image.sha256,
        None,
    )


def test_names_can_not_be_guessed(make: Connect, files: Files) -> None:
    """The same bytes get another long name each time, which tells neither them nor their file."""
    client = make(image_host=PREFIX)
    first, second = (client.upload_image(Image.of(png(), name="cat.png")) for _ in range(2))
    assert first.hosted != second.hosted
    for uploaded in (first, second):
        name, _, ending = uploaded.hosted.partition(".")
        assert (len(name), ending) == (32, "png")
        assert "cat" not in name
        assert uploaded.sha256[:8] not in name


def test_a_whole_training_by_the_environment(make: Connect, files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment variable is all it takes; every image is stored before the training starts."""
    monkeypatch.setenv("UNIFIED_TRAIN_IMAGE_HOST", f" {PREFIX}/ ")
    assert make().train(training()).id == "1"
    assert files.asked == [("PUT", "files.test")] * 3 + [("POST", "plain.test")]
    assert sorted(files.files.values()) == sorted([png(8), png(9), png(10)])


def test_an_explicit_host_wins(make: Connect, files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the client is told counts more than the environment; a host object will do as well as a URL."""
    monkeypatch.setenv("UNIFIED_TRAIN_IMAGE_HOST", "http://elsewhere.test")
    make(image_host=PlainHost(PREFIX)).upload_image(png())
    assert files.asked == [("PUT", "files.test")]


def test_images_are_removed_after_training(make: Connect, files: Files) -> None:
    """What was put on the host is removed on demand, and once more does no harm."""
    client = make(image_host=PREFIX)
    uploaded = [client.upload_image(png()) for _ in range(2)]
    client.start_training(TrainingRequest(name="t", dataset=Dataset.of(uploaded)))
    for image in [*uploaded, uploaded[0]]:
        client.delete_image(image)
    assert files.files == {}
    assert files.asked[-3:] == [("DELETE", "files.test")] * 3


def test_nothing_is_sent_without_a_host(make: Connect, files: Files) -> None:
    """Without a host local images are refused before any request, and the refusal names the variable."""
    client = make()
    with pytest.raises(ConfigurationError, match="set UNIFIED_TRAIN_IMAGE_HOST"):
        client.train(training())
    with pytest.raises(ConfigurationError, match="set UNIFIED_TRAIN_IMAGE_HOST"):
        client.upload_image(png())
    hosted = UploadedImage(provider="plain", id=f"{PREFIX}/x.png", name="x", hosted="x.png")
    with pytest.raises(ConfigurationError, match="no image host"):
        client.delete_image(hosted)
    assert files.seen == []


def test_an_image_by_url_needs_no_host(make: Connect, files: Files) -> None:
    """A URL is passed on as it is, whether there is a host or not."""
    for client in (make(), make(image_host=PREFIX)):
        assert client.upload_image("http://photos.test/a.png").hosted is None
    assert files.seen == []


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, AuthenticationError), (403, PermissionDenied), (405, InvalidRequest), (507, ProviderUnavailable)],
)
def test_a_host_that_refuses(make: Connect, files: Files, status: int, kind: type[Exception]) -> None:
    """A refusal says that it is the host's, and no training is started."""
    files.script = [status] * 9
    with pytest.raises(kind, match=r"the image host http://files\.test/mine did not take .*not here") as caught:
        make(image_host=PREFIX, parallel=1).train(training())
    assert caught.value.operation == "image.host"  # type: ignore[attr-defined]
    assert caught.value.http_status == status  # type: ignore[attr-defined]
    assert ("POST", "plain.test") not in files.asked


def test_a_refused_removal(make: Connect, files: Files) -> None:
    """A host that does not remove an image is named; one that does not have it is none of that."""
    files.script = [403, 404]
    client = make(image_host=PREFIX)
    hosted = UploadedImage(provider="plain", id=f"{PREFIX}/x.png", name="x", hosted="x.png")
    with pytest.raises(PermissionDenied, match=r"the image host http://files\.test/mine did not remove x\.png"):
        client.delete_image(hosted)
    client.delete_image(hosted)


def test_passing_faults_are_repeated(make: Connect, files: Files) -> None:
    """Putting an image twice is as good as once, so that a lost answer or a busy host is asked again."""
    files.script = [httpx.ReadError("reset"), 503]
    uploaded = make(image_host=PREFIX, retry=Retry(first=0.001)).upload_image(png())
    assert files.asked == [("PUT", "files.test")] * 3
    assert len({str(request.url) for request in files.seen}) == 1
    assert files.files == {f"/mine/{uploaded.hosted}": png()}


def test_a_host_that_is_not_there(make: Connect, files: Files) -> None:
    """A host without an address ends in a transport error that names it."""
    files.script = [httpx.ConnectError("[Errno -2] Name or service not known")] * 9
    with pytest.raises(
        TransportError, match=r"http://files\.test to image\.host: .*Name or service not known"
    ) as caught:
        make(image_host=PREFIX, retry=Retry(first=0.001)).upload_image(png())
    assert not caught.value.sent


# -- the plain host ---------------------------------------------------------------------------------------------------


def test_a_password_is_for_storing_only() -> None:
    """User and password in the prefix are sent to the host, and are no part of what vendors are given or people see."""
    host = PlainHost("https://me:hush@files.test:8443/mine/")
    flow = host.put(Image.of(png()), Moment(ANY, "n" * 32))
    request = next(flow)
    assert request.url == f"https://me:hush@files.test:8443/mine/{'n' * 32}.png"
    with pytest.raises(StopIteration) as done:
        flow.send(ANY)
    assert done.value.value == HostedImage(
        url=f"https://files.test:8443/mine/{'n' * 32}.png", key=f"{'n' * 32}.png", expires_at=None
    )
    assert "hush" not in repr(host) + repr(request)


def test_a_hosted_image_shows_no_signature() -> None:
    """A presigned URL is as good as a key, and is not shown."""
    shown = repr(HostedImage(url="https://files.test/x.png?X-Amz-Signature=abc", key="x.png"))
    assert "abc" not in shown
    assert "https://files.test/x.png" in shown


@pytest.mark.parametrize(
    "url",
    [
        "http:///mine",
        "https://files.test/mine?key=1",
        "https://files.test/mine#part",
        "https://user:pass@",
    ],
)
def test_a_wrong_prefix(url: str) -> None:
    """A prefix to which no file name can be appended is refused, with an example."""
    with pytest.raises(ConfigurationError, match=r"https://files\.example\.com/training") as caught:
        host_of(url, {})
    assert "pass" not in str(caught.value)


# -- by scheme --------------------------------------------------------------------------------------------------------


class Point:
    """An entry point that gives an object, or raises instead of importing one."""

    def __init__(self, name: str, loaded: Any) -> None:
        self.name = name
        self.value = f"module_{name}:Host"
        self._loaded = loaded

    def load(self) -> Any:
        if isinstance(self._loaded, Exception):
            raise self._loaded
        return self._loaded


class Attic(ImageHost):
    """A host of somebody else's."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url
        self.key = key

    @classmethod
    def from_url(cls, url: str, environ: Mapping[str, str]) -> Attic:
        if "ATTIC_KEY" not in environ:
            raise MissingCredentials("no key: set the environment variable ATTIC_KEY")
        return cls(url, environ["ATTIC_KEY"])

    def put(self, image: Image, moment: Moment) -> Flow[HostedImage]:
        yield from ()
        return HostedImage(url=f"http://attic.test/{moment.nonce}", key=moment.nonce)

    def delete(self, key: str, moment: Moment) -> Flow[None]:
        yield from ()


@pytest.fixture
def points(monkeypatch: pytest.MonkeyPatch) -> list[Point]:
    found: list[Point] = []
    monkeypatch.setattr(hosting, "entry_points", lambda group: found)
    return found


def test_a_plugin_by_its_scheme(points: list[Point]) -> None:
    """The scheme of the URL names the plugin, which is given the URL and the environment."""
    points.append(Point("attic", Attic))
    host = host_of("attic://box/7", {"ATTIC_KEY": "k"})
    assert isinstance(host, Attic)
    assert (host.url, host.key) == ("attic://box/7", "k")


def test_a_plugin_serves_a_client(points: list[Point], make: Connect, files: Files, monkeypatch: Any) -> None:
    """A client finds a plugin's host by the environment, and uses it for what it is."""
    points.append(Point("attic", Attic))
    monkeypatch.setenv("UNIFIED_TRAIN_IMAGE_HOST", "attic://box")
    monkeypatch.setenv("ATTIC_KEY", "k")
    client = make()
    uploaded = client.upload_image(png())
    assert uploaded.id == f"http://attic.test/{uploaded.hosted}"
    client.delete_image(uploaded)
    assert files.seen == []


def test_an_unknown_scheme(points: list[Point]) -> None:
    """A scheme that no plugin has is refused with those that there are."""
    points.append(Point("attic", Attic))
    with pytest.raises(ConfigurationError, match="schemes known here: http, https, attic"):
        host_of("ftp://files.test?signature=abc", {})
    with pytest.raises(ConfigurationError, match=r"no image host for 'files\.test/mine'"):
        host_of("files.test/mine", {})


@pytest.mark.parametrize("url", ["http://[", "https://files.test:port/"])
def test_what_is_no_url(url: str) -> None:
    """What can't be taken apart at all is refused by the name of the variable, and not shown."""
    with pytest.raises(ConfigurationError, match="UNIFIED_TRAIN_IMAGE_HOST is no URL") as caught:
        host_of(url, {})
    assert url not in str(caught.value)


@pytest.mark.parametrize(
    ("loaded", "why"),
    [
        (ImportError("no module named boxes"), "can't be loaded: ImportError: no module named boxes"),
        (object(), "is no subclass of ImageHost"),
        (dict, "is no subclass of ImageHost"),
    ],
)
def test_a_broken_plugin(points: list[Point], loaded: object, why: str) -> None:
    """A plugin that can't be used is named, with the reason."""
    points.append(Point("attic", loaded))
    with pytest.raises(PluginError, match=f"image host module_attic:Host {why}"):
        host_of("attic://box", {})


def test_a_plugin_speaks_for_itself(points: list[Point], monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that a plugin misses is missed when the client is made, before anything is sent."""
    points.append(Point("attic", Attic))
    monkeypatch.delenv("ATTIC_KEY", raising=False)
    with pytest.raises(MissingCredentials, match="ATTIC_KEY"):
        Client(ByUrl(PlainSettings(api_key=SecretStr("k"))), image_host="attic://box")


def test_the_s3_host_comes_through_the_same_door() -> None:
    """The library's own host for buckets is an entry point like anybody's."""
    keys = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret"}
    assert isinstance(host_of("s3://bucket/prefix?region=eu-central-1", keys), S3Host)


def test_a_wrong_variable_harms_only_those_who_need_it(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client for a vendor that takes bytes does not look at the image host's variable."""
    monkeypatch.setenv("UNIFIED_TRAIN_IMAGE_HOST", "ftp://nowhere")
    Client("novita").close()
    with pytest.raises(ConfigurationError, match="no image host for"):
        Client("alibaba")
