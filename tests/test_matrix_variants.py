"""`{variants: …}`: one text with alternatives, to every text it can become."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from foxbatch.errors import Problem
from foxbatch.matrix.variants import parse
from foxbatch.template import TemplateError
from tests.matrices import cells_of, expand_job

LINES = {
    "x": ["1", "2", "3"],
    "colour": ["red {", "$"],
    "many": [str(number) for number in range(130)],
}


def variants(text: str, *, ordered: bool = False) -> list[str]:
    return parse(text, wildcards=LINES, ordered=ordered).texts()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "a {red|green} {cat|dog}",
            ["a red cat", "a red dog", "a green cat", "a green dog"],
            id="left-most slowest",
        ),
        pytest.param("a fox", ["a fox"], id="nothing to choose"),
        pytest.param("", [""], id="no text"),
        pytest.param("{a|{b|c} d}", ["a", "b d", "c d"], id="nesting"),
        pytest.param("a{| big}", ["a", "a big"], id="an empty option"),
        pytest.param("{}a", ["a"], id="an empty group"),
        pytest.param("{a|b|a}", ["a", "b"], id="repeats are dropped"),
        pytest.param("{ a | b }", [" a ", " b "], id="spaces are kept"),
        pytest.param("a|b", ["a|b"], id="a bar outside of a group"),
        pytest.param("{2$$a|b|c}", ["a,b", "a,c", "b,c"], id="two at a time"),
        pytest.param("{0-1$$a|b}", ["", "a", "b"], id="none or one"),
        pytest.param("a{0$$b|c}", ["a"], id="none"),
        pytest.param("{2-3$$a|b|c}", ["a,b", "a,c", "b,c", "a,b,c"], id="two or three"),
        pytest.param("{2$$ and $$a|b}", ["a and b"], id="a separator"),
        pytest.param(r"{2$$ \| $$a|b}", ["a | b"], id="an escaped separator"),
        pytest.param("{2$$$$a|b}", ["ab"], id="an empty separator"),
        pytest.param(
            "{2$$a|{b|c}|d}", ["a,b", "a,c", "a,d", "b,d", "c,d"], id="two of groups"
        ),
        pytest.param(r"\{a\|b\} \\", ["{a|b} \\"], id="escapes"),
        pytest.param(
            r"C:\new {\{|\}}", ["C:\\new {", "C:\\new }"], id="other backslashes"
        ),
        pytest.param("{2::a|0.5::b|c}", ["a", "b", "c"], id="weights are dropped"),
        pytest.param("__x__!", ["1!", "2!", "3!"], id="a wildcard"),
        pytest.param("{__x__|4}", ["1", "2", "3", "4"], id="a wildcard as an option"),
        pytest.param("{2$$__x__}", ["1,2", "1,3", "2,3"], id="two lines of a wildcard"),
        pytest.param("__x", ["__x"], id="underscores"),
        pytest.param("__colour__", ["red {", "$"], id="lines are taken as they are"),
        pytest.param(
            "{a|${{ matrix.time ?? '}}' }}}",
            ["a", "${{ matrix.time ?? '}}' }}"],
            id="a reference stays whole",
        ),
        pytest.param(
            "$${{ x }} {a|b}", ["$${{ x }} a", "$${{ x }} b"], id="its escape"
        ),
        pytest.param("${{ it's }}", ["${{ it's }}"], id="what only looks like one"),
        pytest.param(r"$\{\{ x \}\}", ["$${{ x }}"], id="escaped braces make none"),
        pytest.param(r"__colour__\{\{x\}\}", ["red {{{x}}", "$${{x}}"], id="nor lines"),
        pytest.param("costs $10, 2$$ a", ["costs $10, 2$$ a"], id="dollars"),
    ],
)
def test_a_text_becomes_its_variants(text: str, expected: list[str]) -> None:
    assert variants(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "{2$$a|b|c}", ["a,b", "a,c", "b,a", "b,c", "c,a", "c,b"], id="two of three"
        ),
        pytest.param("{a|b}", ["a", "b"], id="no count"),
    ],
)
def test_ordered_choices_are_permutations(text: str, expected: list[str]) -> None:
    assert variants(text, ordered=True) == expected


@pytest.mark.parametrize(
    ("text", "code", "offset"),
    [
        pytest.param("a {b|c", "E-VARIANT-SYNTAX", 2, id="an open group"),
        pytest.param("a {b|{c}", "E-VARIANT-SYNTAX", 2, id="an open group around one"),
        pytest.param("a b} c", "E-VARIANT-SYNTAX", 3, id="nothing to close"),
        pytest.param("a ${{ b", "E-VARIANT-SYNTAX", 2, id="an open reference"),
        pytest.param("{-2$$a|b}", "E-VARIANT-SYNTAX", 1, id="a count without begin"),
        pytest.param("{1-$$a|b}", "E-VARIANT-SYNTAX", 1, id="a count without end"),
        pytest.param("{" * 101 + "}" * 101, "E-VARIANT-SYNTAX", 100, id="too deep"),
        pytest.param("{3$$a|b}", "E-VARIANT-COUNT", 0, id="more than there are"),
        pytest.param("{2-1$$a|b}", "E-VARIANT-COUNT", 0, id="from many to few"),
        pytest.param("a __y__", "E-VARIANT-WILDCARD", 2, id="an unknown wildcard"),
        pytest.param(
            "{$|€}${{ vars.x }}", "E-VARIANT-SYNTAX", 0, id="a dollar and a reference"
        ),
    ],
)
def test_a_text_outside_the_grammar_is_refused(
    text: str, code: str, offset: int
) -> None:
    with pytest.raises(TemplateError) as raised:
        variants(text)

    assert (raised.value.code, raised.value.offset) == (code, offset)
    assert raised.value.hint


@pytest.mark.parametrize(
    ("text", "ordered", "code"),
    [
        pytest.param("{a|b}" * 17, False, "E-MATRIX-HUGE", id="2¹⁷"),
        pytest.param("{a|b}" * 20_000, False, "E-MATRIX-HUGE", id="2²⁰⁰⁰⁰"),
        pytest.param("{a|{b|c}}" * 12, False, "E-MATRIX-HUGE", id="3¹²"),
        pytest.param(
            "{20$$" + "|".join(map(str, range(40))) + "}",
            False,
            "E-MATRIX-HUGE",
            id="20 of 40",
        ),
        pytest.param(
            "{200$$" + "|".join(map(str, range(400))) + "}",
            False,
            "E-MATRIX-HUGE",
            id="200 of 400",
        ),
        pytest.param(
            "{9$$" + "|".join("abcdefghi") + "}", True, "E-MATRIX-HUGE", id="9!"
        ),
        pytest.param(
            "{4999$$" + "|".join(map(str, range(5_000))) + "}",
            False,
            "E-MATRIX-HUGE",
            id="4999 of 5000",
        ),
        pytest.param(
            "{" + "|".join("ab") * 700 + "}" + "{c|d}" * 16,
            False,
            "E-MATRIX-HUGE",
            id="many and long",
        ),
        pytest.param("a" * 100_001, False, "E-TEXT-SIZE", id="a text, too long"),
        pytest.param(
            "{130$$__many__}" * 400, False, "E-TEXT-SIZE", id="one result, too long"
        ),
        pytest.param("__many__" * 9_000, False, "E-MATRIX-HUGE", id="130⁹⁰⁰⁰"),
    ],
)
def test_too_many_variants_are_refused_before_they_are_made(
    text: str, code: str, *, ordered: bool
) -> None:
    start = time.process_time()

    with pytest.raises(TemplateError) as raised:
        variants(text, ordered=ordered)

    assert raised.value.code == code
    assert time.process_time() - start < 2


# ---- in a manifest


def test_variants_of_a_prompt_are_templates() -> None:
    outcome = expand_job(
        'prompts:\n  - variants: "{A|The} dog at ${{ matrix.time }}"\n'
        "matrix: {axes: {time: [dawn]}}\n"
    )

    assert outcome.problems == []
    assert outcome.prompts == ["A dog at dawn", "The dog at dawn"]


def test_variants_of_an_axis_refer_to_vars_and_repeats_are_dropped() -> None:
    outcome = expand_job(
        'prompts: ["${{ matrix.what }}"]\n'
        'matrix: {axes: {what: {variants: "{a|the} {${{ vars.x }}|dog}"}}}\n',
        top="vars: {x: dog}",
    )

    assert outcome.problems == []
    assert outcome.prompts == ["a dog", "the dog"]


def test_wildcards_are_lines_of_files_and_data(tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("# c\nred\n${{ vars.x }}\n", encoding="utf-8")

    outcome = expand_job(
        'prompts: [{variants: "a __c__ fox", wildcards: {c: c.txt}}]', tmp_path
    )

    assert outcome.problems == []
    assert outcome.prompts == ["a red fox", "a ${{ vars.x }} fox"]


def problem_of(prompt: str, folder: Path) -> Problem:
    (problem,) = expand_job(f"prompts:\n  - {prompt}\n", folder).problems
    return problem


@pytest.mark.parametrize(
    ("prompt", "code", "place"),
    [
        pytest.param(
            'variants: "a {b"', "E-VARIANT-SYNTAX", "m.yaml:9:22", id="at its character"
        ),
        pytest.param(
            "{variants: __c__, wildcards: {c: empty.txt}}",
            "E-AXIS-EMPTY",
            "m.yaml:9:42",
            id="a wildcard without lines",
        ),
        pytest.param(
            "{variants: __c__, wildcards: {c: gone.txt}}",
            "E-FILE-MISSING",
            "m.yaml:9:42",
            id="a wildcard without a file",
        ),
        pytest.param(
            'variants: "a ${{ vars.x }}"',
            "E-REF-UNKNOWN",
            "m.yaml:9:19",
            id="a reference",
        ),
        pytest.param(
            'variants: "a ${{ 1 + 1 }}"', "E-REF-SYNTAX", "m.yaml:9:19", id="none"
        ),
        pytest.param(
            'variants: "{2::a|b}"', "N-VARIANT-WEIGHT", "m.yaml:9:19", id="weights"
        ),
        pytest.param(
            "variants: a fox #1", "E-TEXT-COMMENT", "m.yaml:9:25", id="a comment in it"
        ),
    ],
)
def test_what_is_wrong_with_variants_has_its_place(
    prompt: str, code: str, place: str, tmp_path: Path
) -> None:
    (tmp_path / "empty.txt").touch()

    problem = problem_of(prompt, tmp_path)

    assert (problem.code, str(problem.position)) == (code, place)


def test_variants_of_an_axis_with_a_comment_in_them_were_eaten() -> None:
    outcome = cells_of("axes:\n  a:\n    variants: a fox #1\n")

    assert outcome.errors == ["E-TEXT-COMMENT"]
