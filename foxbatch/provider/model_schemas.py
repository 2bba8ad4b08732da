"""The schemas of a provider's models: ours, or those of a file in a checkout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from foxbatch.canonical import Json
from foxbatch.errors import InvalidError, Position, Problem
from foxbatch.provider.files import confined, problem_at, read
from foxbatch.schema import Checker, load_schema, schema_names, show
from foxbatch.yaml12 import Document, Where, parse

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def model_schema(
    name: str, folder: Path | None, position: Position
) -> Mapping[str, Json]:
    """Return the schema that a provider file calls *name*.

    Args:
        name: Of one that comes with foxbatch, or a path that begins with a dot.
        folder: What a path is relative to; None where such files were not kept, and
            their schemas stay empty.
        position: Where the name stands.

    Raises:
        InvalidError: There is none, or it cannot be used.
    """
    if not name.startswith("."):
        known = [each for each in schema_names() if each.startswith("models/")]
        if name in known:
            return load_schema(name)
        message = f"no model schema {show(name)} comes with foxbatch"
        hint = f"Write one of {', '.join(known)}, or a path that starts with a dot."
        raise InvalidError((Problem("E-PROVIDER-SCHEMA", message, position, hint),))
    if folder is None:
        return {}
    path = confined(name, folder, position)
    document = parse(read(path, name, position), file=(folder / name).as_posix())
    _check_schema(document)
    assert isinstance(document.value, dict)  # noqa: S101  just checked
    return document.value


def _check_schema(document: Document) -> None:
    """Raise `InvalidError` unless a model schema can be used without fetching more."""
    problems = [
        problem_at(
            document,
            where,
            "E-PROVIDER-SCHEMA",
            f"{value!r} is outside the file, and nothing is fetched",
            hint="Put the definition under $defs and refer to it with #/$defs/….",
        )
        for where, value in _references(document.value)
    ]
    problems += [
        problem_at(
            document,
            where,
            "E-PROVIDER-SCHEMA",
            "patternProperties are not looked at in the schema of a model",
            hint="Name the parameters under properties.",
            key=True,
        )
        for where in _patterned(document.value)
    ]
    if not problems:
        fault = _schema_fault(document.value)
        if fault:
            message = f"this is no JSON Schema: {fault}"
            problems.append(problem_at(document, (), "E-PROVIDER-SCHEMA", message))
    if problems:
        raise InvalidError(tuple(problems))


def _schema_fault(value: Json) -> str:
    if not isinstance(value, dict):
        return "it must be a mapping"
    try:
        Checker(value)
    except ValueError as error:
        return str(error).partition("\n")[0]
    return ""


def _references(value: Json, where: Where = ()) -> Iterator[tuple[Where, str]]:
    """Yield every place that would make a validator look elsewhere."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _references(item, (*where, index))
    elif isinstance(value, dict):
        for key, item in value.items():
            here = (*where, key)
            if key in ("$ref", "$dynamicRef") and isinstance(item, str):
                if not item.startswith("#"):
                    yield here, item
            elif key == "$schema" and isinstance(item, str):
                if item.rstrip("#") != _DIALECT:
                    yield here, item
            else:
                yield from _references(item, here)


def _patterned(value: Json, where: Where = ()) -> Iterator[Where]:
    """Yield every place whose keys are patterns, which may take for ever to match."""
    steps = enumerate(value) if isinstance(value, list) else ()
    inside = value.items() if isinstance(value, dict) else steps
    for step, item in inside:
        if step == "patternProperties":
            yield (*where, step)
        else:
            yield from _patterned(item, (*where, step))
