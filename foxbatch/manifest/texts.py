"""YAML must not eat prompts: text cut at a `#`, or made a mapping by a colon."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from foxbatch.canonical import Json
from foxbatch.errors import Problem
from foxbatch.manifest.reading import items, mapping, written_jobs
from foxbatch.schema import place, pointer, show
from foxbatch.yaml12 import Document, Where

_PROMPT_FORMS = ("text", "lines", "file", "csv", "jsonl", "yaml", "variants")
_FREE_TEXT = ("prompt", "negative_prompt", "text", "lyrics", "style")


def eaten_text(document: Document) -> Iterator[Problem]:
    """Yield each text that YAML reads as less than what was written."""
    for where, value, free in _texts(document):
        if isinstance(value, dict):
            if free:
                yield from _text_as_mapping(document, where, value)
            for key in ("text", "variants"):
                if isinstance(value.get(key), str):
                    yield from _cut_by_comment(document, (*where, key))
        elif isinstance(value, str) and (free or " " in value):
            yield from _cut_by_comment(document, where)


def _texts(document: Document) -> Iterator[tuple[Where, Json, bool]]:
    """Yield what may be text: where it stands, and whether it can be nothing else."""
    root = mapping(document.value)
    for name, value in mapping(root.get("vars")).items():
        yield ("vars", name), value, False
    yield from _param_texts(("defaults",), mapping(root.get("defaults")))
    for where, job in written_jobs(document):
        for index, prompt in enumerate(items(job.get("prompts"))):
            yield (*where, "prompts", index), prompt, True
        yield from _param_texts(where, job)
        for name, value in mapping(job.get("let")).items():
            yield (*where, "let", name), value, False
        for name, values in mapping(mapping(job.get("matrix")).get("axes")).items():
            at = (*where, "matrix", "axes", name)
            yield (*at, "variants"), mapping(values).get("variants"), True
            for index, value in enumerate(items(values)):
                yield (*at, index), value, name in _FREE_TEXT


def _param_texts(
    where: Where, owner: Mapping[str, Json]
) -> Iterator[tuple[Where, Json, bool]]:
    for name, value in mapping(owner.get("params")).items():
        yield (*where, "params", name), value, name in _FREE_TEXT


def _cut_by_comment(document: Document, where: Where) -> Iterator[Problem]:
    comment = document.comment_after(where)
    if comment is None:
        return
    position, lost = comment
    kept = document.position(where)
    last = document.line(position.line)
    start = kept.column - 1 if kept.line == position.line else 0
    whole = last[start:].strip()
    yield Problem(
        "E-TEXT-COMMENT",
        f"the text ends before {show(lost)}, which YAML takes for a comment",
        position,
        f"Write {show(whole)} in quotes if # is part of the text; else move the "
        "comment to a line of its own.",
        pointer=pointer(where),
    )


def _text_as_mapping(
    document: Document, where: Where, value: dict[str, Json]
) -> Iterator[Problem]:
    """Report text that a colon or a comma turned into a mapping."""
    stray = [key for key in value if key not in {"id", *_PROMPT_FORMS}]
    if list(value) == ["path"] and "prompts" not in where:
        return  # a local file, if in the wrong place
    if len(value) == 1 and stray and not stray[0].startswith("$"):
        (key, content) = next(iter(value.items()))
        if isinstance(content, list | dict):
            return
        meant = f"{key}: {content}" if content is not None else f"{key}:"
        message = f"{place(where)} is not text: its colon makes {show(key)} a key"
    elif isinstance(value.get("text"), str) and all(
        value[key] is None for key in stray
    ):
        if not stray:
            return
        meant = ", ".join([str(value["text"]), *stray])
        message = f"the text ends at its comma, and {show(stray[0])} is read as a key"
    else:
        return
    position = document.position((*where, stray[0]), key=True)
    hint = f"Put the text in quotes: {show(meant)}."
    yield Problem("E-TEXT-MAPPING", message, position, hint, pointer=pointer(where))
