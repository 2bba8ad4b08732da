"""Templates in a manifest: what they become, and what is said when they cannot."""

from __future__ import annotations

import pytest

from foxbatch.canonical import Json
from foxbatch.matrix import rendering
from tests.matrices import expand_job, expand_text

T18 = """
foxbatch: 1
name: t18
provider: sandbox
vars:
  style: "shot on ${{ vars.film }}"
  film: Kodak
  note: "literal $${{ vars.film }} and {{mustache}} and $10"
defaults: {model: toy-1}
jobs:
  - id: t18
    matrix: {axes: {animal: [fox, "${{ vars.film }}"], seconds: [4, 8]}}
    let: {tempo: "${{ matrix.seconds }}s"}
    params:
      prompt: "a ${{ matrix.animal }}, ${{ vars.style }}, ${{ let.tempo }}"
      duration: "${{ matrix.seconds }}"
      generation_type: "${{ vars.note }}"
"""


def test_t18_vars_let_and_axes_in_templates() -> None:
    outcome = expand_text(T18)

    assert outcome.problems == []
    assert outcome.prompts == [
        "a fox, shot on Kodak, 4s",
        "a fox, shot on Kodak, 8s",
        "a Kodak, shot on Kodak, 4s",
        "a Kodak, shot on Kodak, 8s",
    ]
    assert [request["duration"] for request in outcome.requests] == [4, 8, 4, 8]
    assert {request["generation_type"] for request in outcome.requests} == {
        "literal ${{ vars.film }} and {{mustache}} and $10"
    }


def test_t14_a_list_in_params_does_not_multiply() -> None:
    outcome = expand_job("""
        prompts: [from one to the other]
        params:
          generation_type: first-last-frame
          image_urls: [https://x/1.png, https://x/2.png]
        matrix: {axes: {seed: [1, 2]}}
    """)

    urls: Json = ["https://x/1.png", "https://x/2.png"]
    assert [request["image_urls"] for request in outcome.requests] == [urls, urls]


@pytest.mark.parametrize(
    ("top", "job", "code", "says"),
    [
        pytest.param(
            'vars: {a: "${{ vars.b }}", b: "${{ vars.a }}"}',
            'prompts: ["${{ vars.a }}"]',
            "E-REF-CYCLE",
            ": a -> b -> a",
            id="T19 a circle of vars",
        ),
        pytest.param(
            "",
            'matrix: {axes: {animal: [fox]}}\nparams: {prompt: "${{ matrix.animl }}"}',
            "E-REF-UNKNOWN",
            '"matrix.animl" is not defined',
            id="T19 an unknown name",
        ),
        pytest.param(
            "",
            'params: {prompt: "${{ env.API_KEY }}"}',
            "E-REF-NAMESPACE",
            '"env.API_KEY" cannot be used here: there is no env',
            id="T19 the environment",
        ),
        pytest.param(
            "",
            'matrix: {axes: {shot: [{}]}}\nparams: {prompt: "x ${{ matrix.shot }}"}',
            "E-REF-TYPE",
            '"matrix.shot" is a mapping and cannot stand inside text',
            id="T19 a mapping in text",
        ),
        pytest.param(
            'vars: {a: "${{ matrix.x }}"}',
            'prompts: ["${{ vars.a }}"]',
            "E-REF-NAMESPACE",
            "there is no matrix",
            id="vars that depend on the matrix",
        ),
        pytest.param(
            'vars: {a: "${{ x"}',
            'prompts: ["${{ vars.a }}"]',
            "E-REF-SYNTAX",
            "never closed",
            id="a var that is no template",
        ),
        pytest.param(
            "",
            "prompts: [x]\nparams: {seed: '${{ }}'}",
            "E-REF-SYNTAX",
            "is not a reference",
            id="a parameter that is no template",
        ),
        pytest.param(
            "",
            'let: {a: "${{ let.b }}", b: "${{ let.a }}"}\nprompts: ["${{ let.a }}"]',
            "E-REF-CYCLE",
            ": a -> b -> a",
            id="a circle of let",
        ),
        pytest.param(
            "",
            'let: {tempo: 4}\nprompts: ["${{ let.tmpo }}"]',
            "E-REF-UNKNOWN",
            "let.tmpo",
            id="an unknown let",
        ),
        pytest.param(
            "",
            'let: {tempo: "${{ matrix.no }}"}\nprompts: ["${{ let.tempo }}"]',
            "E-REF-UNKNOWN",
            "matrix.no",
            id="a let that refers to nothing",
        ),
        pytest.param(
            "",
            'let: {a: "${{ x"}\nprompts: ["${{ let.a }}"]',
            "E-REF-SYNTAX",
            "never closed",
            id="a let that is no template",
        ),
        pytest.param(
            "",
            'prompts: ["again ${{ matrix.prompt }}"]',
            "E-REF-CYCLE",
            "matrix.prompt -> matrix.prompt",
            id="a prompt inside itself",
        ),
        pytest.param(
            "",
            'let: {b: 1, a: "${{ matrix.prompt }}"}\n'
            'prompts: ["${{ let.b }} ${{ let.a }}"]',
            "E-REF-CYCLE",
            "matrix.prompt -> let.a -> matrix.prompt",
            id="a prompt inside itself by way of let",
        ),
        pytest.param(
            "",
            'prompts: ["${{ x"]',
            "E-REF-SYNTAX",
            "",
            id="a prompt that is no template",
        ),
        pytest.param(
            "",
            'prompts: [{id: a, text: "${{ x"}]',
            "E-REF-SYNTAX",
            "",
            id="a labelled prompt that is no template",
        ),
        pytest.param(
            "",
            'prompts: [x]\noutput: "${{ job.nme }}"',
            "E-REF-UNKNOWN",
            "job.nme",
            id="an output that names nothing",
        ),
        pytest.param(
            "",
            'prompts: ["${{ job.name }}"]',
            "E-REF-NAMESPACE",
            "there is no job",
            id="a request never knows its job",
        ),
        pytest.param(
            "",
            'matrix: {axes: {n: [1]}, include: [{prompt: "${{ x"}]}',
            "E-REF-SYNTAX",
            "",
            id="an include's prompt that is no template",
        ),
    ],
)
def test_a_template_that_cannot_be_rendered_is_one_error(
    top: str, job: str, code: str, says: str
) -> None:
    outcome = expand_job(job, top=top)

    assert outcome.jobs == []
    assert outcome.errors == [code]
    assert says in outcome.only(code).message


