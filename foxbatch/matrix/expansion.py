"""From a manifest to the product of each of its specs, with its size known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from foxbatch.canonical import Json
from foxbatch.errors import Problem
from foxbatch.manifest import Manifest
from foxbatch.matrix.axes import PROMPT, Reading, read_axes, zip_axes
from foxbatch.matrix.cells import Cell, Product, read_product, warn_of_lone_includes
from foxbatch.matrix.lookalikes import warn_of_lookalikes
from foxbatch.matrix.reporting import Report
from foxbatch.matrix.variables import Variables, resolve
from foxbatch.sources import Sources, find_root

MAX_PRODUCT = 10_000_000


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a job asks to see.

    Attributes:
        id: Its label, for people.
        text: As rendered into the request.
    """

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class MatrixCell:
    """One combination of a spec, before anything is rendered or checked.

    Attributes:
        spec: Id of the spec.
        index: From 0 over the whole manifest, repeats not counted.
        cell: Axis values and include extras, without the prompt.
        prompt: The prompt as written, where there is one.
    """

    spec: str
    index: int
    cell: dict[str, Json]
    prompt: Prompt | None

    def to_json(self) -> dict[str, Json]:
        """Return the fields of `expand --cells --format jsonl`."""
        return {"spec": self.spec, "index": self.index, "cell": self.cell}


@dataclass(frozen=True, slots=True)
class Expansion:
    """One spec, ready to be walked."""

    reading: Reading
    product: Product

    @property
    def repeat(self) -> int:
        """Return how many of each cell are wanted."""
        repeat = self.reading.spec.repeat
        return repeat if isinstance(repeat, int) else 1

    def walk(self) -> Iterator[Cell]:
        """Yield the cells; what only walking can tell is reported at the end."""
        alone: set[int] = set()
        empty = True
        for cell in self.product:
            empty = False
            if cell.alone is not None:
                alone.add(cell.alone)
            yield cell
        warn_of_lone_includes(self.product, alone, self.reading)
        spec = self.reading.spec
        complete = len(self.product.includes) == len(spec.include)
        if empty and complete and not spec.allow_empty:
            self.reading.error(
                "E-MATRIX-EMPTY",
                f"the matrix of {spec.id} has no combination left",
                self.reading.position("matrix", key=True),
                "Exclude less, or write `allow_empty: true` in the matrix.",
            )


def prepare(manifest: Manifest, report: Report) -> tuple[Variables, list[Expansion]]:
    """Return the variables, and the specs whose axes are all there."""
    variables = resolve(manifest, report)
    folder = manifest.directory
    sources = Sources(folder, find_root(folder))
    found: list[Expansion] = []
    for spec in manifest.specs:
        reading = Reading(
            manifest=manifest,
            spec=spec,
            variables=variables,
            sources=sources,
            report=report,
        )
        axes = read_axes(reading)
        warn_of_lookalikes(axes.values(), report)
        if all(axis.choices for axis in axes.values()):
            dimensions = zip_axes(axes, reading)
            found.append(Expansion(reading, read_product(axes, dimensions, reading)))
    return variables, found


def fits(expansions: list[Expansion], manifest: Manifest, report: Report) -> bool:
    """Return whether the number of jobs is allowed, as far as arithmetic can tell."""
    huge = [one for one in expansions if one.product.size > MAX_PRODUCT]
    for one in huge:
        sizes = [len(dimension.rows) for dimension in one.product.dimensions]
        one.reading.error(
            "E-MATRIX-HUGE",
            f"{' × '.join(map(str, sizes))} is {one.product.size:,} combinations, "
            f"and {MAX_PRODUCT:,} is the most",
            one.reading.position("matrix", key=True),
            "Use fewer values, or split the job.",
        )
    if huge:
        return False
    counts = [(one.product.count or 0) * one.repeat for one in expansions]
    if sum(counts) <= manifest.max_jobs:
        return True
    report(too_many(manifest, f"{sum(counts):,} jobs"))
    return False


def too_many(manifest: Manifest, wanted: str) -> Problem:
    """Return the problem of more jobs than `limits.max_jobs` allows."""
    return Problem(
        "E-MAX-JOBS",
        f"the manifest asks for {wanted}, and limits.max_jobs is {manifest.max_jobs:,}",
        manifest.document.position(("limits", "max_jobs")),
        "Use fewer values, or raise limits.max_jobs if this is meant.",
        pointer="/limits/max_jobs",
    )


def cells(manifest: Manifest, report: Report) -> Iterator[MatrixCell]:
    """Yield the cells of every spec in order; nothing is rendered into them.

    Every problem goes to *report*, some only when the iterator ends.
    """
    _, expansions = prepare(manifest, report)
    if not fits(expansions, manifest, report):
        return
    index = wanted = 0
    for expansion in expansions:
        for cell in expansion.walk():
            wanted += expansion.repeat
            if wanted > manifest.max_jobs:
                report(too_many(manifest, f"more than {manifest.max_jobs:,} jobs"))
                return
            prompt = cell.get(PROMPT)
            text = Prompt(prompt.label, str(prompt.value)) if prompt else None
            yield MatrixCell(expansion.reading.spec.id, index, cell.values(), text)
            index += 1
