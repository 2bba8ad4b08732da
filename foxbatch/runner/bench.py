"""What all parts of one run share, and how it winds down."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import anyio

from foxbatch.artifacts import Store
from foxbatch.canonical import JobId
from foxbatch.client import ServiceClient
from foxbatch.clock import Clock
from foxbatch.errors import ExitCode, most_urgent
from foxbatch.events import BatchHalted, TaskId
from foxbatch.governor import Governor
from foxbatch.policy import Budget, PollPolicy, RetryPolicy
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
        submitting: Whether POSTs may still begin.
        halt: Why they may not, where the run itself decided so.
        unrecorded: Tasks that were made and that the ledger did not take.
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
    submitting: bool = True
    halt: Halt | None = None
    unrecorded: list[tuple[JobId, TaskId]] = field(default_factory=list)
    _open: set[JobId] = field(default_factory=set)

    def open(self, job: JobId) -> None:
        """Note that something is still to be done about *job*."""
        self._open.add(job)

    def close(self, job: JobId) -> None:
        """Note that this run has nothing more to do about *job*."""
        self._open.discard(job)
        if not self._open:
            self.stop.press("done")

    @property
    def nothing_open(self) -> bool:
        """Whether this run has nothing left to do."""
        return not self._open

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

    def halt_everything(self, halt: Halt) -> None:
        """Stop this run; remote tasks go on and are collected by the next one."""
        self.halt_submitting(halt)
        self.stop.press("halted")

    @property
    def exit_code(self) -> ExitCode:
        """What the halt, if any, has to say to the shell."""
        return ExitCode.DONE if self.halt is None else self.halt.exit_code
