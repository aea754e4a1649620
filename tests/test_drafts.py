"""Requests as the journal keeps them: the same again in another process, and by what they are told apart."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from helpers import png
from hypothesis import given, settings
from hypothesis import strategies as st

from unified_train import (
    Dataset,
    DatasetError,
    GenerationRequest,
    Image,
    InvalidOptions,
    JournalError,
    TrainedModel,
    TrainingRequest,
    UploadedImage,
    drafts,
)
from unified_train.drafts import Draft
from unified_train.intents import Intent

NOW = datetime(2026, 1, 2, tzinfo=UTC)
MODEL = TrainedModel(provider="plain", id="model-1", trigger="ohwx", class_word="cat")
TEXTS = st.text("aé\n***\ud800\udc00", max_size=4)
"""With halves of surrogate pairs, which JSON can hold and UTF-8 can't."""
GIVEN: tuple[dict[str, Any], ...] = ({"image": png()}, {"references": [png()]}, {"image": png(9, 9)})
VALUES = st.none() | st.booleans() | st.integers() | TEXTS
SIGNED = "https://bucket.test/cat.png?X-Amz-Signature=abc&X-Amz-Date=1"


def kept(draft: Draft, **facts: Any) -> Intent:
    """The intent of a draft, as another process reads it from the journal."""
    known: dict[str, Any] = {"key": "k", "provider": "plain", "account": "a", "marker": "m", "created_at": NOW}
    told = {"kind": draft.kind, "name": draft.name, "digest": draft.digest, "request": draft.stored}
    return Intent.model_validate_json(Intent(**known, **told, **facts).model_dump_json())


def training(*images: object, **values: Any) -> TrainingRequest:
    words = {name: values.pop(name, None) for name in ("trigger", "class_word")}
    return TrainingRequest(**{"name": "chelsea", "dataset": Dataset.of(images or [png()], **words), **values})


def drafted(request: TrainingRequest, slug: str = "plain", **options: Any) -> Draft:
    return drafts.of_training(slug, request, options.get("on_unsupported", "error"), upload=options.get("upload", True))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "cat.png").write_bytes(png())
    return tmp_path / "cat.png"


