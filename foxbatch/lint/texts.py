"""Texts that were probably meant otherwise."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from foxbatch.canonical import Json
from foxbatch.errors import Position, Problem
from foxbatch.lint.reporting import oddity
from foxbatch.manifest.reading import items, mapping, written_jobs
from foxbatch.manifest.texts import PROMPT_FORMS, texts
from foxbatch.schema import show
from foxbatch.yaml12 import Document, Where

_NAME = r"(?P<name>[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*)"
_SURE = re.compile(
    rf"(?<!\$)\{{\{{\s*{_NAME}\s*\}}\}}|\$\{{{_NAME.replace('name', 'n')}\}}"
)
_KNOWN = re.compile(rf"(?<![{{$])\{{{_NAME}\}}(?!\}})|<{_NAME.replace('name', 'n')}>")
_FORMS = frozenset({*PROMPT_FORMS, "range", "linspace", "random"} - {"text"})


def odd_texts(document: Document) -> Iterator[Problem]:
    """Yield what is odd about texts, prompts and lists of values."""
    for where, value in _strings(document):
        yield from _leftover(document, where, value)
        yield from _no_comment(document, where, value)
    for where, job in written_jobs(document):
        yield from _commas(document, where, job)
        yield from _forms_in_lists(document, where, job)


def _strings(document: Document) -> Iterator[tuple[Where, str]]:
    for text in texts(document):
        value, where = text.value, text.where
        if isinstance(value, dict):
            value, where = value.get("text"), (*where, "text")
        if isinstance(value, str):
            yield where, value


# ---- References in the spelling of other tools


def _leftover(document: Document, where: Where, value: str) -> Iterator[Problem]:
    if "{" not in value and "<" not in value:
        return
    known = _references(document, where)
    likely = (one for one in _KNOWN.finditer(value) if _named(one) in known)
    found = [*_SURE.finditer(value), *likely]
    for one in sorted(found, key=lambda one: one.start()):
        name = _named(one)
        meant = known.get(name, f"vars.{name}")
        yield oddity(
            "W-TEMPLATE",
            f"{one[0]} looks like a reference, and is sent as it stands here",
            _within(document, where, one[0]),
            f"Write ${{{{ {meant} }}}} if its value is meant.",
            where=where,
        )


def _named(found: re.Match[str]) -> str:
    return found["name"] or found["n"]


def _references(document: Document, where: Where) -> Mapping[str, str]:
    """Return what a text may refer to, by the names that people may write."""
    root = mapping(document.value)
    known = {name: f"vars.{name}" for name in mapping(root.get("vars"))}
    if where[0] == "jobs":
        job = mapping(items(root.get("jobs"))[int(where[1])])
        axes = mapping(mapping(job.get("matrix")).get("axes"))
        known |= {name: f"let.{name}" for name in mapping(job.get("let"))}
        known |= {name: f"matrix.{name}" for name in axes}
    return {**known, **{dotted: dotted for dotted in known.values()}}


def _within(document: Document, where: Where, part: str) -> Position:
    """Return where *part* of the text at *where* stands, if that is plain."""
    at = document.position(where)
    offset = document.source(at).find(part)
    if offset < 0 or at.line != at.end_line:
        return at
    start = at.column + offset
    return replace(at, column=start, end_column=start + len(part))


# ---- Marks of YAML that are something else here


def _no_comment(document: Document, where: Where, value: str) -> Iterator[Problem]:
    """Report a line in a block of text that looks like a comment."""
    if not document.is_block(where):
        return
    looks = (line for line in value.split("\n") if line.lstrip().startswith("# "))
    line = next(looks, None)
    if line is None:
        return
    yield oddity(
        "N-TEXT-HASH",
        f"{show(line.strip())} is sent as a part of this text: in a block, # begins no "
        "comment",
        document.position(where),
        "If it is a comment, put it above the text.",
        where=where,
    )


def _commas(
    document: Document, where: Where, job: Mapping[str, Json]
) -> Iterator[Problem]:
    """Report a prompt in […] that may be the end of the one before it."""
    prompts = items(job.get("prompts"))
    for index in range(1, len(prompts)):
        first, second = prompts[index - 1], prompts[index]
        if not isinstance(first, str) or not isinstance(second, str):
            continue
        before = document.position((*where, "prompts", index - 1))
        at = document.position((*where, "prompts", index))
        whole = document.source(
            replace(before, end_line=at.line, end_column=at.end_column)
        )
        between = whole[len(first) : len(whole) - len(second)]
        if whole != f"{first}{between}{second}" or between.rstrip() != ",":
            continue  # in quotes, or on lines of their own: meant so
        if first[:1].isupper() and second[:1].islower():
            yield oddity(
                "W-TEXT-COMMA",
                f"the comma makes two prompts: {show(first)} and {show(second)}",
                at,
                f"Write {show(whole)} in quotes if it is one; else put each in quotes.",
                where=(*where, "prompts", index),
            )


def _forms_in_lists(
    document: Document, where: Where, job: Mapping[str, Json]
) -> Iterator[Problem]:
    """Report `[{lines: file}]`, which is one value and not the lines of a file."""
    axes = mapping(mapping(job.get("matrix")).get("axes"))
    for name, values in axes.items():
        for index, value in enumerate(items(values)):
            form = next(iter(mapping(value)), "")
            if name == "prompt" or form not in _FORMS or len(mapping(value)) > 1:
                continue
            at: Where = (*where, "matrix", "axes", name, index)
            yield oddity(
                "W-AXIS-FORM",
                f"in a list, {{{form}: …}} is one value as it stands: nothing is read",
                document.position(at),
                f"Write {name}: {{{form}: …}} without the brackets around it.",
                where=at,
            )
