"""The emulated Scenario over HTTP: credentials, assets, uploads, models, training images, lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from scenario_api import AUTH, Api, bare_base64, data_url, photo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unified_train.sandbox import Sandbox


@pytest.fixture
def api(sandbox: Sandbox) -> Iterator[Api]:
    with Api(sandbox) as calls:
        yield calls


@pytest.mark.parametrize("header", [None, "Basic d3Jvbmc6d3Jvbmc=", "Bearer other", "public-auth-token"])
def test_strangers_get_a_401_with_a_reason(api: Api, header: str | None) -> None:
    """Without the account's key or token every route answers 401 with a `reason`."""
    headers = {"authorization": header} if header else {}
    response = api.bare.get("/jobs", headers=headers)
    assert response.status_code == 401
    assert set(response.json()) == {"reason"}


def test_the_public_token_reads_public_models_only(api: Api) -> None:
    """The anonymous header lists the base models, and sees nothing of the account."""
    own, asset = api.model(), api.asset()
    headers = {"authorization": "public-auth-token"}
    with httpx.Client(base_url=api.base_url, headers=headers) as public:
        listed = public.get("/models").json()["models"]
        assert all(model["privacy"] == "public" for model in listed)
        assert public.get("/models/model_z-image").status_code == 200
        assert public.get(f"/models/{own}").status_code == 404
        assert public.get(f"/assets/{asset}").status_code == 404
        assert public.post("/models", json={}).status_code == 401


def test_a_token_signs_in_until_it_expires(api: Api) -> None:
    """The Bearer token works, and past its minute it is a 403 that only a header tells from others."""
    headers = {"authorization": "Bearer sandbox-jwt"}
    assert api.bare.get("/models", headers=headers).status_code == 200
    api.turn(jwt_expired=True)
    response = api.bare.get("/models", headers=headers)
    assert (response.status_code, response.headers["x-amzn-errortype"]) == (403, "AccessDeniedException")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/nothing"), ("GET", "/models/m/training-images"), ("PATCH", "/models"), ("HEAD", "/x")],
)
def test_unknown_routes_and_methods_are_forbidden(api: Api, method: str, path: str) -> None:
    """A path or method that does not exist is a 403 of the gateway, not a 404."""
    response = api.http.request(method, path)
    assert response.status_code == 403
    if method != "HEAD":
        assert response.json() == {"message": "Forbidden"}


def test_unknown_routes_tell_strangers_nothing(api: Api) -> None:
    """Without credentials even an unknown route is a 401."""
    assert api.bare.get("/nothing").status_code == 401


def test_another_project_is_refused(api: Api) -> None:
    """The key belongs to one project; naming another is a 403 with a reason."""
    assert api("GET", "/jobs", projectId="proj_sandbox") == {"jobs": []}
    assert "reason" in api("GET", "/jobs", expect=403, projectId="proj_other")


def test_bodies_must_be_json_objects(api: Api) -> None:
    """Broken JSON and a list where an object belongs are 400."""
    response = api.http.post("/models", content=b"{", headers={"content-type": "application/json"})
    assert (response.status_code, response.json()) == (400, {"message": "Invalid request body"})
    assert "object" in api("POST", "/models", [], 400)["reason"]


def test_a_body_over_six_megabytes_is_refused_by_the_gateway(api: Api) -> None:
    """Images that are too large for inline upload end in a 413 without a reason."""
    body = {"name": "big.png", "image": "A" * (6 * 1024 * 1024)}
    assert api("POST", "/assets", body, 413) == {"message": "Request Too Long"}


def test_too_many_requests_have_no_name_but_a_retry_after(api: Api) -> None:
    """The plain rate limit is a 429 with `Retry-After` and nothing but a reason, for as many requests as asked."""
    api.turn(rate_limit_next=1)
    response = api.http.get("/jobs")
    assert (response.status_code, response.headers["retry-after"]) == (429, "1")
    assert set(response.json()) == {"reason"}
    api("GET", "/jobs")


def test_an_uploaded_asset_can_be_fetched_from_its_signed_url(api: Api) -> None:
    """The URL of an asset gives its bytes without, and only without, the API's credentials."""
    data = photo("blue")
    asset = api("POST", "/assets", {"name": "b.png", "image": bare_base64(data), "hide": True})["asset"]
    assert (asset["status"], asset["mimeType"], asset["isHidden"]) == ("success", "image/png", True)
    assert asset["metadata"] | {"name": "b.png", "width": 40, "height": 30} == asset["metadata"]
    assert api.bare.get(asset["url"]).content == data
    assert api.bare.get(asset["url"], auth=AUTH).status_code == 400
    assert api("GET", f"/assets/{asset['id']}")["asset"]["url"] != asset["url"]


