"""How many of each combination: `repeat` as a list."""

from __future__ import annotations

import pytest

from foxbatch.matrix import cells
from tests.matrices import expand_job, expand_text, one_job, read

SWEEP = """
prompts: [{id: fox, text: a fox}, {id: slow, text: a slow dog}]
matrix:
  axes: {duration: [4, 8]}
  include: [{duration: 8, prompt_id: fox, tag: hero}, {duration: 6}]
"""


def counted(repeat: str, job: str = SWEEP) -> dict[str, int]:
    """Return how many jobs there are of each combination, by the stem of its name."""
    outcome = expand_job(f"{job}\nrepeat: {repeat}")
    assert outcome.errors == []
    found: dict[str, int] = {}
    for one in outcome.jobs:
        duration = one.request["duration"]
        stem = f"{one.prompt and one.prompt.id} {duration}"
        found[stem] = found.get(stem, 0) + 1
        assert one.repeat == found[stem]
        assert one.name.endswith(f"-r{one.repeat}")
    return found


@pytest.mark.parametrize(
    ("repeat", "expected"),
    [
        pytest.param("2", [2, 2, 2, 2, 2, 2], id="a number"),
        pytest.param("[{n: 2}]", [2, 2, 2, 2, 2, 2], id="one entry for all"),
        pytest.param(
            "[{where: {prompt_id: slow}, n: 3}, {n: 2}]",
            [2, 2, 3, 3, 2, 3],
            id="the first entry that fits",
        ),
        pytest.param(
            "[{where: {prompt_id: slow}, n: 3}]",
            [1, 1, 3, 3, 1, 3],
            id="one of what no entry fits",
        ),
        pytest.param(
            "[{where: {prompt: a fox, duration: {$gt: 4}}, n: 2}]",
            [1, 2, 1, 1, 2, 1],
            id="text as written, and an operator",
        ),
        pytest.param(
            "[{where: {tag: hero}, n: 4}, {where: {duration: 8}, n: 2}]",
            [1, 4, 1, 2, 1, 1],
            id="an extra, where it is there",
        ),
        pytest.param(
            "[{where: {duration: 6, prompt_id: slow}, n: 2}]",
            [1, 1, 1, 1, 1, 2],
            id="an include that is a job of its own",
        ),
        pytest.param(
            "[{where: {duration: 4}, n: 2}, {where: {prompt_id: fox}, n: 3}]",
            [2, 3, 2, 1, 3, 1],
            id="overlapping entries",
        ),
    ],
)
def test_there_are_so_many_of_each(repeat: str, expected: list[int]) -> None:
    found = counted(repeat)

    names = ["fox 4", "fox 8", "slow 4", "slow 8", "fox 6", "slow 6"]
    assert found == dict(zip(names, expected, strict=True))


def test_an_extra_that_is_not_there_does_not_even_fit_not() -> None:
    outcome = expand_job("""
        prompts: [x]
        matrix:
          axes: {seed: [1, 2, 3]}
          include: [{seed: 1, tag: hero}, {seed: 2, tag: other}]
        repeat: [{where: {tag: {$not: hero}}, n: 2}]
    """)

    assert [job.request["seed"] for job in outcome.jobs] == [1, 2, 2, 3]


def test_a_filter_of_repeat_may_use_a_variable() -> None:
    outcome = expand_job(
        """
        prompts: [x]
        matrix: {axes: {seed: [1, 2]}}
        repeat: [{where: {seed: "${{ vars.n }}"}, n: 2}]
        """,
        top="vars: {n: 2}",
    )

    assert [job.request["seed"] for job in outcome.jobs] == [1, 2, 2]


def test_more_of_one_combination_changes_no_other_job() -> None:
    job = "prompts: [x]\nmatrix: {axes: {seed: [1, 2]}}\nrepeat: "

    before = {one.id for one in expand_job(f"{job}2").jobs}
    after = {
        one.id
        for one in expand_job(f"{job}[{{where: {{seed: 2}}, n: 3}}, {{n: 2}}]").jobs
    }

    assert before < after
    assert len(after) == 5


