"""What only this vendor has: its settings, and its options for training and generation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field, SecretStr

from unified_train import Options, Settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

IMAGE_HOST_VARIABLE = "UNIFIED_TRAIN_ALIBABA_IMAGE_HOST"
OBJECT_TYPE = r"^[A-Za-z][A-Za-z0-9-]*$"  # one word; it becomes a part of the model id (Alibaba dossier 7)
WEB = r"^https?://[^\s?#]+$"


class AlibabaSettings(Settings):
    """Credentials and addresses.

    Attributes:
        base_url: Of the API, without a path; the host of the region cn-shanghai unless told (Alibaba dossier 1).
        access_key_id: Of an access key.
        access_key_secret: Of the same key.
        security_token: Of temporary (STS) credentials; belongs to id and secret.
        image_host: A URL prefix of your own: a PUT below it stores a file, a GET returns it to anybody. The vendor
            fetches training images from there; without it only images given as public URLs can be used.
    """

    base_url: str = "https://aicontent.aliyuncs.com"
    access_key_id: SecretStr
    access_key_secret: SecretStr
    security_token: SecretStr | None = None
    image_host: Annotated[str, Field(pattern=WEB)] | None = None

    env: ClassVar[Mapping[str, Sequence[str]]] = {
        "access_key_id": ("ALIBABA_CLOUD_ACCESS_KEY_ID", "UNIFIED_TRAIN_ALIBABA_ACCESS_KEY_ID"),
        "access_key_secret": ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "UNIFIED_TRAIN_ALIBABA_ACCESS_KEY_SECRET"),
        "security_token": ("ALIBABA_CLOUD_SECURITY_TOKEN", "UNIFIED_TRAIN_ALIBABA_SECURITY_TOKEN"),
        "base_url": ("UNIFIED_TRAIN_ALIBABA_BASE_URL",),
        "image_host": (IMAGE_HOST_VARIABLE,),
    }
    required: ClassVar[Sequence[str]] = ("access_key_id", "access_key_secret")


class AlibabaTraining(Options):
    """Options of a training.

    Attributes:
        object_type: What the photos show, in one English word such as `girl` or `panda`; the dataset's class word
            unless told.
    """

    object_type: Annotated[str, Field(pattern=OBJECT_TYPE)] | None = None


class AlibabaGeneration(Options):
    """Options of a generation: the vendor has none of its own."""
