"""Jobs: order, identity, what is checked, and how problems of many jobs are told."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from foxbatch import canonical
from foxbatch.errors import Severity
from foxbatch.matrix import Prompt, expand
from foxbatch.matrix.expansion import prepare
from foxbatch.matrix.names import Names
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
    """In Python's patterns `$` also matches before a last newline."""
    outcome = expand_job('prompts: [x]\nparams: {generation_type: "a\\n"}')

    assert outcome.jobs == []
    assert outcome.errors


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


# ---- names and output paths


def test_names_do_not_depend_on_positions() -> None:
    job = "prompts: [a cat on a mat, a dog]\nmatrix: {axes: {seed: [1, 2]}}"
    more = "prompts: [an owl, a dog, a cat on a mat]\nmatrix: {axes: {seed: [7, 2, 1]}}"

    before = {job.id: (job.name, job.prompt) for job in expand_job(job).jobs}
    after = {job.id: (job.name, job.prompt) for job in expand_job(more).jobs}

    assert before.items() <= after.items()


@pytest.mark.parametrize(
    ("axis", "names"),
    [
        pytest.param("duration: [4, 8]", ["4s", "8s"], id="seconds"),
        pytest.param("aspect_ratio: [16:9]", ["16x9"], id="ratios"),
        pytest.param("seed: [1, -5]", ["seed1", "seed-5"], id="numbers"),
        pytest.param("cfg: [0.5, 1.0]", ["cfg0.5", "cfg1"], id="fractions"),
        pytest.param("sound: [true, false]", ["sound", "no-sound"], id="flags"),
        pytest.param("seed: [null]", ["seed-null"], id="null"),
        pytest.param(
            "mood: [Golden Hour, golden hour]",
            ["golden-hour-lhkh", "golden-hour-o4rd"],
            id="texts that look alike get a mark",
        ),
        pytest.param("mood: [été, 日]", ["ete", "74a5"], id="other scripts"),
        pytest.param("mood: ['../..', 'a/b']", ["4wvr", "a-b"], id="no folders"),
        pytest.param(
            "shot: [{name: Wide, x: 1}, {x: 2}, [1]]",
            ["wide", "shot-lyvq", "shot-bafj"],
            id="mappings and lists",
        ),
        pytest.param(
            "mood: [an extremely long description of a mood]",
            ["an-extremely-long-6unm"],
            id="long texts are cut at a word",
        ),
        pytest.param(
            "mood: [xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx]",
            ["xxxxxxxxxxxxxxxxxxxxxxxxxxxx-jqqe"],
            id="long words too",
        ),
    ],
)
def test_short_forms_of_values(axis: str, names: list[str]) -> None:
    text = one_job(f"prompts: [{{id: p, text: x}}]\nmatrix: {{axes: {{{axis}}}}}")
    _, (expansion,) = prepare(read(text), print)
    namer = Names("beach", expansion.product)

    found = [namer.plain(cell, 1) for cell in expansion.product]

    assert found == [f"p-{name}-r1" for name in names]


@pytest.mark.parametrize(
    "axes",
    [
        pytest.param("{a: [x, x-y], b: [y-z, z]}", id="joined text is ambiguous"),
        pytest.param("{a: [x, x-y], b: [y-y, y]}", id="also from the right"),
        pytest.param("{a: [A b, a-b], b: [B, b]}", id="case and spaces"),
    ],
)
def test_names_are_unique_however_values_look(axes: str) -> None:
    outcome = expand_job(
        f"""
        params: {{prompt: "${{{{ matrix.a }}}} / ${{{{ matrix.b }}}}"}}
        matrix: {{axes: {axes}}}
        """
    )

    assert len(outcome.jobs) == len(set(outcome.names)) == 4


def test_lone_includes_have_a_piece_of_their_id_in_the_name() -> None:
    outcome = expand_job("""
        prompts: [{id: p, text: x}]
        matrix: {axes: {seed: [1]}, include: [{seed: 2}, {seed: 2, duration: 4}]}
    """)

    first, *alone = outcome.jobs
    assert first.name == "p-seed1-r1"
    assert [job.name for job in alone] == [
        f"p-seed2-{alone[0].id[:6]}-r1",
        f"p-seed2-4s-{alone[1].id[:6]}-r1",
    ]


def test_includes_without_axes_are_named_by_what_they_say() -> None:
    outcome = expand_job("""
        matrix:
          include: [{prompt: cat, seed: 1}, {prompt: cat, seed: 2}, {prompt: a dog}]
    """)

    assert outcome.names == ["cat-5bjl-seed1-r1", "cat-5bjl-seed2-r1", "a-dog-dck6-r1"]


