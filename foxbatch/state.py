"""What is known about jobs: all facts of all files together.

Theory of operation
-------------------

Files of several runs, machines and branches are combined, and nothing orders them but
clocks, which lie. So the combination is a join: every field of `Attempt` and `JobState`
only ever grows in a fixed order (a rank, or the latest of (at, run, seq)). Joins are
commutative, associative and idempotent: facts may come in any order and more than once.

Whether each fact may happen when it does is another question, and not asked here
(`lifecycle`). What a job is said to be, its phase, is read off its attempts. Two
attempts that name one task are one purchase, told twice.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import TypeAlias, TypeVar

import msgspec

from foxbatch.canonical import JobId
from foxbatch.errors import TransitionError
from foxbatch.events import (
    EXPIRED,
    AccountSeen,
    ArtifactStored,
    AttemptFact,
    AttemptId,
    BatchHalted,
    Event,
    Fact,
    JobFailed,
    JobPlanned,
    JobSucceeded,
    ResultsSeen,
    RunEnded,
    RunId,
    RunStarted,
    StatusSeen,
    SubmitAccepted,
    SubmitIntended,
    SubmitRefused,
    SubmitSettled,
    SubmitUnknown,
    TaskId,
    WatchEnded,
    amount_in,
    word,
)


class Phase(StrEnum):
    """Where a job stands. The same words everywhere a person looks."""

    NEW = "new"
    SUBMITTING = "submitting"
    HELD = "held"
    RUNNING = "running"
    OVERDUE = "overdue"
    DOWNLOADING = "downloading"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


class Submission(IntEnum):
    """How much is known about a submission; more knowledge is a higher number."""

    NONE = 0
    INTENDED = 1
    REFUSED = 2
    UNKNOWN = 3
    WRITTEN_OFF = 4
    BUY_AGAIN = 5
    TASK_SETTLED = 6
    ACCEPTED = 7


class Remote(IntEnum):
    """How far the service got, as far as is known."""

    RUNNING = 0
    FAILED = 1
    COMPLETED = 2


_DECIDED: Mapping[str, Submission] = {
    "task": Submission.TASK_SETTLED,
    "buy_again": Submission.BUY_AGAIN,
    "write_off": Submission.WRITTEN_OFF,
}

Key: TypeAlias = tuple[str, RunId, int]
"""(at, run, seq): the order of "latest" across files. Unique for each fact."""


def key_of(event: Fact) -> Key:
    """Return the place of *event* in the order of all facts."""
    return event.at, event.run, event.seq


@dataclass(slots=True)
class Attempt:
    """All that is known about one attempt: a join of facts.

    What the service answered, word for word, stays in the file, unless a person has to
    decide by it (`unknown`): it is as long as all the rest, for every job of a run.

    The optional facts hold the latest one of their kind by (at, run, seq), except
    `accepted` and `settled`, where the earliest stands, and `failed`, where the word
    that results have expired outranks what the service said. `running` is the earliest
    status that means that the service works on it. `heard_at` is when the last of them
    happened.
    """

    id: AttemptId
    job: JobId
    submission: Submission = Submission.NONE
    remote: Remote = Remote.RUNNING
    intended: SubmitIntended | None = None
    accepted: SubmitAccepted | None = None
    refused: SubmitRefused | None = None
    unknown: SubmitUnknown | None = None
    settled: SubmitSettled | None = None
    status: StatusSeen | None = None
    running: StatusSeen | None = None
    results: ResultsSeen | None = None
    failed: JobFailed | None = None
    succeeded: JobSucceeded | None = None
    artifacts: dict[int, ArtifactStored] = field(default_factory=dict)
    watch: AttemptFact | None = None
    heard_at: str = ""

    @property
    def run(self) -> RunId:
        """The run that decided to make it."""
        return RunId(self.id.rpartition("-")[0])

    @property
    def task(self) -> TaskId | None:
        """The remote task, where one is known."""
        if self.accepted is not None:
            return self.accepted.task
        if self.settled is not None and self.settled.decision == "task":
            return self.settled.task
        return None

    @property
    def since(self) -> str:
        """When it was intended, or else first heard of."""
        first = self.intended or self.accepted or self.settled or self.watch
        return first.at if first is not None else ""

    @property
    def bought_in(self) -> str:
        """The other run directory that paid for it; empty where this one did."""
        if self.settled is None or self.intended or self.accepted or self.unknown:
            return ""
        return self.settled.bought_in

    @property
    def credits(self) -> float | None:
        """What was reserved or charged, as last reported, in the service's unit.

        None also where another run directory paid: nothing is counted twice.
        """
        if self.bought_in:
            return None
        said = (self.succeeded, self.failed, self.status, self.accepted, self.settled)
        amounts = (amount_in(fact.credits) for fact in said if fact is not None)
        return next((one for one in amounts if one is not None), None)

    @property
    def overdue(self) -> bool:
        """Whether the last thing that happened is that patience ended."""
        return isinstance(self.watch, WatchEnded)

    @property
    def counts_as_bought(self) -> bool:
        """Whether it was paid for here, or may have been."""
        bought = self.submission not in (Submission.NONE, Submission.REFUSED)
        return bought and not self.bought_in

    @property
    def lost(self) -> bool:
        """Whether nothing will come of it.

        Where one file says failed and another one completed, there are results to
        fetch: only who saw them can say that they are gone.
        """
        failed, results = self.failed, self.results
        if failed is None or results is None or failed.error_class == EXPIRED:
            return failed is not None
        return failed.run == results.run and failed.seq > results.seq

    def phase(self, *, alive: bool) -> Phase:
        """Return what this attempt makes of its job.

        Args:
            alive: Whether the run that made it is still going on.
        """
        if self.succeeded is not None:
            return Phase.DONE
        if self.lost or self.submission is Submission.WRITTEN_OFF:
            return Phase.FAILED
        if self.submission >= Submission.TASK_SETTLED:
            if self.remote is Remote.COMPLETED:
                return Phase.DOWNLOADING
            return Phase.OVERDUE if self.overdue else Phase.RUNNING
        if self.submission is Submission.INTENDED and alive:
            return Phase.SUBMITTING
        if self.submission in (Submission.INTENDED, Submission.UNKNOWN):
            return Phase.HELD
        return Phase.NEW

    def join(self, event: Event) -> None:
        """Add one fact. The order in which facts come does not matter."""
        self.heard_at = max(self.heard_at, event.at)
        event = _less_reply(event)
        match event:
            case SubmitIntended():
                self.intended = _later(self.intended, event)
                self._rise(Submission.INTENDED)
            case SubmitRefused():
                self.refused = _later(self.refused, event)
                self._rise(Submission.REFUSED)
            case SubmitUnknown():
                self.unknown = _later(self.unknown, event)
                self._rise(Submission.UNKNOWN)
            case SubmitSettled():
                self._settle(event)
            case SubmitAccepted():
                self.accepted = _earlier(self.accepted, event)
                self.watch = _later(self.watch, event)
                self._rise(Submission.ACCEPTED)
            case StatusSeen() | WatchEnded() | ResultsSeen():
                self._watch(event)
            case ArtifactStored():
                known = self.artifacts.get(event.item)
                self.artifacts[event.item] = _later(known, event)
            case JobFailed():
                self._fail(event)
            case JobSucceeded():
                self.succeeded = _later(self.succeeded, event)
            case _:  # facts about runs and plans are the batch's
                raise TransitionError(f"{word(event)} is not about an attempt")

    def _rise(self, submission: Submission) -> None:
        self.submission = max(self.submission, submission)

    def _settle(self, event: SubmitSettled) -> None:
        # Two people may decide differently in two files: the stronger knowledge
        # wins, and among equals the first word stands.
        rank = _DECIDED[event.decision]
        self._rise(rank)
        if self.settled is not None:
            known = _DECIDED[self.settled.decision]
            if known > rank:
                return
            if known == rank:
                event = _earlier(self.settled, event)
        self.settled = event

    def _fail(self, event: JobFailed) -> None:
        known = self.failed
        expired = event.error_class == EXPIRED
        if known is None or expired is (known.error_class == EXPIRED):
            self.failed = _later(known, event)
        elif expired:
            self.failed = event

    def _watch(self, event: StatusSeen | WatchEnded | ResultsSeen) -> None:
        # There is a task. Where the file that says which is missing, the attempt is
        # held: as a new one it would be bought twice.
        self._rise(Submission.UNKNOWN)
        if isinstance(event, ResultsSeen):
            self.results = _later(self.results, event)
            self.remote = Remote.COMPLETED
            return
        self.watch = _later(self.watch, event)
        if isinstance(event, StatusSeen):
            self.status = _later(self.status, event)
            if event.state == "running" and not event.queued:
                self.running = _earlier(self.running, event)
            if event.state == "failed":
                self.remote = max(self.remote, Remote.FAILED)


FactT = TypeVar("FactT", bound=Fact)


def _less_reply(event: Event) -> Event:
    if not isinstance(event, SubmitAccepted | SubmitRefused | StatusSeen):
        return event
    return msgspec.structs.replace(event, reply="") if event.reply else event


def _later(known: FactT | None, event: FactT) -> FactT:
    return event if known is None or key_of(known) < key_of(event) else known


def _earlier(known: FactT | None, event: FactT) -> FactT:
    return event if known is None or key_of(event) < key_of(known) else known


# Where several attempts say different things, the first of these is the job's.
_PRECEDENCE = (
    Phase.DONE,
    Phase.DOWNLOADING,
    Phase.SUBMITTING,
    Phase.RUNNING,
    Phase.OVERDUE,
    Phase.HELD,
)


@dataclass(slots=True)
class JobState:
    """All that is known about one job."""

    id: JobId
    planned: JobPlanned | None = None
    attempts: dict[AttemptId, Attempt] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What people call it; its id where no plan is known."""
        return self.planned.name if self.planned is not None else self.id

    def in_order(self) -> list[Attempt]:
        """Return the attempts, oldest first."""
        return sorted(self.attempts.values(), key=lambda a: (a.since, a.id))

    def phase(self, live: Container[RunId] = ()) -> Phase:
        """Return where the job stands.

        Args:
            live: Runs whose process is still going on.
        """
        return self.leading(live)[0]

    def leading(self, live: Container[RunId] = ()) -> tuple[Phase, Attempt | None]:
        """Return where the job stands, and the attempt that makes it so."""
        phases = {a.id: a.phase(alive=a.run in live) for a in self.in_order()}
        for phase in _PRECEDENCE:
            for attempt, said in phases.items():
                if said is phase:
                    return phase, self.attempts[attempt]
        # A refused attempt decides nothing; of the others the last one does, so
        # that "buy again" after a failure makes the job new.
        nothing = (Submission.NONE, Submission.REFUSED)
        deciding = [
            a for a in self.in_order() if a.failed or a.submission not in nothing
        ]
        # Nor does one that was repeated: clocks may have been set back in between,
        # and one "buy again" must not be obeyed twice.
        repeated = {a.intended.after for a in deciding if a.intended is not None}
        if deciding:
            last = ([a for a in deciding if a.id not in repeated] or deciding)[-1]
            return phases[last.id], last
        return Phase.NEW, None

    @property
    def accepted(self) -> int:
        """How many attempts became tasks."""
        return sum(
            attempt.submission >= Submission.TASK_SETTLED
            for attempt in self.attempts.values()
        )

    def unfinished(self) -> list[Attempt]:
        """Return the attempts whose tasks may still give something, oldest first.

        There are several where a job was bought twice, or where a log is all that is
        left of a repetition. A task that two attempts name is one.
        """
        ended = (Phase.DONE, Phase.FAILED)
        over = {a.task for a in self.attempts.values() if a.phase(alive=False) in ended}
        found: dict[TaskId, Attempt] = {}
        for attempt in self.in_order():
            if attempt.task is not None and attempt.task not in over:
                found.setdefault(attempt.task, attempt)
        return list(found.values())

    def unexplained_purchases(self) -> list[Attempt]:
        """Return accepted attempts when more than one is no recorded repetition.

        Two runs that did not know of each other bought the same thing. One task that
        two attempts name is one purchase.
        """
        by_task: dict[TaskId, list[Attempt]] = {}
        for attempt in self.in_order():
            if attempt.task is not None:
                by_task.setdefault(attempt.task, []).append(attempt)
        first_takes = [
            same[0]
            for same in by_task.values()
            if not any(one.intended and one.intended.after for one in same)
        ]
        return first_takes if len(first_takes) > 1 else []


