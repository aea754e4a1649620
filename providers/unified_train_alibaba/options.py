"""What only this vendor has: its settings, and its options for training and generation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field, SecretStr, model_validator

from unified_train import InvalidOptions, Options, Settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OBJECT_TYPE = r"^[A-Za-z][A-Za-z0-9-]*$"  # one word; it becomes a part of the model id (Alibaba dossier 7)

# Alibaba dossier 1, after vendor page 2850843; a host built of any other region's name does not exist.
HOSTS = {
    "cn-shanghai": "https://aicontent.aliyuncs.com",
    "cn-beijing": "https://aicontent.cn-beijing.aliyuncs.com",
    "cn-hangzhou": "https://aicontent.cn-hangzhou.aliyuncs.com",
}


class AlibabaSettings(Settings):
    """Credentials and addresses.

    Attributes:
        base_url: Of the API, without a path; it has the last word, and is the region's unless told.
        region: `cn-shanghai`, which is also what is used if none is told, `cn-beijing` or `cn-hangzhou`. Whether they
            share jobs and models is unknown, so stay in one.
        access_key_id: Of an access key.
        access_key_secret: Of the same key.
        security_token: Of temporary (STS) credentials; belongs to id and secret.
    """

    base_url: str = HOSTS["cn-shanghai"]
    region: str | None = None
    access_key_id: SecretStr
    access_key_secret: SecretStr
    security_token: SecretStr | None = None

    env: ClassVar[Mapping[str, Sequence[str]]] = {
        "access_key_id": ("ALIBABA_CLOUD_ACCESS_KEY_ID", "UNIFIED_TRAIN_ALIBABA_ACCESS_KEY_ID"),
        "access_key_secret": ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "UNIFIED_TRAIN_ALIBABA_ACCESS_KEY_SECRET"),
        "security_token": ("ALIBABA_CLOUD_SECURITY_TOKEN", "UNIFIED_TRAIN_ALIBABA_SECURITY_TOKEN"),
        "base_url": ("UNIFIED_TRAIN_ALIBABA_BASE_URL",),
        "region": ("ALIBABA_CLOUD_REGION_ID", "UNIFIED_TRAIN_ALIBABA_REGION"),
    }
    required: ClassVar[Sequence[str]] = ("access_key_id", "access_key_secret")

    def account(self) -> str:
        """The key's id: what belongs to it may change."""
        return self.access_key_id.get_secret_value()

    @model_validator(mode="before")
    @classmethod
    def _of_region(cls, values: Any) -> Any:
        # The variable is shared with the vendor's other products, so with a base URL any region will do.
        if not isinstance(values, dict) or "base_url" in values or values.get("region") is None:
            return values
        region = str(values["region"])
        if region not in HOSTS:
            raise InvalidOptions(f"region: none of {', '.join(HOSTS)} is {region!r}; for another host set base_url")
        return {**values, "base_url": HOSTS[region]}


class AlibabaTraining(Options):
    """Options of a training.

    Attributes:
        object_type: What the photos show, in one English word such as `girl` or `panda`; the dataset's class word
            unless told.
    """

    object_type: Annotated[str, Field(pattern=OBJECT_TYPE)] | None = None


class AlibabaGeneration(Options):
    """Options of a generation: the vendor has none of its own."""
