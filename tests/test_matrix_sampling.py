"""Samples of a product: T17 of the manifest's language, and what surrounds it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from foxbatch.matrix import cells
from foxbatch.matrix.cells import Walked
from foxbatch.matrix.expansion import prepare
from foxbatch.yaml12 import parse
from tests.matrices import cells_of, expand_job, one_job, read

AXES = "axes: {a: [x, y, z], b: [1, 2, 3]}"


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        pytest.param(
            f"{{{AXES}, sample: {{num: 4, seed: 7}}}}",
            "[{a: x, b: 1}, {a: x, b: 3}, {a: y, b: 1}, {a: y, b: 2}]",
            id="T17 four of nine",
        ),
        pytest.param(
            f"{{{AXES}, sample: {{num: 2, seed: 7}}}}",
            "[{a: x, b: 1}, {a: x, b: 3}]",
            id="T17 two of nine are among the four",
        ),
        pytest.param(
            "{axes: {b: [3, 2, 1], a: [z, y, x]}, sample: {num: 4, seed: 7}}",
            "[{b: 3, a: x}, {b: 2, a: y}, {b: 1, a: y}, {b: 1, a: x}]",
            id="T17 the same four however the axes are written",
        ),
        pytest.param(
            "{axes: {a: [x, y, z, w], b: [1, 2, 3]}, sample: {num: 4, seed: 7}}",
            "[{a: x, b: 1}, {a: x, b: 3}, {a: y, b: 1}, {a: w, b: 3}]",
            id="T17 another value displaces one",
        ),
        pytest.param(
            f"{{{AXES}, sample: {{num: 2, seed: 7}}, "
            "include: [{a: x, b: 1, note: hero}, {a: q, b: 9}]}",
            "[{a: x, b: 1, note: hero}, {a: x, b: 3}, {a: q, b: 9}]",
            id="T17 includes join before, and stand-alone ones are kept",
        ),
        pytest.param(
            f"{{{AXES}, sample: {{num: 2}}, sampling_seed: 7}}",
            "[{a: x, b: 1}, {a: x, b: 3}]",
            id="sampling_seed is the seed of a sample that has none",
        ),
        pytest.param(
            f"{{{AXES}, sample: {{num: 2, seed: 7}}, sampling_seed: 8}}",
            "[{a: x, b: 1}, {a: x, b: 3}]",
            id="a seed of its own wins",
        ),
        pytest.param(
            f"{{{AXES}, sample: {{num: 2, seed: 7}}, exclude: [{{a: x, b: 1}}]}}",
            "[{a: x, b: 3}, {a: y, b: 1}]",
            id="what is excluded cannot be drawn",
        ),
        pytest.param(
            f"{{{AXES}, sample: {{num: 1, seed: 7}}, include: [{{a: z, note: n}}]}}",
            "[{a: x, b: 1}]",
            id="an include whose combinations are not drawn is no job",
        ),
        pytest.param(
            "{axes: {a: [1, 2, 3], b: [7, 8, 9]}, zip: [[a, b]], sample: {num: 2}}",
            "[{a: 1, b: 7}, {a: 3, b: 9}]",
            id="axes that walk together are drawn together",
        ),
    ],
)
def test_a_sample_keeps_these_combinations(matrix: str, expected: str) -> None:
    outcome = cells_of(matrix)

    assert [one.cell for one in outcome.cells] == parse(expected, file="").value
    assert outcome.errors == []


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        pytest.param(
            f"{{{AXES}, sample: {{num: 12}}}}",
            "the sample asks for 12, and the number of combinations is 9: all are kept",
            id="more than there are",
        ),
        pytest.param(
            f"{{{AXES}, sample: {{num: 9}}}}",
            "the sample asks for 9, and the number of combinations is 9: all are kept",
            id="as many as there are",
        ),
        pytest.param(
            f"{{{AXES}, exclude: [{{a: x}}], sample: {{num: 8}}}}",
            "the sample asks for 8, and the number of combinations is 6: all are kept",
            id="more than exclude leaves",
        ),
    ],
)
def test_a_sample_that_leaves_nothing_out_is_noted(matrix: str, message: str) -> None:
    outcome = cells_of(matrix)

    assert outcome.codes == ["N-SAMPLE-ALL"]
    assert outcome.problems[0].message == message


def test_one_less_than_there_are_is_a_sample() -> None:
    assert cells_of(f"{{{AXES}, sample: {{num: 8}}}}").codes == []


def test_prompts_are_drawn_by_their_text_and_not_by_their_label() -> None:
    matrix = "matrix: {axes: {n: [1, 2, 3]}, sample: {num: 3}}"
    texts = ['"cat ${{ matrix.n }}"', "dog"]
    plain = one_job(f"prompts: [{', '.join(texts)}]\n{matrix}")
    named = [f"{{id: p{n}, text: {text}}}" for n, text in enumerate(texts)]
    labelled = one_job(f"prompts: [{', '.join(named)}]\n{matrix}")

    found = [
        [(one.prompt and one.prompt.text, one.cell) for one in cells(read(text), print)]
        for text in (plain, labelled)
    ]

    assert len(found[0]) == 3
    assert found[0] == found[1]


def test_a_local_file_is_drawn_by_its_content_wherever_it_lies(tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        (tmp_path / f"{name}.png").write_text(name)
        (tmp_path / f"{name}-moved.png").write_text(name)
    drawn = []
    for tail in ("", "-moved"):
        values = [f"{{path: {name}{tail}.png}}" for name in ("one", "two", "three")]
        matrix = f"{{axes: {{f: [{', '.join(values)}]}}, sample: {{num: 2}}}}"
        drawn.append([str(one.cell["f"]) for one in cells_of(matrix, tmp_path).cells])

    assert [path.replace("-moved", "") for path in drawn[1]] == drawn[0]


def test_a_sample_with_a_file_that_cannot_be_read_has_no_combinations(
    tmp_path: Path,
) -> None:
    outcome = cells_of(
        "{axes: {f: [{path: gone.png}, {path: lost.png}]}, sample: {num: 1}}", tmp_path
    )

    assert outcome.errors == ["E-FILE-MISSING", "E-FILE-MISSING"]
    assert outcome.cells == []


def test_only_includes_are_no_product_to_draw_from() -> None:
    outcome = cells_of("{include: [{a: 1}, {a: 2}], sample: {num: 1}}")

    assert [one.cell for one in outcome.cells] == [{"a": 1}, {"a": 2}]


# ---- limits


def test_jobs_are_counted_after_the_sample() -> None:
    job = f"prompts: [x]\nmatrix: {{{AXES}, sample: {{num: 3}}, variables: [a, b]}}"
    uses = 'params: {tag: "${{ matrix.a }}", seed: "${{ matrix.b }}"}\nrepeat: 2'

    enough = expand_job(f"{job}\n{uses}", top="limits: {max_jobs: 6}")
    few = expand_job(f"{job}\n{uses}", top="limits: {max_jobs: 5}")

    assert (len(enough.jobs), enough.errors) == (6, [])
    assert few.only("E-MAX-JOBS").message == (
        "the manifest asks for 6 jobs, and limits.max_jobs is 5"
    )
    assert few.jobs == []


def test_behind_an_exclude_the_sample_is_counted_while_walking() -> None:
    matrix = "{axes: {seed: [1, 2, 3, 4]}, exclude: [{seed: 1}], sample: {num: 3}}"

    few = expand_job(f"prompts: [x]\nmatrix: {matrix}", top="limits: {max_jobs: 2}")

    assert (len(few.jobs), few.errors) == (2, ["E-MAX-JOBS"])


def test_a_large_product_is_sampled_without_being_held() -> None:
    numbers = list(range(200))
    text = one_job(
        f"matrix: {{axes: {{a: {numbers}, b: {numbers}}}, sample: {{num: 3}}}}"
    )
    _, (expansion,) = prepare(read(text), print)
    walked = Walked()

    found = list(expansion.product.cells(walked, most=1001))

    assert (len(found), walked.combinations) == (3, 40_000)


def test_a_sample_of_more_than_may_be_bought_draws_nothing() -> None:
    """Whatever it would hold in memory, one more than the limit says enough."""
    numbers = list(range(1000))
    matrix = (
        f"{{axes: {{a: {numbers}, b: {numbers}}}, exclude: [{{a: 0}}], "
        "sample: {num: 500000}}"
    )
    _, (expansion,) = prepare(read(one_job(f"matrix: {matrix}")), print)
    walked = Walked()

    next(expansion.product.cells(walked, most=1001))

    assert walked.combinations == 1


def test_a_huge_product_is_refused_at_once_whatever_is_drawn() -> None:
    numbers = list(range(1000))
    matrix = (
        f"{{axes: {{a: {numbers}, b: {numbers}, c: {numbers}}}, sample: {{num: 3}}}}"
    )
    begin = time.perf_counter()

    outcome = cells_of(matrix)

    assert outcome.errors == ["E-MATRIX-HUGE"]
    assert time.perf_counter() - begin < 2
