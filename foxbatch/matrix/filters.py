"""What `exclude`, `include` and `where` ask for: values, or operators on them."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from foxbatch import canonical
from foxbatch.canonical import Json
from foxbatch.matrix.axes import PROMPT, PROMPT_ID, Axis, Choice, Dimension
from foxbatch.schema import nearest, show

_SHOWN_VALUES = 8


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


# ---- one value


def matches(wanted: Json, value: Json) -> bool:
    """Return whether *value* fits.

    A mapping with operators matches what all of them accept, any other mapping by the
    keys that it has, everything else by equality.
    """
    if not isinstance(wanted, dict):
        return canonical.equal(wanted, value)
    if _OPERATORS.keys() & wanted.keys():
        return all(
            name in _OPERATORS and _OPERATORS[name](operand, value)
            for name, operand in wanted.items()
        )
    return isinstance(value, dict) and all(
        key in value and matches(inner, value[key]) for key, inner in wanted.items()
    )


def operates(wanted: Json) -> bool:
    """Return whether *wanted* holds an operator, so that it is no value itself."""
    return isinstance(wanted, dict) and any(
        key in _OPERATORS or operates(inner) for key, inner in wanted.items()
    )


def _is_one_of(operand: Json, value: Json) -> bool:
    return isinstance(operand, list) and any(matches(one, value) for one in operand)


def _is_not(operand: Json, value: Json) -> bool:
    return not matches(operand, value)


def _compares(
    holds: Callable[[float, float], bool],
) -> Callable[[Json, Json], bool]:
    """Return the operator for which *holds* must be true; numbers only."""

    def compare(operand: Json, value: Json) -> bool:
        return _is_number(value) and _is_number(operand) and holds(value, operand)

    return compare


def _is_number(value: Json) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


_OPERATORS: Mapping[str, Callable[[Json, Json], bool]] = {
    "$in": _is_one_of,
    "$not": _is_not,
    "$gt": _compares(operator.gt),
    "$gte": _compares(operator.ge),
    "$lt": _compares(operator.lt),
    "$lte": _compares(operator.le),
}


# ---- the values of axes


def axis_of(key: str) -> str:
    """Return the axis that *key* of a filter is about."""
    return PROMPT if key == PROMPT_ID else key


def values_of(choices: Mapping[str, Choice]) -> dict[str, Json]:
    """Return what a filter asks for, without where it was written."""
    return {key: choice.value for key, choice in choices.items()}


def filter_rows(wanted: Mapping[str, Json], dimensions: Sequence[Dimension]) -> Filter:
    """Return which rows *wanted* means; keys that are no axis of them do not count."""
    rows: dict[int, frozenset[int]] = {}
    for index, dimension in enumerate(dimensions):
        keys = [key for key in wanted if axis_of(key) in dimension.names]
        if keys:
            rows[index] = frozenset(
                number
                for number, row in enumerate(dimension.rows)
                if all(_fits(key, wanted[key], dimension, row) for key in keys)
            )
    return Filter(rows)


def _fits(key: str, wanted: Json, dimension: Dimension, row: Sequence[Choice]) -> bool:
    return matches(wanted, seen_as(key, row[dimension.names.index(axis_of(key))]))


def seen_as(key: str, choice: Choice) -> Json:
    """Return what a filter's *key* sees of a value: of a prompt its text, or label."""
    return choice.label if key == PROMPT_ID else choice.value


# ---- why nothing matches


def why_dead(wanted: Mapping[str, Json], axes: Mapping[str, Axis]) -> str:
    """Return which value is no value of its axis, and what was probably meant."""
    for key, value in wanted.items():
        values = [seen_as(key, choice) for choice in axes[axis_of(key)].choices]
        if any(matches(value, one) for one in values):
            continue
        shown = ", ".join(show(one) for one in values[:_SHOWN_VALUES])
        more = ", …" if len(values) > _SHOWN_VALUES else ""
        meant = closest(value, values)
        hint = f"{key} is never {_written(value)}; its values are: {shown}{more}."
        if isinstance(value, list) and all(
            any(matches(one, known) for known in values) for one in value
        ):
            instead = f"{{{key}: {{$in: {show(value)}}}}}"
            return f"{hint} Write one entry per value, or {instead}."
        return hint if meant is None else f"{hint} Did you mean {show(meant)}?"
    return "No combination has all of these values."


def _written(value: Json) -> str:
    """Return *value* for a sentence, operators without quotes as in YAML."""
    return re.sub(r'"(\$[a-z]+)":', r"\1:", show(value))


def misspelt_value(wanted: Mapping[str, Json], axes: Mapping[str, Axis]) -> str:
    """Return which value is nearly one of its axis, in words; empty for none."""
    for key, value in wanted.items():
        values = [seen_as(key, choice) for choice in axes[axis_of(key)].choices]
        if any(matches(value, one) for one in values):
            continue
        if _is_number(value):
            values = [one for one in values if isinstance(one, str)]
        meant = closest(value, values)
        if meant is not None:
            return f"{key} is never {show(value)}. Did you mean {show(meant)}?"
    return ""


def closest(value: Json, values: Sequence[Json]) -> Json:
    """Return the one of *values* that was probably meant, None where none was."""
    if isinstance(value, list | dict):
        return None
    for other in values:
        if _as_word(other) == _as_word(value):
            return other  # "8" for 8
    if isinstance(value, str):
        return nearest(value, [other for other in values if isinstance(other, str)])
    if not _is_number(value):
        return None
    numbers = [other for other in values if _is_number(other)]
    return min(numbers, key=lambda number: abs(number - value), default=None)


def _as_word(value: Json) -> str | None:
    if isinstance(value, list | dict):
        return None
    return value if isinstance(value, str) else show(value)
