"""Jobs: order, identity, what is checked, and how problems of many jobs are told."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from foxbatch import canonical
from foxbatch.errors import Severity
from foxbatch.matrix import Also, expand
from tests.matrices import expand_job, expand_text, one_job, read, toy_provider

WIDE = """
prompts: [{id: fox, text: a fox}, {id: dog, text: a dog}]
matrix:
  axes:
    aspect_ratio: [16:9, 9:16]
    duration: [4, 8]
repeat: 2
"""


def test_jobs_come_with_the_first_axis_slowest_and_the_repeat_innermost() -> None:
    outcome = expand_job(WIDE)

    assert [job.index for job in outcome.jobs] == list(range(16))
    assert outcome.names[:5] == [
        "fox-16x9-4s-r1",
        "fox-16x9-4s-r2",
        "fox-16x9-8s-r1",
        "fox-16x9-8s-r2",
        "fox-9x16-4s-r1",
    ]
    assert [job.repeat for job in outcome.jobs[:2]] == [1, 2]


def test_a_job_says_all_that_expand_prints() -> None:
    job = expand_job(WIDE).jobs[3]

    assert job.to_json() == {
        "job": job.id,
        "spec": "beach",
        "name": "fox-16x9-8s-r2",
        "index": 3,
        "cell": {"aspect_ratio": "16:9", "duration": 8},
        "prompt": {"id": "fox", "text": "a fox"},
        "repeat": 2,
        "provider": "toys",
        "endpoint": "/v1/videos/generations",
        "request": {
            "model": "toy-1",
            "prompt": "a fox",
            "aspect_ratio": "16:9",
            "duration": 8,
        },
        "output": "beach/fox-16x9-8s-r2",
        "origin": {"file": "m.yaml", "line": job.origin.line},
    }


def test_the_identity_is_the_one_formula() -> None:
    job = expand_job(WIDE).jobs[3]

    digest = canonical.job_digest(
        provider="toys",
        endpoint="/v1/videos/generations",
        request=job.request,
        repeat=2,
    )
    assert (job.digest, job.id) == (digest, canonical.job_id(digest))


def test_raising_the_repeat_adds_jobs_and_changes_none() -> None:
    two = {(job.id, job.name) for job in expand_job(WIDE).jobs}
    three = {
        (job.id, job.name)
        for job in expand_job(WIDE.replace("repeat: 2", "repeat: 3")).jobs
    }

    assert two < three
    assert len(three) == 24


def test_a_job_may_have_no_prompt() -> None:
    (job,) = expand_job("params: {seed: 1}", model="silent").jobs

    assert job.prompt is None
    assert job.to_json()["prompt"] is None


def test_a_prompt_kept_from_feeding_is_missing() -> None:
    outcome = expand_job("prompts: [{id: x, text: y}]\nmatrix: {variables: [prompt]}")

    assert outcome.jobs == []
    assert outcome.errors == ["E-KEY-MISSING"]


@pytest.mark.parametrize(
    ("job", "line"),
    [
        pytest.param("prompts:\n  - a\n  - b", 3, id="the line of its prompt"),
        pytest.param(
            "prompts:\n  - {lines: p.txt}", 2, id="the line that names its file"
        ),
        pytest.param("params: {prompt: x}", 0, id="the line of its entry"),
        pytest.param(
            "params: {prompt: '${{ matrix.a }}'}\nmatrix:\n  include:\n  - {a: x}",
            4,
            id="the line of its include",
        ),
    ],
)
def test_a_job_knows_where_it_comes_from(job: str, line: int, tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("\n\none\n", encoding="utf-8")
    first = one_job("").split("\n").index("  - id: beach") + 1

    found = expand_job(job, tmp_path).jobs[-1]

    assert found.origin.line - first == line


def test_jobs_are_made_as_they_are_asked_for() -> None:
    values = list(range(100))
    text = one_job(
        f"matrix: {{axes: {{seed: {values}, b: {values}, c: {values}}}}}\n"
        'params: {prompt: "${{ matrix.b }} ${{ matrix.c }}"}',
        top="limits: {max_jobs: 2000000}",
    )

    found = list(itertools.islice(expand(read(text), toy_provider(), print), 3))

    assert [job.request["prompt"] for job in found] == ["0 0", "0 1", "0 2"]


# ---- checked against the model


def test_a_wrong_value_in_2000_jobs_is_one_problem_at_its_line() -> None:
    seeds = list(range(1000))
    outcome = expand_job(
        f"""
        prompts: [a fox]
        matrix:
          axes:
            seed: {seeds}
            duration:
              - 4
              - 5
        """,
        top="limits: {max_jobs: 2000}",
    )

    problem = outcome.only("E-ENUM")
    assert problem.message == "duration is 5, and must be 4, 6 or 8"
    assert (problem.jobs, problem.example) == (1000, "a-fox-bzv5-seed0-5s-r1")
    assert problem.pointer == "/jobs/0/matrix/axes/duration/1"
    assert len(outcome.jobs) == 1000
    line = one_job("").split("\n").index("  - id: beach") + 1
    assert problem.position.line > line + 5


@pytest.mark.parametrize(
    ("job", "pointer"),
    [
        pytest.param("params: {duration: 5}", "/jobs/0/params/duration", id="params"),
        pytest.param(
            "matrix: {axes: {duration: [4, 5]}}",
            "/jobs/0/matrix/axes/duration/1",
            id="an axis",
        ),
        pytest.param(
            "matrix: {axes: {seed: [1]}, include: [{duration: 5}]}",
            "/jobs/0/matrix/include/0/duration",
            id="an include",
        ),
        pytest.param(
            "matrix: {axes: {s: [5]}}\nparams: {duration: '${{ matrix.s }}'}",
            "/jobs/0/matrix/axes/s/0",
            id="an axis by way of params",
        ),
        pytest.param(
            "params: {duration: '${{ vars.s.x }}'}",
            "/vars/s/x",
            id="vars by way of params",
        ),
        pytest.param(
            "matrix: {axes: {s: [5]}}\nparams: {duration: '${{ let.d }}'}\n"
            "let: {d: '${{ matrix.s }}'}",
            "/jobs/0/params/duration",
            id="let is told at its use",
        ),
        pytest.param(
            "params: {weights: [0.5, 7]}",
            "/jobs/0/params/weights/1",
            id="inside a list",
        ),
        pytest.param(
            "params: {'a/b': 1}", "/jobs/0/params/a~1b", id="a key with a slash"
        ),
        pytest.param(
            "matrix: {axes: {seed: [1]}, include: [{seed: 9, duration: 5}]}",
            "/jobs/0/matrix/include/0/duration",
            id="a lone include",
        ),
    ],
)
def test_a_wrong_value_is_found_where_it_was_written(job: str, pointer: str) -> None:
    outcome = expand_job(f"prompts: [x]\n{job}", top="vars: {s: {x: 5}}")

    (found,) = [p for p in outcome.problems if p.severity is Severity.ERROR]
    assert found.pointer == pointer


def test_a_wrong_line_of_a_file_is_found_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text(f"fine\n\n{'x' * 201}\n", encoding="utf-8")

    problem = expand_job("prompts: [{lines: p.txt}]", tmp_path).only("E-LENGTH")

    assert str(problem.position) == "p.txt:3:1"


def test_what_only_the_strict_validator_refuses_is_told_too() -> None:
    """In the other one's patterns `$` also matches before a last newline of a key."""
    outcome = expand_job('prompts: [x]\nparams: {options: {"a\\n": 1}}')

    assert outcome.jobs == []
    assert outcome.errors == ["E-SCHEMA"]


