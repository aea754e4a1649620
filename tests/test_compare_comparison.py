"""A comparison is plain data: it can be counted, tabulated, hashed and repeated."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from compare_samples import START, at, drawn, job, photographs, request, sample

from unified_train import (
    Change,
    Cost,
    Dataset,
    DatasetError,
    Image,
    InvalidOptions,
    Status,
    TrainedModel,
    TrainingRequest,
    UploadedImage,
)
from unified_train.compare import (
    Bill,
    Comparison,
    Entrant,
    FailedPicture,
    Photo,
    Picture,
    PictureOptions,
    Training,
    stretches,
    summarise,
    texts,
)


def small(**changes: Any) -> Comparison:
    facts: dict[str, Any] = {
        "title": "Small",
        "created_at": START,
        "prompts": ("a cat",),
        "seeds": (1,),
        "entrants": (Entrant(provider="one", title="One"), Entrant(provider="two", title="Two")),
        **changes,
    }
    return Comparison(**facts)


def picture(**changes: Any) -> Picture:
    facts: dict[str, Any] = {
        "entrant": "one",
        "prompt": 0,
        "seed": 1,
        "file": "pictures/a.png",
        "sha256": "0" * 64,
        "media_type": "image/png",
        **changes,
    }
    return Picture(**facts)


def test_each_picture_becomes_one_flat_record() -> None:
    """Records hold texts, numbers and None only, the same keys in each, and every picture once."""
    comparison = sample().comparison
    records = comparison.to_records()
    assert len(records) == len(comparison.pictures)
    assert len({tuple(record) for record in records}) == 1
    assert all(isinstance(value, str | int | float | None) for record in records for value in record.values())
    first = records[0]
    assert (first["vendor"], first["seed"], first["cost"], first["cost_unit"]) == ("North & Co", 7, 0.5, "credits")
    assert (first["training_queued_seconds"], first["training_running_seconds"]) == (90.0, 600.0)
    assert first["training_cost"] == 250
    assert first["job"] == "north:generation:g-north-0-7"
    west = next(record for record in records if record["provider"] == "west")
    assert (west["training"], west["cost"], west["training_cost"], west["model"]) == (None, None, None, "w-old")


def test_the_table_is_aligned_and_calls_unknown_unknown() -> None:
    """Every column begins at the same place in every line, and a cost that nobody told is not 0."""
    lines = sample().comparison.table().splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["North", "Süd", "West", "East"]
    for heading in ("training", "queued", "running", "cost"):
        place = lines[0].index(heading)
        assert all(line[place - 1] == " " != line[place] for line in lines[1:]), heading
    assert lines[2].endswith("252 credits")
    assert lines[3].endswith("unknown")
    assert "90 s" not in lines[2]
    assert "1 min 30 s  10 min" in lines[2]


def test_the_id_follows_from_what_was_asked_for_and_from_nothing_else() -> None:
    """Pictures, failures and trainings leave the id alone; prompts, seeds, options, photos and models change it."""
    whole = sample().comparison
    empty = whole.model_copy(update={"pictures": (), "failures": (), "title": "Other", "created_at": at(5)})
    assert empty.id == whole.id
    assert len(whole.id) == 64
    training = whole.training
    assert training
    others: list[dict[str, Any]] = [
        {"prompts": ("another", whole.prompts[1])},
        {"seeds": (7, 9)},
        {"options": PictureOptions(steps=30)},
        {"training": training.model_copy(update={"photos": training.photos[:1]})},
        {"training": None},
        {"entrants": whole.entrants[:3]},
        {
            "entrants": (
                *whole.entrants[:2],
                whole.entrants[2].model_copy(update={"model": TrainedModel(provider="west", id="w-new")}),
                whole.entrants[3],
            )
        },
    ]
    assert len({whole.id, *(empty.model_copy(update=change).id for change in others)}) == len(others) + 1


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"seeds": (1, 1)}, "the seed 1 appears twice"),
        ({"seeds": ()}, "seeds"),
        ({"prompts": ()}, "prompts"),
        ({"prompts": (" ",)}, "must not be blank"),
        ({"created_at": datetime(2026, 1, 1)}, "time zone"),  # noqa: DTZ001 - that is the mistake
        ({"entrants": (Entrant(provider="one", title="One"),) * 2}, "the vendor 'one' appears twice"),
        ({"pictures": (picture(entrant="nobody"),)}, "belongs nowhere"),
        ({"pictures": (picture(prompt=1),)}, "belongs nowhere"),
        ({"pictures": (picture(seed=2),)}, "belongs nowhere"),
        ({"pictures": (picture(), picture(file="pictures/b.png"))}, "place in the grid"),
        ({"pictures": (picture(), picture(entrant="two", file="pictures/A.png"))}, "the file 'pictures/a.png'"),
        (
            {
                "pictures": (picture(),),
                "failures": (FailedPicture(entrant="one", prompt=0, seed=1, sentence="no"),),
            },
            "place in the grid",
        ),
    ],
)
def test_a_comparison_that_makes_no_sense_is_refused(changes: dict[str, Any], sentence: str) -> None:
    """What is asked twice, nowhere or not at all is told in one sentence."""
    with pytest.raises(InvalidOptions, match=sentence):
        small(**changes)


@pytest.mark.parametrize(
    "file",
    ["/etc/passwd", "pictures/../../x.png", "pictures/.x", "../pictures/x", "pictures\\x", "pictures/", "pictures/a b"],
)
def test_a_picture_lies_below_the_folder_of_pictures(file: str) -> None:
    """A manifest of a stranger can't name a file anywhere else."""
    with pytest.raises(ValueError, match="file"):
        picture(file=file)


