"""The generated pictures: deterministic, different per look, made of the photos."""

from __future__ import annotations

import io
import random
from itertools import combinations
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageStat

from unified_train.sandbox import extras, palettes, pictures
from unified_train.sandbox.looks import LOOKS
from unified_train.sandbox.pictures import compose

SIDE = 96
ASK: dict[str, Any] = {"prompt": "a toy", "seed": 1, "width": SIDE, "height": SIDE, "look": "scenario"}


def photo(colour: str, kind: str = "PNG") -> bytes:
    picture = Image.new("RGB", (160, 120), colour)
    pen = ImageDraw.Draw(picture)
    for step in range(0, 160, 16):
        pen.line((step, 0, 159 - step, 119), fill="black")
    pen.ellipse((50, 30, 110, 90), fill="white", outline="black", width=3)
    file = io.BytesIO()
    picture.save(file, kind)
    return file.getvalue()


PHOTOS = [photo("red"), photo("orange", "JPEG"), photo("yellow", "WEBP"), photo("crimson"), photo("gold")]


def made(photos: list[bytes] | None = None, **changes: Any) -> bytes:
    return compose(PHOTOS if photos is None else photos, **{**ASK, **changes})


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def difference(first: bytes, second: bytes) -> float:
    """The mean difference of two pictures, 0 to 255."""
    return sum(ImageStat.Stat(ImageChops.difference(opened(first), opened(second))).mean) / 3


@pytest.mark.parametrize("look", LOOKS)
def test_same_inputs_same_bytes(look: str) -> None:
    """The same arguments give the same bytes, also after other pictures were made."""
    first = made(look=look, prompt="snow at night")
    made(look=look, prompt="something else", seed=7)
    assert made(look=look, prompt="snow at night") == first


@pytest.mark.parametrize(
    "change", [{"seed": 2}, {"prompt": "a toy at night"}, {"prompt": "a boy"}, {"seed": -(10**20)}]
)
def test_prompt_and_seed_change_the_picture(change: dict[str, Any]) -> None:
    """Another seed or prompt gives a picture that differs visibly."""
    assert difference(made(), made(**change)) > 2


def test_looks_differ() -> None:
    """The same prompt, seed and photos look different at each vendor."""
    each = [made(look=look) for look in LOOKS]
    assert min(difference(a, b) for a, b in combinations(each, 2)) > 15


def test_photos_matter() -> None:
    """A faithful picture is made of the photos; an unfaithful one does not depend on them."""
    blue = [photo("blue")] * 5
    assert difference(made(), made(blue)) > 15
    assert made(faithful=False) == made(blue, faithful=False)
    assert difference(made(), made(faithful=False)) > 15


def test_unreadable_photos_are_left_out() -> None:
    """Photos that cannot be read are passed over; without any that can, something else is shown."""
    junk = b"no picture"
    for seed in range(2):
        assert difference(made([junk, PHOTOS[0]], seed=seed), made([junk], seed=seed)) > 5
    assert made([junk], seed=3) == made([], seed=3) == made(seed=3, faithful=False)
    assert made([junk], prompt="collage") == made([], prompt="collage")


def test_collage_shows_four() -> None:
    """The word collage puts four photos side by side."""
    assert difference(made(prompt="a toy, collage"), made(prompt="a toy, alone")) > 5


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("word", sorted(words.split()[0] for words in palettes._WORDS))
def test_known_words(look: str, word: str) -> None:
    """Every word that is understood changes colours or draws something, in every look."""
    assert difference(made(look=look, prompt=word), made(look=look, prompt="zzz")) > 3


def test_every_extra_is_reachable() -> None:
    """Nothing can be drawn that no word asks for, and each word's drawing exists."""
    asked = {extra for _, some in palettes._WORDS.values() for extra in some}
    assert asked == set(extras._DRAWINGS)


def test_mood_of_several_words() -> None:
    """The first known word gives the colours, and each one its drawing, once."""
    mood = palettes.mood("A SNOWY night, icy", random.Random(1))  # noqa: S311
    assert (mood.palette, mood.extras) == (palettes._SNOW, ("snow", "moon", "stars"))


@pytest.mark.parametrize("size", [(1, 1), (1, 3), (200, 3), (48, 96), (1500, 30)])
@pytest.mark.parametrize("look", LOOKS)
def test_any_size(look: str, size: tuple[int, int]) -> None:
    """A picture has exactly the size asked for, however odd."""
    data = made(look=look, width=size[0], height=size[1], prompt="astronaut in snow, watercolor collage")
    assert opened(data).size == size


@pytest.mark.parametrize(
    ("media_type", "kind"),
    [("image/png", "PNG"), ("image/jpeg", "JPEG"), ("image/jpg", "JPEG"), ("image/webp", "WEBP")],
)
def test_media_types(media_type: str, kind: str) -> None:
    """A picture comes in the format asked for."""
    with Image.open(io.BytesIO(made(media_type=media_type))) as picture:
        assert picture.format == kind


def test_mark() -> None:
    """A small mark stands in the lower right corner, readable on dark and on light, and nothing else is touched."""
    for ground in ("black", "white"):
        plain = Image.new("RGB", (256, 256), ground)
        box = ImageChops.difference(pictures._marked(plain.copy()), plain).getbbox()
        assert box is not None
        left, top, right, bottom = box
        assert left > 150
        assert top > 220
        assert max(right, bottom) < 256


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 0}, "at least one pixel"),
        ({"look": "cubist"}, "scenario, alibaba, novita"),
        ({"media_type": "image/gif"}, "image/png"),
    ],
)
def test_wrong_arguments(change: dict[str, Any], message: str) -> None:
    """A size, look or media type that does not exist is refused by name."""
    with pytest.raises(ValueError, match=message):
        made(**change)
