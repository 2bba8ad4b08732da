"""What a cell becomes: what feeds what, what is sent, and what is not used."""

from __future__ import annotations

from pathlib import Path

import pytest

from foxbatch.errors import Severity
from tests.matrices import expand_job, expand_text


def test_axes_named_like_parameters_feed_them_and_replace_defaults() -> None:
    outcome = expand_text("""
foxbatch: 1
name: feeding
provider: sandbox
defaults: {model: toy-1, params: {duration: 4, aspect_ratio: 9:16}}
jobs:
  - {id: a, prompts: [x], matrix: {axes: {duration: [6, 8]}}}
  - {id: b, prompts: [x], matrix: {axes: {seed: [1]}, include: [{duration: 8}]}}
""")

    assert [request["duration"] for request in outcome.requests] == [6, 8, 8]
    assert {request["aspect_ratio"] for request in outcome.requests} == {"9:16"}
    assert list(outcome.requests[0])[:2] == ["model", "prompt"]


def test_exactly_what_is_written_is_sent() -> None:
    outcome = expand_job("prompts: [x]\nparams: {seed: null, weights: [0.5, 1.0]}")

    assert outcome.requests == [
        {"model": "toy-1", "prompt": "x", "seed": None, "weights": [0.5, 1.0]}
    ]


def test_unset_leaves_a_parameter_out() -> None:
    outcome = expand_text("""
foxbatch: 1
name: unset
provider: sandbox
defaults: {model: toy-1, params: {duration: 4, sound: true}}
jobs:
  - id: a
    prompts: [x]
    matrix: {axes: {duration: [8, {$unset: true}]}}
    params: {sound: {$unset: true}}
""")

    assert [sorted(request) for request in outcome.requests] == [
        ["duration", "model", "prompt"],
        ["model", "prompt"],
    ]
    assert outcome.names == ["x-xiw7-8s-r1", "x-xiw7-duration-unset-r1"]


def test_a_parameter_and_its_axis_conflict_unless_one_refers_to_the_other() -> None:
    conflict = expand_job("""
        prompts: [x]
        matrix: {axes: {duration: [4, 8]}}
        params: {duration: 4}
    """)
    refers = expand_job("""
        prompts: [x]
        matrix: {axes: {seed: [1, 2]}}
        let: {next: "${{ matrix.seed }}"}
        params: {seed: "${{ let.next }}"}
    """)

    problem = conflict.only("E-PARAM-CONFLICT")
    assert problem.position.line == problem.related[0].position.line + 1
    assert refers.errors == []


@pytest.mark.parametrize(
    ("job", "message"),
    [
        pytest.param(
            "model: toy-1\nprompts: [x]\nmatrix: {axes: {model: [toy-1, still]}}",
            "model is given here and by an axis",
            id="the job's own model",
        ),
        pytest.param(
            "prompts: [x]\nparams: {prompt: y}",
            "prompt is given here and by an axis",
            id="the prompt",
        ),
        pytest.param(
            "prompts: [x]\nmatrix: {include: [{sound: true}]}\nparams: {sound: false}",
            "sound is given here and by an include",
            id="an include",
        ),
        pytest.param(
            "prompts: [x]\nparams: {model: toy-1}",
            "the model stands among the parameters",
            id="the model under params",
        ),
    ],
)
def test_two_values_for_one_thing_conflict(job: str, message: str) -> None:
    assert expand_job(job).only("E-PARAM-CONFLICT").message == message


def test_a_parameter_may_build_on_the_prompt() -> None:
    outcome = expand_job("""
        prompts: [{id: fox, text: "a fox at ${{ matrix.time }}"}]
        matrix: {axes: {time: [dusk]}}
        params: {prompt: "${{ matrix.prompt }}, ${{ matrix.prompt_id }}, 35 mm"}
    """)

    (job,) = outcome.jobs
    assert job.request["prompt"] == "a fox at dusk, fox, 35 mm"
    assert job.prompt is not None
    assert (job.prompt.id, job.prompt.text) == ("fox", "a fox at dusk, fox, 35 mm")


