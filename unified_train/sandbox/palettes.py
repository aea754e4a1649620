"""What a prompt's words mean for a picture: colours, and something drawn over it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import random

Colour = tuple[int, int, int]
Extra = Literal[
    "snow", "stars", "moon", "sun", "rain", "petals", "leaves", "bubbles", "helmet", "paper", "pencil", "sparks"
]


@dataclass(frozen=True, slots=True)
class Palette:
    """Four colours that go together, from shadow to light, and one that stands out.

    Attributes:
        dark: of the shadows.
        mid: between them.
        light: of the lights.
        accent: of glows, frames and suns.
    """

    dark: Colour
    mid: Colour
    light: Colour
    accent: Colour


@dataclass(frozen=True, slots=True)
class Mood:
    """What the words of one prompt ask for.

    Attributes:
        palette: the colours.
        strength: 0 to 1, how much the colours may take over those of the photo.
        extras: what is drawn over the picture.
        panels: how many photos are shown, 1 or 4.
    """

    palette: Palette
    strength: float
    extras: tuple[Extra, ...]
    panels: int = 1


_SNOW = Palette((30, 52, 84), (118, 156, 196), (240, 248, 255), (150, 200, 240))
_NIGHT = Palette((8, 12, 40), (52, 66, 130), (206, 214, 255), (110, 120, 230))
_SPACE = Palette((6, 6, 26), (76, 48, 128), (226, 220, 255), (222, 90, 170))
_SUNSET = Palette((58, 18, 62), (214, 84, 72), (255, 220, 150), (255, 140, 60))
_SEA = Palette((4, 42, 66), (26, 132, 150), (208, 246, 240), (64, 206, 196))
_FOREST = Palette((18, 40, 26), (84, 128, 66), (236, 240, 198), (150, 190, 70))
_AUTUMN = Palette((60, 24, 14), (182, 86, 30), (250, 222, 164), (228, 120, 30))
_SPRING = Palette((84, 40, 70), (224, 134, 160), (255, 240, 236), (250, 160, 190))
_NEON = Palette((18, 6, 46), (196, 30, 150), (150, 250, 255), (0, 230, 240))
_GREY = Palette((18, 18, 20), (126, 126, 128), (246, 244, 240), (176, 174, 170))
_GOLD = Palette((46, 26, 8), (176, 122, 36), (255, 240, 190), (240, 190, 70))
_FIRE = Palette((44, 6, 6), (206, 52, 16), (255, 226, 120), (255, 120, 20))
_PAPER = Palette((62, 74, 104), (166, 150, 168), (252, 248, 240), (120, 170, 190))

# For prompts without a word that is known: pleasant on their own, told from each other at a glance.
_OTHERS = (
    Palette((38, 26, 44), (190, 108, 84), (255, 232, 200), (236, 150, 90)),
    Palette((20, 42, 60), (92, 140, 160), (246, 238, 220), (90, 176, 190)),
    Palette((50, 24, 52), (168, 96, 140), (255, 230, 226), (224, 110, 150)),
    Palette((28, 44, 36), (124, 146, 104), (248, 242, 214), (214, 180, 80)),
    Palette((34, 32, 66), (130, 118, 178), (244, 234, 246), (160, 140, 230)),
)

_WORDS: dict[str, tuple[Palette, tuple[Extra, ...]]] = {
    "snow snowy winter ice icy christmas frozen arctic": (_SNOW, ("snow",)),
    "night midnight moon moonlight moonlit nocturnal dark": (_NIGHT, ("moon", "stars")),
    "astronaut cosmonaut spacesuit": (_SPACE, ("helmet",)),
    "space galaxy cosmic stars nebula planet mars": (_SPACE, ("stars",)),
    "sunset sunrise dusk dawn evening golden": (_SUNSET, ("sun",)),
    "sea ocean underwater beach water diver pool": (_SEA, ("bubbles",)),
    "forest jungle garden meadow grass woods park": (_FOREST, ("leaves",)),
    "autumn fall leaves october": (_AUTUMN, ("leaves",)),
    "spring flower flowers blossom blossoms cherry rose roses pink": (_SPRING, ("petals",)),
    "neon cyberpunk city tokyo synthwave robot": (_NEON, ("sparks",)),
    "rain rainy storm": (_SEA, ("rain",)),
    "gold king queen royal crown baroque renaissance": (_GOLD, ("sparks",)),
    "fire flame flames lava dragon": (_FIRE, ("sparks",)),
    "watercolor watercolour aquarelle": (_PAPER, ("paper",)),
    "sketch pencil drawing charcoal": (_GREY, ("pencil",)),
    "monochrome noir grayscale greyscale": (_GREY, ()),
}
_COLLAGE = frozenset({"collage", "grid", "warhol", "popart", "panels"})
_KNOWN = {word: meaning for words, meaning in _WORDS.items() for word in words.split()}


def mood(prompt: str, rng: random.Random) -> Mood:
    """What a prompt asks for: the first known word gives the colours, each known word its extra."""
    words = re.findall(r"[a-z]+", prompt.lower())
    found = [_KNOWN[word] for word in words if word in _KNOWN]
    panels = 1 if _COLLAGE.isdisjoint(words) else 4
    other = rng.choice(_OTHERS)
    if not found:
        return Mood(other, 0.35, (), panels)
    extras: dict[Extra, None] = dict.fromkeys(extra for _, some in found for extra in some)
    return Mood(found[0][0], 0.75, tuple(extras), panels)
