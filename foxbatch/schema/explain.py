"""One error of the explaining validator, as problems for a person."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, TypeAlias, cast

from foxbatch.canonical import Json
from foxbatch.errors import Edit, Position, Problem
from foxbatch.schema.causes import extras, known, meant_key, missing
from foxbatch.schema.words import (
    TYPES,
    conversion,
    described,
    either,
    meant,
    only_near,
    place,
    pointer,
    show,
    shown,
    suggest,
)
from foxbatch.yaml12 import Where

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

Schema: TypeAlias = Mapping[str, Json]

Locate: TypeAlias = Callable[[Where, bool], Position]
"""Where a value stands in the user's file (with True: where its key stands)."""


# What each keyword's failure is called, and said with, after the place.
_SAID: Mapping[str, tuple[str, str]] = {
    "const": ("E-ENUM", "is {value}, and must be {limit}"),
    "minimum": ("E-RANGE", "is {value}, and must be at least {limit}"),
    "maximum": ("E-RANGE", "is {value}, and may be at most {limit}"),
    "exclusiveMinimum": ("E-RANGE", "is {value}, and must be more than {limit}"),
    "exclusiveMaximum": ("E-RANGE", "is {value}, and must be less than {limit}"),
    "multipleOf": ("E-RANGE", "is {value}, and must be a multiple of {limit}"),
    "minLength": ("E-LENGTH", "has {size:character}, and needs at least {limit}"),
    "maxLength": ("E-LENGTH", "has {size:character}, and may have at most {limit}"),
    "pattern": ("E-PATTERN", "{value} does not have the right form"),
    "format": ("E-PATTERN", "{value} is no {limit}"),
    "minItems": ("E-COUNT", "has {size:value}, and needs at least {limit}"),
    "maxItems": ("E-COUNT", "has {size:value}, and may have at most {limit}"),
    "minProperties": ("E-COUNT", "has {size:key}, and needs at least {limit}"),
    "maxProperties": ("E-COUNT", "has {size:key}, and may have at most {limit}"),
    "uniqueItems": ("E-COUNT", "holds a value twice"),
}


class _Count(int):
    """A number that is written with its noun: `1 value`, `2 values`."""

    def __format__(self, noun: str) -> str:
        return f"{int(self)} {noun}{'' if self == 1 else 's'}"


