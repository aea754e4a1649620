"""What only this vendor offers: the models that an account can use, its balance, its user (Novita dossier 7 and 8).

Each method returns a flow, for `client.run(client.provider("novita").balance())`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from unified_train import InvalidOptions, Provider, Wire
from unified_train_novita import paging
from unified_train_novita.options import NovitaGeneration, NovitaSettings, NovitaTraining
from unified_train_novita.wire import Catalogue, Flag, Object, Text, Texts, Whole, finite

if TYPE_CHECKING:
    from collections.abc import Mapping

    from unified_train import Flow, Request

Visibility = Literal["public", "private"]
Source = Literal["civitai", "training", "uploading"]
ModelKind = Literal["checkpoint", "lora", "vae", "controlnet", "upscaler", "textualinversion"]

_UNITS_PER_DOLLAR = 10_000


def _dollars(value: object) -> float | None:
    """US dollars; the vendor tells ten-thousandths of one, in strings."""
    units = finite(value)
    return None if units is None else units / _UNITS_PER_DOLLAR


Dollars = Annotated[float, BeforeValidator(_dollars)]
MaybeDollars = Annotated[float | None, BeforeValidator(_dollars)]


class ModelType(Wire):
    """What a model is."""

    name: Text = ""


class CatalogueModel(Wire):
    """A model that the account can use.

    Attributes:
        id: A number.
        name: For people.
        sd_name: Its file, extension included; what a generation calls a checkpoint by.
        sd_name_in_api: What the field reference calls a LoRA by, usually without an extension.
        type: Its `name` is such as `checkpoint`, `lora` or `locon`.
        status: 1 if it is available.
        source: Where it is from, such as `training`.
        base_model: Its family, such as `SD 1.5` or `SDXL 1.0`.
        is_sdxl: Whether it is of the SDXL family.
        tags: Of the vendor.
        download_url: Of the file, if the vendor tells one; as good as a key to it, and it expires.
        download_url_ttl: Seconds.
    """

    id: Whole = None
    name: Text = ""
    sd_name: Text = ""
    sd_name_in_api: Text = ""
    type: Annotated[ModelType, Object] = Field(default_factory=ModelType)
    status: Whole = None
    source: Text = ""
    base_model: Text = ""
    is_sdxl: Flag = False
    tags: Texts = ()
    download_url: Annotated[Text, Field(repr=False)] = ""
    download_url_ttl: Whole = None

    @property
    def available(self) -> bool:
        """Whether it can be generated with now."""
        return self.status == 1


class _BalanceAnswer(Wire):
    available: Annotated[Dollars, Field(validation_alias="availableBalance")]
    cash: Annotated[MaybeDollars, Field(validation_alias="cashBalance")] = None
    credit_limit: Annotated[MaybeDollars, Field(validation_alias="creditLimit")] = None
    pending_charges: Annotated[MaybeDollars, Field(validation_alias="pendingCharges")] = None
    outstanding_invoices: Annotated[MaybeDollars, Field(validation_alias="outstandingInvoices")] = None


class _UserAnswer(Wire):
    features: Annotated[Texts, Field(validation_alias="allow_features")] = ()
    balance: Annotated[MaybeDollars, Field(validation_alias="credit_balance")] = None
    free_trial: Annotated[dict[str, Any], Object] = {}


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account has, in US dollars; None where the vendor does not tell.

    Attributes:
        available: To be spent.
        cash: Paid in.
        credit_limit: What it may owe.
        pending_charges: Not booked yet; only newer answers have it.
        outstanding_invoices: Owed.
    """

    available: float
    cash: float | None
    credit_limit: float | None
    pending_charges: float | None
    outstanding_invoices: float | None


@dataclass(frozen=True, slots=True)
class User:
    """Whose key it is.

    Attributes:
        features: What the account may do, in the vendor's words.
        balance: US dollars; None where the vendor does not tell.
        free_trial: As the vendor tells it; its form is not documented.
    """

    features: tuple[str, ...]
    balance: float | None
    free_trial: dict[str, Any]


class Account(Provider[NovitaSettings, NovitaTraining, NovitaGeneration]):
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
        answer = yield self.get("/openapi/v1/billing/balance/detail", "account.balance")
        return Balance(**_BalanceAnswer.parse(answer).model_dump())

    def user(self) -> Flow[User]:
        """Whose key it is: `GET /v3/user` (vendor page "get user info" and SDK, UserInfoResponse; dossier 8).

        The vendor tells the balance in 1/10000 US dollars; here it is in dollars.

        Raises:
            ApiError: The vendor refused.
            MalformedResponse: The answer is no object.
        """
        answer = yield self.get("/v3/user", "account.user")
        return User(**_UserAnswer.parse(answer).model_dump())


def _written(value: str | bool) -> str:
    """As in a query; the documentation has its booleans in lower case (dossier 7)."""
    return value if isinstance(value, str) else str(value).lower()
