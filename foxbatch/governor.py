"""The one place that may say "not yet": slots, rates and cool-downs."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio

from foxbatch.clock import Clock
from foxbatch.policy import Limits

REQUESTS_AT_ONCE = 24
"""Simultaneous requests of one process. Jobs in flight are many more: httpx's pool
collapses beyond about 45 simultaneous requests, and waiting jobs need none."""


_MARGIN = 0.05


class Pacer:
    """Spaces starts so that no half-open second holds more than *per_second*.

    They are spread evenly over each second, and a little further apart than they need
    to be: what starts here may reach the service later than its neighbours. Plain
    arithmetic on the times it is given. A rate that is no whole number is kept by the
    next lower number of starts per second, or by longer gaps below one.
    """

    def __init__(self, per_second: float) -> None:
        starts = max(1, math.floor(per_second))
        self.gap_s = (1 + _MARGIN) * max(1.0, 1.0 / per_second) / starts
        self.opens_at = -math.inf

    def started(self, now: float) -> None:
        """Note a start: the next one may happen at `opens_at`. Times never go back."""
        self.opens_at = now + self.gap_s


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
        self._freed.set()
        self._freed = anyio.Event()


class Governor:
    """Lends out slots and turns; shared by everything that talks to one service.

    Attributes:
        in_flight: Remote tasks that are submitting or running.
        downloads: Jobs whose files are being fetched.
    """

    def __init__(self, limits: Limits, *, clock: Clock) -> None:
        self.in_flight = Slots(limits.in_flight)
        self.downloads = Slots(limits.downloads)
        self._clock = clock
        self._pacer = Pacer(limits.requests_per_second)
        self._requests = anyio.Semaphore(REQUESTS_AT_ONCE)
        self._queue = anyio.Lock()
        self._cool_until = -math.inf

    @asynccontextmanager
    async def request(self) -> AsyncIterator[Callable[[], None]]:
        """Hold one of the request slots; the block starts when its turn has come.

        Turns come in the order in which they are asked for. The block gets a function
        to call when the request really starts, which lets the next turn come: what is
        late, such as a disk, crowds no later second. A turn that ends without it was
        none.
        """
        async with self._requests:
            await self._queue.acquire()
            waiting = True

            def begin() -> None:
                nonlocal waiting
                self._pacer.started(self._clock.monotonic())
                waiting = False
                self._queue.release()

            try:
                # Again and again: others may learn meanwhile that the service wants
                # a rest.
                while (wait_s := self._wait_s()) > 0:
                    await self._clock.sleep(wait_s)
                yield begin
            finally:
                if waiting:
                    self._queue.release()

    def _wait_s(self) -> float:
        opens_at = max(self._pacer.opens_at, self._cool_until)
        return opens_at - self._clock.monotonic()

    def cool_down(self, seconds: float) -> None:
        """Let no submit or poll start for *seconds* from now. Never shortens a wait."""
        until = self._clock.monotonic() + seconds
        self._cool_until = max(self._cool_until, until)