@pytest.mark.parametrize(
    ("repeat", "code", "hint"),
    [
        pytest.param(
            "[{where: {sed: 1}, n: 2}]", "E-REPEAT-KEY", "Did you mean seed?", id="key"
        ),
        pytest.param(
            "[{where: {seed: 3}, n: 2}]",
            "E-REPEAT-DEAD",
            "seed is never 3; its values are: 1, 2. Did you mean 2?",
            id="a value that is none",
        ),
        pytest.param(
            "[{where: {seed: {$gt: 2}}, n: 2}]",
            "E-REPEAT-DEAD",
            "seed is never {$gt: 2}; its values are: 1, 2.",
            id="an operator that fits nothing",
        ),
        pytest.param(
            "[{where: {tag: z}, n: 2}]",
            "E-REPEAT-DEAD",
            "No combination has all of these values.",
            id="an extra that is none",
        ),
        pytest.param(
            "[{n: 1}, {where: {seed: 1}, n: 2}]",
            "E-REPEAT-DEAD",
            "The first entry that fits counts: put the one without `where` last.",
            id="an entry that is never reached",
        ),
        pytest.param(
            "[{where: {$not: {seed: 1}}, n: 2}]",
            "E-OPERATOR",
            "Write it inside the value of an axis: {seed: {$not: 1}}.",
            id="an operator at the top",
        ),
        pytest.param(
            "[{where: {seed: {$ne: 1}}, n: 2}]",
            "E-OPERATOR",
            "Write {$not: …}.",
            id="an unknown operator",
        ),
        pytest.param("[{where: {}, n: 2}]", "E-FILTER-EMPTY", "", id="empty"),
        pytest.param("[]", "E-COUNT", "", id="no entries"),
        pytest.param("[3]", "E-TYPE", "{n: 1}", id="a number in a list"),
        pytest.param("{n: 3}", "E-TYPE", "Write a list: [", id="no list"),
        pytest.param("[{n: 0}]", "E-RANGE", "use `matrix.exclude`", id="none of them"),
        pytest.param(
            '[{where: {seed: "${{ vars.x }}"}, n: 2}]',
            "E-REF-UNKNOWN",
            "",
            id="an unknown variable",
        ),
    ],
)
def test_what_is_wrong_is_named(repeat: str, code: str, hint: str) -> None:
    outcome = expand_job(f"""
        prompts: [x]
        matrix: {{axes: {{seed: [1, 2]}}, include: [{{seed: 1, tag: y}}]}}
        repeat: {repeat}
    """)

    assert outcome.errors == [code]
    assert hint in outcome.only(code).hint


@pytest.mark.parametrize(
    "matrix",
    [
        pytest.param(
            "{axes: {seed: [1, 2]}, allow_unmatched: true}", id="that is allowed"
        ),
        pytest.param(
            '{axes: {seed: [1, "${{ vars.x }}"]}}', id="its axis lost a value"
        ),
    ],
)
def test_an_entry_is_not_called_dead_where(matrix: str) -> None:
    outcome = expand_job(
        f"prompts: [x]\nmatrix: {matrix}\nrepeat: [{{where: {{seed: 3}}, n: 2}}]"
    )

    assert "E-REPEAT-DEAD" not in outcome.codes


# ---- in defaults

DEFAULTS = """
foxbatch: 1
name: two
provider: sandbox
defaults: {{model: toy-1, repeat: {repeat}}}
jobs:
  - {{id: one, prompts: [x], matrix: {{axes: {{seed: [1, 2]}}}}}}
  - {{id: two, prompts: [y], matrix: {{axes: {{duration: [4, 8]}}}}}}
  - {{id: three, prompts: [z], repeat: 1}}
"""


