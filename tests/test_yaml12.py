from __future__ import annotations

import pytest

from foxbatch.canonical import Json
from foxbatch.errors import InvalidError, Position, Problem
from foxbatch.yaml12 import Document, Where, parse, scan


def only_problem(text: str | bytes) -> Problem:
    with pytest.raises(InvalidError) as caught:
        parse(text, file="m.yaml")
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("16:9", "16:9", id="no base 60"),
        pytest.param("no", "no", id="no is text"),
        pytest.param("on", "on", id="on is text"),
        pytest.param("2024-01-01", "2024-01-01", id="a date is text"),
        pytest.param("1_000", "1_000", id="no underscores in numbers"),
        pytest.param("0755", 755, id="a leading zero is not octal"),
        pytest.param("0o17", 15, id="0o is octal"),
        pytest.param("0x1F", 31, id="0x is hexadecimal"),
        pytest.param("0b11", "0b11", id="0b is text"),
        pytest.param("-12", -12, id="negative integer"),
        pytest.param("+12", 12, id="signed integer"),
        pytest.param("1e3", 1000.0, id="exponent without a point"),
        pytest.param(".5", 0.5, id="no digit before the point"),
        pytest.param("1.", 1.0, id="no digit after the point"),
        pytest.param("true", True, id="true"),
        pytest.param("FALSE", False, id="FALSE"),
        pytest.param("tRue", "tRue", id="any other capitalisation is text"),
        pytest.param("~", None, id="tilde"),
        pytest.param("Null", None, id="Null"),
        pytest.param("", None, id="nothing"),
        pytest.param("'12'", "12", id="quotes make text"),
        pytest.param("! 12", "12", id="the tag ! makes text"),
        pytest.param("!!str 12", "12", id="the tag !!str makes text"),
        pytest.param("!!int '12'", 12, id="the tag !!int makes a number"),
        pytest.param("!!float 12", 12.0, id="the tag !!float makes a float"),
        pytest.param("!!seq [1]", [1], id="the tag !!seq"),
        pytest.param("'<<'", "<<", id="quoted << is text"),
    ],
)
def test_scalars_mean_what_the_core_schema_of_1_2_says(text: str, value: Json) -> None:
    document = parse(f"a: {text}\n", file="m.yaml")

    assert document.value == {"a": value}
    assert isinstance(document.value, dict)
    assert type(document.value["a"]) is type(value)


def test_line_ends_and_a_byte_order_mark_do_not_matter() -> None:
    document = parse(b"\xef\xbb\xbfa: 1\r\nb: 2\rc: 3\n", file="m.yaml")

    assert document.value == {"a": 1, "b": 2, "c": 3}
    assert document.text == "a: 1\nb: 2\nc: 3\n"


def test_unicode_line_separators_are_ordinary_text() -> None:
    document = parse("a: x\u2028y\x85z\u2029\nb: 1\n", file="m.yaml")

    assert document.value == {"a": "x\u2028y\x85z\u2029", "b": 1}
    assert document.position(("b",)).line == 2


def test_an_alias_keeps_its_own_place_and_shares_the_value() -> None:
    document = parse("a: &x [1, 2]\nb: *x\n", file="m.yaml")

    assert document.value == {"a": [1, 2], "b": [1, 2]}
    assert str(document.position(("b",))) == "m.yaml:2:4"
    assert str(document.position(("b", 1))) == "m.yaml:1:11"


def test_positions_count_code_points_from_one_and_know_keys() -> None:
    document = parse("é: {ü: [x, 'yy']}\n", file="m.yaml")

    second = document.position(("é", "ü", 1))
    assert (second.line, second.column, second.end_column) == (1, 12, 16)
    assert document.position(("é", "ü"), key=True).column == 5


def test_a_place_that_does_not_exist_has_the_position_of_its_parent() -> None:
    document = parse("a:\n  b: 1\n", file="m.yaml")

    assert document.position(("a", "c", 3)) == document.position(("a",))
    assert document.position(("a", "c"), key=True).line == 1


