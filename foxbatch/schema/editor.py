"""The manifest's schema as editors want it: with the parameters of the models in it.

`foxbatch validate` checks the shape of a manifest by one schema, and each job by that
of its model. An editor knows one schema only, in the part of draft 7 that YAML language
servers understand. So this one holds both, and is made from both.

It refuses nothing that `validate` takes, but for values that are never sent: those that
an exclude removes, and defaults that every job replaces.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias, cast

import jsonschema_rs

from foxbatch.canonical import Json
from foxbatch.schema.explain import Schema

_Object: TypeAlias = dict[str, Json]
_Named: TypeAlias = Mapping[str, Json]

_SHARED: Mapping[str, _Object] = {
    "reference": {
        "description": "Text with references, such as ${{ matrix.seconds }}.",
        "type": "string",
        "pattern": r"\$\{\{",
        "patternErrorMessage": "Write a value that the model takes, or ${{ … }}.",
    },
    "left-out": {
        "title": "{$unset: true}",
        "description": "Leaves a default out.",
        "type": "object",
        "required": ["$unset"],
        "additionalProperties": False,
        "properties": {
            "$unset": {"description": "Leaves a default out.", "const": True}
        },
    },
    "local-file": {
        "title": "{path: …}",
        "description": "A local file.",
        "type": "object",
        "required": ["path"],
        "additionalProperties": False,
        "properties": {
            "path": {
                "description": "A file of the repository, relative to the manifest.",
                "type": "string",
                "minLength": 1,
                "examples": ["refs/flowers.png"],
            }
        },
    },
}


def editor_schema(
    manifest: Schema, models: Mapping[str, Schema], *, providers: Schema
) -> dict[str, Json]:
    """Return the schema of manifests with the parameters of *models* in it.

    Args:
        manifest: The schema of every manifest.
        models: The schema of a request, by the model's name.
        providers: A schema of the values of `provider` that mean these models. Of a
            manifest that names another one, models and parameters are not judged.
    """
    whole = cast("_Object", _plain(dict(manifest)))
    definitions = cast("_Object", whole["definitions"])
    cast("_Object", definitions["model"])["examples"] = list(models)
    # Would be offered for every parameter alike.
    cast("_Object", definitions["filter"]).pop("examples")
    # Servers offer "array item" for each part of what is described in parts.
    axis = cast("_Object", definitions["axis"])
    axis["items"] = {"if": {}, "then": axis["items"]}
    definitions.update(_SHARED)
    shared = _Definitions(definitions)
    served: Json = {
        "if": {"properties": {"provider": dict(providers)}},
        "then": _served(models, shared),
    }
    # What editors show of a key is the first description they meet.
    top: _Object = {key: whole.pop(key) for key in _TOP if key in whole}
    definitions["manifest"] = {
        key: rest for key, rest in whole.items() if key not in {"$id", "definitions"}
    }
    return {**top, "allOf": [served, _ref("manifest")], "definitions": definitions}


# ---- the manifest

_TOP = ("$schema", "title", "description", "type", "defaultSnippets")

# Where keys are names; and where a value is only a value, and no schema.
_BY_NAME = frozenset({"properties", "patternProperties", "definitions"})
_VALUES = frozenset({"enum", "const", "default", "examples", "defaultSnippets"})


def _plain(schema: Json) -> Json:
    """Return *schema* without what only foxbatch understands."""
    if isinstance(schema, list):
        return [_plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    new: _Object = {}
    for keyword, value in schema.items():
        if keyword in _BY_NAME and isinstance(value, dict):
            new[keyword] = {k: _plain(v) for k, v in value.items()}
        elif not keyword.startswith("x-"):
            new[keyword] = value if keyword in _VALUES else _plain(value)
    return _for_editors(schema, new)


def _for_editors(schema: Schema, plain: _Object) -> _Object:
    """Return *plain* with what language servers show in place of other keywords.

    They show an example that is no scalar as `[object Object]`, but a snippet well.
    """
    new = dict(plain)
    examples = cast("list[Json]", new.pop("examples", []))
    scalars = [one for one in examples if not isinstance(one, dict | list)]
    if scalars:
        new["examples"] = cast("Json", scalars)
    built = [one for one in examples if isinstance(one, dict | list)]
    snippets: list[Json] = [{"label": _flow(one), "body": one} for one in built]
    if snippets := [*cast("list[Json]", new.pop("defaultSnippets", [])), *snippets]:
        new["defaultSnippets"] = snippets
    shown = "".join(f"\n\nSuch as `{_flow(one)}`." for one in built)
    told = str(schema.get("description", ""))
    if shown or "`" in told:
        new["markdownDescription"] = told + shown
    if "pattern" in schema and "x-hint" in schema:
        new["patternErrorMessage"] = schema["x-hint"]
    return new


def _flow(value: Json) -> str:
    """Return *value* on one line, as it may stand in a manifest."""
    match value:
        case dict():
            inside = (f"{key}: {_flow(one)}" for key, one in value.items())
            return "{" + ", ".join(inside) + "}"
        case list():
            return "[" + ", ".join(map(_flow, value)) + "]"
        case str():
            return value
        case _:
            return json.dumps(value)


# ---- the models


class _Definitions:
    """Definitions of a schema; equal ones are there once."""

    def __init__(self, definitions: _Object) -> None:
        self._all = definitions

    def add(self, kind: str, name: str, schema: _Object) -> Json:
        """Return a reference to *schema*, which is defined where it is not yet."""
        plain = re.sub(r"[^A-Za-z0-9._-]", "_", f"{kind}-{name}")
        keys = (f"{plain}-{n}" if n else plain for n in itertools.count())
        key = next(key for key in keys if self._all.get(key, schema) == schema)
        self._all[key] = schema
        return _ref(key)

    def description(self, schema: Json) -> str:
        """Return what *schema* says, or the definition that it refers to."""
        first = _mapping(schema)
        for one in cast("list[Json]", first.get("anyOf", [])):
            return self.description(one)
        key = str(first["$ref"]).rpartition("/")[2]
        return str(_mapping(self._all[key]).get("description", ""))


def _ref(key: str) -> Json:
    return {"$ref": f"#/definitions/{key}"}


def _served(models: Mapping[str, Schema], shared: _Definitions) -> Json:
    """Return what holds for a manifest whose provider has *models*."""
    name = shared.add(
        "model",
        "name",
        {
            "description": "Name of the model.",
            "anyOf": [{"enum": list(models)}, _ref("reference")],
        },
    )
    known = {model: _parameters(schema, model) for model, schema in models.items()}
    rules: list[Json] = []
    for model, parameters in known.items():
        closed = _is_closed(models[model])
        job = _job(model, _defined(parameters, shared), shared, name, closed=closed)
        rules.append({"if": _names([model]), "then": {"properties": job}})
    closed = all(map(_is_closed, models.values()))
    either = _job("any", _of_any(known, shared), shared, name, closed=closed)
    other: Json = {"not": _names(list(models))}
    rules.append({"if": other, "then": {"properties": either}})
    defaults: Json = {"model": name, "params": either["params"]}
    of_models: _Object = {"properties": {"model": name}, "allOf": rules}
    ref = shared.add("job", "of-models", of_models)
    return {
        "properties": {
            "defaults": {"properties": defaults, **_SILENT},
            "jobs": {"items": ref, **_SILENT},
        }
    }


def _names(models: Sequence[str]) -> Json:
    """Return the schema of jobs that name one of *models* themselves."""
    return {"required": ["model"], "properties": {"model": {"enum": list(models)}}}


def _defined(parameters: Mapping[str, _Object], shared: _Definitions) -> _Named:
    return {
        name: shared.add("param", name, _written(about))
        for name, about in parameters.items()
    }


def _of_any(
    known: Mapping[str, Mapping[str, _Object]], shared: _Definitions
) -> dict[str, Json]:
    """Return every parameter of all models: what any of them takes."""
    kinds: dict[str, list[Json]] = {}
    for parameters in known.values():
        for name, ref in _defined(parameters, shared).items():
            found = kinds.setdefault(name, [])
            found += [] if ref in found else [ref]
    return {
        name: refs[0] if len(refs) == 1 else {"anyOf": refs}
        for name, refs in kinds.items()
    }


def _job(
    model: str, parameters: _Named, shared: _Definitions, name: Json, *, closed: bool
) -> dict[str, Json]:
    """Return what a job of *model* may say where parameters stand."""
    params: _Object = {"properties": dict(parameters), **_SILENT}
    if closed:
        # What a model does not know may be left out, for it may be a default.
        no_such: _Object = {"errorMessage": "The model has no such parameter."}
        params["additionalProperties"] = {**_SHARED["left-out"], **no_such}
    feeding = {"model": name, **parameters}
    rules = [
        shared.add("feeds", axis, _feeds(axis, ref, shared.description(ref)))
        for axis, ref in feeding.items()
        if axis != "prompt"  # the same for every model
    ]
    where: Json = {"properties": {"where": _filter(parameters)}}
    return {
        "params": shared.add("params", model, params),
        "matrix": shared.add("matrix", model, {"allOf": rules, **_SILENT}),
        "repeat": {"items": where, **_SILENT},
    }


# The key itself is offered, and told of, where it is described for every manifest.
_SILENT: _Object = {"doNotSuggest": True}


def _feeds(axis: str, ref: Json, description: str) -> _Object:
    """Return what a matrix may say of a parameter, where it is no variable."""
    values: Json = {"description": description, "items": ref}
    extra: Json = {"anyOf": [ref, _ref("operators")]}
    variable: Json = {
        "required": ["variables"],
        "properties": {"variables": {"contains": {"const": axis}}},
    }
    said: Json = {
        "axes": {"properties": {axis: values}, **_SILENT},
        "exclude": {"items": _filter({axis: ref}), **_SILENT},
        "include": {"items": {"properties": {axis: extra}}, **_SILENT},
    }
    return {"if": variable, "else": {"properties": said}}


def _filter(parameters: _Named) -> Json:
    """Return what offers values of *parameters*, and takes whatever a filter takes."""
    offered: _Object = {
        name: {"anyOf": [ref, _ref("filter")]} for name, ref in parameters.items()
    }
    return {"properties": offered, **_SILENT}


# ---- one model's schema


_CHOSEN_BEFORE = "model"


def _parameters(schema: Schema, model: str) -> dict[str, _Object]:
    """Return the schemas of the parameters of *model*, without those it never takes."""
    properties = _mapping(schema.get("properties"))
    never = set(_forbidden(schema, model))
    return {
        name: _mapping(about)
        for name, about in properties.items()
        if not (name == _CHOSEN_BEFORE or name in never or about is False)
    }


def _forbidden(schema: Schema, model: str) -> Iterator[str]:
    """Yield the parameters that rules about the model alone take from *model*."""
    rules = schema.get("allOf")
    for rule in map(_mapping, rules if isinstance(rules, list) else []):
        when = rule.get("if")
        if not isinstance(when, dict) or not _is_about_model(when):
            continue
        holds = jsonschema_rs.validator_for(when).is_valid({_CHOSEN_BEFORE: model})
        then = _mapping(rule.get("then" if holds else "else"))
        for name, about in _mapping(then.get("properties")).items():
            if about in (False, {"not": {}}):
                yield name


def _is_about_model(when: _Object) -> bool:
    read = set(_mapping(when.get("properties"))) | set(
        cast("list[str]", when.get("required", []))
    )
    return when.keys() <= {"required", "properties"} and read == {_CHOSEN_BEFORE}


def _is_closed(schema: Schema) -> bool:
    return schema.get("additionalProperties") is False


def _mapping(value: Json) -> _Object:
    return value if isinstance(value, dict) else {}


# ---- one parameter's schema


_TOLD = ("title", "description", "default", "examples")

# Each of these narrows by itself, so that leaving out whatever else a schema says makes
# it only wider. The rest is for `validate`.
_NARROWS = frozenset(
    {"type", "enum", "const", "pattern", "multipleOf", "uniqueItems", "required"}
    | {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
    | {"minLength", "maxLength", "minItems", "maxItems"}
    | {"minProperties", "maxProperties"}
)


def _written(about: _Object) -> _Object:
    """Return what a manifest may write for a parameter that the model describes so."""
    told: _Object = {key: about[key] for key in _TOLD if key in about}
    takes_file = "x-url" in about or "x-url" in _mapping(about.get("items"))
    value = _value(about, files=takes_file)
    choices = [*cast("list[Json]", value["anyOf"]), _ref("left-out")]
    return {**_for_editors(told, told), "anyOf": choices}


def _value(about: _Object, *, files: bool) -> _Object:
    """Return a value so described, or text with references, or a local file."""
    value = {key: about[key] for key in about if key in _NARROWS}
    if "pattern" in about and "x-hint" in about:
        value["patternErrorMessage"] = about["x-hint"]
    if isinstance(inner := about.get("items"), dict):
        value["items"] = _value(inner, files=files)
    choices: list[Json] = [value, _ref("reference")]
    if files and _may_be_text(about.get("type")):
        choices.append(_ref("local-file"))
    return {"anyOf": choices}


def _may_be_text(kind: Json) -> bool:
    kinds = kind if isinstance(kind, list) else [kind]
    return kind is None or "string" in kinds