def test_entries_of_defaults_count_where_they_fit() -> None:
    repeat = "[{where: {seed: 2}, n: 3}, {where: {duration: {$gt: 4}}, n: 2}]"

    outcome = expand_text(DEFAULTS.format(repeat=repeat))

    assert outcome.errors == []
    found = [(job.spec, job.repeat) for job in outcome.jobs]
    assert found == [
        *[("one", 1), ("one", 1), ("one", 2), ("one", 3)],
        *[("two", 1), ("two", 1), ("two", 2), ("three", 1)],
    ]


@pytest.mark.parametrize(
    ("repeat", "code", "hint"),
    [
        pytest.param(
            "[{where: {sed: 1}, n: 2}]", "E-REPEAT-KEY", "Did you mean seed?", id="key"
        ),
        pytest.param(
            "[{where: {duration: 5}, n: 2}]",
            "E-REPEAT-DEAD",
            "duration is never 5; its values are: 4, 8. Did you mean 4?",
            id="a value that is none",
        ),
        pytest.param(
            "[{where: {$in: [1]}, n: 2}]", "E-OPERATOR", "inside the value", id="at top"
        ),
        pytest.param(
            "[{where: {seed: {$nin: [1]}}, n: 2}]", "E-OPERATOR", "$not", id="unknown"
        ),
        pytest.param(
            "[{n: 2}, {n: 3}]", "E-REPEAT-DEAD", "`where` last", id="never reached"
        ),
    ],
)
def test_what_is_wrong_in_defaults_is_told_once(
    repeat: str, code: str, hint: str
) -> None:
    outcome = expand_text(DEFAULTS.format(repeat=repeat))

    assert outcome.errors == [code]
    assert hint in outcome.only(code).hint
    assert outcome.only(code).position.line == 5


def test_an_axis_whose_name_is_misspelt_may_be_what_defaults_mean() -> None:
    text = DEFAULTS.format(repeat="[{where: {size: 1}, n: 2}]")

    outcome = expand_text(text.replace("axes: {seed", "axis: {size"))

    assert outcome.errors == ["E-KEY-UNKNOWN"]


# ---- limits


@pytest.mark.parametrize(
    ("repeat", "message"),
    [
        pytest.param(
            "[{where: {seed: 1}, n: 3}, {n: 2}]",
            "the manifest asks for at least 6 jobs, and limits.max_jobs is 5",
            id="the least there are",
        ),
        pytest.param(
            "[{where: {seed: 1}, n: 4}]",
            "the manifest asks for more than 5 jobs, and limits.max_jobs is 5",
            id="counted while walking",
        ),
        pytest.param(
            "[{where: {seed: 1}, n: 2}, {n: 2}]",
            "the manifest asks for 6 jobs, and limits.max_jobs is 5",
            id="equally many of each",
        ),
        pytest.param(
            "1000000000",
            "the manifest asks for 3,000,000,000 jobs, and limits.max_jobs is 5",
            id="a billion of each",
        ),
    ],
)
def test_repeats_count_as_jobs(repeat: str, message: str) -> None:
    outcome = expand_job(
        f"prompts: [x]\nmatrix: {{axes: {{seed: [1, 2, 3]}}}}\nrepeat: {repeat}",
        top="limits: {max_jobs: 5}",
    )

    assert outcome.only("E-MAX-JOBS").message == message


def test_cells_are_refused_where_their_repeats_are_too_many() -> None:
    text = one_job(
        "matrix: {axes: {a: [1, 2, 3]}}\nrepeat: [{where: {a: 1}, n: 4}]",
        top="limits: {max_jobs: 5}",
    )
    problems: list[str] = []

    found = list(cells(read(text), lambda problem: problems.append(problem.code)))

    assert ([one.cell for one in found], problems) == (
        [{"a": 1}, {"a": 2}],
        ["E-MAX-JOBS"],
    )
