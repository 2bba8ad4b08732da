"""What a purchase is thought to cost: what was reserved for earlier ones like it."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias, cast

from foxbatch import canonical
from foxbatch.canonical import Json
from foxbatch.events import JobPlanned, amount_in
from foxbatch.state import Attempt, BatchState

Shape: TypeAlias = str
"""What a price depends on, as one text. Equal shapes cost the same."""

# No text, seed or address: they differ from job to job and cost nothing.
_PRICED_BY = (
    "audio",
    "draft",
    "duration",
    "fps",
    "generate_audio",
    "generation_type",
    "mode",
    "n",
    "num_images",
    "page_count",
    "quality",
    "resolution",
    "size",
    "sound",
    "target_fps",
    "upscale_factor",
)


def price_shape(job: JobPlanned) -> Shape:
    """Return what the price of *job* is thought to depend on."""
    # The ledger's decoder made the request from JSON.
    request = cast("dict[str, Json]", job.request)
    priced = {name: request[name] for name in _PRICED_BY if name in request}
    return canonical.encode([job.endpoint, job.model, priced]).decode()


@dataclass(frozen=True, slots=True)
class Price:
    """What was reserved for purchases of one shape, in the service's unit.

    Attributes:
        low: The least.
        usual: The median.
        high: The most.
        measured: How many purchases that is known from.
    """

    low: float
    usual: float
    high: float
    measured: int


def reserved(attempt: Attempt) -> Decimal | None:
    """Return the most that was ever reported for *attempt*, None where nothing was.

    A report that is no amount (negative, say) is none.
    """
    facts = (attempt.accepted, attempt.status, attempt.failed, attempt.succeeded)
    said = [amount_of(fact.credits) for fact in facts if fact is not None]
    return max((amount for amount in said if amount is not None), default=None)


def amount_of(credits_: float | None) -> Decimal | None:
    """Return credits as people write them: three times 0.1 is 0.3."""
    amount = amount_in(credits_)
    return None if amount is None else Decimal(repr(amount))


def prices(state: BatchState) -> dict[Shape, Price]:
    """Return the price of every shape that was bought, from what was reserved."""
    seen: dict[Shape, Counter[Decimal]] = defaultdict(Counter)
    for known in state.jobs.values():
        for attempt in known.attempts.values():
            amount = reserved(attempt)
            if amount is not None and known.planned is not None:
                seen[price_shape(known.planned)][amount] += 1
    return {shape: price_of(amounts) for shape, amounts in seen.items()}


def price_of(amounts: Counter[Decimal]) -> Price:
    """Return the price that *amounts* make, counted as often as each was reserved."""
    return Price(
        low=float(min(amounts)),
        usual=float(statistics.median(amounts.elements())),
        high=float(max(amounts)),
        measured=amounts.total(),
    )


@dataclass(frozen=True, slots=True)
class PriceLine:
    """Purchases of one shape.

    Attributes:
        example: One of them.
        jobs: How many there are.
        price: What each is thought to cost; None where nobody knows.
    """

    example: JobPlanned
    jobs: int
    price: Price | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """What purchases are thought to cost, from what the ledger measured."""

    lines: tuple[PriceLine, ...] = ()

    @property
    def jobs(self) -> int:
        """Purchases."""
        return sum(line.jobs for line in self.lines)

    @property
    def credits(self) -> float:
        """Sum of the usual prices, where one is known."""
        return _sum((p.usual, line.jobs) for line in self.lines if (p := line.price))

    @property
    def most(self) -> float:
        """Sum of the highest prices, where one is known: what a budget has to hold."""
        return _sum((p.high, line.jobs) for line in self.lines if (p := line.price))

    @property
    def unpriced(self) -> int:
        """Purchases of a shape that was never bought here."""
        return sum(line.jobs for line in self.lines if line.price is None)

    @property
    def measured(self) -> int:
        """Earlier purchases that the known prices come from."""
        return sum(line.price.measured for line in self.lines if line.price)

    def part(self, wanted: Iterable[JobPlanned]) -> Estimate:
        """Return what some of the purchases are thought to cost."""
        known = {price_shape(line.example): line.price for line in self.lines}
        return estimate(wanted, known)


def _sum(parts: Iterable[tuple[float, int]]) -> float:
    """Return what so many of each price come to, as people would add them."""
    return float(sum(Decimal(repr(price)) * number for price, number in parts))


def estimate(
    wanted: Iterable[JobPlanned], known: Mapping[Shape, Price | None]
) -> Estimate:
    """Return what buying *wanted* is thought to cost at *known* prices.

    The shape with most jobs is first.
    """
    examples: dict[Shape, JobPlanned] = {}
    shapes: Counter[Shape] = Counter()
    for job in wanted:
        shape = price_shape(job)
        shapes[shape] += 1
        examples.setdefault(shape, job)
    return Estimate(
        tuple(
            PriceLine(examples[shape], number, known.get(shape))
            for shape, number in shapes.most_common()
        )
    )


def canaries(
    wanted: Sequence[JobPlanned],
    known: Iterable[Shape],
    *,
    beside: Iterable[Shape] = (),
) -> list[JobPlanned]:
    """Return the first job of each price shape that is not *known*.

    Args:
        wanted: In the order in which they would be bought.
        known: Shapes that have a price.
        beside: Shapes for which no further canary helps.
    """
    seen, found = {*known, *beside}, []
    for job in wanted:
        shape = price_shape(job)
        if shape not in seen:
            seen.add(shape)
            found.append(job)
    return found