class TestTrainings:
    """There and back."""

    def test_it_comes_back_as_it_was(self, file: Path) -> None:
        """A training on files, public URLs and uploaded images is the same in another process."""
        there = UploadedImage(provider="plain", id="image-1", name="a.png", caption="a cat", sha256="5" * 64)
        request = training(
            Image.of(file, caption="ohwx cat"),
            Image.of("https://pictures.test/cat.png", name="b.png"),
            there,
            trigger="ohwx",
            class_word="cat",
            steps=100,
            learning_rate=1e-4,
            seed=0,
            extra={"plain": {"mood": "wild"}},
            labels={"order": "7"},
        )
        draft = drafted(request, on_unsupported="drop", upload=False)
        again, on_unsupported, upload = drafts.training_of(kept(draft))
        assert (on_unsupported, upload, draft.kind, draft.name) == ("drop", False, "training", "chelsea")
        assert again.model_dump(exclude={"dataset"}) == request.model_dump(exclude={"dataset"})
        assert (again.dataset.trigger, again.dataset.class_word) == ("ohwx", "cat")
        first, second, third = again.dataset.images
        assert isinstance(first, Image)
        assert isinstance(second, Image)
        assert (first.path, first.name, first.caption, first.sha256) == (
            file,
            "cat.png",
            "ohwx cat",
            Image.of(file).sha256,
        )
        assert (second.url, second.name, second.caption) == ("https://pictures.test/cat.png", "b.png", None)
        assert third == there
        assert drafted(again, upload=False).digest == draft.digest

    def test_a_relative_path_is_kept_whole(self, file: Path, monkeypatch: Any, tmp_path: Path) -> None:
        """Files are found from another folder, too."""
        monkeypatch.chdir(file.parent)
        intent = kept(drafted(training("cat.png")))
        monkeypatch.chdir("/")
        (image,) = drafts.training_of(intent)[0].dataset.images
        assert isinstance(image, Image)
        assert image.path == file

    def test_what_was_uploaded_is_taken_from_there(self) -> None:
        """Bytes in memory are not kept, but what was uploaded of them is."""
        intent = kept(drafted(training(png(8, 8), png(9, 9))))
        with pytest.raises(DatasetError, match="image: was in memory only, or behind a signed URL, and is not kept"):
            drafts.training_of(intent)
        there = [UploadedImage(provider="plain", id=f"image-{place}", name="image") for place in range(2)]
        uploads = {place: image.model_dump(mode="json") for place, image in enumerate(there)}
        assert drafts.training_of(intent.model_copy(update={"uploads": uploads}))[0].dataset.images == tuple(there)

    def test_another_picture_in_the_same_place(self, file: Path) -> None:
        """A file that changed is refused by name, and so is one that is gone."""
        intent = kept(drafted(training(file)))
        file.write_bytes(png(9, 9))
        with pytest.raises(
            DatasetError, match=r"cat\.png: is another picture than it was; put it back, or make the call"
        ):
            drafts.training_of(intent)
        file.unlink()
        with pytest.raises(DatasetError, match=r"cat\.png: can't be read"):
            drafts.training_of(intent)

    @pytest.mark.parametrize("signed", [SIGNED, UploadedImage(provider="plain", id=SIGNED, name="cat.png")])
    def test_signed_urls_are_not_kept(self, signed: object) -> None:
        """A presigned URL is a secret: it is not written down, and the call must be made again with its key."""
        draft = drafted(training(signed))
        assert "abc" not in json.dumps(draft.stored)
        with pytest.raises(
            DatasetError, match="behind a signed URL, and is not kept; make the call again with the key 'k'"
        ):
            drafts.training_of(kept(draft))

    @pytest.mark.parametrize(
        "values",
        [
            {"extra": {"plain": {"nested": {"wandb_key": "sk-123"}}}},
            {"extra": {"plain": {"hook": "https://me:sk-123@hook.test/?token=sk-123"}}},
            {"class_word": "http://cats.test/?token=sk-123"},
        ],
    )
    def test_secrets_in_the_request(self, values: dict[str, Any], file: Path) -> None:
        """A secret is not written down, and without it the call is not made; images have their own sentence."""
        draft = drafted(training(file, **values))
        assert "sk-123" not in json.dumps(draft.stored)
        if "me:" in str(values):
            assert "***" in json.dumps(draft.stored)
        with pytest.raises(
            JournalError, match="had a secret in it, which the journal does not keep; make the call again"
        ):
            drafts.training_of(kept(draft))

    def test_secrets_in_labels(self, file: Path) -> None:
        """A label that is named like a secret is hidden, and keeps nobody from making the call."""
        draft = drafted(training(file, labels={"api_key": "sk-123", "order": "7"}))
        assert "sk-123" not in json.dumps(draft.stored)
        assert drafts.training_of(kept(draft))[0].labels == {"api_key": "***", "order": "7"}

    def test_missing_pictures(self) -> None:
        """A picture that is not there is an error when the call is made."""
        with pytest.raises(DatasetError, match="can't be read"):
            drafted(training("/nowhere/cat.png"))

    @pytest.mark.parametrize("value", [object(), {1, object()}, lambda: None])
    def test_what_json_can_not_hold(self, value: object) -> None:
        """An option that can't be written down is refused; the same for another vendor does not matter."""
        with pytest.raises(InvalidOptions, match=r"extra\['plain'\] holds something that the journal can't keep; give"):
            drafted(training(extra={"plain": {"x": value}}))
        assert drafted(training(extra={"novita": {"x": value}})).digest == drafted(training()).digest


