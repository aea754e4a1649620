"""Datasets come from folders and lists, and say which file is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import CHELSEA
from helpers import png

from unified_train import Dataset, DatasetError, Image, UploadedImage


def test_a_folder_is_read_in_order_with_its_captions() -> None:
    """Ten photographs of three kinds, each with the text beside it."""
    dataset = Dataset.from_folder(CHELSEA, trigger="ohwx", class_word="cat")
    images = [image for image in dataset.images if isinstance(image, Image)]
    assert [image.name for image in images][:3] == ["chelsea_01.jpg", "chelsea_02.jpg", "chelsea_03.png"]
    assert {image.media_type for image in images} == {"image/jpeg", "image/png", "image/webp"}
    assert images[1].caption == "close-up portrait of ohwx cat"
    assert dataset.phrase == "ohwx cat"


def test_a_caption_is_the_files_or_the_one_for_all_or_none(tmp_path: Path) -> None:
    """A caption file wins, an empty one counts as none, and the folder's caption fills in."""
    for name in "abc":
        (tmp_path / f"{name}.png").write_bytes(png())
    (tmp_path / "a.txt").write_text("\ufeffa  cat\nasleep\n", encoding="utf-8")
    (tmp_path / "b.txt").write_text(" \n")
    (tmp_path / ".hidden.png").write_bytes(png())
    (tmp_path / "notes.md").write_text("not an image")

    def captions(**options: str) -> list[Any]:
        return [image.caption for image in Dataset.from_folder(tmp_path, **options).images]

    assert captions() == ["a cat asleep", None, None]
    assert captions(caption="a cat") == ["a cat asleep", "a cat", "a cat"]


def test_what_is_wrong_with_a_folder_is_said(tmp_path: Path) -> None:
    """No folder, no images, a caption that is no text: each is named."""
    with pytest.raises(DatasetError, match="nowhere: no such folder"):
        Dataset.from_folder(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match=r"no images in it; looked for \.avif"):
        Dataset.from_folder(tmp_path)
    (tmp_path / "a.png").write_bytes(png())
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DatasetError, match=r"a\.txt: a caption must be UTF-8 text"):
        Dataset.from_folder(tmp_path)


def test_a_list_may_mix_what_images_are_made_of(tmp_path: Path) -> None:
    """Paths, bytes, URLs and uploaded images stand side by side."""
    uploaded = UploadedImage(provider="plain", id="1", name="n")
    (tmp_path / "a.png").write_bytes(png())
    dataset = Dataset.of([tmp_path / "a.png", png(), "https://host.test/b.png", uploaded])
    assert dataset.images[3] is uploaded
    assert isinstance(dataset.images[0], Image)


@pytest.mark.parametrize("images", ["photos", b"bytes", Path("photos"), 7])
def test_a_folder_is_not_a_list(images: Any) -> None:
    """A path where a list belongs is answered with the way to read a folder."""
    with pytest.raises(DatasetError, match=r"Dataset\.from_folder"):
        Dataset.of(images)


def test_a_dataset_of_nothing() -> None:
    """An empty list is refused."""
    with pytest.raises(DatasetError, match="at least one image"):
        Dataset.of([])
