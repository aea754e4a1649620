"""Our three providers pass the contract through the same door as anybody's plugin, with the sandbox as their vendor."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from unified_train import AnyProvider, Dataset, plugins
from unified_train.sandbox import Sandbox
from unified_train.testing import ProviderContract

LONG = 3600.0
"""Simulated seconds; no job of the sandbox takes as many."""


class InTheSandbox(ProviderContract):
    """What the three have in common."""

    slug: str

    @pytest.fixture
    def provider(self, sandbox: Sandbox) -> AnyProvider:
        sandbox.world.clock.freeze()
        kind = plugins.load(self.slug)
        return kind(kind.Settings.from_env(os.environ))

    @pytest.fixture
    def dataset(self, photos: Dataset) -> Dataset:
        return photos.model_copy(update={"images": photos.images[:2]})

    @pytest.fixture
    def fast_forward(self, sandbox: Sandbox) -> Callable[[], None]:
        return lambda: sandbox.world.clock.advance(LONG)


class TestScenario(InTheSandbox):
    slug = "scenario"


class TestAlibaba(InTheSandbox):
    slug = "alibaba"


class TestNovita(InTheSandbox):
    slug = "novita"
