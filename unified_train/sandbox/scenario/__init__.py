"""Scenario's wire protocol, as far as this library and the vendor's SDK need it; facts from the vendor's documents."""

from unified_train.sandbox.scenario.routes import ScenarioSandbox

__all__ = ["ScenarioSandbox"]
