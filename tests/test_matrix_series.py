"""Ranges and draws: T15 and T16 of the language, and how they end."""

from __future__ import annotations

import time

import pytest

from foxbatch.canonical import Json
from foxbatch.matrix import expansion
from foxbatch.matrix.axes import Allowance
from foxbatch.matrix.draws import Source
from foxbatch.matrix.refusals import FormError
from foxbatch.matrix.series import evenly, in_steps
from tests.matrices import Outcome, cells_of


def of_axis(form: str, name: str = "a") -> Outcome:
    return cells_of(f"{{axes: {{{name}: {form}}}}}")


def values(form: str, name: str = "a") -> list[Json]:
    outcome = of_axis(form, name)
    assert outcome.problems == []
    return [one.cell[name] for one in outcome.cells]


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        pytest.param("{range: {from: 1, through: 4}}", [1, 2, 3, 4], id="T15 up"),
        pytest.param(
            "{range: {from: 5, through: 1, step: -2}}", [5, 3, 1], id="T15 down"
        ),
        pytest.param(
            "{range: {from: 0, through: 1.0, step: 0.3}}",
            [0.0, 0.3, 0.6, 0.9],
            id="T15 does not overshoot",
        ),
        pytest.param(
            "{range: {from: 0.1, through: 0.5, step: 0.1}}",
            [0.1, 0.2, 0.3, 0.4, 0.5],
            id="T15 in decimal",
        ),
        pytest.param(
            "{linspace: {from: 1, through: 10, num: 4}}", [1, 4, 7, 10], id="T15 spread"
        ),
        pytest.param("{range: {from: 3, through: 3}}", [3], id="one value"),
        pytest.param(
            "{range: {from: 1, through: 2, step: 1.0}}", [1.0, 2.0], id="a float step"
        ),
        pytest.param(
            "{range: {from: 1e300, through: 1.5e300, step: 5e299}}",
            [1e300, 1.5e300],
            id="huge numbers",
        ),
        pytest.param(
            "{range: {from: 0, through: 1.5e-323, step: 5e-324}}",
            [0.0, 5e-324, 1e-323, 1.5e-323],
            id="the tiniest numbers",
        ),
        pytest.param(
            "{range: {from: 9007199254740990, through: 9007199254740991}}",
            [9007199254740990, 9007199254740991],
            id="the largest integers",
        ),
        pytest.param(
            "{linspace: {from: 0, through: 1, num: 3}}",
            [0.0, 0.5, 1.0],
            id="spread between integers",
        ),
        pytest.param(
            "{linspace: {from: 0.0, through: 4, num: 3}}",
            [0.0, 2.0, 4.0],
            id="spread from a float",
        ),
        pytest.param(
            "{linspace: {from: 4, through: 0, num: 3}}", [4, 2, 0], id="spread down"
        ),
    ],
)
def test_a_series_has_the_values_that_were_written(
    form: str, expected: list[Json]
) -> None:
    found = values(form)

    assert found == expected
    assert [type(value) for value in found] == [type(value) for value in expected]


@pytest.mark.parametrize(
    ("form", "code"),
    [
        pytest.param(
            "{range: {from: 1, through: 0}}", "E-RANGE-EMPTY", id="T15 nothing between"
        ),
        pytest.param(
            "{range: {from: 0, through: 1, step: -0.5}}",
            "E-RANGE-EMPTY",
            id="the wrong way",
        ),
        pytest.param(
            "{range: {from: 0, through: 1, step: 0.0}}", "E-RANGE-STEP", id="no step"
        ),
        pytest.param(
            "{range: {from: 1e16, through: 10000000000000004.0, step: 0.5}}",
            "E-RANGE-STEP",
            id="steps too small for a float",
        ),
        pytest.param(
            "{linspace: {from: 2, through: 2, num: 3}}", "E-RANGE-STEP", id="equal ends"
        ),
        pytest.param(
            "{random: {int: [2, 1], num: 1}}", "E-RANGE-EMPTY", id="draws of nothing"
        ),
        pytest.param(
            "{random: {float: [-1.0e308, 1.0e308], num: 1}}",
            "E-NUMBER",
            id="bounds too far apart",
        ),
        pytest.param(
            "{random: {int: [1, 6], num: 7, unique: true}}",
            "E-RANDOM-UNIQUE",
            id="too few faces",
        ),
        pytest.param(
            "{random: {choice: [a, a, b], num: 3, unique: true}}",
            "E-RANDOM-UNIQUE",
            id="too few choices",
        ),
        pytest.param(
            "{random: {float: [1.0, 1.0], num: 2, unique: true}}",
            "E-RANDOM-UNIQUE",
            id="too few floats",
        ),
        pytest.param(
            "{random: {int: [1, 2], num: 3}}", "E-AXIS-DUP", id="a value drawn twice"
        ),
        pytest.param(
            '{random: {choice: ["${{ vars.x }}"], num: 1}}',
            "E-REF-UNKNOWN",
            id="a choice that cannot be rendered",
        ),
    ],
)
def test_a_series_that_cannot_be_is_refused(form: str, code: str) -> None:
    outcome = of_axis(form)

    assert outcome.errors == [code]
    assert outcome.problems[0].hint
    assert outcome.cells == []


