"""The one place that may say "not yet": slots, rates and cool-downs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

import anyio

from foxbatch.clock import Clock
from foxbatch.pace import Complaint, Pace, PaceChange
from foxbatch.policy import Limits

REQUESTS_AT_ONCE = 24
"""Simultaneous requests of one process. Jobs in flight are many more: httpx's pool
collapses beyond about 45 simultaneous requests, and waiting jobs need none."""


class Slots:
    """Counts what is going on, and makes newcomers wait at the limit."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken = 0
        self._freed = anyio.Event()

    async def acquire(self) -> None:
        """Return with a slot in hand. Cancelling it leaves the count as it was."""
        while self.taken >= self.limit:
            await self._freed.wait()
        self.taken += 1

    def adopt(self) -> None:
        """Count something that already goes on, also beyond the limit."""
        self.taken += 1

    def release(self) -> None:
        """Give one slot back."""
        self.taken -= 1
        self._wake()

    def allow(self, limit: int) -> None:
        """Change the limit; what goes on beyond a lower one goes on."""
        grown, self.limit = limit > self.limit, limit
        if grown:
            self._wake()

    def _wake(self) -> None:
        self._freed.set()
        self._freed = anyio.Event()


class Governor:
    """Lends out slots and turns; shared by everything that talks to one service.

    Args:
        limits: The ceilings.
        clock: Time.
        on_change: Told when a limit adapts.

    Attributes:
        in_flight: Remote tasks that are submitting or running.
        downloads: Jobs whose files are being fetched.
        pace: What decides.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        clock: Clock,
        on_change: Callable[[PaceChange], None] | None = None,
    ) -> None:
        self.in_flight = Slots(limits.in_flight)
        self.downloads = Slots(limits.downloads)
        self.pace = Pace(limits)
        self._clock = clock
        self._on_change = on_change
        self._requests = anyio.Semaphore(REQUESTS_AT_ONCE)
        self._queue = anyio.Lock()
        self._submits = anyio.Lock()

    @asynccontextmanager
    async def request(self) -> AsyncIterator[Callable[[], None]]:
        """Hold one of the request slots; the block starts when its turn has come.

        Turns come in the order in which they are asked for. The block gets a function
        to call when the request really starts, which lets the next turn come: what is
        late, such as a disk, crowds no later second. A turn that ends without it was
        none.
        """
        async with self._turn(submit=False) as begin:
            yield begin

    @asynccontextmanager
    async def submission(self) -> AsyncIterator[Callable[[], None]]:
        """Hold a request slot as `request` does, for a submission.

        Submissions queue among themselves before they queue for a turn: while there
        may be none, polls pass them.
        """
        await self._submits.acquire()
        queued = True

        def leave() -> None:
            nonlocal queued
            if queued:
                queued = False
                self._submits.release()

        try:
            await self._wait(lambda: self.pace.submits_open_at)
            async with self._turn(submit=True) as begin:

                def begin_submission() -> None:
                    begin()
                    leave()

                yield begin_submission
        finally:
            leave()

    @asynccontextmanager
    async def _turn(self, *, submit: bool) -> AsyncIterator[Callable[[], None]]:
        async with self._requests:
            await self._queue.acquire()
            waiting = True

            def begin() -> None:
                nonlocal waiting
                self.pace.started(self._clock.monotonic(), submit=submit)
                waiting = False
                self._queue.release()

            try:
                await self._wait(lambda: self.pace.opens_at)
                yield begin
            finally:
                if waiting:
                    self._queue.release()

    async def _wait(self, opens_at: Callable[[], float]) -> None:
        # Again and again: others may learn meanwhile that the service wants a rest.
        while (wait_s := opens_at() - self._clock.monotonic()) > 0:
            await self._clock.sleep(wait_s)

    def answered(self, *, began: float) -> None:
        """Note that a request that began at *began* was answered, and not refused."""
        self._tell(self.pace.answered(self._clock.monotonic(), began=began))

    def refused(
        self, complaint: Complaint, *, began: float, asked_s: float | None, running: int
    ) -> None:
        """Note that the service wants less, or a rest; see `Pace.refused`."""
        now = self._clock.monotonic()
        changes = self.pace.refused(
            complaint, now, began=began, asked_s=asked_s, running=running
        )
        self._tell(changes)

    def _tell(self, changes: Iterable[PaceChange]) -> None:
        self.in_flight.allow(self.pace.tasks.value)
        for change in changes:
            if self._on_change is not None:
                self._on_change(change)
