"""The report's HTML: what each part of the page shows, put into the template with style and script inside it."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from unified_train.compare import summary, texts
from unified_train.errors import ConfigurationError
from unified_train.models import SUBJECT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from types import ModuleType

    from unified_train.compare.comparison import Comparison, Entrant, FailedPicture, Photo, Picture, Training
    from unified_train.compare.renditions import Rendition
    from unified_train.compare.summary import Stretch, Summary

Fact = tuple[str, str]
_ALT_LENGTH = 140
_LONG_PROMPT = 260
"""Characters of a prompt that are shown before one has to unfold it."""
_TICKS = 5
_NICE = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
"""Seconds between marks of a time axis."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One place in the grid: a picture, a failure, or neither.

    Attributes:
        entrant: The vendor.
        number: Of the picture, in the order of the grid; None without one.
        picture: See `Picture`.
        rendition: See `Rendition`.
        alt: Text for those who can't see the picture.
        failure: Why there is no picture.
    """

    entrant: Entrant
    number: int | None
    picture: Picture | None
    rendition: Rendition | None
    alt: str
    failure: str | None


@dataclass(frozen=True, slots=True)
class Row:
    """All vendors' pictures of one prompt and seed."""

    prompt: int
    seed: int
    shots: Sequence[Shot]

    @property
    def pictures(self) -> int:
        """How many there are."""
        return sum(shot.picture is not None for shot in self.shots)


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt as the grid shows it.

    Attributes:
        index: From 0.
        parts: The text, cut where the trained thing stands.
        teaser: The beginning of a long text; None for a short one.
        rows: One for each seed.
    """

    index: int
    parts: Sequence[str]
    teaser: str | None
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Bar:
    """One stretch of a training on the time axis; places are percentages of its width."""

    status: str
    left: str
    width: str
    label: str


@dataclass(frozen=True, slots=True)
class Mark:
    """One mark of the time axis."""

    left: str
    label: str


@dataclass(frozen=True, slots=True)
class Vendor:
    """One vendor's column head, figures and timeline.

    Attributes:
        entrant: See `Entrant`.
        summary: See `Summary`.
        facts: Label and text.
        bars: Of the timeline.
        end: Place of the mark at the timeline's end, in percent; None without a timeline.
        changes: Time since the beginning, status, the vendor's word and the time it lasted, for each stretch.
        told: The timeline in words.
    """

    entrant: Entrant
    summary: Summary
    facts: Sequence[Fact]
    bars: Sequence[Bar]
    end: str | None
    changes: Sequence[tuple[str, str, str, str]]
    told: str


def jinja() -> ModuleType:
    """Jinja's module.

    Raises:
        ConfigurationError: It is not installed.
    """
    try:
        import jinja2
    except ModuleNotFoundError:
        raise ConfigurationError(
            "The report needs Jinja2, which is not installed: pip install 'unified-train[compare]'"
        ) from None
    return jinja2


def render(comparison: Comparison, renditions: Sequence[Rendition], photos: Mapping[str, str]) -> str:
    """The whole page.

    Args:
        comparison: What to show.
        renditions: Of `comparison.pictures`, in their order.
        photos: Data URIs of the training images' renditions, by the images' SHA-256.

    Raises:
        ConfigurationError: Jinja is not installed.
    """
    style, early, script = _asset("report.css"), _asset("early.js"), _asset("report.js")
    prompts = _prompts(comparison, renditions)
    shots = [shot for prompt in prompts for row in prompt.rows for shot in row.shots if shot.picture]
    page: str = _template().render(
        style=style,
        early=early,
        script=script,
        policy=policy(style, early, script),
        data=_json(_data(comparison, shots)),
        comparison=comparison,
        version=version("unified-train"),
        when=_day(comparison.created_at),
        deck=_deck(comparison),
        prompts=prompts,
        rows=[row for prompt in prompts for row in prompt.rows if row.pictures > 1],
        vendors=_vendors(comparison),
        ticks=_ticks(_longest(comparison)),
        photos=[(photo, photos.get(photo.sha256 or "")) for photo in _trained_on(comparison)],
        settings=_settings(comparison.training) if comparison.training else [],
        options=_options(comparison),
        shortened=texts.shortened,
        counted=texts.counted,
    )
    return page


@cache
def _template() -> Any:
    """The page's, compiled once."""
    module = jinja()
    environment = module.Environment(
        autoescape=True, undefined=module.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(_asset("report.html"))


def policy(style: str, *scripts: str) -> str:
    """A content security policy that admits this style, these scripts, embedded pictures and nothing else."""
    sources = " ".join(f"'{_source(script)}'" for script in scripts)
    return (
        f"default-src 'none'; img-src data:; style-src '{_source(style)}'; script-src {sources};"
        " base-uri 'none'; form-action 'none'"
    )


def _source(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _asset(name: str) -> str:
    return files("unified_train.compare").joinpath("assets", name).read_text(encoding="utf-8")


def _json(value: Any) -> str:
    """JSON that can stand inside a script element, whatever texts are in it."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _data(comparison: Comparison, shots: Sequence[Shot]) -> dict[str, Any]:
    """What the script works with."""
    return {
        "id": comparison.id,
        "title": comparison.title,
        "entrants": [{"key": item.provider, "title": item.title} for item in comparison.entrants],
        "prompts": list(comparison.prompts),
        "pictures": [_picture(comparison, shot) for shot in shots],
    }


def _picture(comparison: Comparison, shot: Shot) -> dict[str, Any]:
    picture, rendition = shot.picture, shot.rendition
    if picture is None or rendition is None:
        raise AssertionError("unreachable")
    return {
        "entrant": picture.entrant,
        "prompt": picture.prompt,
        "seed": picture.seed,
        "sha256": picture.sha256,
        "file": picture.file,
        "width": picture.width or rendition.width,
        "height": picture.height or rendition.height,
        "large": rendition.large,
        "alt": shot.alt,
        "facts": _facts(comparison, picture),
        "metadata": json.dumps(picture.metadata, indent=2, ensure_ascii=False) if picture.metadata else "",
    }


def _facts(comparison: Comparison, picture: Picture) -> list[Fact]:
    entrant = comparison.entrant(picture.entrant)
    cost = picture.cost
    safety = {"clean": "clean", "flagged": "flagged by the vendor", None: "not checked, as far as known"}
    return [
        ("Vendor", entrant.title),
        ("Prompt", str(picture.prompt + 1)),
        ("Seed", str(picture.seed)),
        ("Size", f"{picture.width} × {picture.height}" if picture.width and picture.height else texts.UNKNOWN),
        ("Made in", texts.duration(picture.seconds)),
        ("Cost", f"{texts.number(cost.amount)} {cost.unit} ({cost.source})" if cost else texts.UNKNOWN),
        ("Safety check", safety[picture.safety]),
        ("Media type", picture.media_type),
        ("Model", entrant.model.id if entrant.model else texts.UNKNOWN),
        ("Base model", (entrant.model.base_model if entrant.model else None) or texts.UNKNOWN),
        ("Job", picture.job or texts.UNKNOWN),
        ("File", picture.file),
        ("SHA-256", picture.sha256),
    ]


def _prompts(comparison: Comparison, renditions: Sequence[Rendition]) -> list[Prompt]:
    pictures = {
        picture.cell: (picture, rendition) for picture, rendition in zip(comparison.pictures, renditions, strict=True)
    }
    failures = {failure.cell: failure for failure in comparison.failures}
    number = 0
    prompts = []
    for index, text in enumerate(comparison.prompts):
        rows = []
        for seed in comparison.seeds:
            shots = []
            for entrant in comparison.entrants:
                cell = (entrant.provider, index, seed)
                found = pictures.get(cell)
                shots.append(_shot(entrant, (text, seed), found, failures.get(cell), number=number))
                number += found is not None
            rows.append(Row(index, seed, shots))
        long = len(text) > _LONG_PROMPT
        prompts.append(Prompt(index, text.split(SUBJECT), texts.shortened(text, _LONG_PROMPT) if long else None, rows))
    return prompts


def _shot(
    entrant: Entrant,
    asked: tuple[str, int],
    found: tuple[Picture, Rendition] | None,
    failure: FailedPicture | None,
    *,
    number: int,
) -> Shot:
    if found is None:
        return Shot(entrant, None, None, None, "", failure.sentence if failure else None)
    prompt, seed = asked
    alt = f"{entrant.title}, seed {seed}: “{texts.shortened(prompt, _ALT_LENGTH)}”"
    return Shot(entrant, number, *found, alt, None)


def _deck(comparison: Comparison) -> list[str]:
    failed = [texts.counted(len(comparison.failures), "failure")] if comparison.failures else []
    return [
        texts.counted(len(comparison.entrants), "vendor"),
        texts.counted(len(comparison.prompts), "prompt"),
        texts.counted(len(comparison.seeds), "seed"),
        texts.counted(len(comparison.pictures), "picture"),
        *failed,
    ]


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y, %H:%M} {moment.tzname()}"


def _trained_on(comparison: Comparison) -> Sequence[Photo]:
    return comparison.training.photos if comparison.training else ()


def _settings(training: Training) -> list[Fact]:
    """What the training was asked for; what was left to the vendor says so."""
    shown = {
        "Name": training.name,
        "Kind": training.kind,
        "Trigger": training.trigger or "none",
        "Class word": training.class_word or "none",
        "Base model": training.base_model,
        "Steps": training.steps,
        "Learning rate": training.learning_rate,
        "Rank": training.rank,
        "Resolution": training.resolution,
        "Seed": training.seed,
    }
    facts = [(label, "vendor’s default" if value is None else str(value)) for label, value in shown.items()]
    return facts + _extra(training.extra)


def _options(comparison: Comparison) -> list[Fact]:
    options = comparison.options
    size = f"{options.width} × {options.height}" if options.width and options.height else None
    shown = {
        "Seeds": ", ".join(map(str, comparison.seeds)),
        "Size": size,
        "Steps": options.steps,
        "Guidance": options.guidance,
        "Negative prompt": options.negative_prompt or "none",
    }
    facts = [(label, "vendor’s default" if value is None else str(value)) for label, value in shown.items()]
    return facts + _extra(options.extra)


def _extra(extra: Mapping[str, Mapping[str, Any]]) -> list[Fact]:
    return [(f"Extra for {slug}", json.dumps(values, ensure_ascii=False)) for slug, values in extra.items()]


def _longest(comparison: Comparison) -> float:
    """Seconds of the longest training; at least one, so that it can be divided by."""
    return max(1.0, *(_length(_stretches(entrant)) for entrant in comparison.entrants))


def _stretches(entrant: Entrant) -> list[Stretch]:
    return summary.stretches(entrant.training) if entrant.training else []


def _length(stretches: Sequence[Stretch]) -> float:
    return (stretches[-1].end - stretches[0].start).total_seconds() if stretches else 0.0


def _ticks(longest: float) -> list[Mark]:
    step = next((nice for nice in _NICE if longest / nice <= _TICKS), longest / _TICKS)
    count = int(longest / step) + 1
    return [Mark(_percent(number * step / longest), texts.duration(number * step)) for number in range(count)]


def _percent(share: float) -> str:
    return f"{100 * min(1.0, max(0.0, share)):.3f}%"


def _vendors(comparison: Comparison) -> list[Vendor]:
    longest = _longest(comparison)
    return [_vendor(comparison, entrant, longest) for entrant in comparison.entrants]


def _vendor(comparison: Comparison, entrant: Entrant, longest: float) -> Vendor:
    found = summary.summarise(comparison, entrant)
    stretches = _stretches(entrant)
    start = stretches[0].start if stretches else comparison.created_at
    bars, changes = [], []
    for stretch in stretches:
        since = (stretch.start - start).total_seconds()
        word = stretch.raw_status or "–"
        word = f"{word} ({stretch.phase})" if stretch.phase else word
        lasted = "" if stretch.status.finished else texts.duration(stretch.seconds)
        changes.append((f"+{texts.duration(since)}", str(stretch.status), word, lasted))
        if stretch.seconds:
            label = f"{stretch.status} for {lasted}: {word}"
            bars.append(Bar(stretch.status, _percent(since / longest), _percent(stretch.seconds / longest), label))
    told = ", ".join(f"{status} {lasted}".strip() for _, status, _, lasted in changes) or "no times are known"
    return Vendor(
        entrant=entrant,
        summary=found,
        facts=_figures(entrant, found),
        bars=bars,
        end=_percent(_length(stretches) / longest) if stretches else None,
        changes=changes,
        told=told,
    )


def _figures(entrant: Entrant, found: Summary) -> list[Fact]:
    times = sorted(found.picture_seconds)
    typical = texts.duration(found.typical)
    if len(times) > 1:
        typical = f"{typical} ({texts.duration(times[0])} – {texts.duration(times[-1])})"
    return [
        ("Training queued", found.queueing),
        ("Training ran", found.training),
        ("Training cost", str(summary.Bill.of([found.training_cost])) if entrant.training else texts.NOTHING),
        ("Per picture", typical),
        ("Pictures", f"{found.made} of {found.asked}"),
        ("Failed", str(found.failed)),
        ("Safety flags", found.safety),
        ("Cost in all", str(found.bill)),
    ]
