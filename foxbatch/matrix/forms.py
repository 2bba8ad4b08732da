"""Forms of an axis that stand for many values: ranges, draws, variants and files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from foxbatch import canonical
from foxbatch.canonical import Json
from foxbatch.errors import InvalidError
from foxbatch.matrix.axes import Choice, Reading, rendered_with_vars
from foxbatch.matrix.draws import Source
from foxbatch.matrix.files import KINDS, FileForm
from foxbatch.matrix.refusals import FormError
from foxbatch.matrix.reporting import template_problems, warning
from foxbatch.matrix.series import evenly, in_steps
from foxbatch.matrix.variants import parse
from foxbatch.schema import show
from foxbatch.template import TemplateError
from foxbatch.yaml12 import Where


def choices_of(
    form: Mapping[str, Json], where: Where, axis: str, reading: Reading
) -> list[Choice]:
    """Return the values of a form; none after an error, which is reported.

    Those with `template` are still to be rendered.
    """
    kind = next((kind for kind in KINDS if kind in form), "")
    if kind:
        found = FileForm(form, kind, where, reading).choices()
    elif "variants" in form:
        found = _variants(form, where, reading)
    else:
        found = _computed(form, where, axis, reading)
    reading.allowance.left -= len(found)
    if reading.allowance.left < 0:
        reading.error(
            "E-MATRIX-HUGE",
            "the axes of the manifest have too many values in total",
            reading.manifest.document.position(where),
            "Use fewer values, or several manifests.",
        )
        return []
    return found


def _computed(
    form: Mapping[str, Json], where: Where, axis: str, reading: Reading
) -> list[Choice]:
    ((kind, written),) = form.items()
    place = (*where, kind)
    document = reading.manifest.document
    # What the schema has checked is only named here.
    details = cast("dict[str, float]", written)
    try:
        match kind:
            case "range":
                step = details.get("step", 1)
                values = in_steps(details["from"], details["through"], step)
            case "linspace":
                count = int(details["num"])
                values = evenly(details["from"], details["through"], count)
            case _:
                draw = cast("dict[str, Json]", written)
                values = _drawn(draw, place, axis, reading)
    except FormError as error:
        at = document.position((*place, *error.inside))
        reading.error(error.code, str(error), at, error.hint)
        return []
    if reading.refuses(len(values), place):
        return []
    position = document.position(place)
    return [Choice(value, place, position, made=True) for value in values]


def _drawn(
    details: Mapping[str, Json], place: Where, axis: str, reading: Reading
) -> list[Json]:
    source = _source(details, place, reading)
    if source is None:
        return []
    count = int(cast("float", details["num"]))
    seed = int(cast("float", details.get("seed", reading.spec.sampling_seed)))
    if details.get("unique") is True:
        return source.draw_unique(count, seed=seed, axis=axis)
    values = source.draw(count, seed=seed, axis=axis)
    first: dict[bytes, int] = {}
    for number, value in enumerate(values, 1):
        before = first.setdefault(canonical.encode(value), number)
        if before != number:
            raise FormError(
                "E-AXIS-DUP",
                f"the value {show(value)} of {axis} is drawn twice, "
                f"as number {before} and number {number}",
                hint="Write `unique: true` beside num; to buy the same job several "
                "times, use `repeat`.",
            )
    return values


def _source(
    details: Mapping[str, Json], place: Where, reading: Reading
) -> Source | None:
    """Return what is drawn from; None after an error, which is reported."""
    for kind, make in (("int", _integers), ("float", Source.floats)):
        if kind in details:
            low, high = cast("list[float]", details[kind])
            return make(low, high)
    values: list[Json] = []
    written = cast("list[Json]", details["choice"])
    for index, value in enumerate(written):
        ok, rendered = rendered_with_vars(value, (*place, "choice", index), reading)
        values += [rendered] * ok
    return Source.choice(values) if len(values) == len(written) else None


def _integers(low: float, high: float) -> Source:
    return Source.integers(int(low), int(high))  # 2.0 is whole in JSON Schema


def _variants(form: Mapping[str, Json], where: Where, reading: Reading) -> list[Choice]:
    place = (*where, "variants")
    document = reading.manifest.document
    position = document.position(place)
    wildcards = _wildcards(form, where, reading)
    if wildcards is None:
        return []
    try:
        ordered = form.get("ordered") is True
        text = str(form["variants"])
        variants = parse(text, wildcards=wildcards, ordered=ordered)
        texts = variants.texts()
    except TemplateError as error:
        for problem in template_problems(error, document, place):
            reading.report(problem)
        return []
    if variants.weights:
        note = "weights of variants mean nothing here: every variant is made once"
        hint = "Remove what stands before `::`."
        reading.report(warning("N-VARIANT-WEIGHT", note, position, hint))
    return [Choice(one, place, position, template=True, made=True) for one in texts]


def _wildcards(
    form: Mapping[str, Json], where: Where, reading: Reading
) -> dict[str, list[str]] | None:
    """Return the lines of each wildcard; None after an error, which is reported."""
    written = cast("dict[str, str]", form.get("wildcards", {}))
    found: dict[str, list[str]] = {}
    for name, path in written.items():
        at = reading.manifest.document.position((*where, "wildcards", name))
        try:
            lines = reading.sources.lines(path, at=at)
        except InvalidError as error:
            for problem in error.problems:
                reading.report(problem)
            continue
        found[name] = [line.text for line in lines.items]
        if not lines.items:
            hint = "Blank lines and lines that begin with # do not count."
            reading.error("E-AXIS-EMPTY", f"{path} has no lines with text", at, hint)
    return found if all(found.get(name) for name in written) else None
