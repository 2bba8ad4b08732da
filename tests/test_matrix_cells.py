"""The product of the axes, read beside the chapters of the manifest's language.

The cases T01 to T13 are the worked examples that the language was defined by; where
the meaning is GitHub's, they agree with its documentation.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from foxbatch.matrix import cells
from foxbatch.yaml12 import parse
from tests.matrices import cells_of, one_job, read

T01 = """
axes: {fruit: [apple, pear], animal: [cat, dog]}
include:
  - color: green
  - {color: pink, animal: cat}
  - {fruit: apple, shape: circle}
  - fruit: banana
  - {fruit: banana, animal: cat}
"""
T01_CELLS = """
- {fruit: apple, animal: cat, color: pink, shape: circle}
- {fruit: apple, animal: dog, color: green, shape: circle}
- {fruit: pear, animal: cat, color: pink}
- {fruit: pear, animal: dog, color: green}
- {fruit: banana}
- {fruit: banana, animal: cat}
"""
T02 = """
axes: {os: [macos, windows], version: [12, 14, 16], env: [staging, production]}
exclude: [{os: macos, version: 12, env: production}, {os: windows, version: 16}]
"""
T02_CELLS = """
- {os: macos, version: 12, env: staging}
- {os: macos, version: 14, env: staging}
- {os: macos, version: 14, env: production}
- {os: macos, version: 16, env: staging}
- {os: macos, version: 16, env: production}
- {os: windows, version: 12, env: staging}
- {os: windows, version: 12, env: production}
- {os: windows, version: 14, env: staging}
- {os: windows, version: 14, env: production}
"""
T03 = """
axes: {os: [mac, win], v: [1, 2]}
exclude: [{os: win}]
include: [{os: win, v: 2}]
"""
T06 = """
axes: {datacenter: [site-c, site-d], node-version: [14.x, 16.x], site: [staging]}
exclude: [{datacenter: site-d, node-version: 14.x, site: staging}]
include:
  - {php-version: 5.4}
  - {datacenter: site-a, node-version: 10.x, site: prod}
  - {datacenter: site-b, node-version: 12.x, site: dev}
"""
T06_CELLS = """
- {datacenter: site-c, node-version: 14.x, site: staging, php-version: 5.4}
- {datacenter: site-c, node-version: 16.x, site: staging, php-version: 5.4}
- {datacenter: site-d, node-version: 16.x, site: staging, php-version: 5.4}
- {datacenter: site-a, node-version: 10.x, site: prod}
- {datacenter: site-b, node-version: 12.x, site: dev}
"""
T07 = """
axes: {a: ["1", 1, true, null, "", "false", false, 0]}
exclude: [{a: null}, {a: 1}]
"""
T07_CELLS = """
[{a: "1"}, {a: true}, {a: ""}, {a: "false"}, {a: false}, {a: 0}]
"""
T08 = """
axes:
  os: [{name: Ubuntu, m: u}, {name: Win, m: w}]
  arch: [{name: ARM, m: arm}, {name: Intel, m: intel}]