def test_asset_urls_expire(api: Api) -> None:
    """A URL kept too long is a 403, a freshly read one works."""
    api.turn(url_seconds=60)
    identifier = api.asset()
    old = api("GET", f"/assets/{identifier}")["asset"]["url"]
    api.advance(61)
    assert api.bare.get(old).status_code == 403
    assert api.bare.get(api("GET", f"/assets/{identifier}")["asset"]["url"]).status_code == 200


def test_renditions_differ_from_originals(api: Api) -> None:
    """With renditions on, a URL is re-encoded unless `originalAssets=true` is asked for."""
    api.turn(renditions=True)
    identifier = api.asset()
    rendition = api.bare.get(api("GET", f"/assets/{identifier}")["asset"]["url"])
    original = api.bare.get(api("GET", f"/assets/{identifier}", originalAssets="true")["asset"]["url"])
    assert (rendition.headers["content-type"], original.headers["content-type"]) == ("image/webp", "image/png")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"image": "AAAA"}, "Field name is required"),
        ({"name": 3}, "Field name must be a string"),
        ({"name": "x"}, "Either 'image' or 'canvas' must be provided"),
        ({"name": "x", "canvas": "{}"}, "Canvases are not part of the sandbox"),
        ({"name": "x", "image": "AAAA"}, "Unhandled image format"),
        ({"name": "x", "image": data_url(photo())}, "Unhandled image format"),
        ({"name": "x", "image": bare_base64(photo(kind="BMP"))}, "Unhandled image format"),
    ],
)
def test_inline_uploads_must_be_bare_base64_of_an_image(api: Api, body: dict[str, Any], reason: str) -> None:
    """A missing name, no image, a data URL and bytes that are no known image are 400 with a reason."""
    assert api("POST", "/assets", body, 400) == {"reason": reason}


def test_descriptions_and_tags_of_assets_change(api: Api) -> None:
    """PUT sets the description; the tag route adds and deletes, and only `strict` minds what is there already."""
    identifier = api.asset()
    assert api("PUT", f"/assets/{identifier}", {"description": "a cat"})["asset"]["description"] == "a cat"
    assert api("PUT", f"/assets/{identifier}", {})["asset"]["description"] == "a cat"
    path = f"/assets/{identifier}/tags"
    assert api("PUT", path, {"add": ["a", "b"]}) == {"added": ["a", "b"], "deleted": []}
    assert api("PUT", path, {"add": ["a"], "delete": ["b", "c"]}) == {"added": [], "deleted": ["b"]}
    assert "reason" in api("PUT", path, {"add": ["a"], "strict": True}, 400)
    assert api("GET", f"/assets/{identifier}")["asset"]["tags"] == ["a"]


def test_bulk_reads_leave_unknown_and_deleted_assets_out(api: Api) -> None:
    """`get-bulk` answers with what it knows, and DELETE takes assets away."""
    first, second = api.asset(), api.asset("blue")
    assert api("DELETE", "/assets", {"assetIds": [second]}) == {}
    found = api("POST", "/assets/get-bulk", {"assetIds": ["asset_none", second, first]})["assets"]
    assert [asset["id"] for asset in found] == [first]
    assert api("GET", f"/assets/{second}", expect=404) == {"reason": f"Asset {second} not found"}
    too_many = api("POST", "/assets/get-bulk", {"assetIds": ["x"] * 201}, 400)
    assert too_many == {"reason": "Too many assetIds provided in a single request"}
    assert "array of strings" in api("POST", "/assets/get-bulk", {"assetIds": "x"}, 400)["reason"]


def test_safety_labels_come_late(api: Api) -> None:
    """An asset says nothing about its safety at first, and then lists its labels."""
    api.turn(nsfw_labels=["weapons"])
    identifier = api.asset()
    assert "nsfw" not in api("GET", f"/assets/{identifier}")["asset"]
    api.advance(9)
    assert api("GET", f"/assets/{identifier}")["asset"]["nsfw"] == ["weapons"]


