"""Tasks that only a log still knows: written down again, so that they are fetched.

Where a machine is thrown away with its disk, the log of the CI system is what is left.
Every accepted submission prints one stable line there, on purpose for this.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from foxbatch.access import SANDBOX_ORIGIN
from foxbatch.api.evidence import held_attempts
from foxbatch.api.place import Place, provider_of, show_origin, starts
from foxbatch.api.provenance import start_fact
from foxbatch.api.service import RunOptions, known_access
from foxbatch.api.wanted import Wanted, checked_jobs
from foxbatch.canonical import JobId
from foxbatch.clock import Clock, SystemClock
from foxbatch.errors import OriginError, UsageError
from foxbatch.events import (
    AttemptId,
    Event,
    JobPlanned,
    ManifestRef,
    Origin,
    RunEnded,
    RunStarted,
    SubmitSettled,
    TaskId,
    is_task_id,
)
from foxbatch.ledger import LedgerWriter, new_run_id, read_folder
from foxbatch.lock import DirLock
from foxbatch.planner import as_planned, is_news
from foxbatch.provider import Provider
from foxbatch.results import records, write_jsonl
from foxbatch.state import BatchState

Ask = Callable[["Recovery"], bool]
"""Shows a person what is about to be written down; False writes nothing."""

_LINE = re.compile(
    r"\baccepted job=(?P<job>[a-z2-7]{20}) task=(?P<task>[A-Za-z0-9._:~-]+)"
    r"(?: credits=(?P<credits>[0-9.e+]+))?"
)
_COLOUR = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedTask:
    """One task that a log says was made.

    Attributes:
        line: Where the log says so, from 1.
        job: The job it was made for.
        task: Its id.
        credits: What was reserved; None where the log does not say.
    """

    line: int
    job: JobId
    task: TaskId
    credits: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What a log tells that a ledger does not.

    Attributes:
        run_dir: Where it is written down.
        tasks: What is new, in the order of the log.
        names: What the jobs of these are called.
        known: Tasks that the ledger knows already.
        strangers: Tasks of jobs that neither the manifest nor the ledger knows.
    """

    run_dir: Path
    tasks: tuple[LoggedTask, ...]
    names: Mapping[JobId, str]
    known: int
    strangers: tuple[LoggedTask, ...]


def read_log(lines: Iterable[str]) -> Iterator[LoggedTask]:
    """Yield the tasks that a log tells of, whatever stands around them; each once."""
    seen: set[tuple[str, str]] = set()
    for number, line in enumerate(lines, start=1):
        for found in _LINE.finditer(_COLOUR.sub("", line)):
            job, task = found["job"], found["task"]
            if is_task_id(task) and (job, task) not in seen:
                seen.add((job, task))
                yield LoggedTask(
                    line=number,
                    job=JobId(job),
                    task=TaskId(task),
                    credits=_number(found["credits"]),
                )


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def recover(
    run_dir: Path,
    lines: Iterable[str],
    *,
    wanted: Wanted | None = None,
    options: RunOptions | None = None,
    source: str = "a log",
    ask: Ask | None = None,
    clock: Clock | None = None,
) -> Recovery:
    """Write down what a log tells and the ledger does not; the same log adds nothing.

    Takes the directory's lock; on disk when it returns. Nothing is sent.

    Args:
        run_dir: Where it is written down; it is made where it is lost.
        lines: Of the log.
        wanted: The manifest that was run; needed where the ledger is lost.
        options: Key and address: whose tasks they are, where the ledger is lost.
        source: The log, for people.
        ask: Confirms it; None needs no confirmation.
        clock: Time.

    Raises:
        UsageError: The log tells of no task, or of none of this run's.
        RunDirError: The run directory cannot be used, or is another service's.
    """
    logged = list(read_log(lines))
    if not logged:
        raise UsageError(
            f"{source} has no line such as `accepted job=… task=… credits=…`",
            hint="Every accepted submission prints one on standard error.",
        )
    options, place = options or RunOptions(), Place(run_dir)
    jobs = _jobs(wanted)
    place.check()
    with DirLock(run_dir):
        recovering = _Recovering(place, wanted, jobs, options)
        recovering.check()
        found = recovering.compare(logged)
        if len(found.strangers) == len(logged):
            raise UsageError(
                f"none of {len(logged)} tasks in {source} is of a job of this run",
                hint="Name the manifest that was run, with the same --provider and "
                "--set.",
            )
        if found.tasks:
            if ask is not None and not ask(found):
                raise UsageError("nothing was written down", hint="Answer y to do so.")
            recovering.write(found, source, clock or SystemClock())
    return found


