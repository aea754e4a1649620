"""How training pictures are prepared before the training (Novita dossier 4.1).

On the wire a component is a name with arguments that are all strings; here they have their own types and limits.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from unified_train import Options

_Side = Annotated[int, Field(ge=1)]
_Factor = Annotated[int | float, Field(gt=0)]


class CropArgs(Options):
    """Arguments of `face_crop_region`.

    Attributes:
        ratio: Of the region to the face; above 1 it keeps more of what is not the face. What the vendor's SDK sends
            unless told; the documentation's sample has 1.
    """

    ratio: _Factor = 1.4


class ResizeArgs(Options):
    """Arguments of `resize`, in pixels.

    Attributes:
        width: The training's own unless told.
        height: The training's own unless told.
    """

    width: _Side | None = None
    height: _Side | None = None


class RestoreArgs(Options):
    """Arguments of `face_restore`; the values are those of the vendor's documentation and SDK.

    Attributes:
        method: Which model mends the faces.
        upscale: How much larger they become.
    """

    method: Annotated[str, Field(min_length=1)] = "gfpgan_1.4"
    upscale: _Factor = 1.0


class FaceCropRegion(Options):
    """Cut each picture to its face; a picture without one may be refused with IMAGE_NO_FACE_DETECTED."""

    name: Literal["face_crop_region"]
    args: CropArgs = Field(default_factory=CropArgs)


class Resize(Options):
    """Bring each picture to one size."""

    name: Literal["resize"]
    args: ResizeArgs = Field(default_factory=ResizeArgs)


class FaceRestore(Options):
    """Mend the faces in each picture."""

    name: Literal["face_restore"]
    args: RestoreArgs = Field(default_factory=RestoreArgs)


Component: TypeAlias = Annotated[FaceCropRegion | Resize | FaceRestore, Field(discriminator="name")]
"""One step of the preparation, such as `{"name": "face_crop_region", "args": {"ratio": 1.4}}`."""


def resize_only() -> tuple[Resize]:
    """Unless told: the field is required, and the face components are of no use to pictures without a face."""
    return (Resize(name="resize"),)


def sent(component: FaceCropRegion | Resize | FaceRestore, width: int, height: int) -> dict[str, Any]:
    """A component as the vendor wants it, for a training with pictures of this size."""
    args: dict[str, Any] = {"width": width, "height": height} if isinstance(component, Resize) else {}
    args |= component.args.model_dump(exclude_none=True)
    return {"name": component.name, "args": [{"name": key, "value": str(value)} for key, value in args.items()]}
