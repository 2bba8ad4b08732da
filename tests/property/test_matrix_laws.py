"""What holds of every matrix, not only of the examples."""

from __future__ import annotations

import itertools
import json
import math
import random
import string

from hypothesis import assume, given, settings, strategies as st

from foxbatch.canonical import Json, encode, equal
from foxbatch.errors import Problem
from foxbatch.matrix import Job, cells, expand
from foxbatch.matrix.filters import matches
from foxbatch.matrix.slugs import inserted, safe_step, slug
from foxbatch.template import Template
from tests.matrices import read, toy_provider
from tests.property.matrix_strategies import (
    Matrix,
    maps,
    matrices,
    scalars,
    values,
    values_of,
    wanted,
)

BASE: dict[str, Json] = {"foxbatch": 1, "name": "laws", "provider": "sandbox"}


def ignore(_problem: Problem) -> None:
    """Take a problem that the law is not about."""


def manifest(matrix: Matrix) -> str:
    """Return a manifest with one job and *matrix*."""
    job: dict[str, Json] = {"id": "one", "matrix": matrix.to_json()}
    return json.dumps({**BASE, "defaults": {"model": "toy-1"}, "jobs": [job]})


def plain(matrix: Matrix) -> list[dict[str, Json]]:
    """Return the cells of *matrix* by the plainest reading of the rules."""
    groups = matrix.zips or [[]]
    dimensions: list[list[dict[str, Json]]] = []
    for name in matrix.axes:
        if name in groups[0][1:]:
            continue
        together = groups[0] if name in groups[0] else [name]
        columns = [values_of(matrix.axes, member) for member in together]
        dimensions.append(
            [
                dict(zip(together, row, strict=True))
                for row in zip(*columns, strict=True)
            ]
        )
    product = [
        {name: found[name] for name in matrix.axes}
        for combination in itertools.product(*dimensions)
        if (found := {k: v for part in combination for k, v in part.items()})
    ]
    kept = [
        cell for cell in product if not any(fits(one, cell) for one in matrix.exclude)
    ]
    alone: list[dict[str, Json]] = []
    full = [dict(cell) for cell in kept]
    for include in matrix.include:
        wanted = {key: value for key, value in include.items() if key in matrix.axes}
        matching = [number for number, cell in enumerate(kept) if fits(wanted, cell)]
        for number in matching:
            full[number].update({k: v for k, v in include.items() if k not in wanted})
        if not matching:
            alone.append(include)
    return full + alone


def fits(wanted: dict[str, Json], cell: dict[str, Json]) -> bool:
    return all(equal(value, cell[key]) for key, value in wanted.items())


@settings(max_examples=60)
@given(matrices())
def test_cells_are_what_the_rules_say(matrix: Matrix) -> None:
    """The streaming product agrees with a literal reading, in the same order."""
    found = [one.cell for one in cells(read(manifest(matrix)), ignore)]

    expected = plain(matrix)
    assert [encode(cell) for cell in found] == [encode(cell) for cell in expected]
    for cell in found:
        assert [name for name in cell if name in matrix.axes] == [
            name for name in matrix.axes if name in cell
        ]


@settings(max_examples=60)
@given(matrices(includes=False))
def test_without_filters_the_size_is_the_product(matrix: Matrix) -> None:
    unfiltered = Matrix(matrix.axes, matrix.zips, [], [])
    tied = set(matrix.zips[0][1:]) if matrix.zips else set()
    size = 1
    for name in matrix.axes:
        size *= 1 if name in tied else len(values_of(matrix.axes, name))

    found = list(cells(read(manifest(unfiltered)), ignore))

    assert [one.index for one in found] == list(range(size))


# ---- filters


@settings(max_examples=300)
@given(wanted, values | maps)
def test_operators_mean_what_they_say(asked: Json, value: Json) -> None:
    """The matcher agrees with one that is written by another idea: as sentences."""
    assert matches(asked, value) is holds(asked, value)


def holds(asked: Json, value: Json) -> bool:
    if not isinstance(asked, dict):
        return encode(asked) == encode(value)
    return all(says(key, inner, value) for key, inner in asked.items()) and (
        isinstance(value, dict) or any(key.startswith("$") for key in asked)
    )


