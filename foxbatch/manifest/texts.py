"""YAML must not eat prompts: text cut at a `#`, or made something else by a mark."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from foxbatch.canonical import Json
from foxbatch.errors import Edit, Position, Problem
from foxbatch.manifest.cut import joined_lines
from foxbatch.manifest.prose import in_quotes, quoted
from foxbatch.manifest.reading import items, mapping, written_jobs
from foxbatch.schema import only_near, place, pointer, show
from foxbatch.yaml12 import Document, Where

PROMPT_FORMS = ("text", "lines", "file", "csv", "jsonl", "yaml", "variants")
_KEYS = ("id", *PROMPT_FORMS)
_AXIS_FORMS = ("range", "linspace", "random")
_FREE_TEXT = ("prompt", "negative_prompt", "text", "lyrics", "style")
_LONG_TEXT = (*_FREE_TEXT, "variants")
_NAMES = ("name", "description", "provider", "id", "model", "output")
# Problems of a value that is no text, where quotes make it one.
_NO_TEXT = frozenset({"E-TYPE", "E-NUMBER", "E-YAML-ALIAS", "E-YAML-TAG"})
_OPERATOR = re.compile(r"\$[a-z]+\Z")
_BEFORE_ITEM = re.compile(r"\s*(?:-\s+)*(?:[\w-]+:\s+)?")
_ALIAS = re.compile(r"\*([^\s,\[\]{}]+)")
_ANCHOR = re.compile(r"&(\S+)\s+|!\s+")
_MARKS = {
    "?": "a question mark and a blank in front make it a key",
    "{": "its braces make it a mapping",
}


class Text(NamedTuple):
    """What may be text.

    Attributes:
        where: Its place.
        value: What YAML made of it.
        free: Whether it can be nothing but text.
        prompt: Whether it is a prompt, which is no list either.
    """

    where: Where
    value: Json
    free: bool
    prompt: bool = False


def eaten_text(document: Document) -> Iterator[Problem]:
    """Yield each text that YAML reads as less than what was written."""
    aliases = frozenset(_ALIAS.findall(document.text))
    for text in texts(document):
        match text.value:
            case dict(value):
                if text.free:
                    yield from _text_as_mapping(document, text, value)
                for where, inner in _leaves(text.where, value):
                    yield from _cut_by_comment(document, where)
                    yield from joined_lines(document, where, inner)
            case list(items_) if text.prompt:
                yield from _text_as_list(document, text.where, items_)
            case None if text.free:
                yield from _cut_by_comment(document, text.where)
            case str(value) if text.free or " " in value:
                yield from joined_lines(document, text.where, value)
                yield from _cut_by_comment(document, text.where)
                yield from _cut_in_front(document, text.where, value, aliases)


def _leaves(where: Where, value: dict[str, Json]) -> Iterator[tuple[Where, str]]:
    """Yield the texts of several words inside a mapping, or of keys for free text."""
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield from _leaves((*where, key), inner)
        elif isinstance(inner, str) and (key in _LONG_TEXT or " " in inner):
            yield (*where, key), inner


def texts(document: Document) -> Iterator[Text]:
    """Yield what may be text in a manifest of any shape."""
    root = mapping(document.value)
    for name, value in mapping(root.get("vars")).items():
        yield Text(("vars", name), value, free=False)
    yield from _param_texts(("defaults",), mapping(root.get("defaults")))
    for where, job in written_jobs(document):
        for index, prompt in enumerate(items(job.get("prompts"))):
            yield Text((*where, "prompts", index), prompt, free=True, prompt=True)
        yield from _param_texts(where, job)
        for name, value in mapping(job.get("let")).items():
            yield Text((*where, "let", name), value, free=False)
        matrix = mapping(job.get("matrix"))
        for part in ("include", "exclude"):
            for index, entry in enumerate(items(matrix.get(part))):
                yield Text((*where, "matrix", part, index), entry, free=False)
        for name, values in mapping(matrix.get("axes")).items():
            at = (*where, "matrix", "axes", name)
            if "variants" in mapping(values):
                variants = mapping(values)["variants"]
                yield Text((*at, "variants"), variants, free=True)
            for index, value in enumerate(items(values)):
                free = name in _FREE_TEXT
                yield Text((*at, index), value, free, prompt=name == "prompt")


def _param_texts(where: Where, owner: Mapping[str, Json]) -> Iterator[Text]:
    for name, value in mapping(owner.get("params")).items():
        yield Text((*where, "params", name), value, free=name in _FREE_TEXT)


# ---- What was meant


def with_quotes(problems: Iterable[Problem], document: Document) -> Iterator[Problem]:
    """Yield *problems*; what is no text and can be nothing else may get quotes."""
    places = {
        document.position(text.where): text.where
        for text in (*texts(document), *_names(document))
        if text.free and not isinstance(text.value, list | dict)
    }
    for problem in problems:
        where = places.get(problem.position)
        if where is None or problem.code not in _NO_TEXT:
            yield problem
        else:
            yield _with_quotes(problem, document, _written(document, where))


def _with_quotes(problem: Problem, document: Document, at: Position | None) -> Problem:
    hint = problem.hint
    if at is not None and problem.code in {"E-YAML-ALIAS", "E-YAML-TAG"}:
        hint = f"Put the text in quotes: {in_quotes(document.source(at))}."
    return replace(problem, hint=hint, fix=_in_quotes(document, at))


def _names(document: Document) -> Iterator[Text]:
    """Yield the names of a manifest; a number or `no` may be meant as one."""
    for where, owner in (((), mapping(document.value)), *written_jobs(document)):
        for name in _NAMES:
            if owner.get(name) is not None:
                yield Text((*where, name), owner[name], free=True)


def _written(document: Document, where: Where) -> Position | None:
    """Return the one line of prose that became the value at *where*, if it is one."""
    return _line_of(document, document.position(where))


def _line_of(document: Document, at: Position) -> Position | None:
    if at.file != document.file:
        return None
    line = document.line(at.line)
    if _BEFORE_ITEM.fullmatch(line[: at.column - 1]):
        # In a list of lines it goes on to the end of its line, and no further.
        end = len(line.rstrip()) + 1
        return None if at.end_line > at.line else replace(at, end_column=end)
    return at if at.line == at.end_line else None


def _in_quotes(document: Document, at: Position | None) -> tuple[Edit, ...]:
    source = "" if at is None else document.source(at)
    # Where nothing stands, nothing was meant; and quotes would touch the colon.
    return () if at is None or not source else (Edit(at, quoted(source)),)


# ---- What became of it


def _cut_by_comment(document: Document, where: Where) -> Iterator[Problem]:
    comment = document.comment_after(where)
    at = document.position(where)
    if comment is None or document.source(at) in {"null", "~"}:
        return
    position, lost = comment
    last = document.line(position.line)
    start = at.column - 1 if at.line == position.line else 0
    whole = last[start:].strip()
    written = position if not document.source(at) else _written(document, where)
    # "#66" is a number or a tag; "# 66" may be what somebody says about the line.
    glued = re.match(r"#+(?:\w|$)", lost) is not None
    yield Problem(
        "E-TEXT-COMMENT",
        f"the text ends before {show(lost)}, which YAML takes for a comment",
        position,
        f"Write {in_quotes(whole)} in quotes if # is part of the text; else move the "
        "comment to a line of its own.",
        pointer=pointer(where),
        fix=_in_quotes(document, written) if glued else (),
    )


def _cut_in_front(
    document: Document, where: Where, value: str, aliases: Container[str]
) -> Iterator[Problem]:
    """Report a word in front of a text that YAML takes for an anchor or a tag."""
    at = _written(document, where)
    source = "" if at is None else document.source(at)
    found = _ANCHOR.match(source)
    if found is None or source[found.end() :] != value:
        return
    name = found[1]
    if name and name in aliases:
        return  # an anchor that is used is one
    what = "an anchor" if name else "a tag"
    yield Problem(
        "E-TEXT-MARK",
        f"the text begins after {show(found[0].strip())}, which YAML takes for {what}",
        document.position(where),
        f"Put the text in quotes: {in_quotes(source)}.",
        pointer=pointer(where),
        fix=_in_quotes(document, at),
    )


def _text_as_list(
    document: Document, where: Where, values: list[Json]
) -> Iterator[Problem]:
    """Report text that brackets, or a second dash, turned into a list."""
    at = _written(document, where)
    if at is None:
        return
    source = document.source(at)
    if any(isinstance(value, dict) for value in values) and source[0] != "[":
        return
    what = "brackets make" if source[0] == "[" else "second dash makes"
    yield Problem(
        "E-TEXT-LIST",
        f"{place(where)} is not text: its {what} it a list",
        document.position(where),
        f"Put the text in quotes: {in_quotes(source)}.",
        pointer=pointer(where),
        fix=_in_quotes(document, at),
    )


def _text_as_mapping(
    document: Document, text: Text, value: dict[str, Json]
) -> Iterator[Problem]:
    """Report text that a colon, a comma or braces turned into a mapping."""
    if list(value) == ["path"] and "prompts" not in text.where:
        return  # a local file, if in the wrong place
    stray = [key for key in value if key not in _KEYS]
    if not stray or _OPERATOR.match(stray[0]):
        return
    cut = isinstance(value.get("text"), str)
    if cut and all(value[key] is None for key in stray):
        yield _cut_by_comma(document, text.where, value, stray)
    elif len(value) == len(stray) and _is_prose(value, nested=text.prompt):
        yield _made_a_mapping(document, text.where, value, stray[0])


def _is_prose(value: dict[str, Json], *, nested: bool) -> bool:
    """Return whether a mapping without one known key was meant to be text."""
    if len(value) > 1:
        return all(inner is None for inner in value.values())
    ((key, inner),) = value.items()
    if key in (*_AXIS_FORMS, "prompt"):
        return False
    if isinstance(inner, list | dict) and not nested:
        return False
    return only_near(key.casefold(), _KEYS) is None


def _made_a_mapping(
    document: Document, where: Where, value: dict[str, Json], key: str
) -> Problem:
    at = document.position(where)
    if all(inner is None for inner in value.values()):
        # Where nothing follows, its end is that of the lines after it.
        last = max(document.position((*where, one), key=True) for one in value)
        if at.end_line > last.end_line:
            rest = document.line(last.end_line)[last.end_column - 1 :]
            end = last.end_column + rest.startswith(":")
            at = replace(at, end_line=last.end_line, end_column=end)
    written = _line_of(document, at)
    meant = f"{key}: {show(value[key])}" if value[key] is not None else f"{key}:"
    source = meant if written is None else document.source(written)
    why = _MARKS.get(source[0], f"its colon makes {show(key)} a key")
    # `{txet: A fox}` may be a slip in a key; without a colon it is no mapping at all.
    doubtful = source[0] == "{" and any(one is not None for one in value.values())
    return Problem(
        "E-TEXT-MAPPING",
        f"{place(where)} is not text: {why}",
        document.position((*where, key), key=True),
        f"Put the text in quotes: {in_quotes(source)}.",
        pointer=pointer(where),
        fix=() if doubtful else _in_quotes(document, written),
    )


def _cut_by_comma(
    document: Document, where: Where, value: dict[str, Json], stray: list[str]
) -> Problem:
    begin = document.position((*where, "text"))
    last = max(document.position((*where, key), key=True) for key in stray)
    keys = (document.position((*where, key), key=True) for key in value)
    between = sum(begin < one < last for one in keys) - (len(stray) - 1)
    whole = replace(begin, end_line=last.end_line, end_column=last.end_column)
    plain = begin.line == last.end_line and not between and last > begin
    source = document.source(whole) if plain else ""
    meant = source or ", ".join([str(value["text"]), *stray])
    fixable = plain and source[0] not in "'\""
    return Problem(
        "E-TEXT-MAPPING",
        f"the text ends at its comma, and {show(stray[0])} is read as a key",
        document.position((*where, stray[0]), key=True),
        f"Put the text in quotes: {in_quotes(meant)}.",
        pointer=pointer(where),
        fix=_in_quotes(document, whole) if fixable else (),
    )
