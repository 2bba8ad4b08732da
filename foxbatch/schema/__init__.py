"""JSON Schema answers in the user's words, at the user's line.

A fast validator says whether a value is valid; only when it is not, a second one
explains. Keywords of our own, which other tools ignore:

    x-hint      a sentence: what to write instead
    x-meant     right keys by wrong ones that people bring from elsewhere; the sentence
                about all of them is x-hint-meant
    x-code      problem codes by keyword, where another than the usual one is better
    x-notes     at the root: notes for values that are valid and may surprise
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, cast

import jsonschema_rs

from foxbatch.canonical import Json
from foxbatch.errors import Position, Problem, Severity, UsageError
from foxbatch.schema.causes import (
    extras,
    known,
    meant_key,
    relevant,
    roots,
    sure_key,
)
from foxbatch.schema.explain import Explanation, Locate, Schema
from foxbatch.schema.interplay import entangled
from foxbatch.schema.words import (
    either,
    nearest,
    only_near,
    place,
    pointer,
    show,
    suggest,
)
from foxbatch.yaml12 import Where

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator

__all__ = [
    "Checker",
    "Locate",
    "Schema",
    "either",
    "entangled",
    "load_schema",
    "nearest",
    "only_near",
    "place",
    "pointer",
    "schema_names",
    "show",
    "suggest",
]

_SUFFIX = ".schema.json"
_MADE = ".editor"  # made of other schemas, and there only to be pointed to


def load_schema(name: str) -> dict[str, Json]:
    """Return the schema called *name*: `manifest`, `provider`, `models/veo-3.1`, ….

    Raises:
        UsageError: There is none of that name.
    """
    if name not in schema_names():
        raise UsageError(
            f"there is no schema {show(name)}",
            hint=suggest(name, schema_names(), "Schemas"),
        )
    text = (_folder() / f"{name}{_SUFFIX}").read_text(encoding="utf-8")
    return cast("dict[str, Json]", json.loads(text))


def schema_names() -> list[str]:
    """Return the names that `load_schema` knows, sorted."""
    found = _folder().rglob(f"*{_SUFFIX}")
    names = (path.relative_to(_folder()).as_posix() for path in found)
    plain = (name.removesuffix(_SUFFIX) for name in names)
    return sorted(name for name in plain if not name.endswith(_MADE))


@functools.cache
def _folder() -> Path:
    # A wheel carries the schemas inside the package; an editable install does not,
    # and there the checkout has them.
    package = Path(str(resources.files("foxbatch")))
    inside = package / "_schemas"
    return inside if inside.is_dir() else package.parent / "schemas"


class Checker:
    """Checks values against one schema (draft 2020-12, or 7 where it says so)."""

    def __init__(self, schema: Schema) -> None:
        self._schema = dict(schema)
        self._fast = _fast(self._schema)
        self._worded = cast("dict[str, Json]", _worded(self._schema))

    def is_valid(self, value: Json) -> bool:
        """Return whether *value* is valid, quickly and without reasons."""
        return self._fast.is_valid(value)

    def problems(
        self, value: Json, locate: Locate, *, subject: str = "the file"
    ) -> list[Problem]:
        """Return what is wrong with *value*: root causes only, in the file's order.

        *subject* names the whole value in sentences.
        """
        if self._fast.is_valid(value):
            return []
        found = self._explained(value, locate, subject)
        if (meant := self._as_meant(value)) is not None:
            # What is right again with each key as it was meant only follows from it.
            left = self._explained(meant, lambda _where, _key: Position(""), subject)
            lasting = {(problem.code, problem.pointer) for problem in left}
            found = [
                problem
                for problem in found
                if problem.code == "E-KEY-UNKNOWN"
                or (problem.code, problem.pointer) in lasting
            ]
        return sorted(found, key=lambda problem: problem.position)

    def misspelt(self, value: Json) -> dict[Where, str]:
        """Return each unknown key of *value* that was surely meant as another one.

        No two of them are meant to be the same, and none is there already. Operators
        are left out: another one means something else.
        """
        if self._fast.is_valid(value):
            return {}
        found: dict[Where, str] = {}
        for error in self._roots(value):
            if error.validator != "additionalProperties":
                continue
            where: Where = tuple(error.absolute_path)
            taken = set(cast("dict[str, Json]", error.instance))
            for extra in extras(error):
                right = sure_key(extra, error.schema)
                operator = right is not None and right.startswith("$")
                if right is not None and right not in taken and not operator:
                    taken.add(right)
                    found[*where, extra] = right
        return found

    def _explained(self, value: Json, locate: Locate, subject: str) -> list[Problem]:
        return _once(
            problem
            for error in self._roots(value)
            for problem in Explanation(error, self._worded, locate, subject).problems()
        )

    def _roots(self, value: Json) -> Iterator[ValidationError]:
        errors = self._explaining.iter_errors(value)
        return roots([cause for error in errors for cause in relevant(error)])

    def _as_meant(self, value: Json) -> Json:
        """Return a mapping with its misspelt keys put right; None if it has none."""
        if not isinstance(value, dict):
            return None
        names = known(self._schema)
        near = {
            key: meant_key(key, self._schema) or key
            for key in value
            if key not in names
        }
        right = {near.get(key, key): inner for key, inner in value.items()}
        put_right = right.keys() != value.keys() and len(right) == len(value)
        return right if put_right else None

    def notes(self, value: Json, locate: Locate) -> list[Problem]:
        """Return the schema's notes (`x-notes`) that hold for *value*."""
        if not self._any_note.is_valid(value):
            return []
        found = (note for note, when in self._notes if when.is_valid(value))
        return [_note(note, locate) for note in found]

    @functools.cached_property
    def _explaining(self) -> Validator:
        # jsonschema takes a tenth of a second to import, and is needed only to explain.
        from jsonschema.validators import Draft202012Validator, extend, validator_for

        base = validator_for(self._worded, default=Draft202012Validator)
        words = {"pattern": _pattern}
        kind = extend(base, words)  # type: ignore[no-untyped-call]
        return cast("Validator", kind(self._worded))

    @functools.cached_property
    def _notes(self) -> list[tuple[dict[str, Json], jsonschema_rs.Validator]]:
        return [(note, _fast(note["when"])) for note in self._written_notes]

    @functools.cached_property
    def _any_note(self) -> jsonschema_rs.Validator:
        # Most values have no note, and one question is faster than many.
        return _fast({"anyOf": [False, *(one["when"] for one in self._written_notes)]})

    @property
    def _written_notes(self) -> list[dict[str, Json]]:
        return cast("list[dict[str, Json]]", self._schema.get("x-notes", []))


