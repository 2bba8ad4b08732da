"""The product of a spec's axes: exclude drops cells, include adds to or after them.

Cells come one at a time; whether a filter can match at all, and how many cells there
are at most, is arithmetic on the dimensions.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from foxbatch import canonical
from foxbatch.canonical import Json
from foxbatch.errors import Position
from foxbatch.matrix.axes import (
    PROMPT,
    PROMPT_ID,
    Axis,
    Choice,
    Dimension,
    Reading,
    rendered_with_vars,
)
from foxbatch.matrix.reporting import warning
from foxbatch.matrix.slugs import labels
from foxbatch.schema import nearest, show, suggest

_SHOWN_VALUES = 8


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
class Filter:
    """Which rows of which dimensions an exclude or include asks for.

    Attributes:
        rows: Dimension index to the rows that fit; others do not matter.
    """

    rows: Mapping[int, frozenset[int]]

    @property
    def dead(self) -> bool:
        """Return whether no combination of the whole product can match."""
        return not all(self.rows.values())

    def matches(self, at: Sequence[int]) -> bool:
        """Return whether the combination of row numbers *at* matches."""
        return all(at[dimension] in fitting for dimension, fitting in self.rows.items())


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


@dataclass(frozen=True, slots=True)
class Product:
    """The cells of one spec."""

    axes: Mapping[str, Axis]
    dimensions: Sequence[Dimension]
    excludes: Sequence[Filter]
    includes: Sequence[Include]
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
    def count(self) -> int | None:
        """Return how many cells there are; None where only walking them can tell."""
        if self.excludes:
            return None
        unmatched = [i for i in self.includes if i.filter.dead or not self.dimensions]
        return self.size + sum(1 for _ in self.alone(unmatched))

    def __iter__(self) -> Iterator[Cell]:
        matched: set[int] = set()
        if self.size:
            ranges = [range(len(dimension.rows)) for dimension in self.dimensions]
            for at in itertools.product(*ranges):
                if not any(one.matches(at) for one in self.excludes):
                    yield self._cell(at, matched)
        yield from self.alone([i for i in self.includes if i.index not in matched])

    def _cell(self, at: Sequence[int], matched: set[int]) -> Cell:
        choices = {
            name: self.dimensions[dimension].rows[at[dimension]][member]
            for name, (dimension, member) in self._columns.items()
        }
        extras: dict[str, Choice] = {}
        for include in self.includes:
            if include.filter.matches(at):
                matched.add(include.index)
                extras.update(include.extras)
        return Cell(choices, extras)

    def alone(self, includes: Sequence[Include]) -> Iterator[Cell]:
        """Yield the cells that *includes*, which match nothing, become.

        One that names no prompt is made once per prompt, the prompt slowest.
        """
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


def matches(wanted: Json, value: Json) -> bool:
    """Return whether *value* fits: mappings by subset, all else by equality."""
    if isinstance(wanted, dict) and isinstance(value, dict):
        return all(
            key in value and matches(inner, value[key]) for key, inner in wanted.items()
        )
    return canonical.equal(wanted, value)


def read_product(
    axes: Mapping[str, Axis], dimensions: Sequence[Dimension], reading: Reading
) -> Product:
    """Return the product with its filters; what is wrong with them is reported."""
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
        axes, dimensions, list(filter(None, excludes)), list(filter(None, includes))
    )


def _exclude(
    entry: Mapping[str, Json],
    index: int,
    axes: Mapping[str, Axis],
    dimensions: Sequence[Dimension],
    reading: Reading,
) -> Filter | None:
    at = reading.position("matrix", "exclude", index)
    wanted = {key: _choice(entry, key, "exclude", index, reading) for key in entry}
    complete = {key: choice for key, choice in wanted.items() if choice}
    if len(complete) < len(wanted):
        return None
    found = _filter(complete, dimensions)
    whole = all(axes[_axis_of(key)].whole for key in complete)
    if found.dead and whole and not reading.spec.allow_unmatched:
        reading.error(
            "E-EXCLUDE-DEAD",
            "this exclude matches nothing",
            at,
            _why_dead(complete, axes) or "No combination has all of these values.",
        )
    return found


def _include(
    entry: Mapping[str, Json],
    index: int,
    axes: Mapping[str, Axis],
    dimensions: Sequence[Dimension],
    reading: Reading,
) -> Include | None:
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
    return Include(index, at, wanted, extras, _filter(wanted, dimensions))


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
    if label.value in known:
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


def _axis_of(key: str) -> str:
    return PROMPT if key == PROMPT_ID else key


def _filter(wanted: Mapping[str, Choice], dimensions: Sequence[Dimension]) -> Filter:
    rows: dict[int, frozenset[int]] = {}
    for index, dimension in enumerate(dimensions):
        keys = [key for key in wanted if _axis_of(key) in dimension.names]
        if keys:
            rows[index] = frozenset(
                number
                for number, row in enumerate(dimension.rows)
                if all(_fits(key, wanted[key].value, dimension, row) for key in keys)
            )
    return Filter(rows)


def _fits(key: str, wanted: Json, dimension: Dimension, row: Sequence[Choice]) -> bool:
    choice = row[dimension.names.index(_axis_of(key))]
    if key == PROMPT_ID:
        return wanted == choice.label
    return matches(wanted, choice.value)


def _possible(key: str, axes: Mapping[str, Axis]) -> list[Json]:
    choices = axes[_axis_of(key)].choices
    return [choice.label if key == PROMPT_ID else choice.value for choice in choices]


def _why_dead(wanted: Mapping[str, Choice], axes: Mapping[str, Axis]) -> str:
    """Return which value is no value of its axis, and what was probably meant."""
    for key, choice in wanted.items():
        values = _possible(key, axes)
        if any(matches(choice.value, value) for value in values):
            continue
        shown = ", ".join(show(value) for value in values[:_SHOWN_VALUES])
        more = ", …" if len(values) > _SHOWN_VALUES else ""
        meant = closest(choice.value, values)
        hint = f"{key} is never {show(choice.value)}; its values are: {shown}{more}."
        return hint if meant is None else f"{hint} Did you mean {show(meant)}?"
    return ""


def closest(value: Json, values: Sequence[Json]) -> Json:
    """Return the one of *values* that was probably meant, None where none was."""
    for other in values:
        if _as_word(other) == _as_word(value):
            return other  # "8" for 8
    if isinstance(value, str):
        return nearest(value, [other for other in values if isinstance(other, str)])
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    numbers = [
        v for v in values if isinstance(v, int | float) and not isinstance(v, bool)
    ]
    return min(numbers, key=lambda number: abs(number - value), default=None)


def _as_word(value: Json) -> str | None:
    if isinstance(value, list | dict):
        return None
    return value if isinstance(value, str) else show(value)


def warn_of_lone_includes(product: Product, alone: set[int], reading: Reading) -> None:
    """Report the includes that match nothing and became jobs of their own."""
    for include in product.includes:
        if include.index not in alone or not product.axes:
            continue
        if not all(product.axes[_axis_of(key)].whole for key in include.wanted):
            continue  # the combination it is about may be what is missing
        if not include.wanted:
            reading.report(
                warning(
                    "W-INC-ALONE",
                    "everything is excluded, so this include becomes a job of its own",
                    include.position,
                    "Name the axes it is about, or remove it.",
                )
            )
            continue
        typo = _typo(include, product.axes)
        reading.report(
            warning(
                "W-INC-NEW" if typo else "N-INC-NEW",
                "this include matches no combination and becomes a job of its own",
                include.position,
                typo or "If it was meant to add to others, check its values.",
            )
        )


def _typo(include: Include, axes: Mapping[str, Axis]) -> str:
    for key, choice in include.wanted.items():
        values = _possible(key, axes)
        if any(matches(choice.value, value) for value in values):
            continue
        if isinstance(choice.value, int | float) and not isinstance(choice.value, bool):
            values = [value for value in values if isinstance(value, str)]
        meant = closest(choice.value, values)
        if meant is not None:
            return f"{key} is never {show(choice.value)}. Did you mean {show(meant)}?"
    return ""