def test_a_block_mapping_ends_where_its_last_value_ends() -> None:
    document = parse("a:\n  b: 1\n\n\nc: 2\n", file="m.yaml")

    assert document.position(("a",)).end_line == 2


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        pytest.param("A cat on Route #66", "#66", id="cut at a hash"),
        pytest.param("A cat\n  on Route #66", "#66", id="on the last of two lines"),
        pytest.param("A cat#66", None, id="no space before the hash"),
        pytest.param("'A cat' # said I", None, id="quoted"),
        pytest.param("|  # why\n  A cat\n", None, id="block scalar"),
        pytest.param("[A cat] # said I", None, id="not a scalar"),
    ],
)
def test_a_comment_behind_unquoted_text_is_found(text: str, lost: str | None) -> None:
    found = parse(f"a: {text}", file="m.yaml").comment_after(("a",))

    assert (found[1] if found else None) == lost


def test_a_document_made_from_values_alone_knows_its_file() -> None:
    document = Document({"a": 1}, "m.yaml", "")

    assert str(document.position(("a",))) == "m.yaml:1:1"


def test_a_missing_place_has_no_comment_and_is_no_block() -> None:
    document = parse("a: 1", file="m.yaml")

    assert document.comment_after(("b", 0)) is None
    assert not document.is_block(("b", 0))


@pytest.mark.parametrize(
    ("text", "code", "line", "column", "word"),
    [
        ("a: 1\nb: 2\na: 3", "E-YAML-DUP-KEY", 3, 1, "twice"),
        ("1: x", "E-YAML-KEY", 1, 1, "key 1"),
        ("null: x", "E-YAML-KEY", 1, 1, "key null"),
        ("true: x", "E-YAML-KEY", 1, 1, "true or false"),
        ("? [a]\n: x", "E-YAML-KEY", 1, 3, "a list"),
        ("? {a: 1}\n: x", "E-YAML-KEY", 1, 3, "a mapping"),
        ("a: &x {b: 1}\n<<: *x", "E-YAML-MERGE", 2, 1, "merge"),
        ("a: !env HOME", "E-YAML-TAG", 1, 4, "!env"),
        ("a: !!python/name:os x", "E-YAML-TAG", 1, 4, "!!python"),
        ("a: !!int x", "E-YAML-TAG", 1, 4, "!!int"),
        ("a: !!set {x}", "E-YAML-TAG", 1, 4, "!!set"),
        ("a: !!timestamp 2024-01-01", "E-YAML-TAG", 1, 4, "!!timestamp"),
        ("a: *x", "E-YAML-ALIAS", 1, 4, "no anchor"),
        ("a: &x [*x]", "E-YAML-ALIAS", 1, 8, "itself"),
        ("a: 9007199254740992", "E-NUMBER", 1, 4, "exactly"),
        ("a: 0xFFFFFFFFFFFFFFFF", "E-NUMBER", 1, 4, "exactly"),
        ("a: " + "9" * 5000, "E-NUMBER", 1, 4, "exactly"),
        ("a: .nan", "E-NUMBER", 1, 4, "finite"),
        ("a: -.Inf", "E-NUMBER", 1, 4, "finite"),
        ("a: 1e999", "E-NUMBER", 1, 4, "finite"),
        ('a: "\\ud800"', "E-TEXT", 1, 7, "escape"),
        ("a: \ud800", "E-TEXT", 1, 4, "surrogate"),
        ("a: x\x07", "E-TEXT", 1, 5, "U+0007"),
        (b"a: 1\r\nb: \xff", "E-UTF8", 2, 4, "0xFF at offset 9"),
        ("", "E-YAML-EMPTY", 1, 1, "empty"),
        ("# only this\n", "E-YAML-EMPTY", 1, 1, "empty"),
        ("a: 1\n---\nb: 1", "E-YAML-DOCUMENTS", 2, 1, "second"),
        ("%YAML 1.1\n---\na: 1", "E-YAML-VERSION", 1, 1, "1.1"),
        (" " * (16 * 1024 * 1024 + 1), "E-YAML-SIZE", 1, 1, "bytes"),
        ("[" * 102 + "]" * 102, "E-YAML-DEPTH", 1, 102, "100 deep"),
    ],
    ids=lambda value: repr(value)[:24] if isinstance(value, str | bytes) else None,
)
def test_what_is_no_json_value_is_refused_at_its_place(
    text: str | bytes, code: str, line: int, column: int, word: str
) -> None:
    problem = only_problem(text)

    assert problem.code == code
    assert (problem.position.line, problem.position.column) == (line, column)
    assert word in problem.message


