"""What is said about money: prices, budgets, and questions about them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.text import Text

from foxbatch.budget import Projection, Spending
from foxbatch.cli._text import amount, count, one_line
from foxbatch.events import WRITTEN_OFF, JobPlanned
from foxbatch.planner import BUYS, Action, Plan
from foxbatch.prices import Estimate, PriceLine, reserved

if TYPE_CHECKING:
    from foxbatch.api import Beginning

_KINDS = 5
_UNKNOWN = "nothing like it was bought here yet"


def question(beginning: Beginning) -> Iterator[Text]:
    """Yield what a person should know before agreeing to a purchase."""
    buys = beginning.plan.with_action(*BUYS)
    repeated = sum(job.action is Action.RETRY for job in buys)
    yield Text()
    yield Text.assemble(
        (count(len(buys), "new job"), "bold"),
        f" on {beginning.provider}, which costs money",
        f" ({repeated:,} of them bought before, and failed)" if repeated else "",
    )
    yield from kinds(beginning.plan.estimate)
    yield Text(f"  estimate: {estimate_in_words(beginning.plan.estimate)}")
    for said in budgets_in_words(beginning.spending):
        yield Text(f"  budget: {said}")
    if beginning.canaries:
        yield Text(
            f"  canary: {count(beginning.canaries, 'job')} first; the rest is asked for"
            " when their prices are known"
        )


def projected(projection: Projection) -> Iterator[Text]:
    """Yield what the rest of a run is thought to cost, and whether that fits."""
    estimate = projection.estimate
    yield Text()
    yield Text.assemble(
        (f"the rest: {count(estimate.jobs, 'job')}", "bold"),
        f", {estimate_in_words(estimate)}",
    )
    yield from kinds(estimate)
    for said in budgets_in_words(projection.spending):
        yield Text(f"  budget: {said}")


def kinds(estimate: Estimate) -> Iterator[Text]:
    """Yield how many jobs of each kind there are, and what one costs."""
    for line in estimate.lines[:_KINDS]:
        price = f": {price_in_words(line)}" if line.price is not None else ""
        yield Text(f"  {line.jobs:>5,} × {_kind(line.example)}{price}")
    if (more := len(estimate.lines) - _KINDS) > 0:
        yield Text(f"        and {more:,} more kinds", "dim")


def _kind(wanted: JobPlanned) -> str:
    request = wanted.request
    parts = [wanted.model, str(request.get("resolution", ""))]
    if "duration" in request:
        parts.append(f"{request['duration']} s")
    if "generate_audio" in request:
        parts.append("with sound" if request["generate_audio"] else "silent")
    return one_line(", ".join(filter(None, parts)))


def price_in_words(line: PriceLine) -> str:
    """Return what one purchase of a kind costs, and how that is known."""
    price = line.price
    if price is None:
        return f"not known: {_UNKNOWN}"
    based = f"from {price.measured:,} bought here"
    if price.low == price.high:
        return f"{amount(price.usual)} each, {based}"
    span = f"{amount(price.low)} to {amount(price.high)} each"
    return f"{span}, usually {amount(price.usual)}, {based}"


def estimate_in_words(estimate: Estimate) -> str:
    """Return what new purchases are thought to cost; unknown is not zero."""
    if not estimate.jobs:
        return "nothing to buy"
    priced = estimate.jobs - estimate.unpriced
    about = f"about {amount(estimate.credits)} credits"
    if estimate.most > estimate.credits:
        about += f", at most {amount(estimate.most)}"
    based = f"from {estimate.measured:,} bought here"
    if not estimate.unpriced:
        return f"{about}, {based}"
    if not priced:
        return f"not known: {_UNKNOWN}"
    unknown = f"not known for {estimate.unpriced:,}: {_UNKNOWN}"
    return f"{about} for {priced:,}, {based}; {unknown}"


def budgets_in_words(spending: Iterable[Spending]) -> Iterator[str]:
    """Yield how much of each budget is used."""
    for one in spending:
        parts = []
        if math.isfinite(one.jobs_left):
            parts.append(f"{one.jobs:,} bought, {one.jobs_left:,.0f} left")
        if math.isfinite(one.credits_left):
            used = f"{amount(one.credits)} spent or set aside"
            parts.append(f"{used}, {amount(one.credits_left)} left")
            if one.unpriced:
                parts.append(f"{count(one.unpriced, 'purchase')} of unknown price")
        yield f"{one.budget}: {'; '.join(parts)}"


@dataclass(frozen=True, slots=True)
class Retries:
    """Failed jobs that are bought again.

    Attributes:
        jobs: How many.
        classes: How many of each class of failure, the most frequent first.
        spent: Credits that their last attempts cost, as far as that is known.
        known: For how many it is.
        estimate: What they are thought to cost now.
    """

    jobs: int
    classes: Mapping[str, int]
    spent: float
    known: int
    estimate: Estimate


def retries(plan: Plan) -> Retries:
    """Return which failed jobs *plan* buys again."""
    jobs = plan.with_action(Action.RETRY)
    classes: Counter[str] = Counter()
    spent, known = 0.0, 0
    for job in jobs:
        failed = job.attempt.failed if job.attempt is not None else None
        classes[failed.error_class if failed is not None else WRITTEN_OFF] += 1
        cost = reserved(job.attempt) if job.attempt is not None else None
        if cost is not None:
            spent, known = spent + float(cost), known + 1
    estimate = plan.estimate.part(job.wanted for job in jobs)
    return Retries(len(jobs), dict(classes.most_common()), spent, known, estimate)


def again(plan: Plan) -> str:
    """Return how many failed jobs are bought again, and what they cost; "" for none."""
    found = retries(plan)
    if not found.jobs:
        return ""
    why = ", ".join(f"{number:,} {name}" for name, number in found.classes.items())
    cost = f"{amount(found.spent)} credits"
    if not found.known:
        cost = "not known"
    elif found.known < found.jobs:
        cost += f" for {found.known:,}, not known for the others"
    return (
        f"{count(found.jobs, 'failed job')} ({one_line(why)}); "
        f"they cost {cost}, and again {estimate_in_words(found.estimate)}"
    )
