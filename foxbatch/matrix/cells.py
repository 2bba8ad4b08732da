"""The product of a spec's axes: exclude drops cells, include adds to or after them.

Cells come one at a time; whether a filter can match at all, and how many cells there
are at most, is arithmetic on the dimensions. A sample is drawn between exclude and the
cells: what includes match was decided before it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from foxbatch import canonical
from foxbatch.canonical import Json
from foxbatch.errors import Position, Problem
from foxbatch.matrix.axes import (
    PROMPT,
    PROMPT_ID,
    Axis,
    Choice,
    Dimension,
    Reading,
    rendered_with_vars,
)
from foxbatch.matrix.filters import (
    Filter,
    axis_of,
    filter_rows,
    misspelt_value,
    operates,
    values_of,
    why_dead,
)
from foxbatch.matrix.reporting import warning
from foxbatch.matrix.sampling import Sampling, read_sampling
from foxbatch.matrix.slugs import labels
from foxbatch.schema import show, suggest

_SHOWN_VALUES = 8

Combination: TypeAlias = tuple[int, ...]
"""A row number for each dimension."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One combination, before anything is rendered.

    Attributes:
        choices: A value for each axis, in declared order; fewer where `alone`.
        extras: What includes add.
        alone: Index of the include that became this cell, None for the product.
    """

    choices: Mapping[str, Choice]
    extras: Mapping[str, Choice]
    alone: int | None = None

    def get(self, name: str) -> Choice | None:
        """Return the value called *name*, of an axis or an include."""
        return self.choices.get(name) or self.extras.get(name)

    def values(self) -> dict[str, Json]:
        """Return axis values and include extras as plain JSON, without the prompt."""
        values = {name: choice.value for name, choice in self.choices.items()}
        values.update((name, choice.value) for name, choice in self.extras.items())
        values.pop(PROMPT, None)
        values.pop(PROMPT_ID, None)
        return values


@dataclass(frozen=True, slots=True)
class Include:
    """One include entry, split.

    Attributes:
        index: Its place in the manifest.
        position: Where it is written.
        wanted: Its keys that are axes.
        extras: Its other keys.
        filter: What `wanted` means.
    """

    index: int
    position: Position
    wanted: Mapping[str, Choice]
    extras: Mapping[str, Choice]
    filter: Filter

    @property
    def operates(self) -> bool:
        """Return whether it has an operator, so that it can be no cell of its own."""
        return any(operates(choice.value) for choice in self.wanted.values())

    @property
    def given(self) -> Mapping[str, Choice]:
        """Return those of its axis values that a cell can get from it."""
        return {} if self.operates else self.wanted


@dataclass(slots=True)
class Walked:
    """What a walk through a product has met so far.

    Attributes:
        combinations: How many exclude has left, sampled or not.
        matched: Indices of the includes that fit any of them.
    """

    combinations: int = 0
    matched: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Product:
    """The cells of one spec."""

    axes: Mapping[str, Axis]
    dimensions: Sequence[Dimension]
    excludes: Sequence[Filter]
    includes: Sequence[Include]
    sampling: Sampling | None = None
    _columns: Mapping[str, tuple[int, int]] = field(init=False)

    def __post_init__(self) -> None:
        """Note where each axis stands among the dimensions."""
        at = {
            name: (dimension, member)
            for dimension, group in enumerate(self.dimensions)
            for member, name in enumerate(group.names)
        }
        object.__setattr__(self, "_columns", {name: at[name] for name in self.axes})

    @property
    def size(self) -> int:
        """Return how many combinations there are before exclude."""
        if not self.dimensions and self.includes:
            return 0  # only includes: they are the cells
        return math.prod(len(dimension.rows) for dimension in self.dimensions)

    @property
    def broken(self) -> bool:
        """Return whether an axis has no value that could be read."""
        return any(one.choices[0].broken for one in self.axes.values())

    @property
    def count(self) -> int | None:
        """Return how many cells there are; None where only walking them can tell."""
        if self.excludes:
            return None
        unmatched = [i for i in self.includes if i.filter.dead or not self.dimensions]
        size = self.size if self.sampling is None else self.sampling.among(self.size)
        return size + sum(1 for _ in self.alone(unmatched))

    def cells(self, walked: Walked, *, most: int) -> Iterator[Cell]:
        """Yield the cells in order. Arguments as for `steps`."""
        for step in self.steps(walked, most=most):
            yield step if isinstance(step, Cell) else self.cell(step)

    def steps(self, walked: Walked, *, most: int) -> Iterator[Combination | Cell]:
        """Yield what the cells are in order, the stand-alone includes last.

        Args:
            walked: Is kept up to date; complete when the stand-alone includes come.
            most: Nobody wants more cells than these: no more are held for a sample.
        """
        left = self._left(walked)
        sampling = self.sampling
        if sampling is not None and sampling.num < min(self.size, most):
            left = iter(sampling.choose(left))
        yield from left
        yield from self.alone(
            [i for i in self.includes if i.index not in walked.matched]
        )

    def _left(self, walked: Walked) -> Iterator[Combination]:
        """Yield what exclude leaves."""
        waiting = list(self.includes)
        ranges = [range(len(dimension.rows)) for dimension in self.dimensions]
        for at in itertools.product(*ranges) if self.size else ():
            if self.excludes and any(one.matches(at) for one in self.excludes):
                continue
            walked.combinations += 1
            if waiting:
                for include in [one for one in waiting if one.filter.matches(at)]:
                    walked.matched.add(include.index)
                    waiting.remove(include)
            yield at

    def cell(self, at: Combination) -> Cell:
        """Return one combination as a cell."""
        choices = {
            name: self.dimensions[dimension].rows[at[dimension]][member]
            for name, (dimension, member) in self._columns.items()
        }
        extras: dict[str, Choice] = {}
        for include in self.includes:
            if include.filter.matches(at):
                extras.update(include.extras)
        return Cell(choices, extras)

    def some(self, most: int) -> Iterator[Cell]:
        """Yield at most so many cells that, together, have each value if they can."""
        longest = max((len(one.rows) for one in self.dimensions), default=0)
        for number in range(min(longest, most)):
            at = [number % len(dimension.rows) for dimension in self.dimensions]
            if not any(one.matches(at) for one in self.excludes):
                yield self.cell(tuple(at))
        dead = [one for one in self.includes if one.filter.dead or not self.dimensions]
        yield from itertools.islice(self.alone(dead), most)

    def number(self, at: Combination) -> int:
        """Return the place of a combination among all, before exclude."""
        number = 0
        for dimension, row in zip(self.dimensions, at, strict=True):
            number = number * len(dimension.rows) + row
        return number

    def combination(self, number: int) -> Combination:
        """Return the combination at a place: the other way round."""
        at: list[int] = []
        for dimension in reversed(self.dimensions):
            number, row = divmod(number, len(dimension.rows))
            at.append(row)
        return tuple(reversed(at))

    def choice(self, axis: str, at: Combination) -> Choice:
        """Return the value of an axis in a combination."""
        dimension, member = self._columns[axis]
        return self.dimensions[dimension].rows[at[dimension]][member]

    def dimension_of(self, axis: str) -> int:
        """Return the number of the dimension that an axis walks in."""
        return self._columns[axis][0]

    def alone(self, includes: Sequence[Include]) -> Iterator[Cell]:
        """Yield the cells that *includes*, which match nothing, become.

        One that names no prompt is made once per prompt, the prompt slowest. One with
        an operator becomes none.
        """
        includes = [include for include in includes if not include.operates]
        prompts = self.axes[PROMPT].choices if PROMPT in self.axes else ()
        named = {i.index: self._named_prompt(i) for i in includes}
        for prompt in prompts:
            for include in includes:
                if named[include.index] in {None, prompt}:
                    yield self._alone(include, prompt)
        for include in includes:
            prompt_of_its_own = named[include.index]
            if prompt_of_its_own not in prompts and (prompt_of_its_own or not prompts):
                yield self._alone(include, prompt_of_its_own)

    def _named_prompt(self, include: Include) -> Choice | None:
        """Return the prompt that an include asks for: one of the axis, or a new one."""
        text, label = include.wanted.get(PROMPT), include.wanted.get(PROMPT_ID)
        prompts = self.axes[PROMPT].choices if PROMPT in self.axes else ()
        for prompt in prompts:
            if text is not None and not canonical.equal(text.value, prompt.value):
                continue
            if label is not None and label.value != prompt.label:
                continue
            if text is not None or label is not None:
                return prompt
        return text

    def _alone(self, include: Include, prompt: Choice | None) -> Cell:
        wanted = dict(include.wanted)
        if prompt is not None:
            wanted[PROMPT] = prompt
        choices = {name: wanted[name] for name in self.axes if name in wanted}
        return Cell(choices, include.extras, include.index)


def read_product(
    axes: Mapping[str, Axis], dimensions: Sequence[Dimension], reading: Reading
) -> Product:
    """Return the product with its filters; what is wrong with them is reported.

    Raises:
        InvalidError: A file that a sample depends on cannot be used.
    """
    spec = reading.spec
    excludes = (
        _exclude(entry, index, axes, dimensions, reading)
        for index, entry in enumerate(spec.exclude)
    )
    includes = (
        _include(entry, index, axes, dimensions, reading)
        for index, entry in enumerate(spec.include)
    )
    return Product(
        axes,
        dimensions,
        list(filter(None, excludes)),
        list(filter(None, includes)),
        read_sampling(axes, dimensions, reading),
    )


def _exclude(
    entry: Mapping[str, Json],
    index: int,
    axes: Mapping[str, Axis],
    dimensions: Sequence[Dimension],
    reading: Reading,
) -> Filter | None:
    known = all(axis_of(key) in axes for key in entry)
    if not known or reading.doubts("matrix", "exclude", index):
        return None
    at = reading.position("matrix", "exclude", index)
    wanted = {key: _choice(entry, key, "exclude", index, reading) for key in entry}
    complete = {key: choice for key, choice in wanted.items() if choice}
    if len(complete) < len(wanted):
        return None
    values = values_of(complete)
    found = filter_rows(values, dimensions)
    whole = all(axes[axis_of(key)].whole for key in complete)
    if found.dead and whole and not reading.spec.allow_unmatched:
        why = why_dead(values, axes)
        reading.error("E-EXCLUDE-DEAD", "this exclude matches nothing", at, why)
    return found


def _include(
    entry: Mapping[str, Json],
    index: int,
    axes: Mapping[str, Axis],
    dimensions: Sequence[Dimension],
    reading: Reading,
) -> Include | None:
    if reading.doubts("matrix", "include", index):
        return None
    at = reading.position("matrix", "include", index)
    known = {*axes, PROMPT_ID} if PROMPT in axes else set(axes)
    wanted: dict[str, Choice] = {}
    extras: dict[str, Choice] = {}
    for key in entry:
        choice = _choice(entry, key, "include", index, reading)
        if choice is None:
            return None
        (wanted if key in known else extras)[key] = choice
    if PROMPT_ID in entry and not _label_is_known(wanted, extras, axes, reading, index):
        return None
    extras.pop(PROMPT_ID, None)  # it is the label of the prompt beside it
    values = values_of(wanted)
    found = Include(index, at, wanted, extras, filter_rows(values, dimensions))
    whole = all(axes[axis_of(key)].whole for key in wanted)
    if found.operates and found.filter.dead and whole:
        reading.report(_dead_include(found, why_dead(values, axes)))
        return None
    return found


def _label_is_known(
    wanted: Mapping[str, Choice],
    extras: Mapping[str, Choice],
    axes: Mapping[str, Axis],
    reading: Reading,
    index: int,
) -> bool:
    """Return whether a `prompt_id` names a prompt, or labels one given beside it."""
    if PROMPT in wanted or PROMPT in extras:
        return True
    known = [p.label for p in axes[PROMPT].choices] if PROMPT in axes else []
    label = wanted.get(PROMPT_ID) or extras[PROMPT_ID]
    if label.value in known or operates(label.value):
        return True
    reading.error(
        "E-PROMPT-UNKNOWN",
        f"no prompt is called {show(label.value)}",
        reading.position("matrix", "include", index, PROMPT_ID),
        suggest(str(label.value), known[:_SHOWN_VALUES], "Prompts"),
    )
    return False


def _choice(
    entry: Mapping[str, Json], key: str, part: str, index: int, reading: Reading
) -> Choice | None:
    """Return the value of a filter or extra; a prompt stays as written."""
    where = (*reading.spec.where, "matrix", part, index, key)
    at = reading.manifest.document.position(where)
    if key != PROMPT:
        ok, value = rendered_with_vars(entry[key], where, reading)
        return Choice(value, where, at) if ok else None
    if part == "exclude":
        return Choice(entry[key], where, at)
    given = entry.get(PROMPT_ID)
    label = labels([entry[key]], [given if isinstance(given, str) else ""])[0]
    return Choice(entry[key], where, at, label, template=True)


def report_unmatched_includes(
    product: Product, matched: set[int], reading: Reading
) -> None:
    """Report the includes that fit no combination: most became jobs of their own.

    All axes have to be whole: a combination may be what is missing.
    """
    for include in product.includes:
        if include.index in matched or not product.axes:
            continue
        reading.report(_unmatched(include, product.axes))


def _unmatched(include: Include, axes: Mapping[str, Axis]) -> Problem:
    if include.operates:
        why = "The combinations that it would match are excluded."
        return _dead_include(include, why)
    if not include.wanted:
        return warning(
            "W-INC-ALONE",
            "everything is excluded, so this include becomes a job of its own",
            include.position,
            "Name the axes it is about, or remove it.",
        )
    typo = misspelt_value(values_of(include.wanted), axes)
    return warning(
        "W-INC-NEW" if typo else "N-INC-NEW",
        "this include matches no combination and becomes a job of its own",
        include.position,
        typo or "If it was meant to add to others, check its values.",
    )


def _dead_include(include: Include, why: str) -> Problem:
    return Problem(
        "E-INC-DEAD",
        "this include matches no combination, and with an operator it is no job of its "
        "own",
        include.position,
        why,
    )
