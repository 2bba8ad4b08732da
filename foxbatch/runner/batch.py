"""One run: everything that is to be done about a plan, until nothing is left."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import anyio

from foxbatch.canonical import JobId
from foxbatch.client import Accepted
from foxbatch.clock import from_text
from foxbatch.errors import ExitCode, FoxbatchError, most_urgent
from foxbatch.events import AttemptId, JobPlanned, RunEnded, TaskId
from foxbatch.forecast import Track, kind_of
from foxbatch.planner import BUYS, Action, Plan, PlannedJob
from foxbatch.runner.account import look_after, look_before
from foxbatch.runner.bench import Bench, Ending
from foxbatch.runner.canary import Canary, GoOn
from foxbatch.runner.fetch import Fetcher
from foxbatch.runner.submit import Purchase, Submitter
from foxbatch.runner.watch import Watched, Watcher
from foxbatch.state import Attempt, Phase


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended.

    Attributes:
        reason: `done`, `halted`, `interrupted`, `stop_after` or `detached`.
        exit_code: What that alone means for the shell.
        why: The reason of a halt or a pause, for people.
        accepted: Tasks that this run made.
    """

    reason: Ending
    exit_code: ExitCode
    why: str
    accepted: int


_EXIT_CODES: Mapping[Ending, ExitCode] = {
    "interrupted": ExitCode.INTERRUPTED,
    "stop_after": ExitCode.REMOTE,
}


class Batch:
    """Connects submitting, watching and fetching for one plan."""

    def __init__(
        self,
        bench: Bench,
        *,
        most: float = math.inf,
        detach: bool = False,
        stop_after_s: float = math.inf,
        go_on: GoOn | None = None,
    ) -> None:
        self._bench = bench
        self._detach = detach
        self._stop_after_s = stop_after_s
        self._submitter = Submitter(bench, self._accepted, most=most)
        self._canary = None if go_on is None else Canary(bench, self._submitter, go_on)
        self._watcher = Watcher(bench, self._finished, self._failed)
        self._fetcher = Fetcher(bench, self._ask_again)
        self._followed: set[TaskId] = set()  # tasks of earlier runs
        bench.go_on = self._go_on_with

    async def work_through(self, plan: Plan) -> Outcome:
        """Do what *plan* says and return how it ended.

        Bought tasks are adopted before anything new is submitted. When the stop
        button is pressed, or this is cancelled, every POST under way leaves a fact
        and remote tasks are left running.
        """
        bench = self._bench
        self._adopt(plan)
        purchases = [_purchase(job) for job in plan.with_action(*BUYS)]
        if self._canary is None:
            self._submitter.add(purchases)
        else:
            self._canary.add(purchases)
        if bench.nothing_open:
            bench.stop.press("done")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._watcher.work)
            tasks.start_soon(self._fetcher.work)
            tasks.start_soon(self._submitter.work)
            if self._canary is not None:
                tasks.start_soon(self._canary.work)
            if self._detach:
                tasks.start_soon(self._leave_when_submitted)
            if self._stop_after_s < math.inf:
                tasks.start_soon(self._stop_in_time)
            await bench.stop.wait()
            await self._submitter.drain()
            tasks.cancel_scope.cancel()
        if bench.error is not None:
            raise bench.error
        return self._outcome()

    def _adopt(self, plan: Plan) -> None:
        """Ask about what runs already, spread over one interval.

        What is finished goes first, and of that what vanishes first.
        """
        known = plan.with_action(Action.ADOPT, Action.DOWNLOAD)
        known.sort(key=_urgency)
        gap_s = self._bench.provider.polling.interval_s / max(1, len(known))
        for index, job in enumerate(known):
            if job.attempt is not None and job.attempt.task is not None:
                watched = self._watched_again(job.wanted, job.attempt, job.attempt.task)
                self._watcher.add(watched, in_s=index * gap_s)

    def _go_on_with(self, job: JobId) -> bool:
        """Ask about another task of a job; False where all of them were followed."""
        bench, known = self._bench, self._bench.book.state.jobs.get(job)
        if known is None or known.planned is None or bench.stop.reason:
            return False
        for attempt in known.unfinished():
            # Not by what is the last word of each: clocks may have been set back.
            task, ours = attempt.task, attempt.run == bench.book.run
            if task is not None and not ours and task not in self._followed:
                watched = self._watched_again(known.planned, attempt, task)
                self._watcher.add(watched, in_s=0.0)
                return True
        return False

    def _watched_again(
        self, wanted: JobPlanned, attempt: Attempt, task: TaskId
    ) -> Watched:
        self._followed.add(task)
        running = attempt.phase(alive=False) is Phase.RUNNING
        if running:
            self._bench.governor.in_flight.adopt()
        return Watched(
            wanted=wanted,
            attempt=attempt.id,
            task=task,
            since=self._bench.clock.monotonic(),
            unfinished_at=_unfinished_at(attempt),
            holds_slot=running,
            word=attempt.status.status if attempt.status is not None else "",
            track=self._tracked(wanted, attempt) if running else None,
        )

    def _tracked(self, wanted: JobPlanned, attempt: Attempt) -> Track:
        """Return what is foreseen of a task that an earlier run made."""
        clock, kind = self._bench.clock, kind_of(wanted.request)
        accepted = attempt.accepted
        age = clock.now() - from_text(accepted.at) if accepted else timedelta()
        age_s = max(0.0, age.total_seconds())  # clocks may differ
        return self._bench.forecast.watch(kind, clock.monotonic() - age_s)

    def _accepted(
        self, wanted: JobPlanned, attempt: AttemptId, outcome: Accepted
    ) -> None:
        watched = Watched(
            wanted=wanted,
            attempt=attempt,
            task=outcome.task,
            since=self._bench.clock.monotonic(),
            unfinished_at=self._bench.clock.now(),
        )
        if outcome.view.state == "running":
            watched.word = outcome.view.word
            estimated_s = outcome.view.estimated_s
            self._watcher.begin(watched, estimated_s=estimated_s)
        else:  # the reply to a submission may already be final
            self._watcher.take(watched, outcome.view)

    def _finished(self, watched: Watched) -> None:
        self._fetcher.add(watched)

    def _failed(self, watched: Watched, failure_class: str) -> None:
        """Buy a failed job once more where the policy says so."""
        bench = self._bench
        known = bench.book.state.jobs[watched.wanted.job]
        # Another file may know of results: then it is not to be bought again.
        failed = known.phase((bench.book.run,)) is Phase.FAILED
        wanted = bench.retry.allows(failure_class, accepted=known.accepted)
        if bench.submitting and failed and wanted:
            again = Purchase(wanted=watched.wanted, after=watched.attempt, why="retry")
            self._submitter.add([again])
        else:
            if failed:
                bench.gave_up(watched.wanted)
            bench.close(watched.wanted.job)

    def _ask_again(self, watched: Watched) -> None:
        self._watcher.add(watched, in_s=self._bench.provider.polling.interval_s)

    async def _leave_when_submitted(self) -> None:
        if self._canary is not None:
            await self._canary.decided.wait()
        await self._submitter.nothing_left()
        self._bench.stop.press("detached")

    async def _stop_in_time(self) -> None:
        await self._bench.clock.sleep(self._stop_after_s)
        self._bench.stop.press("stop_after")

    def _outcome(self) -> Outcome:
        bench = self._bench
        reason = bench.stop.reason or "done"
        codes = [bench.exit_code, _EXIT_CODES.get(reason, ExitCode.DONE)]
        if bench.halt is not None and reason == "done":
            reason = "halted"
        whys = [bench.halt.why] if bench.halt is not None else []
        if paused := bench.parked:
            codes.append(ExitCode.FAILED_JOBS)
            whys += [_paused(slice_, waiting) for slice_, waiting in paused.items()]
        why = "; ".join(whys)
        return Outcome(reason, most_urgent(*codes), why, self._submitter.accepted)


