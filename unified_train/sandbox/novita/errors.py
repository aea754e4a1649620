"""The vendor's error answers: which reason comes with which HTTP status (Novita dossier 2.1 and 2.2)."""

from __future__ import annotations

from starlette.responses import JSONResponse

STATUS = {
    "INVALID_REQUEST_BODY": 400,
    "IMAGE_FILE_EXCEEDS_MAX_SIZE": 400,
    "INVALID_IMAGE_FORMAT": 400,
    "IMAGE_EXCEEDS_MAX_RESOLUTION": 400,
    "MISSING_API_KEY": 400,
    "BILLING_BALANCE_NOT_ENOUGH": 400,
    "INVALID_API_KEY": 403,
    "API_NOT_FOUND": 404,
    "TASK_NOT_FOUND": 404,
    "RATE_LIMIT_EXCEEDED": 429,
}


class Refusal(Exception):
    """A request that the vendor answers with one of its reasons."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message

    def response(self) -> JSONResponse:
        """The answer in the vendor's shape; `code` mirrors the HTTP status."""
        status = STATUS[self.reason]
        body = {"code": status, "reason": self.reason, "message": self.message, "metadata": {}}
        return JSONResponse(body, status_code=status)
