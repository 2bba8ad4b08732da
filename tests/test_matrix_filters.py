"""What filters match, with operators and without."""

from __future__ import annotations

import pytest

from foxbatch.canonical import Json
from foxbatch.matrix import cells
from foxbatch.matrix.filters import closest, matches, operates
from foxbatch.yaml12 import parse
from tests.matrices import cells_of, expand_job, one_job, read

T10 = """
axes: {dur: [4, 8, 12], res: [720p, 1080p, 4k]}
exclude: [{res: 4k, dur: {$gte: 8}}, {res: {$in: [720p, 1080p]}, dur: 12}]
"""
T10_CELLS = """
- {dur: 4, res: 720p}
- {dur: 4, res: 1080p}
- {dur: 4, res: 4k}
- {dur: 8, res: 720p}
- {dur: 8, res: 1080p}
"""
NESTED = """
axes: {shot: [{what: fox, s: 4}, {what: fox, s: 8}, {what: owl, s: 8}]}
exclude: [{shot: {what: {$not: owl}, s: {$gt: 4}}}]
"""
NESTED_CELLS = "[{shot: {what: fox, s: 4}}, {shot: {what: owl, s: 8}}]"


@pytest.mark.parametrize(
    ("wanted", "value", "expected"),
    [
        pytest.param(
            {"a": {"b": 1}}, {"a": {"b": 1.0, "c": 2}}, True, id="subset, deep"
        ),
        pytest.param({"a": 1}, {"b": 1}, False, id="a key is missing"),
        pytest.param({"a": [1]}, {"a": [1, 2]}, False, id="a list inside is whole"),
        pytest.param({"a": 1}, "a", False, id="a mapping is no text"),
        pytest.param(1, True, False, id="1 is not true"),
        pytest.param({"$in": [4, 6]}, 6.0, True, id="$in is one of several"),
        pytest.param({"$in": [4, 6]}, "6", False, id="$in is as exact as a value"),
        pytest.param({"$in": [{"a": 1}]}, {"a": 1, "b": 2}, True, id="$in by subset"),
        pytest.param({"$in": [[1]]}, [1], True, id="$in names whole lists"),
        pytest.param({"$in": [{"$gt": 5}, 1]}, 7, True, id="operators inside $in"),
        pytest.param({"$not": 4}, 5, True, id="$not is anything else"),
        pytest.param({"$not": 4}, 4.0, False, id="$not is as exact as a value"),
        pytest.param({"$not": [1]}, [1, 2], True, id="$not of a list is whole"),
        pytest.param({"$not": {"$in": [1, 2]}}, 2, False, id="$not around $in"),
        pytest.param({"$not": {"$not": 4}}, 4, True, id="$not twice"),
        pytest.param({"$not": {"$gt": 4}}, "x", True, id="$not of a comparison"),
        pytest.param(
            {"$not": {"a": 1}}, {"a": 1, "b": 2}, False, id="$not of a subset"
        ),
        pytest.param({"$gt": 4}, 4, False, id="$gt is above"),
        pytest.param({"$gte": 4}, 4, True, id="$gte is from"),
        pytest.param({"$lt": 4}, 4, False, id="$lt is below"),
        pytest.param({"$lte": 4}, 4.0, True, id="$lte is up to"),
        pytest.param({"$gte": 4, "$lt": 8}, 6, True, id="several hold"),
        pytest.param({"$gte": 4, "$lt": 8}, 8, False, id="one of several does not"),
        pytest.param({"$gt": 0}, True, False, id="true is no number"),
        pytest.param({"$gt": 0}, "9", False, id="text is no number"),
        pytest.param({"$lt": 9}, None, False, id="null is no number"),
        pytest.param({"$lt": "9"}, 4, False, id="numbers compare with numbers only"),
        pytest.param({"$in": "abc"}, "a", False, id="$in needs a list"),
        pytest.param({"$gt": 1, "$nin": [2]}, 2, False, id="unknown ones never hold"),
        pytest.param({"$unset": True}, {"$unset": True}, True, id="$unset is a value"),
    ],
)
def test_a_filter_matches_values_like_this(
    wanted: Json, value: Json, *, expected: bool
) -> None:
    assert matches(wanted, value) is expected


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"$gte": 4}, True),
        ({"a": {"b": {"$not": 1}}}, True),
        ({"$unset": True}, False),
        ([{"$in": [1]}], False),
        ("$in", False),
    ],
)
def test_what_holds_an_operator_is_no_value(wanted: Json, *, expected: bool) -> None:
    assert operates(wanted) is expected


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        pytest.param(T10, T10_CELLS, id="T10 operators"),
        pytest.param(
            NESTED, NESTED_CELLS, id="inside a mapping that matches by subset"
        ),
        pytest.param(
            "{axes: {a: [1, 2, 3, 4]}, exclude: [{a: {$gt: 1, $lte: 3}}]}",
            "[{a: 1}, {a: 4}]",
            id="several in one mapping",
        ),
        pytest.param(
            "{axes: {a: [1, 2], b: [x, y]}, exclude: [{a: 2, b: {$not: x}}]}",
            "[{a: 1, b: x}, {a: 1, b: y}, {a: 2, b: x}]",
            id="$not beside a value",
        ),
        pytest.param(
            "{axes: {a: [1, 2, 3]}, include: [{a: {$gte: 2}, b: x}]}",
            "[{a: 1}, {a: 2, b: x}, {a: 3, b: x}]",
            id="an include adds to what it matches",
        ),
        pytest.param(
            "{axes: {a: [1, x]}, exclude: [{a: {$lt: 5}}]}",
            "[{a: x}]",
            id="text is neither above nor below",
        ),
    ],
)
def test_cells_with_operators(matrix: str, expected: str) -> None:
    outcome = cells_of(matrix)

    assert [one.cell for one in outcome.cells] == parse(expected, file="").value
    assert outcome.errors == []


