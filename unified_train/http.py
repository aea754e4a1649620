"""Neutral HTTP values: what a provider says and hears. Nothing here does I/O with a network."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from base64 import b64encode
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit
from uuid import uuid4

from pydantic_core import from_json

from unified_train import redact
from unified_train.errors import DatasetError, MalformedResponse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

CHUNK = 192 * 1024
"""Bytes per piece of a body; a multiple of three, so that base64 pieces join without padding between them."""

SUBMISSION_SECONDS = 130.0
"""Longest that a request which creates or bills is under way, from its entry in the journal to the end of its answer:
10 seconds to connect, 60 to send, 60 to be answered."""


_UNRESERVED = re.compile(r"[A-Za-z0-9_.~-]*")


class Effect(StrEnum):
    """What a request does at the vendor, and so whether it may be repeated after a lost answer."""

    READ = "read"
    """Changes nothing."""
    REPEATABLE = "repeatable"
    """Changes something, but twice is as good as once (an upload, a caption, a cancel)."""
    CREATE = "create"
    """Makes a free record; a repeat would leave a stray one."""
    PAY = "pay"
    """Once accepted it is billed; never repeated unless it surely did not arrive."""

    @property
    def idempotent(self) -> bool:
        """Whether repeating it is harmless."""
        return self in (Effect.READ, Effect.REPEATABLE)


class Body(ABC):
    """A request body that can be sent more than once and knows its size in bytes before it is read."""

    media_type: str
    size: int

    @abstractmethod
    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes from the beginning, at most `CHUNK` or a little more at a time."""

    def read(self) -> bytes:
        """All bytes at once."""
        return b"".join(self.chunks())

    def sha256(self) -> str:
        """Lower-case hexadecimal SHA-256 of the bytes."""
        digest = sha256()
        for chunk in self.chunks():
            digest.update(chunk)
        return digest.hexdigest()


class BytesBody(Body):
    """Bytes in memory."""

    def __init__(self, data: bytes, media_type: str = "application/octet-stream") -> None:
        self.data = data
        self.media_type = media_type
        self.size = len(data)

    def chunks(self) -> Iterator[bytes]:
        """Yield slices of the data."""
        for start in range(0, self.size, CHUNK):
            yield self.data[start : start + CHUNK]


class FileBody(Body):
    """A file that each reading opens anew; never wholly in memory."""

    def __init__(self, path: Path, media_type: str = "application/octet-stream") -> None:
        self.path = path
        self.media_type = media_type
        try:
            self.size = path.stat().st_size
        except OSError as error:
            raise self._unreadable(error) from None

    def chunks(self) -> Iterator[bytes]:
        """Yield the file piece by piece.

        Raises:
            DatasetError: It can't be read (any more).
        """
        try:
            with self.path.open("rb") as file:
                while chunk := file.read(CHUNK):
                    yield chunk
        except OSError as error:
            raise self._unreadable(error) from None

    def _unreadable(self, error: OSError) -> DatasetError:
        return DatasetError(f"{self.path}: can't be read ({error.strerror})")