def _once(problems: Iterable[Problem]) -> list[Problem]:
    """Return *problems* with one per place and cause, and the hints of all of them."""
    found: dict[object, Problem] = {}
    for problem in problems:
        about_value = problem.code in {"E-TYPE", "E-ENUM"}
        key = (problem.code, problem.pointer) if about_value else problem
        first = found.setdefault(key, problem)
        if problem.hint not in first.hint:
            hint = f"{first.hint} {problem.hint}".lstrip()
            found[key] = replace(first, hint=hint)
    return list(found.values())


def _fast(schema: Json) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(cast("dict[str, Json] | bool", schema))


def _note(note: dict[str, Json], locate: Locate, *, key: bool = False) -> Problem:
    where: Where = (str(note["at"]),) if "at" in note else ()
    code = str(note["code"])
    return Problem(
        code=code,
        message=str(note["message"]),
        position=locate(where, key),
        hint=str(note.get("hint", "")),
        severity=_SEVERITIES[code[0]],
        pointer=pointer(where),
    )


_SEVERITIES = {"E": Severity.ERROR, "W": Severity.WARNING, "N": Severity.NOTE}


def _worded(schema: Json) -> Json:
    """Return *schema* with `false` properties spelled so that errors say where."""
    if isinstance(schema, list):
        return [_worded(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    new = {key: _worded(value) for key, value in schema.items()}
    for keyword in ("properties", "patternProperties"):
        if isinstance(described := new.get(keyword), dict):
            never: Json = {"not": {}}
            new[keyword] = {
                key: never if value is False else value
                for key, value in described.items()
            }
    return new


def _pattern(
    _validator: object, pattern: str, value: object, _schema: object
) -> Iterator[ValidationError]:
    """Yield an error where *value* is text of another form.

    Python's own matcher would need years for some patterns, and a schema may be a
    stranger's; besides, both validators have to agree.
    """
    from jsonschema.exceptions import ValidationError

    if isinstance(value, str) and not _matcher(pattern).is_valid(value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


@functools.lru_cache(maxsize=256)
def _matcher(pattern: str) -> jsonschema_rs.Validator:
    return _fast({"pattern": pattern})