def test_a_prompt_that_becomes_no_text_may_be_referred_to() -> None:
    outcome = expand_job(
        """
        prompts: ["${{ vars.many }}"]
        params: {generation_type: "not ${{ matrix.prompt }}"}
        """,
        top="vars: {many: [a, b]}",
    )

    assert sorted(outcome.errors) == ["E-REF-TYPE", "E-TYPE"]


def test_an_unknown_name_points_into_its_text() -> None:
    outcome = expand_job("""
        matrix: {axes: {animal: [fox, dog], seed: [1, 2]}}
        params:
          prompt: a fine ${{ matrix.animl }}
    """)

    problem = outcome.only("E-REF-UNKNOWN")
    assert problem.hint == "Did you mean matrix.animal?"
    assert problem.jobs == 4
    assert problem.example == "fox-seed1-r1"
    assert problem.position.column == len("      prompt: a fine ") + 1
    assert problem.pointer == "/jobs/0/params/prompt"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("|\n        a REF", id="a block"),
        pytest.param("| # ${{ comment }}\n        a REF", id="behind a comment"),
        pytest.param(">-\n\n        b\n          a REF", id="a folded block"),
        pytest.param("a fox\n        and REF", id="plain text"),
        pytest.param("a fox and REF", id="plain text on one line"),
        pytest.param("'it''s a REF'", id="single quotes"),
        pytest.param('"a \\u0041 REF"', id="an escape"),
        pytest.param('"a \\\n        fox REF"', id="double quotes over lines"),
        pytest.param('"$${{ a }} and REF"', id="behind an escaped one"),
    ],
)
def test_a_name_is_found_in_text_of_every_style(text: str) -> None:
    reference = "${{ matrix.animl }}"
    written = text.replace("REF", reference)

    outcome = expand_job(f"prompts:\n      - {written}\n")

    at = outcome.only("E-REF-UNKNOWN").position
    assert (at.line, at.end_column - at.column) == (at.end_line, len(reference))


def test_results_are_not_remembered_without_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rendering, "_REMEMBERED", 1)

    outcome = expand_job("""
        prompts: ["${{ matrix.a }} fox"]
        matrix: {axes: {seed: [1, 2], a: [red, grey]}}
    """)

    assert outcome.prompts == ["red fox", "grey fox"] * 2


def test_the_place_is_not_guessed_where_an_escape_hides_it() -> None:
    outcome = expand_job("""
        params:
          prompt: "a \\u0024{{ matrix.animl }}"
    """)

    assert outcome.only("E-REF-UNKNOWN").position.column == len("      prompt: ") + 1


def test_an_error_in_one_place_hides_no_other() -> None:
    outcome = expand_job("""
        prompts: ["a ${{ matrix.animl }}"]
        params: {duration: 5, aspect_ratio: square}
    """)

    assert sorted(outcome.errors) == ["E-ENUM", "E-ENUM", "E-REF-UNKNOWN"]


def test_variables_may_build_on_each_other_as_deep_as_they_like() -> None:
    links = [f'v{n}: "${{{{ vars.v{n + 1} }}}}"' for n in range(3_000)]
    variables = "vars: {" + ", ".join([*reversed(links), "v3000: end"]) + "}"

    assert expand_job('prompts: ["the ${{ vars.v0 }}"]', top=variables).prompts == [
        "the end"
    ]


def test_a_broken_var_is_told_once_however_often_it_is_used() -> None:
    outcome = expand_job(
        """
        prompts: ["${{ vars.b }} and ${{ vars.c }}"]
        matrix: {axes: {seed: [1, 2]}}
        let: {t: "${{ vars.b }}"}
        params: {generation_type: "${{ let.t }}"}
        output: "${{ vars.c }}"
        """,
        top='vars: {a: "${{ vars.zzz }}", b: "${{ vars.a }}", c: "${{ vars.b }}"}',
    )

    assert outcome.errors == ["E-REF-UNKNOWN"]


def test_a_name_that_only_some_includes_give_is_an_error_in_the_other_jobs() -> None:
    outcome = expand_job("""
        prompts: ["a ${{ matrix.colour }} fox"]
        matrix: {axes: {seed: [1, 2]}, include: [{seed: 1, colour: red}]}
    """)

    assert outcome.prompts == ["a red fox"]
    assert outcome.only("E-REF-UNKNOWN").jobs == 1


def test_a_default_fills_in_where_an_include_says_nothing() -> None:
    outcome = expand_job("""
        prompts: ["a ${{ matrix.colour ?? 'grey' }} fox"]
        matrix: {axes: {seed: [1, 2]}, include: [{seed: 1, colour: red}]}
    """)

    assert outcome.prompts == ["a red fox", "a grey fox"]