def test_both_validators_mean_the_same_by_a_pattern() -> None:
    """In Python's own patterns `$` also matches before a last newline."""
    outcome = expand_job('prompts: [x]\nparams: {tag: "a\\n"}')

    assert outcome.jobs == []
    assert outcome.errors == ["E-PATTERN"]


def test_a_wrong_default_is_found_in_defaults() -> None:
    outcome = expand_text("""
foxbatch: 1
name: defaults
provider: sandbox
defaults: {model: toy-1, params: {duration: 5}}
jobs:
  - {id: a, prompts: [x]}
  - {id: b, prompts: [y]}
""")

    problem = outcome.only("E-ENUM")
    assert (problem.pointer, problem.jobs) == ("/defaults/params/duration", 2)


def test_what_a_lone_include_lacks_is_told_at_the_include() -> None:
    outcome = expand_job("matrix: {axes: {prompt: [x], seed: [1]}}")
    lone = expand_job("matrix: {include: [{seed: 1}]}")

    assert outcome.errors == []
    assert lone.only("E-KEY-MISSING").pointer == "/jobs/0/matrix/include/0"


def test_notes_of_the_model_are_told_once() -> None:
    outcome = expand_job("prompts: [x, y]\nmatrix: {axes: {seed: [1, 2]}}")

    notes = [p for p in outcome.problems if p.code == "N-SEED"]
    assert [(note.jobs, note.severity) for note in notes] == [
        (2, Severity.NOTE),
        (2, Severity.NOTE),
    ]
    assert len(outcome.jobs) == 4


# ---- duplicates


def test_two_jobs_of_one_identity_name_both_places() -> None:
    outcome = expand_text("""
foxbatch: 1
name: twice
provider: sandbox
defaults: {model: toy-1}
jobs:
  - id: one
    prompts: [{id: cat, text: a cat}]
  - id: two
    prompts: [{id: tom, text: a cat}]
""")

    problem = outcome.only("E-DUPLICATE-JOB")
    assert problem.message == "this asks for the same as one/cat-r1"
    assert (problem.position.line, problem.related[0].position.line) == (10, 8)
    assert problem.example == "tom-r1"


