"""A small comparison with pictures drawn on the spot, for the tests of reports."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import PIL.Image
import PIL.ImageDraw

from unified_train import (
    Change,
    Cost,
    Dataset,
    GeneratedImage,
    Image,
    Job,
    JobKind,
    Status,
    TrainedModel,
    TrainingRequest,
)
from unified_train.compare import Comparison, Entrant, FailedPicture, Picture, PictureOptions, Training, write_report

START = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
HOSTILE = (
    "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    " \"quotes\" 'single' {{ 7*7 }} {subject} & &amp; \u2028 שלום עולם \u202e reversed 🐈‍⬛ café"
)
LONG = "a very long prompt about {subject}, " * 139 + "the end"
SEEDS = (7, 8)
COLOURS = {"north": "#2f6f8f", "south": "#b4452c", "west": "#2f7a4d"}
TITLES = {"north": "North & Co", "south": "Süd <b>Bilder</b>", "west": "West", "east": "East"}


@dataclass(frozen=True)
class Sample:
    """A comparison, and the pictures and photographs that belong to it."""

    comparison: Comparison
    images: Sequence[Image]

    def write(self, folder: Path) -> Path:
        return write_report(self.comparison, folder, images=self.images)


def drawn(text: str, colour: str, size: tuple[int, int] = (96, 96), kind: str = "PNG", **options: Any) -> bytes:
    picture = PIL.Image.new("RGB", size, colour)
    pen = PIL.ImageDraw.Draw(picture)
    pen.ellipse((size[0] * 0.2, size[1] * 0.2, size[0] * 0.8, size[1] * 0.8), fill="#f4efe4")
    pen.text((size[0] / 2, size[1] / 2), text, fill="#1d1c1a", anchor="mm")
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def job(provider: str, changes: Sequence[tuple[float, Status, str]], *, kind: JobKind = "training", **more: Any) -> Job:
    history = tuple(Change(at=at(seconds), status=status, raw_status=word) for seconds, status, word in changes)
    facts: dict[str, Any] = {
        "provider": provider,
        "kind": kind,
        "id": f"{provider}-1",
        "status": history[-1].status if history else Status.UNKNOWN,
        "history": history,
        "raw": {"account": "somebody@example.org"},
        **more,
    }
    return Job(**facts)


def request(photos: Sequence[Image]) -> TrainingRequest:
    return TrainingRequest(
        name="my-cat",
        dataset=Dataset(images=tuple(photos), trigger="ohwx", class_word="cat"),
        steps=800,
        extra={"north": {"scheduler": "cosine"}},
    )


def photographs() -> list[Image]:
    return [
        Image.of(drawn(f"photo {number}", "#857d70", kind="JPEG"), name=f"photo-{number}.jpg", caption=f"view {number}")
        for number in (1, 2)
    ]


def entrants() -> tuple[Entrant, ...]:
    smooth = [(0.0, Status.QUEUED, "waiting"), (90.0, Status.RUNNING, "busy"), (690.0, Status.SUCCEEDED, "done")]
    odd = [(0.0, Status.QUEUED, "IN_LINE"), (30.0, Status.UNKNOWN, "PONDERING"), (400.0, Status.SUCCEEDED, "OK")]
    lost = [(0.0, Status.RUNNING, "go"), (45.0, Status.FAILED, "gone")]
    cost = Cost(amount=250, unit="credits", source="train answer")
    return (
        Entrant(
            provider="north",
            title=TITLES["north"],
            training=job("north", smooth, cost=cost, notes=("captions are not sent",)),
            model=TrainedModel(provider="north", id="n-1", base_model="base-xl"),
        ),
        Entrant(
            provider="south",
            title=TITLES["south"],
            training=job("south", odd),
            model=TrainedModel(provider="south", id="s-1"),
        ),
        Entrant(provider="west", title=TITLES["west"], model=TrainedModel(provider="west", id="w-old")),
        Entrant(
            provider="east",
            title=TITLES["east"],
            training=job("east", lost),
            error="The training failed; see https://example.org/x?token=abc123",
        ),
    )


def sample(prompts: Sequence[str] = ("a portrait of {subject} in the snow", HOSTILE)) -> Sample:
    """Three vendors with pictures, one that dropped out, one failed picture, one flagged."""
    photos = photographs()
    images: list[Image] = []
    pictures: list[Picture] = []
    for index in range(len(prompts)):
        for seed in SEEDS:
            for number, (slug, colour) in enumerate(COLOURS.items()):
                if (slug, index, seed) == ("south", 1, 8):
                    continue
                image = Image.of(drawn(f"{index + 1}/{seed}", colour, (96 + 8 * number, 96)))
                told = GeneratedImage(
                    id=f"{slug}-{index}-{seed}",
                    safety="flagged"
                    if (slug, index, seed) == ("north", 0, 8)
                    else "clean"
                    if slug == "north"
                    else None,
                    metadata={"sampler": "euler", "api_key": "secret"} if slug == "north" else {},
                )
                images.append(image)
                pictures.append(
                    Picture.of(
                        image,
                        entrant=slug,
                        prompt=index,
                        seed=seed,
                        told=told,
                        job=job(slug, [], kind="generation", id=f"g-{slug}-{index}-{seed}"),
                        seconds=3.0 + number + seed / 10,
                        cost=Cost(amount=0.5, unit="credits", source="job") if slug == "north" else None,
                    )
                )
    failures = (FailedPicture(entrant="south", prompt=1, seed=8, sentence="<i>refused</i> by content rules"),)
    comparison = Comparison(
        title="My cat <at> four vendors",
        created_at=START,
        training=Training.of(request(photos)),
        prompts=tuple(prompts),
        seeds=SEEDS,
        options=PictureOptions(width=96, height=96),
        entrants=entrants(),
        pictures=tuple(pictures),
        failures=failures if len(prompts) > 1 else (),
    )
    return Sample(comparison, [*images, *photos])