@dataclass(slots=True)
class Run:
    """All that is known about one process run.

    `account_before` and `account_after` are the first and the last look at the account.
    """

    id: RunId
    started: RunStarted | None = None
    ended: RunEnded | None = None
    halted: BatchHalted | None = None
    account_before: AccountSeen | None = None
    account_after: AccountSeen | None = None


@dataclass(slots=True)
class BatchState:
    """What a ledger says, all files together.

    Attributes:
        jobs: Everything that was ever planned or bought.
        runs: Every process run.
        tasks: Which attempt each remote task was ever said to belong to.
    """

    jobs: dict[JobId, JobState] = field(default_factory=dict)
    tasks: dict[TaskId, AttemptId] = field(default_factory=dict)
    runs: dict[RunId, Run] = field(default_factory=dict)

    def join(self, event: Event) -> None:
        """Add one fact. Any order, and the same fact twice, give the same state."""
        match event:  # the most frequent first: a ledger may hold a million
            case AttemptFact():
                attempts = self._job(event.job).attempts
                attempt = attempts.get(event.attempt)
                if attempt is None:
                    attempt = attempts[event.attempt] = Attempt(
                        event.attempt, event.job
                    )
                attempt.join(event)
                if isinstance(event, SubmitAccepted | SubmitSettled) and event.task:
                    # Of the fact, not of the attempt: what an attempt is known to be
                    # changes, and would depend on the order of facts.
                    owner = self.tasks.get(event.task, attempt.id)
                    self.tasks[event.task] = min(owner, attempt.id)
            case JobPlanned():
                state = self._job(event.job)
                state.planned = _later(state.planned, event)
            case _:
                self._join_run(event)

    def _join_run(
        self, event: RunStarted | RunEnded | BatchHalted | AccountSeen
    ) -> None:
        run = self.runs.setdefault(event.run, Run(event.run))
        match event:
            case RunStarted():
                run.started = _later(run.started, event)
            case RunEnded():
                run.ended = _later(run.ended, event)
            case AccountSeen():
                run.account_before = _earlier(run.account_before, event)
                run.account_after = _later(run.account_after, event)
            case _:
                run.halted = _later(run.halted, event)

    def _job(self, job: JobId) -> JobState:
        state = self.jobs.get(job)
        if state is None:
            state = self.jobs[job] = JobState(job)
        return state

    def phase(self, job: JobId, live: Container[RunId] = ()) -> Phase:
        """Return where *job* stands; one that nothing is known about is new."""
        state = self.jobs.get(job)
        return Phase.NEW if state is None else state.phase(live)

    def bought(self) -> int:
        """Return how many attempts were paid for, or may have been."""
        return sum(
            attempt.counts_as_bought
            for job in self.jobs.values()
            for attempt in job.attempts.values()
        )


def fold(facts: Iterable[Event]) -> BatchState:
    """Return what *facts* say together."""
    state = BatchState()
    for fact in facts:
        state.join(fact)
    return state
