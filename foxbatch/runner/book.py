"""The ledger, the state it implies, and whoever watches: told at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from foxbatch.canonical import JobId
from foxbatch.events import AttemptId, Event
from foxbatch.ledger import LedgerWriter
from foxbatch.state import BatchState, Phase

Observer: TypeAlias = Callable[[Event], None]
"""Called with each fact once it is in the file. It must not raise."""


class Book:
    """Records facts. What is in `state` is in the file, always.

    A run may be about more jobs than memory has room for their stories. Of a job that
    is closed only the phase is kept here; all else is in the file.

    Args:
        writer: This run's own file.
        state: What all files said when the run began. The book makes it its own.
        observers: The screen, the log, …

    Attributes:
        state: What is known of runs, and of jobs that are not closed.
        closed: Where the others stand.
    """

    def __init__(
        self,
        writer: LedgerWriter,
        state: BatchState,
        observers: Sequence[Observer] = (),
    ) -> None:
        self.run = writer.run
        self.state = state
        self._writer = writer
        self._observers = list(observers)
        self._attempts = 0
        self.closed: dict[JobId, Phase] = {}

    def observe(self, observer: Observer) -> None:
        """Let *observer* know of every fact from here on."""
        self._observers.append(observer)

    @property
    def moment(self) -> str:
        """When a fact would happen that is recorded now, as the file would have it."""
        return self._writer.moment

    def record(self, *events: Event, durable: bool = False) -> None:
        """Append *events* with one write, then let everybody know.

        Args:
            events: Facts of this run, unstamped, in the order they happened.
            durable: Whether they must survive a power cut from here on.
        """
        for event in self._writer.append(*events, durable=durable):
            self.state.join(event)
            for observe in self._observers:
                observe(event)

    def phase(self, job: JobId) -> Phase:
        """Return where *job* stands; one that nothing is known about is new."""
        known = self.state.jobs.get(job)
        if known is None:
            return self.closed.get(job, Phase.NEW)
        return known.phase((self.run,))

    def close(self, job: JobId) -> None:
        """Forget what happened to *job*: nothing more will in this run."""
        if job in self.state.jobs:
            self.closed[job] = self.phase(job)
            del self.state.jobs[job]

    def new_attempt(self) -> AttemptId:
        """Return the id for the next attempt of this run, counting from 1."""
        self._attempts += 1
        return AttemptId(f"{self.run}-{self._attempts}")
