"""No answer leads into a private network, and what the user chose is trusted."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any

import httpx
import pytest
from conftest import QUICK
from helpers import Plain, plain, png
from hypothesis import given
from hypothesis import strategies as st

from unified_train import Client, Effect, GeneratedImage, Job, MalformedResponse, Request, Response, Retry, Status
from unified_train.addresses import (
    REMEMBERED,
    Address,
    Addresses,
    address_of,
    host_of,
    is_private,
    looked_up,
    redirected,
)
from unified_train.flow import Blocking, Workflow
from unified_train.policy import Conversation

PRIVATE = [
    "127.0.0.1",
    "127.8.9.10",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.100.100.200",
    "192.0.0.192",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "64:ff9b::a00:1",
    "64:ff9b:1::7f00:1",
    "2002:7f00:1::",
    "2001:0:7f00:1::",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]
PUBLIC = [
    "1.1.1.1",
    "172.15.255.255",
    "172.32.0.1",
    "198.18.0.7",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2606:4700::1111",
]
SPELT = [
    "2130706433",
    "0x7f000001",
    "017700000001",
    "127.1",
    "0x7f.1",
    "0177.0.0.1",
    "127.0.0.1.",
    "[::1]",
    "[::FFFF:7f00:1]",
]


class Names:
    """A name server of the test's own; counts what it is asked."""

    def __init__(self, **known: Sequence[str]) -> None:
        self.known = {name.replace("_", "."): [ip_address(text) for text in found] for name, found in known.items()}
        self.asked: list[str] = []
        self.now = 0.0

    def __call__(self, name: str) -> Sequence[Address]:
        self.asked.append(name)
        return self.known.get(name, [])

    @property
    def addresses(self) -> Addresses:
        return Addresses(self, lambda: self.now)


def run(workflow: Workflow[Any]) -> Any:
    """Drive a workflow that only looks names up."""
    try:
        action: Any = next(workflow)
        while True:
            action = workflow.send(action.function())
    except StopIteration as stop:
        return stop.value


@pytest.mark.parametrize("text", PRIVATE)
def test_private_addresses_are_known_as_such(text: str) -> None:
    """Loopback, private, link-local, metadata, multicast and reserved addresses are private, also inside IPv6."""
    assert is_private(ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_are_known_as_such(text: str) -> None:
    """Neighbours of private networks, public addresses inside IPv6 and the range of local proxies are public."""
    assert not is_private(ip_address(text))


@given(st.ip_addresses(network="127.0.0.0/8") | st.ip_addresses(network="fc00::/7"), st.booleans())
def test_every_spelling_of_an_address_is_read(address: Any, trailing: bool) -> None:
    """An address is the same as text, as a number, in hexadecimal and with a dot at the end."""
    spellings = [str(address)] if address.version == 6 else [str(address), str(int(address)), hex(int(address))]
    for text in spellings:
        url = f"http://[{text}]/x" if address.version == 6 else f"http://{text}{'.' * trailing}/x"
        assert address_of(host_of(url) or "") == address


@pytest.mark.parametrize("host", SPELT)
def test_odd_spellings_of_loopback_are_private(host: str) -> None:
    """Octal, hexadecimal, shortened and mapped spellings are no way around, and need no look-up."""
    names = Names()
    assert run(names.addresses.private(host_of(f"http://user@{host}:8080/x") or "")) is True
    assert names.asked == []


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://public.test@10.0.0.1/x", "10.0.0.1"),
        ("http://10.0.0.1@public.test/x", "public.test"),
        ("http://public.test:80@10.0.0.1:81/x", "10.0.0.1"),
        ("http://10.0.0.1#@public.test/", "10.0.0.1"),
        ("http://10.0.0.1?@public.test/", "10.0.0.1"),
        ("HTTPS://PUBLIC.test./x y", "public.test"),
    ],
)
def test_the_host_is_the_one_that_is_connected_to(url: str, host: str) -> None:
    """User names, ports, queries and fragments are not taken for the host, nor the host for one of them."""
    assert host_of(url) == host
    assert httpx.URL(url).host.rstrip(".") == host


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/x",
        "file:///etc/passwd",
        "ftp://public.test/x",
        "gopher://127.0.0.1/",
        "http:///x",
        "http://./x",
        "http://[::1/x",
        "http://public.test:port/x",
        "http://public.test\\@10.0.0.1/x",
        "http:\\\\10.0.0.1/x",
        "http://public.test /x",
        "http://１２７.0.0.1/x",
        "http://faß.test/x",
        "http://ⓛocalhost/x",
    ],
)
def test_what_can_be_read_in_two_ways_has_no_host(url: str) -> None:
    """Other schemes, broken URLs, backslashes, blanks and foreign letters in a host are refused, not guessed."""
    assert host_of(url) is None
    told = run(Names().addresses.objection(url, trusted=["http://public.test"]))
    assert told == "no web address that can be read in one way only"


