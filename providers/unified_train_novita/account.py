"""What only this vendor offers: the models that an account can use, its balance, its user (Novita dossier 7 and 8).

Each method returns a flow, for `client.run(client.provider("novita").balance())`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from unified_train import InvalidOptions, Provider
from unified_train_novita import paging

if TYPE_CHECKING:
    from collections.abc import Mapping

    from unified_train import Flow, Request
    from unified_train_novita.account_answers import Balance, CatalogueModel, User
    from unified_train_novita.options import NovitaGeneration, NovitaTraining  # noqa: F401 - named in the base below
    from unified_train_novita.settings import NovitaSettings  # noqa: F401 - as above

Visibility = Literal["public", "private"]
Source = Literal["civitai", "training", "uploading"]
ModelKind = Literal["checkpoint", "lora", "vae", "controlnet", "upscaler", "textualinversion"]


class Account(Provider["NovitaSettings", "NovitaTraining", "NovitaGeneration"]):
    """The part of the provider that is about the account."""

    def models(
        self,
        *,
        visibility: Visibility | None = None,
        source: Source | None = None,
        kind: ModelKind | None = None,
        sdxl: bool | None = None,
        inpainting: bool | None = None,
        query: str | None = None,
        limit: int = paging.PAGE,
    ) -> Flow[tuple[CatalogueModel, ...]]:
        """The models that the account can use: `GET /v3/model`, page after page (vendor page "get model"; dossier 7).

        Trained LoRAs are those with `visibility="private", source="training", kind="lora"`.

        Args:
            visibility: Everybody's, or the account's own.
            source: Where they are from.
            kind: What they are.
            sdxl: Whether they are of the SDXL family.
            inpainting: Whether they are made for inpainting.
            query: To search for in names and tags.
            limit: How many at most; more than 10,000 are not read.

        Raises:
            InvalidOptions: `limit` is below 1.
            ApiError: The vendor refused.
            MalformedResponse: It is no list of models.
        """
        from unified_train_novita.account_answers import CatalogueModel
        from unified_train_novita.wire import Catalogue

        if limit < 1:
            raise InvalidOptions(f"limit: {limit}; ask for at least one model")
        given: dict[str, str | bool | None] = {
            "filter.visibility": visibility,
            "filter.source": source,
            "filter.types": kind,  # the SDK's `filter.type` is not what the page documents (dossier 12)
            "filter.is_sdxl": sdxl,
            "filter.query": query,
            "filter.is_inpainting": inpainting,
        }
        filters = {name: _written(value) for name, value in given.items() if value is not None}

        def ask(page: Mapping[str, str]) -> Request:
            return self.get("/v3/model", "model.list", query={**filters, **page})

        found = yield from paging.rows(ask, Catalogue, limit)
        return tuple(CatalogueModel.read(item, answer) for item, answer in found)

    def balance(self) -> Flow[Balance]:
        """What the account has, in US dollars: `GET /openapi/v1/billing/balance/detail`.

        The vendor tells 1/10000 US dollars in strings (vendor page "get user balance"; dossier 8).

        Raises:
            ApiError: The vendor refused.
            MalformedResponse: The answer has no available balance.
        """
        from unified_train_novita.account_answers import Balance, BalanceAnswer

        answer = yield self.get("/openapi/v1/billing/balance/detail", "account.balance")
        return Balance(**BalanceAnswer.parse(answer).model_dump())

    def user(self) -> Flow[User]:
        """Whose key it is: `GET /v3/user` (vendor page "get user info" and SDK, UserInfoResponse; dossier 8).

        The vendor tells the balance in 1/10000 US dollars; here it is in dollars.

        Raises:
            ApiError: The vendor refused.
            MalformedResponse: The answer is no object.
        """
        from unified_train_novita.account_answers import User, UserAnswer

        answer = yield self.get("/v3/user", "account.user")
        return User(**UserAnswer.parse(answer).model_dump())


def _written(value: str | bool) -> str:
    """As in a query; the documentation has its booleans in lower case (dossier 7)."""
    return value if isinstance(value, str) else str(value).lower()
