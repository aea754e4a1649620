"""A client behind a company's proxy, whose TLS is signed by the company's own authority."""

import ssl
from pathlib import Path

import httpx


def company_http(proxy: str, authority: Path) -> httpx.Client:
    """An HTTP client to hand to `Client(…, http=…)`; whoever makes it closes it.

    Args:
        proxy: Such as `http://proxy.example:3128`.
        authority: PEM file with the company's certificate.
    """
    trusted = ssl.create_default_context()
    trusted.load_verify_locations(cafile=authority)
    # Without a time-out for the pool, since calls wait before it; and none longer than these, since a lost answer is
    # looked for once a request that creates or bills can't be under way any more.
    timeout = httpx.Timeout(connect=10, read=60, write=60, pool=None)
    return httpx.Client(proxy=proxy, verify=trusted, timeout=timeout)