def test_lists_of_assets_filter_and_turn_pages(api: Api) -> None:
    """Assets are listed by type and date, newest first, with a token for the next page."""
    for color in ("red", "green", "blue"):
        api.asset(color)
    page = api("GET", "/assets", pageSize=2, type="uploaded")
    rest = api("GET", "/assets", pageSize=2, paginationToken=page["nextPaginationToken"])
    assert [len(page["assets"]), len(rest["assets"])] == [2, 1]
    assert "nextPaginationToken" not in rest
    assert api("GET", "/assets", types="patch,txt2img") == {"assets": []}
    assert api("GET", "/assets", modelId="model_x") == {"assets": []}
    assert api("GET", "/assets", inferenceId="job_x") == {"assets": []}
    window: dict[str, Any] = {
        "sortBy": "createdAt",
        "createdAfter": "2000-01-01",
        "createdBefore": "2100-01-01T00:00:00Z",
    }
    assert len(api("GET", "/assets", sortDirection="asc", **window)["assets"]) == 3
    assert "sortBy" in api("GET", "/assets", expect=400, createdAfter="2000-01-01")["reason"]
    assert "ISO" in api("GET", "/assets", expect=400, sortBy="createdAt", createdAfter="soon")["reason"]
    assert "pageSize" in api("GET", "/assets", expect=400, pageSize=101)["reason"]
    assert api("GET", "/assets", expect=400, paginationToken="other") == {"reason": "Invalid paginationToken"}


def start_upload(api: Api, data: list[bytes], **fields: Any) -> dict[str, Any]:
    body = {"fileName": "cat.png", "contentType": "image/png", "kind": "image", "parts": len(data)}
    body |= {"fileSize": sum(len(part) for part in data), "assetOptions": {"hide": True}, **fields}
    upload = api("POST", "/uploads", body)["upload"]
    for part, chunk in zip(upload["parts"], data, strict=False):
        assert api.bare.put(part["url"], content=chunk).status_code == 200
    return dict(upload)


def test_a_multi_part_upload_becomes_an_asset(api: Api) -> None:
    """After the last part and `complete`, an upload is validated and then has the id of an asset with all the bytes."""
    data = photo() + bytes(5_000_000)
    upload = start_upload(api, [data[:5_000_000], data[5_000_000:]])
    path = f"/uploads/{upload['id']}"
    assert (upload["status"], upload["entityId"]) == ("pending", None)
    assert api("POST", f"{path}/action", {"action": "complete"})["upload"]["status"] == "validating"
    assert api("POST", f"{path}/action", {"action": "complete"})["upload"]["status"] == "validating"
    api.advance(2)
    assert api("GET", path)["upload"]["status"] == "validated"
    api.advance(2)
    done = api("GET", path)["upload"]
    assert done["status"] == "imported"
    asset = api("GET", f"/assets/{done['entityId']}")["asset"]
    assert api.bare.get(asset["url"]).content == data


def test_parts_refuse_the_credentials_of_the_api(api: Api) -> None:
    """A presigned part that also gets an Authorization header is refused by the store."""
    upload = start_upload(api, [], parts=1, fileSize=4)
    url = upload["parts"][0]["url"]
    assert api.bare.put(url, content=b"data", auth=AUTH).status_code == 400


def test_an_incomplete_upload_stays_pending(api: Api) -> None:
    """`complete` before all parts have arrived changes nothing."""
    upload = start_upload(api, [photo()], parts=2, fileSize=10_000_000)
    path = f"/uploads/{upload['id']}"
    assert api("POST", f"{path}/action", {"action": "complete"})["upload"]["status"] == "pending"


@pytest.mark.parametrize(
    ("data", "size", "message"),
    [
        ([photo(), b"x"], len(photo()) + 1, "Every part but the last must hold at least 5 MB"),
        ([photo()], 9, f"The parts hold {len(photo())} bytes instead of 9"),
        ([b"no image"], 8, "Unhandled image format"),
    ],
)
def test_bad_uploads_fail_with_a_message(api: Api, data: list[bytes], size: int, message: str) -> None:
    """Small parts, a wrong total and bytes that are no image end as `failed` with an `errorMessage`."""
    upload = start_upload(api, data, fileSize=size)
    api("POST", f"/uploads/{upload['id']}/action", {"action": "complete"})
    api.advance(4)
    failed = api("GET", f"/uploads/{upload['id']}")["upload"]
    assert (failed["status"], failed["errorMessage"], failed["entityId"]) == ("failed", message, None)


