"""The local files of a request, checked against what its model takes.

In a model's schema `x-url` marks the parameters that hold addresses (URLs): `true`, or
the kind of file that they lead to (`image`, `video`, `audio`, `document`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import quote

from foxbatch.canonical import Json
from foxbatch.errors import InvalidError, Position, Problem
from foxbatch.matrix.locals import kinds_of, local_files, replaced
from foxbatch.matrix.requests import Draft, Recipe, parameters
from foxbatch.provider import Model
from foxbatch.schema import either, pointer
from foxbatch.sources import LocalFile
from foxbatch.yaml12 import Where

_KINDS = {
    "image": "image (PNG, JPEG, WebP or GIF)",
    "video": "video (MP4, MOV or WebM)",
    "audio": "audio file (MP3, WAV, Ogg, FLAC or M4A)",
    "document": "PDF",
}


def attach_files(draft: Draft, recipe: Recipe, model: Model) -> None:
    """Read the local files that *draft* names into its `files`.

    What is wrong with one is added to its problems, and its parameter is broken.
    """
    for name, value in draft.request.items():
        if _is_unknown(name, model):
            continue  # which is all there is to say about it
        for where, path in local_files(value, (name,)):
            at = recipe.position(draft, where, key=False)
            try:
                _check_place(where, path, model, at)
                file = recipe.sources.file(path, at=at)
                _check_kind(file, name, model, at)
            except InvalidError as error:
                draft.broken.add(name)
                place = pointer(recipe.place(draft, where))
                draft.problems += [replace(p, pointer=place) for p in error.problems]
            else:
                draft.files[path] = file


def as_checked(draft: Draft) -> dict[str, Json]:
    """Return the request as its model's schema sees it: an address for each file."""
    return _filled(draft, lambda path: f"https://upload.invalid/{quote(path, safe='')}")


def as_shown(draft: Draft) -> dict[str, Json]:
    """Return the request as people and ledgers see it: files with path and digest."""

    def shown(path: str) -> Json:
        file = draft.files[path]
        return {"path": file.path, "sha256": file.sha256}

    return _filled(draft, shown)


def as_identified(draft: Draft) -> dict[str, Json]:
    """Return the request as it enters the identity: files by their content alone."""
    return _filled(draft, lambda path: {"sha256": draft.files[path].sha256})


def _filled(draft: Draft, stand_in: Callable[[str], Json]) -> dict[str, Json]:
    request = draft.request.items()
    return {name: replaced(value, stand_in) for name, value in request}


# ---- what a model takes


def _properties(model: Model) -> Mapping[str, Json]:
    properties = model.schema.get("properties")
    return properties if isinstance(properties, dict) else {}


def _is_unknown(name: str, model: Model) -> bool:
    closed = model.schema.get("additionalProperties") is False
    return closed and name not in _properties(model)


def _takes(name: str, model: Model) -> Json:
    """Return what `x-url` says of a parameter, or of the items of its list."""
    schema = _properties(model).get(name)
    if not isinstance(schema, dict):
        return None
    items = schema.get("items")
    inside = items.get("x-url") if isinstance(items, dict) else None
    return schema.get("x-url", inside)


def _check_place(where: Where, path: str, model: Model, at: Position) -> None:
    """Raise `InvalidError` unless a file may stand there."""
    name = str(where[0])
    if not _takes(name, model):
        able = [other for other in parameters(model) if _takes(other, model)]
        hint = f"No parameter of {model.name} can be a local file."
        if able:
            hint = f"{model.name} takes local files as {either(able)}."
        raise _invalid(
            "E-FILE-PLACE",
            f"{name} is no address (URL), so it cannot be the file {path}",
            at,
            hint,
        )
    schema = _properties(model)[name]
    types = schema.get("type") if isinstance(schema, dict) else None
    takes_lists = types == "array" or (isinstance(types, list) and "array" in types)
    takes_text = types == "string" or (isinstance(types, list) and "string" in types)
    if len(where) == 1 and takes_lists and not takes_text:
        raise _invalid(
            "E-TYPE",
            f"{name} must be a list, not one file",
            at,
            f"Write a list: [{{path: {path}}}].",
        )


def _check_kind(file: LocalFile, name: str, model: Model, at: Position) -> None:
    """Raise `InvalidError` unless the first bytes are those of what is wanted."""
    kind, kinds = _takes(name, model), kinds_of(file.head)
    if kind in kinds or (kind not in _KINDS and kinds):
        return
    wanted = _KINDS.get(str(kind), "image, video, audio file or PDF")
    raise _invalid(
        "E-FILE-TYPE",
        f"{file.path} is no {wanted}",
        at,
        "What counts is how it begins, not its name: export it anew, or name another.",
    )


def _invalid(code: str, message: str, at: Position, hint: str) -> InvalidError:
    return InvalidError((Problem(code, message, at, hint),))
