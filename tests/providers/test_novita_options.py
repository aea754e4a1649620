"""Novita's settings and options: what they take, and what they say about what they don't."""

from __future__ import annotations

from typing import Any

import pytest

from unified_train import InvalidOptions, MissingCredentials
from unified_train_novita import base_models, unified_train_providers
from unified_train_novita.options import NovitaGeneration, NovitaTraining
from unified_train_novita.provider import Novita
from unified_train_novita.settings import NovitaSettings


def test_settings_from_the_vendors_variables() -> None:
    """Key and address are read from the variables of the vendor's own samples."""
    settings = NovitaSettings.from_env({"NOVITA_API_KEY": "k", "NOVITA_API_URI": "http://127.0.0.1:1/"})
    assert settings.api_key.get_secret_value() == "k"
    assert Novita(settings).base_url == "http://127.0.0.1:1"
    assert NovitaSettings.from_env({"NOVITA_API_KEY": "k"}).base_url == "https://api.novita.ai"


@pytest.mark.parametrize("environ", [{}, {"NOVITA_API_KEY": " "}])
def test_missing_key(environ: dict[str, str]) -> None:
    """A missing or empty key is told by the name of its variable."""
    with pytest.raises(MissingCredentials, match="NOVITA_API_KEY"):
        NovitaSettings.from_env(environ)


def test_plugin_registers_the_provider() -> None:
    """The plugin's hook returns the one provider."""
    assert unified_train_providers() == [Novita]


TRAINING: list[dict[str, Any]] = [
    {"endpoint": "face"},
    {"width": 0},
    {"components": []},
    {"train_batch_size": 5},
    {"lr_scheduler": "fast"},
    {"lr_warmup_steps": -1},
    {"instance_prompt": ""},
    {"prior_loss_weight": 0},
    {"lora_alpha": 3},
    {"lora_text_encoder_r": 129},
    {"batch_size": 1},
]


@pytest.mark.parametrize("options", TRAINING)
def test_training_options_are_checked(options: dict[str, Any]) -> None:
    """A training option outside the documented range, or unknown, is refused by its name."""
    with pytest.raises(InvalidOptions, match=next(iter(options))):
        NovitaTraining(**options)


GENERATION: list[dict[str, Any]] = [
    {"lora_strength": 1.5},
    {"loras": [{"model_name": "a"}] * 5},
    {"embeddings": ["a"] * 6},
    {"sampler": "euler a"},
    {"image_type": "jpg"},
    {"clip_skip": 13},
    {"refiner_switch_at": 2},
    {"nsfw_detection_level": 3},
    {"webhook": "file:///etc/passwd"},
    {"checkpoint": ""},
    {"strength": 1},
    {"webhook_test": "DONE"},
]


@pytest.mark.parametrize("options", GENERATION)
def test_generation_options_are_checked(options: dict[str, Any]) -> None:
    """A generation option outside the documented range, or unknown, is refused by its name."""
    with pytest.raises(InvalidOptions, match=next(iter(options))):
        NovitaGeneration(**options)


def test_parts_of_options_are_checked() -> None:
    """A mistake inside a component or an upscaling is told by the name of its field."""
    with pytest.raises(InvalidOptions, match=r"components\.0: .*'resize'"):
        NovitaTraining.model_validate({"components": [{"name": "crop", "args": {}}]})
    with pytest.raises(InvalidOptions, match="HiresFix: target_width"):
        NovitaGeneration.model_validate({"hires_fix": {"target_width": 64, "target_height": 512}})


def test_checkpoints_are_complete() -> None:
    """All 17 models of the vendor's list have a checkpoint file, and the families have a plain one each."""
    assert len(base_models.CHECKPOINTS) == 17
    assert all(one.file.endswith((".safetensors", ".ckpt")) for one in base_models.CHECKPOINTS.values())
    plain = [base_models.of_family(word) for word in ("SD 1.5", "SDXL 1.0", "SD 3")]
    assert [one.family if one else None for one in plain] == ["SD 1.5", "SDXL 1.0", None]


def test_table_agrees_with_the_sandbox() -> None:
    """Client and sandbox have the table of checkpoints independently, and the two agree."""
    facts = pytest.importorskip("unified_train.sandbox.novita.facts", reason="needs the extra 'sandbox'")
    theirs = {name: (base.checkpoint, base.family) for name, base in facts.BASE_MODELS.items()}
    assert theirs == {name: (one.file, one.family) for name, one in base_models.CHECKPOINTS.items()}
