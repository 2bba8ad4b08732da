"""What a run came to: counts, the exit code, and what to type next."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from foxbatch.canonical import JobId, Json
from foxbatch.errors import ExitCode, most_urgent
from foxbatch.events import EXPIRED, WRITTEN_OFF, JobPlanned, RunId
from foxbatch.planner import Action, Plan
from foxbatch.policy import Accept
from foxbatch.results import Record, records_of
from foxbatch.state import JobState, Phase

_REMOTE = {Phase.RUNNING, Phase.OVERDUE, Phase.DOWNLOADING, Phase.SUBMITTING}
_SETTLE = ("--task TASK-ID", "--buy-again", "--write-off")
_SHOWN = 3


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


class Digest:
    """What there is to say about many jobs, taken in one after the other.

    Args:
        run: The run that ends, if one does.
        names: Name of the ledger file that each run wrote.
        selects: Tells which jobs decide the exit code: those that were asked for.

    Attributes:
        credits: What the attempts of that run cost, None where nothing is known.
    """

    def __init__(
        self,
        run: RunId | None = None,
        *,
        names: Mapping[RunId, str],
        selects: Callable[[JobId], bool] = lambda _: True,
    ) -> None:
        self._run, self._names, self._selects = run, names, selects
        self._phases: Counter[Phase] = Counter()
        self._asked_for: Counter[Phase] = Counter()
        self._failures: list[str] = []  # of those, by class
        self._classes: set[str] = set()
        self._first_held: JobId | None = None
        self._nameless: list[str] = []
        self._owners = TaskOwners()
        self._twice: list[str] = []
        self._vanished: list[str] = []
        self._mismatches: list[str] = []
        self.credits: float | None = None

    def records(
        self,
        jobs: Iterable[JobState],
        wanted: Sequence[JobPlanned] | None = None,
        live: Container[RunId] = (),
    ) -> Iterator[Record]:
        """Yield the records of *jobs*, as `records_of` does, and take them in."""
        for record in records_of(self._heard(jobs), wanted, live):
            self._take(record)
            yield record

    def _heard(self, jobs: Iterable[JobState]) -> Iterator[JobState]:
        for known in jobs:
            self._hear(known)
            yield known

    def _hear(self, known: JobState) -> None:
        if known.attempts and known.planned is None:
            self._nameless.append(
                f"job {known.id} was bought, but no ledger file here says what it is: "
                "a file is missing"
            )
        self._twice += bought_twice(known, self._names)
        self._twice += self._owners.hear(known)
        for attempt in known.attempts.values():
            if attempt.run == self._run and attempt.credits is not None:
                self.credits = (self.credits or 0) + attempt.credits

    def _take(self, record: Record) -> None:
        phase, error = record.phase, record.error
        self._phases[phase] += 1
        if self._selects(record.job):
            self._asked_for[phase] += 1
            if phase is Phase.FAILED:
                self._failures.append(error.error_class if error else "unknown")
        if phase is Phase.HELD and self._first_held is None:
            self._first_held = record.job
        if phase is Phase.FAILED and error is not None:
            self._classes.add(error.error_class)
        if error is not None and error.error_class == EXPIRED:
            self._vanished.append(record.name)
        self._mismatches += (
            f"{record.name}: {stored.path} differs from the request: {difference}"
            for stored in record.artifacts
            for difference in stored.mismatch
        )

    @property
    def counts(self) -> dict[str, int]:
        """The jobs by phase; only phases that occur."""
        found = self._phases
        return {phase.value: found[phase] for phase in Phase if found[phase]}

    def exit_code(self, accept: Accept, *, detached: bool = False) -> ExitCode:
        """Return what the state of the jobs alone means for the shell."""
        phases = self._asked_for
        codes = []
        if phases[Phase.HELD]:
            codes.append(ExitCode.HELD)
        if not accept.tolerates(self._failures, jobs=phases.total()):
            codes.append(ExitCode.FAILED_JOBS)
        if phases.keys() & _REMOTE and not detached:
            codes.append(ExitCode.REMOTE)
        return most_urgent(*codes)

    def loud(self, torn: Sequence[str]) -> list[str]:
        """Return what a person has to hear although no exit code says it.

        Args:
            torn: Names of ledger files that end in an unfinished line.
        """
        return [
            *(f"{name} ends in an unfinished line, which was ignored" for name in torn),
            *self._nameless,
            *self._twice,
            *_gone(self._vanished),
            *self._mismatches,
        ]

    def next_commands(self, run_dir: Path, again: str) -> tuple[str, ...]:
        """Return what to type next, the most urgent first.

        Args:
            run_dir: Where the jobs are.
            again: The command that goes on with this run.
        """
        phases = self._phases.keys()
        shown = shlex.quote(show_path(run_dir))
        commands = []
        if self._first_held is not None:
            settle = f"foxbatch settle {shown} {self._first_held}"
            commands += [f"{settle} {how}" for how in _SETTLE]
            if self._phases[Phase.HELD] > 1:
                commands.append(f"foxbatch settle {shown}")
        if phases & {Phase.NEW, Phase.SKIPPED, *_REMOTE}:
            commands.append(again)
        if phases & _REMOTE:
            commands.append(f"foxbatch collect {shown}")
        if self._classes - {WRITTEN_OFF} and again:
            commands.append(f"{again} --retry-failed")
        if Phase.DONE in phases:
            commands.append(f"foxbatch report {shown}")
        if phases - {Phase.DONE}:
            commands.append(f"foxbatch status {shown}")
        commands.append(f"foxbatch results {shown}")
        return tuple(dict.fromkeys(filter(None, commands)))


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


def bought_twice(known: JobState, names: Mapping[RunId, str]) -> Iterator[str]:
    """Yield that runs bought a job that did not know of each other, and where.

    Args:
        known: What the ledger says of it.
        names: Of the file that each run wrote.
    """
    if bought := known.unexplained_purchases():
        runs = dict.fromkeys(attempt.run for attempt in bought)
        files = [f"ledger/{names.get(run, f'*-{run}.jsonl')}" for run in runs]
        yield (
            f"{known.name} ({known.id}) was bought {len(bought)} times without a "
            f"recorded reason, in {' and '.join(files)}"
        )


class TaskOwners:
    """Notices a task that stands for two jobs: one of them has what is not its own."""

    def __init__(self) -> None:
        self._known: dict[int, JobId] = {}  # digests: ids of tasks are long, and many

    def hear(self, known: JobState) -> Iterator[str]:
        """Yield what is wrong with the tasks of one more job."""
        tasks = dict.fromkeys(attempt.task for attempt in known.attempts.values())
        for task in filter(None, tasks):
            owner = self._known.setdefault(hash(task), known.id)
            if owner != known.id:
                yield (
                    f"task {task} stands for {owner} and for {known.name} "
                    f"({known.id}): one of them was settled with a task that is not "
                    "its own"
                )


def _gone(names: Sequence[str]) -> Iterator[str]:
    """Yield how many results were gone before they were fetched."""
    if names:
        some = ", ".join(names[:_SHOWN])
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        yield (
            f"the results of {some}{more} were gone before they were fetched: "
            f"`foxbatch run MANIFEST --retry-failed={EXPIRED}` buys them again"
        )


def show_path(path: Path) -> str:
    """Return *path* as a person would type it: relative where that is shorter."""
    try:
        relative = path.resolve().relative_to(Path.cwd().resolve())
    except ValueError:
        return str(path)
    return relative.as_posix()
