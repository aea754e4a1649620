"""Where Scenario is, and the two ways to sign in."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64decode
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import SecretStr  # noqa: TC002 - pydantic reads it at run time

from unified_train import MissingCredentials, Settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MISSING = (
    "no credentials: set the environment variables SCENARIO_SDK_API_KEY and SCENARIO_SDK_API_SECRET, or"
    " SCENARIO_SDK_JWT"
)


def _subject(token: str) -> str:
    """Who a token was made for, its claim `sub` (RFC 7519); of a token that has none, all of it."""
    claims = token.split(".")[1:2]
    try:
        told = json.loads(urlsafe_b64decode(claims[0] + "==")) if claims else None
    except ValueError:
        told = None
    subject = told.get("sub") if isinstance(told, dict) else None
    return subject if isinstance(subject, str) else token


class ScenarioSettings(Settings):
    """Credentials and address; with key and secret a token is ignored, as in the vendor's SDK (Scenario dossier 1).

    Attributes:
        base_url: Ends in `/v1`.
        api_key: Of a project.
        api_secret: Belongs to the key.
        jwt: A token of about a minute, instead of key and secret.
        project_id: Needed in practice for a token that sees several projects.
    """

    env: ClassVar[Mapping[str, Sequence[str]]] = {
        "api_key": ("SCENARIO_SDK_API_KEY", "UNIFIED_TRAIN_SCENARIO_API_KEY"),
        "api_secret": ("SCENARIO_SDK_API_SECRET", "UNIFIED_TRAIN_SCENARIO_API_SECRET"),
        "jwt": ("SCENARIO_SDK_JWT", "UNIFIED_TRAIN_SCENARIO_JWT"),
        "project_id": ("UNIFIED_TRAIN_SCENARIO_PROJECT_ID",),
        "base_url": ("SCENARIO_BASE_URL", "UNIFIED_TRAIN_SCENARIO_BASE_URL"),
    }

    base_url: str = "https://api.cloud.scenario.com/v1"
    api_key: SecretStr | None = None
    api_secret: SecretStr | None = None
    jwt: SecretStr | None = None
    project_id: str | None = None

    @classmethod
    def from_env(cls, environ: Mapping[str, str], **explicit: object) -> Self:
        """Read the environment, see `Settings.from_env`.

        Raises:
            MissingCredentials: There is neither a key with its secret nor a token.
            InvalidOptions: A value can't be used.
        """
        settings = super().from_env(environ, **explicit)
        _ = settings.authorization
        return settings

    def account(self) -> str:
        """The key, whose secret may be renewed; of a token, which lasts a minute, the project or whose token it is."""
        if self.api_key and self.api_secret:
            return self.api_key.get_secret_value()
        return self.project_id or _subject(self.jwt.get_secret_value() if self.jwt else "")

    @property
    def authorization(self) -> str:
        """Value of the `Authorization` header.

        Raises:
            MissingCredentials: There is neither a key with its secret nor a token.
        """
        if self.api_key and self.api_secret:
            pair = f"{self.api_key.get_secret_value()}:{self.api_secret.get_secret_value()}"
            return "Basic " + b64encode(pair.encode()).decode()
        if self.jwt:
            return "Bearer " + self.jwt.get_secret_value()
        if self.api_key:
            raise MissingCredentials("no api secret: set the environment variable SCENARIO_SDK_API_SECRET")
        raise MissingCredentials(_MISSING)
