"""How long tasks take, learned; and when to look for an end that is only that likely.

The best times to look at something that ends at an unknown moment follow from its
distribution (Keller, "Optimum checking schedules for systems subject to random
failure", 1974): looks are as dense as the square root of the hazard. So there are none
while no task ends, many where most do, and few in the long tail. Plain arithmetic.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Literal

_PRIOR_SIGMA, _PRIOR_WEIGHT = 0.35, 2.0
_LEAST_SIGMA = 0.03
_ROUNDS = 12  # of expectation and maximisation; more change nothing that matters


@dataclass(frozen=True, slots=True)
class Lognormal:
    """A distribution of durations, by mean and deviation of their logarithms."""

    mu: float
    sigma: float

    @property
    def mean(self) -> float:
        """Return the mean duration, in seconds."""
        return math.exp(self.mu + self.sigma**2 / 2)

    def at(self, z: float) -> float:
        """Return the duration *z* deviations from the median, in seconds."""
        return math.exp(self.mu + z * self.sigma)

    def z(self, duration_s: float) -> float:
        """Return by how many deviations *duration_s* is off the median."""
        if duration_s <= 0:
            return -math.inf
        return (math.log(duration_s) - self.mu) / self.sigma


def _density(z: float) -> float:
    return math.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def _hazard(z: float) -> float:
    """Return the hazard of the normal distribution; far out it approaches *z*."""
    if z > 8:  # noqa: PLR2004  where the quotient would lose its digits
        return z + 1 / z
    return _density(z) / (math.erfc(z / math.sqrt(2)) / 2)


@dataclass(slots=True)
class Sums:
    """Durations that were seen, as the sums of which a distribution is made.

    Attributes:
        count: How many; old ones count less after `fade`.
        total: Sum of their logarithms.
        squares: Sum of the squares of these.
    """

    count: float = 0.0
    total: float = 0.0
    squares: float = 0.0

    def add(self, logarithm: float) -> None:
        """Count one more duration."""
        self.count += 1
        self.total += logarithm
        self.squares += logarithm * logarithm

    def guess(
        self, ends: Lognormal, bound: float, *, side: Literal[-1, 1], weight: float
    ) -> None:
        """Count what is known only to lie above (1) or below (-1) the logarithm."""
        off = side * ends.sigma * _hazard(side * (bound - ends.mu) / ends.sigma)
        self.count += weight
        self.total += weight * (ends.mu + off)
        squares = ends.mu**2 + ends.sigma**2 + off * (bound + ends.mu)
        self.squares += weight * squares

    def fade(self) -> None:
        """Let all that were seen so far count half."""
        self.count, self.total = self.count / 2, self.total / 2
        self.squares /= 2

    def distribution(self) -> Lognormal:
        """Return what they seem to follow, mixed with what is usual while few are."""
        mu = self.total / self.count
        spread = max(0.0, self.squares - self.count * mu * mu)
        weight = self.count + _PRIOR_WEIGHT
        sigma = math.sqrt((spread + _PRIOR_WEIGHT * _PRIOR_SIGMA**2) / weight)
        return Lognormal(mu, max(_LEAST_SIGMA, sigma))


def fit(
    finished: Sums,
    alive: Sequence[float] = (),
    late: Sequence[float] = (),
    *,
    weight: float = 1.0,
) -> Lognormal:
    """Return the distribution that durations seem to have.

    The first tasks to end are the short ones: leaving out those that have not ended
    *yet* would make every first guess too short. And what had ended before anybody
    looked took less than it seems: counting it as it seems would make each next look
    later than the last.

    Args:
        finished: Durations that are known.
        alive: Logarithms of what unfinished tasks have taken so far.
        late: Logarithms of durations that are too long by nobody knows how much. There
            is something of it or of *finished*.
        weight: How many tasks each of *alive* stands for.
    """
    rough = replace(finished)
    for noticed in late:
        rough.add(noticed)
    ends = rough.distribution()
    for _ in range(_ROUNDS if alive or late else 0):
        # Expectation: what the others will have taken. Maximisation: what that means.
        guessed = replace(finished)
        for age in alive:
            guessed.guess(ends, age, side=1, weight=weight)
        for noticed in late:
            guessed.guess(ends, noticed, side=-1, weight=1)
        ends = guessed.distribution()
    return ends


_Z = [step / 20 for step in range(-120, 121)]
_FAR = 3.0  # deviations, beyond which a task is no longer what was learned about
_GROWTH = 1.05  # from one look to the next out there


class Schedule:
    """The best times to look at a task of which only the distribution is known.

    With the cost c of one look, in seconds of delay, looks have the density
    sqrt(hazard / 2 c). Its integral counts looks: the next one is due when it has grown
    by one.

    Args:
        ends: When tasks end, in seconds from their acceptance.
        cost: What one look is worth, as a share of the mean duration.
    """

    def __init__(self, ends: Lognormal, cost: float) -> None:
        self.ends = ends
        # In deviations: hazard(z) / (sigma t) for each second, sigma t seconds each.
        scale = ends.sigma / (2 * cost * ends.mean)
        roots = [math.sqrt(scale * ends.at(z) * _hazard(z)) for z in _Z]
        steps = [(high - low) for low, high in pairwise(_Z)]
        means = [(one + other) / 2 for one, other in pairwise(roots)]
        grown = (step * mean for step, mean in zip(steps, means, strict=True))
        self._looks = list(accumulate(grown, initial=0.0))

    def after(self, elapsed_s: float) -> float:
        """Return when to look next, in seconds from the start."""
        z = self.ends.z(elapsed_s)
        looks = _between(_Z, self._looks, z) + 1
        due_s = self.ends.at(_between(self._looks, _Z, looks))
        return max(due_s, elapsed_s * (_GROWTH if z > _FAR else 1.0))


def _between(xs: Sequence[float], ys: Sequence[float], x: float) -> float:
    """Return the value at *x* of the line through the points, flat outside them."""
    right = bisect_left(xs, x)
    if right == 0:
        return ys[0]
    if right == len(xs):
        return ys[-1]
    x0, x1, y0, y1 = xs[right - 1], xs[right], ys[right - 1], ys[right]
    return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
