"""How many of each combination: a number, or the first entry of a list that fits."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from foxbatch.canonical import Json
from foxbatch.matrix.axes import PROMPT, Reading, rendered_with_vars
from foxbatch.matrix.cells import Cell, Product
from foxbatch.matrix.filters import axis_of, filter_rows, matches, seen_as, why_dead
from foxbatch.yaml12 import Where

USUAL = 1
"""How many of a combination that no entry fits."""


@dataclass(frozen=True, slots=True)
class Take:
    """One entry of a `repeat` that is a list.

    Attributes:
        n: How many.
        wanted: Values of axes and extras, or operators; empty fits everything.
        place: Where `wanted` stands in the manifest.
    """

    n: int
    wanted: Mapping[str, Json]
    place: Where

    def fits(self, cell: Cell) -> bool:
        """Return whether *cell* is meant; what it does not have fits nothing."""
        return all(_fits(key, value, cell) for key, value in self.wanted.items())


def _fits(key: str, wanted: Json, cell: Cell) -> bool:
    choice = cell.get(axis_of(key))
    return choice is not None and matches(wanted, seen_as(key, choice))


@dataclass(frozen=True, slots=True)
class Repeats:
    """How many of each combination of one product."""

    takes: Sequence[Take]
    product: Product
    reading: Reading = field(repr=False)

    def of(self, cell: Cell) -> int:
        """Return how many of *cell* are wanted."""
        return next((take.n for take in self.takes if take.fits(cell)), USUAL)

    @property
    def least(self) -> int:
        """Return how many there are of each combination at least."""
        return min(self._possible())

    @property
    def always(self) -> int | None:
        """Return how many there are of each; None where that depends on the cell."""
        return self.least if self.fixed else None

    @property
    def fixed(self) -> bool:
        """Return whether there are equally many of each."""
        return len(set(self._possible())) == 1

    def _possible(self) -> Iterator[int]:
        for take in self.takes:
            yield take.n
            if not take.wanted:
                return
        yield USUAL


def read_repeats(product: Product, reading: Reading) -> Repeats:
    """Return what `repeat` says; an entry with a broken `where` is left out."""
    spec = reading.spec
    takes = (
        _take(entry.n, entry.where, (*spec.repeat_where, index, "where"), reading)
        for index, entry in enumerate(spec.repeat)
    )
    return Repeats([take for take in takes if take is not None], product, reading)


def _take(
    n: int, written: Mapping[str, Json], place: Where, reading: Reading
) -> Take | None:
    if reading.manifest.doubts.touch(place[:-1]) and written:
        return None
    wanted: dict[str, Json] = {}
    for key, value in written.items():
        ok, wanted[key] = True, value
        if key != PROMPT:  # which is compared as it is written
            ok, wanted[key] = rendered_with_vars(value, (*place, key), reading)
        if not ok:
            return None
    return Take(n, wanted, place)


# ---- entries that fit nothing


def report_dead_takes(found: Sequence[Repeats]) -> None:
    """Report each `where` that can fit no combination of any spec it counts for.

    Nothing is walked to know it. Entries of `defaults` count for several specs, and it
    is enough if one of these has what they ask for.
    """
    users: dict[Where, list[tuple[Take, Repeats]]] = {}
    for one in found:
        for take in one.takes:
            users.setdefault(take.place, []).append((take, one))
    for place, pairs in users.items():
        if any(_may_fit(take, one) for take, one in pairs):
            continue
        take, first = pairs[0]
        first.reading.error(
            "E-REPEAT-DEAD",
            "this `where` fits no combination",
            first.reading.manifest.document.position(place),
            next(filter(None, (_why(take, one.product) for _, one in pairs)), _NEVER),
        )


_NEVER = "No combination has all of these values."


def _may_fit(take: Take, one: Repeats) -> bool:
    product = one.product
    axes = _axes(take, product)
    if one.reading.spec.allow_unmatched:
        return True
    if not all(product.axes[axis_of(key)].whole for key in axes):
        return True  # the combination that it is about may be what is missing
    if _fits_a_lone_include(take, product):
        return True
    given = [include.extras for include in product.includes]
    return not filter_rows(take.wanted, product.dimensions).dead and all(
        any(key in extras and matches(value, extras[key].value) for extras in given)
        for key, value in take.wanted.items()
        if key not in axes
    )


def _fits_a_lone_include(take: Take, product: Product) -> bool:
    """Return whether an include, as a cell of its own, may be meant."""
    by_prompt = any(axis_of(key) == PROMPT for key in take.wanted)
    return any(
        take.fits(cell)
        for include in product.includes
        for cell in itertools.islice(product.alone([include]), None if by_prompt else 1)
    )


def _axes(take: Take, product: Product) -> list[str]:
    return [key for key in take.wanted if axis_of(key) in product.axes]


def _why(take: Take, product: Product) -> str:
    known = {key: take.wanted[key] for key in _axes(take, product)}
    dead = filter_rows(known, product.dimensions).dead
    return why_dead(known, product.axes) if dead else ""