def _unfinished_at(attempt: Attempt) -> datetime:
    """Return when a bought task was last known to be going on."""
    seen = attempt.status
    running = seen is not None and seen.state == "running"
    return from_text(seen.at if seen is not None and running else attempt.since)


def _urgency(job: PlannedJob) -> tuple[str, str]:
    """Return when the results of *job* vanish; the oldest first where none are seen."""
    attempt = job.attempt
    if attempt is None:
        return "~", ""
    return attempt.results.valid_until if attempt.results else "~", attempt.since


def _paused(slice_: str, waiting: int) -> str:
    jobs = f"{waiting:,} job{'' if waiting == 1 else 's'}"
    return f"{jobs} with {slice_} not submitted, as all before them failed"


def _purchase(job: PlannedJob) -> Purchase:
    return Purchase(wanted=job.wanted, after=job.after, why=job.why)


async def run_batch(
    bench: Bench,
    plan: Plan,
    *,
    most: float = math.inf,
    detach: bool = False,
    stop_after_s: float = math.inf,
    go_on: GoOn | None = None,
) -> Outcome:
    """Do what *plan* says, and record the end of the run.

    Args:
        bench: Everything the run works with; its book has the run's start already.
        plan: What to do.
        most: How many jobs may be bought.
        detach: Whether to leave as soon as everything is submitted.
        stop_after_s: When to stop and leave the rest running, in seconds from now.
        go_on: Makes the run buy one job of each price shape first, and decides what
            becomes of the rest once their prices are known.

    Raises:
        FoxbatchError: The run could not go on; what happened until then is recorded.
    """
    try:
        batch = Batch(
            bench, most=most, detach=detach, stop_after_s=stop_after_s, go_on=go_on
        )
        await look_before(bench)
        outcome = await batch.work_through(plan)
        await look_after(bench)
    except anyio.get_cancelled_exc_class():
        # Told to stop at once. What was under way has left its facts.
        _say_goodbye(bench, plan, bench.stop.reason or "interrupted")
        raise
    except ExceptionGroup as group:
        expected, others = group.split(FoxbatchError)
        if expected is None or others is not None:
            raise
        raise _with_unrecorded(_telling(expected), bench) from group
    _say_goodbye(bench, plan, outcome.reason)
    return outcome


def _say_goodbye(bench: Bench, plan: Plan, why: Ending) -> None:
    counts = Counter(bench.book.phase(job.id) for job in plan.jobs)
    ended = RunEnded(why=why, counts={str(p): n for p, n in counts.items()})
    bench.book.record(ended, durable=True)


def _with_unrecorded(error: FoxbatchError, bench: Bench) -> FoxbatchError:
    """Return *error* with the tasks that exist and that only this process knows."""
    if bench.unrecorded:
        tasks = "; ".join(
            f"accepted job={job} task={task}" for job, task in bench.unrecorded
        )
        error.hint = (
            "When the ledger can be written again, put these lines, which it does not "
            f"have, in a file for foxbatch recover --from-log: {tasks}"
        )
    return error


def _telling(group: ExceptionGroup[FoxbatchError]) -> FoxbatchError:
    """Return the error that tells most.

    Several tasks may stumble over one full disk. Only the first one met the disk
    itself; the others were told that it had failed before.
    """
    errors = list(_leaves(group))
    caused = (error for error in errors if error.__cause__ is not None)
    return next(caused, errors[0])


def _leaves(group: ExceptionGroup[FoxbatchError]) -> Iterator[FoxbatchError]:
    for error in group.exceptions:
        if isinstance(error, ExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
