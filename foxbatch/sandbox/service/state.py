"""Everything the pretend service remembers."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from foxbatch.sandbox.messages import (
    FaultFired,
    Json,
    Record,
    Task,
    Upload,
    UploadRemoved,
)
from foxbatch.sandbox.options import SandboxOptions
from foxbatch.sandbox.service import catalogue, story
from foxbatch.sandbox.service.accounts import Account

if TYPE_CHECKING:
    from foxbatch.sandbox.faults import FaultState

_RECENT = 200
_TRIES_AFTER_S = (0.0, 1.0, 2.0, 4.0)  # a report, and three more if nobody took it


@dataclass(frozen=True, slots=True, order=True)
class Callback:
    """A report of the end of a task, that is due."""

    due_at: float
    task: str
    nth: int  # from 0; of the reports that this task gets if somebody takes them
    attempt: int  # from 0


@dataclass(slots=True)
class Sandbox:
    """The state of the service; changed only by the functions of this package.

    Attributes:
        started_at: Unix time at which this process began to serve.
        takes: How many tasks were made for each request digest.
        requests: How often each route gave each status.
        hits: How often each rule of the fault plan did something.
        shaped: Name of the rule that shaped the creation of a task, by its id.
        ended: How many tasks ended, by the word for how, as far as they are noted.
        looks: How many queries saw a completed task empty, for tasks that want it.
        log: The last requests, each as /sandbox/recent shows it.
        base_url: How the last of them reached the sandbox.
    """

    options: SandboxOptions = field(default_factory=SandboxOptions)
    started_at: float = 0.0
    tasks: dict[str, Task] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)  # by id, oldest first
    takes: Counter[str] = field(default_factory=Counter)
    accounts: dict[str, Account] = field(default_factory=dict)
    requests: defaultdict[str, Counter[str]] = field(
        default_factory=lambda: defaultdict(Counter)
    )
    hits: Counter[str] = field(default_factory=Counter)
    shaped: dict[str, str] = field(default_factory=dict)
    ended: Counter[str] = field(default_factory=Counter)
    looks: dict[str, int] = field(default_factory=dict)
    log: deque[dict[str, Json]] = field(default_factory=lambda: deque(maxlen=_RECENT))
    logged: int = 0
    base_url: str = "http://sandbox.invalid"
    in_flight_peak: int = 0
    callbacks: list[Callback] = field(default_factory=list)  # a heap
    reported: Counter[str] = field(default_factory=Counter)  # callbacks by how it went
    faults: FaultState | None = None
    _ends: list[tuple[float, str]] = field(default_factory=list)  # heap: unfinished
    _free_at: list[float] = field(default_factory=list)  # heap: one for each worker

    def __post_init__(self) -> None:
        if self.options.plan is not None and self.faults is None:
            from foxbatch.sandbox.faults import FaultState

            self.faults = FaultState()
        self._free_at = [0.0] * (self.options.workers or 0)

    def remember(self, record: Record) -> None:
        """Take up *record*: a new one, or one of an earlier process, oldest first."""
        match record:
            case Task():
                self._add(record)
            case Upload():
                self.uploads[record.id] = record
            case UploadRemoved():
                self.uploads.pop(record.id, None)
            case FaultFired():
                if self.faults is not None:
                    from foxbatch.sandbox.faults import remember

                    remember(self.faults, record)

    def account(self, name: str, granted: int | None) -> Account:
        """Return the account called *name*, which may reserve *granted* in total."""
        account = self._account(name)
        account.granted = granted
        return account

    def _account(self, name: str) -> Account:
        if name not in self.accounts:
            self.accounts[name] = Account(name, None)
        return self.accounts[name]

    def start_at(self, now: float) -> float:
        """Return when a worker is free for a task that comes at *now*."""
        return max(now, self._free_at[0]) if self._free_at else now

    def in_flight(self, now: float) -> int:
        """Return how many tasks are unfinished at *now*; time only goes forward."""
        while self._ends and self._ends[0][0] <= now:
            ends_at, name = heapq.heappop(self._ends)
            self.ended[story.view(self.tasks[name], ends_at).word] += 1
        return len(self._ends)

    def by_status(self, now: float) -> Counter[str]:
        """Return how many tasks have each status at *now*; only unfinished cost."""
        self.in_flight(now)
        unfinished = (self.tasks[name] for _, name in self._ends)
        return self.ended + Counter(story.view(task, now).word for task in unfinished)

    def shows_empty(self, task: Task, *, synced: bool) -> bool:
        """Return whether a query shows completed *task* without results; count it."""
        if task.twist.empty_when == "synced":
            return synced
        seen = self.looks.get(task.id, 0)
        if seen >= task.twist.empty_looks:
            return False
        self.looks[task.id] = seen + 1
        return True

    def note(self, entry: dict[str, Json]) -> None:
        """Add *entry* to the log of requests, and number it."""
        self.logged += 1
        self.log.append({"seq": self.logged, **entry})

    def _add(self, task: Task) -> None:
        self.tasks[task.id] = task
        self.takes[task.digest] = max(self.takes[task.digest], task.take)
        refunded = bool(task.twist.fails) and self.options.switches.refunds == "failed"
        self._account(task.owner).add(task, refunded=refunded)
        if self._free_at and task.ends_at > task.starts_at:  # else nobody worked on it
            heapq.heapreplace(self._free_at, task.ends_at)
        if '"callback_url"' in task.asked and task.ends_at > self.started_at:
            self._plan_callbacks(task)
        heapq.heappush(self._ends, (task.ends_at, task.id))
        self.in_flight_peak = max(self.in_flight_peak, self.in_flight(task.created_at))

    def _plan_callbacks(self, task: Task) -> None:
        model = catalogue.models().get(task.model)
        if model is None or "callback_url" not in model.fields:
            return
        if "callback_url" not in story.asked_of(task):
            return  # the word is somewhere inside
        times = {"never": 0, "once": 1, "twice": 2}[task.twist.callbacks]
        for nth in range(times):
            heapq.heappush(self.callbacks, Callback(task.ends_at, task.id, nth, 0))


def newest(sandbox: Sandbox, most: int) -> Iterator[Task]:
    """Yield the newest tasks, newest first, at most so many."""
    for _, task in zip(range(most), reversed(sandbox.tasks.values()), strict=False):
        yield task


def due_callbacks(sandbox: Sandbox, now: float) -> tuple[list[Callback], float | None]:
    """Take out the reports that are due; return them, and when the next one is."""
    due = []
    while sandbox.callbacks and sandbox.callbacks[0].due_at <= now:
        due.append(heapq.heappop(sandbox.callbacks))
    return due, sandbox.callbacks[0].due_at if sandbox.callbacks else None


def callback_answered(
    sandbox: Sandbox, callback: Callback, status: int | None, now: float
) -> None:
    """Note that *callback* was answered with *status*, None for not at all.

    Any 2xx counts as received. Otherwise it is tried again 1, 2 and 4 s later.
    """
    taken = status is not None and 200 <= status < 300  # noqa: PLR2004
    sandbox.reported["received" if taken else "failed"] += 1
    attempt = callback.attempt + 1
    if not taken and attempt < len(_TRIES_AFTER_S):
        due_at = now + _TRIES_AFTER_S[attempt]
        again = Callback(due_at, callback.task, callback.nth, attempt)
        heapq.heappush(sandbox.callbacks, again)
