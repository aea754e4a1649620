"""How this vendor says no: the codes, and the three shapes of a refusal on the wire (Alibaba dossier 3)."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

HOST_ID = "aicontent.aliyuncs.com"
SOFT_STATUS = 200


class Refusal(Exception):
    """An answer that is a refusal.

    Args:
        status: HTTP status of the answer; 200 stands for the soft failure (``success`` false under HTTP 200).
        code: the vendor's error code.
        message: the vendor's text; Chinese for the codes of the service itself (Alibaba dossier 3.3).
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message


def missing(parameter: str) -> Refusal:
    """The refusal of a request in which a required parameter is absent or unusable."""
    return Refusal(400, "B_PARAMETER_NOT_FOUND_EXCEPTION", f"缺少必填参数 {parameter}")


def no_such_model() -> Refusal:
    """The refusal for a model id that no training job has shown yet."""
    return Refusal(404, "B_MODEL_TRAIN_JOB_NOT_EXIST", "未找到该训练任务")


def no_such_data(what: str) -> Refusal:
    """The refusal for an image or an inference job that is not there."""
    return Refusal(404, "B_DATA_NOT_FOUND_EXCEPTION", f"未找到该{what}")


def soft(code: str = "UNKNOWN_ERROR") -> Refusal:
    """A failure under HTTP 200 (Alibaba dossier 3.2, form C)."""
    return Refusal(SOFT_STATUS, code, "服务内部异常")


def no_such_api() -> Refusal:
    """The gateway's answer to a path, method, action or version it does not have."""
    return Refusal(404, "InvalidApi.NotFound", "no such API: check path, method, action and version")


def expired(headers: Mapping[str, str]) -> Refusal:
    """The gateway's answer to a key that is inactive; the word for temporary ones is inferred (Alibaba dossier 3.3)."""
    if "x-acs-security-token" in headers:
        return Refusal(400, "InvalidSecurityToken.Expired", "the security token has expired")
    return Refusal(404, "InvalidAccessKeyId.Inactive", "the access key is inactive")


def envelope(data: Any, *, code: str | None = None, message: str | None = None) -> dict[str, Any]:
    """The envelope of a success, in the layout of the recorded samples: no ``httpStatusCode`` (Alibaba dossier 3.1)."""
    return {"success": True, "errCode": code, "errMessage": message, "requestId": str(uuid.uuid4()), "data": data}


def respond(refusal: Refusal, *, shape: str) -> JSONResponse:
    """The HTTP answer to a refusal.

    Args:
        refusal: what to say.
        shape: ``gateway`` or ``envelope``, the body of the service's own ``B_`` codes; which of the two the live
            service sends is unknown (Alibaba dossier 3.2, form B). A soft failure is always an envelope, a code of the
            gateway never.
    """
    own = refusal.code.startswith("B_") or refusal.code == "UNKNOWN_ERROR"
    if refusal.status == SOFT_STATUS or (own and shape == "envelope"):
        body = {"requestId": str(uuid.uuid4()), "success": False}
        body |= {"errCode": refusal.code, "errMessage": refusal.message, "data": None}
        if refusal.status != SOFT_STATUS:
            body["httpStatusCode"] = refusal.status
    else:
        body = {"RequestId": str(uuid.uuid4()).upper(), "HostId": HOST_ID}
        body |= {"Code": refusal.code, "Message": refusal.message}
    return JSONResponse(body, status_code=refusal.status)
