"""What the operations of the fault matrix need at a vendor: made once, since trainings take a while even here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from conftest import QUICK
from helpers import png

from unified_train import Client, Dataset, GenerationRequest, Job, Status, TrainingRequest, UploadedImage
from unified_train.provider import AnyProvider
from unified_train.sandbox import Sandbox


def small(prompt: str) -> GenerationRequest:
    """Pictures that are quickly made, where the vendor lets their size be chosen."""
    return GenerationRequest(prompt=prompt, width=128, height=128)


@dataclass(frozen=True)
class Props:
    """What there is at one vendor before anything goes wrong.

    Attributes:
        sandbox: Where the vendor is.
        provider: The vendor, ready-made: to look for its plugin takes longer than most operations.
        request: For a training on images that were uploaded.
        training: As it was when it was started; it has finished since.
        trained: The same, finished.
        generation: As it was when it was started; it has finished since.
        generated: The same, finished.
        picture: What the generation made.
    """

    sandbox: Sandbox
    provider: AnyProvider
    request: TrainingRequest
    training: Job
    trained: Job
    generation: Job
    generated: Job
    picture: bytes

    @classmethod
    def of(cls, sandbox: Sandbox, vendor: str) -> Props:
        """Train and generate at a vendor."""
        with Client(vendor, **QUICK) as client:  # type: ignore[arg-type]  # a mapping of all of its options
            provider = client.provider()
            images: list[UploadedImage] = [client.upload_image(png(64 + n, 64), caption="a cat") for n in range(2)]
            dataset = Dataset.of(images, trigger="ohwx", class_word="cat")
            request = TrainingRequest(name="chelsea", dataset=dataset)
            training = client.start_training(request)
            trained = client.wait(training, timeout=30)
            generation = client.generate(trained, small("{subject} in the snow"), on_unsupported="drop")
            generated = client.wait(generation, timeout=30)
            (picture,) = client.download(generated)
        return cls(sandbox, provider, request, training, trained, generation, generated, picture.read())

    def last_submission(self) -> str:
        """Id of the job that the vendor accepted last."""
        return self.sandbox.world.submissions[-1].id

    def running(self) -> Job:
        """A training that will not end by itself before the clock goes on."""
        self.sandbox.world.clock.freeze()
        with Client(self.provider, **QUICK) as client:  # type: ignore[arg-type]  # a mapping of all of its options
            return client.start_training(self.request)

    def was_canceled(self, job: Job) -> bool:
        """Whether a training ends because somebody wanted it to: the answer may show it as it was."""
        self.sandbox.world.clock.advance(60)
        with Client(self.provider, **QUICK) as client:  # type: ignore[arg-type]  # a mapping of all of its options
            return client.poll(job).status is Status.CANCELED


@dataclass(frozen=True)
class Scene:
    """What one cell finds.

    Attributes:
        props: At its vendor.
        folder: Empty, for pictures.
        running: A training, if the operation needs one.
    """

    props: Props
    folder: Path
    running: Job | None