@pytest.mark.parametrize(
    "host", ["localhost", "a.localhost", "printer.local", "metadata.google.internal", "nas.home.arpa"]
)
def test_names_that_are_private_by_agreement_are_not_looked_up(host: str) -> None:
    """`localhost` and its like are private whatever a name server says."""
    names = Names(**{host.replace(".", "_"): ["1.1.1.1"]})
    assert run(names.addresses.private(host)) is True
    assert names.asked == []


def test_one_private_address_of_a_name_is_enough() -> None:
    """A name is private if any of its addresses is; one without addresses is not, and is asked for again."""
    names = Names(both_test=["1.1.1.1", "10.0.0.1"], public_test=["1.1.1.1"], notlocal_test=["8.8.8.8"])
    addresses = names.addresses
    assert run(addresses.private("both.test")) is True
    assert run(addresses.private("public.test")) is False
    assert run(addresses.private("gone.test")) is run(addresses.private("gone.test")) is False
    assert names.asked == ["both.test", "public.test", "gone.test", "gone.test"]


def test_a_name_is_looked_up_once_in_some_minutes() -> None:
    """An answer is remembered for a while, and no longer."""
    names = Names(public_test=["1.1.1.1"])
    addresses = names.addresses
    for _ in range(3):
        assert run(addresses.private("public.test")) is False
    names.known["public.test"] = [ip_address("10.0.0.1")]
    names.now = REMEMBERED - 1
    assert run(addresses.private("public.test")) is False
    names.now = REMEMBERED
    assert run(addresses.private("public.test")) is True
    assert len(names.asked) == 2


def test_what_is_remembered_does_not_grow_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """A vendor with a host per picture does not fill the memory."""
    monkeypatch.setattr("unified_train.addresses._MOST_REMEMBERED", 3)
    names = Names(**{f"h{number}_test": ["1.1.1.1"] for number in range(10)})
    addresses = names.addresses
    for name in names.known:
        run(addresses.private(name))
        assert len(addresses._names) <= 3