@pytest.mark.parametrize(
    ("filters", "code", "message", "hint"),
    [
        pytest.param(
            "exclude: [{a: {$nin: [1]}}]",
            "E-OPERATOR",
            "there is no operator $nin",
            "Write {$not: {$in: […]}}.",
            id="one of another language",
        ),
        pytest.param(
            "exclude: [{a: {$eq: 1}}]",
            "E-OPERATOR",
            "there is no operator $eq",
            "Write the value itself, without an operator.",
            id="one that is not needed",
        ),
        pytest.param(
            "exclude: [{a: {$regex: x}}]",
            "E-OPERATOR",
            "there is no operator $regex",
            "Texts are compared whole; name several with {$in: […]}.",
            id="one that there will not be",
        ),
        pytest.param(
            "exclude: [{a: {$exists: true}}]",
            "E-OPERATOR",
            "there is no operator $exists",
            "Operators: $in, $not, $gt, $gte, $lt, $lte.",
            id="an unknown one",
        ),
        pytest.param(
            "include: [{a: {$lts: 2}, b: 1}]",
            "E-OPERATOR",
            "there is no operator $lts",
            "Did you mean $lt?",
            id="a misspelt one",
        ),
        pytest.param(
            "exclude: [{$not: {a: 1}}]",
            "E-OPERATOR",
            "$not stands where the name of an axis is expected",
            "Write it inside the value of an axis: {a: {$not: 1}}.",
            id="at the top of an exclude",
        ),
        pytest.param(
            "include: [{$in: [1]}]",
            "E-OPERATOR",
            "$in stands where the name of an axis is expected",
            "Write it inside the value of an axis: {name: {$in: …}}.",
            id="at the top of an include",
        ),
        pytest.param(
            "include: [{a: 1, b: {deep: [{$in: [1]}]}}]",
            "E-OPERATOR",
            "b is no axis, so $in has no values to choose from",
            "Axes are: a.",
            id="in an extra",
        ),
        pytest.param(
            "exclude: [{a: {$gte: 1, lt: 2}}]",
            "E-OPERATOR",
            '"lt" stands beside an operator and is none',
            "Did you mean $lt?",
            id="the dollar was forgotten",
        ),
        pytest.param(
            "exclude: [{a: {$not: 1, name: x}}]",
            "E-OPERATOR",
            '"name" stands beside an operator and is none',
            "Write {$in: [{name: …}]} beside the operator.",
            id="beside an ordinary key",
        ),
        pytest.param(
            "exclude: [{a: [{$not: 1}]}]",
            "E-OPERATOR",
            "$not stands in a list, and lists are compared whole",
            "Write {$in: […]} if one of several values is meant.",
            id="in a list",
        ),
        pytest.param(
            "exclude: [{a: {$in: [[{$not: 1}]]}}]",
            "E-OPERATOR",
            "$not stands in a list, and lists are compared whole",
            "Write {$in: […]} if one of several values is meant.",
            id="in a list that is one of several",
        ),
        pytest.param(
            "exclude: [{a: {$not: {$gt: x}}}]",
            "E-TYPE",
            'jobs[0].matrix.exclude[0].a.$not.$gt must be a number, not the text "x"',
            "",
            id="text for a number",
        ),
        pytest.param(
            "exclude: [{a: {$in: []}}]",
            "E-COUNT",
            "jobs[0].matrix.exclude[0].a.$in is empty",
            "",
            id="none of no values",
        ),
        pytest.param(
            "exclude: [{a: {$gte: 9}}]",
            "E-EXCLUDE-DEAD",
            "this exclude matches nothing",
            "a is never {$gte: 9}; its values are: 1, 2.",
            id="an exclude that matches nothing",
        ),
        pytest.param(
            "include: [{a: {$gte: 9}, b: 1}]",
            "E-INC-DEAD",
            "this include matches no combination, and with an operator it is no job "
            "of its own",
            "a is never {$gte: 9}; its values are: 1, 2.",
            id="T11 an include that matches nothing",
        ),
        pytest.param(
            "exclude: [{a: 1}]\ninclude: [{a: {$lt: 2}, b: 1}]",
            "E-INC-DEAD",
            "this include matches no combination, and with an operator it is no job "
            "of its own",
            "The combinations that it would match are excluded.",
            id="an include whose combinations are excluded",
        ),
    ],
)
def test_what_is_wrong_with_an_operator(
    filters: str, code: str, message: str, hint: str
) -> None:
    outcome = cells_of(f"axes: {{a: [1, 2]}}\n{filters}")

    (problem,) = outcome.problems
    assert (problem.code, problem.message) == (code, message)
    assert problem.hint == hint


