"""Composing two images at Scenario: `POST /generate/patch` (Scenario dossier 6.4).

Run it with `client.run`: `job = client.run(client.provider("scenario").patch(image, patch=other))`.
"""

from __future__ import annotations

from abc import ABC
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from unified_train import Base64, Effect, Image, InvalidOptions, Options
from unified_train_scenario import snapshots, uploading
from unified_train_scenario.api import ORIGINAL, Api
from unified_train_scenario.wire import PatchAnswer

if TYPE_CHECKING:
    from unified_train import Flow, GeneratedImage, Snapshot, UploadedImage

_Pixels = Annotated[int, Field(ge=1)]


class Crop(Options):
    """The part of an image to keep.

    Attributes:
        left: Pixels.
        top: Pixels.
        width: Pixels.
        height: Pixels.
        background: Colour of what lies beyond the image: hex, rgba or a name.
    """

    left: int
    top: int
    width: _Pixels
    height: _Pixels
    background: str | None = None


class Patching(Api, ABC):
    """The operation for two images."""

    def patch(
        self,
        image: Image | UploadedImage | GeneratedImage | str,
        *,
        patch: Image | UploadedImage | GeneratedImage | str | None = None,
        mode: Literal["override", "erase"] = "override",
        position: tuple[int, int] | None = None,
        crop: Crop | None = None,
        overflow: bool | None = None,
        background: str | None = None,
        format: Literal["png", "jpeg"] | None = None,  # noqa: A002 - the vendor's own name
        original: bool = False,
    ) -> Flow[Snapshot]:
        """Put one image onto another, or cut it out of it; a job like any generation, mostly over at once.

        The price, if any, is on the job, in creative units; there is no dry run for it.

        Args:
            image: To be changed: its bytes (`Image.of(path)`), or an image that Scenario holds, or its asset's id.
            patch: What to put onto it; without it the image is only cropped or converted.
            mode: `override` puts the patch onto the image, `erase` cuts its shape out of it.
            position: Of the patch's upper left corner on the image, pixels from left and top.
            crop: Of the image, applied first.
            overflow: Whether the result may be larger than the image where the patch exceeds it.
            background: Hex, a name, or `transparent` (PNG only); white if not given.
            format: PNG if not given.
            original: Whether URLs in the answer point at untransformed files.

        Raises:
            InvalidOptions: What is asked for does not go together.
            DatasetError: The vendor takes no such image.
            InvalidRequest: The vendor refuses it.
            SubmissionUncertain: The answer was lost; it was not repeated.
        """
        if patch is None and (position is not None or mode != "override"):
            raise InvalidOptions("patch: position and mode are those of a patch, but there is none")
        if background == "transparent" and format == "jpeg":
            raise InvalidOptions("background: only a PNG can be transparent")
        first = yield from self._value(image)
        body: dict[str, Any] = {
            "image": first,
            "patch": {"image": (yield from self._value(patch)), "mode": mode} if patch is not None else None,
            "position": {"x": position[0], "y": position[1]} if position else None,
            "crop": _cropped(crop) if crop else None,
            "allowOverflow": overflow,
            "backgroundColor": background,
            "format": format,
        }
        given = {name: value for name, value in body.items() if value is not None}
        query = self.query(ORIGINAL if original else None)
        response = yield self.post("/generate/patch", "generation.patch", given, effect=Effect.PAY, query=query)
        return snapshots.accepted_patch(PatchAnswer.parse(response), response)

    def _value(self, image: Image | UploadedImage | GeneratedImage | str) -> Flow[object]:
        """A data URL, or the id of an asset; a large image becomes one first."""
        if isinstance(image, str):
            return image
        if not isinstance(image, Image):
            return image.id
        self.check_image(image)
        if image.size > uploading.LARGEST_INLINE // 2:  # two of them in one body
            return (yield from uploading.asset_of(self, image))
        return Base64(image.body(), data_url=True)


def _cropped(crop: Crop) -> dict[str, Any]:
    sides: dict[str, Any] = {"left": crop.left, "top": crop.top, "width": crop.width, "height": crop.height}
    return {**sides, "backgroundColor": crop.background} if crop.background is not None else sides
