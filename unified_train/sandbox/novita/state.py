"""The account: uploads, trainings and generations, and the rules that need more than one of them; no HTTP here."""

from __future__ import annotations

import secrets
import uuid
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unified_train.sandbox.novita import facts
from unified_train.sandbox.novita.checks import is_image
from unified_train.sandbox.novita.errors import Refusal
from unified_train.sandbox.novita.jobs import Ask, Generation, Kind, Training

if TYPE_CHECKING:
    from unified_train.sandbox.novita.checks import TrainingAsk
    from unified_train.sandbox.novita.switches import Switches
    from unified_train.sandbox.world import World

_MINUTE = 60.0
_FIRST_NUMBER = 100001


@dataclass(frozen=True, slots=True)
class Asset:
    """A promised upload: where its bytes are to go."""

    id: str | int
    key: str


class Account:
    """What one customer has at the vendor."""

    def __init__(self, world: World, switches: Switches) -> None:
        self._world = world
        self._switches = switches
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._assets: dict[str | int, Asset] = {}
        self.trainings: dict[str, Training] = {}
        self.generations: dict[str, Generation] = {}
        self._made: dict[str, deque[tuple[float, int]]] = {task: deque() for task in facts.IMAGES_PER_MINUTE}

    def promise_upload(self, extension: str) -> Asset:
        """A new asset; its bytes come later, by a presigned PUT."""
        number = _FIRST_NUMBER + len(self._assets)
        id_ = number if self._switches.assets_id_as_int else uuid.uuid4().hex
        self._assets[id_] = Asset(id_, f"prod/{id_}.{extension}")
        return self._assets[id_]

    def start_training(self, ask: TrainingAsk) -> Training:
        """Accept a training.

        Raises:
            Refusal: The balance is used up, or an asset is unusable and the account says so at once.
        """
        self._pay()
        problem = next(filter(None, (self._problem(index, id_) for index, id_ in enumerate(ask.assets))), None)
        if problem and self._switches.missing_asset == "submit":
            raise problem
        created_at = self._world.clock.date().timestamp()
        training = Training(
            id=str(uuid.uuid4()),
            kind=ask.kind,
            name=ask.name,
            base_model=ask.base_model,
            photos=tuple(self._assets[id_].key for id_ in ask.assets if id_ in self._assets),
            words=ask.words,
            started=self._world.clock.now(),
            created_at=created_at,
            seconds=self._switches.training_seconds,
            outcome="FAILED" if problem else self._switches.training_outcome,
            stuck=self._switches.stuck_deploying,
            model_name=f"model_{int(created_at + self._switches.training_seconds)}_{_ten_hex()}.safetensors",
        )
        self.trainings[training.id] = training
        self._world.submitted("novita", "training", training.id, training.name)
        return training

    def _problem(self, index: int, id_: str | int) -> Refusal | None:
        asset = self._assets.get(id_)
        stored = asset and self._world.objects.get(facts.UPLOAD_BUCKET, asset.key)
        place = f"image_dataset_items[{index}].assets_id"
        if not stored:
            return Refusal("INVALID_REQUEST_BODY", f"{place}: is not uploaded")
        return None if is_image(stored.data) else Refusal("INVALID_IMAGE_FORMAT", f"{place}: is no png, jpeg or webp")

    def training(self, id_: str, kind: Kind) -> Training:
        """One training; each kind's address answers for its own kind only.

        Raises:
            Refusal: There is none.
        """
        found = self.trainings.get(id_)
        if found is None or found.kind != kind:
            raise Refusal("TASK_NOT_FOUND", "task not found")
        return found

    def listed(self, kind: str | None) -> list[Training]:
        """Trainings, newest first, without those that the list does not know yet."""
        latest = self._world.clock.now() - self._switches.list_lag
        found = [one for one in self.trainings.values() if one.started <= latest and kind in (None, one.kind)]
        return found[::-1]

    def start_generation(self, ask: Ask) -> Generation:
        """Accept a generation.

        Raises:
            Refusal: The balance or this minute's images are used up, or a LoRA does not serve and the account says
                so at once.
        """
        if ask.webhook and ask.webhook.mock:
            return self._mock(ask, failed=ask.webhook.mock == "TASK_STATUS_FAILED")
        self._pay()
        self._count(ask)
        loras = [(self._lora(name), strength) for name, strength in ask.loras]
        problem = _lora_problem(ask, [lora for lora, _ in loras])
        if problem and self._switches.missing_lora == "submit":
            raise Refusal("INVALID_REQUEST_BODY", f"request.loras: {problem}")
        forced = "out of memory" if self._switches.generation_outcome == "FAILED" else ""
        used = [lora for lora, strength in loras if lora and strength > 0]
        generation = self._generation(
            ask,
            photos=self._photos(ask, used),
            faithful=bool(ask.source) or any(lora.addressed_by(ask.prompt) for lora in used),
            reason=problem or forced,
            seconds=self._switches.generation_seconds,
        )
        self._world.submitted("novita", "generation", generation.id, "")
        return generation

    def _mock(self, ask: Ask, *, failed: bool) -> Generation:
        """The webhook's test mode: nothing runs and nothing is billed (Novita dossier 6)."""
        return self._generation(ask, photos=(), faithful=False, reason="mock failure" if failed else "", seconds=0)

    def _generation(
        self, ask: Ask, *, photos: tuple[bytes, ...], faithful: bool, reason: str, seconds: float
    ) -> Generation:
        generation = Generation(
            id=str(uuid.uuid4()),
            ask=ask,
            photos=photos,
            faithful=faithful,
            reason=reason,
            started=self._world.clock.now(),
            seconds=seconds,
        )
        self.generations[generation.id] = generation
        return generation

    def generation(self, id_: str) -> Generation:
        """One generation.

        Raises:
            Refusal: There is none.
        """
        if id_ not in self.generations:
            raise Refusal("TASK_NOT_FOUND", "task not found")
        return self.generations[id_]

    def models(self) -> list[Training]:
        """The trainings that have a model, served or not, newest first."""
        now = self._world.clock.now()
        return [one for one in self.listed(None) if one.view(now).model_status]

    def _lora(self, name: str) -> Training | None:
        now = self._world.clock.now()
        return next((one for one in self.trainings.values() if name in _names(one) and one.serves(now)), None)

    def _photos(self, ask: Ask, loras: list[Training]) -> tuple[bytes, ...]:
        keys = [key for lora in loras for key in lora.photos]
        stored = [self._world.objects.get(facts.UPLOAD_BUCKET, key) for key in keys]
        return (*([ask.source] if ask.source else []), *(one.data for one in stored if one))

    def _pay(self) -> None:
        if self._switches.balance <= 0:
            raise Refusal("BILLING_BALANCE_NOT_ENOUGH", "balance not enough")

    def _count(self, ask: Ask) -> None:
        """The limit counts images, not requests (Novita dossier 2.4)."""
        now, made = self._world.clock.wall(), self._made[ask.task_type]
        while made and made[0][0] <= now - _MINUTE:
            made.popleft()
        allowed = facts.IMAGES_PER_MINUTE[ask.task_type]
        if self._switches.rate_limits and sum(count for _, count in made) + ask.count > allowed:
            raise Refusal("RATE_LIMIT_EXCEEDED", f"rate limit exceeded: {allowed} images a minute")
        made.append((now, ask.count))


def _names(training: Training) -> tuple[str, str]:
    return training.model_name, training.api_name


def _lora_problem(ask: Ask, loras: list[Training | None]) -> str:
    """Why the LoRAs can't be used with the checkpoint, or nothing; families are compared where both are known."""
    checkpoint = facts.FAMILY_OF_CHECKPOINT[ask.checkpoint]
    for lora in loras:
        if lora is None:
            return "lora not available"
        if checkpoint and lora.family and lora.family != checkpoint:
            return f"lora for {lora.family} does not fit a checkpoint for {checkpoint}"
    return ""


def _ten_hex() -> str:
    return secrets.token_hex(5).upper()