@pytest.mark.parametrize(
    "change",
    [
        {"fileName": None},
        {"kind": "song"},
        {"parts": 0},
        {"parts": True},
        {"fileSize": 1.5},
        {"url": "https://x/y.png"},
    ],
)
def test_uploads_are_checked_when_they_are_announced(api: Api, change: dict[str, Any]) -> None:
    """Missing names, unknown kinds, impossible counts and sources that the sandbox can't fetch are 400."""
    body = {"fileName": "a.png", "contentType": "image/png", "kind": "image", "parts": 1, "fileSize": 9, **change}
    assert "reason" in api("POST", "/uploads", body, 400)


def test_unknown_uploads_and_actions_are_refused(api: Api) -> None:
    """An unknown upload is 404, and the only action is `complete`."""
    assert api("GET", "/uploads/upload_x", expect=404) == {"reason": "Upload upload_x not found"}
    upload = start_upload(api, [photo()])
    assert "complete" in api("POST", f"/uploads/{upload['id']}/action", {"action": "upload-complete"}, 400)["reason"]


def test_a_new_model_has_every_field_that_a_record_needs(api: Api) -> None:
    """A fresh model is `new`, private, empty, and owned by the project."""
    body = {"name": "cats", "type": "zimage-lora", "shortDescription": "d", "collectionIds": ["c"]}
    model = api("POST", "/models", body)["model"]
    expected = {
        "status": "new",
        "custom": False,
        "privacy": "private",
        "trainingImagesNumber": 0,
        "collectionIds": ["c"],
    }
    assert expected.items() <= model.items()
    assert "trainingProgress" not in model
    assert api("POST", "/models", {})["model"]["type"] == "flux.1-lora"


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x" * 65},
        {"shortDescription": "x" * 257},
        {"type": "sdxl-lora"},
        {"concepts": "all"},
        {"concepts": [{"modelId": "model_z-image", "scale": 3}]},
    ],
)
def test_models_are_checked_when_they_are_made(api: Api, body: dict[str, Any]) -> None:
    """Long names and descriptions, unknown types and bad concepts are 400."""
    assert "reason" in api("POST", "/models", body, 400)


def test_long_names_can_be_allowed(api: Api) -> None:
    """The undocumented limit on names is a switch."""
    api.turn(name_limit=False)
    assert api("POST", "/models", {"name": "x" * 65})["model"]["name"] == "x" * 65


def test_models_change_within_their_rules(api: Api) -> None:
    """Name, description, thumbnail and concepts change; an unknown epoch is 400, and tags have their own route."""
    identifier, asset = api.model(), api.asset()
    path = f"/models/{identifier}"
    change: dict[str, Any] = {"name": "dogs", "shortDescription": "d", "thumbnail": asset, "type": "zimage-lora"}
    change |= {"concepts": [{"modelId": identifier, "scale": 1}]}
    model = api("PUT", path, change)["model"]
    assert (model["name"], model["type"], model["thumbnail"]["assetId"]) == ("dogs", "zimage-lora", asset)
    assert "thumbnail" not in api("PUT", path, {"thumbnail": None})["model"]
    assert api("PUT", path, {"epoch": "000009"}, 400) == {"reason": "Epoch 000009 not found"}
    assert api("PUT", f"{path}/tags", {"add": ["t"]}) == {"added": ["t"], "deleted": []}
    assert api("GET", path)["model"]["tags"] == ["t"]


def test_public_models_can_not_be_changed(api: Api) -> None:
    """Changing or deleting a base model is a 404, as for any model of others."""
    api("PUT", "/models/model_z-image", {"name": "mine"}, 404)
    api("DELETE", "/models/model_z-image", expect=404)


def test_deleted_models_are_gone_but_listed_as_deleted(api: Api) -> None:
    """Deleting is soft: reads are 404, the list shows it under `deleted` and under words that it does not know."""
    kept, gone = api.model(), api.model()
    api("DELETE", f"/models/{gone}")
    assert api("GET", f"/models/{gone}", expect=404) == {"reason": f"Model {gone} not found"}

    def listed(**query: Any) -> set[str]:
        return {model["id"] for model in api("GET", "/models", **query)["models"]}

    assert listed() == listed(status="new") == {kept}
    assert listed(status="deleted") == {gone}
    assert listed(status="training-canceled") == {kept, gone}
    assert listed(status="trained") == set()


