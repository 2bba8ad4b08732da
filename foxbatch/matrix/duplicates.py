"""Jobs that ask for the same: an error that shows both, or one job for all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from foxbatch.canonical import Digest
from foxbatch.errors import Position, Problem, Related
from foxbatch.matrix.cells import Cell
from foxbatch.matrix.fingerprints import Fingerprints
from foxbatch.matrix.job import Also, Job
from foxbatch.matrix.reporting import Tally
from foxbatch.schema import only_near

if TYPE_CHECKING:
    from foxbatch.manifest import Duplicates
    from foxbatch.matrix.work import Work

_CELLS = 40  # bits for the number of a cell in its spec


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A job that asks for something, as far as people have to know it."""

    name: str
    cell: Cell
    work: Work
    position: Position


class Identities:
    """Which jobs there were already.

    Nothing is kept of a job but the beginning of its digest and the number of its cell:
    from that, the first of two equal jobs is made anew when people have to see it.
    """

    def __init__(self, tally: Tally, duplicates: Duplicates) -> None:
        self._tally, self._duplicates = tally, duplicates
        self._works: list[Work] = []
        self._numbers: dict[str, int] = {}
        self._known = Fingerprints()
        self._collided: dict[bytes, int] = {}
        self._also: dict[Digest, list[Also]] = {}

    def add(self, work: Work) -> int:
        """Take the next spec; return what its cells are counted from."""
        self._works.append(work)
        return (len(self._works) - 1) << _CELLS

    def is_first(self, digest: bytes, number: int, repeat: int) -> bool:
        """Return whether no job before had this identity.

        A second one is counted as wrong, or remembered where duplicates are merged.

        Args:
            digest: What identifies it.
            number: Of its cell, counted from what `add` returned.
            repeat: Part of the identity, so that the first one has the same.
        """
        first = self._known.first(digest, number)
        if first == number:
            return True
        work, cell = self._place(first)
        if work.digest(cell, repeat) != digest:
            # They only begin alike, which the next one may do as well.
            first = self._collided.setdefault(digest, number)
            if first == number:
                return True
        self._count(digest, number, first, repeat)
        return False

    def _place(self, number: int) -> tuple[Work, Cell]:
        work = self._works[number >> _CELLS]
        return work, work.cell(number & ((1 << _CELLS) - 1))

    def _asked(self, digest: bytes, number: int, repeat: int) -> Asked:
        work, cell = self._place(number)
        name = work.name(cell, repeat, digest)
        return Asked(name, cell, work, work.fields.place(cell))

    def _count(self, digest: bytes, number: int, first: int, repeat: int) -> None:
        mine = self._asked(digest, number, repeat)
        if self._duplicates == "merge":
            also = Also(mine.work.spec, mine.name, mine.cell.values())
            self._also.setdefault(Digest(digest.hex()), []).append(also)
        else:
            problem = _duplicate(mine, self._asked(digest, first, repeat))
            self._tally.add(problem, mine.name)

    def with_also(self, job: Job) -> Job:
        """Return *job* with the jobs that were merged into it."""
        also = self._also.get(job.digest)
        return replace(job, also=tuple(also)) if also else job


def _duplicate(second: Asked, first: Asked) -> Problem:
    axis = second.work.inert_difference(second.cell, first.cell)
    if axis is not None and first.work is second.work:
        name, position = axis
        near = only_near(name, second.work.parameters)
        hint = f"Use ${{{{ matrix.{name} }}}} in a parameter or a prompt, or remove it."
        return Problem(
            "E-DUPLICATE-JOB",
            f"the values of {name} change no request: jobs would be bought twice",
            position,
            f"Did you mean {near}? {hint}" if near else hint,
        )
    return Problem(
        "E-DUPLICATE-JOB",
        f"this asks for the same as {first.work.spec}/{first.name}",
        second.position,
        "Remove one of them; to buy the same thing several times, use `repeat`; to buy "
        "it once for both, `duplicates: merge`.",
        related=(Related(first.position, f"{first.work.spec}/{first.name}"),),
    )
