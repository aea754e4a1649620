"""What is needed to speak to this vendor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field, SecretStr

from unified_train import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class NovitaSettings(Settings):
    """Credentials and address.

    Attributes:
        base_url: Of the API, without a path.
        api_key: Of the account.
    """

    base_url: Annotated[str, Field(pattern=r"^https?://[^\s?#]+$")] = "https://api.novita.ai"
    api_key: SecretStr

    env: ClassVar[Mapping[str, Sequence[str]]] = {
        "api_key": ("NOVITA_API_KEY", "UNIFIED_TRAIN_NOVITA_API_KEY"),
        "base_url": ("NOVITA_API_URI", "UNIFIED_TRAIN_NOVITA_BASE_URL"),
    }
    required: ClassVar[Sequence[str]] = ("api_key",)