def test_lists_of_models_sort_and_turn_pages(api: Api) -> None:
    """Own models are sorted by creation; type filters work for public ones only; a page may be empty with a token."""
    ids = [api.model() for _ in range(3)]
    page = api("GET", "/models", pageSize=2, sortBy="createdAt", sortDirection="asc")
    assert [model["id"] for model in page["models"]] == ids[:2]
    assert len(api("GET", "/models", types="zimage-lora")["models"]) == 3
    assert api("GET", "/models", privacy="public", types="zimage-lora") == {"models": []}
    assert len(api("GET", "/models", privacy="public", type="custom", sortBy="updatedAt")["models"]) > 10
    assert "sortBy" in api("GET", "/models", expect=400, createdAfter="2020-01-01")["reason"]
    assert api("GET", "/models", sortBy="createdAt", createdAfter="2100-01-01") == {"models": []}
    assert api("GET", "/models", sortBy="createdAt", createdBefore="2000-01-01") == {"models": []}
    api.turn(empty_first_page=True)
    empty = api("GET", "/models")
    assert empty["models"] == []
    assert len(api("GET", "/models", paginationToken=empty["nextPaginationToken"])["models"]) == 3


def test_training_images_are_attached_in_three_forms(api: Api) -> None:
    """By one id, by up to ten ids with one image in the answer, and by data URL, which makes an asset."""
    model, ids = api.model(), [api.asset() for _ in range(3)]
    path = f"/models/{model}/training-images"
    assert api("POST", path, {"assetId": ids[0], "preset": "subject"})["trainingImage"]["id"] == ids[0]
    assert api("POST", path, {"assetIds": ids[1:]})["trainingImage"]["id"] == ids[1]
    made = api("POST", path, {"data": data_url(photo()), "name": "cat.png"})["trainingImage"]
    assert made["name"] == "cat.png"
    assert api("GET", f"/assets/{made['id']}")["asset"]["source"] == "uploaded"
    record = api("GET", f"/models/{model}")["model"]
    assert [image["id"] for image in record["trainingImages"]] == [*ids, made["id"]]
    assert record["trainingImagesNumber"] == 4
    listed = api("GET", "/models")["models"][0]
    assert (len(listed["trainingImages"]), listed["trainingImagesNumber"]) == (3, 4)


@pytest.mark.parametrize(
    "body",
    [{}, {"data": "AAAA"}, {"assetIds": ["a"], "name": "n"}, {"assetIds": ["a"] * 11}, {"assetId": "a", "preset": "x"}],
)
def test_other_forms_of_training_images_are_refused(api: Api, body: dict[str, Any]) -> None:
    """Nothing, bare base64, mixed forms, eleven ids and unknown presets are 400."""
    assert "reason" in api("POST", f"/models/{api.model()}/training-images", body, 400)


def test_attaching_twice_is_refused_as_a_whole(api: Api) -> None:
    """An attached id is a 400 with the vendor's text; a batch with one in it attaches nothing, unless switched."""
    model, first, second = api.model(), api.asset(), api.asset()
    path, reason = f"/models/{model}/training-images", "The provided assetId is already a training image of this model"
    api("POST", path, {"assetId": first})
    assert api("POST", path, {"assetId": first}, 400) == {"reason": reason}
    assert api("POST", path, {"assetIds": [first, second]}, 400) == {"reason": reason}
    assert api("GET", f"/models/{model}")["model"]["trainingImagesNumber"] == 1
    api.turn(atomic_batches=False)
    assert api("POST", path, {"assetIds": [first, second]}, 400) == {"reason": reason}
    assert api("GET", f"/models/{model}")["model"]["trainingImagesNumber"] == 2


def test_a_dataset_has_a_ceiling(api: Api) -> None:
    """One image too many is a 429 of the plan that names the action and its limit."""
    api.turn(dataset_limit=1)
    model, first, second = api.model(), api.asset(), api.asset()
    path = f"/models/{model}/training-images"
    api("POST", path, {"assetId": first})
    answer = api("POST", path, {"assetId": second}, 429)
    assert answer["name"] == "PlanLimitReachedError"
    assert answer["details"] == {
        "actionName": "add-training-image",
        "actionLimit": 1,
        "actionValue": 2,
        "limitScope": "team",
    }