def test_names_are_looked_up_as_the_system_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's look-up counts, with every address; a name that it does not know, or can't be one, has none."""
    assert all(map(is_private, looked_up("localhost")))
    assert looked_up("localhost")

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    assert looked_up("x" * 64 + ".test") == ()
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert looked_up("gone.test") == ()


def test_a_redirect_is_read_relative_to_what_was_asked() -> None:
    """A `Location` may be a path or a whole URL; a broken one leads nowhere."""
    assert redirected("https://a.test/b/c?d=1", "e") == "https://a.test/b/e"
    assert redirected("https://a.test/b", "//10.0.0.1/x") == "https://10.0.0.1/x"
    assert redirected("https://a.test/b", "http://[") == ""


# -- in a conversation -------------------------------------------------------------------------------------------------

FETCH = Request("GET", "http://cdn.test/a.png", "generation.fetch", signed=False)
GIVEN = Request("GET", "http://cdn.test/a.png", "image.fetch", signed=False)
NAMES = {
    "cdn_test": ["1.1.1.1"],
    "plain_test": ["1.0.0.1"],
    "other_test": ["8.8.8.8"],
    "inside_test": ["10.0.0.1"],
    "gateway_test": ["10.0.0.9"],
}


def sent(request: Request, *redirects: str, base_url: str = "http://plain.test/api") -> list[str]:
    """The URLs asked for when a request is answered with these redirects and then with a picture."""
    talk = Conversation(plain(base_url=base_url), Retry(attempts=1), addresses=Names(**NAMES).addresses)
    workflow = talk.send(request)
    urls: list[str] = []
    left = list(redirects)
    try:
        action: Any = next(workflow)
        while True:
            if isinstance(action, Blocking):
                action = workflow.send(action.function())
                continue
            urls.append(action.url_with_query)
            headers = {"location": left.pop(0)} if left else {}
            action = workflow.send(Response(action, 302 if headers else 200, headers, b""))
    except StopIteration:
        return urls


@pytest.mark.parametrize(
    "target", ["http://10.0.0.1/x", "http://inside.test/x", "//169.254.169.254/latest", "http://[::1]/"]
)
@pytest.mark.parametrize("request_", [FETCH, GIVEN], ids=["from an answer", "given"])
def test_a_redirect_to_a_private_address_is_refused(request_: Request, target: str) -> None:
    """Neither a picture nor a user's URL is fetched through a redirect from a public host to a private one."""
    with pytest.raises(
        MalformedResponse, match=r"a redirect leads to .* private address; it was not followed"
    ) as error:
        sent(request_, "http://other.test/b", target)
    assert (error.value.provider, error.value.operation) == ("plain", request_.operation)


def test_the_error_says_what_to_do() -> None:
    """A vendor's mistake is for the vendor; for a URL of one's own there is another."""
    with pytest.raises(
        MalformedResponse, match=r"10\.0\.0\.1, which is a private address; it was not followed, tell Plain"
    ):
        sent(FETCH, "http://10.0.0.1")
    with pytest.raises(MalformedResponse, match="it was not followed, give the URL where it ends"):
        sent(GIVEN, "http://10.0.0.1")


def test_a_private_url_in_an_answer_is_refused() -> None:
    """A vendor's picture at a private address is not asked for at all."""
    for url in ("http://inside.test/a.png", "http://127.0.0.1:6379/", "http://localhost/a.png"):
        with pytest.raises(MalformedResponse, match=r"a URL in an answer leads to .* private address"):
            sent(Request("GET", url, "generation.fetch", signed=False))


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:8123/api", "http://gateway.test/api", "http://localhost"])
def test_a_vendor_that_is_private_itself_may_lead_to_private_addresses(base_url: str) -> None:
    """The sandbox and a gateway of one's own serve pictures from where they are."""
    request = Request("GET", "http://inside.test/a.png", "generation.fetch", signed=False)
    assert sent(request, "http://10.0.0.1/x", base_url=base_url) == ["http://inside.test/a.png", "http://10.0.0.1/x"]
    assert sent(GIVEN, "http://10.0.0.1/x", base_url=base_url)[-1] == "http://10.0.0.1/x"


def test_a_url_of_the_users_own_may_be_private() -> None:
    """A photograph on one's own network is fetched, and may be redirected there."""
    mine = Request("GET", "http://192.168.1.5/cat.png", "image.fetch", signed=False)
    assert len(sent(mine, "/dog.png", "http://inside.test/dog.png")) == 3


def test_public_redirects_are_followed() -> None:
    """A picture's host may redirect, also from http to https."""
    assert sent(FETCH, "https://other.test/b?c=1") == ["http://cdn.test/a.png", "https://other.test/b?c=1"]
    assert len(sent(GIVEN, "/b", "/c")) == 3