@pytest.mark.parametrize(
    ("text", "line", "column", "word", "hint"),
    [
        ("a:\n\tb: 1", 2, 1, "tab", "spaces"),
        ("a: [a ${{ x }}]", 1, 8, "${{", "quotes"),
        ("a: {p: ${{ x }}}", 1, 9, "${{", "quotes"),
        ("a: b: c", 1, 5, "second `: `", "quotes"),
        ("a: 1\n b: 2", 2, 3, "goes on", "Indent"),
        ("a: @home", 1, 4, "start with @", "quotes"),
        ("a: `x`", 1, 4, "start with `", "quotes"),
        ("a: **bold**", 1, 4, "start with *", "quotes"),
        ("a: &, b", 1, 4, "start with &", "quotes"),
        ("a: !a, b", 1, 4, "start with !", "quotes"),
        ("%done", 1, 1, "start with %", "quotes"),
        ('a: "x\nb: 1', 1, 4, "never closed", "Close"),
        ("a: 'it's'", 1, 8, "does not belong", "inside it"),
        ("a: [1, 2\nb: 3", 1, 4, "not closed with ]", "commas"),
        ("a: {b: 1", 1, 4, "not closed with }", "commas"),
        ("- a\nb: 1", 2, 1, "list item", "- "),
        ("a: - b", 1, 4, "line of its key", "new line"),
        ("a: 1\nb\nc: 1", 2, 1, "neither", "colon"),
        ('a: "\\q"', 1, 5, "backslash", "single quotes"),
        ("a: |x\n  y", 1, 5, "`|`", "new, indented line"),
        ("  a: 1\nb: 2", 2, 1, "ended", "Indent"),
        ("}", 1, 1, "not YAML", "quotes"),
    ],
    ids=lambda value: repr(value)[:24] if isinstance(value, str) else None,
)
def test_syntax_errors_are_said_in_plain_words(
    text: str, line: int, column: int, word: str, hint: str
) -> None:
    problem = only_problem(text)

    assert problem.code == "E-YAML-SYNTAX"
    assert (problem.position.line, problem.position.column) == (line, column)
    assert word in problem.message
    assert hint in problem.hint


@pytest.mark.parametrize("escape", ["\\0", "\\a", "\\e", "\\x7f", "\\x80", "\\ufffe"])
@pytest.mark.parametrize("text", ['a: "x{}y"', '"x{}y": a'], ids=["value", "key"])
def test_what_is_no_text_is_refused_when_it_is_escaped_too(
    text: str, escape: str
) -> None:
    problem = only_problem(text.format(escape))

    assert problem.code == "E-TEXT"
    assert problem.hint == "Remove the character."


def test_tabs_and_line_ends_may_be_escaped() -> None:
    document = parse('a: "\\t\\r\\n\\x85\\u2028"', file="m.yaml")

    assert document.value == {"a": "\t\r\n\x85\u2028"}


def test_a_duplicate_key_names_the_first_one() -> None:
    problem = only_problem("a: 1\na: 2")

    (first,) = problem.related
    assert str(first.position) == "m.yaml:1:1"