def says(key: str, inner: Json, value: Json) -> bool:
    match key, inner:
        case "$in", [*choices]:
            return any(holds(one, value) for one in choices)
        case "$not", _:
            return not holds(inner, value)
        case "$gt", int() | float():
            return number(value) > inner
        case "$gte", int() | float():
            return number(value) >= inner
        case "$lt", int() | float():
            return number(value) < inner
        case "$lte", int() | float():
            return number(value) <= inner
        case _:
            return isinstance(value, dict) and key in value and holds(inner, value[key])


def number(value: Json) -> float:
    """Return a number as it is, and something that no bound admits for the rest."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    return value


@settings(max_examples=60)
@given(matrices(includes=False), st.sampled_from(["a", "b", "c"]), wanted)
def test_exclude_drops_exactly_what_its_filter_matches(
    matrix: Matrix, name: str, asked: Json
) -> None:
    assume(name in matrix.axes)
    bare = Matrix(matrix.axes, matrix.zips, [], [])
    filtered = Matrix(matrix.axes, matrix.zips, [{name: asked}], [])

    every = [one.cell for one in cells(read(manifest(bare)), ignore)]
    kept = [one.cell for one in cells(read(manifest(filtered)), ignore)]

    assert kept == [cell for cell in every if not matches(asked, cell[name])]


# ---- samples


def sampled(matrix: Matrix, num: int, seed: int = 0) -> list[dict[str, Json]]:
    sample: Json = {"num": num, "seed": seed}
    written = {**matrix.to_json(), "sample": sample}
    job: dict[str, Json] = {"id": "one", "matrix": written}
    text = json.dumps({**BASE, "defaults": {"model": "toy-1"}, "jobs": [job]})
    return [one.cell for one in cells(read(text), ignore)]


@settings(max_examples=60)
@given(matrices(includes=False), st.integers(1, 9), st.integers(0, 3))
def test_a_sample_is_part_of_every_larger_one(
    matrix: Matrix, num: int, seed: int
) -> None:
    every = [one.cell for one in cells(read(manifest(matrix)), ignore)]

    small, large = sampled(matrix, num, seed), sampled(matrix, num + 1, seed)

    assert small == [cell for cell in large if cell in small]
    assert large == [cell for cell in every if cell in large]
    assert len(small) == min(num, len(every))


@settings(max_examples=60)
@given(matrices(includes=False), st.integers(1, 9))
def test_what_is_sampled_does_not_depend_on_the_order_of_axes(
    matrix: Matrix, num: int
) -> None:
    turned = Matrix(
        dict(reversed(matrix.axes.items())), matrix.zips, matrix.exclude, []
    )

    one, other = sampled(matrix, num), sampled(turned, num)

    assert {encode(cell) for cell in one} == {encode(cell) for cell in other}


@settings(max_examples=60)
@given(matrices(), st.integers(1, 9))
def test_a_sample_changes_neither_extras_nor_stand_alone_includes(
    matrix: Matrix, num: int
) -> None:
    every = [one.cell for one in cells(read(manifest(matrix)), ignore)]
    alone = [cell for cell in every if not matrix.axes.keys() <= cell.keys()]

    found = sampled(matrix, num)

    assert [encode(one) for one in found if one in alone] == [*map(encode, alone)]
    assert {encode(one) for one in found} <= {encode(one) for one in every}


# ---- identities


WRITABLE = "".join(c for c in string.printable if c not in "\v\f")
"""What a manifest may hold: the other control characters are refused as no text."""

SWEEPS = st.fixed_dictionaries(
    {
        "seed": st.lists(st.integers(-9, 99), min_size=1, max_size=3, unique=True),
        "generation_type": st.lists(
            st.text(WRITABLE + "é日", max_size=8).filter(lambda s: "{{" not in s),
            min_size=1,
            max_size=3,
            unique=True,
        ),
        "sound": st.lists(st.booleans(), min_size=1, max_size=2, unique=True),
        "weights": st.lists(
            st.lists(st.floats(-1, 1), max_size=2),
            min_size=1,
            max_size=2,
            unique_by=lambda weights: encode([*weights]),
        ),
    }
)


def sweep(axes: dict[str, list[Json]]) -> dict[str, Json]:
    job: dict[str, Json] = {
        "id": "one",
        "prompts": ["a fox", {"id": "dog", "text": "a dog"}],
        "matrix": {"axes": dict(axes)},
        "repeat": 2,
    }
    defaults: dict[str, Json] = {"model": "toy-1", "params": {"duration": 4}}
    return {**BASE, "defaults": defaults, "jobs": [job]}


def jobs_of(text: str) -> list[Job]:
    return list(expand(read(text), toy_provider(), ignore))


@settings(max_examples=25)
@given(SWEEPS)
def test_every_job_has_an_id_and_a_name_of_its_own(axes: dict[str, list[Json]]) -> None:
    found = jobs_of(json.dumps(sweep(axes)))

    size = 4
    for choices in axes.values():
        size *= len(choices)
    assert len(found) == size
    assert (
        len({job.id for job in found})
        == len({encode_job(job) for job in found})
        == size
    )
    assert len({job.name.casefold() for job in found}) == size
    for job in found:
        assert set(job.name) <= set(string.ascii_lowercase + string.digits + "._-")
        assert len(job.name) <= 100


def encode_job(job: Job) -> bytes:
    return encode([job.request, job.repeat])


@settings(max_examples=25)
@given(SWEEPS, st.randoms(use_true_random=False))
def test_ids_do_not_depend_on_how_the_manifest_is_written(
    axes: dict[str, list[Json]], rng: random.Random
) -> None:
    """Keys in another order, another layout and comments change no job."""
    written = sweep(axes)
    other = json.dumps(shuffled(written, rng), indent=rng.choice([1, 2, 7]))
    commented = "# a comment\n" + other.replace("{\n", "{ # and another\n\n", 3)

    before = {job.id: encode_job(job) for job in jobs_of(json.dumps(written))}
    after = {job.id: encode_job(job) for job in jobs_of(commented)}

    assert before == after


def shuffled(value: Json, rng: random.Random) -> Json:
    match value:
        case dict():
            keys = list(value)
            rng.shuffle(keys)
            return {key: shuffled(value[key], rng) for key in keys}
        case list():
            return [shuffled(item, rng) for item in value]
        case _:
            return value


@settings(max_examples=25)
@given(SWEEPS, st.integers(1, 3))
def test_merging_keeps_the_set_of_ids(axes: dict[str, list[Json]], times: int) -> None:
    """However often a spec is written, its jobs are bought once, the first named."""
    once = sweep(axes)
    jobs = once["jobs"]
    assert isinstance(jobs, list)
    (job,) = jobs
    assert isinstance(job, dict)
    copies: list[Json] = [{**job, "id": f"copy-{n}"} for n in range(times)]
    merged = {**once, "duplicates": "merge", "jobs": [job, *copies]}

    before, after = jobs_of(json.dumps(once)), jobs_of(json.dumps(merged))

    assert [one.id for one in after] == [one.id for one in before]
    for one in after:
        assert [also.spec for also in one.also] == [f"copy-{n}" for n in range(times)]
        assert {also.name for also in one.also} == {one.name}


@settings(max_examples=25)
@given(SWEEPS, st.integers(0, 2))
def test_adding_a_value_changes_no_other_job(
    axes: dict[str, list[Json]], where: int
) -> None:
    more = {**axes, "seed": [*axes["seed"][:where], 1000, *axes["seed"][where:]]}

    before = {job.id for job in jobs_of(json.dumps(sweep(axes)))}
    after = {job.id for job in jobs_of(json.dumps(sweep(more)))}

    assert before < after


# ---- text


@given(scalars)
def test_a_lone_reference_gives_back_exactly_its_value(value: Json) -> None:
    rendered = Template.parse("${{ vars.x }}").render({"vars": {"x": value}})

    assert rendered == value
    assert type(rendered) is type(value)


@given(
    st.text("${a}", max_size=9).filter(lambda text: not text.endswith("$")), st.text()
)
def test_escaped_text_around_a_reference_stays_as_it_is(text: str, value: str) -> None:
    escaped = text.replace("${{", "$${{")

    rendered = Template.parse(escaped + "${{ vars.x }}!").render({"vars": {"x": value}})

    assert rendered == f"{text}{value}!"


@given(st.text(), st.integers(1, 40))
def test_a_slug_is_safe_and_short(text: str, limit: int) -> None:
    found = slug(text, limit)

    assert len(found) <= limit
    assert set(found) <= set(string.ascii_letters + string.digits + "._-")
    assert slug(found, limit) == found


@given(st.text(), st.text())
def test_an_inserted_value_is_one_step_of_a_path(text: str, around: str) -> None:
    step = safe_step(inserted(text) + inserted(around))

    assert step not in {"", ".", ".."}
    assert "/" not in step
    assert "\\" not in step
    assert len(step) <= 121
