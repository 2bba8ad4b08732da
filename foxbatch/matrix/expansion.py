"""From a manifest to the product of each of its specs, with its size known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from foxbatch.canonical import Json
from foxbatch.errors import InvalidError
from foxbatch.manifest import Manifest
from foxbatch.matrix.axes import PROMPT, Allowance, Axis, Reading, zip_axes
from foxbatch.matrix.cells import (
    Cell,
    Combination,
    Product,
    Walked,
    read_product,
    report_unmatched_includes,
)
from foxbatch.matrix.lookalikes import warn_of_lookalikes
from foxbatch.matrix.repeats import Repeats, read_repeats, report_dead_takes
from foxbatch.matrix.reporting import Report, too_many_jobs
from foxbatch.matrix.sampling import note_of_whole_sample
from foxbatch.matrix.variables import Variables, resolve
from foxbatch.matrix.written import read_axes
from foxbatch.sources import Sources, find_root
from foxbatch.yaml12 import Where

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
    repeats: Repeats

    @property
    def least(self) -> int:
        """Return how many jobs there are at least, as far as arithmetic can tell."""
        return (self.product.count or 0) * self.repeats.least

    @property
    def exact(self) -> bool:
        """Return whether there are no more jobs than `least`."""
        return self.product.count is not None and self.repeats.fixed

    @property
    def source(self) -> Where:
        """Return the place of what makes most of its jobs."""
        spec, repeats = self.reading.spec, self.repeats.least
        if repeats > (self.product.count or repeats):
            return spec.repeat_where
        if spec.axes or spec.include:
            return (*spec.where, "matrix")
        return (*spec.where, "prompts")

    def walk(self) -> Iterator[Cell]:
        """Yield the cells; what only walking can tell is reported at the end."""
        for step in self.steps():
            yield step if isinstance(step, Cell) else self.product.cell(step)

    def steps(self) -> Iterator[Combination | Cell]:
        """Yield the cells, those of the product as combinations; reports as `walk`."""
        walked = Walked()
        empty = True
        # One cell more than there may be jobs is enough to see that they are too many.
        most = self.reading.manifest.max_jobs + 1
        for step in self.product.steps(walked, most=most):
            empty = False
            yield step
        spec = self.reading.spec
        if spec.doubtful:
            return  # what is wrong may be what makes the difference
        report_unmatched_includes(self.product, walked.matched, self.reading)
        note_of_whole_sample(walked.combinations, self.reading)
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
    allowance = Allowance()
    found: list[Expansion] = []
    for spec in manifest.specs:
        reading = Reading(
            manifest=manifest,
            spec=spec,
            variables=variables,
            sources=sources,
            allowance=allowance,
            report=report,
        )
        axes = read_axes(reading)
        warn_of_lookalikes(axes.values(), report)
        if not all(axis.sound for axis in axes.values()):
            reading = replace(reading, spec=replace(spec, doubtful=True))
        found += _expansion(axes, reading)
    if not manifest.doubts and len(found) == len(manifest.specs):
        report_dead_takes([one.repeats for one in found])
    return variables, found


def _expansion(axes: Mapping[str, Axis], reading: Reading) -> list[Expansion]:
    """Return the one expansion of these axes; none after an error in a sampled file."""
    try:
        product = read_product(axes, zip_axes(axes, reading), reading)
    except InvalidError as error:
        for problem in error.problems:
            reading.report(problem)
        return []
    return [Expansion(reading, product, read_repeats(product, reading))]


def fits(expansions: list[Expansion], manifest: Manifest, report: Report) -> bool:
    """Return whether the number of jobs is allowed, as far as arithmetic can tell.

    Where what is wrong makes it doubtful, nothing is reported.
    """
    huge = [one for one in expansions if one.product.size > MAX_PRODUCT]
    for one in huge:
        if one.reading.spec.partial:
            continue
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
    least = sum(one.least for one in expansions)
    if least <= manifest.max_jobs:
        return True
    if is_doubtful(expansions, manifest):
        return False
    exact = all(one.exact for one in expansions)
    largest = max(expansions, key=lambda one: one.least)
    wanted = f"{'' if exact else 'at least '}{least:,} jobs"
    report(too_many_jobs(manifest, wanted, largest.source, least))
    return False


def is_doubtful(expansions: list[Expansion], manifest: Manifest) -> bool:
    """Return whether the number of jobs, or its limit, may be another than was read."""
    unsure = not manifest.doubts.limited or manifest.doubts.cover(("jobs",))
    return unsure or any(one.reading.spec.doubtful for one in expansions)


def cells(manifest: Manifest, report: Report) -> Iterator[MatrixCell]:
    """Yield the cells of every spec in order; nothing is rendered into them.

    Every problem goes to *report*, some only when the iterator ends.
    """
    _, expansions = prepare(manifest, report)
    if not fits(expansions, manifest, report):
        return
    index = wanted = 0
    for expansion in expansions:
        if expansion.product.broken:
            continue
        for cell in expansion.walk():
            wanted += expansion.repeats.of(cell)
            if wanted > manifest.max_jobs:
                if not is_doubtful(expansions, manifest):
                    many = f"more than {manifest.max_jobs:,} jobs"
                    report(too_many_jobs(manifest, many, expansion.source))
                return
            prompt = cell.get(PROMPT)
            text = Prompt(prompt.label, str(prompt.value)) if prompt else None
            yield MatrixCell(expansion.reading.spec.id, index, cell.values(), text)
            index += 1
