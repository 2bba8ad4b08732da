"""Random values that are the same on every machine and for ever.

Draw number i of an axis depends on the seed, the name of the axis and i, and on
nothing else: a longer list begins like the shorter one, and no axis disturbs another.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import struct
from collections.abc import Callable, Iterator, Sequence

from foxbatch import canonical
from foxbatch.canonical import Json
from foxbatch.matrix.refusals import MAX_VALUES, FormError, too_many

_DRAWS_PER_VALUE = 32  # all of n values are met in n·ln n draws, give or take a few n
_DRAWS_AT_LEAST = 1_000
_DRAWS_AT_MOST = 5_000_000  # seconds


class Source:
    """Something to draw from.

    Attributes:
        size: How many different values there can be at most.
    """

    def __init__(self, pick: Callable[[int], Json], size: int) -> None:
        self._pick, self.size = pick, size

    @classmethod
    def integers(cls, low: int, high: int) -> Source:
        """Draw from *low*, …, *high*, both included.

        Raises:
            FormError: *high* is below *low*.
        """
        _check_order(low, high, "int")
        size = high - low + 1
        return cls(lambda drawn: low + ((drawn * size) >> 64), size)

    @classmethod
    def floats(cls, low: float, high: float) -> Source:
        """Draw from the numbers between *low* and *high*.

        Raises:
            FormError: *high* is below *low*, or they are too far apart.
        """
        _check_order(low, high, "float")
        width = high - low
        if not math.isfinite(width):
            raise FormError(
                "E-NUMBER",
                f"{canonical.number(low)} and {canonical.number(high)} are further "
                "apart than the largest number",
                hint="Use bounds that are closer.",
                inside=("float",),
            )
        size = min(2**53, _rank(high) - _rank(low) + 1)
        return cls(lambda drawn: low + (drawn >> 11) / 2**53 * width, size)

    @classmethod
    def choice(cls, values: Sequence[Json]) -> Source:
        """Draw from *values*."""
        size = len({canonical.encode(value) for value in values})
        return cls(lambda drawn: values[(drawn * len(values)) >> 64], size)

    def draw(self, count: int, *, seed: int, axis: str) -> list[Json]:
        """Return the first *count* draws.

        Raises:
            FormError: There are too many.
        """
        if count > MAX_VALUES:
            raise too_many(count)
        drawn = itertools.islice(_numbers(seed, axis), count)
        return [self._pick(one) for one in drawn]

    def draw_unique(self, count: int, *, seed: int, axis: str) -> list[Json]:
        """Return the first *count* draws that differ from all before them.

        Raises:
            FormError: There are too many, or not so many different ones.
        """
        if count > MAX_VALUES:
            raise too_many(count)
        if count > self.size:
            raise _not_so_many(
                f"{count:,} different values cannot be drawn from {self.size:,}"
            )
        found: dict[bytes, Json] = {}
        most = min(_DRAWS_AT_LEAST + _DRAWS_PER_VALUE * count, _DRAWS_AT_MOST)
        for drawn in itertools.islice(_numbers(seed, axis), most):
            value = self._pick(drawn)
            found.setdefault(canonical.encode(value), value)
            if len(found) == count:
                return list(found.values())
        raise _not_so_many(
            f"{most:,} draws gave {len(found):,} different values, not {count:,}"
        )


def _not_so_many(message: str) -> FormError:
    return FormError(
        "E-RANDOM-UNIQUE",
        message,
        hint="Use a smaller num, or more to draw from.",
        inside=("num",),
    )


def _check_order(low: float, high: float, kind: str) -> None:
    if low > high:
        raise FormError(
            "E-RANGE-EMPTY",
            f"there is nothing from {canonical.number(low)} "
            f"through {canonical.number(high)}",
            hint="Write the smaller number first.",
            inside=(kind,),
        )


def _numbers(seed: int, axis: str) -> Iterator[int]:
    """Yield whole numbers of 64 bits, without end."""
    begin = hashlib.sha256(f"foxbatch/draw/1\0{seed}\0{axis}\0".encode())
    index = 0
    while True:
        digest = begin.copy()
        digest.update(str(index).encode())
        yield int.from_bytes(digest.digest()[:8], "big")
        index += 1


def _rank(value: float) -> int:
    """Return the place of *value* among all floats in order; 0 for 0."""
    (bits,) = struct.unpack(">q", struct.pack(">d", abs(value)))
    rank: int = bits
    return -rank if value < 0 else rank
