"""What the vendor says of an account: its models, its balance, its user (Novita dossier 7 and 8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from unified_train import Wire
from unified_train_novita.wire import Flag, Object, Text, Texts, Whole, finite

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


class BalanceAnswer(Wire):
    """What an account has, as the vendor tells it."""

    available: Annotated[Dollars, Field(validation_alias="availableBalance")]
    cash: Annotated[MaybeDollars, Field(validation_alias="cashBalance")] = None
    credit_limit: Annotated[MaybeDollars, Field(validation_alias="creditLimit")] = None
    pending_charges: Annotated[MaybeDollars, Field(validation_alias="pendingCharges")] = None
    outstanding_invoices: Annotated[MaybeDollars, Field(validation_alias="outstandingInvoices")] = None


class UserAnswer(Wire):
    """Whose key it is, as the vendor tells it."""

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
