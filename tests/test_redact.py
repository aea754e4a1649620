"""Nothing secret is shown, and nothing else is hidden."""

from __future__ import annotations

import logging

import pytest

from unified_train import ApiError, Request, redact
from unified_train.dataset import UploadedImage

SIGNED = (
    "https://u:pw@host.test/a%20b.png?X-Amz-Signature=s3cr3t&x-oss-security-token=s3cr3t&Signature=s3cr3t&w=64&flag"
)


def test_a_url_keeps_its_place_and_loses_its_keys() -> None:
    """Path and plain parameters stay, credentials and signatures go."""
    shown = redact.url(SIGNED)
    assert shown.startswith("https://host.test/a%20b.png?")
    assert "w=64&flag" in shown
    assert "s3cr3t" not in shown
    assert "pw" not in shown


def test_what_is_no_url_is_hidden_whole() -> None:
    """Text that looks like a URL and can't be taken apart is not shown."""
    assert redact.text("see http://[ now") == "see *** now"


@pytest.mark.parametrize("scheme", ["Basic", "Bearer", "ACS3-HMAC-SHA256"])
def test_credentials_in_text_are_hidden(scheme: str) -> None:
    """An Authorization value is hidden wherever it turns up in a text."""
    assert "s3cr3t" not in redact.text(f"sent Authorization: {scheme} s3cr3t to {SIGNED}.")


def test_headers_and_payloads_are_cleaned_throughout() -> None:
    """Secret headers and keys are hidden at any depth; numbers and names stay."""
    assert redact.headers({"Authorization": "x", "Location": SIGNED, "Accept": "*/*"})["Authorization"] == "***"
    cleaned = redact.payload({"a": [{"secret": "s3cr3t", "url": SIGNED, "n": 1}], "b": ("t", None)})
    assert "s3cr3t" not in str(cleaned)
    assert cleaned["a"][0]["n"] == 1
    assert cleaned["b"] == ["t", None]


def test_errors_requests_and_uploads_show_no_signature() -> None:
    """What is printed in a traceback is clean."""
    assert "s3cr3t" not in str(ApiError(f"no such thing at {SIGNED}", provider="p", operation="o"))
    assert "s3cr3t" not in repr(Request("GET", SIGNED, "x", headers={"authorization": "Bearer s3cr3t"}))
    assert "s3cr3t" not in repr(UploadedImage(provider="p", id=SIGNED, name="n"))


def test_httpx_logs_no_signature(caplog: pytest.LogCaptureFixture) -> None:
    """The line that httpx logs for each request of ours is cleaned at its source."""
    import unified_train.transport.wire  # noqa: F401 - installs the filter

    with caplog.at_level(logging.INFO, logger="httpx"):
        logging.getLogger("httpx").info("HTTP Request: %s %s", "GET", SIGNED)
    assert "host.test" in caplog.text
    assert "s3cr3t" not in caplog.text