def test_the_model_may_be_an_axis_and_each_job_meets_its_own() -> None:
    outcome = expand_job(
        """
        prompts: [x]
        matrix: {axes: {model: [toy-1, still], duration: [4, 8]}}
        """,
        model="",
    )

    assert [(job.model, job.kind, job.endpoint) for job in outcome.jobs] == [
        ("toy-1", "video", "/v1/videos/generations")
    ] * 2
    problem = outcome.only("E-KEY-UNKNOWN")
    assert (problem.jobs, problem.message) == (
        2,
        'unknown key "duration" in the request',
    )
    assert problem.pointer == "/jobs/0/matrix/axes/duration"


def test_the_model_may_be_a_template() -> None:
    outcome = expand_job(
        """
        model: toy-1${{ matrix.tier }}
        prompts: [x]
        matrix: {axes: {tier: ["", "-fast"], duration: [4]}}
        """
    )

    assert [job.model for job in outcome.jobs] == ["toy-1", "toy-1-fast"]
    assert outcome.requests[0]["duration"] == 4


def test_the_model_may_come_from_an_include() -> None:
    outcome = expand_job(
        """
        prompts: [x]
        matrix: {axes: {seed: [1, 2]}, include: [{seed: 2, model: still}]}
        """
    )

    assert [job.model for job in outcome.jobs] == ["toy-1", "still"]


def test_a_job_whose_include_names_no_model_is_refused() -> None:
    outcome = expand_job(
        """
        prompts: [x]
        matrix: {axes: {seed: [1, 2]}, include: [{seed: 2, model: still}]}
        """,
        model="",
    )

    assert outcome.only("E-KEY-MISSING").jobs == 1


def test_a_model_that_cannot_be_rendered_is_one_error() -> None:
    outcome = expand_job("model: '${{ vars.m }}'\nprompts: [x]")

    assert outcome.errors == ["E-REF-UNKNOWN"]


def test_an_unknown_model_names_the_nearest_and_is_judged_as_that() -> None:
    outcome = expand_job(
        """
        prompts: [x]
        matrix: {axes: {seed: [1, 2], sed: [1]}}
        params: {durations: 9, duration: 5}
        """,
        model="toy-1-fats",
    )

    problem = outcome.only("E-MODEL-UNKNOWN")
    assert (problem.hint, problem.jobs) == ("Did you mean toy-1-fast?", 2)
    assert problem.pointer == "/defaults/model"
    assert outcome.only("E-KEY-UNKNOWN").hint == "Did you mean duration?"
    assert outcome.only("E-ENUM").pointer == "/jobs/0/params/duration"
    assert "W-AXIS-UNUSED" in outcome.codes


def test_of_a_model_that_is_a_guess_only_the_names_of_parameters_are_judged() -> None:
    job = """
        prompts: [x]
        params: {durations: 9, duration: 5}
        """

    outcome = expand_job(job, model="toy")

    assert outcome.codes == ["E-MODEL-UNKNOWN", "E-KEY-UNKNOWN"]


def test_an_unknown_model_is_one_error_where_all_else_is_right() -> None:
    outcome = expand_job("prompts: [x]\nparams: {seed: 1}", model="toy-2")

    assert outcome.codes == ["E-MODEL-UNKNOWN"]


def test_with_an_unknown_model_like_no_other_nothing_else_is_guessed() -> None:
    outcome = expand_job(
        "prompts: [x]\nmatrix: {axes: {anything: [1, 2]}}", model="something-else"
    )

    assert outcome.codes == ["E-MODEL-UNKNOWN"]
    assert outcome.problems[0].hint == "Models: toy-1, toy-1-fast, still, silent."


def test_a_model_that_is_no_text_is_unknown() -> None:
    outcome = expand_job("prompts: [x]\nmatrix: {axes: {model: [7]}}", model="")

    assert outcome.errors == ["E-MODEL-UNKNOWN"]


# ---- what is used


def test_prompts_that_reach_no_request_are_told() -> None:
    job = (
        "prompts: [A fox, A hare]\nmatrix: {variables: [prompt]}\n"
        "params: {prompt: A dog}\n"
    )

    problem = expand_job(job).only("W-AXIS-UNUSED")

    assert "no prompt reaches a request" in problem.message
    assert "${{ matrix.prompt }}" in problem.hint


