"""Plans for people and for programs."""

from __future__ import annotations

import json
from collections import Counter
from textwrap import indent
from typing import TYPE_CHECKING, Any

from rich import box
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from unified_train.cli.jobs.texts import plain, span
from unified_train.cli.screen import Output
from unified_train.http import Effect
from unified_train.payloads import differing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import Console

    from unified_train.cli.plan.making import RecipePlan
    from unified_train.plan import PlannedOption, PlannedRequest, VendorPlan

SHORT = 12
"""Digits of a hash that are shown: as few as `--plan` takes."""
_EFFECTS = {
    Effect.READ: ("reads", "dim"),
    Effect.REPEATABLE: ("can be repeated", "dim"),
    Effect.CREATE: ("creates", "yellow"),
    Effect.PAY: ("bills", "bold red"),
}
_OUTCOMES = {"sent": "green", "mapped": "yellow", "dropped": "red", "default": "dim"}
_SHOWN = 3
"""Items of a list in a payload; JSON has them all."""
_MEGABYTE = 1_000_000


def as_json(recipe: Path, plans: Sequence[RecipePlan]) -> str:
    """Everything, for programs."""
    vendors = [
        {
            "provider": plan.training.provider,
            "training": plan.training.model_dump(mode="json"),
            "generation": plan.generation and plan.generation.model_dump(mode="json"),
        }
        for plan in plans
    ]
    return json.dumps({"recipe": str(recipe), "vendors": vendors}, indent=2)


def print_plans(plans: Sequence[RecipePlan]) -> None:
    """Each vendor for itself, and then all side by side."""
    console = Output()
    for plan in plans:
        _print(console, plan.training)
        if plan.generation is not None and plan.training.requests:
            _print(console, plan.generation)
    if len(plans) > 1:
        console.print(_summary(plans))


def _print(console: Console, plan: VendorPlan) -> None:
    console.print(Text.assemble((plan.title, "bold"), (f": {plan.kind}", "bold")))
    console.print(Padding(_facts(plan), (0, 0, 0, 2)))
    if plan.options:
        console.print(Padding(_options(plan.options), (0, 0, 0, 2)))
    if plan.requests:
        console.print("  requests", style="bold")
    for group in _groups(plan.requests):
        _print_group(console, group)
    if not plan.complete:
        console.print("    … and more that depend on the vendor's answers", style="dim")
    console.print()


def _facts(plan: VendorPlan) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for blocker in plan.blockers:
        grid.add_row(Text("blocked", "red"), Text(plain(blocker.message), "red"))
    if plan.hash and plan.kind == "training":
        grid.add_row("plan", plan.hash[:SHORT])
    grid.add_row("cost", _cost(plan))
    grid.add_row("time", _time(plan))
    for told in _files(plan):
        grid.add_row("images", told)
    for note in plan.notes:
        grid.add_row("note", Text(plain(note)))
    return grid


def _cost(plan: VendorPlan) -> str:
    if plan.cost is not None:
        return f"{_amount(plan)} ({plan.cost.source})"
    if plan.price_by:
        return f"unknown; --ask-price asks by {plan.price_by}"
    return f"unknown; {plan.cost_note}" if plan.cost_note else "unknown"


def _amount(plan: VendorPlan) -> str:
    return f"{plan.cost.amount:g} {plan.cost.unit}" if plan.cost else "unknown"


def _time(plan: VendorPlan) -> str:
    if plan.seconds is None:
        return f"unknown; no {plan.kind} at {plan.title} has ended here yet"
    jobs = f"{plan.kind} that" if plan.seconds_from == 1 else f"{plan.kind}s that"
    return f"about {span(plan.seconds)}, the median of {plan.seconds_from} {jobs} ended here"


def _files(plan: VendorPlan) -> list[str]:
    """How many go where, and how large they are together."""
    ways = Counter(file.to for file in plan.files)
    told = []
    for way, count in ways.items():
        size = sum(file.bytes or 0 for file in plan.files if file.to == way)
        megabytes = f" ({size / _MEGABYTE:.1f} MB)" if size else ""
        told.append(f"{count}{megabytes} to {'; '.join(way)}")
    return told


def _options(options: Sequence[PlannedOption]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    explained = any(option.why for option in options)
    for head in ("option", "asked", "becomes", *(["why"] if explained else [])):
        table.add_column(head, overflow="fold")
    for option in options:
        asked = "" if option.asked is None else _value(option.asked)
        why = [Text(plain(option.why or ""))] if explained else []
        table.add_row(option.name, Text(asked), _becomes(option), *why)
    return table


def _becomes(option: PlannedOption) -> Text:
    told = Text(option.outcome, _OUTCOMES[option.outcome])
    if option.outcome == "mapped":
        told.append(", see the request")
    if option.outcome == "default":
        told.append(f" {_value(option.value)}")
    if option.field:
        told.append(f" as {option.field}")
    return told


def _value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else plain(str(value))


def _groups(requests: Sequence[PlannedRequest]) -> list[list[PlannedRequest]]:
    """Requests of one sort, in the order of their first ones."""
    groups: dict[tuple[str, str], list[PlannedRequest]] = {}
    for request in requests:
        groups.setdefault((request.operation, request.method), []).append(request)
    return list(groups.values())


def _print_group(console: Console, group: Sequence[PlannedRequest]) -> None:
    first = group[0]
    effect, style = _EFFECTS[first.effect]
    count = f"{len(group)} × " if len(group) > 1 else ""
    head = Text.assemble((f"{count}{first.method} ", "bold"), plain(first.url), (f"  {effect}", style))
    console.print(Padding(head, (0, 0, 0, 4)))
    if first.body is not None:
        body = first.body if isinstance(first.body, str) else _laid_out(_short(first.body), console.width - 8)
        console.print(Padding(Text(body, "dim"), (0, 0, 0, 6)))
    others = differing(group)
    if others:
        console.print(Padding(Text(f"the others differ in {', '.join(others)}", "dim italic"), (0, 0, 0, 6)))


def _short(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _short(item) for key, item in value.items()}
    if not isinstance(value, list):
        return value
    shown = [_short(item) for item in value[:_SHOWN]]
    return [*shown, f"… {len(value) - _SHOWN} more"] if len(value) > _SHOWN else shown


def _laid_out(value: Any, width: int) -> str:
    """JSON in as few lines as it fits in, whose parts begin on lines of their own otherwise."""
    whole = json.dumps(value, ensure_ascii=False)
    if len(whole) <= width or not isinstance(value, dict | list) or not value:
        return whole
    if isinstance(value, dict):
        ends, parts = (
            "{}",
            [f"{json.dumps(key)}: {_laid_out(item, width - len(key) - 6)}" for key, item in value.items()],
        )
    else:
        ends, parts = "[]", [_laid_out(item, width - 4) for item in value]
    inner = indent(",\n".join(parts), "  ")
    return f"{ends[0]}\n{inner}\n{ends[1]}"


def _summary(plans: Sequence[RecipePlan]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for head in ("vendor", "training", "images", "cost", "time", "not as asked", "plan"):
        table.add_column(head, overflow="fold", no_wrap=head in {"vendor", "plan"})
    for plan in plans:
        training = plan.training
        changed = [option.name for option in training.options if option.outcome in {"mapped", "dropped"}]
        table.add_row(
            training.provider,
            Text("blocked", "red") if training.blockers else Text("ready", "green"),
            str(len(training.files)) if training.files else "",
            _amount(training),
            "unknown" if training.seconds is None else span(training.seconds),
            ", ".join(changed),
            (training.hash or "")[:SHORT],
        )
    return table
