"""Views of a run directory: what stands where, without changing anything."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median

import msgspec

from foxbatch import planner
from foxbatch.account import Rise
from foxbatch.api.elsewhere import look_elsewhere, whose
from foxbatch.api.evidence import maybe_alive, rises
from foxbatch.api.place import Place, default_run_dir, starts
from foxbatch.api.service import RunOptions
from foxbatch.api.summary import Digest
from foxbatch.api.wanted import Notice, Wanted, checked_jobs
from foxbatch.budget import Purse, Spending
from foxbatch.canonical import JobId, Json
from foxbatch.clock import Clock, SystemClock, to_text
from foxbatch.events import RunId
from foxbatch.experience import durations
from foxbatch.forecast import Kind
from foxbatch.ledger import LedgerReading, read_folder
from foxbatch.lock import live_runs
from foxbatch.planner import Choice, Plan, as_planned
from foxbatch.policy import Budget
from foxbatch.processes import this_process
from foxbatch.results import Failure, Record, failure_of, in_order, records
from foxbatch.state import BatchState, JobState, Phase

_TOO_MANY = ("rate", "concurrency")

AT_RISK_H = 6
"""Results that vanish within so many hours are said to be at risk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStatus:
    """Where one job stands.

    Attributes:
        task: The remote task, where one is known.
        attempt: The attempt that makes the phase so.
        since: When the last thing was heard of it (RFC 3339, UTC).
        error: Why it is not done, where that is known.
        valid_until: Until when undownloaded results are kept.
        maybe_alive: A held attempt of another machine's run that did not say goodbye.
    """

    job: JobId
    name: str
    phase: Phase
    task: str | None
    attempt: str | None
    since: str | None
    error: Failure | None
    valid_until: str | None = None
    maybe_alive: bool = False


_ALL = Budget(credits=math.inf)


@dataclass(frozen=True, slots=True)
class Spent:
    """How much of one budget is used.

    Attributes:
        spending: All of it, also what is not over yet.
        reserved: Credits of it for what still runs, is held, or is not fetched.
    """

    spending: Spending
    reserved: float = 0.0

    def to_json(self) -> dict[str, Json]:
        """Return it for `status --format json`; no bound is null."""
        one = self.spending
        return {
            "per": one.budget.per,
            "jobs": one.budget.jobs,
            "credits": _finite(one.budget.credits),
            "used_jobs": one.jobs,
            "used_credits": one.credits,
            "reserved_credits": self.reserved,
            "left_jobs": _finite(one.jobs_left),
            "left_credits": _finite(one.credits_left),
            "unpriced": one.unpriced,
        }


def _finite(number: float | None) -> float | None:
    return None if number is None or math.isinf(number) else number


