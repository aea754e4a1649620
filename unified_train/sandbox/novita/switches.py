"""The vendor's behaviours that sources tell differently, or that a client must survive (Novita dossier 12 and 13)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args, get_type_hints

Ending = Literal["SUCCESS", "FAILED", "CANCELED"]
GenerationEnding = Literal["SUCCEED", "FAILED"]
When = Literal["submit", "later"]


@dataclass
class Switches:
    """How the account behaves; trainings and generations keep what was set when they were accepted.

    Attributes:
        training_seconds: Simulated seconds from acceptance until the model serves.
        generation_seconds: Simulated seconds from acceptance until the images are there.
        training_outcome: How trainings end.
        generation_outcome: How generations end.
        stuck_deploying: Trained models never begin to serve.
        unknown_blips: Every second look at an unfinished job sees an UNKNOWN status.
        missing_asset: Whether a training with an asset that was not uploaded, or is no image, is refused or fails.
        missing_lora: Whether a generation with a LoRA that does not serve is refused or fails.
        strict_captions: Style trainings need a caption for each image.
        assets_id_as_int: Uploads are numbered with integers instead of 32 hex digits.
        wrapped_submit: Accepted jobs are answered as `{"code": 0, "msg": "", "data": {…}}`.
        numbers_as_strings: Every number in an answer about a job is a string.
        without_extra: Answers about jobs have no `extra`.
        without_models: Answers about unfinished trainings have no `models`.
        list_lag: Simulated seconds before a new training is listed.
        missing_key_is_400: A request without a key is answered 400 MISSING_API_KEY instead of 403 INVALID_API_KEY.
        rate_limits: The documented images per minute are enforced.
        balance: What the account has, in 1/10000 USD; at zero, paid requests are refused.
        upload_expires: Seconds of life of an upload URL.
        image_expires: Seconds of life of an image URL.
        nsfw_confidence: What the safety check finds, 0 to 100.
    """

    training_seconds: float = 1200.0
    generation_seconds: float = 20.0
    training_outcome: Ending = "SUCCESS"
    generation_outcome: GenerationEnding = "SUCCEED"
    stuck_deploying: bool = False
    unknown_blips: bool = False
    missing_asset: When = "submit"
    missing_lora: When = "later"
    strict_captions: bool = False
    assets_id_as_int: bool = False
    wrapped_submit: bool = False
    numbers_as_strings: bool = False
    without_extra: bool = False
    without_models: bool = False
    list_lag: float = 0.0
    missing_key_is_400: bool = False
    rate_limits: bool = False
    balance: int = 123400
    upload_expires: int = 600
    image_expires: int = 3600
    nsfw_confidence: float = 2.0

    def as_dict(self) -> dict[str, object]:
        """Every switch with its position."""
        return asdict(self)

    def restore(self) -> None:
        """Turn every switch back."""
        for name, value in asdict(type(self)()).items():
            setattr(self, name, value)

    def turn(self, name: str, value: object) -> None:
        """Turn one switch.

        Raises:
            KeyError: There is no such switch.
            ValueError: The switch has no such position.
        """
        if name not in {field.name for field in fields(self)}:
            raise KeyError(name)
        kind = get_type_hints(type(self))[name]
        if not _fits(kind, value):
            raise ValueError(f"{name} can't be {value!r}; it takes {_wants(kind)}")
        setattr(self, name, value)


def _fits(kind: Any, value: object) -> bool:
    if choices := get_args(kind):
        return value in choices
    if kind is bool:
        return isinstance(value, bool)
    numbers = (int, float) if kind is float else (int,)
    return isinstance(value, numbers) and not isinstance(value, bool) and value >= 0


def _wants(kind: Any) -> str:
    if choices := get_args(kind):
        return " or ".join(choices)
    return "true or false" if kind is bool else "a number that is not negative"