def test_all_problems_are_listed_and_the_first_of_two_equal_keys_stays() -> None:
    text = "a: .inf\nb: 1\nb: 2\nc: !x 1\n"

    document = scan(text, file="m.yaml")

    codes = [problem.code for problem in document.problems]
    assert codes == ["E-NUMBER", "E-YAML-DUP-KEY", "E-YAML-TAG"]
    assert document.value == {"a": 0, "b": 1, "c": "1"}


def test_a_syntax_error_is_listed_after_what_was_found_before_it() -> None:
    with pytest.raises(InvalidError) as caught:
        parse("a: 1\na: 2\nb: 'x", file="m.yaml")

    codes = [problem.code for problem in caught.value.problems]
    assert codes == ["E-YAML-DUP-KEY", "E-YAML-SYNTAX"]


def test_aliases_cannot_explode() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for level in range(1, 10):
        inner = ", ".join([f"*a{level - 1}"] * 10)
        lines.append(f"a{level}: &a{level} [{inner}]")

    problem = only_problem("\n".join(lines))

    assert problem.code == "E-YAML-ALIAS"
    assert "10,000" in problem.message


def test_aliases_cannot_nest_too_deep() -> None:
    lines = ["a0: &a0 []"]
    lines += [f"a{level}: &a{level} [*a{level - 1}]" for level in range(1, 110)]

    assert only_problem("\n".join(lines)).code == "E-YAML-DEPTH"


def test_a_million_values_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foxbatch.yaml12.build.MAX_NODES", 10)

    assert only_problem("[" + "x," * 10 + "]").code == "E-YAML-NODES"


def test_the_parser_in_python_gives_the_same_values_and_problems(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import yaml

    text = "a: &x [16:9, no, 0o17]\nb: *x\nc: |\n  two\n  lines\n"
    expected = parse(text, file="m.yaml")
    monkeypatch.setattr("foxbatch.yaml12.build._LOADER", yaml.SafeLoader)

    document = parse(text, file="m.yaml")

    assert document.value == expected.value
    assert document.position(("b", 2)) == expected.position(("b", 2))
    assert only_problem('a: "\\ud800"').code == "E-TEXT"
    assert only_problem("a: [a ${{ x }}]").position.column == 8


@pytest.mark.parametrize(
    ("line", "column", "where"),
    [
        pytest.param(1, 2, ("a",), id="in a key"),
        pytest.param(1, 5, ("a", 0), id="in an item"),
        pytest.param(3, 5, ("b", "c"), id="in a nested key"),
        pytest.param(3, 8, ("b", "c"), id="in a nested value"),
        pytest.param(4, 1, (), id="after everything"),
    ],
)
def test_a_position_leads_back_to_its_place(
    line: int, column: int, where: Where
) -> None:
    document = parse("a: [x, y]\nb:\n    c: long\n", file="m.yaml")

    assert document.around(Position("m.yaml", line, column)) == where


@pytest.mark.parametrize(
    "text",
    ["[", "<<: ", "a:", "- ", "a: [", "a: {b", "a: |", "? ", "'x", "a:\n  b:", "a: &x"],
)
def test_no_place_is_behind_the_end_of_a_file_without_a_last_line_break(
    text: str,
) -> None:
    """Found by fuzzing: the parser goes on in a line that is not there."""
    try:
        document = scan(text, file="m.yaml")
    except InvalidError as error:
        places = [problem.position for problem in error.problems]
    else:
        places = [problem.position for problem in document.problems]
        places += [scalar.position for scalar in document.scalars()]
        places.append(document.position(()))

    lines = text.split("\n")
    for place in places:
        assert place.end_line <= len(lines)
        assert place.column <= len(lines[place.line - 1]) + 1
        assert place.end_column <= len(lines[place.end_line - 1]) + 1
