"""The axes of a spec: finite lists of values that know where they were written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from foxbatch import canonical
from foxbatch.canonical import Json
from foxbatch.errors import InvalidError, Position, Problem, Related
from foxbatch.manifest import Manifest, Spec
from foxbatch.matrix.reporting import Report, template_problem, warning
from foxbatch.matrix.slugs import labels
from foxbatch.matrix.variables import Variables
from foxbatch.schema import show
from foxbatch.sources import Sources
from foxbatch.template import TemplateError
from foxbatch.yaml12 import Where

UNSET: Json = {"$unset": True}
"""Written as a value: the parameter is not sent."""

PROMPT, PROMPT_ID = "prompt", "prompt_id"


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """One value that an axis can take. Two are the same only if they are one object.

    Attributes:
        value: The value; of a prompt the text as written.
        where: Its place in the manifest; of a line of a file, that of the file's name.
        position: Where it was written, in the manifest or in the text file.
        label: Of a prompt: its `prompt_id`.
        template: Of a prompt: whether the manifest writes it, and it is rendered anew
            in each cell; text of a file is taken as it is.
    """

    value: Json
    where: Where
    position: Position
    label: str = ""
    template: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One dimension's name and values, in order.

    Attributes:
        whole: False where a value was left out because something is wrong with it.
    """

    name: str
    where: Where
    choices: tuple[Choice, ...]
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Dimension:
    """Axes that walk together: one, or a zip group.

    Attributes:
        names: Of its axes.
        rows: One value of each axis, in the order of `names`.
    """

    names: tuple[str, ...]
    rows: tuple[tuple[Choice, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What reading the axes of a spec needs."""

    manifest: Manifest
    spec: Spec
    variables: Variables
    sources: Sources
    report: Report

    def position(self, *steps: str | int, key: bool = False) -> Position:
        """Return where something inside the spec stands."""
        where = (*self.spec.where, *steps)
        return self.manifest.document.position(where, key=key)

    def error(self, code: str, message: str, at: Position, hint: str = "") -> None:
        """Report an error."""
        self.report(Problem(code, message, at, hint))


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
    return axes


def _axis(name: str, values: Json, where: Where, reading: Reading) -> Axis:
    found: list[Choice] = []
    whole = True
    if isinstance(values, list):
        for index, value in enumerate(values):
            here = (*where, index)
            ok, rendered = rendered_with_vars(value, here, reading)
            whole &= ok
            if ok:
                at = reading.manifest.document.position(here)
                found.append(Choice(rendered, here, at))
    else:
        found = _lines(values, where, reading)
        whole = bool(found)
    return _unique(name, where, found, reading, whole=whole)


def _unique(
    name: str, where: Where, found: list[Choice], reading: Reading, *, whole: bool
) -> Axis:
    """Return the axis without the values that are there twice, which are reported."""
    first: dict[bytes, Choice] = {}
    for choice in found:
        other = first.setdefault(canonical.encode(choice.value), choice)
        if other is not choice:
            whole = False
            reading.report(_duplicate(name, choice, other))
    return Axis(name=name, where=where, choices=tuple(first.values()), whole=whole)


def rendered_with_vars(
    value: Json, where: Where, reading: Reading
) -> tuple[bool, Json]:
    """Return whether *value* can be rendered with `vars` alone, and the result."""
    try:
        return reading.variables.render(value)
    except TemplateError as error:
        document = reading.manifest.document
        reading.report(template_problem(error, document, where))
        return False, None


def _lines(value: Json, where: Where, reading: Reading) -> list[Choice]:
    """Return the lines of `{lines: path}`; none after an error, which is reported."""
    document = reading.manifest.document
    at = document.position((*where, "lines"))
    match value:
        case {"lines": str(path), **rest} if not rest:
            pass
        case _:
            message, hint = "this form is not supported yet", "Write {lines: path}."
            reading.error("E-NOT-YET", message, document.position(where), hint)
            return []
    try:
        lines = reading.sources.lines(path, at=at)
    except InvalidError as error:
        for problem in error.problems:
            reading.report(problem)
        return []
    if not lines.items:
        hint = "Blank lines and lines that begin with # do not count."
        reading.error("E-AXIS-EMPTY", f"{path} has no lines with text", at, hint)
    shown = (PurePosixPath(document.file).parent / lines.path).as_posix()
    if lines.trailing:
        number = lines.trailing[0]
        reading.report(
            warning(
                "N-TRAILING-SPACE",
                f"{len(lines.trailing)} lines of {path} end in spaces, which are kept",
                Position(shown, number, 1, number, 1),
            )
        )
    return [
        Choice(
            line.text,
            (*where, "lines"),
            Position(shown, line.number, 1, line.number, len(line.text) + 1),
        )
        for line in lines.items
    ]


def _prompts(items: Json, where: Where, reading: Reading) -> Axis:
    """Return the axis of prompts, labelled."""
    places = [(items, where)]
    if isinstance(items, list):
        places = [(item, (*where, index)) for index, item in enumerate(items)]
    found: list[Choice] = []
    whole = True
    for item, here in places:
        prompts = _prompt(item, here, reading)
        whole &= bool(prompts)
        found += prompts
    names = labels([prompt.value for prompt in found], [p.label for p in found])
    found = [
        replace(prompt, label=label) for prompt, label in zip(found, names, strict=True)
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
        case {"lines": _}:
            return _lines(item, where, reading)
        case _:
            return [Choice(item, where, position(where), template=True)]


def _duplicate(axis: str, choice: Choice, first: Choice) -> Problem:
    what = "prompt" if axis == PROMPT else f"value of {axis}"
    lines = f"lines {first.position.line} and {choice.position.line}"
    if first.position.file != choice.position.file:
        lines = f"{first.position} and {choice.position}"
    return Problem(
        "E-AXIS-DUP",
        f"the {what} {show(choice.value)} is there twice, in {lines}",
        choice.position,
        "Remove one; to buy the same job several times, use `repeat`.",
        related=(Related(first.position, "first given here"),),
    )


def zip_axes(axes: Mapping[str, Axis], reading: Reading) -> list[Dimension]:
    """Return the dimensions of the product, the slowest first.

    A zip group stands where the first of its axes was declared.
    """
    groups: dict[str, list[str]] = {}
    for index, group in enumerate(reading.spec.zips):
        if _equally_long(group, index, axes, reading):
            groups.update(dict.fromkeys(group, group))
    dimensions: list[Dimension] = []
    done: set[str] = set()
    for name in axes:
        if name not in done:
            together = [other for other in axes if other in groups.get(name, [name])]
            done.update(together)
            rows = zip(*(axes[other].choices for other in together), strict=True)
            dimensions.append(Dimension(tuple(together), tuple(rows)))
    return dimensions


def _equally_long(
    group: list[str], index: int, axes: Mapping[str, Axis], reading: Reading
) -> bool:
    if not all(axes[name].whole for name in group):
        return False  # what is wrong with its axes was said
    lengths = {name: len(axes[name].choices) for name in group}
    if len(set(lengths.values())) == 1:
        return True
    shown = ", ".join(f"{name} has {length}" for name, length in lengths.items())
    reading.error(
        "E-ZIP-LENGTH",
        f"axes that walk together need equally many values: {shown}",
        reading.position("matrix", "zip", index),
        "Add the missing values; nothing is cut off or repeated.",
    )
    return False
