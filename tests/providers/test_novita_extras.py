"""What only Novita offers: its catalogue of models, the balance and the user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from novita_flow import Talk, provider

from unified_train import (
    AuthenticationError,
    Dataset,
    Effect,
    InvalidOptions,
    MalformedResponse,
    TrainingRequest,
)
from unified_train_novita.account_answers import Balance, CatalogueModel, User

if TYPE_CHECKING:
    from collections.abc import Callable

    from unified_train.sandbox import Sandbox
    from unified_train_novita.provider import Novita

MODEL = {
    "id": 900001,
    "name": "my-cat",
    "hash_sha256": "0A1B",
    "sd_name": "model_1.safetensors",
    "sd_name_in_api": "model_1",
    "type": {"name": "lora", "display_name": "LORA"},
    "categories": [],
    "status": 1,
    "tags": ["cat"],
    "source": "training",
    "base_model": "SD 1.5",
    "download_url": "https://storage.test/m?X-Amz-Signature=00ff",
    "download_url_ttl": "86400",
    "is_sdxl": False,
}


@pytest.fixture
def novita() -> Novita:
    return provider()


# -- models ------------------------------------------------------------------------------------------------------------


def test_models_are_filtered_by_the_vendor(novita: Novita) -> None:
    """Each filter goes into the query under the vendor's name, with booleans in lower case; others are left out."""
    talk = Talk({"models": []})
    flow = novita.models(
        visibility="private", source="training", kind="lora", sdxl=True, inpainting=False, query="cat", limit=5
    )
    assert talk.run(flow) == ()
    request = talk.requests[0]
    assert (request.method, request.url) == ("GET", "https://api.novita.ai/v3/model")
    assert (request.effect, request.signed, request.operation) == (Effect.READ, True, "model.list")
    assert request.query == {
        "filter.visibility": "private",
        "filter.source": "training",
        "filter.types": "lora",
        "filter.is_sdxl": "true",
        "filter.query": "cat",
        "filter.is_inpainting": "false",
        "pagination.limit": "5",
    }
    talk = Talk({"models": []})
    talk.run(novita.models())
    assert talk.requests[0].query == {"pagination.limit": "100"}


def test_model(novita: Novita) -> None:
    """A model has its names, kind, family and whether it is available; its download URL is in no repr."""
    (found,) = Talk({"models": [MODEL]}).run(novita.models())
    assert (found.id, found.name, found.sd_name, found.sd_name_in_api) == (
        900001,
        "my-cat",
        "model_1.safetensors",
        "model_1",
    )
    assert (found.type.name, found.available, found.source, found.base_model) == ("lora", True, "training", "SD 1.5")
    assert (found.is_sdxl, found.tags, found.download_url_ttl) == (False, ("cat",), 86400)
    assert found.download_url == MODEL["download_url"]
    assert "Signature" not in repr(found)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"id": None, "type": None, "tags": None, "status": 0},
        {"type": "lora", "tags": "x", "status": "no", "name": 1},
    ],
)
def test_model_of_which_little_is_told(novita: Novita, fields: dict[str, Any]) -> None:
    """Whatever is missing or strange in a model is blank."""
    (found,) = Talk({"models": [{"sd_name": "x"} | fields]}).run(novita.models())
    assert found == CatalogueModel(sd_name="x", status=found.status)
    assert not found.available


def page(*names: str, cursor: str = "") -> dict[str, Any]:
    return {"models": [{"sd_name": name} for name in names], "pagination": {"next_cursor": cursor}}


def test_models_are_read_page_by_page(novita: Novita) -> None:
    """The vendor's cursors are followed verbatim and with the same filters, until a page is empty."""
    talk = Talk(page("a", cursor="c_WzEsMl0="), page("b", cursor="c_9"), page(cursor="c_10"))
    found = talk.run(novita.models(kind="vae", limit=250))
    assert [one.sd_name for one in found] == ["a", "b"]
    assert [request.query.get("pagination.cursor") for request in talk.requests] == [None, "c_WzEsMl0=", "c_9"]
    assert {request.query["filter.types"] for request in talk.requests} == {"vae"}
    assert {request.query["pagination.limit"] for request in talk.requests} == {"100"}


def test_no_more_models_than_asked_for(novita: Novita) -> None:
    """Reading stops as soon as there are enough, and what a page has beyond that is left out."""
    found = Talk(page("a", "b", cursor="c_2"), page("c", "d", cursor="c_4")).run(novita.models(limit=3))
    assert [one.sd_name for one in found] == ["a", "b", "c"]


