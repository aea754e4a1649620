"""What a user has allowed: a plan that was looked at, and a budget; both are checked before anything is sent."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from unified_train.cli.app import BLOCKED

if TYPE_CHECKING:
    from unified_train.plan import VendorPlan

_BUDGET = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]+)")
_HASH = re.compile(r"[0-9a-f]{12,64}")


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that may be spent, in a unit that vendors name: `CU`, `USD`, `credits`."""

    amount: float
    unit: str

    def __str__(self) -> str:
        return f"{self.amount:g} {self.unit}"


def budget_of(text: str) -> Budget:
    """Read `20CU` or `5 USD`.

    Raises:
        click.BadParameter: It is neither.
    """
    found = _BUDGET.fullmatch(text.strip())
    if not found:
        raise click.BadParameter(f"{text!r} is no amount with a unit, such as 20CU or 5USD", param_hint="--budget")
    return Budget(float(found[1]), found[2])


@dataclass(frozen=True, slots=True)
class Terms:
    """What is allowed.

    Attributes:
        plan: Hash, or the beginning of one; None if any will do.
        budget: None if there is none.
        allow_unknown: Whether a price that nobody tells is within it.
    """

    plan: str | None
    budget: Budget | None
    allow_unknown: bool

    def __post_init__(self) -> None:
        if self.plan is not None and not _HASH.fullmatch(self.plan):
            raise click.BadParameter(
                f"{self.plan!r} is no hash of a plan, nor its first 12 digits", param_hint="--plan"
            )

    @property
    def any(self) -> bool:
        """Whether there is something to check."""
        return self.plan is not None or self.budget is not None

    def check(self, plan: VendorPlan, again: str) -> None:
        """End the command if the plan is not what is allowed.

        Args:
            plan: Of what is about to be done.
            again: The command that shows it.

        Raises:
            SystemExit: It is not.
        """
        objection = self._other_plan(plan) or self._over_budget(plan)
        if objection:
            click.echo(f"error: nothing was submitted: {objection}; look at it with\n  {again}", err=True)
            raise SystemExit(BLOCKED)

    def _other_plan(self, plan: VendorPlan) -> str | None:
        if self.plan is None or (plan.hash or "").startswith(self.plan):
            return None
        if plan.hash is None:
            return plan.blockers[0].message if plan.blockers else "there is nothing to send"
        return f"the plan has changed: it is {plan.hash[: len(self.plan)]} now, not {self.plan}"

    def _over_budget(self, plan: VendorPlan) -> str | None:
        if self.budget is None:
            return None
        if plan.cost is None:
            if self.allow_unknown:
                return None
            why = f" ({plan.cost_note})" if plan.cost_note else ""
            return f"the cost is unknown{why}, so it can't be held against the budget; --allow-unknown-cost goes on"
        cost = f"{plan.cost.amount:g} {plan.cost.unit}"
        if plan.cost.unit.casefold() != self.budget.unit.casefold():
            return f"it costs {cost} as estimated, and the budget is in {self.budget.unit}; name it in {plan.cost.unit}"
        return f"it costs {cost} as estimated, and the budget is {self.budget}" if self._exceeded(plan) else None

    def _exceeded(self, plan: VendorPlan) -> bool:
        return plan.cost is not None and self.budget is not None and plan.cost.amount > self.budget.amount
