"""Axes and prompts as a spec writes them, to finite lists of values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from foxbatch import canonical
from foxbatch.canonical import Json
from foxbatch.errors import Position, Problem, Related
from foxbatch.matrix.axes import (
    PROMPT,
    UNSET,
    Axis,
    Choice,
    Reading,
    rendered_with_vars,
)
from foxbatch.matrix.files import KINDS, MOST_TOLD
from foxbatch.matrix.forms import choices_of
from foxbatch.matrix.slugs import labels
from foxbatch.schema import show
from foxbatch.yaml12 import Where

_LABEL = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def read_axes(reading: Reading) -> dict[str, Axis]:
    """Return the axes of a spec in declared order, `prompts` first.

    What is wrong with a value is reported, and the value left out.
    """
    spec = reading.spec
    axes: dict[str, Axis] = {}
    if spec.prompts is not None:
        axes[PROMPT] = _prompts(spec.prompts, (*spec.where, "prompts"), reading)
    for name, values in spec.axes.items():
        where = (*spec.where, "matrix", "axes", name)
        if name == PROMPT:
            axes[name] = _prompts(values, where, reading)
        else:
            axes[name] = _axis(name, values, where, reading)
    return {name: _with_values(axis, reading) for name, axis in axes.items()}


def _with_values(axis: Axis, reading: Reading) -> Axis:
    """Return *axis*, with one that stands for all where every value is wrong."""
    if axis.choices:
        return axis
    at = reading.manifest.document.position(axis.where)
    return replace(
        axis, choices=(Choice(None, axis.where, at, broken=True),), whole=False
    )


def _axis(name: str, values: Json, where: Where, reading: Reading) -> Axis:
    doubts = reading.manifest.doubts
    if isinstance(values, dict):
        wrong = doubts.touch(where)
        written = [] if wrong else choices_of(values, where, name, reading)
        whole = bool(written)
    else:
        written, whole = _listed(values, where, reading), not doubts.touch(where)
    found: list[Choice] = []
    for choice in written:
        if not choice.template:
            found.append(choice)
            continue
        ok, value = rendered_with_vars(choice.value, choice.where, reading, choice.at)
        whole &= ok
        if ok:
            found.append(replace(choice, value=value, template=False))
    if isinstance(values, dict):
        found = _as_asked(found, values)
    return _unique(name, where, found, reading, whole=whole)


def _listed(values: Json, where: Where, reading: Reading) -> list[Choice]:
    position = reading.manifest.document.position
    items = values if isinstance(values, list) else [values]
    return [
        Choice(value, (*where, index), position((*where, index)), template=True)
        for index, value in enumerate(items)
        if not reading.manifest.doubts.touch((*where, index))
    ]


def _as_asked(found: list[Choice], form: dict[str, Json]) -> list[Choice]:
    """Return *found*, without what is there again where the form drops that."""
    if form.get("dedupe") is not True and "variants" not in form:
        return found
    first: dict[bytes, Choice] = {}
    for choice in found:
        first.setdefault(canonical.encode(choice.value), choice)
    return list(first.values())


def _unique(
    name: str, where: Where, found: list[Choice], reading: Reading, *, whole: bool
) -> Axis:
    """Return the axis without the values that are there twice, which are reported."""
    first: dict[bytes, Choice] = {}
    twice = 0
    for choice in found:
        other = first.setdefault(canonical.encode(choice.value), choice)
        if other is not choice:
            twice += 1
            if twice <= MOST_TOLD:
                reading.report(_duplicate(name, choice, other))
    if twice > MOST_TOLD:
        reading.error(
            "E-AXIS-DUP",
            f"{twice - MOST_TOLD:,} further values of {name} are there already",
            reading.manifest.document.position(where, key=True),
            "The first of them are told one by one.",
        )
    return Axis(
        name=name,
        where=where,
        choices=tuple(first.values()),
        whole=whole,
        shortened=twice > 0,
    )


def _duplicate(axis: str, choice: Choice, first: Choice) -> Problem:
    what = "prompt" if axis == PROMPT else f"value of {axis}"
    lines = f"lines {first.position.line} and {choice.position.line}"
    if first.position.line == choice.position.line:
        lines = f"line {choice.position.line}"
    if first.position.file != choice.position.file:
        lines = f"{first.position} and {choice.position}"
    from_file = choice.where[-1] in KINDS and first.where == choice.where
    drop = ", or write `dedupe: true` beside the file" if from_file else ""
    return Problem(
        "E-AXIS-DUP",
        f"the {what} {show(choice.value)} is there twice, in {lines}",
        choice.position,
        f"Remove one{drop}; to buy the same job several times, use `repeat`.",
        related=(Related(first.position, "first given here"),),
    )


# ---- Prompts


def _prompts(items: Json, where: Where, reading: Reading) -> Axis:
    """Return the axis of prompts, labelled."""
    places = [(items, where)]
    if isinstance(items, list):
        places = [(item, (*where, index)) for index, item in enumerate(items)]
    found: list[Choice] = []
    whole = True
    for item, here in places:
        wrong = reading.manifest.doubts.touch(here)
        prompts = [] if wrong else _prompt(item, here, reading)
        whole &= bool(prompts)
        found += prompts
    for problem in _labels_given_twice(found):
        whole = False
        reading.report(problem)
    names = labels([prompt.value for prompt in found], [p.label for p in found])
    found = [
        one if one.label == label else one.labelled(label)
        for one, label in zip(found, names, strict=True)
    ]
    return _unique(PROMPT, where, found, reading, whole=whole)


def _prompt(item: Json, where: Where, reading: Reading) -> list[Choice]:
    """Return the prompts that one entry gives; only a given label is filled in."""
    position = reading.manifest.document.position
    match item:
        case {"text": str(text), **rest}:
            here = (*where, "text")
            label = rest.get("id")
            given = label if isinstance(label, str) else ""
            return [Choice(text, here, position(here), given, template=True)]
        case dict() if item != UNSET:
            found = choices_of(item, where, PROMPT, reading)
            return _as_asked(_from_records(found, reading), item)
        case _:
            return [Choice(item, where, position(where), template=True)]


def _from_records(found: list[Choice], reading: Reading) -> list[Choice]:
    """Return values of a file as prompts; none after an error, which is reported."""
    prompts: list[Choice] = []
    wrong = 0
    for choice in found:
        record = choice.value if isinstance(choice.value, dict) else {}
        text = record.get("text") if record else choice.value
        label = record.get("id", "")
        if problem := _wrong_prompt(record, text, label, choice.position):
            reading.report(problem)
            wrong += 1
            if wrong == MOST_TOLD:
                break
        # Most are text without a label, of which there may be a million.
        plain = text is choice.value and not label
        prompts.append(
            choice if plain else replace(choice, value=text, label=str(label))
        )
    return [] if wrong else prompts


def _wrong_prompt(
    record: dict[str, Json], text: Json, label: Json, at: Position
) -> Problem | None:
    if strange := [key for key in record if key not in {"text", "id"}]:
        return Problem(
            "E-PROMPT-FORM",
            f"a prompt has text and id, and here is {show(strange[0])}",
            at,
            "Remove it; or make the file an axis, such as `shot: {csv: …}`, and write "
            "a prompt with ${{ matrix.shot.… }}.",
        )
    if not isinstance(text, str) or not text:
        return Problem(
            "E-PROMPT-FORM",
            f"the text of the prompt is {show(text)}" if text else "there is no text",
            at,
            "Write text, or a mapping with `text` and maybe `id`.",
        )
    if label == "" or (isinstance(label, str) and _LABEL.fullmatch(label)):
        return None
    return Problem(
        "E-PATTERN",
        f"{show(label)} is not possible as the id of a prompt",
        at,
        "Use a-z, 0-9, dot, underscore and hyphen, beginning with a letter or digit, "
        "at most 64; or leave it out.",
    )


def _labels_given_twice(prompts: list[Choice]) -> Iterator[Problem]:
    """Yield each id that a file gives again; those of the manifest are checked."""
    first: dict[str, Position] = {}
    for prompt in prompts:
        if not prompt.label:
            continue
        before = first.setdefault(prompt.label, prompt.position)
        if before != prompt.position and prompt.made:
            yield Problem(
                "E-ID-DUP",
                f"the id {show(prompt.label)} is given twice",
                prompt.position,
                "Give each its own; ids name files and folders.",
                related=(Related(before, "first given here"),),
            )
