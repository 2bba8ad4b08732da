"""Looking at the account before and after a run: evidence, should a job be held."""

from __future__ import annotations

import anyio

from foxbatch.account import Balance
from foxbatch.events import AccountSeen
from foxbatch.runner.bench import Bench

PATIENCE_S = 3.0
"""A run waits no longer than this to begin, or to end."""

HURRIED_S = 0.8
"""Nor longer than this once somebody wants it to stop."""


async def look_before(bench: Bench) -> None:
    """Record what the account has used so far, unless the run is stopped meanwhile."""
    if bench.provider.account.balance is None or bench.stop.reason is not None:
        return
    async with anyio.create_task_group() as tasks:

        async def stopped() -> None:
            await bench.stop.wait()
            tasks.cancel_scope.cancel()

        tasks.start_soon(stopped)
        await _look(bench, PATIENCE_S)
        tasks.cancel_scope.cancel()


async def look_after(bench: Bench) -> None:
    """Record what the account has used by now."""
    if bench.provider.account.balance is not None:
        hurried = bench.stop.reason in ("interrupted", "stop_after")
        await _look(bench, HURRIED_S if hurried else PATIENCE_S)


async def _look(bench: Bench, patience_s: float) -> None:
    """Record one look at the account; what is not known in time is left out."""
    seen: Balance | None = None
    with anyio.move_on_after(patience_s):
        async with bench.governor.request() as begin:
            begin()
            seen = await bench.client.balance()
    if seen is not None:
        account = bench.provider.account
        bench.book.record(
            AccountSeen(
                used=seen.used,
                available=seen.available,
                unlimited=seen.unlimited,
                unit=account.unit,
                per_credit=account.per_credit,
            )
        )
