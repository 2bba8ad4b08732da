"""Buys one job of each price shape first, and asks before it buys the rest."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

import anyio

from foxbatch.budget import Projection
from foxbatch.canonical import JobId
from foxbatch.errors import ExitCode
from foxbatch.events import Event, SubmitAccepted, SubmitUnknown
from foxbatch.prices import Shape, canaries, estimate, price_shape
from foxbatch.runner.bench import Bench
from foxbatch.runner.gate import Halt
from foxbatch.runner.submit import Purchase, Submitter
from foxbatch.state import Phase

GoOn: TypeAlias = Callable[[Projection], Awaitable[bool]]
"""Told what the rest is thought to cost; returns whether it is to be bought.

It is only bought where it also fits, whatever the answer.
"""


class Canary:
    """Measures prices before most of the money is spent.

    Attributes:
        decided: Set once it is known what becomes of the rest.
    """

    def __init__(self, bench: Bench, submitter: Submitter, go_on: GoOn) -> None:
        self._bench = bench
        self._submitter = submitter
        self._go_on = go_on
        self._rest: list[Purchase] = []
        self._bought: set[JobId] = set()
        self.decided = anyio.Event()
        bench.book.observe(self._hear)

    def _hear(self, event: Event) -> None:
        """Note which canaries were bought, or may have been."""
        if not self.decided.is_set() and isinstance(
            event, SubmitAccepted | SubmitUnknown
        ):
            self._bought.add(event.job)

    def add(self, purchases: Sequence[Purchase]) -> None:
        """Take what is to be bought, in order. Call it once, before `work`."""
        for purchase in purchases:
            self._bench.open(purchase.wanted.job)
        self._rest = list(purchases)

    async def work(self) -> None:
        """Buy the canaries, wait for their prices, and decide about the rest.

        Cancelling it leaves the rest as it is: not bought.
        """
        await self._measure()
        if self._bench.submitting and self._rest:
            await self._decide()
        if self._bench.submitting:
            self._submitter.add(self._rest)
        else:
            for purchase in self._rest:
                self._bench.close(purchase.wanted.job)
        self.decided.set()

    async def _measure(self) -> None:
        """Buy canaries until every shape has a price or none can be had."""
        silent: set[Shape] = set()
        while first := self._next(silent):
            self._submitter.add(first)
            await self._submitter.nothing_left()
            for purchase in first:
                if await self._bought_without_price(purchase):
                    silent.add(price_shape(purchase.wanted))

    def _next(self, silent: set[Shape]) -> list[Purchase]:
        """Take the next canaries out of the rest."""
        if not self._bench.submitting or self._submitter.may_begin <= 0:
            return []
        shapes = {price_shape(purchase.wanted) for purchase in self._rest}
        known = [s for s in shapes if self._bench.purse.price(s) is not None]
        jobs = canaries([p.wanted for p in self._rest], known, beside=silent)
        chosen = {job.job for job in jobs}
        first = [p for p in self._rest if p.wanted.job in chosen]
        self._rest = [p for p in self._rest if p.wanted.job not in chosen]
        return first

    async def _bought_without_price(self, purchase: Purchase) -> bool:
        """Return whether a canary was bought, or may have been, and told no price."""
        bench, wanted = self._bench, purchase.wanted
        while bench.purse.price(price_shape(wanted)) is None:
            if bench.book.phase(wanted.job) is not Phase.RUNNING:
                return wanted.job in self._bought
            await bench.change()
        return False

    async def _decide(self) -> None:
        """Halt unless the rest fits and somebody agrees to it.

        Meanwhile what was bought is watched and fetched.
        """
        bench = self._bench
        some = [purchase.wanted for purchase in self._rest]
        if self._submitter.may_begin < len(some):
            some = some[: int(self._submitter.may_begin)]
        projection = Projection(
            estimate(some, bench.purse.prices),
            bench.purse.spending(bench.book.moment),
            allow_unpriced=bench.allow_unpriced,
        )
        if not some:
            return  # the submitter lets the rest be
        agreed = await self._go_on(projection)
        if bench.stop.reason:
            bench.submitting = False
        elif projection.shortage:
            bench.halt_submitting(Halt(projection.shortage, ExitCode.BUDGET))
        elif projection.unknown:
            bench.halt_submitting(Halt(_unknown(projection), ExitCode.USAGE))
        elif not agreed:
            bench.halt_submitting(Halt(_not_agreed(projection), ExitCode.USAGE))


def _unknown(projection: Projection) -> str:
    return (
        f"what {projection.estimate.unpriced:,} jobs cost is still not known, as the "
        "service did not say it; --allow-unpriced buys them all the same"
    )


def _not_agreed(projection: Projection) -> str:
    return (
        f"nobody agreed to the rest ({projection.estimate.jobs:,} jobs, about "
        f"{projection.estimate.credits:,.12g} credits); --yes does"
    )
