"""Keys that exist, and stand elsewhere: under `params`, in a job, one level deeper."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import replace

from foxbatch.canonical import Json
from foxbatch.errors import Problem
from foxbatch.manifest.reading import items, known_keys, mapping
from foxbatch.schema import (
    load_schema,
    nearest,
    only_near,
    place,
    pointer,
    schema_names,
    show,
)
from foxbatch.yaml12 import Document, Where

# Where the keys of each part stand, in words; the likeliest part first.
_PARTS = {
    "manifest": "at the top of the file, beside `jobs`",
    "matrix": "under the `matrix` of a job",
    "job": "in an entry of `jobs`",
    "defaults": "under `defaults`",
    "limits": "under `limits`",
    "retry": "under `retry`",
    "poll": "under `poll`",
    "accept": "under `accept`",
    "budget": "under `budget`",
}
_FORMS = ("lines", "file", "csv", "jsonl", "yaml", "variants")


def as_placed(problems: Iterable[Problem], document: Document) -> Iterator[Problem]:
    """Yield *problems* of shape; what stands in a wrong place is told so, once."""
    found = list(problems)
    shifted = dict(_not_indented(document))
    below = {(*where[:-1], key) for where, keys in shifted.items() for key in keys}
    zips: set[Where] = set()
    for problem in found:
        where = _steps(document.value, problem.pointer)
        if where in shifted and problem.code == "E-TYPE":
            yield _indent(problem, where, shifted[where])
        elif problem.code == "E-KEY-UNKNOWN":
            if where not in below:
                yield _elsewhere(problem, where, document.value)
        elif problem.code == "E-TYPE" and where[-2:-1] == ("zip",):
            if where[:-1] not in zips:
                zips.add(where[:-1])
                yield _one_group(problem, where[:-1], document.value)
        elif problem.code == "E-TYPE" and where:
            yield _written_out(problem, where, document)
        else:
            yield problem


def _steps(value: Json, at: str) -> Where:
    where: Where = ()
    for text in at.split("/")[1:]:
        step = text.replace("~1", "/").replace("~0", "~")
        index = int(step) if isinstance(value, list) and step.isdecimal() else None
        where = (*where, step if index is None else index)
        value = mapping(value).get(step) if index is None else items(value)[index]
    return where


def _at(value: Json, where: Where) -> Json:
    for step in where:
        value = items(value)[step] if isinstance(step, int) else mapping(value)[step]
    return value


# ---- Lines that are not indented


def _not_indented(document: Document) -> Iterator[tuple[Where, list[str]]]:
    """Yield each key without a value, with the unknown keys that follow it."""
    root = mapping(document.value)
    owners: list[tuple[Where, str, dict[str, Json]]] = [
        ((), "manifest", root),
        (("defaults",), "defaults", mapping(root.get("defaults"))),
    ]
    for index, entry in enumerate(items(root.get("jobs"))):
        job = mapping(entry)
        owners.append((("jobs", index), "job", job))
        matrix = mapping(job.get("matrix"))
        owners.append((("jobs", index, "matrix"), "matrix", matrix))
    for where, part, owner in owners:
        empty, strays = "", list[str]()
        for key, value in [*owner.items(), ("", "")]:
            known = key in known_keys(part) or key.startswith("x-") or not key
            if not known and empty:
                strays.append(key)
                continue
            if strays:
                yield (*where, empty), strays
            empty, strays = (key if value is None and known else ""), []


def _indent(problem: Problem, where: Where, keys: list[str]) -> Problem:
    shown = f"{', '.join(keys[:-1])} and {keys[-1]}" if len(keys) > 1 else keys[0]
    return replace(
        problem,
        message=f"{place(where)} is empty, and {shown} below it "
        f"{'belongs' if len(keys) == 1 else 'belong'} to "
        f"{place(where[:-1], root='the manifest')}",
        hint=f"Indent {shown} by two blanks more than {where[-1]}.",
    )


# ---- Keys of other parts


def _elsewhere(problem: Problem, where: Where, root: Json) -> Problem:
    *owner, name = where
    key, part = str(name), _part_of(tuple(owner))
    if part is None or problem.fix or _is_near(key, part):
        return problem
    hint = _hint(key, _at(root, where), part)
    return replace(problem, hint=hint, fix=()) if hint else problem


def _part_of(owner: Where) -> str | None:
    match owner:
        case ():
            return "manifest"
        case ("jobs", int()):
            return "job"
        case ("jobs", int(), "matrix"):
            return "matrix"
        case (str(key),) if key in _PARTS:
            return key
        case _:
            return None


def _is_near(key: str, part: str) -> bool:
    return only_near(key, known_keys(part)) is not None


def _hint(key: str, value: Json, part: str) -> str:
    if key == "axes":
        return "Put it under matrix: `matrix: {axes: …}`."
    for other, words in _PARTS.items():
        if other != part and key in known_keys(other):
            if other == "matrix" and part == "job":
                return f"Put it under matrix: `matrix: {{{key}: …}}`."
            return f"{key} stands {words}."
    if part in {"job", "defaults", "matrix"} and key in _parameters():
        if isinstance(value, list | dict) and part != "defaults":
            return f"Put it under matrix.axes: `axes: {{{key}: …}}`."
        return f"Put it under params: `params: {{{key}: {show(value)}}}`."
    if (
        part == "matrix"
        and isinstance(value, list)
        and not nearest(key, known_keys(part))
    ):
        return f"Put it under matrix.axes: `axes: {{{key}: …}}`."
    return ""


@functools.cache
def _parameters() -> frozenset[str]:
    """Return the names of parameters of any model that foxbatch knows."""
    schemas = (load_schema(name) for name in schema_names() if "models/" in name)
    names = (mapping(schema.get("properties")) for schema in schemas)
    return frozenset(name for some in names for name in some) - {"model", "prompt"}


# ---- Values of another shape


def _one_group(problem: Problem, where: Where, root: Json) -> Problem:
    value = _at(root, where)
    names = [one for one in items(value) if isinstance(one, str)]
    return replace(
        problem,
        message=f"{place(where)} must be a list of groups, each of them a list",
        pointer=pointer(where),
        hint=f"Put each group in brackets of its own: [[{', '.join(names)}]].",
    )


def _written_out(problem: Problem, where: Where, document: Document) -> Problem:
    value = _at(document.value, where)
    if where[-1] == "prompts" and isinstance(value, dict):
        form = next((key for key in _FORMS if key in value), "")
        if form:
            written = f"{{{form}: {value[form]}}}"
            return replace(problem, hint=f"Write a list: `- {written}`.")
    hint = _shape_hint(where, value)
    return replace(problem, hint=hint) if hint else problem


def _shape_hint(where: Where, value: Json) -> str:
    name = str(where[-1])
    scalar = not isinstance(value, list | dict) and value is not None
    match where:
        case (*_, "zip") if isinstance(value, str):
            return f"Write a list of lists: [[{value}, another_axis]]."
        case (*_, "axes", str()) if scalar:
            return f"Write a list: [{_plain(value)}]; or put one value under params."
        case (*_, "exclude" | "include") if isinstance(value, dict):
            return "Write a list of them: [{…}], or begin each with a dash."
        case (*_, int()) if value is None:
            return "Write a value, or remove the item."
        case _ if name in _EXAMPLES and isinstance(value, list):
            return f"Write it without dashes, as in {_EXAMPLES[name]}."
        case _ if name in _EXAMPLES and scalar:
            return f"Write {_EXAMPLES[name]}."
        case _:
            return ""


def _plain(value: Json) -> str:
    return value if isinstance(value, str) else show(value)


_EXAMPLES = {
    "vars": "vars: {name: value}",
    "let": "let: {name: value}",
    "params": "params: {duration: 4}",
    "matrix": "matrix: {axes: {duration: [4, 8]}}",
    "defaults": "defaults: {model: …, params: {duration: 4}}",
}
