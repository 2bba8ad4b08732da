"""Asks running tasks how they are, from one schedule for all of them.

When to, the forecast says. A task costs a heap entry while it waits and an anyio task
only while a request is under way. Nothing that goes wrong here changes what is known
about a job.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import anyio

from foxbatch.client import (
    PollDenied,
    PollTrouble,
    TaskError,
    TaskMissing,
    TaskSeen,
    TaskView,
)
from foxbatch.clock import to_text
from foxbatch.errors import ExitCode
from foxbatch.events import (
    AttemptId,
    Event,
    JobFailed,
    JobPlanned,
    ResultsSeen,
    StatusSeen,
    TaskId,
    WatchEnded,
)
from foxbatch.forecast import Track, kind_of
from foxbatch.governor import REQUESTS_AT_ONCE
from foxbatch.runner.bench import Bench
from foxbatch.runner.gate import Halt, complaint_of

WORTH_ANOTHER = frozenset({"capacity", "timeout", "service"})
"""Failure classes that say nothing against the request itself."""


@dataclass(slots=True, kw_only=True)
class Watched:
    """One task that is not finished, or whose results are to be asked for again.

    Attributes:
        wanted: The job.
        attempt: The attempt that made the task.
        task: Its id.
        since: Monotonic time at which this run began to watch it.
        unfinished_at: When it was last known not to be finished.
        track: What the forecast knows of it; None where its end is past.
        holds_slot: Whether it counts as in flight.
        word: The last status word that was recorded.
        plain: Whether to ask the next time without making the service look upstream.
        faults: Polls in a row without an answer.
        misses: Answers in a row that the task does not exist.
        missed_at: Monotonic time of the last of them.
        asked_again: How often its results had to be asked for once more.
        asked_last: Whether it was asked after patience had ended.
    """

    wanted: JobPlanned
    attempt: AttemptId
    task: TaskId
    since: float
    unfinished_at: datetime
    track: Track | None = None
    holds_slot: bool = True
    word: str = ""
    plain: bool = False
    faults: int = 0
    misses: int = 0
    missed_at: float = -math.inf
    asked_again: int = 0
    asked_last: bool = False


def facts_of(
    watched: Watched, view: TaskView, *, valid_until: str
) -> tuple[Event, ...]:
    """Return what is new in *view*, as facts: nothing where nothing changed."""
    if view.state == "running" and view.word == watched.word:
        return ()
    job, attempt = watched.wanted.job, watched.attempt
    status = StatusSeen(
        job=job,
        attempt=attempt,
        status=view.word,
        state=view.state,
        known=view.known,
        queued=view.queued,
        progress=view.progress,
        credits=view.credits,
        reply=view.raw if view.state != "running" else "",
    )
    match view.state:
        case "running":
            return (status,)
        case "completed":
            results = ResultsSeen(
                job=job,
                attempt=attempt,
                items=view.results,
                valid_until=valid_until,
                reported_model=view.reported_model,
                extras=dict(view.extras),
            )
            return status, results
        case "failed":
            error = view.error or TaskError("unknown", "", "")
            failed = JobFailed(
                job=job,
                attempt=attempt,
                error_class=error.error_class,
                code=error.code,
                message=error.message,
                retryable=error.error_class in WORTH_ANOTHER,
                credits=view.credits,
            )
            return status, failed


class Watcher:
    """Polls every task until it is final, gone, or this run's patience ends.

    Args:
        bench: What the run shares.
        on_results: Told about each task whose results are there.
        on_failed: Told about each task that failed, with the class of the failure.
    """

    def __init__(
        self,
        bench: Bench,
        on_results: Callable[[Watched], None],
        on_failed: Callable[[Watched, str], None],
    ) -> None:
        self._bench = bench
        self._on_results = on_results
        self._on_failed = on_failed
        self._schedule: list[tuple[float, int, Watched]] = []
        self._ties = itertools.count()
        self._changed = anyio.Event()
        self._room = anyio.Semaphore(REQUESTS_AT_ONCE)

    def begin(self, watched: Watched, *, estimated_s: float | None) -> None:
        """Ask about a new task when it is worth it, and then until it is final.

        Args:
            watched: The task.
            estimated_s: How long it will take in the service's opinion.
        """
        forecast, kind = self._bench.forecast, kind_of(watched.wanted.request)
        watched.track = forecast.watch(kind, watched.since, estimated_s)
        self.add(watched, in_s=forecast.wait_s(watched.track, watched.since))

    def add(self, watched: Watched, *, in_s: float) -> None:
        """Ask about a task in *in_s* seconds, and then until it is final."""
        self._bench.open(watched.wanted.job)
        now, ends = (
            self._bench.clock.monotonic(),
            watched.since + self._bench.poll.wait_s,
        )
        # Old tasks are asked rarely: patience may end long before the next question.
        due = min(now + in_s, max(now, ends))
        heapq.heappush(self._schedule, (due, next(self._ties), watched))
        self._changed.set()
        self._changed = anyio.Event()

    def take(self, watched: Watched, view: TaskView) -> None:
        """Record what an answer says, and do what follows from it."""
        bench = self._bench
        facts = facts_of(watched, view, valid_until=self._valid_until(watched))
        if facts:
            # Where results are can be asked again; a failure may be bought again.
            bench.book.record(*facts, durable=view.state == "failed")
        watched.word, watched.plain = view.word, view.empty and not watched.plain
        watched.faults = watched.misses = 0
        match view.state:
            case "running":
                if not view.empty:
                    watched.unfinished_at = bench.clock.now()
                if not watched.holds_slot and not view.empty:
                    # It was overdue, and turns out to be running: it counts again.
                    watched.holds_slot = True
                    bench.governor.in_flight.adopt()
                self.add(watched, in_s=self._wait_s(watched, view))
            case "completed":
                self._ended(watched)
                self._free(watched)
                self._on_results(watched)
            case "failed":
                # It may have failed early: that says nothing about the others.
                self._leave(watched)
                self._free(watched)
                failure = view.error.error_class if view.error else "unknown"
                self._on_failed(watched, failure)

    def _wait_s(self, watched: Watched, view: TaskView) -> float:
        """Return when to ask again about a task that runs, in seconds."""
        bench, track = self._bench, watched.track
        if track is None or view.empty:  # it has ended, and its results are not there
            self._ended(watched)
            return bench.provider.polling.interval_s
        now = bench.clock.monotonic()
        bench.forecast.seen(track, now, view.progress)
        return bench.forecast.wait_s(track, now)

    def _ended(self, watched: Watched) -> None:
        if watched.track is not None:
            self._bench.forecast.ended(watched.track, self._bench.clock.monotonic())
            watched.track = None

    def _leave(self, watched: Watched) -> None:
        if watched.track is not None:
            self._bench.forecast.leave(watched.track)
            watched.track = None

    def _valid_until(self, watched: Watched) -> str:
        """Return until when results are surely kept; asking again prolongs nothing.

        The service does not say when a task was finished, and it may have been soon
        after it was last seen running: what was left alone overnight is in danger.
        """
        known = self._bench.book.state.jobs[watched.wanted.job]
        results = known.attempts[watched.attempt].results
        if results is not None:
            return results.valid_until
        lifetime = timedelta(seconds=self._bench.provider.polling.results_last_s)
        return to_text(watched.unfinished_at + lifetime)

    async def work(self) -> None:
        """Poll until cancelled; a cancelled poll leaves nothing behind."""
        async with anyio.create_task_group() as tasks:
            while True:
                now = self._bench.clock.monotonic()
                due = self._schedule[0][0] if self._schedule else math.inf
                if due > now:
                    with anyio.move_on_after(due - now):
                        await self._changed.wait()
                    continue
                # Where questions pile up the heap keeps them, the most overdue first.
                await self._room.acquire()
                due, _, watched = heapq.heappop(self._schedule)
                tasks.start_soon(self._ask_with_room, watched, due)

    async def _ask_with_room(self, watched: Watched, due: float) -> None:
        try:
            await self._ask(watched, due)
        finally:
            self._room.release()

    async def _ask(self, watched: Watched, due: float) -> None:
        bench = self._bench
        # By when it was due: a machine that slept for hours asks late, once, before
        # it gives up.
        watched_s = due - watched.since
        # Whoever answered with nothing is asked plainly first, once: with little
        # patience every run would end before that question.
        asks_plainly = watched.plain and not watched.faults
        if watched_s >= bench.poll.wait_s and not asks_plainly:
            if watched.asked_last:
                self._end(watched, "patience")
                return
            # Nothing is given up unasked: patience may be shorter than the forecast.
            watched.asked_last = True
        async with bench.governor.request() as begin:
            begin()
            began = bench.clock.monotonic()
            outcome = await bench.client.poll(watched.task, sync=not watched.plain)
        match outcome:
            case TaskSeen(view=view):
                bench.gate.reached()
                bench.governor.answered(began=began)
                self.take(watched, view)
            case TaskMissing():
                bench.gate.reached()
                bench.governor.answered(began=began)
                self._missed(watched)
            case PollTrouble():
                self._trouble(watched, outcome, began=began)
            case PollDenied():
                said = f"HTTP {outcome.status}: {outcome.message or outcome.code}"
                why = f"the service refuses to say how tasks are ({said.rstrip(': ')})"
                bench.halt_everything(Halt(why, ExitCode.REFUSED))

    def _missed(self, watched: Watched) -> None:
        """Count a 404, unless it comes too soon after the last one to mean more."""
        polling, now = self._bench.provider.polling, self._bench.clock.monotonic()
        if now - watched.missed_at >= polling.missing_gap_s:
            watched.misses += 1
            watched.missed_at = now
        if watched.misses >= polling.misses:
            self._end(watched, "not_found")
        else:
            self.add(watched, in_s=polling.interval_s)

    def _trouble(self, watched: Watched, outcome: PollTrouble, *, began: float) -> None:
        bench = self._bench
        watched.faults += 1
        delay_s = bench.retry.delay_s(watched.faults, bench.rng)
        asked_s = bench.retry.retry_after_s(outcome.retry_after, bench.clock.now())
        delay_s = max(delay_s, asked_s or 0.0, bench.provider.polling.interval_s)
        complaint = complaint_of(outcome.status, outcome.error_class)
        if complaint != "other":  # a fault of a question about one task is no pace
            bench.governor.refused("rate", began=began, asked_s=asked_s, running=0)
        # An answer that helps nobody is an answer: the service is there, and busy.
        now, answered = bench.clock.monotonic(), outcome.status is not None
        halt = bench.gate.trouble(now, busy=answered)
        if halt is not None:
            bench.halt_everything(halt)
        self.add(watched, in_s=delay_s)

    def _end(self, watched: Watched, why: str) -> None:
        """Stop watching; the next run asks again by id."""
        watched_s = round(self._bench.clock.monotonic() - watched.since, 3)
        ended = WatchEnded(
            job=watched.wanted.job,
            attempt=watched.attempt,
            watched_s=watched_s,
            why=why,
        )
        self._bench.book.record(ended)
        self._leave(watched)
        self._free(watched)
        self._bench.close(watched.wanted.job)

    def _free(self, watched: Watched) -> None:
        """Give the slot back: what is not running remotely holds none."""
        if watched.holds_slot:
            watched.holds_slot = False
            self._bench.governor.in_flight.release()