def test_secrets_and_accounts_are_not_kept() -> None:
    """Metadata, sentences and options are cleaned, and a job's raw record is dropped, since reports are passed on."""
    comparison = sample().comparison
    text = comparison.model_dump_json()
    assert "secret" not in text
    assert "abc123" not in text
    assert "somebody@example.org" not in text
    assert '"api_key":"***"' in text
    failure = FailedPicture(entrant="one", prompt=0, seed=1, sentence="Bearer abc123 was refused")
    assert "abc123" not in failure.sentence
    assert PictureOptions(extra={"x": {"token": "abc123"}}).extra == {"x": {"token": "***"}}
    assert Entrant(provider="one", title="One").error is None


def test_the_training_can_be_asked_for_again() -> None:
    """With the same images the same request comes out, captions of then included."""
    first = request(photographs())
    training = Training.of(first)
    bare = Dataset(images=tuple(image.with_caption(None) for image in photographs()))
    again = training.request(bare)
    assert Training.of(again) == training
    assert (again.name, again.steps, again.extra) == (first.name, first.steps, first.extra)


def test_the_training_is_not_repeated_on_other_images() -> None:
    """One image more, one less, or another one is named."""
    photos = photographs()
    training = Training.of(request(photos))
    other = Image.of(drawn("other", "#000000"), name="other.png")
    for wrong, sentence in (
        ([photos[1], photos[0]], "photo-1.jpg: image 1 is not"),
        ([photos[0]], "photo-2.jpg: image 2 is not"),
        ([*photos, other], "3 images were given, but 2"),
    ):
        with pytest.raises(DatasetError, match=sentence):
            training.request(Dataset(images=tuple(wrong)))


def test_a_training_with_a_hidden_secret_is_not_repeated() -> None:
    """What was hidden is not sent as if it were a value."""
    asked = TrainingRequest(
        name="x", dataset=Dataset.of([photographs()[0]]), extra={"north": {"webhook_secret": "abc123"}}
    )
    training = Training.of(asked)
    assert "abc123" not in training.model_dump_json()
    with pytest.raises(InvalidOptions, match="held a secret"):
        training.request(asked.dataset)


def test_images_elsewhere_are_known_as_far_as_they_can_be() -> None:
    """An uploaded image has the hash that was taken then; a URL has none, and its signature is not kept."""
    uploaded = UploadedImage(provider="north", id="u1", name="a.png", sha256="1" * 64)
    assert Photo.of(uploaded).sha256 == "1" * 64
    assert Photo.of(Image.of("https://example.org/cat.png?token=abc")) == Photo(name="cat.png")
    again = Training.of(TrainingRequest(name="x", dataset=Dataset(images=(uploaded,)))).request(
        Dataset(images=(uploaded,))
    )
    assert again.dataset.images == (uploaded,)


def test_requests_are_those_of_every_cell() -> None:
    """Each prompt is asked for with each seed, with the same options."""
    comparison = sample().comparison
    asked = list(comparison.requests())
    assert [(index, item.seed) for index, item in asked] == [(0, 7), (0, 8), (1, 7), (1, 8)]
    assert {(item.width, item.height) for _, item in asked} == {(96, 96)}
    assert asked[2][1].prompt == comparison.prompts[1]


def test_an_entrant_is_found_by_its_slug() -> None:
    """An unknown slug names those that are known."""
    comparison = small()
    assert comparison.entrant("two").title == "Two"
    with pytest.raises(InvalidOptions, match="there are one, two"):
        comparison.entrant("three")


def test_stretches_follow_the_history() -> None:
    """Each state lasts until the next is seen, a running one until we last looked, and a clock set back is no gain."""
    done = job("a", [(0, Status.QUEUED, "q"), (10, Status.RUNNING, "r"), (40, Status.SUCCEEDED, "s")])
    assert [item.seconds for item in stretches(done)] == [10, 30, 0]
    running = job("a", [(0, Status.QUEUED, "q"), (10, Status.RUNNING, "r")], updated_at=at(25))
    assert [item.seconds for item in stretches(running)] == [10, 15]
    never = job("a", [(0, Status.QUEUED, "q")])
    assert [item.seconds for item in stretches(never)] == [0]
    back = job("a", [(10, Status.QUEUED, "q"), (5, Status.RUNNING, "r"), (8, Status.FAILED, "f")])
    assert [item.seconds for item in stretches(back)] == [0, 3, 0]
    assert stretches(job("a", [])) == []


