"""The ledger, the state it implies, and whoever watches: told at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from foxbatch.events import AttemptId, Event
from foxbatch.ledger import LedgerWriter
from foxbatch.state import BatchState

Observer: TypeAlias = Callable[[Event], None]
"""Called with each fact once it is in the file. It must not raise."""


class Book:
    """Records facts. What is in `state` is in the file, always.

    Args:
        writer: This run's own file.
        state: What all files said when the run began.
        observers: The screen, the log, …
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

    def new_attempt(self) -> AttemptId:
        """Return the id for the next attempt of this run, counting from 1."""
        self._attempts += 1
        return AttemptId(f"{self.run}-{self._attempts}")