def test_duplicates_of_an_unused_axis_are_one_error_at_that_axis() -> None:
    outcome = expand_job("""
        prompts: [x, y]
        matrix: {axes: {mood: [a, b, c], seed: [1, 2]}}
    """)

    problem = outcome.only("E-DUPLICATE-JOB")
    assert problem.jobs == 8
    assert problem.message.startswith("the values of mood change no request")
    assert problem.position == outcome.only("W-AXIS-UNUSED").position


def test_the_unused_axis_in_which_duplicates_differ_is_blamed() -> None:
    outcome = expand_job("""
        prompts: [x]
        matrix: {axes: {mood: [a], light: [b, c]}}
    """)

    assert "light" in outcome.only("E-DUPLICATE-JOB").message


def test_an_axis_that_only_names_files_makes_duplicates_too() -> None:
    outcome = expand_job("""
        prompts: [x]
        matrix: {axes: {take: [a, b]}}
        output: ${{ matrix.take }}
    """)

    assert outcome.errors == ["E-DUPLICATE-JOB"]


MERGED = """
foxbatch: 1
name: twice
provider: sandbox
duplicates: merge
defaults: {model: toy-1}
jobs:
  - id: one
    prompts: [{id: cat, text: a cat}]
    matrix: {axes: {seed: [1, 2]}}
  - id: two
    prompts: [{id: tom, text: a cat}, {id: dog, text: a dog}]
    matrix: {axes: {seed: [2]}}
  - id: three
    prompts: [{id: kit, text: a cat}]
    params: {seed: 2}
    repeat: 2
"""


def test_merged_duplicates_are_one_job_that_names_the_others() -> None:
    outcome = expand_text(MERGED)

    assert outcome.errors == []
    assert [(job.spec, job.name) for job in outcome.jobs] == [
        ("one", "cat-seed1-r1"),
        ("one", "cat-seed2-r1"),
        ("two", "dog-seed2-r1"),
        ("three", "kit-r2"),
    ]
    assert [job.also for job in outcome.jobs] == [
        (),
        (Also("two", "tom-seed2-r1", {"seed": 2}), Also("three", "kit-r1", {})),
        (),
        (),
    ]
    assert [job.index for job in outcome.jobs] == [0, 1, 3, 5]


def test_merging_changes_no_identity() -> None:
    job = """
        prompts: [x]
        matrix: {axes: {mood: [a, b], seed: [1, 2]}}
    """

    refused = expand_job(job)
    merged = expand_job(job, top="duplicates: merge")

    assert refused.errors == ["E-DUPLICATE-JOB"]
    assert (merged.errors, merged.codes[0]) == ([], "W-AXIS-UNUSED")
    assert [one.id for one in merged.jobs] == [one.id for one in refused.jobs]
    assert [one.also[0].cell["mood"] for one in merged.jobs] == ["b", "b"]


def test_merged_jobs_count_as_asked_for() -> None:
    outcome = expand_job(
        "prompts: [x]\nmatrix: {axes: {mood: [a, b]}}",
        top="duplicates: merge\nlimits: {max_jobs: 1}",
    )

    assert outcome.errors == ["E-MAX-JOBS"]


# ---- limits


def test_too_many_jobs_are_refused_before_any_is_made() -> None:
    outcome = expand_job(WIDE, top="limits: {max_jobs: 15}")

    assert outcome.jobs == []
    assert outcome.only("E-MAX-JOBS").message == (
        "the manifest asks for 16 jobs, and limits.max_jobs is 15"
    )


def test_behind_an_exclude_jobs_are_counted_while_walking() -> None:
    job = """
        prompts: [x]
        matrix: {axes: {seed: [1, 2, 3]}, exclude: [{seed: 1}]}
        repeat: 2
    """

    enough = expand_job(job, top="limits: {max_jobs: 4}")
    few = expand_job(job, top="limits: {max_jobs: 3}")

    assert (len(enough.jobs), enough.errors) == (4, [])
    assert (len(few.jobs), few.errors) == (3, ["E-MAX-JOBS"])


def test_invalid_jobs_count_too() -> None:
    outcome = expand_job("prompts: [x]\nmatrix: {axes: {duration: [4, 5, 6]}}")

    assert [job.index for job in outcome.jobs] == [0, 2]


def test_a_spec_whose_axis_cannot_be_read_hides_no_other_spec() -> None:
    outcome = expand_text("""
foxbatch: 1
name: two
provider: sandbox
defaults: {model: toy-1}
jobs:
  - {id: one, prompts: [{lines: gone.txt}]}
  - {id: two, prompts: [x], params: {duration: 5}}
""")

    assert sorted(outcome.errors) == ["E-ENUM", "E-FILE-MISSING"]
