"""What a run came to: counts, the exit code, and what to type next."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from foxbatch.canonical import Json
from foxbatch.errors import ExitCode, most_urgent
from foxbatch.events import EXPIRED, WRITTEN_OFF, RunId
from foxbatch.planner import Action, Plan
from foxbatch.policy import Accept
from foxbatch.results import Record
from foxbatch.state import BatchState, Phase

_REMOTE = (Phase.RUNNING, Phase.OVERDUE, Phase.DOWNLOADING, Phase.SUBMITTING)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """What a run came to.

    Attributes:
        run_dir: Where everything is.
        exit_code: What the process says to the shell.
        reason: Why the run ended, for people.
        counts: Jobs by phase.
        submitted: Tasks that this run made.
        reused: Jobs that were done before this run.
        duration_s: Seconds from start to end.
        credits: What this run's tasks cost, in the service's unit, where known.
        next: Commands to type next.
        problems: Loud things that no exit code says.
    """

    run_dir: Path
    exit_code: ExitCode
    reason: str
    counts: dict[str, int]
    submitted: int = 0
    reused: int = 0
    duration_s: float = 0.0
    credits: float | None = None
    next: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Json]:
        """Return the one object that `--format json` prints."""
        return {
            "run_dir": str(self.run_dir),
            "exit_code": int(self.exit_code),
            "reason": self.reason,
            "counts": dict(self.counts),
            "submitted": self.submitted,
            "reused": self.reused,
            "duration_s": round(self.duration_s, 3),
            "credits": self.credits,
            "next": list(self.next),
            "problems": list(self.problems),
        }


def counts(records: Sequence[Record]) -> dict[str, int]:
    """Return the jobs by phase; only phases that occur."""
    found = Counter(record.phase for record in records)
    return {phase.value: found[phase] for phase in Phase if found[phase]}


def exit_code(
    records: Sequence[Record], accept: Accept, *, detached: bool = False
) -> ExitCode:
    """Return what the state of these jobs alone means for the shell."""
    phases = {record.phase for record in records}
    failures = [
        record.error.error_class if record.error is not None else "unknown"
        for record in records
        if record.phase is Phase.FAILED
    ]
    codes = []
    if Phase.HELD in phases:
        codes.append(ExitCode.HELD)
    if not accept.tolerates(failures, jobs=len(records)):
        codes.append(ExitCode.FAILED_JOBS)
    if phases.intersection(_REMOTE) and not detached:
        codes.append(ExitCode.REMOTE)
    return most_urgent(*codes)


def code_of_others(plan: Plan) -> ExitCode:
    """Return what jobs mean for the shell that are left to another run directory."""
    left = {job.phase for job in plan.with_action(Action.ELSEWHERE)}
    codes = [ExitCode.HELD] if Phase.HELD in left else []
    return most_urgent(
        *codes, *([ExitCode.REMOTE] if left.intersection(_REMOTE) else [])
    )


def left_elsewhere(plan: Plan) -> list[str]:
    """Return which jobs were not bought here and are not here, and where they are."""
    left = plan.with_action(Action.ELSEWHERE)
    return [f"{job.wanted.name} ({job.id}): {job.reason}" for job in left]


def credits_of(state: BatchState, run: str) -> float | None:
    """Return what the attempts of one run cost, None where nothing is known."""
    known = [
        attempt.credits
        for job in state.jobs.values()
        for attempt in job.attempts.values()
        if attempt.run == run and attempt.credits is not None
    ]
    return sum(known) if known else None


def bought_twice(state: BatchState, names: Mapping[RunId, str]) -> Iterator[str]:
    """Yield which jobs runs bought that did not know of each other, and where.

    Args:
        state: What the ledger says.
        names: Of the file that each run wrote.
    """
    for job in state.jobs.values():
        if bought := job.unexplained_purchases():
            runs = dict.fromkeys(attempt.run for attempt in bought)
            files = [f"ledger/{names.get(run, f'*-{run}.jsonl')}" for run in runs]
            yield (
                f"{job.name} ({job.id}) was bought {len(bought)} times without a "
                f"recorded reason, in {' and '.join(files)}"
            )


def _vanished(records: Sequence[Record]) -> Iterator[str]:
    """Yield how many results were gone before they were fetched."""
    lost = [r for r in records if r.error and r.error.error_class == EXPIRED]
    if lost:
        some = ", ".join(record.name for record in lost[:_SHOWN])
        more = f" and {len(lost) - _SHOWN} more" if len(lost) > _SHOWN else ""
        yield (
            f"the results of {some}{more} were gone before they were fetched: "
            f"`foxbatch run MANIFEST --retry-failed={EXPIRED}` buys them again"
        )


_SHOWN = 3


def loud(
    state: BatchState,
    torn: Sequence[str],
    records: Sequence[Record],
    names: Mapping[RunId, str],
) -> list[str]:
    """Return what a person has to hear although no exit code says it."""
    found = [f"{name} ends in an unfinished line, which was ignored" for name in torn]
    found += [
        f"job {job.id} was bought, but no ledger file here says what it is: "
        "a file is missing"
        for job in state.jobs.values()
        if job.planned is None
    ]
    found += [*bought_twice(state, names), *_vanished(records)]
    found += [
        f"{record.name}: {stored.path} differs from the request: {difference}"
        for record in records
        for stored in record.artifacts
        for difference in stored.mismatch
    ]
    return found


_SETTLE = ("--task TASK-ID", "--buy-again", "--write-off")


def next_commands(
    records: Sequence[Record], run_dir: Path, again: str
) -> tuple[str, ...]:
    """Return what to type next, the most urgent first.

    Args:
        records: All jobs.
        run_dir: Where they are.
        again: The command that goes on with this run.
    """
    phases = {record.phase for record in records}
    shown = shlex.quote(show_path(run_dir))
    commands = []
    held = [record.job for record in records if record.phase is Phase.HELD]
    if held:
        settle = f"foxbatch settle {shown} {held[0]}"
        commands += [f"{settle} {how}" for how in _SETTLE]
        if len(held) > 1:
            commands.append(f"foxbatch settle {shown}")
    if phases & {Phase.NEW, Phase.SKIPPED} or phases.intersection(_REMOTE):
        commands.append(again)
    if phases.intersection(_REMOTE):
        commands.append(f"foxbatch collect {shown}")
    failures = {
        r.error.error_class for r in records if r.phase is Phase.FAILED and r.error
    }
    if failures - {WRITTEN_OFF} and again:
        commands.append(f"{again} --retry-failed")
    if Phase.DONE in phases:
        commands.append(f"foxbatch report {shown}")
    if phases - {Phase.DONE}:
        commands.append(f"foxbatch status {shown}")
    commands.append(f"foxbatch results {shown}")
    return tuple(dict.fromkeys(filter(None, commands)))


def show_path(path: Path) -> str:
    """Return *path* as a person would type it: relative where that is shorter."""
    try:
        relative = path.resolve().relative_to(Path.cwd().resolve())
    except ValueError:
        return str(path)
    return relative.as_posix()
