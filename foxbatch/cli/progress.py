"""What a run looks like from outside, as numbers: facts in, counts and rates out."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from foxbatch.canonical import JobId
from foxbatch.cli.standstill import Obstacle, Standstill
from foxbatch.events import (
    ArtifactStored,
    AttemptId,
    Event,
    JobFact,
    JobFailed,
    JobPlanned,
    JobSucceeded,
    ResultsSeen,
    StatusSeen,
    SubmitAccepted,
    SubmitIntended,
    SubmitRefused,
    SubmitUnknown,
    WatchEnded,
)
from foxbatch.pace import Ceiling, PaceChange
from foxbatch.planner import BUYS, Action, PlannedJob
from foxbatch.state import Phase

if TYPE_CHECKING:
    from foxbatch.api import Beginning

_RATED_OVER = 30  # finished jobs: enough to be calm, few enough to notice a change
_SETTLED = frozenset(
    {Phase.DONE, Phase.FAILED, Phase.HELD, Phase.OVERDUE, Phase.SKIPPED}
)
_PHASES_AFTER: dict[type[JobFact], Phase] = {
    SubmitIntended: Phase.SUBMITTING,
    SubmitAccepted: Phase.RUNNING,
    SubmitRefused: Phase.NEW,
    SubmitUnknown: Phase.HELD,
    ResultsSeen: Phase.DOWNLOADING,
    JobSucceeded: Phase.DONE,
    JobFailed: Phase.FAILED,
}


@dataclass(frozen=True, slots=True)
class Remark:
    """Something about one job that a person should know."""

    label: str
    text: str


class Progress:
    """Counts what happens in one run. Plain arithmetic on the times it is given.

    Attributes:
        phases: Where each job stands that this run is about.
        failures: Why jobs failed, in the order in which it happened.
        held: Why the fate of jobs is unknown.
        submitted: Tasks that this run made.
        refused: The latest refusal that was not about one job alone.
        files: Files that this run stored.
        bytes: Their size together.
        pace: The last change of each limit that adapts.
    """

    def __init__(self, beginning: Beginning, now: float) -> None:
        self.beginning = beginning
        self.phases: dict[JobId, Phase] = {}
        self._counts: Counter[Phase] = Counter()
        self.failures: dict[JobId, Remark] = {}
        self.held: dict[JobId, Remark] = {}
        self.submitted = 0
        self.refused: SubmitRefused | None = None
        self.files = 0
        self.bytes = 0
        self.pace: dict[Ceiling, PaceChange] = {}
        self._labels: dict[JobId, str] = {}
        self._credits: dict[AttemptId, float | None] = {}  # of what is not over
        self._spent: Decimal | None = None  # for all that is
        self._finished: deque[float] = deque(maxlen=_RATED_OVER)
        self._standstill = Standstill()
        self._began = now
        for job in beginning.plan.jobs:
            self._enter(job)

    def _enter(self, job: PlannedJob) -> None:
        self._labels[job.id] = label_of(job.wanted)
        if job.action is Action.ORPHAN or job.phase is Phase.SKIPPED:
            return
        self._move(job.id, Phase.NEW if job.action in BUYS else job.phase)
        if job.action is Action.SETTLE:
            self.held[job.id] = Remark(self.label(job.id), job.reason)
        elif self.phases[job.id] is Phase.FAILED:
            self.failures[job.id] = Remark(self.label(job.id), job.reason)

    def _move(self, job: JobId, phase: Phase) -> None:
        """Note where a job stands now. Counted here: frames are drawn often."""
        before = self.phases.get(job)
        if before is not None:
            self._counts[before] -= 1
        self.phases[job] = phase
        self._counts[phase] += 1

    def take(self, fact: Event, now: float) -> None:
        """Count one more fact that happened at *now*, in monotonic seconds."""
        self._remark(fact)
        self._price(fact)
        self._standstill.take(fact, now)
        match fact:
            case SubmitAccepted():
                self.submitted += 1
            case SubmitRefused(retryable=True):
                self.refused = fact
            case ArtifactStored():
                self.files += 1
                self.bytes += fact.bytes
            case JobSucceeded() | JobFailed():
                self._finished.append(now)
            case _:
                pass
        if isinstance(fact, JobFact) and not isinstance(fact, JobPlanned):
            self._move(fact.job, self._phase_after(fact))

    def _price(self, fact: Event) -> None:
        """Keep the last known price of what this run itself bought."""
        match fact:
            case SubmitAccepted():
                self._credits[fact.attempt] = fact.credits
            case StatusSeen() | JobSucceeded() | JobFailed():
                if fact.credits is not None and fact.attempt in self._credits:
                    self._credits[fact.attempt] = fact.credits
                if not isinstance(fact, StatusSeen):
                    price = self._credits.pop(fact.attempt, None)
                    self._spent = _plus(self._spent, price)
            case _:
                pass

    def _remark(self, fact: Event) -> None:
        match fact:
            case SubmitIntended() | JobSucceeded():
                self.failures.pop(fact.job, None)
            case SubmitUnknown():
                self.held[fact.job] = Remark(self.label(fact.job), fact.why)
            case JobFailed() if self.phases.get(fact.job) is not Phase.DONE:
                said = fact.message or fact.code or "no reason was given"
                text = f"{fact.error_class}: {said}"
                self.failures[fact.job] = Remark(self.label(fact.job), text)
            case _:
                pass

    def _phase_after(self, fact: JobFact) -> Phase:
        known = self.phases.get(fact.job, Phase.NEW)
        match fact:
            case _ if known is Phase.DONE:  # bought twice: the other task goes on
                return known
            case StatusSeen() if known is Phase.OVERDUE:
                return Phase.RUNNING
            case WatchEnded() if known is not Phase.DOWNLOADING:
                return Phase.OVERDUE
            case _:
                return _PHASES_AFTER.get(type(fact), known)

    def label(self, job: JobId) -> str:
        """Return what people call *job*."""
        return self._labels.get(job, job)

    @property
    def counts(self) -> Counter[Phase]:
        """Jobs by phase."""
        return +self._counts

    @property
    def tally(self) -> dict[str, int]:
        """Jobs by the word for their phase."""
        return {phase.value: number for phase, number in self.counts.items()}

    @property
    def total(self) -> int:
        """Jobs that this run is about."""
        return len(self.phases)

    @property
    def settled(self) -> int:
        """Jobs that this run has nothing more to do about."""
        return sum(self._counts[phase] for phase in _SETTLED)

    @property
    def in_flight(self) -> int:
        """Remote tasks, those being submitted included."""
        counts = self.counts
        return counts[Phase.SUBMITTING] + counts[Phase.RUNNING]

    def obstacle(self, now: float) -> Obstacle | None:
        """Return what keeps waiting jobs from being bought; None where none wait."""
        counts = self.counts
        if not counts[Phase.NEW] + counts[Phase.SUBMITTING]:
            return None
        return self._standstill.obstacle(now)

    @property
    def credits(self) -> float | None:
        """What this run reserved or was charged, as far as the service says."""
        known = self._spent
        for price in self._credits.values():
            known = _plus(known, price)
        return None if known is None else float(known)

    def elapsed_s(self, now: float) -> float:
        """Return how long the run has been going on, in seconds."""
        return now - self._began

    def per_minute(self, now: float) -> float | None:
        """Return how many jobs finish per minute of late; None before the first."""
        full = len(self._finished) == _RATED_OVER
        if not self._finished:
            return None
        since = self._finished[0] if full else self._began
        counted = len(self._finished) - full
        return 60 * counted / max(now - since, 1e-3)

    def left_s(self, now: float) -> float | None:
        """Return how long the rest will take at this rate, in seconds, if known."""
        rate = self.per_minute(now)
        left = self.total - self.settled
        return 60 * left / rate if rate and left else None


def _plus(known: Decimal | None, price: float | None) -> Decimal | None:
    """Add a price as people would; what nobody knows changes nothing."""
    return known if price is None else (known or 0) + Decimal(repr(price))


def label_of(wanted: JobPlanned) -> str:
    """Return what people call a job: its spec and its name."""
    return f"{wanted.spec}/{wanted.name}"