@dataclass(frozen=True, slots=True)
class Base64:
    """Stands in a JSON body for bytes in base64; encoded piece by piece as it is sent.

    Attributes:
        body: The bytes.
        data_url: Whether to write `data:<media type>;base64,` before them.
    """

    body: Body
    data_url: bool = False

    @property
    def prefix(self) -> bytes:
        """What stands before the base64 text."""
        return f"data:{self.body.media_type};base64,".encode() if self.data_url else b""

    @property
    def size(self) -> int:
        """Length of the whole text in bytes."""
        return len(self.prefix) + 4 * -(-self.body.size // 3)

    def chunks(self) -> Iterator[bytes]:
        """Yield the text piece by piece, whatever the sizes of the body's own pieces."""
        yield self.prefix
        rest = b""
        for chunk in self.body.chunks():
            data = rest + chunk
            whole = len(data) - len(data) % 3
            rest = data[whole:]
            yield b64encode(data[:whole])
        yield b64encode(rest)


class JsonBody(Body):
    """A JSON value in compact UTF-8, with `Base64` parts streamed."""

    media_type = "application/json; charset=utf-8"

    def __init__(self, value: Any) -> None:
        self.value = value
        self._parts: list[bytes | Base64] = []
        self._encode(value)
        self.size = sum(len(part) if isinstance(part, bytes) else part.size for part in self._parts)

    def _encode(self, value: Any) -> None:
        # A base64 text needs no escaping, so it can stand between two pieces of finished JSON; the mark that holds
        # its place is random, so that no text of a user can be taken for it.
        mark = uuid4().hex
        found: list[Base64] = []

        def stand_in(item: object) -> str:
            if not isinstance(item, Base64):
                raise TypeError(f"{type(item).__name__} is not JSON")
            found.append(item)
            return mark

        text = json.dumps(value, default=stand_in, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        for position, piece in enumerate(text.split(mark)):
            if position:
                self._parts.append(found[position - 1])
            self._parts.append(piece.encode())

    def chunks(self) -> Iterator[bytes]:
        """Yield the JSON text piece by piece."""
        for part in self._parts:
            if isinstance(part, bytes):
                yield part
            else:
                yield from part.chunks()


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request as a provider sees it.

    Attributes:
        method: `GET`, `POST`, `PUT` or `DELETE`.
        url: Absolute, without query if `query` is given.
        operation: What it is for, such as `training.start`; shown in errors and events, kept in the journal.
        query: Parameters; `url_with_query` encodes them as RFC 3986 has it (a space is `%20`).
        body: None for no body.
        headers: Beyond `content-type` and `content-length`, which follow from the body.
        effect: What it does at the vendor. READ for a GET unless told; for others CREATE, the cautious choice.
        signed: Whether it carries the vendor's credentials. Only requests to the vendor's own origin may.
        units: What it takes of its operation's rate, such as the number of pictures.
    """

    method: str
    url: str
    operation: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Body | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    effect: Effect | None = None
    signed: bool = True
    units: int = 1

    def __post_init__(self) -> None:
        if self.effect is None:
            object.__setattr__(self, "effect", Effect.READ if self.method in ("GET", "HEAD") else Effect.CREATE)

    @property
    def idempotent(self) -> bool:
        """Whether repeating it is harmless."""
        return self.effect is not None and self.effect.idempotent

    @property
    def url_with_query(self) -> str:
        """What goes over the wire."""
        if not self.query:
            return self.url
        pairs = [f"{escaped(name)}={escaped(value)}" for name, value in self.query.items()]
        return f"{self.url}?{'&'.join(pairs)}"

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return origin(self.url)

    def with_headers(self, **headers: str) -> Request:
        """The same request with more headers; underscores in names become hyphens."""
        added = {name.replace("_", "-"): value for name, value in headers.items()}
        # By hand, since `replace` takes some hundred times as long, and every request passes here.
        return Request(
            self.method,
            self.url,
            self.operation,
            self.query,
            self.body,
            {**self.headers, **added},
            self.effect,
            self.signed,
            self.units,
        )

    def __repr__(self) -> str:
        return f"<Request {self.operation}: {self.method} {redact.url(self.url_with_query)}>"


@dataclass(frozen=True, slots=True)
class Moment:
    """The two things that a signature needs from outside: the time (aware, UTC) and a nonce never used before."""

    now: datetime
    nonce: str


class Response:
    """One HTTP answer.

    Attributes:
        request: What it answers.
        status: HTTP status.
        headers: With lower-case names.
        content: The whole body.
    """

    def __init__(self, request: Request, status: int, headers: Mapping[str, str], content: bytes) -> None:
        self.request = request
        self.status = status
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.content = content
        self._found: tuple[Any, ...] | None = None

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300  # noqa: PLR2004 - the range of success

    @cached_property
    def text(self) -> str:
        """The body as UTF-8, with replacements where it is not."""
        return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON; the same object each time, to be read only.

        Raises:
            MalformedResponse: It is not JSON.
        """
        for value in self._parsed():
            return value
        kind = self.headers.get("content-type", "no content type")
        raise self.malformed(f"expected JSON, got {len(self.content)} bytes of {kind}: {self.excerpt}")

    def json_or_none(self) -> Any:
        """The body as JSON, as `json` gives it, or None if it is not."""
        return next(iter(self._parsed()), None)

    def _parsed(self) -> tuple[Any, ...]:
        """The value, or nothing if the body is no JSON; found out once, since several ask."""
        if self._found is None:
            try:
                self._found = (_parsed(self.content),)
            except ValueError:
                self._found = ()
        return self._found

    @property
    def excerpt(self) -> str:
        """The first line or so of the body, for messages."""
        return " ".join(redact.text(self.text).split())[:200]

    def malformed(self, why: str) -> MalformedResponse:
        """An error to raise: the answer can't be read, and `why`."""
        return MalformedResponse(why, operation=self.request.operation, http_status=self.status)

    def __repr__(self) -> str:
        return f"<Response {self.status} to {self.request!r}>"


def _parsed(content: bytes) -> Any:
    """A JSON value whose texts can all be written again: half a surrogate pair, which UTF-8 can't hold, is replaced."""
    try:
        return from_json(content)
    except ValueError:
        # The quick parser is stricter: it takes no half of a pair, no byte order mark and no great depth.
        return _paired(json.loads(content))


def _paired(value: Any) -> Any:
    if isinstance(value, dict):
        return {_paired(key): _paired(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_paired(item) for item in value]
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def escaped(value: str) -> str:
    """Percent-encoded as RFC 3986 has it: only letters, digits and `-_.~` stay."""
    return value if _UNRESERVED.fullmatch(value) else quote(value, safe="-_.~")


def origin(url: str) -> str:
    """Scheme, host and port of a URL, in lower case."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()