@dataclass(frozen=True, slots=True)
class Length:
    """How long tasks of one kind take.

    Attributes:
        kind: The model, and what else makes a task long or short.
        tasks: How many it is known from, at most the latest 20.
        usual_s: In the middle, in seconds.
    """

    kind: Kind
    tasks: int
    usual_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Where every job of a run directory stands.

    Attributes:
        jobs: In the order in which they were first planned.
        running_pid: Process that works on the directory now, on this machine.
        at_risk: Jobs whose results vanish soon and are not downloaded.
        problems: What a person has to hear although no phase says it.
        spent: Of all that was ever bought there.
        budgets: Of each budget of the last run.
        lengths: How long tasks take, by kind, as far as they were seen to end.
        slowed: Attempts that the service refused because they were too many, by the
            class of the refusal.
        account: What the account did around held jobs, as far as runs looked at it.
    """

    run_dir: Path
    jobs: tuple[JobStatus, ...]
    running_pid: int | None
    at_risk: tuple[JobStatus, ...]
    problems: tuple[str, ...] = ()
    spent: Spent = field(default_factory=lambda: Spent(Spending(_ALL, 0, 0.0, 0)))
    budgets: tuple[Spent, ...] = ()
    lengths: tuple[Length, ...] = ()
    slowed: Mapping[str, int] = field(default_factory=dict)
    account: tuple[Rise, ...] = ()

    @property
    def phases(self) -> dict[str, int]:
        """Jobs by phase; only phases that occur."""
        found = Counter(job.phase for job in self.jobs)
        return {phase.value: found[phase] for phase in Phase if found[phase]}

    def to_json(self) -> dict[str, Json]:
        """Return the one object that `status --format json` prints."""
        return {
            "run_dir": str(self.run_dir),
            "phases": dict(self.phases),
            "jobs": [_job_json(job) for job in self.jobs],
            "running_pid": self.running_pid,
            "at_risk": [
                {"job": job.job, "name": job.name, "valid_until": job.valid_until}
                for job in self.at_risk
            ],
            "problems": list(self.problems),
            "spent": self.spent.to_json(),
            "budgets": [one.to_json() for one in self.budgets],
            "lengths": [
                {"kind": list(one.kind), "tasks": one.tasks, "usual_s": one.usual_s}
                for one in self.lengths
            ],
            "slowed": dict(self.slowed),
            "account": [rise.to_json() for rise in self.account],
        }


def _job_json(job: JobStatus) -> Json:
    error: Json = None
    if job.error is not None:
        error = {
            "class": job.error.error_class,
            "code": job.error.code,
            "message": job.error.message,
        }
    return {
        "job": job.job,
        "name": job.name,
        "phase": job.phase.value,
        "task": job.task,
        "attempt": job.attempt,
        "since": job.since,
        "error": error,
    }


def read_ledger(run_dir: str | Path) -> LedgerReading:
    """Return what the ledger of a run directory says, all files together.

    Raises:
        LedgerError: A file in it cannot be trusted.
    """
    return read_folder(Place(Path(run_dir)).ledger)


def plan(
    wanted: Wanted,
    *,
    out: Path | None = None,
    choice: Choice | None = None,
    notice: Notice | None = None,
    options: RunOptions | None = None,
) -> Plan:
    """Return what a run would do now, and why. Nothing is changed or sent.

    Args:
        wanted: From `load_manifest`.
        out: Run directory; None for the default one.
        choice: Which jobs, and which failures again.
        notice: Told what is valid and probably not meant.
        options: Whose purchases in other run directories count: address and key, as
            far as they are there. Without a key those of any account do.

    Raises:
        InvalidError: A job is not valid.
        LedgerError: The ledger cannot be trusted.
    """
    jobs = checked_jobs(wanted, notice)
    place = Place(out or default_run_dir(wanted))
    reading = read_folder(place.ledger)
    state = reading.state
    moment = to_text(SystemClock().now())
    make = partial(
        planner.plan,
        [as_planned(job, wanted.manifest.sha256) for job in jobs],
        state,
        retry=wanted.manifest.retry,
        order=wanted.manifest.order,
        choice=choice,
        live=live(state, place.path),
    )
    purse = Purse((wanted.manifest.budget,), state, RunId(""))
    spending = purse.spending(moment)
    first = make()
    if choice is not None and choice.fresh:
        return replace(first, spending=spending)
    ours = whose(wanted.provider, options or RunOptions(), state)
    found = look_elsewhere(place, first, ours)
    return replace(make(elsewhere=found) if found else first, spending=spending)


def live(state: BatchState, run_dir: Path) -> Mapping[RunId, int]:
    """Return the runs that work on the directory now, on this machine."""
    return live_runs(state, run_dir, here=this_process())


def status(run_dir: Path, *, clock: Clock | None = None) -> Status:
    """Return where every job stands, from the ledger alone.

    Raises:
        LedgerError: The ledger cannot be trusted.
    """
    reading = read_ledger(run_dir)
    state = reading.state
    alive = live(state, run_dir)
    digest = Digest(names=reading.names)
    found = list(digest.records(in_order(state), live=alive))
    jobs = tuple(_job_status(state.jobs[record.job], state, alive) for record in found)
    now = (clock or SystemClock()).now()
    soon = now + timedelta(hours=AT_RISK_H)
    spent, budgets = _spent(state, to_text(now))
    return Status(
        run_dir=run_dir,
        jobs=jobs,
        running_pid=next(iter(alive.values()), None),
        at_risk=tuple(job for job in jobs if _is_at_risk(job, soon)),
        problems=tuple(digest.loud(reading.torn)),
        slowed=_slowed(state),
        spent=spent,
        budgets=budgets,
        lengths=_lengths(state),
        account=tuple(rises(state)),
    )


def _spent(state: BatchState, moment: str) -> tuple[Spent, tuple[Spent, ...]]:
    """Return what was bought in all, and of each budget of the last run."""
    begun = [start for start in starts(state) if start.manifests]
    budgets = [_ALL]
    if begun:
        policy = begun[-1].policy
        with suppress(msgspec.ValidationError):  # of another foxbatch
            budgets.append(msgspec.convert(policy.get("budget"), Budget))
        most = policy.get("max_credits")
        if isinstance(most, int | float):
            budgets.append(Budget(credits=most, per="run"))
    run = begun[-1].run if begun else RunId("")
    over = Purse(budgets, _finished(state), run).spending(moment)
    whole = Purse(budgets, state, run).spending(moment)
    first, *others = (
        Spent(one, max(0.0, one.credits - done.credits))
        for one, done in zip(whole, over, strict=True)
    )
    return first, tuple(others)


def _finished(state: BatchState) -> BatchState:
    """Return *state* with those attempts alone that nothing more will come of."""
    jobs = {}
    for job, known in state.jobs.items():
        ended = {
            name: attempt
            for name, attempt in known.attempts.items()
            if attempt.phase(alive=True) in (Phase.DONE, Phase.FAILED)
        }
        jobs[job] = replace(known, attempts=ended)
    return BatchState(jobs=jobs)


def _lengths(state: BatchState) -> tuple[Length, ...]:
    found = durations(state).items()
    return tuple(
        Length(kind, len(took_s), round(median(took_s), 1)) for kind, took_s in found
    )


def _slowed(state: BatchState) -> dict[str, int]:
    refusals = (
        attempt.refused.error_class
        for job in state.jobs.values()
        for attempt in job.attempts.values()
        if attempt.refused is not None
    )
    found = Counter(word for word in refusals if word in _TOO_MANY)
    return {word: found[word] for word in _TOO_MANY if found[word]}


def _job_status(
    known: JobState, state: BatchState, alive: Mapping[RunId, int]
) -> JobStatus:
    phase, attempt = known.leading(alive)
    waiting = attempt.results if phase is Phase.DOWNLOADING and attempt else None
    return JobStatus(
        job=known.id,
        name=known.name,
        phase=phase,
        task=attempt.task if attempt is not None else None,
        attempt=attempt.id if attempt is not None else None,
        since=attempt.heard_at if attempt is not None else None,
        error=failure_of(phase, attempt),
        valid_until=waiting.valid_until if waiting is not None else None,
        maybe_alive=phase is Phase.HELD and maybe_alive(attempt, state),
    )


def _is_at_risk(job: JobStatus, soon: datetime) -> bool:
    return job.valid_until is not None and job.valid_until <= to_text(soon)


def results(run_dir: str | Path) -> list[Record]:
    """Return one record per job, from the ledger.

    Raises:
        LedgerError: The ledger cannot be trusted.
    """
    path = Path(run_dir)
    state = read_ledger(path).state
    return records(state, live=live(state, path))


__all__ = [
    "JobStatus",
    "Length",
    "Spent",
    "Status",
    "live",
    "plan",
    "read_ledger",
    "results",
    "starts",
    "status",
]
