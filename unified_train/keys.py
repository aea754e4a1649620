"""What a call that may cost money is known by: its key, the marker that is made of it, the account that pays."""

from __future__ import annotations

import re
from base64 import b32encode
from hashlib import sha256
from typing import TYPE_CHECKING

from unified_train.errors import InvalidOptions

if TYPE_CHECKING:
    from unified_train.provider import AnyProvider

LONGEST_KEY = 200
"""Characters."""
MARKER = re.compile(r"ut[a-z2-7]{12}$")
"""What `marker_of` makes, at the end of a name."""


def checked_key(key: str) -> str:
    """The key, if it can be one.

    Raises:
        InvalidOptions: It can't.
    """
    if not key.strip() or len(key) > LONGEST_KEY or not key.isprintable():
        raise InvalidOptions(f"key: 1 to {LONGEST_KEY} printable characters, such as an order number")
    return key


def marker_of(key: str) -> str:
    """A text of 14 characters that no other key has."""
    return "ut" + b32encode(sha256(key.encode()).digest()).decode()[:12].lower()


def account_of(provider: AnyProvider) -> str:
    """A hash by which the journal tells accounts apart, without keeping anything of their credentials."""
    told = f"{provider.slug}\n{provider.base_url}\n{provider.settings.account()}"
    return sha256(told.encode()).hexdigest()[:16]
