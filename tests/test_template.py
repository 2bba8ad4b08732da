from __future__ import annotations

import pytest

from foxbatch.canonical import Json
from foxbatch.template import Pattern, Reference, Template, TemplateError

SCOPE: dict[str, Json] = {
    "vars": {"film": "Kodak", "note": "${{ vars.film }}", "list": ["a", "b"]},
    "matrix": {
        "seconds": 4,
        "ratio": 5.0,
        "sound": True,
        "none": None,
        "node-version": "14.x",
        "shot": {"prompt": "fox", "sizes": [1, 2]},
    },
    "repeat": 2,
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("${{ matrix.seconds }}", 4, id="a lone reference keeps its type"),
        pytest.param("${{matrix.sound}}", True, id="also true and false"),
        pytest.param("${{ matrix.none }}", None, id="and null"),
        pytest.param("${{ matrix.shot.sizes }}", [1, 2], id="and lists"),
        pytest.param("${{ repeat }}", 2, id="repeat has nothing inside"),
        pytest.param("${{ matrix.seconds }}s", "4s", id="in text it is text"),
        pytest.param("${{ matrix.ratio }}x", "5x", id="5.0 is 5, as in JSON"),
        pytest.param(
            "${{ matrix.sound }} ${{ matrix.none }}", "true null", id="as JSON says it"
        ),
        pytest.param("${{ matrix.shot.prompt }}!", "fox!", id="a dotted name"),
        pytest.param("${{ matrix.node-version }}", "14.x", id="a name with a hyphen"),
        pytest.param("${{ vars.list[1] }}", "b", id="an index"),
        pytest.param(
            "on ${{ vars.note }}",
            "on ${{ vars.film }}",
            id="inserted text is not scanned",
        ),
        pytest.param("$${{ vars.film }}", "${{ vars.film }}", id="the escape"),
        pytest.param("$$${{ x", "$${{ x", id="a dollar before the escape"),
        pytest.param(
            "{{mustache}} $10 {a|b} % $ { }}",
            "{{mustache}} $10 {a|b} % $ { }}",
            id="all else is ordinary",
        ),
        pytest.param("", "", id="nothing"),
        pytest.param('${{ vars.x ?? "a }} b" }}', "a }} b", id="a default in quotes"),
        pytest.param("${{ vars.x ?? 'it''s' }}", "it's", id="in single quotes"),
        pytest.param("${{ vars.x ?? -1.5e1 }}", -15.0, id="a number"),
        pytest.param("${{ vars.x.y ?? null }}", None, id="null"),
        pytest.param("${{ vars.list[7] ?? true }}", True, id="beyond a list"),
        pytest.param("${{ matrix.none ?? 1 }}", None, id="null is not missing"),
    ],
)
def test_a_template_renders(text: str, expected: Json) -> None:
    rendered = Template.parse(text).render(SCOPE)

    assert rendered == expected
    assert type(rendered) is type(expected)