@pytest.mark.parametrize(
    ("job", "hint"),
    [
        pytest.param(
            "prompts: [x]\nmatrix: {axes: {durations: [4]}}",
            "Did you mean duration? Use it as ${{ matrix.durations }}, or remove it.",
            id="nearly a parameter",
        ),
        pytest.param(
            "prompts: [x]\nmatrix: {axes: {ambience: [a]}}",
            "Use it as ${{ matrix.ambience }}, or remove it.",
            id="nothing like it",
        ),
        pytest.param(
            "prompts: [x]\nmatrix: {axes: {duration: [4]}, variables: [duration]}",
            "Use it as ${{ matrix.duration }}, or remove it.",
            id="kept from feeding",
        ),
        pytest.param(
            "prompts: [x]\nmatrix: {include: [{durations: 4}]}",
            "Did you mean duration? Use it as ${{ matrix.durations }}, or remove it.",
            id="of an include",
        ),
    ],
)
def test_an_axis_that_nothing_uses_is_a_warning(job: str, hint: str) -> None:
    problem = expand_job(job).only("W-AXIS-UNUSED")

    assert (problem.hint, problem.severity) == (hint, Severity.WARNING)


@pytest.mark.parametrize(
    "job",
    [
        pytest.param('prompts: ["${{ matrix.mood }}"]', id="in a prompt"),
        pytest.param(
            'prompts: [x]\nparams: {generation_type: "${{ matrix.mood }}"}',
            id="in a parameter",
        ),
        pytest.param(
            'let: {t: "${{ matrix.mood }}"}\nprompts: ["${{ let.t }}"]', id="by let"
        ),
        pytest.param(
            'prompts: [x]\noutput: "${{ matrix.mood }}/${{ job.name }}"', id="in output"
        ),
    ],
)
def test_an_axis_that_is_used_is_no_warning(job: str) -> None:
    assert expand_job(f"{job}\nmatrix: {{axes: {{mood: [a]}}}}").codes == []


def test_a_var_that_nothing_uses_is_a_warning() -> None:
    outcome = expand_job(
        "prompts: ['${{ vars.used }}']", top="vars: {durations: 4, used: x, mood: y}"
    )

    assert [p.message for p in outcome.problems if p.code == "W-VAR-UNUSED"] == [
        "nothing refers to vars.durations",
        "nothing refers to vars.mood",
    ]
    assert "The parameter duration is written under params." in outcome.problems[0].hint


def test_a_let_that_nothing_uses_is_a_warning() -> None:
    outcome = expand_job(
        'prompts: ["no ${{ let.a }}"]\nlet: {a: "${{ let.b }}", b: 1, c: 2}'
    )

    assert outcome.codes == ["W-LET-UNUSED"]
    assert outcome.prompts == ["no 1"]


