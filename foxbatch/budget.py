"""What may still be bought: prices that were measured, and a purse that keeps to them.

Theory of operation
-------------------

The service tells no prices. It tells what it reserved for a task once that exists, so
a price is what was reserved for an earlier purchase of the same *shape*. Nothing that
was never bought has a price, and that is not the same as a price of zero.

A budget holds when, at every moment, what was bought and what may have been bought
together are within it. So money is set aside before the intent is written (a ticket),
the intent's fact takes the ticket's place, and the service's word takes the place of
the estimate. Only a submission that certainly made no task gives its money back.

What is charged for an attempt is a function of what the fold knows of it (`charge_of`).
A purse is told of attempts one by one, and after every fact it holds what a new purse
would that is made from the same ledger: a restart changes nothing.

Estimates are the highest price that was seen for the shape. An attempt that turns out
dearer than all before it can pass the bound by the difference; from then on everything
of its shape that is not answered yet is counted at the new price.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import count
from typing import NamedTuple

from foxbatch.events import AttemptId, JobPlanned, RunId
from foxbatch.policy import Budget, Per
from foxbatch.prices import (
    Estimate,
    Price,
    Shape,
    amount_of,
    price_of,
    price_shape,
    reserved,
)
from foxbatch.state import Attempt, BatchState


class Charge(NamedTuple):
    """What one purchase counts for.

    Attributes:
        shape: Its price shape.
        at: When it was decided (RFC 3339, UTC).
        run: Which run decided it.
        known: What the service reserved for it; None where it did not say.
        aside: What was set aside for it before.
    """

    shape: Shape
    at: str
    run: RunId
    known: Decimal | None
    aside: Decimal | None


def charge_of(attempt: Attempt, shape: Shape) -> Charge | None:
    """Return what *attempt* counts for; None where it certainly made no task.

    A task that succeeded counts for what was reported last. No refund is assumed for
    any other: failed, held and written-off attempts keep the most that was reported.
    """
    if not attempt.counts_as_bought:
        return None
    known = reserved(attempt)
    if attempt.succeeded is not None:
        last = amount_of(attempt.credits)
        known = known if last is None else last
    aside = amount_of(attempt.intended.credits) if attempt.intended else None
    return Charge(shape, attempt.since, attempt.run, known, aside)


def period_of(per: Per, at: str, run: RunId) -> str:
    """Return a name for the stretch of a budget that *at* falls into."""
    if per == "week":
        year, week, _ = date.fromisoformat(at[:10]).isocalendar()
        return f"{year}-W{week:02d}"
    return {"directory": "", "run": run, "day": at[:10], "month": at[:7]}[per]


@dataclass(slots=True)
class _Tally:
    """What was bought in one period: sums, so that looking is quick."""

    jobs: int = 0
    known: Decimal = Decimal(0)
    # Purchases without a word of the service, by shape and by what was set aside.
    unsaid: Counter[tuple[Shape, Decimal | None]] = field(default_factory=Counter)

    def count(self, charge: Charge, sign: int) -> None:
        self.jobs += sign
        if charge.known is not None:
            self.known += sign * charge.known
            return
        key = (charge.shape, charge.aside)
        self.unsaid[key] += sign
        if not self.unsaid[key]:
            del self.unsaid[key]

    def credits(self, price: Mapping[Shape, Decimal]) -> Decimal:
        dear = (
            number * max(price.get(shape, Decimal(0)), aside or Decimal(0))
            for (shape, aside), number in self.unsaid.items()
        )
        return sum(dear, self.known)

    def unpriced(self, price: Mapping[Shape, Decimal]) -> int:
        return sum(
            number
            for (shape, aside), number in self.unsaid.items()
            if aside is None and shape not in price
        )


@dataclass(frozen=True, slots=True)
class Spending:
    """How much of one budget is used.

    Attributes:
        budget: Which one.
        jobs: Purchases that were made or may have been.
        credits: What they count for.
        unpriced: How many of them count for nothing: nobody knows their price.
    """

    budget: Budget
    jobs: int
    credits: float
    unpriced: int

    @property
    def jobs_left(self) -> float:
        """Purchases that may still be made (infinite without a bound)."""
        bound = self.budget.jobs
        return math.inf if bound is None else max(0, bound - self.jobs)

    @property
    def credits_left(self) -> float:
        """Credits that may still be spent (infinite without a bound)."""
        bound = self.budget.credits
        if bound is None:
            return math.inf
        return max(0.0, float(Decimal(repr(bound)) - Decimal(repr(self.credits))))


@dataclass(frozen=True, slots=True, eq=False)
class Ticket:
    """Money that is set aside for one purchase whose intent is not written yet."""

    name: str
    charge: Charge


class Purse:
    """Says what may be bought within several budgets. Plain arithmetic, no clock.

    Args:
        budgets: Each of them must hold.
        state: What was bought so far, by whomever.
        run: The run that buys.
    """

    def __init__(
        self, budgets: Iterable[Budget], state: BatchState, run: RunId
    ) -> None:
        self.budgets = tuple(budget for budget in budgets if budget.bounds)
        self._run = run
        self._charges: dict[str, Charge] = {}
        self._tallies: dict[tuple[Per, str], _Tally] = {}
        self._reserved: dict[AttemptId, Decimal] = {}
        self._amounts: dict[Shape, Counter[Decimal]] = defaultdict(Counter)
        self._price: dict[Shape, Decimal] = {}
        self._under_way: Counter[Shape] = Counter()
        self._numbers = count(1)
        for known in state.jobs.values():
            shape = "" if known.planned is None else price_shape(known.planned)
            for attempt in known.attempts.values():
                self.hear(attempt, shape)

    @property
    def in_credits(self) -> bool:
        """Whether a budget bounds credits, so that prices have to be known."""
        return any(budget.credits is not None for budget in self.budgets)

    def price(self, shape: Shape) -> float | None:
        """Return the most that was ever reserved for one of *shape*, if any was."""
        known = self._price.get(shape)
        return None if known is None else float(known)

    @property
    def prices(self) -> dict[Shape, Price]:
        """The price of every shape that was bought, from what was reserved."""
        return {shape: price_of(some) for shape, some in self._amounts.items() if shape}

    def hear(self, attempt: Attempt, shape: Shape) -> None:
        """Take in what is known of *attempt* now."""
        self._enter(attempt.id, charge_of(attempt, shape))
        amount, before = reserved(attempt), self._reserved.get(attempt.id)
        if amount is None or amount == before:
            return
        amounts = self._amounts[shape]
        self._reserved[attempt.id] = amount
        amounts[amount] += 1
        self._price[shape] = max(amount, self._price.get(shape, amount))
        if before is not None:
            amounts[before] -= 1
            if not amounts[before]:
                del amounts[before]
                self._price[shape] = max(amounts)

    def forget(self, attempt: AttemptId) -> None:
        """Count *attempt* from here on for what it counts for now.

        A long run does not keep in mind what each of its jobs took.
        """
        self._charges.pop(attempt, None)
        self._reserved.pop(attempt, None)

    def spending(self, at: str) -> tuple[Spending, ...]:
        """Return how much of each budget is used at the moment *at*."""
        found = []
        for budget in self.budgets:
            tally = self._tally(budget.per, at)
            credits_ = float(tally.credits(self._price))
            unpriced = tally.unpriced(self._price)
            found.append(Spending(budget, tally.jobs, credits_, unpriced))
        return tuple(found)

    def shortage(self, job: JobPlanned, at: str) -> str:
        """Return why *job* may not be bought at the moment *at*; empty if it may."""
        shape = price_shape(job)
        price = self._price.get(shape)
        for budget in self.budgets:
            tally = self._tally(budget.per, at)
            if budget.jobs is not None and tally.jobs >= budget.jobs:
                jobs = Budget(jobs=budget.jobs, per=budget.per)
                return f"the budget of {jobs} is used up"
            if budget.credits is None:
                continue
            bound, spent = Decimal(repr(budget.credits)), tally.credits(self._price)
            if spent + (price or 0) > bound or (price is None and spent >= bound):
                return _too_dear(budget, spent, price)
        if price is None and self.in_credits and self._under_way[shape]:
            return "what the first of its kind takes is not known yet"
        return ""

    def reserve(self, job: JobPlanned, at: str) -> Ticket:
        """Set aside what *job* will use up. The caller asked for a shortage before."""
        shape = price_shape(job)
        charge = Charge(shape, at, self._run, None, self._price.get(shape))
        ticket = Ticket(f"ticket {next(self._numbers)}", charge)
        self._under_way[shape] += 1
        self._enter(ticket.name, charge)
        return ticket

    def covers(self, ticket: Ticket, at: str) -> bool:
        """Return whether what was set aside still does at the moment *at*.

        The day may have ended since, or another purchase may have been dearer than
        any before.
        """
        for budget in self.budgets:
            began = self._period(budget.per, ticket.charge.at)
            if self._period(budget.per, at) != began:
                return False
            spent = self._tally(budget.per, at).credits(self._price)
            if budget.credits is not None and spent > Decimal(repr(budget.credits)):
                return False
        return True

    def intended(self, ticket: Ticket) -> None:
        """Note that the intent is written: from here on its fact is what counts."""
        self._enter(ticket.name, None)

    def close(self, ticket: Ticket) -> None:
        """Note that there is an outcome, or that nothing was sent."""
        self._enter(ticket.name, None)
        self._under_way[ticket.charge.shape] -= 1

    def _period(self, per: Per, at: str) -> str:
        return period_of(per, at, self._run)

    def _tally(self, per: Per, at: str) -> _Tally:
        return self._tallies.get((per, self._period(per, at))) or _Tally()

    def _enter(self, name: str, charge: Charge | None) -> None:
        """Let *name* count for *charge* from here on."""
        before = self._charges.pop(name, None)
        if charge is not None:
            self._charges[name] = charge
        for per in {budget.per for budget in self.budgets}:
            for one, sign in ((before, -1), (charge, +1)):
                if one is not None:
                    place = per, period_of(per, one.at, one.run)
                    self._tallies.setdefault(place, _Tally()).count(one, sign)


def _too_dear(budget: Budget, spent: Decimal, price: Decimal | None) -> str:
    bound = Budget(credits=budget.credits, per=budget.per)
    if price is None or spent >= Decimal(repr(budget.credits)):
        return f"the budget of {bound} is used up"
    return (
        f"the next job does not fit into the budget of {bound}: "
        f"{float(spent):,.12g} are spent or set aside, "
        f"and it takes {float(price):,.12g}"
    )


@dataclass(frozen=True, slots=True)
class Projection:
    """What the rest of a run is thought to cost, once its canaries are bought.

    Attributes:
        estimate: Of the rest.
        spending: How much of each budget is used.
        allow_unpriced: Whether purchases without a price are agreed to.
    """

    estimate: Estimate
    spending: tuple[Spending, ...] = ()
    allow_unpriced: bool = False

    @property
    def unknown(self) -> bool:
        """Whether a price is missing that somebody wants to know."""
        return bool(self.estimate.unpriced) and not self.allow_unpriced

    @property
    def shortage(self) -> str:
        """Why the rest does not fit into the budgets; empty where it does."""
        for one in self.spending:
            if self.estimate.jobs > one.jobs_left:
                left = f"{one.jobs_left:,.12g} jobs"
            elif self.estimate.most > one.credits_left:
                left = f"{one.credits_left:,.12g} credits"
            else:
                continue
            number = self.estimate.jobs
            jobs = f"{number:,} job{'' if number == 1 else 's'}"
            return (
                f"the rest ({jobs}, up to "
                f"{self.estimate.most:,.12g} credits) does not fit into the budget of "
                f"{one.budget}: {left} are left"
            )
        return ""