@pytest.mark.parametrize(
    ("text", "code", "hint"),
    [
        pytest.param(
            "a ${{ matrix.secnds }}",
            "E-REF-UNKNOWN",
            "Did you mean matrix.seconds?",
            id="a misspelt name",
        ),
        pytest.param(
            "${{ vars.zzz }}",
            "E-REF-UNKNOWN",
            "vars has: film, note, list.",
            id="no name like it",
        ),
        pytest.param(
            "${{ vars.list[2] }}",
            "E-REF-UNKNOWN",
            "vars.list has 2 values, counted from [0].",
            id="beyond the end",
        ),
        pytest.param(
            "${{ matrix.seconds.x }}",
            "E-REF-UNKNOWN",
            "matrix.seconds is a number, with nothing inside.",
            id="inside a number",
        ),
        pytest.param(
            "${{ matrix.none.x }}",
            "E-REF-UNKNOWN",
            "matrix.none is null, with nothing inside.",
            id="inside null",
        ),
        pytest.param(
            "${{ matrix.sound.x }}",
            "E-REF-UNKNOWN",
            "matrix.sound is true or false, with nothing inside.",
            id="inside true",
        ),
        pytest.param(
            "${{ vars.film[0] }}",
            "E-REF-UNKNOWN",
            "vars.film is text, with nothing inside.",
            id="text has no parts",
        ),
        pytest.param(
            "${{ env.API_KEY }}",
            "E-REF-NAMESPACE",
            "Requests depend on the manifest alone: write the value under vars.",
            id="T19 the environment",
        ),
        pytest.param(
            "${{ env.X ?? 1 }}",
            "E-REF-NAMESPACE",
            "Requests depend on the manifest alone: write the value under vars.",
            id="a default does not open it",
        ),
        pytest.param(
            "${{ seconds }}",
            "E-REF-NAMESPACE",
            "Did you mean matrix.seconds?",
            id="without its namespace",
        ),
        pytest.param(
            "${{ matrx.a }}",
            "E-REF-NAMESPACE",
            "Did you mean matrix.a?",
            id="a misspelt namespace",
        ),
        pytest.param(
            "x ${{ matrix.shot }}",
            "E-REF-TYPE",
            "Refer to one value in it, or let the reference stand alone.",
            id="T19 a mapping in text",
        ),
        pytest.param(
            "x ${{ vars.list }}",
            "E-REF-TYPE",
            "Refer to one value in it, or let the reference stand alone.",
            id="a list in text",
        ),
    ],
)
def test_what_cannot_be_rendered_says_why(text: str, code: str, hint: str) -> None:
    with pytest.raises(TemplateError) as raised:
        Template.parse(text).render(SCOPE)

    assert (raised.value.code, raised.value.hint) == (code, hint)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("${{ matrix.a", id="never closed"),
        pytest.param("${{ upper(matrix.a) }}", id="a call"),
        pytest.param("${{ matrix.a | upper }}", id="a filter"),
        pytest.param("${{ matrix.a + 1 }}", id="arithmetic"),
        pytest.param("${{ }}", id="nothing"),
        pytest.param("${{ matrix.a ?? word }}", id="a default without quotes"),
        pytest.param("${{ matrix.a ?? 1e999 }}", id="infinity"),
        pytest.param(r'${{ matrix.a ?? "\ud800" }}', id="half a character"),
        pytest.param(r'${{ matrix.a ?? "\q" }}', id="an escape JSON does not know"),
        pytest.param("${{ matrix['a'] }}", id="a quoted key"),
    ],
)
def test_anything_else_in_the_brackets_is_refused(text: str) -> None:
    with pytest.raises(TemplateError) as raised:
        Template.parse("see " + text)

    assert (raised.value.code, raised.value.offset) == ("E-REF-SYNTAX", 4)


def test_names_are_known_before_anything_is_rendered() -> None:
    template = Template.parse("${{ vars.a }} and ${{ matrix.b[0] ?? 1 }}")

    assert [str(name) for name in template.names] == ["vars.a", "matrix.b[0]"]
    assert [name.offset for name in template.names] == [0, 18]
    assert [name.has_default for name in template.names] == [False, True]


def test_a_reference_knows_what_it_begins_with() -> None:
    (reference,) = Template.parse("${{ matrix.shot.prompt }}").names

    assert reference.namespace == "matrix"
    assert reference == Reference(("matrix", "shot", "prompt"))


def test_inserted_text_can_be_changed_and_literal_text_cannot() -> None:
    template = Template.parse("${{ vars.film }}/${{ matrix.seconds }}")

    assert template.render_text(SCOPE, insert=str.upper) == "KODAK/4"


def test_a_pattern_renders_every_text_of_a_value() -> None:
    pattern = Pattern.parse(
        {
            "urls": ["https://x/${{ matrix.seconds }}.png", 7],
            "n": "${{ repeat }}",
            "k": None,
        }
    )

    assert pattern.render(SCOPE) == {"urls": ["https://x/4.png", 7], "n": 2, "k": None}
    assert [(where, str(name)) for where, name in pattern.names] == [
        (("urls", 0), "matrix.seconds"),
        (("n",), "repeat"),
    ]


def test_a_pattern_without_templates_is_the_value_itself() -> None:
    value: Json = {"a": ["$10", "{x}"]}

    assert Pattern.parse(value).render({}) is value


def test_a_pattern_says_which_of_its_texts_is_wrong() -> None:
    with pytest.raises(TemplateError) as unreadable:
        Pattern.parse(["fine", {"x": "${{ ? }}"}])
    with pytest.raises(TemplateError) as unknown:
        Pattern.parse(["fine", {"x": "${{ vars.nope }}"}]).render(SCOPE)

    assert unreadable.value.where == unknown.value.where == (1, "x")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("${{ vars.film }}", "vars.film", id="one reference and no more"),
        pytest.param("a ${{ vars.film }}", None, id="text around it"),
        pytest.param("$${{", None, id="an escape"),
        pytest.param(["${{ vars.film }}"], None, id="inside a list"),
    ],
)
def test_a_lone_reference_is_known(value: Json, expected: str | None) -> None:
    lone = Pattern.parse(value).lone

    assert (str(lone) if lone else None) == expected


def test_a_default_holds_no_control_character() -> None:
    with pytest.raises(TemplateError) as raised:
        Template.parse(r'${{ vars.a ?? "x\u0000y" }}')

    assert raised.value.code == "E-REF-SYNTAX"
