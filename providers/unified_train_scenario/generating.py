"""Running a trained model: which model goes into the path, with which inputs (Scenario dossier 6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unified_train import (
    ApiError,
    Base64,
    Effect,
    GenerationRequest,
    InvalidOptions,
    InvalidRequest,
    UnsupportedCapability,
)
from unified_train_scenario import catalog, uploading
from unified_train_scenario.inputs import Inputs, inputs_of_record, inputs_of_type
from unified_train_scenario.refusals import CUSTOM_ONLY, is_refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unified_train import Flow, Image, Request, Response
    from unified_train_scenario.api import Api
    from unified_train_scenario.options import ScenarioGeneration
    from unified_train_scenario.wire import Model

_OWN_SCALE = 0.8
"""Strength of a trained model in its own record, as captured (dossier 3.1)."""


class Seeded(GenerationRequest):
    """A request for which the seed was drawn by us, so that the job can be found by it; nobody asked for one."""


@dataclass(frozen=True)
class Pictures:
    """The pictures of a request as the vendor gets them: data URLs or ids of assets.

    Attributes:
        image: To start from.
        references: To be guided by.
    """

    image: object = None
    references: Sequence[object] = ()


def generation_body(
    inputs: Inputs, request: GenerationRequest, options: ScenarioGeneration, pictures: Pictures
) -> tuple[dict[str, Any], list[str]]:
    """Inputs of a generation but for the LoRA itself, and notes about options that this base has not.

    The number of pictures is always told: where it is left out, some bases make four (Scenario dossier 13, trap 6).

    Raises:
        UnsupportedCapability: The base has no such input, and leaving it out would make another picture.
        InvalidOptions: A value is outside its range, something needed is missing, or given twice.
    """
    _check_once(request, options)
    strength = options.strength if request.strength is None else request.strength
    asked: list[tuple[str, tuple[str, ...], Any, bool]] = [
        ("prompt", ("prompt",), request.prompt, True),
        ("n", ("numOutputs",), request.n, request.n > 1),
        ("negative_prompt", ("negativePrompt",), options.negative_prompt, True),
        ("width", ("width",), request.width, False),
        ("height", ("height",), request.height, False),
        ("guidance", ("guidance", "guidanceScale"), request.guidance, False),
        ("steps", ("numInferenceSteps",), request.steps, False),
        ("seed", ("seed",), _seed(inputs, request), False),
        ("image", ("image",), options.image or pictures.image, True),
        ("strength", ("strength",), strength, True),
        ("references", ("referenceImages",), list(options.reference_images or pictures.references) or None, True),
    ]
    body: dict[str, Any] = {}
    notes: list[str] = []
    for name, candidates, value, vital in asked:
        spec = inputs.first(*candidates)
        if value is None or (spec is None and name == "n" and not vital):
            continue
        if spec is None:
            if vital:
                raise UnsupportedCapability(f"{name}: {inputs.of} takes none; leave it out")
            notes.append(f"{inputs.of} takes no {name}; it was not sent")
            continue
        problem = spec.problem(value)
        if problem:
            raise InvalidOptions(f"{name}: {problem} by {inputs.of}")
        body[spec.name] = value
    inputs.check_needed(body)
    return body, notes


def _seed(inputs: Inputs, request: GenerationRequest) -> int | None:
    """The seed that was asked for, or one that was drawn if this base takes it."""
    if request.seed is None or not isinstance(request, Seeded):
        return request.seed
    spec = inputs.first("seed")
    return None if spec is None or spec.problem(request.seed) else request.seed


def _check_once(request: GenerationRequest, options: ScenarioGeneration) -> None:
    for name, neutral, own in (
        ("image", request.image, options.image),
        ("strength", request.strength, options.strength),
        ("references", request.references, options.reference_images),
    ):
        if neutral and own:
            raise InvalidOptions(f"{name}: is given twice, in the request and in extra; leave one of them out")


def check_generation(request: GenerationRequest, options: ScenarioGeneration, model_type: str) -> None:
    """Raise for what the base of a known type does not take, before anything is sent.

    Raises:
        InvalidOptions: A value is outside its range.
        UnsupportedCapability: It has no such input.
    """
    if options.base or catalog.base_of(model_type) is None:
        return  # the record of the base will tell
    pictures = Pictures(request.image, request.references)
    one = request.model_copy(update={"n": 1})  # more than a call makes are split later
    generation_body(inputs_of_type(model_type), one, options, pictures)


@dataclass(frozen=True)
class Generating:
    """One generation about to be asked for.

    Attributes:
        api: What makes the requests.
        record: The trained model.
        model_type: Its type.
        request: What was asked for.
        options: What only this vendor has.
    """

    api: Api
    record: Model
    model_type: str
    request: GenerationRequest
    options: ScenarioGeneration

    def submit(self, dry_run: str | None = None) -> Flow[tuple[Response, list[str]]]:
        """Send the likelier form; only if exactly that 400 refuses it, no job was made, and the other one is sent.

        Raises:
            UnsupportedCapability: No base is known, or it has no such input.
        """
        targets = self._targets()
        if not targets:
            raise UnsupportedCapability(
                f"no base model is known for {self.model_type or 'this model'};"
                " name one with extra={'scenario': {'base': 'model_…'}}"
            )
        inputs: Inputs | None = None
        pictures: Pictures | None = None
        for target in targets:
            inputs = yield from self._inputs(target, inputs)
            generation_body(inputs, self.request, self.options, Pictures(self.request.image, self.request.references))
            pictures = pictures or (yield from self._pictures())
            body, notes = generation_body(inputs, self.request, self.options, pictures)
            if target != self.record.id:
                body |= self._lora(inputs)
            try:
                return (yield self._sending(target, body, dry_run)), notes
            except InvalidRequest as error:
                if target == targets[-1] or not is_refusal(error, CUSTOM_ONLY):
                    raise
        raise AssertionError("unreachable")

    def _targets(self) -> list[str]:
        """Ids for the path: the base with the LoRA, and the model itself where its record says so (dossier 6.1)."""
        base = self.options.base or catalog.base_of(self.model_type)
        itself = self.record.custom or bool(self.record.inputs)
        if base is None:
            return [self.record.id] if itself else []
        return [self.record.id, base] if itself else [base, self.record.id]

    def _inputs(self, target: str, before: Inputs | None) -> Flow[Inputs]:
        """What a model takes, by its record; a LoRA without inputs of its own takes those of its base."""
        if target == self.record.id:
            return inputs_of_record(self.record) or before or inputs_of_type(self.model_type)
        try:
            record = yield from self.api.model(target, "model.read")
        except ApiError:
            return inputs_of_type(self.model_type)
        return inputs_of_record(record) or inputs_of_type(self.model_type)

    def _pictures(self) -> Flow[Pictures]:
        """The request's pictures as data URLs, or uploaded before if they are too large for one body together."""
        image, references = self.request.image, self.request.references
        total = sum(picture.size for picture in [*([image] if image else []), *references])
        inline = total <= uploading.LARGEST_INLINE
        first = (yield from self._picture(image, inline=inline)) if image else None
        others: list[object] = []
        for picture in references:
            value = yield from self._picture(picture, inline=inline)
            others.append(value)
        return Pictures(first, others)

    def _picture(self, image: Image, *, inline: bool) -> Flow[object]:
        if inline:
            return Base64(image.body(), data_url=True)
        return (yield from uploading.asset_of(self.api, image))

    def _lora(self, inputs: Inputs) -> dict[str, Any]:
        """One scale for each LoRA: a missing one is accepted, and then anything may happen (dossier 13, trap 7)."""
        scale = self.options.lora_scale
        if scale is None:
            own = self.record.concepts or ()
            scale = next((item.scale for item in own if item.model == self.record.id), _OWN_SCALE)
        return {inputs.loras: [self.record.id], inputs.scales: [scale]}

    def _sending(self, target: str, body: dict[str, Any], dry_run: str | None) -> Request:
        path = f"/generate/custom/{target}"
        if dry_run is None:
            return self.api.post(path, "generation.start", body, effect=Effect.PAY, query=self.api.query())
        query = self.api.query({"dryRun": dry_run})
        return self.api.post(path, "generation.estimate", body, effect=Effect.READ, query=query)
