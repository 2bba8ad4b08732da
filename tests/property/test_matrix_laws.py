"""What holds of every matrix, not only of the examples."""

from __future__ import annotations

import itertools
import json
import random
import string

from hypothesis import given, strategies as st

from foxbatch.canonical import Json, encode, equal
from foxbatch.errors import Problem
from foxbatch.matrix import Job, cells, expand
from foxbatch.matrix.slugs import inserted, safe_step, slug
from foxbatch.template import Template
from tests.matrices import read, toy_provider
from tests.property.matrix_strategies import Matrix, matrices, scalars, values_of

BASE: dict[str, Json] = {"foxbatch": 1, "name": "laws", "provider": "sandbox"}
USES = "".join(
    f"${{{{ matrix.{name} ?? '-' }}}};" for name in ("t", "a", "b", "c", "d", "x", "y")
)


def manifest(matrix: Matrix, *, repeat: int = 1) -> dict[str, Json]:
    """Return a manifest whose jobs differ exactly where their cells do."""
    lists = [f"l{index}" for index in range(2)]
    job: dict[str, Json] = {
        "id": "one",
        "matrix": matrix.to_json(),
        "repeat": repeat,
        "params": {"prompt": "p " + lists[0]},
    }
    return {**BASE, "defaults": {"model": "toy-1"}, "jobs": [job]}


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


@given(matrices())
def test_cells_are_what_the_rules_say(matrix: Matrix) -> None:
    """The streaming product agrees with a literal reading, in the same order."""
    problems: list[Problem] = []

    found = [
        one.cell for one in cells(read(json.dumps(manifest(matrix))), problems.append)
    ]

    expected = plain(matrix)
    assert [encode(cell) for cell in found] == [encode(cell) for cell in expected]
    for cell in found:
        assert [name for name in cell if name in matrix.axes] == [
            name for name in matrix.axes if name in cell
        ]


@given(matrices(includes=False))
def test_without_filters_the_size_is_the_product(matrix: Matrix) -> None:
    unfiltered = Matrix(matrix.axes, matrix.zips, [], [])
    tied = set(matrix.zips[0][1:]) if matrix.zips else set()
    size = 1
    for name in matrix.axes:
        size *= 1 if name in tied else len(values_of(matrix.axes, name))

    found = list(cells(read(json.dumps(manifest(unfiltered))), print))

    assert [one.index for one in found] == list(range(size))


# ---- identities


SWEEPS = st.fixed_dictionaries(
    {
        "seed": st.lists(st.integers(-9, 99), min_size=1, max_size=3, unique=True),
        "generation_type": st.lists(
            st.text(string.printable + "é日", max_size=8).filter(
                lambda s: "{{" not in s
            ),
            min_size=1,
            max_size=3,
            unique=True,
        ),
        "sound": st.lists(st.booleans(), min_size=1, max_size=2, unique=True),
        "weights": st.lists(
            st.lists(st.floats(-1, 1), max_size=2),
            min_size=1,
            max_size=2,
            unique_by=encode,
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
    return list(expand(read(text), toy_provider(), lambda _: None))


@given(SWEEPS)
def test_every_job_has_an_id_and_a_name_of_its_own(axes: dict[str, list[Json]]) -> None:
    found = jobs_of(json.dumps(sweep(axes)))

    size = 4
    for values in axes.values():
        size *= len(values)
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


@given(SWEEPS, st.randoms(use_true_random=False))
def test_ids_and_names_do_not_depend_on_how_the_manifest_is_written(
    axes: dict[str, list[Json]], rng: random.Random
) -> None:
    """Keys in another order, another layout and comments change no job."""
    written = sweep(axes)

    before = {
        (job.id, job.name): encode_job(job) for job in jobs_of(json.dumps(written))
    }
    other = json.dumps(shuffled(written, rng), indent=rng.choice([1, 2, 7]))
    commented = "# a comment\n" + other.replace("{\n", "{ # and another\n\n", 3)

    after = {(job.id, job.name): encode_job(job) for job in jobs_of(commented)}
    assert {job for job, _ in before} == {job for job, _ in after}
    assert set(before.values()) == set(after.values())


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


@given(st.text(), st.text())
def test_text_around_a_reference_stays_as_it_is(before: str, inside: str) -> None:
    """Whatever the text is, escaping `${{` gives it back."""
    escaped = before.replace("${{", "$${{")
    # A dollar right before the reference would be read as the escape.
    template = Template.parse(escaped.rstrip("$") + "${{ vars.x }}!")

    expected = before if before == before.rstrip("$") else escaped.rstrip("$")
    assert template.render({"vars": {"x": inside}}).__class__ is str
    if "$${{" not in before and before == before.rstrip("$"):
        assert template.render({"vars": {"x": inside}}) == f"{expected}{inside}!"


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