def test_cursor_that_never_ends(novita: Novita) -> None:
    """A catalogue that goes in circles or never ends is read for a hundred pages at most."""
    assert len(Talk(page("a", cursor="c_1"), page("a", cursor="c_1")).run(novita.models(limit=5))) == 2
    endless = [page(str(number), cursor=f"c_{number}") for number in range(100)]
    assert len(Talk(*endless).run(novita.models(limit=1000))) == 100


def test_models_that_can_not_be_read(novita: Novita) -> None:
    """An answer without models is malformed, and fewer than one can't be asked for."""
    bodies: list[object] = [{}, [], b"<html>"]
    for body in bodies:
        with pytest.raises(MalformedResponse):
            Talk(body).run(novita.models())
    with pytest.raises(InvalidOptions, match="at least one"):
        next(novita.models(limit=0))


# -- balance and user --------------------------------------------------------------------------------------------------


def test_balance(novita: Novita) -> None:
    """The balance is told in ten-thousandths of a US dollar, in strings, and returned in dollars."""
    talk = Talk(
        {
            "availableBalance": "123400",
            "cashBalance": "123400",
            "creditLimit": "0",
            "pendingCharges": "15",
            "outstandingInvoices": "-1",
        }
    )
    found = talk.run(novita.balance())
    assert found == Balance(12.34, 12.34, 0, 0.0015, -0.0001)
    request = talk.requests[0]
    assert request.url == "https://api.novita.ai/openapi/v1/billing/balance/detail"
    assert (request.method, request.signed, request.operation) == ("GET", True, "account.balance")


def test_balance_of_which_little_is_told(novita: Novita) -> None:
    """What is not told is None, never 0."""
    told = {"availableBalance": -500, "cashBalance": None, "creditLimit": "much", "pendingCharges": True}
    assert Talk(told).run(novita.balance()) == Balance(-0.05, None, None, None, None)


@pytest.mark.parametrize(
    "body", [{}, {"availableBalance": None}, {"availableBalance": "x"}, {"availableBalance": "inf"}, [], b"<html>"]
)
def test_balance_that_can_not_be_read(novita: Novita, body: object) -> None:
    """An answer without an available balance is malformed."""
    with pytest.raises(MalformedResponse):
        Talk(body).run(novita.balance())


def test_user(novita: Novita) -> None:
    """The user has features and a balance in dollars; what is not told is blank."""
    talk = Talk({"allow_features": ["a", 1, "b"], "credit_balance": 123400, "free_trial": {"left": 3}})
    assert talk.run(novita.user()) == User(("a", "b"), 12.34, {"left": 3})
    assert (talk.requests[0].url, talk.requests[0].operation) == ("https://api.novita.ai/v3/user", "account.user")
    told = {"allow_features": None, "credit_balance": None, "free_trial": None}
    assert Talk(told).run(novita.user()) == Talk({}).run(novita.user()) == User((), None, {})
    with pytest.raises(MalformedResponse):
        Talk([]).run(novita.user())


def test_extras_through_the_client(sandbox: Sandbox, connect: Callable[..., Any], photos: Dataset) -> None:
    """A client runs what only this vendor offers: the balance, the user, and the model that it has just trained."""
    client = connect("novita")
    novita = client.provider("novita")
    assert client.run(novita.balance()).available == 12.34
    assert client.run(novita.user()) == User(("training",), 12.34, {})
    few = photos.model_copy(update={"images": photos.images[:2]})
    training = client.wait(client.train(TrainingRequest(name="my-cat", dataset=few)), timeout=20)
    (mine,) = client.run(novita.models(visibility="private", source="training", kind="lora"))
    assert (mine.sd_name, mine.name, mine.available) == (training.model.id, "my-cat", True)
    assert len(client.run(novita.models(visibility="public"))) == 17
    assert [one.sd_name for one in client.run(novita.models(query="yesmix"))] == ["yesmixXL_v10_283329.safetensors"]


def test_extras_with_a_wrong_key(sandbox: Sandbox, connect: Callable[..., Any]) -> None:
    """A wrong key is told as for any other operation, with the operation's name."""
    client = connect("novita", settings={"novita": {"api_key": "wrong"}})
    with pytest.raises(AuthenticationError) as caught:
        client.run(client.provider("novita").balance())
    assert (caught.value.provider, caught.value.operation) == ("novita", "account.balance")
