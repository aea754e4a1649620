"""Documents that benchmarks fill: what stands between two markers is made anew."""

from __future__ import annotations

import re


def filled(document: str, name: str, content: str) -> str:
    """The document with the text between `<!-- name -->` and `<!-- /name -->` replaced.

    Raises:
        ValueError: It has no such place, or several.
    """
    place = re.compile(rf"(<!-- {re.escape(name)} -->\n).*?(<!-- /{re.escape(name)} -->)", re.DOTALL)
    if len(place.findall(document)) != 1:
        raise ValueError(f"the document needs <!-- {name} --> and <!-- /{name} --> once")
    return place.sub(lambda found: f"{found[1]}{content}\n{found[2]}", document)