def test_the_text_of_a_file_uses_nothing(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("costs ${{ vars.x }}", encoding="utf-8")

    outcome = expand_job("prompts: [{lines: p.txt}]", tmp_path, top="vars: {x: 1}")

    assert outcome.prompts == ["costs ${{ vars.x }}"]
    assert outcome.codes == ["W-TEMPLATE", "W-VAR-UNUSED"]


# ---- prompts


def test_prompts_are_rendered_in_each_cell() -> None:
    outcome = expand_job("""
        prompts:
          - a fox at ${{ matrix.time }}
          - {id: slow, text: "a dog at ${{ matrix.time }}, take ${{ repeat }}"}
        matrix: {axes: {time: [dawn, dusk]}}
        repeat: 2
    """)

    assert outcome.prompts == [
        "a fox at dawn",
        "a fox at dawn",
        "a fox at dusk",
        "a fox at dusk",
        "a dog at dawn, take 1",
        "a dog at dawn, take 2",
        "a dog at dusk, take 1",
        "a dog at dusk, take 2",
    ]
    assert [job.prompt.id for job in outcome.jobs if job.prompt][::4] == [
        "a-fox-at-hr5a",
        "slow",
    ]


def test_equal_prompts_are_told_apart_as_written_and_refused_as_rendered() -> None:
    as_written = expand_job("prompts: [cat, {id: other, text: cat}]")
    as_rendered = expand_job('prompts: [cat, "${{ vars.c }}"]', top="vars: {c: cat}")

    assert as_written.errors == ["E-AXIS-DUP"]
    assert as_rendered.errors == ["E-DUPLICATE-JOB"]


def test_a_prompt_of_defaults_is_used_where_there_is_no_other() -> None:
    outcome = expand_text("""
foxbatch: 1
name: defaults
provider: sandbox
defaults: {model: toy-1, params: {prompt: usual}}
jobs:
  - {id: a, params: {seed: 1}}
  - {id: b, prompts: [own]}
  - {id: c, params: {prompt: mine}}
""")

    assert outcome.prompts == ["usual", "own", "mine"]
    assert [job.prompt.text for job in outcome.jobs if job.prompt] == outcome.prompts


def test_a_job_without_a_prompt_is_the_models_to_judge() -> None:
    problem = expand_job("params: {seed: 1}").only("E-KEY-MISSING")

    assert problem.message == 'the request has no "prompt"'
    assert problem.pointer == "/jobs/0"


def test_a_conflict_does_not_make_its_jobs_duplicates() -> None:
    outcome = expand_job("""
        prompts: [x]
        matrix: {axes: {duration: [4, 8]}}
        params: {duration: 6}
    """)

    assert outcome.codes == ["E-PARAM-CONFLICT"]


@pytest.mark.parametrize(
    "job",
    [
        pytest.param(
            "prompts: ['x ${{ matrix.tmie }}']\nmatrix: {axes: {time: [a, b]}}",
            id="an axis",
        ),
        pytest.param(
            "prompts: ['x ${{ let.tmie }}']\nlet: {time: noon}", id="a let value"
        ),
        pytest.param("prompts: ['x ${{ vars.tmie }}']", id="a variable"),
    ],
)
def test_what_a_misspelt_reference_means_is_not_unused_as_well(job: str) -> None:
    top = "vars: {time: noon}" if "vars" in job else ""

    assert expand_job(job, top=top).codes == ["E-REF-UNKNOWN"]


def test_nothing_is_called_unused_while_a_template_cannot_be_read() -> None:
    outcome = expand_job(
        """
        prompts: ["x ${{ let.a }} ${{ matrix.b }} ${{ vars.c"]
        let: {a: noon}
        matrix: {axes: {b: [1, 2]}}
        """,
        top="vars: {c: 1}",
    )

    assert outcome.codes == ["E-REF-SYNTAX"]


def test_a_variable_that_cannot_be_read_may_use_another() -> None:
    outcome = expand_job("prompts: ['${{ vars.a }}']", top="vars: {a: '${{ x', b: 1}")

    assert outcome.codes == ["E-REF-SYNTAX"]


def test_a_list_where_one_value_is_wanted_is_told_how_to_multiply() -> None:
    problem = expand_job("prompts: [x]\nparams: {duration: [4, 8]}").only("E-TYPE")

    assert problem.hint.endswith("put the list in `matrix.axes`.")


@pytest.mark.parametrize(
    ("jobs", "counted"),
    [
        pytest.param("{id: a, params: {duration: 5}}", None, id="the only job"),
        pytest.param(
            "{id: a, params: {duration: 5}}, {id: b}", None, id="the job of its entry"
        ),
        pytest.param("{id: a, params: {duration: 5}, repeat: 2}", 2, id="two jobs"),
        pytest.param(
            "{id: a, params: {duration: 5}, matrix: {axes: {seed: [1, 2]}}}",
            2,
            id="all jobs of a matrix",
        ),
        pytest.param(
            "{id: a, matrix: {axes: {duration: [4, 5]}}}", 1, id="one job of a matrix"
        ),
        pytest.param(
            "{id: a, model: still}, {id: b, params: {sound: false}}",
            1,
            id="one job of several, by a default",
        ),
    ],
)
def test_jobs_are_counted_unless_the_place_says_which_job_it_is(
    jobs: str, counted: int | None
) -> None:
    outcome = expand_text(f"""
foxbatch: 1
name: counted
provider: sandbox
defaults: {{model: toy-1, params: {{prompt: x, sound: true}}}}
jobs: [{jobs}]
""")

    problem = next(p for p in outcome.problems if p.severity is Severity.ERROR)
    assert problem.jobs == counted
    assert bool(problem.example) is (counted is not None)


def test_an_include_about_a_value_that_is_wrong_is_not_called_new() -> None:
    outcome = expand_job("""
        prompts: [x]
        matrix:
          axes: {seed: ["${{ vars.n }}", 2]}
          include: [{seed: 1, sound: true}]
    """)

    assert outcome.errors == ["E-REF-UNKNOWN"]
    assert not {"N-INC-NEW", "W-INC-NEW"}.intersection(outcome.codes)
