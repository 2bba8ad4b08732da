"""The one place that may say "not yet": slots, rates and cool-downs."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from foxbatch.clock import Clock
from foxbatch.policy import Limits

REQUESTS_AT_ONCE = 24
"""Simultaneous requests of one process. Jobs in flight are many more: httpx's pool
collapses beyond about 45 simultaneous requests, and waiting jobs need none."""


class Window:
    """Spaces starts so that no half-open second holds more than *per_second*.

    Plain arithmetic on the times it is given. A rate that is no whole number is kept
    by the next lower number of starts per second, or by longer gaps below one.
    """

    def __init__(self, per_second: float) -> None:
        starts = max(1, math.floor(per_second))
        self._period_s = max(1.0, 1.0 / per_second)
        self._recent: deque[float] = deque(maxlen=starts)

    def reserve(self, now: float) -> float:
        """Book the next start and return when it may happen, not before *now*."""
        at = now
        if self._recent:
            at = max(at, self._recent[-1])
            if len(self._recent) == self._recent.maxlen:
                at = max(at, self._recent[0] + self._period_s)
        self._recent.append(at)
        return at


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
        self.limits = limits
        self.in_flight = Slots(limits.in_flight)
        self.downloads = Slots(limits.downloads)
        self._clock = clock
        self._window = Window(limits.requests_per_second)
        self._requests = anyio.Semaphore(REQUESTS_AT_ONCE)
        self._cool_until = -math.inf

    @asynccontextmanager
    async def request(self) -> AsyncIterator[None]:
        """Hold one of the request slots; the block starts when its turn has come.

        The turn is booked before the wait: waiters keep their order, and one that is
        cancelled wastes its turn instead of lending it twice.
        """
        async with self._requests:
            await self._turn()
            yield

    async def _turn(self) -> None:
        while True:
            now = self._clock.monotonic()
            at = self._window.reserve(max(now, self._cool_until))
            await self._clock.sleep(at - now)
            # Others may have learnt during the wait that the service wants a rest.
            if self._cool_until <= self._clock.monotonic():
                return

    def cool_down(self, seconds: float) -> None:
        """Let no submit or poll start for *seconds* from now. Never shortens a wait."""
        until = self._clock.monotonic() + seconds
        self._cool_until = max(self._cool_until, until)