def test_includes_that_look_alike_are_told_apart_by_their_ids() -> None:
    outcome = expand_job("""
        params: {prompt: "${{ matrix.a }}, ${{ matrix.b }}"}
        matrix: {include: [{a: x-y, b: z}, {a: x, b: y-z}]}
    """)

    assert outcome.names == [f"x-y-z-{job.id[:6]}-r1" for job in outcome.jobs]


def test_a_job_of_nothing_but_params_is_named_after_its_spec() -> None:
    assert expand_job("params: {prompt: x}").names == ["beach-r1"]


def test_a_long_name_is_cut_and_carries_a_piece_of_its_id() -> None:
    axes = ", ".join(f"{name}: [{name * 25}]" for name in "abcde")
    uses = " ".join(f"${{{{ matrix.{name} }}}}" for name in "abcde")
    outcome = expand_job(f'params: {{prompt: "{uses}"}}\nmatrix: {{axes: {{{axes}}}}}')

    (job,) = outcome.jobs
    assert len(job.name) <= 100
    assert job.name.endswith(f"-{job.id[:6]}-r1")


def test_labels_that_happen_to_be_equal_are_made_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from foxbatch.matrix import slugs

    real = slugs.fingerprint
    monkeypatch.setattr(
        slugs,
        "fingerprint",
        lambda value, length=4: "same" if length == 4 else real(value, length),
    )

    first, second, third = slugs.labels(["a cat", "a, cat", "dog"], ["", "", ""])

    assert first != second
    assert re.fullmatch(r"a-cat-\w{8}", first)
    assert third == "dog-same"


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        pytest.param("${{ job.spec }}/${{ job.name }}", "beach/p-r1", id="the default"),
        pytest.param("${{ vars.path }}", "etc-passwd", id="a value makes no folder"),
        pytest.param("a/${{ vars.up }}/b", "a/vdfe/b", id="and no way up"),
        pytest.param("${{ vars.con }}/x", "_CON/x", id="no reserved names"),
        pytest.param("${{ vars.empty }}/x", "ckxd/x", id="an empty value is marked"),
        pytest.param(
            "take ${{ repeat }}. ", "take 1", id="no dots and spaces at the end"
        ),
        pytest.param("${{ matrix.prompt }}", "a-fox-p-16x9", id="the prompt"),
        pytest.param("${{ let.x }}-${{ matrix.prompt_id }}", "7-p", id="let and label"),
    ],
)
def test_output_paths_are_safe(output: str, expected: str) -> None:
    outcome = expand_job(
        f"""
        prompts: [{{id: p, text: "a fox: p, 16:9"}}]
        let: {{x: 7}}
        params: {{seed: "${{{{ let.x }}}}"}}
        output: "{output}"
        """,
        top='vars: {path: /etc/passwd, up: .., con: CON, empty: ""}',
    )

    (job,) = outcome.jobs
    assert job.output == expected


@pytest.mark.parametrize(
    "output",
    [
        pytest.param("/etc/x", id="absolute"),
        pytest.param("a/../../x", id="a way up"),
        pytest.param("./x", id="a dot"),
        pytest.param("a//x", id="an empty step"),
        pytest.param("a/", id="no name"),
        pytest.param("C:\\\\x", id="another system's folders"),
        pytest.param("what?", id="a character of few systems"),
    ],
)
def test_an_output_path_that_could_leave_its_folder_is_refused(output: str) -> None:
    outcome = expand_job(f'prompts: [x]\noutput: "{output}"')

    assert (outcome.jobs, outcome.errors) == ([], ["E-OUTPUT-PATH"])


def test_an_output_of_the_defaults_is_blamed_there() -> None:
    outcome = expand_text("""
foxbatch: 1
name: defaults
provider: sandbox
defaults: {model: toy-1, output: "${{ job.nam }}"}
jobs:
  - {id: a, prompts: [x]}
""")

    assert outcome.only("E-REF-UNKNOWN").pointer == "/defaults/output"


def test_a_long_output_path_is_bounded() -> None:
    outcome = expand_job(f"prompts: [x]\noutput: {'a' * 300}/{'b' * 90}/{'c' * 90}")

    (job,) = outcome.jobs
    assert len(job.output) <= 200
    assert job.output.endswith(f"-{job.id}")
    assert max(map(len, job.output.split("/"))) <= 120


def test_a_long_step_of_a_path_is_cut_with_a_mark() -> None:
    (job,) = expand_job(f"prompts: [x]\noutput: {'a' * 150}").jobs

    assert len(job.output) == 120


def test_a_prompt_of_params_is_labelled_by_its_text() -> None:
    (job,) = expand_job("params: {prompt: A golden retriever}").jobs

    assert job.prompt == Prompt("a-golden-retriever-gohq", "A golden retriever")
