"""Facts of jobs and calls in words, the same in every command."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unified_train.cli.jobs.lookup import Call
    from unified_train.intents import Intent
    from unified_train.models import Job

UNKNOWN = "unknown"
COLOURS = {
    "queued": "blue",
    "running": "cyan",
    "succeeded": "green",
    "failed": "red",
    "canceled": "yellow",
    "unknown": "magenta",
    "working": "cyan",
    "left behind": "yellow",
}
"""Of statuses, and of the standings of calls."""

_SPANS = ((60, 1, "s"), (3600, 60, "min"), (48 * 3600, 3600, "h"))
_DAY = 86400
_BRIEF = 60


def plain(text: str) -> str:
    """Text that can't steer a terminal: vendors' words are shown, and nothing else is done with them."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in " ".join(text.split()))


def span(seconds: float) -> str:
    """A time span in one unit: `42 s`, `5 min`, `3 h`, `12 d`."""
    for below, unit, name in _SPANS:
        if seconds < below:
            return f"{max(0.0, seconds) // unit:.0f} {name}"
    return f"{seconds // _DAY:.0f} d"


def age(began: datetime | None) -> str:
    """How long ago something began."""
    return UNKNOWN if began is None else span((datetime.now(UTC) - began).total_seconds())


def moment(at: datetime | None) -> str:
    """A time, as the clock here shows it."""
    return UNKNOWN if at is None else f"{at.astimezone():%Y-%m-%d %H:%M:%S}"


def cost(job: Job) -> str:
    """What it cost, as far as anybody told."""
    return UNKNOWN if job.cost is None else f"{job.cost.amount:g} {plain(job.cost.unit)}"


def progress(job: Job) -> str:
    """How far it is; nothing if nobody said."""
    return "" if job.progress is None else f"{job.progress:.0%}"


def word(job: Job) -> str:
    """The vendor's word and the phase."""
    return plain(" ".join(filter(None, [job.raw_status, job.phase and f"({job.phase})"])))


def going(job: Job, *, brief: bool = False, timeless: bool = False) -> str:
    """How a job is going, beside its bar: what matters most comes first, since the end is cut where there is no room.

    Args:
        job: The job.
        brief: Whether the vendor's own words are left out.
        timeless: Whether the time that is left is left out.
    """
    left = "" if timeless or job.finished or job.eta is None else f"{span(job.eta)} left"
    how_far = "" if job.finished else progress(job)
    first = ", ".join(filter(None, [" ".join(filter(None, [job.status.value, how_far])), left]))
    return first if brief else " ".join(filter(None, [first, word(job)]))


def brief(text: str) -> str:
    """The beginning of a long text."""
    return text if len(text) <= _BRIEF else f"{text[: _BRIEF - 1].rstrip()}…"


def title(job: Job, call: Intent | None) -> str:
    """The name of a training, or the prompt of a generation."""
    asked = call.request.get("request") if call else None
    prompt = asked.get("prompt") if isinstance(asked, dict) else None
    return plain(job.name or (str(prompt) if prompt else ""))


def model(job: Job, call: Intent | None) -> str:
    """The model that was trained, or that is generated with; the base model in brackets until there is one."""
    if job.model is not None:
        return plain(job.model.id)
    used = call.request.get("model") if call else None
    if isinstance(used, dict):
        return plain(str(used.get("id") or UNKNOWN))
    return f"({plain(job.base_model)})" if job.base_model else ""


def standing(call: Call) -> str:
    """How a call without a job stands."""
    if call.owner is not None:
        return f"worked on by {worker(call.owner)}"
    if call.standing == "unknown":
        return "outcome unknown"
    if call.intent.in_doubt:
        return "left behind, may have been accepted"
    accepted = any(step.state == "answered" and not step.effect.idempotent for step in call.intent.steps)
    return f"left behind, {'accepted in part' if accepted else 'nothing submitted yet'}"


def worker(owner: str) -> str:
    """An owner in the journal, for people."""
    host, _, rest = owner.partition(":")
    return plain(f"process {rest.partition(':')[0]} on {host}")


def called(call: Intent) -> str:
    """A call, for people: `KEY (novita training my-cat)`."""
    return f"{plain(call.key)} ({plain(' '.join(filter(None, [call.provider, call.kind, call.name])))})"


def line(job: Job) -> str:
    """How a job stands, in one line."""
    told = " ".join(filter(None, [job.status.value, progress(job) if not job.finished else ""]))
    facts = [told, word(job), result(job)]
    return f"{plain(job.reference)}  {', '.join(filter(None, facts))}"


def result(job: Job) -> str:
    """What came of it."""
    if job.error is not None:
        return plain(" ".join(filter(None, [job.error.message, job.error.hint])))
    if job.images:
        return f"{len(job.images)} {'picture' if len(job.images) == 1 else 'pictures'}"
    return f"model {plain(job.model.id)}" if job.model else ""
