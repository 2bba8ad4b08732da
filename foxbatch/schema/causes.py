"""Root causes: which of a validator's many errors a person should read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, cast

from foxbatch.canonical import Json
from foxbatch.schema.words import nearest, only_near
from foxbatch.yaml12 import Where

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError


def relevant(error: ValidationError) -> Iterator[ValidationError]:
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
        yield from relevant(cause)


def _keys_fit_none(
    error: ValidationError, branches: Sequence[Sequence[ValidationError]]
) -> bool:
    """Return whether a mapping shares no key with any of several alternatives."""
    if not isinstance(error.instance, dict):
        return False
    return all(
        cause.validator in {"required", "additionalProperties"}
        and not set(known(cause.schema)).intersection(error.instance)
        for causes in branches
        for cause in causes
    )


def _distance(causes: Sequence[ValidationError]) -> tuple[int, int, int]:
    """Return how far a value is from an alternative; the nearest is explained."""
    # A missing or unknown key says that another form was meant.
    shape = {"required", "additionalProperties"}
    wrong_shape = sum(cause.validator in shape for cause in causes)
    deepest = max(len(cause.absolute_path) for cause in causes)
    return wrong_shape, len(causes), -deepest


# At one place only the first of these is said; the others follow from it.
_FIRST = ("not", "type", "const", "enum")


def roots(errors: Sequence[ValidationError]) -> Iterator[ValidationError]:
    """Yield those of *errors* that do not merely follow from another one."""
    places: dict[Where, list[ValidationError]] = {}
    for error in errors:
        places.setdefault(tuple(error.absolute_path), []).append(error)
    for here in places.values():
        first = min(map(_rank, here))
        for error in here:
            follows = first < _rank(error)
            if not follows and not _misspelt(error, here):
                yield error


def _rank(error: ValidationError) -> int:
    keyword = str(error.validator)
    if keyword == "not" and error.validator_value:
        return len(_FIRST)
    return _FIRST.index(keyword) if keyword in _FIRST else len(_FIRST)


def _misspelt(error: ValidationError, here: Sequence[ValidationError]) -> bool:
    """Return whether a key that is missing is there under a wrong name."""
    if error.validator != "required":
        return False
    absent = missing(error)
    return any(
        meant_key(extra, other.schema) == absent
        for other in here
        if other.validator == "additionalProperties"
        for extra in extras(other)
    )


def missing(error: ValidationError) -> str:
    """Return the key whose absence *error* is about."""
    # One error per missing key; only its text says which.
    wanted = cast("list[str]", error.validator_value)
    absent = [
        key for key in wanted if key not in cast("dict[str, Json]", error.instance)
    ]
    return next((key for key in absent if repr(key) in error.message), absent[0])


def extras(error: ValidationError) -> list[str]:
    """Return the keys of the value that the failing schema does not know."""
    schema = cast("dict[str, dict[str, Json]]", error.schema)
    patterns = list(schema.get("patternProperties", ()))
    return [
        key
        for key in cast("dict[str, Json]", error.instance)
        if key not in schema.get("properties", {})
        and not any(re.search(pattern, key) for pattern in patterns)
    ]


def meant_key(key: str, schema: object) -> str | None:
    """Return the key of *schema* that an unknown *key* was most likely meant to be."""
    synonyms = cast("dict[str, dict[str, str]]", schema).get("x-meant", {})
    return synonyms.get(key) or nearest(key, known(schema))


def sure_key(key: str, schema: object) -> str | None:
    """Return the key of *schema* that an unknown *key* surely was meant to be."""
    synonyms = cast("dict[str, dict[str, str]]", schema).get("x-meant", {})
    return synonyms.get(key) or only_near(key, known(schema))


def known(schema: object) -> list[str]:
    """Return the keys that *schema* describes and that can be used."""
    properties = cast("dict[str, dict[str, Json]]", schema).get("properties", {})
    return [
        key
        for key, value in properties.items()
        if not (isinstance(value, dict) and "not" in value)
    ]
