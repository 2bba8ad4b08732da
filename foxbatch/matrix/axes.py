"""The axes of a spec: finite lists of values that know where they were written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from foxbatch.canonical import Json
from foxbatch.errors import Position, Problem
from foxbatch.manifest import Manifest, Spec
from foxbatch.matrix.reporting import Report, template_problems, too_many_jobs
from foxbatch.matrix.variables import Variables
from foxbatch.sources import Sources
from foxbatch.template import TemplateError
from foxbatch.yaml12 import Where

UNSET: Json = {"$unset": True}
"""Written as a value: the parameter is not sent."""

PROMPT, PROMPT_ID = "prompt", "prompt_id"

_FEW = 100_000  # values: some ten megabytes


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """One value that an axis can take. Two are the same only if they are one object.

    Attributes:
        value: The value; of a prompt the text as written.
        where: Its place in the manifest; of a value of a file, that of the file's name.
        position: Where it was written, in the manifest or in the file.
        label: Of a prompt: its `prompt_id`.
        template: Of a prompt: whether it is rendered anew in each cell, as what the
            manifest writes is; text of a file is taken as it is.
        made: Whether it is not what stands at `where`, but came of it: from a file,
            or by calculation.
        broken: Whether it only stands for values that something is wrong with, so that
            nothing which depends on it can be judged.
    """

    value: Json
    where: Where
    position: Position
    label: str = ""
    template: bool = False
    made: bool = False
    broken: bool = False

    def labelled(self, label: str) -> Choice:
        """Return this prompt with another label; `replace` takes four times as long."""
        return Choice(
            self.value,
            self.where,
            self.position,
            label,
            self.template,
            self.made,
            self.broken,
        )

    @property
    def at(self) -> Position | None:
        """Return where it was written, if that is not at `where`."""
        return self.position if self.made else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One dimension's name and values, in order.

    Attributes:
        whole: False where a value was left out because something is wrong with it.
        shortened: Whether a value was left out that is there twice.
    """

    name: str
    where: Where
    choices: tuple[Choice, ...]
    whole: bool = True
    shortened: bool = False

    @property
    def sound(self) -> bool:
        """Return whether nothing is wrong with it."""
        return self.whole and not self.shortened


@dataclass(frozen=True, slots=True)
class Dimension:
    """Axes that walk together: one, or a zip group.

    Attributes:
        names: Of its axes.
        rows: One value of each axis, in the order of `names`.
    """

    names: tuple[str, ...]
    rows: tuple[tuple[Choice, ...], ...]


@dataclass(slots=True)
class Allowance:
    """How many values the forms of one manifest may still give, all axes together.

    Each axis is bounded for itself; many of them would still fill the memory before
    the size of their product is known.
    """

    left: int = 2_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What reading the axes of a spec needs; the allowance is the manifest's."""

    manifest: Manifest
    spec: Spec
    variables: Variables
    sources: Sources
    allowance: Allowance
    report: Report

    def position(self, *steps: str | int, key: bool = False) -> Position:
        """Return where something inside the spec stands."""
        where = (*self.spec.where, *steps)
        return self.manifest.document.position(where, key=key)

    def doubts(self, *steps: str | int) -> bool:
        """Return whether anything is wrong at, in or around a part of the spec."""
        return self.manifest.doubts.touch((*self.spec.where, *steps))

    def refuses(self, count: int, where: Where) -> bool:
        """Return whether *count* values made at *where* are too many jobs; report it.

        Values take memory before their product is known to be too large. A few are
        not refused here, so that the whole number of jobs can be told.
        """
        most = max(self.manifest.max_jobs, _FEW)
        if count <= most or self.spec.exclude or self.spec.sample is not None:
            return False
        wanted = f"at least {count:,} jobs"
        self.report(too_many_jobs(self.manifest, wanted, where, count))
        return True

    def error(self, code: str, message: str, at: Position, hint: str = "") -> None:
        """Report an error."""
        self.report(Problem(code, message, at, hint))

    def shown(self, path: str) -> str:
        """Return a path that starts at the manifest's folder as people see it."""
        return (PurePosixPath(self.manifest.document.file).parent / path).as_posix()


def rendered_with_vars(
    value: Json, where: Where, reading: Reading, at: Position | None = None
) -> tuple[bool, Json]:
    """Return whether *value* can be rendered with `vars` alone, and the result.

    *at* is where it was written, if that is not at *where* in the manifest.
    """
    try:
        return reading.variables.render(value)
    except TemplateError as error:
        document = reading.manifest.document
        for problem in template_problems(error, document, where, at):
            reading.report(problem)
        return False, None


def zip_axes(axes: Mapping[str, Axis], reading: Reading) -> list[Dimension]:
    """Return the dimensions of the product, the slowest first.

    A zip group stands where the first of its axes was declared.
    """
    groups: dict[str, list[str]] = {}
    for index, group in enumerate(reading.spec.zips):
        known = all(name in axes for name in group)
        if not known or reading.doubts("matrix", "zip", index):
            continue
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
    if not all(axes[name].sound for name in group):
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