@pytest.mark.parametrize(
    "form",
    [
        "{range: {from: 1, through: 9007199254740991}}",
        "{range: {from: 0, through: 1, step: 5e-324}}",
        "{range: {from: -1e308, through: 1e308, step: 1e-308}}",
        "{linspace: {from: 0, through: 1, num: 1e300}}",
        "{random: {int: [0, 9], num: 9007199254740991}}",
        "{random: {int: [0, 9007199254740991], num: 1000001, unique: true}}",
    ],
)
def test_a_huge_axis_is_refused_by_arithmetic(form: str) -> None:
    start = time.perf_counter()

    assert of_axis(form).errors == ["E-MATRIX-HUGE"]

    assert time.perf_counter() - start < 0.5


def test_many_axes_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expansion, "Allowance", lambda: Allowance(left=10))
    form = "{range: {from: 1, through: 4}}"

    outcome = cells_of(f"{{axes: {{a: {form}, b: {form}, c: {form}}}}}")

    problem = outcome.only("E-MATRIX-HUGE")
    assert (problem.position.line, outcome.errors) == (9, ["E-MATRIX-HUGE"])
    assert outcome.cells == []


# ---- draws


@pytest.mark.parametrize(
    ("name", "form", "expected"),
    [
        pytest.param(
            "seed",
            "{random: {int: [0, 2147483647], num: 3}}",
            [1756828362, 842037475, 731632346],
            id="T16 integers",
        ),
        pytest.param(
            "seed",
            "{random: {int: [0, 2147483647], num: 5}}",
            [1756828362, 842037475, 731632346, 347862364, 254105542],
            id="T16 two more",
        ),
        pytest.param(
            "seed",
            "{random: {int: [0, 2147483647], num: 3, seed: 1}}",
            [897098029, 77388697, 253371751],
            id="T16 a seed of its own",
        ),
        pytest.param(
            "cfg",
            "{random: {float: [1.0, 10.0], num: 3}}",
            [3.2577787171779784, 2.704712320161139, 9.22107270923059],
            id="T16 floats",
        ),
        pytest.param(
            "c",
            "{random: {choice: [a, b, c, d, e], num: 3, unique: true}}",
            ["b", "e", "c"],
            id="T16 different choices",
        ),
    ],
)
def test_draws_are_the_same_everywhere(
    name: str, form: str, expected: list[Json]
) -> None:
    assert values(form, name) == expected


def test_the_sampling_seed_is_the_seed_of_draws() -> None:
    axis = "seed: {random: {int: [0, 2147483647], num: 3}}"

    outcome = cells_of(f"{{axes: {{{axis}}}, sampling_seed: 1}}")

    found = [one.cell["seed"] for one in outcome.cells]
    assert found == [897098029, 77388697, 253371751]


def test_draws_of_one_axis_do_not_depend_on_another() -> None:
    axis = "b: {random: {int: [0, 999], num: 1}}"

    alone = cells_of(f"{{axes: {{{axis}}}}}").cells
    beside = cells_of(f"{{axes: {{a: {{random: {{int: [0, 9], num: 1}}}}, {axis}}}}}")

    assert [one.cell["b"] for one in beside.cells] == [alone[0].cell["b"]]


def test_all_of_a_few_values_can_be_drawn() -> None:
    found = values("{random: {int: [1, 60], num: 60, unique: true}}")

    assert sorted(map(str, found)) == sorted(map(str, range(1, 61)))


def test_looking_for_another_value_ends() -> None:
    """A source may promise more values than its draws ever reach."""
    source = Source(lambda drawn: drawn % 2, size=5)  # zeros and ones

    with pytest.raises(FormError) as raised:
        source.draw_unique(3, seed=0, axis="a")

    assert raised.value.code == "E-RANDOM-UNIQUE"


def test_floats_around_zero_are_counted() -> None:
    assert Source.floats(-5e-324, 5e-324).size == 3
    assert Source.floats(-1.0, 1.0).size == 2**53


def test_equal_neighbours_are_found_in_any_series() -> None:
    with pytest.raises(FormError, match="both be 1e\\+22"):
        evenly(1e22, 1.0000000000000001e22, 3)
    with pytest.raises(FormError, match="steps of 0"):
        in_steps(1, 2, 0)
