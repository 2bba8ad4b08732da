"""A plan as a table and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from foxbatch.canonical import Json
from foxbatch.cli._tables import Cell, Column, show_table
from foxbatch.cli._terminal import Terminal
from foxbatch.cli._text import one_line
from foxbatch.cli.money import (
    again,
    budgets_in_words,
    estimate_in_words,
    kinds,
    retries,
)
from foxbatch.cli.progress import label_of
from foxbatch.cli.screen import PHASE_COLOURS
from foxbatch.clock import show_duration
from foxbatch.planner import Action, Plan, PlannedJob
from foxbatch.prices import PriceLine

if TYPE_CHECKING:
    from foxbatch.api import Wanted

_ACTION_COLOURS = {
    Action.SUBMIT: "bold green",
    Action.RETRY: "bold yellow",
    Action.ADOPT: "blue",
    Action.DOWNLOAD: "cyan",
    Action.SETTLE: "bold magenta",
    Action.KEEP: "dim",
    Action.ELSEWHERE: "cyan",
    Action.ORPHAN: "dim",
}


def show(terminal: Terminal, plan: Plan, wanted: Wanted, run_dir: Path) -> None:
    """Print what a run would do: one line per job, then the sums."""
    columns = [
        Column("JOB", style="cyan", whole=True),
        Column("NAME", style="bold", cut=True, whole=True),
        Column("PHASE"),
        Column("ACTION"),
        Column("WHY", style="dim", wraps=True),
    ]
    rows: list[list[Cell]] = [
        [
            job.id,
            label_of(job.wanted),
            Text(job.phase, PHASE_COLOURS[job.phase]),
            Text(job.action, _ACTION_COLOURS[job.action]),
            job.reason,
        ]
        for job in plan.jobs
    ]
    show_table(terminal, columns, rows)
    terminal.emit("")
    for label, text in _sums(plan, wanted, run_dir):
        terminal.out.print(Text.assemble((f"{label:<10}", "dim"), text), soft_wrap=True)


def _sums(plan: Plan, wanted: Wanted, run_dir: Path) -> Iterator[tuple[str, str]]:
    from foxbatch.api import show_path

    counts = Counter(job.action for job in plan.jobs)
    did = ", ".join(
        f"{counts[action]:,} {action}" for action in Action if counts[action]
    )
    yield "jobs", f"{len(plan.jobs):,}: {did}" if did else "none"
    yield "estimate", estimate_in_words(plan.estimate)
    if failed := again(plan):
        yield "again", failed
    if plan.estimate.measured and len(plan.estimate.lines) > 1:
        for line in kinds(plan.estimate):
            yield "", line.plain.strip()
    for said in budgets_in_words(plan.spending):
        yield "budget", said
    yield "run dir", one_line(show_path(run_dir))
    yield "pace", _pace(wanted)
    yield "retry", _retry(wanted)


def _pace(wanted: Wanted) -> str:
    limits = wanted.manifest.limits(wanted.provider.limits)
    patience = show_duration(wanted.manifest.poll.wait_s)
    return (
        f"{limits.in_flight} in flight, {limits.requests_per_second:g} requests/s, "
        f"{limits.downloads} downloads, order {wanted.manifest.order}, "
        f"watched for {patience}"
    )


def _retry(wanted: Wanted) -> str:
    retry = wanted.manifest.retry
    again = "failed jobs are not bought again"
    if retry.classes and retry.attempts > 1:
        classes = ", ".join(sorted(retry.classes))
        again = f"up to {retry.attempts} attempts for {classes}"
    return again if wanted.manifest.budget.bounds else f"{again}; no budget"


def as_json(plan: Plan) -> dict[str, Json]:
    """Return the one object of `plan --format json`."""
    counts: dict[str, Json] = dict(plan.counts)
    return {
        "counts": counts,
        "estimate": {
            "jobs": plan.estimate.jobs,
            "credits": plan.estimate.credits,
            "most": plan.estimate.most,
            "unpriced": plan.estimate.unpriced,
            "measured": plan.estimate.measured,
            "kinds": [_kind_as_json(line) for line in plan.estimate.lines],
        },
        "budgets": [
            {
                "jobs": one.budget.jobs,
                "credits": one.budget.credits,
                "per": one.budget.per,
                "used_jobs": one.jobs,
                "used_credits": one.credits,
                "unpriced": one.unpriced,
            }
            for one in plan.spending
        ],
        "retries": _retries_as_json(plan),
        "jobs": [job_as_json(job) for job in plan.jobs],
    }


def _retries_as_json(plan: Plan) -> Json:
    found = retries(plan)
    return {
        "jobs": found.jobs,
        "classes": dict(found.classes),
        "cost_credits": found.spent if found.known else None,
        "cost_known": found.known,
        "estimate": found.estimate.credits,
        "unpriced": found.estimate.unpriced,
    }


def _kind_as_json(line: PriceLine) -> Json:
    price: Json = None
    if line.price is not None:
        price = {
            "low": line.price.low,
            "usual": line.price.usual,
            "high": line.price.high,
            "measured": line.price.measured,
        }
    return {"example": line.example.job, "jobs": line.jobs, "price": price}


def job_as_json(job: PlannedJob) -> dict[str, Json]:
    """Return one job of a plan."""
    return {
        "job": job.id,
        "spec": job.wanted.spec,
        "name": job.wanted.name,
        "phase": job.phase.value,
        "action": job.action.value,
        "reason": job.reason,
        "also": [{"spec": also.spec, "name": also.name} for also in job.wanted.also],
    }
