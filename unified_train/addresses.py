"""Which web addresses are private, so that no answer can send us into the network that we stand in.

A picture's URL comes from a vendor's answer, and a redirect from any server. Either could name what only this machine
reaches: a router, a database, the service that hands a cloud machine its credentials. A name is looked up before it is
connected to. Between the two a hostile name server may change its mind (DNS rebinding), which is not covered; nor is
a proxy that looks names up by itself.
"""

from __future__ import annotations

import re
import socket
import time
from functools import partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urljoin, urlsplit

from unified_train.flow import Workflow, blocking

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Address: TypeAlias = IPv4Address | IPv6Address

REMEMBERED = 300.0
"""Seconds for which a name's answer counts; a hundred pictures of one host are one look-up."""
_MOST_REMEMBERED = 1000

# Not `is_private`, whose meaning differs between releases of Python. Left out is 198.18.0.0/15: local proxies answer
# every name with an address from there, and reach the public one themselves.
_PRIVATE_V4 = [
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this machine
        "10.0.0.0/8",
        "100.64.0.0/10",  # carriers; at least one cloud's metadata service
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local; most clouds' metadata service
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.168.0.0/16",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
]
_PRIVATE_V6 = [
    IPv6Network(network)
    for network in (
        "2001::/32",  # Teredo, and
        "2002::/16",  # 6to4: tunnels out of use, whose inner address can be any
        "fc00::/7",  # unique local; some clouds' metadata service
        "fe80::/10",  # link-local
        "fec0::/10",  # site-local
        "ff00::/8",  # multicast
    )
]
# An IPv4 address in the last 32 bits. `::1` and `::` are among the first, and end in 0.0.0.0/8.
_HOLDS_V4 = [IPv6Network(network) for network in ("::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48")]
_V4_BITS = 0xFFFFFFFF

_PRIVATE_NAME = re.compile(r"(.+\.)?(localhost|local|internal|home\.arpa)")
# Browsers, Python and HTTP libraries disagree on what these mean in a host, and no honest URL has them there.
_DOUBTFUL = re.compile(r"[^\x21-\x7e]|\\")


def host_of(url: str) -> str | None:
    """The host of a web address, in lower case and without a dot at the end.

    None if it is no `http` or `https` URL, or if two readers could take it for different hosts.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host or _DOUBTFUL.search(parts.netloc):
        return None
    return host.rstrip(".") or None


def redirected(url: str, location: str) -> str:
    """Where the `Location` of an answer to a URL leads; empty, which is no URL, if that can't be told."""
    try:
        return urljoin(url, location)
    except ValueError:
        return ""


def address_of(host: str) -> Address | None:
    """The address that a host is, in any spelling (`127.0.0.1`, `0x7f.1`, `2130706433`, `::1`); None for a name."""
    try:
        return ip_address(host)
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def is_private(address: Address) -> bool:
    """Whether an address is this machine's, its network's, or nobody's in particular (multicast, reserved)."""
    if isinstance(address, IPv4Address):
        return any(address in network for network in _PRIVATE_V4)
    if any(address in network for network in _HOLDS_V4):
        return is_private(IPv4Address(int(address) & _V4_BITS))
    return any(address in network for network in _PRIVATE_V6)


def looked_up(host: str) -> Sequence[Address]:
    """The addresses of a name; none if there are none, which connecting to it will tell better."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # the latter for a label that is too long
        return ()
    return [ip_address(str(entry[4][0])) for entry in found]


class Addresses:
    """Says which hosts are private, and where an answer may lead; remembers names for `REMEMBERED` seconds.

    Args:
        look_up: Finds the addresses of a name; may block.
        clock: Seconds.
    """

    def __init__(
        self,
        look_up: Callable[[str], Sequence[Address]] = looked_up,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._look_up = look_up
        self._clock = clock
        self._names: dict[str, tuple[float, bool]] = {}

    def private(self, host: str) -> Workflow[bool]:
        """Whether a host, as `host_of` gives it, is private; a name is if any of its addresses is.

        A name without an address is not: behind a proxy, names need not be known here.
        """
        address = address_of(host)
        if address is not None:
            return is_private(address)
        if _PRIVATE_NAME.fullmatch(host):
            return True
        until, known = self._names.get(host, (0.0, False))
        if self._clock() < until:
            return known
        addresses = yield from blocking(partial(self._look_up, host))
        found = any(map(is_private, addresses))
        if addresses:
            self._remember(host, private=found)
        return found

    def _remember(self, host: str, *, private: bool) -> None:
        if len(self._names) >= _MOST_REMEMBERED:
            self._names.clear()
        self._names[host] = self._clock() + REMEMBERED, private

    def objection(self, url: str, *, trusted: Sequence[str], before: str | None = None) -> Workflow[str | None]:
        """Why not to go where an answer leads, as the end of a sentence; None if there is nothing against it.

        Args:
            url: Where it leads.
            trusted: URLs that the user chose. If one of them is private, so may be where it leads.
            before: The URL that was redirected, if it is a redirect.
        """
        host = host_of(url)
        if host is None:
            return "no web address that can be read in one way only"
        if before is not None and _secure(before) and not _secure(url):
            return f"plain http on {host}, while it was asked for by https"
        friends = [friend for friend in map(host_of, trusted) if friend is not None]
        if host in friends or not (yield from self.private(host)):
            return None
        for friend in friends:
            if (yield from self.private(friend)):
                return None
        return f"{host}, which is a private address"


def _secure(url: str) -> bool:
    return urlsplit(url).scheme == "https"
