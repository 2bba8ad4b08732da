"""Posters of what a run downloads, made behind it while it goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import Full, Queue

from foxbatch.api.beginning import Beginning
from foxbatch.errors import RunDirError
from foxbatch.events import ArtifactStored, Event
from foxbatch.report.posters import is_kept, order_for, why_unable
from foxbatch.report.workshop import Hand

PATIENCE_S = 3.0
"""How long after the first download nothing is made: a run that ends sooner leaves it
to the report, as a process for it would cost more than it saves."""

_MOST_WAITING = 1_000


class PosterAudience:
    """Makes posters of the files of one run, in a process that stands back.

    A run never waits for it and never hears of its troubles: what it has not made when
    the run ends, `foxbatch report` makes.

    Args:
        patience_s: As `PATIENCE_S`.
        hand: Does the work.
        most_waiting: How many files may wait; more are left to the report.
    """

    def __init__(
        self,
        *,
        patience_s: float = PATIENCE_S,
        hand: Hand | None = None,
        most_waiting: int = _MOST_WAITING,
    ) -> None:
        self._patience_s = patience_s
        self._hand = hand or Hand()
        self._waiting: Queue[ArtifactStored | None] = Queue(most_waiting)
        self._closing = threading.Event()
        self._run_dir = Path()
        self._thread: threading.Thread | None = None

    def begins(self, beginning: Beginning) -> None:
        """Note where the files will be."""
        self._run_dir = beginning.run_dir

    def happened(self, fact: Event) -> None:
        """Remember a file that came. Returns at once."""
        if not isinstance(fact, ArtifactStored) or self._closing.is_set():
            return
        with suppress(Full):
            self._waiting.put_nowait(fact)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, daemon=True)
            with suppress(RuntimeError):  # the system has no thread left for this
                self._thread.start()

    def close(self) -> None:
        """Stop at once; a poster that is not whole is left out."""
        self._closing.set()
        with suppress(Full):
            self._waiting.put_nowait(None)
        self._hand.close()
        if self._thread is not None and self._thread.is_alive():
            self._thread.join()

    def _work(self) -> None:
        if self._closing.wait(self._patience_s):
            return
        with suppress(RunDirError):  # a link: the report will say so
            if not why_unable(self._run_dir):
                self._make_all(self._waiting.get)

    def _make_all(self, take: Callable[[], ArtifactStored | None]) -> None:
        while (fact := take()) is not None and not self._closing.is_set():
            order = order_for(self._run_dir, fact, fact.media.kind)
            if order is not None and not is_kept(Path(order.target)):
                self._hand.do(order)