def test_training_images_are_replaced_and_removed(api: Api) -> None:
    """PUT puts another image in the same place, DELETE takes one out, and their pairs go with them."""
    model, ids = api.model("qwen-image-edit-lora"), [api.asset() for _ in range(3)]
    path = f"/models/{model}/training-images"
    api("POST", path, {"assetIds": ids})
    pairs = [{"instruction": "snow", "sourceId": ids[0], "targetId": ids[1]}, {"sourceId": ids[1], "targetId": ids[2]}]
    assert api("PUT", f"{path}/pairs", pairs) == {"count": 2, "pairs": pairs}
    assert api("GET", f"/models/{model}")["model"]["trainingImagePairs"] == pairs
    new = api("PUT", f"{path}/{ids[0]}", {"data": data_url(photo()), "name": "n.png"})["trainingImage"]["id"]
    assert api("PUT", f"{path}/{new}", {"assetId": new})["trainingImage"]["id"] == new
    assert api("DELETE", f"{path}/{ids[2]}") == {}
    record = api("GET", f"/models/{model}")["model"]
    assert [image["id"] for image in record["trainingImages"]] == [new, ids[1]]
    assert "trainingImagePairs" not in record
    api("PUT", f"{path}/{ids[0]}", {"assetId": ids[0]}, 404)
    api("DELETE", f"{path}/{ids[0]}", expect=404)


def test_pairs_are_a_bare_array_of_attached_images(api: Api) -> None:
    """An object, or an image that is not attached, is a 400."""
    path = f"/models/{api.model('qwen-image-edit-lora')}/training-images/pairs"
    assert "array" in api("PUT", path, {"pairs": []}, 400)["reason"]
    assert "training images" in api("PUT", path, [{"sourceId": "a", "targetId": "b"}], 400)["reason"]


def test_bulk_reads_of_models_are_partial(api: Api) -> None:
    """`get-bulk` leaves unknown ids out, shows three images or all, and only base details when minimal."""
    model, gone = api.model(), api.model()
    api("DELETE", f"/models/{gone}")
    api("POST", f"/models/{model}/training-images", {"assetIds": [api.asset() for _ in range(4)]})
    ids = [model, gone, "model_x"]
    (short,) = api("POST", "/models/get-bulk", {"modelIds": ids})["models"]
    (full,) = api("POST", "/models/get-bulk", {"modelIds": ids, "allTrainingImages": True})["models"]
    (least,) = api("POST", "/models/get-bulk", {"modelIds": ids, "minimal": True})["models"]
    assert (len(short["trainingImages"]), len(full["trainingImages"])) == (3, 4)
    assert set(least) == {"id", "name", "type", "privacy"}


def test_minimal_records_have_required_fields_only(api: Api) -> None:
    """Every field that the vendor's types call optional can be missing."""
    api.turn(minimal_records=True)
    model = api("GET", f"/models/{api.model()}")["model"]
    asset = api("GET", f"/assets/{api.asset()}")["asset"]
    assert not {"name", "trainingImages", "ownerId"} & set(model)
    assert not {"nsfw", "thumbnail", "description"} & set(asset)
    upload = start_upload(api, [photo()])
    api("POST", f"/uploads/{upload['id']}/action", {"action": "complete"})
    api.advance(4)
    assert "parts" not in api("GET", f"/uploads/{upload['id']}")["upload"]


def test_base_models_describe_how_loras_are_wired(api: Api) -> None:
    """A base model is public and custom, lists its inputs and names the two that take LoRAs."""
    base = api("GET", "/models/model_bfl-flux-2-dev")["model"]
    inputs = {item["name"]: item for item in base["inputs"]}
    wiring = base["uiConfig"]["lorasComponent"]
    assert base["custom"] is True
    assert inputs[wiring["modelInput"]]["modelTypes"] == ["flux.2-dev-lora", "flux.2-dev-edit-lora"]
    assert inputs[wiring["scaleInput"]]["max"] == 2


def test_the_plan_of_the_team_is_told(api: Api) -> None:
    """The limits show the plan's parallel trainings; another team is 404."""
    api.turn(parallel_trainings=3)
    assert api("GET", "/teams/team_sandbox/limits")["limits"]["parallelTraining"] == 3
    api("GET", "/teams/team_other/limits", expect=404)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("no_such", 1, KeyError),
        ("training_outcome", "maybe", ValueError),
        ("dry_run_status", "269", ValueError),
        ("quality_gate", 1, ValueError),
        ("training_seconds", True, ValueError),
        ("nsfw_labels", [1], ValueError),
    ],
)
def test_switches_refuse_unknown_names_and_wrong_values(
    api: Api, name: str, value: object, error: type[Exception]
) -> None:
    """A switch is turned only by its name and to a value of its kind."""
    before = api.sandbox.vendors["scenario"].switches()
    with pytest.raises(error):
        api.turn(**{name: value})
    assert api.sandbox.vendors["scenario"].switches() == before
