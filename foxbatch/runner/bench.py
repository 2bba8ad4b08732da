"""What all parts of one run share, and how it winds down."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import anyio

from foxbatch.artifacts import Store
from foxbatch.breaker import Breaker
from foxbatch.budget import Purse
from foxbatch.canonical import JobId
from foxbatch.client import ServiceClient
from foxbatch.clock import Clock
from foxbatch.errors import ExitCode, RunDirError, most_urgent
from foxbatch.events import AttemptFact, BatchHalted, Event, JobPlanned, TaskId
from foxbatch.forecast import Forecast
from foxbatch.governor import Governor
from foxbatch.policy import Budget, PollPolicy, RetryPolicy
from foxbatch.prices import price_shape
from foxbatch.provider import Provider
from foxbatch.runner.book import Book
from foxbatch.runner.gate import Gate, Halt

Ending: TypeAlias = Literal["done", "halted", "interrupted", "stop_after", "detached"]
"""Why a run ended: the word that the ledger keeps of it."""


class StopButton:
    """Ends a run early, from outside. Pressing it twice is the same as once.

    Attributes:
        reason: None until it is pressed.
    """

    def __init__(self) -> None:
        self.reason: Ending | None = None
        self._pressed = anyio.Event()

    def press(self, reason: Ending = "interrupted") -> None:
        """Stop: no POST begins from here on. The first reason stands."""
        if reason not in get_args(Ending):
            raise ValueError(f"{reason!r} is no reason for a run to end")
        self.reason = self.reason or reason
        self._pressed.set()

    async def wait(self) -> None:
        """Return when it is pressed."""
        await self._pressed.wait()


@dataclass(slots=True, kw_only=True)
class Bench:
    """The parts of one run, and what is still open.

    Attributes:
        budget: What the manifest bounds.
        most: What the person who started the run bounds beside it.
        fail_fast: Whether the first failed job ends submitting.
        allow_unpriced: Whether jobs without a known price may be bought.
        purse: What may still be bought.
        breaker: Which slices of the sweep wait, as they fail as a whole.
        submitting: Whether POSTs may still begin.
        halt: Why they may not, where the run itself decided so.
        error: What makes it impossible to go on.
        unrecorded: Tasks that were made and that the ledger did not take.
        go_on: Goes on with something else about a job that is about to be closed;
            returns whether there is anything.
        holds_lock: Whether nobody else can have begun to work in the directory.
    """

    book: Book
    client: ServiceClient
    provider: Provider
    store: Store
    run_dir: Path
    governor: Governor
    clock: Clock
    retry: RetryPolicy
    poll: PollPolicy
    budget: Budget
    rng: random.Random
    stop: StopButton
    gate: Gate
    forecast: Forecast
    most: Budget = field(default_factory=Budget)
    fail_fast: bool = False
    allow_unpriced: bool = False
    purse: Purse = field(init=False)
    breaker: Breaker = field(init=False)
    submitting: bool = True
    halt: Halt | None = None
    error: RunDirError | None = None
    unrecorded: list[tuple[JobId, TaskId]] = field(default_factory=list)
    go_on: Callable[[JobId], bool] = lambda _: False
    holds_lock: Callable[[], bool] = lambda: True
    _open: set[JobId] = field(default_factory=set)
    _parked: dict[JobId, str] = field(default_factory=dict)
    _changed: anyio.Event = field(default_factory=anyio.Event)

    def __post_init__(self) -> None:
        """Learn what was bought before, and from here on whatever happens."""
        budgets = (self.budget, self.most)
        self.purse = Purse(budgets, self.book.state, self.book.run)
        self.breaker = Breaker(self.retry.pause_after)
        self.book.observe(self._hear)

    def _hear(self, event: Event) -> None:
        if isinstance(event, AttemptFact):
            known = self.book.state.jobs[event.job]
            shape = ""
            if known.planned is not None:
                shape = price_shape(known.planned)
                self.breaker.hear(event, known.planned)
            self.purse.hear(known.attempts[event.attempt], shape)
        self._changed.set()
        self._changed = anyio.Event()

    async def change(self) -> None:
        """Return once one more fact is recorded."""
        await self._changed.wait()

    def open(self, job: JobId) -> None:
        """Note that something is still to be done about *job*."""
        self._open.add(job)

    def close(self, job: JobId) -> None:
        """Forget *job*, unless this run has something else to do about it."""
        if self.go_on(job):
            return
        self._open.discard(job)
        self._parked.pop(job, None)
        known = self.book.state.jobs.get(job)
        for attempt in known.attempts if known is not None else ():
            self.purse.forget(attempt)
        self.book.close(job)
        self._finish()

    def park(self, wanted: JobPlanned, slice_: str) -> None:
        """Note that *wanted* waits for others of its slice, perhaps in vain."""
        self._parked[wanted.job] = slice_
        self._finish()

    def unpark(self, wanted: JobPlanned) -> None:
        """Note that there is something to be done about *wanted* again."""
        self._parked.pop(wanted.job, None)

    def _finish(self) -> None:
        if self.nothing_open:
            self.stop.press("done")

    @property
    def parked(self) -> Counter[str]:
        """How many jobs wait for others of a slice that fails as a whole."""
        return Counter(self._parked.values())

    @property
    def nothing_open(self) -> bool:
        """Whether this run has nothing left to do."""
        return len(self._open) == len(self._parked)

    def gave_up(self, wanted: JobPlanned) -> None:
        """Draw the conclusion from a job that failed and is not bought again."""
        if self.fail_fast and self.submitting:
            name = f"{wanted.spec}/{wanted.name}"
            why = f"{name} failed, and --fail-fast stops at the first that does"
            self.halt_submitting(Halt(why, ExitCode.FAILED_JOBS))

    def halt_submitting(self, halt: Halt) -> None:
        """Let no POST begin from here on; what runs remotely is still collected.

        Of several reasons the first one stands, unless a later one is more urgent.
        """
        if most_urgent(self.exit_code, halt.exit_code) is not self.exit_code:
            self.halt = halt
            self.book.record(
                BatchHalted(why=halt.why, exit_code=int(halt.exit_code)), durable=True
            )
        self.submitting = False

    def fail(self, error: RunDirError) -> None:
        """Stop this run because of *error*, once POSTs under way have ended."""
        self.error = self.error or error
        self.submitting = False
        self.stop.press("halted")

    def halt_everything(self, halt: Halt) -> None:
        """Stop this run; remote tasks go on and are collected by the next one."""
        self.halt_submitting(halt)
        self.stop.press("halted")

    @property
    def exit_code(self) -> ExitCode:
        """What the halt, if any, has to say to the shell."""
        return ExitCode.DONE if self.halt is None else self.halt.exit_code
