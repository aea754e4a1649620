"""What the vendor takes, as far as it must be known before anything is asked of it."""

from __future__ import annotations

from unified_train import ImageRules, Range

MAX_TEXT = 1024
"""Characters of a caption or a prompt (Novita dossier 4.1 and 5.3)."""
FROM_TEXT, FROM_IMAGE = "generation.start", "generation.start-from-image"
"""Names of the two ways to generate, which have rates of their own."""

LEAST_SIDE, MOST_SIDE = 128, 2048
SIDE = Range(minimum=LEAST_SIDE, maximum=MOST_SIDE)
"""Pixels of a picture's width and height (Novita dossier 5.3)."""
INPUT = ImageRules(
    media_types=frozenset({"image/png", "image/jpeg", "image/webp"}),  # the kinds that the vendor speaks of elsewhere
    max_bytes=10 * 1024 * 1024,
    max_pixels=16_000_000,
    maximum=1,
)
"""A picture to start from: at most 10 MB and 16 megapixels (Novita dossier 5.3)."""