@pytest.mark.parametrize("operation", ["generation.fetch", "image.fetch"])
def test_https_is_not_left(operation: str) -> None:
    """A redirect from https to http is refused, wherever it leads."""
    request = Request("GET", "https://cdn.test/a.png", operation, signed=False)
    with pytest.raises(MalformedResponse, match=r"leads to plain http on cdn\.test, while it was asked for by https"):
        sent(request, "http://cdn.test/a.png")


@pytest.mark.parametrize("target", ["file:///etc/passwd", "http://[", "ftp://cdn.test/a"])
def test_a_redirect_that_is_no_web_address_is_refused(target: str) -> None:
    """Other schemes and broken targets end in an error, not in a crash."""
    with pytest.raises(MalformedResponse, match="no web address"):
        sent(FETCH, target)


def test_uploads_to_private_addresses_are_sent() -> None:
    """A presigned URL and an image host of one's own are not looked at, and their redirects are not followed."""
    for method in ("PUT", "DELETE"):
        put = Request(method, "http://10.0.0.1/x", "image.host", effect=Effect.REPEATABLE, signed=False)
        assert sent(put) == ["http://10.0.0.1/x"]


def test_the_vendors_own_host_is_not_looked_up() -> None:
    """A picture on the API's own host costs no look-up, and neither do ten of another more than one."""
    names = Names(**NAMES)
    talk = Conversation(plain(), Retry(), addresses=names.addresses)
    own = Request("GET", "http://plain.test/files/1", "generation.fetch", signed=False)
    for request in [own] * 3 + [FETCH] * 10:
        workflow = talk.send(request)
        action: Any = next(workflow)
        while isinstance(action, Blocking):
            action = workflow.send(action.function())
        with pytest.raises(StopIteration):
            workflow.send(Response(action, 200, {}, b""))
    assert names.asked == ["cdn.test"]


class Elsewhere(Plain):
    """Serves its pictures from a host that an answer could name."""

    def fetch(self, job: Job, image: GeneratedImage) -> Any:
        return (yield Request("GET", image.metadata["url"], "generation.fetch", signed=False)).content  # type: ignore[arg-type]


def test_it_holds_for_whole_clients(connect: Any, colour: str) -> None:
    """In both colours nothing is sent to the private address, of a picture or behind a user's URL."""
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        if request.url.path == "/moved.png":
            return httpx.Response(307, headers={"location": "http://169.254.169.254/latest/meta-data"})
        return httpx.Response(200, content=png())

    transport = httpx.MockTransport(answer)
    http: Any = httpx.Client(transport=transport) if colour == "sync" else httpx.AsyncClient(transport=transport)
    client = connect(Elsewhere(plain().settings), http=http)
    for url in ("http://169.254.169.254/latest", "http://1.1.1.1/moved.png"):
        image = GeneratedImage(id="0", metadata={"url": url})
        job = Job(provider="plain", kind="generation", id="7", status=Status.SUCCEEDED, images=(image,))
        with pytest.raises(MalformedResponse, match=r"leads to 169\.254\.169\.254"):
            client.download(job)
    with pytest.raises(MalformedResponse, match="give the URL where it ends"):
        client.upload_image("http://1.1.1.1/moved.png")
    assert seen == ["http://1.1.1.1/moved.png"] * 2


def test_a_client_looks_names_up_as_the_system_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures of a public name are fetched, and the name is asked for once for all that come later."""
    asked: list[str] = []

    def getaddrinfo(host: str, *_: object, **__: object) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("1.1.1.1", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=png()))
    with httpx.Client(transport=transport) as http, Client(Elsewhere(plain().settings), http=http, **QUICK) as client:  # type: ignore[arg-type]
        images = tuple(GeneratedImage(id=str(n), metadata={"url": f"http://cdn.test/{n}"}) for n in range(3))
        job = Job(provider="plain", kind="generation", id="7", status=Status.SUCCEEDED, images=images)
        client.download(job)
        assert len(client.download(job)) == 3
    assert set(asked) == {"cdn.test"}
    assert len(asked) <= 3