def test_times_that_nobody_saw_are_unknown() -> None:
    """A training that went straight to its end was queued and ran for an unknown time, not for none."""
    entrant = Entrant(provider="one", title="One", training=job("one", [(0, Status.SUCCEEDED, "done")]))
    found = summarise(small(entrants=(entrant,)), entrant)
    assert (found.queued, found.running, found.typical) == (None, None, None)
    phases = job("one", [(0, Status.RUNNING, "a"), (10, Status.RUNNING, "b"), (30, Status.SUCCEEDED, "c")])
    entrant = Entrant(provider="one", title="One", training=phases)
    assert summarise(small(entrants=(entrant,)), entrant).running == 30


def test_the_state_of_a_vendor_is_told_in_a_word() -> None:
    """A vendor may have trained, have been trained before, have failed, or have nothing at all."""
    comparison = sample().comparison
    states = [summarise(comparison, entrant).state for entrant in comparison.entrants]
    assert states == ["succeeded", "succeeded", "trained before", "failed"]
    states = [
        summarise(small(entrants=(entrant,)), entrant).state
        for entrant in (Entrant(provider="one", title="One", error="no key"), Entrant(provider="one", title="One"))
    ]
    assert states == ["failed", "none"]


def test_flags_are_unknown_where_nothing_was_checked() -> None:
    """No flag from a vendor that checks nothing is not the same as a clean bill."""
    comparison = sample().comparison
    assert [summarise(comparison, entrant).safety for entrant in comparison.entrants] == [
        "1",
        "unknown",
        "unknown",
        "–",
    ]


def test_costs_are_never_invented_and_never_mixed() -> None:
    """Units stay apart, what is unknown is counted, and nothing at all is a dash."""
    credit, dollar = Cost(amount=1.5, unit="credits", source="x"), Cost(amount=0.035, unit="USD", source="x")
    assert str(Bill.of([credit, dollar, credit])) == "3 credits + 0.035 USD"
    assert str(Bill.of([credit, None, None])) == "1.5 credits + 2 × unknown"
    assert str(Bill.of([None])) == "unknown"
    assert str(Bill.of([])) == "–"
    assert str(Bill.of([Cost(amount=0, unit="USD", source="x")])) == "0 USD"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "unknown"),
        (0, "0 s"),
        (0.04, "0.0 s"),
        (3.24, "3.2 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (725, "12 min 5 s"),
        (3599.7, "1 h"),
        (4320, "1 h 12 min"),
    ],
)
def test_durations_read_as_people_say_them(seconds: float | None, text: str) -> None:
    """Seconds become minutes and hours where these say enough, and never 60 of the smaller one."""
    assert texts.duration(seconds) == text


def test_where_there_is_no_room_a_table_is_stacked() -> None:
    """Vendor below vendor, fact below fact; with room enough it is the same table as ever."""
    comparison = sample().comparison
    wide, narrow = comparison.table(), comparison.table(40)
    width = max(map(len, wide.splitlines()))
    assert comparison.table(width) == wide
    assert comparison.table(width - 1) == narrow
    assert narrow.splitlines()[:3] == ["North & Co", "  training     succeeded", "  queued       1 min 30 s"]
    assert narrow.count("\n\n") == len(comparison.entrants) - 1


def test_tables_align_wide_characters() -> None:
    """East Asian characters take two columns of a terminal, and combining marks none."""
    lines = texts.aligned([("a", "b"), ("日本", "x"), ("e\u0301", "y")]).splitlines()
    assert lines == ["a     b", "────  ─", "日本  x", "e\u0301     y"]
    assert texts.number(1234567.0) == "1,234,567"
    assert texts.number(0) == "0"


def test_the_time_is_kept_in_utc() -> None:
    """So that a report looks the same wherever it is rebuilt."""
    made = small(created_at=datetime(2026, 11, 20, 10, 30, tzinfo=timezone(timedelta(hours=2), "EET")))
    assert made.created_at.isoformat() == "2026-11-20T08:30:00+00:00"


def test_a_change_of_history_keeps_its_order_in_the_record() -> None:
    """A comparison survives being written and read as JSON."""
    comparison = sample().comparison
    assert Comparison.model_validate_json(comparison.model_dump_json()) == comparison
    training = comparison.entrants[0].training
    assert training
    assert training.history[0] == Change(at=START, status=Status.QUEUED, raw_status="waiting")
    assert training.history[-1].at - START == timedelta(seconds=690)
