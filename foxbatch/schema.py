"""JSON Schema answers in the user's words, at the user's line.

A fast validator says whether a value is valid; only when it is not, a second one
explains. Keywords of our own, which other tools ignore:

    x-hint      a sentence: what to write instead
    x-code      the problem code, where another than the usual one is better
    x-not-yet   true or a sentence: specified, and not supported by this version
    x-notes     at the root: notes for values that are valid and may surprise
"""

from __future__ import annotations

import difflib
import functools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import jsonschema_rs

from foxbatch.canonical import Json, equal
from foxbatch.errors import Position, Problem, Severity, UsageError
from foxbatch.yaml12 import Where

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator

Schema: TypeAlias = Mapping[str, Json]

Locate: TypeAlias = Callable[[Where, bool], Position]
"""Where a value stands in the user's file (with True: where its key stands)."""

_SUFFIX = ".schema.json"
_SHOWN_LENGTH = 60


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
    return sorted(name.removesuffix(_SUFFIX) for name in names)


@functools.cache
def _folder() -> Path:
    # A wheel carries the schemas inside the package; an editable install does not,
    # and there the checkout has them.
    package = Path(str(resources.files("foxbatch")))
    inside = package / "_schemas"
    return inside if inside.is_dir() else package.parent / "schemas"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the one of *known* that *word* was most likely meant to be, if any."""
    candidates = list(known)
    plain = {_letters(candidate): candidate for candidate in candidates}
    if _letters(word) in plain:
        return plain[_letters(word)]
    close = difflib.get_close_matches(word, candidates, n=1, cutoff=0.6)
    return close[0] if close else None


def _letters(word: str) -> str:
    return re.sub(r"[-_ .]", "", word).casefold()


def suggest(word: str, known: Iterable[str], many: str) -> str:
    """Return a hint for an unknown *word*: the nearest known one, else all of them.

    *many* names them all: `Known keys` gives "Known keys: a, b."
    """
    candidates = list(known)
    if close := nearest(word, candidates):
        return f"Did you mean {close}?"
    return f"{many}: {', '.join(candidates)}." if candidates else ""


def show(value: Json) -> str:
    """Return *value* short enough for a sentence, text in double quotes."""
    text = json.dumps(value, ensure_ascii=False)
    if len(text) <= _SHOWN_LENGTH:
        return text
    return text[: _SHOWN_LENGTH - 2] + ('…"' if isinstance(value, str) else "…")


def place(where: Where, *, root: str = "") -> str:
    """Return *where* as people write it: `jobs[0].matrix.axes`."""
    text = ""
    for step in where:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.removeprefix(".") or root


def pointer(where: Where) -> str:
    """Return *where* as a JSON pointer (RFC 6901)."""
    steps = (str(step).replace("~", "~0").replace("/", "~1") for step in where)
    return "".join(f"/{step}" for step in steps)


_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}


def _described(value: Json) -> str:
    match value:
        case None:
            return "empty (null)"
        case bool():
            return show(value)
        case str():
            return f"the text {show(value)}"
        case int() | float():
            return f"the number {show(value)}"
        case list():
            return "a list"
        case dict():
            return "a mapping"


def _either(words: Sequence[str]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


class Checker:
    """Checks values against one schema (draft 2020-12, or 7 where it says so)."""

    def __init__(self, schema: Schema) -> None:
        self._schema = dict(schema)
        self._fast = jsonschema_rs.validator_for(_without_not_yet(self._schema))

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
        causes = [
            cause
            for error in self._explaining.iter_errors(value)
            for cause in _relevant(error)
        ]
        found: dict[Problem, None] = {}
        for error in _roots(causes):
            for problem in _Explanation(error, self._schema, locate, subject).problems():
                found[problem] = None
        return sorted(found, key=lambda problem: problem.position)

    def notes(self, value: Json, locate: Locate) -> list[Problem]:
        """Return the schema's notes (`x-notes`) that hold for *value*."""
        return [
            Problem(
                code=note["code"],
                message=note["message"],
                position=locate((note["at"],) if "at" in note else (), False),  # noqa: FBT003
                hint=note.get("hint", ""),
                severity=_SEVERITIES[note["code"][0]],
                pointer=pointer((note["at"],)) if "at" in note else "",
            )
            for note, when in self._notes
            if when.is_valid(value)
        ]

    @functools.cached_property
    def _explaining(self) -> Validator:
        # jsonschema takes a tenth of a second to import, and is needed only to explain.
        from jsonschema.validators import Draft202012Validator, extend, validator_for

        base = validator_for(self._schema, default=Draft202012Validator)
        kind = extend(base, {"x-not-yet": _not_yet})
        return cast("Validator", kind(self._schema))

    @functools.cached_property
    def _notes(self) -> list[tuple[dict[str, str], jsonschema_rs.Validator]]:
        notes = cast("list[dict[str, Any]]", self._schema.get("x-notes", []))
        return [(note, jsonschema_rs.validator_for(note["when"])) for note in notes]


