"""A seeded choice among the combinations, the same on every machine.

Each combination has a rank, a digest of its axis values and the seed, and those with
the smallest ranks are kept. So a larger sample contains a smaller one, and neither the
order of the axes nor a further value changes any rank.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from foxbatch import canonical
from foxbatch.errors import InvalidError, Problem
from foxbatch.matrix.axes import Axis, Dimension, Reading
from foxbatch.matrix.locals import by_content
from foxbatch.matrix.reporting import warning

_Combination = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How many combinations are kept, and in which order they are drawn.

    Attributes:
        num: How many.
        prefix: What is digested before the values of a combination.
        columns: For each axis, sorted by name, its dimension and, for each row of
            that, the axis and its value as a part of canonical JSON.
    """

    num: int
    prefix: bytes
    columns: Sequence[tuple[int, Sequence[bytes]]]

    def among(self, size: int) -> int:
        """Return how many of *size* combinations are kept."""
        return min(self.num, size)

    def rank(self, at: Sequence[int]) -> bytes:
        """Return the rank of the combination of row numbers *at*: a SHA-256."""
        members = b",".join([rows[at[dimension]] for dimension, rows in self.columns])
        return hashlib.sha256(b"%b{%b}" % (self.prefix, members)).digest()

    def choose(self, combinations: Iterable[_Combination]) -> list[_Combination]:
        """Return the sample, in the order of *combinations*; no more are held."""
        ranked = ((self.rank(at), n, at) for n, at in enumerate(combinations))
        kept = heapq.nsmallest(self.num, ranked)
        return [at for _, at in sorted((number, at) for _, number, at in kept)]


def read_sampling(
    axes: Mapping[str, Axis], dimensions: Sequence[Dimension], reading: Reading
) -> Sampling | None:
    """Return the sample that the matrix asks for, if any.

    Raises:
        InvalidError: A local file among the values cannot be used.
    """
    wanted = reading.spec.sample
    if wanted is None:
        return None
    at = {
        name: (number, dimension)
        for number, dimension in enumerate(dimensions)
        for name in dimension.names
    }
    problems: list[Problem] = []
    columns: list[tuple[int, list[bytes]]] = []
    for name in sorted(axes):
        number, dimension = at[name]
        column = _column(name, dimension, reading, problems)
        columns.append((number, column))
    if problems:
        raise InvalidError(tuple(problems))
    prefix = f"foxbatch/sample/1\0{wanted.seed}\0".encode()
    return Sampling(wanted.num, prefix, columns)


def _column(
    name: str, dimension: Dimension, reading: Reading, problems: list[Problem]
) -> list[bytes]:
    member = dimension.names.index(name)
    found: list[bytes] = []
    for row in dimension.rows:
        choice = row[member]
        try:
            value = by_content(choice.value, reading.sources, at=choice.position)
        except InvalidError as error:
            problems += error.problems
        else:
            found.append(canonical.encode(name) + b":" + canonical.encode(value))
    return found


def note_of_whole_sample(combinations: int, reading: Reading) -> None:
    """Report that a sample leaves nothing out, if that is so."""
    wanted = reading.spec.sample
    if wanted is None or wanted.num < combinations:
        return
    reading.report(
        warning(
            "N-SAMPLE-ALL",
            f"the sample asks for {wanted.num:,}, and the number of combinations is "
            f"{combinations:,}: all are kept",
            reading.position("matrix", "sample", "num"),
            "Use a smaller `num`, or remove `sample`.",
        )
    )
