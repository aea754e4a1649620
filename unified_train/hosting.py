"""Public places for training images, for vendors that fetch them by URL and take no bytes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime
from typing import TYPE_CHECKING, Self
from urllib.parse import SplitResult, urlsplit

from unified_train import redact
from unified_train.config import environment
from unified_train.errors import ApiError, ConfigurationError, NotFound, PluginError
from unified_train.http import Effect, Moment, Request
from unified_train.installed import entry_points
from unified_train.records import Record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic._internal._repr import ReprArgs

    from unified_train.flow import Flow
    from unified_train.images import Image

VARIABLE = environment.IMAGE_HOST
"""Environment variable with the URL of the image host to use."""
GROUP = "unified_train.image_hosts"
"""Entry-point group; the name of an entry point is the scheme of its host's URLs."""


class HostedImage(Record):
    """An image that anyone who knows its URL can fetch.

    Attributes:
        url: As good as a key if it is presigned.
        key: By which the host finds it again, to delete it.
        expires_at: When the URL stops working (aware), None for never.
    """

    url: str
    key: str
    expires_at: datetime | None = None

    def __repr_args__(self) -> ReprArgs:
        """As pydantic's, but without the signature of the URL."""
        return [(name, redact.text(value) if isinstance(value, str) else value) for name, value in self]


class ImageHost(ABC):
    """Somewhere of the user's own to put images; what plugins subclass. As providers, hosts do no I/O."""

    @classmethod
    @abstractmethod
    def from_url(cls, url: str, environ: Mapping[str, str]) -> Self:
        """Make a host of its URL, and of keys from the environment.

        Raises:
            ConfigurationError: Something is missing or wrong; the message says what to set.
        """

    @abstractmethod
    def put(self, image: Image, moment: Moment) -> Flow[HostedImage]:
        """Store an image under a name that can't be guessed, such as `moment.nonce`; requests are unsigned."""

    @abstractmethod
    def delete(self, key: str, moment: Moment) -> Flow[None]:
        """Remove a stored image; one that is not there (any more) is no error."""


class PlainHost(ImageHost):
    """A URL prefix under which an HTTP PUT stores a file, a GET returns it to anyone, and a DELETE removes it.

    Args:
        prefix: Such as `https://files.example.com/training`. A user name and password in it are used to store and
            remove files, and are no part of the URLs that vendors are given.
    """

    def __init__(self, prefix: str) -> None:
        parts = split(prefix)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ConfigurationError(f"{prefix!r} is no image host; it looks like https://files.example.com/training")
        self.prefix = prefix.rstrip("/")
        self.public = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().rstrip("/")

    @classmethod
    def from_url(cls, url: str, environ: Mapping[str, str]) -> Self:  # noqa: ARG003 - it needs no keys
        """The URL is the prefix."""
        return cls(url)

    def put(self, image: Image, moment: Moment) -> Flow[HostedImage]:
        """One PUT of the bytes."""
        key = f"{moment.nonce}.{image.extension}"
        try:
            yield self._request("PUT", key, image)
        except ApiError as error:
            told = f"the image host {self.public} did not take {image.name}: {error.message}"
            raise explained(error, f"{told}; a PUT below that URL must store a file") from None
        return HostedImage(url=f"{self.public}/{key}", key=key)

    def delete(self, key: str, moment: Moment) -> Flow[None]:  # noqa: ARG002 - nothing is signed
        """One DELETE."""
        try:
            yield self._request("DELETE", key)
        except NotFound:
            return
        except ApiError as error:
            raise explained(error, f"the image host {self.public} did not remove {key}: {error.message}") from None

    def _request(self, method: str, key: str, image: Image | None = None) -> Request:
        operation = "image.host" if image else "image.unhost"
        body = image.body() if image else None
        return Request(method, f"{self.prefix}/{key}", operation, body=body, effect=Effect.REPEATABLE, signed=False)

    def __repr__(self) -> str:
        return f"<PlainHost {redact.url(self.prefix)}>"


def explained(error: ApiError, message: str) -> ApiError:
    """The same refusal in other words: that it is the image host that refuses, and not the vendor."""
    return type(error)(
        message,
        provider=error.provider,
        operation=error.operation,
        http_status=error.http_status,
        code=error.code,
        request_id=error.request_id,
        retryable=error.retryable,
        retry_after=error.retry_after,
    )


def split(url: str) -> SplitResult:
    """The parts of a host's URL.

    Raises:
        ConfigurationError: It can't be taken apart; none of it is shown, since it may hold a key.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ConfigurationError(f"{VARIABLE} is no URL; it looks like https://files.example.com/training") from None
    return parts


def host_of(url: str, environ: Mapping[str, str]) -> ImageHost:
    """The host for a URL: a plain one for `http` and `https`, else the plugin for its scheme.

    Raises:
        ConfigurationError: No plugin is installed for the scheme, or the URL is wrong.
        PluginError: The plugin can't be loaded.
    """
    scheme = split(url).scheme
    if scheme in ("http", "https"):
        return PlainHost.from_url(url, environ)
    found = {point.name: point for point in entry_points(group=GROUP)}
    if scheme not in found:
        known = ", ".join(["http", "https", *sorted(found)])
        raise ConfigurationError(f"no image host for {redact.url(url)!r}; schemes known here: {known}")
    value = found[scheme].value
    try:
        kind = found[scheme].load()
    except Exception as error:
        raise PluginError(f"image host {value} can't be loaded: {type(error).__name__}: {error}") from error
    if not (isinstance(kind, type) and issubclass(kind, ImageHost)):
        raise PluginError(f"image host {value} is no subclass of ImageHost")
    return kind.from_url(url, environ)