_SEVERITIES = {"E": Severity.ERROR, "W": Severity.WARNING, "N": Severity.NOTE}


def _without_not_yet(schema: Json) -> Json:
    """Return *schema* with everything that is not supported yet made invalid."""
    if isinstance(schema, list):
        return [_without_not_yet(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "x-not-yet" in schema:
        return False
    return {key: _without_not_yet(value) for key, value in schema.items()}


def _not_yet(
    _validator: object, _sentence: object, _instance: object, _schema: object
) -> Iterator[ValidationError]:
    from jsonschema.exceptions import ValidationError

    yield ValidationError("not supported yet")


def _relevant(error: ValidationError) -> Iterator[ValidationError]:
    """Yield the causes of *error*: for alternatives, those of the one meant."""
    if error.validator not in {"anyOf", "oneOf"} or not error.context:
        yield error
        return
    branches: dict[object, list[ValidationError]] = {}
    for cause in error.context:
        branches.setdefault(cause.relative_schema_path[0], []).append(cause)
    here = error.absolute_path
    fitting = [
        causes
        for causes in branches.values()
        if not any(
            cause.validator in {"type", "const", "enum"} and cause.absolute_path == here
            for cause in causes
        )
    ]
    if not fitting or (len(fitting) > 1 and _keys_fit_none(error, fitting)):
        yield error
        return
    for cause in min(fitting, key=_distance):
        yield from _relevant(cause)


def _keys_fit_none(
    error: ValidationError, branches: Sequence[Sequence[ValidationError]]
) -> bool:
    """Return whether a mapping shares no key with any of several alternatives."""
    if not isinstance(error.instance, dict):
        return False
    return all(
        cause.validator in {"required", "additionalProperties"}
        and not set(_known(cause.schema)).intersection(error.instance)
        for causes in branches
        for cause in causes
    )


def _distance(causes: Sequence[ValidationError]) -> tuple[int, int, int]:
    """Return how far a value is from an alternative; the nearest is explained."""
    # Whatever is only unsupported was certainly meant; a missing or unknown key says
    # that another form was.
    shape = {"required", "additionalProperties"}
    wrong_shape = sum(cause.validator in shape for cause in causes)
    others = sum(cause.validator != "x-not-yet" for cause in causes)
    deepest = max(len(cause.absolute_path) for cause in causes)
    return wrong_shape, others, -deepest


# At one place only the first of these is said; the others follow from it.
_FIRST = ("x-not-yet", None, "type", "const", "enum")


def _roots(errors: Sequence[ValidationError]) -> Iterator[ValidationError]:
    leading: dict[Where, int] = {}
    for error in errors:
        where = tuple(error.absolute_path)
        leading[where] = min(leading.get(where, len(_FIRST)), _rank(error))
    for error in errors:
        where = tuple(error.absolute_path)
        if _rank(error) > leading[where] and leading[where] < len(_FIRST):
            continue
        if error.validator == "required" and _misspelt(error, errors):
            continue
        yield error


def _rank(error: ValidationError) -> int:
    keyword = cast("str | None", error.validator)
    return _FIRST.index(keyword) if keyword in _FIRST else len(_FIRST)


def _misspelt(required: ValidationError, errors: Sequence[ValidationError]) -> bool:
    """Return whether the key that is missing is there under a wrong name."""
    missing = _missing(required)
    return any(
        nearest(extra, _known(error.schema)) == missing
        for error in errors
        if error.validator == "additionalProperties"
        and error.absolute_path == required.absolute_path
        for extra in _extras(error)
    )


def _missing(error: ValidationError) -> str:
    # One error per missing key; only its text says which.
    wanted = cast("list[str]", error.validator_value)
    absent = [key for key in wanted if key not in cast("dict[str, Json]", error.instance)]
    return next((key for key in absent if repr(key) in error.message), absent[0])


def _extras(error: ValidationError) -> list[str]:
    schema = cast("dict[str, Any]", error.schema)
    patterns = list(schema.get("patternProperties", ()))
    return [
        key
        for key in cast("dict[str, Json]", error.instance)
        if key not in schema.get("properties", {})
        and not any(re.search(pattern, key) for pattern in patterns)
    ]


def _known(schema: object) -> list[str]:
    """Return the keys that *schema* describes and that can be used."""
    properties = cast("dict[str, dict[str, Any]]", schema).get("properties", {})
    return [
        key
        for key, value in properties.items()
        if value is not False and (value is True or "x-not-yet" not in value)
    ]


# What each keyword's failure is called, and said with: {place} has {value}, and the
# keyword asks for {limit}.
_SAID: Mapping[str, tuple[str, str]] = {
    "const": ("E-ENUM", "{place} is {value}, and must be {limit}"),
    "minimum": ("E-RANGE", "{place} is {value}, and must be at least {limit}"),
    "maximum": ("E-RANGE", "{place} is {value}, and may be at most {limit}"),
    "exclusiveMinimum": ("E-RANGE", "{place} is {value}, and must be more than {limit}"),
    "exclusiveMaximum": ("E-RANGE", "{place} is {value}, and must be less than {limit}"),
    "multipleOf": ("E-RANGE", "{place} is {value}, and must be a multiple of {limit}"),
    "minLength": ("E-LENGTH", "{place} has {size} characters, and needs {limit}"),
    "maxLength": ("E-LENGTH", "{place} has {size} characters, and may have {limit}"),
    "pattern": ("E-PATTERN", "{place} {value} does not have the right form"),
    "format": ("E-PATTERN", "{place} {value} is no {limit}"),
    "minItems": ("E-COUNT", "{place} has {size} values, and needs at least {limit}"),
    "maxItems": ("E-COUNT", "{place} has {size} values, and may have {limit}"),
    "minProperties": ("E-COUNT", "{place} has {size} keys, and needs at least {limit}"),
    "maxProperties": ("E-COUNT", "{place} has {size} keys, and may have {limit}"),
    "uniqueItems": ("E-COUNT", "{place} holds a value twice"),
    "not": ("E-NOT-ALLOWED", "{place} is not allowed as it is here"),
}


class _Explanation:
    """One error of the explaining validator, being put into words."""

    def __init__(
        self, error: ValidationError, schema: Schema, locate: Locate, subject: str
    ) -> None:
        self._error, self._schema = error, schema
        self._locate, self._subject = locate, subject
        self._where: Where = tuple(error.absolute_path)
        self._value = cast("Json", error.instance)
        self._place = place(self._where, root=subject)
        self._limit = cast("Json", error.validator_value)
        own = error.schema
        self._own = cast("dict[str, Any]", own if isinstance(own, dict) else {})

    def problems(self) -> Iterator[Problem]:
        """Yield one problem, or one for each key that is unknown or missing."""
        keyword = cast("str | None", self._error.validator)
        if "propertyNames" in self._error.absolute_schema_path:
            yield self._bad_name()
            return
        match keyword:
            case None:
                yield self._not_allowed()
            case "x-not-yet":
                yield self._not_yet()
            case "additionalProperties" | "unevaluatedProperties":
                yield from map(self._unknown, _extras(self._error))
            case "required":
                yield self._missing_key(_missing(self._error))
            case "type":
                yield self._wrong_type(self._limit)
            case "enum":
                yield self._no_choice()
            case "anyOf" | "oneOf":
                yield self._no_alternative()
            case _:
                yield self._plain(str(keyword))

    def _problem(
        self, code: str, message: str, hint: str = "", *, key: bool = False
    ) -> Problem:
        return Problem(
            code=self._own.get("x-code", code),
            message=message,
            position=self._locate(self._where, key),
            hint=self._hint() or hint,
            pointer=pointer(self._where),
        )

    def _unknown(self, extra: str) -> Problem:
        where = (*self._where, extra)
        known = _known(self._error.schema)
        return Problem(
            code="E-KEY-UNKNOWN",
            message=f"unknown key {show(extra)} in {self._place}",
            position=self._locate(where, True),  # noqa: FBT003
            hint=suggest(extra, known, "Known keys"),
            pointer=pointer(where),
        )

    def _missing_key(self, key: str) -> Problem:
        described = self._own.get("properties", {}).get(key, {})
        described = described if isinstance(described, dict) else {}
        return Problem(
            code="E-KEY-MISSING",
            message=f"{self._place} has no {show(key)}",
            position=self._locate(self._where, True),  # noqa: FBT003
            hint=described.get("x-hint-missing", "") or self._hint(),
            pointer=pointer(self._where),
        )

    def _wrong_type(self, expected: Json) -> Problem:
        kinds = expected if isinstance(expected, list) else [expected]
        names = [str(kind) for kind in kinds]
        words = _either([_TYPES[name] for name in names])
        message = f"{self._place} must be {words}, not {_described(self._value)}"
        return self._problem("E-TYPE", message, _conversion(self._value, names))

    def _no_choice(self) -> Problem:
        choices = cast("list[Json]", self._limit)
        allowed = _either([show(choice) for choice in choices])
        message = f"{self._place} is {show(self._value)}, and must be {allowed}"
        return self._problem("E-ENUM", message, _meant(self._value, choices))

    def _no_alternative(self) -> Problem:
        branches = cast("list[dict[str, Any]]", self._limit)
        types = [branch.get("type") for branch in branches]
        if all(types) and not any(_is_type(self._value, kind) for kind in types):
            return self._wrong_type(cast("Json", list(dict.fromkeys(types))))
        message = f"{self._place} has none of the possible forms, or several at once"
        return self._problem("E-SCHEMA", message, self._own.get("description", ""))

    def _not_allowed(self) -> Problem:
        name = self._place if self._where else show(self._value)
        return self._problem("E-NOT-ALLOWED", f"{name} is not allowed here", key=True)

    def _not_yet(self) -> Problem:
        message = f"{self._place} is not supported yet"
        said = self._limit if isinstance(self._limit, str) else ""
        return self._problem("E-NOT-YET", message, said, key=True)

    def _bad_name(self) -> Problem:
        name = str(self._value)
        where = (*self._where, name)
        return Problem(
            code=self._own.get("x-code", "E-PATTERN"),
            message=f"{show(name)} is not possible as a name in {self._place}",
            position=self._locate(where, True),  # noqa: FBT003
            hint=self._hint(),
            pointer=pointer(where),
        )

    def _plain(self, keyword: str) -> Problem:
        code, said = _SAID.get(keyword, ("E-SCHEMA", "{place}: " + self._error.message))
        size = len(self._value) if isinstance(self._value, str | list | dict) else 0
        if keyword.startswith("min") and size == 0 and keyword != "minimum":
            said = "{place} is empty"
        message = said.format(
            place=self._place,
            value=show(self._value),
            limit=show(self._limit).strip('"'),
            size=size,
        )
        return self._problem(code, message)

    def _hint(self) -> str:
        """Return the nearest `x-hint`: of the failing schema, or of a rule around it."""
        trail = list(_trail(self._schema, self._error.absolute_schema_path))
        for step, outer in reversed(trail):
            is_rule = outer is self._error.schema or step in {"then", "else"}
            if (is_rule or isinstance(step, int)) and "x-hint" in outer:
                return str(outer["x-hint"])
        return ""


def _trail(
    schema: Schema, path: Iterable[str | int]
) -> Iterator[tuple[str | int, dict[str, Any]]]:
    """Yield the schemas that *path* leads through, each with the step that led to it."""
    node: Any = schema
    for step in ("", *path):
        if step != "":
            node = node[step] if isinstance(node, list) or step in node else {}
        while isinstance(node, dict) and "$ref" in node:
            target: Any = schema
            for part in str(node["$ref"]).removeprefix("#/").split("/"):
                target = target[part]
            node = target
        if isinstance(node, dict):
            yield step, node


def _is_type(value: Json, kind: object) -> bool:
    python: dict[object, tuple[type, ...]] = {
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


def _conversion(value: Json, expected: Sequence[str]) -> str:
    """Return how to write *value* as what was expected, where that is plain."""
    match value:
        case str() if "boolean" in expected and value.lower() in _YES_NO:
            return f"Write {'true' if _YES_NO[value.lower()] else 'false'}."
        case str() if {"integer", "number"}.intersection(expected) and _number(value):
            return f"Remove the quotes: {value}."
        case bool() | int() | float() if "string" in expected:
            return f'Put it in quotes: "{show(value)}".'
        case list() | dict() | None:
            return ""
        case _ if "array" in expected:
            return f"Write a list: [{show(value)}]."
    return ""


_YES_NO = {"yes": True, "on": True, "y": True, "no": False, "off": False, "n": False}


def _number(text: str) -> bool:
    return re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text) is not None


def _meant(value: Json, choices: Sequence[Json]) -> str:
    """Return the choice that *value* was most likely meant to be, as a hint."""
    same_text = [choice for choice in choices if str(choice) == str(value)]
    if same_text and not equal(same_text[0], value):
        quotes = "Put it in quotes" if isinstance(same_text[0], str) else "Remove the quotes"
        return f"{quotes}: {show(same_text[0])}."
    texts = [choice for choice in choices if isinstance(choice, str)]
    close = nearest(value, texts) if isinstance(value, str) else None
    return f"Did you mean {show(close)}?" if close else ""