class TestGenerations:
    """There and back."""

    def test_it_comes_back_as_it_was(self, file: Path) -> None:
        """A generation is the same in another process, with its pictures."""
        request = GenerationRequest(
            prompt="{subject} in snow",
            n=3,
            seed=0,
            image=Image.of(file),
            strength=0.5,
            references=(Image.of("https://pictures.test/cat.png"), Image.of(file)),
            extra={"plain": {"mood": "wild"}},
            labels={"order": "7"},
        )
        draft = drafts.of_generation(MODEL, request, "warn")
        model, again, on_unsupported = drafts.generation_of(kept(draft))
        assert (model, on_unsupported, draft.kind, draft.name) == (MODEL, "warn", "generation", None)
        pictures = {"image", "references"}
        assert again.model_dump(exclude=pictures) == request.model_dump(exclude=pictures)
        assert again.image is not None
        assert again.image.path == file
        assert [image.url or str(image.path) for image in again.references] == [
            "https://pictures.test/cat.png",
            str(file),
        ]
        assert drafts.of_generation(model, again, "warn").digest == draft.digest

    def test_without_pictures(self) -> None:
        """A prompt alone is a whole request."""
        again = drafts.generation_of(kept(drafts.of_generation(MODEL, GenerationRequest(prompt="x"), "error")))[1]
        assert again == GenerationRequest(prompt="x")

    @pytest.mark.parametrize("values", [{"image": png()}, {"references": [png()]}, {"image": SIGNED}])
    def test_pictures_that_are_not_kept(self, values: dict[str, Any]) -> None:
        """Pictures in memory and behind signed URLs are not kept; the call must be made again with its key."""
        draft = drafts.of_generation(MODEL, GenerationRequest(prompt="x", **values), "error")
        assert "abc" not in json.dumps(draft.stored)
        with pytest.raises(DatasetError, match="is not kept; make the call again with the key 'k'"):
            drafts.generation_of(kept(draft))

    def test_secrets_in_the_request(self) -> None:
        """A secret in the options is not written down, and without it the call is not made."""
        request = GenerationRequest(prompt="x", extra={"plain": {"secret": "sk-123"}})
        draft = drafts.of_generation(MODEL, request, "error")
        assert "sk-123" not in json.dumps(draft.stored)
        with pytest.raises(JournalError, match="had a secret in it"):
            drafts.generation_of(kept(draft))


class TestDigests:
    """What makes two requests the same."""

    @pytest.mark.parametrize(
        "values",
        [
            {"name": "other"},
            {"steps": 10},
            {"seed": 0},
            {"kind": "style"},
            {"base_model": "b"},
            {"trigger": "sks"},
            {"class_word": "dog"},
            {"extra": {"plain": {"mood": "calm"}}},
            {"extra": {"plain": {"token": "a"}}},
        ],
    )
    def test_what_is_bought(self, values: dict[str, Any]) -> None:
        """Each option that decides what is bought tells two trainings apart."""
        assert drafted(training(**values)).digest != drafted(training()).digest

    def test_secrets_count_though_they_are_not_kept(self) -> None:
        """Two requests that differ in a secret only are two."""
        one, two = (drafted(training(extra={"plain": {"token": token}})) for token in "ab")
        assert one.stored == two.stored
        assert one.digest != two.digest

    def test_what_is_not(self, file: Path) -> None:
        """Labels, the handling of options, the place of a file and its name decide nothing."""
        first = drafted(training(file))
        assert first.digest == drafted(training(png()), on_unsupported="drop").digest
        assert first.digest == drafted(training(Image.of(file, name="dog.png"), labels={"a": "b"})).digest
        signed = [drafted(training(f"https://b.test/x.png?X-Amz-Signature={text}")).digest for text in "ab"]
        assert signed[0] == signed[1]

    def test_vendors_models_and_captions_count(self) -> None:
        """The same request at another vendor, with another model or another caption is another."""
        assert drafted(training(), "novita").digest != drafted(training()).digest
        captions = [drafted(training(Image.of(png(), caption=text))).digest for text in ("a", "b")]
        assert captions[0] != captions[1]
        other = MODEL.model_copy(update={"id": "model-2"})
        request = GenerationRequest(prompt="x")
        digests = [drafts.of_generation(model, request, "error").digest for model in (MODEL, other)]
        pictures = [
            drafts.of_generation(MODEL, GenerationRequest(prompt="x", **values), "error").digest for values in GIVEN
        ]
        assert len({*digests, *pictures}) == 5

    @given(st.dictionaries(TEXTS, st.recursive(VALUES, st.lists, max_leaves=5), max_size=3))
    @settings(max_examples=50, deadline=None, database=None)
    def test_options_come_back_or_are_refused(self, options: dict[str, Any]) -> None:
        """Whatever JSON the options are, they come back as they were, or hide a secret and are refused."""
        request = GenerationRequest(prompt="x", extra={"plain": options})
        try:
            intent = kept(drafts.of_generation(MODEL, request, "error"))
        except InvalidOptions:
            assert "\\ud" in json.dumps(options)
            return
        try:
            again = drafts.generation_of(intent)[1]
        except JournalError:
            assert "***" in json.dumps(intent.request)
        else:
            assert again.extra == request.extra
