"""What can be turned about the emulated account: vendor behaviours that are undocumented, rare, or a matter of plan."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Literal, get_args, get_origin, get_type_hints


@dataclass
class Switches:
    """All behaviours with their usual value; times are simulated seconds unless told otherwise.

    Attributes:
        training_outcome: How trainings end.
        training_error: Text on the job of a failed training.
        training_seconds: Length of a training, a tenth of it queued.
        training_end: Whether job and model reach their end together, or one `training_lag` seconds after the other.
        training_lag: See `training_end`.
        start_lag: How long reads of a model still say `new` after an accepted training.
        list_lag: How long lists lack a new model and a new job, and still say `new` of a model whose training was
            accepted.
        cancel_lag: How long the old status is still shown after an accepted cancellation.
        progress_scale: 1 or 100, the undocumented scale of a model's `trainingProgress.progress`.
        empty_progress: Models in training show an empty `trainingProgress`.
        retrain: Whether failed and canceled models may be trained again.
        generation_outcome: How generations end.
        generation_error: Text on the job of a failed generation.
        generation_seconds: Length of a generation.
        minimum_pixels: Smaller pictures fail inside the job, after a normal 200.
        lora_in_path: Whether a LoRA's own id is accepted in the path of a generation.
        lora_shows_inputs: Whether records of trained LoRAs say `custom` and list `inputs`.
        base_in_path: Whether a base model's id is accepted in the path of a generation.
        unknown_inputs: What happens to inputs that the model does not have.
        short_asset_ids: How many outputs are missing from the `assetIds` of a successful job.
        asset_pending_seconds: How long a new output says `pending`.
        nsfw_delay: How long after its making an asset learns its `nsfw` labels.
        nsfw_labels: These labels.
        renditions: Asset URLs point at a re-encoded rendition unless `originalAssets=true`.
        url_seconds: How long asset URLs are valid, in seconds of the wall clock.
        minimal_records: Optional fields are left out of all records.
        empty_first_page: Every list starts with an empty page that has a token.
        dry_run_status: Status of a dry run.
        quality_gate: Whether generations also bill the quality gate.
        atomic_batches: Whether a batch with an attached id is refused as a whole, or its new ids are kept.
        name_limit: Whether names over 64 characters are refused.
        dataset_limit: Most training images of a model.
        parallel_trainings: Trainings at once; 0 means that the plan has none.
        parallel_generations: Generations at once; 0 means that the plan has none.
        training_cooldown: Least time between two trainings.
        rate_limit_next: How many of the next requests are answered as too many.
        jwt_expired: Whether the JWT's minute is over.
        restricted_models: Base models that the plan does not include.
    """

    training_outcome: Literal["trained", "failed"] = "trained"
    training_error: str = "Training process stopped unexpectedly"
    training_seconds: float = 1200.0
    training_end: Literal["together", "job-first", "model-first"] = "together"
    training_lag: float = 60.0
    start_lag: float = 0.0
    list_lag: float = 0.0
    cancel_lag: float = 5.0
    progress_scale: float = 1.0
    empty_progress: bool = False
    retrain: bool = True
    generation_outcome: Literal["success", "failure"] = "success"
    generation_error: str = "Provider rejected the request"
    generation_seconds: float = 20.0
    minimum_pixels: int = 0
    lora_in_path: bool = False
    lora_shows_inputs: bool = False
    base_in_path: bool = True
    unknown_inputs: Literal["refuse", "ignore"] = "refuse"
    short_asset_ids: int = 0
    asset_pending_seconds: float = 0.0
    nsfw_delay: float = 8.0
    nsfw_labels: list[str] = field(default_factory=list)
    renditions: bool = False
    url_seconds: int = 86_400
    minimal_records: bool = False
    empty_first_page: bool = False
    dry_run_status: int = 269
    quality_gate: bool = True
    atomic_batches: bool = True
    name_limit: bool = True
    dataset_limit: int = 50
    parallel_trainings: int = 100
    parallel_generations: int = 100
    training_cooldown: float = 0.0
    rate_limit_next: int = 0
    jwt_expired: bool = False
    restricted_models: list[str] = field(default_factory=list)

    def shown(self) -> dict[str, object]:
        """All switches by name."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    def turn(self, name: str, value: object) -> None:
        """Set one switch.

        Raises:
            KeyError: There is no such switch.
            ValueError: The value is not of the switch's kind.
        """
        kinds = get_type_hints(Switches)
        if name not in kinds:
            raise KeyError(name)
        if not _fits(value, kinds[name]):
            raise ValueError(f"the switch {name!r} takes {_told(kinds[name])}")
        setattr(self, name, value)


def _fits(value: object, kind: object) -> bool:
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if get_origin(kind) is list:
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    if kind is bool or isinstance(value, bool):
        return kind is bool and isinstance(value, bool)
    return isinstance(value, int | float if kind is float else kind if isinstance(kind, type) else str)


def _told(kind: object) -> str:
    if get_origin(kind) is Literal:
        return " or ".join(repr(word) for word in get_args(kind))
    return "a list of strings" if get_origin(kind) is list else f"a value of type {getattr(kind, '__name__', kind)}"