class Explanation:
    """One error of the explaining validator, being put into words."""

    def __init__(
        self, error: ValidationError, schema: Schema, locate: Locate, subject: str
    ) -> None:
        self._error, self._schema = error, schema
        self._locate = locate
        self._where: Where = tuple(error.absolute_path)
        self._value = cast("Json", error.instance)
        self._place = place(self._where, root=subject)
        self._limit = cast("Json", error.validator_value)
        self._own = cast("dict[str, Json]", error.schema)

    def problems(self) -> Iterator[Problem]:
        """Yield one problem, or one for each key that is unknown or missing."""
        keyword = str(self._error.validator)
        if "propertyNames" in self._error.absolute_schema_path:
            yield self._bad_name()
            return
        match keyword:
            case "not":
                yield self._not_allowed()
            case "additionalProperties" | "unevaluatedProperties":
                yield from map(self._unknown, extras(self._error))
            case "required":
                yield self._missing_key(missing(self._error))
            case "type":
                yield self._wrong_type(self._limit)
            case "enum":
                yield self._no_choice()
            case "anyOf" | "oneOf":
                yield self._no_alternative()
            case _:
                yield self._plain(keyword)

    def _at(self, where: Where, *, key: bool) -> Position:
        return self._locate(where, key)

    def _problem(
        self, code: str, message: str, hint: str = "", *, key: bool = False
    ) -> Problem:
        codes = cast("dict[str, str]", self._own.get("x-code", {}))
        return Problem(
            code=codes.get(str(self._error.validator), code),
            message=message,
            position=self._at(self._where, key=key),
            hint=self._hint() or hint,
            pointer=pointer(self._where),
        )

    def _unknown(self, extra: str) -> Problem:
        where, names = (*self._where, extra), known(self._own)
        position, near = self._at(where, key=True), only_near(extra, names)
        given = isinstance(self._value, dict) and near in self._value
        hint = suggest(extra, names, "Known keys")
        if extra in cast("dict[str, str]", self._own.get("x-meant", {})):
            usual = f"Did you mean {meant_key(extra, self._own)}?"
            hint, near = str(self._own.get("x-hint-meant", usual)), None
        return Problem(
            code="E-KEY-UNKNOWN",
            message=f"unknown key {show(extra)} in {self._place}",
            position=position,
            hint=hint,
            pointer=pointer(where),
            fix=(Edit(position, near),) if near and not given else (),
        )

    def _missing_key(self, key: str) -> Problem:
        keys = cast("dict[str, dict[str, str]]", self._own.get("properties", {}))
        hint = keys.get(key, {}).get("x-hint-missing", "")
        return Problem(
            code="E-KEY-MISSING",
            message=f"{self._place} has no {show(key)}",
            position=self._at(self._where, key=True),
            hint=hint or self._hint(),
            pointer=pointer(self._where),
        )

    def _wrong_type(self, expected: Json) -> Problem:
        kinds = expected if isinstance(expected, list) else [expected]
        names = [str(kind) for kind in kinds]
        words = either([TYPES[name] for name in names])
        message = f"{self._place} must be {words}, not {described(self._value)}"
        hint = self._choice_instead() or conversion(self._value, names)
        if self._value is None and self._is_required():
            hint = "Write a value."
        return self._problem("E-TYPE", message, hint)

    def _is_required(self) -> bool:
        """Return whether the value must be there."""
        around = [outer for _, outer in _trail(self._schema, self._path[:-2])]
        key = self._where[-1] if self._where else ""
        wanted = (outer.get("required") for outer in around)
        return any(isinstance(names, list) and key in names for names in wanted)

    @property
    def _path(self) -> list[str | int]:
        return list(self._error.absolute_schema_path)

    def _choice_instead(self) -> str:
        """Return what to write where not even the right type would be right."""
        choices = self._own.get("enum")
        if not isinstance(choices, list) or isinstance(self._value, list | dict):
            return ""
        if any(str(choice) == str(self._value) for choice in choices):
            return ""
        return meant(str(self._value), choices) or f"Write {either(shown(choices))}."

    def _no_choice(self) -> Problem:
        choices = cast("list[Json]", self._limit)
        allowed = either(shown(choices))
        message = f"{self._place} is {show(self._value)}, and must be {allowed}"
        return self._problem("E-ENUM", message, meant(self._value, choices))

    def _no_alternative(self) -> Problem:
        branches = cast("list[dict[str, Json]]", self._limit)
        types = [str(branch.get("type")) for branch in branches]
        if not any(_is_type(self._value, kind) for kind in types):
            return self._wrong_type(cast("Json", list(dict.fromkeys(types))))
        message = f"{self._place} has none of the possible forms, or several at once"
        return self._problem("E-SCHEMA", message, str(self._own.get("description", "")))

    def _not_allowed(self) -> Problem:
        always = self._limit == {}
        message = f"{self._place} is not allowed {'here' if always else 'as it is'}"
        return self._problem("E-NOT-ALLOWED", message, key=True)

    def _bad_name(self) -> Problem:
        name = str(self._value)
        where = (*self._where, name)
        return Problem(
            code="E-PATTERN",
            message=f"{show(name)} is not possible as a name in {self._place}",
            position=self._at(where, key=True),
            hint=self._hint(),
            pointer=pointer(where),
        )

    def _plain(self, keyword: str) -> Problem:
        if keyword not in _SAID:
            return self._problem("E-SCHEMA", f"{self._place}: {self._error.message}")
        code, said = _SAID[keyword]
        size = len(self._value) if isinstance(self._value, str | list | dict) else 0
        if keyword in {"minLength", "minItems", "minProperties"} and size == 0:
            said = "is empty"
        value, limit = show(self._value), show(self._limit).strip('"')
        words = said.format(value=value, limit=limit, size=_Count(size))
        return self._problem(code, f"{self._place} {words}")

    def _hint(self) -> str:
        """Return the nearest `x-hint`: of the failing schema or a rule around it."""
        trail = list(_trail(self._schema, self._error.absolute_schema_path))
        for step, outer in reversed(trail):
            is_rule = outer is self._error.schema or step in {"then", "else"}
            if (is_rule or isinstance(step, int)) and "x-hint" in outer:
                return str(outer["x-hint"])
        return ""


def _trail(
    schema: Schema, path: Iterable[str | int]
) -> Iterator[tuple[str | int, Schema]]:
    """Yield the schemas that *path* leads through, each after the step to it."""
    yield "", schema
    node: Json = dict(schema)
    for step in path:
        node = _child(node, step)
        while isinstance(node, dict) and "$ref" in node:
            target: Json = dict(schema)
            for part in str(node["$ref"]).removeprefix("#/").split("/"):
                target = _child(target, part)
            node = target
        if isinstance(node, dict):
            yield step, node


def _child(node: Json, step: str | int) -> Json:
    if isinstance(node, dict):
        return node.get(str(step))
    return node[step] if isinstance(node, list) and isinstance(step, int) else None


def _is_type(value: Json, kind: str) -> bool:
    python: dict[str, tuple[type, ...]] = {
        "string": (str,),
        "integer": (int,),
        "number": (int, float),
        "boolean": (bool,),
        "array": (list,),
        "object": (dict,),
        "null": (type(None),),
    }
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, python.get(kind, ()))