exclude: [{os: {m: w}, arch: {m: arm}}]
"""
T08_CELLS = """
- {os: {name: Ubuntu, m: u}, arch: {name: ARM, m: arm}}
- {os: {name: Ubuntu, m: u}, arch: {name: Intel, m: intel}}
- {os: {name: Win, m: w}, arch: {name: Intel, m: intel}}
"""
ZIP_LATER = """
axes: {size: [s, l], name: [a, b], seed: [1, 2]}
zip: [[seed, size]]
"""
ZIP_LATER_CELLS = """
- {size: s, name: a, seed: 1}
- {size: s, name: b, seed: 1}
- {size: l, name: a, seed: 2}
- {size: l, name: b, seed: 2}
"""


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        pytest.param(T01, T01_CELLS, id="T01 GitHub's documented example"),
        pytest.param(T02, T02_CELLS, id="T02 exclude is a partial match"),
        pytest.param(
            T03,
            "[{os: mac, v: 1}, {os: mac, v: 2}, {os: win, v: 2}]",
            id="T03 include adds back what exclude removed",
        ),
        pytest.param(
            '{include: [{a: "1", b: "2"}, {a: "3", b: "4"}]}',
            '[{a: "1", b: "2"}, {a: "3", b: "4"}]',
            id="T04 include without axes",
        ),
        pytest.param(
            "{axes: {a: [1]}, exclude: [{a: 1}], include: [{color: green}]}",
            "[{color: green}]",
            id="T05 all is excluded and an include of extras becomes a job",
        ),
        pytest.param(T06, T06_CELLS, id="T06 nektos act's example"),
        pytest.param(T07, T07_CELLS, id="T07 equality is JSON's"),
        pytest.param(T08, T08_CELLS, id="T08 mappings match by subset"),
        pytest.param(
            "{axes: {refs: [[a, b], [a]]}, exclude: [{refs: [a]}]}",
            "[{refs: [a, b]}]",
            id="T09 lists compare whole",
        ),
        pytest.param(
            ZIP_LATER, ZIP_LATER_CELLS, id="a zip group stands at its first axis"
        ),
        pytest.param(
            "{axes: {a: [1, 2]}, exclude: [{a: 1.0}]}", "[{a: 2}]", id="1 equals 1.0"
        ),
        pytest.param(
            "{axes: {a: [1, 2]}, exclude: [{a: 9}], allow_unmatched: true}",
            "[{a: 1}, {a: 2}]",
            id="a dead exclude may be allowed",
        ),
        pytest.param(
            "{axes: {a: [1]}, exclude: [{a: 1}], allow_empty: true}",
            "[]",
            id="an empty matrix may be allowed",
        ),
        pytest.param(
            "{axes: {a: [1, 2]}, include: [{a: 1, b: x}, {b: y}, {a: 1, c: z}]}",
            "[{a: 1, b: y, c: z}, {a: 2, b: y}]",
            id="a later include overwrites extras",
        ),
    ],
)
def test_cells_come_in_this_order(matrix: str, expected: str) -> None:
    outcome = cells_of(matrix)

    assert [one.cell for one in outcome.cells] == parse(expected, file="").value
    assert outcome.errors == []


def test_t12_zip_walks_prompts_and_images_together() -> None:
    outcome = cells_of("""
        axes:
          model: [veo, kling]
          prompt: [cat, dog]
          image: [cat.png, dog.png]
          seed: [1, 2]
        zip: [[prompt, image]]
    """)

    found = [
        (
            one.cell["model"],
            one.prompt and one.prompt.text,
            one.cell["image"],
            one.cell["seed"],
        )
        for one in outcome.cells
    ]
    assert found == [
        ("veo", "cat", "cat.png", 1),
        ("veo", "cat", "cat.png", 2),
        ("veo", "dog", "dog.png", 1),
        ("veo", "dog", "dog.png", 2),
        ("kling", "cat", "cat.png", 1),
        ("kling", "cat", "cat.png", 2),
        ("kling", "dog", "dog.png", 1),
        ("kling", "dog", "dog.png", 2),
    ]
    assert list(outcome.cells[0].cell) == ["model", "image", "seed"]


@pytest.mark.parametrize(
    ("matrix", "code", "says"),
    [
        pytest.param(
            "{axes: {a: [1, 2]}, exclude: [{a: 3}]}",
            "E-EXCLUDE-DEAD",
            "a is never 3; its values are: 1, 2. Did you mean 2?",
            id="T11 an exclude that matches nothing",
        ),
        pytest.param(
            "{axes: {a: [1, 2]}, exclude: [{b: 1}]}",
            "E-EXCLUDE-KEY",
            "a",
            id="T11 no axis",
        ),
        pytest.param("{axes: {a: []}}", "E-AXIS-EMPTY", "", id="T11 no values"),
        pytest.param(
            "{axes: {a: [1]}, exclude: [{}]}",
            "E-FILTER-EMPTY",
            "",
            id="T11 empty filter",
        ),
        pytest.param(
            "{axes: {Seed: [1], seed: [2]}}",
            "E-AXIS-CASE",
            "",
            id="T11 only case differs",
        ),
        pytest.param(
            "{axes: {a: [1, 2], b: [1]}, zip: [[a, b]]}",
            "E-ZIP-LENGTH",
            "nothing is cut off",
            id="T13 lengths differ",
        ),
        pytest.param(
            "{axes: {a: [1], b: [2], c: [3]}, zip: [[a, b], [b, c]]}",
            "E-ZIP-TWICE",
            "",
            id="T13 twice",
        ),
        pytest.param(
            "{axes: {a: [1]}, zip: [[a, z]]}", "E-ZIP-KEY", "", id="T13 no axis"
        ),
        pytest.param(
            "{axes: {a: [1, 2]}, exclude: [{a: 1}, {a: 2}]}",
            "E-MATRIX-EMPTY",
            "allow_empty",
            id="nothing is left",
        ),
        pytest.param(
            "{axes: {a: [x, y], b: [1, 2]}, zip: [[a, b]], exclude: [{a: x, b: 2}]}",
            "E-EXCLUDE-DEAD",
            "No combination has all of these values.",
            id="values that never meet",
        ),
        pytest.param(
            "{axes: {size: [large, small]}, exclude: [{size: lage}]}",
            "E-EXCLUDE-DEAD",
            'Did you mean "large"?',
            id="a misspelt value",
        ),
        pytest.param(
            '{axes: {a: [4, 8]}, exclude: [{a: "8"}]}',
            "E-EXCLUDE-DEAD",
            "Did you mean 8?",
            id="text for a number",
        ),
        pytest.param(
            "{axes: {a: [true, false]}, exclude: [{a: [x]}]}",
            "E-EXCLUDE-DEAD",
            "its values are: true, false.",
            id="nothing is near a list",
        ),
        pytest.param(
            "{axes: {a: [1, 2, 1.0]}}", "E-AXIS-DUP", "`repeat`", id="two equal values"
        ),
        pytest.param(
            '{axes: {a: ["${{ matrix.b }}"], b: [1]}}',
            "E-REF-NAMESPACE",
            "",
            id="an axis that refers to another",
        ),
        pytest.param(
            '{axes: {a: [1]}, include: [{a: 1, b: "${{ vars.x }}"}]}',
            "E-REF-UNKNOWN",
            "",
            id="an extra that refers to nothing",
        ),
        pytest.param(
            '{axes: {a: [1]}, exclude: [{a: "${{ vars.x }}"}]}',
            "E-REF-UNKNOWN",
            "",
            id="a filter that refers to nothing",
        ),
        pytest.param(
            "{axes: {a: [1], prompt: [x]}, include: [{prompt_id: y}]}",
            "E-PROMPT-UNKNOWN",
            "Prompts: x-",
            id="a label of no prompt",
        ),
    ],
)
def test_what_is_wrong_is_named(matrix: str, code: str, says: str) -> None:
    outcome = cells_of(matrix)

    assert outcome.errors == [code]
    assert says in outcome.problems[0].hint


def test_a_zip_of_unequal_lengths_shows_both() -> None:
    outcome = cells_of("{axes: {a: [1, 2], b: [1]}, zip: [[a, b]]}")

    assert "a has 2, b has 1" in outcome.only("E-ZIP-LENGTH").message


def test_two_equal_values_name_both_places() -> None:
    problem = cells_of("axes:\n  a:\n    - x\n    - y\n    - x").only("E-AXIS-DUP")

    (first,) = problem.related
    assert problem.position.line - first.position.line == 2
    assert (
        f"in lines {first.position.line} and {problem.position.line}" in problem.message
    )


def test_two_equal_prompts_of_two_files_name_both_places(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("cat\n", encoding="utf-8")
    problems: list[str] = []

    text = one_job("prompts: [cat, {lines: p.txt}]")
    list(cells(read(text, tmp_path), lambda problem: problems.append(problem.message)))

    assert problems == ['the prompt "cat" is there twice, in m.yaml:8:15 and p.txt:1:1']


def test_a_zip_with_an_axis_that_lost_a_value_is_not_measured() -> None:
    matrix = '{axes: {a: [1, "${{ vars.b }}"], b: [1, 2]}, zip: [[a, b]]}'

    assert cells_of(matrix).errors == ["E-REF-UNKNOWN"]


def test_an_axis_value_that_needs_a_broken_var_is_not_told_again() -> None:
    text = one_job(
        'matrix: {axes: {a: [1, "${{ vars.b }}"]}}', top='vars: {b: "${{ vars.c }}"}'
    )
    problems: list[str] = []

    found = list(cells(read(text), lambda problem: problems.append(problem.code)))

    assert problems == ["E-REF-UNKNOWN"]
    assert [one.cell for one in found] == [{"a": 1}]


def test_an_exclude_is_not_called_dead_when_its_axis_lost_a_value() -> None:
    outcome = cells_of('{axes: {a: [1, "${{ vars.b }}"]}, exclude: [{a: 2}]}')

    assert outcome.errors == ["E-REF-UNKNOWN"]


@pytest.mark.parametrize(
    ("matrix", "code", "says"),
    [
        pytest.param(
            "{axes: {os: [linux]}, include: [{os: linuks, gpu: 1}]}",
            "W-INC-NEW",
            'Did you mean "linux"?',
            id="T11 close to a value",
        ),
        pytest.param(
            "{axes: {os: [linux]}, include: [{os: plan9}]}",
            "N-INC-NEW",
            "",
            id="a new value",
        ),
        pytest.param(
            "{axes: {n: [4]}, include: [{n: 5}]}", "N-INC-NEW", "", id="another number"
        ),
        pytest.param(
            '{axes: {n: ["4"]}, include: [{n: 4}]}',
            "W-INC-NEW",
            '"4"',
            id="a number as text",
        ),
        pytest.param(
            "{axes: {a: [1]}, exclude: [{a: 1}], include: [{b: 2}]}",
            "W-INC-ALONE",
            "",
            id="T05 all is excluded",
        ),
        pytest.param(T03, "N-INC-NEW", "", id="T03 both values exist"),
    ],
)
def test_an_include_that_becomes_a_job_is_mentioned(
    matrix: str, code: str, says: str
) -> None:
    outcome = cells_of(matrix)

    assert outcome.codes == [code]
    assert says in outcome.problems[0].hint


def test_includes_without_axes_are_the_jobs_and_nothing_to_mention() -> None:
    assert cells_of("{include: [{a: 1}, {a: 2}]}").codes == []


def test_a_job_without_a_matrix_is_one_cell() -> None:
    (cell,) = cells(read(one_job("prompts: [x]")), lambda _: None)

    assert cell.to_json() == {"spec": "beach", "index": 0, "cell": {}}


def test_a_lone_include_is_made_once_per_prompt_and_the_prompt_is_slowest() -> None:
    text = one_job("""
        prompts: [{id: one, text: cat}, {id: two, text: dog}]
        matrix: {axes: {n: [1]}, exclude: [{n: 1}], include: [{n: 2}, {n: 3}]}
    """)

    found = [(c.prompt and c.prompt.id, c.cell["n"]) for c in cells(read(text), print)]

    assert found == [("one", 2), ("one", 3), ("two", 2), ("two", 3)]


def test_an_include_may_name_a_prompt_by_label_or_text_or_bring_its_own() -> None:
    text = one_job("""
        prompts: [{id: one, text: cat}, {id: two, text: dog}]
        matrix:
          axes: {n: [1]}
          include:
            - {prompt: bird, n: 4}
            - {prompt_id: two, n: 2}
            - {prompt: cat, n: 3}
            - {prompt: fish, prompt_id: sea, n: 5}
            - {prompt_id: one, extra: yes}
    """)

    found = [
        (c.prompt and c.prompt.id.split("-")[0], c.cell)
        for c in cells(read(text), print)
    ]

    assert found == [
        ("one", {"n": 1, "extra": "yes"}),
        ("two", {"n": 1}),
        ("one", {"n": 3}),
        ("two", {"n": 2}),
        ("bird", {"n": 4}),
        ("sea", {"n": 5}),
    ]


def test_prompts_are_excluded_by_label_or_by_text_as_written() -> None:
    text = one_job("""
        prompts:
          - {id: one, text: "cat ${{ matrix.n }}"}
          - {id: two, text: dog}
        matrix:
          axes: {n: [1, 2]}
          exclude: [{prompt_id: two, n: 1}, {prompt: "cat ${{ matrix.n }}", n: 2}]
    """)

    found = [(c.prompt and c.prompt.id, c.cell["n"]) for c in cells(read(text), print)]

    assert found == [("one", 1), ("two", 2)]


def test_axis_values_and_filters_may_refer_to_vars() -> None:
    text = one_job(
        'matrix: {axes: {a: [fox, "${{ vars.x }}"]}, exclude: [{a: "${{ vars.x }}"}]}',
        top="vars: {x: Kodak}",
    )

    assert [c.cell for c in cells(read(text), print)] == [{"a": "fox"}]