def test_prompts_are_chosen_by_operators_on_label_and_text() -> None:
    text = one_job("""
        prompts: [{id: one, text: cat}, {id: two, text: dog}, {id: three, text: bird}]
        matrix:
          axes: {n: [1]}
          exclude: [{prompt_id: {$not: {$in: [one, two]}}}]
          include: [{prompt: {$not: cat}, seed: 5}, {prompt_id: {$in: [one]}, seed: 6}]
    """)

    found = [(c.prompt and c.prompt.id, c.cell) for c in cells(read(text), print)]

    assert found == [("one", {"n": 1, "seed": 6}), ("two", {"n": 1, "seed": 5})]


def test_an_operator_of_an_include_is_no_value_of_a_job() -> None:
    outcome = expand_job("""
        prompts: [a fox]
        matrix:
          axes: {model: [toy-1, still], seed: [1]}
          include: [{model: {$in: [still]}, tag: x}]
    """)

    assert outcome.errors == []
    assert [request.get("tag") for request in outcome.requests] == [None, "x"]


def test_an_operator_may_use_a_variable() -> None:
    text = one_job(
        'matrix: {axes: {a: [1, 2]}, exclude: [{a: {$in: ["${{ vars.x }}"]}}]}',
        top="vars: {x: 1}",
    )

    assert [one.cell for one in cells(read(text), print)] == [{"a": 2}]


def test_an_include_is_not_called_dead_when_its_axis_lost_a_value() -> None:
    outcome = cells_of(
        '{axes: {a: [1, "${{ vars.b }}"]}, include: [{a: {$gt: 1}, b: x}]}'
    )

    assert outcome.errors == ["E-REF-UNKNOWN"]


def test_the_closest_number_is_the_nearest_one() -> None:
    assert closest(9, [1, 8, True, "x"]) == 8
    assert closest(True, [1, 2]) is None
    assert closest([1], [[2]]) is None
