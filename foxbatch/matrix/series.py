"""Numbers in steps, or evenly spread: exact arithmetic on the digits as written.

In binary 0.1 + 0.2 is 0.30000000000000004, and a last value that is missed or
overshot is a purchase. So everything is a fraction until a value is handed out.
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

from foxbatch.canonical import Json, number
from foxbatch.matrix.refusals import MAX_VALUES, FormError, too_many
from foxbatch.schema import show


def in_steps(first: float, through: float, step: float) -> list[Json]:
    """Return *first*, *first* + *step*, … as long as *through* is not passed.

    All are integers, or all floats where one of the three is a float.

    Raises:
        FormError: There is no value, there are too many, or they are too close.
    """
    if step == 0:
        raise FormError(
            "E-RANGE-STEP",
            "a range in steps of 0 never ends",
            hint="Write a step above 0, or below 0 to count down.",
            inside=("step",),
        )
    start, width = _exact(first), _exact(step)
    count = math.floor((_exact(through) - start) / width) + 1
    if count <= 0:
        way, other = ("down", "up") if step > 0 else ("up", "down")
        raise FormError(
            "E-RANGE-EMPTY",
            f"a range from {number(first)} through {number(through)} "
            f"in steps of {number(step)} has no values",
            hint=f"Exchange from and through to count {other}, or write "
            f"`step: {number(-step)}` to count {way}.",
        )
    floats = any(isinstance(one, float) for one in (first, through, step))
    return _values(start, width, count, floats=floats)


def evenly(first: float, through: float, count: int) -> list[Json]:
    """Return *count* values (>= 2) from *first* through *through*, both included.

    All are integers where every one is whole and no bound is a float, else all floats.

    Raises:
        FormError: There are too many, or they are too close.
    """
    start = _exact(first)
    width = (_exact(through) - start) / (count - 1)
    whole = isinstance(first, int) and isinstance(through, int)
    floats = not whole or width.denominator != 1
    return _values(start, width, count, floats=floats)


def _exact(written: float) -> Fraction:
    return Fraction(repr(written))  # of a float the digits that a person wrote


def _values(
    start: Fraction, width: Fraction, count: int, *, floats: bool
) -> list[Json]:
    if count > MAX_VALUES:
        raise too_many(count)
    # Division of integers is rounded once, and correctly.
    below = math.lcm(start.denominator, width.denominator)
    begin, add = int(start * below), int(width * below)
    values: list[Json] = [
        (begin + index * add) / below if floats else begin + index * add
        for index in range(count)
    ]
    for value, after in itertools.pairwise(values):
        if value == after:
            raise FormError(
                "E-RANGE-STEP",
                f"two values next to each other would both be {show(value)}",
                hint="Use fewer values or a larger step: numbers have 17 digits.",
            )
    return values
