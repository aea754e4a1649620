"""Bringing the pictures of a generation home."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from unified_train import downloads, jobs
from unified_train.errors import ConfigurationError, InvalidOptions
from unified_train.flow import Workflow, blocking, gather
from unified_train.image_header import is_cut_off
from unified_train.images import Image
from unified_train.workflows.following import Following

if TYPE_CHECKING:
    from pathlib import Path

    from unified_train.models import GeneratedImage, Job
    from unified_train.workflows.vendors import JobLike


class Pictures(Following):
    """Pictures on their way."""

    def download(self, job: JobLike, folder: Path | None) -> Workflow[list[Image]]:
        """The pictures of a generation, in order; saved to a folder if one is named.

        Each is written when it arrives, whole or not at all. A download that was interrupted is simply asked for again:
        pictures that are in the folder, by their name and whole, are not fetched a second time, and unfinished files
        of an hour ago or more are removed. So a name in the folder that looks like one of ours is ours.
        """
        known = self._known(job)
        if known.kind != "generation":
            raise InvalidOptions(f"{known.reference} is a training; pictures come from a generation")
        if not known.finished:
            known = yield from self._look(known)
        if not known.images:
            state = "has no pictures" if known.finished else "has not finished; wait for it first"
            raise ConfigurationError(f"{known.reference} {state}")
        if folder is not None:
            yield from blocking(partial(downloads.prepare, folder))
        # Numbered within each part: a part without pictures yet must not change the names of the others later.
        wanted = [(part, image, number) for part in jobs.parts(known) for number, image in enumerate(part.images)]
        return (yield from gather([self._picture(*picture, folder) for picture in wanted], limit=self.parallel))

    def _picture(self, job: Job, image: GeneratedImage, number: int, folder: Path | None) -> Workflow[Image]:
        stem = downloads.stem(job.provider, job.id, number)
        if folder is not None:
            there = yield from blocking(partial(downloads.finished, folder, stem))
            if there is not None:
                return there
        talk = self._talk(job.provider)
        data = yield from talk.run(talk.provider.fetch(job, image))
        if (yield from blocking(partial(is_cut_off, data))):  # once more, from a fresh URL
            data = yield from talk.run(talk.provider.fetch(job, image))
        extension = yield from blocking(partial(downloads.check, data, job, number))
        name = f"{stem}.{extension}"
        if folder is None:
            return Image(name=name, data=data)
        return (yield from blocking(partial(downloads.save, folder, name, data)))