def _jobs(wanted: Wanted | None) -> dict[JobId, JobPlanned]:
    if wanted is None:
        return {}
    sha256 = wanted.manifest.sha256
    return {job.id: as_planned(job, sha256) for job in checked_jobs(wanted)}


class _Recovering:
    """One log and one run directory whose lock is held."""

    def __init__(
        self,
        place: Place,
        wanted: Wanted | None,
        jobs: Mapping[JobId, JobPlanned],
        options: RunOptions,
    ) -> None:
        self._place, self._wanted, self._jobs = place, wanted, jobs
        self._options = options
        self._state: BatchState = read_folder(place.ledger).state

    def check(self) -> None:
        """Raise `OriginError` where the manifest is for another service."""
        known = starts(self._state)
        if self._wanted is None or not known:
            return
        origin, mine = known[-1].origin, self._wanted.provider.id
        if origin.provider != mine:
            raise OriginError(
                f"{self._place.path} belongs to {show_origin(origin)}, not to {mine}",
                hint="Name another folder with --out.",
            )

    def compare(self, logged: Sequence[LoggedTask]) -> Recovery:
        """Return what is new in *logged*, and what belongs to nobody here."""
        known = self._state.jobs
        names = {
            job.job: job.name
            for job in (*self._jobs.values(), *(one.planned for one in known.values()))
            if job is not None
        }
        ours = [one for one in logged if one.job in names]
        news = [one for one in ours if one.task not in self._state.tasks]
        return Recovery(
            run_dir=self._place.path,
            tasks=tuple(news),
            names=names,
            known=len(ours) - len(news),
            strangers=tuple(one for one in logged if one.job not in names),
        )

    def write(self, found: Recovery, source: str, clock: Clock) -> None:
        """Record what is new in a file of its own."""
        provider = (
            self._wanted.provider
            if self._wanted is not None
            else provider_of(self._place, self._state)
        )
        started = self._started(provider)
        self._place.keep(provider.sha256, provider.content)
        if self._wanted is not None:
            manifest = self._wanted.manifest
            self._place.keep(manifest.sha256, manifest.content)
        writer = LedgerWriter(self._place.ledger, new_run_id(), clock)
        facts: list[Event] = [started, *self._news(found)]
        facts += self._settled(found, writer.run, started.actor, source)
        try:
            for fact in writer.append(*facts, RunEnded(why="done"), durable=True):
                self._state.join(fact)
        finally:
            writer.close()
        wanted = list(self._jobs.values()) or None
        write_jsonl(records(self._state, wanted), self._place.results)

    def _started(self, provider: Provider) -> RunStarted:
        manifests: tuple[ManifestRef, ...] = ()
        overrides: tuple[str, ...] = ()
        folder = self._place.path
        if self._wanted is not None:
            manifest = self._wanted.manifest
            shown = str(manifest.path or "-")
            manifests = (
                ManifestRef(sha256=manifest.sha256, name=manifest.name, path=shown),
            )
            folder, overrides = manifest.directory, manifest.overrides
        return start_fact(
            self._origin(provider),
            folder=folder,
            environ=self._options.environ,
            provider_sha256=provider.sha256,
            manifests=manifests,
            overrides=overrides,
        )

    def _origin(self, provider: Provider) -> Origin:
        known = starts(self._state)
        if known:
            return known[-1].origin
        entry = known_access(provider, self._options)
        return SANDBOX_ORIGIN if entry is None else entry.origin

    def _news(self, found: Recovery) -> list[JobPlanned]:
        """Return the jobs of recovered tasks that no file describes as they are."""
        news = []
        for job in dict.fromkeys(one.job for one in found.tasks):
            known = self._state.jobs.get(job)
            planned = known.planned if known is not None else None
            if job in self._jobs and is_news(self._jobs[job], planned):
                news.append(self._jobs[job])
        return news

    def _settled(
        self, found: Recovery, run: str, who: str, source: str
    ) -> Iterator[SubmitSettled]:
        """Yield what became of attempts: of a held one, or of one that was lost."""
        held: dict[JobId, AttemptId] = {}
        for known, attempt in held_attempts(self._state):
            held[known.id] = attempt.id
        for number, one in enumerate(found.tasks, start=1):
            yield SubmitSettled(
                job=one.job,
                attempt=held.pop(one.job, AttemptId(f"{run}-{number}")),
                decision="task",
                task=one.task,
                who=who,
                why=f"line {one.line} of {source}",
                credits=one.credits,
            )
